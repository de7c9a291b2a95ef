#include "testbench/wire/pcap_far_side.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"

namespace doorbell::wire {
namespace {

constexpr const char* kHow = "write pcap:IN,OUT (- for none)";

std::string read_option(const WireOption& option, PcapOptions& options) {
    const std::string value(option.value);
    if (option.key == "times" && (value == "file" || value == "none")) {
        options.at_their_times = value == "file";
        return "";
    }
    if (option.key == "times") return "'" + value + "' is neither file nor none";
    if (option.key == "direction") {
        using Direction = PcapReader::Direction;
        if (value != "in" && value != "out" && value != "both") {
            return "'" + value + "' is neither in, out nor both";
        }
        options.direction = value == "in"    ? Direction::kInbound
                            : value == "out" ? Direction::kOutbound
                                             : Direction::kUnknown;
        return "";
    }
    if (option.key == "interface") {
        std::uint32_t number = 0;
        const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
        if (read.ec != std::errc() || read.ptr != value.data() + value.size()) {
            return "'" + value + "' is no number of an interface (capinfos lists them, from 0)";
        }
        options.interface = number;
        return "";
    }
    return "there is none of that name; accepted: times, direction, interface";
}

}  // namespace

std::string read_pcap_options(const WireSpec& spec, PcapOptions& options) {
    if (spec.options.size() < 2) return std::string("pcap: it needs two files: ") + kHow;
    options.in = spec.storage[0];
    options.out = spec.storage[1];
    if (options.in == "-") options.in.clear();
    if (options.out == "-") options.out.clear();
    if (options.in.empty() && options.out.empty()) {
        return std::string("pcap: there is no file: ") + kHow;
    }
    if (options.in == options.out) return "pcap: both files are the same: write into another one";
    for (std::size_t i = 2; i < spec.options.size(); i++) {
        const std::string problem = read_option(spec.options[i], options);
        if (!problem.empty()) return option_place(spec, spec.options[i]) + problem;
    }
    return "";
}

std::unique_ptr<PcapFarSide> PcapFarSide::open(const PcapOptions& options,
                                               const FarSideContext& context, std::string& error) {
    std::unique_ptr<PcapReader> reader;
    if (!options.in.empty()) {
        reader = PcapReader::open(options.in, error);
        if (!reader) return nullptr;
    }
    std::unique_ptr<CaptureFile> writer;
    if (!options.out.empty()) {
        if (!context.open_capture) {
            error = "this program writes no capture files: leave " + options.out + " out";
            return nullptr;
        }
        writer = context.open_capture(options.out, error);
        if (!writer) return nullptr;
    }
    return std::unique_ptr<PcapFarSide>(
        new PcapFarSide(options, std::move(reader), std::move(writer), context));
}

PcapFarSide::PcapFarSide(const PcapOptions& options, std::unique_ptr<PcapReader> reader,
                         std::unique_ptr<CaptureFile> writer, const FarSideContext& context)
    : FarSideBase(context),
      options_(options),
      reader_(std::move(reader)),
      writer_(std::move(writer)),
      next_([this] { replay(); }) {}

PcapFarSide::~PcapFarSide() {
    context_.timeline.cancel(next_);
    if (writer_ && !writer_->flush()) say("could not write all of " + options_.out);
}

std::string PcapFarSide::description() const {
    std::string what = "capture files";
    if (!options_.in.empty()) what += ", replays " + options_.in;
    if (!options_.out.empty()) what += ", writes " + options_.out;
    return what;
}

void PcapFarSide::attach(EthernetEndpoint& endpoint) {
    nic_ = &endpoint;
    FarSideBase::attach(endpoint);
}

void PcapFarSide::send(FramePtr frame, Picoseconds start_ps, Picoseconds) {
    if (writer_) writer_->frame_out(0, *frame, start_ps);
}

/// Looks for the next frame to be given; false at the end of the file.
bool PcapFarSide::read_ahead() {
    while (!pending_ && reader_) {
        if (reader_->next(record_)) {
            pending_ = wanted(record_);
            continue;
        }
        if (!reader_->problem().empty()) say(options_.in + " " + reader_->problem());
        say("replayed " + std::to_string(replayed_) + " frames of " + options_.in +
            (skipped_ == 0 ? ""
                           : ", left out " + std::to_string(skipped_) +
                                 " that were cut short or fit into no frame"));
        reader_.reset();
    }
    return pending_;
}

bool PcapFarSide::wanted(const PcapReader::Record& record) {
    if (options_.interface && record.interface != *options_.interface) return false;
    if (options_.direction != PcapReader::Direction::kUnknown &&
        record.direction != options_.direction) {
        return false;
    }
    const bool fits = record.bytes.size() <= Frame::kCapacityBytes &&
                      record.bytes.size() >= record.original_bytes &&
                      record.bytes.size() > record.fcs_bytes;
    if (!fits) skipped_++;
    return fits;
}

/// A frame bears its time relative to the first one; what goes back in time goes at once.
Picoseconds PcapFarSide::due_ps() const {
    if (!options_.at_their_times || record_.time_ns <= first_ns_) return begun_ps_;
    const std::uint64_t after_ns = record_.time_ns - first_ns_;
    constexpr std::uint64_t kLatest = ~std::uint64_t{0} / 1000;
    return after_ns > kLatest ? kNever - 1 : begun_ps_ + nanoseconds(after_ns);
}

void PcapFarSide::replay() {
    if (!begun_ || nic_ == nullptr) return;
    const Picoseconds now_ps = context_.timeline.now_ps();
    for (unsigned frames = 0; frames < kFramesPerTurn && all_delivered(); frames++) {
        if (!read_ahead()) return;
        const Picoseconds due = due_ps();
        if (due > now_ps) return context_.timeline.schedule_by(next_, due);
        give();
        deliver();
    }
}

void PcapFarSide::give() {
    pending_ = false;
    replayed_++;
    const auto size = static_cast<std::uint32_t>(record_.bytes.size()) - record_.fcs_bytes;
    FramePtr frame = frames().take();
    frame->resize(size);
    std::memcpy(frame->data(), record_.bytes.data(), size);
    // A frame that was damaged on its wire is damaged here.
    const bool whole = record_.fcs_bytes == Frame::kFcsBytes;
    if (whole) frame->pin_fcs(load_le32(record_.bytes.data() + size));
    arrive(std::move(frame), whole ? Padding::kAsItIs : Padding::kToMinimum);
}

void PcapFarSide::before_wait(std::vector<pollfd>&, int& timeout_ms) {
    const bool more = begun_ && all_delivered() && read_ahead();
    if (more && due_ps() <= context_.timeline.now_ps()) timeout_ms = 0;
}

void PcapFarSide::after_wait(const pollfd*, std::size_t) {
    deliver();
    replay();
}

void PcapFarSide::flush() {
    deliver();
    if (!begun_ && reader_ && nic_ != nullptr && nic_->listens() && read_ahead()) {
        begun_ = true;
        begun_ps_ = context_.timeline.now_ps();
        first_ns_ = record_.time_ns;
        replay();
    }
    if (writer_ && !writer_->flush()) {
        say("cannot write " + options_.out + " any further");
        writer_.reset();
    }
}

void PcapFarSide::visit_metrics(MetricVisitor& visitor) const {
    FarSideBase::visit_metrics(visitor);
    visitor.metric("replayed.frames", replayed_);
    visitor.metric("replayed.left_out_frames", skipped_);
}

}  // namespace doorbell::wire
