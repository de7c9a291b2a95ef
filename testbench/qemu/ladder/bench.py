"""What the rows of the ladder share: checks, guests with their evidence, and a host on the cable.

Everything runs in a network namespace of its own that ends with the program, so that no device and
no address of the machine is touched.
"""
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import guest_image  # noqa: E402
import qemu_program  # noqa: E402
from debian_tree import make_tree  # noqa: E402
from doorbell_qemu import BUILD, ROOT, program  # noqa: E402
from machine import Machine  # noqa: E402
from problem import Missing, Problem  # noqa: E402
from session import Session, end, evidence_folder  # noqa: E402

INSIDE = "DOORBELL_NAMESPACE"
HOST, GUEST, PREFIX = "10.77.0.1", "10.77.0.2", 24
TAP = "tap0"
HOST_TOOLS = "6.1"  # the guest whose ip, ping, iperf3 are used on this side too
# What a healthy driver never says.
COMPLAINTS = re.compile(
    r"Hardware Unit Hang|NETDEV WATCHDOG|Reset adapter|Hardware Error|Detected Tx Unit Hang|"
    r"Unable to handle|BUG:|WARNING:|Call Trace|nobody cared|soft lockup|rcu.*stall", re.IGNORECASE)


UDP = ("-u", "-b", "20M")  # a rate that an emulated guest of a busy machine can hold
UDP_TRIES = 3
UDP_SHARE = 0.5


@dataclasses.dataclass
class Iperf:
    """What `iperf3 -J` says: what the receiver got, and of UDP which part of what was sent."""
    mbps: float
    share: float
    problem: str

    @property
    def good(self):
        return not self.problem and self.mbps > 1 and self.share >= UDP_SHARE


def iperf_result(text):
    try:
        told = json.loads(text)
    except ValueError:
        return Iperf(0, 0, f"iperf3 did not end as it should: {text[-300:]}")
    if "error" in told:
        return Iperf(0, 0, told["error"])
    sent, received = (told["end"].get(name, {}) for name in ("sum_sent", "sum_received"))
    # By bytes: what was lost behind the last that arrived is not among the lost packets.
    udp = "packets" in sent
    share = received.get("bytes", 0) / sent["bytes"] if udp and sent["bytes"] else 1 - udp
    return Iperf(received.get("bits_per_second", 0) / 1e6, share, "")


def iperf(once, udp):
    """The result of once(), which gives iperf3's words. UDP has more than one try: a guest that the
    machine forgets for a second loses what nobody sends again, a card that loses does so always."""
    for _ in range(UDP_TRIES if udp else 1):
        result = iperf_result(once())
        if result.good:
            break
    return result


def enter_namespace(guests, recipes=()):
    """Makes what is needed while there is a network, then runs the program again in a network
    namespace of its own; returns inside it."""
    if os.environ.get(INSIDE):
        return
    qemu_program.find_qemu(BUILD)
    for guest in {HOST_TOOLS, *guests}:
        guest_image.make_image(BUILD, guest)
    for recipe in recipes:
        make_tree(BUILD, recipe)
    words = ["unshare", "--net"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True)
    if tried.returncode != 0:
        raise Missing("no network namespace can be made here, which the far side of the cable "
                      "needs: " + tried.stderr.strip())
    os.environ[INSIDE] = "1"
    sys.stdout.flush()
    os.execvp(words[0], [*words, sys.executable, *sys.argv])


class HostSide:
    """A TAP with an address, and the guest packages' programs run on this side of it."""

    def __init__(self, tree):
        self.tree = tree
        self.children = []

    def words(self, *words):
        return [*self.tree.command(words[0]), *(str(word) for word in words[1:])]

    def run(self, *words, seconds=120, check=True):
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=seconds)
        if check and done.returncode != 0:
            raise Problem(f"{' '.join(map(str, words))}: "
                          + (done.stderr.strip() or done.stdout[-300:]))
        return done

    def start(self, *words, log=subprocess.DEVNULL):
        child = subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT)
        self.children.append(child)
        return child

    def make_tap(self, name=TAP, address=HOST):
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "tuntap", "add", "dev", name, "mode", "tap", "vnet_hdr")
        # Nothing speaks on the cable unasked.
        pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1")
        self.run("ip", "address", "add", f"{address}/{PREFIX}", "dev", name)
        self.run("ip", "link", "set", name, "up")

    def stop(self):
        for child in self.children:
            end(child, 2)


class Guest:
    """A booted guest as a row uses it."""

    def __init__(self, row, session):
        self.row = row
        self.session = session

    def run(self, script, seconds=300):
        return self.session.run(script, seconds)

    def out(self, script, seconds=300):
        """The output of a script that must succeed."""
        result = self.run(script, seconds)
        if result.status != 0:
            raise Problem(f"in the guest: {script.strip().splitlines()[0]}: {result}")
        return result.out

    def wait_for(self, script, seconds=20):
        """True as soon as the script succeeds; False when it did not within the time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.run(script).status == 0:
                return True
            time.sleep(0.1)
        return False

    def has_link(self, seconds=20, device="eth0"):
        return self.wait_for(f"[ \"$(cat /sys/class/net/{device}/carrier 2>/dev/null)\" = 1 ]",
                             seconds)

    def load_driver(self, arguments="", address=f"{GUEST}/{PREFIX}", mtu=None):
        self.out(f"""
            modprobe -r e1000e 2>/dev/null; modprobe e1000e {arguments}
            {f'ip link set eth0 mtu {mtu}' if mtu else ''}
            ip address add {address} dev eth0 && ip link set eth0 up""")

    def complaints(self):
        """Lines of the kernel's log that a healthy driver does not cause."""
        return [line for line in self.out("dmesg").splitlines() if COMPLAINTS.search(line)]

    def driver_warnings(self):
        """What the driver or PCI said at level warning or above (dmesg -r gives the level)."""
        found = []
        for line in self.out("dmesg -r").splitlines():
            level = re.match(r"<(\d+)>", line)
            if level and int(level[1]) % 8 <= 4 and re.search(r"e1000e|0000:01:00|eth0", line):
                found.append(line)
        return found

    def statistics(self):
        text = self.out("ethtool -S eth0")
        return {name: int(value) for name, value in re.findall(r"^\s+(\S+): (\d+)", text, re.M)}


