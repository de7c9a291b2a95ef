/* Applications: what a scenario starts on a host, written against the system calls only (the packet
 * generator and sink, which bypass the stack, also use the device). Arguments are typed as on a
 * command line and checked strictly. */
#ifndef GUEST_APP_H
#define GUEST_APP_H

#include <errno.h>

#include "guest_stack/apps/option.h"
#include "guest_stack/kernel/kernel.h"
#include "guest_stack/kernel/latency.h"
#include "guest_stack/kernel/thread.h"
#include "guest_stack/sys/syscalls.h"

struct app;
struct app_block;

/* What an application asks of the host it is to run on, and the host does not have. */
struct app_demand {
    const char* option;  /* the one to blame: "--size" */
    const char* setting; /* or the setting: "driver.vlan_strip"; NULL: none */
    uint32_t nic;        /* whose setting */
    char what[160];      /* "--vlan 5 cannot be inserted" */
    char why[160];       /* "nic0.driver.vlan_strip is false" */
};

struct app_type {
    const char* name;
    const char* description;
    const struct option* options; /* ended by OPTION_END */
    const void* defaults;         /* of the arguments: a struct that the options' offsets are in */
    size_t arguments_bytes;
    int (*run)(struct app* app); /* 0 is success, else negative errno */
    /* What no option's own range can say, since it depends on the others, on interfaces or on
     * settings. True when all is well. Asked before the run, too, of an image that was never
     * started: it looks at its arguments only. NULL: no such demand. */
    bool (*check)(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet);
};

/* The arguments of a command over the defaults, into `arguments` (arguments_bytes of memory), and
 * all that is checked of them. False with `unmet`, whose `what` may be all there is. */
bool app_arguments(const struct app_type* type, const struct guest_app* command,
                   const struct guest_config* config, uint32_t nic_count, void* arguments,
                   struct app_demand* unmet);
/* False when the host has no NIC `nic`. */
bool app_check_nic(uint64_t nic, uint32_t nic_count, struct app_demand* unmet);
/* False when lwIP could not cut a datagram, or put its fragments together again, received as this
 * host would: IP payload of `payload_bytes`, `size` of which --size asked for, to another host. */
bool app_check_datagram(uint32_t to, uint64_t payload_bytes, uint64_t size,
                        const struct guest_config* config, struct app_demand* unmet);

struct app {
    const struct app_type* type;
    uint32_t index;
    const struct guest_app* config;
    const void* arguments; /* what the type's defaults point to, with what was given */
    struct thread* thread;
    bool done; /* the host has been told */
    struct app_block* blocks;
    int status;

    /* Metrics: app.<i>.* */
    uint64_t bytes;
    uint64_t operations, lost, errors;
    uint64_t start_ps, end_ps;
    struct latency* latency; /* NULL: the application measures none */
};

const struct app_type* app_type_find(const char* name);
/* All there are, in order: this folder's, then the image's own. NULL behind the last. */
const struct app_type* app_type_at(size_t index);
/* An image may have applications of its own (doorbell_add_guest's APPS): they define this list,
 * which ends with NULL. */
extern const struct app_type* const kExtraAppTypes[] __attribute__((weak));

/* Tells the host; the application may go on as a server in the background. */
void app_finish(struct app* app, int status);
int app_fail(const struct app* app, const char* what, int64_t error);
void app_log(const struct app* app, int level, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
/* Zeroed memory that lives until the application has ended; never NULL. */
void* app_alloc(struct app* app, size_t bytes);
void app_release(struct app* app);
struct latency* app_latency(struct app* app);

/* Connects, trying again while nobody listens yet or no route exists, for `patience_ms`. */
int app_connect(const struct app* app, int fd, struct socket_address to, uint64_t patience_ms);
/* A listening TCP socket. */
int app_listen(const struct app* app, uint16_t port, uint64_t receive_buffer);
/* Reads exactly `size` bytes; less only at the end of the stream. */
int64_t app_read_all(int fd, void* data, size_t size);

extern const struct app_type kTcpSend, kTcpReceive, kTcpBidirectional, kTcpRequestServer,
    kTcpRequestClient, kUdpEchoServer, kUdpEchoClient, kPing, kPacketGenerator, kPacketSink,
    kPacketProbe;

#endif /* GUEST_APP_H */
