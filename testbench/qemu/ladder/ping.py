"""Row 4: echo requests of every size."""
import re

from bench import GUEST, HOST, TAP

LARGEST = 8972  # 9000 less the headers of IPv4 and ICMP


def ping(row):
    """ping 1,000; ping -f 10,000; sizes 0 to 8,972 with MTU 9000"""
    with ready(row) as guest:
        from_guest(row, guest, f"-i 0.01 -c 1000 {HOST}", 1000)
        from_guest(row, guest, f"-f -c 10000 {HOST}", 10000)
        to_guest(row, 10000)
        jumbo(row, guest, range(LARGEST + 1))
        finish(row, guest)


def ping_short(row):
    """ping 100; ping -f 1,000; sizes up to 8,972 with MTU 9000"""
    with ready(row) as guest:
        from_guest(row, guest, f"-i 0.01 -c 100 {HOST}", 100)
        from_guest(row, guest, f"-f -c 1000 {HOST}", 1000)
        to_guest(row, 1000)
        jumbo(row, guest, sorted({*range(0, 64), *range(64, LARGEST, 331), 1472, 1473, LARGEST}))
        finish(row, guest)


def ready(row):
    return row.boot(driver="e1000e", address=f"{GUEST}/24", label="ping")


def lost(text):
    """(sent, received) of ping's closing lines."""
    found = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def average_us(text):
    found = re.search(r"rtt min/avg/max/mdev = [\d.]+/([\d.]+)/", text)
    return round(float(found[1]) * 1000) if found else None


def from_guest(row, guest, options, count):
    row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
    result = guest.run(f"ping -q {options}", 300)
    row.check(f"guest: ping {options} loses nothing", lost(result.out) == (count, count), result)
    row.note(f"average {average_us(result.out)} us")


def to_guest(row, count):
    done = row.host.run("ping", "-q", "-f", "-c", count, GUEST, check=False, seconds=300)
    row.check(f"host: ping -f -c {count} loses nothing", lost(done.stdout) == (count, count),
              done.stdout + done.stderr)


def jumbo(row, guest, lengths):
    guest.out("ip link set eth0 mtu 9000")
    row.host.run("ip", "link", "set", TAP, "mtu", 9000)
    row.check("the link is up with MTU 9000", guest.has_link(), guest.out("dmesg | tail"))
    row.host.run("ping", "-q", "-c", 3, "-W", 5, GUEST, check=False)
    sizes(row, lengths, "-M", "do")
    result = guest.run(f"""
        for size in $(seq 0 97 {LARGEST}) {LARGEST}; do
            ping -q -c 1 -W 2 -M do -s $size {HOST} >/dev/null || {{ echo $size; break; }}
        done""", 300)
    row.check("guest: sizes from 0 to 8972 come back with MTU 9000", result.out == "", result)
    row.host.run("ip", "link", "set", TAP, "mtu", 1500)
    guest.out("ip link set eth0 mtu 1500")
    row.check("the link is up with MTU 1500 again", guest.has_link(), guest.out("dmesg | tail"))


def sizes(row, lengths, *options):
    failed = []
    for size in lengths:
        done = row.host.run("ping", "-q", "-c", 1, "-W", 2, *options, "-s", size, GUEST,
                            check=False)
        if lost(done.stdout) != (1, 1):
            failed.append(size)
            if len(failed) == 10:  # each costs its time-out
                break
    how = "unfragmented" if options else "in fragments"
    row.check(f"host: {len(lengths)} sizes from {lengths[0]} to {lengths[-1]} come back {how}",
              not failed, f"lost: {failed}")


def finish(row, guest):
    counted = guest.statistics()
    errors = {name: value for name, value in counted.items()
              if value and re.search("error|timeout|hang|fail", name)}
    row.check("the driver counts no error", not errors, errors)
    row.no_complaints(guest, "after the pings")
