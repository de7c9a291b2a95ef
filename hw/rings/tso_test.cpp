#include <gtest/gtest.h>

#include "hw/base/prng.hpp"
#include "hw/rings/test_support/ring_bench.hpp"

/// Segmentation (specification 6.3), held against a reference that is written the other way round:
/// it builds each expected frame from the whole packet, with a checksum of its own.
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

constexpr std::uint32_t kIp = 14;

struct Packet {
    bool ipv4 = true;
    bool tcp = true;
    bool vlan = false;
    std::uint32_t header_bytes = 54;
    std::uint32_t payload_bytes = 0;
    std::uint32_t mss = 1460;

    [[nodiscard]] std::uint32_t l4() const { return kIp + (ipv4 ? 20 : 40); }
    [[nodiscard]] std::uint32_t checksum_field() const { return l4() + (tcp ? 16 : 6); }
};

std::uint32_t plain_sum(const Bytes& bytes, std::size_t from, std::size_t to) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < to; i += 2) {
        const std::uint32_t low = i + 1 < to ? bytes[i + 1] : 0;
        sum += bytes[i] * 256u + low;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

/// Addresses and protocol of the pseudo-header, without the length (RFC 9293 3.1, RFC 8200 8.1).
std::uint32_t pseudo_sum(const Bytes& bytes, const Packet& p) {
    const std::size_t from = kIp + (p.ipv4 ? 12 : 8);
    const std::uint32_t sum = plain_sum(bytes, from, p.l4()) + (p.tcp ? 6 : 17);
    return (sum & 0xffff) + (sum >> 16);
}

/// What the driver puts into memory: lengths and IP checksum 0, the pseudo-header without length in
/// the checksum field.
Bytes make_packet(const Packet& p, Prng& prng) {
    Bytes bytes(p.header_bytes + p.payload_bytes);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(prng.next());
    put16(bytes, 12, p.ipv4 ? 0x0800 : 0x86dd);
    bytes[kIp] = p.ipv4 ? 0x45 : 0x60;
    put16(bytes, kIp + (p.ipv4 ? 2 : 4), 0);
    if (p.ipv4) put16(bytes, kIp + 10, 0);
    put16(bytes, p.checksum_field(), pseudo_sum(bytes, p));
    return bytes;
}

std::vector<Bytes> reference(const Packet& p, const Bytes& whole, bool padded) {
    std::vector<Bytes> frames;
    const std::uint32_t count = std::max(1u, (p.payload_bytes + p.mss - 1) / p.mss);
    for (std::uint32_t i = 0; i < count; i++) {
        const std::uint32_t from = i * p.mss;
        const std::uint32_t size = std::min(p.mss, p.payload_bytes - from);
        Bytes f(whole.begin(), whole.begin() + p.header_bytes);
        f.insert(f.end(), whole.begin() + p.header_bytes + from,
                 whole.begin() + p.header_bytes + from + size);
        const std::uint32_t l4 = p.l4();
        const std::uint32_t l4_bytes = static_cast<std::uint32_t>(f.size()) - l4;
        if (p.ipv4) {
            put16(f, kIp + 2, static_cast<std::uint32_t>(f.size()) - kIp);
            put16(f, kIp + 4, whole[kIp + 4] * 256u + whole[kIp + 5] + i);
            put16(f, kIp + 10, 0);
            put16(f, kIp + 10, ~plain_sum(f, kIp, l4));
        } else {
            put16(f, kIp + 4, l4_bytes);
        }
        if (p.tcp) {
            std::uint32_t sequence = 0;
            for (std::uint32_t k = 4; k < 8; k++) sequence = sequence << 8 | whole[l4 + k];
            sequence += from;
            put16(f, l4 + 4, sequence >> 16);
            put16(f, l4 + 6, sequence);
            if (i + 1 < count) f[l4 + 13] &= static_cast<std::uint8_t>(~0x09);  // PSH, FIN
        } else {
            put16(f, l4 + 4, l4_bytes);
        }
        put16(f, p.checksum_field(), 0);
        std::uint32_t sum = plain_sum(f, l4, f.size()) + pseudo_sum(f, p) + l4_bytes;
        while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
        std::uint32_t checksum = ~sum & 0xffff;
        if (checksum == 0 && !p.tcp) checksum = 0xffff;
        put16(f, p.checksum_field(), checksum);
        if (p.vlan) {
            const Bytes tag = {0x81, 0x00, 0x20, 0x07};
            f.insert(f.begin() + 12, tag.begin(), tag.end());
        }
        if (padded && f.size() < 60) f.resize(60, 0);
        frames.push_back(f);
    }
    return frames;
}

Descriptor context_for(const Packet& p) {
    using namespace tx_context;
    Descriptor d;
    IPCSS.put(d, kIp);
    IPCSO.put(d, kIp + 10);
    IPCSE.put(d, p.l4() - 1);
    TUCSS.put(d, p.l4());
    TUCSO.put(d, p.checksum_field());
    TUCSE.put(d, 0);
    PAYLEN.put(d, p.payload_bytes);
    DTYP.put(d, DTYP_CONTEXT);
    TCP.put(d, p.tcp ? 1 : 0);
    IP.put(d, p.ipv4 ? 1 : 0);
    TSE.put(d, 1);
    DEXT.put(d, DEXT_EXTENDED);
    HDRLEN.put(d, p.header_bytes);
    MSS.put(d, p.mss);
    return d;
}

Descriptor data_for(const Packet& p, std::uint64_t address, std::uint32_t size) {
    using namespace tx_data;
    Descriptor d = TxDriver::data(address, size);
    TSE.put(d, 1);
    IXSM.put(d, p.ipv4 ? 1 : 0);
    TXSM.put(d, 1);
    VLE.put(d, p.vlan ? 1 : 0);
    VLAN.put(d, 0x2007);
    return d;
}

/// Posts the packet, cut into buffers at `cuts` (ascending), and returns its last index.
std::uint32_t post(RingBench& bench, TxDriver& driver, const Packet& p, const Bytes& whole,
                   const std::vector<std::uint32_t>& cuts) {
    driver.post(context_for(p));
    std::uint32_t from = 0;
    for (const std::uint32_t cut : cuts) {
        const Bytes part(whole.begin() + from, whole.begin() + cut);
        driver.post(data_for(p, bench.put(part), cut - from));
        from = cut;
    }
    const Bytes part(whole.begin() + from, whole.end());
    return driver.post(
        TxDriver::last(data_for(p, bench.put(part, 99), static_cast<std::uint32_t>(part.size()))));
}

void expect_frames(const RingBench& bench, const std::vector<Bytes>& expected) {
    ASSERT_EQ(bench.wire.sent.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); i++) {
        ASSERT_EQ(bench.wire.sent[i].bytes, expected[i]) << "segment " << i;
        EXPECT_TRUE(bench.wire.sent[i].fcs_good);
    }
}

