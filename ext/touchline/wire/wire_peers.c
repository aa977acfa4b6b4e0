/* Connections: begun, logged in, read, written, ended. */
#define _GNU_SOURCE
#include "touchline/wire/wire_peers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TCP_EVENTS 64u
#define MESSAGES_A_ROUND 256u /* of one peer */
#define WRITE_AT_ONCE 65536u
#define WRITE_A_ROUND (4 * WRITE_AT_ONCE) /* to one peer */
#define DUE_NS INT64_C(20000000) /* clocks are looked at so often */
#define PART_NS INT64_C(2000000000)
#define SLOT(conn) ((conn) & 0xFFFFu)

int tl_wire_peers_open(tl_wire_peers *peers, const tl_wire_peers_config *config,
                       const tl_wire_hooks *hooks, tl_wire_door *door, tl_port_fault *blame)
{
    const size_t slots = config->tcp.connections_max;
    memset(peers, 0, sizeof *peers);
    peers->config = *config;
    peers->hooks = *hooks;
    peers->door = door;
    peers->peers = calloc(slots, sizeof *peers->peers);
    peers->busy = calloc(3 * slots, sizeof *peers->busy);
    if (peers->peers == NULL || peers->busy == NULL)
        return -ENOMEM;
    peers->dirty = peers->busy + slots;
    peers->in_order = peers->dirty + slots;
    return tl_tcp_open(&peers->tcp, &config->tcp, blame);
}

void tl_wire_peers_close(tl_wire_peers *peers)
{
    if (peers->tcp != NULL)
        tl_tcp_close(peers->tcp);
    free(peers->peers);
    free(peers->busy);
    memset(peers, 0, sizeof *peers);
}


/* Coming and going */

static void not_new(tl_wire_peers *peers, const tl_wire_peer *peer)
{
    const uint32_t slot = SLOT(peer->conn);
    for (uint32_t i = 0; i < peers->newcomers; i++) {
        if (peers->in_order[i] != slot)
            continue;
        memmove(peers->in_order + i, peers->in_order + i + 1,
                (peers->newcomers - i - 1) * sizeof *peers->in_order);
        peers->newcomers--;
        return;
    }
}

/* The connection is closed; the slot is free but for the lists that it may stand in. */
static void forget(tl_wire_peers *peers, tl_wire_peer *peer)
{
    if (!peer->open)
        return;
    peer->open = false;
    peers->unasked -= peer->unasked;
    peer->unasked = false;
    if (peer->session == TL_WIRE_NOBODY) {
        not_new(peers, peer);
        return;
    }
    tl_wire_count(&peers->seated, UINT64_MAX); /* one less */
    peers->hooks.left(peers->hooks.context, peer);
}

void tl_wire_peers_drop(tl_wire_peers *peers, tl_wire_peer *peer)
{
    tl_tcp_drop(peers->tcp, peer->conn);
    forget(peers, peer);
}

/* All is said: what was put is still sent, and the other side has to go. */
static void part(tl_wire_peers *peers, tl_wire_peer *peer)
{
    tl_tcp_end(peers->tcp, peer->conn);
    forget(peers, peer);
    if (peers->parting >= peers->config.newcomers_max) { /* they would take all the places */
        tl_tcp_drop(peers->tcp, peer->conn);
        return;
    }
    peers->parting++;
    peer->parting_ns = peers->now_ns + PART_NS;
}

/* It is told why, and sent off. */
static void fault(tl_wire_peers *peers, tl_wire_peer *peer, const char *why)
{
    const size_t size = strlen(why);
    uint8_t *out = tl_tcp_room(peers->tcp, peer->conn, (uint32_t)(TL_SOUPBIN_HEAD + size));
    tl_wire_count(&peers->faults, 1);
    if (out != NULL) {
        memcpy(tl_soupbin_head(out, TL_SOUPBIN_DEBUG, size), why, size);
        tl_tcp_put(peers->tcp, peer->conn, (uint32_t)(TL_SOUPBIN_HEAD + size));
    }
    part(peers, peer);
}

