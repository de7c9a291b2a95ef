#include "testbench/host/host_slot_module.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "hw/base/bits.hpp"

namespace doorbell {

namespace {
constexpr std::uint32_t kDwordBytes = 4;
constexpr std::uint32_t kAllOnes = ~std::uint32_t{0};
}  // namespace

HostSlotModule::HostSlotModule(const sc_core::sc_module_name& name, std::uint32_t index,
                               const IommuParams& iommu_params, EventPort events,
                               InterruptController& interrupts, TimelineModule& timeline)
    : sc_module(name),
      config_socket("config_socket"),
      bar0_socket("bar0_socket"),
      bar2_socket("bar2_socket"),
      bar3_socket("bar3_socket"),
      host_socket("host_socket"),
      inta_export("inta_export"),
      index_(index),
      iommu_(iommu_params, index, events),
      interrupts_(interrupts),
      timeline_(timeline) {
    host_socket.register_b_transport(this, &HostSlotModule::b_transport);
    host_socket.register_get_direct_mem_ptr(this, &HostSlotModule::grant_dmi);
    host_socket.register_transport_dbg(this, &HostSlotModule::transport_dbg);
    inta_export.bind(*this);
}

// --- the CPU's side
// --------------------------------------------------------------------------------

HostSlotModule::Socket* HostSlotModule::socket_of(std::uint32_t bar) {
    switch (bar) {
        case 0:
            return &bar0_socket;
        case 2:
            return &bar2_socket;
        case 3:
            return &bar3_socket;
        default:
            return nullptr;  // BAR1 is the flash, which no platform of ours maps.
    }
}

bool HostSlotModule::transport(Socket& socket, tlm::tlm_command command, std::uint32_t offset,
                               std::uint32_t size_bytes, std::uint8_t* data, bool posted) {
    std::unique_ptr<tlm::tlm_generic_payload> payload;
    if (payloads_.empty()) {
        payload = std::make_unique<tlm::tlm_generic_payload>();
    } else {
        payload = std::move(payloads_.back());
        payloads_.pop_back();
    }
    payload->set_command(command);
    payload->set_address(offset);
    payload->set_data_ptr(data);
    payload->set_data_length(size_bytes);
    payload->set_streaming_width(size_bytes);
    payload->set_byte_enable_ptr(nullptr);
    payload->set_dmi_allowed(false);
    payload->set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
    sc_core::sc_time delay = sc_core::SC_ZERO_TIME;
    socket->b_transport(*payload, delay);
    const bool answered = payload->is_response_ok();
    payloads_.push_back(std::move(payload));
    // A posted write takes the CPU no longer than its store: the delay is the link's.
    if (!posted && delay != sc_core::SC_ZERO_TIME) {
        timeline_.wait_until((sc_core::sc_time_stamp() + delay).value());
        waits_++;
    }
    return answered;
}

std::uint32_t HostSlotModule::config_read(std::uint32_t offset, std::uint32_t size_bytes) {
    std::uint8_t data[kDwordBytes] = {};
    const std::uint32_t ones = size_bytes >= 4 ? kAllOnes : (1u << 8 * size_bytes) - 1;
    if (size_bytes == 0 || size_bytes > kDwordBytes) return kAllOnes;
    if (!transport(config_socket, tlm::TLM_READ_COMMAND, offset, size_bytes, data, false)) {
        return ones;
    }
    return load_le32(data);
}

void HostSlotModule::config_write(std::uint32_t offset, std::uint32_t size_bytes,
                                  std::uint32_t value) {
    if (size_bytes == 0 || size_bytes > kDwordBytes) return;
    std::uint8_t data[kDwordBytes];
    store_le32(data, value);
    (void)transport(config_socket, tlm::TLM_WRITE_COMMAND, offset, size_bytes, data, false);
}

std::uint32_t HostSlotModule::read32(std::uint32_t bar, std::uint32_t offset) {
    Socket* socket = socket_of(bar);
    std::uint8_t data[kDwordBytes] = {};
    if (socket == nullptr ||
        !transport(*socket, tlm::TLM_READ_COMMAND, offset, kDwordBytes, data, false)) {
        return kAllOnes;
    }
    return load_le32(data);
}

void HostSlotModule::write32(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) {
    Socket* socket = socket_of(bar);
    if (socket == nullptr) return;
    std::uint8_t data[kDwordBytes];
    store_le32(data, value);
    (void)transport(*socket, tlm::TLM_WRITE_COMMAND, offset, kDwordBytes, data, true);
}

bool HostSlotModule::free_coherent(void* memory, std::uint32_t size_bytes, std::uint64_t iova) {
    if (!iommu_.free(memory, size_bytes, iova)) return false;
    host_socket->invalidate_direct_mem_ptr(iova, iova + size_bytes - 1);
    return true;
}

// --- the NIC's side
// --------------------------------------------------------------------------------

void HostSlotModule::b_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time&) {
    const tlm::tlm_response_status status = serve(transaction);
    transaction.set_response_status(status);
    if (status != tlm::TLM_OK_RESPONSE) refuse(transaction);
}

