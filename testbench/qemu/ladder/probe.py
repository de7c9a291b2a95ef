"""Row 2: the Linux driver finds the card, and ethtool can read all of it."""
import re
import socket

from bench import GUEST, HOST, PREFIX

TRACE = "/sys/kernel/tracing"
PORTS = range(40001, 40033)
CLOSED_PORT = 9


def probe(row):
    """Linux e1000e: probe, link up, ethtool -i -d -e -S -k -T, RSS hashes"""
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="probe") as guest:
        who = f"Linux {guest.session.kernel}"
        look(row, guest, who)
        hashes(row, guest, who)


def probe_short(row):
    """Linux e1000e: probe, link up, ethtool -i -d -e -S -k -T"""
    with row.boot(driver="e1000e", address=f"{GUEST}/{PREFIX}", label="probe") as guest:
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


def hashes(row, guest, who):
    """What the card writes into descriptors: Toeplitz over addresses and ports, with the key that
    the kernel gave the driver. The driver has no ethtool -x; it leads all to queue 0."""
    for kind, fields in (("tcp4", 4), ("tcp6", 4), ("udp4", 2)):
        said = guest.run(f"ethtool -n eth0 rx-flow-hash {kind}")
        row.keep(f"ethtool-n-{kind}.txt", repr(said))
        row.check(f"{who}: ethtool -n says that {kind} is hashed over {fields} fields",
                  len(re.findall(r"^(?:IP [SD]A|L4 bytes .*)$", said.out, re.M)) == fields, said)
    key = bytes.fromhex(guest.out("cat /proc/sys/net/core/netdev_rss_key").strip()
                        .replace(":", ""))
    event = f"{TRACE}/events/net/napi_gro_receive_entry/enable"
    guest.out(f"mount -t tracefs none {TRACE} 2>/dev/null; echo 1 >{event}")
    row.host.run("ping", "-q", "-c", 1, "-W", 5, GUEST, check=False)
    for port in PORTS:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((HOST, port))
            one.settimeout(5)
            one.connect_ex((GUEST, CLOSED_PORT))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        for port in PORTS:
            one.sendto(b"datagram", (GUEST, port))
    guest.out("sleep 1")
    trace = guest.out(f"echo 0 >{event}; grep dev=eth0 {TRACE}/trace")
    row.keep("trace.txt", trace)
    given = [int(word, 16) for word in re.findall(r" hash=0x([0-9a-f]+)", trace)]
    addresses = socket.inet_aton(HOST) + socket.inet_aton(GUEST)
    wanted = [toeplitz(key, addresses + port.to_bytes(2, "big") + CLOSED_PORT.to_bytes(2, "big"))
              for port in PORTS]
    missing = [f"{value:#010x}" for value in wanted if value not in given]
    row.check(f"{who}: {len(PORTS)} connections have the hashes that the key gives", not missing,
              f"{len(missing)} missing: {missing[:4]}; given: {[hex(one) for one in given[:8]]}")
    alone = toeplitz(key, addresses)
    row.check(f"{who}: {len(PORTS)} datagrams have the hash of their addresses",
              given.count(alone) >= len(PORTS), f"{given.count(alone)} times {alone:#010x}")
    row.note(f"{who}: ethtool -x: {guest.run('ethtool -x eth0').err.strip()}")


def toeplitz(key, data):
    """The RSS hash: for each bit of the data that is set, the 32 bits of the key from there on."""
    bits = int.from_bytes(key, "big")
    length = len(key) * 8
    value = 0
    for place in range(len(data) * 8):
        if data[place // 8] >> (7 - place % 8) & 1:
            value ^= bits >> (length - 32 - place) & 0xFFFFFFFF
    return value
