#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "hw/plugin/model_time.hpp"
#include "hw/plugin/server.hpp"
#include "testbench/wire/far_side.hpp"

namespace doorbell::cli {

/// What a served NIC looks like at this moment: link, rings, interrupts, client, memory maps, and
/// the metrics that are not zero. Looking changes nothing.
[[nodiscard]] nlohmann::ordered_json server_state(const plugin::Server& server,
                                                  const plugin::NicDevice& device,
                                                  const plugin::ModelTime& time,
                                                  const wire::FarSide& far_side);
/// The same for people.
[[nodiscard]] std::string state_text(const nlohmann::ordered_json& state);
/// A few lines for the end.
[[nodiscard]] std::string summary_text(const nlohmann::ordered_json& state);

}  // namespace doorbell::cli
