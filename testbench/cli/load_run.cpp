#include "testbench/cli/load_run.hpp"

#include <cassert>
#include <variant>

#include "testbench/pcie_bench/discipline_player.hpp"
#include "testbench/pcie_bench/dma_player.hpp"
#include "testbench/pcie_bench/formula.hpp"

namespace doorbell::cli {
namespace {

using pcie_bench::DisciplineLoad;
using pcie_bench::DisciplinePlayer;
using pcie_bench::DmaLoad;
using pcie_bench::DmaPlayer;

NicParams params_of(const scenario::Scenario& scenario) {
    NicParams params;
    // A burst that becomes visible as one would be answered as one, and the link idle meanwhile.
    params.dma.coalesce_posted_writes = false;
    for (const scenario::Param& param : scenario.load_params) {
        const std::string wrong = set_nic_param(params, param.name, param.value);
        assert(wrong.empty() && "the decoder has checked it");
    }
    return params;
}

std::uint64_t memory_bytes(const scenario::Load& load) {
    if (const auto* dma = std::get_if<DmaLoad>(&load)) return dma->window_bytes;
    return DisciplinePlayer::memory_bytes(std::get<DisciplineLoad>(load));
}

}  // namespace

LoadRun::LoadRun(const scenario::Scenario& scenario, std::uint64_t seed, Timeline& timeline,
                 EventPort events)
    : load_(*scenario.load),
      params_(params_of(scenario)),
      memory_(memory_bytes(load_)),
      device_(params_.pcie, params_.dma, seed, timeline, memory_, events),
      player_(make_player(seed, timeline, events)) {}

std::unique_ptr<pcie_bench::Player> LoadRun::make_player(std::uint64_t seed, Timeline& timeline,
                                                         EventPort events) {
    if (const auto* dma = std::get_if<DmaLoad>(&load_)) {
        return std::make_unique<DmaPlayer>(*dma, seed, timeline, device_.dma(),
                                           pcie_bench::HostMemory::kBase);
    }
    return std::make_unique<DisciplinePlayer>(std::get<DisciplineLoad>(load_), timeline, memory_,
                                              device_, events);
}

std::string LoadRun::running() const {
    return std::holds_alternative<DmaLoad>(load_) ? "the transfers of [dma]"
                                                  : "the frames of [discipline]";
}

void LoadRun::visit_metrics(MetricVisitor& visitor) const {
    player_->visit_metrics(visitor);
    device_.visit_metrics(visitor);
    if (const auto* dma = std::get_if<DmaLoad>(&load_)) {
        visitor.metric_real("dma.link_gbps", pcie_bench::dma_gbps(*dma, params_.pcie));
    }
}

}  // namespace doorbell::cli
