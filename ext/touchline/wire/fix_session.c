/* What a session does with what it receives. */
#include "touchline/wire/fix_route.h"
#include "touchline/wire/fix_session_state.h"
#include "touchline/wire/fix_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int tl_fix_session_open(tl_fix_session **out, const tl_fix_terms *terms, tl_fix_store *store)
{
    *out = NULL;
    tl_fix_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return -ENOMEM;
    session->slice = malloc(SLICE_BYTES); /* its pages are touched by the first resend */
    if (session->slice == NULL) {
        free(session);
        return -ENOMEM;
    }
    session->terms = *terms;
    session->store = store;
    session->send_next = fix_marks(session)->next_out;
    session->asked = (number_range){1, 0};
    tl_fix_resend_forget(session);
    tl_fix_terms_texts(session);
    *out = session;
    return 0;
}

void tl_fix_session_close(tl_fix_session *session)
{
    if (session == NULL)
        return;
    free(session->held);
    free(session->slice);
    free(session);
}

const tl_fix_terms *tl_fix_session_terms(const tl_fix_session *session)
{
    return &session->terms;
}

tl_fix_session_state tl_fix_session_state_of(const tl_fix_session *session)
{
    return session->state;
}

int tl_fix_session_agree(tl_fix_session *session, const tl_fix_terms *terms)
{
    if (session->state != TL_FIX_AWAY)
        return -EBUSY;
    if (terms->number != session->terms.number)
        return -EINVAL;
    session->terms = *terms;
    tl_fix_terms_texts(session);
    return 0;
}

void tl_fix_enter(tl_fix_session *session, tl_fix_session_state state, const tl_fix_clock *now)
{
    session->state = state;
    session->since_ns = now->utc_ns;
    session->over_ns = now->mono_ns + LEAVE_NS;
}

/* A store that fails leaves no way to go on. */
static tl_fix_received over(tl_fix_session *session, const tl_fix_clock *now)
{
    tl_fix_enter(session, TL_FIX_OVER, now);
    return TL_FIX_GONE;
}

/* Logout and the end, where the standard knows no other answer. */
static tl_fix_received leave(tl_fix_session *session, const char *text, const tl_fix_clock *now)
{
    tl_fix_session_logout(session, text, now);
    return over(session, now);
}

void tl_fix_took(tl_fix_session *session, const tl_fix_message *message, uint64_t lane_sent,
              const tl_fix_clock *now)
{
    uint64_t expected = fix_marks(session)->next_in;
    if (message->msg_seq_num != expected)
        return;
    tl_fix_store_took(session->store, session->terms.number, expected + 1, lane_sent, now->utc_ns);
    if (expected >= session->asked.to)
        session->asked = (number_range){1, 0};
}

static void took(tl_fix_session *session, const tl_fix_message *message, const tl_fix_clock *now)
{
    tl_fix_took(session, message, fix_marks(session)->lane_sent, now);
}

void tl_fix_session_took(tl_fix_session *session, const tl_fix_message *message,
                         uint64_t lane_sent, const tl_fix_clock *now)
{
    bool held = tl_fix_is_held(session, message);
    tl_fix_took(session, message, lane_sent, now);
    if (held)
        tl_fix_held_pop(session);
}

int tl_fix_ask(tl_fix_session *session, uint64_t seen, const tl_fix_clock *now)
{
    if (session->asked.from <= session->asked.to)
        return 0;
    uint64_t expected = fix_marks(session)->next_in;
    session->asked = (number_range){expected, seen - 1};
    char body[64];
    char *end = tl_fix_put_uint(tl_fix_put_uint(body, 7, expected), 16, 0);
    return tl_fix_send_admin(session, "2", body, (size_t)(end - body), NULL, now);
}

static bool value_is(const tl_fix_message *message, uint32_t tag, const char *text)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && field->size == strlen(text) &&
           memcmp(tl_fix_value(message, field), text, field->size) == 0;
}

bool tl_fix_names_good(const tl_fix_session *session, const tl_fix_message *message)
{
    return value_is(message, 49, session->terms.comp_id) &&
           value_is(message, 56, session->terms.venue_comp_id);
}

static bool read_time(const tl_fix_message *message, uint32_t tag, int64_t *ts_ns)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && tl_fix_read_time(tl_fix_value(message, field), field->size, ts_ns);
}

