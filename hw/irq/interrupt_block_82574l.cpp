#include "hw/irq/interrupt_block_82574l.hpp"

#include <algorithm>

#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// Number of the only MSI vector in the event stream.
constexpr std::uint32_t kMsiVector = 255;
/// Bit of `moderation_reported_` for ITR; 0..4 are the MSI-X vectors.
constexpr std::uint32_t kItrVector = MsixTable::kVectors;

/// The causes that have vectors, in the order of their IVAR fields.
struct VectorCause {
    std::uint32_t cause;
    const regs::Field& vector;
    const regs::Field& valid;
};
constexpr VectorCause kVectorCauses[] = {
    {r::ICR_RXQ0.mask(), r::IVAR_RXQ0_VEC, r::IVAR_RXQ0_VALID},
    {r::ICR_RXQ1.mask(), r::IVAR_RXQ1_VEC, r::IVAR_RXQ1_VALID},
    {r::ICR_TXQ0.mask(), r::IVAR_TXQ0_VEC, r::IVAR_TXQ0_VALID},
    {r::ICR_TXQ1.mask(), r::IVAR_TXQ1_VEC, r::IVAR_TXQ1_VALID},
    {r::ICR_OTHER.mask(), r::IVAR_OTHER_VEC, r::IVAR_OTHER_VALID},
};
constexpr std::uint32_t kVectorCauseMask = r::ICR_RXQ0.mask() | r::ICR_RXQ1.mask() |
                                           r::ICR_TXQ0.mask() | r::ICR_TXQ1.mask() |
                                           r::ICR_OTHER.mask();

}  // namespace

InterruptBlock82574l::InterruptBlock82574l(const InterruptParams& params, Timeline& timeline,
                                           regs::RegisterFile& registers, DmaPort& dma,
                                           StatsPort& stats, const DeviceState& state,
                                           const InterruptConfiguration& configuration,
                                           EventPort events)
    : timeline_(timeline),
      registers_(registers),
      dma_(dma),
      stats_(stats),
      state_(state),
      configuration_(configuration),
      events_(events),
      legacy_causes_in_msix_(params.u17_legacy_causes_in_msix),
      host_keeps_msix_table_(params.host_keeps_msix_table),
      rules_(params),
      rx_timers_(timeline, [this](DelayTimers::Expiry expiry) { rx_expired(expiry); }),
      tx_timers_(timeline, [this](DelayTimers::Expiry expiry) { tx_expired(expiry); }),
      ack_timer_(timeline, [this](DelayTimers::Expiry) { set_causes(r::ICR_ACK.mask()); }),
      throttle_task_([this] { update_irq(); }) {
    install_hooks();
}

InterruptBlock82574l::~InterruptBlock82574l() {
    timeline_.cancel(throttle_task_);
}

void InterruptBlock82574l::install_hooks() {
    using Write = regs::RegisterFile::Write;
    registers_.on_read(r::ICR, [this](std::uint32_t, std::uint32_t) {
        const std::uint32_t value = rules_.read_icr(settings());
        update_irq();
        return value;
    });
    registers_.on_write(r::ICR, [this](const Write& write) {
        rules_.write_icr(write.written, settings());
        update_irq();
    });
    // Documented as write-only; silicon returns ICR, without its side effects.
    registers_.on_read(r::ICS, [this](std::uint32_t, std::uint32_t) { return rules_.icr(); });
    registers_.on_write(r::ICS, [this](const Write& write) { set_causes(write.written); });
    registers_.on_read(r::IMS, [this](std::uint32_t, std::uint32_t) { return rules_.ims(); });
    registers_.on_write(r::IMS, [this](const Write& write) { write_ims(write.written); });
    registers_.on_write(r::IMC, [this](const Write& write) {
        rules_.write_imc(write.written);
        update_irq();
    });
    registers_.on_write(r::IVAR, [this](const Write&) { update_irq(); });
    registers_.on_write(r::ITR, [this](const Write&) { update_irq(); });
    registers_.on_write(r::EITR, [this](const Write&) { update_irq(); });
    registers_.on_write(r::PBACLR, [this](const Write& write) {
        table_.clear_pending(r::PBACLR_VEC.get(write.written));
        update_irq();
    });
    registers_.on_write(r::RDTR, [this](const Write& write) {
        if (r::RDTR_FPD.get(write.written) != 0) flush_by_software(Direction::kRx);
    });
    registers_.on_write(r::TIDV, [this](const Write& write) {
        if (r::TIDV_FPD.get(write.written) != 0) flush_by_software(Direction::kTx);
    });
}

