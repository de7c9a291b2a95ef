#pragma once

#include <algorithm>
#include <cstdint>
#include <systemc>
#include <tlm>

#include "hw/base/bits.hpp"
#include "hw/base/time.hpp"
#include "hw/base/timeline_module.hpp"

namespace doorbell {

/// One transaction of a target socket, judged and taken apart. What cannot be served is answered
/// with the status that says why, and touches nothing.
class BusAccess {
public:
    static constexpr std::uint32_t kDword = 4;
    static constexpr std::uint32_t kQword = 8;

    BusAccess(tlm::tlm_generic_payload& transaction, std::uint64_t window_bytes,
              std::uint32_t largest_bytes)
        : transaction_(transaction) {
        transaction.set_dmi_allowed(false);
        const tlm::tlm_response_status status = judge(window_bytes, largest_bytes);
        transaction.set_response_status(status);
        accepted_ =
            status == tlm::TLM_OK_RESPONSE && transaction.get_command() != tlm::TLM_IGNORE_COMMAND;
    }

    [[nodiscard]] bool accepted() const { return accepted_; }
    [[nodiscard]] bool is_read() const { return transaction_.is_read(); }
    [[nodiscard]] std::uint32_t size_bytes() const { return transaction_.get_data_length(); }
    /// Nothing answers; what was read are ones.
    void refuse() { transaction_.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE); }

    /// Writes: calls `write(offset, value)` for each dword of which every byte is enabled.
    template <typename Write>
    void for_each_whole_dword(Write&& write) const {
        for (std::uint32_t at = 0; at + kDword <= size_bytes(); at += kDword) {
            if (enabled(at) && enabled(at + 1) && enabled(at + 2) && enabled(at + 3)) {
                write(offset() + at, load_le32(data() + at));
            }
        }
    }
    /// Writes: calls `write(offset, size, value)` once, or for each enabled byte if some are not.
    template <typename Write>
    void for_each_part(Write&& write) const {
        if (all_enabled()) {
            write(offset(), size_bytes(), word_at(0, size_bytes()));
            return;
        }
        for (std::uint32_t at = 0; at < size_bytes(); at++) {
            if (enabled(at)) write(offset() + at, 1u, std::uint32_t{data()[at]});
        }
    }
    /// Reads: `read(offset)` gives the dword there; once for each.
    template <typename Read>
    void fill_dwords(Read&& read) const {
        const std::uint32_t first = offset() % kDword;
        for (std::uint32_t at = 0; at < size_bytes(); at += kDword) {
            place(at, read(offset() - first + at) >> 8 * first);
        }
    }
    /// Reads: `read(offset, size)`, once.
    template <typename Read>
    void fill(Read&& read) const {
        place(0, read(offset(), size_bytes()));
    }

private:
    [[nodiscard]] tlm::tlm_response_status judge(std::uint64_t window_bytes,
                                                 std::uint32_t largest_bytes) const {
        if (transaction_.get_command() == tlm::TLM_IGNORE_COMMAND) return tlm::TLM_OK_RESPONSE;
        const std::uint32_t size = size_bytes();
        const bool sized = size != 0 && (size & (size - 1)) == 0 && size <= largest_bytes;
        if (!sized || transaction_.get_streaming_width() < size ||
            transaction_.get_data_ptr() == nullptr) {
            return tlm::TLM_BURST_ERROR_RESPONSE;
        }
        const std::uint64_t address = transaction_.get_address();
        if (address % size != 0 || address >= window_bytes) {
            return tlm::TLM_ADDRESS_ERROR_RESPONSE;
        }
        if (transaction_.get_byte_enable_ptr() != nullptr &&
            transaction_.get_byte_enable_length() == 0) {
            return tlm::TLM_BYTE_ENABLE_ERROR_RESPONSE;
        }
        return tlm::TLM_OK_RESPONSE;
    }
    [[nodiscard]] std::uint32_t offset() const {
        return static_cast<std::uint32_t>(transaction_.get_address());
    }
    [[nodiscard]] std::uint8_t* data() const { return transaction_.get_data_ptr(); }
    [[nodiscard]] bool enabled(std::uint32_t at) const {
        const std::uint8_t* enables = transaction_.get_byte_enable_ptr();
        return enables == nullptr || enables[at % transaction_.get_byte_enable_length()] != 0;
    }
    [[nodiscard]] bool all_enabled() const {
        for (std::uint32_t at = 0; at < size_bytes(); at++) {
            if (!enabled(at)) return false;
        }
        return true;
    }
    [[nodiscard]] std::uint32_t word_at(std::uint32_t at, std::uint32_t bytes) const {
        std::uint32_t value = 0;
        for (std::uint32_t i = 0; i < bytes; i++) {
            value |= std::uint32_t{data()[at + i]} << 8 * i;
        }
        return value;
    }
    void place(std::uint32_t at, std::uint32_t value) const {
        const std::uint32_t end = std::min(at + kDword, size_bytes());
        for (; at < end; at++, value >>= 8) {
            if (enabled(at)) data()[at] = static_cast<std::uint8_t>(value);
        }
    }

    tlm::tlm_generic_payload& transaction_;
    bool accepted_ = false;
};

/// The caller's time: a thread waits at the border, so that what it sees is of that time; anybody
/// else is told by annotation.
class CallerTime {
public:
    /// A thread that has run ahead is brought to its own time first.
    CallerTime(sc_core::sc_time& delay, TimelineModule& timeline)
        : can_wait_(sc_core::sc_get_current_process_handle().proc_kind() ==
                    sc_core::SC_THREAD_PROC_) {
        if (can_wait_ && delay != sc_core::SC_ZERO_TIME) {
            timeline.wait_until((sc_core::sc_time_stamp() + delay).value());
            delay = sc_core::SC_ZERO_TIME;
        }
        now_ps_ = (sc_core::sc_time_stamp() + delay).value();
    }

    [[nodiscard]] bool can_wait() const { return can_wait_; }
    [[nodiscard]] Picoseconds now_ps() const { return now_ps_; }

    /// The answer is with the caller at `done_ps`.
    template <typename WaitUntil>
    void finish(Picoseconds done_ps, WaitUntil&& wait_until, sc_core::sc_time& delay) const {
        if (can_wait_) {
            wait_until(done_ps);
        } else {
            delay = sc_core::sc_time::from_value(done_ps) - sc_core::sc_time_stamp();
        }
    }

private:
    bool can_wait_;
    Picoseconds now_ps_ = 0;
};

/// Debug transport of a window: any range of bytes, as far as it lies within; reading only.
template <typename Read>
unsigned debug_read(tlm::tlm_generic_payload& transaction, std::uint64_t window_bytes,
                    Read&& read) {
    if (!transaction.is_read() || transaction.get_data_ptr() == nullptr) return 0;
    const std::uint64_t address = transaction.get_address();
    if (address >= window_bytes) return 0;
    const std::uint64_t bytes =
        std::min<std::uint64_t>(transaction.get_data_length(), window_bytes - address);
    for (std::uint64_t i = 0; i < bytes; i++) {
        const auto offset = static_cast<std::uint32_t>(address + i);
        transaction.get_data_ptr()[i] =
            static_cast<std::uint8_t>(read(offset & ~3u) >> 8 * (offset & 3u));
    }
    return static_cast<unsigned>(bytes);
}

}  // namespace doorbell
