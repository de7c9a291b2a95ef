#pragma once

#include <cstdint>
#include <tlm>

namespace doorbell {

/// Who a DMA transfer is about. Ignorable: an interconnect that does not know it changes nothing
/// but the evidence. On a write the initiator says what it stores; on a read the target answers
/// what lies there. 0: unknown.
class PacketExtension final : public tlm::tlm_extension<PacketExtension> {
public:
    [[nodiscard]] tlm::tlm_extension_base* clone() const override {
        return new PacketExtension(*this);  // TLM's memory manager owns and deletes it.
    }
    void copy_from(const tlm::tlm_extension_base& other) override {
        packet = static_cast<const PacketExtension&>(other).packet;
    }

    std::uint64_t packet = 0;
};

}  // namespace doorbell
