// Two hosts with one NIC each and a cable between them, as most tests want them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest_stack/kernel/events.h"
#include "guest_stack/test/test_host.hpp"

namespace guest_test {

constexpr uint64_t kSecond = 1000000000000ull;
constexpr uint64_t kMillisecond = 1000000000ull;
constexpr uint64_t kMicrosecond = 1000000ull;

using Settings = std::vector<std::pair<std::string, std::string>>;

struct Pair {
    World world;
    std::unique_ptr<TestHost> a, b;

    Pair(std::vector<App> a_apps, std::vector<App> b_apps, const Settings& a_settings = {},
         const Settings& b_settings = {}, uint32_t mtu = 1500) {
        a = std::make_unique<TestHost>(
            world, DOORBELL_FAKE_GUEST, 1,
            HostConfig{
                "a", {{0, address("10.0.0.1"), 24, mtu}}, {}, std::move(a_apps), a_settings});
        b = std::make_unique<TestHost>(
            world, DOORBELL_FAKE_GUEST, 1,
            HostConfig{
                "b", {{0, address("10.0.0.2"), 24, mtu}}, {}, std::move(b_apps), b_settings});
        connect(a->nic(0), b->nic(0));
    }

    // Starts both and runs until all applications have ended.
    ::testing::AssertionResult run(uint64_t limit_ps = 60 * kSecond) {
        if (a->start() != 0 || b->start() != 0) {
            return ::testing::AssertionFailure() << "start: " << a->log() << b->log();
        }
        return go_on(limit_ps);
    }

    ::testing::AssertionResult go_on(uint64_t limit_ps = 60 * kSecond) {
        if (!world.run_until([this] { return a->done() && b->done(); }, limit_ps)) {
            return ::testing::AssertionFailure() << "not done; " << world.failure() << "\n"
                                                 << a->log() << b->log();
        }
        return ::testing::AssertionSuccess();
    }

    ::testing::AssertionResult all_good() const {
        for (const TestHost* host : {a.get(), b.get()}) {
            for (uint32_t app = 0; app < host->app_count(); ++app) {
                if (host->status(app) != 0) {
                    return ::testing::AssertionFailure() << host->name() << ": " << host->log();
                }
            }
        }
        return ::testing::AssertionSuccess();
    }
};

inline std::string bytes(size_t size) {
    std::string text(size, '\0');
    for (size_t i = 0; i < size; ++i) {
        text[i] = static_cast<char>(i * 131 + (i >> 9));
    }
    return text;
}

}  // namespace guest_test
