#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hw/base/frame.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic.hpp"
#include "hw/plugin/dma_table.hpp"
#include "hw/plugin/interrupt_lines.hpp"

namespace doorbell::plugin {

/// Where the server says what happened, one line at a time. The model itself never speaks.
class ServerLog {
public:
    virtual ~ServerLog() = default;
    /// Something is wrong: with the client, or with how it was started.
    virtual void warn(const std::string& line) = 0;
    virtual void info(const std::string& line) = 0;
};

/// The NIC as a client of vfio-user sees it: regions of bytes, interrupts behind descriptors, and
/// memory that the client has mapped.
class NicDevice final : private HostPort {
public:
    struct Counters {
        std::uint64_t register_reads = 0;  ///< Dwords of BARs.
        std::uint64_t register_writes = 0;
        std::uint64_t config_reads = 0;
        std::uint64_t config_writes = 0;
        std::uint64_t dma_read_bytes = 0;
        std::uint64_t dma_write_bytes = 0;
        std::uint64_t dma_failures = 0;
    };

    /// The parameters as `doorbell serve` sets them for a model whose time is the guest's: the link
    /// costs nothing, and the host keeps the MSI-X table. `rate_mbps` 0: as fast as the wire takes
    /// it.
    [[nodiscard]] static NicParams served(NicParams params, std::uint32_t rate_mbps);

    /// `rom` is the contents of the expansion ROM, empty for none.
    NicDevice(Timeline& timeline, EthernetPort& wire, FramePool& frames, EventPort events,
              const NicParams& params, std::vector<std::uint8_t> rom, ServerLog& log);

    [[nodiscard]] Nic& nic() { return nic_; }
    [[nodiscard]] const Nic& nic() const { return nic_; }
    [[nodiscard]] DmaTable& memory() { return memory_; }
    [[nodiscard]] const DmaTable& memory() const { return memory_; }
    [[nodiscard]] InterruptLines& interrupts() { return interrupts_; }
    [[nodiscard]] const InterruptLines& interrupts() const { return interrupts_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }

    /// For the next client: as after power-on, no memory, no interrupts.
    void power_on();
    /// DEVICE_RESET.
    void reset();

    /// 0 when there is no such region.
    [[nodiscard]] std::uint64_t region_bytes(std::uint32_t region) const;
    [[nodiscard]] bool region_writable(std::uint32_t region) const;
    /// False when the range does not lie within the region; then nothing has happened.
    [[nodiscard]] bool read(std::uint32_t region, std::uint64_t offset, std::uint8_t* data,
                            std::uint32_t size_bytes);
    [[nodiscard]] bool write(std::uint32_t region, std::uint64_t offset, const std::uint8_t* data,
                             std::uint32_t size_bytes);

private:
    static constexpr std::uint32_t kRomBar = 0x30;

    // --- HostPort
    [[nodiscard]] DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) override;
    [[nodiscard]] DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) override;
    void message(std::uint64_t address, std::uint32_t data) override;
    void interrupt_pin(bool asserted) override { interrupts_.pin(asserted); }
    [[nodiscard]] DmaStatus failed(DmaTable::Failure failure, const char* what,
                                   std::uint64_t address, std::uint32_t size_bytes);

    [[nodiscard]] bool within(std::uint32_t region, std::uint64_t offset,
                              std::uint32_t size_bytes) const;
    void config_read(std::uint32_t offset, std::uint8_t* data, std::uint32_t size_bytes);
    void config_write(std::uint32_t offset, const std::uint8_t* data, std::uint32_t size_bytes);

    ServerLog& log_;
    DmaTable memory_;
    InterruptLines interrupts_;
    std::vector<std::uint8_t> rom_;
    std::uint32_t rom_bar_ = 0;
    Counters counters_;
    std::uint32_t failures_told_ = 0;
    Nic nic_;
};

}  // namespace doorbell::plugin
