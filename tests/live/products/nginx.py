"""nginx: chains, h2, two certificates, strict SNI, client certificates, TLS 1.0, odd cipher orders and curves."""

from keys import DOMAIN
from street import HTTP, TLS, Tls

PROGRAM = "nginx"


def add(street, keys):
    def certificate(one):
        return f"ssl_certificate {one.chain}; ssl_certificate_key {one.key};"

    def server(name, *blocks, tls=Tls()):
        it = street.place(f"nginx-{name}")
        it.tls, it.http = tls, any("listen CLEAR" in block for block in blocks)
        it.write("www/index.html", f"<html><head><title>{name}</title></head><body>{'Welcome. ' * 30}</body></html>\n")
        for number in range(40):
            it.write(f"www/list/file-{number}", "x" * number)
        it.write("www/large/index.html", "<p>A long page.</p>\n" * 20_000)  # 400 kB: more than hostkin reads
        listen = (("listen TLS", f"listen {it.address}:{TLS} ssl"), ("listen CLEAR", f"listen {it.address}:{HTTP}"))
        for short, full in listen:
            blocks = [block.replace(short, full) for block in blocks]
        temporary = [f"{one}_temp_path {it.folder}/{one};" for one in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")]
        config = it.write("nginx.conf", "\n".join([
            f"daemon off; worker_processes 1; user root; pid {it.folder}/pid; events {{ }}",
            f"http {{ access_log off; root {it.folder}/www; default_type text/html;", *temporary, *(f"server {{ {block} }}" for block in blocks), "}",
        ]))
        it.command = [PROGRAM, "-p", it.folder, "-e", "stderr", "-c", config]

    server("stock", f"listen TLS; {certificate(keys.rsa)}", "listen CLEAR;")
    server("h2",
           f"listen TLS http2; {certificate(keys.p256)} "
           "add_header Set-Cookie 'PHPSESSID=1'; add_header X-pOWERED-bY lab; add_header Set-Cookie 'b=2';",
           f"listen CLEAR; return 301 https://www.{DOMAIN}/elsewhere;")
    # Listings are made as they are sent, so they come in chunks.
    server("two-certificates",
           f"listen TLS; {certificate(keys.rsa_whole)} {certificate(keys.p384)} location / {{ autoindex on; alias www/list/; }}",
           "listen CLEAR; location / { alias www/large/; }",
           tls=Tls(leaves=(("-tls1_2", "-cipher", "aRSA:@SECLEVEL=0"), ("-tls1_2", "-cipher", "aECDSA:@SECLEVEL=0"))))
    server("strict-sni",
           "listen TLS default_server; ssl_reject_handshake on;",
           f"listen TLS; server_name nginx.{DOMAIN}; {certificate(keys.rsa_disorder)}",
           tls=Tls(names=(None, f"nginx.{DOMAIN}")))
    server("client-certificate",
           f"listen TLS; {certificate(keys.demanding[0])} ssl_client_certificate {keys.client_ca.leaf}; "
           "ssl_protocols TLSv1.2 TLSv1.3; ssl_verify_client on; ssl_session_tickets off;")
    server("tls1.0", f"listen TLS; {certificate(keys.old)} ssl_protocols TLSv1; ssl_ciphers DEFAULT:@SECLEVEL=0;")
    server("odd-ciphers",
           f"listen TLS; {certificate(keys.p256)} ssl_protocols TLSv1.2; ssl_prefer_server_ciphers on; return 204; "
           "ssl_ciphers ECDHE-ECDSA-AES256-CCM:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-CAMELLIA256-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256;")
    server("p384-share", f"listen TLS; {certificate(keys.rsa)} ssl_protocols TLSv1.3; ssl_ecdh_curve secp384r1;")  # HelloRetryRequest
    server("p521-share", f"listen TLS; {certificate(keys.rsa)} ssl_protocols TLSv1.2 TLSv1.3; ssl_ecdh_curve secp521r1;")
