#include "hw/stats/frame_counts.hpp"

#include <array>

#include "hw/base/bits.hpp"

namespace doorbell {
namespace {

constexpr std::uint32_t kAddressBytes = 6;
constexpr std::size_t kSizeClasses = 6;
using SizeClasses = std::array<Stat, kSizeClasses>;

constexpr SizeClasses kReceived = {Stat::kPRC64,  Stat::kPRC127,  Stat::kPRC255,
                                   Stat::kPRC511, Stat::kPRC1023, Stat::kPRC1522};
constexpr SizeClasses kSent = {Stat::kPTC64,  Stat::kPTC127,  Stat::kPTC255,
                               Stat::kPTC511, Stat::kPTC1023, Stat::kPTC1522};

Stat size_class(const SizeClasses& classes, std::uint32_t wire_bytes) {
    constexpr std::uint32_t kUpTo[] = {64, 127, 255, 511, 1023};
    std::size_t i = 0;
    while (i < kSizeClasses - 1 && wire_bytes > kUpTo[i]) i++;
    return classes[i];
}

enum class Cast { kUnicast, kMulticast, kBroadcast };

Cast cast_of(const Frame& frame) {
    if (frame.size_bytes() < kAddressBytes || !bit(frame.data()[0], 0)) return Cast::kUnicast;
    const bool all_ones =
        load_le32(frame.data()) == 0xffffffff && load_le16(frame.data() + 4) == 0xffff;
    return all_ones ? Cast::kBroadcast : Cast::kMulticast;
}

}  // namespace

void count_seen(StatsPort& stats, std::uint32_t wire_bytes) {
    stats.count(Stat::kTPR);
    stats.count(Stat::kTOR, wire_bytes);
}

void count_received(StatsPort& stats, const Frame& frame) {
    stats.count(Stat::kGPRC);
    stats.count(Stat::kGORC, frame.wire_bytes());
    stats.count(size_class(kReceived, frame.wire_bytes()));
    const Cast cast = cast_of(frame);
    if (cast == Cast::kBroadcast) stats.count(Stat::kBPRC);
    if (cast == Cast::kMulticast) stats.count(Stat::kMPRC);
}

void count_sent(StatsPort& stats, const Frame& frame) {
    stats.count(Stat::kTPT);
    stats.count(Stat::kTOT, frame.wire_bytes());
    stats.count(Stat::kGPTC);
    stats.count(Stat::kGOTC, frame.wire_bytes());
    stats.count(size_class(kSent, frame.wire_bytes()));
    const Cast cast = cast_of(frame);
    if (cast == Cast::kBroadcast) stats.count(Stat::kBPTC);
    if (cast == Cast::kMulticast) stats.count(Stat::kMPTC);
}

void count_pause_sent(StatsPort& stats, const Frame& frame, bool xoff) {
    stats.count(Stat::kTPT);
    stats.count(Stat::kTOT, frame.wire_bytes());
    stats.count(xoff ? Stat::kXOFFTXC : Stat::kXONTXC);
}

}  // namespace doorbell
