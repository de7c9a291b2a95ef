#include "hw/regs/register_text.hpp"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <limits>

namespace doorbell::regs {
namespace {

std::string hex(std::uint32_t value, int digits) {
    char text[16];
    std::snprintf(text, sizeof text, "0x%0*X", digits, static_cast<unsigned>(value));
    return text;
}
std::string hex_offset(std::uint32_t offset) {
    return hex(offset, 5);
}
std::string hex_word(std::uint32_t word) {
    return hex(word, 8);
}

std::string upper(std::string_view text) {
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return result;
}

/// The kinds of access that the bits of `mask` have.
std::string access_of(const Access& access, std::uint32_t mask) {
    const struct {
        const char* name;
        std::uint32_t bits;
    } kinds[] = {
        {"rw", access.rw_bits},     {"ro", access.ro_bits},     {"wo", access.wo_bits},
        {"rw1c", access.rw1c_bits}, {"rw1s", access.rw1s_bits}, {"rw0c", access.rw0c_bits},
        {"sc", access.sc_bits},     {"rc", access.rc_bits},     {"rc_hook", access.rc_hook_bits}};
    std::string text;
    for (const auto& kind : kinds) {
        if ((kind.bits & mask) == 0) continue;
        if (!text.empty()) text += ' ';
        text += kind.name;
    }
    return text;
}

/// Digits of `base` and nothing else, at most 32 bits.
std::optional<std::uint32_t> parse_digits(std::string_view digits, unsigned base) {
    if (digits.empty()) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : upper(digits)) {
        unsigned digit = base;
        if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
        if (c >= 'A' && c <= 'F') digit = static_cast<unsigned>(c - 'A') + 10;
        if (digit >= base) return std::nullopt;
        value = value * base + digit;
        if (value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    }
    return static_cast<std::uint32_t>(value);
}

bool has_hex_prefix(std::string_view text) {
    return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
}

std::optional<std::uint32_t> parse_value(std::string_view text) {
    if (has_hex_prefix(text)) return parse_digits(text.substr(2), 16);
    return parse_digits(text, 10);
}

/// Number of insertions, removals, replacements and swaps of neighbours between two words.
std::size_t typing_errors(const std::string& a, const std::string& b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); i++) {
        for (std::size_t j = 0; j <= b.size(); j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            const std::size_t replaced = d[i - 1][j - 1] + (a[i - 1] != b[j - 1] ? 1 : 0);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a.size()][b.size()];
}

/// The names nearest to a typing error, at most three; a beginning is nearest of all.
std::string suggestion(const Contract& contract, const std::string& name) {
    constexpr std::size_t kLongestQuestion = 32;
    std::vector<const char*> near;
    std::size_t nearest = std::max<std::size_t>(1, name.size() / 3);
    for (std::uint32_t i = 0; name.size() <= kLongestQuestion && i < contract.register_count; i++) {
        const std::string known = contract.registers[i]->name;
        const bool begins = name.size() >= 2 && known.compare(0, name.size(), name) == 0;
        const std::size_t distance = begins ? 0 : typing_errors(name, known);
        if (distance > nearest) continue;
        if (distance < nearest) near.clear();
        nearest = distance;
        near.push_back(contract.registers[i]->name);
    }
    if (near.empty()) return "; `doorbell regs` lists all";
    if (near.size() > 3) near.resize(3);
    std::string text;
    for (const char* known : near) {
        text += text.empty() ? "; did you mean " : " or ";
        text += known;
    }
    return text + "?";
}

/// Where a question points, or why it points nowhere.
struct Place {
    const Register* reg = nullptr;
    std::optional<std::uint32_t> index;
    std::string error;
};

Place error_at(std::string why) {
    return {nullptr, std::nullopt, std::move(why)};
}

Place at_name(const Contract& contract, const std::string& question) {
    const std::size_t bracket = question.find('[');
    const std::string name = upper(std::string_view(question).substr(0, bracket));
    const Register* reg = nullptr;
    for (std::uint32_t i = 0; i < contract.register_count; i++) {
        if (name == contract.registers[i]->name) reg = contract.registers[i];
    }
    if (reg == nullptr) {
        const std::string stem = name.substr(0, name.find('.'));
        return error_at("there is no register '" + question + "'" + suggestion(contract, stem));
    }
    if (bracket == std::string::npos) return {reg, std::nullopt, ""};
    const std::string_view rest = std::string_view(question).substr(bracket + 1);
    std::optional<std::uint32_t> index;
    if (!rest.empty() && rest.back() == ']') index = parse_value(rest.substr(0, rest.size() - 1));
    if (!index) return error_at("'" + question + "': an index is written " + name + "[0]");
    if (*index >= reg->count) {
        return error_at(std::string(reg->name) + " has " + std::to_string(reg->count) +
                        (reg->count == 1 ? " word" : " words") + ": the last is " + reg->name +
                        "[" + std::to_string(reg->count - 1) + "]");
    }
    return {reg, index, ""};
}

/// The word at an offset of a BAR, aliases included.
Place find(const Map& map, std::uint32_t offset) {
    const auto reaches = [offset](const Register& reg, std::uint32_t base, std::uint32_t count) {
        return offset >= base && (offset - base) % reg.stride == 0 &&
               (offset - base) / reg.stride < count;
    };
    for (std::uint32_t i = 0; i < map.register_count; i++) {
        const Register& reg = *map.registers[i];
        if (reaches(reg, reg.offset, reg.count)) {
            return {&reg, (offset - reg.offset) / reg.stride, ""};
        }
    }
    for (std::uint32_t i = 0; i < map.alias_count; i++) {
        const Alias& alias = map.aliases[i];
        if (reaches(alias.reg, alias.offset, alias.count)) {
            return {&alias.reg, (offset - alias.offset) / alias.reg.stride, ""};
        }
    }
    return {};
}

Place at_offset(const Contract& contract, const std::string& question) {
    std::string_view digits = question;
    std::uint32_t bar = 0;
    if (const std::size_t colon = question.find(':'); colon != std::string::npos) {
        const auto parsed = parse_digits(digits.substr(0, colon), 10);
        if (!parsed) return error_at("'" + question + "': a BAR is written 3:0x10");
        bar = *parsed;
        digits.remove_prefix(colon + 1);
    }
    const auto offset = parse_digits(has_hex_prefix(digits) ? digits.substr(2) : digits, 16);
    if (!offset) return error_at("'" + question + "' is no hexadecimal offset");
    const auto end = contract.maps + contract.map_count;
    const auto map = std::find_if(contract.maps, end, [&](const Map* m) { return m->bar == bar; });
    if (map == end) return error_at("BAR " + std::to_string(bar) + " has no registers");
    const std::string where = hex_offset(*offset) + " of BAR " + std::to_string(bar);
    if (*offset >= (*map)->size_bytes) {
        return error_at(where + " lies beyond it: it ends at " + hex_offset((*map)->size_bytes));
    }
    if (*offset % 4 != 0) {
        const Place aligned = find(**map, *offset & ~3u);
        return error_at(
            where + " is not dword aligned" +
            (aligned.reg == nullptr ? "" : std::string("; it is within ") + aligned.reg->name));
    }
    Place place = find(**map, *offset);
    if (place.reg == nullptr) {
        return error_at("no register lies at " + where + ": it reads 0 and ignores writes");
    }
    if (place.reg->count == 1) place.index.reset();
    return place;
}

Place locate(const Contract& contract, const std::string& question) {
    const bool digit = !question.empty() && std::isdigit(static_cast<unsigned char>(question[0]));
    return digit ? at_offset(contract, question) : at_name(contract, question);
}

// --- as text
// --------------------------------------------------------------------------------------

/// Rows of cells as columns; the last column is as long as it is.
std::string table(const std::vector<std::vector<std::string>>& rows, const std::string& indent) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); i++) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string text;
    for (const auto& row : rows) {
        std::string line = indent;
        for (std::size_t i = 0; i < row.size(); i++) {
            line += row[i];
            if (i + 1 < row.size()) line.append(widths[i] - row[i].size() + 2, ' ');
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
    }
    return text;
}

