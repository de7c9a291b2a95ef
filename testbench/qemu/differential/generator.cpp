#include "testbench/qemu/differential/generator.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "hw/base/bits.hpp"
#include "hw/base/prng.hpp"
#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/qemu/differential/packets.hpp"

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

constexpr std::uint64_t kStation = 0x0200'0082'5740;
constexpr std::uint64_t kGroup = 0x0100'5E00'1000;
constexpr std::uint64_t kBroadcast = 0xFFFF'FFFF'FFFF;
/// Longer than any frame takes, and than QEMU's shortest interrupt interval.
constexpr std::uint32_t kRegisterUs = 200;
constexpr std::uint32_t kTrafficUs = 2'000;
constexpr std::uint32_t kQueues = 2;

constexpr std::uint32_t kAllCauses = 0x01F7'82D7;  ///< Named causes that something can raise.
constexpr std::uint32_t kVlanType = 0x8100;
constexpr std::uint32_t kVlanWords = 4;  ///< Of VFTA: identities below 128.
constexpr std::uint32_t kMaskable = 0x01FF'FFFF;
constexpr std::size_t kQueueCauses = 4;  ///< RXQ0, RXQ1, TXQ0, TXQ1
constexpr std::uint32_t kVectors = 5;
constexpr std::size_t kMinimumFrameBytes = 60;
constexpr std::uint8_t kNoFinNoPush = 0xF6;  ///< TCP flags

class Generator {
public:
    Generator(std::uint64_t seed, std::uint64_t index, const std::vector<std::string>& left_out)
        : prng_(seed, index), left_out_(left_out) {
        program_.seed = seed;
        program_.index = index;
    }

    Program storage() {
        program_.theme = "storage";
        const std::uint64_t acts = 5 + below(25);
        for (std::uint64_t i = 0; i < acts; i++) write_and_read_any();
        if (below(3) == 0) {
            // What was written is looked at again first: tables are large.
            std::vector<std::uint32_t> written;
            for (const Operation& operation : program_.operations) {
                if (operation.kind == OperationKind::kRead) written.push_back(operation.offset);
            }
            add(OperationKind::kSoftwareReset);
            for (const std::uint32_t offset : written) read_at(offset);
            for (std::uint64_t i = 0; i < 10; i++) read_any(false);
        }
        return std::move(program_);
    }

    Program reset_values() {
        program_.theme = "reset_values";
        for (std::uint64_t i = 0; i < 40; i++) read_any(true);
        if (below(2) == 0) add(OperationKind::kSoftwareReset);
        for (std::uint64_t i = 0; i < 40; i++) read_any(true);
        return std::move(program_);
    }

    Program interrupts() {
        program_.theme = "interrupts";
        choose_mode();
        configure_interrupts();
        const std::uint64_t acts = 4 + below(16);
        for (std::uint64_t i = 0; i < acts; i++) interrupt_act();
        return std::move(program_);
    }

    Program transmit() {
        program_.theme = "transmit";
        choose_mode();
        open_transmit();
        configure_interrupts();
        const std::uint64_t acts = 2 + below(8);
        for (std::uint64_t i = 0; i < acts; i++) {
            send_act();
            if (below(3) == 0) interrupt_act();
        }
        read_statistics();
        return std::move(program_);
    }

    Program receive() {
        program_.theme = "receive";
        choose_mode();
        set_control();
        open_receive();
        configure_interrupts();
        const std::uint64_t acts = 2 + below(8);
        for (std::uint64_t i = 0; i < acts; i++) {
            receive_act();
            if (below(3) == 0) interrupt_act();
        }
        read_statistics();
        return std::move(program_);
    }

