/* Rows of text as numbers: CSV and its like, in pieces, without a rounding.
 *
 *   bytes ─► tl_table_read ─► rows of int64, one for each column that is wanted
 *
 * What a column holds is told at open. A value that is not of its kind ends the table at a fault
 * with line, column and byte. The caller keeps what was not used for the next call, as of feed.h; a
 * line longer than TL_TABLE_LINE_MAX is a fault, so no file takes more memory than one piece.
 * A field may stand in double quotes; none may hold a quote or the end of a line.
 */
#ifndef TOUCHLINE_TABLE_H
#define TOUCHLINE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_TABLE_EMPTY INT64_MIN /* nothing stood there */
#define TL_TABLE_LINE_MAX 65536u
#define TL_TABLE_COLUMNS_MAX 512u
#define TL_TABLE_SYMBOL_BYTES 31u
#define TL_TABLE_SYMBOLS_MAX (1u << 20)

enum tl_table_kind {
    TL_TABLE_SKIP,
    TL_TABLE_INTEGER,
    TL_TABLE_DECIMAL, /* times 1,000,000,000; of seconds: nanoseconds */
    TL_TABLE_TIME,    /* nanoseconds since the epoch, or 2012-06-21T09:30:00.004241176Z */
    TL_TABLE_LETTER,  /* one character */
    TL_TABLE_SYMBOL   /* a number for each text, from 0 as they come */
};

#define TL_TABLE_FAULTS(X)                                                                         \
    X(NONE, "")                                                                                    \
    X(COLUMNS, "it has not as many columns as the first line")                                     \
    X(NUMBER, "it is not a whole number of 64 bits")                                               \
    X(DECIMAL, "it is not a number with at most nine decimals below 9,223,372,036")                \
    X(TIME, "it is neither nanoseconds nor a time like 2012-06-21T09:30:00.004241176Z")            \
    X(LETTER, "it is not one character")                                                           \
    X(SYMBOL, "it is longer than a symbol can be")                                                 \
    X(SYMBOLS, "it is one symbol more than there may be")                                          \
    X(QUOTE, "it has a quote within it, or one that does not end")                                 \
    X(LINE, "the line is longer than any can be")

#define TL_TABLE_FAULT_ENUM(name, text) TL_TABLE_##name##_FAULT,
enum tl_table_fault { TL_TABLE_FAULTS(TL_TABLE_FAULT_ENUM) };
#undef TL_TABLE_FAULT_ENUM

typedef struct tl_table tl_table;

/* `kinds`: one a column. `seed`: as of tl_books_open. 0, -EINVAL for a size that can not be,
 * -ENOMEM. */
int tl_table_open(tl_table **table, const uint8_t *kinds, uint32_t columns, uint8_t separator,
                  uint32_t symbols_max, uint64_t seed);
void tl_table_close(tl_table *table);

/* Rows of the bytes, at most `room`, `wanted` numbers each (those that are not SKIP, in order).
 * `last`: nothing follows, so that a line without an end is a whole one. No row and no byte used:
 * more bytes are needed, or there is a fault. */
size_t tl_table_read(tl_table *table, const uint8_t *bytes, size_t size, bool last, int64_t *values,
                     size_t room, size_t *used);

/* The fault that ended the table: its line from 1, column from 0, byte from 0. */
int tl_table_fault_now(const tl_table *table, uint64_t *line, uint32_t *column, uint64_t *offset);
const char *tl_table_fault_text(int fault);

/* Symbols so far; the text of one, not ended by a zero. */
uint32_t tl_table_symbols(const tl_table *table);
const char *tl_table_symbol(const tl_table *table, uint32_t symbol, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
