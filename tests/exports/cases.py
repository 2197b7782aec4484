"""The cases: the demo's, one of imports with IPv6, and one whose every field is a trick."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import street

REGISTRY = """never_mail = ["@reseller.example"]

[[holder]]
network = "{net}"
name = "{holder}"
source = "a test, 2026-11-01"

[[contact]]
network = "{net}"
mail = "sales@reseller.example"
origin = "inetnum"
source = "a test, 2026-11-01"

[[contact]]
network = "{net}"
mail = "abuse@holder.example"
origin = "organisation"
name = "{holder}"
source = "a test, 2026-11-01"

[[contact]]
asn = 64500
mail = "abuse@origin.example"
origin = "aut-num"
source = "a test, 2026-11-01"

[[contact]]
asn = 64510
mail = "noc@transit.example"
origin = "peeringdb"
source = "a test, 2026-11-01"

[[upstream]]
asn = 64510
of = 64500
source = "a test, 2026-11-01"

[[origin]]
network = "{origin}"
asn = 64500
"""

# Registers are strangers too.
HOSTILE_HOLDER = "=1+1 <b>\\u202e\\u001b[2J\\r\\nBcc: all@example.net \\uff1dx ; # \\\" `"


class Hostkin:
    """The program under test."""

    def __init__(self, path: Path):
        self.path = path

    def run(self, *arguments, code=0, cwd=None, env=None):
        command = [str(self.path), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, cwd=cwd, env={**os.environ, "HOSTKIN_ACTOR": "tester", **(env or {})}, timeout=120)
        if done.returncode != code:
            raise RuntimeError(f"{' '.join(command)}: exit {done.returncode}, not {code}\n{done.stderr.decode(errors='replace')}")
        return done


@dataclass
class Case:
    """A linked case, and what is to be expected of it."""

    name: str
    path: Path
    registry: Path
    members: list = field(default_factory=list)
    own: str | None = None
    captured: bool = True  # False: imports, of which there are no bytes


def normal(hostkin: Hostkin, folder: Path) -> Case:
    path = os.environ.get("DEMO_CASE")
    if path is None:
        hostkin.run("demo", "--out", folder / "demo", "--block", "127.92.0.0/16")
        path = folder / "demo/case.hostkin"
    copy = folder / "normal.case"
    shutil.copy(path, copy)
    return finished(hostkin, Case("normal", copy, folder / "normal.toml"), "127.0.0.0/8", "Example Hosting Ltd")


def imported(hostkin: Hostkin, folder: Path) -> Case:
    """Hosts heard by others, some with IPv6 addresses."""
    scope, case, hosts = folder / "imported.toml", folder / "imported.case", folder / "imported.jsonl"
    scope.write_text(SCOPE.format(title="Imports", authority="Example CERT", networks="127.76.9.0/30", ports="ssh = [22]"))
    kin = [f"203.0.113.{number}" for number in range(1, 5)] + [f"2001:db8::{number:x}" for number in range(10, 14)]
    with hosts.open("w") as out:
        for number in range(400):
            own = 7 if number < len(kin) else 1000 + number
            ip = kin[number] if number < len(kin) else f"198.51.{100 + number // 250}.{number % 250 + 1}"
            row = {"ip": ip, "asn": 64500, "ports": [22, 80, 443], "ssh_key": f"SHA256:{own:043}", "hdr_order": f"{own % 97:064x}",
                   "jarm": f"{own % 89 + 1:062x}", "server": f"s{own % 13}", "ssh_banner": "SSH-2.0-OpenSSH_9.2",
                   "title": f"t{number}", "cert": f"{number:064x}", "spki": f"{own:064x}", "serial": "01", "san": f"h{number}.example"}
            # Slightly less sure of one half, so that a list can get shorter.
            if number % 2 and number < len(kin):
                row["ssh_key"] = f"SHA256:{number:043}"
            out.write(json.dumps(row) + "\n")
    hostkin.run("new", case, "--scope", scope)
    hostkin.run("import", case, "hosts", hosts)
    hostkin.run("seed", case, kin[0], "--why", "a test", "--provider", "unnamed-1")
    hostkin.run("link", case)
    return finished(hostkin, Case("imported", case, folder / "imported.registry", captured=False), "::/0", "Example Hosting Ltd")


def sized(hostkin: Hostkin, folder: Path, count: int, others: int) -> Case:
    """A provider of `count` hosts among strangers, seen by others over a month, with public files about where it stands."""
    name = f"{count} hosts"
    scope, case, hosts = (folder / f"{count}.{end}" for end in ("toml", "case", "jsonl"))
    scope.write_text(SCOPE.format(title=f"A provider of {count} hosts", authority="Example CERT", networks="127.76.9.0/30", ports="ssh = [22]"))
    with hosts.open("w") as out:
        for number in range(count + others):
            kin = number < count
            ip = f"203.{number // 250}.113.{number % 250 + 1}" if kin else f"198.{18 + number // 62500 % 2}.{number // 250 % 250}.{number % 250 + 1}"
            own = 7 if kin else 100_000 + number
            row = {"ip": ip, "asn": 64500 + number % 3, "ports": [22, 80, 443, 8443][:2 + number % 3], "ssh_key": f"SHA256:{own:043}",
                   "hdr_order": f"{own % 997:064x}", "jarm": f"{own % 887 + 1:062x}", "server": f"server-{own % 1301}/1.2.3 (a longer word about itself)",
                   "ssh_banner": f"SSH-2.0-OpenSSH_9.{own % 7} build {own % 1009}", "hassh": f"{own % 503:032x}", "title": "Members only" if kin else f"{own:x} and its {own % 211} pages", "cert": f"{number:064x}",
                   "spki": f"{own:064x}", "serial": f"{number:x}", "san": f"host-{number}.provider.example",
                   "subject": f"CN=host-{number}.provider.example,O=An organisation with a rather long name", "issuer": f"CN=An issuer {own % 5}"}
            # Not all show all: some kept only the key, some only the web part.
            for missing in ([("jarm", "cert"), (), ("title",), ("server",)][number % 4] if kin and number else ()):
                row.pop(missing)
            out.write(json.dumps(row) + "\n")
    hostkin.run("new", case, "--scope", scope)
    hostkin.run("import", case, "hosts", hosts)
    for number in range(0, count, max(count // 30 + 1, 3)):
        hostkin.run("seed", case, f"203.{number // 250}.113.{number % 250 + 1}", "--why", "its customers sell stolen cards there, says a buyer",
                    "--provider", "cards-1", "--source", "interview 7")
    tables = {"20260401.as-rel2.txt": "# source:topology|BGP\n64510|64500|-1|bgp\n64511|64500|-1|bgp\n64500|64520|-1|bgp\n64500|64501|0|bgp\n",
              "pfx2as-20260401.txt": "203.0.113.0\t24\t64500\n203.0.64.0\t19\t64500\n203.0.0.0\t19\t64501\n"}
    for table, text in tables.items():
        (folder / table).write_text(text)
    hostkin.run("data", "import", case, *(folder / table for table in tables))
    hostkin.run("link", case)
    return Case(name.replace(" ", "-"), case, folder / "none", captured=False)


SCOPE = """schema = "hostkin/scope/1"
title = "{title}"
authority = "{authority}"
contact = "mailto:cert@example.org"
lab = true
valid_from = 2020-01-01T00:00:00Z
valid_until = 2099-01-01T00:00:00Z
[[grant]]
networks = ["{networks}"]
ports = {{ {ports} }}
"""


def hostile(hostkin: Hostkin, folder: Path) -> Case:
    scope, case = folder / "scope.toml", folder / "hostile.case"
    scope.write_text(SCOPE.format(title="=1+1 Straße <b> ]]> ; } #", networks=f"{street.NETWORK}.0/28",
                                  authority="Universität =1+1 <script>alert(1)</script>, 'x' <y@example.net>",
                                  ports=f"http = [{street.HTTP}], tls = [{street.TLS}], ssh = [{street.SSH}]"))
    hostkin.run("new", case, "--scope", scope)
    seed = f"{street.NETWORK}.1"
    why = "<script>alert(1)</script>\u202e\x1b[2J =1+1"
    hostkin.run("seed", case, seed, "--why", why, "--provider", "=HYPERLINK(\"x\") <img src=x onerror=alert(1)>\u202e\x1b[31m")
    with street.Street(folder):
        hostkin.run("scan", case, "--full", "--proof", "always")
    hosts = folder / "background.jsonl"
    with hosts.open("w") as out:
        for number in range(400):
            row = {"ip": f"198.51.{100 + number // 250}.{number % 250 + 1}", "ports": [22, 80, 443], "server": f"nginx/1.{number % 20}",
                   "hdr_order": f"{number % 40:064x}", "title": f"\x00\x1b=t{number}", "body": f"{number:064x}", "jarm": f"{number % 30:062x}",
                   "ssh_banner": f"SSH-2.0-OpenSSH_{number % 9}", "cert": f"{number:064x}", "spki": f"{number:064x}",
                   "subject": f"CN=h{number}.example", "issuer": f"CN=ca{number % 7}", "san": f"h{number}.example"}
            out.write(json.dumps(row) + "\n")
    hostkin.run("import", case, "hosts", hosts)
    hostkin.run("link", case)
    made = Case("hostile", case, folder / "hostile.toml", own="127.0.0.1")
    return finished(hostkin, made, "127.76.7.0/24", HOSTILE_HOLDER)


def finished(hostkin: Hostkin, case: Case, network: str, holder: str) -> Case:
    # `::/0` stands for both families: each entry once for IPv6, once for the documentation block.
    text = REGISTRY.format(net=network, origin=network, holder=holder)
    if network == "::/0":
        blocks = text.split("\n\n")
        text = "\n\n".join(blocks + [block.replace(network, "203.0.113.0/24") for block in blocks if network in block])
    case.registry.write_text(text)
    rows = hostkin.run("export", case.path, "clusters", "--json").stdout.decode().splitlines()
    rows = [json.loads(row) for row in rows]
    seeded = next(row["cluster_id"] for row in rows)
    case.members = sorted(row["ip"] for row in rows if row["cluster_id"] == seeded)
    if len(case.members) < 3:
        raise RuntimeError(f"{case.name}: only {len(case.members)} hosts in the cluster")
    return case
