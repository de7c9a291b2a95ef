#include "testbench/cli/host_config.hpp"

#include <algorithm>

namespace doorbell::cli {

GuestConfig guest_config_of(const scenario::Host& host) {
    GuestConfig config;
    for (const scenario::Interface& i : host.interfaces) {
        config.interfaces.push_back({i.nic, i.address, i.prefix_bits, i.mtu_bytes});
    }
    for (const scenario::Route& r : host.routes) {
        config.routes.push_back({r.destination, r.prefix_bits, r.gateway, r.interface, r.metric});
    }
    for (const scenario::App& app : host.apps) config.apps.push_back({app.argv, app.start_ps});
    // The last word counts: a host's own setting stands behind the common one.
    for (const scenario::Setting& setting : host.settings) {
        const auto same = [&](const auto& pair) { return pair.first == setting.name; };
        auto& list = config.settings;
        list.erase(std::remove_if(list.begin(), list.end(), same), list.end());
        list.emplace_back(setting.name, setting.value);
    }
    return config;
}

}  // namespace doorbell::cli
