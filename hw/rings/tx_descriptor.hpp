#pragma once

#include <cstdint>

#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/rings/tx_offload.hpp"

namespace doorbell {

/// A transmit descriptor by its meaning: the same 16 bytes in one of three formats, told apart by
/// DEXT and DTYP (specification 5.2 to 5.4).
enum class TxFormat : std::uint8_t { kLegacy, kContext, kData, kUnknown };

using TxWords = regs::Descriptor<2>;

inline TxFormat format(const TxWords& d) {
    using namespace regs::i82574l;
    if (tx_legacy::DEXT.get(d) == tx_legacy::DEXT_LEGACY) return TxFormat::kLegacy;
    if (tx_data::DTYP.get(d) == tx_data::DTYP_DATA) return TxFormat::kData;
    if (tx_data::DTYP.get(d) == tx_data::DTYP_CONTEXT) return TxFormat::kContext;
    return TxFormat::kUnknown;
}

// At the same place in all formats.
inline bool rs(const TxWords& d) {
    return regs::i82574l::tx_legacy::RS.get(d) != 0;
}
inline bool ide(const TxWords& d) {
    return regs::i82574l::tx_legacy::IDE.get(d) != 0;
}

/// Sets DD in a descriptor's bytes; nothing else of it changes in a write-back.
inline void mark_done(std::uint8_t* bytes) {
    TxWords words = TxWords::load(bytes);
    regs::i82574l::tx_legacy::DD.put(words, 1);
    words.store(bytes);
}

/// A legacy or data descriptor: a buffer and what is to be done with the packet it belongs to.
struct TxBuffer {
    std::uint64_t address = 0;
    std::uint32_t length = 0;
    bool legacy = false;
    bool eop = false;
    bool ifcs = false;
    bool vle = false;
    std::uint16_t tag = 0;
    bool ic = false;  ///< Legacy only, with CSO and CSS.
    std::uint32_t cso = 0;
    std::uint32_t css = 0;
    bool time_stamp = false;  ///< EXTCMD.TS
    bool tse = false;         ///< Data only.
    bool ixsm = false;
    bool txsm = false;
};
[[nodiscard]] TxBuffer decode_buffer(const TxWords& d);
[[nodiscard]] TxContext decode_context(const TxWords& d);

}  // namespace doorbell
