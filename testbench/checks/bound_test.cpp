#include "testbench/checks/bound.hpp"

#include <gtest/gtest.h>

namespace doorbell::checks {
namespace {

TEST(Bound, AFullWireBoundsWhateverElseIsBusy) {
    BoundEvidence e;
    e.tx.occupied = 1;
    e.rx.occupied = 1;
    e.cpu_busy = 1;
    e.pcie_upstream_busy = 1;
    EXPECT_EQ(bound_of_tx(e), "wire");
    EXPECT_EQ(bound_of_rx(e), "wire");
}

// Of a receiver only when it loses frames.
TEST(Bound, WithAWireThatHasRoomTheBusierOfPcieAndCpuBoundsWhenItHasNoTimeLeft) {
    struct Row {
        double upstream, downstream, cpu;
        const char* bound;
    };
    for (const Row& row : {Row{0, 0, 0.99, "cpu"}, Row{0.98, 0.5, 0.97, "pcie"},
                           Row{0.5, 1, 0.99, "pcie"}, Row{0.96, 0.96, 0.97, "cpu"}}) {
        BoundEvidence e;
        e.tx.occupied = e.rx.occupied = 0.9;
        e.pcie_upstream_busy = row.upstream;
        e.pcie_downstream_busy = row.downstream;
        e.cpu_busy = row.cpu;
        EXPECT_EQ(bound_of_tx(e), row.bound);
        EXPECT_EQ(bound_of_rx(e), "load");
        e.rx.lost_store = 1;
        EXPECT_EQ(bound_of_rx(e), row.bound);
    }
}

TEST(Bound, WhatHasTimeLeftBoundsNothing) {
    BoundEvidence e;
    e.tx.occupied = e.pcie_upstream_busy = e.pcie_downstream_busy = e.cpu_busy = 0.9;
    EXPECT_EQ(bound_of_tx(e), "load");
}

TEST(Bound, WhereNothingIsBusyLatencyBoundsByWhatItFills) {
    BoundEvidence e;
    e.tx.occupied = 0.5;
    e.tx.queue_stops = 1;
    EXPECT_EQ(bound_of_tx(e), "ring");
    e.tx.waited_for_room = 0.9;
    EXPECT_EQ(bound_of_tx(e), "packet_buffer");
    e.tag_waits = 0.9;
    EXPECT_EQ(bound_of_tx(e), "pcie");
}

TEST(Bound, AReceiverThatLosesIsBoundByWhatItsBufferWaitedFor) {
    BoundEvidence e;
    e.rx.occupied = 1;
    e.rx.frames = 100;
    e.rx.lost_store = 5;
    EXPECT_EQ(bound_of_rx(e), "packet_buffer");
    e.rx.lost_fetch = 6;
    EXPECT_EQ(bound_of_rx(e), "descriptor_cache");
    e.tag_waits = 0.6;
    EXPECT_EQ(bound_of_rx(e), "pcie");
    e.tag_waits = 0;
    e.rx.lost_no_descriptor = 7;
    EXPECT_EQ(bound_of_rx(e), "ring");
}

TEST(Bound, AReceiverBehindALinkThatIsMainlyBusyIsBoundByItAndNotByWhatWaitsForIt) {
    BoundEvidence e;
    e.rx.occupied = 1;
    e.rx.frames = 100;
    for (std::uint64_t* lost : {&e.rx.lost_store, &e.rx.lost_fetch}) {
        *lost = 50;
        e.pcie_upstream_busy = 0.74;
        EXPECT_NE(bound_of_rx(e), "pcie");
        e.pcie_upstream_busy = 0.76;
        EXPECT_EQ(bound_of_rx(e), "pcie");
        *lost = 0;
    }
    e.rx.lost_no_descriptor = 50;
    EXPECT_EQ(bound_of_rx(e), "ring") << "the link is not what gives descriptors";
    e.cpu_busy = 0.74;
    EXPECT_EQ(bound_of_rx(e), "ring");
    e.cpu_busy = 0.76;
    EXPECT_EQ(bound_of_rx(e), "cpu");
}

TEST(Bound, ATransmitterWithABacklogIsBoundByALinkThatIsMainlyBusy) {
    BoundEvidence e;
    e.tx.occupied = 0.9;
    e.pcie_downstream_busy = 0.76;
    EXPECT_EQ(bound_of_tx(e), "load") << "nothing waits";
    e.tx.queue_stops = 1;
    EXPECT_EQ(bound_of_tx(e), "pcie");
    e.pcie_downstream_busy = 0.74;
    EXPECT_EQ(bound_of_tx(e), "ring");
    e.tx.waited_for_room = 0.51;
    EXPECT_EQ(bound_of_tx(e), "packet_buffer");
    e.pcie_downstream_busy = 0.76;
    EXPECT_EQ(bound_of_tx(e), "pcie");
}

TEST(Bound, WhatIsFullSaturatedOrMostlyWaitedForHasAnEdge) {
    BoundEvidence e;
    e.tx.occupied = 0.9949;
    e.rx.occupied = 0.9949;
    EXPECT_EQ(bound_of_tx(e), "load");
    EXPECT_EQ(bound_of_rx(e), "load");
    e.tx.occupied = 0.9951;
    e.rx.occupied = 0.9951;
    EXPECT_EQ(bound_of_tx(e), "wire");
    EXPECT_EQ(bound_of_rx(e), "wire");
    e.tx.occupied = 0.9;
    e.cpu_busy = 0.949;
    EXPECT_EQ(bound_of_tx(e), "load");
    e.cpu_busy = 0.951;
    EXPECT_EQ(bound_of_tx(e), "cpu");
    e.cpu_busy = 0;
    e.tag_waits = 0.49;
    EXPECT_EQ(bound_of_tx(e), "load");
    e.tag_waits = 0.51;
    EXPECT_EQ(bound_of_tx(e), "pcie");
    e.tag_waits = 0;
    e.tx.waited_for_room = 0.49;
    EXPECT_EQ(bound_of_tx(e), "load");
    e.tx.waited_for_room = 0.51;
    EXPECT_EQ(bound_of_tx(e), "packet_buffer");
}

}  // namespace
}  // namespace doorbell::checks
