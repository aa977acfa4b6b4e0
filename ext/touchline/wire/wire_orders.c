/* Order entry opened and closed, and what its desk and its peers ask of it. */
#define _GNU_SOURCE
#include "touchline/wire/wire_orders_state.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define IDS_AT_ONCE 256u
#define RECEIVE_MAX 65536u
#define SEND_MAX (512u << 10)
#define MESSAGE_MAX 1024u /* of OUCH: the longest and every appendage are below */
#define DIRECT_MAX 8u
#define SPOOL_STEP (UINT64_C(256) << 10)

static int failed(tl_wire_orders *orders, int error, const char *why)
{
    if (orders->failure == 0) {
        orders->failure = error;
        orders->fault = why;
    }
    return error;
}

/* What the desk asks */

static int send_message(void *context, uint32_t session, uint64_t number, const uint8_t *message,
                        size_t size)
{
    tl_wire_orders *orders = context;
    tl_wire_seat *seat = &orders->seats[session];
    int error = 0;
    if (seat->spool.fd < 0)
        return 0; /* it is configured no more: nobody can ask for its stream */
    if (seat->full)
        return 0;
    assert(number == seat->spool.put + 1);
    uint8_t *room = tl_spool_room(&seat->spool, TL_SOUPBIN_HEAD + size, &error);
    if (room == NULL && error == -EFBIG) { /* wire.session_spool_mb_max: nobody else's trouble */
        seat->full = true;
        if (seat->peer != NULL)
            tl_wire_peers_drop(&orders->peers, seat->peer);
        return 0;
    }
    if (room == NULL)
        return failed(orders, error, "the spool of a session could not be written");
    memcpy(tl_soupbin_head(room, TL_SOUPBIN_SEQUENCED, size), message, size);
    tl_spool_put(&seat->spool, TL_SOUPBIN_HEAD + size);
    if (!seat->touched) {
        seat->touched = true;
        orders->touched[orders->touched_count++] = session;
    }
    return 0;
}

/* Room that the lane has beyond what is staged. How far the engine is lies in a line that it
 * writes, and is read again only when what was free then is used up. */
static bool lane_has_room(tl_wire_orders *orders, uint32_t count)
{
    const tl_lane *lane = orders->lane;
    if (orders->lane_room < count) {
        const uint64_t waiting = tl_lane_sent(lane) - tl_lane_journaled(lane);
        orders->lane_room = lane->mask + 1 - waiting - orders->staged_count;
    }
    return orders->lane_room >= count;
}

void tl_wire_orders_flush(tl_wire_orders *orders)
{
    size_t sent;
    if (orders->staged_count == 0)
        return;
    const int rc = tl_lane_send(orders->lane, orders->staged, orders->staged_count, 0, &sent);
    if (rc != 0)
        failed(orders, rc, "the engine takes no more commands");
    orders->staged_count = 0;
    orders->sent_ns = orders->now_ns;
}

static int submit(void *context, const tl_command *commands, uint32_t count)
{
    tl_wire_orders *orders = context;
    if (orders->failure != 0)
        return orders->failure;
    if (orders->staged_count + count > TL_LANE_CHUNK)
        tl_wire_orders_flush(orders);
    if (orders->failure != 0)
        return orders->failure;
    if (!lane_has_room(orders, count))
        return -EAGAIN;
    memcpy(orders->staged + orders->staged_count, commands, count * sizeof *commands);
    orders->staged_count += count;
    orders->lane_room -= count;
    return 0;
}

static uint64_t number(void *context)
{
    tl_wire_orders *orders = context;
    if (orders->ids == orders->ids_end) {
        orders->ids = tl_lane_ids(orders->lane, IDS_AT_ONCE);
        orders->ids_end = orders->ids + (orders->ids == 0 ? 0 : IDS_AT_ONCE);
        if (orders->ids == 0) {
            failed(orders, -ENOSPC, "the lane has no numbers left");
            return 0;
        }
    }
    return orders->ids++;
}

/* What the peers ask */

/* May one more of its messages be taken now? A second's worth at once, and then evenly. */
static bool throttled(tl_wire_orders *orders, tl_wire_seat *seat)
{
    if (seat->message_ns == 0)
        return false;
    if (seat->used_ns < orders->now_ns)
        seat->used_ns = orders->now_ns;
    return seat->used_ns + seat->message_ns > orders->now_ns + TL_WIRE_SECOND_NS;
}

