#include "testbench/wire/user_far_side.hpp"

#include <arpa/inet.h>
#include <libslirp.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <list>
#include <utility>

namespace doorbell::wire {
namespace {

/// The sockets behind it live in real time, whatever the simulation does.
std::int64_t now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}
std::int64_t now_ms() {
    return now_ns() / 1'000'000;
}

short to_poll(int events) {
    int result = 0;
    if ((events & SLIRP_POLL_IN) != 0) result |= POLLIN;
    if ((events & SLIRP_POLL_OUT) != 0) result |= POLLOUT;
    if ((events & SLIRP_POLL_PRI) != 0) result |= POLLPRI;
    if ((events & SLIRP_POLL_ERR) != 0) result |= POLLERR;
    if ((events & SLIRP_POLL_HUP) != 0) result |= POLLHUP;
    return static_cast<short>(result);
}
int from_poll(short events) {
    int result = 0;
    if ((events & POLLIN) != 0) result |= SLIRP_POLL_IN;
    if ((events & POLLOUT) != 0) result |= SLIRP_POLL_OUT;
    if ((events & POLLPRI) != 0) result |= SLIRP_POLL_PRI;
    if ((events & POLLERR) != 0) result |= SLIRP_POLL_ERR;
    if ((events & POLLHUP) != 0) result |= SLIRP_POLL_HUP;
    return result;
}

const char* text_or_none(const std::string& text) {
    return text.empty() ? nullptr : text.c_str();
}

std::string text_of(in_addr at) {
    char text[INET_ADDRSTRLEN] = {};
    ::inet_ntop(AF_INET, &at, text, sizeof text);
    return text;
}

}  // namespace

/// libslirp and what it calls back into.
class UserFarSide::Stack {
public:
    explicit Stack(const UserOptions& options);
    ~Stack() {
        if (slirp_ != nullptr) slirp_cleanup(slirp_);
    }
    Stack(const Stack&) = delete;
    Stack& operator=(const Stack&) = delete;

    [[nodiscard]] bool made() const { return slirp_ != nullptr; }
    [[nodiscard]] std::string forward(const PortForward& forward);
    void serve(UserFarSide& owner) { owner_ = &owner; }

    void input(const Frame& frame) {
        slirp_input(slirp_, frame.data(), static_cast<int>(frame.size_bytes()));
    }
    void fill(std::vector<pollfd>& watched, int& timeout_ms);
    void poll(const pollfd* ready, std::size_t count);

private:
    struct Timer {
        SlirpTimerId id;
        void* opaque;
        std::int64_t due_ms;
    };
    static constexpr std::int64_t kNotDue = -1;

    static Stack& self(void* opaque) { return *static_cast<Stack*>(opaque); }
    [[nodiscard]] static const SlirpCb& callbacks();
    ssize_t send_packet(const void* data, std::size_t size_bytes);
    void run_timers();

    UserFarSide* owner_ = nullptr;
    Slirp* slirp_ = nullptr;
    std::list<Timer> timers_;
    std::vector<pollfd>* watched_ = nullptr;  ///< During `fill`.
    std::size_t first_ = 0;
    const pollfd* ready_ = nullptr;  ///< During `poll`.
    std::size_t ready_count_ = 0;
};

const SlirpCb& UserFarSide::Stack::callbacks() {
    static const SlirpCb calls = [] {
        SlirpCb c{};
        c.send_packet = [](const void* data, std::size_t size_bytes, void* opaque) {
            return self(opaque).send_packet(data, size_bytes);
        };
        c.guest_error = [](const char* message, void* opaque) {
            Stack& stack = self(opaque);
            if (stack.owner_ != nullptr) stack.owner_->say(std::string("user network: ") + message);
        };
        c.clock_get_ns = [](void*) { return now_ns(); };
        c.timer_free = [](void* timer, void* opaque) {
            self(opaque).timers_.remove_if([&](const Timer& t) { return &t == timer; });
        };
        c.timer_mod = [](void* timer, std::int64_t due_ms, void*) {
            static_cast<Timer*>(timer)->due_ms = due_ms;
        };
        // Descriptors are asked for before each wait, and each wait is followed by a look.
        c.register_poll_fd = [](int, void*) {};
        c.unregister_poll_fd = [](int, void*) {};
        c.notify = [](void*) {};
        c.init_completed = [](Slirp*, void*) {};
        c.timer_new_opaque = [](SlirpTimerId id, void* cb_opaque, void* opaque) -> void* {
            Stack& stack = self(opaque);
            stack.timers_.push_back({id, cb_opaque, kNotDue});
            return &stack.timers_.back();
        };
        return c;
    }();
    return calls;
}

UserFarSide::Stack::Stack(const UserOptions& options) {
    std::vector<const char*> search;
    for (const std::string& domain : options.dns_search) search.push_back(domain.c_str());
    search.push_back(nullptr);

    SlirpConfig config{};
    config.version = 4;
    config.restricted = options.restricted ? 1 : 0;
    config.in_enabled = options.ipv4;
    config.vnetwork = options.network;
    config.vnetmask = options.mask;
    config.vhost = options.host;
    config.in6_enabled = options.ipv6;
    config.vprefix_addr6 = options.ipv6_prefix;
    config.vprefix_len = options.ipv6_prefix_bits;
    config.vhost6 = options.ipv6_host;
    config.vhostname = text_or_none(options.hostname);
    config.tftp_server_name = text_or_none(options.tftp_server_name);
    config.tftp_path = text_or_none(options.tftp_folder);
    config.bootfile = text_or_none(options.boot_file);
    config.vdhcp_start = options.dhcp_start;
    config.vnameserver = options.dns;
    config.vnameserver6 = options.ipv6_dns;
    config.vdnssearch = options.dns_search.empty() ? nullptr : search.data();
    config.vdomainname = text_or_none(options.domain_name);
    config.if_mtu = options.mtu_bytes;
    config.if_mru = options.mtu_bytes;
    slirp_ = slirp_new(&config, &callbacks(), this);
}

