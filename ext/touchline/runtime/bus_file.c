/* The bus as a file: creating it, taking over what a dead engine left, attaching, status. bus.h
 * draws it; lane.c and event_ring.c carry the traffic. Called by the thread that owns the handle;
 * nothing here is on a hot path. */
#define _GNU_SOURCE
#include "touchline/runtime/bus.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

const char *tl_bus_error_text(int error)
{
#define ROW(code, text)                                                                            \
    if (error == code)                                                                             \
        return text;
    TL_BUS_ERRORS(ROW)
#undef ROW
    return NULL;
}

int tl_bus_lock_byte(int fd, uint32_t byte, short type)
{
    /* Open-file-description locks: they end with the descriptor, so a dead holder holds nothing. */
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : -errno;
}

static int slots_valid(uint32_t slots)
{
    return slots >= TL_LANE_CHUNK && slots <= (1u << 26) && (slots & (slots - 1)) == 0;
}

static int geometry_valid(const tl_bus_geometry *g)
{
    return g->lanes >= 1 && g->lanes <= TL_BUS_LANES_MAX && slots_valid(g->lane_slots) &&
           slots_valid(g->event_slots);
}

static int geometry_same(const tl_bus_geometry *a, const tl_bus_geometry *b)
{
    return a->lanes == b->lanes && a->lane_slots == b->lane_slots &&
           a->event_slots == b->event_slots;
}

static size_t geometry_bytes(const tl_bus_geometry *g)
{
    return sizeof(tl_bus_header) + (size_t)g->lanes * g->lane_slots * sizeof(tl_command) +
           (size_t)g->event_slots * sizeof(tl_event);
}

static int header_map(tl_bus *bus, size_t bytes)
{
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, bus->fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    bus->header = base;
    bus->bytes = bytes;
    return 0;
}

/* Map the whole file once its header is known to be good, and place lanes and ring in it. */
static int bus_map(tl_bus *bus, const tl_bus_geometry *g)
{
    const int rc = header_map(bus, geometry_bytes(g));
    if (rc != 0)
        return rc;
    bus->commands = (tl_command *)((char *)bus->header + sizeof(tl_bus_header));
    bus->events = (tl_event *)(bus->commands + (size_t)g->lanes * g->lane_slots);
    return 0;
}

/* Somebody's own file is said to be none of ours, whoever may read it. */
static int foreign_error(int fd)
{
    uint64_t magic = 0;
    const ssize_t got = pread(fd, &magic, sizeof magic, 0);
    return got > 0 && magic != 0 && magic != TL_BUS_MAGIC ? -EMEDIUMTYPE : -EPERM;
}

/* Is it a file that nobody else can write? A descriptor, or -errno. */
static int file_open(const char *path, int flags)
{
    struct stat st;
    /* Not blocking: a pipe of this name must not hold the opener up. */
    const int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
    if (fd < 0)
        return errno == ELOOP || errno == ENXIO ? -EMEDIUMTYPE : -errno;
    int rc = fstat(fd, &st) != 0 ? -errno : 0;
    if (rc == 0 && !S_ISREG(st.st_mode))
        rc = -EMEDIUMTYPE;
    else if (rc == 0 && (st.st_uid != geteuid() || (st.st_mode & 077) != 0))
        rc = foreign_error(fd);
    if (rc != 0)
        close(fd);
    return rc == 0 ? fd : rc;
}

/* What the file says it is. 0 with the geometry, or why it can not be used. */
static int header_check(int fd, tl_bus_geometry *g)
{
    tl_bus_header header;
    struct stat st;
    if (fstat(fd, &st) != 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EMEDIUMTYPE;
    const ssize_t got = pread(fd, &header, sizeof header, 0);
    if (got < 0)
        return -errno;
    if (got == 0)
        return -EAGAIN;
    const uint64_t magic = got >= 8 ? atomic_load(&header.magic) : 1;
    if (magic == 0)
        return -EAGAIN;
    if (magic != TL_BUS_MAGIC)
        return -EMEDIUMTYPE;
    if ((size_t)got < sizeof header)
        return -EBADMSG;
    if (header.version != TL_BUS_VERSION)
        return -EPROTONOSUPPORT;
    if (!geometry_valid(&header.geometry) ||
        header.file_bytes != geometry_bytes(&header.geometry) ||
        (uint64_t)st.st_size != header.file_bytes)
        return -EBADMSG;
    *g = header.geometry;
    return 0;
}

static int bus_format(tl_bus *bus, const tl_bus_geometry *g)
{
    /* Allocate, not only size: a full tmpfs must say ENOSPC here, not SIGBUS in mid-flow. */
    const int full = posix_fallocate(bus->fd, 0, (off_t)geometry_bytes(g));
    if (full != 0)
        return -full;
    const int rc = bus_map(bus, g);
    if (rc != 0)
        return rc;
    bus->header->version = TL_BUS_VERSION;
    bus->header->geometry = *g;
    bus->header->file_bytes = geometry_bytes(g);
    /* Release: who sees the magic sees the header it vouches for. */
    atomic_store_explicit(&bus->header->magic, TL_BUS_MAGIC, memory_order_release);
    return 0;
}

static int same_file(int fd, const char *path)
{
    struct stat here, named;
    return fstat(fd, &here) == 0 && stat(path, &named) == 0 && here.st_ino == named.st_ino &&
           here.st_dev == named.st_dev;
}

int tl_bus_linked(const tl_bus *bus, const char *path)
{
    return bus->fd >= 0 && same_file(bus->fd, path);
}

static uint64_t waiting(const tl_bus_header *h)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < h->geometry.lanes; i++) {
        const uint64_t head = atomic_load(&h->lane[i].head), tail = atomic_load(&h->lane[i].tail);
        count += tail > head ? tail - head : 0;
    }
    return count;
}

