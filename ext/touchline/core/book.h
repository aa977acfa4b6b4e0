/* Resting orders: price levels found through a bitmap tree, first-in-first-out queues within.
 *
 *   book.best[side] ──► price and level of the touch; the price as a key: an ask's price itself, a
 *     bid's counted down from 2^30 - 1, so that less is better on both sides and no branch that a
 *     processor can not predict asks which side it is
 *
 *   book.behind[side]: the level behind the touch, while it is known without asking the tree; an
 *     order that betters the touch and leaves again costs no search
 *
 *   tree of one book, 64-way, over tick 0 .. 2^30 - 1; nothing but the root is where no orders are:
 *     root node ─► node … ─► leaf = 32 neighbouring price levels
 *     a node's bit is set while it has that child, a leaf's bit while its level has orders, so the
 *     next better or worse level is a bit scan away, whatever the depth
 *     the root is as high as the prices need: one node for 32 leaves on either side of the first
 *     price, some 1,000 ticks, two for 64,000, never more than five; it grows upwards when an order
 *     comes from further away, and a book that has emptied is laid anew when one does
 *
 *   level: oldest ⇄ order ⇄ youngest        32-bit indices into one pool of orders
 *
 * Buy and sell orders share one tree: a book is never crossed, so bids lie below asks.
 * Orders, leaves and nodes are reused last-in-first-out: the memory touched last comes first, and
 * prices that nobody is at take none.
 *
 * What one order touches decides how long it takes, so everything hot is small: two orders,
 * sixteen levels or four heads of leaves to a cache line, and a book is one line. An order that
 * comes and goes alone at its price writes its level once and nobody reads it.
 *
 * Memory: arrays inside the engine's state region, shared by all books of the engine, never grown.
 * One thread, the engine's, calls these functions. Nothing here knows accounts, risk or events.
 */
#ifndef TOUCHLINE_BOOK_H
#define TOUCHLINE_BOOK_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_NONE UINT32_MAX          /* no index */
#define TL_LEAF_LEVELS 32u          /* price levels in a leaf: two lines of them */
#define TL_NODE_CHILDREN 64u        /* children of a node */
#define TL_CHILD_BITS 6u            /* a node tells apart so many bits of a leaf's number */
#define TL_TREE_HEIGHT 5u           /* the most nodes from root to leaf, both ends included */
#define TL_NOT_KNOWN (TL_NONE - 1)  /* in book.behind: the tree knows */
#define TL_KEY_NONE UINT32_MAX      /* best[] where nothing rests: worse than any, never crossed */

/* The number of the leaf of a book's first price. It is a middle child, and so are the three nodes
 * above it, so that prices on both sides share them; and it is above price / 32 of any price, so
 * that no number is negative. */
#define TL_LEAF_FIRST (1u << 25 | 32u << 18 | 32u << 12 | 32u << 6 | 32u)

/* 0 for buy, 1 for sell: how the core indexes what exists once per side. */
static inline unsigned tl_side_index(uint8_t side)
{
    return side == TL_SIDE_SELL;
}

/* A price as its side's key, less being better, and a key as a price: its own inverse. */
static inline uint32_t tl_key(unsigned side_index, uint32_t price)
{
    return price ^ ((side_index - 1) & (uint32_t)TL_PRICE_MAX);
}

/* What matching and cancelling touch: half a cache line. */
typedef struct tl_order {
    uint32_t next;       /* younger order of the level; of a free slot, the next free one */
    uint32_t prev;       /* older order of the level */
    uint32_t level;      /* TL_NONE while it does not rest */
    uint32_t leaves_qty; /* lots */
    uint32_t price;      /* ticks */
    uint32_t position;   /* the owner's place in the table of positions; TL_NONE: slot is free */
    uint32_t generation; /* upper half of the OrderID */
    uint16_t instrument;
    uint8_t side;
    uint8_t time_in_force;
} tl_order;
static_assert(sizeof(tl_order) == 32, "two orders to a cache line");

/* A level is its oldest order. With this bit set there is a queue, and the rest of it is in
 * tl_queue; a lone order is its level, and has nothing else. */
