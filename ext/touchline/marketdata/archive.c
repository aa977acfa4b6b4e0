/* The archive's pages, and the streams that they belong to. */
#define _GNU_SOURCE
#include "touchline/marketdata/archive.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096u
#define HEAD_BYTES 64u
#define LEAP 64u
#define GROWTH_PAGES UINT64_C(4096)
#define NO_PAGE UINT32_MAX

typedef struct tl_page {
    uint64_t first_seq;
    uint64_t ordinal; /* of its stream's pages, from 0 */
    uint32_t stream;
    uint32_t count;
    uint32_t before; /* the page before it */
    uint32_t leap;   /* the last page before it whose ordinal is a multiple of LEAP */
    uint8_t _pad[HEAD_BYTES - 32];
    uint8_t records[PAGE_BYTES - HEAD_BYTES];
} tl_page;
static_assert(sizeof(tl_page) == PAGE_BYTES, "a page is a page");

typedef struct tl_kept {
    uint64_t next_seq; /* of the record that comes next */
    uint64_t oldest;   /* that is there */
    uint32_t page;     /* the newest */
    uint32_t _pad;
} tl_kept;

struct tl_archive {
    tl_page *pages;
    tl_kept *streams; /* by instrument and kind */
    uint64_t pages_max, pages_had;
    uint64_t pages_used; /* ever begun; page n lies at n modulo pages_max */
    uint32_t streams_count;
    int fd;
    int error; /* why nothing is kept any more */
};

static const uint16_t record_bytes[TL_PUBLISHED_STREAMS] = {
    sizeof(tl_published_trade), sizeof(tl_published_bbo), sizeof(tl_published_depth),
    sizeof(tl_published_status)};

size_t tl_archive_record_bytes(unsigned kind)
{
    assert(kind < TL_PUBLISHED_STREAMS);
    return record_bytes[kind];
}

static uint32_t records_a_page(uint32_t stream)
{
    return (PAGE_BYTES - HEAD_BYTES) / record_bytes[stream % TL_PUBLISHED_STREAMS];
}

static uint32_t stream_of(const tl_archive *archive, uint16_t instrument, unsigned kind)
{
    const uint32_t stream = (uint32_t)instrument * TL_PUBLISHED_STREAMS + kind;
    assert(kind < TL_PUBLISHED_STREAMS);
    assert(stream < archive->streams_count);
    return stream;
}

int tl_archive_open(tl_archive **archive, const char *directory, uint32_t instruments_max,
                    uint64_t bytes_max)
{
    *archive = NULL;
    if (bytes_max < TL_ARCHIVE_BYTES_MIN || bytes_max > TL_ARCHIVE_BYTES_MAX)
        return -EINVAL;
    tl_archive *opened = calloc(1, sizeof *opened);
    if (opened == NULL)
        return -ENOMEM;
    opened->pages_max = bytes_max / PAGE_BYTES;
    opened->streams_count = instruments_max * TL_PUBLISHED_STREAMS;
    opened->streams = calloc(opened->streams_count, sizeof *opened->streams);
    opened->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    const int error = opened->fd < 0 ? errno : ENOMEM;
    if (opened->fd >= 0 && opened->streams != NULL) {
        void *mapped = mmap(NULL, opened->pages_max * PAGE_BYTES, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_NORESERVE, opened->fd, 0);
        opened->pages = mapped == MAP_FAILED ? NULL : mapped;
    }
    if (opened->pages == NULL) {
        tl_archive_close(opened);
        return -error;
    }
    for (uint32_t i = 0; i < opened->streams_count; i++)
        opened->streams[i] = (tl_kept){.next_seq = 1, .oldest = 1, .page = NO_PAGE};
    *archive = opened;
    return 0;
}

void tl_archive_close(tl_archive *archive)
{
    if (archive == NULL)
        return;
    if (archive->pages != NULL)
        munmap(archive->pages, archive->pages_max * PAGE_BYTES);
    if (archive->fd >= 0)
        close(archive->fd);
    free(archive->streams);
    free(archive);
}

/* Have the page on the disk and not only in the file's length: a write to a mapped page that finds
 * the disk full kills. */
static int have_page(tl_archive *archive, uint64_t page)
{
    if (page < archive->pages_had)
        return 0;
    uint64_t wanted = archive->pages_had + GROWTH_PAGES;
    if (wanted > archive->pages_max)
        wanted = archive->pages_max;
    const off_t from = (off_t)(archive->pages_had * PAGE_BYTES);
    const off_t size = (off_t)((wanted - archive->pages_had) * PAGE_BYTES);
    int rc;
    do
        rc = fallocate(archive->fd, 0, from, size);
    while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return -errno;
    archive->pages_had = wanted;
    return 0;
}

/* The stream that a page belonged to begins with the page after it. */
static void take_back(tl_archive *archive, const tl_page *page)
{
    tl_kept *owner = &archive->streams[page->stream];
    owner->oldest = page->first_seq + page->count;
    if (owner->oldest == owner->next_seq)
        owner->page = NO_PAGE;
}

