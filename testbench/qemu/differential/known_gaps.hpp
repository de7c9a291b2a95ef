#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/qemu/differential/program.hpp"
#include "testbench/qemu/differential/wire_counts.hpp"

namespace doorbell::differential {

/// What a program has done so far, as far as the condition of a gap can ask for it.
class Story {
public:
    explicit Story(InterruptMode mode) : mode_(mode) {}
    void operate(const Operation& operation);
    /// What the model showed then.
    void observe(const Observation& model);
    [[nodiscard]] const WireCounts& wire() const { return wire_; }
    /// "MODE=msix", "RESET=yes" (after a software reset), "CTRL.VME=1" (as last written),
    /// "WROTE=TDH[0]", "SENT=tso|short" (both since the last reset), "ARRIVED=group|pause" (in the
    /// last operation that received), "STANDS=message" (since somebody looked at MSIs last
    /// there was a time with one, and no cause cleared); with "!=" the contrary.
    [[nodiscard]] bool holds(const std::string& condition) const;

private:
    void send(const std::vector<TxPart>& parts);
    [[nodiscard]] std::uint32_t written(std::string_view name, std::uint32_t otherwise) const;

    InterruptMode mode_;
    bool reset_ = false;
    bool segmented_ = false;
    bool short_ = false;
    bool group_ = false;
    bool pause_ = false;
    bool message_ = false;  ///< No cause was cleared since.
    bool stood_ = false;    ///< At some time since somebody looked.
    WireCounts wire_;
    std::map<std::string, std::uint32_t, std::less<>> written_;
};

/// Where QEMU's e1000e is known not to be an 82574L: which bits of what differ, and when.
struct Gap {
    std::string id;
    std::string subject;  ///< As `name_of`.
    /// Registers ("RAL[*]" for all of an array) or places ("RX ring 1*"); none: any.
    std::vector<std::string> names;
    std::vector<std::uint32_t> bits;  ///< Per dword of what was observed; the last one repeats.
    /// Only where the one named shows 0 in these bits.
    bool qemu_is_zero = false;
    bool model_is_zero = false;
    /// Only where the model has what `WireCounts` says.
    bool model_is_wire = false;
    /// Only where neither has any of these bits, per dword of what was observed.
    std::vector<std::uint32_t> neither;
    /// Only where both have all of these.
    std::vector<std::uint32_t> both;
    /// Frames: the model's is QEMU's with zeros to the minimum.
    bool padding = false;
    /// Frames: where the model has a TCP checksum of 0, QEMU has 0xFFFF.
    bool checksum_zero = false;
    bool rare = false;              ///< It may explain nothing in a full run.
    std::vector<std::string> when;  ///< All of them hold.
    std::string reason;
    std::string source;
    std::uint64_t used = 0;  ///< Differences it explained.

    /// As `qemu_is_zero` and the others say.
    [[nodiscard]] bool shown_by(const Observation& model, const Observation& qemu,
                                const Story& story) const;
    [[nodiscard]] std::uint32_t bits_of(std::size_t word) const {
        if (bits.empty()) return 0;
        return word < bits.size() ? bits[word] : bits.back();
    }
    [[nodiscard]] bool concerns(const Observation& observation, const Story& story) const;
};

struct GapList {
    std::vector<Gap> gaps;
    std::vector<std::string> left_out;  ///< Registers that random writes and reads leave alone.
};

/// Reads the list. Throws std::runtime_error with file, line and what is wrong: an unknown key, a
/// register or field that the contract does not have, a gap without a reason or source.
[[nodiscard]] GapList read_gaps(const std::string& path);

}  // namespace doorbell::differential
