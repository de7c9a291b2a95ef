"""Row 5: bulk data both ways, with every offload on and off, and files compared."""
import contextlib
import hashlib
import itertools
import random
import socket
import threading

from bench import GUEST, HOST, TAP, UDP, iperf
from vlan_host import VlanHost

FIRST_PORT = 5201
FILE_PORT = 5300
VLAN, VLAN_HOST, VLAN_GUEST = 5, "10.78.0.1", "10.78.0.2"
ALL_ON = "tso on gso on tx on rx on sg on gro on rxvlan on txvlan on rxhash on"
# Each: what is said to ethtool -K eth0 after everything was switched on.
OFFLOADS = (
    ("all on", ""),
    ("no TSO", "tso off gso off"),
    ("no scatter-gather", "sg off"),
    ("no checksums sent", "tx off"),
    ("no checksums received", "rx off"),
    ("no GRO", "gro off"),
    ("no VLAN tags in hardware", "rxvlan off txvlan off"),
    ("nothing", "tso off gso off tx off rx off sg off gro off rxvlan off txvlan off rxhash off"),
)
JUMBO = 9000


def transfer(row):
    """iperf3 TCP and UDP both ways, every offload on and off; files by TCP compared"""
    with row.boot(driver="e1000e", address=f"{GUEST}/24", label="offloads", cpus=2) as guest, \
            tagged_host(row):
        prepare(row, guest)
        for name, words in OFFLOADS:
            under(row, guest, name, words, 5, 20_000_000)
        jumbo_frames(row, guest, True)
        for name, words in OFFLOADS:
            under(row, guest, f"MTU {JUMBO}, {name}", words, 2, 20_000_000)
        jumbo_frames(row, guest, False)
        finish(row, guest)
    with row.boot(driver="e1000e", address=f"{GUEST}/24", label="captured",
                  capture=str(row.folder / "wire.pcapng")) as guest, tagged_host(row):
        prepare(row, guest)
        under(row, guest, "captured, all on", OFFLOADS[0][1], 1, 5_000_000)
        finish(row, guest)


def transfer_short(row):
    """iperf3 TCP and UDP both ways with all offloads and with none; a file each way compared"""
    with row.boot(driver="e1000e", address=f"{GUEST}/24", label="offloads") as guest, \
            tagged_host(row):
        prepare(row, guest)
        for name, words in (OFFLOADS[0], OFFLOADS[-1]):
            under(row, guest, name, words, 1, 5_000_000)
        finish(row, guest)


@contextlib.contextmanager
def tagged_host(row):
    """This side of the VLAN."""
    host = VlanHost(TAP, "vlan0", VLAN)
    row.host.run("ip", "address", "add", f"{VLAN_HOST}/24", "dev", "vlan0")
    row.host.run("ip", "link", "set", "vlan0", "up")
    try:
        yield
    finally:
        host.stop()


def prepare(row, guest):
    row.check("the link is up", guest.has_link(), guest.out("dmesg | tail"))
    guest.out(f"""
        modprobe 8021q
        ip link add link eth0 name eth0.{VLAN} type vlan id {VLAN}
        ip address add {VLAN_GUEST}/24 dev eth0.{VLAN} && ip link set eth0.{VLAN} up""")


def jumbo_frames(row, guest, wanted):
    """Both ends of the cable and of the VLAN on it take large frames, or no longer."""
    mtu = JUMBO if wanted else 1500
    devices = [TAP, "vlan0"] if wanted else ["vlan0", TAP]
    for device in devices:
        row.host.run("ip", "link", "set", device, "mtu", mtu)
    order = ["eth0", f"eth0.{VLAN}"] if wanted else [f"eth0.{VLAN}", "eth0"]
    guest.out(" && ".join(f"ip link set {device} mtu {mtu}" for device in order))
    row.check(f"the link is up with MTU {mtu}", guest.has_link(), guest.out("dmesg | tail"))


