#!/usr/bin/env python3
"""Full-size files of public data, made up, and what it costs to take them in.

    tables.py prefixes FILE [COUNT]      a prefix-to-AS table, four fifths IPv4 (default 1,000,000)
    tables.py rib FILE [MEGABYTES]       an MRT RIB of 40 peers, that large when unpacked (default 1,024), gzip
    tables.py measure FOLDER             makes both there, imports each into a fresh case, prints CPU seconds and memory

Addresses and numbers are drawn at random and mean nobody. HOSTKIN names another program than target/release/hostkin.
"""

import gzip
import ipaddress
import os
import pathlib
import random
import struct
import subprocess
import sys

PEERS = 40
ASES = 75_000


def prefixes(count, draw):
    """Distinct prefixes, four fifths IPv4, in address order; lengths as in real tables (most are /24 and /48)."""
    v4, v6 = set(), set()
    while len(v4) < count * 4 // 5:
        length = draw.choices((24, 23, 22, 21, 20, 19, 18, 17, 16, 14, 12), (60, 10, 11, 4, 4, 3, 2, 1, 2, 1, 1))[0]
        v4.add((draw.randrange(1 << 24, 224 << 24) >> (32 - length) << (32 - length), length))
    while len(v6) < count - len(v4):
        length = draw.choices((48, 44, 40, 36, 32, 29), (50, 10, 10, 5, 20, 5))[0]
        top = (0x2001 << 112) + draw.randrange(0xBFF << 112)
        v6.add((top >> (128 - length) << (128 - length), length))
    return sorted(v4), sorted(v6)


def table(path, count):
    draw = random.Random(1)
    v4, v6 = prefixes(count, draw)
    with open(path, "w") as out:
        for many, kind in ((v4, ipaddress.IPv4Address), (v6, ipaddress.IPv6Address)):
            for address, length in many:
                out.write(f"{kind(address)}\t{length}\t{draw.randrange(1, ASES)}\n")


def entries(draw, peers, middles):
    """The forty entries of one origin: a path of three to six hops for each peer, and what else routers send along."""
    origin = draw.randrange(1, ASES)
    chain = [draw.choice(middles) for _ in range(draw.randrange(1, 4))]
    all_entries = []
    for place, peer in enumerate(peers):
        hops = [peer, draw.choice(middles[:20]), *chain, origin]
        path = struct.pack("!BB", 2, len(hops)) + b"".join(struct.pack("!I", hop) for hop in hops)
        communities = draw.randbytes(8)
        attributes = (
            b"\x40\x01\x01\x00\x50\x02" + struct.pack("!H", len(path)) + path
            + b"\x40\x03\x04" + draw.randbytes(4) + b"\xc0\x08\x08" + communities
        )
        all_entries.append(struct.pack("!HIH", place, draw.randrange(1 << 31), len(attributes)) + attributes)
    return struct.pack("!H", PEERS) + b"".join(all_entries)


def rib(path, megabytes):
    draw = random.Random(2)
    peers = [draw.randrange(1, ASES) for _ in range(PEERS)]
    middles = [draw.randrange(1, ASES) for _ in range(2_000)]
    origins = [entries(draw, peers, middles) for _ in range(8_000)]
    head = lambda subtype, body: struct.pack("!IHHI", 1_790_000_000, 13, subtype, len(body)) + body
    index = struct.pack("!IHH", 1, 0, PEERS) + b"".join(b"\x02" + bytes(8) + struct.pack("!I", peer) for peer in peers)
    written = 0
    v4, _ = prefixes(megabytes * 700, draw)
    with gzip.open(path, "wb", compresslevel=1) as out:
        out.write(head(1, index))
        for sequence, (address, length) in enumerate(v4):
            if written >= megabytes << 20:
                break
            octets = struct.pack("!I", address)[: (length + 7) // 8]
            body = struct.pack("!IB", sequence, length) + octets + draw.choice(origins)
            written += out.write(head(2, body))
        else:
            sys.exit("too few prefixes for that size")


def measure(folder):
    root = pathlib.Path(__file__).resolve().parents[2]
    program = os.environ.get("HOSTKIN", root / "target/release/hostkin")
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, make, words in (
        ("prefixes.pfx2as", lambda path: table(path, 1_000_000), "a table of a million prefixes"),
        ("rib.mrt.gz", lambda path: rib(path, 1_024), "an MRT RIB of 1 GB unpacked"),
    ):
        file, case = folder / name, folder / f"{name}.case"
        if not file.exists():
            make(file)
        case.unlink(missing_ok=True)
        subprocess.run([program, "-q", "new", case, "--scope", root / "scopes/lab.toml"], check=True)
        command = [program, "data", "import", case, file, "--date", "2026-01-01"]
        child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        said = child.stderr.read().strip()
        _, status, usage = os.wait4(child.pid, 0)
        if status != 0:
            sys.exit(said)
        cpu = usage.ru_utime + usage.ru_stime
        print(f"{words}: {cpu:.1f} CPU s, {usage.ru_maxrss / 1024:.0f} MB at most, case {case.stat().st_size / 1e6:.0f} MB: {said}")
        load = subprocess.Popen([program, "-q", "plan", case], stdout=subprocess.DEVNULL)
        _, _, usage = os.wait4(load.pid, 0)
        print(f"  plan with it: {usage.ru_utime + usage.ru_stime:.2f} CPU s, {usage.ru_maxrss / 1024:.0f} MB at most", flush=True)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prefixes", path, *count]:
            table(path, int(count[0]) if count else 1_000_000)
        case ["rib", path, *size]:
            rib(path, int(size[0]) if size else 1_024)
        case ["measure", folder]:
            measure(folder)
        case _:
            sys.exit(__doc__)
