#include "hw/ptp/ptp_message.hpp"

#include <gtest/gtest.h>

#include "hw/ptp/ptp_test_frames_test.hpp"

namespace doorbell::ptp_test {
namespace {

constexpr PtpPlaces kPlaces{0x88F7, kEventPort, 0x8100};

PtpMessage find(const Bytes& frame, const PtpPlaces& places = kPlaces) {
    return find_ptp_message(frame.data(), static_cast<std::uint32_t>(frame.size()), places);
}

TEST(PtpMessage, is_found_in_ethernet_in_ipv4_and_in_ipv6) {
    const Bytes m = message(1, 2, 9);
    for (const Bytes& frame :
         {layer2(m), layer2(m, true), ipv4(m), ipv4(m, kEventPort, 8), ipv6(m)}) {
        const PtpMessage found = find(frame);
        ASSERT_NE(found.header, nullptr);
        EXPECT_EQ(found.v2_message_type(), 1);
        EXPECT_EQ(found.v1_control(), 9);
        EXPECT_EQ(found.sequence(), 0x1234);
        EXPECT_EQ(found.source(), 0xA7A6A5A4A3A2u) << "bytes 22 to 27, the first lowest";
    }
    EXPECT_TRUE(find(layer2(m)).layer2);
    EXPECT_FALSE(find(ipv4(m)).layer2);
}

TEST(PtpMessage, another_type_port_or_protocol_is_none) {
    const Bytes m = message(0, 2, 0);
    EXPECT_EQ(find(ethernet(0x88F8, m)).header, nullptr);
    EXPECT_EQ(find(ipv4(m, 320)).header, nullptr);
    EXPECT_EQ(find(ipv6(m, 320)).header, nullptr);
    Bytes tcp = ipv4(m);
    tcp[14 + 9] = 6;
    EXPECT_EQ(find(tcp).header, nullptr);
    Bytes fragment = ipv4(m);
    fragment[14 + 7] = 1;
    EXPECT_EQ(find(fragment).header, nullptr);
    Bytes extended = ipv6(m);
    extended[14 + 6] = 0;
    EXPECT_EQ(find(extended).header, nullptr);
}

TEST(PtpMessage, event_messages_of_version_2_are_types_0_to_3) {
    for (std::uint8_t type = 0; type < 16; type++) {
        const Bytes frame = layer2(message(static_cast<std::uint8_t>(0x10 | type), 2, 0));
        EXPECT_EQ(find(frame).v2_event(), type < 4) << int{type};
    }
}

TEST(PtpMessage, a_frame_cut_anywhere_is_read_within_its_bounds) {
    for (const Bytes& whole : {layer2(message(0, 2, 0), true),
                               ipv4(message(0, 2, 0), kEventPort, 40), ipv6(message(0, 2, 0))}) {
        for (std::size_t size = 0; size < whole.size(); size++) {
            const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            const PtpMessage found = find(cut);
            if (found.header != nullptr) {
                EXPECT_LE(found.header + 33, cut.data() + cut.size());
            }
        }
    }
}

}  // namespace
}  // namespace doorbell::ptp_test
