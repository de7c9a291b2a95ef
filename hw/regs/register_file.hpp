#pragma once

#include <cassert>
#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "hw/regs/register.hpp"

namespace doorbell::regs {

enum class ResetKind : std::uint8_t {
    kPowerOn,   ///< Everything, MTA/VFTA/RETA included (zeros: U22).
    kSoftware,  ///< CTRL.RST: rows marked `keep_on_software_reset` stay (section 9.2).
};

/// Storage and access rules of the registers of one BAR. Knows bits, not behaviour: a block gives a
/// register its meaning with hooks. Plain C++: no time, no I/O. Hooks run after the rules, never at
/// reset, never on debug access. A bus access is two table look-ups (offset to storage slot, slot
/// to rules), an access of the hardware side is one: a doorbell must be cheap.
class RegisterFile {
public:
    struct Write {
        std::uint32_t index;    ///< Which word of an array register.
        std::uint32_t before;   ///< Stored word before.
        std::uint32_t written;  ///< What the bus wrote, wo and sc bits included.
        std::uint32_t now;      ///< Stored word after the rules.
    };
    using WriteHook = std::function<void(const Write&)>;
    /// Called before the value is taken (and before rc bits clear): may refresh the stored word
    /// with `poke`, and returns what the bus reads (`stored` when it has nothing to say).
    using ReadHook = std::function<std::uint32_t(std::uint32_t index, std::uint32_t stored)>;

    /// How often the bus touched an offset that no register has.
    struct Unlisted {
        std::uint32_t offset;
        std::uint64_t reads;
        std::uint64_t writes;
    };

    /// In power-on state.
    explicit RegisterFile(const Map& map);
    RegisterFile(const RegisterFile&) = delete;
    RegisterFile& operator=(const RegisterFile&) = delete;

    void reset(ResetKind kind);

    /// Hooks are installed once, while the NIC is assembled. Several blocks may watch the writes of
    /// one register (in the order of installation); what it reads is the affair of one.
    void on_write(const Register& reg, WriteHook hook);
    void on_read(const Register& reg, ReadHook hook);

    // --- the bus side: access rules and hooks apply ---
    /// 32-bit accesses; at an offset that is unlisted, not dword-aligned or beyond the BAR a read
    /// gives 0 and a write does nothing (section 2.1 rule 1).
    [[nodiscard]] std::uint32_t bus_read(std::uint32_t offset);
    void bus_write(std::uint32_t offset, std::uint32_t value);
    /// What is stored there as the bus sees it, without hooks and side effects.
    [[nodiscard]] std::uint32_t debug_read(std::uint32_t offset) const;
    /// Stores as a bus write would, without hooks.
    void debug_write(std::uint32_t offset, std::uint32_t value);
    /// The register at an offset (aliases resolved) and the index in it; nullptr when unlisted.
    [[nodiscard]] const Register* find(std::uint32_t offset, std::uint32_t& index) const;
    /// By offset: what drivers looked for and the contract does not have. Everything beyond the BAR
    /// counts at its size.
    [[nodiscard]] std::vector<Unlisted> unlisted() const;

    // --- the hardware side: storage, no rules, no hooks ---
    [[nodiscard]] std::uint32_t word(const Register& reg, std::uint32_t index = 0) const {
        return words_[slot_of(reg, index)];
    }
    void poke(const Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        words_[slot_of(reg, index)] = value;
    }
    /// The word itself, for who needs it for every frame: it stays where it is.
    [[nodiscard]] std::uint32_t& storage(const Register& reg, std::uint32_t index = 0) {
        return words_[slot_of(reg, index)];
    }
    [[nodiscard]] std::uint32_t get(const Field& field, std::uint32_t index = 0) const {
        return field.get(word(field.reg, index));
    }
    void set(const Field& field, std::uint32_t value, std::uint32_t index = 0) {
        poke(field.reg, field.put(word(field.reg, index), value), index);
    }

    [[nodiscard]] const Map& map() const { return map_; }

private:
    /// A row with the behaviour that blocks gave it.
    struct Row {
        const Register* reg;
        std::uint32_t readable;
        ReadHook read_hook;
        std::vector<WriteHook> write_hooks;
    };
    struct Count {
        std::uint64_t reads = 0;
        std::uint64_t writes = 0;
    };
    static constexpr std::uint16_t kUnlisted = 0xFFFF;

    void list(const Register& reg, std::uint32_t offset, std::uint32_t count);
    [[nodiscard]] std::uint16_t slot_at(std::uint32_t offset) const {
        if (offset >= map_.size_bytes || offset % 4 != 0) return kUnlisted;
        return slots_[offset / 4];
    }
    [[nodiscard]] std::uint32_t slot_of(const Register& reg, std::uint32_t index) const {
        assert(reg.bar == map_.bar && index < reg.count);
        return reg.slot + index;
    }
    Row& row_of(const Register& reg);
    Count& count_of(std::uint32_t offset);

    const Map map_;
    std::vector<std::uint16_t> slots_;  ///< By dword of the BAR: slot in words_ or kUnlisted.
    std::vector<std::uint32_t> words_;  ///< Storage; the words of a register are neighbours.
    std::vector<std::uint16_t> rows_of_slots_;
    std::vector<Row> rows_;
    std::map<std::uint32_t, Count> unlisted_;
};

}  // namespace doorbell::regs
