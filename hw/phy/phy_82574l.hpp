#pragma once

#include <array>
#include <cstdint>

#include "hw/base/event_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/phy_port.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/timeline.hpp"
#include "hw/phy/negotiation.hpp"
#include "hw/phy/phy_params.hpp"
#include "hw/phy/phy_registers.hpp"

namespace doorbell {

/// The 82574L's copper PHY (specification section 4): registers and pages, negotiation with the
/// far end, loopback. It reports what its link is; STATUS.LU and LSC are `core`'s.
class Phy82574l final : public Phy {
public:
    static constexpr std::uint32_t kAddress = 1;

    /// `seed` draws the lots between two equal ends of a 1000BASE-T link, from each power-on the
    /// same ones.
    Phy82574l(const PhyParams& params, Timeline& timeline, EthernetPort& wire,
              PhyListener& listener, EventPort events, std::uint64_t seed);
    ~Phy82574l() override;
    Phy82574l(const Phy82574l&) = delete;
    Phy82574l& operator=(const Phy82574l&) = delete;

    void power_on_reset() override;
    void hardware_reset(bool asserted) override;
    [[nodiscard]] bool mdio_read(std::uint32_t phy_address, std::uint32_t reg,
                                 std::uint16_t& value) override;
    [[nodiscard]] bool mdio_write(std::uint32_t phy_address, std::uint32_t reg,
                                  std::uint16_t value) override;
    void oem_bits(std::uint16_t poemb) override;
    void set_power(PhyPower power) override;
    void partner(const LinkAbilities& abilities) override;
    [[nodiscard]] const PhyLink& link() const override { return link_; }

private:
    /// As the event stream counts them.
    enum class State : std::uint8_t { kDown = 0, kNegotiating = 1, kUp = 2 };
    struct Row;
    static constexpr std::uint32_t kStoredRows = 34;
    static const Row kRows[kStoredRows];

    [[nodiscard]] static std::uint32_t row_of(std::uint32_t page, std::uint32_t reg);
    [[nodiscard]] std::uint32_t selected_row(std::uint32_t reg) const;
    [[nodiscard]] std::uint16_t& common(std::uint32_t reg) { return words_[reg]; }
    [[nodiscard]] std::uint16_t common(std::uint32_t reg) const { return words_[reg]; }
    [[nodiscard]] std::uint16_t page0(std::uint32_t reg) const { return words_[row_of(0, reg)]; }
    void reset_registers();
    [[nodiscard]] std::uint16_t read_bmsr();
    [[nodiscard]] std::uint16_t copper_status() const;
    void write_bmcr(std::uint16_t value);

    [[nodiscard]] bool powered() const;
    [[nodiscard]] LinkAbilities offer() const;
    [[nodiscard]] std::uint32_t forced_speed_mbps() const;
    /// From scratch, and the far end is told.
    void restart();
    /// Restart Auto-Negotiation, which is nothing to do where it is off (IEEE 22.2.4.1.7).
    void restart_negotiation();
    /// From scratch, with what each end offers by now.
    void begin();
    void finish();
    void show_partner(phy::ClockRole role, bool gigabit_link);
    void hang();
    void enter(State state, const PhyLink& link);

    PhyParams params_;
    Timeline& timeline_;
    EthernetPort& wire_;
    PhyListener& listener_;
    EventPort events_;
    const std::uint64_t seed_;
    Prng prng_;
    Task negotiation_task_;
    Task hang_task_;

    std::array<std::uint16_t, kStoredRows> words_{};  ///< By row of kRows.
    std::uint16_t oem_default_ = 0;                   ///< What POEMB says for D0.
    bool slow_asleep_ = false;                        ///< And for the other states: LPLU,
    bool no_gigabit_asleep_ = false;                  ///< AN1000_DIS_ND0.
    PhyPower power_ = PhyPower::kAwake;
    LinkAbilities offer_;  ///< Latched at the last restart.
    LinkAbilities partner_;
    State state_ = State::kDown;
    PhyLink link_;
    bool link_was_lost_ = true;  ///< BMSR.LINK is latched low until it is read.
    bool in_reset_ = false;
};

}  // namespace doorbell
