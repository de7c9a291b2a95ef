#!/usr/bin/env python3
"""Draws the table of a sweep: a plot for each metric over the first numeric axis, a line for each
combination of the other axes' values; bars when no axis has numbers. A metric that is a word
("bound_by") is a map, a row for each combination, and the word at each point of its neighbours'
lines.

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
# Dark enough for white text, and told apart by those who see no red or green.
WORD_COLOURS = ("#0072b2", "#b24a00", "#00795b", "#8f4a78", "#6b5f00", "#4d4d4d", "#1b4f8f")
KEY_UNITS = {"size": "bytes", "bytes": "bytes", "kib": "KiB", "ps": "ps", "ns": "ns", "us": "us",
             "ms": "ms", "mbps": "Mb/s", "fps": "1/s"}
WORD_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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


def crowded(values):
    """Whether most values stand close together at the low end: 64, 72, 80, 96, ... 1518."""
    if len(values) < 5 or min(values) <= 0:
        return False
    middle = sorted(values)[len(values) // 2]
    return middle - min(values) < 0.2 * (max(values) - min(values))


def powers_of_two(values):
    """Whether values are powers of two over a range that is better seen so."""
    whole = all(v >= 1 and float(v).is_integer() and (int(v) & (int(v) - 1)) == 0 for v in values)
    return whole and len(values) > 3 and max(values) / min(values) >= 8


def follows(points, axis, other):
    """Whether the other axis' value says what this one's is."""
    known = {}
    return all(known.setdefault(point["settings"].get(other, ""), value) == value
               for point in points for value in [point["settings"].get(axis, "")])


def free_axes(points, axes):
    """Without those that go with one before them, as the lanes of a faster NIC do. (An axis with
    one value goes with all; seeds are repetitions, not lines.)"""
    return [axis for i, axis in enumerate(axes)
            if not any(follows(points, axis, other) for other in axes[:i])]


def words_of(sweep, metric):
    return sorted({point["metrics"][metric] for point in sweep["points"]
                   if isinstance(point["metrics"].get(metric), str)})


def word_beside(sweep, metric):
    """The metric whose words belong to the numbers of this one: that of the same group
    ("wire.tx.bound_by" for "wire.tx.frames"), or of the nearest group around it; None: none."""
    groups = {column["name"].rpartition(".")[0]: column["name"]
              for column in reversed(sweep["metrics"]) if words_of(sweep, column["name"])}
    group = metric
    while group:
        group = group.rpartition(".")[0]
        if group in groups:
            return groups[group]
    return None


class Series:
    """A line: positions on the first axis, and what the metric was there with each seed."""

    def __init__(self, label):
        self.label = label
        self.values = collections.OrderedDict()
        self.words = {}
        self.bad = set()

    def add(self, x, value, passed, word=None):
        self.values.setdefault(x, []).append(value)
        # Seeds that disagree are no word.
        self.words[x] = word if self.words.get(x, word) == word else None
        if not passed:
            self.bad.add(x)

    def means(self):
        return [(x, sum(v) / len(v), min(v), max(v)) for x, v in self.values.items()]


def series_of(sweep, metric, x_axis, others, kinds=(int, float)):
    """What is to be drawn of a metric, in the order of the table."""
    lines = collections.OrderedDict()
    word = word_beside(sweep, metric)
    for point in sweep["points"]:
        value = point["metrics"].get(metric)
        x = point["settings"].get(x_axis, "") if x_axis else ""
        if x_axis and number(x) is not None:
            x = number(x)
        if not isinstance(value, kinds):
            continue
        label = ", ".join(f"{short(axis)}={point['settings'].get(axis, '-')}" for axis in others)
        line = lines.setdefault(label, Series(label))
        line.add(x, value, point["verdict"] == "pass", point["metrics"].get(word))
    for line in lines.values():
        if all(isinstance(x, float) for x in line.values):
            line.values = collections.OrderedDict(sorted(line.values.items()))
    return list(lines.values())


def short(key):
    """The part of a key that tells it from others: "size" of "workload.size"."""
    return key.rsplit(".", 1)[-1]


def with_unit(key):
    """A key with the unit that its name ends with."""
    name = short(key or "")
    ending = name.rpartition("_")[2]
    if name == ending and name != "size":
        return key or ""
    unit = KEY_UNITS.get(ending)
    return f"{key} [{unit}]" if unit else key


def choose_axes(sweep):
    """The axis to draw over, whether it has numbers, and the others."""
    points = sweep["points"]
    vary = [axis for axis in sweep["axes"]
            if len({point["settings"].get(axis, "") for point in points}) > 1]
    free = free_axes(points, vary)
    for axis in free + vary:
        values = {point["settings"].get(axis, "") for point in points}
        if all(number(value) is not None for value in values):
            return axis, True, [other for other in free_axes(points, [axis, *vary])
                                if other != axis]
    if free:
        return free[0], False, free[1:]
    return (sweep["axes"][0], False, []) if sweep["axes"] else (None, False, [])


def file_name(metric):
    return re.sub(r"[^A-Za-z0-9_.-]", "_", metric) + ".svg"


def tick_text(value):
    return f"{value:g}" if value < 1e6 else f"{value:.3g}"


def look_of(words):
    """Colour and marker of each word, the same in all plots of a table."""
    return {word: (WORD_COLOURS[i % len(WORD_COLOURS)], WORD_MARKERS[i % len(WORD_MARKERS)])
            for i, word in enumerate(words)}


def draw_lines(axes, lines, colours, looks):
    for line, colour in zip(lines, colours):
        rows = line.means()
        xs = [row[0] for row in rows]
        axes.plot(xs, [row[1] for row in rows], marker="" if looks else "o", markersize=4,
                  linewidth=1.4, color=colour, label=line.label or None)
        for word, (word_colour, marker) in looks.items():
            of_word = [row for row in rows if line.words[row[0]] == word]
            if of_word:
                axes.plot([row[0] for row in of_word], [row[1] for row in of_word],
                          linestyle="none", marker=marker, markersize=6, color=word_colour,
                          markeredgecolor="white", markeredgewidth=0.5)
        if any(row[2] != row[3] for row in rows):
            axes.fill_between(xs, [row[2] for row in rows], [row[3] for row in rows],
                              color=colour, alpha=0.2, linewidth=0)
        bad = [row for row in rows if row[0] in line.bad]
        axes.plot([row[0] for row in bad], [row[1] for row in bad], linestyle="none", marker="x",
                  markersize=10, markeredgewidth=2, color="red")
    every_x = sorted({x for line in lines for x in line.values})
    every_y = [row[1] for line in lines for row in line.means()]
    if powers_of_two(every_x) or wants_log(every_x) or crowded(every_x):
        axes.set_xscale("log", base=2 if powers_of_two(every_x) else 10)
        if powers_of_two(every_x) or len(every_x) <= 12 or crowded(every_x):
            axes.set_xticks(every_x[::max(1, len(every_x) // 12)])
            axes.set_xticks([], minor=True)
            axes.xaxis.set_major_formatter(lambda value, _: tick_text(value))
    if wants_log(every_y):
        axes.set_yscale("log")
    elif every_y and min(every_y) >= 0:
        axes.set_ylim(bottom=0)


def regions(line, columns):
    """Neighbouring cells of a line that say the same: (first place, cells, word, passed); the word
    is None where seeds differ."""
    found = []
    for place, x in enumerate(columns):
        if x not in line.values:
            continue
        words = set(line.values[x])
        word = words.pop() if len(words) == 1 else None
        passed = x not in line.bad
        if found and found[-1][2:] == (word, passed) and sum(found[-1][:2]) == place:
            found[-1] = (found[-1][0], found[-1][1] + 1, word, passed)
        else:
            found.append((place, 1, word, passed))
    return found


def draw_map(axes, lines, looks):
    """A row for each line, a cell for each value of the axis."""
    columns = list(collections.OrderedDict.fromkeys(x for line in lines for x in line.values))
    if all(isinstance(x, float) for x in columns):
        columns.sort()
    for row, line in enumerate(lines):
        for place, cells, word, passed in regions(line, columns):
            axes.barh(row, cells - 0.06, 0.88, left=place - 0.47, linewidth=0,
                      color=looks[word][0] if word else "lightgrey", hatch="" if passed else "xx")
            axes.text(place + (cells - 1) / 2, row, word or "differs", ha="center", va="center",
                      fontsize=7, color="white" if word else "black")
    axes.set_xticks(range(len(columns)),
                    [tick_text(x) if isinstance(x, float) else x for x in columns])
    axes.set_yticks(range(len(lines)), [line.label for line in lines], fontsize=8)
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(-0.5, len(columns) - 0.5)


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


def word_legend(axes, metric, looks, pyplot):
    marks = [pyplot.Line2D([], [], linestyle="none", marker=marker, color=colour, label=word)
             for word, (colour, marker) in looks.items()]
    axes.add_artist(axes.legend(handles=marks, fontsize=8, loc="lower left",
                                bbox_to_anchor=(1.01, 0), frameon=False, title=metric,
                                title_fontsize=8))


def draw_words(sweep, column, x_axis, others, path, pyplot):
    lines = series_of(sweep, column["name"], x_axis, others, str)
    if not lines:
        return False
    figure, axes = pyplot.subplots(figsize=(9, 1.4 + 0.4 * len(lines)))
    looks = look_of(words_of(sweep, column["name"]))
    draw_map(axes, lines, looks)
    axes.set_title(f"{sweep['scenario']}: {column['name']}", fontsize=11)
    axes.set_xlabel(with_unit(x_axis))
    axes.set_ylabel(", ".join(others), fontsize=8)
    bad = sorted({point["verdict"] for point in sweep["points"]} - {"pass"})
    if any(line.bad for line in lines):
        axes.set_xlabel(f"{with_unit(x_axis)}   (hatched: {', '.join(bad)})")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
    return True


def draw(sweep, column, x_axis, numeric, others, path, pyplot):
    lines = series_of(sweep, column["name"], x_axis, others)
    if not lines:
        return draw_words(sweep, column, x_axis, others, path, pyplot)
    figure, axes = pyplot.subplots(figsize=(9, 5.2))
    if len(lines) <= 10:
        colours = pyplot.get_cmap("tab10").colors
    else:
        colours = [pyplot.get_cmap("viridis")(i / (len(lines) - 1)) for i in range(len(lines))]
    word = word_beside(sweep, column["name"])
    looks = look_of(words_of(sweep, word)) if numeric and word else {}
    if numeric:
        draw_lines(axes, lines, colours, looks)
    else:
        draw_bars(axes, lines, colours)
    axes.set_title(f"{sweep['scenario']}: {column['description'] or column['name']}", wrap=True,
                   fontsize=11)
    axes.set_xlabel(with_unit(x_axis))
    axes.set_ylabel(column["name"] + (f" [{column['unit']}]" if column["unit"] else ""))
    axes.grid(True, which="both", alpha=0.25)
    if looks:
        word_legend(axes, word, looks, pyplot)
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
