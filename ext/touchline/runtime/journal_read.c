/* Reading the journal: segments in order, records in place, and the difference between an end, a
 * torn tail and damage. A reader owns its mapping and belongs to one thread; the writer may be at
 * work in another process. */
#define _GNU_SOURCE
#include "touchline/runtime/journal_head.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES sizeof(tl_command)

static int all_zero(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        if (at[i] != 0)
            return 0;
    return 1;
}

/* The header's bytes as far as the file goes; how many, or -errno. */
static ssize_t header_read(const char *dir, uint32_t index, tl_journal_header *header, int *fd,
                           tl_journal_fault *fault)
{
    *fd = tl_journal_file_open(dir, index, O_RDONLY, fault);
    if (*fd < 0)
        return *fd;
    const ssize_t got = pread(*fd, header, sizeof *header, 0);
    if (got < 0) {
        const int error = errno;
        close(*fd);
        return tl_journal_fail(fault, error, dir, index, "cannot read: %s", strerror(error));
    }
    return got;
}

int tl_journal_started(const char *dir, uint32_t index)
{
    tl_journal_header header;
    tl_journal_fault fault;
    int fd;
    const ssize_t got = header_read(dir, index, &header, &fd, &fault);
    if (got < 0)
        return got == -ENOENT ? 0 : (int)got;
    close(fd);
    /* A segment made ready ahead is all zeros up to the moment its magic is stored. */
    const size_t looked_at = (size_t)got < sizeof header.magic ? (size_t)got : sizeof header.magic;
    return !all_zero(&header, looked_at);
}

/* The number in a segment's name: eight digits. 0: it is no such name. */
static uint32_t name_index(const char *name)
{
    uint32_t index = 0;
    for (int i = 0; i < 8; i++) {
        if (name[i] < '0' || name[i] > '9')
            return 0;
        index = index * 10 + (uint32_t)(name[i] - '0');
    }
    return strcmp(name + 8, ".tlj") == 0 ? index : 0;
}

/* Every file named like a segment must be one, and none may be missing. */
static int dir_check(const char *dir, uint32_t *highest, tl_journal_fault *fault)
{
    DIR *list = opendir(dir);
    uint32_t count = 0;
    int rc = 0;
    *highest = 0;
    if (list == NULL)
        return tl_journal_fail(fault, errno, dir, TL_JOURNAL_DIR, "%s", strerror(errno));
    for (struct dirent *entry = readdir(list); entry != NULL && rc == 0; entry = readdir(list)) {
        const size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".tlj") != 0)
            continue;
        const uint32_t index = name_index(entry->d_name);
        if (index == 0)
            rc = tl_journal_fail(fault, EBADMSG, dir, TL_JOURNAL_DIR,
                                 "%.100s is no segment of this journal", entry->d_name);
        count++;
        *highest = index > *highest ? index : *highest;
    }
    closedir(list);
    for (uint32_t i = 1; rc == 0 && count != *highest && i <= *highest; i++) {
        char path[TL_JOURNAL_PATH_BYTES];
        tl_journal_path(path, dir, i);
        if (access(path, F_OK) != 0)
            rc = tl_journal_fail(fault, EBADMSG, dir, i, "the segment is missing");
    }
    return rc;
}

/* How many segments were begun: what journal.head says, and the newest that has a header. The head
 * is read first, so that a writer at work can only have begun more by the time of the second look.
 */
static int begun_find(tl_journal_reader *reader, tl_journal_head *head, int *has_head,
                      tl_journal_fault *fault)
{
    uint32_t highest;
    *has_head = tl_journal_head_read(reader->dir, head, fault);
    int rc = *has_head < 0 ? *has_head : dir_check(reader->dir, &highest, fault);
    if (rc < 0)
        return rc;
    reader->begun = head->begun;
    reader->begun_seq = head->first_seq;
    reader->journal_id = head->journal_id;
    for (uint32_t i = highest; i > head->begun; i--) {
        rc = tl_journal_started(reader->dir, i);
        if (rc < 0)
            return tl_journal_fail(fault, -rc, reader->dir, i, "cannot read: %s", strerror(-rc));
        if (rc == 1) {
            reader->begun = i;
            reader->begun_seq = 0;
            break;
        }
    }
    if (!*has_head && highest > 0 && reader->begun == 0)
        return tl_journal_fail(fault, EBADMSG, reader->dir, 1,
                               "the segment is empty, and no journal.head says it was never begun");
    return 0;
}

