/* The tree of price levels: walking it, growing it, and cutting off what has emptied.
 * The fast halves, which a plain order touches, are in levels.h. */
#include "touchline/core/levels.h"

#include <string.h>

/* ── nodes ─────────────────────────────────────────────────────────────────────────────────── */

/* A node without children; while a node is free all of its children are TL_NONE. */
static uint32_t node_take(const tl_shelf *shelf, uint32_t number, uint32_t parent)
{
    tl_pools *pools = shelf->pools;
    uint32_t index = pools->node_free;
    if (index != TL_NONE) {
        pools->node_free = shelf->nodes[index].parent;
    } else {
        assert(pools->nodes_used < pools->nodes_max);
        index = pools->nodes_used++;
        memset(tl_node_children(shelf, index), 0xff, TL_NODE_CHILDREN * sizeof(uint32_t));
    }
    shelf->nodes[index] = (tl_branch){.number = number, .parent = parent};
    return index;
}

static void node_give_back(const tl_shelf *shelf, uint32_t index)
{
    shelf->nodes[index].parent = shelf->pools->node_free;
    shelf->pools->node_free = index;
}

static void child_add(const tl_shelf *shelf, uint32_t node, uint32_t number, uint32_t child)
{
    tl_node_children(shelf, node)[tl_child_slot(number)] = child;
    shelf->nodes[node].live |= UINT64_C(1) << tl_child_slot(number);
}

/* A root just above the blocks, this price in its middle; the one before, which has no children,
 * gives way to it. */
static void root_start(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    if (book->root != TL_NONE)
        node_give_back(shelf, book->root);
    book->offset = TL_BLOCK_FIRST - price / TL_BLOCK_LEVELS;
    book->shift = TL_CHILD_BITS;
    book->number = TL_BLOCK_FIRST >> book->shift;
    book->root = node_take(shelf, book->number, TL_NONE);
}

/* Another node on top of the root. */
static void root_raise(const tl_shelf *shelf, tl_book *book)
{
    uint32_t below = book->root;
    uint32_t number = book->number;
    book->number >>= TL_CHILD_BITS;
    book->shift += TL_CHILD_BITS;
    book->root = node_take(shelf, book->number, TL_NONE);
    shelf->nodes[below].parent = book->root;
    child_add(shelf, book->root, number, below);
}

/* Where the tree will say which block is this price's, with the path there made. */
uint32_t *tl_book_path_add(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    if (book->root == TL_NONE || shelf->nodes[book->root].live == 0)
        root_start(shelf, book, price);
    uint32_t block_number = tl_block_number(book, price);
    while (block_number >> book->shift != book->number)
        root_raise(shelf, book);
    uint32_t index = book->root;
    for (uint32_t shift = book->shift - TL_CHILD_BITS; shift > 0; shift -= TL_CHILD_BITS) {
        uint32_t number = block_number >> shift;
        uint32_t child = tl_node_children(shelf, index)[tl_child_slot(number)];
        if (child == TL_NONE) {
            child = node_take(shelf, number, index);
            child_add(shelf, index, number, child);
        }
        index = child;
    }
    return &tl_node_children(shelf, index)[tl_child_slot(block_number)];
}

/* A node without children leaves, and so does every node above it that had no other; a root stays.
 */
void tl_book_node_emptied(const tl_shelf *shelf, uint32_t index)
{
    while (shelf->nodes[index].live == 0 && shelf->nodes[index].parent != TL_NONE) {
        uint32_t empty = index;
        uint32_t number = shelf->nodes[index].number;
        index = shelf->nodes[index].parent;
        node_give_back(shelf, empty);
        tl_child_drop(shelf, index, number);
    }
}

bool tl_book_has_room(const tl_shelf *shelf, const tl_book *book, uint32_t price)
{
    if (shelf->pools->blocks_live < shelf->pools->price_blocks_max)
        return true;
    const uint32_t *place = tl_book_block_place(shelf, book, tl_block_number(book, price));
    return place != NULL && *place != TL_NONE;
}

uint32_t tl_book_level_find(const tl_shelf *shelf, const tl_book *book, uint32_t price)
{
    const uint32_t *place = tl_book_block_place(shelf, book, tl_block_number(book, price));
    if (place == NULL || *place == TL_NONE)
        return TL_NONE;
    uint32_t level = *place * TL_BLOCK_LEVELS + price % TL_BLOCK_LEVELS;
    return tl_level_live(shelf, level) ? level : TL_NONE;
}

/* ── from level to level ───────────────────────────────────────────────────────────────────── */

/* Of the set bits on the worse side of `bit`, the nearest; -1 if there is none. */
static int nearest_worse_bit(uint64_t bits, unsigned bit, uint8_t side)
{
    if (side == TL_SIDE_BUY) {
        uint64_t below = bits & ((UINT64_C(1) << bit) - 1);
        return below ? 63 - __builtin_clzll(below) : -1;
    }
    uint64_t above = bits & ~((UINT64_C(2) << bit) - 1);
    return above ? __builtin_ctzll(above) : -1;
}

static unsigned best_bit(uint64_t bits, uint8_t side)
{
    return side == TL_SIDE_BUY ? 63u - (unsigned)__builtin_clzll(bits)
                               : (unsigned)__builtin_ctzll(bits);
}

/* From a live child of the node at `height`, down to its best level. */
static uint32_t best_level_below(const tl_shelf *shelf, uint32_t child, int height, uint8_t side)
{
    for (; height > 1; height--)
        child = tl_node_children(shelf, child)[best_bit(shelf->nodes[child].live, side)];
    return child * TL_BLOCK_LEVELS + best_bit(shelf->blocks[child].live, side);
}

uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level)
{
    const tl_branch *block = &shelf->blocks[level / TL_BLOCK_LEVELS];
    int bit = nearest_worse_bit(block->live, level % TL_BLOCK_LEVELS, side);
    if (bit >= 0)
        return level - level % TL_BLOCK_LEVELS + (unsigned)bit;
    unsigned slot = tl_child_slot(block->number);
    uint32_t up = block->parent;
    for (int height = 1; up != TL_NONE; height++) {
        const tl_branch *node = &shelf->nodes[up];
        bit = nearest_worse_bit(node->live, slot, side);
        if (bit >= 0)
            return best_level_below(shelf, tl_node_children(shelf, up)[bit], height, side);
        slot = tl_child_slot(node->number);
        up = node->parent;
    }
    return TL_NONE;
}
