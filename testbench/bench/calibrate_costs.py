#!/usr/bin/env python3
"""What the guest's CPU pays for its own code: counts it, holds the cost table against the counts.

The method, its sources and its limits: docs/adr/0009. cpu_costs.toml says which functions each
charge stands for, in which run they are counted and over which events. All counts are differences
of two runs under valgrind (callgrind), so that start and end do not count. An instruction of ours
belongs to the function its line stands in, whatever was inlined into what (addr2line -i knows),
and otherwise to the nearest caller that is named: so lwIP's own functions, which have few names,
find their layer.

    calibrate_costs.py BINARY           prints the table
    calibrate_costs.py BINARY --json    the same as JSON
    calibrate_costs.py BINARY --check   fails when a default is not what is counted
    calibrate_costs.py BINARY --write   makes the defaults (kernel/generated/cpu_costs.h)

Exit status: 0, 1 when a default is off, 2 when something could not be measured.
"""
import argparse
import collections
import concurrent.futures
import fnmatch
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLE = HERE / "cpu_costs.toml"
HEADER = ROOT / "guest_stack" / "kernel" / "generated" / "cpu_costs.h"
# Another compiler, another lwIP: what is counted differs by some percent, small counts by more.
TOLERANCE = 0.15
SLACK_NS = 3
CALLERS = 10  # from any function of lwIP to one with a name it is half as far
BYTES = re.compile(r"^(__)?(mem(cpy|move|set)|bcopy)")  # paid for by the byte
SUFFIX = re.compile(r"\.(lto_priv|isra|part|constprop|cold).*$")
MODEL, PROGRAMS, UNNAMED = "the model", "programs", "no charge"


def fail(why):
    print(f"calibrate_costs: {why}", file=sys.stderr)
    sys.exit(2)


# --- counting -------------------------------------------------------------------------------------


def pinned(table):
    """What all runs are set to. One doorbell a poll: no change of coroutines within lwIP, which
    would hide who called whom from valgrind. And every charge the same: who meets whom in a run
    must not depend on the table that is made from it."""
    charges = {f"settings.cpu.{charge['setting']}": 100 for charge in table["charge"]}
    return {"settings.kernel.tx_batch": 4096, **charges}


def run(binary, workload, fixed, length, folder):
    """One run under callgrind: its metrics and the profile of the process that did the work."""
    settings = {**fixed, **workload.get("set", {}), workload["key"]: length}
    command = ["valgrind", "--tool=callgrind", "--dump-instr=yes", "--compress-pos=no",
               f"--separate-callers={CALLERS}", f"--callgrind-out-file={folder}/profile.%p",
               "--trace-children=yes", "--max-stackframe=60000", str(binary), "run",
               str(HERE.parent / workload["scenario"]), "--capture", "none", "--format", "json",
               "--quiet", "--out", f"{folder}/run"]
    for key, value in settings.items():
        command += ["--set", f"{key}={str(value).lower()}"]
    # Shared code would lose its names under valgrind (testbench/host/shared_code.hpp).
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, "DOORBELL_PRIVATE_CODE": "1"})
    if done.returncode != 0:
        fail(f"this failed with status {done.returncode}:\n    {' '.join(command)}\n{done.stderr}")
    profiles = pathlib.Path(folder).glob("profile.*")
    return json.loads(done.stdout)["metrics"], max(profiles, key=lambda path: path.stat().st_size)


