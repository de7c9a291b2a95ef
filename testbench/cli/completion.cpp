#include "testbench/cli/completion.hpp"

#include <fmt/format.h>

#include <vector>

namespace doorbell::cli {
namespace {

struct Flag {
    std::string name;
    std::string description;
};

struct Command {
    std::string name;
    std::string description;
    std::vector<Flag> flags;
    bool takes_scenario = false;
};

std::vector<Command> commands_of(const CLI::App& app) {
    std::vector<Command> commands;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        if (sub->get_group().empty()) continue;  // not for users
        Command command{sub->get_name(), sub->get_description(), {}, false};
        for (const CLI::Option* option : sub->get_options()) {
            // An option without a group is not for users.
            if (option->get_group().empty()) continue;
            for (const std::string& name : option->get_lnames()) {
                command.flags.push_back({"--" + name, option->get_description()});
            }
            command.takes_scenario |=
                option->get_name() == "scenario" || option->get_name() == "topic";
        }
        commands.push_back(std::move(command));
    }
    return commands;
}

std::string words(const std::vector<Command>& commands) {
    std::string text;
    for (const Command& command : commands) text += (text.empty() ? "" : " ") + command.name;
    return text;
}

std::string words(const std::vector<Flag>& flags) {
    std::string text;
    for (const Flag& flag : flags) text += (text.empty() ? "" : " ") + flag.name;
    return text;
}

std::string bash(const std::vector<Command>& commands) {
    std::string cases;
    for (const Command& command : commands) {
        cases += fmt::format("        {}) words=\"{}{}\" ;;\n", command.name, words(command.flags),
                             command.takes_scenario ? " $(doorbell list --names 2>/dev/null)" : "");
    }
    return fmt::format(
        "# bash completion of doorbell: source this file\n"
        "_doorbell() {{\n"
        "    local current=${{COMP_WORDS[COMP_CWORD]}} words=\n"
        "    if ((COMP_CWORD == 1)); then words=\"{} --help --version\"\n"
        "    else case ${{COMP_WORDS[1]}} in\n{}    esac; fi\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "    [[ ${{#COMPREPLY[@]}} -gt 0 ]] || COMPREPLY=($(compgen -f -- \"$current\"))\n"
        "}}\n"
        "complete -o filenames -F _doorbell doorbell ./doorbell\n",
        words(commands), cases);
}

std::string zsh(const std::vector<Command>& commands) {
    // zsh runs bash completions; one list of words to keep.
    return "#compdef doorbell\nautoload -U +X bashcompinit && bashcompinit\n" + bash(commands);
}

std::string fish_quoted(std::string text) {
    for (std::size_t at = 0; (at = text.find('\'', at)) != std::string::npos; at += 2) {
        text.insert(at, "\\");
    }
    return "'" + text + "'";
}

std::string fish(const std::vector<Command>& commands) {
    std::string text = "# fish completion of doorbell\ncomplete -c doorbell -f\n";
    for (const Command& command : commands) {
        text += fmt::format("complete -c doorbell -n __fish_use_subcommand -a {} -d {}\n",
                            command.name, fish_quoted(command.description));
        const std::string when = fish_quoted("__fish_seen_subcommand_from " + command.name);
        for (const Flag& flag : command.flags) {
            text += fmt::format("complete -c doorbell -n {} -l {} -d {}\n", when,
                                flag.name.substr(2), fish_quoted(flag.description));
        }
        if (command.takes_scenario) {
            text +=
                fmt::format("complete -c doorbell -F -n {} -a '(doorbell list --names)'\n", when);
        }
    }
    return text;
}

}  // namespace

std::string completion_script(const CLI::App& app, const std::string& shell) {
    const std::vector<Command> commands = commands_of(app);
    if (shell == "fish") return fish(commands);
    return shell == "zsh" ? zsh(commands) : bash(commands);
}

}  // namespace doorbell::cli
