/* Resting orders: price levels found through a bitmap tree, first-in-first-out queues within.
 *
 *   book.best[side] ──► price and level of the touch; the price as a key: an ask's price itself, a
 *     bid's counted down from 2^30 - 1, so that less is better on both sides and no branch that a
 *     processor can not predict asks which side it is
 *
 *   book.behind[side]: the level behind the touch, while it is known without asking the tree; an
 *     order that betters the touch and leaves again costs no search
 *
 *   tree of one book, 64-way, over tick 0 .. 2^30 - 1; created only where orders rest:
 *     root node ─► node ─► node ─► node ─► leaf = 64 neighbouring price levels
 *     a node's bit is set while something rests below it, a leaf's bit while its level has orders,
 *     so the next better or worse level is a bit scan away: at most four nodes up and four down,
 *     whatever the price range, whatever the depth
 *   book.recent: the lowest nodes used last, each 4,096 ticks wide, found by one compare instead of
 *     the walk from the root
 *
 *   level: head ⇄ order ⇄ order ⇄ tail      oldest first; 32-bit indices into one pool of orders
 *
 * Buy and sell orders share one tree: a book is never crossed, so bids lie below asks.
 * A leaf that empties stays where it is, on a list; the one empty for longest gives its place when
 * a new leaf is needed. Pools are filled last-in-first-out: the memory touched last is reused.
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

#include "messages.h"

#define TL_NONE UINT32_MAX          /* no index */
#define TL_LEAF_LEVELS 64u          /* price levels in a leaf, children of a node */
#define TL_TREE_HEIGHT 4            /* nodes between root and leaf, both ends included */
#define TL_RECENT_NODES 16u
#define TL_NOT_KNOWN (TL_NONE - 1)  /* in book.behind: the tree knows */
#define TL_KEY_NONE UINT32_MAX      /* best[] where nothing rests: worse than any, never crossed */

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
_Static_assert(sizeof(tl_order) == 32, "two orders to a cache line");

typedef struct tl_level {
    uint32_t head;   /* oldest order */
    uint32_t tail;   /* youngest order */
    uint64_t qty;    /* lots */
    uint32_t orders; /* 0: the level is not live and the other fields mean nothing */
    uint32_t _pad;
} tl_level;
_Static_assert(sizeof(tl_level) == 24, "64 levels make 1.5 KiB");

typedef struct tl_leaf {
    uint64_t live;       /* bit i: level i has orders */
    uint32_t number;     /* price / 64 */
    uint32_t parent;     /* node */
    uint32_t empty_next; /* list of empty leaves, the one empty for longest first */
    uint32_t empty_prev;
    uint8_t slot; /* which child of the parent */
    uint8_t _pad[7];
} tl_leaf;
_Static_assert(sizeof(tl_leaf) == 32, "two leaf headers to a cache line");

typedef struct tl_node {
    uint64_t live; /* bit i: something rests below child i */
    uint32_t child[TL_LEAF_LEVELS];
    uint32_t parent; /* TL_NONE: root; of a free node, the next free one */
    uint32_t number; /* price / 4096 of a lowest node; TL_NONE of the others */
    uint16_t instrument;
    uint16_t children;
    uint8_t slot;
    uint8_t _pad[3];
} tl_node;
_Static_assert(sizeof(tl_node) == 280, "a node has no holes");

typedef struct tl_recent {
    uint32_t number; /* price / 4096 */
    uint32_t node;   /* TL_NONE: nothing remembered */
} tl_recent;

typedef struct tl_best {
    uint32_t key; /* TL_KEY_NONE: nothing rests */
    uint32_t level;
} tl_best;

typedef struct tl_book {
    tl_best best[2];   /* by tl_side_index */
    tl_best behind[2]; /* level TL_NOT_KNOWN: the key means nothing */
    uint32_t root;
    uint16_t instrument;
    uint16_t _pad;
    tl_recent recent[TL_RECENT_NODES];
} tl_book;
_Static_assert(sizeof(tl_book) == 168, "a book has no holes");

/* How full the pools are; part of the state region. */
typedef struct tl_pools {
    uint32_t orders_max;
    uint32_t leaves_max;
    uint32_t nodes_max;
    uint32_t order_free;  /* top of the stack of free slots */
    uint32_t orders_used; /* slots ever used */
    uint32_t orders_open; /* slots in use now */
    uint32_t leaves_used;
    uint32_t leaves_live; /* leaves with at least one resting order */
    uint32_t empty_first;
    uint32_t empty_last;
    uint32_t node_free;
    uint32_t nodes_used;
} tl_pools;

/* Where the arrays lie in this process. */
typedef struct tl_shelf {
    tl_pools *pools;
    tl_order *orders;
    uint32_t *order_qty; /* OrderQty by slot: cold, so apart */
    tl_level *levels;    /* leaf * 64 + slot in leaf */
    tl_leaf *leaves;
    tl_node *nodes;
    tl_book *books; /* by instrument */
} tl_shelf;

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t leaves_max, uint32_t nodes_max);
void tl_book_init(tl_book *book, uint16_t instrument);

