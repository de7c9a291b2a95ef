#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <queue>
#include <utility>
#include <vector>

/// A PCIe link and the root complex behind it, each TLP an event of its own on its way: transmit
/// queue, credits, serialiser, propagation, IOTLB and walkers, memory, completions. Written from
/// the base specification to hold `PcieLink` and `DmaEngine` against, and sharing nothing with
/// them: no code, no parameters, no arithmetic. Slow, and meant to be plain.
namespace pcie_reference {

using Time = double;  ///< Picoseconds.

struct Config {
    double gigatransfers_per_s = 8;
    unsigned lanes = 8;
    double code_rate = 128.0 / 130.0;  ///< Bits of data per bit on the lane.
    double dllp_share = 0;             ///< Part of the rate that ACK, flow control and SKIP take.
    unsigned max_payload = 256, max_read_request = 512, completion_boundary = 64;
    unsigned completion_payload = 256;  ///< Largest completion of the root complex.
    bool short_headers = false;         ///< A dword less for requests below 4 GiB.
    unsigned request_header = 24, completion_header = 20;  ///< With framing and LCRC.
    Time propagation = 200e3;
    unsigned tags = 32;
    // 0: as many as wanted.
    unsigned posted_headers = 0, posted_data = 0, nonposted_headers = 0;
    Time credit_return = 0;
    unsigned iotlb_entries = 0, iotlb_page = 4096, walkers = 1;
    Time walk = 0;
    std::function<Time()> memory = [] { return Time{185e3}; };
    Time delivery_per_byte = 0;
};

class Link {
public:
    using Done = std::function<void(Time)>;

    explicit Link(Config config)
        : config_(std::move(config)),
          byte_time_(8e3 / config_.gigatransfers_per_s / config_.code_rate / config_.lanes /
                     (1 - config_.dllp_share)),
          free_tags_(config_.tags),
          posted_headers_(config_.posted_headers),
          posted_data_(config_.posted_data),
          nonposted_headers_(config_.nonposted_headers),
          free_walkers_(config_.walkers) {}

    [[nodiscard]] Time now() const { return now_; }
    /// Calls `action` at `time`.
    void at(Time time, std::function<void()> action) {
        events_.push({time, next_event_++, std::move(action)});
    }
    void run() {
        while (!events_.empty()) {
            const Event event = events_.top();
            events_.pop();
            now_ = event.time;
            event.action();
        }
    }

    // --- what the device asks for, now --------------------------------------------------------
    void write(std::uint64_t address, unsigned size, Done done) {
        send_posted(address, size, true, std::move(done));
    }
    void interrupt(std::uint64_t address, Done done) {
        send_posted(address, 4, false, std::move(done));
    }
    void read(std::uint64_t address, unsigned size, Done done) {
        const auto whole = std::make_shared<Read>();
        whole->done = std::move(done);
        whole->size = size;
        const std::uint64_t end = address + size;
        while (address < end) {
            const std::uint64_t stop =
                least(end, next_page(address), address / 4 * 4 + config_.max_read_request);
            whole->requests++;
            waiting_for_tag_.push_back({address, unsigned(stop - address), whole});
            address = stop;
        }
        give_tags();
    }

private:
    struct Event {
        Time time;
        std::uint64_t order;
        std::function<void()> action;
        bool operator<(const Event& other) const {
            return time != other.time ? time > other.time : order > other.order;
        }
    };
    struct Read {
        Done done;
        unsigned size = 0, requests = 0;
    };
    struct Request {
        std::uint64_t address;
        unsigned size;
        std::shared_ptr<Read> whole;
    };
    struct Tlp {
        bool posted = false;
        unsigned bytes = 0, data_units = 0;
        std::uint64_t address = 0;
        bool translated = true;
        Done done;        ///< Of the last TLP of a posted request.
        Request request;  ///< Of a read.
        bool known = false;
        std::uint64_t behind = 0;  ///< Reads: posted TLPs that arrived before.
    };
    using TlpPtr = std::shared_ptr<Tlp>;
    struct Walk {
        std::vector<std::function<void()>> waiters;
        bool over = false;
    };

