#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "hw/rings/test_support/arriving.hpp"

/// What each kind of arriving frame counts, and nothing else: the whole of the statistics block is
/// read as a driver reads it (specification 2.7, offsets typed from there).
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

using Counts = std::map<std::uint32_t, std::uint32_t>;  // by offset

constexpr std::uint32_t kFirst = 0x4000;
constexpr std::uint32_t kLast = 0x4124;

enum Offset : std::uint32_t {
    kCrcerrs = 0x4000,
    kMpc = 0x4010,
    kRlec = 0x4040,
    kXonrxc = 0x4048,
    kXoffrxc = 0x4050,
    kFcruc = 0x4058,
    kPrc64 = 0x405C,
    kPrc127 = 0x4060,
    kPrc1522 = 0x4070,
    kGprc = 0x4074,
    kBprc = 0x4078,
    kMprc = 0x407C,
    kGorcl = 0x4088,
    kGorch = 0x408C,
    kRnbc = 0x40A0,
    kRuc = 0x40A4,
    kRfc = 0x40A8,
    kRoc = 0x40AC,
    kRjc = 0x40B0,
    kTorl = 0x40C0,
    kTorh = 0x40C4,
    kTpr = 0x40D0,
};

class RxStatistics : public testing::Test {
protected:
    RxStatistics() : driver(bench) {
        bench.write(RAL, 0x44332202);  // 02:22:33:44:55:66
        bench.write(RAH, 0x80006655);
        bench.write(FCAL, 0x00C28001);
        bench.write(FCAH, 0x00000100);
        bench.write(FCT, 0x8808);
        bench.set(RCTL_SECRC, 1);
        bench.set(RCTL_BAM, 1);
        bench.set(RCTL_EN, 1);
    }
    /// Reads everything, as drivers do: LOW before HIGH. What is 0 is left out.
    Counts read_all() {
        Counts counts;
        for (std::uint32_t offset = kFirst; offset <= kLast; offset += 4) {
            const std::uint32_t value = bench.registers.bus_read(offset);
            if (value != 0) counts[offset] = value;
        }
        return counts;
    }
    void frame(std::uint32_t wire_bytes, const Bytes& destination, bool fcs_good = true,
               std::uint16_t type = 0x88B5, const Bytes& content = {}) {
        FramePtr f = bench.frames.take();
        f->resize(wire_bytes - 4);
        std::fill(f->data(), f->data() + f->size_bytes(), std::uint8_t{0});
        const std::size_t address = std::min<std::size_t>(6, f->size_bytes());
        std::copy(destination.begin(), destination.begin() + static_cast<std::ptrdiff_t>(address),
                  f->data());
        if (f->size_bytes() >= 14) store_be16(f->data() + 12, type);
        std::copy(content.begin(), content.end(), f->data() + 14);
        if (!fcs_good) f->pin_fcs(f->fcs() ^ 0x10);
        bench.engine.receive(std::move(f), bench.timeline.now_ps(), bench.timeline.now_ps());
        bench.settle();
    }

    RingBench bench;
    RxDriver driver;
    const Bytes us = {0x02, 0x22, 0x33, 0x44, 0x55, 0x66};
    const Bytes stranger = {0x02, 0x99, 0x33, 0x44, 0x55, 0x66};
    const Bytes group = {0x01, 0x00, 0x5E, 0x00, 0x00, 0x01};
    const Bytes everybody = Bytes(6, 0xFF);
    const Bytes mac_control = {0x01, 0x80, 0xC2, 0x00, 0x00, 0x01};
};

