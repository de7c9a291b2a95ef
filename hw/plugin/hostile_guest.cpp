// A guest that does not drive the NIC but attacks it, through the socket, as QEMU passes it on:
// hostile_guest ACCESSES [SEED]. Random registers in WRITE_MULTI and REGION_READ, random
// descriptors and buffers, frames from the wire, resets, maps that come and go. The server must not
// crash, hang or grow, and must serve an honest driver afterwards.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "hw/base/prng.hpp"
#include "hw/plugin/client_support_test.hpp"
#include "hw/plugin/server.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace {

using namespace doorbell;
using namespace doorbell::plugin;
using namespace doorbell::plugin::test;
namespace r = regs::i82574l;

constexpr std::uint64_t kRam = 0x10'0000;
constexpr std::uint64_t kRamBytes = 1 << 22;
constexpr std::uint32_t kBatch = 100;
/// More than rings, packet buffers and FIFOs can hold at once are a leak.
constexpr std::size_t kMaxFrames = 4'000;
/// What the process may grow by between a tenth of the way and its end.
constexpr std::uint64_t kMaxGrowthBytes = 24u << 20;

class CountingWire final : public EthernetPort {
public:
    void transmit(FramePtr frame, Picoseconds, Picoseconds) override {
        frames++;
        last_bytes = frame->size_bytes();
    }
    void advertise(const LinkAbilities&) override {}
    [[nodiscard]] WireOffloads offloads() const override { return {false, false, true}; }
    std::uint64_t frames = 0;
    std::uint32_t last_bytes = 0;
};

std::uint64_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::uint64_t total = 0;
    std::uint64_t resident = 0;
    file >> total >> resident;
    return resident * 4096;
}

class HostileGuest {
public:
    explicit HostileGuest(std::uint64_t seed)
        : prng_(seed),
          device_(model_.timeline(), wire_, frames_, {}, params(), {}, log_),
          time_(model_, clock_, Pace::kWall),
          server_(device_, time_, clock_, log_) {}

    void run(std::uint64_t accesses) {
        start();
        std::uint64_t early_bytes = 0;
        while (done_ < accesses) {
            step();
            if (early_bytes == 0 && done_ > accesses / 10) early_bytes = resident_bytes();
        }
        demand(frames_.made() < kMaxFrames, "frames without bound");
        demand(resident_bytes() < early_bytes + kMaxGrowthBytes, "memory without bound");
        std::fprintf(
            stdout, "%llu accesses, %llu frames out, %llu failed DMA, %zu frames made, %llu MiB\n",
            static_cast<unsigned long long>(done_), static_cast<unsigned long long>(wire_.frames),
            static_cast<unsigned long long>(device_.counters().dma_failures), frames_.made(),
            static_cast<unsigned long long>(resident_bytes() >> 20));
        stop();
        behave();
    }

private:
    static NicParams params() {
        NicParams params;
        params.phy.autonegotiation_ps = microseconds(50);
        params.nvm.auto_load_ps = microseconds(20);
        return NicDevice::served(params, 0);
    }
    [[nodiscard]] std::uint32_t random(std::uint64_t below) {
        return static_cast<std::uint32_t>(prng_.below(below));
    }

