"""The large file: 200 MB arrive, at the goodput the wire allows, in bounded memory. Full tier."""
import hashlib
import random
import resource
import subprocess
import unittest

from harness import BINARY, Acceptance


class LargeFile(Acceptance):
    def test_200_megabytes_cross_at_wire_speed_and_faster_than_real_time(self):
        source, target = self.folder / "in.bin", self.folder / "out.bin"
        draw = random.Random(200)
        with open(source, "wb") as file:
            for _ in range(200):
                file.write(draw.randbytes(1_000_000))
        run = self.passes("tcp_file", "--set", f"workload.input={source}", "--set",
                          f"workload.output={target}", "--capture", "none", timeout=1800)
        for path in (source, target):
            with open(path, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            if path == source:
                expected = digest
        self.assertEqual(expected, digest)
        goodput = max(value for name, value in run.result["metrics"].items()
                      if name.endswith("tcp.goodput_bps"))
        self.assertGreaterEqual(goodput, 0.9 * 949e6, run.explain())
        ratio = run.result["simulated_ns"] / run.result["host_cpu_ns"]
        print(f"goodput {goodput / 1e6:.1f} Mb/s, {ratio:.2f} simulated seconds per CPU second")


class Memory(Acceptance):
    def peak_kilobytes(self, size):
        command = [str(BINARY), "run", "tcp_file", "--set", f"workload.bytes={size}",
                   "--out", str(self.folder / f"run{size}"), "--quiet"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        done = subprocess.run(["/usr/bin/env", "python3", "-c", (
            "import resource, subprocess, sys\n"
            "code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)\n"
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)\n"
            "sys.exit(code)"), *command], capture_output=True, text=True, timeout=1800)
        self.assertEqual(done.returncode, 0, f"{before}\n{done.stdout}\n{done.stderr}")
        return int(done.stdout)

    def test_memory_does_not_grow_with_the_file(self):
        small = self.peak_kilobytes(5_000_000)
        large = self.peak_kilobytes(100_000_000)
        self.assertLess(large, small * 1.1 + 2048, f"{small} KB for 5 MB, {large} KB for 100 MB")


if __name__ == "__main__":
    unittest.main(verbosity=2)
