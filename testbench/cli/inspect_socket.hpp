#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hw/base/accept_pause.hpp"
#include "hw/base/poll_source.hpp"
#include "hw/plugin/listening_socket.hpp"

namespace doorbell::cli {

/// The small socket beside a server's, where `doorbell inspect` asks: a caller sends "text\n" or
/// "json\n" and reads the answer to its end. A caller that is slow or sends nonsense is dropped.
class InspectSocket final : public PollSource {
public:
    /// "PATH.inspect"
    [[nodiscard]] static std::string path_of(const std::string& server_path);

    /// `answer(json)` is asked when a caller asks.
    InspectSocket(plugin::ListeningSocket socket, std::function<std::string(bool json)> answer);

    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;

private:
    static constexpr std::size_t kMaxCallers = 4;
    static constexpr std::size_t kMaxQuestionBytes = 16;
    struct Caller {
        plugin::Descriptor socket;
        std::string question;
        std::string answer;
    };

    /// False when it is done with.
    [[nodiscard]] bool serve(Caller& caller);
    void accept();

    plugin::ListeningSocket listener_;
    std::function<std::string(bool json)> answer_;
    std::vector<Caller> callers_;
    AcceptPause accept_pause_;
};

/// Asks the server at `server_path`; false and a sentence in `why` when there is no answer.
[[nodiscard]] bool ask_server(const std::string& server_path, bool json, std::string& answer,
                              std::string& why);

}  // namespace doorbell::cli
