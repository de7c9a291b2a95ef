#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hw/core/device_core.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

/// A core with everything around it played by the test.
namespace doorbell::core_test {

namespace r = regs::i82574l;

class FakePhy final : public Phy {
public:
    void power_on_reset() override {}
    void hardware_reset(bool asserted) override {
        if (asserted != in_reset) edges.push_back(asserted);
        in_reset = asserted;
    }
    bool mdio_read(std::uint32_t address, std::uint32_t reg, std::uint16_t& value) override {
        value = address == 1 ? words[reg] : std::uint16_t{0};
        return address == 1;
    }
    bool mdio_write(std::uint32_t address, std::uint32_t reg, std::uint16_t value) override {
        if (address == 1) words[reg] = value;
        return address == 1;
    }
    void oem_bits(std::uint16_t bits) override { oem.push_back(bits); }
    void set_power(PhyPower to) override { power = to; }
    void partner(const LinkAbilities&) override {}
    const PhyLink& link() const override { return state; }

    std::map<std::uint32_t, std::uint16_t> words;
    std::vector<bool> edges;
    std::vector<std::uint16_t> oem;
    PhyPower power = PhyPower::kAwake;
    bool in_reset = false;
    PhyLink state;
};

class FakeInterrupts final : public InterruptBlock {
public:
    void bind(WriteBackPort&) override {}
    void reset() override {}
    void reset_msix_table() override {}
    void configuration_changed() override { told++; }
    std::uint32_t msix_read(std::uint32_t) override { return 0; }
    void msix_write(std::uint32_t, std::uint32_t) override {}
    std::uint32_t msix_debug_read(std::uint32_t) const override { return 0; }
    bool pin_requested() const override { return false; }
    void visit_metrics(MetricVisitor&) const override {}
    void raise(std::uint32_t icr_bits) override { raised.push_back(icr_bits); }
    void tx_written_back(std::uint32_t, bool) override {}
    void rx_frame_stored(std::uint32_t) override {}
    void rx_written_back(std::uint32_t, std::uint32_t) override {}

    std::vector<std::uint32_t> raised;
    int told = 0;
};

class FakeQueues final : public QueueEngine {
public:
    void reset() override {}
    void device_state_changed() override { told++; }
    void receive(FramePtr, Picoseconds, Picoseconds) override {}
    void visit_metrics(MetricVisitor&) const override {}
    void flush_write_backs(Direction) override {}
    bool write_backs_pending(Direction) const override { return false; }
    int told = 0;
};

class FakeDma final : public DmaPort {
public:
    void read(const DmaRequest&, std::uint8_t*, DmaClient&) override {}
    void write(const DmaRequest&, const std::uint8_t*, DmaClient&) override {}
    void message(std::uint64_t, std::uint32_t) override {}
    void interrupt_pin(bool) override {}
    std::uint32_t outstanding() const override { return requests; }
    void device_state_changed() override { told++; }
    int told = 0;
    std::uint32_t requests = 0;
};

class RecordingTargets final : public ResetTargets {
public:
    explicit RecordingTargets(regs::RegisterFile* registers = nullptr) : registers_(registers) {}
    void reset_dma() override { calls.push_back("dma"); }
    void reset_registers(regs::ResetKind kind) override {
        calls.push_back(kind == regs::ResetKind::kPowerOn ? "registers" : "registers (software)");
        if (registers_ != nullptr) registers_->reset(kind);
    }
    void reset_configuration_space() override { calls.push_back("configuration"); }
    void reset_wake_up(bool power_on) override {
        calls.push_back(power_on ? "wake-up (power-on)" : "wake-up");
    }
    void reset_phy() override {
        calls.push_back("phy");
        if (on_phy_reset) on_phy_reset();
    }
    void reset_interrupts() override { calls.push_back("interrupts"); }
    void reset_msix_table() override { calls.push_back("msix"); }
    void reset_queues() override { calls.push_back("queues"); }
    void reset_time_stamps() override { calls.push_back("stamps"); }
    void restore_nvm() override { calls.push_back("restore nvm"); }
    void load_nvm(NvmLoad extent) override {
        calls.push_back(extent == NvmLoad::kFull ? "load all" : "load address");
    }
    std::vector<std::string> calls;
    std::function<void()> on_phy_reset;

private:
    regs::RegisterFile* registers_;
};

class CoreBench {
public:
    explicit CoreBench(const CoreParams& params = {}) : core(params, timeline, registers, {}) {
        core.bind({phy, interrupts, queues, dma, targets});
        core.reset(ResetCause::kPowerOn);
        core.function_changed({true, true, false, false});
        interrupts.raised.clear();
        targets.calls.clear();
    }
    std::uint32_t read(const regs::Register& reg) { return registers.bus_read(reg.offset); }
    void write(const regs::Register& reg, std::uint32_t value) {
        registers.bus_write(reg.offset, value);
    }
    void link(const PhyLink& state) {
        phy.state = state;
        core.phy_link_changed(state);
    }

    ManualTimeline timeline;
    regs::RegisterFile registers{r::kMap};
    FakePhy phy;
    FakeInterrupts interrupts;
    FakeQueues queues;
    FakeDma dma;
    RecordingTargets targets{&registers};
    DeviceCore core;
};

}  // namespace doorbell::core_test
