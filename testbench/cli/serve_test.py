"""doorbell serve and inspect from outside: a client speaks the protocol as QEMU does."""
import json
import os
import signal
import socket
import struct
import subprocess
import time
import unittest

from harness import BINARY, Acceptance

VERSION, REGION_READ, REGION_WRITE = 1, 9, 10
CONFIG = 7
STATUS = 8


class Client:
    """Enough of vfio-user to read and write registers."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.ask(VERSION, struct.pack("<HH", 0, 0) + b"{}".ljust(200, b" ") + b"\0")

    def ask(self, command, payload):
        self.socket.sendall(struct.pack("<HHIII", 1, command, 16 + len(payload), 0, 0) + payload)
        header = self.take(16)
        size, flags = struct.unpack("<II", header[4:12])
        assert flags == 1, f"an error reply to command {command}"
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

    def serve(self, *arguments):
        self.server = subprocess.Popen([str(BINARY), "serve", "--socket", self.path, *arguments],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(400):
            if os.path.exists(self.path + ".inspect"):
                return
            self.assertIsNone(self.server.poll(), "the server ended at once")
            time.sleep(0.05)
        self.fail("no socket after 20 s")

    def end(self, number=signal.SIGTERM):
        self.server.send_signal(number)
        out, err = self.server.communicate(timeout=30)
        return self.server.returncode, out, err

    def refused(self, *arguments):
        done = subprocess.run([str(BINARY), "serve", *arguments], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr

    def inspect(self, *arguments):
        return subprocess.run([str(BINARY), "inspect", self.path, *arguments],
                              capture_output=True, text=True, timeout=60)

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
        out, _ = self.server.communicate(timeout=30)
        self.assertEqual(self.server.returncode, 0)
        self.assertIn("served 1 client", out)

    def test_a_socket_in_use_is_refused_and_one_of_a_dead_server_replaced(self):
        self.serve()
        self.assertIn("another server listens there", self.refused("--socket", self.path))
        self.server.kill()
        self.server.communicate()
        self.assertTrue(os.path.exists(self.path))
        os.unlink(self.path + ".inspect")  # what `serve` waits for, here
        self.serve()
        self.assertEqual(self.end()[0], 143)

    def test_mistakes_say_what_and_what_to_do(self):
        path = ("--socket", self.path)
        for arguments, words in (
                (("--set", "nic.phy.autonegotiation_mss=1"), "did you mean"),
                (("--set", "link.x=1"), "nic.NAME=VALUE"),
                (("--set", "nic.phy.autonegotiation_ms=fast"), "must be"),
                (("--wire", "wet:string"), "there is no wire"),
                (("--rom", "/nowhere"), "cannot be read"),
                (("--rom", str(BINARY)), "no expansion ROM"),
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


if __name__ == "__main__":
    unittest.main(verbosity=1)
