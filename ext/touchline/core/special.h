/* Special orders (section 8 of docs/rules.md): where they rest, what their events say, and how
 * every order of an instrument meets the book while that instrument has any.
 *
 *   special_enter.c   terms checked, the order accepted
 *   special_match.c   an order meets the book; icebergs show their next part
 *   linked.c          what cancels, updates or releases another: section 12
 *   all_or_none.c     what is there to trade with at once; who waits for all of it
 *   selftrade.c       what becomes of two orders of one account or group that meet
 *   triggers.c        what waits for a stop price, and the queue of what has been triggered
 *   trailing.c        stop prices that follow the last trade
 *   special_amend.c   cancel and replace
 *   expiry.c          orders past their time
 *   phases.h          what collects them until an auction
 *
 * A plain order whose instrument has none never comes here: it asks instrument.special and goes its
 * own way (decision 21). Of an order without terms everything here is as it is there.
 */
#ifndef TOUCHLINE_SPECIAL_H
#define TOUCHLINE_SPECIAL_H

#include "touchline/core/match.h"

/* What one command brings about among the orders of an instrument. */
typedef struct tl_meeting {
    const tl_step *s;
    uint32_t own; /* the order that the command itself entered or changes */
    uint32_t min_qty; /* of which so much has to trade at once, or nothing */
    bool traded;  /* since triggers were looked for; then at prices from low to high, of which
                     these were the first and the last */
    uint32_t first;
    uint32_t last;
    uint32_t low;
    uint32_t high;
} tl_meeting;

/* The queue that an order stands in or is to stand in. */
typedef struct tl_place {
    tl_book *book;
    unsigned side_index; /* as which side it is sorted */
    uint32_t price;
} tl_place;

/* Rule 3.4: with this TimeInForce, may what is left rest? */
static inline bool tl_time_rests(uint8_t time_in_force)
{
    return time_in_force == TL_TIME_IN_FORCE_DAY || time_in_force == TL_TIME_IN_FORCE_GTC ||
           time_in_force == TL_TIME_IN_FORCE_GTD;
}

static inline bool tl_is_stop(const tl_special *terms)
{
    return terms->ord_type == TL_ORD_TYPE_STOP || terms->ord_type == TL_ORD_TYPE_STOP_LIMIT;
}

static inline tl_book *tl_unseen_book(const tl_shelf *shelf, uint16_t instrument, unsigned which)
{
    return &shelf->unseen[(size_t)instrument * TL_UNSEEN_BOOKS + which];
}

/* Does it stand apart from where it may trade? */
static inline bool tl_is_apart(const tl_special *terms)
{
    return (terms->flags & TL_APART_FLAGS) != 0 || (terms->linked & TL_LINK_HELD) != 0;
}

/* Where an order with these terms and this limit price stands. */
static inline tl_place tl_place_with(const tl_shelf *shelf, uint16_t instrument, uint8_t side,
                                     const tl_special *terms, uint32_t price)
{
    unsigned side_index = tl_side_index(side);
    if (((terms->flags & (TL_APART_FLAGS | TL_ALL_OR_NONE | TL_FLAG_HIDDEN)) |
         (terms->linked & TL_LINK_HELD)) == 0)
        return (tl_place){&shelf->books[instrument], side_index, price};
    if ((terms->linked & TL_LINK_HELD) != 0) {
        bool released = (terms->linked & TL_LINK_RELEASED) != 0;
        return (tl_place){tl_unseen_book(shelf, instrument, TL_UNSEEN_HELD_BUY + side_index), 1,
                          released ? TL_KEY_RELEASED : TL_KEY_HELD};
    }
    if ((terms->flags & (TL_COLLECTED | TL_PARKED)) != 0) {
        bool parked = (terms->flags & TL_PARKED) != 0;
        unsigned which = (parked ? TL_UNSEEN_PARKED_BUY : TL_UNSEEN_CALL_BUY) + side_index;
        return (tl_place){tl_unseen_book(shelf, instrument, which), 1,
                          tl_call_key(side_index, price)};
    }
    if ((terms->flags & TL_WAITING) != 0 && terms->trail != 0)
        return (tl_place){tl_unseen_book(shelf, instrument, TL_UNSEEN_TRAIL_BUY + side_index), 1,
                          TL_KEY_TRAILING};
    if ((terms->flags & TL_WAITING) != 0) {
        bool stop = tl_is_stop(terms);
        unsigned which = (stop ? TL_UNSEEN_STOP_BUY : TL_UNSEEN_TOUCH_BUY) + side_index;
        return (tl_place){tl_unseen_book(shelf, instrument, which),
                          stop ? !side_index : side_index, terms->stop_price};
    }
    if ((terms->flags & TL_ALL_OR_NONE) != 0)
        return (tl_place){tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + side_index),
                          side_index, price};
    return (tl_place){tl_unseen_book(shelf, instrument, TL_UNSEEN_HIDDEN), side_index, price};
}

static inline tl_place tl_place_of(const tl_shelf *shelf, uint32_t slot)
{
    const tl_order *order = &shelf->orders[slot];
    return tl_place_with(shelf, order->instrument, order->side, &shelf->special[slot],
                         order->price);
}

/* The best of the all-or-none orders of a side, to keys up to `limit`, that `lots` are enough for;
 * TL_NONE when there is none. Rule 8.12. */
uint32_t tl_all_or_none_maker(const tl_shelf *shelf, uint16_t instrument, unsigned side_index,
                              uint32_t limit, uint32_t lots);