static void opened(tl_wire_peers *peers, uint32_t conn)
{
    tl_wire_peer *peer = &peers->peers[SLOT(conn)];
    if (peers->newcomers == peers->config.newcomers_max) {
        tl_wire_count(&peers->refused, 1);
        tl_wire_peers_drop(peers, &peers->peers[peers->in_order[0]]);
    }
    peers->parting -= peer->parting_ns != 0;
    *peer = (tl_wire_peer){.conn = conn,
                           .session = TL_WIRE_NOBODY,
                           .open = true,
                           .busy = peer->busy,
                           .dirty = peer->dirty,
                           .last = UINT64_MAX};
    tl_soupbin_server_open(&peer->end, &peers->config.soupbin, peers->config.session,
                           peers->now_ns);
    peers->in_order[peers->newcomers++] = SLOT(conn);
    if (SLOT(conn) >= peers->slots_used)
        peers->slots_used = SLOT(conn) + 1;
}

/* Logging in */

static void ask(tl_wire_peers *peers, tl_wire_peer *peer)
{
    tl_wire_question question = {.loop = peers->config.loop, .conn = peer->conn};
    char text[TL_PORT_ADDRESS_BYTES];
    const tl_port_address from = tl_tcp_peer(peers->tcp, peer->conn);
    /* "192.0.2.1:5000", "[2001:db8::1]:5000" */
    tl_port_address_text(&from, text);
    const size_t skip = text[0] == '[' ? 1 : 0;
    char *end = strrchr(text, skip ? ']' : ':');
    if (end != NULL)
        *end = '\0';
    snprintf(question.address, sizeof question.address, "%.63s", text + skip);
    question.port = from.port;
    memcpy(question.username, peer->login.username, sizeof question.username);
    memcpy(question.password, peer->login.password, sizeof question.password);
    const bool asked = tl_wire_door_ask(peers->door, &question);
    explicit_bzero(question.password, sizeof question.password);
    peers->unasked += !asked;
    peers->unasked -= peer->unasked;
    peer->unasked = !asked;
    if (asked)
        explicit_bzero(peer->login.password, sizeof peer->login.password);
}

static void answer(tl_wire_peers *peers, const tl_wire_answer *answer)
{
    uint8_t reply[TL_SOUPBIN_REPLY_MAX];
    size_t size;
    tl_wire_peer *peer = &peers->peers[SLOT(answer->conn)];
    if (!peer->open || peer->conn != answer->conn || peer->end.state != TL_SOUPBIN_ASKED)
        return;
    if (answer->session != TL_WIRE_NOBODY)
        peer->stream = peers->hooks.seat(peers->hooks.context, peer, answer->session);
    if (peer->stream == NULL) {
        size = tl_soupbin_server_reject(&peer->end, TL_SOUPBIN_NOT_AUTHORIZED, reply);
    } else {
        const uint64_t have = tl_spool_counted(peer->stream);
        not_new(peers, peer);
        peer->session = answer->session;
        peer->seated_ns = peers->now_ns;
        tl_wire_count(&peers->seated, 1);
        size = tl_soupbin_server_accept(&peer->end, &peer->login,
                                        peer->last < have ? peer->last : have, peers->now_ns,
                                        reply);
    }
    (void)tl_tcp_send(peers->tcp, peer->conn, reply, (uint32_t)size);
    if (peer->end.state != TL_SOUPBIN_OPEN) {
        tl_wire_count(&peers->refused, 1);
        part(peers, peer);
        return;
    }
    tl_wire_count(&peers->accepted, 1);
    tl_wire_peers_touch(peers, peer);
    if (!peer->busy) { /* what came behind the login has waited */
        peer->busy = true;
        peers->busy[peers->busy_count++] = SLOT(peer->conn);
    }
}

/* Reading */

/* One packet: false when no more is to be taken of this peer in this round. */
static bool packet(tl_wire_peers *peers, tl_wire_peer *peer, const uint8_t *bytes, size_t size,
                   size_t *used)
{
    tl_soupbin_event event;
    *used = 0;
    if (peer->end.state == TL_SOUPBIN_ASKED)
        return false;
    const size_t whole = tl_soupbin_server_take(&peer->end, bytes, size, peers->now_ns, &event);
    switch (event.kind) {
    case TL_SOUPBIN_EVENT_LOGIN:
        peer->login = event;
        explicit_bzero(event.password, sizeof event.password);
        *used = whole;
        ask(peers, peer);
        return false;
    case TL_SOUPBIN_EVENT_UNSEQUENCED:
        switch (peers->hooks.message(peers->hooks.context, peer, event.message,
                                     event.message_size)) {
        case TL_WIRE_TAKEN:
            *used = whole;
            tl_wire_count(&peers->received, 1);
            return true;
        case TL_WIRE_LATER:
            peers->held++;
            return false;
        case TL_WIRE_BROKEN:
            break;
        }
        fault(peers, peer, "there is nothing to be said here");
        return false;
    case TL_SOUPBIN_EVENT_LOGOUT:
        peer->logged_out = true;
        part(peers, peer);
        return false;
    case TL_SOUPBIN_EVENT_FAULT:
        fault(peers, peer, event.fault);
        return false;
    default:
        *used = whole;
        return whole != 0;
    }
}

