#include "hw/rings/tx_fifo.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

constexpr std::uint32_t kCapacityBytes = 1024;
constexpr std::uint32_t kEntryBytes = 512;

class TxFifoTest : public ::testing::Test {
protected:
    TxFifoTest() { fifo.reset(kCapacityBytes); }
    void add() {
        TxEntry& entry = fifo.prepare();
        ASSERT_TRUE(fifo.space().reserve(kEntryBytes, 0));
        entry.reserved_bytes = kEntryBytes;
        fifo.push();
    }
    TxFifo fifo{EventPort()};
};

TEST_F(TxFifoTest, room_is_free_when_a_frame_has_left) {
    add();
    EXPECT_EQ(fifo.free_at(kCapacityBytes), kNever) << "not handed over yet";
    fifo.mark_sent(1000);
    EXPECT_EQ(fifo.free_at(kCapacityBytes), 1000u);
    fifo.release_sent(999);
    EXPECT_EQ(fifo.size(), 1u);
    fifo.release_sent(1000);
    EXPECT_EQ(fifo.size(), 0u);
    EXPECT_EQ(fifo.space().free_bytes(), kCapacityBytes);
}

// Who waited for room would otherwise be told an instant that has passed, again and again.
TEST_F(TxFifoTest, a_packet_dropped_behind_a_frame_on_the_wire_leaves_with_it) {
    add();
    add();
    fifo.mark_sent(1000);
    fifo.mark_sent(10);
    EXPECT_EQ(fifo.free_at(kCapacityBytes), 1000u);
    EXPECT_EQ(fifo.free_at(1), 1000u);
    fifo.release_sent(999);
    EXPECT_EQ(fifo.size(), 2u);
    fifo.release_sent(1000);
    EXPECT_EQ(fifo.size(), 0u);
}

}  // namespace
}  // namespace doorbell
