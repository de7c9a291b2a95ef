#pragma once

#include <cstdint>

#include "testbench/pcie_bench/discipline_rules.hpp"
#include "testbench/pcie_bench/host_memory.hpp"

namespace doorbell::pcie_bench {

enum class Direction : std::uint8_t { kTx = 0, kRx = 1 };

/// Where a ring and its buffers lie in host memory: descriptor N, modulo the ring's length, always
/// points to buffer N.
struct RingPlace {
    static constexpr std::uint32_t kBufferBytes = 2048;

    std::uint64_t descriptors = 0;  ///< Addresses.
    std::uint64_t buffers = 0;
    std::uint32_t length = 0;

    [[nodiscard]] std::uint32_t position(std::uint64_t number) const {
        return static_cast<std::uint32_t>(number % length);
    }
    [[nodiscard]] std::uint64_t descriptor(std::uint64_t number) const {
        return descriptors + std::uint64_t{position(number)} * kDescriptorBytes;
    }
    [[nodiscard]] std::uint64_t buffer(std::uint64_t number) const {
        return buffers + std::uint64_t{position(number)} * kBufferBytes;
    }
};

/// A descriptor: the buffer's address, the length of the data in it, and DD, which says that the
/// device is through with it.
struct Descriptor {
    std::uint64_t buffer = 0;
    std::uint32_t length = 0;
    bool done = false;

    [[nodiscard]] static Descriptor load(const std::uint8_t* bytes);
    void store(std::uint8_t* bytes) const;
};

/// The driver's way to the registers of its device.
class RegisterPath {
public:
    virtual ~RegisterPath() = default;
    virtual void write_tail(Direction direction, std::uint32_t tail) = 0;
    /// Answered by `DescriptorDriver::head`, in the order of asking.
    virtual void read_head(Direction direction, std::uint64_t covers) = 0;
};

/// A driver of one direction, in no time of its own: it posts what is free, and learns what is done
/// by interrupt or by polling, from DD or from the head register, as its discipline says.
///
///     numbers of descriptors, which only grow:
///     reusable_ <= handled_ <= announced_ <= posted_ < reusable_ + length
class DescriptorDriver {
public:
    DescriptorDriver(Direction direction, const DirectionRules& rules, const RingPlace& ring,
                     std::uint32_t data_bytes, HostMemory& memory, RegisterPath& registers)
        : direction_(direction),
          rules_(rules),
          ring_(ring),
          data_bytes_(data_bytes),
          memory_(memory),
          registers_(registers) {}

    void start() { refill(); }
    /// Posts nothing any more.
    void stop() { stopped_ = true; }
    void interrupt() { look(); }
    /// A write-back is visible. Who polls sees it at once.
    void memory_changed() {
        if (rules_.interrupt_every == 0) look();
    }
    /// The answer to a read of the head, and what it was to be asked for.
    void head(std::uint32_t value, std::uint64_t covers);

    /// Received frames that were not the next one sent.
    [[nodiscard]] std::uint64_t misdelivered() const { return misdelivered_; }

private:
    void refill();
    void post();
    void look();
    void check_frame(std::uint64_t number);

    const Direction direction_;
    const DirectionRules rules_;
    const RingPlace ring_;
    const std::uint32_t data_bytes_;
    HostMemory& memory_;
    RegisterPath& registers_;
    std::uint64_t posted_ = 0;
    std::uint64_t announced_ = 0;
    std::uint64_t handled_ = 0;
    std::uint64_t reusable_ = 0;
    std::uint64_t misdelivered_ = 0;
    bool stopped_ = false;
};

}  // namespace doorbell::pcie_bench
