#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hw/base/time.hpp"

namespace doorbell {

using MacAddress = std::array<std::uint8_t, 6>;

struct NvmParams {
    /// The words of the image. Empty: the default image (specification 3.5) with the address and
    /// the IDs below.
    std::vector<std::uint16_t> image;
    /// Locally administered; the last bytes say what the part is.
    MacAddress mac_address = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
    std::uint16_t subsystem_id = 0x0000;
    std::uint16_t subsystem_vendor_id = 0x8086;
    /// Word 0x24 bit 10: APM wake-up.
    bool wake_on_lan = false;

    /// A power cycle brings back the image above, so that a run can be repeated; true: what EEWR
    /// wrote stays, as in the EEPROM it is.
    bool writes_survive_power_cycle = false;

    Picoseconds read_word_ps = microseconds(30);
    Picoseconds write_word_ps = microseconds(100);
    /// From a reset to EECD.AUTO_RD; Linux gives the part 10 ms.
    Picoseconds auto_load_ps = milliseconds(2);
};

}  // namespace doorbell
