#include "hw/plugin/vfio_user.hpp"

#include <array>

namespace doorbell::plugin::vfio_user {

std::string command_name(std::uint16_t command) {
    static constexpr std::array<const char*, 19> kNames = {nullptr,
                                                           "VERSION",
                                                           "DMA_MAP",
                                                           "DMA_UNMAP",
                                                           "DEVICE_GET_INFO",
                                                           "DEVICE_GET_REGION_INFO",
                                                           "DEVICE_GET_REGION_IO_FDS",
                                                           "DEVICE_GET_IRQ_INFO",
                                                           "DEVICE_SET_IRQS",
                                                           "REGION_READ",
                                                           "REGION_WRITE",
                                                           "DMA_READ",
                                                           "DMA_WRITE",
                                                           "DEVICE_RESET",
                                                           "DIRTY_PAGES",
                                                           "REGION_WRITE_MULTI",
                                                           "DEVICE_FEATURE",
                                                           "MIG_DATA_READ",
                                                           "MIG_DATA_WRITE"};
    if (command < kNames.size() && kNames[command] != nullptr) return kNames[command];
    return "command " + std::to_string(command);
}

std::string version_text(std::size_t room) {
    std::string text = "{\"capabilities\":{\"max_msg_fds\":" + std::to_string(kMaxDescriptors) +
                       ",\"max_data_xfer_size\":" + std::to_string(kMaxDataBytes) +
                       ",\"pgsizes\":" + std::to_string(kPageBytes) +
                       ",\"max_dma_maps\":" + std::to_string(kMaxDmaMaps) +
                       ",\"write_multiple\":true}}";
    text.push_back('\0');
    if (text.size() > room) text.clear();
    return text;
}

}  // namespace doorbell::plugin::vfio_user
