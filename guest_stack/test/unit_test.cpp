// Parts of the guest that need nobody: routing table, flows, heap, histogram, settings, test
// packets, and the codes of events.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <lwip/mem.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <vector>

#include "hw/base/generated/events.hpp"

extern "C" {
#include "guest_stack/apps/option.h"
#include "guest_stack/apps/test_packet.h"
#include "guest_stack/kernel/events.h"
#include "guest_stack/kernel/latency.h"
#include "guest_stack/kernel/number.h"
#include "guest_stack/port/flow.h"
#include "guest_stack/port/route.h"
}

namespace {

using ::testing::HasSubstr;

// --- routes -------------------------------------------------------------------------------------

uint32_t ip(const char* text) {
    uint32_t address = 0;
    EXPECT_TRUE(route_parse_address(text, &address)) << text;
    return address;
}

TEST(Route, TheLongestPrefixWinsWhateverTheOrderOfAdding) {
    std::vector<std::pair<const char*, uint32_t>> routes = {
        {"0.0.0.0", 0}, {"10.0.0.0", 8}, {"10.1.0.0", 16}, {"10.1.2.0", 24}, {"10.1.2.3", 32}};
    std::sort(routes.begin(), routes.end());
    do {
        route_table table{};
        for (const auto& [text, bits] : routes) {
            ASSERT_EQ(route_add(&table, ip(text), bits, 0, bits, 0), 0);
        }
        EXPECT_EQ(route_find(&table, ip("11.0.0.1"))->prefix_bits, 0u);
        EXPECT_EQ(route_find(&table, ip("10.2.0.1"))->prefix_bits, 8u);
        EXPECT_EQ(route_find(&table, ip("10.1.3.1"))->prefix_bits, 16u);
        EXPECT_EQ(route_find(&table, ip("10.1.2.4"))->prefix_bits, 24u);
        EXPECT_EQ(route_find(&table, ip("10.1.2.3"))->prefix_bits, 32u);
    } while (std::next_permutation(routes.begin(), routes.end()));
}

TEST(Route, TheLowestMetricDecidesBetweenEqualPrefixesThenTheFirst) {
    route_table table{};
    ASSERT_EQ(route_add(&table, ip("10.0.0.0"), 8, 0, 0, 20), 0);
    ASSERT_EQ(route_add(&table, ip("10.0.0.0"), 8, 0, 1, 10), 0);
    ASSERT_EQ(route_add(&table, ip("10.0.0.0"), 8, 0, 2, 10), 0);
    EXPECT_EQ(route_find(&table, ip("10.9.9.9"))->interface, 1u);
    EXPECT_EQ(route_find_on(&table, ip("10.9.9.9"), 0)->metric, 20u);
    EXPECT_EQ(route_find_on(&table, ip("10.9.9.9"), 7), nullptr);
    EXPECT_EQ(route_find(&table, ip("9.9.9.9")), nullptr);
}

TEST(Route, ImpossibleOnesAreRefused) {
    route_table table{};
    EXPECT_EQ(route_add(&table, ip("10.0.0.1"), 24, 0, 0, 0), -EINVAL);
    EXPECT_EQ(route_add(&table, ip("10.0.0.0"), 33, 0, 0, 0), -EINVAL);
    for (uint32_t i = 0; i < ROUTE_MAX; ++i) {
        ASSERT_EQ(route_add(&table, i << 8, 24, 0, 0, 0), 0);
    }
    EXPECT_EQ(route_add(&table, ip("10.0.0.0"), 8, 0, 0, 0), -ENOSPC);
}

TEST(Route, AgreesWithAPlainSearchOnRandomTables) {
    std::mt19937 generator(7);
    const auto random = [&generator] { return static_cast<uint32_t>(generator()); };
    for (int round = 0; round < 200; ++round) {
        route_table table{};
        std::vector<route> plain;
        for (uint32_t i = 0; i < 20; ++i) {
            const uint32_t bits = random() % 33;
            // Few distinct networks, so that addresses hit and prefixes nest.
            const uint32_t network = (random() % 4 << 30 | (random() % 4)) & route_mask(bits);
            const uint32_t metric = random() % 3;
            ASSERT_EQ(route_add(&table, network, bits, 0, i, metric), 0);
            plain.push_back({network, bits, 0, i, metric, 0});
        }
        for (int probe = 0; probe < 50; ++probe) {
            const uint32_t address = random() % 4 << 30 | random() % 5;
            const route* best = nullptr;
            for (const route& r : plain) {
                if ((address & route_mask(r.prefix_bits)) == r.destination &&
                    (best == nullptr || r.prefix_bits > best->prefix_bits ||
                     (r.prefix_bits == best->prefix_bits && r.metric < best->metric))) {
                    best = &r;
                }
            }
            const route* found = route_find(&table, address);
            ASSERT_EQ(found == nullptr, best == nullptr);
            if (best != nullptr) {
                ASSERT_EQ(found->interface, best->interface);
            }
        }
    }
}

TEST(Route, AddressesAreParsedStrictly) {
    EXPECT_EQ(ip("255.255.255.255"), 0xffffffffu);
    EXPECT_EQ(ip("10.0.0.1"), 0x0a000001u);
    uint32_t address = 0;
    for (const char* wrong : {"", "10", "10.0.0", "10.0.0.", "10.0.0.256", "10.0.0.1.", "10.0.0.1x",
                              " 10.0.0.1", "10.0.0.-1", "10.0.0.00001", "a.b.c.d", "10..0.1"}) {
        EXPECT_FALSE(route_parse_address(wrong, &address)) << wrong;
    }
}

// --- numbers ------------------------------------------------------------------------------------

TEST(Number, IsDigitsFromEndToEndUpToTheMaximum) {
    const auto parse = [](const char* text, uint64_t maximum) {
        uint64_t value = 7777;
        return number_parse(text, maximum, &value) ? std::to_string(value)
               : value == 7777                     ? "refused"
                                                   : "refused, but written";
    };
    EXPECT_EQ(parse("0", 0), "0");
    EXPECT_EQ(parse("0042", 42), "42");
    EXPECT_EQ(parse("43", 42), "refused");
    EXPECT_EQ(parse("9", 8), "refused");
    EXPECT_EQ(parse("4294967295", UINT32_MAX), "4294967295");
    EXPECT_EQ(parse("4294967296", UINT32_MAX), "refused");
    EXPECT_EQ(parse("18446744073709551615", UINT64_MAX), "18446744073709551615");
    EXPECT_EQ(parse("18446744073709551616", UINT64_MAX), "refused");
    EXPECT_EQ(parse("184467440737095516150", UINT64_MAX), "refused");
    for (const char* text : {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3"}) {
        EXPECT_EQ(parse(text, UINT64_MAX), "refused") << text;
    }
}

// --- flows --------------------------------------------------------------------------------------

TEST(Flow, ARetransmissionHasTheIdentityOfTheBytesItRepeats) {
    flow* f = flow_get(1, 1000, 2, 2000, 6);
    ASSERT_NE(f, nullptr);
    EXPECT_EQ(flow_segment(f, 5), 0u) << "before it has started";
    flow_start(f, 100);
    const uint64_t first = flow_segment(f, 100);
    const flow_counters before = *flow_totals();
    flow_sent(f, 100, 1460);
    flow_sent(f, 1560, 1460);
    EXPECT_EQ(flow_segment(f, 100), first);
    EXPECT_NE(flow_segment(f, 1560), first);
    EXPECT_EQ(flow_totals()->retransmitted_segments, before.retransmitted_segments);
    flow_sent(f, 1560, 2000); /* 1460 old bytes and 540 new ones */
    EXPECT_EQ(flow_totals()->retransmitted_segments, before.retransmitted_segments + 1);
    EXPECT_EQ(flow_totals()->retransmitted_bytes, before.retransmitted_bytes + 1460);
    EXPECT_EQ(flow_offset(f, 3560), 3460u);
}

TEST(Flow, OffsetsGoOnWhenSequenceNumbersWrap) {
    flow* f = flow_get(1, 1001, 2, 2000, 6);
    flow_start(f, 0xffffff00u);
    uint32_t sequence = 0xffffff00u;
    std::vector<uint64_t> seen;
    for (uint64_t offset = 0; offset < 3ull << 32; offset += 1u << 30, sequence += 1u << 30) {
        EXPECT_EQ(flow_offset(f, sequence), offset);
        seen.push_back(flow_segment(f, sequence));
        flow_sent(f, sequence, 1u << 30);
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "identities repeat";
}

TEST(Flow, BytesBeforeAndBehindAWrapAreTold) {
    flow* f = flow_get(1, 1002, 2, 2000, 6);
    flow_start(f, 0xfffffff0u);
    flow_sent(f, 0xfffffff0u, 100); /* ends at sequence 84, offset 100 */
    EXPECT_EQ(flow_offset(f, 0xfffffff5u), 5u);
    EXPECT_EQ(flow_offset(f, 4), 20u);
    EXPECT_EQ(flow_offset(f, 84 + 1000), 1100u);
}

TEST(Flow, AFullTableForgetsWhatWasUsedLongestAgo) {
    constexpr uint32_t kMany = 50 * FLOW_MAX;
    const auto numbered = [](uint32_t i) {
        return flow_get(77 + (i >> 16), static_cast<uint16_t>(i), 2, 1, 17);
    };
    const uint64_t first = flow_datagram(numbered(0));
    std::vector<uint64_t> next(kMany);
    const auto kept = [] { return flow_get(70, 1, 2, 1, 6); };
    flow_start(kept(), 1000);
    flow_close(kept());
    for (uint32_t i = 0; i < kMany; ++i) {
        EXPECT_NE(flow_datagram(numbered(i)), 0u);
        next[i] = numbered(i)->next_datagram;
        ASSERT_TRUE(kept()->started) << "in use all along";
    }
    // Open connections of other tests are remembered as well.
    for (uint32_t i = kMany - (FLOW_MAX - 16); i < kMany; ++i) {
        EXPECT_EQ(numbered(i)->next_datagram, next[i]) << "one of the last: " << i;
    }
    // The first comes back: what it names now is nothing that it named before.
    EXPECT_GE(numbered(0)->next_datagram, next[0]);
    EXPECT_NE(flow_datagram(numbered(0)), first);
}

TEST(Flow, AnOpenConnectionIsForgottenLast) {
    flow* open = flow_get(1, 1003, 2, 2000, 6);
    flow_start(open, 500);
    flow_sent(open, 500, 100);
    const uint64_t identity = flow_segment(open, 550);
    const auto crowd = [](uint32_t from) {
        for (uint32_t i = 0; i < 2 * FLOW_MAX; ++i) {
            (void)flow_get(from, static_cast<uint16_t>(i), 2, 1, 17);
        }
    };
    crowd(79);
    EXPECT_EQ(flow_segment(flow_get(1, 1003, 2, 2000, 6), 550), identity);
    flow_close(flow_get(1, 1003, 2, 2000, 6));
    EXPECT_EQ(flow_segment(flow_get(1, 1003, 2, 2000, 6), 550), identity)
        << "its last segment may be sent again";
    crowd(80);
    EXPECT_FALSE(flow_get(1, 1003, 2, 2000, 6)->started);
}

TEST(Flow, OpenConnectionsAloneDoNotFillTheTableForGood) {
    for (uint32_t i = 0; i < 3 * FLOW_MAX; ++i) {
        flow* f = flow_get(81, static_cast<uint16_t>(i), 2, 1, 6);
        ASSERT_FALSE(f->started) << i;
        flow_start(f, i);
        EXPECT_NE(flow_segment(f, i), 0u);
    }
    for (uint32_t i = 2 * FLOW_MAX; i < 3 * FLOW_MAX; ++i) {
        flow_close(flow_get(81, static_cast<uint16_t>(i), 2, 1, 6));
    }
}

// --- heap ---------------------------------------------------------------------------------------

TEST(Heap, BlocksInUseAreAlignedAndNeverShareAByte) {
    struct Block {
        uint8_t* bytes;
        size_t size;
        uint8_t mark;
    };
    std::vector<Block> blocks;
    std::mt19937 random(1);
    for (uint32_t round = 0; round < 20000; ++round) {
        if (blocks.size() < 64 && random() % 2 == 0) {
            // Around a frame's size and around the largest that is kept, too.
            const size_t size = random() % 4 == 0 ? 1900 + random() % 300 : random() % 1700;
            const auto mark = static_cast<uint8_t>(round);
            auto* bytes = static_cast<uint8_t*>(mem_malloc(size));
            ASSERT_NE(bytes, nullptr);
            EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes) % 16, 0u);
            std::fill_n(bytes, size, mark);
            blocks.push_back({bytes, size, mark});
        } else if (!blocks.empty()) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            const Block block = blocks.back();
            blocks.pop_back();
            ASSERT_TRUE(std::all_of(block.bytes, block.bytes + block.size,
                                    [&](uint8_t byte) { return byte == block.mark; }))
                << "round " << round;
            mem_free(block.bytes);
        }
    }
    for (const Block& block : blocks) mem_free(block.bytes);
}