void run_one(Packet p, std::uint32_t payload_bytes) {
    SCOPED_TRACE(payload_bytes);
    p.payload_bytes = payload_bytes;
    RingBench bench;
    TxDriver driver(bench);
    bench.set(CTRL_VME, 1);
    driver.enable();
    Prng prng(payload_bytes);
    const Bytes whole = make_packet(p, prng);
    const std::uint32_t last = post(bench, driver, p, whole, {p.header_bytes});
    driver.doorbell();
    bench.settle();
    expect_frames(bench, reference(p, whole, true));
    EXPECT_TRUE(driver.done(last));
    EXPECT_EQ(bench.stats.value(Stat::kTSCTC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kGPTC), bench.wire.sent.size());
    EXPECT_EQ(bench.wire.sent.back().packet, payload_bytes > 0 ? 99u : 0u);
}

TEST(Tso, CutsPayloadsAtTheBordersOfTheMss) {
    for (const std::uint32_t payload : {1u, 1459u, 1460u, 1461u, 2920u, 2921u, 65535u}) {
        run_one(Packet(), payload);
    }
}

// The chip keeps few headers: each is free again when its packet has been handed over.
TEST(Tso, SegmentsOnePacketAfterTheOther) {
    Packet p;
    p.payload_bytes = 2000;
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Prng prng(1);
    const Bytes whole = make_packet(p, prng);
    std::vector<Bytes> expected;
    for (int packet = 0; packet < 12; packet++) {
        post(bench, driver, p, whole, {p.header_bytes});
        driver.doorbell();
        bench.settle();
        for (const Bytes& frame : reference(p, whole, true)) expected.push_back(frame);
        expect_frames(bench, expected);
    }
}

