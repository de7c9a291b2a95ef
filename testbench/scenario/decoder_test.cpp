#include "testbench/scenario/decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>

#include "testbench/scenario/decoder_test_support.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string replaced(const std::string& from, const std::string& to) {
    return scenario::replaced(kGoodScenario, from, to);
}

TEST(DecoderTest, AGoodScenarioBecomesPlainStructs) {
    const Decoded decoded(kGoodScenario);
    ASSERT_EQ(decoded.messages, "");
    const Scenario& s = decoded.scenario;
    EXPECT_EQ(s.name, "tcp_file");
    EXPECT_EQ(s.timeout_ps, milliseconds(5000));
    EXPECT_EQ(s.drain_ps, microseconds(1000));
    ASSERT_EQ(s.hosts.size(), 2u);
    EXPECT_EQ(s.hosts[0].interfaces[0].address, 0x0a000001u);
    EXPECT_EQ(s.hosts[0].interfaces[0].mtu_bytes, 1500u);
    EXPECT_EQ(s.hosts[1].interfaces[0].mtu_bytes, 1400u);
    EXPECT_EQ(s.hosts[1].routes[0].gateway, 0x0a000001u);
    EXPECT_EQ(s.hosts[0].apps[0].start_ps, microseconds(10));
    EXPECT_FALSE(s.hosts[0].apps[0].background);
    EXPECT_TRUE(s.hosts[1].apps[0].background);
    EXPECT_EQ(s.links[0].name, "wire0");
    EXPECT_EQ(s.links[0].params.propagation_ps, nanoseconds(25));
    EXPECT_EQ(s.links[0].params.faults[0].loss_ppm, 10u);
    EXPECT_EQ(s.links[0].params.faults[1].loss_ppm, 20u);
    EXPECT_EQ(s.links[0].ends[1].host, 1u);
}

TEST(DecoderTest, VariablesStandForOthersAndForTheRun) {
    const Decoded decoded(kGoodScenario);
    EXPECT_THAT(decoded.scenario.hosts[0].apps[0].argv,
                ElementsAre("tcp_send", "--to", "10.0.0.2", "--file", "generate:1000"));
    EXPECT_THAT(decoded.scenario.hosts[1].apps[0].argv,
                ElementsAre("tcp_receive", "--file", "out/x/received"));
    EXPECT_EQ(decoded.scenario.verifications[0].output, "out/x/received");
    EXPECT_EQ(std::get<std::uint64_t>(decoded.scenario.expectations[1].limit), 1000u);
}

TEST(DecoderTest, CommonParametersComeBeforeANicsOwn) {
    const Decoded decoded(kGoodScenario);
    const auto& b = decoded.scenario.hosts[1].nics[0];
    ASSERT_EQ(b.size(), 2u);
    EXPECT_EQ(b[0].name, "phy.autonegotiation_ms");
    EXPECT_EQ(b[1].name, "irq.itr");
    EXPECT_EQ(std::get<std::int64_t>(b[1].value), 7);
    EXPECT_EQ(decoded.scenario.hosts[0].nics[0].size(), 1u);
    ASSERT_EQ(decoded.scenario.hosts[1].settings.size(), 2u);
    EXPECT_EQ(decoded.scenario.hosts[1].settings[0].value, "128");
    EXPECT_EQ(decoded.scenario.hosts[1].settings[1].name, "driver.itr");
}

TEST(DecoderTest, TheTimelineIsInTheOrderOfTime) {
    const Decoded decoded(kGoodScenario);
    ASSERT_EQ(decoded.scenario.timeline.size(), 2u);
    EXPECT_EQ(decoded.scenario.timeline[0].kind, ActionKind::kCableOut);
    EXPECT_EQ(decoded.scenario.timeline[0].at_ps, milliseconds(1));
}

