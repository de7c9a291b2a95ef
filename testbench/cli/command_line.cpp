#include "testbench/cli/command_line.hpp"

#include <cstdint>
#include <map>

#include "testbench/cli/serve_wire.hpp"
#include "testbench/scenario/decode_text.hpp"

namespace doorbell::cli {
namespace {

constexpr const char* kExamples = R"(
Examples:
  doorbell run tcp_file                                  a generated file crosses two NICs
  doorbell run tcp_file --set workload.input=README.md --set workload.output=/tmp/copy
  doorbell run lossy_wire --seed 7 --hash                the same seed gives the same hash
  doorbell run interrupt_moderation --jobs 2             a sweep, two processes at a time
  doorbell sweep ping --axis workload.size=56:1456:200   one table and plots of many runs
  doorbell run my.toml --format json | python3 -m json.tool
  doorbell check my.toml                                 mistakes, with line and column
  doorbell describe scenario                             every key of a scenario file
  doorbell describe metrics                              every metric
  doorbell regs TCTL 0x0003f0fa                          a register, decoded

In the source tree ./doorbell also has: test [--full] (tiers of tests), bench (CPU time per frame),
qemu (Linux in a stock QEMU with the model as its network card; ./doorbell qemu --help).

Exit codes: 0 pass, 1 an expectation failed, 2 usage or scenario error, 3 model or driver broke.
)";

constexpr const char* kRunExamples = R"(
A run leaves its evidence in out/SCENARIO (or --out): wire.pcapng (both ends of every link, FCS
included), result.json, resolved.toml. A failure prints the one command that replays it.

Keys of --set are those of the scenario file; hosts and links go by name, NICs by number:
  --set workload.bytes=1000000          --set nic.phy.autonegotiation_ms=0
  --set settings.driver.tx_ring=64      --set host.b.settings.driver.rx_ring=16
  --set link.wire0.faults.loss_ppm=20000
A key that the scenario sweeps has the value of --set in every run; runs that differed in nothing
else are one.
)";

constexpr const char* kSweepExamples = R"(
An axis is a key of --set with the values it takes, in a list of values and ranges, both ends
included: 64,128,256:1500:64 in steps, 64:4096:x2 by factors. Several axes multiply; an axis takes
the place of the scenario's own sweep of its key. Values with commas or colons stand in quotes.

  doorbell sweep interrupt_moderation                    the scenario's own sweep, as a table
  doorbell sweep interrupt_moderation --no-sweep --axis settings.driver.itr=0,50:800:50
  doorbell sweep ping --axis workload.size=8:1472:x2 --axis nic.pcie.lanes=1,4 --seeds 3
  doorbell sweep ping --axis workload.size=56:1456:100 --metric 'host.a.app.*.latency_*'
  doorbell sweep ping --axis workload.size=8:1400 --executor slurm --slurm-args '--time=10'

