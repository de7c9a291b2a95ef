#include "testbench/report/pcapng_writer.hpp"

#include <cassert>

#include "hw/base/bits.hpp"

namespace doorbell::report {
namespace {

// Block types (draft-ietf-opsawg-pcapng, section 4) and option codes.
constexpr std::uint32_t kSectionHeader = 0x0A0D0D0A;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1A2B3C4D;
constexpr std::uint16_t kLinkTypeEthernet = 1;

constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionComment = 1;
constexpr std::uint16_t kShbUserApplication = 4;
constexpr std::uint16_t kIfName = 2;
constexpr std::uint16_t kIfDescription = 3;
constexpr std::uint16_t kIfSpeed = 8;
constexpr std::uint16_t kIfTimestampResolution = 9;
constexpr std::uint16_t kIfFcsLength = 13;
constexpr std::uint16_t kEpbFlags = 2;
constexpr std::uint16_t kEpbPacketId = 5;

// epb_flags (section 4.3.1): direction in bits 0-1, FCS length in bits 5-8, CRC error in bit 24.
constexpr unsigned kFlagsFcsLengthShift = 5;
constexpr std::uint32_t kFlagsCrcError = 1u << 24;

constexpr char kNanoseconds = 9;  // 10^-9

}  // namespace

PcapngWriter::PcapngWriter(const std::filesystem::path& path, std::string_view comment)
    : file_(path) {
    begin(kSectionHeader);
    put32(kByteOrderMagic);
    put16(1);  // version 1.0
    put16(0);
    put64(~std::uint64_t{0});  // section length not given
    if (!comment.empty()) option(kOptionComment, comment);
    option(kShbUserApplication, "doorbell");
    option(kOptionEnd, {});
    end();
}

std::uint32_t PcapngWriter::add_interface(std::string_view name, std::string_view description,
                                          std::uint64_t speed_bps, std::uint32_t fcs_bytes) {
    assert(frames_ == 0 && "interfaces come before frames");
    begin(kInterfaceDescription);
    put16(kLinkTypeEthernet);
    put16(0);
    put32(0);  // no snap length: frames are whole
    option(kIfName, name);
    option(kIfDescription, description);
    if (speed_bps != 0) {
        std::uint8_t speed[8];
        store_le64(speed, speed_bps);
        option(kIfSpeed, {reinterpret_cast<const char*>(speed), sizeof speed});
    }
    option(kIfTimestampResolution, {&kNanoseconds, 1});
    const char fcs_length = static_cast<char>(fcs_bytes);
    option(kIfFcsLength, {&fcs_length, 1});
    option(kOptionEnd, {});
    end();
    return interfaces_++;
}

void PcapngWriter::write(std::uint32_t interface, Picoseconds time_ps, CaptureDirection direction,
                         std::uint64_t packet, const std::uint8_t* data, std::uint32_t size_bytes,
                         std::uint32_t fcs_bytes, bool crc_error, std::string_view comment) {
    assert(interface < interfaces_);
    const std::uint64_t time_ns = epoch_ns_ + time_ps / 1000;
    begin(kEnhancedPacket);
    put32(interface);
    put32(static_cast<std::uint32_t>(time_ns >> 32));
    put32(static_cast<std::uint32_t>(time_ns));
    put32(size_bytes);
    put32(size_bytes);
    put_bytes(data, size_bytes);
    if (!comment.empty()) option(kOptionComment, comment);
    std::uint8_t flags[4];
    store_le32(flags, static_cast<std::uint32_t>(direction) | fcs_bytes << kFlagsFcsLengthShift |
                          (crc_error ? kFlagsCrcError : 0));
    option(kEpbFlags, {reinterpret_cast<const char*>(flags), sizeof flags});
    if (packet != 0) {
        std::uint8_t id[8];
        store_le64(id, packet);
        option(kEpbPacketId, {reinterpret_cast<const char*>(id), sizeof id});
    }
    option(kOptionEnd, {});
    end();
    frames_++;
}

void PcapngWriter::begin(std::uint32_t type) {
    block_.clear();
    put32(type);
    put32(0);  // length, known at the end
}

void PcapngWriter::put16(std::uint16_t value) {
    block_.resize(block_.size() + 2);
    store_le16(&block_[block_.size() - 2], value);
}

void PcapngWriter::put32(std::uint32_t value) {
    block_.resize(block_.size() + 4);
    store_le32(&block_[block_.size() - 4], value);
}

void PcapngWriter::put64(std::uint64_t value) {
    block_.resize(block_.size() + 8);
    store_le64(&block_[block_.size() - 8], value);
}

/// Bytes, padded to a multiple of four as everything in a block is.
void PcapngWriter::put_bytes(const void* data, std::size_t size_bytes) {
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    block_.insert(block_.end(), bytes, bytes + size_bytes);
    block_.resize((block_.size() + 3) / 4 * 4);
}

void PcapngWriter::option(std::uint16_t code, std::string_view value) {
    const std::string_view kept = value.substr(0, 0xffff);
    put16(code);
    put16(static_cast<std::uint16_t>(kept.size()));
    put_bytes(kept.data(), kept.size());
}

void PcapngWriter::end() {
    const auto length = static_cast<std::uint32_t>(block_.size() + 4);
    put32(length);
    store_le32(&block_[4], length);
    file_.append(block_.data(), block_.size());
}

}  // namespace doorbell::report
