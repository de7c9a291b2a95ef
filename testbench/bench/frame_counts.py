#!/usr/bin/env python3
"""What a frame costs in counts that no machine changes, and a check that they do not grow.

For each workload: kernel events, heap allocations and instructions per frame, the instructions also
by stage of the frame's way. All are differences of two lengths of one run, so that start and end,
the same for both, do not count. Instructions are counted by valgrind (callgrind) in the release
build; the stage is that of the source file an instruction comes from, inlined code included.

    frame_counts.py BINARY            prints the table
    frame_counts.py BINARY --json     the same as JSON
    frame_counts.py BINARY --check    fails when a count is above its limit (frame_counts.toml)
    frame_counts.py BINARY --write    makes what is measured the new limits

Exit status: 0, 1 when a limit is exceeded, 2 when something could not be measured.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
LIMITS = HERE / "frame_counts.toml"
TOLERANCE = 0.02  # of instructions: libraries differ a little from machine to machine

SCENARIOS = HERE.parent / "scenarios"
# Name: scenario, and the key that says how long it is.
SCENARIO_OF = {
    "bulk": (HERE / "full_path.toml", "workload.bytes", ()),
    "small_frames": (HERE / "small_frames.toml", "workload.frames", ()),
    "generator": (SCENARIOS / "line_rate.toml", "workload.frames",
                  ("workload.size=64", "workload.direction=rx", "workload.verify=0")),
}
# Two lengths of each, both behind the warm-up.
WORKLOADS = {
    "bulk": (3_000_000, 6_000_000),
    "small_frames": (4_000, 12_000),
    "generator": (12_000, 28_000),
}
# 100,000 frames more, for the allocations: "none" is to mean none. The lengths have equally many
# digits: a longer number is a longer string.
ALLOCATION_WORKLOADS = {
    "bulk": (13_000_000, 30_000_000),
    "small_frames": (105_000, 205_000),
    "generator": (105_000, 205_000),
}

# The first pattern that fits the path of a source file names its stage.
STAGES = (
    ("guest: programs, sockets, kernel", r"/guest_stack/"),
    ("guest: driver", r"/firmware/"),
    ("host: memory, IOMMU, interrupts", r"/testbench/host/"),
    ("NIC: registers, border, counters", r"/hw/(nic|regs|core|stats|irq|nvm|wake|ptp|phy)/"),
    ("NIC: rings, descriptors", r"/hw/rings/"),
    ("NIC: DMA, PCIe", r"/hw/(dma|pcie)/"),
    ("NIC: MAC, offloads, packet buffer", r"/hw/(mac|packet_buffer)/"),
    ("wire", r"/testbench/wire/"),
    ("timeline, events, frames", r"/hw/base/"),
)
OBJECTS = (
    ("guest: TCP/IP (lwIP)", r"/libl\w{3}\.so"),
    ("SystemC", r"libsystemc"),
    ("C and C++ library", r"/(libc|libstdc\+\+|libm|libgcc_s|ld-linux[^/]*|libdeflate)[.-]"),
)
ELSEWHERE = "the rest of the program"


def fail(why):
    print(f"frame_counts: {why}", file=sys.stderr)
    sys.exit(2)


def run(binary, workload, length, tool, folder):
    """One run under a valgrind tool: its result, and what valgrind said."""
    scenario, key, sets = SCENARIO_OF[workload]
    command = ["valgrind", *tool, "--trace-children=yes", "--max-stackframe=60000", str(binary),
               "run", str(scenario), "--capture", "none", "--format", "json", "--quiet",
               "--set", f"{key}={length}", "--out", f"{folder}/run"]
    for setting in sets:
        command += ["--set", setting]
    # Shared code would lose its names under valgrind (testbench/host/shared_code.hpp).
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "DOORBELL_PRIVATE_CODE": "1"})
    if done.returncode != 0:
        fail(f"this failed with status {done.returncode}:\n    {' '.join(command)}\n{done.stderr}")
    return json.loads(done.stdout), done.stderr


def frames_of(result):
    return sum(value for name, value in result["metrics"].items()
               if re.fullmatch(r"host\..*\.nic\d+\.tx\.frames|generator\..*\.sent\.frames", name))


def stage_of(obj, own_file, outer_file):
    """`own_file`: where the line stands; `outer_file`: the function it was inlined into."""
    for name, pattern in OBJECTS:
        if re.search(pattern, obj):
            return name
    for file in (own_file, outer_file):
        for name, pattern in STAGES:
            if re.search(pattern, file):
                return name
    return ELSEWHERE


def instructions_by_stage(path):
    """Self costs of a callgrind profile without compressed names and positions."""
    costs = collections.Counter()
    stages = {}
    obj = outer = own = ""
    skip = False
    with open(path, encoding="utf-8", errors="replace") as profile:
        for line in profile:
            if line.startswith("ob="):
                obj = line[3:].strip()
            elif line.startswith("fl="):
                outer = own = line[3:].strip()
            elif line.startswith(("fi=", "fe=")):
                own = line[3:].strip()
            elif line.startswith("calls="):
                skip = True  # the next line is what the callee cost, with all it called
            elif line[:1].isdigit() or line[:2] == "0x":
                if not skip:
                    where = (obj, own, outer)
                    if where not in stages:
                        stages[where] = stage_of(*where)
                    costs[stages[where]] += int(line.split()[1])
                skip = False
    return costs


def count_instructions(binary, workload):
    samples = []
    for length in WORKLOADS[workload]:
        with tempfile.TemporaryDirectory() as folder:
            tool = ["--tool=callgrind", "--compress-strings=no", "--compress-pos=no",
                    f"--callgrind-out-file={folder}/profile.%p"]
            result, _ = run(binary, workload, length, tool, folder)
            # The program starts a process for the run: that one has done the most.
            profiles = [instructions_by_stage(path)
                        for path in pathlib.Path(folder).glob("profile.*")]
            samples.append((frames_of(result), result["kernel_events"],
                            max(profiles, key=lambda costs: sum(costs.values()))))
    (frames, events, costs), (more_frames, more_events, more_costs) = samples
    frames = more_frames - frames
    by_stage = {stage: (more_costs[stage] - costs[stage]) / frames for stage in more_costs}
    return {"instructions": sum(by_stage.values()),
            "kernel_events": (more_events - events) / frames,
            "by_stage": dict(sorted(by_stage.items(), key=lambda item: -item[1]))}


def allocations_of(path):
    """Heap blocks of a DHAT profile, but for those of the result, whose numbers grow longer."""
    with open(path, encoding="utf-8") as file:
        profile = json.load(file)
    of_the_result = {number for number, place in enumerate(profile["ftbl"]) if "nlohmann" in place}
    return sum(point["tbk"] for point in profile["pps"] if of_the_result.isdisjoint(point["fs"]))


def count_allocations(binary, workload):
    samples = []
    for length in ALLOCATION_WORKLOADS[workload]:
        with tempfile.TemporaryDirectory() as folder:
            tool = ["--tool=dhat", f"--dhat-out-file={folder}/profile.%p"]
            result, said = run(binary, workload, length, tool, folder)
            # The program, and then the process that it starts for the run.
            processes = re.findall(r"==(\d+)== Command: ", said)
            if len(processes) != 2:
                fail(f"valgrind did not say which process is the run's:\n{said}")
            samples.append((frames_of(result), allocations_of(f"{folder}/profile.{processes[1]}")))
    (frames, made), (more_frames, more_made) = samples
    return {"allocations": more_made - made, "allocation_frames": more_frames - frames}


def table(counts):
    lines = []
    for workload, count in counts.items():
        lines.append(f"{workload}: {count['instructions']:,.0f} instructions a frame, "
                     f"{count['kernel_events']:.2f} kernel events a frame, {count['allocations']} "
                     f"allocations in {count['allocation_frames']:,} frames")
        lines += [f"    {cost:8,.0f}  {100 * cost / count['instructions']:4.1f} %  {stage}"
                  for stage, cost in count["by_stage"].items() if cost >= 0.5]
    return "\n".join(lines)


def check(counts):
    with open(LIMITS, "rb") as file:
        limits = tomllib.load(file)
    bad = []
    if limits.keys() != counts.keys():
        fail(f"{LIMITS.name} has limits of {', '.join(limits)}; there are {', '.join(counts)}: "
             "write it anew with --write")
    for workload, count in counts.items():
        for name, slack in (("instructions", TOLERANCE), ("kernel_events", 0.001),
                            ("allocations", 0)):
            limit = limits[workload][name]
            if count[name] > limit * (1 + slack):
                bad.append(f"{workload}: {count[name]:,.2f} {name.replace('_', ' ')}, "
                           f"{limit:,} before")
    if bad:
        print("\n".join(bad), file=sys.stderr)
        print(f"A frame has become dearer. If that is the price of something, make it the limit: "
              f"{HERE.name}/{pathlib.Path(__file__).name} BINARY --write", file=sys.stderr)
    return not bad


def write(counts):
    lines = ["# What a frame may cost (frame_counts.py --write made this): instructions with a",
             f"# tolerance of {100 * TOLERANCE:.0f} %, kernel events, allocations in all of them."]
    for workload, count in counts.items():
        lines += ["", f"[{workload}]", f"instructions = {count['instructions']:.0f}",
                  f"kernel_events = {count['kernel_events']:.5f}",
                  f"allocations = {max(0, count['allocations'])}"]
    LIMITS.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    binary = options.binary.resolve()
    if not binary.exists():
        fail(f"there is no {options.binary}: build it with ./doorbell build release")
    counts = {workload: {**count_instructions(binary, workload),
                         **count_allocations(binary, workload)}
              for workload in WORKLOADS}
    print(json.dumps(counts, indent=2) if options.json else table(counts))
    if options.write:
        write(counts)
    return 0 if not options.check or check(counts) else 1


if __name__ == "__main__":
    sys.exit(main())
