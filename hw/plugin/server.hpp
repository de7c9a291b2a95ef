#pragma once

#include <poll.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "hw/base/accept_pause.hpp"
#include "hw/base/poll_source.hpp"
#include "hw/plugin/listening_socket.hpp"
#include "hw/plugin/model_time.hpp"
#include "hw/plugin/nic_device.hpp"
#include "hw/plugin/session.hpp"

namespace doorbell::plugin {

/// The one thread of a served NIC. A turn lets the model's time run, waits once for whatever comes
/// first (a message, something at the far side of the wire, the next event of the model), and deals
/// with it. Clients are served one after the other, each with a NIC as after power-on.
class Server {
public:
    Server(NicDevice& device, ModelTime& time, const HostClock& clock, ServerLog& log);

    /// Clients come from here. Without one, `adopt` brings them.
    void listen(ListeningSocket socket);
    void adopt(Descriptor client);
    /// The path goes at once; whoever waits at it is not served.
    void stop_listening() { listener_ = ListeningSocket(); }
    /// How long after something happened it looks without sleeping; 0: not at all. A thread that
    /// sleeps is woken late.
    void busy_poll(std::uint64_t duration_ns) { busy_poll_ns_ = duration_ns; }
    /// Outlives the server's turns.
    void add(PollSource& source) { sources_.push_back({&source, 0, 0}); }
    /// Called when the outside has been dealt with, and once more when the model has worked since:
    /// nothing that the NIC has sent waits for the next turn.
    void at_end_of_turn(std::function<void()> action) { end_of_turn_ = std::move(action); }

    /// One turn; waits at most `limit_ms` (-1: no limit).
    void turn(int limit_ms);
    /// Ends a session in an orderly way; turns are still needed until `session()` is nullptr.
    void disconnect();

    [[nodiscard]] const Session* session() const { return session_.get(); }
    [[nodiscard]] std::uint64_t clients_served() const { return clients_served_; }
    /// Of all sessions that are over.
    [[nodiscard]] const Session::Counters& earlier_sessions() const { return earlier_; }

private:
    struct Watched {
        PollSource* source;
        std::size_t first;
        std::size_t count;
    };

    void collect(int& timeout_ms);
    void wait(int timeout_ms);
    [[nodiscard]] bool watch_busily(std::int64_t wait_ns);
    void serve_client();
    void accept_client();
    void end_session();

    NicDevice& device_;
    ModelTime& time_;
    const HostClock& clock_;
    ServerLog& log_;
    LimitedLog limited_log_;
    ListeningSocket listener_;
    std::unique_ptr<Session> session_;
    std::vector<Watched> sources_;
    std::vector<pollfd> watched_;
    std::size_t session_entry_ = 0;
    std::size_t listener_entry_ = 0;
    std::function<void()> end_of_turn_;
    std::uint64_t busy_poll_ns_ = 0;
    std::uint64_t active_ns_ = 0;
    AcceptPause accept_pause_;
    std::uint64_t clients_served_ = 0;
    Session::Counters earlier_;
};

}  // namespace doorbell::plugin
