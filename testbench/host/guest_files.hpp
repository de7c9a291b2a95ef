#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>

#include "hw/base/prng.hpp"

/// A file of the person who runs the simulation, as a guest sees it. The name is the ABI's.
struct guest_file {
    virtual ~guest_file() = default;
    /// Bytes read, 0 at the end, negative errno.
    [[nodiscard]] virtual std::int64_t read(void* to, std::uint32_t size_bytes) = 0;
    [[nodiscard]] virtual std::int64_t write(const void* from, std::uint32_t size_bytes) = 0;
    [[nodiscard]] virtual std::int64_t size() = 0;  ///< Negative errno when it has none.
    /// Everything written is in the file: 0, or negative errno.
    [[nodiscard]] virtual int finish() { return 0; }
};

namespace doorbell {

/// Opens what a guest names: a path; "generate:SIZE" (suffix K, M or G for powers of 1024), SIZE
/// bytes that depend on the seed alone; "discard:", a sink. A file is read and written in pieces
/// and never held in memory. nullptr: `error` says why.
[[nodiscard]] std::unique_ptr<guest_file> open_guest_file(const std::string& name, bool for_writing,
                                                          std::uint64_t seed, std::string& error);

/// What would keep a guest from writing the file; "" when nothing would. Creates nothing.
[[nodiscard]] std::string check_guest_output(const std::string& name);

/// "10M" to bytes; false when it is not a number with an optional suffix, or beyond 2^63.
[[nodiscard]] bool parse_size(const std::string& text, std::uint64_t& size_bytes);

}  // namespace doorbell
