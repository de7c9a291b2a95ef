#include "testbench/host/pinned_rand.hpp"

#include <cstdlib>

#include "hw/base/prng.hpp"

namespace doorbell {

namespace {

constexpr std::uint64_t kRandStream = 0x72616E64;

Prng& generator() {
    static Prng prng(0, kRandStream);
    return prng;
}

}  // namespace

void pin_rand(std::uint64_t seed) {
    generator() = Prng(seed, kRandStream);
}

}  // namespace doorbell

extern "C" int rand() noexcept {
    return static_cast<int>(doorbell::generator().next() & RAND_MAX);
}
extern "C" void srand(unsigned) noexcept {}
