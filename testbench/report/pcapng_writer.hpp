#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "hw/base/frame.hpp"
#include "hw/base/time.hpp"
#include "testbench/report/buffered_file.hpp"

namespace doorbell::report {

enum class CaptureDirection : std::uint8_t { kInbound = 1, kOutbound = 2 };

/// Writes the pcapng format (draft-ietf-opsawg-pcapng): one section, one interface description per
/// place a frame is seen at, one enhanced packet block per frame with nanoseconds, direction, the
/// FCS, and the identity of the packet, where it has one, as `epb_packetid`.
class PcapngWriter {
public:
    PcapngWriter(const std::filesystem::path& path, std::string_view comment);

    /// All interfaces come before the first frame. Returns the interface's number. `speed_bps` 0:
    /// it has none.
    std::uint32_t add_interface(std::string_view name, std::string_view description,
                                std::uint64_t speed_bps, std::uint32_t fcs_bytes);

    /// The time of the clock on the wall, since 1970, at which simulated time began; 0 by default.
    void start_at(std::uint64_t epoch_ns) { epoch_ns_ = epoch_ns; }

    /// `data` ends with `fcs_bytes` of FCS. `crc_error` marks a frame whose FCS is wrong.
    void write(std::uint32_t interface, Picoseconds time_ps, CaptureDirection direction,
               std::uint64_t packet, const std::uint8_t* data, std::uint32_t size_bytes,
               std::uint32_t fcs_bytes, bool crc_error, std::string_view comment = {});

    /// What has been written can be read in the file.
    void flush() { file_.flush(); }
    [[nodiscard]] bool close() { return file_.close(); }
    [[nodiscard]] int error() const { return file_.error(); }
    [[nodiscard]] std::uint64_t frames() const { return frames_; }

private:
    void begin(std::uint32_t type);
    void put16(std::uint16_t value);
    void put32(std::uint32_t value);
    void put64(std::uint64_t value);
    void put_bytes(const void* data, std::size_t size_bytes);
    void option(std::uint16_t code, std::string_view value);
    void end();

    BufferedFile file_;
    std::vector<std::uint8_t> block_;
    std::uint64_t epoch_ns_ = 0;
    std::uint32_t interfaces_ = 0;
    std::uint64_t frames_ = 0;
};

}  // namespace doorbell::report
