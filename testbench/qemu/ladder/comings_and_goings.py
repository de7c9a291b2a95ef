"""Row 6: the card leaves and comes back, under traffic."""
import pathlib
import re
import time

from bench import GUEST, HOST, PREFIX, TAP, Problem

TIMES = 20
BACK_SECONDS = 30
ASLEEP_SECONDS = 30
LEAST_FRAMES = 10  # each way and each time; else it was no traffic
# Both ways at once: what is lost while the card is away is nobody's fault.
TRAFFIC = (f"while :; do ping -q -f -w 60 -s 1000 {HOST} >/dev/null 2>&1; usleep 50000; done "
           ">/dev/null 2>&1 & echo $! >/run/traffic")


def comings_and_goings(row):
    """up/down, rmmod/insmod, link flap, suspend/resume, reboot: 20 times each under traffic"""
    row.host.start("ping", "-q", "-i", "0.002", "-s", "600", GUEST)
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="running") as guest:
        row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
        guest.out(TRAFFIC)
        again_and_again(row, guest, "down and up", "ip link set eth0 down; ip link set eth0 up")
        again_and_again(row, guest, "rmmod and insmod",
                        "modprobe -r e1000e && modprobe e1000e && "
                        f"ip address add {GUEST}/{PREFIX} dev eth0 && ip link set eth0 up")
        again_and_again(row, guest, "link flap (renegotiation)", "ethtool -r eth0")
        again_and_again(row, guest, "link flap (100 Mb/s and back)",
                        "ethtool -s eth0 autoneg on advertise 0x008; sleep 1; "
                        "ethtool -s eth0 autoneg on advertise 0x02f")
        row.no_complaints(guest, "so far")
        suspend(row, guest)
        row.no_complaints(guest, "after suspending")
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="rebooted",
                  reboots=True) as guest:
        reboot(row, guest)


def comes_back(row, guest, address=GUEST):
    """The link is up, and an echo comes through, both within the time."""
    if not guest.has_link(BACK_SECONDS):
        return False
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        if row.host.run("ping", "-q", "-c", 1, "-W", 1, address, check=False).returncode == 0:
            return True
    return False


def frames_both_ways():
    # /sys may still show the devices of the network namespace outside.
    text = pathlib.Path("/proc/net/dev").read_text()
    words = re.search(rf"^\s*{TAP}:(.*)$", text, re.M)[1].split()
    return int(words[1]), int(words[9])


def times(row, name, once):
    """Does it so often, stops at the first failure (a text), and looks that there was traffic."""
    failures = []
    before, started = frames_both_ways(), time.monotonic()
    for number in range(1, TIMES + 1):
        failure = once(number)
        if failure:
            failures.append(f"time {number}: {failure}")
            break
    took = time.monotonic() - started
    out, into = (now - then for now, then in zip(frames_both_ways(), before))
    row.check(f"{name}: back {TIMES} of {TIMES} times", not failures, "\n".join(failures))
    row.check(f"{name}: under traffic both ways", min(out, into) >= TIMES * LEAST_FRAMES,
              f"{out} frames out, {into} in")
    row.note(f"{name}: {took:.0f} s, {out:,} frames out, {into:,} in")
    return not failures


def again_and_again(row, guest, name, script):
    def once(_):
        result = guest.run(script, 60)
        if result.status == 0 and comes_back(row, guest):
            return None
        return f"{result}\n{guest.out('dmesg | tail -5')}"

    times(row, name, once)


def suspend(row, guest):
    """S3: the guest's memory stays, the card goes into D3 and back; see also reboot()."""
    if not row.check("the kernel can suspend to memory",
                     guest.run("grep -q mem /sys/power/state").status == 0):
        return

    def once(number):
        if asleep(guest):
            guest.session.monitor("system_wakeup")
        # QEMU may end a second sleep at once; that it was one, the kernel's log tells.
        slept = int(guest.out("dmesg | grep -c 'PM: suspend exit'"))
        if slept == number and comes_back(row, guest):
            return None
        return f"slept {slept} times: {guest.out('dmesg | tail -5')}"

    times(row, "suspend and resume", once)


def asleep(guest, seconds=ASLEEP_SECONDS):
    """True when the machine sleeps, False when something woke it at once, or it did not sleep."""
    guest.session.start_script("echo mem >/sys/power/state")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if guest.session.monitor("query-status")["status"] == "suspended":
            return True
        if guest.session.has_news():  # of the script: it is over
            return False
        time.sleep(0.05)
    return False


def reboot(row, guest):
    def once(_):
        guest.out(TRAFFIC)
        # Only the first sleep of a boot is one in which QEMU sleeps, and resets the card.
        if not asleep(guest):
            return "the machine did not sleep: " + guest.out("dmesg | tail -5")
        guest.session.monitor("system_wakeup")
        if not comes_back(row, guest):
            return "after a sleep: " + guest.out("dmesg | tail -5")
        guest.session.start_script("reboot -f")
        try:
            guest.session.wait_until_ready()
        except Problem as problem:
            return str(problem)
        return None if comes_back(row, guest) else guest.out("dmesg | tail -5")

    if times(row, "S3 and reboot", once):
        row.no_complaints(guest, "after the last reboot")
