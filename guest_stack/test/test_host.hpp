// A host for guest images without SystemC: coroutines on ucontext, one queue of timed actions, a
// fake NIC (fake_device.h) and a link with a rate and a delay. Deterministic and single-threaded.
#pragma once

#include <ucontext.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "guest_stack/test/fake_device.h"

extern "C" {
#include "guest_stack/kernel/guest_abi.h"
}

namespace guest_test {

class TestHost;

// Simulated time and the coroutines of all hosts.
class World {
public:
    World();
    ~World();
    World(const World&) = delete;
    World& operator=(const World&) = delete;

    uint64_t now() const { return now_; }
    void at(uint64_t time_ps, std::function<void()> action);
    // Runs until `done` says so, nothing is left to happen, or the time is over; false unless done.
    bool run_until(const std::function<bool()>& done, uint64_t limit_ps);
    uint64_t resumptions() const { return resumptions_; }
    void fail(const std::string& why);
    const std::string& failure() const { return failure_; }

    struct Coroutine {
        ucontext_t context{};
        std::vector<char> stack;
        std::function<void()> entry;
        bool ended = false;
    };
    void spawn(std::function<void()> entry);
    Coroutine* current() { return current_; }
    void suspend();
    void resume(Coroutine* coroutine);

private:
    struct Action {
        uint64_t time;
        uint64_t sequence;
        std::function<void()> run;
        bool operator>(const Action& other) const {
            return time != other.time ? time > other.time : sequence > other.sequence;
        }
    };
    static void trampoline();

    uint64_t now_ = 0;
    uint64_t sequence_ = 0;
    uint64_t resumptions_ = 0;
    std::string failure_;
    std::priority_queue<Action, std::vector<Action>, std::greater<>> actions_;
    std::vector<std::unique_ptr<Coroutine>> coroutines_;
    Coroutine* current_ = nullptr;
    ucontext_t main_{};
};

// The NIC of a host and its end of a link.
struct FakeNic {
    TestHost* host = nullptr;
    uint32_t index = 0;
    FakeNic* peer = nullptr;
    uint64_t rate_bps = 1000000000;
    uint64_t delay_ps = 1000000;
    bool connected = true;
    uint32_t registers[16] = {};
    uint32_t tx_head = 0, rx_head = 0;
    uint32_t causes = 0, mask = 0;
    uint64_t wire_free_ps = 0;
    bool tx_running = false;
    bool stuck = false; /* the transmitter does nothing until it is reset */
    uint64_t frames = 0, missed = 0;
    uint64_t moderation_ps = 0, next_interrupt_ps = 0;
    bool interrupt_scheduled = false;
    // Decides about a frame on its way out; false loses it. May change it.
    std::function<bool(std::vector<uint8_t>&)> on_wire;
    void (*handlers[FAKE_VECTORS])(void*, uint32_t) = {};
    void* handler_contexts[FAKE_VECTORS] = {};

    void write(uint32_t offset, uint32_t value);
    uint32_t read(uint32_t offset);
    void raise(uint32_t cause);
    void set_link(bool up);

private:
    void run_tx();
    void receive(const std::vector<uint8_t>& frame, uint64_t packet);
    fake_descriptor* ring(uint32_t base_register) const;
    void interrupt();
};

struct App {
    std::vector<std::string> argv;
    uint64_t start_ps = 0;
    std::string line() const;
};

struct HostConfig {
    std::string name;
    std::vector<guest_interface> interfaces;
    std::vector<guest_route> routes;
    std::vector<App> apps;
    std::vector<std::pair<std::string, std::string>> settings;
};

struct Report {
    uint64_t time;
    guest_report report;
};

class TestHost {
public:
    // Loads a private copy of the image and of lwIP.
    TestHost(World& world, const std::string& image, uint32_t nic_count, HostConfig config);
    ~TestHost();
    TestHost(const TestHost&) = delete;
    TestHost& operator=(const TestHost&) = delete;

    // What start() hands to the guest; once.
    const guest_config& prepare();
    int start();
    FakeNic& nic(uint32_t index) { return *nics_[index]; }
    World& world() { return world_; }
    bool done() const;
    uint32_t app_count() const { return static_cast<uint32_t>(config_.apps.size()); }
    int status(uint32_t app) const { return statuses_.at(app); }
    std::map<std::string, uint64_t> metrics() const;
    std::string show(const std::string& table) const;
    void listen() { listening_ = true; }
    const std::vector<Report>& reports() const { return reports_; }
    std::vector<Report> reports(uint16_t type) const;
    const std::string& log() const { return log_; }
    // Files that guests open are these strings.
    std::map<std::string, std::string> files;
    uint32_t abi_version = GUEST_ABI_VERSION;
    const std::string& name() const { return config_.name; }
    void* symbol(const char* name) const;
    // Memory behind an I/O virtual address; fails the test when it was never handed over.
    void* memory(uint64_t iova, uint32_t size);

private:
    friend struct FakeNic;
    struct Mapping {
        char* memory;
        uint32_t size;
        uint64_t packet;
        bool coherent;
    };
    static const guest_host_ops kOps;
    struct Ops;

    World& world_;
    HostConfig config_;
    uint32_t number_;
    std::string directory_;
    void* handle_ = nullptr;
    std::vector<std::unique_ptr<FakeNic>> nics_;
    std::map<uint64_t, Mapping> mappings_;
    std::vector<std::unique_ptr<char[]>> coherent_;
    std::vector<std::unique_ptr<guest_event>> events_;
    std::vector<std::unique_ptr<guest_file>> open_files_;
    uint64_t next_iova_ = 0x100000;
    std::map<uint32_t, int> statuses_;
    bool listening_ = false;
    std::vector<Report> reports_;
    std::string log_;
    uint64_t random_ = 88172645463325252ull;
    // What is given to guest_start and what it points to.
    guest_host_ops ops_{};
    std::vector<std::vector<const char*>> argvs_;
    std::vector<guest_app> apps_;
    std::vector<guest_setting> settings_;
    guest_config guest_config_{};
};

// Cables two NICs.
void connect(FakeNic& a, FakeNic& b);
uint32_t address(const char* text);

}  // namespace guest_test
