/* The relay: sessions of another engine, which knows nothing of strangers and trusts what it reads.
 *
 *   broker ─► conn ─ frame, split, look ─► inner ─► the other engine
 *          ◄───────────────────────────────◄
 *
 * What could harm that engine ends the connection: a data field that does not fit its length, a tag
 * that only looks like another, a number beyond 31 bits. In the place of a ResendRequest or of a
 * message of another version something else goes on (fix_server_slices.c). Behind a gap it is given
 * a few messages and not the rest, which it asks for again: it keeps them on its stack. All else is
 * handed on byte for byte, also what is wrong, a few messages at a time (fix_server_pace.c). What
 * one side does not take the other is not read for. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HELD_MAX 16u /* messages behind a gap: the other engine takes them in by recursion */
#define HELD_ADMIN_MAX 256u /* with those that nobody sends again: TestRequest and Logout */
#define NUMBER_MAX INT32_MAX
#define LAST_WORDS_NS (2 * TL_FIX_SECOND_NS) /* for a broker who does not read them */

enum { TAG_BEGIN = 7, TAG_END = 16, TAG_NEW_SEQ = 36 };

bool tl_fix_relay_take(tl_fix_server *server, tl_fix_seat *seat)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    const uint32_t size = server->config.relay_bytes;
    memcpy(place.sun_path, server->relay_to, size);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    if (connect(fd, (const struct sockaddr *)&place,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size)) != 0) {
        close(fd);
        return false;
    }
    seat->inner = tl_fix_conn_open(server, fd, NULL);
    if (seat->inner == NULL)
        return false;
    seat->inner->kind = TL_FIX_KIND_INNER;
    seat->inner->session = seat->party.number;
    seat->cleared = seat->held = seat->seen = 0;
    seat->ended_ns = 0;
    seat->synced = false;
    tl_fix_slices_begin(&seat->slices);
    tl_fix_pace_begin(&seat->pace);
    seat->first_held = seat->expected = 0;
    return true;
}

/* Is a number there, and one that the other engine can not hold? */
static bool too_large(const tl_fix_message *message, uint32_t tag)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    uint64_t number;
    return field != NULL && tl_fix_read_uint(tl_fix_value(message, field), field->size, &number) &&
           number > NUMBER_MAX;
}

/* While the other engine has asked for a gap it keeps what comes behind, and works it off in one go
 * once the gap is filled. Has it enough of them, and this is one more? */
static bool keeps_enough(const tl_fix_seat *seat, const tl_fix_message *message)
{
    const bool once = message->type == TL_FIX_LOGOUT || message->type == TL_FIX_TEST_REQUEST;
    return seat->expected != 0 && message->msg_seq_num > seat->expected &&
           seat->held >= (once ? HELD_ADMIN_MAX : HELD_MAX);
}

/* The message goes on: it is kept, or fills the gap. */
static void note_gap(tl_fix_seat *seat, const tl_fix_message *message)
{
    const uint64_t number = message->msg_seq_num;
    if (seat->expected == 0)
        return;
    if (number > seat->expected) {
        if (seat->first_held == 0 || number < seat->first_held)
            seat->first_held = number;
        seat->held++;
        return;
    }
    if (number == seat->expected) {
        const tl_fix_field *field = tl_fix_find(message, TAG_NEW_SEQ);
        uint64_t next = number + 1;
        if (message->type == TL_FIX_SEQUENCE_RESET && field != NULL)
            tl_fix_read_uint(tl_fix_value(message, field), field->size, &next);
        seat->expected = next;
    }
    if (seat->first_held != 0 && seat->expected >= seat->first_held) {
        seat->expected = seat->first_held = 0;
        seat->held = 0;
    }
}

/* May this be handed on? A message that is no message of the session's is dropped by the caller. */
static bool is_harmless(const tl_fix_message *message)
{
    if (message->malformed != UINT32_MAX || message->msg_seq_num > NUMBER_MAX)
        return false;
    return !too_large(message, TAG_BEGIN) && !too_large(message, TAG_END) &&
           !too_large(message, TAG_NEW_SEQ);
}

/* A ResendRequest of the other engine says what it waits for. */
static void look_at_answer(tl_fix_seat *seat, const tl_fix_message *message)
{
    uint64_t number;
    tl_fix_slices_saw(&seat->slices, message);
    tl_fix_pace_saw(&seat->pace, message);
    if (message->type != TL_FIX_RESEND_REQUEST || seat->expected != 0)
        return;
    const tl_fix_field *begin = tl_fix_find(message, TAG_BEGIN);
    if (begin != NULL && tl_fix_read_uint(tl_fix_value(message, begin), begin->size, &number)) {
        seat->expected = number;
        seat->held = 0;
        seat->first_held = 0;
    }
}

