// Below and beside TCP: UDP, ICMP, ARP, the routing table, several NICs, packets past the stack.
#include "guest_stack/test/guest_pair.hpp"

namespace guest_test {
namespace {

using ::testing::HasSubstr;

TEST(Udp, EchoesEveryDatagram) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--count", "50", "--size",
                 "1000"}}},
              {{{"udp_echo_server", "--port", "7", "--count", "50"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    auto a = pair.a->metrics();
    EXPECT_EQ(a["app.0.operations"], 50u);
    EXPECT_EQ(a["app.0.lost"], 0u);
    EXPECT_EQ(a["app.0.bytes"], 50000u);
    EXPECT_GT(a["app.0.latency_p50_ns"], 18000u); /* two frames of 1042 bytes at 1 Gb/s */
}

TEST(Udp, DatagramsLargerThanTheMtuAreFragmentedAndVerified) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--count", "5", "--size",
                 "8000"}}},
              {{{"udp_echo_server", "--port", "7"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.a->metrics()["app.0.operations"], 5u);
    EXPECT_EQ(pair.a->metrics()["app.0.lost"], 0u);
    // No NIC can do these, so software did.
    EXPECT_GE(pair.a->metrics()["checksum.software"], 5u);
    EXPECT_EQ(pair.a->metrics()["l4.checksum_bad"], 0u);
}

TEST(Udp, LostDatagramsAreCounted) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--count", "20",
                 "--timeout-ms", "20", "--max-lost", "5"}}},
              {{{"udp_echo_server", "--port", "7"}}});
    uint32_t count = 0;
    pair.a->nic(0).on_wire = [&count](std::vector<uint8_t>& frame) {
        return frame.size() < 100 || ++count % 5 != 0;
    };
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.a->metrics()["app.0.lost"], 4u);
    EXPECT_EQ(pair.a->metrics()["app.0.operations"], 16u);
}

TEST(Udp, TheIdentityOfADatagramReachesTheReader) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--count", "3"}}},
              {{{"udp_echo_server", "--port", "7", "--count", "3"}}});
    pair.a->listen();
    pair.b->listen();
    ASSERT_TRUE(pair.run());
    const auto made = pair.a->reports(EVENT_PACKET_MADE);
    const auto read = pair.b->reports(EVENT_PACKET_READ);
    ASSERT_EQ(made.size(), 3u);
    ASSERT_EQ(read.size(), 3u);
    for (size_t i = 0; i < 3; ++i) { /* the first one waited for ARP */
        EXPECT_NE(made[i].report.packet, 0u);
        EXPECT_EQ(made[i].report.packet, read[i].report.packet);
    }
}

TEST(Ping, IsAnsweredByThePeersStack) {
    Pair pair(
        {{{"ping", "--to", "10.0.0.2", "--count", "20", "--size", "1000", "--max-lost", "0"}}}, {});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    auto a = pair.a->metrics();
    EXPECT_EQ(a["app.0.operations"], 20u);
    EXPECT_GT(a["app.0.latency_p50_ns"], 16000u);
    EXPECT_LT(a["app.0.latency_p50_ns"], 100000u);
}

TEST(Ping, ToNobodyIsLost) {
    Pair pair({{{"ping", "--to", "10.0.0.77", "--count", "2", "--timeout-ms", "4000"}}}, {});
    pair.a->listen();
    ASSERT_TRUE(pair.run());
    EXPECT_NE(pair.a->status(0), 0);
    auto a = pair.a->metrics();
    EXPECT_EQ(a["app.0.lost"], 2u);
    EXPECT_EQ(a["arp.given_up"], 1u);
    std::vector<uint64_t> results;
    for (const Report& r : pair.a->reports(EVENT_ARP)) {
        if (r.report.args[0] == address("10.0.0.77")) {
            results.push_back(r.report.args[1]);
        }
    }
    ASSERT_GE(results.size(), 2u);
    EXPECT_EQ(results.front(), static_cast<uint64_t>(ARP_MISS));
    EXPECT_EQ(results.back(), static_cast<uint64_t>(ARP_GIVEN_UP));
}

TEST(Ping, ToOneselfNeedsNoWire) {
    Pair pair({{{"ping", "--to", "10.0.0.1", "--count", "3", "--max-lost", "0"}}}, {});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
}

