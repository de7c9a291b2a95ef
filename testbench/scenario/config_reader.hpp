#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>

#include "testbench/scenario/config_node.hpp"
#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::scenario {

/// The texts that nodes and messages point into; outlives both.
using Sources = std::deque<SourceText>;

/// Reads TOML. nullptr (and a diagnostic) when the file cannot be read or is not TOML.
[[nodiscard]] std::unique_ptr<ConfigNode> read_toml_file(const std::filesystem::path& path,
                                                         Sources& sources,
                                                         Diagnostics& diagnostics);
[[nodiscard]] std::unique_ptr<ConfigNode> read_toml_text(const std::string& text,
                                                         const std::string& name, Sources& sources,
                                                         Diagnostics& diagnostics);

/// Applies one `--set key=value`. The key is a dotted path in which an element of an array of
/// tables goes by its name: "host.a.settings.driver.tx_ring", "host.a.nic0.phy.autonegotiation_ms",
/// "link.wire0.propagation_ns", "nic.irq.itr". The value is TOML, or else a plain string.
void apply_set(ConfigNode& root, const std::string& argument, Sources& sources,
               Diagnostics& diagnostics);
/// A value as `--set` reads it: TOML, else a plain string. It stands at `at`, on one line.
[[nodiscard]] std::unique_ptr<ConfigNode> value_of_argument(const std::string& text,
                                                            const Position& at);
/// The key with numbers for the names of hosts, links and NICs: equal for two keys of one thing.
[[nodiscard]] std::string plain_key(const ConfigNode& root, const std::string& path);
/// The same as apply_set with a value that was already read (a point of a sweep).
void apply_value(ConfigNode& root, const std::string& path, const Position& path_at,
                 const ConfigNode& value, Diagnostics& diagnostics);

}  // namespace doorbell::scenario
