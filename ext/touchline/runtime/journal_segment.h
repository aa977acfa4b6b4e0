/* Segment files as memory, and a thread that makes the next one ready ahead.
 *
 * A segment is allocated on the disk, mapped and faulted in before it is handed over, so that the
 * writer's stores can neither fail nor wait. One thread, the writer's, calls these; the helper
 * thread shares what is under the mutex, which is touched only when a segment ends.
 */
#ifndef TOUCHLINE_JOURNAL_SEGMENT_H
#define TOUCHLINE_JOURNAL_SEGMENT_H

#include "touchline/runtime/journal.h"

#include <pthread.h>

typedef struct tl_segment {
    char *map; /* NULL: none */
    size_t bytes;
    int fd;
    uint32_t index;
} tl_segment;

typedef struct tl_segments {
    char dir[TL_JOURNAL_PATH_BYTES - 32];
    int dir_fd;
    uint32_t sync; /* 1: what is made is on the disk before it is used */
    uint64_t segment_bytes;
    pthread_t helper;
    int helper_runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex: */
    int quit;
    uint32_t wanted; /* index of the segment to make ready; 0: none */
    int error;       /* errno of the last attempt */
    tl_segment ready;
    tl_segment retired; /* to be unmapped */
} tl_segments;

void tl_segments_open(tl_segments *all, const tl_journal_config *config);
/* Stops the helper and removes the segment it made ready but nobody began. */
void tl_segments_close(tl_segments *all);
/* Start the helper, off processor `avoid_cpu` (or -1), on segment `index`. 0 or -errno. */
int tl_segments_ahead(tl_segments *all, uint32_t index, int32_t avoid_cpu);

/* Segment `index` has its header: make the one after it ready. Not before, so that a file of the
 * next segment says that this one was begun. */
void tl_segments_begun(tl_segments *all, uint32_t index);
/* A thread that neither hears signals nor competes with the engine. 0 or -errno. */
int tl_helper_start(pthread_t *thread, void *(*work)(void *), void *argument, int32_t avoid_cpu);

/* 0 when segment `index` may be made: there is no such file, or it holds zeros alone. -EBADMSG when
 * it holds something: nothing is begun over that. */
int tl_segment_free(const char *dir, uint32_t index, tl_journal_fault *fault);
/* Make segment `index`: all zeros, no header. 0 or -errno, with no file left behind. */
int tl_segment_prepare(const tl_segments *all, uint32_t index, tl_segment *segment);
/* Map a segment that was begun, as long as its header says; a file cut short is made whole. */
int tl_segment_resume(const tl_segments *all, const tl_journal_header *header,
                      tl_segment *segment, tl_journal_fault *fault);
/* The segment after `current`, made ready ahead; takes `current` over to unmap it. Waits for the
 * helper; has it try once more when it had failed, since room may have come. 0 or -errno. */
int tl_segment_next(tl_segments *all, const tl_segment *current, tl_segment *next);
void tl_segment_drop(tl_segment *segment);

#endif
