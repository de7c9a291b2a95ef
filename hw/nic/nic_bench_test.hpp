#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

/// A NIC on a manual timeline, in a host that is an array, driven as a driver would drive it.
namespace doorbell::nic_test {

namespace r = regs::i82574l;

/// What the NIC did to its host, in order.
struct Mastered {
    enum class Kind { kRead, kWrite, kMessage, kPin } kind;
    Picoseconds time_ps;
    std::uint64_t address;
    std::uint32_t value;  ///< Size of an access, data of a message, level of the pin.
    bool operator==(const Mastered& other) const {
        return kind == other.kind && time_ps == other.time_ps && address == other.address &&
               value == other.value;
    }
};

class ArrayHost final : public HostPort {
public:
    static constexpr std::uint64_t kBase = 0x4000'0000;
    static constexpr std::uint32_t kSizeBytes = 1 << 20;

    explicit ArrayHost(const Timeline& timeline) : timeline_(timeline) {}

    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        packet = 0;
        if (touched) touched(Mastered::Kind::kRead);
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        log.push_back({Mastered::Kind::kRead, timeline_.now_ps(), address, size_bytes});
        std::memcpy(target, at(address), size_bytes);
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t) override {
        if (touched) touched(Mastered::Kind::kWrite);
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        log.push_back({Mastered::Kind::kWrite, timeline_.now_ps(), address, size_bytes});
        std::memcpy(at(address), source, size_bytes);
        return DmaStatus::kOk;
    }
    void message(std::uint64_t address, std::uint32_t data) override {
        if (touched) touched(Mastered::Kind::kMessage);
        log.push_back({Mastered::Kind::kMessage, timeline_.now_ps(), address, data});
    }
    void interrupt_pin(bool asserted) override {
        log.push_back({Mastered::Kind::kPin, timeline_.now_ps(), 0, asserted ? 1u : 0u});
        pin = asserted;
    }
    void power_management_event() override { wake_ups++; }

    [[nodiscard]] static bool inside(std::uint64_t address, std::uint32_t size_bytes) {
        return address >= kBase && size_bytes <= kSizeBytes &&
               address - kBase <= kSizeBytes - size_bytes;
    }
    [[nodiscard]] std::uint8_t* at(std::uint64_t address) { return &memory[address - kBase]; }
    [[nodiscard]] std::vector<std::uint32_t> messages() const {
        std::vector<std::uint32_t> data;
        for (const Mastered& entry : log) {
            if (entry.kind == Mastered::Kind::kMessage) data.push_back(entry.value);
        }
        return data;
    }
    [[nodiscard]] std::size_t count(Mastered::Kind kind) const {
        std::size_t n = 0;
        for (const Mastered& entry : log) n += entry.kind == kind ? 1 : 0;
        return n;
    }

    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kSizeBytes);
    std::vector<Mastered> log;
    bool pin = false;
    int wake_ups = 0;
    /// Called before each access to memory and each message.
    std::function<void(Mastered::Kind)> touched;

private:
    const Timeline& timeline_;
};

/// The far end of the cable: keeps what it hears.
class FarEnd final : public EthernetPort {
public:
    struct Heard {
        std::vector<std::uint8_t> bytes;
        Picoseconds start_ps;
        Picoseconds end_ps;
        bool fcs_good;
    };
    explicit FarEnd(const WireOffloads& offloads = {}) : takes(offloads) {}

    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        heard.push_back({{frame->data(), frame->data() + frame->size_bytes()},
                         start_ps,
                         end_ps,
                         frame->fcs_good()});
        if (hears) hears();
    }
    void advertise(const LinkAbilities& abilities) override { offer = abilities; }
    [[nodiscard]] WireOffloads offloads() const override { return takes; }
    WireOffloads takes;  ///< What it takes off the NIC.
    std::vector<Heard> heard;
    /// Called when a frame is handed over, from within the NIC.
    std::function<void()> hears;
    LinkAbilities offer;
};

class NicBench {
public:
    // Places in host memory.
    static constexpr std::uint64_t kTxRing = ArrayHost::kBase + 0x1000;
    static constexpr std::uint64_t kRxRing = ArrayHost::kBase + 0x2000;
    static constexpr std::uint64_t kTxBuffers = ArrayHost::kBase + 0x10000;
    static constexpr std::uint64_t kRxBuffers = ArrayHost::kBase + 0x80000;
    static constexpr std::uint32_t kBufferBytes = 2048;
    static constexpr std::uint32_t kDescriptorBytes = 16;
    static constexpr std::uint32_t kRingSize = 64;