    Program both() {
        program_.theme = "both";
        choose_mode();
        open_transmit();
        open_receive();
        configure_interrupts();
        const std::uint64_t acts = 4 + below(12);
        for (std::uint64_t i = 0; i < acts; i++) {
            switch (below(4)) {
                case 0:
                case 1:
                    send_act();
                    break;
                case 2:
                    receive_act();
                    break;
                default:
                    interrupt_act();
                    break;
            }
            if (below(20) == 0) {
                software_reset();
                open_transmit();
                open_receive();
                configure_interrupts();
            }
        }
        read_statistics();
        return std::move(program_);
    }

private:
    // --- small words
    // ------------------------------------------------------------------------------

    std::uint64_t below(std::uint64_t bound) { return prng_.below(bound); }
    std::uint32_t word() { return static_cast<std::uint32_t>(prng_.next()); }

    Operation& add(OperationKind kind) {
        program_.operations.emplace_back();
        program_.operations.back().kind = kind;
        return program_.operations.back();
    }
    void write_at(std::uint32_t offset, std::uint32_t value,
                  std::uint32_t settle_us = kRegisterUs) {
        Operation& operation = add(OperationKind::kWrite);
        operation.offset = offset;
        operation.value = value;
        operation.settle_us = settle_us;
    }
    void write(const regs::Register& reg, std::uint32_t value,
               std::uint32_t settle_us = kRegisterUs) {
        write_at(reg.offset, value, settle_us);
    }
    void read_at(std::uint32_t offset) { add(OperationKind::kRead).offset = offset; }
    void read(const regs::Register& reg) { read_at(reg.offset); }

    void choose_mode() { program_.mode = static_cast<InterruptMode>(below(3)); }
    [[nodiscard]] bool msix() const { return program_.mode == InterruptMode::kMsix; }

    // --- registers
    // --------------------------------------------------------------------------------

    [[nodiscard]] bool leaves_out(const regs::Register& reg) const {
        return std::find(left_out_.begin(), left_out_.end(), reg.name) != left_out_.end();
    }
    const regs::Register& any_register(bool left_out_too) {
        for (;;) {
            const regs::Register& reg = *r::kMap.registers[below(r::kMap.register_count)];
            if (left_out_too || !leaves_out(reg)) return reg;
        }
    }
    /// The bits that a driver may write: those of named fields, all where none is named.
    static std::uint32_t writable(const regs::Register& reg) {
        std::uint32_t named = 0;
        for (std::uint32_t i = 0; i < r::kContract.field_count; i++) {
            const regs::Field& field = *r::kContract.fields[i];
            if (&field.reg == &reg) named |= field.mask();
        }
        const regs::Access& access = reg.access;
        std::uint32_t bits = (named == 0 ? ~std::uint32_t{0} : named) &
                             ~(access.ro_bits | access.rc_bits | access.rc_hook_bits);
        // A unit is enabled when its rings stand, not at random.
        if (&reg == &r::TCTL) bits &= ~r::TCTL_EN.mask();
        if (&reg == &r::RCTL) bits &= ~r::RCTL_EN.mask();
        return bits;
    }
    void write_and_read_any() {
        const regs::Register& reg = any_register(false);
        const auto index = static_cast<std::uint32_t>(below(reg.count));
        const std::uint32_t bits = writable(reg);
        if (bits != 0) write_at(reg.offset_of(index), word() & bits);
        read_at(reg.offset_of(index));
    }
    /// Reading a register that random writes leave out does no harm where nothing was written.
    void read_any(bool left_out_too) {
        const regs::Register& reg = any_register(left_out_too);
        read_at(reg.offset_of(static_cast<std::uint32_t>(below(reg.count))));
    }
    void read_statistics() {
        static constexpr const regs::Register* kCounters[] = {
            &r::CRCERRS, &r::MPC,     &r::RLEC,   &r::XONRXC,  &r::XOFFRXC, &r::FCRUC,  &r::PRC64,
            &r::PRC127,  &r::PRC255,  &r::PRC511, &r::PRC1023, &r::PRC1522, &r::GPRC,   &r::BPRC,
            &r::MPRC,    &r::GPTC,    &r::GORCL,  &r::GORCH,   &r::GOTCL,   &r::GOTCH,  &r::RNBC,
            &r::RUC,     &r::RFC,     &r::ROC,    &r::RJC,     &r::TORL,    &r::TORH,   &r::TOTL,
            &r::TOTH,    &r::TPR,     &r::TPT,    &r::PTC64,   &r::PTC127,  &r::PTC255, &r::PTC511,
            &r::PTC1023, &r::PTC1522, &r::MPTC,   &r::BPTC,    &r::TSCTC,   &r::TSCTFC, &r::GPRC,
            &r::GPTC};
        for (const regs::Register* counter : kCounters) read(*counter);
    }

