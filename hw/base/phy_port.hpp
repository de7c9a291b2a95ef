#pragma once

#include <cstdint>

#include "hw/base/link_port.hpp"

namespace doorbell {

/// What the MAC side sees of a PHY.
struct PhyLink {
    bool up = false;
    std::uint32_t speed_mbps = 1000;
    bool full_duplex = true;
    bool loopback = false;
    bool deaf = false;  ///< Nothing that arrives gets through (an erratum).
};

class PhyListener {
public:
    virtual ~PhyListener() = default;
    virtual void phy_link_changed(const PhyLink& link) = 0;
};

/// What the state of the function asks of the PHY.
enum class PhyPower {
    kAwake,   ///< D0; each reset of the PHY comes back to it.
    kAsleep,  ///< D3: it goes on listening, as the OEM bits for states other than D0 say.
    kOff,     ///< D3 without wake-up, CTRL_EXT.PHYPDEN: nobody needs a link.
};

/// A PHY behind MDIO; 82574L: hw/phy.
class Phy {
public:
    virtual ~Phy() = default;
    virtual void power_on_reset() = 0;
    /// CTRL.PHY_RST, a level: while true the PHY is in hardware reset.
    virtual void hardware_reset(bool asserted) = 0;
    /// One MDIO transaction; false when no PHY answers at the address.
    [[nodiscard]] virtual bool mdio_read(std::uint32_t phy_address, std::uint32_t reg,
                                         std::uint16_t& value) = 0;
    [[nodiscard]] virtual bool mdio_write(std::uint32_t phy_address, std::uint32_t reg,
                                          std::uint16_t value) = 0;
    /// POEMB bits that the MAC side loads into the OEM register.
    virtual void oem_bits(std::uint16_t bits) = 0;
    virtual void set_power(PhyPower power) = 0;
    virtual void partner(const LinkAbilities& abilities) = 0;
    [[nodiscard]] virtual const PhyLink& link() const = 0;
};

}  // namespace doorbell
