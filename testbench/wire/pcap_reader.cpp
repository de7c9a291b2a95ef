#include "testbench/wire/pcap_reader.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"

namespace doorbell::wire {
namespace {

constexpr std::uint32_t kLinkTypeEthernet = 1;

// pcap (draft-ietf-opsawg-pcap): the first word tells byte order and the unit of the fractions.
constexpr std::uint32_t kMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kNanoseconds = 0xa1b23c4d;
constexpr std::size_t kFileHeaderBytes = 24;
constexpr std::size_t kRecordHeaderBytes = 16;
constexpr std::uint32_t kFcsPresent = 1u << 26;  // in the word of the link type
constexpr unsigned kFcsWordsShift = 28;          // length of the FCS in units of two bytes

// pcapng (draft-ietf-opsawg-pcapng, section 4)
constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kByteOrder = 0x1a2b3c4d;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kObsoletePacket = 2;
constexpr std::uint32_t kSimplePacket = 3;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kMaximumBlockBytes = 16 * 1024 * 1024;
constexpr std::uint16_t kIfTimestampResolution = 9;
constexpr std::uint16_t kIfFcsLength = 13;
constexpr std::uint16_t kIfTimestampOffset = 14;
constexpr std::uint16_t kEpbFlags = 2;
constexpr std::uint32_t kFlagsDirection = 3;
constexpr unsigned kFlagsFcsShift = 5;
constexpr std::uint32_t kFlagsFcsMask = 15;

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

std::uint32_t swapped(std::uint32_t word) {
    return __builtin_bswap32(word);
}

/// Ticks as nanoseconds; times beyond 584 years wrap.
std::uint64_t to_ns(std::uint64_t ticks, std::uint64_t per_second) {
    const std::uint64_t whole = ticks / per_second;
    std::uint64_t rest = ticks % per_second;
    // What is finer than a nanosecond only makes the product too large.
    constexpr std::uint64_t kFinest = std::uint64_t{1} << 33;
    for (; per_second > kFinest; per_second /= 2) rest /= 2;
    return whole * kNanosecondsPerSecond + rest * kNanosecondsPerSecond / per_second;
}

std::uint32_t padded(std::uint32_t bytes) {
    return (bytes + 3) / 4 * 4;
}

}  // namespace

std::uint16_t PcapReader::get16(const std::uint8_t* p) const {
    return big_endian_ ? load_be16(p) : load_le16(p);
}
std::uint32_t PcapReader::get32(const std::uint8_t* p) const {
    return big_endian_ ? load_be32(p) : load_le32(p);
}
std::uint64_t PcapReader::get64(const std::uint8_t* p) const {
    if (!big_endian_) return load_le64(p);
    return std::uint64_t{load_be32(p)} << 32 | load_be32(p + 4);
}

std::unique_ptr<PcapReader> PcapReader::open(const std::string& path, std::string& error) {
    struct stat status {};
    if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
        error = path +
                " is no regular file: write what it holds into one first (the guest would stand "
                "still whenever a pipe has nothing to give)";
        return nullptr;
    }
    File file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        error = "cannot read " + path + ": " + std::strerror(errno);
        return nullptr;
    }
    std::unique_ptr<PcapReader> reader(new PcapReader(std::move(file)));
    error = reader->begin();
    if (error.empty()) return reader;
    error = path + " " + error;
    return nullptr;
}

std::string PcapReader::begin() {
    constexpr const char* kNeither =
        "is neither a pcap nor a pcapng file: make one with tcpdump -w or tshark -w";
    std::uint8_t header[kFileHeaderBytes];
    if (!read(header, 4)) return kNeither;
    const std::uint32_t magic = load_le32(header);
    if (magic == kSectionHeader) {
        std::uint8_t length[4];
        next_generation_ = true;
        if (!read(length, 4) || !begin_section(load_le32(length))) {
            return problem_.empty() ? "ends within its first block" : problem_;
        }
        return "";
    }
    const std::uint32_t other = swapped(magic);
    big_endian_ = other == kMicroseconds || other == kNanoseconds;
    const std::uint32_t known = big_endian_ ? other : magic;
    if (known != kMicroseconds && known != kNanoseconds) return kNeither;
    if (!read(header + 4, kFileHeaderBytes - 4)) return "ends within its header";
    const std::uint32_t network = get32(header + 20);
    Interface all;
    all.ethernet = (network & 0xffff) == kLinkTypeEthernet;
    if (!all.ethernet) {
        return "holds no Ethernet frames (its link type is " + std::to_string(network & 0xffff) +
               "): capture on an Ethernet interface";
    }
    if ((network & kFcsPresent) != 0) all.fcs_bytes = (network >> kFcsWordsShift) * 2;
    all.ticks_per_second = known == kNanoseconds ? kNanosecondsPerSecond : 1'000'000;
    interfaces_.push_back(all);
    return "";
}

