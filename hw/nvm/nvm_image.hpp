#pragma once

#include <cstdint>
#include <vector>

#include "hw/nvm/nvm_params.hpp"

namespace doorbell {

/// The words of the NVM and what they say (specification 3.4).
class NvmImage {
public:
    static constexpr std::uint16_t kErased = 0xFFFF;
    /// Sum of words 0x00..0x3F (datasheet 6.1; specification 3.3).
    static constexpr std::uint16_t kChecksum = 0xBABA;
    static constexpr std::uint32_t kChecksummedWords = 0x40;
    /// EERD and EEWR have 14 address bits.
    static constexpr std::uint32_t kMaxWords = 1u << 14;

    /// The image of the parameters, or the default one. A size that EECD cannot express is filled
    /// up to the next that it can.
    explicit NvmImage(const NvmParams& params);

    [[nodiscard]] std::uint32_t size_words() const {
        return static_cast<std::uint32_t>(words_.size());
    }
    /// Beyond the end a word reads as erased.
    [[nodiscard]] std::uint16_t word(std::uint32_t address) const {
        return address < words_.size() ? words_[address] : kErased;
    }
    /// Beyond the end nothing happens.
    void set_word(std::uint32_t address, std::uint16_t value) {
        if (address < words_.size()) words_[address] = value;
    }

    /// The signature that the hardware looks at; software looks at the checksum.
    [[nodiscard]] bool signature_good() const;
    [[nodiscard]] bool checksum_good() const;
    /// EECD.NV_SIZE: the NVM has 1 << (code + 6) words.
    [[nodiscard]] std::uint32_t size_code() const;

    [[nodiscard]] MacAddress mac_address() const;
    [[nodiscard]] bool loads_device_id() const;
    [[nodiscard]] bool loads_subsystem_ids() const;
    [[nodiscard]] std::uint16_t device_id() const { return word(0x0D); }
    [[nodiscard]] std::uint16_t subsystem_id() const { return word(0x0B); }
    [[nodiscard]] std::uint16_t subsystem_vendor_id() const { return word(0x0C); }
    /// Defaults of CTRL: ILOS and FRCSPD of Initialization Control 1. False when it is erased.
    [[nodiscard]] bool has_control_defaults() const;
    [[nodiscard]] bool inverts_loss_of_signal() const;
    [[nodiscard]] bool forces_speed() const;
    [[nodiscard]] bool wake_on_lan() const;
    /// LEDCTL with the bytes that the image defines in place of those of `ledctl`.
    [[nodiscard]] std::uint32_t led_defaults(std::uint32_t ledctl) const;

private:
    [[nodiscard]] std::uint16_t sum() const;
    void fill_default(const NvmParams& params);

    std::vector<std::uint16_t> words_;
};

}  // namespace doorbell