    // --- interrupts
    // -------------------------------------------------------------------------------

    void configure_interrupts() {
        if (msix()) configure_vectors();
        if (below(4) != 0) unmask();
    }
    /// RXDMT0 not while a frame may pass the threshold in the middle: QEMU sees it at its end only.
    void unmask() { write(r::IMS, random_causes() & ~(small_buffers_ ? r::ICR_RXDMT0.mask() : 0)); }
    void configure_vectors() {
        iame_ = false;
        static constexpr const regs::Field* kVector[] = {&r::IVAR_RXQ0_VEC, &r::IVAR_RXQ1_VEC,
                                                         &r::IVAR_TXQ0_VEC, &r::IVAR_TXQ1_VEC,
                                                         &r::IVAR_OTHER_VEC};
        static constexpr const regs::Field* kValid[] = {&r::IVAR_RXQ0_VALID, &r::IVAR_RXQ1_VALID,
                                                        &r::IVAR_TXQ0_VALID, &r::IVAR_TXQ1_VALID,
                                                        &r::IVAR_OTHER_VALID};
        std::uint32_t ivar = 0;
        std::uint32_t eiac = 0;
        for (std::size_t i = 0; i < kQueueCauses + 1; i++) {
            ivar = kVector[i]->put(ivar, static_cast<std::uint32_t>(below(kVectors)));
            const bool valid = below(6) != 0;
            ivar = kValid[i]->put(ivar, valid);
            if (valid && i < kQueueCauses && below(2) == 0) eiac |= r::ICR_RXQ0.mask() << i;
        }
        one_event_ = below(2) == 0;
        ivar = r::IVAR_TX_INT_EVERY_WB.put(ivar, !one_event_ && below(2) == 0);
        write(r::IVAR, ivar);
        if (one_event_) {
            write(r::EIAC, eiac);
            if (below(3) == 0) {
                write(r::CTRL_EXT, r::CTRL_EXT_EIAME.mask());
                write(r::IAM, word() & kAllCauses);
            }
        } else if (below(2) == 0) {
            iame_ = true;
            write(r::CTRL_EXT, r::CTRL_EXT_IAME.mask());
            write(r::IAM, below(2) == 0 ? ~std::uint32_t{0} : word() & kAllCauses);
        }
    }
    std::uint32_t random_causes() {
        switch (below(4)) {
            case 0:
                return kAllCauses;
            case 1:
                return 1u << below(25) & kAllCauses;
            default:
                return word() & kAllCauses;
        }
    }
    /// With MSI all of them: of a rest the next message is due at once, but not in QEMU.
    std::uint32_t acknowledged_causes() {
        const std::uint32_t causes = random_causes();
        return program_.mode == InterruptMode::kMsi ? kMaskable : causes;
    }
    void read_icr() {
        const bool mask = msix() && !iame_;
        if (mask) write(r::IMC, kMaskable);
        read(r::ICR);
        if (mask) unmask();
    }
    void interrupt_act() {
        switch (below(8)) {
            case 0:
            case 1:
                write(r::ICS, random_causes());
                break;
            case 2:
                unmask();
                break;
            case 3:
                write(r::IMC, acknowledged_causes());
                break;
            case 4:
                read_icr();
                break;
            case 5:
                if (!iame_) write(r::ICR, acknowledged_causes());
                break;
            case 6:
                read(r::IMS);
                break;
            default:
                read(r::ICS);
                break;
        }
        add(OperationKind::kInterrupt);
    }

