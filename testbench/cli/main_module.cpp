// The program. SystemC's library has a main() of its own that calls sc_main; ours comes first and
// lets SystemC in only in the process that runs a simulation.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <systemc>
#include <vector>

#include "testbench/cli/child_run_module.hpp"
#include "testbench/cli/command_line.hpp"
#include "testbench/cli/commands.hpp"
#include "testbench/cli/completion.hpp"
#include "testbench/cli/host_wire_module.hpp"
#include "testbench/cli/run_command.hpp"
#include "testbench/cli/serve_command.hpp"
#include "testbench/cli/sweep/slurm_executor.hpp"
#include "testbench/cli/sweep/sweep_command.hpp"
#include "testbench/report/log.hpp"
#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::cli {
namespace {

constexpr int kUsageError = 2;

/// What runs within SystemC.
std::function<int()> simulated_part;

int dispatch(const CLI::App& app, const CommandLine& line, const ProgramPaths& paths) {
    if (app.got_subcommand("sweep")) return sweep_command(line.sweep, paths);
    if (app.got_subcommand("sweep-task")) return sweep_task_command(line.sweep_task, paths);
    if (app.got_subcommand("serve")) return serve_command(line.serve, paths);
    if (app.got_subcommand("inspect")) return inspect_command(line.inspect);
    if (app.got_subcommand("list")) return list_command(paths, line.list_format, line.list_names);
    if (app.got_subcommand("describe")) return describe_command(paths, line.topic, line.sets);
    if (app.got_subcommand("check")) return check_command(paths, line.scenarios, line.sets);
    if (app.got_subcommand("regs")) return regs_command(line.registers, line.regs_format);
    if (app.got_subcommand("test")) return test_command(paths, line.ctest_arguments);
    if (app.got_subcommand("completion")) {
        std::cout << completion_script(app, line.shell);
        return 0;
    }
    return run_command(line.run, paths);
}

log::Level level_of(int verbosity) {
    if (verbosity < 0) return log::Level::kError;
    if (verbosity == 0) return log::Level::kWarn;
    return verbosity == 1 ? log::Level::kInfo : log::Level::kDebug;
}

/// Says so when the first word is no subcommand: CLI11 would only ask for one.
bool says_unknown_subcommand(CLI::App& app, const std::string& word) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands({})) {
        if (!sub->get_group().empty()) names.push_back(sub->get_name());
    }
    const bool known = std::find(names.begin(), names.end(), word) != names.end();
    if (word.empty() || word[0] == '-' || known) return false;
    std::cerr << "error: there is no subcommand '" << word << "'\n";
    const std::string help = scenario::suggestion(word, names);
    if (!help.empty()) std::cerr << "      = help: " << help << "\n";
    return true;
}

/// Every argument may come to stand in a result, which is JSON.
bool says_no_utf8(int argc, char** argv) {
    for (int i = 1; i < argc; i++) {
        const nlohmann::json word(argv[i]);
        const std::string shown =
            word.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        try {
            (void)word.dump();
        } catch (const nlohmann::json::exception&) {
            std::cerr << "error: argument " << i << " is no UTF-8 text: " << shown << "\n";
            return true;
        }
    }
    return false;
}

/// The exit code, and an error when what was printed did not get where it was to go.
int when_printed(int code) {
    std::cout.flush();
    if (std::cout) return code;
    std::cerr << "error: what was to be printed could not be written\n";
    return std::max(code, kUsageError);
}

int run_main(int argc, char** argv) {
    if (says_no_utf8(argc, argv)) return kUsageError;
    CommandLine line;
    const auto app = make_command_line(line);
    try {
        app->parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (argc > 1 && says_unknown_subcommand(*app, argv[1])) return kUsageError;
        // Help and version are no errors; everything else is the user's.
        return app->exit(error) == 0 ? 0 : kUsageError;
    }
    const ProgramPaths paths = find_paths(argv[0]);
    line.sweep.command_line = shell_quoted(paths.command);
    for (int i = 1; i < argc; i++) line.sweep.command_line += " " + shell_quoted(argv[i]);
    const bool serves = app->got_subcommand("serve");
    log::set_level(level_of(serves ? line.serve.verbosity : line.run.verbosity));
    if (line.run.is_child) {
        simulated_part = [&] { return child_run(line.run, paths); };
    } else if (serves && is_host_wire(line.serve.wire)) {
        simulated_part = [&] { return serve_command(line.serve, paths); };
    } else {
        return when_printed(dispatch(*app, line, paths));
    }
    setenv("SYSTEMC_DISABLE_COPYRIGHT_MESSAGE", "1", 1);
    return sc_core::sc_elab_and_sim(argc, argv);
}

}  // namespace
}  // namespace doorbell::cli

// Called by sc_elab_and_sim.
int sc_main(int, char**) {
    return doorbell::cli::simulated_part();
}

int main(int argc, char** argv) {
    return doorbell::cli::run_main(argc, argv);
}
