/* The bitmap tree under a book: walking it, growing it, and taking back what has emptied.
 * The fast halves, which a plain order touches, are in book.h. */
#include "book.h"

#include <string.h>

/* Which child of a node leads to a leaf; `height` is 1 just above the leaves, TL_TREE_HEIGHT at the
 * root. */
static unsigned child_slot(uint32_t leaf_number, int height)
{
    return (leaf_number >> (6 * (height - 1))) & (TL_LEAF_LEVELS - 1);
}

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t leaves_max, uint32_t nodes_max)
{
    *pools = (tl_pools){.orders_max = orders_max,
                        .leaves_max = leaves_max,
                        .nodes_max = nodes_max,
                        .order_free = TL_NONE,
                        .empty_first = TL_NONE,
                        .empty_last = TL_NONE,
                        .node_free = TL_NONE};
}

void tl_book_init(tl_book *book, uint16_t instrument)
{
    memset(book, 0, sizeof *book);
    book->instrument = instrument;
    book->root = TL_NONE;
    book->best[0] = (tl_best){TL_KEY_NONE, TL_NONE};
    book->best[1] = (tl_best){TL_KEY_NONE, TL_NONE};
    memcpy(book->behind, book->best, sizeof book->behind);
    for (unsigned i = 0; i < TL_RECENT_NODES; i++)
        book->recent[i].node = TL_NONE;
}

/* ── nodes ─────────────────────────────────────────────────────────────────────────────────── */

static uint32_t node_take(const tl_shelf *shelf, uint16_t instrument, uint32_t parent,
                          unsigned slot)
{
    tl_pools *pools = shelf->pools;
    uint32_t index = pools->node_free;
    if (index != TL_NONE) {
        pools->node_free = shelf->nodes[index].parent;
    } else {
        /* nodes_max allows every leaf a path of its own. */
        assert(pools->nodes_used < pools->nodes_max);
        index = pools->nodes_used++;
    }
    tl_node *node = &shelf->nodes[index];
    memset(node, 0, sizeof *node);
    memset(node->child, 0xff, sizeof node->child);
    node->parent = parent;
    node->number = TL_NONE;
    node->instrument = instrument;
    node->slot = (uint8_t)slot;
    return index;
}

static void node_forget(const tl_shelf *shelf, uint32_t index)
{
    const tl_node *node = &shelf->nodes[index];
    tl_recent *recent = &shelf->books[node->instrument].recent[node->number % TL_RECENT_NODES];
    if (recent->node == index)
        recent->node = TL_NONE;
}

/* Detach a child that is gone; nodes left without children go too, except the root. */
static void node_drop_child(const tl_shelf *shelf, uint32_t index, unsigned slot)
{
    for (;;) {
        tl_node *node = &shelf->nodes[index];
        node->child[slot] = TL_NONE;
        node->children--;
        if (node->children > 0 || node->parent == TL_NONE)
            return;
        uint32_t parent = node->parent;
        slot = node->slot;
        node_forget(shelf, index);
        node->parent = shelf->pools->node_free;
        shelf->pools->node_free = index;
        index = parent;
    }
}

/* The node just above leaf `number`, with the path to it made where it was missing. */
static uint32_t node_above_leaf(const tl_shelf *shelf, tl_book *book, uint32_t number)
{
    if (book->root == TL_NONE)
        book->root = node_take(shelf, book->instrument, TL_NONE, 0);
    uint32_t index = book->root;
    for (int height = TL_TREE_HEIGHT; height > 1; height--) {
        unsigned slot = child_slot(number, height);
        uint32_t child = shelf->nodes[index].child[slot];
        if (child == TL_NONE) {
            child = node_take(shelf, book->instrument, index, slot);
            shelf->nodes[index].child[slot] = child;
            shelf->nodes[index].children++;
        }
        index = child;
    }
    shelf->nodes[index].number = number / TL_LEAF_LEVELS;
    return index;
}

uint32_t tl_book_node_walk(const tl_shelf *shelf, const tl_book *book, uint32_t number)
{
    uint32_t index = book->root;
    for (int height = TL_TREE_HEIGHT; height > 1 && index != TL_NONE; height--)
        index = shelf->nodes[index].child[child_slot(number, height)];
    return index;
}

/* ── leaves ────────────────────────────────────────────────────────────────────────────────── */

static void empty_list_append(const tl_shelf *shelf, uint32_t index)
{
    tl_pools *pools = shelf->pools;
    shelf->leaves[index].empty_next = TL_NONE;
    shelf->leaves[index].empty_prev = pools->empty_last;
    if (pools->empty_last != TL_NONE)
        shelf->leaves[pools->empty_last].empty_next = index;
    else
        pools->empty_first = index;
    pools->empty_last = index;
}

