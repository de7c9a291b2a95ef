#include "guest_stack/test/test_host.hpp"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

struct guest_event {
    bool notified = false;
    guest_test::World::Coroutine* waiter = nullptr;
    uint64_t generation = 0;
    bool timed_out = false;
};
struct guest_file {
    std::string* text = nullptr;
    size_t at = 0;
    uint64_t generated = 0;  // bytes of a "generate:" file
    bool discard = false;
};

namespace guest_test {

namespace {

constexpr size_t kStackBytes = 256 * 1024;
World* running_world = nullptr;

std::string read_file(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
    assert(from.size() == to.size());
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + 1)) {
        text.replace(at, from.size(), to);
    }
}

uint32_t sum16(const uint8_t* data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        sum += static_cast<uint32_t>(data[i] << 8 | data[i + 1]);
    }
    if ((size & 1) != 0) {
        sum += static_cast<uint32_t>(data[size - 1]) << 8;
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

char pattern(uint64_t at) {
    return static_cast<char>(at * 7 + (at >> 8) * 13 + (at >> 16));
}

}  // namespace

// --- World --------------------------------------------------------------------------------------

World::World() {
    running_world = this;
}
World::~World() {
    running_world = nullptr;
}

void World::at(uint64_t time_ps, std::function<void()> action) {
    actions_.push({time_ps < now_ ? now_ : time_ps, sequence_++, std::move(action)});
}

void World::trampoline() {
    World* world = running_world;
    Coroutine* me = world->current_;
    me->entry();
    me->ended = true;
    world->suspend();
}

void World::spawn(std::function<void()> entry) {
    auto coroutine = std::make_unique<Coroutine>();
    Coroutine* c = coroutine.get();
    c->stack.resize(kStackBytes);
    c->entry = std::move(entry);
    getcontext(&c->context);
    c->context.uc_stack.ss_sp = c->stack.data();
    c->context.uc_stack.ss_size = c->stack.size();
    c->context.uc_link = nullptr;
    makecontext(&c->context, &World::trampoline, 0);
    coroutines_.push_back(std::move(coroutine));
    at(now_, [this, c] { resume(c); });
}

void World::suspend() {
    Coroutine* me = current_;
    current_ = nullptr;
    swapcontext(&me->context, &main_);
}

void World::resume(Coroutine* coroutine) {
    ++resumptions_;
    current_ = coroutine;
    swapcontext(&main_, &coroutine->context);
}

void World::fail(const std::string& why) {
    if (failure_.empty()) {
        failure_ = why;
    }
}

bool World::run_until(const std::function<bool()>& done, uint64_t limit_ps) {
    while (failure_.empty()) {
        if (done()) {
            return true;
        }
        if (actions_.empty() || actions_.top().time > limit_ps) {
            return false;
        }
        // The priority queue hands out const references only; the action is popped at once.
        Action action = std::move(const_cast<Action&>(actions_.top()));
        actions_.pop();
        now_ = action.time;
        action.run();
    }
    return false;
}

// --- FakeNic
// --------------------------------------------------------------------------------------

fake_descriptor* FakeNic::ring(uint32_t base_register) const {
    const uint64_t base = static_cast<uint64_t>(registers[base_register / 4 + 1]) << 32 |
                          registers[base_register / 4];
    const uint32_t size = registers[base_register / 4 + 2];
    return static_cast<fake_descriptor*>(
        host->memory(base, size * static_cast<uint32_t>(sizeof(fake_descriptor))));
}

void FakeNic::write(uint32_t offset, uint32_t value) {
    switch (offset) {
        case FAKE_MASK_SET:
            mask |= value;
            raise(0);
            break;
        case FAKE_RESET:
            stuck = false;
            tx_head = registers[FAKE_TX_TAIL / 4];
            break;
        case FAKE_TX_TAIL:
            registers[offset / 4] = value;
            run_tx();
            break;
        default:
            registers[offset / 4] = value;
            break;
    }
}

