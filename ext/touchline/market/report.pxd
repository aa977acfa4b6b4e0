"""A market's reports for Cython."""

from touchline.core.messages cimport tl_event
from touchline.market.listing cimport Listing


cdef class Report:
    # 96 bytes, because a study keeps many: hence no count, and no C methods, which take a pointer.
    cdef readonly Listing listing
    cdef tl_event first
    cdef bytes rest


cdef Report report_of(Listing listing)
