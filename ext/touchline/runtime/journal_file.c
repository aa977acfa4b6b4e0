/* The journal's files: what they are called, how one is opened, and how a fault is told. Shared by
 * reader, writer and sealer; nothing here keeps state. */
#define _GNU_SOURCE
#include "touchline/runtime/journal.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint32_t tl_journal_checksum(const void *from, size_t count)
{
    const unsigned char *bytes = from;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc >> 1) ^ (0x82F63B78u & (0u - (crc & 1u)));
    }
    return ~crc;
}

uint32_t tl_journal_header_checksum(const tl_journal_header *header)
{
    return tl_journal_checksum(header, offsetof(tl_journal_header, checksum));
}

void tl_journal_path(char path[TL_JOURNAL_PATH_BYTES], const char *dir, uint32_t index)
{
    if (index == TL_JOURNAL_DIR)
        snprintf(path, TL_JOURNAL_PATH_BYTES, "%s", dir);
    else if (index == TL_JOURNAL_HEAD)
        snprintf(path, TL_JOURNAL_PATH_BYTES, "%s/journal.head", dir);
    else if (index == TL_JOURNAL_HEAD_NEW)
        snprintf(path, TL_JOURNAL_PATH_BYTES, "%s/journal.head.new", dir);
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

/* Is this a file to trust? 0 or -errno. */
static int file_check(int fd, int writes, const char *dir, uint32_t index, tl_journal_fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return tl_journal_fail(fault, errno, dir, index, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return tl_journal_fail(fault, EBADMSG, dir, index, "is no regular file");
    if (writes && st.st_uid != geteuid())
        return tl_journal_fail(fault, EPERM, dir, index, "belongs to user %u, not to %u",
                               (unsigned)st.st_uid, (unsigned)geteuid());
    if (writes && (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
        return tl_journal_fail(fault, EPERM, dir, index,
                               "others may write it: its mode is %03o, 600 is allowed",
                               (unsigned)(st.st_mode & 0777));
    return 0;
}

int tl_journal_file_open(const char *dir, uint32_t index, int flags, tl_journal_fault *fault)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_path(path, dir, index);
    /* Not blocking: a pipe of this name must not hold the opener up. */
    const int fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0 && errno == ELOOP)
        return tl_journal_fail(fault, EBADMSG, dir, index, "is a symbolic link");
    if (fd < 0)
        return tl_journal_fail(fault, errno, dir, index, "%s", strerror(errno));
    const int rc = file_check(fd, (flags & O_ACCMODE) != O_RDONLY, dir, index, fault);
    if (rc != 0)
        close(fd);
    return rc == 0 ? fd : rc;
}
