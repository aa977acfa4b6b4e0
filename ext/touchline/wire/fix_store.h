/* The outbound store: every message ever sent, by session and MsgSeqNum, in one log of segments.
 *
 *   sessions            marks of each session: numbers that go on after a kill -9; mapped
 *   out-00000001.log    records as they were sent, of all sessions, one after another; mapped
 *   out-00000002.log    ...
 *
 * A record is written whole before any byte of it goes to a socket, and is what is sent: a session
 * whose peer does not read costs no memory. Written into shared mappings, records survive a
 * kill -9; tl_fix_store_sync makes them as durable as the journal. On opening the log is read once,
 * to its torn end, and the places of messages are found again. Belongs to one thread.
 *
 * Failures: -ENOSPC and other errors of the disk leave the store as it was before the call; damage
 * (a record in the middle that does not fit its checksum, a missing segment) is -EBADMSG with the
 * file and place in tl_fix_store_fault; a torn end is not damage. Another live holder: -EBUSY.
 */
#ifndef TOUCHLINE_FIX_STORE_H
#define TOUCHLINE_FIX_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_fix_store tl_fix_store;

typedef struct tl_fix_store_config {
    uint32_t sessions_max;    /* numbers of sessions lie below it */
    uint32_t segment_bytes;   /* 1 MiB .. 1 GiB */
    uint64_t keep_bytes;      /* the oldest segments go when the log is larger; 0: keep all */
    bool durable;             /* tl_fix_store_sync waits for the disk */
} tl_fix_store_config;

/* What a session goes on from. Kept by the store; changed through the calls below alone. */
typedef struct tl_fix_marks {
    uint64_t next_out;  /* MsgSeqNum of the message to be sent next, from 1 */
    uint64_t next_in;   /* MsgSeqNum expected next */
    uint64_t answered;  /* of received messages all below are answered in the log */
    uint64_t lane_sent; /* tl_lane_sent() when next_in was set last */
    uint64_t key;       /* of the last report on an event in the log; 0: none */
    int64_t created_ns; /* when the numbers were last at 1 */
    int64_t last_out_ns, last_in_ns;
} tl_fix_marks;

enum tl_fix_stored_kind {
    TL_FIX_STORED_ADMIN = 1, /* resent as a gap fill */
    TL_FIX_STORED_APPLICATION = 2
};

typedef struct tl_fix_stored {
    const char *bytes; /* the whole message, as sent; valid until the next call that writes */
    uint32_t size;
    uint32_t body_at;  /* where the fields after SendingTime(52) of the header begin */
    uint32_t msg_type_at; /* of the value of MsgType(35) */
    uint8_t kind;
    int64_t sending_time_ns;
    uint64_t key;
} tl_fix_stored;

/* Makes the directory if need be. On failure `*out` is NULL (-EINVAL, -ENOMEM) or a store that can
 * only tell its fault and be closed. */
int tl_fix_store_open(tl_fix_store **out, const char *directory, const tl_fix_store_config *config);
void tl_fix_store_close(tl_fix_store *store);
/* What is wrong with which file, after -EBADMSG or an error of the disk. */
const char *tl_fix_store_fault(const tl_fix_store *store);

const tl_fix_marks *tl_fix_store_marks(const tl_fix_store *store, uint32_t session);
/* A message was taken in: next_in goes to `next_in`. */
void tl_fix_store_took(tl_fix_store *store, uint32_t session, uint64_t next_in,
                       uint64_t lane_sent, int64_t now_ns);
/* Everything received below `answered` has its answer in the log: said with the next record. */
void tl_fix_store_answered(tl_fix_store *store, uint32_t session, uint64_t answered);
/* Both numbers back to 1 (or to what an operator says); older messages are not found any more. */
int tl_fix_store_reset(tl_fix_store *store, uint32_t session, uint64_t next_out, uint64_t next_in,
                       int64_t now_ns);

/* Append the message with number next_out, which goes up by one. `key`: of the event reported, so
 * that after a restart no report is made twice; 0: none. */
int tl_fix_store_append(tl_fix_store *store, uint32_t session, const tl_fix_stored *message);
/* The message of that number; false when it is not kept (gone by age, or before a reset). */
bool tl_fix_store_find(tl_fix_store *store, uint32_t session, uint64_t msg_seq_num,
                       tl_fix_stored *out);
/* The lowest number at or above `from` that is kept; next_out when none is. */
uint64_t tl_fix_store_first(tl_fix_store *store, uint32_t session, uint64_t from);
/* What was appended is on the disk when this returns 0, if the store is durable. */
int tl_fix_store_sync(tl_fix_store *store);

#endif
