// What an untrusted client and the guest behind it can do to the server, as bytes: messages whole,
// cut, wrong and out of order, file descriptors of every kind, registers, descriptors in memory,
// memory that vanishes. No input may crash the server, hang it, let it grow or leak descriptors, or
// keep it from serving the next client.
//
// With DOORBELL_FUZZ a libFuzzer target; in every build a plain program replays the corpus.
#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "hw/plugin/client_support_test.hpp"
#include "hw/plugin/server.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace {

using namespace doorbell;
using namespace doorbell::plugin;
using namespace doorbell::plugin::test;
namespace r = regs::i82574l;

constexpr int kMaxOperations = 600;
constexpr std::size_t kMaxFrames = 2'000;
constexpr std::uint64_t kRam = 0x10000;
constexpr std::uint64_t kRamBytes = 1 << 17;

/// The input, taken a piece at a time; 0 beyond its end.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    [[nodiscard]] bool empty() const { return at_ >= size_; }
    std::uint8_t byte() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
    std::uint16_t half() {
        const std::uint32_t low = byte();
        return static_cast<std::uint16_t>(low | std::uint32_t{byte()} << 8);
    }
    std::uint32_t word() {
        const std::uint32_t low = half();
        return low | std::uint32_t{half()} << 16;
    }
    std::uint64_t longword() {
        const std::uint64_t low = word();
        return low | std::uint64_t{word()} << 32;
    }
    std::vector<std::uint8_t> bytes(std::size_t count) {
        std::vector<std::uint8_t> taken(count);
        for (std::uint8_t& b : taken) b = byte();
        return taken;
    }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

class SwallowingWire final : public EthernetPort {
public:
    void transmit(FramePtr frame, Picoseconds, Picoseconds) override {
        demand(frame->size_bytes() <= Frame::kCapacityBytes, "a frame beyond its capacity");
    }
    void advertise(const LinkAbilities&) override {}
    [[nodiscard]] WireOffloads offloads() const override { return {false, false, true}; }
};

/// The number that the next descriptor of this process would get.
int next_descriptor() {
    const int number = fcntl(0, F_DUPFD_CLOEXEC, 0);
    if (number >= 0) close(number);
    return number;
}

class Fuzz {
public:
    Fuzz()
        : device_(model_.timeline(), wire_, frames_, {}, params(), rom(), log_),
          time_(model_, clock_, Pace::kWall),
          server_(device_, time_, clock_, log_) {}

    void run(Input input) {
        const int before = next_descriptor();
        connect();
        if (input.byte() % 8 != 0) greet();
        for (int i = 0; i < kMaxOperations && !input.empty(); i++) operate(input);
        hang_up();
        demand(device_.memory().ranges().empty(), "memory stayed mapped after the client left");
        demand(next_descriptor() == before, "a descriptor was left open");
        demand(frames_.made() < kMaxFrames, "frames without bound");
        serve_another();
    }

private:
    static NicParams params() {
        NicParams params;
        params.phy.autonegotiation_ps = microseconds(50);
        params.nvm.auto_load_ps = microseconds(20);
        return NicDevice::served(params, 0);
    }
    static std::vector<std::uint8_t> rom() { return {0x55, 0xAA, 1, 2, 3}; }

