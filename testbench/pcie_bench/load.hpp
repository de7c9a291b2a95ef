#pragma once

#include <cstdint>

/// What a device without a NIC's rings plays on its PCIe link, as a scenario says it.
namespace doorbell::pcie_bench {

enum class DmaKind : std::uint8_t {
    kRead,
    kWrite,
    kBoth,       ///< A read and a write at once, each of the whole size.
    kWriteRead,  ///< A write, and behind it a read of the same bytes, which sees them.
};
enum class DmaOrder : std::uint8_t { kRandom, kSequential };

struct DmaLoad {
    static constexpr std::uint32_t kMaxSizeBytes = 16'384;
    static constexpr std::uint64_t kMaxWindowBytes = std::uint64_t{1} << 30;
    static constexpr std::uint32_t kMaxInFlight = 1024;

    DmaKind kind = DmaKind::kRead;
    DmaOrder order = DmaOrder::kRandom;
    std::uint32_t size_bytes = 64;
    std::uint64_t window_bytes = 8192;
    std::uint32_t align_bytes = 64;  ///< A power of two.
    std::uint32_t in_flight = 128;
    std::uint64_t warm_up = 2'000;
    std::uint64_t transfers = 100'000;
};

enum class Discipline : std::uint8_t { kSimple, kKernel, kDpdk };

struct DisciplineLoad {
    Discipline discipline = Discipline::kSimple;
    std::uint32_t frame_bytes = 64;  ///< FCS included; PCIe moves four less.
    std::uint32_t wire_mbps = 0;     ///< 0: the wire bounds nothing.
    std::uint32_t ring_descriptors = 640;
    std::uint32_t buffer_frames = 256;
    std::uint64_t warm_up = 5'000;
    std::uint64_t frames = 100'000;

    static constexpr std::uint32_t kFcsBytes = 4;
    [[nodiscard]] std::uint32_t data_bytes() const { return frame_bytes - kFcsBytes; }
};

}  // namespace doorbell::pcie_bench