TEST(Arp, MissesOnceThenHitsAndShowsLikeArp) {
    Pair pair({{{"ping", "--to", "10.0.0.2", "--count", "5"}}}, {});
    ASSERT_TRUE(pair.run());
    auto a = pair.a->metrics();
    EXPECT_EQ(a["arp.misses"], 1u);
    EXPECT_EQ(a["arp.hits"], 4u);
    EXPECT_EQ(a["arp.resolved"], 1u);
    EXPECT_GT(a["arp.wait_max_ns"], 1000u);
    EXPECT_THAT(pair.a->show("arp"), HasSubstr("? (10.0.0.2) at 02:00:00:00:"));
    EXPECT_THAT(pair.a->show("arp"), HasSubstr("[ether] on eth0"));
}

// --- several NICs
// -----------------------------------------------------------------------------------

struct TwoWays {
    World world;
    std::unique_ptr<TestHost> a, b;

    TwoWays(std::vector<App> a_apps, std::vector<App> b_apps, std::vector<guest_route> a_routes,
            std::vector<guest_route> b_routes) {
        a = std::make_unique<TestHost>(
            world, DOORBELL_FAKE_GUEST, 2,
            HostConfig{"a",
                       {{0, address("10.0.0.1"), 24, 1500}, {1, address("10.1.0.1"), 24, 1500}},
                       std::move(a_routes),
                       std::move(a_apps),
                       {}});
        b = std::make_unique<TestHost>(
            world, DOORBELL_FAKE_GUEST, 2,
            HostConfig{"b",
                       {{0, address("10.0.0.2"), 24, 1500}, {1, address("10.1.0.2"), 24, 1500}},
                       std::move(b_routes),
                       std::move(b_apps),
                       {}});
        connect(a->nic(0), b->nic(0));
        connect(a->nic(1), b->nic(1));
    }
    bool run() {
        return a->start() == 0 && b->start() == 0 &&
               world.run_until([this] { return a->done() && b->done(); }, 60 * kSecond);
    }
};

TEST(Routes, TheDestinationsNetworkChoosesTheNic) {
    TwoWays hosts({{{"ping", "--to", "10.0.0.2", "--count", "4"}},
                   {{"ping", "--to", "10.1.0.2", "--count", "9"}, 500 * kMillisecond}},
                  {}, {}, {});
    hosts.a->listen();
    ASSERT_TRUE(hosts.run()) << hosts.world.failure();
    EXPECT_EQ(hosts.a->status(0), 0);
    EXPECT_EQ(hosts.a->status(1), 0);
    // Echo requests, one ARP request, one ARP answer at most, two gratuitous ones.
    EXPECT_GE(hosts.a->nic(0).frames, 5u);
    EXPECT_LE(hosts.a->nic(0).frames, 8u);
    EXPECT_GE(hosts.a->nic(1).frames, 10u);
    EXPECT_LE(hosts.a->nic(1).frames, 13u);
    for (const Report& r : hosts.a->reports(EVENT_ROUTE)) {
        EXPECT_EQ(r.report.args[2], r.report.args[0] == address("10.1.0.2") ? 1u : 0u);
    }
}

TEST(Routes, TheLongestPrefixWinsAndItsGatewayGetsTheFrames) {
    // 10.9.0.0/16 through NIC 0, of it 10.9.7.0/24 through NIC 1; the gateways forward.
    TwoWays hosts({{{"ping", "--to", "10.9.7.7", "--count", "6", "--timeout-ms", "50"}}}, {},
                  {{address("10.9.0.0"), 16, address("10.0.0.2"), 0, 0},
                   {address("10.9.7.0"), 24, address("10.1.0.2"), 1, 0},
                   {0, 0, address("10.0.0.2"), 0, 0}},
                  {});
    uint32_t to_gateway = 0;
    hosts.a->nic(1).on_wire = [&to_gateway](std::vector<uint8_t>& frame) {
        to_gateway += frame[12] == 8 && frame[13] == 0 && frame[5] == 1; /* b's NIC 1 */
        return true;
    };
    ASSERT_TRUE(hosts.run()) << hosts.world.failure();
    EXPECT_NE(hosts.a->status(0), 0); /* nobody is behind the gateway */
    EXPECT_EQ(to_gateway, 6u);
    EXPECT_EQ(hosts.a->show("route"),
              "Kernel IP routing table\n"
              "Destination     Gateway         Genmask         Flags Metric Iface\n"
              "10.0.0.0        0.0.0.0         255.255.255.0   U     0      eth0\n"
              "10.1.0.0        0.0.0.0         255.255.255.0   U     0      eth1\n"
              "10.9.7.0        10.1.0.2        255.255.255.0   UG    0      eth1\n"
              "10.9.0.0        10.0.0.2        255.255.0.0     UG    0      eth0\n"
              "0.0.0.0         10.0.0.2        0.0.0.0         UG    0      eth0\n");
}

