"""The program from outside: exit codes, messages, what it prints and what it leaves behind."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time
import unittest
import xml.etree.ElementTree

from harness import BINARY, Acceptance

SCENARIOS = pathlib.Path(__file__).resolve().parent.parent / "scenarios"
SMALL = ("--set", "workload.bytes=20000")


def doorbell(*arguments, cwd=None, env=None):
    return subprocess.run([str(BINARY), *arguments], capture_output=True, text=True, timeout=300,
                          cwd=cwd, env={**os.environ, **(env or {})})


class ExitCodes(Acceptance):
    def scenario(self, *changes):
        text = (SCENARIOS / "tcp_file.toml").read_text()
        for old, new in changes:
            self.assertIn(old, text)
            text = text.replace(old, new, 1)
        path = self.folder / "mine.toml"
        path.write_text(text)
        return str(path)

    def test_0_when_everything_holds(self):
        self.assertEqual(self.run_doorbell("tcp_file", *SMALL).code, 0)

    def test_1_when_an_expectation_does_not_hold_and_the_replay_command_fails_again(self):
        mine = self.scenario(("value = 1\n", "value = 0\n"))
        done = doorbell("run", mine, *SMALL, "--seed", "5", "--out", str(self.folder / "o"),
                        env={"DOORBELL_COMMAND": str(BINARY)})
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("FAIL workload.identical == 0: it is 1", done.stdout)
        self.assertEqual(done.stdout.count("workload.identical == 0"), 1, done.stdout)
        replay = [line for line in done.stdout.splitlines() if "replay:" in line]
        self.assertEqual(len(replay), 1)
        command = replay[0].split("replay:")[1].strip()
        again = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=300,
                               cwd=self.folder)
        self.assertEqual(again.returncode, 1, again.stderr)
        result = json.loads((self.folder / "out/tcp_file/result.json").read_text())
        self.assertEqual((result["seed"], result["metrics"]["workload.bytes"]), (5, 20000))

    def test_1_when_the_time_is_up_and_it_says_who_still_runs(self):
        run = self.run_doorbell("tcp_file", "--set", "scenario.timeout_ms=85")
        self.assertEqual(run.code, 1, run.explain())
        self.assertIn("the time is up", run.stderr)
        self.assertIn("tcp_send on a", run.stderr)

    def test_1_when_the_output_differs_even_if_nothing_was_expected_of_it(self):
        text = self.scenario(('output = "${workload.output}"', 'output = "/dev/null"'))
        bare = pathlib.Path(text).read_text()
        start = bare.index('[[expect]]\nmetric = "workload.identical"')
        end = bare.index("[[expect]]", start + 1)
        pathlib.Path(text).write_text(bare[:start] + bare[end:])
        run = self.run_doorbell(text, *SMALL)
        self.assertEqual(run.code, 1, run.explain())
        self.assertEqual(run.metric("workload.identical"), 0)
        self.assertIn("shorter", run.stderr)

    def test_1_when_only_an_earlier_run_wrote_the_output(self):
        out = str(self.folder / "o")
        self.assertEqual(doorbell("run", "tcp_file", *SMALL, "--out", out).returncode, 0)
        mine = self.scenario(
            ('run = "tcp_send --to 10.0.0.2 --port 5001', 'run = "ping --to 10.0.0.2"#'),
            ('run = "tcp_receive --port 5001', 'run = "udp_echo_server --port 7"#'))
        done = doorbell("run", mine, *SMALL, "--out", out)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("received", done.stdout)

    def test_2_for_usage(self):
        for arguments in (("run",), ("run", "ping", "--seed", "x"), ("frobnicate",), ("run", "ping",
                          "--capture", "most"), ("regs", "TDTX"), ("describe", "pnig")):
            done = doorbell(*arguments)
            self.assertEqual(done.returncode, 2, f"{arguments}: {done.stdout}{done.stderr}")
            self.assertTrue(done.stderr)

    def test_2_for_an_unknown_subcommand_and_a_seed_that_is_none(self):
        self.assertIn("did you mean 'list'?", doorbell("lst").stderr)
        for seed in ("-1", "18446744073709551616", "", "0x10"):
            done = doorbell("run", "ping", "--seed", seed, "--out", str(self.folder / "o"))
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(f"'{seed}' is no whole number", done.stderr)
        done = doorbell("run", "ping", "--seed", str(2**64 - 1), "--out", str(self.folder / "o"))
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_2_when_the_output_is_the_input_and_the_file_is_still_there(self):
        mine = self.folder / "mine.bin"
        mine.write_bytes(b"precious")
        (self.folder / "symbolic").symlink_to(mine)
        (self.folder / "hard").hardlink_to(mine)
        for name in ("mine.bin", "symbolic", "hard", "../" + self.folder.name + "/mine.bin"):
            done = doorbell("run", "tcp_file", "--set", f"workload.input={mine}", "--set",
                            f"workload.output={self.folder / name}", "--out",
                            str(self.folder / "o"))
            self.assertEqual(done.returncode, 2, f"{name}: {done.stdout}")
            self.assertIn("overwrite", done.stderr)
            self.assertEqual(mine.read_bytes(), b"precious")

    def test_2_for_an_output_of_an_earlier_run_that_this_one_would_overwrite(self):
        out = self.folder / "o"
        self.assertEqual(doorbell("run", "tcp_file", *SMALL, "--out", str(out)).returncode, 0)
        before = (out / "received").read_bytes()
        done = doorbell("run", "tcp_file", "--set", f"workload.input={out}/received", "--out",
                        str(out))
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual((out / "received").read_bytes(), before)

    def test_2_for_files_that_cannot_be_used_and_set_is_shown_with_its_column(self):
        os.mkfifo(self.folder / "pipe")
        for key, name in (("input", "missing"), ("input", "pipe"), ("input", "."),
                          ("output", "missing/x"), ("output", "."),
                          ("output", "o/missing/x")):
            argument = f"workload.{key}={self.folder / name}"
            done = doorbell("run", "tcp_file", "--set", argument, "--out", str(self.folder / "o"))
            self.assertEqual(done.returncode, 2, f"{argument}: {done.stdout}")
            column = argument.index("=") + 2
            self.assertIn(f"--set {argument}:{column}: error: ", done.stderr)
        argument = "sweep.workload.bytes=[1, 2]"
        done = doorbell("check", "tcp_file", "--set", argument)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("a sweep cannot be set", done.stderr)
        argument = "workload.count=many"
        done = doorbell("check", "ping", "--set", argument)
        self.assertIn(f"--set {argument}:16: error: ", done.stderr)

    def test_2_for_an_output_that_is_the_runs_own_evidence(self):
        out = self.folder / "o"
        out.mkdir()
        (self.folder / "link").symlink_to(out / "wire.pcapng")
        for name in ("${out}/wire.pcapng", "${out}/result.json", "${out}/../o/resolved.toml",
                     f"{out}/events.jsonl", f"{self.folder}/link"):
            argument = f"workload.output={name}"
            done = doorbell("run", "tcp_file", "--set", argument, "--out", str(out))
            self.assertEqual(done.returncode, 2, f"{name}: {done.stdout}")
            self.assertIn(f"--set {argument}:17: error: ", done.stderr)
            self.assertIn("the run's own evidence", done.stderr)
            self.assertEqual(done.stderr.count("error:"), 1, done.stderr)
        # Nobody compares it, but a program would write it.
        text = (SCENARIOS / "tcp_file.toml").read_text()
        mine = self.folder / "mine.toml"
        mine.write_text(text[:text.index("[[verify]]")] +
                        "[[expect]]\nmetric = \"host.*.app.*.errors\"\nvalue = 0\n")
        done = doorbell("check", str(mine), "--set", "workload.output=${out}/wire.pcapng")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("the run's own evidence", done.stderr)
        self.assertEqual(doorbell("check", str(mine)).returncode, 0)

    def test_2_for_an_output_that_cannot_take_what_is_written_and_it_says_why(self):
        # 20,000 bytes fail when the file is closed, 10 MB while it is written.
        for extra in (SMALL, ()):
            run = self.run_doorbell("tcp_file", *extra, "--set", "workload.output=/dev/full")
            self.assertEqual(run.code, 2, run.explain())
            self.assertEqual(run.result["verdict"], "error")
            self.assertIn("/dev/full: No space left on device", run.result["failures"][0])
            self.assertNotIn("panic", run.stderr)

    def test_2_for_two_runs_that_would_share_a_folder(self):
        mine = self.scenario(('name = "tcp_file"', 'name = "ping"'))
        for second in ("ping", mine):
            done = doorbell("run", "ping", second, "--out", str(self.folder / "o"))
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("evidence", done.stderr)

    def test_2_for_a_folder_where_the_evidence_has_no_place(self):
        (self.folder / "o/result.json/x").mkdir(parents=True)
        done = doorbell("run", "ping", "--out", str(self.folder / "o"))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("result.json", done.stderr)

    def test_2_for_a_report_that_cannot_be_written_and_nothing_runs(self):
        out = self.folder / "o"
        done = doorbell("run", "ping", "--junit", str(self.folder / "no/x.xml"), "--out", str(out))
        self.assertEqual(done.returncode, 2)
        self.assertIn("No such file or directory", done.stderr)
        self.assertFalse(out.exists())

    def test_2_for_an_empty_scenario_that_says_what_is_missing(self):
        empty = self.folder / "empty.toml"
        empty.write_text("")
        done = doorbell("check", str(empty))
        self.assertEqual(done.returncode, 2)
        self.assertNotIn("cannot be read", done.stderr)
        self.assertIn("needs", done.stderr)

    def test_2_for_a_mistake_in_the_scenario_and_nothing_runs(self):
        mine = self.scenario(('metric = "workload.identical"', 'metric = "workload.identcal"'))
        out = self.folder / "o"
        done = doorbell("run", mine, "ping", "--out", str(out))
        self.assertEqual(done.returncode, 2)
        self.assertIn("mine.toml:", done.stderr)
        self.assertIn("did you mean 'workload.identical'?", done.stderr)
        self.assertFalse(out.exists())

    def test_2_for_a_misspelt_set_with_the_column(self):
        done = doorbell("run", "tcp_file", "--set", "settings.driver.tx_rng=8")
        self.assertEqual(done.returncode, 2)
        self.assertIn("--set settings.driver.tx_rng=8:17: error:", done.stderr)
        self.assertIn("did you mean 'driver.tx_ring'?", done.stderr)

    def test_2_for_a_scenario_that_is_not_there_with_a_suggestion(self):
        done = doorbell("run", "tcp_flie")
        self.assertEqual(done.returncode, 2)
        self.assertIn("did you mean 'tcp_file'?", done.stderr)

    def test_2_for_an_image_that_cannot_be_had_and_nothing_follows_from_it(self):
        done = doorbell("check", "ping", "--set", "host.a.image=nothere")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("there is no guest image 'nothere'", done.stderr)
        self.assertIn("there are 'default'", done.stderr)
        self.assertEqual(done.stderr.count("error:"), 1, done.stderr)

    def test_2_for_a_value_or_an_argument_the_guest_would_refuse(self):
        for setting, message in (("settings.driver.tx_ring=9", "it takes 8..4096, by 8"),
                                 ("workload.count=some", "'--count' must be a whole number")):
            run = self.run_doorbell("ping", "--set", setting)
            self.assertEqual(run.code, 2, run.explain())
            self.assertIn(message, run.stderr)

    def test_2_for_an_argument_out_of_its_range_with_place_range_and_suggestion(self):
        for scenario, argument, what, takes in (
                ("ping", "workload.count=0", "'--count' cannot be 0", "it takes 1..4294967295"),
                ("ping", "workload.size=65507", "'--size' cannot be 65507", "it takes 0..65499"),
                ("vlan", "workload.tag=70000", "'--vlan' cannot be 70000", "it takes 0..65535"),
                ("tso", "workload.mss=0", "'--tso' cannot be 0", "it takes 1..9216"),
                ("scatter_gather", "workload.segments=1000", "'--segments' cannot be 1000",
                 "it takes 1..32")):
            for command in ("check", "run"):
                done = doorbell(command, scenario, "--set", argument)
                self.assertEqual(done.returncode, 2, f"{argument}: {done.stdout}{done.stderr}")
                column = argument.index("=") + 2
                self.assertIn(f"--set {argument}:{column}: error: {what}\n", done.stderr)
                self.assertIn(f"= {takes}\n      = help: the nearest is ", done.stderr)
        mine = self.folder / "mine.toml"
        mine.write_text((SCENARIOS / "ping.toml").read_text().replace("count = 100", "count = 0"))
        done = doorbell("check", str(mine))
        self.assertEqual(done.returncode, 2)
        line = mine.read_text().splitlines().index("count = 0") + 1
        self.assertIn(f"mine.toml:{line}:9: error: '--count' cannot be 0\n"
                      f"{line:>5} | count = 0\n      |         ^\n", done.stderr)

    def test_2_for_values_that_do_not_go_together(self):
        for scenario, argument, words in (
                ("ping", "workload.size=14793", "14792 at most"),
                ("tcp_file", "settings.driver.tx_wthresh=4", "driver.tidv"),
                ("tcp_file", "host.b.settings.kernel.rx_buffers=256", "257 at least"),
                ("vlan", "workload.size=1515", "50..1514"),
                ("vlan", "settings.driver.vlan_strip=false", "CTRL.VME"),
                ("tso", "workload.mss=1465", "1..1464"),
                ("tso", "workload.segments=2", "at most 16384"),
                ("tso", "settings.driver.tx_checksum=false", "driver.tx_checksum is false"),
                ("scatter_gather", "settings.driver.tx_ring=8", "driver.tx_ring is 8")):
            done = doorbell("check", scenario, "--set", argument)
            self.assertEqual(done.returncode, 2, f"{argument}: {done.stdout}")
            self.assertIn(f"--set {argument}:{argument.index('=') + 2}: error: ", done.stderr)
            self.assertIn(words, done.stderr)
        self.assertEqual(doorbell("check", "tcp_file", "--set", "settings.driver.tx_wthresh=4",
                                  "--set", "settings.driver.tidv=1").returncode, 0)

    def test_2_for_a_value_of_a_sweep_that_does_not_go_with_the_rest(self):
        mine = self.folder / "mine.toml"
        text = (SCENARIOS / "ping.toml").read_text()
        mine.write_text(text + "[sweep]\nsettings.driver.tx_wthresh = [0, 4]\n")
        done = doorbell("run", str(mine), "--out", str(self.folder / "o"))
        self.assertEqual(done.returncode, 2, done.stdout)
        last = len(mine.read_text().splitlines())
        self.assertIn(f"mine.toml:{last}:34: error: 'driver.tx_wthresh' cannot be 4", done.stderr)
        self.assertFalse((self.folder / "o").exists())

    def test_the_edges_of_the_ranges_run(self):
        edges = {"ping": (("workload.size=14792", "settings.driver.rx_ring=8"),
                          ("workload.size=0",)),
                 "vlan": (("workload.tag=65535",), ("workload.size=50",)),
                 "tso": (("workload.mss=1464",), ("workload.mss=64",)),
                 "tcp_file": (("settings.driver.tx_wthresh=63", "settings.driver.tidv=1"),)}
        for scenario, runs in edges.items():
            for settings in runs:
                arguments = [word for setting in settings for word in ("--set", setting)]
                if scenario in ("ping", "vlan"):
                    arguments += ["--set", "workload.count=5"]
                run = self.run_doorbell(scenario, *arguments)
                self.assertNotIn("status", run.stderr, run.explain())
                self.assertLess(run.code, 2, run.explain())

    def test_0_when_every_posted_write_waits_for_the_one_before(self):
        # The CPU stands still meanwhile: no interrupt gets in between a store and what follows it.
        run = self.passes("tcp_bidirectional", "--set", "nic.pcie.posted_writes=1")
        self.assertGreater(run.metric("host.a.nic0.bus.posted.stalls"), 1000)

    def test_0_when_the_root_complex_has_hardly_a_credit_and_its_iommu_hardly_a_translation(self):
        settings = ("pcie.posted_header_credits=2", "pcie.posted_data_credits=8",
                    "pcie.nonposted_header_credits=1", "pcie.iotlb_entries=2",
                    "pcie.iotlb_walkers=1", "pcie.host=haswell_e5", "pcie.address_bits=auto",
                    "dma.task_per_request=true")
        run = self.passes("tcp_bidirectional",
                          *[word for one in settings for word in ("--set", f"nic.{one}")])
        for name in ("credits.posted_waits", "credits.nonposted_waits", "iotlb.hits",
                     "iotlb.misses", "iotlb.walker_waits"):
            self.assertGreater(run.metric(f"host.a.nic0.pcie.{name}"), 100, name)

    def test_1_and_a_drop_with_a_name_when_the_receiver_has_hardly_a_buffer_to_spare(self):
        run = self.run_doorbell("tcp_file", "--set", "settings.kernel.rx_buffers=257",
                                "--set", "scenario.timeout_ms=2000")
        self.assertEqual(run.code, 1, run.explain())
        name = "host.b.nic0.drops.rx_no_buffer"
        self.assertGreater(run.metric(name), 0)
        self.assertEqual(run.result["symptoms"][name], run.metric(name))
        self.assertRegex(run.stderr, f"what may explain it:\n(.*\n)*    {name} +[1-9]")

    def test_3_when_the_process_dies_and_the_replay_command_is_shown(self):
        # The capture outgrows what the system lets a file have: SIGXFSZ, where an assertion of the
        # model would be SIGABRT.
        done = subprocess.run(
            ["bash", "-c", "ulimit -c 0 -f 4000; exec \"$0\" \"$@\"", str(BINARY), "run",
             "tcp_file", "--out", str(self.folder / "o")],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
        self.assertIn("BROKEN tcp_file", done.stdout)
        self.assertIn("the run ended with signal", done.stdout)
        self.assertIn("replay:", done.stdout)
        result = json.loads((self.folder / "o/result.json").read_text())
        self.assertEqual(result["verdict"], "broken")

    def children_of(self, process):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            if children.strip():
                return [int(child) for child in children.split()]
            time.sleep(0.01)
        self.fail("no child was started")

    def wait_for_capture(self, folder):
        deadline = time.monotonic() + 60
        while not (folder / "wire.pcapng").exists():
            self.assertLess(time.monotonic(), deadline, "the run leaves no capture")
            time.sleep(0.01)

    def start(self, *arguments):
        process = subprocess.Popen(["bash", "-c", "ulimit -c 0; exec \"$0\" \"$@\"", str(BINARY),
                                    "run", *arguments, "--out", str(self.folder / "o")],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def test_3_and_time_and_ways_to_find_out_when_the_model_aborts(self):
        process = self.start("tcp_file", "--set", "workload.bytes=200000000")
        self.wait_for_capture(self.folder / "o")
        time.sleep(0.3)
        os.kill(self.children_of(process)[0], signal.SIGABRT)
        out, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 3, out + errors)
        self.assertRegex(errors, r"crash: signal 6 after about \d+\.\d{3} ms of simulated time\n")
        self.assertIn("gdb --args", out)
        self.assertRegex(out, "evidence in .*: wire.pcapng")

    def test_130_and_143_when_interrupted_and_what_did_not_start_keeps_its_evidence(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            later = self.folder / "o/003/result.json"
            later.parent.mkdir(parents=True, exist_ok=True)
            later.write_text("earlier")
            process = self.start("interrupt_moderation", "--set", "workload.bytes=200000000")
            self.wait_for_capture(self.folder / "o/000")
            process.send_signal(number)
            out, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number, out + errors)
            self.assertIn("interrupted: 3 of 4 runs not started\n", errors)
            self.assertNotIn("was not started", out + errors)
            self.assertEqual(later.read_text(), "earlier")
            (self.folder / "o/000/wire.pcapng").unlink()

    def test_130_when_a_driver_that_does_not_come_back_is_interrupted_after_it_was_named(self):
        waiting = {}
        for stuck in ("open", "poll", "interrupt"):
            command = [str(BINARY), "run", "ping", "--set", "host.b.image=doorbell_stuck_guest",
                       "--out", str(self.folder / stuck)]
            waiting[stuck] = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={**os.environ, "DOORBELL_STUCK": stuck})
            # Not kill(): it would leave the child behind, which never ends.
            impatience = threading.Timer(60, waiting[stuck].terminate)
            impatience.start()
            self.addCleanup(impatience.cancel)
            self.addCleanup(waiting[stuck].terminate)
        where = {"open": "thread init", "poll": "the driver's poll or another softirq",
                 "interrupt": "an interrupt handler"}
        for stuck, process in waiting.items():
            line = process.stderr.readline()
            self.assertRegex(
                line, r"^stall: the guest of host b \(image doorbell_stuck_guest\) has not come "
                r"back for 5 s of the host's time, at \d+\.\d{6} ms of simulated time: in " +
                where[stuck] + r", (at|called from about) 0x[0-9a-f]+ of the image; Ctrl-C ends it "
                r"and keeps the evidence, gdb -p \d+ looks into it$")
            self.assertIn(int(re.search(r"-p (\d+)", line)[1]), self.children_of(process))
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
            self.assertEqual((process.returncode, errors), (130, "interrupted\n"), out)
        # What was on the wire until then, though it was far less than a buffer.
        frames = self.tshark(self.folder / "poll/wire.pcapng", "arp", "frame.number")
        self.assertGreater(len(frames), 0)

    def test_2_for_a_scenario_file_that_is_not_there(self):
        self.assertIn("missing.toml: no such file", doorbell("run", "missing.toml").stderr)


class Output(Acceptance):
    FIELDS = {"scenario": str, "settings": dict, "seed": int, "verdict": str, "failures": list,
              "simulated_ns": int, "host_cpu_ns": int, "kernel_events": int, "metrics": dict,
              "expectations": list, "symptoms": dict, "artifacts": dict, "tables": dict,
              "replay": str}

    def test_the_json_has_every_field_and_is_what_the_file_holds(self):
        run = self.passes("tcp_file", *SMALL, "--hash")
        for field, kind in self.FIELDS.items():
            self.assertIsInstance(run.result[field], kind, field)
        self.assertRegex(run.result["trace_hash"], "^[0-9a-f]{32}$")
        self.assertEqual(json.loads((run.folder / "result.json").read_text()), run.result)
        for name in run.result["artifacts"].values():
            self.assertTrue((run.folder / name).exists(), name)
        for expectation in run.result["expectations"]:
            self.assertEqual(set(expectation), {"text", "why", "actual", "limit", "passed"})
        self.assertIn("10.0.0.0", run.result["tables"]["a"]["route"])
        self.assertGreater(run.result["kernel_events"], 100)

    def test_every_metric_of_a_run_is_documented_and_every_documented_one_is_there(self):
        # `check` knows the catalogue: an expectation on each name must decode, and hold a value.
        run = self.passes("two_nics_routing")
        text = (SCENARIOS / "two_nics_routing.toml").read_text()
        path = self.folder / "all.toml"
        path.write_text(text + "".join(
            f'\n[[expect]]\nmetric = "{name}"\nop = ">="\nvalue = 0\n'
            for name in run.result["metrics"]))
        checked = doorbell("check", str(path))
        self.assertEqual(checked.returncode, 0, checked.stderr[:3000])

        names = "\n".join(run.result["metrics"])
        missing = []
        for line in doorbell("describe", "metrics").stdout.splitlines():
            pattern = line.split("  ")[0].split(" ")[0]
            if not pattern.startswith(("host.", "link.", "run.", "workload.")):
                continue
            regex = re.sub("<(h|l|VECTOR|NAME)>", r"\\w+", re.escape(pattern))
            regex = re.sub("<(i|n|k)>", r"\\d+", regex)
            if not re.search(f"^{regex}$", names, re.MULTILINE):
                missing.append(pattern)
        self.assertEqual(missing, [], "documented, but no run has it")

    def test_a_sweep_is_an_array_and_its_code_the_worst(self):
        text = (SCENARIOS / "scatter_gather.toml").read_text() + "workload.limit = [0, 1000]\n"
        text = text.replace("[workload]\n", "[workload]\nlimit = 0\n", 1)
        text = text.replace('value = "${workload.count}"', 'value = "${workload.limit}"', 1)
        path = self.folder / "sweep.toml"
        path.write_text(text)
        run = self.run_doorbell(str(path), "--jobs", "2")
        self.assertEqual(run.code, 1, run.explain())
        self.assertEqual([r["verdict"] for r in run.result], ["fail", "pass"] * 4)
        segments = [r["settings"]["workload.segments"] for r in run.result]
        self.assertEqual(segments, ["1", "1", "2", "2", "8", "8", "32", "32"])

    def test_the_runs_of_a_sweep_do_not_depend_on_the_number_of_jobs(self):
        hashes = []
        for jobs in ("1", "3"):
            run = self.passes("scatter_gather", "--hash", "--jobs", jobs, "--capture", "none")
            hashes.append([r["trace_hash"] for r in run.result])
        self.assertEqual(hashes[0], hashes[1])
        self.assertEqual(len(set(hashes[0])), 4)

    def test_listeners_do_not_change_what_happens(self):
        plain = self.passes("tcp_file", *SMALL, "--capture", "none")
        observed = self.passes("tcp_file", *SMALL, "--trace=json", "--hash", "--capture", "all")
        ignored = ("result", "artifacts", "host_cpu_ns", "trace_hash")
        for run in (plain, observed):
            for key in ignored:
                run.result.pop(key, None)
        self.assertEqual(plain.result["metrics"], observed.result["metrics"])
        self.assertEqual(plain.result["kernel_events"], observed.result["kernel_events"])

    def test_hosts_that_cannot_meet_run_ahead_of_each_other_and_nothing_else_changes(self):
        def host(name, address, command):
            return (f'[[host]]\nname = "{name}"\n[[host.interface]]\naddress = "{address}/24"\n'
                    f'[[host.app]]\nrun = "{command}"\n')

        path = self.folder / "groups.toml"
        receive = "tcp_receive --port 5001 --file discard:"
        send = "tcp_send --port 5001 --patience-ms 60000 --file generate:"
        path.write_text(
            '[scenario]\nname = "groups"\ndescription = "x"\ntimeout_ms = 60_000\n'
            '[nic]\nphy.autonegotiation_ms = 1\n'
            # The groups do not stand together.
            + host("a0", "10.0.0.1", send + "2000000 --to 10.0.0.2")
            + host("b1", "10.0.1.2", receive) + host("b0", "10.0.0.2", receive)
            + host("a1", "10.0.1.1", send + "300000 --to 10.0.1.2")
            + host("a2", "10.0.2.1", "packet_generator --count 5000 --size 60")
            + host("b2", "10.0.2.2", "packet_sink --count 5000 --idle-ms 20")
            + host("c", "10.0.3.1", "packet_sink --count 5000 --idle-ms 100")
            + '[[generator]]\nname = "g"\nsize_bytes = 64\ncount = 5000\nstart_us = 100_000\n'
            '[[link]]\nends = ["a0.nic0", "b0.nic0"]\n'
            '[[link]]\nends = ["a1.nic0", "b1.nic0"]\n'
            'faults.loss_ppm = 5000\nfaults.delay_ppm = 20_000\n'
            '[[link]]\nends = ["a2.nic0", "b2.nic0"]\n[[link]]\nends = ["c.nic0", "g"]\n'
            '[[timeline]]\nat_us = 95_017\nlink = "wire0"\naction = "cable_out"\n'
            '[[timeline]]\nat_us = 105_033\nlink = "wire0"\naction = "cable_in"\n'
            '[[expect]]\nmetric = "generator.g.sent.frames"\nvalue = 5000\n')
        apart = self.passes(str(path), "--capture", "none").result
        in_order = self.passes(str(path), "--capture", "none", "--hash").result

        def differences(one, other):
            return {key for key in {*one, *other} if one.get(key) != other.get(key)}

        changed = differences(apart["metrics"], in_order["metrics"])
        activations = {key for key in changed if key.endswith(".timeline.activations")}
        self.assertEqual(changed - activations, {"run.kernel_events"})
        self.assertGreater(len(activations), 4, "did any group run ahead?")
        self.assertLess(apart["kernel_events"], in_order["kernel_events"])
        self.assertEqual(apart["simulated_ns"], in_order["simulated_ns"])

    def test_capture_all_shows_what_lies_in_host_memory_and_why_frames_were_dropped(self):
        run = self.passes("lossy_wire", "--capture", "all", "--set", "workload.bytes=300000")
        capture = run.folder / "wire.pcapng"
        stored = self.tshark(capture, "frame.interface_name == \"b.nic0.host\" && "
                             "frame.p2p_dir == 1", "frame.number")
        self.assertEqual(len(stored), run.metric("host.b.nic0.rx.stored_frames"))
        fetched = self.tshark(capture, "frame.interface_name == \"a.nic0.host\" && "
                              "frame.p2p_dir == 0", "frame.number")
        self.assertEqual(len(fetched), run.metric("host.a.nic0.tx.frames"))
        dropped = self.tshark(capture, "frame.interface_name == \"b.nic0\" && frame.comment "
                              "contains \"crc_error\"", "eth.fcs.status")
        self.assertEqual(len(dropped), run.metric("host.b.nic0.drops.crc_error_frames"))
        self.assertEqual(set(dropped), {"0"})  # 0 is Bad
        # What came whole over the wire is what the driver finds, byte by byte.
        seen = [self.tshark(capture, f"frame.interface_name == \"{name}\" && tcp.len > 0 && "
                            "frame.p2p_dir == 1 && !(eth.fcs.status == Bad)", "tcp.seq",
                            "tcp.payload") for name in ("b.nic0", "b.nic0.host")]
        self.assertTrue(seen[0])
        self.assertEqual(seen[0], seen[1])
        # And what the driver laid into memory is what leaves, with its identity.
        left = [self.tshark(capture, f"frame.interface_name == \"{name}\" && tcp.len > 0 && "
                            "frame.p2p_dir == 0", "frame.packet_id", "tcp.seq", "tcp.payload")
                for name in ("a.nic0", "a.nic0.host")]
        self.assertTrue(left[0])
        self.assertEqual(left[0], left[1])

    def test_vlan_tags_are_on_the_wire_and_not_in_host_memory(self):
        run = self.passes("vlan", "--capture", "all", "--set", "workload.count=50")
        capture = run.folder / "wire.pcapng"
        for name, tagged in (("b.nic0", 50), ("b.nic0.host", 0)):
            frames = self.tshark(capture, f"frame.interface_name == \"{name}\" && vlan.id == 42",
                                 "frame.number")
            self.assertEqual(len(frames), tagged, name)

    def test_a_frame_in_several_buffers_is_whole_in_the_capture_of_the_host(self):
        arguments = [word for setting in (
            "workload.count=20", "workload.size=5000", "settings.driver.rx_buffer_bytes=2048",
            "host.a.interface.0.mtu_bytes=9000", "host.b.interface.0.mtu_bytes=9000")
            for word in ("--set", setting)]
        run = self.passes("vlan", "--capture", "all", *arguments)
        capture = run.folder / "wire.pcapng"
        whole = self.tshark(capture, "frame.interface_name == \"b.nic0.host\" && frame.len == 5000 "
                            "&& udp.checksum.status == Good", "frame.number")
        self.assertEqual(len(whole), 20)

    def test_the_number_of_a_frame_is_unique_in_the_run(self):
        run = self.passes("ping", "--trace=json", "--set", "workload.count=5")
        numbers = []
        with open(run.folder / "events.jsonl") as events:
            for line in events:
                if '"frame_transmit"' in line:
                    numbers.append(json.loads(line)["frame"])
        self.assertGreater(len(numbers), 10)
        self.assertEqual(len(numbers), len(set(numbers)))

    def test_the_seed_reaches_the_memory_behind_each_nic(self):
        latencies = set()
        for seed in ("1", "2", "3"):
            run = self.passes("ping", "--seed", seed, "--set", "workload.count=20",
                              "--set", "nic.pcie.memory_latency_spread=true")
            latencies.add(run.metric("host.a.app.0.latency_mean_ns"))
        self.assertEqual(len(latencies), 3)

    def test_the_timeline_changes_the_faults_of_one_direction_and_only_from_its_time_on(self):
        text = (SCENARIOS / "tcp_file.toml").read_text()
        text = text[:text.index("[[expect]]")]  # retransmissions are to be expected
        path = self.folder / "faults.toml"
        path.write_text(text + """