TEST(Heap, ClearedMemoryIsClearAlsoWhenItWasUsedBefore) {
    for (const size_t size : {24u, 1500u, 5000u}) {
        auto* used = static_cast<uint8_t*>(mem_malloc(size));
        std::fill_n(used, size, uint8_t{0xff});
        mem_free(used);
        auto* clear = static_cast<uint8_t*>(mem_calloc(size / 4, 4));
        ASSERT_NE(clear, nullptr);
        EXPECT_TRUE(std::all_of(clear, clear + size, [](uint8_t byte) { return byte == 0; }));
        mem_free(clear);
    }
    EXPECT_EQ(mem_calloc(~size_t{0} / 2, 3), nullptr);
    EXPECT_EQ(mem_calloc(1, ~size_t{0}), nullptr);
    EXPECT_EQ(mem_malloc(~size_t{0} - 20), nullptr);
}

// --- histogram ----------------------------------------------------------------------------------

TEST(Latency, PercentilesAreWithinABucketOfTheTruth) {
    auto l = std::make_unique<latency>();
    std::mt19937_64 random(1);
    std::vector<uint64_t> values;
    for (int i = 0; i < 5000; ++i) {
        values.push_back(random() >> (random() % 60));
        latency_add(l.get(), values.back());
    }
    std::sort(values.begin(), values.end());
    for (const uint32_t per_mille : {1u, 10u, 500u, 900u, 990u, 999u}) {
        const uint64_t exact = values[(values.size() * per_mille + 999) / 1000 - 1];
        const uint64_t found = latency_percentile(l.get(), per_mille);
        EXPECT_GE(found, exact);
        EXPECT_LE(found - exact, exact / 64 + 1);
    }
    EXPECT_EQ(latency_percentile(l.get(), 1000), values.back());
    EXPECT_EQ(l->minimum_ns, values.front());
}

