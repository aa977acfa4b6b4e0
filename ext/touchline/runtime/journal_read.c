/* Reading the journal: segments in order, records in place, and the difference between an end, a
 * torn tail and damage. A reader owns its mapping and belongs to one thread; the writer may be at
 * work in another process. */
#define _GNU_SOURCE
#include "touchline/runtime/journal.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORD_BYTES sizeof(tl_command)

uint32_t tl_journal_header_checksum(const tl_journal_header *header)
{
    const unsigned char *bytes = (const unsigned char *)header;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < offsetof(tl_journal_header, checksum); i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return ~crc;
}

void tl_journal_path(char path[TL_JOURNAL_PATH_BYTES], const char *dir, uint32_t index)
{
    if (index == 0)
        snprintf(path, TL_JOURNAL_PATH_BYTES, "%s", dir);
    else
        snprintf(path, TL_JOURNAL_PATH_BYTES, "%s/%08" PRIu32 ".tlj", dir, index);
}

int tl_journal_fail(tl_journal_fault *fault, int error, const char *dir, uint32_t index,
                    const char *format, ...)
{
    va_list arguments;
    assert(error > 0);
    fault->error = error;
    tl_journal_path(fault->path, dir, index);
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    return -error;
}

static int all_zero(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++)
        if (at[i] != 0)
            return 0;
    return 1;
}

/* The header's bytes as far as the file goes; how many, or -errno. */
static ssize_t header_read(const char *dir, uint32_t index, tl_journal_header *header, int *fd)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, dir, index);
    *fd = open(path, O_RDONLY | O_CLOEXEC);
    if (*fd < 0)
        return -errno;
    const ssize_t got = pread(*fd, header, sizeof *header, 0);
    if (got < 0) {
        const int error = errno;
        close(*fd);
        return -error;
    }
    return got;
}

int tl_journal_started(const char *dir, uint32_t index)
{
    tl_journal_header header;
    int fd;
    const ssize_t got = header_read(dir, index, &header, &fd);
    if (got < 0)
        return got == -ENOENT ? 0 : (int)got;
    close(fd);
    /* A segment made ready ahead is all zeros up to the moment its magic is stored. */
    const size_t looked_at = (size_t)got < sizeof header.magic ? (size_t)got : sizeof header.magic;
    return !all_zero(&header, looked_at);
}

/* Every file named like a segment must be one, and none may be missing. */
static int dir_check(const char *dir, tl_journal_fault *fault)
{
    DIR *list = opendir(dir);
    uint32_t count = 0, highest = 0;
    int rc = 0;
    if (list == NULL)
        return tl_journal_fail(fault, errno, dir, 0, "%s", strerror(errno));
    for (struct dirent *entry = readdir(list); entry != NULL && rc == 0; entry = readdir(list)) {
        const size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 4, ".tlj") != 0)
            continue;
        char *end;
        const unsigned long index = strtoul(entry->d_name, &end, 10);
        if (length != 12 || end != entry->d_name + 8 || index == 0)
            rc = tl_journal_fail(fault, EBADMSG, dir, 0, "%.100s is no segment of this journal",
                                 entry->d_name);
        count++;
        highest = index > highest ? (uint32_t)index : highest;
    }
    closedir(list);
    if (rc == 0 && count != highest)
        for (uint32_t i = 1; i <= highest && rc == 0; i++) {
            char path[TL_JOURNAL_PATH_BYTES];
            tl_journal_path(path, dir, i);
            if (access(path, F_OK) != 0)
                rc = tl_journal_fail(fault, EBADMSG, dir, i, "the segment is missing");
        }
    return rc;
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
        header->segment_bytes > TL_JOURNAL_SEGMENT_MAX)
        return tl_journal_fail(fault, EBADMSG, dir, index, "absurd size in the header");
    if (header->index != index)
        return tl_journal_fail(fault, EBADMSG, dir, index, "this is segment %" PRIu32,
                               header->index);
    if (header->first_seq != reader->seq)
        return tl_journal_fail(fault, EBADMSG, dir, index,
                               "begins with command %" PRIu64 ", but %" PRIu64 " is due",
                               header->first_seq, reader->seq);
    if (index > 1 && header->journal_id != reader->header.journal_id)
        return tl_journal_fail(fault, EBADMSG, dir, index, "belongs to another journal");
    if (header->previous_checksum != reader->last_checksum)
        return tl_journal_fail(fault, EBADMSG, dir, index,
                               "does not follow the last record of the segment before");
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
    const uint64_t size = (uint64_t)st.st_size;
    const size_t bytes =
        size < reader->header.segment_bytes ? (size_t)size : (size_t)reader->header.segment_bytes;
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

