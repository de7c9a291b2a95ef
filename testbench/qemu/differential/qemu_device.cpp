#include "testbench/qemu/differential/qemu_device.hpp"

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>

namespace doorbell::differential {

namespace {

// The machine: a root port at 0:2.0 and the card behind it at 1:0.0.
constexpr std::uint32_t kPortDevice = 2;
constexpr std::uint32_t kCardBus = 1;
constexpr std::uint32_t kIoBase = 0xC000;
/// Where BARs 0 to 3 are put; BAR2 is in I/O space.
constexpr std::array<std::uint32_t, 4> kBars = {0xE000'0000, 0xE002'0000, kIoBase, 0xE004'0000};
constexpr std::uint32_t kPortWindow = 0xE0F0'E000;  ///< Limit and base, in MB.
constexpr std::uint32_t kPortIo = 0xC1C1;

std::vector<std::string> machine() {
    return {"-accel",
            "qtest",
            "-M",
            "q35",
            "-m",
            "64",
            "-display",
            "none",
            "-nodefaults",
            "-qtest",
            "stdio",
            "-qtest-log",
            "none",
            "-netdev",
            "socket,id=wire,fd=" + std::to_string(QtestSession::kCableDescriptor),
            "-device",
            "pcie-root-port,id=above,bus=pcie.0,addr=2,chassis=1,slot=1",
            "-device",
            "e1000e,bus=above,netdev=wire,mac=02:00:00:82:57:40,romfile="};
}

std::uint32_t number(const std::string& text) {
    return static_cast<std::uint32_t>(std::strtoull(text.c_str(), nullptr, 0));
}

}  // namespace

QemuDevice::QemuDevice(const std::vector<std::string>& words) : session_(words, machine()) {
    config_write(0, kPortDevice, 0x18, 0x00010100);
    config_write(0, kPortDevice, 0x1C, kPortIo);
    config_write(0, kPortDevice, 0x20, kPortWindow);
    config_write(0, kPortDevice, 0x04, 0x0007);
    reset(InterruptMode::kIntx);
    const std::uint32_t identity = config_read(0);
    if (identity != 0x10D3'8086) {
        throw std::runtime_error("QEMU's device is not an 82574L: its identity reads " +
                                 std::to_string(identity));
    }
}

void QemuDevice::command(const char* format, ...) {
    char line[160];
    std::va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    session_.command(line);
}

void QemuDevice::select(std::uint32_t bus, std::uint32_t device, std::uint32_t offset) {
    command("outl 0xcf8 0x%x", 0x8000'0000 | bus << 16 | device << 11 | (offset & 0xFC));
}

void QemuDevice::config_write(std::uint32_t bus, std::uint32_t device, std::uint32_t offset,
                              std::uint32_t value) {
    select(bus, device, offset);
    command("outl 0xcfc 0x%x", value);
}

void QemuDevice::reset(InterruptMode mode) {
    constexpr std::uint32_t kBridgeControl = 0x3C;  // upper half of the dword
    constexpr std::uint32_t kSecondaryBusReset = 1u << 22;
    config_write(0, kPortDevice, kBridgeControl, kSecondaryBusReset);
    config_write(0, kPortDevice, kBridgeControl, 0);
    command("memset 0x%x 0x%x 0x0", kMemoryBase, kMemoryBytes);
    for (std::uint32_t bar = 0; bar < kBars.size(); bar++) {
        config_write(kCardBus, 0, 0x10 + bar * 4, kBars[bar]);
    }
    config_write(kCardBus, 0, 0x04, 0x0007);
    if (mode == InterruptMode::kMsi) {
        config_write(kCardBus, 0, 0xD4, kMessages);
        config_write(kCardBus, 0, 0xD8, 0);
        config_write(kCardBus, 0, 0xDC, kMessageData);
        config_write(kCardBus, 0, 0xD0, 0x0001'0000);
    }
    if (mode == InterruptMode::kMsix) config_write(kCardBus, 0, 0xA0, 0x8000'0000);
    // What QEMU remembers of these over any reset.
    constexpr std::uint32_t kItr = 0xC4;
    constexpr std::uint32_t kEitr = 0xE8;
    write(0, kItr, 0);
    for (std::uint32_t vector = 0; vector < kVectors; vector++) write(0, kEitr + vector * 4, 0);
    wait(2'000);
    (void)session_.take_frames();
}

void QemuDevice::write(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) {
    const std::uint32_t address = kBars[bar] + offset;
    command(bar == 2 ? "outl 0x%x 0x%x" : "writel 0x%x 0x%x", address, value);
}

std::uint32_t QemuDevice::read(std::uint32_t bar, std::uint32_t offset) {
    char line[40];
    std::snprintf(line, sizeof line, bar == 2 ? "inl 0x%x" : "readl 0x%x", kBars[bar] + offset);
    return number(session_.answer(line));
}

std::uint32_t QemuDevice::config_read(std::uint32_t offset) {
    select(kCardBus, 0, offset);
    return number(session_.answer("inl 0xcfc"));
}

void QemuDevice::poke(std::uint32_t address, const std::vector<std::uint8_t>& bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    char head[48];
    std::snprintf(head, sizeof head, "write 0x%x 0x%zx 0x", address, bytes.size());
    std::string line = head;
    for (const std::uint8_t byte : bytes) {
        line += kDigits[byte >> 4];
        line += kDigits[byte & 15];
    }
    session_.command(line);
}

std::vector<std::uint8_t> QemuDevice::peek(std::uint32_t address, std::uint32_t size_bytes) {
    char line[48];
    std::snprintf(line, sizeof line, "read 0x%x 0x%x", address, size_bytes);
    const std::string text = session_.answer(line);
    std::vector<std::uint8_t> bytes;
    for (std::size_t at = 2; at + 1 < text.size(); at += 2) {
        bytes.push_back(
            static_cast<std::uint8_t>(std::strtoul(text.substr(at, 2).c_str(), nullptr, 16)));
    }
    return bytes;
}

void QemuDevice::receive(const std::vector<std::uint8_t>& frame) {
    session_.send_frame(frame);
}

std::vector<std::vector<std::uint8_t>> QemuDevice::sent() {
    return session_.take_frames();
}

void QemuDevice::wait(std::uint32_t microseconds) {
    command("clock_step %llu", static_cast<unsigned long long>(microseconds) * 1'000);
}

}  // namespace doorbell::differential
