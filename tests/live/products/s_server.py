"""`openssl s_server`: each version alone, Ed25519, P-521, an own cipher order, a foreign ALPN."""

from street import TLS, Tls

PROGRAM = "openssl"


def add(street, keys):
    def server(name, certificate, *options, page="-www"):
        it = street.place(f"s_server-{name}")
        it.tls = Tls()
        it.write("index.html", "<p>a file</p>\n")
        it.command = [PROGRAM, "s_server", "-accept", f"{it.address}:{TLS}", "-cert", certificate.leaf, "-key", certificate.key,
                      "-cert_chain", certificate.chain, page, *options]

    server("default", keys.rsa)
    server("tls1.0", keys.old, "-tls1", "-cipher", "ALL:@SECLEVEL=0")
    server("tls1.1", keys.old, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
    server("tls1.2", keys.rsa, "-tls1_2", "-no_ticket", "-serverpref", "-cipher", "AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256:AES128-SHA",
           page="-WWW")
    server("tls1.3", keys.p384, "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256", "-serverpref", page="-WWW")
    server("ed25519", keys.ed25519)
    server("p521", keys.p521)
    server("alpn-imap", keys.p256, "-alpn", "imap")