uint32_t FakeNic::read(uint32_t offset) {
    return offset == FAKE_LINK ? (connected ? 1 : 0) : registers[offset / 4];
}

void FakeNic::raise(uint32_t cause) {
    causes |= cause;
    if ((causes & mask) == 0 || interrupt_scheduled) {
        return;
    }
    interrupt_scheduled = true;
    host->world().at(next_interrupt_ps, [this] { interrupt(); });
}

void FakeNic::interrupt() {
    interrupt_scheduled = false;
    if ((causes & mask) != 0) {
        next_interrupt_ps = host->world().now() + moderation_ps;
        causes = 0;
        mask = 0;
        handlers[FAKE_VECTOR_RINGS](handler_contexts[FAKE_VECTOR_RINGS], 0);
    }
}

void FakeNic::set_link(bool up) {
    connected = up;
    run_tx();
    handlers[FAKE_VECTOR_LINK](handler_contexts[FAKE_VECTOR_LINK], 0);
}

void FakeNic::run_tx() {
    if (tx_running || !connected || stuck || tx_head == registers[FAKE_TX_TAIL / 4]) {
        return;
    }
    fake_descriptor* descriptors = ring(FAKE_TX_BASE_LOW);
    const uint32_t size = registers[FAKE_TX_SIZE / 4];
    std::vector<uint8_t> frame;
    const uint32_t first = tx_head;
    uint32_t end = first;
    uint64_t packet = 0;
    uint32_t flags = 0, start = 0, field = 0;
    for (bool last = false; !last; ++end) {
        const fake_descriptor& d = descriptors[end % size];
        const auto* data = static_cast<const uint8_t*>(host->memory(d.address, d.size));
        frame.insert(frame.end(), data, data + d.size);
        packet = host->mappings_.at(d.address).packet;
        flags = d.flags;
        start = d.checksum_start;
        field = d.checksum_at;
        last = d.end != 0;
    }
    if ((flags & FAKE_INSERT_IP) != 0) {
        const uint32_t sum = ~sum16(frame.data() + 14, (frame[14] & 15u) * 4) & 0xffff;
        frame[24] = static_cast<uint8_t>(sum >> 8);
        frame[25] = static_cast<uint8_t>(sum);
    }
    if ((flags & FAKE_INSERT_L4) != 0) {
        const uint32_t sum = ~sum16(frame.data() + start, frame.size() - start) & 0xffff;
        frame[field] = static_cast<uint8_t>(sum >> 8);
        frame[field + 1] = static_cast<uint8_t>(sum);
    }
    ++frames;
    tx_running = true;
    const uint64_t bits = (std::max<uint64_t>(frame.size(), 60) + 24) * 8;
    const uint64_t sent_ps = host->world().now() + bits * 1000000000000ull / rate_bps;
    host->world().at(sent_ps, [this, first, end, frame, packet]() mutable {
        fake_descriptor* ring_now = ring(FAKE_TX_BASE_LOW);
        for (uint32_t i = first; i != end; ++i) {
            ring_now[i % registers[FAKE_TX_SIZE / 4]].done = 1;
        }
        tx_head = end;
        tx_running = false;
        if (peer != nullptr && connected && (!on_wire || on_wire(frame))) {
            FakeNic* to = peer;
            host->world().at(host->world().now() + delay_ps,
                             [to, frame, packet] { to->receive(frame, packet); });
        }
        raise(FAKE_CAUSE_TX);
        run_tx();
    });
}

