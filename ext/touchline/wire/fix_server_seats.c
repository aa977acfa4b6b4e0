/* Seats: configured sessions; for those that are here, input to the desk and the store to output.
 *
 * Who has bytes to be looked at is in `busy`, who may have something to write in `dirty`, whose
 * next message the desk can not take yet in `blocked`, who stands otherwise than other threads
 * were told in `changed`. Who is idle is in none of them and costs nothing. A blocked session is
 * not read from, so that TCP slows its sender. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 64

static uint32_t name_hash(const char *name, size_t size)
{
    uint32_t hash = 2166136261u; /* FNV-1a; the names are the operator's own */
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    return hash;
}

tl_fix_seat *tl_fix_seat_named(tl_fix_server *server, const char *name, size_t size)
{
    if (size > TL_FIX_NAME_MAX)
        return NULL;
    for (uint32_t at = name_hash(name, size);; at++) {
        const uint16_t found = server->by_name[at & server->by_name_mask];
        if (found == 0)
            return NULL;
        tl_fix_seat *seat = &server->seats[found - 1];
        if (strlen(seat->terms.comp_id) == size && memcmp(seat->terms.comp_id, name, size) == 0)
            return seat;
    }
}

static void note_name(tl_fix_server *server, const tl_fix_seat *seat)
{
    uint32_t at = name_hash(seat->terms.comp_id, strlen(seat->terms.comp_id));
    while (server->by_name[at & server->by_name_mask] != 0)
        at++;
    server->by_name[at & server->by_name_mask] = (uint16_t)(seat->party.number + 1);
}

static void seat_fails(tl_fix_server *server, int error, const char *what)
{
    if (server->failure != 0)
        return;
    server->failure = error;
    const char *text = tl_fix_store_fault(server->store);
    snprintf(server->fault, sizeof server->fault, "%s%s%s", what,
             text != NULL && text[0] != 0 ? ": " : "", text != NULL ? text : "");
}

/* Commands that were sent and lost with the bus: their messages are expected once more. */
static void expect_again(tl_fix_server *server, uint32_t number)
{
    const tl_fix_marks *marks = tl_fix_store_marks(server->store, number);
    if (marks == NULL || (!server->bus_lost && marks->lane_sent <= tl_lane_sent(server->lane)))
        return;
    const uint64_t answered = marks->answered == 0 ? 1 : marks->answered;
    if (answered < marks->next_in)
        tl_fix_store_took(server->store, number, answered, tl_lane_sent(server->lane),
                          server->now.utc_ns);
}

static int open_seat(tl_fix_server *server, tl_fix_seat *seat, uint32_t number)
{
    if (!server->relay)
        expect_again(server, number);
    const int rc =
        server->relay ? 0 : tl_fix_session_open(&seat->session, &seat->terms, server->store);
    if (rc != 0) {
        seat->session = NULL;
        memset(&seat->terms, 0, sizeof seat->terms);
        return rc;
    }
    seat->known = true;
    seat->party.number = number;
    note_name(server, seat);
    if (server->log != NULL)
        tl_fix_log_name(server->log, number, seat->terms.comp_id);
    return 0;
}

/* New terms of a session that is known: at once if it is away. */
static void renew_terms(tl_fix_server *server, tl_fix_seat *seat)
{
    seat->stale = !server->relay;
    if (server->relay) {
        if (seat->conn != NULL && !seat->enabled)
            tl_fix_seat_leave(server, seat, false);
        return;
    }
    if (seat->conn == NULL)
        seat->stale = tl_fix_session_agree(seat->session, &seat->terms) != 0;
    else if (!seat->enabled) {
        tl_fix_seat_logout(server, seat, "the session is disabled");
    }
}

static int tell_desk(tl_fix_server *server, const tl_fix_seat *seat, uint64_t mark)
{
    const tl_fix_marks *marks = tl_fix_store_marks(server->store, seat->party.number);
    const uint64_t stored = marks == NULL ? 0 : marks->key;
    return tl_fix_desk_party(server->desk, &seat->party,
                             mark == TL_FIX_MARK_STORED ? stored : mark);
}

