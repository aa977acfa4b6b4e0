/* journal.head: how many segments have been begun, told outside of the segments.
 *
 * A segment made ready ahead holds zeros until it is begun, and so does one whose content was lost.
 * This file tells them apart. It is a lower bound: the header of segment `begun`, and all before
 * it, is on the disk before the number is written. The order, for each segment:
 *
 *   header stored ─► segments before it synced ─► its header synced ─► journal.head written
 *
 * A thread of its own does all but the first, so that a slow disk holds up nobody. The writer's
 * thread owns the rest.
 */
#ifndef TOUCHLINE_JOURNAL_HEAD_H
#define TOUCHLINE_JOURNAL_HEAD_H

#include "touchline/runtime/journal.h"

#include <pthread.h>

#define TL_JOURNAL_HEAD_MAGIC UINT64_C(0x31444145484a4c54) /* "TLJHEAD1" */

typedef struct tl_journal_head {
    uint64_t magic;
    uint32_t version; /* TL_JOURNAL_VERSION of who wrote it */
    uint32_t begun;   /* index of the newest segment known to be begun; 0: none yet */
    uint64_t journal_id;
    uint64_t first_seq; /* of that segment */
    uint8_t _pad[28];
    uint32_t checksum; /* CRC32C of the bytes before */
} tl_journal_head;
_Static_assert(sizeof(tl_journal_head) == 64, "a head is one cache line, within one disk sector");

typedef struct tl_journal_sealer {
    char dir[TL_JOURNAL_PATH_BYTES - 32];
    int dir_fd; /* the caller's */
    int fd;
    uint32_t sync; /* 1: the file is on the disk before it counts as written */
    uint64_t journal_id;
    uint32_t sealed; /* what the file says; the thread's once it runs */
    pthread_t thread;
    int runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex: */
    int quit;
    uint32_t begun;
    uint64_t first_seq;
    int error; /* errno of the first failure */
} tl_journal_sealer;

/* Read the head of `dir`. 1 with `head`, 0 when there is no such file, -EBADMSG and so on. */
int tl_journal_head_read(const char *dir, tl_journal_head *head, tl_journal_fault *fault);

void tl_journal_sealer_open(tl_journal_sealer *sealer, const char *dir, uint32_t sync);
/* A journal without a head: write one that knows of no segment. Synced, before any is made. */
int tl_journal_sealer_create(tl_journal_sealer *sealer, int dir_fd, uint64_t journal_id);
/* Go on with what `head` says. Starts the thread, off processor `avoid_cpu` or -1. 0 or -errno. */
int tl_journal_sealer_start(tl_journal_sealer *sealer, int dir_fd, const tl_journal_head *head,
                            int32_t avoid_cpu);
/* Segment `index` has its header, and begins with command `first_seq`. Returns at once: 0, or
 * -errno when an earlier one could not be noted. */
int tl_journal_sealer_begun(tl_journal_sealer *sealer, uint32_t index, uint64_t first_seq);
/* Waits until all that was begun is noted. */
void tl_journal_sealer_close(tl_journal_sealer *sealer);

#endif
