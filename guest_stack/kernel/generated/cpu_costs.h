/* What each piece of work costs on the guest's CPU, generated from
 * testbench/bench/cpu_costs.toml by calibrate_costs.py --write. Instructions of the code
 * itself, at 1 per cycle of 3 GHz, and published measurements of what it has no code for. */
#ifndef GUEST_CPU_COSTS_H
#define GUEST_CPU_COSTS_H

/* X(field, setting, default, minimum, maximum, description) */
#define GUEST_CPU_COSTS(X)                                                                         \
    /* 6 instructions (udp, requests); 26 ns: half of lmbench's null system call, 51 ns without    \
     * page table isolation (E. Reshetova, LKML, 8 May 2019) */                                    \
    X(syscall_entry_ns, "cpu.syscall_entry_ns", 28, 0, 1000000,                                    \
      "Mode switch into the kernel")                                                               \
    /* 18 instructions (udp, requests); 25 ns: the other half of it */                             \
    X(syscall_exit_ns, "cpu.syscall_exit_ns", 31, 0, 1000000,                                      \
      "Back to user mode")                                                                         \
    /* 730 ns: 1,070 ns for threads that pass a byte by pipe on one core (ddumbying.vercel.app,    \
     * i7 of the 11th generation, Linux 6.6; 1,300 ns with a condition variable:                   \
     * albertnetymk.github.io, 18 December 2022), less two system calls and the wake-up */         \
    X(context_switch_ns, "cpu.context_switch_ns", 730, 0, 10000000,                                \
      "From one thread to another")                                                                \
    /* 240 ns: a quarter of those 970 ns: the sum is published, how it divides is an assumption */ \
    X(wakeup_ns, "cpu.wakeup_ns", 240, 0, 1000000,                                                 \
      "Making a blocked thread runnable")                                                          \
    /* 238 ns: 715 cycles: an exception on Haswell (L. Torvalds, 30 April 2014), which is          \
     * delivered as an interrupt is */                                                             \
    X(irq_entry_ns, "cpu.irq_entry_ns", 238, 0, 1000000,                                           \
      "Entry of a hard interrupt")                                                                 \
    /* 110 ns: 330 cycles: iret on Haswell (the same) */                                           \
    X(irq_exit_ns, "cpu.irq_exit_ns", 110, 0, 1000000,                                             \
      "Exit of a hard interrupt")                                                                  \
    /* 34 instructions (udp) */                                                                    \
    X(irq_handler_ns, "cpu.irq_handler_ns", 11, 0, 1000000,                                        \
      "The NIC's handler itself")                                                                  \
    /* 100 ns: assumed: the shipped scenarios have one in two seconds, too few to count */         \
    X(timer_ns, "cpu.timer_ns", 100, 0, 1000000,                                                   \
      "One expired kernel timer")                                                                  \
    /* 134 instructions (udp) */                                                                   \
    X(softirq_dispatch_ns, "cpu.softirq_dispatch_ns", 45, 0, 1000000,                              \
      "Starting a softirq vector")                                                                 \
    /* 97 instructions (udp) */                                                                    \
    X(napi_poll_ns, "cpu.napi_poll_ns", 32, 0, 1000000,                                            \
      "One NAPI poll, without its packets")                                                        \
    /* 321 instructions (bulk) */                                                                  \
    X(driver_rx_ns, "cpu.driver_rx_ns", 107, 0, 1000000,                                           \
      "Driver: one received buffer")                                                               \
    /* 417 instructions (bulk) */                                                                  \
    X(driver_tx_ns, "cpu.driver_tx_ns", 139, 0, 1000000,                                           \
      "Driver: describing one packet")                                                             \
    /* 123 instructions (bulk) */                                                                  \
    X(driver_clean_ns, "cpu.driver_clean_ns", 41, 0, 1000000,                                      \
      "Driver: taking back a sent packet")                                                         \
    /* 10 instructions (bulk) */                                                                   \
    X(dma_map_ns, "cpu.dma_map_ns", 4, 0, 1000000,                                                 \
      "Mapping or unmapping memory for DMA")                                                       \
    /* 100 ns: uncached stores to PCIe leave 50 to 300 ns apart (Intel community, 'Why do          \
     * MemReq TLPs take 100s nanoseconds', 1186313) */                                             \
    X(mmio_write_ns, "cpu.mmio_write_ns", 100, 0, 1000000,                                         \
      "A posted register write")                                                                   \
    /* 43 instructions (queue) */                                                                  \
    X(qdisc_ns, "cpu.qdisc_ns", 14, 0, 1000000,                                                    \
      "Queueing a packet for a stopped queue")                                                     \
    /* 15 instructions (queue) */                                                                  \
    X(backlog_ns, "cpu.backlog_ns", 5, 0, 1000000,                                                 \
      "Queueing a frame while the core is locked")                                                 \
    /* 184 instructions (bulk) */                                                                  \
    X(ethernet_ns, "cpu.ethernet_ns", 61, 0, 1000000,                                              \
      "Ethernet layer, one packet")                                                                \
    /* 219 instructions (bulk) */                                                                  \
    X(arp_ns, "cpu.arp_ns", 73, 0, 1000000,                                                        \
      "ARP look-up, or one ARP packet")                                                            \
    /* 288 instructions (bulk) */                                                                  \
    X(ip_ns, "cpu.ip_ns", 96, 0, 1000000,                                                          \
      "IP layer, one packet")                                                                      \
    /* 66 instructions (bulk) */                                                                   \
    X(route_ns, "cpu.route_ns", 22, 0, 1000000,                                                    \
      "One look-up in the routing table")                                                          \
    /* 781 instructions (bulk) */                                                                  \
    X(tcp_ns, "cpu.tcp_ns", 260, 0, 1000000,                                                       \
      "TCP layer, one segment")                                                                    \
    /* 381 instructions (udp) */                                                                   \
    X(udp_ns, "cpu.udp_ns", 127, 0, 1000000,                                                       \
      "UDP layer, one datagram")                                                                   \
    /* 218 instructions (ping) */                                                                  \
    X(icmp_ns, "cpu.icmp_ns", 73, 0, 1000000,                                                      \
      "ICMP, one message")                                                                         \
    /* 288 instructions (udp, requests) */                                                         \
    X(socket_ns, "cpu.socket_ns", 96, 0, 1000000,                                                  \
      "Socket layer, one call")                                                                    \
    /* 4.3 bytes per cycle */                                                                      \
    X(copy_per_byte_ps, "cpu.copy_per_byte_ps", 78, 0, 1000000,                                    \
      "Copying between user and kernel")                                                           \
    /* 2.50 instructions a byte at 4 per cycle (sums) */                                           \
    X(checksum_per_byte_ps, "cpu.checksum_per_byte_ps", 208, 0, 1000000,                           \
      "Checksum in software, where the NIC does not do it")

#endif /* GUEST_CPU_COSTS_H */
