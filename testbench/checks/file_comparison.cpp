#include "testbench/checks/file_comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "testbench/host/guest_files.hpp"

namespace doorbell::checks {
namespace {

constexpr std::uint32_t kPieceBytes = 256 * 1024;

/// Reads whole pieces: less only at the end of the file.
class Piece {
public:
    explicit Piece(guest_file& file) : file_(file), bytes_(kPieceBytes) {}
    /// Bytes read, 0 at the end, negative errno.
    std::int64_t next() {
        size_ = 0;
        while (size_ < kPieceBytes) {
            const std::int64_t got = file_.read(bytes_.data() + size_, kPieceBytes - size_);
            if (got < 0) return got;
            if (got == 0) break;
            size_ += static_cast<std::uint32_t>(got);
        }
        return size_;
    }
    [[nodiscard]] const std::uint8_t* data() const { return bytes_.data(); }
    [[nodiscard]] std::uint32_t size() const { return size_; }

private:
    guest_file& file_;
    std::vector<std::uint8_t> bytes_;
    std::uint32_t size_ = 0;
};

}  // namespace

FileComparison compare_files(const std::string& input, const std::string& output,
                             std::uint64_t seed) {
    FileComparison result;
    std::string error;
    const auto expected_file = open_guest_file(input, false, seed, error);
    const auto actual_file = expected_file ? open_guest_file(output, false, seed, error) : nullptr;
    if (actual_file == nullptr) {
        result.difference = error;
        return result;
    }
    Piece expected(*expected_file);
    Piece actual(*actual_file);
    for (;;) {
        const std::int64_t from_input = expected.next();
        const std::int64_t from_output = actual.next();
        if (from_input < 0 || from_output < 0) {
            const bool bad_input = from_input < 0;
            result.difference = fmt::format(
                "'{}' cannot be read: {}", bad_input ? input : output,
                std::strerror(static_cast<int>(-(bad_input ? from_input : from_output))));
            return result;
        }
        const std::uint32_t common = std::min(expected.size(), actual.size());
        const std::uint8_t* differs = expected.data() + common;
        if (common > 0 && std::memcmp(expected.data(), actual.data(), common) != 0) {
            differs = std::mismatch(expected.data(), differs, actual.data()).first;
        }
        result.equal_bytes += static_cast<std::uint64_t>(differs - expected.data());
        if (differs != expected.data() + common) {
            result.difference =
                fmt::format("'{}' differs from '{}' at byte {}", output, input, result.equal_bytes);
            return result;
        }
        if (expected.size() != actual.size()) {
            result.difference = fmt::format(
                "'{}' is {} than '{}': only the first {} bytes are "
                "there in both",
                output, actual.size() < expected.size() ? "shorter" : "longer", input,
                result.equal_bytes);
            return result;
        }
        if (common == 0) break;
    }
    result.identical = true;
    return result;
}

}  // namespace doorbell::checks
