"""Row 3: the driver's self-test."""

MODES = (("MSI-X", 2), ("MSI", 1), ("INTx", 0))


def self_test(row):
    """ethtool -t eth0 offline and online, 5 times, in MSI-X, MSI and INTx mode"""
    with row.boot(label="modes") as guest:
        for mode, number in MODES:
            test_mode(row, guest, mode, number, 5)
        row.no_complaints(guest, "after the self-tests")


def self_test_short(row):
    """ethtool -t eth0 offline and online, once, in MSI-X mode"""
    with row.boot(label="modes") as guest:
        test_mode(row, guest, *MODES[0], 1)
        row.no_complaints(guest, "after the self-tests")


def test_mode(row, guest, mode, number, times):
    guest.load_driver(f"IntMode={number}")
    row.check(f"{mode}: the link comes up", guest.has_link(), guest.out("dmesg | tail"))
    used = [line for line in guest.out("cat /proc/interrupts").splitlines() if "eth0" in line]
    kind = {"MSI-X": len(used) == 3, "INTx": len(used) == 1 and "MSI" not in used[0],
            "MSI": len(used) == 1 and "MSI" in used[0]}
    row.check(f"{mode}: the driver runs in this mode", kind[mode], "\n".join(used))
    for kind in ("offline", "online"):
        results = [guest.run(f"ethtool -t eth0 {kind}", 120) for _ in range(times)]
        failed = [result for result in results
                  if result.status != 0 or "The test result is PASS" not in result.out]
        row.keep(f"{mode}-{kind}.txt", "\n".join(str(result) for result in results))
        row.check(f"{mode}: ethtool -t {kind} passes {times} of {times} times", not failed,
                  failed[0] if failed else "")
    row.check(f"{mode}: the link is up again after the tests", guest.has_link(),
              guest.out("dmesg | tail"))
