#include "testbench/wire/tap_far_side.hpp"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "hw/mac/ethernet.hpp"
#include "testbench/wire/virtio_header.hpp"

namespace doorbell::wire {
namespace {

constexpr const char* kDevice = "/dev/net/tun";
/// The largest IP packet with an Ethernet header and two tags.
constexpr std::size_t kPacketBytes =
    SegmentTrain::kMaximumIpBytes + ethernet::kHeaderBytes + 2 * ethernet::kVlanTagBytes;
constexpr std::size_t kHeaderBytes = sizeof(VirtioHeader);

/// A descriptor that is closed unless it is released.
class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const { return value_; }
    [[nodiscard]] int release() { return std::exchange(value_, -1); }

private:
    int value_;
};

std::string name_problem(const std::string& name) {
    if (name.empty()) return "it has no name: write tap:NAME, for example tap:tap0";
    if (name.size() >= IFNAMSIZ) {
        return "the name '" + name + "' has " + std::to_string(name.size()) +
               " characters and an interface at most " + std::to_string(IFNAMSIZ - 1) +
               ": take a shorter one";
    }
    for (const char c : name) {
        if (c == '/' || c == '%' || c <= ' ' || c == 0x7f) {
            return "the name '" + name +
                   "' has a character that no interface may have: use letters, digits and dashes";
        }
    }
    if (name == "." || name == "..") return "no interface may be called '" + name + "'";
    return "";
}

std::string open_problem(int error) {
    const std::string what = "cannot open " + std::string(kDevice) + ": ";
    switch (error) {
        case ENOENT:
        case ENODEV:
        case ENXIO:
            return what +
                   "this kernel has no TUN/TAP driver here: load it (modprobe tun), or make "
                   "the device (mkdir -p /dev/net && mknod /dev/net/tun c 10 200), or use "
                   "--wire user, which needs neither";
        case EACCES:
        case EPERM:
            return what +
                   "no permission: run as root, have an administrator allow you the device, "
                   "or use --wire user, which needs no rights";
        default:
            return what + std::strerror(error);
    }
}

std::string attach_problem(const std::string& name, int error) {
    const std::string what = "cannot attach to the TAP device " + name + ": ";
    switch (error) {
        case EPERM:
        case EACCES:
            return what + "no permission: an administrator can make it for you (ip tuntap add " +
                   name + " mode tap user $USER), or use --wire user, which needs no rights";
        case EBUSY:
            return what + "another process has it: stop that one or take another name";
        case EINVAL:
            return what +
                   "an interface of that name exists and is no TAP device with one queue: "
                   "take another name";
        default:
            return what + std::strerror(error);
    }
}

ifreq request_for(const std::string& name) {
    ifreq request;
    std::memset(&request, 0, sizeof request);
    std::memcpy(request.ifr_name, name.data(), name.size());
    return request;
}

enum class InterfaceState { kUp, kDown, kUnknown };

/// Brings the interface up when we may; what is down swallows everything.
InterfaceState bring_up(const std::string& name) {
    const Descriptor control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (control.get() < 0) return InterfaceState::kUnknown;
    ifreq request = request_for(name);
    if (::ioctl(control.get(), SIOCGIFFLAGS, &request) < 0) return InterfaceState::kUnknown;
    if ((request.ifr_flags & IFF_UP) != 0) return InterfaceState::kUp;
    request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
    return ::ioctl(control.get(), SIOCSIFFLAGS, &request) == 0 ? InterfaceState::kUp
                                                               : InterfaceState::kDown;
}

/// What the kernel will give us: as much as it can.
TapFarSide::Abilities agree(int descriptor, bool header) {
    TapFarSide::Abilities abilities;
    abilities.header = header;
    if (!header) return abilities;
    int bytes = kHeaderBytes;
    if (::ioctl(descriptor, TUNSETVNETHDRSZ, &bytes) < 0) {
        int found = 0;
        if (::ioctl(descriptor, TUNGETVNETHDRSZ, &found) < 0 || found != bytes) return {};
    }
    constexpr unsigned long kSegments = TUN_F_TSO4 | TUN_F_TSO6;
    for (const unsigned long wanted :
         {TUN_F_CSUM | kSegments | TUN_F_TSO_ECN, TUN_F_CSUM | kSegments, 0ul | TUN_F_CSUM}) {
        if (::ioctl(descriptor, TUNSETOFFLOAD, wanted) < 0) continue;
        abilities.checksums = true;
        abilities.segments = (wanted & kSegments) != 0;
        break;
    }
    return abilities;
}

}  // namespace

