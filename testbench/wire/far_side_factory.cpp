#include "testbench/wire/far_side_factory.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "testbench/wire/pcap_far_side.hpp"
#include "testbench/wire/tap_far_side.hpp"
#include "testbench/wire/unix_far_side.hpp"
#include "testbench/wire/user_far_side.hpp"
#include "testbench/wire/wire_spec.hpp"

namespace doorbell::wire {
namespace {

using Maker = MadeFarSide (*)(const WireSpec& spec, const FarSideContext& context);

MadeFarSide make_tap(const WireSpec& spec, const FarSideContext& context) {
    if (spec.options.size() > 1) {
        return {nullptr, option_place(spec, spec.options[1]) +
                             "a TAP device has no options: write tap:NAME"};
    }
    const std::string name = spec.storage.empty() ? "" : spec.storage.front();
    MadeFarSide made;
    made.far_side = TapFarSide::open(name, context, made.error);
    if (!made.far_side) made.error = "tap: " + made.error;
    return made;
}

MadeFarSide make_user(const WireSpec& spec, const FarSideContext& context) {
    UserOptions options;
    MadeFarSide made;
    made.error = read_user_options(spec, options);
    if (made.error.empty()) made.far_side = UserFarSide::open(options, context, made.error);
    return made;
}

MadeFarSide make_pcap(const WireSpec& spec, const FarSideContext& context) {
    PcapOptions options;
    MadeFarSide made;
    made.error = read_pcap_options(spec, options);
    if (!made.error.empty()) return made;
    made.far_side = PcapFarSide::open(options, context, made.error);
    if (!made.far_side) made.error = "pcap: " + made.error;
    return made;
}

MadeFarSide make_unix(const WireSpec& spec, const FarSideContext& context) {
    if (spec.options.size() > 1) {
        return {nullptr,
                option_place(spec, spec.options[1]) +
                    "this cable has no options: write unix:PATH (a comma of the path twice)"};
    }
    MadeFarSide made;
    made.far_side =
        UnixFarSide::open(spec.storage.empty() ? "" : spec.storage.front(), context, made.error);
    if (!made.far_side) made.error = "unix: " + made.error;
    return made;
}

struct Kind {
    const char* name;
    const char* help;
    Maker make;
};

constexpr Kind kKinds[] = {
    {"tap", "tap:NAME                  the host's kernel, behind a TAP device", make_tap},
    {"user",
     "user[:OPTION=VALUE,...]   a network in this process: DHCP, DNS, TFTP, forwarded ports",
     make_user},
    {"pcap",
     "pcap:IN,OUT[,times=none]  frames of a capture file come in, what goes out is written to one",
     make_pcap},
    {"unix", "unix:PATH                 a cable to a second served NIC, or a QEMU's -netdev stream",
     make_unix},
};

}  // namespace

MadeFarSide make_far_side(std::string_view text, const FarSideContext& context) {
    const WireSpec spec = parse_wire_spec(text);
    for (const Kind& kind : kKinds) {
        if (spec.kind == kind.name) return kind.make(spec, context);
    }
    return {nullptr, "there is no wire '" + std::string(text) + "'; wires:\n" + far_side_help()};
}

bool is_far_side(std::string_view text) {
    const WireSpec spec = parse_wire_spec(text);
    return std::any_of(std::begin(kKinds), std::end(kKinds),
                       [&](const Kind& kind) { return spec.kind == kind.name; });
}

std::string far_side_help() {
    std::string help;
    for (const Kind& kind : kKinds) {
        if (!help.empty()) help += '\n';
        help += "  ";
        help += kind.help;
    }
    return help;
}

}  // namespace doorbell::wire
