// The access rules, exhaustively and derived from the contract: every register, every word, every
// bit. The rule of each kind is spelled out here bit by bit, not taken from the code under test.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell::regs {
namespace {

using i82574l::kAll;
using i82574l::kIoMap;
using i82574l::kMap;
using i82574l::kMsixMap;

const Map* const kMaps[] = {&kMap, &kIoMap, &kMsixMap};

enum class Kind { kReserved, kRw, kRo, kWo, kRw1c, kRw1s, kRw0c, kSc, kRc, kRcHook };

/// The one kind of a bit; a bit of two kinds is a broken contract.
Kind kind_of(const Register& reg, unsigned bit) {
    const Access& a = reg.access;
    const std::pair<std::uint32_t, Kind> sets[] = {
        {a.rw_bits, Kind::kRw},     {a.ro_bits, Kind::kRo},          {a.wo_bits, Kind::kWo},
        {a.rw1c_bits, Kind::kRw1c}, {a.rw1s_bits, Kind::kRw1s},      {a.rw0c_bits, Kind::kRw0c},
        {a.sc_bits, Kind::kSc},     {a.rc_hook_bits, Kind::kRcHook}, {a.rc_bits, Kind::kRc}};
    Kind kind = Kind::kReserved;
    for (const auto& [bits, name] : sets) {
        if ((bits >> bit & 1) == 0) continue;
        EXPECT_EQ(kind, Kind::kReserved) << reg.name << " bit " << bit << " is of two kinds";
        kind = name;
    }
    return kind;
}

struct Kinds {
    explicit Kinds(const Register& reg) {
        for (unsigned bit = 0; bit < 32; bit++) of[bit] = kind_of(reg, bit);
    }
    Kind of[32];
};

bool stored_after_write(Kind kind, bool stored, bool written) {
    switch (kind) {
        case Kind::kRw:
            return written;
        case Kind::kRw1c:
            return stored && !written;
        case Kind::kRw1s:
            return stored || written;
        case Kind::kRw0c:
            return stored && written;
        case Kind::kReserved:
        case Kind::kRo:
        case Kind::kWo:
        case Kind::kSc:
        case Kind::kRc:
        case Kind::kRcHook:
            return stored;
    }
    return stored;
}

bool reads_as_stored(Kind kind) {
    return kind != Kind::kReserved && kind != Kind::kWo && kind != Kind::kSc;
}

std::uint32_t expected_store(const Kinds& kinds, std::uint32_t stored, std::uint32_t written) {
    std::uint32_t word = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        const bool is = stored_after_write(kinds.of[bit], stored >> bit & 1, written >> bit & 1);
        word |= std::uint32_t{is} << bit;
    }
    return word;
}

std::uint32_t expected_read(const Kinds& kinds, std::uint32_t stored) {
    std::uint32_t word = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        if (reads_as_stored(kinds.of[bit])) word |= stored & std::uint32_t{1} << bit;
    }
    return word;
}

std::uint32_t expected_after_read(const Kinds& kinds, std::uint32_t stored) {
    for (unsigned bit = 0; bit < 32; bit++) {
        if (kinds.of[bit] == Kind::kRc) stored &= ~(std::uint32_t{1} << bit);
    }
    return stored;
}

std::vector<std::uint32_t> patterns() {
    std::vector<std::uint32_t> all = {0,          0xFFFFFFFF, 0x5A5A5A5A,
                                      0xA5A5A5A5, 0x00FF00FF, 0x12345678};
    for (unsigned bit = 0; bit < 32; bit++) {
        all.push_back(std::uint32_t{1} << bit);
        all.push_back(~(std::uint32_t{1} << bit));
    }
    return all;
}

/// Every word of a register; of the 40 KB packet buffer window its ends and every 97th word.
std::vector<std::uint32_t> words_to_try(const Register& reg) {
    std::vector<std::uint32_t> words;
    const std::uint32_t step = reg.count > 1024 ? 97 : 1;
    for (std::uint32_t i = 0; i < reg.count; i += step) words.push_back(i);
    if (words.back() != reg.count - 1) words.push_back(reg.count - 1);
    return words;
}

template <typename Visit>
void for_each_register(Visit visit) {
    for (const Map* map : kMaps) {
        RegisterFile file(*map);
        for (std::uint32_t i = 0; i < map->register_count; i++) visit(file, *map->registers[i]);
    }
}

