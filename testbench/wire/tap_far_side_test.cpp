#include "testbench/wire/tap_far_side.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "testbench/wire/far_side_factory.hpp"
#include "testbench/wire/far_side_test_support.hpp"
#include "testbench/wire/virtio_header.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;
using test::TcpPacket;

// --- with a socket in place of the device -------------------------------------------------------

/// A TAP far side whose "kernel" is the other end of a pair of datagram sockets.
class TapOnASocket : public ::testing::Test {
protected:
    void open(const TapFarSide::Abilities& abilities) {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends), 0);
        kernel_ = ends[1];
        int bytes = 1 << 20;
        ::setsockopt(kernel_, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        side_ = std::make_unique<TapFarSide>(ends[0], "tap7", abilities, surroundings_.context);
        side_->attach(nic_);
    }
    void TearDown() override { ::close(kernel_); }

    struct Written {
        VirtioHeader header;
        Bytes bytes;
    };
    /// What the kernel got next; empty bytes when nothing.
    Written read_kernel(bool with_header = true) {
        Bytes buffer(70'000);
        const ssize_t size = ::read(kernel_, buffer.data(), buffer.size());
        Written written;
        if (size < 0) return written;
        std::size_t at = 0;
        if (with_header) {
            std::memcpy(&written.header, buffer.data(), sizeof written.header);
            at = sizeof written.header;
        }
        written.bytes.assign(buffer.begin() + static_cast<std::ptrdiff_t>(at),
                             buffer.begin() + size);
        return written;
    }
    void write_kernel(const VirtioHeader& header, const Bytes& bytes) {
        Bytes out(sizeof header);
        std::memcpy(out.data(), &header, sizeof header);
        out.insert(out.end(), bytes.begin(), bytes.end());
        ASSERT_EQ(::write(kernel_, out.data(), out.size()), static_cast<ssize_t>(out.size()));
    }
    /// A segment as the NIC hands it over when its wire takes trains.
    FramePtr segment(TcpPacket packet, const Bytes& all, std::uint32_t index, std::uint32_t mss,
                     std::uint32_t train) {
        const std::size_t from = std::size_t{index} * mss;
        const std::size_t to = std::min(all.size(), from + mss);
        packet.unfinished = true;
        packet.payload.assign(all.begin() + static_cast<std::ptrdiff_t>(from),
                              all.begin() + static_cast<std::ptrdiff_t>(to));
        packet.sequence += index * mss;
        packet.identification = static_cast<std::uint16_t>(packet.identification + index);
        const bool last = to == all.size();
        if (!last) packet.flags = 0x10;
        FramePtr frame = test::make_frame(surroundings_.frames, packet.bytes());
        FrameHints& hints = frame->hints;
        hints.checksum_unfinished = true;
        hints.last_segment = last;
        hints.checksum_start = static_cast<std::uint16_t>(packet.tcp_offset());
        hints.checksum_offset = 16;
        hints.segment_index = static_cast<std::uint16_t>(index);
        hints.train = train;
        hints.header_bytes = static_cast<std::uint16_t>(packet.header_bytes());
        hints.segment_bytes = static_cast<std::uint16_t>(mss);
        return frame;
    }

    test::Surroundings surroundings_;
    test::KeepingNic nic_;
    std::unique_ptr<TapFarSide> side_;
    int kernel_ = -1;
};

constexpr TapFarSide::Abilities kEverything = {true, true, true};

TEST_F(TapOnASocket, ATrainReachesTheKernelAsOneLargePacketWhenItsLastSegmentComes) {
    open(kEverything);
    for (const bool ipv6 : {false, true}) {
        TcpPacket packet;
        packet.ipv6 = ipv6;
        const Bytes all = test::pattern(3 * 1448 + 100);
        for (std::uint32_t i = 0; i < 4; i++) {
            EXPECT_TRUE(read_kernel().bytes.empty()) << "not before the last";
            side_->transmit(segment(packet, all, i, 1448, 1), 0, 0);
        }
        const Written written = read_kernel();
        packet.payload = all;
        packet.unfinished = true;
        EXPECT_EQ(written.bytes, packet.bytes());
        EXPECT_EQ(written.header.flags, 1);
        EXPECT_EQ(written.header.gso_type, ipv6 ? 4 : 1);
        EXPECT_EQ(written.header.segment_bytes, 1448);
        EXPECT_EQ(written.header.header_bytes, packet.header_bytes());
        EXPECT_EQ(written.header.checksum_start, packet.tcp_offset());
        EXPECT_EQ(written.header.checksum_offset, 16);
    }
    EXPECT_EQ(test::Metrics(*side_)["outward.frames"], 8u) << "the NIC sent real frames";
    EXPECT_EQ(test::Metrics(*side_)["outward.large_packets"], 2u);
}

