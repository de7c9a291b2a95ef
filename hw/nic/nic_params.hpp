#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "hw/core/core_params.hpp"
#include "hw/dma/dma_engine.hpp"
#include "hw/irq/interrupt_params.hpp"
#include "hw/nvm/nvm_params.hpp"
#include "hw/pcie/config_space.hpp"
#include "hw/pcie/pcie_link.hpp"
#include "hw/phy/phy_params.hpp"
#include "hw/ptp/ptp_params.hpp"
#include "hw/rings/queue_engine_params.hpp"
#include "hw/stats/statistics.hpp"

namespace doorbell {

/// Everything about a NIC that is a choice: the parameters of its blocks.
struct NicParams {
    ConfigSpaceParams config;
    PcieLinkParams pcie;
    DmaParams dma;
    CoreParams core;
    InterruptParams irq;
    PhyParams phy;
    PtpParams ptp;
    NvmParams nvm;
    QueueEngineParams rings;
    StatisticsParams stats;
    /// Seeds what is random inside the NIC (the spread of memory latency).
    std::uint64_t seed = 1;
    /// Posted writes under way to the device before the writer has to wait: a root port's posted
    /// credits and buffers.
    std::uint32_t posted_writes = 32;
};

/// A parameter's value as a scenario writes it. Choices and MAC addresses are strings.
using NicParamValue = std::variant<bool, std::int64_t, std::string>;

enum class NicParamKind : std::uint8_t { kBoolean, kInteger, kPowerOfTwo, kChoice, kMacAddress };

/// One parameter by its stable dotted name ("phy.autonegotiation_ms").
struct NicParam {
    std::string_view name;
    NicParamKind kind;
    std::string_view unit;  ///< "" when it has none.
    std::int64_t minimum;   ///< Of integers and powers of two.
    std::int64_t maximum;
    std::string_view choices;  ///< Of a choice, in the order of their codes, separated by '|'.
    std::string_view description;
    /// Raw: 0 or 1, the integer in `unit`, the code of a choice, the address as 48 bits.
    std::int64_t (*load)(const NicParams& params);
    void (*store)(NicParams& params, std::int64_t raw);
};

struct NicParamTable {
    const NicParam* first;
    std::size_t count;
    [[nodiscard]] const NicParam* begin() const { return first; }
    [[nodiscard]] const NicParam* end() const { return first + count; }
};

/// All of them, in the order of their names.
[[nodiscard]] NicParamTable nic_param_table();
/// nullptr when there is none of that name.
[[nodiscard]] const NicParam* find_nic_param(std::string_view name);
/// The name most like `name`, for an error message; "" when none comes near.
[[nodiscard]] std::string_view similar_nic_param(std::string_view name);

/// Sets one parameter; returns what is wrong in one sentence without a full stop, "" when nothing
/// is. A value that is refused changes nothing.
[[nodiscard]] std::string set_nic_param(NicParams& params, std::string_view name,
                                        const NicParamValue& value);
[[nodiscard]] NicParamValue get_nic_param(const NicParams& params, const NicParam& param);
/// "true", "2000", "by_mode", "02:00:00:82:57:40".
[[nodiscard]] std::string to_string(const NicParamValue& value);

}  // namespace doorbell