/* Go to segment `index`. 1, 0 when it has not been started, or -errno. */
static int segment_enter(tl_journal_reader *reader, uint32_t index, tl_journal_fault *fault)
{
    tl_journal_header header = {0};
    int fd;
    const ssize_t got = header_read(reader->dir, index, &header, &fd);
    if (got == -ENOENT)
        return 0;
    if (got < 0)
        return tl_journal_fail(fault, (int)-got, reader->dir, index, "cannot read");
    int rc = all_zero(&header.magic, sizeof header.magic) ? 0 : 1;
    if (rc == 1) {
        const int checked = header_check(reader, index, &header, fault);
        rc = checked == 0 ? 1 : checked;
    }
    if (rc != 1) {
        close(fd);
        fault->seq = reader->seq;
        return rc;
    }
    segment_leave(reader);
    reader->fd = fd;
    reader->header = header;
    reader->slot = 0;
    reader->swept = 0;
    rc = segment_map(reader, fault);
    return rc == 0 ? 1 : rc;
}

int tl_journal_reader_open(tl_journal_reader **out, const char *dir, tl_journal_fault *fault)
{
    assert(out != NULL);
    *fault = (tl_journal_fault){.seq = 1};
    if (strlen(dir) >= sizeof (*out)->dir)
        return tl_journal_fail(fault, ENAMETOOLONG, "", 0, "the path is too long");
    int rc = dir_check(dir, fault);
    if (rc != 0)
        return rc;
    tl_journal_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return tl_journal_fail(fault, ENOMEM, dir, 0, "no memory for a reader");
    snprintf(reader->dir, sizeof reader->dir, "%s", dir);
    reader->fd = -1;
    reader->seq = 1;
    rc = segment_enter(reader, 1, fault);
    if (rc == 1) {
        *out = reader;
        return 0;
    }
    free(reader);
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

/* Does any whole record lie beyond the next slot, in this segment or a later one? */
static int good_beyond(const tl_journal_reader *reader)
{
    const uint64_t slots = slots_mapped(reader);
    for (uint64_t slot = reader->slot + 1; slot < slots; slot++)
        if (record_whole(record(reader, slot)))
            return 1;
    return tl_journal_started(reader->dir, reader->header.index + 1) == 1;
}

/* The next slot holds no good record: is that the end? 0 yes, 1 look again, -EBADMSG damage. */
static int end_check(tl_journal_reader *reader, tl_journal_fault *fault)
{
    const int there = reader->slot < slots_mapped(reader);
    const tl_command *cmd = there ? record(reader, reader->slot) : NULL;
    const int zero = !there || all_zero(cmd, RECORD_BYTES);
    if (zero && reader->swept)
        return 0;
    const int misplaced = !zero && record_whole(cmd) && cmd->seq != reader->seq;
    if (!misplaced && !good_beyond(reader)) {
        reader->swept = (uint32_t)zero;
        return 0;
    }
    /* A live writer may have filled this slot and later ones since it was looked at. */
    if (there && record_whole(cmd) && cmd->seq == reader->seq)
        return 1;
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
