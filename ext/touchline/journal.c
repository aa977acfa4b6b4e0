/* Writing the journal: recovery that cuts a torn tail, appending into a mapped segment, the next
 * segment made ready ahead by a helper thread. journal.h draws it. Owned by the engine thread; what
 * the helper shares with it is under one mutex and is touched only when a segment ends. */
#define _GNU_SOURCE
#include "journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES sizeof(tl_command)
#define PAGE_BYTES 4096u

typedef struct segment {
    char *map;
    size_t bytes;
    int fd;
    uint32_t index;
} segment;

struct tl_journal {
    segment current;
    uint64_t slot; /* of the next record in the current segment */
    uint64_t slots;
    uint64_t seq; /* of the next record */
    uint32_t last_checksum;
    uint32_t limits[TL_JOURNAL_LIMITS];
    uint32_t sync_batch;
    int32_t avoid_cpu;
    uint64_t segment_bytes;
    uint64_t id;
    size_t synced; /* bytes of the current segment known to be on the disk */
    int dir_fd;    /* holds the lock */
    tl_journal_reader *reader; /* during recovery only */
    char dir[TL_JOURNAL_PATH_BYTES - 32];
    char torn[TL_JOURNAL_TEXT_BYTES];

    pthread_t helper;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* Under the mutex: */
    int helper_runs;
    int quit;
    uint32_t wanted; /* index of the segment to make ready; 0: none */
    int error;       /* why it could not be made ready */
    segment ready;   /* map NULL: not yet */
    segment retired; /* to be unmapped; map NULL: none */
};

/* Segments */

static void segment_drop(segment *seg)
{
    if (seg->map == NULL)
        return;
    munmap(seg->map, seg->bytes);
    close(seg->fd);
    seg->map = NULL;
}

/* Allocate, map and fault in. The disk's blocks are taken now, so that a store into the mapping can
 * not fail later. What is in the file stays. */
static int segment_map(const tl_journal *j, segment *seg)
{
    const int full = posix_fallocate(seg->fd, 0, (off_t)seg->bytes);
    if (full != 0)
        return -full;
    seg->map = mmap(NULL, seg->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, seg->fd, 0);
    if (seg->map == MAP_FAILED) {
        seg->map = NULL;
        return -errno;
    }
#ifdef MADV_POPULATE_WRITE
    /* Best effort: without it the first store to each page pays for its fault. */
    madvise(seg->map, seg->bytes, MADV_POPULATE_WRITE);
#endif
    if (j->sync_batch && (fdatasync(seg->fd) != 0 || fsync(j->dir_fd) != 0)) {
        const int error = errno;
        munmap(seg->map, seg->bytes);
        seg->map = NULL;
        return -error;
    }
    return 0;
}

/* Make segment `index` ready: all zeros, header not written. */
static int segment_prepare(const tl_journal *j, uint32_t index, segment *seg)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, j->dir, index);
    const int started = tl_journal_started(j->dir, index);
    if (started != 0)
        return started < 0 ? started : -EEXIST;
    *seg = (segment){.index = index, .bytes = (size_t)j->segment_bytes};
    /* An earlier run may have left it half made; it holds nothing yet. */
    seg->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (seg->fd < 0)
        return -errno;
    const int rc = segment_map(j, seg);
    if (rc != 0) {
        close(seg->fd);
        unlink(path);
    }
    return rc;
}

static int segment_resume(const tl_journal *j, const tl_journal_reader *reader, segment *seg)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, j->dir, reader->header.index);
    *seg = (segment){.index = reader->header.index, .bytes = (size_t)reader->header.segment_bytes};
    seg->fd = open(path, O_RDWR | O_CLOEXEC);
    if (seg->fd < 0)
        return -errno;
    const int rc = segment_map(j, seg);
    if (rc != 0)
        close(seg->fd);
    return rc;
}

