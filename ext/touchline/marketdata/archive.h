/* An archive: the published records of every instrument and kind, to be read again by number.
 *
 *   file without a name, mapped:  [ page | page | … ]   a page holds records of one stream alone
 *   a stream: newest page ─► page before ─► …           and from each one a leap 64 pages back
 *
 * What was published is a function of the journal, so nothing of it is kept: whoever starts anew
 * fills another archive by replay. The file grows up to a bound; then the page that was begun first
 * of all is used again, and its stream begins with the page after it. One thread at a time.
 */
#ifndef TOUCHLINE_ARCHIVE_H
#define TOUCHLINE_ARCHIVE_H

#include <stddef.h>
#include <stdint.h>

#include "touchline/marketdata/mirror.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_ARCHIVE_BYTES_MIN (UINT64_C(1) << 16)
#define TL_ARCHIVE_BYTES_MAX (UINT64_C(1) << 42)

typedef struct tl_archive tl_archive;

/* In `directory`, of at most `bytes_max` bytes. 0, -EINVAL for a size out of bounds, -ENOMEM, or
 * another -errno of the file. */
int tl_archive_open(tl_archive **archive, const char *directory, uint32_t instruments_max,
                    uint64_t bytes_max);
void tl_archive_close(tl_archive *archive);

/* Keep the next record of a stream, `kind` below TL_PUBLISHED_STREAMS. 0, or -errno when the file
 * can not grow: then nothing is kept any more, and what there is can be read. */
int tl_archive_put(tl_archive *archive, uint16_t instrument, unsigned kind, const void *record);

/* The numbers that are there: *oldest to *newest; *newest + 1 is *oldest where there are none. */
void tl_archive_range(const tl_archive *archive, uint16_t instrument, unsigned kind,
                      uint64_t *oldest, uint64_t *newest);

/* Records from number `first` on, which is there: as many as `room` records allow and are one
 * behind the other, into `to`. Returns how many, 0 for a number that is not there. */
size_t tl_archive_read(const tl_archive *archive, uint16_t instrument, unsigned kind,
                       uint64_t first, size_t room, void *to);

/* The number of the first record that is there and not older than `ts_ns`; *newest + 1 for none. */
uint64_t tl_archive_since(const tl_archive *archive, uint16_t instrument, unsigned kind,
                          int64_t ts_ns);

size_t tl_archive_record_bytes(unsigned kind);

#ifdef __cplusplus
}
#endif

#endif