static bool read_number(const tl_fix_message *message, uint32_t tag, uint64_t *number)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && tl_fix_read_uint(tl_fix_value(message, field), field->size, number);
}

bool tl_fix_time_good(const tl_fix_session *session, const tl_fix_message *message,
                   const tl_fix_clock *now)
{
    int64_t ts_ns;
    int64_t tolerance = (int64_t)session->terms.sending_time_tolerance_s * SECOND_NS;
    return read_time(message, 52, &ts_ns) && ts_ns >= now->utc_ns - tolerance &&
           ts_ns <= now->utc_ns + tolerance;
}

/* The route back: who was sender is target now. */
static char *reverse(char *at, const tl_fix_message *message, uint32_t from, uint32_t to)
{
    const tl_fix_field *field = tl_fix_find(message, from);
    if (field == NULL || field->size == 0 || field->size > TL_FIX_NAME_MAX)
        return at;
    return tl_fix_put_text(at, to, tl_fix_value(message, field), field->size);
}

static int send_reject(tl_fix_session *session, const tl_fix_message *message,
                       const tl_fix_verdict *verdict, const tl_fix_clock *now)
{
    char body[ADMIN_BODY_MAX], before[96], after[768];
    char *end = body;
    const tl_fix_field *number = tl_fix_find(message, 34);
    if (number != NULL && number->size != 0 && number->size <= 20)
        end = tl_fix_put_text(end, 45, tl_fix_value(message, number), number->size);
    if (verdict->text != NULL)
        end = tl_fix_put_text(end, 58, verdict->text, strnlen(verdict->text, 512));
    if (verdict->ref_tag != 0 || verdict->reason == 0)
        end = tl_fix_put_uint(end, 371, verdict->ref_tag);
    const tl_fix_field *type = tl_fix_find(message, 35);
    if (type != NULL && type->size != 0 && type->size <= 64)
        end = tl_fix_put_text(end, 372, tl_fix_value(message, type), type->size);
    if (verdict->reason <= 11 || session->terms.dialect->version != TL_FIX_42)
        end = tl_fix_put_uint(end, 373, (uint64_t)verdict->reason);
    static const uint32_t routes[][2] = {{50, 57},   {115, 128}, {116, 129}, {128, 115},
                                         {129, 116}, {142, 143}, {143, 142}, {144, 145},
                                         {145, 144}};
    char *before_end = reverse(before, message, 57, 50);
    char *after_end = after;
    for (uint32_t tag = 57; tag <= 145; tag++)
        for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
            if (routes[i][1] == tag)
                after_end = reverse(after_end, message, routes[i][0], tag);
    header_extras extras = {before, (size_t)(before_end - before), after,
                            (size_t)(after_end - after)};
    return tl_fix_send_admin(session, "3", body, (size_t)(end - body), &extras, now);
}

int tl_fix_session_reject(tl_fix_session *session, const tl_fix_message *message,
                          const tl_fix_verdict *verdict, const tl_fix_clock *now)
{
    int error = 0;
    /* Neither 3 nor j is answered by 3: two such parties would never end. */
    if (message->type != TL_FIX_REJECT && message->type != TL_FIX_BUSINESS_MESSAGE_REJECT)
        error = send_reject(session, message, verdict, now);
    if (error == 0 && message->type != TL_FIX_SEQUENCE_RESET && message->type != TL_FIX_LOGON)
        took(session, message, now);
    return error;
}

static tl_fix_received reject(tl_fix_session *session, const tl_fix_message *message, int reason,
                              uint32_t tag, const char *text, const tl_fix_clock *now)
{
    tl_fix_verdict verdict = {.reason = reason, .ref_tag = tag, .text = text};
    int error = tl_fix_session_reject(session, message, &verdict, now);
    return error == 0 ? TL_FIX_DONE : over(session, now);
}

/* Reject and Logout: what is wrong would be wrong with every message. */
static tl_fix_received reject_and_leave(tl_fix_session *session, const tl_fix_message *message,
                                        int reason, const char *text, const tl_fix_clock *now)
{
    if (reject(session, message, reason, 0, text, now) == TL_FIX_GONE)
        return TL_FIX_GONE;
    return tl_fix_session_logout(session, "", now) == 0 ? TL_FIX_DONE : over(session, now);
}

