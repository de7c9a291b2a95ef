#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace doorbell::wire {

/// One `key=value` (or bare `key`) of a wire as the user wrote it, and where in the text it stands.
struct WireOption {
    std::string_view key;
    std::string_view value;
    bool has_value = false;
    std::size_t position = 0;  ///< 1: the first character of the whole text.
};

/// "kind:rest": the rest cut at commas; two commas are one that belongs to the value. `storage`
/// holds the texts the options point into.
struct WireSpec {
    std::string kind;
    std::vector<std::string> storage;
    std::vector<WireOption> options;
};

/// Cuts `text`. An empty piece between commas is kept: who reads the options says what is wrong
/// with it.
[[nodiscard]] WireSpec parse_wire_spec(std::string_view text);

/// "user: option 'hostfwd' at character 6: " for messages.
[[nodiscard]] std::string option_place(const WireSpec& spec, const WireOption& option);

}  // namespace doorbell::wire