void FakeNic::receive(const std::vector<uint8_t>& frame, uint64_t packet) {
    const size_t buffer_bytes = registers[FAKE_RX_BUFFER / 4];
    const size_t buffers = (frame.size() + buffer_bytes - 1) / buffer_bytes;
    if (!connected || registers[FAKE_RX_TAIL / 4] - rx_head < buffers) {
        ++missed;
        raise(FAKE_CAUSE_RX);
        return;
    }
    for (size_t at = 0; at < frame.size(); at += buffer_bytes) {
        fake_descriptor& d = ring(FAKE_RX_BASE_LOW)[rx_head++ % registers[FAKE_RX_SIZE / 4]];
        d.size = static_cast<uint32_t>(std::min(buffer_bytes, frame.size() - at));
        std::memcpy(host->memory(d.address, d.size), frame.data() + at, d.size);
        host->mappings_.at(d.address).packet = packet;
        d.flags = 0;
        d.end = at + d.size == frame.size() ? 1 : 0;
        d.done = 1;
    }
    fake_descriptor& d = ring(FAKE_RX_BASE_LOW)[(rx_head - 1) % registers[FAKE_RX_SIZE / 4]];
    if (frame.size() >= 34 && frame[12] == 8 && frame[13] == 0) {
        const size_t ip_bytes = (frame[14] & 15u) * 4;
        d.flags |= FAKE_IP_CHECKED;
        d.flags |= sum16(&frame[14], ip_bytes) != 0xffff ? uint32_t{FAKE_IP_BAD} : 0u;
        const size_t total = static_cast<size_t>(frame[16] << 8 | frame[17]);
        const bool fragment = ((frame[20] << 8 | frame[21]) & 0x3fff) != 0;
        if (!fragment && (frame[23] == 6 || frame[23] == 17) && total + 14 <= frame.size() &&
            total > ip_bytes) {
            std::vector<uint8_t> l4(frame.begin() + 26, frame.begin() + 34);
            l4.insert(l4.end(), {0, frame[23], static_cast<uint8_t>((total - ip_bytes) >> 8),
                                 static_cast<uint8_t>(total - ip_bytes)});
            l4.insert(l4.end(), frame.begin() + static_cast<long>(14 + ip_bytes),
                      frame.begin() + static_cast<long>(14 + total));
            d.flags |= FAKE_L4_CHECKED;
            d.flags |= sum16(l4.data(), l4.size()) != 0xffff ? uint32_t{FAKE_L4_BAD} : 0u;
        }
    }
    raise(FAKE_CAUSE_RX);
}

void connect(FakeNic& a, FakeNic& b) {
    a.peer = &b;
    b.peer = &a;
}

uint32_t address(const char* text) {
    in_addr parsed{};
    const int ok = inet_pton(AF_INET, text, &parsed);
    assert(ok == 1);
    (void)ok;
    return ntohl(parsed.s_addr);
}

std::string App::line() const {
    std::string text;
    for (const std::string& word : argv) {
        text += word + " ";
    }
    return text;
}

// --- the table of functions
// -----------------------------------------------------------------------

struct TestHost::Ops {
    static TestHost& of(guest_host* host) { return *reinterpret_cast<TestHost*>(host); }

    static uint64_t now(guest_host* host) { return of(host).world_.now(); }

    static guest_thread* thread_create(guest_host* host, const char*, void (*entry)(void*),
                                       void* argument, uint32_t) {
        of(host).world_.spawn([entry, argument] { entry(argument); });
        return nullptr;
    }

    static guest_event* event_create(guest_host* host, const char*) {
        of(host).events_.push_back(std::make_unique<guest_event>());
        return of(host).events_.back().get();
    }
    static void event_free(guest_host*, guest_event*) {}

    static void event_notify(guest_host* host, guest_event* event) {
        event->notified = true;
        if (event->waiter != nullptr) {
            World::Coroutine* waiter = event->waiter;
            event->waiter = nullptr;
            ++event->generation;
            World& world = of(host).world_;
            world.at(world.now(), [&world, waiter] { world.resume(waiter); });
        }
    }

