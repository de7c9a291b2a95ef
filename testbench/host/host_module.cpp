#include "testbench/host/host_module.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>

#include "hw/base/generated/events.hpp"
#include "testbench/host/host_ops_module.hpp"
#include "testbench/host/pinned_rand.hpp"

namespace doorbell {

namespace {

/// Streams of the seed below this belong to links, files and the like.
constexpr std::uint64_t kFirstHostStream = 0x686F7374'00000000;

/// Types of the schema; a guest cannot put others into the stream.
bool is_event_type(std::uint16_t code) {
    static const std::array<bool, 256> known = [] {
        std::array<bool, 256> table{};
        for (const EventDescription* row = events::kSchema; row->name != nullptr; row++) {
            assert(row->code < table.size());
            table[row->code] = true;
        }
        return table;
    }();
    return code < known.size() && known[code];
}

}  // namespace

HostModule::HostModule(const sc_core::sc_module_name& name, const HostParams& params,
                       EventPort events)
    : sc_module(name),
      params_(params),
      events_(events),
      prng_(params.seed, kFirstHostStream + params.stream),
      timeline_("timeline"),
      interrupts_(params.interrupts, timeline_, events),
      threads_("threads", params.threads, timeline_),
      image_(params.image),
      host_name_(basename()),
      config_(params_.config, host_name_),
      apps_left_(config_.config().app_count),
      statuses_(config_.config().app_count) {
    pin_rand(params.seed);
    for (std::uint32_t i = 0; i < params.nic_count; i++) {
        const std::string slot_name = "slot" + std::to_string(i);
        slots_.push_back(std::make_unique<HostSlotModule>(slot_name.c_str(), i, params.iommu,
                                                          events, interrupts_, timeline_));
        slots_.back()->set_refusal_log(
            [this](const std::string& text) { log(GUEST_LOG_WARN, text); });
    }
}

HostModule::~HostModule() = default;

void HostModule::start() {
    assert(image_.loaded() && "look at error() first");
    assert(!started_);
    started_ = true;
    threads_.create("boot", &HostModule::boot, this, 0);
}

void HostModule::boot(void* self) {
    auto* host = static_cast<HostModule*>(self);
    const int status = host->image_.start(&host_ops(), &host->handle_, &host->config_.config());
    if (status < 0) {
        host->panic(std::string("the guest did not start: ") + std::strerror(-status));
    } else if (host->finished()) {
        host->tell_ended();
    }
}

void HostModule::tell_ended() {
    if (ended_told_) return;
    ended_told_ = true;
    if (on_ended_) on_ended_();
}

// --- evidence
// ---------------------------------------------------------------------------------------

void HostModule::visit_metrics(MetricVisitor& visitor) const {
    if (started_) {
        image_.metrics(
            [](void* ctx, const char* metric_name, std::uint64_t value) {
                static_cast<MetricVisitor*>(ctx)->metric(metric_name, value);
            },
            &visitor);
    }
    interrupts_.visit_metrics(visitor);
    visitor.metric("threads.resumptions", threads_.resumptions());
    visitor.metric("threads.live", threads_.live_threads());
    for (std::size_t i = 0; i < slots_.size(); i++) {
        slots_[i]->iommu().visit_metrics(visitor, "nic" + std::to_string(i) + ".iommu.");
    }
}

std::optional<std::string> HostModule::show(const std::string& table) const {
    std::string text;
    const auto append = [](void* ctx, const char* part) {
        static_cast<std::string*>(ctx)->append(part);
    };
    if (!started_ || image_.show(table.c_str(), append, &text) < 0) return std::nullopt;
    return text;
}

const guest_description* HostModule::apps() const {
    return image_.apps();
}
const guest_description* HostModule::settings() const {
    return image_.settings();
}

std::uint64_t HostModule::kernel_events() const {
    std::uint64_t events = threads_.resumptions();
    for (const std::unique_ptr<HostSlotModule>& slot : slots_) events += slot->waits();
    return events;
}

// --- for the guest
// -------------------------------------------------------------------------------------

HostSlotModule* HostModule::no_slot(std::uint32_t nic, const char* what) {
    log(GUEST_LOG_ERROR, std::string(what) + ": there is no NIC " + std::to_string(nic));
    return nullptr;
}

bool HostModule::must_not_block(const char* what) {
    if (!interrupts_.in_handler()) return false;
    panic(std::string(what) + " inside an interrupt handler, which must not block");
    return true;
}

void HostModule::log(int level, const std::string& text) {
    if (params_.log) params_.log(level, text);
}

void HostModule::report(const guest_report& from) {
    if (!events_.enabled()) return;
    if (!is_event_type(from.type)) {
        return log(GUEST_LOG_ERROR, "report: no event has code " + std::to_string(from.type));
    }
    report_now_ps_ = timeline_.now_ps();
    report_time_ps_ = report_now_ps_ + from.ahead_ps;
    events_.emit({report_time_ps_,
                  from.packet,
                  from.frame,
                  {from.args[0], from.args[1], from.args[2], from.args[3]},
                  from.type,
                  events_.source()});
}

Picoseconds HostModule::guest_time_ps() const {
    const Picoseconds now_ps = timeline_.now_ps();
    return now_ps == report_now_ps_ ? report_time_ps_ : now_ps;
}

std::uint32_t HostModule::random() {
    return static_cast<std::uint32_t>(prng_.next());
}

guest_file* HostModule::file_open(const char* name, bool for_writing) {
    std::string why;
    const std::string path = name == nullptr ? "" : name;
    std::unique_ptr<guest_file> file = open_guest_file(path, for_writing, params_.seed, why);
    if (!file) {
        file_failed(why);
        return nullptr;
    }
    files_.push_back({path, std::move(file)});
    return files_.back().file.get();
}

HostModule::OpenFile* HostModule::find(const guest_file* file) {
    const auto place = std::find_if(files_.begin(), files_.end(), [file](const OpenFile& open) {
        return open.file.get() == file;
    });
    return place == files_.end() ? nullptr : &*place;
}

void HostModule::file_failed(const std::string& why) {
    const auto known = std::find(file_errors_.begin(), file_errors_.end(), why);
    if (known != file_errors_.end()) return;
    file_errors_.push_back(why);
    log(GUEST_LOG_ERROR, why);
}

std::int64_t HostModule::noted(const OpenFile& open, std::int64_t result) {
    if (result < 0 && result != -EBADF) {
        file_failed(open.name + ": " + std::strerror(static_cast<int>(-result)));
    }
    return result;
}

std::int64_t HostModule::file_read(guest_file* file, void* to, std::uint32_t size_bytes) {
    const OpenFile* open = find(file);
    return open == nullptr ? -EBADF : noted(*open, file->read(to, size_bytes));
}

std::int64_t HostModule::file_write(guest_file* file, const void* from, std::uint32_t size_bytes) {
    const OpenFile* open = find(file);
    return open == nullptr ? -EBADF : noted(*open, file->write(from, size_bytes));
}

std::int64_t HostModule::file_size(guest_file* file) {
    const OpenFile* open = find(file);
    return open == nullptr ? -EBADF : noted(*open, file->size());
}

void HostModule::file_close(guest_file* file) {
    const OpenFile* open = find(file);
    if (open == nullptr) return log(GUEST_LOG_ERROR, "file_close: not an open file");
    (void)noted(*open, file->finish());
    files_.erase(files_.begin() + (open - files_.data()));
}

void HostModule::app_done(std::uint32_t app, int status) {
    if (app >= statuses_.size() || statuses_[app].has_value()) {
        return log(GUEST_LOG_ERROR, "app_done: application " + std::to_string(app) +
                                        " does not exist or has ended before");
    }
    statuses_[app] = status;
    if (--apps_left_ == 0) tell_ended();
}

void HostModule::panic(const std::string& why) {
    if (!panicked_) {
        panicked_ = true;
        panic_text_ = why;
        log(GUEST_LOG_ERROR, "panic: " + why);
    }
    tell_ended();
}

}  // namespace doorbell