    // --- transmission
    // -----------------------------------------------------------------------------

    void set_control() {
        vlan_mode_ = below(2) == 0;
        std::uint32_t control = r::CTRL_VME.put(r::CTRL.reset, vlan_mode_);
        control = r::CTRL_RFCE.put(control, below(3) == 0);
        write(r::CTRL, control);
        // As drivers do: QEMU has no VET after CTRL.RST.
        write(r::VET, kVlanType);
    }
    void open_transmit() {
        segments_ = below(2) == 0;
        short_ = below(4) == 0;
        set_control();
        for (std::uint32_t queue = 0; queue < kQueues; queue++) {
            Operation& ring = add(OperationKind::kOpenTx);
            ring.queue = queue;
            ring.count = 64 + 8 * static_cast<std::uint32_t>(below(8));
            ring.settle_us = kRegisterUs;
        }
        std::uint32_t tctl = r::TCTL_EN.mask() | r::TCTL_CT.put(0, 15) | r::TCTL_COLD.put(0, 63);
        tctl = r::TCTL_PSP.put(tctl, below(4) != 0);
        write(r::TCTL, tctl);
        // QEMU raises TXQE for a queue that was never anything but empty.
        write(r::ICR, r::ICR_TXQE.mask());
    }
    /// Bits that every kind of data descriptor has in the same place.
    std::uint64_t command(bool last, bool report) {
        regs::Descriptor<2> bits;
        r::tx_legacy::IFCS.put(bits, 1);
        r::tx_legacy::EOP.put(bits, last);
        r::tx_legacy::RS.put(bits, report);
        return bits.words[1];
    }
    bool reports(bool last) {
        const bool often = below(4) != 0;
        return last ? often : !often && !one_event_;
    }
    void send_act() {
        Operation send;
        send.kind = OperationKind::kSend;
        send.queue = below(4) == 0 ? 1 : 0;
        send.settle_us = kTrafficUs;
        const std::uint64_t packets = one_event_ ? 1 : 1 + below(3);
        for (std::uint64_t i = 0; i < packets; i++) {
            switch (below(4)) {
                case 0:
                    legacy_packet(send);
                    break;
                case 1:
                case 2:
                    offloaded_packet(send, false);
                    break;
                default:
                    offloaded_packet(send, segments_);
                    break;
            }
        }
        program_.operations.push_back(std::move(send));
        if (below(2) == 0) read_icr();
        if (below(2) == 0) add(OperationKind::kInterrupt);
    }
    std::uint64_t destination() {
        switch (below(6)) {
            case 0:
                return kBroadcast;
            case 1:
                return 0x0100'5E00'0000 | below(1 << 23);
            case 2:
                return 0x0200'0000'0000 | below(std::uint64_t{1} << 40);
            default:
                return kStation;
        }
    }
    PacketWish transmit_wish() {
        PacketWish wish;
        wish.destination = destination();
        return wish;
    }
    /// Data in one to four buffers.
    std::vector<std::vector<std::uint8_t>> cut(const std::vector<std::uint8_t>& bytes,
                                               std::size_t first_bytes) {
        std::vector<std::vector<std::uint8_t>> pieces;
        std::size_t at = 0;
        const std::uint64_t wanted = 1 + below(4);
        while (at < bytes.size()) {
            std::size_t size = bytes.size() - at;
            if (pieces.size() + 1 < wanted) size = 1 + below(size);
            if (at == 0) size = std::max(size, std::min(first_bytes, bytes.size()));
            const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(at);
            pieces.emplace_back(from, from + static_cast<std::ptrdiff_t>(size));
            at += size;
        }
        return pieces;
    }
    void legacy_packet(Operation& send) {
        const Packet packet = random_packet(prng_, transmit_wish());
        const auto pieces = cut(packet.bytes, 20);
        const bool tagged = vlan_mode_ && below(2) == 0;
        const std::uint64_t tag = below(65536);
        for (std::size_t i = 0; i < pieces.size(); i++) {
            const bool last = i + 1 == pieces.size();
            regs::Descriptor<2> words;
            words.words[1] = command(last, reports(last));
            r::tx_legacy::LENGTH.put(words, pieces[i].size());
            r::tx_legacy::VLE.put(words, tagged);
            r::tx_legacy::VLAN.put(words, tagged ? tag : 0);
            send.parts.push_back({words.words[1], 0, false, pieces[i]});
        }
    }
    void offloaded_packet(Operation& send, bool segment) {
        PacketWish wish = transmit_wish();
        wish.ip_only = true;
        wish.tcp_only = segment;
        wish.max_payload_bytes = segment ? 6000 : 1400;
        Packet packet = random_packet(prng_, wish);
        if (packet.l4 == 0 || (!short_ && end_of(packet) < kMinimumFrameBytes)) {
            return legacy_packet(send);
        }
        const auto header = packet.payload;
        // The padding of a short frame is no payload.
        const auto payload = static_cast<std::uint32_t>(end_of(packet) - header);
        if (segment && payload < 8) return legacy_packet(send);
        const std::uint32_t mss = segment ? 64 + static_cast<std::uint32_t>(below(1400)) : 0;
        packet.bytes.resize(end_of(packet));
        if (segment) packet.bytes[packet.l4 + 13] &= kNoFinNoPush;
        context(send, packet, header, payload, mss);
        seed_checksums(packet, segment);
        const bool tagged = vlan_mode_ && below(2) == 0;
        const std::uint64_t tag = below(65536);
        const bool ip_sum = !packet.ipv6 && (segment || below(4) != 0);
        const bool transport_sum = segment || below(4) != 0;
        const auto pieces = cut(packet.bytes, segment ? header : 20);
        for (std::size_t i = 0; i < pieces.size(); i++) {
            const bool last = i + 1 == pieces.size();
            regs::Descriptor<2> words;
            words.words[1] = command(last, reports(last));
            r::tx_data::DTALEN.put(words, pieces[i].size());
            r::tx_data::DTYP.put(words, r::tx_data::DTYP_DATA);
            r::tx_data::DEXT.put(words, 1);
            r::tx_data::TSE.put(words, segment);
            r::tx_data::VLE.put(words, tagged);
            r::tx_data::VLAN.put(words, tagged ? tag : 0);
            r::tx_data::IXSM.put(words, ip_sum);
            r::tx_data::TXSM.put(words, transport_sum);
            send.parts.push_back({words.words[1], 0, false, pieces[i]});
        }
    }
    /// End of the IP packet, padding of the frame excluded.
    static std::size_t end_of(const Packet& packet) {
        const std::size_t at = packet.l3 + (packet.ipv6 ? 4 : 2);
        const std::size_t length = std::size_t{packet.bytes[at]} << 8 | packet.bytes[at + 1];
        return packet.l3 + length + (packet.ipv6 ? 40 : 0);
    }
    void context(Operation& send, const Packet& packet, std::uint32_t header, std::uint32_t payload,
                 std::uint32_t mss) {
        regs::Descriptor<2> words;
        r::tx_context::DTYP.put(words, r::tx_context::DTYP_CONTEXT);
        r::tx_context::DEXT.put(words, 1);
        r::tx_context::IP.put(words, !packet.ipv6);
        r::tx_context::TCP.put(words, packet.tcp);
        if (!packet.ipv6) {
            r::tx_context::IPCSS.put(words, packet.l3);
            r::tx_context::IPCSO.put(words, packet.l3 + 10);
            r::tx_context::IPCSE.put(words, packet.l4 - 1);
        } else {
            r::tx_context::IPCSS.put(words, packet.l3);
        }
        r::tx_context::TUCSS.put(words, packet.l4);
        r::tx_context::TUCSO.put(words, packet.l4 + (packet.tcp ? 16 : 6));
        if (mss != 0) {
            r::tx_context::TSE.put(words, 1);
            r::tx_context::PAYLEN.put(words, payload);
            r::tx_context::HDRLEN.put(words, header);
            r::tx_context::MSS.put(words, mss);
        }
        r::tx_context::RS.put(words, !one_event_ && below(2) == 0);
        send.parts.push_back({words.words[1], words.words[0], true, {}});
    }
    /// What a driver leaves in the fields that the hardware completes.
    static void seed_checksums(Packet& packet, bool segment) {
        std::vector<std::uint8_t>& bytes = packet.bytes;
        const auto l4_bytes = static_cast<std::uint32_t>(end_of(packet) - packet.l4);
        const std::uint16_t seed = pseudo_header_sum(packet, segment ? 0 : l4_bytes);
        if (!packet.ipv6) bytes[packet.l3 + 10] = bytes[packet.l3 + 11] = 0;
        const std::size_t field = packet.l4 + (packet.tcp ? 16 : 6);
        bytes[field] = static_cast<std::uint8_t>(seed >> 8);
        bytes[field + 1] = static_cast<std::uint8_t>(seed);
        if (!segment) return;
        const std::size_t length = packet.l3 + (packet.ipv6 ? 4 : 2);
        bytes[length] = bytes[length + 1] = 0;
    }

