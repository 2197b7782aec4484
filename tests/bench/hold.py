"""Slow servers, in the server namespace.

    hold.py PORT LOW HIGH     a proxy to port 443 that holds every reply back LOW to HIGH milliseconds
    hold.py PORT              accepts and never says a word
"""

import asyncio
import random
import resource
import sys


async def pump(reader, writer, low, high):
    try:
        while data := await reader.read(65536):
            if high:
                await asyncio.sleep(random.uniform(low, high) / 1000)
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def proxy(reader, writer):
    try:
        there, to = await asyncio.open_connection("127.0.0.1", 443)
    except OSError:
        writer.close()
        return
    low, high = float(sys.argv[2]), float(sys.argv[3])
    await asyncio.gather(pump(reader, to, 0, 0), pump(there, writer, low, high))


async def silent(reader, writer):
    try:
        while await reader.read(4096):
            pass
    except OSError:
        pass
    finally:
        writer.close()


async def main():
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    handle = proxy if len(sys.argv) == 4 else silent
    server = await asyncio.start_server(handle, "0.0.0.0", int(sys.argv[1]), backlog=65535)
    async with server:
        await server.serve_forever()


asyncio.run(main())
