#!/usr/bin/env python3
"""`doorbell sweep` from outside: the table, resuming, what an interrupt leaves, and what it makes
of Slurm's commands (a stand-in here, the real ones in slurm_test.py)."""
import csv
import fcntl
import io
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import time
import unittest

from harness import BINARY, Acceptance

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = HERE.parents[1] / "scenarios"
AXES = ("--axis", "workload.size=56,1000", "--axis", "workload.count=5,10")
P50 = "host.a.app.0.latency_p50_ns"


class Sweeps(Acceptance):
    def command(self, *arguments, out="o"):
        return [str(BINARY), "sweep", *arguments, "--out", str(self.folder / out)]

    def sweep(self, *arguments, out="o", code=0, env=None, plots=()):
        done = subprocess.run(self.command(*arguments, *(plots or ("--no-plot",)), out=out),
                              capture_output=True, text=True, timeout=300, cwd=self.folder,
                              env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def rows(self, out="o"):
        text = (self.folder / out / "sweep.csv").read_bytes().decode()
        self.assertTrue(all(line.endswith("\r") for line in text.split("\n")[:-1]))
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def table(self, out="o"):
        return json.loads((self.folder / out / "sweep.json").read_text())

    def files(self, out):
        return [(self.folder / out / name).read_bytes() for name in ("sweep.csv", "sweep.json")]

    def stamps(self, out="o"):
        return sorted((self.folder / out / "points").glob("*/point.json"))

    def planned(self, *arguments, out="o", env=None):
        """How many points a sweep would run."""
        listed = self.sweep(*arguments, "--dry-run", "--format", "json", out=out, env=env).stdout
        return sum(not point["kept"] for point in json.loads(listed))


class Table(Sweeps):
    def test_the_table_has_axes_verdict_and_what_the_expectations_name_by_default(self):
        self.sweep("ping", *AXES)
        rows = self.rows()
        self.assertEqual(list(rows[0]), [
            "workload.size", "workload.count", "seed", "verdict", "host.a.app.0.operations",
            "host.a.app.0.lost", P50, "host.a.arp.misses", "folder"])
        self.assertEqual([(row["workload.size"], row["workload.count"]) for row in rows],
                         [("56", "5"), ("56", "10"), ("1000", "5"), ("1000", "10")])
        self.assertEqual([row["host.a.app.0.operations"] for row in rows], ["5", "10"] * 2)
        # What the table says is what a run of the point says, and what `run` says of it.
        for row, point in zip(rows, self.table()["points"]):
            result = json.loads((self.folder / "o" / row["folder"] / "result.json").read_text())
            self.assertEqual(float(row[P50]), result["metrics"][P50])
            self.assertEqual(result["settings"], point["settings"])
        run = self.passes("ping", "--set", "workload.size=1000", "--set", "workload.count=5")
        self.assertEqual(run.metric(P50), int(rows[2][P50]))

    def test_one_job_two_jobs_and_another_folder_give_the_same_bytes(self):
        for jobs in ("1", "2"):
            self.sweep("ping", *AXES, "--seeds", "2", "--hash", "-j", jobs, out=f"j{jobs}")
        self.assertEqual(self.files("j1"), self.files("j2"))
        self.assertEqual(len(self.rows("j1")), 8)
        self.assertEqual(len({row["trace_hash"] for row in self.rows("j1")}), 4)

    def test_the_scenarios_own_sweep_is_the_table_and_can_be_left_out(self):
        self.sweep("scatter_gather")
        self.assertEqual([row["workload.segments"] for row in self.rows()], ["1", "2", "8", "32"])
        self.sweep("scatter_gather", "--no-sweep", out="none")
        self.assertEqual(len(self.rows("none")), 1)
        self.sweep("scatter_gather", "--axis", "workload.segments=2,4", out="axis")
        self.assertEqual([row["workload.segments"] for row in self.rows("axis")], ["2", "4"])

    def test_a_pattern_that_the_scenario_expects_is_no_column_by_default(self):
        self.assertIn('metric = "link.wire0.*.drops.*"', (SCENARIOS / "line_rate.toml").read_text())
        self.sweep("line_rate", "--no-sweep", "--axis", "workload.size=64,1518")
        columns = list(self.rows()[0])
        self.assertIn("wire.frames_per_s", columns)
        self.assertEqual([name for name in columns if "drops" in name or "*" in name], [])

    def test_metrics_are_chosen_by_name_and_pattern(self):
        self.sweep("ping", "--metric", "run.simulated_ns", "--metric", "host.a.app.*.latency_p*")
        self.assertEqual(list(self.rows()[0])[2:-1], [
            "run.simulated_ns", P50, "host.a.app.0.latency_p90_ns", "host.a.app.0.latency_p99_ns"])
        columns = self.table()["metrics"]
        self.assertEqual((columns[0]["unit"], columns[1]["description"]), ("ns", "Median latency"))
        done = self.sweep("ping", "--metric", "host.a.app.0.latency_p51_ns", code=2, out="none")
        self.assertIn(f"did you mean '{P50}'", done.stderr)
        self.assertFalse((self.folder / "none").exists())

    def test_a_point_that_fails_is_a_row_with_its_replay_command_and_the_code_is_the_worst(self):
        text = (SCENARIOS / "ping.toml").read_text()
        self.assertIn("value = 200_000", text)
        mine = self.folder / "mine.toml"
        mine.write_text(text.replace("value = 200_000", "value = 40_000"))
        done = self.sweep(str(mine), *AXES, code=1)
        self.assertEqual([row["verdict"] for row in self.rows()], ["pass"] * 2 + ["fail"] * 2)
        point = self.table()["points"][2]
        self.assertIn("latency_p50_ns", point["failures"][0])
        self.assertIn(point["replay"], done.stderr)
        again = subprocess.run(point["replay"] + " --format json --out again", shell=True,
                               capture_output=True, text=True, cwd=self.folder, timeout=300)
        self.assertEqual(again.returncode, 1, again.stderr)
        self.assertEqual(json.loads(again.stdout)["settings"], point["settings"])
        # A failure is a result: it is kept, and fails again.
        kept = self.sweep(str(mine), *AXES, code=1)
        self.assertIn("(4 kept from before)", kept.stdout)

    def test_the_replay_command_of_a_step_of_a_sweep_is_one_run(self):
        self.sweep("interrupt_moderation", "--set", "workload.bytes=20000",
                   "--set", "workload.fewest=0", "--set", "workload.most=100")
        replay = self.table()["points"][2]["replay"]
        done = subprocess.run(replay + " --format json --out again", shell=True, text=True,
                              capture_output=True, cwd=self.folder, timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["settings"]["settings.driver.itr"], "200")

    def test_host_times_stand_in_a_file_of_their_own(self):
        self.sweep("ping", *AXES)
        lines = (self.folder / "o/host_times.csv").read_text().splitlines()
        self.assertEqual(lines[0], "workload.size,workload.count,seed,host,host_cpu_ns,wall_s")
        self.assertEqual(len(lines), 5)
        self.assertNotIn("host_cpu", "".join(f.decode() for f in self.files("o")))
        self.assertNotIn("wall", "".join(f.decode() for f in self.files("o")))

    def test_what_is_printed(self):
        text = self.sweep("ping", *AXES).stdout
        self.assertIn("sweep of ping: 4 points: 4 pass\n", text)
        self.assertIn("table: ", text)
        self.assertEqual(len(self.sweep("ping", *AXES, "-q").stdout.splitlines()), 1)
        printed = json.loads(self.sweep("ping", *AXES, "--format", "json").stdout)
        self.assertEqual(printed, self.table())

    def test_points_that_would_write_one_file_are_refused(self):
        for arguments in (("--axis", "workload.bytes=1000,1001"), ("--seeds", "2")):
            done = self.sweep("tcp_file", *arguments, "--set",
                              f"workload.output={self.folder}/./copy", code=2)
            self.assertIn("error: two points would write '", done.stderr)
            self.assertIn("seed=1, and ", done.stderr)
            self.assertIn("= help: '${out}' is the folder of a point: \"${out}/copy\"", done.stderr)
        self.assertFalse((self.folder / "copy").exists())
        self.sweep("tcp_file", "--axis", "workload.bytes=1000,1001",
                   "--set", "workload.output=${out}/copy")
        self.assertEqual(len(list((self.folder / "o/points").glob("*/copy"))), 2)
        # One point may write what it likes.
        self.sweep("tcp_file", "--set", f"workload.output={self.folder}/copy", out="one")

    def test_a_metric_that_only_a_later_point_has_is_a_column(self):
        arguments = ("line_rate", "--no-sweep", "--axis", "workload.direction=tx,rx",
                     "--set", "workload.frames=5000")
        self.sweep(*arguments, "--metric", "wire.rx.frames_per_s")
        first, second = self.rows()
        self.assertEqual(first["wire.rx.frames_per_s"], "")
        self.assertGreater(float(second["wire.rx.frames_per_s"]), 1_000_000)
        done = self.sweep(*arguments, "--metric", "wire.both.frames_per_s", code=2)
        self.assertIn("no run of 'line_rate' has a metric 'wire.both.frames_per_s'", done.stderr)

    def test_an_option_that_would_do_nothing_is_an_error(self):
        for arguments in (("--no-wait",), ("--points-per-task", "2"), ("--slurm-args", "-p x")):
            done = self.sweep("ping", *arguments, code=2)
            self.assertIn(f"error: {arguments[0]} says nothing without --executor slurm",
                          done.stderr)
        done = self.sweep("ping", "-j2", "--executor", "slurm", code=2)
        self.assertIn("error: --jobs says nothing with --executor slurm", done.stderr)
        self.assertIn("--cpus-per-task=N", done.stderr)

    def test_what_is_no_text_is_refused_before_anything_runs(self):
        for words in (("--set", b"workload.output=/tmp/\xff"), ("--axis", b"workload.size=\xff,1")):
            for command in ("sweep", "run"):
                done = subprocess.run([BINARY, command, "tcp_file", *words, "--out",
                                       self.folder / "o"], capture_output=True, timeout=60)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(b"error: argument 4 is no UTF-8 text: ", done.stderr)
        self.assertFalse((self.folder / "o").exists())

    def test_what_cannot_be_printed_is_an_error(self):
        for arguments in (("--format", "json"), ("--dry-run",)):
            with open("/dev/full", "w") as full:
                done = subprocess.run(self.command("ping", "--no-plot", *arguments), stdout=full,
                                      stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn("error: what was to be printed could not be written", done.stderr)

    def test_mistakes_are_shown_with_their_column_and_nothing_runs(self):
        for arguments, message in (
                (("--axis", "workload.size=56,100000"),
                 "--axis workload.size=56,100000:18: error: "),
                (("--axis", "workload.size=56,"), "--axis workload.size=56,:18: error: "),
                (("--axis", "nic.irq.itrr=1"), "--axis nic.irq.itrr=1:"),
                (("--axis", "workload.size=1:5000", "--seeds", "3"), "more than 10000 runs"),
                (("--seed", str(2**64 - 2), "--seeds", "3"),
                 f"error: 3 seeds from {2**64 - 2} on go beyond 2^64")):
            done = self.sweep("ping", *arguments, code=2)
            self.assertIn(message, done.stderr)
            self.assertFalse((self.folder / "o").exists())
        self.sweep("pnig", code=2)


class Resuming(Sweeps):
    # Points that take a while, so that an interrupt finds one at work.
    LONG = ("tcp_file", "--axis", "workload.bytes=20000,3000000,3000001,3000002,20001", "-j", "1")

    def test_an_interrupt_keeps_what_ran_and_the_same_command_goes_on(self):
        process = subprocess.Popen(self.command(*self.LONG, "--no-plot"), text=True,
                                   cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        deadline = time.monotonic() + 120
        running = self.folder / "o/points/workload.bytes=3000001,seed=1/resolved.toml"
        while not running.exists() and time.monotonic() < deadline:
            self.assertIsNone(process.poll(), "it was done too early")
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("interrupted: 2 of 5 points have a result; to go on: ", said)
        self.assertIn("workload.bytes=20000,3000000,3000001,3000002,20001", said)
        self.assertEqual([row["verdict"] for row in self.rows()],
                         ["pass", "pass", "missing", "missing", "missing"])
        before = {stamp: stamp.read_text() for stamp in self.stamps()}
        self.assertEqual(len(before), 2)

        done = self.sweep(*self.LONG)
        self.assertIn("5 points: 5 pass (2 kept from before)", done.stdout)
        for stamp, text in before.items():
            self.assertEqual(stamp.read_text(), text, "it ran again")
        self.sweep(*self.LONG[:-1], "2", out="whole")
        self.assertEqual(self.files("o"), self.files("whole"))

    def test_a_killed_sweep_goes_on_too(self):
        process = subprocess.Popen(self.command(*self.LONG, "--no-plot"), cwd=self.folder,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                   start_new_session=True)
        running = self.folder / "o/points/workload.bytes=3000000,seed=1/resolved.toml"
        deadline = time.monotonic() + 120
        while not running.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self.assertEqual(len(self.stamps()), 1)
        self.assertIn("(1 kept from before)", self.sweep(*self.LONG).stdout)

    def test_an_axis_that_grows_runs_what_is_new(self):
        self.sweep("ping", "--axis", "workload.size=64,128")
        self.assertEqual(self.planned("ping", "--axis", "workload.size=32,64,96,128"), 2)
        self.assertEqual(self.planned("ping", "--axis", "workload.size=64,128", "--seeds", "3"), 4)
        done = self.sweep("ping", "--axis", "workload.size=32,64,96,128")
        self.assertIn("4 points: 4 pass (2 kept from before)", done.stdout)
        self.assertEqual(self.planned("ping", "--axis", "workload.size=64,128", "--fresh"), 2)

    def test_a_point_whose_scenario_seed_input_or_program_changed_is_run_anew(self):
        mine = self.folder / "mine.toml"
        text = (SCENARIOS / "tcp_file.toml").read_text()
        mine.write_text(text)
        data = self.folder / "data"
        data.write_bytes(b"x" * 20000)
        arguments = (str(mine), "--axis", "nic.pcie.lanes=1,2",
                     "--set", f"workload.input={data}")
        self.sweep(*arguments)
        self.assertEqual(self.planned(*arguments), 0)
        mine.write_text("# a comment changes nothing\n" + text)
        self.assertEqual(self.planned(*arguments), 0)
        mine.write_text(text.replace("timeout_ms = ", "timeout_ms = 1"))
        self.assertEqual(self.planned(*arguments), 2)
        mine.write_text(text)
        self.assertEqual(self.planned(*arguments, "--seed", "2"), 2)
        self.assertEqual(self.planned(*arguments, "--capture", "wire"), 2)
        self.assertEqual(self.planned(*arguments, "--set", "nic.pcie.mps_bytes=256"), 2)
        data.write_bytes(b"y" * 20000)
        self.assertEqual(self.planned(*arguments), 2)
        data.write_bytes(b"x" * 20000)
        self.assertEqual(self.planned(*arguments), 0)
        # Another program: the same with a byte more at its end, which nothing reads.
        other = self.folder / "bin/doorbell"
        other.parent.mkdir()
        shutil.copy(BINARY, other)
        env = {"DOORBELL_SCENARIOS": str(SCENARIOS),
               "DOORBELL_IMAGES": str(BINARY.parents[1] / "guests")}
        listed = [str(other), *self.command(*arguments, "--dry-run", "--format", "json")[1:]]

        def to_run():
            done = subprocess.run(listed, capture_output=True, text=True, timeout=120,
                                  cwd=self.folder, env={**os.environ, **env})
            self.assertEqual(done.returncode, 0, done.stderr)
            return sum(not point["kept"] for point in json.loads(done.stdout))
        self.assertEqual(to_run(), 0, "where the program stands is no part of what it is")
        with open(other, "ab") as program:
            program.write(b"\n")
        self.assertEqual(to_run(), 2)

    def test_a_result_that_was_overwritten_is_not_taken_for_the_points(self):
        self.sweep("ping", *AXES)
        point = self.folder / "o" / self.rows()[0]["folder"]
        subprocess.run([str(BINARY), "run", "ping", "--out", str(point)], capture_output=True,
                       timeout=120)
        self.assertEqual(self.planned("ping", *AXES), 1)

    def test_a_file_that_a_program_reads_counts_and_one_that_it_writes_does_not(self):
        (self.folder / "mine.toml").write_text("""
[scenario]
name = "mine"
description = "A file of the folder is sent, and stored in the folder, unverified."
[[host]]
name = "a"
[[host.interface]]
address = "10.0.0.1/24"
[[host.app]]
run = "tcp_send --to 10.0.0.2 --port 5001 --file other"
[[host]]
name = "b"
[[host.interface]]
address = "10.0.0.2/24"
[[host.app]]
run = "tcp_receive --port 5001 --file received"
[[link]]
ends = ["a.nic0", "b.nic0"]
[[expect]]
metric = "host.*.tcp.retransmissions_segments"
value = 0
""")
        # The name of the sweep's folder is the beginning of the file's.
        arguments = ("mine.toml", "--axis", "nic.pcie.lanes=1,2", "-j1", "--no-plot", "--out", "o")

        def kept():
            done = subprocess.run([BINARY, "sweep", *arguments], capture_output=True, text=True,
                                  cwd=self.folder, timeout=120)
            self.assertIn("2 points: 2 pass", done.stdout, done.stderr)
            return "(2 kept from before)" in done.stdout
        (self.folder / "other").write_bytes(b"x" * 3000)
        self.assertFalse(kept())
        self.assertTrue((self.folder / "received").exists())
        self.assertTrue(kept(), "its own output made it run again")
        (self.folder / "other").write_bytes(b"y" * 3000)
        self.assertFalse(kept(), "its input changed")
        self.assertEqual((self.folder / "received").read_bytes(), b"y" * 3000)

    def test_where_there_is_no_room_the_table_of_before_stays_whole(self):
        self.sweep("ping", "--axis", "workload.size=64,65")
        before = self.files("o")
        # What the program itself needs has room; all metrics of a hundred points have not.
        room = 2_500_000

        def little_room():
            resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        done = subprocess.run(self.command("ping", "--axis", "workload.size=64:163", "--no-plot",
                                           "--metric", "*"),
                              capture_output=True, text=True, timeout=120, preexec_fn=little_room,
                              restore_signals=False, cwd=self.folder)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("sweep.json' cannot be written: File too large", done.stderr)
        self.assertEqual(self.files("o")[1], before[1])
        self.assertEqual(sorted(file.name for file in (self.folder / "o").iterdir()),
                         [".lock", "host_times.csv", "points", "sweep.csv", "sweep.json"])
        self.assertEqual(self.planned("ping", "--axis", "workload.size=64:163"), 0)

    def test_two_sweeps_do_not_work_in_one_folder(self):
        self.sweep("ping", *AXES)
        with open(self.folder / "o/.lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.sweep("ping", *AXES, code=2)
            self.assertIn("another sweep is at work in", done.stderr)
        self.sweep("ping", *AXES)


class PlotFiles(Sweeps):
    def test_without_matplotlib_it_says_so_and_only_asked_for_plots_are_an_error(self):
        (self.folder / "matplotlib.py").write_text("raise ImportError")
        env = {"PYTHONPATH": str(self.folder)}
        done = self.sweep("ping", *AXES, env=env, plots=("-j2",))
        self.assertIn("no plots: python3-matplotlib is not installed", done.stdout)
        done = self.sweep("ping", *AXES, env=env, plots=("--plot",), code=2)
        self.assertIn("error: no plots: python3-matplotlib is not installed", done.stderr)
        self.assertEqual(len(self.rows()), 4)

    def test_a_program_without_what_draws_says_so(self):
        alone = self.folder / "bin/doorbell"
        alone.parent.mkdir()
        shutil.copy(BINARY, alone)
        env = {**os.environ, "DOORBELL_SCENARIOS": str(SCENARIOS),
               "DOORBELL_IMAGES": str(BINARY.parents[1] / "guests")}
        for words, code, where in (((), 0, "stdout"), (("--plot",), 2, "stderr")):
            done = subprocess.run([str(alone), *self.command("ping", *AXES, *words)[1:]],
                                  capture_output=True, text=True, timeout=120, env=env,
                                  cwd=self.folder)
            self.assertEqual(done.returncode, code, done.stdout + done.stderr)
            self.assertIn("no plots: there is no '", getattr(done, where))

    def test_a_script_that_fails_is_an_error_with_its_log(self):
        (self.folder / "matplotlib.py").write_text("raise OSError('broken')")
        done = self.sweep("ping", *AXES, env={"PYTHONPATH": str(self.folder)}, plots=("-j2",),
                          code=2)
        self.assertIn("plots.log", done.stderr)
        self.assertIn("broken", (self.folder / "o/plots.log").read_text())

    def test_an_interrupt_while_plots_are_drawn_is_one(self):
        (self.folder / "matplotlib.py").write_text(
            "import pathlib, time\npathlib.Path('drawing').touch()\ntime.sleep(60)\n")
        process = subprocess.Popen(self.command("ping", "--plot"), cwd=self.folder, text=True,
                                   env={**os.environ, "PYTHONPATH": str(self.folder)},
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not (self.folder / "drawing").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("interrupted: 1 of 1 points have a result; to go on: ", said)

    def test_plots_of_another_table_do_not_stay(self):
        self.sweep("ping", *AXES)
        plot = self.folder / "o/plots/old.svg"
        plot.parent.mkdir()
        plot.touch()
        self.sweep("ping", *AXES)
        self.assertTrue(plot.exists(), "the table is the same")
        self.sweep("ping", *AXES, "--seeds", "2")
        self.assertFalse(plot.exists())

    def test_each_metric_has_a_plot(self):
        if subprocess.run(["/usr/bin/env", "python3", "-c", "import matplotlib"],
                          capture_output=True).returncode != 0 and \
           subprocess.run(["/usr/bin/python3", "-c", "import matplotlib"],
                          capture_output=True).returncode != 0:
            self.skipTest("there is no matplotlib (Debian: python3-matplotlib)")
        self.sweep("ping", *AXES, "--metric", P50, plots=("--plot",))
        plot = (self.folder / f"o/plots/{P50}.svg").read_text()
        for text in (P50, "workload.size", "count=10"):
            self.assertIn(text, plot)


class Slurm(Sweeps):
    """With a stand-in for Slurm's commands."""
    ARGUMENTS = ("ping", *AXES, "--executor", "slurm")

    def setUp(self):
        super().setUp()
        self.slurm = self.folder / "slurm"
        self.slurm.mkdir()
        for name in ("sbatch", "squeue", "scontrol"):
            (self.slurm / name).symlink_to(HERE / "slurm_stand_in.py")
        self.env = {"DOORBELL_STAND_IN": str(self.slurm),
                    "PATH": f"{self.slurm}:{os.environ['PATH']}"}

    def submit(self, *arguments, **options):
        return self.sweep(*self.ARGUMENTS, *arguments, env=self.env, **options)

    def say(self, name, text=""):
        (self.slurm / name).write_text(text)

    def calls(self):
        return (self.slurm / "calls").read_text().splitlines()

    def test_it_gives_the_table_of_a_local_sweep(self):
        done = self.submit("--slurm-args", "--time=10 --comment='two words'", out="s")
        self.assertIn("job 1: 4 points in 4 tasks", done.stderr)
        self.sweep("ping", *AXES, out="l")
        self.assertEqual(self.files("s"), self.files("l"))
        self.assertEqual(len(self.calls()), 1)
        self.assertIn("--array=0-3", self.calls()[0])
        self.assertIn("--time=10 --comment=two words", self.calls()[0])
        self.assertIn("(4 kept from before)", self.submit(out="s").stdout)
        self.assertEqual(len(self.calls()), 1, "nothing was missing")

    def test_a_name_of_the_folder_means_nothing_to_a_shell_or_to_slurm(self):
        odd = "100 %a $HOME 'and' %%"
        self.submit(out=odd)
        self.assertEqual({row["verdict"] for row in self.rows(odd)}, {"pass"})
        self.assertEqual(len(list((self.folder / odd / "slurm/001").glob("task-?.log"))), 4)

    def test_points_share_tasks_when_asked_or_when_an_array_is_too_short(self):
        self.submit("--points-per-task", "3", out="chunks")
        self.assertIn("--array=0-1", self.calls()[0])
        self.say("limit", "2")
        done = self.submit(out="short")
        self.assertIn("--array=0-1", self.calls()[1])
        self.assertIn("2 points a task: an array of this Slurm has 2 tasks at most", done.stderr)
        self.assertEqual(self.files("chunks"), self.files("short"))

    def test_a_killed_task_is_a_missing_row_and_the_next_sweep_completes_it(self):
        self.say("doomed", "1")
        done = self.submit(code=2)
        self.assertIn("missing: workload.size=56 workload.count=10 seed=1: task 1 of job 1: it was "
                      "cancelled (CANCELLED)", done.stderr)
        self.assertEqual([row["verdict"] for row in self.rows()],
                         ["pass", "missing", "pass", "pass"])
        self.assertIn("CANCELLED", self.table()["points"][1]["failures"][0])
        (self.slurm / "doomed").unlink()
        self.assertIn("(3 kept from before)", self.submit().stdout)
        self.assertIn("--array=0-0", self.calls()[1])
        self.sweep("ping", *AXES, out="l")
        self.assertEqual(self.files("o"), self.files("l"))

    def test_a_task_that_slurm_has_forgotten_is_missing_too(self):
        self.say("doomed", "0")
        self.say("forget")
        done = self.submit(code=2)
        self.assertIn("task 0 of job 1: ", done.stderr)
        self.assertEqual(self.rows()[0]["verdict"], "missing")

    def test_interrupted_the_job_goes_on_and_the_same_command_collects_it(self):
        self.say("hold")
        process = subprocess.Popen(self.command(*self.ARGUMENTS, "--no-plot"), text=True,
                                   env={**os.environ, **self.env}, cwd=self.folder,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        deadline = time.monotonic() + 60
        while not (self.folder / "o/slurm/001/job.json").exists():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("4 points are with Slurm; to collect them: ", said)
        self.assertEqual({row["verdict"] for row in self.rows()}, {"pending"})
        (self.slurm / "hold").unlink()
        self.submit()
        self.assertEqual([row["verdict"] for row in self.rows()], ["pass"] * 4)
        self.assertEqual(len(self.calls()), 1, "submitted again")

    def start(self, *arguments):
        return subprocess.Popen(self.command(*arguments, "--no-plot"), text=True,
                                env={**os.environ, **self.env}, cwd=self.folder,
                                start_new_session=True, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def until(self, file):
        deadline = time.monotonic() + 90
        while not (file.exists() and file.read_text()):
            self.assertLess(time.monotonic(), deadline, f"no {file}")
            time.sleep(0.05)

    def test_interrupted_while_it_submits_it_knows_its_job(self):
        self.say("slow")
        self.say("hold")
        process = self.start(*self.ARGUMENTS)
        self.until(self.slurm / "jobs/1.json")
        # As from a terminal: to all of the group.
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.3)
        (self.slurm / "slow").unlink()
        _, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("4 points are with Slurm; to collect them: ", said)
        (self.slurm / "hold").unlink()
        self.submit()
        self.assertEqual(len(self.calls()), 1, "submitted again")

    def test_a_job_of_a_sweep_that_was_killed_while_it_submitted_runs_nothing(self):
        self.say("slow")
        self.say("hold")
        arguments = ("ping", "--executor", "slurm")
        process = self.start(*arguments)
        self.until(self.slurm / "jobs/1.json")
        process.kill()
        process.communicate(timeout=60)
        self.assertFalse((self.folder / "o/slurm/001/job.json").exists())
        task = [BINARY, "sweep-task", self.folder / "o/slurm/001/plan.json", "--patience"]
        environment = {**os.environ, "SLURM_ARRAY_TASK_ID": "0", "SLURM_ARRAY_JOB_ID": "1"}
        done = subprocess.run([*task, "0.5"], capture_output=True, text=True, timeout=60,
                              cwd=self.folder, env=environment)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("the sweep that submitted job 1 was ended before it noted that", done.stderr)
        self.assertEqual(self.stamps(), [])
        self.say("doomed", "0")
        for name in ("slow", "hold"):
            (self.slurm / name).unlink()
        while "CANCELLED" not in (self.slurm / "jobs/1.json").read_text():
            time.sleep(0.05)
        (self.slurm / "doomed").unlink()
        self.sweep(*arguments, env=self.env)
        self.assertEqual(len(self.calls()), 2)

    def test_a_job_is_known_however_the_folder_is_spelt(self):
        self.say("hold")
        self.submit("--no-wait")
        other = ["sweep", *self.ARGUMENTS, "--no-plot", "--out"]
        for words, code, said in (
                ([f"{self.folder}/./o", "--no-wait"], 0, "4 points are with Slurm"),
                (["o", "--set", "nic.pcie.lanes=2"], 2, "job 1 is still at work")):
            done = subprocess.run([BINARY, *other, *words], capture_output=True, text=True,
                                  timeout=60, env={**os.environ, **self.env}, cwd=self.folder)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(said, done.stderr)
        self.assertEqual(len(self.calls()), 1)
        (self.slurm / "hold").unlink()
        self.submit()

    def test_a_plan_that_is_damaged_is_said(self):
        self.say("hold")
        self.submit("--no-wait")
        for text in ("{", '{"name": "ping"}'):
            (self.folder / "o/slurm/001/plan.json").write_text(text)
            done = self.submit(code=2)
            self.assertIn("slurm/001/plan.json' is no plan of a sweep: ", done.stderr)
            self.assertIn("scancel 1, and remove '", done.stderr)
        done = subprocess.run([BINARY, "sweep-task", self.folder / "o/slurm/001/plan.json"],
                              capture_output=True, text=True, env={
                                  **os.environ, "SLURM_ARRAY_TASK_ID": "0",
                                  "SLURM_ARRAY_JOB_ID": "1"})
        self.assertEqual(done.returncode, 2)
        self.assertIn("plan.json' is no plan of a sweep with a task 0: ", done.stderr)

    def test_no_wait_returns_and_later_collects(self):
        self.say("hold")
        done = self.submit("--no-wait")
        self.assertIn("4 points are with Slurm", done.stderr)
        done = self.submit("--no-wait")
        self.assertEqual(len(self.calls()), 1, "submitted again")
        # Neither does a local sweep run the same points beside Slurm.
        done = self.sweep("ping", *AXES, code=2)
        self.assertIn("may still be at work with Slurm (job 1)", done.stderr)
        (self.slurm / "hold").unlink()
        done = self.submit()
        self.assertIn("4 points: 4 pass", done.stdout)
        self.sweep("ping", *AXES, "--fresh")

    def test_a_sweep_that_changed_does_not_run_into_the_old_ones_job(self):
        self.say("hold")
        self.submit("--no-wait")
        changed = ("--set", "nic.pcie.lanes=2")
        done = self.submit(*changed, code=2)
        self.assertIn("job 1 is still at work", done.stderr)
        self.assertIn("scancel 1", done.stderr)
        (self.slurm / "hold").unlink()
        self.submit()
        self.submit(*changed)
        self.assertEqual(len(self.calls()), 2)

    def test_what_slurm_refuses_is_said_and_leaves_nothing(self):
        self.say("refuse", "sbatch: error: invalid partition specified: nosuch")
        done = self.submit("--slurm-args", "--partition=nosuch", code=2)
        self.assertIn("error: sbatch did not take the job array: sbatch: error: invalid partition",
                      done.stderr)
        self.assertFalse((self.folder / "o/slurm/001").exists())
        done = self.submit("--slurm-args", "--array=1-2", code=2)
        self.assertIn("'--array=1-2' cannot be given with --slurm-args", done.stderr)

    def test_without_slurm_it_says_where_to_get_it(self):
        done = self.sweep(*self.ARGUMENTS, code=2, env={"PATH": "/nonexistent"})
        self.assertIn("there is no 'sbatch' in PATH", done.stderr)
        self.assertIn("slurm-client", done.stderr)

    def test_a_task_outside_an_array_is_refused(self):
        done = subprocess.run([str(BINARY), "sweep-task", "x"], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("this is none", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
