#pragma once

#include <string>

#include "testbench/wire/far_side_factory.hpp"

namespace doorbell::cli {

/// The far side that `--wire SPEC` names: one of testbench/wire, or "none" (no cable), or "sink" (a
/// partner that swallows every frame).
[[nodiscard]] wire::MadeFarSide open_wire(const std::string& spec,
                                          const wire::FarSideContext& context);
/// All of them, one a line.
[[nodiscard]] std::string wire_help();

}  // namespace doorbell::cli
