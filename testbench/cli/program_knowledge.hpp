#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testbench/cli/program_paths.hpp"
#include "testbench/host/guest_image.hpp"
#include "testbench/report/metric_catalogue.hpp"
#include "testbench/scenario/knowledge.hpp"

namespace doorbell::cli {

/// What this program knows: the NIC's table of parameters, the guest images it can load, and the
/// catalogue of metrics.
class ProgramKnowledge final : public scenario::Knowledge {
public:
    /// Paths of images are relative to the folder of the scenario.
    ProgramKnowledge(const ProgramPaths& paths, std::filesystem::path scenario_folder);

    [[nodiscard]] std::vector<std::string> nic_params() const override;
    [[nodiscard]] std::string check_nic_param(const std::string& name,
                                              const scenario::ParamValue& value) const override;
    [[nodiscard]] const scenario::ImageContents* image(const std::string& name,
                                                       std::string& why) const override;
    [[nodiscard]] std::vector<scenario::GuestMistake> check_guest(
        const scenario::Host& host) const override;
    [[nodiscard]] std::vector<std::string> metrics(
        const scenario::Scenario& scenario) const override;
    [[nodiscard]] std::string check_input(const std::string& name) const override;
    [[nodiscard]] std::string check_output(const std::string& name) const override;
    [[nodiscard]] std::string evidence_in(const std::string& folder,
                                          const std::string& name) const override;
    [[nodiscard]] bool same_file(const std::string& a, const std::string& b) const override;

    /// What an image counts; empty when it cannot be loaded.
    [[nodiscard]] std::vector<report::MetricDescription> guest_metrics(
        const std::string& image) const;

private:
    struct LoadedImage {
        std::string error;
        scenario::ImageContents contents;
        std::vector<report::MetricDescription> metrics;
        decltype(&guest_check) check = nullptr;
    };
    [[nodiscard]] const LoadedImage& load(const std::string& name) const;

    const ProgramPaths& paths_;
    std::filesystem::path scenario_folder_;
    /// An image is asked for its contents once; it stays mapped until the process ends.
    mutable std::map<std::string, LoadedImage> images_;
};

}  // namespace doorbell::cli
