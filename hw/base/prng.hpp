#pragma once

#include <cstdint>

namespace doorbell {

/// The one source of randomness: xoshiro256** seeded by splitmix64 (both public domain algorithms
/// by Blackman and Vigna, written from their definition). Draw once per statement: the order in
/// which arguments are evaluated differs between compilers.
class Prng {
public:
    /// Streams of one seed are independent: `stream` names the user (a link, a host, ...).
    explicit Prng(std::uint64_t seed, std::uint64_t stream = 0) {
        std::uint64_t x = seed ^ (stream * 0xd1342543de82ef95u);
        for (std::uint64_t& word : state_) {
            x += 0x9e3779b97f4a7c15u;
            std::uint64_t z = x;
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
            word = z ^ (z >> 31);
        }
    }

    std::uint64_t next() {
        const std::uint64_t result = rotate(state_[1] * 5, 7) * 9;
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = rotate(state_[3], 45);
        return result;
    }

    /// Uniform in [0, bound); 0 when bound is 0.
    std::uint64_t below(std::uint64_t bound) {
        if (bound == 0) return 0;
        const std::uint64_t limit = ~std::uint64_t{0} - ~std::uint64_t{0} % bound;
        std::uint64_t draw = next();
        while (draw >= limit) draw = next();
        return draw % bound;
    }

    /// True with the given probability, in parts per million (integers: equal on every compiler).
    bool chance_ppm(std::uint32_t ppm) { return below(1'000'000) < ppm; }

private:
    static std::uint64_t rotate(std::uint64_t x, int k) { return x << k | x >> (64 - k); }

    std::uint64_t state_[4];
};

}  // namespace doorbell
