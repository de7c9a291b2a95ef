#include "hw/nvm/nvm.hpp"

#include "hw/base/bits.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

Nvm::Nvm(const NvmParams& params, Timeline& timeline, regs::RegisterFile& registers,
         NvmListener& listener)
    : params_(params),
      timeline_(timeline),
      registers_(registers),
      listener_(listener),
      image_(params),
      eeprom_(image_, timeline, params.write_word_ps),
      load_task_([this] { finish_load(); }),
      read_task_([this] { finish_read(); }),
      write_task_([this] { finish_write(); }) {
    install_hooks();
}

Nvm::~Nvm() {
    timeline_.cancel(load_task_);
    timeline_.cancel(read_task_);
    timeline_.cancel(write_task_);
}

void Nvm::install_hooks() {
    using Write = regs::RegisterFile::Write;
    registers_.on_write(r::EERD, [this](const Write& write) {
        if (r::EERD_START.get(write.written) == 0) return;
        registers_.set(r::EERD_DONE, 0);
        start_read();
    });
    registers_.on_write(r::EEWR, [this](const Write& write) {
        if (r::EEWR_START.get(write.written) == 0) return;
        registers_.set(r::EEWR_DONE, 0);
        write_data_ = static_cast<std::uint16_t>(r::EEWR_DATA.get(write.written));
        start_write();
    });
    registers_.on_write(r::EECD, [this](const Write&) {
        arbitrate();
        if (granted()) drive_pins();
    });
    registers_.on_write(r::CTRL_EXT, [this](const Write& write) {
        if (r::CTRL_EXT_EE_RST.get(write.written) != 0) auto_load(Extent::kFull);
    });
}

// --- who has the NVM ----------------------------------------------------------------------------

bool Nvm::granted() const {
    return registers_.get(r::EECD_GNT) != 0;
}

void Nvm::drive_pins() {
    eeprom_.drive({registers_.get(r::EECD_CS) != 0, registers_.get(r::EECD_SK) != 0,
                   registers_.get(r::EECD_DI) != 0});
    registers_.set(r::EECD_DO, eeprom_.data_out() ? 1 : 0);
}

/// The pins go to whoever asks for them, but not in the middle of an access of the hardware's; and
/// what waited for them goes on when they come back.
void Nvm::arbitrate() {
    const bool wanted = registers_.get(r::EECD_REQ) != 0;
    if (wanted == granted()) return;
    if (!wanted) {
        eeprom_.drive(SpiPins());
        registers_.set(r::EECD_GNT, 0);
        registers_.set(r::EECD_DO, 0);
        if (read_waits_) start_read();
        if (write_waits_) start_write();
        return;
    }
    if (read_task_.scheduled() || write_task_.scheduled() || load_task_.scheduled()) return;
    registers_.set(r::EECD_GNT, 1);
    drive_pins();
}

void Nvm::start_read() {
    read_waits_ = granted();
    if (read_waits_) return;
    timeline_.schedule(read_task_, eeprom_.idle_ps() + params_.read_word_ps);
}

void Nvm::start_write() {
    write_waits_ = granted();
    if (write_waits_) return;
    timeline_.schedule(write_task_, eeprom_.idle_ps() + params_.write_word_ps);
}

// --- auto-load ----------------------------------------------------------------------------------

void Nvm::power_on_reset() {
    if (!params_.writes_survive_power_cycle) image_ = NvmImage(params_);
    eeprom_.power_on_reset();
}

void Nvm::auto_load(Extent extent) {
    timeline_.cancel(read_task_);
    timeline_.cancel(write_task_);
    read_waits_ = write_waits_ = false;
    eeprom_.abandon();
    registers_.set(r::EECD_GNT, 0);
    registers_.set(r::EECD_DO, 0);
    registers_.set(r::EECD_NV_ADDR_BITS, eeprom_.large() ? 1 : 0);
    registers_.set(r::EERD_DONE, 1);
    registers_.set(r::EEWR_DONE, 1);
    registers_.set(r::EECD_AUTO_RD, 0);
    registers_.set(r::EECD_PRES, image_.signature_good() ? 1 : 0);
    registers_.set(r::EECD_NV_SIZE, image_.size_code());
    // A software reset in the middle of a full load does not make it less.
    if (!load_task_.scheduled() || extent == Extent::kFull) extent_ = extent;
    timeline_.schedule(load_task_, eeprom_.idle_ps() + params_.auto_load_ps);
}

void Nvm::finish_load() {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    // Without a valid image the address stays 0 and invalid (datasheet 10.2.5.23).
    if (image_.signature_good()) {
        const MacAddress mac = image_.mac_address();
        low = r::RAL_RAL.put(0, load_le32(&mac[0]));
        high = r::RAH_AV.put(r::RAH_RAH.put(0, load_le16(&mac[4])), 1);
        load_control_defaults();
        if (extent_ == Extent::kFull) {
            registers_.poke(r::LEDCTL, image_.led_defaults(registers_.word(r::LEDCTL)));
            registers_.set(r::WUC_APME, image_.wake_on_lan() ? 1 : 0);
        }
    }
    registers_.poke(r::RAL, low);
    registers_.poke(r::RAH, high);
    registers_.set(r::EECD_AUTO_RD, 1);
    arbitrate();
    listener_.nvm_loaded();
}

// Of Initialization Control 1 as far as it is known of this part. An image that is erased there
// says nothing.
void Nvm::load_control_defaults() {
    if (!image_.has_control_defaults()) return;
    registers_.set(r::CTRL_ILOS, image_.inverts_loss_of_signal() ? 1 : 0);
    registers_.set(r::CTRL_FRCSPD, image_.forces_speed() ? 1 : 0);
}

// --- words --------------------------------------------------------------------------------------

void Nvm::finish_read() {
    registers_.set(r::EERD_DATA, image_.word(registers_.get(r::EERD_ADDR)));
    registers_.set(r::EERD_DONE, 1);
    arbitrate();
}

void Nvm::finish_write() {
    image_.set_word(registers_.get(r::EEWR_ADDR), write_data_);
    registers_.set(r::EEWR_DONE, 1);
    arbitrate();
}

}  // namespace doorbell
