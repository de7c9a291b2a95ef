#include "testbench/qemu/differential/known_gaps.hpp"

#include <algorithm>
#include <initializer_list>
#include <set>
#include <stdexcept>

#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

#define TOML_EXCEPTIONS 1
#include <toml++/toml.h>

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

std::string_view without_index(std::string_view name) {
    return name.substr(0, name.find('['));
}

const regs::Register* find_register(std::string_view name) {
    for (std::uint32_t i = 0; i < r::kContract.register_count; i++) {
        if (without_index(name) == r::kContract.registers[i]->name) {
            return r::kContract.registers[i];
        }
    }
    return nullptr;
}

const regs::Field* find_field(std::string_view reg, std::string_view name) {
    for (std::uint32_t i = 0; i < r::kContract.field_count; i++) {
        const regs::Field& field = *r::kContract.fields[i];
        if (without_index(reg) == field.reg.name && name == field.name) return &field;
    }
    return nullptr;
}

constexpr std::size_t kMinimumFrameBytes = 60;

struct Condition {
    std::string left;
    bool equal = true;
    std::string right;
};

Condition take_apart(const std::string& text) {
    const std::size_t at = text.find('=');
    if (at == std::string::npos || at == 0) return {};
    const bool equal = text[at - 1] != '!';
    return {text.substr(0, equal ? at : at - 1), equal, text.substr(at + 1)};
}

const char* name_of(InterruptMode mode) {
    static constexpr const char* kNames[] = {"intx", "msi", "msix"};
    return kNames[static_cast<unsigned>(mode)];
}

/// "" when the condition can be asked.
std::string problem_of(const std::string& text) {
    const Condition condition = take_apart(text);
    if (condition.left.empty()) return "is no comparison (NAME=VALUE or NAME!=VALUE)";
    if (condition.left == "MODE" || condition.left == "RESET" || text == "SENT=tso" ||
        text == "SENT=short" || text == "ARRIVED=group" || text == "ARRIVED=pause" ||
        text == "STANDS=message") {
        return "";
    }
    if (condition.left == "WROTE") {
        return find_register(condition.right) != nullptr ? "" : "names no register";
    }
    const std::size_t dot = condition.left.find('.');
    if (dot == std::string::npos) return "names no field (REGISTER.FIELD)";
    const std::string reg = condition.left.substr(0, dot);
    if (find_field(reg, condition.left.substr(dot + 1)) == nullptr) {
        return "names no field of the contract";
    }
    return condition.right.find_first_not_of("0123456789") == std::string::npos
               ? ""
               : "compares a field with what is no number";
}

/// "RAL[*]" means every one of the array, "RX ring 1*" every place that begins so.
bool is_meant(const std::string& name, const std::string& observed) {
    const std::size_t star = name.find('*');
    if (star == std::string::npos) return name == observed;
    return observed.compare(0, star, name, 0, star) == 0;
}

class Reader {
public:
    Reader(const std::string& path, const toml::table& row) : path_(path), row_(row) {}

    Gap read() {
        check_keys({"id", "subject", "name", "bits", "qemu_is_zero", "model_is_zero", "when",
                    "reason", "source", "padding", "checksum_zero", "model_is_wire", "rare",
                    "neither", "both"});
        Gap gap;
        gap.id = text("id", true);
        gap.subject = text("subject", true);
        check_subject(gap);
        read_names(gap);
        gap.bits = read_bits("bits");
        gap.neither = read_bits("neither");
        gap.both = read_bits("both");
        gap.rare = row_["rare"].value_or(false);
        gap.model_is_wire = row_["model_is_wire"].value_or(false);
        gap.qemu_is_zero = row_["qemu_is_zero"].value_or(false);
        gap.model_is_zero = row_["model_is_zero"].value_or(false);
        gap.padding = row_["padding"].value_or(false);
        gap.checksum_zero = row_["checksum_zero"].value_or(false);
        if (gap.bits.empty() && !gap.padding && !gap.checksum_zero) fail("says no bits");
        read_conditions(gap);
        gap.reason = text("reason", true);
        gap.source = text("source", true);
        return gap;
    }

