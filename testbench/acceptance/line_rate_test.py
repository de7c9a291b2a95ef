"""Frames at the rate of the wire, to the picosecond, and what bounds it when they are not: each
bound is built once, by making one thing slow or small."""
import decimal
import json
import pathlib
import re
import shlex
import subprocess
import unittest

from harness import BINARY, Acceptance

GUIDE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "programmers_guide.md"

GAPS_PS = {64: 672_000, 1518: 12_304_000}
# A PCIe link and a host with time to spare.
FAST_PCIE = {"nic.pcie.generation": 3, "nic.pcie.lanes": 8}


class LineRate(Acceptance):
    def measure(self, size, direction, more=(), **settings):
        settings = {"workload.size": size, "workload.direction": direction,
                    **{key.replace("__", "."): value for key, value in settings.items()},
                    **dict(more)}
        sets = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
        return self.passes("line_rate", *sets)

    def assert_bound(self, run, bound):
        self.assertEqual(run.metric("bound_by"), bound, run.explain())

    # --- the wire ---

    def test_at_1_gbit_frames_start_every_672_and_12304_ns_in_either_direction(self):
        for size, gap_ps in GAPS_PS.items():
            for direction in ("tx", "rx"):
                run = self.measure(size, direction)
                self.assert_bound(run, "wire")
                for end in ("min", "max"):
                    self.assertEqual(run.metric(f"wire.{direction}.start_gap_{end}_ps"), gap_ps)
                self.assertEqual(run.metric("wire.frames_per_s"), 1e12 / gap_ps)

    def test_both_at_once_are_bound_by_the_wire_or_the_result_says_by_what(self):
        run = self.measure(1518, "both")
        self.assert_bound(run, "wire")
        for name in ("tx.start_gap_min", "tx.start_gap_max", "rx.start_gap_min",
                     "rx.start_gap_max"):
            self.assertEqual(run.metric(f"wire.{name}_ps"), GAPS_PS[1518])
        run = self.measure(64, "both")
        self.assert_bound(run, "pcie")
        self.assertLess(run.metric("wire.frames_per_s"), 1e12 / GAPS_PS[64])

    def test_the_capture_shows_the_same_distances(self):
        for size, gap_ps in GAPS_PS.items():
            run = self.measure(size, "tx", workload__frames=4000)
            times = self.tshark(run.folder / "wire.pcapng",
                                "udp.port == 9 && frame.interface_id == 0", "frame.time_epoch")
            self.assertEqual(len(times), 4000)
            # The first frames fill the packet buffer; then the wire is never free.
            steady = [decimal.Decimal(time) for time in times[500:]]
            gaps = {(later - earlier) * 10**12 for earlier, later in zip(steady, steady[1:])}
            self.assertEqual(gaps, {gap_ps})

    def test_a_slow_wire_bounds_at_its_own_rate(self):
        for rate_mbps in (10, 100):
            run = self.measure(1518, "tx", link__wire0__rate_mbps=rate_mbps, workload__frames=300)
            self.assert_bound(run, "wire")
            gap_ps = GAPS_PS[1518] * 1000 // rate_mbps
            self.assertEqual(run.metric("wire.tx.start_gap_min_ps"), gap_ps)
            self.assertEqual(run.metric("wire.tx.start_gap_max_ps"), gap_ps)

    def test_ten_gigabits_are_exact_too_where_pcie_has_the_room(self):
        run = self.measure(1518, "both", FAST_PCIE, link__wire0__rate_mbps=10_000,
                           nic__rings__transmit_rate_mbps=10_000)
        self.assert_bound(run, "wire")
        for direction in ("tx", "rx"):
            self.assertEqual(run.metric(f"wire.{direction}.start_gap_min_ps"), 1_230_400)
            self.assertEqual(run.metric(f"wire.{direction}.start_gap_max_ps"), 1_230_400)

    # --- what else bounds ---

    def test_a_slow_cpu_bounds(self):
        self.assert_bound(self.measure(64, "tx", settings__cpu__driver_tx_ns=2000), "cpu")
        self.assert_bound(self.measure(64, "rx", settings__cpu__driver_rx_ns=2000), "cpu")

    def test_the_gen1_link_bounds_what_a_faster_wire_would_carry(self):
        for direction in ("tx", "rx"):
            run = self.measure(1518, direction, link__wire0__rate_mbps=10_000,
                               nic__rings__transmit_rate_mbps=10_000)
            self.assert_bound(run, "pcie")

    def test_a_packet_buffer_that_does_not_cover_the_latency_bounds(self):
        run = self.measure(1518, "rx", FAST_PCIE, link__wire0__rate_mbps=10_000,
                           nic__pcie__propagation_ns=25_000)
        self.assert_bound(run, "packet_buffer")
        self.assertGreater(run.metric("host.a.nic0.rx.overruns.store_frames"), 0)
        run = self.measure(1518, "tx", {"nic.pcie.mrrs_bytes": 4096, "nic.dma.read_tags": 32},
                           nic__pcie__memory_latency_ns=400_000)
        self.assert_bound(run, "packet_buffer")

    def test_a_store_of_one_descriptor_bounds(self):
        run = self.measure(64, "rx", nic__rings__descriptor_cache=1)
        self.assert_bound(run, "descriptor_cache")
        self.assertGreater(run.metric("host.a.nic0.rx.overruns.descriptor_fetch_frames"), 0)

    def test_a_receiver_that_need_not_wait_for_what_is_sent_gets_every_frame(self):
        lost = "host.a.nic0.rx.overruns.descriptor_fetch_frames"
        waits, turns = (self.measure(64, "both", nic__dma__arbitration=arbitration)
                        for arbitration in ("in_order", "round_robin"))
        self.assertGreater(waits.metric(lost), 0)
        self.assertLess(waits.metric("wire.pcie_upstream_busy"), 0.8)
        self.assertEqual(turns.metric(lost), 0)
        self.assertEqual(turns.metric("wire.rx.start_gap_max_ps"), GAPS_PS[64])
        # What is sent takes what is left of the link.
        self.assertGreater(turns.metric("wire.pcie_upstream_busy"), 0.99)
        self.assertGreater(turns.metric("wire.tx.frames_per_s"),
                           1.3 * waits.metric("wire.tx.frames_per_s"))

    def test_a_short_ring_that_is_refilled_too_seldom_bounds(self):
        run = self.measure(64, "rx", settings__driver__rx_ring=8, settings__driver__itr=400)
        self.assert_bound(run, "ring")
        self.assertGreater(run.metric("host.a.nic0.rx.overruns.no_descriptor_frames"), 0)

    def test_nothing_bounds_what_asks_for_less(self):
        run = self.measure(64, "rx", generator__gen__rate_fps=100_000)
        self.assert_bound(run, "load")
        self.assertEqual(run.metric("wire.rx.start_gap_min_ps"), 10_000_000)

    def test_a_receiver_that_only_drains_its_ring_has_the_same_simulated_times(self):
        looks, drains = (self.measure(64, "rx", workload__verify=verify) for verify in (1, 0))
        for name in ("wire.frames_per_s", "wire.cpu_busy", "wire.pcie_upstream_busy",
                     "host.a.app.0.operations"):
            self.assertEqual(looks.metric(name), drains.metric(name))
        self.assertEqual(drains.metric("host.a.app.0.operations"), 8000)

    def test_more_of_what_bounds_gives_more_frames_and_more_of_the_rest_does_not(self):
        fast_wire = {"link.wire0.rate_mbps": 10_000, "nic.rings.transmit_rate_mbps": 10_000}
        faster_wire = {"link.wire0.rate_mbps": 20_000, "nic.rings.transmit_rate_mbps": 20_000}
        wide_pcie = {"nic.pcie.lanes": 2}
        quick_cpu = {"settings.cpu.driver_tx_ns": 10, "settings.cpu.driver_rx_ns": 10}
        slow_cpu = {"settings.cpu.driver_tx_ns": 2000, "settings.cpu.driver_rx_ns": 2000}
        one_descriptor = {"nic.rings.descriptor_cache": 1}
        more_descriptors = {"nic.rings.descriptor_cache": 64}
        for bound, size, direction, case, helps, helps_not in (
                ("wire", 1518, "tx", {}, fast_wire, (wide_pcie, quick_cpu)),
                ("wire", 64, "rx", {}, {**fast_wire, **FAST_PCIE}, (wide_pcie, quick_cpu)),
                ("pcie", 64, "both", {}, wide_pcie, (quick_cpu,)),
                ("pcie", 64, "rx", fast_wire, wide_pcie, (quick_cpu, faster_wire)),
                ("pcie", 1518, "both", fast_wire, wide_pcie, (quick_cpu, faster_wire)),
                ("cpu", 64, "tx", slow_cpu, quick_cpu, (wide_pcie, fast_wire)),
                ("cpu", 64, "rx", slow_cpu, quick_cpu, (wide_pcie,)),
                ("descriptor_cache", 64, "rx", one_descriptor, more_descriptors, (quick_cpu,))):
            with self.subTest(bound=bound, size=size, direction=direction):
                def rate(settings=()):
                    run = self.measure(size, direction, {**case, **dict(settings)},
                                       workload__verify=0, workload__frames=16_000,
                                       measure__warm_up_us=200)
                    return run.metric("wire.frames_per_s"), run
                before, run = rate()
                self.assert_bound(run, bound)
                self.assertGreater(rate(helps)[0], 1.25 * before, helps)
                for settings in helps_not:
                    self.assertLess(rate(settings)[0], 1.05 * before, settings)

    # --- the driver's thresholds ---

    def test_descriptors_written_back_in_batches_take_less_of_pcie(self):
        # With RDTR 0 every frame is reported at once, whatever WTHRESH says.
        each, batch = (self.measure(64, "rx", settings__driver__rdtr=20,
                                    settings__driver__rx_wthresh=threshold)
                       for threshold in (1, 16))
        rows = "host.a.nic0.rx.write_backs"
        self.assertGreater(each.metric(rows), 7 * batch.metric(rows))
        # 124 bytes of PCIe a frame and a little more; 15 of 16 headers of 24 are saved.
        busy = "wire.pcie_upstream_busy"
        self.assertLess(batch.metric(busy), 0.87 * each.metric(busy))

    def test_a_prefetch_that_begins_late_lets_frames_wait_in_the_packet_buffer(self):
        late, early = (self.measure(64, "rx", settings__driver__rx_pthresh=threshold)
                       for threshold in (0, 32))
        fetches, peak = "host.a.nic0.rx.descriptor_fetches", "host.a.nic0.rx.fifo_peak_bytes"
        self.assertLess(late.metric(fetches), early.metric(fetches))
        self.assertGreater(late.metric(peak), early.metric(peak))

    def test_the_chips_clock_and_pipeline_show_in_the_latency(self):
        def latency_ns(*settings):
            run = self.passes("loopback_latency", "--set", "workload.size=64",
                              "--set", "workload.loopback=none",
                              *(word for setting in settings for word in ("--set", setting)))
            return run.metric("host.a.app.0.latency_mean_ns")
        before = latency_ns()
        # 32 cycles to the wire, and none from it unless they are asked for.
        self.assertEqual(latency_ns("nic.rings.clock_ps=16000"), before + 32 * 8)
        self.assertEqual(latency_ns("nic.rings.rx_pipeline_cycles=100"), before + 100 * 8)

    def test_a_measurement_that_cannot_end_fails_and_says_so(self):
        run = self.run_doorbell("line_rate", "--set", "workload.size=64", "--set",
                                "workload.direction=tx", "--set", "measure.warm_up_us=1000000")
        self.assertEqual(run.code, 1, run.explain())
        self.assertIn("[measure] of a.nic0 did not come to its end", run.stdout)


