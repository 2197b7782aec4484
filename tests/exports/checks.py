"""What each format's own tools say of what hostkin writes."""

import base64
import csv
import email
import email.policy
import hashlib
import io
import ipaddress
import json
import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree
from pathlib import Path

import jsonschema
import stix2
import stix2validator
from pymisp import MISPEvent, MISPObject
from xarf import schema_validator

FIREWALLS = ("cidr", "drop", "nftables", "ipset", "rpz", "bird", "exabgp", "flowspec", "suricata", "zeek")
SCOS = {"ipv4-addr": stix2.v21.IPv4Address, "ipv6-addr": stix2.v21.IPv6Address, "autonomous-system": stix2.v21.AutonomousSystem,
        "x509-certificate": stix2.v21.X509Certificate, "network-traffic": stix2.v21.NetworkTraffic}
CHANGES = ("", ".add", ".remove")


class Tally:
    """Counts what held, and says what did not."""

    def __init__(self):
        self.passed = self.failed = 0
        self.case = ""

    def check(self, what, found, wanted=True):
        if found == wanted:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {self.case}: {what}: found {str(found)[:2000]}, wanted {str(wanted)[:500]}", flush=True)


def everything(tally, hostkin, case):
    folder = case.path.parent / case.name
    first = write_all(hostkin, case, folder / "first", FIREWALLS)
    # One list of each kind is enough to repeat: they are written from the same entries.
    for name, data in write_all(hostkin, case, folder / "second", ("drop", "nftables")).items():
        tally.check(f"{name}: the same bytes again", first.get(name) == data)
    for name, data in first.items():
        tally.check(f"{name}: moves no cursor and reorders nothing", treacherous(data), [])
        if case.own and not name.endswith(".eml"):
            tally.check(f"{name}: the scanner's own address is not inside", own_inside(data, case.own), [])
    at = folder / "first"
    check_stix(tally, case, first["case.stix.json"])
    check_misp(tally, case, first["case.misp.json"])
    check_promoted(tally, hostkin, case)
    check_graph(tally, case, first)
    check_csv(tally, hostkin, case, first)
    check_lists(tally, case, first)
    check_firewalls(tally, at)
    check_mails(tally, case, first)
    check_marking(tally, hostkin, case)
    check_files(tally, hostkin, case, folder)
    check_outcome(tally, hostkin, case, folder)


def write_all(hostkin, case, folder, lists):
    """Every export from a fresh copy of the case, as bytes by name."""
    folder.mkdir(parents=True)
    copy = folder / "case.hostkin"
    shutil.copy(case.path, copy)
    # A scan has told what it left from; nobody has to say it again.
    own = [] if case.captured else ["--own", "none"]
    hostkin.run("export", copy, "stix", "-o", folder / "case.stix.json", *own)
    hostkin.run("export", copy, "misp", "-o", folder / "case.misp.json")
    hostkin.run("export", copy, "graphml", "-o", folder / "case.graphml")
    for what in ("nodes", "edges"):
        hostkin.run("export", copy, what, "-o", folder / f"{what}.csv")
    for one in lists:
        hostkin.run("export", copy, "denylist", "--as", one, "-o", folder / f"list.{one}", "--registry", case.registry, "--at", "2026-11-22")
        # A second one with fewer hosts, so that something goes.
        least = ["--least", "1", "--force"]
        keep = {ending: (folder / f"list.{one}{ending}").read_bytes() for ending in CHANGES}
        hostkin.run("export", copy, "denylist", "--as", one, "-o", folder / f"list.{one}", "--registry", case.registry, "--at", "2026-11-22", *least)
        (folder / f"fewer.{one}.remove").write_bytes((folder / f"list.{one}.remove").read_bytes())
        for ending, data in keep.items():
            (folder / f"list.{one}{ending}").write_bytes(data)
    hostkin.run("export", copy, "abuse", "-o", folder / "mails", "--registry", case.registry, "--from", "cert@example.org",
                "--statement", "Phishing\u202e pages\nand =1+1")
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("case.hostkin")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def treacherous(data):
    text = data.decode("utf-8", errors="strict")
    bad = {c for c in text if c not in "\n\t\r" and unicodedata.category(c) in ("Cc", "Cf")}
    return sorted(f"U+{ord(c):04X}" for c in bad)


