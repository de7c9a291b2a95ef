"""The way of a packet: every step exists, is in the event stream, and the steps partition the time.

Everything here is read from a trace as a user gets it (`--trace json`). An event's place in time is
its `time_ps`; events of the same time stand in the stream in the order of what happened.
"""
import bisect
import collections
import json
import subprocess
import unittest

from harness import BINARY, Acceptance

SOCKET, TCP, IP, ARP, ETHERNET, DRIVER = 1, 2, 4, 5, 6, 7  # events.toml: layer
DOWN, UP = 0, 1
TX, RX = 0, 1
DESCRIPTOR, TX_DATA, RX_DATA, WRITE_BACK, MESSAGE = range(5)  # events.toml: dma_read.kind
FETCHED, MOVED, WRITTEN_BACK = 1, 2, 3  # events.toml: descriptor.state
ACCEPT, READ, WRITE = 5, 6, 7  # events.toml: syscall_enter.call
SEND_BUFFER, RECEIVE_BUFFER = 1, 2  # events.toml: thread_block.reason
QUANTUM_BITS, REACTION_BITS = 512, 1024  # IEEE 802.3, 31B.2 and 31B.3.7
OVERRUN, CRC_ERROR = 11, 6  # hw/mac/receive_filter.hpp: DropReason
ARP_MISS, ARP_HIT, ARP_RESOLVED = 0, 1, 2
NET_TX, NET_RX = 2, 3  # events.toml: softirq_raise.vector
ICR_RXQ0, ICR_TXQ0 = 1 << 20, 1 << 22  # the chip's registers, docs/registers.md
TDT0 = 0x3818
MSI_VECTOR = 255
DESCRIPTOR_BYTES = 16
PREAMBLE_AND_SFD_BYTES = 8  # IEEE 802.3, 3.1.1
BIT_PS = 1000  # 1 Gb/s
SYN, FIN, RST, PUSH, ACK_FLAG = 2, 1, 4, 8, 16


def matches(event, fields):
    return all(event.get(name) == value for name, value in fields.items())


class Trace:
    """A run's events: in order of time, with an index by type and by packet."""

    def __init__(self, folder):
        with open(folder / "events.jsonl", encoding="utf-8") as file:
            self.stream = [json.loads(line) for line in file]
        self.events = sorted(self.stream, key=lambda event: event["time_ps"])  # stable
        self.by_type = collections.defaultdict(list)
        self.by_packet = collections.defaultdict(list)
        for place, event in enumerate(self.events):
            event["place"] = place
            self.by_type[event["type"]].append(event)
            if "packet" in event:
                self.by_packet[event["packet"]].append(event)
        self.places = {name: [e["place"] for e in events]
                       for name, events in self.by_type.items()}

    def all(self, kind, /, **fields):
        return [event for event in self.by_type[kind] if matches(event, fields)]

    def of(self, packet, kind, /, **fields):
        return [e for e in self.by_packet[packet] if e["type"] == kind and matches(e, fields)]

    def next(self, after, kind, test=lambda event: True, /, **fields):
        """The first such event behind `after`, None when there is none."""
        events = self.by_type[kind]
        for i in range(bisect.bisect_right(self.places.get(kind, []), after["place"]),
                       len(events)):
            if matches(events[i], fields) and test(events[i]):
                return events[i]
        return None

    def last(self, before, kind, test=lambda event: True, /, **fields):
        events = self.by_type[kind]
        for i in range(bisect.bisect_left(self.places.get(kind, []), before["place"]) - 1, -1, -1):
            if matches(events[i], fields) and test(events[i]):
                return events[i]
        return None

    def packets(self, source):
        """Identities of the data that `source` gave to its socket, in order, each once."""
        made = {}
        for event in self.all("packet_made", source=source):
            made[event["packet"]] = event  # a segment that grew is named again
        return list(made.values())


