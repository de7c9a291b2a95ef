// The differential test itself, without a QEMU: the model stands in for it, whole and with faults
// planted. What is not found here would not be found there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <set>

#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/qemu/differential/comparison.hpp"
#include "testbench/qemu/differential/generator.hpp"
#include "testbench/qemu/differential/known_gaps.hpp"
#include "testbench/qemu/differential/model_device.hpp"

namespace doorbell::differential {
namespace {

namespace r = regs::i82574l;
using ::testing::HasSubstr;

/// The model with something wrong with it.
class Faulty final : public Device {
public:
    void reset(InterruptMode mode) override { model_.reset(mode); }
    void write(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) override {
        model_.write(bar, offset, on_write ? on_write(offset, value) : value);
    }
    std::uint32_t read(std::uint32_t bar, std::uint32_t offset) override {
        const std::uint32_t value = model_.read(bar, offset);
        return on_read ? on_read(offset, value) : value;
    }
    std::uint32_t config_read(std::uint32_t offset) override { return model_.config_read(offset); }
    void poke(std::uint32_t address, const std::vector<std::uint8_t>& bytes) override {
        model_.poke(address, bytes);
    }
    std::vector<std::uint8_t> peek(std::uint32_t address, std::uint32_t size_bytes) override {
        return model_.peek(address, size_bytes);
    }
    void receive(const std::vector<std::uint8_t>& frame) override { model_.receive(frame); }
    std::vector<std::vector<std::uint8_t>> sent() override {
        auto frames = model_.sent();
        if (on_sent) on_sent(frames);
        return frames;
    }
    void wait(std::uint32_t microseconds) override { model_.wait(microseconds); }

    std::function<std::uint32_t(std::uint32_t, std::uint32_t)> on_write;
    std::function<std::uint32_t(std::uint32_t, std::uint32_t)> on_read;
    std::function<void(std::vector<std::vector<std::uint8_t>>&)> on_sent;

private:
    ModelDevice model_;
};

/// How many of the first programs show the fault.
int programs_that_find(Faulty& faulty, int programs = 60) {
    ModelDevice model;
    std::vector<Gap> gaps;
    int found = 0;
    for (int i = 0; i < programs; i++) {
        const Program program = generate(1, static_cast<std::uint64_t>(i), {"CTRL"});
        found += !compare(program, run(model, program), run(faulty, program), gaps).empty();
    }
    return found;
}

TEST(Programs, are_the_same_for_the_same_seed_and_index_and_others_for_others) {
    for (std::uint64_t index = 0; index < 50; index++) {
        const Program once = generate(7, index, {});
        EXPECT_EQ(once.operations, generate(7, index, {}).operations);
        EXPECT_NE(once.operations, generate(8, index, {}).operations);
        EXPECT_NE(once.operations, generate(7, index + 1000, {}).operations);
    }
}

TEST(Programs, of_a_short_run_cover_every_theme_mode_and_operation) {
    std::set<std::string> themes_seen;
    std::set<InterruptMode> modes;
    std::set<OperationKind> kinds;
    for (std::uint64_t index = 0; index < 300; index++) {
        const Program program = generate(1, index, {});
        themes_seen.insert(program.theme);
        modes.insert(program.mode);
        for (const Operation& operation : program.operations) kinds.insert(operation.kind);
    }
    EXPECT_EQ(themes_seen.size(), themes().size());
    EXPECT_EQ(modes.size(), 3u);
    // Configuration is read by programs written by hand, time passes behind other operations.
    EXPECT_GE(kinds.size(), kOperationKinds - 2);
}

TEST(Programs, leave_out_the_registers_that_they_are_told_to) {
    for (std::uint64_t index = 0; index < 200; index++) {
        const Program program = generate(3, index, {"TIPG"});
        for (const Operation& operation : program.operations) {
            if (operation.kind != OperationKind::kWrite || operation.bar != 0) continue;
            EXPECT_NE(operation.offset, r::TIPG.offset);
        }
    }
}

TEST(Comparison, finds_nothing_between_the_model_and_itself) {
    Faulty whole;
    EXPECT_EQ(programs_that_find(whole), 0);
}

TEST(Comparison, a_program_runs_the_same_whatever_ran_before) {
    ModelDevice used;
    std::vector<Gap> gaps;
    for (std::uint64_t index = 0; index < 60; index++) {
        ModelDevice fresh;
        const Program program = generate(5, index, {});
        EXPECT_TRUE(compare(program, run(fresh, program), run(used, program), gaps).empty())
            << "program 5:" << index;
    }
}

TEST(Comparison, finds_a_register_bit_that_is_stuck) {
    Faulty faulty;
    faulty.on_read = [](std::uint32_t offset, std::uint32_t value) {
        return offset == r::ICR.offset ? value & ~r::ICR_TXDW.mask() : value;
    };
    EXPECT_GT(programs_that_find(faulty), 0);
}

TEST(Comparison, finds_a_counter_that_is_one_short) {
    Faulty faulty;
    faulty.on_read = [](std::uint32_t offset, std::uint32_t value) {
        return offset == r::GPTC.offset && value != 0 ? value - 1 : value;
    };
    EXPECT_GT(programs_that_find(faulty), 0);
}

TEST(Comparison, finds_a_byte_that_changes_on_the_way_to_the_wire) {
    Faulty faulty;
    faulty.on_sent = [](std::vector<std::vector<std::uint8_t>>& frames) {
        if (!frames.empty()) frames.back().back() ^= 1;
    };
    EXPECT_GT(programs_that_find(faulty), 0);
}

TEST(Comparison, finds_an_interrupt_mask_that_does_not_take) {
    Faulty faulty;
    faulty.on_write = [](std::uint32_t offset, std::uint32_t value) {
        return offset == r::IMS.offset ? value & ~r::ICR_LSC.mask() : value;
    };
    EXPECT_GT(programs_that_find(faulty), 0);
}

TEST(Comparison, finds_a_filter_that_lets_too_much_in) {
    Faulty faulty;
    faulty.on_write = [](std::uint32_t offset, std::uint32_t value) {
        return offset == r::RCTL.offset ? value | r::RCTL_UPE.mask() : value;
    };
    EXPECT_GT(programs_that_find(faulty), 0);
}

TEST(Shrinking, leaves_the_operations_that_matter) {
    Faulty faulty;
    faulty.on_read = [](std::uint32_t offset, std::uint32_t value) {
        return offset == r::TIPG.offset ? value ^ 1 : value;
    };
    ModelDevice model;
    std::vector<Gap> gaps;
    Program program;
    for (std::uint32_t offset = r::TIPG.offset - 64; offset < r::TIPG.offset + 64; offset += 4) {
        Operation read;
        read.kind = OperationKind::kRead;
        read.offset = offset;
        program.operations.push_back(read);
    }
    const Program less = shrink(program, [&](const Program& candidate) {
        return !compare(candidate, run(model, candidate), run(faulty, candidate), gaps).empty();
    });
    ASSERT_EQ(less.operations.size(), 1u);
    EXPECT_EQ(less.operations[0].offset, r::TIPG.offset);
    const auto found = compare(less, run(model, less), run(faulty, less), gaps);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_THAT(describe(less, found[0]), HasSubstr("IPGT                 model 0x8, QEMU 0x9"));
}

// --- the list of known gaps
// -------------------------------------------------------------------------

class Gaps : public ::testing::Test {
protected:
    std::string write(const std::string& text) {
        const std::string path = ::testing::TempDir() + "gaps_" +
                                 ::testing::UnitTest::GetInstance()->current_test_info()->name() +
                                 ".toml";
        std::ofstream(path) << text;
        return path;
    }
    std::string error(const std::string& text) {
        try {
            (void)read_gaps(write(text));
        } catch (const std::runtime_error& error) {
            return error.what();
        }
        return "";
    }
    static constexpr const char* kGap =
        "[[gap]]\nid = \"x\"\nsubject = \"register\"\nname = \"TIPG\"\nbits = 3\n"
        "reason = \"r\"\nsource = \"s\"\n";

