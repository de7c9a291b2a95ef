#!/usr/bin/env python3
"""Draws the table of a sweep: a plot for each metric over the first numeric axis, a line for each
combination of the other axes' values; bars when no axis has numbers.

Usage: plot_sweep.py SWEEP.json FOLDER
Exit codes: 0 drawn (one name a line), 1 the table cannot be read, 77 there is no matplotlib.
"""
import collections
import json
import math
import pathlib
import re
import sys

MOST_PLOTS = 40
NO_LIBRARY = 77


def number(text):
    """The number a setting is; None when it is none."""
    try:
        value = float(str(text).replace("_", ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def wants_log(values):
    """Whether values span decades."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= 100


def powers_of_two(values):
    """Whether values are powers of two over a range that is better seen so."""
    whole = all(v >= 1 and float(v).is_integer() and (int(v) & (int(v) - 1)) == 0 for v in values)
    return whole and len(values) > 3 and max(values) / min(values) >= 8


def settings_that_vary(points, axes):
    """An axis with one value says nothing; seeds are repetitions, not lines."""
    return [axis for axis in axes
            if len({point["settings"].get(axis, "") for point in points}) > 1]


class Series:
    """A line: positions on the first axis, and what the metric was there with each seed."""

    def __init__(self, label):
        self.label = label
        self.values = collections.OrderedDict()
        self.bad = set()

    def add(self, x, value, passed):
        self.values.setdefault(x, []).append(value)
        if not passed:
            self.bad.add(x)

    def means(self):
        return [(x, sum(v) / len(v), min(v), max(v)) for x, v in self.values.items()]


def series_of(sweep, metric, x_axis, others):
    """What is to be drawn of a metric, in the order of the table."""
    lines = collections.OrderedDict()
    for point in sweep["points"]:
        value = point["metrics"].get(metric)
        x = point["settings"].get(x_axis, "") if x_axis else ""
        if x_axis and number(x) is not None:
            x = number(x)
        if not isinstance(value, (int, float)):
            continue
        label = ", ".join(f"{short(axis)}={point['settings'].get(axis, '-')}" for axis in others)
        line = lines.setdefault(label, Series(label))
        line.add(x, value, point["verdict"] == "pass")
    for line in lines.values():
        if all(isinstance(x, float) for x in line.values):
            line.values = collections.OrderedDict(sorted(line.values.items()))
    return list(lines.values())


def short(key):
    """The part of a key that tells it from others: "size" of "workload.size"."""
    return key.rsplit(".", 1)[-1]


def choose_axes(sweep):
    """The axis to draw over, whether it has numbers, and the others."""
    vary = settings_that_vary(sweep["points"], sweep["axes"])
    for axis in vary:
        values = {point["settings"].get(axis, "") for point in sweep["points"]}
        if all(number(value) is not None for value in values):
            return axis, True, [other for other in vary if other != axis]
    if vary:
        return vary[0], False, vary[1:]
    return (sweep["axes"][0], False, []) if sweep["axes"] else (None, False, [])


def file_name(metric):
    return re.sub(r"[^A-Za-z0-9_.-]", "_", metric) + ".svg"


def tick_text(value):
    return f"{value:g}" if value < 1e6 else f"{value:.3g}"


def draw_lines(axes, lines, colours):
    for line, colour in zip(lines, colours):
        rows = line.means()
        xs = [row[0] for row in rows]
        axes.plot(xs, [row[1] for row in rows], marker="o", markersize=4, linewidth=1.4,
                  color=colour, label=line.label or None)
        if any(row[2] != row[3] for row in rows):
            axes.fill_between(xs, [row[2] for row in rows], [row[3] for row in rows],
                              color=colour, alpha=0.2, linewidth=0)
        bad = [row for row in rows if row[0] in line.bad]
        axes.plot([row[0] for row in bad], [row[1] for row in bad], linestyle="none", marker="x",
                  markersize=10, markeredgewidth=2, color="red")
    every_x = sorted({x for line in lines for x in line.values})
    every_y = [row[1] for line in lines for row in line.means()]
    if powers_of_two(every_x) or wants_log(every_x):
        axes.set_xscale("log", base=2 if powers_of_two(every_x) else 10)
        if powers_of_two(every_x) or len(every_x) <= 12:
            axes.set_xticks(every_x[::max(1, len(every_x) // 12)])
            axes.set_xticks([], minor=True)
            axes.xaxis.set_major_formatter(lambda value, _: tick_text(value))
    if wants_log(every_y):
        axes.set_yscale("log")
    elif every_y and min(every_y) >= 0:
        axes.set_ylim(bottom=0)


def draw_bars(axes, lines, colours):
    names = list(collections.OrderedDict.fromkeys(x for line in lines for x in line.values))
    width = 0.8 / len(lines)
    for i, (line, colour) in enumerate(zip(lines, colours)):
        rows = line.means()
        at = [names.index(row[0]) - 0.4 + width * (i + 0.5) for row in rows]
        axes.bar(at, [row[1] for row in rows], width * 0.95, color=colour,
                 label=line.label or None,
                 hatch=["xx" if row[0] in line.bad else "" for row in rows])
    axes.set_xticks(range(len(names)), names)


def draw(sweep, column, x_axis, numeric, others, path, pyplot):
    lines = series_of(sweep, column["name"], x_axis, others)
    if not lines:
        return False
    figure, axes = pyplot.subplots(figsize=(9, 5.2))
    if len(lines) <= 10:
        colours = pyplot.get_cmap("tab10").colors
    else:
        colours = [pyplot.get_cmap("viridis")(i / (len(lines) - 1)) for i in range(len(lines))]
    (draw_lines if numeric else draw_bars)(axes, lines, colours)
    axes.set_title(f"{sweep['scenario']}: {column['description'] or column['name']}", wrap=True,
                   fontsize=11)
    axes.set_xlabel(x_axis or "")
    axes.set_ylabel(column["name"] + (f" [{column['unit']}]" if column["unit"] else ""))
    axes.grid(True, which="both", alpha=0.25)
    if others:
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False,
                    ncol=1 + len(lines) // 26, title=", ".join(others), title_fontsize=8)
    bad = sorted({point["verdict"] for point in sweep["points"]} - {"pass"})
    if any(line.bad for line in lines) and numeric:
        axes.annotate(f"red cross: {', '.join(bad)}", (0.01, 0.01), xycoords="axes fraction",
                      fontsize=8, color="red")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return True


def main(table, folder):
    try:
        import matplotlib
    except ImportError:
        print("there is no matplotlib (Debian: python3-matplotlib)", file=sys.stderr)
        return NO_LIBRARY
    matplotlib.use("svg")
    # The same table gives the same file.
    matplotlib.rcParams["svg.hashsalt"] = "doorbell"
    matplotlib.rcParams["svg.fonttype"] = "none"
    from matplotlib import pyplot
    try:
        sweep = json.loads(pathlib.Path(table).read_text())
    except (OSError, ValueError) as error:
        print(f"{table}: {error}", file=sys.stderr)
        return 1
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    x_axis, numeric, others = choose_axes(sweep)
    for column in sweep["metrics"][:MOST_PLOTS]:
        name = file_name(column["name"])
        if draw(sweep, column, x_axis, numeric, others, folder / name, pyplot):
            print(name)
    if len(sweep["metrics"]) > MOST_PLOTS:
        print(f"{len(sweep['metrics']) - MOST_PLOTS} more metrics are not drawn")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(1)
    sys.exit(main(*sys.argv[1:]))
