#pragma once

#include <cerrno>
#include <cstdint>
#include <utility>

namespace doorbell {

/// A socket that listens, and whose client cannot be taken for want of descriptors or memory, is
/// ready again at once: polled without a pause it would take the whole CPU. Whoever polls one asks
/// here first, by whatever clock it has.
class AcceptPause {
public:
    static constexpr int kLength_ms = 100;

    /// Too early to try again.
    [[nodiscard]] bool lasts(std::uint64_t now_ns) const { return now_ns < until_ns_; }
    /// accept(2) failed with `error`. True when a pause began that has not been told of yet.
    [[nodiscard]] bool failed(int error, std::uint64_t now_ns) {
        if (error != EMFILE && error != ENFILE && error != ENOMEM && error != ENOBUFS) return false;
        until_ns_ = now_ns + std::uint64_t{kLength_ms} * 1'000'000;
        return !std::exchange(told_, true);
    }
    /// Somebody could be taken: the next failure is news.
    void taken() { told_ = false; }

private:
    std::uint64_t until_ns_ = 0;
    bool told_ = false;
};

}  // namespace doorbell