/* The next that so many lots can trade with on a side: what is shown before what is hidden before
 * what trades whole, at one price. TL_NONE when nobody is there, or only at keys beyond `limit`.
 * With 0 lots nobody who trades whole is. Rules 8.5 and 8.12. */
static inline uint32_t tl_next_maker(const tl_shelf *shelf, uint16_t instrument,
                                     unsigned side_index, uint32_t limit, uint32_t lots)
{
    const tl_best *best = &shelf->books[instrument].best[side_index];
    const tl_best *hidden =
        &tl_unseen_book(shelf, instrument, TL_UNSEEN_HIDDEN)->best[side_index];
    if (hidden->key < best->key)
        best = hidden;
    if (lots == 0)
        return best->key > limit ? TL_NONE : tl_level_head(shelf, best->level);
    const tl_book *wholes =
        tl_unseen_book(shelf, instrument, TL_UNSEEN_ALL_OR_NONE_BUY + side_index);
    const tl_best *whole = &wholes->best[side_index];
    if (whole->key < best->key && whole->key <= limit) {
        uint32_t before = best->key - 1 < limit ? best->key - 1 : limit;
        uint32_t slot = tl_all_or_none_maker(shelf, instrument, side_index, before, lots);
        if (slot != TL_NONE)
            return slot;
    }
    return best->key > limit ? TL_NONE : tl_level_head(shelf, best->level);
}

/* The best price of a side, hidden orders among them, those that trade whole not; 0: nobody is
 * there. */
static inline uint32_t tl_best_of_all(const tl_shelf *shelf, uint16_t instrument,
                                      unsigned side_index)
{
    uint32_t slot = tl_next_maker(shelf, instrument, side_index, TL_KEY_NONE - 1, 0);
    return slot == TL_NONE ? 0 : shelf->orders[slot].price;
}

/* Rule 8.2: the events of a special order repeat its flags; an event about an order that is not the
 * command's own answers no request. */
tl_event *tl_special_event_begin(const tl_meeting *m, uint8_t exec_type, uint32_t slot);

/* What the order has left stands at its place, behind the others there; an iceberg shows a part. */
void tl_stand(const tl_step *s, uint32_t slot);
/* And stands there no longer; its slot stays taken. */
void tl_step_aside(const tl_step *s, uint32_t slot);
/* The order has ended, and its terms and links with it. What it has left is 0 where all of it has
 * traded. */
void tl_special_end(const tl_step *s, uint32_t slot);
/* The same of an order that is linked with nobody. */
void tl_special_end_alone(const tl_step *s, uint32_t slot);
/* Its last event, and its end; it does not stand anywhere. */
void tl_special_take_off(const tl_meeting *m, uint32_t slot, uint8_t exec_type, uint8_t reason);
void tl_restated(const tl_meeting *m, uint32_t slot);
/* As the above, canceled, of an order that was to meet the book as this type. */
void tl_special_cancel(const tl_meeting *m, uint32_t slot, uint8_t reason, uint8_t ord_type);
/* A trade of so many lots with a maker. */
void tl_trade_with(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type, uint32_t qty);
/* Rule 10.5: both have less, as by a trade that is none; who comes may have nothing left. */
void tl_decrement(tl_meeting *m, uint32_t slot, uint32_t maker, uint8_t ord_type);

/* Rule 8.7: events more than one that an order with these terms can cause in another's command. */
uint8_t tl_chain_of(const tl_special *terms, uint32_t order_qty);
/* The order has terms from now on, or other ones, or stands apart; none with flags 0. */
void tl_special_set(const tl_step *s, uint32_t slot, const tl_special *terms);

/* The order, which stands nowhere, meets the book, and what that triggers does after it. */
void tl_meet(tl_meeting *m, uint32_t slot, const tl_terms *terms);
void tl_work_off_triggers(tl_meeting *m, uint16_t instrument);
struct tl_self_trader;
/* Lots, of those it wants, that the order would trade with now at keys up to `limit`. Rules 3.5,
 * 8.11, 8.12 and 10.6. */
uint32_t tl_available(const tl_step *s, uint32_t slot, uint32_t limit,
                      const struct tl_self_trader *own);
/* The first all-or-none order of the instrument that can trade does; false: none can. */
bool tl_all_or_none_trade(tl_meeting *m, uint16_t instrument);
/* A special order that has come: waits, is triggered at once, or meets the book. */
void tl_special_arrive(tl_meeting *m, uint32_t slot);
/* Has a price from low to high met the stop price? */
bool tl_met(const tl_special *terms, uint8_t side, uint32_t low, uint32_t high);

/* Rule 8.4: is what an order of so many lots shows enough of it? */
static inline bool tl_display_passes(const tl_special *terms, int64_t qty, tl_verdict *verdict)
{
    int64_t least = (qty + TL_DISPLAY_PARTS_MAX - 1) / TL_DISPLAY_PARTS_MAX;
    if (terms->display_qty == 0 || terms->display_qty >= least)
        return true;
    return tl_risk_refuse(verdict, TL_REASON_DISPLAY_QTY, terms->display_qty, least);
}

/* Rule 8.6: the price at which a post-only order may stand; fills the verdict and returns 0 when it
 * is refused. */
uint32_t tl_post_only_price(const tl_step *s, uint16_t instrument, uint8_t side, uint8_t flags,
                            int64_t price, tl_verdict *verdict);

#endif
