#pragma once

#include <cstdint>

namespace doorbell {

/// What the documents leave open about interrupts (specification section 13). The defaults are its
/// recommendations.
struct InterruptParams {
    /// U1: does an ICR read with IMS != 0 and INT_ASSERTED = 0 clear the causes?
    enum class IcrRead : std::uint8_t {
        kByMode = 0,  ///< INTx and MSI: yes. MSI-X: no (datasheet 10.2.4.1, erratum 12).
        kAlwaysClear = 1,
        kNeverClear = 2,
    };
    /// U2: what sets INT_ASSERTED?
    enum class IntAsserted : std::uint8_t { kUnmaskedCause = 0, kAnyCause = 1 };
    /// U4: what does EIAME do when the message of a cause leaves?
    enum class AutoMask : std::uint8_t { kClearIms = 0, kClearIam = 1 };
    /// U12: which causes stand behind OTHER?
    enum class OtherCauses : std::uint8_t {
        kSix = 0,    ///< LSC, RXO, MDAC, SRPD, ACK, MNG
        kEight = 1,  ///< and RXSEQ, TXD_LOW
    };

    IcrRead u1_icr_read = IcrRead::kByMode;
    IntAsserted u2_int_asserted = IntAsserted::kUnmaskedCause;
    bool u3_eiac_clears_ims = true;
    AutoMask u4_auto_mask = AutoMask::kClearIms;
    OtherCauses u12_other_causes = OtherCauses::kSix;
    /// U17: in MSI-X mode TXDW and RXT0 are set beside TXQn and RXQn.
    bool u17_legacy_causes_in_msix = false;
    /// The host keeps the MSI-X table outside the device, masks and messages (a virtual machine
    /// monitor does): the table here masks nothing, and a message's data is its vector's number.
    bool host_keeps_msix_table = false;
};

}  // namespace doorbell