/* Of the requests that the desk takes, those whose UserRefNum is their own. */
static bool has_number(const uint8_t *request)
{
    return memchr("OUCDE", request[0], 5) != NULL;
}

static tl_wire_taken take_message(void *context, tl_wire_peer *peer, const uint8_t *bytes,
                                  size_t size)
{
    tl_wire_orders *orders = context;
    tl_wire_seat *seat = &orders->seats[peer->session];
    const char *why;
    if (seat->leaving || throttled(orders, seat) || orders->failure != 0)
        return TL_WIRE_LATER;
    switch (tl_ouch_desk_request(orders->desk, peer->session, bytes, size, orders->utc_ns, &why)) {
    case TL_OUCH_PASSED:
        tl_wire_count(&orders->passed, 1);
        break;
    case TL_OUCH_LATER:
        return TL_WIRE_LATER;
    case TL_OUCH_FAILED:
        failed(orders, tl_ouch_desk_error(orders->desk), "a request could not be handed on");
        return TL_WIRE_LATER;
    case TL_OUCH_TAKEN:
        break;
    }
    if (orders->peers.stamps != NULL && has_number(bytes))
        tl_wire_stamps_asked(&seat->sample, peer->rx_ns, tl_get_u32(bytes + 1));
    seat->used_ns += seat->message_ns;
    tl_wire_count(&seat->received, 1);
    return TL_WIRE_TAKEN;
}

/* Who logs in again takes the place of the connection that there was: it may be one that is dead
 * and does not know it yet. */
static const tl_spool *seat_peer(void *context, tl_wire_peer *peer, uint32_t session)
{
    tl_wire_orders *orders = context;
    if (session >= orders->config.desk.sessions_max || orders->seats[session].spool.fd < 0)
        return NULL;
    tl_wire_seat *seat = &orders->seats[session];
    const tl_soupbin_event *login = &peer->login;
    if (seat->full)
        return NULL;
    if ((login->session[0] != '\0' && strcmp(login->session, peer->end.session) != 0) ||
        login->number > tl_spool_counted(&seat->spool) + 1)
        return &seat->spool; /* it is refused for that, and nobody else's place is taken */
    if (seat->peer != NULL)
        tl_wire_peers_drop(&orders->peers, seat->peer);
    if (seat->leaving && seat->cancel_at == 0) {
        seat->leaving = false; /* within its time of grace: all stays as it is */
        orders->leaving_count--;
    }
    seat->peer = peer;
    seat->sample = (tl_wire_sample){0};
    atomic_store_explicit(&seat->on, true, memory_order_relaxed);
    return &seat->spool;
}

static void peer_left(void *context, tl_wire_peer *peer)
{
    tl_wire_orders *orders = context;
    tl_wire_seat *seat = &orders->seats[peer->session];
    const uint8_t how =
        peer->logged_out ? TL_WIRE_CANCEL_ON_LOGOUT : TL_WIRE_CANCEL_ON_DISCONNECT;
    if (seat->peer != peer)
        return;
    seat->peer = NULL;
    atomic_store_explicit(&seat->on, false, memory_order_relaxed);
    if ((seat->cancel_on & how) == 0 || seat->leaving)
        return;
    seat->leaving = true;
    seat->cancel_at = 0;
    seat->cancel_ns = orders->now_ns + seat->cancel_grace_ns;
    orders->leaving_count++;
}

/* Opening */

static int open_peers(tl_wire_orders *orders, tl_port_fault *fault)
{
    const tl_wire_orders_config *from = &orders->config;
    tl_wire_peers_config config = {
        .tcp = {.local = from->local,
                .connections_max = from->connections_max + 2 * from->newcomers_max,
                .receive_max = RECEIVE_MAX,
                .send_max = SEND_MAX,
                .direct_max = from->spin ? DIRECT_MAX : 0,
                .interface = from->interface,
                .tuning = from->tuning},
        .soupbin = {.heartbeat_ns = TL_SOUPBIN_HEARTBEAT_NS,
                    .silence_ns = TL_SOUPBIN_SILENCE_NS,
                    .login_ns = from->login_ns,
                    .payload_max = MESSAGE_MAX},
        .loop = TL_WIRE_ORDERS,
        .newcomers_max = from->newcomers_max};
    const tl_wire_hooks hooks = {
        .context = orders, .message = take_message, .seat = seat_peer, .left = peer_left};
    memcpy(config.session, from->session, sizeof config.session);
    orders->peers_made = true;
    const int rc = tl_wire_peers_open(&orders->peers, &config, &hooks, orders->door, fault);
    if (from->tuning.stamps != TL_PORT_UNSTAMPED)
        orders->peers.stamps = &orders->stamps;
    return rc;
}

