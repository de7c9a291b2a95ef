#include <gtest/gtest.h>

#include <array>

#include "hw/base/prng.hpp"
#include "hw/rings/test_support/arriving.hpp"

/// Packet split descriptors: 32 bytes, a header buffer and three for data (specification 5.8).
namespace doorbell::test {
namespace {

using namespace regs::i82574l;
using SplitDescriptor = regs::Descriptor<4>;

/// A driver with packet split descriptors, as Linux sets them up for a large MTU: buffers by
/// PSRCTL, the tail counted in units of 16 bytes.
class SplitDriver {
public:
    static constexpr std::uint64_t kUnused = ~std::uint64_t{0};

    explicit SplitDriver(RingBench& bench,
                         std::array<std::uint32_t, 4> sizes = {256, 4096, 4096, 0},
                         std::uint32_t count = 32)
        : bench_(bench), sizes_(sizes), count_(count) {
        base_ = bench.allocate(count * 32, 128);
        for (std::uint32_t i = 0; i < count; i++) {
            std::array<std::uint64_t, 4> buffers{};
            for (std::uint32_t b = 0; b < 4; b++) {
                buffers[b] = sizes[b] > 0 ? bench.allocate(sizes[b], 16) : kUnused;
            }
            buffers_.push_back(buffers);
        }
        bench.write(RDBAL, static_cast<std::uint32_t>(base_));
        bench.write(RDBAH, static_cast<std::uint32_t>(base_ >> 32));
        bench.write(RDLEN, count * 32);
        bench.write(RDH, 0);
        bench.write(RDT, 0);
        bench.write(PSRCTL, sizes[0] / 128 | sizes[1] / 1024 << 8 | sizes[2] / 1024 << 16 |
                                sizes[3] / 1024 << 24);
        bench.set(RFCTL_EXTEN, 1);
        bench.set(RCTL_DTYP, 1);
        bench.set(RCTL_LPE, 1);
        bench.set(RCTL_UPE, 1);
        bench.set(RCTL_SECRC, 1);
    }
    void enable() { bench_.set(RCTL_EN, 1); }
    void fill(std::uint32_t count) {
        for (; count > 0; count--) post(buffers_[tail_]);
        doorbell();
    }
    void post(const std::array<std::uint64_t, 4>& buffers) {
        SplitDescriptor d;
        for (std::uint32_t b = 0; b < 4; b++) d.words[b] = buffers[b];
        d.store(bench_.dma.at(base_ + tail_ * 32));
        tail_ = (tail_ + 1) % count_;
    }
    void doorbell() { bench_.write(RDT, tail_ * 2); }
    [[nodiscard]] const std::array<std::uint64_t, 4>& buffers(std::uint32_t i) const {
        return buffers_[i];
    }

