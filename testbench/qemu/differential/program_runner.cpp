// A program on a device: the driver's side of rings and buffers, and what is looked at.
#include <array>
#include <cstring>

#include "hw/base/bits.hpp"
#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/qemu/differential/device.hpp"

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

constexpr unsigned kQueues = 2;
constexpr std::uint32_t kDescriptorBytes = 16;
constexpr std::uint32_t kTxRings = kMemoryBase;
constexpr std::uint32_t kRxRings = kMemoryBase + 0x8000;
constexpr std::uint32_t kRingBytes = 0x4000;
constexpr std::uint32_t kTxBuffers = kMemoryBase + 0x20000;
constexpr std::uint32_t kTxBufferBytes = 0x40000;
constexpr std::uint32_t kRxBuffers = kMemoryBase + 0x80000;
constexpr std::uint32_t kRxBufferBytes = 0x40000;  ///< Per queue.
/// Time of a software reset: the NVM is read, the link comes back.
constexpr std::uint32_t kResetUs = 2'000;

std::vector<std::uint32_t> words_of(const std::vector<std::uint8_t>& bytes) {
    std::vector<std::uint32_t> words((bytes.size() + 3) / 4);
    for (std::size_t i = 0; i < bytes.size(); i++) {
        words[i / 4] |= std::uint32_t{bytes[i]} << i % 4 * 8;
    }
    return words;
}

class Runner {
public:
    Runner(Device& device, const Program& program) : device_(device), program_(program) {}

    std::vector<Observation> run() {
        device_.reset(program_.mode);
        if (program_.mode == InterruptMode::kMsix) write_vectors();
        // What the link did on its way up is not part of the program.
        (void)device_.read(0, r::ICR.offset);
        for (index_ = 0; index_ < program_.operations.size(); index_++) {
            const Operation& operation = program_.operations[index_];
            operate(operation);
        }
        return std::move(observations_);
    }

private:
    struct TxRing {
        std::uint32_t count = 0;
        std::uint32_t tail = 0;
    };
    struct RxRing {
        std::uint32_t count = 0;
        std::uint32_t clean = 0;  ///< First descriptor not yet looked at.
        std::uint32_t fill = 0;   ///< First one that waits for a new buffer.
        std::uint32_t buffer_bytes = 0;
    };

    void operate(const Operation& operation) {
        switch (operation.kind) {
            case OperationKind::kWrite:
                device_.write(operation.bar, operation.offset, operation.value);
                if (operation.bar == 0 && operation.offset == r::RFCTL.offset) {
                    extended_ = r::RFCTL_EXTEN.get(operation.value) != 0;
                }
                settle(operation);
                break;
            case OperationKind::kRead:
                observe(Subject::kRegister, register_name(operation.bar, operation.offset),
                        device_.read(operation.bar, operation.offset));
                break;
            case OperationKind::kConfigRead:
                observe(Subject::kConfig, std::to_string(operation.offset),
                        device_.config_read(operation.offset));
                break;
            case OperationKind::kOpenTx:
                open_tx(operation);
                break;
            case OperationKind::kOpenRx:
                open_rx(operation);
                break;
            case OperationKind::kSend:
                send(operation);
                break;
            case OperationKind::kReceive:
                receive(operation);
                break;
            case OperationKind::kRefill:
                refill(operation);
                break;
            case OperationKind::kInterrupt:
                look_at_interrupts();
                break;
            case OperationKind::kWait:
                settle(operation);
                break;
            case OperationKind::kSoftwareReset:
                device_.write(0, r::CTRL.offset, r::CTRL.reset | r::CTRL_RST.mask());
                device_.wait(kResetUs);
                tx_ = {};
                rx_ = {};
                extended_ = false;
                break;
        }
    }

    void settle(const Operation& operation) {
        if (operation.settle_us != 0) device_.wait(operation.settle_us);
    }

    void write_vectors() {
        for (std::uint32_t vector = 0; vector < kVectors; vector++) {
            device_.write(3, r::MSIXTADD.offset_of(vector), kMessages + vector * 4);
            device_.write(3, r::MSIXTUADD.offset_of(vector), 0);
            device_.write(3, r::MSIXTMSG.offset_of(vector), kMessageData + vector);
            device_.write(3, r::MSIXTVCTRL.offset_of(vector), 0);
        }
    }