/* A file of other sizes is over, unless commands wait in it. 0 or -errno. */
static int bus_give_up(tl_bus *bus, const tl_bus_geometry *found)
{
    int rc = bus_map(bus, found);
    if (rc != 0)
        return rc;
    if (tl_bus_retire(bus) != 0)
        rc = -ENOTEMPTY;
    munmap(bus->header, bus->bytes);
    return rc;
}

/* Use the locked file when it is ours and fits, else retire it. 1: retired, try again. */
static int bus_take(tl_bus *bus, const char *path, const tl_bus_geometry *g)
{
    tl_bus_geometry found;
    struct stat st;
    const int rc = header_check(bus->fd, &found);
    if (rc == -EMEDIUMTYPE)
        return rc; /* somebody's own file: not ours to remove */
    if (rc == 0 && geometry_same(&found, g)) {
        const int mapped = bus_map(bus, g);
        if (mapped == 0)
            atomic_store(&bus->header->detached, 0);
        return mapped;
    }
    if (fstat(bus->fd, &st) == 0 && st.st_size == 0)
        return bus_format(bus, g);
    const int given_up = rc == 0 ? bus_give_up(bus, &found) : 0;
    if (given_up != 0)
        return given_up;
    return unlink(path) == 0 || errno == ENOENT ? 1 : -errno;
}

static int bus_create_once(tl_bus *bus, const char *path, const tl_bus_geometry *g)
{
    bus->fd = file_open(path, 0);
    if (bus->fd == -ENOENT)
        bus->fd = file_open(path, O_CREAT | O_EXCL);
    if (bus->fd < 0)
        return bus->fd == -EEXIST ? 1 : bus->fd;
    int rc = tl_bus_lock_byte(bus->fd, TL_BUS_OWNER_BYTE, F_WRLCK);
    if (rc == -EAGAIN || rc == -EACCES)
        rc = -EBUSY;
    /* Between open and lock another creator may have retired this very file. */
    if (rc == 0)
        rc = same_file(bus->fd, path) ? bus_take(bus, path, g) : 1;
    if (rc != 0)
        close(bus->fd);
    return rc;
}

int tl_bus_create(tl_bus **out, const char *path, const tl_bus_geometry *geometry)
{
    assert(out != NULL);
    assert(path != NULL);
    if (!geometry_valid(geometry))
        return -EINVAL;
    tl_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return -ENOMEM;
    int rc = 1;
    for (int tries = 0; rc == 1 && tries < 100; tries++)
        rc = bus_create_once(bus, path, geometry);
    if (rc != 0) {
        free(bus);
        return rc == 1 ? -EBUSY : rc;
    }
    bus->owner = 1;
#ifdef MADV_POPULATE_WRITE
    /* Best effort, as mlock below: without them the first lap pays the page faults. */
    madvise(bus->header, bus->bytes, MADV_POPULATE_WRITE);
#endif
    if (mlock(bus->header, bus->bytes) != 0)
        errno = 0;
    atomic_store(&bus->header->state, TL_BUS_STARTING);
    atomic_store(&bus->header->pid, (uint32_t)getpid());
    *out = bus;
    return 0;
}

int tl_bus_attach(tl_bus **out, const char *path)
{
    assert(out != NULL);
    assert(path != NULL);
    tl_bus_geometry geometry;
    tl_bus *bus = calloc(1, sizeof *bus);
    if (bus == NULL)
        return -ENOMEM;
    bus->fd = file_open(path, 0);
    int rc = bus->fd < 0 ? bus->fd : header_check(bus->fd, &geometry);
    if (rc == 0)
        rc = bus_map(bus, &geometry);
    if (rc != 0) {
        if (bus->fd >= 0)
            close(bus->fd);
        free(bus);
        return rc;
    }
    *out = bus;
    return 0;
}

