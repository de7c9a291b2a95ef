#include "fake_chip.hpp"

#include <cstring>

#include "nic_descriptors.h"
#include "nic_regs.h"

namespace {

constexpr std::uint32_t kBufferBytes = 16384;

std::uint64_t load(const std::vector<std::uint8_t>& bytes, std::uint32_t at) {
    std::uint64_t value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

}  // namespace

FakeChip::FakeChip() {
    hal_ = {this,
            read32,
            write32,
            [](void* ctx, std::uint32_t offset) { return self(ctx).msix[offset]; },
            [](void* ctx, std::uint32_t offset, std::uint32_t value) {
                self(ctx).msix[offset] = value;
            },
            config_read,
            config_write,
            [](void* ctx, std::uint32_t us) { self(ctx).elapsed_us += us; },
            [](void* ctx, std::uint32_t ms) { self(ctx).elapsed_us += 1000u * ms; },
            barrier,
            dma_alloc,
            dma_free,
            dma_map,
            dma_unmap,
            irq_setup,
            irq_release,
            rx_buffer_get,
            rx_buffer_put,
            [](void* ctx, int, const char* text) { self(ctx).messages.emplace_back(text); }};

    // 8086:10d3; capabilities: unknown -> MSI-X -> PM -> MSI, none where the part has it.
    const std::uint8_t id[] = {0x86, 0x80, 0xD3, 0x10};
    std::memcpy(config, id, sizeof id);
    config[0x06] = 0x10;
    config[0x34] = 0x43;  // low bits are reserved and must be ignored
    config[0x40] = 0x09;
    config[0x41] = 0x90;
    config[0x90] = 0x11;
    config[0x91] = 0x60;
    config[0x92] = 4;     // five vectors
    config[0x94] = 0x03;  // table at 0x400 of BAR3
    config[0x95] = 0x04;
    config[0x60] = 0x01;
    config[0x61] = 0x70;
    config[0x70] = 0x05;
    config[0x72] = 0x80;  // 64-bit

    std::fill(std::begin(nvm), std::end(nvm), std::uint16_t{0xFFFF});
    nvm[0] = 0x0002;  // 02:00:00:82:57:40
    nvm[1] = 0x8200;
    nvm[2] = 0x4057;
    checksum_nvm();
    phy = {{0, 0x1140}, {1, 0x7949}, {2, 0x0141}, {3, 0x0CB1},
           {4, 0x0DE1}, {5, 0},      {9, 0x0F00}, {10, 0}};
    regs[NIC_STATUS] = NIC_STATUS_GIO_MASTER_EN_MASK;
    regs[NIC_CTRL] = 0x00140249;
    regs[NIC_PBA] = 0x00140014;
    regs[NIC_EECD] = NIC_EECD_AUTO_RD_MASK | NIC_EECD_PRES_MASK;
}

FakeChip::~FakeChip() = default;

void FakeChip::checksum_nvm() {
    std::uint16_t sum = 0;
    for (int i = 0; i < 63; i++) sum = static_cast<std::uint16_t>(sum + nvm[i]);
    nvm[63] = static_cast<std::uint16_t>(0xBABA - sum);
}

void FakeChip::link(bool up, std::uint16_t partner_anlpar) {
    const std::uint16_t bits = 0x0024;  // link, negotiation complete
    phy[1] = static_cast<std::uint16_t>(up ? phy[1] | bits : phy[1] & ~bits);
    phy[5] = partner_anlpar;
    if (!up) link_lost_ = true;
    const std::uint32_t status = NIC_STATUS_LU_MASK | NIC_STATUS_FD_MASK |
                                 NIC_FIELD_PUT(NIC_STATUS_SPEED, NIC_STATUS_SPEED_MBPS_1000);
    regs[NIC_STATUS] = up ? regs[NIC_STATUS] | status : regs[NIC_STATUS] & ~status;
    raise(NIC_ICR_LSC_MASK);
}

// --- registers
// ------------------------------------------------------------------------------------

std::uint32_t FakeChip::read32(void* ctx, std::uint32_t offset) {
    FakeChip& chip = self(ctx);
    const std::uint32_t value = chip.gone ? 0xFFFFFFFFu : chip.register_read(offset);
    chip.log.push_back({Access::kRead, offset, value});
    return value;
}

void FakeChip::write32(void* ctx, std::uint32_t offset, std::uint32_t value) {
    FakeChip& chip = self(ctx);
    chip.log.push_back({Access::kWrite, offset, value});
    if (!chip.gone) chip.register_write(offset, value);
}

std::uint32_t FakeChip::register_read(std::uint32_t offset) {
    switch (offset) {
        case NIC_ICR: {  // section 8.2, the case with side effect
            const std::uint32_t asserted = icr & ims ? NIC_ICR_INT_ASSERTED_MASK : 0u;
            const std::uint32_t value = icr | asserted;
            icr = 0;
            return value;
        }
        case NIC_IMS:
            return ims;
        case NIC_STATUS:
            if ((regs[NIC_CTRL] & NIC_CTRL_GIO_MASTER_DISABLE_MASK) && !master_stuck) {
                return regs[NIC_STATUS] & ~NIC_STATUS_GIO_MASTER_EN_MASK;
            }
            return regs[NIC_STATUS];
        case NIC_EXTCNF_CTRL:
            return mdio_granted ? regs[offset]
                                : regs[offset] & ~NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK;
        default:
            if (offset >= NIC_CRCERRS && offset <= NIC_ICRXOC) {  // statistics clear when read
                const std::uint32_t value = regs[offset];
                regs[offset] = 0;
                return value;
            }
            return regs[offset];
    }
}

void FakeChip::register_write(std::uint32_t offset, std::uint32_t value) {
    switch (offset) {
        case NIC_CTRL:
            if (value & NIC_CTRL_RST_MASK) {
                if (!(regs[NIC_CTRL] & NIC_CTRL_GIO_MASTER_DISABLE_MASK)) {
                    faults.emplace_back("reset without master disable");
                }
                reset();
            } else {
                regs[offset] = value;
            }
            return;
        case NIC_EERD: {
            const std::uint32_t word = NIC_FIELD_GET(NIC_EERD_ADDR, value);
            if (!(value & NIC_EERD_START_MASK)) return;
            regs[offset] = (value & NIC_EERD_ADDR_MASK) |
                           NIC_FIELD_PUT(NIC_EERD_DATA, word < 64 ? nvm[word] : 0xFFFFu) |
                           (eerd_done ? NIC_EERD_DONE_MASK : 0u);
            return;
        }
        case NIC_MDIC:
            mdic(value);
            return;
        case NIC_ICR:
            icr &= ~value;
            return;
        case NIC_ICS:
            icr |= value & ~NIC_ICR_INT_ASSERTED_MASK;
            return;
        case NIC_IMS:
            ims |= value;
            return;
        case NIC_IMC:
            ims &= ~value;
            return;
        case NIC_RDT(0):
        case NIC_TDT(0): {
            const std::uint32_t length = regs[offset == NIC_RDT(0) ? NIC_RDLEN(0) : NIC_TDLEN(0)];
            if (length && value >= length / 16) faults.emplace_back("tail beyond the ring");
            regs[offset] = value;
            return;
        }
        default:
            regs[offset] = value;
            return;
    }
}

void FakeChip::mdic(std::uint32_t value) {
    const std::uint32_t reg = NIC_FIELD_GET(NIC_MDIC_REGADD, value);
    if (!(regs[NIC_EXTCNF_CTRL] & NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK)) {
        faults.emplace_back("MDIC without MDIO ownership");
    }
    if (NIC_FIELD_GET(NIC_MDIC_PHYADD, value) != 1) faults.emplace_back("MDIC to another PHY");
    if (NIC_FIELD_GET(NIC_MDIC_OP, value) == NIC_MDIC_OP_WRITE) {
        phy[reg] = static_cast<std::uint16_t>(value & NIC_MDIC_DATA_MASK);
    } else {
        value = (value & ~NIC_MDIC_DATA_MASK) | phy_read(reg);
    }
    if (mdic_other_register) value ^= NIC_FIELD_PUT(NIC_MDIC_REGADD, 1u);
    regs[NIC_MDIC] =
        value | (mdic_ready ? NIC_MDIC_READY_MASK : 0u) | (mdic_error ? NIC_MDIC_ERROR_MASK : 0u);
}

std::uint16_t FakeChip::phy_read(std::uint32_t reg) {
    if (reg != 1 || !link_lost_) return phy[reg];
    link_lost_ = false;
    return static_cast<std::uint16_t>(phy[reg] & ~0x0004);
}

/// Section 9.2: the PHY, PBA and the configuration space stay.
void FakeChip::reset() {
    const std::uint32_t pba = regs[NIC_PBA];
    const std::uint32_t status = regs[NIC_STATUS];
    regs.clear();
    regs[NIC_PBA] = pba;
    regs[NIC_STATUS] = status;
    regs[NIC_CTRL] = ctrl_default;
    regs[NIC_TARC(0)] = 0x403;
    regs[NIC_EECD] = auto_rd ? NIC_EECD_AUTO_RD_MASK | NIC_EECD_PRES_MASK : 0u;
    regs[NIC_RAL(0)] = nvm[0] | static_cast<std::uint32_t>(nvm[1]) << 16;
    regs[NIC_RAH(0)] = nvm[2] | NIC_RAH_AV_MASK;
    icr = 0;
    ims = 0;
    context_[0] = context_[1] = 0;
    unreported_.clear();
    resets++;
}

std::uint32_t FakeChip::config_read(void* ctx, std::uint32_t offset, std::uint32_t size) {
    std::uint32_t value = 0;
    if (offset + size <= sizeof config) std::memcpy(&value, self(ctx).config + offset, size);
    return value;
}

void FakeChip::config_write(void* ctx, std::uint32_t offset, std::uint32_t size,
                            std::uint32_t value) {
    if (offset + size <= sizeof config) std::memcpy(self(ctx).config + offset, &value, size);
}

std::uint32_t FakeChip::writes_to(std::uint32_t offset) const {
    std::uint32_t count = 0;
    for (const Access& a : log) count += a.kind == Access::kWrite && a.offset == offset;
    return count;
}

std::uint32_t FakeChip::reads() const {
    std::uint32_t count = 0;
    for (const Access& a : log) count += a.kind == Access::kRead;
    return count;
}

// --- the platform
// -----------------------------------------------------------------------------------

bool FakeChip::granted() {
    acquired++;
    if (exhausted) return false;
    return fail_after < 0 || fail_after-- != 0;
}

void FakeChip::barrier(void* ctx) {
    FakeChip& chip = self(ctx);
    chip.log.push_back({Access::kBarrier, 0, 0});
    for (const Late& late : chip.late_) {
        std::memcpy(late.memory->bytes.data() + late.at, &late.value, sizeof late.value);
    }
    chip.late_.clear();
    if (chip.dd_everywhere) {
        const std::uint64_t bus =
            chip.regs[NIC_RDBAL(0)] | static_cast<std::uint64_t>(chip.regs[NIC_RDBAH(0)]) << 32;
        for (Memory& memory : chip.memory_) {
            for (std::uint32_t at = 0; memory.bus == bus && at < memory.bytes.size(); at += 16) {
                memory.bytes[at + 8] = 0x03;  // DD and EOP of an extended descriptor
            }
        }
    }
    for (Memory& memory : chip.memory_) memory.visible = memory.bytes;
}

void* FakeChip::dma_alloc(void* ctx, std::uint32_t size, std::uint32_t align, std::uint64_t* bus) {
    FakeChip& chip = self(ctx);
    if (!chip.granted()) return nullptr;
    chip.next_bus_ = (chip.next_bus_ + align - 1) / align * align;
    chip.memory_.push_back(
        {chip.next_bus_, std::vector<std::uint8_t>(size), std::vector<std::uint8_t>(size)});
    *bus = chip.next_bus_;
    chip.next_bus_ += size;
    return chip.memory_.back().bytes.data();
}

void FakeChip::dma_free(void* ctx, void* memory, std::uint32_t size, std::uint64_t bus) {
    FakeChip& chip = self(ctx);
    for (auto it = chip.memory_.begin(); it != chip.memory_.end(); ++it) {
        if (it->bus != bus || it->bytes.data() != memory || it->bytes.size() != size) continue;
        const bool active =
            (chip.regs[NIC_RCTL] & NIC_RCTL_EN_MASK) || (chip.regs[NIC_TCTL] & NIC_TCTL_EN_MASK);
        if (active && !chip.gone) chip.faults.emplace_back("ring freed while the device runs");
        chip.memory_.erase(it);
        return;
    }
    chip.faults.emplace_back("dma_free of what was never allocated");
}

std::uint64_t FakeChip::dma_map(void* ctx, void* memory, std::uint32_t size,
                                nic_dma_direction direction, std::uint64_t tag) {
    FakeChip& chip = self(ctx);
    if (!chip.granted()) return 0;
    const std::uint64_t bus = chip.next_bus_;
    chip.next_bus_ += size + 64;
    chip.mappings_[bus] = {static_cast<std::uint8_t*>(memory), size, direction};
    if (direction == NIC_DMA_TO_DEVICE) chip.mapped_tags.push_back(tag);
    return bus;
}

std::uint64_t FakeChip::dma_unmap(void* ctx, std::uint64_t bus, std::uint32_t size,
                                  nic_dma_direction direction) {
    FakeChip& chip = self(ctx);
    const auto it = chip.mappings_.find(bus);
    if (it == chip.mappings_.end() || it->second.size != size ||
        it->second.direction != direction) {
        chip.faults.emplace_back("dma_unmap of what was not mapped like that");
        return 0;
    }
    chip.mappings_.erase(it);
    return direction == NIC_DMA_FROM_DEVICE ? chip.rx_tag : 0;
}

int FakeChip::irq_setup(void* ctx, nic_irq_mode mode, std::uint32_t count, std::uint64_t* addresses,
                        std::uint32_t* data) {
    FakeChip& chip = self(ctx);
    if (chip.irq_mode >= 0) chip.faults.emplace_back("irq_setup twice");
    if (!chip.granted() || chip.refuse_irq[mode]) return -NIC_ENOSPC;
    chip.irq_mode = mode;
    for (std::uint32_t i = 0; mode != NIC_IRQ_INTX && i < count; i++) {
        addresses[i] = 0x7'FEE0'0000 + 0x10u * i;
        data[i] = 0x4040 + i;
    }
    return 0;
}

void FakeChip::irq_release(void* ctx) {
    FakeChip& chip = self(ctx);
    if (chip.irq_mode < 0) chip.faults.emplace_back("irq_release without irq_setup");
    chip.irq_mode = -1;
}

void* FakeChip::rx_buffer_get(void* ctx, void** cookie) {
    FakeChip& chip = self(ctx);
    if (!chip.granted()) return nullptr;
    std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[kBufferBytes]());
    void* at = buffer.get();
    *cookie = at;
    chip.buffers_[at] = std::move(buffer);
    return at;
}

