#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/base/timeline.hpp"
#include "hw/irq/interrupt_block_82574l.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

/// An interrupt block with everything around it played by the test.
namespace doorbell::irq_test {

namespace r = regs::i82574l;

/// What left the device, in order.
struct Sent {
    enum class Kind { kMessage, kPin, kWrite } kind;
    Picoseconds time_ps;
    std::uint64_t address;  ///< Or the level of the pin.
    std::uint32_t data;
};

class RecordingDma final : public DmaPort {
public:
    explicit RecordingDma(const Timeline& timeline) : timeline_(timeline) {}
    void read(const DmaRequest&, std::uint8_t*, DmaClient&) override {}
    void write(const DmaRequest& request, const std::uint8_t*, DmaClient&) override {
        sent.push_back({Sent::Kind::kWrite, timeline_.now_ps(), request.address, 0});
    }
    void message(std::uint64_t address, std::uint32_t data) override {
        sent.push_back({Sent::Kind::kMessage, timeline_.now_ps(), address, data});
    }
    void interrupt_pin(bool asserted) override {
        sent.push_back({Sent::Kind::kPin, timeline_.now_ps(), asserted ? 1u : 0u, 0});
    }
    [[nodiscard]] std::uint32_t outstanding() const override { return 0; }

    std::vector<Sent> sent;

private:
    const Timeline& timeline_;
};

class CountingStats final : public StatsPort {
public:
    void count(Stat stat, std::uint64_t amount) override {
        counts[static_cast<std::size_t>(stat)] += amount;
    }
    [[nodiscard]] std::uint64_t of(Stat stat) const {
        return counts[static_cast<std::size_t>(stat)];
    }
    std::uint64_t counts[static_cast<std::size_t>(Stat::kCount)] = {};
};

/// A queue engine that has what the test says to write back.
class ScriptedQueues final : public WriteBackPort {
public:
    void flush_write_backs(Direction direction) override {
        flushed.push_back(direction);
        pending[static_cast<int>(direction)] = false;
    }
    [[nodiscard]] bool write_backs_pending(Direction direction) const override {
        return pending[static_cast<int>(direction)];
    }
    bool pending[2] = {false, false};
    std::vector<Direction> flushed;
};

class InterruptBench {
public:
    explicit InterruptBench(const InterruptParams& params = {})
        : block(params, timeline, registers, dma, stats, state, configuration, {}) {
        state.bus_master = true;
        block.bind(queues);
        block.reset();
    }

    [[nodiscard]] std::uint32_t read(const regs::Register& reg, std::uint32_t index = 0) {
        return registers.bus_read(reg.offset_of(index));
    }
    void write(const regs::Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        registers.bus_write(reg.offset_of(index), value);
    }
    void write_field(const regs::Field& field, std::uint32_t value) {
        write(field.reg, field.put(registers.word(field.reg), value));
    }

    void use_msi() {
        configuration.msi_enabled = true;
        configuration.msi_address = kMsiAddress;
        configuration.msi_data = kMsiData;
        block.configuration_changed();
    }
    /// As Linux programs it: vector 0 RX, 1 TX, 2 other, every vector unmasked.
    void use_msix() {
        configuration.msix_enabled = true;
        block.configuration_changed();
        for (std::uint32_t vector = 0; vector < MsixTable::kVectors; vector++) {
            block.msix_write(r::MSIXTADD.offset_of(vector), 0xFEE00000 + vector * 0x1000);
            block.msix_write(r::MSIXTUADD.offset_of(vector), vector);
            block.msix_write(r::MSIXTMSG.offset_of(vector), vector_data(vector));
            block.msix_write(r::MSIXTVCTRL.offset_of(vector), 0);
        }
        write(r::IVAR, kLinuxIvar);
    }
    static std::uint32_t vector_data(std::uint32_t vector) { return 0x4020 + vector; }

    /// Data of the messages sent since the last call.
    std::vector<std::uint32_t> messages() {
        std::vector<std::uint32_t> data;
        for (const Sent& sent : dma.sent) {
            if (sent.kind == Sent::Kind::kMessage) data.push_back(sent.data);
        }
        dma.sent.clear();
        return data;
    }
    [[nodiscard]] bool pin() const {
        bool level = false;
        for (const Sent& sent : dma.sent) {
            if (sent.kind == Sent::Kind::kPin) level = sent.address != 0;
        }
        return level;
    }
    [[nodiscard]] std::size_t assertions() const {
        std::size_t count = 0;
        for (const Sent& sent : dma.sent) {
            if (sent.kind == Sent::Kind::kPin) count += sent.address;
        }
        return count;
    }

    static constexpr std::uint64_t kMsiAddress = 0xFEE01000;
    static constexpr std::uint32_t kMsiData = 0x4041;
    static constexpr std::uint32_t kLinuxIvar = 0x800A0908;

    ManualTimeline timeline;
    regs::RegisterFile registers{r::kMap};
    RecordingDma dma{timeline};
    CountingStats stats;
    DeviceState state;
    InterruptConfiguration configuration;
    ScriptedQueues queues;
    InterruptBlock82574l block;
};

}  // namespace doorbell::irq_test
