#include "hw/irq/cause_rules.hpp"

#include <gtest/gtest.h>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

namespace r = regs::i82574l;

// Bit positions of section 2.4, typed from the specification.
constexpr std::uint32_t kTxdw = 1u << 0;
constexpr std::uint32_t kLsc = 1u << 2;
constexpr std::uint32_t kRxseq = 1u << 3;
constexpr std::uint32_t kRxo = 1u << 6;
constexpr std::uint32_t kRxt0 = 1u << 7;
constexpr std::uint32_t kMdac = 1u << 9;
constexpr std::uint32_t kTxdLow = 1u << 15;
constexpr std::uint32_t kSrpd = 1u << 16;
constexpr std::uint32_t kAck = 1u << 17;
constexpr std::uint32_t kMng = 1u << 18;
constexpr std::uint32_t kRxq0 = 1u << 20;
constexpr std::uint32_t kOther = 1u << 24;
constexpr std::uint32_t kIntAsserted = 1u << 31;

constexpr CauseRules::Settings kPlain{};
constexpr CauseRules::Settings kMsix{true, false, 0};

TEST(CauseRules, a_cause_latches_although_it_is_masked) {
    CauseRules rules({});
    rules.set(kRxt0, kPlain);
    EXPECT_EQ(rules.icr(), kRxt0);
    EXPECT_EQ(rules.active(), 0u);
}

TEST(CauseRules, bits_beyond_24_do_not_latch) {
    CauseRules rules({});
    rules.set(0xFFFFFFFF, kPlain);
    EXPECT_EQ(rules.icr(), 0x01FFFFFFu);
}

TEST(CauseRules, int_asserted_needs_an_unmasked_cause) {
    CauseRules rules({});
    rules.set(kLsc, kPlain);
    EXPECT_EQ(rules.icr() & kIntAsserted, 0u);
    rules.write_ims(kLsc);
    EXPECT_EQ(rules.icr(), kLsc | kIntAsserted);
}

TEST(CauseRules, int_asserted_follows_any_cause_when_u2_says_so) {
    InterruptParams params;
    params.u2_int_asserted = InterruptParams::IntAsserted::kAnyCause;
    CauseRules rules(params);
    rules.set(kLsc, kPlain);
    EXPECT_EQ(rules.icr(), kLsc | kIntAsserted);
}

TEST(CauseRules, int_asserted_stays_until_the_causes_go_even_if_they_are_masked) {
    CauseRules rules({});
    rules.write_ims(kLsc);
    rules.set(kLsc, kPlain);
    rules.write_imc(kLsc);
    EXPECT_EQ(rules.read_icr(kPlain), kLsc | kIntAsserted);
    EXPECT_EQ(rules.icr(), 0u);
}

// Section 8.2, row 1.
TEST(CauseRules, an_icr_read_with_ims_0_clears_everything_in_every_mode) {
    for (const CauseRules::Settings& settings : {kPlain, kMsix}) {
        CauseRules rules({});
        rules.set(kRxt0 | kTxdw, settings);
        EXPECT_EQ(rules.read_icr(settings), kRxt0 | kTxdw);
        EXPECT_EQ(rules.icr(), 0u);
    }
}

// Section 8.2, row 2.
TEST(CauseRules, an_icr_read_with_int_asserted_clears_everything_and_auto_masks_with_iame) {
    CauseRules rules({});
    rules.write_ims(kLsc | kRxt0);
    rules.set(kLsc | kTxdw, kPlain);
    EXPECT_EQ(rules.read_icr({false, true, kLsc}), kLsc | kTxdw | kIntAsserted);
    EXPECT_EQ(rules.icr(), 0u);
    EXPECT_EQ(rules.ims(), kRxt0) << "IMS &= ~IAM";
}

TEST(CauseRules, an_icr_read_without_iame_leaves_the_mask) {
    CauseRules rules({});
    rules.write_ims(kLsc);
    rules.set(kLsc, kPlain);
    (void)rules.read_icr({false, false, kLsc});
    EXPECT_EQ(rules.ims(), kLsc);
}

TEST(CauseRules, an_icr_read_without_int_asserted_never_auto_masks) {
    CauseRules rules({});
    rules.write_ims(kLsc);
    rules.set(kTxdw, kPlain);
    (void)rules.read_icr({false, true, kLsc});
    EXPECT_EQ(rules.ims(), kLsc);
}

// Section 8.2, row 3, and U1.
TEST(CauseRules, an_icr_read_of_masked_causes_clears_by_mode) {
    for (const bool msix : {false, true}) {
        CauseRules rules({});
        rules.write_ims(kLsc);
        rules.set(kTxdw, {msix, false, 0});
        EXPECT_EQ(rules.read_icr({msix, false, 0}), kTxdw);
        EXPECT_EQ(rules.icr(), msix ? kTxdw : 0u);
    }
}

TEST(CauseRules, u1_can_say_always_or_never) {
    for (const bool always : {false, true}) {
        for (const bool msix : {false, true}) {
            InterruptParams params;
            params.u1_icr_read = always ? InterruptParams::IcrRead::kAlwaysClear
                                        : InterruptParams::IcrRead::kNeverClear;
            CauseRules rules(params);
            rules.write_ims(kLsc);
            rules.set(kTxdw, {msix, false, 0});
            (void)rules.read_icr({msix, false, 0});
            EXPECT_EQ(rules.icr(), always ? 0u : kTxdw);
        }
    }
}

