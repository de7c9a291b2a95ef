#include "testbench/qemu/differential/packets.hpp"

#include <algorithm>

namespace doorbell::differential {

namespace {

constexpr std::uint32_t kMinimumBytes = 60;
constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;
constexpr std::uint8_t kOther = 47;  // GRE: nothing looks into it

void put16(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

std::uint16_t complement(std::uint16_t sum) {
    return static_cast<std::uint16_t>(~sum);
}

class Builder {
public:
    Builder(Prng& prng, const PacketWish& wish) : prng_(prng), wish_(wish) {}

    Packet build() {
        ethernet();
        const std::uint64_t kind = wish_.ip_only || wish_.tcp_only ? 2 + below(8) : below(10);
        if (kind < 2) {
            push16(kind == 0 ? 0x88B5 : 0x0842);
            random_bytes(1 + below(wish_.max_payload_bytes));
        } else {
            packet_.ipv6 = kind >= 7;
            packet_.ipv6 ? ipv6() : ipv4();
        }
        if (packet_.bytes.size() < kMinimumBytes) packet_.bytes.resize(kMinimumBytes);
        return std::move(packet_);
    }

private:
    std::uint64_t below(std::uint64_t bound) { return prng_.below(bound); }
    std::vector<std::uint8_t>& bytes() { return packet_.bytes; }
    void push16(std::uint32_t value) {
        bytes().push_back(static_cast<std::uint8_t>(value >> 8));
        bytes().push_back(static_cast<std::uint8_t>(value));
    }
    void random_bytes(std::uint64_t count) {
        for (std::uint64_t i = 0; i < count; i++) {
            bytes().push_back(static_cast<std::uint8_t>(prng_.next()));
        }
    }

    void ethernet() {
        for (int shift = 40; shift >= 0; shift -= 8) {
            bytes().push_back(static_cast<std::uint8_t>(wish_.destination >> shift));
        }
        bytes().insert(bytes().end(), {0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
        if (wish_.tagged) {
            push16(0x8100);
            push16(wish_.tag);
        }
    }

    std::uint8_t protocol() {
        if (wish_.tcp_only) return kTcp;
        const std::uint64_t draw = below(10);
        return draw < 5 ? kTcp : draw < 9 ? kUdp : kOther;
    }

    void ipv4() {
        push16(0x0800);
        packet_.l3 = static_cast<std::uint32_t>(bytes().size());
        const std::uint8_t inside = protocol();
        const std::uint32_t options =
            below(4) == 0 ? 4 * (1 + static_cast<std::uint32_t>(below(3))) : 0;
        const std::uint32_t header = 20 + options;
        const bool fragment = wish_.fragments && below(6) == 0;
        bytes().resize(bytes().size() + header);
        const std::size_t at = packet_.l3;
        bytes()[at] = static_cast<std::uint8_t>(0x40 | header / 4);
        put16(bytes(), at + 4, static_cast<std::uint32_t>(below(65536)));
        if (fragment) put16(bytes(), at + 6, 0x2000 | static_cast<std::uint32_t>(below(100)));
        bytes()[at + 8] = 64;
        bytes()[at + 9] = inside;
        for (std::size_t i = 12; i < 20; i++) {
            bytes()[at + i] = static_cast<std::uint8_t>(prng_.next());
        }
        for (std::size_t i = 20; i < header; i++) bytes()[at + i] = 1;  // no operation
        transport(inside, fragment);
        put16(bytes(), at + 2, static_cast<std::uint32_t>(bytes().size() - at));
        put16(bytes(), at + 10, complement(internet_sum(&bytes()[at], header)));
        if (wish_.bad_checksums && below(6) == 0) bytes()[at + 10] ^= 0x40;
        finish_transport(inside, fragment);
    }

    void ipv6() {
        push16(0x86DD);
        packet_.l3 = static_cast<std::uint32_t>(bytes().size());
        const std::uint8_t inside = protocol();
        bytes().resize(bytes().size() + 40);
        const std::size_t at = packet_.l3;
        bytes()[at] = 0x60;
        bytes()[at + 6] = inside;
        bytes()[at + 7] = 64;
        for (std::size_t i = 8; i < 40; i++) {
            bytes()[at + i] = static_cast<std::uint8_t>(prng_.next());
        }
        transport(inside, false);
        put16(bytes(), at + 4, static_cast<std::uint32_t>(bytes().size() - at - 40));
        finish_transport(inside, false);
    }

    void transport(std::uint8_t inside, bool fragment) {
        const auto start = static_cast<std::uint32_t>(bytes().size());
        if (!fragment && inside != kOther) packet_.l4 = start;
        packet_.tcp = inside == kTcp;
        if (inside == kTcp) {
            const std::uint32_t header = 20 + 4 * static_cast<std::uint32_t>(below(4));
            random_bytes(12);
            bytes().push_back(static_cast<std::uint8_t>(header / 4 << 4));
            bytes().push_back(static_cast<std::uint8_t>(below(64)));  // flags
            random_bytes(2);
            bytes().resize(bytes().size() + 4);
            while (bytes().size() < start + header) bytes().push_back(1);
        } else if (inside == kUdp) {
            random_bytes(4);
            bytes().resize(bytes().size() + 4);
        }
        packet_.payload = static_cast<std::uint32_t>(bytes().size());
        random_bytes(below(3) == 0 ? 1 + below(30) : 1 + below(wish_.max_payload_bytes));
        if (inside == kUdp) {
            put16(bytes(), start + 4, static_cast<std::uint32_t>(bytes().size() - start));
        }
    }

    void finish_transport(std::uint8_t inside, bool fragment) {
        if (fragment || inside == kOther) return;
        const std::size_t field = packet_.l4 + (inside == kTcp ? 16 : 6);
        if (inside == kUdp && !packet_.ipv6 && below(6) == 0) return;  // no checksum
        const auto l4_bytes = static_cast<std::uint32_t>(bytes().size() - packet_.l4);
        const std::uint16_t pseudo = pseudo_header_sum(packet_, l4_bytes);
        std::uint16_t sum = complement(internet_sum(&bytes()[packet_.l4], l4_bytes, pseudo));
        if (inside == kUdp && sum == 0) sum = 0xFFFF;
        put16(bytes(), field, sum);
        if (wish_.bad_checksums && below(6) == 0) bytes()[field] ^= 0x10;
    }

    Prng& prng_;
    const PacketWish& wish_;
    Packet packet_;
};

}  // namespace

std::uint16_t internet_sum(const std::uint8_t* bytes, std::size_t size, std::uint32_t seed) {
    std::uint64_t sum = seed;
    for (std::size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? std::uint64_t{bytes[i]} << 8 : bytes[i];
    }
    while (sum > 0xFFFF) sum = (sum >> 16) + (sum & 0xFFFF);
    return static_cast<std::uint16_t>(sum);
}

std::uint16_t pseudo_header_sum(const Packet& packet, std::uint32_t l4_bytes) {
    const std::uint8_t* ip = &packet.bytes[packet.l3];
    const std::uint32_t protocol = packet.tcp ? kTcp : kUdp;
    if (packet.ipv6) return internet_sum(ip + 8, 32, protocol + l4_bytes);
    return internet_sum(ip + 12, 8, protocol + l4_bytes);
}

Packet random_packet(Prng& prng, const PacketWish& wish) {
    return Builder(prng, wish).build();
}

}  // namespace doorbell::differential
