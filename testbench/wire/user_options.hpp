#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <string>
#include <vector>

#include "testbench/wire/wire_spec.hpp"

namespace doorbell::wire {

/// A port of this machine that leads to one of the guest.
struct PortForward {
    bool udp = false;
    in_addr host_address{};  ///< 0.0.0.0: every address of this machine.
    std::uint16_t host_port = 0;
    in_addr guest_address{};  ///< 0.0.0.0: the first address that DHCP gives out.
    std::uint16_t guest_port = 0;
    std::string text;  ///< As written, for messages.
};

/// `user:...`, with the names and defaults of QEMU's `-netdev user`.
struct UserOptions {
    bool ipv4 = true;
    bool ipv6 = true;
    in_addr network{};
    in_addr mask{};
    in_addr host{};
    in_addr dhcp_start{};
    in_addr dns{};
    in6_addr ipv6_prefix{};
    std::uint8_t ipv6_prefix_bits = 64;
    in6_addr ipv6_host{};
    in6_addr ipv6_dns{};
    bool restricted = false;
    std::string hostname;
    std::string domain_name;
    std::vector<std::string> dns_search;
    std::string tftp_folder;
    std::string tftp_server_name;
    std::string boot_file;
    std::uint32_t mtu_bytes = 0;  ///< 0: libslirp's own, 1500.
    std::vector<PortForward> forwards;
};

/// Returns what is wrong in one sentence (what, where, what would be right); "" when nothing is.
[[nodiscard]] std::string read_user_options(const WireSpec& spec, UserOptions& options);

}  // namespace doorbell::wire
