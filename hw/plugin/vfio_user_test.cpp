#include "hw/plugin/vfio_user.hpp"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace doorbell::plugin::vfio_user {
namespace {

TEST(Header, is_sixteen_bytes_little_endian) {
    const std::array<std::uint8_t, 16> bytes = {0x34, 0x12, 9, 0, 32,   0, 0, 0,
                                                0x10, 0,    0, 0, 0x16, 0, 0, 0};
    const Header header = Header::load(bytes.data());
    EXPECT_EQ(header.id, 0x1234);
    EXPECT_EQ(header.command, static_cast<std::uint16_t>(Command::kRegionRead));
    EXPECT_EQ(header.size_bytes, 32u);
    EXPECT_FALSE(header.wants_reply());
    EXPECT_EQ(header.error, 22u);
    std::array<std::uint8_t, 16> again{};
    header.store(again.data());
    EXPECT_EQ(again, bytes);
}

TEST(Payloads, have_their_fields_where_the_protocol_says) {
    std::vector<std::uint8_t> bytes(40);
    for (std::size_t i = 0; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(i);
    const auto map = DmaMap::load(bytes.data());
    EXPECT_EQ(map.flags, 0x07060504u);
    EXPECT_EQ(map.offset, 0x0F0E0D0C0B0A0908u);
    EXPECT_EQ(map.address, 0x1716151413121110u);
    EXPECT_EQ(map.size_bytes, 0x1F1E1D1C1B1A1918u);
    const auto unmap = DmaUnmap::load(bytes.data());
    EXPECT_EQ(unmap.address, 0x0F0E0D0C0B0A0908u);
    EXPECT_EQ(unmap.size_bytes, 0x1716151413121110u);
    const auto access = RegionAccess::load(bytes.data());
    EXPECT_EQ(access.offset, 0x0706050403020100u);
    EXPECT_EQ(access.region, 0x0B0A0908u);
    EXPECT_EQ(access.count, 0x0F0E0D0Cu);
    const auto irqs = SetIrqs::load(bytes.data());
    EXPECT_EQ(irqs.index, 0x0B0A0908u);
    EXPECT_EQ(irqs.start, 0x0F0E0D0Cu);
    EXPECT_EQ(irqs.count, 0x13121110u);
    EXPECT_EQ(WriteMulti::kEntryBytes, 24u);
}

TEST(Names, are_for_people) {
    EXPECT_EQ(command_name(9), "REGION_READ");
    EXPECT_EQ(command_name(15), "REGION_WRITE_MULTI");
    EXPECT_EQ(command_name(0), "command 0");
    EXPECT_EQ(command_name(19), "command 19");
}

TEST(VersionText, ends_in_nul_and_is_left_out_where_it_has_no_room) {
    const std::string text = version_text(1000);
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(text.back(), '\0');
    EXPECT_EQ(text.find('\0'), text.size() - 1);
    EXPECT_EQ(version_text(text.size()), text);
    EXPECT_EQ(version_text(text.size() - 1), "");
    EXPECT_LE(text.size(), 198u) << "QEMU's request leaves 198 bytes";
}

}  // namespace
}  // namespace doorbell::plugin::vfio_user
