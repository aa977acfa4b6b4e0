/* The memory that all books of an engine share: records, how full the pools are, where the arrays
 * lie. orders.h gives out slots, levels.h finds price levels, book.h keeps queues of orders there.
 *
 * What one order touches decides how long it takes, so everything hot is small: two orders,
 * sixteen levels or four heads of blocks to a cache line, and a book is one line.
 *
 * Memory: arrays inside the engine's state region; no step makes them grow. One thread, the
 * engine's, calls what works on it. Nothing here knows accounts, risk or events.
 */
#ifndef TOUCHLINE_SHELF_H
#define TOUCHLINE_SHELF_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "touchline/core/checked.h"
#include "touchline/core/messages.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_NONE UINT32_MAX          /* no index */
#define TL_NODE_CHILDREN 64u        /* children of a node: one for each bit of a word */
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

/* Where an order lies in its side of a call, less being better on both sides: at the market first.
 * Buys and sells, whose prices cross there, have a book each. A key as a price: its own inverse. */
static inline uint32_t tl_call_key(unsigned side_index, uint32_t price)
{
    return price == 0 || side_index != 0 ? price : (uint32_t)TL_PRICE_MAX + 1 - price;
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
    uint8_t time_in_force; /* and TL_ORDER_SPECIAL */
} tl_order;
static_assert(sizeof(tl_order) == 32, "two orders to a cache line");

/* A bit of time_in_force, which no TimeInForce has: the order has terms. */
#define TL_ORDER_SPECIAL 0x80u

static inline bool tl_order_is_special(const tl_order *order)
{
    return (order->time_in_force & TL_ORDER_SPECIAL) != 0;
}

static inline uint8_t tl_order_time_in_force(const tl_order *order)
{
    return (uint8_t)(order->time_in_force & ~TL_ORDER_SPECIAL);
}

/* What they do not touch, so apart. */
typedef struct tl_order_cold {
    uint32_t order_qty; /* OrderQty, lots */
    uint32_t owner;     /* whose the order is, or was while the slot is free: an account's number */
} tl_order_cold;
static_assert(sizeof(tl_order_cold) == 8, "eight orders to a cache line");
#define TL_SLOT_GROUP 64u /* slots whose owners are looked at together */

/* The terms of a special order (section 8 of docs/rules.md), by slot; all 0 for any other. Nobody
 * looks here while an instrument has none. */
typedef struct tl_special {
    uint32_t reserve;     /* lots left besides order.leaves_qty, which is what the book shows */
    uint32_t display_qty; /* 0: all is shown */
    uint32_t stop_price;  /* ticks */
    uint32_t expiry;      /* its place among those that expire, from 1; 0: it does not */
    uint32_t trail;       /* ticks, or basis points and TL_TRAIL_PART; 0: stop_price stays */
    uint8_t chain;        /* rule 8.7 */
    uint8_t linked;       /* how it is linked with others, TL_LINK_…: section 12; 0: with none */
    uint8_t ord_type;
    uint8_t flags; /* TL_FLAG_SPECIAL, POST_ONLY, SLIDE, HIDDEN, TL_WAITING and TL_ALL_OR_NONE */
} tl_special;
static_assert(sizeof(tl_special) == 24, "eight orders to three cache lines");
#define TL_TRAIL_PART (UINT32_C(1) << 31)
#define TL_WAITING 1u                 /* for its stop price */
#define TL_ALL_OR_NONE 2u             /* such an order is HIDDEN, too */
#define TL_COLLECTED 4u               /* in a call phase, to be uncrossed: section 9 */
#define TL_PARKED 8u                  /* until the closing auction */
#define TL_APART_FLAGS 13u            /* waiting, collected or parked: not where it may trade */
#define TL_SPECIAL_FLAGS 0xF0u        /* those that its command and its events have too */

/* Bits of tl_special.linked; the upper four are its enum tl_contingency. */
#define TL_LINK_CHILD 1u    /* another order's trades release it, or have */
#define TL_LINK_HELD 2u     /* not yet: it stands apart */
#define TL_LINK_RELEASED 4u /* it meets the book as soon as the instrument trades; HELD till then */
#define TL_LINK_STATE 7u    /* the three above */
#define TL_LINK_CONTINGENCY 4 /* bits below it */

