#pragma once

#include <cstdint>

namespace doorbell {

/// lwIP draws from the C library's `rand`. A name of the program goes before one of a guest image,
/// so the program defines `rand` itself and draws from the run's seed: whoever links the host gets
/// it. `srand` does nothing.
void pin_rand(std::uint64_t seed);

}  // namespace doorbell