void InterruptBlock82574l::reset() {
    rules_.reset();
    rx_timers_.stop();
    tx_timers_.stop();
    ack_timer_.stop();
    itr_.expire();
    for (Throttle& throttle : eitr_) throttle.expire();
    // The table keeps its entries over CTRL.RST, but nothing of the old epoch is due any more.
    table_.clear_pending(~0u);
    covered_ = 0;
    rx_awaits_write_back_ = false;
    tx_awaits_write_back_ = false;
    moderation_reported_ = 0;
    update_irq();
}

void InterruptBlock82574l::reset_msix_table() {
    table_.reset();
}

void InterruptBlock82574l::configuration_changed() {
    // What one way out has told is untold on another.
    if (mode() != last_mode_) covered_ = 0;
    last_mode_ = mode();
    update_irq();
}

std::uint32_t InterruptBlock82574l::msix_read(std::uint32_t offset) {
    return table_.read(offset);
}

std::uint32_t InterruptBlock82574l::msix_debug_read(std::uint32_t offset) const {
    return table_.debug_read(offset);
}

void InterruptBlock82574l::msix_write(std::uint32_t offset, std::uint32_t value) {
    table_.write(offset, value);
    update_irq();
}

InterruptBlock82574l::Mode InterruptBlock82574l::mode() const {
    if (configuration_.msix_enabled) return Mode::kMsix;
    return configuration_.msi_enabled ? Mode::kMsi : Mode::kPin;
}

CauseRules::Settings InterruptBlock82574l::settings() const {
    return {msix(), registers_.get(r::CTRL_EXT_IAME) != 0, registers_.word(r::IAM)};
}

// --- from events and registers to causes
// ----------------------------------------------------------

void InterruptBlock82574l::raise(std::uint32_t icr_bits) {
    // In MSI-X mode queue events are RXQn and TXQn, RXDMT0 included (section 8.6).
    if (msix() && !legacy_causes_in_msix_) icr_bits &= ~r::ICR_RXDMT0.mask();
    if (icr_bits == 0) return;
    count(icr_bits);
    if (msix()) return set_causes(icr_bits);
    const std::uint32_t ack = icr_bits & r::ICR_ACK.mask();
    const std::uint32_t ack_delay = registers_.get(r::RAID_DELAY);
    if (ack != 0 && ack_delay != 0) {
        ack_timer_.start(0, ack_delay);
        icr_bits &= ~ack;
    }
    // An immediate cause takes the delayed one of its direction along (section 8.4).
    if ((icr_bits & (r::ICR_RXO.mask() | r::ICR_SRPD.mask())) != 0 && rx_timers_.running()) {
        rx_timers_.stop();
        announce_rx();
    }
    if (icr_bits != 0) set_causes(icr_bits);
}

void InterruptBlock82574l::count(std::uint32_t causes) {
    if ((causes & r::ICR_TXQE.mask()) != 0) stats_.count(Stat::kICTXQEC);
    if ((causes & r::ICR_TXD_LOW.mask()) != 0) stats_.count(Stat::kICTXQMTC);
    if ((causes & r::ICR_RXDMT0.mask()) != 0) stats_.count(Stat::kICRXDMTC);
    if ((causes & r::ICR_RXO.mask()) != 0) stats_.count(Stat::kICRXOC);
}

void InterruptBlock82574l::tx_written_back(std::uint32_t queue, bool delayed) {
    if (msix()) {
        if (queue >= kQueues) return;
        set_causes(r::ICR_TXQ0.mask() << queue | (legacy_causes_in_msix_ ? r::ICR_TXDW.mask() : 0));
        return;
    }
    const std::uint32_t delay = registers_.get(r::TIDV_DELAY);
    if (delayed && delay != 0 && !tx_awaits_write_back_) {
        tx_timers_.start(delay, registers_.get(r::TADV_DELAY));
        return;
    }
    tx_timers_.stop();
    tx_awaits_write_back_ = false;
    set_causes(r::ICR_TXDW.mask());
}