    static int event_wait(guest_host* host, guest_event* event, uint64_t deadline_ps) {
        World& world = of(host).world_;
        if (!event->notified) {
            assert(event->waiter == nullptr);
            event->waiter = world.current();
            const uint64_t generation = ++event->generation;
            if (deadline_ps != GUEST_NEVER) {
                world.at(deadline_ps, [&world, event, generation] {
                    if (event->generation == generation && event->waiter != nullptr) {
                        World::Coroutine* waiter = event->waiter;
                        event->waiter = nullptr;
                        world.resume(waiter);
                    }
                });
            }
            world.suspend();
        }
        const bool notified = event->notified;
        event->notified = false;
        return notified ? 1 : 0;
    }

    static uint32_t nic_count(guest_host* host) {
        return static_cast<uint32_t>(of(host).nics_.size());
    }

    // A round trip over the link takes its time.
    static void round_trip(guest_host* host) {
        TestHost& me = of(host);
        World::Coroutine* caller = me.world_.current();
        me.world_.at(me.world_.now() + 800000, [&me, caller] { me.world_.resume(caller); });
        me.world_.suspend();
    }
    static uint32_t config_read(guest_host* host, uint32_t nic, uint32_t, uint32_t) {
        round_trip(host);
        return of(host).number_ << 8 | nic;
    }
    static void config_write(guest_host* host, uint32_t, uint32_t, uint32_t, uint32_t) {
        round_trip(host);
    }
    static uint32_t mmio_read32(guest_host* host, uint32_t nic, uint32_t, uint32_t offset) {
        round_trip(host);
        return of(host).nics_[nic]->read(offset);
    }
    static void mmio_write32(guest_host* host, uint32_t nic, uint32_t, uint32_t offset,
                             uint32_t value) {
        of(host).nics_[nic]->write(offset, value);
    }

    static void* dma_alloc(guest_host* host, uint32_t, uint32_t size, uint32_t align,
                           uint64_t* iova) {
        TestHost& me = of(host);
        me.coherent_.push_back(std::make_unique<char[]>(size + align));
        auto raw = reinterpret_cast<uintptr_t>(me.coherent_.back().get());
        char* memory = reinterpret_cast<char*>((raw + align - 1) / align * align);
        *iova = me.next_iova_;
        me.next_iova_ += (size + 4095) / 4096 * 4096 + 4096;
        me.mappings_[*iova] = {memory, size, 0, true};
        return memory;
    }
    static void dma_free(guest_host* host, uint32_t, void*, uint32_t, uint64_t iova) {
        of(host).mappings_.erase(iova);
    }
    static uint64_t dma_map(guest_host* host, uint32_t, void* memory, uint32_t size, uint32_t,
                            uint64_t packet) {
        TestHost& me = of(host);
        const uint64_t iova = me.next_iova_;
        me.next_iova_ += (size + 4095) / 4096 * 4096 + 4096;
        me.mappings_[iova] = {static_cast<char*>(memory), size, packet, false};
        return iova;
    }
    static void dma_sync(guest_host*, uint32_t, uint64_t, uint32_t, uint32_t, uint32_t) {}
    static uint64_t dma_unmap(guest_host* host, uint32_t, uint64_t iova, uint32_t size, uint32_t) {
        TestHost& me = of(host);
        const auto found = me.mappings_.find(iova);
        if (found == me.mappings_.end() || found->second.size != size) {
            me.world_.fail("dma_unmap of what was never mapped");
            return 0;
        }
        const uint64_t packet = found->second.packet;
        me.mappings_.erase(found);
        return packet;
    }
    static uint64_t dma_packet(guest_host* host, uint32_t, uint64_t iova) {
        return of(host).mappings_.at(iova).packet;
    }

    static int irq_request(guest_host* host, uint32_t nic, uint32_t kind, uint32_t index,
                           void (*handler)(void*, uint32_t), void* context, uint64_t*, uint32_t*) {
        if (kind != GUEST_IRQ_MSIX) {
            return -ENODEV;
        }
        of(host).nics_[nic]->handlers[index] = handler;
        of(host).nics_[nic]->handler_contexts[index] = context;
        return static_cast<int>(nic * FAKE_VECTORS + index);
    }
    static void irq_free(guest_host*, int) {}
    static void irq_eoi(guest_host*, int) {}

