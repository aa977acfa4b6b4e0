/* The spool: what was put is read again by number, from another thread too, and its bound holds. */
#define _GNU_SOURCE
#include "check.h"
#include "touchline/wire/spool.h"

#include <errno.h>
#include <pthread.h>

#define MIB (UINT64_C(1) << 20)
#define MANY 200000u

static tl_spool spool;

static size_t size_of(uint64_t number)
{
    return TL_SPOOL_MESSAGE_MIN + number * 7 % 90;
}

static void put(uint64_t number)
{
    int error = 0;
    const size_t size = size_of(number);
    uint8_t *room = tl_spool_room(&spool, 128, &error);
    CHECK(room != NULL);
    memset(room, (int)(number % 251), size);
    tl_spool_put(&spool, size);
}

static void holds(uint64_t number)
{
    size_t size;
    const uint8_t *bytes = tl_spool_message(&spool, number, &size);
    CHECK(size == size_of(number));
    CHECK(bytes[0] == number % 251 && bytes[size - 1] == number % 251);
}

static void messages_are_read_by_number(void)
{
    CHECK(tl_spool_open(&spool, "/tmp", 64 * MIB, MIB) == 0);
    CHECK(tl_spool_counted(&spool) == 0);
    for (uint64_t number = 1; number <= 1000; number++)
        put(number);
    CHECK(tl_spool_counted(&spool) == 0);
    tl_spool_count(&spool);
    CHECK(tl_spool_counted(&spool) == 1000);
    for (uint64_t number = 1; number <= 1000; number++)
        holds(number);
    tl_spool_close(&spool);
}

static void a_run_is_as_long_as_room_and_number_allow(void)
{
    const uint8_t *bytes;
    size_t size;
    CHECK(tl_spool_open(&spool, "/tmp", MIB, MIB) == 0);
    for (uint64_t number = 1; number <= 100; number++)
        put(number);
    tl_spool_count(&spool);
    CHECK(tl_spool_run(&spool, 1, 100, 1 << 20, UINT64_MAX, &bytes, &size) == 100);
    CHECK(bytes == spool.bytes && size == spool.size);
    CHECK(tl_spool_run(&spool, 1, 100, 1 << 20, 3, &bytes, &size) == 3);
    CHECK(size == size_of(1) + size_of(2) + size_of(3));
    CHECK(tl_spool_run(&spool, 1, 100, size - 1, UINT64_MAX, &bytes, &size) == 2);
    CHECK(size == size_of(1) + size_of(2));
    CHECK(tl_spool_run(&spool, 100, 100, 7, UINT64_MAX, &bytes, &size) == 0 && size == 0);
    CHECK(tl_spool_run(&spool, 100, 100, 1 << 20, UINT64_MAX, &bytes, &size) == 1);
    tl_spool_close(&spool);
}

static void blocks_are_counted_one_by_one(void)
{
    const uint8_t blocks[] = {0, 6, 1, 2, 3, 4, 5, 6, 0, 7, 1, 2, 3, 4, 5, 6, 7};
    size_t size;
    CHECK(tl_spool_open(&spool, "/tmp", MIB, MIB) == 0);
    CHECK(tl_spool_blocks(&spool, blocks, sizeof blocks, 2) == 0);
    tl_spool_count(&spool);
    CHECK(tl_spool_counted(&spool) == 2);
    CHECK(memcmp(tl_spool_message(&spool, 1, &size), blocks, 8) == 0 && size == 8);
    CHECK(memcmp(tl_spool_message(&spool, 2, &size), blocks + 8, 9) == 0 && size == 9);
    tl_spool_close(&spool);
}

static void the_bound_is_refused_and_nothing_is_lost(void)
{
    int error = 0;
    uint64_t number = 0;
    CHECK(tl_spool_open(&spool, "/tmp", MIB, 4096) == 0);
    while (tl_spool_room(&spool, 128, &error) != NULL)
        put(++number);
    CHECK(error == -EFBIG && number > MIB / 128);
    tl_spool_count(&spool);
    for (uint64_t i = 1; i <= number; i++)
        holds(i);
    static const uint8_t block[200] = {0, 198};
    CHECK(tl_spool_blocks(&spool, block, sizeof block, 1) == -EFBIG);
    CHECK(tl_spool_counted(&spool) == number);
    tl_spool_close(&spool);
}

static void a_folder_that_is_none_is_an_error(void)
{
    CHECK(tl_spool_open(&spool, "/nowhere/at/all", MIB, MIB) == -ENOENT);
    tl_spool_close(&spool);
    CHECK(tl_spool_open(&spool, "/tmp", 0, MIB) == -EINVAL);
    tl_spool_close(&spool);
}

static void *read_along(void *nothing)
{
    uint64_t next = 1;
    while (next <= MANY)
        for (const uint64_t there = tl_spool_counted(&spool); next <= there; next++)
            holds(next);
    return nothing;
}

static void another_thread_reads_what_is_counted(void)
{
    pthread_t reader;
    CHECK(tl_spool_open(&spool, "/tmp", 64 * MIB, MIB) == 0);
    CHECK(pthread_create(&reader, NULL, read_along, NULL) == 0);
    for (uint64_t number = 1; number <= MANY; number++) {
        put(number);
        if (number % 16 == 0 || number == MANY)
            tl_spool_count(&spool);
    }
    CHECK(pthread_join(reader, NULL) == 0);
    tl_spool_close(&spool);
}

int main(void)
{
    messages_are_read_by_number();
    a_run_is_as_long_as_room_and_number_allow();
    blocks_are_counted_one_by_one();
    the_bound_is_refused_and_nothing_is_lost();
    a_folder_that_is_none_is_an_error();
    another_thread_reads_what_is_counted();
    return 0;
}
