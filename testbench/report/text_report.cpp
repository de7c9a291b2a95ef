#include "testbench/report/text_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace doorbell::report {
namespace {

using nlohmann::json;

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool starts_with(std::string_view text, std::string_view start) {
    return text.substr(0, start.size()) == start;
}

/// 1234567 -> "1.23 M" of a unit.
std::string scaled(double value, double step, std::string_view unit) {
    static constexpr std::array<const char*, 5> kPrefixes = {"", "k", "M", "G", "T"};
    std::size_t i = 0;
    while (value >= step * 0.9995 && i + 1 < kPrefixes.size()) {
        value /= step;
        i++;
    }
    if (i == 0) return fmt::format("{:.0f} {}", value, unit);
    return fmt::format("{:.3g} {}{}", value, kPrefixes[i], unit);
}

std::string duration(double ns) {
    if (ns < 1e3) return fmt::format("{:.0f} ns", ns);
    if (ns < 1e6) return fmt::format("{:.4g} us", ns / 1e3);
    if (ns < 1e9) return fmt::format("{:.4g} ms", ns / 1e6);
    return fmt::format("{:.4g} s", ns / 1e9);
}

class Painter {
public:
    explicit Painter(bool colour) : colour_(colour) {}
    [[nodiscard]] std::string good(std::string_view text) const { return paint("32", text); }
    [[nodiscard]] std::string bad(std::string_view text) const { return paint("31;1", text); }
    [[nodiscard]] std::string quiet(std::string_view text) const { return paint("2", text); }
    [[nodiscard]] std::string strong(std::string_view text) const { return paint("1", text); }

private:
    [[nodiscard]] std::string paint(const char* code, std::string_view text) const {
        if (!colour_) return std::string(text);
        return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
    }
    bool colour_;
};

std::string headline(const json& result, const Painter& paint) {
    const std::string verdict = result["verdict"];
    std::string word = verdict == "pass" ? paint.good("PASS") : paint.bad("FAIL");
    if (verdict == "error") word = paint.bad("ERROR");
    if (verdict == "broken") word = paint.bad("BROKEN");
    std::string line =
        fmt::format("{} {}", word, paint.strong(result["scenario"].get<std::string>()));
    for (const auto& [key, value] : result["settings"].items()) {
        line += fmt::format(" {}={}", key, value.get<std::string>());
    }
    const double simulated = result["simulated_ns"];
    const double cpu = result["host_cpu_ns"];
    if (simulated > 0) {
        line += paint.quiet(fmt::format("  seed {}, {} simulated in {} of CPU",
                                        result["seed"].get<std::uint64_t>(), duration(simulated),
                                        duration(cpu)));
    }
    line += "\n";
    if (result["trace_hash"].is_string()) {
        line += fmt::format("  trace_hash {}\n", result["trace_hash"].get<std::string>());
    }
    return line;
}

/// What a reader wants to know of every run, if the run has it.
bool is_highlight(std::string_view name) {
    static constexpr std::array<std::string_view, 14> kEnds = {"dma.goodput_gbps",
                                                               "dma.latency_ns.p50",
                                                               "dma.latency_ns.p95",
                                                               "dma.latency_ns.p999",
                                                               "discipline.gbps",
                                                               ".tcp.goodput_bps",
                                                               ".tcp.retransmissions_segments",
                                                               ".tx.frames",
                                                               ".rx.frames",
                                                               ".rtt_p50_ns",
                                                               ".rtt_p99_ns",
                                                               ".irq.messages",
                                                               ".latency_p50_ns",
                                                               ".latency_p99_ns"};
    for (std::string_view end : kEnds) {
        if (ends_with(name, end)) return true;
    }
    return starts_with(name, "workload.") || starts_with(name, "wire.") || name == "bound_by";
}

std::string lines_of(const json& metrics, std::string_view indent, const Painter& paint) {
    std::string text;
    std::size_t width = 0;
    for (const auto& [name, value] : metrics.items()) width = std::max(width, name.size());
    for (const auto& [name, value] : metrics.items()) {
        const std::string plain = value.dump();
        const std::string nice = humane(name, value);
        text += fmt::format("{}{:<{}}  {}", indent, name, width, plain);
        if (nice != plain) text += paint.quiet(fmt::format("  ({})", nice));
        text += "\n";
    }
    return text;
}

std::string metric_lines(const json& result, bool all, const Painter& paint) {
    const json& metrics = result["metrics"];
    json shown = json::object();
    const auto wanted = [&](const std::string& name, const json& value) {
        if (all) return true;
        if (result["symptoms"].contains(name)) return false;  // They stand below the failures.
        // A drop is worth a line whenever it happened.
        const bool drop = name.find("drops.") != std::string::npos && value != 0;
        // That nothing was retransmitted is news; that a host received nothing is not.
        const bool zero_is_news =
            ends_with(name, "retransmissions_segments") || name.compare(0, 9, "workload.") == 0;
        return drop || (is_highlight(name) && (value != 0 || zero_is_news));
    };
    for (const auto& [name, value] : metrics.items()) {
        if (wanted(name, value)) shown[name] = value;
    }
    return lines_of(shown, "  ", paint);
}

std::string expectation_lines(const json& expectations, const Painter& paint) {
    std::string text;
    for (const json& e : expectations) {
        const bool passed = e["passed"];
        const std::string mark = passed ? paint.good("ok  ") : paint.bad("FAIL");
        text += fmt::format("  {} {}", mark, e["text"].get<std::string>());
        text += e["actual"].is_null() ? ": the run has no such metric"
                                      : fmt::format(": it is {}", e["actual"].dump());
        const std::string why = e["why"];
        if (!passed && !why.empty()) text += fmt::format(" ({})", why);
        text += "\n";
    }
    return text;
}

/// A failure that its expectation's line has said.
bool said(const json& expectations, const std::string& failure) {
    return std::any_of(expectations.begin(), expectations.end(), [&](const json& e) {
        return !e["passed"] &&
               starts_with(failure, "expected " + e["text"].get<std::string>() + ", it is ");
    });
}

std::string failure_lines(const json& result, bool expectations_shown, const Painter& paint) {
    std::string text;
    for (const json& failure : result["failures"]) {
        if (expectations_shown && said(result["expectations"], failure)) continue;
        text += fmt::format("  {} {}\n", paint.bad("!"), failure.get<std::string>());
    }
    if (!result["symptoms"].empty()) {
        text += "  what may explain it:\n" + lines_of(result["symptoms"], "    ", paint);
    }
    return text + fmt::format("  replay: {}\n", result["replay"].get<std::string>());
}

std::string table_lines(const json& tables, const Painter& paint) {
    std::string text;
    for (const auto& [host, by_name] : tables.items()) {
        for (const auto& [name, content] : by_name.items()) {
            text += paint.strong(fmt::format("  {}: {}\n", host, name));
            text += content.get<std::string>() + "\n";
        }
    }
    return text;
}

std::string xml(std::string_view text) {
    std::string safe;
    for (const char c : text) {
        switch (c) {
            case '&':
                safe += "&amp;";
                break;
            case '<':
                safe += "&lt;";
                break;
            case '>':
                safe += "&gt;";
                break;
            case '"':
                safe += "&quot;";
                break;
            default:
                // XML 1.0 has no place for other control characters.
                safe += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? '?' : c;
        }
    }
    return safe;
}

std::string case_name(const json& result) {
    std::string name = fmt::format("seed={}", result["seed"].get<std::uint64_t>());
    for (const auto& [key, value] : result["settings"].items()) {
        name += fmt::format(" {}={}", key, value.get<std::string>());
    }
    return name;
}

std::string all_failures(const json& result) {
    std::string text;
    for (const json& failure : result["failures"]) text += failure.get<std::string>() + "\n";
    return text + "replay: " + result["replay"].get<std::string>() + "\n";
}

}  // namespace

