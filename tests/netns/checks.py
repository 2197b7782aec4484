"""The checks: each makes its scan, captures it whole, and says what the wire shows."""

import random
import sys
import time

import wire
from program import Case, Street, scope, serve, wait_for

WINDOW = 65_536  # hosts that may be outstanding: WINDOW in src/cli/scan.rs


class Verdicts:
    """What was checked and how it went, one line each."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, holds, what, figures=""):
        """One line; false ones fail the run."""
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok    ' if holds else 'FAILED'} {what}{': ' if figures else ''}{figures}", flush=True)


def addresses(network, size):
    """`size` addresses from `network` on, as texts."""
    first = wire.number(network)
    return [wire.text(first + place) for place in range(size)]


def numbered(services):
    """Services as the wire has them."""
    return {(wire.number(address), port) for address, port in services}


def sample(found, most=3):
    """The first few of many, for a line."""
    found = sorted(found)
    return ", ".join(map(str, found[:most])) + (f" and {len(found) - most} more" if len(found) > most else "")


def cost(summary):
    """What a scan took."""
    return (f"{summary['seconds']:.1f} s, {summary['cpu_seconds']:.1f} CPU s, "
            f"{summary['peak_rss_bytes'] / 1e6:.0f} MB at most")


def only_the_scope(verdicts, name, packets, permitted, summary):
    """Every packet belongs to a permitted service, and every connection counted is on the wire."""
    strays = wire.strays(packets, permitted)
    verdicts.check(packets and not strays, f"{name}: nothing outside the scope",
                   f"{len(packets)} packets, {sum(strays.values())} strays {sample(strays)}".rstrip())
    first = wire.first_syns(packets)
    again = wire.repeats(packets)
    verdicts.check(len(first) == summary["connections"], f"{name}: as many connections on the wire as the summary says",
                   f"{len(first)} on the wire ({sum(again)} repeated SYNs beside), {summary['connections']} in the summary")
    verdicts.check(max(again, default=0) <= 1, f"{name}: no SYN repeated more than once")
    return first


def strays_are_seen(verdicts, space, folder):
    """The judge can fail: what is sent on purpose beside a scope is found, and nothing else."""
    script = ("import socket\n"
              "for port in (81, 82):\n"
              "    try: socket.create_connection(('127.88.0.1', port), 1)\n"
              "    except OSError: pass\n"
              "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'?', ('127.88.0.1', 53))\n")
    with space.capture(folder / "control.pcap"):
        space.call([sys.executable, "-c", script])
    packets = wire.read(folder / "control.pcap")
    strays = wire.strays(packets, numbered({("127.88.0.1", 81)}))
    kinds = sorted(word.split()[0] for word in strays)
    verdicts.check(kinds == ["ICMP", "TCP", "TCP", "UDP"] and len(wire.first_syns(packets)) == 2,
                   "control: a port, a datagram and its ICMP error beside the scope are seen", ", ".join(kinds))


def a_whole_20(verdicts, program, space, folder):
    """A /20 with the street in it, with exclusions, without limits: all live services found, nothing else touched."""
    with Street(program, space, folder) as street:
        ports = {"tls": [8443], "http": [8080], "ssh": [2222]}
        inside = {address for address in addresses("127.77.16.0", 4096)}
        live = {one for one in street.services() if one[0] in inside}
        alive = sorted({address for address, _ in live}, key=wire.number)
        opted_out, excluded = alive[0], ["127.77.17.0/25", "127.77.24.0/24", alive[-1] + "/32"]
        (folder / "opt-out.txt").write_text(f"# asked us to stay away\n{opted_out}\n")
        without = {opted_out, alive[-1], *addresses("127.77.17.0", 128), *addresses("127.77.24.0", 256)}
        permitted = {(address, port) for address in inside - without for port in (8443, 8080, 2222)}
        path = scope(folder / "whole.toml", ["127.77.16.0/20"], ports, excluded, ["opt-out.txt"])
        case = Case(program, space, folder / "whole.case", path)
        with space.capture(folder / "whole.pcap"):
            summary = case.scan()
        packets = wire.read(folder / "whole.pcap")
        verdicts.check(summary["complete"] and summary["hosts"] == len(inside - without),
                       "/20: all hosts asked that the scope permits", f"{summary['hosts']} hosts; {cost(summary)}")
        first = only_the_scope(verdicts, "/20", packets, numbered(permitted), summary)
        asked = {(one.to, one.port) for one in first}
        verdicts.check(asked == numbered(permitted), "/20: every permitted service asked, no excluded one",
                       f"{len(asked)} of {len(permitted)}")
        found = {(address, port) for address, port, over_tls in case.heard() if not over_tls}
        expected = live & permitted
        verdicts.check(found == expected, "/20: every live service found, and no other",
                       f"{len(found & expected)} of {len(expected)}" + (
                           f", missed {sample(expected - found)}, invented {sample(found - expected)}"
                           if found != expected else ""))
        verdicts.check(all(count == 1 for count in case.heard().values()), "/20: one row for each service")


def beyond(program, here, there):
    """The far side of the wire: in each /24 from 198.18.64.0 on, .0 to .127 exist and one in eight of them serves a
    page on port 80, the others refuse; .128 to .255 swallow what comes."""
    networks = [wire.text(wire.number("198.18.64.0") + place * 256) for place in range(32)]
    there.call(["ip", "route", "add", "local", "198.18.64.0/19", "dev", "lo"])
    for network in networks:
        there.call(["ip", "route", "add", "blackhole", f"{network.removesuffix('.0')}.128/25", "table", "local"])
    live = [address for network in networks for address in addresses(network, 128)[3::8]]
    serve(there, live, 80)
    return set(live)


PLAIN = ("--only", "http", "--favicon", "off")


def steady_rate(verdicts, program, space, folder, live, rate, network, size):
    """A scan at `rate` a second over silent, refusing and live addresses."""
    permitted = numbered((address, 80) for address in addresses(network, 1 << (32 - size)))
    found_all, gains = True, []
    # A machine that is busy with something else may cost a run its pace, so that alone is tried again.
    for attempt in range(3):
        path = scope(folder / f"rate{rate}.toml", [f"{network}/{size}"], {"http": [80]})
        case = Case(program, space, folder / f"rate{rate}-{attempt}.case", path)
        with space.capture(folder / "rate.pcap"):
            summary = case.scan(*PLAIN, "--rate", rate, first=True)
        packets = wire.read(folder / "rate.pcap")
        first = only_the_scope(verdicts, f"{rate}/s", packets, permitted, summary)
        times = [one.at for one in first]
        ahead = wire.most_ahead(times, rate)
        verdicts.check(ahead <= rate * 0.010 + 1e-6, f"{rate}/s: never above rate x time + 10 ms + 1",
                       f"{ahead:.2f} ahead at most, {rate * 0.010:.0f} permitted")
        steady = [at for at in times if at >= times[0] + 0.5]
        reached = wire.rate_of(steady)
        gains.append(100 * (reached / rate - 1))
        expected = {address for address in live if (wire.number(address), 80) in permitted}
        found_all &= {address for address, _, _ in case.heard()} == expected
        if abs(gains[-1]) <= 1:
            break
    verdicts.check(abs(gains[-1]) <= 1, f"{rate}/s: reached within 1 %", ", ".join(f"{gain:+.2f} %" for gain in gains))
    verdicts.check(found_all, f"{rate}/s: every live service found", f"{len(expected)}; {cost(summary)}")


def narrow_limits(verdicts, program, space, folder):
    """Limits of hosts and networks, over the street, whose hosts cost some fifteen connections each: in three networks
    all hosts are asked, so that the network's limit binds, and in the others two of each, so that the host's does."""
    per_network, per_host, in_all = 20, 4, 12
    with Street(program, space, folder) as street:
        live = sorted({host["address"] for host in street.truth if host["answers"]}, key=wire.number)
        by_network = {}
        for address in live:
            by_network.setdefault(wire.number(address) >> 8, []).append(address)
        groups = list(by_network.values())
        asked = [address for group in groups[:3] for address in group]
        asked += [address for group in groups[3:] for address in group[:2]]
        path = scope(folder / "narrow.toml", ["127.77.0.0/16"], {"tls": [8443], "http": [8080], "ssh": [2222]},
                     per_network_per_second=per_network, per_host_per_second=per_host, per_host_connections=in_all)
        targets = folder / "narrow.txt"
        targets.write_text("\n".join(asked))
        case = Case(program, space, folder / "narrow.case", path)
        with space.capture(folder / "narrow.pcap"):
            summary = case.scan("--targets", targets, first=True)
    permitted = numbered((address, port) for address in asked for port in (8443, 8080, 2222))
    first = only_the_scope(verdicts, "narrow limits", wire.read(folder / "narrow.pcap"), permitted, summary)
    by_network, by_host = grouped(first, 8), grouped(first, 0)
    most = max(map(wire.most_in_a_second, by_network.values()))
    verdicts.check(most == per_network, f"{per_network}/s for each /24: held in every second, and reached", f"{most} at most")
    most = max(map(wire.most_in_a_second, by_host.values()))
    verdicts.check(most == per_host, f"{per_host}/s for each host: held in every second, and reached", f"{most} at most")
    most = max(map(len, by_host.values()))
    verdicts.check(most == in_all, f"{in_all} connections for each host in all: held, and reached", f"{most} at most")
    # The busiest network has work all the time up to its last few hosts: is its allowance used?
    times = max(by_network.values(), key=len)
    reached = wire.rate_of(times[: len(times) * 3 // 4])
    verdicts.check(reached >= per_network * 0.97, f"{per_network}/s for each /24: used to 97 % while there is work",
                   f"{reached:.2f}/s; {cost(summary)}")


def grouped(first, bits):
    """Times by destination without its last `bits`."""
    groups = {}
    for one in first:
        groups.setdefault(one.to >> bits, []).append(one.at)
    return groups


def limits_together(verdicts, program, space, folder):
    """The usual proportion of the limits, over sixteen /24s: the run's limit binds, the networks' nearly."""
    rate, per_network = 400, 40
    path = scope(folder / "both.toml", ["198.18.64.0/20"], {"http": [80]},
                 connections_per_second=rate, per_network_per_second=per_network, per_host_per_second=4)
    case = Case(program, space, folder / "both.case", path)
    with space.capture(folder / "both.pcap"):
        summary = case.scan(*PLAIN, first=True)
    permitted = numbered((address, 80) for address in addresses("198.18.64.0", 4096))
    first = only_the_scope(verdicts, "limits together", wire.read(folder / "both.pcap"), permitted, summary)
    times = [one.at for one in first]
    ahead = wire.most_ahead(times, rate)
    verdicts.check(ahead <= rate * 0.010 + 1e-6, f"{rate}/s with {per_network}/s for each /24: neither is exceeded",
                   f"{ahead:.2f} ahead at most, {rate * 0.010:.0f} permitted")
    most = max(map(wire.most_in_a_second, grouped(first, 8).values()))
    verdicts.check(most <= per_network, f"{per_network}/s for each /24: held in every second", f"{most} at most")
    reached = wire.rate_of(times[: len(times) * 3 // 4])
    verdicts.check(reached >= rate * 0.97, f"{rate}/s: used to 97 % nevertheless", f"{reached:.1f}/s; {cost(summary)}")


def opt_out(verdicts, program, space, folder):
    """Half of the range opts out while it is scanned: within a second nothing new goes there. Then the list breaks: within
    a second nothing is sent at all; and once it is mended the scan goes on at its rate, without making up for the wait."""
    rate, half = 400, {wire.number(address) for address in addresses("198.18.72.0", 2048)}
    opted_out = folder / "live-opt-out.txt"
    opted_out.write_text("")
    path = scope(folder / "opt.toml", ["198.18.64.0/20"], {"http": [80]}, (), [opted_out.name])
    case = Case(program, space, folder / "opt.case", path)
    moments = []
    with space.capture(folder / "opt.pcap"):
        child = case.begin(*PLAIN, "--rate", rate, first=True)
        for text in ("198.18.72.0/21\n", "198.18.72.0/21\nthis is no address\n", "198.18.72.0/21\n"):
            time.sleep(2.5)
            opted_out.write_text(text)
            moments.append(time.time())
        summary = case.end(child)
    written, broken, mended = moments
    packets = wire.read(folder / "opt.pcap")
    permitted = numbered((address, 80) for address in addresses("198.18.64.0", 4096))
    first = only_the_scope(verdicts, "opt-out", packets, permitted, summary)
    times = [one.at for one in first]
    before = sum(one.to in half and one.at < written for one in first)
    late = max((one.at - written for one in first if one.to in half), default=0)
    others = sum(written + 1 < at < broken for at in times)
    verdicts.check(before > 100 and others > 100 and late <= 1, "opt-out: a line added while the scan runs holds within a second",
                   f"{before} connections there before, the last {max(late, 0) * 1000:.0f} ms after; {others} elsewhere went on")
    trail = max((one.at - written for one in packets if one.to in half), default=0)
    verdicts.check(trail <= 1 + 1.5, "opt-out: what was under way ends within the 1.5 s that a connection may take",
                   f"last packet there {trail:.2f} s after")
    late = max((at - broken for at in times if at < mended), default=0)
    verdicts.check(late <= 1, "opt-out: a list that breaks stops everything within a second",
                   f"last connection {max(late, 0) * 1000:.0f} ms after")
    after = [at for at in times if at >= mended]
    ahead = wire.most_ahead(times, rate)
    verdicts.check(len(after) > 100 and ahead <= rate * 0.010 + 1e-6, "opt-out: a mended list brings no burst",
                   f"{len(after)} connections from {(after or [mended])[0] - mended:.2f} s after; "
                   f"{ahead:.2f} ahead at most, {rate * 0.010:.0f} permitted")
    verdicts.check(summary["complete"], "opt-out: the scan ends as done", cost(summary))


def says_no(verdicts, program, here, there, folder):
    """A router answers "administratively prohibited" for one /24: it is not asked any more. One that only
    says "unreachable" is asked to the end."""
    there.call(["ip", "address", "add", "198.18.0.2/32", "dev", "s0"])
    there.call(["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit"])
    there.call(["ip", "route", "add", "prohibit", "198.18.112.0/24"])
    there.call(["ip", "route", "add", "unreachable", "198.18.113.0/24"])
    path = scope(folder / "no.toml", ["198.18.112.0/23"], {"http": [80]})
    case = Case(program, here, folder / "no.case", path)
    with here.capture(folder / "no.pcap"):
        summary = case.scan(*PLAIN, "--rate", 200)
    first = wire.first_syns(wire.read(folder / "no.pcap"))
    forbidden = {wire.number(address) for address in addresses("198.18.112.0", 256)}
    asked = sum(one.to in forbidden for one in first)
    verdicts.check(0 < asked <= 10, "a network that says no is not asked any more", f"{asked} of its 256 were")
    verdicts.check(len(first) - asked == 256, "one that only cannot be reached is", f"{len(first) - asked} of 256")
    withheld = summary["outcomes"].get("unreachable")
    verdicts.check(withheld == 256 - asked, "who was not asked for that is counted", f"{withheld} unreachable")


def scattered(network, size, count, seed):
    """`count` addresses of a range of `size`, the same for the same seed."""
    return sorted(random.Random(seed).sample(addresses(network, size), count), key=wire.number)


def a_whole_16(verdicts, program, space, folder):
    """65,536 addresses without limits, few alive: memory, recall, time."""
    live = scattered("127.90.0.0", 65_536, 300, 1)
    serve(space, live, 8080)
    path = scope(folder / "wide.toml", ["127.90.0.0/16"], {"http": [8080]})
    case = Case(program, space, folder / "wide.case", path)
    with space.capture(folder / "wide.pcap"):
        summary = case.scan(*PLAIN)
    permitted = numbered((address, 8080) for address in addresses("127.90.0.0", 65_536))
    first = only_the_scope(verdicts, "/16", wire.read(folder / "wide.pcap"), permitted, summary)
    found = {address for address, _, _ in case.heard()}
    verdicts.check(found == set(live) and len(first) == 65_536, "/16: every live service found, every address asked once",
                   f"{len(found & set(live))} of {len(live)}; {len(first)} connections")
    verdicts.check(summary["peak_rss_bytes"] < 300e6, "/16: under 300 MB", f"{cost(summary)}, "
                   f"{summary['hosts'] / summary['seconds']:.0f} hosts a second")


def killed(verdicts, program, space, folder):
    """kill -9 in the middle of a scan; going on asks again what was asked and not committed, and nobody else.
    The servers of `a_whole_16` still stand."""
    live = set(scattered("127.90.0.0", 65_536, 300, 1))
    path = scope(folder / "killed.toml", ["127.90.0.0/16"], {"http": [8080]})
    case = Case(program, space, folder / "killed.case", path)
    with space.capture(folder / "killed1.pcap"):
        child = case.begin(*PLAIN, "--rate", 15_000)
        wait_for("the middle of the scan", lambda: child.poll() is not None or 15_000 < case.done())
        case.kill(child)
    done = case.done()
    with space.capture(folder / "killed2.pcap"):
        summary = case.scan(*PLAIN)
    permitted = numbered((address, 8080) for address in addresses("127.90.0.0", 65_536))
    packets = wire.read(folder / "killed1.pcap")
    verdicts.check(not wire.strays(packets, permitted), "kill -9: nothing outside the scope before it", f"{len(packets)} packets")
    before = {one.to for one in wire.first_syns(packets)}
    after = [one.to for one in only_the_scope(verdicts, "resumed", wire.read(folder / "killed2.pcap"), permitted, summary)]
    again = before & set(after)
    verdicts.check(15_000 < done < 65_536 and len(again) == len(before) - done <= WINDOW,
                   "resumed: asked again is only what was asked and not committed",
                   f"{len(before)} asked, {done} committed at the kill, {len(again)} asked again; window {WINDOW}")
    verdicts.check(len(before | set(after)) == 65_536 and len(after) == len(set(after)) and summary["complete"],
                   "resumed: everybody asked, nobody twice after the kill", f"{len(after)} asked after it")
    rows = case.heard()
    verdicts.check({key[0] for key in rows} == live and all(count == 1 for count in rows.values()),
                   "resumed: every live service has one row", f"{len(rows)} of {len(live)}")
