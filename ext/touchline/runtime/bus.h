/* The bus: one shared-memory file per venue that carries commands in and events out.
 *
 *   header (4096 B) | lane 0 | lane 1 | ...        | event ring
 *   doorbells,        each a ring of Commands,       a ring of Events, one writer, never waits;
 *   status, cursors   one producer, one consumer     each reader keeps its own cursor
 *
 * A slot's first word is its stamp: Command.seq holds position + 1 while in a lane, Event.seq the
 * event's number. The engine process creates the file and owns it; any process of the same user
 * attaches. A tl_lane or tl_event_reader belongs to one thread at a time; tl_bus may be shared.
 */
#ifndef TOUCHLINE_RING_H
#define TOUCHLINE_RING_H

#include "touchline/core/messages.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

/* A field that others read while it is written: the same bytes in both languages. */
#ifdef __cplusplus
#include <atomic>
#define TL_BUS_ATOMIC(type) std::atomic<type>
extern "C" {
#else
#include <stdatomic.h>
#define TL_BUS_ATOMIC(type) _Atomic(type)
#endif

#define TL_BUS_MAGIC UINT64_C(0x31535542454e494c) /* "LINEBUS1" */
/* 1: no draining, no progress of a recovery; 2: no processors; 3: a producer's on its own line. */
#define TL_BUS_VERSION 4u
#define TL_BUS_LANES_MAX 8u
#define TL_BUS_TEXT_BYTES 256
#define TL_LANE_CHUNK 64u /* commands that become visible together */

/* What this module answers besides the system's own errors, as -errno. */
#define TL_BUS_ERRORS(X)                                                                           \
    X(EBUSY, "another live engine owns this bus")                                                  \
    X(EADDRINUSE, "another live process sends on this lane")                                       \
    X(EMEDIUMTYPE, "the file is not a touchline bus")                                              \
    X(EPROTONOSUPPORT, "the bus was made by another version of touchline")                         \
    X(EBADMSG, "the bus file's size does not fit its header")                                      \
    X(EAGAIN, "the bus is still being created")                                                    \
    X(ESTALE, "the bus was replaced or removed; attach again")                                     \
    X(ECHRNG, "the bus has no such lane")                                                          \
    X(EOVERFLOW, "the reader was lapped")                                                          \
    X(ESHUTDOWN, "the venue is stopping and takes no more commands")                               \
    X(EPERM, "the bus file is another user's, or its mode lets others in; 600 is allowed")         \
    X(ENOTEMPTY, "commands wait in the bus, whose sizes were others; start once with those")       \
    X(ETIMEDOUT, "the lane is full and the engine does not take from it")                          \
    X(EINVAL, "lanes: 1 to 8; slots: a power of two from 64 to 67108864")

enum tl_bus_state {
    TL_BUS_STARTING = 0,
    TL_BUS_RUNNING = 1,
    TL_BUS_STOPPED = 2,
    TL_BUS_FAILED = 3,
    TL_BUS_DRAINING = 4 /* lanes refuse, what waits in them is done */
};

typedef struct tl_bus_geometry {
    uint32_t lanes;
    uint32_t lane_slots;
    uint32_t event_slots;
    uint32_t _pad;
} tl_bus_geometry;

/* Sleeping without lost wake-ups, and without a syscall while nobody sleeps. `waiting` is a flag
 * that the waker takes back, not a count: a sleeper that was killed costs one needless wake. */
typedef struct tl_doorbell {
    TL_BUS_ATOMIC(uint32_t) rings;
    TL_BUS_ATOMIC(uint32_t) waiting;
    TL_BUS_ATOMIC(uint32_t) place; /* a lane's: as tl_bus_place when its producer sent last */
    uint8_t _pad[52];
} tl_doorbell;

/* One lane's cursors, each on the line of the one who writes it. */
typedef struct tl_bus_lane {
    TL_BUS_ATOMIC(uint64_t) tail;    /* producer: positions before it are published */
    TL_BUS_ATOMIC(uint32_t) sending; /* producer: 1 while a chunk is being published */
    TL_BUS_ATOMIC(uint32_t) pid;     /* producer: who sent last */
    TL_BUS_ATOMIC(uint32_t) counter; /* low half of the cl_ord_id given out last */
    uint8_t _pad0[44];
    TL_BUS_ATOMIC(uint64_t) head; /* engine: positions before it are done with */
    uint8_t _pad1[56];
    tl_doorbell space; /* producer sleeps here while the lane is full */
} tl_bus_lane;

/* The batch the engine is working on, so that after a crash it takes each command exactly once:
 * the journal tells how many of the batch it holds, this tells whose they were. */
typedef struct tl_bus_intent {
    TL_BUS_ATOMIC(uint64_t) first_seq; /* 0: nothing noted */
    uint64_t head[TL_BUS_LANES_MAX];
    uint32_t count[TL_BUS_LANES_MAX];
    uint8_t _pad[24];
} tl_bus_intent;

typedef struct tl_bus_header {
    TL_BUS_ATOMIC(uint64_t) magic; /* stored last */
    uint32_t version;
    tl_bus_geometry geometry;
    TL_BUS_ATOMIC(uint32_t) detached; /* 1: this file is no longer the venue's bus */
    uint64_t file_bytes;
    TL_BUS_ATOMIC(uint32_t) draining; /* 1: lanes refuse what is sent */
    TL_BUS_ATOMIC(uint32_t) place;    /* engine: as tl_bus_place at its last batch */
    TL_BUS_ATOMIC(uint64_t) recovered;     /* commands of the journal that a start has done */
    TL_BUS_ATOMIC(uint64_t) recover_total; /* of so many */
    tl_doorbell engine;  /* rung by producers */
    tl_doorbell readers; /* rung by the engine */
    TL_BUS_ATOMIC(uint64_t) events;   /* the newest published event's seq */
    TL_BUS_ATOMIC(uint64_t) commands; /* journalled and stepped */
    TL_BUS_ATOMIC(uint64_t) journal_bytes;
    TL_BUS_ATOMIC(uint64_t) batches;
    TL_BUS_ATOMIC(int64_t) heartbeat_ns;
    TL_BUS_ATOMIC(int64_t) started_ns;
    TL_BUS_ATOMIC(uint64_t) journal_id; /* which journal these events belong to */
    TL_BUS_ATOMIC(uint32_t) state;      /* enum tl_bus_state */
    TL_BUS_ATOMIC(uint32_t) pid;        /* of the engine */
    tl_bus_intent intent;
    TL_BUS_ATOMIC(uint32_t) error; /* errno when failed, else 0 */
    uint8_t _pad1[60];
    char error_text[TL_BUS_TEXT_BYTES];
    char torn_text[TL_BUS_TEXT_BYTES];
    tl_bus_lane lane[TL_BUS_LANES_MAX];
    TL_BUS_ATOMIC(int64_t) clock_step_ns; /* the host's clock is ahead of the stamps; 0: believed */
    TL_BUS_ATOMIC(uint64_t) clock_refusals; /* its steps that were not believed */
    uint8_t _pad2[1584];
} tl_bus_header;
static_assert(sizeof(tl_doorbell) == 64, "a doorbell is one cache line");
static_assert(sizeof(tl_bus_lane) == 192, "a lane's cursors are three cache lines");
static_assert(sizeof(tl_bus_header) == 4096, "the header is one page");

typedef struct tl_bus {
    tl_bus_header *header;
    tl_command *commands; /* lane n starts at n * lane_slots */
    tl_event *events;
    size_t bytes;
    int fd;
    int owner; /* this handle created the bus */
} tl_bus;

/* A producer's end of a lane. */
typedef struct tl_lane {
    tl_bus_lane *cursors;
    tl_bus_header *header;
    tl_command *slots;
    uint64_t mask;
    uint64_t tail;
    uint64_t head_seen; /* the engine's cursor as last read; again only when it looks full */
    uint32_t number;
    int fd;     /* its own open file: the lock belongs to it */
    int shared; /* take and release the lock for each send */
} tl_lane;

typedef struct tl_event_reader {
    const tl_bus *bus;
    uint64_t next; /* seq of the event to be read next */
} tl_event_reader;

typedef struct tl_bus_status {
    uint64_t events, commands, journal_bytes, batches, journal_id, oldest_event;
    uint64_t waiting; /* commands sent and not done yet */
    uint64_t recovered, recover_total;
    int64_t heartbeat_ns, started_ns;
    int64_t clock_step_ns;
    uint64_t clock_refusals;
    uint32_t state, pid, error, detached;
    char error_text[TL_BUS_TEXT_BYTES];
    char torn_text[TL_BUS_TEXT_BYTES];
} tl_bus_status;

/* Create the bus, or take over the file a dead engine left when its geometry is the same, so that
 * attached processes go on. Returns 0 or -errno; -EBUSY while another engine lives. */
int tl_bus_create(tl_bus **out, const char *path, const tl_bus_geometry *geometry);
int tl_bus_attach(tl_bus **out, const char *path);
/* Give up ownership and the descriptor but keep the memory, for those who still look at it. */
void tl_bus_release(tl_bus *bus);
void tl_bus_close(tl_bus *bus);
/* 1 when a living engine owns the bus, however stale the status says it is. */
int tl_bus_engine_alive(const tl_bus *bus);
/* Tell everybody attached that this file is over. The caller removes the name. */
void tl_bus_detach(tl_bus *bus);
/* The same, unless commands wait in the lanes: then nothing changes. How many wait. */
uint64_t tl_bus_retire(tl_bus *bus);
/* 1 while `path` names this very file. */
int tl_bus_linked(const tl_bus *bus, const char *path);
void tl_bus_status_read(const tl_bus *bus, tl_bus_status *out);
/* What -errno means here, or NULL when the system's own text says it. */
const char *tl_bus_error_text(int error);

/* Take a lane for sending. -EADDRINUSE when another live holder has it. With `shared`, senders of
 * several processes take turns, send by send. */
int tl_lane_open(tl_lane *lane, const tl_bus *bus, uint32_t number, int shared);
void tl_lane_close(tl_lane *lane);
/* Copy commands into the lane, waiting while it is full. Up to TL_LANE_CHUNK of them become visible
 * all or none. `sent` says how many went in, also on error. 0, -ETIMEDOUT, -ESTALE, -ESHUTDOWN,
 * -errno. What went in is done by this engine or the next: a bus in which commands wait stays. */
int tl_lane_send(tl_lane *lane, const tl_command *cmds, size_t count, int64_t timeout_ns,
                 size_t *sent);
/* How many commands the lane was ever sent, and how many of those the engine has journaled and
 * done. Both go on across restarts for as long as the bus file does. */
uint64_t tl_lane_sent(const tl_lane *lane);
uint64_t tl_lane_journaled(const tl_lane *lane);
/* 1 when so many commands can be sent at once without waiting. The producer's, as sending is. */
int tl_lane_has_room(tl_lane *lane, uint64_t count);
/* Give out `count` cl_ord_ids of this lane that nobody has had; the first, 0 if none is left. */
uint64_t tl_lane_ids(tl_lane *lane, uint32_t count);

/* The engine's end: how many commands wait from position `head` on, at most `max`. */
uint32_t tl_bus_lane_ready(const tl_bus *bus, uint32_t lane, uint64_t head, uint32_t max);
static inline const tl_command *tl_bus_lane_slot(const tl_bus *bus, uint32_t lane,
                                                 uint64_t position)
{
    const uint64_t slots = bus->header->geometry.lane_slots;
    return &bus->commands[lane * slots + (position & (slots - 1))];
}

/* Note that the commands about to be journalled from `first_seq` on are `count[n]` of each lane n
 * from position `head[n]` on, lane by lane. */
void tl_bus_note(tl_bus *bus, uint64_t first_seq, const uint64_t head[TL_BUS_LANES_MAX],
                 const uint32_t count[TL_BUS_LANES_MAX]);
/* After a restart, with `seq_last` the last command in the journal: set `head` and the lanes'
 * cursors so that each command is taken once, also when the last engine died in mid-batch, and
 * raise each lane's counter of cl_ord_ids to at least `counters`. */
void tl_bus_settle(tl_bus *bus, uint64_t seq_last, const uint32_t counters[TL_BUS_LANES_MAX],
                   uint64_t head[TL_BUS_LANES_MAX]);
/* The file served another journal: forget its events and what waits in its lanes. */
void tl_bus_wipe(tl_bus *bus);

/* Copy up to `max` events from the cursor on and move it. The number copied (0: none yet),
 * -EOVERFLOW when the ring has gone past the cursor, -ESTALE when the bus is over. */
int64_t tl_event_reader_read(tl_event_reader *reader, tl_event *out, size_t max);
/* The same for a reader that spins on a processor of its own. While events keep coming it waits for
 * the sixteenth, and so keeps off the lines that the engine is about to write; what comes alone it
 * takes after a few hundred nanoseconds. */
int64_t tl_event_reader_follow(tl_event_reader *reader, tl_event *out, size_t max);
/* 1 when the next event is there (or the reader was lapped), 0 at the timeout, -ESTALE. */
int tl_event_reader_wait(const tl_event_reader *reader, int64_t timeout_ns);
/* The same without waiting. */
int tl_event_reader_look(const tl_event_reader *reader);
/* The oldest event the ring still holds whole. */
uint64_t tl_bus_oldest_event(const tl_bus *bus);

/* Sleep protocol: arm, look again at what is waited for, then wait with the value arm returned. */
uint32_t tl_doorbell_arm(tl_doorbell *bell);
void tl_doorbell_wait(tl_doorbell *bell, uint32_t armed, int64_t timeout_ns);
/* Wake the sleepers. The caller has published what they wait for and then fenced, seq_cst. */
void tl_doorbell_ring(tl_doorbell *bell);
/* Wake them whether or not any is known. */
void tl_doorbell_wake(tl_doorbell *bell);

/* Who shares a processor with the engine must not wait awake for it, nor it for him. */
/* The caller's processor, from 1; 0: not known. */
uint32_t tl_bus_place(void);
#define TL_BUS_ASLEEP 0x80000000u /* in the engine's place: it sleeps, and was last there */
/* 1 when the engine was last on the caller's processor, and is awake or, since it was `asked` for
 * something, about to be. */
int tl_bus_engine_is_here(const tl_bus_header *header, int asked);
/* 1 when commands wait in a lane, whoever sent them. */
int tl_bus_engine_is_wanted(const tl_bus_header *header);

/* Byte locks on the file: byte 0 is the engine's, byte 1 + n the producer's of lane n. They belong
 * to an open file, so a dead holder holds nothing. `type` is F_WRLCK or F_UNLCK. 0 or -errno. */
#define TL_BUS_OWNER_BYTE 0u
int tl_bus_lock_byte(int fd, uint32_t byte, short type);

#ifdef __cplusplus
}
#endif

#endif
