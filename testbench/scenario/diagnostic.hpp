#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "testbench/scenario/config_node.hpp"

namespace doorbell::scenario {

/// One mistake of the user's: where, what, why, and what might have been meant.
struct Diagnostic {
    Position at;
    std::string what;
    std::string why;   ///< May be empty.
    std::string help;  ///< May be empty.
};

/// "file:12:5: error: ...", the line itself, a caret under the place, and the help.
[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

/// Collects mistakes so that the user sees all of them at once.
class Diagnostics {
public:
    /// The same mistake at the same place is said once, however many hosts it concerns.
    void add(Position at, std::string what, std::string why = {}, std::string help = {});
    [[nodiscard]] bool empty() const { return list_.empty(); }
    [[nodiscard]] const std::vector<Diagnostic>& list() const { return list_; }
    [[nodiscard]] std::string text() const;

private:
    std::vector<Diagnostic> list_;
};

/// Number of characters to insert, delete, replace or swap to make `a` into `b`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);
/// The candidate most like `word`; "" when none comes near.
[[nodiscard]] std::string closest(std::string_view word,
                                  const std::vector<std::string>& candidates);
/// "did you mean 'x'?", or the whole list when none comes near and the list is short.
[[nodiscard]] std::string suggestion(std::string_view word,
                                     const std::vector<std::string>& candidates);

}  // namespace doorbell::scenario
