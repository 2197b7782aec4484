"""Network namespaces of this test's own, the programs in them, and the captures made there.

Everything is taken down again at the end: programs by the process ids they were started with, namespaces by name.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

TOOLS = {"ip": "iproute2", "tcpdump": "tcpdump"}


def demand():
    """Ends the test when it is not root or a tool is missing."""
    if os.geteuid() != 0:
        sys.exit("tests/netns needs root: it makes network namespaces of its own and captures what goes over them")
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            sys.exit(f"tests/netns needs `{tool}`: apt-get install {package}")


class Space:
    """One network namespace: nothing but its own loopback, without IPv6, until `join` adds a wire to a second one."""

    def __init__(self, name):
        self.name = name
        self.children = []

    def __enter__(self):
        run(["ip", "netns", "add", self.name])
        try:
            # Without IPv6 the kernel itself has nothing to say on a fresh wire: every packet is somebody's.
            self.call(["sh", "-c", "for f in all default lo; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done"])
            self.call(["ip", "link", "set", "lo", "up"])
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        """Ends what was started in here and removes the namespace."""
        for child in self.children:
            end(child)
        self.children.clear()
        run(["ip", "netns", "del", self.name])

    def inside(self, command):
        """The command line that runs `command` in here."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def call(self, command):
        """Runs a command to its end; any failure ends the test."""
        return run(self.inside(command))

    def start(self, command, **options):
        """Starts a program that is ended with the namespace at the latest."""
        child = subprocess.Popen(self.inside(command), **options)
        self.children.append(child)
        return child

    @contextlib.contextmanager
    def capture(self, path):
        """Captures every packet of every interface while the body runs; fails when the kernel dropped one."""
        options = ["-i", "any", "-n", "-s", "96", "-B", "131072", "--time-stamp-precision=nano", "-Z", "root"]
        dump = self.start(["tcpdump", *options, "-w", path], stderr=subprocess.PIPE, text=True)
        for line in dump.stderr:
            if "listening on" in line:
                break
        else:
            sys.exit(f"tcpdump did not start: exit {dump.wait()}")
        time.sleep(0.2)
        yield
        # The kernel hands captured packets over in blocks, each at most a second old.
        time.sleep(1.3)
        dump.send_signal(signal.SIGINT)
        told = dump.communicate()[1]
        self.children.remove(dump)
        dropped = sum(int(count) for count in re.findall(r"(\d+) packets? dropped", told))
        if dropped or "captured" not in told:
            sys.exit(f"the capture is not whole, so nothing can be counted: {told.strip()}")


def join(here, there):
    """A wire between two namespaces: 198.18.0.1 here, and all of 198.18.0.0/15 lies beyond. Neither side asks for
    hardware addresses: both are written down."""
    macs = {"c0": "02:00:00:00:00:01", "s0": "02:00:00:00:00:02"}
    here.call(["ip", "link", "add", "c0", "address", macs["c0"], "type", "veth",
               "peer", "name", "s0", "address", macs["s0"], "netns", there.name])
    for space, link in ((here, "c0"), (there, "s0")):
        space.call(["sh", "-c", f"echo 1 >/proc/sys/net/ipv6/conf/{link}/disable_ipv6"])
        space.call(["ip", "link", "set", link, "up"])
    here.call(["ip", "address", "add", "198.18.0.1/32", "dev", "c0"])
    here.call(["ip", "neigh", "add", "198.18.0.2", "lladdr", macs["s0"], "dev", "c0", "nud", "permanent"])
    here.call(["ip", "route", "add", "198.18.0.0/15", "via", "198.18.0.2", "dev", "c0", "onlink", "src", "198.18.0.1"])
    there.call(["ip", "neigh", "add", "198.18.0.1", "lladdr", macs["c0"], "dev", "s0", "nud", "permanent"])
    there.call(["ip", "route", "add", "198.18.0.1/32", "dev", "s0"])


def end(child):
    """Ends one program of ours."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(5)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def run(command):
    """Runs a command to its end and gives what it wrote; any failure ends the test with its words."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(map(str, command))}` failed with {done.returncode}: {(done.stderr or done.stdout).strip()}")
    return done.stdout
