"""How each program is asked to do the work, and what counts as a right answer.

Every contender is a `Contender`: a command line made for a folder of its own, and a judge that reads what the command left
there and says for how many hosts the answer was right, wrong, or missing.
"""

import csv
import json
import os
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from space import FIRST, HERE, PAGE, RANGE, sh

ROOT = HERE.parents[1]


@dataclass
class Contender:
    """One program on one piece of work."""

    label: str
    command: Callable[[Path], list]
    judge: Callable[[Path], tuple]
    # Fewer hosts for those that would take minutes; figures are per host.
    hosts: int = 0
    note: str = ""
    # The same by an earlier build, when one is named.
    before: object = None


@dataclass(frozen=True)
class Ask:
    """What is asked of the first `hosts` addresses of the range."""

    hosts: int
    services: str  # the scope's ports
    options: tuple
    kinds: tuple  # facets that must be right
    network: str = RANGE


def network(hosts):
    """The first `hosts` addresses of the range, a power of two, as a CIDR."""
    return f"{FIRST}/{33 - hosts.bit_length()}"


def addresses(hosts):
    return [f"198.18.{n // 256}.{n % 256}" for n in range(hosts)]


def find(variable, *names):
    """A program by its variable, on the path, or nothing."""
    given = os.environ.get(variable)
    return given if given else next((path for name in names if (path := shutil.which(name))), None)


HOSTKIN = find("HOSTKIN") or str(ROOT / "target/release/hostkin")
BEFORE = find("BEFORE")
PYJARM = find("PYJARM", "pyjarm") or next((str(p) for p in [ROOT / "target/ci-venv/bin/pyjarm"] if p.exists()), None)


class Truth:
    """What the servers of a range really are, by other tools."""

    def __init__(self, place):
        state = place.state
        der = sh("openssl", "x509", "-in", state / "cert.pem", "-noout", "-fingerprint", "-sha256")
        keys = [sh("ssh-keygen", "-lf", state / f"host_{kind}.pub").split()[1] for kind in ("ed25519", "rsa")]
        page = subprocess.run(["sha256sum"], input=PAGE.encode(), capture_output=True, check=True).stdout.split()[0]
        self.values = {"cert.sha256": {der.strip().split("=")[1].replace(":", "").lower()}, "ssh.host_key": set(keys),
                       "http.body_sha256": {page.decode()}, "http.status": {"200"}}
        self.jarm_by = "hostkin itself (pyjarm is not there): agreement only"
        if PYJARM:
            out = state / "jarm.csv"
            sh(*place.inside(PYJARM, "-c", "1", "--proxy", "ignore", "--suppress", "-o", out, place.live[0]))
            self.values["tls.jarm"] = set(pyjarm_rows(out).values())
            self.jarm_by = "pyjarm"

    def judge(self, found, hosts, kinds):
        """`found`: address -> kind -> values. Right, wrong, missing."""
        right = wrong = 0
        for of in found.values():
            if any(not of.get(kind) for kind in kinds):
                continue
            if "tls.jarm" in kinds:
                self.values.setdefault("tls.jarm", set(of["tls.jarm"]))
            if all(of[kind] <= self.values[kind] for kind in kinds):
                right += 1
            else:
                wrong += 1
        return right, wrong, hosts - right - wrong


# hostkin


SCOPE = """schema = "hostkin/scope/1"
title = "benchmark"
authority = "a test range of this machine"
valid_from = 2020-01-01T00:00:00Z
valid_until = 2099-12-31T00:00:00Z
lab = true
[[grant]]
name = "range"
networks = ["{network}"]
ports = {{ {services} }}
"""


