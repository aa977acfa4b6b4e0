/* The loop of order entry. A round: sockets and their requests, the lane, events, orders of who has
 * left, writes. */
#define _GNU_SOURCE
#include "touchline/wire/wire_orders_state.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

#define READS_A_ROUND 4     /* batches of events */
#define SPIN_NS 30000       /* a request's event is waited for so long without sleeping */
#define LOOKS 256           /* at the event ring, between two looks at the sockets */
#define ROUNDS_A_YIELD 64   /* others may ask the engine, too */
#define SLEEP_MS 100
#define HELD_MS 1           /* who has to wait is tried again this often, come what may */
#define NAMES_NS 1000000    /* and so is who waits for names */
#define LEAVE_NS (2 * TL_WIRE_SECOND_NS)

static int64_t time_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * TL_WIRE_SECOND_NS + now.tv_nsec;
}

static int64_t monotonic_ns(void)
{
    return time_ns(CLOCK_MONOTONIC);
}

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void tl_wire_orders_count(tl_wire_orders *orders)
{
    for (uint32_t i = 0; i < orders->touched_count; i++) {
        tl_wire_seat *seat = &orders->seats[orders->touched[i]];
        seat->touched = false;
        tl_spool_count(&seat->spool);
        if (seat->peer != NULL)
            tl_wire_peers_touch(&orders->peers, seat->peer);
    }
    orders->touched_count = 0;
}

static void report_events(tl_wire_orders *orders)
{
    for (int i = 0; i < READS_A_ROUND && orders->failure == 0; i++) {
        const tl_event *batch;
        const int64_t count = tl_wire_events_look(&orders->events, &batch);
        if (count < 0)
            orders->failure = (int)count;
        if (count <= 0)
            break;
        const int rc = tl_ouch_desk_events(orders->desk, batch, (size_t)count);
        if (rc != 0 && orders->failure == 0)
            orders->failure = rc;
        atomic_store_explicit(&orders->event, batch[count - 1].seq, memory_order_relaxed);
        tl_wire_events_take(&orders->events, (size_t)count);
    }
    tl_wire_orders_count(orders);
    if (tl_ouch_desk_wants_names(orders->desk) && !atomic_exchange(&orders->wants_names, true))
        tl_wire_door_ring(orders->door);
}

/* Orders of sessions whose peers have left. */
static void take_off(tl_wire_orders *orders)
{
    for (uint32_t i = 0; orders->leaving_count > 0 && i < orders->config.desk.sessions_max; i++) {
        tl_wire_seat *seat = &orders->seats[i];
        if (!seat->leaving || seat->cancel_ns > orders->now_ns ||
            tl_ouch_desk_pending(orders->desk, i) > 0)
            continue;
        const int rc = tl_ouch_desk_leave(orders->desk, i, &seat->cancel_at);
        if (rc < 0 && rc != -EAGAIN && orders->failure == 0)
            orders->failure = rc;
        if (rc != 0)
            continue;
        seat->leaving = false;
        orders->leaving_count--;
    }
    tl_wire_orders_flush(orders);
}

static void show(tl_wire_orders *orders)
{
    for (uint32_t i = 0; i < orders->peers.slots_used; i++) {
        const tl_wire_peer *peer = &orders->peers.peers[i];
        if (peer->open && peer->session != TL_WIRE_NOBODY)
            atomic_store_explicit(&orders->seats[peer->session].next, peer->end.next,
                                  memory_order_relaxed);
    }
}

/* Waiting */

/* Does the engine still have something of ours, sent so lately that it is worth to wait awake? */
static bool answer_is_near(const tl_wire_orders *orders)
{
    return tl_lane_journaled(orders->lane) != tl_lane_sent(orders->lane) &&
           orders->now_ns - orders->sent_ns < SPIN_NS;
}

