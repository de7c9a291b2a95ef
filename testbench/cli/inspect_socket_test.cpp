#include "testbench/cli/inspect_socket.hpp"
#include "hw/base/no_more_descriptors_test.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>

namespace doorbell::cli {
namespace {

void turn(InspectSocket& socket, int limit_ms) {
    std::vector<pollfd> watched;
    int timeout_ms = -1;
    socket.before_wait(watched, timeout_ms);
    if (timeout_ms < 0 || timeout_ms > limit_ms) timeout_ms = limit_ms;
    ::poll(watched.data(), watched.size(), timeout_ms);
    socket.after_wait(watched.data(), watched.size());
}

TEST(InspectSocket, ACallerForWhomNoDescriptorIsLeftWaitsAndDoesNotTakeTheProcessor) {
    const std::string path =
        std::filesystem::temp_directory_path() / ("doorbell_inspect_" + std::to_string(::getpid()));
    std::string why;
    plugin::ListeningSocket listener = plugin::ListeningSocket::open_at(path, why);
    ASSERT_TRUE(listener.open()) << why;
    InspectSocket socket(std::move(listener), [](bool) { return std::string("all is well"); });
    // Once before none can be had (NoMoreDescriptors).
    turn(socket, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    const plugin::Descriptor caller(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(
        ::connect(caller.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::send(caller.number(), "text\n", 5, MSG_NOSIGNAL), 5);

    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    int turns = 0;
    {
        const NoMoreDescriptors none;
        for (; std::chrono::steady_clock::now() < until; turns++) turn(socket, 50);
    }
    EXPECT_LT(turns, 40) << "waits of 50 ms, cut short a few times";

    char answer[64];
    ssize_t size = -1;
    for (int i = 0; i < 1000 && size < 0; i++) {
        turn(socket, 50);
        size = ::recv(caller.number(), answer, sizeof answer, MSG_DONTWAIT);
    }
    ASSERT_GT(size, 0);
    EXPECT_EQ(std::string(answer, static_cast<std::size_t>(size)), "all is well");
}

}  // namespace
}  // namespace doorbell::cli
