/* The outbound store: what was appended is found again, whatever happened in between. */
#include "touchline/wire/fix_store.h"
#include "check.h"
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[64];
static const tl_fix_store_config small = {.sessions_max = 8, .segment_bytes = 1u << 20};

static tl_fix_store *reopen(const tl_fix_store_config *config)
{
    tl_fix_store *store;
    int error = tl_fix_store_open(&store, directory, config);
    if (error != 0)
        fprintf(stderr, "open: %s %s\n", strerror(-error),
                store != NULL ? tl_fix_store_fault(store) : "");
    CHECK(error == 0);
    return store;
}

static int open_error(void)
{
    tl_fix_store *store;
    int error = tl_fix_store_open(&store, directory, &small);
    tl_fix_store_close(store);
    return error;
}

/* The message of a number: its length and every byte follow from session and number. */
static uint32_t text_of(char *text, uint32_t session, uint64_t number)
{
    uint32_t size = 40 + (uint32_t)(number * 37 % 300);
    for (uint32_t i = 0; i < size; i++)
        text[i] = (char)('!' + (number + session * 7 + i) % 90);
    return size;
}

static int append(tl_fix_store *store, uint32_t session)
{
    char text[512];
    uint64_t number = tl_fix_store_marks(store, session)->next_out;
    tl_fix_stored message = {.bytes = text,
                             .size = text_of(text, session, number),
                             .body_at = 30,
                             .msg_type_at = 16,
                             .kind = TL_FIX_STORED_APPLICATION,
                             .sending_time_ns = (int64_t)(number % 1000000) * 10,
                             .key = number * 4};
    return tl_fix_store_append(store, session, &message);
}

static bool found(tl_fix_store *store, uint32_t session, uint64_t number)
{
    tl_fix_stored message;
    if (!tl_fix_store_find(store, session, number, &message))
        return false;
    char text[512];
    CHECK(message.size == text_of(text, session, number));
    CHECK(memcmp(text, message.bytes, message.size) == 0);
    CHECK(message.key == number * 4 && message.body_at == 30 && message.msg_type_at == 16);
    CHECK(message.sending_time_ns == (int64_t)(number % 1000000) * 10);
    return true;
}

static void messages_are_found_by_number_after_reopening(void)
{
    tl_fix_store *store = reopen(&small);
    uint64_t random = 1;
    for (int i = 0; i < 40000; i++)
        CHECK(append(store, (uint32_t)(random_next(&random) % 4)) == 0);
    for (int round = 0; round < 2; round++) {
        for (uint32_t session = 0; session < 4; session++) {
            uint64_t end = tl_fix_store_marks(store, session)->next_out;
            CHECK(tl_fix_store_marks(store, session)->key == (end - 1) * 4);
            for (uint64_t number = 1; number < end; number++)
                CHECK(found(store, session, number));
            for (int i = 0; i < 1000; i++)
                CHECK(found(store, session, 1 + random_next(&random) % (end - 1)));
            CHECK(!found(store, session, 0) && !found(store, session, end));
            CHECK(!found(store, session, UINT64_MAX));
            CHECK(tl_fix_store_first(store, session, 1) == 1);
            CHECK(tl_fix_store_first(store, session, end) == end);
        }
        CHECK(tl_fix_store_marks(store, 5)->next_out == 1);
        tl_fix_store_close(store);
        store = reopen(&small);
    }
    tl_fix_store_close(store);
    folder_remove(directory);
}

static void marks_go_on_after_reopening(void)
{
    tl_fix_store *store = reopen(&small);
    tl_fix_store_took(store, 2, 17, 99, 1234);
    tl_fix_store_answered(store, 2, 9);
    CHECK(append(store, 2) == 0);
    tl_fix_store_answered(store, 2, 12); /* no record says so */
    tl_fix_store_close(store);
    store = reopen(&small);
    const tl_fix_marks *marks = tl_fix_store_marks(store, 2);
    CHECK(marks->next_in == 17 && marks->lane_sent == 99 && marks->last_in_ns == 1234);
    CHECK(marks->answered == 9 && marks->next_out == 2 && marks->created_ns == 1234);
    CHECK(marks->last_out_ns == 10 && marks->key == 4);
    tl_fix_store_close(store);
    folder_remove(directory);
}

