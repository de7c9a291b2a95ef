#include "hw/mac/vlan.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes tagged_frame() {
    return {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x81, 0x00, 0xb1, 0x23, 0x08, 0x00, 0xaa, 0xbb};
}

TEST(Vlan, RecognisesTheEtherTypeOfVetOnly) {
    const Bytes frame = tagged_frame();
    const auto size = static_cast<std::uint32_t>(frame.size());
    EXPECT_TRUE(vlan::is_tagged(frame.data(), size, 0x8100));
    EXPECT_FALSE(vlan::is_tagged(frame.data(), size, 0x88a8));
    EXPECT_FALSE(vlan::is_tagged(frame.data(), 17, 0x8100)) << "the tag is not whole";
    EXPECT_TRUE(vlan::is_tagged(frame.data(), 18, 0x8100));
}

TEST(Vlan, SplitsTheTagIntoItsParts) {
    const Bytes frame = tagged_frame();
    EXPECT_EQ(vlan::tag(frame.data()), 0xb123);
    EXPECT_EQ(vlan::identity(0xb123), 0x123u);
    EXPECT_TRUE(vlan::canonical_format(0xb123));
    EXPECT_FALSE(vlan::canonical_format(0xa123));
}

TEST(Vlan, StripAndInsertAreInverse) {
    Bytes frame = tagged_frame();
    const std::uint8_t* stripped = vlan::strip(frame.data());
    EXPECT_EQ(stripped, frame.data() + 4);
    const Bytes rest(stripped, stripped + 16);
    EXPECT_EQ(rest, (Bytes{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x08, 0x00, 0xaa, 0xbb}));
    vlan::insert_below(frame.data(), 0x8100, 0xb123);
    EXPECT_EQ(frame, tagged_frame());
}

}  // namespace
}  // namespace doorbell
