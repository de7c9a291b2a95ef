#include "testbench/wire/unix_far_side.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "hw/base/no_more_descriptors_test.hpp"
#include "testbench/wire/far_side_factory.hpp"
#include "testbench/wire/far_side_test_support.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;

LinkAbilities offer(std::uint16_t anar, std::uint16_t ctrl1000) {
    LinkAbilities abilities;
    abilities.present = true;
    abilities.anar = anar;
    abilities.ctrl1000 = ctrl1000;
    abilities.master_seed = 0x2aa;
    return abilities;
}

class Cable : public ::testing::Test {
protected:
    struct End {
        test::KeepingNic nic;
        std::unique_ptr<FarSide> side;
        [[nodiscard]] bool linked() const {
            return !nic.partners.empty() && nic.partners.back().present;
        }
    };

    Cable()
        : path_(std::filesystem::temp_directory_path() /
                ("doorbell_wire_" + std::to_string(::getpid()))) {}
    ~Cable() override { std::filesystem::remove(path_); }

    void open(End& end) {
        MadeFarSide made = make_far_side("unix:" + path_, surroundings_.context);
        ASSERT_NE(made.far_side, nullptr) << made.error;
        end.side = std::move(made.far_side);
        end.side->attach(end.nic);
        end.side->advertise(offer(0x05e1, 0x0300));
    }
    void turn(int times, std::initializer_list<End*> ends) {
        for (int i = 0; i < times; i++) {
            for (End* end : ends) surroundings_.turn(*end->side, 5);
        }
    }
    /// Turns until it is so; false after so long that a busy machine is no excuse.
    template <typename Condition>
    bool turn_until(std::initializer_list<End*> ends, Condition&& holds) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
        while (!holds()) {
            if (std::chrono::steady_clock::now() > deadline) return false;
            turn(1, ends);
        }
        return true;
    }
    void send(End& end, const Bytes& bytes) {
        end.side->transmit(test::make_frame(surroundings_.frames, bytes), 0, 0);
    }
    [[nodiscard]] int said(const std::string& part) const {
        int times = 0;
        for (const std::string& line : surroundings_.said) {
            if (line.find(part) != std::string::npos) times++;
        }
        return times;
    }
    /// A plain client, as QEMU's -netdev stream is one.
    [[nodiscard]] int connect_plainly() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strcpy(address.sun_path, path_.c_str());
        const int client = ::socket(AF_UNIX, SOCK_STREAM, 0);
        EXPECT_EQ(::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        return client;
    }

    const std::string path_;
    test::Surroundings surroundings_;
    End a_;
    End b_;
};

TEST_F(Cable, TheFirstListensTheSecondConnectsAndFramesPassBothWays) {
    open(a_);
    EXPECT_FALSE(a_.linked()) << "nobody is there yet";
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    for (std::uint32_t i = 0; i < 200; i++) {
        send(a_, test::pattern(60 + i * 40, i));
        if (i % 10 == 0) send(b_, test::pattern(60 + i * 3, i));
    }
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return b_.nic.received.size() == 200; }));
    for (std::uint32_t i = 0; i < 200; i++) {
        const Frame& frame = *b_.nic.received[i];
        EXPECT_EQ(Bytes(frame.data(), frame.data() + frame.size_bytes()),
                  test::pattern(60 + i * 40, i));
    }
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.nic.received.size() == 20; }));
}

TEST_F(Cable, EachEndHearsWhatTheOthersPhyOffersAndWhenThatChanges) {
    open(a_);
    open(b_);
    a_.side->advertise(offer(0x0061, 0));
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    EXPECT_EQ(a_.nic.partners.back().ctrl1000, 0x0300);
    EXPECT_EQ(a_.nic.partners.back().master_seed, 0x2aa);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return b_.nic.partners.back().anar == 0x0061; }));
    EXPECT_EQ(b_.nic.partners.back().ctrl1000, 0);
    a_.side->advertise({});  // Its PHY is switched off.
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return !b_.linked(); }));
    EXPECT_TRUE(a_.linked());
    EXPECT_TRUE(b_.nic.received.empty()) << "what they tell each other is no frame";
}

TEST_F(Cable, TheLinkGoesWithTheOtherEndAndComesBackWithTheNext) {
    open(a_);
    for (int life = 1; life <= 3; life++) {
        open(b_);
        ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
        b_.side.reset();
        ASSERT_TRUE(turn_until({&a_}, [&] { return !a_.linked(); }));
        EXPECT_EQ(said("is gone"), life);
    }
    send(a_, test::pattern(60));
    EXPECT_EQ(test::Metrics(*a_.side)["outward.lost_frames"], 1u);
}