TEST(DecoderTest, ExpectationsSayThemselves) {
    const Decoded decoded(kGoodScenario);
    EXPECT_EQ(decoded.scenario.expectations[0].text(), "workload.identical == 1");
    EXPECT_EQ(decoded.scenario.expectations[2].text(),
              "host.a.nic0.tx.frames >= 0.5 * host.b.nic0.tx.frames");
}

TEST(DecoderTest, SetReachesEveryPartByName) {
    const Decoded decoded(kGoodScenario,
                          {"workload.input=/tmp/My File", "host.a.settings.driver.tx_ring=64",
                           "host.a.nic0.irq.itr=9", "host.b.nic0.irq.itr=11", "nic.pcie.lanes=1",
                           "link.wire0.propagation_ns=77", "link.wire0.faults.corrupt_ppm=5",
                           "scenario.timeout_ms=9", "workload.bytes=12"});
    ASSERT_EQ(decoded.messages, "");
    const Scenario& s = decoded.scenario;
    EXPECT_EQ(s.hosts[0].apps[0].argv.back(), "/tmp/My File");
    EXPECT_EQ(s.hosts[0].settings.back().value, "64");
    EXPECT_EQ(s.hosts[0].nics[0].back().name, "irq.itr");
    EXPECT_EQ(std::get<std::int64_t>(s.hosts[1].nics[0].back().value), 11);
    EXPECT_EQ(s.hosts[0].nics[0][1].name, "pcie.lanes");
    EXPECT_EQ(s.links[0].params.propagation_ps, nanoseconds(77));
    EXPECT_EQ(s.links[0].params.faults[0].corrupt_ppm, 5u);
    EXPECT_EQ(s.links[0].params.faults[1].corrupt_ppm, 5u);
    EXPECT_EQ(s.timeout_ps, milliseconds(9));
    EXPECT_EQ(std::get<std::uint64_t>(s.expectations[1].limit), 12u);
}

TEST(DecoderTest, AVariableThatOnlyAReplacedValueUsedIsNoMistake) {
    std::string text = kGoodScenario;
    const std::string use = "value = \"${workload.bytes}\"";
    text.replace(text.find(use), use.size(), "value = 3");
    EXPECT_EQ(Decoded(text, {"workload.input=/tmp/mine"}).messages, "");
}

TEST(DecoderTest, AFileNamedLikeANumberStaysAsItWasTyped) {
    const Decoded decoded(kGoodScenario, {"workload.input=1e3"});
    EXPECT_EQ(decoded.scenario.hosts[0].apps[0].argv.back(), "1e3");
}

/// What is wrong, and the exact message: place, line, caret, reason, help.
struct Mistake {
    const char* name;
    const char* from;
    const char* to;
    const char* message;
};

// Otherwise a test's name would show the bytes of its pointers.
void PrintTo(const Mistake& mistake, std::ostream* to) {
    *to << mistake.name;
}

class Mistakes : public testing::TestWithParam<Mistake> {};

TEST_P(Mistakes, AreShownWithPlaceReasonAndHelp) {
    const Mistake& mistake = GetParam();
    EXPECT_EQ(Decoded(replaced(mistake.from, mistake.to)).messages, mistake.message);
}

