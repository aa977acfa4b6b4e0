/* Writing and reading journal.head. journal_head.h says why and in which order. */
#define _GNU_SOURCE
#include "touchline/runtime/journal_head.h"
#include "touchline/runtime/journal_segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define READ_TRIES 100 /* a reader that looks while 64 bytes are written looks again */

static uint32_t head_checksum(const tl_journal_head *head)
{
    return tl_journal_checksum(head, offsetof(tl_journal_head, checksum));
}

static ssize_t head_bytes(int fd, tl_journal_head *head)
{
    ssize_t got = 0;
    for (int tries = 0; tries < READ_TRIES; tries++) {
        *head = (tl_journal_head){0};
        got = pread(fd, head, sizeof *head, 0);
        if (got < 0)
            return -errno;
        if (got == sizeof *head && head->checksum == head_checksum(head))
            break;
    }
    return got;
}

int tl_journal_head_read(const char *dir, tl_journal_head *head, tl_journal_fault *fault)
{
    int fd = tl_journal_file_open(dir, TL_JOURNAL_HEAD, O_RDONLY, fault);
    *head = (tl_journal_head){0};
    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    const ssize_t got = head_bytes(fd, head);
    close(fd);
    if (got < 0)
        return tl_journal_fail(fault, (int)-got, dir, TL_JOURNAL_HEAD, "%s", strerror((int)-got));
    if (got < (ssize_t)sizeof *head)
        return tl_journal_fail(fault, EBADMSG, dir, TL_JOURNAL_HEAD,
                               "has %zd bytes of 64, which say how many segments there are", got);
    if (head->magic != TL_JOURNAL_HEAD_MAGIC)
        return tl_journal_fail(fault, EBADMSG, dir, TL_JOURNAL_HEAD, "not a journal's head");
    if (head->version != TL_JOURNAL_VERSION)
        return tl_journal_fail(fault, EBADMSG, dir, TL_JOURNAL_HEAD, "version %" PRIu32
                               "; this is %u", head->version, TL_JOURNAL_VERSION);
    if (head->checksum != head_checksum(head))
        return tl_journal_fail(fault, EBADMSG, dir, TL_JOURNAL_HEAD, "bad checksum");
    return 1;
}

static int head_write(tl_journal_sealer *s, uint32_t begun, uint64_t first_seq, uint32_t sync)
{
    tl_journal_head head = {
        .magic = TL_JOURNAL_HEAD_MAGIC,
        .version = TL_JOURNAL_VERSION,
        .begun = begun,
        .journal_id = s->journal_id,
        .first_seq = first_seq,
    };
    head.checksum = head_checksum(&head);
    const ssize_t put = pwrite(s->fd, &head, sizeof head, 0);
    if (put != (ssize_t)sizeof head)
        return put < 0 ? -errno : -ENOSPC;
    return sync && fdatasync(s->fd) != 0 ? -errno : 0;
}

static int head_open(tl_journal_sealer *s, int dir_fd, uint32_t name, int flags)
{
    tl_journal_fault fault;
    const int fd = tl_journal_file_open(s->dir, name, O_RDWR | flags, &fault);
    s->dir_fd = dir_fd;
    s->fd = fd;
    return fd < 0 ? fd : 0;
}

