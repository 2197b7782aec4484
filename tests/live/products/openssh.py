"""OpenSSH: stock, old algorithms alone, large groups, one curve, and only the post-quantum key exchange."""

from pathlib import Path

from keys import run
from street import SSH, Ssh

PROGRAM = "sshd"


def add(street, _keys):
    Path("/run/sshd").mkdir(exist_ok=True)  # compiled in; the init script that makes it has not run

    def server(name, kinds, *lines):
        it = street.place(f"openssh-{name}")
        made = []
        for kind, bits in kinds:
            key = it.folder / f"{kind}-{bits}"
            run("ssh-keygen", "-q", "-N", "", "-t", kind, "-b", str(bits), "-C", it.name, "-f", key)
            made.append(key)
        it.ssh = Ssh(tuple(key.with_suffix(".pub") for key in made))
        config = it.write("sshd_config", "\n".join([
            f"ListenAddress {it.address}:{SSH}", *(f"HostKey {key}" for key in made), f"PidFile {it.folder}/pid",
            "UsePAM no", "PasswordAuthentication no", "AuthorizedKeysFile none", *lines,
        ]) + "\n")
        it.command = ["/usr/sbin/sshd", "-D", "-e", "-f", config]

    ecdsa = (("ecdsa", 256), ("ecdsa", 384), ("ecdsa", 521))
    server("stock", (("rsa", 3072), ("ecdsa", 256), ("ed25519", 256)))
    server("legacy", (("rsa", 1024), ("dsa", 1024), *ecdsa),
           "KexAlgorithms diffie-hellman-group1-sha1,diffie-hellman-group14-sha1", "Ciphers 3des-cbc,aes128-cbc", "MACs hmac-sha1",
           "HostKeyAlgorithms ssh-rsa,ssh-dss,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521", "RequiredRSASize 1024")
    server("finite-field", (("rsa", 4096), *ecdsa), "KexAlgorithms diffie-hellman-group18-sha512,diffie-hellman-group16-sha512")
    server("group-exchange", (("rsa", 2048), ("ed25519", 256)), "KexAlgorithms diffie-hellman-group-exchange-sha256")
    server("p521-kex", (("ecdsa", 521), ("ed25519", 256)), "KexAlgorithms ecdh-sha2-nistp521")
    server("post-quantum", (("rsa", 2048), ("ecdsa", 256), ("ed25519", 256)), "KexAlgorithms sntrup761x25519-sha512@openssh.com")