tlm::tlm_response_status HostSlotModule::serve(tlm::tlm_generic_payload& transaction) {
    const std::uint64_t address = transaction.get_address();
    const std::uint32_t size_bytes = transaction.get_data_length();
    std::uint8_t* data = transaction.get_data_ptr();
    if (transaction.get_byte_enable_ptr() != nullptr) return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
    if (transaction.get_streaming_width() < size_bytes) return tlm::TLM_BURST_ERROR_RESPONSE;

    if (InterruptController::in_window(address)) {
        if (!transaction.is_write()) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
        if (size_bytes != kDwordBytes) return tlm::TLM_BURST_ERROR_RESPONSE;
        interrupts_.message(address, load_le32(data));
        return tlm::TLM_OK_RESPONSE;
    }
    PacketExtension* extension = nullptr;
    transaction.get_extension(extension);
    if (transaction.is_read()) {
        const Iommu::Target source = iommu_.device_reads(address, size_bytes);
        if (source.status != DmaStatus::kOk) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
        std::memcpy(data, source.memory, size_bytes);
        transaction.set_dmi_allowed(source.coherent);
        if (extension != nullptr) extension->packet = source.packet;
        return tlm::TLM_OK_RESPONSE;
    }
    if (transaction.is_write()) {
        const std::uint64_t packet = extension != nullptr ? extension->packet : 0;
        const Iommu::Target target = iommu_.device_writes(address, size_bytes, packet);
        if (target.status != DmaStatus::kOk) return tlm::TLM_ADDRESS_ERROR_RESPONSE;
        std::memcpy(target.memory, data, size_bytes);
        transaction.set_dmi_allowed(target.coherent);
        return tlm::TLM_OK_RESPONSE;
    }
    return tlm::TLM_OK_RESPONSE;  // TLM_IGNORE_COMMAND: only the extension travels.
}

void HostSlotModule::refuse(const tlm::tlm_generic_payload& transaction) {
    if (!log_) return;
    char text[120];
    std::snprintf(text, sizeof text, "nic%u: DMA %s of %u bytes at 0x%" PRIx64 " refused: %s",
                  index_, transaction.is_read() ? "read" : "write", transaction.get_data_length(),
                  std::uint64_t{transaction.get_address()},
                  transaction.get_response_string().c_str());
    log_(text);
}

/// Rings only: a mapped buffer belongs to the device for one packet, whose identity travels with
/// it.
bool HostSlotModule::grant_dmi(tlm::tlm_generic_payload& transaction, tlm::tlm_dmi& region) {
    const Iommu::Region memory = iommu_.coherent_region(transaction.get_address());
    if (memory.memory == nullptr) return false;
    region.allow_read_write();
    region.set_dmi_ptr(memory.memory);
    region.set_start_address(memory.iova);
    region.set_end_address(memory.iova + memory.size_bytes - 1);
    return true;
}

unsigned HostSlotModule::transport_dbg(tlm::tlm_generic_payload& transaction) {
    const std::uint32_t size_bytes = transaction.get_data_length();
    std::uint8_t* memory = iommu_.peek(transaction.get_address(), size_bytes);
    if (memory == nullptr) return 0;
    if (transaction.is_read()) std::memcpy(transaction.get_data_ptr(), memory, size_bytes);
    if (transaction.is_write()) std::memcpy(memory, transaction.get_data_ptr(), size_bytes);
    return size_bytes;
}

void HostSlotModule::inta(bool asserted) {
    interrupts_.pin(index_, asserted);
}

}  // namespace doorbell
