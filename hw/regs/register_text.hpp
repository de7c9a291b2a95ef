#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hw/regs/register.hpp"

/// What `doorbell regs [NAME|OFFSET [VALUE]]` says: the map, one register, or a decoded value, as
/// plain structures (for JSON) and as text. Knows the contract only, no device.
namespace doorbell::regs {

struct NamedValue {
    std::string name;
    std::uint32_t value = 0;
};

struct FieldText {
    std::string name;
    std::string bits;    ///< "9:8" or "6"
    std::string access;  ///< As in docs/registers.md.
    std::string description;
    std::uint32_t reset = 0;
    std::vector<NamedValue> values;      ///< Codes that have a name.
    std::optional<std::uint32_t> value;  ///< When a word was decoded.
    std::string value_name;              ///< Of `value`; empty when it has none.
};

struct RegisterText {
    std::string name;  ///< "TDT", or "TDT[1]" when a word of it was asked for.
    std::string group;
    std::string description;
    std::string access;  ///< All kinds of its bits, "rw sc".
    std::uint32_t bar = 0;
    std::uint32_t offset = 0;  ///< Of the word asked for.
    std::uint32_t count = 1;
    std::uint32_t stride = 4;
    std::uint32_t reset = 0;
    bool kept_on_software_reset = false;
    std::vector<std::uint32_t> aliases;
    std::vector<FieldText> fields;
    std::optional<std::uint32_t> value;
    std::uint32_t unnamed_bits = 0;  ///< Bits of `value` outside all fields.
};

/// The answer to a question; on `!ok` only `error` (one line, with a suggestion where one is near).
struct RegisterAnswer {
    bool ok = false;
    std::string error;
    std::vector<RegisterText> registers;
    std::string text;
};

/// `arguments`: nothing (the whole map); NAME, NAME[index] or OFFSET (hexadecimal; "3:0x10" is in
/// BAR 3, otherwise BAR 0; aliases count); and after these a VALUE to decode (0x... or decimal).
/// Names are found in any case.
[[nodiscard]] RegisterAnswer ask_registers(const Contract& contract,
                                           const std::vector<std::string>& arguments);

/// The parts, for others who print registers (traces, reports).
[[nodiscard]] RegisterText describe(const Contract& contract, const Register& reg,
                                    std::optional<std::uint32_t> index = std::nullopt);
/// Fills in what each field of a description of `reg` holds when the register holds `value`.
void decode(const Contract& contract, RegisterText& text, const Register& reg, std::uint32_t value);

}  // namespace doorbell::regs
