#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "hw/base/time.hpp"
#include "testbench/pcie_bench/load.hpp"
#include "testbench/scenario/config_node.hpp"
#include "testbench/wire/link.hpp"
#include "testbench/wire/traffic_generator.hpp"

/// A scenario as plain structs, every value checked and every ${variable} replaced.
namespace doorbell::scenario {

/// A parameter of a NIC: what hw/nic's table takes.
using ParamValue = std::variant<bool, std::int64_t, std::string>;
struct Param {
    std::string name;
    ParamValue value;
};
/// A setting of a guest; the guest parses it.
struct Setting {
    std::string name;
    std::string value;
};

struct Interface {
    std::uint32_t nic = 0;
    std::uint32_t address = 0;  ///< Host byte order.
    std::uint32_t prefix_bits = 24;
    std::uint32_t mtu_bytes = 1500;
};

struct Route {
    std::uint32_t destination = 0;
    std::uint32_t prefix_bits = 0;
    std::uint32_t gateway = 0;
    std::uint32_t interface = 0;
    std::uint32_t metric = 0;
};

struct App {
    std::vector<std::string> argv;
    Picoseconds start_ps = 0;
    bool background = false;
};

struct Host {
    std::string name;
    std::string image;
    std::vector<std::vector<Param>> nics;  ///< Per NIC, [nic] and then [[host.nic]].
    std::vector<Interface> interfaces;
    std::vector<Route> routes;
    std::vector<App> apps;
    std::vector<Setting> settings;
};

struct LinkEnd {
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};
    std::uint32_t host = 0;
    std::uint32_t nic = 0;
    std::uint32_t generator = kNone;  ///< Instead of a host's NIC.
    [[nodiscard]] bool is_generator() const { return generator != kNone; }
};

/// A source and sink of frames at a link's end, without a guest.
struct Generator {
    std::string name;
    wire::GeneratorParams params;
    std::uint32_t rate_mbps = 0;   ///< 0: its link's.
    bool has_destination = false;  ///< Else the NIC at the other end of its link.
};

/// What is measured of a NIC: at which rate frames cross its link, and what bounds it.
struct Measure {
    std::uint32_t link = 0;
    std::uint32_t end = 0;  ///< The NIC's.
    bool tx = true;
    bool rx = true;
    Picoseconds warm_up_ps = 0;
    std::uint64_t frames = 0;
    bool latency = false;  ///< Of each frame, between driver and wire.
};

struct Link {
    std::string name;
    std::array<LinkEnd, 2> ends;
    std::array<std::string, 2> end_names;  ///< "a.nic0"
    wire::LinkParams params;
};

struct Verification {
    std::string input;
    std::string output;
};

/// A change of a link's faults: what is absent stays.
struct FaultChange {
    std::optional<std::uint32_t> loss_ppm, duplicate_ppm, reorder_ppm, corrupt_ppm, delay_ppm;
    std::optional<std::uint64_t> delay_limit_ns;
    void apply(wire::FaultParams& faults) const;
};

enum class ActionKind : std::uint8_t { kCableOut, kCableIn, kFaults };

struct Action {
    Picoseconds at_ps = 0;
    ActionKind kind = ActionKind::kCableOut;
    std::uint32_t link = 0;
    bool forward = true;
    bool backward = true;
    FaultChange faults;
};

struct Expectation {
    std::string metric;
    std::string op;
    /// Of a metric that is a word: what it is to be. `limit` means nothing then.
    std::optional<std::string> word;
    std::variant<std::uint64_t, double, std::string> limit;  ///< A string: another metric.
    double times = 1;
    std::string why;
    /// As the scenario says it, for people.
    [[nodiscard]] std::string text() const;
};

/// What a device plays that a scenario has instead of hosts.
using Load = std::variant<pcie_bench::DmaLoad, pcie_bench::DisciplineLoad>;

struct Scenario {
    std::string name;
    std::string description;
    Picoseconds timeout_ps = 0;
    Picoseconds drain_ps = 0;
    std::vector<Host> hosts;
    std::vector<Generator> generators;
    std::vector<Link> links;
    std::optional<Measure> measure;
    std::optional<Load> load;
    std::vector<Param> load_params;  ///< Of its link and DMA engine: [nic].
    std::vector<Verification> verifications;
    std::vector<Action> timeline;  ///< In the order of time.
    std::vector<Expectation> expectations;
};

}  // namespace doorbell::scenario
