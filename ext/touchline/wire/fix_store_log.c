/* The store's segments: made whole before they are used, mapped, begun with marks, dropped by age;
 * and the index of places. */
#define _DEFAULT_SOURCE
#include "touchline/wire/fix_store_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define READY_BYTES 65536u

void tl_fix_segment_name(char name[32], uint32_t number)
{
    snprintf(name, 32, "out-%08u.log", number);
}

static int fail(tl_fix_store *store, const char *name, const char *what, int error)
{
    snprintf(store->fault, sizeof store->fault, "%s: %s: %s", name, what, strerror(error));
    return -error;
}

static int add_segment(tl_fix_store *store, segment part)
{
    if (store->segments_count == store->segments_room) {
        uint32_t room = store->segments_room == 0 ? 16 : store->segments_room * 2;
        segment *more = realloc(store->segments, room * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        store->segments = more;
        store->segments_room = room;
    }
    store->segments[store->segments_count++] = part;
    return 0;
}

int tl_fix_store_log_map(tl_fix_store *store, uint32_t number)
{
    char name[32];
    tl_fix_segment_name(name, number);
    struct stat status;
    int fd = openat(store->directory, name, O_RDWR | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) < 0) {
        int error = fail(store, name, "open", errno);
        if (fd >= 0)
            close(fd);
        return error == -ENOENT ? -EBADMSG : error;
    }
    segment_head head;
    bool good = status.st_size >= (off_t)sizeof head && status.st_size <= (off_t)(1u << 30) &&
                pread(fd, &head, sizeof head, 0) == (ssize_t)sizeof head &&
                head.magic == SEGMENT_MAGIC && head.bytes == (uint64_t)status.st_size &&
                head.number == number &&
                head.crc == tl_fix_store_crc(~0u, &head, offsetof(segment_head, crc));
    if (!good) {
        close(fd);
        return fail(store, name, "its header or length", EBADMSG);
    }
    void *at = mmap(NULL, head.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) {
        close(fd);
        return fail(store, name, "mmap", errno);
    }
    int error = add_segment(store, (segment){at, head.bytes, head.seed});
    if (error != 0) {
        munmap(at, head.bytes);
        close(fd);
        return error;
    }
    if (store->segment_file >= 0)
        close(store->segment_file);
    store->segment_file = fd;
    return 0;
}

void tl_fix_store_log_drop(tl_fix_store *store, bool newest)
{
    uint32_t at = newest ? store->segments_count - 1 : 0;
    char name[32];
    tl_fix_segment_name(name, store->first_segment + at);
    unlinkat(store->directory, name, 0);
    munmap(store->segments[at].at, store->segments[at].bytes);
    store->segments_count--;
    if (newest) {
        close(store->segment_file);
        tl_fix_segment_name(name, store->first_segment + at - 1);
        store->segment_file = openat(store->directory, name, O_RDWR | O_CLOEXEC);
        return;
    }
    memmove(store->segments, store->segments + 1, store->segments_count * sizeof *store->segments);
    store->first_segment++;
}

