#pragma once

#include <cstdint>
#include <filesystem>

#include "testbench/report/pcapng_writer.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::cli {

/// The frames of a served NIC as pcapng, readable while the file grows: what a turn of the loop has
/// seen is in it when `flush` returns. Frames bear the time of the clock on the wall at which
/// simulated time began, plus the simulated time.
class LiveCapture final : public wire::WireTap {
public:
    explicit LiveCapture(const std::filesystem::path& path);

    void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) override;
    void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) override;

    void flush();
    /// False when the file is not whole; `error()` is the errno.
    [[nodiscard]] bool close() { return writer_.close(); }
    [[nodiscard]] int error() const { return writer_.error(); }

private:
    void write(const Frame& frame, Picoseconds time_ps, report::CaptureDirection direction);

    report::PcapngWriter writer_;
    std::uint64_t flushed_ = 0;
    std::uint8_t bytes_[Frame::kCapacityBytes + Frame::kFcsBytes];
};

}  // namespace doorbell::cli
