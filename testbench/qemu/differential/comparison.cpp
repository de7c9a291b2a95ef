#include "testbench/qemu/differential/comparison.hpp"

#include <algorithm>
#include <cstdio>

#include "hw/base/bits.hpp"
#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

/// Without FCS.
constexpr std::uint32_t kMinimumFrameBytes = 60;

bool padded(const Observation& model, const Observation& qemu) {
    if (model.size_bytes != kMinimumFrameBytes || qemu.size_bytes >= model.size_bytes) return false;
    for (std::size_t i = 0; i < model.words.size(); i++) {
        if (model.words[i] != (i < qemu.words.size() ? qemu.words[i] : 0)) return false;
    }
    return true;
}

/// Where the checksum of TCP lies in a frame; 0 when it is no TCP.
std::size_t tcp_checksum_at(const Observation& frame) {
    const auto byte = [&](std::size_t at) -> std::uint32_t {
        return at / 4 < frame.words.size() ? frame.words[at / 4] >> at % 4 * 8 & 0xFF : 0;
    };
    const auto type = [&](std::size_t at) { return byte(at) << 8 | byte(at + 1); };
    const std::size_t l3 = type(12) == 0x8100 ? 18 : 14;
    if (type(l3 - 2) == 0x0800 && byte(l3 + 9) == 6) return l3 + (byte(l3) & 15) * 4 + 16;
    return type(l3 - 2) == 0x86DD && byte(l3 + 6) == 6 ? l3 + 40 + 16 : 0;
}

/// The half of this word in which the model has a TCP checksum of 0 and QEMU one of 0xFFFF.
std::uint32_t zero_checksum(const Observation& model, const Observation& qemu, std::size_t word) {
    const std::size_t at = tcp_checksum_at(model);
    if (at == 0 || at / 4 != word) return 0;
    const std::uint32_t half = at % 4 == 0 ? 0x0000FFFFu : 0xFFFF0000u;
    return (model.words[word] & half) == 0 && (qemu.words[word] & half) == half ? half : 0;
}

class Comparison {
public:
    Comparison(const Program& program, std::vector<Gap>& gaps, bool all)
        : program_(program), gaps_(gaps), all_(all) {}

    std::vector<Difference> compare(const std::vector<Observation>& model,
                                    const std::vector<Observation>& qemu) {
        Story story(program_.mode);
        std::size_t told = 0;
        for (std::size_t i = 0; i < std::min(model.size(), qemu.size()); i++) {
            for (; told <= model[i].operation; told++) story.operate(program_.operations[told]);
            if (model[i].name != qemu[i].name || model[i].operation != qemu[i].operation) {
                return end(model[i], qemu[i], "they show different things");
            }
            pair(model[i], qemu[i], story);
            story.observe(model[i]);
            if (!all_ && !found_.empty()) return found_;
        }
        if (model.size() != qemu.size()) {
            const bool more = model.size() > qemu.size();
            return end(more ? model[qemu.size()] : model.back(),
                       more ? qemu.back() : qemu[model.size()],
                       "one of them shows more than the other");
        }
        return found_;
    }

private:
    std::vector<Difference> end(const Observation& model, const Observation& qemu,
                                const char* what) {
        found_.push_back({model, qemu, 0, what});
        return found_;
    }

    void pair(const Observation& model, const Observation& qemu, const Story& story) {
        if (model.size_bytes != qemu.size_bytes) {
            for (Gap& gap : gaps_) {
                if (!gap.padding || !gap.concerns(model, story) || !padded(model, qemu)) continue;
                gap.used++;
                return;
            }
            found_.push_back({model, qemu, 0, "the sizes differ"});
            return;
        }
        for (std::size_t word = 0; word < model.words.size(); word++) {
            if (explained(model, qemu, word, story)) continue;
            found_.push_back({model, qemu, word, ""});
            return;
        }
    }

    bool explained(const Observation& model, const Observation& qemu, std::size_t word,
                   const Story& story) {
        std::uint32_t open = model.words[word] ^ qemu.words[word];
        if (open == 0) return true;
        for (Gap& gap : gaps_) {
            const std::uint32_t bits =
                gap.checksum_zero ? zero_checksum(model, qemu, word) : gap.bits_of(word);
            if ((open & bits) == 0 || !gap.concerns(model, story)) continue;
            if (!gap.shown_by(model, qemu, story)) continue;
            if (gap.qemu_is_zero && (qemu.words[word] & open & bits) != 0) continue;
            if (gap.model_is_zero && (model.words[word] & open & bits) != 0) continue;
            gap.used++;
            open &= ~bits;
        }
        return open == 0;
    }

    const Program& program_;
    std::vector<Gap>& gaps_;
    bool all_;
    std::vector<Difference> found_;
};

std::string line(const char* format, const char* name, unsigned long long a, unsigned long long b) {
    char text[200];
    std::snprintf(text, sizeof text, format, name, a, b);
    return text;
}