/* Whole messages of the other engine, which are handed on then. What is not one is handed on too:
 * that engine is trusted. */
static void look_at_answers(tl_fix_server *server, tl_fix_seat *seat, bool ended)
{
    tl_fix_conn *inner = seat->inner;
    for (;;) {
        const char *at = inner->in + inner->in_at + seat->seen;
        const uint32_t count = inner->in_end - inner->in_at - seat->seen;
        const tl_fix_frame frame = tl_fix_find_message(at, count, TL_FIX_MESSAGE_MAX);
        seat->seen += (uint32_t)(frame.skip + frame.size);
        if (frame.framing != TL_FIX_FRAME_WHOLE) {
            const bool full = seat->seen == 0 && count == inner->in_room;
            if (ended || full || frame.framing == TL_FIX_FRAME_TOO_LONG)
                seat->seen = inner->in_end - inner->in_at;
            return;
        }
        if (tl_fix_parse(&server->message, seat->party.dialect, at + frame.skip, frame.size) == 0)
            look_at_answer(seat, &server->message);
    }
}

static bool write_on(tl_fix_conn *from, tl_fix_conn *to, uint32_t *count)
{
    while (*count > 0 && to->writable) {
        const struct iovec piece = {from->in + from->in_at, *count};
        const int64_t put = tl_fix_conn_write(to, &piece, 1);
        if (put < 0)
            return false;
        from->in_at += (uint32_t)put;
        *count -= (uint32_t)put;
        if (put == 0)
            break;
    }
    return true;
}

static bool read_more(tl_fix_server *server, tl_fix_conn *conn, bool *ended)
{
    if (!conn->readable || !tl_fix_conn_room(server, conn, server->input_bytes))
        return false;
    const int64_t got =
        tl_fix_conn_read(conn, conn->in + conn->in_end, conn->in_room - conn->in_end);
    *ended = got < 0;
    if (got > 0)
        conn->in_end += (uint32_t)got;
    return got > 0;
}

/* What this side says by itself, between two messages of the broker's. */
static bool own_on(tl_fix_seat *seat)
{
    tl_fix_slices *slices = &seat->slices;
    while (slices->own_at < slices->own_end && seat->inner->writable) {
        const struct iovec piece = {slices->own + slices->own_at, slices->own_end - slices->own_at};
        const int64_t put = tl_fix_conn_write(seat->inner, &piece, 1);
        if (put < 0)
            return false;
        slices->own_at += (uint32_t)put;
        if (put == 0)
            break;
    }
    return true;
}

typedef enum cleared { ALL, REPLACED, HARM } cleared;

/* One message of the broker's, and in its place nothing, or what is in `own`. */
static cleared replace(tl_fix_seat *seat, size_t size, bool by_nothing)
{
    seat->conn->in_at += (uint32_t)size;
    if (by_nothing)
        seat->slices.own_at = seat->slices.own_end;
    return REPLACED;
}

/* One message of the broker's. What is not handed on as it is waits until all before it is gone:
 * REPLACED, with `cleared` not 0. */
static cleared clear_one(tl_fix_server *server, tl_fix_seat *seat, const char *bytes, size_t size)
{
    tl_fix_message *message = &server->message;
    const bool strange = tl_fix_parse(message, seat->party.dialect, bytes, size) != 0;
    const bool enough = !strange && keeps_enough(seat, message);
    if (strange || enough || message->type == TL_FIX_RESEND_REQUEST) {
        if (seat->cleared > 0)
            return REPLACED;
        if (!seat->slices.begun) /* until the Logon is answered nobody knows up to where */
            return ALL;
    }
    if (!strange && !is_harmless(message))
        return HARM;
    tl_fix_count(&server->received);
    tl_fix_log_in(server, seat->party.number, bytes, size);
    switch (tl_fix_slices_asked(server, seat, message, strange)) {
    case TL_FIX_SLICES_AMISS:
        return HARM;
    case TL_FIX_SLICES_REPLACED:
        if (!strange && !enough)
            note_gap(seat, message);
        return replace(seat, size, enough);
    case TL_FIX_SLICES_NOTHING:
        break;
    }
    if (enough)
        return replace(seat, size, true);
    if (!strange)
        note_gap(seat, message);
    tl_fix_pace_gave(server, seat, message);
    seat->cleared += (uint32_t)size;
    return ALL;
}

