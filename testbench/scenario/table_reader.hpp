#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "testbench/scenario/config_node.hpp"
#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/schema.hpp"

namespace doorbell::scenario {

/// Takes the keys of one table by the schema, and says what is wrong with each.
class TableReader {
public:
    /// `table` may be null: then every key is absent.
    TableReader(const ConfigNode* table, std::string_view section, Diagnostics& diagnostics);

    /// The value, or the schema's default; a mistake is reported and the default given.
    std::string string(std::string_view key);
    /// The key "name", which stands in metrics and paths.
    std::string name();
    std::int64_t integer(std::string_view key);
    double number(std::string_view key);
    bool boolean(std::string_view key);
    /// Absent when the key is absent.
    std::optional<std::int64_t> optional_integer(std::string_view key);
    const ConfigNode* table(std::string_view key);
    std::vector<const ConfigNode*> tables(std::string_view key);
    const ConfigNode* any(std::string_view key);

    [[nodiscard]] std::string_view section() const { return section_; }
    [[nodiscard]] bool has(std::string_view key) const;
    /// Where the value stands, or the table when the key is absent.
    [[nodiscard]] Position at(std::string_view key) const;
    [[nodiscard]] Position at() const;
    void error(std::string_view key, std::string what, std::string why = {}, std::string help = {});

    /// Reports the keys nobody may write here.
    void refuse_unknown();

private:
    const ConfigNode* take(std::string_view key, bool& reported);
    void wrong_type(const ConfigNode& node, std::string_view key, const char* wanted);

    const ConfigNode* table_;
    std::string_view section_;
    Diagnostics& diagnostics_;
};

}  // namespace doorbell::scenario
