/* The book's levels and queues, against a plain array of quantities by price. */
#include "touchline/core/book.h"
#include "check.h"

#define ORDERS 4096u
#define BLOCKS 48u
#define NODES (BLOCKS * 4 + 2)

static tl_pools pools;
static tl_order orders[ORDERS];
static tl_order_cold cold[ORDERS];
static tl_level levels[BLOCKS * TL_BLOCK_LEVELS];
static tl_queue queues[BLOCKS * TL_BLOCK_LEVELS];
static tl_branch blocks[BLOCKS];
static tl_branch nodes[NODES];
static uint32_t children[NODES * TL_NODE_CHILDREN];
static tl_book books[2];
static const tl_shelf shelf = {.pools = &pools,
                               .orders = orders,
                               .cold = cold,
                               .levels = levels,
                               .queues = queues,
                               .blocks = blocks,
                               .nodes = nodes,
                               .children = children,
                               .books = books};

static void reset(void)
{
    memset(levels, 0, sizeof levels);
    memset(blocks, 0, sizeof blocks);
    tl_pools_init(&pools, ORDERS, BLOCKS, tl_book_nodes_max(BLOCKS, 2));
    tl_book_init(&books[0]);
    tl_book_init(&books[1]);
}

static uint32_t rest(uint16_t instrument, uint8_t side, uint32_t price, uint32_t qty)
{
    uint32_t slot = tl_order_take(&shelf);
    orders[slot].side = side;
    orders[slot].price = price;
    orders[slot].leaves_qty = qty;
    orders[slot].position = 0;
    orders[slot].instrument = instrument;
    tl_book_append(&shelf, &books[instrument], slot);
    return slot;
}

static void leave(uint32_t slot)
{
    tl_book_remove(&shelf, &books[orders[slot].instrument], slot);
    tl_order_give_back(&shelf, slot);
}

static void older_orders_stand_first(void)
{
    reset();
    uint32_t a = rest(0, TL_SIDE_BUY, 100, 5);
    uint32_t b = rest(0, TL_SIDE_BUY, 100, 6);
    uint32_t c = rest(0, TL_SIDE_BUY, 100, 7);
    uint32_t index = books[0].best[0].level;
    CHECK(tl_level_head(&shelf, index) == a && tl_level_tail(&shelf, index) == c);
    CHECK(tl_level_qty(&shelf, index) == 18);
    leave(b);
    CHECK(orders[a].next == c && orders[c].prev == a && tl_level_qty(&shelf, index) == 12);
    leave(a);
    CHECK(tl_level_head(&shelf, index) == c && tl_level_tail(&shelf, index) == c);
    tl_book_reduce(&shelf, c, 3);
    CHECK(tl_level_qty(&shelf, index) == 4 && orders[c].leaves_qty == 4);
}

static void best_price_is_right_after_the_last_order_of_a_level_leaves(void)
{
    reset();
    CHECK(books[0].best[0].key == TL_KEY_NONE && books[0].best[1].key == TL_KEY_NONE);
    uint32_t far_bid = rest(0, TL_SIDE_BUY, 1, 1);
    uint32_t bid = rest(0, TL_SIDE_BUY, 999999, 1);
    uint32_t ask = rest(0, TL_SIDE_SELL, 1000000, 1);
    uint32_t far_ask = rest(0, TL_SIDE_SELL, TL_PRICE_MAX, 1);
    CHECK(tl_book_best_price(&books[0], 0) == 999999);
    CHECK(tl_book_best_price(&books[0], 1) == 1000000);
    leave(bid);
    CHECK(tl_book_best_price(&books[0], 0) == 1);
    leave(ask);
    CHECK(tl_book_best_price(&books[0], 1) == TL_PRICE_MAX);
    leave(far_bid);
    leave(far_ask);
    CHECK(books[0].best[0].level == TL_NONE && books[0].best[1].level == TL_NONE);
    CHECK(pools.blocks_live == 0 && pools.orders_open == 0);
}

