"""Row 6: the card leaves and comes back, under traffic."""
import time

from bench import GUEST, HOST, PREFIX, Problem

TIMES = 20
BACK_SECONDS = 30
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


def comes_back(row, guest):
    """The link is up, and an echo comes through, both within the time."""
    if not guest.has_link(BACK_SECONDS):
        return False
    deadline = time.monotonic() + BACK_SECONDS
    while time.monotonic() < deadline:
        if row.host.run("ping", "-q", "-c", 1, "-W", 1, GUEST, check=False).returncode == 0:
            return True
    return False


def again_and_again(row, guest, name, script):
    failures = []
    for number in range(1, TIMES + 1):
        result = guest.run(script, 60)
        if result.status != 0 or not comes_back(row, guest):
            failures.append(f"time {number}: {result}\n{guest.out('dmesg | tail -5')}")
            break
    row.check(f"{name}: back {TIMES} of {TIMES} times", not failures, "\n".join(failures))


def suspend(row, guest):
    """S3: the guest's memory stays, QEMU resets the devices, the driver restores the card."""
    guest.out("kill $(cat /run/traffic)")
    failures = []
    if guest.run("grep -q mem /sys/power/state").status != 0:
        failures.append("the kernel cannot suspend to memory")
    for number in range(1, TIMES + 1 if not failures else 0):
        guest.session.start_script("echo mem >/sys/power/state")
        if asleep(guest):
            guest.session.monitor("system_wakeup")
        # A wake-up that was still pending ends the sleep at once; then the kernel's log tells.
        slept = int(guest.out("dmesg | grep -c 'PM: suspend exit'"))
        if slept != number or not comes_back(row, guest):
            failures.append(f"time {number}, slept {slept}: {guest.out('dmesg | tail -5')}")
            break
    row.check(f"suspend and resume: back {TIMES} of {TIMES} times", not failures,
              "\n".join(failures))


def asleep(guest, seconds=5):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if guest.session.monitor("query-status")["status"] == "suspended":
            return True
        time.sleep(0.05)
    return False


def reboot(row, guest):
    failures = []
    for number in range(1, TIMES + 1):
        guest.out(TRAFFIC)
        guest.session.start_script("reboot -f")
        try:
            guest.session.wait_until_ready()
        except Problem as problem:
            failures.append(f"time {number}: {problem}")
            break
        if not comes_back(row, guest):
            failures.append(f"time {number}: {guest.out('dmesg | tail -5')}")
            break
    row.check(f"reboot: back {TIMES} of {TIMES} times", not failures, "\n".join(failures))
    if not failures:
        row.no_complaints(guest, "after the last reboot")
