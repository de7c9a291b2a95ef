#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hw/base/frame_time_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/ptp/ptp_message.hpp"
#include "hw/ptp/ptp_params.hpp"
#include "hw/ptp/system_time.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// IEEE 1588 in the NIC: SYSTIM and its registers, and the stamps of sent and received frames
/// (specification 2.11, 6.5, 7.7). Hears the time of each frame's start delimiter, which is the
/// time that a stamp says.
class TimeStamper final : public FrameTimePort {
public:
    TimeStamper(const PtpParams& params, Timeline& timeline, regs::RegisterFile& registers);
    ~TimeStamper() override;
    TimeStamper(const TimeStamper&) = delete;
    TimeStamper& operator=(const TimeStamper&) = delete;

    /// The registers have their reset values.
    void reset();

    bool frame_started(Direction direction, const Frame& frame, Picoseconds delimiter_ps) override;
    [[nodiscard]] bool stamp_received(const Frame& frame) override;

    /// When the delimiter of the frame that was heard last ended; 0 when none was.
    [[nodiscard]] Picoseconds last_heard_ps() const { return last_heard_ps_; }
    /// SYSTIM now.
    [[nodiscard]] std::uint64_t system_time() const { return time_.at(timeline_.now_ps()); }
    void visit_metrics(MetricVisitor& visitor) const;

private:
    void install_hooks();
    std::uint32_t read_systiml();
    void stamp_transmitted();
    [[nodiscard]] PtpPlaces places() const;
    [[nodiscard]] bool wanted(const Frame& frame) const;

    const PtpParams params_;
    Timeline& timeline_;
    regs::RegisterFile& registers_;
    SystemTime time_;
    const std::uint32_t& receive_control_;
    Picoseconds last_heard_ps_ = 0;
    /// Delimiters of frames to be stamped that have been handed over but not yet begun.
    std::vector<Picoseconds> to_stamp_;
    Task stamp_task_;
    std::uint32_t systim_reads_ = 0;
    std::array<std::uint64_t, 2> stamped_{};
    std::array<std::uint64_t, 2> missed_{};  ///< The one before had not been read.
};

}  // namespace doorbell
