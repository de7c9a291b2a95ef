#include "testbench/wire/wire_spec.hpp"

namespace doorbell::wire {

WireSpec parse_wire_spec(std::string_view text) {
    WireSpec spec;
    const std::size_t colon = text.find(':');
    spec.kind = std::string(text.substr(0, colon));
    if (colon == std::string_view::npos) return spec;

    std::vector<std::size_t> positions;
    std::string piece;
    std::size_t start = colon + 1;
    for (std::size_t i = start; i <= text.size(); i++) {
        const bool comma = i < text.size() && text[i] == ',';
        if (comma && i + 1 < text.size() && text[i + 1] == ',') {
            piece += ',';
            i++;
        } else if (comma || i == text.size()) {
            spec.storage.push_back(piece);
            positions.push_back(start + 1);
            piece.clear();
            start = i + 1;
        } else {
            piece += text[i];
        }
    }
    for (std::size_t i = 0; i < spec.storage.size(); i++) {
        const std::string_view whole = spec.storage[i];
        const std::size_t equals = whole.find('=');
        WireOption option;
        option.key = whole.substr(0, equals);
        option.has_value = equals != std::string_view::npos;
        if (option.has_value) option.value = whole.substr(equals + 1);
        option.position = positions[i];
        spec.options.push_back(option);
    }
    return spec;
}

std::string option_place(const WireSpec& spec, const WireOption& option) {
    return spec.kind + ": option '" + std::string(option.key) + "' at character " +
           std::to_string(option.position) + ": ";
}

}  // namespace doorbell::wire