std::string map_text(const Contract& contract, const std::vector<RegisterText>& registers) {
    std::string text;
    for (std::uint32_t i = 0; i < contract.map_count; i++) {
        const Map& map = *contract.maps[i];
        std::vector<std::vector<std::string>> rows = {
            {"Offset", "Name", "Words", "Access", "Reset", "Description"}};
        for (const RegisterText& reg : registers) {
            if (reg.bar != map.bar) continue;
            std::string words = std::to_string(reg.count);
            if (reg.count > 1) words += " x " + hex(reg.stride, 1);
            rows.push_back({hex_offset(reg.offset), reg.name, words, reg.access,
                            hex_word(reg.reset), reg.description});
        }
        if (i > 0) text += "\n";
        text += "BAR " + std::to_string(map.bar) + ": " + map.title + ", " +
                std::to_string(map.register_count) + " registers\n" + table(rows, "");
    }
    return text;
}

std::string value_text(const FieldText& field) {
    if (field.value) {
        const std::string number =
            *field.value < 10 ? std::to_string(*field.value) : hex(*field.value, 1);
        return field.value_name.empty() ? number : number + " " + field.value_name;
    }
    return field.reset < 10 ? std::to_string(field.reset) : hex(field.reset, 1);
}

std::string register_text(const RegisterText& reg) {
    std::string text = reg.name + "  BAR " + std::to_string(reg.bar) + " " +
                       hex_offset(reg.offset) + "  (" + reg.group + ")\n" + reg.description + ".\n";
    if (reg.count > 1) {
        text += std::to_string(reg.count) + " words " + hex(reg.stride, 1) + " bytes apart.\n";
    }
    for (const std::uint32_t alias : reg.aliases) text += "Also at " + hex_offset(alias) + ".\n";
    text += "Access " + reg.access + ", reset " + hex_word(reg.reset) + ", " +
            (reg.kept_on_software_reset ? "kept" : "reset") + " by CTRL.RST.\n";
    if (reg.value) text += "Value " + hex_word(*reg.value) + ":\n";
    if (!reg.fields.empty()) {
        std::vector<std::vector<std::string>> rows = {
            {"Bits", "Field", "Access", reg.value ? "Value" : "Reset", "Description"}};
        for (const FieldText& field : reg.fields) {
            rows.push_back(
                {field.bits, field.name, field.access, value_text(field), field.description});
            if (reg.value) continue;
            for (const NamedValue& named : field.values) {
                rows.push_back({"", "", "", "", std::to_string(named.value) + " " + named.name});
            }
        }
        text += table(rows, "  ");
        if (reg.unnamed_bits != 0) {
            text += "  " + hex_word(reg.unnamed_bits) + " lies outside all fields.\n";
        }
    }
    return text;
}

}  // namespace

