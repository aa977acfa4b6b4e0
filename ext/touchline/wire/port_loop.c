/* A network of one port, with faults, for tests: each datagram sent is copied into a slot, drawn
 * lots for, and comes when its poll has come. A heap has the slots on their way, by poll and then
 * by the order of sending; nothing here reads a clock, so a seed gives the same faults anywhere. */
#define _GNU_SOURCE
#include "touchline/wire/port_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MILLION 1000000u
#define SLOTS_MAX (1u << 20)
#define SIZE_MAX_BYTES 65536u

typedef struct loop_slot {
    uint64_t due;    /* the poll it comes with */
    uint64_t number; /* in the order of sending */
    uint32_t size;
    uint32_t buffer;
} loop_slot;

typedef struct loop_port {
    tl_port base;
    tl_port_loop_options options;
    uint64_t random;
    uint64_t polls;
    uint64_t number;
    uint32_t room; /* bytes of one buffer */
    uint32_t waiting;
    uint32_t free_count;
    uint32_t given_count;
    loop_slot *heap;
    uint32_t *free;  /* buffers, a stack */
    uint32_t *given; /* buffers that the last poll gave out */
    uint8_t *buffers;
    void *memory;
    size_t memory_bytes;
} loop_port;

/* SplitMix64. */
static uint64_t draw(loop_port *port)
{
    uint64_t z = (port->random += UINT64_C(0x9E3779B97F4A7C15));
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

static bool happens(loop_port *port, uint32_t share)
{
    return share > 0 && draw(port) % MILLION < share;
}

static bool before(const loop_slot *one, const loop_slot *other)
{
    return one->due != other->due ? one->due < other->due : one->number < other->number;
}

static void heap_put(loop_port *port, loop_slot slot)
{
    uint32_t at = port->waiting++;
    while (at > 0 && before(&slot, &port->heap[(at - 1) / 2])) {
        port->heap[at] = port->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    port->heap[at] = slot;
}

static loop_slot heap_take(loop_port *port)
{
    const loop_slot first = port->heap[0];
    const loop_slot last = port->heap[--port->waiting];
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= port->waiting)
            break;
        if (child + 1 < port->waiting && before(&port->heap[child + 1], &port->heap[child]))
            child++;
        if (!before(&port->heap[child], &last))
            break;
        port->heap[at] = port->heap[child];
        at = child;
    }
    port->heap[at] = last;
    return first;
}

static void deliver(loop_port *port, const tl_port_packet *packet)
{
    if (port->free_count == 0) {
        port->base.counts.lost++;
        return;
    }
    loop_slot slot = {.due = port->polls + 1 + port->options.delay,
                      .number = port->number++,
                      .size = packet->size,
                      .buffer = port->free[--port->free_count]};
    memcpy(port->buffers + (size_t)slot.buffer * port->room, packet->bytes, packet->size);
    if (port->options.late_max > 0 && happens(port, port->options.late))
        slot.due += 1 + draw(port) % port->options.late_max;
    if (packet->size > 0 && happens(port, port->options.shortened)) {
        slot.size = (uint32_t)(draw(port) % packet->size);
        port->base.counts.cut++;
    }
    heap_put(port, slot);
}

static int loop_send(tl_port *base, const tl_port_packet *packets, uint32_t count)
{
    loop_port *port = (loop_port *)base;
    if (count > port->options.batch)
        count = port->options.batch;
    for (uint32_t i = 0; i < count; i++) {
        if (packets[i].size > port->options.size_max)
            return i == 0 ? -EMSGSIZE : (int)i;
        base->counts.sent++;
        if (happens(port, port->options.lost)) {
            base->counts.lost++;
            continue;
        }
        deliver(port, &packets[i]);
        if (happens(port, port->options.doubled))
            deliver(port, &packets[i]);
    }
    return (int)count;
}

static int loop_poll(tl_port *base, tl_port_datagram *out, uint32_t max, int timeout_ms)
{
    loop_port *port = (loop_port *)base;
    uint32_t count = 0;
    (void)timeout_ms; /* nothing comes while its only thread waits */
    while (port->given_count > 0)
        port->free[port->free_count++] = port->given[--port->given_count];
    port->polls++;
    if (max > port->options.batch)
        max = port->options.batch;
    while (count < max && port->waiting > 0 && port->heap[0].due <= port->polls) {
        const loop_slot slot = heap_take(port);
        out[count++] =
            (tl_port_datagram){.bytes = port->buffers + (size_t)slot.buffer * port->room,
                               .size = slot.size,
                               .from = base->local};
        port->given[port->given_count++] = slot.buffer;
    }
    base->counts.received += count;
    return (int)count;
}

static void loop_close(tl_port *base)
{
    loop_port *port = (loop_port *)base;
    if (port->memory != NULL)
        munmap(port->memory, port->memory_bytes);
    free(port);
}

static const tl_port_ops LOOP_OPS = {.poll = loop_poll, .send = loop_send, .close = loop_close};

static int allocate(loop_port *port)
{
    const size_t slots = port->options.slots;
    const size_t heap = slots * sizeof *port->heap;
    const size_t indices = slots * sizeof *port->free;
    port->room = (port->options.size_max + 63) & ~63u;
    port->memory_bytes = heap + 2 * indices + slots * port->room;
    port->memory = tl_port_memory(port->memory_bytes);
    if (port->memory == NULL)
        return -ENOMEM;
    uint8_t *at = port->memory;
    port->heap = (void *)at;
    port->free = (void *)(at + heap);
    port->given = (void *)(at + heap + indices);
    port->buffers = at + heap + 2 * indices;
    for (uint32_t i = 0; i < port->options.slots; i++)
        port->free[port->free_count++] = port->options.slots - 1 - i;
    return 0;
}

static int check(const tl_port_loop_options *options, tl_port_fault *fault)
{
    if (options->batch == 0 || options->slots < options->batch || options->slots > SLOTS_MAX)
        return tl_port_blame(fault, -EINVAL, "slots %u of batch %u to %u", options->slots,
                             options->batch, SLOTS_MAX);
    if (options->size_max == 0 || options->size_max > SIZE_MAX_BYTES)
        return tl_port_blame(fault, -EINVAL, "size_max %u of 1 to %u", options->size_max,
                             SIZE_MAX_BYTES);
    if (options->lost > MILLION || options->doubled > MILLION || options->shortened > MILLION ||
        options->late > MILLION)
        return tl_port_blame(fault, -EINVAL, "a share of more than %u", MILLION);
    return 0;
}

int tl_port_loop_open(tl_port **out, const tl_port_loop_options *options, tl_port_fault *fault)
{
    *out = NULL;
    int rc = check(options, fault);
    if (rc != 0)
        return rc;
    loop_port *port = calloc(1, sizeof *port);
    if (port == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    port->base.ops = &LOOP_OPS;
    port->base.fd = -1;
    port->base.local = (tl_port_address){.ip = {127, 0, 0, 1}, .port = 1, .family = 4};
    port->base.to = port->base.local;
    port->options = *options;
    port->random = options->seed;
    rc = allocate(port);
    if (rc != 0) {
        loop_close(&port->base);
        return tl_port_blame(fault, rc, "%u slots of %u bytes", options->slots,
                             options->size_max);
    }
    *out = &port->base;
    return 0;
}
