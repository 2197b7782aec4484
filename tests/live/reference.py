"""What the reference tools say of a server: `openssl s_client`, `curl`, `ssh-keygen`, `ssh-keyscan` and pyjarm."""

import base64
import hashlib
import json
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from keys import run

PATIENCE = 20  # seconds one question may take
KEYSCAN_TYPES = ("rsa", "dsa", "ecdsa", "ed25519")
BODY_LIMIT = 256 * 1024  # bytes of a body that hostkin keeps (specs of request version 1)

# What hostkin's full session offers, in its order: with it `s_client` must come to the same agreement.
CIPHERS_13 = "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256"
CIPHERS_12 = ":".join(f"ECDHE-{kind}-{cipher}" for kind in ("ECDSA", "RSA")
                      for cipher in ("AES256-GCM-SHA384", "AES128-GCM-SHA256", "CHACHA20-POLY1305"))
AS_HOSTKIN = ("-min_protocol", "TLSv1.2", "-ciphersuites", CIPHERS_13, "-cipher", f"{CIPHERS_12}:@SECLEVEL=0",
              "-groups", "X25519:P-256:P-384")
# Everything this OpenSSL can, TLS 1.0 and short keys included.
ANYTHING = ("-min_protocol", "TLSv1", "-cipher", "ALL:@SECLEVEL=0", "-groups", "X25519:P-256:P-384:P-521", "-legacy_server_connect")


@dataclass(frozen=True)
class Handshake:
    """What `s_client` saw: digests of the certificates as sent, whether the server signed with the leaf's key in a way that
    binds it to this connection alone, and what was agreed on, if the handshake was finished."""

    chain: tuple
    signed: bool
    finished: bool
    version: str | None
    cipher: str | None
    alpn: str | None
    alert: bool


def handshake(address: str, port: int, name: str | None, *options: str) -> Handshake:
    """One `s_client` connection; later options outrank earlier ones."""
    sni = ("-servername", name) if name else ("-noservername",)
    done = subprocess.run(["openssl", "s_client", "-connect", f"{address}:{port}", *sni, "-showcerts", *options],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE)
    out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
    blocks = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", out, re.DOTALL)
    # `-showcerts` prints the leaf once more below the chain.
    sent = out.split("Certificate chain", 1)[-1].split("Server certificate", 1)[0].count("BEGIN CERTIFICATE")
    chain = tuple(hashlib.sha256(base64.b64decode(block)).hexdigest() for block in blocks[:sent])
    cipher = re.search(r"^New, .*, Cipher is (\S+)$", out, re.MULTILINE)
    cipher = cipher.group(1) if cipher and cipher.group(1) != "(NONE)" else None
    protocol = re.search(r"^ *Protocol *: (\S+)$", out, re.MULTILINE)
    version = None
    if cipher:
        version = "TLSv1.3" if cipher.startswith("TLS_") else protocol.group(1) if protocol else None
    alpn = re.search(r"^ALPN protocol: (.*)$", out, re.MULTILINE)
    # TLS 1.1 and older sign MD5 and SHA-1 together, or, with RSA key exchange, nothing.
    signed = "Peer signature type: " in out and not (protocol and protocol.group(1) in ("TLSv1", "TLSv1.1"))
    alert = "SSL alert number" in err
    # With TLS 1.3 the client is done before the server judges its certificate; before, a handshake with an alert is none.
    finished = cipher is not None and (version == "TLSv1.3" or not alert)
    return Handshake(chain, signed, finished, version, iana(cipher) if cipher else None,
                     alpn.group(1) if alpn else None, alert)


def session(address: str, port: int, name: str | None) -> tuple:
    """The session hostkin can have, and whether it offers ALPN: `http/1.1`, or, where that is refused, none."""
    first = handshake(address, port, name, *AS_HOSTKIN, "-alpn", "http/1.1")
    if first.finished or first.chain:
        return first, True
    return handshake(address, port, name, *AS_HOSTKIN), False


@cache
def _iana_names() -> dict:
    lines = run("openssl", "ciphers", "-stdname", "ALL:@SECLEVEL=0").splitlines()
    return {line.split()[2]: line.split()[0] for line in lines}


def iana(cipher: str) -> str:
    """The IANA name of one of OpenSSL's cipher names."""
    return _iana_names()[cipher]


@dataclass(frozen=True)
class Page:
    """What `curl` got; `status` is `None` when it got no answer."""

    status: str | None
    header_names: tuple
    body: bytes
    failure: str

    @property
    def digest(self) -> tuple:
        """Kind and value of the facet that names this body."""
        if len(self.body) > BODY_LIMIT:
            return "http.body_prefix_sha256", hashlib.sha256(self.body[:BODY_LIMIT]).hexdigest()
        return "http.body_sha256", hashlib.sha256(self.body).hexdigest()


def page(folder: Path, address: str, port: int, name: str | None, agent: str, *, tls: bool, alpn: bool = True) -> Page:
    """One `curl` with hostkin's exact request; it also takes the chunked coding apart, so that its decoder stands against ours."""
    head, body = folder / "curl.head", folder / "curl.body"
    head.unlink(missing_ok=True)
    body.unlink(missing_ok=True)
    options = ("--resolve", f"{name}:{port}:{address}") if name else ()
    options += () if alpn else ("--no-alpn",)
    done = subprocess.run(
        ["curl", "--disable", "--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*", "--max-time", str(PATIENCE),
         "--user-agent", agent, "--header", "Connection: close", *options, "--dump-header", str(head), "--output", str(body),
         f"{'https' if tls else 'http'}://{name or address}:{port}/"],
        capture_output=True, text=True, timeout=PATIENCE + 5)
    lines = head.read_bytes().decode("latin-1").replace("\r\n", "\n").split("\n") if head.exists() else []
    status = lines[0].split()[1] if lines and lines[0].startswith("HTTP/") else None
    names = tuple(line.split(":", 1)[0].strip() for line in lines[1:] if ":" in line)
    return Page(status, names, body.read_bytes() if body.exists() else b"", done.stderr.strip())


@dataclass(frozen=True)
class HostKey:
    """A host key as `ssh-keygen -lf` prints it, with the type its blob states."""

    fingerprint: str
    bits: int
    type: str


def host_keys(lines: list[str]) -> set:
    """Of public key lines `type base64 …`."""
    keys = set()
    for line in lines:
        done = subprocess.run(["ssh-keygen", "-lf", "-"], input=line + "\n", capture_output=True, text=True, timeout=PATIENCE, check=True)
        bits, fingerprint = done.stdout.split()[:2]
        keys.add(HostKey(fingerprint, int(bits), line.split()[0]))
    return keys


def keyscan(address: str, port: int, kind: str) -> set:
    """What `ssh-keyscan -t` of one type gets."""
    done = subprocess.run(["ssh-keyscan", "-T", str(PATIENCE), "-t", kind, "-p", str(port), address],
                          capture_output=True, text=True, timeout=PATIENCE + 5)
    return host_keys([line.split(None, 1)[1] for line in done.stdout.splitlines() if line.strip() and not line.startswith("#")])


def jarms(python: str, targets: list) -> list:
    """pyjarm's JARM of each `(asked as, address, port)`."""
    here = Path(__file__).parent
    done = subprocess.run([python, "-B", here / "pyjarm_scan.py"], input=json.dumps(targets), capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        raise RuntimeError(f"pyjarm did not run under {python} (the variable PYTHON names it):\n{done.stderr}")
    return json.loads(done.stdout)
