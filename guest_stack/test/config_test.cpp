// What a guest refuses, documents and counts.
#include <set>

#include "guest_stack/test/guest_pair.hpp"

namespace guest_test {
namespace {

using ::testing::HasSubstr;

struct Refusal {
    const char* name;
    const char* value;
    const char* why;
};

class ImpossibleSettings : public ::testing::TestWithParam<Refusal> {};

TEST_P(ImpossibleSettings, ThatCannotBeAreRefusedWithAReason) {
    Pair pair({}, {}, {{GetParam().name, GetParam().value}});
    EXPECT_EQ(pair.a->start(), -EINVAL);
    EXPECT_THAT(pair.a->log(), HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Refused, ImpossibleSettings,
    ::testing::Values(Refusal{"driver.tx_rings", "8", "no setting is called 'driver.tx_rings'"},
                      Refusal{"tx_ring", "8", "no setting is called 'tx_ring'"},
                      Refusal{"nic9.driver.tx_ring", "8", "no setting is called"},
                      Refusal{"nic0.kernel.napi_budget", "8", "no setting is called"},
                      Refusal{"driver.tx_ring", "12",
                              "driver.tx_ring cannot be '12': it takes 8..4096, by 8"},
                      Refusal{"driver.tx_ring", "0", "cannot be '0'"},
                      Refusal{"driver.tx_ring", "8192", "cannot be '8192'"},
                      Refusal{"driver.tx_ring", "", "cannot be ''"},
                      Refusal{"driver.tx_ring", "-8", "cannot be '-8'"},
                      Refusal{"driver.tx_ring", "8 ", "cannot be '8 '"},
                      Refusal{"driver.tx_ring", "99999999999999999999", "cannot be"},
                      Refusal{"driver.rx_buffer_bytes", "6144", "cannot be '6144'"},
                      Refusal{"driver.irq_mode", "msi-x", "it takes intx|msi|msix"},
                      Refusal{"driver.loopback", "wire", "it takes none|mac|phy"},
                      Refusal{"driver.loopback", "1", "it takes none|mac|phy"},
                      Refusal{"driver.tx_checksum", "yes", "it takes true|false"},
                      Refusal{"cpu.tcp_ns", "fast", "cannot be 'fast'"},
                      Refusal{"kernel.napi_budget", "0", "it takes 1..65535"}));

TEST(NicSettings, OfOneNicWinOverThoseOfAllWhateverTheOrder) {
    World world;
    HostConfig config{"a",
                      {{0, address("10.0.0.1"), 24, 1500}, {1, address("10.1.0.1"), 24, 1500}},
                      {},
                      {{{"packet_generator", "--nic", "0", "--count", "40"}},
                       {{"packet_generator", "--nic", "1", "--count", "40"}}},
                      {{"nic1.driver.tx_ring", "128"}, {"driver.tx_ring", "8"}}};
    TestHost host(world, DOORBELL_FAKE_GUEST, 2, config);
    ASSERT_EQ(host.start(), 0) << host.log();
    ASSERT_TRUE(world.run_until([&] { return host.done(); }, 60 * kSecond)) << host.log();
    EXPECT_GT(host.metrics()["nic0.tx.queue_stops"], 0u);
    EXPECT_EQ(host.metrics()["nic1.tx.queue_stops"], 0u);
}

TEST(Config, WhatCannotBeIsRefusedAtTheStart) {
    const auto start = [](HostConfig config, uint32_t nics) {
        World world;
        TestHost host(world, DOORBELL_FAKE_GUEST, nics, std::move(config));
        EXPECT_NE(host.start(), 0);
        return host.log();
    };
    EXPECT_THAT(start({"a", {}, {}, {{{"no_such_app"}}}, {}}, 1),
                HasSubstr("there is no application 'no_such_app'"));
    EXPECT_THAT(start({"a", {{0, 1, 24, 20}}, {}, {}, {}}, 1), HasSubstr("mtu 20"));
    EXPECT_THAT(start({"a", {{0, 1, 40, 1500}}, {}, {}, {}}, 1), HasSubstr("prefix 40"));
    EXPECT_THAT(start({"a", {{0, 1, 24, 1500}, {0, 2, 24, 1500}}, {}, {}, {}}, 1),
                HasSubstr("share NIC 0"));
    EXPECT_THAT(start({"a", {{8, 1, 24, 1500}}, {}, {}, {}}, 1),
                HasSubstr("interface 0: NIC 8, but the last can be 7"));
}

TEST(Config, AnInterfaceOrRouteThatLeadsNowhereIsAPanic) {
    for (const HostConfig& config :
         {HostConfig{"a", {{3, 1, 24, 1500}}, {}, {}, {}},
          HostConfig{"a", {{0, 1, 24, 1500}}, {{5, 24, 0, 0, 0}}, {}, {}},
          HostConfig{"a", {{0, 1, 24, 1500}}, {{0, 0, 0, 9, 0}}, {}, {}}}) {
        World world;
        TestHost host(world, DOORBELL_FAKE_GUEST, 1, config);
        ASSERT_EQ(host.start(), 0);
        world.run_until([] { return false; }, kSecond);
        EXPECT_THAT(world.failure(), HasSubstr("the stack does not start"));
    }
}

struct Mistake {
    std::vector<std::string> argv;
    const char* why;
};

TEST(Arguments, AreCheckedStrictly) {
    const Mistake mistakes[] = {
        {{"ping", "--to", "10.0.0.2", "--cuont", "3"}, "there is no option '--cuont'; usage: ping"},
        {{"ping"}, "--to is missing"},
        {{"ping", "--to"}, "--to needs a value"},
        {{"ping", "--to", "10.0.0"}, "--to takes an IPv4 address, not '10.0.0'"},
        {{"ping", "--to", "10.0.0.2", "--to", "10.0.0.2"}, "--to is given twice"},
        {{"ping", "--to", "10.0.0.2", "--count", "0"}, "--count takes a number, 1.."},
        {{"ping", "--to", "10.0.0.2", "--count", "many"}, "not 'many'"},
        {{"udp_echo_server", "--port", "70000"}, "--port takes a port"},
        {{"udp_echo_server", "--port", "0"}, "--port takes a port"},
        {{"tcp_send", "--to", "10.0.0.2", "--port", "1", "--file", "absent"},
         "cannot open 'absent'"},
        {{"tcp_bidirectional", "--send", "x", "--receive", "y"}, "needs either --listen"},
        {{"packet_generator", "--mac", "nonsense"}, "--mac takes aa:bb:cc:dd:ee:ff"},
        {{"packet_generator", "--size", "30"}, "--size takes a number, 50..65549, not '30'"},
        {{"packet_generator", "--wire-size", "20"}, "--wire-size 20 is impossible here"},
        {{"packet_generator", "--wire-size", "1530"},
         "without --tso and an mtu_bytes of 1500: 54.."},
        {{"packet_sink", "--nic", "3"}, "--nic 3: there is no such NIC"},
        {{"packet_probe", "--to-nic", "3"}, "--nic 3: there is no such NIC"},
        {{"packet_probe", "--to-nic", "0", "--wire-size", "1523"},
         "--wire-size 1523 is impossible here; with an mtu_bytes of 1500: 64..1522"},
    };
    for (const Mistake& mistake : mistakes) {
        Pair pair({{mistake.argv}}, {});
        ASSERT_TRUE(pair.run());
        EXPECT_NE(pair.a->status(0), 0) << mistake.why;
        EXPECT_THAT(pair.a->log(), HasSubstr(mistake.why));
    }
}

// --- before anything runs -----------------------------------------------------------------------

// Every mistake as "app.word route setting,setting: what; why".
std::vector<std::string> check(const HostConfig& config, uint32_t nics = 1) {
    World world;
    TestHost host(world, DOORBELL_FAKE_GUEST, nics, config);
    std::vector<std::string> list;
    reinterpret_cast<decltype(&guest_check)>(host.symbol("guest_check"))(
        &host.prepare(), nics,
        [](void* ctx, const guest_mistake* m) {
            std::string text = std::to_string(m->app) + "." + std::to_string(m->word) + " " +
                               std::to_string(m->route);
            for (const char* setting : m->settings) {
                if (setting != nullptr) text += std::string(" ") + setting;
            }
            static_cast<std::vector<std::string>*>(ctx)->push_back(text + ": " + m->what + "; " +
                                                                   m->why);
        },
        &list);
    return list;
}

HostConfig host_with(std::vector<App> apps, Settings settings = {}, uint32_t mtu = 1500) {
    return {"a", {{0, address("10.0.0.1"), 24, mtu}}, {}, std::move(apps), std::move(settings)};
}

struct Demand {
    HostConfig config;
    std::string mistake; /* "" for none */
};

TEST(Check, FindsWhatNoSingleValueShows) {
    const auto generator = [](std::vector<std::string> words) {
        words.insert(words.begin(), "packet_generator");
        return App{words};
    };
    const App big = {{"ping", "--to", "10.0.0.2", "--size", "14793"}};
    const App jumbo = {{"ping", "--to", "10.0.0.2", "--size", "17949"}};
    const Demand demands[] = {
        {host_with({}), ""},
        {host_with({}, {{"driver.tx_wthresh", "1"}}), ""},
        {host_with({}, {{"driver.tx_wthresh", "2"}, {"driver.tidv", "1"}}), ""},
        {host_with({}, {{"driver.tx_wthresh", "2"}}),
         "-1.-1 -1 nic0.driver.tx_wthresh nic0.driver.tidv: 'driver.tx_wthresh' cannot be 2 here; "
         "the last few would stay"},
        {host_with({}, {{"kernel.rx_buffers", "65"}}), ""},
        {host_with({}, {{"kernel.rx_buffers", "64"}}),
         "-1.-1 -1 kernel.rx_buffers nic0.driver.rx_ring: 'kernel.rx_buffers' cannot be 64 here; "
         "a driver.rx_ring of 64 and 1 more for a frame make 65 at least"},
        {host_with({}, {{"kernel.rx_buffers", "68"}}, 9000),
         "-1.-1 -1 kernel.rx_buffers nic0.driver.rx_ring: 'kernel.rx_buffers' cannot be 68 here; "
         "a driver.rx_ring of 64 and 5 more for a frame make 69 at least"},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "14792"}}}), ""},
        {host_with({big}),
         "0.4 -1: --size 14793: fragments in more than 10 buffers; lwIP puts no more together; "
         "with "
         "an mtu_bytes of 1500 and a driver.rx_buffer_bytes of 2048 it takes 14792 at most"},
        {host_with({big}, {}, 9000), ""},
        {host_with({jumbo}, {{"driver.rx_buffer_bytes", "16384"}}, 9000), ""},
        {host_with({jumbo}, {}, 9000),
         "0.4 -1: --size 17949: fragments in more than 10 buffers; lwIP puts no more together; "
         "with "
         "an mtu_bytes of 9000 and a driver.rx_buffer_bytes of 2048 it takes 17944 at most"},
        {host_with({jumbo}, {}, 6000), ""},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "19935"}}}, {}, 6000),
         "0.4 -1: --size 19935: fragments in more than 10 buffers; lwIP puts no more together; "
         "with "
         "an mtu_bytes of 6000 and a driver.rx_buffer_bytes of 2048 it takes 19934 at most"},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "1096"}}}, {}, 576), ""},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "1101"}}}, {}, 576), ""},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "548"}}}, {}, 576), ""},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "1097"}}}, {}, 576),
         "0.4 -1: --size 1097: lwIP would send its end behind the last fragment; an mtu_bytes of "
         "576 is no multiple of 8 and 20 more; --size 1096 and 1101 go"},
        {host_with({{{"ping", "--to", "10.0.0.2", "--size", "1100"}}}, {}, 576),
         "0.4 -1: --size 1100: lwIP would send its end behind the last fragment; an mtu_bytes of "
         "576 is no multiple of 8 and 20 more; --size 1096 and 1101 go"},
        {host_with({{{"ping", "--to", "10.0.0.1", "--size", "65499"}}}), ""},
        {host_with({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7", "--size", "20000"}}}),
         "0.6 -1: --size 20000: fragments in more than 10 buffers; lwIP puts no more together; "
         "with "
         "an mtu_bytes of 1500 and a driver.rx_buffer_bytes of 2048 it takes 14792 at most"},
        {host_with({generator({}), generator({"--nic", "1"})}),
         "1.2 -1: --nic 1: there is no such NIC; the host has 1, counted from 0"},
        {host_with({generator({"--size", "1518"})}), ""},
        {host_with({generator({"--size", "1519"})}),
         "0.2 -1: --size 1519 is impossible here; without --tso and an mtu_bytes of 1500: "
         "50..1518"},
        {host_with({generator({"--size", "1515", "--vlan", "5"})}, {{"driver.vlan_strip", "1"}}),
         "0.2 -1: --size 1515 is impossible here; without --tso and an mtu_bytes of 1500: "
         "50..1514"},
        {host_with({generator({"--size", "50", "--tso", "9"})}),
         "0.2 -1: --size 50 is impossible here; with --tso and an mtu_bytes of 1500: 62..65549"},
        {host_with({generator({"--tso", "1465"})}),
         "0.2 -1: --tso 1465 is impossible here; with an mtu_bytes of 1500: 1..1464"},
        {host_with({generator({"--vlan", "5"})}),
         "0.2 -1 nic0.driver.vlan_strip: --vlan 5 cannot be inserted; driver.vlan_strip is false, "
         "and CTRL.VME governs insertion, too"},
        {host_with({generator({"--checksum-offload", "0"})}, {{"driver.tx_checksum", "false"}}),
         ""},
        {host_with({generator({})}, {{"nic0.driver.tx_checksum", "false"}}),
         "0.-1 -1 nic0.driver.tx_checksum: without --checksum-offload 0 the generator needs "
         "checksums inserted by the NIC; driver.tx_checksum is false"},
        {host_with({generator({"--segments", "32"})}), ""},
        {host_with({generator({"--segments", "32"})}, {{"driver.tx_ring", "32"}}),
         "0.2 -1 nic0.driver.tx_ring: --segments 32 takes 33 descriptors a packet; "
         "driver.tx_ring is 32, one is always free"},
        {host_with({generator({"--segments", "31"})}, {{"driver.tx_ring", "32"}}),
         "0.2 -1 nic0.driver.tx_ring: --segments 31 takes 32 descriptors a packet; "
         "driver.tx_ring is 32, one is always free"},
        {host_with({generator({"--segments", "30"})}, {{"driver.tx_ring", "32"}}), ""},
        {host_with({generator({"--size", "40000", "--tso", "1000", "--segments", "3"})}),
         "0.6 -1: --segments 3 makes pieces of up to 19973 bytes; a piece has at most 16384"},
        {host_with({{{"ping"}}}), "0.-1 -1: --to is missing; "},
    };
    for (const Demand& demand : demands) {
        std::vector<std::string> wanted;
        if (!demand.mistake.empty()) wanted.push_back(demand.mistake);
        EXPECT_EQ(check(demand.config), wanted);
    }
}

