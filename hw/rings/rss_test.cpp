#include <gtest/gtest.h>

#include "hw/rings/test_support/arriving.hpp"

/// RSS through registers, rings and descriptors (specification 7.4). The hashes are those of the
/// public verification suite of receive side scaling.
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

constexpr std::uint32_t kKey[] = {0xda565a6d, 0xc20e5b25, 0x3d256741, 0xb08fa343, 0xcb2bcad0,
                                  0xb4307bae, 0xa32dcb77, 0x0cf23080, 0x3bb7426a, 0xfa01acbe};
constexpr std::uint32_t kTcpHash = 0x51ccc178;   // 66.9.149.187:2794 to 161.142.100.80:1766
constexpr std::uint32_t kIpv4Hash = 0x323e8fc2;  // the same without ports

Bytes suite_frame(std::uint8_t protocol = 6) {
    Bytes f = {0x02, 0,    0,   0,   0,   1,   2,   0,  0,    0,    0,        2,   0x08,
               0x00, 0x45, 0,   0,   46,  0,   1,   0,  0,    64,   protocol, 0,   0,
               66,   9,    149, 187, 161, 142, 100, 80, 0x0a, 0xea, 0x06,     0xe6};
    f.resize(60, 0);
    f[46] = 0x50;
    return f;
}

class RssBench : public RingBench {
public:
    explicit RssBench(const QueueEngineParams& params = {}) : RingBench(params) {
        for (std::uint32_t i = 0; i < 10; i++) write(RSSRK, kKey[i], i);
        set(RFCTL_EXTEN, 1);
        set(RXCSUM_PCSD, 1);
        write(MRQC, MRQC_MRQE_RSS | MRQC_TCPIPV4.mask() | MRQC_IPV4.mask());
    }
    /// All entries of RETA to queue 0, the one of `hash` to queue 1.
    void steer(std::uint32_t hash) {
        const std::uint32_t entry = hash & 0x7f;
        write(RETA, 0x80u << 8 * (entry % 4), entry / 4);
    }
};

/// A receive ring of queue 1: `RxDriver` is that of queue 0.
class SecondRing {
public:
    explicit SecondRing(RingBench& bench) : bench_(bench), base_(bench.allocate(8 * 16, 128)) {
        bench.write(RDBAL, static_cast<std::uint32_t>(base_), 1);
        bench.write(RDBAH, static_cast<std::uint32_t>(base_ >> 32), 1);
        bench.write(RDLEN, 8 * 16, 1);
        bench.write(RDH, 0, 1);
        for (std::uint32_t i = 0; i < 4; i++) {
            Descriptor d;
            d.words[0] = bench.allocate(2048);
            d.store(bench.dma.at(base_ + i * 16));
        }
        bench.write(RDT, 4, 1);
    }
    [[nodiscard]] Descriptor descriptor(std::uint32_t i) const {
        return Descriptor::load(bench_.dma.at(base_ + i * 16));
    }

private:
    RingBench& bench_;
    std::uint64_t base_;
};

TEST(Rss, ReportsTypeHashAndQueueAndUsesBothRings) {
    RssBench bench;
    bench.steer(kTcpHash);
    RxDriver first(bench);
    SecondRing second(bench);
    first.enable();
    first.fill(8);
    bench.settle();
    arrive_bytes(bench, suite_frame());
    arrive_bytes(bench, suite_frame(17));
    bench.settle();
    const Descriptor tcp = second.descriptor(0);
    EXPECT_EQ(rx_extended::DD.get(tcp), 1u);
    EXPECT_EQ(rx_extended::RSS_TYPE.get(tcp), rx_extended::RSS_TYPE_TCP_IPV4);
    EXPECT_EQ(rx_extended::RSS_HASH.get(tcp), kTcpHash);
    EXPECT_EQ(rx_extended::QUEUE.get(tcp), 1u);
    const Descriptor udp = first.take(true).descriptor;
    EXPECT_EQ(rx_extended::RSS_TYPE.get(udp), rx_extended::RSS_TYPE_IPV4);
    EXPECT_EQ(rx_extended::RSS_HASH.get(udp), kIpv4Hash);
    EXPECT_EQ(rx_extended::QUEUE.get(udp), 0u);
    EXPECT_EQ(bench.causes.rx_frames[0], 1u);
    EXPECT_EQ(bench.causes.rx_frames[1], 1u);
    EXPECT_EQ(bench.read(RDH, 1), 1u);
}

