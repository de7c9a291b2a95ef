#include "hw/plugin/session.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "hw/plugin/shared_memory.hpp"

namespace doorbell::plugin {

namespace vu = vfio_user;

namespace {

std::string hex(std::uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string range_text(std::uint64_t address, std::uint64_t size_bytes) {
    return hex(size_bytes) + " bytes at " + hex(address);
}

int peer_of(int socket) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return 0;
    return peer.pid;
}

}  // namespace

void LimitedLog::warn(const std::string& line) {
    const std::uint64_t now_ns = clock_.now_ns();
    const std::uint64_t seconds = (now_ns - refilled_ns_) / kSecond_ns;
    if (seconds > 0) {
        tokens_ = std::min(kBurst, tokens_ + seconds);
        refilled_ns_ = now_ns;
    }
    if (tokens_ == 0) {
        left_out_++;
        return;
    }
    tokens_--;
    if (left_out_ == 0) {
        log_.warn(line);
    } else {
        log_.warn(line + " (and " + std::to_string(left_out_) + " lines left out before)");
        left_out_ = 0;
    }
}

Session::Session(Descriptor socket, NicDevice& device, ModelTime& time, const HostClock& clock,
                 ServerLog& log)
    : channel_(std::move(socket)),
      device_(device),
      time_(time),
      clock_(clock),
      plain_log_(log),
      log_(log, clock),
      began_ns_(clock.now_ns()),
      peer_(peer_of(channel_.number())) {}

// --- the socket
// -----------------------------------------------------------------------------------

short Session::events() const {
    short events = 0;
    if (state_ == State::kClosing || !channel_.congested()) events |= POLLIN;
    if (state_ != State::kClosing && (channel_.unsent() || untaken_)) events |= POLLOUT;
    return events;
}

void Session::ready(short happened) {
    if (state_ == State::kGone) return;
    if (state_ == State::kClosing) {
        if (channel_.drained()) state_ = State::kGone;
        return;
    }
    if ((happened & POLLOUT) != 0 && !channel_.flush()) return gone();
    if (channel_.congested()) {
        // It sends and does not read. What it sent stays in the socket until it does, or goes.
        if ((happened & (POLLHUP | POLLERR)) != 0) gone();
        return;
    }
    if (untaken_) {
        work();
        if (untaken_ || state_ == State::kClosing || state_ == State::kGone) return;
    }
    if ((happened & (POLLIN | POLLHUP | POLLERR)) == 0) return;
    switch (channel_.receive()) {
        case ClientChannel::Received::kNothing:
            return;
        case ClientChannel::Received::kEnd:
            return gone();
        case ClientChannel::Received::kBytes:
            break;
    }
    counters_.receives++;
    work();
}

void Session::work() {
    time_.settle();
    take_messages();
    time_.settle();
}

void Session::take_messages() {
    Message message;
    untaken_ = false;
    while (state_ == State::kGreeting || state_ == State::kOpen) {
        // A short question may have a long answer: one receive brings thousands of them.
        if (channel_.congested() && !channel_.flush()) return gone();
        if (channel_.congested()) {
            untaken_ = true;
            return;
        }
        switch (channel_.next(message)) {
            case ClientChannel::Next::kNone:
                return;
            case ClientChannel::Next::kMalformed:
                return break_off(channel_.what());
            case ClientChannel::Next::kMessage:
                counters_.messages++;
                handle(message);
                break;
        }
    }
}

void Session::finish_turn() {
    device_.interrupts().deliver();
    look_for_lost_memory();
    if ((state_ == State::kGreeting || state_ == State::kOpen) && channel_.unsent() &&
        !channel_.flush()) {
        gone();
    }
}

void Session::close() {
    if (state_ == State::kGone || state_ == State::kClosing) return;
    (void)channel_.flush();
    channel_.shut_down();
    closing_since_ns_ = clock_.now_ns();
    state_ = channel_.drained() ? State::kGone : State::kClosing;
}

void Session::look_for_lost_memory() {
    if (state_ != State::kOpen || !device_.memory().memory_vanished()) return;
    break_off("it made its memory's file shorter while the device was using it");
}

bool Session::leaving() const {
    if (state_ == State::kClosing || state_ == State::kGone) return true;
    pollfd peer{channel_.number(), 0, 0};
    return poll(&peer, 1, 0) > 0 && (peer.revents & POLLHUP) != 0;
}

void Session::break_off(const std::string& why) {
    plain_log_.warn("client: " + why + "; the connection is closed");
    close();
}

void Session::gone() {
    if (channel_.error() != 0 && channel_.error() != ECONNRESET && channel_.error() != EPIPE) {
        plain_log_.warn(std::string("client: the connection broke: ") +
                        std::strerror(channel_.error()));
    }
    state_ = State::kGone;
}

bool Session::over() {
    if (state_ == State::kClosing && clock_.now_ns() - closing_since_ns_ > kPatience_ns) {
        state_ = State::kGone;
    }
    return state_ == State::kGone;
}

// --- messages
// -------------------------------------------------------------------------------------

void Session::handle(const Message& message) {
    const vu::Header& header = message.header;
    if ((header.flags & vu::kTypeMask) != vu::kTypeCommand) {
        // We ask nothing, so nothing is answered.
        return complain(message, "is a reply to nothing that was asked; it is ignored");
    }
    const auto command = static_cast<vu::Command>(header.command);
    if (state_ == State::kGreeting && command != vu::Command::kVersion) {
        return refuse(message, EINVAL, "came before VERSION");
    }
    switch (command) {
        case vu::Command::kRegionWriteMulti:
            return handle_write_multi(message);
        case vu::Command::kRegionWrite:
            return handle_region_write(message);
        case vu::Command::kRegionRead:
            return handle_region_read(message);
        case vu::Command::kSetIrqs:
            return handle_set_irqs(message);
        case vu::Command::kVersion:
            return handle_version(message);
        case vu::Command::kDmaMap:
            return handle_dma_map(message);
        case vu::Command::kDmaUnmap:
            return handle_dma_unmap(message);
        case vu::Command::kGetInfo:
            return handle_get_info(message);
        case vu::Command::kGetRegionInfo:
            return handle_region_info(message);
        case vu::Command::kGetIrqInfo:
            return handle_irq_info(message);
        case vu::Command::kReset:
            return handle_reset(message);
        case vu::Command::kGetRegionIoFds:
        case vu::Command::kDirtyPages:
        case vu::Command::kDeviceFeature:
        case vu::Command::kMigrationRead:
        case vu::Command::kMigrationWrite:
            return refuse(message, ENOTSUP, "is not supported");
        case vu::Command::kDmaRead:
        case vu::Command::kDmaWrite:
            return refuse(message, EINVAL, "is the server's to send, not the client's");
    }
    refuse(message, ENOTSUP, "is not known");
}

bool Session::long_enough(const Message& message, std::uint32_t bytes) {
    if (message.size_bytes >= bytes) return true;
    refuse(message, EINVAL,
           "has " + std::to_string(message.size_bytes) + " bytes behind its header, fewer than " +
               std::to_string(bytes));
    return false;
}

/// For payloads that begin with their own size, `argsz`.
bool Session::complete(const Message& message, std::uint32_t bytes) {
    if (!long_enough(message, bytes)) return false;
    const std::uint32_t said = load_le32(message.payload);
    if (said >= bytes) return true;
    refuse(message, EINVAL,
           "says that its payload has " + std::to_string(said) + " bytes (argsz), fewer than " +
               std::to_string(bytes));
    return false;
}

void Session::complain(const Message& message, const std::string& what) {
    log_.warn("client: " + vu::command_name(message.header.command) + " (message " +
              std::to_string(message.header.id) + ") " + what);
}

void Session::refuse(const Message& message, int error, const std::string& why) {
    counters_.errors++;
    complain(message, why);
    if (message.header.wants_reply()) channel_.reply_error(message.header, error);
}

void Session::done(const Message& message) {
    if (message.header.wants_reply()) (void)channel_.reply(message.header, 0);
}

void Session::handle_version(const Message& message) {
    if (!long_enough(message, vu::Version::kBytes)) return;
    if (state_ != State::kGreeting) return refuse(message, EINVAL, "came a second time");
    const auto version = vu::Version::load(message.payload);
    if (version.major != 0) {
        refuse(message, EINVAL,
               "asks for version " + std::to_string(version.major) + '.' +
                   std::to_string(version.minor) + " of vfio-user; this server speaks 0.0");
        return close();
    }
    if (!message.header.wants_reply()) {
        return refuse(message, EINVAL, "wants no reply, but has to have one");
    }
    // QEMU takes no reply that is longer than its request.
    const std::string text = vu::version_text(message.size_bytes - vu::Version::kBytes);
    const auto size = static_cast<std::uint32_t>(text.size());
    std::uint8_t* reply = channel_.reply(message.header, vu::Version::kBytes + size);
    store_le16(reply, 0);
    store_le16(reply + 2, 0);
    std::memcpy(reply + vu::Version::kBytes, text.data(), size);
    state_ = State::kOpen;
}

void Session::handle_dma_map(const Message& message) {
    if (!complete(message, vu::DmaMap::kBytes)) return;
    const auto map = vu::DmaMap::load(message.payload);
    const std::string range = range_text(map.address, map.size_bytes);
    constexpr std::uint32_t kRights = vu::kMapRead | vu::kMapWrite;
    if ((map.flags & kRights) == 0 || (map.flags & ~kRights) != 0) {
        return refuse(message, EINVAL,
                      "of " + range + " has flags " + hex(map.flags) +
                          "; a map is to be read (1), written (2) or both (3)");
    }
    if (message.descriptors->count() > 1) {
        return refuse(message, EINVAL, "of " + range + " came with more than one descriptor");
    }
    Descriptor file;
    if (message.descriptors->count() == 1) file = message.descriptors->take(0);
    if (file.open() && sharing_of_peer(channel_.number(), file.number()) == Sharing::kPrivate) {
        private_memory_ = true;
        return refuse(message, EINVAL,
                      "of " + range +
                          ": the client's memory is a private copy, which the device would never "
                          "see; give its memory backend share=on (-object "
                          "memory-backend-memfd,...,share=on)");
    }
    DmaTable::Range wanted;
    wanted.address = map.address;
    wanted.size_bytes = map.size_bytes;
    wanted.readable = (map.flags & vu::kMapRead) != 0;
    wanted.writable = (map.flags & vu::kMapWrite) != 0;
    const int error = device_.memory().add(wanted, file.number(), map.offset);
    if (error == EEXIST) {
        return refuse(message, error, "of " + range + " overlaps what is mapped already");
    }
    if (error == ENOSPC) {
        return refuse(message, error,
                      "of " + range + " is one too many: " + std::to_string(vu::kMaxDmaMaps) +
                          " maps are the limit that the server stated");
    }
    if (error == EINVAL) {
        return refuse(message, error,
                      "of " + range + " from offset " + hex(map.offset) +
                          " is no range of whole pages within the file it came with");
    }
    if (error != 0) {
        return refuse(message, error, "of " + range + " failed: " + std::strerror(error));
    }
    done(message);
}

void Session::handle_dma_unmap(const Message& message) {
    if (!complete(message, vu::DmaUnmap::kBytes)) return;
    const auto unmap = vu::DmaUnmap::load(message.payload);
    const bool all = unmap.flags == vu::kUnmapAll;
    if (unmap.flags != 0 && !all) {
        return refuse(message, ENOTSUP, "has flags " + hex(unmap.flags) + ", which are not known");
    }
    if (all && (unmap.address != 0 || unmap.size_bytes != 0)) {
        return refuse(
            message, EINVAL,
            "of all names a range as well: " + range_text(unmap.address, unmap.size_bytes));
    }
    // What the device has under way reaches memory first; after the answer nothing does.
    time_.settle();
    device_.nic().push_posted_writes();
    int error = 0;
    if (all) {
        device_.memory().clear();
    } else {
        error = device_.memory().remove(unmap.address, unmap.size_bytes);
    }
    if (error != 0) {
        return refuse(
            message, error,
            "of " + range_text(unmap.address, unmap.size_bytes) +
                (error == ENOENT ? ": nothing is mapped there" : " cuts a mapped range in two"));
    }
    if (!message.header.wants_reply()) return;
    std::memcpy(channel_.reply(message.header, vu::DmaUnmap::kBytes), message.payload,
                vu::DmaUnmap::kBytes);
}

void Session::handle_get_info(const Message& message) {
    if (!complete(message, vu::DeviceInfo::kBytes)) return;
    // What follows would be silent corruption. QEMU goes on after a map that failed, but not after
    // this, which it asks when it has mapped its memory.
    if (private_memory_) {
        return refuse(message, EINVAL, "is not answered: the client's memory is not shared");
    }
    if (!message.header.wants_reply()) return;
    vu::DeviceInfo{vu::DeviceInfo::kBytes, vu::kDeviceReset | vu::kDevicePci, vu::kRegions,
                   vu::kIrqs}
        .store(channel_.reply(message.header, vu::DeviceInfo::kBytes));
}

void Session::handle_region_info(const Message& message) {
    if (!complete(message, vu::RegionInfo::kBytes)) return;
    auto info = vu::RegionInfo::load(message.payload);
    if (info.index >= vu::kRegions) {
        return refuse(message, EINVAL, "asks for region " + std::to_string(info.index));
    }
    info.argsz = vu::RegionInfo::kBytes;
    info.size_bytes = device_.region_bytes(info.index);
    info.flags = 0;
    if (info.size_bytes != 0) info.flags = vu::kRegionReadable;
    if (device_.region_writable(info.index)) info.flags |= vu::kRegionWritable;
    info.capabilities_offset = 0;
    info.offset = 0;
    if (message.header.wants_reply()) {
        info.store(channel_.reply(message.header, vu::RegionInfo::kBytes));
    }
}

void Session::handle_irq_info(const Message& message) {
    if (!complete(message, vu::IrqInfo::kBytes)) return;
    auto info = vu::IrqInfo::load(message.payload);
    if (info.index >= vu::kIrqs) {
        return refuse(message, EINVAL, "asks for interrupt index " + std::to_string(info.index));
    }
    info.argsz = vu::IrqInfo::kBytes;
    info.count = device_.interrupts().count(info.index);
    info.flags = info.count != 0 ? vu::kIrqEventfd : 0;
    if (info.index == vu::kIrqIntx) info.flags |= vu::kIrqMaskable | vu::kIrqAutomasked;
    if (message.header.wants_reply()) {
        info.store(channel_.reply(message.header, vu::IrqInfo::kBytes));
    }
}

void Session::handle_set_irqs(const Message& message) {
    if (!complete(message, vu::SetIrqs::kBytes)) return;
    const auto set = vu::SetIrqs::load(message.payload);
    const std::uint8_t* data = message.payload + vu::SetIrqs::kBytes;
    if ((set.flags & vu::kSetDataBool) != 0 &&
        message.size_bytes - vu::SetIrqs::kBytes < set.count) {
        return refuse(message, EINVAL, "has fewer bytes than interrupts");
    }
    const int error = set.index < vu::kIrqs
                          ? device_.interrupts().set(set.flags, set.index, set.start, set.count,
                                                     data, *message.descriptors)
                          : EINVAL;
    if (error != 0) {
        return refuse(message, error,
                      "cannot be done: flags " + hex(set.flags) + ", index " +
                          std::to_string(set.index) + ", start " + std::to_string(set.start) +
                          ", count " + std::to_string(set.count) + ", descriptors " +
                          std::to_string(message.descriptors->count()));
    }
    done(message);
}

void Session::handle_region_read(const Message& message) {
    if (!long_enough(message, vu::RegionAccess::kBytes)) return;
    const auto access = vu::RegionAccess::load(message.payload);
    if (access.count > vu::kMaxDataBytes) {
        return refuse(message, EINVAL,
                      "asks for " + std::to_string(access.count) + " bytes, more than " +
                          std::to_string(vu::kMaxDataBytes));
    }
    if (!message.header.wants_reply()) return;
    if (access.offset > device_.region_bytes(access.region) ||
        access.count > device_.region_bytes(access.region) - access.offset) {
        return refuse(message, EINVAL,
                      "is outside of region " + std::to_string(access.region) + ": " +
                          range_text(access.offset, access.count));
    }
    counters_.region_reads++;
    // It sees what the writes before it did.
    time_.settle();
    std::uint8_t* reply = channel_.reply(message.header, vu::RegionAccess::kBytes + access.count);
    access.store(reply);
    (void)device_.read(access.region, access.offset, reply + vu::RegionAccess::kBytes,
                       access.count);
}

void Session::handle_region_write(const Message& message) {
    if (!long_enough(message, vu::RegionAccess::kBytes)) return;
    const auto access = vu::RegionAccess::load(message.payload);
    if (message.size_bytes - vu::RegionAccess::kBytes < access.count) {
        return refuse(message, EINVAL,
                      "has " + std::to_string(message.size_bytes - vu::RegionAccess::kBytes) +
                          " bytes of data, and says " + std::to_string(access.count));
    }
    counters_.region_writes++;
    if (!device_.write(access.region, access.offset, message.payload + vu::RegionAccess::kBytes,
                       access.count)) {
        return refuse(message, EINVAL,
                      "is outside of region " + std::to_string(access.region) + ": " +
                          range_text(access.offset, access.count));
    }
    if (!message.header.wants_reply()) return;
    access.store(channel_.reply(message.header, vu::RegionAccess::kBytes));
}

void Session::handle_write_multi(const Message& message) {
    if (!long_enough(message, vu::WriteMulti::kBytes)) return;
    const std::uint64_t count = load_le64(message.payload);
    if (count > (message.size_bytes - vu::WriteMulti::kBytes) / vu::WriteMulti::kEntryBytes) {
        return refuse(
            message, EINVAL,
            "says it has " + std::to_string(count) + " writes, and is too short for them");
    }
    const std::uint8_t* entry = message.payload + vu::WriteMulti::kBytes;
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < count; i++, entry += vu::WriteMulti::kEntryBytes) {
        const auto access = vu::RegionAccess::load(entry);
        counters_.region_writes++;
        if (access.count > vu::WriteMulti::kDataBytes ||
            !device_.write(access.region, access.offset, entry + vu::RegionAccess::kBytes,
                           access.count)) {
            refused++;
        }
    }
    if (refused != 0) {
        return refuse(message, EINVAL,
                      "has " + std::to_string(refused) + " writes outside of any region");
    }
    if (!message.header.wants_reply()) return;
    store_le64(channel_.reply(message.header, vu::WriteMulti::kBytes), count);
}

void Session::handle_reset(const Message& message) {
    device_.reset();
    done(message);
}

}  // namespace doorbell::plugin
