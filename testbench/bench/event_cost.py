#!/usr/bin/env python3
"""Holds the cost of the event stream while nobody listens to at most 2 % of instructions.

Counts instructions with callgrind, the same in every repeat, of one transfer in the release build
and in the build whose sink is compiled away. What counts is the difference of two lengths: the
start of the program, the same for both, would hide a part of the cost.

Usage: event_cost.py RELEASE-BINARY EMPTY-SINK-BINARY [LIMIT-PERCENT]
"""
import pathlib
import re
import subprocess
import sys
import tempfile

WORK = ["run", "tcp_file", "--capture", "none", "--format", "json"]
SHORT_BYTES, LONG_BYTES = 1_000_000, 3_000_000


def instructions(binary, payload_bytes):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--trace-children=yes", "--max-stackframe=60000",
             f"--callgrind-out-file={folder}/callgrind.%p.out", binary, *WORK,
             "--set", f"workload.bytes={payload_bytes}", "--out", f"{folder}/run"],
            capture_output=True, text=True, check=False)
        # The program starts a process for the run: that is the one that counts, and the larger one.
        counted = [int(number) for number in re.findall(r"Collected : (\d+)", done.stderr)]
        if done.returncode != 0 or len(counted) < 2:
            sys.exit(f"{binary} failed under callgrind:\n{done.stdout}\n{done.stderr}")
        return max(counted)


def main():
    release, empty = (str(pathlib.Path(path).resolve()) for path in sys.argv[1:3])
    for binary in (release, empty):
        if not pathlib.Path(binary).exists():
            sys.exit(f"there is no {binary}: build it with ./doorbell build "
                     f"{pathlib.Path(binary).parts[-3]}")
    limit = float(sys.argv[3]) if len(sys.argv) > 3 else 2.0
    off, gone = (instructions(binary, LONG_BYTES) - instructions(binary, SHORT_BYTES)
                 for binary in (release, empty))
    cost = 100.0 * (off - gone) / gone
    print(f"instructions for {LONG_BYTES - SHORT_BYTES} bytes more: {off} with the sink off, "
          f"{gone} without a sink: {cost:+.2f} % (limit {limit} %)")
    sys.exit(0 if cost <= limit else 1)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
