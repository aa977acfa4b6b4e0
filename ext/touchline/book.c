/* The bitmap tree under a book: walking it, growing it, and taking back what has emptied.
 * The fast halves, which a plain order touches, are in book.h. */
#include "book.h"

#include <string.h>

void tl_pools_init(tl_pools *pools, uint32_t orders_max, uint32_t leaves_max, uint32_t nodes_max)
{
    *pools = (tl_pools){.orders_max = orders_max,
                        .leaves_max = leaves_max,
                        .nodes_max = nodes_max,
                        .order_free = TL_NONE,
                        .node_free = TL_NONE};
}

void tl_book_init(tl_book *book)
{
    memset(book, 0, sizeof *book);
    book->root = TL_NONE;
    book->number = UINT32_MAX;
    book->best[0] = (tl_best){TL_KEY_NONE, TL_NONE};
    book->best[1] = (tl_best){TL_KEY_NONE, TL_NONE};
    memcpy(book->behind, book->best, sizeof book->behind);
}

/* ── nodes ─────────────────────────────────────────────────────────────────────────────────── */

static uint32_t *children_of(const tl_shelf *shelf, uint32_t node)
{
    return &shelf->children[node * TL_LEAF_LEVELS];
}

static uint32_t node_take(const tl_shelf *shelf, uint32_t number, uint32_t parent)
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
    shelf->nodes[index] = (tl_branch){.number = number, .parent = parent};
    memset(children_of(shelf, index), 0xff, TL_LEAF_LEVELS * sizeof(uint32_t));
    if (parent != TL_NONE)
        children_of(shelf, parent)[tl_child_slot(number)] = index;
    return index;
}

static void node_give_back(const tl_shelf *shelf, uint32_t index)
{
    shelf->nodes[index].parent = shelf->pools->node_free;
    shelf->pools->node_free = index;
}

static bool node_has_children(const tl_shelf *shelf, uint32_t index)
{
    for (unsigned i = 0; i < TL_LEAF_LEVELS; i++)
        if (children_of(shelf, index)[i] != TL_NONE)
            return true;
    return false;
}

/* Detach a child that is gone; nodes left without children go too, except the root. */
static void node_drop_child(const tl_shelf *shelf, uint32_t index, uint32_t child_number)
{
    for (;;) {
        const tl_branch *node = &shelf->nodes[index];
        children_of(shelf, index)[tl_child_slot(child_number)] = TL_NONE;
        if (node->parent == TL_NONE || node_has_children(shelf, index))
            return;
        uint32_t parent = node->parent;
        child_number = node->number;
        node_give_back(shelf, index);
        index = parent;
    }
}

/* A root just above the leaves; one without children, far from here, gives way to it. */
static void root_start(const tl_shelf *shelf, tl_book *book, uint32_t leaf_number)
{
    if (book->root != TL_NONE)
        node_give_back(shelf, book->root);
    book->shift = TL_CHILD_BITS;
    book->number = leaf_number >> book->shift;
    book->root = node_take(shelf, book->number, TL_NONE);
}

/* Another node on top of the root. */
static void root_raise(const tl_shelf *shelf, tl_book *book)
{
    uint32_t below = book->root;
    book->number >>= TL_CHILD_BITS;
    book->shift += TL_CHILD_BITS;
    book->root = node_take(shelf, book->number, TL_NONE);
    tl_branch *child = &shelf->nodes[below];
    uint32_t slot = tl_child_slot(child->number);
    child->parent = book->root;
    children_of(shelf, book->root)[slot] = below;
    shelf->nodes[book->root].live = (uint64_t)(child->live != 0) << slot;
}

/* The node just above a leaf, with the path to it made where it was missing. */
static uint32_t node_above_leaf(const tl_shelf *shelf, tl_book *book, uint32_t leaf_number)
{
    if (leaf_number >> book->shift != book->number &&
        (book->root == TL_NONE || !node_has_children(shelf, book->root)))
        root_start(shelf, book, leaf_number);
    while (leaf_number >> book->shift != book->number)
        root_raise(shelf, book);
    uint32_t index = book->root;
    for (uint32_t shift = book->shift - TL_CHILD_BITS; shift > 0; shift -= TL_CHILD_BITS) {
        uint32_t number = leaf_number >> shift;
        uint32_t child = children_of(shelf, index)[tl_child_slot(number)];
        index = child != TL_NONE ? child : node_take(shelf, number, index);
    }
    return index;
}

/* ── leaves ────────────────────────────────────────────────────────────────────────────────── */

