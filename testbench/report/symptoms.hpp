#pragma once

#include <string_view>

namespace doorbell::report {

/// A counter that stays zero while all goes well: what a driver asked for that cannot be, and what
/// got lost. When a run fails, those that are not zero are the first place to look.
[[nodiscard]] bool is_symptom(std::string_view metric);

}  // namespace doorbell::report
