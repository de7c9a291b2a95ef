#!/usr/bin/env python3
"""doorbell qemu without a QEMU: what it asks for and refuses, how it makes trees and guests."""
import contextlib
import io
import json
import lzma
import os
import pathlib
import shutil
import signal
import stat
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import debian_tree  # noqa: E402
import doorbell_qemu  # noqa: E402
import guest_image  # noqa: E402
import machine  # noqa: E402
import qemu_program  # noqa: E402
import session  # noqa: E402
from problem import Missing, Problem, Usage  # noqa: E402

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "ladder"))
import bench  # noqa: E402
import cable  # noqa: E402
import poll_driver  # noqa: E402
import probe  # noqa: E402


class Folder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbell-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def tool(self, name, body):
        path = self.folder / "tools" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def tools_first(self):
        return mock.patch.dict(os.environ, {"PATH": f"{self.folder}/tools:{os.environ['PATH']}"})


class OutputOfACommand(unittest.TestCase):
    def test_arrives_whole_and_without_the_word_that_ends_it_however_it_is_cut(self):
        data = b"doorbell-1 is not the end\ndoorbell-\x00\xff" + b"word-77\n"
        for first in range(len(data) + 1):
            for second in (first, first + 1, first + 7):
                got = []
                stream = session.Stream(got.append)
                stream.expect("word-77")
                for part in (data[:first], data[first:second], data[second:]):
                    stream.take(part)
                self.assertTrue(stream.ended)
                self.assertEqual(b"".join(got), data[:-8])

    def test_is_not_held_back_until_the_end(self):
        got = []
        stream = session.Stream(got.append)
        stream.expect("word")
        stream.take(b"progress\n")
        self.assertEqual((got, stream.ended), ([b"progress\n"], False))


    def test_of_scripts_nobody_waited_for_ends_before_it_however_it_is_cut(self):
        for data in (b"nap-1\nnap-2\n1\nword\n", b"nap-2\n1\nword\n", b"1\nword\n"):
            for cut in range(len(data) + 1):
                got = []
                stream = session.Stream(got.append, ["nap-1", "nap-2"])
                stream.expect("word")
                stream.take(data[:cut])
                stream.take(data[cut:])
                self.assertEqual((b"".join(got), stream.ended), (b"1\n", True), (data, cut))


class InitramfsArchive(unittest.TestCase):
    def entries(self, data):
        """Reads an archive as the kernel does: name, mode, content, device."""
        place = 0
        while True:
            self.assertEqual(data[place:place + 6], b"070701")
            fields = [int(data[place + 6 + 8 * n:place + 14 + 8 * n], 16) for n in range(13)]
            mode, size, names = fields[1], fields[6], fields[11]
            name = data[place + 110:place + 110 + names - 1].decode()
            start = place + 110 + names + (-(110 + names) % 4)
            if name == "TRAILER!!!":
                self.assertEqual((start + size) % 4, 0, "another archive may follow")
                return
            yield name, mode, data[start:start + size], tuple(fields[9:11])
            place = start + size + (-size % 4)

    def test_holds_files_links_nodes_and_their_folders_before_them(self):
        archive = guest_image.Archive()
        archive.file("a/b/c", b"12345", 0o755)
        archive.file("a/b/d", b"")
        archive.link("bin", "usr/bin")
        archive.node("dev/console", 5, 1)
        self.assertEqual(list(self.entries(archive.whole())), [
            ("a", stat.S_IFDIR | 0o755, b"", (0, 0)), ("a/b", stat.S_IFDIR | 0o755, b"", (0, 0)),
            ("a/b/c", stat.S_IFREG | 0o755, b"12345", (0, 0)),
            ("a/b/d", stat.S_IFREG | 0o644, b"", (0, 0)),
            ("bin", stat.S_IFLNK | 0o777, b"usr/bin", (0, 0)),
            ("dev", stat.S_IFDIR | 0o755, b"", (0, 0)),
            ("dev/console", stat.S_IFCHR | 0o600, b"", (5, 1))])

    def test_settings_reach_a_shell_as_they_were(self):
        value = "IntMode=1 name='it''s' $HOME `id`"
        entries = {name: data for name, _, data, _ in self.entries(
            guest_image.settings_archive({"driver_arguments": value, "mode": "exec"}))}
        shell = entries["doorbell/settings"].decode()
        shell += 'printf %s "$driver_arguments|$mode|$address"'
        done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True)
        self.assertEqual(done.stdout, f"{value}|exec|")


