#include "testbench/wire/timed_far_side.hpp"

#include <gtest/gtest.h>

#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/far_side_test_support.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;

/// An outside that keeps what it is sent and has frames to give.
class Outside final : public FarSideBase {
public:
    explicit Outside(const FarSideContext& context) : FarSideBase(context) {}
    void before_wait(std::vector<pollfd>&, int&) override {}
    void after_wait(const pollfd*, std::size_t) override { deliver(); }
    [[nodiscard]] std::string description() const override { return "outside"; }
    void give(std::uint32_t size) { arrive(test::make_frame(frames(), test::pattern(size))); }
    void advertise(const LinkAbilities& abilities) override {
        FarSideBase::advertise(abilities);
        heard = abilities;
    }

    std::vector<FramePtr> sent;
    LinkAbilities heard;

protected:
    void send(FramePtr frame, Picoseconds, Picoseconds) override {
        sent.push_back(std::move(frame));
    }
};

class CableWithARate : public ::testing::Test {
protected:
    void open(std::uint32_t rate_mbps) {
        auto outside = std::make_unique<Outside>(surroundings_.context);
        outside_ = outside.get();
        side_ =
            std::make_unique<TimedFarSide>(std::move(outside), rate_mbps, surroundings_.context);
        side_->attach(nic_);
    }
    void run_until(Picoseconds time_ps) {
        while (surroundings_.timeline.next_event_time() <= time_ps) {
            surroundings_.timeline.advance_until(surroundings_.timeline.next_event_time());
            surroundings_.turn(*side_);
        }
        surroundings_.timeline.advance_until(time_ps);
        surroundings_.turn(*side_);
    }

    test::Surroundings surroundings_;
    test::KeepingNic nic_;
    Outside* outside_ = nullptr;
    std::unique_ptr<TimedFarSide> side_;
};

TEST_F(CableWithARate, TheNicIsAskedForRealFramesAtTheRateOfItsLink) {
    open(1000);
    EXPECT_FALSE(side_->offloads().untimed);
    EXPECT_FALSE(side_->offloads().checksums);
    EXPECT_FALSE(side_->offloads().trains);
}

TEST_F(CableWithARate, WhatComesFromOutsideIsPacedToTheRateAndNothingIsLost) {
    open(100);
    for (int i = 0; i < 100; i++) outside_->give(1230);
    // 8 + 1230 + 4 + 12 bytes of 80 ns each.
    const Picoseconds frame_ps = nanoseconds(80) * 1254;
    surroundings_.turn(*side_);
    run_until(frame_ps * 10);
    EXPECT_NEAR(static_cast<double>(nic_.received.size()), 10, 1);
    run_until(frame_ps * 101);
    EXPECT_EQ(nic_.received.size(), 100u);
    const test::Metrics metrics(*side_);
    EXPECT_EQ(metrics["inward.lost_frames"], 0u);
    EXPECT_EQ(metrics["backward.drops.rate"], 0u);
}

TEST_F(CableWithARate, OverALongTimeTheGapsBetweenFramesCountAndTheRestWaitsOutside) {
    open(100);
    for (int i = 0; i < 1000; i++) outside_->give(1230);
    surroundings_.turn(*side_);
    EXPECT_LE(test::Metrics(*side_)["inward.frames"], 5u) << "200 us ahead of the cable";
    const Picoseconds frame_ps = nanoseconds(80) * (8 + 1230 + 4 + 12);
    run_until(frame_ps * 900);
    EXPECT_LE(nic_.received.size(), 900u);
    EXPECT_GE(nic_.received.size(), 899u);
    EXPECT_LE(test::Metrics(*side_)["inward.frames"], 905u);
}

TEST_F(CableWithARate, EachSideHearsWhatTheOtherOffersAsTheCableCarriesIt) {
    open(100);
    ASSERT_EQ(nic_.partners.size(), 1u);
    EXPECT_TRUE(nic_.partners[0].present);
    EXPECT_EQ(nic_.partners[0].ctrl1000 & 0x0300, 0) << "no gigabit over two pairs";
    LinkAbilities mine;
    mine.present = true;
    mine.anar = 0x1e1;
    side_->advertise(mine);
    EXPECT_TRUE(outside_->heard.present);
    EXPECT_EQ(outside_->heard.anar, 0x1e1);
}

TEST_F(CableWithARate, WhatTheNicSendsArrivesWhenItsLastBitHas) {
    open(1000);
    const Picoseconds end_ps = nanoseconds(8) * (8 + 64);
    side_->transmit(test::make_frame(surroundings_.frames, test::pattern(60)), 0, end_ps);
    EXPECT_TRUE(outside_->sent.empty());
    run_until(end_ps + nanoseconds(10));
    EXPECT_EQ(outside_->sent.size(), 1u);
}

