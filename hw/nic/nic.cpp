#include "hw/nic/nic.hpp"

#include <utility>

#include "hw/base/generated/events.hpp"
#include "hw/base/prng.hpp"
#include "hw/core/device_core.hpp"
#include "hw/dma/dma_engine.hpp"
#include "hw/nic/flash_window.hpp"
#include "hw/nic/io_window.hpp"
#include "hw/nic/loopback.hpp"
#include "hw/nvm/nvm.hpp"
#include "hw/pcie/config_space.hpp"
#include "hw/pcie/pcie_link.hpp"
#include "hw/ptp/time_stamper.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/stats/statistics.hpp"
#include "hw/wake/wake_unit.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// Of the generator that fills undefined tables.
constexpr std::uint64_t kTableStream = 0x7AB1E5;

}  // namespace

/// The blocks, in the order in which they need each other, and the calls between those that must
/// not know each other.
struct Nic::Parts final : ResetTargets,
                          ConfigListener,
                          NvmListener,
                          PhyListener,
                          PowerManagement,
                          DmaErrorListener {
    Parts(Timeline& timeline_in, HostPort& host, EthernetPort& wire, FramePool& frames,
          EventPort events_in, const NicParams& params_in, const NicPersonality& personality);

    // --- ResetTargets
    // -----------------------------------------------------------------------------
    void reset_dma() override { dma.reset(); }
    void reset_registers(regs::ResetKind kind) override {
        registers.reset(kind);
        if (kind != regs::ResetKind::kPowerOn) return;
        io_window.reset();
        if (params.core.u22_tables == CoreParams::Tables::kRandom) fill_tables();
    }
    void reset_configuration_space() override;
    void reset_wake_up(bool power_on) override { wake.reset(power_on); }
    void reset_phy() override { phy->power_on_reset(); }
    void reset_interrupts() override { interrupts->reset(); }
    void reset_msix_table() override { interrupts->reset_msix_table(); }
    void reset_queues() override {
        loopback.reset();
        queues->reset();
    }
    void reset_time_stamps() override { stamper.reset(); }
    void restore_nvm() override { nvm.power_on_reset(); }
    void load_nvm(NvmLoad extent) override {
        nvm.auto_load(extent == NvmLoad::kFull ? Nvm::Extent::kFull : Nvm::Extent::kAddress);
    }

    // --- ConfigListener
    // ---------------------------------------------------------------------------
    void command_changed() override { function_changed(); }
    void power_state_changed() override { function_changed(); }
    void d3_to_d0_reset() override {
        read_function();
        core.reset(ResetCause::kD3ToD0);
    }
    void messages_changed() override { function_changed(); }
    void power_management_changed() override { wake.power_management_changed(); }
    void link_limits_changed() override {
        link.set_limits(config.max_payload_bytes(), config.max_read_request_bytes());
    }

    // --- DmaErrorListener
    // ---------------------------------------------------------------------------
    void read_failed(DmaStatus status) override {
        if (status == DmaStatus::kUnsupportedRequest) config.received_master_abort();
        if (status == DmaStatus::kTimeout) config.completion_timed_out();
    }

    // --- NvmListener
    // ------------------------------------------------------------------------------
    void nvm_loaded() override {
        core.nvm_loaded();
        queues->device_state_changed();
    }

    // --- PhyListener
    // ------------------------------------------------------------------------------
    void phy_link_changed(const PhyLink& phy_link) override {
        deaf = phy_link.deaf;
        core.phy_link_changed(phy_link);
        wake.link_is(phy_link.up);
    }

    // --- PowerManagement
    // --------------------------------------------------------------------------
    [[nodiscard]] bool pme_enabled() const override { return config.pme_enabled(); }
    [[nodiscard]] bool pme_status() const override { return config.pme_status(); }
    void set_pme_enabled(bool enabled) override { config.set_pme_enabled(enabled); }
    void set_pme_status(bool status) override { config.set_pme_status(status); }
    void send_pme() override { border.power_management_event(); }

    [[nodiscard]] static ConfigSpaceParams config_params(const NicParams& params,
                                                         const NvmImage& image);
    void read_function();
    void function_changed();
    void fill_tables();

    NicParams params;
    Timeline& timeline;
    EventPort events;
    Border border;
    regs::RegisterFile registers{r::kMap};
    IoWindow io_window{registers};
    PcieLink link;
    DeviceCore core;
    DmaEngine dma;
    Statistics stats;
    TimeStamper stamper;
    Loopback loopback;
    Nvm nvm;
    ConfigSpace config;
    WakeUnit wake;
    bool deaf = false;  ///< Frames that arrive get lost in the PHY.
    InterruptConfiguration interrupt_configuration;
    NicContext context;
    std::unique_ptr<Phy> phy;
    std::unique_ptr<InterruptBlock> interrupts;
    std::unique_ptr<QueueEngine> queues;
};