/* Look at what came from the broker, up to a message that is replaced. */
static cleared clear(tl_fix_server *server, tl_fix_seat *seat, uint32_t *budget)
{
    tl_fix_conn *conn = seat->conn;
    while (*budget > 0) {
        const int64_t size = tl_fix_next_message(server, conn, seat->cleared);
        if (size == TL_FIX_NEXT_GARBAGE)
            return REPLACED; /* by nothing */
        if (size <= 0)
            return size == 0 ? ALL : HARM;
        if (tl_fix_pace_full(server, seat))
            return ALL;
        --*budget;
        const uint32_t before = seat->cleared;
        const char *bytes = conn->in + conn->in_at + before;
        const cleared found = clear_one(server, seat, bytes, (size_t)size);
        if (found != ALL || seat->cleared == before)
            return found;
    }
    tl_fix_seat_queue(server, seat);
    return ALL;
}

/* Whole messages, the broker's and our own, go on in turns. False: it is over. */
static bool hand_on(tl_fix_server *server, tl_fix_seat *seat)
{
    const tl_fix_slices *slices = &seat->slices;
    uint32_t budget = TL_FIX_MESSAGES_A_ROUND;
    for (cleared found = REPLACED; found == REPLACED;) {
        if (seat->cleared == 0 && !own_on(seat))
            return false;
        if (slices->own_at < slices->own_end)
            return true;
        found = clear(server, seat, &budget);
        if (found == HARM || !write_on(seat->conn, seat->inner, &seat->cleared))
            return false;
        if (seat->cleared > 0)
            return true;
    }
    return true;
}

static bool waits(const tl_fix_seat *seat)
{
    return seat->cleared > 0 || seat->slices.own_at < seat->slices.own_end;
}

/* The broker does not read what he is told. Once the other engine has ended the session he has a
 * moment for that. */
static bool may_stay(tl_fix_server *server, tl_fix_seat *seat)
{
    if (!seat->inner->ending)
        return true;
    if (seat->ended_ns == 0)
        seat->ended_ns = server->now.mono_ns + LAST_WORDS_NS;
    tl_fix_seat_due(server, seat, seat->ended_ns);
    return server->now.mono_ns < seat->ended_ns;
}

/* A whole message is there that may not go on yet: the end of the line is looked for after it. */
static bool holds_back(tl_fix_server *server, const tl_fix_seat *seat)
{
    return seat->conn->in != NULL && tl_fix_next_message(server, seat->conn, 0) > 0;
}

static bool to_inner(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_conn *conn = seat->conn;
    bool ended = false;
    if (seat->seen > 0) /* who does not read is not read from */
        return may_stay(server, seat);
    if (!hand_on(server, seat))
        return false;
    if (waits(seat))
        return true; /* the other engine does not take it: nothing more is read */
    if (!holds_back(server, seat) && read_more(server, conn, &ended)) {
        if (!hand_on(server, seat))
            return false;
        tl_fix_seat_queue(server, seat);
    }
    if (conn->in != NULL && conn->in_at == conn->in_end)
        tl_fix_conn_give_back(server, conn);
    if (!waits(seat)) { /* and the broker has taken what came last */
        tl_fix_slices_go_on(server, seat);
        if (!own_on(seat))
            return false;
    }
    return !ended;
}

static bool to_outer(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_conn *conn = seat->conn, *inner = seat->inner;
    bool ended = false;
    if (conn->tls != NULL && tl_fix_conn_flush(conn) < 0)
        return false;
    if (!write_on(inner, conn, &seat->seen))
        return false;
    if (seat->seen > 0)
        return true;
    const bool more = read_more(server, inner, &ended);
    if (more || (ended && inner->in != NULL)) {
        look_at_answers(server, seat, ended);
        if (seat->seen > 0 && !tl_fix_relay_sync(server, seat))
            return true; /* it fails, and all of it ends */
        const struct iovec piece = {inner->in + inner->in_at, seat->seen};
        tl_fix_log_out(server, seat->party.number, &piece, seat->seen);
        tl_fix_count(&server->sent);
        if (!write_on(inner, conn, &seat->seen))
            return false;
        tl_fix_seat_queue(server, seat);
    }
    if (inner->in != NULL && inner->in_at == inner->in_end)
        tl_fix_conn_give_back(server, inner);
    return !ended;
}

bool tl_fix_relay_serve(tl_fix_server *server, tl_fix_seat *seat)
{
    /* Answers first: what was said last is still delivered when the broker's end has come. */
    const bool outer = to_outer(server, seat);
    return to_inner(server, seat) && outer;
}