typedef uint32_t tl_level;
#define TL_LEVEL_QUEUE (UINT32_C(1) << 31)

typedef struct tl_queue {
    uint64_t qty;    /* what its orders have left together, lots; not kept while only one is left */
    uint32_t tail;   /* youngest order */
    uint32_t orders; /* how many: kept here, where a lone order does not come */
} tl_queue;
static_assert(sizeof(tl_queue) == 16, "four queues to a cache line");

/* The head of a leaf or a node; what it is the head of lies apart: 32 levels, 64 children. */
typedef struct tl_branch {
    uint64_t live;   /* bit i: level i has orders, child i is there; 0 while it is free */
    uint32_t number; /* leaf: price / 32 + book.offset; node: a number below it without the six
                        bits told apart there; its last six bits: which child of its parent it is */
    uint32_t parent; /* node; TL_NONE: root; of a free leaf or node, the next free one */
} tl_branch;
static_assert(sizeof(tl_branch) == 16, "four heads to a cache line");

typedef struct tl_best {
    uint32_t key; /* TL_KEY_NONE: nothing rests */
    uint32_t level;
} tl_best;

typedef struct tl_book {
    tl_best best[2];   /* by tl_side_index */
    tl_best behind[2]; /* level TL_NOT_KNOWN: the key means nothing */
    uint32_t root;     /* TL_NONE: no order has rested yet */
    uint32_t number;   /* of the root; UINT32_MAX without one: no leaf's number leads to it */
    uint32_t shift;    /* bits of a leaf's number that the root and the nodes below tell apart */
    uint32_t offset;   /* from price / 32 to a leaf's number, modulo 2^32 */
    uint32_t _pad[4];
} tl_book;
static_assert(sizeof(tl_book) == 64, "a book is one cache line");

/* How full the pools are; part of the state region. */
typedef struct tl_pools {
    uint32_t orders_max;
    uint32_t price_blocks_max;
    uint32_t nodes_max;
    uint32_t order_free;  /* top of the stack of free slots */
    uint32_t orders_used; /* slots ever used */
    uint32_t orders_open; /* slots in use now */
    uint32_t leaf_free;
    uint32_t leaves_used; /* leaves ever used */
    uint32_t leaves_live; /* leaves in use now: each has orders */
    uint32_t node_free;
    uint32_t nodes_used;
} tl_pools;

/* Where the arrays lie in this process. Their memory is zero at first. */
typedef struct tl_shelf {
    tl_pools *pools;
    tl_order *orders;
    uint32_t *order_qty; /* OrderQty by slot: cold, so apart */
    tl_level *levels;    /* leaf * 32 + slot in leaf; no meaning unless the leaf's bit is set */
    tl_queue *queues;    /* by level; no meaning unless the level has TL_LEVEL_QUEUE */
    tl_branch *leaves;
    tl_branch *nodes;
    uint32_t *children; /* node * 64 + slot in node: a leaf or node; TL_NONE: no child */
    tl_book *books;     /* by instrument */
} tl_shelf;

/* How many nodes `books` books need at the most for `leaves` leaves: each its root, and every leaf
 * may have a path of its own below it. */
static inline uint32_t tl_book_nodes_max(uint32_t leaves, uint32_t books)
{
    return books + leaves * (TL_TREE_HEIGHT - 1);
}

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                   uint32_t nodes_max);
void tl_book_init(tl_book *book);

/* May an order at `price` rest? False when its block of levels would be one too many. */
bool tl_book_has_room(const tl_shelf *shelf, const tl_book *book, uint32_t price);

/* The next level with orders on the worse side (bids: below it) of a level that is live, or is
 * closing and whose leaf is not dropped yet; TL_NONE after the last. */
uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level);

/* The level of a price where orders rest, whichever side's; TL_NONE where none do. */
uint32_t tl_book_level_find(const tl_shelf *shelf, const tl_book *book, uint32_t price);

/* Levels from the best outwards; returns how many were written. */
uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max);

