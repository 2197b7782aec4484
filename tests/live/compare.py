"""Holds hostkin's rows against the reference tools, line by line."""

import differences
import reference
from street import HTTP, SSH, TLS

ZERO = "0" * 62


class Tally:
    """Prints one line for each check and counts."""

    def __init__(self):
        self.passed = self.failed = 0
        self._met = {}

    def check(self, who: str, what: str, said, expected):
        right = said == expected
        self.passed, self.failed = self.passed + right, self.failed + (not right)
        print(f"{'ok  ' if right else 'FAIL'}  {who:<46} {what}", flush=True)
        if not right:
            print(f"        said:     {said!r}\n        expected: {expected!r}", flush=True)

    def meet(self, table: str, who: str):
        """Notes that a known difference was met."""
        self._met.setdefault(table, set()).add(who)

    def check_differences(self):
        """The tables of `differences.py` hold exactly what was met."""
        for table in (one for one in dir(differences) if one.isupper()):
            self.check("differences.py", f"{table} lists exactly those met", set(getattr(differences, table)), self._met.get(table, set()))


class Rows:
    """hostkin's observations, by what was asked."""

    def __init__(self, rows: list):
        self._rows = {(row["ip"], row["port"], row["protocol"], row["name"], row.get("over")): row for row in rows}

    def get(self, address, port, protocol, name=None, over=None) -> dict | None:
        return self._rows.get((address, port, protocol, name, over))


def facets(row: dict | None, kind: str) -> list:
    return [facet for facet in (row or {}).get("facets", ()) if facet["kind"] == kind]


def values(row: dict | None, kind: str) -> list:
    return [facet["value"] for facet in facets(row, kind)]


def only(row: dict | None, kind: str):
    """The value of the one facet of this kind; `None` without one, all of them when there are several."""
    found = values(row, kind)
    return found[0] if len(found) == 1 else found or None


def tls(tally: Tally, rows: Rows, server, name: str | None, agent: str, pyjarm: str):
    """One TLS port asked under one name: chain, proof, agreement, page inside, JARM."""
    who = server.asked(name)
    at = (server.address, TLS, name)
    leaves = [reference.handshake(*at, *reference.ANYTHING, *options) for options in server.tls.leaves]
    session, alpn = reference.session(*at)
    row = rows.get(server.address, TLS, "tls", name)
    if not leaves[0].chain:
        tally.meet("NO_LEAF", who)
    elif not session.finished:
        tally.meet("NO_SESSION", who)

    outcome = "incomplete" if who in differences.PYJARM else "answered" if leaves[0].chain else "tls_alert" if leaves[0].alert else "closed"
    tally.check(who, f"outcome {outcome}", (row or {}).get("outcome"), outcome)
    chains = sorted(list(one.chain) for one in leaves if one.chain)
    tally.check(who, f"cert.sha256 as s_client ({len(chains)})", sorted(values(row, "cert.sha256")), [chain[0] for chain in chains])
    tally.check(who, f"cert.chain in order ({'+'.join(str(len(chain)) for chain in chains) or '0'})",
                sorted(values(row, "cert.chain")), chains)
    signed = {one.chain[0] for one in (*leaves, session) if one.chain and one.signed}
    for chain in chains:
        if chain[0] not in signed:
            tally.meet("UNPROVEN", who)
        proven = {facet.get("proven") is True for facet in facets(row, "cert.sha256") if facet["value"] == chain[0]}
        tally.check(who, f"cert.sha256 proven: {chain[0] in signed}", proven, {chain[0] in signed})
    agreed = (session.version, session.cipher, session.alpn) if session.finished else (None, None, None)
    said = only(row, "tls.version")
    said = (said and said.replace("TLS", "TLSv"), only(row, "tls.cipher"), only(row, "tls.alpn"))
    tally.check(who, f"session as s_client ({' '.join(filter(None, agreed)) or 'none'})", said, agreed)
    jarm(tally, who, row, pyjarm)
    inside = rows.get(server.address, TLS, "http", name, "tls")
    if session.finished:
        page(tally, who, inside, reference.page(server.folder, *at, agent, tls=True, alpn=alpn),
             lambda: reference.page(server.folder, *at, agent, tls=True, alpn=alpn))
    else:
        tally.check(who, "no page without a session", inside, None)


