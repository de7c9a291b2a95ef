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
            rate_mbps * 1'000'000ull, Frame::kFcsBytes);
        interface_names_.push_back(end_names[end]);
        if (end == 0) first = number;
    }
    taps_.push_back(std::make_unique<LinkTap>(*this, first));
    return *taps_.back();
}

std::uint32_t WireCapture::add_host_side(const std::string& nic_name) {
    const std::string name = nic_name + ".host";
    interface_names_.push_back(name);
    return writer_.add_interface(
        name,
        "host memory of " + nic_name +
            "; in: what it stored, when the data was there; out: what "
            "it fetched, before its offloads, when the data was on the chip",
        0, 0);
}

WireCapture::Record WireCapture::new_record(Picoseconds time_ps) {
    Record record;
    if (!spare_.empty()) {
        record.bytes = std::move(spare_.back());
        spare_.pop_back();
    }
    record.time_ps = time_ps;
    record.order = next_order_++;
    return record;
}

void WireCapture::push(Record record) {
    waiting_.push_back(std::move(record));
    std::push_heap(waiting_.begin(), waiting_.end(), later);
}

void WireCapture::add(std::uint32_t interface, CaptureDirection direction, const Frame& frame,
                      Picoseconds time_ps) {
    write_until(timeline_.now_ps());
    Record record = new_record(time_ps);
    record.packet = frame.packet;
    record.frame = frame.number;
    record.interface = interface;
    record.direction = direction;
    record.crc_error = !frame.fcs_good();
    record.bytes.resize(frame.wire_bytes());
    std::copy_n(frame.data(), frame.size_bytes(), record.bytes.data());
    store_le32(record.bytes.data() + frame.size_bytes(), frame.fcs());
    push(std::move(record));
}

void WireCapture::add_at_host(std::uint32_t interface, CaptureDirection direction,
                              Picoseconds time_ps, std::uint64_t packet,
                              const std::vector<std::uint8_t>& bytes) {
    write_until(timeline_.now_ps());
    Record record = new_record(time_ps);
    record.packet = packet;
    record.interface = interface;
    record.direction = direction;
    record.fcs_bytes = 0;
    record.bytes = bytes;
    push(std::move(record));
}

// A record waits at least until time has passed it, so one of this moment is still here.
void WireCapture::comment_arrival(const std::string& end_name, std::uint64_t frame_number,
                                  std::string comment) {
    for (Record& record : waiting_) {
        if (record.frame == frame_number && record.direction == CaptureDirection::kInbound &&
            record.time_ps == timeline_.now_ps() &&
            interface_names_[record.interface] == end_name) {
            record.comment = std::move(comment);
            return;
        }
    }
}

void WireCapture::write_until(Picoseconds time_ps) {
    while (!waiting_.empty() && waiting_.front().time_ps < time_ps) {
        std::pop_heap(waiting_.begin(), waiting_.end(), later);
        Record& record = waiting_.back();
        writer_.write(record.interface, record.time_ps, record.direction, record.packet,
                      record.bytes.data(), static_cast<std::uint32_t>(record.bytes.size()),
                      record.fcs_bytes, record.crc_error, record.comment);
        spare_.push_back(std::move(record.bytes));
        waiting_.pop_back();
    }
}

bool WireCapture::close() {
    write_until(kNever);
    return writer_.close();
}

}  // namespace doorbell::report
