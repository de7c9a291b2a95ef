#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <vector>

#include "hw/base/time.hpp"

namespace doorbell::pcie_bench {

/// Every latency of a run: quantiles are exact.
class LatencySamples {
public:
    explicit LatencySamples(std::size_t expected) { samples_.reserve(expected); }

    void add(Picoseconds latency_ps) { samples_.push_back(latency_ps); }
    [[nodiscard]] std::size_t count() const { return samples_.size(); }

    /// The smallest latency that at least `per_mille` of 1000 samples do not exceed (nearest rank);
    /// 0 without samples.
    [[nodiscard]] Picoseconds quantile(std::uint32_t per_mille) const {
        assert(per_mille <= 1000);
        if (samples_.empty()) return 0;
        const std::size_t rank = (samples_.size() * per_mille + 999) / 1000;
        const auto nth = static_cast<std::ptrdiff_t>(std::max<std::size_t>(rank, 1) - 1);
        std::nth_element(samples_.begin(), samples_.begin() + nth, samples_.end());
        return samples_[static_cast<std::size_t>(nth)];
    }

private:
    mutable std::vector<Picoseconds> samples_;  ///< In no order.
};

}  // namespace doorbell::pcie_bench
