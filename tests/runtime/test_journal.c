/* The journal: what is written is read, a torn tail is cut, damage is refused, a full disk told. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/resource.h>

#include "journal_files.h"

static void what_is_written_is_read_across_segments(void)
{
    uint64_t total = 0;
    dir_empty();
    for (uint64_t count = 1; count < 200; count += 31) {
        tl_journal *j = open_journal(total);
        CHECK(tl_journal_torn(j)[0] == '\0');
        append(j, count);
        total += count;
        CHECK(tl_journal_bytes(j) == ((total - 1) / SLOTS + 1) * HEADER + total * 64);
        tl_journal_close(j);
    }
    tl_journal_close(open_journal(total));
}

static void a_reserve_never_reaches_into_the_next_segment(void)
{
    tl_journal_fault fault;
    dir_empty();
    tl_journal *j = open_journal(0);
    append(j, SLOTS - 3);
    CHECK(tl_journal_reserve(j, 100, 1, &fault) == 3);
    append(j, 3);
    CHECK(tl_journal_reserve(j, 100, 1, &fault) == SLOTS);
    tl_journal_close(j);
}

static void a_reader_follows_the_writer(void)
{
    tl_journal_reader *reader;
    tl_journal_fault fault;
    const tl_command *first;
    dir_empty();
    CHECK(tl_journal_reader_open(&reader, dir, &fault) == -ENOENT);
    tl_journal *j = open_journal(0);
    CHECK(tl_journal_reader_open(&reader, dir, &fault) == 0);
    CHECK(tl_journal_reader_next(reader, &first, 10, &fault) == 0);
    uint64_t read = 0;
    for (uint64_t written = 0; written < 300; written += 20) {
        append(j, 20);
        int64_t count;
        while ((count = tl_journal_reader_next(reader, &first, 7, &fault)) > 0) {
            CHECK(first->seq == read + 1);
            read += (uint64_t)count;
        }
        CHECK(count == 0);
        CHECK(read == written + 20);
    }
    tl_journal_reader_close(reader);
    tl_journal_close(j);
}

/* The last record as a crash leaves it: `whole` of its bytes, then zeros. */
static void a_tail_torn_at_any_byte_is_cut(void)
{
    for (size_t whole = 0; whole < 64; whole++) {
        static const char zeros[64];
        const off_t last = HEADER + 9 * 64;
        journal_of(10);
        spoil(1, last + (off_t)whole, zeros, 64 - whole);
        /* numbered() ends in zeros after the type at byte 60: with zeros after it, it is whole. */
        const uint64_t kept = whole > 60 ? 10 : 9;
        tl_journal *j = open_journal(kept);
        CHECK((tl_journal_torn(j)[0] != '\0') == (kept == 9 && whole != 0));
        append(j, 3);
        tl_journal_close(j);
        tl_journal_close(open_journal(kept + 3));
    }
}

/* A segment has its whole size before it has a header, so nothing but damage makes it shorter. */
static void a_segment_cut_short_is_damage(void)
{
    const off_t sizes[] = {1000, HEADER, HEADER + 9 * 64, HEADER + 9 * 64 + 20, SEGMENT - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        journal_of(10);
        const int fd = open_segment(1);
        CHECK(ftruncate(fd, sizes[i]) == 0);
        close(fd);
        const tl_journal_fault fault = recovery_fails(EBADMSG);
        CHECK(strstr(fault.path, "00000001.tlj") != NULL);
        CHECK(fault.seq == 1);
    }
}

static void the_cut_says_what_it_cut(void)
{
    journal_of(10);
    spoil(1, HEADER + 9 * 64 + 20, "x", 1);
    tl_journal *j = open_journal(9);
    CHECK(strstr(tl_journal_torn(j), "cut 61 bytes of a torn tail at byte 4672 of 00000001.tlj") !=
          NULL);
    CHECK(strstr(tl_journal_torn(j), "the last whole command is 9") != NULL);
    tl_journal_close(j);
}

static void a_torn_first_record_of_a_segment_is_cut(void)
{
    journal_of(SLOTS + 1);
    spoil(2, HEADER + 8, "xyz", 3);
    tl_journal *j = open_journal(SLOTS);
    append(j, 5);
    tl_journal_close(j);
    tl_journal_close(open_journal(SLOTS + 5));
}

static void a_flipped_bit_before_the_tail_is_damage(void)
{
    journal_of(12);
    for (size_t bit = 0; bit < 512; bit++) {
        unsigned char byte;
        const off_t at = HEADER + 4 * 64 + (off_t)(bit / 8);
        const int fd = open_segment(1);
        CHECK(pread(fd, &byte, 1, at) == 1);
        close(fd);
        byte ^= (unsigned char)(1u << bit % 8);
        spoil(1, at, &byte, 1);
        const tl_journal_fault fault = recovery_fails(EBADMSG);
        CHECK(fault.seq == 5);
        CHECK(fault.offset == HEADER + 4 * 64);
        CHECK(strstr(fault.path, "/00000001.tlj") != NULL);
        byte ^= (unsigned char)(1u << bit % 8);
        spoil(1, at, &byte, 1);
    }
    tl_journal_close(open_journal(12));
}

static void a_hole_before_good_commands_is_damage(void)
{
    static const char zeros[64];
    journal_of(12);
    spoil(1, HEADER + 5 * 64, zeros, 64);
    CHECK(recovery_fails(EBADMSG).seq == 6);
    journal_of(SLOTS + 1);
    spoil(1, HEADER + (SLOTS - 1) * 64, zeros, 64);
    CHECK(recovery_fails(EBADMSG).seq == SLOTS);
}

