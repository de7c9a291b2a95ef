#include "testbench/host/elf_strings.hpp"

#include <elf.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace doorbell {

namespace {
constexpr std::uint64_t kNowhere = ~std::uint64_t{0};
}

ElfStrings::ElfStrings(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {
    if (!parse() && error_.empty()) error_ = "its dynamic section is damaged";
}

bool ElfStrings::has(std::uint64_t offset, std::uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
}

/// Where in the file the byte lies that will be loaded at `address`.
std::uint64_t ElfStrings::file_offset(std::uint64_t address) const {
    Elf64_Ehdr header;
    std::memcpy(&header, bytes_.data(), sizeof header);
    for (std::uint32_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        std::memcpy(&segment, &bytes_[header.e_phoff + i * sizeof segment], sizeof segment);
        if (segment.p_type != PT_LOAD || address < segment.p_vaddr) continue;
        const std::uint64_t offset = address - segment.p_vaddr;
        if (offset < segment.p_filesz) return segment.p_offset + offset;
    }
    return kNowhere;
}

bool ElfStrings::parse() {
    Elf64_Ehdr header;
    if (bytes_.size() < sizeof header || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0) {
        error_ = "it is not an ELF file";
        return false;
    }
    std::memcpy(&header, bytes_.data(), sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_type != ET_DYN) {
        error_ = "it is not a 64-bit little-endian shared object";
        return false;
    }
    if (!has(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr))) return false;

    std::uint64_t strings = kNowhere;
    for (std::uint32_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        std::memcpy(&segment, &bytes_[header.e_phoff + i * sizeof segment], sizeof segment);
        if (segment.p_type != PT_DYNAMIC) continue;
        if (!has(segment.p_offset, segment.p_filesz)) return false;
        for (std::uint64_t at = 0; at + sizeof(Elf64_Dyn) <= segment.p_filesz;
             at += sizeof(Elf64_Dyn)) {
            Elf64_Dyn entry;
            std::memcpy(&entry, &bytes_[segment.p_offset + at], sizeof entry);
            if (entry.d_tag == DT_NULL) break;
            if (entry.d_tag == DT_STRTAB) strings = file_offset(entry.d_un.d_ptr);
            if (entry.d_tag == DT_NEEDED || entry.d_tag == DT_SONAME || entry.d_tag == DT_RPATH ||
                entry.d_tag == DT_RUNPATH) {
                entries_.push_back({static_cast<std::uint64_t>(entry.d_tag), entry.d_un.d_val});
            }
        }
    }
    if (strings == kNowhere) return false;
    for (Entry& entry : entries_) {
        if (entry.string_at > bytes_.size()) return false;
        entry.string_at += strings;
        if (!has(entry.string_at, 1)) return false;
    }
    return true;
}

std::string ElfStrings::string_at(std::uint64_t offset) const {
    const auto first = bytes_.begin() + static_cast<std::ptrdiff_t>(offset);
    return {first, std::find(first, bytes_.end(), 0)};
}

std::vector<std::string> ElfStrings::needed() const {
    std::vector<std::string> names;
    for (const Entry& entry : entries_) {
        if (entry.tag == DT_NEEDED) names.push_back(string_at(entry.string_at));
    }
    return names;
}

std::string ElfStrings::soname() const {
    for (const Entry& entry : entries_) {
        if (entry.tag == DT_SONAME) return string_at(entry.string_at);
    }
    return {};
}

std::string ElfStrings::runpath() const {
    for (const Entry& entry : entries_) {
        if (entry.tag == DT_RUNPATH || entry.tag == DT_RPATH) return string_at(entry.string_at);
    }
    return {};
}

bool ElfStrings::rename(std::string_view name, std::string_view twin) {
    assert(name.size() == twin.size());
    bool found = false;
    for (const Entry& entry : entries_) {
        if (entry.tag != DT_NEEDED && entry.tag != DT_SONAME) continue;
        if (string_at(entry.string_at) != name) continue;
        std::copy(twin.begin(), twin.end(),
                  bytes_.begin() + static_cast<std::ptrdiff_t>(entry.string_at));
        found = true;
    }
    return found;
}

}  // namespace doorbell
