#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace doorbell {

/// The names in the dynamic section of a shared object (ELF64, little-endian) that is held in
/// memory, for one purpose: to give a byte copy of it another name of the same length.
class ElfStrings {
public:
    /// Takes the bytes of the file. `error()` is empty when they are a shared object.
    explicit ElfStrings(std::vector<std::uint8_t> bytes);

    [[nodiscard]] const std::string& error() const { return error_; }
    [[nodiscard]] const std::vector<std::uint8_t>& bytes() const { return bytes_; }

    [[nodiscard]] std::vector<std::string> needed() const;  ///< DT_NEEDED
    [[nodiscard]] std::string soname() const;               ///< DT_SONAME, or empty.
    [[nodiscard]] std::string runpath() const;              ///< DT_RUNPATH or DT_RPATH.

    /// Renames every DT_NEEDED and the DT_SONAME that is `name` to `twin`, which must be as long.
    /// False when nothing has that name.
    [[nodiscard]] bool rename(std::string_view name, std::string_view twin);

private:
    struct Entry {
        std::uint64_t tag;
        std::uint64_t string_at;  ///< Place in the file.
    };

    [[nodiscard]] bool parse();
    [[nodiscard]] bool has(std::uint64_t offset, std::uint64_t size) const;
    [[nodiscard]] std::uint64_t file_offset(std::uint64_t address) const;
    [[nodiscard]] std::string string_at(std::uint64_t offset) const;

    std::vector<std::uint8_t> bytes_;
    std::vector<Entry> entries_;
    std::string error_;
};

}  // namespace doorbell
