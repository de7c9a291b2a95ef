#include "testbench/wire/user_far_side.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "testbench/wire/far_side_factory.hpp"
#include "testbench/wire/far_side_test_support.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;

const Bytes kGuestAddress = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56};

Bytes udp_frame(const Bytes& target, std::uint32_t source_ip, std::uint32_t target_ip,
                std::uint16_t source_port, std::uint16_t target_port, const Bytes& payload) {
    Bytes out = target;
    out.insert(out.end(), kGuestAddress.begin(), kGuestAddress.end());
    out.insert(out.end(), {0x08, 0x00});
    out.resize(14 + 28);
    out.insert(out.end(), payload.begin(), payload.end());
    std::uint8_t* ip = out.data() + 14;
    ip[0] = 0x45;
    store_be16(ip + 2, static_cast<std::uint16_t>(28 + payload.size()));
    ip[8] = 64;
    ip[9] = 17;
    store_be32(ip + 12, source_ip);
    store_be32(ip + 16, target_ip);
    store_be16(ip + 10, static_cast<std::uint16_t>(~test::plain_sum(ip, 20)));
    std::uint8_t* udp = ip + 20;
    const auto bytes = static_cast<std::uint32_t>(8 + payload.size());
    store_be16(udp, source_port);
    store_be16(udp + 2, target_port);
    store_be16(udp + 4, static_cast<std::uint16_t>(bytes));
    store_be16(udp + 6, static_cast<std::uint16_t>(
                            ~test::plain_sum(udp, bytes, test::pseudo_sum(ip, 17, bytes))));
    return out;
}

/// A message of RFC 2131.
Bytes dhcp_message(std::uint8_t type, std::uint32_t requested) {
    Bytes out(240);
    out[0] = 1;
    out[1] = 1;
    out[2] = 6;
    store_be32(&out[4], 0xfeedbeef);
    std::copy(kGuestAddress.begin(), kGuestAddress.end(), out.begin() + 28);
    store_be32(&out[236], 0x63825363);
    out.insert(out.end(), {53, 1, type});
    if (requested != 0) {
        out.insert(out.end(), {50, 4, 0, 0, 0, 0});
        store_be32(&out[out.size() - 4], requested);
    }
    out.push_back(255);
    out.resize(300);
    return out;
}

/// An option of a DHCP reply in a frame; empty when it is not there.
Bytes dhcp_option(const Frame& frame, std::uint8_t code) {
    const std::uint8_t* p = frame.data() + 14 + 28 + 240;
    const std::uint8_t* end = frame.data() + frame.size_bytes();
    while (p + 1 < end && *p != 255) {
        if (*p == 0) {
            p++;
            continue;
        }
        if (p + 2 + p[1] > end) break;
        if (*p == code) return Bytes(p + 2, p + 2 + p[1]);
        p += 2 + p[1];
    }
    return {};
}

bool is_udp_to(const Frame& frame, std::uint16_t port) {
    return frame.size_bytes() > 42 && load_be16(frame.data() + 12) == 0x0800 &&
           frame.data()[23] == 17 && load_be16(frame.data() + 36) == port;
}

class UserNetwork : public ::testing::Test {
protected:
    void open(const std::string& spec) {
        MadeFarSide made = make_far_side(spec, surroundings_.context);
        ASSERT_NE(made.far_side, nullptr) << made.error;
        side_ = std::move(made.far_side);
        side_->attach(nic_);
    }
    void send(const Bytes& bytes) {
        side_->transmit(test::make_frame(surroundings_.frames, bytes), 0, 0);
    }
    /// The next UDP datagram to `port` of the guest.
    const Frame* await_udp(std::uint16_t port) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (std::chrono::steady_clock::now() < deadline) {
            surroundings_.turn(*side_, 10);
            for (; seen_ < nic_.received.size(); seen_++) {
                const Frame& frame = *nic_.received[seen_];
                if (is_udp_to(frame, port)) {
                    seen_++;
                    return &frame;
                }
            }
        }
        return nullptr;
    }
    /// Leases an address as a client does; returns it.
    std::uint32_t lease() {
        const Bytes everybody(6, 0xff);
        send(udp_frame(everybody, 0, 0xffffffff, 68, 67, dhcp_message(1, 0)));
        const Frame* offer = await_udp(68);
        if (offer == nullptr || dhcp_option(*offer, 53) != Bytes{2}) return 0;
        EXPECT_EQ(test::problem_of(*offer), "");
        const std::uint32_t address = load_be32(offer->data() + 42 + 16);
        send(udp_frame(everybody, 0, 0xffffffff, 68, 67, dhcp_message(3, address)));
        const Frame* reply = await_udp(68);
        if (reply == nullptr || dhcp_option(*reply, 53) != Bytes{5}) return 0;
        reply_ = reply;
        return address;
    }

    test::Surroundings surroundings_;
    test::KeepingNic nic_;
    std::unique_ptr<FarSide> side_;
    std::size_t seen_ = 0;
    const Frame* reply_ = nullptr;
};

