#include "hw/plugin/lost_memory.hpp"

#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>

#include "hw/plugin/vfio_user.hpp"

namespace doorbell::plugin::lost_memory {
namespace {

struct Watched {
    std::uint8_t* bytes;
    std::uint64_t size_bytes;
};
// A plain array: the handler may run between any two instructions of the thread that changes it,
// but only when that thread touches a mapping, which it does not do here.
std::array<Watched, 2 * vfio_user::kMaxDmaMaps> watched;
std::size_t watched_count = 0;
volatile sig_atomic_t lost = 0;
struct sigaction before {};
bool installed = false;

void on_bus_error(int number, siginfo_t* info, void* context) {
    auto* const at = static_cast<std::uint8_t*>(info->si_addr);
    for (std::size_t i = 0; i < watched_count; i++) {
        const Watched& range = watched[i];
        if (at < range.bytes || at >= range.bytes + range.size_bytes) continue;
        // Nothing behind this page is there any more, either. mmap is a plain system call.
        const std::uint64_t from = static_cast<std::uint64_t>(at - range.bytes) &
                                   ~std::uint64_t{vfio_user::kPageBytes - 1};
        void* zeros = mmap(range.bytes + from, range.size_bytes - from, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        if (zeros == MAP_FAILED) {  // Huge pages are not replaced in part.
            zeros = mmap(range.bytes, range.size_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        }
        if (zeros == MAP_FAILED) break;
        lost = 1;
        return;
    }
    if ((before.sa_flags & SA_SIGINFO) != 0 && before.sa_sigaction != nullptr) {
        before.sa_sigaction(number, info, context);
        return;
    }
    signal(number, SIG_DFL);  // The access is repeated and ends the program as it always would.
}

}  // namespace

void install() {
    if (installed) return;
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    installed = sigaction(SIGBUS, &action, &before) == 0;
}

void watch(std::uint8_t* bytes, std::uint64_t size_bytes) {
    if (bytes != nullptr && watched_count < watched.size()) {
        watched[watched_count++] = {bytes, size_bytes};
    }
}

void forget(std::uint8_t* bytes) {
    for (std::size_t i = 0; i < watched_count; i++) {
        if (watched[i].bytes != bytes) continue;
        watched[i] = watched[--watched_count];
        return;
    }
}

bool happened() {
    const bool yes = lost != 0;
    lost = 0;
    return yes;
}

}  // namespace doorbell::plugin::lost_memory
