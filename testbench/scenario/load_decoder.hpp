#pragma once

#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/host_decoder.hpp"
#include "testbench/scenario/scenario.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {

/// A [dma] or a [discipline]: a device that a scenario has instead of hosts. Their values may be
/// variables, so that a sweep and `--set workload.KEY` reach them.
class LoadDecoder {
public:
    LoadDecoder(Variables& variables, Diagnostics& diagnostics)
        : variables_(variables), diagnostics_(diagnostics) {}

    /// Nothing when the file has neither. `hosts` decodes [nic].
    void decode(TableReader& file, const HostDecoder& hosts, Scenario& scenario) const;

private:
    void refuse_company(TableReader& file, const char* heading) const;
    void refuse_foreign_params(const ConfigNode* nic, const char* heading) const;
    [[nodiscard]] pcie_bench::DmaLoad decode_dma(const ConfigNode& node) const;
    [[nodiscard]] pcie_bench::DisciplineLoad decode_discipline(const ConfigNode& node) const;

    Variables& variables_;
    Diagnostics& diagnostics_;
};

}  // namespace doorbell::scenario
