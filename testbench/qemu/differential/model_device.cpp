#include "testbench/qemu/differential/model_device.hpp"

#include <cstring>
#include <string>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic.hpp"

namespace doorbell::differential {

namespace {

class Memory final : public HostPort {
public:
    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        packet = 0;
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(target, at(address), size_bytes);
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(at(address), source, size_bytes);
        return DmaStatus::kOk;
    }
    /// A message is a write: it lands where the table says.
    void message(std::uint64_t address, std::uint32_t data) override {
        if (inside(address, 4)) store_le32(at(address), data);
    }
    void interrupt_pin(bool) override {}

    [[nodiscard]] static bool inside(std::uint64_t address, std::uint32_t size_bytes) {
        return address >= kMemoryBase && size_bytes <= kMemoryBytes &&
               address - kMemoryBase <= kMemoryBytes - size_bytes;
    }
    [[nodiscard]] std::uint8_t* at(std::uint64_t address) { return &bytes[address - kMemoryBase]; }

    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(kMemoryBytes);
};

class Wire final : public EthernetPort {
public:
    void transmit(FramePtr frame, Picoseconds, Picoseconds) override {
        heard.emplace_back(frame->data(), frame->data() + frame->size_bytes());
    }
    void advertise(const LinkAbilities&) override {}

    std::vector<std::vector<std::uint8_t>> heard;
};

/// Nothing but order is of interest, as under QEMU: an instant link, PCIe without time.
NicParams functional() {
    NicParams params;
    params.pcie.enabled = false;
    params.phy.autonegotiation_ps = microseconds(20);
    params.nvm.auto_load_ps = microseconds(20);
    // Doubts of the specification, answered as QEMU answers them.
    params.irq.u2_int_asserted = InterruptParams::IntAsserted::kAnyCause;
    params.irq.u4_auto_mask = InterruptParams::AutoMask::kClearIam;
    params.rings.u24_tx_context_per_queue = true;
    return params;
}

constexpr LinkAbilities kGigabitPartner{true, true, 0x0DE1, 0x0E00, 0, true};

}  // namespace

struct ModelDevice::Parts {
    Parts() : nic(timeline, memory, wire, frames, {}, functional()) {}

    ManualTimeline timeline;
    FramePool frames;
    Memory memory;
    Wire wire;
    Nic nic;
};

ModelDevice::ModelDevice() : parts_(std::make_unique<Parts>()) {}

ModelDevice::~ModelDevice() = default;

void ModelDevice::reset(InterruptMode mode) {
    Nic& nic = parts_->nic;
    nic.power_on_reset();
    std::fill(parts_->memory.bytes.begin(), parts_->memory.bytes.end(), std::uint8_t{0});
    parts_->wire.heard.clear();
    nic.partner(kGigabitPartner);
    nic.config_write(0x04, 2, 0x0007);
    if (mode == InterruptMode::kMsi) {
        nic.config_write(0xD4, 4, kMessages);
        nic.config_write(0xDC, 2, kMessageData);
        nic.config_write(0xD2, 2, 0x0001);
    }
    if (mode == InterruptMode::kMsix) nic.config_write(0xA2, 2, 0x8000);
    wait(2'000);
}

void ModelDevice::write(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) {
    parts_->nic.bar_write(bar, offset, value);
}

std::uint32_t ModelDevice::read(std::uint32_t bar, std::uint32_t offset) {
    parts_->nic.push_posted_writes();
    return parts_->nic.bar_read(bar, offset);
}

std::uint32_t ModelDevice::config_read(std::uint32_t offset) {
    return parts_->nic.config_read(offset, 4);
}

void ModelDevice::poke(std::uint32_t address, const std::vector<std::uint8_t>& bytes) {
    std::memcpy(parts_->memory.at(address), bytes.data(), bytes.size());
}

std::vector<std::uint8_t> ModelDevice::peek(std::uint32_t address, std::uint32_t size_bytes) {
    const std::uint8_t* first = parts_->memory.at(address);
    return {first, first + size_bytes};
}

void ModelDevice::receive(const std::vector<std::uint8_t>& frame) {
    FramePtr arriving = parts_->frames.take();
    arriving->resize(static_cast<std::uint32_t>(frame.size()));
    std::memcpy(arriving->data(), frame.data(), frame.size());
    const Picoseconds start_ps = parts_->timeline.now_ps();
    const Picoseconds duration_ps = (8 + Picoseconds{arriving->wire_bytes()}) * nanoseconds(8);
    parts_->timeline.advance_by(duration_ps);
    parts_->nic.receive(std::move(arriving), start_ps, start_ps + duration_ps);
}

std::vector<std::vector<std::uint8_t>> ModelDevice::sent() {
    return std::exchange(parts_->wire.heard, {});
}

void ModelDevice::wait(std::uint32_t us) {
    parts_->timeline.advance_by(microseconds(us));
}

}  // namespace doorbell::differential