static void empty_list_remove(const tl_shelf *shelf, uint32_t index)
{
    tl_pools *pools = shelf->pools;
    const tl_leaf *leaf = &shelf->leaves[index];
    if (leaf->empty_prev != TL_NONE)
        shelf->leaves[leaf->empty_prev].empty_next = leaf->empty_next;
    else
        pools->empty_first = leaf->empty_next;
    if (leaf->empty_next != TL_NONE)
        shelf->leaves[leaf->empty_next].empty_prev = leaf->empty_prev;
    else
        pools->empty_last = leaf->empty_prev;
}

/* A leaf nobody uses: one never used, or the one that has been empty for longest. */
static uint32_t leaf_take(const tl_shelf *shelf)
{
    tl_pools *pools = shelf->pools;
    if (pools->leaves_used < pools->leaves_max)
        return pools->leaves_used++;
    uint32_t index = pools->empty_first;
    assert(index != TL_NONE);
    tl_leaf *leaf = &shelf->leaves[index];
    empty_list_remove(shelf, index);
    node_drop_child(shelf, leaf->parent, leaf->slot);
    return index;
}

uint32_t tl_book_leaf_add(const tl_shelf *shelf, tl_book *book, uint32_t number)
{
    /* Taken before the path is looked up: taking may drop nodes of this very path. */
    uint32_t index = leaf_take(shelf);
    uint32_t parent = node_above_leaf(shelf, book, number);
    unsigned slot = child_slot(number, 1);
    shelf->nodes[parent].child[slot] = index;
    shelf->nodes[parent].children++;
    shelf->leaves[index] = (tl_leaf){.number = number,
                                     .parent = parent,
                                     .slot = (uint8_t)slot};
    empty_list_append(shelf, index);
    return index;
}

void tl_book_leaf_filled(const tl_shelf *shelf, uint32_t index)
{
    const tl_leaf *leaf = &shelf->leaves[index];
    empty_list_remove(shelf, index);
    shelf->pools->leaves_live++;
    unsigned slot = leaf->slot;
    for (uint32_t up = leaf->parent; up != TL_NONE; up = shelf->nodes[up].parent) {
        tl_node *node = &shelf->nodes[up];
        bool was_live = node->live != 0;
        node->live |= UINT64_C(1) << slot;
        if (was_live)
            return;
        slot = node->slot;
    }
}

void tl_book_leaf_emptied(const tl_shelf *shelf, uint32_t index)
{
    const tl_leaf *leaf = &shelf->leaves[index];
    empty_list_append(shelf, index);
    shelf->pools->leaves_live--;
    unsigned slot = leaf->slot;
    for (uint32_t up = leaf->parent; up != TL_NONE; up = shelf->nodes[up].parent) {
        tl_node *node = &shelf->nodes[up];
        node->live &= ~(UINT64_C(1) << slot);
        if (node->live != 0)
            return;
        slot = node->slot;
    }
}

bool tl_book_has_room(const tl_shelf *shelf, tl_book *book, uint32_t price)
{
    if (shelf->pools->leaves_live < shelf->pools->leaves_max)
        return true;
    uint32_t leaf = tl_book_leaf_find(shelf, book, price / TL_LEAF_LEVELS);
    return leaf != TL_NONE && shelf->leaves[leaf].live != 0;
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
        child = shelf->nodes[child].child[best_bit(shelf->nodes[child].live, side)];
    return child * TL_LEAF_LEVELS + best_bit(shelf->leaves[child].live, side);
}

uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level)
{
    const tl_leaf *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    int bit = nearest_worse_bit(leaf->live, level % TL_LEAF_LEVELS, side);
    if (bit >= 0)
        return level - level % TL_LEAF_LEVELS + (unsigned)bit;
    unsigned slot = leaf->slot;
    uint32_t up = leaf->parent;
    for (int height = 1; up != TL_NONE; height++) {
        const tl_node *node = &shelf->nodes[up];
        bit = nearest_worse_bit(node->live, slot, side);
        if (bit >= 0)
            return best_level_below(shelf, node->child[bit], height, side);
        slot = node->slot;
        up = node->parent;
    }
    return TL_NONE;
}

uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max)
{
    uint32_t count = 0;
    uint32_t index = book->best[tl_side_index(side)].level;
    while (index != TL_NONE && count < views_max) {
        const tl_level *level = &shelf->levels[index];
        uint32_t price = tl_level_price(shelf, index);
        views[count++] = (tl_level_view){price, level->qty, level->orders, 0};
        index = tl_book_worse_level(shelf, side, index);
    }
    return count;
}