TEST_F(UserNetwork, LeasesAnAddressByDhcpWithRouterAndNameServer) {
    open("user");
    EXPECT_EQ(lease(), 0x0a00020fu) << "10.0.2.15";
    ASSERT_NE(reply_, nullptr);
    EXPECT_EQ(dhcp_option(*reply_, 3), (Bytes{10, 0, 2, 2}));
    EXPECT_EQ(dhcp_option(*reply_, 6), (Bytes{10, 0, 2, 3}));
}

TEST_F(UserNetwork, OptionsAboutAddressesReachTheLease) {
    open("user:net=192.168.76.0/24,dhcpstart=192.168.76.9,hostname=guest,domainname=example.org");
    EXPECT_EQ(lease(), 0xc0a84c09u);
    ASSERT_NE(reply_, nullptr);
    EXPECT_EQ(dhcp_option(*reply_, 3), (Bytes{192, 168, 76, 2}));
    EXPECT_EQ(dhcp_option(*reply_, 12), (Bytes{'g', 'u', 'e', 's', 't'}));
    const Bytes domain = dhcp_option(*reply_, 15);
    EXPECT_EQ(std::string(domain.begin(), domain.end()), "example.org");
}

TEST_F(UserNetwork, GivesAFileByTftpAndNamesItInTheLease) {
    const auto folder =
        std::filesystem::temp_directory_path() / ("doorbell_tftp_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const Bytes content = test::pattern(700);
    std::ofstream(folder / "boot.ipxe", std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), 700);
    open("user:tftp=" + folder.string() + ",bootfile=boot.ipxe");
    ASSERT_NE(lease(), 0u);
    const char* file = reinterpret_cast<const char*>(reply_->data() + 42 + 108);
    EXPECT_STREQ(file, "boot.ipxe");

    const Bytes gateway = {0x52, 0x55, 10, 0, 2, 2};
    Bytes request = {0, 1};
    for (const char c : std::string("boot.ipxe")) request.push_back(static_cast<std::uint8_t>(c));
    request.push_back(0);
    for (const char c : std::string("octet")) request.push_back(static_cast<std::uint8_t>(c));
    request.push_back(0);
    send(udp_frame(gateway, 0x0a00020f, 0x0a000202, 2000, 69, request));
    Bytes got;
    for (std::uint8_t block = 1; block <= 2; block++) {
        const Frame* data = await_udp(2000);
        ASSERT_NE(data, nullptr);
        EXPECT_EQ(test::problem_of(*data), "");
        const std::uint8_t* tftp = data->data() + 42;
        ASSERT_EQ(load_be16(tftp), 3) << "a block of data";
        ASSERT_EQ(load_be16(tftp + 2), block);
        const std::uint32_t bytes = load_be16(data->data() + 38) - 8u - 4u;
        got.insert(got.end(), tftp + 4, tftp + 4 + bytes);
        const std::uint16_t from = load_be16(data->data() + 34);
        send(udp_frame(gateway, 0x0a00020f, 0x0a000202, 2000, from, {0, 4, 0, block}));
    }
    EXPECT_EQ(got, content);
    std::filesystem::remove_all(folder);
}

