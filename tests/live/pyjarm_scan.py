"""Runs pyjarm, unchanged, under the interpreter that has it. In: JSON `[[asked as, address, port], …]`; out: the hashes in order.

pyjarm sends the text it is given as SNI and resolves it itself; a name of the street resolves here to its address.
"""

import asyncio
import json
import logging
import socket
import sys
import time

from jarm.scanner.scanner import Scanner

AT_ONCE = 4  # servers at a time; pyjarm itself opens two connections to each
PATIENCE = 8  # seconds; pyjarm's own 20 would only make the wait for the silent server longer
TRIES = 3  # at 62 zeros: one reset loses pyjarm all ten (specs 1.5), and a reset may be a race; a time-out is none


async def main():
    targets = json.load(sys.stdin)
    addresses = {asked_as: address for asked_as, address, _ in targets}
    resolve = socket.getaddrinfo
    socket.getaddrinfo = lambda host, *rest, **more: resolve(addresses.get(host, host), *rest, **more)
    logging.disable(logging.CRITICAL)
    turn = asyncio.Semaphore(AT_ONCE)

    async def scan(asked_as, port):
        async with turn:
            for _ in range(TRIES):
                began = time.monotonic()
                jarm, _, _ = await Scanner.scan_async(asked_as, port, timeout=PATIENCE, proxy="ignore", suppress=True)
                if jarm.strip("0") or time.monotonic() - began >= PATIENCE:
                    break
            return jarm

    print(json.dumps(await asyncio.gather(*(scan(asked_as, port) for asked_as, _, port in targets))))


asyncio.run(main())
