#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/accept_pause.hpp"
#include "testbench/wire/far_side_base.hpp"

namespace doorbell::wire {

/// A cable to another process through a UNIX socket (`unix:PATH`): to a second served NIC, or to a
/// QEMU with `-netdev stream`. Who comes first listens, the second connects; when one goes, the
/// link is down until somebody comes again.
///
///     | length, 4 bytes, most significant first | frame without FCS |
///
/// Two served NICs tell each other what their PHYs offer, in a frame that a third party takes for
/// one of an unknown experiment; who says nothing is taken for a gigabit partner.
class UnixFarSide final : public FarSideBase {
public:
    [[nodiscard]] static std::unique_ptr<UnixFarSide> open(const std::string& path,
                                                           const FarSideContext& context,
                                                           std::string& error);
    ~UnixFarSide() override;
    UnixFarSide(const UnixFarSide&) = delete;
    UnixFarSide& operator=(const UnixFarSide&) = delete;

    void advertise(const LinkAbilities& abilities) override;
    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;
    void flush() override;
    [[nodiscard]] std::string description() const override;
    void visit_metrics(MetricVisitor& visitor) const override;

protected:
    void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    /// Nobody is there until somebody has said so.
    [[nodiscard]] LinkAbilities first_offer() const override { return {}; }
    /// The other end is a NIC, which obeys them itself.
    [[nodiscard]] PauseEnds pause_ends() const override { return PauseEnds::kBeyond; }

private:
    using Clock = std::chrono::steady_clock;

    /// How long the other end may take to say what it offers, and how often it is looked for.
    static constexpr auto kPatience = std::chrono::milliseconds(200);
    static constexpr auto kRetry = std::chrono::milliseconds(200);
    static constexpr std::size_t kOutwardBytes = 1024 * 1024;  ///< What the other end lags behind.
    static constexpr std::size_t kReadBytes = 256 * 1024;

    UnixFarSide(std::string path, const sockaddr_un& address, const FarSideContext& context);

    /// errno of what failed, 0 when there is a connection or a place to wait for one.
    [[nodiscard]] int look_for_other_end();
    [[nodiscard]] int listen();
    /// The file at the path is the one that we listen at.
    [[nodiscard]] bool path_is_ours() const;
    void look_again();
    void stop_listening();
    void accept();
    void connected(int descriptor);
    void found(const LinkAbilities& abilities);
    void lose(const std::string& why);
    void announce();
    void push(const std::uint8_t* data, std::uint32_t size_bytes);
    void write();
    void read();
    /// Frames of what has been read, as long as the NIC has room for them.
    void take_frames();
    void take_frame(const std::uint8_t* data, std::uint32_t size_bytes);

    const std::string path_;
    const sockaddr_un address_;
    int listener_ = -1;
    dev_t listener_device_ = 0;  ///< Of its file.
    ino_t listener_inode_ = 0;
    AcceptPause accept_pause_;
    int peer_ = -1;
    LinkAbilities mine_;
    bool known_ = false;       ///< What the partner offers has been said or assumed.
    bool complained_ = false;  ///< About one who hangs up at once.
    Clock::time_point connected_at_;
    Clock::time_point looked_at_;
    std::vector<std::uint8_t> outward_;
    std::size_t written_ = 0;
    std::vector<std::uint8_t> inward_;
    std::size_t inward_begin_ = 0;
    std::size_t inward_end_ = 0;
    std::uint64_t connections_ = 0;
};

}  // namespace doorbell::wire