TEST(Routes, ANetworkMayBeOnTheLinkWithoutAnAddressInIt) {
    World world;
    TestHost a(world, DOORBELL_FAKE_GUEST, 1,
               {"a",
                {{0, address("10.0.0.1"), 24, 1500}},
                {{address("172.16.0.0"), 16, 0, 0, 0}},
                {{{"ping", "--to", "172.16.0.2", "--count", "3", "--max-lost", "0"}}},
                {}});
    TestHost b(world, DOORBELL_FAKE_GUEST, 1,
               {"b",
                {{0, address("172.16.0.2"), 16, 1500}},
                {{address("10.0.0.0"), 24, 0, 0, 0}},
                {},
                {}});
    connect(a.nic(0), b.nic(0));
    ASSERT_EQ(a.start() | b.start(), 0);
    ASSERT_TRUE(world.run_until([&] { return a.done(); }, 60 * kSecond)) << world.failure();
    EXPECT_EQ(a.status(0), 0) << a.log();
}

class Router : public ::testing::TestWithParam<bool> {};

TEST_P(Router, ForwardsOnlyWhenItIsToldTo) {
    // a - b - c: b has a leg in both networks.
    World world;
    TestHost a(world, DOORBELL_FAKE_GUEST, 1,
               {"a",
                {{0, address("10.0.0.1"), 24, 1500}},
                {{0, 0, address("10.0.0.2"), 0, 0}},
                {{{"udp_echo_client", "--to", "10.1.0.3", "--port", "7", "--count", "4", "--size",
                   "900", "--timeout-ms", "100"},
                  50 * kMillisecond}}, /* when the router's second link is up as well */
                {}});
    TestHost b(world, DOORBELL_FAKE_GUEST, 2,
               {"b",
                {{0, address("10.0.0.2"), 24, 1500}, {1, address("10.1.0.2"), 24, 1500}},
                {},
                {},
                {{"kernel.ip_forward", GetParam() ? "1" : "0"}}});
    TestHost c(world, DOORBELL_FAKE_GUEST, 1,
               {"c",
                {{0, address("10.1.0.3"), 24, 1500}},
                {{0, 0, address("10.1.0.2"), 0, 0}},
                {{{"udp_echo_server", "--port", "7"}}},
                {}});
    connect(a.nic(0), b.nic(0));
    connect(b.nic(1), c.nic(0));
    c.listen();
    a.listen();
    ASSERT_EQ(a.start() | b.start() | c.start(), 0);
    ASSERT_TRUE(world.run_until([&] { return a.done() && c.done(); }, 60 * kSecond))
        << world.failure();
    EXPECT_EQ(a.metrics()["app.0.operations"], GetParam() ? 4u : 0u);
    EXPECT_EQ(a.metrics()["app.0.lost"], GetParam() ? 0u : 4u);
    if (GetParam()) {
        // The identity crosses the router.
        EXPECT_EQ(a.reports(EVENT_PACKET_MADE).at(2).report.packet,
                  c.reports(EVENT_PACKET_READ).at(2).report.packet);
    }
}

INSTANTIATE_TEST_SUITE_P(OnAndOff, Router, ::testing::Bool());

TEST(Routes, AnUnreachableDestinationIsAnError) {
    Pair pair({{{"tcp_send", "--to", "192.168.1.1", "--port", "1", "--file", "generate:1",
                 "--patience-ms", "0"}}},
              {});
    ASSERT_TRUE(pair.run());
    EXPECT_NE(pair.a->status(0), 0);
    EXPECT_THAT(pair.a->log(), HasSubstr("No route to host"));
    EXPECT_GT(pair.a->metrics()["ip.no_route"], 0u);
}