const Mistake kMistakes[] = {
    {"UnknownKey", "timeout_ms = 5000", "timeot_ms = 5000",
     "s.toml:4:1: error: unknown key 'timeot_ms' in [scenario]\n"
     "    4 | timeot_ms = 5000\n"
     "      | ^~~~~~~~~\n"
     "      = help: did you mean 'timeout_ms'?\n"},
    {"UnknownTable", "[[verify]]", "[[verfy]]",
     "s.toml:50:3: error: unknown key 'verfy' in (top level)\n"
     "   50 | [[verfy]]\n"
     "      |   ^~~~~\n"
     "      = help: did you mean 'verify'?\n"},
    {"WrongType", "timeout_ms = 5000", "timeout_ms = \"5 s\"",
     "s.toml:4:14: error: 'timeout_ms' must be an integer, this is a string\n"
     "    4 | timeout_ms = \"5 s\"\n"
     "      |              ^~~~~\n"
     "      = Simulated time after which a run that has not finished has failed.\n"},
    {"ImpossibleValue", "mtu_bytes = 1400", "mtu_bytes = 100",
     "s.toml:33:13: error: 'mtu_bytes' cannot be 100\n"
     "   33 | mtu_bytes = 100\n"
     "      |             ^~~\n"
     "      = it must be 576..9000\n"},
    {"UnknownMetric", "\"workload.identical\"", "\"workload.identcal\"",
     "s.toml:64:10: error: no run of this scenario has a metric 'workload.identcal'\n"
     "   64 | metric = \"workload.identcal\"\n"
     "      |          ^~~~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'workload.identical'?\n"},
    {"MetricOfAnotherNic", "\"host.b.nic0.tx.frames\"", "\"host.b.nic1.tx.frames\"",
     "s.toml:72:9: error: no run of this scenario has a metric 'host.b.nic1.tx.frames'\n"
     "   72 | other = \"host.b.nic1.tx.frames\"\n"
     "      |         ^~~~~~~~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'host.b.nic0.tx.frames'?\n"},
    {"UnknownOperator", "op = \">=\"", "op = \"=>\"",
     "s.toml:71:6: error: 'op' cannot be \"=>\"\n"
     "   71 | op = \"=>\"\n"
     "      |      ^~~~\n"
     "      = help: did you mean '=='?\n"},
    {"UnknownParameter", "phy.autonegotiation_ms = 1", "phy.autonegotation_ms = 1",
     "s.toml:12:5: error: a NIC has no parameter 'phy.autonegotation_ms'\n"
     "   12 | phy.autonegotation_ms = 1\n"
     "      |     ^~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'phy.autonegotiation_ms'?\n"},
    {"ImpossibleParameter", "irq.itr = 7", "irq.itr = 70000",
     "s.toml:30:11: error: 'irq.itr' must be 0..4000\n"
     "   30 | irq.itr = 70000\n"
     "      |           ^~~~~\n"},
    {"UnknownSetting", "driver.itr = 200", "driver.irt = 200",
     "s.toml:28:8: error: the guest image 'default' has no setting 'driver.irt'\n"
     "   28 | driver.irt = 200\n"
     "      |        ^~~\n"
     "      = help: did you mean 'driver.itr'?\n"},
    {"ImpossibleSetting", "driver.itr = 200", "driver.itr = 70000",
     "s.toml:28:14: error: 'driver.itr' cannot be 70000\n"
     "   28 | driver.itr = 70000\n"
     "      |              ^~~~~\n"
     "      = it takes 0..65535\n"},
    {"SettingOfNoNic", "driver.itr = 200", "nic3.driver.itr = 200",
     "s.toml:28:13: error: the guest image 'default' has no setting 'nic3.driver.itr'\n"
     "   28 | nic3.driver.itr = 200\n"
     "      |             ^~~\n"
     "      = help: did you mean 'driver.itr'?\n"},
    {"UnknownArgument", "tcp_send --to", "tcp_send --too",
     "s.toml:22:17: error: tcp_send has no argument '--too'\n"
     "   22 | run = \"tcp_send --too 10.0.0.2 --file '${workload.input}'\"\n"
     "      |                 ^~~~~\n"
     "      = help: did you mean '--to'?\n"},
    {"ImpossibleArgument", "tcp_send --to 10.0.0.2", "tcp_send --to 10.0.0",
     "s.toml:22:22: error: '--to' must be an IPv4 address, not '10.0.0'\n"
     "   22 | run = \"tcp_send --to 10.0.0 --file '${workload.input}'\"\n"
     "      |                      ^~~~~~\n"},
    {"ArgumentOutOfItsRange", "--to 10.0.0.2 --file", "--count 0 --to 10.0.0.2 --file",
     "s.toml:22:25: error: '--count' cannot be 0\n"
     "   22 | run = \"tcp_send --count 0 --to 10.0.0.2 --file '${workload.input}'\"\n"
     "      |                         ^\n"
     "      = it takes 1..100\n"
     "      = help: the nearest is 1\n"},
    {"ArgumentOutOfItsRangeInAVariable", "--to 10.0.0.2 --file",
     "--to 10.0.0.2 --count ${workload.bytes} --file",
     "s.toml:8:9: error: '--count' cannot be 1000\n"
     "    8 | bytes = 1000\n"
     "      |         ^~~~\n"
     "      = it takes 1..100\n"
     "      = help: the nearest is 100\n"},
    {"ArgumentOnALaterLine", "run = \"tcp_send --to 10.0.0.2 --file '${workload.input}'\"",
     "run = \"\"\"tcp_send --to 10.0.0.2 \\\n  --file '${workload.input}' --count many\"\"\"",
     "s.toml:23:38: error: '--count' must be a whole number, not 'many'\n"
     "   23 |   --file '${workload.input}' --count many\"\"\"\n"
     "      |                                      ^~~~\n"
     "      = it takes 1..100\n"},
    {"ArgumentOfAnArray", "\"tcp_receive\", \"--file\"", "\"tcp_receive\", \"--flie\"",
     "s.toml:39:23: error: tcp_receive has no argument '--flie'\n"
     "   39 | run = [\"tcp_receive\", \"--flie\", \"${workload.output}\"]\n"
     "      |                       ^~~~~~~~\n"
     "      = help: did you mean '--file'?\n"},
    {"TwoInterfacesOnANic", "[[host.route]]",
     "[[host.interface]]\naddress = \"10.9.0.1/8\"\n[[host.route]]",
     "s.toml:34:1: error: NIC 0 of host 'b' has another interface\n"
     "   34 | [[host.interface]]\n"
     "      | ^~~~~~~~~~~~~~~~~~\n"},
    {"UnknownProgram", "\"tcp_send ", "\"tcp_snd ",
     "s.toml:22:7: error: the guest image 'default' has no program 'tcp_snd'\n"
     "   22 | run = \"tcp_snd --to 10.0.0.2 --file '${workload.input}'\"\n"
     "      |       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'tcp_send'?\n"},
    {"UnknownImage", "name = \"b\"", "name = \"b\"\nimage = \"mine\"",
     "s.toml:27:9: error: there is no guest image 'mine'\n"
     "   27 | image = \"mine\"\n"
     "      |         ^~~~~~\n"
     "      = no such file\n"},
    {"UnknownEnd", "\"b.nic0\"]", "\"b.nic3\"]",
     "s.toml:43:19: error: there is no NIC 'b.nic3'\n"
     "   43 | ends = [\"a.nic0\", \"b.nic3\"]\n"
     "      |                   ^~~~~~~~\n"
     "      = help: did you mean 'b.nic0'?\n"},
    {"OneEndTwice", "\"b.nic0\"]", "\"a.nic0\"]",
     "s.toml:43:19: error: 'a.nic0' is already an end of 'wire0'\n"
     "   43 | ends = [\"a.nic0\", \"a.nic0\"]\n"
     "      |                   ^~~~~~~~\n"
     "      = a NIC has one port\n"},
    {"OneAddressTwice", "\"10.0.0.2/24\"", "\"10.0.0.1/24\"",
     "s.toml:43:19: error: 'a.nic0' and 'b.nic0' have the same address 10.0.0.1\n"
     "   43 | ends = [\"a.nic0\", \"b.nic0\"]\n"
     "      |                   ^~~~~~~~\n"
     "      = the two ends of a link are two stations\n"},
    {"UnknownLink", "link = \"wire0\"", "link = \"wire1\"",
     "s.toml:57:8: error: there is no link 'wire1'\n"
     "   57 | link = \"wire1\"\n"
     "      |        ^~~~~~~\n"
     "      = help: did you mean 'wire0'?\n"},
    {"BadAddress", "10.0.0.2/24", "10.0.0.256/24",
     "s.toml:32:11: error: \"10.0.0.256/24\" is no address of an interface\n"
     "   32 | address = \"10.0.0.256/24\"\n"
     "      |           ^~~~~~~~~~~~~~~\n"
     "      = that is no IPv4 address\n"
     "      = help: for instance \"10.0.0.1/24\"\n"},
    {"NetworkWithHostBits", "0.0.0.0/0", "10.1.0.1/16",
     "s.toml:35:6: error: \"10.1.0.1/16\" is no network\n"
     "   35 | to = \"10.1.0.1/16\"\n"
     "      |      ^~~~~~~~~~~~~\n"
     "      = the address has bits beyond its prefix\n"
     "      = help: for instance \"10.1.0.0/16\"\n"},
    {"UnknownVariable", "'${workload.input}'", "'${workload.inptu}'",
     "s.toml:22:7: error: there is no variable 'workload.inptu'\n"
     "   22 | run = \"tcp_send --to 10.0.0.2 --file '${workload.inptu}'\"\n"
     "      |       ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'workload.input'?\n"},
    {"UnusedVariable", "bytes = 1000", "bytes = 1000\ncount = 3",
     "s.toml:9:1: error: nothing uses the variable 'workload.count'\n"
     "    9 | count = 3\n"
     "      | ^~~~~\n"
     "      = a variable stands as ${workload.count} in an application's arguments, in [[verify]] "
     "or in [[expect]]\n"
     "      = help: one of: out, workload.bytes, workload.input, workload.output\n"},
    {"VariableInACircle", "bytes = 1000", "bytes = \"${workload.bytes}\"",
     "s.toml:8:1: error: the variable 'workload.bytes' stands for itself\n"
     "    8 | bytes = \"${workload.bytes}\"\n"
     "      | ^~~~~\n"
     "s.toml:68:9: error: \"\" is no number\n"
     "   68 | value = \"${workload.bytes}\"\n"
     "      |         ^~~~~~~~~~~~~~~~~~~\n"},
    {"MissingKey", "name = \"b\"\n", "\n",
     "s.toml:25:1: error: [[host]] needs 'name'\n"
     "   25 | [[host]]\n"
     "      | ^~~~~~~~\n"
     "      = Letters, digits, '_' and '-'.\n"
     "s.toml:43:19: error: there is no NIC 'b.nic0'\n"
     "   43 | ends = [\"a.nic0\", \"b.nic0\"]\n"
     "      |                   ^~~~~~~~\n"
     "      = help: did you mean 'a.nic0'?\n"
     "s.toml:72:9: error: no run of this scenario has a metric 'host.b.nic0.tx.frames'\n"
     "   72 | other = \"host.b.nic0.tx.frames\"\n"
     "      |         ^~~~~~~~~~~~~~~~~~~~~~~\n"
     "      = help: did you mean 'host.a.nic0.tx.frames'?\n"},
    {"MissingInput", "generate:${workload.bytes}", "/missing/${workload.bytes}",
     "s.toml:51:9: error: '/missing/1000' cannot be read\n"
     "   51 | input = \"${workload.input}\"\n"
     "      |         ^~~~~~~~~~~~~~~~~~~\n"
     "      = No such file or directory\n"},
    {"OutputWhereNothingCanBeWritten", "${out}/received", "/missing/file",
     "s.toml:52:10: error: '/missing/file' cannot be written\n"
     "   52 | output = \"${workload.output}\"\n"
     "      |          ^~~~~~~~~~~~~~~~~~~~\n"
     "      = No such file or directory\n"},
    {"OutputThatIsTheInput", "output = \"${out}/received\"", "output = \"${workload.input}\"",
     "s.toml:52:10: error: 'generate:1000' is the input 'generate:1000'\n"
     "   52 | output = \"${workload.output}\"\n"
     "      |          ^~~~~~~~~~~~~~~~~~~~\n"
     "      = the run would overwrite it before it is read\n"},
    {"OutputThatIsEvidence", "output = \"${out}/received\"", "output = \"${out}/wire.pcapng\"",
     "s.toml:9:10: error: 'out/x/wire.pcapng' is the run's own evidence\n"
     "    9 | output = \"${out}/wire.pcapng\"\n"
     "      |          ^~~~~~~~~~~~~~~~~~~~\n"
     "      = the run writes wire.pcapng itself\n"
     "      = help: another name\n"},
    {"NeitherValueNorOther", "value = 1\n", "\n",
     "s.toml:64:10: error: an expectation needs either 'value' or 'other'\n"
     "   64 | metric = \"workload.identical\"\n"
     "      |          ^~~~~~~~~~~~~~~~~~~~\n"},
    {"NotToml", "timeout_ms = 5000", "timeout_ms = ",
     "s.toml:4:14: error: this is not TOML\n"
     "    4 | timeout_ms = \n"
     "      |              ^\n"
     "      = Error while parsing key-value pair: expected value, saw '\\n"
     "'\n"},
    {"KeyTwice", "timeout_ms = 5000", "timeout_ms = 5000\ntimeout_ms = 6",
     "s.toml:5:14: error: this is not TOML\n"
     "    5 | timeout_ms = 6\n"
     "      |              ^\n"
     "      = Error while parsing key-value pair: cannot redefine existing integer 'timeout_ms'\n"},
};