/* The slow halves of the functions below; kept out of the flattened step. */
#define TL_APART __attribute__((noinline))
TL_APART uint32_t *tl_book_path_add(const tl_shelf *shelf, tl_book *book, uint32_t price);
TL_APART void tl_book_node_emptied(const tl_shelf *shelf, uint32_t node);

/* The leaf of a price, as the book numbers it now. */
static inline uint32_t tl_leaf_number(const tl_book *book, uint32_t price)
{
    return price / TL_LEAF_LEVELS + book->offset;
}

static inline uint32_t tl_level_price(const tl_shelf *shelf, const tl_book *book, uint32_t level)
{
    uint32_t block = shelf->leaves[level / TL_LEAF_LEVELS].number - book->offset;
    return block * TL_LEAF_LEVELS + level % TL_LEAF_LEVELS;
}

/* Is it the only order at its price? Of an order that rests. */
static inline bool tl_order_alone(const tl_order *order)
{
    return (order->prev & order->next) == TL_NONE;
}

/* The oldest order of a live level. */
static inline uint32_t tl_level_head(const tl_shelf *shelf, uint32_t level)
{
    return shelf->levels[level] & ~TL_LEVEL_QUEUE;
}

/* The youngest. */
static inline uint32_t tl_level_tail(const tl_shelf *shelf, uint32_t level)
{
    bool queue = (shelf->levels[level] & TL_LEVEL_QUEUE) != 0;
    return queue ? shelf->queues[level].tail : shelf->levels[level];
}

/* What the orders of a live level have left together, lots. */
static inline uint64_t tl_level_qty(const tl_shelf *shelf, uint32_t level)
{
    uint32_t tail = tl_level_tail(shelf, level);
    bool alone = tail == tl_level_head(shelf, level);
    return alone ? shelf->orders[tail].leaves_qty : shelf->queues[level].qty;
}

/* How many orders a live level has. */
static inline uint32_t tl_level_orders(const tl_shelf *shelf, uint32_t level)
{
    bool queue = (shelf->levels[level] & TL_LEVEL_QUEUE) != 0;
    return queue ? shelf->queues[level].orders : 1;
}

/* The best price of a side in ticks, 0 when nothing rests. */
static inline uint32_t tl_book_best_price(const tl_book *book, unsigned side_index)
{
    const tl_best *best = &book->best[side_index];
    return best->key == TL_KEY_NONE ? 0 : tl_key(side_index, best->key);
}

static inline uint64_t tl_order_id(const tl_shelf *shelf, uint32_t slot)
{
    return (uint64_t)shelf->orders[slot].generation << 32 | slot;
}

/* ── slots ─────────────────────────────────────────────────────────────────────────────────── */

static inline bool tl_orders_full(const tl_pools *pools)
{
    return pools->order_free == TL_NONE && pools->orders_used == pools->orders_max;
}

/* A slot for a new order; the caller has seen that there is one. */
static inline uint32_t tl_order_take(const tl_shelf *shelf)
{
    tl_pools *pools = shelf->pools;
    uint32_t slot = pools->order_free;
    if (slot != TL_NONE) {
        pools->order_free = shelf->orders[slot].next;
    } else {
        assert(pools->orders_used < pools->orders_max);
        slot = pools->orders_used++;
        shelf->orders[slot].generation = 1;
    }
    pools->orders_open++;
    return slot;
}

/* The order has ended: its slot is free and its OrderID is stale from now on. */
static inline void tl_order_give_back(const tl_shelf *shelf, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    order->position = TL_NONE;
    order->generation += order->generation == UINT32_MAX ? 2 : 1;
    order->next = shelf->pools->order_free;
    shelf->pools->order_free = slot;
    shelf->pools->orders_open--;
}

/* The slot of an open order, or TL_NONE when the id is unknown, stale or made up. */
static inline uint32_t tl_order_find(const tl_shelf *shelf, uint64_t order_id)
{
    uint32_t slot = (uint32_t)order_id;
    if (slot >= shelf->pools->orders_used)
        return TL_NONE;
    const tl_order *order = &shelf->orders[slot];
    bool open = order->generation == order_id >> 32 && order->position != TL_NONE;
    return open ? slot : TL_NONE;
}

