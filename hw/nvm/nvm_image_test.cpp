#include "hw/nvm/nvm_image.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

TEST(NvmImage, the_default_image_is_that_of_the_specification) {
    const NvmImage image(NvmParams{});
    EXPECT_EQ(image.size_words(), 64u);
    const std::pair<std::uint32_t, std::uint16_t> words[] = {
        {0x00, 0x0002}, {0x01, 0x8200}, {0x02, 0x4057}, {0x03, 0x0000}, {0x04, 0xF746},
        {0x05, 0x1000}, {0x06, 0xFFFF}, {0x08, 0xE825}, {0x09, 0x7400}, {0x0A, 0x026B},
        {0x0B, 0x0000}, {0x0C, 0x8086}, {0x0D, 0x10D3}, {0x0E, 0x8086}, {0x0F, 0x8058},
        {0x10, 0x0000}, {0x11, 0x0000}, {0x12, 0x4000}, {0x13, 0xFFFF}, {0x1E, 0x0000},
        {0x1F, 0x0602}, {0x24, 0x0000}, {0x2F, 0xFFFF}, {0x37, 0xFFFF}};
    for (const auto& [address, value] : words) {
        EXPECT_EQ(image.word(address), value) << "word " << address;
    }
    std::uint16_t sum = 0;
    for (std::uint32_t i = 0; i < 64; i++) sum = static_cast<std::uint16_t>(sum + image.word(i));
    EXPECT_EQ(sum, 0xBABA);
    EXPECT_TRUE(image.checksum_good());
    EXPECT_TRUE(image.signature_good());
}

TEST(NvmImage, parameters_reach_the_default_image_and_the_checksum_follows) {
    NvmParams params;
    params.mac_address = {0x00, 0x1B, 0x21, 0xAA, 0xBB, 0xCC};
    params.subsystem_id = 0xA01F;
    params.wake_on_lan = true;
    const NvmImage image(params);
    EXPECT_EQ(image.word(0), 0x1B00);
    EXPECT_EQ(image.word(2), 0xCCBB);
    EXPECT_EQ(image.mac_address(), params.mac_address);
    EXPECT_EQ(image.word(0x0B), 0xA01F);
    EXPECT_EQ(image.word(0x24), 0x0400);
    EXPECT_TRUE(image.wake_on_lan());
    EXPECT_TRUE(image.checksum_good());
}

TEST(NvmImage, an_image_of_ones_is_not_valid_and_wakes_nobody) {
    NvmParams params;
    params.image.assign(64, 0xFFFF);
    const NvmImage image(params);
    EXPECT_FALSE(image.signature_good());
    EXPECT_FALSE(image.checksum_good());
    EXPECT_FALSE(image.wake_on_lan());
}

TEST(NvmImage, a_size_is_one_that_eecd_can_express) {
    NvmParams params;
    params.image.assign(65, 0);
    EXPECT_EQ(NvmImage(params).size_words(), 128u);
    EXPECT_EQ(NvmImage(params).size_code(), 1u);
    EXPECT_EQ(NvmImage(params).word(100), 0xFFFF);
    params.image.assign(1, 0);
    EXPECT_EQ(NvmImage(params).size_words(), 64u);
    EXPECT_EQ(NvmImage(params).size_code(), 0u);
    params.image.assign(100'000, 0);
    EXPECT_EQ(NvmImage(params).size_words(), NvmImage::kMaxWords);
}

TEST(NvmImage, erased_led_words_leave_the_reset_value) {
    NvmParams params;
    EXPECT_EQ(NvmImage(params).led_defaults(0x00068302), 0x00068302u);
    NvmImage image(params);
    image.set_word(0x1F, 0x0706);
    image.set_word(0x1C, 0x0004);
    EXPECT_EQ(image.led_defaults(0x00068302), 0x00070406u);
    image.set_word(0x1F, 0xFFFF);
    image.set_word(0x1C, 0xFFFF);
    EXPECT_EQ(image.led_defaults(0x12345678), 0x12345678u);
}

TEST(NvmImage, beyond_the_end_there_is_nothing) {
    NvmImage image(NvmParams{});
    image.set_word(64, 0x1234);
    EXPECT_EQ(image.word(64), 0xFFFF);
    EXPECT_EQ(image.size_words(), 64u);
}

}  // namespace
}  // namespace doorbell