/* Bytes of a peer. True: some whole packet may be left. */
static bool read_peer(tl_wire_peers *peers, tl_wire_peer *peer, const uint8_t *bytes, size_t size)
{
    const uint32_t conn = peer->conn;
    size_t taken = 0, used = 0;
    bool more = true;
    for (uint32_t i = 0; more && i < MESSAGES_A_ROUND; i++) {
        more = packet(peers, peer, bytes + taken, size - taken, &used);
        taken += used;
    }
    if (!peer->open)
        return false;
    tl_tcp_took(peers->tcp, conn, (uint32_t)taken);
    tl_soupbin_packet left;
    return peer->end.state == TL_SOUPBIN_OPEN &&
           tl_soupbin_find(bytes + taken, size - taken, peer->end.config.payload_max, &left) !=
               TL_SOUPBIN_PART;
}

static void read_and_queue(tl_wire_peers *peers, tl_wire_peer *peer, const uint8_t *bytes,
                           size_t size)
{
    if (!read_peer(peers, peer, bytes, size) || peer->busy)
        return;
    peer->busy = true;
    peers->busy[peers->busy_count++] = SLOT(peer->conn);
}

/* Those who had more than a round's share, or whose message had to wait. */
static void serve_busy(tl_wire_peers *peers)
{
    const uint32_t waiting = peers->busy_count;
    peers->busy_count = 0;
    for (uint32_t i = 0; i < waiting; i++) {
        tl_wire_peer *peer = &peers->peers[peers->busy[i]];
        const uint8_t *bytes;
        peer->busy = false;
        if (!peer->open)
            continue;
        const uint32_t size = tl_tcp_waiting(peers->tcp, peer->conn, &bytes);
        if (size > 0) /* the place in the list that it may take is one that was left */
            read_and_queue(peers, peer, bytes, size);
    }
}

/* Clocks */

static void serve_clocks(tl_wire_peers *peers)
{
    if (peers->now_ns < peers->due_ns)
        return;
    peers->due_ns = peers->now_ns + DUE_NS;
    for (uint32_t slot = 0; slot < peers->slots_used; slot++) {
        tl_wire_peer *peer = &peers->peers[slot];
        uint8_t reply[TL_SOUPBIN_REPLY_MAX];
        const char *why = NULL;
        if (peer->parting_ns != 0 && peer->parting_ns <= peers->now_ns) {
            tl_tcp_drop(peers->tcp, peer->conn);
            peer->parting_ns = 0;
            peers->parting--;
        }
        if (!peer->open)
            continue;
        if (peer->unasked)
            ask(peers, peer);
        if (peers->config.stay_ns != 0 && peer->session != TL_WIRE_NOBODY &&
            peers->now_ns - peer->seated_ns >= peers->config.stay_ns) {
            fault(peers, peer, "what was asked for took too long");
            continue;
        }
        if (tl_soupbin_due_ns(&peer->end) > peers->now_ns)
            continue;
        const size_t size = tl_soupbin_server_due(&peer->end, peers->now_ns, reply, &why);
        if (why != NULL) {
            fault(peers, peer, why);
        } else if (size > 0) { /* who reads nothing has enough to read */
            (void)tl_tcp_send(peers->tcp, peer->conn, reply, (uint32_t)size);
        }
    }
}

/* The other side has gone, before its time was up. */
static void parted(tl_wire_peers *peers, tl_wire_peer *peer, bool closed)
{
    if (!closed || peer->parting_ns == 0)
        return;
    peer->parting_ns = 0;
    peers->parting--;
}

/* Bytes that have come. Behind others that wait they are not told apart by their stamps. */
static void came(tl_wire_peers *peers, tl_wire_peer *peer, const tl_tcp_event *event)
{
    if (peers->stamps != NULL) {
        tl_wire_stamps_read(peers->stamps, event->rx_ns);
        peer->rx_ns = peer->busy ? 0 : event->rx_ns;
    }
    if (!peer->busy)
        read_and_queue(peers, peer, event->bytes, event->size);
}

