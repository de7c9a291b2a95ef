// The NIC as Linux opens and watches it, as `ethtool -t` tests it, and as DPDK runs it: the steps
// of specification 10.1.3 to 10.1.7 and 10.2, register by register.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

using ::testing::Contains;
using ::testing::Each;

constexpr std::uint32_t kRsEopIfcs = 0x0Bu << 24;

/// Linux, from probe to an interface that is up.
class LinuxBench : public NicBench {
public:
    static constexpr std::uint32_t kRing = 256;

    LinuxBench() {
        enable();
        nic.partner(gigabit());
    }

    /// Section 10.1.2: steps 1 to 11.
    void reset() {
        write(r::PBA, 32);
        reset_hw();
        set(r::CTRL_EXT_DRV_LOAD, 1);
        write(r::WUC, 0);
        for (std::uint32_t q = 0; q < 2; q++) write(r::TXDCTL, read(r::TXDCTL, q) | 1u << 22, q);
        write(r::TARC, (read(r::TARC) & ~0x78000000u) | 1u << 26);
        write(r::CTRL, read(r::CTRL) & ~(1u << 29));
        write(r::CTRL_EXT, (read(r::CTRL_EXT) & ~(1u << 23)) | 1u << 22);
        write(r::GCR, read(r::GCR) | 1u << 22);
        write(r::GCR2, read(r::GCR2) | 1);
        EXPECT_EQ(eerd(4), 0xF746);
        (void)read(r::LEDCTL);
        for (std::uint32_t i = 0; i < 128; i++) {
            write(r::VFTA, 0, i);
            (void)read(r::STATUS);
        }
        const std::uint32_t low = read(r::RAL);
        const std::uint32_t high = read(r::RAH);
        EXPECT_EQ(low, 0x82000002u);
        write(r::RAL, low);
        write(r::RAH, high | 1u << 31);
        for (std::uint32_t i = 1; i < 15; i++) {
            write(r::RAL, 0, i);
            write(r::RAH, 0, i);
        }
        for (std::uint32_t i = 128; i-- > 0;) write(r::MTA, 0, i);
        set_up_link();
        write(r::FCT, 0x8808);
        write(r::FCAH, 0x100);
        write(r::FCAL, 0x00C28001);
        write(r::FCTTV, 0x680);
        write(r::TXDCTL, (read(r::TXDCTL) & ~0x003F0000u) | 1u << 16 | 1u << 24 | 1u << 22);
        write(r::GCR, read(r::GCR) | 1u << 27);
        read_statistics();
        write(r::VET, 0x8100);
        write(r::AIT, 0);
        write(r::TIMINCA, 0x01A00000);
        phy_write(22, 0);
        phy_write(25, static_cast<std::uint16_t>(phy_read(25) & ~1));
    }
    void set_up_link() {
        EXPECT_EQ(read(r::MANC) & 1u << 18, 0u);
        write(r::CTRL, (read(r::CTRL) | 1u << 6) & ~(1u << 11 | 1u << 12));
        const std::uint16_t copper = phy_read(16);
        phy_write(16, static_cast<std::uint16_t>(copper & ~0x0800));
        phy_write(0, static_cast<std::uint16_t>(phy_read(0) | 0x8000));
        phy_write(16, static_cast<std::uint16_t>(copper | 0x0800));
        phy_write(29, 3);
        phy_write(30, 0);
        phy_write(0, static_cast<std::uint16_t>(phy_read(0) | 0x8000));
        EXPECT_EQ(phy_read(4), 0x0DE1);
        phy_write(4, 0x0DE1);
        phy_write(9, static_cast<std::uint16_t>((phy_read(9) & ~0x0100) | 0x0200));
        phy_write(0, static_cast<std::uint16_t>(phy_read(0) | 0x1200));
    }
    /// Every counter, as the driver adds them up; the sum.
    std::uint64_t read_statistics() {
        std::uint64_t sum = 0;
        for (std::uint32_t offset = 0x4000; offset <= 0x4124; offset += 4) {
            sum += nic.bar_read(0, offset);
        }
        return sum;
    }