    // --- transmission
    // -----------------------------------------------------------------------------

    void open_tx(const Operation& operation) {
        const std::uint32_t queue = operation.queue;
        tx_[queue] = {operation.count, 0};
        const std::uint32_t base = kTxRings + queue * kRingBytes;
        device_.poke(base, std::vector<std::uint8_t>(operation.count * kDescriptorBytes));
        device_.write(0, r::TDBAL.offset_of(queue), base);
        device_.write(0, r::TDBAH.offset_of(queue), 0);
        device_.write(0, r::TDLEN.offset_of(queue), operation.count * kDescriptorBytes);
        device_.write(0, r::TDH.offset_of(queue), 0);
        device_.write(0, r::TDT.offset_of(queue), 0);
        settle(operation);
    }

    void send(const Operation& operation) {
        TxRing& ring = tx_[operation.queue];
        // A shrunken program may have lost its ring.
        if (ring.count == 0) return;
        const std::uint32_t first = ring.tail;
        for (const TxPart& part : operation.parts) place(operation.queue, part);
        device_.write(0, r::TDT.offset_of(operation.queue), ring.tail);
        settle(operation);
        observe(Subject::kRegister, register_name(0, r::TDH.offset_of(operation.queue)),
                device_.read(0, r::TDH.offset_of(operation.queue)));
        std::uint32_t at = first;
        for (std::size_t i = 0; i < operation.parts.size(); i++) {
            observe(Subject::kTxDescriptor, place_name("TX", operation.queue, at),
                    device_.peek(tx_address(operation.queue, at), kDescriptorBytes));
            at = (at + 1) % ring.count;
        }
        observe_frames();
    }

    void place(std::uint32_t queue, const TxPart& part) {
        TxRing& ring = tx_[queue];
        std::vector<std::uint8_t> bytes(kDescriptorBytes);
        std::uint64_t first = part.context;
        if (!part.is_context) {
            const auto size = static_cast<std::uint32_t>(part.data.size());
            if (tx_buffer_ + size > kTxBufferBytes) tx_buffer_ = 0;
            first = kTxBuffers + tx_buffer_;
            if (size != 0) device_.poke(kTxBuffers + tx_buffer_, part.data);
            tx_buffer_ += size + kOddGap;
        }
        store_le64(&bytes[0], first);
        store_le64(&bytes[8], part.control);
        device_.poke(tx_address(queue, ring.tail), bytes);
        ring.tail = (ring.tail + 1) % ring.count;
    }

    void observe_frames() {
        const std::vector<std::vector<std::uint8_t>> frames = device_.sent();
        observe(Subject::kFrameCount, "frames sent", static_cast<std::uint32_t>(frames.size()));
        for (std::size_t i = 0; i < frames.size(); i++) {
            observe(Subject::kFrame, "frame " + std::to_string(i), frames[i]);
        }
    }

    // --- reception
    // --------------------------------------------------------------------------------

    void open_rx(const Operation& operation) {
        const std::uint32_t queue = operation.queue;
        rx_[queue] = {operation.count, 0, 0, operation.value};
        for (std::uint32_t i = 0; i < operation.count; i++) give_buffer(queue, i);
        device_.write(0, r::RDBAL.offset_of(queue), kRxRings + queue * kRingBytes);
        device_.write(0, r::RDBAH.offset_of(queue), 0);
        device_.write(0, r::RDLEN.offset_of(queue), operation.count * kDescriptorBytes);
        device_.write(0, r::RDH.offset_of(queue), 0);
        device_.write(0, r::RDT.offset_of(queue), operation.count - 1);
        settle(operation);
    }

    void give_buffer(std::uint32_t queue, std::uint32_t index) {
        const RxRing& ring = rx_[queue];
        std::vector<std::uint8_t> bytes(kDescriptorBytes);
        store_le64(&bytes[0], rx_buffer(queue, index));
        device_.poke(rx_address(queue, index), bytes);
        device_.poke(rx_buffer(queue, index),
                     std::vector<std::uint8_t>(ring.buffer_bytes, kUntouched));
    }

    void receive(const Operation& operation) {
        if (rx_[0].count == 0) return;
        for (const std::vector<std::uint8_t>& frame : operation.frames) device_.receive(frame);
        settle(operation);
        for (std::uint32_t queue = 0; queue < kQueues; queue++) collect(queue);
    }

