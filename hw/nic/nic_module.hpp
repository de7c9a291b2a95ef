#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <memory>
#include <systemc>
#include <tlm>

#include "hw/base/inta_module.hpp"
#include "hw/base/timeline_module.hpp"
#include "hw/nic/nic.hpp"

namespace doorbell {

/// The NIC as a citizen of a SystemC platform. Sockets speak the TLM-2.0 base protocol; addresses
/// on them are offsets into configuration space or the BAR (the platform decodes). A posted write
/// returns at once and takes effect when it has crossed the PCIe link; a read pushes the writes
/// before it and returns after the round trip.
class NicModule final : public sc_core::sc_module {
public:
    tlm_utils::simple_target_socket<NicModule> config_socket;
    tlm_utils::simple_target_socket<NicModule> bar0_socket;           ///< Registers.
    tlm_utils::simple_target_socket_optional<NicModule> bar1_socket;  ///< Flash window.
    tlm_utils::simple_target_socket_optional<NicModule> bar2_socket;  ///< I/O window.
    tlm_utils::simple_target_socket_optional<NicModule> bar3_socket;  ///< MSI-X table and PBA.
    /// What the NIC masters: DMA (with an ignorable `PacketExtension`) and MSI or MSI-X messages,
    /// which are dword writes. The target must not wait: all time is charged by the NIC.
    tlm_utils::simple_initiator_socket<NicModule> host_socket;
    IntaPort inta;

    /// `frames` outlives the module.
    NicModule(const sc_core::sc_module_name& name, FramePool& frames, EventPort events,
              const NicParams& params = {},
              const NicPersonality& personality = i82574l_personality());
    ~NicModule() override;

    /// The end of the wire this NIC is at; unbound, the cable is out. Before the simulation starts.
    void bind(EthernetPort& wire);

    [[nodiscard]] Nic& nic();
    [[nodiscard]] const Nic& nic() const;
    /// To be handed to the wire: where frames for this NIC arrive.
    [[nodiscard]] EthernetEndpoint& endpoint() { return nic(); }
    [[nodiscard]] TimelineModule& timeline();
    void visit_metrics(MetricVisitor& visitor) const;

private:
    void start_of_simulation() override;

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace doorbell
