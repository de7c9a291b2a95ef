#pragma once

#include <string>

#include "testbench/cli/program_paths.hpp"
#include "testbench/wire/far_side_factory.hpp"

namespace doorbell::cli {

/// The far side that `--wire SPEC` names: one of testbench/wire, the hosts of a scenario, "none"
/// (no cable), or "sink" (a partner that swallows every frame). `rate_mbps` of its cable; 0:
/// without.
[[nodiscard]] wire::MadeFarSide open_wire(const std::string& spec, std::uint32_t rate_mbps,
                                          const ProgramPaths& paths,
                                          const wire::FarSideContext& context);
/// All of them, one a line.
[[nodiscard]] std::string wire_help();

}  // namespace doorbell::cli
