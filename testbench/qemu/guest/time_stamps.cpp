// A program for the guest, where no tool prints single time stamps: PTP event frames out of or into
// eth0, each with the stamp that the card gave it between two readings of the card's clock.
//
// Usage: time_stamps send N | receive N
// Prints, in ns of the card's clock: "SEQUENCE BEFORE STAMP AFTER", and 0 for a stamp that is
// missing.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <linux/if_packet.h>
#include <linux/net_tstamp.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::uint16_t kPtpType = 0x88F7;
constexpr std::uint16_t kAnswerType = 0x88B5;  // For experiments (RFC 5342 appendix B).
constexpr std::uint8_t kSyncAddress[] = {0x01, 0x1B, 0x19, 0, 0, 0};
constexpr unsigned kSequenceAt = 14 + 30;  // IEEE 1588 table 18, behind the Ethernet header.
constexpr unsigned kFrameBytes = 60;
constexpr int kPatience_ms = 5000;

std::int64_t ns(const timespec& time) {
    return time.tv_sec * std::int64_t{1'000'000'000} + time.tv_nsec;
}

/// Of the clock behind an open /dev/ptpN (clock_gettime(2): dynamic clocks).
std::int64_t reading(int clock) {
    timespec now{};
    clock_gettime(static_cast<clockid_t>((~static_cast<unsigned>(clock) << 3) | 3), &now);
    return ns(now);
}

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(1);
}

int open_wire(bool sends) {
    const int wire = socket(AF_PACKET, SOCK_RAW, htons(kPtpType));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(kPtpType);
    address.sll_ifindex = static_cast<int>(if_nametoindex("eth0"));
    if (wire < 0 || bind(wire, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
        give_up("eth0");
    }
    // The card passes on what somebody asked for.
    packet_mreq group{};
    group.mr_ifindex = address.sll_ifindex;
    group.mr_type = PACKET_MR_MULTICAST;
    group.mr_alen = sizeof kSyncAddress;
    std::memcpy(group.mr_address, kSyncAddress, sizeof kSyncAddress);
    if (setsockopt(wire, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
        give_up("PACKET_ADD_MEMBERSHIP");
    }
    const int wanted = (sends ? SOF_TIMESTAMPING_TX_HARDWARE : SOF_TIMESTAMPING_RX_HARDWARE) |
                       SOF_TIMESTAMPING_RAW_HARDWARE;
    if (setsockopt(wire, SOL_SOCKET, SO_TIMESTAMPING, &wanted, sizeof wanted) != 0) {
        give_up("SO_TIMESTAMPING");
    }
    return wire;
}

/// The next frame of a queue of the socket: its sequence number, or -1 when none came; its stamp.
int take(int wire, int flags, std::int64_t& stamp_ns) {
    pollfd ready{wire, static_cast<short>(flags == 0 ? POLLIN : 0), 0};
    if (poll(&ready, 1, kPatience_ms) <= 0) return -1;
    std::uint8_t frame[2048];
    char control[512];
    iovec part{frame, sizeof frame};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = recvmsg(wire, &message, flags | MSG_DONTWAIT);
    if (size < static_cast<ssize_t>(kSequenceAt + 2)) return -1;
    stamp_ns = 0;
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
        if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SO_TIMESTAMPING) continue;
        scm_timestamping stamps{};
        std::memcpy(&stamps, CMSG_DATA(one), sizeof stamps);
        stamp_ns = ns({stamps.ts[2].tv_sec, stamps.ts[2].tv_nsec});
    }
    return frame[kSequenceAt] * 256 + frame[kSequenceAt + 1];
}

void tell(int sequence, std::int64_t before_ns, std::int64_t stamp_ns, std::int64_t after_ns) {
    std::printf("%d %lld %lld %lld\n", sequence, static_cast<long long>(before_ns),
                static_cast<long long>(stamp_ns), static_cast<long long>(after_ns));
    std::fflush(stdout);
}

void send_frames(int wire, int clock, int count) {
    std::uint8_t frame[kFrameBytes] = {0x01, 0x1B, 0x19, 0,    0,    0, 0x02, 0, 0,
                                       0x82, 0x57, 0x40, 0x88, 0xF7, 0, 2,    0, 44};
    for (int i = 0; i < count; i++) {
        frame[kSequenceAt] = static_cast<std::uint8_t>(i >> 8);
        frame[kSequenceAt + 1] = static_cast<std::uint8_t>(i);
        const std::int64_t before_ns = reading(clock);
        if (send(wire, frame, sizeof frame, 0) < 0) give_up("send");
        std::int64_t stamp_ns = 0;
        const int sequence = take(wire, MSG_ERRQUEUE, stamp_ns);
        tell(sequence, before_ns, stamp_ns, reading(clock));
    }
}

/// The card holds one stamp until it is read, so each frame is answered before the next is sent.
void receive_frames(int wire, int clock, int count) {
    std::uint8_t answer[kFrameBytes] = {0xFF,
                                        0xFF,
                                        0xFF,
                                        0xFF,
                                        0xFF,
                                        0xFF,
                                        0x02,
                                        0,
                                        0,
                                        0x82,
                                        0x57,
                                        0x40,
                                        kAnswerType >> 8,
                                        kAnswerType & 0xFF};
    std::int64_t before_ns = reading(clock);
    std::printf("listening\n");
    std::fflush(stdout);
    for (int i = 0; i < count; i++) {
        std::int64_t stamp_ns = 0;
        const int sequence = take(wire, 0, stamp_ns);
        if (sequence < 0) return;
        tell(sequence, before_ns, stamp_ns, reading(clock));
        before_ns = reading(clock);
        if (send(wire, answer, sizeof answer, 0) < 0) give_up("send");
    }
}

}  // namespace

int main(int argc, char** argv) {
    const bool sends = argc == 3 && std::strcmp(argv[1], "send") == 0;
    if (!sends && (argc != 3 || std::strcmp(argv[1], "receive") != 0)) return 2;
    const int clock = open("/dev/ptp0", O_RDONLY);
    if (clock < 0) give_up("/dev/ptp0");
    const int wire = open_wire(sends);
    (sends ? send_frames : receive_frames)(wire, clock, std::atoi(argv[2]));
    return 0;
}