def own_inside(data, own):
    """Where the address stands, in clear or in base64."""
    texts = [data, *(decoded(one) for one in re.findall(rb"[A-Za-z0-9+/]{24,}={0,2}", data))]
    pattern = re.compile(rb"(?<![0-9.])" + re.escape(own.encode()) + rb"(?![0-9])")
    return [text[max(0, found.start() - 40):found.end() + 20] for text in texts for found in pattern.finditer(text)]


def decoded(text):
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        return b""


def check_stix(tally, case, data):
    bundle = json.loads(data)
    objects = bundle["objects"]
    for one in objects:
        if one["type"] in SCOS:
            rest = {key: value for key, value in one.items() if key not in ("id", "type", "spec_version", "object_marking_refs")}
            tally.check(f"stix: id of {one['type']}", one["id"], SCOS[one["type"]](**rest).id)
    stix2.parse(data.decode(), allow_custom=False)
    result = stix2validator.validate_string(data.decode(), stix2validator.ValidationOptions(version="2.1"))
    tally.check("stix: the validator takes it", (result.is_valid, [str(error) for error in getattr(result, "errors", None) or []]), (True, []))
    # 103: ids of domain objects are names (UUIDv5), so that an export updates the one before. 301: where we stood is nobody's business.
    warnings = [str(one) for one in result.warnings or [] if not re.search(r"\{(103|301)\}", str(one))]
    tally.check("stix: the validator warns of nothing else", warnings[:5], [])
    schemas = {one["id"]: jsonschema.Draft202012Validator(json.loads(one["schema"])) for one in objects if one["type"] == "extension-definition"}
    extended = [(key, value) for one in objects for key, value in one.get("extensions", {}).items() if key in schemas]
    broken = [str(error) for key, value in extended for error in schemas[key].iter_errors(value)]
    tally.check("stix: fingerprints are as their own definition says", (bool(extended), broken[:3]), (True, []))
    ids = {one["id"] for one in objects}
    tally.check("stix: each id once", len(ids), len(objects))
    refs = {ref for one in objects for key, value in one.items() if key.endswith(("_ref", "_refs"))
            for ref in (value if isinstance(value, list) else [value])}
    tally.check("stix: nothing refers outside of the bundle", sorted(refs - ids), [])
    addresses = sorted(one["value"] for one in objects if one["type"] in ("ipv4-addr", "ipv6-addr"))
    tally.check("stix: the hosts of the cluster", addresses, case.members)
    marked = [one["id"] for one in objects if one["type"] not in ("marking-definition", "extension-definition")
              and "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421" not in one["object_marking_refs"]]
    tally.check("stix: everything is TLP:AMBER", marked, [])
    facets = [facet for one in objects for extension in one.get("extensions", {}).values() for facet in extension.get("facets", [])]
    wanted = {"tls.jarm", "cert.sha256", "ssh.banner"} | ({"http.hhhash"} if case.captured else set())
    tally.check("stix: fingerprints are inside", wanted <= {one["kind"] for one in facets})
    tally.check("stix: no indicator unless promoted", [one["id"] for one in objects if one["type"] == "indicator"], [])
    if case.name == "hostile":
        titles = [base64.b64decode(one["bytes"]) for one in facets if one["kind"] == "http.title" and "bytes" in one]
        tally.check("stix: exact bytes of the titles are kept", bool(titles) and all(b"\x1b[2J" in one and b"\xff" in one for one in titles))


