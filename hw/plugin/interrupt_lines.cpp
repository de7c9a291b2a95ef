#include "hw/plugin/interrupt_lines.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <utility>

namespace doorbell::plugin {

namespace vu = vfio_user;

namespace {

/// Whether a write to it is short whatever the client does: an anonymous inode (as an eventfd is; a
/// pipe, a socket or a file is none) that does not block.
bool makes_event_descriptor(const Descriptor& descriptor) {
    struct stat file {};
    if (fstat(descriptor.number(), &file) != 0 || (file.st_mode & S_IFMT) != 0) return false;
    const int flags = fcntl(descriptor.number(), F_GETFL);
    if (flags < 0) return false;
    return (flags & O_NONBLOCK) != 0 ||
           fcntl(descriptor.number(), F_SETFL, flags | O_NONBLOCK) == 0;
}

}  // namespace

InterruptLines::InterruptLines(std::uint32_t msix_vectors) : vectors_(msix_vectors) {
    assert(msix_vectors <= kMaxVectors);
}

std::uint32_t InterruptLines::slot(std::uint32_t index, std::uint32_t number) {
    switch (index) {
        case vu::kIrqIntx:
            return kPinSlot;
        case vu::kIrqMsi:
            return kMsiSlot;
        case vu::kIrqMsix:
            return kMsixSlot + number;
        default:
            return kErrorSlot;
    }
}

std::uint32_t InterruptLines::count(std::uint32_t index) const {
    switch (index) {
        case vu::kIrqIntx:
        case vu::kIrqMsi:
        case vu::kIrqError:
            return 1;
        case vu::kIrqMsix:
            return vectors_;
        default:
            return 0;
    }
}

// --- the device's side
// ----------------------------------------------------------------------------

void InterruptLines::pin(bool asserted) {
    pin_ = asserted;
    if (asserted) {
        signal_pin();
    } else {
        signalled_ &= ~(1u << kPinSlot);
    }
}

// A level is told once: the client masks, and looks again by unmasking.
void InterruptLines::signal_pin() {
    if (!pin_ || pin_masked_ || !slots_[kPinSlot].open()) return;
    signalled_ |= 1u << kPinSlot;
}

void InterruptLines::write_signals() {
    for (; signalled_ != 0; signalled_ &= signalled_ - 1) {
        const auto slot = static_cast<std::uint32_t>(__builtin_ctz(signalled_));
        if (slot == kPinSlot) pin_masked_ = true;
        const std::uint64_t one = 1;
        // EAGAIN: the counter is full, so the client has been told often enough.
        if (write(slots_[slot].number(), &one, sizeof one) == sizeof one) delivered_[slot]++;
    }
}

// --- the client's side
// ----------------------------------------------------------------------------

int InterruptLines::set(std::uint32_t flags, std::uint32_t index, std::uint32_t start,
                        std::uint32_t number, const std::uint8_t* booleans,
                        Descriptors& descriptors) {
    const std::uint32_t data = flags & vu::kSetDataTypes;
    const std::uint32_t action = flags & vu::kSetActions;
    const bool one_each = (data & (data - 1)) == 0 && (action & (action - 1)) == 0;
    if ((flags & ~(vu::kSetDataTypes | vu::kSetActions)) != 0 || data == 0 || action == 0 ||
        !one_each) {
        return EINVAL;
    }
    const std::uint32_t available = count(index);
    if (start > available || number > available - start) return EINVAL;
    if (action != vu::kSetTrigger) return set_mask(flags, index, number, booleans);

    if (number == 0) {
        // All of the index is switched off.
        if (data != vu::kSetDataNone || start != 0) return EINVAL;
        for (std::uint32_t i = 0; i < available; i++) assign(slot(index, i), {});
        if (index == vu::kIrqIntx) pin_masked_ = false;
        return 0;
    }
    if (data == vu::kSetDataEventfd) {
        if (descriptors.count() != 0 && descriptors.count() != number) return EINVAL;
        std::array<Descriptor, vu::kMaxDescriptors> taken;
        for (std::uint32_t i = 0; i < descriptors.count(); i++) {
            taken[i] = descriptors.take(i);
            if (!makes_event_descriptor(taken[i])) return EINVAL;
        }
        for (std::uint32_t i = 0; i < number; i++) {
            assign(slot(index, start + i), std::move(taken[i]));
        }
        if (index == vu::kIrqIntx) {
            pin_masked_ = false;
            signal_pin();
        }
        return 0;
    }
    for (std::uint32_t i = 0; i < number; i++) {
        if (data == vu::kSetDataBool && booleans[i] == 0) continue;
        signal(slot(index, start + i));
    }
    return 0;
}

int InterruptLines::set_mask(std::uint32_t flags, std::uint32_t index, std::uint32_t number,
                             const std::uint8_t* booleans) {
    // Only a level needs a mask; a descriptor that unmasks is of no use without KVM.
    if (index != vu::kIrqIntx || number != 1) return EINVAL;
    if ((flags & vu::kSetDataEventfd) != 0) return ENOTSUP;
    if ((flags & vu::kSetDataBool) != 0 && booleans[0] == 0) return 0;
    pin_masked_ = (flags & vu::kSetMask) != 0;
    if (pin_masked_) {
        signalled_ &= ~(1u << kPinSlot);
    } else {
        signal_pin();
    }
    return 0;
}

void InterruptLines::assign(std::uint32_t slot, Descriptor descriptor) {
    const std::uint32_t bit = 1u << slot;
    slots_[slot] = std::move(descriptor);
    if (!slots_[slot].open()) {
        signalled_ &= ~bit;
        waiting_ &= ~bit;
    } else if ((waiting_ & bit) != 0) {
        waiting_ &= ~bit;
        signalled_ |= bit;
    }
}

void InterruptLines::release_all() {
    for (std::uint32_t slot = 0; slot < kSlots; slot++) assign(slot, {});
    pin_masked_ = false;
}

// --- to look at
// -----------------------------------------------------------------------------------

bool InterruptLines::has_descriptor(std::uint32_t index, std::uint32_t number) const {
    return number < count(index) && slots_[slot(index, number)].open();
}

std::uint64_t InterruptLines::delivered(std::uint32_t index, std::uint32_t number) const {
    return number < count(index) ? delivered_[slot(index, number)] : 0;
}

}  // namespace doorbell::plugin
