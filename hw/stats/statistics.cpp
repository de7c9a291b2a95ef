#include "hw/stats/statistics.hpp"

#include <array>
#include <cassert>
#include <cstdint>
#include <limits>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

using namespace regs::i82574l;

/// Where a counter lives; `high` of a 64-bit octet counter is its second half.
struct Place {
    const regs::Register* low = nullptr;
    const regs::Register* high = nullptr;
};

constexpr std::size_t kStats = static_cast<std::size_t>(Stat::kCount);

// In the order of `Stat`: a static_assert below holds the two together.
constexpr std::array<Place, kStats> kPlaces = {{
    {&CRCERRS},       {&ALGNERRC},      {&SYMERRS}, {&RXERRC},  {&MPC},         {&SCC},
    {&ECOL},          {&MCC},           {&LATECOL}, {&COLC},    {&DC},          {&TNCRS},
    {&SEC},           {&CEXTERR},       {&RLEC},    {&XONRXC},  {&XONTXC},      {&XOFFRXC},
    {&XOFFTXC},       {&FCRUC},         {&PRC64},   {&PRC127},  {&PRC255},      {&PRC511},
    {&PRC1023},       {&PRC1522},       {&GPRC},    {&BPRC},    {&MPRC},        {&GPTC},
    {&GORCL, &GORCH}, {&GOTCL, &GOTCH}, {&RNBC},    {&RUC},     {&RFC},         {&ROC},
    {&RJC},           {&MGTPRC},        {&MGTPDC},  {&MGTPTC},  {&TORL, &TORH}, {&TOTL, &TOTH},
    {&TPR},           {&TPT},           {&PTC64},   {&PTC127},  {&PTC255},      {&PTC511},
    {&PTC1023},       {&PTC1522},       {&MPTC},    {&BPTC},    {&TSCTC},       {&TSCTFC},
    {&IAC},           {&ICRXPTC},       {&ICRXATC}, {&ICTXPTC}, {&ICTXATC},     {&ICTXQEC},
    {&ICTXQMTC},      {&ICRXDMTC},      {&ICRXOC},
}};
static_assert(kPlaces[static_cast<std::size_t>(Stat::kICRXOC)].low == &ICRXOC);
static_assert(kPlaces[static_cast<std::size_t>(Stat::kTOT)].high == &TOTH);
static_assert(kPlaces[static_cast<std::size_t>(Stat::kGPTC)].low == &GPTC);

std::size_t index_of(Stat stat) {
    const std::size_t index = static_cast<std::size_t>(stat);
    assert(index < kStats);
    return index;
}

}  // namespace

Statistics::Statistics(regs::RegisterFile& registers, const StatisticsParams& params) {
    for (std::size_t i = 0; i < kStats; i++) {
        words_[i].low = &registers.storage(*kPlaces[i].low);
        if (kPlaces[i].high == nullptr) continue;
        words_[i].high = &registers.storage(*kPlaces[i].high);
        // The high half clears itself; who clears the low one is open (U21).
        const regs::Register& clears_low =
            params.u21_high_read_clears_pair ? *kPlaces[i].high : *kPlaces[i].low;
        registers.on_read(clears_low, [&low = *words_[i].low](auto, std::uint32_t stored) {
            low = 0;
            return stored;
        });
    }
}

void Statistics::count(Stat stat, std::uint64_t amount) {
    const Words& words = words_[index_of(stat)];
    if (words.high == nullptr) {
        constexpr std::uint32_t kLimit = std::numeric_limits<std::uint32_t>::max();
        const std::uint32_t before = *words.low;
        *words.low =
            amount > kLimit - before ? kLimit : before + static_cast<std::uint32_t>(amount);
        return;
    }
    const std::uint64_t before = value(stat);
    const std::uint64_t sum = before + amount;
    const std::uint64_t after = sum < before ? std::numeric_limits<std::uint64_t>::max() : sum;
    *words.low = static_cast<std::uint32_t>(after);
    *words.high = static_cast<std::uint32_t>(after >> 32);
}

std::uint64_t Statistics::value(Stat stat) const {
    const Words& words = words_[index_of(stat)];
    const std::uint64_t low = *words.low;
    return words.high == nullptr ? low : low | std::uint64_t{*words.high} << 32;
}

}  // namespace doorbell
