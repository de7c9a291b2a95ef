#include "testbench/scenario/load_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "testbench/scenario/value_reader.hpp"

namespace doorbell::scenario {
namespace {

using pcie_bench::DisciplineLoad;
using pcie_bench::DmaLoad;

/// What a requester shares with a NIC: the link and the DMA engine.
constexpr std::array<std::string_view, 2> kSharedParams = {"pcie.", "dma."};
/// What needs a host.
constexpr std::array<std::string_view, 7> kHostTables = {
    "host", "generator", "link", "measure", "settings", "verify", "timeline"};
constexpr std::uint32_t kWriteBackBatch = 8;

bool starts_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

}  // namespace

void LoadDecoder::decode(TableReader& file, const HostDecoder& hosts, Scenario& scenario) const {
    const ConfigNode* dma = file.table("dma");
    const ConfigNode* discipline = file.table("discipline");
    if (dma == nullptr && discipline == nullptr) return;
    const char* heading = dma != nullptr ? "[dma]" : "[discipline]";
    if (dma != nullptr && discipline != nullptr) {
        file.error("discipline", "a scenario has a [dma] or a [discipline], not both",
                   "each has a link and a memory of its own: they are two runs");
    }
    refuse_company(file, heading);
    const ConfigNode* nic = file.table("nic");
    refuse_foreign_params(nic, heading);
    scenario.load_params = hosts.common_params();
    if (dma != nullptr) {
        scenario.load = decode_dma(*dma);
    } else {
        scenario.load = decode_discipline(*discipline);
    }
}

void LoadDecoder::refuse_company(TableReader& file, const char* heading) const {
    for (const std::string_view key : kHostTables) {
        if (!file.has(key)) continue;
        file.error(key, fmt::format("a scenario with a {} has no '{}'", heading, key),
                   "its device is alone on its link: there is no host, no guest and no wire");
    }
}

void LoadDecoder::refuse_foreign_params(const ConfigNode* nic, const char* heading) const {
    for (const Leaf& leaf : leaves_of(nic)) {
        const bool shared =
            std::any_of(kSharedParams.begin(), kSharedParams.end(),
                        [&](std::string_view start) { return starts_with(leaf.name, start); });
        if (!shared) {
            diagnostics_.add(leaf.key_at,
                             fmt::format("the device of a {} has no '{}'", heading, leaf.name),
                             "it has a NIC's link and DMA engine: what begins with pcie. or dma.");
        }
        const auto* text = leaf.value->as<std::string>();
        if (leaf.name == "pcie.timing" && text != nullptr && *text == "off") {
            diagnostics_.add(leaf.value->at, "a link without time has no bandwidth to measure");
        }
    }
}

pcie_bench::DmaLoad LoadDecoder::decode_dma(const ConfigNode& node) const {
    TableReader reader(&node, "dma", diagnostics_);
    reader.refuse_unknown();
    ValueReader values(reader, variables_, diagnostics_);
    DmaLoad load;
    const std::string kind = values.choice("kind");
    load.kind = kind == "write"        ? pcie_bench::DmaKind::kWrite
                : kind == "both"       ? pcie_bench::DmaKind::kBoth
                : kind == "write_read" ? pcie_bench::DmaKind::kWriteRead
                                       : pcie_bench::DmaKind::kRead;
    load.order = values.choice("order") == "sequential" ? pcie_bench::DmaOrder::kSequential
                                                        : pcie_bench::DmaOrder::kRandom;
    load.size_bytes = static_cast<std::uint32_t>(values.integer("size_bytes"));
    load.window_bytes = values.count("window_bytes");
    load.align_bytes = static_cast<std::uint32_t>(values.integer("align_bytes"));
    load.in_flight = static_cast<std::uint32_t>(values.integer("in_flight"));
    load.warm_up = values.count("warm_up");
    load.transfers = values.count("transfers");
    if (load.window_bytes < load.size_bytes) {
        values.error("window_bytes", fmt::format("'window_bytes' cannot be {}", load.window_bytes),
                     fmt::format("a transfer of {} bytes does not fit", load.size_bytes));
        load.window_bytes = load.size_bytes;
    }
    if ((load.align_bytes & (load.align_bytes - 1)) != 0) {
        values.error("align_bytes", fmt::format("'align_bytes' cannot be {}", load.align_bytes),
                     "it must be a power of two");
    }
    return load;
}

pcie_bench::DisciplineLoad LoadDecoder::decode_discipline(const ConfigNode& node) const {
    TableReader reader(&node, "discipline", diagnostics_);
    reader.refuse_unknown();
    ValueReader values(reader, variables_, diagnostics_);
    DisciplineLoad load;
    const std::string driver = values.choice("driver");
    load.discipline = driver == "kernel" ? pcie_bench::Discipline::kKernel
                      : driver == "dpdk" ? pcie_bench::Discipline::kDpdk
                                         : pcie_bench::Discipline::kSimple;
    load.frame_bytes = static_cast<std::uint32_t>(values.integer("frame_bytes"));
    load.wire_mbps = static_cast<std::uint32_t>(values.integer("wire_mbps"));
    load.ring_descriptors = static_cast<std::uint32_t>(values.integer("ring_descriptors"));
    load.buffer_frames = static_cast<std::uint32_t>(values.integer("buffer_frames"));
    load.warm_up = values.count("warm_up_frames");
    load.frames = values.count("frames");
    if (load.ring_descriptors % kWriteBackBatch != 0) {
        values.error("ring_descriptors",
                     fmt::format("'ring_descriptors' cannot be {}", load.ring_descriptors),
                     "it must be a multiple of 8, which are written back at once");
    }
    return load;
}

}  // namespace doorbell::scenario