TEST(Tso, SendsTheHeaderAloneWhenThereIsNoPayload) {
    run_one(Packet(), 0);
}

TEST(Tso, SegmentsIpv6AndUdpAndTaggedPackets) {
    Packet p;
    p.ipv4 = false;
    p.header_bytes = 74;
    run_one(p, 5000);
    p = Packet();
    p.tcp = false;
    p.header_bytes = 42;
    run_one(p, 5000);
    p = Packet();
    p.vlan = true;
    run_one(p, 5000);
}

// An 802.3 length instead of a type, with LLC and SNAP behind it: it counts what follows it,
// without padding, and a tag goes before it.
TEST(Tso, AdjustsThe8023LengthOfSnapPacketsOnly) {
    constexpr std::uint32_t kHeader = 14 + 8 + 20 + 20;
    constexpr std::uint32_t kPayload = 1001;
    constexpr std::uint32_t kMss = 500;
    for (const bool snap : {false, true}) {
        for (const bool vlan : {false, true}) {
            SCOPED_TRACE(snap);
            RingBench bench;
            TxDriver driver(bench);
            bench.set(CTRL_VME, 1);
            driver.enable();
            Packet p;
            p.header_bytes = kHeader;
            p.payload_bytes = kPayload;
            p.mss = kMss;
            p.vlan = vlan;
            Descriptor context = context_for(p);
            tx_context::IPCSS.put(context, 22);
            tx_context::IPCSO.put(context, 32);
            tx_context::IPCSE.put(context, 41);
            tx_context::TUCSS.put(context, 42);
            tx_context::TUCSO.put(context, 58);
            tx_context::SNAP.put(context, snap ? 1 : 0);
            Bytes whole(kHeader + kPayload, 0);
            put16(whole, 12, 0x0123);
            driver.post(context);
            driver.post(TxDriver::last(
                data_for(p, bench.put(whole), static_cast<std::uint32_t>(whole.size()))));
            driver.doorbell();
            bench.settle();
            ASSERT_EQ(bench.wire.sent.size(), 3u);
            const std::size_t at = vlan ? 16 : 12;
            for (std::size_t i = 0; i < 3; i++) {
                const std::uint32_t payload = i < 2 ? kMss : kPayload - 2 * kMss;
                const std::uint32_t length = snap ? kHeader - 14 + payload : 0x0123;
                const Bytes& sent = bench.wire.sent[i].bytes;
                EXPECT_EQ(sent[at] * 256u + sent[at + 1], length) << "segment " << i;
            }
        }
    }
}

