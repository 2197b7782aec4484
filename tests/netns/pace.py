"""Precedence for what is measured by its pace."""

import contextlib
import os


def go_first():
    """Real-time precedence for this process, where the system grants it; some containers do not."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