// Section 8.3.
TEST(CauseRules, an_icr_write_clears_the_written_bits_only_and_recomputes_int_asserted) {
    CauseRules rules({});
    rules.write_ims(kLsc | kRxt0);
    rules.set(kLsc | kRxt0, kPlain);
    rules.write_icr(kLsc, kPlain);
    EXPECT_EQ(rules.icr(), kRxt0 | kIntAsserted);
    rules.write_icr(kRxt0, kPlain);
    EXPECT_EQ(rules.icr(), 0u);
}

TEST(CauseRules, an_icr_write_auto_masks_with_iame_when_asserted) {
    CauseRules rules({});
    rules.write_ims(kLsc | kRxt0);
    rules.set(kLsc, kPlain);
    rules.write_icr(0, {false, true, kLsc});
    EXPECT_EQ(rules.ims(), kRxt0);
    EXPECT_EQ(rules.icr(), kLsc) << "the cause stays, what made it an interrupt is masked";
}

TEST(CauseRules, an_icr_write_that_finds_nothing_asserted_masks_nothing) {
    CauseRules rules({});
    rules.write_ims(kLsc);
    rules.set(kRxt0, kPlain);
    rules.write_icr(kRxt0, {false, true, kLsc});
    EXPECT_EQ(rules.ims(), kLsc);
}

TEST(CauseRules, writing_other_clears_what_stands_behind_it) {
    CauseRules rules({});
    const std::uint32_t behind = kLsc | kRxo | kMdac | kSrpd | kAck | kMng;
    rules.set(behind | kTxdw, kMsix);
    EXPECT_EQ(rules.icr(), behind | kTxdw | kOther);
    rules.write_icr(kOther, kMsix);
    EXPECT_EQ(rules.icr(), kTxdw);
}

TEST(CauseRules, ims_writes_set_and_imc_writes_clear) {
    CauseRules rules({});
    EXPECT_EQ(rules.write_ims(kLsc), kLsc);
    EXPECT_EQ(rules.write_ims(kLsc | kRxt0), kRxt0) << "what was masked before";
    EXPECT_EQ(rules.write_ims(0), 0u);
    EXPECT_EQ(rules.ims(), kLsc | kRxt0);
    rules.write_imc(kLsc);
    EXPECT_EQ(rules.ims(), kRxt0);
    rules.write_ims(0xFFFFFFFF);
    EXPECT_EQ(rules.ims(), 0x01FFFFFFu);
}

// Section 8.6, item 2, and U12.
TEST(CauseRules, each_cause_behind_other_sets_it_in_msix_mode_only) {
    for (const std::uint32_t cause : {kLsc, kRxo, kMdac, kSrpd, kAck, kMng}) {
        CauseRules msix({});
        msix.set(cause, kMsix);
        EXPECT_EQ(msix.icr(), cause | kOther);
        CauseRules plain({});
        plain.set(cause, kPlain);
        EXPECT_EQ(plain.icr(), cause);
    }
    for (const std::uint32_t cause : {kTxdw, kRxt0, kRxq0, kRxseq, kTxdLow}) {
        CauseRules rules({});
        rules.set(cause, kMsix);
        EXPECT_EQ(rules.icr(), cause);
    }
}

TEST(CauseRules, u12_puts_rxseq_and_txd_low_behind_other) {
    InterruptParams params;
    params.u12_other_causes = InterruptParams::OtherCauses::kEight;
    for (const std::uint32_t cause : {kLsc, kRxseq, kTxdLow}) {
        CauseRules rules(params);
        rules.set(cause, kMsix);
        EXPECT_EQ(rules.icr(), cause | kOther);
    }
}

// Section 8.6, item 4, with U3 and U4.
TEST(CauseRules, eiac_clears_cause_and_mask) {
    CauseRules rules({});
    rules.write_ims(kRxq0 | kOther);
    rules.set(kRxq0, kMsix);
    rules.auto_clear(kRxq0);
    EXPECT_EQ(rules.icr(), 0u);
    EXPECT_EQ(rules.ims(), kOther);
}

TEST(CauseRules, eiac_leaves_the_mask_when_u3_says_so) {
    InterruptParams params;
    params.u3_eiac_clears_ims = false;
    CauseRules rules(params);
    rules.write_ims(kRxq0);
    rules.set(kRxq0, kMsix);
    rules.auto_clear(kRxq0);
    EXPECT_EQ(rules.icr(), 0u);
    EXPECT_EQ(rules.ims(), kRxq0);
}

TEST(CauseRules, eiame_clears_the_mask_bits_that_iam_allows) {
    CauseRules rules({});
    rules.write_ims(kRxq0 | kOther);
    EXPECT_EQ(rules.auto_mask(kRxq0 | kOther, kRxq0), kRxq0) << "IAM itself stays";
    EXPECT_EQ(rules.ims(), kOther);
}

TEST(CauseRules, eiame_clears_iam_instead_when_u4_says_so) {
    InterruptParams params;
    params.u4_auto_mask = InterruptParams::AutoMask::kClearIam;
    CauseRules rules(params);
    rules.write_ims(kRxq0);
    EXPECT_EQ(rules.auto_mask(kRxq0, 0xFFFFFFFF), ~kRxq0);
    EXPECT_EQ(rules.ims(), kRxq0);
}

}  // namespace
}  // namespace doorbell
