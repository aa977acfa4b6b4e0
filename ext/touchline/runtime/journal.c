/* Writing the journal: recovery that cuts a torn tail, appending into a mapped segment. journal.h
 * draws it. Owned by the engine thread. */
#define _GNU_SOURCE
#include "touchline/core/engine.h"
#include "touchline/runtime/journal_head.h"
#include "touchline/runtime/journal_segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

struct tl_journal {
    tl_segments segments;
    tl_journal_sealer sealer;
    tl_segment current;
    uint64_t slot; /* of the next record in the current segment */
    uint64_t slots;
    uint64_t seq; /* of the next record */
    uint64_t id;
    int64_t opened_ns;
    size_t synced; /* bytes of the current segment known to be on the disk */
    uint32_t last_checksum;
    uint32_t capacities[TL_JOURNAL_CAPACITIES];
    int32_t avoid_cpu;
    tl_journal_reader *reader; /* during recovery only */
    char torn[TL_JOURNAL_TEXT_BYTES];
};

/* 0, or -errno when journal.head could not be written for an earlier segment. */
static int segment_begin(tl_journal *j, const tl_segment *seg, int64_t now_ns)
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
    memcpy(filled.capacities, j->capacities, sizeof filled.capacities);
    filled.checksum = tl_journal_header_checksum(&filled);
    memcpy((char *)header + sizeof header->magic, (const char *)&filled + sizeof filled.magic,
           sizeof filled - sizeof filled.magic);
    /* Release: a reader, or a recovery after a kill, that sees the magic sees the whole header. */
    atomic_store_explicit((_Atomic uint64_t *)&header->magic, filled.magic, memory_order_release);
    j->current = *seg;
    j->slot = 0;
    j->slots = (seg->bytes - TL_JOURNAL_HEADER_BYTES) / RECORD_BYTES;
    j->synced = 0;
    return tl_journal_sealer_begun(&j->sealer, seg->index, j->seq);
}

/* Opening and recovery */

