#include "hw/ptp/time_stamper.hpp"

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// How often the erratum shows itself, and how.
constexpr std::uint32_t kWrongHighEvery = 8;
constexpr std::uint32_t kWrongHighBits = 1u << 8;

std::uint32_t low(std::uint64_t value) {
    return static_cast<std::uint32_t>(value);
}
std::uint32_t high(std::uint64_t value) {
    return static_cast<std::uint32_t>(value >> 32);
}
std::uint64_t join(std::uint32_t high_half, std::uint32_t low_half) {
    return std::uint64_t{high_half} << 32 | low_half;
}

}  // namespace

TimeStamper::TimeStamper(const PtpParams& params, Timeline& timeline, regs::RegisterFile& registers)
    : params_(params),
      timeline_(timeline),
      registers_(registers),
      time_(params.u7_clock_ps),
      receive_control_(registers.storage(r::TSYNCRXCTL)),
      stamp_task_([this] { stamp_transmitted(); }) {
    install_hooks();
}

TimeStamper::~TimeStamper() {
    timeline_.cancel(stamp_task_);
}

void TimeStamper::install_hooks() {
    using Write = regs::RegisterFile::Write;
    registers_.on_read(r::SYSTIML, [this](auto, auto) { return read_systiml(); });
    registers_.on_write(r::SYSTIML, [this](const Write& write) {
        time_.set(join(high(system_time()), write.now), timeline_.now_ps());
    });
    registers_.on_write(r::SYSTIMH, [this](const Write& write) {
        time_.set(join(write.now, low(system_time())), timeline_.now_ps());
    });
    registers_.on_write(r::TIMINCA, [this](const Write& write) {
        time_.set_increment(r::TIMINCA_INCPERIOD.get(write.now), r::TIMINCA_INCVALUE.get(write.now),
                            timeline_.now_ps());
    });
    registers_.on_write(r::TIMADJH, [this](const Write& write) {
        time_.adjust(join(write.now, registers_.word(r::TIMADJL)), timeline_.now_ps());
    });
    registers_.on_read(r::TXSTMPH, [this](auto, std::uint32_t stored) {
        registers_.set(r::TSYNCTXCTL_VALID, 0);
        return stored;
    });
    if (params_.u8_rx_release != PtpParams::RxRelease::kAttributesHigh) {
        registers_.on_read(r::RXSTMPH, [this](auto, std::uint32_t stored) {
            registers_.set(r::TSYNCRXCTL_VALID, 0);
            return stored;
        });
    }
    if (params_.u8_rx_release != PtpParams::RxRelease::kStampHigh) {
        registers_.on_read(r::RXSATRH, [this](auto, std::uint32_t stored) {
            registers_.set(r::TSYNCRXCTL_VALID, 0);
            return stored;
        });
    }
    if (params_.erratum_systim == PtpParams::SystimErratum::kUnlatched) {
        registers_.on_read(r::SYSTIMH, [this](auto, auto) { return high(system_time()); });
    }
}

void TimeStamper::reset() {
    timeline_.cancel(stamp_task_);
    to_stamp_.clear();
    time_.reset();
    last_heard_ps_ = 0;
    systim_reads_ = 0;
}

// The halves belong together: the read of the low one latches the high one.
std::uint32_t TimeStamper::read_systiml() {
    const std::uint64_t now = system_time();
    std::uint32_t latched = high(now);
    if (params_.erratum_systim == PtpParams::SystimErratum::kWrongHigh &&
        ++systim_reads_ % kWrongHighEvery == 0) {
        latched ^= kWrongHighBits;
    }
    registers_.poke(r::SYSTIML, low(now));
    registers_.poke(r::SYSTIMH, latched);
    return low(now);
}

// --- frames -------------------------------------------------------------------------------------

