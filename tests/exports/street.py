"""Servers that put tricks into every field: a provider's hosts that all speak so, on loopback."""

import asyncio
import contextlib
import ssl
import subprocess
import threading
from pathlib import Path

NETWORK = "127.76.7"
HTTP, TLS, SSH = 18080, 18443, 18022
HOSTS = range(1, 9)
LONG_TITLE = 8  # this host's title is a megabyte

# Formulas (plain and full-width), markup, terminal escapes, bidi, zero width, NUL, bytes that are not UTF-8, header and nft
# syntax, a mail address, template syntax.
TRICKS = (b"=cmd|'/C calc'!A0 \xef\xbc\x9d1+1 <script>alert(1)</script><svg onload=alert(2)> \x1b[2J\x1b]0;x\x07"
          b" \xe2\x80\xaeevil\xe2\x80\x8b \x00 \xff\xfe \"; route 0.0.0.0/0 blackhole; # --x ${7*7} {{7*7}} jo@example.org \\ ]]> -->")
SUBJECT = "/O==HYPERLINK(\"http:\\/\\/e.example\")/CN=<img src=x onerror=alert(1)>\u202egnp\u200b"


class Street:
    """Runs until closed; one thread, one event loop."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.loop = asyncio.new_event_loop()
        self.servers = []

    def __enter__(self):
        key, cert = self.folder / "key.pem", self.folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30",
                        "-utf8", "-subj", SUBJECT, "-addext", "subjectAltName=DNS:a.example,DNS:*.b.example,email:jo@example.org"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        for last in HOSTS:
            for port, speak, tls in ((HTTP, self.http, None), (TLS, self.http, context), (SSH, self.ssh, None)):
                start = asyncio.start_server(speak, f"{NETWORK}.{last}", port, ssl=tls)
                self.servers.append(self.loop.run_until_complete(start))
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def http(self, reader, writer):
        """A page whose every part is a trick, and that tells the visitor's address."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            host = writer.get_extra_info("sockname")[0]
            visitor = writer.get_extra_info("peername")[0].encode()
            title = TRICKS + b" you are " + visitor
            if host.endswith(f".{LONG_TITLE}"):
                title = b"=" * (1 << 20) + title
            body = b"<html><title>" + title + b"</title><p>one two three four five six seven eight</html>"
            line = TRICKS.replace(b"\x00", b"")
            head = [b"HTTP/1.1 200 OK", b"Server: " + line, b"X-<svg/onload=alert(1)>: " + line, b"=1+1: a", b"Set-Cookie: " + line + b"=1",
                    b"ETag: \"" + line + b"\"", b"Location: javascript:alert(1)//" + line, b"WWW-Authenticate: Basic realm=\"" + line + b"\"",
                    b"Content-Type: text/html", b"Content-Length: %d" % len(body), b"Connection: close"]
            writer.write(b"\r\n".join(head) + b"\r\n\r\n" + body)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def ssh(self, reader, writer):
        """Only an identification line."""
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(b"SSH-2.0-=1+1 <b>\x1b[31m\xe2\x80\xae\xff jo@example.org\r\n")
            await writer.drain()
            await asyncio.wait_for(reader.read(256), 5)
        with contextlib.suppress(OSError):
            writer.close()