def check_misp(tally, case, data):
    event = MISPEvent()
    event.load(data.decode())
    tally.check("misp: objects of the templates asked for",
                {"ip-port", "x509", "infrastructure", "passive-ssh", "hhhash" if case.captured else "asn"} <= {one.name for one in event.objects})
    for one in event.objects:
        template = MISPObject(one.name, strict=True)
        definition = template._definition
        tally.check(f"misp: {one.name} is of its template", (one.template_uuid, str(one.template_version)),
                    (definition["uuid"], str(definition["version"])))
        for attribute in one.attributes:
            known = definition["attributes"].get(attribute.object_relation)
            tally.check(f"misp: {one.name}.{attribute.object_relation}", attribute.type, known and known["misp-attribute"])
            multiple = known and known.get("multiple", False)
            count = sum(other.object_relation == attribute.object_relation for other in one.attributes)
            tally.check(f"misp: {one.name}.{attribute.object_relation} as often as it may", bool(multiple) or count == 1)
        needed = definition.get("requiredOneOf", [])
        tally.check(f"misp: {one.name} has what it must", not needed or any(a.object_relation in needed for a in one.attributes))
    attributes = [*event.attributes, *(attribute for one in event.objects for attribute in one.attributes)]
    tally.check("misp: nothing is to block", [one.value for one in attributes if one.to_ids], [])
    uuids = [one.uuid for one in (*attributes, *event.objects)]
    tally.check("misp: each uuid once", len(uuids), len(set(uuids)))
    known = {one.uuid for one in event.objects}
    dangling = [ref.referenced_uuid for one in event.objects for ref in one.ObjectReference if ref.referenced_uuid not in known]
    tally.check("misp: no reference leads out", dangling, [])
    hosts = sorted({a.value for one in event.objects if one.name == "ip-port" for a in one.attributes if a.object_relation == "ip"})
    tally.check("misp: the hosts of the cluster", hosts, case.members)
    tally.check("misp: tags", {"tlp:amber", "PAP:AMBER"} <= {tag.name for tag in event.tags})


def check_promoted(tally, hostkin, case):
    bundle = json.loads(hostkin.run("export", case.path, "stix", "--promote").stdout)
    names = [one["name"] for one in bundle["objects"] if one["type"] == "indicator"]
    tally.check("stix: the seed becomes an indicator where asked", len(names), 1)
    event = json.loads(hostkin.run("export", case.path, "misp", "--promote").stdout)["Event"]
    ids = {a["value"] for one in event["Object"] for a in one["Attribute"] if a["to_ids"]}
    tally.check("misp: to_ids for the seed alone where asked", ids, set(names))


def check_graph(tally, case, made):
    space = "{http://graphml.graphdrawing.org/xmlns}"
    root = xml.etree.ElementTree.fromstring(made["case.graphml"])
    nodes = {node.get("id") for node in root.iter(f"{space}node")}
    tally.check("graphml: the hosts of the cluster", sorted(n[5:] for n in nodes if n.startswith("host:")), case.members)
    ends = {end for edge in root.iter(f"{space}edge") for end in (edge.get("source"), edge.get("target"))}
    tally.check("graphml: every edge has its ends", sorted(ends - nodes), [])
    rows = list(csv.DictReader(io.StringIO(made["nodes.csv"].decode())))
    tally.check("nodes: as many as in the graph", len(rows), len(nodes))


def check_csv(tally, hostkin, case, made):
    texts = {name: data.decode() for name, data in made.items() if name.endswith(".csv")}
    for what in ("clusters", "ranking", "observations", "facets"):
        texts[what] = hostkin.run("export", case.path, what, "--format", "csv").stdout.decode()
    for name, text in texts.items():
        tally.check(f"{name}: CSV moves no cursor", treacherous(text.encode()), [])
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        pieces = [piece.strip() for cell in cells for piece in cell.split(";")]
        formulas = [piece for piece in pieces if piece[:1] in tuple("=+-@＝＋－＠") and piece and not number(piece)]
        tally.check(f"{name}: no cell is a formula", formulas[:3], [])


def number(text):
    try:
        float(text)
        return True
    except ValueError:
        return False


def check_lists(tally, case, made):
    """Each format names the same networks, all single and all in the cluster."""
    drop = [json.loads(line) for line in made["list.drop"].decode().splitlines()]
    tally.check("drop: the last line is metadata", drop[-1]["type"], "metadata")
    entries = drop[:-1]
    networks = {one["cidr"] for one in entries}
    tally.check("drop: somebody is listed", bool(networks))
    tally.check("drop: single addresses of the cluster", networks <= {str(ipaddress.ip_network(one)) for one in case.members})
    for one in entries:
        complete = all(one.get(key) is not None for key in ("id", "reason", "evidence_sha256", "holder", "valid_until", "collateral"))
        tally.check("drop: an entry says all it must", complete and (len(one["evidence_sha256"]) > 0) == case.captured)
    for name in FIREWALLS:
        for ending in ("", ".add"):
            text = made[f"list.{name}{ending}"].decode()
            tally.check(f"list.{name}{ending}: the same networks", named(name, text), networks)
            if name not in ("drop",):
                tally.check(f"list.{name}{ending}: each entry with its reason", text.count("valid until") >= len(networks))
        tally.check(f"list.{name}.remove: nothing went", named(name, made[f"list.{name}.remove"].decode()), set())
        gone = named(name, made[f"fewer.{name}.remove"].decode())
        tally.check(f"fewer.{name}.remove: what is not as sure went", bool(gone) and gone < networks)


