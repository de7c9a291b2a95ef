#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/nic/border.hpp"
#include "testbench/report/wire_capture.hpp"

namespace doorbell::report {

/// `--capture all`: beside the wire, what each NIC stored in host memory, as the driver will find
/// it: filtered, VLAN tags stripped, without FCS. The bytes are those that crossed the NIC's
/// border. And every frame a MAC refused bears the reason as a comment where it arrived.
class HostCapture final : public EventListener {
public:
    HostCapture(WireCapture& capture, const EventHub& hub);
    ~HostCapture() override;

    /// One per NIC, before the first frame. `name`: the NIC's source in the stream, and its end of
    /// the link. The result is to be attached to the NIC's border; the capture owns it.
    BorderListener& add_nic(const std::string& name);

    void event(const Event& event) override;

private:
    class Nic;
    [[nodiscard]] Nic* nic_of(std::uint16_t source);

    WireCapture& capture_;
    const EventHub& hub_;
    std::vector<std::unique_ptr<Nic>> nics_;
};

}  // namespace doorbell::report
