#include "hw/pcie/config_space.hpp"

#include <algorithm>
#include <cassert>

namespace doorbell {

namespace {

using regs::Access;

// Offsets of the rows that code gives a meaning.
constexpr std::uint32_t kCommandStatus = 0x04;
constexpr std::uint32_t kBar0 = 0x10;
constexpr std::uint32_t kMsix = 0xA0;
constexpr std::uint32_t kPmCapabilities = 0xC8;
constexpr std::uint32_t kPmcsr = 0xCC;
constexpr std::uint32_t kMsi = 0xD0;
constexpr std::uint32_t kMsiAddressLow = 0xD4;
constexpr std::uint32_t kMsiAddressHigh = 0xD8;
constexpr std::uint32_t kMsiData = 0xDC;
constexpr std::uint32_t kDeviceControl = 0xE8;

constexpr std::uint32_t kAerUncorrectableStatus = 0x104;
constexpr std::uint32_t kAerUncorrectableSeverity = 0x10C;
constexpr std::uint32_t kAerControl = 0x118;

// Device Status, and the errors of AER that the part can find.
constexpr std::uint32_t kNonFatalErrorDetected = 1u << (16 + 1);
constexpr std::uint32_t kFatalErrorDetected = 1u << (16 + 2);
constexpr std::uint32_t kCompletionTimeoutBit = 14;

// Command and Status.
constexpr std::uint32_t kCommandIo = 1u << 0;
constexpr std::uint32_t kCommandMemory = 1u << 1;
constexpr std::uint32_t kCommandMaster = 1u << 2;
constexpr std::uint32_t kCommandParity = 1u << 6;
constexpr std::uint32_t kCommandSerr = 1u << 8;
constexpr std::uint32_t kCommandIntxDisable = 1u << 10;
constexpr std::uint32_t kStatusInterrupt = 1u << (16 + 3);
constexpr std::uint32_t kStatusCapabilities = 1u << (16 + 4);
constexpr std::uint32_t kStatusMasterAbort = 1u << (16 + 13);
constexpr std::uint32_t kStatusErrors = 0xF900u << 16;  ///< Bits 15:11 and 8.

// Power management.
constexpr std::uint32_t kPmcD3cold = 1u << 15;
constexpr std::uint32_t kPowerState = 0x3;
constexpr std::uint32_t kPmeEnable = 1u << 8;
constexpr std::uint32_t kPmcsrDataSelect = 0xFu << 9;
constexpr std::uint32_t kPmcsrDataScale = 0x3u << 13;
constexpr std::uint32_t kPmeStatus = 1u << 15;
constexpr std::uint32_t kD0 = 0;
constexpr std::uint32_t kD3hot = 3;

// MSI and MSI-X message control, in the upper half of their first dword.
constexpr std::uint32_t kMsiEnable = 1u << 16;
constexpr std::uint32_t kMsiMultipleMessage = 0x7u << 20;
constexpr std::uint32_t kMsixMask = 1u << 30;
constexpr std::uint32_t kMsixEnable = 1u << 31;

constexpr std::uint32_t kBar0Bytes = 128 * 1024;
constexpr std::uint32_t kBar2Bytes = 32;
constexpr std::uint32_t kBar3Bytes = 16 * 1024;
constexpr std::uint32_t kBarIoSpace = 1;

constexpr std::uint32_t size_mask(std::uint32_t bytes) {
    return ~(bytes - 1);
}

bool aligned(std::uint32_t offset, std::uint32_t size_bytes) {
    const bool size_good = size_bytes == 1 || size_bytes == 2 || size_bytes == 4;
    return size_good && offset % size_bytes == 0 && offset < ConfigSpace::kSizeBytes;
}

}  // namespace

ConfigSpace::ConfigSpace(const ConfigSpaceParams& params) : params_(params) {
    build_rows();
    power_on_reset();
}

void ConfigSpace::load(const ConfigSpaceParams& params) {
    params_ = params;
    build_rows();
    // What software wrote, and the interrupt line, stay; what the part says about itself is new.
    for (std::uint32_t i = 0; i < row_count_; i++) {
        const Row& row = rows_[i];
        const std::uint32_t live = row.offset == kCommandStatus ? kStatusInterrupt : 0;
        const std::uint32_t kept = row.access.rw_bits | row.access.rw1c_bits | live;
        std::uint32_t& stored = words_[row.offset / 4];
        stored = (row.reset & ~kept) | (stored & kept);
    }
}

void ConfigSpace::add(const char* name, std::uint32_t offset, std::uint32_t reset_value,
                      regs::Access access, std::uint32_t sticky_bits) {
    assert(row_count_ < kMaxRows);
    row_of_[offset / 4] = static_cast<std::uint8_t>(row_count_);
    rows_[row_count_++] = {name, offset, reset_value, access, sticky_bits};
}

// The map. A bit in no set of a row is reserved or fixed: it reads as the reset value says.
void ConfigSpace::build_rows() {
    row_count_ = 0;
    row_of_.fill(kNoRow);
    const ConfigSpaceParams& p = params_;
    assert(p.msix_vectors >= 1 && p.msix_vectors <= 5);
    assert(p.flash_bar_bytes == 0 || (p.flash_bar_bytes & (p.flash_bar_bytes - 1)) == 0);

    // Type 0 header (spec 1.1 to 1.3).
    add("ID", 0x00, p.vendor_id | std::uint32_t{p.device_id} << 16, Access{}.ro(~0u));
    add("COMMAND_STATUS", kCommandStatus, kStatusCapabilities,
        Access{}
            .rw(kCommandIo | kCommandMemory | kCommandMaster | kCommandParity | kCommandSerr |
                kCommandIntxDisable)
            .ro(kStatusInterrupt | kStatusCapabilities)
            .rw1c(kStatusErrors));
    add("CLASS_REVISION", 0x08, 0x02000000u | p.revision_id, Access{}.ro(~0u));
    add("HEADER", 0x0C, 0, Access{}.rw(0x000000FF).ro(0xFFFFFF00));  // Cache line size.
    add("BAR0", 0x10, 0, Access{}.rw(size_mask(kBar0Bytes)));
    add("BAR1", 0x14, 0, Access{}.rw(p.flash_bar_bytes ? size_mask(p.flash_bar_bytes) : 0));
    add("BAR2", 0x18, kBarIoSpace, Access{}.rw(size_mask(kBar2Bytes)).ro(kBarIoSpace));
    add("BAR3", 0x1C, 0, Access{}.rw(size_mask(kBar3Bytes)));
    add("SUBSYSTEM", 0x2C, p.subsystem_vendor_id | std::uint32_t{p.subsystem_id} << 16,
        Access{}.ro(~0u));
    add("CAP_PTR", 0x34, 0xC8, Access{}.ro(0xFF));
    add("INTERRUPT", 0x3C, 0x0100, Access{}.rw(0xFF).ro(0xFF00));  // Line is storage; pin INTA.

    // Capability chain (spec 1.4): 0xC8, 0xD0, 0xE0, 0xA0.
    const std::uint32_t pmc = p.pme_from_d3cold ? 0xC822u : 0xC822u & ~kPmcD3cold;
    add("PM_CAP", kPmCapabilities, pmc << 16 | 0xD001, Access{}.ro(~0u));
    add("PMCSR", kPmcsr, 0,
        Access{}
            .rw(kPowerState | kPmeEnable | kPmcsrDataSelect)
            .ro(kPmcsrDataScale)
            .rw1c(kPmeStatus),
        kPmeEnable | kPmeStatus);
    add("MSI_CAP", kMsi, 0x0080E005, Access{}.rw(kMsiEnable | kMsiMultipleMessage).ro(0x008EFFFF));
    add("MSI_ADDRESS_LOW", kMsiAddressLow, 0, Access{}.rw(~3u));
    add("MSI_ADDRESS_HIGH", kMsiAddressHigh, 0, Access{}.rw(~0u));
    add("MSI_DATA", kMsiData, 0, Access{}.rw(0xFFFF));
    add("PCIE_CAP", 0xE0, 0x0001A010, Access{}.ro(~0u));
    add("DEVICE_CAPABILITIES", 0xE4, p.device_capabilities, Access{}.ro(~0u));
    // Error reporting, relaxed ordering (1), payload (128), auxiliary power, no snoop (1), read
    // request (512); Device Status errors. The auxiliary power enable survives D3 (PCIe 7.8.4).
    add("DEVICE_CONTROL_STATUS", kDeviceControl, 0x2810,
        Access{}.rw(0x7CFF).rw1c(0xFu << 16).ro(0x30u << 16), 1u << 10);
    add("LINK_CAPABILITIES", 0xEC, p.link_capabilities | p.link_generation | p.link_width << 4,
        Access{}.ro(~0u));
    // ASPM control, RCB, common clock, extended sync; Link Status: speed and width.
    add("LINK_CONTROL_STATUS", 0xF0, (p.link_generation | p.link_width << 4) << 16,
        Access{}.rw(0xCB).ro(0xFFFFu << 16));
    add("MSIX_CAP", kMsix, (p.msix_vectors - 1) << 16 | 0x0011,
        Access{}.rw(kMsixMask | kMsixEnable).ro(0x07FFFFFF));
    add("MSIX_TABLE", 0xA4, 0x00000003, Access{}.ro(~0u));
    add("MSIX_PBA", 0xA8, 0x00002003, Access{}.ro(~0u));

    // Extended: AER at 0x100, device serial number at 0x140. Status bits survive D3 (PCIe 7.10).
    constexpr std::uint32_t kUncorrectable = 0x001FF010;
    constexpr std::uint32_t kCorrectable = 0x000031C1;
    add("AER_CAP", 0x100, 0x14010001, Access{}.ro(~0u));
    add("AER_UNCORRECTABLE_STATUS", kAerUncorrectableStatus, 0, Access{}.rw1c(kUncorrectable),
        kUncorrectable);
    add("AER_UNCORRECTABLE_MASK", 0x108, 0, Access{}.rw(kUncorrectable), kUncorrectable);
    add("AER_UNCORRECTABLE_SEVERITY", kAerUncorrectableSeverity, 0x00062010,
        Access{}.rw(kUncorrectable), kUncorrectable);
    add("AER_CORRECTABLE_STATUS", 0x110, 0, Access{}.rw1c(kCorrectable), kCorrectable);
    add("AER_CORRECTABLE_MASK", 0x114, 0x2000, Access{}.rw(kCorrectable), kCorrectable);
    add("AER_CONTROL", kAerControl, 0, Access{}.ro(0x1F), 0x1F);
    add("AER_HEADER_LOG0", 0x11C, 0, Access{}.ro(~0u), ~0u);
    add("AER_HEADER_LOG1", 0x120, 0, Access{}.ro(~0u), ~0u);
    add("AER_HEADER_LOG2", 0x124, 0, Access{}.ro(~0u), ~0u);
    add("AER_HEADER_LOG3", 0x128, 0, Access{}.ro(~0u), ~0u);
    // EUI-64 of the MAC m0..m5, bytes from the least significant: m5 m4 m3 FF, FF m2 m1 m0.
    const std::array<std::uint8_t, 6>& m = p.mac;
    const auto dword = [](std::uint32_t b0, std::uint32_t b1, std::uint32_t b2, std::uint32_t b3) {
        return b0 | b1 << 8 | b2 << 16 | b3 << 24;
    };
    add("DSN_CAP", 0x140, 0x00010003, Access{}.ro(~0u));
    add("DSN_LOW", 0x144, dword(m[5], m[4], m[3], 0xFF), Access{}.ro(~0u));
    add("DSN_HIGH", 0x148, dword(0xFF, m[2], m[1], m[0]), Access{}.ro(~0u));
}

void ConfigSpace::power_on_reset() {
    reset(false);
}

void ConfigSpace::reset(bool keep_sticky) {
    for (std::uint32_t i = 0; i < row_count_; i++) {
        const Row& row = rows_[i];
        const std::uint32_t kept = keep_sticky ? row.sticky_bits : 0;
        std::uint32_t& stored = words_[row.offset / 4];
        stored = (stored & kept) | (row.reset & ~kept);
    }
}

std::uint32_t ConfigSpace::read(std::uint32_t offset, std::uint32_t size_bytes) const {
    const std::uint32_t mask = size_bytes >= 4 ? ~0u : (1u << 8 * size_bytes) - 1;
    if (!aligned(offset, size_bytes)) return mask;
    return word(offset) >> 8 * (offset % 4) & mask;
}

void ConfigSpace::write(std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value) {
    if (!aligned(offset, size_bytes)) return;
    const std::uint8_t index = row_of_[offset / 4];
    if (index == kNoRow) return;
    const Row& row = rows_[index];
    const std::uint32_t shift = 8 * (offset % 4);
    const std::uint32_t lanes = (size_bytes >= 4 ? ~0u : (1u << 8 * size_bytes) - 1) << shift;
    const std::uint32_t written = value << shift & lanes;

    std::uint32_t& stored = words_[row.offset / 4];
    const std::uint32_t before = stored;
    const std::uint32_t storage = row.access.rw_bits & lanes;
    stored = (stored & ~storage) | (written & storage);
    stored &= ~(written & row.access.rw1c_bits);

    if (row.offset == kPmcsr) {
        const std::uint32_t state = stored & kPowerState;
        // D1 and D2 do not exist: the write completes and changes no state (PCI PM 1.2, 3.2.4).
        if (state != kD0 && state != kD3hot) {
            stored = (stored & ~kPowerState) | (before & kPowerState);
        }
        if ((before & kPowerState) == kD3hot && (stored & kPowerState) == kD0) {
            const std::uint32_t written_pmcsr = stored;
            reset(true);
            stored = written_pmcsr;
            if (listener_ != nullptr) {
                listener_->power_state_changed();
                listener_->d3_to_d0_reset();
            }
            return;
        }
    }
    if (stored != before) tell(row.offset, before);
}

void ConfigSpace::tell(std::uint32_t offset, std::uint32_t before) {
    if (listener_ == nullptr) return;
    const std::uint32_t changed = before ^ word(offset);
    switch (offset) {
        case kCommandStatus:
            if ((changed & 0xFFFF) != 0) listener_->command_changed();
            break;
        case kBar0:
        case kBar0 + 4:
        case kBar0 + 8:
        case kBar0 + 12:
            listener_->command_changed();
            break;
        case kPmcsr:
            if ((changed & (kPmeEnable | kPmeStatus)) != 0) listener_->power_management_changed();
            if ((changed & kPowerState) != 0) listener_->power_state_changed();
            break;
        case kMsi:
        case kMsiAddressLow:
        case kMsiAddressHigh:
        case kMsiData:
        case kMsix:
            listener_->messages_changed();
            break;
        case kDeviceControl:
            listener_->link_limits_changed();
            break;
        default:
            break;  // Storage without a meaning to the device.
    }
}

bool ConfigSpace::io_enabled() const {
    return (word(kCommandStatus) & kCommandIo) != 0;
}
bool ConfigSpace::memory_enabled() const {
    return (word(kCommandStatus) & kCommandMemory) != 0;
}
bool ConfigSpace::bus_master_enabled() const {
    return (word(kCommandStatus) & kCommandMaster) != 0;
}
bool ConfigSpace::intx_disabled() const {
    return (word(kCommandStatus) & kCommandIntxDisable) != 0;
}
std::uint32_t ConfigSpace::power_state() const {
    return word(kPmcsr) & kPowerState;
}
bool ConfigSpace::pme_enabled() const {
    return (word(kPmcsr) & kPmeEnable) != 0;
}

std::uint32_t ConfigSpace::bar_size_bytes(std::uint32_t bar) const {
    switch (bar) {
        case 0:
            return kBar0Bytes;
        case 1:
            return params_.flash_bar_bytes;
        case 2:
            return kBar2Bytes;
        case 3:
            return kBar3Bytes;
        default:
            return 0;
    }
}

std::uint32_t ConfigSpace::bar_address(std::uint32_t bar) const {
    const std::uint32_t size = bar_size_bytes(bar);
    return size == 0 ? 0 : word(kBar0 + 4 * bar) & size_mask(size);
}

bool ConfigSpace::msi_enabled() const {
    return (word(kMsi) & kMsiEnable) != 0;
}
std::uint64_t ConfigSpace::msi_address() const {
    return std::uint64_t{word(kMsiAddressHigh)} << 32 | word(kMsiAddressLow);
}
std::uint16_t ConfigSpace::msi_data() const {
    return static_cast<std::uint16_t>(word(kMsiData));
}
bool ConfigSpace::msix_enabled() const {
    return (word(kMsix) & kMsixEnable) != 0;
}
bool ConfigSpace::msix_function_masked() const {
    return (word(kMsix) & kMsixMask) != 0;
}
std::uint32_t ConfigSpace::msix_vectors() const {
    return params_.msix_vectors;
}

// Encodings beyond what the part supports or the standard defines act as the largest legal size.
std::uint32_t ConfigSpace::max_payload_bytes() const {
    const std::uint32_t supported = params_.device_capabilities & 7;
    return 128u << std::min({word(kDeviceControl) >> 5 & 7, supported, 5u});
}
std::uint32_t ConfigSpace::max_read_request_bytes() const {
    return 128u << std::min(word(kDeviceControl) >> 12 & 7, 5u);
}

void ConfigSpace::set_interrupt_status(bool asserted) {
    std::uint32_t& stored = words_[kCommandStatus / 4];
    stored = asserted ? stored | kStatusInterrupt : stored & ~kStatusInterrupt;
}
void ConfigSpace::received_master_abort() {
    words_[kCommandStatus / 4] |= kStatusMasterAbort;
}
void ConfigSpace::advertise_d3cold_wake_up(bool advertised) {
    constexpr std::uint32_t kBit = kPmcD3cold << 16;
    std::uint32_t& stored = words_[kPmCapabilities / 4];
    stored = advertised && params_.pme_from_d3cold ? stored | kBit : stored & ~kBit;
}
void ConfigSpace::completion_timed_out() {
    std::uint32_t& status = words_[kAerUncorrectableStatus / 4];
    // The pointer names the first error whose bit is still set (PCIe 7.10.7).
    if (status == 0) words_[kAerControl / 4] = kCompletionTimeoutBit;
    status |= 1u << kCompletionTimeoutBit;
    const bool fatal = (word(kAerUncorrectableSeverity) >> kCompletionTimeoutBit & 1) != 0;
    words_[kDeviceControl / 4] |= fatal ? kFatalErrorDetected : kNonFatalErrorDetected;
}
bool ConfigSpace::pme_status() const {
    return (word(kPmcsr) & kPmeStatus) != 0;
}
void ConfigSpace::set_pme_status(bool status) {
    std::uint32_t& stored = words_[kPmcsr / 4];
    stored = status ? stored | kPmeStatus : stored & ~kPmeStatus;
}
void ConfigSpace::set_pme_enabled(bool enabled) {
    std::uint32_t& stored = words_[kPmcsr / 4];
    stored = enabled ? stored | kPmeEnable : stored & ~kPmeEnable;
}

}  // namespace doorbell
