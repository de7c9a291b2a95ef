// doorbell bench: what a frame costs the host, with the yardstick in the same run.
//
//   ideal   two bare lwIP stacks over an ideal link: no NIC, no driver, no kernel, no wire rate
//   timed   the same, but frames are serialised at 1 Gb/s, as on the wire of the full path
//   full    the whole way of a packet: guest kernel, driver, NIC, timed PCIe, timed wire
//   file    the same with what `tcp_file` does besides: a generated file, written out again
//
// SystemC elaborates once per process, so every sample is a process of its own that reports as
// JSON. The two kinds alternate where Google Benchmark lets them (random interleaving), because
// these figures are only comparable when measured side by side. Time shown: CPU time per frame.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace {

using nlohmann::json;

std::filesystem::path here() {
    return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

/// Runs a command and parses what it prints; a failure ends the benchmark with its output.
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

constexpr const char* kBytes = "100000000";

void yardstick(benchmark::State& state, const std::string& rate) {
    for ([[maybe_unused]] auto _ : state) {
        const json r =
            run_json(state, (here() / "doorbell-bench-ideal").string() + " " + kBytes + rate);
        if (!r.is_object()) return;
        report(state, r["host_cpu_ns"], r["frames"], r["kernel_events"], r["simulated_ns"]);
    }
}

void ideal(benchmark::State& state) {
    yardstick(state, "");
}
void timed(benchmark::State& state) {
    yardstick(state, " 1000");
}

void whole_path(benchmark::State& state, const std::string& scenario) {
    const std::string out =
        (std::filesystem::temp_directory_path() / ("doorbell-bench-" + std::to_string(getpid())))
            .string();
    for ([[maybe_unused]] auto _ : state) {
        const json r = run_json(state, (here() / "doorbell").string() + " run " + scenario +
                                           " --capture none --format json --quiet"
                                           " --set workload.bytes=" +
                                           kBytes + " --out " + out);
        std::filesystem::remove_all(out);
        if (!r.is_object()) return;
        if (r["verdict"] != "pass") state.SkipWithError((scenario + " did not pass").c_str());
        double frames = 0;
        for (const auto& [name, value] : r["metrics"].items()) {
            if (name.size() > 10 && name.find(".nic") != std::string::npos &&
                name.compare(name.size() - 10, 10, ".tx.frames") == 0) {
                frames += value.get<double>();
            }
        }
        report(state, r["host_cpu_ns"], frames, r["kernel_events"], r["simulated_ns"]);
    }
}

void full(benchmark::State& state) {
    whole_path(state, (here() / "full_path.toml").string());
}
void file(benchmark::State& state) {
    whole_path(state, "tcp_file");
}

double spread(const std::vector<double>& samples) {
    const auto [low, high] = std::minmax_element(samples.begin(), samples.end());
    return *high - *low;
}

struct Row {
    const char* name;
    void (*run)(benchmark::State&);
    const char* what;
};

constexpr Row kRows[] = {
    {"ideal", ideal, "two bare lwIP stacks over an ideal link: the yardstick"},
    {"timed", timed, "the same, with frames serialised at 1 Gb/s as on the wire of the full path"},
    {"full", full, "guest kernel, driver, NIC, timed PCIe, timed wire: the whole way of a packet"},
    {"file", file, "full, and a generated file that is written out again (tcp_file)"},
};

void configure(benchmark::internal::Benchmark* b) {
    b->UseManualTime()->Iterations(1)->Repetitions(5)->Unit(benchmark::kNanosecond);
    b->ComputeStatistics("spread", spread)->ReportAggregatesOnly(true);
}

}  // namespace

int main(int argc, char** argv) {
    std::string interleave = "--benchmark_enable_random_interleaving=true";
    std::vector<char*> arguments(argv, argv + argc);
    arguments.insert(arguments.begin() + 1, interleave.data());
    int count = static_cast<int>(arguments.size());
    benchmark::Initialize(&count, arguments.data());
    if (benchmark::ReportUnrecognizedArguments(count, arguments.data())) return 2;
    // Beside the table, which may be JSON.
    std::fputs(
        "Time is CPU time of the host per frame, over 5 runs each. Compare within one run.\n",
        stderr);
    for (const Row& row : kRows) {
        configure(benchmark::RegisterBenchmark(row.name, row.run));
        std::fprintf(stderr, "  %-6s %s\n", row.name, row.what);
    }
    std::fputs("  spread the slowest run less the fastest\n", stderr);
    benchmark::RunSpecifiedBenchmarks();
    return 0;
}
