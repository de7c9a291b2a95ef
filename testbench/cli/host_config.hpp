#pragma once

#include "testbench/host/guest_config.hpp"
#include "testbench/scenario/scenario.hpp"

namespace doorbell::cli {

/// What a host of a scenario tells its guest.
[[nodiscard]] GuestConfig guest_config_of(const scenario::Host& host);

}  // namespace doorbell::cli