def hostkin(label, ask, truth, note="", program=HOSTKIN):
    def command(folder):
        (folder / "scope.toml").write_text(SCOPE.format(network=ask.network, services=ask.services))
        sh(program, "-q", "new", folder / "x.case", "--scope", folder / "scope.toml")
        return [program, "-q", "scan", folder / "x.case", "--summary", folder / "summary.json", *ask.options]

    def judge(folder):
        told = json.loads((folder / "summary.json").read_text())
        if "syn" in ask.options and told["discovery"] != "syn":
            raise RuntimeError(f"{label}: {told['discovery_note']}")
        return truth.judge(facets(folder / "x.case", ask.kinds), ask.hosts, ask.kinds)

    note = "; ".join(filter(None, [" ".join(ask.options), note]))
    before = hostkin(f"{label}, before", ask, truth, program=BEFORE) if BEFORE and program == HOSTKIN else None
    return Contender(label, command, judge, ask.hosts, note, before)


def facets(case, kinds):
    """What a case holds of these kinds: address -> kind -> values. An SSH key counts when its possession was proven."""
    found = {}
    with sqlite3.connect(f"file:{case}?mode=ro", uri=True) as connection:
        marks = ",".join("?" * len(kinds))
        rows = connection.execute(f"SELECT ip, kind, value, extra FROM v_facets WHERE kind IN ({marks})", kinds)
        for ip, kind, value, extra in rows:
            if kind == "ssh.host_key" and not json.loads(extra or "{}").get("proven"):
                value = f"not proven {value}"
            found.setdefault(ip, {}).setdefault(kind, set()).add(value)
    return found


def hostkin_options():
    """The words of `scan --help`: contenders that need an option appear when it does."""
    return set(re.findall(r"--[a-z-]+", sh(HOSTKIN, "scan", "--help")))


# The floor


def tools():
    """The two helpers in C, built when they are older than their source."""
    built, source = ROOT / "target/bench-tools", HERE / "tools.c"
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(exist_ok=True)
        sh("cc", "-O2", "-Wall", "-o", built, source)
    return built


def hellos():
    """JARM's ten hellos as hex, their random parts filled in; the key share is the base point, which servers accept."""
    cases = json.loads((ROOT / "tests/golden/jarm/hellos.json").read_text())
    ten = []
    for probe in range(10):
        case = next(one for one in cases if one["probe"] == probe)
        hello = bytearray.fromhex(case["masked"])
        for start, size, what in case["random"]:
            fill = b"\x09" + bytes(31) if what == "key_share" else bytes(range(size))
            if what != "grease":
                hello[start:start + size] = fill
        ten.append(hello.hex())
    return ten


def get(host=FIRST):
    return f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode().hex()


def floor(steps, hosts, at_once, timeout=5000, live=None):
    """`live`: how many hosts answer, if not all do."""
    def command(folder):
        return ["sh", "-c", f"exec {tools()} floor {at_once} {timeout} {FIRST} {hosts} {' '.join(steps)} >{folder}/out"]

    def judge(folder):
        words = (folder / "out").read_text().split()
        whole = int(words[3])
        return whole, 0, (live or hosts) - whole

    conns = f"{len(steps)} connections" if len(steps) > 1 else "1 connection"
    return Contender("bare epoll floor", command, judge, hosts, f"{conns}, {at_once} hosts at once, answers thrown away")


# Other programs. Their default block lists would leave the range out, so each is given an empty one.


def empty(folder):
    (folder / "empty").write_text("")
    return folder / "empty"


def listing(folder, hosts, port=None):
    lines = (f"{a}:{port}" if port else a for a in addresses(hosts))
    (folder / "list").write_text("\n".join(lines) + "\n")
    return folder / "list"


def pyjarm_rows(path):
    """Host -> JARM; it writes no file when it has nothing to say."""
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return {row["Host"]: row["JARM"] for row in rows}


