/* What a session sends: composed, stored, and written to the wire from the store. */
#include "touchline/wire/fix_session_state.h"
#include "touchline/wire/fix_text.h"
#include "touchline/wire/fix_text_room.h"

#include <errno.h>
#include <string.h>

const char *tl_fix_write_digits(char at[24], uint64_t number)
{
    *tl_fix_write_uint(at, number) = 0;
    return at;
}

void tl_fix_terms_texts(tl_fix_session *session)
{
    const tl_fix_terms *terms = &session->terms;
    const char *begin = terms->dialect->begin_string;
    char *at = tl_fix_put_text(session->begin, 8, begin, strlen(begin));
    memcpy(at, "9=", 2);
    session->begin_size = (uint32_t)(at + 2 - session->begin);
    at = tl_fix_put_text(session->sender, 49, terms->venue_comp_id, strlen(terms->venue_comp_id));
    session->sender_size = (uint32_t)(at - session->sender);
    at = tl_fix_put_text(session->target, 56, terms->comp_id, strlen(terms->comp_id));
    session->target_size = (uint32_t)(at - session->target);
    session->time_ns = INT64_MIN;
}

static inline char *put(char *at, const char *bytes, size_t size)
{
    memcpy(at, bytes, size);
    return at + size;
}

/* The same of a text that is short, mostly. */
static inline char *put_short(char *at, const char *bytes, size_t size)
{
    tl_fix_copy(at, bytes, size);
    return at + size;
}

static void make_time(tl_fix_session *session, int64_t utc_ns)
{
    if (session->time_ns == utc_ns)
        return;
    char *end = tl_fix_put_time(session->time_text, 52, utc_ns, session->terms.time_decimals);
    session->time_size = (uint32_t)(end - session->time_text);
    session->time_ns = utc_ns;
}

/* The header from MsgType(35) on: what follows the number has TL_FIX_ROOM. */
static char *put_header(char *at, const tl_fix_session *session, const char *msg_type,
                        size_t type_size, uint64_t msg_seq_num, bool poss_dup,
                        const header_extras *extras)
{
    at = tl_fix_put_text(at, 35, msg_type, type_size);
    at = tl_fix_room_put_uint(at, 34, msg_seq_num);
    if (poss_dup)
        at = put(at, "43=Y\x01", 5);
    at = put_short(at, session->sender, session->sender_size);
    if (extras != NULL)
        at = put(at, extras->before_time, extras->before_size);
    at = put_short(at, session->time_text, session->time_size);
    at = put_short(at, session->target, session->target_size);
    return extras != NULL ? put(at, extras->after_target, extras->after_size) : at;
}

composed tl_fix_compose(tl_fix_session *session, char *buffer, size_t body_size,
                        const char *msg_type,
                     uint64_t msg_seq_num, bool poss_dup, const header_extras *extras,
                     const tl_fix_clock *now)
{
    make_time(session, now->utc_ns);
    const size_t type_size = strlen(msg_type);
    const size_t after = session->target_size + (extras != NULL ? extras->after_size : 0);
    const size_t before = sizeof "35=" + type_size + sizeof "34=" + tl_fix_digits_of(msg_seq_num) +
                          (poss_dup ? 5 : 0) + session->sender_size +
                          (extras != NULL ? extras->before_size : 0) + session->time_size;
    const size_t length = before + after + body_size;
    const uint32_t prefix = session->begin_size + tl_fix_digits_of(length) + 1;
    char *const body = buffer + HEADER_MAX, *const start = body - before - after - prefix;
    char *at = put_short(start, session->begin, session->begin_size);
    at = tl_fix_room_uint(at, length);
    *at++ = TL_FIX_SOH;
    put_header(at, session, msg_type, type_size, msg_seq_num, poss_dup, extras);
    char *end = body + body_size;
    const uint8_t sum = tl_fix_checksum(start, (size_t)(end - start));
    const char trailer[] = {'1', '0', '=', (char)('0' + sum / 100), (char)('0' + sum / 10 % 10),
                            (char)('0' + sum % 10), TL_FIX_SOH};
    end = put(end, trailer, sizeof trailer);
    return (composed){.bytes = start,
                      .size = (uint32_t)(end - start),
                      .body_at = prefix + (uint32_t)before,
                      .msg_type_at = prefix + 3};
}

static int send(tl_fix_session *session, const char *msg_type, const char *body, size_t size,
                uint64_t key, uint8_t kind, const header_extras *extras, const tl_fix_clock *now)
{
    if (size > TL_FIX_BODY_MAX)
        return -EMSGSIZE;
    char buffer[HEADER_MAX + TL_FIX_BODY_MAX + TRAILER_MAX];
    memcpy(buffer + HEADER_MAX, body, size);
    uint64_t number = fix_marks(session)->next_out;
    composed whole =
        tl_fix_compose(session, buffer, size, msg_type, number, false, extras, now);
    tl_fix_stored stored = {.bytes = whole.bytes,
                            .size = whole.size,
                            .body_at = whole.body_at,
                            .msg_type_at = whole.msg_type_at,
                            .kind = kind,
                            .sending_time_ns = now->utc_ns,
                            .key = key};
    int error = tl_fix_store_append(session->store, session->terms.number, &stored);
    if (error != 0)
        return error;
    if (session->state == TL_FIX_AWAY)
        session->send_next = number + 1; /* to be asked for */
    else
        session->spoke_ns = now->mono_ns;
    return 0;
}

