"""HAProxy: strict SNI, client certificates on TLS 1.3 alone, RSA key exchange, and a filter before another server."""

from keys import DOMAIN
from street import HTTP, TLS, Tls

PROGRAM = "haproxy"


def add(street, keys):
    def server(name, bind, https, http="", *, tls=Tls()):
        it = street.place(f"haproxy-{name}")
        it.tls, it.http = tls, bool(http)
        page = it.write("page.html", f"<title>{name}</title><p>{'Served by a balancer. ' * 15}</p>\n")
        lines = [
            "global", "  maxconn 64", "  nbthread 1", "  tune.ssl.default-dh-param 2048",
            "defaults", "  mode http", "  timeout client 20s", "  timeout connect 5s", "  timeout server 20s",
            "frontend https", f"  bind {it.address}:{TLS} ssl {bind}", f"  http-request {https.replace('PAGE', str(page))}",
        ]
        if http:
            lines += ["frontend http", f"  bind {it.address}:{HTTP}", f"  http-request {http.replace('PAGE', str(page))}"]
        it.command = [PROGRAM, "-db", "-f", it.write("haproxy.cfg", "\n".join(lines) + "\n")]

    page = "return status 200 content-type text/html file PAGE hdr X-Lab 1"
    server("stock", f"crt {keys.rsa.pem}", page, f"redirect location https://www.{DOMAIN}/")
    server("strict-sni", f"crt {keys.rsa_disorder.pem} strict-sni alpn h2,http/1.1", page, "deny deny_status 403",
           tls=Tls(names=(None, f"haproxy.{DOMAIN}")))
    server("client-certificate-1.3",
           f"crt {keys.demanding[2].pem} ca-file {keys.client_ca.leaf} verify required ssl-min-ver TLSv1.3 no-tls-tickets", page)
    server("rsa-key-exchange", f"crt {keys.rsa_whole.pem} ssl-max-ver TLSv1.2 ciphers AES128-SHA256:AES256-SHA:AES128-SHA", page)
    holding_back(street)


def holding_back(street):
    """HAProxy that passes TLS on unopened, but keeps the hellos of TLS 1.1 waiting: one of JARM's ten is never answered."""
    behind = next(server for server in street.servers if server.name == "nginx-stock")
    it = street.place("haproxy-holds-tls1.1")
    it.tls = Tls()
    it.command = [PROGRAM, "-db", "-f", it.write("haproxy.cfg", "\n".join([
        "global", "  nbthread 1", "defaults", "  mode tcp", "  timeout client 60s", "  timeout connect 5s", "  timeout server 60s",
        "frontend tls", f"  bind {it.address}:{TLS}", "  tcp-request inspect-delay 60s",
        "  tcp-request content accept if { req.ssl_hello_type 1 } !{ req.ssl_ver 3.2 }",
        "  tcp-request content reject if WAIT_END",  # decides nothing before the delay is over
        "  default_backend behind", "backend behind", f"  server one {behind.address}:{TLS}",
    ]) + "\n")]