static int header_check(const tl_journal_reader *reader, uint32_t index,
                        const tl_journal_header *header, tl_journal_fault *fault)
{
    const char *dir = reader->dir;
    if (header->magic != TL_JOURNAL_MAGIC)
        return tl_journal_fail(fault, EBADMSG, dir, index, "not a touchline journal segment");
    if (header->version != TL_JOURNAL_VERSION)
        return tl_journal_fail(fault, EBADMSG, dir, index, "version %" PRIu32 "; this is %u",
                               header->version, TL_JOURNAL_VERSION);
    if (header->checksum != tl_journal_header_checksum(header))
        return tl_journal_fail(fault, EBADMSG, dir, index, "bad checksum of the header");
    if (header->segment_bytes < TL_JOURNAL_SEGMENT_MIN ||
        header->segment_bytes > TL_JOURNAL_SEGMENT_MAX ||
        header->segment_bytes % TL_JOURNAL_HEADER_BYTES != 0)
        return tl_journal_fail(fault, EBADMSG, dir, index, "absurd size in the header");
    if (header->index != index)
        return tl_journal_fail(fault, EBADMSG, dir, index, "this is segment %" PRIu32,
                               header->index);
    if (header->first_seq != reader->seq)
        return tl_journal_fail(fault, EBADMSG, dir, index,
                               "begins with command %" PRIu64 ", but %" PRIu64 " is due",
                               header->first_seq, reader->seq);
    if (reader->journal_id != 0 && header->journal_id != reader->journal_id)
        return tl_journal_fail(fault, EBADMSG, dir, index, "belongs to another journal");
    if (header->previous_checksum != reader->last_checksum)
        return tl_journal_fail(fault, EBADMSG, dir, index,
                               "does not follow the last record of the segment before");
    for (int i = 0; i < TL_JOURNAL_CAPACITIES; i++)
        if (header->capacities[i] < reader->header.capacities[i])
            return tl_journal_fail(fault, EBADMSG, dir, index,
                                   "has smaller capacities than the segment before");
    return 0;
}

static void segment_leave(tl_journal_reader *reader)
{
    if (reader->map != NULL)
        munmap((void *)(uintptr_t)reader->map, reader->map_bytes);
    if (reader->fd >= 0)
        close(reader->fd);
    reader->map = NULL;
    reader->fd = -1;
}

static int segment_map(tl_journal_reader *reader, tl_journal_fault *fault)
{
    struct stat st;
    if (fstat(reader->fd, &st) != 0)
        return tl_journal_fail(fault, errno, reader->dir, reader->header.index, "cannot stat");
    const size_t bytes = (size_t)reader->header.segment_bytes;
    if ((uint64_t)st.st_size < bytes) {
        /* It had its whole size before it had a header. */
        fault->seq = reader->header.first_seq;
        fault->offset = (uint64_t)st.st_size;
        return tl_journal_fail(fault, EBADMSG, reader->dir, reader->header.index,
                               "has %lld of its %zu bytes; commands from %" PRIu64
                               " on may be lost", (long long)st.st_size, bytes,
                               reader->header.first_seq);
    }
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, reader->fd, 0);
    if (map == MAP_FAILED)
        return tl_journal_fail(fault, errno, reader->dir, reader->header.index, "cannot map");
    madvise(map, bytes, MADV_SEQUENTIAL);
    if (reader->map != NULL)
        munmap((void *)(uintptr_t)reader->map, reader->map_bytes);
    reader->map = map;
    reader->map_bytes = bytes;
    return 0;
}