int tl_fix_seat_agree(tl_fix_server *server, const tl_fix_mail *mail)
{
    tl_fix_seat *seat = &server->seats[mail->session];
    const bool fresh = !seat->known;
    if (!fresh && strcmp(seat->terms.comp_id, mail->terms.comp_id) != 0)
        return -EINVAL; /* a number keeps its name: the journal says so */
    uint32_t *accounts = malloc((mail->count + 1) * sizeof *accounts);
    if (accounts == NULL)
        return -ENOMEM;
    memcpy(accounts, mail->rest, mail->count * sizeof *accounts);
    seat->terms = mail->terms;
    seat->enabled = mail->flag;
    const int opened = fresh ? open_seat(server, seat, mail->session) : 0;
    if (opened != 0) {
        free(accounts);
        return opened;
    }
    uint32_t *before = seat->accounts;
    seat->accounts = accounts;
    seat->party = (tl_fix_party){
        .number = mail->session,
        .dialect = seat->terms.dialect,
        .accounts = accounts,
        .accounts_count = mail->count,
        .time_decimals = seat->terms.time_decimals,
        .permissions = seat->terms.permissions,
        .pending_reports = seat->terms.pending_reports,
        .cl_ord_id_scope = seat->terms.cl_ord_id_scope,
    };
    const int rc = server->relay ? 0 : tell_desk(server, seat, mail->mark);
    free(before);
    tl_fix_seat_changed(server, seat);
    if (!fresh)
        renew_terms(server, seat);
    return rc;
}

void tl_fix_seat_queue(tl_fix_server *server, tl_fix_seat *seat)
{
    if (seat->busy || seat->blocked)
        return;
    seat->busy = true;
    server->busy.items[server->busy.count++] = seat->party.number;
}

void tl_fix_seat_touch(tl_fix_server *server, tl_fix_seat *seat)
{
    seat->urgent = true;
    tl_fix_seat_touch_later(server, seat);
}

void tl_fix_seat_changed(tl_fix_server *server, tl_fix_seat *seat)
{
    if (seat->changed)
        return;
    seat->changed = true;
    server->changed.items[server->changed.count++] = seat->party.number;
}

void tl_fix_seat_touch_later(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_seat_changed(server, seat);
    if (seat->dirty || seat->conn == NULL)
        return;
    seat->dirty = true;
    server->dirty.items[server->dirty.count++] = seat->party.number;
}

void tl_fix_seat_take(tl_fix_server *server, tl_fix_seat *seat, tl_fix_conn *conn)
{
    conn->kind = TL_FIX_KIND_SEATED;
    conn->session = seat->party.number;
    conn->readable = true; /* what came while the policy thought was not looked at */
    seat->conn = conn;
    seat->over_ns = seat->blocked_ns = seat->logout_ns = 0;
    tl_fix_seat_back(seat);
    if (server->relay && !tl_fix_relay_take(server, seat)) {
        tl_fix_seat_leave(server, seat, true);
        return;
    }
    if (!server->relay)
        tl_fix_seat_due(server, seat, server->now.mono_ns);
    tl_fix_seat_queue(server, seat);
    tl_fix_seat_touch(server, seat);
    tl_fix_mail_snapshot(server, seat->party.number);
}

void tl_fix_seat_leave(tl_fix_server *server, tl_fix_seat *seat, bool at_once)
{
    tl_fix_conn *conn = seat->conn;
    seat->conn = NULL;
    seat->over_ns = seat->blocked_ns = 0;
    server->due_ns[seat->party.number] = TL_FIX_NEVER;
    if (seat->session != NULL) {
        tl_fix_session_left(seat->session, &server->now);
        tl_fix_seat_left(server, seat, tl_fix_session_logged_out(seat->session));
    }
    if (server->market != NULL)
        tl_fix_market_left(server->market, seat->party.number);
    if (server->desk != NULL)
        tl_fix_desk_left(server->desk, seat->party.number);
    if (seat->inner != NULL)
        tl_fix_conn_close(server, seat->inner);
    seat->inner = NULL;
    tl_fix_log_event(server, seat->party.number, "disconnected:", conn);
    if (at_once)
        tl_fix_conn_close(server, conn);
    else
        tl_fix_conn_part(server, conn);
    if (seat->stale && tl_fix_session_agree(seat->session, &seat->terms) == 0)
        seat->stale = false;
    tl_fix_mail_snapshot(server, seat->party.number);
}

typedef enum progress { NEXT, WAIT, GONE } progress;

static void took(tl_fix_server *server, tl_fix_seat *seat, const char *bytes, size_t size)
{
    tl_fix_count(&server->received);
    tl_fix_log_in(server, seat->party.number, bytes, size);
    seat->blocked_ns = 0;
}

