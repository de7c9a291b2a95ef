#pragma once

#include <filesystem>
#include <string>

namespace doorbell::cli {

/// Writes a file whole or not at all, whoever looks: what was there stays until the new text is.
/// Returns "" or why it could not be written.
[[nodiscard]] std::string write_whole_file(const std::filesystem::path& file,
                                           const std::string& text);

/// The same; what went wrong is said on stderr.
[[nodiscard]] bool write_or_say(const std::filesystem::path& file, const std::string& text);
/// Empty when it cannot be read.
[[nodiscard]] std::string read_whole_file(const std::filesystem::path& file);

}  // namespace doorbell::cli