/* May an order at `price` rest? False when its block of levels would be one too many. */
bool tl_book_has_room(const tl_shelf *shelf, tl_book *book, uint32_t price);

/* The next level with orders on the worse side of a level (bids: below it) that has or just had
 * some; TL_NONE after the last. */
uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level);

/* Levels from the best outwards; returns how many were written. */
uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max);

/* The slow halves of the functions below. */
uint32_t tl_book_node_walk(const tl_shelf *shelf, const tl_book *book, uint32_t number);
uint32_t tl_book_leaf_add(const tl_shelf *shelf, tl_book *book, uint32_t number);
void tl_book_leaf_filled(const tl_shelf *shelf, uint32_t leaf);
void tl_book_leaf_emptied(const tl_shelf *shelf, uint32_t leaf);

static inline uint32_t tl_level_price(const tl_shelf *shelf, uint32_t level)
{
    return shelf->leaves[level / TL_LEAF_LEVELS].number * TL_LEAF_LEVELS + level % TL_LEAF_LEVELS;
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

/* The lowest node above leaf `number`, or TL_NONE. */
static inline uint32_t tl_book_node_find(const tl_shelf *shelf, tl_book *book, uint32_t number)
{
    uint32_t node_number = number / TL_LEAF_LEVELS;
    tl_recent *recent = &book->recent[node_number % TL_RECENT_NODES];
    if (recent->number != node_number || recent->node == TL_NONE)
        *recent = (tl_recent){node_number, tl_book_node_walk(shelf, book, number)};
    return recent->node;
}

/* The leaf that holds prices number * 64 and up, or TL_NONE. */
static inline uint32_t tl_book_leaf_find(const tl_shelf *shelf, tl_book *book, uint32_t number)
{
    uint32_t node = tl_book_node_find(shelf, book, number);
    return node == TL_NONE ? TL_NONE : shelf->nodes[node].child[number % TL_LEAF_LEVELS];
}

/* The level at `price`, made if need be; tl_book_has_room said that it can be. */
static inline uint32_t tl_book_level_at(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    uint32_t leaf = tl_book_leaf_find(shelf, book, price / TL_LEAF_LEVELS);
    if (leaf == TL_NONE)
        leaf = tl_book_leaf_add(shelf, book, price / TL_LEAF_LEVELS);
    return leaf * TL_LEAF_LEVELS + price % TL_LEAF_LEVELS;
}

static inline void tl_level_open(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                 const tl_order *order)
{
    tl_leaf *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    if (leaf->live == 0)
        tl_book_leaf_filled(shelf, level / TL_LEAF_LEVELS);
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
    best->key = next == TL_NONE ? TL_KEY_NONE : tl_key(side_index, tl_level_price(shelf, next));
    if (next == TL_NONE)
        *behind = *best;
}

static inline void tl_level_close(const tl_shelf *shelf, tl_book *book, uint32_t level,
                                  const tl_order *last)
{
    tl_leaf *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    leaf->live &= ~(UINT64_C(1) << level % TL_LEAF_LEVELS);
    if (leaf->live == 0)
        tl_book_leaf_emptied(shelf, level / TL_LEAF_LEVELS);
    unsigned side_index = tl_side_index(last->side);
    if (book->best[side_index].level == level)
        tl_best_next(shelf, book, level, last->side);
    else if (book->behind[side_index].level == level)
        book->behind[side_index].level = TL_NOT_KNOWN;
}

/* Put the order at the back of its price: side, price and leaves_qty are set. */
static inline void tl_book_append(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    uint32_t level_index = tl_book_level_at(shelf, book, order->price);
    tl_level *level = &shelf->levels[level_index];
    order->level = level_index;
    order->next = TL_NONE;
    if (level->orders == 0) {
        order->prev = TL_NONE;
        *level = (tl_level){slot, slot, order->leaves_qty, 1, 0};
        tl_level_open(shelf, book, level_index, order);
        return;
    }
    order->prev = level->tail;
    shelf->orders[level->tail].next = slot;
    level->tail = slot;
    level->qty += order->leaves_qty;
    level->orders++;
}

/* Take the order off its level; what was left of it leaves the level's quantity. */
static inline void tl_book_remove(const tl_shelf *shelf, tl_book *book, uint32_t slot)
{
    tl_order *order = &shelf->orders[slot];
    tl_level *level = &shelf->levels[order->level];
    assert(level->orders > 0);
    level->qty -= order->leaves_qty;
    level->orders--;
    if (order->prev != TL_NONE)
        shelf->orders[order->prev].next = order->next;
    else
        level->head = order->next;
    if (order->next != TL_NONE)
        shelf->orders[order->next].prev = order->prev;
    else
        level->tail = order->prev;
    if (level->orders == 0)
        tl_level_close(shelf, book, order->level, order);
    order->level = TL_NONE;
}

/* Some of the order is gone, its place in the queue is not. */
static inline void tl_book_reduce(const tl_shelf *shelf, uint32_t slot, uint32_t qty)
{
    tl_order *order = &shelf->orders[slot];
    assert(qty <= order->leaves_qty);
    order->leaves_qty -= qty;
    shelf->levels[order->level].qty -= qty;
}

#endif
