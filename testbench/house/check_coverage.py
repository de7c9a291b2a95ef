#!/usr/bin/env python3
"""docs/82574l_coverage.md says what of the specification the model does and which tests show it.
This fails when a test it names does not exist, when a section or an open question has no row, or
when its list of registers leaves one out or claims a meaning that no block gives; `write` makes
that list anew.

Usage: check_coverage.py check|write ROOT
"""
import pathlib
import re
import sys
import tomllib

DOCUMENT = "docs/82574l_coverage.md"
CONTRACT = "hw/regs/82574l.toml"
BEGIN, END = "<!-- registers: begin -->", "<!-- registers: end -->"
SECTIONS = [
    "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "2.1", "3.1", "3.2", "3.3", "3.4", "3.5", "4.1",
    "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6", "5.7",
    "5.8", "5.9", "6.1", "6.2", "6.3", "6.4", "6.5", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6",
    "7.7", "7.8", "8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7", "8.8", "9.1", "9.2", "9.3",
    "9.4", "9.5", "10.1.1", "10.1.2", "10.1.3", "10.1.4", "10.1.5", "10.1.6", "10.1.7", "10.1.8",
    "10.2", "10.3", "10.4", "11", "12"]
DOUBTS = [f"U{n}" for n in range(1, 25)]
TEST = re.compile(r"^(?:INSTANTIATE_)?TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)", re.M)
NAMED = re.compile(r"`(\w+)\.(\w+|\*)`")
# Written `Suite.*` or `Suite.name`; these are files and calls, not tests.
NOT_TESTS = {"cpp", "hpp", "md", "py", "toml"}


def tests_of(root):
    found = {}
    for path in sorted(root.rglob("*_test.cpp")):
        if "build" in path.relative_to(root).parts:
            continue
        for suite, name in TEST.findall(path.read_text()):
            found.setdefault(suite, set()).add(name)
    return found


def sources_of(root):
    """What gives registers a meaning: the hardware without tests and generated code."""
    texts = []
    for path in sorted((root / "hw").rglob("*.[ch]pp")):
        name = path.relative_to(root).as_posix()
        if "/generated/" in name or "/test_support/" in name or "fuzz" in name:
            continue
        if re.search(r"_test(_[a-z]+)?\.[ch]pp$", name):
            continue
        texts.append(path.read_text())
    return "\n".join(texts)


def registers_of(root):
    """Group to two lists: registers that a block names, and those that none does."""
    contract = tomllib.loads((root / CONTRACT).read_text())
    words = set(re.findall(r"\b[A-Z][A-Z0-9_]*\b", sources_of(root)))
    groups = {}
    for name, register in contract["register"].items():
        used = name in words or any(f"{name}_{field['name']}" in words
                                    for field in register.get("fields", []))
        groups.setdefault(register["group"], ([], []))[0 if used else 1].append(name)
    return groups


def register_table(groups):
    rows = ["| group | a block gives it a meaning | access rules and storage only |", "|---|---|---|"]
    for group, (used, stored) in groups.items():
        rows.append(f"| {group} | {' '.join(used) or '-'} | {' '.join(stored) or '-'} |")
    return "\n".join(rows)


def register_problems(table, groups):
    """A register may have got its meaning since: saying less than is true is no lie."""
    listed = {}
    for row in table.splitlines()[2:]:
        for column, names in enumerate(row.split("|")[2:4]):
            for name in names.split():
                listed.setdefault(name, []).append(column)
    hint = "run: python3 testbench/house/check_coverage.py write ."
    for used, stored in groups.values():
        for name in used + stored:
            columns = listed.get(name, [])
            if len(columns) != 1:
                yield f"{DOCUMENT}: register {name} has {len(columns)} places in the list; {hint}"
            elif columns == [0] and name in stored:
                yield f"{DOCUMENT}: no block gives register {name} a meaning; {hint}"


def problems(root):
    text = (root / DOCUMENT).read_text()
    tests = tests_of(root)
    for number, line in enumerate(text.splitlines(), 1):
        for suite, name in NAMED.findall(line):
            if name in NOT_TESTS or not suite[0].isupper():
                continue
            if suite not in tests:
                yield f"{DOCUMENT}:{number}: there is no test suite {suite}"
            elif name != "*" and name not in tests[suite]:
                yield f"{DOCUMENT}:{number}: {suite} has no test {name}"
    rows = re.findall(r"^\| ([0-9U][0-9.]*) \|", text, re.M)
    for wanted in SECTIONS + DOUBTS:
        if wanted not in rows:
            yield f"{DOCUMENT}: section or question {wanted} has no row"
    _, _, rest = text.partition(BEGIN)
    table, end, _ = rest.partition(END)
    if not end:
        yield f"{DOCUMENT}: the list of registers has no place between {BEGIN} and {END}"
    else:
        yield from register_problems(table.strip(), registers_of(root))


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "write"):
        sys.exit(__doc__)
    root = pathlib.Path(sys.argv[2])
    path = root / DOCUMENT
    if sys.argv[1] == "write":
        before, _, rest = path.read_text().partition(BEGIN)
        _, _, after = rest.partition(END)
        path.write_text(f"{before}{BEGIN}\n{register_table(registers_of(root))}\n{END}{after}")
        print(f"wrote the registers of {DOCUMENT}")
        return
    found = list(problems(root))
    for problem in found:
        print(problem)
    if found:
        sys.exit(1)
    print("every test that the coverage names is there, every section and register has its place")


if __name__ == "__main__":
    main()
