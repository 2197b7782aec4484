"""Two network namespaces on a veth pair, real servers in one, the client under measurement in the other.

    client  c0 198.19.255.1/24  --  s0 198.19.255.2/24  server
            198.18.0.0/16 via the server, which answers for every address of it

Before anything else a blackhole route for 198.18.0.0/15 (set aside for benchmarks, RFC 2544) is laid outside, and left
there: a client started in the wrong place meets a wall, not the default route. Everything else is taken down again:
programs by the process ids they were started with, namespaces by name.
"""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RANGE = "198.18.0.0/16"
FIRST = "198.18.0.0"
PACKAGES = {"ip": "iproute2", "nginx": "nginx-light", "sshd": "openssh-server", "ssh-keygen": "openssh-client",
            "openssl": "openssl", "nft": "nftables", "ethtool": "ethtool", "cc": "gcc libc6-dev"}
PAGE = "<!doctype html><title>range</title><p>one real server behind every address of this range</p>\n"

NGINX = """
user root; daemon off; worker_processes 1; worker_rlimit_nofile {files}; pid {state}/nginx.pid; error_log {state}/nginx.err crit;
events {{ worker_connections {files}; multi_accept on; }}
http {{
  access_log off; types {{ text/html html; }}
  client_body_temp_path {state}/tmp; proxy_temp_path {state}/tmp; fastcgi_temp_path {state}/tmp;
  uwsgi_temp_path {state}/tmp; scgi_temp_path {state}/tmp;
  ssl_certificate {state}/cert.pem; ssl_certificate_key {state}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
  server {{ listen 0.0.0.0:80 backlog=65535; listen 0.0.0.0:443 ssl backlog=65535; root {state}/www; }}
}}
"""

# Many connections that never log in, from one address: without these lines sshd would turn them away. Its accept queue
# (128) cannot be set: that bounds how many connections to it can be begun at once.
SSHD = """
ListenAddress 0.0.0.0
Port 22
HostKey {state}/host_ed25519
HostKey {state}/host_rsa
PidFile none
MaxStartups 20000
PerSourceMaxStartups none
LoginGraceTime 20
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication no
LogLevel QUIET
"""

# Settings that would otherwise be what is measured.
SETTINGS = {
    "net/ipv6/conf/all/disable_ipv6": "1",
    "net/core/somaxconn": "65535",
    "net/ipv4/tcp_max_syn_backlog": "65535",
    # What lies above is for discovery by SYN.
    "net/ipv4/ip_local_port_range": "1024 61439",
    "net/ipv4/tcp_max_tw_buckets": "262144",
    "net/ipv4/icmp_ratelimit": "0",
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/tcp_fin_timeout": "5",
}


def demand():
    """Ends the program when it is not root or a tool is missing."""
    if os.geteuid() != 0:
        sys.exit("tests/bench needs root: it makes network namespaces of its own")
    missing = sorted({package for tool, package in PACKAGES.items() if shutil.which(tool) is None})
    if missing:
        sys.exit(f"tests/bench needs these packages: apt-get install --no-install-recommends {' '.join(missing)}")


