#!/usr/bin/env python3
"""The house rules must catch what they forbid: each case plants one violation in a small tree."""
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_floors  # noqa: E402
import check_style  # noqa: E402


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