bool TimeStamper::frame_started(Direction direction, const Frame& frame, Picoseconds delimiter_ps) {
    if (direction == Direction::kRx) {
        last_heard_ps_ = delimiter_ps;
        return r::TSYNCRXCTL_ENABLED.get(receive_control_) != 0 && wanted(frame);
    }
    if (!frame.time_stamp || registers_.get(r::TSYNCTXCTL_ENABLED) == 0) return false;
    // Frames are handed over ahead of time, in their order: the stamp is there when the delimiter
    // is.
    to_stamp_.push_back(delimiter_ps);
    if (!stamp_task_.scheduled()) timeline_.schedule(stamp_task_, delimiter_ps);
    return true;
}

void TimeStamper::stamp_transmitted() {
    const Picoseconds delimiter_ps = to_stamp_.front();
    to_stamp_.erase(to_stamp_.begin());
    if (!to_stamp_.empty()) timeline_.schedule(stamp_task_, to_stamp_.front());
    if (registers_.get(r::TSYNCTXCTL_VALID) != 0) {
        missed_[0]++;
        return;
    }
    const std::uint64_t stamp = time_.at(delimiter_ps);
    registers_.poke(r::TXSTMPL, low(stamp));
    registers_.poke(r::TXSTMPH, high(stamp));
    registers_.set(r::TSYNCTXCTL_VALID, 1);
    stamped_[0]++;
}

PtpPlaces TimeStamper::places() const {
    const std::uint32_t port = registers_.get(r::RXUDP_PORT);
    const std::uint32_t swapped = (port & 0xFF) << 8 | port >> 8;
    const bool network = params_.u9_rxudp == PtpParams::PortOrder::kNetwork;
    return {static_cast<std::uint16_t>(registers_.get(r::RXMTRL_ETYPE)),
            static_cast<std::uint16_t>(network ? swapped : port),
            static_cast<std::uint16_t>(registers_.get(r::VET_VET))};
}

bool TimeStamper::wanted(const Frame& frame) const {
    const std::uint32_t type = r::TSYNCRXCTL_TYPE.get(receive_control_);
    if (type == r::TSYNCRXCTL_TYPE_ALL) return true;
    const PtpMessage message = find_ptp_message(frame.data(), frame.size_bytes(), places());
    if (message.header == nullptr) return false;
    const bool v2 = message.v2_message_type() == registers_.get(r::RXMTRL_V2_MSGT);
    switch (type) {
        case r::TSYNCRXCTL_TYPE_L2_V2:
            return message.layer2 && v2;
        case r::TSYNCRXCTL_TYPE_L4_V1:
            return !message.layer2 && message.v1_control() == registers_.get(r::RXMTRL_V1_CTRL);
        case r::TSYNCRXCTL_TYPE_L2_L4_V2:
            return v2;
        case r::TSYNCRXCTL_TYPE_EVENT_V2:
            return message.v2_event();
        default:
            return false;  // Reserved codes stamp nothing.
    }
}

bool TimeStamper::stamp_received(const Frame& frame) {
    if (registers_.get(r::TSYNCRXCTL_VALID) != 0) {
        missed_[1]++;
        return false;
    }
    const std::uint64_t stamp = time_.at(last_heard_ps_);
    registers_.poke(r::RXSTMPL, low(stamp));
    registers_.poke(r::RXSTMPH, high(stamp));
    const PtpMessage message = find_ptp_message(frame.data(), frame.size_bytes(), places());
    const std::uint64_t source = message.header != nullptr ? message.source() : 0;
    const std::uint32_t sequence = message.header != nullptr ? message.sequence() : 0;
    registers_.poke(r::RXSATRL, low(source));
    registers_.poke(r::RXSATRH,
                    r::RXSATRH_SEQID.put(r::RXSATRH_SRCID_HI.put(0, high(source)), sequence));
    registers_.set(r::TSYNCRXCTL_VALID, 1);
    stamped_[1]++;
    return true;
}

void TimeStamper::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("ptp.tx_stamps", stamped_[0]);
    visitor.metric("ptp.rx_stamps", stamped_[1]);
    visitor.metric("ptp.tx_stamps_missed", missed_[0]);
    visitor.metric("ptp.rx_stamps_missed", missed_[1]);
}

}  // namespace doorbell
