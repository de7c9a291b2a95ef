#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "testbench/wire/far_side.hpp"

namespace doorbell::wire {

struct MadeFarSide {
    std::unique_ptr<FarSide> far_side;  ///< nullptr: `error` says why not.
    std::string error;                  ///< One sentence without a full stop.
};

/// The far side that `spec` names: "tap:NAME", "user", "user:hostfwd=tcp::2222-:22,...".
[[nodiscard]] MadeFarSide make_far_side(std::string_view spec, const FarSideContext& context);

/// Whether there is a wire of the kind that `spec` names.
[[nodiscard]] bool is_far_side(std::string_view spec);

/// The kinds of wires and their options, one a line, for help texts.
[[nodiscard]] std::string far_side_help();

}  // namespace doorbell::wire
