#pragma once

#include <tlm_utils/simple_initiator_socket.h>
#include <tlm_utils/simple_target_socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <tlm>
#include <vector>

#include "hw/base/inta_module.hpp"
#include "hw/base/packet_extension_module.hpp"
#include "hw/base/timeline_module.hpp"
#include "testbench/host/interrupt_controller.hpp"
#include "testbench/host/iommu.hpp"

namespace doorbell {

/// The place of one NIC in a host. Downwards the CPU reaches configuration space and BARs (address
/// = offset in the BAR); upwards the NIC reaches memory through its own IOMMU domain, the window
/// of interrupt messages, and its interrupt pin. All sockets speak the plain base protocol.
class HostSlotModule final : public sc_core::sc_module, private IntaInterface {
public:
    HostSlotModule(const sc_core::sc_module_name& name, std::uint32_t index,
                   const IommuParams& iommu_params, EventPort events,
                   InterruptController& interrupts, TimelineModule& timeline);

    tlm_utils::simple_initiator_socket<HostSlotModule> config_socket;
    tlm_utils::simple_initiator_socket<HostSlotModule> bar0_socket;  ///< registers
    tlm_utils::simple_initiator_socket<HostSlotModule> bar2_socket;  ///< I/O window
    tlm_utils::simple_initiator_socket<HostSlotModule> bar3_socket;  ///< MSI-X table
    tlm_utils::simple_target_socket<HostSlotModule> host_socket;     ///< what the NIC masters
    IntaExport inta_export;

    [[nodiscard]] Iommu& iommu() { return iommu_; }
    [[nodiscard]] const Iommu& iommu() const { return iommu_; }
    /// Told of every DMA that was refused, in words.
    void set_refusal_log(std::function<void(const std::string&)> log) { log_ = std::move(log); }

    /// One access of the CPU, in the calling thread; all ones when nothing answers. Reads (and
    /// configuration writes) last as long as the target waits.
    [[nodiscard]] std::uint32_t config_read(std::uint32_t offset, std::uint32_t size_bytes);
    void config_write(std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value);
    [[nodiscard]] std::uint32_t read32(std::uint32_t bar, std::uint32_t offset);
    void write32(std::uint32_t bar, std::uint32_t offset, std::uint32_t value);

    /// Frees coherent memory, which the NIC then no longer reaches directly either. False: it was
    /// not allocated so.
    [[nodiscard]] bool free_coherent(void* memory, std::uint32_t size_bytes, std::uint64_t iova);

    /// How often an access waited here for the time that its target annotated.
    [[nodiscard]] std::uint64_t waits() const { return waits_; }

private:
    using Socket = tlm_utils::simple_initiator_socket<HostSlotModule>;

    [[nodiscard]] Socket* socket_of(std::uint32_t bar);
    [[nodiscard]] bool transport(Socket& socket, tlm::tlm_command command, std::uint32_t offset,
                                 std::uint32_t size_bytes, std::uint8_t* data, bool posted);
    void b_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay);
    [[nodiscard]] tlm::tlm_response_status serve(tlm::tlm_generic_payload& transaction);
    bool grant_dmi(tlm::tlm_generic_payload& transaction, tlm::tlm_dmi& region);
    unsigned transport_dbg(tlm::tlm_generic_payload& transaction);
    void refuse(const tlm::tlm_generic_payload& transaction);
    void inta(bool asserted) override;

    const std::uint32_t index_;
    Iommu iommu_;
    InterruptController& interrupts_;
    TimelineModule& timeline_;  ///< Of the host.
    std::function<void(const std::string&)> log_;
    std::uint64_t waits_ = 0;
    /// Payloads that no access is using: several threads may be in a read at the same time.
    std::vector<std::unique_ptr<tlm::tlm_generic_payload>> payloads_;
};

}  // namespace doorbell
