// The yardstick process: one TCP transfer between two bare lwIP stacks over an ideal link, measured
// and printed as one JSON object. Usage: doorbell-bench-ideal BYTES
//
// Ideal: every frame arrives DELAY later, however many are under way; nothing is serialised, lost
// or interrupted. The stacks compute their checksums (there is no hardware to do it).
#include <time.h>
#include <systemc>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "hw/base/frame.hpp"
#include "hw/base/simulation_clock_module.hpp"
#include "hw/base/timeline_module.hpp"
#include "testbench/bench/ideal_guest.h"
#include "testbench/host/guest_image.hpp"
#include "testbench/host/guest_threads_module.hpp"
#include "testbench/host/pinned_rand.hpp"

struct guest_host {
    doorbell::GuestThreadsModule* threads;
    bool done;
};

namespace doorbell {
namespace {

constexpr Picoseconds kDelay = microseconds(10);
/// Preamble, FCS and inter-frame gap.
constexpr std::uint32_t kWireOverheadBytes = 24;
constexpr Picoseconds kTimeout = seconds(1000);

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "doorbell-bench-ideal: %s\n", why.c_str());
    std::exit(3);
}

guest_host_ops table() {
    guest_host_ops ops{};
    ops.version = GUEST_ABI_VERSION;
    ops.size = sizeof ops;
    ops.now = [](guest_host*) -> std::uint64_t { return sc_core::sc_time_stamp().value(); };
    ops.thread_create = [](guest_host* host, const char* name, void (*entry)(void*), void* arg,
                           std::uint32_t stack) {
        return host->threads->create(name, entry, arg, stack);
    };
    ops.event_create = [](guest_host* host, const char* name) {
        return host->threads->event_create(name);
    };
    ops.event_free = [](guest_host* host, guest_event* event) {
        if (!host->threads->event_free(event)) fail("an event was freed while waited for");
    };
    ops.event_notify = [](guest_host* host, guest_event* event) { host->threads->notify(*event); };
    ops.event_wait = [](guest_host* host, guest_event* event, std::uint64_t deadline) {
        return host->threads->wait_for(*event, deadline) ? 1 : 0;
    };
    ops.app_done = [](guest_host* host, std::uint32_t, int) { host->done = true; };
    ops.panic = [](guest_host*, const char* why) { fail(why); };
    return ops;
}

/// SystemC greets on standard output unless told not to, before sc_main is called.
[[maybe_unused]] const int kQuiet = setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);

/// One stack, and the direction of the link that leaves it.
class Station {
public:
    Station(const char* name, const std::string& image, std::uint32_t address, FramePool& pool,
            std::uint64_t mbps)
        : timeline_((std::string(name) + "_timeline").c_str()),
          threads_((std::string(name) + "_threads").c_str(), GuestThreadsParams{}, timeline_),
          image_(GuestImageParams{image, {}}),
          pool_(pool),
          mbps_(mbps),
          arrival_([this] { deliver(); }) {
        if (!image_.loaded()) fail(image_.error());
        interface_.address = address;
    }
    ~Station() { timeline_.cancel(arrival_); }

    void start(Station& peer, const std::vector<const char*>& argv) {
        using Connect = decltype(&ideal_connect);
        peer_input_ = reinterpret_cast<decltype(&ideal_input)>(peer.image_.symbol("ideal_input"));
        reinterpret_cast<Connect>(image_.symbol("ideal_connect"))(&Station::transmit, this);
        host_ = {&threads_, false};
        app_ = {static_cast<int>(argv.size()), argv.data(), 0};
        config_ = {"ideal", 1, &interface_, 0, nullptr, 1, &app_, 0, nullptr};
        threads_.create(
            "boot", [](void* self) { static_cast<Station*>(self)->boot(); }, this, 0);
    }