def parse(path):
    """Self costs of what may be the guest's by (object, function and callers, address), calls of
    its functions by (function, caller)."""
    names = {"ob": {}, "fn": {}}

    def name(kind, text):
        number, _, rest = text.strip().partition(" ")
        if rest:
            names[kind][number] = rest
        return names[kind][number]

    costs, calls = collections.Counter(), collections.Counter()
    obj = function = callee_obj = callee = ""
    wanted = inclusive = False
    with open(path, encoding="utf-8", errors="replace") as profile:
        for line in profile:
            if line.startswith("0x"):
                if wanted and not inclusive:
                    address, _, cost = line.split()
                    costs[obj, function, address if in_guest(obj) else ""] += int(cost)
                inclusive = False
            elif line.startswith("calls="):
                if in_guest(callee_obj or obj):
                    calls[tuple(call_chain(callee)[:2])] += int(line[6:].split()[0])
                callee_obj = ""
                inclusive = True  # the next line is what the callee cost, with all it called
            elif line.startswith("fn="):
                function = name("fn", line[3:])
            elif line.startswith("cfn="):
                callee = name("fn", line[4:])
            elif line.startswith("ob="):
                obj = name("ob", line[3:])
                wanted = in_guest(obj) or in_lwip(obj) or "/libc.so" in obj
            elif line.startswith("cob="):
                callee_obj = name("ob", line[4:])
    return costs, calls


@functools.lru_cache(maxsize=None)
def in_guest(obj):
    return obj.endswith(".guest.so")


@functools.lru_cache(maxsize=None)
def in_lwip(obj):
    return re.search(r"/libl\w{3}\.so", obj) is not None


@functools.lru_cache(maxsize=None)
def call_chain(function):
    """A function and its callers, nearest first, as the compiler's source calls them."""
    return [SUFFIX.sub("", name) for name in function.split("'")]


def inline_chains(image, addresses):
    """{address: [(function, file), ...]}, what is inlined before what it was inlined into."""
    done = subprocess.run(["addr2line", "-a", "-f", "-i", "-e", str(image)], text=True, check=True,
                          input="\n".join(addresses), capture_output=True)
    chains = {}
    lines = iter(done.stdout.splitlines())
    for line in lines:
        if line.startswith("0x"):
            chain = chains[f"0x{int(line, 16):x}"] = []
        else:
            chain.append((SUFFIX.sub("", line), next(lines).rpartition(":")[0]))
    return chains


class Owners:
    """Which charge a function is named by."""

    def __init__(self, table):
        self.patterns = [(pattern, MODEL) for pattern in table["model"]["functions"]]
        self.patterns += [(pattern, charge["setting"]) for charge in table["charge"]
                          for pattern in charge.get("functions", ())]
        # A name that stands there as it is wins over one that fits a pattern.
        self.patterns.sort(key=lambda item: "*" in item[0])

    @functools.lru_cache(maxsize=None)
    def of_name(self, name):
        return next((owner for pattern, owner in self.patterns
                     if fnmatch.fnmatchcase(name, pattern)), None)

    @functools.lru_cache(maxsize=None)
    def of_callers(self, function):
        for name in call_chain(function):
            if "::" in name or "(" in name:
                return UNNAMED  # the host's: what lies below is another story
            owner = self.of_name(name)
            if owner is not None:
                return owner
        return UNNAMED

    def of(self, obj, function, chain):
        """None for the host's own code; `chain`: of the guest's, see inline_chains."""
        if in_guest(obj):
            for name, file in chain:
                if "/guest_stack/apps/" in file:
                    return PROGRAMS
                owner = self.of_name(name)
                if owner is not None:
                    return owner
            return self.of_callers(function)
        if not in_lwip(obj):
            owner = self.of_callers(function) if "/libc.so" in obj else None
            return None if owner == UNNAMED or BYTES.match(function) else owner
        return self.of_callers(function)


def measure(binary, image, table, name, length):
    """Instructions by owner, calls of the guest's functions, metrics."""
    with tempfile.TemporaryDirectory(prefix="doorbell-") as folder:
        metrics, profile = run(binary, table["workload"][name], pinned(table), length, folder)
        costs, calls = parse(profile)
    chains = inline_chains(image, sorted({address for _, _, address in costs if address}))
    owners = Owners(table)
    owned = collections.Counter()
    for (obj, function, address), cost in costs.items():
        owned[owners.of(obj, function, chains.get(address, ()))] += cost
    del owned[None]
    called = collections.Counter()
    for chain, count in calls.items():
        called[chain[0]] += count
        called[" < ".join(chain)] += count
    return owned, called, metrics


