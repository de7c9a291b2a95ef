#pragma once

#include <cstdint>

namespace doorbell {

enum class Direction : std::uint8_t { kTx = 0, kRx = 1 };

/// What the blocks tell the interrupt block. It alone knows modes (INTx, MSI, MSI-X), masks, delay
/// timers and moderation; a cause is reported when what it announces is visible in host memory.
class CausePort {
public:
    virtual ~CausePort() = default;

    /// Sets ICR bits at once (LSC, RXO, MDAC, TXQE, TXD_LOW, RXDMT0, SRPD, ...): ICR positions.
    virtual void raise(std::uint32_t icr_bits) = 0;

    /// TX descriptors that ask for a report (RS, or every one with IVAR.31) are visible. `delayed`:
    /// all of them carried IDE, so TIDV/TADV hold the cause back (INTx and MSI only).
    virtual void tx_written_back(std::uint32_t queue, bool delayed) = 0;

    /// A sent packet's descriptor asks for a delayed report (IDE) and waits for others (WTHRESH)
    /// before it is written back: starts TIDV and TADV, whose expiry flushes it.
    virtual void tx_write_back_deferred(std::uint32_t /*queue*/) {}

    /// A frame's data is in host memory, its descriptor perhaps not yet: starts RDTR and RADV.
    virtual void rx_frame_stored(std::uint32_t queue) = 0;

    /// RX descriptors (with DD) are visible. `frames`: complete frames among them.
    virtual void rx_written_back(std::uint32_t queue, std::uint32_t frames) = 0;
};

/// What the interrupt block asks of the queue engine when a delay timer expires or software sets
/// FPD: write back what is complete, now.
class WriteBackPort {
public:
    virtual ~WriteBackPort() = default;
    virtual void flush_write_backs(Direction direction) = 0;
    /// Complete descriptors that wait for their write-back.
    [[nodiscard]] virtual bool write_backs_pending(Direction direction) const = 0;
};

}  // namespace doorbell