void FakeChip::rx_buffer_put(void* ctx, void* buffer, void* cookie) {
    FakeChip& chip = self(ctx);
    if (cookie != buffer) chip.faults.emplace_back("buffer and cookie do not belong together");
    for (const auto& entry : chip.mappings_) {
        if (entry.second.at == buffer) chip.faults.emplace_back("buffer returned while mapped");
    }
    if (!chip.buffers_.erase(buffer)) chip.faults.emplace_back("buffer returned twice");
}

// --- rings
// ---------------------------------------------------------------------------------------------

FakeChip::Memory* FakeChip::ring(std::uint32_t low, std::uint32_t high) {
    const std::uint64_t bus = regs[low] | static_cast<std::uint64_t>(regs[high]) << 32;
    for (Memory& memory : memory_) {
        if (memory.bus == bus) return &memory;
    }
    faults.emplace_back("the ring's address is not that of a ring");
    return nullptr;
}

FakeChip::Mapping* FakeChip::mapping(std::uint64_t bus, std::uint64_t* offset) {
    auto it = mappings_.upper_bound(bus);
    if (it == mappings_.begin()) return nullptr;
    --it;
    *offset = bus - it->first;
    return *offset < it->second.size ? &it->second : nullptr;
}

void FakeChip::write_back(Memory& memory, std::uint32_t at, std::uint32_t dword,
                          std::uint32_t value) {
    std::memcpy(memory.bytes.data() + at + 4 * dword, &value, sizeof value);
    std::memcpy(memory.visible.data() + at + 4 * dword, &value, sizeof value);
}