TEST(Tso, AgreesWithTheReferenceHoweverThePacketIsCutIntoBuffers) {
    Prng prng(20);
    for (int round = 0; round < 60; round++) {
        RingBench bench;
        bench.dma.immediate = prng.below(4) == 0;
        TxDriver driver(bench, 256);
        bench.set(CTRL_VME, 1);
        bench.set(TXDCTL_GRAN, 1);
        bench.set(TXDCTL_PTHRESH, static_cast<std::uint32_t>(prng.below(32)));
        driver.enable();
        std::vector<Bytes> expected;
        std::uint32_t last = 0;
        for (std::uint64_t packets = 1 + prng.below(4); packets > 0; packets--) {
            Packet p;
            p.ipv4 = prng.below(2) == 0;
            p.tcp = prng.below(3) > 0;
            p.vlan = prng.below(2) == 0;
            p.header_bytes = p.l4() + (p.tcp ? 20 : 8) + static_cast<std::uint32_t>(prng.below(40));
            p.mss = 1 + static_cast<std::uint32_t>(prng.below(1500));
            const std::uint64_t segments = prng.below(30);
            p.payload_bytes = static_cast<std::uint32_t>(prng.below(1 + p.mss * segments));
            const Bytes whole = make_packet(p, prng);
            std::vector<std::uint32_t> cuts;
            std::uint32_t cut = 0;
            for (std::uint64_t n = prng.below(30); n > 0; n--) {
                cut += static_cast<std::uint32_t>(prng.below(whole.size() - cut + 1) / 4);
                cuts.push_back(cut);
            }
            last = post(bench, driver, p, whole, cuts);
            const std::vector<Bytes> more = reference(p, whole, true);
            expected.insert(expected.end(), more.begin(), more.end());
        }
        driver.doorbell();
        bench.settle();
        SCOPED_TRACE(round);
        expect_frames(bench, expected);
        ASSERT_TRUE(driver.done(last));
    }
}

TEST(Tso, KeepsOnlyWhatThePacketBufferHolds) {
    RingBench bench;
    bench.set(PBA_RXA, 36);  // 4 KB: two segments
    bench.reset();
    TxDriver driver(bench);
    driver.enable();
    Packet p;
    p.payload_bytes = 200'000;
    Prng prng(1);
    const Bytes whole = make_packet(p, prng);
    const std::uint32_t last = post(bench, driver, p, whole, {});
    driver.doorbell();
    bench.settle();
    expect_frames(bench, reference(p, whole, true));
    EXPECT_TRUE(driver.done(last));
    EXPECT_LE(bench.metric("tx.fifo_peak_bytes"), 4096u);
}

TEST(Tso, SegmentsWhatIsPresentWhenPaylenIsWrong) {
    for (const std::uint32_t paylen : {0u, 100u, 1'000'000u}) {
        RingBench bench;
        TxDriver driver(bench);
        driver.enable();
        Packet p;
        p.payload_bytes = 4000;
        Prng prng(1);
        const Bytes whole = make_packet(p, prng);
        Descriptor context = context_for(p);
        tx_context::PAYLEN.put(context, paylen);
        driver.post(context);
        driver.post(TxDriver::last(data_for(p, bench.put(whole), p.header_bytes + 4000)));
        driver.doorbell();
        bench.settle();
        expect_frames(bench, reference(p, whole, true));
    }
}

TEST(Tso, AContextStaysValidForTheNextPackets) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Packet p;
    p.payload_bytes = 2000;
    Prng prng(3);
    const Bytes first = make_packet(p, prng);
    const Bytes second = make_packet(p, prng);
    driver.post(context_for(p));
    for (const Bytes& whole : {first, second}) {
        driver.post(TxDriver::last(data_for(p, bench.put(whole), p.header_bytes + 2000)));
    }
    driver.doorbell();
    bench.settle();
    std::vector<Bytes> expected = reference(p, first, true);
    for (const Bytes& frame : reference(p, second, true)) expected.push_back(frame);
    expect_frames(bench, expected);
}