static void a_repeated_command_is_damage(void)
{
    tl_command cmd = numbered(3);
    journal_of(12);
    cmd.checksum = tl_command_checksum(&cmd);
    spoil(1, HEADER + 11 * 64, &cmd, sizeof cmd);
    CHECK(strstr(recovery_fails(EBADMSG).text, "command 3 stands where 12 is due") != NULL);
}

static void segments_must_follow_each_other(void)
{
    char path[TL_JOURNAL_PATH_BYTES], other[TL_JOURNAL_PATH_BYTES];
    journal_of(3 * SLOTS - 5);
    tl_journal_path(path, dir, 2);
    CHECK(unlink(path) == 0);
    CHECK(strstr(recovery_fails(EBADMSG).text, "missing") != NULL);
    journal_of(3 * SLOTS - 5);
    tl_journal_path(other, dir, 3);
    CHECK(rename(other, path) == 0);
    CHECK(strstr(recovery_fails(EBADMSG).text, "this is segment 3") != NULL);
    journal_of(2 * SLOTS - 5);
    spoil(2, 48, "x", 1);
    CHECK(strstr(recovery_fails(EBADMSG).text, "bad checksum of the header") != NULL);
    journal_of(5);
    spoil(1, 0, "somebody's text", 15);
    CHECK(strstr(recovery_fails(EBADMSG).text, "not a touchline journal") != NULL);
    journal_of(5);
    spoil(1, 8, "\x07", 1);
    CHECK(strstr(recovery_fails(EBADMSG).text, "version 7") != NULL);
    journal_of(5);
    snprintf(other, sizeof other, "%s/notes.tlj", dir);
    close(open(other, O_CREAT | O_WRONLY, 0600));
    CHECK(strstr(recovery_fails(EBADMSG).text, "notes.tlj is no segment") != NULL);
}

static void a_segment_made_ready_but_not_begun_is_no_damage(void)
{
    char path[TL_JOURNAL_PATH_BYTES];
    journal_of(SLOTS);
    for (off_t bytes = 0; bytes <= 2 * (off_t)SEGMENT; bytes += SEGMENT / 2) {
        tl_journal_path(path, dir, 2);
        const int fd = open(path, O_CREAT | O_WRONLY, 0600);
        CHECK(ftruncate(fd, bytes) == 0);
        close(fd);
        tl_journal_close(open_journal(SLOTS));
    }
    tl_journal *j = open_journal(SLOTS);
    append(j, 1);
    tl_journal_close(j);
    tl_journal_close(open_journal(SLOTS + 1));
}

static void smaller_capacities_are_refused_by_name(void)
{
    tl_journal_config with = config();
    tl_journal *j;
    tl_journal_fault fault;
    journal_of(5);
    with.capacities[2] = 2;
    CHECK(tl_journal_open(&j, &with, &fault) == -EINVAL);
    CHECK(strstr(fault.text, "orders_max 3, which can be raised but not lowered to 2") != NULL);
    with = config();
    with.segment_bytes = 5000;
    CHECK(tl_journal_open(&j, &with, &fault) == -EINVAL);
}

static void a_journal_has_one_writer(void)
{
    const tl_journal_config with = config();
    tl_journal *j, *other;
    tl_journal_fault fault;
    dir_empty();
    j = open_journal(0);
    CHECK(tl_journal_open(&other, &with, &fault) == -EBUSY);
    tl_journal_close(j);
    CHECK(tl_journal_open(&other, &with, &fault) == 0);
    tl_journal_close(other);
}

static void synced_batches_read_back_the_same(void)
{
    tl_journal_config with = config();
    with.sync_batch = 1;
    dir_empty();
    tl_journal *j = open_with(&with, 0);
    append(j, 100);
    tl_journal_close(j);
    tl_journal_close(open_with(&with, 100));
}

/* No file may grow past this, so that no further segment can be made: as a full disk, anywhere. */
static void file_size_max(rlim_t bytes)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = bytes;
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static void no_room_for_a_segment_harms_nothing_before(void)
{
    tl_journal_fault fault;
    dir_empty();
    signal(SIGXFSZ, SIG_IGN);
    file_size_max(SEGMENT - 1);
    recovery_fails(EFBIG);
    file_size_max(RLIM_INFINITY);
    tl_journal *j = open_journal(0);
    append(j, 2 * SLOTS); /* so that the helper is at work on the third segment, or has it */
    file_size_max(SEGMENT - 1);
    while (tl_journal_reserve(j, 1, 1, &fault) == 1)
        append(j, 1);
    const uint64_t held = tl_journal_seq_next(j) - 1;
    CHECK(fault.error == EFBIG);
    CHECK(held >= 2 * SLOTS && held % SLOTS == 0);
    CHECK(tl_journal_reserve(j, 1, 1, &fault) == -EFBIG);
    file_size_max(RLIM_INFINITY);
    append(j, 1); /* room has come: it goes on */
    tl_journal_close(j);
    tl_journal_close(open_journal(held + 1));
}

int main(void)
{
    dir_make("journal");
    what_is_written_is_read_across_segments();
    a_reserve_never_reaches_into_the_next_segment();
    a_reader_follows_the_writer();
    a_tail_torn_at_any_byte_is_cut();
    a_segment_cut_short_is_damage();
    the_cut_says_what_it_cut();
    a_torn_first_record_of_a_segment_is_cut();
    a_flipped_bit_before_the_tail_is_damage();
    a_hole_before_good_commands_is_damage();
    a_repeated_command_is_damage();
    segments_must_follow_each_other();
    a_segment_made_ready_but_not_begun_is_no_damage();
    smaller_capacities_are_refused_by_name();
    a_journal_has_one_writer();
    synced_batches_read_back_the_same();
    no_room_for_a_segment_harms_nothing_before();
    dir_remove();
    return 0;
}
