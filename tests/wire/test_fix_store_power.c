/* The outbound store when the power goes: what tl_fix_store_sync had let pass is there afterwards,
 * whatever else is, and numbers go on.
 *
 * The disk is this test's own: of each file it has what was synced last, and a name once its folder
 * was. When the power goes each page that was changed since is on the disk or is not, by chance; a
 * name that was taken away is gone at once. */
#define _GNU_SOURCE
#include "touchline/wire/fix_store.h"
#include "check.h"
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SESSIONS 3
#define FILES_MAX 32
#define PAGE 4096
#define BOOT_AT 16 /* of the boot's name in the file of marks */

typedef struct disk_file {
    ino_t number; /* 0: none */
    bool named;
    char *bytes;
    size_t size;
} disk_file;

typedef struct shadow { /* of a session */
    uint64_t resets, next_out, answered;
} shadow;

static char directory[64];
static disk_file disk[FILES_MAX];
static shadow now[SESSIONS], synced[SESSIONS];
static bool lost[SESSIONS][1 << 20]; /* by number: in a power cut, before it was synced */
static uint64_t random_state = 1;
static long syncs;

static uint64_t chance(uint64_t of)
{
    return random_next(&random_state) % of;
}

static disk_file *file_of(ino_t number)
{
    disk_file *none = NULL;
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk[i].number == number)
            return &disk[i];
        if (disk[i].number == 0 && none == NULL)
            none = &disk[i];
    }
    CHECK(none != NULL);
    none->number = number;
    return none;
}

static void forget(ino_t number)
{
    disk_file *file = file_of(number);
    free(file->bytes);
    *file = (disk_file){0};
}

static void keep(int fd)
{
    struct stat status;
    CHECK(fstat(fd, &status) == 0);
    disk_file *file = file_of(status.st_ino);
    free(file->bytes);
    file->size = (size_t)status.st_size;
    file->bytes = malloc(file->size);
    CHECK(file->bytes != NULL);
    CHECK(pread(fd, file->bytes, file->size, 0) == (ssize_t)file->size);
}

static void keep_names(int fd)
{
    DIR *names = opendir(directory);
    struct stat status;
    CHECK(names != NULL);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;)
        if (entry->d_name[0] != '.') {
            CHECK(fstatat(fd, entry->d_name, &status, 0) == 0);
            file_of(status.st_ino)->named = true;
        }
    closedir(names);
}

/* In the place of the C library's. */
int fsync(int fd)
{
    struct stat status;
    CHECK(fstat(fd, &status) == 0);
    if (S_ISDIR(status.st_mode))
        keep_names(fd);
    else
        keep(fd);
    return 0;
}

int fdatasync(int fd)
{
    keep(fd);
    syncs++;
    return 0;
}

int msync(void *at, size_t size, int flags)
{
    char path[128];
    (void)at, (void)size, (void)flags;
    snprintf(path, sizeof path, "%s/sessions", directory); /* nothing else is synced so */
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0);
    keep(fd);
    close(fd);
    return 0;
}

int unlinkat(int folder, const char *name, int flags)
{
    struct stat status;
    if (fstatat(folder, name, &status, 0) == 0)
        forget(status.st_ino);
    return (int)syscall(SYS_unlinkat, folder, name, flags);
}

/* A message's length and bytes follow from session, resets and number. */
static uint32_t text_of(char *text, uint32_t session, uint64_t resets, uint64_t number)
{
    uint32_t size = 60 + (uint32_t)(number * 37 % 700);
    for (uint32_t i = 0; i < size; i++)
        text[i] = (char)('!' + (number + session * 7 + resets * 31 + i) % 90);
    return size;
}

static tl_fix_store *reopen(void)
{
    tl_fix_store_config config = {.sessions_max = SESSIONS, .segment_bytes = 1u << 20,
                                  .keep_bytes = 3u << 20, .durable = true};
    tl_fix_store *store;
    int error = tl_fix_store_open(&store, directory, &config);
    if (error != 0)
        fprintf(stderr, "open: %s %s\n", strerror(-error),
                store != NULL ? tl_fix_store_fault(store) : "");
    CHECK(error == 0);
    return store;
}

static void append(tl_fix_store *store, uint32_t session)
{
    char text[1024];
    shadow *mine = &now[session];
    uint64_t next_in = tl_fix_store_marks(store, session)->next_in;
    tl_fix_store_took(store, session, next_in + 1, 1, 1);
    tl_fix_store_answered(store, session, next_in + chance(2));
    tl_fix_stored message = {.bytes = text,
                             .size = text_of(text, session, mine->resets, mine->next_out),
                             .body_at = 30,
                             .msg_type_at = 16,
                             .kind = TL_FIX_STORED_APPLICATION,
                             .sending_time_ns = (int64_t)mine->resets};
    CHECK(tl_fix_store_append(store, session, &message) == 0);
    mine->answered = tl_fix_store_marks(store, session)->answered;
    mine->next_out++;
}

static void work(tl_fix_store *store, uint64_t turns)
{
    while (turns-- > 0) {
        uint32_t session = (uint32_t)chance(SESSIONS);
        switch (chance(40)) {
        case 0:
            CHECK(tl_fix_store_sync(store) == 0);
            memcpy(synced, now, sizeof synced);
            break;
        case 1:
            if (chance(50) == 0) {
                CHECK(tl_fix_store_reset(store, session, 1, 1, 1) == 0);
                now[session] = (shadow){now[session].resets + 1, 1, 1};
            }
            break;
        default:
            append(store, session);
        }
    }
}