    /// Registers; none for a part of the grammar that is described only.
    std::vector<std::string> read_left_out() {
        check_keys({"what", "registers", "reason", "source"});
        (void)text("what", true);
        (void)text("reason", true);
        (void)text("source", true);
        std::vector<std::string> names;
        const toml::array* registers = row_["registers"].as_array();
        if (registers == nullptr) return names;
        for (const toml::node& node : *registers) {
            names.push_back(node.value_or(std::string()));
            if (find_register(names.back()) == nullptr) {
                fail("'" + names.back() + "' is no register of the contract");
            }
        }
        return names;
    }

private:
    void check_keys(std::initializer_list<std::string_view> keys) const {
        for (const auto& [key, value] : row_) {
            if (std::find(keys.begin(), keys.end(), key.str()) == keys.end()) {
                fail("unknown key '" + std::string(key.str()) + "'");
            }
        }
    }
    [[noreturn]] void fail(const std::string& what) const {
        throw std::runtime_error(path_ + ":" + std::to_string(row_.source().begin.line) + ": " +
                                 what);
    }
    [[nodiscard]] std::string text(const char* key, bool needed) const {
        const std::string value = row_[key].value_or(std::string());
        if (needed && value.empty()) fail(std::string("has no ") + key);
        return value;
    }
    void check_subject(const Gap& gap) const {
        for (unsigned i = 0; i < kSubjects; i++) {
            if (gap.subject == differential::name_of(static_cast<Subject>(i))) return;
        }
        fail("has an unknown subject '" + gap.subject + "'");
    }
    void read_names(Gap& gap) const {
        if (const auto one = row_["name"].value<std::string>()) gap.names = {*one};
        if (const toml::array* several = row_["name"].as_array()) {
            for (const toml::node& name : *several) {
                gap.names.push_back(name.value_or(std::string()));
            }
        }
        if (gap.subject != "register") return;
        if (gap.names.empty()) fail("names no register");
        for (const std::string& name : gap.names) {
            if (find_register(name) == nullptr) {
                fail("'" + name + "' is no register of the contract");
            }
        }
    }
    [[nodiscard]] std::vector<std::uint32_t> read_bits(const char* key) const {
        std::vector<std::uint32_t> bits;
        if (const auto one = row_[key].value<std::int64_t>()) {
            bits = {static_cast<std::uint32_t>(*one)};
        }
        if (const toml::array* several = row_[key].as_array()) {
            for (const toml::node& word : *several) {
                bits.push_back(static_cast<std::uint32_t>(word.value_or(std::int64_t{0})));
            }
        }
        return bits;
    }
    void read_conditions(Gap& gap) const {
        const toml::array* conditions = row_["when"].as_array();
        if (conditions == nullptr) return;
        for (const toml::node& condition : *conditions) {
            gap.when.push_back(condition.value_or(std::string()));
            const std::string wrong = problem_of(gap.when.back());
            if (!wrong.empty()) fail("'" + gap.when.back() + "' " + wrong);
        }
    }

    const std::string& path_;
    const toml::table& row_;
};

std::vector<const toml::table*> rows_of(const toml::table& file, const char* key,
                                        const std::string& path) {
    std::vector<const toml::table*> rows;
    const toml::array* all = file[key].as_array();
    if (all == nullptr) return rows;
    for (const toml::node& row : *all) {
        if (row.as_table() == nullptr) {
            throw std::runtime_error(path + ": " + key + " is no table");
        }
        rows.push_back(row.as_table());
    }
    return rows;
}

}  // namespace

void Story::operate(const Operation& operation) {
    if (operation.kind == OperationKind::kSoftwareReset) {
        const bool stood = stood_;
        *this = Story(mode_);
        reset_ = true;
        stood_ = stood;
    }
    if (operation.kind == OperationKind::kWrite) {
        if (operation.offset == r::ICR.offset || operation.offset == r::IMC.offset) {
            message_ = false;
        }
        written_[register_name(operation.bar, operation.offset)] = operation.value;
    }
    wire_.operate(operation);
    send(operation.parts);
    if (operation.kind != OperationKind::kReceive) return;
    group_ = pause_ = false;
    for (const std::vector<std::uint8_t>& frame : operation.frames) {
        group_ |= (frame[0] & 1) != 0;
        pause_ |= WireCounts::is_mac_control(frame);
    }
}

