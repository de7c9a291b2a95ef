#!/usr/bin/env python3
"""Which of wire, PCIe, CPU and packet buffer bounds the 82574L, by frame size: runs the scenario
line_rate at every point and writes docs/line_rate.md.

Usage: line_rate_table.py write|check [POINT...]

check runs some points again (all without any: TX-64-128 is direction, size and maximum payload)
and holds them against the page.
"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "line_rate.md"
BINARY = pathlib.Path(os.environ.get("DOORBELL_BINARY", ROOT / "build/release/bin/doorbell"))
SIZES = (64, 96, 128, 256, 512, 1024, 1518)
PAYLOADS = (128, 256)
DIRECTIONS = ("tx", "rx", "both")
FRAMES = 40_000
# A cell may differ by so much from what a run gives before the page is out of date.
TOLERANCE = 0.01

HEAD = """# What bounds the 82574L

Frames per second that the model's 82574L carries in a direction (Gen1 x1, 1 Gb/s, the driver's
defaults), in thousands, and what bounds them; `=` is the wire's own rate, to the picosecond. Of
`both`, the direction that falls short most. Measured by the scenario `line_rate` over {frames}
frames; written by

    testbench/bench/line_rate_table.py write

and held against the model by the test `bench/line_rate_table`. What the words mean:
`doorbell describe metrics`, `bound_by`.

"""
TAIL = """
PCIe carries up to 230 MB/s in each direction (2.5 GT/s, 8b/10b, less what ACK, flow control and
SKIP take). A received frame of 64 bytes costs 84 bytes of it and 40 for its write-back: 0.54 us of
the 0.672 us a frame has on the wire. Sending at the same time adds read requests to the same
direction, and descriptor fetches of the receiver wait behind reads of data for one of the eight
tags (`dma.read_tags`): the FIFO overruns meanwhile.
"""


def run(direction, size, payload, frames=FRAMES):
    with tempfile.TemporaryDirectory(prefix="doorbell-") as folder:
        settings = {"workload.size": size, "workload.direction": direction,
                    "workload.frames": frames, "nic.pcie.mps_bytes": payload}
        command = [str(BINARY), "run", "line_rate", "--capture", "none", "--format", "json",
                   "--out", folder]
        command += [word for key, value in settings.items()
                    for word in ("--set", f"{key}={value}")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"error: {' '.join(command)} ended with {done.returncode}\n{done.stderr}")
        return json.loads(done.stdout)["metrics"]


def cell(metrics, size):
    rate = metrics["wire.frames_per_s"]
    full = 1e9 / 8 / (size + 20)
    mark = " =" if abs(rate / full - 1) < 1e-9 else ""
    return f"{rate / 1e3:.1f} {metrics['bound_by']}{mark}"


def page():
    text = HEAD.format(frames=FRAMES)
    columns = [(payload, direction) for payload in PAYLOADS for direction in DIRECTIONS]
    text += "| size | " + " | ".join(f"{d}, MPS {p}" for p, d in columns) + " |\n"
    text += "|---" * (len(columns) + 1) + "|\n"
    for size in SIZES:
        cells = [cell(run(direction, size, payload), size) for payload, direction in columns]
        text += f"| {size} | " + " | ".join(cells) + " |\n"
    return text + TAIL


def table():
    """{(direction, size, payload): cell}"""
    rows = [[part.strip() for part in line.strip("|\n").split("|")]
            for line in PAGE.read_text().splitlines() if line.startswith("|")]
    places = [re.fullmatch(r"(\w+), MPS (\d+)", name).groups() for name in rows[0][1:]]
    return {(direction, int(row[0]), int(payload)): text
            for row in rows[2:] for (direction, payload), text in zip(places, row[1:])}


def check(points):
    cells = table()
    for direction, size, payload in points or cells:
        was = cells[direction, size, payload].split()
        now = cell(run(direction, size, payload), size).split()
        same = was[1:] == now[1:] and abs(float(now[0]) / float(was[0]) - 1) <= TOLERANCE
        print(f"{direction} {size} MPS {payload}: {' '.join(now)}")
        if not same:
            sys.exit(f"error: {PAGE.name} says {' '.join(was)} of {direction} {size} "
                     f"MPS {payload}, a run gives {' '.join(now)}\n"
                     "help: if the model has changed on purpose: "
                     "testbench/bench/line_rate_table.py write")


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    if sys.argv[1] == "write":
        PAGE.write_text(page())
        return
    points = [re.fullmatch(r"(\w+)-(\d+)-(\d+)", text) for text in sys.argv[2:]]
    if not all(points):
        sys.exit(__doc__)
    check([(p.group(1).lower(), int(p.group(2)), int(p.group(3))) for p in points])


if __name__ == "__main__":
    main()
