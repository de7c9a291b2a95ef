#include "testbench/cli/serve_command.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>

#include "hw/nic/nic_params.hpp"
#include "hw/plugin/server.hpp"
#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/inspect_socket.hpp"
#include "testbench/cli/live_capture.hpp"
#include "testbench/cli/serve_wire.hpp"
#include "testbench/cli/server_state.hpp"
#include "testbench/report/log.hpp"
#include "testbench/report/run_result.hpp"
#include "testbench/wire/wire_spec.hpp"

namespace doorbell::cli {
namespace {

constexpr int kUsageError = 2;
/// How long a turn waits when we end; the session knows how long it waits for its client.
constexpr int kGoodbyeTurn_ms = 50;

class MonotonicClock final : public plugin::HostClock {
public:
    [[nodiscard]] std::uint64_t now_ns() const override {
        timespec now{};
        clock_gettime(CLOCK_MONOTONIC, &now);
        return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
               static_cast<std::uint64_t>(now.tv_nsec);
    }
};

class TerminalLog final : public plugin::ServerLog {
public:
    void warn(const std::string& line) override { log::warn("{}", line); }
    void info(const std::string& line) override { log::info("{}", line); }
};

/// SIGINT and SIGTERM end the server, SIGUSR1 asks for its state; all between two turns. Who reads
/// a log or a capture from a pipe may go without taking the server along.
class Signals final : public PollSource {
public:
    explicit Signals(std::function<void()> show_state) : show_state_(std::move(show_state)) {
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGINT);
        sigaddset(&mask, SIGTERM);
        sigaddset(&mask, SIGUSR1);
        sigprocmask(SIG_BLOCK, &mask, nullptr);  // Until the program ends.
        signal(SIGPIPE, SIG_IGN);
        descriptor_ = plugin::Descriptor(signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC));
    }

    void before_wait(std::vector<pollfd>& watched, int&) override {
        watched.push_back({descriptor_.number(), POLLIN, 0});
    }
    void after_wait(const pollfd* ready, std::size_t) override {
        // All that wait: of two, the kernel gives the one with the smaller number first.
        signalfd_siginfo info{};
        while (ready->revents != 0 &&
               read(descriptor_.number(), &info, sizeof info) == sizeof info) {
            if (info.ssi_signo == SIGUSR1) {
                show_state_();
            } else {
                ended_by_ = static_cast<int>(info.ssi_signo);
            }
        }
    }
    /// 0 while nobody has.
    [[nodiscard]] int ended_by() const { return ended_by_; }

private:
    std::function<void()> show_state_;
    plugin::Descriptor descriptor_;
    int ended_by_ = 0;
};

bool fail(const std::string& why) {
    std::cerr << "error: " << why << "\n";
    return false;
}

/// A parameter as it was typed.
NicParamValue value_of(const NicParam& param, const std::string& text) {
    if (param.kind == NicParamKind::kBoolean && (text == "true" || text == "false")) {
        return text == "true";
    }
    if (param.kind == NicParamKind::kInteger || param.kind == NicParamKind::kPowerOfTwo) {
        std::int64_t number = 0;
        const char* end = text.data() + text.size();
        const auto parsed = std::from_chars(text.data(), end, number);
        if (parsed.ec == std::errc{} && parsed.ptr == end) return number;
    }
    return text;
}

bool set_params(const ServeOptions& options, NicParams& params) {
    constexpr std::string_view kPrefix = "nic.";
    for (const std::string& set : options.sets) {
        const std::size_t equals = set.find('=');
        if (equals == std::string::npos || set.compare(0, kPrefix.size(), kPrefix) != 0) {
            return fail(
                fmt::format("--set '{}' is not nic.NAME=VALUE; the names: doorbell "
                            "describe nic",
                            set));
        }
        const std::string name = set.substr(kPrefix.size(), equals - kPrefix.size());
        const NicParam* param = find_nic_param(name);
        if (param == nullptr) {
            const std::string_view similar = similar_nic_param(name);
            return fail(fmt::format("--set '{}': a NIC has no parameter '{}'{}", set, name,
                                    similar.empty()
                                        ? "; the names: doorbell describe nic"
                                        : fmt::format("; did you mean '{}'?", similar)));
        }
        const std::string wrong =
            set_nic_param(params, name, value_of(*param, set.substr(equals + 1)));
        if (!wrong.empty()) return fail(fmt::format("--set '{}': {}", set, wrong));
    }
    return true;
}

