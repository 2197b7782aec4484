"""Reads a capture made by `tcpdump -i any -w`: what went over the wire, and when.

Takes the file format of libpcap (https://www.tcpdump.org/manpages/pcap-savefile.5.html) with Linux cooked headers,
version 1 (link type 113) or 2 (276), and of each packet the IPv4 and TCP headers. Nothing is skipped: a packet that is
not TCP over IPv4 comes out as one, with its protocol's name.
"""

import ipaddress
import struct
from typing import NamedTuple

SYN, RST, ACK = 0x02, 0x04, 0x10
OUTGOING = 4
ETHERTYPES = {0x0800: "IPv4", 0x0806: "ARP", 0x86DD: "IPv6"}
PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP"}


class Packet(NamedTuple):
    """One packet. `kind` is "TCP", or the name of what else it is; then ports, sequence and flags are 0."""

    at: float  # seconds since 1970
    kind: str
    outgoing: bool
    source: int  # IPv4 address as a number
    source_port: int
    to: int
    port: int
    sequence: int
    flags: int

    @property
    def opens(self):
        """True for a SYN that asks for a connection."""
        return self.kind == "TCP" and self.flags & (SYN | ACK) == SYN


def read(path):
    """All packets of the capture, in its order. Raises ValueError when the file is not such a capture."""
    with open(path, "rb") as file:
        data = file.read()
    order, fraction = {
        b"\xd4\xc3\xb2\xa1": ("<", 1e-6),
        b"\x4d\x3c\xb2\xa1": ("<", 1e-9),
        b"\xa1\xb2\xc3\xd4": (">", 1e-6),
        b"\xa1\xb2\x3c\x4d": (">", 1e-9),
    }.get(data[:4], (None, None))
    if order is None:
        raise ValueError(f"{path} is no capture")
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x0FFF_FFFF
    if link not in (113, 276):
        raise ValueError(f"{path} has link type {link}, not a Linux cooked one")
    head = struct.Struct(order + "IIII")
    packets, at = [], 24
    while at + head.size <= len(data):
        seconds, part, kept, _ = head.unpack_from(data, at)
        at += head.size
        frame = data[at : at + kept]
        if len(frame) < kept:
            raise ValueError(f"{path} ends within a packet")
        packets.append(packet(seconds + part * fraction, link, frame))
        at += kept
    return packets


def packet(at, link, frame):
    """One packet from its cooked frame."""
    if link == 276:
        (ethertype,), outgoing, rest = struct.unpack_from(">H", frame, 0), frame[10] == OUTGOING, 20
    else:
        (ethertype,), outgoing, rest = struct.unpack_from(">H", frame, 14), frame[1] == OUTGOING, 16
    if ethertype != 0x0800 or len(frame) < rest + 20:
        return Packet(at, ETHERTYPES.get(ethertype, f"ethertype {ethertype:#06x}"), outgoing, 0, 0, 0, 0, 0, 0)
    source, to = struct.unpack_from(">II", frame, rest + 12)
    protocol, length = frame[rest + 9], (frame[rest] & 15) * 4
    (fragment,) = struct.unpack_from(">H", frame, rest + 6)
    tcp = rest + length
    if protocol != 6 or fragment & 0x3FFF or len(frame) < tcp + 14:
        kind = PROTOCOLS.get(protocol, f"protocol {protocol}")
        return Packet(at, "cut TCP" if kind == "TCP" else kind, outgoing, source, 0, to, 0, 0, 0)
    source_port, port, sequence = struct.unpack_from(">HHI", frame, tcp)
    return Packet(at, "TCP", outgoing, source, source_port, to, port, sequence, frame[tcp + 13])


def connections(packets):
    """The SYNs of each connection, in order of time.

    The kernel repeats a SYN that nobody answers with the same ports and the same sequence number; a new connection,
    even one that is given the same source port again, draws a new sequence number.
    """
    found = {}
    for one in packets:
        if one.opens:
            found.setdefault((one.source, one.source_port, one.to, one.port, one.sequence), []).append(one)
    return found.values()


def first_syns(packets):
    """The SYNs that open a connection, without repeats, in order of time."""
    return sorted((syns[0] for syns in connections(packets)), key=lambda one: one.at)


def repeats(packets):
    """How often each connection's SYN was repeated."""
    return [len(syns) - 1 for syns in connections(packets)]


def number(address):
    """An IPv4 address as a number."""
    return int(ipaddress.IPv4Address(address))


def text(address):
    """A number as an IPv4 address."""
    return str(ipaddress.IPv4Address(address))


def strays(packets, services):
    """What does not belong to a conversation with one of `services`, a set of (address, port): as words, with counts."""
    found = {}
    for one in packets:
        if one.kind == "TCP":
            if (one.to, one.port) in services:
                continue
            if (one.source, one.source_port) in services and not one.opens:
                continue
            word = f"TCP {text(one.source)}:{one.source_port} to {text(one.to)}:{one.port}"
        else:
            word = f"{one.kind} {text(one.source)} to {text(one.to)}" if one.to else one.kind
        found[word] = found.get(word, 0) + 1
    return found


def most_ahead(times, rate):
    """By how many connections the busiest stretch of any length ran ahead of `rate` a second, the first one not counted.

    For all i <= j: the largest (j - i) - rate * (times[j] - times[i]).
    """
    lowest, most = float("inf"), 0.0
    for place, at in enumerate(times):
        level = place - rate * at
        lowest = min(lowest, level)
        most = max(most, level - lowest)
    return most


def rate_of(times):
    """Events a second from the first to the last of `times`."""
    return (len(times) - 1) / (times[-1] - times[0])


def most_in_a_second(times):
    """The largest number of `times` within any stretch shorter than one second."""
    first, most = 0, 0
    for place, at in enumerate(times):
        while at - times[first] >= 1.0:
            first += 1
        most = max(most, place - first + 1)
    return most