    /// Section 10.1.3: extended receive descriptors, the thresholds of the driver, MSI-X.
    void configure() {
        phy_write(0, static_cast<std::uint16_t>(phy_read(0) & ~0x0800));
        for (std::uint32_t i = 0; i < 10; i++) write(r::RSSRK, 0x01234567 * (i + 1), i);
        for (std::uint32_t i = 0; i < 32; i++) write(r::RETA, 0, i);
        write(r::RXCSUM, read(r::RXCSUM) | 1u << 13);
        write(r::MRQC, 0x00370000);
        set_tx_ring();
        write(r::TIDV, 8);
        write(r::TADV, 32);
        write(r::TXDCTL, 0x0141011F, 0);
        write(r::TXDCTL, 0x0141011F, 1);
        write(r::TCTL, 1u << 3 | 0xFu << 4 | 0x3Fu << 12 | 1u << 24);
        EXPECT_EQ(read(r::TCTL), 0x0103F0F8u) << "CT, COLD and RTLC are storage";
        write(r::RCTL, 1u << 15 | 1u << 26);  // BAM, SECRC
        set(r::RFCTL_EXTEN, 1);
        write(r::RXDCTL, 0x01040420, 0);
        write(r::RXDCTL, 0x01040420, 1);
        write(r::RDTR, 0x20);
        write(r::RADV, 0x20);
        set_rx_ring();
        write(r::RXCSUM, read(r::RXCSUM) | 1u << 9);
        set(r::RCTL_EN, 1);
        write(r::RDT, kRing - 1);
    }
    void set_tx_ring() {
        std::memset(host.at(kTxRing), 0, kRing * 16);
        write(r::TDBAL, static_cast<std::uint32_t>(kTxRing));
        write(r::TDBAH, 0);
        write(r::TDLEN, kRing * 16);
        write(r::TDH, 0);
        write(r::TDT, 0);
        tx_tail = 0;
    }
    void set_rx_ring() {
        for (std::uint32_t i = 0; i < kRing; i++) give_rx(i);
        write(r::RDBAL, static_cast<std::uint32_t>(kRxRing));
        write(r::RDBAH, 0);
        write(r::RDLEN, kRing * 16);
        write(r::RDH, 0);
        write(r::RDT, 0);
    }
    void use_linux_msix() {
        use_msix();
        write(r::IAM, 0xFFFFFFFF);
        write(r::CTRL_EXT, (read(r::CTRL_EXT) & ~(1u << 27)) | 1u << 24 | 1u << 31);
        write(r::RFCTL, read(r::RFCTL) | 1u << 12);  // ACK_DIS
        write(r::IMS, 1u << 20 | 1u << 22 | 1u << 24 | 1u << 2 | 1u << 6 | 1u << 9);
    }
    void up() {
        reset();
        configure();
        use_linux_msix();
    }
    /// The handler of vector 2: what was behind OTHER.
    std::uint32_t handle_other() {
        const std::uint32_t icr = read(r::ICR);
        write(r::IMS, 1u << 24 | 1u << 2);
        return icr;
    }
    /// Section 10.1.4, upon link: pause is resolved, and only now the transmitter runs.
    void watchdog() {
        (void)phy_read(1);
        EXPECT_EQ(phy_read(1) & 0x24, 0x24) << "link and negotiation";
        EXPECT_EQ(phy_read(17) & 0x20, 0) << "no downshift";
        EXPECT_NE(phy_read(5) & 0x4000, 0);
        set(r::CTRL_RFCE, 1);
        set(r::CTRL_TFCE, 1);
        EXPECT_EQ(read(r::STATUS) & (1u | 2u | 3u << 6), 1u | 2u | 2u << 6);
        set(r::TCTL_EN, 1);
    }
    /// What the watchdog does every two seconds.
    void watchdog_period() {
        (void)read_statistics();
        write(r::ICS, 1u << 20);
        write(r::TIDV, read(r::TIDV) | 1u << 31);
        write(r::RDTR, read(r::RDTR) | 1u << 31);
        write(r::TIDV, read(r::TIDV) | 1u << 31);
        write(r::RDTR, read(r::RDTR) | 1u << 31);
        EXPECT_EQ(read(r::TIDV), 8u);
        EXPECT_EQ(read(r::RDTR), 0x20u);
        EXPECT_NE(phy_read(21), 0xFFFF);
        EXPECT_EQ(phy_read(10) & 0xFF, 0);
    }
    void descriptor(std::uint64_t address, std::uint32_t low, std::uint32_t high) {
        std::uint8_t* place = host.at(kTxRing + tx_tail * 16);
        store_le64(place, address);
        store_le32(place + 8, low);
        store_le32(place + 12, high);
        tx_tail = (tx_tail + 1) % kRing;
    }
};

