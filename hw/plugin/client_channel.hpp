#pragma once

#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/plugin/vfio_user.hpp"

namespace doorbell::plugin {

/// A file descriptor with an owner.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        if (this != &other) {
            close();
            number_ = other.release();
        }
        return *this;
    }
    ~Descriptor() { close(); }

    [[nodiscard]] int number() const { return number_; }
    [[nodiscard]] bool open() const { return number_ >= 0; }
    [[nodiscard]] int release() {
        const int number = number_;
        number_ = -1;
        return number;
    }
    void close();

private:
    int number_ = -1;
};

/// The descriptors that came with one message.
class Descriptors {
public:
    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] Descriptor take(std::size_t index) { return std::move(all_[index]); }
    /// False, and the descriptor closed, when there is no room.
    bool add(Descriptor descriptor);
    void clear();

private:
    std::array<Descriptor, vfio_user::kMaxDescriptors> all_;
    std::size_t count_ = 0;
};

/// One message in the receive buffer; valid until the next call of `receive`.
struct Message {
    vfio_user::Header header;
    const std::uint8_t* payload = nullptr;
    std::uint32_t size_bytes = 0;  ///< Of the payload.
    Descriptors* descriptors = nullptr;
};

/// The socket to one client: takes many messages with one system call, in place and without
/// allocation, and sends replies, several at once. Never blocks.
class ClientChannel {
public:
    enum class Received : std::uint8_t { kBytes, kNothing, kEnd };
    enum class Next : std::uint8_t { kMessage, kNone, kMalformed };

    /// A connected stream socket.
    explicit ClientChannel(Descriptor socket);

    [[nodiscard]] int number() const { return socket_.number(); }

    /// One recvmsg. kEnd: the client is gone; `error()` says how, 0 for an orderly end.
    [[nodiscard]] Received receive();
    /// The next whole message, in the order of arrival. kMalformed: the stream cannot be followed
    /// any further; `what()` says why.
    [[nodiscard]] Next next(Message& message);

    /// Room for a message of `payload_bytes` behind its header; the caller fills it in at once.
    [[nodiscard]] std::uint8_t* reply(const vfio_user::Header& request,
                                      std::uint32_t payload_bytes);
    void reply_error(const vfio_user::Header& request, int error);
    /// Sends what has been replied, as far as the socket takes it. False when the client is gone.
    [[nodiscard]] bool flush();
    /// Replies wait for room in the socket.
    [[nodiscard]] bool unsent() const { return sent_ < outgoing_; }
    /// More replies than a client that reads could have let pile up: nothing more is taken from it.
    [[nodiscard]] bool congested() const { return outgoing_ - sent_ > kCongestedBytes; }

    /// For the way out: no more replies, and what still comes is thrown away. True at the end.
    void shut_down();
    [[nodiscard]] bool drained();

    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] const std::string& what() const { return what_; }

private:
    static constexpr std::size_t kCongestedBytes = 64 * 1024;
    static constexpr std::size_t kReceiveBytes = 64 * 1024;

    void take_descriptors(msghdr& header);
    [[nodiscard]] std::uint64_t last_message_start() const;
    Next malformed(std::string what);

    Descriptor socket_;
    int error_ = 0;
    std::string what_;

    // Received bytes: [taken_, filled_) of the buffer; `base_` is the place of its first byte in
    // the whole stream.
    std::vector<std::uint8_t> incoming_;
    std::size_t taken_ = 0;
    std::size_t filled_ = 0;
    std::uint64_t base_ = 0;

    // Descriptors of the message that starts at `descriptors_at_` in the stream. One read brings
    // those of one message (unix(7): a read does not go beyond them).
    Descriptors descriptors_;
    Descriptors handed_out_;
    std::uint64_t descriptors_at_ = 0;
    bool descriptors_lost_ = false;
    bool descriptors_too_many_ = false;  ///< Of one message; else it is this process that is full.
    bool sockets_came_ = false;

    std::vector<std::uint8_t> replies_;
    std::size_t outgoing_ = 0;
    std::size_t sent_ = 0;
};

}  // namespace doorbell::plugin
