#pragma once

#include <cstdint>
#include <string>

#include "hw/plugin/client_channel.hpp"
#include "hw/plugin/model_time.hpp"
#include "hw/plugin/nic_device.hpp"

namespace doorbell::plugin {

/// Lines that a client can cause at will: a handful at once, then one a second; what was left out
/// is counted in the next line.
class LimitedLog {
public:
    LimitedLog(ServerLog& log, const HostClock& clock) : log_(log), clock_(clock) {}
    void warn(const std::string& line);

private:
    static constexpr std::uint64_t kBurst = 10;
    static constexpr std::uint64_t kSecond_ns = 1'000'000'000;

    ServerLog& log_;
    const HostClock& clock_;
    std::uint64_t tokens_ = kBurst;
    std::uint64_t refilled_ns_ = 0;
    std::uint64_t left_out_ = 0;
};

/// One client of the server, from its VERSION message to its end. Every message is judged before it
/// touches anything: what is wrong with it is answered with an error and a line in the log; what
/// makes the stream impossible to follow ends the session. Waits for nothing.
class Session {
public:
    enum class State : std::uint8_t {
        kGreeting,  ///< No VERSION yet.
        kOpen,
        kClosing,  ///< We end it: what still comes is thrown away (QEMU aborts when it is not
                   ///< read).
        kGone,
    };
    struct Counters {
        std::uint64_t receives = 0;  ///< System calls that brought something.
        std::uint64_t messages = 0;
        std::uint64_t region_reads = 0;
        std::uint64_t region_writes = 0;  ///< Entries of REGION_WRITE_MULTI as well.
        std::uint64_t errors = 0;         ///< Error replies.
    };

    Session(Descriptor socket, NicDevice& device, ModelTime& time, const HostClock& clock,
            ServerLog& log);

    [[nodiscard]] int number() const { return channel_.number(); }
    /// What to poll for.
    [[nodiscard]] short events() const;
    /// poll(2) said so: takes what has arrived, does it, answers.
    void ready(short happened);
    /// The model may have worked since: interrupts go out, and replies that waited for room.
    void finish_turn();
    /// Replies that `finish_turn` sends.
    [[nodiscard]] bool owes_replies() const { return channel_.unsent(); }
    /// Ends the session from our side, in an orderly way.
    void close();

    /// The client has gone or is being seen off: the next one need not be turned away.
    [[nodiscard]] bool leaving() const;
    /// It has said nothing for so long that one who waits may have its place.
    [[nodiscard]] bool silent() const {
        return state_ == State::kGreeting && clock_.now_ns() - began_ns_ > kGreetingPatience_ns;
    }
    /// Ends the session because of something that the client did.
    void break_off(const std::string& why);

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] bool over();
    [[nodiscard]] const Counters& counters() const { return counters_; }
    /// The process at the other end, 0 when the kernel does not tell.
    [[nodiscard]] int peer() const { return peer_; }

private:
    /// How long an end of ours waits for the client's.
    static constexpr std::uint64_t kPatience_ns = 1'000'000'000;
    /// How long a client may take to say VERSION when another one waits.
    static constexpr std::uint64_t kGreetingPatience_ns = 5'000'000'000;

    void work();
    void take_messages();
    void look_for_lost_memory();
    void handle(const Message& message);
    void handle_version(const Message& message);
    void handle_dma_map(const Message& message);
    void handle_dma_unmap(const Message& message);
    void handle_get_info(const Message& message);
    void handle_region_info(const Message& message);
    void handle_irq_info(const Message& message);
    void handle_set_irqs(const Message& message);
    void handle_region_read(const Message& message);
    void handle_region_write(const Message& message);
    void handle_write_multi(const Message& message);
    void handle_reset(const Message& message);

    [[nodiscard]] bool long_enough(const Message& message, std::uint32_t bytes);
    [[nodiscard]] bool complete(const Message& message, std::uint32_t bytes);
    void refuse(const Message& message, int error, const std::string& why);
    void done(const Message& message);
    void complain(const Message& message, const std::string& what);
    void gone();

    ClientChannel channel_;
    NicDevice& device_;
    ModelTime& time_;
    const HostClock& clock_;
    ServerLog& plain_log_;
    LimitedLog log_;
    State state_ = State::kGreeting;
    std::uint64_t began_ns_;
    std::uint64_t closing_since_ns_ = 0;
    bool untaken_ = false;         ///< Messages wait until the client has read replies.
    bool private_memory_ = false;  ///< Of the client's: handed over, and of no use.
    int peer_ = 0;
    Counters counters_;
};

}  // namespace doorbell::plugin