INSTANTIATE_TEST_SUITE_P(Decoder, Mistakes, testing::ValuesIn(kMistakes),
                         [](const auto& test) { return std::string(test.param.name); });

std::string without(std::string text, const std::string& heading) {
    for (std::size_t at = text.find(heading); at != std::string::npos; at = text.find(heading)) {
        std::size_t end = text.find("\n[", at + 1);
        while (end != std::string::npos &&
               text.compare(end + 1, heading.size() - 1, heading, 0, heading.size() - 1) == 0) {
            end = text.find("\n[", end + 1);
        }
        text.erase(at, end == std::string::npos ? end : end + 1 - at);
    }
    return text;
}

TEST(DecoderTest, AScenarioThatExpectsNothingIsNoPass) {
    const std::string nothing = without(without(kGoodScenario, "[[expect]]"), "[[verify]]");
    EXPECT_EQ(
        Decoded(nothing).messages,
        "s.toml:1:1: error: the scenario expects nothing\n"
        "    1 | [scenario]\n"
        "      | ^~~~~~~~~~\n"
        "      = whatever its run did would be a pass\n"
        "      = help: an [[expect]], for instance metric = \"host.*.app.*.errors\" and value = "
        "0, or a [[verify]]\n");
    EXPECT_EQ(Decoded(without(kGoodScenario, "[[expect]]")).messages, "");
}

