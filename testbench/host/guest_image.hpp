#pragma once

#include <cstdint>
#include <string>

#include "guest_stack/kernel/guest_abi.h"

namespace doorbell {

struct GuestImageParams {
    std::string path;  ///< The image, a shared object.
    /// lwIP's library, when the image needs it; empty: the one found when this was built.
    std::string lwip_path;
};

/// A private copy of a guest image and of lwIP, loaded for one host, so that each host has its own
/// globals. Both files are copied byte by byte into a directory of their own; the copies of
/// liblwip.so.0 get a name that no other copy has (in DT_SONAME, and in DT_NEEDED of the image),
/// since the dynamic linker would take a library of a known name for the one it has. The directory
/// is removed as soon as everything is mapped. What is never written is shared again
/// (`share_code`).
///
/// An image stays loaded until the process ends: coroutines may still stand in its code, leak
/// checkers want its globals, and one process is one run.
class GuestImage {
public:
    /// Loads, or says in `error()` why not. Nothing of the guest's runs except its constructors.
    explicit GuestImage(const GuestImageParams& params);
    GuestImage(const GuestImage&) = delete;
    GuestImage& operator=(const GuestImage&) = delete;

    [[nodiscard]] bool loaded() const { return error_.empty(); }
    [[nodiscard]] const std::string& error() const { return error_; }

    // What the image exports (guest_abi.h); valid only when loaded.
    decltype(&guest_start) start = nullptr;
    decltype(&guest_metrics) metrics = nullptr;
    decltype(&guest_show) show = nullptr;
    decltype(&guest_apps) apps = nullptr;
    decltype(&guest_settings) settings = nullptr;
    decltype(&guest_metric_names) metric_names = nullptr;
    decltype(&guest_check) check = nullptr;  ///< Stays null when the image has none.

    /// Another function that the image exports, for a host that knows more than the ABI; nullptr
    /// if there is none.
    [[nodiscard]] void* symbol(const char* name) const;

private:
    [[nodiscard]] std::string load(const GuestImageParams& params);
    [[nodiscard]] std::string open_copies(const GuestImageParams& params,
                                          const std::string& directory);
    [[nodiscard]] std::string resolve();

    void* handle_ = nullptr;
    std::string error_;
};

}  // namespace doorbell
