#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <memory>
#include <vector>

#include "hw/base/bits.hpp"
#include "testbench/report/test_folder.hpp"
#include "testbench/report/wire_capture.hpp"
#include "testbench/wire/wire_test_support.hpp"

namespace doorbell::report {
namespace {

/// What tshark says of a capture with every check on: lines of the output.
std::vector<std::string> tshark(const std::filesystem::path& capture,
                                const std::string& arguments) {
    const std::string command =
        "tshark -n -r '" + capture.string() +
        "' -o eth.check_fcs:TRUE -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE " +
        arguments + " 2>&1";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
    std::vector<std::string> lines;
    std::array<char, 4096> line{};
    while (std::fgets(line.data(), line.size(), pipe.get()) != nullptr) {
        std::string text = line.data();
        // Said to whoever is root; no word about the capture.
        if (text.find("Running as user") != std::string::npos) continue;
        if (!text.empty() && text.back() == '\n') text.pop_back();
        lines.push_back(text);
    }
    return lines;
}

constexpr const char* kComplaints =
    "-Y '_ws.malformed || eth.fcs.status == Bad || ip.checksum.status == Bad || "
    "udp.checksum.status == Bad'";

std::uint16_t internet_checksum(const std::uint8_t* data, std::size_t size, std::uint32_t sum) {
    for (std::size_t i = 0; i + 1 < size; i += 2) sum += load_be16(data + i);
    if (size % 2 != 0) sum += static_cast<std::uint32_t>(data[size - 1]) << 8;
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

/// A UDP datagram from 10.0.0.1 to 10.0.0.2 in an Ethernet frame (RFC 768, RFC 791).
FramePtr udp_frame(FramePool& pool, std::uint64_t number, std::uint32_t payload_bytes) {
    FramePtr frame = pool.take();
    frame->resize(14 + 20 + 8 + payload_bytes);
    std::uint8_t* p = frame->data();
    std::fill_n(p, frame->size_bytes(), std::uint8_t{0});
    p[0] = p[6] = 2;
    p[5] = 2;
    p[11] = 1;
    store_be16(p + 12, 0x0800);
    std::uint8_t* ip = p + 14;
    ip[0] = 0x45;
    store_be16(ip + 2, static_cast<std::uint16_t>(28 + payload_bytes));
    ip[8] = 64;
    ip[9] = 17;
    store_be32(ip + 12, 0x0a000001);
    store_be32(ip + 16, 0x0a000002);
    store_be16(ip + 10, internet_checksum(ip, 20, 0));
    std::uint8_t* udp = ip + 20;
    store_be16(udp, 40000);
    store_be16(udp + 2, 40001);
    store_be16(udp + 4, static_cast<std::uint16_t>(8 + payload_bytes));
    for (std::uint32_t i = 0; i < payload_bytes; i++) udp[8 + i] = static_cast<std::uint8_t>(i);
    const std::uint32_t pseudo = 0x0a00 + 0x0001 + 0x0a00 + 0x0002 + 17 + 8 + payload_bytes;
    store_be16(udp + 6, internet_checksum(udp, 8 + payload_bytes, pseudo));
    frame->number = number;
    frame->packet = 5000 + number;
    return frame;
}

/// A link with a capture on it, and `frames` datagrams sent over it from end 0.
struct Captured {
    explicit Captured(std::uint32_t corrupt_ppm, std::uint64_t frames = 40) {
        wire::LinkParams params;
        params.faults[0].corrupt_ppm = corrupt_ppm;
        wire::Link link(timeline, pool, {}, params, 1, 0);
        link.attach(0, left);
        link.attach(1, right);
        WireCapture capture(file, timeline, "made by a test");
        link.tap(&capture.add_link({"a.nic0", "b.nic0"}, 1000));
        Picoseconds start = microseconds(3);
        for (std::uint64_t i = 0; i < frames; i++) {
            // Handed over all at once, long before their time.
            FramePtr frame = udp_frame(pool, i, 100 + static_cast<std::uint32_t>(i));
            const Picoseconds stop = start + wire::duration_ps(*frame);
            link.port(0).transmit(std::move(frame), start, stop);
            start = stop + 12 * wire::kByteTime_ps;
        }
        settled = timeline.settle();
        closed = capture.close();
    }
    TestFolder folder;
    std::filesystem::path file = folder / "wire.pcapng";
    ManualTimeline timeline;
    FramePool pool;
    wire::RecordingEndpoint left, right;
    bool settled = false;
    bool closed = false;
};

TEST(CaptureTest, TsharkFindsNothingWrongWithACleanWire) {
    Captured captured(0);
    ASSERT_TRUE(captured.settled && captured.closed);
    EXPECT_EQ(tshark(captured.file, "-Y udp -T fields -e frame.number").size(), 80u);
    EXPECT_EQ(tshark(captured.file, "-Y 'eth.fcs.status == Good' -T fields -e frame.number").size(),
              80u);
    EXPECT_EQ(tshark(captured.file, kComplaints), std::vector<std::string>{});
}

TEST(CaptureTest, TsharkComplainsAboutEveryFrameTheWireCorrupted) {
    Captured captured(1'000'000);
    ASSERT_TRUE(captured.settled && captured.closed);
    // As sent they are whole; as received every one is damaged.
    const auto bad =
        tshark(captured.file, "-Y 'eth.fcs.status == Bad' -T fields -e frame.interface_name");
    ASSERT_EQ(bad.size(), 40u);
    for (const std::string& line : bad) EXPECT_EQ(line, "b.nic0");
}

TEST(CaptureTest, TsharkComplainsAboutACaptureThatWasDamagedOnDisk) {
    Captured captured(0);
    std::string bytes = read_file(captured.file);
    const std::size_t middle = bytes.find("\x10\x11\x12\x13", bytes.size() / 2);
    ASSERT_NE(middle, std::string::npos);
    bytes[middle] = 0x30;
    std::ofstream(captured.file, std::ios::binary) << bytes;
    EXPECT_EQ(tshark(captured.file, kComplaints).size(), 1u);
}

TEST(CaptureTest, EveryFrameHasItsEndDirectionTimeAndIdentity) {
    Captured captured(0, 2);
    const auto lines = tshark(captured.file,
                              "-T fields -E separator=, -e frame.interface_name -e frame.p2p_dir "
                              "-e frame.packet_id -e frame.time_epoch");
    // 146 bytes with FCS take (8 + 146) * 8 ns; the cable takes 10 ns.
    const std::vector<std::string> expected = {
        "a.nic0,0,5000,0.000003000", "b.nic0,1,5000,0.000004242", "a.nic0,0,5001,0.000004328",
        "b.nic0,1,5001,0.000005578"};
    EXPECT_EQ(lines, expected);
}

TEST(CaptureTest, AFrameWithoutAnIdentitySaysNone) {
    TestFolder folder;
    const std::filesystem::path file = folder / "wire.pcapng";
    ManualTimeline timeline;
    FramePool pool;
    WireCapture capture(file, timeline, "");
    wire::WireTap& tap = capture.add_link({"a", "b"}, 1000);
    const FramePtr frame = udp_frame(pool, 1, 100);
    for (const std::uint64_t packet : {std::uint64_t{0}, std::uint64_t{77}}) {
        frame->packet = packet;
        tap.frame_out(0, *frame, packet);
    }
    ASSERT_TRUE(capture.close());
    const auto lines = tshark(file, "-T fields -E separator=, -e frame.number -e frame.packet_id");
    EXPECT_EQ(lines, (std::vector<std::string>{"1,", "2,77"}));
}

TEST(CaptureTest, TheFileIsInTheOrderOfTime) {
    Captured captured(0);
    double last = 0;
    for (const std::string& line : tshark(captured.file, "-T fields -e frame.time_epoch")) {
        EXPECT_GE(std::stod(line), last);
        last = std::stod(line);
    }
    EXPECT_GT(last, 0);
}

TEST(CaptureTest, TheInterfacesSayWhatTheyAre) {
    Captured captured(0, 1);
    const auto lines =
        tshark(captured.file, "-T fields -e frame.interface_name -e frame.interface_description");
    ASSERT_EQ(lines.size(), 2u);
    EXPECT_NE(lines[0].find("a.nic0\tlink end a.nic0, its peer is b.nic0"), std::string::npos);
}

TEST(CaptureTest, AFullDiskIsSaidAndNotFatal) {
    ManualTimeline timeline;
    FramePool pool;
    WireCapture capture("/dev/full", timeline, "");
    wire::WireTap& tap = capture.add_link({"a", "b"}, 1000);
    for (std::uint64_t i = 0; i < 1000; i++) tap.frame_out(0, *udp_frame(pool, i, 1000), i);
    EXPECT_FALSE(capture.close());
    EXPECT_EQ(capture.error(), ENOSPC);
}

}  // namespace
}  // namespace doorbell::report
