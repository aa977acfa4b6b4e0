/* The ports of a listener polled in turn, and what they bring handed on. */
#define _GNU_SOURCE
#include "touchline/wire/moldudp64_listener.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define PORTS (TL_MOLDUDP64_HEARD_LINES + 1u)
#define BATCH 64u
#define DATAGRAM_MAX 9216u
#define DATAGRAMS_MOST 4096u /* at a time, so that a flood of rubbish ends a call, too */
#define MS_NS INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)

typedef struct source {
    tl_port *port;
    tl_port_datagram batch[BATCH]; /* those from `at` on have not been received */
    uint32_t at, count;
} source;

struct tl_moldudp64_listener {
    source sources[PORTS]; /* the lines, then the answers */
    uint32_t count;        /* of sources */
    uint32_t turn;         /* who is polled first, so that none keeps the others waiting */
    bool asks;
    tl_moldudp64_receiver receiver;
    void *memory;
    tl_moldudp64_arrival held; /* a loss or end that is told next; NOTHING: none is */
    int64_t now_ns;
};

static int64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int open_port(tl_moldudp64_listener *listener, tl_port_options options,
                     tl_port_fault *fault)
{
    options.batch = BATCH;
    options.size_max = DATAGRAM_MAX;
    return tl_port_udp_open(&listener->sources[listener->count++].port, &options, fault);
}

static int open_parts(tl_moldudp64_listener *listener, const tl_moldudp64_listener_config *config,
                      tl_port_fault *fault)
{
    const size_t bytes = tl_moldudp64_receiver_bytes(&config->receiver);
    int rc = 0;
    if (bytes == 0)
        return -EINVAL;
    listener->memory = malloc(bytes);
    if (listener->memory == NULL)
        return -ENOMEM;
    tl_moldudp64_receiver_open(&listener->receiver, &config->receiver, listener->memory,
                               config->session, config->next);
    for (uint32_t i = 0; i < config->lines && rc == 0; i++)
        rc = open_port(listener, config->line[i], fault);
    if (rc != 0 || config->requests == NULL)
        return rc;
    listener->asks = true;
    const bool six = config->requests[0] == '[';
    const tl_port_options answers = {.local = six ? "[::]:0" : "0.0.0.0:0",
                                     .to = config->requests,
                                     .connected = true, /* nobody else may answer */
                                     .tuning = config->line[0].tuning};
    return open_port(listener, answers, fault);
}

int tl_moldudp64_listener_open(tl_moldudp64_listener **out,
                               const tl_moldudp64_listener_config *config, tl_port_fault *fault)
{
    *out = NULL;
    if (config->lines == 0 || config->lines > TL_MOLDUDP64_HEARD_LINES)
        return -EINVAL;
    tl_moldudp64_listener *listener = calloc(1, sizeof *listener);
    if (listener == NULL)
        return -ENOMEM;
    const int rc = open_parts(listener, config, fault);
    if (rc != 0)
        tl_moldudp64_listener_close(listener);
    else
        *out = listener;
    return rc;
}

void tl_moldudp64_listener_close(tl_moldudp64_listener *listener)
{
    if (listener == NULL)
        return;
    for (uint32_t i = 0; i < PORTS; i++)
        if (listener->sources[i].port != NULL)
            tl_port_close(listener->sources[i].port);
    free(listener->memory);
    free(listener);
}

/* A message behind those that are there. */
static void write_message(const tl_moldudp64_arrival *arrival, uint8_t *out,
                          tl_moldudp64_heard *heard)
{
    if (heard->kind == TL_MOLDUDP64_NOTHING)
        heard->first = arrival->number;
    heard->kind = TL_MOLDUDP64_MESSAGE;
    heard->last = arrival->number;
    tl_put_u16(out + heard->size, (uint16_t)arrival->size);
    memcpy(out + heard->size + 2, arrival->bytes, arrival->size);
    heard->size += 2 + arrival->size;
}

/* What the receiver has in order: true when no more may follow in what is heard. */
static bool take_arrived(tl_moldudp64_listener *listener, uint8_t *out, size_t room,
                         tl_moldudp64_heard *heard)
{
    tl_moldudp64_arrival arrival = listener->held;
    for (;;) {
        if (arrival.kind == TL_MOLDUDP64_NOTHING) {
            if (room - heard->size < TL_MOLDUDP64_HEARD_ROOM)
                return true;
            tl_moldudp64_arrived(&listener->receiver, listener->now_ns, &arrival);
        }
        if (arrival.kind == TL_MOLDUDP64_NOTHING)
            return false;
        if (arrival.kind != TL_MOLDUDP64_MESSAGE)
            break;
        write_message(&arrival, out, heard);
        arrival.kind = TL_MOLDUDP64_NOTHING;
    }
    if (heard->kind == TL_MOLDUDP64_MESSAGE) {
        listener->held = arrival;
        return true;
    }
    listener->held.kind = TL_MOLDUDP64_NOTHING;
    heard->kind = arrival.kind;
    heard->first = arrival.number;
    heard->last = arrival.last;
    return true;
}