def measure_all(binary, image, table):
    """{workload: (the shorter run, the longer one)}"""
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        runs = {(name, which): pool.submit(measure, binary, image, table, name, length)
                for name, workload in table["workload"].items()
                for which, length in enumerate(workload["lengths"])}
        return {name: (runs[name, 0].result(), runs[name, 1].result())
                for name in table["workload"]}


def count_of(events, sample):
    _, called, metrics = sample
    count = 0
    for event in events:
        if event.startswith("calls "):
            count += called[event.removeprefix("calls ")]
        else:
            pattern = f"host.*.{event}"
            count += sum(value for key, value in metrics.items()
                         if fnmatch.fnmatchcase(key, pattern))
    return count


# --- the table ------------------------------------------------------------------------------------


def per_event(charge, samples):
    """Instructions of a charge for each time it is charged."""
    cost = count = 0
    for name in charge["workloads"]:
        short, long = samples[name]
        cost += long[0][charge["setting"]] - short[0][charge["setting"]]
        count += count_of(charge["per"], long) - count_of(charge["per"], short)
    if count <= 0 or cost <= 0:
        fail(f"{charge['setting']}: {cost} instructions in {count} times: {charge['per']} of "
             f"{charge['workloads']} counts nothing, or no function of it was seen")
    return cost / count


def per_byte(charge, samples, table, name="sums"):
    """The same for each byte more that a packet has."""
    short, long = samples[name]
    least, most = table["workload"][name]["lengths"]
    count = count_of(charge.get("per_byte_of", charge.get("per", ())), long)
    if count == 0:
        return None
    cost = long[0][charge["setting"]] - short[0][charge["setting"]]
    return cost / count / (most - least)


def rows(samples, table):
    rate = table["rate"]
    result = []
    for charge in table["charge"]:
        setting = charge["setting"]
        row = {"setting": setting, "instructions": None, "per_byte": None,
               "published_ns": charge.get("published_ns", 0)}
        if "bytes_per_cycle" in charge:
            value = 1000 / (rate[charge["bytes_per_cycle"]] * rate["ghz"])
        elif "per_byte_of" in charge:
            row["per_byte"] = per_byte(charge, samples, table)
            ipc = rate[charge["instructions_per_cycle"]]
            value = 1000 * row["per_byte"] / (ipc * rate["ghz"])
        else:
            value = row["published_ns"]
            if "per" in charge:
                row["instructions"] = per_event(charge, samples)
                row["per_byte"] = per_byte(charge, samples, table)
                value += row["instructions"] / (rate["instructions_per_cycle"] * rate["ghz"])
        row["value"] = round(value)
        result.append(row)
    return result


def defaults():
    text = HEADER.read_text(encoding="utf-8") if HEADER.exists() else ""
    return {setting: int(value)
            for setting, value in re.findall(r'X\((\w+), "cpu\.\w+", (\d+),', text)}


def left_over(samples):
    """What the two ends of the bulk run did that nothing is charged for, instructions a frame."""
    (short, _, few), (long, _, many) = samples["bulk"]
    frames = sum(many[key] - few[key] for key in many
                 if re.fullmatch(r"host\.\w+\.nic\d+\.tx\.frames", key))
    return {owner: (long[owner] - short[owner]) / frames for owner in (MODEL, PROGRAMS, UNNAMED)}


def text_of(row, unit):
    def figure(value, digits):
        return "" if value is None else f"{value:.{digits}f}"
    return (f"{row['setting']:22} {figure(row['instructions'], 0):>12} "
            f"{figure(row['per_byte'], 2):>8} {row['published_ns'] or '':>9} {row['value']:>6} "
            f"{unit} {'none' if row['default'] is None else row['default']:>8}")


def show(result, samples, table):
    rate = table["rate"]
    print(f"{rate['instructions_per_cycle']} instructions per cycle of {rate['ghz']} GHz\n")
    print(f"{'cpu.':22} instructions per byte published  value    default  source")
    for row, charge in zip(result, table["charge"]):
        unit = row["setting"][-2:]
        source = charge.get("source", ", ".join(charge.get("workloads", ())))
        print(f"{text_of(row, unit)}  {source[:60]}")
    print("\nnot charged, instructions a frame of bulk:",
          ", ".join(f"{owner} {count:.0f}" for owner, count in left_over(samples).items()))