bool read_rom(const ServeOptions& options, std::vector<std::uint8_t>& rom) {
    if (options.rom.empty()) return true;
    // One byte more than there may be: it need not end, and a folder can be opened as well.
    constexpr std::size_t kMost = plugin::vfio_user::kMaxDataBytes;
    rom.resize(kMost + 1);
    std::ifstream file(options.rom, std::ios::binary);
    file.read(reinterpret_cast<char*>(rom.data()), static_cast<std::streamsize>(rom.size()));
    if (!file.is_open() || file.bad()) {
        return fail(
            fmt::format("--rom '{}' cannot be read: {}", options.rom, std::strerror(errno)));
    }
    rom.resize(static_cast<std::size_t>(file.gcount()));
    // PCI firmware specification: an image starts with 55 AA.
    if (rom.size() < 2 || rom[0] != 0x55 || rom[1] != 0xAA) {
        return fail(fmt::format("--rom '{}' is no expansion ROM: it does not begin with 55 AA",
                                options.rom));
    }
    if (rom.size() > kMost) {
        return fail(fmt::format("--rom '{}' has more than the {} bytes that a client reads at once",
                                options.rom, kMost));
    }
    return true;
}

/// Two NICs on one cable draw lots for the clock of their link; with equal seeds they would tie for
/// ever. So the seed is the socket's, of which there is only one, and the same in the next run.
std::uint64_t seed_of(const std::string& socket) {
    constexpr std::uint64_t kFnvBasis = 0xcbf29ce484222325u;
    constexpr std::uint64_t kFnvPrime = 0x100000001b3u;
    std::uint64_t seed = kFnvBasis;
    std::error_code unknown;
    for (const char character : std::filesystem::absolute(socket, unknown).string()) {
        seed = (seed ^ static_cast<unsigned char>(character)) * kFnvPrime;
    }
    return seed;
}

/// Everything of a served NIC, in the order in which it is made.
struct Served {
    MonotonicClock clock;
    TerminalLog log;
    std::unique_ptr<Signals> signals;
    FramePool frames;
    plugin::NicClock model;
    std::unique_ptr<wire::FarSide> far_side;
    std::unique_ptr<LiveCapture> capture;
    std::unique_ptr<plugin::NicDevice> device;
    std::unique_ptr<plugin::ModelTime> time;
    std::unique_ptr<plugin::Server> server;
    std::unique_ptr<InspectSocket> inspect;

    [[nodiscard]] nlohmann::ordered_json state() const {
        return server_state(*server, *device, *time, *far_side);
    }
    void end_of_turn() {
        far_side->flush();
        if (capture != nullptr) capture->flush();
    }
};

/// Whether two paths lead to one file, which need not be there yet.
bool same_file(const std::string& one, const std::string& other) {
    namespace fs = std::filesystem;
    if (one.empty() || other.empty()) return false;
    std::error_code unknown;
    if (one == other || fs::equivalent(one, other, unknown)) return true;
    const fs::path place = fs::weakly_canonical(fs::absolute(one, unknown), unknown);
    return !place.empty() && place == fs::weakly_canonical(fs::absolute(other, unknown), unknown);
}

/// Two things in one file would spoil each other.
bool all_apart(const ServeOptions& options) {
    const wire::WireSpec wire = wire::parse_wire_spec(options.wire);
    const auto at = [&](std::size_t i) {
        return i < wire.storage.size() ? wire.storage[i] : std::string();
    };
    if (wire.kind == "unix" && (same_file(at(0), options.socket) ||
                                same_file(at(0), InspectSocket::path_of(options.socket)))) {
        return fail(fmt::format(
            "--wire '{}' is the path of --socket, where QEMU connects; give the cable another one",
            options.wire));
    }
    if (wire.kind == "pcap" &&
        (same_file(at(0), options.capture) || same_file(at(1), options.capture))) {
        return fail(fmt::format("--capture '{}' is a file of --wire '{}', too; write into another",
                                options.capture, options.wire));
    }
    return true;
}

bool open_sockets(const ServeOptions& options, Served& served) {
    // Whoever sees the sockets may send a signal at once.
    served.signals = std::make_unique<Signals>(
        [&served] { std::cerr << state_text(served.state()) << std::flush; });
    served.server->add(*served.signals);
    std::string why;
    plugin::ListeningSocket socket = plugin::ListeningSocket::open_at(options.socket, why);
    if (!socket.open()) return fail(why);
    plugin::ListeningSocket inspect =
        plugin::ListeningSocket::open_at(InspectSocket::path_of(options.socket), why);
    if (!inspect.open()) return fail(why);
    served.server->listen(std::move(socket));
    served.inspect = std::make_unique<InspectSocket>(std::move(inspect), [&served](bool json) {
        return json ? served.state().dump(2) + "\n" : state_text(served.state());
    });
    served.server->add(*served.inspect);
    return true;
}

