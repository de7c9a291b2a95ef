#include "testbench/wire/pcap_far_side.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "hw/base/crc32.hpp"
#include "testbench/report/pcapng_writer.hpp"
#include "testbench/wire/far_side_factory.hpp"
#include "testbench/wire/far_side_test_support.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;
using test::TcpPacket;

/// A folder that goes with the test.
class Folder {
public:
    Folder()
        : path_(std::filesystem::temp_directory_path() /
                ("doorbell_pcap_" + std::to_string(::getpid()))) {
        std::filesystem::create_directories(path_);
    }
    ~Folder() { std::filesystem::remove_all(path_); }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }
    std::string write(const std::string& name, const Bytes& bytes) const {
        std::ofstream(file(name), std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()),
                   static_cast<std::streamsize>(bytes.size()));
        return file(name);
    }

private:
    std::filesystem::path path_;
};

/// Builds files in either byte order.
struct Builder {
    bool big = false;
    Bytes bytes;

    void put16(std::uint16_t v) {
        const auto high = static_cast<std::uint8_t>(v >> 8);
        const auto low = static_cast<std::uint8_t>(v);
        bytes.push_back(big ? high : low);
        bytes.push_back(big ? low : high);
    }
    void put32(std::uint32_t v) {
        const auto high = static_cast<std::uint16_t>(v >> 16);
        const auto low = static_cast<std::uint16_t>(v);
        put16(big ? high : low);
        put16(big ? low : high);
    }
    void put(const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
    void pad() { bytes.resize((bytes.size() + 3) / 4 * 4); }

    void pcap_header(std::uint32_t magic, std::uint32_t network = 1) {
        put32(magic);
        put16(2);
        put16(4);
        put32(0);
        put32(0);
        put32(65535);
        put32(network);
    }
    void pcap_record(std::uint32_t seconds, std::uint32_t fraction, const Bytes& data) {
        put32(seconds);
        put32(fraction);
        put32(static_cast<std::uint32_t>(data.size()));
        put32(static_cast<std::uint32_t>(data.size()));
        put(data);
    }
    void block(std::uint32_t type, const Builder& body) {
        const auto length = static_cast<std::uint32_t>(12 + (body.bytes.size() + 3) / 4 * 4);
        put32(type);
        put32(length);
        put(body.bytes);
        pad();
        put32(length);
    }
    [[nodiscard]] Builder sub() const { return {big, {}}; }
    void section() {
        Builder body = sub();
        body.put32(0x1a2b3c4d);
        body.put16(1);
        body.put16(0);
        body.put32(0xffffffff);
        body.put32(0xffffffff);
        block(0x0a0d0d0a, body);
    }
    void interface(std::uint8_t resolution, std::uint16_t link_type = 1) {
        Builder body = sub();
        body.put16(link_type);
        body.put16(0);
        body.put32(0);
        body.put16(9);
        body.put16(1);
        body.bytes.push_back(resolution);
        body.pad();
        body.put32(0);
        block(1, body);
    }
    void enhanced(std::uint32_t interface, std::uint64_t ticks, const Bytes& data,
                  std::uint32_t flags = 0) {
        Builder body = sub();
        body.put32(interface);
        body.put32(static_cast<std::uint32_t>(ticks >> 32));
        body.put32(static_cast<std::uint32_t>(ticks));
        body.put32(static_cast<std::uint32_t>(data.size()));
        body.put32(static_cast<std::uint32_t>(data.size()));
        body.put(data);
        body.pad();
        body.put16(2);
        body.put16(4);
        body.put32(flags);
        block(6, body);
    }
};

std::vector<PcapReader::Record> read_all(const std::string& path, std::string* problem = nullptr) {
    std::string error;
    const auto reader = PcapReader::open(path, error);
    std::vector<PcapReader::Record> records;
    if (!reader) {
        if (problem != nullptr) *problem = error;
        return records;
    }
    PcapReader::Record record;
    while (reader->next(record)) records.push_back(record);
    if (problem != nullptr) *problem = reader->problem();
    return records;
}

TEST(PcapReader, ReadsPcapOfBothByteOrdersAndBothUnitsOfTime) {
    const Folder folder;
    for (const bool big : {false, true}) {
        for (const bool nano : {false, true}) {
            Builder file{big, {}};
            file.pcap_header(nano ? 0xa1b23c4d : 0xa1b2c3d4);
            file.pcap_record(7, 250, test::pattern(60));
            file.pcap_record(8, 0, test::pattern(1514));
            const auto records = read_all(folder.write("f.pcap", file.bytes));
            ASSERT_EQ(records.size(), 2u);
            EXPECT_EQ(records[0].time_ns, 7'000'000'000u + (nano ? 250 : 250'000));
            EXPECT_EQ(records[0].bytes, test::pattern(60));
            EXPECT_EQ(records[1].bytes, test::pattern(1514));
        }
    }
}