TEST_F(TapOnASocket, AnotherFrameOrTheEndOfTheTurnSendsWhatIsThereOfATrain) {
    open(kEverything);
    const TcpPacket packet;
    const Bytes all = test::pattern(5000);
    side_->transmit(segment(packet, all, 0, 1000, 1), 0, 0);
    side_->transmit(segment(packet, all, 1, 1000, 1), 0, 0);
    const Bytes other = test::pattern(64);
    side_->transmit(test::make_frame(surroundings_.frames, other), 0, 0);
    EXPECT_EQ(read_kernel().bytes.size(), packet.header_bytes() + 2000);
    const Written alone = read_kernel();
    EXPECT_EQ(alone.bytes, other) << "in its place";
    EXPECT_EQ(alone.header.flags, 0);
    EXPECT_EQ(alone.header.gso_type, 0);

    side_->transmit(segment(packet, all, 2, 1000, 1), 0, 0);
    EXPECT_TRUE(read_kernel().bytes.empty());
    side_->flush();
    const Written rest = read_kernel();
    EXPECT_EQ(rest.bytes.size(), packet.header_bytes() + 1000);
    EXPECT_EQ(rest.header.gso_type, 0) << "a single segment is no large packet";
    EXPECT_EQ(rest.header.flags, 1);
}

TEST_F(TapOnASocket, AnUnfinishedChecksumGoesOutWithItsPlace) {
    open(kEverything);
    TcpPacket packet;
    packet.unfinished = true;
    packet.payload = test::pattern(10);
    FramePtr frame = test::make_frame(surroundings_.frames, packet.bytes());
    frame->hints.checksum_unfinished = true;
    frame->hints.checksum_start = 34;
    frame->hints.checksum_offset = 16;
    side_->transmit(std::move(frame), 0, 0);
    const Written written = read_kernel();
    EXPECT_EQ(written.bytes, packet.bytes());
    EXPECT_EQ(written.header.flags, 1);
    EXPECT_EQ(written.header.checksum_start, 34);
    EXPECT_EQ(written.header.checksum_offset, 16);
}

