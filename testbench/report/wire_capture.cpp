#include "testbench/report/wire_capture.hpp"

#include <algorithm>

#include "hw/base/bits.hpp"

namespace doorbell::report {

class WireCapture::LinkTap final : public wire::WireTap {
public:
    LinkTap(WireCapture& capture, std::uint32_t first_interface)
        : capture_(capture), first_interface_(first_interface) {}
    void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) override {
        capture_.add(first_interface_ + end, CaptureDirection::kOutbound, frame, start_ps);
    }
    void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) override {
        capture_.add(first_interface_ + end, CaptureDirection::kInbound, frame, end_ps);
    }

private:
    WireCapture& capture_;
    std::uint32_t first_interface_;
};

WireCapture::WireCapture(const std::filesystem::path& path, const Timeline& timeline,
                         std::string_view comment)
    : writer_(path, comment), timeline_(timeline) {}

WireCapture::~WireCapture() = default;

wire::WireTap& WireCapture::add_link(const std::array<std::string, 2>& end_names,
                                     std::uint32_t rate_mbps) {
    std::uint32_t first = 0;
    for (std::uint32_t end = 0; end < 2; end++) {
        const std::uint32_t number = writer_.add_interface(
            end_names[end],
            "link end " + end_names[end] + ", its peer is " + end_names[1 - end] +
                "; out: time of the first bit, in: time of the last bit",
            rate_mbps * 1'000'000ull);
        if (end == 0) first = number;
    }
    taps_.push_back(std::make_unique<LinkTap>(*this, first));
    return *taps_.back();
}

void WireCapture::add(std::uint32_t interface, CaptureDirection direction, const Frame& frame,
                      Picoseconds time_ps) {
    write_until(timeline_.now_ps());
    Record record;
    if (!spare_.empty()) {
        record.bytes = std::move(spare_.back());
        spare_.pop_back();
    }
    record.time_ps = time_ps;
    record.order = next_order_++;
    record.packet = frame.packet;
    record.interface = interface;
    record.direction = direction;
    record.crc_error = !frame.fcs_good();
    record.bytes.resize(frame.wire_bytes());
    std::copy_n(frame.data(), frame.size_bytes(), record.bytes.data());
    store_le32(record.bytes.data() + frame.size_bytes(), frame.fcs());
    waiting_.push_back(std::move(record));
    std::push_heap(waiting_.begin(), waiting_.end(), later);
}

void WireCapture::write_until(Picoseconds time_ps) {
    while (!waiting_.empty() && waiting_.front().time_ps < time_ps) {
        std::pop_heap(waiting_.begin(), waiting_.end(), later);
        Record& record = waiting_.back();
        writer_.write(record.interface, record.time_ps, record.direction, record.packet,
                      record.bytes.data(), static_cast<std::uint32_t>(record.bytes.size()),
                      record.crc_error);
        spare_.push_back(std::move(record.bytes));
        waiting_.pop_back();
    }
}

bool WireCapture::close() {
    write_until(kNever);
    return writer_.close();
}

}  // namespace doorbell::report
