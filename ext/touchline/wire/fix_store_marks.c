/* The file of marks: two slots a session, written in turns and checked, so that whatever moment a
 * kill -9 or a power cut came at one of them is whole. */
#include "touchline/wire/fix_store_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBER_MAX (UINT64_MAX >> 1)

static uint64_t check_of(const marks_slot *slot)
{
    uint64_t words[sizeof *slot / 8];
    memcpy(words, slot, sizeof words);
    uint64_t sum = UINT64_C(0x9E3779B97F4A7C15);
    for (unsigned i = 0; i < sizeof words / 8 - 1; i++)
        sum = ((sum << 9 | sum >> 55) ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
    return sum ^ sum >> 32;
}

static void read_boot(char boot[40])
{
    memset(boot, 0, 40);
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (read(fd, boot, 36) < 0)
        boot[0] = 0;
    close(fd);
}

/* The newer of the two that are whole, NULL: neither is. */
static const marks_slot *newer(const marks_slot *pair)
{
    const marks_slot *best = NULL;
    for (int i = 0; i < 2; i++) {
        const marks_slot *slot = &pair[i];
        if (slot->turn != 0 && slot->check == check_of(slot) &&
            (best == NULL || slot->turn > best->turn))
            best = slot;
    }
    return best;
}

static int read_marks(tl_fix_store *store)
{
    for (uint32_t i = 0; i < store->config.sessions_max; i++) {
        const marks_slot *pair = &store->slots[2 * i];
        const marks_slot *slot = newer(pair);
        store->marks[i] = (tl_fix_marks){.next_out = 1, .next_in = 1, .answered = 1};
        store->reset_in[i] = 1;
        if (slot == NULL) {
            if (pair[0].turn == 0 && pair[1].turn == 0)
                continue;
            snprintf(store->fault, sizeof store->fault, "sessions: the marks of session %u", i);
            return -EBADMSG;
        }
        store->marks[i] = slot->marks;
        store->reset_in[i] = slot->reset_in;
        store->index[i].epoch = (uint32_t)slot->epoch;
        if (slot->marks.next_in - 1 > NUMBER_MAX || slot->marks.next_out - 1 > NUMBER_MAX)
            return -EBADMSG;
    }
    return 0;
}

void tl_fix_marks_write(tl_fix_store *store, uint32_t session)
{
    marks_slot *pair = &store->slots[2 * session];
    marks_slot *old = &pair[pair[0].turn > pair[1].turn];
    uint64_t turn = pair[0].turn > pair[1].turn ? pair[0].turn : pair[1].turn;
    marks_slot slot = {.turn = turn + 1,
                       .marks = store->marks[session],
                       .epoch = store->index[session].epoch,
                       .reset_in = store->reset_in[session]};
    slot.check = check_of(&slot);
    old->check = ~slot.check; /* torn from here on */
    atomic_signal_fence(memory_order_release);
    memcpy(old, &slot, sizeof slot - 8);
    atomic_signal_fence(memory_order_release);
    old->check = slot.check;
}

static int make_head(tl_fix_store *store, uint64_t bytes)
{
    char boot[40];
    read_boot(boot);
    marks_head *head = store->head;
    if (bytes == 0) {
        head->sessions = store->config.sessions_max;
        head->magic = SESSIONS_MAGIC;
    } else if (head->magic != SESSIONS_MAGIC) {
        snprintf(store->fault, sizeof store->fault, "sessions: not a file of marks");
        return -EBADMSG;
    }
    store->same_boot = boot[0] != 0 && memcmp(boot, head->boot, sizeof boot) == 0;
    return 0;
}

static int map_marks(tl_fix_store *store)
{
    struct stat status;
    if (fstat(store->marks_file, &status) < 0)
        return -errno;
    uint64_t bytes = (uint64_t)status.st_size;
    size_t wanted = (size_t)store->config.sessions_max * 2 * sizeof(marks_slot);
    wanted += sizeof(marks_head);
    store->marks_bytes = bytes > wanted ? (size_t)bytes : wanted;
    int error = posix_fallocate(store->marks_file, 0, (off_t)store->marks_bytes);
    if (error != 0)
        return -error;
    void *at = mmap(NULL, store->marks_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                    store->marks_file, 0);
    if (at == MAP_FAILED)
        return -errno;
    store->head = at;
    store->slots = (marks_slot *)(store->head + 1);
    /* A file whose header was never written is as good as none. */
    return make_head(store, store->head->magic == 0 ? 0 : bytes);
}

int tl_fix_marks_open(tl_fix_store *store)
{
    store->marks_file = openat(store->directory, "sessions", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->marks_file < 0)
        return -errno;
    if (flock(store->marks_file, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    int error = map_marks(store);
    return error != 0 ? error : read_marks(store);
}

void tl_fix_marks_close(tl_fix_store *store)
{
    if (store->head != NULL)
        munmap(store->head, store->marks_bytes);
    if (store->marks_file >= 0)
        close(store->marks_file);
}

void tl_fix_marks_boot(tl_fix_store *store)
{
    read_boot(store->head->boot);
    if (store->config.durable)
        msync(store->head, store->marks_bytes, MS_SYNC);
}
