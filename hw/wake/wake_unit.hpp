#pragma once

#include <cstdint>

#include "hw/base/event_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/wake/wake_filter.hpp"

namespace doorbell {

/// The other side of PME: PMCSR in configuration space, which WUC mirrors, and the host.
class PowerManagement {
public:
    virtual ~PowerManagement() = default;
    [[nodiscard]] virtual bool pme_enabled() const = 0;
    [[nodiscard]] virtual bool pme_status() const = 0;
    virtual void set_pme_enabled(bool enabled) = 0;
    virtual void set_pme_status(bool status) = 0;
    /// PM_PME goes out.
    virtual void send_pme() = 0;
};

/// Wake-up (specification 2.8, 9.4): while the function sleeps, link changes and frames that an
/// enabled filter matches are noted in WUS and assert PME. The registers are the driver's while it
/// is awake.
class WakeUnit {
public:
    WakeUnit(Timeline& timeline, regs::RegisterFile& registers, EventPort events,
             PowerManagement& power);

    /// The registers have been reset. What woke the host stands on auxiliary power: it is lost at
    /// power-on only.
    void reset(bool power_on);
    /// Power state D3 begins or ends.
    void set_asleep(bool asleep);
    [[nodiscard]] bool asleep() const { return asleep_; }
    /// PMCSR changed: WUC shows it, and a status that waited for its enable is told.
    void power_management_changed();
    void link_is(bool up);
    /// A frame on the wire while the function sleeps.
    void frame(const Frame& frame);
    void visit_metrics(MetricVisitor& visitor) const;

private:
    static constexpr std::uint32_t kStoredWords = 32;  ///< WUPM

    void install_hooks();
    void mirror();
    void wake(std::uint32_t filters, bool assert_pme);
    void keep_frame(const Frame& frame);

    Timeline& timeline_;
    regs::RegisterFile& registers_;
    EventPort events_;
    PowerManagement& power_;
    WakeConfig config_;
    bool asleep_ = false;
    bool link_up_ = false;
    bool told_ = false;  ///< PM_PME has gone out for the status that stands.
    // What survives a reset.
    std::uint32_t status_ = 0;
    std::uint32_t length_ = 0;
    std::uint32_t words_[kStoredWords] = {};
    std::uint64_t wake_ups_ = 0;
};

}  // namespace doorbell
