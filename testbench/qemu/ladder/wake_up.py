"""Row 11: the card asleep: D3hot while its cable is out, magic packets while the machine sleeps."""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import tempfile
import time

from bench import GUEST, HOST, PREFIX, TAP, program
from cable import Cable
from comings_and_goings import asleep, comes_back

DEVICE = "/sys/bus/pci/devices/0000:01:00.0"
CABLE, CABLE_HOST, CABLE_GUEST = "cable0", "10.79.0.1", "10.79.0.2"
PULLS = 20
NAPS = 5
ETHERTYPE = 0x0842
RENEGOTIATION_SECONDS = 4  # a card that falls asleep looks for a slower link


def wake_up(row):
    """the cable pulled 20 times under traffic; D3hot and back by PME; magic packets in S3"""
    if row.ladder.nic == "model":
        with pulled_cable(row) as (guest, cable):
            pulls(row, guest, cable)
            naps(row, guest, cable)
            row.no_complaints(guest, "after the naps")
    magic(row)


@contextlib.contextmanager
def pulled_cable(row):
    with tempfile.TemporaryDirectory(prefix="doorbell-cable-") as folder:
        path = pathlib.Path(folder) / "cable"
        cable = Cable(CABLE, path)
        try:
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{CABLE}/disable_ipv6").write_text("1")
            row.host.run("ip", "address", "add", f"{CABLE_HOST}/{PREFIX}", "dev", CABLE)
            row.host.run("ip", "link", "set", CABLE, "up")
            with row.boot(driver="e1000e", address=f"{CABLE_GUEST}/{PREFIX}", label="cable",
                          wire=f"unix:{path}") as guest:
                cable.plug()
                row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
                yield guest, cable
        finally:
            cable.stop()


def pulls(row, guest, cable):
    """The driver sees the link go, and everything comes back with it."""
    ping = row.host.start("ping", "-q", "-i", "0.002", "-s", "600", CABLE_GUEST)
    failures = []
    for number in range(1, PULLS + 1):
        cable.pull()
        if not guest.wait_for("[ \"$(cat /sys/class/net/eth0/carrier)\" = 0 ]"):
            failures.append(f"time {number}: the link stays up without a cable")
            break
        cable.plug()
        if not comes_back(row, guest, CABLE_GUEST):
            failures.append(f"time {number}: {guest.out('dmesg | tail -5')}")
            break
    row.check(f"cable pulled and plugged: back {PULLS} of {PULLS} times", not failures,
              "\n".join(failures))
    ping.terminate()
    ping.wait()


def naps(row, guest, cable):
    """Without a link the driver lets the card sleep; a cable wakes it by PME, which Linux reads
    from PMCSR every second."""
    guest.out(f"echo auto >{DEVICE}/power/control")
    failures = []
    for number in range(1, NAPS + 1):
        before = wake_events(row, guest)
        cable.pull()
        slept = guest.wait_for(f"[ $(cat {DEVICE}/power_state) = D3hot ]", 60)
        if not slept:
            failures.append(f"time {number}: {guest.out(f'cat {DEVICE}/power_state')}")
            break
        cable.plug()
        if not comes_back(row, guest, CABLE_GUEST):
            failures.append(f"time {number}: not awake: {guest.out('dmesg | tail -5')}")
            break
        events = wake_events(row, guest) - before
        if events != 1:
            failures.append(f"time {number}: {events} wake-up events instead of one")
            break
    row.check(f"D3hot without a cable, woken by PME with one, {NAPS} of {NAPS} times", not failures,
              "\n".join(failures))
    causes = guest.out("dmesg").count("MAC Wakeup cause - Link Status Change")
    row.check("the driver reads the cause from WUS each time", causes == NAPS,
              f"{causes} times: " + guest.out("dmesg | grep -i wakeup; true"))
    guest.out(f"echo on >{DEVICE}/power/control")


def magic(row):
    """S3 with `ethtool -s wol g`. No message of vfio-user carries PM_PME, and QEMU's e1000e has no
    wake-up at all: the machine sleeps on, but the model's card notes what it saw."""
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="magic") as guest:
        row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
        row.check("ethtool offers wake-up by magic packet",
                  re.search(r"Supports Wake-on: \w*g", guest.out("ethtool eth0")),
                  guest.out("ethtool eth0"))
        guest.out("ethtool -s eth0 wol g")
        row.check("ethtool -s wol g is kept", re.search(r"Wake-on: g", guest.out("ethtool eth0")),
                  guest.out("ethtool eth0"))
        mac = guest.out("cat /sys/class/net/eth0/address").strip()
        before = wake_events(row, guest)
        if not row.check("the machine sleeps", asleep(guest), guest.session.monitor(
                "query-status")):
            return
        time.sleep(RENEGOTIATION_SECONDS)
        send(mac, magic_content("02:00:00:00:00:99"))
        time.sleep(1)
        row.check("a magic packet for another card wakes nothing",
                  wake_events(row, guest) == before, wake_events(row, guest))
        send(mac, magic_content(mac))
        time.sleep(2)
        if row.ladder.nic == "model":
            row.check("the card asleep notes the magic packet once",
                      wake_events(row, guest) == before + 1, wake_events(row, guest))
        status = guest.session.monitor("query-status")["status"]
        row.note(f"two seconds after a magic packet the machine is {status}")
        if status == "suspended":
            guest.session.monitor("system_wakeup")
        row.check("the card comes back", comes_back(row, guest), guest.out("dmesg | tail"))
        woken = guest.out("dmesg | grep 'Wakeup cause'; true").strip()
        row.note(f"the driver's cause: {woken or 'none'}")
        row.no_complaints(guest, "after the magic packet")


def magic_content(mac):
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "")) * 16


def send(mac, content):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as one:
        one.bind((TAP, 0))
        one.send(bytes.fromhex(mac.replace(":", "")) + b"\x02\0\0\0\0\x01"
                 + ETHERTYPE.to_bytes(2, "big") + content)


def wake_events(row, guest):
    """How often the model asserted PME, by `doorbell inspect`; 0 on other cards."""
    if row.ladder.nic != "model":
        return 0
    done = subprocess.run([str(program()), "inspect", str(guest.session.socket_path), "--json"],
                          capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)["metrics"].get("nic.wake.events", 0)
