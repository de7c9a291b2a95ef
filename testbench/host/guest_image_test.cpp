#include "testbench/host/guest_image.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>

#include "testbench/host/elf_strings.hpp"
#include "testbench/host/pinned_rand.hpp"

namespace doorbell {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

std::map<std::string, std::uint64_t> metrics_of(const GuestImage& image) {
    std::map<std::string, std::uint64_t> values;
    image.metrics(
        [](void* ctx, const char* name, std::uint64_t value) {
            (*static_cast<std::map<std::string, std::uint64_t>*>(ctx))[name] = value;
        },
        &values);
    return values;
}

void quiet(guest_host*, int, const char*) {}

guest_host_ops minimal_ops() {
    guest_host_ops ops{};
    ops.version = GUEST_ABI_VERSION;
    ops.size = sizeof ops;
    ops.log = quiet;
    return ops;
}

TEST(GuestImage, EveryHostHasALwipOfItsOwn) {
    pin_rand(5);
    const GuestImage a({TEST_GUEST_LWIP, ""});
    const GuestImage b({TEST_GUEST_LWIP, ""});
    ASSERT_EQ(a.error(), "");
    ASSERT_EQ(b.error(), "");
    const guest_host_ops ops = minimal_ops();
    const guest_config config{};
    ASSERT_EQ(a.start(&ops, nullptr, &config), 0);
    ASSERT_EQ(b.start(&ops, nullptr, &config), 0);
    auto of_a = metrics_of(a), of_b = metrics_of(b);
    EXPECT_EQ(of_a["lwip.was_untouched"], 1u);
    EXPECT_EQ(of_b["lwip.was_untouched"], 1u) << "the second host sees the first one's lwIP";
    EXPECT_EQ(of_a["lwip.list_is_mine"], 1u);
    EXPECT_EQ(of_b["lwip.list_is_mine"], 1u);
    EXPECT_NE(of_a["lwip.list_address"], of_b["lwip.list_address"]);
    // lwIP asks the guest's OS layer for the time, not its own.
    EXPECT_GT(of_a["lwip.asked_for_time"], 0u);
    EXPECT_GT(of_b["lwip.asked_for_time"], 0u);
}

TEST(GuestImage, ThereAreMoreNamesThanHosts) {
    std::set<std::uint64_t> places;
    for (int i = 0; i < 80; i++) {
        const GuestImage image({TEST_GUEST_LWIP, ""});
        ASSERT_EQ(image.error(), "");
        EXPECT_TRUE(places.insert(metrics_of(image)["lwip.list_address"]).second) << i;
    }
}

TEST(GuestImage, AGuestDrawsFromTheSeedOfTheRun) {
    pin_rand(5);
    const int first = rand();
    const int second = rand();
    EXPECT_NE(first, second);
    pin_rand(5);
    const GuestImage image({TEST_GUEST_LWIP, ""});
    ASSERT_EQ(image.error(), "");
    const guest_host_ops ops = minimal_ops();
    const guest_config config{};
    ASSERT_EQ(image.start(&ops, nullptr, &config), 0);
    EXPECT_EQ(metrics_of(image)["lwip.rand"], static_cast<std::uint64_t>(first));
    EXPECT_NE(rand(), second) << "lwIP has drawn its ports from somewhere else";
}

TEST(GuestImage, CopiesOfAnImageShareNothing) {
    const GuestImage a({TEST_GUEST, ""});
    const GuestImage b({TEST_GUEST, ""});
    ASSERT_EQ(a.error(), "");
    ASSERT_EQ(b.error(), "");
    EXPECT_NE(reinterpret_cast<void*>(a.start), reinterpret_cast<void*>(b.start));
}

/// The file behind an address: its number in /proc/self/maps; "0" is memory without a file.
std::string file_behind(const void* address) {
    std::ifstream maps("/proc/self/maps");
    const auto wanted = reinterpret_cast<std::uintptr_t>(address);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        std::string range, access, offset, device, inode;
        fields >> range >> access >> offset >> device >> inode;
        std::size_t dash = 0;
        const std::uintptr_t start = std::stoull(range, &dash, 16);
        if (wanted >= start && wanted < std::stoull(range.substr(dash + 1), nullptr, 16)) {
            return device + ":" + inode;
        }
    }
    return "nowhere";
}

// 64 hosts that each bring their own pages of code do not fit the caches.
TEST(GuestImage, CopiesOfAnImageHaveTheirCodeFromOneFile) {
    const GuestImage a({TEST_GUEST_LWIP, ""});
    const GuestImage b({TEST_GUEST_LWIP, ""});
    ASSERT_EQ(b.error(), "");
    ASSERT_NE(a.symbol("tcp_input"), b.symbol("tcp_input"));
    EXPECT_EQ(file_behind(a.symbol("tcp_input")), file_behind(b.symbol("tcp_input")));
    EXPECT_EQ(file_behind(a.symbol("guest_start")), file_behind(b.symbol("guest_start")));
    EXPECT_NE(file_behind(a.symbol("guest_start")), file_behind(a.symbol("tcp_input")));
    EXPECT_EQ(std::memcmp(a.symbol("tcp_input"), b.symbol("tcp_input"), 64), 0);
}

