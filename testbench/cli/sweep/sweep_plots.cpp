#include "testbench/cli/sweep/sweep_plots.hpp"

#include <fmt/format.h>

#include <iostream>

#include "testbench/cli/child_processes.hpp"

namespace doorbell::cli {
namespace {

/// What the script says when there is no matplotlib; env(1), when there is no interpreter.
constexpr int kNoLibrary = 77;
constexpr int kNoProgram = 127;

PlotEnd no_plots(Plots wish, const std::string& why) {
    if (wish == Plots::kAuto) return {true, "no plots: " + why};
    std::cerr << fmt::format("error: no plots: {}\n", why);
    return {false, ""};
}

}  // namespace

PlotEnd draw_plots(Plots wish, const ProgramPaths& paths, const std::filesystem::path& out) {
    if (wish == Plots::kNever) return {};
    const std::filesystem::path script = paths.executable.parent_path() / "plots" / "plot_sweep.py";
    const std::filesystem::path folder = out / "plots";
    std::error_code error;
    if (!std::filesystem::exists(script, error)) {
        // The program was copied away from what belongs to it.
        return no_plots(wish, fmt::format("there is no '{}', which draws them", script.string()));
    }
    // Debian's packages are seen by Debian's Python only, which need not be the first in PATH.
    for (const char* python : {"python3", "/usr/bin/python3"}) {
        int code = kNoProgram;
        const auto ended = [&](std::size_t, const ChildEnd& end) { code = end.exit_code; };
        if (run_children({{"/usr/bin/env", "PYTHONDONTWRITEBYTECODE=1", python, script.string(),
                           (out / "sweep.json").string(), folder.string()}},
                         1, ended, {},
                         [&](std::size_t) { return (out / "plots.log").string(); }) != 0) {
            return {};
        }
        if (code == 0) return {true, fmt::format("plots: {}", folder.string())};
        if (code == kNoLibrary || code == kNoProgram) continue;
        std::cerr << fmt::format("error: the plots could not be drawn: see {}\n",
                                 (out / "plots.log").string());
        return {false, ""};
    }
    return no_plots(wish,
                    "python3-matplotlib is not installed (./doorbell sweep ... --plot does that)");
}

}  // namespace doorbell::cli
