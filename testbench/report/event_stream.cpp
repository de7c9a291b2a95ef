#include "testbench/report/event_stream.hpp"

#include <fmt/format.h>

#include <cassert>

#include "hw/base/bits.hpp"
#include "hw/base/generated/events.hpp"

namespace doorbell::report {
namespace {

constexpr std::size_t kHeadBytes = 2 + 2 + 8 + 8 + 8;
constexpr std::size_t kHashBlockBytes = 64 * 1024;

std::uint8_t* grow(std::vector<std::uint8_t>& to, std::size_t size_bytes) {
    to.resize(to.size() + size_bytes);
    return to.data() + to.size() - size_bytes;
}

}  // namespace

const EventDescription* find_event(std::uint16_t type) {
    for (const EventDescription* e = events::kSchema; e->name != nullptr; e++) {
        if (e->code == type) return e;
    }
    return nullptr;
}

EventSerialiser::EventSerialiser(const EventHub& hub) : hub_(hub), argument_counts_(256) {
    for (const EventDescription* e = events::kSchema; e->name != nullptr; e++) {
        std::uint8_t count = 0;
        while (count < 4 && e->args[count] != nullptr) count++;
        argument_counts_.at(e->code) = count;
    }
}

void EventSerialiser::append(const Event& event, std::vector<std::uint8_t>& to) {
    while (sources_known_ <= event.source) {
        const std::string& name = hub_.sources().at(sources_known_);
        std::uint8_t* p = grow(to, 6 + name.size());
        store_le16(p, 0);
        store_le16(p + 2, static_cast<std::uint16_t>(sources_known_++));
        store_le16(p + 4, static_cast<std::uint16_t>(name.size()));
        std::copy(name.begin(), name.end(), p + 6);
    }
    const std::uint8_t arguments = argument_counts_.at(event.type);
    std::uint8_t* p = grow(to, kHeadBytes + 8 * std::size_t{arguments});
    store_le16(p, event.type);
    store_le16(p + 2, event.source);
    store_le64(p + 4, event.time_ps);
    store_le64(p + 12, event.packet);
    store_le64(p + 20, event.frame);
    for (std::uint8_t i = 0; i < arguments; i++) {
        store_le64(p + kHeadBytes + 8 * std::size_t{i}, event.args[i]);
    }
}

EventHash::EventHash(const EventHub& hub) : serialiser_(hub), state_(XXH3_createState()) {
    XXH3_128bits_reset(state_.get());
    pending_.reserve(kHashBlockBytes + 1024);
}

void EventHash::event(const Event& event) {
    serialiser_.append(event, pending_);
    if (pending_.size() >= kHashBlockBytes) flush();
}

void EventHash::flush() {
    XXH3_128bits_update(state_.get(), pending_.data(), pending_.size());
    pending_.clear();
}

std::string EventHash::digest() {
    flush();
    const XXH128_hash_t hash = XXH3_128bits_digest(state_.get());
    return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

EventTrace::EventTrace(const std::filesystem::path& path, const EventHub& hub)
    : serialiser_(hub), file_(path) {
    static_assert(sizeof kMagic == 15);
    std::uint8_t header[16] = {};
    std::copy_n(kMagic, 14, header);
    store_le16(header + 14, kVersion);
    file_.append(header, sizeof header);
}

void EventTrace::event(const Event& event) {
    record_.clear();
    serialiser_.append(event, record_);
    file_.append(record_.data(), record_.size());
}

EventTraceJson::EventTraceJson(const std::filesystem::path& path, const EventHub& hub)
    : hub_(hub), file_(path) {}

void EventTraceJson::event(const Event& event) {
    const EventDescription* description = find_event(event.type);
    assert(description != nullptr);
    fmt::memory_buffer line;
    const auto out = std::back_inserter(line);
    fmt::format_to(out, R"({{"time_ps":{},"type":"{}","source":"{}")", event.time_ps,
                   description->name, hub_.sources().at(event.source));
    if (event.packet != 0) fmt::format_to(out, R"(,"packet":{})", event.packet);
    if (event.frame != 0) fmt::format_to(out, R"(,"frame":{})", event.frame);
    for (int i = 0; i < 4 && description->args[i] != nullptr; i++) {
        fmt::format_to(out, R"(,"{}":{})", description->args[i], event.args[i]);
    }
    fmt::format_to(out, "}}\n");
    file_.append(line.data(), line.size());
}

}  // namespace doorbell::report
