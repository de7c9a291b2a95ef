#pragma once

#include <gtest/gtest.h>

#include "hw/base/no_more_descriptors_test.hpp"
#include "hw/plugin/plugin_bench_test.hpp"

namespace doorbell::plugin::test {

constexpr std::uint32_t kEventTrigger = vu::kSetDataEventfd | vu::kSetTrigger;

class Frames : public ::testing::Test {
protected:
    void SetUp() override {
        bench.open();
        bench.enable();
        bench.link_up();
        bench.open_rings();
    }
    PluginBench bench;
};

class Interrupts : public Frames {
protected:
    void use_msix() {
        for (std::uint32_t i = 0; i < 5; i++) {
            EXPECT_FALSE(
                bench.set_irqs(kEventTrigger, vu::kIrqMsix, i, 1, {vectors[i].number()}).failed());
        }
        bench.write_config(0xA2, 2, 0x8000);
        bench.write(r::IVAR, 0x8000'0A98);  // RXQ0: 0, RXQ1: 1, TXQ0: 2.
        bench.write(r::IMS, r::ICR_RXQ0.mask() | r::ICR_TXQ0.mask() | r::ICR_OTHER.mask());
    }
    EventDescriptor line;
    EventDescriptor message;
    std::array<EventDescriptor, 5> vectors;
};

}  // namespace doorbell::plugin::test
