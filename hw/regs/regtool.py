#!/usr/bin/env python3
"""Makes every copy of the contract hw/regs/82574l.toml, or says which copy is stale.

Usage: regtool.py write|check [--contract FILE] [--root DIR]

The outputs, below the root of the repository:
  hw/regs/generated/i82574l_regs.hpp         rows and fields of the model
  hw/regs/generated/i82574l_descriptors.hpp  descriptor formats of the model
  firmware/generated/nic_regs.h              offsets, masks and shifts for the driver
  firmware/generated/nic_descriptors.h       descriptor masks and shifts for the driver
  docs/registers.md                          the map for people

Python >= 3.11, standard library only.
"""
import argparse
import pathlib
import sys

from regtool_emit import c_descriptors, c_registers, cpp_descriptors, cpp_registers, markdown
from regtool_load import ContractError, load

OUTPUTS = {
    "hw/regs/generated/i82574l_regs.hpp": cpp_registers,
    "hw/regs/generated/i82574l_descriptors.hpp": cpp_descriptors,
    "firmware/generated/nic_regs.h": c_registers,
    "firmware/generated/nic_descriptors.h": c_descriptors,
    "docs/registers.md": markdown,
}


def main(arguments):
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["write", "check"])
    parser.add_argument("--contract", type=pathlib.Path, default=here / "82574l.toml")
    parser.add_argument("--root", type=pathlib.Path, default=here.parent.parent)
    options = parser.parse_args(arguments)
    try:
        contract = load(options.contract)
    except ContractError as error:
        sys.exit(f"{options.contract.name}: {error}")
    stale = []
    for name, emit in OUTPUTS.items():
        path = options.root / name
        text = "\n".join(emit(contract)) + "\n"
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        if options.command == "check":
            stale.append(name)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {name}")
    if stale:
        sys.exit("stale: " + ", ".join(stale) + "\nrun: python3 hw/regs/regtool.py write")


if __name__ == "__main__":
    main(sys.argv[1:])
