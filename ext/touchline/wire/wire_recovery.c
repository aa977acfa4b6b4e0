/* The loop of recovery: requests, snapshots' connections, a slice of the feed followed. */
#define _GNU_SOURCE
#include "touchline/wire/wire_recovery.h"

#include "touchline/wire/moldudp64.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)
#define REQUESTS 64u           /* at a time */
#define ASKERS 1024u           /* a power of two: addresses that are remembered */
#define SNAPSHOTS 4u           /* kept at a time, while somebody reads them */
#define FOLLOW_MOST 8192u      /* messages of the feed in a round */
#define BEHIND_MOST 65536u     /* of which a snapshot still waits for the last */
#define SLICE 4096u            /* steps of a snapshot in a round */
#define SLEEP_MS 100
#define BEHIND_MS 2            /* while a stream waits for its peer */
#define SPOOL_STEP (UINT64_C(4) << 20)
#define RECEIVE_MAX 4096u
#define SEND_MAX (256u << 10)
#define NEWCOMERS_MAX 16u
#define GLIMPSE_A_USER 2u
#define PAYLOAD_MAX 128u

typedef struct asker {
    tl_moldudp64_server server;
} asker;

typedef struct snapshot {
    tl_spool spool;
    uint32_t readers;
    int64_t made_ns; /* when it was asked for; 0: there is none */
    uint64_t wanted; /* it has the feed's messages up to this one at least */
} snapshot;

struct tl_wire_recovery {
    tl_wire_recovery_config config;
    const tl_wire_feed *feed;
    tl_wire_door *door;
    tl_port *requests;
    tl_wire_peers peers;
    bool peers_made;
    tl_glimpse *glimpse;
    snapshot snapshots[SNAPSHOTS];
    snapshot *making; /* not whole yet; NULL: none */
    bool telling;     /* and told in part */
    asker *askers;
    uint64_t key; /* of their places, so that nobody can choose his neighbours */
    uint8_t *packets; /* REQUESTS of packet_max bytes */
    int epoll_fd, wake_fd;
    int64_t now_ns;
    atomic_bool stop;
    _Atomic(uint64_t) rounds, came, answered, too_fast, malformed, made, steps;
};

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_NS + now.tv_nsec;
}

