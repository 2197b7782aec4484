"""Keys and certificates of the street, made with the `openssl` command at each run; nothing is kept."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

DOMAIN = "example.test"  # never a real one (RFC 6761); every certificate covers every name in it

RSA = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")
RSA_1024 = ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
P256 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
P384 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
P521 = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521")
ED25519 = ("-algorithm", "ED25519")


@dataclass(frozen=True)
class Certificate:
    """Files of one certificate: its key, itself, what a server sends (`chain`), and key and chain in one (`pem`)."""

    key: Path
    leaf: Path
    chain: Path
    pem: Path


class Keys:
    """Every certificate of the street, by what it is for."""

    def __init__(self, folder: Path):
        self._folder = folder
        folder.mkdir()
        root = self._issue("root", RSA, None, ca=True)
        middle = self._issue("middle", RSA, root, ca=True)
        self.client_ca = self._issue("client-ca", P256, None, ca=True)
        self.rsa = self._issue("rsa", RSA, middle, sends=(middle,))
        self.rsa_whole = self._issue("rsa-whole", RSA, middle, sends=(middle, root))
        # A chain in the wrong order, as careless operators have it: the root before the certificate that it signed.
        self.rsa_disorder = self._issue("rsa-disorder", RSA, middle, sends=(root, middle))
        self.p256 = self._issue("p256", P256, None)
        self.p384 = self._issue("p384", P384, middle, sends=(middle,))
        self.p521 = self._issue("p521", P521, None)
        self.ed25519 = self._issue("ed25519", ED25519, None)
        self.old = self._issue("old", RSA_1024, None, version_1=True)
        # One each for the servers that demand a client's certificate, so that no two servers share a leaf.
        algorithms = (RSA, RSA, P384, P256, RSA, P384)
        self.demanding = [self._issue(f"demanding-{n}", one, middle, sends=(middle,)) for n, one in enumerate(algorithms)]

    def _issue(self, name, algorithm, issuer, *, ca=False, sends=(), version_1=False) -> Certificate:
        at = self._folder / name
        made = Certificate(*(at.with_suffix(end) for end in (".key", ".crt", ".chain", ".pem")))
        request = at.with_suffix(".csr")
        run("openssl", "genpkey", *algorithm, "-out", made.key)
        subject = f"/O=Live street/CN={name}.{DOMAIN}" if not ca else f"/O=Live street/CN={name}"
        run("openssl", "req", "-new", "-key", made.key, "-subj", subject, "-out", request)
        signer = ("-CA", issuer.leaf, "-CAkey", issuer.key, "-CAcreateserial") if issuer else ("-signkey", made.key)
        extensions = ()
        if not version_1:
            file = at.with_suffix(".ext")
            kind = "basicConstraints=critical,CA:TRUE" if ca else f"subjectAltName=DNS:*.{DOMAIN},DNS:{name}.{DOMAIN}"
            file.write_text(f"{kind}\nsubjectKeyIdentifier=hash\n")
            extensions = ("-extfile", file)
        digest = "-sha1" if version_1 else "-sha256"
        if "ED25519" in algorithm:
            digest = ""  # it has its own
        arguments = ("openssl", "x509", "-req", "-in", request, *signer, "-days", "30", digest, *extensions, "-out", made.leaf)
        run(*(one for one in arguments if one))
        made.chain.write_text("".join(one.leaf.read_text() for one in (made, *sends)))
        made.pem.write_text(made.key.read_text() + made.chain.read_text())
        return made


def run(*command) -> str:
    """Runs a command that must succeed; its standard output."""
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
