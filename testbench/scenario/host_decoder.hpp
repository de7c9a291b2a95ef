#pragma once

#include <string>
#include <utility>
#include <vector>

#include "testbench/scenario/config_node.hpp"
#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/knowledge.hpp"
#include "testbench/scenario/scenario.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {

/// Says so when the name is that of a file the run itself writes.
void refuse_evidence(const std::string& name, const std::string& out_folder,
                     const Knowledge& knowledge, const Position& at, Diagnostics& diagnostics);

/// A [[host]] with its NICs, settings, interfaces, routes and programs.
class HostDecoder {
public:
    /// `common_nic` and `common_settings`: [nic] and [settings] of the file, or null. `out_folder`
    /// is where the run's evidence will be.
    HostDecoder(const Knowledge& knowledge, Variables& variables, const ConfigNode* common_nic,
                const ConfigNode* common_settings, std::string out_folder,
                Diagnostics& diagnostics);

    [[nodiscard]] Host decode(const ConfigNode& node, const std::vector<Host>& others) const;
    /// [nic] alone.
    [[nodiscard]] std::vector<Param> common_params() const;

private:
    /// Where what a guest may complain about was written.
    struct Places {
        std::vector<std::pair<std::string, Position>> settings;  ///< In the order of writing.
        std::vector<std::vector<Position>> apps;                 ///< Each word of argv.
        std::vector<Position> routes;
    };
    void decode_nics(TableReader& reader, Host& host) const;
    void decode_params(const ConfigNode* table, std::vector<Param>& params) const;
    bool check_param(const Leaf& leaf, const ParamValue& value) const;
    void decode_settings(const ConfigNode* table, const ImageContents* image, Host& host,
                         Places& places) const;
    void decode_interface(const ConfigNode& node, Host& host) const;
    void decode_route(const ConfigNode& node, Host& host) const;
    void decode_app(const ConfigNode& node, const ImageContents* image, Host& host,
                    Places& places) const;
    void ask_guest(const Position& at, const Host& host, const Places& places) const;

    const Knowledge& knowledge_;
    Variables& variables_;
    const ConfigNode* common_nic_;
    const ConfigNode* common_settings_;
    std::string out_folder_;
    Diagnostics& diagnostics_;
};

}  // namespace doorbell::scenario
