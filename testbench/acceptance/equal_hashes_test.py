"""equal_hashes.py says which command brings the build it misses."""
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parent / "equal_hashes.py"


def compare(*arguments, env=None):
    return subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True,
                          timeout=60, env=env)


class MissingBuild(unittest.TestCase):
    def test_names_the_command_that_builds_what_is_missing(self):
        with tempfile.TemporaryDirectory() as root:
            there = pathlib.Path(root) / "build/release/bin/doorbell"
            there.parent.mkdir(parents=True)
            there.symlink_to("/bin/true")
            missing = pathlib.Path(root) / "build/clang/bin/doorbell"
            # The machine may have no clang.
            compiler = pathlib.Path(root) / "clang++"
            compiler.symlink_to("/bin/true")
            done = compare(str(there), str(missing), "ping", env={"PATH": root})
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertEqual(done.stderr, f"error: there is no {missing}: "
                             "build it with ./doorbell build clang\n")

    def test_names_the_package_when_the_compiler_is_missing_as_well(self):
        with tempfile.TemporaryDirectory() as root:
            missing = pathlib.Path(root) / "build/clang/bin/doorbell"
            done = compare("/bin/true", str(missing), "ping", env={"PATH": root})
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("clang++ is not installed: ./doorbell build clang installs it as root, "
                          "or says how", done.stderr)

    def test_names_the_file_that_is_in_no_build_folder(self):
        done = compare("/nowhere/a", "/nowhere/b", "ping")
        self.assertEqual((done.returncode, done.stderr), (2, "error: there is no /nowhere/a\n"))


if __name__ == "__main__":
    unittest.main(verbosity=1)
