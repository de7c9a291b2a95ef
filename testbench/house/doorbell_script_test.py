#!/usr/bin/env python3
"""./doorbell in a small tree with stand-ins for the builder: who waits for whom, what it refuses."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = {
    "dpkg-query": "echo install ok installed",
    "cmake": "mkdir -p build/release; touch build/release/build.ninja",
    # Fails when another one is at work.
    "ninja": "mkdir \"$TREE/at_work\" || exit 1; sleep 0.5; rmdir \"$TREE/at_work\"",
}


class DoorbellScript(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbell-")
        self.addCleanup(folder.cleanup)
        self.tree = pathlib.Path(folder.name)
        for name in ("doorbell", "CMakePresets.json"):
            shutil.copy(ROOT / name, self.tree / name)
        for name, body in TOOLS.items():
            tool = self.tree / "tools" / name
            tool.parent.mkdir(exist_ok=True)
            tool.write_text(f"#!/bin/sh\n{body}\n")
            tool.chmod(0o755)
        self.env = {**os.environ, "TREE": str(self.tree),
                    "PATH": f"{self.tree}/tools:{os.environ['PATH']}"}

    def start(self, *arguments):
        return subprocess.Popen([str(self.tree / "doorbell"), *arguments], env=self.env, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_script(self, *arguments):
        process = self.start(*arguments)
        out, errors = process.communicate(timeout=30)
        return process.returncode, out, errors

    def test_two_at_once_build_one_after_the_other_and_the_second_says_so(self):
        both = [self.start("build"), self.start("build")]
        said = [process.communicate(timeout=30)[1] for process in both]
        self.assertEqual([process.returncode for process in both], [0, 0], said)
        self.assertEqual("".join(said).count("waiting for another ./doorbell"), 1, said)

    def test_one_alone_does_not_wait_and_the_lock_does_not_outlive_it(self):
        for _ in range(2):
            code, _, errors = self.run_script("build")
            self.assertEqual((code, "waiting" in errors), (0, False), errors)

    def test_the_program_does_not_hold_the_lock(self):
        program = self.tree / "build/release/bin/doorbell"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nflock --nonblock \"$TREE/build/.lock\" true\n")
        program.chmod(0o755)
        code, _, errors = self.run_script("run", "ping")
        self.assertEqual(code, 0, errors)

    def test_a_preset_that_is_none_is_refused_with_those_there_are(self):
        code, _, errors = self.run_script("build", "nosuch")
        self.assertEqual(code, 2, errors)
        self.assertIn("there is no preset 'nosuch'; presets: dev release clang asan-ubsan", errors)

    def test_help_of_build_builds_nothing(self):
        code, out, errors = self.run_script("build", "--help")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("presets: dev release", out)
        self.assertFalse((self.tree / "build").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
