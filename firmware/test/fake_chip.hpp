#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "nic_driver.h"

/// A platform and a chip as the driver's unit tests need them: registers, rings and a PHY of our
/// own, written from the specification and independent of the model in hw/. It is stricter than
/// silicon where that shows a driver's mistake:
///  - the chip sees ring memory only as it was at the last barrier, so a doorbell without one
///  before
///    it makes it read old descriptors;
///  - of a receive write-back the half with DD arrives at once, the other half at the next barrier,
///    so a driver that reads the rest too early reads an old rest;
///  - capabilities stand at other places of the configuration space than in an 82574L.
class FakeChip {
public:
    struct Access {
        enum Kind { kRead, kWrite, kBarrier } kind;
        std::uint32_t offset;
        std::uint32_t value;
    };
    struct Sent {
        std::vector<std::uint8_t> bytes;
        std::uint64_t command = 0;          ///< Qword 1 of the first descriptor.
        std::uint64_t last_command = 0;     ///< Qword 1 of the EOP descriptor.
        std::uint64_t context[2] = {0, 0};  ///< As loaded when the packet was sent.
        std::uint32_t descriptors = 0;      ///< Without the context.
    };

    FakeChip();
    ~FakeChip();
    FakeChip(const FakeChip&) = delete;
    FakeChip& operator=(const FakeChip&) = delete;

    const nic_hal* hal() const { return &hal_; }

    // --- what a test sets up ---------------------------------------------------------------------
    std::uint16_t nvm[64];
    std::map<std::uint32_t, std::uint16_t> phy;
    bool gone = false;    ///< Every read answers ones.
    bool auto_rd = true;  ///< EECD.AUTO_RD comes after a reset.
    bool eerd_done = true;
    bool mdic_ready = true;
    bool mdic_error = false;
    bool mdio_granted = true;
    bool master_stuck = false;                   ///< STATUS.GIO_MASTER_EN does not fall.
    bool refuse_irq[3] = {false, false, false};  ///< by enum nic_irq_mode
    int fail_after = -1;  ///< The Nth resource (memory, mapping, buffer, interrupt) is refused.
    bool dd_everywhere = false;        ///< Done descriptors wherever the driver looks.
    bool mdic_other_register = false;  ///< The answer belongs to another question.
    std::uint32_t ctrl_default = 0x00140249;
    bool exhausted = false;  ///< No resource is granted.
    std::uint8_t config[256] = {};
    void checksum_nvm();
    void link(bool up, std::uint16_t partner_anlpar = 0);
    void raise(std::uint32_t causes) { icr |= causes; }

    // --- what the chip does ----------------------------------------------------------------------
    /// Takes what lies between TDH and TDT, sends it, reports if told to.
    void transmit(bool report = true);
    void report_all();
    struct Reception {
        std::vector<std::uint8_t> bytes;
        std::uint32_t status = 0;  ///< Status and error bits of an extended descriptor.
        std::uint16_t vlan = 0;
        std::uint32_t claimed_bytes = 0;  ///< Length in the descriptor when it lies.
    };
    /// Stores a frame in as many buffers as it takes; false when the ring has too few.
    bool receive(const Reception& frame);
    std::vector<Sent> sent;

    // --- what a test looks at
    // ----------------------------------------------------------------------
    std::map<std::uint32_t, std::uint32_t> regs;
    std::map<std::uint32_t, std::uint32_t> msix;
    std::uint32_t icr = 0, ims = 0;
    std::vector<Access> log;
    std::vector<std::string> messages;
    std::uint64_t elapsed_us = 0;
    std::uint32_t resets = 0;
    int irq_mode = -1;  ///< granted and not released
    std::size_t live_allocations() const { return memory_.size(); }
    std::size_t live_mappings() const { return mappings_.size(); }
    std::size_t live_buffers() const { return buffers_.size(); }
    std::uint32_t acquired = 0;  ///< Resources asked for so far.
    std::uint32_t writes_to(std::uint32_t offset) const;
    std::uint32_t reads() const;
    std::vector<std::uint64_t> mapped_tags;
    std::vector<std::string> faults;  ///< What the driver did wrong.
    std::uint64_t rx_tag = 0;         ///< What dma_unmap tells of a receive buffer.
    void put_buffer(void* buffer, void* cookie) { rx_buffer_put(this, buffer, cookie); }

private:
    struct Memory {
        std::uint64_t bus;
        std::vector<std::uint8_t> bytes;
        std::vector<std::uint8_t> visible;  ///< As of the last barrier.
    };
    struct Mapping {
        std::uint8_t* at;
        std::uint32_t size;
        nic_dma_direction direction;
    };
    struct Late {
        Memory* memory;
        std::uint32_t at;
        std::uint32_t value;
    };

    static FakeChip& self(void* ctx) { return *static_cast<FakeChip*>(ctx); }
    static std::uint32_t read32(void* ctx, std::uint32_t offset);
    static void write32(void* ctx, std::uint32_t offset, std::uint32_t value);
    static std::uint32_t config_read(void* ctx, std::uint32_t offset, std::uint32_t size);
    static void config_write(void* ctx, std::uint32_t offset, std::uint32_t size,
                             std::uint32_t value);
    static void barrier(void* ctx);
    static void* dma_alloc(void* ctx, std::uint32_t size, std::uint32_t align, std::uint64_t* bus);
    static void dma_free(void* ctx, void* memory, std::uint32_t size, std::uint64_t bus);
    static std::uint64_t dma_map(void* ctx, void* memory, std::uint32_t size,
                                 nic_dma_direction direction, std::uint64_t tag);
    static std::uint64_t dma_unmap(void* ctx, std::uint64_t bus, std::uint32_t size,
                                   nic_dma_direction direction);
    static int irq_setup(void* ctx, nic_irq_mode mode, std::uint32_t count,
                         std::uint64_t* addresses, std::uint32_t* data);
    static void irq_release(void* ctx);
    static void* rx_buffer_get(void* ctx, void** cookie);
    static void rx_buffer_put(void* ctx, void* buffer, void* cookie);

    std::uint32_t register_read(std::uint32_t offset);
    void register_write(std::uint32_t offset, std::uint32_t value);
    void mdic(std::uint32_t value);
    std::uint16_t phy_read(std::uint32_t reg);
    void reset();
    bool granted();
    Memory* ring(std::uint32_t low, std::uint32_t high);
    void write_back(Memory& memory, std::uint32_t at, std::uint32_t dword, std::uint32_t value);
    Mapping* mapping(std::uint64_t bus, std::uint64_t* offset);

    nic_hal hal_{};
    bool link_lost_ = false;  ///< BMSR's latched low link status.
    std::list<Memory> memory_;
    std::map<std::uint64_t, Mapping> mappings_;
    std::map<void*, std::unique_ptr<std::uint8_t[]>> buffers_;
    std::vector<Late> late_;
    std::vector<std::pair<Memory*, std::uint32_t>> unreported_;
    std::uint64_t context_[2] = {0, 0};
    std::uint64_t next_bus_ = 0x1'2340'0000;  ///< Needs the upper half of every address register.
};