TEST_F(Cable, WhenTheListenerGoesTheOtherTakesItsPlace) {
    open(a_);
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    a_.side.reset();
    ASSERT_TRUE(turn_until({&b_}, [&] { return !b_.linked(); }));
    ASSERT_TRUE(turn_until({&b_}, [&] { return std::filesystem::exists(path_); }))
        << "it listens now";
    open(a_);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
}

TEST_F(Cable, ASocketLeftOverFromACrashIsNoHindrance) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path_.c_str());
    const int crashed = ::socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(::bind(crashed, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ::close(crashed);
    open(a_);
    open(b_);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
}

TEST_F(Cable, AThirdEndIsTurnedAwaySaysSoOnceAndGetsTheCableWhenOneLeaves) {
    open(a_);
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    End c;
    open(c);
    turn(60, {&a_, &b_, &c});
    EXPECT_TRUE(a_.linked() && b_.linked());
    EXPECT_FALSE(c.linked());
    EXPECT_EQ(said("hangs up"), 1);
    b_.side.reset();
    EXPECT_TRUE(turn_until({&a_, &c}, [&] { return a_.linked() && c.linked(); }));
}

TEST_F(Cable, AQemuThatSaysNothingIsTakenForAGigabitPartnerAndSpeaksTheSameFraming) {
    open(a_);
    const int qemu = connect_plainly();
    ASSERT_TRUE(turn_until({&a_}, [&] { return a_.linked(); }));
    EXPECT_EQ(a_.nic.partners.back().ctrl1000 & 0x0300, 0x0300);
    // In pieces, as a stream may arrive.
    Bytes stream = {0, 0, 0, 60};
    const Bytes sent = test::pattern(60);
    stream.insert(stream.end(), sent.begin(), sent.end());
    for (const std::uint8_t byte : stream) {
        ASSERT_EQ(::write(qemu, &byte, 1), 1);
        surroundings_.turn(*a_.side);
    }
    ASSERT_EQ(a_.nic.received.size(), 1u);
    EXPECT_EQ(Bytes(a_.nic.received[0]->data(), a_.nic.received[0]->data() + 60), sent);

    send(a_, test::pattern(100, 3));
    a_.side->flush();
    Bytes got(1000);
    const ssize_t size = ::read(qemu, got.data(), got.size());
    ASSERT_GT(size, 104);
    got.resize(static_cast<std::size_t>(size));
    const Bytes tail(got.end() - 104, got.end());
    EXPECT_EQ(load_be32(tail.data()), 100u);
    EXPECT_EQ(Bytes(tail.begin() + 4, tail.end()), test::pattern(100, 3));
    ::close(qemu);
}

TEST_F(Cable, AnEndForWhomNoDescriptorIsLeftWaitsAndDoesNotTakeTheProcessor) {
    open(a_);
    // Once before none can be had (NoMoreDescriptors).
    turn(2, {&a_});
    const int client = connect_plainly();
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    int turns = 0;
    {
        const NoMoreDescriptors none;
        for (; std::chrono::steady_clock::now() < until; turns++) surroundings_.turn(*a_.side, 50);
    }
    EXPECT_LT(turns, 40) << "waits of 50 ms, cut short a few times";
    EXPECT_EQ(said("cannot be taken"), 1);
    EXPECT_TRUE(turn_until({&a_}, [&] { return a_.linked(); }));
    ::close(client);
}

TEST_F(Cable, AStreamThatCannotBeFramesEndsTheConnectionAndTheNextIsServed) {
    open(a_);
    const int noise = connect_plainly();
    const Bytes bytes = test::pattern(5000);
    ASSERT_EQ(::write(noise, bytes.data(), bytes.size()), 5000);
    ASSERT_TRUE(turn_until({&a_}, [&] { return said("did not send frames") == 1; }));
    ::close(noise);
    open(b_);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
}

TEST_F(Cable, APeerThatReadsNothingBoundsWhatIsKeptForIt) {
    open(a_);
    const int deaf = connect_plainly();
    ASSERT_TRUE(turn_until({&a_}, [&] { return a_.linked(); }));
    for (int i = 0; i < 3000; i++) send(a_, test::pattern(9000));
    a_.side->flush();
    EXPECT_GT(test::Metrics(*a_.side)["outward.lost_frames"], 2000u);
    ::close(deaf);
}

TEST_F(Cable, WhatOneEndDidNotReadIsNotForTheNext) {
    open(a_);
    const int deaf = connect_plainly();
    ASSERT_TRUE(turn_until({&a_}, [&] { return a_.linked(); }));
    for (int i = 0; i < 100; i++) send(a_, test::pattern(9000));
    turn(3, {&a_});  // Some of a frame is in the socket, the rest waits.
    ::close(deaf);
    ASSERT_TRUE(turn_until({&a_}, [&] { return !a_.linked(); }));
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    EXPECT_EQ(b_.nic.partners.back().ctrl1000, 0x0300) << "as it was announced, not assumed";
    send(a_, test::pattern(77));
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return !b_.nic.received.empty(); }));
    EXPECT_EQ(b_.nic.received[0]->size_bytes(), 77u);
    EXPECT_EQ(said("did not send frames"), 0) << "the rest of a frame before";
}

