"""A market's calls for Cython: orders by name, over an engine."""

from libc.stdint cimport uint8_t, uint32_t

from touchline.core.engine cimport Engine
from touchline.core.messages cimport tl_command
from touchline.market.listing cimport Listing
from touchline.market.record cimport Record
from touchline.market.report cimport Report


cdef class OrderEntry:
    cdef readonly Engine engine
    cdef readonly Record _record
    cdef readonly dict _listings
    cdef readonly dict _accounts
    cdef readonly list _account_names

    cdef Listing listing(self, symbol)
    cdef uint32_t account(self, name) except? 0xFFFFFFFF
    cdef Report enter(self, uint8_t side, symbol, qty, price, account, time_in_force, cl_ord_id,
                      tuple terms)
    cdef Listing name(self, order, tl_command *cmd)
    cdef object touch(self, symbol, uint8_t side)
