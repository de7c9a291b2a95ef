#include "testbench/cli/sweep/file_digests.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <vector>

namespace doorbell::cli {
namespace {

std::string to_text(const XXH128_hash_t& hash) {
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string digest_of_file(const std::string& path) {
    constexpr std::size_t kBufferBytes = 256 * 1024;
    std::ifstream file(path, std::ios::binary);
    if (!file) return "";
    const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> state(XXH3_createState(),
                                                                                XXH3_freeState);
    XXH3_128bits_reset(state.get());
    std::vector<char> buffer(kBufferBytes);
    while (file.read(buffer.data(), kBufferBytes), file.gcount() > 0) {
        XXH3_128bits_update(state.get(), buffer.data(), static_cast<std::size_t>(file.gcount()));
    }
    return file.bad() ? "" : to_text(XXH3_128bits_digest(state.get()));
}

}  // namespace

std::string digest_of(const std::string& text) {
    return to_text(XXH3_128bits(text.data(), text.size()));
}

std::string FileDigests::state(const std::string& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) return "";
    const auto size_bytes = std::filesystem::file_size(path, error);
    const auto changed = std::filesystem::last_write_time(path, error);
    return fmt::format("{} {}", size_bytes, changed.time_since_epoch().count());
}

std::string FileDigests::digest(const std::string& path) {
    const std::string now = state(path);
    if (now.empty()) return "";
    Known& known = known_[path];
    if (known.state != now) known = {now, digest_of_file(path)};
    return known.digest;
}

}  // namespace doorbell::cli
