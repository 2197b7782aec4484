"""The program under test: its scopes, its scans and what they left."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

from pace import go_first
from space import end

ROOT = pathlib.Path(__file__).resolve().parents[2]


def binary():
    """The release binary, or the one HOSTKIN names; built when there is none."""
    named = os.environ.get("HOSTKIN")
    path = pathlib.Path(named).resolve() if named else ROOT / "target/release/hostkin"
    if not path.is_file():
        if named:
            sys.exit(f"HOSTKIN names `{named}`, which is not there")
        subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    return path


def scope(path, networks, ports, exclude=(), files=(), **limits):
    """Writes a lab scope and gives its path."""
    quoted = lambda words: json.dumps([str(word) for word in words])
    given = ", ".join(f"{speech} = {numbers}" for speech, numbers in ports.items())
    text = f"""schema = "hostkin/scope/1"
title = "Packet counts"
authority = "Own namespaces"
valid_from = 2020-01-01T00:00:00Z
valid_until = 2099-01-01T00:00:00Z
lab = true

[[grant]]
name = "all"
networks = {quoted(networks)}
ports = {{ {given} }}

[exclude]
networks = {quoted(exclude)}
files = {quoted(files)}
"""
    if limits:
        text += "\n[limits]\n" + "".join(f"{key} = {value}\n" for key, value in limits.items())
    path.write_text(text)
    return path


class Case:
    """A case in a namespace."""

    def __init__(self, program, space, path, scope_path):
        self.program, self.space, self.path = program, space, path
        self.summary_path = path.with_suffix(".json")
        space.call([program, "new", path, "--scope", scope_path])

    def begin(self, *options, first=False):
        """Starts a scan and comes back at once. With `first` it goes before all else on this machine: pace is measured
        then, and other programs are not to be measured with it."""
        # What is counted here are connections; `syn.py` counts discovery by SYN.
        command = [self.program, "-q", "scan", self.path, "--summary", self.summary_path, "--discovery", "connect", *options]
        return self.space.start(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                preexec_fn=go_first if first else None)

    def end(self, child, within=120):
        """Waits for a scan and gives its summary; one that fails or never ends, ends the test."""
        try:
            _, told = child.communicate(timeout=within)
        except subprocess.TimeoutExpired:
            sys.exit(f"the scan of {self.path.name} did not end within {within} s")
        if child.returncode != 0:
            sys.exit(f"the scan of {self.path.name} ended with {child.returncode}: {told.strip()}")
        return json.loads(self.summary_path.read_text())

    def scan(self, *options, first=False):
        """One scan, start to end."""
        return self.end(self.begin(*options, first=first))

    def kill(self, child):
        """Ends a running scan as a loss of power would."""
        child.send_signal(signal.SIGKILL)
        child.communicate()

    def done(self):
        """Hosts of the last run that are committed."""
        runs = json.loads(self.space.call([self.program, "info", self.path, "--json"]))["runs"]
        return runs[-1]["hosts_done"] if runs else 0

    def heard(self):
        """The observations of the case: how many rows each (address, port, over TLS) has."""
        rows = {}
        for line in self.space.call([self.program, "export", self.path, "observations", "--json"]).splitlines():
            row = json.loads(line)
            key = (row["ip"], row["port"], row.get("over") is not None)
            rows[key] = rows.get(key, 0) + 1
        return rows


class Street:
    """The program's own street of servers, up in a namespace while the body runs."""

    def __init__(self, program, space, folder):
        self.command = [program, "lab", "up", "--state", folder / "street"]
        self.truth = [json.loads(line) for line in space.call([program, "lab", "truth"]).splitlines()]
        self.space = space

    def __enter__(self):
        self.child = self.space.start(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        told = ""
        for line in self.child.stderr:
            told += line
            if "are up" in line:
                return self
        sys.exit(f"the street did not come up: exit {self.child.wait()}: {told.strip()}")

    def __exit__(self, *_):
        end(self.child)

    def services(self):
        """Every open (address, port)."""
        return {(host["address"], port) for host in self.truth for port in host["open"]}


def serve(space, addresses, port):
    """Starts small HTTP servers on all addresses and waits until they listen."""
    script = pathlib.Path(__file__).with_name("servers.py")
    child = space.start([sys.executable, script, port], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    child.stdin.write("\n".join(addresses))
    child.stdin.close()
    if child.stdout.readline().strip() != "ready":
        sys.exit(f"the servers did not come up: exit {child.wait()}")
    return child


def wait_for(what, condition, within=60):
    """Waits until `condition` holds."""
    until = time.monotonic() + within
    while not condition():
        if time.monotonic() > until:
            sys.exit(f"waited {within} s in vain for {what}")
        time.sleep(0.02)
