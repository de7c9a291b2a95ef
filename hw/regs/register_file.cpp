#include "hw/regs/register_file.hpp"

#include <algorithm>
#include <utility>

namespace doorbell::regs {

RegisterFile::RegisterFile(const Map& map)
    : map_(map),
      slots_(map.size_bytes / 4, kUnlisted),
      words_(map.word_count),
      rows_of_slots_(map.word_count) {
    assert(map.word_count < kUnlisted && "slots are 16 bits");
    rows_.reserve(map.register_count);
    for (std::uint32_t i = 0; i < map.register_count; i++) {
        const Register& reg = *map.registers[i];
        assert(reg.bar == map.bar && reg.index == map.registers[0]->index + i);
        for (std::uint32_t word = 0; word < reg.count; word++) {
            rows_of_slots_[reg.slot + word] = static_cast<std::uint16_t>(i);
        }
        list(reg, reg.offset, reg.count);
        rows_.push_back({&reg, reg.access.readable(), nullptr, {}});
    }
    for (std::uint32_t i = 0; i < map.alias_count; i++) {
        list(map.aliases[i].reg, map.aliases[i].offset, map.aliases[i].count);
    }
    reset(ResetKind::kPowerOn);
}

void RegisterFile::list(const Register& reg, std::uint32_t offset, std::uint32_t count) {
    for (std::uint32_t word = 0; word < count; word++) {
        std::uint16_t& slot = slots_[(offset + word * reg.stride) / 4];
        assert(slot == kUnlisted && "two registers at one offset");
        slot = static_cast<std::uint16_t>(reg.slot + word);
    }
}

void RegisterFile::reset(ResetKind kind) {
    for (const Row& row : rows_) {
        const Register& reg = *row.reg;
        if (kind == ResetKind::kSoftware && reg.keep_on_software_reset) continue;
        for (std::uint32_t i = 0; i < reg.count; i++) words_[reg.slot + i] = reg.reset;
    }
}

RegisterFile::Row& RegisterFile::row_of(const Register& reg) {
    assert(reg.bar == map_.bar);
    return rows_[reg.index - map_.registers[0]->index];
}

void RegisterFile::on_write(const Register& reg, WriteHook hook) {
    row_of(reg).write_hooks.push_back(std::move(hook));
}

void RegisterFile::on_read(const Register& reg, ReadHook hook) {
    Row& row = row_of(reg);
    assert(!row.read_hook && "one block says what a register reads");
    row.read_hook = std::move(hook);
}

std::uint32_t RegisterFile::bus_read(std::uint32_t offset) {
    const std::uint16_t slot = slot_at(offset);
    if (slot == kUnlisted) {
        count_of(offset).reads++;
        return 0;
    }
    const Row& row = rows_[rows_of_slots_[slot]];
    std::uint32_t value = words_[slot] & row.readable;
    if (row.read_hook) value = row.read_hook(slot - row.reg->slot, value);
    words_[slot] &= ~row.reg->access.rc_bits;
    return value;
}

void RegisterFile::bus_write(std::uint32_t offset, std::uint32_t value) {
    const std::uint16_t slot = slot_at(offset);
    if (slot == kUnlisted) {
        count_of(offset).writes++;
        return;
    }
    const Row& row = rows_[rows_of_slots_[slot]];
    const std::uint32_t before = words_[slot];
    const std::uint32_t now = row.reg->access.after_write(before, value);
    words_[slot] = now;
    const Write write{slot - row.reg->slot, before, value, now};
    for (const WriteHook& hook : row.write_hooks) hook(write);
}

std::uint32_t RegisterFile::debug_read(std::uint32_t offset) const {
    const std::uint16_t slot = slot_at(offset);
    if (slot == kUnlisted) return 0;
    return words_[slot] & rows_[rows_of_slots_[slot]].readable;
}

void RegisterFile::debug_write(std::uint32_t offset, std::uint32_t value) {
    const std::uint16_t slot = slot_at(offset);
    if (slot == kUnlisted) return;
    const Access& access = rows_[rows_of_slots_[slot]].reg->access;
    words_[slot] = access.after_write(words_[slot], value);
}

const Register* RegisterFile::find(std::uint32_t offset, std::uint32_t& index) const {
    const std::uint16_t slot = slot_at(offset);
    if (slot == kUnlisted) return nullptr;
    const Register* reg = rows_[rows_of_slots_[slot]].reg;
    index = slot - reg->slot;
    return reg;
}

/// A guest must not make the table grow without bound: what lies beyond the BAR shares an entry.
RegisterFile::Count& RegisterFile::count_of(std::uint32_t offset) {
    return unlisted_[std::min(offset, map_.size_bytes)];
}

std::vector<RegisterFile::Unlisted> RegisterFile::unlisted() const {
    std::vector<Unlisted> all;
    for (const auto& [offset, count] : unlisted_) {
        all.push_back({offset, count.reads, count.writes});
    }
    return all;
}

}  // namespace doorbell::regs
