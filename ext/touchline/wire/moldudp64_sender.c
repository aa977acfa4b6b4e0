/* Messages paced, packed and sent on the lines; requests answered out of the history. */
#define _GNU_SOURCE
#include "touchline/wire/moldudp64_sender.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 64u
#define MS_NS INT64_C(1000000)
#define SECOND_NS INT64_C(1000000000)
#define END_NS (100 * MS_NS) /* between two ends of the session */
#define LATE_NS MS_NS
#define NAP_NS MS_NS         /* while a line takes no more */

struct tl_moldudp64_sender {
    tl_moldudp64_sender_config config;
    tl_port *lines[TL_MOLDUDP64_SENT_LINES];
    tl_port *requests;
    tl_moldudp64_history history;
    tl_moldudp64_server server;
    uint8_t *packets, *answers; /* BATCH of packet_max bytes each */
    uint64_t *places;
    uint8_t *bytes;
    bool begun;
    uint64_t begun_time;  /* of the first message, and when it was sent */
    int64_t begun_ns;
    double turn_ns;       /* when the next message may go by the bound on messages a second */
    int64_t now_ns, told_ns; /* something was told */
    tl_moldudp64_sender_status status;
};

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int open_ports(tl_moldudp64_sender *sender, tl_port_fault *fault)
{
    const tl_moldudp64_sender_config *config = &sender->config;
    int rc = 0;
    for (uint32_t i = 0; i < config->lines && rc == 0; i++) {
        tl_port_options options = config->line[i];
        if (options.local == NULL)
            options.local = options.to != NULL && options.to[0] == '[' ? "[::]:0" : "0.0.0.0:0";
        options.batch = BATCH;
        options.size_max = (uint32_t)config->packet_max;
        rc = tl_port_udp_open(&sender->lines[i], &options, fault);
    }
    if (rc != 0 || config->requests == NULL)
        return rc;
    const tl_port_options options = {.local = config->requests,
                                     .batch = BATCH,
                                     .size_max = (uint32_t)config->packet_max};
    return tl_port_udp_open(&sender->requests, &options, fault);
}

static int open_parts(tl_moldudp64_sender *sender, tl_port_fault *fault)
{
    const tl_moldudp64_sender_config *config = &sender->config;
    sender->packets = malloc(BATCH * config->packet_max);
    sender->answers = malloc(BATCH * config->packet_max);
    sender->places = malloc(config->messages_max * sizeof *sender->places);
    sender->bytes = malloc(config->bytes_max);
    if (sender->packets == NULL || sender->answers == NULL || sender->places == NULL ||
        sender->bytes == NULL)
        return -ENOMEM;
    if (!tl_moldudp64_history_open(&sender->history, sender->places, config->messages_max,
                                   sender->bytes, config->bytes_max, config->next))
        return -EINVAL;
    sender->server = (tl_moldudp64_server){.source = tl_moldudp64_history_source,
                                           .context = &sender->history,
                                           .per_s = config->answers_per_s,
                                           .burst = config->answers_per_s};
    memcpy(sender->server.session, config->session, sizeof sender->server.session);
    return open_ports(sender, fault);
}

int tl_moldudp64_sender_open(tl_moldudp64_sender **out, const tl_moldudp64_sender_config *config,
                             tl_port_fault *fault)
{
    *out = NULL;
    if (config->lines == 0 || config->lines > TL_MOLDUDP64_SENT_LINES || config->next == 0 ||
        config->packet_max < TL_MOLDUDP64_HEAD + 64 || config->packet_max > UINT16_MAX ||
        !(config->speed >= 0) || config->messages_max > UINT64_C(1) << 32 ||
        config->bytes_max > UINT64_C(1) << 40)
        return -EINVAL;
    tl_moldudp64_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL)
        return -ENOMEM;
    sender->config = *config;
    const int rc = open_parts(sender, fault);
    if (rc != 0)
        tl_moldudp64_sender_close(sender);
    else
        *out = sender;
    return rc;
}

void tl_moldudp64_sender_close(tl_moldudp64_sender *sender)
{
    if (sender == NULL)
        return;
    for (uint32_t i = 0; i < TL_MOLDUDP64_SENT_LINES; i++)
        if (sender->lines[i] != NULL)
            tl_port_close(sender->lines[i]);
    if (sender->requests != NULL)
        tl_port_close(sender->requests);
    free(sender->packets);
    free(sender->answers);
    free(sender->places);
    free(sender->bytes);
    free(sender);
}

