#include "testbench/wire/unix_far_side.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"

namespace doorbell::wire {
namespace {

constexpr std::size_t kLengthBytes = 4;
/// Longer than any packet that either side may send: not a stream of this kind.
constexpr std::uint32_t kLongest = 128 * 1024;

/// The announcement: a group address that no bridge forwards (IEEE 802.1D table 7-10), the type for
/// experiments (RFC 5342 appendix B), a word that says whose it is, and LinkAbilities field by
/// field.
namespace announcement {
constexpr std::uint8_t kTarget[] = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e};
constexpr std::uint16_t kType = 0x88b5;
constexpr char kWord[] = {'d', 'o', 'o', 'r', 'b', 'e', 'l', '1'};
constexpr std::uint32_t kWordAt = ethernet::kHeaderBytes;
constexpr std::uint32_t kFlags = kWordAt + sizeof kWord;
constexpr std::uint32_t kAnar = kFlags + 1;
constexpr std::uint32_t kCtrl1000 = kAnar + 2;
constexpr std::uint32_t kSeed = kCtrl1000 + 2;
constexpr std::uint32_t kSpeed = kSeed + 2;
constexpr std::uint32_t kEnd = kSpeed + 4;
constexpr std::uint32_t kBytes = 60;
static_assert(kEnd <= kBytes);

constexpr std::uint8_t kPresent = 1;
constexpr std::uint8_t kNegotiates = 2;
constexpr std::uint8_t kFullDuplex = 4;
constexpr std::uint8_t kLowestFirst = 8;

void write(const LinkAbilities& abilities, std::uint8_t* out) {
    std::memset(out, 0, kBytes);
    std::memcpy(out, kTarget, sizeof kTarget);
    out[ethernet::kSourceOffset] = 0x02;  // Nobody's in particular: locally administered.
    store_be16(out + ethernet::kTypeOffset, kType);
    std::memcpy(out + kWordAt, kWord, sizeof kWord);
    out[kFlags] = static_cast<std::uint8_t>(
        (abilities.present ? kPresent : 0) | (abilities.negotiates ? kNegotiates : 0) |
        (abilities.full_duplex ? kFullDuplex : 0) | (abilities.lowest_first ? kLowestFirst : 0));
    store_be16(out + kAnar, abilities.anar);
    store_be16(out + kCtrl1000, abilities.ctrl1000);
    store_be16(out + kSeed, abilities.master_seed);
    store_be32(out + kSpeed, abilities.speed_mbps);
}

bool is_one(const std::uint8_t* frame, std::uint32_t size_bytes) {
    return size_bytes == kBytes && std::memcmp(frame, kTarget, sizeof kTarget) == 0 &&
           load_be16(frame + ethernet::kTypeOffset) == kType &&
           std::memcmp(frame + kWordAt, kWord, sizeof kWord) == 0;
}

LinkAbilities read(const std::uint8_t* frame) {
    constexpr std::uint16_t kSeedMask = 0x7ff;
    LinkAbilities abilities;
    abilities.present = (frame[kFlags] & kPresent) != 0;
    abilities.negotiates = (frame[kFlags] & kNegotiates) != 0;
    abilities.full_duplex = (frame[kFlags] & kFullDuplex) != 0;
    abilities.lowest_first = (frame[kFlags] & kLowestFirst) != 0;
    abilities.anar = load_be16(frame + kAnar);
    abilities.ctrl1000 = load_be16(frame + kCtrl1000);
    abilities.master_seed = load_be16(frame + kSeed) & kSeedMask;
    const std::uint32_t speed = load_be32(frame + kSpeed);
    const bool known = speed == 10 || speed == 100 || speed == 1000;
    abilities.speed_mbps = known ? speed : 0;
    if (!abilities.negotiates && !known) abilities.present = false;
    return abilities;
}
}  // namespace announcement

/// For pauses of the listener.
std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

int milliseconds_until(std::chrono::steady_clock::time_point when) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(when - std::chrono::steady_clock::now());
    return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void wait_at_most(int& timeout_ms, int limit_ms) {
    if (timeout_ms < 0 || timeout_ms > limit_ms) timeout_ms = limit_ms;
}

std::string problem_of(const std::string& path, int error) {
    const std::string what = "cannot use the socket " + path + ": ";
    switch (error) {
        case EACCES:
        case EPERM:
            return what + "no permission there: take a folder of yours";
        case ENOENT:
        case ENOTDIR:
            return what + "there is no such folder: make it first";
        case EADDRINUSE:
        case ENOTSOCK:
            return what + "a file of that name is there and no socket: take another name";
        case EPROTOTYPE:
            return what +
                   "it is no stream socket (the one of doorbell serve is for QEMU): take "
                   "another name";
        default:
            return what + std::strerror(error);
    }
}

}  // namespace

