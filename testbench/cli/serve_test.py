"""doorbell serve and inspect from outside: a client speaks the protocol as QEMU does."""
import array
import json
import mmap
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness import BINARY, Acceptance

VERSION, DMA_MAP, REGION_READ, REGION_WRITE = 1, 2, 9, 10
CONFIG = 7
CTRL, STATUS, TCTL, TDBAL, TDBAH, TDLEN, TDH, TDT = (0, 8, 0x400, 0x3800, 0x3804, 0x3808, 0x3810,
                                                     0x3818)
# No test fails because a machine is slow.
PATIENCE_S = 120


class Client:
    """Enough of vfio-user to read and write registers."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self.id = 0
        self.ask(VERSION, struct.pack("<HH", 0, 0) + b"{}".ljust(200, b" ") + b"\0")

    def ask(self, command, payload, files=()):
        self.id = (self.id + 1) & 0xFFFF
        message = struct.pack("<HHIII", self.id, command, 16 + len(payload), 0, 0) + payload
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))] if files else []
        sent = self.socket.sendmsg([message], rights)
        self.socket.sendall(message[sent:])
        number, _, size, flags = struct.unpack("<HHII", self.take(16)[:12])
        assert flags == 1, f"an error reply to command {command}"
        assert number == self.id, f"a reply to message {number} instead of {self.id}"
        return self.take(size - 16)

    def take(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data

    def read(self, region, offset):
        return struct.unpack("<I", self.ask(REGION_READ,
                                            struct.pack("<QII", offset, region, 4))[16:])[0]

    def write(self, region, offset, size, value):
        self.ask(REGION_WRITE, struct.pack("<QII", offset, region, size) +
                 value.to_bytes(size, "little"))

    def close(self):
        self.socket.close()


class Guest(Client):
    """A client with memory, as a guest's driver sees it: it sends frames."""
    BYTES, RING, BUFFERS, DESCRIPTORS = 1 << 20, 0x1000, 0x10000, 256

    def __init__(self, path):
        super().__init__(path)
        self.file = os.memfd_create("guest")
        os.ftruncate(self.file, self.BYTES)
        self.memory = mmap.mmap(self.file, self.BYTES)
        self.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, 0, self.BYTES), [self.file])
        self.write(CONFIG, 4, 2, 7)

    def link_up(self):
        self.write(0, CTRL, 4, self.read(0, CTRL) | 0x40)
        deadline = time.monotonic() + PATIENCE_S
        while self.read(0, STATUS) & 2 == 0:
            assert time.monotonic() < deadline, "no link"
            time.sleep(0.01)
        for register, value in ((TDBAL, self.RING), (TDBAH, 0), (TDLEN, self.DESCRIPTORS * 16),
                                (TCTL, 0xA)):
            self.write(0, register, 4, value)

    def send(self, count, size):
        """`count` frames with one doorbell; returns when the NIC has taken the last one."""
        frame = b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5"
        self.memory[self.BUFFERS:self.BUFFERS + size] = frame.ljust(size, b"\x5a")
        for i in range(count):
            self.memory[self.RING + i * 16:self.RING + i * 16 + 16] = struct.pack(
                "<QII", self.BUFFERS, size | 0x0B000000, 0)
        self.write(0, TDT, 4, count)
        deadline = time.monotonic() + PATIENCE_S
        while not self.memory[self.RING + (count - 1) * 16 + 12] & 1:
            assert time.monotonic() < deadline, f"stuck at descriptor {self.read(0, TDH)}"
            time.sleep(0.005)

    def close(self):
        super().close()
        self.memory.close()
        os.close(self.file)


def frame_times_ns(capture):
    """When each frame of a capture that is being written began, in the NIC's simulated time."""
    data, at, times = capture.read_bytes(), 0, []
    while at + 8 <= len(data):
        kind, size = struct.unpack_from("<II", data, at)
        if at + size > len(data):
            break
        if kind == 6:  # enhanced packet: the interface counts nanoseconds
            high, low = struct.unpack_from("<II", data, at + 12)
            times.append(high << 32 | low)
        at += size
    return times