bool PcapReader::next(Record& record) {
    if (ended_) return false;
    const bool found = next_generation_ ? next_of_pcapng(record) : next_of_pcap(record);
    ended_ = !found;
    return found;
}

bool PcapReader::next_of_pcap(Record& record) {
    std::uint8_t header[kRecordHeaderBytes];
    const std::size_t got = std::fread(header, 1, sizeof header, file_.get());
    position_ += got;
    if (got == 0) return false;
    if (got < sizeof header) return fail("it ends within a record");
    const std::uint32_t bytes = get32(header + 8);
    if (bytes > kMaximumRecordBytes) {
        return fail("a record says it has " + std::to_string(bytes) + " bytes");
    }
    const Interface& all = interfaces_.front();
    record.time_ns =
        get32(header) * kNanosecondsPerSecond + to_ns(get32(header + 4), all.ticks_per_second);
    record.interface = 0;
    record.direction = Direction::kUnknown;
    record.fcs_bytes = all.fcs_bytes;
    record.original_bytes = get32(header + 12);
    record.bytes.resize(bytes);
    return read(record.bytes.data(), bytes) || fail("it ends within a record");
}

bool PcapReader::next_of_pcapng(Record& record) {
    std::uint32_t type = 0;
    while (read_block(type)) {
        switch (type) {
            case kSectionHeader:
                break;
            case kInterfaceDescription:
                if (!add_interface()) return false;
                break;
            case kObsoletePacket:
            case kSimplePacket:
            case kEnhancedPacket:
                if (take_packet(type, record)) return true;
                if (!problem_.empty()) return false;
                break;
            default:  // Blocks of other kinds are to be skipped (section 3.1).
                break;
        }
    }
    return false;
}

/// Type and body of the next block; a section header has been dealt with.
bool PcapReader::read_block(std::uint32_t& type) {
    std::uint8_t header[8];
    const std::size_t got = std::fread(header, 1, sizeof header, file_.get());
    position_ += got;
    if (got == 0) return false;
    if (got < sizeof header) return fail("it ends within a block");
    type = get32(header);
    if (load_le32(header) == kSectionHeader) {  // The same in both byte orders.
        type = kSectionHeader;
        return begin_section(load_le32(header + 4));
    }
    const std::uint32_t length = get32(header + 4);
    if (length < 12 || length % 4 != 0 || length > kMaximumBlockBytes) {
        return fail("a block says it has " + std::to_string(length) + " bytes");
    }
    block_.resize(length - 12);
    std::uint8_t again[4];
    if (!read(block_.data(), block_.size()) || !read(again, 4)) {
        return fail("it ends within a block");
    }
    return get32(again) == length || fail("the two lengths of a block differ");
}

/// Behind type and length of a section header, whose byte order is not known yet.
bool PcapReader::begin_section(std::uint32_t length_field) {
    std::uint8_t magic[4];
    if (!read(magic, 4)) return fail("it ends within a section header");
    if (load_le32(magic) != kByteOrder && load_be32(magic) != kByteOrder) {
        return fail("a section header has no byte order");
    }
    big_endian_ = load_be32(magic) == kByteOrder;
    const std::uint32_t length = big_endian_ ? swapped(length_field) : length_field;
    if (length < 28 || length % 4 != 0 || length > kMaximumBlockBytes) {
        return fail("a section header says it has " + std::to_string(length) + " bytes");
    }
    std::vector<std::uint8_t> rest(length - 12);
    if (!read(rest.data(), rest.size())) return fail("it ends within a section header");
    if (get16(rest.data()) != 1) {
        return fail("its format is version " + std::to_string(get16(rest.data())) +
                    " and 1 is known");
    }
    interfaces_.clear();
    return true;
}

