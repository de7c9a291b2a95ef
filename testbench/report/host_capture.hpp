#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/nic/border.hpp"
#include "hw/nic/nic.hpp"
#include "testbench/report/wire_capture.hpp"

namespace doorbell::report {

/// `--capture all`: beside the wire, what each NIC stored in host memory, as the driver will find
/// it: filtered, VLAN tags stripped, without FCS; and what it fetched from there, as the driver
/// laid it: whole packets, before segmentation, checksums and VLAN tags. The bytes are those that
/// crossed the NIC's border. And every frame a MAC refused bears the reason as a comment where it
/// arrived.
class HostCapture final : public EventListener {
public:
    HostCapture(WireCapture& capture, const EventHub& hub);
    ~HostCapture() override;

    /// One per NIC, before the first frame. `name`: the NIC's source in the stream, and its end of
    /// the link; `nic` is asked where its rings are. The result is to be attached to the NIC's
    /// border; the capture owns it.
    BorderListener& add_nic(const std::string& name, const doorbell::Nic& nic);

    void event(const Event& event) override;

private:
    class Side;
    [[nodiscard]] Side* side_of(std::uint16_t source);

    WireCapture& capture_;
    const EventHub& hub_;
    std::vector<std::unique_ptr<Side>> sides_;
};

}  // namespace doorbell::report