    // --- the client under the guest
    void start() {
        int ends[2];
        demand(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0,
               "socketpair");
        client_ = Descriptor(ends[0]);
        server_.adopt(Descriptor(ends[1]));
        ask(vu::Command::kVersion, Bytes().u16(0).u16(0).text(std::string(200, ' ')).bytes);
        map();
        for (std::uint32_t i = 0; i < 5; i++) {
            ask(vu::Command::kSetIrqs, Bytes().u32(20).u32(0x24).u32(2).u32(i).u32(1).bytes,
                {event_.number()});
        }
        open();
    }
    void stop() {
        client_.close();
        server_.turn(0);
        demand(server_.session() == nullptr, "the session outlived its client");
    }
    void map() {
        ask(vu::Command::kDmaMap, Bytes().u32(32).u32(3).u64(0).u64(kRam).u64(kRamBytes).bytes,
            {ram_.number()});
    }
    std::vector<std::uint8_t> ask(vu::Command command, const std::vector<std::uint8_t>& payload,
                                  const std::vector<int>& files = {}) {
        const auto message = message_bytes(static_cast<std::uint16_t>(command), ++id_, payload);
        demand(send_with_files(client_.number(), message, files) > 0, "the server went away");
        std::vector<std::uint8_t> reply(8192);
        for (int i = 0; i < 100; i++) {
            server_.turn(0);
            const ssize_t size = recv(client_.number(), reply.data(), reply.size(), MSG_DONTWAIT);
            if (size <= 0) continue;
            reply.resize(static_cast<std::size_t>(size));
            demand(load_le16(reply.data()) == id_, "a reply to something else");
            return reply;
        }
        demand(false, "no reply");
        return {};
    }
    void write(std::uint32_t region, std::uint64_t offset, std::uint32_t value) {
        batch_.access(region, offset, 4).u32(value).u32(0);
        batched_++;
        done_++;
        if (batched_ == kBatch) flush();
    }
    void flush() {
        if (batched_ == 0) return;
        Bytes payload;
        payload.u64(batched_).append(batch_.bytes);
        const auto message =
            message_bytes(static_cast<std::uint16_t>(vu::Command::kRegionWriteMulti), 0,
                          payload.bytes, vu::kNoReply);
        demand(
            send_with_files(client_.number(), message, {}) == static_cast<ssize_t>(message.size()),
            "the server does not read");
        batch_.bytes.clear();
        batched_ = 0;
        server_.turn(0);
    }
    void write_config(std::uint64_t offset, std::uint32_t bytes, std::uint32_t value) {
        flush();
        Bytes payload;
        payload.access(vu::kConfigRegion, offset, bytes);
        for (std::uint32_t i = 0; i < bytes; i++) {
            payload.u8(static_cast<std::uint8_t>(value >> 8 * i));
        }
        ask(vu::Command::kRegionWrite, payload.bytes);
        done_++;
    }
    [[nodiscard]] std::uint32_t read(std::uint32_t region, std::uint64_t offset) {
        flush();
        done_++;
        const auto reply = ask(vu::Command::kRegionRead, Bytes().access(region, offset, 4).bytes);
        return reply.size() == 36 ? load_le32(&reply[32]) : ~0u;
    }
    [[nodiscard]] std::uint32_t read(const regs::Register& reg) { return read(0, reg.offset); }
    void write(const regs::Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        write(0, reg.offset_of(index), value);
    }

