/* A spool: the messages of one numbered stream, each as it is sent, to be read again by number.
 *
 *   memory, reserved once:  [ message 1 | message 2 | … ──►     ][ where each ends, 8 bytes ──► ]
 *                             touched as far as the file under it has grown
 *
 * What a stream has sent is a function of the journal, so nothing of it is kept: the file has no
 * name, and who starts anew fills another spool by replay. One thread appends; any other thread may
 * read what has been counted, at any time, since nothing moves. The file grows in steps up to a
 * bound, so that a message costs a copy and two stores.
 */
#ifndef TOUCHLINE_SPOOL_H
#define TOUCHLINE_SPOOL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define TL_SPOOL_MESSAGE_MIN 8u /* no message has fewer bytes: so the bound holds for both parts */

typedef struct tl_spool {
    uint8_t *bytes;
    uint64_t *ends;          /* of message n, in bytes; of 0: 0 */
    _Atomic(uint64_t) count; /* messages that can be read */
    uint64_t size;           /* bytes of them, and of those put and not counted yet */
    uint64_t put;            /* messages, likewise */
    uint64_t bytes_room, ends_room, step, bound;
    int fd;
} tl_spool;

/* An empty spool in `directory` of at most `bytes_max` bytes of messages, growing by `step` bytes.
 * 0 or -errno; tl_spool_close afterwards in either case. */
int tl_spool_open(tl_spool *spool, const char *directory, uint64_t bytes_max, uint64_t step);
void tl_spool_close(tl_spool *spool);

/* Where to write the next message, of up to `size` bytes; NULL: *error is -EFBIG when the bound is
 * reached, or -errno. */
uint8_t *tl_spool_room(tl_spool *spool, size_t size, int *error);
/* It is written there, and this long. Others see it once it is counted. */
void tl_spool_put(tl_spool *spool, size_t size);
/* `count` messages with a u16 of length before each, `size` bytes in all. 0 or an error. */
int tl_spool_blocks(tl_spool *spool, const uint8_t *blocks, size_t size, uint64_t count);
static inline void tl_spool_count(tl_spool *spool)
{
    /* Release: who sees the number sees the messages and where they end. */
    atomic_store_explicit(&spool->count, spool->put, memory_order_release);
}

/* How many can be read. */
static inline uint64_t tl_spool_counted(const tl_spool *spool)
{
    return atomic_load_explicit(&spool->count, memory_order_acquire);
}
/* Message `number`, which is counted; its size in *size. */
static inline const uint8_t *tl_spool_message(const tl_spool *spool, uint64_t number, size_t *size)
{
    *size = spool->ends[number] - spool->ends[number - 1];
    return spool->bytes + spool->ends[number - 1];
}
/* Messages from `number` on, up to `last`, which is counted: as many as `room` bytes hold and
 * `most` allows. They lie one behind the other at *bytes, *size in all. */
uint64_t tl_spool_run(const tl_spool *spool, uint64_t number, uint64_t last, size_t room,
                      uint64_t most, const uint8_t **bytes, size_t *size);

#endif