class Serve(Acceptance):
    def setUp(self):
        super().setUp()
        self.path = str(self.folder / "nic")
        self.server = None

    def tearDown(self):
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
            self.server.communicate()
        super().tearDown()

    def start(self, *arguments, environment=None):
        self.server = subprocess.Popen([str(BINARY), "serve", "--socket", self.path, *arguments],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       env=environment)

    def serve(self, *arguments, environment=None):
        self.start(*arguments, environment=environment)
        self.await_socket(0.02)

    def await_socket(self, look_s):
        # The second socket is made last.
        deadline = time.monotonic() + PATIENCE_S
        while not os.path.exists(self.path + ".inspect"):
            if self.server.poll() is not None:
                self.fail("the server ended at once: " + self.server.communicate()[1])
            self.assertLess(time.monotonic(), deadline, "no socket")
            if look_s:
                time.sleep(look_s)

    def end(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        out, err = self.server.communicate(timeout=PATIENCE_S)
        return self.server.returncode, out, err

    def captured(self, capture, count):
        """The times of `count` frames, as soon as the last one has left."""
        deadline = time.monotonic() + PATIENCE_S
        while len(times := frame_times_ns(capture)) < count:
            self.assertLess(time.monotonic(), deadline, f"{len(times)} frames of {count}")
            time.sleep(0.01)
        return times

    def refused(self, *arguments):
        done = subprocess.run([str(BINARY), "serve", *arguments], capture_output=True, text=True,
                              timeout=PATIENCE_S)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def inspect(self, *arguments):
        return subprocess.run([str(BINARY), "inspect", self.path, *arguments],
                              capture_output=True, text=True, timeout=PATIENCE_S)

    def test_a_client_probes_the_nic_and_the_end_is_summed_up(self):
        self.serve("--wire", "sink")
        client = Client(self.path)
        self.assertEqual(client.read(CONFIG, 0), 0x10D38086)
        client.write(CONFIG, 4, 2, 7)
        self.assertNotEqual(client.read(0, STATUS), 0xFFFFFFFF)
        client.close()
        code, out, err = self.end()
        self.assertEqual(code, 143, err)
        self.assertIn("served 1 client", out)
        self.assertIn("vfio-user-pci", err)
        self.assertFalse(os.path.exists(self.path), "the socket file is left behind")
        self.assertFalse(os.path.exists(self.path + ".inspect"))

    def test_inspect_shows_the_nic_while_a_client_uses_it(self):
        self.serve("--wire", "sink", "--set", "nic.phy.autonegotiation_ms=1")
        self.assertFalse(json.loads(self.inspect("--json").stdout)["client"]["connected"])
        client = Client(self.path)
        client.write(CONFIG, 4, 2, 7)
        client.write(0, 0x3800, 4, 0x12340000)
        client.write(0, 0x3808, 4, 256)
        state = json.loads(self.inspect("--json").stdout)
        self.assertTrue(state["client"]["connected"])
        self.assertEqual(state["client"]["process"], os.getpid())
        self.assertTrue(state["link"]["bus_master"])
        ring = next(ring for ring in state["rings"] if ring["ring"] == "tx0")
        self.assertEqual((ring["base"], ring["descriptors"]), ("0x12340000", 16))
        self.assertEqual(state["metrics"]["client.register_writes"], 2)
        text = self.inspect().stdout
        self.assertIn("0x12340000", text)
        self.assertIn("interrupts  INTx", text)
        self.server.send_signal(signal.SIGUSR1)
        self.assertEqual(client.read(CONFIG, 0), 0x10D38086)
        client.close()
        code, _, err = self.end(signal.SIGINT)
        self.assertEqual(code, 130, err)
        self.assertIn("0x12340000", err, "SIGUSR1 printed nothing")

    def test_inspect_without_a_server_says_so(self):
        done = self.inspect()
        self.assertEqual(done.returncode, 2)
        self.assertIn("no server answers", done.stderr)

    def test_the_next_client_is_served_with_a_new_nic_and_once_ends_with_the_first(self):
        self.serve("--time", "fast")
        for _ in range(2):
            client = Client(self.path)
            self.assertEqual(client.read(CONFIG, 4) & 7, 0)
            client.write(CONFIG, 4, 2, 7)
            client.close()
        self.assertEqual(self.end()[0], 143)
        self.serve("--once")
        Client(self.path).close()
        out, _ = self.server.communicate(timeout=PATIENCE_S)
        self.assertEqual(self.server.returncode, 0)
        self.assertIn("served 1 client", out)

    def test_a_socket_in_use_is_refused_and_one_of_a_dead_server_replaced(self):
        self.serve("--once")
        self.assertIn("another server listens there", self.refused("--socket", self.path))
        time.sleep(0.2)
        self.assertIsNone(self.server.poll(), "who only looks is not the one client of --once")
        self.server.kill()
        self.server.communicate()
        self.assertTrue(os.path.exists(self.path))
        os.unlink(self.path + ".inspect")  # what `serve` waits for, here
        self.serve()
        self.assertEqual(self.end()[0], 143)

    def test_two_nics_on_one_cable_negotiate_a_link_in_their_own_time(self):
        """They draw lots for who gives the clock: whoever draws as the other does never ends."""
        cable = f"unix:{self.folder / 'cable'}"
        paths = [str(self.folder / name) for name in ("first", "second")]
        logs = [open(path + ".log", "w+", encoding="utf-8") for path in paths]
        servers = [subprocess.Popen([str(BINARY), "serve", "--socket", path, "--wire", cable],
                                    stdout=log, stderr=log) for path, log in zip(paths, logs)]
        try:
            deadline = time.monotonic() + 60
            up = [False, False]
            while not all(up) and time.monotonic() < deadline:
                time.sleep(0.2)
                answers = [subprocess.run([str(BINARY), "inspect", path, "--json"], timeout=60,
                                          capture_output=True, text=True) for path in paths]
                up = [answer.returncode == 0 and json.loads(answer.stdout)["link"]["up"]
                      for answer in answers]
            said = [f"{path}: status {server.poll()}, inspect: {answer.stdout}{answer.stderr}\n"
                    f"{pathlib.Path(path + '.log').read_text(encoding='utf-8')}"
                    for path, server, answer in zip(paths, servers, answers)]
            self.assertEqual(up, [True, True], "\n".join(said))
        finally:
            for server, log in zip(servers, logs):
                server.kill()
                log.close()
                server.wait()

    def test_mistakes_say_what_and_what_to_do(self):
        path = ("--socket", self.path)
        endless = str(self.folder / "endless.rom")
        pathlib.Path(endless).write_bytes(b"\x55\xaa")
        os.truncate(endless, 1 << 40)
        linked = str(self.folder / "linked")
        (self.folder / "own").write_bytes(b"")
        os.symlink(self.folder / "own", linked)
        for arguments, words in (
                (("--set", "nic.phy.autonegotiation_mss=1"), "did you mean"),
                (("--set", "link.x=1"), "nic.NAME=VALUE"),
                (("--set", "nic.phy.autonegotiation_ms=fast"), "must be"),
                (("--wire", "wet:string"), "there is no wire"),
                (("--wire", "host:nope"), "nope.toml: the scenario cannot be read"),
                (("--rom", "/nowhere"), "cannot be read"),
                (("--rom", str(BINARY)), "no expansion ROM"),
                (("--rom", str(self.folder)), "Is a directory"),
                (("--rom", "/dev/null"), "no expansion ROM"),
                (("--rom", endless), "more than the 1048576 bytes"),
                (("--wire", "unix:" + self.path), "is the path of --socket"),
                (("--wire", "unix:" + self.path + ".inspect"), "is the path of --socket"),
                (("--wire", "pcap:-,x", "--capture", "x"), "write into another"),
                (("--wire", "pcap:-,x", "--capture", "./x"), "write into another"),
                (("--wire", "pcap:-,x", "--capture", os.path.abspath("x")), "write into another"),
                (("--wire", f"pcap:-,{linked}", "--capture", f"{self.folder}/own"),
                 "write into another"),
                (("--wire", f"unix:{self.folder}/../{self.folder.name}/nic"),
                 "is the path of --socket"),
                (("--capture", "-"), "write './-' for a file of that name"),
                (("--capture", "/nowhere/file"), "cannot be written"),
                (("--time", "slow"), "--time"),
                (("--busy-poll", "-1"), "--busy-poll"),
                (("--rate", "0"), "--rate")):
            self.assertIn(words, self.refused(*path, *arguments), arguments)
            self.assertFalse(os.path.exists(self.path), arguments)
        self.assertIn("--socket", self.refused())

    def test_a_capture_can_be_read_from_its_first_moment(self):
        capture = self.folder / "frames.pcapng"
        self.serve("--wire", "sink", "--capture", str(capture))
        self.assertEqual(capture.read_bytes()[:4], b"\x0a\x0d\x0d\x0a")
        self.assertEqual(self.end()[0], 143)

    def test_who_sees_the_sockets_may_ask_and_signal_at_once(self):
        for number in (signal.SIGTERM, signal.SIGINT) * 10:
            self.start("-q")
            self.await_socket(0)
            self.server.send_signal(signal.SIGUSR1)
            asked = self.inspect()
            self.assertEqual(asked.returncode, 0, asked.stderr)
            Client(self.path).close()
            code, _, err = self.end(number)
            self.assertEqual(code, 128 + number, err)
            self.assertIn("interrupts", err, "SIGUSR1 printed nothing")
            self.assertEqual(list(self.folder.iterdir()), [])
            self.serve("-q")
            # Two at once: it is stopped until both are there.
            for each in (signal.SIGSTOP, signal.SIGUSR1, number, signal.SIGCONT):
                self.server.send_signal(each)
            code, _, err = self.end(number)
            self.assertEqual(code, 128 + number, err)
            self.assertIn("interrupts", err, "the first of two signals was lost")
            self.start("-q")
            self.await_socket(0)
            self.assertEqual(self.end(number)[0], 128 + number)
            self.assertEqual(list(self.folder.iterdir()), [], "something is left behind")

    def test_a_client_that_stalls_within_a_message_stops_nothing_but_itself(self):
        for pace in ("wall", "fast"):
            self.serve("--wire", "sink", "--time", pace, "--set", "nic.phy.autonegotiation_ms=1")
            client = Client(self.path)
            client.socket.sendall(struct.pack("<HHI", 2, REGION_READ, 32))
            before = json.loads(self.inspect("--json").stdout)["time_s"]
            deadline = time.monotonic() + PATIENCE_S
            while pace == "wall" and json.loads(self.inspect("--json").stdout)["time_s"] <= before:
                self.assertLess(time.monotonic(), deadline, "time stands still")
            with socket.socket(socket.AF_UNIX) as second:
                second.settimeout(PATIENCE_S)
                second.connect(self.path)
                self.assertEqual(second.recv(1), b"", "it is turned away")
            # The second half at last.
            client.socket.sendall(struct.pack("<II", 0, 0) + struct.pack("<QII", 0, CONFIG, 4))
            self.assertEqual(client.take(36)[32:], b"\x86\x80\xd3\x10")
            client.socket.sendall(b"\2")
            code, out, err = self.end()
            self.assertEqual(code, 143, err)
            self.assertIn("served 1 client", out)
            self.assertEqual(client.socket.recv(1), b"", "an orderly end, though it does not close")
            client.close()

    def test_a_client_that_takes_its_memory_away_is_put_out_and_the_next_one_served(self):
        self.serve("--wire", "sink", "--set", "nic.phy.autonegotiation_ms=1")
        guest = Guest(self.path)
        guest.link_up()
        guest.send(3, 100)
        os.ftruncate(guest.file, 0)
        guest.socket.sendall(struct.pack("<HHIIIQIII", 9, REGION_WRITE, 36, 16, 0, TDT, 0, 4, 9))
        self.assertEqual(guest.socket.recv(1), b"")
        guest.close()
        after = Guest(self.path)
        after.link_up()
        after.send(5, 100)
        self.assertEqual(json.loads(self.inspect("--json").stdout)["metrics"]["nic.tx.frames"], 8)
        after.close()
        code, _, err = self.end()
        self.assertEqual(code, 143, err)
        self.assertIn("made its memory's file shorter", err)

    def test_many_clients_leave_neither_descriptors_nor_memory_behind(self):
        # AddressSanitizer keeps what was freed; that is not ours.
        options = os.environ.get("ASAN_OPTIONS", "")
        self.serve("-q", "--wire", "sink", "--time", "fast",
                   environment={**os.environ, "ASAN_OPTIONS": options + ":quarantine_size_mb=1"})
        process = pathlib.Path(f"/proc/{self.server.pid}")

        def connect(times):
            for i in range(times):
                client = Client(self.path)
                if i % 3 == 0:
                    with open("/dev/null", "rb") as file:
                        client.socket.sendmsg(
                            [struct.pack("<HHIII", 3, 13, 16, 16, 0)],
                            [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                              array.array("i", [file.fileno()] * 8))])
                elif i % 3 == 1:
                    client.socket.sendall(b"half a")
                client.close()

        def resident_kb():
            status = (process / "status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        connect(200)
        self.inspect()
        files, before_kb = len(list((process / "fd").iterdir())), resident_kb()
        many = int(os.environ.get("DOORBELL_TEST_CLIENTS", "1000"))
        connect(many)
        state = json.loads(self.inspect("--json").stdout)
        self.assertEqual(state["client"]["number"], 200 + many)
        self.assertFalse(state["client"]["connected"])
        self.assertLessEqual(len(list((process / "fd").iterdir())), files)
        self.assertLess(resident_kb(), before_kb + 4096 + many, "a kilobyte for each client")
        self.assertEqual(self.end()[0], 143)

    def test_a_rate_spaces_frames_as_a_cable_of_that_rate_would(self):
        for wire, rate_mbps, size in (("sink", 100, 1514), ("sink", 10, 60),
                                      ("pcap:-,out.pcapng", 1000, 1000)):
            capture = self.folder / "frames.pcapng"
            wire = wire.replace("out.", f"{self.folder}/out.")
            self.serve("--wire", wire, "--rate", str(rate_mbps), "--capture", str(capture),
                       "--set", "nic.phy.autonegotiation_ms=1")
            guest = Guest(self.path)
            guest.link_up()
            guest.send(50, size)
            times = self.captured(capture, 50)
            guest.close()
            self.assertEqual(self.end()[0], 143)
            self.assertEqual(len(times), 50)
            # Preamble, FCS and gap (IEEE 802.3): 8 + 4 + 12 bytes.
            wanted_ns = (size + 24) * 8 * 1000 / rate_mbps
            gaps = [after - before for before, after in zip(times, times[1:])]
            self.assertGreaterEqual(min(gaps), wanted_ns - 1, (wire, rate_mbps))
            self.assertLess(max(gaps), wanted_ns * 1.02 + 2, "back to back from one doorbell")
            capture.unlink()

    def test_without_a_rate_frames_wait_for_nothing(self):
        capture = self.folder / "frames.pcapng"
        self.serve("--wire", "sink", "--capture", str(capture),
                   "--set", "nic.phy.autonegotiation_ms=1")
        guest = Guest(self.path)
        guest.link_up()
        guest.send(50, 1514)
        times = self.captured(capture, 50)
        guest.close()
        self.assertEqual(self.end()[0], 143)
        self.assertLess(times[-1] - times[0], 50 * 12_304, "faster than a gigabit cable")

    def test_who_asks_is_answered_whole_and_who_asks_nonsense_or_nothing_is_dropped(self):
        self.serve("-q")
        client = Client(self.path)
        for i in range(3000):
            client.ask(DMA_MAP, struct.pack("<IIQQQ", 32, 3, 0, (i + 1) << 20, 0x1000))
        state = self.inspect("--json").stdout
        self.assertGreater(len(state), 250_000, "more than a socket takes at once")
        self.assertEqual(len(json.loads(state)["memory"]), 3000)
        self.assertEqual(self.inspect().stdout.count("out of reach"), 3000)

        def caller():
            made = socket.socket(socket.AF_UNIX)
            self.addCleanup(made.close)
            made.settimeout(PATIENCE_S)
            made.connect(self.path + ".inspect")
            return made

        for nonsense in (b"x" * 17, b"text", b"xml\n", b"text\njson\n"):
            asking = caller()
            asking.sendall(nonsense)
            if nonsense == b"text":
                asking.shutdown(socket.SHUT_WR)
            try:
                self.assertEqual(asking.recv(1), b"", nonsense)
            except ConnectionResetError:
                pass  # It was dropped with bytes unread.
        silent = [caller() for _ in range(6)]
        for dropped in silent[:2]:
            self.assertEqual(dropped.recv(1), b"", "four may wait")
        self.assertEqual(self.inspect().returncode, 0)
        silent[5].sendall(b"te")
        silent[5].sendall(b"xt\n")
        self.assertEqual(silent[5].recv(4), b"time")
        self.assertEqual(client.read(CONFIG, 0), 0x10D38086)
        client.close()
        self.assertEqual(self.end()[0], 143)

    def test_a_client_that_goes_on_sending_sees_an_orderly_end(self):
        posted = struct.pack("<HHIIIQIII", 9, REGION_WRITE, 36, 16, 0, 0x28, 0, 4, 1) * 1000
        for pace in ("wall", "fast"):
            self.serve("-q", "--time", pace)
            client = Client(self.path)
            client.socket.setblocking(False)
            begun = time.monotonic()
            self.server.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + PATIENCE_S
            while True:
                self.assertLess(time.monotonic(), deadline)
                try:
                    client.socket.send(posted)
                except (BlockingIOError, BrokenPipeError):
                    pass
                try:  # A reset would make QEMU abort.
                    self.assertEqual(client.socket.recv(1), b"")
                    break
                except BlockingIOError:
                    pass
            for _ in range(5):  # For a second it still reads what we had not yet stopped sending.
                time.sleep(0.02)
                try:
                    client.socket.send(posted)
                except BlockingIOError:
                    pass
                except BrokenPipeError:
                    self.assertGreater(time.monotonic() - begun, 1, "it did not wait for us")
                    break
            client.close()
            self.assertEqual(self.server.wait(PATIENCE_S), 143)
            self.server.communicate()

    def test_who_reads_the_log_or_the_capture_from_a_pipe_may_go(self):
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        self.start("--wire", "sink", "--capture", str(pipe),
                   "--set", "nic.phy.autonegotiation_ms=1")
        with open(pipe, "rb") as reader:
            self.await_socket(0.02)
            self.assertEqual(reader.read(4), b"\x0a\x0d\x0d\x0a")
        self.server.stderr.close()
        guest = Guest(self.path)
        guest.link_up()
        guest.send(20, 100)
        guest.socket.sendall(struct.pack("<HHIII", 7, 77, 16, 16, 0))  # worth a line in the log
        self.assertEqual(guest.read(CONFIG, 0), 0x10D38086)
        guest.close()
        self.server.send_signal(signal.SIGTERM)
        self.server.stdout.read()
        self.server.wait(PATIENCE_S)
        self.assertEqual(self.server.returncode, 2, "the capture is not whole")
        self.server.stdout.close()
        self.server = None


if __name__ == "__main__":
    unittest.main(verbosity=1)
