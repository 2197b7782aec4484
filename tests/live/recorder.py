"""A listener that keeps what it is asked: hostkin and curl must send the same bytes, or their answers could not be compared."""

import socket
import subprocess
import threading

import reference

ANSWER = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"


def check(tally, hostkin, scope, folder, agent: str, address: str, port: int):
    heard = []
    with socket.create_server((address, port)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, heard), daemon=True)
        thread.start()
        subprocess.run([hostkin, "probe", f"{address}:{port}", "--scope", scope], capture_output=True, timeout=60, check=True)
        by_hostkin = list(heard)
        heard.clear()
        reference.page(folder, address, port, None, agent, tls=False)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    # hostkin asks for the favicon too, on a connection of its own; the page is its first request.
    tally.check("request", "hostkin's bytes are curl's", by_hostkin[:1], heard)


def _serve(listener: socket.socket, heard: list):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(10)
            request = b""
            while not request.endswith(b"\r\n\r\n") and (part := connection.recv(4096)):
                request += part
            heard.append(request)
            connection.sendall(ANSWER)
