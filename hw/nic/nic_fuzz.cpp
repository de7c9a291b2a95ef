// What an untrusted guest and an untrusted wire can do to a NIC, as bytes: configuration and
// register accesses, descriptors in memory, frames, time. No input may crash it, hang it, make it
// grow without bound, or leave a trace behind a power-on reset.
//
// With DOORBELL_FUZZ a libFuzzer target; in every build a plain program replays the corpus.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace {

using namespace doorbell;
namespace r = regs::i82574l;

// Bounds of one input.
constexpr int kMaxOperations = 2'000;
constexpr int kMaxSteps = 60'000;
/// More frames than rings, FIFOs and the look-ahead of the MAC can hold at once are a leak.
constexpr std::size_t kMaxFrames = 2'000;
constexpr std::uint64_t kMemoryBase = 0x10000;
constexpr std::uint32_t kMemoryBytes = 1 << 17;

void demand(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "nic_fuzz: %s\n", what);
    std::abort();
}

/// The input, taken a piece at a time; 0 beyond its end.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const { return at_ >= size_; }
    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
    std::uint32_t half() {
        const std::uint32_t low = byte();
        return low | std::uint32_t{byte()} << 8;
    }
    std::uint32_t word() {
        const std::uint32_t low = half();
        return low | half() << 16;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

class FuzzHost final : public HostPort {
public:
    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        packet = 0;
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(target, &memory[address - kMemoryBase], size_bytes);
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(&memory[address - kMemoryBase], source, size_bytes);
        return DmaStatus::kOk;
    }
    void message(std::uint64_t, std::uint32_t) override {}
    void interrupt_pin(bool asserted) override {
        demand(asserted != pin, "INTA was driven to the level it had");
        pin = asserted;
    }
    static bool inside(std::uint64_t address, std::uint32_t size_bytes) {
        return address >= kMemoryBase && size_bytes <= kMemoryBytes &&
               address - kMemoryBase <= kMemoryBytes - size_bytes;
    }
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kMemoryBytes);
    bool pin = false;
};

class FuzzWire final : public EthernetPort {
public:
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        demand(start_ps >= last_end_ps, "two frames overlap on the wire");
        demand(end_ps > start_ps, "a frame takes no time");
        demand(frame->size_bytes() <= Frame::kCapacityBytes, "a frame beyond its capacity");
        last_end_ps = end_ps;
    }
    void advertise(const LinkAbilities&) override {}
    Picoseconds last_end_ps = 0;
};

class Fuzz {
public:
    Fuzz() : nic(timeline, host, wire, frames, {}, params(), i82574l_personality()) {
        nic.power_on_reset();
    }

    void run(Input input) {
        for (int i = 0; i < kMaxOperations && !input.empty() && steps_ < kMaxSteps; i++) {
            operate(input);
        }
        advance(milliseconds(1));
        demand(frames.made() < kMaxFrames, "frames without bound");
        check_power_on();
    }

private:
    static NicParams params() {
        NicParams params;
        params.phy.autonegotiation_ps = microseconds(50);
        params.nvm.auto_load_ps = microseconds(20);
        return params;
    }

    void operate(Input& input) {
        const std::uint8_t operation = input.byte();
        switch (operation % 16) {
            case 0:
            case 1:
                write_register(input);
                break;
            case 2:
                nic.bar_write(0, input.half() * 4, input.word());
                break;
            case 3:
                (void)nic.bar_read(0, input.half() * 4);
                break;
            case 4: {
                const std::uint32_t offset = input.half() % 0x1004;
                nic.config_write(offset, 1u << input.byte() % 4, input.word());
                break;
            }
            case 5: {
                const std::uint32_t offset = input.half() % 0x1004;
                (void)nic.config_read(offset, input.byte() % 6);
                break;
            }
            case 6:
                other_bar(input);
                break;
            case 7:
            case 8:
                write_memory(input);
                break;
            case 9:
                write_descriptor(input);
                break;
            case 10:
                receive(input);
                break;
            case 11:
                advance(nanoseconds(1) << input.byte() % 20);
                break;
            case 12:
                doorbell(input);
                break;
            case 13:
                open(input);
                break;
            case 14:
                nic.partner({input.byte() % 4 != 0, input.byte() % 4 != 0,
                             static_cast<std::uint16_t>(input.half()),
                             static_cast<std::uint16_t>(input.half()),
                             input.byte() % 2 != 0 ? 100u : 10u, input.byte() % 2 != 0});
                break;
            default:
                rare(input);
                break;
        }
    }