    template <typename... Rest>
    static std::uint64_t least(std::uint64_t a, Rest... rest) {
        for (const std::uint64_t b : {std::uint64_t(rest)...}) a = b < a ? b : a;
        return a;
    }
    static std::uint64_t next_page(std::uint64_t address) { return (address / 4096 + 1) * 4096; }
    static unsigned dwords_of(std::uint64_t address, std::uint64_t end) {
        return unsigned((end + 3) / 4 - address / 4);
    }

    [[nodiscard]] unsigned header_for(std::uint64_t address) const {
        const bool is_short = config_.short_headers && address >> 32 == 0;
        return config_.request_header - (is_short ? 4 : 0);
    }

    // --- device: requests, tags, the transmit queue ---------------------------------------------

    void send_posted(std::uint64_t address, unsigned size, bool translated, Done done) {
        const std::uint64_t end = address + size;
        while (address < end) {
            const std::uint64_t stop =
                least(end, next_page(address), address / 4 * 4 + config_.max_payload);
            const auto tlp = std::make_shared<Tlp>();
            tlp->posted = true;
            tlp->address = address;
            tlp->translated = translated;
            tlp->bytes = header_for(address) + 4 * dwords_of(address, stop);
            tlp->data_units = (dwords_of(address, stop) + 3) / 4;
            if (stop == end) tlp->done = done;
            transmit_.push_back(tlp);
            address = stop;
        }
        transmit();
    }

    void give_tags() {
        while (free_tags_ > 0 && !waiting_for_tag_.empty()) {
            free_tags_--;
            const auto tlp = std::make_shared<Tlp>();
            tlp->request = waiting_for_tag_.front();
            waiting_for_tag_.pop_front();
            tlp->address = tlp->request.address;
            tlp->bytes = header_for(tlp->address);
            transmit_.push_back(tlp);
        }
        transmit();
    }

    [[nodiscard]] bool has_credits(const Tlp& tlp) const {
        if (!tlp.posted) return config_.nonposted_headers == 0 || nonposted_headers_ > 0;
        return (config_.posted_headers == 0 || posted_headers_ > 0) &&
               (config_.posted_data == 0 || posted_data_ >= tlp.data_units);
    }

    /// The first TLP that may go: nothing passes a posted one, and a read that lacks credits lets
    /// posted ones by.
    void transmit() {
        if (transmitting_) return;
        for (auto place = transmit_.begin(); place != transmit_.end(); ++place) {
            const TlpPtr tlp = *place;
            if (has_credits(*tlp)) {
                transmit_.erase(place);
                put_on_the_link(tlp);
                return;
            }
            if (tlp->posted) return;
            // Further reads are no better off; the next posted one may be.
            while (std::next(place) != transmit_.end() && !(*std::next(place))->posted) ++place;
        }
    }

    void put_on_the_link(const TlpPtr& tlp) {
        if (tlp->posted) {
            posted_headers_--;
            posted_data_ -= int(tlp->data_units);
        } else {
            nonposted_headers_--;
        }
        transmitting_ = true;
        at(now_ + tlp->bytes * byte_time_, [this, tlp] {
            transmitting_ = false;
            at(now_ + config_.propagation, [this, tlp] { arrive(tlp); });
            transmit();
        });
    }

    // --- root complex: translation, order -------------------------------------------------------

    void arrive(const TlpPtr& tlp) {
        if (tlp->posted) {
            posted_arrived_++;
            posted_.push_back(tlp);
        } else {
            tlp->behind = posted_arrived_;
            reads_.push_back(tlp);
        }
        if (config_.iotlb_entries == 0 || !tlp->translated) {
            tlp->known = true;
            move_on();
            return;
        }
        translate(tlp->address / config_.iotlb_page, [this, tlp] {
            tlp->known = true;
            move_on();
        });
    }

