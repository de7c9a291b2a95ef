#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// A program for a NIC: what a driver and the other end of the cable do, in an order that the
/// specification allows. Operations are position independent (a packet finds its own place in a
/// ring), so that dropping one leaves a program.
namespace doorbell::differential {

enum class InterruptMode : std::uint8_t { kIntx, kMsi, kMsix };

enum class OperationKind : std::uint8_t {
    kWrite,          ///< A register.
    kRead,           ///< A register; observed.
    kConfigRead,     ///< Dword of configuration space; observed.
    kOpenTx,         ///< Registers and memory of a TX ring of `count` descriptors.
    kOpenRx,         ///< The same of an RX ring, buffers of `value` bytes each.
    kSend,           ///< Descriptors at the tail, doorbell; write-backs and frames observed.
    kReceive,        ///< Frames from the wire; write-backs and buffers observed.
    kRefill,         ///< Buffers of done RX descriptors are given back.
    kInterrupt,      ///< The level of INTx, or which messages came; observed.
    kWait,           ///< `settle_us` passes.
    kSoftwareReset,  ///< CTRL.RST, and the rings are closed.
};
inline constexpr unsigned kOperationKinds = 11;

/// A descriptor as the driver writes it. Its buffer is placed by whoever runs the program.
struct TxPart {
    std::uint64_t control = 0;  ///< Second word.
    /// First word of a context descriptor; of others the buffer's address takes its place.
    std::uint64_t context = 0;
    bool is_context = false;
    std::vector<std::uint8_t> data;
    bool operator==(const TxPart& other) const {
        return control == other.control && context == other.context &&
               is_context == other.is_context && data == other.data;
    }
};

struct Operation {
    OperationKind kind = OperationKind::kWait;
    std::uint32_t bar = 0;
    std::uint32_t offset = 0;
    std::uint32_t value = 0;
    std::uint32_t queue = 0;
    std::uint32_t count = 0;
    std::vector<TxPart> parts;
    std::vector<std::vector<std::uint8_t>> frames;
    /// Time that passes behind the operation: both devices are at rest before the next one.
    std::uint32_t settle_us = 0;
    bool operator==(const Operation& other) const {
        return kind == other.kind && bar == other.bar && offset == other.offset &&
               value == other.value && queue == other.queue && count == other.count &&
               parts == other.parts && frames == other.frames && settle_us == other.settle_us;
    }
};

struct Program {
    std::uint64_t seed = 0;
    std::uint64_t index = 0;
    InterruptMode mode = InterruptMode::kIntx;
    const char* theme = "";
    std::vector<Operation> operations;
};

/// One line: what it does, registers by name and fields.
[[nodiscard]] std::string describe(const Operation& operation);
/// "RCTL", "RAL[3]", or the offset where no register is.
[[nodiscard]] std::string register_name(std::uint32_t bar, std::uint32_t offset);

/// What one device did, where somebody looked.
enum class Subject : std::uint8_t {
    kRegister,
    kConfig,
    kTxDescriptor,
    kRxLegacy,
    kRxExtended,
    kRxBuffer,
    kRxCount,  ///< How many descriptors were filled.
    kFrameCount,
    kFrame,
    kInterrupt,
};
inline constexpr unsigned kSubjects = 10;
[[nodiscard]] const char* name_of(Subject subject);

struct Observation {
    std::size_t operation = 0;  ///< Which one of the program.
    Subject subject = Subject::kRegister;
    std::string name;  ///< Register, or place ("RX ring 0, descriptor 3").
    /// Dwords, little-endian; of a frame or buffer the last one may be padded with zeros.
    std::vector<std::uint32_t> words;
    std::uint32_t size_bytes = 0;
};

}  // namespace doorbell::differential