TEST(Check, FindsARouteThatCannotBeAndAConfigThatNeverCould) {
    HostConfig config = host_with({});
    for (uint32_t i = 0; i < 64; ++i) {
        config.routes.push_back({i << 8, 24, address("10.0.0.9"), 0, 0});
    }
    EXPECT_EQ(check(config), (std::vector<std::string>{"-1.-1 63: a route to 0.0.63.0/24 is "
                                                       "impossible: the routing table is full; "}));
    config.routes.pop_back();
    EXPECT_TRUE(check(config).empty());
    EXPECT_EQ(check(host_with({}, {{"driver.nonsense", "1"}})).size(), 1u);
}

TEST(Check, SaysOfWhichNicAndOnlyOnceWhatTheRunWouldRefuse) {
    const HostConfig config{
        "a",
        {{0, address("10.0.0.1"), 24, 1500}, {1, address("10.1.0.1"), 24, 1500}},
        {},
        {},
        {{"nic1.driver.tx_wthresh", "4"}}};
    const auto list = check(config, 2);
    ASSERT_EQ(list.size(), 1u);
    EXPECT_THAT(list[0], HasSubstr("nic1.driver.tx_wthresh nic1.driver.tidv"));
}

// --- descriptions -------------------------------------------------------------------------------

TEST(Descriptions, EverySettingsDefaultIsAccepted) {
    Pair probe({}, {});
    const auto list =
        reinterpret_cast<decltype(&guest_settings)>(probe.a->symbol("guest_settings"))();
    std::vector<std::pair<std::string, std::string>> all;
    for (const guest_description* d = list; d->name != nullptr; ++d) {
        EXPECT_NE(std::string(d->description), "");
        all.push_back({d->name, d->default_value});
    }
    EXPECT_GT(all.size(), 50u);
    Pair pair({}, {}, all);
    EXPECT_EQ(pair.a->start(), 0) << pair.a->log();
}

