#!/usr/bin/env python3
"""Which of wire, PCIe, CPU and packet buffer bounds the 82574L, by frame size: sweeps the scenario
line_rate and writes docs/line_rate.md and the plots beside it (docs/line_rate/*.svg).

Usage: line_rate_table.py write|check [POINT...]

write wants python3-matplotlib. check sweeps again and holds all of it against the page; with points
(tx-64-128: direction, size and maximum payload) only these, of the chip as it is.
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
PLOTS = ROOT / "docs" / "line_rate"
BINARY = pathlib.Path(os.environ.get("DOORBELL_BINARY", ROOT / "build/release/bin/doorbell"))
SIZES = (64, 72, 80, 96, 128, 192, 256, 512, 1024, 1518)
PAYLOADS = (128, 256)
DIRECTIONS = ("tx", "rx", "both")
FRAMES = 40_000
# A cell may differ by so much from what a run gives before the page is out of date; and a number of
# a plot, in its own unit (the axes are 360 high).
TOLERANCE = 0.01
PLOT_TOLERANCE = 4.0
RATE, WORD = "wire.frames_per_s", "bound_by"

HEAD = """# What bounds the 82574L

Frames per second that the model's 82574L carries in a direction (the driver's defaults), in
thousands, and what bounds them; `=` is the wire's own rate, to the picosecond. Of `both`, the
direction that falls short most. Measured by the scenario `line_rate` over {frames} frames; tables
and plots are written by

    testbench/bench/line_rate_table.py write

and held against the model by the test `bench/line_rate_page`. What the words mean:
`doorbell describe metrics`, `bound_by`. A word is what helps: more of it gives more frames, more of
the rest does not (`acceptance/line_rates`).
"""


class Part:
    """A section of the page: the chip, or the chip with less in its way."""

    def __init__(self, name, title, settings, text):
        self.name, self.title, self.settings, self.text = name, title, settings, text

    def command(self):
        words = ["sweep", "line_rate",
                 "--axis", f"workload.size={','.join(map(str, SIZES))}",
                 "--axis", f"workload.direction={','.join(DIRECTIONS)}",
                 "--axis", f"nic.pcie.mps_bytes={','.join(map(str, PAYLOADS))}",
                 "--set", f"workload.frames={FRAMES}", "--set", "workload.verify=0"]
        for key, value in self.settings.items():
            words += ["--set", f"{key}={value}"]
        return words + ["--metric", RATE, "--metric", WORD]

    def plots(self):
        """{metric: place of its plot}"""
        return {metric: PLOTS / f"{self.name}.{metric}.svg" for metric in (WORD, RATE)}


FAST_WIRE = {"link.wire0.rate_mbps": 10_000, "nic.rings.transmit_rate_mbps": 10_000}
PARTS = (
    Part("chip", "As it is: 1 Gb/s, PCIe Gen1 x1", {}, """\
PCIe carries up to 230 MB/s in each direction (2.5 GT/s, 8b/10b, less what ACK, flow control and
SKIP take). A received frame of 64 bytes costs 84 bytes of it and 40 for its write-back: 0.54 us of
the 0.672 us a frame has on the wire. Sending at the same time adds read requests to the same
direction, and descriptor fetches of the receiver wait behind reads of data for one of the eight
tags (`dma.read_tags`): the FIFO overruns meanwhile. Where receiving and sending take turns
(`dma.arbitration=round_robin`; what the chip does is not documented) 1488.1 are received and 1345
sent, by a link that is full.
"""),
    Part("fast_wire", "With a wire of 10 Gb/s", FAST_WIRE, """\
PCIe is next at every size: by the link's bytes or, sending, by the eight reads that may be under
way.
"""),
    Part("fast_wire_and_pcie", "With a wire of 10 Gb/s and PCIe Gen3 x8",
         {**FAST_WIRE, "nic.pcie.generation": 3, "nic.pcie.lanes": 8}, """\