// --- past the stack
// -----------------------------------------------------------------------------------

TEST(Packets, TheSinkVerifiesWhatTheGeneratorSends) {
    for (const char* offload : {"0", "1"}) {
        for (const char* segments : {"1", "2", "7"}) {
            Pair pair({{{"packet_generator", "--count", "2000", "--size", "500", "--segments",
                         segments, "--checksum-offload", offload}}},
                      {{{"packet_sink", "--count", "2000"}}}, {{"driver.tx_ring", "32"}});
            ASSERT_TRUE(pair.run());
            EXPECT_TRUE(pair.all_good());
            EXPECT_EQ(pair.b->metrics()["app.0.operations"], 2000u);
            EXPECT_EQ(pair.a->metrics()["app.0.operations"], 2000u);
            EXPECT_GT(pair.a->metrics()["nic0.tx.queue_stops"], 0u);
        }
    }
}

TEST(Packets, AnApplicationOfTheImageCanLookAtThem) {
    Pair pair({{{"packet_generator", "--count", "30", "--size", "500"}}},
              {{{"frame_counter", "--ms", "10"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_GE(pair.b->metrics()["app.0.operations"], 30u);
}

TEST(Packets, ARateIsKept) {
    Pair pair({{{"packet_generator", "--count", "100", "--size", "100", "--rate-pps", "10000"}}},
              {{{"packet_sink", "--count", "100"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_NEAR(static_cast<double>(pair.a->metrics()["app.0.duration_ns"]), 9.9e6, 1e5);
}

TEST(Packets, TheSinkFindsWhatTheWireDid) {
    struct Case {
        const char* what;
        uint32_t at;
    };
    for (const Case& c : {Case{"IP sums", 22}, Case{"L4 sums", 60}, Case{"missing", 0}}) {
        Pair pair({{{"packet_generator", "--count", "100", "--size", "100"}}},
                  {{{"packet_sink", "--count", "100", "--idle-ms", "50"}}});
        uint32_t count = 0;
        pair.a->nic(0).on_wire = [&count, &c](std::vector<uint8_t>& frame) {
            if (frame.size() != 100 || ++count != 50) {
                return true;
            }
            if (c.at != 0) {
                frame[c.at] ^= 1;
            }
            return c.at != 0;
        };
        ASSERT_TRUE(pair.run());
        EXPECT_NE(pair.b->status(0), 0) << c.what;
        EXPECT_THAT(pair.b->log(), HasSubstr(std::string("1 ") + c.what));
    }
}

TEST(Udp, AFrameMaySpreadOverSeveralReceiveBuffers) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--count", "20", "--size",
                 "5900"}}},
              {{{"udp_echo_server", "--port", "7"}}}, {}, {}, 6000);
    pair.a->listen();
    pair.b->listen();
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
    EXPECT_EQ(pair.a->metrics()["app.0.operations"], 20u);
    EXPECT_EQ(pair.a->metrics()["checksum.software"], 0u);
    EXPECT_GE(pair.b->metrics()["nic0.napi.packets"], 60u);
    EXPECT_EQ(pair.b->reports(EVENT_PACKET_READ).at(5).report.packet,
              pair.a->reports(EVENT_PACKET_MADE).at(5).report.packet);
}

TEST(Packets, TheSinkPutsFramesOfSeveralBuffersTogether) {
    Pair pair({{{"packet_generator", "--count", "50", "--size", "5000"}}},
              {{{"packet_sink", "--count", "50"}}}, {}, {}, 5000);
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
}

TEST(Packets, ARingSmallerThanABatchStillMoves) {
    Pair pair({{{"packet_generator", "--count", "200", "--size", "100"}}},
              {{{"packet_sink", "--count", "200"}}},
              {{"driver.tx_ring", "8"}, {"kernel.tx_batch", "64"}, {"kernel.txqueuelen", "2"}});
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
}

TEST(Packets, JumboFramesNeedAJumboMtu) {
    Pair pair({{{"packet_generator", "--count", "10", "--size", "4000"}}},
              {{{"packet_sink", "--count", "10"}}}, {}, {{"driver.rx_buffer_bytes", "4096"}}, 4000);
    ASSERT_TRUE(pair.run());
    EXPECT_TRUE(pair.all_good());
}

}  // namespace
}  // namespace guest_test