TEST(DecoderTest, AScenarioThatLinksNothingIsAMistake) {
    const std::string text =
        without(without(without(kGoodScenario, "[[link]]"), "[link.faults]"), "[[timeline]]");
    EXPECT_THAT(Decoded(without(text, "[link.faults.backward]")).messages,
                HasSubstr("s.toml:1:1: error: the scenario links nothing\n"));
}

TEST(DecoderTest, AScenarioWithoutAnApplicationOrATimelineRunsNothing) {
    const std::string idle = without(kGoodScenario, "[[host.app]]");
    const std::string nothing = "error: the scenario runs nothing\n";
    EXPECT_THAT(Decoded(without(idle, "[[timeline]]")).messages, HasSubstr(nothing));
    const std::string served =
        without(replaced("start_us = 10", "background = true"), "[[timeline]]");
    EXPECT_THAT(Decoded(served).messages, HasSubstr(nothing)) << "only servers";
    EXPECT_THAT(Decoded(without(kGoodScenario, "[[timeline]]")).messages,
                testing::Not(HasSubstr(nothing)));
}

TEST(DecoderTest, WithoutAnApplicationTheTimelineIsWithinTheDrain) {
    const std::string idle = replaced("start_us = 10", "background = true");
    const std::string late = "error: the run has ended before\n";
    EXPECT_EQ(
        Decoded(idle).messages,
        "s.toml:55:9: " + late +
            "   55 | at_us = 2000\n"
            "      |         ^~~~\n"
            "      = without a [[host.app]] that it waits for it lasts scenario.drain_us, 1000 "
            "us\n"
            "s.toml:59:9: " +
            late +
            "   59 | at_us = 1000\n"
            "      |         ^~~~\n"
            "      = without a [[host.app]] that it waits for it lasts scenario.drain_us, 1000 "
            "us\n");
    EXPECT_EQ(Decoded(idle, {"scenario.drain_us=2001"}).messages, "");
}

