/* A journal in a folder of its own, for the tests that write, spoil and recover one. Included by
 * one file of a program. The folder is in /tmp; dir_make and dir_remove come first and last.
 */
#ifndef TOUCHLINE_TEST_JOURNAL_FILES_H
#define TOUCHLINE_TEST_JOURNAL_FILES_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "touchline/runtime/journal.h"

#define HEADER TL_JOURNAL_HEADER_BYTES
#define SEGMENT TL_JOURNAL_SEGMENT_MIN
#define SLOTS ((SEGMENT - HEADER) / 64) /* 64 commands in a segment */

static char dir[64];

static inline void dir_empty(void)
{
    DIR *list = opendir(dir);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        unlinkat(dirfd(list), entry->d_name, 0);
    if (list != NULL)
        closedir(list);
}

static inline tl_journal_config config(void)
{
    return (tl_journal_config){.dir = dir,
                               .capacities = {1, 2, 3, 4, 5},
                               .segment_bytes = SEGMENT,
                               .now_ns = 1000,
                               .avoid_cpu = -1};
}

static inline tl_command numbered(uint64_t seq)
{
    return (tl_command){.seq = seq, .ts_ns = (int64_t)seq * 10, .cl_ord_id = seq * 7, .type = 'D'};
}

/* Open and recover; `recovered` commands must be there, in order and whole. */
static inline tl_journal *open_with(const tl_journal_config *with, uint64_t recovered)
{
    tl_journal *j;
    tl_journal_fault fault;
    const tl_command *first;
    uint64_t seq = 1;
    int64_t count;
    CHECK(tl_journal_open(&j, with, &fault) == 0);
    while ((count = tl_journal_recover(j, &first, 50, &fault)) > 0)
        for (int64_t i = 0; i < count; i++, seq++) {
            CHECK(first[i].seq == seq);
            CHECK(first[i].cl_ord_id == seq * 7);
        }
    CHECK(count == 0);
    CHECK(seq == recovered + 1);
    CHECK(tl_journal_seq_next(j) == seq);
    return j;
}

static inline tl_journal *open_journal(uint64_t recovered)
{
    const tl_journal_config with = config();
    return open_with(&with, recovered);
}

static inline void append(tl_journal *j, uint64_t count)
{
    tl_journal_fault fault;
    for (uint64_t i = 0; i < count; i++) {
        tl_command cmd = numbered(tl_journal_seq_next(j));
        CHECK(tl_journal_reserve(j, 1, cmd.ts_ns, &fault) == 1);
        tl_journal_append(j, &cmd);
        CHECK(tl_journal_commit(j, &fault) == 0);
    }
}

/* A new journal of `count` commands, closed. */
static inline void journal_of(uint64_t count)
{
    dir_empty();
    tl_journal *j = open_journal(0);
    append(j, count);
    tl_journal_close(j);
}

static inline int open_segment(uint32_t index)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, dir, index);
    const int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

static inline void spoil(uint32_t index, off_t at, const void *bytes, size_t count)
{
    const int fd = open_segment(index);
    CHECK(pwrite(fd, bytes, count, at) == (ssize_t)count);
    close(fd);
}

/* Recovery must fail, and say so; returns what it said. */
static inline tl_journal_fault recovery_fails(int error)
{
    const tl_journal_config with = config();
    tl_journal *j;
    tl_journal_fault fault;
    const tl_command *first;
    int64_t rc = tl_journal_open(&j, &with, &fault);
    if (rc == 0) {
        do
            rc = tl_journal_recover(j, &first, 50, &fault);
        while (rc > 0);
        tl_journal_close(j);
    }
    CHECK(rc == -error);
    CHECK(fault.error == error);
    CHECK(fault.text[0] != '\0');
    return fault;
}

static inline void dir_make(const char *name)
{
    snprintf(dir, sizeof dir, "/tmp/touchline-test-%s-%d", name, (int)getpid());
}

static inline void dir_remove(void)
{
    dir_empty();
    rmdir(dir);
}

#endif
