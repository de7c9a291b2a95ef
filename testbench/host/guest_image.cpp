#include "testbench/host/guest_image.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "testbench/host/elf_strings.hpp"
#include "testbench/host/shared_code.hpp"

namespace doorbell {

namespace {

namespace fs = std::filesystem;

constexpr const char* kLwipName = "liblwip.so.0";

/// A directory that goes away with its contents.
class TemporaryDirectory {
public:
    TemporaryDirectory() {
        std::error_code error;
        std::string pattern = (fs::temp_directory_path(error) / "doorbell-XXXXXX").string();
        if (!error && mkdtemp(pattern.data()) != nullptr) path_ = pattern;
    }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    ~TemporaryDirectory() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

/// The contents of a file, or in `error` why not.
std::vector<std::uint8_t> read_file(const std::string& path, std::string& error) {
    std::error_code status;
    if (!fs::is_regular_file(path, status)) {
        error = fs::exists(path, status) ? "it is not a file" : "there is no such file";
        return {};
    }
    std::ifstream file(path, std::ios::binary);
    std::vector<std::uint8_t> bytes(fs::file_size(path, status));
    file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (status || !file) error = "it cannot be read";
    return bytes;
}

std::string write_file(const std::string& path, const std::vector<std::uint8_t>& bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
    file.close();
    return file ? std::string() : "cannot write " + path;
}

/// "liblwip.so.0" with three letters of its own: as long, and never the same twice in a process.
std::string unique_lwip_name() {
    static std::uint32_t counter = 0;
    static constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    std::string name = kLwipName;
    std::uint32_t rest = counter++;
    for (std::size_t i = 6; i > 3; i--) {
        name[i] = kDigits[rest % 36];
        rest /= 36;
    }
    return name;
}

std::string dl_error() {
    const char* text = dlerror();
    return text != nullptr ? text : "unknown error of the dynamic linker";
}

}  // namespace

GuestImage::GuestImage(const GuestImageParams& params) {
    const std::string why = load(params);
    if (!why.empty()) error_ = "guest image " + params.path + ": " + why;
}

void* GuestImage::symbol(const char* name) const {
    return loaded() ? dlsym(handle_, name) : nullptr;
}

std::string GuestImage::load(const GuestImageParams& params) {
    const TemporaryDirectory directory;
    if (directory.path().empty()) return "cannot make a temporary directory for its copy";
    const std::string why = open_copies(params, directory.path());
    return why.empty() ? resolve() : why;
}

std::string GuestImage::open_copies(const GuestImageParams& params, const std::string& directory) {
    std::string error;
    std::vector<std::uint8_t> bytes = read_file(params.path, error);
    if (!error.empty()) return error;
    ElfStrings image(std::move(bytes));
    if (!image.error().empty()) return image.error();

    const std::string lwip_name = unique_lwip_name();
    const bool needs_lwip = image.rename(kLwipName, lwip_name);
    if (needs_lwip) {
        // $ORIGIN is what lets the copy find the copy beside it.
        if (image.runpath().find("$ORIGIN") == std::string::npos) {
            return "it needs liblwip.so.0 but has no RUNPATH $ORIGIN (link it with "
                   "doorbell_add_guest, or with -Wl,-rpath,'$ORIGIN')";
        }
        const std::string lwip_path =
            params.lwip_path.empty() ? DOORBELL_LWIP_PATH : params.lwip_path;
        ElfStrings lwip(read_file(lwip_path, error));
        if (!error.empty()) return "lwIP at " + lwip_path + ": " + error;
        if (!lwip.error().empty()) return "lwIP at " + lwip_path + ": " + lwip.error();
        if (!lwip.rename(kLwipName, lwip_name)) {
            return "lwIP at " + lwip_path + ": its name is not liblwip.so.0";
        }
        error = write_file(directory + "/" + lwip_name, lwip.bytes());
        if (!error.empty()) return error;
    }
    const std::string copy = directory + "/" + fs::path(params.path).filename().string();
    error = write_file(copy, image.bytes());
    if (!error.empty()) return error;
    handle_ = dlopen(copy.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ == nullptr) return dl_error();
    error = share_code(params.path, copy);
    if (error.empty() && needs_lwip) {
        error = share_code(kLwipName + params.lwip_path, directory + "/" + lwip_name);
    }
    return error;
}

std::string GuestImage::resolve() {
    const auto find = [this](const char* name, auto& function) -> std::string {
        void* symbol = dlsym(handle_, name);
        if (symbol == nullptr) return std::string("it does not export ") + name;
        function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(symbol);
        return {};
    };
    decltype(&guest_abi_version) version = nullptr;
    std::string why = find("guest_abi_version", version);
    if (!why.empty()) return why;
    if (version() != GUEST_ABI_VERSION) {
        return "it was built for version " + std::to_string(version()) +
               " of guest_abi.h, this program has version " + std::to_string(GUEST_ABI_VERSION);
    }
    if (why = find("guest_start", start); !why.empty()) return why;
    if (why = find("guest_metrics", metrics); !why.empty()) return why;
    if (why = find("guest_show", show); !why.empty()) return why;
    if (why = find("guest_apps", apps); !why.empty()) return why;
    if (why = find("guest_settings", settings); !why.empty()) return why;
    (void)find("guest_check", check);  // an image need not have it
    return find("guest_metric_names", metric_names);
}

}  // namespace doorbell
