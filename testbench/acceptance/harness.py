"""Runs the program as a user would and looks at what it leaves behind."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BINARY = pathlib.Path(os.environ.get("DOORBELL_BINARY", "build/release/bin/doorbell")).resolve()
# Every checksum verification is off in tshark by default, and so is the FCS.
TSHARK_CHECKS = [option for name in ("eth.check_fcs:TRUE", "ip.check_checksum:TRUE",
                                     "tcp.check_checksum:TRUE", "udp.check_checksum:TRUE")
                 for option in ("-o", name)]
COMPLAINTS = ("_ws.malformed || eth.fcs.status == Bad || ip.checksum.status == Bad || "
              "tcp.checksum.status == Bad || udp.checksum.status == Bad || "
              "icmp.checksum.status == Bad")


def need_binary(binary):
    """Exit 2 with the command that builds it when a program is not there."""
    binary = pathlib.Path(binary)
    if binary.exists():
        return
    message = f"error: there is no {binary}"
    # build/PRESET/bin/doorbell
    if binary.parts[-4:-3] == ("build",) and binary.parts[-2:-1] == ("bin",):
        preset = binary.parts[-3]
        message += f": build it with ./doorbell build {preset}"
        if preset == "clang" and shutil.which("clang++") is None:
            message += ("\nclang++ is not installed: ./doorbell build clang installs it as root, "
                        "or says how")
    print(message, file=sys.stderr)
    sys.exit(2)


class Run:
    """One finished run: exit code, result.json (a dict, or a list for a sweep), output folder."""

    def __init__(self, arguments, folder, binary=None, timeout=600):
        self.folder = pathlib.Path(folder)
        command = [str(binary or BINARY), "run", *arguments, "--out", str(folder),
                   "--format", "json"]
        self.command = " ".join(command)
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        self.code, self.stdout, self.stderr = done.returncode, done.stdout, done.stderr
        self.result = json.loads(done.stdout) if done.stdout.strip() else None

    def explain(self):
        return f"{self.command}\nexit {self.code}\n{self.stdout[-3000:]}\n{self.stderr[-3000:]}"

    def metric(self, name):
        return self.result["metrics"][name]


class Acceptance(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbell-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.runs = 0

    def run_doorbell(self, *arguments, **options):
        self.runs += 1
        return Run(arguments, self.folder / f"run{self.runs}", **options)

    def passes(self, *arguments, **options):
        run = self.run_doorbell(*arguments, **options)
        self.assertEqual(run.code, 0, run.explain())
        return run

    def tshark(self, capture, display_filter, *fields):
        command = ["tshark", "-n", "-r", str(capture), *TSHARK_CHECKS, "-Y", display_filter,
                   "-T", "fields", *(part for field in fields for part in ("-e", field))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, f"{' '.join(command)}\n{done.stderr}")
        return done.stdout.splitlines()

    def assert_clean_capture(self, capture):
        frames = self.tshark(capture, "frame", "frame.number")
        self.assertGreater(len(frames), 0, f"{capture} is empty")
        bad = self.tshark(capture, COMPLAINTS, "frame.number", "_ws.expert.message")
        self.assertEqual(bad, [], f"tshark complains about {capture}")
        return len(frames)
