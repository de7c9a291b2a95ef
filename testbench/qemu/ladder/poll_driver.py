"""Row 8: DPDK's polling driver (net_e1000_em) under testpmd."""
import dataclasses
import json
import re
import socket
import struct
import time

import guest_image
from bench import BUILD, GUEST, HOST, TAP, Problem
from debian_tree import Recipe, make_tree

# Of the suite that brings the guest: its libraries are the guest's. DPDK 22.11 and 24.11.
ABIS = {"6.1": 23, "6.12": 25}
# Loaded at run time, so that nobody needs them by name.
PLUGINS = ("librte_bus_pci", "librte_mempool_ring", "librte_net_e1000")
MAC = "02:00:00:82:57:77"  # of the far side, as far as testpmd is told
START_SECONDS = 120
RECEIVE_RING = 2048  # what a guest that the machine forgot for 0.2 s finds waiting for it
PREPARE = """
    chmod 755 /  # plug-ins below a folder that all may write are refused
    echo 96 >/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
    mount -t hugetlbfs none /dev/hugepages
    modprobe uio_pci_generic
    echo 8086 10d3 >/sys/bus/pci/drivers/uio_pci_generic/new_id
    ls /sys/bus/pci/drivers/uio_pci_generic/0000:01:00.0 >/dev/null"""


def recipe(guest):
    abi = ABIS[guest]
    # The first has the name it had when it was the only one: it need not be fetched again.
    return Recipe("dpdk" if guest == "6.1" else f"dpdk-{guest}", [guest_image.SUITES[guest]],
                  ["dpdk-dev", f"librte-net-e1000-{abi}", f"librte-bus-pci{abi}",
                   f"librte-mempool-ring{abi}"])


def plugin_files(row):
    return [f"{name}.so.{ABIS[row.ladder.guest]}" for name in PLUGINS]


def poll_driver(row):
    """DPDK testpmd net_e1000_em: txonly and rxonly with 1 and 2 queues, icmpecho"""
    initrd = with_dpdk(row)
    with row.boot(label="testpmd", initrd=str(initrd), cpus=2, memory_mb=640,
                  qemu_arguments=("-cpu", "max")) as guest:
        guest.out(PREPARE)
        for queues in (1, 2):
            transmits(row, guest, queues)
            receives(row, guest, queues)
        answers(row, guest)
        row.no_complaints(guest, "after testpmd")


def with_dpdk(row):
    """The guest's initramfs with testpmd behind it."""
    tree = make_tree(BUILD, recipe(row.ladder.guest))
    archive = guest_image.Archive()
    copied = set()

    def copy(file, name):
        if name not in copied:
            copied.add(name)
            archive.file(name, file.read_bytes(), 0o755)

    program = tree.find("dpdk-testpmd")
    if program is None:
        raise Problem(f"no package of {tree.path} brings dpdk-testpmd")
    libraries = tree.path / "usr/lib/x86_64-linux-gnu"
    files = [libraries / name for name in plugin_files(row)]
    if not all(file.exists() for file in files):
        raise Problem(f"{tree.path} lacks one of {', '.join(plugin_files(row))}")
    copy(program, "usr/bin/dpdk-testpmd")
    for file in files:
        # Where others that need it find it too: loaded twice it would not know itself.
        copy(file, f"usr/lib/x86_64-linux-gnu/{file.name}")
    for file in (program, *files):
        for library in tree.libraries(file):
            copy(library, f"usr/lib/x86_64-linux-gnu/{library.name}")
    initrd = row.folder / "initrd"
    initrd.write_bytes(row.ladder.image(row.ladder.guest).initramfs.read_bytes() + archive.whole())
    return initrd


@dataclasses.dataclass
class Counted:
    """What testpmd says when it ends. `queues` is empty when there is only one."""
    taken: int    # packets that it took from the receive rings
    queues: dict  # packets taken and given, by queue
    card: dict    # the card's own counters


def counters(text):
    queue = re.compile(r"Forward Stats for RX Port= *0/Queue= *(\d+) .*\n"
                       r"\s*RX-packets:\s+(\d+)\s+TX-packets:\s+(\d+)")
    taken = re.search(r"Forward statistics for port 0 .*\n\s*RX-packets:\s+(\d+)", text)
    card = text.partition("NIC statistics for port 0")[2]
    return Counted(
        taken=int(taken[1]) if taken else 0,
        queues={int(number): (int(rx), int(tx)) for number, rx, tx in queue.findall(text)},
        card={word: int(value) for word, value in re.findall(
            r"(RX-packets|TX-packets|RX-errors|RX-missed|TX-errors):\s+(\d+)", card)})


