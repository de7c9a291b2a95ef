#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace doorbell::cli {

/// A completion script for "bash", "zsh" or "fish", made from the commands and options as they are.
[[nodiscard]] std::string completion_script(const CLI::App& app, const std::string& shell);

}  // namespace doorbell::cli
