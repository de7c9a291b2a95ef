#pragma once

#include <cassert>
#include <cstdint>

namespace doorbell::regs {

/// Which bits of a register behave how on the bus. Reads like the datasheet:
/// `Access{}.rw(0x3).rw1c(0x80)`. A bit in no set is reserved: reads 0, writes are ignored.
struct Access {
    std::uint32_t rw_bits = 0;    ///< Storage.
    std::uint32_t ro_bits = 0;    ///< Hardware's; writes are ignored.
    std::uint32_t wo_bits = 0;    ///< Reads 0; the write hook sees what was written.
    std::uint32_t rw1c_bits = 0;  ///< Writing 1 clears.
    std::uint32_t rw1s_bits = 0;  ///< Writing 1 sets; hardware clears.
    std::uint32_t rw0c_bits = 0;  ///< Writing 0 clears; hardware sets.
    std::uint32_t sc_bits = 0;    ///< Self-clearing: the hook sees the 1, storage and reads stay 0.
    std::uint32_t rc_bits = 0;    ///< Cleared by reading.
    std::uint32_t rc_hook_bits = 0;  ///< Cleared by reading under conditions: its block does it.

    constexpr Access rw(std::uint32_t m) const { return with(&Access::rw_bits, m); }
    constexpr Access ro(std::uint32_t m) const { return with(&Access::ro_bits, m); }
    constexpr Access wo(std::uint32_t m) const { return with(&Access::wo_bits, m); }
    constexpr Access rw1c(std::uint32_t m) const { return with(&Access::rw1c_bits, m); }
    constexpr Access rw1s(std::uint32_t m) const { return with(&Access::rw1s_bits, m); }
    constexpr Access rw0c(std::uint32_t m) const { return with(&Access::rw0c_bits, m); }
    constexpr Access sc(std::uint32_t m) const { return with(&Access::sc_bits, m); }
    constexpr Access rc(std::uint32_t m) const { return with(&Access::rc_bits, m); }
    constexpr Access rc_hook(std::uint32_t m) const { return with(&Access::rc_hook_bits, m); }

    constexpr std::uint32_t readable() const {
        return rw_bits | ro_bits | rw1c_bits | rw1s_bits | rw0c_bits | rc_bits | rc_hook_bits;
    }

    /// The stored word after the bus wrote `written` over `stored`.
    constexpr std::uint32_t after_write(std::uint32_t stored, std::uint32_t written) const {
        const std::uint32_t replaced = (stored & ~rw_bits) | (written & rw_bits);
        return ((replaced & ~(written & rw1c_bits)) | (written & rw1s_bits)) &
               ~(~written & rw0c_bits);
    }

private:
    constexpr Access with(std::uint32_t Access::*set, std::uint32_t mask) const {
        Access copy = *this;
        copy.*set = mask;
        return copy;
    }
};

/// One row of the datasheet. An array register has `count` words, `stride` bytes apart.
struct Register {
    const char* name;
    const char* group;
    const char* description;
    std::uint32_t bar;  ///< 0 register file, 2 I/O window, 3 MSI-X table.
    std::uint32_t offset;
    std::uint32_t count;
    std::uint32_t stride;  ///< 4 when count is 1.
    std::uint32_t reset;   ///< After power-on.
    bool keep_on_software_reset;
    Access access;
    std::uint32_t index;  ///< Position in kAll.
    std::uint32_t slot;   ///< Position of word 0 in the storage of its BAR's register file.

    constexpr std::uint32_t offset_of(std::uint32_t i) const { return offset + i * stride; }
};

/// A named bit range. It knows its register, so it cannot be applied to another one.
struct Field {
    const Register& reg;
    const char* name;
    unsigned lsb;
    unsigned width;
    const char* description;

    constexpr std::uint32_t mask() const {
        return (width == 32 ? ~std::uint32_t{0} : (std::uint32_t{1} << width) - 1) << lsb;
    }
    constexpr std::uint32_t get(std::uint32_t word) const { return (word & mask()) >> lsb; }
    constexpr std::uint32_t put(std::uint32_t word, std::uint32_t value) const {
        return (word & ~mask()) | ((value << lsb) & mask());
    }
};

/// The name of a code that a field can hold.
struct FieldValue {
    const Field& field;
    const char* name;
    std::uint32_t value;
};

/// Another offset (an 8254x position) that reaches words 0..count-1 of the same register.
struct Alias {
    std::uint32_t offset;
    std::uint32_t count;
    const Register& reg;
};

/// A contract as the register file of one BAR needs it. Rows are in order of their offsets.
struct Map {
    const Register* const* registers;
    std::uint32_t register_count;
    const Alias* aliases;
    std::uint32_t alias_count;
    std::uint32_t bar;
    std::uint32_t size_bytes;  ///< Of the BAR; offsets beyond read 0.
    std::uint32_t word_count;  ///< Of all rows together.
    const char* title;
};

/// Everything that the contract of one part says, for those who print or check it.
struct Contract {
    const char* device;
    const Register* const* registers;
    std::uint32_t register_count;
    const Field* const* fields;
    std::uint32_t field_count;
    const FieldValue* values;
    std::uint32_t value_count;
    const Map* const* maps;
    std::uint32_t map_count;
};

}  // namespace doorbell::regs