/* The first vacant leaf from `index` on, or TL_NONE. */
static uint32_t vacant_from(const tl_shelf *shelf, uint32_t index)
{
    uint32_t word = index / 64;
    uint64_t bits = shelf->vacant[word] & (UINT64_MAX << index % 64);
    if (bits != 0)
        return word * 64 + (uint32_t)__builtin_ctzll(bits);
    uint32_t blocks = (shelf->pools->leaves_max + 4095) / 4096;
    uint32_t block = word / 64;
    uint64_t words = shelf->vacant_blocks[block] & ~(UINT64_MAX >> (63 - word % 64));
    while (words == 0 && ++block < blocks)
        words = shelf->vacant_blocks[block];
    if (words == 0)
        return TL_NONE;
    word = block * 64 + (uint32_t)__builtin_ctzll(words);
    return word * 64 + (uint32_t)__builtin_ctzll(shelf->vacant[word]);
}

/* A leaf nobody uses: one never used, or the vacant one that the hand meets next. */
static uint32_t leaf_take(const tl_shelf *shelf)
{
    tl_pools *pools = shelf->pools;
    if (pools->leaves_used < pools->leaves_max)
        return pools->leaves_used++;
    uint32_t index = vacant_from(shelf, pools->leaf_hand);
    if (index == TL_NONE)
        index = vacant_from(shelf, 0);
    assert(index != TL_NONE);
    pools->leaf_hand = index + 1 < pools->leaves_max ? index + 1 : 0;
    tl_vacant_clear(shelf, index);
    node_drop_child(shelf, shelf->leaves[index].parent, shelf->leaves[index].number);
    return index;
}

uint32_t tl_book_leaf_add(const tl_shelf *shelf, tl_book *book, uint32_t number)
{
    /* Taken before the path is looked up: taking may drop nodes of this very path. */
    uint32_t index = leaf_take(shelf);
    uint32_t parent = node_above_leaf(shelf, book, number);
    children_of(shelf, parent)[tl_child_slot(number)] = index;
    shelf->leaves[index] = (tl_branch){.number = number, .parent = parent};
    tl_vacant_set(shelf, index);
    return index;
}

/* The node has a child again: its parent is told, and so on up. */
void tl_book_node_filled(const tl_shelf *shelf, uint32_t index)
{
    uint32_t slot = tl_child_slot(shelf->nodes[index].number);
    for (uint32_t up = shelf->nodes[index].parent; up != TL_NONE; up = shelf->nodes[up].parent) {
        tl_branch *node = &shelf->nodes[up];
        bool was_live = node->live != 0;
        node->live |= UINT64_C(1) << slot;
        if (was_live)
            return;
        slot = tl_child_slot(node->number);
    }
}

void tl_book_node_emptied(const tl_shelf *shelf, uint32_t index)
{
    uint32_t slot = tl_child_slot(shelf->nodes[index].number);
    for (uint32_t up = shelf->nodes[index].parent; up != TL_NONE; up = shelf->nodes[up].parent) {
        tl_branch *node = &shelf->nodes[up];
        node->live &= ~(UINT64_C(1) << slot);
        if (node->live != 0)
            return;
        slot = tl_child_slot(node->number);
    }
}

bool tl_book_has_room(const tl_shelf *shelf, const tl_book *book, uint32_t price)
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
        child = children_of(shelf, child)[best_bit(shelf->nodes[child].live, side)];
    return child * TL_LEAF_LEVELS + best_bit(shelf->leaves[child].live, side);
}

uint32_t tl_book_worse_level(const tl_shelf *shelf, uint8_t side, uint32_t level)
{
    const tl_branch *leaf = &shelf->leaves[level / TL_LEAF_LEVELS];
    int bit = nearest_worse_bit(leaf->live, level % TL_LEAF_LEVELS, side);
    if (bit >= 0)
        return level - level % TL_LEAF_LEVELS + (unsigned)bit;
    unsigned slot = tl_child_slot(leaf->number);
    uint32_t up = leaf->parent;
    for (int height = 1; up != TL_NONE; height++) {
        const tl_branch *node = &shelf->nodes[up];
        bit = nearest_worse_bit(node->live, slot, side);
        if (bit >= 0)
            return best_level_below(shelf, children_of(shelf, up)[bit], height, side);
        slot = tl_child_slot(node->number);
        up = node->parent;
    }
    return TL_NONE;
}

/* Counted when asked: a count in each level would cost every order its share of the cache. */
static uint32_t level_orders(const tl_shelf *shelf, uint32_t level)
{
    uint32_t count = 0;
    uint32_t slot = shelf->levels[level].head;
    for (; slot != TL_NONE; slot = shelf->orders[slot].next)
        count++;
    return count;
}

uint32_t tl_book_depth(const tl_shelf *shelf, const tl_book *book, uint8_t side,
                       tl_level_view *views, uint32_t views_max)
{
    uint32_t count = 0;
    uint32_t index = book->best[tl_side_index(side)].level;
    while (index != TL_NONE && count < views_max) {
        views[count++] = (tl_level_view){tl_level_price(shelf, index), tl_level_qty(shelf, index),
                                         level_orders(shelf, index), 0};
        index = tl_book_worse_level(shelf, side, index);
    }
    return count;
}
