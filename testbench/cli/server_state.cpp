#include "testbench/cli/server_state.hpp"

#include <fmt/format.h>

#include "hw/plugin/vfio_user.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell::cli {
namespace {

namespace r = regs::i82574l;
namespace vu = plugin::vfio_user;
using json = nlohmann::ordered_json;

class NonZeroMetrics final : public MetricVisitor {
public:
    NonZeroMetrics(json& into, std::string prefix) : into_(into), prefix_(std::move(prefix)) {}
    void metric(std::string_view name, std::uint64_t value) override {
        if (value != 0) into_[prefix_ + std::string(name)] = value;
    }
    void metric_real(std::string_view name, double value) override {
        if (value != 0) into_[prefix_ + std::string(name)] = value;
    }

private:
    json& into_;
    std::string prefix_;
};

std::string hex32(std::uint32_t value) {
    return fmt::format("0x{:08x}", value);
}

std::uint32_t look(const Nic& nic, const regs::Register& reg, std::uint32_t index = 0) {
    return nic.debug_read(r::kMap.bar, reg.offset_of(index));
}

std::string mac_of(const Nic& nic) {
    const std::uint32_t low = look(nic, r::RAL);
    const std::uint32_t high = look(nic, r::RAH);
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", low & 0xff, low >> 8 & 0xff,
                       low >> 16 & 0xff, low >> 24, high & 0xff, high >> 8 & 0xff);
}

json link_state(const Nic& nic) {
    const DeviceState& state = nic.state();
    json link;
    link["up"] = state.link_up;
    if (state.link_up) {
        link["speed_mbps"] = state.speed_mbps;
        link["full_duplex"] = state.full_duplex;
    }
    link["bus_master"] = state.bus_master;
    link["mac"] = mac_of(nic);
    return link;
}

struct RingRegisters {
    const char* name;
    const regs::Register& base_low;
    const regs::Register& base_high;
    const regs::Register& length;
    const regs::Register& head;
    const regs::Register& tail;
    const regs::Field& enable;
};

json ring_state(const Nic& nic, const RingRegisters& ring, std::uint32_t queue) {
    constexpr std::uint32_t kDescriptorBytes = 16;
    const std::uint32_t size = look(nic, ring.length, queue) / kDescriptorBytes;
    const std::uint32_t head = look(nic, ring.head, queue);
    const std::uint32_t tail = look(nic, ring.tail, queue);
    json state;
    state["ring"] = fmt::format("{}{}", ring.name, queue);
    state["base"] = fmt::format("0x{:x}", std::uint64_t{look(nic, ring.base_high, queue)} << 32 |
                                              look(nic, ring.base_low, queue));
    state["descriptors"] = size;
    state["head"] = head;
    state["tail"] = tail;
    if (size == 0) {
        state["state"] = "not set up";
    } else if (ring.enable.get(look(nic, ring.enable.reg)) == 0) {
        state["state"] = "disabled";
    } else if (head >= size || tail >= size) {
        state["state"] = "head or tail beyond the ring";
    } else {
        state["state"] = head == tail ? "empty" : "working";
        state["hardware_owns"] = (tail + size - head) % size;
    }
    return state;
}

json rings_state(const Nic& nic) {
    const RingRegisters tx = {"tx", r::TDBAL, r::TDBAH, r::TDLEN, r::TDH, r::TDT, r::TCTL_EN};
    const RingRegisters rx = {"rx", r::RDBAL, r::RDBAH, r::RDLEN, r::RDH, r::RDT, r::RCTL_EN};
    json rings = json::array();
    for (const RingRegisters* ring : {&tx, &rx}) {
        for (std::uint32_t queue = 0; queue < 2; queue++) {
            rings.push_back(ring_state(nic, *ring, queue));
        }
    }
    return rings;
}