    struct Received {
        SplitDescriptor descriptor;
        std::array<Bytes, 4> parts;
        [[nodiscard]] Bytes all() const {
            Bytes bytes;
            for (const Bytes& part : parts) bytes.insert(bytes.end(), part.begin(), part.end());
            return bytes;
        }
        [[nodiscard]] std::uint64_t get(const regs::DescriptorField<4>& field) const {
            return field.get(descriptor);
        }
    };
    [[nodiscard]] bool ready() const {
        return rx_split::DD.get(SplitDescriptor::load(bench_.dma.at(base_ + next_ * 32))) != 0;
    }
    Received take() {
        EXPECT_TRUE(ready()) << "descriptor " << next_ << " is not done";
        Received received;
        received.descriptor = SplitDescriptor::load(bench_.dma.at(base_ + next_ * 32));
        const regs::DescriptorField<4>* lengths[] = {&rx_split::LENGTH0, &rx_split::LENGTH1,
                                                     &rx_split::LENGTH2, &rx_split::LENGTH3};
        for (std::uint32_t b = 0; b < 4; b++) {
            const std::uint64_t length = lengths[b]->get(received.descriptor);
            EXPECT_LE(length, sizes_[b]) << "stored beyond buffer " << b;
            if (length == 0) continue;
            const std::uint8_t* start = bench_.dma.at(buffers_[next_][b]);
            received.parts[b].assign(start, start + length);
        }
        SplitDescriptor().store(bench_.dma.at(base_ + next_ * 32));
        next_ = (next_ + 1) % count_;
        return received;
    }

private:
    RingBench& bench_;
    std::array<std::uint32_t, 4> sizes_;
    std::uint32_t count_;
    std::vector<std::array<std::uint64_t, 4>> buffers_;
    std::uint64_t base_ = 0;
    std::uint32_t tail_ = 0;
    std::uint32_t next_ = 0;
};

/// An IPv4 packet in a frame of `bytes` (without FCS); TCP has a header of 32 bytes.
Bytes ipv4_frame(std::uint32_t bytes, std::uint8_t protocol, std::uint8_t fragment = 0) {
    Bytes f = pattern(bytes);
    const std::uint32_t length = bytes - 14;
    const Bytes head = {0x02,
                        0,
                        0,
                        0,
                        0,
                        1,
                        2,
                        0,
                        0,
                        0,
                        0,
                        2,
                        0x08,
                        0x00,
                        0x45,
                        0,
                        static_cast<std::uint8_t>(length >> 8),
                        static_cast<std::uint8_t>(length),
                        0x12,
                        0x34,
                        fragment,
                        0,
                        64,
                        protocol,
                        0,
                        0,
                        10,
                        0,
                        0,
                        1,
                        10,
                        0,
                        0,
                        2};
    std::copy(head.begin(), head.end(), f.begin());
    f[34 + 12] = 0x80;
    return f;
}

Bytes slice(const Bytes& bytes, std::size_t from, std::size_t to) {
    return Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(from),
                 bytes.begin() + static_cast<std::ptrdiff_t>(std::min(to, bytes.size())));
}

TEST(PacketSplit, PutsTheHeadersOfTcpIntoTheirBufferAndTheRestBehind) {
    RingBench bench;
    EventRecorder events;
    bench.hub.attach(events);
    SplitDriver driver(bench);
    driver.enable();
    driver.fill(8);
    bench.settle();
    const Bytes sent = ipv4_frame(9000, 6);
    arrive_bytes(bench, sent);
    bench.settle();
    const SplitDriver::Received received = driver.take();
    EXPECT_EQ(received.parts[0], slice(sent, 0, 66)) << "14 + 20 + 32";
    EXPECT_EQ(received.parts[1], slice(sent, 66, 66 + 4096));
    EXPECT_EQ(received.parts[2], slice(sent, 66 + 4096, 66 + 8192));
    EXPECT_EQ(received.get(rx_split::HDRSP), 1u);
    EXPECT_EQ(received.get(rx_split::HDRLEN), 66u);
    EXPECT_EQ(received.get(rx_split::EOP), 0u) << "746 bytes are left";
    const SplitDriver::Received rest = driver.take();
    EXPECT_TRUE(rest.parts[0].empty()) << "what continues leaves the header buffer empty";
    EXPECT_EQ(rest.parts[1], slice(sent, 66 + 8192, 9000));
    EXPECT_EQ(rest.get(rx_split::EOP), 1u);
    EXPECT_EQ(rest.get(rx_split::HDRSP), 0u);
    EXPECT_EQ(rest.get(rx_split::PKTTYPE), rx_extended::PKTTYPE_IPV4_L4);
    EXPECT_EQ(bench.read(RDH), 4u) << "two units of 16 bytes each";
    EXPECT_EQ(bench.causes.rx_frames[0], 1u);
    ASSERT_EQ(events.of(EventType::kFrameStored).size(), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kGPRC), 1u);
}

