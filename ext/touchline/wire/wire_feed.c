/* The feed's loop. A round: events into the spool, the spool into packets, a heartbeat if due. */
#define _GNU_SOURCE
#include "touchline/wire/wire_feed.h"

#include "touchline/wire/moldudp64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
#define NAP_NS INT64_C(200000000) /* asleep no longer, so that a stop is heard */
#define BLOCKED_NS INT64_C(200000) /* a line that took nothing is tried again after so long */
#define NAMES_NS INT64_C(1000000)
#define PACKETS_MAX 64u
#define BATCHES_A_ROUND 4u /* of events, before what they gave is sent */
#define SPOOL_STEP (UINT64_C(8) << 20)

typedef struct line {
    tl_port *port;
    uint64_t next; /* the message that it sends next */
    int64_t sent_ns;
    _Atomic(uint64_t) lost;
} line;

struct tl_wire_feed {
    tl_wire_feed_config config;
    const tl_bus *bus;
    tl_wire_door *door;
    tl_itch_feed *itch;
    tl_spool spool;
    tl_wire_events events;
    line lines[TL_WIRE_LINES_MAX];
    uint8_t *packets; /* PACKETS_MAX of packet_max bytes */
    pthread_mutex_t names; /* held while the feed reads events or names */
    bool names_made;
    int64_t now_ns;
    uint64_t told; /* the last event in the spool */
    const char *fault;
    atomic_bool stop, wants_names;
    _Atomic(uint64_t) rounds, event, sent, unshown;
};

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static int open_lines(tl_wire_feed *feed, tl_port_fault *fault)
{
    int rc = 0;
    for (uint32_t i = 0; i < feed->config.lines && rc == 0; i++) {
        tl_port_options options = feed->config.line[i];
        if (options.local == NULL)
            options.local = options.to != NULL && options.to[0] == '[' ? "[::]:0" : "0.0.0.0:0";
        options.batch = PACKETS_MAX;
        options.size_max = feed->config.packet_max;
        rc = tl_port_udp_open(&feed->lines[i].port, &options, fault);
    }
    return rc;
}

static int open_parts(tl_wire_feed *feed, tl_port_fault *fault)
{
    const tl_wire_feed_config *config = &feed->config;
    feed->packets = calloc(PACKETS_MAX, config->packet_max);
    if (feed->packets == NULL)
        return -ENOMEM;
    int rc = pthread_mutex_init(&feed->names, NULL);
    feed->names_made = rc == 0;
    if (rc == 0)
        rc = tl_itch_feed_open(&feed->itch, &config->itch);
    if (rc == 0)
        rc = tl_spool_open(&feed->spool, config->directory, config->spool_bytes_max, SPOOL_STEP);
    if (rc == 0)
        rc = tl_wire_events_open(&feed->events, feed->bus, feed->door, config->spin);
    return rc == 0 ? open_lines(feed, fault) : rc;
}

int tl_wire_feed_open(tl_wire_feed **out, const tl_wire_feed_config *config, const tl_bus *bus,
                      tl_wire_door *door, tl_port_fault *fault)
{
    *out = NULL;
    if (config->lines > TL_WIRE_LINES_MAX || config->packet_max > TL_WIRE_PACKET_MAX ||
        config->packet_max < TL_MOLDUDP64_HEAD + 2 + TL_ITCH_BYTES_MAX)
        return -EINVAL;
    tl_wire_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return -ENOMEM;
    feed->config = *config;
    feed->bus = bus;
    feed->door = door;
    feed->spool.fd = -1;
    const int rc = open_parts(feed, fault);
    if (rc != 0)
        tl_wire_feed_close(feed);
    else
        *out = feed;
    return rc;
}

void tl_wire_feed_close(tl_wire_feed *feed)
{
    if (feed == NULL)
        return;
    for (uint32_t i = 0; i < TL_WIRE_LINES_MAX; i++)
        if (feed->lines[i].port != NULL)
            tl_port_close(feed->lines[i].port);
    tl_wire_events_close(&feed->events);
    tl_spool_close(&feed->spool);
    tl_itch_feed_close(feed->itch);
    if (feed->names_made)
        pthread_mutex_destroy(&feed->names);
    free(feed->packets);
    free(feed);
}

static int failed(tl_wire_feed *feed, int error, const char *why)
{
    feed->fault = why;
    return error;
}

