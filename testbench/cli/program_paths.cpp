#include "testbench/cli/program_paths.hpp"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string_view>

namespace doorbell::cli {
namespace {

constexpr const char* kDefaultImage = "doorbell_guest";
constexpr const char* kImageEnd = ".guest.so";

std::filesystem::path from_environment(const char* name, const std::filesystem::path& fallback) {
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::filesystem::path(value) : fallback;
}

}  // namespace

ProgramPaths find_paths(const char* argv0) {
    ProgramPaths paths;
    std::error_code error;
    paths.executable = std::filesystem::read_symlink("/proc/self/exe", error);
    const std::filesystem::path folder = paths.executable.parent_path();
    paths.scenarios = from_environment("DOORBELL_SCENARIOS", folder / "scenarios");
    paths.images = from_environment("DOORBELL_IMAGES", folder.parent_path() / "guests");
    paths.command = from_environment("DOORBELL_COMMAND", argv0).string();
    return paths;
}

std::filesystem::path scenario_path(const ProgramPaths& paths, const std::string& name) {
    const std::filesystem::path path(name);
    if (name.find('/') != std::string::npos || path.extension() == ".toml") return path;
    return paths.scenarios / (name + ".toml");
}

std::vector<std::string> shipped_scenarios(const ProgramPaths& paths) {
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(paths.scenarios, error)) {
        if (entry.path().extension() == ".toml") names.push_back(entry.path().stem().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::filesystem::path image_path(const ProgramPaths& paths, const std::string& name,
                                 const std::filesystem::path& scenario_folder) {
    if (name == "default") return paths.images / (std::string(kDefaultImage) + kImageEnd);
    if (name.find('/') == std::string::npos && std::filesystem::path(name).extension().empty()) {
        return paths.images / (name + kImageEnd);
    }
    const std::filesystem::path path(name);
    return path.is_absolute() ? path : scenario_folder / path;
}

std::vector<std::string> known_images(const ProgramPaths& paths) {
    std::vector<std::string> names;
    std::error_code error;
    const std::string_view end = kImageEnd;
    for (const auto& entry : std::filesystem::directory_iterator(paths.images, error)) {
        std::string name = entry.path().filename().string();
        if (name.size() <= end.size() || name.substr(name.size() - end.size()) != end) continue;
        name.resize(name.size() - end.size());
        names.push_back(name == kDefaultImage ? "default" : name);
    }
    std::sort(names.begin(), names.end());
    return names;
}

std::string shell_quoted(const std::string& word) {
    const auto plain = [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("_-./=:,@%+").find(static_cast<char>(c)) != std::string_view::npos;
    };
    if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
    std::string quoted = "'";
    for (const char c : word) {
        if (c == '\'') {
            quoted += "'\\''";
        } else {
            quoted += c;
        }
    }
    return quoted + "'";
}

}  // namespace doorbell::cli
