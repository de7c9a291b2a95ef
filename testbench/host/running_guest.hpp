#pragma once

/// Which guest's code runs, for who looks at the process from a signal handler: one store when a
/// guest takes over, one when it gives back. One run has one process, so there is one note.
namespace doorbell {

struct RunningGuest {
    const char* host = nullptr;    ///< nullptr: the model runs, or a handler, which has no thread.
    const char* thread = nullptr;  ///< The guest's own name for the thread.
    bool in_handler = false;       ///< What the guest gave the interrupt controller to call.
};

namespace running_guest {

struct Owner {
    const char* host;
    const char* thread;
};
inline const Owner* volatile owner = nullptr;
inline volatile bool in_handler = false;

inline RunningGuest get() {
    const Owner* who = owner;
    if (in_handler) return {nullptr, nullptr, true};
    return who == nullptr ? RunningGuest{} : RunningGuest{who->host, who->thread, false};
}

}  // namespace running_guest
}  // namespace doorbell