TEST(DecoderTest, SeveralMistakesAreShownAtOnce) {
    std::string text = kGoodScenario;
    text.replace(text.find("timeout_ms"), 10, "timeoutms_");
    text.replace(text.find("drive"), 5, "drove");
    const std::string messages = Decoded(text).messages;
    EXPECT_THAT(messages, HasSubstr("timeoutms_"));
    EXPECT_THAT(messages, HasSubstr("drover.tx_ring"));
}

/// What the guest's own check said, shown at the right one of the places that were written.
struct GuestCase {
    const char* name;
    GuestMistake mistake;
    std::vector<std::string> sets;
    const char* place;  ///< "": the image's own mistake, not the scenario's.
};

void PrintTo(const GuestCase& test, std::ostream* to) {
    *to << test.name;
}

class GuestMistakes : public testing::TestWithParam<GuestCase> {};

TEST_P(GuestMistakes, AreShownWhereTheirCauseWasWritten) {
    const ScenarioFile file(kGoodScenario, "s.toml", GetParam().sets);
    TestKnowledge knowledge;
    knowledge.guest = [](const Host& host) {
        return host.name == "b" ? std::vector<GuestMistake>{GetParam().mistake}
                                : std::vector<GuestMistake>{};
    };
    Diagnostics diagnostics;
    (void)file.decode(0, {"out/x", 3}, knowledge, diagnostics);
    const std::string text = diagnostics.text();
    const std::string wanted = GetParam().place;
    if (wanted.empty()) {
        EXPECT_EQ(text, "");
    } else {
        EXPECT_EQ(text.substr(0, wanted.size()), wanted) << text;
        EXPECT_THAT(text, HasSubstr("cannot be\n"));
        EXPECT_THAT(text, HasSubstr("      = because\n"));
    }
}