/* Requests */

static void answer(tl_moldudp64_sender *sender)
{
    tl_port_datagram requests[BATCH];
    tl_port_packet answers[BATCH];
    uint32_t count = 0;
    if (sender->requests == NULL)
        return;
    const int got = tl_port_poll(sender->requests, requests, BATCH, 0);
    for (int i = 0; i < got; i++) {
        size_t size;
        uint8_t *out = sender->answers + count * sender->config.packet_max;
        sender->status.requests++;
        const tl_moldudp64_fault fault = tl_moldudp64_answer(
            &sender->server, requests[i].bytes, requests[i].size, sender->history.next - 1,
            sender->now_ns, out, sender->config.packet_max, &size);
        if (fault == TL_MOLDUDP64_FAULT_NONE)
            answers[count++] = (tl_port_packet){
                .bytes = out, .size = (uint32_t)size, .to = &requests[i].from};
    }
    for (uint32_t at = 0; at < count;) {
        const int sent = tl_port_send(sender->requests, answers + at, count - at);
        if (sent == -EAGAIN || sent == -ENOBUFS || sent == 0)
            break; /* they are asked for again */
        at += sent < 0 ? 1 : (uint32_t)sent;
        sender->status.answered += sent < 0 ? 0 : (uint64_t)sent;
    }
}

/* Asleep until then, or until somebody asks. */
static void sleep_until(tl_moldudp64_sender *sender, int64_t until_ns)
{
    struct pollfd polled = {.fd = -1, .events = POLLIN};
    const int64_t wait_ns = until_ns - sender->now_ns;
    if (sender->requests != NULL)
        polled.fd = tl_port_fd(sender->requests);
    if (wait_ns > 0) {
        const struct timespec wait = {wait_ns / SECOND_NS, wait_ns % SECOND_NS};
        (void)ppoll(&polled, 1, &wait, NULL);
    }
    sender->now_ns = monotonic_ns();
    answer(sender);
}

/* Lines */

/* Every packet on every line. One that takes no more now is waited for; one that fails loses it. */
static void send_all(tl_moldudp64_sender *sender, const tl_port_packet *packets, uint32_t count)
{
    for (uint32_t i = 0; i < sender->config.lines; i++)
        for (uint32_t at = 0; at < count;) {
            const int sent = tl_port_send(sender->lines[i], packets + at, count - at);
            if (sent == -EAGAIN || sent == -ENOBUFS || sent == 0) {
                sleep_until(sender, sender->now_ns + NAP_NS);
                continue;
            }
            sender->status.lost[i] += sent < 0;
            sender->status.packets += sent < 0 ? 0 : (uint64_t)sent;
            at += sent < 0 ? 1 : (uint32_t)sent;
        }
    sender->told_ns = sender->now_ns;
}

static void tell_bare(tl_moldudp64_sender *sender, uint16_t count)
{
    uint8_t head[TL_MOLDUDP64_HEAD];
    const tl_port_packet packet = {.bytes = head, .size = sizeof head};
    tl_moldudp64_bare(head, sender->config.session, sender->history.next, count);
    send_all(sender, &packet, 1);
}

/* Pace */

static uint64_t time_of(const tl_moldudp64_sender *sender, const uint8_t *block)
{
    const size_t at = sender->config.time_at;
    return tl_get_u16(block) < at + 6 ? 0 : tl_get_u48(block + 2 + at);
}

/* When a message is to go: by its time, and by when the one before it went. */
static int64_t due_ns(tl_moldudp64_sender *sender, const uint8_t *block)
{
    const uint64_t time = time_of(sender, block);
    if (!sender->begun) {
        sender->begun = true;
        sender->begun_time = time;
        sender->begun_ns = sender->now_ns;
    }
    double due = (double)sender->begun_ns;
    if (sender->config.speed > 0 && time > sender->begun_time)
        due += (double)(time - sender->begun_time) / sender->config.speed;
    due = sender->turn_ns > due ? sender->turn_ns : due;
    return due > 9e18 ? INT64_MAX : (int64_t)due;
}

/* One has gone. Who was late may make up for a little of it. */
static void take_turn(tl_moldudp64_sender *sender)
{
    const double late_ns = (double)(sender->now_ns - LATE_NS);
    if (sender->config.per_s == 0)
        return;
    sender->turn_ns = sender->turn_ns > late_ns ? sender->turn_ns : late_ns;
    sender->turn_ns += 1e9 / (double)sender->config.per_s;
}