[[timeline]]
at_us = 90_000
link = "wire0"
action = "faults"
direction = "forward"
loss_ppm = 50_000
[[timeline]]
at_us = 100_000
link = "wire0"
action = "faults"
loss_ppm = 0
[[expect]]
metric = "workload.identical"
value = 1
""")
        run = self.passes(str(path), "--set", "workload.bytes=3000000", "--trace=json")
        self.assertGreater(run.metric("link.wire0.forward.drops.loss"), 0)
        self.assertEqual(run.metric("link.wire0.backward.drops.loss"), 0)
        with open(run.folder / "events.jsonl") as events:
            times = [json.loads(line)["time_ps"] for line in events if '"wire_fault"' in line]
        self.assertGreaterEqual(min(times), 90_000_000_000)
        self.assertLessEqual(max(times), 100_000_000_000)

    def test_the_resolved_configuration_runs_the_same(self):
        first = self.passes("tcp_file", *SMALL, "--seed", "3", "--hash",
                            "--set", "host.b.settings.driver.itr=50")
        again = self.passes(str(first.folder / "resolved.toml"), "--seed", "3", "--hash")
        self.assertEqual(first.result["trace_hash"], again.result["trace_hash"])

    def test_a_scenarios_sweep_can_be_left_out(self):
        run = self.passes("scatter_gather", "--no-sweep", "--set", "workload.segments=8")
        self.assertEqual(run.result["settings"], {"workload.segments": "8"})

    def test_junit_names_every_run(self):
        junit = self.folder / "junit.xml"
        self.run_doorbell("ping", "scatter_gather", "--junit", str(junit))
        suite = xml.etree.ElementTree.parse(junit).getroot().find("testsuite")
        self.assertEqual(suite.get("tests"), "5")
        self.assertEqual(suite.get("failures"), "0")

    def test_an_older_runs_evidence_is_not_taken_for_this_ones(self):
        folder = self.folder / "o"
        doorbell("run", "ping", "--out", str(folder), "--trace")
        self.assertTrue((folder / "events.trace").exists())
        doorbell("run", "ping", "--out", str(folder), "--capture", "none")
        self.assertFalse((folder / "events.trace").exists())
        self.assertFalse((folder / "wire.pcapng").exists())

    def test_no_colour_unless_asked_for_and_quiet_is_one_line(self):
        plain = doorbell("run", "ping", "--out", str(self.folder / "a"))
        self.assertNotIn("\x1b", plain.stdout)
        colour = doorbell("run", "ping", "--out", str(self.folder / "b"), "--color", "always")
        self.assertIn("\x1b[32mPASS", colour.stdout)
        quiet = doorbell("run", "ping", "--out", str(self.folder / "c"), "-q")
        self.assertEqual(len(quiet.stdout.splitlines()), 1)


class Commands(unittest.TestCase):
    def test_list_names_every_scenario_that_ships(self):
        expected = sorted(path.stem for path in SCENARIOS.glob("*.toml"))
        self.assertEqual(doorbell("list", "--names").stdout.split(), expected)
        listed = json.loads(doorbell("list", "--format", "json").stdout)
        self.assertEqual([item["name"] for item in listed], expected)

    def test_describe_documents_each_topic(self):
        for topic, word in (("scenario", "timeout_ms"), ("metrics", "host.<h>.nic<i>.tx.frames"),
                            ("metrics", "host.<h>.tcp.goodput_bps"),
                            ("nic", "phy.autonegotiation_ms"), ("guest", "tcp_send"),
                            ("events", "doorbell(direction, queue, tail, pending)"),
                            ("two_nics_routing", "172.16.7.0/24 via 10.2.0.2")):
            done = doorbell("describe", topic)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(word, done.stdout)

    def test_describe_shows_the_image_that_was_chosen(self):
        other = ("--set", "host.a.image=eager_doorbell")
        self.assertNotIn("frame_counter", doorbell("describe", "guest").stdout)
        done = doorbell("describe", "guest", *other)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("Programs of the guest image 'eager_doorbell'", done.stdout)
        self.assertIn("frame_counter [--nic", done.stdout)
        done = doorbell("describe", "guest", "--set", "host.a.image=nosuch")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("the guest image 'nosuch' cannot be loaded", done.stderr)
        self.assertIn("there are 'default'", done.stderr)
        for topic in ("guest", "nic"):
            done = doorbell("describe", topic, "--set", "workload.bytes=1")
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn("'workload.bytes=1' says nothing", done.stderr)

    def test_check_accepts_what_ships_and_refuses_a_mistake(self):
        names = doorbell("list", "--names").stdout.split()
        self.assertEqual(doorbell("check", *names).returncode, 0)
        self.assertEqual(doorbell("check", "ping", "--set", "nic.phy.autoneg=1").returncode, 2)

    def test_regs_decodes_a_value(self):
        done = doorbell("regs", "TCTL", "0x0003f0fa")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("EN", done.stdout)
        decoded = json.loads(doorbell("regs", "TCTL", "0x0003f0fa", "--format", "json").stdout)
        fields = {field["name"]: field["value"] for field in decoded[0]["fields"]}
        self.assertEqual((fields["EN"], fields["PSP"], fields["CT"]), (1, 1, 15))

    def test_completion_is_a_script_the_shell_accepts(self):
        script = doorbell("completion", "bash")
        self.assertEqual(script.returncode, 0)
        asked = subprocess.run(
            ["bash", "-c", script.stdout + "\nCOMP_WORDS=(doorbell run --see); COMP_CWORD=2; "
             "_doorbell; echo ${COMPREPLY[@]}"], capture_output=True, text=True, timeout=60)
        self.assertEqual(asked.stdout.strip(), "--seed", asked.stderr)
        for shell in ("zsh", "fish"):
            self.assertIn("doorbell", doorbell("completion", shell).stdout)
        # What one process of the program asks another is not for users.
        for shell in ("bash", "zsh", "fish"):
            self.assertNotIn("sweep-task", doorbell("completion", shell).stdout)
        self.assertNotIn("sweep-task", doorbell("--help").stdout)
        self.assertNotIn("sweep-task", doorbell("frobnicate").stderr)

    def test_help_teaches_with_examples(self):
        for arguments in (("--help",), ("run", "--help")):
            text = doorbell(*arguments).stdout
            self.assertIn("--set workload", text)

    def test_help_of_a_subcommand_shows_no_examples_of_others(self):
        commands = ("serve", "inspect", "list", "describe", "check", "regs", "test", "completion",
                    "sweep")
        for command in commands:
            done = doorbell(command, "--help")
            self.assertEqual(done.returncode, 0, command)
            self.assertNotIn("doorbell run", done.stdout, command)
        for command in ("serve", "inspect", "describe", "regs", "sweep"):
            self.assertIn(f"\n  doorbell {command} ", doorbell(command, "--help").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=1)
