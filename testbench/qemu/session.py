"""A running machine: the server and QEMU as child processes, and commands in the guest."""
import contextlib
import ctypes
import fcntl
import json
import os
import pathlib
import re
import select
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import guest_image
from machine import PORTS, command_text, qemu_words, serve_words
from problem import Problem

BOOT_SECONDS = 180
SERVER_SECONDS = 20
MONITOR_SECONDS = 60
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def dies_with_us():
    """In a child before it becomes its program: should we be killed, it does not outlive us."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def end(process, seconds=10, ask=signal.SIGTERM):
    """Asks a child to end, and sees that it does."""
    if process is None or process.poll() is not None:
        return
    process.send_signal(ask)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def tail(path, lines=15):
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""
    found = [line.rstrip() for line in text.splitlines() if line.strip()]
    return "".join(f"\n  | {line}" for line in found[-lines:])


def indented(text):
    return "".join(f"\n  | {line}" for line in text.splitlines())


def make_folder(folder):
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Problem(f"the folder {folder} cannot be made: {error.strerror}; name another one "
                      "with --out") from None


@contextlib.contextmanager
def evidence_folder(wanted):
    """`wanted`, or with -2, -3, ... behind it while another run writes there."""
    for number in range(1, 1000):
        folder = pathlib.Path(wanted if number == 1 else f"{wanted}-{number}").resolve()
        make_folder(folder)
        with open(folder / ".lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            for name in ("console.log", "server.log", "commands.txt", "traceback.txt"):
                (folder / name).unlink(missing_ok=True)
            yield folder
            return
    raise Problem(f"{wanted}: a thousand runs write there already; name another folder with --out")


class Stream:
    """One output of a guest's command: passes bytes on until the word that ends it."""

    def __init__(self, pass_on, before=()):
        """`before`: words that end scripts nobody waited for, and may still come first."""
        self.pass_on = pass_on
        self.before = [word.encode() + b"\n" for word in before]
        self.held = b""
        self.end = None
        self.ended = True

    def expect(self, word):
        self.end = word.encode() + b"\n"
        self.ended = False

    def take(self, data):
        self.held += data
        if self.before and not self.skip_before():
            return
        if self.end is not None and self.end in self.held:
            data, self.held = self.held.split(self.end, 1)
            self.ended = True
            self.end = None
        else:
            # The word may have come in part.
            keep = 0
            for size in range(min(len(self.end or b"") - 1, len(self.held)), 0, -1):
                if self.end.startswith(self.held[-size:]):
                    keep = size
                    break
            cut = len(self.held) - keep
            data, self.held = self.held[:cut], self.held[cut:]
        if data:
            self.pass_on(data)


    def skip_before(self):
        """False while what has come may be a part of such a word."""
        while self.before:
            found = [word for word in self.before if self.held.startswith(word)]
            if found:
                self.held = self.held[len(found[0]):]
                self.before = self.before[self.before.index(found[0]) + 1:]
            elif any(word.startswith(self.held) for word in self.before):
                return False
            else:
                self.before = []
        return True


