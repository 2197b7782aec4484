"""The street: server programs as children of this one, each on a loopback address of its own."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

NETWORK = "127.78.0.0/24"
TLS, HTTP, SSH = 8443, 8080, 2222
PATIENCE = 30  # seconds a server may take to answer


@dataclass(frozen=True)
class Tls:
    """What is to be asked of a TLS port: under which names, and with which `s_client` options one leaf each."""

    names: tuple = (None,)
    leaves: tuple = ((),)


@dataclass(frozen=True)
class Ssh:
    """What an SSH server was given: its public host key files."""

    keys: tuple


@dataclass
class Server:
    """One server program with one configuration."""

    name: str
    address: str
    folder: Path
    command: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    tls: Tls | None = None
    http: bool = False
    ssh: Ssh | None = None
    process: subprocess.Popen | None = None

    @property
    def product(self) -> str:
        return self.name.split("-", 1)[0]

    @property
    def ports(self) -> list:
        return [port for port, there in ((TLS, self.tls), (HTTP, self.http), (SSH, self.ssh)) if there]

    def asked(self, name: str | None) -> str:
        """What the server is called when it is asked by this name."""
        return f"{self.name} {name}" if name else self.name

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def log(self) -> str:
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


class Street:
    """Places servers, starts them, and ends what it started, whatever happens."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.servers: list[Server] = []

    def place(self, name: str) -> Server:
        """A server with the next address and a folder, to be configured by the caller."""
        folder = self._folder / name
        folder.mkdir()
        server = Server(name, self.next_address(), folder)
        self.servers.append(server)
        return server

    def next_address(self) -> str:
        """The first address that is nobody's yet."""
        return f"127.78.0.{len(self.servers) + 1}"

    def __enter__(self):
        return self

    def start(self):
        for server in self.servers:
            with open(server.folder / "log", "wb") as log:
                server.process = subprocess.Popen(
                    [str(one) for one in server.command],
                    cwd=server.folder, env={**os.environ, **server.environment}, start_new_session=True,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                )
        for server in self.servers:
            for port in server.ports:
                self._await(server, port)

    def _await(self, server: Server, port: int):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if server.process.poll() is not None:
                raise RuntimeError(f"{server.name} ended with {server.process.returncode}:\n{server.log()}")
            try:
                socket.create_connection((server.address, port), timeout=2).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{server.name} does not answer on {server.address}:{port}:\n{server.log()}")

    def dead(self) -> list:
        """Servers that are no longer running."""
        return [server for server in self.servers if server.process.poll() is not None]

    def __exit__(self, *_):
        started = [server.process for server in self.servers if server.process]
        for how, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 3)):
            for process in started:
                # The group is the child's own: it was made its leader, and holds nothing but its workers.
                try:
                    os.killpg(process.pid, how)
                except ProcessLookupError:
                    pass
            end = time.monotonic() + patience
            for process in started:
                try:
                    process.wait(max(0.0, end - time.monotonic()))
                except subprocess.TimeoutExpired:
                    pass
