#include "testbench/scenario/config_reader.hpp"

#include <gtest/gtest.h>

namespace doorbell::scenario {
namespace {

TEST(ConfigReaderTest, KeepsTheOrderOfWritingAndThePlaces) {
    Sources sources;
    Diagnostics diagnostics;
    const auto root =
        read_toml_text("z = 1\na = \"t\"\n[m]\nk = [1, 2.5, true]\n", "f", sources, diagnostics);
    ASSERT_NE(root, nullptr);
    const auto& table = *root->as<ConfigNode::Table>();
    ASSERT_EQ(table.size(), 3u);
    EXPECT_EQ(table[0].key, "z");
    EXPECT_EQ(table[1].key, "a");
    EXPECT_EQ(table[1].key_at.line, 2u);
    EXPECT_EQ(table[1].value->at.column, 5u);
    EXPECT_EQ(to_toml(*root), "z = 1\na = \"t\"\n\n[m]\nk = [1, 2.5, true]\n");
}

TEST(ConfigReaderTest, WritesWhatItReadsBackTheSame) {
    const std::string text =
        "s = \"quote \\\" slash \\\\ tab \\u0009\"\nr = 2.0\nb = false\n\"odd key\" = -3\n"
        "\n[t]\n\n[t.inner]\nx = 1\n\n[[list]]\na = 1\n\n[[list]]\n\n[[list.deep]]\nb = 2\n";
    Sources sources;
    Diagnostics diagnostics;
    const auto root = read_toml_text(text, "f", sources, diagnostics);
    ASSERT_NE(root, nullptr) << diagnostics.text();
    EXPECT_EQ(to_toml(*root), text);
}

TEST(ConfigReaderTest, ASetMakesTheTablesOnItsWay) {
    Sources sources;
    Diagnostics diagnostics;
    const auto root = read_toml_text("", "f", sources, diagnostics);
    apply_set(*root, "nic.phy.delay=[1, 2]", sources, diagnostics);
    apply_set(*root, "workload.path=a b.txt", sources, diagnostics);
    apply_set(*root, "workload.day=2024-01-02", sources, diagnostics);
    EXPECT_TRUE(diagnostics.empty());
    EXPECT_EQ(to_toml(*root),
              "\n[nic]\n\n[nic.phy]\ndelay = [1, 2]\n\n[workload]\npath = \"a b.txt\"\n"
              "day = \"2024-01-02\"\n");
}

}  // namespace
}  // namespace doorbell::scenario