std::string register_fields(const std::string& name, std::uint32_t model, std::uint32_t qemu) {
    const std::string plain = name.substr(0, name.find('['));
    std::string text;
    std::uint32_t named = 0;
    for (std::uint32_t i = 0; i < r::kContract.field_count; i++) {
        const regs::Field& field = *r::kContract.fields[i];
        if (plain != field.reg.name) continue;
        named |= field.mask();
        if (field.get(model) == field.get(qemu)) continue;
        text += line("      %-20s model 0x%llx, QEMU 0x%llx\n", field.name, field.get(model),
                     field.get(qemu));
    }
    if (((model ^ qemu) & ~named) != 0) {
        text += line("      %-20s model 0x%llx, QEMU 0x%llx\n", "(unnamed bits)", model & ~named,
                     qemu & ~named);
    }
    return text;
}

template <class Fields>
std::string descriptor_fields(const Fields& fields, const Observation& model,
                              const Observation& qemu) {
    regs::Descriptor<2> a;
    regs::Descriptor<2> b;
    for (std::size_t i = 0; i < 2; i++) {
        a.words[i] = model.words[i * 2] | std::uint64_t{model.words[i * 2 + 1]} << 32;
        b.words[i] = qemu.words[i * 2] | std::uint64_t{qemu.words[i * 2 + 1]} << 32;
    }
    std::string text;
    for (const regs::DescriptorField<2>* field : fields) {
        if (field->get(a) == field->get(b)) continue;
        text += line("      %-20s model 0x%llx, QEMU 0x%llx\n", field->name, field->get(a),
                     field->get(b));
    }
    return text;
}

std::string dump(const Observation& observation, std::size_t around) {
    std::string text;
    const std::size_t first = around < 4 ? 0 : around - 4;
    for (std::size_t i = first; i < std::min(first + 24, observation.words.size()); i++) {
        char word[16];
        for (unsigned byte = 0; byte < 4; byte++) {
            if (i * 4 + byte >= observation.size_bytes) break;
            std::snprintf(word, sizeof word, "%02x", observation.words[i] >> byte * 8 & 0xFF);
            text += word;
        }
        text += " ";
    }
    return text;
}

std::string decoded(const Difference& difference) {
    const Observation& model = difference.model;
    const Observation& qemu = difference.qemu;
    switch (model.subject) {
        case Subject::kRegister:
            return register_fields(model.name, model.words[0], qemu.words[0]);
        case Subject::kTxDescriptor:
            return descriptor_fields(r::tx_legacy::kFields, model, qemu);
        case Subject::kRxLegacy:
            return descriptor_fields(r::rx_legacy::kFields, model, qemu);
        case Subject::kRxExtended:
            return descriptor_fields(r::rx_extended::kFields, model, qemu);
        default:
            return "";
    }
}

}  // namespace

std::vector<Difference> compare(const Program& program, const std::vector<Observation>& model,
                                const std::vector<Observation>& qemu, std::vector<Gap>& gaps,
                                bool all) {
    return Comparison(program, gaps, all).compare(model, qemu);
}

std::string describe(const Program& program, const Difference& difference) {
    const Observation& model = difference.model;
    const Observation& qemu = difference.qemu;
    std::string text = "  program " + std::to_string(program.seed) + ":" +
                       std::to_string(program.index) + " (" + program.theme + "), operation " +
                       std::to_string(model.operation) + ", " + name_of(model.subject) + " " +
                       model.name + "\n";
    if (!difference.what.empty()) text += "    " + difference.what + "\n";
    if (model.words.size() == 1 && qemu.words.size() == 1) {
        text += line("    %smodel 0x%08llx, QEMU 0x%08llx\n", "", model.words[0], qemu.words[0]);
    } else {
        text += "    dword " + std::to_string(difference.word) + "\n";
        text += "    model " + std::to_string(model.size_bytes) +
                " bytes: " + dump(model, difference.word) + "\n";
        text += "    QEMU  " + std::to_string(qemu.size_bytes) +
                " bytes: " + dump(qemu, difference.word) + "\n";
    }
    if (difference.what.empty()) text += decoded(difference);
    text += "  the program (interrupts by ";
    static constexpr const char* kModes[] = {"INTx", "MSI", "MSI-X"};
    text += std::string(kModes[static_cast<unsigned>(program.mode)]) + "):\n";
    for (std::size_t i = 0; i < program.operations.size(); i++) {
        text += "    " + std::to_string(i) + ": " + describe(program.operations[i]) + "\n";
    }
    return text;
}

Program shrink(const Program& program, const std::function<bool(const Program&)>& still_fails) {
    Program best = program;
    for (std::size_t chunk = std::max<std::size_t>(best.operations.size() / 2, 1);;) {
        bool shorter = false;
        // From the end: what comes later rarely matters.
        for (std::size_t end = best.operations.size(); end > 0;) {
            const std::size_t first = end > chunk ? end - chunk : 0;
            Program less = best;
            less.operations.erase(less.operations.begin() + static_cast<std::ptrdiff_t>(first),
                                  less.operations.begin() + static_cast<std::ptrdiff_t>(end));
            if (still_fails(less)) {
                best = std::move(less);
                shorter = true;
            }
            end = first;
        }
        if (chunk > 1) {
            chunk /= 2;
        } else if (!shorter) {
            return best;
        }
    }
}

}  // namespace doorbell::differential