void Story::observe(const Observation& model) {
    wire_.observe(model);
    if (model.subject == Subject::kInterrupt) {
        message_ |= model.words[0] != 0;
        stood_ = message_;
    }
    if (model.subject == Subject::kRegister && model.name == "ICR") message_ = false;
}

void Story::send(const std::vector<TxPart>& parts) {
    std::size_t bytes = 0;
    for (const TxPart& part : parts) {
        if (part.is_context) continue;
        // EOP and DEXT lie in the same place in legacy and data descriptors; TSE is data's only.
        const regs::Descriptor<2> words{{0, part.control}};
        bytes += part.data.size();
        segmented_ |= r::tx_data::DEXT.get(words) != 0 && r::tx_data::TSE.get(words) != 0;
        if (r::tx_data::EOP.get(words) == 0) continue;
        short_ |= bytes < kMinimumFrameBytes;
        bytes = 0;
    }
}

std::uint32_t Story::written(std::string_view name, std::uint32_t otherwise) const {
    const auto found = written_.find(name);
    return found == written_.end() ? otherwise : found->second;
}

bool Story::holds(const std::string& text) const {
    const Condition condition = take_apart(text);
    bool equal = false;
    if (condition.left == "MODE") {
        equal = condition.right == name_of(mode_);
    } else if (condition.left == "RESET") {
        equal = (condition.right == "yes") == reset_;
    } else if (condition.left == "SENT") {
        equal = condition.right == "tso" ? segmented_ : short_;
    } else if (condition.left == "ARRIVED") {
        equal = condition.right == "group" ? group_ : pause_;
    } else if (condition.left == "STANDS") {
        equal = stood_;
    } else if (condition.left == "WROTE") {
        equal = written_.count(condition.right) != 0;
    } else {
        const std::size_t dot = condition.left.find('.');
        const std::string reg = condition.left.substr(0, dot);
        const regs::Field* field = find_field(reg, condition.left.substr(dot + 1));
        if (field == nullptr) return false;
        equal = std::to_string(field->get(written(reg, field->reg.reset))) == condition.right;
    }
    return equal == condition.equal;
}

bool Gap::concerns(const Observation& observation, const Story& story) const {
    if (subject != differential::name_of(observation.subject)) return false;
    const bool named =
        names.empty() || std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            return is_meant(name, observation.name);
        });
    return named && std::all_of(when.begin(), when.end(), [&](const std::string& condition) {
               return story.holds(condition);
           });
}

bool Gap::shown_by(const Observation& model, const Observation& qemu, const Story& story) const {
    if (model_is_wire && story.wire().expected(model.name) != model.words[0]) return false;
    for (std::size_t i = 0; i < model.words.size(); i++) {
        if (i < neither.size() && ((model.words[i] | qemu.words[i]) & neither[i]) != 0)
            return false;
        if (i < both.size() && (model.words[i] & qemu.words[i] & both[i]) != both[i]) return false;
    }
    return true;
}

GapList read_gaps(const std::string& path) {
    toml::table file;
    try {
        file = toml::parse_file(path);
    } catch (const toml::parse_error& error) {
        throw std::runtime_error(path + ":" + std::to_string(error.source().begin.line) + ": " +
                                 std::string(error.description()));
    }
    GapList list;
    std::set<std::string> ids;
    for (const toml::table* row : rows_of(file, "gap", path)) {
        list.gaps.push_back(Reader(path, *row).read());
        if (!ids.insert(list.gaps.back().id).second) {
            throw std::runtime_error(path + ": two gaps have the id '" + list.gaps.back().id + "'");
        }
    }
    for (const toml::table* row : rows_of(file, "left_out", path)) {
        for (const std::string& name : Reader(path, *row).read_left_out()) {
            list.left_out.push_back(name);
        }
    }
    return list;
}

}  // namespace doorbell::differential