    // --- the guest
    // After it has set the NIC up, mostly descriptors, doorbells and frames for a while; then
    // anything.
    void step() {
        const bool mostly_traffic = traffic_steps_ > 0;
        if (mostly_traffic) traffic_steps_--;
        switch (mostly_traffic && random(30) != 0 ? 3 + random(14) : random(64)) {
            case 0:
                (void)read(0, random(0x20000 / 4) * 4);
                break;
            case 1: {
                const std::uint32_t region = random(4);
                (void)read(region, random(0x4000));
                break;
            }
            case 2: {
                const std::uint32_t offset = random(0x1000) & ~3u;
                write_config(offset, 4, random(1ull << 32));
                write_config(0x04, 2, 7);
                break;
            }
            case 3:
                clock_.advance_ns(random(1 << 20));
                break;
            case 4:
            case 5:
                arrive();
                break;
            case 6:
                if (random(4) == 0 && !mostly_traffic) open();
                break;
            case 7:
                if (random(200) == 0) remap();
                break;
            case 8:
                if (random(200) == 0) (void)ask_flushed(vu::Command::kReset);
                break;
            case 9:
            case 10:
            case 11:
            case 12:
            case 13:
                descriptor();
                break;
            case 14:
            case 15:
            case 16: {
                const regs::Register& tail = random(2) != 0 ? r::TDT : r::RDT;
                const std::uint32_t queue = random(2);
                write(tail, random(mostly_traffic ? 8 : 300), queue);
                break;
            }
            case 17: {
                const std::uint32_t offset = random(0x20000);
                write(0, offset, random(1ull << 32));
                break;
            }
            case 18: {
                const std::uint32_t region = random(4);
                const std::uint32_t offset = random(0x4000) & ~3u;
                write(region, offset, random(1ull << 32));
                break;
            }
            default:
                some_register();
                break;
        }
    }
    std::vector<std::uint8_t> ask_flushed(vu::Command command) {
        flush();
        return ask(command, {});
    }
    void some_register() {
        const regs::Register& reg = *r::kMap.registers[random(r::kMap.register_count)];
        const std::uint32_t value = random(4) == 0 ? random(1ull << 32) : 1u << random(32);
        const std::uint32_t index = random(reg.count);
        write(reg, value, index);
    }
    void descriptor() {
        const std::uint32_t ring = random(4);
        std::uint8_t* at = ram_.bytes() + ring * kRingBytes + random(256) * 16;
        store_le64(at, random(100) == 0 ? prng_.next() : kRam + random(kRamBytes));
        store_le64(at + 8, prng_.next());
        if (random(4) == 0) return;
        // A legacy descriptor or an advanced one of data, with or without the end of its packet.
        constexpr std::uint32_t kIfcsRs = 0x0A00'0000;
        constexpr std::uint32_t kEop = 0x0100'0000;
        constexpr std::uint32_t kData = 0x2010'0000;
        std::uint32_t word = random(2000) | kIfcsRs;
        if (random(4) != 0) word |= kEop;
        if (random(2) != 0) word |= kData;
        store_le32(at + 8, word);
    }
    void arrive() {
        FramePtr frame = frames_.take();
        const std::uint32_t limit = random(8) == 0 ? 9700 : 1500;
        frame->resize(14 + random(limit));
        for (std::uint32_t i = 0; i < 64 && i < frame->size_bytes(); i++) {
            frame->data()[i] = static_cast<std::uint8_t>(random(256));
        }
        const Picoseconds now_ps = model_.timeline().now_ps();
        device_.nic().receive(std::move(frame), now_ps, now_ps);
    }
    void remap() {
        flush();
        ask(vu::Command::kDmaUnmap, Bytes().u32(24).u32(0).u64(kRam).u64(kRamBytes).bytes);
        map();
    }
    void open() {
        traffic_steps_ = 300;
        write_config(0x04, 2, 7);
        write_config(0xCC, 2, 0);
        write_config(0x04, 2, 7);
        device_.nic().partner({true, true, 0x0DE1, 0x0E00, 0, true});
        write(r::CTRL, r::CTRL_RST.mask());
        flush();
        clock_.advance_ns(30'000);
        write(r::CTRL, r::CTRL.reset | r::CTRL_SLU.mask());
        for (std::uint32_t queue = 0; queue < 2; queue++) {
            write(r::TDBAL, base_of(queue), queue);
            write(r::TDBAH, 0, queue);
            write(r::TDLEN, 128u * (1 + random(32)), queue);
            write(r::RDBAL, base_of(2 + queue), queue);
            write(r::RDBAH, 0, queue);
            write(r::RDLEN, 128u * (1 + random(32)), queue);
        }
        write(r::TCTL, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        write(r::RCTL, r::RCTL_EN.mask() | r::RCTL_UPE.mask() | r::RCTL_MPE.mask());
        write(r::IMS, 0x01FF'FFFF);
        write_config(0xA2, 2, random(2) * 0x8000);
        flush();
        clock_.advance_ns(100'000);
        server_.turn(0);
    }
    static std::uint32_t base_of(std::uint32_t ring) {
        return static_cast<std::uint32_t>(kRam) + ring * kRingBytes;
    }

    /// An honest driver, with the next client: one frame out.
    void behave() {
        start();
        write_config(0xA2, 2, 0);
        write(r::CTRL, r::CTRL_RST.mask());
        flush();
        clock_.advance_ns(30'000);
        write(r::CTRL, r::CTRL.reset | r::CTRL_SLU.mask());
        flush();
        clock_.advance_ns(100'000);
        demand((read(r::STATUS) & r::STATUS_LU.mask()) != 0, "no link afterwards");
        write(r::TDBAL, base_of(0));
        write(r::TDBAH, 0);
        write(r::TDLEN, 128);
        write(r::TCTL, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        std::memset(ram_.bytes(), 0, 4096);
        store_le64(ram_.bytes(), kRam + 0x10000);
        store_le32(ram_.bytes() + 8, 0x0B00'0000 | 333);
        const std::uint64_t before = wire_.frames;
        write(r::TDT, 1);
        flush();
        demand(wire_.frames == before + 1 && wire_.last_bytes == 333, "no frame afterwards");
        demand((ram_.bytes()[12] & 1) != 0, "its descriptor was not written back");
        stop();
    }

    static constexpr std::uint32_t kRingBytes = 4096;

    Prng prng_;
    HandClock clock_;
    KeptLog log_;
    FramePool frames_;
    NicClock model_;
    CountingWire wire_;
    SharedFile ram_{kRamBytes};
    EventDescriptor event_;
    NicDevice device_;
    ModelTime time_;
    Server server_;
    Descriptor client_;
    Bytes batch_;
    std::uint32_t batched_ = 0;
    std::uint64_t done_ = 0;
    std::uint16_t id_ = 0;
    int traffic_steps_ = 0;
};

}  // namespace

// AddressSanitizer keeps what was freed, 256 MiB of it; leaks would hide behind that.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
    return "quarantine_size_mb=4";
}

int main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: hostile_guest ACCESSES [SEED]\n");
        return 2;
    }
    const std::uint64_t accesses = std::strtoull(argv[1], nullptr, 0);
    const std::uint64_t seed = argc == 3 ? std::strtoull(argv[2], nullptr, 0) : 1;
    if (accesses == 0) {
        std::fprintf(stderr, "hostile_guest: ACCESSES wants a number above 0\n");
        return 2;
    }
    HostileGuest(seed).run(accesses);
    return 0;
}
