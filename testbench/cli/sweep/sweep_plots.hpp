#pragma once

#include <filesystem>
#include <string>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/sweep/sweep_options.hpp"

namespace doorbell::cli {

struct PlotEnd {
    bool good = true;
    std::string text;  ///< For the user: where the plots are, or why there are none.
};

/// Draws OUT/sweep.json into OUT/plots, with matplotlib, in a process of its own. Without
/// matplotlib there are no plots, which is an error only when they were asked for.
[[nodiscard]] PlotEnd draw_plots(Plots wish, const ProgramPaths& paths,
                                 const std::filesystem::path& out);

}  // namespace doorbell::cli
