#include "testbench/scenario/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "testbench/pcie_bench/load.hpp"
#include "testbench/wire/traffic_generator.hpp"

namespace doorbell::scenario {
namespace {

constexpr std::int64_t kHour_ms = 3'600'000;
constexpr std::int64_t kManyFrames = 1'000'000'000'000;
constexpr std::int64_t kMillion = 1'000'000;
constexpr std::int64_t kManyNs = 10'000'000'000;
constexpr std::size_t kColumns = 96;

/// The words of a text in lines, each behind `indent` blanks.
std::string wrapped(std::string_view text, std::size_t indent) {
    std::string result(indent, ' ');
    std::size_t column = indent;
    while (!text.empty()) {
        const std::string_view word = text.substr(0, text.find(' '));
        if (column > indent && column + 1 + word.size() > kColumns) {
            result += "\n" + std::string(indent, ' ');
            column = indent;
        } else if (column > indent) {
            result += ' ';
            column++;
        }
        result += word;
        column += word.size();
        text.remove_prefix(std::min(text.size(), word.size() + 1));
    }
    return result + "\n";
}

using T = KeyType;

}  // namespace

const std::vector<SchemaSection>& schema_sections() {
    static const std::vector<SchemaSection> sections = {
        {"", "(top level)",
         "The tables of a scenario file. One that proves nothing is an error: it must link "
         "something "
         "([[link]]), run something (a [[host.app]] that it waits for, or a [[timeline]]), and "
         "expect "
         "something ([[expect]] or [[verify]]). Instead of hosts and links it may have one device "
         "that plays a load on its PCIe link: a [dma] or a [discipline].",
         false},
        {"scenario", "[scenario]", "What this is.", false},
        {"workload", "[workload]",
         "Variables of your own. ${workload.KEY} stands for one in the arguments of programs, in "
         "settings, in [dma] and [discipline], in [[verify]] and in the values of [[expect]]; "
         "--set workload.KEY=... changes it. ${out} is the run's output folder, ${seed} its seed.",
         true},
        {"nic", "[nic]",
         "Parameters of every NIC by their dotted names; see `doorbell describe nic`. Unless "
         "nvm.mac_address says otherwise, NIC N of the Mth host (from 1) is 02:00:00:00:MM:NN.",
         true},
        {"settings", "[settings]",
         "Settings of every guest (driver, kernel, CPU costs) by their dotted names; see `doorbell "
         "describe guest`.",
         true},
        {"host", "[[host]]", "A simulated computer with its own guest.", false},
        {"host.nic", "[[host.nic]]",
         "A NIC of this host, with the parameters in which it differs from [nic]. Without any, the "
         "host has one.",
         true},
        {"host.settings", "[host.settings]",
         "Settings in which this host's guest differs from [settings].", true},
        {"host.interface", "[[host.interface]]", "An IPv4 interface on a NIC.", false},
        {"host.route", "[[host.route]]", "A route beyond the interfaces' own networks.", false},
        {"host.app", "[[host.app]]", "A program the guest starts.", false},
        {"generator", "[[generator]]",
         "Sends frames at one end of a link and takes what comes, without a guest: IPv4 datagrams "
         "as packet_generator's, for a packet_sink. It begins when the NIC at the other end "
         "listens, and obeys no PAUSE. The run waits for it. A value may be a "
         "\"${workload.KEY}\".",
         false},
        {"link", "[[link]]", "A cable between two NICs, or a NIC and a generator.", false},
        {"link.faults", "[link.faults]",
         "What the wire does to frames; rates in parts per million of the frames. Keys that stand "
         "here hold for both directions.",
         false},
        {"link.faults.forward", "[link.faults.forward]", "Only from the first end to the second.",
         false},
        {"link.faults.backward", "[link.faults.backward]", "Only from the second end to the first.",
         false},
        {"dma", "[dma]",
         "A DMA engine on a PCIe link, and nothing else of a NIC: moves bytes from and to a window "
         "of host memory, as pcie-bench does. [nic] has the parameters of its link and engine: "
         "pcie.* and dma.*; posted writes become visible one by one unless "
         "dma.coalesce_posted_writes says otherwise. There is no wire, so nothing is captured. A "
         "value may be a \"${workload.KEY}\".",
         false},
        {"discipline", "[discipline]",
         "A NIC and its driver reduced to their descriptor traffic: tail writes, descriptor "
         "fetches, data, write-backs, interrupts and reads of the head register, in both "
         "directions at once over a wire that leads back. [nic] as for [dma]. A value may be a "
         "\"${workload.KEY}\".",
         false},
        {"verify", "[[verify]]",
         "Two files that must be equal after the run: makes the metric workload.identical.", false},
        {"measure", "[measure]",
         "The rate at which frames cross a NIC's link in steady traffic, and what bounds it: makes "
         "the metrics wire.* and bound_by. A value may be a \"${workload.KEY}\".",
         false},
        {"timeline", "[[timeline]]", "Something that happens at a time.", false},
        {"expect", "[[expect]]",
         "What must hold of the metrics at the end; see `doorbell describe metrics`.", false},
        {"sweep", "[sweep]",
         "Keys, as --set takes them, each with a list of values: one run for each combination. Or, "
         "as [[sweep]], tables of keys with one value each: one run for each table. A key that "
         "--set "
         "gives is swept no longer, and runs that differed in nothing else are one.",
         true},
    };
    return sections;
}

const std::vector<SchemaKey>& schema_keys() {
    static const std::vector<SchemaKey> keys = {
        {"", "scenario", T::kTable, 0, 0, nullptr, "", "What this is."},
        {"", "workload", T::kTable, 0, 0, "", "", "Variables."},
        {"", "nic", T::kTable, 0, 0, "", "", "Parameters of every NIC."},
        {"", "settings", T::kTable, 0, 0, "", "", "Settings of every guest."},
        {"", "host", T::kTables, 0, 0, "", "", "The computers."},
        {"", "generator", T::kTables, 0, 0, "", "", "Traffic from no guest."},
        {"", "link", T::kTables, 0, 0, "", "", "The cables."},
        {"", "measure", T::kTable, 0, 0, "", "", "What bounds the frame rate of a NIC."},
        {"", "dma", T::kTable, 0, 0, "", "", "Instead of hosts: transfers of a DMA engine."},
        {"", "discipline", T::kTable, 0, 0, "", "",
         "Instead of hosts: descriptor traffic of a NIC and its driver."},
        {"", "verify", T::kTables, 0, 0, "", "", "Files to compare."},
        {"", "timeline", T::kTables, 0, 0, "", "", "Events during the run."},
        {"", "expect", T::kTables, 0, 0, "", "", "Expectations."},
        {"", "sweep", T::kAny, 0, 0, "", "", "Values to run through."},

        {"scenario", "name", T::kString, 0, 0, nullptr, "", "Letters, digits, '_' and '-'."},
        {"scenario", "description", T::kString, 0, 0, nullptr, "", "One or two sentences."},
        {"scenario", "timeout_ms", T::kInteger, 1, kHour_ms, "60000", "",
         "Simulated time after which a run that has not finished has failed."},
        {"scenario", "drain_us", T::kInteger, 0, kHour_ms, "1000", "",
         "Simulated time the run goes on after the last application has ended, so that what is "
         "under way arrives. Without an application that is waited for, the whole run."},

        {"host", "name", T::kString, 0, 0, nullptr, "", "Letters, digits, '_' and '-'."},
        {"host", "image", T::kString, 0, 0, "default", "",
         "The guest image: \"default\", the name of one beside it, or a path (relative to the "
         "scenario file)."},
        {"host", "nic", T::kTables, 0, 0, "", "", "The NICs."},
        {"host", "settings", T::kTable, 0, 0, "", "", "Settings of this guest."},
        {"host", "interface", T::kTables, 0, 0, "", "", "IPv4 interfaces."},
        {"host", "route", T::kTables, 0, 0, "", "", "Routes."},
        {"host", "app", T::kTables, 0, 0, "", "", "Programs."},

        {"host.interface", "nic", T::kInteger, 0, 7, "0", "", "Which NIC of the host."},
        {"host.interface", "address", T::kString, 0, 0, nullptr, "",
         "IPv4 address with its prefix: \"10.0.0.1/24\"."},
        {"host.interface", "mtu_bytes", T::kInteger, 576, 9000, "1500", "",
         "Largest IP packet (RFC 791 asks for 576 at least)."},

        {"host.route", "to", T::kString, 0, 0, nullptr, "",
         "Destination network: \"10.1.0.0/16\"; \"0.0.0.0/0\" is the default route."},
        {"host.route", "via", T::kString, 0, 0, "", "",
         "The gateway's address; without it the destination is on the interface's own network."},
        {"host.route", "interface", T::kInteger, 0, 7, nullptr, "",
         "Which [[host.interface]], from 0."},
        {"host.route", "metric", T::kInteger, 0, 65535, "0", "",
         "Among routes of the same prefix the lowest wins."},

        {"host.app", "run", T::kAny, 0, 0, nullptr, "",
         "The program and its arguments, as a line or as an array of strings; see `doorbell "
         "describe guest`."},
        {"host.app", "start_us", T::kInteger, 0, kHour_ms * 1000, "0", "",
         "Simulated time at which it starts."},
        {"host.app", "background", T::kBoolean, 0, 0, "false", "",
         "The run does not wait for its end (a server)."},

        {"host.app", "when", T::kString, 0, 0, "", "",
         "A condition, without which it is not there: \"${workload.direction} == tx|both\"."},

        {"generator", "name", T::kString, 0, 0, "", "", "Without it: gen0, gen1, ..."},
        {"generator", "size_bytes", T::kInteger, wire::GeneratorParams::kLeastBytes,
         wire::GeneratorParams::kMostBytes, "64", "", "Of a frame, with FCS and VLAN tag."},
        {"generator", "count", T::kInteger, 0, kManyFrames, "0", "",
         "Frames it sends; 0: it only takes what comes."},
        {"generator", "rate_mbps", T::kInteger, 0, 400'000, "0", "",
         "How fast it sends a frame; 0: as its link carries."},
        {"generator", "rate_fps", T::kInteger, 0, 1'000'000'000, "0", "",
         "Frames a second; 0: one right behind the other."},
        {"generator", "start_us", T::kInteger, 0, kHour_ms * 1000, "0", "",
         "Simulated time before which it sends nothing."},
        {"generator", "to", T::kString, 0, 0, "", "",
         "Destination address; without it that of the NIC at the other end."},
        {"generator", "vlan_tag", T::kInteger, 0, 65535, "0", "", "0: untagged."},
        {"generator", "port", T::kInteger, 1, 65535, "9", "", "UDP port, as packet_sink's."},
        {"generator", "when", T::kString, 0, 0, "", "",
         "A condition, without which it sends nothing: \"${workload.direction} == rx|both\"."},

        {"link", "name", T::kString, 0, 0, "", "", "Without it: wire0, wire1, ..."},
        {"link", "ends", T::kAny, 0, 0, nullptr, "",
         "Two NICs: [\"a.nic0\", \"b.nic0\"], or a NIC and the name of a generator. Forward leads "
         "from the first to the second."},
        {"link", "rate_mbps", T::kInteger, 1, 400'000, "1000", "",
         "What the cable carries: below 1000 the PHYs cannot agree on 1000BASE-T."},
        {"link", "propagation_ns", T::kInteger, 0, kManyNs, "10", "",
         "Time of a bit from end to end (copper: 5 ns for a metre)."},
        {"link", "faults", T::kTable, 0, 0, "", "", "What the wire does to frames."},

        {"link.faults", "loss_ppm", T::kInteger, 0, kMillion, "0", "", "Frames that vanish."},
        {"link.faults", "duplicate_ppm", T::kInteger, 0, kMillion, "0", "",
         "Frames that arrive twice."},
        {"link.faults", "reorder_ppm", T::kInteger, 0, kMillion, "0", "",
         "Frames that one to three others overtake."},
        {"link.faults", "corrupt_ppm", T::kInteger, 0, kMillion, "0", "",
         "Frames of which one to three bits flip."},
        {"link.faults", "delay_ppm", T::kInteger, 0, kMillion, "0", "",
         "Frames that are held up, and all behind them."},
        {"link.faults", "delay_limit_ns", T::kInteger, 1, kManyNs, "100000", "",
         "How long at most."},
        {"link.faults", "forward", T::kTable, 0, 0, "", "", "One direction."},
        {"link.faults", "backward", T::kTable, 0, 0, "", "", "The other."},

        {"dma", "kind", T::kString, 0, 0, nullptr, "read|write|both|write_read",
         "both: a read and a write at once, to places of their own; write_read: a read behind a "
         "write of the same bytes."},
        {"dma", "size_bytes", T::kInteger, 1, pcie_bench::DmaLoad::kMaxSizeBytes, nullptr, "",
         "Bytes of a transfer."},
        {"dma", "window_bytes", T::kInteger, 1, pcie_bench::DmaLoad::kMaxWindowBytes, "8192", "",
         "Host memory in which the transfers go to places of their size, none across a page of "
         "4096 bytes unless it is larger."},
        {"dma", "order", T::kString, 0, 0, "random", "random|sequential",
         "Of the places in the window."},
        {"dma", "align_bytes", T::kInteger, 1, 4096, "64", "",
         "Places begin at multiples of this power of two."},
        {"dma", "in_flight", T::kInteger, 1, pcie_bench::DmaLoad::kMaxInFlight, "128", "",
         "Transfers under way. 1 measures the latency of an idle link; bandwidth takes as many as "
         "cover the latency, and for reads as many tags (dma.read_tags)."},
        {"dma", "warm_up", T::kInteger, 0, kMillion, "2000", "",
         "Transfers before those that are measured."},
        {"dma", "transfers", T::kInteger, 1, 100 * kMillion, "100000", "",
         "Transfers that are measured."},

        {"discipline", "driver", T::kString, 0, 0, nullptr, "simple|kernel|dpdk",
         "simple: one of everything for each packet; kernel: an 82599 below a kernel's driver; "
         "dpdk: below one that polls."},
        {"discipline", "frame_bytes", T::kInteger, 64, 2048, nullptr, "",
         "FCS included; PCIe moves 4 less."},
        {"discipline", "wire_mbps", T::kInteger, 0, 400'000, "0", "",
         "Rate of the Ethernet that the frames cross; 0: it bounds nothing."},
        {"discipline", "ring_descriptors", T::kInteger, 64, 4096, "640", "",
         "Length of each ring, a multiple of 8. One of 160 holds whole batches of every kind."},
        {"discipline", "buffer_frames", T::kInteger, 1, 4096, "256", "",
         "Frames between the read of their data and its place in host memory: too few, and latency "
         "bounds."},
        {"discipline", "warm_up_frames", T::kInteger, 0, kMillion, "5000", "",
         "Frames before those that are measured."},
        {"discipline", "frames", T::kInteger, 1, 100 * kMillion, "100000", "",
         "Frames of each direction that are measured."},

        {"verify", "input", T::kString, 0, 0, nullptr, "",
         "A path, or \"generate:BYTES\" for reproducible bytes."},
        {"verify", "output", T::kString, 0, 0, nullptr, "", "A path, often in ${out}."},

        {"measure", "nic", T::kString, 0, 0, nullptr, "", "The NIC: \"a.nic0\"."},
        {"measure", "direction", T::kString, 0, 0, "both", "",
         "tx: what it sends; rx: what is sent to it; both."},
        {"measure", "warm_up_us", T::kInteger, 0, kHour_ms * 1000, "1000", "",
         "From the first frame (of the direction that begins last) to the first that counts."},
        {"measure", "frames", T::kInteger, 2, kManyFrames, "20000", "",
         "Frames of a direction, those of the warm-up included: the measurement ends when the "
         "first "
         "direction has had so many."},

        {"measure", "latency", T::kBoolean, 0, 0, "false", "",
         "How long each frame takes from the doorbell until its descriptor is done (metrics "
         "wire.tx.doorbell_to_done_ns.*), from the wire to its descriptor and to its reader "
         "(wire.rx.wire_to_done_ns.*, wire.rx.wire_to_reader_ns.*). A generator's frames then have "
         "an identity in the event stream."},

        {"timeline", "at_us", T::kInteger, 0, kHour_ms * 1000, nullptr, "", "Simulated time."},
        {"timeline", "action", T::kString, 0, 0, nullptr, "cable_out|cable_in|faults",
         "cable_out and cable_in pull and plug the link's cable; faults sets the rates that stand "
         "here and leaves the others as they are."},
        {"timeline", "link", T::kString, 0, 0, nullptr, "", "The link's name."},
        {"timeline", "direction", T::kString, 0, 0, "both", "both|forward|backward",
         "For faults: which way."},
        {"timeline", "loss_ppm", T::kInteger, 0, kMillion, "", "", "As in [link.faults]."},
        {"timeline", "duplicate_ppm", T::kInteger, 0, kMillion, "", "", "As in [link.faults]."},
        {"timeline", "reorder_ppm", T::kInteger, 0, kMillion, "", "", "As in [link.faults]."},
        {"timeline", "corrupt_ppm", T::kInteger, 0, kMillion, "", "", "As in [link.faults]."},
        {"timeline", "delay_ppm", T::kInteger, 0, kMillion, "", "", "As in [link.faults]."},
        {"timeline", "delay_limit_ns", T::kInteger, 1, kManyNs, "", "", "As in [link.faults]."},

        {"expect", "metric", T::kString, 0, 0, nullptr, "",
         "Its full name. '*' stands for any part of a name; what matches is added up."},
        {"expect", "op", T::kString, 0, 0, "==", "==|!=|<|<=|>|>=", "How it compares."},
        {"expect", "value", T::kAny, 0, 0, "", "",
         "With a number, or a \"${workload.KEY}\"; bound_by is a word."},
        {"expect", "other", T::kString, 0, 0, "", "", "Or with another metric."},
        {"expect", "times", T::kNumber, 0, 0, "1", "",
         "Multiplies the other metric; or a \"${workload.KEY}\"."},
        {"expect", "why", T::kString, 0, 0, "", "", "Said when it does not hold."},
    };
    return keys;
}

const SchemaKey& schema_key(std::string_view section, std::string_view key) {
    // The directions of faults have the keys of both.
    if (section == "link.faults.forward" || section == "link.faults.backward") {
        section = "link.faults";
    }
    for (const SchemaKey& row : schema_keys()) {
        if (row.section == section && row.key == key) return row;
    }
    assert(false && "the decoder reads a key that the schema does not have");
    return schema_keys().front();
}

const SchemaSection& schema_section(std::string_view section) {
    for (const SchemaSection& row : schema_sections()) {
        if (row.name == section) return row;
    }
    assert(false && "the decoder reads a section that the schema does not have");
    return schema_sections().front();
}

std::vector<std::string> keys_of(std::string_view section) {
    const bool one_way = section == "link.faults.forward" || section == "link.faults.backward";
    std::vector<std::string> keys;
    for (const SchemaKey& row : schema_keys()) {
        if (row.section != (one_way ? "link.faults" : section)) continue;
        if (one_way && row.type == KeyType::kTable) continue;
        keys.emplace_back(row.key);
    }
    return keys;
}

std::string schema_text() {
    static constexpr const char* kTypes[] = {"string", "integer", "boolean", "number",
                                             "table",  "tables",  "value"};
    std::string text =
        "A scenario is a TOML file. Every key is here; another one is an error. A key changes on "
        "the\n"
        "command line with --set: host and link go by their names, NICs by their number:\n"
        "  --set workload.bytes=1000  --set nic.phy.autonegotiation_ms=0\n"
        "  --set host.a.settings.driver.tx_ring=64  --set link.wire0.faults.loss_ppm=20000\n";
    for (const SchemaSection& section : schema_sections()) {
        text += fmt::format("\n{}\n{}", section.heading, wrapped(section.description, 2));
        for (const SchemaKey& row : schema_keys()) {
            if (row.section != section.name) continue;
            std::string type = kTypes[static_cast<int>(row.type)];
            if (row.type == KeyType::kInteger) {
                type += fmt::format(" {}..{}", row.minimum, row.maximum);
            }
            if (!row.choices.empty()) type = row.choices;
            std::string need = row.fallback == nullptr ? ", required" : "";
            if (row.fallback != nullptr && *row.fallback != '\0') {
                need = fmt::format(", default {}", row.fallback);
            }
            text += fmt::format("    {:<15} {}{}\n{}", row.key, type, need,
                                wrapped(row.description, 20));
        }
    }
    return text;
}

}  // namespace doorbell::scenario
