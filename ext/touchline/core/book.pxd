"""The book for Cython: resting orders, price levels and slots, as book.h has them.

Most functions here are inline; the others are in libtouchline_core.a. Whoever calls them owns
the arrays of the shelf and keeps the promises that book.h names; Book below does both.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

from touchline.core.messages cimport tl_level_view


cdef extern from "touchline/core/book.h" nogil:
    enum: TL_BLOCK_LEVELS
    enum: TL_NODE_CHILDREN
    uint32_t TL_NONE
    uint32_t TL_KEY_NONE

    ctypedef struct tl_order:
        uint32_t next
        uint32_t prev
        uint32_t level
        uint32_t leaves_qty
        uint32_t price
        uint32_t position
        uint32_t generation
        uint16_t instrument
        uint8_t side
        uint8_t time_in_force

    ctypedef struct tl_order_cold:
        uint32_t order_qty
        uint32_t owner

    ctypedef uint32_t tl_level

    ctypedef struct tl_queue:
        uint64_t qty
        uint32_t tail
        uint32_t orders

    ctypedef struct tl_branch:
        uint64_t live
        uint32_t number
        uint32_t parent

    ctypedef struct tl_best:
        uint32_t key
        uint32_t level

    ctypedef struct tl_book:
        tl_best best[2]
        tl_best behind[2]
        uint32_t root
        uint32_t number
        uint32_t shift
        uint32_t offset

    ctypedef struct tl_pools:
        uint32_t orders_max
        uint32_t price_blocks_max
        uint32_t nodes_max
        uint32_t order_free
        uint32_t orders_used
        uint32_t orders_open
        uint32_t blocks_used
        uint32_t blocks_live

    ctypedef struct tl_shelf:
        tl_pools *pools
        tl_order *orders
        tl_order_cold *cold
        tl_level *levels
        tl_queue *queues
        tl_branch *blocks
        tl_branch *nodes
        uint32_t *children
        tl_book *books

    uint32_t tl_book_nodes_max(uint32_t blocks, uint32_t books)
    void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                       uint32_t nodes_max)
    void tl_book_init(tl_book *book)
    bint tl_book_has_room(const tl_shelf *shelf, const tl_book *book, uint32_t price)
    uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level)
    uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                           tl_level_view *views, uint32_t views_max)

    unsigned tl_side_index(uint8_t side)
    uint32_t tl_key(unsigned side_index, uint32_t price)
    uint32_t tl_book_best_price(const tl_book *book, unsigned side_index)
    uint32_t tl_level_price(const tl_shelf *shelf, const tl_book *book, uint32_t level)
    uint32_t tl_level_head(const tl_shelf *shelf, uint32_t level)
    uint32_t tl_level_tail(const tl_shelf *shelf, uint32_t level)
    uint64_t tl_level_qty(const tl_shelf *shelf, uint32_t level)
    uint32_t tl_level_orders(const tl_shelf *shelf, uint32_t level)
    uint64_t tl_order_id(const tl_shelf *shelf, uint32_t slot)
    bint tl_orders_full(const tl_pools *pools)
    uint32_t tl_order_take(const tl_shelf *shelf)
    void tl_order_give_back(const tl_shelf *shelf, uint32_t slot)
    uint32_t tl_order_find(const tl_shelf *shelf, uint64_t order_id)
    uint32_t tl_book_level_at(const tl_shelf *shelf, tl_book *book, uint32_t price)
    void tl_book_append(const tl_shelf *shelf, tl_book *book, uint32_t slot)
    void tl_book_remove(const tl_shelf *shelf, tl_book *book, uint32_t slot)
    void tl_book_reduce(const tl_shelf *shelf, uint32_t slot, uint32_t qty)


cdef class Book:
    cdef tl_shelf shelf
    cdef tl_pools pools
    cdef tl_book book
    cdef tuple memory

    cdef bytes state(self)
    cdef int take_over(self, bytes state) except -1
    cdef uint32_t own(self, object order_id) except? 0xFFFFFFFF
    cdef uint32_t remove(self, uint32_t slot) noexcept
    cdef object enter_checked(self, uint8_t side, int64_t price, int64_t qty)
