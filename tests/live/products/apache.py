"""Apache: TLS 1.2 and 1.3, named hosts only, client certificates, a login page."""

from keys import DOMAIN
from street import HTTP, TLS, Tls

PROGRAM = "apache2"
MODULES = ("mpm_event", "authz_core", "authz_host", "authn_core", "authn_file", "authz_user", "auth_basic", "dir",
           "mime", "headers", "alias", "autoindex", "setenvif", "http2", "socache_shmcb", "ssl")


def add(street, keys):
    def server(name, https, http="", *, tls=Tls()):
        it = street.place(f"apache-{name}")
        it.tls, it.http = tls, bool(http)
        it.write("www/index.html", f"<html><head><title>{name}</title></head><body>{'It works. ' * 20}</body></html>\n")
        load = [f"LoadModule {one}_module /usr/lib/apache2/modules/mod_{one}.so" for one in MODULES]
        hosts = [f"<VirtualHost {it.address}:{TLS}>\nSSLEngine on\n{host}\n</VirtualHost>" for host in https]
        if http:
            hosts.append(f"Listen {it.address}:{HTTP}\n<VirtualHost {it.address}:{HTTP}>\n{http}\n</VirtualHost>")
        config = it.write("apache.conf", "\n".join([
            *load, f"ServerRoot {it.folder}", f"ServerName {name}.{DOMAIN}", f"PidFile {it.folder}/pid",
            f"DefaultRuntimeDir {it.folder}", "User www-data", "Group www-data", "ErrorLog /dev/stderr",
            "StartServers 1", "ServerLimit 1", "ThreadLimit 16", "ThreadsPerChild 16", "MaxRequestWorkers 16",
            "MinSpareThreads 1", "MaxSpareThreads 16", "TypesConfig /etc/mime.types", "SSLSessionCache none",
            f"DocumentRoot {it.folder}/www", f"<Directory {it.folder}/www>", "Require all granted", "</Directory>",
            f"Listen {it.address}:{TLS}", *hosts,
        ]) + "\n")
        it.command = [PROGRAM, "-D", "FOREGROUND", "-f", config]

    def certificate(one):
        return f"SSLCertificateFile {one.chain}\nSSLCertificateKeyFile {one.key}"

    server("stock", [certificate(keys.rsa)], "Header set X-Trailing-Space yes")
    server("h2-own-order",
           [f"{certificate(keys.p384)}\nProtocols h2 http/1.1\nSSLProtocol TLSv1.2\nSSLHonorCipherOrder on\n"
            "SSLCipherSuite ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305"],
           "<Location />\nAuthType Basic\nAuthName \"Panel of the lab\"\nAuthUserFile /dev/null\nRequire valid-user\n</Location>")
    server("strict-sni",
           [f"ServerName nobody.{DOMAIN}\n{certificate(keys.rsa_whole)}\nSSLStrictSNIVHostCheck on",
            f"ServerName apache.{DOMAIN}\n{certificate(keys.p256)}\nSSLStrictSNIVHostCheck on"],
           tls=Tls(names=(None, f"apache.{DOMAIN}")))
    server("client-certificate",
           [f"{certificate(keys.demanding[1])}\nSSLCACertificateFile {keys.client_ca.leaf}\nSSLVerifyClient require\nSSLSessionTickets off"])
