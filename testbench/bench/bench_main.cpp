// doorbell bench: what a frame costs the host. Every figure is measured beside the ones it is
// compared with, in one run, since machines differ and are shared; what counts are the ratios.
//
// SystemC elaborates once per process, so every sample is a process of its own that reports as
// JSON. The rows alternate (random interleaving). Time shown: CPU time per frame, the median.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

fs::path here() {
    return fs::read_symlink("/proc/self/exe").parent_path();
}

/// A path as one word of a shell's command.
std::string quoted(const fs::path& path) {
    std::string word = "'";
    for (const char c : path.string()) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return word + "'";
}

/// A folder of this process that goes away with it.
const fs::path& scratch() {
    static const struct Folder {
        fs::path path = fs::temp_directory_path() / ("doorbell-bench-" + std::to_string(getpid()));
        Folder() { fs::create_directories(path); }
        ~Folder() {
            std::error_code ignored;
            fs::remove_all(path, ignored);
        }
    } folder;
    return folder.path;
}

/// Runs a command and parses what it prints; a failure ends the row with its output.
json run_json(benchmark::State& state, const std::string& command) {
    std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::string text;
    std::array<char, 65536> block{};
    std::size_t got = 0;
    while (pipe && (got = fread(block.data(), 1, block.size(), pipe.get())) > 0) {
        text.append(block.data(), got);
    }
    json result = json::parse(text, nullptr, false);
    if (result.is_discarded()) state.SkipWithError((command + " printed: " + text).c_str());
    return result;
}

void report(benchmark::State& state, double cpu_ns, double frames, double events, double sim_ns) {
    state.SetIterationTime(cpu_ns * 1e-9 / frames);
    state.counters["frames"] = frames;
    state.counters["events/frame"] = events / frames;
    state.counters["sim_s/cpu_s"] = sim_ns / cpu_ns;
}

/// A program of ours that measures itself, and stands beside this one.
void program(benchmark::State& state, const std::string& command) {
    const std::size_t name = command.find(' ');
    for ([[maybe_unused]] auto _ : state) {
        const json r =
            run_json(state, quoted(here() / command.substr(0, name)) + command.substr(name));
        if (!r.is_object()) return;
        report(state, r["host_cpu_ns"], r["frames"], r["kernel_events"], r["simulated_ns"]);
    }
}

bool ends_with(const std::string& text, std::string_view end) {
    return text.size() >= end.size() &&
           text.compare(text.size() - end.size(), end.size(), end) == 0;
}

/// What NICs and generators of a scenario have sent.
double frames_sent(const json& metrics) {
    double frames = 0;
    for (const auto& [name, value] : metrics.items()) {
        const bool counts =
            (ends_with(name, ".tx.frames") && name.find(".nic") != std::string::npos) ||
            (ends_with(name, ".sent.frames") && name.rfind("generator.", 0) == 0);
        if (counts) frames += value.get<double>();
    }
    return frames;
}

void scenario(benchmark::State& state, const std::string& arguments) {
    const fs::path out = scratch() / "out";
    for ([[maybe_unused]] auto _ : state) {
        const json r =
            run_json(state, quoted(here() / "doorbell") + " run " + arguments +
                                " --capture none --format json --quiet --out " + quoted(out));
        fs::remove_all(out);
        if (!r.is_object()) return;
        if (r["verdict"] != "pass") state.SkipWithError((arguments + " did not pass").c_str());
        report(state, r["host_cpu_ns"], frames_sent(r["metrics"]), r["kernel_events"],
               r["simulated_ns"]);
    }
}

constexpr const char* kPairsHead =
    "[scenario]\nname = \"pairs\"\ntimeout_ms = 120_000\n"
    "description = \"Pairs beside each other, each with a link of its own.\"\n"
    "[nic]\nphy.autonegotiation_ms = 1\n";
constexpr const char* kPairsEnd = "[[expect]]\nmetric = \"host.*.nic0.drops.*\"\nvalue = 0\n";

std::string host(const std::string& name, const std::string& address, const std::string& command) {
    return "[[host]]\nname = \"" + name + "\"\n[[host.interface]]\naddress = \"" + address +
           "/24\"\n[[host.app]]\nrun = \"" + command + "\"\n";
}

