#include "hw/irq/msix_table.hpp"

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

void MsixTable::reset() {
    entries_ = {};
    for (Entry& entry : entries_) entry.control = r::MSIXTVCTRL.reset;
    pending_ = 0;
}

std::uint32_t MsixTable::read(std::uint32_t offset) const {
    if (offset == r::MSIXPBA.offset) return pending_;
    const std::uint32_t vector = offset / r::MSIXTADD.stride;
    if (vector >= kVectors) return 0;
    const Entry& entry = entries_[vector];
    const std::uint32_t column = offset % r::MSIXTADD.stride;
    if (column == r::MSIXTADD.offset) return entry.address_low;
    if (column == r::MSIXTUADD.offset) return entry.address_high;
    if (column == r::MSIXTMSG.offset) return entry.data;
    if (column == r::MSIXTVCTRL.offset) return entry.control;
    return 0;
}

std::uint32_t MsixTable::write(std::uint32_t offset, std::uint32_t value) {
    const std::uint32_t vector = offset / r::MSIXTADD.stride;
    if (vector >= kVectors) return kVectors;  // The pending bits are read-only.
    Entry& entry = entries_[vector];
    const std::uint32_t column = offset % r::MSIXTADD.stride;
    if (column == r::MSIXTADD.offset) entry.address_low = value & r::MSIXTADD_ADDR.mask();
    if (column == r::MSIXTUADD.offset) entry.address_high = value;
    if (column == r::MSIXTMSG.offset) entry.data = value;
    if (column != r::MSIXTVCTRL.offset) return kVectors;
    const bool was_masked = masked(vector);
    entry.control = value & r::MSIXTVCTRL_MASK.mask();
    return was_masked && !masked(vector) ? vector : kVectors;
}

bool MsixTable::masked(std::uint32_t vector) const {
    return r::MSIXTVCTRL_MASK.get(entries_[vector].control) != 0;
}

std::uint64_t MsixTable::address(std::uint32_t vector) const {
    const Entry& entry = entries_[vector];
    return std::uint64_t{entry.address_high} << 32 | entry.address_low;
}

}  // namespace doorbell
