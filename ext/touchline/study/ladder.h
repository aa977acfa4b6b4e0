/* The price levels of one side in order: a B+ tree of keys, the best first.
 *
 *   root ─► node: least key below each child ─► … ─► leaf: keys and the levels they stand for
 *
 * A side with up to TL_LADDER_WIDTH levels is one node; finding, entering and dropping cost the
 * tree's height, whatever is in between. An asked price is its key, a bid's is its negative, so
 * that less is better. Nodes lie in one pool for all sides; one that empties is given back, and
 * none is ever merged: a key below a child may be less than all that are left there.
 */
#ifndef TOUCHLINE_LADDER_H
#define TOUCHLINE_LADDER_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_LADDER_NONE UINT32_MAX
#define TL_LADDER_WIDTH 26u
#define TL_LADDER_HEIGHT 16u /* a higher one takes 13^16 entries */

typedef struct tl_ladder_node {
    int64_t keys[TL_LADDER_WIDTH];
    uint32_t kids[TL_LADDER_WIDTH]; /* levels in a leaf, nodes above */
    uint32_t count;
    uint32_t height; /* 0: a leaf */
} tl_ladder_node;
static_assert(sizeof(tl_ladder_node) == 320, "a node is five cache lines");

typedef struct tl_ladder_pool {
    tl_ladder_node *nodes;
    uint32_t room;
    uint32_t used;
    uint32_t free; /* the first of those given back, by kids[0] */
    uint32_t free_count;
} tl_ladder_pool;

/* Room for one more entry of any ladder: 0 or -ENOMEM. Before tl_ladder_insert. */
int tl_ladder_reserve(tl_ladder_pool *pool);

/* The level of a key, TL_LADDER_NONE when it is not there. */
uint32_t tl_ladder_find(const tl_ladder_pool *pool, uint32_t root, int64_t key);

/* One step from a node towards a key: its child there, or in a leaf (`*leaf`) the level at the key
 * or next to it; TL_LADDER_NONE for none. Of a node that is given back it is anything. */
uint32_t tl_ladder_near(const tl_ladder_pool *pool, uint32_t node, int64_t key, bool *leaf);

/* Enter a key that is not there. `*beside` is a level next to it, TL_LADDER_NONE in an empty
 * ladder; true when that one is worse, false when it is better. */
bool tl_ladder_insert(tl_ladder_pool *pool, uint32_t *root, int64_t key, uint32_t level,
                      uint32_t *beside);

/* Drop a key that is there. */
void tl_ladder_remove(tl_ladder_pool *pool, uint32_t *root, int64_t key);

#ifdef __cplusplus
}
#endif

#endif
