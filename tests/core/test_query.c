/* What the engine says of its orders and levels between commands, against a plain list of orders in
 * the order of their arrival: queues long enough to be read from both ends, levels many and few. */
#include <stdbool.h>

#include "check.h"
#include "touchline/core/engine.h"

enum { ORDERS = 4096, EVENTS = 16384, ACCOUNTS = 4 };

typedef struct naive_order {
    uint64_t order_id;
    int64_t price;
    uint32_t leaves_qty, order_qty, account;
} naive_order;

static tl_event slots[EVENTS];
static naive_order naive[ORDERS]; /* bids, oldest first */
static uint32_t naive_count;
static tl_order_view views[ORDERS + 1];

static tl_event step(tl_engine *engine, tl_command cmd)
{
    tl_event_sink sink = {slots, EVENTS - 1, 0};
    tl_engine_step(engine, &cmd, &sink);
    return slots[0];
}

static tl_engine *open_engine(void)
{
    tl_engine *engine;
    const tl_engine_capacities capacities = {2, ACCOUNTS, ORDERS, 16, 64};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    for (uint16_t i = 0; i < 2; i++)
        step(engine, (tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = i});
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        step(engine, (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = i});
    naive_count = 0;
    return engine;
}

static tl_command order(uint8_t side, int64_t price, int64_t qty)
{
    return (tl_command){.type = TL_MSG_TYPE_NEW_ORDER,
                        .side = side,
                        .ord_type = TL_ORD_TYPE_LIMIT,
                        .time_in_force = TL_TIME_IN_FORCE_DAY,
                        .price = price,
                        .qty = qty};
}

/* ── the plain list ──────────────────────────────────────────────────────────────────────────── */

static void naive_drop(uint32_t at)
{
    naive_count--;
    memmove(&naive[at], &naive[at + 1], (naive_count - at) * sizeof naive[0]);
}

static void enter(tl_engine *engine, uint64_t r, int64_t prices)
{
    tl_command cmd = order(TL_SIDE_BUY, 100 + (int64_t)(r >> 8) % prices,
                           1 + (int64_t)(r >> 40) % 50);
    cmd.account = (uint32_t)(r >> 60) % ACCOUNTS;
    tl_event event = step(engine, cmd);
    CHECK(event.exec_type == TL_EXEC_TYPE_NEW);
    naive[naive_count++] = (naive_order){event.order_id, cmd.price, (uint32_t)cmd.qty,
                                         (uint32_t)cmd.qty, cmd.account};
}

static void cancel(tl_engine *engine, uint32_t at)
{
    tl_event event = step(engine, (tl_command){.type = TL_MSG_TYPE_CANCEL,
                                               .order_id = naive[at].order_id,
                                               .account = naive[at].account});
    CHECK(event.exec_type == TL_EXEC_TYPE_CANCELED);
    naive_drop(at);
}

/* Less keeps the place, more goes to the back. */
static void replace(tl_engine *engine, uint32_t at, uint32_t qty)
{
    naive_order changed = naive[at];
    uint32_t executed = changed.order_qty - changed.leaves_qty;
    qty += executed;
    tl_event event = step(engine, (tl_command){.type = TL_MSG_TYPE_REPLACE,
                                               .order_id = changed.order_id,
                                               .account = changed.account,
                                               .price = changed.price,
                                               .qty = qty});
    CHECK(event.exec_type == TL_EXEC_TYPE_REPLACED);
    bool kept = qty < changed.order_qty;
    changed.order_qty = qty;
    changed.leaves_qty = qty - executed;
    if (kept) {
        naive[at] = changed;
        return;
    }
    naive_drop(at);
    naive[naive_count++] = changed;
}

static uint32_t naive_next(void)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < naive_count; i++)
        if (naive[i].price > naive[best].price)
            best = i;
    return best;
}

static void sell(tl_engine *engine, uint32_t qty)
{
    tl_command cmd = order(TL_SIDE_SELL, 1, qty);
    cmd.time_in_force = TL_TIME_IN_FORCE_IOC;
    step(engine, cmd);
    while (qty > 0 && naive_count > 0) {
        naive_order *maker = &naive[naive_next()];
        uint32_t traded = maker->leaves_qty < qty ? maker->leaves_qty : qty;
        qty -= traded;
        maker->leaves_qty -= traded;
        if (maker->leaves_qty == 0)
            naive_drop((uint32_t)(maker - naive));
    }
}

