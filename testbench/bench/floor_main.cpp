// The floor: what no simulation of a frame can do without, measured and printed as one JSON object.
//
//   doorbell-bench-floor FRAMES [PENDING [timeline]]
//
// A frame of 1514 bytes is copied twice, each time in a timed event of the SystemC kernel. Besides,
// PENDING other events wait for times that never come: how much dearer do they make each event?
// With `timeline` the two events are tasks of a timeline (hw/base), and so are those that wait.
#include <time.h>
#include <systemc>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/prng.hpp"
#include "hw/base/simulation_clock_module.hpp"
#include "hw/base/timeline_module.hpp"

namespace doorbell {
namespace {

constexpr std::size_t kFrameBytes = 1514;
/// What waits, waits for a time between these.
constexpr Picoseconds kNeverReached = seconds(1'000'000);
constexpr Picoseconds kStep = nanoseconds(6'152);

[[maybe_unused]] const int kQuiet = setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);

/// One frame: copied in, and a step later copied out.
class Copier {
public:
    explicit Copier(std::uint64_t frames) : frames_(frames) {}
    /// False when there is nothing left to do.
    bool step() {
        if (!in_) {
            source_[0] = static_cast<std::uint8_t>(done_);
            std::memcpy(frame_.data(), source_.data(), kFrameBytes);
        } else {
            std::memcpy(target_.data(), frame_.data(), kFrameBytes);
            sum_ += target_[0];
            done_++;
        }
        in_ = !in_;
        return done_ < frames_;
    }
    [[nodiscard]] std::uint64_t done() const { return done_; }
    [[nodiscard]] std::uint64_t sum() const { return sum_; }

private:
    const std::uint64_t frames_;
    std::uint64_t done_ = 0;
    std::uint64_t sum_ = 0;
    bool in_ = false;
    std::array<std::uint8_t, kFrameBytes> source_{}, frame_{}, target_{};
};

Picoseconds far_time(Prng& prng) {
    return kNeverReached + prng.below(seconds(1'000));
}

class KernelFloor final : public sc_core::sc_module {
public:
    KernelFloor(const sc_core::sc_module_name& name, Copier& copier, std::uint64_t pending)
        : sc_module(name), copier_(copier), waiting_(pending) {
        SC_HAS_PROCESS(KernelFloor);
        SC_METHOD(copy);
        sensitive << next_;
        dont_initialize();
        Prng prng(1);
        for (sc_core::sc_event& event : waiting_) {
            event.notify(sc_core::sc_time::from_value(far_time(prng)));
        }
        next_.notify(sc_core::sc_time::from_value(kStep));
    }

    /// Times that the kernel called us.
    [[nodiscard]] std::uint64_t events() const { return events_; }

private:
    void copy() {
        events_++;
        if (copier_.step()) next_.notify(sc_core::sc_time::from_value(kStep));
    }

    Copier& copier_;
    std::uint64_t events_ = 0;
    sc_core::sc_event next_;
    std::vector<sc_core::sc_event> waiting_;
};

class TimelineFloor {
public:
    TimelineFloor(Copier& copier, std::uint64_t pending)
        : copier_(copier), timeline_("timeline"), next_([this] { copy(); }) {
        Prng prng(1);
        std::vector<Picoseconds> times(pending);
        for (Picoseconds& time : times) time = far_time(prng);
        // First what comes first, so that the kernel's event need not move for each of the others;
        // of those the last first, since a task passes the ones before it one by one.
        timeline_.schedule(next_, kStep);
        std::sort(times.begin(), times.end(), std::greater<>());
        for (const Picoseconds time : times) {
            waiting_.push_back(std::make_unique<Task>([] {}));
            timeline_.schedule(*waiting_.back(), time);
        }
    }
    ~TimelineFloor() {
        timeline_.cancel(next_);
        while (!waiting_.empty()) {
            timeline_.cancel(*waiting_.back());
            waiting_.pop_back();
        }
    }

    [[nodiscard]] std::uint64_t events() const { return timeline_.agenda_activations(); }

private:
    void copy() {
        if (copier_.step()) timeline_.schedule(next_, timeline_.now_ps() + kStep);
    }

    Copier& copier_;
    TimelineModule timeline_;
    Task next_;
    std::vector<std::unique_ptr<Task>> waiting_;
};

double cpu_ns() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e9 + static_cast<double>(t.tv_nsec);
}

/// A whole number, all of it; otherwise `usage` says what is wanted.
bool number(const char* text, std::uint64_t& value) {
    char* end = nullptr;
    value = std::strtoull(text, &end, 10);
    return end != text && *end == '\0' && *text != '-';
}

}  // namespace
}  // namespace doorbell

int sc_main(int argc, char** argv) {
    using namespace doorbell;
    std::uint64_t frames = 0, pending = 0;
    const bool timeline = argc == 4 && std::string(argv[3]) == "timeline";
    if (argc < 2 || argc > 4 || (argc == 4 && !timeline) || !number(argv[1], frames) ||
        frames == 0 || (argc > 2 && !number(argv[2], pending))) {
        std::fprintf(stderr, "usage: %s FRAMES [PENDING [timeline]]\n", argv[0]);
        return 2;
    }
    Copier copier(frames);
    std::unique_ptr<KernelFloor> kernel;
    std::unique_ptr<TimelineFloor> tasks;
    if (timeline) {
        tasks = std::make_unique<TimelineFloor>(copier, pending);
    } else {
        kernel = std::make_unique<KernelFloor>("floor", copier, pending);
    }
    SimulationClock clock;
    clock.start();
    const double before = cpu_ns();
    clock.advance_until((2 * frames + 1) * kStep);
    const double spent = cpu_ns() - before;
    const std::uint64_t events = timeline ? tasks->events() : kernel->events();
    if (copier.done() != frames) {
        std::fprintf(stderr, "doorbell-bench-floor: %llu frames of %s were copied\n",
                     static_cast<unsigned long long>(copier.done()), argv[1]);
        return 3;
    }
    std::printf(
        "{\"host_cpu_ns\": %.0f, \"frames\": %llu, \"kernel_events\": %llu, \"simulated_ns\": "
        "%llu, "
        "\"sum\": %llu}\n",
        spent, static_cast<unsigned long long>(frames), static_cast<unsigned long long>(events),
        static_cast<unsigned long long>(clock.now_ps() / 1000),
        static_cast<unsigned long long>(copier.sum()));
    return 0;
}