class Journeys(Acceptance):
    """[measure] latency: how long a frame takes between driver and wire."""
    DOORBELL_TO_DONE = "wire.tx.doorbell_to_done_ns"
    WIRE_TO_DONE = "wire.rx.wire_to_done_ns"
    WIRE_TO_READER = "wire.rx.wire_to_reader_ns"

    def measure(self, direction, *settings, latency="true", size=64, frames=2000):
        return self.passes("line_rate", *(word for setting in (
            f"workload.direction={direction}", f"workload.size={size}",
            f"workload.frames={frames}", f"measure.latency={latency}", *settings)
            for word in ("--set", setting)))

    # One frame at a time, and an interrupt for each.
    ALONE = ("generator.gen.rate_fps=10000", "settings.driver.itr=0")

    def test_a_frame_that_meets_nobody_takes_as_long_as_every_other_one(self):
        run = self.measure("rx", *self.ALONE)
        self.assertGreater(run.metric(f"{self.WIRE_TO_DONE}.samples"), 1900)
        self.assertEqual(run.metric(f"{self.WIRE_TO_READER}.samples"),
                         run.metric(f"{self.WIRE_TO_DONE}.samples"))
        self.assertEqual(run.metric(f"{self.WIRE_TO_DONE}.min"),
                         run.metric(f"{self.WIRE_TO_DONE}.p999"))
        # 60 bytes of data and a descriptor go up a link of 230 MB/s, and 24 bytes with each.
        self.assertGreater(run.metric(f"{self.WIRE_TO_DONE}.min"), (60 + 16 + 2 * 24) / 0.23)
        self.assertGreater(run.metric(f"{self.WIRE_TO_READER}.min"),
                           run.metric(f"{self.WIRE_TO_DONE}.max"))

    def test_what_is_slower_on_the_way_shows_in_the_latencies_behind_it(self):
        before = self.measure("rx", *self.ALONE)
        for setting, longer_ns in (("nic.rings.rx_pipeline_cycles=100", 800),
                                   ("nic.phy.rx_latency_ns=250", 0)):
            after = self.measure("rx", *self.ALONE, setting)
            for name in (self.WIRE_TO_DONE, self.WIRE_TO_READER):
                self.assertAlmostEqual(after.metric(f"{name}.min") - before.metric(f"{name}.min"),
                                       longer_ns, 3, setting)
        held = self.measure("rx", *self.ALONE[:1], "settings.driver.itr=800")
        self.assertEqual(held.metric(f"{self.WIRE_TO_DONE}.p50"),
                         before.metric(f"{self.WIRE_TO_DONE}.p50"))
        # Interrupts every 204.8 us: frames wait for half of it.
        self.assertGreater(held.metric(f"{self.WIRE_TO_READER}.p50"), 90_000)
        self.assertLess(held.metric(f"{self.WIRE_TO_READER}.max"), 215_000)

    def test_a_full_ring_is_the_wait_behind_a_doorbell(self):
        longest = []
        for ring in (128, 256):
            run = self.measure("tx", f"settings.driver.tx_ring={ring}", size=1518)
            self.assertGreater(run.metric(f"{self.DOORBELL_TO_DONE}.samples"), 100)
            longest.append(run.metric(f"{self.DOORBELL_TO_DONE}.max"))
            # The wire takes one in 12.304 us; what is in the packet buffer is done already.
            self.assertLess(longest[-1], (ring + 1) * 12_304)
        self.assertAlmostEqual(longest[1] - longest[0], 128 * 12_304, delta=4 * 12_304)

    def test_measuring_changes_no_time_and_makes_metrics_only_where_it_is_asked_for(self):
        for direction, names in (("tx", [self.DOORBELL_TO_DONE]),
                                 ("rx", [self.WIRE_TO_DONE, self.WIRE_TO_READER])):
            off, on = (self.measure(direction, latency=latency) for latency in ("false", "true"))
            for name in ("wire.frames_per_s", "run.simulated_ns", "wire.cpu_busy",
                         "wire.pcie_upstream_busy"):
                self.assertEqual(off.metric(name), on.metric(name))
            more = {name.rpartition(".")[0]
                    for name in set(on.result["metrics"]) - set(off.result["metrics"])}
            self.assertEqual(more, set(names))