std::string humane(const std::string& metric, const json& value) {
    if (!value.is_number()) return value.dump();
    const double number = value;
    if (ends_with(metric, "_bps")) return scaled(number, 1000, "b/s");
    if (ends_with(metric, "_ns")) return duration(number);
    if (ends_with(metric, "_ps")) return duration(number / 1000);
    if (ends_with(metric, "bytes") && number >= 1000) return scaled(number, 1000, "B");
    return value.dump();
}

std::string text_report(const json& result, const std::string& folder, const TextOptions& options) {
    const Painter paint(options.colour);
    std::string text = headline(result, paint);
    const bool passed = result["verdict"] == "pass";
    if (options.verbosity >= 0) {
        text += metric_lines(result, options.verbosity >= 1, paint);
        text += expectation_lines(result["expectations"], paint);
        if (options.verbosity >= 2) text += table_lines(result["tables"], paint);
    }
    if (!passed) text += failure_lines(result, options.verbosity >= 0, paint);
    if (options.verbosity >= 0 && !result["artifacts"].empty()) {
        text += fmt::format("  evidence in {}:", folder);
        for (const auto& [kind, file] : result["artifacts"].items()) {
            text += " " + file.get<std::string>();
        }
        text += "\n";
    }
    return text;
}

std::string junit_report(const json& results) {
    std::size_t failed = 0;
    std::size_t broken = 0;
    std::string cases;
    for (const json& result : results) {
        const std::string verdict = result["verdict"];
        cases += fmt::format(R"(    <testcase classname="doorbell.{}" name="{}" time="{:.6f}">)",
                             xml(result["scenario"].get<std::string>()), xml(case_name(result)),
                             result["host_cpu_ns"].get<double>() / 1e9);
        if (verdict != "pass") {
            const bool fail = verdict == "fail";
            (fail ? failed : broken)++;
            cases += fmt::format("\n      <{0} message=\"{1}\">{2}</{0}>\n    ",
                                 fail ? "failure" : "error", verdict, xml(all_failures(result)));
        }
        cases += "</testcase>\n";
    }
    return fmt::format(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
        "  <testsuite name=\"doorbell\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n{}"
        "  </testsuite>\n</testsuites>\n",
        results.size(), failed, broken, cases);
}

}  // namespace doorbell::report
