#pragma once

#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "hw/base/dma_port.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/pcie_port.hpp"

/// Test doubles of the DMA engine's two neighbours and of its client.
namespace doorbell {

/// Memory from kBase on, and a log of everything that reached it, in order.
class TestHost final : public HostPort {
public:
    static constexpr std::uint64_t kBase = 0x100000;

    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        reads++;
        called();
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(target, &memory[address - kBase], size_bytes);
        packet = packet_there;
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t packet) override {
        called();
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(&memory[address - kBase], source, size_bytes);
        packet_there = packet;
        log.push_back("w" + std::to_string(address - kBase));
        return DmaStatus::kOk;
    }
    void message(std::uint64_t, std::uint32_t data) override {
        called();
        log.push_back("m" + std::to_string(data));
    }
    void interrupt_pin(bool asserted) override {
        called();
        log.push_back(asserted ? "p1" : "p0");
    }

    static bool inside(std::uint64_t address, std::uint32_t size_bytes) {
        return address >= kBase && address - kBase + size_bytes <= kSize;
    }

    static constexpr std::uint64_t kSize = 64 * 1024;
    std::vector<std::uint8_t> memory = std::vector<std::uint8_t>(kSize);
    std::vector<std::string> log;
    std::uint64_t packet_there = 0;
    std::uint32_t reads = 0;
    std::function<void()> on_call;  ///< From inside each call, when set.

private:
    void called() const {
        if (on_call) on_call();
    }
};

/// A link of round numbers: 1 ps per byte and 20 bytes per TLP upstream and downstream, 100 ps to
/// the other end, 1000 ps of memory; requests of up to 512 bytes.
class TestLink final : public PciePort {
public:
    Picoseconds write_arrival(std::uint64_t, std::uint32_t size_bytes,
                              Picoseconds not_before_ps) override {
        return reserve(up_busy_ps, 20 + size_bytes, not_before_ps);
    }
    Picoseconds interrupt_arrival(std::uint64_t, Picoseconds not_before_ps) override {
        return reserve(up_busy_ps, 24, not_before_ps);
    }
    ReadTimes read_ready(std::uint64_t, std::uint32_t, std::uint32_t requests,
                         Picoseconds not_before_ps) override {
        const Picoseconds ready_ps = reserve(up_busy_ps, 20 * requests, not_before_ps) + 1000;
        return {ready_ps, timed ? ready_ps - 20 * (requests - 1) : ready_ps};
    }
    Picoseconds read_credits_at(std::uint32_t requests, Picoseconds now_ps) override {
        credits_asked = requests;
        return now_ps < credits_ps ? credits_ps : now_ps;
    }
    std::uint32_t most_read_requests() const override { return most_requests; }
    Picoseconds message_arrival(Picoseconds not_before_ps) override {
        return reserve(up_busy_ps, 20, not_before_ps);
    }
    Picoseconds completion_arrival(std::uint64_t, std::uint32_t size_bytes,
                                   Picoseconds ready_ps) override {
        const Picoseconds late_ps = delay_of_next_completion_ps;
        delay_of_next_completion_ps = 0;
        return reserve(down_busy_ps, 20 + size_bytes, ready_ps) + late_ps;
    }
    Picoseconds error_completion_arrival(Picoseconds ready_ps) override {
        return reserve(down_busy_ps, 20, ready_ps);
    }
    std::uint32_t read_request_count(std::uint64_t, std::uint32_t size_bytes) const override {
        return size_bytes == 0 ? 1 : (size_bytes + max_request_bytes - 1) / max_request_bytes;
    }
    std::uint32_t read_request_bytes(std::uint64_t, std::uint32_t size_bytes) const override {
        return size_bytes < max_request_bytes ? size_bytes : max_request_bytes;
    }
    Picoseconds delivery_ps_per_byte() const override { return delivery_ps; }

    Picoseconds up_busy_ps = 0;
    Picoseconds down_busy_ps = 0;
    Picoseconds credits_ps = 0;  ///< No read leaves before.
    std::uint32_t credits_asked = 0;
    std::uint32_t max_request_bytes = 512;
    std::uint32_t most_requests = ~std::uint32_t{0};
    Picoseconds delay_of_next_completion_ps = 0;
    Picoseconds delivery_ps = 0;
    bool timed = true;

private:
    Picoseconds reserve(Picoseconds& busy_ps, std::uint64_t bytes, Picoseconds not_before_ps) {
        if (!timed) return not_before_ps;
        busy_ps = (busy_ps > not_before_ps ? busy_ps : not_before_ps) + bytes;
        return busy_ps + 100;
    }
};

class TestClient : public DmaClient {
public:
    void dma_complete(const DmaCompletion& completion) override {
        completions.push_back(completion);
    }
    std::vector<DmaCompletion> completions;
};

}  // namespace doorbell