def named(name, text):
    """Networks in the lines that are no comment."""
    found = set()
    for line in text.splitlines():
        code = line if name == "drop" else re.split(r"^\s*[#;]", line)[0]
        code = json.loads(code).get("cidr", "") if name == "drop" else code.split("\t")[0]
        if name == "rpz":
            code = " ".join(trigger(found) for found in re.findall(r"\d+\.([0-9a-z.]+)\.rpz-ip", code))
        for word in re.findall(r"[0-9a-f]*:[0-9a-f:]+(?:/\d+)?|[0-9.]+(?:/\d+)?", code):
            try:
                if "." in word or ":" in word:
                    found.add(str(ipaddress.ip_network(word)))
            except ValueError:
                pass
    return found


def trigger(backwards):
    """An address from its words backwards, with `zz` for the run of zeros."""
    words = list(reversed(backwards.split(".")))
    if len(words) == 4 and all(word.isdigit() for word in words):
        return ".".join(words)
    return ":".join("" if word == "zz" else word for word in words)


def check_firewalls(tally, at):
    """Loaded by the tools themselves, in a network namespace of its own that ends with the command."""
    steps = [
        ("nftables: check, load, what came, what went",
         "nft -c -f list.nftables && nft -f list.nftables && nft -c -f list.nftables.add && nft -f fewer.nftables.remove && nft list table inet hostkin"),
        ("ipset: load twice, what came, what went",
         "ipset restore -f list.ipset && ipset restore -f list.ipset && ipset restore -f list.ipset.add && ipset restore -f fewer.ipset.remove && ipset list"),
    ]
    for what, command in steps:
        done = subprocess.run(["unshare", "-n", "sh", "-c", command], cwd=at, capture_output=True, text=True)
        tally.check(what, (done.returncode, done.stderr), (0, ""))
        gone = named("cidr", (at / f"fewer.{what.split(':')[0]}.remove").read_text())
        left = sum(str(ipaddress.ip_network(one).network_address) in done.stdout.split() for one in gone)
        tally.check(f"{what}: gone from the set", left, 0)
    zone = subprocess.run(["named-checkzone", "rpz.hostkin.invalid", at / "list.rpz"], capture_output=True, text=True)
    tally.check("rpz: named-checkzone", (zone.returncode, "OK" in zone.stdout), (0, True))
    (at / "bird.conf").write_text(f'router id 192.0.2.1;\nprotocol device {{}}\ninclude "{at}/list.bird";\n')
    bird = subprocess.run(["bird", "-p", "-c", at / "bird.conf"], capture_output=True, text=True)
    tally.check("bird: bird -p", (bird.returncode, bird.stderr), (0, ""))
    lines = {name: [line.removeprefix("announce ") for line in (at / f"list.{name}").read_text().splitlines() if not line.startswith("#")]
             for name in ("exabgp", "flowspec")}
    static = "".join(f"    {line};\n" for line in lines["exabgp"])
    flow = "".join(f"    {line.removeprefix('flow ')}\n" for line in lines["flowspec"])
    (at / "exabgp.conf").write_text("neighbor 192.0.2.2 {\n  router-id 192.0.2.1; local-address 192.0.2.1; local-as 64496; peer-as 64497;\n"
                                    "  family { ipv4 unicast; ipv6 unicast; ipv4 flow; ipv6 flow; }\n"
                                    f"  static {{\n{static}  }}\n  flow {{\n{flow}  }}\n}}\n")
    exabgp = subprocess.run(["exabgp", "--validate", at / "exabgp.conf"], capture_output=True, text=True, cwd=at)
    tally.check("exabgp: --validate of routes and flow rules", (exabgp.returncode, "syntax error" in exabgp.stdout), (0, False))
    reputation = [line for line in (at / "list.suricata").read_text().splitlines() if not line.startswith("#")]
    # Neither is in Debian 12, so the files are held against the documented columns: IP or CIDR, category 1 to 60, score 1 to 127.
    rows = [line.split(",") for line in reputation]
    right = all(len(row) == 3 and ipaddress.ip_network(row[0]) and 1 <= int(row[1]) <= 60 and 1 <= int(row[2]) <= 127 for row in rows)
    tally.check("suricata: address, category, score", (bool(rows), right), (True, True))
    zeek = [line.split("\t") for line in (at / "list.zeek").read_text().splitlines()]
    tally.check("zeek: as many columns as fields", {len(line) for line in zeek[1:]}, {len(zeek[0]) - 1})
    tally.check("zeek: the fields", zeek[0], ["#fields", "indicator", "indicator_type", "meta.source", "meta.desc"])
    kinds = {"Intel::ADDR": ipaddress.ip_address, "Intel::SUBNET": ipaddress.ip_network}
    tally.check("zeek: addresses and subnets", all(kinds[line[1]](line[0]) for line in zeek[1:]))


