// doorbell-differential: the same random programs on the model and on QEMU's e1000e.
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

#include "testbench/qemu/differential/comparison.hpp"
#include "testbench/qemu/differential/generator.hpp"
#include "testbench/qemu/differential/known_gaps.hpp"
#include "testbench/qemu/differential/model_device.hpp"
#include "testbench/qemu/differential/qemu_device.hpp"

#include <CLI/CLI.hpp>

namespace {

using namespace doorbell::differential;

struct Options {
    std::uint64_t seed = 1;
    std::uint64_t first = 0;
    std::uint64_t count = 300;
    std::uint64_t keep_going = 1;
    std::string program;  ///< The path of this one, for the command that replays.
    std::string gaps;
    std::string theme;
    bool no_stale = false;
    bool shrink = true;
    bool print = false;
    bool tally = false;
    std::vector<std::string> qemu;
};

class Campaign {
public:
    explicit Campaign(const Options& options)
        : options_(options), list_(read_gaps(options.gaps)), qemu_(options.qemu) {}

    int run() {
        std::uint64_t done = 0;
        for (std::uint64_t i = options_.first; done < options_.count; i++) {
            const Program program = generate(options_.seed, i, list_.left_out);
            if (!options_.theme.empty() && options_.theme != program.theme) continue;
            done++;
            themes_[program.theme]++;
            operations_ += program.operations.size();
            if (options_.print) print(program);
            const std::vector<Difference> found = differs(program, list_.gaps, options_.tally);
            if (found.empty()) continue;
            failures_++;
            if (options_.tally) {
                count(program, found);
                continue;
            }
            report(program, found.front());
            if (failures_ >= options_.keep_going) break;
        }
        return conclude(done);
    }

private:
    std::vector<Difference> differs(const Program& program, std::vector<Gap>& gaps,
                                    bool all = false) {
        const std::vector<Observation> model = doorbell::differential::run(model_, program);
        const std::vector<Observation> qemu = doorbell::differential::run(qemu_, program);
        observations_ += model.size();
        return compare(program, model, qemu, gaps, all);
    }

    /// What differs, whatever its index in an array or ring.
    static std::string kind_of(const Difference& difference) {
        const std::string& name = difference.model.name;
        return std::string(name_of(difference.model.subject)) + " " +
               name.substr(0, name.find_first_of("[0123456789"));
    }

    /// Of a register: two of them may differ in other bits for another reason.
    static std::uint32_t bits_of(const Difference& difference) {
        if (difference.model.subject != Subject::kRegister) return 0;
        const std::uint32_t bits = difference.model.words[0] ^ difference.qemu.words[0];
        // Counters have no bits, but amounts.
        return difference.model.name.substr(0, 2) == "IC" || difference.model.name == "IMS" ? bits
                                                                                            : 0;
    }

    void count(const Program& program, const std::vector<Difference>& found) {
        for (const Difference& difference : found) {
            const std::size_t word = difference.word;
            const bool bits = difference.what.empty();
            const std::uint32_t model = bits ? difference.model.words[word] : 0;
            const std::uint32_t qemu = bits ? difference.qemu.words[word] : 0;
            Tally& tally = tallies_[kind_of(difference) + " dword " + std::to_string(word) + " " +
                                    difference.what];
            tally.bits |= model ^ qemu;
            if (tally.count++ == 0) tally.example = {program.index, model, qemu};
        }
    }
    void print_tallies() const {
        for (const auto& [what, tally] : tallies_) {
            std::printf("%6llu  %-40s bits 0x%08x  first in %llu: model 0x%08x QEMU 0x%08x\n",
                        static_cast<unsigned long long>(tally.count), what.c_str(), tally.bits,
                        static_cast<unsigned long long>(tally.example.index), tally.example.model,
                        tally.example.qemu);
        }
    }

    static void print(const Program& program) {
        std::printf("program %llu:%llu (%s)\n", static_cast<unsigned long long>(program.seed),
                    static_cast<unsigned long long>(program.index), program.theme);
        for (const Operation& operation : program.operations) {
            std::printf("    %s\n", describe(operation).c_str());
        }
    }