std::unique_ptr<UnixFarSide> UnixFarSide::open(const std::string& path,
                                               const FarSideContext& context, std::string& error) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty()) {
        error = "it has no path: write unix:PATH, for example unix:/tmp/wire";
        return nullptr;
    }
    if (path.size() >= sizeof address.sun_path) {
        error = "the path " + path + " has " + std::to_string(path.size()) +
                " characters and a socket's may have " +
                std::to_string(sizeof address.sun_path - 1) + ": take a shorter one";
        return nullptr;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    std::unique_ptr<UnixFarSide> side(new UnixFarSide(path, address, context));
    const int failed = side->look_for_other_end();
    if (failed == 0) return side;
    error = problem_of(path, failed);
    return nullptr;
}

UnixFarSide::UnixFarSide(std::string path, const sockaddr_un& address,
                         const FarSideContext& context)
    : FarSideBase(context), path_(std::move(path)), address_(address), inward_(kReadBytes) {}

UnixFarSide::~UnixFarSide() {
    if (peer_ >= 0) write();
    if (peer_ >= 0) ::close(peer_);
    stop_listening();
}

std::string UnixFarSide::description() const {
    const std::string what = "cable through the socket " + path_;
    if (peer_ >= 0) return what + ", connected";
    return what + ", waiting for the other end";
}

// --- connections --------------------------------------------------------------------------------

int UnixFarSide::look_for_other_end() {
    looked_at_ = Clock::now();
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return errno;
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) == 0) {
        connected(descriptor);
        return 0;
    }
    const int failed = errno;
    ::close(descriptor);
    if (failed == EAGAIN) return 0;  // Others wait there already: look again later.
    // Nobody listens: what is there is left over from one who did, if it is a socket at all.
    if (failed != ECONNREFUSED && failed != ENOENT) return failed;
    struct stat status {};
    if (failed == ECONNREFUSED) {
        if (::lstat(path_.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode)) return ENOTSOCK;
        ::unlink(path_.c_str());
    }
    return listen();
}

int UnixFarSide::listen() {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) return errno;
    if (::bind(descriptor, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 ||
        ::listen(descriptor, 1) != 0) {
        const int failed = errno;
        ::close(descriptor);
        // Another one came first, a moment ago: the next look will find it.
        return failed == EADDRINUSE ? 0 : failed;
    }
    listener_ = descriptor;
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0) {
        listener_device_ = status.st_dev;
        listener_inode_ = status.st_ino;
    }
    return 0;
}

bool UnixFarSide::path_is_ours() const {
    struct stat status {};
    return ::lstat(path_.c_str(), &status) == 0 && status.st_dev == listener_device_ &&
           status.st_ino == listener_inode_;
}

void UnixFarSide::stop_listening() {
    if (listener_ < 0) return;
    if (path_is_ours()) ::unlink(path_.c_str());
    ::close(listener_);
    listener_ = -1;
}

/// Nobody is there. Two ends that begin at the same moment may each take the other's socket for one
/// that was left behind; the one whose file is not there any more goes to the other.
void UnixFarSide::look_again() {
    looked_at_ = Clock::now();
    if (listener_ >= 0 && path_is_ours()) return;
    stop_listening();
    if (look_for_other_end() != 0) looked_at_ = Clock::now();
}

void UnixFarSide::accept() {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor < 0) {
        const int error = errno;
        if (accept_pause_.failed(error, now_ns())) {
            say("an other end of " + path_ + " waits and cannot be taken: " + std::strerror(error) +
                "; trying on");
        }
        return;
    }
    accept_pause_.taken();
    if (peer_ >= 0) {
        ::close(descriptor);  // A cable has two ends.
        return;
    }
    connected(descriptor);
}

void UnixFarSide::connected(int descriptor) {
    peer_ = descriptor;
    connections_++;
    connected_at_ = Clock::now();
    known_ = false;
    announce();
}

/// From now on there is a link. Said here and not before: who hangs up at once was never there.
void UnixFarSide::found(const LinkAbilities& abilities) {
    if (!known_) say("the other end of " + path_ + " is there");
    known_ = true;
    complained_ = false;
    offer(abilities);
}

void UnixFarSide::lose(const std::string& why) {
    ::close(peer_);
    peer_ = -1;
    outward_.clear();
    written_ = 0;
    inward_begin_ = inward_end_ = 0;
    looked_at_ = Clock::now();
    if (known_) {
        say("the other end of " + path_ + " is gone" + why + ": no link until one comes");
    } else if (!complained_) {
        complained_ = true;
        say("the other end of " + path_ + " hangs up" + why +
            ": the cable may have two ends already; trying on");
    }
    known_ = false;
    offer({});
}

// --- the link -----------------------------------------------------------------------------------

void UnixFarSide::advertise(const LinkAbilities& abilities) {
    mine_ = abilities;
    announce();
}

void UnixFarSide::announce() {
    if (peer_ < 0) return;
    std::uint8_t frame[announcement::kBytes];
    announcement::write(mine_, frame);
    push(frame, sizeof frame);
}