/// So many senders, each with a receiver; PEER in the sender's command is the receiver's address.
std::string host_pairs(const std::string& kind, int count, const std::string& sender,
                       const std::string& receiver) {
    const fs::path file = scratch() / (kind + std::to_string(count) + ".toml");
    std::ofstream text(file);
    text << kPairsHead << "[settings]\ndriver.itr = 488\n";
    for (int pair = 0; pair < count; pair++) {
        const std::string number = std::to_string(pair), net = "10.0." + number + ".";
        std::string command = sender;
        const std::size_t at = command.find("PEER");
        if (at != std::string::npos) command.replace(at, 4, net + "2");
        text << host("a" + number, net + "1", command) << host("b" + number, net + "2", receiver)
             << "[[link]]\nends = [\"a" << number << ".nic0\", \"b" << number << ".nic0\"]\n";
    }
    text << kPairsEnd;
    return quoted(file);
}

/// So many generators, each with a host; they begin when every guest listens.
std::string generator_pairs(int count) {
    constexpr const char* kSink = "packet_sink --count 40000 --idle-ms 100 --verify 0";
    constexpr const char* kTraffic = "size_bytes = 64\ncount = 40_000\nstart_us = 100_000\n";
    const fs::path file = scratch() / ("generators" + std::to_string(count) + ".toml");
    std::ofstream text(file);
    text << kPairsHead;
    for (int pair = 0; pair < count; pair++) {
        const std::string number = std::to_string(pair);
        text << host("a" + number, "10.0." + number + ".1", kSink) << "[[generator]]\nname = \"gen"
             << number << "\"\n"
             << kTraffic << "[[link]]\nends = [\"a" << number << ".nic0\", \"gen" << number
             << "\"]\n";
    }
    text << kPairsEnd;
    return quoted(file);
}

struct Row {
    std::string name;
    void (*run)(benchmark::State&, const std::string&);
    std::string argument;
    std::string what;    ///< Empty: said with the row before.
    std::string beside;  ///< The row it grows from.
};