TEST(LinuxUp, ics_other_starts_the_watchdog_on_vector_2) {
    LinuxBench nic;
    nic.up();
    nic.timeline.advance_by(milliseconds(10));
    (void)nic.handle_other();
    nic.host.log.clear();
    nic.write(r::ICS, 1u << 24);
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_THAT(nic.host.messages(), Contains(0x4022u));
}

TEST(LinuxUp, link_arrives_as_lsc_behind_other) {
    LinuxBench nic;
    nic.up();
    nic.timeline.advance_by(milliseconds(10));
    EXPECT_THAT(nic.host.messages(), Contains(0x4022u));
    EXPECT_NE(nic.handle_other() & 1u << 2, 0u);
    nic.watchdog();
    nic.watchdog_period();
}

// Section 10.1.5: a context and a data descriptor, EOP IFCS RS IDE; WTHRESH 1; IVAR bit 31.
TEST(LinuxUp, a_packet_with_checksum_offload_leaves_and_vector_1_says_so) {
    LinuxBench nic;
    nic.up();
    nic.timeline.advance_by(milliseconds(10));
    (void)nic.handle_other();
    nic.watchdog();
    std::vector<std::uint8_t> frame = NicBench::broadcast(80, 0);
    frame[12] = 0x08;
    frame[13] = 0x00;
    frame[14] = 0x45;
    frame[17] = 66;
    frame[23] = 17;
    frame[39] = 46;
    // The seed: the pseudo-header 0.0.0.0, 0.0.0.0, 17, 46.
    store_be16(&frame[40], 17 + 46);
    std::memcpy(nic.host.at(NicBench::kTxBuffers), frame.data(), frame.size());
    nic.host.log.clear();
    nic.descriptor(0x00000000'00002200u | std::uint64_t{34} << 32 | std::uint64_t{40} << 40,
                   1u << 29, 0);
    nic.descriptor(NicBench::kTxBuffers, 80u | 1u << 20 | kRsEopIfcs | 1u << 29 | 1u << 31,
                   2u << 8);
    nic.write(r::TDT, nic.tx_tail);
    nic.timeline.advance_by(milliseconds(1));
    ASSERT_EQ(nic.wire.heard.size(), 1u);
    // UDP over 46 bytes of which only the length is not 0: the complement of 17 + 46 + 46.
    EXPECT_EQ(load_be16(&nic.wire.heard[0].bytes[40]), 0xFFFF - (17 + 46 + 46));
    EXPECT_TRUE(nic.tx_done(0)) << "IVAR bit 31: the context, too";
    EXPECT_TRUE(nic.tx_done(1));
    EXPECT_THAT(nic.host.messages(), Contains(0x4021u));
    EXPECT_EQ(nic.read(r::TDH), 2u);
}

TEST(LinuxUp, a_frame_arrives_in_an_extended_descriptor_and_vector_0_says_so) {
    LinuxBench nic;
    nic.up();
    nic.timeline.advance_by(milliseconds(10));
    (void)nic.handle_other();
    nic.watchdog();
    nic.host.log.clear();
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_THAT(nic.host.messages(), Contains(0x4020u));
    const std::uint64_t words = load_le64(nic.host.at(NicBench::kRxRing) + 8);
    EXPECT_EQ(words & 3, 3u) << "DD and EOP";
    EXPECT_EQ(words >> 32 & 0xFFFF, 100u);
}

