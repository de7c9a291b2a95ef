#include "hw/irq/msix_table.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

TEST(MsixTable, five_entries_are_masked_after_reset) {
    MsixTable table;
    table.reset();
    for (std::uint32_t vector = 0; vector < 5; vector++) {
        EXPECT_TRUE(table.masked(vector));
        EXPECT_EQ(table.read(vector * 16 + 12), 1u);
        EXPECT_EQ(table.read(vector * 16), 0u);
    }
    EXPECT_EQ(table.read(5 * 16 + 12), 0u) << "there is no sixth";
}

TEST(MsixTable, an_entry_keeps_address_data_and_mask) {
    MsixTable table;
    table.reset();
    table.write(0x30, 0xFEE0100F);
    table.write(0x34, 0x12345678);
    table.write(0x38, 0xCAFEBABE);
    table.write(0x3C, 0xFFFFFFFE);
    EXPECT_EQ(table.address(3), 0x12345678FEE0100Cull) << "dword aligned";
    EXPECT_EQ(table.data(3), 0xCAFEBABEu);
    EXPECT_FALSE(table.masked(3));
    EXPECT_EQ(table.read(0x3C), 0u) << "only the mask bit exists";
}

TEST(MsixTable, pending_bits_are_at_0x2000_and_read_only) {
    MsixTable table;
    table.reset();
    table.set_pending(2);
    table.set_pending(4);
    EXPECT_EQ(table.read(0x2000), 0x14u);
    table.write(0x2000, 0);
    EXPECT_EQ(table.read(0x2000), 0x14u);
    table.clear_pending(0x04);
    EXPECT_EQ(table.debug_read(0x2000), 0x10u);
    EXPECT_TRUE(table.pending(4));
}

}  // namespace
}  // namespace doorbell
