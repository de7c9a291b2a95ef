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
        timeline_.schedule(read_task_, timeline_.now_ps() + params_.read_word_ps);
    });
    registers_.on_write(r::EEWR, [this](const Write& write) {
        if (r::EEWR_START.get(write.written) == 0) return;
        registers_.set(r::EEWR_DONE, 0);
        write_data_ = static_cast<std::uint16_t>(r::EEWR_DATA.get(write.written));
        timeline_.schedule(write_task_, timeline_.now_ps() + params_.write_word_ps);
    });
    // The NVM is ours alone: a request for bit-bang access is granted at once.
    registers_.on_write(r::EECD, [this](const Write& write) {
        registers_.set(r::EECD_GNT, r::EECD_REQ.get(write.now));
    });
    registers_.on_write(r::CTRL_EXT, [this](const Write& write) {
        if (r::CTRL_EXT_EE_RST.get(write.written) != 0) auto_load(Extent::kFull);
    });
}

void Nvm::power_on_reset() {
    if (!params_.writes_survive_power_cycle) image_ = NvmImage(params_);
}

void Nvm::auto_load(Extent extent) {
    timeline_.cancel(read_task_);
    timeline_.cancel(write_task_);
    registers_.set(r::EERD_DONE, 1);
    registers_.set(r::EEWR_DONE, 1);
    registers_.set(r::EECD_AUTO_RD, 0);
    registers_.set(r::EECD_PRES, image_.signature_good() ? 1 : 0);
    registers_.set(r::EECD_NV_SIZE, image_.size_code());
    // A software reset in the middle of a full load does not make it less.
    if (!load_task_.scheduled() || extent == Extent::kFull) extent_ = extent;
    timeline_.schedule(load_task_, timeline_.now_ps() + params_.auto_load_ps);
}

void Nvm::finish_load() {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    // Without a valid image the address stays 0 and invalid (datasheet 10.2.5.23).
    if (image_.signature_good()) {
        const MacAddress mac = image_.mac_address();
        low = r::RAL_RAL.put(0, load_le32(&mac[0]));
        high = r::RAH_AV.put(r::RAH_RAH.put(0, load_le16(&mac[4])), 1);
        if (extent_ == Extent::kFull) {
            registers_.poke(r::LEDCTL, image_.led_defaults(registers_.word(r::LEDCTL)));
            registers_.set(r::WUC_APME, image_.wake_on_lan() ? 1 : 0);
        }
    }
    registers_.poke(r::RAL, low);
    registers_.poke(r::RAH, high);
    registers_.set(r::EECD_AUTO_RD, 1);
    listener_.nvm_loaded();
}

void Nvm::finish_read() {
    registers_.set(r::EERD_DATA, image_.word(registers_.get(r::EERD_ADDR)));
    registers_.set(r::EERD_DONE, 1);
}

void Nvm::finish_write() {
    image_.set_word(registers_.get(r::EEWR_ADDR), write_data_);
    registers_.set(r::EEWR_DONE, 1);
}

}  // namespace doorbell