TEST(LinuxUp, statistics_are_cleared_by_reading_to_the_last_counter) {
    LinuxBench nic;
    nic.up();
    nic.timeline.advance_by(milliseconds(10));
    nic.watchdog();
    nic.arrive(NicBench::broadcast(100));
    nic.descriptor(NicBench::kTxBuffers, 100u | kRsEopIfcs, 0);
    nic.write(r::TDT, nic.tx_tail);
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_GT(nic.read_statistics(), 100u);
    EXPECT_EQ(nic.read_statistics(), 0u);
}

TEST(LinuxUp, down_and_up_again_works_each_time) {
    LinuxBench nic;
    for (int round = 0; round < 3; round++) {
        SCOPED_TRACE(round);
        nic.up();
        nic.timeline.advance_by(milliseconds(10));
        (void)nic.handle_other();
        nic.watchdog();
        const std::size_t heard = nic.wire.heard.size();
        nic.descriptor(NicBench::kTxBuffers, 100u | kRsEopIfcs, 0);
        nic.write(r::TDT, nic.tx_tail);
        nic.arrive(NicBench::broadcast(100));
        nic.timeline.advance_by(milliseconds(1));
        EXPECT_EQ(nic.wire.heard.size(), heard + 1);
        EXPECT_EQ(nic.host.at(NicBench::kRxRing)[8] & 1, 1);
        nic.reset_hw();
    }
}

// --- ethtool -t (section 10.1.7): the loopback and link tests, as the driver does them ----------

class LinuxLoopbackTest : public ::testing::TestWithParam<int> {};

TEST_P(LinuxLoopbackTest, passes_ten_rounds_of_64_frames_without_refill) {
    LinuxBench nic;
    nic.reset();
    if (GetParam() == 1) {  // MSI
        nic.nic.config_write(0xD4, 4, 0xFEE00000);
        nic.nic.config_write(0xD2, 2, 0x0001);
    }
    if (GetParam() == 2) nic.use_linux_msix();
    nic.write(r::IMC, 0xFFFFFFFF);
    nic.set_tx_ring();
    nic.write(r::TCTL, 1u << 1 | 1u << 3 | 0xFu << 4 | 0x3Fu << 12);
    nic.set_rx_ring();
    // UPE, MPE, LPE, BAM, SBP, SECRC, EN.
    nic.write(r::RCTL, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 15 | 1u << 26);
    nic.write(r::RDT, LinuxBench::kRing - 1);

    // PHY loopback at 1000 Mb/s, full duplex, without negotiation.
    nic.phy_write(22, 2);
    nic.phy_write(21, static_cast<std::uint16_t>((nic.phy_read(21) & ~7) | 6));
    nic.phy_write(22, 0);
    nic.phy_write(0, 0x4140);
    nic.timeline.advance_by(milliseconds(500));
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u);

    std::vector<std::uint8_t> frame(1024, 0xFF);
    std::fill(frame.begin() + 512, frame.end(), std::uint8_t{0xAA});
    frame[512 + 10] = 0xBE;
    frame[512 + 12] = 0xAF;
    std::memcpy(nic.host.at(NicBench::kTxBuffers), frame.data(), frame.size());
    std::uint32_t next = 0;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 64; i++) {
            nic.descriptor(NicBench::kTxBuffers, 1024u | kRsEopIfcs, 0);
        }
        nic.write(r::TDT, nic.tx_tail);
        nic.timeline.advance_by(milliseconds(200));
        for (int i = 0; i < 64 && next < LinuxBench::kRing - 1; i++, next++) {
            ASSERT_TRUE(nic.rx_done(next)) << "round " << round << " frame " << i;
            ASSERT_EQ(nic.received(next), frame);
        }
        EXPECT_TRUE(nic.tx_done((nic.tx_tail + LinuxBench::kRing - 1) % LinuxBench::kRing));
    }
    EXPECT_EQ(next, LinuxBench::kRing - 1);
    EXPECT_TRUE(nic.wire.heard.empty()) << "nothing reaches the wire";

    // Leaving: loopback off, soft reset, a full reset, and the link test.
    nic.phy_write(0, 0x8140);
    nic.reset();
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(10), 500));
}

