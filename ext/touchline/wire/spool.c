/* The spool's file, grown and mapped, and its messages. */
#define _GNU_SOURCE
#include "touchline/wire/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE UINT64_C(4096)
#define BOUND_MAX (UINT64_C(1) << 42)

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) & ~(PAGE - 1);
}

/* A file without a name: of a kind that has none, or one whose name is taken away at once. */
static int open_unnamed(const char *directory)
{
    char path[PATH_MAX];
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -errno;
    const int length = snprintf(path, sizeof path, "%s/.spool-" "XX" "XX" "XX", directory);
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

/* Have the file's bytes from `from` on, `size` of them: on the disk, not only in its length, since
 * a write to a mapped page that finds the disk full kills. */
static int have(const tl_spool *spool, uint64_t from, uint64_t size)
{
    int rc;
    do
        rc = fallocate(spool->fd, 0, (off_t)from, (off_t)size);
    while (rc != 0 && errno == EINTR);
    return rc == 0 ? 0 : -errno;
}

static int grow(const tl_spool *spool, uint64_t base, uint64_t *room, uint64_t wanted)
{
    uint64_t to = *room + spool->step;
    if (to < wanted)
        to = whole_pages(wanted);
    if (to > spool->bound)
        to = spool->bound;
    if (wanted > to)
        return -EFBIG;
    const int rc = have(spool, base + *room, to - *room);
    if (rc == 0)
        *room = to;
    return rc;
}

static int grow_ends(tl_spool *spool, uint64_t messages)
{
    const uint64_t wanted = (messages + 1) * sizeof *spool->ends;
    return wanted <= spool->ends_room ? 0
                                      : grow(spool, spool->bound, &spool->ends_room, wanted);
}

int tl_spool_open(tl_spool *spool, const char *directory, uint64_t bytes_max, uint64_t step)
{
    memset(spool, 0, sizeof *spool);
    spool->fd = -1;
    if (bytes_max == 0 || bytes_max > BOUND_MAX || step == 0)
        return -EINVAL;
    spool->bound = whole_pages(bytes_max);
    spool->step = whole_pages(step);
    spool->fd = open_unnamed(directory);
    if (spool->fd < 0)
        return spool->fd;
    spool->bytes = mmap(NULL, 2 * spool->bound, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_NORESERVE, spool->fd, 0);
    if (spool->bytes == MAP_FAILED) {
        spool->bytes = NULL;
        return -errno;
    }
    spool->ends = (uint64_t *)(void *)(spool->bytes + spool->bound);
    return grow_ends(spool, 0); /* ends[0], a zero */
}

void tl_spool_close(tl_spool *spool)
{
    if (spool->bytes != NULL)
        munmap(spool->bytes, 2 * spool->bound);
    if (spool->fd >= 0)
        close(spool->fd);
    spool->bytes = NULL;
    spool->fd = -1;
}

uint8_t *tl_spool_room(tl_spool *spool, size_t size, int *error)
{
    const uint64_t wanted = spool->size + size;
    int rc = 0;
    if (wanted > spool->bytes_room)
        rc = grow(spool, 0, &spool->bytes_room, wanted);
    if (rc == 0)
        rc = grow_ends(spool, spool->put + 1);
    if (rc != 0) {
        *error = rc;
        return NULL;
    }
    return spool->bytes + spool->size;
}

void tl_spool_put(tl_spool *spool, size_t size)
{
    assert(size >= TL_SPOOL_MESSAGE_MIN);
    assert(size <= spool->bytes_room - spool->size);
    spool->size += size;
    spool->ends[++spool->put] = spool->size;
}

int tl_spool_blocks(tl_spool *spool, const uint8_t *blocks, size_t size, uint64_t count)
{
    int rc = 0;
    if (spool->size + size > spool->bytes_room)
        rc = grow(spool, 0, &spool->bytes_room, spool->size + size);
    if (rc == 0)
        rc = grow_ends(spool, spool->put + count);
    if (rc != 0)
        return rc;
    memcpy(spool->bytes + spool->size, blocks, size);
    for (size_t at = 0; at < size;) {
        const size_t one = 2u + ((size_t)blocks[at] << 8 | blocks[at + 1]);
        assert(one >= TL_SPOOL_MESSAGE_MIN);
        spool->size += one;
        spool->ends[++spool->put] = spool->size;
        at += one;
    }
    return 0;
}

uint64_t tl_spool_run(const tl_spool *spool, uint64_t number, uint64_t last, size_t room,
                      uint64_t most, const uint8_t **bytes, size_t *size)
{
    const uint64_t from = spool->ends[number - 1];
    uint64_t next = number;
    *bytes = spool->bytes + from;
    if (most < last - number + 1)
        last = number + most - 1;
    if (last >= number && spool->ends[last] - from <= room) { /* most runs are whole */
        *size = spool->ends[last] - from;
        return last - number + 1;
    }
    while (next <= last && spool->ends[next] - from <= room)
        next++;
    *size = spool->ends[next - 1] - from;
    return next - number;
}
