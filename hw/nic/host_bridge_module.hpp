#pragma once

#include <tlm_utils/simple_initiator_socket.h>

#include <cstdint>
#include <functional>
#include <tlm>
#include <vector>

#include "hw/base/host_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/packet_extension_module.hpp"

namespace doorbell {

/// What the NIC masters, over TLM: direct memory where the platform grants it, else transport. All
/// time has been charged before: the target answers at once, its annotated delay is not used.
class HostBridgeModule final : public HostPort {
public:
    using Transport = std::function<void(tlm::tlm_generic_payload&)>;
    using GrantDmi = std::function<bool(tlm::tlm_generic_payload&, tlm::tlm_dmi&)>;
    using DrivePin = std::function<void(bool)>;

    HostBridgeModule(Transport transport, GrantDmi grant_dmi, DrivePin drive_pin);
    ~HostBridgeModule() override;
    HostBridgeModule(const HostBridgeModule&) = delete;
    HostBridgeModule& operator=(const HostBridgeModule&) = delete;

    [[nodiscard]] DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) override;
    [[nodiscard]] DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) override;
    void message(std::uint64_t address, std::uint32_t data) override;
    void interrupt_pin(bool asserted) override { drive_pin_(asserted); }

    /// The platform takes direct access back.
    void invalidate(std::uint64_t first, std::uint64_t last);
    void visit_metrics(MetricVisitor& visitor) const;

private:
    /// Regions beyond this number replace the last: those in use move to the front.
    static constexpr std::size_t kRegions = 8;

    [[nodiscard]] std::uint8_t* direct(std::uint64_t address, std::uint32_t size_bytes,
                                       bool for_writing);
    [[nodiscard]] DmaStatus transport(tlm::tlm_command command, std::uint64_t address,
                                      std::uint8_t* data, std::uint32_t size_bytes);
    void ask_for_dmi();

    Transport transport_;
    GrantDmi grant_dmi_;
    DrivePin drive_pin_;
    tlm::tlm_generic_payload payload_;
    PacketExtension extension_;
    std::vector<tlm::tlm_dmi> regions_;
    /// A host that routes our DMA back into our own registers must not find the payload in use.
    bool busy_ = false;
    std::uint64_t direct_accesses_ = 0;
    std::uint64_t transports_ = 0;
};

}  // namespace doorbell
