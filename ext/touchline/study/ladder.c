/* The ladder: see ladder.h. Full nodes are split on the way down, so that a parent has room. */
#include "touchline/study/ladder.h"

#include "touchline/study/huge_array.h"

#include <errno.h>
#include <string.h>

int tl_ladder_reserve(tl_ladder_pool *pool)
{
    /* One way down splits a node of each height at most, and makes one root. */
    uint32_t wanted = TL_LADDER_HEIGHT + 1;
    if (pool->free_count + (pool->room - pool->used) >= wanted)
        return 0;
    if (pool->room > UINT32_MAX / 4)
        return -ENOMEM;
    uint32_t room = pool->room == 0 ? 64 : pool->room * 2;
    tl_ladder_node *nodes =
        tl_huge_array_grow(pool->nodes, pool->room * sizeof *nodes, room * sizeof *nodes);
    if (nodes == NULL)
        return -ENOMEM;
    pool->nodes = nodes;
    pool->room = room;
    return 0;
}

static uint32_t node_take(tl_ladder_pool *pool, uint32_t height)
{
    uint32_t index = pool->free;
    if (pool->free_count > 0) {
        pool->free = pool->nodes[index].kids[0];
        pool->free_count--;
    } else {
        assert(pool->used < pool->room);
        index = pool->used++;
    }
    pool->nodes[index].count = 0;
    pool->nodes[index].height = height;
    return index;
}

static void node_give_back(tl_ladder_pool *pool, uint32_t index)
{
    pool->nodes[index].kids[0] = pool->free;
    pool->free = index;
    pool->free_count++;
}

/* The child a key belongs below: the last whose least key is not above it. */
static uint32_t child_of(const tl_ladder_node *node, int64_t key)
{
    uint32_t slot = 0;
    while (slot + 1 < node->count && node->keys[slot + 1] <= key)
        slot++;
    return slot;
}

/* The first place in a leaf whose key is not better. */
static uint32_t place_of(const tl_ladder_node *leaf, int64_t key)
{
    uint32_t place = 0;
    while (place < leaf->count && leaf->keys[place] < key)
        place++;
    return place;
}

static void node_put(tl_ladder_node *node, uint32_t place, int64_t key, uint32_t kid)
{
    size_t behind = node->count - place;
    memmove(&node->keys[place + 1], &node->keys[place], behind * sizeof *node->keys);
    memmove(&node->kids[place + 1], &node->kids[place], behind * sizeof *node->kids);
    node->keys[place] = key;
    node->kids[place] = kid;
    node->count++;
}

static void node_cut(tl_ladder_node *node, uint32_t place)
{
    node->count--;
    size_t behind = node->count - place;
    memmove(&node->keys[place], &node->keys[place + 1], behind * sizeof *node->keys);
    memmove(&node->kids[place], &node->kids[place + 1], behind * sizeof *node->kids);
}

uint32_t tl_ladder_find(const tl_ladder_pool *pool, uint32_t root, int64_t key)
{
    if (root == TL_LADDER_NONE)
        return TL_LADDER_NONE;
    const tl_ladder_node *node = &pool->nodes[root];
    while (node->height > 0)
        node = &pool->nodes[node->kids[child_of(node, key)]];
    uint32_t place = place_of(node, key);
    bool found = place < node->count && node->keys[place] == key;
    return found ? node->kids[place] : TL_LADDER_NONE;
}

uint32_t tl_ladder_near(const tl_ladder_pool *pool, uint32_t index, int64_t key, bool *leaf)
{
    const tl_ladder_node *node = &pool->nodes[index];
    *leaf = node->height == 0;
    if (node->count == 0)
        return TL_LADDER_NONE;
    if (!*leaf)
        return node->kids[child_of(node, key)];
    const uint32_t place = place_of(node, key);
    return node->kids[place < node->count ? place : place - 1];
}

/* The upper half of a full child goes into a new one beside it. */
static void child_split(tl_ladder_pool *pool, uint32_t parent, uint32_t slot)
{
    uint32_t left = pool->nodes[parent].kids[slot];
    uint32_t right = node_take(pool, pool->nodes[left].height);
    tl_ladder_node *from = &pool->nodes[left];
    tl_ladder_node *to = &pool->nodes[right];
    uint32_t stays = from->count / 2;
    to->count = from->count - stays;
    from->count = stays;
    memcpy(to->keys, &from->keys[stays], to->count * sizeof *to->keys);
    memcpy(to->kids, &from->kids[stays], to->count * sizeof *to->kids);
    node_put(&pool->nodes[parent], slot + 1, to->keys[0], right);
}

bool tl_ladder_insert(tl_ladder_pool *pool, uint32_t *root, int64_t key, uint32_t level,
                      uint32_t *beside)
{
    if (*root == TL_LADDER_NONE)
        *root = node_take(pool, 0);
    uint32_t index = *root;
    if (pool->nodes[index].count == TL_LADDER_WIDTH) {
        uint32_t above = node_take(pool, pool->nodes[index].height + 1);
        assert(pool->nodes[above].height < TL_LADDER_HEIGHT);
        node_put(&pool->nodes[above], 0, pool->nodes[index].keys[0], index);
        child_split(pool, above, 0);
        *root = index = above;
    }
    while (pool->nodes[index].height > 0) {
        tl_ladder_node *node = &pool->nodes[index];
        uint32_t slot = child_of(node, key);
        if (key < node->keys[slot])
            node->keys[slot] = key;
        if (pool->nodes[node->kids[slot]].count == TL_LADDER_WIDTH) {
            child_split(pool, index, slot);
            slot += node->keys[slot + 1] <= key;
        }
        index = node->kids[slot];
    }
    tl_ladder_node *leaf = &pool->nodes[index];
    uint32_t place = place_of(leaf, key);
    bool worse = place < leaf->count;
    *beside = leaf->count == 0 ? TL_LADDER_NONE : leaf->kids[worse ? place : place - 1];
    node_put(leaf, place, key, level);
    return worse;
}

void tl_ladder_remove(tl_ladder_pool *pool, uint32_t *root, int64_t key)
{
    uint32_t path[TL_LADDER_HEIGHT];
    uint32_t slots[TL_LADDER_HEIGHT];
    uint32_t depth = 0;
    uint32_t index = *root;
    while (pool->nodes[index].height > 0) {
        path[depth] = index;
        slots[depth] = child_of(&pool->nodes[index], key);
        index = pool->nodes[index].kids[slots[depth++]];
    }
    uint32_t place = place_of(&pool->nodes[index], key);
    assert(place < pool->nodes[index].count && pool->nodes[index].keys[place] == key);
    node_cut(&pool->nodes[index], place);
    while (pool->nodes[index].count == 0) {
        node_give_back(pool, index);
        if (depth == 0) {
            *root = TL_LADDER_NONE;
            return;
        }
        index = path[--depth];
        node_cut(&pool->nodes[index], slots[depth]);
    }
    while (pool->nodes[*root].height > 0 && pool->nodes[*root].count == 1) {
        uint32_t only = pool->nodes[*root].kids[0];
        node_give_back(pool, *root);
        *root = only;
    }
}