def check_mails(tally, case, made):
    mails = {name: data for name, data in made.items() if name.endswith(".eml")}
    roles = sorted({Path(name).name.split("-")[1] for name in mails})
    tally.check("abuse: holder, origin and upstream", roles, ["holder", "origin", "upstream"])
    for name, data in mails.items():
        mail = email.message_from_bytes(data, policy=email.policy.default)
        defects = [str(one) for part in mail.walk() for one in part.defects]
        tally.check(f"{name}: no defects", defects, [])
        parts = list(mail.iter_parts())
        tally.check(f"{name}: three parts", [part.get_content_type() for part in parts][:2] + [len(parts)],
                    ["text/plain", "message/feedback-report", 3])
        tally.check(f"{name}: the type of the report", (mail.get_content_type(), mail.get_param("report-type")),
                    ("multipart/report", "feedback-report"))
        tally.check(f"{name}: headers", sorted(set(mail.keys())), sorted(
            ["From", "To", "Subject", "Date", "Message-ID", "MIME-Version", "X-Unsent", "X-XARF", "Content-Type"]))
        tally.check(f"{name}: one sender, one recipient", [len(mail[key].addresses) for key in ("From", "To")], [1, 1])
        tally.check(f"{name}: nothing to the never-mail list", "reseller.example" in str(mail["To"]), False)
        text = parts[0].get_content()
        tally.check(f"{name}: text for people", treacherous(text.encode()), [])
        wanted = ("WHAT", "WHAT WE ASK OF YOU", "WHERE AND WHEN", "EVIDENCE", "LIMITS", "UTC")
        tally.check(f"{name}: what, where, when, what is asked", [word for word in wanted if word not in text], [])
        reports = [part for part in mail.walk() if part.get_content_type() == "application/json"]
        tally.check(f"{name}: machine-readable reports", bool(reports))
        for part in reports:
            report = json.loads(part.get_content())
            tally.check(f"{name}: XARF v4 schema", [str(one) for one in schema_validator.validate(report)], [])
            tally.check(f"{name}: XARF v4 schema, strict", [str(one) for one in schema_validator.validate(report, strict=True)], [])
            for one in report["evidence"]:
                payload = base64.b64decode(one["payload"], validate=True)
                tally.check(f"{name}: digest of evidence", one["hash"], "sha256:" + hashlib.sha256(payload).hexdigest())
                tally.check(f"{name}: evidence is safe text", treacherous(payload), [])
                if case.own:
                    tally.check(f"{name}: own address", own_inside(payload, case.own), [])
            tally.check(f"{name}: a host of the cluster", report["source_identifier"] in case.members)


