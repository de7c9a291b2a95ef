#pragma once

#include "hw/base/cause_port.hpp"
#include "hw/base/phy_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// MDIC: one transaction with a PHY register at a time (specification 4.1). Software starts it by
/// writing READY = 0; a write in the middle of one starts another in its place.
class Mdic {
public:
    Mdic(Picoseconds transaction_ps, Timeline& timeline, regs::RegisterFile& registers);
    ~Mdic();
    Mdic(const Mdic&) = delete;
    Mdic& operator=(const Mdic&) = delete;

    void bind(Phy& phy, CausePort& causes) {
        phy_ = &phy;
        causes_ = &causes;
    }
    /// The registers have been reset: what was under way is dropped.
    void reset() { timeline_.cancel(task_); }

private:
    void finish();

    const Picoseconds transaction_ps_;
    Timeline& timeline_;
    regs::RegisterFile& registers_;
    Phy* phy_ = nullptr;
    CausePort* causes_ = nullptr;
    Task task_;
};

}  // namespace doorbell
