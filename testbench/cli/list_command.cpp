#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "testbench/cli/commands.hpp"
#include "testbench/cli/program_knowledge.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {

int list_command(const ProgramPaths& paths, Format format, bool names_only) {
    const std::vector<std::string> names = shipped_scenarios(paths);
    if (names_only) {
        for (const std::string& name : names) std::cout << name << "\n";
        return 0;
    }
    std::size_t width = 0;
    for (const std::string& name : names) width = std::max(width, name.size());
    nlohmann::json list = nlohmann::json::array();
    bool good = true;
    const ProgramKnowledge knowledge(paths, paths.scenarios);
    for (const std::string& name : names) {
        const scenario::ScenarioFile file(scenario_path(paths, name), {});
        scenario::Diagnostics diagnostics;
        std::string description = "(cannot be read: see `doorbell check " + name + "`)";
        if (file.good()) {
            const auto decoded = file.decode(0, {"out", 1}, knowledge, diagnostics);
            if (diagnostics.empty()) description = decoded.description;
        }
        good = good && file.good() && diagnostics.empty();
        list.push_back({{"name", name}, {"description", description}, {"runs", file.points()}});
        if (format == Format::kText) {
            const std::string runs =
                file.points() > 1 ? fmt::format(" ({} runs)", file.points()) : "";
            std::cout << fmt::format("{:<{}}  {}{}\n", name, width, description, runs);
        }
    }
    if (format == Format::kJson) std::cout << list.dump(2) << "\n";
    return good ? 0 : 2;
}

}  // namespace doorbell::cli