static void a_reset_forgets_older_messages(void)
{
    tl_fix_store *store = reopen(&small);
    for (int i = 0; i < 50; i++)
        CHECK(append(store, 1) == 0);
    CHECK(tl_fix_store_reset(store, 1, 20, 30, 77) == 0);
    for (int round = 0; round < 2; round++) {
        const tl_fix_marks *marks = tl_fix_store_marks(store, 1);
        CHECK(marks->next_out == 20 && marks->next_in == 30 && marks->created_ns == 77);
        CHECK(marks->answered == 30 && marks->key == 200);
        CHECK(!found(store, 1, 19) && !found(store, 1, 20) && !found(store, 1, 50));
        CHECK(tl_fix_store_first(store, 1, 1) == 20);
        tl_fix_store_close(store);
        store = reopen(&small);
    }
    CHECK(append(store, 1) == 0);
    CHECK(found(store, 1, 20) && !found(store, 1, 19) && !found(store, 1, 21));
    CHECK(tl_fix_store_reset(store, 1, UINT64_C(9000000000000000000), 1, 78) == 0);
    for (int i = 0; i < 40; i++)
        CHECK(append(store, 1) == 0);
    tl_fix_store_close(store);
    store = reopen(&small);
    CHECK(found(store, 1, UINT64_C(9000000000000000039)));
    CHECK(tl_fix_store_first(store, 1, 1) == UINT64_C(9000000000000000000));
    tl_fix_store_close(store);
    folder_remove(directory);
}

static void the_oldest_segments_go_and_numbers_stay(void)
{
    tl_fix_store_config config = small;
    config.keep_bytes = 3u << 20;
    tl_fix_store *store = reopen(&config);
    for (int i = 0; i < 10; i++)
        CHECK(append(store, 7) == 0);
    tl_fix_store_took(store, 7, 5, 1, 1);
    for (int i = 0; i < 40000; i++)
        CHECK(append(store, 1) == 0);
    for (int round = 0; round < 2; round++) {
        uint64_t first = tl_fix_store_first(store, 1, 1);
        CHECK(first > 20000 && first < 40000);
        CHECK(found(store, 1, first) && !found(store, 1, first - 1) && found(store, 1, 40000));
        CHECK(tl_fix_store_first(store, 1, first + 100) == first + 100);
        CHECK(tl_fix_store_first(store, 7, 1) == 11 && !found(store, 7, 10));
        CHECK(tl_fix_store_marks(store, 7)->next_out == 11);
        CHECK(tl_fix_store_marks(store, 7)->next_in == 5);
        CHECK(tl_fix_store_marks(store, 7)->key == 40);
        tl_fix_store_close(store);
        store = reopen(&config);
    }
    CHECK(append(store, 7) == 0 && found(store, 7, 11));
    tl_fix_store_close(store);
    folder_remove(directory);
}

static void a_live_store_is_held_alone(void)
{
    tl_fix_store *store = reopen(&small);
    CHECK(open_error() == -EBUSY);
    tl_fix_store_close(store);
    CHECK(open_error() == 0);
    struct stat status;
    char path[128];
    snprintf(path, sizeof path, "%s/out-00000001.log", directory);
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    snprintf(path, sizeof path, "%s/sessions", directory);
    CHECK(stat(path, &status) == 0 && (status.st_mode & 0777) == 0600);
    folder_remove(directory);
}

static int file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    return fd;
}