    static int reporting(guest_host* host) { return of(host).listening_ ? 1 : 0; }
    static void report(guest_host* host, const guest_report* report) {
        of(host).reports_.push_back({of(host).world_.now(), *report});
    }
    static void log(guest_host* host, int level, const char* text) {
        of(host).log_ += std::to_string(level) + " " + text + "\n";
    }
    static uint32_t random(guest_host* host) {
        uint64_t& x = of(host).random_;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        return static_cast<uint32_t>(x >> 16);
    }

    static guest_file* file_open(guest_host* host, const char* name, int for_writing) {
        TestHost& me = of(host);
        auto file = std::make_unique<guest_file>();
        const std::string text = name;
        if (text.rfind("generate:", 0) == 0) {
            file->generated = std::stoull(text.substr(9));
        } else if (text == "discard:") {
            file->discard = true;
        } else if (for_writing != 0) {
            me.files[text].clear();
            file->text = &me.files[text];
        } else {
            const auto found = me.files.find(text);
            if (found == me.files.end()) {
                return nullptr;
            }
            file->text = &found->second;
        }
        me.open_files_.push_back(std::move(file));
        return me.open_files_.back().get();
    }
    static int64_t file_read(guest_host*, guest_file* file, void* to, uint32_t size) {
        const uint64_t end = file->text != nullptr ? file->text->size() : file->generated;
        const auto part = static_cast<size_t>(std::min<uint64_t>(size, end - file->at));
        for (size_t i = 0; i < part; ++i) {
            static_cast<char*>(to)[i] =
                file->text != nullptr ? (*file->text)[file->at + i] : pattern(file->at + i);
        }
        file->at += part;
        return static_cast<int64_t>(part);
    }
    static int64_t file_write(guest_host*, guest_file* file, const void* from, uint32_t size) {
        if (file->text != nullptr) {
            file->text->append(static_cast<const char*>(from), size);
        }
        return size;
    }
    static int64_t file_size(guest_host*, guest_file* file) {
        return static_cast<int64_t>(file->text != nullptr ? file->text->size() : file->generated);
    }
    static void file_close(guest_host*, guest_file*) {}

    static void app_done(guest_host* host, uint32_t app, int status) {
        of(host).statuses_[app] = status;
    }
    static void panic(guest_host* host, const char* why) {
        of(host).world_.fail("panic of " + of(host).config_.name + ": " + why);
    }
};

const guest_host_ops TestHost::kOps = {GUEST_ABI_VERSION, sizeof(guest_host_ops),
                                       Ops::now,          Ops::thread_create,
                                       Ops::event_create, Ops::event_free,
                                       Ops::event_notify, Ops::event_wait,
                                       Ops::nic_count,    Ops::config_read,
                                       Ops::config_write, Ops::mmio_read32,
                                       Ops::mmio_write32, Ops::dma_alloc,
                                       Ops::dma_free,     Ops::dma_map,
                                       Ops::dma_sync,     Ops::dma_unmap,
                                       Ops::dma_packet,   Ops::irq_request,
                                       Ops::irq_free,     Ops::irq_eoi,
                                       Ops::reporting,    Ops::report,
                                       Ops::log,          Ops::random,
                                       Ops::file_open,    Ops::file_read,
                                       Ops::file_write,   Ops::file_size,
                                       Ops::file_close,   Ops::app_done,
                                       Ops::panic};

// --- TestHost
// -------------------------------------------------------------------------------------

