"""Small servers for the namespaces: `servers.py PORT` reads addresses from standard input, answers every HTTP request
on each of them with one short page, and says `ready` once all listen. Runs until it is ended."""

import asyncio
import sys

PAGE = b"<title>namespace</title>"
HEAD = b"HTTP/1.1 200 OK\r\nServer: netns\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"


async def answer(reader, writer):
    """One request, one page."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD % len(PAGE) + PAGE)
        await writer.drain()
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
        pass
    finally:
        writer.close()


async def main():
    """Listens on all addresses until ended."""
    addresses = sys.stdin.read().split()
    for address in addresses:
        await asyncio.start_server(answer, address, int(sys.argv[1]), backlog=512)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
