#pragma once

#include <cstdint>

namespace doorbell {

/// The statistics of the part by their datasheet names. Blocks count; only `stats` knows that they
/// are registers, 32 bits wide, saturating and cleared by reading. GORC, GOTC, TOR and TOT are
/// octet counters of 64 bits.
enum class Stat : std::uint8_t {
    kCRCERRS,
    kALGNERRC,
    kSYMERRS,
    kRXERRC,
    kMPC,
    kSCC,
    kECOL,
    kMCC,
    kLATECOL,
    kCOLC,
    kDC,
    kTNCRS,
    kSEC,
    kCEXTERR,
    kRLEC,
    kXONRXC,
    kXONTXC,
    kXOFFRXC,
    kXOFFTXC,
    kFCRUC,
    kPRC64,
    kPRC127,
    kPRC255,
    kPRC511,
    kPRC1023,
    kPRC1522,
    kGPRC,
    kBPRC,
    kMPRC,
    kGPTC,
    kGORC,
    kGOTC,
    kRNBC,
    kRUC,
    kRFC,
    kROC,
    kRJC,
    kMGTPRC,
    kMGTPDC,
    kMGTPTC,
    kTOR,
    kTOT,
    kTPR,
    kTPT,
    kPTC64,
    kPTC127,
    kPTC255,
    kPTC511,
    kPTC1023,
    kPTC1522,
    kMPTC,
    kBPTC,
    kTSCTC,
    kTSCTFC,
    kIAC,
    kICRXPTC,
    kICRXATC,
    kICTXPTC,
    kICTXATC,
    kICTXQEC,
    kICTXQMTC,
    kICRXDMTC,
    kICRXOC,
    kCount
};

class StatsPort {
public:
    virtual ~StatsPort() = default;
    virtual void count(Stat stat, std::uint64_t amount = 1) = 0;
};

}  // namespace doorbell
