#pragma once

#include "guest_stack/kernel/guest_abi.h"

namespace doorbell {

/// The table of functions that every guest of this program gets.
[[nodiscard]] const guest_host_ops& host_ops();

}  // namespace doorbell
