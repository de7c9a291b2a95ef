#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/nic/nic_bench_test.hpp"
#include "hw/plugin/client_support_test.hpp"
#include "hw/plugin/server.hpp"
#include "hw/plugin/vfio_user.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

/// A server and a client of vfio-user at the two ends of a socket, in one thread: the client speaks
/// the protocol as QEMU does, and drives the NIC as a guest's driver would.
namespace doorbell::plugin::test {

namespace r = regs::i82574l;

struct Reply {
    vu::Header header;
    std::vector<std::uint8_t> payload;
    [[nodiscard]] bool failed() const { return (header.flags & vu::kError) != 0; }
    [[nodiscard]] int error() const { return static_cast<int>(header.error); }
};

/// The client's end of the socket. It never waits: a turn of the server stands between a request
/// and its reply.
class Client {
public:
    explicit Client(std::function<void()> turn) : turn_(std::move(turn)) {}

    [[nodiscard]] Descriptor connect() {
        int ends[2];
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
        socket_ = Descriptor(ends[0]);
        received_.clear();
        return Descriptor(ends[1]);
    }
    void hang_up() { socket_.close(); }
    [[nodiscard]] int number() const { return socket_.number(); }

    [[nodiscard]] static std::vector<std::uint8_t> message(vu::Command command, std::uint16_t id,
                                                           const std::vector<std::uint8_t>& payload,
                                                           std::uint32_t flags = 0) {
        return message_bytes(static_cast<std::uint16_t>(command), id, payload, flags);
    }
    void send_bytes(const std::vector<std::uint8_t>& bytes, const std::vector<int>& files = {}) {
        EXPECT_EQ(send_with_files(socket_.number(), bytes, files),
                  static_cast<ssize_t>(bytes.size()));
    }
    std::uint16_t post(vu::Command command, const std::vector<std::uint8_t>& payload,
                       const std::vector<int>& files = {}, std::uint32_t flags = 0) {
        send_bytes(message(command, ++id_, payload, flags), files);
        return id_;
    }
    /// What has come back; nothing when there is no whole reply.
    [[nodiscard]] std::optional<Reply> take_reply() {
        std::uint8_t bytes[65536];
        for (;;) {
            const ssize_t size = recv(socket_.number(), bytes, sizeof bytes, MSG_DONTWAIT);
            if (size == 0) closed_ = true;
            if (size <= 0) break;
            received_.insert(received_.end(), bytes, bytes + size);
        }
        if (received_.size() < vu::Header::kBytes) return std::nullopt;
        Reply reply{vu::Header::load(received_.data()), {}};
        if (received_.size() < reply.header.size_bytes) return std::nullopt;
        reply.payload.assign(received_.begin() + vu::Header::kBytes,
                             received_.begin() + reply.header.size_bytes);
        received_.erase(received_.begin(), received_.begin() + reply.header.size_bytes);
        return reply;
    }
    [[nodiscard]] Reply ask(vu::Command command, const std::vector<std::uint8_t>& payload = {},
                            const std::vector<int>& files = {}) {
        const std::uint16_t id = post(command, payload, files);
        for (int i = 0; i < 64; i++) {
            turn_();
            if (std::optional<Reply> reply = take_reply()) {
                EXPECT_EQ(reply->header.id, id);
                EXPECT_EQ(reply->header.command, static_cast<std::uint16_t>(command));
                EXPECT_EQ(reply->header.flags & vu::kTypeMask, vu::kTypeReply);
                return *reply;
            }
        }
        ADD_FAILURE() << "no reply to " << vu::command_name(static_cast<std::uint16_t>(command));
        return {};
    }
    /// Whether the server has closed its end.
    [[nodiscard]] bool closed() {
        (void)take_reply();
        return closed_;
    }

private:
    std::function<void()> turn_;
    Descriptor socket_;
    std::vector<std::uint8_t> received_;
    std::uint16_t id_ = 0;
    bool closed_ = false;
};

class PluginBench {
public:
    static constexpr std::uint64_t kRam = 0x1'0000'0000;
    static constexpr std::uint64_t kRamBytes = 1 << 20;
    // Places in the guest's memory.
    static constexpr std::uint64_t kTxRing = kRam + 0x1000;
    static constexpr std::uint64_t kRxRing = kRam + 0x2000;
    static constexpr std::uint64_t kTxBuffers = kRam + 0x10000;
    static constexpr std::uint64_t kRxBuffers = kRam + 0x80000;
    static constexpr std::uint32_t kBufferBytes = 2048;
    static constexpr std::uint32_t kRingSize = 64;

