#include "hw/base/crc32.hpp"

#include <libdeflate.h>

namespace doorbell {

std::uint32_t ethernet_fcs(const std::uint8_t* data, std::size_t size_bytes) {
    return libdeflate_crc32(0, data, size_bytes);
}

}  // namespace doorbell