TEST(Tso, AContextBetweenTheBuffersOfAPacketIsForTheNextOne) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Packet p;
    p.payload_bytes = 200;
    Prng prng(4);
    const Bytes whole = make_packet(p, prng);
    const std::uint64_t address = bench.put(whole);
    Packet elsewhere = p;
    elsewhere.tcp = false;
    elsewhere.header_bytes = 42;
    for (const bool between : {false, true}) {
        driver.post(context_for(p));
        Descriptor first = data_for(p, address, 100);
        tx_data::TSE.put(first, 0);
        driver.post(first);
        if (between) driver.post(context_for(elsewhere));
        Descriptor last = data_for(p, address + 100, p.header_bytes + 100);
        tx_data::TSE.put(last, 0);
        driver.post(TxDriver::last(last));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(bench.wire.sent[1].bytes, bench.wire.sent[0].bytes);
}

/// The header of a packet that was given up may still be under way when the next one begins.
TEST(Tso, ALateHeaderOfAnAbandonedPacketDoesNotReachTheNextOne) {
    RingBench bench;
    TxDriver old_ring(bench);
    old_ring.enable();
    Packet p;
    p.payload_bytes = 2000;
    Prng prng(3);
    const Bytes whole = make_packet(p, prng);
    old_ring.post(context_for(p));
    old_ring.post(data_for(p, bench.put(Bytes(54, 0xee)), 54));
    old_ring.doorbell();
    bench.timeline.advance_by(nanoseconds(500));
    bench.dma.read_latency_ps = microseconds(10);
    bench.timeline.advance_by(nanoseconds(500));  // The header read takes 10 us.

    bench.dma.read_latency_ps = nanoseconds(600);
    bench.write(TDT, 0);
    TxDriver new_ring(bench);
    new_ring.post(context_for(p));
    new_ring.post(data_for(p, bench.put(Bytes(whole.begin(), whole.begin() + 54)), 54));
    new_ring.doorbell();
    bench.timeline.advance_by(microseconds(3));  // The new header is there, the old one is not.
    bench.dma.read_latency_ps = microseconds(30);
    new_ring.post(TxDriver::last(
        data_for(p, bench.put(Bytes(whole.begin() + 54, whole.end())), p.payload_bytes)));
    new_ring.doorbell();
    bench.settle();
    expect_frames(bench, reference(p, whole, true));
}

TEST(Tso, AHeaderAloneStartsWhenItIsInTheDevice) {
    QueueEngineParams params;
    params.tx_pipeline_cycles = 0;
    RingBench bench(params);
    TxDriver driver(bench);
    driver.enable();
    bench.dma.byte_ps = 1'000'000;
    Packet p;
    Prng prng(3);
    driver.post(context_for(p));
    driver.post(TxDriver::last(data_for(p, bench.put(make_packet(p, prng)), 54)));
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].start_ps, 2 * nanoseconds(600) + (32 + 54) * 1'000'000u);
}

/// U24: whether the context of one queue serves the other.
TEST(Tso, TheContextIsSharedByTheQueuesUnlessTheParameterSaysOtherwise) {
    for (const bool per_queue : {false, true}) {
        QueueEngineParams params;
        params.u24_tx_context_per_queue = per_queue;
        RingBench bench(params);
        TxDriver first(bench, 64, 0);
        TxDriver second(bench, 64, 1);
        first.enable();
        Packet p;
        p.payload_bytes = 2000;
        Prng prng(3);
        const Bytes whole = make_packet(p, prng);
        first.post(context_for(p));
        first.doorbell();
        bench.settle();
        second.post(TxDriver::last(data_for(p, bench.put(whole), p.header_bytes + 2000)));
        second.doorbell();
        bench.settle();
        if (per_queue) {
            EXPECT_TRUE(bench.wire.sent.empty()) << "queue 1 has no context: MSS 0 is a fault";
            EXPECT_EQ(bench.metric("tx.ring_faults"), 1u);
            EXPECT_EQ(bench.stats.value(Stat::kTSCTFC), 1u);
        } else {
            expect_frames(bench, reference(p, whole, true));
        }
    }
}