/* Events into the spool: how many were taken, or -errno. Fewer than `count`: names are wanted. */
static int64_t tell(tl_wire_feed *feed, const tl_event *events, size_t count)
{
    tl_itch_feed_stop stop = TL_ITCH_FEED_STOP_FULL;
    size_t done = 0;
    while (done < count && stop == TL_ITCH_FEED_STOP_FULL) {
        tl_itch_blocks blocks;
        done += tl_itch_feed_apply(feed->itch, events + done, count - done, &blocks, &stop);
        const int rc = tl_spool_blocks(&feed->spool, blocks.bytes, blocks.size, blocks.count);
        if (rc != 0)
            return failed(feed, rc, rc == -EFBIG ? "the spool is full: wire.spool_mb_max"
                                                 : "the spool could not be written");
        if (stop == TL_ITCH_FEED_STOP_EVENT)
            return failed(feed, -EBADMSG, tl_itch_feed_stop_text(feed->itch, stop));
    }
    if (done > 0)
        feed->told = events[done - 1].seq;
    return (int64_t)done;
}

/* Others see the messages first, and then which event was the last. */
static void publish(tl_wire_feed *feed)
{
    tl_spool_count(&feed->spool);
    atomic_store_explicit(&feed->event, feed->told, memory_order_release);
}

int tl_wire_feed_replay(tl_wire_feed *feed, const tl_command *commands, size_t commands_count,
                        const tl_event *events, size_t events_count)
{
    const int rc = tl_wire_feed_names(feed, commands, commands_count);
    if (rc != 0)
        return rc;
    const int64_t done = tell(feed, events, events_count);
    publish(feed);
    if (done < 0)
        return (int)done;
    return (size_t)done == events_count
               ? 0
               : failed(feed, -EBADMSG, "the journal lists an instrument that it does not name");
}

int tl_wire_feed_names(tl_wire_feed *feed, const tl_command *commands, size_t count)
{
    int rc = 0;
    pthread_mutex_lock(&feed->names);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = tl_itch_feed_command(feed->itch, &commands[i]);
    atomic_store(&feed->wants_names, false);
    pthread_mutex_unlock(&feed->names);
    return rc;
}

/* The loop */

static int read_events(tl_wire_feed *feed)
{
    int64_t done = 0;
    for (uint32_t i = 0; i < BATCHES_A_ROUND && done >= 0; i++) {
        const tl_event *batch;
        const int64_t count = tl_wire_events_look(&feed->events, &batch);
        if (count <= 0) {
            done = count;
            break;
        }
        pthread_mutex_lock(&feed->names);
        done = tell(feed, batch, (size_t)count);
        if (done >= 0 && done < count)
            atomic_store(&feed->wants_names, true);
        pthread_mutex_unlock(&feed->names);
        if (done < 0)
            break;
        tl_wire_events_take(&feed->events, (size_t)done);
        if (done < count) {
            tl_wire_door_ring(feed->door);
            break;
        }
    }
    publish(feed);
    return done < 0 ? (int)done : 0;
}

/* Packets of what this line has not sent, at most a batch: how many. */
static uint32_t pack(tl_wire_feed *feed, uint64_t from, uint64_t last,
                     tl_port_packet packets[PACKETS_MAX], uint64_t ends[PACKETS_MAX])
{
    const size_t room = feed->config.packet_max;
    uint32_t count = 0;
    for (; count < PACKETS_MAX && from <= last; count++) {
        uint8_t *out = feed->packets + count * room;
        const uint8_t *messages;
        size_t size;
        const uint64_t run = tl_spool_run(&feed->spool, from, last, room - TL_MOLDUDP64_HEAD,
                                          TL_MOLDUDP64_COUNT_MAX, &messages, &size);
        tl_moldudp64_bare(out, feed->config.session, from, (uint16_t)run);
        memcpy(out + TL_MOLDUDP64_HEAD, messages, size);
        packets[count] =
            (tl_port_packet){.bytes = out, .size = (uint32_t)(TL_MOLDUDP64_HEAD + size)};
        from += run;
        ends[count] = from;
    }
    return count;
}

/* Everything that it takes now. A packet that the system refuses is lost, and the next is tried. */
static void send_line(tl_wire_feed *feed, line *to)
{
    tl_port_packet packets[PACKETS_MAX];
    uint64_t ends[PACKETS_MAX];
    const uint64_t last = tl_spool_counted(&feed->spool);
    while (to->next <= last) {
        const uint32_t count = pack(feed, to->next, last, packets, ends);
        for (uint32_t at = 0; at < count;) {
            const int sent = tl_port_send(to->port, packets + at, count - at);
            if (sent == -EAGAIN || sent == -ENOBUFS || sent == 0)
                return;
            const uint32_t gone = sent < 0 ? 1 : (uint32_t)sent;
            if (sent < 0)
                atomic_fetch_add_explicit(&to->lost, 1, memory_order_relaxed);
            else
                atomic_fetch_add_explicit(&feed->sent, gone, memory_order_relaxed);
            at += gone;
            to->next = ends[at - 1];
            to->sent_ns = feed->now_ns;
        }
    }
}

