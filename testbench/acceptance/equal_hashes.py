#!/usr/bin/env python3
"""Runs scenarios with two builds of the program and compares their event streams.

Usage: equal_hashes.py BINARY-A BINARY-B SCENARIO...
"""
import sys
import tempfile

from harness import Run, need_binary


def main():
    binaries, scenarios = sys.argv[1:3], sys.argv[3:]
    for binary in binaries:
        need_binary(binary)
    different = 0
    for scenario in scenarios:
        results = []
        for binary in binaries:
            with tempfile.TemporaryDirectory() as folder:
                run = Run([scenario, "--hash", "--capture", "none"], f"{folder}/run", binary=binary)
                if run.code != 0:
                    sys.exit(run.explain())
                runs = run.result if isinstance(run.result, list) else [run.result]
                results.append([one["trace_hash"] for one in runs])
        same = results[0] == results[1] and all(results[0])
        different += not same
        print(f"{scenario}: {'equal' if same else 'DIFFERENT'} {' '.join(map(str, results[0]))}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main()