/* ── levels ────────────────────────────────────────────────────────────────────────────────── */

/* Which child of its parent a leaf or node is. */
static inline uint32_t tl_child_slot(uint32_t number)
{
    return number % TL_NODE_CHILDREN;
}

/* Its children; as size_t, because the largest pools have 2^26 nodes and more. */
static inline uint32_t *tl_node_children(const tl_shelf *shelf, uint32_t node)
{
    return &shelf->children[(size_t)node * TL_NODE_CHILDREN];
}

/* Where the tree says which leaf has this number, TL_NONE for none; NULL when it does not reach
 * there. */
static inline uint32_t *tl_book_leaf_place(const tl_shelf *shelf, const tl_book *book,
                                           uint32_t number)
{
    uint32_t shift = book->shift;
    if (number >> shift != book->number)
        return NULL;
    uint32_t node = book->root;
    while ((shift -= TL_CHILD_BITS) > 0) {
        node = tl_node_children(shelf, node)[tl_child_slot(number >> shift)];
        if (node == TL_NONE)
            return NULL;
    }
    return &tl_node_children(shelf, node)[tl_child_slot(number)];
}

/* A leaf in its place below a node; it has no orders yet. */
static inline uint32_t tl_leaf_add(const tl_shelf *shelf, uint32_t *place, uint32_t number)
{
    tl_pools *pools = shelf->pools;
    uint32_t leaf = pools->leaf_free;
    if (leaf != TL_NONE) {
        pools->leaf_free = shelf->leaves[leaf].parent;
    } else {
        assert(pools->leaves_used < pools->price_blocks_max);
        leaf = pools->leaves_used++;
    }
    pools->leaves_live++;
    uint32_t node = (uint32_t)((size_t)(place - shelf->children) / TL_NODE_CHILDREN);
    *place = leaf;
    shelf->nodes[node].live |= UINT64_C(1) << tl_child_slot(number);
    shelf->leaves[leaf].number = number;
    shelf->leaves[leaf].parent = node;
    return leaf;
}

static inline void tl_child_drop(const tl_shelf *shelf, uint32_t node, uint32_t number)
{
    tl_node_children(shelf, node)[tl_child_slot(number)] = TL_NONE;
    shelf->nodes[node].live &= ~(UINT64_C(1) << tl_child_slot(number));
}

/* Its last order has left, and so does the leaf. */
static inline void tl_leaf_drop(const tl_shelf *shelf, uint32_t index)
{
    tl_pools *pools = shelf->pools;
    tl_branch *leaf = &shelf->leaves[index];
    uint32_t parent = leaf->parent;
    leaf->parent = pools->leaf_free;
    pools->leaf_free = index;
    pools->leaves_live--;
    tl_child_drop(shelf, parent, leaf->number);
    if (shelf->nodes[parent].live == 0)
        tl_book_node_emptied(shelf, parent);
}

/* The level at `price`, made if need be; tl_book_has_room said that it can be. */
static inline uint32_t tl_book_level_at(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    uint32_t *place = tl_book_leaf_place(shelf, book, tl_leaf_number(book, price));
    if (place == NULL)
        place = tl_book_path_add(shelf, book, price);
    uint32_t leaf = *place;
    if (leaf == TL_NONE)
        leaf = tl_leaf_add(shelf, place, tl_leaf_number(book, price));
    return leaf * TL_LEAF_LEVELS + price % TL_LEAF_LEVELS;
}

static inline bool tl_level_live(const tl_shelf *shelf, uint32_t level)
{
    return shelf->leaves[level / TL_LEAF_LEVELS].live >> level % TL_LEAF_LEVELS & 1;
}

