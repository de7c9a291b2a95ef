#!/usr/bin/env python3
"""Builds the driver without a standard library, lists the symbols it leaves undefined and those it
exports, and fails when either is more than it should be.

Usage: freestanding_test.py COMPILER FIRMWARE_FOLDER SCRATCH_FOLDER
"""
import pathlib
import re
import subprocess
import sys

FLAGS = ["-std=c11", "-ffreestanding", "-fPIC", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
         "-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Wmissing-prototypes"]
# What a freestanding GCC or clang may call on its own (GCC manual, "Standards").
COMPILER_MAY_CALL = {"memcpy", "memmove", "memset", "memcmp"}


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def build(compiler, firmware, scratch, optimisation):
    objects = []
    for source in sorted((firmware / "src").glob("*.c")):
        target = scratch / f"{source.stem}{optimisation}.o"
        run(compiler, *FLAGS, optimisation, "-I", firmware / "include",
            "-I", firmware / "generated", "-c", source, "-o", target)
        objects.append(target)
    whole = scratch / f"driver{optimisation}.o"
    run(compiler, "-nostdlib", "-r", *objects, "-o", whole)
    return whole


def symbols(listing):
    return {line.split()[-1] for line in listing.splitlines() if line.strip()}


def declared(header):
    """Functions of the public interface."""
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    return set(re.findall(r"\b(nic_\w+)\((?!\*)", text))


def main():
    compiler, firmware, scratch = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    scratch.mkdir(parents=True, exist_ok=True)
    public = declared(firmware / "include/nic_driver.h")
    wrong = [] if public else ["nic_driver.h declares nothing"]
    for optimisation in ("-O0", "-Os", "-O2"):
        whole = build(compiler, firmware, scratch, optimisation)
        undefined = symbols(run("nm", "-u", whole))
        defined = symbols(run("nm", "-g", "--defined-only", whole))
        print(f"{optimisation}: undefined: {' '.join(sorted(undefined)) or 'none'}")
        wrong += [f"{optimisation}: needs {name}" for name in sorted(undefined - COMPILER_MAY_CALL)]
        wrong += [f"{optimisation}: {name} has no nic_ prefix"
                  for name in sorted(defined) if not name.startswith("nic_")]
        wrong += [f"{optimisation}: {name} is declared and nowhere defined"
                  for name in sorted(public - defined)]
    print("\n".join(wrong) if wrong else "the driver stands alone")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