    /// A register by its row: every one of them gets its share.
    void write_register(Input& input) {
        const regs::Register& reg = *r::kMap.registers[input.byte() % r::kMap.register_count];
        const std::uint32_t index = reg.count == 1 ? 0 : input.half() % reg.count;
        nic.bar_write(0, reg.offset_of(index), input.word());
    }
    void other_bar(Input& input) {
        const unsigned bar = input.byte() % 6;
        const std::uint32_t offset = input.half();
        if (input.byte() % 2 != 0) {
            nic.bar_write(bar, offset, input.word());
        } else {
            (void)nic.bar_read(bar, offset);
        }
    }
    void write_memory(Input& input) {
        const std::uint32_t offset = input.half() * 2 % (kMemoryBytes - 64);
        const std::uint32_t bytes = input.byte() % 64;
        for (std::uint32_t i = 0; i < bytes; i++) host.memory[offset + i] = input.byte();
    }
    /// A descriptor that points into memory, in one of the rings that `open` lays out.
    void write_descriptor(Input& input) {
        const std::uint32_t ring = input.byte() % 4;
        const std::uint32_t index = input.byte();
        std::uint8_t* descriptor = &host.memory[ring * kRingBytes + index * 16];
        store_le64(descriptor, kMemoryBase + input.half());
        store_le32(descriptor + 8, input.word());
        store_le32(descriptor + 12, input.word());
    }
    void receive(Input& input) {
        FramePtr frame = frames.take();
        const std::uint32_t size = input.half() % Frame::kCapacityBytes;
        frame->resize(size);
        std::memset(frame->data(), input.byte(), size);
        const std::uint32_t given = input.byte() % 80;
        for (std::uint32_t i = 0; i < given && i < size; i++) frame->data()[i] = input.byte();
        if (input.byte() % 8 == 0) frame->pin_fcs(input.word());
        const Picoseconds duration_ps = (8 + Picoseconds{size} + 4) * 8'000;
        advance(duration_ps);
        const Picoseconds now_ps = timeline.now_ps();
        nic.receive(std::move(frame), now_ps >= duration_ps ? now_ps - duration_ps : 0, now_ps);
    }
    void doorbell(Input& input) {
        const std::uint32_t queue = input.byte() % 2;
        const regs::Register& tail = input.byte() % 2 != 0 ? r::TDT : r::RDT;
        nic.bar_write(0, tail.offset_of(queue), input.byte());
    }
    /// What a driver does first, so that the input need not find it out: configuration, link, four
    /// rings, both units enabled; the input chooses the modes.
    void open(Input& input) {
        nic.config_write(4, 2, 7);
        nic.partner({true, true, 0x0DE1, 0x0E00, 0, true});
        advance(microseconds(60));
        for (std::uint32_t queue = 0; queue < 2; queue++) {
            nic.bar_write(0, r::TDBAL.offset_of(queue), base_of(queue));
            nic.bar_write(0, r::TDBAH.offset_of(queue), 0);
            nic.bar_write(0, r::TDLEN.offset_of(queue), 128u * (1 + input.byte() % 32));
            nic.bar_write(0, r::RDBAL.offset_of(queue), base_of(2 + queue));
            nic.bar_write(0, r::RDBAH.offset_of(queue), 0);
            nic.bar_write(0, r::RDLEN.offset_of(queue), 128u * (1 + input.byte() % 32));
        }
        nic.bar_write(0, r::RFCTL.offset, input.byte() % 2 != 0 ? r::RFCTL_EXTEN.mask() : 0);
        nic.bar_write(0, r::CTRL.offset, r::CTRL.reset | input.byte() % 2u << 30);
        nic.bar_write(0, r::TCTL.offset, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        nic.bar_write(0, r::RCTL.offset, r::RCTL_EN.mask() | (input.word() & 0x0FFFFFC0));
        if (input.byte() % 2 != 0) nic.config_write(0xA2, 2, 0x8000);
    }
    static std::uint32_t base_of(std::uint32_t ring) {
        return static_cast<std::uint32_t>(kMemoryBase) + ring * kRingBytes;
    }
    void rare(Input& input) {
        switch (input.byte() % 8) {
            case 0:
                power_on();
                break;
            case 1:
                nic.pcie_reset();
                break;
            case 2:
                nic.bar_write(0, r::CTRL.offset, r::CTRL_RST.mask());
                break;
            case 3:
                nic.config_write(0xCC, 2, 3);
                break;
            case 4:
                nic.config_write(0xCC, 2, 0);
                break;
            case 5:
                (void)nic.debug_read(input.byte() % 6, input.half() * 4);
                break;
            case 6:
                nic.bar_write(0, r::MDIC.offset, input.word() & 0x27FF'FFFF);
                break;
            default:
                advance(milliseconds(5));
                break;
        }
    }

    /// As far as time goes, or as far as the steps of this input reach.
    void advance(Picoseconds duration_ps) {
        const Picoseconds until_ps = timeline.now_ps() + duration_ps;
        while (steps_ < kMaxSteps && timeline.next_event_time() <= until_ps) {
            timeline.advance_until(timeline.next_event_time());
            steps_++;
        }
        if (timeline.next_event_time() > until_ps) timeline.advance_until(until_ps);
    }

    void power_on() {
        nic.power_on_reset();
        // The reset cannot recall what was handed to the wire ahead of time.
        wire.last_end_ps = 0;
    }
    /// Every register (but the 10,240 words of the packet buffer window, which nobody but the bus
    /// writes) and configuration space.
    [[nodiscard]] std::vector<std::uint32_t> look() const {
        std::vector<std::uint32_t> words;
        for (std::uint32_t i = 0; i < r::kMap.register_count; i++) {
            const regs::Register& reg = *r::kMap.registers[i];
            if (&reg == &r::PBM) continue;
            for (std::uint32_t word = 0; word < reg.count; word++) {
                words.push_back(nic.debug_read(0, reg.offset_of(word)));
            }
        }
        for (std::uint32_t offset = 0; offset < 0x200; offset += 4) {
            words.push_back(nic.config_debug_read(offset));
        }
        return words;
    }
    void check_power_on() {
        static const std::vector<std::uint32_t> newborn = Fuzz().look();
        power_on();
        demand(look() == newborn, "the NIC remembers something over a power-on reset");
    }

    static constexpr std::uint32_t kRingBytes = 4096;

    ManualTimeline timeline;
    FramePool frames;
    FuzzHost host;
    FuzzWire wire;
    Nic nic;
    int steps_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Fuzz().run(Input(data, size));
    return 0;
}