def check_marking(tally, hostkin, case):
    copy = case.path.with_name(f"{case.name}-marking.case")
    shutil.copy(case.path, copy)
    if not case.captured:
        # Where no scan left an address on record.
        refused = hostkin.run("export", copy, "stix", "--tlp", "clear", code=2).stderr.decode()
        tally.check("marking: clear is refused before own addresses are named", "--own" in refused)
    for what in ("stix", "misp", "graphml"):
        out = hostkin.run("export", copy, what, "--tlp", "green", "--minimise", "--own", case.own or "none").stdout
        tally.check(f"marking: {what} is green once it holds nothing raw, personal or ours",
                    b"jo@example.org" not in out and not own_inside(out, case.own or "192.0.2.99"))
    if case.name == "hostile":
        refused = hostkin.run("export", copy, "stix", "--tlp", "green", code=2).stderr.decode()
        tally.check("marking: green is refused with raw bytes and mail addresses", "raw bytes" in refused and "e-mail" in refused)
    rows = hostkin.run("export", copy, "nodes", "--format", "csv", "--defang").stdout.decode()
    tally.check("marking: defanged rows hold no address that opens", any(one in rows for one in case.members), False)


def check_files(tally, hostkin, case, folder):
    """A file that is there stays; a full disk leaves nothing."""
    there = folder / "there.json"
    there.write_text("mine")
    said = hostkin.run("export", case.path, "stix", "-o", there, code=1).stderr.decode()
    tally.check("files: one that is there stays", (there.read_text(), "exists already" in said), ("mine", True))
    hostkin.run("export", case.path, "stix", "-o", there, "--force")
    tally.check("files: replaced where asked", there.read_bytes(), hostkin.run("export", case.path, "stix").stdout)
    small = folder / "small"
    small.mkdir()
    copy = folder / "full.case"
    shutil.copy(case.path, copy)
    # Room for half of what is to be written, whatever that is.
    exports = {"stix": ["stix", "-o", "x"], "observations": ["observations", "--format", "csv", "-o", "x"], "report": ["report", "-o", "x"],
               "abuse": ["abuse", "--registry", str(case.registry), "--from", "cert@example.org", "-o", "x"]}
    whats = ("clusters", "ranking", "observations", "facets", "report", "typst", "scope", "bundle", "timestamp-request", "stix", "misp",
             "graphml", "nodes", "edges")
    # No room at all, for each kind; the small ones would find theirs in the first of them.
    rest = {what: [what, "-o", "x"] for what in whats} | {f"denylist as {one}": ["denylist", "--as", one, "-o", "x"] for one in FIREWALLS}
    for name, arguments in [*exports.items(), *((name, arguments) for name, arguments in rest.items())]:
        fill = "" if name in exports else "head -c 32k /dev/zero > full;"
        command = ["export", str(copy), *arguments]
        script = f'mount -t tmpfs -o size=32k none "$0" && cd "$0" && {fill} "$@"; code=$?; ls -A "$0" | grep -vx full | wc -l; exit $code'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, str(small), str(hostkin.path), *command], capture_output=True, text=True)
        tally.check(f"files: {name} to a full disk", (done.returncode, done.stdout.strip(), "nothing was left behind" in done.stderr, "No space left" in done.stderr),
                    (1, "0", True, True))


def check_outcome(tally, hostkin, case, folder):
    """A report that was sent and ignored is cited by the next."""
    copy = folder / "outcome.case"
    shutil.copy(case.path, copy)
    abuse = ["export", copy, "abuse", "--registry", case.registry, "--from", "cert@example.org"]
    hostkin.run(*abuse, "-o", folder / "round1")
    report = sorted(path.stem.split("-")[-1] for path in (folder / "round1").glob("*-origin-*.eml"))[0]
    hostkin.run("outcome", copy, report, "ignored", code=2)
    hostkin.run("outcome", copy, report, "sent", "--date", "2026-10-01")
    hostkin.run("outcome", copy, report, "ignored", "--date", "2026-10-15", "--note", "\x1b[2J<b>")
    hostkin.run("outcome", copy, report, "host-gone")
    listed = hostkin.run("outcome", copy).stdout.decode()
    tally.check("outcome: the list names it, and how long hosts live on", all(word in listed for word in ("ignored", "reported", "gone")))
    hostkin.run(*abuse, "-o", folder / "round2")
    for path in (folder / "round2").glob("*.eml"):
        text = next(email.message_from_bytes(path.read_bytes(), policy=email.policy.default).iter_parts()).get_content()
        tally.check(f"outcome: {path.name} cites it", f"{report}, sent 2026-10-01 to abuse@origin.example" in text and "ignored on 2026-10-15" in text)
