#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "testbench/scenario/knowledge.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::scenario {

/// What a small NIC and a small image would answer.
class TestKnowledge final : public Knowledge {
public:
    [[nodiscard]] std::vector<std::string> nic_params() const override {
        return {"irq.itr", "phy.autonegotiation_ms", "pcie.lanes"};
    }
    [[nodiscard]] std::string check_nic_param(const std::string& name,
                                              const ParamValue& value) const override {
        const auto* number = std::get_if<std::int64_t>(&value);
        if (number == nullptr) return "'" + name + "' must be an integer";
        if (*number > 4000) return "'" + name + "' must be 0..4000";
        return "";
    }
    [[nodiscard]] const ImageContents* image(const std::string& name,
                                             std::string& why) const override {
        if (name == "default") return &image_;
        why = "no such file";
        return nullptr;
    }
    [[nodiscard]] std::vector<GuestMistake> check_guest(const Host& host) const override {
        return guest ? guest(host) : std::vector<GuestMistake>{};
    }
    std::function<std::vector<GuestMistake>(const Host&)> guest;
    [[nodiscard]] std::vector<std::string> metrics(const Scenario& scenario) const override {
        std::vector<std::string> names = {"workload.identical", "workload.bytes"};
        if (scenario.load && std::holds_alternative<pcie_bench::DmaLoad>(*scenario.load)) {
            names.insert(names.end(), {"dma.goodput_gbps", "dma.link_gbps"});
        } else if (scenario.load) {
            names.emplace_back("discipline.gbps");
        }
        for (const Host& host : scenario.hosts) {
            names.push_back("host." + host.name + ".tcp.retransmissions_segments");
            for (std::size_t i = 0; i < host.nics.size(); i++) {
                names.push_back("host." + host.name + ".nic" + std::to_string(i) + ".tx.frames");
            }
        }
        if (scenario.measure) names.emplace_back("bound_by");
        for (const Generator& g : scenario.generators) {
            names.push_back("generator." + g.name + ".sent.frames");
        }
        return names;
    }
    [[nodiscard]] std::string check_input(const std::string& name) const override {
        return name.find("missing") == std::string::npos ? "" : "No such file or directory";
    }
    [[nodiscard]] std::string check_output(const std::string& name) const override {
        return name.find("missing") == std::string::npos ? "" : "No such file or directory";
    }
    [[nodiscard]] std::string evidence_in(const std::string& folder,
                                          const std::string& name) const override {
        return name == folder + "/wire.pcapng" ? "wire.pcapng" : "";
    }
    [[nodiscard]] bool same_file(const std::string& a, const std::string& b) const override {
        return a == b;
    }

private:
    ImageContents image_{
        {{"tcp_send", "--to ADDRESS --file NAME [--count N:1..100]", "", ""},
         {"tcp_receive", "--file NAME", "", ""}},
        {{"driver.tx_ring", "8..4096, by 8", "256", ""}, {"driver.itr", "0..65535", "0", ""}}};
};

inline constexpr const char* kGoodScenario = R"([scenario]
name = "tcp_file"
description = "A file crosses."
timeout_ms = 5000

[workload]
input = "generate:${workload.bytes}"
bytes = 1000
output = "${out}/received"

[nic]
phy.autonegotiation_ms = 1

[settings]
driver.tx_ring = 128

[[host]]
name = "a"
[[host.interface]]
address = "10.0.0.1/24"
[[host.app]]
run = "tcp_send --to 10.0.0.2 --file '${workload.input}'"
start_us = 10

[[host]]
name = "b"
[host.settings]
driver.itr = 200
[[host.nic]]
irq.itr = 7
[[host.interface]]
address = "10.0.0.2/24"
mtu_bytes = 1400
[[host.route]]
to = "0.0.0.0/0"
via = "10.0.0.1"
interface = 0
[[host.app]]
run = ["tcp_receive", "--file", "${workload.output}"]
background = true

[[link]]
ends = ["a.nic0", "b.nic0"]
propagation_ns = 25
[link.faults]
loss_ppm = 10
[link.faults.backward]
loss_ppm = 20

[[verify]]
input = "${workload.input}"
output = "${workload.output}"

[[timeline]]
at_us = 2000
action = "cable_in"
link = "wire0"
[[timeline]]
at_us = 1000
action = "cable_out"
link = "wire0"

[[expect]]
metric = "workload.identical"
value = 1
[[expect]]
metric = "workload.bytes"
value = "${workload.bytes}"
[[expect]]
metric = "host.a.nic0.tx.frames"
op = ">="
other = "host.b.nic0.tx.frames"
times = 0.5
)";

/// A text as a scenario, or the mistakes in it.
struct Decoded {
    explicit Decoded(const std::string& text, const std::vector<std::string>& sets = {})
        : file(text, "s.toml", sets) {
        messages = file.diagnostics().text();
        if (!file.good()) return;
        Diagnostics diagnostics;
        scenario = file.decode(0, {"out/x", 3}, knowledge, diagnostics);
        messages += diagnostics.text();
    }
    TestKnowledge knowledge;
    ScenarioFile file;
    Scenario scenario;
    std::string messages;
};

/// The text with one place changed, which must be there.
inline std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return text.replace(at, from.size(), to);
}

}  // namespace doorbell::scenario
