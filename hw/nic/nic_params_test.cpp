#include "hw/nic/nic_params.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell {
namespace {

using ::testing::HasSubstr;

TEST(NicParams, names_are_sorted_unique_dotted_and_end_in_their_unit) {
    std::string_view before;
    for (const NicParam& param : nic_param_table()) {
        EXPECT_LT(before, param.name);
        before = param.name;
        EXPECT_FALSE(param.description.empty()) << param.name;
        if (param.unit == "ns" || param.unit == "us" || param.unit == "ms" || param.unit == "ps") {
            const std::string suffix = "_" + std::string(param.unit);
            EXPECT_EQ(param.name.substr(param.name.size() - 3), suffix);
        }
    }
    EXPECT_EQ(find_nic_param("pcie.mps_bytes")->unit, "bytes");
    EXPECT_EQ(find_nic_param("pcie"), nullptr);
}

TEST(NicParams, every_default_is_a_value_that_may_be_set) {
    const NicParams defaults;
    for (const NicParam& param : nic_param_table()) {
        NicParams params;
        EXPECT_EQ(set_nic_param(params, param.name, get_nic_param(defaults, param)), "")
            << param.name;
        EXPECT_EQ(get_nic_param(params, param), get_nic_param(defaults, param)) << param.name;
    }
}

// Section 13: U1 to U24, each by its number in the description.
TEST(NicParams, every_open_question_of_the_specification_is_one) {
    for (int question = 1; question <= 24; question++) {
        const std::string number = "U" + std::to_string(question);
        bool found = false;
        for (const NicParam& param : nic_param_table()) {
            const std::string text(param.description);
            found = found || text.rfind(number + ":", 0) == 0 || text.rfind(number + ",", 0) == 0;
        }
        EXPECT_TRUE(found) << number;
    }
}

/// A value other than the default.
NicParamValue other(const NicParam& param) {
    const std::int64_t now = param.load(NicParams{});
    switch (param.kind) {
        case NicParamKind::kBoolean:
            return now == 0;
        case NicParamKind::kInteger:
            return now == param.maximum ? param.minimum : param.maximum;
        case NicParamKind::kPowerOfTwo:
            return now == param.maximum ? param.minimum : param.maximum;
        case NicParamKind::kChoice:
            return std::string(param.choices.substr(param.choices.rfind('|') + 1)) ==
                           to_string(get_nic_param(NicParams{}, param))
                       ? std::string(param.choices.substr(0, param.choices.find('|')))
                       : std::string(param.choices.substr(param.choices.rfind('|') + 1));
        case NicParamKind::kMacAddress:
            return std::string("02:12:34:56:78:9a");
    }
    return false;
}

TEST(NicParams, every_parameter_changes_itself_and_no_other) {
    for (const NicParam& param : nic_param_table()) {
        NicParams params;
        ASSERT_EQ(set_nic_param(params, param.name, other(param)), "") << param.name;
        for (const NicParam& each : nic_param_table()) {
            const bool same = get_nic_param(params, each) == get_nic_param(NicParams{}, each);
            EXPECT_EQ(same, each.name != param.name) << param.name << " and " << each.name;
        }
    }
}

TEST(NicParams, units_reach_the_members) {
    NicParams params;
    EXPECT_EQ(set_nic_param(params, "phy.autonegotiation_ms", std::int64_t{5}), "");
    EXPECT_EQ(params.phy.autonegotiation_ps, milliseconds(5));
    EXPECT_EQ(set_nic_param(params, "core.mdic_ns", std::int64_t{7}), "");
    EXPECT_EQ(params.core.mdic_transaction_ps, nanoseconds(7));
    EXPECT_EQ(set_nic_param(params, "nvm.auto_load_us", std::int64_t{9}), "");
    EXPECT_EQ(params.nvm.auto_load_ps, microseconds(9));
    EXPECT_EQ(set_nic_param(params, "pcie.timing", std::string("off")), "");
    EXPECT_FALSE(params.pcie.enabled);
    EXPECT_EQ(set_nic_param(params, "irq.u1_icr_read", std::string("never_clear")), "");
    EXPECT_EQ(params.irq.u1_icr_read, InterruptParams::IcrRead::kNeverClear);
    EXPECT_EQ(set_nic_param(params, "nvm.mac_address", std::string("00-1B-21-aa-BB-cc")), "");
    EXPECT_EQ(params.nvm.mac_address, (MacAddress{0x00, 0x1B, 0x21, 0xAA, 0xBB, 0xCC}));
    EXPECT_EQ(set_nic_param(params, "pcie.host", std::string("haswell_e5")), "");
    EXPECT_EQ(params.pcie.host, MeasuredHost::kHaswellE5);
    EXPECT_EQ(set_nic_param(params, "pcie.host", std::string("haswell_e3")), "");
    EXPECT_EQ(params.pcie.host, MeasuredHost::kHaswellE3);
    EXPECT_EQ(set_nic_param(params, "pcie.address_bits", std::string("32")), "");
    EXPECT_EQ(params.pcie.address_bits, AddressBits::k32);
    EXPECT_EQ(set_nic_param(params, "pcie.iotlb_miss_ns", std::int64_t{300}), "");
    EXPECT_EQ(params.pcie.iotlb_miss_ps, nanoseconds(300));
    EXPECT_EQ(set_nic_param(params, "seed", std::int64_t{42}), "");
    EXPECT_EQ(params.seed, 42u);
}

TEST(NicParams, a_wrong_value_says_why_and_changes_nothing) {
    NicParams params;
    const auto set = [&](std::string_view name, const NicParamValue& value) {
        return set_nic_param(params, name, value);
    };
    EXPECT_EQ(set("pcie.lanes", std::int64_t{32}), "must be from 1 to 16, not 32");
    EXPECT_EQ(set("pcie.lanes", std::int64_t{3}), "must be a power of two, not 3");
    EXPECT_EQ(set("phy.autonegotiation_ms", std::int64_t{-1}),
              "must be from 0 to 60000 ms, not -1");
    EXPECT_EQ(set("pcie.lanes", std::string("4")), "must be an integer");
    EXPECT_EQ(set("nvm.wake_on_lan", std::int64_t{1}), "must be true or false");
    EXPECT_EQ(set("pcie.timing", std::string("maybe")), "must be one of on|off");
    EXPECT_EQ(set("pcie.timing", std::string("")), "must be one of on|off");
    EXPECT_EQ(set("pcie.timing", true), "must be one of on|off");
    EXPECT_THAT(set("nvm.mac_address", std::string("02:00:00:82:57")), HasSubstr("MAC address"));
    EXPECT_THAT(set("nvm.mac_address", std::string("02:00:00:82:57:4g")), HasSubstr("MAC address"));
    EXPECT_THAT(set("nvm.mac_address", std::string("02:00:00.82:57:40")), HasSubstr("MAC address"));
    EXPECT_THAT(set("nvm.mac_address", std::string("01:00:00:82:57:40")), HasSubstr("group"));
    for (const NicParam& param : nic_param_table()) {
        EXPECT_EQ(get_nic_param(params, param), get_nic_param(NicParams{}, param));
    }
}

TEST(NicParams, a_nic_lives_with_the_limits_of_every_parameter) {
    for (const NicParam& param : nic_param_table()) {
        if (param.kind != NicParamKind::kInteger && param.kind != NicParamKind::kPowerOfTwo)
            continue;
        for (const std::int64_t value : {param.minimum, param.maximum}) {
            NicParams params = nic_test::NicBench::quick();
            // Whether the least of a power of two is 0 or 1 is the table's affair.
            if (!set_nic_param(params, param.name, value).empty()) continue;
            nic_test::NicBench bench(params);
            bench.enable();
            bench.timeline.advance_by(milliseconds(3));
            EXPECT_EQ(bench.nic.config_read(0, 4), 0x10d38086u) << param.name << " = " << value;
        }
    }
}

TEST(NicParams, an_unknown_name_gets_a_suggestion_when_one_is_near) {
    NicParams params;
    EXPECT_EQ(set_nic_param(params, "pcie.mps_byte", std::int64_t{128}),
              "a NIC has no parameter \"pcie.mps_byte\"; did you mean \"pcie.mps_bytes\"?");
    EXPECT_EQ(set_nic_param(params, "colour", std::string("red")),
              "a NIC has no parameter \"colour\"");
    EXPECT_EQ(similar_nic_param(std::string(1000, 'x')), "");
    EXPECT_EQ(similar_nic_param(""), "");
}

TEST(NicParams, values_print_as_they_are_written) {
    const NicParams params;
    EXPECT_EQ(to_string(get_nic_param(params, *find_nic_param("nvm.mac_address"))),
              "02:00:00:82:57:40");
    EXPECT_EQ(to_string(get_nic_param(params, *find_nic_param("irq.u1_icr_read"))), "by_mode");
    EXPECT_EQ(to_string(get_nic_param(params, *find_nic_param("phy.autonegotiation_ms"))), "2000");
    EXPECT_EQ(to_string(get_nic_param(params, *find_nic_param("nvm.wake_on_lan"))), "false");
}

// What the NIC makes of two questions about reception; RingBench's tests have the defaults.
TEST(NicParams, u13_reports_vlan_frames_without_vme) {
    for (const bool reports : {false, true}) {
        NicParams params = nic_test::NicBench::quick();
        ASSERT_EQ(set_nic_param(params, "rings.u13_vp_without_vme", reports), "");
        nic_test::NicBench nic(params);
        nic.enable();
        nic.link_up();
        nic.open_rings();
        std::vector<std::uint8_t> frame = nic_test::NicBench::broadcast(100);
        frame[12] = 0x81;
        frame[13] = 0x00;
        nic.arrive(frame);
        nic.timeline.advance_by(milliseconds(1));
        // Section 5.6: VP is bit 3 of the status.
        const std::uint8_t status = nic.host.at(nic_test::NicBench::kRxRing)[12];
        EXPECT_EQ(status & 1, 1);
        EXPECT_EQ(status >> 3 & 1, reports ? 1 : 0);
        EXPECT_EQ(nic.received(0), frame) << "the tag stays";
    }
}

TEST(NicParams, u17_sets_the_legacy_causes_of_real_traffic_in_msix_mode_too) {
    for (const bool both : {false, true}) {
        NicParams params = nic_test::NicBench::quick();
        ASSERT_EQ(set_nic_param(params, "irq.u17_legacy_causes_in_msix", both), "");
        nic_test::NicBench nic(params);
        nic.enable();
        nic.link_up();
        nic.open_rings();
        nic.use_msix();
        nic.write(regs::i82574l::IMC, 0xFFFFFFFF);
        (void)nic.read(regs::i82574l::ICR);
        nic.send(nic_test::NicBench::broadcast(100));
        for (int i = 0; i < 40; i++) nic.arrive(nic_test::NicBench::broadcast(100));
        nic.timeline.advance_by(milliseconds(1));
        const std::uint32_t icr = nic.read(regs::i82574l::ICR);
        constexpr std::uint32_t kTxdw = 1u << 0, kRxdmt0 = 1u << 4, kRxt0 = 1u << 7;
        EXPECT_EQ(icr & (kTxdw | kRxdmt0 | kRxt0), both ? kTxdw | kRxdmt0 | kRxt0 : 0u);
        EXPECT_EQ(nic.read(regs::i82574l::ICRXDMTC), both ? 1u : 0u);
    }
}

TEST(NicParams, u16_moves_the_limit_of_long_frames) {
    NicParams params = nic_test::NicBench::quick();
    ASSERT_EQ(set_nic_param(params, "rings.u16_long_frame_bytes", std::int64_t{1600}), "");
    nic_test::NicBench nic(params);
    nic.enable();
    nic.link_up();
    nic.open_rings();
    nic.set(nic_test::r::RCTL_LPE, 1);
    nic.arrive(nic_test::NicBench::broadcast(1601 - 4));
    nic.arrive(nic_test::NicBench::broadcast(1600 - 4));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.received(0).size(), 1596u);
    EXPECT_FALSE(nic.rx_done(1));
    EXPECT_EQ(nic.read(nic_test::r::ROC), 1u);
}

}  // namespace
}  // namespace doorbell