std::string UserFarSide::Stack::forward(const PortForward& forward) {
    const int failed =
        slirp_add_hostfwd(slirp_, forward.udp ? 1 : 0, forward.host_address, forward.host_port,
                          forward.guest_address, forward.guest_port);
    if (failed == 0) return "";
    return "user: cannot forward " + forward.text + ": " + std::strerror(errno) +
           (errno == EADDRINUSE ? ": another program has the port, take another one" : "") +
           (errno == EACCES ? ": take a port from 1024 on, or run as root" : "");
}

ssize_t UserFarSide::Stack::send_packet(const void* data, std::size_t size_bytes) {
    // What it says before there is a NIC (router advertisements) has nobody to hear it.
    if (owner_ == nullptr) return static_cast<ssize_t>(size_bytes);
    if (size_bytes > Frame::kCapacityBytes) {
        owner_->count_lost_inward();
        return static_cast<ssize_t>(size_bytes);
    }
    FramePtr frame = owner_->frames().take();
    frame->resize(static_cast<std::uint32_t>(size_bytes));
    std::memcpy(frame->data(), data, size_bytes);
    owner_->arrive(std::move(frame));
    return static_cast<ssize_t>(size_bytes);
}

void UserFarSide::Stack::fill(std::vector<pollfd>& watched, int& timeout_ms) {
    watched_ = &watched;
    first_ = watched.size();
    std::uint32_t wait_ms =
        timeout_ms < 0 ? ~std::uint32_t{0} : static_cast<std::uint32_t>(timeout_ms);
    slirp_pollfds_fill(
        slirp_, &wait_ms,
        [](int descriptor, int events, void* opaque) {
            Stack& stack = self(opaque);
            stack.watched_->push_back({descriptor, to_poll(events), 0});
            return static_cast<int>(stack.watched_->size() - 1 - stack.first_);
        },
        this);
    watched_ = nullptr;
    for (const Timer& timer : timers_) {
        if (timer.due_ms == kNotDue) continue;
        const std::int64_t left_ms = std::max<std::int64_t>(timer.due_ms - now_ms(), 0);
        wait_ms = static_cast<std::uint32_t>(std::min<std::int64_t>(wait_ms, left_ms));
    }
    constexpr std::uint32_t kLongest = 0x7fffffff;
    if (wait_ms <= kLongest) timeout_ms = static_cast<int>(wait_ms);
}

void UserFarSide::Stack::poll(const pollfd* ready, std::size_t count) {
    ready_ = ready;
    ready_count_ = count;
    slirp_pollfds_poll(
        slirp_, 0,
        [](int index, void* opaque) {
            const Stack& stack = self(opaque);
            const auto at = static_cast<std::size_t>(index);
            return at < stack.ready_count_ ? from_poll(stack.ready_[at].revents) : 0;
        },
        this);
    ready_ = nullptr;
    ready_count_ = 0;
    run_timers();
}

void UserFarSide::Stack::run_timers() {
    const std::int64_t now = now_ms();
    for (Timer& timer : timers_) {
        if (timer.due_ms == kNotDue || timer.due_ms > now) continue;
        timer.due_ms = kNotDue;
        slirp_handle_timer(slirp_, timer.id, timer.opaque);
    }
}

// --- the far side -------------------------------------------------------------------------------

std::unique_ptr<UserFarSide> UserFarSide::open(const UserOptions& options,
                                               const FarSideContext& context, std::string& error) {
    auto stack = std::make_unique<Stack>(options);
    if (!stack->made()) {
        error = std::string("user: libslirp ") + slirp_version_string() +
                " refuses these options: leave out mtu and the ipv6 ones";
        return nullptr;
    }
    for (const PortForward& forward : options.forwards) {
        error = stack->forward(forward);
        if (!error.empty()) return nullptr;
    }
    return std::unique_ptr<UserFarSide>(new UserFarSide(context, std::move(stack), options));
}

UserFarSide::UserFarSide(const FarSideContext& context, std::unique_ptr<Stack> stack,
                         const UserOptions& options)
    : FarSideBase(context), stack_(std::move(stack)) {
    description_ = "user network";
    if (options.ipv4) {
        description_ += ", gateway " + text_of(options.host) + ", DNS " + text_of(options.dns) +
                        ", DHCP from " + text_of(options.dhcp_start);
    }
    for (const PortForward& forward : options.forwards) {
        description_ += ", forwards " + forward.text;
    }
    stack_->serve(*this);
}

UserFarSide::~UserFarSide() = default;

std::string UserFarSide::description() const {
    return description_;
}

void UserFarSide::send(FramePtr frame, Picoseconds, Picoseconds) {
    stack_->input(*frame);
}

void UserFarSide::before_wait(std::vector<pollfd>& watched, int& timeout_ms) {
    stack_->fill(watched, timeout_ms);
}

/// What does not find room in the NIC waits, and slirp's windows bound how much that can be.
void UserFarSide::after_wait(const pollfd* ready, std::size_t count) {
    stack_->poll(ready, count);
    deliver();
}

}  // namespace doorbell::wire