void FakeChip::transmit(bool report) {
    if (!(regs[NIC_TCTL] & NIC_TCTL_EN_MASK)) return;
    Memory* memory = ring(NIC_TDBAL(0), NIC_TDBAH(0));
    if (!memory) return;
    const std::uint32_t size = regs[NIC_TDLEN(0)] / 16;
    std::uint32_t& head = regs[NIC_TDH(0)];
    Sent frame;
    while (head != regs[NIC_TDT(0)]) {
        const std::uint64_t q0 = load(memory->visible, head * 16);
        const std::uint64_t q1 = load(memory->visible, head * 16 + 8);
        const bool extended = q1 & NIC_TX_DATA_DEXT_MASK;
        if (q1 & NIC_TX_DATA_DD_MASK) faults.emplace_back("descriptor given with DD set");
        if (q1 & NIC_TX_DATA_RS_MASK) unreported_.emplace_back(memory, head);
        head = head + 1 == size ? 0 : head + 1;
        if (extended && NIC_DESCRIPTOR_GET(NIC_TX_DATA_DTYP, q1) == NIC_TX_DATA_DTYP_CONTEXT) {
            context_[0] = q0;
            context_[1] = q1;
            continue;
        }
        const std::uint64_t length = extended ? NIC_DESCRIPTOR_GET(NIC_TX_DATA_DTALEN, q1)
                                              : NIC_DESCRIPTOR_GET(NIC_TX_LEGACY_LENGTH, q1);
        std::uint64_t offset = 0;
        Mapping* source = mapping(q0, &offset);
        if (!source || offset + length > source->size || source->direction != NIC_DMA_TO_DEVICE) {
            faults.emplace_back("transmit buffer is not mapped");
            return;
        }
        if (frame.bytes.empty()) frame.command = q1;
        frame.bytes.insert(frame.bytes.end(), source->at + offset, source->at + offset + length);
        frame.descriptors++;
        if (!(q1 & NIC_TX_DATA_EOP_MASK)) continue;
        frame.last_command = q1;
        std::memcpy(frame.context, context_, sizeof context_);
        sent.push_back(frame);
        frame = Sent();
    }
    if (!frame.bytes.empty()) faults.emplace_back("the tail stands in the middle of a packet");
    if (report) report_all();
}

