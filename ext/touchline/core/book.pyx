# cython: language_level=3, boundscheck=False, wraparound=False
"""A book on its own: the resting orders of one instrument, without accounts, risk or matching.

For studies and simulations that decide themselves what trades: building a book from a feed, asking
where an order stands in its queue. It owns its memory and belongs to one thread at a time.
"""

import hashlib

import numpy as np

cimport numpy as cnp
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport INT64_MAX, INT64_MIN
from libc.string cimport memcpy

from touchline.core.arguments cimport index_of, natural, side_of, whole
from touchline.core.messages cimport TL_PRICE_MAX, TL_QTY_MAX

from touchline.core.messages import LEVEL

cnp.import_array()


cdef uint32_t capacity(object value, str name, int64_t most) except 0:
    cdef object number = index_of(value, name)
    if not 1 <= number <= most:
        raise ValueError(f"{name} {number} is outside 1 to {most}")
    return number


cdef class Book:
    """Resting orders by price and time: prices in ticks, quantities in lots.

    `orders_max` orders (1 to 2^26) on at most `price_blocks_max` blocks of 32 prices (1 to 2^24).
    Raises ValueError for a number out of bounds, an unknown order, or a book that is full,
    TypeError for one that is not whole. A copy, and what a pickle gives back, goes on by itself.
    """

    def __cinit__(self, *, orders_max=65536, price_blocks_max=4096):
        cdef uint32_t slots = capacity(orders_max, "orders_max", 1 << 26)
        cdef uint32_t blocks = capacity(price_blocks_max, "price_blocks_max", 1 << 24)
        cdef uint32_t nodes_max = tl_book_nodes_max(blocks, 1)
        orders = np.zeros(slots * sizeof(tl_order), np.uint8)
        levels = np.zeros(<size_t>blocks * TL_BLOCK_LEVELS * sizeof(tl_level), np.uint8)
        queues = np.zeros(<size_t>blocks * TL_BLOCK_LEVELS * sizeof(tl_queue), np.uint8)
        heads = np.zeros(<size_t>blocks * sizeof(tl_branch), np.uint8)
        nodes = np.zeros(<size_t>nodes_max * sizeof(tl_branch), np.uint8)
        children = np.zeros(<size_t>nodes_max * TL_NODE_CHILDREN, np.uint32)
        self.memory = (orders, levels, queues, heads, nodes, children)
        self.shelf.pools = &self.pools
        self.shelf.books = &self.book
        self.shelf.orders = <tl_order *>cnp.PyArray_DATA(orders)
        self.shelf.levels = <tl_level *>cnp.PyArray_DATA(levels)
        self.shelf.queues = <tl_queue *>cnp.PyArray_DATA(queues)
        self.shelf.blocks = <tl_branch *>cnp.PyArray_DATA(heads)
        self.shelf.nodes = <tl_branch *>cnp.PyArray_DATA(nodes)
        self.shelf.children = <uint32_t *>cnp.PyArray_DATA(children)
        tl_pools_init(&self.pools, slots, blocks, nodes_max)
        tl_book_init(&self.book)

    def __reduce__(self):
        state = self.state()
        return _opened_again, (
            type(self), self.pools.orders_max, self.pools.price_blocks_max, state, digest(state),
        ), self.__getstate__()

    cdef bytes state(self):
        """Everything it holds: book, pools, arrays. Indices alone, no pointers."""
        parts = [PyBytes_FromStringAndSize(<char *>&self.book, sizeof(tl_book)),
                 PyBytes_FromStringAndSize(<char *>&self.pools, sizeof(tl_pools))]
        return b"".join(parts + [part.tobytes() for part in self.memory])

    cdef int take_over(self, bytes state) except -1:
        """What state() of a book of equal capacities gave."""
        cdef const char *at = PyBytes_AS_STRING(state)
        cdef cnp.ndarray part
        memcpy(&self.book, at, sizeof(tl_book))
        memcpy(&self.pools, at + sizeof(tl_book), sizeof(tl_pools))
        at += sizeof(tl_book) + sizeof(tl_pools)
        for part in self.memory:
            memcpy(cnp.PyArray_DATA(part), at, <size_t>cnp.PyArray_NBYTES(part))
            at += cnp.PyArray_NBYTES(part)
        return 0

    cdef uint32_t own(self, object order_id) except? 0xFFFFFFFF:
        cdef uint32_t slot = tl_order_find(&self.shelf, natural(order_id, "order_id"))
        if slot == TL_NONE:
            raise ValueError(f"no order {order_id} in the book")
        return slot

    cdef uint32_t remove(self, uint32_t slot) noexcept:
        cdef uint32_t leaves_qty = self.shelf.orders[slot].leaves_qty
        tl_book_remove(&self.shelf, &self.book, slot)
        tl_order_give_back(&self.shelf, slot)
        return leaves_qty

    def enter(self, side, price, qty):
        """Put an order behind those of its price; returns its order_id.

        Raises ValueError when the price crosses the other side: a book is never crossed.
        """
        return self.enter_checked(<uint8_t>side_of(side),
                                  whole(price, "price", INT64_MIN, INT64_MAX),
                                  whole(qty, "qty", INT64_MIN, INT64_MAX))

    cdef object enter_checked(self, uint8_t side, int64_t price, int64_t qty):
        cdef int index = <int>tl_side_index(side)
        if not 1 <= price <= TL_PRICE_MAX:
            raise ValueError(f"price {price} is outside 1 to {TL_PRICE_MAX} ticks")
        if not 1 <= qty <= TL_QTY_MAX:
            raise ValueError(f"qty {qty} is outside 1 to {TL_QTY_MAX} lots")
        if self.book.best[1 - index].key <= tl_key(<unsigned>(1 - index), <uint32_t>price):
            other = tl_book_best_price(&self.book, <unsigned>(1 - index))
            raise ValueError(f"price {price} crosses the other side's best, {other}")
        if tl_orders_full(&self.pools):
            raise ValueError(f"all {self.pools.orders_max} places for orders are taken")
        if not tl_book_has_room(&self.shelf, &self.book, <uint32_t>price):
            raise ValueError(f"all {self.pools.price_blocks_max} blocks of price levels are taken")
        cdef uint32_t slot = tl_order_take(&self.shelf)
        cdef tl_order *order = &self.shelf.orders[slot]
        order.side = side
        order.price = <uint32_t>price
        order.leaves_qty = <uint32_t>qty
        order.position = 0
        tl_book_append(&self.shelf, &self.book, slot)
        return tl_order_id(&self.shelf, slot)

    def reduce(self, order_id, qty):
        """Take `qty` lots off an order, which keeps its place; returns what is left of it.

        An order with nothing left leaves the book. Raises ValueError beyond what it has.
        """
        cdef uint32_t slot = self.own(order_id)
        cdef uint32_t leaves_qty = self.shelf.orders[slot].leaves_qty
        cdef int64_t lots = whole(qty, "qty", INT64_MIN, INT64_MAX)
        if not 1 <= lots <= leaves_qty:
            raise ValueError(f"qty {lots} is outside 1 to {leaves_qty} lots")
        if lots == leaves_qty:
            self.remove(slot)
            return 0
        tl_book_reduce(&self.shelf, slot, <uint32_t>lots)
        return self.shelf.orders[slot].leaves_qty

    def cancel(self, order_id):
        """Take an order off the book; returns the lots that were left of it."""
        return self.remove(self.own(order_id))

    def ahead(self, order_id):
        """Lots at the order's price that trade before it does. Costs a step per order ahead."""
        cdef uint32_t slot = self.shelf.orders[self.own(order_id)].prev
        cdef uint64_t qty = 0
        while slot != TL_NONE:
            qty += self.shelf.orders[slot].leaves_qty
            slot = self.shelf.orders[slot].prev
        return qty

    def oldest(self, side):
        """The order_id that trades next on a side: the oldest at its best price; 0 for none."""
        cdef uint32_t level = self.book.best[tl_side_index(<uint8_t>side_of(side))].level
        if level == TL_NONE:
            return 0
        return tl_order_id(&self.shelf, tl_level_head(&self.shelf, level))

    def best(self, side):
        """The best price of a side in ticks, 0 for none."""
        return tl_book_best_price(&self.book, tl_side_index(<uint8_t>side_of(side)))

    def depth(self, side, levels_max=10):
        """Price levels from the best outwards, shape (n,), n <= levels_max, dtype LEVEL. A copy."""
        cdef uint8_t side_number = <uint8_t>side_of(side)
        cdef uint32_t room = <uint32_t>whole(levels_max, "levels_max", 0, 0xFFFFFFFF)
        room = min(room, self.pools.orders_open)
        views = np.zeros(room, dtype=LEVEL)
        n = tl_book_depth(&self.shelf, &self.book, side_number,
                          <tl_level_view *>cnp.PyArray_DATA(views), room)
        return views[:n]

    def __len__(self):
        """How many orders rest."""
        return self.pools.orders_open


cdef bytes digest(bytes state):
    return hashlib.blake2b(state, digest_size=16).digest()


def _opened_again(kind, orders_max, price_blocks_max, state, checksum):
    """A book from what its pickle holds; ValueError for one that is damaged."""
    if not (isinstance(kind, type) and issubclass(kind, Book)):
        raise ValueError(f"a pickled book is of class {kind!r}, which is no Book")
    book = kind.__new__(kind, orders_max=orders_max, price_blocks_max=price_blocks_max)
    if not isinstance(book, Book):
        raise ValueError(f"a pickled book's class made {book!r}, which is no Book")
    cdef Book opened = <Book>book
    # Equal bytes are wanted of the capacities too: damaged indices would lead anywhere.
    if not isinstance(state, bytes) or len(state) != len(opened.state()) or (
            digest(state) != checksum):
        raise ValueError("a pickled book is damaged: its checksum is wrong")
    opened.take_over(state)
    if opened.pools.orders_max != orders_max or opened.pools.price_blocks_max != price_blocks_max:
        raise ValueError("a pickled book is damaged: its capacities are not those of its state")
    return opened
