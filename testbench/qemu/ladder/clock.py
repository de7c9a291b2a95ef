"""Row 9: the PTP clock and hardware time stamps."""
import re

from bench import GUEST, PREFIX, TAP

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


def clock(row):
    """PTP: phc_ctl, hardware time stamps of sent and received frames"""
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="ptp") as guest:
        row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
        runs(row, guest)
        adjusts(row, guest)
        for kinds, words in (("all frames", "-t 1 -r 1"), ("PTP over Ethernet", "-t 1 -r 12"),
                             ("nothing", "-t 0 -r 0")):
            result = guest.run(f"hwstamp_ctl -i eth0 {words}")
            row.check(f"hwstamp_ctl switches time stamps of {kinds}", result.status == 0, result)
        synchronises(row, guest)
        row.no_complaints(guest, "after using the clock")


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
    elapsed = seconds_of(text)
    row.check("5 s of the guest are 5 s of the clock within 2 %",
              elapsed and abs(elapsed[-1] - 5.0) < 0.1 + 5 * 0.02, text)


def adjusts(row, guest):
    text = guest.out("phc_ctl /dev/ptp0 set 100 adj 50 get")
    read = seconds_of(text)
    row.check("an adjustment by 50 s moves it by 50 s", read and 150 <= read[-1] < 151, text)
    result = guest.run("phc_ctl /dev/ptp0 set 0 freq 100000000 wait 4.0 get freq 0")
    read = seconds_of(result.out)
    # 100,000,000 parts per 10^9 are 10 %: of 4 s, 0.4 s more.
    row.check("a frequency 10 % higher shows, where the driver allows it",
              result.status != 0 or read and 4.3 < read[-1] < 4.7, result)
    text = guest.out("phc_ctl /dev/ptp0 freq 20000000 set 0 wait 5.0 get; phc_ctl /dev/ptp0 freq 0")
    read = seconds_of(text)
    row.check("a frequency 2 % higher makes 5 s to 5.1 s", read and 5.06 < read[-1] < 5.2, text)


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