/* ── compared ────────────────────────────────────────────────────────────────────────────────── */

static void check_view(const tl_order_view *view, const naive_order *wanted)
{
    CHECK(view->order_id == wanted->order_id && view->price == wanted->price);
    CHECK(view->leaves_qty == wanted->leaves_qty && view->order_qty == wanted->order_qty);
    CHECK(view->account == wanted->account && view->instrument == 0);
    CHECK(view->side == TL_SIDE_BUY && view->time_in_force == TL_TIME_IN_FORCE_DAY);
}

/* Best price first, oldest first: at most `most`, and nothing written behind them. */
static void check_orders(const tl_engine *engine, uint32_t most, int64_t prices)
{
    memset(views, 0xee, sizeof views);
    uint32_t count = tl_engine_orders(engine, 0, TL_SIDE_BUY, views, most);
    CHECK(count == (naive_count < most ? naive_count : most));
    uint32_t seen = 0;
    for (int64_t price = 100 + prices; price >= 100; price--)
        for (uint32_t i = 0; i < naive_count && seen < count; i++)
            if (naive[i].price == price)
                check_view(&views[seen++], &naive[i]);
    CHECK(seen == count && views[count].order_id == UINT64_C(0xeeeeeeeeeeeeeeee));
}

static void check_levels_and_queues(const tl_engine *engine, int64_t prices)
{
    for (int64_t price = 99; price <= 100 + prices; price++) {
        uint64_t qty = 0;
        uint32_t count = 0;
        for (uint32_t i = 0; i < naive_count; i++) {
            if (naive[i].price != price)
                continue;
            tl_level_view ahead;
            CHECK(tl_engine_ahead(engine, naive[i].order_id, &ahead) == 1);
            CHECK(ahead.price == price && ahead.qty == qty && ahead.orders == count);
            tl_order_view view;
            CHECK(tl_engine_order(engine, naive[i].order_id, &view) == 1);
            check_view(&view, &naive[i]);
            qty += naive[i].leaves_qty;
            count++;
        }
        tl_level_view level;
        CHECK(tl_engine_level(engine, 0, TL_SIDE_BUY, price, &level) == count);
        CHECK(level.price == price && level.qty == qty && level.orders == count);
        CHECK(tl_engine_level(engine, 0, TL_SIDE_SELL, price, &level) == 0 && level.qty == 0);
    }
}

static void check_scan(const tl_engine *engine, uint32_t account, uint32_t pages_of)
{
    const tl_orders_filter filter = {account, TL_INSTRUMENT_ALL, 0, 0};
    uint32_t slot = 0;
    uint32_t seen = 0;
    uint32_t wanted = 0;
    for (uint32_t i = 0; i < naive_count; i++)
        wanted += account == TL_ACCOUNT_ALL || naive[i].account == account;
    for (uint32_t count = pages_of; count == pages_of; seen += count) {
        count = tl_engine_orders_scan(engine, &filter, &slot, views, pages_of);
        for (uint32_t i = 0; i < count; i++) {
            uint32_t at = 0;
            while (at < naive_count && naive[at].order_id != views[i].order_id)
                at++;
            CHECK(at < naive_count && (i == 0 || TL_ORDER_SLOT(views[i - 1].order_id) <
                                                     TL_ORDER_SLOT(views[i].order_id)));
            check_view(&views[i], &naive[at]);
        }
    }
    CHECK(seen == wanted);
}

static void queries_say_what_a_plain_list_has(uint64_t seed, int64_t prices, uint32_t most)
{
    tl_engine *engine = open_engine();
    for (int i = 0; i < 6000; i++) {
        uint64_t r = random_next(&seed);
        uint32_t kind = (uint32_t)(r & 15);
        uint32_t at = naive_count > 0 ? (uint32_t)(r >> 20) % naive_count : 0;
        if (naive_count < 2 || (kind < 8 && naive_count < most))
            enter(engine, random_next(&seed), prices);
        else if (kind < 13)
            cancel(engine, at);
        else if (kind < 15)
            replace(engine, at, 1 + (uint32_t)(r >> 44) % 60);
        else
            sell(engine, 1 + (uint32_t)(r >> 44) % 120);
        if (i % 200 != 0)
            continue;
        check_orders(engine, ORDERS, prices);
        check_orders(engine, at, prices);
        check_levels_and_queues(engine, prices);
        check_scan(engine, TL_ACCOUNT_ALL, 7);
        check_scan(engine, (uint32_t)(r >> 50) % ACCOUNTS, ORDERS);
    }
    tl_engine_close(engine);
}