INSTANTIATE_TEST_SUITE_P(Modes, LinuxLoopbackTest, ::testing::Values(0, 1, 2));

// --- DPDK (section 10.2) ------------------------------------------------------------------------

TEST(Dpdk, two_queues_of_data_descriptors_and_legacy_receive_descriptors) {
    LinuxBench nic;
    nic.reset();
    nic.write(r::IVAR, 0x00080000);
    nic.write(r::PBA, 20);
    nic.reset();
    nic.write(r::ITR, 0xFFFF);
    EXPECT_EQ(nic.read(r::ITR), 0xFFFFu);
    nic.timeline.advance_by(milliseconds(10));
    // TX: both queues, the second behind the first's 4 KB; thresholds with GRAN.
    const std::uint64_t rings[] = {NicBench::kTxRing, ArrayHost::kBase + 0x4000};
    for (std::uint32_t q = 0; q < 2; q++) {
        nic.write(r::TDLEN, 64 * 16, q);
        nic.write(r::TDBAH, 0, q);
        nic.write(r::TDBAL, static_cast<std::uint32_t>(rings[q]), q);
        nic.write(r::TDT, 0, q);
        nic.write(r::TDH, 0, q);
        nic.write(r::TXDCTL, (nic.read(r::TXDCTL, q) & 1u << 22) | 1u << 24 | 8 | 1u << 8, q);
    }
    nic.write(r::TCTL, 1u << 1 | 1u << 3 | 1u << 24 | 0xFu << 4 | 0x40u << 12);
    // RX: EXTEN 0, ACK_DIS; one ring here.
    nic.set(r::RCTL_EN, 0);
    nic.write(r::RFCTL, 1u << 12);
    nic.set_rx_ring();
    nic.write(r::RDT, LinuxBench::kRing - 1);
    nic.write(r::RXDCTL, 1u << 24 | 8 | 4u << 8);
    nic.write(r::RXCSUM, 1u << 8);
    nic.write(r::RCTL, 1u << 1 | 1u << 15 | 1u << 26);
    // Link status interrupt: R ICR, R IMS, W IMS.
    (void)nic.read(r::ICR);
    EXPECT_EQ(nic.read(r::IMS), 0u);
    nic.write(r::IMS, 1u << 2 | 1u << 24);

    std::memcpy(nic.host.at(NicBench::kTxBuffers), NicBench::broadcast(200).data(), 200);
    for (std::uint32_t q = 0; q < 2; q++) {
        for (std::uint32_t i = 0; i < 8; i++) {
            std::uint8_t* place = nic.host.at(rings[q] + i * 16);
            store_le64(place, NicBench::kTxBuffers);
            // DTYP data, DEXT, EOP, IFCS; RS on the last of the burst only.
            const std::uint32_t rs = i == 7 ? 1u << 27 : 0;
            store_le32(place + 8, 200u | 1u << 20 | 1u << 29 | 3u << 24 | rs);
            store_le32(place + 12, 0);
        }
        nic.write(r::TDT, 8, q);
    }
    nic.arrive(NicBench::broadcast(300));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.wire.heard.size(), 16u);
    for (const std::uint64_t ring : rings) {
        EXPECT_EQ(nic.host.at(ring + 7 * 16)[12] & 1, 1) << "DD where RS was";
        EXPECT_EQ(nic.host.at(ring + 6 * 16)[12] & 1, 0);
    }
    EXPECT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0).size(), 300u);
    EXPECT_FALSE(nic.host.pin) << "nothing but link is enabled";
    nic.nic.partner({});
    nic.timeline.advance_by(seconds(1));
    EXPECT_TRUE(nic.host.pin);
    EXPECT_NE(nic.read(r::ICR) & 1u << 2, 0u);
}

}  // namespace
}  // namespace doorbell::nic_test