TEST(Rss, U5HashesWithoutMrqeButNeverSteers) {
    for (const bool u5 : {true, false}) {
        QueueEngineParams params;
        params.u5_hash_without_mrqe = u5;
        RssBench bench(params);
        bench.set(MRQC_MRQE, MRQC_MRQE_NONE);
        bench.steer(kTcpHash);
        RxDriver driver(bench);
        driver.enable();
        driver.fill(8);
        arrive_bytes(bench, suite_frame());
        bench.settle();
        const Descriptor d = driver.take(true).descriptor;
        EXPECT_EQ(rx_extended::RSS_HASH.get(d), u5 ? kTcpHash : 0u);
        EXPECT_EQ(rx_extended::RSS_TYPE.get(d), u5 ? rx_extended::RSS_TYPE_TCP_IPV4 : 0u);
        EXPECT_EQ(rx_extended::QUEUE.get(d), 0u);
    }
}

TEST(Rss, NeedsRoomForTheHashInTheDescriptor) {
    for (const bool legacy : {true, false}) {
        RssBench bench;
        bench.steer(kTcpHash);
        if (legacy) bench.set(RFCTL_EXTEN, 0);
        if (!legacy) bench.set(RXCSUM_PCSD, 0);
        RxDriver driver(bench);
        driver.enable();
        driver.fill(8);
        arrive_bytes(bench, suite_frame());
        bench.settle();
        const Descriptor d = driver.take(!legacy).descriptor;
        if (legacy) continue;
        EXPECT_EQ(rx_extended::RSS_TYPE.get(d), 0u);
        EXPECT_EQ(rx_extended::IP_ID.get(d), 1u) << "with PCSD 0 the identification is there";
    }
}

TEST(Rss, ABadFrameIsNotHashed) {
    RssBench bench;
    bench.steer(kTcpHash);
    bench.set(RCTL_SBP, 1);
    RxDriver driver(bench);
    driver.enable();
    driver.fill(8);
    FramePtr frame = bench.frames.take();
    const Bytes bytes = suite_frame();
    frame->resize(60);
    std::copy(bytes.begin(), bytes.end(), frame->data());
    frame->pin_fcs(frame->fcs() ^ 1);
    bench.engine.receive(std::move(frame), 0, 0);
    bench.settle();
    const Descriptor d = driver.take(true).descriptor;
    EXPECT_EQ(rx_extended::CE.get(d), 1u);
    EXPECT_EQ(rx_extended::RSS_TYPE.get(d), 0u);
    EXPECT_EQ(rx_extended::QUEUE.get(d), 0u);
}

TEST(Rss, U20Bit21IsTheSwitchOfTcpOverIpv6OrStorage) {
    for (const bool u20 : {true, false}) {
        QueueEngineParams params;
        params.u20_tcp_ipv6_in_bit_21 = u20;
        RssBench bench(params);
        bench.write(MRQC, MRQC_MRQE_RSS | 1u << 21);
        EXPECT_EQ(bench.read(MRQC), MRQC_MRQE_RSS | 1u << 21);
        RxDriver driver(bench);
        driver.enable();
        driver.fill(8);
        Bytes f(14 + 40 + 20, 0);
        f[0] = 2;
        f[12] = 0x86;
        f[13] = 0xdd;
        f[14] = 0x60;
        f[19] = 20;
        f[20] = 6;
        f[14 + 40 + 12] = 0x50;
        arrive_bytes(bench, f);
        bench.settle();
        EXPECT_EQ(rx_extended::RSS_TYPE.get(driver.take(true).descriptor),
                  u20 ? rx_extended::RSS_TYPE_TCP_IPV6 : 0u);
    }
}

TEST(Rss, KeyAndTableStayOverASoftwareReset) {
    RssBench bench;
    bench.steer(kTcpHash);
    bench.reset();
    bench.set(RFCTL_EXTEN, 1);
    bench.set(RXCSUM_PCSD, 1);
    bench.write(MRQC, MRQC_MRQE_RSS | MRQC_TCPIPV4.mask());
    SecondRing second(bench);
    bench.set(RCTL_UPE, 1);
    bench.set(RCTL_EN, 1);
    arrive_bytes(bench, suite_frame());
    bench.settle();
    EXPECT_EQ(rx_extended::RSS_HASH.get(second.descriptor(0)), kTcpHash) << "U22";
}

}  // namespace
}  // namespace doorbell::test
