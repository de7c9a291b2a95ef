#include "testbench/scenario/sweep_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <optional>
#include <set>

#include "testbench/scenario/decode_text.hpp"

namespace doorbell::scenario {
namespace {

constexpr const char* kExample = "for instance workload.size=64,128,256:1500:64";

/// A piece of the argument, and where it begins in it.
struct Piece {
    std::string text;
    std::size_t from = 0;
};

/// Splits at `separator` outside quotes and brackets.
std::vector<Piece> split(const Piece& whole, char separator) {
    std::vector<Piece> pieces = {{"", whole.from}};
    char quote = '\0';
    int depth = 0;
    for (std::size_t i = 0; i < whole.text.size(); i++) {
        const char c = whole.text[i];
        if (quote != '\0') {
            if (c == quote) quote = '\0';
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '[' || c == '{') {
            depth++;
        } else if (c == ']' || c == '}') {
            depth--;
        } else if (c == separator && depth <= 0) {
            pieces.push_back({"", whole.from + i + 1});
            continue;
        }
        pieces.back().text += c;
    }
    return pieces;
}

/// A decimal number kept exactly: 0.1 has no binary one.
struct Decimal {
    std::int64_t digits = 0;
    int decimals = 0;
};

constexpr std::int64_t kMostDigits = std::numeric_limits<std::int64_t>::max() / 100;

/// "64", "1_000", "-0.25"; nothing for what is no such number.
std::optional<Decimal> parse_decimal(const std::string& text) {
    Decimal number;
    const bool negative = !text.empty() && text[0] == '-';
    bool any = false;
    bool point = false;
    for (std::size_t i = negative ? 1 : 0; i < text.size(); i++) {
        if (text[i] == '_' && any) continue;
        if (text[i] == '.' && !point && any) {
            point = true;
            continue;
        }
        if (std::isdigit(static_cast<unsigned char>(text[i])) == 0) return std::nullopt;
        if (number.digits > kMostDigits) return std::nullopt;
        any = true;
        number.digits = number.digits * 10 + (text[i] - '0');
        number.decimals += point ? 1 : 0;
    }
    if (!any || text.back() == '.') return std::nullopt;
    if (negative) number.digits = -number.digits;
    return number;
}

std::string to_text(const Decimal& number) {
    if (number.decimals == 0) return std::to_string(number.digits);
    const bool negative = number.digits < 0;
    std::string text = std::to_string(negative ? -number.digits : number.digits);
    const auto decimals = static_cast<std::size_t>(number.decimals);
    if (text.size() <= decimals) text.insert(0, decimals + 1 - text.size(), '0');
    text.insert(text.size() - decimals, ".");
    return (negative ? "-" : "") + text;
}

/// The number with `decimals` of them; nothing when it is too large for that.
std::optional<std::int64_t> scaled(Decimal number, int decimals) {
    for (; number.decimals < decimals; number.decimals++) {
        if (number.digits > kMostDigits || number.digits < -kMostDigits) return std::nullopt;
        number.digits *= 10;
    }
    return number.digits;
}

class AxisReader {
public:
    AxisReader(const std::string& argument, const SourceText& source, Diagnostics& diagnostics)
        : argument_(argument), source_(source), diagnostics_(diagnostics) {}

    SweepAxis read() {
        const std::size_t equals = argument_.find('=');
        if (equals == std::string::npos || equals == 0) {
            return fail({argument_, 0}, "--axis needs KEY=VALUE,VALUE,...", "", kExample);
        }
        axis_.key = argument_.substr(0, equals);
        axis_.key_at = at({axis_.key, 0});
        const Piece values{argument_.substr(equals + 1), equals + 1};
        if (values.text.empty()) {
            return fail(values, fmt::format("the axis '{}' has no values", axis_.key), "",
                        kExample);
        }
        for (const Piece& item : split(values, ',')) {
            if (item.text.empty()) {
                return fail(item, "a value is missing here", "two commas, or one at the end",
                            kExample);
            }
            if (!read_item(item)) return {};
        }
        return std::move(axis_);
    }

private:
    [[nodiscard]] Position at(const Piece& piece) const {
        return {&source_, 1, static_cast<std::uint32_t>(piece.from + 1),
                static_cast<std::uint32_t>(std::max<std::size_t>(piece.text.size(), 1))};
    }
    SweepAxis fail(const Piece& piece, std::string what, std::string why = {},
                   std::string help = {}) {
        diagnostics_.add(at(piece), std::move(what), std::move(why), std::move(help));
        return {};
    }

