#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace doorbell::differential {

/// A QEMU under `-accel qtest`: a process that does what the lines of its standard input say, and
/// answers each with a line. Commands are collected and sent when an answer is wanted, so that
/// those without one cost no round trip. Its network card's cable ends here as well.
class QtestSession {
public:
    /// `words` start the program; options of the machine are `arguments`. Throws
    /// std::runtime_error, in words for the user, when it does not come up.
    QtestSession(const std::vector<std::string>& words, const std::vector<std::string>& arguments);
    ~QtestSession();
    QtestSession(const QtestSession&) = delete;
    QtestSession& operator=(const QtestSession&) = delete;

    /// Goes out with the next `answer`.
    void command(std::string_view line);
    /// Sends what was collected and this; the rest of the answer behind "OK ".
    [[nodiscard]] std::string answer(std::string_view line);
    /// A frame into the cable; and its reader has had the time to take it.
    void send_frame(const std::vector<std::uint8_t>& frame);
    /// Whole frames that came out of it.
    [[nodiscard]] std::vector<std::vector<std::uint8_t>> take_frames();

    /// The option that makes the cable's other end: "-netdev socket,id=wire,fd=...".
    static constexpr int kCableDescriptor = 5;

private:
    void exchange();
    void read_answers();
    void read_cable();
    [[noreturn]] void gone() const;
    void reap();

    pid_t child_ = -1;
    int console_ = -1;
    int cable_ = -1;
    std::string out_;
    std::size_t expected_ = 0;
    std::string in_;
    std::string last_;
    std::vector<std::uint8_t> cable_in_;
};

}  // namespace doorbell::differential