/* Segment `index` has no header. 0 when it is yet to come, -EBADMSG when it was lost. */
static int segment_unstarted(tl_journal_reader *reader, uint32_t index, int missing,
                             tl_journal_fault *fault)
{
    tl_journal_head head;
    const int rc = index <= reader->begun ? 0 : tl_journal_head_read(reader->dir, &head, fault);
    if (rc < 0)
        return rc;
    if (rc == 1 && head.begun > reader->begun) {
        reader->begun = head.begun;
        reader->begun_seq = head.first_seq;
    }
    if (index > reader->begun)
        return 0;
    /* A live writer may have begun it between the look at it and the look at the head. */
    if (tl_journal_started(reader->dir, index) == 1)
        return 1;
    fault->seq = reader->seq;
    fault->offset = 0;
    return tl_journal_fail(fault, EBADMSG, reader->dir, index,
                           "the segment was begun, but %s; commands from %" PRIu64
                           " on are lost", missing ? "is missing" : "its header is gone",
                           reader->seq);
}

/* Go to segment `index`. 1, 0 when it has not been started, or -errno. */
static int segment_enter(tl_journal_reader *reader, uint32_t index, tl_journal_fault *fault)
{
    tl_journal_header header = {0};
    int fd;
    if (index > TL_JOURNAL_INDEX_MAX)
        return 0;
    const ssize_t got = header_read(reader->dir, index, &header, &fd, fault);
    if (got < 0 && got != -ENOENT)
        return (int)got;
    if (got == -ENOENT || all_zero(&header.magic, sizeof header.magic)) {
        if (got >= 0)
            close(fd);
        const int lost = segment_unstarted(reader, index, got == -ENOENT, fault);
        return lost == 1 ? segment_enter(reader, index, fault) : lost;
    }
    int rc = header_check(reader, index, &header, fault);
    if (rc != 0) {
        close(fd);
        fault->seq = reader->seq;
        return rc;
    }
    segment_leave(reader);
    reader->fd = fd;
    reader->header = header;
    reader->journal_id = header.journal_id;
    reader->slot = 0;
    reader->swept = 0;
    rc = segment_map(reader, fault);
    return rc == 0 ? 1 : rc;
}

/* Find out how far the journal goes, and enter its first segment. 1, 0: there is none, -errno. */
static int reader_begin(tl_journal_reader *reader, tl_journal_fault *fault)
{
    tl_journal_head head;
    int has_head;
    int rc = begun_find(reader, &head, &has_head, fault);
    if (rc == 0)
        rc = segment_enter(reader, 1, fault);
    if (rc == 1 && !has_head &&
        tl_journal_head_read(reader->dir, &head, fault) == 0)
        rc = tl_journal_fail(fault, EBADMSG, reader->dir, TL_JOURNAL_HEAD,
                             "the file is missing; without it lost segments go unseen");
    return rc;
}

int tl_journal_reader_open(tl_journal_reader **out, const char *dir, tl_journal_fault *fault)
{
    assert(out != NULL);
    *fault = (tl_journal_fault){.seq = 1};
    if (strlen(dir) >= sizeof (*out)->dir)
        return tl_journal_fail(fault, ENAMETOOLONG, "", 0, "the path is too long");
    tl_journal_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return tl_journal_fail(fault, ENOMEM, dir, 0, "no memory for a reader");
    snprintf(reader->dir, sizeof reader->dir, "%s", dir);
    reader->fd = -1;
    reader->seq = 1;
    const int rc = reader_begin(reader, fault);
    if (rc == 1) {
        *out = reader;
        return 0;
    }
    tl_journal_reader_close(reader);
    return rc < 0 ? rc : tl_journal_fail(fault, ENOENT, dir, 0, "there is no journal here");
}

void tl_journal_reader_close(tl_journal_reader *reader)
{
    if (reader == NULL)
        return;
    segment_leave(reader);
    free(reader);
}

