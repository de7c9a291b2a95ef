#include "hw/nvm/spi_eeprom.hpp"

namespace doorbell {

namespace {

constexpr std::uint8_t kWrite = 0x02;
constexpr std::uint8_t kRead = 0x03;
constexpr std::uint8_t kWriteDisable = 0x04;
constexpr std::uint8_t kReadStatus = 0x05;
constexpr std::uint8_t kWriteEnable = 0x06;
/// Bit 8 of the address of a small part.
constexpr std::uint8_t kA8 = 0x08;

constexpr std::uint8_t kStatusBusy = 1u << 0;
constexpr std::uint8_t kStatusWriteEnabled = 1u << 1;

constexpr std::uint32_t kByteBits = 8;

}  // namespace

void SpiEeprom::power_on_reset() {
    abandon();
    write_enabled_ = false;
    busy_until_ps_ = 0;
}

void SpiEeprom::abandon() {
    pins_ = SpiPins();
    phase_ = Phase::kIgnore;
    data_out_ = true;
}

void SpiEeprom::drive(const SpiPins& pins) {
    const SpiPins before = pins_;
    pins_ = pins;
    if (pins.select != before.select) {
        pins.select ? end_command() : begin_command();
        return;
    }
    if (pins.select || pins.clock == before.clock) return;
    pins.clock ? bit_in(pins.data_in) : bit_out();
}

std::uint8_t SpiEeprom::status() const {
    std::uint8_t status = 0;
    if (busy()) status |= kStatusBusy;
    if (write_enabled_) status |= kStatusWriteEnabled;
    return status;
}

std::uint8_t SpiEeprom::byte(std::uint32_t address) const {
    const std::uint32_t word = image_.word(address / 2);
    return static_cast<std::uint8_t>(word >> kByteBits * (address % 2));
}

void SpiEeprom::set_byte(std::uint32_t address, std::uint8_t value) {
    const std::uint32_t shift = kByteBits * (address % 2);
    const std::uint32_t kept = image_.word(address / 2) & ~(0xFFu << shift);
    image_.set_word(address / 2, static_cast<std::uint16_t>(kept | std::uint32_t{value} << shift));
}

void SpiEeprom::begin_command() {
    phase_ = Phase::kOpcode;
    shift_ = bits_in_ = bytes_in_ = address_ = 0;
    bits_left_ = 0;
    page_written_ = 0;
}

// What changes something does so only if CS rises behind a whole byte: a glitch writes nothing.
void SpiEeprom::end_command() {
    const Phase phase = phase_;
    phase_ = Phase::kIgnore;
    data_out_ = true;
    if (bits_in_ != 0) return;
    if (bytes_in_ == 1 && opcode_ == kWriteEnable) write_enabled_ = true;
    if (bytes_in_ == 1 && opcode_ == kWriteDisable) write_enabled_ = false;
    if (phase != Phase::kWrite || page_written_ == 0) return;
    const std::uint32_t page = address_ - address_ % page_bytes();
    for (std::uint32_t i = 0; i < page_bytes(); i++) {
        if ((page_written_ >> i & 1) != 0) set_byte(page + i, page_[i]);
    }
    write_enabled_ = false;
    busy_until_ps_ = timeline_.now_ps() + write_ps_;
}

void SpiEeprom::bit_in(bool bit) {
    if (phase_ == Phase::kIgnore || phase_ == Phase::kRead || phase_ == Phase::kStatus) return;
    shift_ = shift_ << 1 | (bit ? 1u : 0u);
    if (++bits_in_ < kByteBits) return;
    bits_in_ = 0;
    bytes_in_++;
    byte_in(static_cast<std::uint8_t>(shift_));
}

void SpiEeprom::byte_in(std::uint8_t value) {
    if (phase_ == Phase::kOpcode) return decode(value);
    if (phase_ == Phase::kAddress) {
        address_ = address_ << kByteBits | value;
        const std::uint32_t address_bytes = large() ? 2 : 1;
        if (bytes_in_ < 1 + address_bytes) return;
        address_ %= size_bytes();
        phase_ = opcode_ == kRead ? Phase::kRead : Phase::kWrite;
        return;
    }
    // Phase::kWrite: more than a page overwrites its beginning.
    const std::uint32_t place = address_ % page_bytes();
    page_[place] = value;
    page_written_ |= 1u << place;
    address_ = address_ - place + (place + 1) % page_bytes();
}

void SpiEeprom::decode(std::uint8_t opcode) {
    const bool addressed = (opcode & ~kA8) == kRead || (opcode & ~kA8) == kWrite;
    if (addressed && !large()) {
        address_ = (opcode & kA8) != 0 ? 1 : 0;
        opcode = static_cast<std::uint8_t>(opcode & ~kA8);
    }
    opcode_ = opcode;
    phase_ = Phase::kIgnore;
    if (opcode == kReadStatus) {
        phase_ = Phase::kStatus;
    } else if (busy()) {
        opcode_ = 0;  // Nothing else is heard.
    } else if (opcode == kRead || (opcode == kWrite && write_enabled_)) {
        phase_ = Phase::kAddress;
    }
}

void SpiEeprom::bit_out() {
    if (phase_ != Phase::kRead && phase_ != Phase::kStatus) return;
    if (bits_left_ == 0) {
        bits_left_ = kByteBits;
        output_ = phase_ == Phase::kStatus ? status() : byte(address_);
        if (phase_ == Phase::kRead) address_ = (address_ + 1) % size_bytes();
    }
    bits_left_--;
    data_out_ = (output_ >> bits_left_ & 1) != 0;
}

}  // namespace doorbell