/// A port of this machine that is free now.
std::uint16_t free_port(int type) {
    const int probe = ::socket(AF_INET, type, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    EXPECT_EQ(::bind(probe, reinterpret_cast<sockaddr*>(&at), size), 0);
    EXPECT_EQ(::getsockname(probe, reinterpret_cast<sockaddr*>(&at), &size), 0);
    ::close(probe);
    return ntohs(at.sin_port);
}

TEST_F(UserNetwork, ADatagramToAForwardedPortReachesTheGuest) {
    const std::uint16_t port = free_port(SOCK_DGRAM);
    open("user:hostfwd=udp:127.0.0.1:" + std::to_string(port) + "-:7");
    ASSERT_NE(lease(), 0u);
    const int client = ::socket(AF_INET, SOCK_DGRAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::sendto(client, "hello", 5, 0, reinterpret_cast<sockaddr*>(&at), sizeof at), 5);
    const Frame* frame = await_udp(7);
    ::close(client);
    ASSERT_NE(frame, nullptr);
    EXPECT_EQ(std::memcmp(frame->data() + 42, "hello", 5), 0);
}

TEST_F(UserNetwork, TheLinkIsAGigabitOneFromTheStart) {
    open("user");
    ASSERT_EQ(nic_.partners.size(), 1u);
    EXPECT_TRUE(nic_.partners[0].present);
    EXPECT_NE(nic_.partners[0].ctrl1000 & 0x0200, 0);
    EXPECT_EQ(nic_.partners[0].anar & 0x0c00, 0x0400) << "symmetric PAUSE";
}

TEST_F(UserNetwork, ANicWithoutRoomIsAskedAgainLaterAndNothingIsLost) {
    open("user");
    nic_.room = 0;
    const Bytes everybody(6, 0xff);
    send(udp_frame(everybody, 0, 0xffffffff, 68, 67, dhcp_message(1, 0)));
    for (int turns = 0; turns < 5; turns++) surroundings_.turn(*side_);
    EXPECT_TRUE(nic_.received.empty());
    nic_.room = -1;
    EXPECT_NE(await_udp(68), nullptr);
    EXPECT_EQ(test::Metrics(*side_)["inward.lost_frames"], 0u);
}

TEST_F(UserNetwork, FramesOfAnyKindAreSurvived) {
    open("user");
    std::uint32_t seed = 1;
    for (std::uint32_t size = 14; size < 2000; size += 7) {
        Bytes noise = test::pattern(size, ++seed);
        if (size % 3 == 0) noise[12] = 0x08, noise[13] = 0x00, noise[14] = 0x45;
        if (size % 3 == 1) noise[12] = 0x08, noise[13] = 0x06;
        send(noise);
        surroundings_.turn(*side_);
    }
    EXPECT_NE(lease(), 0u) << "it still serves";
}

std::string refusal(const std::string& spec) {
    test::Surroundings surroundings;
    MadeFarSide made = make_far_side(spec, surroundings.context);
    EXPECT_EQ(made.far_side, nullptr) << spec;
    return made.error;
}

TEST(UserOptions, AnUnknownOptionIsNamedWithItsPlaceAndTheAcceptedOnes) {
    const std::string error = refusal("user:net=10.0.2.0/24,hostfwrd=tcp::1-:2");
    EXPECT_NE(error.find("'hostfwrd' at character 22"), std::string::npos) << error;
    EXPECT_NE(error.find("accepted: net, host,"), std::string::npos) << error;
}

TEST(UserOptions, EachWrongValueSaysWhatWouldBeRight) {
    const std::pair<const char*, const char*> rows[] = {
        {"user:net=10.0.2.0/33", "8 to 29"},
        {"user:net=10.0.2.0/255.0.255.0", "is no network"},
        {"user:net=x", "is no network"},
        {"user:host=10.0.3.1", "not in the network"},
        {"user:dns=10.0.2.2", "the same address"},
        {"user:dhcpstart=banana", "is no address"},
        {"user:restrict=yes", "neither on nor off"},
        {"user:ipv4=off,ipv6=off", "both ipv4 and ipv6"},
        {"user:tftp=/nonexistent/folder", "is no folder"},
        {"user:mtu=100", "576 to 9000"},
        {"user:ipv6-net=fec0::/200", "no IPv6 network"},
        {"user:hostfwd=sctp::1-:2", "is no forwarding"},
        {"user:hostfwd=tcp:1-2", "is no forwarding"},
        {"user:hostfwd=tcp::70000-:22", "is no forwarding"},
        {"user:hostfwd=tcp::1-:0", "is no forwarding"},
        {"user:hostfwd=tcp:localhost:1-:2", "is no forwarding"},
        {"user:hostname", "needs a value"},
        {"user:hostname=", "is empty"},
        {"user:,", "there is none of that name"},
    };
    for (const auto& [spec, expected] : rows) {
        EXPECT_NE(refusal(spec).find(expected), std::string::npos) << spec << ": " << refusal(spec);
    }
}

TEST(UserOptions, TwoCommasAreOneThatBelongsToTheValue) {
    const WireSpec spec = parse_wire_spec("user:bootfile=a,,b,net=10.0.0.0/8");
    ASSERT_EQ(spec.options.size(), 2u);
    EXPECT_EQ(spec.options[0].value, "a,b");
    EXPECT_EQ(spec.options[1].key, "net");
    EXPECT_EQ(spec.options[1].position, 20u);
}

TEST(UserOptions, APortThatIsTakenIsSaid) {
    const int holder = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    ASSERT_EQ(::bind(holder, reinterpret_cast<sockaddr*>(&at), size), 0);
    ASSERT_EQ(::listen(holder, 1), 0);
    ASSERT_EQ(::getsockname(holder, reinterpret_cast<sockaddr*>(&at), &size), 0);
    const std::string error =
        refusal("user:hostfwd=tcp:127.0.0.1:" + std::to_string(ntohs(at.sin_port)) + "-:22");
    EXPECT_NE(error.find("another program has the port"), std::string::npos) << error;
    ::close(holder);
}

TEST(FarSideFactory, AWireThatIsNoneIsAnsweredWithThoseThatAre) {
    const std::string error = refusal("tapp:tap0");
    EXPECT_NE(error.find("'tapp:tap0'"), std::string::npos) << error;
    EXPECT_NE(error.find("tap:NAME"), std::string::npos) << error;
    EXPECT_NE(error.find("user["), std::string::npos) << error;
}

}  // namespace
}  // namespace doorbell::wire