RegisterText describe(const Contract& contract, const Register& reg,
                      std::optional<std::uint32_t> index) {
    RegisterText text;
    text.name = reg.name;
    if (index) text.name += "[" + std::to_string(*index) + "]";
    const std::uint32_t word = index.value_or(0);
    text.group = reg.group;
    text.description = reg.description;
    text.access = access_of(reg.access, ~0u);
    text.bar = reg.bar;
    text.offset = reg.offset_of(word);
    text.count = reg.count;
    text.stride = reg.stride;
    text.reset = reg.reset;
    text.kept_on_software_reset = reg.keep_on_software_reset;
    for (std::uint32_t i = 0; i < contract.map_count; i++) {
        const Map& map = *contract.maps[i];
        for (std::uint32_t a = 0; a < map.alias_count; a++) {
            const Alias& alias = map.aliases[a];
            if (&alias.reg != &reg || word >= alias.count) continue;
            text.aliases.push_back(alias.offset + word * reg.stride);
        }
    }
    for (std::uint32_t i = 0; i < contract.field_count; i++) {
        const Field& field = *contract.fields[i];
        if (&field.reg != &reg) continue;
        FieldText row;
        row.name = field.name;
        row.bits = std::to_string(field.lsb);
        if (field.width > 1)
            row.bits = std::to_string(field.lsb + field.width - 1) + ":" + row.bits;
        row.access = access_of(reg.access, field.mask());
        row.description = field.description;
        row.reset = field.get(reg.reset);
        for (std::uint32_t v = 0; v < contract.value_count; v++) {
            const FieldValue& named = contract.values[v];
            if (&named.field == &field) row.values.push_back({named.name, named.value});
        }
        text.fields.push_back(std::move(row));
    }
    return text;
}

void decode(const Contract& contract, RegisterText& text, const Register& reg,
            std::uint32_t value) {
    text.value = value;
    text.unnamed_bits = value;
    std::size_t row = 0;
    for (std::uint32_t i = 0; i < contract.field_count; i++) {
        const Field& field = *contract.fields[i];
        if (&field.reg != &reg) continue;
        FieldText& decoded = text.fields[row++];
        decoded.value = field.get(value);
        text.unnamed_bits &= ~field.mask();
        for (const NamedValue& named : decoded.values) {
            if (named.value == *decoded.value) decoded.value_name = named.name;
        }
    }
}

RegisterAnswer ask_registers(const Contract& contract, const std::vector<std::string>& arguments) {
    RegisterAnswer answer;
    if (arguments.size() > 2) {
        answer.error = "too many arguments: regs [NAME|OFFSET [VALUE]]";
        return answer;
    }
    if (arguments.empty()) {
        for (std::uint32_t i = 0; i < contract.register_count; i++) {
            answer.registers.push_back(describe(contract, *contract.registers[i]));
        }
        answer.text = map_text(contract, answer.registers);
        answer.ok = true;
        return answer;
    }
    const Place place = locate(contract, arguments[0]);
    if (place.reg == nullptr) {
        answer.error = place.error;
        return answer;
    }
    RegisterText text = describe(contract, *place.reg, place.index);
    if (arguments.size() == 2) {
        const auto value = parse_value(arguments[1]);
        if (!value) {
            answer.error = "'" + arguments[1] + "' is no value of 32 bits: 0x... or decimal";
            return answer;
        }
        decode(contract, text, *place.reg, *value);
    }
    answer.text = register_text(text);
    answer.registers.push_back(std::move(text));
    answer.ok = true;
    return answer;
}

}  // namespace doorbell::regs