void FakeChip::report_all() {
    for (const auto& [memory, index] : unreported_) {
        const std::uint64_t q1 = load(memory->bytes, index * 16 + 8) | NIC_TX_DATA_DD_MASK;
        write_back(*memory, index * 16, 3, static_cast<std::uint32_t>(q1 >> 32));
    }
    if (!unreported_.empty()) raise(NIC_ICR_TXDW_MASK | NIC_ICR_TXQ0_MASK);
    unreported_.clear();
}

bool FakeChip::receive(const Reception& reception) {
    if (!(regs[NIC_RCTL] & NIC_RCTL_EN_MASK)) return false;
    Memory* memory = ring(NIC_RDBAL(0), NIC_RDBAH(0));
    if (!memory) return false;
    const std::uint32_t size = regs[NIC_RDLEN(0)] / 16;
    const std::uint32_t code = NIC_FIELD_GET(NIC_RCTL_BSIZE, regs[NIC_RCTL]);
    const std::uint32_t buffer =
        regs[NIC_RCTL] & NIC_RCTL_BSEX_MASK ? 32768u >> code : 2048u >> code;
    const bool extended = regs[NIC_RFCTL] & NIC_RFCTL_EXTEN_MASK;
    std::uint32_t& head = regs[NIC_RDH(0)];
    const std::uint32_t total = static_cast<std::uint32_t>(reception.bytes.size());
    const std::uint32_t parts = total ? (total + buffer - 1) / buffer : 1;
    const std::uint32_t have = (regs[NIC_RDT(0)] + size - head) % size;
    if (parts > have) return false;

    for (std::uint32_t part = 0; part < parts; part++) {
        const std::uint32_t at = head * 16;
        const std::uint32_t from = part * buffer;
        const std::uint32_t length = total - from < buffer ? total - from : buffer;
        if (load(memory->visible, at + 8) != 0)
            faults.emplace_back("receive descriptor not cleared");
        std::uint64_t offset = 0;
        Mapping* target = mapping(load(memory->visible, at), &offset);
        if (!target || target->direction != NIC_DMA_FROM_DEVICE || offset + buffer > target->size) {
            faults.emplace_back("receive buffer is not mapped");
            return false;
        }
        std::memcpy(target->at + offset, reception.bytes.data() + from, length);
        const bool last = part + 1 == parts;
        const std::uint32_t low = reception.status & 0xFFu;  // status, common to both formats
        const std::uint32_t done = 0x01u | (last ? 0x02u | (low & ~3u) : 0u);
        const std::uint32_t errors = last ? reception.status & 0xFF000000u : 0u;
        const std::uint32_t claim = reception.claimed_bytes ? reception.claimed_bytes : length;
        const std::uint32_t vlan = static_cast<std::uint32_t>(last ? reception.vlan : 0) << 16;
        if (extended) {
            write_back(*memory, at, 0, 0xDEADBEEF);  // hash and type replace the address
            write_back(*memory, at, 1, 0xDEADBEEF);
            write_back(*memory, at, 2, errors | done);
            late_.push_back({memory, at + 12, claim | vlan});
        } else {
            write_back(*memory, at, 3, vlan | errors >> 16 | done);
            late_.push_back({memory, at + 8, claim});
        }
        head = head + 1 == size ? 0 : head + 1;
    }
    raise(NIC_ICR_RXT0_MASK | NIC_ICR_RXQ0_MASK);
    return true;
}
