/* A journal whose engine is given larger capacities: a new segment begins, whatever room the one
 * before has, and each command is read with the capacities it was done with. */
#define _GNU_SOURCE
#include "journal_files.h"

static tl_journal_config config_of(uint32_t orders_max)
{
    tl_journal_config with = config();
    with.capacities[2] = orders_max;
    return with;
}

/* Opens with so many orders, appends, closes. */
static void run(uint32_t orders_max, uint64_t held, uint64_t count)
{
    const tl_journal_config with = config_of(orders_max);
    tl_journal *j = open_with(&with, held);
    CHECK(tl_journal_capacities(j)[2] == orders_max);
    append(j, count);
    tl_journal_close(j);
}

/* The next commands must be these, done with so many orders. */
static void check_next(tl_journal_reader *reader, uint64_t seq, int64_t count, uint32_t orders_max)
{
    const tl_command *first;
    tl_journal_fault fault;
    CHECK(tl_journal_reader_next(reader, &first, 1000, &fault) == count);
    CHECK(first->seq == seq && reader->header.capacities[2] == orders_max);
}

static void check_end(tl_journal_reader *reader)
{
    const tl_command *first;
    tl_journal_fault fault;
    CHECK(tl_journal_reader_next(reader, &first, 1000, &fault) == 0);
}

static tl_journal_reader *opened(void)
{
    tl_journal_reader *reader;
    tl_journal_fault fault;
    CHECK(tl_journal_reader_open(&reader, dir, &fault) == 0);
    return reader;
}

static void each_command_is_read_with_the_capacities_it_was_done_with(void)
{
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 20);
    run(5, 30, 1); /* the same again: it goes on in the segment that is there */
    run(6, 31, 0); /* a segment of none */
    run(9, 31, SLOTS);
    run(11, 31 + SLOTS, 2); /* the one before is full */
    tl_journal_reader *reader = opened();
    CHECK(reader->header.capacities[2] == 3);
    CHECK(tl_journal_reader_newest(reader).capacities[2] == 11);
    CHECK(tl_journal_reader_count(reader) == 33 + SLOTS);
    check_next(reader, 1, 10, 3);
    check_next(reader, 11, 21, 5);
    check_next(reader, 32, SLOTS, 9);
    check_next(reader, 32 + SLOTS, 2, 11);
    check_end(reader);
    CHECK(reader->header.index == 5);
    tl_journal_reader_close(reader);
}

static void a_reader_that_waits_at_the_end_follows_into_the_larger_segment(void)
{
    journal_of(10);
    tl_journal_reader *reader = opened();
    check_next(reader, 1, 10, 3);
    check_end(reader);
    check_end(reader);
    run(4, 10, 7);
    check_next(reader, 11, 7, 4);
    check_end(reader);
    tl_journal_reader_close(reader);
}

static void what_recovery_gives_says_with_which_capacities(void)
{
    const tl_journal_config with = config_of(8);
    tl_journal *j;
    tl_journal_fault fault;
    const tl_command *first;
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 10);
    CHECK(tl_journal_open(&j, &with, &fault) == 0);
    for (uint32_t due = 3; due <= 5; due += 2) {
        CHECK(tl_journal_recover(j, &first, 50, &fault) == 10);
        CHECK(tl_journal_capacities(j)[2] == due);
    }
    CHECK(tl_journal_recover(j, &first, 50, &fault) == 0);
    CHECK(tl_journal_capacities(j)[2] == 8);
    tl_journal_close(j);
}

static void fewer_than_the_newest_segment_has_are_refused_by_name(void)
{
    const tl_journal_config with = config_of(4);
    tl_journal *j;
    tl_journal_fault fault;
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 0);
    CHECK(tl_journal_open(&j, &with, &fault) == -EINVAL);
    CHECK(strstr(fault.text, "orders_max 5, which can be raised but not lowered to 4") != NULL);
    run(5, 10, 1);
}

static void a_torn_tail_is_cut_before_the_larger_segment_begins(void)
{
    journal_of(10);
    spoil(1, HEADER + 9 * 64 + 20, "x", 1);
    run(4, 9, 3);
    run(4, 12, 0);
}

/* Segment `index` says other capacities, in a header that is whole. */
static void header_says(uint32_t index, const uint32_t capacities[TL_JOURNAL_CAPACITIES])
{
    tl_journal_header header;
    const int fd = open_segment(index);
    CHECK(pread(fd, &header, sizeof header, 0) == (ssize_t)sizeof header);
    close(fd);
    memcpy(header.capacities, capacities, sizeof header.capacities);
    header.checksum = tl_journal_header_checksum(&header);
    spoil(index, 0, &header, sizeof header);
}

static tl_journal_fault reading_fails(void)
{
    tl_journal_reader *reader = opened();
    tl_journal_fault fault;
    const tl_command *first;
    int64_t rc;
    while ((rc = tl_journal_reader_next(reader, &first, 50, &fault)) > 0)
        continue;
    tl_journal_reader_close(reader);
    CHECK(rc == -EBADMSG);
    return fault;
}

static void a_segment_ends_early_for_larger_capacities_alone(void)
{
    static const char zeros[64];
    const uint32_t same[] = {1, 2, 3, 4, 5}, mixed[] = {1, 1, 9, 4, 5};
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 10);
    header_says(2, same);
    CHECK(strstr(reading_fails().text, "the command is missing, yet more follow") != NULL);
    header_says(2, mixed);
    CHECK(strstr(reading_fails().text, "smaller capacities than the segment before") != NULL);
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 10);
    spoil(1, HEADER + 9 * 64, zeros, 64); /* the last one before is gone */
    const tl_journal_fault fault = reading_fails();
    CHECK(fault.seq == 10 && fault.offset == HEADER + 9 * 64);
    CHECK(strstr(fault.path, "/00000001.tlj") != NULL);
}

static void a_whole_command_behind_the_early_end_is_damage(void)
{
    tl_command cmd = numbered(11);
    dir_empty();
    run(3, 0, 10);
    run(5, 10, 10);
    cmd.checksum = tl_command_checksum(&cmd);
    spoil(1, HEADER + 20 * 64, &cmd, sizeof cmd);
    CHECK(reading_fails().seq == 11);
}

int main(void)
{
    dir_make("journal-growth");
    each_command_is_read_with_the_capacities_it_was_done_with();
    a_reader_that_waits_at_the_end_follows_into_the_larger_segment();
    what_recovery_gives_says_with_which_capacities();
    fewer_than_the_newest_segment_has_are_refused_by_name();
    a_torn_tail_is_cut_before_the_larger_segment_begins();
    a_segment_ends_early_for_larger_capacities_alone();
    a_whole_command_behind_the_early_end_is_damage();
    dir_remove();
    return 0;
}
