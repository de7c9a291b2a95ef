#pragma once

#include <string>
#include <utility>
#include <vector>

#include "guest_stack/kernel/guest_abi.h"
#include "hw/base/time.hpp"

namespace doorbell {

struct GuestApp {
    std::vector<std::string> arguments;  ///< As one would type it; the first is its name.
    Picoseconds start_ps = 0;
};

/// guest_config in C++: owns its strings.
struct GuestConfig {
    std::vector<guest_interface> interfaces;
    std::vector<guest_route> routes;
    std::vector<GuestApp> apps;
    std::vector<std::pair<std::string, std::string>> settings;
};

/// The same as a guest reads it. Points into the configuration and the name it was made from, which
/// stay where they are.
class GuestConfigTable {
public:
    GuestConfigTable(const GuestConfig& from, const std::string& host_name);
    GuestConfigTable(const GuestConfigTable&) = delete;
    GuestConfigTable& operator=(const GuestConfigTable&) = delete;

    [[nodiscard]] const guest_config& config() const { return config_; }

private:
    guest_config config_{};
    std::vector<std::vector<const char*>> argument_lists_;
    std::vector<guest_app> apps_;
    std::vector<guest_setting> settings_;
};

}  // namespace doorbell
