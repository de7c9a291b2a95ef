// TCP over two whole images: files arrive whole whatever the wire does, buffers push back, and
// every step of the way is an event.
#include <map>
#include <set>

#include "guest_stack/test/guest_pair.hpp"

namespace guest_test {
namespace {

using ::testing::HasSubstr;

const App kSend{{"tcp_send", "--to", "10.0.0.2", "--port", "5001", "--file", "in"}};
const App kReceive{{"tcp_receive", "--port", "5001", "--file", "out"}};

class FileOverTcp : public ::testing::TestWithParam<size_t> {};

TEST_P(FileOverTcp, ArrivesWholeWithoutRetransmission) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(GetParam());
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_EQ(pair.a->metrics()["tcp.retransmissions"], 0u);
    EXPECT_EQ(pair.a->metrics()["app.0.bytes"], GetParam());
    EXPECT_EQ(pair.b->metrics()["app.0.bytes"], GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, FileOverTcp, ::testing::Values(0, 1, 1460, 1461, 65536, 3000000));

TEST(Tcp, FillsAGigabitLink) {
    Pair pair({{{"tcp_send", "--to", "10.0.0.2", "--port", "1", "--file", "generate:20000000"}}},
              {{{"tcp_receive", "--port", "1", "--file", "discard:"}}});
    pair.a->nic(0).moderation_ps = pair.b->nic(0).moderation_ps = 50 * kMicrosecond;
    ASSERT_TRUE(pair.run());
    ASSERT_TRUE(pair.all_good());
    // 949 Mb/s is what Ethernet leaves of 1 Gb/s with an MSS of 1460.
    EXPECT_GT(pair.b->metrics()["tcp.goodput_bps"], 930000000u);
    EXPECT_LT(pair.b->metrics()["tcp.goodput_bps"], 950000000u);
    EXPECT_EQ(pair.a->metrics()["tcp.retransmissions"], 0u);
}

TEST(Tcp, CostsFewResumptionsAndDoorbellsPerFrame) {
    Pair pair({{{"tcp_send", "--to", "10.0.0.2", "--port", "1", "--file", "generate:20000000"}}},
              {{{"tcp_receive", "--port", "1", "--file", "discard:"}}});
    pair.a->nic(0).moderation_ps = pair.b->nic(0).moderation_ps = 50 * kMicrosecond;
    ASSERT_TRUE(pair.run());
    const uint64_t frames = pair.a->nic(0).frames + pair.b->nic(0).frames;
    EXPECT_LT(pair.world.resumptions(), 2 * frames);
    EXPECT_LT(pair.a->metrics()["nic0.driver.tx_doorbells"], pair.a->nic(0).frames / 2);
}

TEST(Tcp, ArrivesWholeOverAWireThatLosesAndDamagesFrames) {
    for (const bool nic_verifies : {true, false}) {
        Pair pair({kSend}, {kReceive}, {},
                  {{"driver.rx_checksum", nic_verifies ? "true" : "false"}});
        pair.a->files["in"] = bytes(300000);
        uint32_t count = 0;
        pair.a->nic(0).on_wire = [&count](std::vector<uint8_t>& frame) {
            ++count;
            if (count % 37 == 0) {
                return false;
            }
            if (count % 41 == 0) {
                frame[frame.size() / 2] ^= 0x10;
            }
            return true;
        };
        ASSERT_TRUE(pair.run(600 * kSecond));
        EXPECT_TRUE(pair.all_good());
        EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
        auto a = pair.a->metrics();
        auto b = pair.b->metrics();
        EXPECT_GT(a["tcp.retransmissions"], 5u);
        EXPECT_GE(a["tcp.retransmissions_bytes"], a["tcp.retransmissions"]);
        EXPECT_GT(a["tcp.fast_retransmits"] + a["tcp.timeouts"], 0u);
        EXPECT_GT(b["l4.checksum_bad"] + b["ip.checksum_bad"], 3u);
    }
}

class Offload : public ::testing::TestWithParam<bool> {};

TEST_P(Offload, ChecksumsAreRightWhoeverComputesThem) {
    const std::string on = GetParam() ? "true" : "false";
    const Settings settings{{"driver.tx_checksum", on}, {"driver.rx_checksum", on}};
    Pair pair({kSend, {{"ping", "--to", "10.0.0.2"}}}, {kReceive}, settings, settings);
    pair.a->files["in"] = bytes(200000);
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    auto a = pair.a->metrics();
    auto b = pair.b->metrics();
    EXPECT_EQ(a["l4.checksum_bad"] + b["l4.checksum_bad"], 0u);
    EXPECT_EQ(a["tcp.retransmissions"], 0u);
    if (GetParam()) {
        EXPECT_GT(a["checksum.nic"], 137u);
        EXPECT_LT(a["checksum.software"], 20u); /* ICMP's */
    } else {
        EXPECT_EQ(a["checksum.nic"], 0u);
        EXPECT_GT(a["checksum.software"], 137u);
        EXPECT_GT(b["checksum.software"], 137u);
    }
}

INSTANTIATE_TEST_SUITE_P(OnAndOff, Offload, ::testing::Bool());

TEST(Tcp, SoftwareChecksumsCostCpuTime) {
    uint64_t busy_ns[2];
    for (const bool offload : {false, true}) {
        const Settings settings{{"driver.tx_checksum", offload ? "true" : "false"}};
        Pair pair({kSend}, {kReceive}, settings);
        pair.a->files["in"] = bytes(1000000);
        ASSERT_TRUE(pair.run());
        busy_ns[offload] = pair.a->metrics()["cpu.busy_ns"];
    }
    // 1 MB at 160 ps a byte, give or take the scheduling that it changes.
    EXPECT_GT(busy_ns[0], busy_ns[1] + 100000);
}

TEST(Tcp, ASlowReaderClosesTheWindowAndBlocksTheWriter) {
    Pair pair({kSend}, {{{"tcp_receive", "--port", "5001", "--file", "out", "--delay-us", "20000",
                          "--read-bytes", "8192", "--rcvbuf", "16384"}}});
    pair.a->files["in"] = bytes(400000);
    pair.a->listen();
    pair.b->listen();
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    auto a = pair.a->metrics();
    EXPECT_GT(a["socket.send_blocked_ns"], 300000000u);
    bool blocked = false;
    for (const Report& r : pair.a->reports(EVENT_THREAD_BLOCK)) {
        blocked = blocked || r.report.args[1] == BLOCK_SEND_BUFFER;
    }
    EXPECT_TRUE(blocked);
    uint64_t fullest = 0;
    for (const Report& r : pair.a->reports(EVENT_SOCKET_BUFFER)) {
        ASSERT_LE(r.report.args[2], r.report.args[3]);
        if (r.report.args[1] == 0) {
            fullest = std::max(fullest, r.report.args[2]);
        }
    }
    EXPECT_EQ(fullest, 65535u);
    // The smaller receive buffer holds once the first window is used up.
    const std::vector<Report> fills = pair.b->reports(EVENT_SOCKET_BUFFER);
    for (size_t i = fills.size() / 2; i < fills.size(); ++i) {
        EXPECT_LE(fills[i].report.args[2], 16384u);
    }
}

TEST(Tcp, ProbesOfAClosedWindowAreNoRetransmissions) {
    Pair pair({kSend}, {{{"tcp_receive", "--port", "5001", "--file", "out", "--delay-us", "8000000",
                          "--read-bytes", "65535"}}});
    pair.a->files["in"] = bytes(200000);
    ASSERT_TRUE(pair.run(600 * kSecond));
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_GT(pair.a->metrics()["tcp.window_probes"], 2u);
    EXPECT_EQ(pair.a->metrics()["tcp.retransmissions"], 0u);
}

TEST(Tcp, SegmentsCutToASmallWindowHaveRightChecksums) {
    // One segment of 1460 bytes leaves a window of 540; the next one is cut to it in the end.
    Pair pair({kSend}, {{{"tcp_receive", "--port", "5001", "--file", "out", "--rcvbuf", "2000",
                          "--read-bytes", "65535", "--delay-us", "4000000"}}});
    pair.a->files["in"] = bytes(75000);
    pair.a->listen();
    ASSERT_TRUE(pair.run(600 * kSecond));
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    bool cut = false;
    for (const Report& r : pair.a->reports(EVENT_TCP_SEGMENT)) {
        cut = cut || (r.report.args[1] > 1 && r.report.args[1] < 1000);
    }
    EXPECT_TRUE(cut);
    EXPECT_EQ(pair.b->metrics()["l4.checksum_bad"], 0u);
}

TEST(Tcp, FramesThatComeWhileTheDriverIsBusyAreNotForgotten) {
    // The worker thread reads the link every two seconds, and the driver sleeps in that.
    Pair pair({kSend}, {kReceive});
    pair.a->nic(0).rate_bps = pair.b->nic(0).rate_bps = 10000000;
    pair.a->files["in"] = bytes(6000000);
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_GT(pair.b->metrics()["softirq.timer"], 1u);
    EXPECT_GT(pair.b->metrics()["irq.timer"], 1u);
    EXPECT_EQ(pair.a->metrics()["tcp.retransmissions"], 0u);
}

TEST(Tcp, AHungTransmitterIsResetAndTheFileStillArrives) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(500000);
    pair.world.at(3 * kMillisecond, [&pair] { pair.a->nic(0).stuck = true; });
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_EQ(pair.a->metrics()["nic0.resets"], 1u);
    EXPECT_EQ(pair.a->metrics()["nic0.driver.resets"], 1u);
    EXPECT_THAT(pair.a->log(), HasSubstr("the transmitter hangs, resetting"));
}

TEST(Tcp, BothDirectionsAtOnceShareOneConnection) {
    Pair pair({{{"tcp_bidirectional", "--to", "10.0.0.2", "--port", "7", "--send", "in",
                 "--receive", "out"}}},
              {{{"tcp_bidirectional", "--listen", "7", "--send", "in", "--receive", "out"}}});
    pair.a->files["in"] = bytes(700001);
    pair.b->files["in"] = bytes(500003);
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_EQ(pair.a->files["out"], pair.b->files["in"]);
}

TEST(Tcp, RequestsAreAnsweredAndTimed) {
    Pair pair({{{"tcp_request_client", "--to", "10.0.0.2", "--port", "7", "--count", "200",
                 "--request-bytes", "100", "--response-bytes", "5000"}}},
              {{{"tcp_request_server", "--port", "7", "--request-bytes", "100", "--response-bytes",
                 "5000"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    auto a = pair.a->metrics();
    EXPECT_EQ(a["app.0.operations"], 200u);
    EXPECT_EQ(a["app.0.errors"], 0u);
    EXPECT_GT(a["app.0.latency_min_ns"], 40000u); /* four frames of 1 Gb/s and 1 us each way */
    EXPECT_LE(a["app.0.latency_min_ns"], a["app.0.latency_p50_ns"]);
    EXPECT_LE(a["app.0.latency_p50_ns"], a["app.0.latency_p90_ns"]);
    EXPECT_LE(a["app.0.latency_p90_ns"], a["app.0.latency_p99_ns"]);
    EXPECT_LE(a["app.0.latency_p99_ns"], a["app.0.latency_max_ns"]);
    EXPECT_LT(a["app.0.latency_p50_ns"], 200000u);
}

TEST(Tcp, AFileSurvivesTheCableBeingPulled) {
    Pair pair({{{"tcp_send", "--to", "10.0.0.2", "--port", "5001", "--file", "in"}}}, {kReceive});
    pair.a->files["in"] = bytes(3000000);
    ASSERT_EQ(pair.a->start(), 0);
    ASSERT_EQ(pair.b->start(), 0);
    const auto set = [&pair](bool up) {
        pair.a->nic(0).set_link(up);
        pair.b->nic(0).set_link(up);
    };
    pair.world.at(10 * kMillisecond, [set] { set(false); });
    pair.world.at(700 * kMillisecond, [set] { set(true); });
    ASSERT_TRUE(pair.go_on());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    auto a = pair.a->metrics();
    EXPECT_EQ(a["nic0.link.changes"], 3u);
    EXPECT_GT(a["nic0.drops.tx_no_carrier"] + a["tcp.retransmissions"], 0u);
    EXPECT_THAT(pair.a->log(), HasSubstr("link down"));
}

TEST(Tcp, AFullRingStopsTheQueueAndNothingIsLost) {
    Pair pair({kSend}, {kReceive}, {{"driver.tx_ring", "8"}, {"kernel.txqueuelen", "4"}});
    pair.a->files["in"] = bytes(500000);
    pair.a->listen();
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    auto a = pair.a->metrics();
    EXPECT_GT(a["nic0.tx.queue_stops"], 10u);
    EXPECT_EQ(a["nic0.tx.queue_stops"], a["nic0.tx.queue_restarts"]);
    EXPECT_GT(a["nic0.drops.tx_queue_full"] + a["tx.no_memory"], 0u);
    EXPECT_GT(a["softirq.net_tx"], 10u);
    EXPECT_EQ(a["tcp.retransmissions"], 0u);
    EXPECT_FALSE(pair.a->reports(EVENT_QUEUE_STOP).empty());
    uint64_t segments = 0; /* a segment for which there is no room is not even made */
    for (const Report& r : pair.a->reports(EVENT_TCP_SEGMENT)) {
        segments += r.report.packet != 0 ? 1 : 0;
    }
    EXPECT_EQ(segments, a["tcp.data_segments"]);
}

TEST(Tcp, AConnectionThePeerResetsIsNotOpenAnyMore) {
    // Nobody listens: the answer to SYN is RST.
    Pair pair({{{"tcp_request_client", "--to", "10.0.0.2", "--port", "7", "--count", "5"}}}, {});
    ASSERT_TRUE(pair.run());
    EXPECT_NE(pair.a->status(0), 0);
    EXPECT_EQ(pair.a->metrics()["tcp.open_connections"], 0u);
}

TEST(Tcp, AnOpenConnectionCounts) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(3000000);
    (void)pair.run(20 * kMillisecond);
    EXPECT_EQ(pair.a->metrics()["tcp.open_connections"], 1u);
    ASSERT_TRUE(pair.go_on());
    EXPECT_EQ(pair.a->metrics()["tcp.open_connections"], 0u);
    EXPECT_EQ(pair.b->metrics()["tcp.open_connections"], 0u);
}

TEST(Tcp, GoesOnAsSoonAsTheQueueHasRoomAgain) {
    // Somebody else keeps the transmit queue full. A segment that was refused has nothing under way
    // whose acknowledgement could bring TCP back to it.
    Pair pair({{{"packet_generator", "--count", "3000"}, 5 * kMillisecond},
               {{"tcp_request_client", "--to", "10.0.0.2", "--port", "7", "--count", "500"}}},
              {{{"packet_sink", "--count", "3000"}}, {{"tcp_request_server", "--port", "7"}}},
              {{"driver.tx_ring", "8"}, {"kernel.txqueuelen", "4"}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    auto a = pair.a->metrics();
    EXPECT_EQ(a["app.1.operations"], 500u);
    EXPECT_GT(a["nic0.drops.tx_queue_full"], 20u);
    EXPECT_EQ(a["tcp.retransmissions"], 0u);
    EXPECT_LT(a["app.1.latency_max_ns"], 10000000u); /* no timer of TCP's was needed */
}

TEST(Tcp, SaysBesideEachSegmentWhatIsAcknowledgedAndHowFarItMayGo) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(300000);
    pair.a->listen();
    pair.b->listen();
    ASSERT_TRUE(pair.run());
    ASSERT_TRUE(pair.all_good());
    constexpr uint64_t kSyn = 0x02, kAck = 0x10;
    const std::vector<Report>& reports = pair.a->reports();
    uint64_t first = 0, narrowest = UINT64_MAX, widest = 0;
    uint32_t acknowledged = 0;
    for (size_t i = 1; i + 1 < reports.size(); ++i) {
        const auto& segment = reports[i].report;
        if (segment.type != EVENT_TCP_SEGMENT) continue;
        const auto& before = reports[i - 1].report;
        const bool up = before.type == EVENT_LAYER && before.args[0] == LAYER_TCP &&
                        before.args[1] == DIRECTION_UP;
        const auto& window = reports[i + 1].report;
        ASSERT_EQ(window.type, EVENT_TCP_WINDOW) << i;
        EXPECT_EQ(window.packet, segment.packet) << i;
        EXPECT_EQ((segment.args[2] & kAck) != 0, window.args[0] != 0) << i;
        if (first == 0) {
            ASSERT_EQ(segment.args[2], kSyn);
            first = segment.args[0];
        } else if (up) {
            EXPECT_GE(static_cast<uint32_t>(window.args[0]), acknowledged);
            acknowledged = static_cast<uint32_t>(window.args[0]);
        } else if (segment.args[1] > 0) {
            EXPECT_LE(window.args[3] + segment.args[1], window.args[1]) << i;
            narrowest = std::min(narrowest, window.args[1]);
            widest = std::max(widest, window.args[1]);
        }
    }
    EXPECT_EQ(acknowledged, static_cast<uint32_t>(first + 300002)) << "SYN, bytes, FIN";
    EXPECT_LE(narrowest, 4380u) << "RFC 5681 3.1: at most three full segments to begin with";
    EXPECT_GT(widest, 10 * 1460u) << "and slow start opens it";
    // What arrives with data has the identity of the data.
    uint32_t named = 0;
    const std::vector<Report>& arrived = pair.b->reports();
    for (size_t i = 0; i + 1 < arrived.size(); ++i) {
        if (arrived[i].report.type != EVENT_TCP_SEGMENT) continue;
        ASSERT_EQ(arrived[i + 1].report.type, EVENT_TCP_WINDOW) << i;
        EXPECT_EQ(arrived[i + 1].report.packet, arrived[i].report.packet) << i;
        named += arrived[i].report.packet != 0 ? 1 : 0;
    }
    EXPECT_GE(named, 300000u / 1460u);
}

TEST(Tcp, UsesItsWholeWindowOverALongWay) {
    Pair pair({{{"tcp_send", "--to", "10.0.0.2", "--port", "1", "--file", "generate:5000000"}}},
              {{{"tcp_receive", "--port", "1", "--file", "discard:"}}});
    pair.a->nic(0).delay_ps = pair.b->nic(0).delay_ps = 5 * kMillisecond;
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    // 65,535 bytes in a bit more than 10 ms are 52 Mb/s.
    EXPECT_GT(pair.b->metrics()["tcp.goodput_bps"], 35000000u);
}

TEST(Tcp, AReceiveRingThatRunsDryLosesFramesButNoData) {
    Pair pair({kSend}, {kReceive}, {},
              {{"driver.rx_ring", "8"}, {"kernel.napi_budget", "4"}, {"cpu.tcp_ns", "30000"}});
    pair.a->files["in"] = bytes(500000);
    ASSERT_TRUE(pair.run(600 * kSecond));
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_GT(pair.b->nic(0).missed, 0u);
    EXPECT_GT(pair.b->metrics()["nic0.napi.budget_exhausted"], 0u);
    EXPECT_EQ(pair.b->metrics()["nic0.napi.poll_max"], 4u);
    for (const Report& r : pair.b->reports(EVENT_NAPI_POLL)) {
        EXPECT_LE(r.report.args[1], 4u);
        EXPECT_EQ(r.report.args[2], 4u);
    }
    EXPECT_GT(pair.a->metrics()["tcp.retransmissions"], 0u);
}

TEST(Tcp, NobodyListeningIsAFailureAfterPatience) {
    Pair pair(
        {{{"tcp_send", "--to", "10.0.0.2", "--port", "9", "--file", "in", "--patience-ms", "100"}}},
        {});
    pair.a->files["in"] = "x";
    ASSERT_TRUE(pair.run());
    EXPECT_NE(pair.a->status(0), 0);
    EXPECT_THAT(pair.a->log(), HasSubstr("connect: Connection"));
}

// --- events
// ---------------------------------------------------------------------------------------

TEST(Events, APacketKeepsItsIdentityFromTheWriteToTheRead) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(100000);
    pair.a->listen();
    pair.b->listen();
    uint32_t count = 0;
    pair.a->nic(0).on_wire = [&count](std::vector<uint8_t>&) { return ++count != 30; };
    ASSERT_TRUE(pair.run());
    ASSERT_TRUE(pair.all_good());
    std::map<uint64_t, std::pair<uint64_t, uint64_t>> made;
    for (const Report& r : pair.a->reports(EVENT_PACKET_MADE)) {
        made[r.report.packet] = {r.report.args[1], r.report.args[2]};
    }
    std::map<uint64_t, uint64_t> read;
    for (const Report& r : pair.b->reports(EVENT_PACKET_READ)) {
        ASSERT_TRUE(made.count(r.report.packet)) << r.report.packet;
        read[r.report.packet] += r.report.args[1];
    }
    uint64_t end = 0;
    for (const auto& [packet, range] : made) {
        EXPECT_EQ(range.first, end); /* the ranges tile the stream */
        end = range.second;
        EXPECT_EQ(read[packet], range.second - range.first);
    }
    EXPECT_EQ(end, 100000u);
    // The lost segment went out again under the same identity.
    std::map<uint64_t, uint32_t> sent;
    for (const Report& r : pair.a->reports(EVENT_TCP_SEGMENT)) {
        if (r.report.packet != 0 && r.report.args[1] > 0) {
            EXPECT_TRUE(made.count(r.report.packet));
            ++sent[r.report.packet];
        }
    }
    uint32_t again = 0;
    for (const auto& [packet, times] : sent) {
        again += times - 1;
    }
    EXPECT_GT(again, 0u);
    EXPECT_EQ(again, pair.a->metrics()["tcp.retransmissions"]);
}

TEST(Events, EveryLayerOfTheJourneyIsCrossedOnce) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(1000);
    pair.a->listen();
    pair.b->listen();
    ASSERT_TRUE(pair.run());
    const std::vector<Report> made = pair.a->reports(EVENT_PACKET_MADE);
    ASSERT_EQ(made.size(), 1u);
    const auto crossed = [&made](const TestHost& host, uint64_t direction) {
        std::vector<uint64_t> layers;
        uint64_t last = 0;
        for (const Report& r : host.reports(EVENT_LAYER)) {
            if (r.report.packet == made[0].report.packet && r.report.args[1] == direction) {
                layers.push_back(r.report.args[0]);
                EXPECT_GE(r.time, last);
                EXPECT_GT(r.report.args[3], 0u);
                last = r.time;
            }
        }
        return layers;
    };
    EXPECT_EQ(
        crossed(*pair.a, DIRECTION_DOWN),
        (std::vector<uint64_t>{LAYER_TCP, LAYER_IP, LAYER_ARP, LAYER_ETHERNET, LAYER_DRIVER}));
    EXPECT_EQ(crossed(*pair.b, DIRECTION_UP),
              (std::vector<uint64_t>{LAYER_DRIVER, LAYER_ETHERNET, LAYER_IP, LAYER_TCP}));
}

// A layer's report comes when it is done, so it began its cost before that.
TEST(Events, EachLayerOnTheWayDownBeginsWhenTheOneAboveEnds) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(100000);
    pair.a->listen();
    ASSERT_TRUE(pair.run());
    std::map<uint64_t, uint64_t> ended;
    size_t checked = 0;
    for (const Report& r : pair.a->reports()) {
        if (r.report.type != EVENT_LAYER || r.report.args[1] != DIRECTION_DOWN ||
            r.report.packet == 0) {
            continue;
        }
        const uint64_t end = r.time + r.report.ahead_ps;
        if (r.report.args[0] != LAYER_TCP) {
            EXPECT_EQ(end - r.report.args[3], ended[r.report.packet])
                << "layer " << r.report.args[0];
            ++checked;
        }
        ended[r.report.packet] = end;
    }
    EXPECT_GT(checked, 4 * ended.size() - 1);
}

TEST(Events, TheRouteAndTheAddressAreFoundForEachSegmentBeforeItsFrameIsMade) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(20000);
    pair.a->listen();
    ASSERT_TRUE(pair.run());
    for (const Report& made : pair.a->reports(EVENT_PACKET_MADE)) {
        std::vector<uint64_t> seen;
        for (const Report& r : pair.a->reports()) {
            if (r.report.packet != made.report.packet) {
                continue;
            }
            if (r.report.type == EVENT_ROUTE || r.report.type == EVENT_ARP) {
                seen.push_back(r.report.type);
            } else if (r.report.type == EVENT_LAYER && r.report.args[0] == LAYER_ETHERNET) {
                seen.push_back(EVENT_LAYER);
            }
        }
        EXPECT_EQ(seen, (std::vector<uint64_t>{EVENT_ROUTE, EVENT_ARP, EVENT_LAYER}));
    }
}

TEST(Events, SystemCallsEnterAndExitInPairs) {
    Pair pair({kSend}, {kReceive});
    pair.a->files["in"] = bytes(100000);
    pair.a->listen();
    ASSERT_TRUE(pair.run());
    std::vector<uint64_t> open;
    std::set<uint64_t> calls;
    for (const Report& r : pair.a->reports()) {
        if (r.report.type == EVENT_SYSCALL_ENTER) {
            open.push_back(r.report.args[0]);
            calls.insert(r.report.args[0]);
        } else if (r.report.type == EVENT_SYSCALL_EXIT) {
            ASSERT_FALSE(open.empty());
            EXPECT_EQ(open.back(), r.report.args[0]);
            open.pop_back();
        }
    }
    EXPECT_TRUE(open.empty());
    EXPECT_EQ(calls, (std::set<uint64_t>{SYSCALL_SOCKET, SYSCALL_CONNECT, SYSCALL_WRITE,
                                         SYSCALL_SHUTDOWN, SYSCALL_READ, SYSCALL_CLOSE}));
}

TEST(Events, TheSameRunTwiceIsTheSameStream) {
    std::vector<Report> first;
    for (int run = 0; run < 2; ++run) {
        Pair pair({kSend}, {kReceive});
        pair.a->files["in"] = bytes(100000);
        pair.a->listen();
        pair.b->listen();
        ASSERT_TRUE(pair.run());
        std::vector<Report> reports = pair.a->reports();
        reports.insert(reports.end(), pair.b->reports().begin(), pair.b->reports().end());
        if (run == 0) {
            first = reports;
            continue;
        }
        ASSERT_EQ(reports.size(), first.size());
        for (size_t i = 0; i < reports.size(); ++i) {
            ASSERT_EQ(reports[i].time, first[i].time) << i;
            ASSERT_EQ(reports[i].report.type, first[i].report.type) << i;
            ASSERT_EQ(reports[i].report.packet, first[i].report.packet) << i;
        }
    }
}

}  // namespace
}  // namespace guest_test