    [[nodiscard]] bool done() const { return host_.done; }
    [[nodiscard]] std::uint64_t frames() const { return frames_; }
    [[nodiscard]] std::uint64_t events() const {
        return threads_.resumptions() + timeline_.activations();
    }
    [[nodiscard]] std::uint64_t received_bytes() const {
        std::uint64_t bytes = 0;
        image_.metrics([](void* sum, const char*,
                          std::uint64_t value) { *static_cast<std::uint64_t*>(sum) += value; },
                       &bytes);
        return bytes;
    }

private:
    void boot() {
        static const guest_host_ops ops = table();
        if (image_.start(&ops, &host_, &config_) != 0) fail("the guest did not start");
    }
    static void transmit(void* self, const void* data, std::uint32_t size) {
        static_cast<Station*>(self)->transmit(static_cast<const std::uint8_t*>(data), size);
    }
    void transmit(const std::uint8_t* data, std::uint32_t size) {
        FramePtr frame = pool_.take();
        frame->resize(size);
        std::memcpy(frame->data(), data, size);
        busy_until_ps_ = std::max(busy_until_ps_, timeline_.now_ps());
        const std::uint64_t wire_bytes = size + kWireOverheadBytes;
        if (mbps_ != 0) busy_until_ps_ += wire_bytes * 8'000'000 / mbps_;
        under_way_.emplace_back(busy_until_ps_ + kDelay, std::move(frame));
        frames_++;
        if (!arrival_.scheduled()) timeline_.schedule(arrival_, under_way_.front().first);
    }
    void deliver() {
        const Picoseconds now = timeline_.now_ps();
        while (!under_way_.empty() && under_way_.front().first <= now) {
            const FramePtr frame = std::move(under_way_.front().second);
            under_way_.pop_front();
            peer_input_(frame->data(), frame->size_bytes());
        }
        if (!under_way_.empty()) timeline_.schedule(arrival_, under_way_.front().first);
    }

    TimelineModule timeline_;
    GuestThreadsModule threads_;
    GuestImage image_;
    FramePool& pool_;
    const std::uint64_t mbps_;  ///< 0: nothing is serialised.
    Picoseconds busy_until_ps_ = 0;
    Task arrival_;
    std::deque<std::pair<Picoseconds, FramePtr>> under_way_;
    decltype(&ideal_input) peer_input_ = nullptr;
    std::uint64_t frames_ = 0;
    guest_host host_{};
    guest_interface interface_{0, 0, 24, 1500};
    guest_app app_{};
    guest_config config_{};
};

double cpu_ns() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

int run(const std::string& image, const char* bytes, std::uint64_t mbps) {
    constexpr std::uint32_t kSender = 0x0a000001;
    constexpr std::uint32_t kReceiver = 0x0a000002;
    const std::string peer = std::to_string(kReceiver);
    pin_rand(1);
    FramePool pool;
    Station sender("sender", image, kSender, pool, mbps);
    Station receiver("receiver", image, kReceiver, pool, mbps);
    const std::vector<const char*> receive = {"receive"};
    const std::vector<const char*> send = {"send", bytes, peer.c_str()};
    receiver.start(sender, receive);
    sender.start(receiver, send);
    SimulationClock clock;
    clock.start();
    const double before = cpu_ns();
    while (!receiver.done() && clock.now_ps() < kTimeout) {
        clock.advance_until(clock.now_ps() + milliseconds(100));
    }
    const double spent = cpu_ns() - before;
    if (std::to_string(receiver.received_bytes()) != bytes) fail("not every byte arrived");
    std::printf(
        "{\"host_cpu_ns\": %.0f, \"frames\": %llu, \"kernel_events\": %llu, "
        "\"simulated_ns\": %llu}\n",
        spent, static_cast<unsigned long long>(sender.frames() + receiver.frames()),
        static_cast<unsigned long long>(sender.events() + receiver.events()),
        static_cast<unsigned long long>(clock.now_ps() / 1000));
    std::fflush(stdout);
    std::_Exit(0);  // the stacks' threads never end
}

}  // namespace
}  // namespace doorbell

int sc_main(int argc, char** argv) {
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: %s BYTES [MBPS]\n", argv[0]);
        return 2;
    }
    const auto image = std::filesystem::read_symlink("/proc/self/exe").parent_path() /
                       "doorbell_bench_ideal.guest.so";
    return doorbell::run(image.string(), argv[1],
                         argc == 3 ? std::strtoull(argv[2], nullptr, 10) : 0);
}
