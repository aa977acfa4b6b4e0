# cython: language_level=3, boundscheck=False, wraparound=False
"""A book on its own: the resting orders of one instrument, without accounts, risk or matching.

For studies and simulations that decide themselves what trades: building a book from a feed, asking
where an order stands in its queue. It owns its memory and belongs to one thread at a time.
"""

import numpy as np

cimport numpy as cnp

from touchline.core.messages cimport TL_PRICE_MAX, TL_QTY_MAX, TL_SIDE_BUY, TL_SIDE_SELL

from touchline.core.messages import LEVEL

cnp.import_array()


cdef int known_side(uint8_t side) except -1:
    if side != TL_SIDE_BUY and side != TL_SIDE_SELL:
        raise ValueError(f"side {side} is neither Buy nor Sell")
    return <int>tl_side_index(side)


cdef class Book:
    """Resting orders by price and time: prices in ticks, quantities in lots.

    `orders_max` orders (1 to 2^26) on at most `price_blocks_max` blocks of 32 prices (1 to 2^24).
    Raises ValueError for a number out of bounds, an unknown order, or a book that is full.
    """

    def __cinit__(self, *, uint32_t orders_max=65536, uint32_t price_blocks_max=4096):
        if not 1 <= orders_max <= 1 << 26:
            raise ValueError(f"orders_max {orders_max} is outside 1 to {1 << 26}")
        if not 1 <= price_blocks_max <= 1 << 24:
            raise ValueError(f"price_blocks_max {price_blocks_max} is outside 1 to {1 << 24}")
        cdef uint32_t nodes_max = tl_book_nodes_max(price_blocks_max, 1)
        orders = np.zeros(orders_max * sizeof(tl_order), np.uint8)
        levels = np.zeros(<size_t>price_blocks_max * TL_BLOCK_LEVELS * sizeof(tl_level), np.uint8)
        queues = np.zeros(<size_t>price_blocks_max * TL_BLOCK_LEVELS * sizeof(tl_queue), np.uint8)
        blocks = np.zeros(<size_t>price_blocks_max * sizeof(tl_branch), np.uint8)
        nodes = np.zeros(<size_t>nodes_max * sizeof(tl_branch), np.uint8)
        children = np.zeros(<size_t>nodes_max * TL_NODE_CHILDREN, np.uint32)
        self.memory = (orders, levels, queues, blocks, nodes, children)
        self.shelf.pools = &self.pools
        self.shelf.books = &self.book
        self.shelf.orders = <tl_order *>cnp.PyArray_DATA(orders)
        self.shelf.levels = <tl_level *>cnp.PyArray_DATA(levels)
        self.shelf.queues = <tl_queue *>cnp.PyArray_DATA(queues)
        self.shelf.blocks = <tl_branch *>cnp.PyArray_DATA(blocks)
        self.shelf.nodes = <tl_branch *>cnp.PyArray_DATA(nodes)
        self.shelf.children = <uint32_t *>cnp.PyArray_DATA(children)
        tl_pools_init(&self.pools, orders_max, price_blocks_max, nodes_max)
        tl_book_init(&self.book)

    cdef uint32_t own(self, uint64_t order_id) except? 0xFFFFFFFF:
        cdef uint32_t slot = tl_order_find(&self.shelf, order_id)
        if slot == TL_NONE:
            raise ValueError(f"no order {order_id} in the book")
        return slot

    def enter(self, uint8_t side, int64_t price, int64_t qty):
        """Put an order behind those of its price; returns its order_id.

        Raises ValueError when the price crosses the other side: a book is never crossed.
        """
        cdef int index = known_side(side)
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

    def reduce(self, uint64_t order_id, int64_t qty):
        """Take `qty` lots off an order, which keeps its place; returns what is left of it.

        An order with nothing left blocks the book. Raises ValueError beyond what it has.
        """
        cdef uint32_t slot = self.own(order_id)
        cdef uint32_t leaves_qty = self.shelf.orders[slot].leaves_qty
        if not 1 <= qty <= leaves_qty:
            raise ValueError(f"qty {qty} is outside 1 to {leaves_qty} lots")
        if qty == leaves_qty:
            self.cancel(order_id)
            return 0
        tl_book_reduce(&self.shelf, slot, <uint32_t>qty)
        return self.shelf.orders[slot].leaves_qty

    def cancel(self, uint64_t order_id):
        """Take an order off the book; returns the lots that were left of it."""
        cdef uint32_t slot = self.own(order_id)
        cdef uint32_t leaves_qty = self.shelf.orders[slot].leaves_qty
        tl_book_remove(&self.shelf, &self.book, slot)
        tl_order_give_back(&self.shelf, slot)
        return leaves_qty

    def ahead(self, uint64_t order_id):
        """Lots at the order's price that trade before it does. Costs a step per order ahead."""
        cdef uint32_t slot = self.shelf.orders[self.own(order_id)].prev
        cdef uint64_t qty = 0
        while slot != TL_NONE:
            qty += self.shelf.orders[slot].leaves_qty
            slot = self.shelf.orders[slot].prev
        return qty

    def oldest(self, uint8_t side):
        """The order_id that trades next on a side: the oldest at its best price; 0 for none."""
        cdef uint32_t level = self.book.best[known_side(side)].level
        if level == TL_NONE:
            return 0
        return tl_order_id(&self.shelf, tl_level_head(&self.shelf, level))

    def best(self, uint8_t side):
        """The best price of a side in ticks, 0 for none."""
        return tl_book_best_price(&self.book, <unsigned>known_side(side))

    def depth(self, uint8_t side, uint32_t levels_max=10):
        """Price levels from the best outwards, shape (n,), n <= levels_max, dtype LEVEL. A copy."""
        cdef uint32_t room = min(levels_max, self.pools.orders_open)
        views = np.zeros(room, dtype=LEVEL)
        known_side(side)
        n = tl_book_depth(&self.shelf, &self.book, side,
                          <tl_level_view *>cnp.PyArray_DATA(views), room)
        return views[:n]

    def __len__(self):
        """How many orders rest."""
        return self.pools.orders_open
