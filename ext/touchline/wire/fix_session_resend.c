/* Messages sent again, a slice at a time: administrative ones and those no longer kept become gap
 * fills, the others go out as they were with PossDupFlag(43) = Y and OrigSendingTime(122). */
#include "touchline/wire/fix_session_state.h"
#include "touchline/wire/fix_text.h"

#include <string.h>

#define SCANNED_MAX 4096u /* numbers looked at for one slice */

void tl_fix_resend(tl_fix_session *session, uint64_t from, uint64_t to)
{
    if (to >= session->send_next)
        to = session->send_next - 1; /* the others come anyway, for the first time */
    if (from > to)
        return;
    session->resends++;
    number_range *current = &session->resend;
    if (current->from > current->to && session->gap_from == 0) {
        *current = (number_range){from, to};
        return;
    }
    uint64_t begun = session->gap_from != 0 ? session->gap_from : current->from;
    if (from >= begun) { /* still to come */
        current->to = to > current->to ? to : current->to;
        return;
    }
    number_range *later = &session->resend_later;
    if (later->from > later->to)
        *later = (number_range){from, to};
    if (from < later->from)
        later->from = from;
    if (to > later->to)
        later->to = to;
}

void tl_fix_resend_forget(tl_fix_session *session)
{
    session->resend = session->resend_later = (number_range){1, 0};
    session->gap_from = 0;
    session->slice_size = session->slice_at = 0;
}

static void add(tl_fix_session *session, const composed *whole)
{
    memcpy(session->slice + session->slice_size, whole->bytes, whole->size);
    session->slice_size += whole->size;
}

static header_extras orig_sending_time(char at[48], const tl_fix_session *session, int64_t ts_ns)
{
    char *end = tl_fix_put_time(at, 122, ts_ns, session->terms.time_decimals);
    return (header_extras){"", 0, at, (size_t)(end - at)};
}

void tl_fix_write_gap_fill(tl_fix_session *session, uint64_t from, uint64_t next,
                        const tl_fix_clock *now)
{
    char buffer[HEADER_MAX + 64 + TRAILER_MAX];
    char time[48];
    header_extras extras = orig_sending_time(time, session, now->utc_ns);
    char *end = tl_fix_put_uint(buffer + HEADER_MAX, 36, next);
    end = tl_fix_put_char(end, 123, 'Y');
    composed whole = tl_fix_compose(session, buffer, (size_t)(end - buffer) - HEADER_MAX, "4", from,
                                 true, &extras, now);
    add(session, &whole);
}

static void write_again(tl_fix_session *session, uint64_t number, const tl_fix_stored *message,
                        const tl_fix_clock *now)
{
    char buffer[HEADER_MAX + TL_FIX_BODY_MAX + TRAILER_MAX];
    char time[48], msg_type[8];
    size_t type_size = 0;
    const char *type = message->bytes + message->msg_type_at;
    while (type_size < sizeof msg_type - 1 && type[type_size] != TL_FIX_SOH)
        type_size++;
    memcpy(msg_type, type, type_size);
    msg_type[type_size] = 0;
    /* TargetCompID(56) is the last field of a report's header; the trailer has 7 bytes. */
    const char *body = message->bytes + message->body_at;
    const char *end = message->bytes + message->size - 7;
    body = (const char *)memchr(body, TL_FIX_SOH, (size_t)(end - body)) + 1;
    size_t size = (size_t)(end - body);
    memcpy(buffer + HEADER_MAX, body, size);
    header_extras extras = orig_sending_time(time, session, message->sending_time_ns);
    composed whole = tl_fix_compose(session, buffer, size, msg_type, number, true, &extras, now);
    add(session, &whole);
}

static void end_gap(tl_fix_session *session, uint64_t next, const tl_fix_clock *now)
{
    if (session->gap_from != 0)
        tl_fix_write_gap_fill(session, session->gap_from, next, now);
    session->gap_from = 0;
}

void tl_fix_resend_slice(tl_fix_session *session, const tl_fix_clock *now)
{
    const size_t message_max = HEADER_MAX + TL_FIX_BODY_MAX + TRAILER_MAX;
    number_range *range = &session->resend;
    session->slice_size = session->slice_at = 0;
    for (unsigned scanned = 0; range->from <= range->to; scanned++) {
        if (scanned == SCANNED_MAX || session->slice_size + 2 * message_max > SLICE_BYTES)
            break;
        tl_fix_stored message;
        uint64_t number = range->from;
        bool kept = tl_fix_store_find(session->store, session->terms.number, number, &message);
        if (kept && message.kind == TL_FIX_STORED_APPLICATION) {
            end_gap(session, number, now);
            write_again(session, number, &message, now);
            range->from = number + 1;
            continue;
        }
        if (session->gap_from == 0)
            session->gap_from = number;
        range->from = number + 1;
        if (!kept) {
            uint64_t first = tl_fix_store_first(session->store, session->terms.number, number);
            range->from = first <= range->to ? first : range->to + 1;
        }
    }
    if (range->from > range->to || session->slice_size == 0)
        end_gap(session, range->from, now);
    if (range->from > range->to) {
        *range = session->resend_later;
        session->resend_later = (number_range){1, 0};
    }
}
