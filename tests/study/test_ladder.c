/* The ladder against a sorted array: what is found, what stands beside it, what is given back. */
#include "touchline/study/ladder.h"
#include "touchline/study/huge_array.h"

#include "check.h"

#define KEYS 3000

static tl_ladder_pool pool;
static bool there[KEYS];

/* The neighbour on either side in the array, TL_LADDER_NONE for none. */
static uint32_t next_there(int key, int step)
{
    for (key += step; key >= 0 && key < KEYS; key += step)
        if (there[key])
            return (uint32_t)key;
    return TL_LADDER_NONE;
}

static void enter(uint32_t *root, int key)
{
    CHECK(tl_ladder_reserve(&pool) == 0);
    uint32_t beside;
    bool worse = tl_ladder_insert(&pool, root, key - KEYS / 2, (uint32_t)key, &beside);
    if (beside == TL_LADDER_NONE)
        CHECK(next_there(key, 1) == TL_LADDER_NONE && next_there(key, -1) == TL_LADDER_NONE);
    else
        CHECK(beside == next_there(key, worse ? 1 : -1));
    there[key] = true;
}

static void a_random_walk_finds_what_an_array_finds(void)
{
    uint64_t random = 7;
    uint32_t root = TL_LADDER_NONE;
    memset(there, 0, sizeof there);
    for (int step = 0; step < 400000; step++) {
        /* Full for a while, then nearly empty, so that nodes split and empty. */
        unsigned often = step / 50000 % 2 == 0 ? 70 : 30;
        int key = (int)(random_next(&random) % KEYS);
        uint32_t found = tl_ladder_find(&pool, root, key - KEYS / 2);
        CHECK(found == (there[key] ? (uint32_t)key : TL_LADDER_NONE));
        if (!there[key] && random_next(&random) % 100 < often) {
            enter(&root, key);
        } else if (there[key] && random_next(&random) % 100 >= often) {
            tl_ladder_remove(&pool, &root, key - KEYS / 2);
            there[key] = false;
        }
    }
    for (int key = 0; key < KEYS; key++)
        if (there[key])
            tl_ladder_remove(&pool, &root, key - KEYS / 2);
    CHECK(root == TL_LADDER_NONE && pool.free_count == pool.used);
}

static void keys_in_order_fill_and_empty_a_ladder_from_either_end(void)
{
    for (int from = 0; from < 2; from++) {
        uint32_t root = TL_LADDER_NONE;
        memset(there, 0, sizeof there);
        for (int i = 0; i < KEYS; i++)
            enter(&root, from == 0 ? i : KEYS - 1 - i);
        for (int i = 0; i < KEYS; i++) {
            int key = from == 0 ? i : KEYS - 1 - i;
            tl_ladder_remove(&pool, &root, key - KEYS / 2);
        }
        CHECK(root == TL_LADDER_NONE && pool.free_count == pool.used);
    }
}

int main(void)
{
    a_random_walk_finds_what_an_array_finds();
    keys_in_order_fill_and_empty_a_ladder_from_either_end();
    tl_huge_array_free(pool.nodes, pool.room * sizeof *pool.nodes);
    return 0;
}