TEST_F(CableWithARate, WhoLooksOnSeesEachFrameOnceAtTheNicsEnd) {
    struct Watcher final : WireTap {
        void frame_out(std::uint32_t end, const Frame&, Picoseconds start_ps) override {
            EXPECT_EQ(end, 0u);
            out_ps.push_back(start_ps);
        }
        void frame_in(std::uint32_t end, const Frame&, Picoseconds end_ps) override {
            EXPECT_EQ(end, 0u);
            in_ps.push_back(end_ps);
        }
        std::vector<Picoseconds> out_ps;
        std::vector<Picoseconds> in_ps;
    } watcher;
    open(1000);
    side_->tap(&watcher);
    const Picoseconds end_ps = nanoseconds(8) * (8 + 64);
    side_->transmit(test::make_frame(surroundings_.frames, test::pattern(60)), 0, end_ps);
    outside_->give(60);
    surroundings_.turn(*side_);
    run_until(microseconds(10));
    EXPECT_EQ(watcher.out_ps, std::vector<Picoseconds>{0});
    ASSERT_EQ(watcher.in_ps.size(), 1u);
    EXPECT_GE(watcher.in_ps[0], end_ps);
    side_->tap(nullptr);
    outside_->give(60);
    surroundings_.turn(*side_);
    run_until(microseconds(20));
    EXPECT_EQ(watcher.in_ps.size(), 1u);
}

/// What every far side does.
TEST(WhatComesFromOutside, IsPaddedWithZerosWhateverTheFrameHeldBefore) {
    test::Surroundings surroundings;
    test::KeepingNic nic;
    Outside side(surroundings.context);
    side.attach(nic);
    { const FramePtr used = test::make_frame(surroundings.frames, Bytes(1000, 0xEE)); }
    side.give(20);
    surroundings.turn(side);
    ASSERT_EQ(nic.received.size(), 1u);
    const Frame& frame = *nic.received[0];
    ASSERT_EQ(frame.size_bytes(), 60u);
    EXPECT_EQ(Bytes(frame.data() + 20, frame.data() + 60), Bytes(40, 0))
        << "another guest's bytes leak";
}

TEST(WhatComesFromOutside, WaitsForRoomInAQueueWithABound) {
    test::Surroundings surroundings;
    test::KeepingNic nic;
    nic.room = 0;
    Outside side(surroundings.context);
    side.attach(nic);
    for (int i = 0; i < 2000; i++) side.give(100);
    surroundings.turn(side);
    EXPECT_EQ(test::Metrics(side)["inward.lost_frames"], 2000u - 1024);
    nic.room = -1;
    surroundings.turn(side);
    EXPECT_EQ(nic.received.size(), 1024u);
}

/// What every far side does that is the NIC's link partner.
TEST(LinkPartner, APauseFrameHoldsBackWhatComesForItsTimeOrUntilXonAndGoesNoFurther) {
    test::Surroundings surroundings;
    test::KeepingNic nic;
    Outside side(surroundings.context);
    side.attach(nic);
    const auto pause = [&](std::uint16_t quanta) {
        Bytes bytes(60);
        const Bytes head = {0x01, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x08, 0, 1};
        std::copy(head.begin(), head.end(), bytes.begin());
        store_be16(&bytes[16], quanta);
        side.transmit(test::make_frame(surroundings.frames, bytes), 0, 0);
    };
    pause(100);  // 51,200 bit times
    EXPECT_TRUE(side.sent.empty());
    side.give(100);
    surroundings.timeline.advance_until(nanoseconds(51'199));
    surroundings.turn(side);
    EXPECT_TRUE(nic.received.empty());
    surroundings.timeline.advance_until(nanoseconds(51'200));
    EXPECT_EQ(nic.received.size(), 1u) << "without anybody asking";

    pause(0xffff);
    side.give(100);
    surroundings.turn(side);
    EXPECT_EQ(nic.received.size(), 1u);
    pause(0);
    surroundings.turn(side);
    EXPECT_EQ(nic.received.size(), 2u);
    EXPECT_EQ(test::Metrics(side)["inward.pauses"], 3u);
    EXPECT_EQ(test::Metrics(side)["inward.lost_frames"], 0u);
}

TEST(LinkPartner, APauseLastsAsLongAsItsBitsTakeOnTheLinkThatWasNegotiated) {
    struct Case {
        const char* what;
        LinkAbilities mine;
        std::uint64_t bit_ps;
    };
    const auto offer = [](bool negotiates, std::uint16_t anar, std::uint16_t ctrl1000,
                          std::uint32_t speed_mbps) {
        LinkAbilities mine;
        mine.present = true;
        mine.negotiates = negotiates;
        mine.anar = anar;
        mine.ctrl1000 = ctrl1000;
        mine.speed_mbps = speed_mbps;
        return mine;
    };
    const Case cases[] = {{"everything", offer(true, 0x0de1, 0x0300, 0), 1'000},
                          {"100 Mb/s at most", offer(true, 0x0de1, 0, 0), 10'000},
                          {"10 Mb/s at most", offer(true, 0x0c61, 0, 0), 100'000},
                          {"forced to 100 Mb/s", offer(false, 0, 0, 100), 10'000}};
    for (const Case& link : cases) {
        test::Surroundings surroundings;
        test::KeepingNic nic;
        Outside side(surroundings.context);
        side.attach(nic);
        side.advertise(link.mine);
        Bytes pause(60);
        const Bytes head = {0x01, 0x80, 0xc2, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x88, 0x08, 0, 1, 0, 100};
        std::copy(head.begin(), head.end(), pause.begin());
        side.transmit(test::make_frame(surroundings.frames, pause), 0, 0);
        side.give(100);
        constexpr std::uint64_t kBits = 100 * 512;
        surroundings.timeline.advance_until(kBits * link.bit_ps - 1);
        surroundings.turn(side);
        EXPECT_TRUE(nic.received.empty()) << link.what;
        surroundings.timeline.advance_until(kBits * link.bit_ps);
        EXPECT_EQ(nic.received.size(), 1u) << link.what;
    }
}

}  // namespace
}  // namespace doorbell::wire