TEST_F(TapOnASocket, ALargePacketOfTheKernelBecomesFramesInOrder) {
    open(kEverything);
    TcpPacket packet;
    packet.unfinished = true;
    packet.payload = test::pattern(60'000);
    VirtioHeader header;
    header.flags = 1;
    header.gso_type = 1;
    header.segment_bytes = 1448;
    header.header_bytes = 66;
    header.checksum_start = 34;
    header.checksum_offset = 16;
    write_kernel(header, packet.bytes());
    surroundings_.turn(*side_);
    ASSERT_EQ(nic_.received.size(), 42u);
    Bytes all;
    for (const FramePtr& frame : nic_.received) {
        EXPECT_EQ(test::problem_of(*frame), "");
        all.insert(all.end(), frame->data() + packet.header_bytes(),
                   frame->data() + frame->size_bytes());
    }
    EXPECT_EQ(all, packet.payload);
}

TEST_F(TapOnASocket, AnUnfinishedChecksumOfTheKernelIsFinishedAndShortFramesArePadded) {
    open(kEverything);
    TcpPacket packet;
    packet.unfinished = true;
    packet.tcp_options_bytes = 0;
    VirtioHeader header;
    header.flags = 1;
    header.checksum_start = 34;
    header.checksum_offset = 16;
    write_kernel(header, packet.bytes());
    surroundings_.turn(*side_);
    ASSERT_EQ(nic_.received.size(), 1u);
    EXPECT_EQ(nic_.received[0]->size_bytes(), 60u);
    EXPECT_EQ(test::problem_of(*nic_.received[0]), "");
}

TEST_F(TapOnASocket, WhatTheKernelAnswersAtOnceReachesTheNicAtTheEndOfTheSameTurn) {
    open(kEverything);
    write_kernel({}, test::pattern(100));
    side_->flush();
    EXPECT_EQ(nic_.received.size(), 0u) << "nothing was sent: the kernel is asked with poll(2)";
    side_->transmit(test::make_frame(surroundings_.frames, test::pattern(64)), 0, 0);
    side_->flush();
    EXPECT_EQ(nic_.received.size(), 1u);
    write_kernel({}, test::pattern(100));
    side_->flush();
    EXPECT_EQ(nic_.received.size(), 1u) << "once for what was sent";
}

TEST_F(TapOnASocket, WhatTheNicHasNoRoomForStaysWithTheKernel) {
    open(kEverything);
    nic_.room = 3;
    for (std::uint32_t i = 0; i < 10; i++) write_kernel({}, test::pattern(100, 50 + i));
    for (int i = 0; i < 5; i++) surroundings_.turn(*side_);
    EXPECT_EQ(nic_.received.size(), 3u);
    std::vector<pollfd> watched;
    int timeout = -1;
    side_->before_wait(watched, timeout);
    ASSERT_EQ(watched.size(), 1u);
    EXPECT_EQ(watched[0].events & POLLIN, 0) << "it does not even ask";
    nic_.room = -1;
    for (int i = 0; i < 5; i++) surroundings_.turn(*side_);
    EXPECT_EQ(nic_.received.size(), 10u);
    for (std::uint32_t i = 0; i < 10; i++) {
        EXPECT_EQ(nic_.received[i]->data()[50], test::pattern(100, 50 + i)[50]) << "in order";
    }
    EXPECT_EQ(test::Metrics(*side_)["inward.lost_frames"], 0u);
}

TEST(TapThatTakesNothing, EveryFrameIsCountedAndTheReasonSaidOnce) {
    test::Surroundings surroundings;
    TapFarSide side(::open("/dev/null", O_RDONLY | O_CLOEXEC), "tap9", kEverything,
                    surroundings.context);
    test::KeepingNic nic;
    side.attach(nic);
    for (int i = 0; i < 5; i++) {
        side.transmit(test::make_frame(surroundings.frames, test::pattern(100)), 0, 0);
    }
    EXPECT_EQ(test::Metrics(side)["outward.lost_frames"], 5u);
    ASSERT_EQ(surroundings.said.size(), 1u);
    EXPECT_NE(surroundings.said[0].find("tap9 refused a packet of 100 bytes"), std::string::npos);
}

TEST_F(TapOnASocket, WhoLooksOnSeesFramesAsOnACableAndTheNicIsAskedForThem) {
    struct Watcher final : WireTap {
        void frame_out(std::uint32_t, const Frame&, Picoseconds) override { out++; }
        void frame_in(std::uint32_t, const Frame& frame, Picoseconds) override {
            EXPECT_EQ(test::problem_of(frame), "");
            in++;
        }
        int out = 0;
        int in = 0;
    } watcher;
    open(kEverything);
    EXPECT_TRUE(side_->offloads().checksums);
    EXPECT_TRUE(side_->offloads().trains);
    side_->tap(&watcher);
    EXPECT_FALSE(side_->offloads().checksums);
    EXPECT_FALSE(side_->offloads().trains);
    TcpPacket packet;
    packet.payload = test::pattern(100);
    side_->transmit(test::make_frame(surroundings_.frames, packet.bytes()), 0, 0);
    packet.payload = test::pattern(5000);
    packet.unfinished = true;
    VirtioHeader header;
    header.flags = 1;
    header.gso_type = 1;
    header.segment_bytes = 1000;
    header.checksum_start = 34;
    header.checksum_offset = 16;
    write_kernel(header, packet.bytes());
    surroundings_.turn(*side_);
    EXPECT_EQ(watcher.out, 1);
    EXPECT_EQ(watcher.in, 5);
}

TEST_F(TapOnASocket, WithoutDescriptionsPlainFramesPassAndNothingIsLeftToTheKernel) {
    open({false, false, false});
    EXPECT_FALSE(side_->offloads().checksums);
    EXPECT_FALSE(side_->offloads().trains);
    TcpPacket packet;
    packet.payload = test::pattern(100);
    side_->transmit(test::make_frame(surroundings_.frames, packet.bytes()), 0, 0);
    EXPECT_EQ(read_kernel(false).bytes, packet.bytes());
    const Bytes bytes = packet.bytes();
    ASSERT_EQ(::write(kernel_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    surroundings_.turn(*side_);
    ASSERT_EQ(nic_.received.size(), 1u);
    EXPECT_EQ(Bytes(nic_.received[0]->data(), nic_.received[0]->data() + bytes.size()), bytes);
}

TEST_F(TapOnASocket, DescriptionsThatCannotBeAreCountedAsLost) {
    open(kEverything);
    TcpPacket packet;
    packet.payload = test::pattern(3000);
    VirtioHeader header;
    const auto lost_after = [&](VirtioHeader bad, const Bytes& bytes) {
        write_kernel(bad, bytes);
        const std::uint64_t before = test::Metrics(*side_)["inward.lost_frames"];
        surroundings_.turn(*side_);
        return test::Metrics(*side_)["inward.lost_frames"] - before;
    };
    header.gso_type = 1;
    header.segment_bytes = 1000;
    EXPECT_EQ(lost_after(header, packet.bytes()), 1u) << "large without a checksum to do";
    header.flags = 1;
    header.checksum_start = 60'000;
    EXPECT_EQ(lost_after(header, packet.bytes()), 1u) << "a start outside";
    header.checksum_start = 34;
    header.segment_bytes = 0;
    EXPECT_EQ(lost_after(header, packet.bytes()), 1u) << "segments of nothing";
    header.segment_bytes = 1000;
    header.gso_type = 3;
    EXPECT_EQ(lost_after(header, packet.bytes()), 1u) << "a kind we did not ask for";
    header.gso_type = 0;
    header.checksum_offset = 60'000;
    EXPECT_EQ(lost_after(header, packet.bytes()), 1u) << "a place outside";
    EXPECT_EQ(lost_after({}, test::pattern(13)), 1u) << "shorter than an Ethernet header";
    EXPECT_EQ(lost_after({}, test::pattern(20'000)), 1u) << "longer than any frame";
    ASSERT_EQ(::write(kernel_, "abc", 3), 3);
    surroundings_.turn(*side_);
    EXPECT_EQ(test::Metrics(*side_)["inward.lost_frames"], 8u) << "shorter than a description";
    EXPECT_TRUE(nic_.received.empty());
}

// --- with a real device in a network namespace of the test's own --------------------------------

bool write_file(const char* path, const std::string& text) {
    std::ofstream file(path);
    file << text;
    return static_cast<bool>(file.flush());
}

/// A namespace for this process; false where that is not allowed.
bool enter_namespace() {
    if (::unshare(CLONE_NEWNET) == 0) return true;
    const uid_t user = ::getuid();
    const gid_t group = ::getgid();
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return false;
    write_file("/proc/self/setgroups", "deny");
    return write_file("/proc/self/uid_map", "0 " + std::to_string(user) + " 1") &&
           write_file("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
}

class TapInANamespace : public ::testing::Test {
protected:
    static constexpr const char* kName = "wires0";

    void SetUp() override {
        home_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        if (!enter_namespace()) {
            GTEST_SKIP() << "no network namespace may be made here: " << std::strerror(errno);
        }
        const int device = ::open("/dev/net/tun", O_RDWR);
        if (device < 0) GTEST_SKIP() << "cannot open /dev/net/tun: " << std::strerror(errno);
        ::close(device);
        MadeFarSide made = make_far_side(std::string("tap:") + kName, surroundings_.context);
        ASSERT_NE(made.far_side, nullptr) << made.error;
        side_ = std::move(made.far_side);
        side_->attach(nic_);
        set_address();
    }

    /// The tests after this one see the network that those before it saw.
    ~TapInANamespace() override {
        side_.reset();
        (void)::setns(home_, CLONE_NEWNET);
        ::close(home_);
    }

    /// 10.77.0.1/24, and the guest's 10.77.0.2 is known without ARP.
    void set_address() {
        const int control = ::socket(AF_INET, SOCK_DGRAM, 0);
        ifreq request{};
        std::strcpy(request.ifr_name, kName);
        auto* at = reinterpret_cast<sockaddr_in*>(&request.ifr_addr);
        at->sin_family = AF_INET;
        at->sin_addr.s_addr = htonl(0x0a4d0001);
        ASSERT_EQ(::ioctl(control, SIOCSIFADDR, &request), 0) << std::strerror(errno);
        at->sin_addr.s_addr = htonl(0xffffff00);
        ASSERT_EQ(::ioctl(control, SIOCSIFNETMASK, &request), 0);
        ifreq hardware{};
        std::strcpy(hardware.ifr_name, kName);
        ASSERT_EQ(::ioctl(control, SIOCGIFHWADDR, &hardware), 0);
        address_.assign(hardware.ifr_hwaddr.sa_data, hardware.ifr_hwaddr.sa_data + 6);
        arpreq neighbour{};
        auto* guest = reinterpret_cast<sockaddr_in*>(&neighbour.arp_pa);
        guest->sin_family = AF_INET;
        guest->sin_addr.s_addr = htonl(0x0a4d0002);
        neighbour.arp_ha.sa_family = ARPHRD_ETHER;
        const std::uint8_t mac[6] = {0x02, 0, 0, 0, 0, 2};
        std::memcpy(neighbour.arp_ha.sa_data, mac, 6);
        neighbour.arp_flags = ATF_PERM | ATF_COM;
        std::strcpy(neighbour.arp_dev, kName);
        ASSERT_EQ(::ioctl(control, SIOCSARP, &neighbour), 0) << std::strerror(errno);
        ::close(control);
    }

    TcpPacket to_host(std::uint8_t flags, std::uint32_t sequence, std::uint32_t acknowledgment) {
        TcpPacket packet;
        packet.tcp_options_bytes = 0;
        packet.flags = flags;
        packet.sequence = sequence;
        packet.acknowledgment = acknowledgment;
        packet.target_address = address_;
        packet.unfinished = true;
        return packet;
    }
    void send_unfinished(const TcpPacket& packet) {
        FramePtr frame = test::make_frame(surroundings_.frames, packet.bytes());
        frame->hints.checksum_unfinished = true;
        frame->hints.checksum_start = static_cast<std::uint16_t>(packet.tcp_offset());
        frame->hints.checksum_offset = 16;
        side_->transmit(std::move(frame), 0, 0);
        side_->flush();
    }
    /// The next TCP frame of the host with these flags set.
    const Frame* await_tcp(std::uint8_t flags) {
        for (int turns = 0; turns < 300; turns++) {
            for (; seen_ < nic_.received.size(); seen_++) {
                const Frame& frame = *nic_.received[seen_];
                const std::uint8_t* p = frame.data();
                if (load_be16(p + 12) != 0x0800 || p[23] != 6) continue;
                if ((p[34 + 13] & flags) != flags) continue;
                seen_++;
                return &frame;
            }
            surroundings_.turn(*side_, 10);
        }
        return nullptr;
    }

    test::Surroundings surroundings_;
    test::KeepingNic nic_;
    std::unique_ptr<FarSide> side_;
    int home_ = -1;  ///< The network that the process was started in.
    Bytes address_;
    std::size_t seen_ = 0;
};

TEST_F(TapInANamespace, LargePacketsAndUnfinishedChecksumsPassBothWaysThroughTheKernelsTcp) {
    constexpr std::uint8_t kSyn = 0x02;
    constexpr std::uint8_t kAck = 0x10;
    EXPECT_NE(side_->description().find("large packets"), std::string::npos)
        << side_->description();
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(5001);
    at.sin_addr.s_addr = htonl(0x0a4d0001);
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    ASSERT_EQ(::listen(listener, 1), 0);

    // The guest's side, by hand. Its checksums are unfinished: the kernel has to believe them.
    send_unfinished(to_host(kSyn, 999, 0));
    const Frame* answer = await_tcp(kSyn | kAck);
    ASSERT_NE(answer, nullptr);
    EXPECT_EQ(test::problem_of(*answer), "");
    std::uint32_t theirs = load_be32(answer->data() + 34 + 4) + 1;
    send_unfinished(to_host(kAck, 1000, theirs));
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    ASSERT_GE(connection, 0) << std::strerror(errno);

    // A large packet out of a train of segments: the host reads what was sent.
    const Bytes all = test::pattern(20'000);
    constexpr std::uint32_t kMss = 1460;
    for (std::uint32_t i = 0; i * kMss < all.size(); i++) {
        TcpPacket segment = to_host(kAck, 1000 + i * kMss, theirs);
        const auto from = static_cast<std::ptrdiff_t>(i * kMss);
        const auto to =
            std::min<std::ptrdiff_t>(from + kMss, static_cast<std::ptrdiff_t>(all.size()));
        segment.payload.assign(all.begin() + from, all.begin() + to);
        FramePtr frame = test::make_frame(surroundings_.frames, segment.bytes());
        FrameHints& hints = frame->hints;
        hints.checksum_unfinished = true;
        hints.checksum_start = 34;
        hints.checksum_offset = 16;
        hints.segment_index = static_cast<std::uint16_t>(i);
        hints.last_segment = to == static_cast<std::ptrdiff_t>(all.size());
        hints.train = 1;
        hints.header_bytes = 54;
        hints.segment_bytes = kMss;
        side_->transmit(std::move(frame), 0, 0);
    }
    surroundings_.turn(*side_, 10);
    EXPECT_EQ(test::Metrics(*side_)["outward.large_packets"], 1u);
    Bytes got(all.size() + 1);
    std::size_t size = 0;
    for (int tries = 0; tries < 300 && size < all.size(); tries++) {
        const ssize_t bytes = ::read(connection, got.data() + size, got.size() - size);
        if (bytes > 0) size += static_cast<std::size_t>(bytes);
        surroundings_.turn(*side_, 1);
    }
    got.resize(size);
    EXPECT_EQ(got, all);

    // The other way: the host's TCP sends large packets, the NIC gets frames.
    const auto after = static_cast<std::uint32_t>(1000 + all.size());
    ASSERT_EQ(::write(connection, all.data(), all.size()), static_cast<std::ptrdiff_t>(all.size()));
    Bytes received;
    while (received.size() < all.size()) {
        const Frame* frame = await_tcp(kAck);
        ASSERT_NE(frame, nullptr) << "after " << received.size() << " bytes";
        EXPECT_EQ(test::problem_of(*frame), "");
        EXPECT_LE(frame->size_bytes(), 1514u);
        const std::uint32_t header = 34 + (frame->data()[34 + 12] >> 4) * 4u;
        const std::uint32_t bytes = load_be16(frame->data() + 16) + 14u - header;
        if (bytes == 0 || load_be32(frame->data() + 34 + 4) != theirs) continue;
        received.insert(received.end(), frame->data() + header, frame->data() + header + bytes);
        theirs += bytes;
        send_unfinished(to_host(kAck, after, theirs));
    }
    EXPECT_EQ(received, all);
    EXPECT_GE(test::Metrics(*side_)["inward.large_packets"], 1u);
    ::close(connection);
    ::close(listener);
}

TEST_F(TapInANamespace, ADeviceThatAnotherHasIsBusy) {
    MadeFarSide second = make_far_side(std::string("tap:") + kName, surroundings_.context);
    EXPECT_EQ(second.far_side, nullptr);
    EXPECT_NE(second.error.find("another process has it"), std::string::npos) << second.error;
}

TEST_F(TapInANamespace, AnInterfaceThatIsNoTapIsRefused) {
    MadeFarSide made = make_far_side("tap:lo", surroundings_.context);
    EXPECT_EQ(made.far_side, nullptr);
    EXPECT_NE(made.error.find("no TAP device"), std::string::npos) << made.error;
}

TEST_F(TapInANamespace, ADeviceThatIsDeletedTakesTheLinkDownAndTheLoopDoesNotSpin) {
    if (std::system("ip link delete wires0 2>/dev/null") != 0) {
        GTEST_SKIP() << "there is no ip(8) here to delete an interface with";
    }
    for (int turns = 0; turns < 3; turns++) surroundings_.turn(*side_, 10);
    ASSERT_EQ(nic_.partners.size(), 2u);
    EXPECT_FALSE(nic_.partners[1].present);
    std::vector<pollfd> watched;
    int timeout = -1;
    side_->before_wait(watched, timeout);
    EXPECT_TRUE(watched.empty());
    ASSERT_FALSE(surroundings_.said.empty());
    EXPECT_NE(surroundings_.said.back().find("is gone"), std::string::npos);
}

std::string refusal(const std::string& spec) {
    test::Surroundings surroundings;
    MadeFarSide made = make_far_side(spec, surroundings.context);
    EXPECT_EQ(made.far_side, nullptr) << spec;
    return made.error;
}

TEST(TapNames, ANameThatNoInterfaceCanHaveIsRefusedWithTheReason) {
    EXPECT_NE(refusal("tap").find("write tap:NAME"), std::string::npos);
    EXPECT_NE(refusal("tap:").find("write tap:NAME"), std::string::npos);
    EXPECT_NE(refusal("tap:a_name_that_is_too_long").find("at most 15"), std::string::npos);
    EXPECT_NE(refusal("tap:a b").find("no interface may have"), std::string::npos);
    EXPECT_NE(refusal("tap:a/b").find("no interface may have"), std::string::npos);
    EXPECT_NE(refusal("tap:tap%d").find("no interface may have"), std::string::npos);
    EXPECT_NE(refusal("tap:tap0,vhost=on").find("'vhost' at character 10"), std::string::npos);
}

}  // namespace
}  // namespace doorbell::wire
