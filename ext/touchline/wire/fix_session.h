/* A FIX session: numbers, logon, heartbeats, gaps, resends, logout. No socket, no clock, no order.
 *
 *   whole message ─ parse, check ─► tl_fix_session_receive ─► done here, or the desk's
 *   report, answer ──────────────► tl_fix_session_send ─► store ─► tl_fix_session_output ─► wire
 *
 * What is sent goes into the store and is written to the wire from there, so that a slow peer
 * costs no memory, and a resend is the same way walked again: while one is under way newer messages
 * wait in the store behind it. Resends come in slices, one for each tl_fix_session_output.
 *
 * Two clocks are handed in: utc_ns for SendingTime(52), mono_ns for heartbeats and deadlines, which
 * no step of the host's clock moves. Belongs to one thread; nothing here blocks or allocates after
 * open, but for held messages, which are bounded.
 */
#ifndef TOUCHLINE_FIX_SESSION_H
#define TOUCHLINE_FIX_SESSION_H

#include "touchline/wire/fix_message.h"
#include "touchline/wire/fix_store.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#define TL_FIX_NAME_MAX 64u      /* bytes of a CompID */
#define TL_FIX_BODY_MAX 16384u   /* bytes of a message's fields after the header */
#define TL_FIX_HELD_BYTES 262144u /* of messages that came before those they follow */

typedef struct tl_fix_clock {
    int64_t utc_ns;
    int64_t mono_ns;
} tl_fix_clock;

typedef struct tl_fix_terms { /* what is agreed with the peer */
    uint32_t number;                      /* of the session in the journal and the store */
    const tl_fix_dialect *dialect;
    char comp_id[TL_FIX_NAME_MAX + 1];    /* the peer's */
    char venue_comp_id[TL_FIX_NAME_MAX + 1];
    uint32_t heartbeat_max_s;             /* HeartBtInt(108) is 1 to this */
    uint32_t sending_time_tolerance_s;    /* 120 */
    uint8_t time_decimals;                /* of the times we write: 3, 6 or 9 */
    uint8_t permissions;                  /* TL_FIX_MAY_... of fix_desk.h; the desk's, at once */
    uint8_t cancel_on;                    /* TL_FIX_CANCEL_ON_...: his orders end when he leaves */
    uint32_t cancel_grace_s;              /* and is not back by then */
    bool pending_reports;                 /* the desk's, at once */
    uint8_t cl_ord_id_scope;              /* likewise */
    uint32_t throttle;                    /* messages a second that are read; 0: any number */
} tl_fix_terms;

enum { TL_FIX_CANCEL_ON_LOGOUT = 1, TL_FIX_CANCEL_ON_DISCONNECT = 2 };

typedef enum tl_fix_session_state {
    TL_FIX_AWAY,       /* no connection; what is sent is kept */
    TL_FIX_ON,         /* logged on */
    TL_FIX_LEAVING,    /* we sent Logout and wait for theirs */
    TL_FIX_OVER        /* close the connection once what is due is written */
} tl_fix_session_state;

typedef struct tl_fix_session tl_fix_session;

int tl_fix_session_open(tl_fix_session **out, const tl_fix_terms *terms, tl_fix_store *store);
void tl_fix_session_close(tl_fix_session *session);
const tl_fix_terms *tl_fix_session_terms(const tl_fix_session *session);
tl_fix_session_state tl_fix_session_state_of(const tl_fix_session *session);
/* The terms may change while the peer is away, and accounts of the desk at any time. */
int tl_fix_session_agree(tl_fix_session *session, const tl_fix_terms *terms);

/* What no Logon may ask for, whatever the session is: NULL, or why it is refused. */
const char *tl_fix_logon_refusal(const tl_fix_message *logon);
/* A Logon that is whole, well formed (tl_fix_check), for this session and whose sender may come in:
 * nobody's numbers change before this is called. Sends the answer, resets the numbers where
 * ResetSeqNumFlag(141) = Y, begins a resend where NextExpectedMsgSeqNum(789) or asks for one where
 * MsgSeqNum(34) says so. NULL, or why it is refused: then nothing was changed or sent, and the
 * text is for a Logout written by tl_fix_write_refusal. */
const char *tl_fix_session_logon(tl_fix_session *session, const tl_fix_message *logon,
                                 const tl_fix_clock *now);
/* A Logout without a number of the session's: MsgSeqNum(34) is `msg_seq_num`, nothing is stored.
 * Bytes written at `out`, which holds 512. */
size_t tl_fix_write_refusal(char *out, const tl_fix_terms *terms, uint64_t msg_seq_num,
                            const char *text, const tl_fix_clock *now);

