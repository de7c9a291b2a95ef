#include "hw/plugin/nic_device.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/plugin/vfio_user.hpp"

namespace doorbell::plugin {

namespace vu = vfio_user;

namespace {

constexpr std::uint32_t kDword = 4;
constexpr std::uint32_t kRomUnitBytes = 2048;
constexpr std::uint32_t kRomEnable = 1;
/// DMA failures of one client that are told one by one.
constexpr std::uint32_t kToldFailures = 3;

std::vector<std::uint8_t> padded_to_power_of_two(std::vector<std::uint8_t> rom) {
    if (rom.empty()) return rom;
    std::size_t size = kRomUnitBytes;
    while (size < rom.size()) size *= 2;
    rom.resize(size, 0xFF);
    return rom;
}

std::string hex(std::uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

/// The widest naturally aligned access of at most a dword at `offset` with `left` bytes to go.
std::uint32_t aligned_piece(std::uint32_t offset, std::uint32_t left) {
    std::uint32_t size = kDword;
    while (offset % size != 0 || size > left) size /= 2;
    return size;
}

}  // namespace

NicParams NicDevice::served(NicParams params, std::uint32_t rate_mbps) {
    params.pcie.enabled = false;
    params.irq.host_keeps_msix_table = true;
    params.rings.transmit_rate_mbps = rate_mbps;
    return params;
}

NicDevice::NicDevice(Timeline& timeline, EthernetPort& wire, FramePool& frames, EventPort events,
                     const NicParams& params, std::vector<std::uint8_t> rom, ServerLog& log)
    : log_(log),
      interrupts_(params.config.msix_vectors),
      rom_(padded_to_power_of_two(std::move(rom))),
      nic_(timeline, *this, wire, frames, events, params) {
    nic_.power_on_reset();
}

void NicDevice::power_on() {
    memory_.clear();
    (void)memory_.memory_vanished();  // The one who lost it has gone.
    interrupts_.release_all();
    rom_bar_ = 0;
    failures_told_ = 0;
    nic_.power_on_reset();
}

void NicDevice::reset() {
    rom_bar_ = 0;
    nic_.pcie_reset();
    interrupts_.forget_signals();
}

// --- regions
// --------------------------------------------------------------------------------------

std::uint64_t NicDevice::region_bytes(std::uint32_t region) const {
    if (region < vu::kBarRegions) return nic_.bar_size_bytes(region);
    if (region == vu::kRomRegion) return rom_.size();
    return region == vu::kConfigRegion ? ConfigSpace::kSizeBytes : 0;
}

bool NicDevice::region_writable(std::uint32_t region) const {
    return region != vu::kRomRegion && region_bytes(region) != 0;
}

bool NicDevice::within(std::uint32_t region, std::uint64_t offset, std::uint32_t size_bytes) const {
    const std::uint64_t bytes = region_bytes(region);
    return offset <= bytes && size_bytes <= bytes - offset;
}

bool NicDevice::read(std::uint32_t region, std::uint64_t offset, std::uint8_t* data,
                     std::uint32_t size_bytes) {
    if (!within(region, offset, size_bytes)) return false;
    auto at = static_cast<std::uint32_t>(offset);
    if (region == vu::kConfigRegion) {
        config_read(at, data, size_bytes);
        return true;
    }
    if (region == vu::kRomRegion) {
        std::memcpy(data, rom_.data() + at, size_bytes);
        return true;
    }
    // The completion of a read pushes what the device has written before.
    nic_.push_posted_writes();
    while (size_bytes > 0) {
        // A register is read once, whichever of its bytes are asked for.
        const std::uint32_t in_dword = at % kDword;
        const std::uint32_t bytes = std::min(kDword - in_dword, size_bytes);
        std::uint8_t word[kDword];
        store_le32(word, nic_.bar_read(region, at - in_dword));
        std::memcpy(data, word + in_dword, bytes);
        counters_.register_reads++;
        at += bytes;
        data += bytes;
        size_bytes -= bytes;
    }
    return true;
}

bool NicDevice::write(std::uint32_t region, std::uint64_t offset, const std::uint8_t* data,
                      std::uint32_t size_bytes) {
    if (!within(region, offset, size_bytes) || !region_writable(region)) return false;
    auto at = static_cast<std::uint32_t>(offset);
    if (region == vu::kConfigRegion) {
        config_write(at, data, size_bytes);
        return true;
    }
    // Only whole registers are written, as over TLM; what is left of one is no access to it.
    const std::uint32_t lead = (kDword - at % kDword) % kDword;
    if (lead >= size_bytes) return true;
    for (std::uint32_t done = lead; done + kDword <= size_bytes; done += kDword) {
        nic_.bar_write(region, at + done, load_le32(data + done));
        counters_.register_writes++;
    }
    return true;
}

void NicDevice::config_read(std::uint32_t offset, std::uint8_t* data, std::uint32_t size_bytes) {
    while (size_bytes > 0) {
        const std::uint32_t bytes = aligned_piece(offset, size_bytes);
        std::uint32_t value = nic_.config_read(offset, bytes);
        if (offset / kDword == kRomBar / kDword) value = rom_bar_ >> 8 * (offset % kDword);
        for (std::uint32_t i = 0; i < bytes; i++) {
            data[i] = static_cast<std::uint8_t>(value >> 8 * i);
        }
        counters_.config_reads++;
        offset += bytes;
        data += bytes;
        size_bytes -= bytes;
    }
}

void NicDevice::config_write(std::uint32_t offset, const std::uint8_t* data,
                             std::uint32_t size_bytes) {
    while (size_bytes > 0) {
        const std::uint32_t bytes = aligned_piece(offset, size_bytes);
        std::uint32_t value = 0;
        for (std::uint32_t i = 0; i < bytes; i++) value |= std::uint32_t{data[i]} << 8 * i;
        if (offset / kDword == kRomBar / kDword && !rom_.empty()) {
            const std::uint32_t shift = 8 * (offset % kDword);
            const std::uint32_t written = bytes == kDword ? ~0u : ((1u << 8 * bytes) - 1) << shift;
            const auto size = static_cast<std::uint32_t>(rom_.size());
            rom_bar_ = (rom_bar_ & ~written) | (value << shift & written);
            rom_bar_ &= ~(size - 1) | kRomEnable;
        } else {
            nic_.config_write(offset, bytes, value);
        }
        counters_.config_writes++;
        offset += bytes;
        data += bytes;
        size_bytes -= bytes;
    }
}

// --- what the NIC masters
// -------------------------------------------------------------------------

DmaStatus NicDevice::read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                          std::uint64_t& packet) {
    packet = 0;
    const DmaTable::Failure failure = memory_.read(address, target, size_bytes);
    if (failure != DmaTable::Failure::kNone) return failed(failure, "read", address, size_bytes);
    counters_.dma_read_bytes += size_bytes;
    return DmaStatus::kOk;
}

DmaStatus NicDevice::write(std::uint64_t address, const std::uint8_t* source,
                           std::uint32_t size_bytes, std::uint64_t) {
    const DmaTable::Failure failure = memory_.write(address, source, size_bytes);
    if (failure != DmaTable::Failure::kNone) return failed(failure, "wrote", address, size_bytes);
    counters_.dma_write_bytes += size_bytes;
    return DmaStatus::kOk;
}

// A guest can make any number of these: the first few are told, all are counted.
DmaStatus NicDevice::failed(DmaTable::Failure failure, const char* what, std::uint64_t address,
                            std::uint32_t size_bytes) {
    counters_.dma_failures++;
    if (failures_told_ < kToldFailures) {
        failures_told_++;
        std::string line = "the device " + std::string(what) + ' ' + std::to_string(size_bytes) +
                           " bytes at " + hex(address);
        switch (failure) {
            case DmaTable::Failure::kNoDescriptor:
                line +=
                    ", memory that the client handed over without a file descriptor; give QEMU "
                    "shared memory: -object memory-backend-memfd,id=mem,size=SIZE,share=on with "
                    "-M ...,memory-backend=mem";
                break;
            case DmaTable::Failure::kNotAllowed:
                line += ", memory that is mapped for the other direction only";
                break;
            default:
                line += ", where nothing is mapped: the guest gave it a wrong address";
                break;
        }
        log_.warn(line);
    }
    return DmaStatus::kUnsupportedRequest;
}

void NicDevice::message(std::uint64_t, std::uint32_t data) {
    // With the table at the host, the data of an MSI-X message is the number of its vector.
    if (nic_.state().msix_enabled) {
        interrupts_.msix(data);
    } else {
        interrupts_.msi();
    }
}

}  // namespace doorbell::plugin
