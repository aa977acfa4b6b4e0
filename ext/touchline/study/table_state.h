/* Inside a table: table.c reads lines, table_value.c what stands in a field. */
#ifndef TOUCHLINE_TABLE_STATE_H
#define TOUCHLINE_TABLE_STATE_H

#include "touchline/study/table.h"

typedef struct tl_table_name {
    uint8_t size;
    char text[TL_TABLE_SYMBOL_BYTES];
} tl_table_name;

struct tl_table {
    uint8_t kinds[TL_TABLE_COLUMNS_MAX];
    uint32_t columns;
    uint32_t wanted;
    uint8_t separator;
    int fault;
    uint32_t fault_column;
    uint64_t fault_at;
    uint64_t offset; /* of the first byte given */
    uint64_t line;   /* of the line that comes next, from 1 */
    tl_table_name *names;
    uint32_t *places; /* a hash table of names, UINT32_MAX: free */
    uint32_t places_mask;
    uint32_t names_count;
    uint32_t names_max;
    uint64_t factor;
};

/* What a field says: TL_TABLE_NONE_FAULT, or the fault. */
int tl_table_value(tl_table *table, uint8_t kind, const uint8_t *text, size_t size, int64_t *value);

/* The number of a text, made when it is new. */
int tl_table_name_of(tl_table *table, const uint8_t *text, size_t size, int64_t *value);

#endif
