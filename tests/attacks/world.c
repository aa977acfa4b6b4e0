/* A world that fails, for one process: LD_PRELOAD puts these before the C library's own.
 *
 * The clock: CLOCK_REALTIME is off by the nanoseconds in the file ATTACK_CLOCK names, which another
 * process writes while this one runs; no other clock is touched. The disk: what fsync, fdatasync or
 * msync was called for is copied to the folder ATTACK_DURABLE as it is at that moment, each file
 * under its path with % for /; what is renamed is renamed there. After a power cut nothing else is
 * left.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, NEAR = 256 * PAGE };

static const int64_t *off_ns;
static const char *durable;
static pthread_mutex_t copying = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void)
{
    const char *clock = getenv("ATTACK_CLOCK");
    durable = getenv("ATTACK_DURABLE");
    int fd = clock ? open(clock, O_RDONLY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        void *mapped = mmap(NULL, sizeof *off_ns, PROT_READ, MAP_SHARED, fd, 0);
        off_ns = mapped == MAP_FAILED ? NULL : mapped;
        close(fd);
    }
}

int clock_gettime(clockid_t id, struct timespec *out)
{
    long failed = syscall(SYS_clock_gettime, id, out);
    if (failed == 0 && id == CLOCK_REALTIME && off_ns) {
        int64_t ns = (int64_t)out->tv_sec * 1000000000 + out->tv_nsec + *off_ns;
        out->tv_sec = ns / 1000000000;
        out->tv_nsec = ns % 1000000000;
    }
    return (int)failed;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    (void)zone;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    out->tv_sec = now.tv_sec;
    out->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out)
        *out = now.tv_sec;
    return now.tv_sec;
}

static void durable_name(char *out, size_t size, const char *path)
{
    snprintf(out, size, "%s/", durable);
    size_t at = strlen(out);
    for (; *path && at + 1 < size; path++)
        out[at++] = *path == '/' ? '%' : *path;
    out[at] = 0;
}

/* Where a file was last seen to have changed. */
static struct tail {
    ino_t number;
    off_t at;
} tails[64];
static unsigned tails_count;

static struct tail *tail_of(ino_t number)
{
    for (unsigned i = 0; i < tails_count; i++)
        if (tails[i].number == number)
            return &tails[i];
    if (tails_count == sizeof tails / sizeof *tails)
        abort(); /* a world that can not be built proves nothing */
    tails[tails_count].number = number;
    return &tails[tails_count++];
}

/* The pages of a piece that are not as they were kept, up to NEAR bytes that are. */
static bool keep_piece(int from, int into, off_t start, size_t size, struct tail *tail)
{
    bool any = false;
    char *now = mmap(NULL, size, PROT_READ, MAP_SHARED, from, start);
    char *before = mmap(NULL, size, PROT_READ, MAP_SHARED, into, start);
    if (now == MAP_FAILED || before == MAP_FAILED)
        abort();
    for (size_t at = 0; at < size; at += PAGE) {
        size_t part = size - at < PAGE ? size - at : PAGE;
        if (memcmp(now + at, before + at, part) == 0)
            continue;
        if (pwrite(into, now + at, part, start + (off_t)at) != (ssize_t)part)
            abort();
        tail->at = start + (off_t)at;
        any = true;
    }
    munmap(now, size);
    munmap(before, size);
    return any;
}

/* A file grows where it grew before. From there on it is looked at until nothing has changed for
 * NEAR bytes, so that a disk of this world is not slower than any other; a change elsewhere in a
 * large file is lost, and no test can pass by that. */
static void keep(const char *path)
{
    char to[2 * PATH_MAX];
    struct stat is, was;
    if (!durable || stat(path, &is) || !S_ISREG(is.st_mode))
        return;
    durable_name(to, sizeof to, path);
    pthread_mutex_lock(&copying);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int into = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (from < 0 || into < 0 || fstat(into, &was) || fstat(from, &is))
        abort();
    if ((was.st_size > is.st_size && ftruncate(into, 0)) || ftruncate(into, is.st_size))
        abort();
    struct tail *tail = tail_of(is.st_ino);
    if (was.st_size == 0)
        tail->at = 0;
    for (off_t at = tail->at >= NEAR ? tail->at : 0; at < is.st_size; at += NEAR) {
        off_t left = is.st_size - at;
        if (!keep_piece(from, into, at, (size_t)(left < NEAR ? left : NEAR), tail))
            break;
    }
    close(from);
    close(into);
    pthread_mutex_unlock(&copying);
}

static void keep_open(int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (size > 0) {
        path[size] = 0;
        keep(path);
    }
}

int fsync(int fd)
{
    keep_open(fd);
    return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    keep_open(fd);
    return (int)syscall(SYS_fdatasync, fd);
}

int msync(void *address, size_t size, int flags)
{
    FILE *maps = durable ? fopen("/proc/self/maps", "re") : NULL;
    char line[2 * PATH_MAX], path[PATH_MAX];
    uintptr_t first, last;
    while (maps && fgets(line, sizeof line, maps))
        if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %4095s", &first, &last, path) == 3 &&
            (uintptr_t)address >= first && (uintptr_t)address < last)
            keep(path);
    if (maps)
        fclose(maps);
    return (int)syscall(SYS_msync, address, size, flags);
}

/* `path` of a folder that is open: where it is. */
static bool place(char *out, int folder, const char *path)
{
    char link[64], joined[2 * PATH_MAX], at[PATH_MAX];
    ssize_t size = 0;
    if (folder != AT_FDCWD && path[0] != '/') {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        size = readlink(link, at, sizeof at - 1);
    }
    if (size < 0)
        return false;
    at[size] = 0;
    snprintf(joined, sizeof joined, "%s%s%s", at, size > 0 ? "/" : "", path);
    return realpath(joined, out) != NULL;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    char old[2 * PATH_MAX], new[2 * PATH_MAX], at[PATH_MAX];
    bool known = durable && place(at, from_folder, from);
    if (known)
        durable_name(old, sizeof old, at);
    long failed = syscall(SYS_renameat2, from_folder, from, to_folder, to, 0);
    if (known && failed == 0 && place(at, to_folder, to)) {
        durable_name(new, sizeof new, at);
        syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
    }
    return (int)failed;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}