TEST(PcapReader, ReadsPcapngOfBothByteOrdersWithSectionsInterfacesAndUnknownBlocks) {
    const Folder folder;
    for (const bool big : {false, true}) {
        Builder file{big, {}};
        file.section();
        file.interface(9);
        file.interface(6);
        Builder unknown = file.sub();
        unknown.put(test::pattern(21));
        file.block(0x0bad, unknown);
        file.enhanced(0, 5'000'000'001, test::pattern(61), 1);
        file.enhanced(1, 5'000'002, test::pattern(62), 2);
        file.section();  // The interfaces of another section do not count any more.
        file.interface(0x80 | 10);
        file.enhanced(0, 5 * 1024 + 512, test::pattern(63));
        const auto records = read_all(folder.write("f.pcapng", file.bytes));
        ASSERT_EQ(records.size(), 3u);
        EXPECT_EQ(records[0].time_ns, 5'000'000'001u);
        EXPECT_EQ(records[0].direction, PcapReader::Direction::kInbound);
        EXPECT_EQ(records[1].time_ns, 5'000'002'000u);
        EXPECT_EQ(records[1].interface, 1u);
        EXPECT_EQ(records[1].direction, PcapReader::Direction::kOutbound);
        EXPECT_EQ(records[2].time_ns, 5'500'000'000u);
        EXPECT_EQ(records[2].bytes, test::pattern(63));
    }
}

TEST(PcapReader, OtherFilesAreRefusedWithWhatTheyAre) {
    const Folder folder;
    std::string problem;
    read_all(folder.file("none"), &problem);
    EXPECT_NE(problem.find("cannot read"), std::string::npos) << problem;
    read_all(folder.write("text", {'h', 'e', 'l', 'l', 'o'}), &problem);
    EXPECT_NE(problem.find("neither a pcap nor a pcapng"), std::string::npos) << problem;
    read_all(folder.write("empty", {}), &problem);
    EXPECT_NE(problem.find("neither a pcap nor a pcapng"), std::string::npos) << problem;
    Builder wifi;
    wifi.pcap_header(0xa1b2c3d4, 105);
    read_all(folder.write("wifi", wifi.bytes), &problem);
    EXPECT_NE(problem.find("no Ethernet frames (its link type is 105)"), std::string::npos);
    Builder mixed;
    mixed.section();
    mixed.interface(6, 105);
    mixed.interface(6);
    mixed.enhanced(0, 1, test::pattern(60));
    mixed.enhanced(1, 1, test::pattern(70));
    EXPECT_EQ(read_all(folder.write("mixed", mixed.bytes)).size(), 1u) << "Ethernet only";
}

TEST(PcapReader, EveryTruncationAndEveryWrongByteIsSurvived) {
    const Folder folder;
    Builder classic;
    classic.pcap_header(0xa1b2c3d4);
    classic.pcap_record(1, 2, test::pattern(60));
    classic.pcap_record(2, 2, test::pattern(64));
    Builder next;
    next.section();
    next.interface(9);
    next.enhanced(0, 1, test::pattern(60));
    next.enhanced(0, 2, test::pattern(61), 1);
    for (const Bytes& whole : {classic.bytes, next.bytes}) {
        const std::size_t frames = read_all(folder.write("f", whole)).size();
        ASSERT_EQ(frames, 2u);
        for (std::size_t size = 0; size < whole.size(); size++) {
            std::string problem;
            const auto records = read_all(
                folder.write(
                    "f", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))),
                &problem);
            EXPECT_LT(records.size(), frames);
        }
        for (std::size_t at = 0; at < whole.size(); at++) {
            for (const std::uint8_t value : Bytes{0x00, 0x81}) {
                Bytes wrong = whole;
                wrong[at] = value;
                for (const auto& record : read_all(folder.write("f", wrong))) {
                    ASSERT_LE(record.bytes.size(), whole.size());
                }
            }
        }
    }
}

TEST(PcapReader, ALengthBeyondReasonIsDamageWithItsPlace) {
    const Folder folder;
    Builder file;
    file.pcap_header(0xa1b2c3d4);
    file.pcap_record(1, 0, test::pattern(60));
    store_le32(&file.bytes[24 + 8], 0xfffffff0);
    std::string problem;
    EXPECT_TRUE(read_all(folder.write("f", file.bytes), &problem).empty());
    EXPECT_EQ(problem, "cannot be understood at byte 40: a record says it has 4294967280 bytes");
}

/// A capture file as the command line gives one to the far side.
class WrittenFile final : public CaptureFile {
public:
    explicit WrittenFile(const std::string& path) : writer_(path, "") {
        static_cast<void>(writer_.add_interface("nic", "", 0, Frame::kFcsBytes));
    }
    void frame_out(std::uint32_t, const Frame& frame, Picoseconds start_ps) override {
        Bytes bytes(frame.data(), frame.data() + frame.size_bytes());
        bytes.resize(frame.wire_bytes());
        store_le32(&bytes[frame.size_bytes()], frame.fcs());
        writer_.write(0, start_ps, report::CaptureDirection::kOutbound, 0, bytes.data(),
                      frame.wire_bytes(), Frame::kFcsBytes, !frame.fcs_good());
    }
    void frame_in(std::uint32_t, const Frame&, Picoseconds) override {}
    [[nodiscard]] bool flush() override { return writer_.error() == 0; }

private:
    report::PcapngWriter writer_;
};

// --- as a far side ------------------------------------------------------------------------------

/// A NIC that listens when told, and notes when frames came.
class ListeningNic final : public EthernetEndpoint {
public:
    explicit ListeningNic(const Timeline& timeline) : timeline_(timeline) {}
    void receive(FramePtr frame, Picoseconds, Picoseconds) override {
        times_ps.push_back(timeline_.now_ps());
        frames.push_back(std::move(frame));
        if (room > 0) room--;
    }
    void partner(const LinkAbilities&) override {}
    [[nodiscard]] bool listens() const override { return listening; }
    [[nodiscard]] bool has_room(std::uint32_t) const override { return room != 0; }

    bool listening = false;
    int room = -1;
    std::vector<FramePtr> frames;
    std::vector<Picoseconds> times_ps;

private:
    const Timeline& timeline_;
};

class Replay : public ::testing::Test {
protected:
    Replay() {
        surroundings_.context.open_capture = [](const std::string& path, std::string& error) {
            static_cast<void>(error);
            return std::make_unique<WrittenFile>(path);
        };
    }
    void open(const std::string& spec) {
        MadeFarSide made = make_far_side(spec, surroundings_.context);
        ASSERT_NE(made.far_side, nullptr) << made.error;
        side_ = std::move(made.far_side);
        side_->attach(nic_);
    }
    void run_until(Picoseconds time_ps) {
        surroundings_.turn(*side_);
        while (surroundings_.timeline.next_event_time() <= time_ps) {
            surroundings_.timeline.advance_until(surroundings_.timeline.next_event_time());
            surroundings_.turn(*side_);
        }
        surroundings_.timeline.advance_until(time_ps);
        surroundings_.turn(*side_);
    }

    Folder folder_;
    test::Surroundings surroundings_;
    ListeningNic nic_{surroundings_.timeline};
    std::unique_ptr<FarSide> side_;
};

TEST_F(Replay, FramesThatWereCutOrFitIntoNoFrameAreLeftOutAndCounted) {
    Builder file;
    file.pcap_header(0xa1b2c3d4);
    file.pcap_record(1, 0, test::pattern(60, 1));
    file.pcap_record(1, 1, test::pattern(Frame::kCapacityBytes + 1, 2));
    file.pcap_record(1, 2, test::pattern(96, 3));
    store_le32(&file.bytes[file.bytes.size() - 96 - 4], 1500);  // As long as it was on its wire.
    file.pcap_record(1, 3, {});
    file.pcap_record(1, 4, test::pattern(Frame::kCapacityBytes, 4));
    file.pcap_record(1, 5, test::pattern(61, 5));
    open("pcap:" + folder_.write("in", file.bytes) + ",");
    nic_.listening = true;
    run_until(microseconds(10));
    ASSERT_EQ(nic_.frames.size(), 3u);
    EXPECT_EQ(nic_.frames[1]->size_bytes(), Frame::kCapacityBytes);
    EXPECT_EQ(nic_.frames[2]->size_bytes(), 61u);
    EXPECT_EQ(test::Metrics(*side_)["replayed.left_out_frames"], 3u);
    ASSERT_FALSE(surroundings_.said.empty());
    EXPECT_NE(surroundings_.said.back().find("left out 3"), std::string::npos);
}

TEST_F(Replay, FramesComeAtTheirTimesFromTheMomentTheNicListens) {
    Builder file;
    file.pcap_header(0xa1b2c3d4);
    file.pcap_record(1'700'000'000, 100, test::pattern(60, 1));
    file.pcap_record(1'700'000'000, 350, test::pattern(61, 2));
    file.pcap_record(1'700'000'000, 300, test::pattern(62, 3));  // goes back in time
    file.pcap_record(1'700'000'002, 100, test::pattern(63, 4));
    open("pcap:" + folder_.write("in", file.bytes) + ",");
    run_until(milliseconds(5));
    EXPECT_TRUE(nic_.frames.empty());
    nic_.listening = true;
    run_until(seconds(3));
    ASSERT_EQ(nic_.frames.size(), 4u);
    EXPECT_EQ(nic_.times_ps[0], milliseconds(5));
    EXPECT_EQ(nic_.times_ps[1], milliseconds(5) + microseconds(250));
    EXPECT_EQ(nic_.times_ps[2], milliseconds(5) + microseconds(250)) << "at once";
    EXPECT_EQ(nic_.times_ps[3], milliseconds(5) + seconds(2));
    EXPECT_EQ(Bytes(nic_.frames[3]->data(), nic_.frames[3]->data() + 63), test::pattern(63, 4));
    ASSERT_FALSE(surroundings_.said.empty());
    EXPECT_NE(surroundings_.said.back().find("replayed 4 frames"), std::string::npos);
}

TEST_F(Replay, BackToBackTheNicSetsThePace) {
    Builder file;
    file.pcap_header(0xa1b2c3d4);
    for (std::uint32_t i = 0; i < 500; i++) file.pcap_record(i, 0, test::pattern(60 + i, i));
    open("pcap:" + folder_.write("in", file.bytes) + ",-,times=none");
    nic_.listening = true;
    nic_.room = 7;
    for (int i = 0; i < 20; i++) surroundings_.turn(*side_);
    EXPECT_EQ(nic_.frames.size(), 7u);
    nic_.room = -1;
    for (int i = 0; i < 20; i++) surroundings_.turn(*side_);
    ASSERT_EQ(nic_.frames.size(), 500u);
    for (std::uint32_t i = 0; i < 500; i++) EXPECT_EQ(nic_.frames[i]->size_bytes(), 60 + i);
    EXPECT_EQ(test::Metrics(*side_)["inward.lost_frames"], 0u);
}

TEST_F(Replay, WhatTheNicSendsCanBeReplayedWithItsTimesAndItsDamage) {
    const std::string path = folder_.file("out.pcapng");
    open("pcap:," + path);
    const Bytes good = test::pattern(100, 1);
    const Bytes bad = test::pattern(200, 2);
    side_->transmit(test::make_frame(surroundings_.frames, good), microseconds(10),
                    microseconds(11));
    FramePtr damaged = test::make_frame(surroundings_.frames, bad);
    damaged->pin_fcs(damaged->fcs() ^ 1);
    side_->transmit(std::move(damaged), microseconds(35), microseconds(36));
    surroundings_.timeline.advance_until(microseconds(40));
    surroundings_.turn(*side_);
    side_.reset();

    open("pcap:" + path + ",");
    nic_.listening = true;
    run_until(milliseconds(1));
    ASSERT_EQ(nic_.frames.size(), 2u);
    EXPECT_EQ(nic_.times_ps[1] - nic_.times_ps[0], microseconds(25));
    EXPECT_EQ(Bytes(nic_.frames[0]->data(), nic_.frames[0]->data() + nic_.frames[0]->size_bytes()),
              good);
    EXPECT_TRUE(nic_.frames[0]->fcs_good());
    EXPECT_EQ(nic_.frames[1]->size_bytes(), bad.size());
    EXPECT_FALSE(nic_.frames[1]->fcs_good());
}

TEST_F(Replay, OneInterfaceAndOneDirectionOfAFileCanBeChosen) {
    Builder file;
    file.section();
    file.interface(9);
    file.interface(9);
    file.enhanced(0, 1, test::pattern(60), 1);
    file.enhanced(0, 2, test::pattern(61), 2);
    file.enhanced(1, 3, test::pattern(62), 1);
    file.enhanced(1, 4, test::pattern(63), 2);
    open("pcap:" + folder_.write("in", file.bytes) + "," + folder_.file("o") +
         ",interface=1,direction=in");
    nic_.listening = true;
    run_until(milliseconds(1));
    ASSERT_EQ(nic_.frames.size(), 1u);
    EXPECT_EQ(nic_.frames[0]->size_bytes(), 62u);
}

/// tshark's verdict on what was written.
TEST_F(Replay, TsharkFindsEveryChecksumAndTheFcsRightInWhatIsWritten) {
    if (std::system("tshark --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "there is no tshark";
    const std::string path = folder_.file("out.pcapng");
    open("pcap:," + path);
    EXPECT_FALSE(side_->offloads().checksums);
    EXPECT_FALSE(side_->offloads().trains);
    for (const bool ipv6 : {false, true}) {
        TcpPacket packet;
        packet.ipv6 = ipv6;
        packet.payload = test::pattern(500);
        side_->transmit(test::make_frame(surroundings_.frames, packet.bytes()), 0, 0);
    }
    side_.reset();
    const std::string command =
        "tshark -r " + path +
        " -o eth.check_fcs:TRUE -o ip.check_checksum:TRUE -o tcp.check_checksum:TRUE -T fields"
        " -e eth.fcs.status -e ip.checksum.status -e tcp.checksum.status -e tcp.len 2>/dev/null"
        " >" +
        folder_.file("told");
    ASSERT_EQ(std::system(command.c_str()), 0);
    std::ifstream told(folder_.file("told"));
    const std::string all((std::istreambuf_iterator<char>(told)), {});
    EXPECT_EQ(all, "1\t1\t1\t500\n1\t\t1\t500\n");
}

std::string refusal(const std::string& spec) {
    test::Surroundings surroundings;
    MadeFarSide made = make_far_side(spec, surroundings.context);
    EXPECT_EQ(made.far_side, nullptr) << spec;
    return made.error;
}

TEST(PcapOptions, EachMistakeSaysWhatWouldBeRight) {
    const std::pair<const char*, const char*> rows[] = {
        {"pcap", "it needs two files: write pcap:IN,OUT"},
        {"pcap:in.pcap", "it needs two files"},
        {"pcap:,", "there is no file"},
        {"pcap:a,a", "both files are the same"},
        {"pcap:a,b,speed=1",
         "option 'speed' at character 10: there is none of that name; accepted"},
        {"pcap:a,b,times=fast", "neither file nor none"},
        {"pcap:a,b,interface=eth0", "is no number of an interface"},
        {"pcap:a,b,direction=up", "neither in, out nor both"},
        {"pcap:/nonexistent/file,", "cannot read /nonexistent/file"},
        {"pcap:/dev/zero,-", "is no regular file"},
        {"pcap:/,-", "is no regular file"},
    };
    for (const auto& [spec, expected] : rows) {
        EXPECT_NE(refusal(spec).find(expected), std::string::npos) << spec << ": " << refusal(spec);
    }
}

}  // namespace
}  // namespace doorbell::wire
