#!/usr/bin/env python3
"""A stand-in for Slurm's commands, for the tests of what the sweep makes of them; by the name it is
called with: sbatch, squeue or scontrol. Everything is in the folder DOORBELL_STAND_IN:

  jobs/N.json   the state of each task      calls   what sbatch was asked for, a line each
  doomed        tasks that are cancelled instead of run       hold   while it is there, none starts
  refuse        sbatch prints its contents and fails          limit  MaxArraySize
  forget        jobs that have ended are not known any more
  slow          sbatch returns when it is gone                dumb   sbatch says no number

The real one is in slurm_test.py.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

FOLDER = pathlib.Path(os.environ["DOORBELL_STAND_IN"])


def words_of(name):
    file = FOLDER / name
    return file.read_text().split() if file.exists() else []


def save(job, states):
    file = FOLDER / "jobs" / f"{job}.json"
    unfinished = file.with_suffix(".new")
    unfinished.write_text(json.dumps(states))
    unfinished.rename(file)


def run_tasks(job, script, tasks, output):
    states = {str(task): "PENDING" for task in range(tasks)}
    save(job, states)
    if os.fork() != 0:
        return
    os.setsid()
    silent = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        os.dup2(silent, descriptor)
    for task in range(tasks):
        while (FOLDER / "hold").exists():
            time.sleep(0.05)
        if str(task) in words_of("doomed"):
            states[str(task)] = "CANCELLED"
            save(job, states)
            continue
        states[str(task)] = "RUNNING"
        save(job, states)
        name = re.sub("%(.)", lambda found: {"a": str(task), "%": "%"}[found.group(1)], output)
        with open(name, "w") as log:
            done = subprocess.run(["/bin/sh", script], stdout=log, stderr=log,
                                  env={**os.environ, "SLURM_ARRAY_TASK_ID": str(task),
                                       "SLURM_ARRAY_JOB_ID": str(job)})
        states[str(task)] = "COMPLETED" if done.returncode == 0 else "FAILED"
        save(job, states)
    os._exit(0)


def sbatch(arguments):
    if (FOLDER / "refuse").exists():
        print((FOLDER / "refuse").read_text(), file=sys.stderr)
        return 1
    with open(FOLDER / "calls", "a") as calls:
        calls.write(" ".join(arguments) + "\n")
    (FOLDER / "jobs").mkdir(exist_ok=True)
    job = len(list((FOLDER / "jobs").glob("*.json"))) + 1
    # As with the real one, the last of an option counts.
    options = dict(word[2:].split("=", 1) for word in arguments if re.match(r"--[a-z-]+=", word))
    run_tasks(job, arguments[-1], int(options["array"].split("-")[1]) + 1, options["output"])
    while (FOLDER / "slow").exists():
        time.sleep(0.05)
    if not (FOLDER / "dumb").exists():
        print(job, flush=True)
    return 0


def squeue(arguments):
    job = next(word.split("=")[1] for word in arguments if word.startswith("--jobs="))
    states = json.loads((FOLDER / "jobs" / f"{job}.json").read_text())
    ended = all(state not in ("PENDING", "RUNNING") for state in states.values())
    if ended and (FOLDER / "forget").exists():
        print("slurm_load_jobs error: Invalid job id specified", file=sys.stderr)
        return 1
    for task, state in states.items():
        print(f"{task}|{state}|{'Resources' if state == 'PENDING' else 'None'}")
    return 0


def scontrol(_):
    print(f"MaxArraySize            = {(words_of('limit') or ['1001'])[0]}")
    return 0


if __name__ == "__main__":
    sys.exit({"sbatch": sbatch, "squeue": squeue, "scontrol": scontrol}[
        pathlib.Path(sys.argv[0]).name](sys.argv[1:]))