    void collect(std::uint32_t queue) {
        RxRing& ring = rx_[queue];
        if (ring.count == 0) return;
        const std::uint32_t head = device_.read(0, r::RDH.offset_of(queue)) % ring.count;
        const std::uint32_t filled = (head + ring.count - ring.clean) % ring.count;
        observe(Subject::kRxCount, "descriptors filled in RX ring " + std::to_string(queue),
                filled);
        for (; ring.clean != head; ring.clean = (ring.clean + 1) % ring.count) {
            const std::vector<std::uint8_t> descriptor =
                device_.peek(rx_address(queue, ring.clean), kDescriptorBytes);
            const std::string place = place_name("RX", queue, ring.clean);
            observe(extended_ ? Subject::kRxExtended : Subject::kRxLegacy, place, descriptor);
            observe(Subject::kRxBuffer, "buffer of " + place,
                    device_.peek(rx_buffer(queue, ring.clean), ring.buffer_bytes));
        }
    }

    void refill(const Operation& operation) {
        RxRing& ring = rx_[operation.queue];
        if (ring.count == 0) return;
        for (; ring.fill != ring.clean; ring.fill = (ring.fill + 1) % ring.count) {
            give_buffer(operation.queue, ring.fill);
        }
        device_.write(0, r::RDT.offset_of(operation.queue),
                      (ring.fill + ring.count - 1) % ring.count);
        settle(operation);
        for (std::uint32_t queue = 0; queue < kQueues; queue++) collect(queue);
    }

    // --- interrupts
    // -------------------------------------------------------------------------------

    void look_at_interrupts() {
        if (program_.mode == InterruptMode::kIntx) {
            observe(Subject::kInterrupt, "INTx", device_.config_read(0x04) >> 19 & 1);
            return;
        }
        const unsigned vectors = program_.mode == InterruptMode::kMsi ? 1 : kVectors;
        const std::vector<std::uint8_t> messages = device_.peek(kMessages, vectors * 4);
        for (unsigned vector = 0; vector < vectors; vector++) {
            observe(Subject::kInterrupt, "message " + std::to_string(vector),
                    load_le32(&messages[vector * 4]));
        }
        device_.poke(kMessages, std::vector<std::uint8_t>(vectors * 4));
    }

    // --- places
    // -----------------------------------------------------------------------------------

    static std::string place_name(const char* direction, std::uint32_t queue, std::uint32_t at) {
        return std::string(direction) + " ring " + std::to_string(queue) + ", descriptor " +
               std::to_string(at);
    }
    static std::uint32_t tx_address(std::uint32_t queue, std::uint32_t index) {
        return kTxRings + queue * kRingBytes + index * kDescriptorBytes;
    }
    static std::uint32_t rx_address(std::uint32_t queue, std::uint32_t index) {
        return kRxRings + queue * kRingBytes + index * kDescriptorBytes;
    }
    [[nodiscard]] std::uint32_t rx_buffer(std::uint32_t queue, std::uint32_t index) const {
        return kRxBuffers + queue * kRxBufferBytes + index * rx_[queue].buffer_bytes;
    }

    void observe(Subject subject, std::string name, std::uint32_t word) {
        observations_.push_back({index_, subject, std::move(name), {word}, 4});
    }
    void observe(Subject subject, std::string name, const std::vector<std::uint8_t>& bytes) {
        observations_.push_back({index_, subject, std::move(name), words_of(bytes),
                                 static_cast<std::uint32_t>(bytes.size())});
    }

    /// Between buffers, so that they begin at any alignment.
    static constexpr std::uint32_t kOddGap = 3;
    static constexpr std::uint8_t kUntouched = 0xA5;

    Device& device_;
    const Program& program_;
    std::size_t index_ = 0;
    std::array<TxRing, kQueues> tx_;
    std::array<RxRing, kQueues> rx_;
    bool extended_ = false;  ///< RFCTL.EXTEN
    std::uint32_t tx_buffer_ = 0;
    std::vector<Observation> observations_;
};

}  // namespace

std::vector<Observation> run(Device& device, const Program& program) {
    return Runner(device, program).run();
}

}  // namespace doorbell::differential
