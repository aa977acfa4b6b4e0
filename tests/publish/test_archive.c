/* The archive: every record comes back by its number, also when pages are used again. */
#include "touchline/marketdata/archive.h"

#include "check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define INSTRUMENTS 5u
#define STREAMS (INSTRUMENTS * TL_PUBLISHED_STREAMS)
#define SMALL (UINT64_C(64) * 4096)
#define PUTS 200000u

/* A record whose bytes tell whose and which it is. */
static void make_record(uint8_t record[64], uint16_t instrument, unsigned kind, uint64_t seq)
{
    const int64_t ts_ns = (int64_t)(seq * 10);
    memset(record, (int)(instrument * 16u + kind), 64);
    memcpy(record, &seq, sizeof seq);
    memcpy(record + sizeof seq, &ts_ns, sizeof ts_ns);
}

static void check_run(const tl_archive *archive, uint16_t instrument, unsigned kind,
                      uint64_t first, size_t room)
{
    static uint8_t found[256 * 64];
    uint8_t wanted[64];
    const size_t size = tl_archive_record_bytes(kind);
    const size_t count = tl_archive_read(archive, instrument, kind, first, room, found);
    CHECK(count > 0 && count <= room);
    for (size_t i = 0; i < count; i++) {
        make_record(wanted, instrument, kind, first + i);
        CHECK(memcmp(found + i * size, wanted, size) == 0);
    }
}

/* What is there of a stream: its oldest, newest and some between, by number and by time. */
static void check_stream(const tl_archive *archive, uint16_t instrument, unsigned kind,
                         uint64_t *state)
{
    uint64_t oldest, newest;
    uint8_t none[64];
    tl_archive_range(archive, instrument, kind, &oldest, &newest);
    CHECK(tl_archive_read(archive, instrument, kind, newest + 1, 1, none) == 0);
    CHECK(tl_archive_read(archive, instrument, kind, oldest - 1, 1, none) == 0);
    CHECK(tl_archive_since(archive, instrument, kind, INT64_MAX) == newest + 1);
    if (oldest > newest)
        return;
    CHECK(tl_archive_since(archive, instrument, kind, 0) == oldest);
    check_run(archive, instrument, kind, oldest, 256);
    check_run(archive, instrument, kind, newest, 1);
    for (unsigned i = 0; i < 64; i++) {
        const uint64_t seq = oldest + random_next(state) % (newest - oldest + 1);
        check_run(archive, instrument, kind, seq, 1 + random_next(state) % 256);
        CHECK(tl_archive_since(archive, instrument, kind, (int64_t)(seq * 10)) == seq);
        if (seq > oldest)
            CHECK(tl_archive_since(archive, instrument, kind, (int64_t)(seq * 10 - 5)) == seq);
    }
}

static void fill(uint64_t bytes_max, bool all_stays)
{
    tl_archive *archive;
    CHECK(tl_archive_open(&archive, "/tmp", INSTRUMENTS, bytes_max) == 0);
    uint64_t state = 5, seqs[STREAMS] = {0};
    uint8_t record[64];
    for (unsigned i = 0; i < PUTS; i++) {
        /* Some streams get most records, the last one hardly any. */
        const uint64_t r = random_next(&state);
        const unsigned stream = (unsigned)((r % STREAMS) * (r >> 32 & 0xff) / 0xff);
        const uint16_t instrument = (uint16_t)(stream / TL_PUBLISHED_STREAMS);
        const unsigned kind = stream % TL_PUBLISHED_STREAMS;
        make_record(record, instrument, kind, ++seqs[stream]);
        CHECK(tl_archive_put(archive, instrument, kind, record) == 0);
        if (i % 20000 == 0 || i == PUTS - 1) {
            for (unsigned s = 0; s < STREAMS; s++)
                check_stream(archive, (uint16_t)(s / TL_PUBLISHED_STREAMS),
                             s % TL_PUBLISHED_STREAMS, &state);
        }
    }
    for (unsigned s = 0; s < STREAMS; s++) {
        uint64_t oldest, newest;
        tl_archive_range(archive, (uint16_t)(s / TL_PUBLISHED_STREAMS), s % TL_PUBLISHED_STREAMS,
                         &oldest, &newest);
        CHECK(newest == seqs[s]);
        CHECK(!all_stays || oldest == 1);
    }
    tl_archive_close(archive);
}

static void every_record_comes_back_by_number_and_time(void)
{
    fill(UINT64_C(64) << 20, true);
}

static void pages_are_used_again_and_the_newest_stay(void)
{
    fill(SMALL, false);
}

static void sizes_and_places_that_are_none_are_refused(void)
{
    tl_archive *archive;
    CHECK(tl_archive_open(&archive, "/tmp", 1, TL_ARCHIVE_BYTES_MIN - 1) == -EINVAL);
    CHECK(archive == NULL);
    CHECK(tl_archive_open(&archive, "/tmp", 1, TL_ARCHIVE_BYTES_MAX + 1) == -EINVAL);
    CHECK(tl_archive_open(&archive, "/tmp/there/is/none", 1, SMALL) == -ENOENT);
    CHECK(archive == NULL);
}

int main(void)
{
    every_record_comes_back_by_number_and_time();
    pages_are_used_again_and_the_newest_stay();
    sizes_and_places_that_are_none_are_refused();
    return 0;
}
