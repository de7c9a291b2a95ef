#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_text.hpp"
#include "testbench/cli/commands.hpp"

namespace doorbell::cli {
namespace {

using nlohmann::json;

json to_json(const regs::FieldText& field) {
    json values = json::object();
    for (const regs::NamedValue& value : field.values) values[value.name] = value.value;
    return {{"name", field.name},
            {"bits", field.bits},
            {"access", field.access},
            {"description", field.description},
            {"reset", field.reset},
            {"values", values},
            {"value", field.value ? json(*field.value) : json(nullptr)},
            {"value_name", field.value_name}};
}

json to_json(const regs::RegisterText& reg) {
    json fields = json::array();
    for (const regs::FieldText& field : reg.fields) fields.push_back(to_json(field));
    return {{"name", reg.name},
            {"group", reg.group},
            {"description", reg.description},
            {"access", reg.access},
            {"bar", reg.bar},
            {"offset", reg.offset},
            {"count", reg.count},
            {"stride", reg.stride},
            {"reset", reg.reset},
            {"kept_on_software_reset", reg.kept_on_software_reset},
            {"aliases", reg.aliases},
            {"fields", fields},
            {"value", reg.value ? json(*reg.value) : json(nullptr)},
            {"unnamed_bits", reg.unnamed_bits}};
}

}  // namespace

int regs_command(const std::vector<std::string>& arguments, Format format) {
    const regs::RegisterAnswer answer = regs::ask_registers(regs::i82574l::kContract, arguments);
    if (!answer.ok) {
        std::cerr << "error: " << answer.error << "\n";
        return 2;
    }
    if (format == Format::kText) {
        std::cout << answer.text;
        return 0;
    }
    json list = json::array();
    for (const regs::RegisterText& reg : answer.registers) list.push_back(to_json(reg));
    std::cout << list.dump(2) << "\n";
    return 0;
}

}  // namespace doorbell::cli
