#include "testbench/qemu/differential/qtest_session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace doorbell::differential {

namespace {

/// QEMU answers in microseconds; when it has not in this time it never will.
constexpr int kPatienceMs = 20'000;
/// Behind a frame: in the first round trip its reader is called, in the second it has returned.
constexpr int kRoundTripsPerFrame = 2;
constexpr std::string_view kNoOperation = "readb 0x0";

void make_pair(int ends[2]) {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        throw std::runtime_error(std::string("cannot make a socket pair: ") + strerror(errno));
    }
}

void no_waiting(int descriptor) {
    (void)fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
}

void write_whole(int descriptor, const std::uint8_t* bytes, std::size_t size) {
    while (size > 0) {
        const ssize_t done = ::send(descriptor, bytes, size, MSG_NOSIGNAL);
        if (done > 0) {
            bytes += done;
            size -= static_cast<std::size_t>(done);
        } else if (errno == EAGAIN) {
            pollfd waits{descriptor, POLLOUT, 0};
            if (poll(&waits, 1, kPatienceMs) != 1) {
                throw std::runtime_error("QEMU takes no more frames from its network socket");
            }
        } else if (errno != EINTR) {
            throw std::runtime_error(std::string("QEMU closed its network socket: ") +
                                     strerror(errno));
        }
    }
}

}  // namespace

QtestSession::QtestSession(const std::vector<std::string>& words,
                           const std::vector<std::string>& arguments) {
    int console[2];
    int cable[2];
    make_pair(console);
    make_pair(cable);
    std::vector<std::string> all = words;
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : all) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = fork();
    if (child_ == 0) {
        // It ends with us, however we end.
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        // Clear of the numbers that are given out, which may be among them.
        const int own_console = fcntl(console[1], F_DUPFD, 10);
        const int own_cable = fcntl(cable[1], F_DUPFD, 10);
        (void)dup2(own_console, 0);
        (void)dup2(own_console, 1);
        (void)dup2(own_cable, kCableDescriptor);
        close(own_console);
        close(own_cable);
        execvp(argv[0], argv.data());
        std::fprintf(stderr, "doorbell-differential: cannot start %s: %s\n", argv[0],
                     strerror(errno));
        _exit(127);
    }
    close(console[1]);
    close(cable[1]);
    console_ = console[0];
    cable_ = cable[0];
    no_waiting(console_);
    no_waiting(cable_);
    try {
        (void)answer(kNoOperation);
    } catch (const std::runtime_error&) {
        reap();
        throw std::runtime_error("QEMU (" + words[0] +
                                 " ...) did not come up with '-accel qtest': it must be 10.1 or "
                                 "newer with its qtest module; what it said is above");
    }
}

QtestSession::~QtestSession() {
    reap();
}

void QtestSession::reap() {
    if (child_ > 0) {
        (void)kill(child_, SIGKILL);
        (void)waitpid(child_, nullptr, 0);
        child_ = -1;
    }
    if (console_ >= 0) close(std::exchange(console_, -1));
    if (cable_ >= 0) close(std::exchange(cable_, -1));
}

void QtestSession::command(std::string_view line) {
    out_ += line;
    out_ += '\n';
    expected_++;
}

std::string QtestSession::answer(std::string_view line) {
    command(line);
    exchange();
    return last_;
}

void QtestSession::gone() const {
    throw std::runtime_error("QEMU ended or does not answer any more; what it said is above");
}

/// Sends everything while taking what comes, frames included: nobody waits for the other.
void QtestSession::exchange() {
    std::size_t sent = 0;
    while (expected_ > 0) {
        pollfd waits[2] = {{console_, POLLIN, 0}, {cable_, POLLIN, 0}};
        if (sent < out_.size()) waits[0].events |= POLLOUT;
        const int ready = poll(waits, 2, kPatienceMs);
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) gone();
        if (waits[1].revents & POLLIN) read_cable();
        if (waits[0].revents & POLLOUT) {
            const ssize_t done =
                ::send(console_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
            if (done > 0) sent += static_cast<std::size_t>(done);
        }
        if (waits[0].revents & (POLLIN | POLLHUP | POLLERR)) read_answers();
    }
    out_.clear();
    // What QEMU sent before its last answer is in the socket by now.
    read_cable();
}

void QtestSession::read_answers() {
    char chunk[65536];
    const ssize_t got = ::recv(console_, chunk, sizeof chunk, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) gone();
    if (got < 0) return;
    in_.append(chunk, static_cast<std::size_t>(got));
    std::size_t at = 0;
    for (std::size_t end = in_.find('\n'); end != std::string::npos; end = in_.find('\n', at)) {
        const std::string_view line(in_.data() + at, end - at);
        at = end + 1;
        if (line.substr(0, 2) == "OK") {
            last_ = line.size() > 3 ? line.substr(3) : std::string_view{};
            if (expected_ > 0) expected_--;
        } else if (line.substr(0, 4) != "IRQ ") {
            throw std::runtime_error("QEMU refuses a qtest command: " + std::string(line));
        }
    }
    in_.erase(0, at);
}

void QtestSession::read_cable() {
    std::uint8_t chunk[65536];
    for (;;) {
        const ssize_t got = ::recv(cable_, chunk, sizeof chunk, 0);
        if (got <= 0) return;
        cable_in_.insert(cable_in_.end(), chunk, chunk + got);
    }
}

void QtestSession::send_frame(const std::vector<std::uint8_t>& frame) {
    // What was commanded before the frame happens before it.
    (void)answer(kNoOperation);
    const auto size = static_cast<std::uint32_t>(frame.size());
    std::vector<std::uint8_t> bytes;
    for (int shift = 24; shift >= 0; shift -= 8) {
        bytes.push_back(static_cast<std::uint8_t>(size >> shift));
    }
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    write_whole(cable_, bytes.data(), bytes.size());
    for (int i = 0; i < kRoundTripsPerFrame; i++) (void)answer(kNoOperation);
}

std::vector<std::vector<std::uint8_t>> QtestSession::take_frames() {
    (void)answer(kNoOperation);
    std::vector<std::vector<std::uint8_t>> frames;
    std::size_t at = 0;
    while (cable_in_.size() - at >= 4) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < 4; i++) size = size << 8 | cable_in_[at + i];
        if (cable_in_.size() - at - 4 < size) break;
        const auto first = cable_in_.begin() + static_cast<std::ptrdiff_t>(at + 4);
        frames.emplace_back(first, first + static_cast<std::ptrdiff_t>(size));
        at += 4 + size;
    }
    cable_in_.erase(cable_in_.begin(), cable_in_.begin() + static_cast<std::ptrdiff_t>(at));
    return frames;
}

}  // namespace doorbell::differential
