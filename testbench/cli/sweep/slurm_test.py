#!/usr/bin/env python3
"""A sweep on a real Slurm: a single node of Debian's packages (slurmctld, slurmd, munge), in a
network namespace, folders, ports and key of its own. Exits 77 when that cannot be had (not root, no
packages).
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from harness import BINARY

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge")
SKIPPED = 77
CPUS = len(os.sched_getaffinity(0))
# 100 points in two axes and two seeds.
POINTS = ("ping", "--axis", "workload.size=56:1400:56", "--axis", "workload.count=5,10",
          "--seeds", "2", "--hash", "--no-plot")


def skip(reason):
    print(f"SKIPPED: a sweep on a real Slurm: {reason}", flush=True)
    sys.exit(SKIPPED)


def install():
    missing = [name for name in PACKAGES if subprocess.run(
        ["dpkg-query", "-W", "-f=${Status}", name], capture_output=True,
        text=True).stdout != "install ok installed"]
    if not missing:
        return
    if os.geteuid() != 0:
        skip(f"these packages are missing: {' '.join(missing)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    # Debian starts services as it installs them: not these, whose configuration is ours.
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    own_policy = not policy.exists()
    if own_policy:
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
    try:
        for attempt in (None, ["apt-get", "update", "--quiet"]):
            if attempt is not None:
                subprocess.run(attempt, capture_output=True, env=environment)
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
            if done.returncode == 0:
                return
    except OSError as error:
        skip(f"apt-get: {error}")
    finally:
        if own_policy:
            policy.unlink()
    skip(f"apt-get could not install {' '.join(missing)}: {done.stderr.strip()[-300:]}")


class Cluster:
    """One node that is controller and worker, as long as it is wanted."""

    def __init__(self, folder):
        self.folder = folder
        self.processes = []
        host = self.host = socket.gethostname().split(".")[0]
        for name in ("state", "spool", "munge"):
            (folder / name).mkdir(mode=0o755)
        key = folder / "munge/key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        self.munge = folder / "munge/socket"
        (folder / "slurm.conf").write_text(f"""