    explicit PluginBench(NicParams params = quick(), std::vector<std::uint8_t> rom = {})
        : device(model.timeline(), wire, frames, {}, NicDevice::served(params, 0), std::move(rom),
                 log),
          time(model, clock, Pace::kWall),
          server(device, time, clock, log),
          client([this] { server.turn(0); }) {}

    static NicParams quick() {
        NicParams params;
        params.phy.autonegotiation_ps = milliseconds(1);
        return params;
    }

    // --- the client's steps
    void connect() { server.adopt(client.connect()); }
    [[nodiscard]] Reply say_version() {
        return client.ask(vu::Command::kVersion,
                          Bytes().u16(0).u16(0).text(std::string(kVersionText)).u8(0).bytes);
    }
    /// As far as QEMU comes before it starts the guest.
    void open() {
        connect();
        ASSERT_FALSE(say_version().failed());
        ASSERT_FALSE(map(kRam, kRamBytes, ram.number(), 0).failed());
    }
    [[nodiscard]] Reply map(std::uint64_t address, std::uint64_t size_bytes, int file,
                            std::uint64_t offset, std::uint32_t flags = 3) {
        return client.ask(vu::Command::kDmaMap, map_payload(address, size_bytes, offset, flags),
                          file >= 0 ? std::vector<int>{file} : std::vector<int>{});
    }
    [[nodiscard]] static std::vector<std::uint8_t> map_payload(std::uint64_t address,
                                                               std::uint64_t size_bytes,
                                                               std::uint64_t offset,
                                                               std::uint32_t flags) {
        return Bytes().u32(32).u32(flags).u64(offset).u64(address).u64(size_bytes).bytes;
    }
    [[nodiscard]] Reply unmap(std::uint64_t address, std::uint64_t size_bytes,
                              std::uint32_t flags = 0) {
        return client.ask(vu::Command::kDmaUnmap,
                          Bytes().u32(24).u32(flags).u64(address).u64(size_bytes).bytes);
    }
    [[nodiscard]] Reply set_irqs(std::uint32_t flags, std::uint32_t index, std::uint32_t start,
                                 std::uint32_t count, const std::vector<int>& files = {},
                                 const std::vector<std::uint8_t>& data = {}) {
        return client.ask(vu::Command::kSetIrqs,
                          Bytes()
                              .u32(static_cast<std::uint32_t>(20 + data.size()))
                              .u32(flags)
                              .u32(index)
                              .u32(start)
                              .u32(count)
                              .append(data)
                              .bytes,
                          files);
    }
    [[nodiscard]] static std::vector<std::uint8_t> access(std::uint32_t region,
                                                          std::uint64_t offset,
                                                          std::uint32_t count) {
        return Bytes().u64(offset).u32(region).u32(count).bytes;
    }
    [[nodiscard]] Reply region_read(std::uint32_t region, std::uint64_t offset,
                                    std::uint32_t count) {
        return client.ask(vu::Command::kRegionRead, access(region, offset, count));
    }
    [[nodiscard]] std::uint32_t read_dword(std::uint32_t region, std::uint64_t offset) {
        const Reply reply = region_read(region, offset, 4);
        EXPECT_FALSE(reply.failed());
        EXPECT_EQ(reply.payload.size(), 20u);
        return reply.payload.size() == 20 ? load_le32(&reply.payload[16]) : 0;
    }
    void write_config(std::uint64_t offset, std::uint32_t bytes, std::uint32_t value) {
        std::vector<std::uint8_t> payload = access(vu::kConfigRegion, offset, bytes);
        for (std::uint32_t i = 0; i < bytes; i++) {
            payload.push_back(static_cast<std::uint8_t>(value >> 8 * i));
        }
        EXPECT_FALSE(client.ask(vu::Command::kRegionWrite, payload).failed());
    }
    [[nodiscard]] std::uint32_t read(const regs::Register& reg, std::uint32_t index = 0) {
        return read_dword(0, reg.offset_of(index));
    }
    /// Posted, as QEMU sends it.
    void write(const regs::Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        client.post(vu::Command::kRegionWrite,
                    Bytes().append(access(0, reg.offset_of(index), 4)).u32(value).bytes, {},
                    vu::kNoReply);
        server.turn(0);
    }

