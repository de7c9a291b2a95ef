#include "hw/packet_buffer/packet_buffer.hpp"

#include <gtest/gtest.h>

#include <string>

#include "hw/base/generated/events.hpp"

namespace doorbell {
namespace {

TEST(PacketBuffer, AFrameTakesWholeWordsAndAHeader) {
    EXPECT_EQ(packet_buffer_bytes(64), 80u);
    EXPECT_EQ(packet_buffer_bytes(65), 88u);
    EXPECT_EQ(packet_buffer_bytes(72), 88u);
    EXPECT_EQ(packet_buffer_bytes(1518), 1536u);
}

TEST(PacketBuffer, PbaSplitsFortyKilobytes) {
    EXPECT_EQ(split_packet_buffer(20).rx_bytes, 20480u);
    EXPECT_EQ(split_packet_buffer(20).tx_bytes, 20480u);
    EXPECT_EQ(split_packet_buffer(32).tx_bytes, 8192u);
    EXPECT_EQ(split_packet_buffer(0).tx_bytes, 40960u);
    EXPECT_EQ(split_packet_buffer(0xffff).rx_bytes, 40960u);
    EXPECT_EQ(split_packet_buffer(0xffff).tx_bytes, 0u);
    EXPECT_EQ(split_packet_buffer(8, 24).rx_bytes, 8192u) << "PBS.SIZE";
    EXPECT_EQ(split_packet_buffer(8, 24).tx_bytes, 16384u);
    EXPECT_EQ(split_packet_buffer(8, 63).tx_bytes, 32768u) << "there is no more than 40";
}

TEST(FifoSpace, RefusesWhatDoesNotFitAndRemembersItsPeak) {
    FifoSpace space(Direction::kRx, EventPort());
    space.reset(100);
    EXPECT_TRUE(space.reserve(60, 0));
    EXPECT_FALSE(space.reserve(41, 0));
    EXPECT_EQ(space.used_bytes(), 60u);
    EXPECT_TRUE(space.reserve(40, 0));
    EXPECT_EQ(space.free_bytes(), 0u);
    space.release(100, 0);
    EXPECT_EQ(space.used_bytes(), 0u);
    EXPECT_EQ(space.peak_bytes(), 100u);
}

class Recorder final : public WatermarkListener, public EventListener {
public:
    void above_high_watermark() override { seen += 'X'; }
    void below_low_watermark() override { seen += 'O'; }
    void event(const Event& event) override { levels.push_back(event.args[1]); }
    std::string seen;
    std::vector<std::uint64_t> levels;
};

TEST(FifoSpace, TellsOfItsWatermarksOncePerCrossing) {
    FifoSpace space(Direction::kRx, EventPort());
    Recorder recorder;
    space.reset(1000);
    space.set_watermarks(500, 200, &recorder);
    for (int i = 0; i < 5; i++) EXPECT_TRUE(space.reserve(100, 0));
    EXPECT_EQ(recorder.seen, "") << "at the watermark is not above it";
    EXPECT_TRUE(space.reserve(100, 0));
    EXPECT_TRUE(space.reserve(100, 0));
    EXPECT_EQ(recorder.seen, "X");
    space.release(500, 0);
    EXPECT_EQ(recorder.seen, "X") << "at the low watermark is not below it";
    space.release(100, 0);
    EXPECT_EQ(recorder.seen, "XO");
    space.release(100, 0);
    EXPECT_EQ(recorder.seen, "XO");
}

TEST(FifoSpace, ReportsEveryChangeOfItsLevel) {
    EventHub hub;
    Recorder recorder;
    hub.attach(recorder);
    FifoSpace space(Direction::kTx, EventPort(hub, hub.add_source("nic")));
    space.reset(1000);
    EXPECT_TRUE(space.reserve(80, 5));
    EXPECT_TRUE(space.reserve(96, 6));
    space.release(80, 7);
    EXPECT_EQ(recorder.levels, (std::vector<std::uint64_t>{80, 176, 96}));
}

}  // namespace
}  // namespace doorbell