def sh(*command, **more):
    """Runs a command to its end; a failure ends the benchmark."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.returncode}")
    return done.stdout


class Range:
    """The pair of namespaces. `live` addresses of the range answer (all, if None); the rest drop in silence."""

    def __init__(self, state, live=None, seed=1):
        self.state = Path(state)
        self.client, self.server = f"hkb-c-{os.getpid()}", f"hkb-s-{os.getpid()}"
        self.children = []
        addresses = [f"198.18.{n // 256}.{n % 256}" for n in range(65536)]
        self.live = addresses if live is None else sorted(random.Random(seed).sample(addresses, live))
        self.dense = live is None

    def __enter__(self):
        try:
            self._wire()
            self._serve()
            if not self.dense:
                self._silence()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for child in reversed(self.children):
            end(child)
        for name in (self.client, self.server):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)

    def inside(self, *command):
        """The command line that runs `command` as a client."""
        return ["ip", "netns", "exec", self.client, *map(str, command)]

    def serve(self, *command):
        """Starts a server on the other side; it is ended with the range, or by `end`."""
        whole = ["ip", "netns", "exec", self.server, *map(str, command)]
        child = subprocess.Popen(whole, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 start_new_session=True)
        self.children.append(child)
        return child

    def router(self):
        """The server side's hardware address, for programs that make their own frames."""
        return sh("ip", "netns", "exec", self.server, "cat", "/sys/class/net/s0/address").strip()

    def counters(self):
        """Connections begun by the kernel, and packets and bytes on the wire as the client side counts them."""
        text = sh(*self.inside("cat", "/proc/net/snmp", "/proc/net/dev"))
        tcp = [line.split()[1:] for line in text.splitlines() if line.startswith("Tcp:")]
        opens = int(dict(zip(*tcp))["ActiveOpens"])
        heard = re.search(r"c0:(.*)", text).group(1).split()
        return {"connections": opens, "rx_bytes": int(heard[0]), "rx_packets": int(heard[1]),
                "tx_bytes": int(heard[8]), "tx_packets": int(heard[9])}

    def _wire(self):
        sh("ip", "route", "replace", "blackhole", "198.18.0.0/15")
        for name in (self.client, self.server):
            sh("ip", "netns", "add", name)
            # Some settings of the machine as a whole are not to be had inside; what the kernel refuses stays as it is.
            words = "; ".join(f"echo {value!r} >/proc/sys/{key}" for key, value in SETTINGS.items())
            subprocess.run(["ip", "netns", "exec", name, "sh", "-c", words], capture_output=True, check=False)
            sh("ip", "-n", name, "link", "set", "lo", "up")
        client, server = self.client, self.server
        sh("ip", "-n", client, "link", "add", "c0", "type", "veth", "peer", "name", "s0", "netns", server)
        for name, link, address in ((client, "c0", "198.19.255.1/24"), (server, "s0", "198.19.255.2/24")):
            sh("ip", "-n", name, "link", "set", link, "txqueuelen", "10000")
            sh("ip", "-n", name, "addr", "add", address, "dev", link)
            sh("ip", "-n", name, "link", "set", link, "up")
            # So that the counters count packets as a wire would carry them.
            sh("ip", "netns", "exec", name, "ethtool", "-K", link, "tso", "off", "gso", "off", "gro", "off")
        sh("ip", "-n", client, "route", "add", RANGE, "via", "198.19.255.2", "dev", "c0")
        sh("ip", "-n", server, "route", "add", "local", RANGE, "dev", "lo")

    def _serve(self):
        state = self.state
        for folder in ("www", "tmp"):
            (state / folder).mkdir(parents=True, exist_ok=True)
        (state / "www/index.html").write_text(PAGE)
        if not (state / "cert.pem").exists():
            sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-days", "30", "-subj", "/O=Range/CN=dense.range.test", "-addext", "subjectAltName=DNS:dense.range.test",
               "-keyout", state / "key.pem", "-out", state / "cert.pem")
            for kind in ("ed25519", "rsa"):
                sh("ssh-keygen", "-q", "-t", kind, "-N", "", "-f", state / f"host_{kind}")
        files = min(65536, int(sh("sh", "-c", "ulimit -H -n").strip().replace("unlimited", "65536")))
        (state / "nginx.conf").write_text(NGINX.format(state=state, files=files))
        (state / "sshd_config").write_text(SSHD.format(state=state))
        self.serve("nginx", "-c", state / "nginx.conf", "-e", state / "nginx.err", "-p", state)
        Path("/run/sshd").mkdir(exist_ok=True)
        # -r: no new program image for each connection, so that one core serves a few hundred of them a second.
        self.serve(shutil.which("sshd"), "-D", "-r", "-f", state / "sshd_config")
        for port in (22, 80, 443):
            self.wait_for(port)

    def wait_for(self, port):
        """Waits until a server listens on the port."""
        for _ in range(100):
            if f":{port} " in sh("ip", "netns", "exec", self.server, "ss", "-Hltn"):
                return
            time.sleep(0.1)
        raise RuntimeError(f"no server on port {port}")

    def _silence(self):
        rules = f"""table ip range {{
          set live {{ type ipv4_addr; elements = {{ {", ".join(self.live)} }} }}
          chain before {{ type filter hook prerouting priority raw; policy accept;
            iif != "s0" accept
            ip daddr 198.19.255.0/24 accept
            ip daddr @live accept
            drop
          }}
        }}"""
        sh("ip", "netns", "exec", self.server, "nft", "-f", "-", input=rules)


class Loopback:
    """The servers' own loopback, where a client meets every address of 127.0.0.0/8."""

    def __init__(self, place):
        self.server = place.server

    def inside(self, *command):
        """The command line that runs `command` beside the servers."""
        return ["ip", "netns", "exec", self.server, *map(str, command)]

    def counters(self):
        """Nothing goes over a wire."""
        return {}

    def refuse_but(self, network, part):
        """Of this network only this part answers on port 80; the rest refuses."""
        rules = f"""flush ruleset
        table ip few {{
          chain in {{ type filter hook input priority 0; policy accept;
            tcp dport 80 ip daddr {network} ip daddr != {part} reject with tcp reset
          }}
        }}"""
        sh(*self.inside("nft", "-f", "-"), input=rules)


def end(child):
    """Ends a program that was started here, with what it started."""
    if child.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(child.pid, number)
                child.wait(5)
                return
            except ProcessLookupError:
                return
            except subprocess.TimeoutExpired:
                continue
