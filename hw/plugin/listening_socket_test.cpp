#include "hw/plugin/listening_socket.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace doorbell::plugin {
namespace {

using ::testing::HasSubstr;

class Socket : public ::testing::Test {
protected:
    Socket() { EXPECT_NE(mkdtemp(folder), nullptr); }
    ~Socket() override {
        unlink(path().c_str());
        rmdir(folder);
    }
    [[nodiscard]] std::string path() const { return std::string(folder) + "/nic"; }
    [[nodiscard]] static bool connects(const std::string& where) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, where.c_str(), where.size());
        const Descriptor client(::socket(AF_UNIX, SOCK_STREAM, 0));
        return connect(client.number(), reinterpret_cast<const sockaddr*>(&address),
                       sizeof address) == 0;
    }
    char folder[32] = "/tmp/doorbell_XXXXXX";
    std::string why;
};

TEST_F(Socket, takes_clients_and_its_file_goes_with_it) {
    {
        const ListeningSocket socket = ListeningSocket::open_at(path(), why);
        ASSERT_TRUE(socket.open()) << why;
        EXPECT_FALSE(socket.accept().open()) << "nobody waits";
        EXPECT_TRUE(connects(path()));
        EXPECT_TRUE(socket.accept().open());
    }
    EXPECT_NE(access(path().c_str(), F_OK), 0);
}

TEST_F(Socket, that_somebody_listens_at_is_in_use) {
    const ListeningSocket first = ListeningSocket::open_at(path(), why);
    ASSERT_TRUE(first.open());
    const ListeningSocket second = ListeningSocket::open_at(path(), why);
    EXPECT_FALSE(second.open());
    EXPECT_THAT(why, HasSubstr("another server listens there"));
    EXPECT_TRUE(connects(path())) << "the first one is not disturbed";
}

TEST_F(Socket, that_has_a_full_queue_is_in_use_as_well) {
    const ListeningSocket first = ListeningSocket::open_at(path(), why);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path().c_str(), path().size());
    std::vector<Descriptor> waiting;
    int error = 0;
    while (error == 0 && waiting.size() < 5000) {
        waiting.emplace_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
        if (connect(waiting.back().number(), reinterpret_cast<const sockaddr*>(&address),
                    sizeof address) != 0) {
            error = errno;
        }
    }
    ASSERT_EQ(error, EAGAIN);
    EXPECT_FALSE(ListeningSocket::open_at(path(), why).open());
    EXPECT_THAT(why, HasSubstr("another server listens there"));
    EXPECT_EQ(access(path().c_str(), F_OK), 0);
}

TEST_F(Socket, that_nobody_listens_at_any_more_is_replaced) {
    {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path().c_str(), path().size());
        const Descriptor dead(::socket(AF_UNIX, SOCK_STREAM, 0));
        ASSERT_EQ(bind(dead.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
                  0);
    }
    const ListeningSocket socket = ListeningSocket::open_at(path(), why);
    EXPECT_TRUE(socket.open()) << why;
    EXPECT_TRUE(connects(path()));
}

TEST_F(Socket, can_be_connected_to_as_soon_as_its_path_is_seen) {
    constexpr int kTimes = 300;
    std::atomic<int> refused{0};
    std::atomic<int> current{0};
    std::thread watcher([&] {
        for (int seen = 0; seen < kTimes; seen++) {
            sockaddr_un address{};
            address.sun_family = AF_UNIX;
            const std::string where = path() + std::to_string(seen);
            std::memcpy(address.sun_path, where.c_str(), where.size());
            const Descriptor client(::socket(AF_UNIX, SOCK_STREAM, 0));
            while (current <= seen) std::this_thread::yield();
            while (connect(client.number(), reinterpret_cast<const sockaddr*>(&address),
                           sizeof address) != 0) {
                if (errno == ENOENT) continue;
                refused++;
                break;
            }
        }
    });
    std::vector<ListeningSocket> all;
    for (int i = 0; i < kTimes; i++) {
        current = i + 1;
        all.push_back(ListeningSocket::open_at(path() + std::to_string(i), why));
        EXPECT_TRUE(all.back().open()) << why;
    }
    watcher.join();
    EXPECT_EQ(refused, 0);
    all.clear();
    EXPECT_EQ(rmdir(folder), 0) << "nothing is left behind";
    EXPECT_EQ(mkdir(folder, 0700), 0);
}

TEST_F(Socket, leaves_the_file_of_somebody_who_took_its_place) {
    {
        ListeningSocket first = ListeningSocket::open_at(path(), why);
        ASSERT_TRUE(first.open());
        unlink(path().c_str());
        const ListeningSocket second = ListeningSocket::open_at(path(), why);
        ASSERT_TRUE(second.open());
        {
            ListeningSocket moved;
            moved = ListeningSocket::open_at(path() + "x", why);
            EXPECT_TRUE(connects(path() + "x"));
        }
        EXPECT_NE(access((path() + "x").c_str(), F_OK), 0);
        first = ListeningSocket();
        EXPECT_TRUE(connects(path()));
    }
    EXPECT_NE(access(path().c_str(), F_OK), 0);
}

TEST_F(Socket, does_not_replace_a_file) {
    std::ofstream(path()) << "precious";
    const ListeningSocket socket = ListeningSocket::open_at(path(), why);
    EXPECT_FALSE(socket.open());
    EXPECT_THAT(why, HasSubstr("is no socket"));
    EXPECT_EQ(access(path().c_str(), F_OK), 0);
}

TEST_F(Socket, may_have_the_longest_path_there_is) {
    std::string longest = path();
    longest.resize(sizeof(sockaddr_un::sun_path) - 1, 'x');
    {
        const ListeningSocket socket = ListeningSocket::open_at(longest, why);
        ASSERT_TRUE(socket.open()) << why;
        EXPECT_TRUE(connects(longest));
        EXPECT_TRUE(socket.accept().open());
    }
    EXPECT_NE(access(longest.c_str(), F_OK), 0);
}

TEST_F(Socket, names_the_limit_of_a_long_path_and_the_missing_folder) {
    EXPECT_FALSE(ListeningSocket::open_at(std::string(folder) + std::string(200, 'x'), why).open());
    EXPECT_THAT(why, HasSubstr("the system takes 107"));
    EXPECT_FALSE(ListeningSocket::open_at(std::string(folder) + "/none/nic", why).open());
    EXPECT_THAT(why, HasSubstr("there is no folder"));
    EXPECT_FALSE(ListeningSocket::open_at("", why).open());
    EXPECT_THAT(why, HasSubstr("--socket"));
}

TEST_F(Socket, says_so_when_it_may_not_be_made) {
    ASSERT_EQ(chmod(folder, 0500), 0);
    const bool root = geteuid() == 0;
    constexpr uid_t kNobody = 65534;
    if (root) {
        ASSERT_EQ(seteuid(kNobody), 0);
    }
    const bool open = ListeningSocket::open_at(path(), why).open();
    if (root) {
        ASSERT_EQ(seteuid(0), 0);
    }
    EXPECT_FALSE(open);
    EXPECT_THAT(why, HasSubstr("no permission"));
    ASSERT_EQ(chmod(folder, 0700), 0);
}

}  // namespace
}  // namespace doorbell::plugin
