"""Row 1: configuration space as the guest reads it, against section 1 of the specification."""
import re

DEVICE = "/sys/bus/pci/devices/0000:01:00.0"

# Offset, bytes, value, what it is. Section 1.1 to 1.4 of the specification.
FIELDS = (
    (0x00, 2, 0x8086, "vendor is Intel"),
    (0x02, 2, 0x10D3, "device is the 82574L"),
    (0x08, 1, 0x00, "revision 0"),
    (0x09, 3, 0x020000, "class is Ethernet controller"),
    (0x0E, 1, 0x00, "one function, header type 0"),
    (0x2C, 2, 0x8086, "subsystem vendor is Intel"),
    (0x34, 1, 0xC8, "the capability list starts at 0xC8"),
    (0x3D, 1, 0x01, "interrupt pin is INTA"),
    (0x3E, 2, 0x0000, "Min_Gnt and Max_Lat are 0"),
    (0xC8, 2, 0xD001, "0xC8: power management, next 0xD0"),
    (0xCA, 2, 0xC822, "0xC8: version 2, DSI, PME from D0, D3hot, D3cold"),
    (0xD0, 2, 0xE005, "0xD0: MSI, next 0xE0"),
    (0xD2, 2, 0x0080, "0xD0: 64-bit, one message, no mask"),
    (0xE0, 2, 0xA010, "0xE0: PCI Express, next 0xA0"),
    (0xE2, 2, 0x0001, "0xE0: version 1, endpoint"),
    (0xE4, 4, 0x00008CC1, "0xE0: DevCap, MPS 256, role-based errors, no FLR"),
    (0xF2, 2, 0x0011, "0xE0: LnkSta, 2.5 GT/s, x1"),
    (0xA0, 2, 0x0011, "0xA0: MSI-X, the last"),
    (0xA2, 2, 0x0004, "0xA0: 5 vectors, off"),
    (0xA4, 4, 0x00000003, "0xA0: table in BAR 3 at 0"),
    (0xA8, 4, 0x00002003, "0xA0: PBA in BAR 3 at 0x2000"),
    (0x100, 4, 0x14010001, "0x100: advanced error reporting version 1, next 0x140"),
    (0x140, 4, 0x00010003, "0x140: device serial number version 1, the last"),
)
# BAR, size, what it is; sizes as Linux found them by writing all ones.
BARS = ((0, 128 << 10, "memory"), (2, 32, "I/O"), (3, 16 << 10, "memory"))


def configuration(row):
    """lspci -vvv level: configuration space equals section 1 of the specification"""
    with row.boot(label="untouched") as guest:
        space = content(guest)
        row.check("4,096 bytes of configuration space", len(space) == 4096, len(space))
        for offset, size, value, name in FIELDS:
            got = int.from_bytes(space[offset:offset + size], "little")
            row.check(f"{offset:#05x} {name}", got == value, f"{got:#x}, not {value:#x}")
        command_and_status(row, space)
        bars(row, guest)
        writable(row, guest)
        serial_number(row, guest, space)
    with row.boot(driver="e1000e", address="10.77.0.2/24", label="lspci") as guest:
        shown = guest.out("lspci -nn -vvv -s 01:00.0 2>/dev/null")
        row.keep("lspci.txt", shown + guest.out("lspci -xxxx -s 01:00.0"))
        lspci(row, shown)


def content(guest):
    text = guest.out(f"od -v -A n -t x1 {DEVICE}/config")
    return bytes(int(byte, 16) for byte in text.split())


def command_and_status(row, space):
    command, status = (int.from_bytes(space[place:place + 2], "little") for place in (4, 6))
    row.check("command has no bit that the part lacks", command & ~0x0547 == 0, hex(command))
    row.check("status says capability list, and no error", status & 0xF930 == 0x0010, hex(status))


