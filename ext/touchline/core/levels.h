/* Price levels, found through a bitmap tree.
 *
 *   tree of one book, 64-way, over tick 0 .. 2^30 - 1; nothing but the root is where no orders are:
 *     root node ─► node … ─► block = TL_BLOCK_LEVELS neighbouring price levels
 *     a node's bit is set while it has that child, a block's bit while its level has orders, so the
 *     next better or worse level is a bit scan away, whatever the depth
 *     the root is as high as the prices need: one node for 32 blocks on either side of the first
 *     price, some 1,000 ticks, two for 64,000, never more than five; it grows upwards when an order
 *     comes from further away, and a book that has emptied is laid anew when one does
 *
 * Buy and sell orders share one tree: a book is never crossed, so bids lie below asks.
 * Blocks and nodes are reused last-in-first-out: the memory touched last comes first, and prices
 * that nobody is at take none. The slow halves are in levels.c.
 */
#ifndef TOUCHLINE_LEVELS_H
#define TOUCHLINE_LEVELS_H

#include <assert.h>

#include "touchline/core/shelf.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_CHILD_BITS 6u  /* a node tells apart so many bits of a block's number */
#define TL_TREE_HEIGHT 5u /* the most nodes from root to block, both ends included */

/* The number of the block of a book's first price. It is a middle child, and so are the three nodes
 * above it, so that prices on both sides share them; and it is above price / TL_BLOCK_LEVELS of any
 * price, so that no number is negative. */
#define TL_CHILD_MIDDLE (TL_NODE_CHILDREN / 2)
#define TL_BLOCK_FIRST                                                                             \
    (((uint32_t)TL_PRICE_MAX + 1) / TL_BLOCK_LEVELS | TL_CHILD_MIDDLE << 3 * TL_CHILD_BITS |       \
     TL_CHILD_MIDDLE << 2 * TL_CHILD_BITS | TL_CHILD_MIDDLE << TL_CHILD_BITS | TL_CHILD_MIDDLE)
static_assert(TL_NODE_CHILDREN == 1u << TL_CHILD_BITS, "a child for each number of so many bits");
static_assert(TL_BLOCK_LEVELS <= 64, "a block's word has a bit for each of its levels");

/* How many nodes `books` books need at the most for `blocks` blocks: each its root, and every block
 * may have a path of its own below it. */
static inline uint32_t tl_book_nodes_max(uint32_t blocks, uint32_t books)
{
    return books + blocks * (TL_TREE_HEIGHT - 1);
}

/* May an order at `price` rest? False when its block of levels would be one too many. */
bool tl_book_has_room(const tl_shelf *shelf, const tl_book *book, uint32_t price);

/* The next level with orders on the worse side (bids: below it) of a level that is live, or is
 * closing and whose block is not dropped yet; TL_NONE after the last. */
uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level);

/* The level of a price where orders rest, whichever side's; TL_NONE where none do. */
uint32_t tl_book_level_find(const tl_shelf *shelf, const tl_book *book, uint32_t price);

/* The slow halves of the functions below; kept out of the flattened step. */
#define TL_APART __attribute__((noinline))
TL_APART uint32_t *tl_book_path_add(const tl_shelf *shelf, tl_book *book, uint32_t price);
TL_APART void tl_book_node_emptied(const tl_shelf *shelf, uint32_t node);

/* The block of a price, as the book numbers it now. */
static inline uint32_t tl_block_number(const tl_book *book, uint32_t price)
{
    return price / TL_BLOCK_LEVELS + book->offset;
}

static inline uint32_t tl_level_price(const tl_shelf *shelf, const tl_book *book, uint32_t level)
{
    uint32_t block = shelf->blocks[level / TL_BLOCK_LEVELS].number - book->offset;
    return block * TL_BLOCK_LEVELS + level % TL_BLOCK_LEVELS;
}

/* Which child of its parent a block or node is. */
static inline uint32_t tl_child_slot(uint32_t number)
{
    return number % TL_NODE_CHILDREN;
}

/* Its children; as size_t, because the largest pools have 2^26 nodes and more. */
static inline uint32_t *tl_node_children(const tl_shelf *shelf, uint32_t node)
{
    return &shelf->children[(size_t)node * TL_NODE_CHILDREN];
}

/* Where the tree says which block has this number, TL_NONE for none; NULL when it does not reach
 * there. */
static inline uint32_t *tl_book_block_place(const tl_shelf *shelf, const tl_book *book,
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

/* A block in its place below a node; it has no orders yet. */
static inline uint32_t tl_block_add(const tl_shelf *shelf, uint32_t *place, uint32_t number)
{
    tl_pools *pools = shelf->pools;
    uint32_t block = pools->block_free;
    if (block != TL_NONE) {
        pools->block_free = shelf->blocks[block].parent;
    } else {
        assert(pools->blocks_used < pools->price_blocks_max);
        block = pools->blocks_used++;
    }
    pools->blocks_live++;
    uint32_t node = (uint32_t)((size_t)(place - shelf->children) / TL_NODE_CHILDREN);
    *place = block;
    shelf->nodes[node].live |= UINT64_C(1) << tl_child_slot(number);
    shelf->blocks[block].number = number;
    shelf->blocks[block].parent = node;
    return block;
}

static inline void tl_child_drop(const tl_shelf *shelf, uint32_t node, uint32_t number)
{
    tl_node_children(shelf, node)[tl_child_slot(number)] = TL_NONE;
    shelf->nodes[node].live &= ~(UINT64_C(1) << tl_child_slot(number));
}

/* Its last order has left, and so does the block. */
static inline void tl_block_drop(const tl_shelf *shelf, uint32_t index)
{
    tl_pools *pools = shelf->pools;
    tl_branch *block = &shelf->blocks[index];
    uint32_t parent = block->parent;
    block->parent = pools->block_free;
    pools->block_free = index;
    pools->blocks_live--;
    tl_child_drop(shelf, parent, block->number);
    if (shelf->nodes[parent].live == 0)
        tl_book_node_emptied(shelf, parent);
}

/* The level at `price`, made if need be; tl_book_has_room said that it can be. */
static inline uint32_t tl_book_level_at(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    uint32_t *place = tl_book_block_place(shelf, book, tl_block_number(book, price));
    if (place == NULL)
        place = tl_book_path_add(shelf, book, price);
    uint32_t block = *place;
    if (block == TL_NONE)
        block = tl_block_add(shelf, place, tl_block_number(book, price));
    return block * TL_BLOCK_LEVELS + price % TL_BLOCK_LEVELS;
}

static inline bool tl_level_live(const tl_shelf *shelf, uint32_t level)
{
    return shelf->blocks[level / TL_BLOCK_LEVELS].live >> level % TL_BLOCK_LEVELS & 1;
}

#ifdef __cplusplus
}
#endif

#endif
