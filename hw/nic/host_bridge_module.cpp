#include "hw/nic/host_bridge_module.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"

namespace doorbell {

namespace {

constexpr std::uint32_t kDwordBytes = 4;

}  // namespace

HostBridgeModule::HostBridgeModule(Transport transport, GrantDmi grant_dmi, DrivePin drive_pin)
    : transport_(std::move(transport)),
      grant_dmi_(std::move(grant_dmi)),
      drive_pin_(std::move(drive_pin)) {
    regions_.reserve(kRegions);
    payload_.set_extension(&extension_);
}

// The payload would delete an extension that it still has.
HostBridgeModule::~HostBridgeModule() {
    payload_.clear_extension(&extension_);
}

std::uint8_t* HostBridgeModule::direct(std::uint64_t address, std::uint32_t size_bytes,
                                       bool for_writing) {
    for (std::size_t i = 0; i < regions_.size(); i++) {
        const tlm::tlm_dmi& region = regions_[i];
        if (address < region.get_start_address() || address > region.get_end_address()) continue;
        if (size_bytes - 1 > region.get_end_address() - address) continue;
        if (for_writing ? !region.is_write_allowed() : !region.is_read_allowed()) continue;
        std::uint8_t* place = region.get_dmi_ptr() + (address - region.get_start_address());
        if (i > 0) std::swap(regions_[i], regions_[i - 1]);  // The busy ones come to the front.
        return place;
    }
    return nullptr;
}

DmaStatus HostBridgeModule::read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) {
    packet = 0;
    if (size_bytes == 0) return DmaStatus::kOk;
    if (const std::uint8_t* place = direct(address, size_bytes, false)) {
        direct_accesses_++;
        std::memcpy(target, place, size_bytes);
        return DmaStatus::kOk;
    }
    extension_.packet = 0;
    const DmaStatus status = transport(tlm::TLM_READ_COMMAND, address, target, size_bytes);
    packet = extension_.packet;
    return status;
}

DmaStatus HostBridgeModule::write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) {
    if (size_bytes == 0) return DmaStatus::kOk;
    if (std::uint8_t* place = direct(address, size_bytes, true)) {
        direct_accesses_++;
        std::memcpy(place, source, size_bytes);
        return DmaStatus::kOk;
    }
    extension_.packet = packet;
    // The payload has one data pointer for both commands; a target does not write through it on a
    // write (IEEE 1666, 14.7).
    return transport(tlm::TLM_WRITE_COMMAND, address, const_cast<std::uint8_t*>(source),
                     size_bytes);
}

void HostBridgeModule::message(std::uint64_t address, std::uint32_t data) {
    std::uint8_t bytes[kDwordBytes];
    store_le32(bytes, data);
    extension_.packet = 0;
    // A message nobody takes is lost, as on the bus.
    (void)transport(tlm::TLM_WRITE_COMMAND, address, bytes, kDwordBytes);
}

DmaStatus HostBridgeModule::transport(tlm::tlm_command command, std::uint64_t address,
                                      std::uint8_t* data, std::uint32_t size_bytes) {
    if (busy_) return DmaStatus::kUnsupportedRequest;
    busy_ = true;
    transports_++;
    payload_.set_command(command);
    payload_.set_address(address);
    payload_.set_data_ptr(data);
    payload_.set_data_length(size_bytes);
    payload_.set_streaming_width(size_bytes);
    payload_.set_byte_enable_ptr(nullptr);
    payload_.set_dmi_allowed(false);
    payload_.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    transport_(payload_);
    const bool good = payload_.is_response_ok();
    if (good && payload_.is_dmi_allowed()) ask_for_dmi();
    busy_ = false;
    return good ? DmaStatus::kOk : DmaStatus::kUnsupportedRequest;
}

void HostBridgeModule::ask_for_dmi() {
    tlm::tlm_dmi region;
    region.init();
    if (!grant_dmi_(payload_, region) || region.get_dmi_ptr() == nullptr) return;
    if (regions_.size() == kRegions) regions_.pop_back();
    regions_.insert(regions_.begin(), region);
}

void HostBridgeModule::invalidate(std::uint64_t first, std::uint64_t last) {
    regions_.erase(std::remove_if(regions_.begin(), regions_.end(),
                                  [&](const tlm::tlm_dmi& region) {
                                      return region.get_start_address() <= last &&
                                             region.get_end_address() >= first;
                                  }),
                   regions_.end());
}

void HostBridgeModule::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("host.direct.accesses", direct_accesses_);
    visitor.metric("host.transport.accesses", transports_);
}

}  // namespace doorbell
