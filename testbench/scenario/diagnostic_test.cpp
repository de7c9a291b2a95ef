#include "testbench/scenario/diagnostic.hpp"

#include <gtest/gtest.h>

namespace doorbell::scenario {
namespace {

TEST(DiagnosticTest, DistanceCountsInsertionsDeletionsReplacementsAndSwaps) {
    EXPECT_EQ(edit_distance("", ""), 0u);
    EXPECT_EQ(edit_distance("abc", ""), 3u);
    EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
    EXPECT_EQ(edit_distance("itr", "irt"), 1u);
    EXPECT_EQ(edit_distance("abc", "abc"), 0u);
}

TEST(DiagnosticTest, SuggestsTheNearestNameOrTheShortList) {
    EXPECT_EQ(suggestion("tx_rng", {"rx_ring", "tx_ring"}), "did you mean 'tx_ring'?");
    EXPECT_EQ(suggestion("workload.count", {"workload.input", "workload.cont"}),
              "did you mean 'workload.cont'?");
    EXPECT_EQ(suggestion("workload.count", {"workload.input"}), "one of: workload.input");
    EXPECT_EQ(suggestion("frobnicate", {"a", "b"}), "one of: a, b");
    EXPECT_EQ(suggestion("frobnicate", std::vector<std::string>(30, "x")), "");
}

TEST(DiagnosticTest, TheCaretStandsUnderTheCharacterAlsoBehindTabsAndUtf8) {
    const SourceText source{"f.toml", false, {"\tüü = x"}};
    // Byte column: a tab, twice two bytes, " = ".
    const Diagnostic d{{&source, 1, 9, 1}, "wrong", "", ""};
    EXPECT_EQ(to_string(d),
              "f.toml:1:9: error: wrong\n"
              "    1 | \tüü = x\n"
              "      | \t     ^\n");
}

}  // namespace
}  // namespace doorbell::scenario
