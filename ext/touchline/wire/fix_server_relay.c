/* The relay: sessions of another engine, which knows nothing of strangers and trusts what it reads.
 *
 *   broker ─► conn ─ frame, split, look ─► inner ─► the other engine
 *          ◄───────────────────────────────◄
 *
 * What could harm that engine ends the connection: a data field that does not fit its length, a tag
 * that only looks like another, a number beyond 31 bits, more messages behind a gap than it can
 * keep on its stack. All else is handed on byte for byte, also what is wrong.
 * What
 * one side does not take the other is not read for. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HELD_MAX 1000u /* messages behind a gap: the other engine takes them in by recursion */
#define NUMBER_MAX INT32_MAX

enum { TAG_BEGIN = 7, TAG_END = 16, TAG_NEW_SEQ = 36 };

bool tl_fix_relay_take(tl_fix_server *server, tl_fix_seat *seat)
{
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    const uint32_t size = server->config.relay_bytes;
    memcpy(place.sun_path, server->config.relay_to, size);
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
    seat->cleared = seat->held = 0;
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
 * once the gap is filled. */
static bool keeps_too_much(tl_fix_seat *seat, const tl_fix_message *message)
{
    const uint64_t number = message->msg_seq_num;
    if (seat->expected == 0)
        return false;
    if (number > seat->expected) {
        if (seat->first_held == 0 || number < seat->first_held)
            seat->first_held = number;
        return ++seat->held > HELD_MAX;
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
    return false;
}

/* May this be handed on? A message that is no message of the session's is dropped by the caller. */
static bool is_harmless(tl_fix_seat *seat, const tl_fix_message *message)
{
    if (message->malformed != UINT32_MAX || message->msg_seq_num > NUMBER_MAX)
        return false;
    return !too_large(message, TAG_BEGIN) && !too_large(message, TAG_END) &&
           !too_large(message, TAG_NEW_SEQ) && !keeps_too_much(seat, message);
}

/* A ResendRequest of the other engine says what it waits for. */
static void look_at_answer(tl_fix_server *server, tl_fix_seat *seat, const char *bytes, size_t size)
{
    tl_fix_message *message = &server->message;
    const tl_fix_frame frame = tl_fix_find_message(bytes, size, server->config.message_max);
    if (frame.framing != TL_FIX_FRAME_WHOLE ||
        tl_fix_parse(message, seat->party.dialect, bytes + frame.skip, frame.size) != 0 ||
        message->type != TL_FIX_RESEND_REQUEST)
        return;
    const tl_fix_field *begin = tl_fix_find(message, TAG_BEGIN);
    uint64_t number;
    if (begin != NULL && tl_fix_read_uint(tl_fix_value(message, begin), begin->size, &number) &&
        seat->expected == 0) {
        seat->expected = number;
        seat->held = 0;
        seat->first_held = 0;
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

/* Look at what came from the broker, a share of a round; false: it has to go. */
static bool clear(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_conn *conn = seat->conn;
    for (uint32_t budget = TL_FIX_MESSAGES_A_ROUND; budget > 0; budget--) {
        const int64_t size = tl_fix_next_message(server, conn, seat->cleared);
        if (size <= 0)
            return size == 0;
        const char *bytes = conn->in + conn->in_at + seat->cleared;
        if (tl_fix_parse(&server->message, seat->party.dialect, bytes, (size_t)size) != 0 ||
            !is_harmless(seat, &server->message))
            return false;
        tl_fix_count(&server->received);
        tl_fix_log_in(server, seat->party.number, bytes, (size_t)size);
        seat->cleared += (uint32_t)size;
    }
    tl_fix_seat_queue(server, seat);
    return true;
}

static bool to_inner(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_conn *conn = seat->conn;
    bool ended = false;
    if (!clear(server, seat) || !write_on(conn, seat->inner, &seat->cleared))
        return false;
    if (seat->cleared > 0)
        return true; /* the other engine does not take it: nothing more is read */
    if (read_more(server, conn, &ended)) {
        if (!clear(server, seat) || !write_on(conn, seat->inner, &seat->cleared))
            return false;
        tl_fix_seat_queue(server, seat);
    }
    if (conn->in != NULL && conn->in_at == conn->in_end)
        tl_fix_conn_give_back(server, conn);
    return !ended;
}

static bool to_outer(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_conn *conn = seat->conn, *inner = seat->inner;
    bool ended = false;
    if (conn->tls != NULL && tl_fix_conn_flush(conn) < 0)
        return false;
    uint32_t due = inner->in_end - inner->in_at;
    if (!write_on(inner, conn, &due))
        return false;
    if (due > 0)
        return true;
    if (read_more(server, inner, &ended)) {
        due = inner->in_end - inner->in_at;
        look_at_answer(server, seat, inner->in + inner->in_at, due);
        const struct iovec piece = {inner->in + inner->in_at, due};
        tl_fix_log_out(server, seat->party.number, &piece, due);
        tl_fix_count(&server->sent);
        if (!write_on(inner, conn, &due))
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