void InterruptBlock82574l::tx_write_back_deferred(std::uint32_t) {
    tx_timers_.start(registers_.get(r::TIDV_DELAY), registers_.get(r::TADV_DELAY));
}

void InterruptBlock82574l::rx_frame_stored(std::uint32_t) {
    const std::uint32_t delay = registers_.get(r::RDTR_DELAY);
    if (delay != 0) rx_timers_.start(delay, registers_.get(r::RADV_DELAY));
}

void InterruptBlock82574l::rx_written_back(std::uint32_t queue, std::uint32_t frames) {
    if (frames == 0) return;
    if (msix()) {
        if (queue >= kQueues) return;
        set_causes(r::ICR_RXQ0.mask() << queue | (legacy_causes_in_msix_ ? r::ICR_RXT0.mask() : 0));
        return;
    }
    // A running timer will announce it. None runs when software set RDTR after the frame was
    // stored.
    const bool delayed = registers_.get(r::RDTR_DELAY) != 0 && rx_timers_.running();
    if (delayed && !rx_awaits_write_back_) return;
    rx_timers_.stop();
    rx_awaits_write_back_ = false;
    set_causes(r::ICR_RXT0.mask());
}

void InterruptBlock82574l::rx_expired(DelayTimers::Expiry expiry) {
    stats_.count(expiry == DelayTimers::Expiry::kPacket ? Stat::kICRXPTC : Stat::kICRXATC);
    announce_rx();
}

void InterruptBlock82574l::tx_expired(DelayTimers::Expiry expiry) {
    stats_.count(expiry == DelayTimers::Expiry::kPacket ? Stat::kICTXPTC : Stat::kICTXATC);
    announce_tx();
}

// The cause is set when what it announces can be seen: at once if all has been written back, else
// when the write-back that is now flushed is visible. In MSI-X mode the timers only flush; RXQn and
// TXQn follow each write-back by themselves.
void InterruptBlock82574l::announce_rx() {
    const bool pending = queues_->write_backs_pending(Direction::kRx);
    rx_awaits_write_back_ = pending && !msix();
    if (pending) queues_->flush_write_backs(Direction::kRx);
    if (!pending && !msix()) set_causes(r::ICR_RXT0.mask());
}

void InterruptBlock82574l::announce_tx() {
    const bool pending = queues_->write_backs_pending(Direction::kTx);
    tx_awaits_write_back_ = pending && !msix();
    if (pending) queues_->flush_write_backs(Direction::kTx);
    if (!pending && !msix()) set_causes(r::ICR_TXDW.mask());
}

void InterruptBlock82574l::flush_by_software(Direction direction) {
    DelayTimers& timers = direction == Direction::kRx ? rx_timers_ : tx_timers_;
    if (!timers.running()) {
        queues_->flush_write_backs(direction);
        return;
    }
    timers.stop();
    direction == Direction::kRx ? announce_rx() : announce_tx();
}

void InterruptBlock82574l::set_causes(std::uint32_t causes) {
    const std::uint32_t before = rules_.icr();
    const std::uint32_t latched = rules_.set(causes, settings());
    for (std::uint32_t left = latched; left != 0; left &= left - 1) {
        cause_counts_[static_cast<std::size_t>(__builtin_ctz(left))]++;
    }
    events::irq_cause(events_, timeline_, {}, latched, rules_.icr(), rules_.ims());
    // In bulk most events find their cause set: whatever it asks for has been decided already.
    if (rules_.icr() != before) update_irq();
}

void InterruptBlock82574l::write_ims(std::uint32_t value) {
    if (registers_.get(r::CTRL_EXT_PBA_SUPPORT) != 0) {
        const VectorCauses& vector_causes = causes_of_vectors();
        for (std::uint32_t vector = 0; vector < MsixTable::kVectors; vector++) {
            const std::uint32_t causes = vector_causes[vector] & value;
            if (causes == 0 || !table_.pending(vector)) continue;
            table_.clear_pending(1u << vector);
            covered_ &= ~causes;
        }
    }
    const std::uint32_t unmasked = rules_.write_ims(value);
    // A mask that uncovers a set cause asks for a new interrupt: MSI has one for all causes.
    if ((unmasked & rules_.active()) != 0) covered_ &= msix() ? ~unmasked : 0;
    if (registers_.get(r::CTRL_EXT_INT_TIMERS_CLEAR_ENA) != 0 &&
        (value & CauseRules::kCauseMask) == CauseRules::kCauseMask) {
        itr_.expire();
        for (Throttle& throttle : eitr_) throttle.expire();
    }
    update_irq();
}