TEST(Latency, SmallValuesAreExactAndNoneIsZero) {
    auto l = std::make_unique<latency>();
    EXPECT_EQ(latency_percentile(l.get(), 500), 0u);
    for (uint64_t value = 1; value <= 60; ++value) {
        latency_add(l.get(), value);
    }
    EXPECT_EQ(latency_percentile(l.get(), 500), 30u);
    EXPECT_EQ(latency_percentile(l.get(), 1000), 60u);
    EXPECT_EQ(latency_percentile(l.get(), 0), 1u);
}

// --- packets of the generator -------------------------------------------------------------------

test_packet sample(uint8_t protocol, uint32_t bytes) {
    test_packet packet{};
    packet.from = 0x0a000001;
    packet.to = 0x0a000002;
    packet.port = 9;
    packet.protocol = protocol;
    packet.number = 0x123456;
    packet.payload_bytes = bytes;
    return packet;
}

TEST(TestPacket, IsReadAsWritten) {
    for (const uint8_t protocol : {uint8_t{TEST_UDP}, uint8_t{TEST_TCP}}) {
        for (const uint32_t bytes : {8u, 9u, 100u, 1459u}) {
            std::vector<uint8_t> frame(2000);
            const test_packet packet = sample(protocol, bytes);
            const uint32_t size = test_packet_write(&packet, TEST_CHECKSUM_COMPLETE, frame.data());
            test_packet read{};
            uint32_t vlan = 0;
            ASSERT_EQ(test_packet_read(frame.data(), size, 9, &read, &vlan), TEST_GOOD);
            EXPECT_EQ(read.number, packet.number);
            EXPECT_EQ(read.payload_bytes, bytes);
            EXPECT_EQ(test_packet_read(frame.data(), size, 10, &read, &vlan), TEST_OTHER);
        }
    }
}