class Journey(Acceptance):
    def trace(self, *arguments):
        run = self.passes(*arguments, "--trace", "json", "--capture", "none")
        return run, Trace(run.folder)

    def one(self, events, what):
        self.assertEqual(len(events), 1, f"{what}: {events}")
        return events[0]

    def found(self, event, what):
        self.assertIsNotNone(event, f"nothing in the stream shows: {what}")
        return event

    def steps_down(self, trace, made):
        """[(what, event)] of a packet from write() until its bits are on the wire."""
        packet = made["packet"]
        # The write whose bytes these are: the one that is open on this descriptor.
        call = self.found(trace.last(made, "syscall_enter", source="a", call=WRITE, fd=made["fd"]),
                          "write()")
        socket = self.found(trace.last(made, "layer", source="a", layer=SOCKET, direction=DOWN),
                            "bytes copied into the socket buffer")
        steps = [("write()", call), ("socket buffer", socket), ("packet named", made)]
        segment = self.one([e for e in trace.of(packet, "tcp_segment", source="a")],
                           "the TCP segment")
        self.assertEqual(segment["length_bytes"], made["end_byte"] - made["first_byte"])
        steps.append(("TCP segment", segment))
        for layer, name in ((TCP, "TCP"), (IP, "IP"), (ARP, "ARP"), (ETHERNET, "Ethernet"),
                            (DRIVER, "driver")):
            steps.append((name, self.one(trace.of(packet, "layer", source="a", layer=layer,
                                                  direction=DOWN), name)))
            if layer == TCP:
                route = self.one(trace.of(packet, "route", source="a"), "the route")
                steps.append(("route", route))
            elif layer == ARP:
                steps.append(("ARP hit", self.one(
                    trace.of(packet, "arp", source="a", result=ARP_HIT), "the ARP cache")))
            elif layer == ETHERNET:
                mapped = self.one(trace.of(packet, "dma_map", source="a", direction=1), "dma_map")
                steps.append(("dma_map", mapped))
        moved = self.one(trace.of(packet, "descriptor", source="a.nic0", direction=TX,
                                  state=MOVED), "descriptor with data on the chip")
        index, queue = moved["index"], moved["queue"]
        fetched = self.found(trace.last(moved, "descriptor", source="a.nic0", direction=TX,
                                        queue=queue, index=index, state=FETCHED),
                             "descriptor fetched")
        bell = self.found(trace.next(
            steps[-1][1], "doorbell", lambda e: 0 < (e["tail"] - index) % 256 <= e["pending"],
            source="a.nic0", direction=TX, queue=queue), "doorbell for the descriptor")
        written = self.found(trace.last(bell, "register_write", source="a.nic0", offset=TDT0,
                                        value=bell["tail"]), "the write of TDT")
        self.assertEqual(written["time_ps"], bell["time_ps"])
        steps.append(("doorbell", bell))
        request = self.found(trace.last(
            fetched, "dma_read", lambda e: e["address"] % 4096 // DESCRIPTOR_BYTES <= index
            < e["address"] % 4096 // DESCRIPTOR_BYTES + e["size_bytes"] // DESCRIPTOR_BYTES,
            source="a.nic0", kind=DESCRIPTOR), "DMA read of the descriptor")
        answer = self.found(trace.next(request, "dma_completion", source="a.nic0",
                                       kind=DESCRIPTOR, address=request["address"]),
                            "descriptor completion")
        steps += [("descriptor read", request), ("descriptor completion", answer),
                  ("descriptor fetched", fetched)]
        answer = self.one(trace.of(packet, "dma_completion", source="a.nic0", kind=TX_DATA),
                          "completion with the data")
        self.assertEqual(answer["address"], mapped["iova"])
        self.assertEqual(answer["size_bytes"], mapped["size_bytes"])
        # The device learns whose bytes they are with them: its request is known by the address.
        request = self.found(trace.last(answer, "dma_read", source="a.nic0", kind=TX_DATA,
                                        address=mapped["iova"]), "DMA read of the data")
        sent = self.one(trace.of(packet, "frame_transmit", source="a.nic0"), "frame_transmit")
        steps += [("data read", request), ("data completion", answer), ("data on chip", moved),
                  ("first bit on the wire", sent)]
        return steps

    def steps_up(self, trace, packet, sent):
        """[(what, event)] from the last bit on the wire until the reader has the bytes."""
        arrived = self.one(trace.of(packet, "frame_arrive", source="b.nic0"), "frame_arrive")
        accepted = self.one(trace.of(packet, "frame_accept", source="b.nic0"), "frame_accept")
        stored = self.one(trace.of(packet, "frame_stored", source="b.nic0"), "frame_stored")
        written = self.one(trace.of(packet, "dma_write", source="b.nic0", kind=RX_DATA),
                           "DMA write of the data")
        self.assertEqual({e["frame"] for e in (arrived, accepted, stored, written)},
                         {sent["frame"]})
        reported = self.one(trace.of(packet, "descriptor", source="b.nic0", direction=RX,
                                     state=WRITTEN_BACK), "descriptor written back")
        self.assertEqual(reported["index"], stored["index"])
        back = self.found(trace.last(reported, "dma_write", source="b.nic0", kind=WRITE_BACK),
                          "DMA write of the descriptor")
        self.assertEqual(back["time_ps"], reported["time_ps"])
        steps = [("arrived", arrived), ("accepted", accepted), ("data in host memory", written),
                 ("stored", stored), ("write-back", back), ("descriptor done", reported)]
        unmapped = self.one(trace.of(packet, "dma_unmap", source="b", direction=2), "dma_unmap")
        self.assertEqual(unmapped["iova"], written["address"])
        steps.append(("dma_unmap", unmapped))
        for layer, name in ((DRIVER, "driver up"), (ETHERNET, "Ethernet up"), (IP, "IP up"),
                            (TCP, "TCP up")):
            steps.append((name, self.one(trace.of(packet, "layer", source="b", layer=layer,
                                                  direction=UP), name)))
        steps.append(("segment taken", self.one(trace.of(packet, "tcp_segment", source="b"),
                                                "segment up")))
        accepted = trace.all("syscall_exit", source="b", call=ACCEPT)[0]
        if steps[-1][1]["place"] > accepted["place"]:  # before, the socket has no descriptor yet
            steps.append(("receive buffer", self.found(
                trace.next(steps[-1][1], "socket_buffer", source="b", direction=RX),
                "receive buffer")))
        read = trace.of(packet, "packet_read", source="b")
        self.assertTrue(read, "the reader never got it")
        returned = self.found(trace.next(read[-1], "syscall_exit", source="b", call=READ,
                                         fd=read[-1]["fd"]), "return of read()")
        steps += [("read by the application", read[-1]), ("read() returns", returned)]
        return steps

    def interrupt_steps(self, trace, reported, unmapped):
        """What lies between the write-back and the poll, when this packet asked for it itself."""
        cause = trace.next(reported, "irq_cause", lambda e: e["causes"] & ICR_RXQ0,
                           source="b.nic0")
        message = trace.next(reported, "irq_message", source="b.nic0", vector=0)
        if message is None or message["place"] > unmapped["place"]:
            return None  # an interrupt was on its way, or a poll was running, when it came
        written = trace.next(message, "dma_write", source="b.nic0", kind=MESSAGE,
                             address=message["address"])
        delivered = trace.next(written, "irq_delivered", source="b")
        enter = trace.next(delivered, "hard_irq_enter", source="b")
        raised = trace.next(enter, "softirq_raise", source="b", vector=NET_RX)
        leave = trace.next(enter, "hard_irq_exit", source="b", line=enter["line"])
        softirq = trace.next(leave, "softirq_enter", source="b", vector=NET_RX)
        return [("cause", cause), ("message", message), ("message in the host", written),
                ("delivered", delivered), ("hard irq", enter), ("softirq raised", raised),
                ("hard irq done", leave), ("softirq", softirq)]

    def assert_ordered(self, steps):
        for (earlier, before), (later, after) in zip(steps, steps[1:]):
            self.assertIsNotNone(after, f"nothing in the stream shows: {later}")
            self.assertLessEqual(before["time_ps"], after["time_ps"],
                                 f"{later} before {earlier}: {after}, {before}")


