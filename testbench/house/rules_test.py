#!/usr/bin/env python3
"""The house rules must catch what they forbid: each case plants one violation in a small tree."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_coverage  # noqa: E402
import check_floors  # noqa: E402
import check_style  # noqa: E402


class Coverage(unittest.TestCase):
    """A small tree with all rows; each test takes or adds something."""
    CONTRACT = """
[register.CTRL]
group = "general"
fields = [{ bits = "0", name = "FD" }]
[register.SPARE]
group = "general"
"""
    TABLE = ("| group | a block gives it a meaning | access rules and storage only |\n|---|---|---|\n"
             "| general | CTRL | SPARE |")

    def problems(self, line="", drop="", table=TABLE):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for name in ("docs", "hw/regs", "hw/core"):
                (root / name).mkdir(parents=True)
            (root / check_coverage.CONTRACT).write_text(self.CONTRACT)
            (root / "hw/core/core.cpp").write_text("file.get(r::CTRL_FD);")
            (root / "hw/core/core_test.cpp").write_text("TEST(Core, works) {\n// SPARE\n}\n")
            rows = [f"| {row} | |" for row in check_coverage.SECTIONS + check_coverage.DOUBTS
                    if row != drop]
            text = "\n".join([*rows, line, check_coverage.BEGIN, table, check_coverage.END])
            (root / check_coverage.DOCUMENT).write_text(text)
            return list(check_coverage.problems(root))

    def test_a_whole_document_passes(self):
        self.assertEqual(self.problems("`Core.works` `Core.*` `core.cpp` `nvm.mac_address`"), [])

    def test_a_test_or_suite_that_is_not_there_fails(self):
        self.assertIn("no test breaks", self.problems("`Core.breaks`")[0])
        self.assertIn("no test suite Cores", self.problems("`Cores.*`")[0])

    def test_a_missing_section_or_question_fails(self):
        self.assertIn("9.4", self.problems(drop="9.4")[0])
        self.assertIn("U13", self.problems(drop="U13")[0])

    def test_a_register_without_a_place_or_in_the_wrong_one_fails(self):
        self.assertIn("SPARE has 0", self.problems(table=self.TABLE.replace("SPARE", "-"))[0])
        self.assertIn("CTRL has 2", self.problems(table=self.TABLE.replace("SPARE", "CTRL"))[0])
        moved = self.TABLE.replace("CTRL | SPARE", "CTRL SPARE | -")
        self.assertIn("no block gives register SPARE", self.problems(table=moved)[0])

    def test_a_register_that_got_its_meaning_since_passes(self):
        self.assertEqual(self.problems(table=self.TABLE.replace("CTRL | SPARE", "- | CTRL SPARE")), [])


class Rules(unittest.TestCase):
    def run_rule(self, rule, files):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "hw/base").mkdir(parents=True)
            (root / "hw/base/README.md").write_text("base")
            for name, text in files.items():
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                if name.startswith("hw/"):
                    (path.parent / "README.md").write_text("block")
            return list(rule.problems(root))

    def floors(self, name, include):
        return self.run_rule(check_floors, {name: f"#include {include}\n"})

    def test_an_include_that_points_down_passes(self):
        self.assertEqual(self.floors("hw/nic/nic.cpp", '"hw/rings/tx_engine.hpp"'), [])

    def test_an_include_that_points_up_fails(self):
        self.assertIn("may not include", self.floors("hw/mac/a.hpp", '"hw/nic/nic.hpp"')[0])

    def test_siblings_meet_only_through_base(self):
        self.assertIn("may not include", self.floors("hw/mac/a.hpp", '"hw/irq/b.hpp"')[0])

    def test_hardware_and_driver_never_see_each_other(self):
        self.assertTrue(self.floors("hw/mac/a.hpp", '"firmware/include/nic_driver.h"'))
        self.assertTrue(self.floors("firmware/src/a.c", '"hw/base/time.hpp"'))

    def test_the_guest_interface_is_the_only_guest_text_the_host_sees(self):
        self.assertEqual(
            self.floors("testbench/host/a.hpp", '"guest_stack/kernel/guest_abi.h"'), [])
        self.assertTrue(self.floors("testbench/host/a.hpp", '"guest_stack/kernel/cpu.h"'))

    def test_systemc_outside_a_module_fails(self):
        self.assertIn("SystemC", self.floors("hw/mac/a.hpp", "<systemc>")[0])
        self.assertEqual(self.floors("hw/mac/a_module.hpp", "<systemc>"), [])

    def test_a_folder_that_is_no_floor_fails(self):
        self.assertIn("no floor", self.floors("hw/attic/a.hpp", '"hw/base/time.hpp"')[0])

    def style(self, name, text):
        return self.run_rule(check_style, {name: text})

    def test_style_catches_each_forbidden_thing(self):
        for name, text in [("hw/mac/a.cpp", "int a;" + " " * 100), ("hw/mac/a.cpp", "\tint a;"),
                           ("hw/mac/a.cpp", "// TODO"), ("hw/mac/a.cpp", "std::unordered_map<int, int> m;"),
                           ("hw/mac/a.cpp", "std::chrono::seconds s;"), ("hw/mac/a.cpp", "#ifdef DEBUG"),
                           ("hw/mac/a.cpp", "printf(\"x\");")]:
            self.assertTrue(self.style(name, text + "\n"), text)
        self.assertEqual(self.style("hw/mac/a.cpp", "int a;\n"), [])


if __name__ == "__main__":
    unittest.main()