/* One packet of what is due: its bytes of `blocks`. 0: none is due; *due says when. */
static size_t pack_one(tl_moldudp64_sender *sender, uint8_t *out, const uint8_t *blocks,
                       size_t size, uint64_t number, size_t *packet_size, int64_t *due)
{
    tl_moldudp64_builder builder;
    tl_moldudp64_begin(&builder, out, sender->config.packet_max, sender->config.session, number);
    size_t at = 0;
    while (size - at >= 2) {
        const size_t block = 2u + tl_get_u16(blocks + at);
        if (block > size - at)
            break;
        *due = due_ns(sender, blocks + at);
        if (*due > sender->now_ns)
            break;
        uint8_t *message = tl_moldudp64_add(&builder, block - 2);
        if (message == NULL)
            break;
        memcpy(message, blocks + at + 2, block - 2);
        take_turn(sender);
        at += block;
    }
    *packet_size = tl_moldudp64_finish(&builder);
    return at;
}

/* What is due now, up to a batch: its bytes. */
static size_t send_due(tl_moldudp64_sender *sender, const uint8_t *blocks, size_t size,
                       int64_t *due)
{
    tl_port_packet packets[BATCH];
    uint32_t count = 0;
    size_t at = 0;
    *due = 0;
    while (count < BATCH && at < size) {
        uint8_t *out = sender->packets + count * sender->config.packet_max;
        size_t packet_size;
        const uint64_t number = sender->history.next;
        const size_t taken =
            pack_one(sender, out, blocks + at, size - at, number, &packet_size, due);
        if (taken == 0)
            break;
        packets[count++] = (tl_port_packet){.bytes = out, .size = (uint32_t)packet_size};
        tl_moldudp64_history_add(&sender->history, blocks + at, taken);
        sender->status.messages += sender->history.next - number;
        at += taken;
    }
    if (count != 0)
        send_all(sender, packets, count);
    return at;
}

int tl_moldudp64_sender_send(tl_moldudp64_sender *sender, const uint8_t *blocks, size_t size,
                             int timeout_ms, size_t *used)
{
    sender->now_ns = monotonic_ns();
    const int64_t until_ns = sender->now_ns + timeout_ms * MS_NS;
    *used = 0;
    while (size - *used >= 2 && sender->now_ns <= until_ns) {
        int64_t due;
        const size_t block = 2u + tl_get_u16(blocks + *used);
        if (block > size - *used)
            break;
        if (block > sender->config.packet_max - TL_MOLDUDP64_HEAD)
            return -EMSGSIZE;
        const size_t sent = send_due(sender, blocks + *used, size - *used, &due);
        *used += sent;
        if (sender->now_ns - sender->told_ns >= SECOND_NS)
            tell_bare(sender, TL_MOLDUDP64_HEARTBEAT);
        if (sent == 0) {
            const int64_t beat_ns = sender->told_ns + SECOND_NS;
            const int64_t next_ns = due < beat_ns ? due : beat_ns;
            sleep_until(sender, next_ns < until_ns ? next_ns : until_ns + 1);
        } else {
            sender->now_ns = monotonic_ns();
            answer(sender);
        }
    }
    return 0;
}

int tl_moldudp64_sender_serve(tl_moldudp64_sender *sender, bool ended, int timeout_ms)
{
    sender->now_ns = monotonic_ns();
    const int64_t until_ns = sender->now_ns + timeout_ms * MS_NS;
    const int64_t every_ns = ended ? END_NS : SECOND_NS;
    while (sender->now_ns < until_ns) {
        if (sender->now_ns - sender->told_ns >= every_ns)
            tell_bare(sender, ended ? TL_MOLDUDP64_END : TL_MOLDUDP64_HEARTBEAT);
        const int64_t next_ns = sender->told_ns + every_ns;
        sleep_until(sender, next_ns < until_ns ? next_ns : until_ns);
    }
    return 0;
}

tl_moldudp64_sender_status tl_moldudp64_sender_now(const tl_moldudp64_sender *sender)
{
    return sender->status;
}

const tl_port_address *tl_moldudp64_sender_requests(const tl_moldudp64_sender *sender)
{
    return sender->requests == NULL ? NULL : tl_port_local(sender->requests);
}
