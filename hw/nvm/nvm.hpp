#pragma once

#include <cstdint>

#include "hw/base/timeline.hpp"
#include "hw/nvm/nvm_image.hpp"
#include "hw/nvm/nvm_params.hpp"
#include "hw/nvm/spi_eeprom.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

class NvmListener {
public:
    virtual ~NvmListener() = default;
    /// Auto-load is done: the registers that come from the NVM have been written without a bus
    /// write, whoever caches them looks again.
    virtual void nvm_loaded() = 0;
};

/// The EEPROM behind EERD, EEWR and EECD, and what the hardware loads from it by itself (datasheet
/// chapter 6; specification section 3). One access at a time: EECD's pins are granted when no other
/// is under way, and while they are, EERD and EEWR wait; a page that software has begun to write
/// through the pins is written first, whoever comes next.
class Nvm {
public:
    enum class Extent : std::uint8_t {
        kFull,     ///< Power-on, PCIe reset, EE_RST: address, CTRL defaults, LEDs, wake-up.
        kAddress,  ///< CTRL.RST: address and CTRL defaults.
    };

    Nvm(const NvmParams& params, Timeline& timeline, regs::RegisterFile& registers,
        NvmListener& listener);
    ~Nvm();
    Nvm(const Nvm&) = delete;
    Nvm& operator=(const Nvm&) = delete;

    /// The image as it was delivered, unless writes survive.
    void power_on_reset();
    /// Once the registers have been reset: drops what is under way and loads. EECD.AUTO_RD is 0
    /// until that is done.
    void auto_load(Extent extent);

    [[nodiscard]] const NvmImage& image() const { return image_; }

private:
    void install_hooks();
    void drive_pins();
    void arbitrate();
    void start_read();
    void start_write();
    [[nodiscard]] bool granted() const;
    void finish_load();
    void load_control_defaults();
    void finish_read();
    void finish_write();

    NvmParams params_;
    Timeline& timeline_;
    regs::RegisterFile& registers_;
    NvmListener& listener_;
    NvmImage image_;
    SpiEeprom eeprom_;
    Extent extent_ = Extent::kFull;
    std::uint16_t write_data_ = 0;
    bool read_waits_ = false;  ///< For the pins to be given back.
    bool write_waits_ = false;
    Task load_task_;
    Task read_task_;
    Task write_task_;
};

}  // namespace doorbell
