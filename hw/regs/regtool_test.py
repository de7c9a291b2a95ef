#!/usr/bin/env python3
"""The contract's copies are fresh, and regtool.py refuses a contract that is inconsistent.

Usage: regtool_test.py [unittest arguments]; from ctest: regs/fresh, regs/generator
"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))

import regtool  # noqa: E402
from regtool_load import ContractError, load  # noqa: E402

GOOD = """
[device]
name = "part"
bars = { 0 = 0x100 }
[register.CTRL]
offset = 0x00
group = "general"
reset = 0x1
access = "rw"
desc = "Control"
source = "D 1"
confidence = "high"
fields = [
  { bits = "0", name = "EN", desc = "Enable" },
  { bits = "7:4", name = "MODE", values = { A = 0, B = 15 }, desc = "Mode" },
  { bits = "31", name = "RST", access = "sc", desc = "Reset" },
]
[register.TABLE]
offset = 0x10
array = { count = 4, stride = 8 }
aliases = [0x40]
group = "general"
reset = "undefined"
access = "rw"
desc = "Table"
source = "D 2"
confidence = "high"
[descriptor.tx]
words = 2
section = "1"
desc = "Transmit"
fields = [ { word = 1, bits = "19:0", name = "LEN", desc = "Length" } ]
"""

# what is replaced, by what, and what the complaint must say
MISTAKES = [
    ("offset = 0x00", "offset = 0x02", ["CTRL", "not dword aligned"]),
    ("offset = 0x10", "offset = 0x00", ["TABLE", "0x00000", "taken by CTRL"]),
    ("offset = 0x10", "offset = 0x00f0", ["TABLE", "word 2", "beyond the BAR"]),
    ("aliases = [0x40]", "aliases = [0x00]", ["TABLE", "taken by CTRL"]),
    ("aliases = [0x40]", "aliases = [0x41]", ["TABLE", "alias", "not dword aligned"]),
    ("aliases = [0x40]", "aliases = [{ offset = 0x40, count = 5 }]", ["TABLE", "5 words of 4"]),
    ("stride = 8", "stride = 6", ["TABLE", "array"]),
    ("count = 4", "count = 0", ["TABLE", "array"]),
    ('bits = "7:4"', 'bits = "7:0"', ["CTRL.MODE", "overlap"]),
    ('bits = "7:4"', 'bits = "4:7"', ["CTRL.MODE", "4:7"]),
    ('bits = "31"', 'bits = "32"', ["CTRL.RST", "32"]),
    ('bits = "7:4"', 'bits = "x"', ["CTRL.MODE", "msb:lsb"]),
    ("reset = 0x1", "reset = 0x100", ["CTRL", "reserved bits 0x00000100"]),
    ("reset = 0x1", "reset = 0x80000000", ["CTRL.RST", "sc"]),
    ("reset = 0x1", "reset = 0x100000001", ["CTRL", "32 bits"]),
    ("reset = 0x1", "reset = -1", ["CTRL", "negative"]),
    ("reset = 0x1", "", ["CTRL", "reset must be an integer"]),
    ('reset = "undefined"', 'reset = "open"', ["TABLE", "reset must be an integer"]),
    ('access = "rw"\ndesc = "Control"', 'access = "w"\ndesc = "Control"', ["CTRL", "'w'"]),
    ('access = "sc"', 'access = "self"', ["CTRL.RST", "'self'"]),
    ("B = 15", "B = 16", ["CTRL.MODE", "B = 16", "4 bits"]),
    ("B = 15", "B = 0", ["CTRL.MODE", "two names"]),
    ('name = "MODE"', 'name = "EN"', ["CTRL.EN", "taken"]),
    ('name = "MODE"', 'name = "mode"', ["CTRL.mode", "upper case"]),
    ("[register.TABLE]", "[register.CTRL_EN]", ["CTRL_EN", "identifier", "taken by CTRL"]),
    ("[register.TABLE]", "[register.table]", ["table", "upper case"]),
    ('desc = "Mode"', 'desc = "Mode", colour = "red"', ["CTRL.MODE", "unknown key colour"]),
    ('group = "general"\nreset = 0x1', 'grp = "general"\nreset = 0x1', ["CTRL", "unknown key grp"]),
    ('desc = "Enable"', 'desc = ""', ["CTRL.EN", "desc is missing"]),
    ('desc = "Enable"', 'desc = "a*/b"', ["CTRL.EN", "desc"]),
    ('confidence = "high"\nfields', 'software_reset = "maybe"\nconfidence = "high"\nfields',
     ["CTRL", "software_reset"]),
    ("offset = 0x10", "offset = 0x10\nbar = 1", ["TABLE", "no BAR 1"]),
    ("word = 1", "word = 2", ["tx.LEN", "word 2 of 2"]),
    ('bits = "19:0"', 'bits = "64:0"', ["tx.LEN", "63:0"]),
    ("words = 2", "words = 3", ["tx", "2 or 4"]),
    ("[descriptor.tx]", "[descriptor.tx]\nlike = \"rx\"", ["tx", "'rx'"]),
    ("[device]", "[device", ["line 2"]),
]


def complaint(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "part.toml"
        path.write_text(text)
        try:
            load(path)
        except ContractError as error:
            return str(error)
    return ""


class Generator(unittest.TestCase):
    def test_the_sample_contract_is_accepted(self):
        self.assertEqual(complaint(GOOD), "")

    def test_every_mistake_is_named_with_its_register_and_field(self):
        for old, new, expected in MISTAKES:
            with self.subTest(new=new):
                self.assertIn(old, GOOD)
                found = complaint(GOOD.replace(old, new, 1))
                for part in expected:
                    self.assertIn(part, found)

    def test_a_mistake_ends_the_program_with_the_complaint_and_writes_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            contract = pathlib.Path(folder) / "part.toml"
            contract.write_text(GOOD.replace("offset = 0x00", "offset = 0x02"))
            run = subprocess.run([sys.executable, str(HERE / "regtool.py"), "write", "--contract",
                                  str(contract), "--root", folder], capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn("part.toml: CTRL: offset 0x2 is not dword aligned", run.stderr)
            self.assertEqual([p.name for p in pathlib.Path(folder).iterdir()], ["part.toml"])

    def test_check_names_the_stale_file_and_the_command(self):
        with tempfile.TemporaryDirectory() as folder:
            root = ["--root", folder]
            command = [sys.executable, str(HERE / "regtool.py")]
            subprocess.run(command + ["write"] + root, check=True, capture_output=True)
            subprocess.run(command + ["check"] + root, check=True)
            with open(pathlib.Path(folder) / "docs/registers.md", "a", encoding="utf-8") as f:
                f.write("by hand\n")
            run = subprocess.run(command + ["check"] + root, capture_output=True, text=True)
            self.assertEqual(run.returncode, 1)
            self.assertIn("stale: docs/registers.md\n", run.stderr)
            self.assertIn("python3 hw/regs/regtool.py write", run.stderr)


class Fresh(unittest.TestCase):
    def test_every_copy_of_the_contract_is_what_the_generator_makes(self):
        contract = load(HERE / "82574l.toml")
        for name, emit in regtool.OUTPUTS.items():
            with self.subTest(file=name):
                wanted = ("\n".join(emit(contract)) + "\n").encode()
                self.assertTrue((ROOT / name).read_bytes() == wanted,
                                f"{name} is stale; run: python3 hw/regs/regtool.py write")

    def test_the_event_functions_are_what_their_generator_makes(self):
        base = ROOT / "hw/base"
        made = subprocess.run([sys.executable, str(base / "event_schema.py"),
                               str(base / "events.toml")], check=True, capture_output=True).stdout
        self.assertTrue((base / "generated/events.hpp").read_bytes() == made,
                        "hw/base/generated/events.hpp is stale; run: python3 hw/base/"
                        "event_schema.py hw/base/events.toml > hw/base/generated/events.hpp")


if __name__ == "__main__":
    unittest.main(verbosity=2)
