#pragma once

#include <xxhash.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/event_port.hpp"
#include "testbench/report/buffered_file.hpp"

/// The event stream as bytes: what `trace_hash` is over and what the trace file holds.
///
/// Records, little-endian, back to back. An event: u16 type (hw/base/events.toml, never 0), u16
/// source, u64 time_ps, u64 packet, u64 frame, then one u64 per argument of its type. A source,
/// before the first event that names it: u16 0, u16 number, u16 length, then the name.
namespace doorbell::report {

class EventSerialiser {
public:
    explicit EventSerialiser(const EventHub& hub);
    /// Appends the records for `event`.
    void append(const Event& event, std::vector<std::uint8_t>& to);

private:
    const EventHub& hub_;
    std::size_t sources_known_ = 0;
    std::vector<std::uint8_t> argument_counts_;  ///< By event type.
};

/// The schema's entry of an event type; nullptr when there is none.
[[nodiscard]] const EventDescription* find_event(std::uint16_t type);

/// XXH3-128 over the records.
class EventHash final : public EventListener {
public:
    explicit EventHash(const EventHub& hub);
    void event(const Event& event) override;
    /// 32 hexadecimal digits.
    [[nodiscard]] std::string digest();

private:
    struct FreeState {
        void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
    };
    void flush();

    EventSerialiser serialiser_;
    std::unique_ptr<XXH3_state_t, FreeState> state_;
    std::vector<std::uint8_t> pending_;
};

/// The trace file: a header of 16 bytes ("doorbell-trace", u16 version 1), then the records.
class EventTrace final : public EventListener {
public:
    static constexpr char kMagic[] = "doorbell-trace";
    static constexpr std::uint16_t kVersion = 1;

    EventTrace(const std::filesystem::path& path, const EventHub& hub);
    void event(const Event& event) override;
    [[nodiscard]] bool close() { return file_.close(); }
    [[nodiscard]] int error() const { return file_.error(); }

private:
    EventSerialiser serialiser_;
    BufferedFile file_;
    std::vector<std::uint8_t> record_;
};

/// The same for people and scripts: one JSON object a line, arguments by name.
class EventTraceJson final : public EventListener {
public:
    EventTraceJson(const std::filesystem::path& path, const EventHub& hub);
    void event(const Event& event) override;
    [[nodiscard]] bool close() { return file_.close(); }
    [[nodiscard]] int error() const { return file_.error(); }

private:
    const EventHub& hub_;
    BufferedFile file_;
};

}  // namespace doorbell::report
