#include "testbench/report/event_stream.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "hw/base/bits.hpp"
#include "hw/base/generated/events.hpp"
#include "testbench/report/test_folder.hpp"

namespace doorbell::report {
namespace {

class EventStreamTest : public testing::Test {
protected:
    void emit_some(std::uint64_t value = 7) {
        events::doorbell(nic, 1'000'000, {3, 4}, 0, 1, value, 5);
        events::thread_wake(host, 2'000'000, {}, 2, 1);
        events::cable(nic, 3'000'000, {}, 1);
    }
    std::string hash_of(std::uint64_t value) {
        EventHash hash(hub);
        hub.attach(hash);
        emit_some(value);
        hub.detach(hash);
        return hash.digest();
    }
    EventHub hub;
    EventPort host{hub, hub.add_source("a")};
    EventPort nic{hub, hub.add_source("a.nic0")};
};

TEST_F(EventStreamTest, TheBytesOfAnEventAreTheDocumentedOnes) {
    EventSerialiser serialiser(hub);
    std::vector<std::uint8_t> bytes;
    Event event{
        0x0102030405060708, 9, 10, {1, 0, 0, 0}, static_cast<std::uint16_t>(EventType::kCable), 1};
    serialiser.append(event, bytes);
    const std::vector<std::uint8_t> expected = {
        0,  0, 0, 0, 1, 0, 'a',                                        // source 0
        0,  0, 1, 0, 6, 0, 'a', '.', 'n', 'i', 'c', '0',               // source 1
        51, 0, 1, 0,                                                   // cable, of source 1
        8,  7, 6, 5, 4, 3, 2,   1,   9,   0,   0,   0,   0, 0, 0, 0,   // time, packet
        10, 0, 0, 0, 0, 0, 0,   0,   1,   0,   0,   0,   0, 0, 0, 0};  // frame, connected
    EXPECT_EQ(bytes, expected);
}

TEST_F(EventStreamTest, TheHashIsTheSameForTheSameEventsAndPinned) {
    EXPECT_EQ(hash_of(7), hash_of(7));
    // Stable across releases and compilers: a change of the format must be seen here.
    EXPECT_EQ(hash_of(7), "1ab0b51e11a2e4271db4621137b7d4d5");
}

TEST_F(EventStreamTest, TheHashDiffersWhenOneArgumentDiffers) {
    EXPECT_NE(hash_of(7), hash_of(8));
}

TEST_F(EventStreamTest, TheHashDiffersWhenASourceHasAnotherName) {
    const std::string before = hash_of(7);
    EventHub other;
    EventPort other_host{other, other.add_source("b")};
    EventPort other_nic{other, other.add_source("a.nic0")};
    EventHash hash(other);
    other.attach(hash);
    events::doorbell(other_nic, 1'000'000, {3, 4}, 0, 1, 7, 5);
    events::thread_wake(other_host, 2'000'000, {}, 2, 1);
    events::cable(other_nic, 3'000'000, {}, 1);
    EXPECT_NE(hash.digest(), before);
}

TEST_F(EventStreamTest, TheHashOfTheTraceFileIsTheTraceHash) {
    TestFolder folder;
    {
        EventTrace trace(folder / "t", hub);
        hub.attach(trace);
        for (std::uint64_t i = 0; i < 20'000; i++) emit_some(i);
        hub.detach(trace);
        ASSERT_TRUE(trace.close());
    }
    EventHash hash(hub);
    hub.attach(hash);
    for (std::uint64_t i = 0; i < 20'000; i++) emit_some(i);
    hub.detach(hash);

    const std::string file = read_file(folder / "t");
    ASSERT_EQ(file.substr(0, 14), "doorbell-trace");
    const XXH128_hash_t of_file = XXH3_128bits(file.data() + 16, file.size() - 16);
    char text[33];
    std::snprintf(text, sizeof text, "%016llx%016llx",
                  static_cast<unsigned long long>(of_file.high64),
                  static_cast<unsigned long long>(of_file.low64));
    EXPECT_EQ(hash.digest(), text);
}

TEST_F(EventStreamTest, JsonLinesNameTheArguments) {
    TestFolder folder;
    EventTraceJson trace(folder / "t", hub);
    hub.attach(trace);
    emit_some();
    hub.detach(trace);
    ASSERT_TRUE(trace.close());
    std::istringstream lines(read_file(folder / "t"));
    std::string line;
    std::getline(lines, line);
    const nlohmann::json expected = {
        {"time_ps", 1'000'000}, {"type", "doorbell"}, {"source", "a.nic0"},
        {"packet", 3},          {"frame", 4},         {"direction", 0},
        {"queue", 1},           {"tail", 7},          {"pending", 5}};
    EXPECT_EQ(nlohmann::json::parse(line), expected);
    std::getline(lines, line);
    EXPECT_EQ(nlohmann::json::parse(line)["source"], "a");
}

}  // namespace
}  // namespace doorbell::report
