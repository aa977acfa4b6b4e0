/* The price of an auction, and its trades at that one price: rules 9.4 and 9.5 of docs/rules.md.
 *
 *   prices from the lowest up ─► at each: lots to buy there or above, to sell there or below
 *     more volume than before, or as much and less surplus ─► the lowest price so far
 *     as much of both ─► the highest so far
 *   between the lowest and the highest: whose surplus presses, then the reference price
 *
 * Levels are walked, not orders.
 */
#include "touchline/core/linked.h"
#include "touchline/core/phases.h"

/* One side of a call; its book is sorted as asks are, under tl_call_key. */
typedef struct side {
    const tl_shelf *shelf;
    const tl_book *book;
    unsigned index;
    uint32_t level; /* the next to be looked at; TL_NONE: no more */
} side;

static side side_of(const tl_shelf *shelf, uint16_t instrument, unsigned index)
{
    const tl_book *book = tl_unseen_book(shelf, instrument, TL_UNSEEN_CALL_BUY + index);
    return (side){shelf, book, index, book->best[1].level};
}

static uint32_t key_of(const side *side, uint32_t level)
{
    return tl_level_price(side->shelf, side->book, level);
}

/* Its price; above all others when there is none left. */
static uint32_t price_of(const side *side)
{
    if (side->level == TL_NONE)
        return UINT32_MAX;
    return tl_call_key(side->index, key_of(side, side->level));
}

/* Lots up to a key, the best first. */
static uint64_t lots_up_to(const tl_shelf *shelf, uint16_t instrument, unsigned index, uint32_t key)
{
    side side = side_of(shelf, instrument, index);
    uint64_t lots = 0;
    while (side.level != TL_NONE && key_of(&side, side.level) <= key) {
        lots += tl_level_qty(shelf, side.level);
        side.level = tl_book_worse_level(shelf, TL_SIDE_SELL, side.level);
    }
    return lots;
}

/* ── the prices that come into question ────────────────────────────────────────────────────── */

/* The best so far: a range of prices that all trade as much and leave as much. */
typedef struct range {
    tl_crossing lowest;
    tl_crossing highest;
} range;

static int64_t surplus_of(const tl_crossing *crossing)
{
    return (int64_t)(crossing->bought - crossing->sold);
}

static uint64_t left_of(const tl_crossing *crossing)
{
    int64_t surplus = surplus_of(crossing);
    return (uint64_t)(surplus < 0 ? -surplus : surplus);
}

static void consider(range *best, const tl_crossing *at)
{
    uint64_t volume = tl_crossing_volume(at), most = tl_crossing_volume(&best->highest);
    if (volume == 0 || volume < most)
        return;
    if (volume > most || left_of(at) < left_of(&best->highest))
        *best = (range){*at, *at};
    else if (left_of(at) == left_of(&best->highest))
        best->highest = *at;
}

/* The buys with a limit from the lowest price up: their book from its end. */
static void turn_round(side *buys)
{
    uint32_t last = TL_NONE;
    for (; buys->level != TL_NONE;
         buys->level = tl_book_worse_level(buys->shelf, TL_SIDE_SELL, buys->level))
        last = buys->level;
    buys->level = last;
    if (last != TL_NONE && key_of(buys, last) == 0)
        buys->level = TL_NONE;
}

static void next_up(side *side)
{
    uint8_t towards = side->index == 0 ? TL_SIDE_BUY : TL_SIDE_SELL;
    side->level = tl_book_worse_level(side->shelf, towards, side->level);
    if (side->level != TL_NONE && key_of(side, side->level) == 0)
        side->level = TL_NONE;
}

static range best_prices(const tl_engine *engine, uint16_t instrument)
{
    const tl_shelf *shelf = &engine->shelf;
    side buys = side_of(shelf, instrument, 0), sells = side_of(shelf, instrument, 1);
    range best = {0};
    tl_crossing at = {.bought = lots_up_to(shelf, instrument, 0, TL_KEY_NONE),
                      .sold = lots_up_to(shelf, instrument, 1, 0)};
    turn_round(&buys);
    if (sells.level != TL_NONE && key_of(&sells, sells.level) == 0)
        next_up(&sells);
    if (buys.level == TL_NONE && sells.level == TL_NONE) { /* all at the market */
        at.price = (uint32_t)engine->risk.instruments[instrument].reference_price;
        if (at.price != 0)
            consider(&best, &at);
        return best;
    }
    while (buys.level != TL_NONE || sells.level != TL_NONE) {
        uint32_t to_buy = price_of(&buys), to_sell = price_of(&sells);
        at.price = to_buy < to_sell ? to_buy : to_sell;
        if (to_sell == at.price) {
            at.sold += tl_level_qty(shelf, sells.level);
            next_up(&sells);
        }
        consider(&best, &at);
        if (to_buy == at.price) {
            at.bought -= tl_level_qty(shelf, buys.level);
            next_up(&buys);
        }
    }
    return best;
}