/* Everything of a segment onto the disk, or its header alone. */
static int segment_sync(const tl_journal_sealer *s, uint32_t index, int header_alone)
{
    tl_journal_fault fault;
    int rc = 0;
    const int fd = tl_journal_file_open(s->dir, index, O_RDWR, &fault);
    if (fd < 0)
        return fd;
    if (!header_alone) {
        rc = fdatasync(fd) != 0 ? -errno : 0;
    } else {
        void *page = mmap(NULL, TL_JOURNAL_HEADER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
        if (page == MAP_FAILED || msync(page, TL_JOURNAL_HEADER_BYTES, MS_SYNC) != 0)
            rc = -errno;
        if (page != MAP_FAILED)
            munmap(page, TL_JOURNAL_HEADER_BYTES);
    }
    close(fd);
    return rc;
}

static int seal(tl_journal_sealer *s, uint32_t begun, uint64_t first_seq)
{
    int rc = 0;
    for (uint32_t i = s->sealed > 0 ? s->sealed : 1; rc == 0 && i < begun; i++)
        rc = segment_sync(s, i, 0);
    if (rc == 0)
        rc = segment_sync(s, begun, 1);
    if (rc == 0 && fsync(s->dir_fd) != 0)
        rc = -errno;
    return rc == 0 ? head_write(s, begun, first_seq, s->sync) : rc;
}

static void *sealer_main(void *argument)
{
    tl_journal_sealer *s = argument;
    pthread_mutex_lock(&s->mutex);
    while (s->error == 0 && (!s->quit || s->begun > s->sealed)) {
        if (s->begun == s->sealed) {
            pthread_cond_wait(&s->changed, &s->mutex);
            continue;
        }
        const uint32_t begun = s->begun;
        const uint64_t first_seq = s->first_seq;
        pthread_mutex_unlock(&s->mutex);
        const int rc = seal(s, begun, first_seq);
        pthread_mutex_lock(&s->mutex);
        s->sealed = begun;
        s->error = -rc;
    }
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

void tl_journal_sealer_open(tl_journal_sealer *s, const char *dir, uint32_t sync)
{
    *s = (tl_journal_sealer){.dir_fd = -1, .fd = -1, .sync = sync};
    assert(strlen(dir) < sizeof s->dir);
    memcpy(s->dir, dir, strlen(dir) + 1);
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->changed, NULL);
}

int tl_journal_sealer_create(tl_journal_sealer *s, int dir_fd, uint64_t journal_id)
{
    char made[TL_JOURNAL_PATH_BYTES], path[TL_JOURNAL_PATH_BYTES];
    int rc = head_open(s, dir_fd, TL_JOURNAL_HEAD_NEW, O_CREAT | O_TRUNC);
    s->journal_id = journal_id;
    if (rc == 0)
        rc = head_write(s, 0, 1, 1);
    /* Renamed when it is whole, so that a head is never seen empty, whatever crashes. */
    tl_journal_path(made, s->dir, TL_JOURNAL_HEAD_NEW);
    tl_journal_path(path, s->dir, TL_JOURNAL_HEAD);
    if (rc == 0 && (rename(made, path) != 0 || fsync(dir_fd) != 0))
        rc = -errno;
    return rc;
}

int tl_journal_sealer_start(tl_journal_sealer *s, int dir_fd, const tl_journal_head *head,
                            int32_t avoid_cpu)
{
    int rc = s->fd >= 0 ? 0 : head_open(s, dir_fd, TL_JOURNAL_HEAD, 0);
    if (rc != 0)
        return rc;
    s->journal_id = head->journal_id;
    s->sealed = s->begun = head->begun;
    rc = tl_helper_start(&s->thread, sealer_main, s, avoid_cpu);
    s->runs = rc == 0;
    return rc;
}

int tl_journal_sealer_begun(tl_journal_sealer *s, uint32_t index, uint64_t first_seq)
{
    pthread_mutex_lock(&s->mutex);
    if (index > s->begun) {
        s->begun = index;
        s->first_seq = first_seq;
        pthread_cond_signal(&s->changed);
    }
    const int error = s->error;
    pthread_mutex_unlock(&s->mutex);
    return -error;
}

void tl_journal_sealer_close(tl_journal_sealer *s)
{
    if (s->runs) {
        pthread_mutex_lock(&s->mutex);
        s->quit = 1;
        pthread_cond_signal(&s->changed);
        pthread_mutex_unlock(&s->mutex);
        pthread_join(s->thread, NULL);
        s->runs = 0;
    }
    if (s->fd >= 0)
        close(s->fd);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->changed);
}
