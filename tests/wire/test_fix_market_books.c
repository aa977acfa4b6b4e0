/* Books told by market data are the engine's own, whatever a client has missed. */
#include "market.h"

#define STEPS 12000

/* Mostly orders near each other; `spread` ticks wide. */
static tl_command random_command(uint64_t *state, uint64_t spread)
{
    static const uint8_t kinds[8] = {TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_CANCEL,    TL_MSG_TYPE_REPLACE,
                                     TL_MSG_TYPE_REPLACE,   TL_MSG_TYPE_MASS_CANCEL};
    static const uint8_t times[4] = {TL_TIME_IN_FORCE_DAY, TL_TIME_IN_FORCE_GTC,
                                     TL_TIME_IN_FORCE_IOC, TL_TIME_IN_FORCE_FOK};
    const uint64_t r = random_next(state);
    tl_command cmd = {.type = kinds[r % 8],
                      .instrument = (uint16_t)((r >> 3 & 1023) % INSTRUMENTS),
                      .account = (uint32_t)(r >> 13 & 1),
                      .side = r >> 14 & 1 ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .ord_type = r >> 15 & 15 ? TL_ORD_TYPE_LIMIT : TL_ORD_TYPE_MARKET,
                      .time_in_force = times[r >> 19 & 3],
                      .price = (int64_t)(1000 + (r >> 21 & 4095) % spread),
                      .qty = (int64_t)(1 + (r >> 33 & 15)),
                      .ts_ns = INT64_C(1767225600000000000)};
    if (cmd.ord_type == TL_ORD_TYPE_MARKET)
        cmd.price = 0;
    if (cmd.type == TL_MSG_TYPE_CANCEL || cmd.type == TL_MSG_TYPE_REPLACE)
        cmd.order_id = (1 + (r >> 37 & 15)) << 32 | (r >> 41 & 511);
    if (cmd.type == TL_MSG_TYPE_MASS_CANCEL && r >> 50 & 255)
        cmd.type = TL_MSG_TYPE_NEW_ORDER;
    return cmd;
}

/* Every client has the engine's book, as deep as it asked for. */
static void reconcile(void)
{
    static tl_level_view views[LEVELS_MAX];
    for (uint32_t i = 0; i < BOOKS; i++) {
        const client *of = &clients[i];
        if (!of->subscribed)
            continue;
        for (unsigned s = 0; s < 2; s++) {
            const uint32_t count =
                tl_engine_depth(engine, (uint16_t)of->instrument,
                                s == 0 ? TL_SIDE_BUY : TL_SIDE_SELL, views, of->depth);
            CHECK(count == of->sides[s].count);
            for (uint32_t j = 0; j < count; j++) {
                CHECK(views[j].price == of->sides[s].levels[j].price);
                CHECK(views[j].qty == of->sides[s].levels[j].qty);
                CHECK(views[j].orders == of->sides[s].levels[j].orders);
            }
        }
    }
}

/* A session each of three versions; depth 1, 5, all; and one in full each time. */
static void subscribe_all(void)
{
    static const uint32_t depths[4] = {1, 5, 0, 5};
    for (uint32_t i = 0; i < BOOKS; i++) {
        const uint32_t depth = depths[i % 4];
        ask(i / 4, "V|262=%u|263=1|264=%u|265=%u|267=3|269=0|269=1|269=2|146=1|55=%s|", i, depth,
            i % 4 != 3, symbols[i % INSTRUMENTS]);
        CHECK(sent_count == 0);
        clients[i].instrument = i % INSTRUMENTS;
        clients[i].depth = depth == 0 ? LEVELS_MAX : depth;
        clients[i].subscribed = true;
    }
}

static void run(uint64_t seed, uint64_t spread)
{
    uint64_t state = seed, before[INSTRUMENTS] = {0};
    begin();
    for (int i = 0; i < 2000; i++) {
        const tl_command cmd = random_command(&state, spread);
        step(&cmd);
    }
    memcpy(before, traded, sizeof before);
    subscribe_all();
    settle();
    reconcile();
    for (int i = 0; i < STEPS; i++) {
        const tl_command cmd = random_command(&state, spread);
        step(&cmd);
        for (uint32_t s = 0; s < SESSIONS; s++) /* one keeps up, one seldom, one hardly ever */
            ready[s] = random_next(&state) % (s == 0 ? 1 : s == 1 ? 20 : 300) == 0;
        CHECK(tl_fix_market_write(market, 1000000) == 0);
        if (i % 500 == 499) {
            ready[0] = ready[1] = ready[2] = true;
            settle();
            reconcile();
        }
    }
    for (uint32_t i = 0; i < BOOKS; i++)
        if (i % 4 != 3)
            CHECK(clients[i].trades + clients[i].missed ==
                  traded[clients[i].instrument] - before[clients[i].instrument]);
    CHECK(clients[0].missed == 0 && clients[0].trades > 0);
    CHECK(clients[8].messages < clients[0].messages);
    end();
}

