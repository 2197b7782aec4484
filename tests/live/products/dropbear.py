"""Dropbear: stock keys, and one unusual key alone."""

from keys import run
from street import SSH, Ssh

PROGRAM = "dropbear"


def add(street, _keys):
    def server(name, kinds, *options):
        it = street.place(f"dropbear-{name}")
        public, arguments = [], []
        for kind, bits in kinds:
            key = it.folder / f"{kind}-{bits}"
            size = () if kind == "ed25519" else ("-s", str(bits))
            shown = run("dropbearkey", "-t", kind, *size, "-f", key).splitlines()
            line = next(one for one in shown if one.startswith(("ssh-", "ecdsa-")))
            public.append(it.write(f"{key.name}.pub", line + "\n"))
            arguments += ["-r", key]
        it.ssh = Ssh(tuple(public))
        it.command = [PROGRAM, "-F", "-E", "-s", *arguments, "-P", it.folder / "pid", "-p", f"{it.address}:{SSH}", *options]

    server("stock", (("rsa", 2048), ("ecdsa", 256), ("ed25519", 256)))
    server("p521", (("ecdsa", 521),), "-j", "-k")
    server("rsa-1024", (("rsa", 1024), ("ecdsa", 384)), "-w")