def pyjarm(hosts, truth, port=443, at_once=50):
    def command(folder):
        return [PYJARM, "-c", at_once, "--proxy", "ignore", "--suppress", "-i", listing(folder, hosts, port),
                "-o", folder / "out"]

    def judge(folder):
        found = {host: {"tls.jarm": {jarm}} for host, jarm in pyjarm_rows(folder / "out").items()}
        return truth.judge(found, hosts, ("tls.jarm",))

    return Contender("pyjarm", command, judge, hosts, f"-c {at_once}; one host after the other")


def zgrab2(modules, hosts, senders, values, truth, label="zgrab2"):
    """`values`: facet kind -> the path of its value in a row."""
    def command(folder):
        words = ["zgrab2", *modules, "-s", senders, "-f", listing(folder, hosts), "-o", folder / "out",
                 f"--blocklist-file={empty(folder)}"]
        return words

    def judge(folder):
        found = {}
        for line in (folder / "out").read_text().splitlines():
            row = json.loads(line)
            of = found.setdefault(row["ip"], {})
            for kind, path in values.items():
                value = row
                for key in path.split("."):
                    value = value.get(key, {}) if isinstance(value, dict) else {}
                if isinstance(value, (str, int)):
                    of.setdefault(kind, set()).add(str(value))
        return truth.judge(found, hosts, tuple(values))

    return Contender(label, command, judge, hosts, f"-s {senders}")


def ssh_keyscan(hosts, truth):
    def command(folder):
        return ["sh", "-c", f"ssh-keyscan -t ed25519 -T 30 -f {listing(folder, hosts)} >{folder}/out 2>/dev/null"]

    def judge(folder):
        found = {}
        for line in sh("ssh-keygen", "-lf", folder / "out").splitlines():
            _, key, host, *_ = line.split()
            found[host] = {"ssh.host_key": {key}}
        return truth.judge(found, hosts, ("ssh.host_key",))

    return Contender("ssh-keyscan", command, judge, hosts, "-t ed25519 -T 30; proves nothing less, stores a text line")


def nmap_versions(hosts, truth):
    def command(folder):
        return ["nmap", "-n", "-Pn", "-sT", "-p22,80,443", "-sV", "--script=ssl-cert,http-headers,ssh-hostkey",
                "-oN", folder / "out", network(hosts)]

    def judge(folder):
        certificates = len(re.findall(r"ssl-cert: Subject", (folder / "out").read_text()))
        return certificates, 0, hosts - certificates

    return Contender("nmap", command, judge, hosts, "-sT -sV, ssl-cert, http-headers, ssh-hostkey; no JARM; right = certificates")


# Discovery


def found_of(live, pattern):
    def judge(folder):
        out = folder / "out"
        seen = set(re.findall(pattern, out.read_text(), re.MULTILINE)) if out.exists() else set()
        return len(seen & live), len(seen - live), len(live - seen)

    return judge


def zmap(place, live, rate):
    def command(folder):
        return ["zmap", "-q", "-v", "0", "-p", "80", "-i", "c0", "-G", place.router(), "-S", "198.19.255.1", "-r", rate,
                "-c", "2", "-b", empty(folder), "-o", folder / "out", RANGE]

    return Contender("zmap", command, found_of(live, r"^(\d+\.\d+\.\d+\.\d+)$"), 65536, f"-r {rate} -c 2")


def masscan(place, live, rate):
    def command(folder):
        return ["masscan", RANGE, "-p80", "--rate", rate, "--wait", "2", "-e", "c0", "--router-mac", place.router(),
                "--source-ip", "198.19.255.1", "-oL", folder / "out"]

    return Contender("masscan", command, found_of(live, r"^open tcp 80 (\S+)"), 65536, f"--rate {rate} --wait 2")


def nmap(live, rate):
    def command(folder):
        return ["nmap", "-n", "-Pn", "-sS", "-p80", "--min-rate", rate, "--max-retries", "1", "--open", "-oG",
                folder / "out", RANGE]

    return Contender("nmap", command, found_of(live, r"Host: (\S+).*80/open"), 65536, f"-sS --min-rate {rate} --max-retries 1")
