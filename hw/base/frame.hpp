#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "hw/base/crc32.hpp"

namespace doorbell {

class FramePool;

/// What the sender leaves undone when its wire does it better (`WireOffloads`); all zero in a frame
/// that is complete.
struct FrameHints {
    /// The transport checksum is unfinished: the complement of the sum from `checksum_start` to the
    /// end of the frame belongs into the two bytes `checksum_offset` behind it, which hold the sum
    /// of the pseudo-header.
    bool checksum_unfinished = false;
    /// The frame is the last segment of its packet.
    bool last_segment = false;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
    /// A packet cut into TCP segments by the sender: 0, or the number of the packet; which segment
    /// this is, the bytes of the header that each of them repeats, and those of a full payload.
    std::uint16_t segment_index = 0;
    std::uint32_t train = 0;
    std::uint16_t header_bytes = 0;
    std::uint16_t segment_bytes = 0;
};

/// An Ethernet frame on its way: destination address to the last payload byte, and the FCS beside
/// it. The FCS of an untouched frame is right by construction and computed only when somebody asks
/// for its value; whoever damages the bytes must first pin it with `materialise_fcs`.
class Frame {
public:
    /// Largest frame of the part (9728 with FCS) with room for a VLAN tag and the FCS in data.
    static constexpr std::uint32_t kCapacityBytes = 10240;
    static constexpr std::uint32_t kFcsBytes = 4;
    static constexpr std::uint32_t kMinimumWireBytes = 64;  ///< with FCS

    [[nodiscard]] std::uint8_t* data() { return bytes_; }
    [[nodiscard]] const std::uint8_t* data() const { return bytes_; }
    /// Bytes without FCS.
    [[nodiscard]] std::uint32_t size_bytes() const { return size_bytes_; }
    /// Bytes on the wire, FCS included, preamble and gap not.
    [[nodiscard]] std::uint32_t wire_bytes() const { return size_bytes_ + kFcsBytes; }
    void resize(std::uint32_t size_bytes) {
        assert(size_bytes <= kCapacityBytes);
        size_bytes_ = size_bytes;
    }

    /// The four bytes that follow the data on the wire.
    [[nodiscard]] std::uint32_t fcs() const {
        return fcs_pinned_ ? fcs_ : ethernet_fcs(bytes_, size_bytes_);
    }
    [[nodiscard]] bool fcs_good() const {
        return !fcs_pinned_ || fcs_ == ethernet_fcs(bytes_, size_bytes_);
    }
    void pin_fcs(std::uint32_t fcs) {
        fcs_ = fcs;
        fcs_pinned_ = true;
    }
    void materialise_fcs() {
        if (!fcs_pinned_) pin_fcs(fcs());
    }

    /// Which transmission this is: unique in a run, given by the NIC that sends it.
    std::uint64_t number = 0;
    /// What it carries: the identity given at the socket write, 0 when nobody said. A
    /// retransmission is the same packet in a frame of another number.
    std::uint64_t packet = 0;
    FrameHints hints;
    /// Sent: its descriptor asks for a time stamp. Received: it is of the kind that is stamped.
    bool time_stamp = false;

private:
    friend class FramePool;
    friend struct ReturnFrame;
    void clear() {
        size_bytes_ = 0;
        fcs_ = 0;
        fcs_pinned_ = false;
        number = 0;
        packet = 0;
        time_stamp = false;
        hints = {};
    }

    FramePool* pool_ = nullptr;
    std::uint32_t size_bytes_ = 0;
    std::uint32_t fcs_ = 0;
    bool fcs_pinned_ = false;
    alignas(16) std::uint8_t bytes_[kCapacityBytes];
};

struct ReturnFrame {
    void operator()(Frame* frame) const noexcept;
};

/// A frame has one owner; handing it on is a move.
using FramePtr = std::unique_ptr<Frame, ReturnFrame>;

/// Frames are made once and used again; the pool outlives everything that holds one.
class FramePool {
public:
    FramePool() = default;
    FramePool(const FramePool&) = delete;
    FramePool& operator=(const FramePool&) = delete;
    ~FramePool() { assert(free_.size() == frames_.size() && "a frame outlived its pool"); }

    [[nodiscard]] FramePtr take() {
        if (free_.empty()) {
            frames_.emplace_back(new Frame);
            frames_.back()->pool_ = this;
            free_.reserve(frames_.size());
            free_.push_back(frames_.back().get());
        }
        Frame* frame = free_.back();
        free_.pop_back();
        frame->clear();
        return FramePtr(frame);
    }

    [[nodiscard]] FramePtr copy(const Frame& original) {
        FramePtr twin = take();
        std::memcpy(twin->bytes_, original.bytes_, original.size_bytes_);
        twin->size_bytes_ = original.size_bytes_;
        twin->fcs_ = original.fcs_;
        twin->fcs_pinned_ = original.fcs_pinned_;
        twin->number = original.number;
        twin->packet = original.packet;
        twin->hints = original.hints;
        return twin;
    }

    /// Frames ever made: bounded memory is something a test can ask for.
    [[nodiscard]] std::size_t made() const { return frames_.size(); }

private:
    friend struct ReturnFrame;
    std::vector<std::unique_ptr<Frame>> frames_;
    std::vector<Frame*> free_;
};

inline void ReturnFrame::operator()(Frame* frame) const noexcept {
    frame->pool_->free_.push_back(frame);
}

}  // namespace doorbell