bool PcapReader::add_interface() {
    if (block_.size() < 8) return fail("an interface description is too short");
    if (interfaces_.size() >= kMaximumInterfaces) return fail("it has too many interfaces");
    Interface added;
    added.ethernet = get16(block_.data()) == kLinkTypeEthernet;
    added.snap_bytes = get32(block_.data() + 4);
    options(8, [&](std::uint16_t code, const std::uint8_t* data, std::uint32_t size) {
        if (code == kIfFcsLength && size >= 1) added.fcs_bytes = data[0];
        if (code == kIfTimestampOffset && size >= 8) {
            added.offset_seconds = static_cast<std::int64_t>(get64(data));
        }
        if (code != kIfTimestampResolution || size < 1) return;
        // A power of two with bit 7, else of ten; finer than 64 bits can count is damage.
        const unsigned exponent = data[0] & 0x7f;
        const bool binary = (data[0] & 0x80) != 0;
        if (exponent > (binary ? 63u : 19u)) return;
        added.ticks_per_second = 1;
        for (unsigned i = 0; i < exponent; i++) added.ticks_per_second *= binary ? 2 : 10;
    });
    interfaces_.push_back(added);
    return true;
}

bool PcapReader::take_packet(std::uint32_t type, Record& record) {
    const bool simple = type == kSimplePacket;
    const std::size_t header = simple ? 4 : 20;
    if (block_.size() < header) return fail("a packet block is too short");
    const std::uint8_t* p = block_.data();
    record.interface = simple ? 0 : type == kEnhancedPacket ? get32(p) : get16(p);
    if (record.interface >= interfaces_.size()) return fail("a packet is of an unknown interface");
    const Interface& from = interfaces_[record.interface];
    record.original_bytes = simple ? get32(p) : get32(p + 16);
    std::uint32_t bytes = simple ? record.original_bytes : get32(p + 12);
    if (simple && from.snap_bytes != 0) bytes = std::min(bytes, from.snap_bytes);
    if (bytes > kMaximumRecordBytes || bytes > block_.size() - header) {
        return fail("a packet says it has " + std::to_string(bytes) + " bytes");
    }
    if (!from.ethernet) return false;
    const std::uint64_t ticks = simple ? 0 : std::uint64_t{get32(p + 4)} << 32 | get32(p + 8);
    record.time_ns = to_ns(ticks, from.ticks_per_second) +
                     static_cast<std::uint64_t>(from.offset_seconds) * kNanosecondsPerSecond;
    record.direction = Direction::kUnknown;
    record.fcs_bytes = from.fcs_bytes;
    record.bytes.assign(p + header, p + header + bytes);
    if (type != kEnhancedPacket) return true;
    options(header + padded(bytes),
            [&](std::uint16_t code, const std::uint8_t* data, std::uint32_t size) {
                if (code != kEpbFlags || size < 4) return;
                const std::uint32_t flags = get32(data);
                const std::uint32_t direction = flags & kFlagsDirection;
                if (direction == 1 || direction == 2)
                    record.direction = static_cast<Direction>(direction);
                const std::uint32_t fcs = flags >> kFlagsFcsShift & kFlagsFcsMask;
                if (fcs != 0) record.fcs_bytes = fcs;
            });
    return true;
}

template <typename Use>
void PcapReader::options(std::size_t at, Use&& use) const {
    while (at + 4 <= block_.size()) {
        const std::uint16_t code = get16(&block_[at]);
        const std::uint32_t size = get16(&block_[at + 2]);
        at += 4;
        if (code == 0 || size > block_.size() - at) return;
        use(code, block_.data() + at, size);
        at += padded(size);
    }
}

bool PcapReader::read(void* target, std::size_t size_bytes) {
    const std::size_t got = size_bytes == 0 ? 0 : std::fread(target, 1, size_bytes, file_.get());
    position_ += got;
    return got == size_bytes;
}

bool PcapReader::fail(const std::string& what) {
    problem_ = "cannot be understood at byte " + std::to_string(position_) + ": " + what;
    return false;
}

}  // namespace doorbell::wire