In the folder: sweep.csv and sweep.json (the same for -j1, -j8 and Slurm, byte for byte),
host_times.csv (where and how long), plots/*.svg, and a folder for each point with its evidence.

Run again, the same command runs what is missing: points that were interrupted, that broke, or whose
scenario, seed, inputs or program changed. Others are kept; --fresh runs all.

Slurm: one job array, submitted where the command runs; program, scenario and folder must have the
same names on its nodes (a shared file system). Interrupted, or with --no-wait, the jobs go on, and
the same command collects them.

Exit codes: the worst of all points, as of run; 2 also when points are missing; 130 interrupted.
)";

constexpr const char* kServeExamples = R"(
One client is served at a time, each with a NIC as after power-on. QEMU 10.1 or newer takes it with
-device vfio-user-pci; its memory must be shared (share=on). `doorbell inspect SOCKET` and SIGUSR1
show link, rings, interrupts and counters.

  doorbell serve --socket /tmp/nic0 --wire user
  doorbell serve --socket /tmp/nic0 --rom pxe-e1000e.rom --capture frames.pcapng

Parameters of --set are those of `doorbell describe nic`, three of them with another default:
pcie.timing is off (an access takes what QEMU needs for it), seed is made of the path of --socket
(two NICs on one cable must differ), and rings.transmit_rate_mbps is --rate.
)";

constexpr const char* kInspectExamples = R"(
Looking changes nothing, and no client of the server notices.

  doorbell inspect /tmp/nic0
  doorbell inspect /tmp/nic0 --json | python3 -m json.tool
)";

constexpr const char* kDescribeExamples = R"(
Examples:
  doorbell describe tcp_file                  hosts, NICs, links, what is expected
  doorbell describe tcp_file --set settings.driver.tx_ring=64
  doorbell describe scenario                  every key of a scenario file
  doorbell describe nic                       every parameter of a NIC, with its default
  doorbell describe guest --set host.a.image=eager_doorbell
)";

const std::map<std::string, Format> kFormats = {{"text", Format::kText}, {"json", Format::kJson}};
const std::map<std::string, Capture> kCaptures = {
    {"none", Capture::kNone}, {"wire", Capture::kWire}, {"all", Capture::kAll}};
const std::map<std::string, Trace> kTraces = {{"binary", Trace::kBinary}, {"json", Trace::kJson}};
const std::map<std::string, Executor> kExecutors = {{"local", Executor::kLocal},
                                                    {"slurm", Executor::kSlurm}};
const std::map<std::string, Colour> kColours = {
    {"auto", Colour::kAuto}, {"always", Colour::kAlways}, {"never", Colour::kNever}};

/// A choice among words; what is shown and accepted are the words.
template <class T>
CLI::Option* add_choice(CLI::App& app, const std::string& name, T& value,
                        const std::map<std::string, T>& words, const std::string& description) {
    std::string list;
    std::vector<std::string> names;
    for (const auto& [word, ignored] : words) {
        list += (list.empty() ? "" : "|") + word;
        names.push_back(word);
    }
    return app
        .add_option_function<std::string>(
            name, [&value, &words](const std::string& word) { value = words.at(word); },
            description)
        ->check(CLI::IsMember(names).description(""))
        ->type_name(list);
}

void add_seed(CLI::App& sub, std::uint64_t& seed) {
    sub.add_option("--seed", seed, "Of everything random in the run")
        ->type_name("N")
        // Without this, -1 and 2^64 would be taken for 2^64 - 1, and nothing for 0.
        ->check(CLI::Validator(
            [](const std::string& text) {
                std::uint64_t ignored = 0;
                return scenario::parse_unsigned(text, ignored)
                           ? ""
                           : "'" + text + "' is no whole number below 2^64";
            },
            ""))
        ->capture_default_str();
}

void add_run(CLI::App& app, RunOptions& run) {
    CLI::App& sub = *app.add_subcommand("run", "Run scenarios");
    sub.footer(kRunExamples);
    sub.add_option("scenario", run.scenarios, "Names of shipped scenarios, or paths of TOML files")
        ->required()
        ->type_name("SCENARIO");
    sub.add_option("--set", run.sets, "Change a key of the scenario")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    add_seed(sub, run.seed);
    sub.add_option("-j,--jobs", run.jobs, "Runs at the same time")
        ->type_name("N")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    sub.add_option("-o,--out", run.out, "Folder for the evidence (default out/SCENARIO)")
        ->type_name("DIR");
    add_choice(sub, "--format", run.format, kFormats, "What is printed");
    sub.add_option("--junit", run.junit, "Also write a JUnit report")->type_name("FILE");
    add_choice(sub, "--capture", run.capture, kCaptures,
               "Frames to keep: none; wire, both ends of every link; all, also at the hosts");
    add_choice(sub, "--trace", run.trace, kTraces,
               "Write the event stream: events.trace, or events.jsonl")
        ->expected(0, 1)
        ->default_str("binary");
    sub.add_flag("--hash", run.hash, "Hash the event stream (trace_hash)");
    sub.add_flag_function(
        "-v,--verbose", [&run](std::int64_t n) { run.verbosity = static_cast<int>(n); },
        "All metrics; twice: also the guests' tables and debug lines");
    sub.add_flag_function(
        "-q,--quiet", [&run](std::int64_t) { run.verbosity = -1; }, "Verdicts only");
    add_choice(sub, "--color", run.colour, kColours, "Colour (default: on a terminal)");
    sub.add_flag_function(
        "--no-sweep", [&run](std::int64_t) { run.sweep.own = false; },
        "Leave out the scenario's sweep: one run");
    sub.add_option("--axis", run.sweep.axes)->allow_extra_args(false)->group("");
    sub.add_flag("--child", run.is_child)->group("");
    sub.add_option("--point", run.point)->group("");
    sub.add_flag("--progress", run.progress)->group("");
}

void add_sweep(CLI::App& app, SweepOptions& sweep) {
    CLI::App& sub =
        *app.add_subcommand("sweep", "Run a scenario at many points: one table, and plots");
    sub.footer(kSweepExamples);
    sub.add_option("scenario", sweep.scenario, "Name of a shipped scenario, or path of a TOML file")
        ->required()
        ->type_name("SCENARIO");
    sub.add_option("--axis", sweep.run.sweep.axes, "Vary a key of the scenario")
        ->type_name("KEY=VALUES")
        ->allow_extra_args(false);
    sub.add_flag_function(
        "--no-sweep", [&sweep](std::int64_t) { sweep.run.sweep.own = false; },
        "Leave out the scenario's own sweep");
    sub.add_option("--set", sweep.run.sets, "Change a key of the scenario in all points")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    add_seed(sub, sweep.run.seed);
    sub.add_option("--seeds", sweep.seeds, "Run each point with so many seeds, from --seed on")
        ->type_name("N")
        ->check(CLI::Range(1, 10'000).description(""))
        ->capture_default_str();
    sub.add_option("--metric", sweep.metrics,
                   "A column of the table; '*' stands for anything (default: what the scenario's "
                   "expectations name)")
        ->type_name("NAME")
        ->allow_extra_args(false);
    sub.add_option("-j,--jobs", sweep.jobs, "Points at the same time (default: one a CPU)")
        ->type_name("N")
        ->check(CLI::Range(1, 1024).description(""));
    sub.add_option("-o,--out", sweep.run.out, "Folder (default out/sweep/SCENARIO)")
        ->type_name("DIR");
    sub.add_flag("--fresh", sweep.fresh, "Run all points, also those that have a result");
    sub.add_flag("--dry-run", sweep.dry_run, "List the points, and run none");
    add_choice(sub, "--format", sweep.run.format, kFormats, "What is printed");
    auto* plot = sub.add_flag_function(
        "--plot", [&sweep](std::int64_t) { sweep.plots = Plots::kAlways; },
        "Plots are wanted: without matplotlib it is an error");
    sub.add_flag_function(
           "--no-plot", [&sweep](std::int64_t) { sweep.plots = Plots::kNever; }, "No plots")
        ->excludes(plot);
    sweep.run.capture = Capture::kNone;
    add_choice(sub, "--capture", sweep.run.capture, kCaptures,
               "Frames to keep of each point (default none)");
    add_choice(sub, "--trace", sweep.run.trace, kTraces, "Write each point's event stream")
        ->expected(0, 1)
        ->default_str("binary");
    sub.add_flag("--hash", sweep.run.hash, "A column with the hash of the event stream");
    add_choice(sub, "--executor", sweep.executor, kExecutors,
               "Where points run: on this machine, or as a job array of Slurm");
    sub.add_option("--slurm-args", sweep.slurm_args, "More options for sbatch")
        ->type_name("'OPTIONS'");
    sub.add_option("--points-per-task", sweep.points_per_task,
                   "Points a task of the array runs, as many at a time as it has CPUs")
        ->type_name("N")
        ->check(CLI::Range(1, 10'000).description(""))
        ->capture_default_str();
    sub.add_flag("--no-wait", sweep.no_wait, "Submit, or collect what there is, and return");
    sub.add_flag_function(
        "-q,--quiet", [&sweep](std::int64_t) { sweep.run.verbosity = -1; }, "One line only");
}

void add_sweep_task(CLI::App& app, SweepTaskOptions& options) {
    CLI::App& sub =
        *app.add_subcommand("sweep-task", "Run the points of one task of a Slurm job array");
    sub.group("");
    sub.add_option("plan", options.plan, "plan.json of the submission")->required();
    sub.add_option("--patience", options.patience_s, "Until the sweep has noted the job")
        ->type_name("S");
}

void add_serve(CLI::App& app, ServeOptions& serve) {
    CLI::App& sub =
        *app.add_subcommand("serve", "Serve a NIC as a PCI device to QEMU, over vfio-user");
    sub.footer("\nWires:\n" + wire_help() + "\n" + kServeExamples);
    sub.add_option("--socket", serve.socket, "Where QEMU finds it")->required()->type_name("PATH");
    sub.add_option("--wire", serve.wire, "What is at the far end of its cable")
        ->type_name("SPEC")
        ->capture_default_str();
    sub.add_option("--rom", serve.rom, "Expansion ROM, such as iPXE's")->type_name("FILE");
    sub.add_option("--capture", serve.capture, "Write its frames as pcapng while they pass")
        ->type_name("FILE");
    sub.add_option("--set", serve.sets, "Change a parameter of the NIC")
        ->type_name("nic.NAME=VALUE")
        ->allow_extra_args(false);
    sub.add_option("--time", serve.time,
                   "Simulated time: wall follows the clock, fast jumps to the next event")
        ->check(CLI::IsMember({"wall", "fast"}).description(""))
        ->type_name("wall|fast")
        ->capture_default_str();
    sub.add_option("--rate", serve.rate_mbps,
                   "Rate of its cable, which then carries real segments (default: none)")
        ->type_name("MBPS")
        ->check(CLI::Range(1, 1'000'000).description(""));
    sub.add_option("--busy-poll", serve.busy_poll_us,
                   "Look on for so long after something happened before it sleeps; 0: not at all")
        ->type_name("US")
        ->check(CLI::Range(0, 1'000'000).description(""))
        ->capture_default_str();
    sub.add_flag("--once", serve.once, "End when the first client has gone");
    sub.add_flag_function(
        "-v,--verbose", [&serve](std::int64_t n) { serve.verbosity = static_cast<int>(n); },
        "Say when clients come and go");
    sub.add_flag_function(
        "-q,--quiet", [&serve](std::int64_t) { serve.verbosity = -1; }, "Errors only");
}

void add_inspect(CLI::App& app, InspectOptions& inspect) {
    CLI::App& sub = *app.add_subcommand("inspect", "Show the state of a NIC that is being served");
    sub.footer(kInspectExamples);
    sub.add_option("socket", inspect.socket, "The --socket of the server")
        ->required()
        ->type_name("SOCKET");
    sub.add_flag_function(
        "--json", [&inspect](std::int64_t) { inspect.format = Format::kJson; }, "For programs");
}

void add_others(CLI::App& app, CommandLine& line) {
    CLI::App& list = *app.add_subcommand("list", "List the scenarios that ship");
    add_choice(list, "--format", line.list_format, kFormats, "What is printed");
    list.add_flag("--names", line.list_names, "Names only");

    CLI::App& describe = *app.add_subcommand(
        "describe",
        "Document the scenario file, metrics, NIC parameters, guest, events, or show a "
        "scenario");
    describe.footer(kDescribeExamples);
    describe
        .add_option("topic", line.topic,
                    "scenario, metrics, nic, guest, events, or the name or path of a scenario")
        ->required()
        ->type_name("TOPIC");
    describe.add_option("--set", line.sets, "Change a key of the scenario")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);

    CLI::App& check =
        *app.add_subcommand("check", "Find mistakes in scenarios without running them");
    check.add_option("scenario", line.scenarios, "Names or paths")
        ->required()
        ->type_name("SCENARIO");
    check.add_option("--set", line.sets, "Change a key of the scenario")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);

    CLI::App& regs =
        *app.add_subcommand("regs", "Print the register map, a register, or decode a value");
    regs.footer(
        "\nExamples:\n  doorbell regs\n  doorbell regs RCTL\n  doorbell regs 0x3810\n"
        "  doorbell regs TCTL 0x0003f0fa\n");
    regs.add_option("register", line.registers, "NAME or OFFSET, and a VALUE to decode")
        ->type_name("[NAME|OFFSET [VALUE]]")
        ->expected(0, 2);
    add_choice(regs, "--format", line.regs_format, kFormats, "What is printed");

    CLI::App& test = *app.add_subcommand("test", "Run the tests of the build tree");
    test.add_option("ctest", line.ctest_arguments, "Arguments for ctest, behind --")
        ->type_name("-- ARGUMENTS");

    CLI::App& completion = *app.add_subcommand("completion", "Print a completion script");
    completion.footer("\nFor instance: source <(doorbell completion bash)\n");
    completion.add_option("shell", line.shell, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->type_name("SHELL");
}

}  // namespace

std::unique_ptr<CLI::App> make_command_line(CommandLine& line) {
    auto app = std::make_unique<CLI::App>(
        "A NIC you can drive before it exists: Intel 82574L in SystemC/TLM-2.0.", "doorbell");
    app->require_subcommand(1);
    app->set_version_flag("--version", std::string("doorbell ") + DOORBELL_VERSION);
    app->failure_message(CLI::FailureMessage::simple);
    add_run(*app, line.run);
    add_sweep(*app, line.sweep);
    add_sweep_task(*app, line.sweep_task);
    add_serve(*app, line.serve);
    add_inspect(*app, line.inspect);
    add_others(*app, line);
    app->footer(kExamples);  // Last: a subcommand inherits the one that is there when it is made.
    return app;
}

}  // namespace doorbell::cli
