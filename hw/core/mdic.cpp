#include "hw/core/mdic.hpp"

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

Mdic::Mdic(Picoseconds transaction_ps, Timeline& timeline, regs::RegisterFile& registers)
    : transaction_ps_(transaction_ps),
      timeline_(timeline),
      registers_(registers),
      task_([this] { finish(); }) {
    registers_.on_write(r::MDIC, [this](const regs::RegisterFile::Write& write) {
        if (r::MDIC_READY.get(write.written) != 0) return;
        registers_.set(r::MDIC_ERROR, 0);
        timeline_.schedule(task_, timeline_.now_ps() + transaction_ps_);
    });
}

Mdic::~Mdic() {
    timeline_.cancel(task_);
}

void Mdic::finish() {
    const std::uint32_t word = registers_.word(r::MDIC);
    const std::uint32_t address = r::MDIC_PHYADD.get(word);
    const std::uint32_t reg = r::MDIC_REGADD.get(word);
    bool good = false;
    if (r::MDIC_OP.get(word) == r::MDIC_OP_READ) {
        std::uint16_t value = 0;
        good = phy_->mdio_read(address, reg, value);
        registers_.set(r::MDIC_DATA, value);
    } else if (r::MDIC_OP.get(word) == r::MDIC_OP_WRITE) {
        good = phy_->mdio_write(address, reg, static_cast<std::uint16_t>(r::MDIC_DATA.get(word)));
    }
    registers_.set(r::MDIC_ERROR, good ? 0 : 1);
    registers_.set(r::MDIC_READY, 1);
    if (r::MDIC_INT_EN.get(word) != 0) causes_->raise(r::ICR_MDAC.mask());
}

}  // namespace doorbell
