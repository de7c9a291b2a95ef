#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// Where the program finds what belongs to it: beside its executable, wherever that was built or
/// copied to; the environment (or an option) overrides.
namespace doorbell::cli {

struct ProgramPaths {
    std::filesystem::path executable;
    std::filesystem::path scenarios;  ///< DOORBELL_SCENARIOS
    std::filesystem::path images;     ///< DOORBELL_IMAGES
    std::string command;              ///< How the user called us: DOORBELL_COMMAND, else argv[0].
};
[[nodiscard]] ProgramPaths find_paths(const char* argv0);

/// The file of a scenario: a path (with '/' or ".toml"), or the name of one that ships.
[[nodiscard]] std::filesystem::path scenario_path(const ProgramPaths& paths,
                                                  const std::string& name);
/// Names of the scenarios that ship, sorted.
[[nodiscard]] std::vector<std::string> shipped_scenarios(const ProgramPaths& paths);

/// The file of a guest image: "default", the name of one in the folder of images, or a path, which
/// is relative to the scenario's folder.
[[nodiscard]] std::filesystem::path image_path(const ProgramPaths& paths, const std::string& name,
                                               const std::filesystem::path& scenario_folder);

/// Names of the guest images that have been built, as `image` takes them.
[[nodiscard]] std::vector<std::string> known_images(const ProgramPaths& paths);

/// A word as a shell must read it.
[[nodiscard]] std::string shell_quoted(const std::string& word);

}  // namespace doorbell::cli
