#include <fmt/format.h>

#include <iostream>

#include "testbench/cli/commands.hpp"
#include "testbench/cli/program_knowledge.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {

int check_command(const ProgramPaths& paths, const std::vector<std::string>& scenarios,
                  const std::vector<std::string>& sets) {
    bool good = true;
    for (const std::string& name : scenarios) {
        const std::filesystem::path path = scenario_path(paths, name);
        const scenario::ScenarioFile file(path, sets);
        scenario::Diagnostics diagnostics;
        if (file.good()) {
            const ProgramKnowledge knowledge(paths, path.parent_path());
            for (std::size_t point = 0; point < file.points() && diagnostics.empty(); point++) {
                (void)file.decode(point, {"out", 1}, knowledge, diagnostics);
            }
        }
        if (file.good() && diagnostics.empty()) {
            std::cout << fmt::format("{}: good, {} run{}\n", path.string(), file.points(),
                                     file.points() == 1 ? "" : "s");
        } else {
            std::cerr << file.diagnostics().text() << diagnostics.text();
            good = false;
        }
    }
    return good ? 0 : 2;
}

}  // namespace doorbell::cli
