#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/pcap_reader.hpp"
#include "testbench/wire/wire_spec.hpp"

namespace doorbell::wire {

/// `pcap:IN,OUT,...`: what is replayed and what is written.
struct PcapOptions {
    std::string in;   ///< "": nothing is replayed.
    std::string out;  ///< "": nothing is written.
    bool at_their_times = true;
    std::optional<std::uint32_t> interface;  ///< Of a pcapng file; none: all of them.
    PcapReader::Direction direction = PcapReader::Direction::kUnknown;  ///< kUnknown: all.
};

/// Returns what is wrong in one sentence; "" when nothing is.
[[nodiscard]] std::string read_pcap_options(const WireSpec& spec, PcapOptions& options);

/// Capture files in place of an outside: frames of one are given to the NIC, from the moment it
/// listens; what the NIC sends is written into another.
class PcapFarSide final : public FarSideBase {
public:
    [[nodiscard]] static std::unique_ptr<PcapFarSide> open(const PcapOptions& options,
                                                           const FarSideContext& context,
                                                           std::string& error);
    ~PcapFarSide() override;

    void attach(EthernetEndpoint& endpoint) override;
    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;
    void flush() override;
    [[nodiscard]] std::string description() const override;
    void visit_metrics(MetricVisitor& visitor) const override;

protected:
    void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    [[nodiscard]] PauseEnds pause_ends() const override { return PauseEnds::kHereAndSeen; }
    [[nodiscard]] bool carries_damage() const override { return true; }
    /// Who writes a file wants it whole; time is that of the simulation.
    [[nodiscard]] WireOffloads outward_offloads() const override { return {}; }

private:
    /// Frames given to the NIC in one turn of the loop when they have no times.
    static constexpr unsigned kFramesPerTurn = 64;

    PcapFarSide(const PcapOptions& options, std::unique_ptr<PcapReader> reader,
                std::unique_ptr<CaptureFile> writer, const FarSideContext& context);
    [[nodiscard]] bool read_ahead();
    [[nodiscard]] bool wanted(const PcapReader::Record& record);
    void replay();
    void give();
    [[nodiscard]] Picoseconds due_ps() const;

    const PcapOptions options_;
    std::unique_ptr<PcapReader> reader_;
    std::unique_ptr<CaptureFile> writer_;
    EthernetEndpoint* nic_ = nullptr;
    bool begun_ = false;
    bool pending_ = false;  ///< `record_` holds the next frame.
    PcapReader::Record record_;
    std::uint64_t first_ns_ = 0;
    Picoseconds begun_ps_ = 0;
    std::uint64_t replayed_ = 0;
    std::uint64_t skipped_ = 0;
    Task next_;
};

}  // namespace doorbell::wire