def check(result):
    bad = [f"cpu.{row['setting']}: the default is {row['default']}, counted is {row['value']}"
           for row in result
           if row["default"] is None or
           abs(row["value"] - row["default"]) > max(SLACK_NS, TOLERANCE * row["default"])]
    if bad:
        print("\n".join(bad), file=sys.stderr)
        print(f"The guest's code costs what it did not. If that is so on purpose: "
              f"testbench/bench/{pathlib.Path(__file__).name} BINARY --write, and see what of the "
              f"scenarios and of docs/line_rate.md moves.", file=sys.stderr)
    return not bad


# --- the header -----------------------------------------------------------------------------------


def wrapped(words, width):
    lines, line = [], ""
    for word in words.split():
        if len(line) + len(word) + 1 > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    return lines + [line]


def provenance(row, charge, table):
    rate = table["rate"]
    parts = []
    if row["instructions"] is not None:
        parts.append(f"{row['instructions']:.0f} instructions ({', '.join(charge['workloads'])})")
    if "per_byte_of" in charge:
        parts.append(f"{row['per_byte']:.2f} instructions a byte at "
                     f"{rate[charge['instructions_per_cycle']]:g} per cycle "
                     f"({', '.join(charge['workloads'])})")
    if "bytes_per_cycle" in charge:
        parts.append(f"{rate[charge['bytes_per_cycle']]:g} bytes per cycle")
    if row["published_ns"]:
        parts.append(f"{row['published_ns']} ns: {charge['source']}")
    return "; ".join(parts)


def header(result, table):
    rate = table["rate"]
    head = (f"What each piece of work costs on the guest's CPU, generated from "
            f"testbench/bench/cpu_costs.toml by calibrate_costs.py --write. Instructions of the "
            f"code itself, at {rate['instructions_per_cycle']:g} per cycle of {rate['ghz']:g} GHz, "
            f"and published measurements of what it has no code for.")
    lines = ["/* " + "\n * ".join(wrapped(head, 92)) + " */",
             "#ifndef GUEST_CPU_COSTS_H", "#define GUEST_CPU_COSTS_H", "",
             "/* X(field, setting, default, minimum, maximum, description) */",
             "#define GUEST_CPU_COSTS(X)"]
    for row, charge in zip(result, table["charge"]):
        lines += ["    /* " + "\n     * ".join(wrapped(provenance(row, charge, table), 88)) + " */",
                  f"    X({row['setting']}, \"cpu.{row['setting']}\", {row['value']}, 0, "
                  f"{charge.get('maximum', 1_000_000)},",
                  f"      \"{charge['description']}\")"]
    body = "\n".join(lines).split("\n")
    start = body.index("#define GUEST_CPU_COSTS(X)")
    body = body[:start] + [f"{line:98} \\" for line in body[start:-1]] + body[-1:]
    return "\n".join(body) + "\n\n#endif /* GUEST_CPU_COSTS_H */\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    binary = options.binary.resolve()
    image = binary.parents[1] / "guests" / "doorbell_guest.guest.so"
    for file in (binary, image):
        if not file.exists():
            fail(f"there is no {file}: build it with ./doorbell build release")
    for tool, package in (("valgrind", "valgrind"), ("addr2line", "binutils")):
        if shutil.which(tool) is None:
            fail(f"there is no {tool}: it comes with the package {package}")
    with open(TABLE, "rb") as file:
        table = tomllib.load(file)
    samples = measure_all(binary, image, table)
    result = rows(samples, table)
    if options.write:
        HEADER.parent.mkdir(exist_ok=True)
        HEADER.write_text(header(result, table), encoding="utf-8")
    default = defaults()
    for row in result:
        row["default"] = default.get(row["setting"])
    if options.json:
        print(json.dumps(result, indent=2))
    else:
        show(result, samples, table)
    return 0 if not options.check or check(result) else 1


if __name__ == "__main__":
    sys.exit(main())
