#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/timeline.hpp"
#include "testbench/report/pcapng_writer.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::report {

/// `wire.pcapng`: every frame at both ends of every link. A frame that leaves bears the time of its
/// first bit, one that arrives the time of its last. A MAC hands frames over before their time, so
/// records wait in a small heap until time has passed them: the file is in the order of time.
class WireCapture {
public:
    WireCapture(const std::filesystem::path& path, const Timeline& timeline,
                std::string_view comment);
    ~WireCapture();

    /// One per link; the capture owns it. Before the first frame.
    wire::WireTap& add_link(const std::array<std::string, 2>& end_names, std::uint32_t rate_mbps);

    /// A place for what a NIC stored in host memory and fetched from there. Before the first frame.
    [[nodiscard]] std::uint32_t add_host_side(const std::string& nic_name);
    /// A frame as it lies in host memory, without FCS.
    void add_at_host(std::uint32_t interface, CaptureDirection direction, Picoseconds time_ps,
                     std::uint64_t packet, const std::vector<std::uint8_t>& bytes);
    /// Says something about a frame that is arriving at an end of a link at this moment.
    void comment_arrival(const std::string& end_name, std::uint64_t frame_number,
                         std::string comment);

    /// Writes what waits. False when the file is not whole; `error()` is the errno.
    [[nodiscard]] bool close();
    [[nodiscard]] int error() const { return writer_.error(); }
    [[nodiscard]] std::uint64_t frames() const { return writer_.frames(); }

private:
    class LinkTap;
    struct Record {
        Picoseconds time_ps = 0;
        std::uint64_t order = 0;
        std::uint64_t packet = 0;
        std::uint32_t interface = 0;
        CaptureDirection direction = CaptureDirection::kOutbound;
        bool crc_error = false;
        std::uint32_t fcs_bytes = Frame::kFcsBytes;
        std::uint64_t frame = 0;
        std::string comment;
        std::vector<std::uint8_t> bytes;
    };
    static bool later(const Record& a, const Record& b) {
        return a.time_ps != b.time_ps ? a.time_ps > b.time_ps : a.order > b.order;
    }
    void add(std::uint32_t interface, CaptureDirection direction, const Frame& frame,
             Picoseconds time_ps);
    [[nodiscard]] Record new_record(Picoseconds time_ps);
    void push(Record record);
    void write_until(Picoseconds time_ps);

    PcapngWriter writer_;
    const Timeline& timeline_;
    std::vector<std::unique_ptr<LinkTap>> taps_;
    std::vector<std::string> interface_names_;
    std::vector<Record> waiting_;                   ///< Heap, earliest first.
    std::vector<std::vector<std::uint8_t>> spare_;  ///< Buffers to use again.
    std::uint64_t next_order_ = 0;
};

}  // namespace doorbell::report