static void beat(tl_wire_feed *feed, line *to)
{
    uint8_t head[TL_MOLDUDP64_HEAD];
    const tl_port_packet packet = {.bytes = head, .size = sizeof head};
    if (feed->now_ns - to->sent_ns < SECOND_NS)
        return;
    to->sent_ns = feed->now_ns;
    tl_moldudp64_bare(head, feed->config.session, to->next, TL_MOLDUDP64_HEARTBEAT);
    (void)tl_port_send(to->port, &packet, 1); /* one that is lost is followed by another */
}

static bool all_sent(const tl_wire_feed *feed)
{
    for (uint32_t i = 0; i < feed->config.lines; i++)
        if (feed->lines[i].next <= tl_spool_counted(&feed->spool))
            return false;
    return true;
}

static void nap(int64_t ns)
{
    const struct timespec time = {.tv_nsec = ns};
    nanosleep(&time, NULL);
}

static void wait_for_work(tl_wire_feed *feed)
{
    if (atomic_load_explicit(&feed->wants_names, memory_order_relaxed) ||
        tl_wire_events_lapped(&feed->events) != 0) {
        nap(NAMES_NS);
        return;
    }
    if (feed->config.spin || !tl_wire_events_idle(&feed->events))
        return;
    if (all_sent(feed))
        (void)tl_event_reader_wait(&feed->events.reader, NAP_NS);
    else
        nap(BLOCKED_NS);
}

int tl_wire_feed_run(tl_wire_feed *feed, uint64_t next)
{
    int rc = 0;
    feed->events.reader.next = next;
    for (uint32_t i = 0; i < feed->config.lines; i++)
        feed->lines[i].next = tl_spool_counted(&feed->spool) + 1;
    while (rc == 0 && !atomic_load_explicit(&feed->stop, memory_order_relaxed)) {
        feed->now_ns = monotonic_ns();
        rc = read_events(feed);
        for (uint32_t i = 0; i < feed->config.lines; i++) {
            send_line(feed, &feed->lines[i]);
            beat(feed, &feed->lines[i]);
        }
        atomic_store_explicit(&feed->unshown, tl_itch_feed_unshown(feed->itch),
                              memory_order_relaxed);
        atomic_fetch_add_explicit(&feed->rounds, 1, memory_order_relaxed);
        if (rc == 0)
            wait_for_work(feed);
    }
    return rc;
}

void tl_wire_feed_stop(tl_wire_feed *feed)
{
    atomic_store(&feed->stop, true);
    tl_doorbell_wake(&feed->bus->header->readers);
}

bool tl_wire_feed_wants_names(const tl_wire_feed *feed)
{
    return atomic_load(&feed->wants_names);
}

tl_wire_events *tl_wire_feed_events(tl_wire_feed *feed)
{
    return &feed->events;
}

const tl_spool *tl_wire_feed_spool(const tl_wire_feed *feed)
{
    return &feed->spool;
}

const char *tl_wire_feed_session(const tl_wire_feed *feed)
{
    return feed->config.session;
}

const tl_stock *tl_wire_feed_stock(tl_wire_feed *feed, uint16_t instrument, tl_stock_fault *fault)
{
    return tl_itch_feed_stock(feed->itch, instrument, fault);
}

const char *tl_wire_feed_fault(const tl_wire_feed *feed)
{
    return feed->fault;
}

void tl_wire_feed_status_read(const tl_wire_feed *feed, tl_wire_feed_status *out)
{
    /* Acquire: and before the messages are counted, so that those of this event are among them. */
    const uint64_t event = atomic_load_explicit(&feed->event, memory_order_acquire);
    *out = (tl_wire_feed_status){
        .rounds = atomic_load_explicit(&feed->rounds, memory_order_relaxed),
        .event = event,
        .messages = tl_spool_counted(&feed->spool),
        .packets = atomic_load_explicit(&feed->sent, memory_order_relaxed),
        .unshown = atomic_load_explicit(&feed->unshown, memory_order_relaxed),
    };
    for (uint32_t i = 0; i < TL_WIRE_LINES_MAX; i++)
        out->lost[i] = atomic_load_explicit(&feed->lines[i].lost, memory_order_relaxed);
}