bool build(const ServeOptions& options, const ProgramPaths& paths, Served& served) {
    NicParams params;
    params = plugin::NicDevice::served(params, options.rate_mbps);
    params.seed = seed_of(options.socket);
    std::vector<std::uint8_t> rom;
    if (options.capture == "-") {
        return fail(
            "--capture '-': frames are written into a file, never to the standard output, where "
            "the summary goes; write './-' for a file of that name");
    }
    if (!all_apart(options) || !set_params(options, params) || !read_rom(options, rom)) {
        return false;
    }
    const auto say = [](const std::string& line) { log::info("wire: {}", line); };
    wire::MadeFarSide made =
        open_wire(options.wire, options.rate_mbps, paths,
                  {served.model.timeline(), served.frames, EventPort{}, say, LiveCapture::open});
    if (made.far_side == nullptr) return fail("--wire: " + made.error);
    served.far_side = std::move(made.far_side);
    if (!options.capture.empty()) {
        served.capture = std::make_unique<LiveCapture>(options.capture);
        if (served.capture->error() != 0) {
            return fail(fmt::format("--capture '{}' cannot be written: {}", options.capture,
                                    std::strerror(served.capture->error())));
        }
        served.far_side->tap(served.capture.get());
    }
    served.device = std::make_unique<plugin::NicDevice>(served.model.timeline(), *served.far_side,
                                                        served.frames, EventPort{}, params,
                                                        std::move(rom), served.log);
    served.time = std::make_unique<plugin::ModelTime>(
        served.model, served.clock,
        options.time == "fast" ? plugin::Pace::kFast : plugin::Pace::kWall);
    served.server =
        std::make_unique<plugin::Server>(*served.device, *served.time, served.clock, served.log);
    served.server->busy_poll(std::uint64_t{options.busy_poll_us} * 1000);
    served.server->add(*served.far_side);
    served.server->at_end_of_turn([&served] { served.end_of_turn(); });
    served.far_side->attach(served.device->nic());
    log::info("wire: {}", served.far_side->description());
    return open_sockets(options, served);
}

/// Each connection of a guest through --wire user is one of ours: the usual 1024 are few.
void allow_many_descriptors() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    constexpr rlim_t kEnough = 65'536;
    const rlim_t wanted = std::min(limit.rlim_max, kEnough);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

void say_hello(const ServeOptions& options) {
    if (options.verbosity < 0) return;
    std::cerr << fmt::format(
        "serving an 82574L at {0}; QEMU 10.1 or newer takes it with\n"
        "  -object memory-backend-memfd,id=mem,size=512M,share=on -M q35,memory-backend=mem -m "
        "512M\n"
        "  -device pcie-root-port,id=rp0,chassis=1,slot=1\n"
        "  -device '{{\"driver\":\"vfio-user-pci\",\"bus\":\"rp0\",\"x-msg-timeout\":60000,"
        "\"socket\":{{\"type\":\"unix\",\"path\":\"{0}\"}}}}'\n",
        options.socket);
}

int serve(const ServeOptions& options, Served& served) {
    const Signals& signals = *served.signals;
    // Timers of the model are microseconds; the kernel would round them to 50 of them.
    prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
    say_hello(options);
    bool over = false;
    while (signals.ended_by() == 0 && !over) {
        served.server->turn(-1);
        over = options.once && served.server->clients_served() > 0 &&
               served.server->session() == nullptr;
    }
    served.server->stop_listening();
    served.server->disconnect();
    while (served.server->session() != nullptr) served.server->turn(kGoodbyeTurn_ms);
    if (options.verbosity >= 0) std::cout << summary_text(served.state()) << std::flush;
    if (served.capture != nullptr && !served.capture->close()) {
        fail(fmt::format("--capture '{}' is not whole: {}", options.capture,
                         std::strerror(served.capture->error())));
        return static_cast<int>(report::Verdict::kError);  // As of a run whose file is not whole.
    }
    return signals.ended_by() != 0 ? interrupted_exit_code(signals.ended_by()) : 0;
}

}  // namespace

int serve_command(const ServeOptions& options, const ProgramPaths& paths) {
    Served served;
    allow_many_descriptors();
    if (!build(options, paths, served)) return kUsageError;
    return serve(options, served);
}

int inspect_command(const InspectOptions& options) {
    std::string answer;
    std::string why;
    if (!ask_server(options.socket, options.format == Format::kJson, answer, why)) {
        fail(why);
        return kUsageError;
    }
    std::cout << answer;
    return 0;
}

}  // namespace doorbell::cli