// Indices and vectors become the placeholders of the description.
std::string generic(std::string name) {
    const auto number_after = [&name](const char* prefix, const char* placeholder) {
        const size_t length = std::string(prefix).size();
        if (name.compare(0, length, prefix) == 0 && std::isdigit(name[length]) != 0) {
            name.replace(length, 1, placeholder);
        }
    };
    number_after("nic", "<n>");
    number_after("app.", "<i>");
    const size_t stats = name.find(".stats.");
    if (stats != std::string::npos) {
        return name.substr(0, stats) + ".stats.<NAME>";
    }
    for (const char* vector : {"hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet",
                               "sched", "hrtimer", "rcu"}) {
        for (const char* suffix : {"", "_ns"}) {
            if (name == std::string("softirq.") + vector + suffix) {
                return std::string("softirq.<VECTOR>") + suffix;
            }
        }
    }
    return name;
}

TEST(Descriptions, EveryMetricIsDocumentedAndEveryDocumentedOneExists) {
    Pair pair({{{"ping", "--to", "10.0.0.2"}}}, {});
    ASSERT_TRUE(pair.run());
    std::set<std::string> seen, documented;
    for (const auto& [name, value] : pair.a->metrics()) {
        seen.insert(generic(name));
    }
    const auto list =
        reinterpret_cast<decltype(&guest_metric_names)>(pair.a->symbol("guest_metric_names"))();
    for (const guest_description* d = list; d->name != nullptr; ++d) {
        EXPECT_TRUE(documented.insert(d->name).second) << d->name << " twice";
    }
    EXPECT_EQ(seen, documented);
}