std::unique_ptr<TapFarSide> TapFarSide::open(const std::string& name, const FarSideContext& context,
                                             std::string& error) {
    error = name_problem(name);
    if (!error.empty()) return nullptr;
    Descriptor device(::open(kDevice, O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (device.get() < 0) {
        error = open_problem(errno);
        return nullptr;
    }
    unsigned features = 0;
    const bool known = ::ioctl(device.get(), TUNGETFEATURES, &features) == 0;
    const bool header = known && (features & IFF_VNET_HDR) != 0;
    ifreq request = request_for(name);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (header ? IFF_VNET_HDR : 0));
    if (::ioctl(device.get(), TUNSETIFF, &request) < 0) {
        error = attach_problem(name, errno);
        return nullptr;
    }
    const Abilities abilities = agree(device.get(), header);
    if (header && !abilities.header) {
        error = "cannot use the TAP device " + name +
                ": this kernel's packet headers have a size that is not known here: make the "
                "device anew (ip link delete " +
                name + ")";
        return nullptr;
    }
    auto far_side = std::make_unique<TapFarSide>(device.release(), name, abilities, context);
    if (bring_up(name) == InterfaceState::kDown) {
        far_side->say(name + " is down and nothing passes it: ip link set " + name + " up");
    }
    if (!abilities.segments) {
        far_side->say("this kernel's TAP devices cannot take large packets: TCP will be slower");
    }
    return far_side;
}

TapFarSide::TapFarSide(int descriptor, std::string name, const Abilities& abilities,
                       const FarSideContext& context)
    : FarSideBase(context),
      descriptor_(descriptor),
      name_(std::move(name)),
      abilities_(abilities),
      buffer_(kHeaderBytes + kPacketBytes) {}

TapFarSide::~TapFarSide() {
    ::close(descriptor_);
}

std::string TapFarSide::description() const {
    std::string what = "TAP device " + name_;
    if (abilities_.segments) return what + ", large packets and unfinished checksums both ways";
    if (abilities_.checksums) return what + ", unfinished checksums both ways";
    return what + ", plain frames";
}

/// The descriptions work outward whatever the kernel agreed to inward.
WireOffloads TapFarSide::outward_offloads() const {
    return {abilities_.header, abilities_.header, true};
}

// --- outward ------------------------------------------------------------------------------------

void TapFarSide::send(FramePtr frame, Picoseconds, Picoseconds) {
    if (frame->hints.train != 0) {
        if (train_.add(frame)) {
            if (train_.complete()) send_train();
            return;
        }
        send_train();
        if (train_.add(frame)) {
            if (train_.complete()) send_train();
            return;
        }
    } else {
        send_train();
    }
    send_alone(*frame);
}

void TapFarSide::send_train() {
    if (train_.empty()) return;
    VirtioHeader header;
    pieces_.assign(1, {&header, kHeaderBytes});
    const SegmentTrain::Packet packet = train_.join(pieces_);
    header.flags = VirtioHeader::kNeedsChecksum;
    header.header_bytes = static_cast<std::uint16_t>(packet.header_bytes);
    header.checksum_start = static_cast<std::uint16_t>(packet.checksum.start);
    header.checksum_offset = static_cast<std::uint16_t>(packet.checksum.offset);
    if (packet.segments > 1) {
        large_outward_++;
        header.gso_type = packet.ipv6 ? VirtioHeader::kTcpIpv6 : VirtioHeader::kTcpIpv4;
        if (packet.congestion_reduced) {
            header.gso_type =
                static_cast<std::uint8_t>(header.gso_type | VirtioHeader::kCongestion);
        }
        header.segment_bytes = static_cast<std::uint16_t>(packet.segment_bytes);
    }
    write(pieces_, packet.size_bytes);
    train_.clear();
}

void TapFarSide::send_alone(const Frame& frame) {
    VirtioHeader header;
    if (frame.hints.checksum_unfinished) {
        header.flags = VirtioHeader::kNeedsChecksum;
        header.checksum_start = frame.hints.checksum_start;
        header.checksum_offset = frame.hints.checksum_offset;
        header.header_bytes = static_cast<std::uint16_t>(header.checksum_start +
                                                         header.checksum_offset + sizeof(short));
    }
    pieces_.clear();
    if (abilities_.header) pieces_.push_back({&header, kHeaderBytes});
    pieces_.push_back({const_cast<std::uint8_t*>(frame.data()), frame.size_bytes()});
    write(pieces_, frame.size_bytes());
}

/// A full queue or an interface that is down loses the frame, as a cable would.
void TapFarSide::write(const std::vector<iovec>& pieces, std::uint32_t size_bytes) {
    ssize_t written = 0;
    do {
        written = ::writev(descriptor_, pieces.data(), static_cast<int>(pieces.size()));
    } while (written < 0 && errno == EINTR);
    wrote_ = true;
    if (written >= 0) return;
    count_lost_outward();
    if (gone_) return;
    if (errno == last_error_ || errno == EAGAIN) return;
    last_error_ = errno;
    say(name_ + " refused a packet of " + std::to_string(size_bytes) + " bytes: " +
        std::strerror(errno) + (errno == EIO ? "; it is down: ip link set " + name_ + " up" : ""));
}

// --- inward -------------------------------------------------------------------------------------

/// What the NIC has no room for stays in the kernel's queue, where TCP notices it.
void TapFarSide::before_wait(std::vector<pollfd>& watched, int&) {
    if (gone_) return;
    watched.push_back({descriptor_, static_cast<short>(all_delivered() ? POLLIN : 0), 0});
}

void TapFarSide::after_wait(const pollfd* ready, std::size_t count) {
    if (count == 0) return;
    if ((ready->revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return lose_device();
    if ((ready->revents & POLLIN) == 0) return;
    read_packets();
}

/// The host's kernel often answers a packet while it is being written.
void TapFarSide::flush() {
    send_train();
    deliver();
    if (wrote_) read_packets();
}

void TapFarSide::read_packets() {
    wrote_ = false;
    for (unsigned reads = 0; reads < kReadsPerTurn && all_delivered(); reads++) {
        if (!read_packet()) return;
        deliver();
    }
}

/// Somebody deleted the interface.
void TapFarSide::lose_device() {
    gone_ = true;
    say("the TAP device " + name_ + " is gone: the cable is out until the end");
    offer({});
}

bool TapFarSide::read_packet() {
    const ssize_t bytes = ::read(descriptor_, buffer_.data(), buffer_.size());
    if (bytes <= 0) return bytes < 0 && errno == EINTR;
    take_packet(static_cast<std::size_t>(bytes));
    return true;
}

void TapFarSide::take_packet(std::size_t size_bytes) {
    VirtioHeader header;
    std::uint8_t* data = buffer_.data();
    if (abilities_.header) {
        if (size_bytes < kHeaderBytes) return count_lost_inward();
        std::memcpy(&header, data, kHeaderBytes);
        data += kHeaderBytes;
        size_bytes -= kHeaderBytes;
    }
    const auto bytes = static_cast<std::uint32_t>(size_bytes);
    const bool unfinished = (header.flags & VirtioHeader::kNeedsChecksum) != 0;
    const unsigned type = header.gso_type & ~unsigned{VirtioHeader::kCongestion};
    if (type == VirtioHeader::kTcpIpv4 || type == VirtioHeader::kTcpIpv6) {
        if (!unfinished ||
            !cutter_.start(data, bytes, header.checksum_start, header.segment_bytes)) {
            return count_lost_inward();
        }
        large_inward_++;
        return cut();
    }
    if (type != VirtioHeader::kWhole || bytes > Frame::kCapacityBytes) {
        return count_lost_inward();
    }
    if (unfinished &&
        !finish_checksum(data, bytes, {header.checksum_start, header.checksum_offset})) {
        return count_lost_inward();
    }
    FramePtr frame = frames().take();
    frame->resize(bytes);
    std::memcpy(frame->data(), data, bytes);
    arrive(std::move(frame));
}

void TapFarSide::cut() {
    while (!cutter_.done()) {
        FramePtr frame = frames().take();
        cutter_.next(*frame);
        arrive(std::move(frame));
    }
}

void TapFarSide::visit_metrics(MetricVisitor& visitor) const {
    FarSideBase::visit_metrics(visitor);
    visitor.metric("outward.large_packets", large_outward_);
    visitor.metric("inward.large_packets", large_inward_);
}

}  // namespace doorbell::wire
