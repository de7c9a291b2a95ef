#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "testbench/report/pcapng_writer.hpp"
#include "testbench/wire/far_side.hpp"

namespace doorbell::cli {

/// The frames of a served NIC as pcapng, readable while the file grows: what a turn of the loop has
/// seen is in it when `flush` returns. Frames bear the time of the clock on the wall at which
/// simulated time began, plus the simulated time.
class LiveCapture final : public wire::CaptureFile {
public:
    explicit LiveCapture(const std::filesystem::path& path);
    /// For a wire that writes one: nullptr, and why, when it cannot be written.
    [[nodiscard]] static std::unique_ptr<wire::CaptureFile> open(const std::string& path,
                                                                 std::string& error);

    void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) override;
    void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) override;

    bool flush() override;
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