static int open_parts(tl_wire_orders *orders, tl_port_fault *fault)
{
    const tl_ouch_desk_hooks hooks = {
        .context = orders, .send = send_message, .submit = submit, .number = number};
    const uint32_t sessions = orders->config.desk.sessions_max;
    orders->seats = calloc(sessions, sizeof *orders->seats);
    orders->touched = calloc(sessions, sizeof *orders->touched);
    if (orders->seats == NULL || orders->touched == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < sessions; i++)
        orders->seats[i].spool.fd = -1;
    int rc = pthread_mutex_init(&orders->names, NULL);
    orders->names_made = rc == 0;
    if (rc == 0)
        rc = tl_ouch_desk_open(&orders->desk, &orders->config.desk, &hooks);
    if (rc == 0)
        rc = tl_wire_events_open(&orders->events, orders->bus, orders->door, false);
    if (rc == 0)
        rc = open_peers(orders, fault);
    if (rc == 0)
        rc = tl_bell_open(&orders->bell, orders->bus, orders->lane->number);
    return rc == 0 ? tl_tcp_also(orders->peers.tcp, orders->bell.wake_fd) : rc;
}

int tl_wire_orders_open(tl_wire_orders **out, const tl_wire_orders_config *config,
                        const tl_bus *bus, tl_lane *lane, tl_wire_door *door,
                        tl_port_fault *fault)
{
    *out = NULL;
    tl_wire_orders *orders = calloc(1, sizeof *orders);
    if (orders == NULL)
        return -ENOMEM;
    orders->config = *config;
    orders->bus = bus;
    orders->lane = lane;
    orders->door = door;
    orders->bell.wake_fd = -1;
    const int rc = open_parts(orders, fault);
    if (rc != 0) {
        tl_wire_orders_close(orders);
        return rc;
    }
    door->wake_fd[TL_WIRE_ORDERS] = orders->bell.wake_fd;
    *out = orders;
    return 0;
}

void tl_wire_orders_close(tl_wire_orders *orders)
{
    if (orders == NULL)
        return;
    orders->door->wake_fd[TL_WIRE_ORDERS] = -1;
    if (orders->peers_made)
        tl_wire_peers_close(&orders->peers);
    tl_bell_close(&orders->bell);
    tl_wire_events_close(&orders->events);
    tl_ouch_desk_close(orders->desk);
    for (uint32_t i = 0; orders->seats != NULL && i < orders->config.desk.sessions_max; i++)
        tl_spool_close(&orders->seats[i].spool);
    if (orders->names_made)
        pthread_mutex_destroy(&orders->names);
    free(orders->seats);
    free(orders->touched);
    free(orders);
}

int tl_wire_orders_session(tl_wire_orders *orders, const tl_wire_terms *terms)
{
    if (terms->session >= orders->config.desk.sessions_max)
        return -EINVAL;
    tl_wire_seat *seat = &orders->seats[terms->session];
    if (seat->spool.fd >= 0)
        return -EEXIST;
    int rc = tl_ouch_desk_session(orders->desk, terms->session, terms->firms, terms->firms_count);
    if (rc == 0)
        rc = tl_spool_open(&seat->spool, orders->config.directory, orders->config.spool_bytes_max,
                           SPOOL_STEP);
    seat->cancel_on = terms->cancel_on;
    seat->cancel_grace_ns = terms->cancel_grace_ns;
    seat->message_ns = terms->throttle == 0 ? 0 : TL_WIRE_SECOND_NS / terms->throttle;
    return rc;
}

int tl_wire_orders_replay(tl_wire_orders *orders, const tl_command *commands,
                          size_t commands_count, const tl_event *events, size_t events_count)
{
    const int rc =
        tl_ouch_desk_replay(orders->desk, commands, commands_count, events, events_count);
    tl_wire_orders_count(orders);
    return rc;
}
