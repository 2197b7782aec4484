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
    if os.environ.get("SPLIT"):
        print(f"  user {usage.ru_utime:.2f} s, system {usage.ru_stime:.2f} s", flush=True)
    return sent(world) - before, (usage.ru_utime + usage.ru_stime) if to_the_end else cpu


def main():
    """One table."""
    named = os.environ.get("HOSTKIN")
    hostkin = pathlib.Path(named).resolve() if named else syn.ROOT / "target/release/hostkin"
    rounds = int(os.environ.get("ROUNDS", "3"))
    with tempfile.TemporaryDirectory(prefix="hostkin-bench-") as place, syn.World() as world:
        folder = pathlib.Path(place)
        # A hardware address that is nobody's: the far end drops each frame at once, so that its work is not charged to the
        # senders. FAR=1 lets its routing table drop them instead.
        gone = "\n".join(f"route del local {syn.text(address)}/32 dev lo" for address in sorted(world.live)) + "\n"
        syn.run(["ip", "-netns", world.there, "-batch", "-"], input=gone)
        far = world.call(world.there, "cat", "/sys/class/net/s0/address").strip()
        gateway = far if os.environ.get("FAR") else "02:00:00:00:00:99"
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
                print(f"{name:8} {packets:8} packets, {cpu:5.2f} CPU s, {packets / cpu:9.0f} a CPU second, "
                      f"load {os.getloadavg()[0]:.1f}", flush=True)
    own = statistics.median(each for each, _, _ in results["hostkin"])
    for name, all_runs in results.items():
        median = statistics.median(each for each, _, _ in all_runs)
        print(f"{name:8} median {median:9.0f} packets a CPU second; hostkin is {own / median:.2f} times that")
    return 0


if __name__ == "__main__":
    sys.exit(main())
