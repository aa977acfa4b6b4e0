/* A world that fails, for one process: LD_PRELOAD puts these before the C library's own.
 *
 * The clock: CLOCK_REALTIME is off by the nanoseconds in the file ATTACK_CLOCK names, which another
 * process writes while this one runs; no other clock is touched. The disk: what fsync, fdatasync or
 * msync was called for is copied to the folder ATTACK_DURABLE as it is at that moment, each file
 * under its path with % for /. After a power cut nothing else is left.
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

static void keep(const char *path)
{
    char to[2 * PATH_MAX];
    struct stat is;
    if (!durable || stat(path, &is) || !S_ISREG(is.st_mode))
        return;
    durable_name(to, sizeof to, path);
    pthread_mutex_lock(&copying);
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int into = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    char bytes[65536];
    for (ssize_t got; from >= 0 && into >= 0 && (got = read(from, bytes, sizeof bytes)) > 0;)
        if (write(into, bytes, (size_t)got) != got)
            break;
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

int rename(const char *from, const char *to)
{
    char old[2 * PATH_MAX], new[2 * PATH_MAX], at[PATH_MAX];
    bool known = durable && realpath(from, at);
    if (known)
        durable_name(old, sizeof old, at);
    long failed = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
    if (known && failed == 0 && realpath(to, at)) {
        durable_name(new, sizeof new, at);
        syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, 0);
    }
    return (int)failed;
}
