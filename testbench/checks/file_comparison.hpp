#pragma once

#include <cstdint>
#include <string>

namespace doorbell::checks {

struct FileComparison {
    bool identical = false;
    std::uint64_t equal_bytes = 0;  ///< From the start.
    std::string difference;         ///< In one sentence; empty when identical.
};

/// Compares an input as a guest names it (a path, or "generate:SIZE" with the run's seed) with the
/// file that came out, piece by piece: memory does not grow with the files.
[[nodiscard]] FileComparison compare_files(const std::string& input, const std::string& output,
                                           std::uint64_t seed);

}  // namespace doorbell::checks