class Result:
    """What a command in the guest did."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err

    def __repr__(self):
        return f"exit status {self.status}{indented(self.out)}{indented(self.err)}"


class Session:
    """Use as a context: on leaving it everything it started is gone."""

    def __init__(self, qemu, machine, program, folder, settings=None, driver_file=None,
                 modules=None):
        self.qemu = qemu
        self.machine = machine
        self.program = program
        self.folder = pathlib.Path(folder)
        self.settings = settings or {}
        self.driver_file = driver_file
        self.modules = modules
        self.server = None
        self.server_end = None
        self.guest = None
        self.streams = {}
        self.lines = b""
        self.count = 0
        self.channel = None
        self.unwatched = []  # words of scripts nobody waited for since the last command
        self.kernel = ""
        self.temporary = None
        self.sockets = {}
        self.selector = selectors.DefaultSelector()

    def __enter__(self):
        # A socket's path is limited to 107 characters: not under the build folder.
        self.temporary = pathlib.Path(tempfile.mkdtemp(prefix="doorbell-"))
        return self

    def __exit__(self, kind, error, trace):
        self.stop()
        for one in (*self.sockets.values(), self.guest and self.guest.stdout):
            if one:
                one.close()
        if self.server_end is not None:
            os.close(self.server_end)
        self.selector.close()
        shutil.rmtree(self.temporary, ignore_errors=True)

    # --- starting ---------------------------------------------------------------------------------

    @property
    def socket_path(self):
        return self.temporary / "nic"

    def note(self, words):
        with open(self.folder / "commands.txt", "a") as file:
            file.write(command_text(words) + "\n")

    def start_server(self):
        if self.machine.nic == "builtin":
            return
        words = serve_words(self.program, self.machine, self.socket_path)
        self.note(words)
        with open(self.folder / "server.log", "ab") as log:
            try:
                self.server = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, preexec_fn=dies_with_us)
            except OSError as error:
                raise Problem(f"the server {self.program} cannot be started: {error.strerror}; "
                              "./doorbell build makes build/release/bin/doorbell, DOORBELL_BINARY "
                              "names another one") from None
        deadline = time.monotonic() + SERVER_SECONDS
        while not self.socket_path.exists():
            if self.server.poll() is not None:
                raise Problem("doorbell serve did not start:" + tail(self.folder / "server.log"))
            if time.monotonic() > deadline:
                raise Problem(f"doorbell serve did not listen within {SERVER_SECONDS} s:"
                              + tail(self.folder / "server.log"))
            time.sleep(0.02)

    def initrd(self):
        """The guest's initramfs with this run's settings behind it."""
        if not self.machine.initrd:
            return None
        if not self.settings:
            return self.machine.initrd
        path = self.temporary / "initrd"
        with open(path, "wb") as file:
            file.write(pathlib.Path(self.machine.initrd).read_bytes())
            file.write(guest_image.settings_archive(self.settings, self.driver_file, self.modules))
        return path

    def start_guest(self, on_terminal=False):
        theirs = {}
        if not on_terminal:
            for name in (*PORTS, "monitor"):
                ours, theirs[name] = socket.socketpair()
                ours.setblocking(name == "monitor")
                self.sockets[name] = ours
        console = None if on_terminal else self.folder / "console.log"
        words = qemu_words(
            self.qemu, self.machine, self.socket_path, self.initrd(), console,
            [theirs[name].fileno() for name in PORTS] if theirs else None,
            theirs["monitor"].fileno() if theirs else None)
        self.note(words)
        output = None if on_terminal else subprocess.PIPE
        self.guest = subprocess.Popen(
            words, stdin=None if on_terminal else subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT if output else None, start_new_session=not on_terminal,
            pass_fds=[one.fileno() for one in theirs.values()], preexec_fn=dies_with_us)
        for one in theirs.values():
            one.close()
        if not on_terminal:
            self.watch()

    def watch(self):
        for name in PORTS:
            self.selector.register(self.sockets[name], selectors.EVENT_READ, name)
        self.selector.register(self.guest.stdout, selectors.EVENT_READ, "said")
        os.set_blocking(self.guest.stdout.fileno(), False)
        if self.server:
            # Its end makes the descriptor readable: nothing is polled while all is well.
            self.server_end = os.pidfd_open(self.server.pid)
            self.selector.register(self.server_end, selectors.EVENT_READ, "server")
        self.said = b""

    # --- running ----------------------------------------------------------------------------------

    def explain_end(self):
        """Why QEMU or the server is no longer there."""
        if self.server and self.server.poll() is not None:
            code = self.server.returncode
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            return (f"doorbell serve ended {how} while the guest ran; its last lines"
                    f" ({self.folder}/server.log):" + tail(self.folder / "server.log"))
        said = self.said.decode(errors="replace").strip()
        code = self.guest.wait()
        if code != 0:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            text = f"QEMU ended {how}:{indented(said)}"
            # What QEMU calls "Unknown error" the server has explained.
            if self.server and "vfio-user" in said:
                text += (f"\nthe server's last lines ({self.folder}/server.log):"
                         + tail(self.folder / "server.log"))
            return text
        console = tail(self.folder / "console.log")
        if "Kernel panic" in console:
            return f"the guest's kernel panicked ({self.folder}/console.log):{console}"
        return ("the guest powered off or rebooted before the command was done "
                f"({self.folder}/console.log):{console}")

    def lines_until(self, deadline, what):
        """Serves all descriptors; yields each line of the control port."""
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Problem(f"{what}; the console ({self.folder}/console.log) ends with:"
                              + tail(self.folder / "console.log"))
            for key, _ in self.selector.select(min(left, 5)):
                if key.data == "server":
                    raise Problem(self.explain_end())
                data = os.read(key.fd, 65536)
                if not data:
                    if key.data == "said":
                        raise Problem(self.explain_end())
                    self.selector.unregister(key.fileobj)
                elif key.data == "said":
                    self.said += data
                elif key.data == "control":
                    self.lines += data
                else:
                    self.streams[key.data].take(data)
            while b"\n" in self.lines:
                line, self.lines = self.lines.split(b"\n", 1)
                yield line.decode(errors="replace")
            yield None

    def wait_until_ready(self, seconds=BOOT_SECONDS):
        """Waits for the guest's next boot."""
        for name in ("out", "err"):
            self.streams[name] = Stream(lambda data: None)
        self.unwatched = []
        deadline = time.monotonic() + seconds
        for line in self.lines_until(deadline, f"the guest was not up after {seconds} s"):
            if line and line.startswith("ready "):
                self.kernel = line.split()[1]
                return

    def run(self, script, seconds=600, on_out=None, on_err=None):
        """Runs a shell script in the guest. Without receivers its output is in the result."""
        collected = {"out": [], "err": []}
        word = self.new_word()
        for name, receiver in (("out", on_out), ("err", on_err)):
            self.streams[name] = Stream(receiver or collected[name].append, self.unwatched)
            self.streams[name].expect(word)
        self.unwatched = []
        self.hand_over(word, script)
        status = None
        deadline = time.monotonic() + seconds
        for line in self.lines_until(deadline, f"the command was not done after {seconds} s"):
            if line and line.startswith(f"done {word} "):
                status = int(line.split()[2])
            elif line and line.startswith("ready "):
                raise Problem("the guest rebooted before the command was done")
            if status is not None and all(stream.ended for stream in self.streams.values()):
                break
        return Result(status, *(b"".join(collected[name]).decode(errors="replace")
                                for name in ("out", "err")))

    def start_script(self, script):
        """Hands the guest a script whose end nobody waits for (a reboot, a suspend)."""
        self.unwatched.append(self.new_word())
        # Its output would be taken for that of the next command.
        self.hand_over(self.unwatched[-1], f"{{ {script}\n}} >/dev/null 2>&1")

    def has_news(self):
        """True when the guest said something that nobody has read: an unwatched script ended."""
        return bool(select.select([self.sockets["control"]], [], [], 0)[0])

    def new_word(self):
        self.count += 1
        return f"doorbell-{os.getpid()}-{self.count}-{os.urandom(6).hex()}"

    def hand_over(self, word, script):
        text = script.encode()
        self.sockets["control"].setblocking(True)
        try:
            self.sockets["control"].sendall(f"run {word} {len(text)}\n".encode() + text)
        except ConnectionError:
            raise Problem(self.explain_end()) from None

    def warnings(self):
        """What the guest's init could not do."""
        text = (self.folder / "console.log").read_text(errors="replace")
        return re.findall(r"doorbell-init: (.*?)\r?\n", text)

    def monitor(self, command, **arguments):
        """A command of QEMU's monitor (QMP), and its answer."""
        try:
            return self.ask_monitor(command, arguments, time.monotonic() + MONITOR_SECONDS)
        except TimeoutError:
            raise Problem(f"QEMU's monitor gave no answer to {command} within {MONITOR_SECONDS} s; "
                          f"the console ({self.folder}/console.log) ends with:"
                          + tail(self.folder / "console.log")) from None

    def ask_monitor(self, command, arguments, deadline):
        if self.channel is None:
            self.sockets["monitor"].settimeout(MONITOR_SECONDS)
            self.channel = self.sockets["monitor"].makefile("rwb")
            self.channel.readline()  # the greeting
            self.ask_monitor("qmp_capabilities", {}, deadline)
        channel = self.channel
        request = {"execute": command}
        if arguments:
            request["arguments"] = arguments
        channel.write(json.dumps(request).encode() + b"\n")
        channel.flush()
        for line in channel:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise Problem(f"QEMU's monitor refused {command}: {answer['error']['desc']}")
            if time.monotonic() > deadline:
                raise TimeoutError
        raise Problem(self.explain_end())

    # --- ending -----------------------------------------------------------------------------------

    def stop(self):
        """QEMU first: the server then sees its client leave, and can tell its summary."""
        end(self.guest)
        end(self.server)

    def server_failure(self):
        """What went wrong with the server, once stopped; None when nothing did."""
        if self.server is None or self.server.returncode in (0, -signal.SIGTERM, 143):
            return None
        return (f"doorbell serve ended with {self.server.returncode}:"
                + tail(self.folder / "server.log"))
