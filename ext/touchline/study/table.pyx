# cython: language_level=3
"""Tables of text for Python: bytes of a CSV file in pieces, whole numbers out. Commas separate.

touchline.data.tables reads files with it. Kinds are in table.h; an empty field is EMPTY.
"""

import numpy as np

cimport numpy as cnp

from touchline.core.arguments cimport check, whole

cnp.import_array()

EMPTY = TL_TABLE_EMPTY
LINE_MAX = TL_TABLE_LINE_MAX
KINDS = {
    "skip": TL_TABLE_SKIP, "integer": TL_TABLE_INTEGER, "decimal": TL_TABLE_DECIMAL,
    "time": TL_TABLE_TIME, "letter": TL_TABLE_LETTER, "symbol": TL_TABLE_SYMBOL,
}


cdef class Table:
    """A table of these kinds, one a column, by their names in KINDS.

    Raises KeyError for another kind, ValueError for more columns or symbols than there may be.
    """

    def __cinit__(self, kinds, symbols_max=65536):
        codes = bytes(KINDS[kind] for kind in kinds)
        self.wanted = len(codes) - codes.count(TL_TABLE_SKIP)
        cdef const uint8_t *first = <const uint8_t *><const char *>codes
        check(tl_table_open(
            &self.table, first, <uint32_t>len(codes), <uint8_t>b","[0],
            <uint32_t>whole(symbols_max, "symbols_max", 1, TL_TABLE_SYMBOLS_MAX),
            <uint64_t>(hash("touchline.study.table") & 0xFFFFFFFFFFFFFFFF),
        ), "no memory for a table, or too many columns")

    def __dealloc__(self):
        tl_table_close(self.table)

    def read(self, const unsigned char[::1] data, last, room):
        """(values, used): at most `room` rows, shape (n, wanted columns), and how many bytes are
        done with. `last`: nothing follows."""
        cdef cnp.ndarray values = np.empty((whole(room, "room", 1, 1 << 24), self.wanted), np.int64)
        cdef int64_t *to = <int64_t *>cnp.PyArray_DATA(values)
        cdef size_t most = <size_t>len(values)
        cdef const uint8_t *bytes = &data[0] if data.shape[0] else NULL
        cdef size_t size = <size_t>data.shape[0]
        cdef bint ends = last
        cdef size_t used = 0
        cdef size_t count = 0
        if size:
            with nogil:
                count = tl_table_read(self.table, bytes, size, ends, to, most, &used)
        return values[:count], used

    @property
    def fault(self):
        """(line, column, byte, what is wrong), or None."""
        cdef uint64_t line, offset
        cdef uint32_t column
        cdef int fault = tl_table_fault_now(self.table, &line, &column, &offset)
        if fault == TL_TABLE_NONE_FAULT:
            return None
        return line, column, offset, tl_table_fault_text(fault).decode()

    def symbols(self, first=0):
        """The texts that have numbers, those from `first` on, as a list of str."""
        cdef size_t size
        cdef const char *text
        found = []
        for i in range(whole(first, "first", 0, 0xFFFFFFFF), tl_table_symbols(self.table)):
            text = tl_table_symbol(self.table, i, &size)
            found.append(text[:size].decode("utf-8", "replace"))
        return found
