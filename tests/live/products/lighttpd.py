"""lighttpd with OpenSSL: stock, and TLS 1.3 alone with client certificates."""

from street import HTTP, TLS, Tls

PROGRAM = "lighttpd"


def add(street, keys):
    def server(name, ssl, *, http=False):
        it = street.place(f"lighttpd-{name}")
        it.tls, it.http = Tls(), http
        it.write("www/index.html", f"<html><head><title>{name}</title></head><body>{'Light. ' * 40}</body></html>\n")
        config = it.write("lighttpd.conf", "\n".join([
            f'server.document-root = "{it.folder}/www"', f'server.bind = "{it.address}"', f"server.port = {TLS}",
            'server.modules = ("mod_openssl")', 'index-file.names = ("index.html")', 'mimetype.assign = (".html" => "text/html")',
            'ssl.engine = "enable"', ssl,
            f'$SERVER["socket"] == "{it.address}:{HTTP}" {{ ssl.engine = "disable" }}' if http else "",
        ]) + "\n")
        it.command = [PROGRAM, "-D", "-f", config]

    server("stock", f'ssl.pemfile = "{keys.rsa.pem}"', http=True)
    server("client-certificate-1.3", "\n".join([
        f'ssl.pemfile = "{keys.demanding[3].pem}"', f'ssl.ca-file = "{keys.client_ca.leaf}"',
        'ssl.verifyclient.activate = "enable"', 'ssl.verifyclient.enforce = "enable"',
        'ssl.openssl.ssl-conf-cmd = ("MinProtocol" => "TLSv1.3", "Options" => "-SessionTicket")',
    ]))
    server("odd-ciphers", "\n".join([
        f'ssl.pemfile = "{keys.rsa_whole.pem}"',
        'ssl.openssl.ssl-conf-cmd = ("MaxProtocol" => "TLSv1.2", "Options" => "ServerPreference", '
        '"CipherString" => "DHE-RSA-AES256-SHA256:ECDHE-RSA-AES128-SHA:ECDHE-RSA-AES256-GCM-SHA384")',
    ]))