TestHost::TestHost(World& world, const std::string& image, uint32_t nic_count, HostConfig config)
    : world_(world), config_(std::move(config)) {
    static uint32_t hosts = 0;
    number_ = ++hosts;
    // The dynamic linker knows libraries by their soname: each copy needs one of its own.
    const std::string soname = "liblwip.so.0";
    std::string own = soname;
    own[own.size() - 2] = static_cast<char>('A' + number_ / 26);
    own.back() = static_cast<char>('A' + number_ % 26);
    char directory[] = "/tmp/guest_test.XXXXXX";
    directory_ = mkdtemp(directory);
    std::string text = read_file(image);
    replace_all(text, soname, own);
    write_file(directory_ + "/image.so", text);
    text = read_file(DOORBELL_LWIP_LIBRARY);
    replace_all(text, soname, own);
    write_file(directory_ + "/" + own, text);
    handle_ = dlopen((directory_ + "/image.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) {
        std::fprintf(stderr, "%s\n", dlerror());
        std::abort();
    }
    unlink((directory_ + "/image.so").c_str());
    unlink((directory_ + "/" + own).c_str());
    rmdir(directory_.c_str());
    for (uint32_t i = 0; i < nic_count; ++i) {
        nics_.push_back(std::make_unique<FakeNic>());
        nics_.back()->host = this;
        nics_.back()->index = i;
    }
}

// The image stays loaded: its coroutines are merely never resumed again.
TestHost::~TestHost() = default;

void* TestHost::symbol(const char* name) const {
    return dlsym(handle_, name);
}

void* TestHost::memory(uint64_t iova, uint32_t size) {
    const auto found = mappings_.find(iova);
    if (found == mappings_.end() || found->second.size < size) {
        world_.fail("the device would touch memory it was not given");
        static char nothing[65536];
        return nothing;
    }
    return found->second.memory;
}

const guest_config& TestHost::prepare() {
    for (const App& app : config_.apps) {
        argvs_.emplace_back();
        for (const std::string& word : app.argv) {
            argvs_.back().push_back(word.c_str());
        }
        apps_.push_back({static_cast<int>(argvs_.back().size()), nullptr, app.start_ps});
    }
    for (size_t i = 0; i < apps_.size(); ++i) {
        apps_[i].argv = argvs_[i].data();
    }
    for (const auto& [name, value] : config_.settings) {
        settings_.push_back({name.c_str(), value.c_str()});
    }
    guest_config_ = {config_.name.c_str(),
                     static_cast<uint32_t>(config_.interfaces.size()),
                     config_.interfaces.data(),
                     static_cast<uint32_t>(config_.routes.size()),
                     config_.routes.data(),
                     static_cast<uint32_t>(apps_.size()),
                     apps_.data(),
                     static_cast<uint32_t>(settings_.size()),
                     settings_.data()};
    return guest_config_;
}

int TestHost::start() {
    const guest_config& config = prepare();
    const auto start = reinterpret_cast<decltype(&guest_start)>(symbol("guest_start"));
    ops_ = kOps;
    ops_.version = abi_version;
    return start(&ops_, reinterpret_cast<guest_host*>(this), &config);
}

bool TestHost::done() const {
    return statuses_.size() == config_.apps.size();
}

std::map<std::string, uint64_t> TestHost::metrics() const {
    std::map<std::string, uint64_t> result;
    const auto visit = reinterpret_cast<decltype(&guest_metrics)>(symbol("guest_metrics"));
    visit(
        [](void* context, const char* name, uint64_t value) {
            auto& map = *static_cast<std::map<std::string, uint64_t>*>(context);
            assert(map.count(name) == 0);
            map[name] = value;
        },
        &result);
    return result;
}

std::string TestHost::show(const std::string& table) const {
    std::string result;
    const auto show = reinterpret_cast<decltype(&guest_show)>(symbol("guest_show"));
    const int error = show(
        table.c_str(),
        [](void* context, const char* text) { *static_cast<std::string*>(context) += text; },
        &result);
    return error == 0 ? result : "error " + std::to_string(error);
}

std::vector<Report> TestHost::reports(uint16_t type) const {
    std::vector<Report> result;
    for (const Report& report : reports_) {
        if (report.report.type == type) {
            result.push_back(report);
        }
    }
    return result;
}

}  // namespace guest_test