/* One message, of the wire or held. NEXT: dealt with. */
static progress deal_with(tl_fix_server *server, tl_fix_seat *seat, const char *bytes, size_t size)
{
    tl_fix_message *message = &server->message;
    const bool read = tl_fix_parse(message, seat->party.dialect, bytes, size) == 0;
    tl_fix_seat_touch(server, seat);
    const bool patience = seat->blocked_ns == 0 || server->now.mono_ns - seat->blocked_ns <
                                                       server->config.answer_ns;
    if (read && message->type == TL_FIX_LOGOUT && patience &&
        tl_fix_desk_owes(server->desk, seat->party.number))
        return WAIT; /* what it asked for is answered first */
    const tl_fix_received received =
        read ? tl_fix_session_receive(seat->session, message, &server->now)
             : tl_fix_session_unread(seat->session, message, &server->now);
    if (received != TL_FIX_APPLICATION) {
        took(server, seat, bytes, size);
        return received == TL_FIX_GONE ? GONE : NEXT;
    }
    int error;
    switch (tl_fix_seat_request(server, seat, message, patience, &error)) {
    case TL_FIX_LATER:
        return WAIT;
    case TL_FIX_FAILED:
        seat_fails(server, error, "a request could not be taken");
        return WAIT;
    case TL_FIX_TAKEN:
        break;
    }
    tl_fix_session_took(seat->session, message, tl_lane_sent(server->lane), &server->now);
    took(server, seat, bytes, size);
    return NEXT;
}

static void block(tl_fix_server *server, tl_fix_seat *seat)
{
    if (seat->blocked_ns == 0)
        seat->blocked_ns = server->now.mono_ns;
    seat->blocked = true;
    server->blocked.items[server->blocked.count++] = seat->party.number;
}

/* Read what there is room for; false: nothing new. The end of the line is seen to by the caller. */
static bool read_on(tl_fix_server *server, tl_fix_seat *seat, bool *ended)
{
    tl_fix_conn *conn = seat->conn;
    if (!conn->readable || !tl_fix_conn_room(server, conn, server->input_bytes))
        return false;
    const int64_t got =
        tl_fix_conn_read(conn, conn->in + conn->in_end, conn->in_room - conn->in_end);
    *ended = got < 0;
    if (got > 0)
        conn->in_end += (uint32_t)got;
    return got > 0;
}

int64_t tl_fix_next_message(const tl_fix_server *server, tl_fix_conn *conn, uint32_t from)
{
    const uint32_t at = conn->in_at + from;
    if (conn->in == NULL || at == conn->in_end)
        return 0;
    const tl_fix_frame frame =
        tl_fix_find_message(conn->in + at, conn->in_end - at, server->config.message_max);
    if (from > 0 && frame.skip > 0)
        return TL_FIX_NEXT_GARBAGE;
    conn->in_at += (uint32_t)frame.skip;
    if (frame.framing == TL_FIX_FRAME_TOO_LONG)
        return TL_FIX_NEXT_OVER;
    return frame.framing == TL_FIX_FRAME_WHOLE ? (int64_t)frame.size : 0;
}

static progress serve_held(tl_fix_server *server, tl_fix_seat *seat, uint32_t *budget)
{
    const char *bytes;
    size_t size;
    while (*budget > 0 && tl_fix_session_held(seat->session, &bytes, &size)) {
        const progress made = deal_with(server, seat, bytes, size);
        if (made != NEXT)
            return made;
        --*budget;
    }
    return NEXT;
}

/* At most so many messages of a session; what is left of the number. */
static progress serve_some(tl_fix_server *server, tl_fix_seat *seat, uint32_t *budget)
{
    tl_fix_conn *conn = seat->conn;
    bool ended = false;
    for (bool read = false;;) {
        const progress made = serve_held(server, seat, budget);
        if (made != NEXT)
            return made;
        if (tl_fix_session_state_of(seat->session) == TL_FIX_OVER)
            return GONE;
        if (*budget == 0)
            break;
        const int64_t size = tl_fix_next_message(server, conn, 0);
        if (size < 0)
            return GONE;
        if (size == 0) {
            if (read || !read_on(server, seat, &ended))
                break;
            read = true;
            continue;
        }
        const progress dealt = deal_with(server, seat, conn->in + conn->in_at, (size_t)size);
        if (dealt != NEXT)
            return dealt;
        conn->in_at += (uint32_t)size;
        --*budget;
    }
    if (conn->in != NULL && conn->in_at == conn->in_end)
        tl_fix_conn_give_back(server, conn);
    if (ended)
        return GONE;
    if (*budget == 0 || conn->readable)
        tl_fix_seat_queue(server, seat);
    return NEXT;
}

