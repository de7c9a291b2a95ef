#pragma once

#include <cstdint>

#include "hw/regs/register_file.hpp"

namespace doorbell {

/// Why the device is reset; the numbers are those of the event stream.
enum class ResetCause : std::uint8_t {
    kPowerOn = 0,   ///< LAN_PWR_GOOD.
    kPcie = 1,      ///< PERST#, hot reset.
    kD3ToD0 = 2,    ///< Configuration space has reset itself.
    kSoftware = 3,  ///< CTRL.RST.
};

/// How much of the NVM is loaded again.
enum class NvmLoad : std::uint8_t { kAddress, kFull };

/// What a reset can reach: the columns of specification 9.1. The NIC passes each call on to the
/// block that it is about.
class ResetTargets {
public:
    virtual ~ResetTargets() = default;
    /// Requests under way are forgotten; nobody is called for them any more.
    virtual void reset_dma() = 0;
    virtual void reset_registers(regs::ResetKind kind) = 0;
    virtual void reset_configuration_space() = 0;
    /// What woke the host survives all but power-on.
    virtual void reset_wake_up(bool power_on) = 0;
    virtual void reset_phy() = 0;
    virtual void reset_interrupts() = 0;
    virtual void reset_msix_table() = 0;
    /// Rings, FIFOs, what is looped back.
    virtual void reset_queues() = 0;
    virtual void reset_time_stamps() = 0;
    virtual void restore_nvm() = 0;
    virtual void load_nvm(NvmLoad extent) = 0;
};

/// The one choreography of every reset.
void run_reset(ResetCause cause, ResetTargets& targets);

}  // namespace doorbell
