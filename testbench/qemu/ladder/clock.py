"""Row 9: the PTP clock and hardware time stamps."""
import os
import re
import shutil
import socket
import statistics
import struct
import subprocess
import time

import guest_image
from bench import GUEST, PREFIX, ROOT, TAP, Problem

MASTER = """\
[global]
time_stamping software
network_transport L2
delay_mechanism E2E
priority1 1
logging_level 6
summary_interval 0
logSyncInterval -3
tx_timestamp_timeout 100
"""
SLAVE = MASTER.replace("software", "hardware").replace("priority1 1", "priority1 250") + """\
slaveOnly 1
step_threshold 0.00002
first_step_threshold 0.00002
"""


STAMPED = 100
ANSWER_TYPE = 0x88B5


def clock(row):
    """PTP: phc_ctl, hardware time stamps of sent and received frames"""
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="ptp",
                  initrd=str(with_time_stamps(row))) as guest:
        row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
        runs(row, guest)
        adjusts(row, guest)
        for kinds, words in (("all frames", "-t 1 -r 1"), ("PTP over Ethernet", "-t 1 -r 12"),
                             ("nothing", "-t 0 -r 0")):
            result = guest.run(f"hwstamp_ctl -i eth0 {words}")
            row.check(f"hwstamp_ctl switches time stamps of {kinds}", result.status == 0, result)
        guest.out("phc_ctl /dev/ptp0 set 1000000000")
        for filter_number, of in ((1, "all frames"), (12, "PTP event frames")):
            guest.out(f"hwstamp_ctl -i eth0 -t 1 -r {filter_number}")
            sent_frames(row, guest, of)
            received_frames(row, guest, of)
        synchronises(row, guest)
        row.no_complaints(guest, "after using the clock")


