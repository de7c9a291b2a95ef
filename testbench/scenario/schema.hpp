#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Every key of a scenario file, once: the decoder takes types, ranges and defaults from here, and
/// `doorbell describe scenario` prints it.
namespace doorbell::scenario {

enum class KeyType : std::uint8_t {
    kString,
    kInteger,
    kBoolean,
    kNumber,  ///< Integer or real.
    kTable,
    kTables,  ///< Array of tables: [[key]].
    kAny,     ///< The decoder looks itself.
};

struct SchemaKey {
    std::string_view section;  ///< "host.interface"; "" is the file itself.
    std::string_view key;
    KeyType type;
    std::int64_t minimum;  ///< Integers.
    std::int64_t maximum;
    const char* fallback;      ///< Default as text; "" when absent means absent; nullptr: required.
    std::string_view choices;  ///< Strings: "a|b|c", or empty.
    std::string_view description;
};

struct SchemaSection {
    std::string_view name;
    std::string_view heading;  ///< "[[host]]"
    std::string_view description;
    bool open;  ///< Any key may stand here: names of parameters, settings, variables.
};

[[nodiscard]] const std::vector<SchemaKey>& schema_keys();
[[nodiscard]] const std::vector<SchemaSection>& schema_sections();
/// The key of a section, which must exist.
[[nodiscard]] const SchemaKey& schema_key(std::string_view section, std::string_view key);
[[nodiscard]] const SchemaSection& schema_section(std::string_view section);
[[nodiscard]] std::vector<std::string> keys_of(std::string_view section);

/// The whole schema as text.
[[nodiscard]] std::string schema_text();

}  // namespace doorbell::scenario