TEST(GuestImage, AnotherImageSharesNoCodeWithTheFirst) {
    const GuestImage a({TEST_GUEST_LWIP, ""});
    const GuestImage b({TEST_GUEST, ""});
    ASSERT_EQ(b.error(), "");
    EXPECT_NE(file_behind(a.symbol("guest_start")), file_behind(b.symbol("guest_start")));
}

TEST(GuestImage, WithPrivateCodeInTheEnvironmentEveryCopyHasItsOwn) {
    setenv("DOORBELL_PRIVATE_CODE", "1", 1);
    const GuestImage a({TEST_GUEST, ""});
    const GuestImage b({TEST_GUEST, ""});
    unsetenv("DOORBELL_PRIVATE_CODE");
    ASSERT_EQ(b.error(), "");
    EXPECT_NE(file_behind(a.symbol("guest_start")), file_behind(b.symbol("guest_start")));
}

TEST(GuestImage, NothingIsLeftInTheTemporaryDirectory) {
    const std::string place = testing::TempDir() + "doorbell_guest_image_test";
    std::filesystem::create_directory(place);
    const char* before = std::getenv("TMPDIR");
    const std::string saved = before == nullptr ? "" : before;
    setenv("TMPDIR", place.c_str(), 1);
    {
        const GuestImage image({TEST_GUEST_LWIP, ""});
        EXPECT_EQ(image.error(), "");
        const GuestImage broken({TEST_GUEST_WRONG_VERSION, ""});
        EXPECT_NE(broken.error(), "");
    }
    EXPECT_TRUE(std::filesystem::is_empty(place));
    std::filesystem::remove_all(place);
    const GuestImage homeless({TEST_GUEST, ""});
    EXPECT_THAT(homeless.error(), HasSubstr("temporary directory"));
    if (before == nullptr) {
        unsetenv("TMPDIR");
    } else {
        setenv("TMPDIR", saved.c_str(), 1);
    }
}

TEST(GuestImage, WhatCannotBeLoadedSaysWhy) {
    const std::string text = testing::TempDir() + "doorbell_not_an_image";
    std::ofstream(text) << "just text";
    const std::pair<std::string, const char*> cases[] = {
        {"/nowhere/guest.so", "there is no such file"},
        {"/tmp", "it is not a file"},
        {text, "it is not an ELF file"},
        {TEST_GUEST_WRONG_VERSION, "version 42 of guest_abi.h, this program has version 1"},
        {TEST_GUEST_INCOMPLETE, "it does not export guest_show"},
    };
    for (const auto& [path, why] : cases) {
        const GuestImage image({path, ""});
        EXPECT_FALSE(image.loaded());
        EXPECT_THAT(image.error(), HasSubstr(path));
        EXPECT_THAT(image.error(), HasSubstr(why));
    }
    EXPECT_THAT(GuestImage({TEST_GUEST_LWIP, "/nowhere/liblwip.so"}).error(),
                HasSubstr("lwIP at /nowhere/liblwip.so: there is no such file"));
    EXPECT_THAT(GuestImage({TEST_GUEST_LWIP, TEST_GUEST}).error(),
                HasSubstr("its name is not liblwip.so.0"));
    std::filesystem::remove(text);
}

std::vector<std::uint8_t> bytes_of(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST(ElfStrings, ReadsAndRenamesTheNamesOfASharedObject) {
    ElfStrings image(bytes_of(TEST_GUEST_LWIP));
    ASSERT_EQ(image.error(), "");
    EXPECT_THAT(image.needed(), Contains("liblwip.so.0"));
    EXPECT_THAT(image.runpath(), HasSubstr("$ORIGIN"));
    EXPECT_TRUE(image.rename("liblwip.so.0", "libabcd.so.0"));
    EXPECT_FALSE(image.rename("liblwip.so.0", "libabcd.so.0"));
    EXPECT_THAT(image.needed(), Contains("libabcd.so.0"));
    EXPECT_THAT(image.needed(), Not(Contains("liblwip.so.0")));
}

TEST(ElfStrings, SurvivesEveryTruncationAndManyDamagedBytes) {
    const std::vector<std::uint8_t> whole = bytes_of(TEST_GUEST);
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 16) {
        ElfStrings cut({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        (void)cut.needed();
    }
    for (std::size_t at = 0; at < 4096 && at < whole.size(); at++) {
        std::vector<std::uint8_t> damaged = whole;
        damaged[at] ^= 0xFF;
        ElfStrings elf(std::move(damaged));
        if (elf.error().empty()) {
            (void)elf.needed();
            (void)elf.soname();
            (void)elf.runpath();
        }
    }
}

}  // namespace
}  // namespace doorbell
