/* Matching: an order meets the resting ones, price first, then time, at the maker's price.
 * Section 3 of docs/rules.md.
 *
 *   tl_match ─► fill-or-kill, and too little there? ──yes──► canceled
 *                 │no
 *               trade with the oldest order of the best price, again and again while it crosses
 *                 │
 *               nothing left ─► ends;  may rest ─► rests;  else ─► what is left is canceled
 */
#include "touchline/core/match.h"

/* The order that has arrived and does not rest (yet). */
typedef struct taker {
    tl_book *book;
    uint32_t slot;
    uint32_t leaves_qty;
    uint32_t limit;  /* its price as a key of the other side: it trades with keys up to this one */
    unsigned makers; /* the side it trades with, as an index */
} taker;

static inline bool crosses(const taker *t)
{
    return t->book->best[t->makers].key <= t->limit;
}

/* Rule 3.5: does the book hold all that is wanted? Looks at levels, not at orders. */
static bool fillable(const tl_shelf *shelf, const taker *t)
{
    uint8_t side = t->makers ? TL_SIDE_SELL : TL_SIDE_BUY;
    uint32_t level = t->book->best[t->makers].level;
    uint64_t found = 0;
    while (level != TL_NONE &&
           tl_key(t->makers, tl_level_price(shelf, t->book, level)) <= t->limit) {
        found += tl_level_qty(shelf, level);
        if (found >= t->leaves_qty)
            return true;
        level = tl_book_worse_level(shelf, side, level);
    }
    return false;
}

/* Rules 3.1 and 3.7: trade with the oldest order at the best price. */
static inline void trade_once(const tl_step *s, taker *t, uint8_t ord_type)
{
    uint32_t slot = tl_level_head(s->shelf, t->book->best[t->makers].level);
    const tl_order *maker = &s->shelf->orders[slot];
    bool maker_done = maker->leaves_qty <= t->leaves_qty;
    uint32_t qty = maker_done ? maker->leaves_qty : t->leaves_qty;
    t->leaves_qty -= qty;
    const tl_trade trade = {.taker = t->slot,
                            .maker = slot,
                            .qty = qty,
                            .leaves_qty = t->leaves_qty,
                            .ord_type = ord_type,
                            .flags = maker_done ? TL_FLAG_MAKER_DONE : 0};
    tl_event_publish(s, tl_trade_begin(s, &trade));
    tl_trade_positions(s, &trade);
    s->engine->risk.instruments[maker->instrument].reference_price = maker->price;
    if (!maker_done) {
        tl_rest_less(s, slot, qty);
        return;
    }
    tl_unrest(s, slot);
    tl_order_give_back(s->shelf, slot);
}

/* Rules 3.4 and 3.5: nothing of this order rests. */
static void cancel_remainder(const tl_step *s, uint32_t slot, uint8_t ord_type, uint8_t reason)
{
    tl_event *event = tl_order_event_begin(s, TL_EXEC_TYPE_CANCELED, slot);
    event->qty = s->shelf->orders[slot].leaves_qty;
    event->ord_type = ord_type;
    event->reason = reason;
    tl_event_publish(s, event);
    tl_order_give_back(s->shelf, slot);
}

void tl_match(const tl_step *s, uint32_t slot, const tl_terms *terms)
{
    tl_order *order = &s->shelf->orders[slot];
    unsigned makers = !tl_side_index(order->side);
    taker t = {&s->shelf->books[order->instrument], slot, order->leaves_qty,
               tl_key(makers, terms->price), makers};
    if (terms->time_in_force == TL_TIME_IN_FORCE_FOK && !fillable(s->shelf, &t)) {
        cancel_remainder(s, slot, terms->ord_type, TL_REASON_FOK_UNFILLED);
        return;
    }
    while (t.leaves_qty > 0 && crosses(&t))
        trade_once(s, &t, terms->ord_type);
    order->leaves_qty = t.leaves_qty;
    if (t.leaves_qty == 0)
        tl_order_give_back(s->shelf, slot);
    else if (terms->time_in_force == TL_TIME_IN_FORCE_IOC)
        cancel_remainder(s, slot, terms->ord_type, TL_REASON_IOC_REMAINDER);
    else if (terms->ord_type == TL_ORD_TYPE_MARKET)
        cancel_remainder(s, slot, terms->ord_type, TL_REASON_MARKET_REMAINDER);
    else
        tl_rest(s, slot);
}
