"""The works: who takes part in each, and with which options."""

import shutil
from dataclasses import dataclass, field

import contenders as c
from contenders import Ask

ALL = "ssh = [22], http = [80], tls = [443]"
JARM, CERT, HTTP, SSH = ("tls.jarm",), ("cert.sha256",), ("http.status", "http.body_sha256"), ("ssh.host_key",)
# sshd's accept queue holds 128: more hosts at once would measure repeated SYNs.
GENTLE = ("--in-flight", "100")
BUSY = ("--in-flight", "400")


@dataclass
class Work:
    """One piece of work and those who do it."""

    name: str
    title: str
    contenders: list = field(default_factory=list)
    unit: str = "hosts"


    def line_up(self, alone):
        """With the earlier build next to each of ours, if one is named; without other programs, if so wished."""
        ours = [one for one in self.contenders if not alone or one.label.startswith(("hostkin", "bare"))]
        self.contenders = [both for one in ours for both in (one, one.before) if both]
        return self


def has(tool):
    return shutil.which(tool) is not None


def dense(place, truth, hosts):
    """Every address answers."""
    ask = lambda services, options, kinds: Ask(hosts, services, options, kinds, c.network(hosts))  # noqa: E731
    hellos = [f"443:{hello}" for hello in c.hellos()]
    whole = ("--ssh-keys", "first", "--favicon", "off")
    everything = JARM + CERT + HTTP + SSH
    few = min(hosts, 256)

    all_four = Work("dense-all", "All four: certificate, JARM, HTTP, SSH with a proven host key", [
        c.hostkin("hostkin, proof needed", ask(ALL, (*whole, "--proof", "needed", *GENTLE), everything), truth),
        c.hostkin("hostkin, proof always", ask(ALL, (*whole, "--proof", "always", *GENTLE), everything), truth),
        c.floor([*hellos, f"80:{c.get()}", "22:"], hosts, 100),
    ])
    jarm = Work("dense-jarm", "JARM alone", [
        c.hostkin("hostkin", ask("tls = [443]", ("--only", "jarm", *BUSY), JARM), truth),
        c.floor(hellos, hosts, 400),
    ])
    cert = Work("dense-cert", "TLS certificate, parsed, proven and stored", [
        c.hostkin("hostkin", ask("tls = [443]", ("--only", "cert", *BUSY), CERT), truth),
        c.floor([hellos[6]], hosts, 400),  # the first that a TLS 1.3 server answers with its whole flight
    ])
    http = Work("dense-http", "HTTP on port 80", [
        c.hostkin("hostkin", ask("http = [80]", ("--only", "http", "--favicon", "off", *BUSY), HTTP), truth),
        c.floor([f"80:{c.get()}"], hosts, 400),
    ])
    ssh = Work("dense-ssh", "SSH with a proven ed25519 key", [
        c.hostkin("hostkin", ask("ssh = [22]", ("--only", "ssh", "--ssh-keys", "first", *GENTLE), SSH), truth),
        c.floor(["22:"], hosts, 100),
        c.ssh_keyscan(32, truth),
    ])
    if c.PYJARM:
        jarm.contenders.append(c.pyjarm(few, truth))
    if has("nmap"):
        all_four.contenders.append(c.nmap_versions(16, truth))
    if has("zgrab2"):
        leaf = "data.tls.result.handshake_log.server_certificates.certificate.parsed.fingerprint_sha256"
        cert.contenders.append(c.zgrab2(["tls"], hosts, 200, {"cert.sha256": leaf}, truth))
        status = {"http.status": "data.http.result.response.status_code"}
        http.contenders.append(c.zgrab2(["http"], hosts, 200, status, truth))
        jarm.contenders.append(c.zgrab2(["jarm"], hosts, 300, {"tls.jarm": "data.jarm.result.fingerprint"}, truth))
    return [all_four, jarm, cert, http, ssh]


def sparse(place, truth, rate=20_000):
    """65,536 addresses, 2 % of them alive."""
    live = set(place.live)
    by = lambda how: Ask(len(live), "http = [80]", ("--only", "http", "--favicon", "off", "--discovery", how), HTTP)  # noqa: E731
    work = Work("sparse", f"65,536 addresses, {len(live):,} alive, port 80", unit="addresses", contenders=[
        c.hostkin("hostkin, connect()", by("connect"), truth, "each live host's page is asked for and stored too"),
        c.floor(["80"], 65536, 18_000, 950, len(live)),
        c.hostkin("hostkin, SYN", by("syn"), truth, "each live host's page is asked for and stored too"),
    ])
    if has("zmap"):
        work.contenders.append(c.zmap(place, live, rate))
    if has("masscan"):
        work.contenders.append(c.masscan(place, live, rate))
    if has("nmap"):
        work.contenders.append(c.nmap(live, 5000))
    for one in work.contenders:
        one.hosts = 65536
        if one.before:
            one.before.hosts = 65536
    return [work]