TEST(PacketSplit, SplitsWhereTheSpecificationSays) {
    struct Case {
        const char* what;
        Bytes frame;
        std::uint32_t header;  ///< 0: no split
        bool fragments_whole;  ///< RFCTL.IPFRSP_DIS
    };
    Bytes arp = pattern(60);
    arp[0] = 2;
    arp[12] = 0x08;
    arp[13] = 0x06;
    Bytes long_options = ipv4_frame(600, 6);
    long_options[14] = 0x4f;            // 60 bytes of IP header
    long_options[14 + 60 + 12] = 0xf0;  // and 60 of TCP
    for (const Case& c :
         {Case{"TCP", ipv4_frame(600, 6), 66, false}, Case{"UDP", ipv4_frame(600, 17), 42, false},
          Case{"ICMP", ipv4_frame(600, 1), 34, false},
          Case{"fragment", ipv4_frame(600, 6, 0x20), 34, false},
          Case{"fragment, IPFRSP_DIS", ipv4_frame(600, 6, 0x20), 0, true},
          Case{"ARP", arp, 0, false}, Case{"134 bytes of headers", long_options, 0, false}}) {
        SCOPED_TRACE(c.what);
        RingBench bench;
        SplitDriver driver(bench, {128, 2048, 0, 0});
        bench.set(RFCTL_IPFRSP_DIS, c.fragments_whole ? 1 : 0);
        driver.enable();
        driver.fill(4);
        bench.settle();
        arrive_bytes(bench, c.frame);
        bench.settle();
        const SplitDriver::Received received = driver.take();
        const std::uint32_t first = c.header > 0 ? c.header : 128;
        EXPECT_EQ(received.parts[0], slice(c.frame, 0, first)) << "unsplit fills buffer 0, then 1";
        EXPECT_EQ(received.all(), c.frame);
        EXPECT_EQ(received.get(rx_split::HDRSP), c.header > 0 ? 1u : 0u);
        EXPECT_EQ(received.get(rx_split::HDRLEN), c.header);
        EXPECT_EQ(received.get(rx_split::EOP), 1u);
    }
}

TEST(PacketSplit, TheTagBelongsToTheHeaderUnlessItIsStripped) {
    for (const bool strip : {false, true}) {
        RingBench bench;
        SplitDriver driver(bench);
        bench.write(VET, 0x8100);
        bench.set(CTRL_VME, strip ? 1 : 0);
        driver.enable();
        driver.fill(4);
        Bytes sent = ipv4_frame(200, 17);
        sent.insert(sent.begin() + 12, {0x81, 0x00, 0x00, 0x05});
        arrive_bytes(bench, sent);
        bench.settle();
        const SplitDriver::Received received = driver.take();
        EXPECT_EQ(received.parts[0].size(), strip ? 42u : 46u);
        EXPECT_EQ(received.get(rx_split::VP), strip ? 1u : 0u);
        EXPECT_EQ(received.get(rx_split::VLAN), strip ? 5u : 0u);
        if (strip) sent.erase(sent.begin() + 12, sent.begin() + 16);
        EXPECT_EQ(received.all(), sent);
    }
}

