#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "testbench/qemu/differential/program.hpp"

namespace doorbell::differential {

/// What the statistics have to say by what went over the wire and into the rings, whoever counts:
/// where QEMU counts in another way, the model is held to this.
class WireCounts {
public:
    void operate(const Operation& operation);
    /// What the model showed; a counter that was read starts again.
    void observe(const Observation& model);
    /// Nothing for a register that is not counted here.
    [[nodiscard]] std::optional<std::uint32_t> expected(const std::string& counter) const;
    /// PAUSE and its like (IEEE 802.3 annex 31B), by address and type.
    [[nodiscard]] static bool is_mac_control(const std::vector<std::uint8_t>& frame);

private:
    struct Filled {
        std::uint32_t bytes = 0;
        std::uint32_t buffers = 0;
        std::array<std::uint32_t, 3> first{};  ///< Dwords 0, 1 and 3: addresses and type.
    };

    void arrive(const std::vector<std::uint8_t>& frame);
    void leave(const Observation& frame);
    void fill(const Observation& descriptor);
    void look_into(const Observation& buffer);
    void count(const std::string& counter, std::uint64_t amount = 1);
    void count_size(const char* prefix, std::uint32_t wire_bytes);

    std::map<std::string, std::uint64_t> counts_;
    std::map<char, Filled> filled_;  ///< By ring: the frame that goes on.
    bool ended_ = false;             ///< With the buffer that is looked at next.
    std::uint32_t control_ = 0;
};

}  // namespace doorbell::differential
