// IEEE 1588 through the whole NIC, as Linux uses it (section 10.1.8).
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

constexpr std::uint32_t kEnabled = 1u << 4;
constexpr std::uint32_t kValid = 1u << 0;
constexpr std::uint64_t kTst = 1u << 8;

/// A Sync of version 2 in Ethernet, to everybody.
std::vector<std::uint8_t> sync() {
    std::vector<std::uint8_t> frame = NicBench::broadcast(60, 0);
    frame[12] = 0x88;
    frame[13] = 0xF7;
    frame[15] = 2;
    return frame;
}

class PtpBench : public NicBench {
public:
    PtpBench() {
        enable();
        link_up();
        set(r::RFCTL_EXTEN, 1);
        open_rings();
        write(r::TIMINCA, 1u << 24 | 40);  // SYSTIM in ns.
        offset_ns_ = timeline.now_ps() / nanoseconds(40) * 40;
    }
    /// As `send`, with EXTCMD.TS.
    void send_stamped(const std::vector<std::uint8_t>& bytes) {
        const std::uint32_t index = tx_tail;
        const std::uint64_t buffer = kTxBuffers + index % 32 * kBufferBytes;
        std::memcpy(host.at(buffer), bytes.data(), bytes.size());
        std::uint8_t* descriptor = host.at(kTxRing + index * kDescriptorBytes);
        store_le64(descriptor, buffer);
        store_le32(descriptor + 8, static_cast<std::uint32_t>(bytes.size()) | 0x0Bu << 24);
        store_le32(descriptor + 12, 1u << 4);
        tx_tail = (index + 1) % kRingSize;
        write(r::TDT, tx_tail);
    }
    /// What SYSTIM says at an instant: whole cycles of 40 ns since it was started.
    [[nodiscard]] std::uint64_t systim_at(Picoseconds when_ps) const {
        return when_ps / nanoseconds(40) * 40 - offset_ns_;
    }
    [[nodiscard]] std::uint64_t status(std::uint32_t index) {
        return load_le64(host.at(kRxRing + index * kDescriptorBytes) + 8);
    }

private:
    std::uint64_t offset_ns_ = 0;
};

TEST(Ptp, a_sent_frame_is_stamped_with_the_end_of_its_start_delimiter) {
    PtpBench nic;
    nic.write(r::TSYNCTXCTL, kEnabled);
    nic.send(sync());
    nic.send_stamped(sync());
    nic.timeline.advance_by(milliseconds(1));
    ASSERT_EQ(nic.wire.heard.size(), 2u);
    EXPECT_EQ(nic.read(r::TSYNCTXCTL), kEnabled | kValid);
    // Preamble and delimiter are 64 bits: 64 ns at 1 Gb/s.
    const std::uint64_t expected = nic.systim_at(nic.wire.heard[1].start_ps + nanoseconds(64));
    EXPECT_EQ(nic.read(r::TXSTMPL), expected);
    EXPECT_EQ(nic.read(r::TXSTMPH), 0u);
    EXPECT_TRUE(nic.tx_done(1));
}

TEST(Ptp, a_received_frame_is_stamped_and_its_descriptor_says_so) {
    PtpBench nic;
    nic.write(r::RXMTRL, 0x000088F7);
    nic.write(r::TSYNCRXCTL, kEnabled | 2 << 1);
    nic.arrive(NicBench::broadcast(100));
    nic.arrive(sync());
    const Picoseconds start_ps = nic.timeline.now_ps() - (8 + 60 + 4) * 8'000;
    nic.arrive(sync());
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.status(0) & kTst, 0u);
    EXPECT_EQ(nic.status(1) & kTst, kTst);
    EXPECT_EQ(nic.status(2) & kTst, 0u) << "the stamp had not been taken";
    EXPECT_EQ(nic.read(r::RXSTMPL), nic.systim_at(start_ps + nanoseconds(64)));
    EXPECT_EQ(nic.read(r::RXSTMPH), 0u);
    nic.arrive(sync());
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.status(3) & kTst, kTst);
}

TEST(Ptp, a_frame_that_the_host_never_sees_takes_no_stamp) {
    PtpBench nic;
    nic.write(r::TSYNCRXCTL, kEnabled | 4 << 1);
    nic.write(r::RCTL, r::RCTL_EN.mask());  // No broadcast.
    nic.arrive(sync());
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::TSYNCRXCTL) & kValid, 0u);
    nic.write(r::RCTL, 0);
    nic.set(r::RCTL_BAM, 1);
    nic.arrive(sync());
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::TSYNCRXCTL) & kValid, 0u);
}

TEST(Ptp, a_damaged_frame_takes_no_stamp) {
    PtpBench nic;
    nic.write(r::TSYNCRXCTL, kEnabled | 4 << 1);
    nic.set(r::RCTL_SBP, 1);
    FramePtr frame = nic.frames.take();
    const std::vector<std::uint8_t> bytes = sync();
    frame->resize(60);
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    frame->materialise_fcs();
    frame->data()[30] ^= 1;
    nic.nic.receive(std::move(frame), nic.timeline.now_ps(), nic.timeline.now_ps());
    nic.timeline.advance_by(milliseconds(1));
    ASSERT_TRUE((nic.status(0) & 1) != 0) << "stored as it is";
    EXPECT_EQ(nic.status(0) & kTst, 0u);
    EXPECT_EQ(nic.read(r::TSYNCRXCTL) & kValid, 0u);
}

TEST(Ptp, in_loopback_both_stamps_are_of_the_same_delimiter) {
    PtpBench nic;
    nic.set(r::RCTL_LBM, 1);
    nic.write(r::TSYNCTXCTL, kEnabled);
    nic.write(r::TSYNCRXCTL, kEnabled | 2 << 1);
    nic.send_stamped(sync());
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.status(0) & kTst, kTst);
    EXPECT_EQ(nic.read(r::TXSTMPL), nic.read(r::RXSTMPL));
    EXPECT_GT(nic.read(r::TXSTMPL), 0u);
}

TEST(Ptp, ctrl_rst_stops_the_clock_and_clears_what_was_stamped) {
    PtpBench nic;
    nic.write(r::TSYNCTXCTL, kEnabled);
    nic.send_stamped(sync());
    nic.timeline.advance_by(milliseconds(1));
    nic.reset_hw();
    EXPECT_EQ(nic.read(r::TIMINCA), 0u);
    EXPECT_EQ(nic.read(r::TSYNCTXCTL), 0u);
    EXPECT_EQ(nic.read(r::SYSTIML), 0u);
}

}  // namespace
}  // namespace doorbell::nic_test