The cost of a frame to the host (`cpu.*` in `doorbell describe guest`). Of `both` it is sending that
falls short: polls of what is received leave little time to the program that sends. The packet
buffer bounds where the host takes longer than it covers (20 KB of it receive: 160 us at 1 Gb/s, 16
us at 10 Gb/s), for instance with `nic.pcie.propagation_ns=25000`.
"""))


def run(words):
    done = subprocess.run([str(BINARY), *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"error: {BINARY} {' '.join(words)} ended with {done.returncode}\n"
                 f"{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def cell(metrics, size, rate_mbps=1000):
    rate = metrics[RATE]
    full = rate_mbps * 1e6 / 8 / (size + 20)
    mark = " =" if abs(rate / full - 1) < 1e-9 else ""
    return f"{rate / 1e3:.1f} {metrics[WORD]}{mark}"


def sweep(part, folder, *plots):
    """{(direction, size, payload): cell}; the plots are in folder/plots."""
    out = json.loads(run([*part.command(), *plots, "--format", "json", "--out", str(folder)]))
    cells = {}
    for point in out["points"]:
        settings = point["settings"]
        size = int(settings["workload.size"])
        place = settings["workload.direction"], size, int(settings["nic.pcie.mps_bytes"])
        cells[place] = cell(point["metrics"], size,
                            part.settings.get("link.wire0.rate_mbps", 1000))
    return cells


def shell_lines(words):
    """A command with each option on a line of its own."""
    lines = [f"doorbell {words[0]} {words[1]}"]
    for option, value in zip(words[2::2], words[3::2]):
        lines.append(f"  {option} {value}")
    return " \\\n".join("    " + line for line in lines)


def section(part, cells):
    columns = [(payload, direction) for payload in PAYLOADS for direction in DIRECTIONS]
    text = f"\n## {part.title}\n\n{shell_lines(part.command())} \\\n      --plot\n\n"
    text += "| size | " + " | ".join(f"{d}, MPS {p}" for p, d in columns) + " |\n"
    text += "|---" * (len(columns) + 1) + "|\n"
    for size in SIZES:
        row = [cells[direction, size, payload] for payload, direction in columns]
        text += f"| {size} | " + " | ".join(row) + " |\n"
    text += f"\n{part.text}\n"
    for metric, place in part.plots().items():
        what = "What bounds" if metric == WORD else "Frames per second"
        text += f"![{what}, by frame size]({place.relative_to(PAGE.parent)})\n"
    return text


def write():
    text = HEAD.format(frames=FRAMES)
    PLOTS.mkdir(exist_ok=True)
    for part in PARTS:
        with tempfile.TemporaryDirectory(prefix="doorbell-") as folder:
            text += section(part, sweep(part, folder, "--plot"))
            for metric, place in part.plots().items():
                place.write_bytes((pathlib.Path(folder) / "plots" / f"{metric}.svg").read_bytes())
    PAGE.write_text(text)


def tables():
    """{title: {(direction, size, payload): cell}}"""
    found = {}
    for text in PAGE.read_text().split("\n## ")[1:]:
        rows = [[part.strip() for part in line.strip("|\n").split("|")]
                for line in text.splitlines() if line.startswith("|")]
        places = [re.fullmatch(r"(\w+), MPS (\d+)", name).groups() for name in rows[0][1:]]
        found[text.splitlines()[0]] = {
            (direction, int(row[0]), int(payload)): cell
            for row in rows[2:] for (direction, payload), cell in zip(places, row[1:])}
    return found


def out_of_date(what):
    sys.exit(f"error: {what}\nhelp: if the model has changed on purpose: "
             "testbench/bench/line_rate_table.py write")


def compare_cell(part, place, was, now):
    old, new = was.split(), now.split()
    if old[1:] != new[1:] or abs(float(new[0]) / float(old[0]) - 1) > TOLERANCE:
        out_of_date(f"{PAGE.name}, '{part.title}', says '{was}' of {place[0]} {place[1]} "
                    f"MPS {place[2]}, a run gives '{now}'")


NUMBER = re.compile(r"-?\d+\.?\d*")


def library_of(svg):
    found = re.search(r"Matplotlib v[\d.]+", svg)
    return found.group(0) if found else "another program"


def compare_plot(place, now):
    was = place.read_text()
    if library_of(was) != library_of(now):
        print(f"{place.name}: not compared: it is by {library_of(was)}, here is {library_of(now)}")
        return
    # What is no number must be the same; so must be how many there are.
    if NUMBER.sub("#", was) != NUMBER.sub("#", now):
        out_of_date(f"{place.relative_to(ROOT)} is another drawing than the tool makes")
    for old, new in zip(NUMBER.findall(was), NUMBER.findall(now)):
        if abs(float(old) - float(new)) > PLOT_TOLERANCE:
            out_of_date(f"{place.relative_to(ROOT)} has {old} where the tool draws {new}")


def check():
    pages = tables()
    for part in PARTS:
        with tempfile.TemporaryDirectory(prefix="doorbell-") as folder:
            cells = sweep(part, folder)
            if set(cells) != set(pages.get(part.title, {})):
                out_of_date(f"{PAGE.name} has other points of '{part.title}' than are measured")
            for place, now in cells.items():
                compare_cell(part, place, pages[part.title][place], now)
            print(f"{part.title}: {len(cells)} points")
            for metric, place in part.plots().items():
                drawn = pathlib.Path(folder) / "plots" / f"{metric}.svg"
                if drawn.exists():
                    compare_plot(place, drawn.read_text())
                else:
                    print(f"{place.name}: not compared: there is no python3-matplotlib")
        if section(part, pages[part.title]) not in PAGE.read_text():
            out_of_date(f"{PAGE.name} says '{part.title}' in other words")


def check_points(points):
    part = PARTS[0]
    cells = tables()[part.title]
    for direction, size, payload in points:
        settings = {"workload.size": size, "workload.direction": direction,
                    "workload.frames": FRAMES, "nic.pcie.mps_bytes": payload}
        with tempfile.TemporaryDirectory(prefix="doorbell-") as folder:
            out = run(["run", "line_rate", "--capture", "none", "--format", "json",
                       "--out", folder, *(word for key, value in settings.items()
                                          for word in ("--set", f"{key}={value}"))])
        now = cell(json.loads(out)["metrics"], size)
        print(f"{direction} {size} MPS {payload}: {now}")
        compare_cell(part, (direction, size, payload), cells[direction, size, payload], now)


def main():
    if len(sys.argv) < 2 or sys.argv[1] not in ("write", "check"):
        sys.exit(__doc__)
    points = [re.fullmatch(r"(\w+)-(\d+)-(\d+)", text) for text in sys.argv[2:]]
    if not all(points) or (points and sys.argv[1] == "write"):
        sys.exit(__doc__)
    if sys.argv[1] == "write":
        write()
    elif points:
        check_points([(p.group(1).lower(), int(p.group(2)), int(p.group(3))) for p in points])
    else:
        check()


if __name__ == "__main__":
    main()
