#pragma once

#include <cstddef>
#include <cstdint>

/// A client may make the file behind a mapping shorter at any time; the next access then raises
/// SIGBUS. That must not end the server: the handler puts zeros in the place of what is lost, and
/// the access goes on. Nothing is spent as long as it does not happen. One thread has mappings.
namespace doorbell::plugin::lost_memory {

/// Installs the handler, once; what handled SIGBUS before still does for every other address.
void install();
void watch(std::uint8_t* bytes, std::uint64_t size_bytes);
void forget(std::uint8_t* bytes);
/// Whether memory was lost since the last call.
[[nodiscard]] bool happened();

}  // namespace doorbell::plugin::lost_memory