json interrupt_state(const plugin::NicDevice& device) {
    const Nic& nic = device.nic();
    const plugin::InterruptLines& lines = device.interrupts();
    json state;
    state["mode"] = nic.state().msix_enabled ? "MSI-X" : nic.state().msi_enabled ? "MSI" : "INTx";
    state["icr"] = hex32(look(nic, r::ICR));
    state["ims"] = hex32(look(nic, r::IMS));
    state["pin"] = lines.pin_level();
    state["pin_masked"] = lines.pin_masked();
    json vectors = json::array();
    const auto add = [&](const std::string& name, std::uint32_t index, std::uint32_t number) {
        const bool open = lines.has_descriptor(index, number);
        const std::uint64_t delivered = lines.delivered(index, number);
        if (!open && delivered == 0) return;
        vectors.push_back({{"name", name}, {"eventfd", open}, {"delivered", delivered}});
    };
    add("INTx", vu::kIrqIntx, 0);
    add("MSI", vu::kIrqMsi, 0);
    for (std::uint32_t i = 0; i < lines.vectors(); i++) {
        add(fmt::format("MSI-X {}", i), vu::kIrqMsix, i);
    }
    state["vectors"] = vectors;
    return state;
}

json client_state(const plugin::Server& server) {
    json client;
    const plugin::Session* session = server.session();
    client["connected"] = session != nullptr;
    client["number"] = server.clients_served();
    if (session != nullptr && session->peer() > 0) client["process"] = session->peer();
    return client;
}

json memory_state(const plugin::DmaTable& memory) {
    json maps = json::array();
    for (const plugin::DmaTable::Range& range : memory.ranges()) {
        maps.push_back(
            {{"address", fmt::format("0x{:x}", range.address)},
             {"bytes", range.size_bytes},
             {"access", std::string(range.readable ? "r" : "-") + (range.writable ? "w" : "-")},
             {"reachable", range.bytes != nullptr}});
    }
    return maps;
}

json metrics_state(const plugin::Server& server, const plugin::NicDevice& device,
                   const wire::FarSide& far_side) {
    json metrics = json::object();
    NonZeroMetrics nic(metrics, "nic.");
    device.nic().visit_metrics(nic);
    NonZeroMetrics wire(metrics, "wire.");
    far_side.visit_metrics(wire);
    NonZeroMetrics client(metrics, "client.");
    plugin::Session::Counters sum = server.earlier_sessions();
    if (server.session() != nullptr) {
        const plugin::Session::Counters& now = server.session()->counters();
        sum.receives += now.receives;
        sum.messages += now.messages;
        sum.region_reads += now.region_reads;
        sum.region_writes += now.region_writes;
        sum.errors += now.errors;
    }
    client.metric("receives", sum.receives);
    client.metric("messages", sum.messages);
    client.metric("region_reads", sum.region_reads);
    client.metric("region_writes", sum.region_writes);
    client.metric("errors", sum.errors);
    const plugin::NicDevice::Counters& counters = device.counters();
    client.metric("register_reads", counters.register_reads);
    client.metric("register_writes", counters.register_writes);
    client.metric("config_reads", counters.config_reads);
    client.metric("config_writes", counters.config_writes);
    client.metric("dma_read_bytes", counters.dma_read_bytes);
    client.metric("dma_write_bytes", counters.dma_write_bytes);
    client.metric("dma_failures", counters.dma_failures);
    return metrics;
}

std::string yes_no(const json& value) {
    return value.get<bool>() ? "yes" : "no";
}

std::string link_text(const json& link) {
    if (!link["up"].get<bool>()) return "down";
    return fmt::format("up, {} Mb/s {} duplex", link["speed_mbps"].get<std::uint32_t>(),
                       link["full_duplex"].get<bool>() ? "full" : "half");
}

}  // namespace

json server_state(const plugin::Server& server, const plugin::NicDevice& device,
                  const plugin::ModelTime& time, const wire::FarSide& far_side) {
    json state;
    state["time_s"] = static_cast<double>(time.now_ps() / microseconds(1)) / 1e6;
    state["pace"] = time.pace() == plugin::Pace::kWall ? "wall" : "fast";
    state["link"] = link_state(device.nic());
    state["client"] = client_state(server);
    state["rings"] = rings_state(device.nic());
    state["interrupts"] = interrupt_state(device);
    state["memory"] = memory_state(device.memory());
    state["metrics"] = metrics_state(server, device, far_side);
    return state;
}

