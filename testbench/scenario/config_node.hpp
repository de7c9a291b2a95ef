#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

/// A configuration as read, every key and value with the place it was written at: a line and column
/// of a file, or a column of a `--set` argument.
namespace doorbell::scenario {

/// A text that was read: kept for messages that show the line itself.
struct SourceText {
    std::string name;  ///< The file as the user named it, or "--set".
    bool argument = false;
    std::vector<std::string> lines;
};

struct Position {
    const SourceText* source = nullptr;
    std::uint32_t line = 0;  ///< From 1; 0 when there is none.
    std::uint32_t column = 0;
    std::uint32_t length = 1;  ///< Characters to underline.
};

class ConfigNode;

struct ConfigEntry {
    std::string key;
    Position key_at;
    std::unique_ptr<ConfigNode> value;
};

class ConfigNode {
public:
    using Table = std::vector<ConfigEntry>;  ///< In the order of writing.
    using Array = std::vector<std::unique_ptr<ConfigNode>>;
    using Value = std::variant<Table, Array, std::string, std::int64_t, double, bool>;

    ConfigNode() = default;
    ConfigNode(Value content, Position where) : value(std::move(content)), at(where) {}

    Value value;
    Position at;
    std::string raw;  ///< As the user typed it, when it came with `--set`.

    template <class T>
    [[nodiscard]] const T* as() const {
        return std::get_if<T>(&value);
    }
    template <class T>
    [[nodiscard]] T* as() {
        return std::get_if<T>(&value);
    }
    /// The value of a key; nullptr when this is no table or has no such key.
    [[nodiscard]] const ConfigNode* find(std::string_view key) const;
    [[nodiscard]] ConfigNode* find(std::string_view key);
    /// Adds the key or replaces its value.
    ConfigNode& set(std::string_view key, Position key_at, std::unique_ptr<ConfigNode> node);
    /// "a table", "a string", ...
    [[nodiscard]] const char* type_name() const;
    [[nodiscard]] std::unique_ptr<ConfigNode> clone() const;
};

/// Writes the node (a table) as TOML: what `resolved.toml` holds. Reading it gives the same again.
[[nodiscard]] std::string to_toml(const ConfigNode& root);
/// A value as it would stand behind `=`.
[[nodiscard]] std::string to_toml_value(const ConfigNode& node);

/// What is no table inside nested tables, by its dotted name: "phy.autonegotiation_ms".
struct Leaf {
    std::string name;
    Position key_at;
    const ConfigNode* value;
};
/// In the order of writing; none when `table` is null or no table.
[[nodiscard]] std::vector<Leaf> leaves_of(const ConfigNode* table);

/// "a, b, c"
[[nodiscard]] std::string comma_list(const std::vector<std::string>& parts);

}  // namespace doorbell::scenario