TEST(TestPacket, EveryFlippedBitOfThePacketIsNoticed) {
    std::vector<uint8_t> frame(300);
    const test_packet packet = sample(TEST_UDP, 64);
    const uint32_t size = test_packet_write(&packet, TEST_CHECKSUM_COMPLETE, frame.data());
    for (uint32_t bit = 14 * 8; bit < size * 8; ++bit) {
        const auto flip = [&frame, bit] {
            frame[bit / 8] = static_cast<uint8_t>(frame[bit / 8] ^ (1u << bit % 8));
        };
        flip();
        test_packet read{};
        uint32_t vlan = 0;
        EXPECT_NE(test_packet_read(frame.data(), size, 9, &read, &vlan), TEST_GOOD) << bit;
        flip();
    }
}

TEST(TestPacket, AWrongPayloadIsNoticedEvenUnderARightChecksum) {
    std::vector<uint8_t> frame(300);
    const test_packet packet = sample(TEST_UDP, 64);
    const uint32_t size = test_packet_write(&packet, TEST_CHECKSUM_COMPLETE, frame.data());
    ASSERT_NE(frame[60], frame[62]);
    std::swap(frame[60], frame[62]); /* the sum of 16-bit words does not change */
    test_packet read{};
    uint32_t vlan = 0;
    EXPECT_EQ(test_packet_read(frame.data(), size, 9, &read, &vlan), TEST_BAD_DATA);
}

