#pragma once

#include <string>

namespace doorbell {

/// Lets the copies of one library share what nobody writes: code and constants. Every host has a
/// copy of its own, whose pages would else be as many times in memory and, which is what costs, in
/// the caches: 32 pairs of hosts run the same few pages of code 64 times over.
///
/// `copy` is the path of a library that has just been loaded and whose file is still there;
/// `original` says what it is a copy of. The first copy of an original keeps its pages; of later
/// ones each page that is never written and is equal to the first's is mapped from its file.
/// Returns "", or why a page could not be mapped.
///
/// With DOORBELL_PRIVATE_CODE in the environment nothing is shared: valgrind forgets the names of
/// functions whose pages are mapped anew.
[[nodiscard]] std::string share_code(const std::string& original, const std::string& copy);

}  // namespace doorbell