/* A datagram that waits, else a batch of those that came: 1, 0 when there is none, -errno. */
static int next_datagram(tl_moldudp64_listener *listener, uint32_t *line)
{
    for (uint32_t i = 0; i < listener->count; i++)
        if (listener->sources[i].at < listener->sources[i].count) {
            *line = i;
            return 1;
        }
    for (uint32_t i = 0; i < listener->count; i++) {
        *line = (listener->turn + i) % listener->count;
        source *from = &listener->sources[*line];
        const int got = tl_port_poll(from->port, from->batch, BATCH, 0);
        if (got < 0 && got != -EAGAIN && got != -EINTR && got != -ECONNREFUSED)
            return got;
        from->at = 0;
        from->count = got > 0 ? (uint32_t)got : 0;
        if (got <= 0)
            continue;
        listener->turn = *line + 1;
        return 1;
    }
    return 0;
}

/* All that is there and fits: 1 when that is enough, 0 when no more is there, -errno. */
static int hear_all(tl_moldudp64_listener *listener, uint8_t *out, size_t room,
                    tl_moldudp64_heard *heard)
{
    for (uint32_t i = 0; i < DATAGRAMS_MOST; i++) {
        uint32_t line;
        if (take_arrived(listener, out, room, heard))
            return 1;
        const int found = next_datagram(listener, &line);
        if (found <= 0)
            return found;
        source *from = &listener->sources[line];
        const tl_port_datagram *datagram = &from->batch[from->at++];
        (void)tl_moldudp64_receive(&listener->receiver, line, datagram->bytes, datagram->size,
                                   listener->now_ns); /* counted by its fault */
    }
    (void)take_arrived(listener, out, room, heard);
    return 1;
}

/* A request, when one is due: one that is lost is sent again. */
static void ask(tl_moldudp64_listener *listener)
{
    uint8_t request[TL_MOLDUDP64_HEAD];
    const tl_port_packet packet = {.bytes = request, .size = sizeof request};
    if (tl_moldudp64_receiver_due(&listener->receiver, listener->now_ns, request) &&
        listener->asks)
        (void)tl_port_send(listener->sources[listener->count - 1].port, &packet, 1);
}

/* Until something comes, is due, or so late: 0 or -errno. */
static int await(tl_moldudp64_listener *listener, int64_t until_ns)
{
    struct pollfd polled[PORTS];
    const int64_t due_ns = tl_moldudp64_receiver_due_ns(&listener->receiver);
    int64_t wait_ns = (due_ns < until_ns ? due_ns : until_ns) - listener->now_ns;
    if (wait_ns <= 0)
        return 0;
    for (uint32_t i = 0; i < listener->count; i++)
        polled[i] = (struct pollfd){.fd = tl_port_fd(listener->sources[i].port), .events = POLLIN};
    const struct timespec wait = {.tv_sec = wait_ns / SECOND_NS, .tv_nsec = wait_ns % SECOND_NS};
    return ppoll(polled, listener->count, &wait, NULL) < 0 && errno != EINTR ? -errno : 0;
}

int tl_moldudp64_hear(tl_moldudp64_listener *listener, uint8_t *out, size_t room, int timeout_ms,
                      tl_moldudp64_heard *heard)
{
    *heard = (tl_moldudp64_heard){.kind = TL_MOLDUDP64_NOTHING};
    if (room < TL_MOLDUDP64_HEARD_ROOM)
        return -EINVAL;
    const int64_t until_ns = clock_ns(CLOCK_MONOTONIC) + timeout_ms * MS_NS;
    for (;;) {
        listener->now_ns = clock_ns(CLOCK_MONOTONIC);
        ask(listener);
        const int rc = hear_all(listener, out, room, heard);
        if (rc != 0 || heard->kind != TL_MOLDUDP64_NOTHING || listener->now_ns >= until_ns) {
            heard->utc_ns = clock_ns(CLOCK_REALTIME);
            return rc < 0 && heard->kind == TL_MOLDUDP64_NOTHING ? rc : 0;
        }
        const int waited = await(listener, until_ns);
        if (waited != 0)
            return waited;
    }
}

const tl_moldudp64_receiver *tl_moldudp64_listener_receiver(const tl_moldudp64_listener *listener)
{
    return &listener->receiver;
}

uint64_t tl_moldudp64_listener_dropped(tl_moldudp64_listener *listener, uint32_t line)
{
    return line < listener->count ? tl_port_counted(listener->sources[line].port).lost : 0;
}