TEST(Tso, AnMssOfZeroOrBeyondAFrameStopsTheRing) {
    for (const std::uint32_t mss : {0u, 9725u, 65535u}) {
        RingBench bench;
        TxDriver driver(bench);
        driver.enable();
        Packet p;
        p.payload_bytes = 3000;
        p.mss = mss;
        Prng prng(3);
        const Bytes whole = make_packet(p, prng);
        post(bench, driver, p, whole, {});
        driver.doorbell();
        bench.settle();
        EXPECT_TRUE(bench.wire.sent.empty());
        EXPECT_EQ(bench.metric("tx.ring_faults"), 1u);
    }
}

TEST(Tso, CwrIsCopiedUnlessTheParameterKeepsItInTheFirstSegment) {
    for (const bool first_only : {false, true}) {
        QueueEngineParams params;
        params.u15_cwr_in_first_segment_only = first_only;
        RingBench bench(params);
        TxDriver driver(bench);
        driver.enable();
        Packet p;
        p.payload_bytes = 3000;
        Prng prng(3);
        Bytes whole = make_packet(p, prng);
        whole[p.l4() + 13] = 0x80 | 0x10 | 0x08 | 0x01;  // CWR, ACK, PSH, FIN
        post(bench, driver, p, whole, {});
        driver.doorbell();
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 3u);
        EXPECT_EQ(bench.wire.sent[0].bytes[p.l4() + 13], 0x90);
        EXPECT_EQ(bench.wire.sent[1].bytes[p.l4() + 13], first_only ? 0x10 : 0x90);
        EXPECT_EQ(bench.wire.sent[2].bytes[p.l4() + 13], first_only ? 0x19 : 0x99);
    }
}

// --- a wire that takes work off the NIC
// -----------------------------------------------------------

/// Finishes what was left to the wire, as its other side would.
Bytes finished(const FakeWire::Sent& sent) {
    Bytes bytes = sent.bytes;
    if (!sent.hints.checksum_unfinished) return bytes;
    const std::uint32_t start = sent.hints.checksum_start;
    put16(bytes, start + sent.hints.checksum_offset, ~plain_sum(bytes, start, bytes.size()));
    return bytes;
}

TEST(WireOffload, SegmentsOfATrainSayWhatTheyAreAndOnlyTheirTransportChecksumIsLeft) {
    for (const bool vlan : {false, true}) {
        for (const bool ipv4 : {true, false}) {
            Packet p;
            p.ipv4 = ipv4;
            p.vlan = vlan;
            p.header_bytes = ipv4 ? 54 : 74;
            p.payload_bytes = 4 * 1460 + 1;
            RingBench bench({}, {true, true, false});
            TxDriver driver(bench);
            bench.set(CTRL_VME, 1);
            driver.enable();
            Prng prng(5);
            const Bytes whole = make_packet(p, prng);
            for (std::uint32_t packet = 1; packet <= 2; packet++) {
                bench.wire.sent.clear();
                post(bench, driver, p, whole, {p.header_bytes});
                driver.doorbell();
                bench.settle();
                const std::vector<Bytes> expected = reference(p, whole, true);
                ASSERT_EQ(bench.wire.sent.size(), expected.size());
                const std::uint32_t tag = vlan ? 4 : 0;
                for (std::uint32_t i = 0; i < expected.size(); i++) {
                    const FakeWire::Sent& sent = bench.wire.sent[i];
                    ASSERT_TRUE(sent.hints.checksum_unfinished);
                    EXPECT_NE(sent.bytes, expected[i]) << "something is left to do";
                    EXPECT_EQ(finished(sent), expected[i]) << "segment " << i;
                    EXPECT_EQ(sent.hints.train, packet);
                    EXPECT_EQ(sent.hints.segment_index, i);
                    EXPECT_EQ(sent.hints.last_segment, i + 1 == expected.size());
                    EXPECT_EQ(sent.hints.segment_bytes, p.mss);
                    EXPECT_EQ(sent.hints.header_bytes, p.header_bytes + tag);
                    EXPECT_EQ(sent.hints.checksum_start, p.l4() + tag);
                    EXPECT_EQ(sent.hints.checksum_offset, 16);
                }
            }
        }
    }
}