TEST(RegisterRules, EveryBitOfEveryRegisterObeysItsAccess) {
    const std::vector<std::uint32_t> all_patterns = patterns();
    for_each_register([&](RegisterFile& file, const Register& reg) {
        SCOPED_TRACE(reg.name);
        const Kinds kinds(reg);
        for (std::uint32_t word : words_to_try(reg)) {
            const std::uint32_t offset = reg.offset_of(word);
            for (std::uint32_t stored : {0u, 0xFFFFFFFFu, 0x5A5A5A5Au, 0xA5A5A5A5u}) {
                for (std::uint32_t written : all_patterns) {
                    file.poke(reg, stored, word);
                    file.bus_write(offset, written);
                    const std::uint32_t now = expected_store(kinds, stored, written);
                    ASSERT_EQ(file.word(reg, word), now) << std::hex << stored << " " << written;
                    ASSERT_EQ(file.debug_read(offset), expected_read(kinds, now));
                    ASSERT_EQ(file.word(reg, word), now) << "a debug read has no side effect";
                    ASSERT_EQ(file.bus_read(offset), expected_read(kinds, now));
                    ASSERT_EQ(file.word(reg, word), expected_after_read(kinds, now));
                }
            }
        }
    });
}

TEST(RegisterRules, WritingOneWordTouchesNoOther) {
    for (const Map* map : kMaps) {
        RegisterFile file(*map);
        for (std::uint32_t r = 0; r < map->register_count; r++) {
            const Register& reg = *map->registers[r];
            for (std::uint32_t word : {0u, reg.count / 2, reg.count - 1}) {
                // Zeros around a word of ones, whatever the bus may store.
                for (std::uint32_t i = 0; i < map->register_count; i++) {
                    const Register& other = *map->registers[i];
                    for (std::uint32_t w = 0; w < other.count; w++) file.poke(other, 0, w);
                }
                file.poke(reg, 0xFFFFFFFF, word);
                file.bus_write(reg.offset_of(word), 0x5A5A5A5A);
                std::uint32_t touched = 0;
                for (std::uint32_t i = 0; i < map->register_count; i++) {
                    const Register& other = *map->registers[i];
                    for (std::uint32_t w = 0; w < other.count; w++) {
                        if (&other == &reg && w == word) continue;
                        touched += file.word(other, w) != 0;
                    }
                }
                ASSERT_EQ(touched, 0u) << reg.name << "[" << word << "]";
            }
        }
    }
}

TEST(RegisterRules, AnAliasReachesTheSameStorageAndNothingBeyondIt) {
    RegisterFile file(kMap);
    for (std::uint32_t a = 0; a < kMap.alias_count; a++) {
        const Alias& alias = kMap.aliases[a];
        SCOPED_TRACE(alias.reg.name);
        for (std::uint32_t i = 0; i < alias.count; i++) {
            const std::uint32_t offset = alias.offset + i * alias.reg.stride;
            std::uint32_t index = ~0u;
            ASSERT_EQ(file.find(offset, index), &alias.reg);
            ASSERT_EQ(index, i);
            file.bus_write(offset, 0xFFFFFFFF);
            const std::uint32_t ones = file.bus_read(alias.reg.offset_of(i));
            ASSERT_EQ(file.bus_read(offset), ones);
            file.bus_write(alias.reg.offset_of(i), 0);
            ASSERT_EQ(file.bus_read(offset), file.bus_read(alias.reg.offset_of(i)));
            ASSERT_NE(file.bus_read(offset), ones);
        }
        std::uint32_t index = ~0u;
        const std::uint32_t end = alias.offset + alias.count * alias.reg.stride;
        ASSERT_NE(file.find(end, index), &alias.reg) << "the alias ends with its last word";
    }
}

TEST(RegisterRules, PowerOnResetsEveryWord) {
    for_each_register([](RegisterFile& file, const Register& reg) {
        for (std::uint32_t i = 0; i < reg.count; i++) {
            ASSERT_EQ(file.word(reg, i), reg.reset)
                << reg.name << ": a new file is in power-on state";
            file.poke(reg, ~reg.reset, i);
        }
        file.reset(ResetKind::kPowerOn);
        for (std::uint32_t i = 0; i < reg.count; i++) ASSERT_EQ(file.word(reg, i), reg.reset);
    });
}

