/* How a session begins and ends, and what time brings: Logon, heartbeats, deadlines, status. */
#include "touchline/wire/fix_session_state.h"
#include "touchline/wire/fix_text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool number_of(const tl_fix_message *message, uint32_t tag, uint64_t *number)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && tl_fix_read_uint(tl_fix_value(message, field), field->size, number);
}

const char *tl_fix_logon_refusal(const tl_fix_message *logon)
{
    uint64_t value;
    if (!number_of(logon, 98, &value) || value != 0)
        return "EncryptMethod(98) must be 0";
    if (tl_fix_is(logon, 141, 'Y') && logon->msg_seq_num != 1)
        return "MsgSeqNum(34) must be 1 with ResetSeqNumFlag(141)";
    return NULL;
}

/* NULL: its sender may come in. */
static const char *refusal(tl_fix_session *session, const tl_fix_message *logon, bool reset,
                           const tl_fix_clock *now)
{
    uint64_t value, expected = fix_marks(session)->next_in;
    if (session->state != TL_FIX_AWAY)
        return "Already logged on";
    if (!tl_fix_names_good(session, logon))
        return "CompID problem";
    if (!tl_fix_time_good(session, logon, now))
        return "SendingTime accuracy problem";
    const char *why = tl_fix_logon_refusal(logon);
    if (why != NULL)
        return why;
    if (!number_of(logon, 108, &value) || value == 0 || value > session->terms.heartbeat_max_s) {
        snprintf(session->text, sizeof session->text,
                 "HeartBtInt(108) must be 1 to %u seconds", session->terms.heartbeat_max_s);
        return session->text;
    }
    const char *version = session->terms.dialect->appl_ver_id;
    const tl_fix_field *given = tl_fix_find(logon, 1137);
    if (version[0] != 0 && (given == NULL || given->size != strlen(version) ||
                            memcmp(tl_fix_value(logon, given), version, given->size) != 0))
        return "DefaultApplVerID(1137) is not the session's";
    if (reset)
        return NULL;
    if (logon->msg_seq_num < expected) {
        snprintf(session->text, sizeof session->text,
                 "MsgSeqNum too low, expecting %llu but received %llu",
                 (unsigned long long)expected, (unsigned long long)logon->msg_seq_num);
        return session->text;
    }
    if (number_of(logon, 789, &value) && (value == 0 || value > fix_marks(session)->next_out))
        return "NextExpectedMsgSeqNum(789) is not below what is sent next";
    return NULL;
}

static int send_logon(tl_fix_session *session, bool reset, uint64_t next_expected,
                      const tl_fix_clock *now)
{
    char body[160];
    char *end = tl_fix_put_uint(body, 98, 0);
    end = tl_fix_put_uint(end, 108, session->heartbeat_s);
    if (reset)
        end = tl_fix_put_char(end, 141, 'Y');
    if (next_expected != 0)
        end = tl_fix_put_uint(end, 789, next_expected);
    const char *version = session->terms.dialect->appl_ver_id;
    if (version[0] != 0)
        end = tl_fix_put_text(end, 1137, version, strlen(version));
    return tl_fix_send_admin(session, "A", body, (size_t)(end - body), NULL, now);
}

const char *tl_fix_session_logon(tl_fix_session *session, const tl_fix_message *logon,
                                 const tl_fix_clock *now)
{
    static const char no_store[] = "The venue can not keep messages now";
    bool reset = tl_fix_is(logon, 141, 'Y');
    const char *why = refusal(session, logon, reset, now);
    if (why != NULL)
        return why;
    uint64_t value, wanted = 0, number = session->terms.number;
    if (reset && tl_fix_store_reset(session->store, (uint32_t)number, 1, 1, now->utc_ns) != 0)
        return no_store;
    uint64_t expected = fix_marks(session)->next_in, next_out = fix_marks(session)->next_out;
    bool in_order = logon->msg_seq_num == expected;
    if (!reset)
        number_of(logon, 789, &wanted);
    number_of(logon, 108, &value);
    session->heartbeat_s = (uint32_t)value;
    session->send_next = session->welcome = next_out;
    session->written = 0;
    session->test_requests = 0;
    session->asked = (number_range){1, 0};
    session->heard_ns = now->mono_ns;
    tl_fix_resend_forget(session);
    tl_fix_held_forget(session);
    session->logged_out = false;
    bool says_next = tl_fix_find(logon, 789) != NULL;
    tl_fix_enter(session, TL_FIX_ON, now);
    if (send_logon(session, reset, says_next ? expected + in_order : 0, now) != 0) {
        tl_fix_enter(session, TL_FIX_AWAY, now);
        return no_store;
    }
    tl_fix_took(session, logon, fix_marks(session)->lane_sent, now);
    if (wanted != 0 && wanted < next_out)
        tl_fix_resend(session, wanted, next_out - 1);
    if (in_order)
        return NULL;
    if (says_next) /* he sends what is missing by himself */
        session->asked = (number_range){expected, logon->msg_seq_num};
    else if (tl_fix_ask(session, logon->msg_seq_num, now) != 0)
        tl_fix_enter(session, TL_FIX_OVER, now);
    return NULL;
}