ClusterName=doorbell
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket={self.munge}
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
KillWait=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
NodeName={host} NodeAddr=127.0.0.1 CPUs={CPUS} State=UNKNOWN
PartitionName=all Nodes={host} Default=YES MaxTime=INFINITE State=UP
""")
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"),
                            "PATH": f"{os.environ['PATH']}:/usr/sbin:/usr/bin:/sbin:/bin"}

    def start(self):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        # In a namespace that has loopback addresses only, Slurm's "any address" is none.
        subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)
        hosts = self.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n127.0.0.1 {self.host}\n")
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
        self.launch("munged", "--foreground", "--force", f"--key-file={self.folder}/munge/key",
                    f"--socket={self.munge}", f"--pid-file={self.folder}/munge/pid",
                    f"--log-file={self.folder}/munge/log",
                    f"--seed-file={self.folder}/munge/seed")
        self.until(self.munge.exists, "munged has no socket")
        self.launch("slurmctld", "-D", "-c")
        self.until(lambda: self.says("scontrol", "ping").returncode == 0, "slurmctld is silent")
        self.launch("slurmd", "-D")
        self.until(lambda: self.says("sinfo", "-h", "-o", "%T").stdout.strip() == "idle",
                   "the node is not idle")

    def launch(self, *command):
        with open(self.folder / f"{command[0]}.out", "w") as log:
            self.processes.append(subprocess.Popen(command, env=self.environment, stdout=log,
                                                   stderr=log))

    def says(self, *command):
        return subprocess.run(command, capture_output=True, text=True, env=self.environment,
                              timeout=60)

    def until(self, true, otherwise, seconds=60):
        deadline = time.monotonic() + seconds
        while not true():
            for process in self.processes:
                if process.poll() is not None:
                    otherwise = f"{process.args[0]} ended with {process.returncode}"
                    deadline = 0
            if time.monotonic() > deadline:
                raise RuntimeError(f"{otherwise}\n{self.logs()}")
            time.sleep(0.2)

    def logs(self):
        files = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out"),
                        self.folder / "munge/log"])
        return "\n".join(f"--- {file.name}\n{file.read_text()[-1500:]}" for file in files
                         if file.exists())

    def stop(self):
        # In the order opposite to that of starting: a job's end is still reported.
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class RealSlurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="doorbell-slurm-"))
        cls.folder.chmod(0o755)
        cls.cluster = Cluster(cls.folder)
        try:
            cls.cluster.start()
        except Exception:
            cls.tearDownClass()
            raise

    @classmethod
    def tearDownClass(cls):
        cls.cluster.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def sweep(self, *arguments, out, code=0):
        done = subprocess.run([str(BINARY), "sweep", *arguments, "--out", str(self.folder / out)],
                              capture_output=True, text=True, timeout=1200, cwd=self.folder,
                              env=self.cluster.environment)
        self.assertEqual(done.returncode, code, f"{done.stdout}\n{done.stderr}\n"
                         f"{self.cluster.logs()}")
        return done

    def slurm(self, *arguments, out, code=0):
        return self.sweep(*arguments, "--executor", "slurm", out=out, code=code)

    def files(self, out):
        return [(self.folder / out / name).read_bytes() for name in ("sweep.csv", "sweep.json")]

    def points(self, out):
        return json.loads((self.folder / out / "sweep.json").read_text())["points"]

    def test_100_points_give_the_table_of_the_local_sweep_byte_for_byte(self):
        self.sweep(*POINTS, out="local")
        started = time.monotonic()
        done = self.slurm(*POINTS, out="slurm")
        print(f"100 points as 100 tasks: {time.monotonic() - started:.1f} s", file=sys.stderr)
        self.assertIn("100 points in 100 tasks", done.stderr)
        self.assertEqual(len(self.points("slurm")), 100)
        self.assertEqual({point["verdict"] for point in self.points("slurm")}, {"pass"})
        self.assertEqual(self.files("slurm"), self.files("local"))
        started = time.monotonic()
        # In a name, nothing of a shell's or of Slurm's has a meaning.
        odd = "100 %a $HOME 'and' %%"
        self.slurm(*POINTS, "--points-per-task", "25", out=odd)
        print(f"100 points as 4 tasks: {time.monotonic() - started:.1f} s", file=sys.stderr)
        self.assertEqual(self.files(odd), self.files("local"))
        self.assertEqual(sorted(log.name for log in (self.folder / odd / "slurm/001").glob("*log")),
                         [f"task-{task}.log" for task in range(4)])

    def test_a_killed_job_is_said_and_the_next_sweep_completes_it(self):
        # Points of some seconds, so that one can be ended while it runs.
        arguments = ("tcp_file", "--axis", "workload.bytes=20000,300000000,20001", "--no-plot")
        process = subprocess.Popen(
            [str(BINARY), "sweep", *arguments, "--executor", "slurm", "--out",
             str(self.folder / "killed")], cwd=self.folder, env=self.cluster.environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        job = self.folder / "killed/slurm/001/job.json"
        long = self.folder / "killed/points/workload.bytes=300000000,seed=1"
        self.cluster.until((long / "resolved.toml").exists, "the long point does not start", 300)
        number = json.loads(job.read_text())["job"]
        self.assertEqual(self.cluster.says("scancel", f"{number}_1").returncode, 0)
        out, said = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 2, out + said + self.cluster.logs())
        self.assertIn(f"task 1 of job {number}: it was cancelled (CANCELLED", said)
        self.assertEqual([point["verdict"] for point in self.points("killed")],
                         ["pass", "missing", "pass"])
        self.assertFalse((long / "point.json").exists())
        done = self.slurm(*arguments, out="killed")
        self.assertIn("3 points: 3 pass (2 kept from before)", done.stdout)
        self.assertIn("1 points in 1 tasks", done.stderr)
        self.sweep(*arguments, out="whole")
        self.assertEqual(self.files("killed"), self.files("whole"))

    def test_interrupted_the_jobs_go_on_and_are_collected(self):
        arguments = ("ping", "--axis", "workload.size=100:120", "--no-plot")
        process = subprocess.Popen(
            [str(BINARY), "sweep", *arguments, "--executor", "slurm", "--out",
             str(self.folder / "interrupted")], cwd=self.folder, env=self.cluster.environment,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        job = self.folder / "interrupted/slurm/001/job.json"
        self.cluster.until(job.exists, "nothing was submitted")
        process.send_signal(signal.SIGINT)
        out, said = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, out + said)
        self.assertIn("points are with Slurm; to collect them: ", said)
        self.slurm(*arguments, out="interrupted")
        self.assertEqual({point["verdict"] for point in self.points("interrupted")}, {"pass"})
        self.assertFalse((self.folder / "interrupted/slurm/002").exists(), "submitted again")


def main():
    if "DOORBELL_SLURM_NAMESPACE" not in os.environ:
        if os.geteuid() != 0:
            skip("it needs root: a network namespace, and munged with a key of its own")
        install()
        namespace = ["unshare", "--net", "--mount"]
        if subprocess.run([*namespace, "true"], capture_output=True).returncode != 0:
            skip("there is no network namespace to be had (unshare --net)")
        os.environ["DOORBELL_SLURM_NAMESPACE"] = "1"
        os.execvp("unshare", [*namespace, sys.executable, __file__, *sys.argv[1:]])
    unittest.main(verbosity=2)


if __name__ == "__main__":
    main()
