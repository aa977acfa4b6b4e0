/* The store's parts: the log of segments (fix_store_log.c), its reading at the start
 * (fix_store_scan.c), what of it is in memory (fix_store_window.c), the marks' file
 * (fix_store_marks.c) and the calls (fix_store.c).
 *
 *   segment   header 64 | mark | mark | record | record | ... | zeros to the end
 *   record    head 64 | the message as it was sent | zeros to a multiple of 8
 *
 * A place is segment number << 32 | offset. A record's size is written last: what is torn off by a
 * kill -9 has size 0. Its checksum starts from a random number of the segment and its own place, so
 * that no peer can have text stored that looks like a record. Every segment begins with a mark for
 * each session that has ever sent, so that older segments may go.
 */
#ifndef TOUCHLINE_FIX_STORE_LOG_H
#define TOUCHLINE_FIX_STORE_LOG_H

#include "touchline/wire/fix_store.h"

#define SEGMENT_MAGIC UINT64_C(0x0154554f58494654) /* "TFIXOUT" and version 1 */
#define SESSIONS_MAGIC UINT64_C(0x0153455358494654) /* "TFIXSES" and version 1 */
#define MESSAGE_BYTES_MAX 65536u
#define BLOCK_MESSAGES 16u
#define CHUNK_BITS 21u /* the log comes into memory and goes in pieces of 2 MiB, ... */
#define CHUNK_BYTES (1u << CHUNK_BITS)
#define CHUNKS_MAX 8u /* ... of which so many stay */

enum { RECORD_RESET = 3, RECORD_MARK = 4 };

typedef struct segment_head {
    uint64_t magic;
    uint32_t bytes;
    uint32_t seed; /* of the records' checksums */
    uint64_t number;
    uint32_t zero[9];
    uint32_t crc; /* of what is before it */
} segment_head;
_Static_assert(sizeof(segment_head) == 64, "a segment's header");

typedef struct record {
    uint32_t size; /* of all of it; 0: no record is here yet */
    uint32_t crc;  /* of all that follows */
    uint32_t session;
    uint32_t bytes;
    uint64_t msg_seq_num; /* of the message; RESET, MARK: next_out */
    uint64_t answered;    /* RESET: next_in */
    uint64_t key;
    int64_t ts_ns; /* SendingTime; RESET, MARK: created_ns */
    uint64_t back; /* place of the session's record before this one since the reset; 0: none */
    uint32_t epoch; /* resets of the session so far */
    uint16_t body_at;
    uint8_t msg_type_at;
    uint8_t kind;
} record;
_Static_assert(sizeof(record) == 64, "a record's head");

typedef struct segment {
    char *at;
    uint32_t bytes;
    uint32_t seed;
} segment;

/* Of a session: where its messages are. places[i]: of the last message numbered below
 * (first_block + i + 1) * 16. */
typedef struct session_index {
    uint64_t *places;
    uint64_t first_block;
    uint32_t count, room;
    uint64_t last; /* place of the last message; 0: none since the reset */
    uint32_t epoch;
    bool seen; /* something of it was ever written */
} session_index;

typedef struct marks_slot { /* two a session, written in turns */
    uint64_t turn;
    tl_fix_marks marks;
    uint64_t epoch;
    uint64_t reset_in; /* next_in after the last reset */
    uint64_t zero[4];
    uint64_t check;
} marks_slot;
_Static_assert(sizeof(marks_slot) == 128, "marks on the disk");

typedef struct marks_head {
    uint64_t magic;
    uint32_t sessions;
    uint32_t zero;
    char boot[40];   /* the boot it was written in */
    uint64_t synced; /* the log below this place is on the disk */
    uint64_t zero_end[24];
} marks_head;
_Static_assert(sizeof(marks_head) == 256, "the marks' header");

struct tl_fix_store {
    tl_fix_store_config config;
    int directory;   /* descriptors */
    int marks_file;  /* holds the lock */
    int segment_file; /* of the last segment */
    marks_head *head;
    size_t marks_bytes;
    marks_slot *slots;
    tl_fix_marks *marks;
    uint64_t *reset_in;
    uint64_t *logged_answered; /* marks.answered as the last record says it */
    uint64_t *logged_key;      /* the highest key of the records read at the start */
    session_index *index;
    segment *segments; /* from first_segment on */
    uint32_t first_segment, segments_count, segments_room;
    uint32_t end;   /* of the last segment's records */
    uint32_t ready; /* its pages up to here are in memory, to be written */
    bool dirty;
    bool same_boot;
    uint64_t used[CHUNKS_MAX]; /* chunks in memory: place >> CHUNK_BITS; 0: none */
    uint64_t used_last;
    unsigned used_next;
    uint64_t cached_block; /* places of one block's messages, for walks through a session */
    uint32_t cached_session;
    uint64_t cached[BLOCK_MESSAGES];
    char fault[256];
};

/* fix_store_marks.c */
int tl_fix_marks_open(tl_fix_store *store);
void tl_fix_marks_close(tl_fix_store *store);
void tl_fix_marks_write(tl_fix_store *store, uint32_t session);
/* What is found from here on was written in this boot of the machine. */
void tl_fix_marks_boot(tl_fix_store *store);

/* fix_store_log.c */
uint32_t tl_fix_store_crc(uint32_t crc, const void *bytes, size_t count);
/* A new segment, begun with marks, is the last one now; the oldest may have gone. */
int tl_fix_store_log_roll(tl_fix_store *store);
int tl_fix_store_log_map(tl_fix_store *store, uint32_t number);
void tl_fix_store_log_drop(tl_fix_store *store, bool newest);
/* Write a record of `bytes` of message at the end; there must be room. Its place. */
uint64_t tl_fix_store_log_write(tl_fix_store *store, record *head, const char *bytes);
/* Take in the session's message at `place`. -ENOMEM: then nothing changed. */
int tl_fix_index_room(session_index *index, uint64_t block, uint32_t first_segment);
void tl_fix_index_add(session_index *index, uint64_t msg_seq_num, uint64_t place);
void tl_fix_index_forget(tl_fix_store *store, uint32_t session);
void tl_fix_segment_name(char name[32], uint32_t number);

/* fix_store_window.c: the chunk is looked at; another one may be given back. */
void tl_fix_store_use(tl_fix_store *store, uint64_t chunk);

/* fix_store_scan.c */
int tl_fix_store_log_open(tl_fix_store *store);

static inline uint64_t place_of(uint32_t segment_number, uint32_t offset)
{
    return (uint64_t)segment_number << 32 | offset;
}

static inline uint32_t record_bytes(uint32_t message_bytes)
{
    return (uint32_t)sizeof(record) + ((message_bytes + 7) & ~7u);
}

/* So many bytes from `place` on are read or written now. */
static inline void use(tl_fix_store *store, uint64_t place, uint32_t bytes)
{
    uint64_t first = place >> CHUNK_BITS, last = (place + bytes - 1) >> CHUNK_BITS;
    if (first != store->used_last)
        tl_fix_store_use(store, first);
    if (last != first)
        tl_fix_store_use(store, last);
}

/* NULL: it went with its segment. */
static inline const record *record_at(tl_fix_store *store, uint64_t place)
{
    uint32_t number = (uint32_t)(place >> 32);
    if (place == 0 || number < store->first_segment)
        return NULL;
    const char *at = store->segments[number - store->first_segment].at + (uint32_t)place;
    use(store, place, ((const record *)at)->size);
    return (const record *)at;
}

#endif
