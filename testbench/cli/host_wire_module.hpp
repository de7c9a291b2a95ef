#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "testbench/cli/program_paths.hpp"
#include "testbench/wire/far_side.hpp"
#include "testbench/wire/far_side_factory.hpp"

namespace doorbell::cli {

/// `host:SCENARIO[,for=HOST]`: the simulated hosts of a scenario, all but one, whose place on its
/// link the served NIC takes. Its applications are those of whoever drives the served NIC. What the
/// scenario expects of a run is not asked, since it never ends.
///
/// The hosts live on a SystemC kernel of their own, which is led by the served NIC's timeline: both
/// have the same time, and a frame has its exact times on the cable. One in a process: the kernel
/// elaborates once.
[[nodiscard]] wire::MadeFarSide open_host_wire(std::string_view spec, const ProgramPaths& paths,
                                               const wire::FarSideContext& context);

/// Whether `spec` names one: such a server runs within SystemC.
[[nodiscard]] bool is_host_wire(std::string_view spec);

inline constexpr const char* kHostWireHelp =
    "  host:SCENARIO[,for=HOST]  the simulated hosts of a scenario; the NIC takes the place of one";

}  // namespace doorbell::cli
