"""Row 10: two guests on one cable, and a guest against the simulated host of a scenario."""
import contextlib
import json
import pathlib
import tempfile

ADDRESSES = ("10.79.0.1", "10.79.0.2")


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
        for name, words in (("TCP from 1 to 2", ""), ("UDP from 1 to 2", "-u -b 20M"),
                            ("TCP from 2 to 1", "-R"), ("UDP from 2 to 1", "-u -b 20M -R")):
            # The server is deaf for a moment between two tests.
            first.run("sleep 1")
            result = first.run(f"iperf3 -c {ADDRESSES[1]} -t 5 -J {words}", 90)
            try:
                end = json.loads(result.out).get("end", {})
            except ValueError:
                end = {}
            rate = end.get("sum_received", end.get("sum", {})).get("bits_per_second", 0)
            row.check(f"iperf3 {name} moves data", result.status == 0 and rate > 1e6, result)
            row.note(f"{name}: {rate / 1e6:.0f} Mb/s")
        for guest in guests:
            row.no_complaints(guest, f"({guest.session.folder.name})")


def simulated_host(row):
    """The served NIC takes the place of the scenario's first host, 10.0.0.1."""
    with row.boot(driver="e1000e", address="10.0.0.1/24", label="scenario",
                  wire="host:udp_echo") as guest:
        row.check("the link to a simulated host is up", guest.has_link(),
                  guest.out("dmesg | tail"))
        result = guest.run("ping -q -i 0.02 -c 100 10.0.0.2", 60)
        row.check("lwIP answers 100 of 100 echoes", " 100 received" in result.out, result)
        result = guest.run("ping -q -i 0.02 -c 50 -s 1400 10.0.0.2", 60)
        row.check("lwIP answers 50 of 50 large echoes", " 50 received" in result.out, result)
        row.no_complaints(guest, "beside a simulated host")