static void segment_begin(tl_journal *j, const segment *seg, int64_t now_ns)
{
    tl_journal_header *header = (tl_journal_header *)(void *)seg->map;
    tl_journal_header filled = {
        .magic = TL_JOURNAL_MAGIC,
        .version = TL_JOURNAL_VERSION,
        .index = seg->index,
        .segment_bytes = seg->bytes,
        .first_seq = j->seq,
        .created_ns = now_ns,
        .journal_id = j->id,
        .previous_checksum = j->last_checksum,
    };
    memcpy(filled.limits, j->limits, sizeof filled.limits);
    filled.checksum = tl_journal_header_checksum(&filled);
    memcpy((char *)header + sizeof header->magic, (const char *)&filled + sizeof filled.magic,
           sizeof filled - sizeof filled.magic);
    /* Release: a reader, or a recovery after a kill, that sees the magic sees the whole header. */
    atomic_store_explicit((_Atomic uint64_t *)&header->magic, filled.magic, memory_order_release);
    j->current = *seg;
    j->slot = 0;
    j->slots = (seg->bytes - TL_JOURNAL_HEADER_BYTES) / RECORD_BYTES;
    j->synced = 0;
}

/* The helper thread */

static void *helper_main(void *argument)
{
    tl_journal *j = argument;
    pthread_mutex_lock(&j->mutex);
    while (!j->quit) {
        segment work = j->retired;
        const uint32_t wanted = j->wanted;
        if (work.map != NULL) {
            j->retired.map = NULL;
            pthread_mutex_unlock(&j->mutex);
            segment_drop(&work);
            pthread_mutex_lock(&j->mutex);
        } else if (wanted != 0) {
            pthread_mutex_unlock(&j->mutex);
            const int rc = segment_prepare(j, wanted, &work);
            pthread_mutex_lock(&j->mutex);
            j->wanted = 0;
            j->error = -rc;
            if (rc == 0)
                j->ready = work;
            pthread_cond_broadcast(&j->changed);
        } else {
            pthread_cond_wait(&j->changed, &j->mutex);
        }
    }
    pthread_mutex_unlock(&j->mutex);
    return NULL;
}

/* A child of a real-time thread that spins would inherit its processor and its class, and starve:
 * give the helper the ordinary class and every other processor. */