def finish(row, guest):
    counted = guest.statistics()
    row.keep("statistics.txt", guest.out("ethtool -S eth0"))
    errors = {name: value for name, value in counted.items()
              if value and name in ("rx_crc_errors", "tx_timeout_count", "tx_aborted_errors",
                                    "rx_csum_offload_errors", "tx_dma_failed", "rx_dma_failed",
                                    "rx_align_errors", "rx_long_length_errors")}
    row.check("the driver counts no corruption, no failed DMA, no transmit timeout", not errors,
              errors)
    row.no_complaints(guest, "after the transfers")


def under(row, guest, name, words, seconds, size):
    off = f"ethtool -K eth0 {words}" if words else "true"
    result = guest.run(f"ethtool -K eth0 {ALL_ON} && {off}")
    row.check(f"{name}: ethtool -K {words or ALL_ON}", result.status == 0, result)
    row.check(f"{name}: the link is up", guest.has_link(), guest.out("dmesg | tail"))
    for target in (GUEST, VLAN_GUEST):
        if not reaches(row, target):
            row.check(f"{name}: {target} answers", False,
                      guest.out("ip -s link show eth0; dmesg | tail"))
            return
    measured = [throughput(row, guest, name, kind, ["-c", target, *more], seconds)
                for kind, target, more in
                (("TCP in", GUEST, ()), ("TCP out", GUEST, ("-R",)),
                 ("UDP in", GUEST, UDP),
                 ("UDP out", GUEST, ("-R", *UDP)),
                 ("TCP in, VLAN", VLAN_GUEST, ()), ("TCP out, VLAN", VLAN_GUEST, ("-R",)))]
    row.note(f"{name}: " + ", ".join(measured))
    files(row, guest, name, size)


def reaches(row, address):
    for _ in range(5):
        if row.host.run("ping", "-q", "-c", 1, "-W", 2, address, check=False).returncode == 0:
            return True
    return False


def serve_iperf(guest, count=itertools.count(FIRST_PORT)):
    """A server for one test, on a port of its own: one that serves several is deaf in between."""
    port = next(count)
    guest.out(f"""
        iperf3 -s -1 -D -p {port} >/dev/null 2>&1
        until grep -q ":{port:04X} .* 0A " /proc/net/tcp /proc/net/tcp6; do usleep 10000; done""")
    return port


def throughput(row, guest, name, kind, words, seconds):
    def once():
        port = serve_iperf(guest)
        done = row.host.run("iperf3", *words, "-p", port, "-t", seconds, "-J", check=False,
                            seconds=seconds + 60)
        return done.stdout or done.stderr

    udp = "-u" in words
    result = iperf(once, udp)
    row.check(f"{name}: iperf3 {kind} {'brings half of it or more' if udp else 'moves data'}",
              result.good, result)
    return f"{kind} {result.mbps:.0f} Mb/s"


def files(row, guest, name, size):
    """A file each way by busybox's nc, which knows nothing of checksums: they are compared here."""
    content = random.Random(size).randbytes(size)
    digest = hashlib.sha256(content).hexdigest()
    sender = threading.Thread(target=offer, args=(content,), daemon=True)
    sender.start()
    got = guest.run(f"busybox nc {HOST} {FILE_PORT} </dev/null | tee /tmp/file | sha256sum", 120)
    sender.join(10)
    row.check(f"{name}: a file of {size:,} bytes arrives whole in the guest", digest in got.out,
              got)
    received = []
    receiver = threading.Thread(target=take, args=(received,), daemon=True)
    receiver.start()
    sent = guest.run(f"busybox nc {HOST} {FILE_PORT} </tmp/file; sha256sum /tmp/file; rm /tmp/file",
                     120)
    receiver.join(10)
    row.check(f"{name}: the same file arrives whole at the host", received == [digest] and
              digest in sent.out, f"{received} {sent}")


def listener():
    one = socket.create_server((HOST, FILE_PORT))
    one.settimeout(60)
    return one


def offer(content):
    with listener() as one:
        link, _ = one.accept()
        with link:
            link.settimeout(100)
            link.sendall(content)
            link.shutdown(socket.SHUT_WR)
            link.recv(1)


def take(received):
    with listener() as one:
        link, _ = one.accept()
        with link:
            link.settimeout(100)
            digest = hashlib.sha256()
            while data := link.recv(1 << 20):
                digest.update(data)
            received.append(digest.hexdigest())