/* For a microsecond; not awake where the engine needs this processor for what is asked of it. */
static void look_at_the_ring(tl_wire_orders *orders)
{
    const bool asked = answer_is_near(orders);
    const uint64_t round = atomic_load_explicit(&orders->rounds, memory_order_relaxed);
    if (tl_bus_engine_is_here(orders->bus->header, asked) &&
        (asked || round % ROUNDS_A_YIELD == 0) && tl_wire_events_idle(&orders->events))
        sched_yield();
    for (int i = 0; asked && i < LOOKS && tl_wire_events_idle(&orders->events); i++)
        relax();
}

/* Wait until there is something to do; false: it is an answer of the engine that was waited for. */
static bool wait_for_work(tl_wire_orders *orders)
{
    if (atomic_load_explicit(&orders->wants_names, memory_order_relaxed)) {
        const struct timespec nap = {.tv_nsec = NAMES_NS};
        nanosleep(&nap, NULL);
        return true;
    }
    if (!tl_wire_peers_idle(&orders->peers) || tl_wire_events_lapped(&orders->events) != 0)
        return true;
    if (orders->config.spin || answer_is_near(orders)) {
        look_at_the_ring(orders);
        return tl_wire_events_idle(&orders->events);
    }
    const bool hurry = tl_wire_peers_held(&orders->peers) || orders->leaving_count > 0;
    show(orders);
    if (!tl_wire_events_idle(&orders->events) ||
        !tl_bell_sleep(&orders->bell, &orders->events.reader))
        return true;
    const int rc = tl_tcp_wait(orders->peers.tcp, hurry ? HELD_MS : SLEEP_MS);
    if (rc < 0 && orders->failure == 0)
        orders->failure = rc;
    tl_bell_awake(&orders->bell);
    return true;
}

/* Requests that are followed: whose answer is written, and whose has gone. */
static void follow(tl_wire_orders *orders)
{
    tl_wire_peers *peers = &orders->peers;
    const tl_port_fact *stamps = tl_port_fact_named(tl_tcp_what_was_got(peers->tcp), "stamps");
    if (stamps == NULL || stamps->got == TL_PORT_UNSTAMPED)
        return;
    atomic_store_explicit(&orders->stamps_got, stamps->got, memory_order_relaxed);
    for (uint32_t i = 0; i < peers->slots_used; i++) {
        const tl_wire_peer *peer = &peers->peers[i];
        if (!peer->open || peer->session == TL_WIRE_NOBODY)
            continue;
        tl_wire_sample *sample = &orders->seats[peer->session].sample;
        tl_wire_stamps_answered(sample, tl_ouch_desk_answered(orders->desk, peer->session));
        if (!peer->dirty)
            tl_wire_stamps_written(sample, peers->tcp, peer->conn);
        tl_wire_stamps_fetch(peers->stamps, sample, peers->tcp, peer->conn);
    }
}

static void take_requests(tl_wire_orders *orders)
{
    orders->now_ns = monotonic_ns();
    orders->utc_ns = time_ns(CLOCK_REALTIME);
    const int rc = tl_wire_peers_round(&orders->peers, orders->now_ns, 0);
    if (rc < 0 && orders->failure == 0)
        orders->failure = rc;
    tl_wire_orders_flush(orders);
}

/* An answer that somebody waits for is given before the sockets are looked at, which comes next. */
static void go_round(tl_wire_orders *orders, bool sockets)
{
    pthread_mutex_lock(&orders->names);
    if (sockets)
        take_requests(orders);
    report_events(orders);
    if (orders->leaving_count > 0)
        take_off(orders);
    tl_wire_peers_write(&orders->peers);
    if (orders->peers.stamps != NULL)
        follow(orders);
    if ((atomic_fetch_add_explicit(&orders->rounds, 1, memory_order_relaxed) & 63) == 0)
        show(orders);
    pthread_mutex_unlock(&orders->names);
}

/* Told to stop: what is under way is answered, and then everybody is sent off. */
static void leave(tl_wire_orders *orders)
{
    const int64_t until = monotonic_ns() + LEAVE_NS;
    const struct timespec nap = {.tv_nsec = NAMES_NS};
    orders->peers.now_ns = monotonic_ns();
    while (orders->failure == 0 && monotonic_ns() < until &&
           (tl_lane_journaled(orders->lane) != tl_lane_sent(orders->lane) ||
            !tl_wire_events_idle(&orders->events) || tl_wire_peers_behind(&orders->peers))) {
        report_events(orders);
        tl_wire_peers_write(&orders->peers);
        nanosleep(&nap, NULL);
    }
    tl_wire_peers_end(&orders->peers);
}

