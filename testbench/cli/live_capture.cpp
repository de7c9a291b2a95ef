#include "testbench/cli/live_capture.hpp"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "hw/base/bits.hpp"

namespace doorbell::cli {

LiveCapture::LiveCapture(const std::filesystem::path& path) : writer_(path, "doorbell serve") {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    constexpr std::uint64_t kSecond_ns = 1'000'000'000;
    writer_.start_at(static_cast<std::uint64_t>(now.tv_sec) * kSecond_ns +
                     static_cast<std::uint64_t>(now.tv_nsec));
    (void)writer_.add_interface("nic0",
                                "the served NIC's end of its cable; out: time of the first bit, "
                                "in: time of the last bit",
                                0, Frame::kFcsBytes);
    writer_.flush();
}

std::unique_ptr<wire::CaptureFile> LiveCapture::open(const std::string& path, std::string& error) {
    auto capture = std::make_unique<LiveCapture>(path);
    if (capture->error() == 0) return capture;
    error = "cannot write " + path + ": " + std::strerror(capture->error());
    return nullptr;
}

void LiveCapture::frame_out(std::uint32_t, const Frame& frame, Picoseconds start_ps) {
    write(frame, start_ps, report::CaptureDirection::kOutbound);
}

void LiveCapture::frame_in(std::uint32_t, const Frame& frame, Picoseconds end_ps) {
    write(frame, end_ps, report::CaptureDirection::kInbound);
}

void LiveCapture::write(const Frame& frame, Picoseconds time_ps,
                        report::CaptureDirection direction) {
    std::copy_n(frame.data(), frame.size_bytes(), bytes_);
    store_le32(bytes_ + frame.size_bytes(), frame.fcs());
    writer_.write(0, time_ps, direction, frame.packet, bytes_, frame.wire_bytes(), Frame::kFcsBytes,
                  !frame.fcs_good());
}

bool LiveCapture::flush() {
    if (writer_.frames() != flushed_) {
        flushed_ = writer_.frames();
        writer_.flush();
    }
    return writer_.error() == 0;
}

}  // namespace doorbell::cli
