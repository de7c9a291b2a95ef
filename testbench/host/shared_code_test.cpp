#include "testbench/host/shared_code.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "testbench/host/elf_strings.hpp"

namespace doorbell {
namespace {

namespace fs = std::filesystem;

struct Page {
    std::string access;  ///< "r-xp"
    std::string file;    ///< Device and number, of /proc/self/maps.
    std::string contents;
};
/// By the distance from the beginning of a library.
using Pages = std::map<std::uintptr_t, Page>;

/// What a loaded library's segments occupy.
Pages pages_of(const std::string& path) {
    struct Range {
        const std::string& path;
        std::uintptr_t start = UINTPTR_MAX, end = 0;
    } range{path};
    const auto look_at = [](dl_phdr_info* library, std::size_t, void* context) {
        auto& found = *static_cast<Range*>(context);
        for (ElfW(Half) i = 0; found.path == library->dlpi_name && i < library->dlpi_phnum; i++) {
            const ElfW(Phdr)& part = library->dlpi_phdr[i];
            if (part.p_type != PT_LOAD) continue;
            found.start = std::min(found.start, library->dlpi_addr + part.p_vaddr);
            found.end = std::max(found.end, library->dlpi_addr + part.p_vaddr + part.p_filesz);
        }
        return 0;
    };
    dl_iterate_phdr(look_at, &range);
    Pages pages;
    const auto page_bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    std::ifstream maps("/proc/self/maps");
    std::ifstream memory("/proc/self/mem", std::ios::binary);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        std::string place, access, offset, device, inode;
        fields >> place >> access >> offset >> device >> inode;
        std::size_t dash = 0;
        const std::uintptr_t start = std::stoull(place, &dash, 16);
        const std::uintptr_t end = std::stoull(place.substr(dash + 1), nullptr, 16);
        if (start < range.start || start >= range.end || access[0] != 'r') continue;
        for (std::uintptr_t at = start; at < end; at += page_bytes) {
            // By the kernel: AddressSanitizer lets nobody read between a library's constants.
            std::string contents(page_bytes, '\0');
            memory.seekg(static_cast<std::streamoff>(at));
            EXPECT_TRUE(memory.read(contents.data(), static_cast<std::streamsize>(page_bytes)));
            pages[at - range.start] = {access, device + ":" + inode, contents};
        }
    }
    return pages;
}

/// Copies of lwIP that differ in their names, as those of hosts do.
class SharedCode : public testing::Test {
protected:
    SharedCode() {
        std::string name = testing::TempDir() + "doorbell-XXXXXX";
        folder_ = mkdtemp(name.data());
    }
    ~SharedCode() override { fs::remove_all(folder_); }

    std::string load(const std::string& name) {
        std::ifstream file(DOORBELL_LWIP_PATH, std::ios::binary);
        ElfStrings lwip({std::istreambuf_iterator<char>(file), {}});
        EXPECT_TRUE(lwip.rename("liblwip.so.0", name));
        std::string path = folder_ + "/" + name;
        std::ofstream(path, std::ios::binary)
            .write(reinterpret_cast<const char*>(lwip.bytes().data()),
                   static_cast<std::streamsize>(lwip.bytes().size()));
        EXPECT_NE(dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL), nullptr) << dlerror();
        return path;
    }

    std::string folder_;
};

TEST_F(SharedCode, ALibraryIsAfterwardsWhatItWasAndHasWhatIsEqualFromTheFirst) {
    const std::string original = "lwIP of this test";
    const std::string first = load("liblAAA.so.0");
    ASSERT_EQ(share_code(original, first), "");
    const std::string second = load("liblBBB.so.0");
    const Pages of_first = pages_of(first);
    const Pages before = pages_of(second);
    ASSERT_EQ(share_code(original, second), "");
    const Pages after = pages_of(second);

    ASSERT_GT(before.size(), 10u);
    ASSERT_EQ(after.size(), before.size());
    std::size_t shared = 0;
    std::size_t different = 0;
    for (const auto& [at, page] : after) {
        EXPECT_EQ(page.access, before.at(at).access) << at;
        EXPECT_TRUE(page.contents == before.at(at).contents) << "another page at " << at;
        const Page& theirs = of_first.at(at);
        const bool equal = page.access[1] != 'w' && page.contents == theirs.contents &&
                           before.at(at).file != "00:00:0";
        EXPECT_EQ(page.file, equal ? theirs.file : before.at(at).file) << at;
        shared += equal ? 1 : 0;
        different += page.contents == theirs.contents ? 0 : 1;
    }
    EXPECT_GT(shared, 20u);
    EXPECT_GT(different, 0u) << "their names";
}

// Pages that hold data are equal until one of the guests writes.
TEST_F(SharedCode, WhatIsWrittenIsNeverShared) {
    std::string paths[2];
    unsigned char* written[2];
    for (int i = 0; i < 2; i++) {
        paths[i] = folder_ + "/guest" + std::to_string(i) + ".so";
        fs::copy_file(TEST_GUEST, paths[i]);
        void* const library = dlopen(paths[i].c_str(), RTLD_NOW | RTLD_LOCAL);
        ASSERT_NE(library, nullptr) << dlerror();
        written[i] = static_cast<unsigned char*>(dlsym(library, "test_guest_data"));
        ASSERT_NE(written[i], nullptr);
        ASSERT_EQ(share_code("the guest of this test", paths[i]), "");
    }
    const Pages first = pages_of(paths[0]);
    const Pages second = pages_of(paths[1]);
    for (const auto& [at, page] : second) {
        if (page.access[1] != 'w') continue;
        EXPECT_NE(page.file, first.at(at).file) << at;
    }
    std::memset(written[1], 7, 8192);
    EXPECT_EQ(written[0][0], 1);
    EXPECT_EQ(written[0][8191], 0);
}

}  // namespace
}  // namespace doorbell