static void an_end_torn_at_any_byte_is_cut_off(void)
{
    tl_fix_store *store = reopen(&small);
    for (int i = 0; i < 3; i++)
        CHECK(append(store, 0) == 0);
    tl_fix_stored last;
    CHECK(tl_fix_store_find(store, 0, 3, &last));
    uint32_t bytes = 64 + ((last.size + 7) & ~7u);
    tl_fix_store_close(store);
    int fd = file("out-00000001.log");
    char log[4096], torn[4096];
    CHECK(pread(fd, log, sizeof log, 0) == (ssize_t)sizeof log);
    int marks_file = file("sessions");
    char marks[8 * 256 + 256];
    CHECK(pread(marks_file, marks, sizeof marks, 0) == (ssize_t)sizeof marks);
    uint32_t end = sizeof log;
    while (log[end - 1] == 0)
        end--;
    uint32_t begin = ((end + 7) & ~7u) - bytes;
    for (uint32_t kept = 0; kept < end - begin; kept++) {
        memcpy(torn, log, sizeof torn);
        memset(torn + begin + kept, 0, sizeof torn - begin - kept);
        if (kept >= 4)
            memset(torn + begin, 0, 4 * (kept % 2)); /* also with no size yet */
        CHECK(pwrite(fd, torn, sizeof torn, 0) == (ssize_t)sizeof torn);
        CHECK(pwrite(marks_file, marks, sizeof marks, 0) == (ssize_t)sizeof marks);
        store = reopen(&small);
        CHECK(tl_fix_store_marks(store, 0)->next_out == 3);
        CHECK(found(store, 0, 2) && !found(store, 0, 3));
        CHECK(append(store, 0) == 0 && found(store, 0, 3));
        tl_fix_store_close(store);
        CHECK(open_error() == 0);
    }
    close(marks_file);
    close(fd);
    folder_remove(directory);
}

static void a_flipped_bit_is_damage(void)
{
    tl_fix_store *store = reopen(&small);
    for (int i = 0; i < 40; i++)
        CHECK(append(store, (uint32_t)i % 2) == 0);
    tl_fix_store_close(store);
    int fd = file("out-00000001.log");
    uint64_t random = 3;
    char log[5000];
    CHECK(pread(fd, log, sizeof log, 0) == (ssize_t)sizeof log);
    for (int i = 0; i < 2000; i++) {
        size_t at = i < 40 ? (size_t)i : random_next(&random) % sizeof log;
        char flipped = (char)(log[at] ^ 1 << random_next(&random) % 8);
        CHECK(pwrite(fd, &flipped, 1, (off_t)at) == 1);
        CHECK(open_error() == -EBADMSG);
        CHECK(pwrite(fd, log, sizeof log, 0) == (ssize_t)sizeof log);
    }
    close(fd);
    CHECK(open_error() == 0);
    folder_remove(directory);
}

static void pages_lost_in_a_power_cut_end_the_log(void)
{
    tl_fix_store *store = reopen(&small);
    for (int i = 0; i < 40; i++)
        CHECK(append(store, 0) == 0);
    tl_fix_store_close(store);
    int fd = file("out-00000001.log"), marks_file = file("sessions");
    char zeros[1024] = {0};
    CHECK(pwrite(fd, zeros, sizeof zeros, 4096) == (ssize_t)sizeof zeros);
    CHECK(open_error() == -EBADMSG); /* the machine ran on: damage */
    CHECK(pwrite(marks_file, "another boot", 12, 16) == 12);
    store = reopen(&small);
    uint64_t first_lost = 1;
    while (found(store, 0, first_lost))
        first_lost++;
    CHECK(first_lost > 10 && first_lost < 30);
    CHECK(tl_fix_store_marks(store, 0)->key == (first_lost - 1) * 4);
    tl_fix_store_close(store);
    CHECK(open_error() == 0);
    close(fd);
    close(marks_file);
    folder_remove(directory);
}

