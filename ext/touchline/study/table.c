/* Lines of a table, cut into fields, and the texts that have numbers; see table.h. */
#include "touchline/study/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/study/table_state.h"

int tl_table_open(tl_table **opened, const uint8_t *kinds, uint32_t columns, uint8_t separator,
                  uint32_t symbols_max, uint64_t seed)
{
    if (columns == 0 || columns > TL_TABLE_COLUMNS_MAX || symbols_max == 0 ||
        symbols_max > TL_TABLE_SYMBOLS_MAX)
        return -EINVAL;
    tl_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return -ENOMEM;
    uint32_t places = 2;
    while (places < 2 * symbols_max)
        places *= 2;
    for (uint32_t i = 0; i < columns; i++) {
        table->kinds[i] = kinds[i] <= TL_TABLE_SYMBOL ? kinds[i] : TL_TABLE_SKIP;
        table->wanted += kinds[i] != TL_TABLE_SKIP;
    }
    table->columns = columns;
    table->separator = separator;
    table->names_max = symbols_max;
    table->places_mask = places - 1;
    table->factor = seed | 1;
    table->line = 1;
    table->names = malloc(symbols_max * sizeof *table->names);
    table->places = malloc(places * sizeof *table->places);
    if (table->names == NULL || table->places == NULL) {
        tl_table_close(table);
        return -ENOMEM;
    }
    memset(table->places, 0xff, places * sizeof *table->places);
    *opened = table;
    return 0;
}

void tl_table_close(tl_table *table)
{
    if (table == NULL)
        return;
    free(table->names);
    free(table->places);
    free(table);
}

int tl_table_name_of(tl_table *table, const uint8_t *text, size_t size, int64_t *value)
{
    if (size > TL_TABLE_SYMBOL_BYTES)
        return TL_TABLE_SYMBOL_FAULT;
    uint64_t hash = size;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ text[i]) * (table->factor ^ UINT64_C(0x100000001B2));
    uint32_t at = (uint32_t)(hash >> 32) & table->places_mask;
    for (; table->places[at] != UINT32_MAX; at = (at + 1) & table->places_mask) {
        const tl_table_name *name = &table->names[table->places[at]];
        if (name->size == size && memcmp(name->text, text, size) == 0) {
            *value = table->places[at];
            return TL_TABLE_NONE_FAULT;
        }
    }
    if (table->names_count == table->names_max)
        return TL_TABLE_SYMBOLS_FAULT;
    tl_table_name *name = &table->names[table->names_count];
    name->size = (uint8_t)size;
    memcpy(name->text, text, size);
    table->places[at] = table->names_count;
    *value = table->names_count++;
    return TL_TABLE_NONE_FAULT;
}

static bool fail(tl_table *table, int fault, uint32_t column, size_t at)
{
    table->fault = fault;
    table->fault_column = column;
    table->fault_at = table->offset + at;
    return false;
}

/* A field from `at`: its text, and where the next begins; false for a quote that is wrong. */
static bool field_cut(const tl_table *table, const uint8_t *line, size_t size, size_t *at,
                      const uint8_t **text, size_t *length)
{
    size_t from = *at;
    bool quoted = from < size && line[from] == '"';
    uint8_t until = quoted ? '"' : table->separator;
    from += quoted;
    size_t end = from;
    while (end < size && line[end] != until && line[end] != '"')
        end++;
    *text = line + from;
    *length = end - from;
    if (quoted) {
        if (end++ == size || (end < size && line[end] != table->separator))
            return false;
    } else if (end < size && line[end] == '"') {
        return false;
    }
    *at = end + 1;
    return true;
}

/* One line into `wanted` values; `at` is its place in the bytes given. */
static bool line_read(tl_table *table, const uint8_t *line, size_t size, size_t at, int64_t *values)
{
    size_t next = 0;
    for (uint32_t column = 0; column < table->columns; column++) {
        size_t from = next;
        const uint8_t *text;
        size_t length;
        if (from > size)
            return fail(table, TL_TABLE_COLUMNS_FAULT, column, at);
        if (!field_cut(table, line, size, &next, &text, &length))
            return fail(table, TL_TABLE_QUOTE_FAULT, column, at + from);
        if (table->kinds[column] == TL_TABLE_SKIP)
            continue;
        int fault = tl_table_value(table, table->kinds[column], text, length, values++);
        if (fault != TL_TABLE_NONE_FAULT)
            return fail(table, fault, column, at + from);
    }
    return next > size ? true : fail(table, TL_TABLE_COLUMNS_FAULT, table->columns, at);
}

size_t tl_table_read(tl_table *table, const uint8_t *bytes, size_t size, bool last, int64_t *values,
                     size_t room, size_t *used)
{
    size_t count = 0;
    size_t at = 0;
    while (count < room && at < size && table->fault == TL_TABLE_NONE_FAULT) {
        const uint8_t *end = memchr(bytes + at, '\n', size - at);
        size_t length = end == NULL ? size - at : (size_t)(end - (bytes + at));
        if (length > TL_TABLE_LINE_MAX)
            fail(table, TL_TABLE_LINE_FAULT, 0, at);
        if (length > TL_TABLE_LINE_MAX || (end == NULL && !last))
            break;
        size_t text = length;
        if (text > 0 && bytes[at + text - 1] == '\r')
            text--;
        if (text > 0) {
            if (!line_read(table, bytes + at, text, at, values + count * table->wanted))
                break;
            count++;
        }
        table->line++;
        at += length + (end != NULL);
    }
    table->offset += at;
    *used = at;
    return count;
}

int tl_table_fault_now(const tl_table *table, uint64_t *line, uint32_t *column, uint64_t *offset)
{
    *line = table->line;
    *column = table->fault_column;
    *offset = table->fault_at;
    return table->fault;
}

const char *tl_table_fault_text(int fault)
{
#define TEXT(name, text) text,
    static const char *const texts[] = {TL_TABLE_FAULTS(TEXT)};
#undef TEXT
    return fault >= 0 && (size_t)fault < sizeof texts / sizeof *texts ? texts[fault] : "";
}

uint32_t tl_table_symbols(const tl_table *table)
{
    return table->names_count;
}

const char *tl_table_symbol(const tl_table *table, uint32_t symbol, size_t *size)
{
    if (symbol >= table->names_count)
        return NULL;
    *size = table->names[symbol].size;
    return table->names[symbol].text;
}