class Sending(Journey):
    """journey.md, "Sending", rows 1 to 13, and "Receiving", rows 1 to 8, for every packet."""

    def setUp(self):
        super().setUp()
        self.run_, self.events = self.trace("tcp_file", "--set", "workload.bytes=200000",
                                            "--set", "settings.cpu.slack_ns=0")

    def test_every_packet_goes_every_step_in_order_and_the_steps_are_its_latency(self):
        trace = self.events
        packets = trace.packets("a")
        self.assertGreater(len(packets), 130)
        self.assertEqual(sum(m["end_byte"] - m["first_byte"] for m in packets), 200000)
        whole = 0
        self.backlogged = 0
        for made in packets:
            if trace.of(made["packet"], "arp", result=ARP_MISS):
                continue
            down = self.steps_down(trace, made)
            up = self.steps_up(trace, made["packet"], down[-1][1])
            self.assert_ordered(down + up)
            names = [name for name, _ in up]
            reported, unmapped = up[names.index("descriptor done")][1], \
                up[names.index("dma_unmap")][1]
            between = self.interrupt_steps(trace, reported, unmapped)
            if between is not None:
                at = names.index("dma_unmap")
                self.assert_ordered(up[:at] + between + up[at:])
                whole += 1
            self.check_partition(down, up)
        self.assertLessEqual(self.backlogged, self.run_.metric("host.b.core_lock.backlogged"))
        # Others came while their predecessors' interrupt or poll was under way.
        self.assertGreater(whole, 20, "packets with an interrupt of their own")

    def check_partition(self, down, up):
        """Each step begins when the one before ends. Where a step's length is known from
        something else than the two time stamps, both must agree."""
        at = dict(down + up)
        # Layers: the CPU time charged is the time that passes, nothing in between.
        for above, below in (("TCP segment", "TCP"), ("route", "IP"), ("IP", "ARP"),
                             ("ARP hit", "Ethernet"), ("Ethernet", "driver"),
                             ("Ethernet up", "IP up"), ("IP up", "TCP up")):
            self.assertEqual(at[below]["time_ps"] - at[above]["time_ps"], at[below]["cost_ps"],
                             f"{above} to {below}")
        # Up, a frame may wait in the backlog while a thread holds lwIP's lock.
        waited_ps = (at["Ethernet up"]["time_ps"] - at["driver up"]["time_ps"]
                     - at["Ethernet up"]["cost_ps"])
        self.assertGreaterEqual(waited_ps, 0)
        self.backlogged += waited_ps > 0
        # The wire: the event says when the last bit leaves, the frame's length says it as well.
        sent = at["first bit on the wire"]
        self.assertEqual(sent["time_ps"], sent["start_ps"])
        self.assertEqual(sent["end_ps"] - sent["start_ps"],
                         (sent["size_bytes"] + PREAMBLE_AND_SFD_BYTES) * 8 * BIT_PS)
        propagation_ps = at["arrived"]["time_ps"] - sent["end_ps"]
        self.assertIn(propagation_ps, range(0, 1_000_000), "a cable of at most 200 m")
        self.assertEqual(at["data in host memory"]["time_ps"], at["stored"]["time_ps"])
        # Memory: a read takes a round trip, and the completion closes its own request.
        for request, answer in (("descriptor read", "descriptor completion"),
                                ("data read", "data completion")):
            self.assertEqual(at[request]["size_bytes"], at[answer]["size_bytes"])
            self.assertGreater(at[answer]["time_ps"], at[request]["time_ps"])
        self.assertEqual(at["data completion"]["time_ps"], at["data on chip"]["time_ps"])

    def test_1_2_3_a_write_has_a_descriptor_a_length_a_cost_and_blocks_on_a_full_buffer(self):
        trace = self.events
        writes = trace.all("syscall_enter", source="a", call=WRITE)
        self.assertEqual(sum(e["size_bytes"] for e in writes), 200000)
        self.assertEqual(len({e["fd"] for e in writes}), 1)
        for enter in writes:
            leave = self.found(trace.next(enter, "syscall_exit", source="a", call=WRITE),
                               "return of write()")
            self.assertEqual(leave["result"], enter["size_bytes"])
            copied = trace.next(enter, "layer", source="a", layer=SOCKET, direction=DOWN)
            self.assertGreater(copied["cost_ps"], 0)
            self.assertGreaterEqual(copied["time_ps"] - enter["time_ps"], copied["cost_ps"])
        levels = trace.all("socket_buffer", source="a", direction=TX)
        self.assertIn(levels[0]["limit_bytes"], {e["used_bytes"] for e in levels},
                      "the buffer was never full")
        blocked = trace.all("thread_block", source="a", reason=SEND_BUFFER)
        self.assertTrue(blocked)
        waited_ps = sum(trace.next(e, "thread_wake", source="a", thread=e["thread"],
                                   reason=SEND_BUFFER)["time_ps"] - e["time_ps"]
                        for e in blocked)
        self.assertEqual(waited_ps // 1000, self.run_.metric("host.a.socket.send_blocked_ns"))

    def test_4_segments_follow_each_other_and_say_flags_and_window(self):
        sent = self.events.all("tcp_segment", source="a")
        self.assertEqual(sent[0]["flags"], SYN)
        self.assertTrue(any(e["flags"] & FIN for e in sent))
        data = [e for e in sent if e["length_bytes"] > 0]
        for before, after in zip(data, data[1:]):
            self.assertEqual((before["sequence"] + before["length_bytes"]) % 2**32,
                             after["sequence"])
        self.assertTrue(all(e["window_bytes"] > 0 and e["flags"] & ACK_FLAG for e in data))
        widths = []
        for segment in data:
            window = self.one(self.events.of(segment["packet"], "tcp_window", source="a"),
                              "the congestion window")
            self.assertEqual(window["time_ps"], segment["time_ps"])
            self.assertLessEqual(window["in_flight_bytes"] + segment["length_bytes"],
                                 window["cwnd_bytes"])
            widths.append(window["cwnd_bytes"])
        self.assertGreater(widths[-1], widths[0], "slow start")
        # What the last ACK acknowledges is all there was: SYN, the bytes, FIN.
        end = (data[-1]["sequence"] + data[-1]["length_bytes"] + 1) % 2**32
        self.assertIn(end, {e["acknowledged"] for e in
                            self.events.all("tcp_window", source="a")})

    def test_6_the_first_packet_misses_the_arp_cache_and_waits_for_the_answer(self):
        miss = self.one(self.events.all("arp", source="a", result=ARP_MISS), "an ARP miss")
        resolved = self.one(self.events.all("arp", source="a", result=ARP_RESOLVED), "its answer")
        self.assertEqual(miss["address"], resolved["address"])
        waited_ns = (resolved["time_ps"] - miss["time_ps"]) // 1000
        self.assertAlmostEqual(waited_ns, self.run_.metric("host.a.arp.wait_max_ns"),
                               delta=2000)  # the metric leaves out CPU time still owed
        segment = self.events.of(miss["packet"], "frame_transmit", source="a.nic0") \
            if "packet" in miss else []
        for frame in segment:
            self.assertGreater(frame["time_ps"], resolved["time_ps"])

    def test_8_9_11_what_the_device_was_told_to_send_it_fetches_and_reports(self):
        trace = self.events
        fetched = trace.all("descriptor", source="a.nic0", direction=TX, state=FETCHED)
        moved = trace.all("descriptor", source="a.nic0", direction=TX, state=MOVED)
        self.assertEqual(len(fetched), self.run_.metric("host.a.nic0.tx.descriptors"))
        self.assertEqual([e["index"] for e in fetched], [e["index"] for e in moved])
        for request in trace.all("dma_read", source="a.nic0"):
            self.found(trace.next(request, "dma_completion", source="a.nic0",
                                  address=request["address"], kind=request["kind"]),
                       f"completion of {request}")
        last = None
        for back in trace.all("descriptor", source="a.nic0", direction=TX, state=WRITTEN_BACK):
            last = self.found(trace.next(back, "irq_cause", lambda e: e["causes"] & ICR_TXQ0,
                                         source="a.nic0"), "cause of a write-back")
        held = self.events.all("irq_moderated", source="a.nic0")
        self.assertTrue(held, "EITR never held an interrupt back")
        for event in held:
            self.assertGreater(event["until_ps"], event["time_ps"])
        self.found(trace.next(last, "irq_message", source="a.nic0"), "the last message")

    def test_13_sent_packets_are_taken_back_and_the_ack_frees_the_send_buffer(self):
        trace = self.events
        for made in trace.packets("a"):
            moved = self.one(trace.of(made["packet"], "descriptor", source="a.nic0",
                                      direction=TX, state=MOVED), "sent descriptor")
            unmapped = self.one(trace.of(made["packet"], "dma_unmap", source="a", direction=1),
                                "dma_unmap of a sent packet")
            self.assertLess(moved["time_ps"], unmapped["time_ps"])
            self.found(trace.last(unmapped, "softirq_enter", source="a", vector=NET_RX),
                       "the softirq that cleans")
        # Each byte that was written into the send buffer leaves it with an ACK.
        levels = trace.all("socket_buffer", source="a", direction=TX)
        self.assertEqual(levels[-1]["used_bytes"], 0)
        rises = falls = 0
        for before, after in zip([{"used_bytes": 0}] + levels, levels):
            change = after["used_bytes"] - before["used_bytes"]
            rises += max(change, 0)
            if change < 0:
                falls -= change
                ack = self.found(trace.last(after, "tcp_segment", source="a", length_bytes=0),
                                 "the ACK")
                self.assertTrue(ack["flags"] & ACK_FLAG)
                sent = self.found(trace.last(ack, "tcp_segment", source="b", length_bytes=0),
                                  "its departure")
                self.assertLess(sent["time_ps"], ack["time_ps"])
        self.assertEqual((rises, falls), (200000, 200000))

    def test_receiving_1_3_the_ring_is_stocked_and_the_fifo_fills_and_drains(self):
        trace = self.events
        first = self.found(trace.next(self.events.events[0], "doorbell", source="b.nic0",
                                      direction=RX), "buffers for the receiver")
        self.assertGreaterEqual(max(e["pending"] for e in trace.all(
            "doorbell", source="b.nic0", direction=RX)), 240, first)
        levels = trace.all("fifo_level", source="b.nic0", direction=RX)
        self.assertEqual(levels[-1]["used_bytes"], 0)
        self.assertGreaterEqual(max(e["used_bytes"] for e in levels), 1518)
        self.assertTrue(all(e["used_bytes"] <= e["capacity_bytes"] for e in levels))

    def test_receiving_8_the_blocked_reader_wakes(self):
        trace = self.events
        blocked = trace.all("thread_block", source="b", reason=RECEIVE_BUFFER)
        self.assertGreater(len(blocked), 10)
        for event in blocked:
            wake = self.found(trace.next(event, "thread_wake", source="b",
                                         thread=event["thread"], reason=RECEIVE_BUFFER), "wake")
            taken = self.found(trace.last(wake, "tcp_segment", source="b"), "what woke it")
            self.assertGreaterEqual(taken["time_ps"], event["time_ps"])

    def test_tables_are_printable(self):
        done = subprocess.run([BINARY, "run", "tcp_file", "-vv", "--set", "workload.bytes=1000",
                               "--capture", "none", "--out", self.folder / "tables"],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        for line in ("Kernel IP routing table",
                     "10.0.0.0        0.0.0.0         255.255.255.0   U     0      eth0",
                     "? (10.0.0.2) at 02:00:00:00:02:00 [ether] on eth0", "NET_RX:", "NET_TX:"):
            self.assertIn(line, done.stdout)


class Interrupts(Journey):
    """journey.md, "Two kinds of interrupts"."""

    def check_nesting(self, trace, host):
        """Hard interrupts and softirqs as brackets: durations add up, hard ones preempt."""
        preempted = 0
        inside = None
        for event in trace.events:
            if event["source"] != host:
                continue
            if event["type"] == "softirq_enter":
                self.assertIsNone(inside, f"two softirqs at once: {event}")
                inside = event
            elif event["type"] == "softirq_exit":
                self.assertEqual(event["duration_ps"], event["time_ps"] - inside["time_ps"])
                inside = None
            elif event["type"] == "hard_irq_enter":
                leave = trace.next(event, "hard_irq_exit", source=host, line=event["line"])
                self.assertEqual(leave["duration_ps"], leave["time_ps"] - event["time_ps"])
                preempted += event["nesting"]
        return preempted

    def test_brackets_close_and_counts_are_those_of_proc_softirqs(self):
        run, trace = self.trace("ring_pressure", "--set", "settings.cpu.slack_ns=0")
        preempted = 0
        for host in ("a", "b"):
            preempted += self.check_nesting(trace, host)
            for vector, name in ((1, "timer"), (NET_TX, "net_tx"), (NET_RX, "net_rx")):
                count = len(trace.all("softirq_enter", source=host, vector=vector))
                self.assertEqual(count, run.metric(f"host.{host}.softirq.{name}"), name)
            self.assertEqual(len(trace.all("irq_delivered", source=host)),
                             run.metric(f"host.{host}.irq.delivered"))
            longest = max(e["duration_ps"] for e in trace.all("hard_irq_exit", source=host))
            self.assertEqual(longest // 1000, run.metric(f"host.{host}.irq.longest_ns"))
        self.assertGreater(preempted, 0, "no hard interrupt preempted anything")

    def test_each_kind_of_interrupt_reaches_the_handler(self):
        for kind in ("intx", "msi", "msix"):
            with self.subTest(kind):
                _, trace = self.trace("tcp_file", "--set", "workload.bytes=20000",
                                      "--set", f"settings.driver.irq_mode={kind}")
                vectors = {e["vector"] for e in trace.all("irq_message")}
                pins = trace.all("irq_pin")
                expected = {"intx": (set(), True), "msi": ({MSI_VECTOR}, False),
                            "msix": ({0, 1, 2}, False)}[kind]
                self.assertEqual((vectors, bool(pins)), expected)
                for event in trace.all("irq_delivered", source="b"):
                    self.found(trace.next(event, "hard_irq_enter", source="b"), "the handler")
                    if kind == "intx":
                        self.found(trace.last(event, "irq_pin", source="b.nic0", asserted=1),
                                   "the pin")

    def test_a_softirq_that_goes_on_too_long_moves_to_ksoftirqd(self):
        run, trace = self.trace("tcp_file", "--set", "workload.bytes=200000",
                                "--set", "settings.kernel.napi_budget=1",
                                "--set", "settings.kernel.softirq_max_us=1")
        for host in ("a", "b"):
            polls = trace.all("napi_poll", source=host)
            self.assertTrue(all(e["work"] <= e["budget"] == 1 for e in polls))
            self.assertEqual(sum(e["work"] for e in polls), run.metric(
                f"host.{host}.nic0.napi.packets"))
            self.assertEqual(sum(e["work"] == 1 for e in polls),
                             run.metric(f"host.{host}.nic0.napi.budget_exhausted"))
            turns = [e["awake"] for e in trace.all("ksoftirqd", source=host)]
            self.assertGreater(len(turns), 4)
            self.assertEqual(turns, [1, 0] * (len(turns) // 2))


class FlowControl(Journey):
    """journey.md, "Flow control everywhere": each queue is seen full, and is seen to recover."""

    def test_every_queue_of_ring_pressure_fills_and_nothing_is_lost(self):
        run, trace = self.trace("ring_pressure")
        self.assertEqual(run.metric("workload.identical"), 1)
        # The application on a full send buffer.
        full = [e for e in trace.all("socket_buffer", source="a", direction=TX)
                if e["used_bytes"] == e["limit_bytes"]]
        self.assertTrue(full)
        self.assertTrue(trace.next(full[0], "thread_block", source="a", reason=SEND_BUFFER))
        # The window that a full receive buffer closed, the probes, and its opening.
        buffers = trace.all("socket_buffer", source="b", direction=RX)
        self.assertTrue(any(e["used_bytes"] >= e["limit_bytes"] for e in buffers))
        closed = self.found(trace.next(trace.events[0], "tcp_segment", source="b", length_bytes=0,
                                       window_bytes=0), "a closed window")
        probe = self.found(trace.next(closed, "tcp_segment", lambda e: "packet" not in e,
                                      source="a", length_bytes=1), "a window probe")
        self.found(trace.next(probe, "tcp_segment", lambda e: e["window_bytes"] > 1460,
                              source="b"), "the window opened")
        self.assertGreater(run.metric("host.a.tcp.window_probes"), 0)
        # The transmit ring: full, the queue stops, NET_TX restarts it.
        stops = trace.all("queue_stop", source="a", stopped=1)
        self.assertEqual(len(stops), run.metric("host.a.nic0.tx.queue_stops"))
        for stop in stops:
            start = self.found(trace.next(stop, "queue_stop", source="a", stopped=0), "restart")
            self.found(trace.next(start, "softirq_enter", source="a", vector=NET_TX), "NET_TX")
        self.assertGreaterEqual(max(e["pending"] for e in trace.all(
            "doorbell", source="a.nic0", direction=TX)), 6, "of a ring of 8")
        # The receive ring without a buffer: the datasheet's count.
        self.assertGreater(run.metric("host.b.nic0.rx.descriptor_shortage_frames"), 0)
        self.assertEqual(run.metric("host.b.nic0.stats.RNBC"),
                         run.metric("host.b.nic0.rx.descriptor_shortage_frames"))
        # The packet buffer: no room for a frame is a drop with that reason, and MPC.
        drops = trace.all("frame_drop", source="b.nic0", reason=OVERRUN)
        self.assertEqual(len(drops), run.metric("host.b.nic0.stats.MPC"))
        for drop in drops:
            level = trace.last(drop, "fifo_level", source="b.nic0", direction=RX)
            self.assertGreater(level["used_bytes"] + drop["size_bytes"], level["capacity_bytes"])
            self.assertIsNone(trace.next(drop, "frame_stored", source="b.nic0",
                                         frame=drop["frame"]))
        # PCIe: reads that waited for a tag, register writes that waited for credits.
        self.assertGreater(run.metric("host.a.nic0.dma.tag_waits"), 0)
        self.assertGreater(run.metric("host.a.nic0.bus.posted.stalls"), 0)
        # Each byte was read once, in order, whatever was dropped on the way.
        read = trace.all("packet_read", source="b")
        self.assertEqual(sum(e["size_bytes"] for e in read), 500000)


    def test_an_empty_ring_pauses_the_sender_and_no_frame_is_lost(self):
        run, trace = self.trace("ring_pressure")
        sent = trace.all("pause_frame", source="d.nic0", direction=TX)
        heard = trace.all("pause_frame", source="c.nic0", direction=RX)
        xoffs = [e for e in sent if e["quanta"] > 0]
        self.assertEqual(len(xoffs), run.metric("host.d.nic0.stats.XOFFTXC"))
        self.assertEqual([e["quanta"] for e in sent], [e["quanta"] for e in heard])
        # Why it was sent: the ring was empty, and the packet buffer filled.
        self.assertGreater(run.metric("host.d.nic0.stats.RNBC"), 0)
        fill = self.found(trace.last(xoffs[0], "fifo_level", source="d.nic0", direction=RX), "fill")
        self.assertGreater(fill["used_bytes"], fill["capacity_bytes"] // 2)
        # What it did: a gap on the wire, from the event to the event.
        stops = trace.all("transmit_pause", source="c.nic0", paused=1)
        self.assertEqual(len(stops), len(xoffs))
        data = [e["start_ps"] for e in trace.all("frame_transmit", source="c.nic0")]
        paused_ps = 0
        for stop in stops:
            told_ps = stop["time_ps"]
            cause = self.found(trace.last(stop, "pause_frame", source="c.nic0"), "its PAUSE frame")
            self.assertEqual(cause["time_ps"], told_ps)
            self.assertEqual(stop["until_ps"] - told_ps,
                             cause["quanta"] * QUANTUM_BITS * BIT_PS)
            go = self.found(trace.next(stop, "transmit_pause", source="c.nic0"), "its end")
            inside = [t for t in data if told_ps + REACTION_BITS * BIT_PS < t < go["time_ps"]]
            self.assertEqual(inside, [], "sent into the pause")
            paused_ps += go["time_ps"] - told_ps
        self.assertEqual(paused_ps // 1000, run.metric("host.c.nic0.tx.paused_ns"))
        # And what came of it: nothing was lost between c and d.
        self.assertEqual(trace.all("frame_drop", source="d.nic0"), [])
        self.assertGreater(run.metric("host.b.nic0.stats.MPC"), 0, "without PAUSE it was")


class Identity(Journey):
    """A retransmission is the same packet in another frame."""

    def test_what_the_wire_lost_is_sent_again_with_its_identity(self):
        run, trace = self.trace("lossy_wire", "--set", "workload.bytes=300000")
        again = lost = damaged = 0
        for made in trace.packets("a"):
            sent = trace.of(made["packet"], "frame_transmit", source="a.nic0")
            numbers = [e["frame"] for e in sent]
            self.assertEqual(len(numbers), len(set(numbers)), "a frame number used twice")
            segments = trace.of(made["packet"], "tcp_segment", source="a")
            self.assertEqual(len({e["sequence"] for e in segments}), 1, "another range of bytes")
            self.assertEqual(len(segments), len(sent))
            again += len(sent) - 1
            for fault in trace.of(made["packet"], "wire_fault", fault=1):
                lost += 1
                self.assertIn(fault["frame"], numbers)
                self.assertEqual(trace.of(made["packet"], "frame_arrive", source="b.nic0",
                                          frame=fault["frame"]), [])
            for drop in trace.of(made["packet"], "frame_drop", source="b.nic0"):
                self.assertEqual(drop["reason"], CRC_ERROR)
                damaged += 1
            self.assertTrue(trace.of(made["packet"], "packet_read", source="b"),
                            "TCP lost what it had promised")
        self.assertGreater(lost, 0)
        self.assertGreater(damaged, 0)
        self.assertEqual(again, run.metric("host.a.tcp.retransmissions_segments"))


    def check_datagrams(self, scenario, layer):
        run, trace = self.trace(scenario)
        made = trace.packets("a")
        self.assertGreater(len(made), 5)
        for event in made:
            packet = event["packet"]
            steps = [("named", event)]
            for kind, fields in (("dma_map", {"source": "a"}),
                                 ("frame_transmit", {"source": "a.nic0"}),
                                 ("frame_arrive", {"source": "b.nic0"}),
                                 ("frame_stored", {"source": "b.nic0"}),
                                 ("layer", {"source": "b", "layer": DRIVER, "direction": UP}),
                                 ("layer", {"source": "b", "layer": IP, "direction": UP})):
                steps.append((kind, self.one(trace.of(packet, kind, **fields), kind)))
            if layer:
                steps.append(("up", self.one(trace.of(packet, "layer", source="b", layer=layer,
                                                      direction=UP), "layer up")))
                steps.append(("read", self.one(trace.of(packet, "packet_read", source="b"),
                                               "recvfrom()")))
            else:  # The kernel answers: one identity there and back.
                steps.append(("answer", self.one(trace.of(packet, "frame_transmit",
                                                          source="b.nic0"), "the answer")))
                steps.append(("read", self.one(trace.of(packet, "packet_read", source="a"),
                                               "recvfrom()")))
            self.assert_ordered(steps)

    def test_a_datagram_keeps_its_identity_until_it_is_received(self):
        self.check_datagrams("udp_echo", layer=3)

    def test_an_echo_and_its_reply_are_one_identity(self):
        self.check_datagrams("ping", layer=None)


class Routing(Journey):
    """journey.md, "Sending", row 5: a host with two NICs chooses by route."""

    def test_the_route_names_the_interface_whose_nic_sends(self):
        _, trace = self.trace("two_nics_routing")
        used = set()
        for made in trace.packets("a"):
            routes = trace.of(made["packet"], "route", source="a")
            sent = [e for e in trace.of(made["packet"], "frame_transmit")
                    if e["source"].startswith("a.nic")]
            for route, frame in zip(routes, sent):
                self.assertEqual(frame["source"], f"a.nic{route['interface']}")
                used.add((route["interface"], route["gateway"] != 0))
        self.assertEqual(used, {(0, False), (1, False), (0, True), (1, True)})


if __name__ == "__main__":
    unittest.main()
