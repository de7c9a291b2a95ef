#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/user_options.hpp"

namespace doorbell::wire {

/// A network of its own in this process (`user`): DHCP, DNS, TFTP, and connections out of it
/// through ordinary sockets, so that no rights are needed. The work is libslirp's.
class UserFarSide final : public FarSideBase {
public:
    /// nullptr and one sentence in `error` when it cannot be.
    [[nodiscard]] static std::unique_ptr<UserFarSide> open(const UserOptions& options,
                                                           const FarSideContext& context,
                                                           std::string& error);
    ~UserFarSide() override;
    UserFarSide(const UserFarSide&) = delete;
    UserFarSide& operator=(const UserFarSide&) = delete;

    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;
    [[nodiscard]] std::string description() const override;

protected:
    void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;

private:
    class Stack;
    UserFarSide(const FarSideContext& context, std::unique_ptr<Stack> stack,
                const UserOptions& options);

    std::unique_ptr<Stack> stack_;
    std::string description_;
};

}  // namespace doorbell::wire