GuestMistake guest_mistake(std::optional<std::size_t> app, std::optional<std::size_t> word,
                           std::optional<std::size_t> route,
                           std::vector<std::string> settings = {}) {
    return {"cannot be", "because", app, word, route, std::move(settings)};
}

const GuestCase kGuestCases[] = {
    {"SettingOfTheHost",
     guest_mistake({}, {}, {}, {"nic0.driver.itr", "nic0.driver.tx_ring"}),
     {},
     "s.toml:28:14: error"},
    {"TheSecondSettingWhenOnlyThatWasWritten",
     guest_mistake({}, {}, {}, {"nic0.driver.rx_ring", "nic0.driver.tx_ring"}),
     {},
     "s.toml:15:18: error"},
    {"TheCommandLineBeforeAll",
     guest_mistake({}, {}, {}, {"nic0.driver.itr", "nic0.driver.tx_ring"}),
     {"settings.driver.tx_ring=64"},
     "--set settings.driver.tx_ring=64:25: error"},
    {"TheOneNicsSettingBeforeThatOfAll",
     guest_mistake({}, {}, {}, {"nic0.driver.itr"}),
     {"host.b.settings.nic0.driver.itr=3"},
     "--set host.b.settings.nic0.driver.itr=3:33: error"},
    {"WordOfAnApplication", guest_mistake(0, 1, {}), {}, "s.toml:39:23: error"},
    {"WordOfAnApplicationFromTheCommandLine",
     guest_mistake(0, 2, {}),
     {"workload.output=/tmp/x"},
     "--set workload.output=/tmp/x:17: error"},
    {"AnApplicationAsAWhole", guest_mistake(0, {}, {}), {}, "s.toml:39:8: error"},
    {"ARoute", guest_mistake({}, {}, 0), {}, "s.toml:34:1: error"},
    {"TheHostWhenNothingElseIsSaid", guest_mistake({}, {}, {}), {}, "s.toml:25:1: error"},
    {"NotTheScenarioWhenNobodyWroteIt", guest_mistake({}, {}, {}, {"kernel.rx_buffers"}), {}, ""},
};