    static NicParams quick() {
        NicParams params;
        params.phy.autonegotiation_ps = milliseconds(1);
        return params;
    }
    explicit NicBench(const NicParams& params = quick(),
                      const NicPersonality& personality = i82574l_personality())
        : nic(timeline, host, wire, frames, {}, params, personality) {
        nic.power_on_reset();
    }

    [[nodiscard]] std::uint32_t read(const regs::Register& reg, std::uint32_t index = 0) {
        return nic.bar_read(0, reg.offset_of(index));
    }
    void write(const regs::Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        nic.bar_write(0, reg.offset_of(index), value);
    }
    void set(const regs::Field& field, std::uint32_t value, std::uint32_t index = 0) {
        write(field.reg, field.put(read(field.reg, index), value), index);
    }

    /// Command: memory, I/O, bus master.
    void enable() { nic.config_write(0x04, 2, 0x0007); }

    /// Polls as drivers do; false when the time is over.
    [[nodiscard]] bool poll(const regs::Field& field, std::uint32_t value, Picoseconds step_ps,
                            int times) {
        for (int i = 0; i < times; i++) {
            if (field.get(read(field.reg)) == value) return true;
            timeline.advance_by(step_ps);
        }
        return false;
    }
    [[nodiscard]] std::uint16_t eerd(std::uint32_t word) {
        write(r::EERD, r::EERD_START.put(r::EERD_ADDR.put(0, word), 1));
        EXPECT_TRUE(poll(r::EERD_DONE, 1, microseconds(5), 1000));
        return static_cast<std::uint16_t>(r::EERD_DATA.get(read(r::EERD)));
    }
    /// Section 4.1, bracketed by MDIO ownership.
    [[nodiscard]] std::uint16_t phy_read(std::uint32_t reg) { return mdic(reg, 0, 2); }
    void phy_write(std::uint32_t reg, std::uint16_t value) { (void)mdic(reg, value, 1); }

    /// Section 10.1.1 step 8.
    void reset_hw() {
        set(r::CTRL_GIO_MASTER_DISABLE, 1);
        EXPECT_TRUE(poll(r::STATUS_GIO_MASTER_EN, 0, microseconds(100), 800));
        write(r::IMC, 0xFFFFFFFF);
        write(r::RCTL, 0);
        write(r::TCTL, r::TCTL_PSP.mask());
        (void)read(r::STATUS);
        timeline.advance_by(milliseconds(10));
        set(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP, 1);
        write(r::CTRL, read(r::CTRL) | r::CTRL_RST.mask());
        set(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP, 0);
        EXPECT_TRUE(poll(r::EECD_AUTO_RD, 1, milliseconds(1), 10));
        timeline.advance_by(milliseconds(25));
        write(r::IMC, 0xFFFFFFFF);
        (void)read(r::ICR);
    }

    static LinkAbilities gigabit() { return {true, true, 0x0DE1, 0x0E00, 0, true}; }
    void link_up() {
        nic.partner(gigabit());
        EXPECT_TRUE(poll(r::STATUS_LU, 1, milliseconds(1), 5000));
    }

