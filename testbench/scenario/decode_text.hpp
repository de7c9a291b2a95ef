#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/scenario/config_node.hpp"

/// Values inside strings.
namespace doorbell::scenario {

/// "10.0.0.1" in host byte order.
[[nodiscard]] bool parse_address(std::string_view text, std::uint32_t& address);
/// "10.0.0.1/24"; returns what is wrong, "" when nothing is.
[[nodiscard]] std::string parse_network(std::string_view text, std::uint32_t& address,
                                        std::uint32_t& prefix_bits);
/// Decimal digits and nothing else.
[[nodiscard]] bool parse_unsigned(std::string_view text, std::uint64_t& value);
[[nodiscard]] bool parse_real(const std::string& text, double& value);

/// The words of a command: an array of strings, or a line split at blanks, where quotes ('...' or
/// "...") keep blanks. False, and no words, when it is neither or has none.
[[nodiscard]] bool command_words(const ConfigNode& node, std::vector<std::string>& words);

/// Where each of those words stands; the whole command where that cannot be told (escapes).
[[nodiscard]] std::vector<Position> command_places(const ConfigNode& node,
                                                   const std::vector<std::string>& words);

/// A string, number or boolean as text; what came with `--set` as it was typed.
[[nodiscard]] bool scalar_text(const ConfigNode& node, std::string& text);

/// Whether a name is meant by a pattern in which '*' stands for anything.
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name);

}  // namespace doorbell::scenario