/* What the disk has of a file: old pages and new ones. */
static void lose(int folder, const char *name)
{
    struct stat status;
    CHECK(fstatat(folder, name, &status, 0) == 0);
    disk_file *file = file_of(status.st_ino);
    if (!file->named && chance(2) == 0) {
        CHECK(unlinkat(folder, name, 0) == 0);
        return;
    }
    int fd = openat(folder, name, O_RDWR);
    CHECK(fd >= 0);
    for (off_t at = 0; at < status.st_size; at += PAGE) {
        char page[PAGE] = {0};
        size_t size = (size_t)(status.st_size - at < PAGE ? status.st_size - at : PAGE);
        if ((size_t)at < file->size)
            memcpy(page, file->bytes + at, size);
        if (chance(2) == 0)
            CHECK(pwrite(fd, page, size, at) == (ssize_t)size);
    }
    if (strcmp(name, "sessions") == 0)
        CHECK(pwrite(fd, "another boot", 12, BOOT_AT) == 12);
    keep(fd);
    file->named = true;
    close(fd);
}

static void cut_power(void)
{
    DIR *names = opendir(directory);
    char found[FILES_MAX][32];
    int count = 0;
    CHECK(names != NULL);
    for (struct dirent *entry; (entry = readdir(names)) != NULL;)
        if (entry->d_name[0] != '.')
            snprintf(found[count++], sizeof *found, "%.31s", entry->d_name);
    for (int i = 0; i < count; i++)
        lose(dirfd(names), found[i]);
    closedir(names);
}

/* -1: not kept; else with how many resets it was written. */
static int64_t found(tl_fix_store *store, uint32_t session, uint64_t number)
{
    tl_fix_stored message;
    char text[1024];
    if (!tl_fix_store_find(store, session, number, &message))
        return -1;
    uint64_t resets = (uint64_t)message.sending_time_ns;
    CHECK(message.size == text_of(text, session, resets, number));
    CHECK(memcmp(text, message.bytes, message.size) == 0);
    return (int64_t)resets;
}

static void check(tl_fix_store *store, uint32_t session)
{
    const tl_fix_marks *marks = tl_fix_store_marks(store, session);
    const shadow *sure = &synced[session], *last = &now[session];
    uint64_t first = tl_fix_store_first(store, session, 1);
    int64_t resets = first < marks->next_out ? found(store, session, first) : -1;
    CHECK(marks->next_out < sizeof *lost);
    if (resets == -1) /* nothing is kept: it was never sent, went by age, or was reset */
        resets = (int64_t)(marks->next_out >= sure->next_out ? sure->resets : last->resets);
    CHECK((uint64_t)resets >= sure->resets && (uint64_t)resets <= last->resets);
    if ((uint64_t)resets == sure->resets && last->resets == sure->resets) {
        CHECK(marks->next_out >= sure->next_out && marks->next_out <= last->next_out);
        CHECK(marks->next_in >= sure->answered);
        for (uint64_t number = first; number < sure->next_out; number++)
            CHECK(lost[session][number] || found(store, session, number) == resets);
    }
    for (uint64_t number = first; number < marks->next_out; number++) {
        int64_t is = found(store, session, number);
        lost[session][number] = is == -1;
        CHECK(is == -1 || is == resets);
    }
    now[session] = (shadow){(uint64_t)resets, marks->next_out, marks->answered};
}

static void begin(void)
{
    for (int i = 0; i < SESSIONS; i++)
        now[i] = synced[i] = (shadow){0, 1, 1};
}

static void what_was_synced_outlives_a_power_cut(long cuts)
{
    begin();
    for (long i = 0; i < cuts; i++) {
        tl_fix_store *store = reopen();
        for (uint32_t session = 0; session < SESSIONS; session++)
            check(store, session);
        CHECK(tl_fix_store_sync(store) == 0);
        memcpy(synced, now, sizeof synced);
        work(store, chance(i % 4 == 0 ? 6000 : 300));
        tl_fix_store_close(store);
        cut_power();
    }
    CHECK(syncs > cuts);
    folder_remove(directory);
}

/* Records at the very end of a segment, and no other beyond: the oldest goes, what is asked for of
 * it is not there, and a store that is opened again says the same. */
static void retention_is_kept_to_at_the_end_of_room(void)
{
    begin();
    tl_fix_store *store = reopen();
    for (int i = 0; i < 20000; i++) {
        append(store, 0);
        if (i % 64 == 0)
            CHECK(tl_fix_store_sync(store) == 0);
        DIR *names = i % 500 == 0 ? opendir(directory) : NULL;
        int segments = 0;
        for (struct dirent *entry; names != NULL && (entry = readdir(names)) != NULL;)
            segments += strncmp(entry->d_name, "out-0", 5) == 0;
        if (names != NULL)
            closedir(names);
        CHECK(segments <= 3);
    }
    uint64_t first = tl_fix_store_first(store, 0, 1);
    CHECK(first > 1000 && found(store, 0, first) == 0 && found(store, 0, first - 1) == -1);
    tl_fix_store_close(store);
    store = reopen();
    CHECK(tl_fix_store_first(store, 0, 1) == first);
    CHECK(tl_fix_store_marks(store, 0)->next_out == 20001);
    tl_fix_store_close(store);
    folder_remove(directory);
}

int main(int argc, char **argv)
{
    snprintf(directory, sizeof directory, "/tmp/test_fix_store_power.%d", (int)getpid());
    what_was_synced_outlives_a_power_cut(argc > 1 ? atol(argv[1]) : 60);
    retention_is_kept_to_at_the_end_of_room();
    return 0;
}