INSTANTIATE_TEST_SUITE_P(Decoder, GuestMistakes, testing::ValuesIn(kGuestCases),
                         [](const auto& test) { return std::string(test.param.name); });

struct SetMistake {
    const char* name;
    const char* argument;
    const char* message;
};

void PrintTo(const SetMistake& mistake, std::ostream* to) {
    *to << mistake.argument;
}

class SetMistakes : public testing::TestWithParam<SetMistake> {};

TEST_P(SetMistakes, AreShownWithTheColumnOfTheArgument) {
    EXPECT_EQ(Decoded(kGoodScenario, {GetParam().argument}).messages, GetParam().message);
}

const SetMistake kSetMistakes[] = {
    {"UnknownKey", "scenario.timeot_ms=5",
     "--set scenario.timeot_ms=5:10: error: unknown key 'timeot_ms' in [scenario]\n"
     "      | scenario.timeot_ms=5\n"
     "      |          ^~~~~~~~~\n"
     "      = help: did you mean 'timeout_ms'?\n"},
    {"WrongType", "scenario.timeout_ms=soon",
     "--set scenario.timeout_ms=soon:21: error: 'timeout_ms' must be an integer, this is a "
     "string\n"
     "      | scenario.timeout_ms=soon\n"
     "      |                     ^~~~\n"
     "      = Simulated time after which a run that has not finished has failed.\n"},
    {"UnknownVariable", "workload.inptu=x",
     "--set workload.inptu=x:10: error: nothing uses the variable 'workload.inptu'\n"
     "      | workload.inptu=x\n"
     "      |          ^~~~~\n"
     "      = a variable stands as ${workload.inptu} in an application's arguments, in [[verify]] "
     "or in [[expect]]\n"
     "      = help: did you mean 'workload.input'?\n"},
    {"UnknownHost", "host.c.settings.driver.itr=1",
     "--set host.c.settings.driver.itr=1:6: error: there is no 'c' in the scenario\n"
     "      | host.c.settings.driver.itr=1\n"
     "      |      ^\n"
     "      = help: one of: a, b\n"},
    {"UnknownSetting", "settings.driver.tx_rng=1",
     "--set settings.driver.tx_rng=1:17: error: the guest image 'default' has no setting "
     "'driver.tx_rng'\n"
     "      | settings.driver.tx_rng=1\n"
     "      |                 ^~~~~~\n"
     "      = help: did you mean 'driver.tx_ring'?\n"},
    {"NoEquals", "scenario.timeout_ms",
     "--set scenario.timeout_ms:1: error: --set needs KEY=VALUE\n"
     "      | scenario.timeout_ms\n"
     "      | ^~~~~~~~~~~~~~~~~~~\n"
     "      = help: for instance workload.bytes=1000000\n"},
    {"EmptyPart", "scenario..name=x",
     "--set scenario..name=x:10: error: 'scenario..name' is not a path of keys\n"
     "      | scenario..name=x\n"
     "      |          ^\n"
     "      = it has an empty part\n"},
    {"InsideAValue", "scenario.name.first=x",
     "--set scenario.name.first=x:15: error: there is nothing inside a string to set with "
     "'first'\n"
     "      | scenario.name.first=x\n"
     "      |               ^~~~~\n"},
};

INSTANTIATE_TEST_SUITE_P(Decoder, SetMistakes, testing::ValuesIn(kSetMistakes),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace doorbell::scenario