    /// Rings of kRingSize legacy descriptors; every receive descriptor but one is the NIC's.
    void open_rings() {
        write(r::TDBAL, static_cast<std::uint32_t>(kTxRing));
        write(r::TDBAH, 0);
        write(r::TDLEN, kRingSize * kDescriptorBytes);
        write(r::TDH, 0);
        write(r::TDT, 0);
        write(r::TCTL, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        for (std::uint32_t i = 0; i < kRingSize; i++) give_rx(i);
        write(r::RDBAL, static_cast<std::uint32_t>(kRxRing));
        write(r::RDBAH, 0);
        write(r::RDLEN, kRingSize * kDescriptorBytes);
        write(r::RDH, 0);
        write(r::RDT, 0);
        write(r::RCTL,
              r::RCTL_EN.mask() | r::RCTL_BAM.mask() | r::RCTL_UPE.mask() | r::RCTL_SECRC.mask());
        write(r::RDT, kRingSize - 1);
        tx_tail = 0;
    }
    void give_rx(std::uint32_t index) {
        std::uint8_t* descriptor = host.at(kRxRing + index * kDescriptorBytes);
        std::memset(descriptor, 0, kDescriptorBytes);
        store_le64(descriptor, kRxBuffers + index * kBufferBytes);
    }
    /// Legacy descriptor, EOP IFCS RS; the doorbell is rung.
    void send(const std::vector<std::uint8_t>& bytes) {
        const std::uint64_t buffer = kTxBuffers + tx_tail % 32 * kBufferBytes;
        std::memcpy(host.at(buffer), bytes.data(), bytes.size());
        std::uint8_t* descriptor = host.at(kTxRing + tx_tail * kDescriptorBytes);
        store_le64(descriptor, buffer);
        store_le32(descriptor + 8, static_cast<std::uint32_t>(bytes.size()) | 0x0Bu << 24);
        store_le32(descriptor + 12, 0);
        tx_tail = (tx_tail + 1) % kRingSize;
        write(r::TDT, tx_tail);
    }
    [[nodiscard]] bool tx_done(std::uint32_t index) {
        return (host.at(kTxRing + index * kDescriptorBytes)[12] & 1) != 0;
    }
    [[nodiscard]] bool rx_done(std::uint32_t index) {
        return (host.at(kRxRing + index * kDescriptorBytes)[12] & 1) != 0;
    }
    [[nodiscard]] std::vector<std::uint8_t> received(std::uint32_t index) {
        const std::uint32_t length = load_le16(host.at(kRxRing + index * kDescriptorBytes) + 8);
        const std::uint8_t* data = host.at(kRxBuffers + index * kBufferBytes);
        return {data, data + length};
    }
    /// The far end sends: the frame's last bit is here `at_ps` from now.
    void arrive(const std::vector<std::uint8_t>& bytes) {
        FramePtr frame = frames.take();
        frame->resize(static_cast<std::uint32_t>(bytes.size()));
        std::memcpy(frame->data(), bytes.data(), bytes.size());
        const Picoseconds duration_ps = (8 + bytes.size() + 4) * 8'000;
        timeline.advance_by(duration_ps);
        nic.receive(std::move(frame), timeline.now_ps() - duration_ps, timeline.now_ps());
    }
    static std::vector<std::uint8_t> broadcast(std::uint32_t size_bytes, std::uint8_t fill = 0x5A) {
        std::vector<std::uint8_t> bytes(size_bytes, fill);
        for (std::size_t i = 0; i < 6; i++) bytes[i] = 0xFF;
        const std::uint8_t source[] = {0x02, 0, 0, 0, 0, 1, 0x88, 0xB5};
        std::memcpy(&bytes[6], source, sizeof source);
        return bytes;
    }

    /// As Linux does: address and data in the table, vectors 0 to 2 unmasked, MSI-X on.
    void use_msix() {
        for (std::uint32_t vector = 0; vector < 3; vector++) {
            nic.bar_write(3, r::MSIXTADD.offset_of(vector), 0xFEE00000);
            nic.bar_write(3, r::MSIXTMSG.offset_of(vector), 0x4020 + vector);
            nic.bar_write(3, r::MSIXTVCTRL.offset_of(vector), 0);
        }
        nic.config_write(0xA2, 2, 0x8000);
        write(r::IVAR, 0x800A0908);
        write(r::EIAC, 0x00500000);
        write(r::IMS, 0x01500004);
    }

    /// Everything that can be seen from outside, to compare two NICs.
    [[nodiscard]] std::vector<std::uint32_t> state_words() const {
        std::vector<std::uint32_t> words;
        for (std::uint32_t offset = 0; offset < r::kMap.size_bytes; offset += 4) {
            words.push_back(nic.debug_read(0, offset));
        }
        for (std::uint32_t offset = 0; offset < r::kMsixMap.size_bytes; offset += 4) {
            words.push_back(nic.debug_read(3, offset));
        }
        for (std::uint32_t offset = 0; offset < 0x200; offset += 4) {
            words.push_back(nic.config_debug_read(offset));
        }
        return words;
    }

    ManualTimeline timeline;
    FramePool frames;
    ArrayHost host{timeline};
    FarEnd wire;
    std::uint32_t tx_tail = 0;
    Nic nic;

private:
    std::uint16_t mdic(std::uint32_t reg, std::uint16_t value, std::uint32_t op) {
        set(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP, 1);
        EXPECT_EQ(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP.get(read(r::EXTCNF_CTRL)), 1u);
        std::uint32_t word = r::MDIC_OP.put(r::MDIC_PHYADD.put(value, 1), op);
        word = r::MDIC_REGADD.put(word, reg);
        write(r::MDIC, word);
        EXPECT_TRUE(poll(r::MDIC_READY, 1, microseconds(50), 1920));
        const std::uint32_t answer = read(r::MDIC);
        EXPECT_EQ(r::MDIC_ERROR.get(answer), 0u);
        EXPECT_EQ(r::MDIC_REGADD.get(answer), reg);
        set(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP, 0);
        return static_cast<std::uint16_t>(r::MDIC_DATA.get(answer));
    }
};

}  // namespace doorbell::nic_test