static tl_fix_received too_low(tl_fix_session *session, const tl_fix_message *message,
                               const tl_fix_clock *now)
{
    if (!message->poss_dup) {
        char text[128], number[24];
        char *at = text;
        const char *parts[] = {"MsgSeqNum too low, expecting ", number, " but received ", number};
        for (unsigned i = 0; i < 4; i++) {
            if (i % 2 == 1)
                tl_fix_write_digits(number, i == 1 ? fix_marks(session)->next_in
                                                : message->msg_seq_num);
            size_t size = strlen(parts[i]);
            memcpy(at, parts[i], size);
            at += size;
        }
        *at = 0;
        return leave(session, text, now);
    }
    if (message->type == TL_FIX_SEQUENCE_RESET)
        return TL_FIX_DONE;
    int64_t orig_ns, sent_ns;
    if (tl_fix_find(message, 122) == NULL)
        return reject(session, message, 1, 122, "Required tag missing", now);
    if (read_time(message, 122, &orig_ns) && read_time(message, 52, &sent_ns) && orig_ns > sent_ns)
        return reject_and_leave(session, message, 10, "SendingTime accuracy problem", now);
    return TL_FIX_DONE;
}

/* APPLICATION: the message's own part is next. `high`, `low`: are such numbers looked at? */
static tl_fix_received verify(tl_fix_session *session, const tl_fix_message *message, bool high,
                              bool low, const tl_fix_clock *now)
{
    if (!tl_fix_is_held(session, message) && !tl_fix_time_good(session, message, now))
        return reject_and_leave(session, message, 10, "SendingTime accuracy problem", now);
    if (!tl_fix_names_good(session, message))
        return reject_and_leave(session, message, 9, "CompID problem", now);
    session->test_requests = 0;
    uint64_t expected = fix_marks(session)->next_in;
    if (high && message->msg_seq_num > expected) {
        tl_fix_hold(session, message);
        return tl_fix_ask(session, message->msg_seq_num, now) == 0 ? TL_FIX_DONE
                                                                   : over(session, now);
    }
    if (low && message->msg_seq_num < expected)
        return too_low(session, message, now);
    return TL_FIX_APPLICATION;
}

static tl_fix_received resend_request(tl_fix_session *session, const tl_fix_message *message,
                                      const tl_fix_clock *now)
{
    static const char out_of_range[] = "Value is incorrect (out of range) for this tag";
    uint64_t begin, end, next_out = fix_marks(session)->next_out;
    if (!read_number(message, 7, &begin) || begin == 0)
        return reject(session, message, 5, 7, out_of_range, now);
    if (!read_number(message, 16, &end))
        return reject(session, message, 5, 16, out_of_range, now);
    if (begin >= next_out) { /* what was never sent comes in its turn, for the first time */
        took(session, message, now);
        return TL_FIX_DONE;
    }
    if (end == 0 || end >= next_out ||
        (end == 999999 && session->terms.dialect->version == TL_FIX_42))
        end = next_out - 1;
    if (begin > end)
        return reject(session, message, 5, 16, out_of_range, now);
    tl_fix_resend(session, begin, end);
    took(session, message, now);
    return TL_FIX_DONE;
}

static tl_fix_received sequence_reset(tl_fix_session *session, const tl_fix_message *message,
                                      const tl_fix_clock *now)
{
    uint64_t number, expected = fix_marks(session)->next_in;
    if (!read_number(message, 36, &number) || number < expected)
        return reject(session, message, 5, 0, "Value is incorrect (out of range) for this tag",
                      now);
    if (number > expected)
        tl_fix_store_took(session->store, session->terms.number, number,
                          fix_marks(session)->lane_sent, now->utc_ns);
    if (number > session->asked.to)
        session->asked = (number_range){1, 0};
    return TL_FIX_DONE;
}

static tl_fix_received test_request(tl_fix_session *session, const tl_fix_message *message,
                                    const tl_fix_clock *now)
{
    char body[ADMIN_BODY_MAX];
    char *end = body;
    const tl_fix_field *id = tl_fix_find(message, 112);
    if (id != NULL && id->size <= ADMIN_BODY_MAX - 16)
        end = tl_fix_put_text(end, 112, tl_fix_value(message, id), id->size);
    if (tl_fix_send_admin(session, "0", body, (size_t)(end - body), NULL, now) != 0)
        return over(session, now);
    took(session, message, now);
    return TL_FIX_DONE;
}