def start(guest, mode, queues, options=""):
    """testpmd runs, interactive, with a pipe as its terminal."""
    plugins = " ".join(f"-d /usr/lib/x86_64-linux-gnu/{name}"
                       for name in plugin_files(guest.row))
    guest.out(f"""
        rm -f /run/go /run/testpmd.log && mkfifo /run/go
        {{
            # Open both ways: it neither waits for the other end nor ends with it.
            exec 9<>/run/go
            dpdk-testpmd -l 0-1 --iova-mode=pa --in-memory {plugins} -a 0000:01:00.0 \\
                --log-level=lib.eal:5 -- --interactive --forward-mode={mode} --rxq={queues} \\
                --txq={queues} --rxd={RECEIVE_RING} --total-num-mbufs=8192 {options} <&9
        }} >/run/testpmd.log 2>&1 &
        echo start >/run/go""")
    if not guest.wait_for("grep -q 'packet forwarding - ports=1' /run/testpmd.log",
                          START_SECONDS):
        raise Problem("testpmd did not start:\n" + guest.run("tail -30 /run/testpmd.log").out)


def stop(row, guest, name):
    """What it counted."""
    guest.run("""
        pidof dpdk-testpmd >/dev/null || exit 1
        printf 'stop\\nshow port stats 0\\nshow port info 0\\nquit\\n' >/run/go
        for n in $(seq 100); do pidof dpdk-testpmd >/dev/null || break; usleep 100000; done
        pidof dpdk-testpmd && kill $(pidof dpdk-testpmd)""", 60)
    text = guest.out("cat /run/testpmd.log")
    row.keep(f"{name}.txt", text)
    row.check(f"{name}: the port is net_e1000_em, up at 1 Gb/s",
              "Driver name: net_e1000_em" in text and "Link status: up" in text
              and "Link speed: 1 Gbps" in text, text[-1500:])
    return counters(text)


def tap_packets(row, direction):
    """This namespace's /sys is another's; ip asks the kernel."""
    text = row.host.run("ip", "-s", "-j", "link", "show", TAP).stdout
    return json.loads(text)[0]["stats64"][direction]["packets"]


def transmits(row, guest, queues):
    name = f"txonly, {queues} queue{'s' * (queues > 1)}"
    before = tap_packets(row, "rx")
    start(guest, "txonly", queues)
    first, began = tap_packets(row, "rx"), time.monotonic()
    time.sleep(3)
    rate = (tap_packets(row, "rx") - first) / (time.monotonic() - began)
    counted = stop(row, guest, name)
    arrived = tap_packets(row, "rx") - before
    row.note(f"{name}: {rate / 1000:.0f} kpps")
    row.check(f"{name}: packets leave, and all of them arrive at the TAP",
              counted.card.get("TX-packets", 0) > 10000
              and abs(arrived - counted.card["TX-packets"]) <= 64, f"{counted}, arrived {arrived}")
    if queues == 2:
        row.check(f"{name}: each queue sends a fair part",
                  all(counted.queues.get(one, (0, 0))[1] > 2000 for one in range(2)), counted)


def datagram(number):
    """To the guest, from a port of its own: a card that hashed would lead it to either queue."""
    payload = b"x" * 18
    udp = struct.pack(">HHHH", 1024 + number % 512, 9, 8 + len(payload), 0) + payload
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64,
                       socket.IPPROTO_UDP, 0, socket.inet_aton(HOST), socket.inet_aton(GUEST))
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", 0xFFFF & ~(total + (total >> 16))) + head[12:]
    return b"\xff" * 6 + bytes.fromhex(MAC.replace(":", "")) + b"\x08\x00" + head + udp


def receives(row, guest, queues):
    name = f"rxonly, {queues} queue{'s' * (queues > 1)}"
    start(guest, "rxonly", queues)
    sent = 20000
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as cable:
        cable.bind((TAP, 0))
        for number in range(sent):
            cable.send(datagram(number))
            if number % 20 == 0:
                time.sleep(0.002)
    time.sleep(1)
    counted = stop(row, guest, name)
    row.check(f"{name}: {sent} datagrams from 512 ports reach testpmd",
              sent * 0.99 <= counted.taken <= sent + 200, counted)
    row.check(f"{name}: the card counts them as received too",
              abs(counted.card.get("RX-packets", 0) - counted.taken) <= 200, counted)
    if queues == 2:
        # The driver has legacy descriptors, with which the 82574L has no RSS, and asks for none.
        row.check(f"{name}: without RSS all are led to queue 0",
                  [queue for queue, (rx, _) in counted.queues.items() if rx] == [0], counted)


def answers(row, guest):
    start(guest, "icmpecho", 1)
    done = row.host.run("ping", "-q", "-c", 200, "-i", "0.01", "-W", 2, GUEST, check=False)
    counted = stop(row, guest, "icmpecho")
    found = re.search(r"(\d+) received", done.stdout)
    row.check("icmpecho: 200 of 200 echoes are answered", found and found[1] == "200",
              f"{done.stdout} {counted}")