std::string state_text(const json& state) {
    const json& link = state["link"];
    const json& client = state["client"];
    const json& irq = state["interrupts"];
    std::string text = fmt::format(
        "time        {:.6f} s ({})\n"
        "link        {}; MAC {}, bus master {}\n",
        state["time_s"].get<double>(), state["pace"].get<std::string>(), link_text(link),
        link["mac"].get<std::string>(), yes_no(link["bus_master"]));
    text += "client      ";
    if (client["connected"].get<bool>()) {
        text += fmt::format("number {}", client["number"].get<std::uint64_t>());
        if (client.contains("process")) {
            text += fmt::format(", process {}", client["process"].get<int>());
        }
        text += "\n";
    } else {
        text += fmt::format("none now, {} so far\n", client["number"].get<std::uint64_t>());
    }
    text += "rings\n";
    for (const json& ring : state["rings"]) {
        text +=
            fmt::format("  {:<4} base {:<14} descriptors {:<6} head {:<6} tail {:<6} {}",
                        ring["ring"].get<std::string>(), ring["base"].get<std::string>(),
                        ring["descriptors"].get<std::uint32_t>(), ring["head"].get<std::uint32_t>(),
                        ring["tail"].get<std::uint32_t>(), ring["state"].get<std::string>());
        if (ring.contains("hardware_owns")) {
            text +=
                fmt::format(", {} with the hardware", ring["hardware_owns"].get<std::uint32_t>());
        }
        text += "\n";
    }
    text += fmt::format("interrupts  {}, ICR {}, IMS {}, pin {}{}\n",
                        irq["mode"].get<std::string>(), irq["icr"].get<std::string>(),
                        irq["ims"].get<std::string>(), irq["pin"].get<bool>() ? "high" : "low",
                        irq["pin_masked"].get<bool>() ? " (masked by the client)" : "");
    for (const json& vector : irq["vectors"]) {
        text +=
            fmt::format("  {:<8} eventfd {:<4} delivered {}\n", vector["name"].get<std::string>(),
                        yes_no(vector["eventfd"]), vector["delivered"].get<std::uint64_t>());
    }
    text += fmt::format("memory      {} ranges\n", state["memory"].size());
    for (const json& range : state["memory"]) {
        text += fmt::format("  {:<14} {:>12} bytes {}{}\n", range["address"].get<std::string>(),
                            range["bytes"].get<std::uint64_t>(), range["access"].get<std::string>(),
                            range["reachable"].get<bool>() ? "" : "  no descriptor: out of reach");
    }
    text += "metrics (those that are not zero)\n";
    for (const auto& [name, value] : state["metrics"].items()) {
        text += fmt::format("  {:<40} {}\n", name, value.dump());
    }
    return text;
}

std::string summary_text(const json& state) {
    const json& metrics = state["metrics"];
    const auto of = [&](const char* name) {
        return metrics.contains(name) ? metrics[name].get<std::uint64_t>() : 0;
    };
    return fmt::format(
        "served {} client{} in {:.3f} s\n"
        "frames      {} out, {} in\n"
        "accesses    {} register reads, {} register writes, {} messages in {} receives\n"
        "memory      {} bytes read, {} written, {} failed accesses\n"
        "errors      {} messages refused\n",
        state["client"]["number"].get<std::uint64_t>(),
        state["client"]["number"].get<std::uint64_t>() == 1 ? "" : "s",
        state["time_s"].get<double>(), of("nic.tx.frames"), of("nic.rx.frames"),
        of("client.register_reads"), of("client.register_writes"), of("client.messages"),
        of("client.receives"), of("client.dma_read_bytes"), of("client.dma_write_bytes"),
        of("client.dma_failures"), of("client.errors"));
}

}  // namespace doorbell::cli
