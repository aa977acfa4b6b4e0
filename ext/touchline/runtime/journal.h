/* The journal: the sequenced commands as they were, in segment files; the only truth.
 *
 *   journal.head   00000001.tlj                      00000002.tlj
 *   | begun: 2 |   | header 4096 B | 64 B | 64 B |…  | header (checksum of the last) | 64 B |…
 *
 * A segment is allocated whole and filled with zeros before its header is written, so a record of
 * zeros is the end. Larger capacities begin a new segment, wherever the one before stands: what was
 * refused as full is refused again when the commands before are replayed with theirs. journal.head
 * says how many segments have been begun at least (journal_head.h), so that a segment that was lost
 * is not taken for one to come. One process writes and holds the directory's lock; any number read,
 * also while it writes. A writer belongs to one thread, but for the helper threads it runs to
 * prepare segments and to write the head.
 */
#ifndef TOUCHLINE_JOURNAL_H
#define TOUCHLINE_JOURNAL_H

#include "touchline/core/messages.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_JOURNAL_MAGIC UINT64_C(0x314c4e52554f4a54) /* "TJOURNL1" */
/* 1: rule 2.7 had blocks of 64 prices. 2: no journal.head, and mass cancels went by slots. 3: the
 * flag SPECIAL meant nothing. 4: nor did TERMS. 5: they linked no orders, and less chained. None is
 * read: by the rules of today it could give other events. */
#define TL_JOURNAL_VERSION 6u
#define TL_JOURNAL_HEADER_BYTES 4096u
#define TL_JOURNAL_SEGMENT_MIN (2 * TL_JOURNAL_HEADER_BYTES)
#define TL_JOURNAL_SEGMENT_MAX (UINT64_C(1) << 40)
#define TL_JOURNAL_CAPACITIES 5
#define TL_JOURNAL_PATH_BYTES 1024
#define TL_JOURNAL_TEXT_BYTES 256

typedef struct tl_journal_header {
    uint64_t magic; /* stored last */
    uint32_t version;
    uint32_t index;         /* of the segment, from 1; its file's name */
    uint64_t segment_bytes; /* header included */
    uint64_t first_seq;
    int64_t created_ns;
    uint64_t journal_id;                /* the same in all segments of one journal */
    uint32_t capacities[TL_JOURNAL_CAPACITIES]; /* the engine's, in tl_engine_capacities' order;
                                                   never less than in the segment before */
    uint32_t previous_checksum;         /* of the last record before this segment; 0: none */
    uint8_t _pad[52];
    uint32_t checksum; /* CRC32C of the bytes before */
} tl_journal_header;
static_assert(sizeof(tl_journal_header) == 128, "the used part of a header is two cache lines");

/* What went wrong, and where. -EBADMSG: the journal is damaged; -EBUSY: another writer has it;
 * -EINVAL: written with larger capacities, or settings out of bounds; else the system's own. */
typedef struct tl_journal_fault {
    int error;
    uint64_t offset; /* in the file, of the record */
    uint64_t seq;    /* of the command that should stand there */
    char path[TL_JOURNAL_PATH_BYTES];
    char text[TL_JOURNAL_TEXT_BYTES];
} tl_journal_fault;

typedef struct tl_journal_reader {
    tl_journal_header header; /* of the segment being read */
    const char *map;
    size_t map_bytes; /* a file cut short is mapped as far as it goes */
    uint64_t slot;    /* of the next record in the segment */
    uint64_t seq;     /* of the next record */
    uint32_t last_checksum;
    uint32_t swept; /* 1: nothing valid lay beyond the end when it was first met */
    uint32_t begun; /* segments known to have been begun; more may have been since */
    uint64_t begun_seq;  /* with which command the last of them begins, or 0 */
    uint64_t journal_id; /* that every segment must have; 0: as the first says */
    int fd;
    char dir[TL_JOURNAL_PATH_BYTES - 32];
} tl_journal_reader;

/* Open the journal in `dir` at its first command. -ENOENT when there is none. */
int tl_journal_reader_open(tl_journal_reader **out, const char *dir, tl_journal_fault *fault);
void tl_journal_reader_close(tl_journal_reader *reader);
/* Point `first` at the next commands, in place, and pass over them: at most `max`, those of one
 * segment, whose capacities reader->header has then. 0 at the end, which may be asked again as the
 * writer goes on. Valid until the next call. -EBADMSG when a bad record is followed by good ones:
 * that is not a torn tail. */
