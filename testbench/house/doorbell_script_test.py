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
    "cmake": "echo configured >>\"$TREE/configured\"; mkdir -p build/release; "
             "touch build/release/build.ninja",
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

    def test_qemu_judges_its_options_before_it_builds_and_builds_only_for_the_model(self):
        shutil.copytree(ROOT / "testbench/qemu", self.tree / "testbench/qemu")
        configured = self.tree / "configured"
        for words, code in ((("--bogus",), 2), (("--exec", "true", "--bogus"), 125),
                            (("--help",), 0), (("--initrd", "/nowhere"), 2)):
            self.assertEqual(self.run_script("qemu", *words)[0], code, words)
            self.assertFalse(configured.exists(), words)
        # What stands in a command is no option of ours.
        code, _, errors = self.run_script("qemu", "--qemu", "/nowhere", "--exec", "lspci --help -h")
        self.assertEqual(code, 125, errors)
        self.assertTrue(configured.exists(), errors)

    def test_the_program_does_not_hold_the_lock(self):
        program = self.tree / "build/release/bin/doorbell"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\nflock --nonblock \"$TREE/build/.lock\" true\n")
        program.chmod(0o755)
        code, _, errors = self.run_script("run", "ping")
        self.assertEqual(code, 0, errors)

    def test_only_a_sweep_that_asks_for_plots_wants_what_draws_them(self):
        program = self.tree / "build/release/bin/doorbell"
        program.parent.mkdir(parents=True)
        program.write_text("#!/bin/sh\necho \"$@\"\n")
        program.chmod(0o755)
        packages = self.tree / "build/.packages"
        for words in (("run", "ping"), ("sweep", "ping"), ("run", "ping", "--plot")):
            code, out, errors = self.run_script(*words)
            self.assertEqual((code, out), (0, " ".join(words) + "\n"), errors)
            self.assertNotIn("matplotlib", packages.read_text())
        code, out, errors = self.run_script("sweep", "ping", "--plot", "-j1")
        self.assertEqual((code, out), (0, "sweep ping --plot -j1\n"), errors)
        self.assertIn("python3-matplotlib", packages.read_text())

    def test_a_build_folder_is_configured_again_when_the_presets_have_changed_and_only_then(self):
        def configured_by(*arguments):
            code, _, errors = self.run_script(*arguments)
            self.assertEqual(code, 0, errors)
            times = len((self.tree / "configured").read_text().splitlines())
            return times, "configuring" in errors
        self.assertEqual(configured_by("build"), (1, True))
        self.assertEqual(configured_by("build"), (1, False))
        presets = self.tree / "CMakePresets.json"
        presets.touch()
        self.assertEqual(configured_by("build"), (1, False))
        presets.write_text(presets.read_text().replace("Optimised g++", "Quick g++"))
        self.assertEqual(configured_by("build"), (2, False))
        self.assertEqual(configured_by("build"), (2, False))
        (self.tree / "build/release/.presets").unlink()  # Of a time before there was that file.
        self.assertEqual(configured_by("build"), (3, False))

    def test_a_mistake_in_the_driver_is_shown_once_for_all_images(self):
        def failed(image, line):
            return (f"FAILED: {image}/nic_tx.c.o\ngcc -o {image}/nic_tx.c.o\n"
                    f"nic_tx.c: In function '{image}_nic_tx':\n"
                    f"nic_tx.c:{line}:5: error: oops\n   {line} |  oops\n     |  ^~~~\n")
        log = ("ninja: Entering directory `build/release'\n[1/9] Building C object x.o\n" +
               failed("one", 3) + failed("two", 3) + "[4/9] Building C object y.o\n" +
               failed("three", 7) + "ninja: build stopped: subcommand failed.\n")
        (self.tree / "log").write_text(log)
        (self.tree / "tools/ninja").write_text("#!/bin/sh\ncat \"$TREE/log\"; exit 1\n")
        code, _, errors = self.run_script("build")
        self.assertEqual(code, 3)
        self.assertEqual(errors.count("nic_tx.c:3:5: error: oops"), 1, errors)
        self.assertEqual(errors.count("nic_tx.c:7:5: error: oops"), 1, errors)
        self.assertEqual(errors.count("|  ^~~~"), 2, errors)
        self.assertIn("FAILED: one/nic_tx.c.o\n", errors)
        self.assertNotIn("two/nic_tx.c.o", errors)
        self.assertIn("ninja: build stopped", errors)
        self.assertNotIn("Building", errors)

    def test_a_preset_that_is_none_is_refused_with_those_there_are(self):
        code, _, errors = self.run_script("build", "nosuch")
        self.assertEqual(code, 2, errors)
        self.assertIn("there is no preset 'nosuch'; presets: dev release clang asan-ubsan", errors)

    def run_tests(self, failing):
        """./doorbell test over a stand-in for ctest that runs three tests of each tree."""
        (self.tree / "tools/ctest").write_text("""#!/usr/bin/env python3
import sys
names = ["a/Ring.one", "a/Ring.two", "b/c++ (x)"]
if "-N" in sys.argv:
    print("Total Tests: 3")
    sys.exit()
out = sys.argv[sys.argv.index("--output-junit") + 1]
failing = %r if "build/release" in sys.argv[sys.argv.index("--test-dir") + 1] else []
rows = ""
for i, name in enumerate(names):
    how = "fail" if name in failing else "run"
    rows += f'<testcase name="{name}" status="{how}"/>'
    print(f"{i + 1}/3 Test #{i + 1}: {name} ...... {how}\\nsome output of the test")
open(out, "w").write(f"<testsuite>{rows}</testsuite>")
sys.exit(8 if failing else 0)
""" % (failing,))
        (self.tree / "tools/ctest").chmod(0o755)
        (self.tree / "tools/cmake").write_text(
            "#!/bin/sh\nmkdir -p build/$2; touch build/$2/build.ninja\n")
        (self.tree / "tools/ninja").write_text("#!/bin/sh\n")
        house = self.tree / "testbench/house"
        house.mkdir(parents=True)
        shutil.copy(ROOT / "testbench/house/run_tests.sh", house)
        return self.run_script("test")

    def test_failed_tests_are_named_just_above_the_count_with_the_command_for_each(self):
        code, out, errors = self.run_tests(["a/Ring.two", "b/c++ (x)"])
        self.assertEqual(code, 1, errors)
        self.assertEqual(out.splitlines(), [
            "failed: a/Ring.two (log: build/release/tests.log)",
            r"    ctest --test-dir build/release --output-on-failure -R '^a/Ring\.two$'",
            "failed: b/c++ (x) (log: build/release/tests.log)",
            r"    ctest --test-dir build/release --output-on-failure -R '^b/c\+\+ \(x\)$'",
            "4 passed, 2 failed, 0 skipped"])

    def test_success_is_a_line_for_each_suite_and_the_count_and_the_rest_is_in_the_log(self):
        code, out, errors = self.run_tests([])
        self.assertEqual((code, out), (0, "6 passed, 0 failed, 0 skipped\n"), errors)
        self.assertNotIn("output of the test", errors)
        for preset in ("release", "asan-ubsan"):
            self.assertEqual(errors.count(f"testing build/{preset}: 3 tests"), 1, errors)
            log = (self.tree / f"build/{preset}/tests.log").read_text()
            self.assertEqual(log.count("some output of the test"), 3)

    def test_help_of_build_builds_nothing(self):
        code, out, errors = self.run_script("build", "--help")
        self.assertEqual((code, errors), (0, ""))
        self.assertIn("presets: dev release", out)
        self.assertFalse((self.tree / "build").exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
