#pragma once

#include <systemc>

/// INTA on the SystemC side. The NIC has an `IntaPort` that need not be bound; a platform's
/// interrupt controller implements `IntaInterface` (and usually exports one per slot).
namespace doorbell {

class IntaInterface : public virtual sc_core::sc_interface {
public:
    /// The virtual wire as it reaches the root complex: called on changes only, in order with the
    /// writes of the same device (PCIe base specification, INTx messages).
    virtual void inta(bool asserted) = 0;
};

using IntaPort = sc_core::sc_port<IntaInterface, 1, sc_core::SC_ZERO_OR_MORE_BOUND>;
using IntaExport = sc_core::sc_export<IntaInterface>;

}  // namespace doorbell