    // --- reception
    // --------------------------------------------------------------------------------

    void open_receive() {
        const bool extended = below(3) != 0;
        std::uint32_t rfctl = r::RFCTL_EXTEN.put(0, extended);
        rfctl = r::RFCTL_ACK_DIS.put(rfctl, below(2) == 0);
        write(r::RFCTL, rfctl);
        std::uint32_t rxcsum = static_cast<std::uint32_t>(below(4)) << 8;
        const bool hashes = below(2) == 0;
        rxcsum = r::RXCSUM_PCSD.put(rxcsum, hashes);
        write(r::RXCSUM, rxcsum);
        rx_queues_ = 1;
        if (extended && hashes && below(2) == 0) spread_over_queues();
        set_filters();
        const auto size_code = static_cast<std::uint32_t>(below(3));
        for (std::uint32_t queue = 0; queue < rx_queues_; queue++) {
            Operation& ring = add(OperationKind::kOpenRx);
            ring.queue = queue;
            ring.count = 16 + 8 * static_cast<std::uint32_t>(below(3));
            ring.value = 2048u >> size_code;
            ring.settle_us = kRegisterUs;
        }
        small_buffers_ = size_code != 0;
        if (below(4) == 0) write(r::RSRPD, 60 + static_cast<std::uint32_t>(below(200)));
        write_rctl(size_code);
    }
    /// RSS (section 7.4) over both queues, with a random key and table.
    void spread_over_queues() {
        rx_queues_ = kQueues;
        std::uint32_t mrqc = r::MRQC_MRQE.put(0, 1);
        for (const regs::Field* type : {&r::MRQC_TCPIPV4, &r::MRQC_IPV4, &r::MRQC_TCPIPV6EX,
                                        &r::MRQC_IPV6EX, &r::MRQC_IPV6}) {
            mrqc = type->put(mrqc, below(3) != 0);
        }
        for (std::uint32_t i = 0; i < r::RSSRK.count; i++) write_at(r::RSSRK.offset_of(i), word());
        for (std::uint32_t i = 0; i < r::RETA.count; i++) {
            write_at(r::RETA.offset_of(i), word() & 0x8080'8080);
        }
        write(r::MRQC, mrqc);
    }
    void write_rctl(std::uint32_t size_code) {
        std::uint32_t rctl = r::RCTL_EN.mask() | r::RCTL_BSIZE.put(0, size_code);
        rctl = r::RCTL_SECRC.put(rctl, 1);
        rctl = r::RCTL_UPE.put(rctl, below(4) == 0);
        rctl = r::RCTL_MPE.put(rctl, below(4) == 0);
        rctl = r::RCTL_BAM.put(rctl, below(4) != 0);
        rctl = r::RCTL_LPE.put(rctl, below(3) == 0);
        rctl = r::RCTL_MO.put(rctl, multicast_offset_);
        rctl = r::RCTL_VFE.put(rctl, below(3) == 0);
        pass_control_ = below(2) == 0;
        rctl = r::RCTL_PMCF.put(rctl, pass_control_);
        rctl = r::RCTL_RDMTS.put(rctl, static_cast<std::uint32_t>(below(3)));
        write(r::RCTL, rctl);
    }
    /// The tables survive it; drivers write them anew, and QEMU clears them.
    void software_reset() {
        add(OperationKind::kSoftwareReset);
        vlan_mode_ = false;
        for (std::uint32_t i = 0; i < r::MTA.count; i++) {
            if (mta_[i] != 0) write_at(r::MTA.offset_of(i), 0);
        }
        for (std::uint32_t i = 0; i < kVlanWords; i++) write_at(r::VFTA.offset_of(i), 0);
    }
    void set_filters() {
        for (std::uint64_t i = below(3); i > 0; i--) {
            const auto entry = 1 + static_cast<std::uint32_t>(below(15));
            const std::uint64_t address = filter_address();
            write_at(r::RAL.offset_of(entry), swap(address >> 16));
            write_at(r::RAH.offset_of(entry), r::RAH_AV.mask() | swap(address << 16 & 0xFFFF'FFFF));
        }
        mta_ = {};
        multicast_offset_ = static_cast<std::uint32_t>(below(4));
        for (std::uint64_t i = below(6); i > 0; i--) {
            // Every other one where addresses of the programs meet it.
            const std::uint32_t at = below(2) == 0
                                         ? hash_of(kGroup | below(4)) >> 5
                                         : static_cast<std::uint32_t>(below(r::MTA.count));
            mta_[at] = word();
            write_at(r::MTA.offset_of(at), mta_[at]);
        }
        if (below(2) == 0) {
            for (std::uint32_t i = 0; i < kVlanWords; i++) {
                write_at(r::VFTA.offset_of(i), word());
            }
        }
    }
    /// A few addresses, so that frames meet them.
    std::uint64_t filter_address() {
        return (below(2) == 0 ? 0x0200'0000'1000 : kGroup) | below(4);
    }
    static std::uint32_t swap(std::uint64_t value) {
        const auto v = static_cast<std::uint32_t>(value);
        return v >> 24 | (v >> 8 & 0xFF00) | (v << 8 & 0xFF0000) | v << 24;
    }
    /// Section 7.1: the bit of MTA that an address has.
    [[nodiscard]] std::uint32_t hash_of(std::uint64_t address) const {
        static constexpr std::uint32_t kShift[] = {4, 3, 2, 0};
        const auto low = static_cast<std::uint32_t>((address & 0xFF) << 8 | (address >> 8 & 0xFF));
        return low >> kShift[multicast_offset_] & 0xFFF;
    }
    [[nodiscard]] bool hash_hit(std::uint64_t address) const {
        const std::uint32_t index = hash_of(address);
        return (mta_[index >> 5] >> (index & 31) & 1) != 0;
    }
    std::uint64_t receive_destination() {
        std::uint64_t address = kStation;
        switch (below(6)) {
            case 0:
                return kBroadcast;
            case 1:
                address = filter_address();
                break;
            case 2:
                address = destination();
                break;
            default:
                break;
        }
        // QEMU looks up unicast addresses in MTA, too.
        const bool unicast = (address >> 40 & 1) == 0;
        return unicast && hash_hit(address) ? kStation : address;
    }
    /// PAUSE (IEEE 802.3 annex 31B), or an opcode that nobody knows. Short: the transmitter has
    /// sent everything when somebody looks.
    std::vector<std::uint8_t> control_frame() {
        std::vector<std::uint8_t> frame = {0x01, 0x80, 0xC2, 0x00, 0x00, 0x01, 0x02, 0x11, 0x22,
                                           0x33, 0x44, 0x55, 0x88, 0x08, 0x00, 0x01, 0x00, 0x00};
        if (below(4) == 0) frame[15] = 0x77;
        if (below(2) == 0) {
            frame[16] = static_cast<std::uint8_t>(below(2));
            frame[17] = static_cast<std::uint8_t>(1 + below(255));
        }
        frame.resize(kMinimumFrameBytes);
        return frame;
    }
    void receive_act() {
        Operation receive;
        receive.kind = OperationKind::kReceive;
        receive.settle_us = kTrafficUs;
        // Now and then as many as the smallest ring holds nearly: past the threshold of RXDMT0.
        const std::uint64_t most = !small_buffers_ && below(4) == 0 ? 12 : 3;
        const std::uint64_t frames = one_event_ ? 1 : most - 2 + below(3);
        for (std::uint64_t i = 0; i < frames; i++) {
            if (pass_control_ && below(8) == 0) {
                receive.frames.push_back(control_frame());
                continue;
            }
            PacketWish wish;
            wish.destination = receive_destination();
            wish.max_payload_bytes = 1300;
            wish.tagged = below(3) == 0;
            // CFI set now and then; identities of the first VFTA words.
            wish.tag = static_cast<std::uint16_t>(below(8) << 13 | (below(4) == 0 ? 0x1000u : 0) |
                                                  below(128));
            wish.bad_checksums = true;
            wish.fragments = true;
            receive.frames.push_back(random_packet(prng_, wish).bytes);
        }
        program_.operations.push_back(std::move(receive));
        if (below(2) == 0) read_icr();
        if (below(2) == 0) add(OperationKind::kInterrupt);
        for (std::uint32_t queue = 0; queue < rx_queues_; queue++) {
            Operation& refill = add(OperationKind::kRefill);
            refill.queue = queue;
            refill.settle_us = kTrafficUs;
        }
    }

    Prng prng_;
    const std::vector<std::string>& left_out_;
    Program program_;
    std::array<std::uint32_t, r::MTA.count> mta_{};
    std::uint32_t multicast_offset_ = 0;
    bool vlan_mode_ = false;
    bool iame_ = false;
    /// With EIAC it shows how many events a doorbell makes, and QEMU makes one of any number.
    bool one_event_ = false;
    std::uint32_t rx_queues_ = 1;
    bool small_buffers_ = false;
    bool pass_control_ = false;  ///< RCTL.PMCF
    bool segments_ = false;
    bool short_ = false;
};

struct Theme {
    const char* name;
    Program (Generator::*make)();
    std::uint32_t weight;
};
constexpr Theme kThemes[] = {
    {"storage", &Generator::storage, 1},       {"reset_values", &Generator::reset_values, 1},
    {"interrupts", &Generator::interrupts, 2}, {"transmit", &Generator::transmit, 3},
    {"receive", &Generator::receive, 3},       {"both", &Generator::both, 3},
};

}  // namespace

std::vector<const char*> themes() {
    std::vector<const char*> names;
    for (const Theme& theme : kThemes) names.push_back(theme.name);
    return names;
}

Program generate(std::uint64_t seed, std::uint64_t index,
                 const std::vector<std::string>& left_out) {
    std::uint64_t weights = 0;
    for (const Theme& theme : kThemes) weights += theme.weight;
    // A stream of its own: what is chosen here leaves the program's draws alone.
    std::uint64_t draw = Prng(seed ^ 0x7E3E, index).below(weights);
    const Theme* chosen = kThemes;
    while (draw >= chosen->weight) draw -= chosen++->weight;
    return (Generator(seed, index, left_out).*chosen->make)();
}

}  // namespace doorbell::differential
