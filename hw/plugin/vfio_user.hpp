#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "hw/base/bits.hpp"

/// The messages of vfio-user 0.0, as bytes: numbers, layouts, and what can be said about a message
/// from its bytes alone. Everything is little-endian; nothing here has a state.
namespace doorbell::plugin::vfio_user {

enum class Command : std::uint16_t {
    kVersion = 1,
    kDmaMap = 2,
    kDmaUnmap = 3,
    kGetInfo = 4,
    kGetRegionInfo = 5,
    kGetRegionIoFds = 6,
    kGetIrqInfo = 7,
    kSetIrqs = 8,
    kRegionRead = 9,
    kRegionWrite = 10,
    kDmaRead = 11,
    kDmaWrite = 12,
    kReset = 13,
    kDirtyPages = 14,
    kRegionWriteMulti = 15,
    kDeviceFeature = 16,
    kMigrationRead = 17,
    kMigrationWrite = 18,
};
/// "REGION_READ"; "command 77" for what the protocol does not know.
[[nodiscard]] std::string command_name(std::uint16_t command);

// Header flags.
inline constexpr std::uint32_t kTypeMask = 0xF;
inline constexpr std::uint32_t kTypeCommand = 0;
inline constexpr std::uint32_t kTypeReply = 1;
inline constexpr std::uint32_t kNoReply = 1u << 4;
inline constexpr std::uint32_t kError = 1u << 5;

/// Before each message; `size_bytes` counts itself in.
struct Header {
    static constexpr std::uint32_t kBytes = 16;
    std::uint16_t id = 0;
    std::uint16_t command = 0;
    std::uint32_t size_bytes = 0;
    std::uint32_t flags = 0;
    std::uint32_t error = 0;