TEST(TestPacket, TheSeedCompletedByHardwareIsTheChecksum) {
    std::vector<uint8_t> complete(2000), seeded(2000);
    const test_packet packet = sample(TEST_TCP, 777);
    const uint32_t size = test_packet_write(&packet, TEST_CHECKSUM_COMPLETE, complete.data());
    ASSERT_EQ(test_packet_write(&packet, TEST_CHECKSUM_SEED, seeded.data()), size);
    const auto insert = [&seeded](uint32_t start, uint32_t end, uint32_t at) {
        uint32_t sum = 0;
        for (uint32_t i = start; i < end; i += 2) {
            sum += static_cast<uint32_t>(seeded[i] << 8 | (i + 1 < end ? seeded[i + 1] : 0));
        }
        while (sum >> 16 != 0) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        seeded[at] = static_cast<uint8_t>(~sum >> 8);
        seeded[at + 1] = static_cast<uint8_t>(~sum);
    };
    insert(14, 34, 24);
    insert(34, size, 50);
    EXPECT_EQ(seeded, complete);
}

// --- events -------------------------------------------------------------------------------------

TEST(EventCodes, AreThoseOfTheSchema) {
    using doorbell::EventType;
    const std::pair<int, EventType> codes[] = {{EVENT_SYSCALL_ENTER, EventType::kSyscallEnter},
                                               {EVENT_SYSCALL_EXIT, EventType::kSyscallExit},
                                               {EVENT_LAYER, EventType::kLayer},
                                               {EVENT_TCP_SEGMENT, EventType::kTcpSegment},
                                               {EVENT_SOCKET_BUFFER, EventType::kSocketBuffer},
                                               {EVENT_THREAD_BLOCK, EventType::kThreadBlock},
                                               {EVENT_THREAD_WAKE, EventType::kThreadWake},
                                               {EVENT_ROUTE, EventType::kRoute},
                                               {EVENT_ARP, EventType::kArp},
                                               {EVENT_HARD_IRQ_ENTER, EventType::kHardIrqEnter},
                                               {EVENT_HARD_IRQ_EXIT, EventType::kHardIrqExit},
                                               {EVENT_SOFTIRQ_RAISE, EventType::kSoftirqRaise},
                                               {EVENT_SOFTIRQ_ENTER, EventType::kSoftirqEnter},
                                               {EVENT_SOFTIRQ_EXIT, EventType::kSoftirqExit},
                                               {EVENT_NAPI_POLL, EventType::kNapiPoll},
                                               {EVENT_KSOFTIRQD, EventType::kKsoftirqd},
                                               {EVENT_QUEUE_STOP, EventType::kQueueStop},
                                               {EVENT_PACKET_MADE, EventType::kPacketMade},
                                               {EVENT_PACKET_READ, EventType::kPacketRead},
                                               {EVENT_TCP_WINDOW, EventType::kTcpWindow}};
    for (const auto& [ours, theirs] : codes) {
        EXPECT_EQ(ours, static_cast<int>(theirs));
    }
}

// --- options ------------------------------------------------------------------------------------

struct Arguments {
    uint16_t listen;
    uint32_t to;
    uint16_t port;
    uint64_t count, offload;
    const char* file;
    uint8_t mac[6];
    uint64_t limitless;
};

