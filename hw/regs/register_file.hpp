#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "hw/regs/register.hpp"

namespace doorbell::regs {

enum class ResetKind : std::uint8_t {
    kPowerOn,   ///< Everything, MTA/VFTA/RETA included (zeros: U22).
    kSoftware,  ///< CTRL.RST: the registers the contract marks `keep_on_software_reset` stay.
};

/// Storage and access rules of the registers of one BAR. Knows bits, not behaviour: a block gives a
/// register its meaning with hooks. Plain C++: no time, no I/O. Hooks run after the rules, never at
/// reset, never on debug access. Look-up is one table access: a doorbell must be cheap.
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
    /// with `poke`, or return another value than `stored`.
    using ReadHook = std::function<std::uint32_t(std::uint32_t index, std::uint32_t stored)>;

    explicit RegisterFile(const Map& map);
    ~RegisterFile();
    RegisterFile(const RegisterFile&) = delete;
    RegisterFile& operator=(const RegisterFile&) = delete;

    void reset(ResetKind kind);

    void on_write(const Register& reg, WriteHook hook);
    void on_read(const Register& reg, ReadHook hook);
    /// Called after a read with rc bits cleared them or with any read hook done: for side effects.
    /// Unlisted offsets: counted here by offset for the burndown of unmodelled registers.

    // --- the bus side: access rules and hooks apply
    // -----------------------------------------------
    /// 32-bit accesses at dword-aligned offsets; unlisted offsets read 0.
    [[nodiscard]] std::uint32_t bus_read(std::uint32_t offset);
    void bus_write(std::uint32_t offset, std::uint32_t value);
    /// What a read would return, without any side effect.
    [[nodiscard]] std::uint32_t debug_read(std::uint32_t offset) const;
    /// The register at an offset (aliases resolved) and the index in it; nullptr when unlisted.
    [[nodiscard]] const Register* find(std::uint32_t offset, std::uint32_t& index) const;

    // --- the hardware side: storage, no rules, no hooks
    // -------------------------------------------
    [[nodiscard]] std::uint32_t word(const Register& reg, std::uint32_t index = 0) const;
    void poke(const Register& reg, std::uint32_t value, std::uint32_t index = 0);
    [[nodiscard]] std::uint32_t get(const Field& field, std::uint32_t index = 0) const {
        return field.get(word(field.reg, index));
    }
    void set(const Field& field, std::uint32_t value, std::uint32_t index = 0) {
        poke(field.reg, field.put(word(field.reg, index), value), index);
    }

private:
    struct Cell;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace doorbell::regs
