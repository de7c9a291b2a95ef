#pragma once

#include <cstdint>

namespace doorbell {

/// What `core` decided and the engines act on. `core` owns it; everybody else reads.
struct DeviceState {
    bool link_up = false;             ///< STATUS.LU
    std::uint32_t speed_mbps = 1000;  ///< Resolved speed, what STATUS.SPEED says.
    bool full_duplex = true;
    bool bus_master = false;    ///< Command.BME, power state D0 and not CTRL.GIO_MASTER_DISABLE.
    bool awake = true;          ///< D0. Asleep, frames are the wake-up unit's alone.
    bool mac_loopback = false;  ///< RCTL.LBM = 01
    bool phy_loopback = false;  ///< BMCR.LOOPBACK: frames turn round, nothing reaches the wire.
    bool msix_enabled = false;  ///< PCI configuration: MSI-X enable.
    bool msi_enabled = false;
    std::uint32_t epoch = 0;  ///< Counts resets: what carries an older one is dropped.
};

}  // namespace doorbell
