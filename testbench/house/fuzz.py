#!/usr/bin/env python3
"""Runs one libFuzzer target for a while: fuzz.py FUZZER SEED_CORPUS GROWN_CORPUS [--seconds N].

What it finds new goes to GROWN_CORPUS, which other workers read while they run; the committed corpus
is only read. Exit code 0: ran for the whole time without a finding; 1: a finding, with the command
that replays it; 2: it could not run.
"""
import argparse
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

# An hour in total with the two workers that the full tier runs.
DEFAULT_SECONDS = 1800
# No input takes longer than a second or two under the sanitizers, even on a busy machine.
SECONDS_PER_INPUT = 60
MEMORY_MB = 2048


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("fuzzer", type=pathlib.Path)
    parser.add_argument("seed_corpus", type=pathlib.Path)
    parser.add_argument("grown_corpus", type=pathlib.Path)
    parser.add_argument("--seconds", type=int,
                        default=int(os.environ.get("DOORBELL_FUZZ_SECONDS", DEFAULT_SECONDS)))
    options = parser.parse_args()
    if options.seconds < 1:
        parser.error(f"--seconds {options.seconds}: wants at least 1 (libFuzzer takes 0 as for ever)")
    if not options.fuzzer.exists():
        parser.error(f"{options.fuzzer} does not exist: cmake --preset fuzz, target doorbell_fuzzers")
    findings = options.grown_corpus.parent / "findings"
    for folder in (options.grown_corpus, findings):
        folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    run = subprocess.run(
        [options.fuzzer, f"-max_total_time={options.seconds}", f"-timeout={SECONDS_PER_INPUT}",
         f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={findings}/", "-print_final_stats=1",
         options.grown_corpus, options.seed_corpus],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    took = time.monotonic() - started
    tail = "\n".join(run.stderr.splitlines()[-60:])
    runs = re.search(r"number_of_executed_units:\s*(\d+)", run.stderr)
    if run.returncode != 0:
        print(tail)
        artifact = re.search(r"Test unit written to (\S+)", run.stderr)
        if artifact:
            print(f"a finding; replay it with:\n    {shlex.quote(str(options.fuzzer))} {artifact[1]}")
            return 1
        print(f"{options.fuzzer} ended with {run.returncode} and left no input behind")
        return 1
    if runs is None or int(runs[1]) == 0 or took < options.seconds:
        print(tail)
        print(f"{options.fuzzer} ended after {took:.0f} of {options.seconds} s")
        return 2
    print(f"{int(runs[1])} inputs in {took:.0f} s, no finding")
    return 0


if __name__ == "__main__":
    sys.exit(main())
