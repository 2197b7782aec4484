#!/usr/bin/env python3
"""Packets per CPU second of discovery by SYN, beside zmap and masscan where they are installed.

The same wire for all, in network namespaces of this script's own; behind it 198.19.0.0/16 is a black hole, every address of
it. Each sends 983,040 SYNs (15 to each address) as fast as it goes, in turn, ROUNDS times (default 3). What is counted is
processor time, user and system, of the whole program until it has ended, start and cool-down included, and hostkin's storing
of every answer that did not come. The packets are those that left the wire's near end. masscan does not always end by
itself: it is interrupted a second after its last packet, and its time until that last packet counts.

Needs root, iproute2, and a release build (or HOSTKIN).
"""

import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "netns"))

import syn  # noqa: E402

PORTS = range(1, 16)
PACKETS = syn.SIZE * len(PORTS)


def sent(world):
    """Packets that left our end of the wire."""
    return int(world.call(world.here, "cat", "/sys/class/net/c0/statistics/tx_packets"))


def ticks(pid):
    """Processor seconds of a running process and its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(world, command, to_the_end):
    """(packets, CPU seconds) of one program."""
    before = sent(world)
    child = subprocess.Popen(["ip", "netns", "exec", world.here, *map(str, command)],
                             stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    last, quiet, cpu, until = before, 0, 0.0, time.monotonic() + 120
    if not to_the_end:
        while child.poll() is None and time.monotonic() < until and (quiet < 5 or last - before < PACKETS // 2):
            time.sleep(0.2)
            now = sent(world)
            quiet = quiet + 1 if now == last else 0
            if quiet == 0:
                cpu = ticks(child.pid)
            last = now
        child.send_signal(signal.SIGINT)
        time.sleep(0.5)
        child.kill()
    _, _, usage = os.wait4(child.pid, 0)
    child.returncode = 0
    return sent(world) - before, (usage.ru_utime + usage.ru_stime) if to_the_end else cpu


def compare(hostkin, rounds, say):
    """(packets a CPU second, packets, CPU seconds) of each round of each program, in turn."""
    with tempfile.TemporaryDirectory(prefix="hostkin-bench-") as place, syn.World() as world:
        folder = pathlib.Path(place)
        # A hardware address that is nobody's: the far end drops each frame at once, so that its work is not charged to the
        # senders.
        gone = "\n".join(f"route del local {syn.text(address)}/32 dev lo" for address in sorted(world.live)) + "\n"
        syn.run(["ip", "-netns", world.there, "-batch", "-"], input=gone)
        gateway = "02:00:00:00:00:99"
        world.call(world.here, "ip", "neigh", "replace", "198.18.0.2", "lladdr", gateway, "dev", "c0", "nud", "permanent")
        (folder / "none").write_text("192.0.2.0/24\n")
        ports = f"{PORTS[0]}-{PORTS[-1]}"
        runs = {"hostkin": None}
        if shutil.which("zmap"):
            runs["zmap"] = ["timeout", "100", "zmap", "-q", "-p", "80", "-P", len(PORTS), "-r", "0", "-T", "1", "-c", "1", "-i", "c0",
                            "-S", "198.18.0.1", "-G", gateway, "-b", folder / "none", "-o", folder / "zmap.out", "198.19.0.0/16"]
        if shutil.which("masscan"):
            runs["masscan"] = ["masscan", "198.19.0.0/16", "-p", ports, "--rate", "10000000", "--wait", "1", "-e", "c0",
                               "--router-mac", gateway, "--source-ip", "198.18.0.1"]
        results = {name: [] for name in runs}
        for number in range(rounds):
            for name, command in runs.items():
                if name == "hostkin":
                    case = syn.Case(world, hostkin, folder, f"bench-{number}", ports=PORTS)
                    command = [hostkin, "-q", "scan", case.path, "--discovery", "syn", "--favicon", "off"]
                packets, cpu = measure(world, command, name != "masscan")
                results[name].append((packets / cpu, packets, cpu))
                say(f"  packets {number + 1}/{rounds} {name}: {packets} packets, {cpu:.2f} CPU s, "
                    f"{packets / cpu:,.0f} a CPU second, load {os.getloadavg()[0]:.1f}")
    return results


def table(results):
    """The rounds as Markdown."""
    middle = {name: statistics.median(each for each, _, _ in runs) for name, runs in results.items()}
    lines = ["### Discovery by SYN: packets a CPU second", "",
             "| program | packets a CPU second (range) | hostkin is so many times that | packets | CPU s |",
             "| --- | --- | --- | --- | --- |"]
    for name, runs in results.items():
        each = [one for one, _, _ in runs]
        lines.append(f"| {name} | **{middle[name]:,.0f}** ({min(each):,.0f}–{max(each):,.0f}) "
                     f"| {middle['hostkin'] / middle[name]:.2f} | {statistics.median(sent for _, sent, _ in runs):,.0f} "
                     f"| {statistics.median(cpu for _, _, cpu in runs):.2f} |")
    rounds = len(results["hostkin"])
    return "\n".join([*lines, "", f"{PACKETS:,} SYNs to addresses that never answer, as fast as each program goes, {rounds} runs in "
                      "turn; whole processes, hostkin's cool-down and storing included, masscan up to its last packet.", ""])


def main():
    """One table."""
    named = os.environ.get("HOSTKIN")
    hostkin = pathlib.Path(named).resolve() if named else syn.ROOT / "target/release/hostkin"
    print(table(compare(hostkin, int(os.environ.get("ROUNDS", "3")), lambda text: print(text, file=sys.stderr, flush=True))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