int tl_fix_session_send(tl_fix_session *session, const char *msg_type, const char *body,
                        size_t size, uint64_t key, const tl_fix_clock *now)
{
    return send(session, msg_type, body, size, key, TL_FIX_STORED_APPLICATION, NULL, now);
}

int tl_fix_session_send_passing(tl_fix_session *session, const char *msg_type, const char *body,
                                size_t size, const tl_fix_clock *now)
{
    return send(session, msg_type, body, size, 0, TL_FIX_STORED_ADMIN, NULL, now);
}

bool tl_fix_session_drained(const tl_fix_session *session)
{
    return session->state == TL_FIX_ON && session->send_next >= fix_marks(session)->next_out &&
           session->written == 0 && session->slice_at == session->slice_size &&
           session->gap_from == 0 && session->resend.from > session->resend.to;
}

int tl_fix_send_admin(tl_fix_session *session, const char *msg_type, const char *body, size_t size,
                   const header_extras *extras, const tl_fix_clock *now)
{
    return send(session, msg_type, body, size, 0, TL_FIX_STORED_ADMIN, extras, now);
}

int tl_fix_session_logout(tl_fix_session *session, const char *text, const tl_fix_clock *now)
{
    if (session->state != TL_FIX_ON)
        return 0;
    char body[ADMIN_BODY_MAX];
    size_t size = strlen(text);
    if (size > ADMIN_BODY_MAX - 8)
        size = ADMIN_BODY_MAX - 8;
    char *end = size != 0 ? tl_fix_put_text(body, 58, text, size) : body;
    tl_fix_enter(session, TL_FIX_LEAVING, now);
    return tl_fix_send_admin(session, "5", body, (size_t)(end - body), NULL, now);
}

size_t tl_fix_write_refusal(char *out, const tl_fix_terms *terms, uint64_t msg_seq_num,
                            const char *text, const tl_fix_clock *now)
{
    tl_fix_session letter = {.terms = *terms};
    tl_fix_terms_texts(&letter);
    char buffer[HEADER_MAX + 512 + TRAILER_MAX];
    size_t text_size = strnlen(text, 160);
    char *end = buffer + HEADER_MAX;
    if (text_size != 0)
        end = tl_fix_put_text(end, 58, text, text_size);
    composed whole = tl_fix_compose(&letter, buffer, (size_t)(end - buffer) - HEADER_MAX, "5",
                                 msg_seq_num, false, NULL, now);
    memcpy(out, whole.bytes, whole.size);
    return whole.size;
}

/* Live messages, straight from the store. */
static int output_live(tl_fix_session *session, struct iovec *pieces, int max, int limit)
{
    uint64_t end = fix_marks(session)->next_out;
    size_t bytes = 0;
    int count = 0;
    max = max < limit ? max : limit;
    for (uint64_t number = session->send_next; count < max && number < end; number++) {
        tl_fix_stored message;
        if (!tl_fix_store_find(session->store, session->terms.number, number, &message))
            break;
        uint32_t skip = count == 0 ? session->written : 0;
        if (count != 0 && bytes + message.size > SLICE_BYTES)
            break;
        pieces[count].iov_base = (char *)(uintptr_t)message.bytes + skip;
        pieces[count++].iov_len = message.size - skip;
        bytes += message.size - skip;
    }
    return count;
}

int tl_fix_session_output(tl_fix_session *session, struct iovec *pieces, int max,
                          const tl_fix_clock *now)
{
    if (session->state == TL_FIX_AWAY || max < 1)
        return 0;
    bool due = session->resend.from <= session->resend.to || session->gap_from != 0;
    bool resending = due && session->send_next > session->welcome; /* a Logon comes first */
    if (session->slice_at == session->slice_size) {
        if (session->written != 0 || !resending) {
            int count = output_live(session, pieces, max, due ? 1 : max);
            uint64_t end = fix_marks(session)->next_out;
            if (count != 0 || session->send_next >= end || session->written != 0)
                return count;
            /* Messages that waited for a slow peer until they went by age. */
            uint64_t first =
                tl_fix_store_first(session->store, session->terms.number, session->send_next);
            session->slice_size = session->slice_at = 0;
            tl_fix_write_gap_fill(session, session->send_next, first, now);
            session->send_next = first;
        } else {
            tl_fix_resend_slice(session, now);
        }
    }
    if (session->slice_at == session->slice_size)
        return 0;
    pieces[0].iov_base = session->slice + session->slice_at;
    pieces[0].iov_len = session->slice_size - session->slice_at;
    return 1;
}

void tl_fix_session_wrote(tl_fix_session *session, size_t bytes, const tl_fix_clock *now)
{
    (void)now;
    if (session->slice_at < session->slice_size) {
        size_t left = session->slice_size - session->slice_at;
        session->slice_at += bytes < left ? bytes : left;
        return;
    }
    while (bytes > 0) {
        tl_fix_stored message;
        if (!tl_fix_store_find(session->store, session->terms.number, session->send_next,
                               &message))
            return;
        size_t left = message.size - session->written;
        if (bytes < left) {
            session->written += (uint32_t)bytes;
            return;
        }
        bytes -= left;
        session->written = 0;
        session->send_next++;
    }
}
