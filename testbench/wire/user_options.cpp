#include "testbench/wire/user_options.hpp"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace doorbell::wire {
namespace {

constexpr std::string_view kAccepted =
    "net, host, dhcpstart, dns, ipv4, ipv6, ipv6-net, ipv6-host, ipv6-dns, restrict, hostname, "
    "domainname, dnssearch, tftp, tftp-server-name, bootfile, mtu, hostfwd";

in_addr address(std::uint32_t value) {
    in_addr result{};
    result.s_addr = htonl(value);
    return result;
}
std::uint32_t number(in_addr value) {
    return ntohl(value.s_addr);
}

bool read_address(std::string_view text, in_addr& result) {
    return ::inet_pton(AF_INET, std::string(text).c_str(), &result) == 1;
}
bool read_address(std::string_view text, in6_addr& result) {
    return ::inet_pton(AF_INET6, std::string(text).c_str(), &result) == 1;
}
template <typename Number>
bool read_number(std::string_view text, Number& result) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), result);
    return !text.empty() && read.ec == std::errc() && read.ptr == text.data() + text.size();
}
bool read_switch(std::string_view text, bool& result) {
    if (text != "on" && text != "off") return false;
    result = text == "on";
    return true;
}
bool is_folder(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// 10.0.2.0/24 or 10.0.2.0/255.255.255.0.
std::string read_network(std::string_view text, UserOptions& options) {
    const std::string wanted =
        "'" + std::string(text) + "' is no network: write address/bits, for example 10.0.2.0/24";
    const std::size_t slash = text.find('/');
    if (!read_address(text.substr(0, slash), options.network)) return wanted;
    std::uint32_t bits = 24;
    if (slash != std::string_view::npos) {
        const std::string_view mask = text.substr(slash + 1);
        in_addr dotted{};
        if (read_address(mask, dotted)) {
            const std::uint32_t holes = ~number(dotted);
            if ((holes & (holes + 1)) != 0) return wanted;
            bits = static_cast<std::uint32_t>(__builtin_popcount(number(dotted)));
        } else if (!read_number(mask, bits)) {
            return wanted;
        }
    }
    if (bits < 8 || bits > 29) {
        return "a network of " + std::to_string(bits) +
               " bits has no room for its hosts or too much: take 8 to 29";
    }
    options.mask = address(~std::uint32_t{0} << (32 - bits));
    options.network = address(number(options.network) & number(options.mask));
    return "";
}

std::string read_ipv6_network(std::string_view text, UserOptions& options) {
    const std::size_t slash = text.find('/');
    const bool good = read_address(text.substr(0, slash), options.ipv6_prefix) &&
                      (slash == std::string_view::npos ||
                       read_number(text.substr(slash + 1), options.ipv6_prefix_bits));
    if (good && options.ipv6_prefix_bits >= 1 && options.ipv6_prefix_bits <= 126) return "";
    return "'" + std::string(text) +
           "' is no IPv6 network: write prefix/bits, for example fec0::/64";
}

/// [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport
std::string read_forward(std::string_view text, PortForward& forward) {
    const std::string wanted = "'" + std::string(text) +
                               "' is no forwarding: write tcp:hostaddress:port-guestaddress:port "
                               "(addresses may be left empty), for example tcp:127.0.0.1:2222-:22";
    forward.text = std::string(text);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return wanted;
    const std::string_view protocol = text.substr(0, colon);
    if (protocol != "tcp" && protocol != "udp" && !protocol.empty()) return wanted;
    forward.udp = protocol == "udp";
    const std::string_view rest = text.substr(colon + 1);
    const std::size_t dash = rest.find('-');
    if (dash == std::string_view::npos) return wanted;
    const auto read_end = [](std::string_view end, in_addr& at, std::uint16_t& port) {
        const std::size_t split = end.find(':');
        if (split == std::string_view::npos) return false;
        const std::string_view name = end.substr(0, split);
        return (name.empty() || read_address(name, at)) && read_number(end.substr(split + 1), port);
    };
    if (!read_end(rest.substr(0, dash), forward.host_address, forward.host_port) ||
        !read_end(rest.substr(dash + 1), forward.guest_address, forward.guest_port) ||
        forward.guest_port == 0) {
        return wanted;
    }
    return "";
}

template <typename Address>
std::string read_host(std::string_view text, Address& result, const char* example) {
    if (read_address(text, result)) return "";
    return "'" + std::string(text) + "' is no address: write one like " + example;
}

/// Which addresses were given, since the others follow the network.
struct Given {
    bool host = false;
    bool dhcp_start = false;
    bool dns = false;
    bool ipv6_host = false;
    bool ipv6_dns = false;
};

std::string read_text(std::string_view key, std::string_view value, UserOptions& options) {
    // What DHCP and TFTP can carry in one option.
    constexpr std::size_t kLongest = 255;
    if (value.empty()) return "it is empty: give it a value or leave it out";
    if (value.size() > kLongest && key != "tftp") {
        return "it has " + std::to_string(value.size()) + " characters and may have " +
               std::to_string(kLongest);
    }
    const std::string text(value);
    if (key == "hostname") options.hostname = text;
    if (key == "domainname") options.domain_name = text;
    if (key == "dnssearch") options.dns_search.push_back(text);
    if (key == "tftp-server-name") options.tftp_server_name = text;
    if (key == "bootfile") options.boot_file = text;
    if (key == "tftp") {
        if (!is_folder(text)) return "'" + text + "' is no folder: name one that is there";
        options.tftp_folder = text;
    }
    return "";
}

std::string read_one(const WireOption& option, UserOptions& options, Given& given) {
    const std::string_view key = option.key;
    const std::string_view value = option.value;
    if (key == "net") return read_network(value, options);
    if (key == "host") {
        given.host = true;
        return read_host(value, options.host, "10.0.2.2");
    }
    if (key == "dhcpstart") {
        given.dhcp_start = true;
        return read_host(value, options.dhcp_start, "10.0.2.15");
    }
    if (key == "dns") {
        given.dns = true;
        return read_host(value, options.dns, "10.0.2.3");
    }
    if (key == "ipv6-net") return read_ipv6_network(value, options);
    if (key == "ipv6-host") {
        given.ipv6_host = true;
        return read_host(value, options.ipv6_host, "fec0::2");
    }
    if (key == "ipv6-dns") {
        given.ipv6_dns = true;
        return read_host(value, options.ipv6_dns, "fec0::3");
    }
    if (key == "ipv4" || key == "ipv6" || key == "restrict") {
        bool& target = key == "ipv4"   ? options.ipv4
                       : key == "ipv6" ? options.ipv6
                                       : options.restricted;
        if (read_switch(value, target)) return "";
        return "'" + std::string(value) + "' is neither on nor off";
    }
    if (key == "mtu") {
        if (read_number(value, options.mtu_bytes) && options.mtu_bytes >= 576 &&
            options.mtu_bytes <= 9000) {
            return "";
        }
        return "'" + std::string(value) + "' is no size of a packet: write 576 to 9000";
    }
    if (key == "hostfwd") {
        options.forwards.emplace_back();
        return read_forward(value, options.forwards.back());
    }
    return read_text(key, value, options);
}

bool is_accepted(std::string_view key) {
    std::size_t start = 0;
    while (start <= kAccepted.size()) {
        const std::size_t end = std::min(kAccepted.find(", ", start), kAccepted.size());
        if (kAccepted.substr(start, end - start) == key) return true;
        start = end + 2;
    }
    return false;
}

std::string check_addresses(UserOptions& options, const Given& given) {
    const std::uint32_t network = number(options.network);
    const std::uint32_t mask = number(options.mask);
    if (!given.host) options.host = address(network | 2);
    if (!given.dns) options.dns = address(network | 3);
    if (!given.dhcp_start) {
        const std::uint32_t highest = ~mask - 1;
        options.dhcp_start = address(network | std::min(15u, highest < 15 ? 4u : 15u));
    }
    const auto outside = [&](in_addr at, const char* key) -> std::string {
        if ((number(at) & mask) == network) return "";
        char text[INET_ADDRSTRLEN] = {};
        ::inet_ntop(AF_INET, &at, text, sizeof text);
        return std::string("user: option '") + key + "': " + text +
               " is not in the network: change it or 'net'";
    };
    for (const auto& problem : {outside(options.host, "host"), outside(options.dns, "dns"),
                                outside(options.dhcp_start, "dhcpstart")}) {
        if (!problem.empty()) return problem;
    }
    if (number(options.host) == number(options.dns)) {
        return "user: options 'host' and 'dns' are the same address: change one of them";
    }
    const auto in_prefix = [&](std::uint8_t last) {
        in6_addr result = options.ipv6_prefix;
        result.s6_addr[15] = last;
        return result;
    };
    if (!given.ipv6_host) options.ipv6_host = in_prefix(2);
    if (!given.ipv6_dns) options.ipv6_dns = in_prefix(3);
    if (!options.ipv4 && !options.ipv6) {
        return "user: both ipv4 and ipv6 are off: leave one of them on";
    }
    return "";
}

}  // namespace

std::string read_user_options(const WireSpec& spec, UserOptions& options) {
    options.network = address(0x0a000200);  // 10.0.2.0/24
    options.mask = address(0xffffff00);
    options.ipv6_prefix.s6_addr[0] = 0xfe;  // fec0::/64
    options.ipv6_prefix.s6_addr[1] = 0xc0;
    Given given;
    for (const WireOption& option : spec.options) {
        const bool alone = spec.options.size() == 1 && option.key.empty() && !option.has_value;
        if (alone) break;  // "user:"
        if (!is_accepted(option.key)) {
            return option_place(spec, option) +
                   "there is none of that name; accepted: " + std::string(kAccepted);
        }
        if (!option.has_value) {
            return option_place(spec, option) + "it needs a value: write " +
                   std::string(option.key) + "=VALUE";
        }
        const std::string problem = read_one(option, options, given);
        if (!problem.empty()) return option_place(spec, option) + problem;
    }
    return check_addresses(options, given);
}

}  // namespace doorbell::wire
