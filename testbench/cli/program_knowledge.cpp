#include "testbench/cli/program_knowledge.hpp"

#include <algorithm>
#include <string_view>

#include "hw/nic/nic_params.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/cli/host_config.hpp"
#include "testbench/cli/run_plan.hpp"
#include "testbench/host/guest_files.hpp"

namespace doorbell::cli {
namespace {

std::vector<scenario::Documented> documented(const guest_description* row) {
    const auto text = [](const char* s) { return std::string(s == nullptr ? "" : s); };
    std::vector<scenario::Documented> list;
    for (; row != nullptr && row->name != nullptr; row++) {
        list.push_back(
            {row->name, text(row->arguments), text(row->default_value), text(row->description)});
    }
    return list;
}

constexpr int kMostLinks = 40;  ///< As the kernel: more are a circle.

/// The chip's statistics by their datasheet names; a counter in two registers (GORCL, GORCH) goes
/// by what they have in common.
std::vector<std::string> statistics() {
    const regs::Contract& contract = regs::i82574l::kContract;
    std::vector<std::string> names;
    for (std::uint32_t i = 0; i < contract.register_count; i++) {
        const regs::Register& reg = *contract.registers[i];
        if (std::string_view(reg.group) == "statistics") names.emplace_back(reg.name);
    }
    const std::vector<std::string> rows = names;
    for (const std::string& row : rows) {
        const std::string common = row.substr(0, row.size() - 1);
        if (row.back() != 'L') continue;
        const auto high = std::find(names.begin(), names.end(), common + "H");
        if (high == names.end()) continue;
        names.erase(high);
        *std::find(names.begin(), names.end(), row) = common;
    }
    return names;
}

}  // namespace

ProgramKnowledge::ProgramKnowledge(const ProgramPaths& paths, std::filesystem::path scenario_folder)
    : paths_(paths), scenario_folder_(std::move(scenario_folder)) {}

std::vector<std::string> ProgramKnowledge::nic_params() const {
    std::vector<std::string> names;
    for (const NicParam& param : nic_param_table()) names.emplace_back(param.name);
    return names;
}

std::string ProgramKnowledge::check_nic_param(const std::string& name,
                                              const scenario::ParamValue& value) const {
    NicParams scratch;
    return set_nic_param(scratch, name, value);
}

const ProgramKnowledge::LoadedImage& ProgramKnowledge::load(const std::string& name) const {
    const auto known = images_.find(name);
    if (known != images_.end()) return known->second;
    LoadedImage& loaded = images_[name];
    GuestImageParams params;
    params.path = image_path(paths_, name, scenario_folder_).string();
    const GuestImage image(params);
    loaded.error = image.error();
    if (!image.loaded()) return loaded;
    loaded.check = image.check;
    loaded.contents = {documented(image.apps()), documented(image.settings())};
    for (const scenario::Documented& metric : documented(image.metric_names())) {
        loaded.metrics.push_back({metric.name, metric.arguments, metric.description});
    }
    return loaded;
}

const scenario::ImageContents* ProgramKnowledge::image(const std::string& name,
                                                       std::string& why) const {
    const LoadedImage& loaded = load(name);
    why = loaded.error;
    std::error_code error;
    if (!std::filesystem::exists(image_path(paths_, name, scenario_folder_), error)) {
        why += "; there are";
        for (const std::string& known : known_images(paths_)) why += " '" + known + "'";
        why += "; a new one: guest_stack/examples/eager_doorbell/README.md";
    }
    return loaded.error.empty() ? &loaded.contents : nullptr;
}

std::vector<scenario::GuestMistake> ProgramKnowledge::check_guest(
    const scenario::Host& host) const {
    std::vector<scenario::GuestMistake> mistakes;
    const LoadedImage& loaded = load(host.image);
    if (loaded.check == nullptr) return mistakes;
    const GuestConfig config = guest_config_of(host);
    const GuestConfigTable table(config, host.name);
    const auto found = [](void* ctx, const guest_mistake* from) {
        const auto place = [](std::int32_t number) -> std::optional<std::size_t> {
            if (number < 0) return std::nullopt;
            return static_cast<std::size_t>(number);
        };
        scenario::GuestMistake mistake;
        mistake.what = from->what;
        mistake.why = from->why;
        mistake.app = place(from->app);
        mistake.word = place(from->word);
        mistake.route = place(from->route);
        for (const char* setting : from->settings) {
            if (setting != nullptr) mistake.settings.emplace_back(setting);
        }
        static_cast<std::vector<scenario::GuestMistake>*>(ctx)->push_back(std::move(mistake));
    };
    loaded.check(&table.config(), static_cast<std::uint32_t>(host.nics.size()), found, &mistakes);
    return mistakes;
}

std::vector<std::string> ProgramKnowledge::metrics(const scenario::Scenario& scenario) const {
    report::RunShape shape;
    for (const scenario::Host& host : scenario.hosts) {
        shape.hosts.push_back({host.name, static_cast<std::uint32_t>(host.nics.size()),
                               static_cast<std::uint32_t>(host.apps.size()),
                               guest_metrics(host.image)});
    }
    for (const scenario::Link& link : scenario.links) shape.links.push_back(link.name);
    for (const scenario::Generator& g : scenario.generators) shape.generators.push_back(g.name);
    shape.measures_tx = scenario.measure && scenario.measure->tx;
    shape.measures_rx = scenario.measure && scenario.measure->rx;
    shape.measures_latency = scenario.measure && scenario.measure->latency;
    if (scenario.load) {
        const bool dma = std::holds_alternative<pcie_bench::DmaLoad>(*scenario.load);
        shape.load = dma ? "dma" : "discipline";
    }
    shape.verifies = !scenario.verifications.empty();
    shape.statistics = statistics();
    return report::metric_names(shape);
}

std::vector<report::MetricDescription> ProgramKnowledge::guest_metrics(
    const std::string& image) const {
    return load(image).metrics;
}

std::string ProgramKnowledge::check_input(const std::string& name) const {
    // A pipe would be waited for, /dev/zero never ends, and an input is read twice: when it is sent
    // and when it is compared.
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(name, ignored);
    if (std::filesystem::is_other(status)) return name + ": not a regular file";
    std::string error;
    return open_guest_file(name, false, 1, error) == nullptr ? error : "";
}

std::string ProgramKnowledge::check_output(const std::string& name) const {
    return check_guest_output(name);
}

std::string ProgramKnowledge::evidence_in(const std::string& folder,
                                          const std::string& name) const {
    namespace fs = std::filesystem;
    // Neither file nor folder need be there yet; what is there may be a link.
    const auto resolved = [](fs::path path) {
        std::error_code error;
        // A link to a file that is not there stays as it is below.
        for (int i = 0; i < kMostLinks && fs::is_symlink(fs::symlink_status(path, error)); i++) {
            path = path.parent_path() / fs::read_symlink(path, error);
        }
        const fs::path result = fs::weakly_canonical(fs::absolute(path, error), error);
        return error ? fs::path() : result;
    };
    const fs::path wanted = resolved(name);
    for (const char* file : kEvidenceFiles) {
        if (!wanted.empty() && wanted == resolved(fs::path(folder) / file)) return file;
    }
    return "";
}

bool ProgramKnowledge::same_file(const std::string& a, const std::string& b) const {
    // Names that lead to no file (generate:, one not written yet) are an error there: not the same.
    std::error_code error;
    return std::filesystem::equivalent(a, b, error);
}

}  // namespace doorbell::cli