static uint64_t slots_of(uint64_t bytes)
{
    return (bytes - TL_JOURNAL_HEADER_BYTES) / RECORD_BYTES;
}

static const tl_command *record(const tl_journal_reader *reader, uint64_t slot)
{
    const char *records = reader->map + TL_JOURNAL_HEADER_BYTES;
    return (const tl_command *)(const void *)(records + slot * RECORD_BYTES);
}

static uint64_t slots_mapped(const tl_journal_reader *reader)
{
    return reader->map_bytes < TL_JOURNAL_HEADER_BYTES ? 0 : slots_of(reader->map_bytes);
}

static int record_whole(const tl_command *cmd)
{
    return cmd->seq != 0 && cmd->checksum == tl_command_checksum(cmd);
}

/* Is this a header of segment `index`, whatever it goes with? */
static int header_whole(const tl_journal_header *header, uint32_t index)
{
    return header->magic == TL_JOURNAL_MAGIC && header->index == index &&
           header->checksum == tl_journal_header_checksum(header);
}

/* Segment `index` as it is now, into `header`: 1 when it has a header that is whole. */
static int header_look(const tl_journal_reader *reader, uint32_t index, tl_journal_header *header)
{
    tl_journal_fault fault;
    int fd;
    *header = (tl_journal_header){0};
    const ssize_t got = header_read(reader->dir, index, header, &fd, &fault);
    if (got < 0)
        return 0;
    close(fd);
    return got == (ssize_t)sizeof *header && header_whole(header, index);
}

tl_journal_header tl_journal_reader_newest(const tl_journal_reader *reader)
{
    tl_journal_header newest;
    return header_look(reader, reader->begun, &newest) ? newest : reader->header;
}

/* Nothing stands in the next slot: does the segment end here, because the engine was given larger
 * capacities? Then the next one says that it begins with this very command. */
static int ends_early(const tl_journal_reader *reader)
{
    tl_journal_header next;
    if (reader->header.index >= TL_JOURNAL_INDEX_MAX ||
        !header_look(reader, reader->header.index + 1, &next))
        return 0;
    return next.first_seq == reader->seq && next.previous_checksum == reader->last_checksum &&
           memcmp(next.capacities, reader->header.capacities, sizeof next.capacities) != 0;
}

/* Does any whole record lie beyond the next slot of this segment? */
static int good_behind(const tl_journal_reader *reader)
{
    const uint64_t slots = slots_mapped(reader);
    for (uint64_t slot = reader->slot + 1; slot < slots; slot++)
        if (record_whole(record(reader, slot)))
            return 1;
    return 0;
}

/* Or in a later one? */
static int good_beyond(const tl_journal_reader *reader)
{
    return good_behind(reader) || reader->begun > reader->header.index ||
           tl_journal_started(reader->dir, reader->header.index + 1) == 1;
}

/* The next slot holds no good record: is that the end? 0 yes, 1 look again, here or in the next
 * segment, -EBADMSG damage. */
static int end_check(tl_journal_reader *reader, tl_journal_fault *fault)
{
    const int there = reader->slot < slots_mapped(reader);
    const tl_command *cmd = there ? record(reader, reader->slot) : NULL;
    const int zero = !there || all_zero(cmd, RECORD_BYTES);
    if (zero && reader->swept &&
        tl_journal_started(reader->dir, reader->header.index + 1) != 1)
        return 0;
    const int misplaced = !zero && record_whole(cmd) && cmd->seq != reader->seq;
    if (!misplaced && !good_beyond(reader)) {
        reader->swept = (uint32_t)zero;
        return 0;
    }
    /* A live writer may have filled this slot and later ones since it was looked at. */
    if (there && record_whole(cmd) && cmd->seq == reader->seq)
        return 1;
    /* Looked at again: a tail that was torn is cut before the next segment is begun. */
    if ((!there || all_zero(cmd, RECORD_BYTES)) && !good_behind(reader) && ends_early(reader))
        return segment_enter(reader, reader->header.index + 1, fault);
    fault->seq = reader->seq;
    fault->offset = TL_JOURNAL_HEADER_BYTES + reader->slot * RECORD_BYTES;
    if (misplaced)
        return tl_journal_fail(fault, EBADMSG, reader->dir, reader->header.index,
                               "command %" PRIu64 " stands where %" PRIu64 " is due", cmd->seq,
                               reader->seq);
    return tl_journal_fail(fault, EBADMSG, reader->dir, reader->header.index, "%s, yet more follow",
                           !there ? "the file is cut short"
                           : zero ? "the command is missing"
                                  : "bad checksum of the command");
}

