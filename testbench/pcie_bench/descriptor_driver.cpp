#include "testbench/pcie_bench/descriptor_driver.hpp"

#include <algorithm>

#include "hw/base/bits.hpp"

namespace doorbell::pcie_bench {
namespace {

constexpr std::uint32_t kLengthAt = 8;
constexpr std::uint32_t kStatusAt = 12;
constexpr std::uint32_t kDone = 1;

}  // namespace

Descriptor Descriptor::load(const std::uint8_t* bytes) {
    return {load_le64(bytes), load_le32(bytes + kLengthAt), bit(load_le32(bytes + kStatusAt), 0)};
}

void Descriptor::store(std::uint8_t* bytes) const {
    store_le64(bytes, buffer);
    store_le32(bytes + kLengthAt, length);
    store_le32(bytes + kStatusAt, done ? kDone : 0);
}

/// A full ring has one descriptor free: head and tail at one place mean that it is empty.
void DescriptorDriver::refill() {
    while (!stopped_ && posted_ - reusable_ < ring_.length - 1) post();
}

void DescriptorDriver::post() {
    const bool tx = direction_ == Direction::kTx;
    Descriptor{ring_.buffer(posted_), tx ? data_bytes_ : 0, false}.store(
        memory_.at(ring_.descriptor(posted_)));
    if (tx) store_le64(memory_.at(ring_.buffer(posted_)), posted_);  // The frame's number.
    posted_++;
    if (posted_ - announced_ < rules_.tail_every) return;
    announced_ = posted_;
    registers_.write_tail(direction_, ring_.position(announced_));
}

void DescriptorDriver::look() {
    // Without write-backs only the head register says what is done.
    if (rules_.write_back_every == 0) return registers_.read_head(direction_, 0);
    while (handled_ < announced_ && Descriptor::load(memory_.at(ring_.descriptor(handled_))).done) {
        if (direction_ == Direction::kRx) check_frame(handled_);
        handled_++;
        if (rules_.head_read_every != 0 && handled_ % rules_.head_read_every == 0) {
            registers_.read_head(direction_, handled_);
        }
    }
    if (rules_.head_read_every != 0) return;
    reusable_ = handled_;
    refill();
}

void DescriptorDriver::head(std::uint32_t value, std::uint64_t covers) {
    if (rules_.write_back_every == 0) {
        reusable_ += (value + ring_.length - ring_.position(reusable_)) % ring_.length;
        handled_ = reusable_;
    } else {
        reusable_ = std::max(reusable_, covers);
    }
    refill();
}

/// The wire is a loop that loses nothing: frame N is the Nth received.
void DescriptorDriver::check_frame(std::uint64_t number) {
    const Descriptor descriptor = Descriptor::load(memory_.at(ring_.descriptor(number)));
    const bool right =
        descriptor.length == data_bytes_ && load_le64(memory_.at(ring_.buffer(number))) == number;
    if (!right) misdelivered_++;
}

}  // namespace doorbell::pcie_bench