Nic::Parts::Parts(Timeline& timeline_in, HostPort& host, EthernetPort& wire, FramePool& frames,
                  EventPort events_in, const NicParams& params_in,
                  const NicPersonality& personality)
    : params(params_in),
      timeline(timeline_in),
      events(events_in),
      border(timeline, host, wire),
      link(params.pcie, params.seed),
      core(params.core, timeline, registers, events),
      dma(params.dma, timeline, border, link, core.state(), events),
      stats(registers, params.stats),
      stamper(params.ptp, timeline, registers),
      loopback(timeline, params.phy, core.state(), border, stamper),
      nvm(params.nvm, timeline, registers, *this),
      config(config_params(params, nvm.image())),
      wake(timeline, registers, events, *this),
      context{timeline, events,       registers,
              dma,      stats,        frames,
              loopback, core.state(), interrupt_configuration,
              params,   stamper},
      phy(personality.make_phy(context, *this)),
      interrupts(personality.make_interrupts(context)),
      queues(personality.make_queues(context, *interrupts)) {
    interrupts->bind(*queues);
    loopback.bind(*queues);
    core.bind({*phy, *interrupts, *queues, dma, *this});
    config.set_listener(*this);
    dma.set_error_listener(this);
}

// The hardware reads its IDs from the NVM before a host can look (specification 3.2).
ConfigSpaceParams Nic::Parts::config_params(const NicParams& params, const NvmImage& image) {
    ConfigSpaceParams config = params.config;
    config.link_generation = params.pcie.generation;
    config.link_width = params.pcie.lanes;
    if (!image.signature_good()) return config;
    config.mac = image.mac_address();
    if (image.loads_device_id()) config.device_id = image.device_id();
    if (image.loads_subsystem_ids()) {
        config.subsystem_id = image.subsystem_id();
        config.subsystem_vendor_id = image.subsystem_vendor_id();
    }
    return config;
}

void Nic::Parts::reset_configuration_space() {
    config.load(config_params(params, nvm.image()));
    config.power_on_reset();
    link.set_limits(params.pcie.max_payload_bytes, params.pcie.max_read_request_bytes);
    read_function();
}

// What is undefined after power-on and is no ring (U22): a driver that does not write it is caught.
void Nic::Parts::fill_tables() {
    Prng prng(params.seed, kTableStream);
    for (const regs::Register* reg : {&r::MTA, &r::VFTA, &r::RETA, &r::RSSRK}) {
        for (std::uint32_t i = 0; i < reg->count; i++) {
            registers.debug_write(reg->offset_of(i), static_cast<std::uint32_t>(prng.next()));
        }
    }
}

void Nic::Parts::read_function() {
    const bool awake = config.power_state() == 0;
    wake.set_asleep(!awake);
    interrupt_configuration = {config.intx_disabled(),
                               config.msi_enabled(),
                               config.msi_address(),
                               config.msi_data(),
                               config.msix_enabled(),
                               config.msix_function_masked(),
                               awake};
    core.function_changed(
        {config.bus_master_enabled(), awake, config.msi_enabled(), config.msix_enabled()});
}

void Nic::Parts::function_changed() {
    read_function();
    interrupts->configuration_changed();
}

// --- the NIC ------------------------------------------------------------------------------------

Nic::Nic(Timeline& timeline, HostPort& host, EthernetPort& wire, FramePool& frames,
         EventPort events, const NicParams& params, const NicPersonality& personality)
    : parts_(std::make_unique<Parts>(timeline, host, wire, frames, events, params, personality)) {}

Nic::~Nic() = default;

void Nic::power_on_reset() {
    if (parts_->border.listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kPowerOnReset;
        parts_->border.report(crossing);
    }
    // The link trains anew: what was on it, and the randomness behind it, start over as well.
    parts_->link = PcieLink(parts_->params.pcie, parts_->params.seed);
    parts_->core.reset(ResetCause::kPowerOn);
}

void Nic::pcie_reset() {
    if (parts_->border.listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kPcieReset;
        parts_->border.report(crossing);
    }
    parts_->core.reset(ResetCause::kPcie);
}

std::uint32_t Nic::config_read(std::uint32_t offset, std::uint32_t size_bytes) {
    parts_->config.set_interrupt_status(parts_->interrupts->pin_requested());
    parts_->config.advertise_d3cold_wake_up(parts_->registers.get(r::CTRL_ADVD3WUC) != 0);
    const std::uint32_t value = parts_->config.read(offset, size_bytes);
    events::config_read(parts_->events, parts_->timeline, {}, offset, size_bytes, value);
    if (parts_->border.listened()) {
        parts_->border.report(access(CrossingKind::kConfigRead, size_bytes, offset, value));
    }
    return value;
}

void Nic::config_write(std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value) {
    events::config_write(parts_->events, parts_->timeline, {}, offset, size_bytes, value);
    if (parts_->border.listened()) {
        parts_->border.report(access(CrossingKind::kConfigWrite, size_bytes, offset, value));
    }
    parts_->config.write(offset, size_bytes, value);
}

