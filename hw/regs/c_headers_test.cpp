// The driver's headers, against values typed from the specification. They are C, but they are
// macros: what C++ computes from them is what C computes. hw/ does not use them otherwise.
#include <gtest/gtest.h>

#include <cstdint>

#include "firmware/generated/nic_descriptors.h"
#include "firmware/generated/nic_regs.h"

namespace {

TEST(CHeaders, OffsetsAreThoseOfSection22) {
    EXPECT_EQ(NIC_CTRL, 0x00000u);
    EXPECT_EQ(NIC_ICR, 0x000C0u);
    EXPECT_EQ(NIC_EITR(4), 0x000F8u);
    EXPECT_EQ(NIC_EITR_COUNT, 5u);
    EXPECT_EQ(NIC_RDT(1), 0x02918u);
    EXPECT_EQ(NIC_TDT(1), 0x03918u);
    EXPECT_EQ(NIC_MTA(127), 0x053FCu);
    EXPECT_EQ(NIC_RAH(15), 0x0547Cu);
    EXPECT_EQ(NIC_MSIXTVCTRL(4), 0x0004Cu);
    const std::uint32_t queue = 0;
    EXPECT_EQ(NIC_TDT(queue + 1), 0x03918u) << "the argument is in brackets";
    EXPECT_EQ(NIC_BAR0_SIZE, 0x20000u);
}

TEST(CHeaders, FieldsAreMasksAndShifts) {
    EXPECT_EQ(NIC_CTRL_RST_MASK, 0x04000000u);
    EXPECT_EQ(NIC_CTRL_SLU_MASK, 0x00000040u);
    EXPECT_EQ(NIC_RCTL_BSIZE_MASK, 0x00030000u);
    EXPECT_EQ(NIC_RCTL_BSIZE_SHIFT, 16);
    EXPECT_EQ(NIC_FIELD_GET(NIC_RCTL_BSIZE, 0xFFFDFFFFu), 1u);
    EXPECT_EQ(NIC_FIELD_PUT(NIC_RCTL_BSIZE, NIC_RCTL_BSIZE_BYTES_256), 0x00030000u);
    EXPECT_EQ(NIC_FIELD_PUT(NIC_RCTL_BSIZE, 7u), 0x00030000u) << "a value too wide is cut";
    EXPECT_EQ(NIC_FIELD_GET(NIC_FCAL_FCAL, 0xFFFFFFFFu), 0xFFFFFFFFu);
}

TEST(CHeaders, DescriptorFieldsAreSixtyFourBitsWide) {
    EXPECT_EQ(NIC_TX_DATA_SIZE_BYTES, 16u);
    EXPECT_EQ(NIC_RX_SPLIT_SIZE_BYTES, 32u);
    EXPECT_EQ(NIC_TX_DATA_TXSM_MASK, std::uint64_t{1} << 41);
    EXPECT_EQ(NIC_TX_DATA_TXSM_WORD, 1);
    EXPECT_EQ(NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_MSS, 1460), std::uint64_t{1460} << 48);
    EXPECT_EQ(NIC_DESCRIPTOR_GET(NIC_RX_EXTENDED_LENGTH, 0x1234'05EA'0000'0003u), 0x05EAu);
    EXPECT_EQ(NIC_DESCRIPTOR_GET(NIC_TX_DATA_BUFFER_ADDRESS, ~std::uint64_t{0}), ~std::uint64_t{0});
}

}  // namespace