static void stale_and_invented_ids_find_nothing(void)
{
    reset();
    uint32_t slot = rest(0, TL_SIDE_BUY, 10, 1);
    uint64_t id = tl_order_id(&shelf, slot);
    CHECK(tl_order_find(&shelf, id) == slot);
    leave(slot);
    CHECK(tl_order_find(&shelf, id) == TL_NONE);
    CHECK(tl_order_find(&shelf, tl_order_id(&shelf, slot)) == TL_NONE);
    CHECK(tl_order_find(&shelf, UINT64_MAX) == TL_NONE && tl_order_find(&shelf, 0) == TL_NONE);
    CHECK(rest(0, TL_SIDE_BUY, 10, 1) == slot);
    CHECK(tl_order_find(&shelf, id) == TL_NONE);
    orders[slot].generation = UINT32_MAX;
    leave(slot);
    CHECK(orders[slot].generation == 1);
}

static void what_orders_far_apart_have_used_is_used_again(void)
{
    reset();
    for (uint32_t i = 0; i < 20 * BLOCKS; i++) {
        uint32_t price = 1 + i * 1000003u % (uint32_t)TL_PRICE_MAX;
        CHECK(tl_book_has_room(&shelf, &books[i % 2], price));
        leave(rest((uint16_t)(i % 2), TL_SIDE_SELL, price, 1));
    }
    CHECK(pools.blocks_live == 0 && pools.blocks_used == 1 && pools.nodes_used == 2);
    for (uint32_t i = 0; i < BLOCKS; i++)
        rest(0, TL_SIDE_SELL, 1 + i * 5000, 1);
    CHECK(!tl_book_has_room(&shelf, &books[0], 700000) && !tl_book_has_room(&shelf, &books[1], 1));
    CHECK(tl_book_has_room(&shelf, &books[0], 2));
}

static void the_root_is_as_high_as_the_prices_need(void)
{
    reset();
    uint32_t near = rest(0, TL_SIDE_SELL, 9 * 1024, 1);
    uint32_t neighbour = rest(0, TL_SIDE_SELL, 10 * 1024 - 1, 1);
    CHECK(books[0].shift == 6 && pools.nodes_used == 1);
    leave(rest(0, TL_SIDE_SELL, 8 * 1024, 1));
    CHECK(books[0].shift == 6 && pools.nodes_used == 1);
    uint32_t below = rest(0, TL_SIDE_SELL, 8 * 1024 - 1, 1);
    CHECK(books[0].shift == 12 && pools.nodes_used == 3);
    CHECK(tl_book_worse_level(&shelf, TL_SIDE_SELL, orders[below].level) == orders[near].level);
    uint32_t far = rest(0, TL_SIDE_SELL, TL_PRICE_MAX, 1);
    CHECK(books[0].shift == 30 && tl_book_best_price(&books[0], 1) == 8 * 1024 - 1);
    leave(below);
    leave(near);
    leave(neighbour);
    CHECK(tl_book_best_price(&books[0], 1) == TL_PRICE_MAX);
    leave(far);
    CHECK(books[0].best[1].level == TL_NONE && pools.blocks_live == 0);
    uint32_t again = rest(0, TL_SIDE_SELL, 1, 1);
    CHECK(tl_book_best_price(&books[0], 1) == 1);
    leave(again);
}

static void a_root_without_children_gives_way(void)
{
    reset();
    leave(rest(0, TL_SIDE_BUY, 100, 1));
    uint32_t far = rest(0, TL_SIDE_BUY, TL_PRICE_MAX, 1);
    CHECK(books[0].shift == 6 && pools.nodes_used == 1);
    CHECK(tl_book_best_price(&books[0], 0) == TL_PRICE_MAX);
    leave(far);
}

/* A book of one side, drawn as quantity and number of orders by price. */
#define PRICES 6000u
static uint64_t naive_qty[2][PRICES];
static uint32_t naive_orders[2][PRICES];

static void check_against_naive(uint16_t instrument, uint8_t side)
{
    static tl_level_view views[PRICES];
    uint32_t count = tl_book_depth(&shelf, &books[instrument], side, views, PRICES);
    uint32_t seen = 0;
    for (uint32_t i = 0; i < PRICES; i++) {
        uint32_t price = side == TL_SIDE_BUY ? PRICES - 1 - i : i;
        if (naive_orders[instrument][price] == 0)
            continue;
        CHECK(seen < count && views[seen].price == (int64_t)price);
        CHECK(views[seen].qty == naive_qty[instrument][price]);
        CHECK(views[seen].orders == naive_orders[instrument][price]);
        seen++;
    }
    CHECK(seen == count);
}