static size_t records_take(tl_journal_reader *reader, size_t max)
{
    const uint64_t slots = slots_mapped(reader);
    size_t count = 0;
    while (count < max && reader->slot < slots) {
        const tl_command *cmd = record(reader, reader->slot);
        if (cmd->seq != reader->seq || cmd->checksum != tl_command_checksum(cmd))
            break;
        reader->last_checksum = cmd->checksum;
        reader->slot++;
        reader->seq++;
        count++;
    }
    return count;
}

/* A file that was cut short is made whole again by the next writer's recovery. 1: it has grown. */
static int short_file_again(tl_journal_reader *reader, tl_journal_fault *fault)
{
    const size_t before = reader->map_bytes;
    if (before == reader->header.segment_bytes)
        return 0;
    const int rc = segment_map(reader, fault);
    return rc == 0 ? reader->map_bytes > before : rc;
}

int64_t tl_journal_reader_next(tl_journal_reader *reader, const tl_command **first, size_t max,
                               tl_journal_fault *fault)
{
    assert(max > 0);
    *fault = (tl_journal_fault){0};
    for (;;) {
        const uint64_t slot = reader->slot;
        const size_t count = records_take(reader, max);
        if (count > 0) {
            *first = record(reader, slot);
            return (int64_t)count;
        }
        int rc = short_file_again(reader, fault);
        if (rc == 0)
            rc = slot == slots_of(reader->header.segment_bytes)
                     ? segment_enter(reader, reader->header.index + 1, fault)
                     : end_check(reader, fault);
        if (rc != 1)
            return rc;
    }
}

uint64_t tl_journal_reader_count(const tl_journal_reader *reader)
{
    tl_journal_header header;
    tl_journal_fault fault;
    int fd;
    const ssize_t got = header_read(reader->dir, reader->begun, &header, &fd, &fault);
    if (got < 0)
        return 0;
    uint64_t low = 0, high = got < (ssize_t)sizeof header ? 0 : slots_of(header.segment_bytes);
    /* Records are written in order: halve what may be written until its end is found. */
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        tl_command cmd = {0};
        const off_t at = (off_t)(TL_JOURNAL_HEADER_BYTES + middle * RECORD_BYTES);
        if (pread(fd, &cmd, sizeof cmd, at) == (ssize_t)sizeof cmd && cmd.seq != 0)
            low = middle + 1;
        else
            high = middle;
    }
    close(fd);
    return low == 0 && got < (ssize_t)sizeof header ? 0 : header.first_seq - 1 + low;
}

int64_t tl_journal_reader_texts(tl_journal_reader *reader, tl_command *out, size_t room,
                                tl_journal_fault *fault)
{
    const tl_command *first = NULL;
    size_t found = 0;
    int64_t count = 0;
    /* As many as there is room for, so that none of those looked at is left over. */
    while (found < room &&
           (count = tl_journal_reader_next(reader, &first, room - found, fault)) > 0)
        for (int64_t i = 0; i < count; i++)
            if (first[i].type == TL_MSG_TYPE_TEXT && !TL_TEXT_OF_REQUEST(first[i].field))
                out[found++] = first[i];
    return count < 0 ? count : (int64_t)found;
}