/* A share of a round for one session. */
static progress serve(tl_fix_server *server, tl_fix_seat *seat)
{
    if (!tl_fix_seat_logged_out(server, seat))
        return WAIT;
    const uint32_t budget = tl_fix_seat_budget(server, seat);
    uint32_t left = budget;
    const progress made = budget == 0 ? NEXT : serve_some(server, seat, &left);
    tl_fix_seat_spent(seat, budget - left);
    return made;
}

void tl_fix_seats_serve(tl_fix_server *server)
{
    const tl_fix_seats round = server->busy;
    server->busy = server->scratch;
    server->busy.count = 0;
    server->scratch = round;
    for (uint32_t i = 0; i < round.count && server->failure == 0; i++) {
        tl_fix_seat *seat = &server->seats[round.items[i]];
        seat->busy = false;
        if (seat->conn == NULL || seat->over_ns != 0)
            continue;
        if (server->relay) {
            if (!tl_fix_relay_serve(server, seat))
                tl_fix_seat_leave(server, seat, false);
            continue;
        }
        const progress made = serve(server, seat);
        if (made == WAIT)
            block(server, seat);
        else if (made == GONE)
            tl_fix_seat_over(server, seat);
    }
}

void tl_fix_seats_unblock(tl_fix_server *server)
{
    for (uint32_t i = 0; i < server->blocked.count; i++) {
        tl_fix_seat *seat = &server->seats[server->blocked.items[i]];
        seat->blocked = false;
        if (seat->conn != NULL)
            tl_fix_seat_queue(server, seat);
    }
    server->blocked.count = 0;
}

/* How far requests are answered, for the next record: a store that outlives the bus goes by it. */
static void note_answered(tl_fix_server *server, const tl_fix_seat *seat)
{
    const uint32_t number = seat->party.number;
    const tl_fix_marks *marks = tl_fix_store_marks(server->store, number);
    const uint64_t unanswered = tl_fix_desk_unanswered(server->desk, number);
    if (marks != NULL)
        tl_fix_store_answered(server->store, number,
                              unanswered < marks->next_in ? unanswered : marks->next_in);
}

/* One write for a session; what is left is for the next round. */
static void write_out(tl_fix_server *server, tl_fix_seat *seat, bool urgent)
{
    struct iovec pieces[PIECES_MAX];
    tl_fix_conn *conn = seat->conn;
    if (conn->tls != NULL && conn->out_at < conn->out_end) {
        const int flushed = tl_fix_conn_flush(conn);
        if (flushed < 0)
            tl_fix_seat_leave(server, seat, true);
        if (flushed <= 0)
            return;
    }
    note_answered(server, seat);
    const int count = tl_fix_session_output(seat->session, pieces, PIECES_MAX, &server->now);
    if (count == 0) {
        if (seat->over_ns != 0)
            tl_fix_seat_leave(server, seat, false);
        return;
    }
    const int64_t put = tl_fix_conn_write(conn, pieces, count);
    if (put < 0) {
        tl_fix_seat_leave(server, seat, true);
        return;
    }
    tl_fix_log_out(server, seat->party.number, pieces, (size_t)put);
    tl_fix_session_wrote(seat->session, (size_t)put, &server->now);
    if (conn->writable && urgent)
        tl_fix_seat_touch(server, seat);
    else if (conn->writable)
        tl_fix_seat_touch_later(server, seat);
}

/* Who has more than market data to be written, or who has nothing else. */
static void write_those(tl_fix_server *server, const tl_fix_seats *round, bool urgent)
{
    for (uint32_t i = 0; i < round->count; i++) {
        tl_fix_seat *seat = &server->seats[round->items[i]];
        if (!seat->dirty || seat->urgent != urgent)
            continue;
        seat->dirty = seat->urgent = false;
        if (seat->conn != NULL && seat->conn->writable)
            write_out(server, seat, urgent);
    }
}

void tl_fix_seats_write(tl_fix_server *server)
{
    if (server->relay)
        server->dirty.count = 0; /* the relay writes as it serves */
    if (server->dirty.count == 0)
        return;
    if (server->config.store.durable) {
        const int rc = tl_fix_store_sync(server->store);
        if (rc != 0) {
            seat_fails(server, rc, "the store could not be written");
            return;
        }
    }
    const tl_fix_seats round = server->dirty;
    server->dirty = server->scratch;
    server->dirty.count = 0;
    server->scratch = round;
    write_those(server, &round, true);
    write_those(server, &round, false);
}