/* Book 0 holds bids, book 1 asks, so that any price may rest on either. */
static void any_sequence_leaves_the_levels_a_plain_array_has(uint64_t seed)
{
    static uint32_t open[ORDERS];
    uint32_t count = 0;
    reset();
    memset(naive_qty, 0, sizeof naive_qty);
    memset(naive_orders, 0, sizeof naive_orders);
    for (int i = 0; i < 20000; i++) {
        uint64_t r = random_next(&seed);
        uint16_t instrument = r & 1;
        uint32_t price = 1 + (uint32_t)(r >> 8) % (PRICES - 1);
        if (r >> 4 & 3 ? count < 1000 : count == 0) {
            if (!tl_book_has_room(&shelf, &books[instrument], price))
                continue;
            uint32_t qty = 1 + (uint32_t)(r >> 40) % 100;
            open[count++] = rest(instrument, instrument ? TL_SIDE_SELL : TL_SIDE_BUY, price, qty);
            naive_qty[instrument][price] += qty;
            naive_orders[instrument][price]++;
        } else {
            uint32_t at = (uint32_t)(r >> 32) % count;
            const tl_order *order = &orders[open[at]];
            naive_qty[order->instrument][order->price] -= order->leaves_qty;
            naive_orders[order->instrument][order->price]--;
            leave(open[at]);
            open[at] = open[--count];
        }
        if (i % 500 == 0) {
            check_against_naive(0, TL_SIDE_BUY);
            check_against_naive(1, TL_SIDE_SELL);
        }
    }
    while (count > 0)
        leave(open[--count]);
    CHECK(pools.blocks_live == 0 && pools.orders_open == 0);
}

/* Every block with a path of its own: the pool of nodes is used up to the last. */
static void nodes_suffice_for_orders_as_far_apart_as_can_be(void)
{
    for (int upwards = 0; upwards <= 1; upwards++) {
        reset();
        tl_pools_init(&pools, ORDERS, 2, tl_book_nodes_max(2, 1));
        uint32_t first = rest(0, TL_SIDE_SELL, upwards ? 1 : (uint32_t)TL_PRICE_MAX, 1);
        uint32_t second = rest(0, TL_SIDE_SELL, upwards ? (uint32_t)TL_PRICE_MAX : 1, 1);
        CHECK(pools.nodes_used == pools.nodes_max && pools.nodes_used == 9);
        CHECK(books[0].shift == 30 && tl_book_best_price(&books[0], 1) == 1);
        uint32_t level = books[0].best[1].level;
        CHECK(tl_level_price(&shelf, &books[0], level) == 1);
        level = tl_book_worse_level(&shelf, TL_SIDE_SELL, level);
        CHECK(tl_level_price(&shelf, &books[0], level) == (uint32_t)TL_PRICE_MAX);
        leave(first);
        leave(second);
        CHECK(pools.blocks_live == 0);
    }
}

static void a_queue_that_shrinks_to_one_and_grows_again_knows_its_quantity(void)
{
    reset();
    uint32_t a = rest(0, TL_SIDE_SELL, 100, 5);
    uint32_t b = rest(0, TL_SIDE_SELL, 100, 6);
    uint32_t level = orders[a].level;
    tl_book_reduce(&shelf, a, 1);
    CHECK(tl_level_qty(&shelf, level) == 10);
    leave(b);
    CHECK(tl_level_qty(&shelf, level) == 4);
    tl_book_reduce(&shelf, a, 2);
    CHECK(tl_level_qty(&shelf, level) == 2);
    rest(0, TL_SIDE_SELL, 100, 7);
    CHECK(tl_level_qty(&shelf, level) == 9);
    leave(a);
    CHECK(tl_level_qty(&shelf, level) == 7);
}

static uint32_t counted(uint32_t level)
{
    uint32_t count = 0;
    for (uint32_t slot = tl_level_head(&shelf, level); slot != TL_NONE; slot = orders[slot].next)
        count++;
    return count;
}