    Observation tipg(std::uint32_t value) { return {0, Subject::kRegister, "TIPG", {value}, 4}; }
    Program program() {
        Program program;
        program.operations.emplace_back().kind = OperationKind::kRead;
        return program;
    }
};

TEST_F(Gaps, explain_the_bits_they_name_and_no_others) {
    GapList list = read_gaps(write(kGap));
    EXPECT_TRUE(compare(program(), {tipg(0x8)}, {tipg(0xB)}, list.gaps).empty());
    EXPECT_EQ(list.gaps[0].used, 1u);
    EXPECT_EQ(compare(program(), {tipg(0x8)}, {tipg(0xF)}, list.gaps).size(), 1u);
    EXPECT_TRUE(compare(program(), {tipg(0x8)}, {tipg(0x8)}, list.gaps).empty());
}

TEST_F(Gaps, explain_only_what_qemu_lacks_when_they_say_so) {
    GapList list = read_gaps(write(std::string(kGap) + "qemu_is_zero = true\n"));
    EXPECT_TRUE(compare(program(), {tipg(0x3)}, {tipg(0x0)}, list.gaps).empty());
    EXPECT_EQ(compare(program(), {tipg(0x0)}, {tipg(0x3)}, list.gaps).size(), 1u);
}

TEST_F(Gaps, explain_only_while_their_conditions_hold) {
    GapList list = read_gaps(
        write(std::string(kGap) + "when = [\"MODE=msix\", \"TCTL.EN=1\", \"WROTE!=TIPG\"]\n"));
    Program story;
    story.mode = InterruptMode::kMsix;
    Operation enable;
    enable.kind = OperationKind::kWrite;
    enable.offset = r::TCTL.offset;
    enable.value = r::TCTL_EN.mask();
    story.operations = {enable, program().operations[0]};
    Observation model = tipg(0);
    Observation qemu = tipg(1);
    model.operation = qemu.operation = 1;
    EXPECT_TRUE(compare(story, {model}, {qemu}, list.gaps).empty());
    story.operations[0].offset = r::TIPG.offset;
    EXPECT_EQ(compare(story, {model}, {qemu}, list.gaps).size(), 1u) << "TCTL.EN is 0";
    story.operations[0] = enable;
    story.mode = InterruptMode::kMsi;
    EXPECT_EQ(compare(story, {model}, {qemu}, list.gaps).size(), 1u);
}

TEST_F(Gaps, explain_only_where_the_model_counts_what_went_over_the_wire_when_they_say_so) {
    GapList list = read_gaps(
        write("[[gap]]\nid = \"x\"\nsubject = \"register\"\nname = \"TORL\"\nbits = 0xFFFFFFFF\n"
              "model_is_wire = true\nreason = \"r\"\nsource = \"s\"\n"));
    Program story;
    story.operations.resize(3);
    story.operations[0].kind = OperationKind::kReceive;
    story.operations[0].frames = {std::vector<std::uint8_t>(60), std::vector<std::uint8_t>(100)};
    const auto torl = [](std::size_t operation, std::uint32_t value) {
        return Observation{operation, Subject::kRegister, "TORL", {value}, 4};
    };
    EXPECT_TRUE(compare(story, {torl(1, 168)}, {torl(1, 64)}, list.gaps).empty());
    EXPECT_EQ(compare(story, {torl(1, 164)}, {torl(1, 64)}, list.gaps).size(), 1u);
    Observation high = torl(1, 0);
    high.name = "TORH";
    EXPECT_TRUE(compare(story, {high, torl(2, 0)}, {high, torl(2, 1)}, list.gaps).empty())
        << "reading TORH starts the pair again";
}

TEST_F(Gaps, explain_only_where_the_bits_beside_are_as_they_say) {
    GapList neither = read_gaps(write(std::string(kGap) + "neither = 0x100\n"));
    EXPECT_TRUE(compare(program(), {tipg(0x8)}, {tipg(0xB)}, neither.gaps).empty());
    EXPECT_EQ(compare(program(), {tipg(0x108)}, {tipg(0x10B)}, neither.gaps).size(), 1u);
    GapList both = read_gaps(write(std::string(kGap) + "both = 0x100\n"));
    EXPECT_TRUE(compare(program(), {tipg(0x108)}, {tipg(0x10B)}, both.gaps).empty());
    EXPECT_EQ(compare(program(), {tipg(0x8)}, {tipg(0xB)}, both.gaps).size(), 1u);
}

TEST_F(Gaps, of_a_message_that_stands_hold_until_a_cause_is_cleared) {
    Story story(InterruptMode::kMsi);
    const Observation message{0, Subject::kInterrupt, "message 0", {0x4D00}, 4};
    EXPECT_FALSE(story.holds("STANDS=message"));
    story.observe(message);
    EXPECT_TRUE(story.holds("STANDS=message"));
    story.observe({0, Subject::kRegister, "ICR", {0x80000001}, 4});
    EXPECT_TRUE(story.holds("STANDS=message")) << "it may have been joined before";
    story.observe({0, Subject::kInterrupt, "message 0", {0}, 4});
    EXPECT_FALSE(story.holds("STANDS=message"));
}

TEST_F(Gaps, that_are_wrong_are_refused_with_the_place) {
    const std::string good = kGap;
    EXPECT_THAT(error("[[gap]]\nid = \n"), HasSubstr(":2: "));
    EXPECT_THAT(error(good + "bitz = 1\n"), HasSubstr(":1: unknown key 'bitz'"));
    EXPECT_THAT(error(good + good), HasSubstr("two gaps have the id 'x'"));
    EXPECT_THAT(error("[[gap]]\nid = \"x\"\nsubject = \"register\"\nname = \"TIPGG\"\n"),
                HasSubstr("'TIPGG' is no register of the contract"));
    EXPECT_THAT(error(good + "when = [\"TIPG.NONE=1\"]\n"), HasSubstr("no field"));
    EXPECT_THAT(error("[[left_out]]\nwhat = \"x\"\nreason = \"r\"\nsource = \"s\"\n"
                      "registers = [\"NONE\"]\n"),
                HasSubstr("'NONE' is no register"));
    EXPECT_THAT(error("[[gap]]\nid = \"x\"\nsubject = \"frame\"\nbits = 1\nsource = \"s\"\n"),
                HasSubstr("has no reason"));
}

TEST_F(Gaps, of_the_project_are_a_list_that_can_be_read) {
    const GapList list = read_gaps(DOORBELL_KNOWN_GAPS);
    EXPECT_GT(list.gaps.size(), 20u);
    EXPECT_GT(list.left_out.size(), 5u);
}

}  // namespace
}  // namespace doorbell::differential
