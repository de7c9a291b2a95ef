#include "hw/base/recording_host_port.hpp"

#include <gtest/gtest.h>

#include <array>

namespace doorbell {
namespace {

/// 256 bytes of memory at address 0x1000; nothing else answers.
class SmallHost final : public HostPort {
public:
    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(target, &memory[address - 0x1000], size_bytes);
        packet = 7;
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(&memory[address - 0x1000], source, size_bytes);
        return DmaStatus::kOk;
    }
    void message(std::uint64_t, std::uint32_t data) override { messages += data; }
    void interrupt_pin(bool asserted) override { pin = asserted; }

    static bool inside(std::uint64_t address, std::uint32_t size_bytes) {
        return address >= 0x1000 && address + size_bytes <= 0x1100;
    }
    std::array<std::uint8_t, 256> memory{};
    std::uint32_t messages = 0;
    bool pin = false;
};

/// A device of a few accesses; `twist` makes it do one of them differently.
enum class Twist { kNone, kAddress, kSize, kByte, kPacket, kTime, kMessage, kPin, kMore };

std::uint32_t run_device(HostPort& host, ManualTimeline& timeline, Twist twist) {
    std::array<std::uint8_t, 8> buffer{};
    std::uint64_t packet = 0;
    std::uint32_t sum = 0;
    timeline.advance_by(twist == Twist::kTime ? 11 : 10);
    const DmaStatus good =
        host.read(twist == Twist::kAddress ? 0x1001 : 0x1000, buffer.data(), 4, packet);
    sum += static_cast<std::uint32_t>(good) + buffer[0] + static_cast<std::uint32_t>(packet);
    const DmaStatus bad = host.read(0x9000, buffer.data(), 4, packet);
    sum += static_cast<std::uint32_t>(bad) * 100;
    timeline.advance_by(10);
    buffer.fill(twist == Twist::kByte ? 2 : 3);
    const DmaStatus stored = host.write(0x1010, buffer.data(), twist == Twist::kSize ? 7 : 8,
                                        twist == Twist::kPacket ? 6 : 5);
    sum += static_cast<std::uint32_t>(stored) * 1000;
    host.message(0xFEE00000, twist == Twist::kMessage ? 1 : 2);
    host.interrupt_pin(twist != Twist::kPin);
    if (twist == Twist::kMore) host.interrupt_pin(false);
    return sum;
}

HostRecording record(std::uint32_t& sum) {
    SmallHost host;
    host.memory[0] = 42;
    ManualTimeline timeline;
    RecordingHostPort port(host, timeline);
    sum = run_device(port, timeline, Twist::kNone);
    EXPECT_EQ(host.memory[0x10], 3);
    EXPECT_EQ(host.messages, 2u);
    EXPECT_TRUE(host.pin);
    return port.recording();
}

TEST(RecordingHostPort, KeepsEveryCrossingWithItsTimeAndBytes) {
    std::uint32_t sum = 0;
    const HostRecording recording = record(sum);
    ASSERT_EQ(recording.crossings.size(), 5u);
    EXPECT_EQ(recording.crossings[0].time_ps, 10u);
    EXPECT_EQ(recording.crossings[1].status, DmaStatus::kUnsupportedRequest);
    EXPECT_EQ(recording.crossings[2].time_ps, 20u);
    EXPECT_EQ(recording.bytes.size(), 4u + 8);
}

TEST(RecordingHostPort, AReplayNeedsNoHostAndAnswersTheSame) {
    std::uint32_t sum = 0;
    const HostRecording recording = record(sum);
    ManualTimeline timeline;
    ReplayingHostPort replay(recording, timeline);
    EXPECT_FALSE(replay.complete());
    EXPECT_EQ(run_device(replay, timeline, Twist::kNone), sum);
    EXPECT_TRUE(replay.complete()) << replay.divergence();
}

TEST(RecordingHostPort, AReplayComplainsAboutEveryDifference) {
    std::uint32_t sum = 0;
    const HostRecording recording = record(sum);
    for (const Twist twist : {Twist::kAddress, Twist::kSize, Twist::kByte, Twist::kPacket,
                              Twist::kTime, Twist::kMessage, Twist::kPin, Twist::kMore}) {
        ManualTimeline timeline;
        ReplayingHostPort replay(recording, timeline);
        (void)run_device(replay, timeline, twist);
        EXPECT_NE(replay.divergence(), "") << static_cast<int>(twist);
        EXPECT_FALSE(replay.complete());
    }
}

}  // namespace
}  // namespace doorbell
