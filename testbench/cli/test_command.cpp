#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>

#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/commands.hpp"

namespace doorbell::cli {
namespace {

/// "Total Tests: N", as `ctest -N` ends; -1 when it does not.
long registered_tests(const std::string& command) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::array<char, 4096> line{};
    long count = -1;
    while (pipe != nullptr && std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
        std::sscanf(line.data(), "Total Tests: %ld", &count);
    }
    return count;
}

/// Test cases that really ran, by the JUnit file: ctest counts a disabled one as passed.
long executed_tests(const std::filesystem::path& junit) {
    std::ifstream file(junit);
    long count = 0;
    for (std::string line; std::getline(file, line);) {
        if (line.find("<testcase ") == std::string::npos) continue;
        const bool ran = line.find("status=\"run\"") != std::string::npos ||
                         line.find("status=\"fail\"") != std::string::npos;
        count += ran ? 1 : 0;
    }
    return count;
}

}  // namespace

int test_command(const ProgramPaths& paths, const std::vector<std::string>& ctest_arguments) {
    const std::filesystem::path build = paths.executable.parent_path().parent_path();
    if (!std::filesystem::exists(build / "CTestTestfile.cmake")) {
        std::cerr << "error: this program does not stand in a build tree; use ./doorbell test in a "
                     "clone\n";
        return 2;
    }
    const std::filesystem::path junit = build / "doorbell-tests.xml";
    std::vector<std::string> command = {"/usr/bin/env", "ctest", "--test-dir", build.string()};
    command.insert(command.end(), ctest_arguments.begin(), ctest_arguments.end());
    std::string count_command;
    for (const std::string& word : command) count_command += shell_quoted(word) + " ";
    const long registered = registered_tests(count_command + "-N 2>&1");
    for (const char* word : {"--output-on-failure", "--no-tests=error", "--output-junit"}) {
        command.emplace_back(word);
    }
    command.push_back(junit.string());
    std::error_code ignored;
    std::filesystem::remove(junit, ignored);

    int code = 1;
    const int interrupted =
        run_children({command}, 1, [&](std::size_t, const ChildEnd& end) { code = end.exit_code; });
    if (interrupted != 0) {
        std::cerr << "interrupted\n";
        return interrupted_exit_code(interrupted);
    }
    const long executed = executed_tests(junit);
    std::cout << fmt::format("{} tests registered, {} ran\n", registered, executed);
    if (registered <= 0 || executed != registered) {
        std::cerr << "error: not every registered test ran\n";
        return 1;
    }
    return code == 0 ? 0 : 1;
}

}  // namespace doorbell::cli