static void a_missing_segment_is_damage(void)
{
    tl_fix_store *store = reopen(&small);
    for (int i = 0; i < 12000; i++)
        CHECK(append(store, 0) == 0);
    tl_fix_store_close(store);
    char path[128];
    snprintf(path, sizeof path, "%s/out-00000002.log", directory);
    CHECK(unlink(path) == 0);
    CHECK(open_error() == -EBADMSG);
    folder_remove(directory);
}

static void a_full_disk_changes_nothing(void)
{
    struct rlimit before;
    tl_fix_store *store = reopen(&small);
    CHECK(getrlimit(RLIMIT_FSIZE, &before) == 0);
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {.rlim_cur = 1u << 19, .rlim_max = before.rlim_max};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    int error = 0;
    while (error == 0)
        error = append(store, 3);
    CHECK(error == -EFBIG || error == -ENOSPC);
    tl_fix_marks marks = *tl_fix_store_marks(store, 3);
    for (int i = 0; i < 100; i++)
        CHECK(append(store, 3) == error);
    CHECK(memcmp(&marks, tl_fix_store_marks(store, 3), sizeof marks) == 0);
    CHECK(found(store, 3, marks.next_out - 1) && !found(store, 3, marks.next_out));
    CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(append(store, 3) == 0 && found(store, 3, marks.next_out));
    tl_fix_store_close(store);
    store = reopen(&small);
    CHECK(tl_fix_store_marks(store, 3)->next_out == marks.next_out + 1);
    tl_fix_store_close(store);
    folder_remove(directory);
}

typedef struct progress { /* shared with the child that is killed */
    _Atomic uint64_t sent[4], took[4], resets[4];
} progress;

static void work_until_killed(progress *shared, uint64_t seed)
{
    tl_fix_store *store = reopen(&small);
    for (;;) {
        uint32_t session = (uint32_t)(random_next(&seed) % 4);
        uint64_t turn = random_next(&seed) % 1000;
        if (turn < 500) {
            CHECK(append(store, session) == 0);
            shared->sent[session] = tl_fix_store_marks(store, session)->next_out;
        } else if (turn < 999) {
            uint64_t next = tl_fix_store_marks(store, session)->next_in + 1;
            tl_fix_store_took(store, session, next, next * 3, 5);
            shared->took[session] = next;
        } else {
            uint64_t resets = shared->resets[session];
            shared->resets[session] = resets + 1; /* odd: on its way */
            CHECK(tl_fix_store_reset(store, session, 1, 1, 1) == 0);
            shared->sent[session] = shared->took[session] = 1;
            shared->resets[session] = resets + 2;
        }
    }
}

static void check_after_kill(progress *shared, tl_fix_store *store, uint32_t session)
{
    const tl_fix_marks *marks = tl_fix_store_marks(store, session);
    uint64_t sent = shared->sent[session], took = shared->took[session];
    if (shared->resets[session] % 2 != 0) {
        CHECK((marks->next_out == 1 && marks->next_in == 1) ||
              (marks->next_out == sent && marks->next_in == took));
        shared->resets[session]++;
    } else {
        CHECK(marks->next_out == sent || marks->next_out == sent + 1);
        CHECK(marks->next_in == took || marks->next_in == took + 1);
        CHECK(marks->lane_sent >= (marks->next_in - 1) * 3 || marks->next_in == 1);
    }
    for (uint64_t number = 1; number < marks->next_out; number++)
        CHECK(found(store, session, number));
    shared->sent[session] = marks->next_out;
    shared->took[session] = marks->next_in;
}