static void helper_attributes(pthread_attr_t *attr, int32_t avoid_cpu)
{
    const struct sched_param ordinary = {.sched_priority = 0};
    cpu_set_t cpus;
    pthread_attr_setinheritsched(attr, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(attr, SCHED_OTHER);
    pthread_attr_setschedparam(attr, &ordinary);
    if (avoid_cpu < 0 || sched_getaffinity(0, sizeof cpus, &cpus) != 0)
        return;
    CPU_CLR((size_t)avoid_cpu, &cpus);
    if (CPU_COUNT(&cpus) > 0)
        pthread_attr_setaffinity_np(attr, sizeof cpus, &cpus);
}

static int helper_start(tl_journal *j)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_attr_init(&attr);
    helper_attributes(&attr, j->avoid_cpu);
    j->wanted = j->current.index + 1;
    /* Signals are for the host's threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    const int rc = pthread_create(&j->helper, &attr, helper_main, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    j->helper_runs = rc == 0;
    return -rc;
}

/* Opening and recovery */

static int dir_open(tl_journal *j, tl_journal_fault *fault)
{
    if (mkdir(j->dir, 0750) != 0 && errno != EEXIST)
        return tl_journal_fail(fault, errno, j->dir, 0, "%s", strerror(errno));
    j->dir_fd = open(j->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->dir_fd < 0)
        return tl_journal_fail(fault, errno, j->dir, 0, "%s", strerror(errno));
    if (flock(j->dir_fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? tl_journal_fail(fault, EBUSY, j->dir, 0, "another engine writes this journal")
                   : tl_journal_fail(fault, errno, j->dir, 0, "%s", strerror(errno));
    return 0;
}

static int limits_check(tl_journal *j, tl_journal_fault *fault)
{
    static const char *const names[TL_JOURNAL_LIMITS] = {
        "instruments_max", "accounts_max", "orders_max", "positions_max", "leaves_max"};
    const uint32_t *had = j->reader->header.limits;
    for (int i = 0; i < TL_JOURNAL_LIMITS; i++)
        if (had[i] != j->limits[i])
            return tl_journal_fail(fault, EINVAL, j->dir, 0,
                                   "the journal was written with %s %" PRIu32 ", not %" PRIu32
                                   "; replaying it needs the same",
                                   names[i], had[i], j->limits[i]);
    j->id = j->reader->header.journal_id;
    return 0;
}

static int config_check(const tl_journal_config *config, tl_journal_fault *fault)
{
    if (strlen(config->dir) >= sizeof((tl_journal *)0)->dir)
        return tl_journal_fail(fault, ENAMETOOLONG, "", 0, "the path is too long");
    if (config->segment_bytes < TL_JOURNAL_SEGMENT_MIN ||
        config->segment_bytes > TL_JOURNAL_SEGMENT_MAX || config->segment_bytes % PAGE_BYTES != 0)
        return tl_journal_fail(fault, EINVAL, config->dir, 0,
                               "segment_bytes %" PRIu64 " is not a multiple of 4096 from 8192",
                               config->segment_bytes);
    return 0;
}

int tl_journal_open(tl_journal **out, const tl_journal_config *config, tl_journal_fault *fault)
{
    assert(out != NULL);
    *fault = (tl_journal_fault){0};
    int rc = config_check(config, fault);
    if (rc != 0)
        return rc;
    tl_journal *j = calloc(1, sizeof *j);
    if (j == NULL)
        return tl_journal_fail(fault, ENOMEM, config->dir, 0, "no memory for a journal");
    snprintf(j->dir, sizeof j->dir, "%s", config->dir);
    memcpy(j->limits, config->limits, sizeof j->limits);
    j->sync_batch = config->sync_batch;
    j->segment_bytes = config->segment_bytes;
    j->avoid_cpu = config->avoid_cpu;
    j->id = (uint64_t)config->now_ns;
    j->seq = 1;
    j->dir_fd = -1;
    pthread_mutex_init(&j->mutex, NULL);
    pthread_cond_init(&j->changed, NULL);
    rc = dir_open(j, fault);
    if (rc == 0)
        rc = tl_journal_reader_open(&j->reader, j->dir, fault);
    if (rc == 0)
        rc = limits_check(j, fault);
    else if (rc == -ENOENT)
        rc = 0; /* a new journal; recovery finds nothing and begins it */
    if (rc != 0) {
        tl_journal_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

/* Zero everything after the last good record of the current segment, and say what that was. */
static int tail_cut(tl_journal *j, tl_journal_fault *fault)
{
    const size_t from = TL_JOURNAL_HEADER_BYTES + (size_t)j->slot * RECORD_BYTES;
    size_t to = j->current.bytes;
    while (to > from && j->current.map[to - 1] == 0)
        to--;
    if (to == from)
        return 0;
    snprintf(j->torn, sizeof j->torn,
             "cut %zu bytes of a torn tail at byte %zu of %08" PRIu32
             ".tlj; the last whole command is %" PRIu64,
             to - from, from, j->current.index, j->seq - 1);
    memset(j->current.map + from, 0, to - from);
    if (j->sync_batch && fdatasync(j->current.fd) != 0)
        return tl_journal_fail(fault, errno, j->dir, j->current.index, "%s", strerror(errno));
    return 0;
}

/* The reader has met the end: take its place as writer. */
static int writer_begin(tl_journal *j, tl_journal_fault *fault)
{
    const tl_journal_reader *reader = j->reader;
    segment seg;
    const int rc =
        reader != NULL ? segment_resume(j, reader, &seg) : segment_prepare(j, 1, &seg);
    if (rc != 0)
        return tl_journal_fail(fault, -rc, j->dir, reader != NULL ? reader->header.index : 1,
                               "no room for the segment: %s", strerror(-rc));
    if (reader == NULL) {
        segment_begin(j, &seg, (int64_t)j->id);
        return 0;
    }
    j->current = seg;
    j->slot = reader->slot;
    j->slots = (seg.bytes - TL_JOURNAL_HEADER_BYTES) / RECORD_BYTES;
    j->seq = reader->seq;
    j->last_checksum = reader->last_checksum;
    return tail_cut(j, fault);
}

int64_t tl_journal_recover(tl_journal *j, const tl_command **first, size_t max,
                           tl_journal_fault *fault)
{
    assert(j->current.map == NULL);
    const int64_t count =
        j->reader == NULL ? 0 : tl_journal_reader_next(j->reader, first, max, fault);
    if (count != 0)
        return count;
    int rc = writer_begin(j, fault);
    tl_journal_reader_close(j->reader);
    j->reader = NULL;
    if (rc == 0 && (rc = helper_start(j)) != 0)
        tl_journal_fail(fault, -rc, j->dir, 0, "cannot start the helper thread");
    return rc;
}

static void helper_stop(tl_journal *j)
{
    if (!j->helper_runs)
        return;
    pthread_mutex_lock(&j->mutex);
    j->quit = 1;
    pthread_cond_broadcast(&j->changed);
    pthread_mutex_unlock(&j->mutex);
    pthread_join(j->helper, NULL);
}

void tl_journal_close(tl_journal *j)
{
    if (j == NULL)
        return;
    helper_stop(j);
    if (j->ready.map != NULL) {
        char path[TL_JOURNAL_PATH_BYTES];
        tl_journal_path(path, j->dir, j->ready.index);
        unlink(path); /* never begun: give the room back */
    }
    segment_drop(&j->ready);
    segment_drop(&j->retired);
    segment_drop(&j->current);
    tl_journal_reader_close(j->reader);
    if (j->dir_fd >= 0)
        close(j->dir_fd);
    pthread_mutex_destroy(&j->mutex);
    pthread_cond_destroy(&j->changed);
    free(j);
}

/* Appending */

/* Wait for the helper's segment; ask once more if it had failed, since room may have come. */
static int ready_take(tl_journal *j, segment *seg)
{
    int asked_again = 0;
    pthread_mutex_lock(&j->mutex);
    while (j->ready.map == NULL) {
        if (j->wanted == 0) {
            if (asked_again)
                break;
            asked_again = 1;
            j->wanted = j->current.index + 1;
            pthread_cond_broadcast(&j->changed);
        }
        pthread_cond_wait(&j->changed, &j->mutex);
    }
    const int rc = j->ready.map != NULL ? 0 : -j->error;
    if (rc == 0) {
        *seg = j->ready;
        j->ready.map = NULL;
        segment_drop(&j->retired);
        j->retired = j->current;
        j->wanted = seg->index + 1;
        pthread_cond_broadcast(&j->changed);
    }
    pthread_mutex_unlock(&j->mutex);
    return rc;
}

int64_t tl_journal_reserve(tl_journal *j, size_t want, int64_t now_ns, tl_journal_fault *fault)
{
    assert(j->current.map != NULL);
    assert(want > 0);
    if (j->slot == j->slots) {
        segment next;
        const int rc = ready_take(j, &next);
        if (rc != 0)
            return tl_journal_fail(fault, -rc, j->dir, j->current.index + 1,
                                   "no room for the next segment: %s", strerror(-rc));
        segment_begin(j, &next, now_ns);
    }
    const uint64_t room = j->slots - j->slot;
    return room < want ? (int64_t)room : (int64_t)want;
}

void tl_journal_append(tl_journal *j, tl_command *cmd)
{
    assert(j->slot < j->slots);
    assert(cmd->seq == j->seq);
    cmd->checksum = tl_command_checksum(cmd);
    memcpy(j->current.map + TL_JOURNAL_HEADER_BYTES + j->slot * RECORD_BYTES, cmd, RECORD_BYTES);
    j->last_checksum = cmd->checksum;
    j->slot++;
    j->seq++;
}

int tl_journal_commit(tl_journal *j, tl_journal_fault *fault)
{
    if (!j->sync_batch)
        return 0;
    const size_t from = j->synced & ~(size_t)(PAGE_BYTES - 1);
    const size_t to = TL_JOURNAL_HEADER_BYTES + (size_t)j->slot * RECORD_BYTES;
    if (msync(j->current.map + from, to - from, MS_SYNC) != 0)
        return tl_journal_fail(fault, errno, j->dir, j->current.index, "cannot sync: %s",
                               strerror(errno));
    j->synced = to;
    return 0;
}

const char *tl_journal_torn(const tl_journal *j)
{
    return j->torn;
}

uint64_t tl_journal_seq_next(const tl_journal *j)
{
    return j->seq;
}

uint64_t tl_journal_id(const tl_journal *j)
{
    return j->id;
}

uint64_t tl_journal_bytes(const tl_journal *j)
{
    return (uint64_t)j->current.index * TL_JOURNAL_HEADER_BYTES + (j->seq - 1) * RECORD_BYTES;
}