/* With whom, by slot; all 0 where special.linked is. Slots from 1, 0 being none. */
typedef struct tl_link {
    uint32_t partner; /* one cancels or updates the other */
    uint32_t parent;  /* releases it */
    uint32_t child;   /* it releases that one, and that one's partner if it is a child too */
    uint32_t less;    /* lots it loses by what its partner has traded; 0 between two commands */
} tl_link;
static_assert(sizeof(tl_link) == 16, "four orders to a cache line");

/* The books of an instrument beside the one that everybody sees. What waits for a stop price lies
 * under that price, first to be met first: on the side that is sorted so. */
enum {
    TL_UNSEEN_HIDDEN,     /* both sides */
    TL_UNSEEN_STOP_BUY,   /* as asks are: the lowest price first */
    TL_UNSEEN_STOP_SELL,  /* as bids */
    TL_UNSEEN_TOUCH_BUY,  /* as bids */
    TL_UNSEEN_TOUCH_SELL, /* as asks */
    TL_UNSEEN_ALL_OR_NONE_BUY,  /* one side each, for two may stand at one price */
    TL_UNSEEN_ALL_OR_NONE_SELL,
    TL_UNSEEN_CALL_BUY,    /* these four under tl_call_key, as asks */
    TL_UNSEEN_CALL_SELL,
    TL_UNSEEN_PARKED_BUY,
    TL_UNSEEN_PARKED_SELL,
    TL_UNSEEN_HELD_BUY, /* these two under TL_KEY_RELEASED and TL_KEY_HELD, as asks */
    TL_UNSEEN_HELD_SELL,
    TL_UNSEEN_TRAIL_BUY, /* these two under TL_KEY_TRAILING, oldest first */
    TL_UNSEEN_TRAIL_SELL,
    TL_UNSEEN_BOOKS
};

/* Where orders lie that another releases: who is released first, both oldest first. */
#define TL_KEY_RELEASED 1u
#define TL_KEY_HELD 2u

/* Where trailing stops lie: all under one, for their stop prices move. */
#define TL_KEY_TRAILING 1u

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

/* The head of a block or a node; what it is the head of lies apart: levels or children. */
typedef struct tl_branch {
    uint64_t live;   /* bit i: level i has orders, child i is there; 0 while it is free */
    uint32_t number; /* block: price / TL_BLOCK_LEVELS + book.offset; node: a number below it
                        without the six bits told apart there; the last six bits: which child of
                        its parent it is */
    uint32_t parent; /* node; TL_NONE: root; of a free block or node, the next free one */
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
    uint32_t number;   /* of the root; UINT32_MAX without one: no block's number leads to it */
    uint32_t shift;    /* bits of a block's number that the root and the nodes below tell apart */
    uint32_t offset;   /* from price / TL_BLOCK_LEVELS to a block's number, modulo 2^32 */
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
    uint32_t block_free;
    uint32_t blocks_used; /* blocks ever used */
    uint32_t blocks_live; /* blocks in use now: each has orders */
    uint32_t node_free;
    uint32_t nodes_used;
} tl_pools;

/* Where the arrays lie in this process. Their memory is zero at first. */
typedef struct tl_shelf {
    tl_pools *pools;
    tl_order *orders;
    tl_order_cold *cold; /* by slot; the pool is whole groups of TL_SLOT_GROUP */
    tl_level *levels;    /* block * TL_BLOCK_LEVELS + slot in block; no meaning unless the block's
                            bit is set */
    tl_queue *queues;    /* by level; no meaning unless the level has TL_LEVEL_QUEUE */
    tl_branch *blocks;
    tl_branch *nodes;
    uint32_t *children;  /* node * TL_NODE_CHILDREN + slot in node: a block or node; TL_NONE: no
                            child */
    tl_book *books;     /* by instrument */
    tl_book *unseen;    /* instrument * TL_UNSEEN_BOOKS + which; NULL where there are none */
    tl_special *special; /* by slot */
    tl_link *links;      /* by slot */
    uint32_t *allotted;  /* by slot; lots given or counted, or a list; all 0 between two commands */
} tl_shelf;

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                   uint32_t nodes_max);
/* The arrays have become so large; what is in them is where it was. */
void tl_pools_grow(tl_pools *pools, uint32_t orders_max, uint32_t price_blocks_max,
                   uint32_t nodes_max);

#ifdef __cplusplus
}
#endif

#endif
