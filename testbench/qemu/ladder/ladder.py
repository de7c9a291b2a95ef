#!/usr/bin/env python3
"""The acceptance ladder: unmodified drivers in real guests climb it on the model, row by row.

Usage: ladder.py [--short] [--rows 2,3] [--nic builtin] [--guest 6.12] [--out DIR]
Exit codes: 0 all checks hold, 1 one does not, 77 the machine cannot run it (the reason is told).
"""
import argparse
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from bench import Ladder, Missing, enter_namespace  # noqa: E402
import clock  # noqa: E402
import comings_and_goings  # noqa: E402
import configuration  # noqa: E402
import network_boot  # noqa: E402
import ping  # noqa: E402
import poll_driver  # noqa: E402
import probe  # noqa: E402
import self_test  # noqa: E402
import transfer  # noqa: E402
import two_ends  # noqa: E402
import wake_up  # noqa: E402

ROWS = {
    1: ("configuration", configuration.configuration, None),
    2: ("probe", probe.probe, probe.probe_short),
    3: ("self_test", self_test.self_test, self_test.self_test_short),
    4: ("ping", ping.ping, ping.ping_short),
    5: ("transfer", transfer.transfer, transfer.transfer_short),
    6: ("comings_and_goings", comings_and_goings.comings_and_goings, None),
    7: ("network_boot", network_boot.network_boot, network_boot.network_boot_short),
    8: ("poll_driver", poll_driver.poll_driver, None),
    9: ("clock", clock.clock, None),
    10: ("two_ends", two_ends.two_ends, None),
    11: ("wake_up", wake_up.wake_up, None),
}
SKIPPED = 77


def chosen(text):
    try:
        rows = [int(word) for word in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is no list of rows, such as 2,3") from None
    unknown = [row for row in rows if row not in ROWS]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no row {unknown[0]}; rows: {sorted(ROWS)}")
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--rows", type=chosen, default=sorted(ROWS), metavar="N,N")
    parser.add_argument("--short", action="store_true", help="less of each row, for every day")
    parser.add_argument("--nic", choices=("model", "builtin"), default="model")
    parser.add_argument("--guest", choices=("6.1", "6.12"), default="6.1")
    parser.add_argument("--out", default="out/ladder")
    options = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    rows = []
    for number in options.rows:
        name, whole, short = ROWS[number]
        function = short if options.short else whole
        if function:
            rows.append((number, name, function))
    try:
        dpdk = 8 in options.rows and not options.short
        enter_namespace({options.guest}, [poll_driver.recipe(options.guest)] if dpdk else [])
        ladder = Ladder(options.nic, options.guest, options.out)
    except Missing as missing:
        print(f"SKIPPED: the ladder of real guests cannot run here: {missing}", flush=True)
        return SKIPPED
    return ladder.climb(rows)


if __name__ == "__main__":
    sys.exit(main())
