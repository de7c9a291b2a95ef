#include "testbench/checks/expectations.hpp"

#include <gtest/gtest.h>

namespace doorbell::checks {
namespace {

using scenario::Expectation;

class ExpectationsTest : public testing::Test {
protected:
    ExpectationsTest() {
        metrics.set("a.frames", std::uint64_t{10});
        metrics.set("b.frames", std::uint64_t{20});
        metrics.set("c.ratio", 0.5);
    }
    bool passes(const Expectation& expectation) {
        return evaluate({expectation}, metrics).at(0).passed;
    }
    report::MetricRegistry metrics;
};

TEST_F(ExpectationsTest, EveryOperatorSaysWhatItMeans) {
    const struct {
        const char* op;
        bool below, equal, above;
    } table[] = {{"==", false, true, false}, {"!=", true, false, true}, {"<", true, false, false},
                 {"<=", true, true, false},  {">", false, false, true}, {">=", false, true, true}};
    for (const auto& row : table) {
        EXPECT_EQ(passes({"a.frames", row.op, {}, std::uint64_t{11}, 1, ""}), row.below) << row.op;
        EXPECT_EQ(passes({"a.frames", row.op, {}, std::uint64_t{10}, 1, ""}), row.equal) << row.op;
        EXPECT_EQ(passes({"a.frames", row.op, {}, std::uint64_t{9}, 1, ""}), row.above) << row.op;
    }
}

TEST_F(ExpectationsTest, ALimitMayBeAnotherMetricTimesAFactor) {
    EXPECT_TRUE(passes({"a.frames", "==", {}, std::string("b.frames"), 0.5, ""}));
    EXPECT_FALSE(passes({"a.frames", "==", {}, std::string("b.frames"), 1, ""}));
    EXPECT_TRUE(passes({"c.ratio", "<", {}, 0.75, 1, ""}));
}

TEST_F(ExpectationsTest, AWordIsItselfAndNoOtherAndNoNumber) {
    metrics.set("bound_by", std::string("wire"));
    EXPECT_TRUE(passes({"bound_by", "==", "wire", {}, 1, ""}));
    EXPECT_FALSE(passes({"bound_by", "==", "pcie", {}, 1, ""}));
    EXPECT_TRUE(passes({"bound_by", "!=", "pcie", {}, 1, ""}));
    EXPECT_FALSE(passes({"bound_by", "==", {}, std::uint64_t{0}, 1, ""}));
    EXPECT_FALSE(passes({"a.frames", "==", "wire", {}, 1, ""}));
    const auto results = evaluate({{"bound_by", "==", "cpu", {}, 1, ""}}, metrics);
    EXPECT_EQ(results[0].text, "bound_by == cpu");
    EXPECT_EQ(report::to_string(results[0].actual.value()), "wire");
}

TEST_F(ExpectationsTest, AStarAddsUpWhatItMatches) {
    EXPECT_TRUE(passes({"*.frames", "==", {}, std::uint64_t{30}, 1, ""}));
    EXPECT_TRUE(passes({"*", "==", {}, 30.5, 1, ""}));
}

TEST_F(ExpectationsTest, WhatIsNotThereHasFailed) {
    for (const char* op : {"==", "!=", "<", "<=", ">", ">="}) {
        EXPECT_FALSE(passes({"x.frames", op, {}, std::uint64_t{0}, 1, ""})) << op;
        EXPECT_FALSE(passes({"a.frames", op, {}, std::string("x.frames"), 1, ""})) << op;
        EXPECT_FALSE(passes({"x.*", op, {}, std::uint64_t{0}, 1, ""})) << op;
    }
    EXPECT_FALSE(evaluate({{"x.frames", "==", {}, std::uint64_t{0}, 1, ""}}, metrics)[0].actual);
}

}  // namespace
}  // namespace doorbell::checks