static int dir_open(tl_journal *j, tl_journal_fault *fault)
{
    const char *dir = j->segments.dir;
    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return tl_journal_fail(fault, errno, dir, 0, "%s", strerror(errno));
    j->segments.dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->segments.dir_fd < 0)
        return tl_journal_fail(fault, errno, dir, 0, "%s", strerror(errno));
    if (flock(j->segments.dir_fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return tl_journal_fail(fault, EBUSY, dir, 0, "another engine writes this journal");
    return tl_journal_fail(fault, errno, dir, 0, "%s", strerror(errno));
}

/* They may be raised, never lowered: the newest segment's commands may need all they had. */
static int capacities_check(const tl_journal *j, const tl_journal_header *newest,
                            tl_journal_fault *fault)
{
    const uint32_t *had = newest->capacities;
    for (int i = 0; i < TL_JOURNAL_CAPACITIES; i++)
        if (j->capacities[i] < had[i])
            return tl_journal_fail(fault, EINVAL, j->segments.dir, 0,
                                   "the journal was written with %s %" PRIu32
                                   ", which can be raised but not lowered to %" PRIu32,
                                   tl_capacities[i].name, had[i], j->capacities[i]);
    return 0;
}

/* There is a journal to go on with. */
static int reader_use(tl_journal *j, tl_journal_fault *fault)
{
    const tl_journal_header newest = tl_journal_reader_newest(j->reader);
    j->id = j->reader->header.journal_id;
    return capacities_check(j, &newest, fault);
}

static int config_check(const tl_journal_config *config, tl_journal_fault *fault)
{
    if (strlen(config->dir) >= sizeof((tl_segments *)0)->dir)
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
    memcpy(j->capacities, config->capacities, sizeof j->capacities);
    j->avoid_cpu = config->avoid_cpu;
    j->opened_ns = config->now_ns;
    j->id = (uint64_t)config->now_ns;
    j->seq = 1;
    tl_segments_open(&j->segments, config);
    tl_journal_sealer_open(&j->sealer, config->dir, config->sync_batch);
    rc = dir_open(j, fault);
    if (rc == 0)
        rc = tl_journal_reader_open(&j->reader, j->segments.dir, fault);
    if (rc == 0)
        rc = reader_use(j, fault);
    else if (rc == -ENOENT)
        rc = 0; /* a new journal; recovery finds nothing and begins it */
    if (rc != 0) {
        tl_journal_close(j);
        return rc;
    }
    *out = j;
    return 0;
}

/* Just after the last byte from `from` on that is not zero. */
static size_t written_end(const tl_segment *seg, size_t from)
{
    size_t to = seg->bytes;
    uint64_t word = 0;
    while (to > from && word == 0) {
        to -= sizeof word;
        memcpy(&word, seg->map + to, sizeof word);
    }
    if (word == 0)
        return from;
    for (to += sizeof word; seg->map[to - 1] == 0;)
        to--;
    return to;
}

/* Zero everything after the last good record of the current segment, and say what that was. */
static int tail_cut(tl_journal *j, tl_journal_fault *fault)
{
    const size_t from = TL_JOURNAL_HEADER_BYTES + (size_t)j->slot * RECORD_BYTES;
    const size_t to = written_end(&j->current, from);
    if (to == from)
        return 0;
    snprintf(j->torn, sizeof j->torn,
             "cut %zu bytes of a torn tail at byte %zu of %08" PRIu32
             ".tlj; the last whole command is %" PRIu64,
             to - from, from, j->current.index, j->seq - 1);
    memset(j->current.map + from, 0, to - from);
    if (j->segments.sync && fdatasync(j->current.fd) != 0)
        return tl_journal_fail(fault, errno, j->segments.dir, j->current.index, "%s",
                               strerror(errno));
    return 0;
}

static int segment_fail(const tl_journal *j, int rc, uint32_t index, tl_journal_fault *fault)
{
    return tl_journal_fail(fault, -rc, j->segments.dir, index, "cannot make the segment: %s",
                           strerror(-rc));
}

/* A journal of none or of the version before gets its head before anything else is made. */
static int sealer_begin(tl_journal *j, tl_journal_fault *fault)
{
    tl_journal_head head;
    int rc = tl_journal_head_read(j->segments.dir, &head, fault);
    if (rc < 0)
        return rc;
    const int fresh = rc == 0 || j->reader == NULL;
    rc = fresh ? tl_journal_sealer_create(&j->sealer, j->segments.dir_fd, j->id) : 0;
    if (fresh)
        head = (tl_journal_head){.journal_id = j->id};
    if (rc == 0)
        rc = tl_journal_sealer_start(&j->sealer, j->segments.dir_fd, &head, j->avoid_cpu);
    return rc == 0 ? 0
                   : tl_journal_fail(fault, -rc, j->segments.dir, TL_JOURNAL_HEAD,
                                     "cannot write: %s", strerror(-rc));
}

/* There is nothing yet: begin the first segment. */
static int first_begin(tl_journal *j, tl_journal_fault *fault)
{
    tl_segment seg;
    int rc = tl_segment_free(j->segments.dir, 1, fault);
    if (rc == 0)
        rc = sealer_begin(j, fault);
    if (rc != 0)
        return rc;
    rc = tl_segment_prepare(&j->segments, 1, &seg);
    if (rc != 0) {
        char head[TL_JOURNAL_PATH_BYTES];
        tl_journal_path(head, j->segments.dir, TL_JOURNAL_HEAD);
        unlink(head); /* it speaks of no journal: leave nothing behind */
        return segment_fail(j, rc, 1, fault);
    }
    segment_begin(j, &seg, j->opened_ns);
    return 0;
}

/* The current segment has other capacities: leave it as it is, and begin one that has ours. */
static int grown_begin(tl_journal *j, tl_journal_fault *fault)
{
    const uint32_t index = j->current.index + 1;
    tl_segment seg;
    int rc = tl_segment_prepare(&j->segments, index, &seg);
    if (rc != 0)
        return segment_fail(j, rc, index, fault);
    tl_segment_drop(&j->current);
    rc = segment_begin(j, &seg, j->opened_ns);
    return rc == 0 ? 0
                   : tl_journal_fail(fault, -rc, j->segments.dir, TL_JOURNAL_HEAD,
                                     "cannot note the segment before: %s", strerror(-rc));
}

/* The reader has met the end: take its place as writer. */
static int writer_begin(tl_journal *j, tl_journal_fault *fault)
{
    const tl_journal_reader *reader = j->reader;
    if (reader == NULL)
        return first_begin(j, fault);
    tl_segment seg;
    int rc = capacities_check(j, &reader->header, fault);
    if (rc == 0)
        rc = tl_segment_free(j->segments.dir, reader->header.index + 1, fault);
    if (rc == 0)
        rc = sealer_begin(j, fault);
    if (rc != 0)
        return rc;
    rc = tl_segment_resume(&j->segments, &reader->header, &seg, fault);
    if (rc != 0)
        return rc;
    j->current = seg;
    j->slot = reader->slot;
    j->slots = (seg.bytes - TL_JOURNAL_HEADER_BYTES) / RECORD_BYTES;
    j->seq = reader->seq;
    j->last_checksum = reader->last_checksum;
    rc = tail_cut(j, fault);
    if (rc != 0)
        return rc;
    tl_journal_sealer_begun(&j->sealer, seg.index, reader->header.first_seq);
    const int same =
        memcmp(reader->header.capacities, j->capacities, sizeof j->capacities) == 0;
    return same ? 0 : grown_begin(j, fault);
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
    if (rc != 0)
        return rc;
    rc = tl_segments_ahead(&j->segments, j->current.index + 1, j->avoid_cpu);
    if (rc != 0)
        tl_journal_fail(fault, -rc, j->segments.dir, 0, "cannot start the helper thread");
    return rc;
}

void tl_journal_close(tl_journal *j)
{
    if (j == NULL)
        return;
    tl_journal_sealer_close(&j->sealer);
    tl_segment_drop(&j->current);
    tl_segments_close(&j->segments);
    tl_journal_reader_close(j->reader);
    free(j);
}

/* Appending */

int64_t tl_journal_reserve(tl_journal *j, size_t want, int64_t now_ns, tl_journal_fault *fault)
{
    assert(j->current.map != NULL);
    assert(want > 0);
    if (j->slot == j->slots) {
        tl_segment next;
        int rc = tl_segment_next(&j->segments, &j->current, &next);
        if (rc != 0)
            return segment_fail(j, rc, j->current.index + 1, fault);
        rc = segment_begin(j, &next, now_ns);
        tl_segments_begun(&j->segments, next.index);
        if (rc != 0)
            return tl_journal_fail(fault, -rc, j->segments.dir, TL_JOURNAL_HEAD,
                                   "cannot note the segment before: %s", strerror(-rc));
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
    if (!j->segments.sync)
        return 0;
    const size_t from = j->synced & ~(size_t)(PAGE_BYTES - 1);
    const size_t to = TL_JOURNAL_HEADER_BYTES + (size_t)j->slot * RECORD_BYTES;
    if (msync(j->current.map + from, to - from, MS_SYNC) != 0)
        return tl_journal_fail(fault, errno, j->segments.dir, j->current.index, "cannot sync: %s",
                               strerror(errno));
    j->synced = to;
    return 0;
}

const uint32_t *tl_journal_capacities(const tl_journal *j)
{
    return j->reader == NULL ? j->capacities : j->reader->header.capacities;
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

uint64_t tl_journal_held(const tl_journal *j)
{
    return j->reader == NULL ? 0 : tl_journal_reader_count(j->reader);
}