    [[nodiscard]] static Header load(const std::uint8_t* bytes) {
        return {load_le16(bytes), load_le16(bytes + 2), load_le32(bytes + 4), load_le32(bytes + 8),
                load_le32(bytes + 12)};
    }
    void store(std::uint8_t* bytes) const {
        store_le16(bytes, id);
        store_le16(bytes + 2, command);
        store_le32(bytes + 4, size_bytes);
        store_le32(bytes + 8, flags);
        store_le32(bytes + 12, error);
    }
    [[nodiscard]] bool wants_reply() const { return (flags & kNoReply) == 0; }
};

// --- limits that the server states in its VERSION reply
inline constexpr std::uint32_t kMaxDescriptors = 8;
inline constexpr std::uint32_t kMaxDataBytes = 1 << 20;
inline constexpr std::uint32_t kMaxDmaMaps = 4096;
inline constexpr std::uint32_t kPageBytes = 4096;
/// The longest message: data and the longest fixed part.
inline constexpr std::uint32_t kMaxMessageBytes = kMaxDataBytes + 256;

// --- region and interrupt numbers of a PCI device
inline constexpr std::uint32_t kBarRegions = 6;
inline constexpr std::uint32_t kRomRegion = 6;
inline constexpr std::uint32_t kConfigRegion = 7;
inline constexpr std::uint32_t kRegions = 9;
inline constexpr std::uint32_t kIrqIntx = 0;
inline constexpr std::uint32_t kIrqMsi = 1;
inline constexpr std::uint32_t kIrqMsix = 2;
inline constexpr std::uint32_t kIrqError = 3;
inline constexpr std::uint32_t kIrqRequest = 4;
inline constexpr std::uint32_t kIrqs = 5;

// --- flags of payloads
inline constexpr std::uint32_t kMapRead = 1u << 0;
inline constexpr std::uint32_t kMapWrite = 1u << 1;
inline constexpr std::uint32_t kUnmapAll = 1u << 1;
inline constexpr std::uint32_t kDeviceReset = 1u << 0;
inline constexpr std::uint32_t kDevicePci = 1u << 1;
inline constexpr std::uint32_t kRegionReadable = 1u << 0;
inline constexpr std::uint32_t kRegionWritable = 1u << 1;
inline constexpr std::uint32_t kIrqEventfd = 1u << 0;
inline constexpr std::uint32_t kIrqMaskable = 1u << 1;
inline constexpr std::uint32_t kIrqAutomasked = 1u << 2;
inline constexpr std::uint32_t kSetDataNone = 1u << 0;
inline constexpr std::uint32_t kSetDataBool = 1u << 1;
inline constexpr std::uint32_t kSetDataEventfd = 1u << 2;
inline constexpr std::uint32_t kSetMask = 1u << 3;
inline constexpr std::uint32_t kSetUnmask = 1u << 4;
inline constexpr std::uint32_t kSetTrigger = 1u << 5;
inline constexpr std::uint32_t kSetDataTypes = kSetDataNone | kSetDataBool | kSetDataEventfd;
inline constexpr std::uint32_t kSetActions = kSetMask | kSetUnmask | kSetTrigger;

// --- payloads, behind the header
struct Version {
    static constexpr std::uint32_t kBytes = 4;  ///< And a text.
    std::uint16_t major;
    std::uint16_t minor;
    [[nodiscard]] static Version load(const std::uint8_t* p) {
        return {load_le16(p), load_le16(p + 2)};
    }
};

struct DmaMap {
    static constexpr std::uint32_t kBytes = 32;
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint64_t offset;
    std::uint64_t address;
    std::uint64_t size_bytes;
    [[nodiscard]] static DmaMap load(const std::uint8_t* p) {
        return {load_le32(p), load_le32(p + 4), load_le64(p + 8), load_le64(p + 16),
                load_le64(p + 24)};
    }
};

struct DmaUnmap {
    static constexpr std::uint32_t kBytes = 24;
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint64_t address;
    std::uint64_t size_bytes;
    [[nodiscard]] static DmaUnmap load(const std::uint8_t* p) {
        return {load_le32(p), load_le32(p + 4), load_le64(p + 8), load_le64(p + 16)};
    }
};

struct DeviceInfo {
    static constexpr std::uint32_t kBytes = 16;
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t regions;
    std::uint32_t irqs;
    void store(std::uint8_t* p) const {
        store_le32(p, argsz);
        store_le32(p + 4, flags);
        store_le32(p + 8, regions);
        store_le32(p + 12, irqs);
    }
};

struct RegionInfo {
    static constexpr std::uint32_t kBytes = 32;
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t capabilities_offset;
    std::uint64_t size_bytes;
    std::uint64_t offset;
    [[nodiscard]] static RegionInfo load(const std::uint8_t* p) {
        return {load_le32(p),      load_le32(p + 4),  load_le32(p + 8),
                load_le32(p + 12), load_le64(p + 16), load_le64(p + 24)};
    }
    void store(std::uint8_t* p) const {
        store_le32(p, argsz);
        store_le32(p + 4, flags);
        store_le32(p + 8, index);
        store_le32(p + 12, capabilities_offset);
        store_le64(p + 16, size_bytes);
        store_le64(p + 24, offset);
    }
};

struct IrqInfo {
    static constexpr std::uint32_t kBytes = 16;
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t count;
    [[nodiscard]] static IrqInfo load(const std::uint8_t* p) {
        return {load_le32(p), load_le32(p + 4), load_le32(p + 8), load_le32(p + 12)};
    }
    void store(std::uint8_t* p) const {
        store_le32(p, argsz);
        store_le32(p + 4, flags);
        store_le32(p + 8, index);
        store_le32(p + 12, count);
    }
};

struct SetIrqs {
    static constexpr std::uint32_t kBytes = 20;  ///< And a byte for each, of kSetDataBool.
    std::uint32_t argsz;
    std::uint32_t flags;
    std::uint32_t index;
    std::uint32_t start;
    std::uint32_t count;
    [[nodiscard]] static SetIrqs load(const std::uint8_t* p) {
        return {load_le32(p), load_le32(p + 4), load_le32(p + 8), load_le32(p + 12),
                load_le32(p + 16)};
    }
};

struct RegionAccess {
    static constexpr std::uint32_t kBytes = 16;  ///< And the data.
    std::uint64_t offset;
    std::uint32_t region;
    std::uint32_t count;
    [[nodiscard]] static RegionAccess load(const std::uint8_t* p) {
        return {load_le64(p), load_le32(p + 8), load_le32(p + 12)};
    }
    void store(std::uint8_t* p) const {
        store_le64(p, offset);
        store_le32(p + 8, region);
        store_le32(p + 12, count);
    }
};

/// REGION_WRITE_MULTI: a count of 64 bits, then entries of one access and eight bytes of data.
struct WriteMulti {
    static constexpr std::uint32_t kBytes = 8;
    static constexpr std::uint32_t kDataBytes = 8;
    static constexpr std::uint32_t kEntryBytes = RegionAccess::kBytes + kDataBytes;
};

/// Our VERSION text, its NUL counted in; at most `room` bytes, else "".
[[nodiscard]] std::string version_text(std::size_t room);

}  // namespace doorbell::plugin::vfio_user
