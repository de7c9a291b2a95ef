#include "testbench/host/guest_config.hpp"

#include <cstdint>

namespace doorbell {

GuestConfigTable::GuestConfigTable(const GuestConfig& from, const std::string& host_name) {
    argument_lists_.reserve(from.apps.size());
    for (const GuestApp& app : from.apps) {
        std::vector<const char*>& list = argument_lists_.emplace_back();
        for (const std::string& argument : app.arguments) list.push_back(argument.c_str());
        list.push_back(nullptr);
        apps_.push_back({static_cast<int>(app.arguments.size()), list.data(), app.start_ps});
    }
    for (const auto& [key, value] : from.settings) {
        settings_.push_back({key.c_str(), value.c_str()});
    }
    config_.host_name = host_name.c_str();
    config_.interface_count = static_cast<std::uint32_t>(from.interfaces.size());
    config_.interfaces = from.interfaces.data();
    config_.route_count = static_cast<std::uint32_t>(from.routes.size());
    config_.routes = from.routes.data();
    config_.app_count = static_cast<std::uint32_t>(apps_.size());
    config_.apps = apps_.data();
    config_.setting_count = static_cast<std::uint32_t>(settings_.size());
    config_.settings = settings_.data();
}

}  // namespace doorbell