    // --- the guest's steps
    void advance(Picoseconds duration_ps) {
        clock.advance_ns(duration_ps / nanoseconds(1));
        server.turn(0);
    }
    [[nodiscard]] std::uint8_t* at(std::uint64_t address) { return ram.bytes() + (address - kRam); }
    void enable() { write_config(0x04, 2, 0x0007); }
    void link_up() {
        device.nic().partner(nic_test::NicBench::gigabit());
        for (int i = 0; i < 50 && (read(r::STATUS) & r::STATUS_LU.mask()) == 0; i++) {
            write(r::CTRL, r::CTRL.reset | r::CTRL_SLU.mask());
            advance(milliseconds(1));
        }
        ASSERT_NE(read(r::STATUS) & r::STATUS_LU.mask(), 0u);
    }
    void open_rings() {
        write(r::TDBAL, static_cast<std::uint32_t>(kTxRing));
        write(r::TDBAH, static_cast<std::uint32_t>(kTxRing >> 32));
        write(r::TDLEN, kRingSize * 16);
        write(r::TCTL, r::TCTL_EN.mask() | r::TCTL_PSP.mask());
        for (std::uint32_t i = 0; i < kRingSize; i++) {
            store_le64(at(kRxRing + i * 16), kRxBuffers + i * kBufferBytes);
            store_le64(at(kRxRing + i * 16 + 8), 0);
        }
        write(r::RDBAL, static_cast<std::uint32_t>(kRxRing));
        write(r::RDBAH, static_cast<std::uint32_t>(kRxRing >> 32));
        write(r::RDLEN, kRingSize * 16);
        write(r::RCTL, r::RCTL_EN.mask() | r::RCTL_UPE.mask() | r::RCTL_MPE.mask());
        write(r::RDT, kRingSize - 1);
    }
    /// A frame into the next descriptor; the caller rings the doorbell.
    void put_frame(std::uint32_t index, std::uint32_t size_bytes, std::uint8_t fill) {
        std::uint8_t* frame = at(kTxBuffers + index * kBufferBytes);
        std::memset(frame, fill, size_bytes);
        std::uint8_t* descriptor = at(kTxRing + index * 16);
        store_le64(descriptor, kTxBuffers + index * kBufferBytes);
        constexpr std::uint32_t kEopIfcsRs = 0x0B00'0000;
        store_le32(descriptor + 8, size_bytes | kEopIfcsRs);
        store_le32(descriptor + 12, 0);
    }
    void send_frame(std::uint32_t index, std::uint32_t size_bytes, std::uint8_t fill) {
        put_frame(index, size_bytes, fill);
        write(r::TDT, (index + 1) % kRingSize);
    }
    void arrive(std::uint32_t size_bytes, std::uint8_t fill) {
        FramePtr frame = frames.take();
        frame->resize(size_bytes);
        std::memset(frame->data(), fill, size_bytes);
        const Picoseconds now_ps = model.timeline().now_ps();
        device.nic().receive(std::move(frame), now_ps, now_ps);
        server.turn(0);
    }

    static constexpr const char* kVersionText =
        "{\"capabilities\":{\"max_msg_fds\":8,\"max_data_xfer_size\":1048576,\"migration\":"
        "{\"pgsize\":4096},\"pgsizes\":4096,\"max_dma_maps\":65535,\"max_bitmap_size\":16777216,"
        "\"write_multiple\":true,\"filler\":\"makes it as long\"}}";

    HandClock clock;
    KeptLog log;
    FramePool frames;
    NicClock model;
    nic_test::FarEnd wire{{false, false, true}};
    SharedFile ram{kRamBytes};
    NicDevice device;
    ModelTime time;
    Server server;
    Client client;
};

}  // namespace doorbell::plugin::test
