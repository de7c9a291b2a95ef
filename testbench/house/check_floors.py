#!/usr/bin/env python3
"""Fails when a file includes something of a floor above it, of a sibling, or SystemC outside a
module. The floors are the architecture (docs/architecture.md, section "The house").

Usage: check_floors.py ROOT
"""
import pathlib
import re
import sys

BLOCKS = {"pcie", "dma", "irq", "mac", "phy", "nvm", "ptp", "stats", "packet_buffer", "core"}
# floor -> floors it may include besides itself
MAY_INCLUDE = {
    "hw/base": set(),
    "hw/regs": {"hw/base"},
    **{f"hw/{block}": {"hw/base", "hw/regs"} for block in BLOCKS},
    # Frames that wake pass the MAC's filters first.
    "hw/wake": {"hw/base", "hw/regs", "hw/mac"},
    # The queue engine works on the rules of the MAC, of what a frame counts as, and on the buffer.
    "hw/rings": {"hw/base", "hw/regs", "hw/dma", "hw/mac", "hw/packet_buffer", "hw/stats"},
    "hw/nic": {"hw/base", "hw/regs", "hw/rings", "hw/wake", *(f"hw/{block}" for block in BLOCKS)},
    "hw/plugin": {"hw/base", "hw/regs", "hw/nic"},
    # Headers of pure facts: where things are in frames, the sum of RFC 1071, and what the two ends
    # of a cable come to.
    "testbench/wire": {"hw/base", "hw/mac/ethernet.hpp", "hw/mac/pause.hpp",
                       "hw/mac/internet_checksum.hpp", "hw/phy/negotiation.hpp"},
    "testbench/host": {"hw/base", "guest_stack/kernel/guest_abi.h"},
    # A device that is a DMA engine on a link, and no more of a NIC than that.
    "testbench/pcie_bench": {"hw/base", "hw/regs", "hw/dma", "hw/pcie"},
    "firmware": set(),
    "guest_stack/kernel": {"firmware"},
    "guest_stack/port": {"firmware", "guest_stack/kernel"},
    "guest_stack/sys": {"firmware", "guest_stack/kernel", "guest_stack/port"},
    "guest_stack/apps": {"firmware", "guest_stack/kernel", "guest_stack/port", "guest_stack/sys"},
}
# Who joins everything, and may.
JOINS = ("testbench/scenario", "testbench/faults", "testbench/checks", "testbench/report",
         "testbench/cli", "testbench/bench", "testbench/driver_bringup", "guest_stack/examples",
         "testbench/house", "testbench/qemu")
TESTBENCH_ABOVE = {"testbench/cli"}  # nobody below may include the command line
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def floor_of(path):
    parts = path.split("/")
    if parts[0] == "firmware":
        return "firmware"
    return "/".join(parts[:2])


def is_test(name):
    return re.search(r"_test(_[a-z]+)?\.(cpp|hpp|c)$", name) or "/test" in name or "fuzz" in name


def problems(root):
    for path in sorted(root.rglob("*")):
        if path.suffix not in (".hpp", ".cpp", ".h", ".c") or not path.is_file():
            continue
        name = path.relative_to(root).as_posix()
        top = name.split("/")[0]
        if top not in ("hw", "firmware", "guest_stack", "testbench"):
            continue
        here = floor_of(name)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            there_file = match.group(2)
            if there_file.startswith(("systemc", "tlm", "sysc/")):
                if top == "hw" and "_module" not in path.name and here != "hw/plugin":
                    yield f"{name}:{number}: only *_module files may include SystemC"
                continue
            if match.group(1) == "<" or "/" not in there_file or is_test(name):
                continue
            if there_file.split("/")[0] not in ("hw", "firmware", "guest_stack", "testbench"):
                continue
            there = floor_of(there_file)
            if there == here:
                continue
            if here in MAY_INCLUDE:
                allowed = MAY_INCLUDE[here]
                if there not in allowed and there_file not in allowed:
                    yield f"{name}:{number}: {here} may not include {there_file}"
            elif here in JOINS:
                if there in TESTBENCH_ABOVE:
                    yield f"{name}:{number}: {here} may not include {there_file}: cli is the top"
            else:
                yield f"{name}:{number}: {here} is no floor of the house (add it to the rule)"


if __name__ == "__main__":
    found = list(problems(pathlib.Path(sys.argv[1])))
    print("\n".join(found) if found else "every include points down")
    sys.exit(1 if found else 0)