TEST(Descriptions, EveryApplicationIsListed) {
    Pair pair({}, {});
    const auto list = reinterpret_cast<decltype(&guest_apps)>(pair.a->symbol("guest_apps"))();
    std::set<std::string> names;
    for (const guest_description* d = list; d->name != nullptr; ++d) {
        names.insert(d->name);
        EXPECT_THAT(std::string(d->arguments), HasSubstr("--"));
    }
    EXPECT_EQ(names,
              (std::set<std::string>{"tcp_send", "tcp_receive", "tcp_bidirectional",
                                     "tcp_request_server", "tcp_request_client", "udp_echo_server",
                                     "udp_echo_client", "ping", "packet_generator", "packet_sink",
                                     "packet_probe", "frame_counter"})); /* the image's own */
}

TEST(Show, KnowsItsTables) {
    Pair pair({{{"udp_echo_client", "--to", "10.0.0.2", "--port", "7"}}},
              {{{"udp_echo_server", "--port", "7"}}});
    ASSERT_TRUE(pair.run());
    EXPECT_THAT(pair.b->show("softirqs"), HasSubstr("NET_RX: "));
    EXPECT_THAT(pair.b->show("interfaces"), HasSubstr("eth0: nic0  inet 10.0.0.2"));
    EXPECT_THAT(pair.b->show("sockets"), HasSubstr("udp     3"));
    EXPECT_EQ(pair.b->show("nonsense"), "error " + std::to_string(-ENOENT));
}