static tl_fix_received logout(tl_fix_session *session, const tl_fix_message *message,
                              const tl_fix_clock *now)
{
    /* A number beyond what is expected stays unexpected: the next Logon asks for the gap. */
    session->logged_out = true;
    took(session, message, now);
    if (session->state == TL_FIX_ON)
        tl_fix_send_admin(session, "5", "", 0, NULL, now);
    return over(session, now);
}

static tl_fix_received business(tl_fix_session *session, const tl_fix_message *message,
                                const tl_fix_verdict *verdict, const tl_fix_clock *now)
{
    char body[ADMIN_BODY_MAX];
    tl_fix_route route;
    tl_fix_route_of(&route, message);
    memcpy(body, route.text, route.size);
    char *end = tl_fix_put_uint(body + route.size, 45, message->msg_seq_num);
    if (verdict->text != NULL)
        end = tl_fix_put_text(end, 58, verdict->text, strnlen(verdict->text, 512));
    const tl_fix_field *type = tl_fix_find(message, 35);
    end = tl_fix_put_text(end, 372, tl_fix_value(message, type), type->size < 64 ? type->size : 64);
    end = tl_fix_put_uint(end, 380, (uint64_t)verdict->business);
    if (tl_fix_session_send(session, "j", body, (size_t)(end - body), 0, now) != 0)
        return over(session, now);
    took(session, message, now);
    return TL_FIX_DONE;
}

bool tl_fix_of_another_version(const tl_fix_message *message)
{
    return message->count >= 3 && message->fields[0].tag == 8 && message->fields[1].tag == 9 &&
           message->fields[2].tag == 35;
}

tl_fix_received tl_fix_session_unread(tl_fix_session *session, const tl_fix_message *message,
                                      const tl_fix_clock *now)
{
    if (session->state == TL_FIX_AWAY || session->state == TL_FIX_OVER)
        return TL_FIX_GONE;
    if (!tl_fix_of_another_version(message))
        return TL_FIX_DONE;
    return leave(session, "Incorrect BeginString", now);
}

static tl_fix_received dispatch(tl_fix_session *session, const tl_fix_message *message,
                                const tl_fix_clock *now)
{
    if (message->type == TL_FIX_LOGON) /* only the first message may be one */
        return over(session, now);
    if (message->malformed == UINT32_MAX && tl_fix_find(message, 34) == NULL)
        return leave(session, "MsgSeqNum missing", now);
    tl_fix_verdict verdict = tl_fix_check(message, session->terms.dialect);
    if (verdict.reason >= 0) {
        int error = tl_fix_session_reject(session, message, &verdict, now);
        return error == 0 ? TL_FIX_DONE : over(session, now);
    }
    bool in_order = message->type != TL_FIX_LOGOUT && message->type != TL_FIX_RESEND_REQUEST &&
                    (message->type != TL_FIX_SEQUENCE_RESET || tl_fix_is(message, 123, 'Y'));
    tl_fix_received verified = verify(session, message, in_order, in_order, now);
    if (verified != TL_FIX_APPLICATION)
        return verified;
    switch (message->type) {
    case TL_FIX_RESEND_REQUEST:
        return resend_request(session, message, now);
    case TL_FIX_SEQUENCE_RESET:
        return sequence_reset(session, message, now);
    case TL_FIX_TEST_REQUEST:
        return test_request(session, message, now);
    case TL_FIX_LOGOUT:
        return logout(session, message, now);
    case TL_FIX_HEARTBEAT:
    case TL_FIX_REJECT:
    case TL_FIX_BUSINESS_MESSAGE_REJECT:
        took(session, message, now);
        return TL_FIX_DONE;
    default:
        return verdict.business != 0 ? business(session, message, &verdict, now)
                                     : TL_FIX_APPLICATION;
    }
}

tl_fix_received tl_fix_session_receive(tl_fix_session *session, const tl_fix_message *message,
                                       const tl_fix_clock *now)
{
    if (session->state == TL_FIX_AWAY || session->state == TL_FIX_OVER)
        return TL_FIX_GONE;
    session->heard_ns = now->mono_ns;
    bool held = tl_fix_is_held(session, message);
    tl_fix_received received = dispatch(session, message, now);
    if (held && received != TL_FIX_APPLICATION)
        tl_fix_held_pop(session);
    return received;
}
