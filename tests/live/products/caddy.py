"""Caddy (Go's TLS): stock, and TLS 1.2 with client certificates and one named host."""

from keys import DOMAIN
from street import HTTP, TLS, Tls

PROGRAM = "caddy"


def add(street, keys):
    def server(name, site, certificate, more, *, http=False, tls=Tls()):
        it = street.place(f"caddy-{name}")
        it.tls, it.http = tls, http
        it.write("www/index.html", f"<html><head><title>{name}</title></head><body>{'Go. ' * 60}</body></html>\n")
        lines = [
            "{", "admin off", "auto_https off", f"storage file_system {it.folder}/storage", "default_bind " + it.address, "}",
            f"https://{site}:{TLS} {{", f"tls {certificate.chain} {certificate.key} {more}", f"root * {it.folder}/www", "file_server", "}",
        ]
        if http:
            lines += [f"http://:{HTTP} {{", "header X-Lab clear", "respond \"not here\" 404", "}"]
        it.environment = {"HOME": str(it.folder), "XDG_DATA_HOME": str(it.folder), "XDG_CONFIG_HOME": str(it.folder)}
        it.command = [PROGRAM, "run", "--adapter", "caddyfile", "--config", it.write("Caddyfile", "\n".join(lines) + "\n")]

    server("stock", "", keys.rsa, "", http=True)
    server("named-client-certificate", f"caddy.{DOMAIN}", keys.demanding[4],
           f"{{\nprotocols tls1.2 tls1.2\nclient_auth {{\nmode require_and_verify\ntrusted_ca_cert_file {keys.client_ca.leaf}\n}}\n}}",
           tls=Tls(names=(None, f"caddy.{DOMAIN}")))
    server("p256-share", "", keys.p256, "{\ncurves secp256r1\nprotocols tls1.3\n}")
