#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// A guest image documents what its settings and programs take in a small language; the same text
/// that a user reads is what values are held against before anything runs. What it does not say is
/// left to the guest.
namespace doorbell::scenario {

/// What is wrong, why, and what might have been meant; `what` is empty when nothing is.
struct SyntaxMistake {
    std::string what;
    std::string why;
    std::string help;
    std::size_t word = 0;  ///< Of a command: which one is meant.
};

/// "8..4096", "8..4096, by 8", "intx|msi|msix".
[[nodiscard]] SyntaxMistake check_setting(const std::string& name, const std::string& value,
                                          std::string_view syntax);

/// "--to ADDRESS --port PORT [--count N:1..100] [--size BYTES:8..] [--offload 0|1]"; of
/// alternatives in parentheses, "(--listen PORT | --to ADDRESS --port PORT)", one is required as a
/// whole. `words` is the command, the program first.
[[nodiscard]] SyntaxMistake check_command(const std::vector<std::string>& words,
                                          std::string_view synopsis);

}  // namespace doorbell::scenario