static inline void tl_level_open(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                 const tl_order *order)
{
    tl_branch *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    leaf->live |= UINT64_C(1) << level % TL_LEAF_LEVELS;
    unsigned side_index = tl_side_index(order->side);
    tl_best opened = {tl_key(side_index, order->price), level};
    tl_best *best = &book->best[side_index];
    tl_best *behind = &book->behind[side_index];
    if (opened.key < best->key) {
        *behind = *best;
        *best = opened;
    } else if (behind->level != TL_NOT_KNOWN && opened.key < behind->key) {
        *behind = opened;
    }
}

/* The best level has closed: the one behind it is the best now. */
static inline void tl_best_next(const tl_shelf *shelf, tl_book *book, uint32_t level, uint8_t side)
{
    unsigned side_index = tl_side_index(side);
    tl_best *best = &book->best[side_index];
    tl_best *behind = &book->behind[side_index];
    if (behind->level != TL_NOT_KNOWN) {
        *best = *behind;
        behind->level = best->level == TL_NONE ? TL_NONE : TL_NOT_KNOWN;
        return;
    }
    uint32_t next = tl_book_worse_level(shelf, side, level);
    best->level = next;
    if (next != TL_NONE) {
        best->key = tl_key(side_index, tl_level_price(shelf, book, next));
        return;
    }
    best->key = TL_KEY_NONE;
    *behind = *best;
}

static inline void tl_level_close(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                  const tl_order *last)
{
    tl_branch *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    leaf->live &= ~(UINT64_C(1) << level % TL_LEAF_LEVELS);
    unsigned side_index = tl_side_index(last->side);
    if (book->best[side_index].level == level)
        tl_best_next(shelf, book, level, last->side);
    else if (book->behind[side_index].level == level)
        book->behind[side_index].level = TL_NOT_KNOWN;
    if (leaf->live == 0)
        tl_leaf_drop(shelf, level / TL_LEAF_LEVELS);
}

/* Put the order at the back of its price: side, price and leaves_qty are set. Whether others rest
 * there is asked of the leaf, which is in the cache more often than the level: a level that opens
 * is only written, and nothing waits for a write. */
static inline void tl_book_append(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    uint32_t level_index = tl_book_level_at(shelf, book, order->price);
    order->level = level_index;
    order->next = TL_NONE;
    if (!tl_level_live(shelf, level_index)) {
        order->prev = TL_NONE;
        shelf->levels[level_index] = slot;
        tl_level_open(shelf, book, level_index, order);
        return;
    }
    uint32_t first = shelf->levels[level_index];
    tl_queue queue = {0, first, 1};
    if ((first & TL_LEVEL_QUEUE) != 0)
        queue = shelf->queues[level_index];
    if (queue.orders == 1)
        queue.qty = shelf->orders[queue.tail].leaves_qty;
    order->prev = queue.tail;
    shelf->orders[queue.tail].next = slot;
    queue.qty += order->leaves_qty;
    queue.tail = slot;
    queue.orders++;
    shelf->queues[level_index] = queue;
    shelf->levels[level_index] = first | TL_LEVEL_QUEUE;
}

/* Take the order off its level; what was left of it leaves the level's quantity. */
static inline void tl_book_remove(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    uint32_t level_index = order->level;
    order->level = TL_NONE;
    if (tl_order_alone(order)) {
        tl_level_close(shelf, book, level_index, order);
        return;
    }
    tl_queue *queue = &shelf->queues[level_index];
    queue->qty -= order->leaves_qty;
    queue->orders--;
    if (order->prev != TL_NONE)
        shelf->orders[order->prev].next = order->next;
    else
        shelf->levels[level_index] = order->next | TL_LEVEL_QUEUE;
    if (order->next != TL_NONE)
        shelf->orders[order->next].prev = order->prev;
    else
        queue->tail = order->prev;
}

/* Some of the order is gone, its place in the queue is not. */
static inline void tl_book_reduce(const tl_shelf *shelf, uint32_t slot, uint32_t qty)
{
    tl_order *order = &shelf->orders[slot];
    assert(qty <= order->leaves_qty);
    order->leaves_qty -= qty;
    if (!tl_order_alone(order))
        shelf->queues[order->level].qty -= qty;
}

#ifdef __cplusplus
}
#endif

#endif
