"""A market's calls for Cython: orders by name, over an engine."""

from libc.stdint cimport uint8_t, uint32_t

from touchline.core.engine cimport Engine
from touchline.core.answer cimport Report
from touchline.market.listing cimport Listing
from touchline.core.messages cimport tl_command


cdef class OrderEntry:
    cdef readonly Engine engine
    cdef readonly dict _listings
    cdef readonly dict _accounts
    cdef readonly list _account_names

    cdef Listing listing(self, symbol)
    cdef uint32_t account(self, name) except? 0xFFFFFFFF
    cdef Report enter(self, uint8_t side, symbol, qty, price, account, uint8_t time_in_force)
    cdef Listing name(self, order, tl_command *cmd)
