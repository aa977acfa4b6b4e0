/* Open orders as lists: in the order in which they trade, or as they lie in memory.
 *
 * A queue is a chain of indices, and whoever follows it waits for memory at each link: 30 ns an
 * order where the orders are many. So several chains are followed at once, each a step at a time:
 *
 *   best level    head ─► ─► ─► … ◄─ ◄─ tail      a long queue from both its ends
 *   next level    head ─► ─►                      where its orders go in the list is known
 *   …                                              beforehand: a level knows their number
 *
 * Nothing here changes the engine; one thread, between two commands.
 */
#include "touchline/core/state.h"

#define CHAINS 12u        /* followed at once: as many lines as a core asks memory for together */
#define TWO_ENDS_FROM 16u /* orders of a queue that is worth taking from both ends */

typedef struct chain {
    uint32_t slot; /* the next order */
    uint32_t left; /* orders still to come, this one included */
    int32_t step;  /* 1: towards the younger; -1: towards the older */
    uint32_t at;   /* of the order in the list */
} chain;

typedef struct walk {
    const tl_engine *engine;
    uint8_t side;
    uint32_t level; /* the next to be taken up; TL_NONE after the last */
    uint32_t count; /* places of the list given out */
    uint32_t most;
    chain from_tail; /* second half of the level taken up last */
} walk;

/* Another chain to follow; false when there is none. */
static bool chain_next(walk *walk, chain *next)
{
    const tl_shelf *shelf = &walk->engine->shelf;
    if (walk->from_tail.left > 0) {
        *next = walk->from_tail;
        walk->from_tail.left = 0;
        return true;
    }
    if (walk->level == TL_NONE || walk->count == walk->most)
        return false;
    uint32_t orders = tl_level_orders(shelf, walk->level);
    uint32_t room = walk->most - walk->count;
    uint32_t taken = orders < room ? orders : room;
    uint32_t half = taken == orders && orders >= TWO_ENDS_FROM ? orders / 2 : 0;
    *next = (chain){tl_level_head(shelf, walk->level), taken - half, 1, walk->count};
    walk->count += taken;
    walk->from_tail = (chain){tl_level_tail(shelf, walk->level), half, -1, walk->count - 1};
    walk->level = tl_book_worse_level(shelf, walk->side, walk->level);
    return true;
}

/* Write the chain's order and ask for the one after it. */
static void chain_step(const tl_engine *engine, chain *chain, tl_order_view *views)
{
    const tl_shelf *shelf = &engine->shelf;
    const tl_order *order = &shelf->orders[chain->slot];
    views[chain->at] = tl_order_seen(engine, chain->slot);
    chain->at += (uint32_t)chain->step;
    chain->slot = chain->step > 0 ? order->next : order->prev;
    if (--chain->left == 0)
        return;
    __builtin_prefetch(&shelf->orders[chain->slot]);
    __builtin_prefetch(&shelf->cold[chain->slot]);
}

uint32_t tl_engine_orders(const tl_engine *engine, uint16_t instrument, uint8_t side,
                          tl_order_view *views, uint32_t views_max)
{
    chain chains[CHAINS];
    uint32_t busy = 0;
    const tl_book *book = tl_book_asked(engine, instrument, side);
    if (book == NULL)
        return 0;
    walk walk = {.engine = engine,
                 .side = side,
                 .level = book->best[tl_side_index(side)].level,
                 .most = views_max};
    while (busy < CHAINS && chain_next(&walk, &chains[busy]))
        busy++;
    while (busy > 0) {
        for (uint32_t i = 0; i < busy; i++) {
            chain_step(engine, &chains[i], views);
            if (chains[i].left == 0 && !chain_next(&walk, &chains[i]))
                chains[i--] = chains[--busy];
        }
    }
    return walk.count;
}

/* ── as they lie ───────────────────────────────────────────────────────────────────────────── */

static bool filter_valid(const tl_orders_filter *filter)
{
    bool side = filter->side == 0 || tl_side_known(filter->side);
    bool time_in_force = filter->time_in_force == 0 ||
                         filter->time_in_force == TL_TIME_IN_FORCE_DAY ||
                         filter->time_in_force == TL_TIME_IN_FORCE_GTC ||
                         filter->time_in_force == TL_TIME_IN_FORCE_GTD;
    return side && time_in_force;
}

static bool filter_passes(const tl_engine *engine, const tl_orders_filter *filter,
                          const tl_order *order)
{
    if (order->position == TL_NONE)
        return false;
    return (filter->instrument == TL_INSTRUMENT_ALL || filter->instrument == order->instrument) &&
           (filter->side == 0 || filter->side == order->side) &&
           (filter->time_in_force == 0 || filter->time_in_force == tl_order_time_in_force(order)) &&
           (filter->account == TL_ACCOUNT_ALL || filter->account == tl_account_of(engine, order));
}

uint32_t tl_engine_orders_scan(const tl_engine *engine, const tl_orders_filter *filter,
                               uint32_t *slot, tl_order_view *views, uint32_t views_max)
{
    const uint32_t end = engine->shelf.pools->orders_used;
    uint32_t count = 0;
    if (!filter_valid(filter))
        return 0;
    for (; *slot < end && count < views_max; (*slot)++)
        if (filter_passes(engine, filter, &engine->shelf.orders[*slot]))
            views[count++] = tl_order_seen(engine, *slot);
    return count;
}