/* Under a name of its own until it is whole. */
static int make_file(tl_fix_store *store, uint32_t number)
{
    segment_head head = {
        .magic = SEGMENT_MAGIC, .bytes = store->config.segment_bytes, .number = number};
    if (getrandom(&head.seed, sizeof head.seed, 0) != (ssize_t)sizeof head.seed)
        return fail(store, "out-new", "random numbers", errno);
    head.crc = tl_fix_store_crc(~0u, &head, offsetof(segment_head, crc));
    char name[32];
    tl_fix_segment_name(name, number);
    int fd = openat(store->directory, "out-new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail(store, "out-new", "open", errno);
    int error = posix_fallocate(fd, 0, (off_t)head.bytes);
    if (error == 0 && pwrite(fd, &head, sizeof head, 0) != (ssize_t)sizeof head)
        error = errno != 0 ? errno : ENOSPC;
    if (error == 0 && store->config.durable && fsync(fd) < 0)
        error = errno;
    close(fd);
    if (error == 0 && renameat(store->directory, "out-new", store->directory, name) < 0)
        error = errno;
    if (error == 0 && store->config.durable && fsync(store->directory) < 0)
        error = errno;
    if (error == 0)
        return 0;
    unlinkat(store->directory, "out-new", 0);
    unlinkat(store->directory, name, 0);
    return fail(store, name, "make", error);
}

/* The pages of what is written next, several at a time: a fault for each would cost a tenth of a
 * busy session. A kernel that can not leaves it to the faults. */
static void make_ready(tl_fix_store *store, const segment *last, uint32_t end)
{
    if (end <= store->ready)
        return;
    const uint32_t from = store->ready & ~(READY_BYTES - 1);
    uint32_t bytes = ((end - from) | (READY_BYTES - 1)) + 1;
    if (bytes > last->bytes - from)
        bytes = last->bytes - from;
#ifdef MADV_POPULATE_WRITE
    madvise(last->at + from, bytes, MADV_POPULATE_WRITE);
#endif
    store->ready = from + bytes;
}

uint64_t tl_fix_store_log_write(tl_fix_store *store, record *head, const char *bytes)
{
    segment *last = &store->segments[store->segments_count - 1];
    uint64_t place = place_of(store->first_segment + store->segments_count - 1, store->end);
    char *at = last->at + store->end;
    make_ready(store, last, store->end + record_bytes(head->bytes));
    head->size = 0;
    memcpy(at, head, sizeof *head);
    if (head->bytes != 0)
        memcpy(at + sizeof *head, bytes, head->bytes);
    uint32_t size = record_bytes(head->bytes);
    use(store, place, size);
    uint32_t crc = tl_fix_store_crc(last->seed ^ (uint32_t)place, at + 8, size - 8);
    memcpy(at + offsetof(record, crc), &crc, sizeof crc);
    /* Whoever reads after a kill sees the size only with all that it covers. */
    atomic_signal_fence(memory_order_release);
    head->size = size;
    memcpy(at, &head->size, sizeof head->size);
    store->end += head->size;
    store->dirty = true;
    return place;
}

static void write_marks(tl_fix_store *store)
{
    for (uint32_t i = 0; i < store->config.sessions_max; i++) {
        const session_index *index = &store->index[i];
        const tl_fix_marks *marks = &store->marks[i];
        if (!index->seen)
            continue;
        record mark = {.session = i,
                       .msg_seq_num = marks->next_out,
                       .answered = store->logged_answered[i],
                       .key = marks->key,
                       .ts_ns = marks->created_ns,
                       .back = index->last,
                       .epoch = index->epoch,
                       .kind = RECORD_MARK};
        tl_fix_store_log_write(store, &mark, NULL);
    }
}

int tl_fix_store_log_roll(tl_fix_store *store)
{
    uint32_t number = store->first_segment + store->segments_count;
    if (store->config.durable && store->dirty) {
        int error = tl_fix_store_sync(store);
        if (error != 0)
            return error;
    }
    int error = make_file(store, number);
    if (error == 0 && (error = tl_fix_store_log_map(store, number)) != 0) {
        char name[32];
        tl_fix_segment_name(name, number);
        unlinkat(store->directory, name, 0);
    }
    if (error != 0)
        return error;
    store->end = store->ready = sizeof(segment_head);
    write_marks(store);
    uint64_t kept = 0;
    for (uint32_t i = 0; i < store->segments_count; i++)
        kept += store->segments[i].bytes;
    while (store->config.keep_bytes != 0 && kept > store->config.keep_bytes &&
           store->segments_count > 1) {
        /* The marks that speak for what goes are on the disk before it goes. */
        error = store->config.durable ? tl_fix_store_sync(store) : 0;
        if (error != 0)
            return error;
        kept -= store->segments[0].bytes;
        tl_fix_store_log_drop(store, false);
        store->cached_block = UINT64_MAX;
    }
    return 0;
}

/* Blocks whose last message went with its segment. */
static void forget_dropped(session_index *index, uint32_t first_segment)
{
    uint32_t gone = 0;
    while (gone < index->count && index->places[gone] >> 32 < first_segment)
        gone++;
    if (gone == 0)
        return;
    index->count -= gone;
    index->first_block += gone;
    memmove(index->places, index->places + gone, index->count * sizeof *index->places);
}

int tl_fix_index_room(session_index *index, uint64_t block, uint32_t first_segment)
{
    if (index->count == 0 || block - index->first_block < index->room)
        if (index->room != 0)
            return 0;
    forget_dropped(index, first_segment);
    if (index->count != 0 && block - index->first_block < index->room / 2)
        return 0;
    uint64_t needed = index->count == 0 ? 1 : block - index->first_block + 1;
    if (needed > UINT32_MAX / 4)
        return -ENOMEM;
    uint32_t room = index->room < 8 ? 8 : index->room;
    while (room < needed + needed / 4)
        room *= 2;
    if (room <= index->room)
        return 0;
    uint64_t *more = realloc(index->places, room * sizeof *more);
    if (more == NULL)
        return -ENOMEM;
    index->places = more;
    index->room = room;
    return 0;
}

void tl_fix_index_add(session_index *index, uint64_t msg_seq_num, uint64_t place)
{
    uint64_t block = msg_seq_num / BLOCK_MESSAGES;
    if (index->count == 0)
        index->first_block = block;
    while (index->first_block + index->count <= block)
        index->places[index->count++] = index->last != 0 ? index->last : place;
    index->places[block - index->first_block] = place;
    index->last = place;
    index->seen = true;
}

void tl_fix_index_forget(tl_fix_store *store, uint32_t session)
{
    store->index[session].count = 0;
    store->index[session].last = 0;
    store->cached_block = UINT64_MAX;
}
