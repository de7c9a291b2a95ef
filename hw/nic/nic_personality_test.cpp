// Each of the three replaceable parts, replaced.
#include "hw/nic/nic_personality.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

using ::testing::ElementsAre;

/// A PHY that is whatever the test says, at MDIO address 1.
class ScriptedPhy final : public Phy {
public:
    explicit ScriptedPhy(PhyListener& listener) : listener_(listener) {}
    void power_on_reset() override { set({}); }
    void hardware_reset(bool) override {}
    bool mdio_read(std::uint32_t address, std::uint32_t, std::uint16_t& value) override {
        value = 0xCAFE;
        return address == 1;
    }
    bool mdio_write(std::uint32_t, std::uint32_t, std::uint16_t) override { return true; }
    void set_power(PhyPower) override {}
    void oem_bits(std::uint16_t) override {}
    void partner(const LinkAbilities& abilities) override {
        set({abilities.present, 100, true, false});
    }
    const PhyLink& link() const override { return link_; }

private:
    void set(const PhyLink& link) {
        link_ = link;
        listener_.phy_link_changed(link_);
    }
    PhyListener& listener_;
    PhyLink link_;
};

class PhyPersonality final : public NicPersonality {
public:
    std::unique_ptr<Phy> make_phy(const NicContext&, PhyListener& listener) const override {
        return std::make_unique<ScriptedPhy>(listener);
    }
};

TEST(Personality, another_phy_gives_the_link) {
    const PhyPersonality personality;
    NicBench nic(NicBench::quick(), personality);
    nic.enable();
    EXPECT_EQ(nic.phy_read(2), 0xCAFE);
    nic.nic.partner(NicBench::gigabit());
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u) << "without any negotiation";
    EXPECT_EQ(nic.read(r::STATUS) >> 6 & 3, 1u) << "100 Mb/s";
    nic.open_rings();
    nic.send(NicBench::broadcast(100));
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(nic.wire.heard.size(), 1u);
    EXPECT_EQ(nic.wire.heard[0].end_ps - nic.wire.heard[0].start_ps, (8 + 104) * 80'000u);
}

/// Interrupts of a made-up part: every cause is a message of its own, at once.
class ChattyInterrupts final : public InterruptBlock {
public:
    explicit ChattyInterrupts(DmaPort& dma) : dma_(dma) {}
    void bind(WriteBackPort&) override {}
    void reset() override {}
    void reset_msix_table() override {}
    void configuration_changed() override {}
    std::uint32_t msix_read(std::uint32_t) override { return 0x12345678; }
    void msix_write(std::uint32_t, std::uint32_t) override {}
    std::uint32_t msix_debug_read(std::uint32_t) const override { return 0x12345678; }
    bool pin_requested() const override { return false; }
    void visit_metrics(MetricVisitor&) const override {}
    void raise(std::uint32_t icr_bits) override { dma_.message(0xFEE00000, icr_bits); }
    void tx_written_back(std::uint32_t, bool) override { dma_.message(0xFEE00000, 0x7177); }
    void rx_frame_stored(std::uint32_t) override {}
    void rx_written_back(std::uint32_t, std::uint32_t frames) override {
        dma_.message(0xFEE00000, 0x7200 + frames);
    }

private:
    DmaPort& dma_;
};

class InterruptPersonality final : public NicPersonality {
public:
    std::unique_ptr<InterruptBlock> make_interrupts(const NicContext& context) const override {
        return std::make_unique<ChattyInterrupts>(context.dma);
    }
};

TEST(Personality, another_interrupt_block_announces_the_same_events) {
    const InterruptPersonality personality;
    NicBench nic(NicBench::quick(), personality);
    nic.enable();
    EXPECT_EQ(nic.nic.bar_read(3, 0), 0x12345678u);
    nic.link_up();
    nic.open_rings();
    nic.arrive(NicBench::broadcast(100));
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_THAT(nic.host.messages(), ElementsAre(4, 0x7201)) << "LSC, then the frame";
}

/// A queue engine without queues: it counts, and echoes what it hears.
class EchoQueues final : public QueueEngine {
public:
    explicit EchoQueues(EthernetPort& wire) : wire_(wire) {}
    void reset() override { resets++; }
    void device_state_changed() override {}
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        wire_.transmit(std::move(frame), end_ps, end_ps + (end_ps - start_ps));
    }
    void visit_metrics(MetricVisitor&) const override {}
    void flush_write_backs(Direction) override {}
    bool write_backs_pending(Direction) const override { return false; }
    int resets = 0;

private:
    EthernetPort& wire_;
};

class QueuePersonality final : public NicPersonality {
public:
    std::unique_ptr<QueueEngine> make_queues(const NicContext& context, CausePort&) const override {
        auto queues = std::make_unique<EchoQueues>(context.wire);
        made = queues.get();
        return queues;
    }
    mutable EchoQueues* made = nullptr;
};

TEST(Personality, another_queue_engine_gets_the_frames_and_the_resets) {
    const QueuePersonality personality;
    NicBench nic(NicBench::quick(), personality);
    nic.enable();
    EXPECT_EQ(personality.made->resets, 1);
    nic.write(r::CTRL, r::CTRL_RST.mask());
    EXPECT_EQ(personality.made->resets, 2);
    nic.arrive(NicBench::broadcast(77));
    ASSERT_EQ(nic.wire.heard.size(), 1u);
    EXPECT_EQ(nic.wire.heard[0].bytes, NicBench::broadcast(77));
}

}  // namespace
}  // namespace doorbell::nic_test
