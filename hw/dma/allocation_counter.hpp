#pragma once

#include <cstdint>

namespace doorbell {

/// Calls of `operator new` so far: a test that links allocation_counter.cpp can show that a path
/// allocates nothing.
std::uint64_t allocations();

}  // namespace doorbell