TEST(RegisterRules, ASoftwareResetKeepsWhatTheContractKeeps) {
    for_each_register([](RegisterFile& file, const Register& reg) {
        for (std::uint32_t i = 0; i < reg.count; i++) file.poke(reg, ~reg.reset, i);
        file.reset(ResetKind::kSoftware);
        const std::uint32_t expected = reg.keep_on_software_reset ? ~reg.reset : reg.reset;
        for (std::uint32_t i = 0; i < reg.count; i++) {
            ASSERT_EQ(file.word(reg, i), expected) << reg.name << "[" << i << "]";
        }
    });
}

TEST(RegisterRules, EveryOffsetOfABarIsEitherListedOrReadsZeroAndIgnoresWrites) {
    for (const Map* map : kMaps) {
        RegisterFile file(*map);
        std::uint32_t listed = 0;
        std::uint32_t unlisted = 0;
        for (std::uint32_t offset = 0; offset < map->size_bytes; offset += 4) {
            std::uint32_t index = 0;
            const Register* reg = file.find(offset, index);
            if (reg != nullptr) {
                listed++;
                ASSERT_LT(index, reg->count);
                continue;
            }
            unlisted++;
            file.bus_write(offset, 0xFFFFFFFF);
            file.debug_write(offset, 0xFFFFFFFF);
            ASSERT_EQ(file.bus_read(offset), 0u) << std::hex << offset;
            ASSERT_EQ(file.debug_read(offset), 0u) << std::hex << offset;
        }
        std::uint32_t aliased = 0;
        for (std::uint32_t a = 0; a < map->alias_count; a++) aliased += map->aliases[a].count;
        EXPECT_EQ(listed, map->word_count + aliased);
        EXPECT_EQ(file.unlisted().size(), unlisted);
        for (std::uint32_t i = 0; i < map->register_count; i++) {
            const Register& reg = *map->registers[i];
            for (std::uint32_t w = 0; w < reg.count; w++) ASSERT_EQ(file.word(reg, w), reg.reset);
        }
    }
}

TEST(RegisterRules, MisalignedAndOutOfRangeAccessesDoNothing) {
    for (const Map* map : kMaps) {
        RegisterFile file(*map);
        std::vector<std::uint32_t> offsets = {map->size_bytes, map->size_bytes + 4, 0x7FFFFFFC,
                                              0x80000000,      0xFFFFFFFC,          0xFFFFFFFF};
        for (std::uint32_t i = 0; i < 64; i++) offsets.push_back(i * 4 + 1 + i % 3);
        for (std::uint32_t offset : offsets) {
            std::uint32_t index = 0;
            EXPECT_EQ(file.find(offset, index), nullptr);
            file.bus_write(offset, 0xFFFFFFFF);
            file.debug_write(offset, 0xFFFFFFFF);
            EXPECT_EQ(file.bus_read(offset), 0u);
            EXPECT_EQ(file.debug_read(offset), 0u);
        }
        for (std::uint32_t i = 0; i < map->register_count; i++) {
            const Register& reg = *map->registers[i];
            ASSERT_EQ(file.word(reg), reg.reset) << reg.name;
        }
    }
}

TEST(RegisterRules, UnlistedAccessesAreCountedByOffsetAndTheCountIsBounded) {
    RegisterFile file(kMap);
    (void)file.bus_read(0x01580);  // EICR of the 82575
    (void)file.bus_read(0x01580);
    file.bus_write(0x0280C, 1);  // SRRCTL of the 82575
    for (std::uint32_t i = 0; i < 1000; i++) file.bus_write(kMap.size_bytes + i * 4, i);
    const auto counted = file.unlisted();
    ASSERT_EQ(counted.size(), 3u);
    EXPECT_EQ(counted[0].offset, 0x01580u);
    EXPECT_EQ(counted[0].reads, 2u);
    EXPECT_EQ(counted[0].writes, 0u);
    EXPECT_EQ(counted[1].offset, 0x0280Cu);
    EXPECT_EQ(counted[1].writes, 1u);
    EXPECT_EQ(counted[2].offset, kMap.size_bytes);
    EXPECT_EQ(counted[2].writes, 1000u);
}