// --- isolation ----------------------------------------------------------------------------------

TEST(Image, ExportsNothingButItsInterfaceAndWhatReplacesLwip) {
    Pair pair({}, {});
    for (const char* hidden : {"kernel_init", "cpu_settle", "netdev_open", "route_find", "stack",
                               "syscall_read", "nic_tx", "flow_get"}) {
        EXPECT_EQ(pair.a->symbol(hidden), nullptr) << hidden;
    }
    for (const char* visible :
         {"guest_start", "guest_metrics", "guest_show", "guest_apps", "guest_settings",
          "guest_metric_names", "guest_abi_version", "guest_check"}) {
        EXPECT_NE(pair.a->symbol(visible), nullptr) << visible;
    }
    EXPECT_NE(pair.a->symbol("tcp_active_pcbs"), pair.b->symbol("tcp_active_pcbs"))
        << "each host has its own lwIP";
    EXPECT_NE(pair.a->symbol("sys_now"), pair.b->symbol("sys_now"));
}

TEST(Image, AnotherVersionOfTheInterfaceIsRefused) {
    Pair pair({}, {});
    pair.a->abi_version = GUEST_ABI_VERSION + 1;
    EXPECT_EQ(pair.a->start(), -ENOTSUP);
}

}  // namespace
}  // namespace guest_test