std::vector<Row> rows() {
    const std::string bulk = quoted(here() / "full_path.toml");
    const std::string small = quoted(here() / "small_frames.toml");
    std::vector<Row> all = {
        {"floor", program, "doorbell-bench-floor 2000000",
         "a frame copied twice, each time in a timed event of the SystemC kernel", ""},
        {"ideal", program, "doorbell-bench-ideal 100000000",
         "two bare lwIP stacks over an ideal link: no NIC, driver, kernel or wire", ""},
        {"timed", program, "doorbell-bench-ideal 100000000 1000",
         "the same, with frames serialised at 1 Gb/s as on the wire of the full path", ""},
        {"full", scenario, bulk + " --set workload.bytes=100000000",
         "guest kernel, driver, NIC, timed PCIe, timed wire: the whole way of a packet", ""},
        {"file", scenario, "tcp_file --set workload.bytes=100000000",
         "full, and a generated file that is written out again (tcp_file)", ""},
        {"both", scenario,
         "tcp_bidirectional --set workload.from_a_bytes=50000000 "
         "--set workload.from_b_bytes=50000001",
         "files in both directions of one connection (tcp_bidirectional)", ""},
        {"line", scenario,
         "line_rate --set workload.size=64 --set workload.direction=rx "
         "--set workload.frames=500000",
         "frames of 64 bytes at line rate, from a generator to a driver's ring (line_rate)", ""},
        {"small", scenario, small + " --set workload.frames=500000",
         "frames of 64 bytes at line rate, from one driver to another, past TCP/IP", ""},
    };
    const auto grow = [&all](const std::string& name, auto run, const std::vector<int>& sizes,
                             const std::string& what, auto argument) {
        const std::string first = name + "/" + std::to_string(sizes.front());
        for (const int size : sizes) {
            all.push_back({name + "/" + std::to_string(size), run, argument(size),
                           size == sizes.front() ? what : "", first});
        }
    };
    const std::vector<int> hosts = {1, 2, 4, 8, 16, 32};
    grow("generators", scenario, hosts, "line, with that many generators and hosts at once",
         generator_pairs);
    grow("pairs", scenario, hosts, "small, in that many pairs of hosts at once", [](int count) {
        return host_pairs("small", count, "packet_generator --count 20000 --size 60",
                          "packet_sink --count 20000 --idle-ms 10");
    });
    grow("tcp_pairs", scenario, hosts, "full, in that many pairs of hosts at once", [](int count) {
        return host_pairs("tcp", count,
                          "tcp_send --to PEER --port 5001 --file /dev/zero --bytes 4000000",
                          "tcp_receive --port 5001 --file discard:");
    });
    const std::vector<int> pending = {10, 100, 1'000, 10'000, 100'000};
    grow("events", program, pending, "floor, with that many other events of the kernel pending",
         [](int count) { return "doorbell-bench-floor 1000000 " + std::to_string(count); });
    grow("tasks", program, pending, "the same with tasks of a timeline instead of events",
         [](int count) {
             return "doorbell-bench-floor 1000000 " + std::to_string(count) + " timeline";
         });
    return all;
}

double spread(const std::vector<double>& samples) {
    const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
    return *high - *low;
}

/// One line a row, with how it compares to floor, yardstick and what it grows from.
class RatioTable final : public benchmark::BenchmarkReporter {
public:
    explicit RatioTable(const std::vector<Row>& rows) : rows_(rows) {}

    bool ReportContext(const Context&) override { return true; }
    void ReportRuns(const std::vector<Run>& runs) override {
        for (const Run& run : runs) {
            if (run.error_occurred) {
                failed_ = true;
                std::fprintf(stderr, "%s: %s\n", run.run_name.function_name.c_str(),
                             run.error_message.c_str());
            }
            Figures& figures = measured_[run.run_name.function_name];
            if (run.aggregate_name == "spread") figures.spread_ns = run.GetAdjustedRealTime();
            if (run.aggregate_name != "median") continue;
            figures.ns = run.GetAdjustedRealTime();
            figures.events = run.counters.at("events/frame");
            figures.pace = run.counters.at("sim_s/cpu_s");
        }
    }
    void Finalize() override {
        if (measured_.empty()) return;
        std::printf("%-16s %9s %8s %8s %8s %8s %8s %8s\n", "", "ns/frame", "spread", "events",
                    "sim/CPU", "x floor", "x ideal", "x first");
        for (const Row& row : rows_) {
            const auto found = measured_.find(row.name);
            if (found == measured_.end() || found->second.ns == 0) continue;
            const Figures& figures = found->second;
            std::printf("%-16s %9.0f %8.0f %8.2f %8.2f %8s %8s %8s\n", row.name.c_str(), figures.ns,
                        figures.spread_ns, figures.events, figures.pace,
                        ratio(figures, "floor").c_str(), ratio(figures, "ideal").c_str(),
                        ratio(figures, row.beside).c_str());
        }
    }
    [[nodiscard]] bool failed() const { return failed_; }

private:
    struct Figures {
        double ns = 0, spread_ns = 0, events = 0, pace = 0;
    };

    [[nodiscard]] std::string ratio(const Figures& figures, const std::string& to) const {
        const auto found = measured_.find(to);
        if (found == measured_.end() || found->second.ns == 0) return "";
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.2f", figures.ns / found->second.ns);
        return text.data();
    }

    const std::vector<Row>& rows_;
    std::map<std::string, Figures> measured_;
    bool failed_ = false;
};

constexpr const char* kColumns =
    "  ns/frame  CPU time of the host, median of 5 runs; compare within one run only\n"
    "  spread    the slowest of the 5 less the fastest\n"
    "  events    activations of the SystemC kernel per frame\n"
    "  sim/CPU   simulated seconds per second of CPU time\n"
    "  x ...     ns/frame against another row: first is the smallest of its kind\n";

}  // namespace

int main(int argc, char** argv) {
    std::string interleave = "--benchmark_enable_random_interleaving=true";
    std::vector<char*> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, interleave.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    std::error_code error;
    fs::create_directories(fs::temp_directory_path(error), error);
    if (error) {
        std::fprintf(stderr, "doorbell-bench: no folder for temporary files (TMPDIR): %s\n",
                     error.message().c_str());
        return 2;
    }
    const std::vector<Row> all = rows();
    for (const Row& row : all) {
        benchmark::RegisterBenchmark(row.name.c_str(), row.run, row.argument)
            ->UseManualTime()
            ->Iterations(1)
            ->Repetitions(5)
            ->Unit(benchmark::kNanosecond)
            ->ComputeStatistics("spread", spread)
            ->ReportAggregatesOnly(true);
        // Beside the table, which may go to a file.
        if (!row.what.empty())
            std::fprintf(stderr, "  %-16s %s\n", row.name.c_str(), row.what.c_str());
    }
    std::fputs(kColumns, stderr);
    RatioTable table(all);
    if (benchmark::RunSpecifiedBenchmarks(&table) == 0) return 2;
    if (std::fflush(stdout) != 0) {
        std::fputs("doorbell-bench: the table could not be written\n", stderr);
        return 2;
    }
    return table.failed() ? 1 : 0;
}