/* Whoever was here when the loop before this one ended has been disconnected. */
static void left_before(tl_wire_orders *orders)
{
    for (uint32_t i = 0; i < orders->config.desk.sessions_max; i++) {
        tl_wire_seat *seat = &orders->seats[i];
        if ((seat->cancel_on & TL_WIRE_CANCEL_ON_DISCONNECT) == 0 || seat->spool.fd < 0)
            continue;
        seat->leaving = true;
        seat->cancel_ns = orders->now_ns + seat->cancel_grace_ns;
        orders->leaving_count++;
    }
}

int tl_wire_orders_run(tl_wire_orders *orders, uint64_t next)
{
    orders->events.reader.next = next;
    orders->now_ns = monotonic_ns();
    left_before(orders);
    bool sockets = true;
    while (orders->failure == 0 && !atomic_load_explicit(&orders->stop, memory_order_relaxed)) {
        go_round(orders, sockets);
        if (orders->failure == 0)
            sockets = wait_for_work(orders) || !sockets;
    }
    leave(orders);
    return orders->failure;
}

/* From any thread */

void tl_wire_orders_stop(tl_wire_orders *orders)
{
    atomic_store(&orders->stop, true);
    tl_bell_wake(&orders->bell);
}

bool tl_wire_orders_wants_names(const tl_wire_orders *orders)
{
    return atomic_load(&orders->wants_names);
}

int tl_wire_orders_names(tl_wire_orders *orders, const tl_command *commands, size_t count)
{
    int rc = 0;
    pthread_mutex_lock(&orders->names);
    for (size_t i = 0; i < count && rc == 0; i++)
        if (commands[i].type == TL_MSG_TYPE_TEXT)
            rc = tl_ouch_desk_name(orders->desk, &commands[i]);
    tl_ouch_desk_named(orders->desk);
    atomic_store(&orders->wants_names, false);
    pthread_mutex_unlock(&orders->names);
    return rc;
}

tl_wire_events *tl_wire_orders_events(tl_wire_orders *orders)
{
    return &orders->events;
}

const tl_port_address *tl_wire_orders_address(const tl_wire_orders *orders)
{
    return tl_tcp_local(orders->peers.tcp);
}

const char *tl_wire_orders_fault(const tl_wire_orders *orders)
{
    return orders->fault;
}

static uint64_t now(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void tl_wire_orders_status_read(const tl_wire_orders *orders, tl_wire_orders_status *out)
{
    *out = (tl_wire_orders_status){.rounds = now(&orders->rounds),
                                   .event = now(&orders->event),
                                   .seated = now(&orders->peers.seated),
                                   .logins = now(&orders->peers.accepted),
                                   .refused = now(&orders->peers.refused),
                                   .faults = now(&orders->peers.faults),
                                   .received = now(&orders->peers.received),
                                   .passed = now(&orders->passed),
                                   .sent = now(&orders->peers.sent)};
}

int64_t tl_wire_orders_latency(const tl_wire_orders *orders, tl_latency_told *received,
                               tl_latency_told *answered)
{
    tl_latency_tell(&orders->stamps.received, received);
    tl_latency_tell(&orders->stamps.answered, answered);
    return atomic_load_explicit(&orders->stamps_got, memory_order_relaxed);
}

bool tl_wire_orders_session_status(const tl_wire_orders *orders, uint32_t session,
                                   tl_wire_session_status *out)
{
    if (session >= orders->config.desk.sessions_max || orders->seats[session].spool.fd < 0)
        return false;
    const tl_wire_seat *seat = &orders->seats[session];
    *out = (tl_wire_session_status){.on = atomic_load(&seat->on),
                                    .count = tl_spool_counted(&seat->spool),
                                    .next = now(&seat->next),
                                    .received = now(&seat->received)};
    return true;
}