    void connect() {
        int ends[2];
        demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
               "socketpair");
        client_ = Descriptor(ends[0]);
        server_.adopt(Descriptor(ends[1]));
    }
    void hang_up() {
        client_.close();
        // What it sent is still taken, a message with descriptors a turn; one may be its own
        // socket.
        for (int i = 0; i < 2 * kMaxOperations && server_.session() != nullptr; i++) {
            server_.turn(0);
        }
        clock_.advance_ns(2'000'000'000);
        if (server_.session() != nullptr) server_.turn(0);
        demand(server_.session() == nullptr, "the session outlived its client");
    }
    void greet() {
        post(vu::Command::kVersion, Bytes().u16(0).u16(0).text(std::string(200, ' ')).bytes);
        map(kRam, kRamBytes, 0, 3, ram_.number());
    }
    void serve_another() {
        holding_ = false;
        connect();
        greet();
        swallow_replies();
        post(vu::Command::kRegionRead, Bytes().access(vu::kConfigRegion, 0, 4).bytes);
        std::uint8_t reply[64] = {};
        demand(recv(client_.number(), reply, sizeof reply, MSG_DONTWAIT) == 36 &&
                   load_le32(reply + 32) == 0x10D3'8086,
               "the next client is not served");
        hang_up();
    }

    void send(const std::vector<std::uint8_t>& bytes, const std::vector<int>& files = {}) {
        (void)send_with_files(client_.number(), bytes, files);
        if (!holding_) server_.turn(0);
    }
    void post(vu::Command command, const std::vector<std::uint8_t>& payload,
              const std::vector<int>& files = {}, std::uint32_t flags = 0) {
        send(message_bytes(static_cast<std::uint16_t>(command), ++id_, payload, flags), files);
    }
    void map(std::uint64_t address, std::uint64_t size, std::uint64_t offset, std::uint32_t flags,
             int file) {
        post(vu::Command::kDmaMap,
             Bytes().u32(32).u32(flags).u64(offset).u64(address).u64(size).bytes,
             file >= 0 ? std::vector<int>{file} : std::vector<int>{});
    }
    void write(std::uint32_t region, std::uint64_t offset, std::uint32_t value,
               std::uint32_t flags = vu::kNoReply) {
        post(vu::Command::kRegionWrite, Bytes().access(region, offset, 4).u32(value).bytes, {},
             flags);
    }
    void write_config(std::uint64_t offset, std::uint16_t value) {
        post(vu::Command::kRegionWrite,
             Bytes().access(vu::kConfigRegion, offset, 2).u16(value).bytes);
    }
    void swallow_replies() {
        std::uint8_t bytes[65536];
        while (recv(client_.number(), bytes, sizeof bytes, MSG_DONTWAIT) > 0) server_.turn(0);
    }

    void operate(Input& input) {
        switch (input.byte() % 20) {
            case 0: {
                const auto bytes = input.bytes(input.byte());
                send(bytes, some_files(input));
                break;
            }
            case 1: {
                const std::uint16_t command = input.byte() % 21;
                const std::uint32_t flags = input.byte() % 64;
                const std::uint16_t id = input.byte();
                const auto bytes = message_bytes(command, id, input.bytes(input.byte()), flags);
                send(bytes, some_files(input));
                break;
            }
            case 2:
            case 3:
                write_register(input);
                break;
            case 4: {
                const std::uint32_t region = input.byte() % 10;
                const std::uint32_t offset = input.word();
                const std::uint32_t value = input.word();
                write(region, offset, value, input.byte() % 2 * vu::kNoReply);
                break;
            }
            case 5: {
                const std::uint32_t region = input.byte() % 10;
                const std::uint32_t offset = input.half();
                post(vu::Command::kRegionRead, Bytes().access(region, offset, input.half()).bytes);
                break;
            }
            case 6:
                write_multi(input);
                break;
            case 7: {
                const std::uint64_t address = input.byte() * 0x1000ull;
                const std::uint64_t size = input.byte() * 0x1000ull;
                const std::uint64_t offset = input.byte() * 0x1000ull;
                const std::uint32_t flags = input.byte() % 4;
                map(address, size, offset, flags, one_file(input));
                break;
            }
            case 8: {
                const std::uint32_t flags = input.byte() % 4;
                const std::uint64_t address = input.byte() * 0x1000ull;
                const std::uint64_t size = input.byte() * 0x1000ull;
                post(vu::Command::kDmaUnmap,
                     Bytes().u32(24).u32(flags).u64(address).u64(size).bytes);
                break;
            }
            case 9:
                set_irqs(input);
                break;
            case 10:
                write_memory(input);
                break;
            case 11:
                write_descriptor(input);
                break;
            case 12:
                arrive(input);
                break;
            case 13:
                clock_.advance_ns(std::uint64_t{1} << input.byte() % 30);
                server_.turn(0);
                break;
            case 14:
                open(input);
                break;
            case 15: {
                const regs::Register& tail = input.byte() % 2 != 0 ? r::TDT : r::RDT;
                const std::uint32_t offset = tail.offset_of(input.byte() % 2);
                write(0, offset, input.byte());
                break;
            }
            case 16:
                swallow_replies();
                break;
            case 17:
                holding_ = !holding_;
                if (!holding_) server_.turn(0);
                break;
            default:
                rare(input);
                break;
        }
    }

    int one_file(Input& input) {
        switch (input.byte() % 6) {
            case 0:
            case 1:
                return ram_.number();
            case 2:
                return small_.number();
            case 3:
                return event_.number();
            case 4:
                return client_.number();
            default:
                return -1;
        }
    }
    std::vector<int> some_files(Input& input) {
        std::vector<int> files;
        const int count = input.byte() % 16;
        for (int i = 4; i < count; i++) {
            const int file = one_file(input);
            if (file >= 0) files.push_back(file);
        }
        return files;
    }
    /// A register by its row: every one of them gets its share.
    void write_register(Input& input) {
        const regs::Register& reg = *r::kMap.registers[input.byte() % r::kMap.register_count];
        const std::uint32_t index = reg.count == 1 ? 0 : input.half() % reg.count;
        write(0, reg.offset_of(index), input.word());
    }
    void write_multi(Input& input) {
        const std::uint32_t count = input.byte() % 32;
        Bytes payload;
        payload.u64(input.byte() % 8 == 0 ? input.longword() : count);
        for (std::uint32_t i = 0; i < count; i++) {
            const std::uint32_t region = input.byte() % 9;
            const std::uint32_t offset = input.half();
            const std::uint32_t bytes = input.byte() % 10;
            payload.access(region, offset, bytes).u64(input.word());
        }
        post(vu::Command::kRegionWriteMulti, payload.bytes, {}, input.byte() % 2 * vu::kNoReply);
    }
    void set_irqs(Input& input) {
        const std::uint32_t flags = input.byte() % 64;
        const std::uint32_t index = input.byte() % 6;
        const std::uint32_t start = input.byte() % 6;
        const std::uint32_t count = input.byte() % 6;
        std::vector<int> files;
        for (std::uint32_t i = 0; (flags & vu::kSetDataEventfd) != 0 && i < count; i++) {
            files.push_back(input.byte() % 8 == 0 ? ram_.number() : event_.number());
        }
        post(vu::Command::kSetIrqs,
             Bytes()
                 .u32(20)
                 .u32(flags)
                 .u32(index)
                 .u32(start)
                 .u32(count)
                 .append(input.bytes(input.byte() % 6))
                 .bytes,
             files);
    }
    void write_memory(Input& input) {
        const std::uint64_t offset = input.half() * 2u % (kRamBytes - 64);
        for (const std::uint8_t byte : input.bytes(input.byte() % 64)) {
            if (shortened_) return;
            ram_.bytes()[offset] = byte;
        }
    }
    /// A descriptor that points into memory, in one of the rings that `open` lays out.
    void write_descriptor(Input& input) {
        if (shortened_) return;
        const std::uint32_t ring = input.byte() % 4;
        std::uint8_t* descriptor = ram_.bytes() + ring * kRingBytes + input.byte() * 16u;
        store_le64(descriptor, kRam + input.half());
        store_le32(descriptor + 8, input.word());
        store_le32(descriptor + 12, input.word());
    }
    void arrive(Input& input) {
        FramePtr frame = frames_.take();
        frame->resize(14 + input.half() % (Frame::kCapacityBytes - 14));
        std::memset(frame->data(), input.byte(), frame->size_bytes());
        const Picoseconds now_ps = model_.timeline().now_ps();
        device_.nic().receive(std::move(frame), now_ps, now_ps);
        server_.turn(0);
    }
    /// What a driver does first: configuration, link, rings, both units enabled.
    void open(Input& input) {
        write_config(4, 7);
        device_.nic().partner({true, true, 0x0DE1, 0x0E00, 0, true});
        clock_.advance_ns(60'000);
        for (std::uint32_t queue = 0; queue < 2; queue++) {
            write(0, r::TDBAL.offset_of(queue), base_of(queue));
            write(0, r::TDLEN.offset_of(queue), 128u * (1 + input.byte() % 32));
            write(0, r::RDBAL.offset_of(queue), base_of(2 + queue));
            write(0, r::RDLEN.offset_of(queue), 128u * (1 + input.byte() % 32));
        }
        write(0, r::CTRL.offset, r::CTRL.reset | r::CTRL_SLU.mask());
        write(0, r::TCTL.offset, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        write(0, r::RCTL.offset, r::RCTL_EN.mask() | (input.word() & 0x0FFF'FFC0));
        if (input.byte() % 2 != 0) write_config(0xA2, 0x8000);
        write(0, r::IMS.offset, 0x01FF'FFFF);
    }
    static std::uint32_t base_of(std::uint32_t ring) {
        return static_cast<std::uint32_t>(kRam + ring * kRingBytes);
    }
    void rare(Input& input) {
        switch (input.byte() % 6) {
            case 0:
                post(vu::Command::kReset, {});
                break;
            case 1:
                hang_up();
                holding_ = false;
                connect();
                if (input.byte() % 4 != 0) greet();
                break;
            case 2:
                server_.disconnect();
                server_.turn(0);
                break;
            case 3:
                // Memory that goes away while it is mapped, and comes back as zeros.
                shortened_ = ftruncate(ram_.number(), 0x1000) == 0;
                write(0, r::TDT.offset, input.byte());
                shortened_ = ftruncate(ram_.number(), kRamBytes) != 0;
                break;
            case 4:
                write_config(0xCC, input.byte() % 4);
                break;
            default:
                clock_.advance_ns(5'000'000);
                server_.turn(0);
                break;
        }
    }

    static constexpr std::uint32_t kRingBytes = 4096;

    HandClock clock_;
    KeptLog log_;
    FramePool frames_;
    NicClock model_;
    SwallowingWire wire_;
    SharedFile ram_{kRamBytes};
    SharedFile small_{0x1000};
    EventDescriptor event_;
    NicDevice device_;
    ModelTime time_;
    Server server_;
    Descriptor client_;
    std::uint16_t id_ = 0;
    bool holding_ = false;
    bool shortened_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Fuzz().run(Input(data, size));
    return 0;
}
