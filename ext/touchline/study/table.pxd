"""Tables of text for Cython: the C interface of table.h, and who owns one."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t


cdef extern from "touchline/study/table.h" nogil:
    int64_t TL_TABLE_EMPTY
    uint32_t TL_TABLE_LINE_MAX
    uint32_t TL_TABLE_SYMBOLS_MAX
    enum: TL_TABLE_NONE_FAULT
    enum: TL_TABLE_SKIP
    enum: TL_TABLE_INTEGER
    enum: TL_TABLE_DECIMAL
    enum: TL_TABLE_TIME
    enum: TL_TABLE_LETTER
    enum: TL_TABLE_SYMBOL

    ctypedef struct tl_table:
        pass

    int tl_table_open(tl_table **table, const uint8_t *kinds, uint32_t columns, uint8_t separator,
                      uint32_t symbols_max, uint64_t seed)
    void tl_table_close(tl_table *table)
    size_t tl_table_read(tl_table *table, const uint8_t *bytes, size_t size, bint last,
                         int64_t *values, size_t room, size_t *used)
    int tl_table_fault_now(const tl_table *table, uint64_t *line, uint32_t *column,
                           uint64_t *offset)
    const char *tl_table_fault_text(int fault)
    uint32_t tl_table_symbols(const tl_table *table)
    const char *tl_table_symbol(const tl_table *table, uint32_t symbol, size_t *size)


cdef class Table:
    cdef tl_table *table
    cdef size_t wanted
