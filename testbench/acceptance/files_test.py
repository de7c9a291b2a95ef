"""A user's own file crosses whole, whatever its size, and a clean wire needs no retransmission."""
import random
import subprocess
import unittest

from harness import Acceptance


class Files(Acceptance):
    def cross(self, size, *arguments, **options):
        source, target = self.folder / "in.bin", self.folder / "out.bin"
        source.write_bytes(random.Random(size).randbytes(size))
        run = self.passes("tcp_file", "--set", f"workload.input={source}",
                          "--set", f"workload.output={target}", *arguments, **options)
        self.assertEqual(source.read_bytes(), target.read_bytes(), run.explain())
        return run

    def assert_no_retransmission(self, run):
        retransmissions = {name: value for name, value in run.result["metrics"].items()
                           if name.endswith("tcp.retransmissions_segments")}
        self.assertTrue(retransmissions, "the metric must exist")
        self.assertEqual(set(retransmissions.values()), {0}, run.explain())

    def test_an_empty_file_crosses(self):
        self.assert_no_retransmission(self.cross(0))

    def test_one_byte_crosses(self):
        self.assert_no_retransmission(self.cross(1))

    def test_exactly_one_segment_crosses(self):
        self.assert_no_retransmission(self.cross(1460))

    def test_one_byte_more_than_a_segment_crosses(self):
        self.assert_no_retransmission(self.cross(1461))

    def test_a_few_megabytes_cross_and_the_capture_holds_every_byte(self):
        size = 3_000_000
        run = self.cross(size)
        self.assert_no_retransmission(run)
        capture = run.folder / "wire.pcapng"
        self.assert_clean_capture(capture)
        # Every byte, once, at each end of the link.
        sizes = {}
        for line in self.tshark(capture, "tcp.len > 0", "frame.interface_name", "tcp.len"):
            interface, length = line.split("\t")
            sizes[interface] = sizes.get(interface, 0) + int(length)
        self.assertEqual(sizes, {"a.nic0": size, "b.nic0": size})

    def test_a_missing_input_is_an_error_of_the_user(self):
        run = self.run_doorbell("tcp_file", "--set", f"workload.input={self.folder}/missing")
        self.assertEqual(run.code, 2, run.explain())
        self.assertIn("missing", run.stderr)


class Capture(Acceptance):
    def test_tshark_complains_about_a_capture_that_was_corrupted_on_purpose(self):
        run = self.passes("tcp_file", "--set", "workload.bytes=100000")
        capture = run.folder / "wire.pcapng"
        self.assert_clean_capture(capture)
        data = bytearray(capture.read_bytes())
        # Somewhere in the middle lies the payload of a full segment.
        data[len(data) // 2] ^= 0x10
        broken = self.folder / "broken.pcapng"
        broken.write_bytes(data)
        bad = self.tshark(broken, "eth.fcs.status == Bad || tcp.checksum.status == Bad",
                          "frame.number")
        self.assertEqual(len(bad), 1)

    def test_the_identity_of_a_packet_is_the_same_at_both_ends_of_the_wire(self):
        run = self.passes("tcp_file", "--set", "workload.bytes=200000")
        capture = run.folder / "wire.pcapng"
        seen = self.tshark(capture, "tcp.len > 0", "frame.interface_id", "frame.packet_id",
                           "tcp.seq_raw")
        ends = {}
        for line in seen:
            interface, packet, sequence = line.split("\t")
            ends.setdefault((packet, sequence), set()).add(interface)
        self.assertTrue(ends)
        for identity, interfaces in ends.items():
            self.assertEqual(len(interfaces), 2, f"{identity} was seen at {interfaces}")


class Determinism(Acceptance):
    def hash_of(self, *arguments):
        return self.passes(*arguments, "--hash", "--capture", "none").result["trace_hash"]

    def test_the_same_seed_gives_the_same_events_and_another_seed_others(self):
        arguments = ("lossy_wire", "--seed")
        first = self.hash_of(*arguments, "1")
        self.assertTrue(first)
        self.assertEqual(first, self.hash_of(*arguments, "1"))
        self.assertNotEqual(first, self.hash_of(*arguments, "2"))

    def test_there_is_no_hash_unless_asked_for(self):
        self.assertIsNone(self.passes("ping").result["trace_hash"])


class OwnImage(Acceptance):
    """The example image has a driver of its own: a doorbell for every packet."""

    def doorbells_and_packets(self, *arguments):
        run = self.passes(*arguments, "--set", "host.a.image=eager_doorbell")
        driver = "host.a.nic0.driver."
        return run.metric(driver + "tx_doorbells"), run.metric(driver + "tx_packets")

    def test_a_scenario_runs_with_the_image_and_shows_what_its_driver_does(self):
        usual = self.passes("tcp_file", "--set", "workload.bytes=200000")
        doorbells, packets = self.doorbells_and_packets(
            "tcp_file", "--set", "workload.bytes=200000")
        self.assertGreaterEqual(doorbells, packets)
        self.assertLess(usual.metric("host.a.nic0.driver.tx_doorbells"), packets / 2)

    def test_any_other_scenario_runs_with_it_too(self):
        for scenario in ("ping", "udp_echo", "lossy_wire"):
            doorbells, packets = self.doorbells_and_packets(scenario)
            self.assertGreaterEqual(doorbells, packets, scenario)


if __name__ == "__main__":
    subprocess.run(["tshark", "--version"], check=True, stdout=subprocess.DEVNULL)
    unittest.main(verbosity=2)
