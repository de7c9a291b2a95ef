#include "testbench/cli/guest_places.hpp"

#include <link.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>

namespace doorbell::cli {
namespace {

constexpr std::size_t kMostStackWords = 512;

// A handler may look at nothing else.
std::array<GuestPlace, 16> places;
std::size_t place_count = 0;

const GuestPlace* place_at(std::uintptr_t address) {
    for (std::size_t i = 0; i < place_count; i++) {
        if (address >= places[i].begin && address < places[i].end) return &places[i];
    }
    return nullptr;
}

/// Whatever stands on the stack, between objects as well.
__attribute__((noinline, no_sanitize("address"))) std::uintptr_t word_at(std::uintptr_t address) {
    return *reinterpret_cast<const std::uintptr_t*>(address);
}

int find_object(dl_phdr_info* info, std::size_t, void* data) {
    auto& place = *static_cast<GuestPlace*>(data);
    const std::uintptr_t code = place.begin;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& part = info->dlpi_phdr[i];
        const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
        if (part.p_type != PT_LOAD || code < begin || code >= begin + part.p_memsz) continue;
        place.base = info->dlpi_addr;
        place.begin = begin;
        place.end = begin + part.p_memsz;
        return 1;
    }
    return 0;
}

}  // namespace

void note_guest(const std::string& host, const std::string& image, const void* code) {
    if (place_count == places.size()) return;
    GuestPlace place;
    host.copy(place.host.data(), place.host.size() - 1);
    image.copy(place.image.data(), place.image.size() - 1);
    place.begin = reinterpret_cast<std::uintptr_t>(code);
    if (dl_iterate_phdr(find_object, &place) != 0) places[place_count++] = place;
}

const GuestPlace* place_of_host(const char* host) {
    for (std::size_t i = 0; i < place_count; i++) {
        if (std::strncmp(places[i].host.data(), host, places[i].host.size() - 1) == 0) {
            return &places[i];
        }
    }
    return nullptr;
}

GuestCode guest_code_of(void* context) {
#if defined(__x86_64__)
    const auto* registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    const auto program_counter = static_cast<std::uintptr_t>(registers[REG_RIP]);
    const auto stack = static_cast<std::uintptr_t>(registers[REG_RSP]) & ~std::uintptr_t{7};
    if (const GuestPlace* place = place_at(program_counter); place != nullptr) {
        return {place, program_counter - place->base, true};
    }
    // The innermost word of the stack that looks like a return into a guest.
    for (std::size_t i = 0; i < kMostStackWords; i++) {
        const std::uintptr_t word = word_at(stack + i * sizeof(std::uintptr_t));
        const GuestPlace* place = place_at(word);
        if (place != nullptr) return {place, word - place->base, false};
    }
#else
    (void)context;
#endif
    return {};
}

void say_to_stderr(const char* text, int length) {
    // Nobody is left who could do anything about an error.
    if (length > 0 && write(STDERR_FILENO, text, static_cast<std::size_t>(length)) < 0) return;
}

}  // namespace doorbell::cli