    void report(const Program& program, const Difference& difference) {
        std::vector<Gap> gaps = list_.gaps;
        Program shortest = program;
        Difference shown = difference;
        if (options_.shrink) {
            shortest = shrink(program, [&](const Program& less) {
                const std::vector<Difference> found = differs(less, gaps);
                // The same thing, not another that comes to light on the way.
                return !found.empty() && kind_of(found.front()) == kind_of(difference) &&
                       bits_of(found.front()) == bits_of(difference);
            });
            const std::vector<Difference> again = differs(shortest, gaps);
            if (!again.empty()) {
                shown = again.front();
            } else {
                std::printf("  it does not show again: one of the two is not deterministic\n");
            }
        }
        std::printf(
            "difference:\n%s  replay, at the root of the sources:\n    "
            "testbench/qemu/differential/differential.py . %s --seed %llu --first %llu --count "
            "1\n\n",
            describe(shortest, shown).c_str(), options_.program.c_str(),
            static_cast<unsigned long long>(program.seed),
            static_cast<unsigned long long>(program.index));
        std::fflush(stdout);
    }

    int conclude(std::uint64_t done) {
        print_tallies();
        std::printf("%llu programs (", static_cast<unsigned long long>(done));
        const char* separator = "";
        for (const auto& [theme, count] : themes_) {
            std::printf("%s%s %llu", separator, theme.c_str(),
                        static_cast<unsigned long long>(count));
            separator = ", ";
        }
        std::printf("), %llu operations, %llu observations, %llu unexplained differences\n",
                    static_cast<unsigned long long>(operations_),
                    static_cast<unsigned long long>(observations_),
                    static_cast<unsigned long long>(failures_));
        std::uint64_t stale = 0;
        for (const Gap& gap : list_.gaps) {
            std::printf("  %8llu  %s\n", static_cast<unsigned long long>(gap.used), gap.id.c_str());
            stale += gap.used == 0 && !gap.rare;
        }
        if (options_.no_stale && stale != 0) {
            std::printf(
                "%llu gaps of %s explained nothing: QEMU or the model has changed, or the "
                "grammar does not reach them; take them out or mend the grammar\n",
                static_cast<unsigned long long>(stale), options_.gaps.c_str());
            return 1;
        }
        return failures_ == 0 ? 0 : 1;
    }

    const Options& options_;
    GapList list_;
    ModelDevice model_;
    QemuDevice qemu_;
    struct Example {
        std::uint64_t index = 0;
        std::uint32_t model = 0;
        std::uint32_t qemu = 0;
    };
    struct Tally {
        std::uint64_t count = 0;
        std::uint32_t bits = 0;
        Example example;
    };
    std::map<std::string, Tally> tallies_;
    std::map<std::string, std::uint64_t> themes_;
    std::uint64_t operations_ = 0;
    std::uint64_t observations_ = 0;
    std::uint64_t failures_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    options.program = argv[0];
    CLI::App app{"The same random programs on the model and on QEMU's e1000e (over qtest)."};
    app.add_option("--seed", options.seed, "Seed of the programs");
    app.add_option("--first", options.first, "Index of the first program");
    app.add_option("--count", options.count, "How many programs");
    app.add_option("--theme", options.theme, "Only programs of this theme");
    app.add_option("--gaps", options.gaps, "The list of known gaps (known_gaps.toml)")->required();
    app.add_option("--keep-going", options.keep_going, "Stop after this many differences");
    app.add_flag("--no-stale", options.no_stale, "A gap that explains nothing is a failure");
    app.add_flag("!--no-shrink", options.shrink, "Show the whole program");
    app.add_flag("--tally", options.tally, "Only count what differs, in all of every program");
    app.add_flag("--print", options.print, "Print every program");
    app.add_option("qemu", options.qemu, "The words that start QEMU (after --)")->required();
    CLI11_PARSE(app, argc, argv);
    try {
        return Campaign(options).run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "doorbell-differential: %s\n", error.what());
        return 2;
    }
}