int tl_wire_peers_round(tl_wire_peers *peers, int64_t now_ns, int timeout_ms)
{
    tl_tcp_event events[TCP_EVENTS];
    tl_wire_answer answers[TL_WIRE_ASKED_MAX];
    peers->now_ns = now_ns;
    peers->held = 0;
    serve_busy(peers);
    const int got = tl_tcp_poll(peers->tcp, events, TCP_EVENTS, timeout_ms);
    for (int i = 0; i < got; i++) {
        tl_wire_peer *peer = &peers->peers[SLOT(events[i].conn)];
        if (events[i].kind == TL_TCP_OPENED)
            opened(peers, events[i].conn);
        else if (peer->conn != events[i].conn)
            continue;
        else if (!peer->open)
            parted(peers, peer, events[i].kind == TL_TCP_CLOSED);
        else if (events[i].kind == TL_TCP_CLOSED)
            forget(peers, peer);
        else
            came(peers, peer, &events[i]);
    }
    const uint32_t answered = tl_wire_door_answers(peers->door, peers->config.loop, answers);
    for (uint32_t i = 0; i < answered; i++)
        answer(peers, &answers[i]);
    serve_clocks(peers);
    return got;
}

/* Writing */

void tl_wire_peers_touch(tl_wire_peers *peers, tl_wire_peer *peer)
{
    if (peer->dirty || !peer->open)
        return;
    peer->dirty = true;
    peers->dirty[peers->dirty_count++] = SLOT(peer->conn);
}

static bool complete(tl_wire_peers *peers, tl_wire_peer *peer)
{
    const uint32_t size = TL_SOUPBIN_HEAD;
    uint8_t *out = tl_tcp_room(peers->tcp, peer->conn, size);
    if (out == NULL)
        return false;
    tl_soupbin_head(out, TL_SOUPBIN_END_OF_SESSION, 0);
    tl_tcp_put(peers->tcp, peer->conn, size);
    part(peers, peer);
    return true;
}

/* As much of its stream as there is room for: true when that was all. */
static bool write_peer(tl_wire_peers *peers, tl_wire_peer *peer)
{
    const uint64_t have = tl_spool_counted(peer->stream);
    const uint64_t last = peer->last < have ? peer->last : have;
    uint64_t sent = 0;
    size_t written = 0;
    bool blocked = false;
    while (peer->end.next <= last && written < WRITE_A_ROUND && !blocked) {
        const uint8_t *bytes;
        size_t size;
        const uint64_t run = tl_spool_run(peer->stream, peer->end.next, last, WRITE_AT_ONCE,
                                          UINT64_MAX, &bytes, &size);
        uint8_t *out = tl_tcp_room(peers->tcp, peer->conn, (uint32_t)size);
        blocked = out == NULL;
        if (blocked)
            break;
        memcpy(out, bytes, size);
        tl_tcp_put(peers->tcp, peer->conn, (uint32_t)size);
        peer->end.next += run;
        sent += run;
        written += size;
        blocked = tl_tcp_flush(peers->tcp, peer->conn) != 0;
    }
    if (sent > 0) {
        tl_soupbin_sent(&peer->end, peers->now_ns);
        tl_wire_count(&peers->sent, sent);
    }
    if (peer->end.next <= last) {
        peers->hungry |= !blocked;
        return false;
    }
    return last != peer->last || complete(peers, peer);
}

void tl_wire_peers_write(tl_wire_peers *peers)
{
    uint32_t kept = 0;
    peers->hungry = false;
    for (uint32_t i = 0; i < peers->dirty_count; i++) {
        const uint32_t slot = peers->dirty[i];
        tl_wire_peer *peer = &peers->peers[slot];
        peer->dirty = false;
        if (!peer->open || peer->end.state != TL_SOUPBIN_OPEN || write_peer(peers, peer))
            continue;
        peer->dirty = true;
        peers->dirty[kept++] = slot;
    }
    peers->dirty_count = kept;
}

void tl_wire_peers_end(tl_wire_peers *peers)
{
    for (uint32_t slot = 0; slot < peers->slots_used; slot++)
        if (peers->peers[slot].open)
            part(peers, &peers->peers[slot]);
}