int tl_fix_session_reset(tl_fix_session *session, uint64_t next_out, uint64_t next_in,
                         const tl_fix_clock *now)
{
    if (session->state != TL_FIX_AWAY)
        return -EBUSY;
    int error = tl_fix_store_reset(session->store, session->terms.number, next_out, next_in,
                                   now->utc_ns);
    if (error == 0)
        session->send_next = next_out;
    return error;
}

/* Nothing more is written. */
static void give_up(tl_fix_session *session, const tl_fix_clock *now)
{
    if (session->state != TL_FIX_OVER)
        tl_fix_enter(session, TL_FIX_OVER, now);
    session->send_next = fix_marks(session)->next_out;
    session->written = 0;
    tl_fix_resend_forget(session);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t tl_fix_session_tick(tl_fix_session *session, const tl_fix_clock *now)
{
    if (session->state == TL_FIX_AWAY)
        return INT64_MAX;
    int64_t mono_ns = now->mono_ns;
    if (session->state != TL_FIX_ON) {
        if (mono_ns >= session->over_ns)
            give_up(session, now);
        return session->state == TL_FIX_OVER && mono_ns >= session->over_ns ? INT64_MAX
                                                                           : session->over_ns;
    }
    int64_t interval = (int64_t)session->heartbeat_s * SECOND_NS;
    int64_t gone = session->heard_ns + interval * 12 / 5;
    if (mono_ns >= gone) {
        give_up(session, now);
        return INT64_MAX;
    }
    int64_t test = session->heard_ns + (session->test_requests + 1) * (interval * 6 / 5);
    if (mono_ns >= test) {
        session->test_requests++;
        test += interval * 6 / 5;
        if (tl_fix_send_admin(session, "1", "112=TEST\x01", 9, NULL, now) != 0)
            give_up(session, now);
    }
    int64_t beat = session->spoke_ns + interval;
    if (mono_ns >= beat) {
        /* Behind bytes that wait for a slow peer one more would tell him nothing. */
        if (session->send_next == fix_marks(session)->next_out &&
            tl_fix_send_admin(session, "0", "", 0, NULL, now) != 0)
            give_up(session, now);
        session->spoke_ns = mono_ns;
        beat = mono_ns + interval;
    }
    return earlier(earlier(gone, test), beat);
}

void tl_fix_session_left(tl_fix_session *session, const tl_fix_clock *now)
{
    tl_fix_enter(session, TL_FIX_AWAY, now);
    session->send_next = fix_marks(session)->next_out;
    session->written = 0;
    session->asked = (number_range){1, 0};
    tl_fix_resend_forget(session);
    tl_fix_held_forget(session);
}

bool tl_fix_session_logged_out(const tl_fix_session *session)
{
    return session->logged_out;
}

bool tl_fix_ended_by_logout(tl_fix_store *store, uint32_t session)
{
    tl_fix_stored found;
    const uint64_t first = tl_fix_store_first(store, session, 1);
    for (uint64_t number = tl_fix_store_marks(store, session)->next_out; number-- > first;) {
        if (!tl_fix_store_find(store, session, number, &found))
            continue;
        const char *type = found.bytes + found.msg_type_at;
        if (found.kind == TL_FIX_STORED_ADMIN && type[1] == TL_FIX_SOH &&
            (type[0] == '5' || type[0] == 'A'))
            return type[0] == '5';
    }
    return false;
}

void tl_fix_session_status_read(const tl_fix_session *session, tl_fix_session_status *out)
{
    const tl_fix_marks *marks = fix_marks(session);
    *out = (tl_fix_session_status){.state = session->state,
                                   .since_ns = session->since_ns,
                                   .next_in = marks->next_in,
                                   .next_out = marks->next_out,
                                   .unwritten = marks->next_out - session->send_next,
                                   .held = session->held_count,
                                   .heartbeat_s = session->heartbeat_s,
                                   .last_in_ns = marks->last_in_ns,
                                   .last_out_ns = marks->last_out_ns,
                                   .resends = session->resends};
}