TEST(RegisterHooks, AWriteHookSeesWhatWasWrittenAndWhatIsStored) {
    RegisterFile file(kMap);
    std::vector<RegisterFile::Write> seen;
    file.on_write(i82574l::RDTR, [&](const RegisterFile::Write& write) { seen.push_back(write); });
    file.bus_write(i82574l::RDTR.offset, 0x8000'0020);  // FPD is self-clearing
    file.bus_write(0x00108, 0xFFFF'0040);               // the alias is the same register
    ASSERT_EQ(seen.size(), 2u);
    EXPECT_EQ(seen[0].written, 0x8000'0020u);
    EXPECT_EQ(seen[0].before, 0u);
    EXPECT_EQ(seen[0].now, 0x20u);
    EXPECT_EQ(seen[1].before, 0x20u);
    EXPECT_EQ(seen[1].now, 0x40u);
}

TEST(RegisterHooks, HooksOfAnArrayRegisterLearnTheIndex) {
    RegisterFile file(kMap);
    std::vector<std::uint32_t> written;
    std::vector<std::uint32_t> read;
    file.on_write(i82574l::TDT, [&](const RegisterFile::Write& w) { written.push_back(w.index); });
    file.on_read(i82574l::TDT, [&](std::uint32_t index, std::uint32_t stored) {
        read.push_back(index);
        return stored + index;
    });
    file.bus_write(0x03818, 5);
    file.bus_write(0x03918, 6);
    EXPECT_EQ(file.bus_read(0x03918), 7u);
    EXPECT_EQ(file.bus_read(0x03818), 5u);
    EXPECT_EQ(written, (std::vector<std::uint32_t>{0, 1}));
    EXPECT_EQ(read, (std::vector<std::uint32_t>{1, 0}));
}

TEST(RegisterHooks, SeveralBlocksMayWatchOneRegisterInOrder) {
    RegisterFile file(kMap);
    std::string order;
    file.on_write(i82574l::CTRL, [&](const RegisterFile::Write&) { order += "core "; });
    file.on_write(i82574l::CTRL, [&](const RegisterFile::Write&) { order += "phy"; });
    file.bus_write(i82574l::CTRL.offset, 0);
    EXPECT_EQ(order, "core phy");
}

TEST(RegisterHooks, AReadHookMayRefreshTheWordBeforeAReadClearsIt) {
    RegisterFile file(kMap);
    file.on_read(i82574l::GPRC, [&](std::uint32_t, std::uint32_t stored) {
        EXPECT_EQ(stored, 3u);
        file.poke(i82574l::GPRC, 9);
        return 9u;
    });
    file.poke(i82574l::GPRC, 3);
    EXPECT_EQ(file.bus_read(i82574l::GPRC.offset), 9u);
    EXPECT_EQ(file.word(i82574l::GPRC), 0u) << "rc bits clear after the hook";
}

TEST(RegisterHooks, NoHookRunsAtResetOnDebugAccessOrOnHardwareAccess) {
    RegisterFile file(kMap);
    int calls = 0;
    file.on_write(i82574l::CTRL, [&](const RegisterFile::Write&) { calls++; });
    file.on_read(i82574l::CTRL, [&](std::uint32_t, std::uint32_t stored) {
        calls++;
        return stored;
    });
    file.reset(ResetKind::kSoftware);
    file.reset(ResetKind::kPowerOn);
    EXPECT_EQ(file.debug_read(i82574l::CTRL.offset), i82574l::CTRL.reset);
    file.debug_write(i82574l::CTRL.offset, 0xFFFFFFFF);
    EXPECT_EQ(file.debug_read(i82574l::CTRL.offset), i82574l::CTRL.access.rw_bits);
    file.poke(i82574l::CTRL, 0);
    file.set(i82574l::CTRL_SLU, 1);
    EXPECT_EQ(file.get(i82574l::CTRL_SLU), 1u);
    EXPECT_EQ(file.word(i82574l::CTRL), 0x40u);
    EXPECT_EQ(calls, 0);
}

TEST(RegisterHooks, AHookMayResetTheFileThatCallsIt) {
    RegisterFile file(kMap);
    file.on_write(i82574l::CTRL, [&](const RegisterFile::Write& write) {
        if (i82574l::CTRL_RST.get(write.written) != 0) file.reset(ResetKind::kSoftware);
    });
    file.bus_write(i82574l::RCTL.offset, 2);
    file.bus_write(i82574l::PBA.offset, 32);
    file.bus_write(i82574l::CTRL.offset, i82574l::CTRL_RST.mask());
    EXPECT_EQ(file.word(i82574l::CTRL), i82574l::CTRL.reset);
    EXPECT_EQ(file.word(i82574l::RCTL), 0u);
    EXPECT_EQ(file.get(i82574l::PBA_RXA), 32u);
}

}  // namespace
}  // namespace doorbell::regs