class Row:
    """One row of the table: its checks, its guests, its folder of evidence."""

    def __init__(self, ladder, number, name, folder):
        self.ladder = ladder
        self.number = number
        self.name = name
        self.folder = folder
        self.passed = 0
        self.failed = []
        self.boots = 0
        self.quiet = False

    @property
    def host(self):
        return self.ladder.host

    def note(self, text):
        print(f"     row {self.number}: {text}", flush=True)

    def check(self, sentence, holds, detail=""):
        holds = bool(holds)
        text = f"{'PASS' if holds else 'FAIL'} row {self.number}: {sentence}"
        if detail != "" and not holds:
            lines = str(detail).rstrip().splitlines()
            text += "".join(f"\n       | {line}" for line in lines[:25])
        if not (self.quiet and holds):
            print(text, flush=True)
        if holds:
            self.passed += 1
        else:
            self.failed.append(sentence)
        return holds

    def keep(self, name, text):
        (self.folder / name).write_text(text)

    @contextlib.contextmanager
    def boot(self, driver="none", driver_arguments="", address="none", guest=None, label="",
             **changes):
        """A guest on the wire; its console, the server's log and its kernel's log are kept."""
        self.boots += 1
        folder = self.folder / (label or f"boot{self.boots}")
        options = {"nic": self.ladder.nic, "wire": f"tap:{TAP}",
                   "guest": guest or self.ladder.guest} | changes
        image = self.ladder.image(options["guest"])
        options.setdefault("kernel", str(image.kernel))
        options.setdefault("initrd", str(image.initramfs))
        if options["nic"] == "builtin":
            options.pop("capture", None)
            options.pop("sets", None)
        settings = {"mode": "exec", "driver": driver, "driver_arguments": driver_arguments,
                    "address": address}
        with evidence_folder(folder) as folder, \
                Session(self.ladder.qemu, Machine(**options), program(), folder,
                        settings if options["initrd"] else None) as session:
            session.start_server()
            session.start_guest()
            if options["initrd"]:
                session.wait_until_ready()
            guest = Guest(self, session)
            try:
                yield guest
            finally:
                with contextlib.suppress(Problem, OSError):
                    if session.kernel:
                        (folder / "dmesg.txt").write_text(session.run("dmesg", 20).out)
                session.stop()
            failure = session.server_failure()
            if options["nic"] == "model":
                self.check(f"{folder.name}: the server ended in order", failure is None, failure)

    def no_complaints(self, guest, when):
        found = guest.complaints()
        self.check(f"the guest's kernel complains of nothing {when}", not found, "\n".join(found))


class Ladder:
    def __init__(self, nic="model", guest="6.1", out="out/ladder"):
        self.nic = nic
        self.guest = guest
        self.out = pathlib.Path(out).resolve()
        self.qemu = qemu_program.find_qemu(BUILD)
        self.images = {}
        self.host = HostSide(guest_image.guest_tree(BUILD, HOST_TOOLS))
        self.results = []

    def image(self, guest):
        if guest not in self.images:
            self.images[guest] = guest_image.make_image(BUILD, guest)
        return self.images[guest]

    def climb(self, rows):
        """Runs (number, name, function) rows; returns the exit code."""
        self.host.make_tap()
        try:
            for number, name, function in rows:
                self.step(number, name, function)
        finally:
            self.host.stop()
        passed = sum(result["passed"] for result in self.results)
        failed = sum(len(result["failed"]) for result in self.results)
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "result.json").write_text(json.dumps(
            {"nic": self.nic, "guest": self.guest, "rows": self.results}, indent=1) + "\n")
        print(f"{passed} passed, {failed} failed (evidence: {self.out})", flush=True)
        return 1 if failed or not passed else 0

    def step(self, number, name, function):
        folder = self.out / f"row{number}-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        row = Row(self, number, name, folder)
        print(f"     row {number}: {function.__doc__.strip().splitlines()[0]}", flush=True)
        started = time.monotonic()
        try:
            function(row)
        except Problem as problem:
            row.check("runs to its end", False, problem)
        except subprocess.TimeoutExpired as late:
            row.check("runs to its end", False, f"{late.cmd[-6:]} took more than {late.timeout} s")
        self.results.append({"row": number, "name": name, "passed": row.passed,
                             "failed": row.failed,
                             "seconds": round(time.monotonic() - started, 1)})
        row.note(f"took {time.monotonic() - started:.0f} s")


__all__ = ["BUILD", "GUEST", "HOST", "PREFIX", "ROOT", "TAP", "UDP", "Iperf", "Ladder", "Missing",
           "Problem", "enter_namespace", "iperf", "iperf_result"]