std::uint32_t Nic::config_debug_read(std::uint32_t offset) const {
    return parts_->config.read(offset, 4);
}

bool Nic::decodes(unsigned bar) const {
    const ConfigSpace& config = parts_->config;
    if (config.power_state() != 0 || bar_size_bytes(bar) == 0) return false;
    return bar == r::kIoMap.bar ? config.io_enabled() : config.memory_enabled();
}

std::uint32_t Nic::bar_size_bytes(unsigned bar) const {
    return bar < ConfigSpace::kBarCount ? parts_->config.bar_size_bytes(bar) : 0;
}

std::uint32_t Nic::bar_read(unsigned bar, std::uint32_t offset) {
    std::uint32_t value = kNotDecoded;
    if (decodes(bar)) {
        switch (bar) {
            case r::kMap.bar:
                value = parts_->registers.bus_read(offset);
                break;
            case r::kIoMap.bar:
                value = parts_->io_window.read(offset);
                break;
            case r::kMsixMap.bar:
                value = parts_->interrupts->msix_read(offset);
                break;
            default:
                value = kErasedFlash;
                break;
        }
    }
    events::register_read(parts_->events, parts_->timeline, {}, bar, offset, value);
    if (parts_->border.listened()) {
        parts_->border.report(access(CrossingKind::kBarRead, bar, offset, value));
    }
    return value;
}

void Nic::bar_write(unsigned bar, std::uint32_t offset, std::uint32_t value) {
    events::register_write(parts_->events, parts_->timeline, {}, bar, offset, value);
    if (parts_->border.listened()) {
        parts_->border.report(access(CrossingKind::kBarWrite, bar, offset, value));
    }
    if (!decodes(bar)) return;
    if (bar == r::kMap.bar) parts_->registers.bus_write(offset, value);
    if (bar == r::kIoMap.bar) parts_->io_window.write(offset, value);
    if (bar == r::kMsixMap.bar) parts_->interrupts->msix_write(offset, value);
}

std::uint32_t Nic::debug_read(unsigned bar, std::uint32_t offset) const {
    switch (bar) {
        case r::kMap.bar:
            if (offset == r::STATUS.offset) return parts_->core.status_word();
            return parts_->registers.debug_read(offset);
        case r::kIoMap.bar:
            return parts_->io_window.debug_read(offset);
        case r::kMsixMap.bar:
            return parts_->interrupts->msix_debug_read(offset);
        default:
            return kErasedFlash;
    }
}

Crossing Nic::access(CrossingKind kind, std::uint32_t unit, std::uint32_t offset,
                     std::uint32_t value) {
    Crossing crossing;
    crossing.kind = kind;
    crossing.unit = unit;
    crossing.address = offset;
    crossing.value = value;
    return crossing;
}

void Nic::push_posted_writes() {
    parts_->dma.push_posted_writes();
}

void Nic::receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (parts_->border.listened()) {
        parts_->border.report(Border::of_frame(CrossingKind::kFrameIn, *frame, start_ps, end_ps));
    }
    if (parts_->deaf) return;
    if (parts_->wake.asleep()) parts_->wake.frame(*frame);
    parts_->loopback.receive(std::move(frame), start_ps, end_ps);
}

void Nic::partner(const LinkAbilities& abilities) {
    if (parts_->border.listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kPartner;
        crossing.abilities = &abilities;
        parts_->border.report(crossing);
    }
    parts_->phy->partner(abilities);
}

bool Nic::listens() const {
    return parts_->queues->listens();
}

bool Nic::has_room(std::uint32_t wire_bytes) const {
    return parts_->queues->has_room(wire_bytes);
}

void Nic::listen_at_border(BorderListener* listener) {
    parts_->border.listen(listener);
}

void Nic::set_dma_fault_hook(DmaFaultHook* hook) {
    parts_->dma.set_fault_hook(hook);
}

const DeviceState& Nic::state() const {
    return parts_->core.state();
}

PcieLink& Nic::link() {
    return parts_->link;
}

const NicParams& Nic::params() const {
    return parts_->params;
}

const TimeStamper& Nic::time_stamps() const {
    return parts_->stamper;
}

void Nic::visit_metrics(MetricVisitor& visitor) const {
    parts_->core.visit_metrics(visitor);
    parts_->interrupts->visit_metrics(visitor);
    parts_->queues->visit_metrics(visitor);
    parts_->dma.visit_metrics(visitor);
    parts_->link.visit_metrics(visitor);
    parts_->stamper.visit_metrics(visitor);
    parts_->wake.visit_metrics(visitor);
    visitor.metric("loopback.frames", parts_->loopback.looped_frames());
    std::uint64_t unlisted = 0;
    for (const regs::RegisterFile::Unlisted& row : parts_->registers.unlisted()) {
        unlisted += row.reads + row.writes;
    }
    visitor.metric("registers.unlisted.accesses", unlisted);
}

}  // namespace doorbell
