"""stunnel before an nginx of the street: stock, and TLS 1.2 with client certificates."""

from street import HTTP, TLS, Tls

PROGRAM = "stunnel4"


def add(street, keys):
    behind = next(server for server in street.servers if server.name == "nginx-stock")

    def server(name, *lines):
        it = street.place(f"stunnel-{name}")
        it.tls = Tls()
        config = it.write("stunnel.conf", "\n".join([
            "foreground = yes", "pid =", "syslog = no", "[page]", f"accept = {it.address}:{TLS}",
            f"connect = {behind.address}:{HTTP}", *lines,
        ]) + "\n")
        it.command = [PROGRAM, config]

    server("stock", f"cert = {keys.rsa.chain}", f"key = {keys.rsa.key}")
    server("client-certificate-1.2", f"cert = {keys.demanding[5].chain}", f"key = {keys.demanding[5].key}", "sslVersionMax = TLSv1.2",
           f"CAfile = {keys.client_ca.leaf}", "verifyChain = yes", "options = NO_TICKET")