TEST_F(Cable, WhatTheNicHasNoRoomForStaysInTheSocket) {
    open(a_);
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    b_.nic.room = 2;
    for (std::uint32_t i = 0; i < 50; i++) send(a_, test::pattern(100, i));
    turn(20, {&a_, &b_});
    EXPECT_EQ(b_.nic.received.size(), 2u);
    // What the NIC does later in a turn makes room; no other turn may come for a long time.
    b_.nic.room = -1;
    b_.side->flush();
    EXPECT_EQ(b_.nic.received.size(), 50u);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return b_.nic.received.size() == 50; }));
    EXPECT_EQ(test::Metrics(*b_.side)["inward.lost_frames"], 0u);
}

TEST_F(Cable, ABurstOfManySmallFramesInOneReadLosesNone) {
    open(a_);
    open(b_);
    ASSERT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    b_.nic.room = 0;
    constexpr std::uint32_t kFrames = 3000;
    for (std::uint32_t i = 0; i < kFrames; i++) send(a_, test::pattern(60, i));
    turn(5, {&a_, &b_});
    EXPECT_TRUE(b_.nic.received.empty());
    b_.nic.room = 1500;
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return b_.nic.received.size() == 1500; }));
    b_.nic.room = -1;
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return b_.nic.received.size() == kFrames; }));
    EXPECT_EQ(test::Metrics(*b_.side)["inward.lost_frames"], 0u);
    for (std::uint32_t i = 0; i < b_.nic.received.size(); i++) {
        const Frame& frame = *b_.nic.received[i];
        ASSERT_EQ(Bytes(frame.data(), frame.data() + frame.size_bytes()), test::pattern(60, i));
    }
}

TEST_F(Cable, AnEndWhoseSocketSomebodyElseReplacedFindsThatOneAndLeavesItsFile) {
    open(a_);
    std::filesystem::remove(path_);
    open(b_);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
    EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(Cable, AnEndWhoseSocketIsRemovedMakesItAgain) {
    open(a_);
    std::filesystem::remove(path_);
    EXPECT_TRUE(turn_until({&a_}, [&] { return std::filesystem::exists(path_); }));
    open(b_);
    EXPECT_TRUE(turn_until({&a_, &b_}, [&] { return a_.linked() && b_.linked(); }));
}

std::string refusal(const std::string& spec) {
    test::Surroundings surroundings;
    MadeFarSide made = make_far_side(spec, surroundings.context);
    EXPECT_EQ(made.far_side, nullptr) << spec;
    return made.error;
}

TEST(CablePaths, APathThatCannotBeIsRefusedWithTheReason) {
    EXPECT_NE(refusal("unix").find("write unix:PATH"), std::string::npos);
    EXPECT_NE(refusal("unix:" + std::string(200, 'x')).find("a socket's may have 107"),
              std::string::npos);
    EXPECT_NE(refusal("unix:/nonexistent/x").find("there is no such folder"), std::string::npos);
    EXPECT_NE(refusal("unix:/tmp/a,b").find("option 'b' at character 13"), std::string::npos);
    const auto file = std::filesystem::temp_directory_path() /
                      ("doorbell_no_socket_" + std::to_string(::getpid()));
    std::ofstream(file) << "text";
    EXPECT_NE(refusal("unix:" + file.string()).find("no socket"), std::string::npos)
        << refusal("unix:" + file.string());
    EXPECT_TRUE(std::filesystem::exists(file)) << "it is not ours to remove";
    std::filesystem::remove(file);
}

}  // namespace
}  // namespace doorbell::wire
