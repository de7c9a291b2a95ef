#include "testbench/report/symptoms.hpp"

#include <algorithm>
#include <array>

namespace doorbell::report {
namespace {

/// Whole components of a name, at its end or, with a dot behind, in its middle.
constexpr std::array<std::string_view, 27> kSymptoms = {".drops.",
                                                        ".iommu.faults.",
                                                        ".dma.failed.",
                                                        ".iommu.refused",
                                                        ".iommu.misused",
                                                        ".irq.spurious",
                                                        ".tx.bad_tail_doorbells",
                                                        ".rx.bad_tail_doorbells",
                                                        ".tx.ring_faults",
                                                        ".rx.ring_faults",
                                                        ".rx.failed_frames",
                                                        ".rx.null_descriptors",
                                                        ".rx.descriptor_shortage_frames",
                                                        ".rx.buffers_exhausted",
                                                        ".tx.abandoned_frames",
                                                        ".tx.checksum_skipped_frames",
                                                        ".tx.no_memory",
                                                        ".registers.unlisted.accesses",
                                                        ".core_lock.backlog_dropped",
                                                        ".arp.given_up",
                                                        ".ip.no_route",
                                                        ".ip.checksum_bad",
                                                        ".l4.checksum_bad",
                                                        ".tcp.timeouts",
                                                        ".corrupted.frames",
                                                        ".lost",
                                                        ".errors"};

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

bool is_symptom(std::string_view metric) {
    // Of the watchdog; the driver and the device count every start as one.
    if (ends_with(metric, ".resets")) {
        return !ends_with(metric, ".device.resets") && !ends_with(metric, ".driver.resets");
    }
    return std::any_of(kSymptoms.begin(), kSymptoms.end(), [&](std::string_view symptom) {
        return symptom.back() == '.' ? metric.find(symptom) != std::string_view::npos
                                     : ends_with(metric, symptom);
    });
}

}  // namespace doorbell::report