TEST(PacketSplit, KeepsEveryFrameWhileRingAndStoreWrap) {
    for (const std::uint32_t seed : {5u, 6u}) {
        RingBench bench;
        SplitDriver driver(bench, {256, 1024, 1024, 1024}, 20);
        bench.set(RXDCTL_GRAN, 1);
        bench.set(RXDCTL_PTHRESH, 8);
        bench.set(RXDCTL_HTHRESH, 2);
        driver.enable();
        driver.fill(19);
        Prng prng(seed);
        std::vector<Bytes> sent;
        std::size_t taken = 0;
        const auto drain = [&] {
            Bytes frame;
            while (driver.ready()) {
                const SplitDriver::Received part = driver.take();
                const Bytes bytes = part.all();
                frame.insert(frame.end(), bytes.begin(), bytes.end());
                driver.fill(1);
                if (part.get(rx_split::EOP) == 0) {
                    while (!driver.ready()) bench.settle();
                    continue;
                }
                ASSERT_EQ(frame, sent[taken]) << taken;
                taken++;
                frame.clear();
            }
        };
        for (std::uint32_t i = 0; i < 1000; i++) {
            const std::uint8_t protocol = prng.below(2) == 0 ? 6 : 1;
            sent.push_back(
                ipv4_frame(100 + static_cast<std::uint32_t>(prng.below(6000)), protocol));
            arrive_bytes(bench, sent.back());
            bench.timeline.advance_by(nanoseconds(prng.below(60'000)));
            drain();
        }
        bench.settle();
        drain();
        EXPECT_EQ(taken + bench.stats.value(Stat::kMPC), sent.size());
        EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u);
    }
}

TEST(PacketSplit, WaitsForAWholeDescriptor) {
    RingBench bench;
    SplitDriver driver(bench);
    driver.enable();
    driver.post(driver.buffers(0));
    bench.write(RDT, 1);  // half of it
    bench.settle();
    const Bytes sent = ipv4_frame(300, 6);
    arrive_bytes(bench, sent);
    bench.settle();
    EXPECT_FALSE(driver.ready());
    EXPECT_EQ(bench.stats.value(Stat::kRNBC), 1u);
    bench.write(RDT, 2);
    bench.settle();
    ASSERT_TRUE(driver.ready());
    EXPECT_EQ(driver.take().all(), sent);
}

TEST(PacketSplit, ADescriptorMayLieAroundTheEndOfTheRing) {
    RingBench bench;
    SplitDriver driver(bench, {256, 4096, 4096, 0}, 4);
    const std::uint64_t base = bench.read(RDBAL) | std::uint64_t{bench.read(RDBAH)} << 32;
    bench.write(RDH, 7);  // of 8 units of 16 bytes
    bench.write(RDT, 7);
    const std::array<std::uint64_t, 4>& buffers = driver.buffers(0);
    SplitDescriptor d;
    for (std::uint32_t b = 0; b < 4; b++) d.words[b] = buffers[b];
    std::array<std::uint8_t, 32> bytes{};
    d.store(bytes.data());
    std::memcpy(bench.dma.at(base + 7 * 16), bytes.data(), 16);
    std::memcpy(bench.dma.at(base), bytes.data() + 16, 16);
    driver.enable();
    bench.write(RDT, 1);
    const Bytes sent = ipv4_frame(300, 6);
    arrive_bytes(bench, sent);
    bench.settle();
    std::memcpy(bytes.data(), bench.dma.at(base + 7 * 16), 16);
    std::memcpy(bytes.data() + 16, bench.dma.at(base), 16);
    const SplitDescriptor done = SplitDescriptor::load(bytes.data());
    EXPECT_EQ(rx_split::DD.get(done), 1u);
    EXPECT_EQ(rx_split::LENGTH0.get(done), 66u);
    EXPECT_EQ(rx_split::LENGTH1.get(done), 234u);
    EXPECT_EQ(bench.read(RDH), 1u);
    EXPECT_EQ(bench.causes.rx_frames[0], 1u);
    EXPECT_EQ(bench.dma.write_backs, (std::vector<std::uint64_t>{base, base + 7 * 16}))
        << "DD is in the first half: whoever sees it finds the other";
}

TEST(PacketSplit, AFormatThatChangesOnTheWayTearsNoDescriptorApart) {
    // One legacy descriptor makes all that follow begin at odd places of the on-chip store.
    RingBench bench;
    RxDriver legacy(bench, 128);
    legacy.enable();
    legacy.fill(1);
    const Bytes first = arrive(bench, 100);
    bench.settle();
    EXPECT_EQ(legacy.take().bytes, first);
    bench.write(PSRCTL, 0x00000402);
    bench.set(RFCTL_EXTEN, 1);
    bench.set(RCTL_DTYP, 1);
    const std::uint64_t base = bench.read(RDBAL) | std::uint64_t{bench.read(RDBAH)} << 32;
    for (std::uint32_t i = 1; i + 1 < 127; i += 2) {
        SplitDescriptor d;
        for (std::uint32_t b = 0; b < 2; b++) d.words[b] = bench.allocate(4096, 16);
        d.words[2] = d.words[3] = SplitDriver::kUnused;
        d.store(bench.dma.at(base + i * 16));
    }
    bench.write(RDT, 127);
    bench.settle();
    bench.dma.write_backs.clear();
    for (std::uint32_t i = 1; i + 1 < 127; i += 2) {
        arrive_bytes(bench, ipv4_frame(300, 6));
        bench.settle();
        EXPECT_EQ(bench.dma.write_backs.back(), base + i * 16) << "the first half comes last";
        const SplitDescriptor done = SplitDescriptor::load(bench.dma.at(base + i * 16));
        EXPECT_EQ(rx_split::DD.get(done), 1u);
        EXPECT_EQ(rx_split::LENGTH1.get(done), 234u);
    }
    EXPECT_EQ(bench.dma.write_backs.size(), 63u + 1u) << "one lies around the store's end";
    EXPECT_EQ(bench.causes.rx_frames[0], 64u);
}

TEST(PacketSplit, WritesBackByWthreshInDescriptorsOfThisKind) {
    RingBench bench;
    SplitDriver driver(bench);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_WTHRESH, 4);
    driver.enable();
    driver.fill(16);
    bench.settle();
    for (std::uint32_t i = 0; i < 3; i++) arrive_bytes(bench, ipv4_frame(300, 6));
    bench.settle();
    EXPECT_FALSE(driver.ready());
    arrive_bytes(bench, ipv4_frame(300, 6));
    bench.settle();
    EXPECT_TRUE(driver.ready());
    EXPECT_EQ(bench.causes.rx_frames[0], 4u);
}

TEST(PacketSplit, ReportsTheHashAndTheLegacyChecksumsAtTheEndOfTheFrame) {
    RingBench bench;
    SplitDriver driver(bench, {128, 1024, 0, 0});
    bench.set(MRQC_IPV4, 1);
    bench.set(RXCSUM_PCSD, 1);
    bench.write(RSSRK, 0xda565a6d, 0);  // the first bytes of the public verification key
    bench.write(RSSRK, 0xc20e5b25, 1);
    bench.write(RSSRK, 0x3d256741, 2);
    driver.enable();
    driver.fill(8);
    Bytes sent = ipv4_frame(1800, 6);
    const Bytes addresses = {66, 9, 149, 187, 161, 142, 100, 80};
    std::copy(addresses.begin(), addresses.end(), sent.begin() + 26);
    arrive_bytes(bench, sent);
    bench.settle();
    const SplitDriver::Received first = driver.take();
    const SplitDriver::Received last = driver.take();
    EXPECT_EQ(first.get(rx_split::RSS_HASH), 0u);
    EXPECT_EQ(first.get(rx_split::PKTTYPE), 0u);
    EXPECT_EQ(last.get(rx_split::RSS_HASH), 0x323e8fc2u);
    EXPECT_EQ(last.get(rx_split::RSS_TYPE), rx_extended::RSS_TYPE_IPV4);
}

TEST(PacketSplit, AMistakeOfTheDriverStopsTheRing) {
    enum class What { kNoHeaderSize, kNoDataSize, kNullBuffer, kUnusedIsNeeded };
    for (const What what :
         {What::kNoHeaderSize, What::kNoDataSize, What::kNullBuffer, What::kUnusedIsNeeded}) {
        RingBench bench;
        SplitDriver driver(bench);
        if (what == What::kNoHeaderSize) bench.set(PSRCTL_BSIZE0, 0);
        if (what == What::kNoDataSize) bench.set(PSRCTL_BSIZE1, 0);
        driver.enable();
        std::array<std::uint64_t, 4> buffers = driver.buffers(0);
        if (what == What::kNullBuffer) buffers[1] = 0;
        if (what == What::kUnusedIsNeeded) buffers[2] = SplitDriver::kUnused;
        driver.post(buffers);
        driver.doorbell();
        arrive_bytes(bench, ipv4_frame(6000, 6));
        bench.settle();
        // A posted write has no answer: that a buffer was not there is known too late for its own.
        EXPECT_EQ(driver.ready(), what == What::kUnusedIsNeeded);
        EXPECT_EQ(bench.metric("rx.ring_faults"), 1u);
        bench.reset();
        RxDriver fresh(bench);
        fresh.enable();
        fresh.fill(4);
        const Bytes sent = arrive(bench, 100);
        bench.settle();
        EXPECT_EQ(fresh.take().bytes, sent) << "a reset recovers";
    }
}

TEST(PacketSplit, ANarrowerHeaderBufferIsNeverOverrun) {
    RingBench bench;
    SplitDriver driver(bench);
    driver.enable();
    const Bytes sent = ipv4_frame(600, 6);
    arrive_bytes(bench, sent);  // split at 66, and waits
    bench.set(PSRCTL_BSIZE0, 0);
    bench.write(PSRCTL, 0x00000401);  // 128 bytes now; still fits
    driver.fill(2);
    bench.settle();
    EXPECT_EQ(driver.take().all(), sent);
}

}  // namespace
}  // namespace doorbell::test