// --- outward ------------------------------------------------------------------------------------

void UnixFarSide::send(FramePtr frame, Picoseconds, Picoseconds) {
    if (peer_ < 0) return count_lost_outward();
    if (outward_.size() - written_ > kOutwardBytes) write();
    if (outward_.size() - written_ > kOutwardBytes) return count_lost_outward();
    push(frame->data(), frame->size_bytes());
}

void UnixFarSide::push(const std::uint8_t* data, std::uint32_t size_bytes) {
    std::uint8_t length[kLengthBytes];
    store_be32(length, size_bytes);
    outward_.insert(outward_.end(), length, length + kLengthBytes);
    outward_.insert(outward_.end(), data, data + size_bytes);
}

void UnixFarSide::write() {
    while (peer_ >= 0 && written_ < outward_.size()) {
        const ssize_t bytes = ::send(peer_, outward_.data() + written_, outward_.size() - written_,
                                     MSG_NOSIGNAL | MSG_DONTWAIT);
        if (bytes < 0 && errno == EINTR) continue;
        if (bytes < 0 && errno != EAGAIN) return lose("");
        if (bytes < 0) break;
        written_ += static_cast<std::size_t>(bytes);
    }
    if (written_ < outward_.size() && written_ < kOutwardBytes) return;
    outward_.erase(outward_.begin(), outward_.begin() + static_cast<std::ptrdiff_t>(written_));
    written_ = 0;
}

// --- inward -------------------------------------------------------------------------------------

void UnixFarSide::read() {
    if (inward_begin_ > 0) {
        std::copy(inward_.begin() + static_cast<std::ptrdiff_t>(inward_begin_),
                  inward_.begin() + static_cast<std::ptrdiff_t>(inward_end_), inward_.begin());
        inward_end_ -= inward_begin_;
        inward_begin_ = 0;
    }
    const ssize_t bytes =
        ::recv(peer_, inward_.data() + inward_end_, inward_.size() - inward_end_, MSG_DONTWAIT);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (bytes <= 0) return lose("");
    inward_end_ += static_cast<std::size_t>(bytes);
    take_frames();
}

void UnixFarSide::take_frames() {
    while (all_delivered() && inward_end_ - inward_begin_ >= kLengthBytes) {
        const std::uint8_t* start = inward_.data() + inward_begin_;
        const std::uint32_t size = load_be32(start);
        if (size > kLongest) return lose(" (it did not send frames)");
        if (inward_end_ - inward_begin_ - kLengthBytes < size) break;
        take_frame(start + kLengthBytes, size);
        inward_begin_ += kLengthBytes + size;
        deliver();
    }
}

void UnixFarSide::take_frame(const std::uint8_t* data, std::uint32_t size_bytes) {
    if (announcement::is_one(data, size_bytes)) return found(announcement::read(data));
    if (size_bytes > Frame::kCapacityBytes) return count_lost_inward();
    FramePtr frame = frames().take();
    frame->resize(size_bytes);
    std::memcpy(frame->data(), data, size_bytes);
    arrive(std::move(frame));
}

// --- the loop -----------------------------------------------------------------------------------

void UnixFarSide::before_wait(std::vector<pollfd>& watched, int& timeout_ms) {
    if (listener_ >= 0 && accept_pause_.lasts(now_ns())) {
        wait_at_most(timeout_ms, AcceptPause::kLength_ms);
    } else if (listener_ >= 0) {
        watched.push_back({listener_, POLLIN, 0});
    }
    if (peer_ < 0) {
        wait_at_most(timeout_ms, milliseconds_until(looked_at_ + kRetry));
        return;
    }
    if (!known_) wait_at_most(timeout_ms, milliseconds_until(connected_at_ + kPatience));
    const int reads = all_delivered() ? POLLIN : 0;
    const int writes = written_ < outward_.size() ? POLLOUT : 0;
    if ((reads | writes) != 0) watched.push_back({peer_, static_cast<short>(reads | writes), 0});
}

void UnixFarSide::after_wait(const pollfd* ready, std::size_t count) {
    std::size_t next = 0;
    if (listener_ >= 0 && next < count && ready[next].fd == listener_) {
        if ((ready[next].revents & POLLIN) != 0) accept();
        next++;
    }
    deliver();
    take_frames();
    if (peer_ >= 0 && next < count && ready[next].fd == peer_) {
        if ((ready[next].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && all_delivered()) read();
    }
    if (peer_ < 0 && Clock::now() >= looked_at_ + kRetry) look_again();
    if (peer_ >= 0 && !known_ && Clock::now() >= connected_at_ + kPatience) {
        found(gigabit_partner());
    }
    deliver();
}

void UnixFarSide::flush() {
    write();
    deliver();
    take_frames();
}

void UnixFarSide::visit_metrics(MetricVisitor& visitor) const {
    FarSideBase::visit_metrics(visitor);
    visitor.metric("connections", connections_);
}

}  // namespace doorbell::wire
