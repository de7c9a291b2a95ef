#include "testbench/cli/inspect_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

namespace doorbell::cli {

using plugin::Descriptor;

namespace {

/// A server answers at once; its machine may be very busy.
constexpr int kPatience_s = 30;

/// For pauses of the listener.
std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::nanoseconds(now).count());
}

}  // namespace

std::string InspectSocket::path_of(const std::string& server_path) {
    return server_path + ".inspect";
}

InspectSocket::InspectSocket(plugin::ListeningSocket socket,
                             std::function<std::string(bool json)> answer)
    : listener_(std::move(socket)), answer_(std::move(answer)) {}

void InspectSocket::before_wait(std::vector<pollfd>& watched, int& timeout_ms) {
    const bool early = accept_pause_.lasts(now_ns());
    if (early && (timeout_ms < 0 || timeout_ms > AcceptPause::kLength_ms)) {
        timeout_ms = AcceptPause::kLength_ms;
    }
    // An entry without a descriptor is never ready.
    watched.push_back({early ? -1 : listener_.number(), POLLIN, 0});
    for (const Caller& caller : callers_) {
        const short events = caller.answer.empty() ? POLLIN : POLLOUT;
        watched.push_back({caller.socket.number(), events, 0});
    }
}

void InspectSocket::after_wait(const pollfd* ready, std::size_t count) {
    // From the last, so that what is removed moves none that is still to come.
    for (std::size_t i = count - 1; i > 0; i--) {
        if (ready[i].revents == 0 || serve(callers_[i - 1])) continue;
        callers_.erase(callers_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    if (ready[0].revents != 0) accept();
}

void InspectSocket::accept() {
    Descriptor socket = listener_.accept();
    if (!socket.open()) {
        (void)accept_pause_.failed(errno, now_ns());
        return;
    }
    if (callers_.size() == kMaxCallers) callers_.erase(callers_.begin());
    callers_.push_back({std::move(socket), {}, {}});
}

bool InspectSocket::serve(Caller& caller) {
    if (caller.answer.empty()) {
        char bytes[kMaxQuestionBytes];
        const ssize_t size = recv(caller.socket.number(), bytes, sizeof bytes, MSG_DONTWAIT);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        if (size == 0) return false;
        caller.question.append(bytes, static_cast<std::size_t>(size));
        if (caller.question.size() > kMaxQuestionBytes) return false;
        if (caller.question.back() != '\n') return true;
        if (caller.question != "text\n" && caller.question != "json\n") return false;
        caller.answer = answer_(caller.question == "json\n");
    }
    const ssize_t sent = send(caller.socket.number(), caller.answer.data(), caller.answer.size(),
                              MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    caller.answer.erase(0, static_cast<std::size_t>(sent));
    return !caller.answer.empty();
}

bool ask_server(const std::string& server_path, bool json, std::string& answer, std::string& why) {
    const std::string path = InspectSocket::path_of(server_path);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        why = fmt::format("'{}' is longer than any socket's path can be", path);
        return false;
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    const Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (connect(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0) {
        why = fmt::format(
            "no server answers at '{}' ({}); SOCKET is the path that 'doorbell serve --socket' was "
            "given",
            path, std::strerror(errno));
        return false;
    }
    const timeval patience{kPatience_s, 0};
    setsockopt(socket.number(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    const char* question = json ? "json\n" : "text\n";
    if (send(socket.number(), question, std::strlen(question), MSG_NOSIGNAL) < 0) {
        why = fmt::format("the server at '{}' went away: {}", path, std::strerror(errno));
        return false;
    }
    char bytes[4096];
    for (;;) {
        const ssize_t size = recv(socket.number(), bytes, sizeof bytes, 0);
        if (size == 0 && !answer.empty()) return true;
        if (size <= 0) {
            why = fmt::format("the server at '{}' did not answer within {} s", path, kPatience_s);
            return false;
        }
        answer.append(bytes, static_cast<std::size_t>(size));
    }
}

}  // namespace doorbell::cli
