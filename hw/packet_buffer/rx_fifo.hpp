#pragma once

#include <array>
#include <cassert>
#include <cstdint>
#include <vector>

#include "hw/base/stats_port.hpp"
#include "hw/packet_buffer/packet_buffer.hpp"

namespace doorbell {

/// The receive FIFO: entries in order of arrival, each with its room in the packet buffer. An entry
/// (`Entry` is movable and default-made) keeps its place from the last bit of its frame until its
/// data is in host memory. The place that was left last is taken first: the caches have it.
template <typename Entry>
class RxFifo {
public:
    /// 40 KB hold 512 frames of 64 bytes. Only runts of RCTL.SBP are smaller: more of them than
    /// entries count as an overrun.
    static constexpr std::uint32_t kEntries = 512;

    RxFifo(StatsPort& stats, EventPort events)
        : space_(Direction::kRx, events), stats_(stats), slots_(kEntries) {
        for (std::uint16_t i = 0; i < kEntries; i++) {
            free_[i] = static_cast<std::uint16_t>(kEntries - 1 - i);
        }
    }

    void reset(std::uint32_t capacity_bytes) {
        while (size_ > 0) vacate();
        passed_bytes_ = 0;
        space_.reset(capacity_bytes);
    }

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::uint32_t size() const { return size_; }
    [[nodiscard]] const FifoSpace& space() const { return space_; }
    [[nodiscard]] FifoSpace& space() { return space_; }

    [[nodiscard]] bool has_room(std::uint32_t wire_bytes) const {
        return size_ < kEntries && packet_buffer_bytes(wire_bytes) <= space_.free_bytes();
    }
    /// False when a frame does not fit: it is lost, and counted in MPC.
    [[nodiscard]] bool admit(std::uint32_t wire_bytes) {
        const bool room = has_room(wire_bytes);
        if (!room) stats_.count(Stat::kMPC);
        return room;
    }
    /// Adds the youngest entry, as new; its frame has been admitted.
    Entry& push(std::uint32_t wire_bytes, Picoseconds now_ps) {
        assert(size_ < kEntries);
        const std::uint16_t place = free_[kEntries - 1 - size_];
        order_[wrap(first_ + size_)] = place;
        Slot& slot = slots_[place];
        slot.bytes = packet_buffer_bytes(wire_bytes);
        const bool reserved = space_.reserve(slot.bytes, now_ps);
        assert(reserved);
        static_cast<void>(reserved);
        size_++;
        return slot.entry;
    }

    /// The entry `age` places behind the oldest.
    [[nodiscard]] Entry& at(std::uint32_t age) {
        assert(age < size_);
        return slots_[position(age)].entry;
    }
    /// A name of an entry that holds as long as the entry is in the FIFO.
    [[nodiscard]] std::uint32_t position(std::uint32_t age) const {
        return order_[wrap(first_ + age)];
    }
    [[nodiscard]] Entry& by_position(std::uint32_t position) {
        assert(position < kEntries);
        return slots_[position].entry;
    }

    void pop(Picoseconds now_ps) {
        assert(size_ > 0);
        const std::uint32_t bytes = vacate();
        passed_bytes_ += bytes;
        space_.release(bytes, now_ps);
    }
    /// Room that has been given back since the last reset.
    [[nodiscard]] std::uint64_t passed_bytes() const { return passed_bytes_; }

private:
    struct Slot {
        Entry entry;
        std::uint32_t bytes = 0;
    };
    static std::uint32_t wrap(std::uint32_t turn) { return turn % kEntries; }
    /// The oldest leaves its place; what room it had.
    std::uint32_t vacate() {
        const std::uint16_t place = order_[first_];
        slots_[place].entry = Entry{};
        first_ = wrap(first_ + 1);
        free_[kEntries - size_--] = place;
        return slots_[place].bytes;
    }

    FifoSpace space_;
    StatsPort& stats_;
    std::vector<Slot> slots_;
    std::array<std::uint16_t, kEntries> order_{};  ///< Places of the entries, from first_ on.
    std::array<std::uint16_t, kEntries> free_{};   ///< The others; the one left last stands last.
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
    std::uint64_t passed_bytes_ = 0;
};

}  // namespace doorbell
