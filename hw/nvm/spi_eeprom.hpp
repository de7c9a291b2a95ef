#pragma once

#include <array>
#include <cstdint>

#include "hw/base/timeline.hpp"
#include "hw/nvm/nvm_image.hpp"

namespace doorbell {

/// What software drives at the pins of the EEPROM through EECD.
struct SpiPins {
    bool select = true;    ///< EECD.CS, the level of /CS: 0 selects.
    bool clock = false;    ///< EECD.SK
    bool data_in = false;  ///< EECD.DI
};

/// The four wires of an SPI EEPROM, bit by bit (specification 3.1; SPI mode 0): an input bit is
/// taken when SK rises, an output bit stands from when SK falls until it falls again, most
/// significant bit first. A word of the NVM is two bytes, the low one first. Commands:
///
///     WREN 06, WRDI 04   write enable latch on, off; acts when CS rises
///     RDSR 05            status, again and again: bit 0 a write is under way, bit 1 WEL
///     READ 03  address   bytes from there on, round at the end
///     WRITE 02 address   bytes into one page, round at its end; written when CS rises
///
/// Up to 512 bytes the address has 8 bits and bit 3 of the opcode is A8; beyond, 16 bits.
class SpiEeprom {
public:
    /// `image` is the memory; a page takes `write_ps`, in which only RDSR is answered.
    SpiEeprom(NvmImage& image, const Timeline& timeline, Picoseconds write_ps)
        : image_(image), timeline_(timeline), write_ps_(write_ps) {}

    /// Power-on: the write enable latch is off, nothing is selected.
    void power_on_reset();
    /// The pins as they are now. Raising CS ends a command, as losing the pins does.
    void drive(const SpiPins& pins);
    /// Nobody drives the pins any more; what was half said is forgotten.
    void abandon();
    /// EECD.DO: pulled up while nothing is put out.
    [[nodiscard]] bool data_out() const { return data_out_; }
    /// A page is being written.
    [[nodiscard]] bool busy() const { return timeline_.now_ps() < busy_until_ps_; }
    /// When the part answers to somebody else: now, or when the page is written.
    [[nodiscard]] Picoseconds idle_ps() const {
        return busy() ? busy_until_ps_ : timeline_.now_ps();
    }

    [[nodiscard]] bool large() const { return size_bytes() > kSmallBytes; }

private:
    static constexpr std::uint32_t kSmallBytes = 512;
    static constexpr std::uint32_t kLargestPage = 32;
    enum class Phase : std::uint8_t { kOpcode, kAddress, kRead, kStatus, kWrite, kIgnore };

    [[nodiscard]] std::uint32_t size_bytes() const { return 2 * image_.size_words(); }
    [[nodiscard]] std::uint32_t page_bytes() const { return large() ? kLargestPage : 8; }
    [[nodiscard]] std::uint8_t status() const;
    [[nodiscard]] std::uint8_t byte(std::uint32_t address) const;
    void set_byte(std::uint32_t address, std::uint8_t value);
    void begin_command();
    void end_command();
    void bit_in(bool bit);
    void bit_out();
    void byte_in(std::uint8_t value);
    void decode(std::uint8_t opcode);

    NvmImage& image_;
    const Timeline& timeline_;
    const Picoseconds write_ps_;

    SpiPins pins_;
    bool data_out_ = true;
    bool write_enabled_ = false;
    Picoseconds busy_until_ps_ = 0;

    Phase phase_ = Phase::kIgnore;
    std::uint8_t opcode_ = 0;
    std::uint32_t shift_ = 0;     ///< Bits of the byte that comes in.
    std::uint32_t bits_in_ = 0;   ///< Of that byte.
    std::uint32_t bytes_in_ = 0;  ///< Of the command.
    std::uint32_t address_ = 0;
    std::uint8_t output_ = 0;      ///< The byte that goes out, next bit on top.
    std::uint32_t bits_left_ = 0;  ///< Of it.
    std::array<std::uint8_t, kLargestPage> page_{};
    std::uint32_t page_written_ = 0;  ///< One bit a byte of `page_`.
};

}  // namespace doorbell
