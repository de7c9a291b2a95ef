// Whole images, two at a time, over a fake NIC and a perfect link: what the guest promises without
// the 82574L and without SystemC.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest_stack/kernel/events.h"
#include "guest_stack/test/test_host.hpp"

namespace guest_test {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kSecond = 1000000000000ull;
constexpr uint64_t kMillisecond = 1000000000ull;

struct Pair {
    World world;
    std::unique_ptr<TestHost> a, b;

    Pair(std::vector<App> a_apps, std::vector<App> b_apps,
         std::vector<std::pair<std::string, std::string>> settings = {}) {
        HostConfig config;
        config.settings = std::move(settings);
        config.name = "a";
        config.interfaces = {{0, address("10.0.0.1"), 24, 1500}};
        config.apps = std::move(a_apps);
        a = std::make_unique<TestHost>(world, DOORBELL_FAKE_GUEST, 1, config);
        config.name = "b";
        config.interfaces = {{0, address("10.0.0.2"), 24, 1500}};
        config.apps = std::move(b_apps);
        b = std::make_unique<TestHost>(world, DOORBELL_FAKE_GUEST, 1, config);
        connect(a->nic(0), b->nic(0));
    }

    // Starts both and runs until all applications have ended.
    ::testing::AssertionResult run(uint64_t limit_ps = 60 * kSecond) {
        if (a->start() != 0 || b->start() != 0) {
            return ::testing::AssertionFailure() << "start: " << a->log() << b->log();
        }
        if (!world.run_until([this] { return a->done() && b->done(); }, limit_ps)) {
            return ::testing::AssertionFailure()
                   << "not done; " << world.failure() << a->log() << b->log();
        }
        return ::testing::AssertionSuccess();
    }
};

std::string bytes(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(i * 131 + (i >> 9));
    }
    return text;
}

class FileOverTcp : public ::testing::TestWithParam<size_t> {};

TEST_P(FileOverTcp, ArrivesWholeWithoutRetransmission) {
    Pair pair({{{"tcp_send", "--to", "10.0.0.2", "--port", "5001", "--file", "in"}}},
              {{{"tcp_receive", "--port", "5001", "--file", "out"}}});
    pair.a->files["in"] = bytes(GetParam());
    ASSERT_TRUE(pair.run());
    EXPECT_EQ(pair.a->status(0), 0) << pair.a->log();
    EXPECT_EQ(pair.b->status(0), 0) << pair.b->log();
    EXPECT_EQ(pair.b->files["out"], pair.a->files["in"]);
    EXPECT_EQ(pair.a->metrics()["tcp.retransmissions"], 0u);
    EXPECT_EQ(pair.a->metrics()["app.0.bytes"], GetParam());
    EXPECT_EQ(pair.b->metrics()["app.0.bytes"], GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sizes, FileOverTcp, ::testing::Values(0, 1, 1460, 1461, 65536, 3000000));

}  // namespace
}  // namespace guest_test
