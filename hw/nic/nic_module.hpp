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
/// on them are offsets into configuration space or the BAR (the platform decodes).
///
/// A write to a BAR is posted: it returns at once and takes effect when it has crossed the PCIe
/// link. A read pushes the writes before it and returns after the round trip; so do accesses to
/// configuration space. They wait in the caller's thread; a caller that is no thread gets the value
/// of now and the time annotated.
///
/// Accesses are 1, 2, 4 or 8 bytes, naturally aligned. Registers are dwords: a write of part of one
/// is ignored, a read of a part gives that part (section 0.3 of the specification).
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

    /// `frames` outlives the module. The NIC is powered on when the simulation starts.
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
    /// How often the NIC had a thread of the platform wait; part of a run's kernel events.
    [[nodiscard]] std::uint64_t thread_resumptions() const;
    void visit_metrics(MetricVisitor& visitor) const;

private:
    struct Parts;

    void start_of_simulation() override;

    void config_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay);
    template <unsigned kBar>
    void bar_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay);
    unsigned config_debug(tlm::tlm_generic_payload& transaction);
    template <unsigned kBar>
    unsigned bar_debug(tlm::tlm_generic_payload& transaction);
    void invalidate_dmi(sc_dt::uint64 first, sc_dt::uint64 last);

    std::unique_ptr<Parts> parts_;
};

}  // namespace doorbell
