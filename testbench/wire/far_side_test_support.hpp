#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "hw/base/bits.hpp"
#include "testbench/wire/far_side.hpp"

/// What the tests of the far sides have in common. Checksums are checked by a sum of its own, word
/// by word, so that the product's sum does not judge itself.
namespace doorbell::wire::test {

using Bytes = std::vector<std::uint8_t>;

inline std::uint32_t plain_sum(const std::uint8_t* data, std::size_t size, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < size; i++) {
        sum += i % 2 == 0 ? data[i] * 256u : data[i];
        if (sum > 0xffff) sum = (sum & 0xffff) + 1;
    }
    return sum;
}

/// A TCP packet to be built: as a driver lays it out.
struct TcpPacket {
    bool ipv6 = false;
    unsigned tags = 0;
    std::uint32_t tcp_options_bytes = 12;
    std::uint16_t identification = 0x1234;
    std::uint32_t sequence = 1000;
    std::uint32_t acknowledgment = 5;
    std::uint8_t flags = 0x18;  ///< ACK, PSH
    std::uint16_t source_port = 40000;
    std::uint16_t target_port = 5001;
    std::uint32_t source_ipv4 = 0x0a4d0002;  ///< 10.77.0.2
    std::uint32_t target_ipv4 = 0x0a4d0001;
    Bytes payload;
    bool unfinished = false;  ///< The checksum field holds the sum of the pseudo-header.
    Bytes target_address = {0x02, 0, 0, 0, 0, 1};

    [[nodiscard]] std::uint32_t ip_offset() const { return 14 + 4 * tags; }
    [[nodiscard]] std::uint32_t tcp_offset() const { return ip_offset() + (ipv6 ? 40 : 20); }
    [[nodiscard]] std::uint32_t header_bytes() const {
        return tcp_offset() + 20 + tcp_options_bytes;
    }
    [[nodiscard]] Bytes bytes() const;
};

/// Sum of a pseudo-header, by the addresses in the packet at `ip`.
inline std::uint32_t pseudo_sum(const std::uint8_t* ip, std::uint8_t protocol,
                                std::uint32_t l4_bytes) {
    const bool six = ip[0] >> 4 == 6;
    const std::uint32_t addresses = plain_sum(six ? ip + 8 : ip + 12, six ? 32 : 8);
    const std::uint8_t rest[8] = {0,
                                  protocol,
                                  static_cast<std::uint8_t>(l4_bytes >> 24),
                                  static_cast<std::uint8_t>(l4_bytes >> 16),
                                  static_cast<std::uint8_t>(l4_bytes >> 8),
                                  static_cast<std::uint8_t>(l4_bytes)};
    return plain_sum(rest, sizeof rest, addresses);
}

inline Bytes TcpPacket::bytes() const {
    Bytes out = target_address;
    const Bytes source = {0x02, 0, 0, 0, 0, 2};
    out.insert(out.end(), source.begin(), source.end());
    for (unsigned i = 0; i < tags; i++) out.insert(out.end(), {0x81, 0x00, 0x00, 0x07});
    const std::uint16_t type = ipv6 ? 0x86dd : 0x0800;
    out.push_back(static_cast<std::uint8_t>(type >> 8));
    out.push_back(static_cast<std::uint8_t>(type));
    out.resize(header_bytes());
    out.insert(out.end(), payload.begin(), payload.end());
    std::uint8_t* ip = out.data() + ip_offset();
    const auto tcp_bytes = static_cast<std::uint32_t>(out.size() - tcp_offset());
    if (ipv6) {
        ip[0] = 0x60;
        store_be16(ip + 4, static_cast<std::uint16_t>(tcp_bytes));
        ip[6] = 6;
        ip[7] = 64;
        for (unsigned i = 0; i < 32; i++) ip[8 + i] = static_cast<std::uint8_t>(0xfd + i * 37);
    } else {
        ip[0] = 0x45;
        store_be16(ip + 2, static_cast<std::uint16_t>(20 + tcp_bytes));
        store_be16(ip + 4, identification);
        ip[6] = 0x40;
        ip[8] = 64;
        ip[9] = 6;
        store_be32(ip + 12, source_ipv4);
        store_be32(ip + 16, target_ipv4);
        store_be16(ip + 10, static_cast<std::uint16_t>(~plain_sum(ip, 20)));
    }
    std::uint8_t* tcp = out.data() + tcp_offset();
    store_be16(tcp, source_port);
    store_be16(tcp + 2, target_port);
    store_be32(tcp + 4, sequence);
    store_be32(tcp + 8, acknowledgment);
    tcp[12] = static_cast<std::uint8_t>((20 + tcp_options_bytes) / 4 << 4);
    tcp[13] = flags;
    store_be16(tcp + 14, 0xffff);
    for (unsigned i = 0; i < tcp_options_bytes; i++) tcp[20 + i] = 1;  // no operation
    const std::uint32_t pseudo = pseudo_sum(ip, 6, tcp_bytes);
    store_be16(tcp + 16, static_cast<std::uint16_t>(
                             unfinished ? pseudo : ~plain_sum(tcp, tcp_bytes, pseudo)));
    return out;
}