static void more(_Atomic(uint64_t) *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Requests */

static size_t message_of(void *context, uint64_t number, uint8_t *out, size_t room)
{
    size_t size;
    const uint8_t *block = tl_spool_message(context, number, &size);
    if (size - 2 > room)
        return SIZE_MAX;
    memcpy(out, block + 2, size - 2);
    return size - 2;
}

/* Who asks, with what it may still ask for. Who shares a place shares that, so that no forged
 * address gives another's back; of IPv6 the network asks. */
static asker *asker_of(tl_wire_recovery *recovery, const tl_port_address *from)
{
    uint64_t hash = recovery->key;
    const size_t width = from->family == 6 ? 8 : 4;
    for (size_t i = 0; i < width; i++)
        hash = (hash ^ from->ip[i]) * UINT64_C(0x100000001b3);
    asker *found = &recovery->askers[(hash >> 32) & (ASKERS - 1)];
    if (found->server.source != NULL)
        return found;
    *found = (asker){.server = {.source = message_of,
                                .context = (void *)(uintptr_t)tl_wire_feed_spool(recovery->feed),
                                .per_s = recovery->config.requests_per_s,
                                .burst = recovery->config.requests_per_s,
                                .last_ns = recovery->now_ns}};
    memcpy(found->server.session, tl_wire_feed_session(recovery->feed),
           sizeof found->server.session);
    return found;
}

static void count_refusal(tl_wire_recovery *recovery, tl_moldudp64_fault fault)
{
    more(fault == TL_MOLDUDP64_FAULT_RATE ? &recovery->too_fast : &recovery->malformed);
}

/* Answers are in the order of their requests; those that the system does not take are lost, and
 * asked for again. */
static int answer_requests(tl_wire_recovery *recovery)
{
    tl_port_datagram requests[REQUESTS];
    tl_port_packet answers[REQUESTS];
    uint32_t count = 0;
    if (recovery->requests == NULL)
        return 0;
    const int got = tl_port_poll(recovery->requests, requests, REQUESTS, 0);
    const uint64_t newest = tl_spool_counted(tl_wire_feed_spool(recovery->feed));
    for (int i = 0; i < got; i++) {
        size_t size;
        uint8_t *out = recovery->packets + count * recovery->config.packet_max;
        asker *from = asker_of(recovery, &requests[i].from);
        more(&recovery->came);
        const tl_moldudp64_fault fault =
            tl_moldudp64_answer(&from->server, requests[i].bytes, requests[i].size, newest,
                                recovery->now_ns, out, recovery->config.packet_max, &size);
        if (fault != TL_MOLDUDP64_FAULT_NONE) {
            count_refusal(recovery, fault);
            continue;
        }
        answers[count++] = (tl_port_packet){
            .bytes = out, .size = (uint32_t)size, .to = &requests[i].from};
    }
    for (uint32_t at = 0; at < count;) {
        const int sent = tl_port_send(recovery->requests, answers + at, count - at);
        if (sent == -EAGAIN || sent == -ENOBUFS || sent == 0)
            break;
        at += sent < 0 ? 1 : (uint32_t)sent;
        atomic_fetch_add_explicit(&recovery->answered, sent < 0 ? 0 : (uint64_t)sent,
                                  memory_order_relaxed);
    }
    return got;
}

/* Snapshots */

static snapshot *newest(tl_wire_recovery *recovery)
{
    snapshot *found = NULL;
    for (uint32_t i = 0; i < SNAPSHOTS; i++) {
        snapshot *one = &recovery->snapshots[i];
        if (one->made_ns != 0 && (found == NULL || one->made_ns > found->made_ns))
            found = one;
    }
    return found;
}

static snapshot *unread(tl_wire_recovery *recovery)
{
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        if (recovery->snapshots[i].readers == 0 && &recovery->snapshots[i] != recovery->making)
            return &recovery->snapshots[i];
    return NULL;
}

static void let_go(snapshot *one)
{
    if (one->made_ns != 0)
        tl_spool_close(&one->spool);
    one->made_ns = 0;
}

/* One that is young or in the making, a new one, or, while all that can be kept are read, the
 * youngest: it says itself where it ends, and what follows can be asked for. NULL: it could not be
 * begun. */
static snapshot *snapshot_now(tl_wire_recovery *recovery)
{
    snapshot *found = newest(recovery), *fresh = unread(recovery);
    const uint64_t wanted = tl_spool_counted(tl_wire_feed_spool(recovery->feed));
    if (recovery->making != NULL)
        return recovery->making;
    if (found != NULL && (fresh == NULL || recovery->now_ns - found->made_ns < SECOND_NS))
        return found;
    /* After a start it has a long way to go, a stretch each round: until then the last one, or
     * none. */
    if (tl_glimpse_number(recovery->glimpse) + BEHIND_MOST < wanted)
        return found;
    let_go(fresh);
    if (tl_spool_open(&fresh->spool, recovery->config.directory, recovery->config.spool_bytes_max,
                      SPOOL_STEP) != 0) {
        tl_spool_close(&fresh->spool);
        return NULL;
    }
    fresh->made_ns = recovery->now_ns;
    fresh->wanted = wanted;
    recovery->making = fresh;
    return fresh;
}

/* Its readers have more to read: of a whole one to its end, of one that failed no more. */
static void tell_readers(tl_wire_recovery *recovery, const snapshot *of, int more)
{
    for (uint32_t i = 0; i < recovery->peers.slots_used; i++) {
        tl_wire_peer *peer = &recovery->peers.peers[i];
        if (!peer->open || peer->stream != &of->spool)
            continue;
        if (more < 0) {
            tl_wire_peers_drop(&recovery->peers, peer);
            continue;
        }
        if (more == 0)
            peer->last = tl_spool_counted(&of->spool);
        tl_wire_peers_touch(&recovery->peers, peer);
    }
}

/* A slice of the snapshot in the making, or of the feed until it can begin. 0 or -errno. */
static int make(tl_wire_recovery *recovery)
{
    snapshot *made = recovery->making;
    int rc = 0;
    if (!recovery->telling)
        rc = tl_glimpse_follow(recovery->glimpse, tl_wire_feed_spool(recovery->feed), FOLLOW_MOST);
    if (rc != 0 || made == NULL ||
        (!recovery->telling && tl_glimpse_number(recovery->glimpse) < made->wanted))
        return rc;
    if (!recovery->telling)
        rc = tl_glimpse_tell(recovery->glimpse, &made->spool);
    if (rc == 0) {
        rc = tl_glimpse_go_on(recovery->glimpse, SLICE);
        atomic_store_explicit(&recovery->steps, tl_glimpse_steps(recovery->glimpse),
                              memory_order_relaxed);
    }
    recovery->telling = rc > 0;
    tell_readers(recovery, made, rc);
    if (rc > 0)
        return 0;
    recovery->making = NULL;
    if (rc == 0)
        more(&recovery->made);
    else
        let_go(made);
    return 0;
}

/* Each login has a snapshot to itself, from its first message on. */
static const tl_spool *seat(void *context, tl_wire_peer *peer, uint32_t session)
{
    tl_wire_recovery *recovery = context;
    uint32_t all = 0, own = 0;
    for (uint32_t i = 0; i < recovery->peers.slots_used; i++) {
        const tl_wire_peer *one = &recovery->peers.peers[i];
        all += one->open && one->session != TL_WIRE_NOBODY;
        own += one->open && one->session == session;
    }
    if (peer->login.number > 1 || own >= GLIMPSE_A_USER || all >= recovery->config.glimpse_max)
        return NULL;
    snapshot *found = snapshot_now(recovery);
    if (found == NULL)
        return NULL;
    peer->login.number = 1;
    peer->last = found == recovery->making ? UINT64_MAX : tl_spool_counted(&found->spool);
    found->readers++;
    return &found->spool;
}

static void left(void *context, tl_wire_peer *peer)
{
    tl_wire_recovery *recovery = context;
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        if (peer->stream == &recovery->snapshots[i].spool)
            recovery->snapshots[i].readers--;
}

static tl_wire_taken message(void *context, tl_wire_peer *peer, const uint8_t *bytes, size_t size)
{
    (void)context;
    (void)peer;
    (void)bytes;
    (void)size;
    return TL_WIRE_BROKEN; /* there is nothing to be said here */
}

/* Opening */

static int open_requests(tl_wire_recovery *recovery, tl_port_fault *fault)
{
    const tl_port_options options = {.local = recovery->config.request_local,
                                     .batch = REQUESTS,
                                     .size_max = recovery->config.packet_max};
    if (getrandom(&recovery->key, sizeof recovery->key, 0) != sizeof recovery->key)
        return -EIO;
    recovery->askers = calloc(ASKERS, sizeof *recovery->askers);
    recovery->packets = calloc(REQUESTS, recovery->config.packet_max);
    if (recovery->askers == NULL || recovery->packets == NULL)
        return -ENOMEM;
    return tl_port_udp_open(&recovery->requests, &options, fault);
}

static int open_glimpse(tl_wire_recovery *recovery, tl_port_fault *fault)
{
    const tl_wire_recovery_config *from = &recovery->config;
    tl_wire_peers_config config = {.tcp = {.local = from->glimpse_local,
                                           .connections_max = from->glimpse_max + 2 * NEWCOMERS_MAX,
                                           .receive_max = RECEIVE_MAX,
                                           .send_max = SEND_MAX},
                                   .soupbin = {.heartbeat_ns = TL_SOUPBIN_HEARTBEAT_NS,
                                               .silence_ns = TL_SOUPBIN_SILENCE_NS,
                                               .login_ns = from->login_ns,
                                               .payload_max = PAYLOAD_MAX},
                                   .loop = TL_WIRE_RECOVERY,
                                   .newcomers_max = NEWCOMERS_MAX,
                                   .stay_ns = from->stay_ns};
    const tl_wire_hooks hooks = {
        .context = recovery, .message = message, .seat = seat, .left = left};
    memcpy(config.session, tl_wire_feed_session(recovery->feed), 10);
    recovery->peers_made = true;
    const int rc = tl_glimpse_open(&recovery->glimpse, from->stocks_max, from->orders_max);
    return rc != 0 ? rc
                   : tl_wire_peers_open(&recovery->peers, &config, &hooks, recovery->door, fault);
}

static int watch(tl_wire_recovery *recovery, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    return epoll_ctl(recovery->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_parts(tl_wire_recovery *recovery, tl_port_fault *fault)
{
    int rc = 0;
    recovery->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    recovery->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (recovery->epoll_fd < 0 || recovery->wake_fd < 0)
        return -errno;
    rc = watch(recovery, recovery->wake_fd, EPOLLIN | EPOLLET);
    if (rc == 0 && recovery->config.request_local != NULL)
        rc = open_requests(recovery, fault);
    if (rc == 0 && recovery->requests != NULL)
        rc = watch(recovery, tl_port_fd(recovery->requests), EPOLLIN);
    if (rc == 0 && recovery->config.glimpse_local != NULL)
        rc = open_glimpse(recovery, fault);
    if (rc == 0 && recovery->peers_made)
        rc = watch(recovery, tl_tcp_fd(recovery->peers.tcp), EPOLLIN);
    return rc;
}

int tl_wire_recovery_open(tl_wire_recovery **out, const tl_wire_recovery_config *config,
                          const tl_wire_feed *feed, tl_wire_door *door, tl_port_fault *fault)
{
    *out = NULL;
    tl_wire_recovery *recovery = calloc(1, sizeof *recovery);
    if (recovery == NULL)
        return -ENOMEM;
    recovery->config = *config;
    recovery->feed = feed;
    recovery->door = door;
    recovery->epoll_fd = recovery->wake_fd = -1;
    const int rc = open_parts(recovery, fault);
    if (rc != 0) {
        tl_wire_recovery_close(recovery);
        return rc;
    }
    door->wake_fd[TL_WIRE_RECOVERY] = recovery->wake_fd;
    *out = recovery;
    return 0;
}

void tl_wire_recovery_close(tl_wire_recovery *recovery)
{
    if (recovery == NULL)
        return;
    recovery->door->wake_fd[TL_WIRE_RECOVERY] = -1;
    if (recovery->peers_made)
        tl_wire_peers_close(&recovery->peers);
    if (recovery->requests != NULL)
        tl_port_close(recovery->requests);
    for (uint32_t i = 0; i < SNAPSHOTS; i++)
        let_go(&recovery->snapshots[i]);
    tl_glimpse_close(recovery->glimpse);
    if (recovery->epoll_fd >= 0)
        close(recovery->epoll_fd);
    if (recovery->wake_fd >= 0)
        close(recovery->wake_fd);
    free(recovery->askers);
    free(recovery->packets);
    free(recovery);
}

/* The loop */

static int work(tl_wire_recovery *recovery)
{
    const int requests = answer_requests(recovery);
    if (requests < 0)
        return requests;
    if (!recovery->peers_made)
        return requests;
    const int got = tl_wire_peers_round(&recovery->peers, recovery->now_ns, 0);
    if (got < 0)
        return got;
    const int rc = make(recovery);
    if (rc != 0)
        return rc;
    tl_wire_peers_write(&recovery->peers);
    const bool behind = tl_glimpse_number(recovery->glimpse) + FOLLOW_MOST <=
                        tl_spool_counted(tl_wire_feed_spool(recovery->feed));
    return requests + got + behind + (recovery->making != NULL) + recovery->peers.hungry;
}

int tl_wire_recovery_round(tl_wire_recovery *recovery)
{
    recovery->now_ns = monotonic_ns();
    const int done = work(recovery);
    more(&recovery->rounds);
    return done;
}

int tl_wire_recovery_run(tl_wire_recovery *recovery)
{
    struct epoll_event events[4];
    while (!atomic_load_explicit(&recovery->stop, memory_order_relaxed)) {
        const int done = tl_wire_recovery_round(recovery);
        if (done < 0)
            return done;
        if (done > 0)
            continue;
        const bool behind = recovery->peers_made && tl_wire_peers_behind(&recovery->peers);
        (void)epoll_wait(recovery->epoll_fd, events, 4, behind ? BEHIND_MS : SLEEP_MS);
    }
    return 0;
}

void tl_wire_recovery_stop(tl_wire_recovery *recovery)
{
    const uint64_t one = 1;
    atomic_store(&recovery->stop, true);
    if (write(recovery->wake_fd, &one, sizeof one) < 0)
        return; /* the counter is full: it is awake */
}

static uint64_t now(const _Atomic(uint64_t) *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void tl_wire_recovery_status_read(const tl_wire_recovery *recovery, tl_wire_recovery_status *out)
{
    *out = (tl_wire_recovery_status){.rounds = now(&recovery->rounds),
                                     .requests = now(&recovery->came),
                                     .answered = now(&recovery->answered),
                                     .too_fast = now(&recovery->too_fast),
                                     .malformed = now(&recovery->malformed),
                                     .snapshots = now(&recovery->made),
                                     .steps = now(&recovery->steps),
                                     .logins = now(&recovery->peers.accepted),
                                     .refused = now(&recovery->peers.refused)};
}

const tl_port_address *tl_wire_recovery_requests(const tl_wire_recovery *recovery)
{
    return recovery->requests == NULL ? NULL : tl_port_local(recovery->requests);
}

const tl_port_address *tl_wire_recovery_glimpse(const tl_wire_recovery *recovery)
{
    return recovery->peers_made ? tl_tcp_local(recovery->peers.tcp) : NULL;
}
