#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/tcp_segments.hpp"

namespace doorbell::wire {

/// The host kernel behind a TAP device (`tap:NAME`). Where the kernel can (`IFF_VNET_HDR`), packets
/// that the NIC's driver gave to it whole, to be segmented, go to the kernel whole, unfinished
/// checksums stay unfinished, and the same the other way round.
class TapFarSide final : public FarSideBase {
public:
    /// Makes the device or attaches to it; nullptr and one sentence in `error` when it cannot be.
    [[nodiscard]] static std::unique_ptr<TapFarSide> open(const std::string& name,
                                                          const FarSideContext& context,
                                                          std::string& error);
    ~TapFarSide() override;
    TapFarSide(const TapFarSide&) = delete;
    TapFarSide& operator=(const TapFarSide&) = delete;

    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;
    void flush() override;
    [[nodiscard]] std::string description() const override;
    void visit_metrics(MetricVisitor& visitor) const override;

    /// What the kernel said it can do with packets.
    struct Abilities {
        bool header = false;     ///< Packets bear a description (virtio_net_hdr).
        bool checksums = false;  ///< Unfinished checksums may come in.
        bool segments = false;   ///< Large TCP packets may come in.
    };
    /// For `open`, and for tests that have a socket instead of a device: keeps the descriptor.
    TapFarSide(int descriptor, std::string name, const Abilities& abilities,
               const FarSideContext& context);

protected:
    void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    [[nodiscard]] WireOffloads outward_offloads() const override;

private:
    /// Packets read in one turn of the loop: a bounded piece of work.
    static constexpr unsigned kReadsPerTurn = 16;

    void send_train();
    void send_alone(const Frame& frame);
    void write(const std::vector<iovec>& pieces, std::uint32_t size_bytes);
    void read_packets();
    [[nodiscard]] bool read_packet();
    void take_packet(std::size_t size_bytes);
    void cut();
    void lose_device();

    int descriptor_;
    std::string name_;
    Abilities abilities_;
    SegmentTrain train_;
    SegmentCutter cutter_;
    std::vector<iovec> pieces_;
    std::vector<std::uint8_t> buffer_;
    std::uint64_t large_outward_ = 0;
    std::uint64_t large_inward_ = 0;
    int last_error_ = 0;
    bool gone_ = false;
    bool wrote_ = false;  ///< Since it last read.
};

}  // namespace doorbell::wire
