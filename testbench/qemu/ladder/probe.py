"""Row 2: the Linux driver finds the card, and ethtool can read all of it."""
import re


def probe(row):
    """Linux 6.1 and 6.12 e1000e: probe, link up, ethtool -i -d -e -S -k -T"""
    for kernel in ("6.1", "6.12"):
        probe_under(row, kernel)


def probe_short(row):
    """Linux e1000e: probe, link up, ethtool -i -d -e -S -k -T"""
    probe_under(row, row.ladder.guest)


def probe_under(row, kernel):
    with row.boot(driver="e1000e", address="10.77.0.2/24", guest=kernel,
                  label=f"linux-{kernel}") as guest:
        look(row, guest, f"Linux {guest.session.kernel}")


def look(row, guest, who):
    row.check(f"{who}: the link comes up", guest.has_link(), guest.out("dmesg | tail"))
    log = guest.out("dmesg")
    row.check(f"{who}: the link is 1000 Mb/s full duplex with flow control both ways",
              "NIC Link is Up 1000 Mbps Full Duplex, Flow Control: Rx/Tx" in log,
              guest.out("dmesg | grep e1000e"))
    row.check(f"{who}: the driver knows the part (MAC 3, PHY 8) and a 2.5 GT/s x1 link",
              re.search(r"MAC: 3, PHY: 8", log) and "(PCI Express:2.5GT/s:Width x1)" in log,
              guest.out("dmesg | grep e1000e"))
    warnings = guest.driver_warnings()
    row.check(f"{who}: no error or warning in dmesg", not warnings, "\n".join(warnings))
    row.no_complaints(guest, f"({who})")
    interrupts = [line.split()[-1] for line in guest.out("cat /proc/interrupts").splitlines()
                  if "MSIX" in line.replace("-", "") or "PCI-MSI" in line if "eth0" in line]
    row.check(f"{who}: 3 MSI-X vectors", sorted(interrupts) == ["eth0", "eth0-rx-0", "eth0-tx-0"],
              guest.out("cat /proc/interrupts"))
    row.check(f"{who}: a PTP clock is registered",
              "registered PHC clock" in log and guest.run("test -c /dev/ptp0").status == 0,
              guest.out("dmesg | grep -i -e phc -e ptp"))
    ethtool(row, guest, who)


def ethtool(row, guest, who):
    said = {}
    for option in ("-i", "-d", "-e", "-S", "-k", "-T", ""):
        result = guest.run(f"ethtool {option} eth0")
        said[option] = result.out
        row.keep(f"ethtool{option}-{who.split()[-1]}.txt", result.out)
        row.check(f"{who}: ethtool {option or 'eth0'} works", result.status == 0 and result.out,
                  result)
    row.check(f"{who}: the driver is e1000e with a firmware version",
              re.search(r"driver: e1000e\n(.*\n)*firmware-version: \d+\.\d+-\d+", said["-i"]),
              said["-i"])
    words = re.findall(r"^0x[0-9a-f]{4}:?\s+(.*)$", said["-e"], re.MULTILINE)
    content = bytes(int(byte, 16) for line in words for byte in line.split())
    total = sum(content[n] | content[n + 1] << 8 for n in range(0, 128, 2)) if content else 0
    row.check(f"{who}: the NVM's first 64 words sum to 0xBABA", total & 0xFFFF == 0xBABA,
              f"sum {total & 0xFFFF:#06x} of {len(content)} bytes")
    mac = guest.out("cat /sys/class/net/eth0/address").strip()
    row.check(f"{who}: the NVM holds the station address {mac}",
              ":".join(f"{byte:02x}" for byte in content[:6]) == mac, content[:6].hex())
    row.check(f"{who}: CTRL and STATUS in the dump say link up, full duplex, 1000 Mb/s",
              re.search(r"STATUS.*\n(.*\n)*?\s+Link up:\s+link config", said["-d"]) or
              re.search(r"Duplex:\s+full", said["-d"]), said["-d"][:600])
    counted = {name: int(value) for name, value in
               re.findall(r"^\s+(\S+): (\d+)", said["-S"], re.MULTILINE)}
    errors = {name: value for name, value in counted.items()
              if value and re.search("error|missed|dropped|timeout|hang|fail", name)}
    row.check(f"{who}: {len(counted)} statistics and no error among them",
              len(counted) > 30 and not errors, errors)
    for feature in ("tcp-segmentation-offload", "scatter-gather", "generic-receive-offload",
                    "rx-vlan-offload", "tx-vlan-offload", "receive-hashing"):
        row.check(f"{who}: {feature} is on", re.search(rf"^\s*{feature}: on", said["-k"], re.M),
                  said["-k"])
    row.check(f"{who}: hardware time stamps both ways and PTP hardware clock 0",
              re.search(r"hardware-transmit", said["-T"]) and
              re.search(r"hardware-receive", said["-T"]) and
              re.search(r"PTP Hardware Clock: 0|Hardware timestamp provider index: 0", said["-T"]),
              said["-T"])
