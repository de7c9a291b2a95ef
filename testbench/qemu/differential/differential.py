#!/usr/bin/env python3
"""Runs doorbell-differential with a QEMU: DOORBELL_QEMU, the machine's, or one made of Debian
packages under the build folder, as for `./doorbell qemu`. Exits with 77 when none can be had.

Usage: differential.py ROOT PROGRAM [OPTIONS OF doorbell-differential]
"""
import os
import pathlib
import sys

if len(sys.argv) < 3 or {"-h", "--help"} & set(sys.argv[1:3]):
    print(__doc__.strip())
    sys.exit(0 if {"-h", "--help"} & set(sys.argv[1:]) else 2)
ROOT = pathlib.Path(sys.argv[1]).resolve()
sys.path.insert(0, str(ROOT / "testbench/qemu"))

from problem import Missing, Problem  # noqa: E402
from qemu_program import find_qemu  # noqa: E402

SKIPPED = 77


def main():
    program = sys.argv[2]
    try:
        qemu = find_qemu(ROOT / "build/qemu", os.environ.get("DOORBELL_QEMU"))
    except Missing as missing:
        print(f"SKIPPED: the model is not compared with QEMU's e1000e: {missing}", flush=True)
        return SKIPPED
    except Problem as problem:
        print(f"doorbell-differential: {problem}", file=sys.stderr)
        return 2
    gaps = ROOT / "testbench/qemu/differential/known_gaps.toml"
    os.execv(program, [program, "--gaps", str(gaps), *sys.argv[3:], "--", *qemu.words])


if __name__ == "__main__":
    sys.exit(main())