// --- from causes to interrupts
// --------------------------------------------------------------------

void InterruptBlock82574l::update_irq() {
    covered_ &= rules_.active();
    Picoseconds retry_ps = kNever;
    switch (mode()) {
        case Mode::kPin:
            retry_ps = update_pin();
            break;
        case Mode::kMsi:
            drop_line();
            retry_ps = update_msi();
            break;
        case Mode::kMsix:
            drop_line();
            retry_ps = update_msix();
            break;
    }
    drive_pin();
    publish();
    if (retry_ps == kNever) {
        timeline_.cancel(throttle_task_);
    } else if (!throttle_task_.scheduled() || throttle_task_.due_ps() != retry_ps) {
        timeline_.schedule(throttle_task_, retry_ps);
    }
}

// Whether the interrupt has to wait; if so, `retry_ps` is brought forward to the end of the wait.
bool InterruptBlock82574l::held_back(Throttle& throttle, std::uint32_t interval,
                                     std::uint32_t vector, Picoseconds& retry_ps) {
    const Picoseconds now_ps = timeline_.now_ps();
    const Picoseconds earliest_ps = throttle.earliest_ps(now_ps, interval);
    if (earliest_ps == now_ps) return false;
    retry_ps = std::min(retry_ps, earliest_ps);
    if ((moderation_reported_ >> vector & 1) == 0) {
        moderation_reported_ |= 1u << vector;
        moderated_++;
        events::irq_moderated(events_, now_ps, {}, vector == kItrVector ? kMsiVector : vector,
                              earliest_ps);
    }
    return true;
}

void InterruptBlock82574l::issued(Throttle& throttle) {
    throttle.issued(timeline_.now_ps());
    stats_.count(Stat::kIAC);
}

Picoseconds InterruptBlock82574l::update_pin() {
    if (rules_.active() == 0 || !configuration_.awake) {
        drop_line();
        return kNever;
    }
    Picoseconds retry_ps = kNever;
    if (line_ || held_back(itr_, registers_.get(r::ITR_INTERVAL), kItrVector, retry_ps)) {
        return retry_ps;
    }
    moderation_reported_ &= ~(1u << kItrVector);
    line_ = true;
    pin_assertions_++;
    issued(itr_);
    return kNever;
}

void InterruptBlock82574l::drop_line() {
    line_ = false;
}

void InterruptBlock82574l::drive_pin() {
    const bool level = line_ && !configuration_.intx_disabled;
    if (level == pin_driven_) return;
    pin_driven_ = level;
    events::irq_pin(events_, timeline_, {}, level ? 1 : 0);
    dma_.interrupt_pin(level);
}

// One message for all causes: due when none of those that the last one stood for is left, so that
// causes which join before the handler has looked need no second message.
Picoseconds InterruptBlock82574l::update_msi() {
    Picoseconds retry_ps = kNever;
    if (rules_.active() == 0 || covered_ != 0 || !state_.bus_master) return kNever;
    if (held_back(itr_, registers_.get(r::ITR_INTERVAL), kItrVector, retry_ps)) return retry_ps;
    moderation_reported_ &= ~(1u << kItrVector);
    covered_ = rules_.active();
    msi_messages_++;
    issued(itr_);
    events::irq_message(events_, timeline_, {}, kMsiVector, configuration_.msi_address,
                        configuration_.msi_data);
    dma_.message(configuration_.msi_address, configuration_.msi_data);
    return kNever;
}