def bars(row, guest):
    lines = guest.out(f"cat {DEVICE}/resource").splitlines()
    found = {}
    for number, line in enumerate(lines[:6]):
        start, last, flags = (int(word, 16) for word in line.split())
        if start:
            found[number] = (last - start + 1, "I/O" if flags & 0x100 else "memory", flags)
    for number, size, kind in BARS:
        row.check(f"BAR {number} is {size} bytes of {kind}", found.get(number, ())[:2] ==
                  (size, kind), found)
        if kind == "memory" and number in found:
            row.check(f"BAR {number} is 32 bits and not prefetchable",
                      found[number][2] & 0x102000 == 0, hex(found[number][2]))
    row.check("BARs 4 and 5 are not there", not {4, 5} & set(found), found)
    row.check("BAR 1, the flash window, is not there or as large as a flash can be",
              1 not in found or found[1][0] in (64 << 10, 128 << 10, 256 << 10, 512 << 10), found)


def writable(row, guest):
    """Storage that drivers and firmware write, and what must not be writable."""
    for offset, size, written, expected, name in (
            ("0x0C", "b", "10", "10", "the cache line size is kept"),
            ("0x3C", "b", "0b", "0b", "the interrupt line is kept"),
            ("0x00", "w", "1234", "8086", "the vendor cannot be written"),
            ("0x3D", "b", "02", "01", "the interrupt pin cannot be written"),
            ("0xCC", "w", "0100", "0100", "PME_En is kept"),
            ("0x04", "w", "0ab8", None, "bits of the command register that the part lacks stay 0")):
        before = guest.out(f"setpci -s 01:00.0 {offset}.{size}").strip()
        guest.out(f"setpci -s 01:00.0 {offset}.{size}={written}")
        got = guest.out(f"setpci -s 01:00.0 {offset}.{size}").strip()
        holds = got == expected if expected else int(got, 16) & 0x0AB8 == 0
        row.check(name, holds, f"wrote {written}, read {got}")
        guest.out(f"setpci -s 01:00.0 {offset}.{size}={before}")


def serial_number(row, guest, space):
    guest.load_driver()
    mac = bytes.fromhex(guest.out("cat /sys/class/net/eth0/address").strip().replace(":", ""))
    expected = mac[:2:-1] + b"\xff\xff" + mac[2::-1]
    row.check("the serial number is made of the station address", space[0x144:0x14C] == expected,
              f"{space[0x144:0x14C].hex()}, not {expected.hex()}")


def lspci(row, shown):
    for name, pattern in (
            ("Ethernet controller of Intel", r"01:00\.0 .*\[?0200\]?.*8086:10d3"),
            ("power management 2 with PME from D0, D3hot and D3cold",
             r"Power Management version 2\n\s+Flags: .*D1- D2- .*PME\(D0\+,D1-,D2-,D3hot\+"),
            ("MSI of one 64-bit message", r"MSI: Enable- Count=1/1 Maskable- 64bit\+"),
            ("an Express endpoint of 256 bytes",
             r"Express \(v1\) Endpoint.*\n\s+DevCap:\s+MaxPayload 256 bytes.*L0s <512ns, L1 <64us"),
            ("no FLR", r"FLReset-"),
            ("link capabilities 2.5 GT/s x1 with L0s and L1",
             r"LnkCap:.*Speed 2\.5GT/s, Width x1, ASPM L0s L1"),
            ("link status 2.5 GT/s x1", r"LnkSta:\s+Speed 2\.5GT/s.*Width x1"),
            ("MSI-X of 5, in use", r"MSI-X: Enable\+ Count=5 Masked-"),
            ("table and PBA in BAR 3", r"Vector table: BAR=3 offset=00000000\n\s+PBA: BAR=3 "
             r"offset=00002000"),
            ("AER without an error",
             r"\[100 v1\] Advanced Error Reporting\n\s+UESta:\s+(\w+- ?)+\n"),
            ("a device serial number", r"\[140 v1\] Device Serial Number"),
            ("the driver in use", r"Kernel driver in use: e1000e")):
        row.check(f"lspci shows {name}", re.search(pattern, shown), "see lspci.txt")