    void translate(std::uint64_t page, std::function<void()> known) {
        for (auto entry = iotlb_.begin(); entry != iotlb_.end(); ++entry) {
            if (entry->first != page) continue;
            iotlb_.splice(iotlb_.begin(), iotlb_, entry);
            if (entry->second->over) return known();
            entry->second->waiters.push_back(std::move(known));
            return;
        }
        if (iotlb_.size() == config_.iotlb_entries) iotlb_.pop_back();
        const auto walk = std::make_shared<Walk>();
        walk->waiters.push_back(std::move(known));
        iotlb_.emplace_front(page, walk);
        walks_.push_back(walk);
        start_walks();
    }

    void start_walks() {
        while (free_walkers_ > 0 && !walks_.empty()) {
            free_walkers_--;
            const auto walk = walks_.front();
            walks_.pop_front();
            at(now_ + config_.walk, [this, walk] {
                free_walkers_++;
                walk->over = true;
                for (const auto& waiter : walk->waiters) waiter();
                start_walks();
            });
        }
    }

    /// Posted TLPs become visible in order; reads go to memory behind the posted ones before them.
    void move_on() {
        while (!posted_.empty() && posted_.front()->known) {
            const TlpPtr tlp = posted_.front();
            posted_.pop_front();
            posted_visible_++;
            at(now_ + config_.credit_return, [this, tlp] {
                posted_headers_++;
                posted_data_ += int(tlp->data_units);
                transmit();
            });
            if (tlp->done) tlp->done(now_);
        }
        for (auto place = reads_.begin(); place != reads_.end();) {
            const TlpPtr tlp = *place;
            if (!tlp->known || tlp->behind > posted_visible_) {
                ++place;
                continue;
            }
            place = reads_.erase(place);
            at(now_ + config_.credit_return, [this] {
                nonposted_headers_++;
                transmit();
            });
            at(now_ + config_.memory(), [this, tlp] { answer(tlp->request); });
        }
    }

    // --- completions ----------------------------------------------------------------------------

    struct Completion {
        unsigned bytes;
        Request last_of;  ///< Without `whole` unless it is the last of its request.
    };

    void answer(const Request& request) {
        std::uint64_t address = request.address;
        const std::uint64_t end = address + request.size;
        const unsigned boundary = config_.completion_boundary;
        while (address < end) {
            const std::uint64_t stop =
                least(end, address / boundary * boundary + config_.completion_payload);
            Completion completion{config_.completion_header + 4 * dwords_of(address, stop), {}};
            if (stop == end) completion.last_of = request;
            completions_.push_back(completion);
            address = stop;
        }
        send_completions();
    }

    void send_completions() {
        if (completing_ || completions_.empty()) return;
        completing_ = true;
        const Completion completion = completions_.front();
        completions_.pop_front();
        at(now_ + completion.bytes * byte_time_, [this, completion] {
            completing_ = false;
            if (completion.last_of.whole) {
                at(now_ + config_.propagation,
                   [this, completion] { complete(completion.last_of); });
            }
            send_completions();
        });
    }

    void complete(const Request& request) {
        free_tags_++;
        if (--request.whole->requests == 0) {
            const auto whole = request.whole;
            at(now_ + whole->size * config_.delivery_per_byte,
               [this, whole] { whole->done(now_); });
        }
        give_tags();
    }

    Config config_;
    Time byte_time_;
    Time now_ = 0;
    std::uint64_t next_event_ = 0;
    std::priority_queue<Event> events_;

    unsigned free_tags_;
    std::deque<Request> waiting_for_tag_;
    std::deque<TlpPtr> transmit_;
    bool transmitting_ = false;
    // Signed: without a limit they run below zero.
    std::int64_t posted_headers_, posted_data_, nonposted_headers_;

    std::uint64_t posted_arrived_ = 0, posted_visible_ = 0;
    std::deque<TlpPtr> posted_;
    std::list<TlpPtr> reads_;
    std::list<std::pair<std::uint64_t, std::shared_ptr<Walk>>> iotlb_;
    std::deque<std::shared_ptr<Walk>> walks_;
    unsigned free_walkers_;

    std::deque<Completion> completions_;
    bool completing_ = false;
};

}  // namespace pcie_reference
