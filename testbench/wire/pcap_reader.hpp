#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace doorbell::wire {

/// Reads Ethernet frames of a capture file, pcap or pcapng, of either byte order. The file may be
/// anything: what cannot be is said, and nothing is believed before it is checked.
class PcapReader {
public:
    enum class Direction : std::uint8_t { kUnknown = 0, kInbound = 1, kOutbound = 2 };

    struct Record {
        std::uint64_t time_ns = 0;  ///< As the file counts: since 1970, or since a run's start.
        std::uint32_t interface = 0;
        Direction direction = Direction::kUnknown;
        std::uint32_t fcs_bytes = 0;       ///< The last bytes of `bytes` are the FCS.
        std::uint32_t original_bytes = 0;  ///< More than `bytes` has: the capture cut it short.
        std::vector<std::uint8_t> bytes;
    };

    /// Larger records are taken for damage.
    static constexpr std::uint32_t kMaximumRecordBytes = 256 * 1024;
    static constexpr std::size_t kMaximumInterfaces = 1024;

    /// nullptr, and one sentence in `error`, when it is no such file.
    [[nodiscard]] static std::unique_ptr<PcapReader> open(const std::string& path,
                                                          std::string& error);

    /// The next frame; false at the end, or where the file cannot be understood any further: then
    /// `problem` says why and where.
    [[nodiscard]] bool next(Record& record);
    [[nodiscard]] const std::string& problem() const { return problem_; }

private:
    struct Interface {
        bool ethernet = true;
        std::uint32_t fcs_bytes = 0;
        std::uint64_t ticks_per_second = 1'000'000;
        std::int64_t offset_seconds = 0;
        std::uint32_t snap_bytes = 0;  ///< 0: no limit.
    };
    using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

    explicit PcapReader(File file) : file_(std::move(file)) {}
    [[nodiscard]] std::string begin();
    [[nodiscard]] bool next_of_pcap(Record& record);
    [[nodiscard]] bool next_of_pcapng(Record& record);

    [[nodiscard]] bool read(void* target, std::size_t size_bytes);
    [[nodiscard]] bool read_block(std::uint32_t& type);
    [[nodiscard]] bool begin_section(std::uint32_t length_field);
    [[nodiscard]] bool add_interface();
    [[nodiscard]] bool take_packet(std::uint32_t type, Record& record);
    /// Calls `use(code, data, size)` for each option of the block from `at` on.
    template <typename Use>
    void options(std::size_t at, Use&& use) const;
    bool fail(const std::string& what);

    [[nodiscard]] std::uint16_t get16(const std::uint8_t* p) const;
    [[nodiscard]] std::uint32_t get32(const std::uint8_t* p) const;
    [[nodiscard]] std::uint64_t get64(const std::uint8_t* p) const;

    File file_;
    bool next_generation_ = false;
    bool big_endian_ = false;
    std::uint64_t position_ = 0;
    std::vector<Interface> interfaces_;
    std::vector<std::uint8_t> block_;  ///< Body of the block, between its lengths.
    std::string problem_;
    bool ended_ = false;
};

}  // namespace doorbell::wire
