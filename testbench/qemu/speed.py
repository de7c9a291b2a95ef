#!/usr/bin/env python3
"""Speed beside QEMU's own e1000e: the same guest, a TAP with vnet_hdr, in turns.

Usage: speed.py [--rounds 5] [--seconds 3] [--guest 6.1] [--json FILE]
Exit codes: 0 measured (however it came out), 1 a measurement failed, 77 the machine cannot run it.

A ratio above 1 says that the model is better. Only ratios of one run mean something: the guest
is emulated, and the load of this machine is in every number. CPU seconds are those of QEMU; the
server's stand beside them.
"""
import argparse
import itertools
import json
import os
import pathlib
import re
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "ladder"))
from bench import GUEST, HOST, PREFIX, Ladder, Missing, Problem, Row, enter_namespace  # noqa: E402

NICS = ("model", "builtin")
TICKS = os.sysconf("SC_CLK_TCK")
# Key, what it is, unit, whether more is better.
MEASURES = (
    ("tcp_out", "TCP guest to host", "Mb/s", True),
    ("tcp_in", "TCP host to guest", "Mb/s", True),
    ("udp_out", "UDP of 64 bytes, guest to host", "kpps", True),
    ("ping", "ping -f, average", "us", False),
    ("cpu_out", "QEMU's CPU per Gbit out", "s", False),
    ("cpu_in", "QEMU's CPU per Gbit in", "s", False),
)
BESIDE = (("server_out", "the server's CPU per Gbit out", "s"),
          ("server_in", "the server's CPU per Gbit in", "s"))


def cpu_seconds(process):
    """User and system time of a child, all its threads."""
    if process is None:
        return 0.0
    text = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
    fields = text[text.rindex(")") + 2:].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait_for_listener(port, seconds=10):
    """A connection to try would be the one that `iperf3 -s -1` serves: the kernel is asked."""
    listening = re.compile(rf":{port:04X} \S+ 0A ")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if any(listening.search(pathlib.Path(f"/proc/net/{name}").read_text())
               for name in ("tcp", "tcp6")):
            return
        time.sleep(0.02)
    raise Problem(f"iperf3 does not listen on port {port}")


def iperf(row, guest, words, seconds, ports=itertools.count(5201)):
    """Runs iperf3 in the guest against this side: its report, CPU of QEMU and of the server."""
    port = next(ports)
    server = row.host.start("iperf3", "-s", "-1", "-p", port)
    session = guest.session
    wait_for_listener(port)
    before = cpu_seconds(session.guest), cpu_seconds(session.server)
    text = guest.out(f"iperf3 -c {HOST} -p {port} -t {seconds} -J {words}", seconds + 60)
    after = cpu_seconds(session.guest), cpu_seconds(session.server)
    server.wait(10)
    return json.loads(text)["end"], after[0] - before[0], after[1] - before[1]


def measure(row, seconds):
    """All measures of one guest."""
    found = {}
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}") as guest:
        if not guest.has_link():
            raise Problem("the link did not come up")
        guest.out(f"ping -q -c 5 -i 0.1 {HOST}")
        for key, words in (("out", ""), ("in", "-R")):
            report, cpu, server = iperf(row, guest, words, seconds)
            received = report["sum_received"]
            gigabits = received["bytes"] * 8 / 1e9
            found[f"tcp_{key}"] = received["bits_per_second"] / 1e6
            found[f"cpu_{key}"] = cpu / gigabits
            found[f"server_{key}"] = server / gigabits
        report, _, _ = iperf(row, guest, "-u -b 0 -l 64", seconds)
        total = report["sum"]
        found["udp_out"] = (total["packets"] - total["lost_packets"]) / total["seconds"] / 1000
        text = guest.out(f"ping -q -f -c 3000 {HOST}", 60)
        found["ping"] = float(re.search(r"= [\d.]+/([\d.]+)/", text)[1]) * 1000
    if row.failed:
        raise Problem(row.failed[0])
    return found


def run(options):
    with tempfile.TemporaryDirectory(prefix="doorbell-speed-") as folder:
        ladder = Ladder(guest=options.guest, out=folder)
        ladder.host.make_tap()
        rounds = {nic: [] for nic in NICS}
        for number in range(options.rounds):
            # Who is first changes, so that a machine that slows down favours none.
            for nic in NICS if number % 2 == 0 else NICS[::-1]:
                ladder.nic = nic
                row = Row(ladder, 0, "speed", pathlib.Path(folder) / f"{nic}-{number}")
                row.folder.mkdir()
                row.quiet = True
                rounds[nic].append(measure(row, options.seconds))
                told = " ".join(f"{key} {value:.3g}" for key, value in rounds[nic][-1].items())
                print(f"round {number + 1} of {options.rounds}, {nic}: {told}", file=sys.stderr,
                      flush=True)
        ladder.host.stop()
    return rounds


def table(rounds):
    """Rows of medians, spreads (largest less smallest) and ratios."""
    rows = []
    for key, name, unit, more in MEASURES:
        values = {nic: [one[key] for one in rounds[nic]] for nic in NICS}
        middle = {nic: statistics.median(values[nic]) for nic in NICS}
        ratio = middle["model"] / middle["builtin"]
        rows.append({"measure": key, "name": name, "unit": unit, "model": middle["model"],
                     "builtin": middle["builtin"], "ratio": ratio if more else 1 / ratio,
                     "spread": {nic: max(values[nic]) - min(values[nic]) for nic in NICS}})
    for key, name, unit in BESIDE:
        values = [one[key] for one in rounds["model"]]
        rows.append({"measure": key, "name": name, "unit": unit, "ratio": None, "builtin": None,
                     "model": statistics.median(values),
                     "spread": {"model": max(values) - min(values)}})
    return rows


def show(rows):
    print(f"{'':34}{'model':>18}{'QEMU e1000e':>18}   ratio")
    for row in rows:
        cells = ""
        for nic in NICS:
            cell = "" if row[nic] is None else f"{row[nic]:.4g} ({row['spread'][nic]:.2g})"
            cells += f"{cell:>18}"
        ratio = "" if row["ratio"] is None else f"{row['ratio']:8.2f}"
        print(f"{row['name'] + ', ' + row['unit']:34}{cells}{ratio}")
    print("medians (spread); a ratio above 1 says that the model is better")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of each transfer")
    parser.add_argument("--guest", choices=("6.1", "6.12"), default="6.1")
    parser.add_argument("--json", metavar="FILE", help="also write every round and the table")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds < 1:
        parser.error("--rounds and --seconds are at least 1")
    if options.json:
        options.json = os.path.abspath(options.json)
    try:
        enter_namespace({options.guest})
        rounds = run(options)
    except Missing as missing:
        print(f"SKIPPED: the speed cannot be measured here: {missing}")
        return 77
    except Problem as problem:
        print(f"speed.py: {problem}", file=sys.stderr)
        return 1
    rows = table(rounds)
    show(rows)
    if options.json:
        pathlib.Path(options.json).write_text(
            json.dumps({"rounds": rounds, "table": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