void tl_bus_release(tl_bus *bus)
{
    /* The mapping keeps the open file alive, and the lock with it, beyond the descriptor. */
    if (bus->owner)
        tl_bus_lock_byte(bus->fd, TL_BUS_OWNER_BYTE, F_UNLCK);
    if (bus->fd >= 0)
        close(bus->fd);
    bus->fd = -1;
    bus->owner = 0;
}

void tl_bus_close(tl_bus *bus)
{
    if (bus == NULL)
        return;
    tl_bus_release(bus);
    munmap(bus->header, bus->bytes);
    free(bus);
}

int tl_bus_engine_alive(const tl_bus *bus)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = TL_BUS_OWNER_BYTE, .l_len = 1};
    if (bus->owner)
        return 1;
    return bus->fd >= 0 && fcntl(bus->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

void tl_bus_detach(tl_bus *bus)
{
    /* Sequentially consistent, once in a bus's life: every sleeper wakes and finds it set. */
    atomic_store(&bus->header->detached, 1);
    tl_doorbell_wake(&bus->header->engine);
    tl_doorbell_wake(&bus->header->readers);
    for (uint32_t i = 0; i < bus->header->geometry.lanes; i++)
        tl_doorbell_wake(&bus->header->lane[i].space);
}

uint64_t tl_bus_retire(tl_bus *bus)
{
    uint64_t left = waiting(bus->header);
    if (left != 0)
        return left;
    atomic_store(&bus->header->detached, 1);
    /* Looked at again, after the store: a producer that missed it is seen, or sees it and takes
     * its commands back. */
    left = waiting(bus->header);
    if (left != 0) {
        atomic_store(&bus->header->detached, 0);
        return left;
    }
    tl_bus_detach(bus);
    return 0;
}

void tl_bus_status_read(const tl_bus *bus, tl_bus_status *out)
{
    /* Figures for people, read one by one; the default, strongest order costs nothing here. The
     * texts are written before `state` becomes failed and never while running. */
    const tl_bus_header *h = bus->header;
    *out = (tl_bus_status){
        .state = atomic_load(&h->state),
        .pid = atomic_load(&h->pid),
        .error = atomic_load(&h->error),
        .detached = atomic_load(&h->detached),
        .events = atomic_load(&h->events),
        .commands = atomic_load(&h->commands),
        .journal_bytes = atomic_load(&h->journal_bytes),
        .journal_id = atomic_load(&h->journal_id),
        .batches = atomic_load(&h->batches),
        .heartbeat_ns = atomic_load(&h->heartbeat_ns),
        .started_ns = atomic_load(&h->started_ns),
        .clock_step_ns = atomic_load(&h->clock_step_ns),
        .clock_refusals = atomic_load(&h->clock_refusals),
        .oldest_event = tl_bus_oldest_event(bus),
    };
    out->waiting = waiting(h);
    out->recovered = atomic_load(&h->recovered);
    out->recover_total = atomic_load(&h->recover_total);
    memcpy(out->error_text, h->error_text, sizeof out->error_text - 1);
    memcpy(out->torn_text, h->torn_text, sizeof out->torn_text - 1);
}

void tl_bus_wipe(tl_bus *bus)
{
    tl_bus_header *h = bus->header;
    /* Before any engine runs: the order of these matters to nobody. */
    for (uint32_t i = 0; i < h->geometry.event_slots; i++)
        atomic_store_explicit((_Atomic uint64_t *)&bus->events[i].seq, 0, memory_order_relaxed);
    atomic_store(&h->events, 0);
    atomic_store(&h->intent.first_seq, 0);
    for (uint32_t i = 0; i < h->geometry.lanes; i++) {
        atomic_store(&h->lane[i].head, atomic_load(&h->lane[i].tail));
        atomic_store(&h->lane[i].counter, 0);
    }
}

void tl_bus_settle(tl_bus *bus, uint64_t seq_last, const uint32_t counters[TL_BUS_LANES_MAX],
                   uint64_t head[TL_BUS_LANES_MAX])
{
    tl_bus_intent *intent = &bus->header->intent;
    const uint64_t first_seq = atomic_load(&intent->first_seq);
    uint64_t journalled = 0;
    if (first_seq != 0 && seq_last >= first_seq)
        journalled = seq_last - first_seq + 1;
    for (uint32_t i = 0; i < bus->header->geometry.lanes; i++) {
        tl_bus_lane *lane = &bus->header->lane[i];
        head[i] = atomic_load(&lane->head);
        if (first_seq != 0) {
            const uint64_t taken = journalled < intent->count[i] ? journalled : intent->count[i];
            journalled -= taken;
            head[i] = intent->head[i] + taken;
        }
        atomic_store(&lane->head, head[i]);
        uint32_t last = atomic_load(&lane->counter);
        while (last < counters[i] &&
               !atomic_compare_exchange_weak(&lane->counter, &last, counters[i]))
            continue;
        tl_doorbell_wake(&lane->space);
    }
    atomic_store(&intent->first_seq, 0);
}
