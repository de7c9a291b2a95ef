#pragma once

#include <cstdint>

#include "hw/base/bits.hpp"

/// MDIO registers of the 82574L's PHY by their names: IEEE 802.3 clause 22 and 40, and the vendor's
/// pages (specification section 4). They are not on the bus, hence not in the register contract.
namespace doorbell::phy {

struct MdioField {
    unsigned lsb;
    unsigned width = 1;

    [[nodiscard]] constexpr std::uint16_t mask() const {
        return static_cast<std::uint16_t>(((1u << width) - 1) << lsb);
    }
    [[nodiscard]] constexpr std::uint16_t get(std::uint16_t word) const {
        return static_cast<std::uint16_t>(bits(word, lsb, width));
    }
    [[nodiscard]] constexpr std::uint16_t put(std::uint16_t word, unsigned value) const {
        return static_cast<std::uint16_t>((word & ~mask()) | ((value << lsb) & mask()));
    }
};

// --- on every page ------------------------------------------------------------------------------

inline constexpr std::uint32_t kBmcr = 0;
inline constexpr MdioField kBmcrSpeedHigh{6};
inline constexpr MdioField kBmcrFullDuplex{8};
inline constexpr MdioField kBmcrAnRestart{9};
inline constexpr MdioField kBmcrPowerDown{11};
inline constexpr MdioField kBmcrAnEnable{12};
inline constexpr MdioField kBmcrSpeedLow{13};
inline constexpr MdioField kBmcrLoopback{14};
inline constexpr MdioField kBmcrReset{15};

inline constexpr std::uint32_t kBmsr = 1;
inline constexpr MdioField kBmsrLink{2};
inline constexpr MdioField kBmsrRemoteFault{4};
inline constexpr MdioField kBmsrAnComplete{5};

inline constexpr std::uint32_t kPhyId1 = 2;
inline constexpr std::uint32_t kPhyId2 = 3;

inline constexpr std::uint32_t kAnar = 4;
inline constexpr std::uint32_t kAnlpar = 5;
inline constexpr MdioField kAbility10Half{5};
inline constexpr MdioField kAbility10Full{6};
inline constexpr MdioField kAbility100Half{7};
inline constexpr MdioField kAbility100Full{8};
inline constexpr MdioField kAbilityPause{10};
inline constexpr MdioField kAbilityAsymmetric{11};
inline constexpr MdioField kAbilityRemoteFault{13};
inline constexpr MdioField kAbilityAck{14};
inline constexpr MdioField kAbilityNextPage{15};

inline constexpr std::uint32_t kAner = 6;
inline constexpr MdioField kAnerPartnerNegotiates{0};
inline constexpr MdioField kAnerPageReceived{1};
inline constexpr MdioField kAnerNextPageAble{2};
inline constexpr MdioField kAnerPartnerNextPage{3};

inline constexpr std::uint32_t kAnnp = 7;
inline constexpr std::uint32_t kAnlprnp = 8;

inline constexpr std::uint32_t kCtrl1000 = 9;
inline constexpr MdioField kCtrl1000Half{8};
inline constexpr MdioField kCtrl1000Full{9};
inline constexpr MdioField kCtrl1000PortType{10};
inline constexpr MdioField kCtrl1000MasterValue{11};
inline constexpr MdioField kCtrl1000Manual{12};

inline constexpr std::uint32_t kStat1000 = 10;
inline constexpr MdioField kStat1000IdleErrors{0, 8};
inline constexpr MdioField kStat1000PartnerHalf{10};
inline constexpr MdioField kStat1000PartnerFull{11};
inline constexpr MdioField kStat1000RemoteOk{12};
inline constexpr MdioField kStat1000LocalOk{13};
inline constexpr MdioField kStat1000Master{14};
inline constexpr MdioField kStat1000MasterFault{15};

inline constexpr std::uint32_t kExtStatus = 15;
inline constexpr std::uint32_t kPageSelect = 22;
inline constexpr MdioField kPageSelectPage{0, 7};
/// Below, and register 22, the pages are one.
inline constexpr std::uint32_t kFirstPagedRegister = 16;
inline constexpr std::uint32_t kRegisters = 32;

// --- page 0 -------------------------------------------------------------------------------------

inline constexpr std::uint32_t kCopperControl1 = 16;
inline constexpr MdioField kCopperControl1PowerDown{2};
inline constexpr std::uint32_t kCopperStatus1 = 17;
inline constexpr MdioField kCopperStatusTxPause{2};
inline constexpr MdioField kCopperStatusRxPause{3};
inline constexpr MdioField kCopperStatusLink{10};
inline constexpr MdioField kCopperStatusResolved{11};
inline constexpr MdioField kCopperStatusFullDuplex{13};
inline constexpr MdioField kCopperStatusSpeed{14, 2};
inline constexpr std::uint32_t kReceiveErrors = 21;
inline constexpr std::uint32_t kOem = 25;
inline constexpr MdioField kOemSmartPowerDown{0};
inline constexpr MdioField kOemLowPowerLinkUp{2};
inline constexpr MdioField kOemDisable1000{6};
inline constexpr MdioField kOemRestartAn{10};

}  // namespace doorbell::phy