/// "" when the frame is what a real one would be; else what is wrong with it. For IPv4 without
/// options and IPv6 without extensions, TCP or UDP.
inline std::string problem_of(const std::uint8_t* data, std::uint32_t size) {
    std::uint32_t at = 12;
    while (at + 4 <= size && load_be16(data + at) == 0x8100) at += 4;
    if (at + 2 + 40 > size) return "short";
    const std::uint16_t type = load_be16(data + at);
    const std::uint8_t* ip = data + at + 2;
    const std::uint32_t room = size - at - 2;
    const bool six = type == 0x86dd;
    if (!six && type != 0x0800) return "not IP";
    const std::uint32_t header = six ? 40 : 20;
    const std::uint32_t total = six ? 40u + load_be16(ip + 4) : load_be16(ip + 2);
    if (total > room) return "longer than its frame";
    if (total < room && size > 60) return "shorter than its frame";
    if (!six && plain_sum(ip, 20) != 0xffff) return "IP checksum";
    const std::uint8_t protocol = six ? ip[6] : ip[9];
    const std::uint32_t l4_bytes = total - header;
    const std::uint32_t sum = plain_sum(ip + header, l4_bytes, pseudo_sum(ip, protocol, l4_bytes));
    return sum == 0xffff ? "" : "transport checksum";
}
inline std::string problem_of(const Frame& frame) {
    return problem_of(frame.data(), frame.size_bytes());
}

inline FramePtr make_frame(FramePool& pool, const Bytes& bytes) {
    FramePtr frame = pool.take();
    frame->resize(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    return frame;
}

/// Payload that differs everywhere and from one `seed` to the next.
inline Bytes pattern(std::size_t size, std::uint32_t seed = 1) {
    Bytes out(size);
    for (std::uint8_t& byte : out) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::uint8_t>(seed >> 24);
    }
    return out;
}

/// A NIC that keeps what it is given, as long as it has room.
class KeepingNic final : public EthernetEndpoint {
public:
    void receive(FramePtr frame, Picoseconds, Picoseconds) override {
        received.push_back(std::move(frame));
        if (room > 0) room--;
    }
    void partner(const LinkAbilities& abilities) override { partners.push_back(abilities); }
    [[nodiscard]] bool has_room(std::uint32_t) const override { return room != 0; }

    std::vector<FramePtr> received;
    std::vector<LinkAbilities> partners;
    int room = -1;  ///< Frames it still takes; negative: any number.
};

/// A loop's surroundings: time, frames, and what was said.
struct Surroundings {
    ManualTimeline timeline;
    FramePool frames;
    std::vector<std::string> said;
    FarSideContext context{timeline, frames, EventPort{},
                           [this](const std::string& line) { said.push_back(line); }};

    /// One turn of a loop: waits at most `timeout_ms`.
    void turn(FarSide& side, int timeout_ms = 0) {
        std::vector<pollfd> watched;
        int timeout = timeout_ms;
        side.before_wait(watched, timeout);
        if (timeout < 0 || timeout > timeout_ms) timeout = timeout_ms;
        ::poll(watched.data(), watched.size(), timeout);
        side.after_wait(watched.data(), watched.size());
        side.flush();
    }
};

/// The counters of a far side by name.
class Metrics final : public MetricVisitor {
public:
    explicit Metrics(const FarSide& side) { side.visit_metrics(*this); }
    void metric(std::string_view name, std::uint64_t value) override {
        values_.emplace_back(name, value);
    }
    void metric_real(std::string_view, double) override {}
    [[nodiscard]] std::uint64_t operator[](std::string_view name) const {
        for (const auto& [key, value] : values_) {
            if (key == name) return value;
        }
        return ~std::uint64_t{0};
    }

private:
    std::vector<std::pair<std::string, std::uint64_t>> values_;
};

}  // namespace doorbell::wire::test