TEST(WireOffload, UdpSegmentsAreNoTrainAndAWireThatOnlyFinishesChecksumsHearsOfNone) {
    for (const bool tcp : {false, true}) {
        Packet p;
        p.tcp = tcp;
        p.header_bytes = tcp ? 54 : 42;
        p.payload_bytes = 3000;
        RingBench bench({}, {true, !tcp, false});
        TxDriver driver(bench);
        driver.enable();
        Prng prng(6);
        const Bytes whole = make_packet(p, prng);
        post(bench, driver, p, whole, {p.header_bytes});
        driver.doorbell();
        bench.settle();
        const std::vector<Bytes> expected = reference(p, whole, true);
        ASSERT_EQ(bench.wire.sent.size(), expected.size());
        for (std::size_t i = 0; i < expected.size(); i++) {
            EXPECT_EQ(bench.wire.sent[i].hints.train, 0u);
            EXPECT_EQ(bench.wire.sent[i].hints.segment_bytes, 0u);
            EXPECT_EQ(finished(bench.wire.sent[i]), expected[i]);
        }
    }
}

TEST(WireOffload, AChecksumThatEndsBeforeThePacketIsDoneByTheNic) {
    for (const bool to_the_end : {false, true}) {
        RingBench bench({}, {true, true, true});
        TxDriver driver(bench);
        driver.enable();
        Packet p;
        p.payload_bytes = 100;
        Prng prng(7);
        const Bytes whole = make_packet(p, prng);
        Descriptor context = context_for(p);
        tx_context::TSE.put(context, 0);
        tx_context::TUCSE.put(context, to_the_end ? 153 : 152);
        driver.post(context);
        Descriptor d = data_for(p, bench.put(whole), 154);
        tx_data::TSE.put(d, 0);
        driver.post(TxDriver::last(d));
        driver.doorbell();
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 1u);
        const FakeWire::Sent& sent = bench.wire.sent[0];
        EXPECT_EQ(sent.hints.checksum_unfinished, to_the_end);
        const Bytes done = finished(sent);
        const std::uint32_t seed = plain_sum(whole, p.checksum_field(), p.checksum_field() + 2);
        Bytes sum_over = done;
        put16(sum_over, p.checksum_field(), seed);
        const std::uint32_t sum = plain_sum(sum_over, p.l4(), to_the_end ? 154 : 153);
        EXPECT_EQ(done[p.checksum_field()] * 256u + done[p.checksum_field() + 1], ~sum & 0xffff);
    }
}

TEST(WireOffload, OnAWireWithoutARateFramesTakeNoTimeAndKeepTheirOrder) {
    RingBench bench({}, {false, false, true});
    bench.dma.immediate = true;
    TxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 60; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(1500, i)), 1500));
    }
    driver.doorbell();
    ASSERT_EQ(bench.wire.sent.size(), 60u) << "within the doorbell";
    for (std::uint32_t i = 0; i < 60; i++) {
        EXPECT_EQ(bench.wire.sent[i].bytes, pattern(1500, i));
        EXPECT_EQ(bench.wire.sent[i].start_ps, bench.wire.sent[i].end_ps);
    }
    EXPECT_TRUE(driver.done(59));
}

// --- checksums without segmentation
// ---------------------------------------------------------------

