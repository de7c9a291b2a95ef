#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

enum class DmaStatus : std::uint8_t {
    kOk = 0,
    kUnsupportedRequest = 1,  ///< Nothing answers at the address, or the range is not mapped.
    kTimeout = 2,             ///< No completion came (fault injection).
};

enum class DmaKind : std::uint8_t {
    kDescriptorFetch = 0,
    kTxData = 1,
    kRxData = 2,
    kWriteBack = 3,
    kMessage = 4,
};

struct DmaRequest {
    std::uint64_t address = 0;
    std::uint32_t size_bytes = 0;
    DmaKind kind = DmaKind::kDescriptorFetch;
    std::uint32_t tag = 0;     ///< The client's own; comes back with the completion.
    std::uint64_t packet = 0;  ///< Writes: identity of what is stored, 0 = none.
    std::uint64_t frame = 0;   ///< For the event stream only.
};

struct DmaCompletion {
    std::uint32_t tag = 0;
    DmaStatus status = DmaStatus::kOk;
    std::uint64_t packet = 0;  ///< Reads: identity of what lies there, as the host knows it.
    Picoseconds done_ps = 0;   ///< When the last byte is in the device; see `DmaPort::read`.
};

class DmaClient {
public:
    virtual ~DmaClient() = default;
    virtual void dma_complete(const DmaCompletion& completion) = 0;
};

/// Hears how reads ended that brought nothing: configuration space keeps it. A posted write has no
/// completion that could say so.
class DmaErrorListener {
public:
    virtual ~DmaErrorListener() = default;
    virtual void read_failed(DmaStatus status) = 0;
};

/// The only way a block of the NIC touches host memory. Asynchronous: nothing ever blocks on it.
/// Requests are served in order of submission, as many at once as there are tags; the rest wait
/// in the engine, so a client bounds what it has under way. Without bus mastering what has not left
/// waits until it is back. A reset of the engine forgets every request of the older epoch: their
/// clients are not called any more.
class DmaPort {
public:
    virtual ~DmaPort() = default;

    /// Reads into `target`, which must stay valid until the completion. The completion is called
    /// when memory has been sampled (the bytes are in `target`) and says in `done_ps >= now` when
    /// the last completion TLP has arrived: whoever acts on the data does so at `done_ps`.
    virtual void read(const DmaRequest& request, std::uint8_t* target, DmaClient& client) = 0;

    /// Posted write from `source`, which must stay valid until the completion: called at the time
    /// the bytes became visible in host memory. Writes (and messages) become visible in order.
    virtual void write(const DmaRequest& request, const std::uint8_t* source,
                       DmaClient& client) = 0;

    /// A message-signalled interrupt: a posted dword behind all writes submitted before.
    virtual void message(std::uint64_t address, std::uint32_t data) = 0;

    /// INTA assert/deassert message: in order with the writes, like `message`.
    virtual void interrupt_pin(bool asserted) = 0;

    /// Requests submitted and not completed (STATUS.GIO_MASTER_EN waits for 0).
    [[nodiscard]] virtual std::uint32_t outstanding() const = 0;

    /// Bus mastering may be back: what was held goes on.
    virtual void device_state_changed() {}
};

}  // namespace doorbell