static void a_client_has_the_engines_book(void)
{
    run(1, 40);
    run(2, 400);
    run(3, 2500);
}

static void what_does_not_fit_a_snapshot_follows(void)
{
    begin();
    for (int64_t i = 0; i < 900; i++) {
        order(0, TL_SIDE_BUY, 1000 - i, 5);
        order(0, TL_SIDE_SELL, 2000 + i, 5);
    }
    clients[0] = (client){.depth = LEVELS_MAX, .subscribed = true};
    ask(0, "V|262=0|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=AAA|");
    settle();
    check_said("35=W|55=AAA|262=0|");
    check_said("35=X|262=0|");
    CHECK(sent_count > 4);
    reconcile();
    clients[1] = (client){.depth = LEVELS_MAX};
    ask(0, "V|262=1|263=0|264=0|267=1|269=0|146=1|55=AAA|");
    settle();
    check_said("35=Y|58=the book of AAA has more levels than a message holds|262=1|281=5|");
    ask(0, "V|262=1|263=0|264=100|267=1|269=0|146=1|55=AAA|");
    settle();
    CHECK(clients[1].sides[0].count == 100 && clients[1].sides[1].count == 0);
    CHECK(tl_fix_market_items(market, 0) == 1);
    end();
}

static void levels_and_trades_are_told_as_they_come(void)
{
    begin();
    order(0, TL_SIDE_BUY, 1000, 5);
    ask(0, "V|262=3|263=1|264=0|265=1|267=3|269=0|269=1|269=2|146=1|55=AAA|");
    settle();
    check_said("35=W|55=AAA|262=3|268=1|269=0|270=1000|271=5|346=1|290=1|\n");
    clear();
    order(0, TL_SIDE_BUY, 1001, 7);
    order(0, TL_SIDE_BUY, 1000, 1);
    settle();
    check_said("35=X|262=3|268=2|279=0|269=0|55=AAA|270=1001|271=7|346=1|290=1|"
               "279=1|269=0|55=AAA|270=1000|271=6|346=2|290=2|\n");
    clear();
    order(0, TL_SIDE_SELL, 1001, 7);
    settle();
    check_said("|268=2|279=0|269=2|278=");
    check_said("|55=AAA|270=1001|271=7|272=20260101|273=00:00:00.000|"
               "279=2|269=0|55=AAA|270=1001|290=1|\n");
    clear();
    order(1, TL_SIDE_BUY, 1000, 5);
    settle();
    CHECK(sent_count == 0);
    ask(0, "V|262=3|263=2|264=0|267=1|269=0|146=1|55=AAA|");
    CHECK(tl_fix_market_items(market, 0) == 0 && sent_count == 0);
    order(0, TL_SIDE_BUY, 1001, 7);
    settle();
    CHECK(sent_count == 0);
    end();
}

static void what_comes_and_goes_unseen_is_not_told(void)
{
    begin();
    ask(0, "V|262=0|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=AAA|");
    settle();
    check_said("268=0|");
    clear();
    ready[0] = false;
    for (int i = 0; i < 1000; i++) {
        order(0, TL_SIDE_BUY, 1000, 5);
        order(0, TL_SIDE_SELL, 1000, 5);
        settle();
    }
    ready[0] = true;
    settle();
    CHECK(sent_count == 0);
    end();
}

static void a_session_far_behind_is_told_how_many_trades_it_missed(void)
{
    begin();
    ask(0, "V|262=0|263=1|264=0|265=1|267=1|269=2|146=1|55=AAA|");
    settle();
    clear();
    ready[0] = false;
    for (uint32_t i = 0; i < TL_FIX_TRADES_MAX + 7; i++) {
        order(0, TL_SIDE_BUY, 1000, 5);
        order(0, TL_SIDE_SELL, 1000, 5);
    }
    ready[0] = true;
    settle();
    check_said("58=7 before it are not told|");
    CHECK(clients[0].missed == 7 && clients[0].trades == TL_FIX_TRADES_MAX);
    end();
}

int main(void)
{
    a_client_has_the_engines_book();
    what_does_not_fit_a_snapshot_follows();
    levels_and_trades_are_told_as_they_come();
    what_comes_and_goes_unseen_is_not_told();
    a_session_far_behind_is_told_how_many_trades_it_missed();
    return 0;
}