TEST(TxChecksum, InsertsIpAndTcpChecksumsByContext) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Packet p;
    p.payload_bytes = 333;
    Prng prng(8);
    Bytes whole = make_packet(p, prng);
    // Without TSO the driver fills in lengths itself, the one of the pseudo-header too.
    put16(whole, kIp + 2, static_cast<std::uint32_t>(whole.size()) - kIp);
    const std::uint32_t seed = pseudo_sum(whole, p) + 20 + 333;
    put16(whole, p.checksum_field(), (seed & 0xffff) + (seed >> 16));
    Descriptor context = context_for(p);
    tx_context::TSE.put(context, 0);
    driver.post(context);
    Descriptor d = data_for(p, bench.put(whole), static_cast<std::uint32_t>(whole.size()));
    tx_data::TSE.put(d, 0);
    driver.post(TxDriver::last(d));
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    const Bytes& sent = bench.wire.sent[0].bytes;
    EXPECT_EQ(plain_sum(sent, kIp, kIp + 20), 0xffffu);
    const std::uint32_t sum = plain_sum(sent, p.l4(), sent.size()) + pseudo_sum(sent, p) + 353;
    EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
}

TEST(TxChecksum, InsertsTheChecksumOfALegacyDescriptor) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Bytes packet = pattern(101);
    put16(packet, 50, 0);
    Descriptor d = TxDriver::legacy(bench.put(packet), 101);
    tx_legacy::IC.put(d, 1);
    tx_legacy::CSS.put(d, 34);
    tx_legacy::CSO.put(d, 50);
    driver.post(d);
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(plain_sum(bench.wire.sent[0].bytes, 34, 101), 0xffffu);
}

TEST(TxChecksum, AUdpChecksumOfZeroIsSentByTheParameter) {
    for (const bool as_ffff : {true, false}) {
        QueueEngineParams params;
        params.u14_udp_zero_as_ffff = as_ffff;
        RingBench bench(params);
        TxDriver driver(bench);
        driver.enable();
        Packet p;
        p.tcp = false;
        p.header_bytes = 42;
        p.payload_bytes = 20;
        Bytes whole(62, 0);
        put16(whole, p.l4(), 0xffff);  // Everything else is 0: the sum is all ones.
        Descriptor context = context_for(p);
        driver.post(context);
        Descriptor d = data_for(p, bench.put(whole), 62);
        tx_data::TSE.put(d, 0);
        tx_data::IXSM.put(d, 0);
        driver.post(TxDriver::last(d));
        driver.doorbell();
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 1u);
        const Bytes& sent = bench.wire.sent[0].bytes;
        const std::uint32_t field = sent[p.checksum_field()] * 256u + sent[p.checksum_field() + 1];
        EXPECT_EQ(field, as_ffff ? 0xffffu : 0u);
    }
}

TEST(TxChecksum, ATcpChecksumOfZeroStaysZero) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Packet p;
    Bytes whole(74, 0);
    put16(whole, p.l4(), 0xffff);
    driver.post(context_for(p));
    Descriptor d = data_for(p, bench.put(whole), 74);
    tx_data::TSE.put(d, 0);
    tx_data::IXSM.put(d, 0);
    driver.post(TxDriver::last(d));
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    const Bytes& sent = bench.wire.sent[0].bytes;
    EXPECT_EQ(sent[p.checksum_field()] * 256u + sent[p.checksum_field() + 1], 0u);
}

TEST(TxChecksum, LeavesAPacketAloneWhenThePlaceIsOutsideIt) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    for (const auto& [css, cso] : {std::pair{34u, 99u}, std::pair{200u, 50u}}) {
        Descriptor d = TxDriver::legacy(bench.put(pattern(100)), 100);
        tx_legacy::IC.put(d, 1);
        tx_legacy::CSS.put(d, css);
        tx_legacy::CSO.put(d, cso);
        driver.post(d);
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(bench.wire.sent[0].bytes, pattern(100));
    EXPECT_EQ(bench.wire.sent[1].bytes, pattern(100));
    EXPECT_EQ(bench.metric("tx.checksum_skipped_frames"), 2u);
}

}  // namespace
}  // namespace doorbell::test
