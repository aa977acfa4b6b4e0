/* Making segments and making them ahead. journal_segment.h says who owns what. */
#define _GNU_SOURCE
#include "touchline/runtime/journal_segment.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void tl_segment_drop(tl_segment *seg)
{
    if (seg->map == NULL)
        return;
    munmap(seg->map, seg->bytes);
    close(seg->fd);
    seg->map = NULL;
}

/* Allocate, map and fault in. The disk's blocks are taken now, so that a store into the mapping can
 * not fail later. What is in the file stays. */
static int segment_map(const tl_segments *all, tl_segment *seg)
{
    int full = EINTR;
    while (full == EINTR)
        full = posix_fallocate(seg->fd, 0, (off_t)seg->bytes);
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
    if (all->sync && (fdatasync(seg->fd) != 0 || fsync(all->dir_fd) != 0)) {
        const int error = errno;
        munmap(seg->map, seg->bytes);
        seg->map = NULL;
        return -error;
    }
    return 0;
}

/* 1 when the file holds nothing but zeros, 0 when something, or -errno. Holes are passed over. */
static int file_zero(int fd)
{
    static const char zeros[65536];
    char bytes[sizeof zeros];
    off_t at = 0;
    while ((at = lseek(fd, at, SEEK_DATA)) >= 0) {
        const ssize_t got = pread(fd, bytes, sizeof bytes, at);
        if (got < 0)
            return -errno;
        if (got == 0)
            return 1;
        if (memcmp(bytes, zeros, (size_t)got) != 0)
            return 0;
        at += got;
    }
    return errno == ENXIO ? 1 : -errno;
}

int tl_segment_free(const char *dir, uint32_t index, tl_journal_fault *fault)
{
    const int fd = tl_journal_file_open(dir, index, O_RDONLY, fault);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    const int zero = file_zero(fd);
    close(fd);
    if (zero < 0)
        return tl_journal_fail(fault, -zero, dir, index, "cannot read: %s", strerror(-zero));
    if (zero == 1)
        return 0;
    fault->offset = 0;
    return tl_journal_fail(fault, EBADMSG, dir, index,
                           "the segment has no header, yet it is not empty");
}

int tl_segment_prepare(const tl_segments *all, uint32_t index, tl_segment *seg)
{
    char path[TL_JOURNAL_PATH_BYTES];
    tl_journal_fault fault;
    tl_journal_path(path, all->dir, index);
    const int taken = tl_segment_free(all->dir, index, &fault);
    if (taken != 0)
        return taken == -EBADMSG ? -EEXIST : taken;
    *seg = (tl_segment){.index = index, .bytes = (size_t)all->segment_bytes};
    /* An earlier run may have left it half made; it holds nothing yet. */
    seg->fd = tl_journal_file_open(all->dir, index, O_RDWR | O_CREAT | O_TRUNC, &fault);
    if (seg->fd < 0)
        return seg->fd;
    const int rc = segment_map(all, seg);
    if (rc != 0) {
        close(seg->fd);
        unlink(path);
    }
    return rc;
}

int tl_segment_resume(const tl_segments *all, const tl_journal_header *header, tl_segment *seg,
                      tl_journal_fault *fault)
{
    *seg = (tl_segment){.index = header->index, .bytes = (size_t)header->segment_bytes};
    seg->fd = tl_journal_file_open(all->dir, header->index, O_RDWR, fault);
    if (seg->fd < 0)
        return seg->fd;
    const int rc = segment_map(all, seg);
    if (rc == 0)
        return 0;
    close(seg->fd);
    return tl_journal_fail(fault, -rc, all->dir, header->index, "cannot make the segment: %s",
                           strerror(-rc));
}

/* Done first what frees memory, then what takes it; never with the mutex held. */
static void *helper_main(void *argument)
{
    tl_segments *all = argument;
    pthread_mutex_lock(&all->mutex);
    while (!all->quit) {
        tl_segment work = all->retired;
        const uint32_t wanted = all->wanted;
        if (work.map != NULL) {
            all->retired.map = NULL;
            pthread_mutex_unlock(&all->mutex);
            tl_segment_drop(&work);
            pthread_mutex_lock(&all->mutex);
        } else if (wanted != 0) {
            pthread_mutex_unlock(&all->mutex);
            const int rc = tl_segment_prepare(all, wanted, &work);
            pthread_mutex_lock(&all->mutex);
            all->wanted = 0;
            all->error = -rc;
            if (rc == 0)
                all->ready = work;
            pthread_cond_broadcast(&all->changed);
        } else {
            pthread_cond_wait(&all->changed, &all->mutex);
        }
    }
    pthread_mutex_unlock(&all->mutex);
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

int tl_helper_start(pthread_t *thread, void *(*work)(void *), void *argument, int32_t avoid_cpu)
{
    pthread_attr_t attr;
    sigset_t every, before;
    pthread_attr_init(&attr);
    helper_attributes(&attr, avoid_cpu);
    /* Signals are for the host's threads. */
    sigfillset(&every);
    pthread_sigmask(SIG_BLOCK, &every, &before);
    const int rc = pthread_create(thread, &attr, work, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return -rc;
}

int tl_segments_ahead(tl_segments *all, uint32_t index, int32_t avoid_cpu)
{
    all->wanted = index;
    const int rc = tl_helper_start(&all->helper, helper_main, all, avoid_cpu);
    all->helper_runs = rc == 0;
    return rc;
}

void tl_segments_begun(tl_segments *all, uint32_t index)
{
    pthread_mutex_lock(&all->mutex);
    all->wanted = index + 1;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
}

static void helper_stop(tl_segments *all)
{
    if (!all->helper_runs)
        return;
    pthread_mutex_lock(&all->mutex);
    all->quit = 1;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->mutex);
    pthread_join(all->helper, NULL);
}

void tl_segments_open(tl_segments *all, const tl_journal_config *config)
{
    *all = (tl_segments){
        .dir_fd = -1, .sync = config->sync_batch, .segment_bytes = config->segment_bytes};
    snprintf(all->dir, sizeof all->dir, "%s", config->dir);
    pthread_mutex_init(&all->mutex, NULL);
    pthread_cond_init(&all->changed, NULL);
}

void tl_segments_close(tl_segments *all)
{
    helper_stop(all);
    if (all->ready.map != NULL) {
        char path[TL_JOURNAL_PATH_BYTES];
        tl_journal_path(path, all->dir, all->ready.index);
        unlink(path); /* never begun: give the room back */
    }
    tl_segment_drop(&all->ready);
    tl_segment_drop(&all->retired);
    if (all->dir_fd >= 0)
        close(all->dir_fd);
    pthread_mutex_destroy(&all->mutex);
    pthread_cond_destroy(&all->changed);
}

int tl_segment_next(tl_segments *all, const tl_segment *current, tl_segment *next)
{
    int asked_again = 0;
    pthread_mutex_lock(&all->mutex);
    while (all->ready.map == NULL) {
        if (all->wanted == 0) {
            if (asked_again)
                break;
            asked_again = 1;
            all->wanted = current->index + 1;
            pthread_cond_broadcast(&all->changed);
        }
        pthread_cond_wait(&all->changed, &all->mutex);
    }
    const int rc = all->ready.map != NULL ? 0 : -all->error;
    if (rc == 0) {
        *next = all->ready;
        all->ready.map = NULL;
        tl_segment_drop(&all->retired);
        all->retired = *current;
        pthread_cond_broadcast(&all->changed);
    }
    pthread_mutex_unlock(&all->mutex);
    return rc;
}