def jarm(tally: Tally, who: str, row: dict | None, pyjarm: str):
    said = values(row, "tls.jarm")
    if said != [pyjarm]:
        tally.meet("PYJARM", who)
    if who in differences.PYJARM:
        tally.check(who, "no tls.jarm, where pyjarm says zeros", (said, pyjarm), ([], ZERO))
        return
    tally.check(who, f"tls.jarm as pyjarm {pyjarm[:30]}", said, [pyjarm])
    reasons = [bool(facet.get("reason")) for facet in facets(row, "tls.jarm")]
    tally.check(who, "tls.jarm has a reason exactly when it is zero", reasons, [pyjarm == ZERO])


def page(tally: Tally, who: str, row: dict | None, curl: reference.Page, again):
    if curl.status is None:
        # The far side hung up inside the session, as with TLS 1.3 and a demanded client certificate.
        tally.check(who, f"no page, as curl ({curl.failure[-40:]})", (row or {}).get("outcome") == "answered", False)
        tally.check(who, "no http.status", values(row, "http.status"), [])
        return
    tally.check(who, f"http.status {curl.status} as curl", only(row, "http.status"), curl.status)
    tally.check(who, f"http.header_names as curl ({len(curl.header_names)})", only(row, "http.header_names"), list(curl.header_names))
    kind, digest = curl.digest
    if again().digest != curl.digest:
        tally.meet("VARYING_BODY", who)
        tally.check(who, "http.body_sha256 is there", len(values(row, kind)), 1)
    else:
        tally.check(who, f"{kind} as curl ({len(curl.body)} bytes)", only(row, kind), digest)


def http(tally: Tally, rows: Rows, server, agent: str):
    """One HTTP port in clear."""
    who = f"{server.name} in clear"
    row = rows.get(server.address, HTTP, "http")
    tally.check(who, "outcome answered", (row or {}).get("outcome"), "answered")
    ask = lambda: reference.page(server.folder, server.address, HTTP, None, agent, tls=False)  # noqa: E731
    page(tally, who, row, ask(), ask)


def ssh(tally: Tally, rows: Rows, server):
    """One SSH server: every key of its own files, and what `ssh-keyscan` gets of each type."""
    who = server.name
    row = rows.get(server.address, SSH, "ssh")
    own = reference.host_keys([path.read_text() for path in server.ssh.keys])
    scanned = set().union(*(reference.keyscan(server.address, SSH, kind) for kind in reference.KEYSCAN_TYPES))
    tally.check(who, "outcome answered", (row or {}).get("outcome"), "answered")
    tally.check(who, f"ssh-keyscan shows only keys of the server's files ({len(scanned)} of {len(own)})", scanned - own, set())
    missed = {key.type for key in own - scanned}
    if missed:
        tally.meet("KEYSCAN_MISSES", who)
        tally.check(who, "ssh-keyscan misses what is known", missed, differences.KEYSCAN_MISSES.get(who, (set(),))[0])
    said = {reference.HostKey(one["value"], one.get("bits"), one.get("type")) for one in facets(row, "ssh.host_key")}
    missing = facets(row, "ssh.host_key_missing")
    if missing:
        tally.meet("KEYS_NOT_HAD", who)
    not_had = differences.KEYS_NOT_HAD.get(who, (set(),))[0]
    tally.check(who, f"ssh.host_key_missing, with a reason ({len(not_had)})",
                sorted(plain_type(one["value"]) for one in missing if one.get("reason")), sorted(not_had))
    had = {key for key in own if key.type not in not_had}
    for key in sorted(had, key=lambda key: key.type):
        tally.check(who, f"ssh.host_key {key.type} {key.bits} as its file", key in said, True)
    tally.check(who, "no other ssh.host_key", said - had, set())
    tally.check(who, f"ssh.host_key all proven ({len(had)})", [one.get("proven") for one in facets(row, "ssh.host_key")], [True] * len(had))


def plain_type(algorithm: str) -> str:
    """The blob type of a host key algorithm: RSA has three names for one (RFC 8332)."""
    return "ssh-rsa" if algorithm.startswith("rsa-sha2-") else algorithm
