"""Prints seconds and connections begun so far, four times a second, until it is ended: run in the client's namespace."""

import time

while True:
    lines = [line.split() for line in open("/proc/net/snmp", encoding="ascii") if line.startswith("Tcp:")]
    print(time.monotonic(), dict(zip(*lines))["ActiveOpens"], flush=True)
    time.sleep(0.25)
