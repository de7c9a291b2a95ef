#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "hw/base/host_port.hpp"
#include "hw/base/time.hpp"
#include "hw/base/timeline.hpp"

/// The NIC's border towards its host, recorded and played back: a run that failed on somebody
/// else's platform can be run again without that platform.
namespace doorbell {

/// One crossing: what the NIC asked, when, and what the host answered.
struct HostCrossing {
    enum class Kind : std::uint8_t { kRead, kWrite, kMessage, kPin };

    Picoseconds time_ps = 0;
    Kind kind = Kind::kRead;
    DmaStatus status = DmaStatus::kOk;
    std::uint32_t size_bytes = 0;
    std::uint32_t value = 0;  ///< Data of a message, level of the pin.
    std::uint64_t address = 0;
    std::uint64_t packet = 0;
    std::size_t first_byte = 0;  ///< Reads and writes: where their bytes lie in the recording.
};

struct HostRecording {
    std::vector<HostCrossing> crossings;
    std::vector<std::uint8_t> bytes;
};

/// Decorates a host: everything passes through and is remembered.
class RecordingHostPort final : public HostPort {
public:
    RecordingHostPort(HostPort& host, const Timeline& timeline)
        : host_(host), timeline_(timeline) {}

    [[nodiscard]] const HostRecording& recording() const { return recording_; }

    [[nodiscard]] DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) override {
        const DmaStatus status = host_.read(address, target, size_bytes, packet);
        HostCrossing& crossing = add(HostCrossing::Kind::kRead);
        crossing.status = status;
        crossing.size_bytes = size_bytes;
        crossing.address = address;
        crossing.packet = packet;
        if (status == DmaStatus::kOk) keep(target, size_bytes);
        return status;
    }
    [[nodiscard]] DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) override {
        const DmaStatus status = host_.write(address, source, size_bytes, packet);
        HostCrossing& crossing = add(HostCrossing::Kind::kWrite);
        crossing.status = status;
        crossing.size_bytes = size_bytes;
        crossing.address = address;
        crossing.packet = packet;
        keep(source, size_bytes);
        return status;
    }
    void message(std::uint64_t address, std::uint32_t data) override {
        HostCrossing& crossing = add(HostCrossing::Kind::kMessage);
        crossing.address = address;
        crossing.value = data;
        host_.message(address, data);
    }
    void interrupt_pin(bool asserted) override {
        add(HostCrossing::Kind::kPin).value = asserted ? 1 : 0;
        host_.interrupt_pin(asserted);
    }

private:
    HostCrossing& add(HostCrossing::Kind kind) {
        HostCrossing crossing;
        crossing.time_ps = timeline_.now_ps();
        crossing.kind = kind;
        crossing.first_byte = recording_.bytes.size();
        recording_.crossings.push_back(crossing);
        return recording_.crossings.back();
    }
    void keep(const std::uint8_t* bytes, std::uint32_t size_bytes) {
        recording_.bytes.insert(recording_.bytes.end(), bytes, bytes + size_bytes);
    }

    HostPort& host_;
    const Timeline& timeline_;
    HostRecording recording_;
};

/// A host that is only a recording. The NIC must do what it did then, at the times it did it; at
/// the first difference the replay says what differs and answers nothing any more.
class ReplayingHostPort final : public HostPort {
public:
    ReplayingHostPort(const HostRecording& recording, const Timeline& timeline)
        : recording_(recording), timeline_(timeline) {}

    /// Empty as long as the NIC follows the recording.
    [[nodiscard]] const std::string& divergence() const { return divergence_; }
    /// Everything that was recorded has happened again.
    [[nodiscard]] bool complete() const {
        return divergence_.empty() && next_ == recording_.crossings.size();
    }

    [[nodiscard]] DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) override {
        const HostCrossing* then = expect(HostCrossing::Kind::kRead, address, size_bytes, 0);
        if (then == nullptr) return DmaStatus::kUnsupportedRequest;
        packet = then->packet;
        if (then->status == DmaStatus::kOk && size_bytes > 0) {
            std::memcpy(target, &recording_.bytes[then->first_byte], size_bytes);
        }
        return then->status;
    }
    [[nodiscard]] DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) override {
        const HostCrossing* then = expect(HostCrossing::Kind::kWrite, address, size_bytes, 0);
        if (then == nullptr) return DmaStatus::kUnsupportedRequest;
        const std::uint8_t* bytes = recording_.bytes.data() + then->first_byte;
        for (std::uint32_t i = 0; i < size_bytes; i++) {
            if (source[i] != bytes[i]) {
                diverge("byte " + std::to_string(i) + " of a write differs");
                return DmaStatus::kUnsupportedRequest;
            }
        }
        if (packet != then->packet) diverge("a write stores another packet");
        return then->status;
    }
    void message(std::uint64_t address, std::uint32_t data) override {
        (void)expect(HostCrossing::Kind::kMessage, address, 0, data);
    }
    void interrupt_pin(bool asserted) override {
        (void)expect(HostCrossing::Kind::kPin, 0, 0, asserted ? 1 : 0);
    }

private:
    const HostCrossing* expect(HostCrossing::Kind kind, std::uint64_t address,
                               std::uint32_t size_bytes, std::uint32_t value) {
        if (!divergence_.empty()) return nullptr;
        if (next_ == recording_.crossings.size()) {
            diverge("more crossings than recorded");
            return nullptr;
        }
        const HostCrossing& then = recording_.crossings[next_];
        if (then.time_ps != timeline_.now_ps()) {
            diverge("recorded at " + std::to_string(then.time_ps) + " ps");
        } else if (then.kind != kind) {
            diverge("another kind of crossing was recorded");
        } else if (then.address != address) {
            diverge("recorded address " + std::to_string(then.address) + ", now " +
                    std::to_string(address));
        } else if (then.size_bytes != size_bytes) {
            diverge("recorded size " + std::to_string(then.size_bytes) + ", now " +
                    std::to_string(size_bytes));
        } else if (then.value != value) {
            diverge("recorded value " + std::to_string(then.value) + ", now " +
                    std::to_string(value));
        }
        if (!divergence_.empty()) return nullptr;
        next_++;
        return &then;
    }
    void diverge(const std::string& what) {
        divergence_ = "crossing " + std::to_string(next_) + " at " +
                      std::to_string(timeline_.now_ps()) + " ps: " + what;
    }

    const HostRecording& recording_;
    const Timeline& timeline_;
    std::size_t next_ = 0;
    std::string divergence_;
};

}  // namespace doorbell
