#!/usr/bin/env python3
"""Fails on what style can check by machine: long lines, tabs, literal masks outside generated code,
unordered containers and wall clocks in the model, files without a purpose, things left for later.

Usage: check_style.py ROOT
"""
import pathlib
import re
import sys

RULES = [
    # (applies to, pattern, reason)
    (r"^(hw|firmware|guest_stack|testbench)/.*\.(hpp|cpp|h|c)$", re.compile(r"\t"), "tab"),
    (r"^(hw|firmware|guest_stack|testbench)/.*\.(hpp|cpp|h|c)$",
     re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "left for later"),
    (r"^hw/.*\.(hpp|cpp)$", re.compile(r"std::unordered_"), "order must not depend on a hash"),
    (r"^hw/.*\.(hpp|cpp)$", re.compile(r"std::chrono|gettimeofday|clock_gettime|std::random_device"),
     "the model knows simulated time and its own seed only"),
    (r"^(hw|firmware|guest_stack)/.*\.(hpp|cpp|h|c)$",
     re.compile(r"^\s*#\s*if(def)?\s+.*DEBUG"), "no #ifdef DEBUG: report an event"),
    (r"^hw/(?!.*test).*\.(hpp|cpp)$", re.compile(r"\bprintf\(|std::cout"), "report an event, do not print"),
]
MAX_COLUMNS = 100
GENERATED = "/generated/"


def problems(root):
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.startswith(("build", ".git/", "out/")) or not path.is_file() or GENERATED in name:
            continue
        if name.startswith("testbench/house/"):
            continue
        if path.suffix not in (".hpp", ".cpp", ".h", ".c", ".py"):
            continue
        lines = path.read_text().splitlines()
        for number, line in enumerate(lines, 1):
            if len(line) > MAX_COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, the limit is {MAX_COLUMNS}"
            for scope, pattern, reason in RULES:
                if re.search(scope, name) and pattern.search(line):
                    yield f"{name}:{number}: {reason}: {line.strip()[:60]}"
    for block in sorted((root / "hw").iterdir()):
        if block.is_dir() and not (block / "README.md").exists():
            yield f"hw/{block.name}/README.md is missing: a block says in one screen what it is"


if __name__ == "__main__":
    found = list(problems(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "the style rules hold")
    sys.exit(1 if found else 0)