const option kOptions[] = {
    {"--listen", OPTION_PORT, OPTION_EITHER, nullptr, 0, 0, offsetof(Arguments, listen)},
    {"--to", OPTION_ADDRESS, OPTION_OR, nullptr, 0, 0, offsetof(Arguments, to)},
    {"--port", OPTION_PORT, OPTION_OR, nullptr, 0, 0, offsetof(Arguments, port)},
    {"--file", OPTION_TEXT, OPTION_REQUIRED, "NAME", 0, 0, offsetof(Arguments, file)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 2, 9, offsetof(Arguments, count)},
    {"--offload", OPTION_SWITCH, OPTION_OPTIONAL, nullptr, 0, 1, offsetof(Arguments, offload)},
    {"--mac", OPTION_MAC, OPTION_OPTIONAL, nullptr, 0, 0, offsetof(Arguments, mac)},
    {"--most", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT64_MAX, offsetof(Arguments, limitless)},
    OPTION_END};

TEST(Options, TheSynopsisHasRangesAndAlternatives) {
    char text[256];
    options_synopsis(kOptions, text, sizeof text);
    EXPECT_STREQ(text,
                 "(--listen PORT | --to ADDRESS --port PORT) --file NAME [--count N:2..9] "
                 "[--offload 0|1] [--mac MAC] [--most N:1..]");
    options_synopsis(kOptions, text, 12);
    EXPECT_STREQ(text, "(--listen P") << "cut off, not beyond the buffer";
    const option open[] = {{"--a", OPTION_NUMBER, OPTION_EITHER, "BYTES", 1, UINT64_MAX, 0},
                           {"--b", OPTION_NUMBER, OPTION_OR, "N", 0, 1, 8},
                           OPTION_END};
    options_synopsis(open, text, sizeof text);
    EXPECT_STREQ(text, "(--a BYTES:1.. | --b N:0..1)");
}

std::string parse(std::vector<const char*> words, Arguments& arguments) {
    words.insert(words.begin(), "app");
    char why[128] = "";
    const bool good = options_parse(kOptions, static_cast<int>(words.size()), words.data(),
                                    &arguments, why, sizeof why);
    EXPECT_EQ(good, *why == '\0');
    return why;
}

TEST(Options, AreTakenByTheirTableAndDefaultsStay) {
    Arguments a{};
    a.count = 5;
    EXPECT_EQ(parse({"--to", "10.0.0.1", "--port", "80", "--file", "x", "--offload", "1", "--mac",
                     "02:00:00:00:01:fF"},
                    a),
              "");
    EXPECT_EQ(a.to, ip("10.0.0.1"));
    EXPECT_EQ(a.port, 80);
    EXPECT_STREQ(a.file, "x");
    EXPECT_EQ(a.count, 5u);
    EXPECT_EQ(a.offload, 1u);
    EXPECT_EQ(a.mac[5], 0xff);
    for (const char* edge : {"2", "9"}) {
        EXPECT_EQ(parse({"--listen", "1", "--file", "x", "--count", edge}, a), "");
    }
    EXPECT_EQ(parse({"--listen", "1", "--file", "x", "--most", "18446744073709551615"}, a), "");
    EXPECT_EQ(a.limitless, UINT64_MAX);
}

TEST(Options, EveryMistakeIsSaid) {
    Arguments a{};
    const auto with = [&](const char* name, const char* value) {
        return parse({"--listen", "1", "--file", "x", name, value}, a);
    };
    EXPECT_EQ(with("--count", "1"), "--count takes a number, 2..9, not '1'");
    EXPECT_EQ(with("--count", "10"), "--count takes a number, 2..9, not '10'");
    EXPECT_EQ(with("--count", ""), "--count takes a number, 2..9, not ''");
    EXPECT_EQ(with("--most", "18446744073709551616"),
              "--most takes a number, 1.., not '18446744073709551616'");
    EXPECT_EQ(with("--offload", "2"), "--offload takes 0 or 1, not '2'");
    EXPECT_EQ(with("--mac", "2:0:0:0:1:0"), "--mac takes aa:bb:cc:dd:ee:ff, not '2:0:0:0:1:0'");
    EXPECT_EQ(with("--file", "y"), "--file is given twice");
    EXPECT_EQ(with("--cuont", "3"), "there is no option '--cuont'");
    EXPECT_EQ(parse({"--listen", "1"}, a), "--file is missing");
    EXPECT_EQ(parse({"--listen"}, a), "--listen needs a value");
    const char* either = "needs either --listen PORT or --to ADDRESS --port PORT";
    EXPECT_EQ(parse({"--file", "x"}, a), either);
    EXPECT_EQ(parse({"--file", "x", "--to", "10.0.0.1"}, a), either);
    EXPECT_EQ(with("--port", "1"), either);
}

}  // namespace
