#!/usr/bin/env python3
"""The plots of a sweep: what is drawn of a table, and that the files say it. 77 without matplotlib
skips only what draws."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import plot_sweep

SCRIPT = pathlib.Path(plot_sweep.__file__)


def python_with_matplotlib():
    """Debian's packages are seen by Debian's Python only."""
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            done = subprocess.run([python, "-c", "import matplotlib"], capture_output=True)
        except OSError:
            continue
        if done.returncode == 0:
            return python
    return None


PYTHON = python_with_matplotlib()


def table(axes, rows, metrics=("speed_bps",)):
    """Rows are (settings in the order of the axes, seed, value of each metric[, verdict])."""
    points = []
    for settings, seed, values, *verdict in rows:
        points.append({"settings": dict(zip(axes, settings)), "seed": seed,
                       "verdict": verdict[0] if verdict else "pass",
                       "metrics": {m: v for m, v in zip(metrics, values) if v is not None}})
    return {"scenario": "play", "axes": list(axes), "points": points,
            "metrics": [{"name": name, "unit": "b/s", "description": f"The {name}"}
                        for name in metrics]}


SIZES = table(("size", "kind"), [
    ((size, kind), 1, (value,)) for kind, factor in (("read", 1), ("write", 2))
    for size, value in (("512", 50 * factor), ("64", 10 * factor), ("128", 20 * factor))])


class Choice(unittest.TestCase):
    def test_the_first_axis_with_numbers_is_drawn_over_and_the_others_are_lines(self):
        self.assertEqual(plot_sweep.choose_axes(SIZES), ("size", True, ["kind"]))
        turned = table(("kind", "size"), [((kind, size), 1, (1,))
                                          for kind in ("read", "write") for size in "12"])
        self.assertEqual(plot_sweep.choose_axes(turned), ("size", True, ["kind"]))

    def test_an_axis_with_one_value_is_neither(self):
        one = table(("mps", "size"), [(("256", "1"), 1, (1,)), (("256", "2"), 1, (2,))])
        self.assertEqual(plot_sweep.choose_axes(one), ("size", True, []))

    def test_words_alone_are_bars(self):
        words = table(("kind",), [(("read",), 1, (1,)), (("write",), 1, (2,))])
        self.assertEqual(plot_sweep.choose_axes(words), ("kind", False, []))
        self.assertEqual(plot_sweep.choose_axes(table((), [((), 1, (1,))])), (None, False, []))

    def test_a_line_is_sorted_by_its_numbers_not_by_their_texts(self):
        lines = plot_sweep.series_of(SIZES, "speed_bps", "size", ["kind"])
        self.assertEqual([line.label for line in lines], ["kind=read", "kind=write"])
        self.assertEqual([row[:2] for row in lines[1].means()], [(64, 20), (128, 40), (512, 100)])

    def test_seeds_are_one_point_with_its_mean_and_its_ends(self):
        seeds = table(("size",), [(("1",), seed, (value,)) for seed, value in
                                  ((1, 10), (2, 20), (3, 60))])
        line, = plot_sweep.series_of(seeds, "speed_bps", "size", [])
        self.assertEqual(line.means(), [(1, 30, 10, 60)])

    def test_a_point_without_a_value_is_left_out_and_one_that_failed_is_marked(self):
        rows = [(("1",), 1, (5,)), (("2",), 1, (None,), "broken"), (("3",), 1, (7,), "fail")]
        line, = plot_sweep.series_of(table(("size",), rows), "speed_bps", "size", [])
        self.assertEqual([row[0] for row in line.means()], [1, 3])
        self.assertEqual(line.bad, {3})

    def test_an_axis_is_logarithmic_only_where_it_spans_decades(self):
        self.assertTrue(plot_sweep.wants_log([1, 5, 100]))
        self.assertFalse(plot_sweep.wants_log([64, 1500]))
        self.assertFalse(plot_sweep.wants_log([0, 1000]))
        self.assertFalse(plot_sweep.wants_log([]))
        self.assertTrue(plot_sweep.powers_of_two([64, 128, 256, 512]))
        self.assertFalse(plot_sweep.powers_of_two([64, 128, 256, 500]))
        self.assertFalse(plot_sweep.powers_of_two([0.5, 1, 2, 4]))
        self.assertTrue(plot_sweep.crowded([64, 72, 80, 96, 128, 512, 1518]))
        self.assertFalse(plot_sweep.crowded([0, 72, 80, 96, 128, 512, 1518]))
        self.assertFalse(plot_sweep.crowded([100, 200, 300, 400, 500]))
        self.assertFalse(plot_sweep.crowded([64, 72, 1518]))

    def test_an_axis_that_goes_with_one_before_it_is_no_line_of_its_own(self):
        rows = [((size, rate, lanes, kind), 1, (1,)) for size in ("64", "512")
                for rate, lanes, kind in (("1", "1", "a"), ("10", "8", "a"), ("40", "8", "b"))]
        axes = ("size", "rate", "lanes", "kind")
        self.assertEqual(plot_sweep.choose_axes(table(axes, rows)), ("size", True, ["rate"]))
        free = table(axes, [*rows, (("64", "40", "4", "b"), 1, (1,))])
        self.assertEqual(plot_sweep.choose_axes(free)[2], ["rate", "lanes"])

    def test_an_axis_has_the_unit_that_its_name_ends_with(self):
        for key, text in (("workload.size", "workload.size [bytes]"),
                          ("a.rate_mbps", "a.rate_mbps [Mb/s]"),
                          ("driver.itr", "driver.itr"), ("pcie.lanes", "pcie.lanes"),
                          ("x.in_us", "x.in_us [us]"), ("host.us", "host.us"), (None, "")):
            self.assertEqual(plot_sweep.with_unit(key), text)

    def test_numbers_are_marked_by_the_word_of_their_group_or_of_the_nearest_around_it(self):
        names = ("wire.rate", "bound_by", "wire.tx.rate", "wire.tx.bound_by", "wire.tx.gap.ns")
        words = table(("size",), [(("64",), 1, (5, "wire", 7, "cpu", 8))], names)
        beside = {name: plot_sweep.word_beside(words, name) for name in names}
        self.assertEqual(beside, {"wire.rate": "bound_by", "bound_by": "bound_by",
                                  "wire.tx.rate": "wire.tx.bound_by",
                                  "wire.tx.bound_by": "wire.tx.bound_by",
                                  "wire.tx.gap.ns": "wire.tx.bound_by"})
        self.assertIsNone(plot_sweep.word_beside(SIZES, "speed_bps"))
        line, = plot_sweep.series_of(words, "wire.rate", "size", [])
        self.assertEqual(line.words, {64: "wire"})

    def test_a_map_has_a_region_for_neighbours_that_say_the_same_and_passed_alike(self):
        rows = [(("1",), 1, ("a",)), (("2",), 1, ("a",)), (("3",), 1, ("b",)), (("5",), 1, ("b",)),
                (("6",), 1, ("b",), "fail"), (("7",), 1, ("a",)), (("7",), 2, ("b",))]
        line, = plot_sweep.series_of(table(("n",), rows), "speed_bps", "n", [], str)
        self.assertEqual(plot_sweep.regions(line, [1, 2, 3, 4, 5, 6, 7]), [
            (0, 2, "a", True), (2, 1, "b", True), (4, 1, "b", True), (5, 1, "b", False),
            (6, 1, None, True)])


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="doorbell-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def draw(self, sweep, python=None):
        path = self.folder / "sweep.json"
        path.write_text(json.dumps(sweep) if isinstance(sweep, dict) else sweep)
        return subprocess.run([python or PYTHON, str(SCRIPT), str(path),
                               str(self.folder / "plots")], capture_output=True, text=True,
                              timeout=120, env={"MPLCONFIGDIR": str(self.folder),
                                                "PYTHONDONTWRITEBYTECODE": "1",
                                                "HOME": str(self.folder)})

    def texts(self, name):
        tree = xml.etree.ElementTree.parse(self.folder / "plots" / name)
        return [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_a_plot_has_title_labels_with_units_and_a_legend(self):
        done = self.draw(SIZES)
        self.assertEqual((done.returncode, done.stdout), (0, "speed_bps.svg\n"), done.stderr)
        texts = self.texts("speed_bps.svg")
        for text in ("play: The speed_bps", "size [bytes]", "speed_bps [b/s]", "kind=read",
                     "kind=write"):
            self.assertIn(text, texts)

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_the_same_table_gives_the_same_file_and_old_plots_go(self):
        (self.folder / "plots").mkdir()
        (self.folder / "plots/old.svg").write_text("old")
        pictures = []
        for _ in range(2):
            self.assertEqual(self.draw(SIZES).returncode, 0)
            pictures.append((self.folder / "plots/speed_bps.svg").read_bytes())
        self.assertEqual(pictures[0], pictures[1])
        self.assertFalse((self.folder / "plots/old.svg").exists())

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_bars_many_lines_one_point_and_no_value_are_drawn_or_left_out(self):
        bars = table(("kind",), [(("read",), 1, (1,)), (("write",), 1, (2,), "fail")])
        self.assertEqual(self.draw(bars).returncode, 0)
        self.assertIn("write", self.texts("speed_bps.svg"))
        many = table(("size", "n"), [((str(size), str(n)), 1, (size * n,))
                                     for size in (1, 10, 1000) for n in range(1, 31)])
        self.assertEqual(self.draw(many).returncode, 0)
        self.assertIn("n=30", self.texts("speed_bps.svg"))
        self.assertEqual(self.draw(table((), [((), 1, (3,))])).stdout, "speed_bps.svg\n")
        self.assertEqual(self.draw(table(("size",), [(("1",), 1, (None,))])).stdout, "")

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_a_word_is_a_map_with_its_regions_and_a_mark_on_the_lines_beside_it(self):
        words = table(("size", "way"), [
            ((size, way), 1, (rate, word)) for size, way, rate, word in (
                ("64", "tx", 9, "pcie"), ("128", "tx", 8, "wire"), ("256", "tx", 7, "wire"),
                ("64", "rx", 9, "cpu"), ("128", "rx", 8, "cpu"), ("256", "rx", 7, "cpu"))],
            ("wire.rate", "bound_by"))
        done = self.draw(words)
        self.assertEqual(done.stdout, "wire.rate.svg\nbound_by.svg\n", done.stderr)
        texts = self.texts("bound_by.svg")
        self.assertEqual([texts.count(word) for word in ("pcie", "wire", "cpu")], [1, 1, 1])
        for text in ("64", "128", "256", "way=tx", "way=rx", "size [bytes]"):
            self.assertIn(text, texts)
        texts = self.texts("wire.rate.svg")
        for text in ("bound_by", "pcie", "wire", "cpu", "way=tx"):
            self.assertIn(text, texts)
        words["points"][0]["verdict"] = "fail"
        self.draw(words)
        self.assertIn("size [bytes]   (hatched: fail)", self.texts("bound_by.svg"))

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_what_did_not_pass_is_said_in_the_plot(self):
        self.draw(table(("size",), [(("1",), 1, (5,)), (("3",), 1, (7,), "fail")]))
        self.assertIn("red cross: fail", self.texts("speed_bps.svg"))

    @unittest.skipUnless(PYTHON, "there is no matplotlib (Debian: python3-matplotlib)")
    def test_a_table_that_is_none_is_said(self):
        done = self.draw("{")
        self.assertEqual(done.returncode, 1)
        self.assertIn("sweep.json: ", done.stderr)

    def test_without_matplotlib_the_code_is_77_and_the_package_is_named(self):
        (self.folder / "matplotlib.py").write_text("raise ImportError")
        done = subprocess.run([sys.executable, str(SCRIPT), "x", "y"], capture_output=True,
                              text=True, env={"PYTHONPATH": str(self.folder)}, timeout=60)
        self.assertEqual(done.returncode, 77)
        self.assertIn("python3-matplotlib", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=1)
