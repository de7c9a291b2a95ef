#include "hw/plugin/client_channel.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <cstring>
#include <utility>

namespace doorbell::plugin {

using vfio_user::Header;

namespace {

bool is_socket(const Descriptor& descriptor) {
    struct stat file {};
    return fstat(descriptor.number(), &file) == 0 && S_ISSOCK(file.st_mode);
}

}  // namespace

void Descriptor::close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
}

bool Descriptors::add(Descriptor descriptor) {
    if (count_ == all_.size()) return false;
    all_[count_++] = std::move(descriptor);
    return true;
}

void Descriptors::clear() {
    for (std::size_t i = 0; i < count_; i++) all_[i].close();
    count_ = 0;
}

ClientChannel::ClientChannel(Descriptor socket)
    : socket_(std::move(socket)), incoming_(vfio_user::kMaxMessageBytes + kReceiveBytes) {
    replies_.resize(kReceiveBytes);
}

ClientChannel::Received ClientChannel::receive() {
    // What is left of a message moves to the front; mostly nothing is.
    if (taken_ == filled_) {
        base_ += taken_;
        taken_ = filled_ = 0;
    } else if (incoming_.size() - filled_ < kReceiveBytes) {
        std::memmove(incoming_.data(), incoming_.data() + taken_, filled_ - taken_);
        base_ += taken_;
        filled_ -= taken_;
        taken_ = 0;
    }
    assert(filled_ < incoming_.size());

    iovec bytes{incoming_.data() + filled_, incoming_.size() - filled_};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * vfio_user::kMaxDescriptors)];
    msghdr header{};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    ssize_t size = 0;
    do {
        size = recvmsg(socket_.number(), &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (size < 0 && errno == EINTR);
    if (size < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return Received::kNothing;
        error_ = errno;
        return Received::kEnd;
    }
    if (size == 0) return Received::kEnd;
    filled_ += static_cast<std::size_t>(size);
    // When no descriptor at all could be taken, there is only the flag.
    if (header.msg_controllen != 0 || (header.msg_flags & MSG_CTRUNC) != 0) {
        take_descriptors(header);
    }
    return Received::kBytes;
}

void ClientChannel::take_descriptors(msghdr& header) {
    const std::uint64_t owner = last_message_start();
    if (owner != descriptors_at_) descriptors_.clear();
    descriptors_at_ = owner;
    for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr;
         part = CMSG_NXTHDR(&header, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
        const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (std::size_t i = 0; i < count; i++) {
            int number = -1;
            std::memcpy(&number, CMSG_DATA(part) + i * sizeof(int), sizeof number);
            Descriptor descriptor(number);
            // Nothing here wants a socket, and one may be the other end of this very connection:
            // held for a message that never comes, it would keep the connection open for ever.
            if (is_socket(descriptor)) {
                sockets_came_ = true;
            } else if (!descriptors_.add(std::move(descriptor))) {
                descriptors_lost_ = descriptors_too_many_ = true;
            }
        }
    }
    if ((header.msg_flags & MSG_CTRUNC) == 0) return;
    descriptors_lost_ = true;
    if (descriptors_.count() == vfio_user::kMaxDescriptors) descriptors_too_many_ = true;
}

// A read ends with the bytes that the descriptors were sent with: they are the last message's that
// began in it, or the one's that it continued.
std::uint64_t ClientChannel::last_message_start() const {
    std::size_t start = taken_;
    while (filled_ - start >= Header::kBytes) {
        const std::uint32_t size = load_le32(incoming_.data() + start + 4);
        if (size < Header::kBytes || size > filled_ - start) break;
        if (start + size == filled_) break;
        start += size;
    }
    return base_ + start;
}

ClientChannel::Next ClientChannel::malformed(std::string what) {
    what_ = std::move(what);
    return Next::kMalformed;
}

ClientChannel::Next ClientChannel::next(Message& message) {
    handed_out_.clear();
    if (sockets_came_) {
        return malformed("a socket came as a file descriptor, for which no message has a use");
    }
    const std::size_t left = filled_ - taken_;
    if (left < Header::kBytes) return Next::kNone;
    const Header header = Header::load(incoming_.data() + taken_);
    if (header.size_bytes < Header::kBytes) {
        return malformed(vfio_user::command_name(header.command) + " says it has " +
                         std::to_string(header.size_bytes) + " bytes, fewer than its header of 16");
    }
    if (header.size_bytes > vfio_user::kMaxMessageBytes) {
        return malformed(vfio_user::command_name(header.command) + " says it has " +
                         std::to_string(header.size_bytes) + " bytes, more than the " +
                         std::to_string(vfio_user::kMaxMessageBytes) + " of the longest message");
    }
    if (descriptors_lost_ && !descriptors_too_many_) {
        return malformed(
            "the file descriptors of a message were lost, since this server has as many open as it "
            "may (ulimit -n)");
    }
    if (descriptors_lost_) {
        return malformed("more than " + std::to_string(vfio_user::kMaxDescriptors) +
                         " file descriptors came with one message");
    }
    if (left < header.size_bytes) return Next::kNone;
    if (descriptors_.count() != 0 && descriptors_at_ <= base_ + taken_) {
        if (descriptors_at_ == base_ + taken_) std::swap(handed_out_, descriptors_);
        descriptors_.clear();
    }
    message.header = header;
    message.payload = incoming_.data() + taken_ + Header::kBytes;
    message.size_bytes = header.size_bytes - Header::kBytes;
    message.descriptors = &handed_out_;
    taken_ += header.size_bytes;
    return Next::kMessage;
}

std::uint8_t* ClientChannel::reply(const Header& request, std::uint32_t payload_bytes) {
    const std::uint32_t size = Header::kBytes + payload_bytes;
    // Grows for a long read and stays: bounded by what `congested` lets pile up.
    if (replies_.size() < outgoing_ + size) replies_.resize(outgoing_ + size);
    std::uint8_t* at = replies_.data() + outgoing_;
    Header{request.id, request.command, size, vfio_user::kTypeReply, 0}.store(at);
    outgoing_ += size;
    return at + Header::kBytes;
}

void ClientChannel::reply_error(const Header& request, int error) {
    if (replies_.size() < outgoing_ + Header::kBytes) replies_.resize(outgoing_ + Header::kBytes);
    Header{request.id, request.command, Header::kBytes, vfio_user::kTypeReply | vfio_user::kError,
           static_cast<std::uint32_t>(error)}
        .store(replies_.data() + outgoing_);
    outgoing_ += Header::kBytes;
}

bool ClientChannel::flush() {
    while (sent_ < outgoing_) {
        const ssize_t size = send(socket_.number(), replies_.data() + sent_, outgoing_ - sent_,
                                  MSG_DONTWAIT | MSG_NOSIGNAL);
        if (size < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                std::memmove(replies_.data(), replies_.data() + sent_, outgoing_ - sent_);
                outgoing_ -= sent_;
                sent_ = 0;
                return true;
            }
            error_ = errno;
            return false;
        }
        sent_ += static_cast<std::size_t>(size);
    }
    outgoing_ = sent_ = 0;
    return true;
}

void ClientChannel::shut_down() {
    shutdown(socket_.number(), SHUT_WR);
}

bool ClientChannel::drained() {
    // Bounded: a client that never stops is cut off by the caller's patience.
    for (int i = 0; i < 64; i++) {
        taken_ = filled_ = 0;
        descriptors_.clear();
        const Received received = receive();
        if (received == Received::kEnd) return true;
        if (received == Received::kNothing) return false;
    }
    return false;
}

}  // namespace doorbell::plugin
