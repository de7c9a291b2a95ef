"""Row 10: two guests on one cable, and a guest against the simulated host of a scenario."""
import contextlib
import hashlib
import pathlib
import random
import tempfile
import time

from bench import UDP, iperf

ADDRESSES = ("10.79.0.1", "10.79.0.2")
FILE_BYTES = 8_000_000
SCENARIO = """\
[scenario]
name = "far_host"
description = "A host that takes a file and sends one, to a guest in the place of its partner."
timeout_ms = 3_600_000

[nic]
phy.autonegotiation_ms = 1

[settings]
driver.itr = 488

[[host]]
name = "guest"
[[host.interface]]
address = "10.0.0.1/24"
[[host.app]]
run = "udp_echo_server --port 7"
background = true

[[host]]
name = "far"
[[host.interface]]
address = "10.0.0.2/24"
[[host.app]]
run = "tcp_receive --port 5001 --file '{folder}/received'"
[[host.app]]
run = "tcp_send --to 10.0.0.1 --port 5002 --file '{folder}/sent' --patience-ms 3600000"

[[link]]
ends = ["guest.nic0", "far.nic0"]

[[expect]]
metric = "host.*.app.*.errors"
value = 0
"""


def two_ends(row):
    """two guests, two models, one wire; and a guest against a lwIP host of a scenario"""
    two_guests(row)
    simulated_host(row)


def two_guests(row):
    with tempfile.TemporaryDirectory(prefix="doorbell-") as folder, contextlib.ExitStack() as both:
        cable = pathlib.Path(folder) / "cable"
        guests = [both.enter_context(row.boot(
            driver="e1000e", address=f"{address}/24", label=f"guest{number}",
            wire=f"unix:{cable}", sets=(f"nic.nvm.mac_address=02:00:00:82:57:4{number}",)))
            for number, address in enumerate(ADDRESSES, 1)]
        for number, guest in enumerate(guests, 1):
            row.check(f"guest {number}: the link is up", guest.has_link(),
                      guest.out("dmesg | tail"))
        first, second = guests
        result = first.run(f"ping -q -i 0.01 -c 200 {ADDRESSES[1]}", 60)
        row.check("200 of 200 echoes come back over the cable", " 200 received" in result.out,
                  result)
        second.out("iperf3 -s -D >/dev/null 2>&1; sleep 1")
        for name, words in (("TCP from 1 to 2", ()), ("UDP from 1 to 2", UDP),
                            ("TCP from 2 to 1", ("-R",)), ("UDP from 2 to 1", (*UDP, "-R"))):
            def once(words=words):
                # The server is deaf for a moment between two tests.
                first.run("sleep 1")
                done = first.run(f"iperf3 -c {ADDRESSES[1]} -t 5 -J {' '.join(words)}", 90)
                return done.out or done.err

            udp = "-u" in words
            result = iperf(once, udp)
            row.check(f"iperf3 {name} {'brings half of it or more' if udp else 'moves data'}",
                      result.good, result)
            row.note(f"{name}: {result.mbps:.0f} Mb/s")
        for guest in guests:
            row.no_complaints(guest, f"({guest.session.folder.name})")


def simulated_host(row):
    """The served NIC takes the place of the scenario's first host, 10.0.0.1."""
    sent = random.Random(1).randbytes(FILE_BYTES)
    received = row.folder / "received"
    (row.folder / "sent").write_bytes(sent)
    scenario = row.folder / "far_host.toml"
    scenario.write_text(SCENARIO.format(folder=row.folder))
    with row.boot(driver="e1000e", address="10.0.0.1/24", label="scenario",
                  wire=f"host:{scenario}") as guest:
        row.check("the link to a simulated host is up", guest.has_link(),
                  guest.out("dmesg | tail"))
        result = guest.run("ping -q -i 0.02 -c 100 10.0.0.2", 60)
        row.check("lwIP answers 100 of 100 echoes", " 100 received" in result.out, result)
        result = guest.run("ping -q -i 0.02 -c 50 -s 1400 10.0.0.2", 60)
        row.check("lwIP answers 50 of 50 large echoes", " 50 received" in result.out, result)
        # lwIP has no iperf3: its own applications move files, which are compared.
        begun = time.monotonic()
        result = guest.run("nc -l -p 5002 >/run/file; sha256sum </run/file", 120)
        rate = FILE_BYTES * 8e-6 / (time.monotonic() - begun)
        row.check(f"{FILE_BYTES:,} bytes by TCP from lwIP arrive as they were",
                  hashlib.sha256(sent).hexdigest() in result.out, result)
        row.note(f"TCP from lwIP, its connection's beginning included: {rate:.0f} Mb/s")
        begun = time.monotonic()
        result = guest.run("nc 10.0.0.2 5001 </run/file", 120)
        rate = FILE_BYTES * 8e-6 / (time.monotonic() - begun)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (not received.exists()
                                               or received.stat().st_size < FILE_BYTES):
            time.sleep(0.1)
        row.check(f"{FILE_BYTES:,} bytes by TCP to lwIP arrive as they were",
                  received.exists() and received.read_bytes() == sent, result)
        row.note(f"TCP to lwIP: {rate:.0f} Mb/s")
        row.no_complaints(guest, "beside a simulated host")
