// Frames, FCS, byte order, randomness and the event stream.
#include <gtest/gtest.h>

#include <vector>

#include "hw/base/bits.hpp"
#include "hw/base/crc32.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/generated/events.hpp"
#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

TEST(Fcs, MatchesTheCheckValueOfTheCrcCatalogue) {
    const char* text = "123456789";
    EXPECT_EQ(ethernet_fcs(reinterpret_cast<const std::uint8_t*>(text), 9), 0xcbf43926u);
}

TEST(Frame, DamagedBytesMakeAPinnedFcsBadAndAnUntouchedFrameIsGood) {
    FramePool pool;
    FramePtr frame = pool.take();
    frame->resize(60);
    std::memset(frame->data(), 0x5a, 60);
    EXPECT_TRUE(frame->fcs_good());
    frame->materialise_fcs();
    EXPECT_TRUE(frame->fcs_good());
    frame->data()[17] ^= 0x04;
    EXPECT_FALSE(frame->fcs_good());
}

TEST(Frame, EverySingleBitErrorIsSeen) {
    FramePool pool;
    FramePtr frame = pool.take();
    frame->resize(64);
    for (unsigned i = 0; i < 64; i++) frame->data()[i] = static_cast<std::uint8_t>(i * 7);
    frame->materialise_fcs();
    for (unsigned b = 0; b < 64 * 8; b++) {
        frame->data()[b / 8] ^= static_cast<std::uint8_t>(1u << b % 8);
        EXPECT_FALSE(frame->fcs_good()) << "bit " << b;
        frame->data()[b / 8] ^= static_cast<std::uint8_t>(1u << b % 8);
    }
    EXPECT_TRUE(frame->fcs_good());
}

TEST(FramePool, UsesFramesAgainAndHandsThemOutClean) {
    FramePool pool;
    for (int i = 0; i < 1000; i++) {
        FramePtr a = pool.take();
        EXPECT_EQ(a->size_bytes(), 0u);
        EXPECT_EQ(a->packet, 0u);
        a->resize(100);
        std::memset(a->data(), i & 0xff, 100);
        a->pin_fcs(0);
        a->packet = 7;
        a->number = 9;
        FramePtr b = pool.copy(*a);
        EXPECT_EQ(b->packet, 7u);
        EXPECT_EQ(b->number, 9u);
        EXPECT_EQ(b->fcs(), 0u);
        EXPECT_EQ(std::memcmp(a->data(), b->data(), 100), 0);
    }
    EXPECT_EQ(pool.made(), 2u);
}

TEST(Bits, StoreWhatTheyLoadInBothByteOrders) {
    std::uint8_t bytes[8];
    store_le64(bytes, 0x0123456789abcdefu);
    EXPECT_EQ(bytes[0], 0xef);
    EXPECT_EQ(load_le64(bytes), 0x0123456789abcdefu);
    EXPECT_EQ(load_be32(bytes), 0xefcdab89u);
    store_be16(bytes, 0x8100);
    EXPECT_EQ(bytes[0], 0x81);
    EXPECT_EQ(bits(0xabcd, 4, 8), 0xbcu);
    EXPECT_EQ(bits(~std::uint64_t{0}, 0, 64), ~std::uint64_t{0});
}

// splitmix64(0) gives these four words (Vigna's reference values); the first draw follows from the
// definition of xoshiro256**: rotl(s1 * 5, 7) * 9.
TEST(Prng, StartsFromTheReferenceValuesOfItsSeedingFunction) {
    const std::uint64_t s1 = 0x6e789e6aa1b965f4u;
    const std::uint64_t x = s1 * 5;
    EXPECT_EQ(Prng(0).next(), (x << 7 | x >> 57) * 9);
}

TEST(Prng, StreamsOfOneSeedDifferAndRepeat) {
    Prng a(5, 1);
    Prng b(5, 2);
    Prng again(5, 1);
    int equal = 0;
    for (int i = 0; i < 1000; i++) {
        const std::uint64_t draw = a.next();
        equal += draw == b.next();
        EXPECT_EQ(draw, again.next());
    }
    EXPECT_EQ(equal, 0);
}

TEST(Prng, ChanceIsAsLikelyAsItSaysAndBelowStaysBelow) {
    Prng prng(42);
    int hits = 0;
    for (int i = 0; i < 200'000; i++) hits += prng.chance_ppm(20'000);
    EXPECT_NEAR(hits, 4000, 250);  // four standard deviations
    for (int i = 0; i < 1000; i++) EXPECT_LT(prng.below(3), 3u);
    EXPECT_EQ(prng.below(0), 0u);
    EXPECT_FALSE(prng.chance_ppm(0));
    EXPECT_TRUE(prng.chance_ppm(1'000'000));
}

class Recorder : public EventListener {
public:
    void event(const Event& event) override { seen.push_back(event); }
    std::vector<Event> seen;
};

#ifndef DOORBELL_EMPTY_SINK
TEST(EventPort, ReportsOnlyWhileSomebodyListens) {
    EventHub hub;
    const EventPort port(hub, hub.add_source("a.nic0"));
    EXPECT_FALSE(port.enabled());
    events::doorbell(port, 5, {}, 0, 1, 17, 3);
    Recorder recorder;
    hub.attach(recorder);
    events::doorbell(port, 6, {7, 8}, 0, 1, 17, 3);
    hub.detach(recorder);
    events::doorbell(port, 9, {}, 0, 1, 17, 3);
    ASSERT_EQ(recorder.seen.size(), 1u);
    const Event& event = recorder.seen[0];
    EXPECT_EQ(event.time_ps, 6u);
    EXPECT_EQ(event.packet, 7u);
    EXPECT_EQ(event.frame, 8u);
    EXPECT_EQ(event.type, static_cast<std::uint16_t>(EventType::kDoorbell));
    EXPECT_EQ(event.args[2], 17u);
    EXPECT_FALSE(EventPort().enabled());
}
#endif

}  // namespace
}  // namespace doorbell