def module_file(**fields):
    """A kernel module as far as it is read: an ELF file of 64 bits with a .modinfo section."""
    info = b"\0".join(f"{name}={value}".encode() for name, value in fields.items()) + b"\0"
    strings = b"\0.modinfo\0.shstrtab\0"
    table = 64 + len(info) + len(strings)
    head = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + struct.pack(
        "<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, 64, 0, 0, 64, 3, 2)
    rows = [(0, 0, 0, 0), (1, 1, 64, len(info)), (10, 3, 64 + len(info), len(strings))]
    sections = b"".join(struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, offset, size, 0, 0, 1, 0)
                        for name, kind, offset, size in rows)
    return head + info + strings + sections


class KernelModules(Folder):
    def put(self, path, data):
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(lzma.compress(data) if path.endswith(".xz") else data)

    def test_what_a_module_needs_is_loaded_before_it(self):
        self.put("net/nic.ko.xz", module_file(depends="clock,bus-core", vermagic="6.1 SMP"))
        self.put("clock.ko", module_file(depends="bus_core"))
        self.put("bus-core.ko", module_file(depends=""))
        modules = guest_image.Modules(self.folder)
        self.assertEqual(modules.needs("nic"), ["bus_core", "clock", "nic"])
        self.assertEqual(modules.needs("built_in"), [])

    def test_what_is_no_module_is_refused_as_a_driver(self):
        self.put("driver.ko", b"\x7fELF\x02" + b"\0" * 59)
        with self.assertRaisesRegex(Usage, "is no kernel module"):
            guest_image.settings_archive({}, self.folder / "driver.ko")
        (self.folder / "text.ko").write_text("not at all")
        with self.assertRaisesRegex(Usage, "is no kernel module"):
            guest_image.settings_archive({}, self.folder / "text.ko")

    def test_the_kernel_a_driver_was_built_for_is_known(self):
        self.put("driver.ko", module_file(vermagic="6.1.0-50-amd64 SMP preempt", depends=""))
        self.assertEqual(guest_image.module_version(self.folder / "driver.ko"), "6.1.0-50-amd64")