/* Orders join and leave anywhere in the queue; it shrinks to one and to none, and grows again. */
static void a_crowded_level_knows_how_many_orders_it_has(uint64_t seed)
{
    static uint32_t open[64];
    uint32_t count = 0;
    reset();
    for (int i = 0; i < 20000; i++) {
        uint64_t r = random_next(&seed);
        uint32_t most = i / 1000 % 2 ? 3 : 64;
        if (count < most && (r & 1 || count == 0)) {
            open[count++] = rest(0, TL_SIDE_BUY, 100, 1 + (uint32_t)(r >> 40) % 9);
        } else {
            uint32_t at = (uint32_t)(r >> 8) % count;
            leave(open[at]);
            open[at] = open[--count];
        }
        if (count == 0)
            continue;
        uint32_t level = orders[open[0]].level;
        uint64_t qty = 0;
        for (uint32_t n = 0; n < count; n++)
            qty += orders[open[n]].leaves_qty;
        CHECK(tl_level_orders(&shelf, level) == count && counted(level) == count);
        CHECK(tl_level_qty(&shelf, level) == qty);
    }
}

static void check_best_is_the_best_of(const uint32_t *open, uint32_t count)
{
    uint32_t best[2][2] = {{0, 0}, {0, 0}};
    for (uint32_t i = 0; i < count; i++) {
        const tl_order *order = &orders[open[i]];
        unsigned side_index = tl_side_index(order->side);
        uint32_t *price = &best[order->instrument][side_index];
        if (*price == 0 || (side_index ? order->price < *price : order->price > *price))
            *price = order->price;
    }
    for (unsigned i = 0; i < 4; i++)
        CHECK(tl_book_best_price(&books[i / 2], i % 2) == best[i / 2][i % 2]);
}

/* Prices near and far on both sides, with hardly ever a block to spare, in books that empty often
 * and begin elsewhere: the way to the best price is never lost. */
static void paths_come_and_go_within_the_pools(uint64_t seed)
{
    static uint32_t open[ORDERS];
    uint32_t count = 0;
    uint32_t middle[2] = {0, 0};
    reset();
    for (int i = 0; i < 20000; i++) {
        uint64_t r = random_next(&seed);
        uint16_t instrument = r & 1;
        if (count == 0)
            for (unsigned j = 0; j < 2; j++)
                middle[j] = 1 + (uint32_t)(random_next(&seed) % (uint64_t)TL_PRICE_MAX);
        uint32_t away = 1 + (uint32_t)(r >> 8) % (UINT32_C(1) << (r >> 40) % 31);
        bool buy = r >> 1 & 1;
        uint32_t price = buy ? middle[instrument] - away : middle[instrument] + away;
        bool enter = count < 60 && (r >> 4 & 7) != 0 && price >= 1 && price <= TL_PRICE_MAX;
        if (enter && tl_book_has_room(&shelf, &books[instrument], price)) {
            open[count++] = rest(instrument, buy ? TL_SIDE_BUY : TL_SIDE_SELL, price, 1);
        } else if (count == 60) {
            while (count > 0)
                leave(open[--count]);
        } else if (count > 0) {
            uint32_t at = (uint32_t)(r >> 32) % count;
            leave(open[at]);
            open[at] = open[--count];
        }
        CHECK(pools.nodes_used <= pools.nodes_max && pools.blocks_used <= BLOCKS);
        check_best_is_the_best_of(open, count);
    }
}

int main(void)
{
    older_orders_stand_first();
    best_price_is_right_after_the_last_order_of_a_level_leaves();
    stale_and_invented_ids_find_nothing();
    what_orders_far_apart_have_used_is_used_again();
    the_root_is_as_high_as_the_prices_need();
    a_root_without_children_gives_way();
    nodes_suffice_for_orders_as_far_apart_as_can_be();
    a_queue_that_shrinks_to_one_and_grows_again_knows_its_quantity();
    a_crowded_level_knows_how_many_orders_it_has(5);
    for (uint64_t seed = 1; seed <= 10; seed++)
        any_sequence_leaves_the_levels_a_plain_array_has(seed);
    for (uint64_t seed = 1; seed <= 10; seed++)
        paths_come_and_go_within_the_pools(seed);
    return 0;
}
