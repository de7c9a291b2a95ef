#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic.hpp"
#include "nic_driver.h"

/// The smallest computer that can hold a NIC and its driver: memory with an IOMMU, an interrupt
/// controller, and a CPU that runs whatever the test calls. No SystemC, no operating system.
namespace doorbell::bringup {

class Machine;

/// One timeline and the machines on it. Interrupts are taken between two events of the timeline,
/// also while a driver waits in one of its delays: as on a real CPU, in the middle of things.
class World {
public:
    ManualTimeline timeline;
    FramePool frames;

    void add(Machine& machine) { machines_.push_back(&machine); }
    void remove(Machine& machine);
    void advance_by(Picoseconds duration_ps);
    /// True as soon as `done` is; false when that takes longer.
    bool run_until(const std::function<bool()>& done, Picoseconds limit_ps);

private:
    void step(Picoseconds until_ps);
    void serve();

    std::vector<Machine*> machines_;
    bool interrupting_ = false;
};

/// What a test may wish of the platform.
struct Platform {
    std::array<bool, 3> refuse_irq{};  ///< by enum nic_irq_mode
    std::uint32_t buffers = 4096;      ///< of the receive pool
};

/// A frame as it was received.
struct Received {
    std::vector<std::uint8_t> bytes;
    std::uint32_t flags = 0;
    std::uint16_t vlan_tag = 0;
    std::uint64_t tag = 0;
    std::uint32_t buffers = 0;
};

class Machine final : public HostPort {
public:
    Machine(World& world, EthernetPort& wire, const NicParams& params = {},
            const Platform& platform = {});
    ~Machine() override;
    Machine(const Machine&) = delete;
    Machine& operator=(const Machine&) = delete;

    Nic nic;
    std::unique_ptr<nic_device> driver;
    nic_config config{};
    Platform platform;

    // Driver calls that take time. Interrupts come in the middle of them, other calls do not.
    int probe() {
        return busy([this] { return nic_probe(driver.get(), &hal_); });
    }
    int open() {
        return busy([this] { return nic_open(driver.get(), &config); });
    }
    int reset() {
        return busy([this] { return nic_reset(driver.get()); });
    }
    void close() {
        busy([this] { return nic_close(driver.get()), 0; });
    }
    /// Probes, opens and waits for the link.
    bool bring_up();

    /// Sends a packet whose data are cut at `cuts`; the bytes are kept until they come back.
    int send(std::vector<std::uint8_t> bytes, nic_packet packet = {},
             const std::vector<std::uint32_t>& cuts = {});
    void flush() { nic_tx_flush(driver.get()); }

    std::vector<Received> received;
    std::vector<std::uint64_t> returned;  ///< Cookies, in the order they came back.
    std::uint64_t sent = 0;               ///< Packets accepted; their cookies are 1, 2, ...
    nic_link link{};
    std::uint32_t events = 0;  ///< All that nic_interrupt ever said.
    bool polling = true;       ///< false: interrupts are taken, but nobody works on them.
    bool handle_link = true;

    std::array<std::uint32_t, 5> interrupts{};  ///< By vector; MSI and INTx count as 0.
    int irq_mode = -1;
    std::vector<std::string> faults;  ///< What should never happen.
    [[nodiscard]] std::size_t mappings() const { return mappings_.size(); }
    [[nodiscard]] std::size_t buffers_out() const { return buffers_.size(); }
    [[nodiscard]] std::uint64_t mmio_reads() const { return mmio_reads_; }
    [[nodiscard]] std::uint64_t statistic(const std::string& name);

    /// The work of an interrupt, as a kernel's poll would do it; also what a test calls by hand.
    void poll();

    // --- HostPort
    // ---------------------------------------------------------------------------------
    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override;
    DmaStatus write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                    std::uint64_t packet) override;
    void message(std::uint64_t address, std::uint32_t data) override;
    void interrupt_pin(bool asserted) override { pin_ = asserted; }

private:
    friend class World;

    struct Mapping {
        std::uint8_t* at;
        std::uint32_t size;
        bool device_reads;
        bool device_writes;
        std::uint64_t packet;
    };

    template <typename Call>
    int busy(Call call) {
        working_ = true;
        const int result = call();
        working_ = false;
        return result;
    }
    static Machine& self(void* ctx) { return *static_cast<Machine*>(ctx); }
    nic_hal make_hal();
    std::uint64_t map(void* at, std::uint32_t size, bool reads, bool writes, std::uint64_t packet);
    Mapping* find(std::uint64_t address, std::uint32_t size_bytes, std::uint64_t& offset);
    int irq_setup(nic_irq_mode mode, std::uint32_t count, std::uint64_t* addresses,
                  std::uint32_t* data);
    void take_interrupts();
    void interrupt(std::uint32_t vector);
    void work();

    World& world_;
    nic_hal hal_;
    std::map<std::uint64_t, Mapping> mappings_;
    std::map<void*, std::unique_ptr<std::uint8_t[]>> coherent_;
    std::map<void*, std::unique_ptr<std::uint8_t[]>> buffers_;
    std::map<std::uint64_t, std::vector<std::uint8_t>> outgoing_;
    std::uint64_t next_bus_ = 0x8'0000'0000;
    std::deque<std::uint32_t> pending_;  ///< Vectors that were signalled.
    std::uint32_t vectors_ = 0;
    bool pin_ = false;
    bool poll_due_ = false;
    bool link_due_ = false;
    bool working_ = false;
    std::uint64_t mmio_reads_ = 0;
};

/// The far end of the cable in the test's hand: sees every frame, sends what it likes.
class Peer final : public EthernetEndpoint {
public:
    Peer(World& world, EthernetPort& wire) : world_(world), wire_(wire) {}

    /// Offers a PHY (registers 4 and 9); by default all there is, PAUSE both ways.
    void offer(std::uint16_t anar = 0x0DE1, std::uint16_t ctrl1000 = 0x0200);
    /// Puts a frame on the wire behind those before it. Short ones are padded to 60 bytes.
    void send(std::vector<std::uint8_t> bytes, bool good_fcs = true, std::uint64_t packet = 0);

    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void partner(const LinkAbilities& abilities) override { partner_ = abilities; }

    std::vector<std::vector<std::uint8_t>> frames;
    std::vector<std::uint64_t> packets;  ///< Their identities.
    std::uint32_t bad_fcs = 0;
    LinkAbilities partner_{};

private:
    World& world_;
    EthernetPort& wire_;
    Picoseconds free_ps_ = 0;
};

}  // namespace doorbell::bringup