static void a_kill_at_any_moment_loses_nothing(void)
{
    progress *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(shared != MAP_FAILED);
    for (int i = 0; i < 4; i++)
        shared->sent[i] = shared->took[i] = 1;
    uint64_t random = 11;
    for (int i = 0; i < 200; i++) {
        uint64_t seed = random_next(&random);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            work_until_killed(shared, seed);
        struct timespec pause = {0, (long)(random_next(&random) % 8000000)};
        nanosleep(&pause, NULL);
        CHECK(kill(child, SIGKILL) == 0);
        int status;
        CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        CHECK(WTERMSIG(status) == SIGKILL);
        tl_fix_store *store = reopen(&small);
        for (uint32_t session = 0; session < 4; session++)
            check_after_kill(shared, store, session);
        tl_fix_store_close(store);
    }
    munmap(shared, sizeof *shared);
    folder_remove(directory);
}

/* MiB of files that this process has mapped and looked at. */
static long mapped_mb(void)
{
    char line[256];
    long kb = -1;
    FILE *status = fopen("/proc/self/status", "re");
    CHECK(status != NULL);
    while (fgets(line, sizeof line, status) != NULL)
        if (sscanf(line, "RssFile: %ld kB", &kb) == 1)
            break;
    fclose(status);
    CHECK(kb >= 0);
    return kb / 1024;
}

/* The log of a session that does not read is on the disk, and so is one that is read from end to
 * end, or here and there. */
static void a_long_log_is_not_in_memory(void)
{
    tl_fix_store_config config = {.sessions_max = 8, .segment_bytes = 32u << 20};
    tl_fix_store *store = reopen(&config);
    long begin = mapped_mb(), bound = begin + 24;
    uint64_t count = 500000, random = 5;
    for (uint64_t i = 0; i < count; i++)
        CHECK(append(store, (uint32_t)i % 4) == 0);
    CHECK(mapped_mb() < bound);
    for (int round = 0; round < 2; round++) {
        for (uint64_t number = 1; number <= count / 4; number++)
            CHECK(found(store, 2, number));
        CHECK(mapped_mb() < bound);
        for (int i = 0; i < 10000; i++)
            CHECK(found(store, (uint32_t)i % 4, 1 + random_next(&random) % (count / 4)));
        CHECK(mapped_mb() < bound);
        CHECK(tl_fix_store_first(store, 2, 1) == 1);
        tl_fix_store_close(store);
        store = reopen(&config);
        CHECK(mapped_mb() < bound);
    }
    tl_fix_store_close(store);
    folder_remove(directory);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void millions_of_messages_open_again(long count)
{
    tl_fix_store_config config = {.sessions_max = 4096, .segment_bytes = 64u << 20};
    tl_fix_store *store = reopen(&config);
    double begin = seconds();
    for (long i = 0; i < count; i++)
        CHECK(append(store, (uint32_t)i % 4) == 0);
    double appended = seconds();
    tl_fix_store_close(store);
    double closed = seconds();
    store = reopen(&config);
    double opened = seconds();
    CHECK(found(store, 0, 1) && found(store, 3, (uint64_t)count / 4));
    CHECK(!found(store, 3, (uint64_t)count / 4 + 1));
    printf("%ld messages: %.0f ns an append, reopened in %.3f s\n", count,
           (appended - begin) * 1e9 / (double)count, opened - closed);
    tl_fix_store_close(store);
    folder_remove(directory);
}

int main(int argc, char **argv)
{
    snprintf(directory, sizeof directory, "/tmp/test_fix_store.%d", (int)getpid());
    messages_are_found_by_number_after_reopening();
    marks_go_on_after_reopening();
    a_reset_forgets_older_messages();
    the_oldest_segments_go_and_numbers_stay();
    a_live_store_is_held_alone();
    an_end_torn_at_any_byte_is_cut_off();
    a_flipped_bit_is_damage();
    pages_lost_in_a_power_cut_end_the_log();
    a_missing_segment_is_damage();
    a_full_disk_changes_nothing();
    a_kill_at_any_moment_loses_nothing();
    a_long_log_is_not_in_memory();
    millions_of_messages_open_again(argc > 1 ? atol(argv[1]) : 200000);
    return 0;
}
