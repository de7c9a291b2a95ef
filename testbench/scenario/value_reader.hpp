#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {

/// Takes the keys of a table whose values may be variables, so that a sweep and
/// `--set workload.KEY` reach them. What is wrong with a value is shown where it was written: at
/// the variable, when it is one.
class ValueReader {
public:
    ValueReader(TableReader& reader, Variables& variables, Diagnostics& diagnostics)
        : reader_(reader), variables_(variables), diagnostics_(diagnostics) {}

    [[nodiscard]] std::int64_t integer(std::string_view key);
    /// Of a key whose values are none that is negative.
    [[nodiscard]] std::uint64_t count(std::string_view key) {
        return static_cast<std::uint64_t>(integer(key));
    }
    [[nodiscard]] std::string text(std::string_view key);
    /// One of the schema's choices.
    [[nodiscard]] std::string choice(std::string_view key);

    [[nodiscard]] Position at(std::string_view key) const;
    void error(std::string_view key, std::string what, std::string why = {}, std::string help = {});

private:
    /// The string that stands there; nullptr when it is something else, or nothing.
    [[nodiscard]] const std::string* written(std::string_view key) const;

    TableReader& reader_;
    Variables& variables_;
    Diagnostics& diagnostics_;
};

}  // namespace doorbell::scenario