tl_crossing tl_auction_price(const tl_engine *engine, uint16_t instrument)
{
    const tl_shelf *shelf = &engine->shelf;
    int64_t reference = engine->risk.instruments[instrument].reference_price;
    range best = best_prices(engine, instrument);
    tl_crossing found = best.lowest;
    if (found.price == 0)
        return found;
    if (surplus_of(&best.lowest) > 0 && surplus_of(&best.highest) > 0)
        found = best.highest;
    else if (surplus_of(&best.lowest) >= 0 || surplus_of(&best.highest) >= 0)
        found.price = reference < best.lowest.price    ? best.lowest.price
                      : reference > best.highest.price ? best.highest.price
                                                       : (uint32_t)reference;
    found.bought = lots_up_to(shelf, instrument, 0, tl_call_key(0, found.price));
    found.sold = lots_up_to(shelf, instrument, 1, found.price);
    return found;
}

/* ── trades ────────────────────────────────────────────────────────────────────────────────── */

static uint32_t first_of(const tl_shelf *shelf, uint16_t instrument, unsigned index)
{
    side side = side_of(shelf, instrument, index);
    return tl_level_head(shelf, side.level);
}

/* It stands no longer, or with so much less. */
static void fill(const tl_step *s, uint32_t slot, uint32_t qty)
{
    if (qty < s->shelf->orders[slot].leaves_qty) {
        tl_rest_less(s, slot, qty);
        return;
    }
    tl_step_aside(s, slot);
    s->shelf->orders[slot].leaves_qty = 0;
    tl_special_end(s, slot);
}

/* Partners of those that have traded, in the list of `allotted`, until all trades are done. */
typedef struct lessened {
    uint32_t *slots;
    uint32_t count;
} lessened;

static void note_partner(const tl_step *s, lessened *list, uint32_t slot, uint32_t qty)
{
    uint32_t partner = tl_link_partner(s->shelf, slot);
    bool noted = partner == TL_NONE || s->shelf->links[partner].less != 0;
    tl_link_traded(s->shelf, slot, qty);
    if (!noted && s->shelf->links[partner].less != 0)
        list->slots[list->count++] = partner;
}

/* The first to buy and the first to sell, neither of whom anybody sees. */
static uint32_t trade_once(const tl_step *s, uint32_t price, uint64_t left, lessened *list)
{
    const tl_shelf *shelf = s->shelf;
    uint32_t buy = first_of(shelf, s->cmd->instrument, 0);
    uint32_t sell = first_of(shelf, s->cmd->instrument, 1);
    tl_ask_for_next(shelf, buy);
    tl_ask_for_next(shelf, sell);
    uint32_t bought = shelf->orders[buy].leaves_qty, sold = shelf->orders[sell].leaves_qty;
    uint32_t qty = bought < sold ? bought : sold;
    if (qty > left)
        qty = (uint32_t)left;
    const tl_trade trade = {
        .taker = buy,
        .maker = sell,
        .qty = qty,
        .leaves_qty = bought - qty,
        .ord_type = shelf->special[buy].ord_type,
        .flags = (uint8_t)(TL_FLAG_HIDDEN | (qty == sold ? TL_FLAG_MAKER_DONE : 0))};
    tl_event *event = tl_trade_begin(s, &trade);
    event->price = price;
    event->time_in_force = tl_order_time_in_force(&shelf->orders[buy]);
    tl_event_publish(s, event);
    tl_trade_positions(s, &trade);
    note_partner(s, list, sell, qty);
    note_partner(s, list, buy, qty);
    fill(s, sell, qty);
    fill(s, buy, qty);
    return qty;
}

void tl_auction_trade(const tl_meeting *m, const tl_crossing *crossing)
{
    const tl_step *s = m->s;
    uint64_t left = tl_crossing_volume(crossing);
    lessened list = {.slots = s->shelf->allotted};
    if (left > 0)
        s->engine->risk.instruments[s->cmd->instrument].reference_price = crossing->price;
    while (left > 0)
        left -= trade_once(s, crossing->price, left, &list);
    for (uint32_t i = 0; i < list.count; i++) {
        tl_link_settle(m, list.slots[i]);
        list.slots[i] = 0;
    }
}