// IVAR is decoded when it has changed, whoever changed it, not for each event.
const InterruptBlock82574l::VectorCauses& InterruptBlock82574l::causes_of_vectors() {
    const std::uint32_t ivar = registers_.word(r::IVAR);
    if (ivar != decoded_ivar_) {
        decoded_ivar_ = ivar;
        vector_causes_.fill(0);
        for (const VectorCause& row : kVectorCauses) {
            if (row.valid.get(ivar) == 0) continue;
            vector_causes_[row.vector.get(ivar) % vector_causes_.size()] |= row.cause;
        }
    }
    return vector_causes_;
}

Picoseconds InterruptBlock82574l::update_msix() {
    Picoseconds retry_ps = kNever;
    const std::uint32_t due = rules_.active() & kVectorCauseMask & ~covered_;
    if (due == 0 && table_.pending_bits() == 0) return kNever;
    const VectorCauses& vector_causes = causes_of_vectors();
    for (std::uint32_t vector = 0; vector < MsixTable::kVectors; vector++) {
        const std::uint32_t mine = vector_causes[vector];
        const bool pending = table_.pending(vector);
        if ((due & mine) == 0 && !pending) continue;
        const bool masked = configuration_.msix_function_masked ||
                            (table_.masked(vector) && !host_keeps_msix_table_);
        if ((due & mine) == 0 && masked) continue;
        const std::uint32_t interval = registers_.get(r::EITR_INTERVAL, vector);
        if (held_back(eitr_[vector], interval, vector, retry_ps)) continue;
        moderation_reported_ &= ~(1u << vector);
        if (masked) {
            table_.set_pending(vector);
            covered_ |= due & mine;
        } else if (state_.bus_master) {
            send_msix(vector, rules_.active() & mine);
        }
    }
    return retry_ps;
}

void InterruptBlock82574l::send_msix(std::uint32_t vector, std::uint32_t causes) {
    table_.clear_pending(1u << vector);
    covered_ |= causes;
    msix_messages_[vector]++;
    issued(eitr_[vector]);
    const std::uint64_t address = host_keeps_msix_table_ ? 0 : table_.address(vector);
    const std::uint32_t data = host_keeps_msix_table_ ? vector : table_.data(vector);
    events::irq_message(events_, timeline_, {}, vector, address, data);
    dma_.message(address, data);
    if (registers_.get(r::CTRL_EXT_EIAME) != 0) {
        registers_.poke(r::IAM, rules_.auto_mask(causes, registers_.word(r::IAM)));
    }
    const std::uint32_t cleared = causes & registers_.word(r::EIAC);
    if (cleared != 0) rules_.auto_clear(cleared);
    covered_ &= rules_.active();
}

// ICR and IMS live in the rules; the register file shows them to debug accesses and dumps.
void InterruptBlock82574l::publish() {
    registers_.poke(r::ICR, rules_.icr());
    registers_.poke(r::IMS, rules_.ims());
}

void InterruptBlock82574l::visit_metrics(MetricVisitor& visitor) const {
    static constexpr const char* kCauseNames[kCauses] = {
        "irq.txdw", "irq.txqe",   "irq.lsc",  "irq.rxseq", "irq.rxdmt0", "irq.bit5",   "irq.rxo",
        "irq.rxt0", "irq.bit8",   "irq.mdac", "irq.bit10", "irq.bit11",  "irq.phyint", "irq.gpi0",
        "irq.gpi1", "irq.txdlow", "irq.srpd", "irq.ack",   "irq.mng",    "irq.bit19",  "irq.rxq0",
        "irq.rxq1", "irq.txq0",   "irq.txq1", "irq.other"};
    static constexpr const char* kMessageNames[MsixTable::kVectors] = {
        "irq.msix0.messages", "irq.msix1.messages", "irq.msix2.messages", "irq.msix3.messages",
        "irq.msix4.messages"};
    for (std::uint32_t cause = 0; cause < kCauses; cause++) {
        visitor.metric(kCauseNames[cause], cause_counts_[cause]);
    }
    visitor.metric("irq.pin.assertions", pin_assertions_);
    visitor.metric("irq.msi.messages", msi_messages_);
    for (std::uint32_t vector = 0; vector < MsixTable::kVectors; vector++) {
        visitor.metric(kMessageNames[vector], msix_messages_[vector]);
    }
    visitor.metric("irq.moderated.interrupts", moderated_);
}

}  // namespace doorbell