typedef enum tl_fix_received {
    TL_FIX_DONE,        /* an administrative message, a duplicate, a refusal: dealt with */
    TL_FIX_APPLICATION, /* in order and well formed: the desk's; then tl_fix_session_took */
    TL_FIX_GONE         /* nothing more is read; the connection is to be closed once what is due
                           (a Logout) is written: the session is TL_FIX_OVER */
} tl_fix_received;

/* One message of an open session, parsed. Checks it (tl_fix_check, CompIDs, SendingTime, numbers)
 * and does what a session does. For APPLICATION nothing has changed yet: the same message may be
 * handed in again, later, if the desk can not take it now. */
tl_fix_received tl_fix_session_receive(tl_fix_session *session, const tl_fix_message *message,
                                       const tl_fix_clock *now);
/* One that tl_fix_parse would not have: of another version than the session's it ends it, by
 * Logout; what is no message is dropped (DONE). */
bool tl_fix_of_another_version(const tl_fix_message *message);
tl_fix_received tl_fix_session_unread(tl_fix_session *session, const tl_fix_message *message,
                                      const tl_fix_clock *now);
/* The desk has taken the APPLICATION message (or answered it). `lane_sent`: tl_lane_sent(). */
void tl_fix_session_took(tl_fix_session *session, const tl_fix_message *message,
                         uint64_t lane_sent, const tl_fix_clock *now);
/* A message that came too early and is next now: to be parsed and handed in before any other is
 * read. False: none. It is dropped from what is held by tl_fix_session_took or the receive that
 * deals with it. */
bool tl_fix_session_held(tl_fix_session *session, const char **bytes, size_t *size);

/* Reject(3) for the message at hand; it counts as taken. */
int tl_fix_session_reject(tl_fix_session *session, const tl_fix_message *message,
                          const tl_fix_verdict *verdict, const tl_fix_clock *now);

/* Send, or keep for a peer who is away. `body`: fields after the header, each with its SOH, at most
 * TL_FIX_BODY_MAX. key as in the store. 0 or -errno of the store. */
int tl_fix_session_send(tl_fix_session *session, const char *msg_type, const char *body,
                        size_t size, uint64_t key, const tl_fix_clock *now);
/* The same for a message that tells how things stand now: it is never sent again, a gap fill stands
 * for it. */
int tl_fix_session_send_passing(tl_fix_session *session, const char *msg_type, const char *body,
                                size_t size, const tl_fix_clock *now);
/* Is the peer logged on, and all that was sent on the wire? */
bool tl_fix_session_drained(const tl_fix_session *session);
/* Log the peer out; it is over when he answers, or some seconds later (tl_fix_session_tick). */
int tl_fix_session_logout(tl_fix_session *session, const char *text, const tl_fix_clock *now);
/* An operator's reset, of a session that is away. */
int tl_fix_session_reset(tl_fix_session *session, uint64_t next_out, uint64_t next_in,
                         const tl_fix_clock *now);

/* Heartbeats and deadlines: call when mono_ns has reached what it returned last. */
int64_t tl_fix_session_tick(tl_fix_session *session, const tl_fix_clock *now);

/* Bytes to be written to the wire next, at most `max` pieces and about 64 KiB; 0: none are due.
 * They are valid until anything is sent. */
int tl_fix_session_output(tl_fix_session *session, struct iovec *pieces, int max,
                          const tl_fix_clock *now);
/* So many of them were. */
void tl_fix_session_wrote(tl_fix_session *session, size_t bytes, const tl_fix_clock *now);
/* The connection is gone. Numbers stay; what was not written will be asked for. */
void tl_fix_session_left(tl_fix_session *session, const tl_fix_clock *now);
/* Did the peer send a Logout on his last connection? */
bool tl_fix_session_logged_out(const tl_fix_session *session);
/* The same as its store tells: was the last Logon or Logout sent to him a Logout? */
bool tl_fix_ended_by_logout(tl_fix_store *store, uint32_t session);

typedef struct tl_fix_session_status {
    tl_fix_session_state state;
    int64_t since_ns;         /* UTC; of the state */
    uint64_t next_in, next_out;
    uint64_t unwritten;       /* messages in the store that are not on the wire yet */
    uint64_t unwritten_bytes; /* of these */
    uint64_t held;            /* messages that came too early */
    uint64_t pending;         /* requests that the engine has not answered: the server's to say */
    uint32_t heartbeat_s;
    int64_t last_in_ns, last_out_ns; /* UTC */
    uint64_t resends;
    uint64_t resets;          /* by operators, since the server was opened; the server's to say */
} tl_fix_session_status;
void tl_fix_session_status_read(const tl_fix_session *session, tl_fix_session_status *out);

#endif
