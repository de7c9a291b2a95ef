#include "hw/nvm/nvm_image.hpp"

#include <algorithm>

#include "hw/base/bits.hpp"

namespace doorbell {

namespace {

// Word addresses of specification 3.4.
constexpr std::uint32_t kInitControl1 = 0x0A;
constexpr std::uint32_t kSignature = 0x12;
constexpr std::uint32_t kLed13Defaults = 0x1C;
constexpr std::uint32_t kLed02Defaults = 0x1F;
constexpr std::uint32_t kInitControl3 = 0x24;
constexpr std::uint32_t kChecksumWord = 0x3F;

constexpr unsigned kLoadDeviceIdBit = 0;
constexpr unsigned kLoadSubsystemIdsBit = 1;
constexpr unsigned kInvertLossOfSignalBit = 4;
constexpr unsigned kForceSpeedBit = 11;
constexpr unsigned kWakeOnLanBit = 10;
constexpr unsigned kSignatureLsb = 14;
constexpr std::uint16_t kGoodSignature = 0x1;

constexpr std::uint32_t kSmallestWords = 64;

}  // namespace

NvmImage::NvmImage(const NvmParams& params) : words_(params.image) {
    if (words_.empty()) {
        fill_default(params);
        return;
    }
    std::uint32_t size = kSmallestWords;
    while (size < words_.size() && size < kMaxWords) size *= 2;
    words_.resize(size, kErased);
}

// Specification 3.5.
void NvmImage::fill_default(const NvmParams& params) {
    words_.assign(kSmallestWords, kErased);
    for (std::uint32_t i = 0; i < 3; i++) words_[i] = load_le16(&params.mac_address[2 * i]);
    words_[0x03] = 0x0000;  // No special board.
    words_[0x04] = 0xF746;  // LEDs as the driver likes them.
    words_[0x05] = 0x1000;  // Image version 1.0-0.
    words_[0x08] = 0xE825;  // Part number E82574-000.
    words_[0x09] = 0x7400;
    words_[kInitControl1] = 0x026B;
    words_[0x0B] = params.subsystem_id;
    words_[0x0C] = params.subsystem_vendor_id;
    words_[0x0D] = 0x10D3;
    words_[0x0E] = 0x8086;
    words_[0x0F] = 0x8058;  // No manageability.
    words_[0x10] = 0x0000;
    words_[0x11] = 0x0000;
    words_[kSignature] = kGoodSignature << kSignatureLsb;
    words_[0x1E] = 0x0000;
    words_[kLed02Defaults] = 0x0602;
    words_[kInitControl3] =
        static_cast<std::uint16_t>(params.wake_on_lan ? 1u << kWakeOnLanBit : 0);
    words_[kChecksumWord] = 0;
    words_[kChecksumWord] = static_cast<std::uint16_t>(kChecksum - sum());
}

std::uint16_t NvmImage::sum() const {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < kChecksummedWords; i++) sum += word(i);
    return static_cast<std::uint16_t>(sum);
}

bool NvmImage::signature_good() const {
    return bits(word(kSignature), kSignatureLsb, 2) == 1;
}

bool NvmImage::checksum_good() const {
    return sum() == kChecksum;
}

std::uint32_t NvmImage::size_code() const {
    std::uint32_t code = 0;
    while (kSmallestWords << code < words_.size()) code++;
    return code;
}

MacAddress NvmImage::mac_address() const {
    MacAddress mac;
    for (std::uint32_t i = 0; i < 3; i++) store_le16(&mac[2 * i], word(i));
    return mac;
}

bool NvmImage::loads_device_id() const {
    return bit(word(kInitControl1), kLoadDeviceIdBit);
}

bool NvmImage::loads_subsystem_ids() const {
    return bit(word(kInitControl1), kLoadSubsystemIdsBit);
}

bool NvmImage::has_control_defaults() const {
    return word(kInitControl1) != kErased;
}

bool NvmImage::inverts_loss_of_signal() const {
    return bit(word(kInitControl1), kInvertLossOfSignalBit);
}

bool NvmImage::forces_speed() const {
    return bit(word(kInitControl1), kForceSpeedBit);
}

bool NvmImage::wake_on_lan() const {
    return word(kInitControl3) != kErased && bit(word(kInitControl3), kWakeOnLanBit);
}

std::uint32_t NvmImage::led_defaults(std::uint32_t ledctl) const {
    std::uint8_t bytes[4];
    store_le32(bytes, ledctl);
    if (word(kLed02Defaults) != kErased) {
        bytes[0] = static_cast<std::uint8_t>(word(kLed02Defaults));
        bytes[2] = static_cast<std::uint8_t>(word(kLed02Defaults) >> 8);
    }
    if (word(kLed13Defaults) != kErased) {
        bytes[1] = static_cast<std::uint8_t>(word(kLed13Defaults));
    }
    return load_le32(bytes);
}

}  // namespace doorbell