int64_t tl_journal_reader_next(tl_journal_reader *reader, const tl_command **first, size_t max,
                               tl_journal_fault *fault);

/* The header of the newest segment, as far as it is known: its capacities are the largest. The
 * present one's when that segment can not be read: whoever gets there is told why. */
tl_journal_header tl_journal_reader_newest(const tl_journal_reader *reader);
/* How many commands there are, as far as the last segment begun tells; nothing is checked. */
uint64_t tl_journal_reader_count(const tl_journal_reader *reader);
/* Copy the TEXT commands among the next ones, but for those that name a cl_ord_id, and pass over
 * the rest: at most `room` of them, out of any number. 0 at the end. */
int64_t tl_journal_reader_texts(tl_journal_reader *reader, tl_command *out, size_t room,
                                tl_journal_fault *fault);

typedef struct tl_journal_config {
    const char *dir; /* created if absent; its parent is not */
    uint32_t capacities[TL_JOURNAL_CAPACITIES]; /* not less than the journal's newest */
    uint32_t sync_batch;    /* 1: tl_journal_commit waits for the disk */
    uint64_t segment_bytes; /* of segments to come; a multiple of 4096 */
    int64_t now_ns;         /* identifies a new journal */
    int32_t avoid_cpu;      /* where the helper thread must not run, or -1 */
} tl_journal_config;

typedef struct tl_journal tl_journal;

/* Lock the journal for writing. Then call recover until it returns 0, then append. */
int tl_journal_open(tl_journal **out, const tl_journal_config *config, tl_journal_fault *fault);
void tl_journal_close(tl_journal *journal);
/* As tl_journal_reader_next; at the end cuts a torn tail and makes ready to append, in a segment
 * with the config's capacities. */
int64_t tl_journal_recover(tl_journal *journal, const tl_command **first, size_t max,
                           tl_journal_fault *fault);
/* What the engine must have for the commands that tl_journal_recover gave last: before the first
 * call what the journal begins with, after the last what the config says. */
const uint32_t *tl_journal_capacities(const tl_journal *journal);
/* What recovery cut, as a line for people; "" when nothing. */
const char *tl_journal_torn(const tl_journal *journal);

/* Make room: how many commands, at most `want`, may be appended now. Moves to the next segment
 * when this one is full; -ENOSPC or another error when there is none, with nothing changed. */
int64_t tl_journal_reserve(tl_journal *journal, size_t want, int64_t now_ns,
                           tl_journal_fault *fault);
/* Stamp the checksum and append; room was reserved. `cmd->seq` is tl_journal_seq_next(). */
void tl_journal_append(tl_journal *journal, tl_command *cmd);
/* With sync_batch, return when what was appended is on the disk; else at once. */
int tl_journal_commit(tl_journal *journal, tl_journal_fault *fault);

/* Before recovery: how many commands there are to recover, as far as the headers tell. */
uint64_t tl_journal_held(const tl_journal *journal);
uint64_t tl_journal_seq_next(const tl_journal *journal);
uint64_t tl_journal_id(const tl_journal *journal);
uint64_t tl_journal_bytes(const tl_journal *journal);

/* Shared by reader and writer. A file is named by its segment's index, or by one of these. */
#define TL_JOURNAL_DIR 0u
#define TL_JOURNAL_HEAD UINT32_MAX
#define TL_JOURNAL_HEAD_NEW (UINT32_MAX - 1)
#define TL_JOURNAL_INDEX_MAX 99999999u
void tl_journal_path(char path[TL_JOURNAL_PATH_BYTES], const char *dir, uint32_t index);
/* CRC32C. */
uint32_t tl_journal_checksum(const void *bytes, size_t count);
uint32_t tl_journal_header_checksum(const tl_journal_header *header);
/* Open a file of the journal: a regular one, no link, and for writing one that is the caller's and
 * that nobody else may write. The descriptor, or -errno with `fault`. */
int tl_journal_file_open(const char *dir, uint32_t index, int flags, tl_journal_fault *fault);
/* 1 when the segment's header has been written, 0 when not yet or no such file, or -errno. */
int tl_journal_started(const char *dir, uint32_t index);
__attribute__((format(printf, 5, 6))) int
tl_journal_fail(tl_journal_fault *fault, int error, const char *dir, uint32_t index,
                const char *format, ...);

#ifdef __cplusplus
}
#endif

#endif
