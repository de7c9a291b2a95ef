#include "hw/plugin/server.hpp"

#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>
#include <utility>

namespace doorbell::plugin {
namespace {

constexpr std::size_t kNoEntry = ~std::size_t{0};
/// While a session ends: how often its patience is looked at.
constexpr int kClosingLook_ms = 50;
constexpr std::int64_t kMillisecond_ns = 1'000'000;
constexpr std::int64_t kSecond_ns = 1'000'000'000;

void shorten(int& timeout_ms, int limit_ms) {
    if (limit_ms >= 0 && (timeout_ms < 0 || limit_ms < timeout_ms)) timeout_ms = limit_ms;
}

}  // namespace

Server::Server(NicDevice& device, ModelTime& time, const HostClock& clock, ServerLog& log)
    : device_(device), time_(time), clock_(clock), log_(log), limited_log_(log, clock) {}

void Server::listen(ListeningSocket socket) {
    listener_ = std::move(socket);
}

void Server::adopt(Descriptor client) {
    if (session_ != nullptr) {
        limited_log_.warn(
            "a second client was turned away: one NIC serves one client; start another server for "
            "it, at another socket");
        return;
    }
    clients_served_++;
    session_ = std::make_unique<Session>(std::move(client), device_, time_, clock_, log_);
    log_.info("client " + std::to_string(clients_served_) + " connected" +
              (session_->peer() > 0 ? ", process " + std::to_string(session_->peer()) : ""));
}

void Server::turn(int limit_ms) {
    int timeout_ms = limit_ms;
    collect(timeout_ms);
    wait(timeout_ms);

    time_.settle();
    // The client first: a guest that reads a register stands still, and its end makes room for the
    // next one.
    serve_client();
    if (listener_entry_ != kNoEntry && watched_[listener_entry_].revents != 0) accept_client();
    for (const Watched& entry : sources_) {
        entry.source->after_wait(watched_.data() + entry.first, entry.count);
    }
    if (end_of_turn_) end_of_turn_();
    time_.settle();
    time_.turn_over();
    // What the model has sent since then does not wait for the next turn, which may be far away.
    if (end_of_turn_) end_of_turn_();
    if (session_ != nullptr) session_->finish_turn();
}

void Server::collect(int& timeout_ms) {
    watched_.clear();
    session_entry_ = listener_entry_ = kNoEntry;
    if (session_ != nullptr) {
        session_entry_ = watched_.size();
        watched_.push_back({session_->number(), session_->events(), 0});
        if (session_->state() == Session::State::kClosing) shorten(timeout_ms, kClosingLook_ms);
    }
    // While one is being seen off, the next waits in the socket's queue.
    const bool closing = session_ != nullptr && session_->state() == Session::State::kClosing;
    const bool early = accept_pause_.lasts(clock_.now_ns());
    if (listener_.open() && early) shorten(timeout_ms, AcceptPause::kLength_ms);
    if (listener_.open() && !closing && !early) {
        listener_entry_ = watched_.size();
        watched_.push_back({listener_.number(), POLLIN, 0});
    }
    for (Watched& entry : sources_) {
        entry.first = watched_.size();
        int source_ms = -1;
        entry.source->before_wait(watched_, source_ms);
        shorten(timeout_ms, source_ms);
        entry.count = watched_.size() - entry.first;
    }
}

void Server::wait(int timeout_ms) {
    std::int64_t wait_ns = time_.idle_ns();
    if (timeout_ms >= 0 && (wait_ns < 0 || timeout_ms * kMillisecond_ns < wait_ns)) {
        wait_ns = timeout_ms * kMillisecond_ns;
    }
    if (busy_poll_ns_ > 0 && watch_busily(wait_ns)) return;
    timespec limit{wait_ns / kSecond_ns, wait_ns % kSecond_ns};
    const int ready =
        ppoll(watched_.data(), watched_.size(), wait_ns < 0 ? nullptr : &limit, nullptr);
    if (ready > 0) active_ns_ = clock_.now_ns();
    if (ready >= 0) return;
    // EINTR, or no memory for a moment: nothing is ready, the next turn asks again.
    for (pollfd& entry : watched_) entry.revents = 0;
}

/// Whether something came while it did not sleep.
bool Server::watch_busily(std::int64_t wait_ns) {
    std::uint64_t until_ns = active_ns_ + busy_poll_ns_;
    std::uint64_t now_ns = clock_.now_ns();
    if (wait_ns >= 0) {
        until_ns = std::min(until_ns, now_ns + static_cast<std::uint64_t>(wait_ns));
    }
    for (; now_ns < until_ns; now_ns = clock_.now_ns()) {
        constexpr timespec kNoWait{0, 0};
        if (ppoll(watched_.data(), watched_.size(), &kNoWait, nullptr) > 0) {
            active_ns_ = now_ns;
            return true;
        }
        sched_yield();  // Who we wait for may have only this processor.
    }
    return false;
}

void Server::serve_client() {
    if (session_entry_ == kNoEntry || session_ == nullptr) return;
    const short happened = watched_[session_entry_].revents;
    if (happened != 0) {
        session_->ready(happened);
        // A guest that reads stands still. Interrupts alone can wait for the end of the turn: what
        // the far side answers at once comes with them, and wakes the client once.
        if (session_->owes_replies()) session_->finish_turn();
    }
    if (session_->over()) end_session();
}

void Server::accept_client() {
    if (session_ != nullptr && session_->silent()) {
        session_->break_off("it has said nothing for 5 s and another one waits");
        if (session_->over()) end_session();
    }
    // One that has gone may have left messages behind; they come first, and the next one waits.
    if (session_ != nullptr && session_->leaving()) return;
    Descriptor client = listener_.accept();
    if (client.open()) {
        accept_pause_.taken();
        return adopt(std::move(client));
    }
    const int error = errno;
    if (!accept_pause_.failed(error, clock_.now_ns())) return;
    log_.warn(std::string("a client waits and cannot be taken: ") + std::strerror(error) +
              (error == EMFILE ? "; allow the server more (ulimit -n)" : "") + "; trying on");
}

void Server::disconnect() {
    if (session_ == nullptr) return;
    session_->close();
    if (session_->over()) end_session();
}

void Server::end_session() {
    const Session::Counters& counters = session_->counters();
    earlier_.receives += counters.receives;
    earlier_.messages += counters.messages;
    earlier_.region_reads += counters.region_reads;
    earlier_.region_writes += counters.region_writes;
    earlier_.errors += counters.errors;
    // Whatever it was: who sent garbage has been served its answer.
    const bool spoke = counters.receives > 0;
    session_.reset();
    // Nothing of it may be touched any more, whenever the next one comes.
    device_.power_on();
    log_.info("client " + std::to_string(clients_served_) + " is gone" +
              (spoke ? "" : " without a word: it does not count"));
    // Somebody who only looks whether the socket is in use.
    if (!spoke) clients_served_--;
}

}  // namespace doorbell::plugin
