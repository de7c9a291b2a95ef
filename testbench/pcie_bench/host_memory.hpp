#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>

#include "hw/base/host_port.hpp"

namespace doorbell::pcie_bench {

/// One range of host memory and the place where interrupt messages arrive. What nobody has touched
/// is zero and costs nothing, so that a window may be larger than the machine has memory to spare.
class HostMemory final : public HostPort {
public:
    static constexpr std::uint64_t kBase = std::uint64_t{1} << 32;

    explicit HostMemory(std::uint64_t size_bytes)
        : size_bytes_(size_bytes),
          bytes_(static_cast<std::uint8_t*>(std::calloc(size_bytes, 1)), &std::free) {
        if (bytes_ == nullptr) throw std::bad_alloc();
    }

    /// The bytes behind an address of the range.
    [[nodiscard]] std::uint8_t* at(std::uint64_t address) { return &bytes_.get()[address - kBase]; }
    /// Called with the data of each interrupt message.
    void on_message(std::function<void(std::uint32_t)> handler) { handler_ = std::move(handler); }

    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t&) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(target, at(address), size_bytes);
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t) override {
        if (!inside(address, size_bytes)) return DmaStatus::kUnsupportedRequest;
        std::memcpy(at(address), source, size_bytes);
        return DmaStatus::kOk;
    }
    void message(std::uint64_t, std::uint32_t data) override {
        if (handler_) handler_(data);
    }
    void interrupt_pin(bool) override {}

private:
    [[nodiscard]] bool inside(std::uint64_t address, std::uint32_t size_bytes) const {
        return address >= kBase && address - kBase <= size_bytes_ &&
               size_bytes <= size_bytes_ - (address - kBase);
    }

    const std::uint64_t size_bytes_;
    const std::unique_ptr<std::uint8_t, decltype(&std::free)> bytes_;
    std::function<void(std::uint32_t)> handler_;
};

}  // namespace doorbell::pcie_bench