class TreesOfPackages(Folder):
    """With a real dpkg-deb and an apt-get that hands out one package made here."""

    def setUp(self):
        super().setUp()
        if shutil.which("dpkg-deb") is None or not debian_tree.KEYRING.exists():
            self.skipTest("no dpkg-deb or no keyring on this machine")
        content = self.folder / "content"
        (content / "DEBIAN").mkdir(parents=True)
        (content / "DEBIAN/control").write_text(
            "Package: tool\nVersion: 1\nArchitecture: all\nMaintainer: nobody\nDescription: none\n")
        (content / "bin").mkdir()
        (content / "bin/tool").write_text("a program")
        (content / "usr/share/tool").mkdir(parents=True)
        (content / "usr/share/tool/data").write_text("data")
        subprocess.run(["dpkg-deb", "--build", "--root-owner-group", content,
                        self.folder / "tool_1_all.deb"], check=True, capture_output=True)
        self.tool("apt-get", f'''
echo run >>{self.folder}/asked
for word in "$@"; do
    case $word in
    Dir::Cache=*) cache=${{word#Dir::Cache=}} ;;
    --print-uris) echo "'somewhere/tool_1_all.deb' tool_1_all.deb 1 SHA256:0" ;;
    --download-only) cp {self.folder}/tool_1_all.deb "$cache/archives/" ;;
    esac
done''')
        self.made = self.folder / "build"
        patch = mock.patch.dict(os.environ, {debian_tree.MIRROR_VARIABLE: "file:/nowhere"})
        patch.start()
        self.addCleanup(patch.stop)
        tools = self.tools_first()
        tools.start()
        self.addCleanup(tools.stop)

    def make(self, only=None):
        with contextlib.redirect_stderr(io.StringIO()):
            return debian_tree.make_tree(
                self.made, debian_tree.Recipe("tree", ["suite"], ["tool"], only))

    def asked(self):
        path = self.folder / "asked"
        return path.read_text().count("run") if path.exists() else 0

    def test_programs_of_bin_and_of_usr_bin_meet_and_a_whole_tree_is_used_again(self):
        tree = self.make()
        self.assertEqual(tree.find("tool"), tree.path / "usr/bin/tool")
        self.assertEqual(os.readlink(tree.path / "bin"), "usr/bin")
        first = self.asked()
        self.assertGreater(first, 0)
        self.make()
        self.assertEqual(self.asked(), first)

    def test_what_an_interrupted_run_left_is_removed_and_made_anew(self):
        for left in ("tree", "tree.partial"):
            (self.made / left / "usr/bin").mkdir(parents=True)
            (self.made / left / "usr/bin/half").write_text("")
        tree = self.make()
        self.assertIsNone(tree.find("half"))
        self.assertIsNotNone(tree.find("tool"))
        self.assertEqual([path.name for path in self.made.glob("tree*")], ["tree"])

    def test_another_recipe_makes_another_tree_and_only_keeps_what_it_names(self):
        self.make()
        tree = self.make({"tool": ("./bin/*",)})
        self.assertTrue((tree.path / "usr/bin/tool").exists())
        self.assertFalse((tree.path / "usr/share/tool/data").exists())

    def test_a_refusal_of_apt_is_told_in_its_words_and_leaves_no_tree(self):
        self.tool("apt-get", "echo 'E: Unable to locate package tool' >&2; exit 100")
        with self.assertRaisesRegex(Missing, "Unable to locate package tool"):
            self.make()
        self.assertFalse((self.made / "tree").exists())

    def test_a_package_that_is_cut_short_is_a_problem_and_no_tree(self):
        whole = (self.folder / "tool_1_all.deb").read_bytes()
        (self.folder / "tool_1_all.deb").write_bytes(whole[:len(whole) // 2])
        with self.assertRaisesRegex(Problem, "tool_1_all.deb could not be unpacked"):
            self.make()
        self.assertFalse((self.made / "tree").exists())


class ChoiceOfQemu(Folder):
    def test_one_given_without_vfio_user_is_refused_with_the_version_that_has_it(self):
        self.tool("old-qemu", 'echo "QEMU emulator version 7.2"')
        with self.tools_first(), self.assertRaisesRegex(Usage, "7.2 has no device vfio-user-pci; "
                                                               "QEMU has it since 10.1"):
            qemu_program.find_qemu(self.folder, "old-qemu")

    def test_that_of_the_machine_is_taken_when_it_has_it(self):
        path = self.tool("qemu-system-x86_64", "echo 'name \"vfio-user-pci\", bus PCI'")
        with self.tools_first():
            self.assertEqual(qemu_program.find_qemu(self.folder).words, [str(path)])

    def test_else_one_is_made_of_packages(self):
        self.tool("qemu-system-x86_64", "echo 'name \"e1000e\", bus PCI'")
        made = mock.Mock()
        with self.tools_first(), mock.patch.object(qemu_program, "make_tree", made), \
                contextlib.redirect_stderr(io.StringIO()) as said, \
                mock.patch.object(qemu_program, "from_tree", lambda tree: "made"):
            self.assertEqual(qemu_program.find_qemu(self.folder), "made")
        self.assertIn("has no device vfio-user-pci", said.getvalue())
        self.assertEqual(made.call_args.args[1].packages[0], "qemu-system-x86")


class CommandLines(unittest.TestCase):
    def words(self, **changes):
        return machine.qemu_words(qemu_program.Qemu(["qemu"]), machine.Machine(**changes), "/s/nic")

    def test_guest_memory_is_shared_and_the_card_sits_behind_a_root_port(self):
        words = self.words(memory_mb=300)
        self.assertIn("memory-backend-memfd,id=ram,size=300M,share=on", words)
        self.assertTrue(any("vfio-user-pci" in word and '"bus":"rp0"' in word and "60000" in word
                            and '"/s/nic"' in word for word in words), words)

    def test_the_built_in_card_has_the_same_place_and_no_server(self):
        words = self.words(nic="builtin", wire="tap:tap0")
        self.assertIn("e1000e,id=nic,bus=rp0,netdev=wire,romfile=", words)
        self.assertIn("tap,id=wire,ifname=tap0,script=no,downscript=no,vnet_hdr=on", words)
        self.assertFalse(any("vfio-user" in word for word in words))

    def test_what_is_asked_of_the_server_reaches_it(self):
        options = doorbell_qemu.parse(["--rate", "100", "--time", "fast", "--capture", "f"])
        words = machine.serve_words("doorbell", doorbell_qemu.machine_of(
            options, guest_image.Image("k", "i")), "/s/nic")
        text = machine.command_text(words)
        for part in ("--rate 100", "--time fast", f"--capture {os.getcwd()}/f"):
            self.assertIn(part, text)

    def test_what_stands_behind_two_dashes_is_qemus_and_comes_last(self):
        options = doorbell_qemu.parse(["--cpus", "2", "--", "-s", "--exec", "x"])
        self.assertEqual((options.command, options.qemu_arguments), (None, ("-s", "--exec", "x")))

    def test_wires_that_the_built_in_card_cannot_have_are_refused(self):
        with self.assertRaisesRegex(Usage, "user, tap:NAME or unix:PATH"):
            self.words(nic="builtin", wire="pcap:a,b")


class ExitCodes(Folder):
    def run_it(self, *words):
        out, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
            code = doorbell_qemu.guarded(list(words))
        return code, out.getvalue(), errors.getvalue()

    def test_a_driver_that_is_no_module_is_refused_before_anything_starts(self):
        options = doorbell_qemu.parse(["--driver", __file__])
        with self.assertRaisesRegex(Usage, "qemu_test.py is no kernel module"):
            doorbell_qemu.check_driver(options)

    def test_usage_is_2_and_125_where_the_commands_status_would_stand(self):
        for words in (["--nic", "igb"], ["--cpus", "0"], ["--kernel", "/nowhere"],
                      ["--gest", "6.1"], ["--nic", "builtin", "--set", "nic.a=1"],
                      ["--modules", "/nowhere"], ["--nic", "builtin", "--rate", "100"],
                      ["--address", "10.0.0.2"], ["--address", "nonsense/24"]):
            with self.subTest(words=words):
                code, out, errors = self.run_it(*words)
                self.assertEqual((code, out), (2, ""))
                self.assertIn("--help", errors)
                self.assertEqual(self.run_it(*words, "--exec", "true")[0], 125)

    def test_a_folder_or_a_server_that_cannot_be_is_a_sentence_and_our_code(self):
        qemu = self.tool("some-qemu", "echo 'name \"vfio-user-pci\"'")
        (self.folder / "file").write_text("")
        common = ("--qemu", str(qemu), "--kernel", str(qemu), "--initrd", str(qemu))
        for out, said in ((self.folder / "file/below", "folder .*below.* --out"),
                          (self.folder / "out", "server /nonexistent cannot .*DOORBELL_BINARY")):
            for command, wanted in ((("--exec", "true"), 125), ((), 3)):
                with mock.patch.dict(os.environ, {"DOORBELL_BINARY": "/nonexistent"}):
                    code, _, errors = self.run_it(*common, "--out", str(out), *command)
                self.assertEqual(code, wanted)
                self.assertRegex(errors, said)
                self.assertEqual(errors.count("\n"), 1, errors)

    def test_any_other_failure_of_ours_has_our_code_too(self):
        for error in (OSError(28, "No space left on device", "/some/file"), KeyError("nic")):
            with mock.patch.object(doorbell_qemu, "main", mock.Mock(side_effect=error)):
                code, _, errors = self.run_it("--exec", "true")
                self.assertEqual((code, self.run_it()[0]), (125, 3))
            self.assertRegex(errors, "^doorbell: (/some/file: No space left|a mistake in doorbell)")
            self.assertEqual("Traceback" in errors, isinstance(error, KeyError))

    def test_a_mistake_during_a_run_keeps_its_traceback_with_the_evidence(self):
        with self.assertRaisesRegex(Problem, "a mistake in doorbell itself .KeyError: 'nic'"), \
                doorbell_qemu.trace_kept(self.folder):
            self.fail({}["nic"])
        self.assertIn("KeyError", (self.folder / "traceback.txt").read_text())

    def test_a_reader_who_leaves_ends_it_without_a_word(self):
        qemu = self.tool("some-qemu", "echo 'name \"vfio-user-pci\"'")
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            [sys.executable, doorbell_qemu.__file__, "--print", "--qemu", str(qemu), "--out",
             str(self.folder)], stdout=writing, stderr=subprocess.PIPE, text=True)
        os.close(writing)
        self.assertEqual((done.returncode, done.stderr), (128 + signal.SIGPIPE, ""))

    def test_what_an_initramfs_of_yours_would_drop_is_refused(self):
        for words in (["--driver", __file__], ["--modules", str(self.folder)],
                      ["--driver-arguments", "IntMode=1"], ["--address", "dhcp"]):
            with self.subTest(words=words):
                code, _, errors = self.run_it("--initrd", __file__, *words, "--print")
                self.assertEqual(code, 2)
                self.assertIn(f"{words[0]} goes without --initrd: the init of", errors)

    def test_print_prints_what_makes_the_guest_boot_and_starts_nothing(self):
        qemu = self.tool("some-qemu", "echo 'name \"vfio-user-pci\"'")
        out = self.folder / "a folder"
        code, printed, errors = self.run_it(
            "--print", "--qemu", str(qemu), "--wire", "tap:t0", "--set",
            "nic.phy.autonegotiation_ms=0", "--out", str(out), "--address", "10.0.0.2/24",
            "--driver-arguments", "IntMode=1")
        self.assertEqual((code, errors), (0, ""))
        join, serve, guest = printed.splitlines()
        self.assertIn("serve --socket /tmp/doorbell.sock --wire tap:t0 "
                      "--set nic.phy.autonegotiation_ms=0", serve)
        self.assertTrue(guest.startswith(str(qemu)), guest)
        # The line is run with another initramfs in the place of the guest's, made or not.
        base = self.folder / "base"
        base.write_bytes(b"base")
        image = guest_image.image_paths(doorbell_qemu.BUILD, "6.1").initramfs
        subprocess.run(["sh", "-c", join.replace(str(image), str(base))], check=True)
        self.assertIn(f"-initrd '{out}/initramfs'", guest)
        whole = (out / "initramfs").read_bytes()
        self.assertTrue(whole.startswith(b"base070701"), whole[:20])
        for part in (b"doorbell/settings", b"mode='shell'", b"address='10.0.0.2/24'",
                     b"driver_arguments='IntMode=1'"):
            self.assertIn(part, whole)

    def test_print_refuses_a_command_that_its_lines_would_not_run(self):
        code, _, errors = self.run_it("--print", "--exec", "true")
        self.assertEqual(code, 125)
        self.assertIn("--exec goes without --print: the lines give a prompt", errors)

    def test_print_of_a_built_in_card_has_no_server_and_an_initramfs_of_yours_stays(self):
        qemu = self.tool("some-qemu", "echo 'name \"vfio-user-pci\"'")
        code, out, _ = self.run_it("--print", "--qemu", str(qemu), "--nic", "builtin", "--initrd",
                                   str(qemu))
        self.assertEqual((code, len(out.splitlines())), (0, 1))
        self.assertIn(f"-initrd {qemu}", out)


class HashesOfReceivedFrames(unittest.TestCase):
    """The values that were published with the algorithm (RSS, "verifying the hash")."""
    KEY = bytes.fromhex("6d5a56da255b0ec24167253d43a38fb0d0ca2bcbae7b30b477cb2da38030f20c"
                        "6a42b73bbeac01fa")

    def test_a_connection_is_hashed_over_addresses_and_ports(self):
        data = (socket.inet_aton("66.9.149.187") + socket.inet_aton("161.142.100.80")
                + struct.pack(">HH", 2794, 1766))
        self.assertEqual(probe.toeplitz(self.KEY, data), 0x51CCC178)

    def test_other_frames_are_hashed_over_addresses(self):
        data = socket.inet_aton("66.9.149.187") + socket.inet_aton("161.142.100.80")
        self.assertEqual(probe.toeplitz(self.KEY, data), 0x323E8FC2)


class WordsOfIperf(unittest.TestCase):
    def udp(self, sent, arrived):
        return json.dumps({"end": {
            "sum_sent": {"bytes": sent * 1000, "bits_per_second": 20e6, "packets": sent},
            "sum_received": {"bytes": arrived * 1000, "bits_per_second": 20e6 * arrived / sent,
                             "packets": arrived, "lost_packets": 0}}})

    def test_of_udp_half_of_what_was_sent_must_arrive(self):
        for arrived, good in ((1000, True), (600, True), (400, False), (0, False)):
            result = bench.iperf_result(self.udp(1000, arrived))
            self.assertEqual((result.share, result.good), (arrived / 1000, good), result)
            self.assertAlmostEqual(result.mbps, arrived / 50)
        nothing = bench.iperf_result(json.dumps({"end": {"sum_sent": {"bytes": 0, "packets": 0}}}))
        self.assertFalse(nothing.good)

    def test_an_error_and_no_words_at_all_are_told(self):
        for text, said in (('{"error": "no route"}', "no route"), ("", "did not end")):
            result = bench.iperf_result(text)
            self.assertFalse(result.good)
            self.assertIn(said, result.problem)

    def test_of_tcp_the_receivers_rate_counts(self):
        for rate, good in ((5e6, True), (0, False)):
            text = json.dumps({"end": {"sum_sent": {"bits_per_second": 1e9},
                                       "sum_received": {"bits_per_second": rate}}})
            self.assertEqual(bench.iperf_result(text).good, good)

    def test_udp_has_three_tries_and_tcp_one(self):
        for udp, arrived, tries, good in ((True, [400, 100, 999], 3, True),
                                          (True, [100] * 9, 3, False), (True, [999], 1, True),
                                          (False, [100, 999], 1, False)):
            left = list(arrived)
            result = bench.iperf(lambda left=left: self.udp(1000, left.pop(0)), udp)
            self.assertEqual((len(arrived) - len(left), result.good), (tries, good))


class CountersOfThePollingDriver(unittest.TestCase):
    SAID = """
  ------- Forward Stats for RX Port= 0/Queue= 0 -> TX Port= 0/Queue= 0 -------
  RX-packets: 12             TX-packets: 423103         TX-dropped: 6165505

  ------- Forward Stats for RX Port= 0/Queue= 1 -> TX Port= 0/Queue= 1 -------
  RX-packets: 5              TX-packets: 422239         TX-dropped: 6166369

  ---------------------- Forward statistics for port 0  ----------------------
  RX-packets: 17             RX-dropped: 20000         RX-total: 20017
  TX-packets: 845342         TX-dropped: 12331874      TX-total: 13177216

  ######################## NIC statistics for port 0  ########################
  RX-packets: 18         RX-missed: 20000      RX-bytes:  1280
  RX-errors: 0
"""

    def test_what_was_missed_is_not_taken_for_received_and_queues_are_apart(self):
        counted = poll_driver.counters(self.SAID)
        self.assertEqual(counted.taken, 17)
        self.assertEqual(counted.queues, {0: (12, 423103), 1: (5, 422239)})
        self.assertEqual(counted.card, {"RX-packets": 18, "RX-missed": 20000, "RX-errors": 0})

    def test_a_testpmd_that_said_nothing_received_nothing(self):
        self.assertEqual(poll_driver.counters("EAL: no port"), poll_driver.Counted(0, {}, {}))

    def test_a_datagram_is_valid_and_each_of_512_has_a_port_of_its_own(self):
        frames = [poll_driver.datagram(number) for number in range(512)]
        self.assertEqual(len({frame[34:36] for frame in frames}), 512)
        for frame in frames:
            self.assertEqual(len(frame), 60)
            total = sum(struct.unpack(">10H", frame[14:34]))
            self.assertEqual((total & 0xFFFF) + (total >> 16), 0xFFFF)


class CablesThatCanBePulled(Folder):
    def test_frames_of_a_stream_are_handed_over_whole_however_they_come(self):
        reading, writing = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        with reading, writing:
            one = cable.Cable.__new__(cable.Cable)
            one.tap = writing.fileno()
            stream = b"\0\0\0\x05first\0\0\0\x06second"
            for size in (1, 7, len(stream)):
                held = b""
                for start in range(0, len(stream), size):
                    held = one.hand_over(held + stream[start:start + size])
                self.assertEqual(held, b"")
                self.assertEqual([reading.recv(100), reading.recv(100)], [b"first", b"second"])
            reading.setblocking(False)
            with self.assertRaises(BlockingIOError):
                reading.recv(100)


class EvidenceFolders(Folder):
    def test_two_runs_at_once_do_not_write_into_one_folder(self):
        with session.evidence_folder(self.folder / "out") as first:
            with session.evidence_folder(self.folder / "out") as second:
                self.assertEqual((first.name, second.name), ("out", "out-2"))
        with session.evidence_folder(self.folder / "out") as again:
            self.assertEqual(again.name, "out")


class FailuresOfARun(Folder):
    """With stand-ins for the server and QEMU: what is said, and that nothing is left running."""

    def session(self, server, qemu, **changes):
        program = self.tool("server", server)
        words = [str(self.tool("qemu", qemu))]
        return session.Session(qemu_program.Qemu(words), machine.Machine(**changes), program,
                               self.folder)

    LISTENS = 'touch "$3"; trap "exit 0" TERM; while :; do sleep 0.02; done'

    def test_a_server_that_does_not_start_is_told_with_its_reason(self):
        with self.session("echo 'error: no permission for the TAP' >&2; exit 2", "") as one:
            with self.assertRaisesRegex(Problem, "did not start:\n.*no permission for the TAP"):
                one.start_server()

    def test_a_server_that_dies_under_the_guest_is_told_at_once(self):
        with self.session('touch "$3"; sleep 0.2; echo "it broke" >&2; kill -SEGV $$',
                          "exec sleep 60") as one:
            one.start_server()
            one.start_guest()
            with self.assertRaisesRegex(Problem, "by signal 11 while the guest ran.*\n.*broke"):
                one.wait_until_ready(20)
        self.assertIsNotNone(one.guest.poll())

    def test_qemus_own_words_are_told(self):
        with self.session(self.LISTENS, "echo 'qemu: bad option' >&2; exit 1") as one:
            one.start_server()
            one.start_guest()
            with self.assertRaisesRegex(Problem, "QEMU ended with exit code 1:\n.*bad option"):
                one.wait_until_ready(20)
        self.assertEqual(one.server.returncode, 0)
        self.assertIsNone(one.server_failure())

    def test_a_command_for_a_qemu_that_has_gone_tells_why_it_went(self):
        with self.session(self.LISTENS, "echo 'qemu: no more' >&2; exit 1") as one:
            one.start_server()
            one.start_guest()
            with self.assertRaisesRegex(Problem, "QEMU ended with exit code 1"):
                one.guest.wait(20)
                one.hand_over("word", "true")

    def test_what_the_server_said_stands_beside_an_error_of_qemu_about_it(self):
        with self.session("echo 'warn: memory is private' >&2; " + self.LISTENS,
                          "echo 'vfio-user-pci: Unknown error -22' >&2; exit 1") as one:
            one.start_server()
            one.start_guest()
            with self.assertRaisesRegex(Problem, "Unknown error(.*\n)+.*memory is private"):
                one.wait_until_ready(20)

    def test_a_monitor_that_does_not_answer_or_only_speaks_of_events_is_told(self):
        event = '{"event": "NICE"}'
        for answers in ('[]', f'["greeting"] + ["{{}}"] + 2000 * [\'{event}\']'):
            script = (f"import os, sys, time\nfor line in {answers}:\n"
                      "    os.write(int(sys.argv[1]), line.encode() + b'\\n')\n"
                      "    time.sleep(0.01)\ntime.sleep(60)")
            ours, theirs = socket.socketpair()
            with subprocess.Popen([sys.executable, "-c", script, str(theirs.fileno())],
                                  pass_fds=[theirs.fileno()]) as qemu, ours, theirs, \
                    self.session("", "") as one:
                one.sockets["monitor"] = ours
                began = time.monotonic()
                with mock.patch.object(session, "MONITOR_SECONDS", 0.5), \
                        self.assertRaisesRegex(Problem, "no answer .* within 0.5 s"):
                    one.monitor("query-status")
                self.assertLess(time.monotonic() - began, 10)
                qemu.kill()

    def test_a_guest_that_does_not_come_up_ends_with_the_console(self):
        with self.session(self.LISTENS, "exec sleep 60") as one:
            (self.folder / "console.log").write_text("last words\n")
            one.start_server()
            one.start_guest()
            with self.assertRaisesRegex(Problem, "not up after 0.3 s.*\n.*last words"):
                one.wait_until_ready(0.3)
        self.assertFalse(one.temporary.exists())


if __name__ == "__main__":
    unittest.main(verbosity=1)