class Loopbacks(Acceptance):
    """The ways of loopback_latency differ by what lies on them."""

    def way(self, loopback, size=64, **settings):
        settings = {"workload.size": size, "workload.loopback": loopback,
                    **{key.replace("__", "."): value for key, value in settings.items()}}
        return self.passes("loopback_latency", *(word for key, value in settings.items()
                                                 for word in ("--set", f"{key}={value}")))

    def latency_ns(self, loopback, size=512, **settings):
        run = self.way(loopback, size, **settings)
        least, mean = (run.metric(f"host.a.app.0.latency_{which}_ns") for which in ("min", "mean"))
        # Frames go the same way, one by one; a few meet what the host does of its own.
        self.assertLess(mean, 1.002 * least)
        return least

    def test_a_frame_takes_longer_by_what_it_passes_and_by_nothing_else(self):
        for loopback, phy, wire in (("none", 1, 1), ("phy", 1, 0), ("mac", 0, 0)):
            before = self.latency_ns(loopback)
            self.assertEqual(self.latency_ns(loopback, nic__phy__tx_latency_ns=100),
                             before + 100 * phy, loopback)
            self.assertEqual(self.latency_ns(loopback, nic__phy__rx_latency_ns=250),
                             before + 250 * phy, loopback)
            # 10 ns are the default.
            self.assertEqual(self.latency_ns(loopback, link__wire0__propagation_ns=510),
                             before + 500 * wire, loopback)

    def test_the_mac_is_sooner_than_the_phy_and_the_phy_than_the_other_nic(self):
        for size in (256, 512, 1518):
            mac, phy, cable = (self.latency_ns(loopback, size, nic__phy__tx_latency_ns=100,
                                               nic__phy__rx_latency_ns=250)
                               for loopback in ("mac", "phy", "none"))
            self.assertLess(mac, phy)
            self.assertLess(phy, cable)

    def test_frames_that_turn_round_are_counted_and_none_is_on_the_wire(self):
        for loopback in ("none", "mac", "phy"):
            run = self.way(loopback)
            sent, turned, wire = (run.metric(name) for name in (
                "host.a.nic0.tx.frames", "host.a.nic0.loopback.frames",
                "link.wire0.forward.frames"))
            self.assertGreaterEqual(sent, 1000)
            self.assertEqual((turned, wire), (0, sent) if loopback == "none" else (sent, 0))


