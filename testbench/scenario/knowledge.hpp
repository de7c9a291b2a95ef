#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "testbench/scenario/scenario.hpp"

namespace doorbell::scenario {

/// A name somebody else owns, documented.
struct Documented {
    std::string name;
    std::string arguments;
    std::string fallback;
    std::string description;
};

/// What a guest image has.
struct ImageContents {
    std::vector<Documented> apps;
    std::vector<Documented> settings;
};

/// What a guest says cannot be in its host's configuration, although each value by itself could.
struct GuestMistake {
    std::string what;
    std::string why;  ///< May be empty.
    // Where: numbers in the host's lists, and settings as "nic1.driver.itr", the likelier cause
    // first. What is absent is not concerned.
    std::optional<std::size_t> app;
    std::optional<std::size_t> word;  ///< Of the application's argv.
    std::optional<std::size_t> route;
    std::vector<std::string> settings;
};

/// What the decoder must ask others about: which parameters a NIC has, what an image can run, which
/// metrics a run will have. The command line answers; a test answers from a table.
class Knowledge {
public:
    virtual ~Knowledge() = default;

    [[nodiscard]] virtual std::vector<std::string> nic_params() const = 0;
    /// What is wrong with the value, in one sentence; "" when nothing is.
    [[nodiscard]] virtual std::string check_nic_param(const std::string& name,
                                                      const ParamValue& value) const = 0;
    /// nullptr, and why, when there is no such image.
    [[nodiscard]] virtual const ImageContents* image(const std::string& name,
                                                     std::string& why) const = 0;
    /// What the host's guest could not do; asks the image, which exists.
    [[nodiscard]] virtual std::vector<GuestMistake> check_guest(const Host& host) const = 0;
    /// All metrics a run of the scenario has, as far as hosts, NICs and links are decoded.
    [[nodiscard]] virtual std::vector<std::string> metrics(const Scenario& scenario) const = 0;
    /// "" when the file can be read as an input, else why not.
    [[nodiscard]] virtual std::string check_input(const std::string& name) const = 0;
    /// "" when the file can be written as an output, else why not; nothing is created.
    [[nodiscard]] virtual std::string check_output(const std::string& name) const = 0;
    /// Which file of the evidence a run leaves in `folder` the name leads to; "" when to none.
    [[nodiscard]] virtual std::string evidence_in(const std::string& folder,
                                                  const std::string& name) const = 0;
    /// Whether two names lead to one file, through links as well.
    [[nodiscard]] virtual bool same_file(const std::string& a, const std::string& b) const = 0;
};

}  // namespace doorbell::scenario