TEST_F(RxStatistics, EachKindOfFrameCountsWhatTheSpecificationSaysAndNothingElse) {
    driver.fill(32);
    bench.settle();
    struct Kind {
        const char* what;
        std::function<void()> arrives;
        Counts expected;
    };
    const Kind kinds[] = {
        {"good, 64 bytes",
         [&] { frame(64, us); },
         {{kPrc64, 1}, {kGprc, 1}, {kGorcl, 64}, {kTorl, 64}, {kTpr, 1}}},
        {"good, 1518 bytes",
         [&] { frame(1518, us); },
         {{kPrc1522, 1}, {kGprc, 1}, {kGorcl, 1518}, {kTorl, 1518}, {kTpr, 1}}},
        {"broadcast",
         [&] { frame(100, everybody); },
         {{kPrc127, 1}, {kGprc, 1}, {kBprc, 1}, {kGorcl, 100}, {kTorl, 100}, {kTpr, 1}}},
        {"multicast that passes",
         [&] {
             bench.set(RCTL_MPE, 1);
             frame(100, group);
             bench.set(RCTL_MPE, 0);
         },
         {{kPrc127, 1}, {kGprc, 1}, {kMprc, 1}, {kGorcl, 100}, {kTorl, 100}, {kTpr, 1}}},
        {"multicast that does not", [&] { frame(100, group); }, {{kTorl, 100}, {kTpr, 1}}},
        {"for somebody else", [&] { frame(100, stranger); }, {{kTorl, 100}, {kTpr, 1}}},
        {"undersize", [&] { frame(63, us); }, {{kRuc, 1}, {kRlec, 1}, {kTorl, 63}, {kTpr, 1}}},
        {"undersize for somebody else",
         [&] { frame(63, stranger); },
         {{kRuc, 1}, {kTorl, 63}, {kTpr, 1}}},
        {"fragment", [&] { frame(63, us, false); }, {{kRfc, 1}, {kTorl, 63}, {kTpr, 1}}},
        {"ten bytes", [&] { frame(10, us, false); }, {{kRfc, 1}, {kTorl, 10}, {kTpr, 1}}},
        {"oversize", [&] { frame(1523, us); }, {{kRoc, 1}, {kRlec, 1}, {kTorl, 1523}, {kTpr, 1}}},
        {"jabber", [&] { frame(1523, us, false); }, {{kRjc, 1}, {kTorl, 1523}, {kTpr, 1}}},
        {"bad CRC", [&] { frame(100, us, false); }, {{kCrcerrs, 1}, {kTorl, 100}, {kTpr, 1}}},
        {"bad CRC that is stored",
         [&] {
             bench.set(RCTL_SBP, 1);
             frame(100, us, false);
             bench.set(RCTL_SBP, 0);
         },
         {{kCrcerrs, 1}, {kTorl, 100}, {kTpr, 1}}},
        {"XOFF without RFCE",
         [&] {
             frame(64, mac_control, true, 0x8808, {0, 1, 0, 1});
         },
         {{kTorl, 64}, {kTpr, 1}}},
        {"XOFF",
         [&] {
             bench.set(CTRL_RFCE, 1);
             frame(64, mac_control, true, 0x8808, {0, 1, 0, 1});
         },
         {{kXoffrxc, 1}, {kTorl, 64}, {kTpr, 1}}},
        {"XON",
         [&] {
             frame(64, mac_control, true, 0x8808, {0, 1, 0, 0});
         },
         {{kXonrxc, 1}, {kTorl, 64}, {kTpr, 1}}},
        {"another opcode",
         [&] {
             frame(64, mac_control, true, 0x8808, {0, 2, 0, 0});
         },
         {{kFcruc, 1}, {kTorl, 64}, {kTpr, 1}}},
        {"receiver off",
         [&] {
             bench.set(RCTL_EN, 0);
             frame(64, us);
             bench.set(RCTL_EN, 1);
         },
         {}},
    };
    for (const Kind& kind : kinds) {
        SCOPED_TRACE(kind.what);
        kind.arrives();
        EXPECT_EQ(read_all(), kind.expected);
        EXPECT_EQ(read_all(), Counts{}) << "reading clears";
    }
}

TEST_F(RxStatistics, WhatFindsNoDescriptorOrNoRoomIsCountedApart) {
    frame(64, us);
    EXPECT_EQ(read_all(),
              (Counts{{kPrc64, 1}, {kGprc, 1}, {kGorcl, 64}, {kRnbc, 1}, {kTorl, 64}, {kTpr, 1}}));
    // 20 KB less the 80 bytes of the first: 13 of 1536 fit.
    for (int i = 0; i < 13; i++) frame(1518, us);
    static_cast<void>(read_all());
    frame(1518, us);
    EXPECT_EQ(read_all(), (Counts{{kMpc, 1}, {kTorl, 1518}, {kTpr, 1}}))
        << "seen, but not received";
}

TEST_F(RxStatistics, OctetsGoOnInTheHighHalf) {
    driver.fill(32);
    bench.registers.poke(GORCL, 0xFFFFFFC0);
    bench.registers.poke(TORL, 0xFFFFFFC0);
    frame(64, us);
    EXPECT_EQ(bench.registers.bus_read(kGorcl), 0u);
    EXPECT_EQ(bench.registers.bus_read(kGorcl), 0u) << "reading LOW clears nothing";
    EXPECT_EQ(bench.registers.bus_read(kGorch), 1u);
    EXPECT_EQ(bench.registers.bus_read(kGorch), 0u);
    EXPECT_EQ(bench.registers.bus_read(kTorh), 1u);
}

}  // namespace
}  // namespace doorbell::test