def with_time_stamps(row):
    """The guest's initramfs with the program that prints time stamps behind it."""
    compiler = next(filter(shutil.which, (os.environ.get("CXX", ""), "c++", "g++", "clang++")),
                    None)
    if compiler is None:
        raise Problem("no C++ compiler (c++, g++, clang++, or what CXX names) for the program that "
                      "prints time stamps in the guest")
    file = row.folder / "time_stamps"
    done = subprocess.run([compiler, "-std=c++17", "-O1", "-static", "-o", file,
                           ROOT / "testbench/qemu/guest/time_stamps.cpp"],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Problem(f"{compiler} cannot build time_stamps.cpp:\n{done.stderr}")
    archive = guest_image.Archive()
    archive.file("usr/bin/time_stamps", file.read_bytes(), 0o755)
    initrd = row.folder / "initrd"
    initrd.write_bytes(row.ladder.image(row.ladder.guest).initramfs.read_bytes() + archive.whole())
    return initrd


def stamps_of(text):
    """Of each frame: sequence number, the clock before, the stamp, the clock after, in ns."""
    return [tuple(map(int, words)) for words in
            re.findall(r"^(-?\d+) (\d+) (\d+) (\d+)$", text, re.MULTILINE)]


def judge(row, what, stamps):
    row.check(f"each of {STAMPED} {what} has a stamp, in order",
              [stamp[0] for stamp in stamps] == list(range(STAMPED))
              and all(stamp[2] for stamp in stamps), stamps)
    row.check(f"stamps of {what} rise",
              all(one[2] < other[2] for one, other in zip(stamps, stamps[1:])), stamps)
    row.check(f"stamps of {what} lie between the readings of the clock before and after",
              stamps and all(before <= stamp <= after for _, before, stamp, after in stamps),
              [stamp for stamp in stamps if not stamp[1] <= stamp[2] <= stamp[3]])
    late = [(after - stamp) / 1000 for _, _, stamp, after in stamps] or [0]
    row.note(f"{what}: read {statistics.median(late):.0f} us after the stamp (median; "
             f"{min(late):.0f} to {max(late):.0f})")


def sent_frames(row, guest, of):
    stamps = stamps_of(guest.run(f"time_stamps send {STAMPED}", 120).out)
    judge(row, f"sent frames (stamps of {of})", stamps)


def received_frames(row, guest, of):
    """Sync frames from this side, each when the one before was answered: the card holds one
    stamp."""
    guest.out(f"time_stamps receive {STAMPED} >/run/stamps 2>&1 & true")
    if not guest.wait_for("grep -q listening /run/stamps"):
        raise Problem("time_stamps does not listen: " + guest.run("cat /run/stamps").out)
    sent = []
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as cable:
        cable.bind((TAP, ANSWER_TYPE))
        cable.settimeout(10)
        for number in range(STAMPED):
            frame = (bytes.fromhex("011b19000000 020082577777 88f7 0002 002c")
                     + bytes(26) + struct.pack(">H", number)).ljust(60, b"\0")
            cable.send(frame)
            sent.append(time.monotonic_ns())
            try:
                cable.recv(2048)
            except TimeoutError:
                break
    stamps = stamps_of(guest.out("cat /run/stamps"))
    judge(row, f"received frames (stamps of {of})", stamps)
    if len(stamps) == STAMPED:
        mine, theirs = sent[-1] - sent[0], stamps[-1][2] - stamps[0][2]
        row.check(f"and lie as far apart as the frames did when sent (stamps of {of})",
                  abs(mine - theirs) < mine * 0.05 + 100_000_000, (mine, theirs))


def seconds_of(text):
    return [float(word) for word in re.findall(r"clock time is ([\d.]+)", text)]


def runs(row, guest):
    guest.out("phc_ctl /dev/ptp0 set 1000000000")
    script = "; ".join(["phc_ctl /dev/ptp0 get"] * 50)
    read = seconds_of(guest.out(script))
    row.check("50 readings of the clock rise", len(read) == 50 and read == sorted(set(read)), read)
    row.check("it was set to 1,000,000,000 s", read and 0 <= read[0] - 1e9 < 20, read[:1])
    # The guest's own clock is QEMU's, and that is this machine's.
    text = guest.out("phc_ctl /dev/ptp0 set 0 wait 5.0 get")
    read, passed = read_and_passed(text)
    row.check("5 s of the guest are 5 s of the clock within 2 %",
              passed >= 5 and abs(read - passed) < 0.1, text)


def read_and_passed(text):
    """The clock, which was set to 0, and the guest's own time since then. A busy machine wakes
    phc_ctl late: what it was asked to wait is not what it waited, but each line bears its time."""
    begun = re.search(r"phc_ctl\[([\d.]+)\]: set clock time", text)
    read = re.search(r"phc_ctl\[([\d.]+)\]: clock time is ([\d.]+)", text)
    if not begun or not read:
        return 0.0, 0.0
    return float(read[2]), float(read[1]) - float(begun[1])


def adjusts(row, guest):
    text = guest.out("phc_ctl /dev/ptp0 set 100 adj 50 get")
    read = seconds_of(text)
    row.check("an adjustment by 50 s moves it by 50 s", read and 150 <= read[-1] < 151, text)
    result = guest.run("phc_ctl /dev/ptp0 freq 100000000 set 0 wait 4.0 get; status=$?; "
                       "phc_ctl /dev/ptp0 freq 0; exit $status")
    read, passed = read_and_passed(result.out)
    # 100,000,000 parts per 10^9 are 10 %: of 4 s, 0.4 s more.
    row.check("a frequency 10 % higher shows, where the driver allows it",
              result.status != 0 or passed >= 4 and abs(read - 1.1 * passed) < 0.1, result)
    text = guest.out("phc_ctl /dev/ptp0 freq 20000000 set 0 wait 10.0 get; "
                     "phc_ctl /dev/ptp0 freq 0")
    read, passed = read_and_passed(text)
    row.check("a frequency 2 % higher makes 10 s to 10.2 s",
              passed >= 10 and abs(read - 1.02 * passed) < 0.09, text)


def synchronises(row, guest):
    """ptp4l as slave in the guest: Sync is stamped on receipt, Delay_Req when sent; the master here
    has software stamps, so the offset is a matter of this machine's load."""
    (row.folder / "master.conf").write_text(MASTER)
    log = open(row.folder / "master.log", "w")
    master = row.host.start("ptp4l", "-f", row.folder / "master.conf", "-i", TAP, "-m", "-q",
                            log=log)
    guest.out(f"cat >/run/slave.conf <<'END'\n{SLAVE}END")
    text = guest.run("timeout 25 ptp4l -f /run/slave.conf -i eth0 -m -q", 60).out
    master.terminate()
    log.close()
    row.keep("slave.log", text)
    row.check("ptp4l finds hardware stamps on eth0 and its master",
              "to UNCALIBRATED on RS_SLAVE" in text or "UNCALIBRATED" in text, text[-1500:])
    row.check("no stamp of a sent frame was missing",
              "timed out while polling for tx timestamp" not in text, text[-1500:])
    row.check("no stamp of a received frame was missing",
              "received SYNC without timestamp" not in text, text[-1500:])
    row.check("the slave follows: it reaches the state SLAVE",
              "UNCALIBRATED to SLAVE" in text, text[-1500:])
    found = [(float(rms), float(delay)) for rms, delay in re.findall(
        r"rms\s+(\d+) max.*?delay\s+(-?\d+)", text)]
    row.check("the path delay is plausible (0 to 20 ms)",
              found and all(-1e6 < delay < 20e6 for _, delay in found[-5:]), found)
    row.note(f"offset rms and delay in ns: {found[-3:]}")