    bool read_item(const Piece& item) {
        const std::vector<Piece> parts = split(item, ':');
        // What does not begin with a number is a value: "generate:1000".
        const std::optional<Decimal> from = parse_decimal(parts[0].text);
        if (parts.size() == 1 || !from) {
            add(item);
            return true;
        }
        if (parts.size() > 3) {
            fail(parts[3], "a range has three parts at most, FROM:TO:STEP", "",
                 "a value with colons stands in quotes: '\"1:2:3:4\"'");
            return false;
        }
        const std::optional<Decimal> to = parse_decimal(parts[1].text);
        if (!to) {
            fail(parts[1],
                 fmt::format("'{}' is no number where a range has its end", parts[1].text),
                 "it has 16 digits at most", "a value with colons stands in quotes: '\"1:a\"'");
            return false;
        }
        const Piece none{"", item.from};
        const Piece& step = parts.size() == 3 ? parts[2] : none;
        if (!step.text.empty() && step.text[0] == 'x') {
            return read_factors(item, {parts[0], *from}, {parts[1], *to}, step);
        }
        return read_steps(item, *from, *to, parts.size() == 3 ? &step : nullptr);
    }

    bool read_steps(const Piece& item, const Decimal& from, const Decimal& to, const Piece* step) {
        Decimal by{1, 0};
        if (step != nullptr) {
            const std::optional<Decimal> given = parse_decimal(step->text);
            if (!given || given->digits == 0) {
                fail(*step, fmt::format("'{}' is no step of a range", step->text),
                     "it is a number other than 0, or x and a factor", kExample);
                return false;
            }
            by = *given;
        }
        const int decimals = std::max({from.decimals, to.decimals, by.decimals});
        const auto first = scaled(from, decimals);
        const auto last = scaled(to, decimals);
        const auto width = scaled(by, decimals);
        if (!first || !last || !width) {
            fail(item, "the numbers of this range are too large");
            return false;
        }
        if ((*width > 0) != (*last >= *first) && *last != *first) {
            fail(item, fmt::format("no step of {} leads from {} to {}", to_text(by), to_text(from),
                                   to_text(to)));
            return false;
        }
        const std::uint64_t steps =
            static_cast<std::uint64_t>(std::abs(*last / *width - *first / *width));
        if (steps > kMostSweepPoints) {
            fail(item, fmt::format("the range has more than {} values", kMostSweepPoints));
            return false;
        }
        for (std::int64_t value = *first; *width > 0 ? value <= *last : value >= *last;
             value += *width) {
            add({to_text({value, decimals}), item.from}, item);
        }
        return true;
    }

    struct End {
        Piece piece;
        Decimal number;
    };
    bool read_factors(const Piece& item, const End& from, const End& to, const Piece& step) {
        const std::optional<Decimal> factor = parse_decimal(step.text.substr(1));
        if (!factor || factor->decimals != 0 || factor->digits < 2) {
            fail(step, fmt::format("'{}' is no factor of a range", step.text),
                 "it is x and a whole number from 2", "for instance 64:4096:x2");
            return false;
        }
        for (const End& end : {from, to}) {
            if (end.number.decimals == 0 && end.number.digits > 0) continue;
            fail(end.piece, "a range by factors goes from one whole number above 0 to another");
            return false;
        }
        if (to.number.digits < from.number.digits) {
            fail(item,
                 fmt::format("no factor leads from {} to {}", from.piece.text, to.piece.text));
            return false;
        }
        for (std::int64_t value = from.number.digits; value <= to.number.digits;
             value *= factor->digits) {
            add({std::to_string(value), item.from}, item);
            if (value > to.number.digits / factor->digits) break;
        }
        return true;
    }

    void add(const Piece& value) { add(value, value); }
    /// A value, as `--set` would have read it; `shown` is where it comes from.
    void add(const Piece& value, const Piece& shown) {
        auto node = value_of_argument(value.text, at(shown));
        std::string text;
        if (!scalar_text(*node, text)) text = to_toml_value(*node);
        if (seen_.insert(text).second) axis_.values.push_back(std::move(node));
    }

    const std::string& argument_;
    const SourceText& source_;
    Diagnostics& diagnostics_;
    SweepAxis axis_;
    std::set<std::string> seen_;
};

}  // namespace

SweepAxis read_axis(const std::string& argument, Sources& sources, Diagnostics& diagnostics) {
    sources.push_back({"--axis " + argument, true, {argument}});
    return AxisReader(argument, sources.back(), diagnostics).read();
}

}  // namespace doorbell::scenario
