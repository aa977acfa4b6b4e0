/* The session's parts: what comes in (fix_session.c), logon (fix_session_logon.c), what goes out
 * (fix_session_send.c), what is sent again (fix_session_resend.c), what came too early
 * (fix_session_held.c). */
#ifndef TOUCHLINE_FIX_SESSION_STATE_H
#define TOUCHLINE_FIX_SESSION_STATE_H

#include "touchline/wire/fix_session.h"

#define SECOND_NS INT64_C(1000000000)
#define LEAVE_NS (2 * SECOND_NS)
#define SLICE_BYTES 65536u
#define NUMBER_MAX (UINT64_MAX >> 1)
#define ADMIN_BODY_MAX 2048u

typedef struct held_message {
    uint64_t msg_seq_num;
    uint32_t size, room; /* of the text behind it */
} held_message;

typedef struct number_range { /* both ends included; empty when from > to */
    uint64_t from, to;
} number_range;

struct tl_fix_session {
    tl_fix_terms terms;
    tl_fix_store *store;
    tl_fix_session_state state;
    int64_t since_ns;
    bool logged_out; /* by the peer, on this connection or the last */
    uint32_t heartbeat_s;
    int64_t heard_ns, spoke_ns, over_ns; /* monotonic */
    uint32_t test_requests;              /* unanswered */
    number_range asked;                  /* what the peer was asked to send again */
    uint64_t send_next;                  /* number of the message to be written next */
    uint64_t welcome;                    /* that of our Logon on this connection */
    uint32_t written;                    /* bytes of it that are on the wire */
    uint64_t waiting_bytes;              /* of live messages from there on, `written` included */
    uint64_t last;                       /* the number after our Logout, behind which nothing is
                                            written on this connection; 0: there was none */
    number_range resend, resend_later;
    uint64_t gap_from; /* numbers from here to resend.from become a gap fill; 0: none */
    uint64_t resends;
    char *slice; /* what is sent again, as it goes out */
    size_t slice_size, slice_at;
    char *held;
    uint32_t held_first, held_end; /* bytes of `held` in use */
    uint64_t held_count, held_last;
    char text[160];
    char sender[TL_FIX_NAME_MAX + 8], target[TL_FIX_NAME_MAX + 8]; /* "49=...", "56=..." */
    uint32_t sender_size, target_size;
    char begin[16]; /* "8=...", "9=" */
    uint32_t begin_size;
    char time_text[40]; /* "52=..." of time_ns */
    uint32_t time_size;
    int64_t time_ns;
};

/* The rest of a header, in the order of tags; "" where there is none. */
typedef struct header_extras {
    const char *before_time; /* 50 */
    size_t before_size;
    const char *after_target; /* 57, 115, 128, ... */
    size_t after_size;
} header_extras;

/* Room before the body of a message that is composed in place. */
#define HEADER_MAX 1024u
#define TRAILER_MAX 16u

typedef struct composed {
    const char *bytes;
    uint32_t size, body_at, msg_type_at;
} composed;

/* fix_session_send.c: a message around the body at buffer + HEADER_MAX, which has room for the
 * trailer behind it. */
composed tl_fix_compose(tl_fix_session *session, char *buffer, size_t body_size,
                        const char *msg_type,
                     uint64_t msg_seq_num, bool poss_dup, const header_extras *extras,
                     const tl_fix_clock *now);
int tl_fix_send_admin(tl_fix_session *session, const char *msg_type, const char *body, size_t size,
                   const header_extras *extras, const tl_fix_clock *now);
void tl_fix_enter(tl_fix_session *session, tl_fix_session_state state, const tl_fix_clock *now);
void tl_fix_terms_texts(tl_fix_session *session);
const char *tl_fix_write_digits(char at[24], uint64_t number);

/* fix_session_resend.c */
void tl_fix_resend(tl_fix_session *session, uint64_t from, uint64_t to);
void tl_fix_resend_slice(tl_fix_session *session, const tl_fix_clock *now);
void tl_fix_write_gap_fill(tl_fix_session *session, uint64_t from, uint64_t next,
                        const tl_fix_clock *now);
void tl_fix_resend_forget(tl_fix_session *session);

/* fix_session_held.c */
void tl_fix_hold(tl_fix_session *session, const tl_fix_message *message);
bool tl_fix_is_held(const tl_fix_session *session, const tl_fix_message *message);
void tl_fix_held_pop(tl_fix_session *session);
void tl_fix_held_forget(tl_fix_session *session);

/* fix_session.c */
void tl_fix_took(tl_fix_session *session, const tl_fix_message *message, uint64_t lane_sent,
              const tl_fix_clock *now);
int tl_fix_ask(tl_fix_session *session, uint64_t seen, const tl_fix_clock *now);
bool tl_fix_time_good(const tl_fix_session *session, const tl_fix_message *message,
                   const tl_fix_clock *now);
bool tl_fix_names_good(const tl_fix_session *session, const tl_fix_message *message);

/* Nothing waits to be written: what is there will be asked for. */
static inline void tl_fix_nothing_waits(tl_fix_session *session, uint64_t send_next)
{
    session->send_next = send_next;
    session->written = 0;
    session->waiting_bytes = 0;
}

static inline const tl_fix_marks *fix_marks(const tl_fix_session *session)
{
    return tl_fix_store_marks(session->store, session->terms.number);
}

#endif
