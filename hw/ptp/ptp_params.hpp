#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// What is open about IEEE 1588 (specification section 13), and its erratum (section 11).
struct PtpParams {
    /// U8: the read that releases a receive time stamp.
    enum class RxRelease : std::uint8_t { kEither = 0, kStampHigh = 1, kAttributesHigh = 2 };
    /// U9: which of RXUDP's bytes is the high one of the port.
    enum class PortOrder : std::uint8_t {
        kNetwork = 0,  ///< Bits 7:0: Linux writes the port in network order.
        kHost = 1,
    };
    /// SYSTIM reads that cannot be relied on: Linux reads again until two of them make sense.
    enum class SystimErratum : std::uint8_t {
        kNone = 0,
        kUnlatched = 1,  ///< SYSTIMH is not latched: the halves may be of different instants.
        kWrongHigh = 2,  ///< Every eighth read of SYSTIML latches a wrong high half.
    };

    /// U7: period of the clock that TIMINCA counts.
    Picoseconds u7_clock_ps = nanoseconds(40);
    RxRelease u8_rx_release = RxRelease::kEither;
    PortOrder u9_rxudp = PortOrder::kNetwork;
    SystimErratum erratum_systim = SystimErratum::kNone;
};

}  // namespace doorbell