static int begin_page(tl_archive *archive, uint32_t stream)
{
    const uint64_t place = archive->pages_used % archive->pages_max;
    const int rc = have_page(archive, place);
    if (rc != 0)
        return rc;
    tl_page *page = &archive->pages[place];
    if (archive->pages_used >= archive->pages_max)
        take_back(archive, page);
    tl_kept *kept = &archive->streams[stream];
    const tl_page *before = kept->page == NO_PAGE ? NULL : &archive->pages[kept->page];
    page->first_seq = kept->next_seq;
    page->ordinal = before == NULL ? 0 : before->ordinal + 1;
    page->stream = stream;
    page->count = 0;
    page->before = kept->page;
    page->leap = NO_PAGE;
    if (before != NULL)
        page->leap = before->ordinal % LEAP == 0 ? kept->page : before->leap;
    kept->page = (uint32_t)place;
    archive->pages_used++;
    return 0;
}

int tl_archive_put(tl_archive *archive, uint16_t instrument, unsigned kind, const void *record)
{
    if (archive->error != 0)
        return archive->error;
    const uint32_t stream = stream_of(archive, instrument, kind);
    tl_kept *kept = &archive->streams[stream];
    if (kept->page == NO_PAGE || archive->pages[kept->page].count == records_a_page(stream)) {
        archive->error = begin_page(archive, stream);
        if (archive->error != 0)
            return archive->error;
    }
    tl_page *page = &archive->pages[kept->page];
    const size_t size = record_bytes[kind];
    memcpy(page->records + page->count * size, record, size);
    page->count++;
    kept->next_seq++;
    return 0;
}

void tl_archive_range(const tl_archive *archive, uint16_t instrument, unsigned kind,
                      uint64_t *oldest, uint64_t *newest)
{
    const tl_kept *kept = &archive->streams[stream_of(archive, instrument, kind)];
    *oldest = kept->oldest;
    *newest = kept->next_seq - 1;
}

/* Is a page still one of this stream, before this ordinal and not older than its oldest record? */
static bool is_there(const tl_archive *archive, uint32_t place, uint32_t stream, uint64_t ordinal)
{
    if (place == NO_PAGE)
        return false;
    const tl_page *page = &archive->pages[place];
    return page->stream == stream && page->ordinal < ordinal &&
           page->first_seq >= archive->streams[stream].oldest;
}

static int64_t ts_of(const tl_page *page)
{
    int64_t ts_ns;
    memcpy(&ts_ns, page->records + sizeof(uint64_t), sizeof ts_ns);
    return ts_ns;
}

/* Does a page begin after what is looked for? By number, or by time when `seq` is 0. */
static bool is_beyond(const tl_page *page, uint64_t seq, int64_t ts_ns)
{
    return seq != 0 ? page->first_seq > seq : ts_of(page) >= ts_ns;
}

/* The newest page that does not begin after what is looked for, or the oldest that is there. */
static const tl_page *find(const tl_archive *archive, uint32_t stream, uint64_t seq, int64_t ts_ns)
{
    uint32_t place = archive->streams[stream].page;
    if (place == NO_PAGE)
        return NULL;
    while (is_beyond(&archive->pages[place], seq, ts_ns)) {
        const tl_page *page = &archive->pages[place];
        if (is_there(archive, page->leap, stream, page->ordinal) &&
            is_beyond(&archive->pages[page->leap], seq, ts_ns))
            place = page->leap;
        else if (is_there(archive, page->before, stream, page->ordinal))
            place = page->before;
        else
            break;
    }
    return &archive->pages[place];
}

size_t tl_archive_read(const tl_archive *archive, uint16_t instrument, unsigned kind,
                       uint64_t first, size_t room, void *to)
{
    const uint32_t stream = stream_of(archive, instrument, kind);
    const tl_kept *kept = &archive->streams[stream];
    if (first < kept->oldest || first >= kept->next_seq)
        return 0;
    const tl_page *page = find(archive, stream, first, 0);
    assert(page != NULL && page->first_seq <= first);
    assert(first - page->first_seq < page->count);
    const size_t skipped = (size_t)(first - page->first_seq);
    size_t count = page->count - skipped;
    if (count > room)
        count = room;
    memcpy(to, page->records + skipped * record_bytes[kind], count * record_bytes[kind]);
    return count;
}

uint64_t tl_archive_since(const tl_archive *archive, uint16_t instrument, unsigned kind,
                          int64_t ts_ns)
{
    const uint32_t stream = stream_of(archive, instrument, kind);
    const tl_page *page = find(archive, stream, 0, ts_ns);
    if (page == NULL)
        return archive->streams[stream].next_seq;
    const size_t size = record_bytes[kind];
    for (uint32_t i = 0; i < page->count; i++) {
        int64_t its;
        memcpy(&its, page->records + i * size + sizeof(uint64_t), sizeof its);
        if (its >= ts_ns)
            return page->first_seq + i;
    }
    return page->first_seq + page->count;
}