/* ── what is not there ───────────────────────────────────────────────────────────────────────── */

static void a_side_that_is_none_has_nothing(void)
{
    tl_engine *engine = open_engine();
    tl_level_view level;
    step(engine, order(TL_SIDE_BUY, 100, 5));
    step(engine, order(TL_SIDE_SELL, 101, 5));
    for (unsigned side = 0; side <= UINT8_MAX; side++) {
        bool known = side == TL_SIDE_BUY || side == TL_SIDE_SELL;
        uint8_t asked = (uint8_t)side;
        uint32_t slot = 0;
        tl_orders_filter filter = {TL_ACCOUNT_ALL, TL_INSTRUMENT_ALL, asked, 0};
        CHECK((tl_engine_best(engine, 0, asked) > 0) == known);
        CHECK(tl_engine_depth(engine, 0, asked, &level, 1) == known);
        CHECK(tl_engine_orders(engine, 0, asked, views, 1) == known);
        CHECK((tl_engine_level(engine, 0, asked, 100, &level) > 0) == (side == TL_SIDE_BUY));
        CHECK((tl_engine_orders_scan(engine, &filter, &slot, views, ORDERS) > 0) ==
              (known || side == 0));
    }
    tl_engine_close(engine);
}

static void prices_orders_and_instruments_that_are_not_there_have_nothing(void)
{
    tl_engine *engine = open_engine();
    tl_level_view level;
    tl_order_view view;
    uint64_t id = step(engine, order(TL_SIDE_BUY, 100, 5)).order_id;
    const int64_t prices[] = {INT64_MIN, -1, 0, 99, 101, TL_PRICE_MAX, TL_PRICE_MAX + 1,
                              (INT64_C(1) << 32) + 100, INT64_MAX};
    for (size_t i = 0; i < sizeof prices / sizeof prices[0]; i++)
        CHECK(tl_engine_level(engine, 0, TL_SIDE_BUY, prices[i], &level) == 0 && level.qty == 0);
    CHECK(tl_engine_level(engine, 0, TL_SIDE_BUY, 100, &level) == 1 && level.qty == 5);
    CHECK(tl_engine_level(engine, 1, TL_SIDE_BUY, 100, &level) == 0);
    CHECK(tl_engine_level(engine, 2, TL_SIDE_BUY, 100, &level) == 0);
    CHECK(tl_engine_orders(engine, UINT16_MAX, TL_SIDE_BUY, views, 1) == 0);
    const uint64_t ids[] = {0, id + 1, id ^ UINT64_C(1) << 32, UINT64_MAX};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        CHECK(tl_engine_order(engine, ids[i], &view) == 0 && view.order_id == 0);
        CHECK(tl_engine_ahead(engine, ids[i], &level) == 0 && level.qty == 0);
    }
    step(engine, (tl_command){.type = TL_MSG_TYPE_CANCEL, .order_id = id});
    CHECK(tl_engine_order(engine, id, &view) == 0 && tl_engine_ahead(engine, id, &level) == 0);
    tl_engine_close(engine);
}

static void a_sink_of_the_size_told_holds_the_longest_answer(void)
{
    tl_engine *engine = open_engine();
    CHECK(tl_engine_sink_slots(engine) == EVENTS);
    for (int i = 0; i < ORDERS - 1; i++)
        step(engine, order(TL_SIDE_SELL, 10, 1));
    tl_event_sink sink = {slots, tl_engine_sink_slots(engine) - 1, 0};
    tl_command sweep = order(TL_SIDE_BUY, 10, ORDERS);
    tl_engine_step(engine, &sweep, &sink);
    CHECK(sink.next == ORDERS && slots[0].exec_type == TL_EXEC_TYPE_NEW);
    tl_engine_close(engine);
}

int main(void)
{
    queries_say_what_a_plain_list_has(1, 1, 400);
    queries_say_what_a_plain_list_has(2, 3, 600);
    queries_say_what_a_plain_list_has(3, 40, 600);
    queries_say_what_a_plain_list_has(4, 900, 900);
    a_side_that_is_none_has_nothing();
    prices_orders_and_instruments_that_are_not_there_have_nothing();
    a_sink_of_the_size_told_holds_the_longest_answer();
    return 0;
}