class Curves(Acceptance):
    """The sweeps that the programmer's guide names run as they stand there, and have the form that
    such curves have."""

    def curve(self, scenario):
        """{settings: metrics} of the command for a scenario, by the axes' last words."""
        command, = re.findall(rf"^\./doorbell (sweep {scenario} .*) --plot$", GUIDE.read_text(),
                              re.MULTILINE)
        done = subprocess.run([str(BINARY), *shlex.split(command), "--format", "json", "--out",
                               str(self.folder / scenario)], capture_output=True, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, 0, done.stderr)
        table = json.loads(done.stdout)
        drawn = self.folder / scenario / "plots"
        if drawn.exists():  # There is matplotlib.
            self.assertEqual({path.stem for path in drawn.glob("*.svg")},
                             {metric["name"] for metric in table["metrics"]})
        return [({key.rsplit(".", 1)[-1]: value for key, value in point["settings"].items()},
                 point["metrics"]) for point in table["points"]]

    def test_the_longer_the_interval_the_fewer_interrupts_and_the_longer_the_latency(self):
        points = [(int(settings["itr"]), metrics)
                  for settings, metrics in self.curve("moderation_curve")]
        self.assertEqual([itr for itr, _ in points], [0, 40, 80, 195, 400, 800])
        for (_, less), (_, more) in zip(points, points[1:]):
            messages, mean = "host.a.nic1.irq.msix0.messages", "host.a.app.0.latency_mean_ns"
            self.assertGreater(less[messages], more[messages])
            self.assertLess(less[mean], more[mean])

    def test_a_faster_wire_carries_more_until_something_else_bounds_in_both_directions(self):
        points = self.curve("what_if_throughput")
        for direction in ("tx", "rx"):
            for size in (64, 512, 1518):
                rates = [(int(settings["rate_mbps"]), metrics) for settings, metrics in points
                         if (settings["direction"], settings["size"]) == (direction, str(size))]
                self.assertEqual([rate for rate, _ in rates], [1000, 10_000, 40_000, 100_000])
                self.assertEqual(rates[0][1]["bound_by"], "wire")
                for rate_mbps, metrics in rates:
                    of_wire = metrics["wire.frames_per_s"] / (rate_mbps * 1e6 / 8 / (size + 20))
                    if metrics["bound_by"] == "wire":
                        self.assertAlmostEqual(of_wire, 1, 4)
                    else:
                        self.assertLess(of_wire, 0.995)
                # What bounds at one rate bounds at all above it.
                free = [metrics["bound_by"] == "wire" for _, metrics in rates]
                self.assertEqual(free, sorted(free, reverse=True), (direction, size))

    def test_a_faster_wire_is_sooner_at_the_other_end_and_a_frames_length_matters_less(self):
        spread = []
        points = self.curve("what_if_latency")
        for rate_mbps in ("1000", "10000", "40000", "100000"):
            means = [metrics["host.a.app.0.latency_mean_ns"] for settings, metrics in points
                     if settings["rate_mbps"] == rate_mbps]
            self.assertEqual(means, sorted(means))
            spread.append((means[-1] - means[0], means[0]))
        self.assertEqual(spread, sorted(spread, reverse=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
