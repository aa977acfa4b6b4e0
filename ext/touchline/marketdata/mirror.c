/* What each event does to the mirror. Every check comes before the first change. */
#include "touchline/marketdata/mirror_state.h"

const char *tl_mirror_fault_text(int fault)
{
#define TL_FAULT_TEXT(name, text) text,
    static const char *const texts[] = {TL_MIRROR_FAULTS(TL_FAULT_TEXT)};
#undef TL_FAULT_TEXT
    assert(fault >= 0 && (size_t)fault < sizeof texts / sizeof *texts);
    return texts[fault];
}

int tl_mirror_fault(const tl_mirror *mirror)
{
    return mirror->fault;
}

/* ── orders ────────────────────────────────────────────────────────────────────────────────── */

/* A slot is free while its generation is 0, which no OrderID has. */
static void forget(tl_mirror *mirror, uint32_t slot)
{
    mirror->shelf.orders[slot].generation = 0;
}

/* The slot of an order in the book or about to rest there, TL_NONE for none. */
static uint32_t find(const tl_mirror *mirror, uint64_t order_id)
{
    uint32_t slot = (uint32_t)order_id;
    uint32_t generation = (uint32_t)(order_id >> 32);
    bool known = slot < mirror->pools.orders_max && generation != 0 &&
                 mirror->shelf.orders[slot].generation == generation;
    return known ? slot : TL_NONE;
}

static bool crosses(const tl_mirror *mirror, uint16_t instrument, uint8_t side, int64_t price)
{
    unsigned other = 1 - tl_side_index(side);
    return mirror->shelf.books[instrument].best[other].key <= tl_key(other, (uint32_t)price);
}

/* An order that may rest does so now, or once its trades have been seen. */
static bool meet_book(tl_mirror *mirror, const tl_event *event, uint32_t slot)
{
    const tl_order *order = &mirror->shelf.orders[slot];
    if (crosses(mirror, order->instrument, order->side, order->price)) {
        mirror->taker = (tl_taker){slot, order->leaves_qty};
        return false;
    }
    return tl_mirror_rest(mirror, event, slot);
}

static bool has_room(const tl_mirror *mirror, uint16_t instrument, int64_t price)
{
    const tl_book *book = &mirror->shelf.books[instrument];
    return tl_book_has_room(&mirror->shelf, book, (uint32_t)price);
}

static int new_order(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot = (uint32_t)event->order_id;
    bool side = event->side == TL_SIDE_BUY || event->side == TL_SIDE_SELL;
    if (!side || !tl_is_price(event->price) || event->qty < 1 || event->qty > TL_QTY_MAX)
        return TL_MIRROR_NOT_AN_ORDER;
    if (slot >= mirror->pools.orders_max || event->order_id >> 32 == 0)
        return TL_MIRROR_NOT_AN_ORDER_ID;
    tl_order *order = &mirror->shelf.orders[slot];
    if (order->generation != 0)
        return TL_MIRROR_ORDER_EXISTS;
    if (!crosses(mirror, event->instrument, event->side, event->price) &&
        !has_room(mirror, event->instrument, event->price))
        return TL_MIRROR_NO_ROOM;
    *order = (tl_order){.level = TL_NONE,
                        .leaves_qty = event->qty,
                        .price = (uint32_t)event->price,
                        .generation = (uint32_t)(event->order_id >> 32),
                        .instrument = event->instrument,
                        .side = event->side};
    *touched = meet_book(mirror, event, slot);
    return TL_MIRROR_NONE;
}

/* The order of an event that takes it off or changes it; the fault when there is none. */
static int own_order(const tl_mirror *mirror, const tl_event *event, uint32_t *slot)
{
    *slot = find(mirror, event->order_id);
    if (*slot == TL_NONE)
        return TL_MIRROR_UNKNOWN_ORDER;
    const tl_order *order = &mirror->shelf.orders[*slot];
    bool same = order->instrument == event->instrument && order->side == event->side;
    return same && order->level != TL_NONE ? TL_MIRROR_NONE : TL_MIRROR_NOT_THAT_ORDER;
}

/* Rule 8.2: an event says where an order stands, and it stands there behind all others. Its time in
 * force, which no event here is asked for, says that what is known of it is what is shown of it. */
static int restate(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot = (uint32_t)event->order_id;
    bool side = event->side == TL_SIDE_BUY || event->side == TL_SIDE_SELL;
    if (!side || !tl_is_price(event->price) || event->qty < 1 || event->qty > event->leaves_qty ||
        event->leaves_qty > TL_QTY_MAX)
        return TL_MIRROR_NOT_AN_ORDER;
    if (slot >= mirror->pools.orders_max || event->order_id >> 32 == 0)
        return TL_MIRROR_NOT_AN_ORDER_ID;
    tl_order *order = &mirror->shelf.orders[slot];
    if (order->generation != 0 && find(mirror, event->order_id) == TL_NONE)
        return TL_MIRROR_ORDER_EXISTS;
    if (crosses(mirror, event->instrument, event->side, event->price))
        return TL_MIRROR_NOT_AN_ORDER;
    if (!has_room(mirror, event->instrument, event->price))
        return TL_MIRROR_NO_ROOM;
    if (order->generation != 0 && order->level != TL_NONE)
        *touched = tl_mirror_leave(mirror, event, slot);
    *order = (tl_order){.level = TL_NONE,
                        .leaves_qty = event->qty,
                        .price = (uint32_t)event->price,
                        .generation = (uint32_t)(event->order_id >> 32),
                        .instrument = event->instrument,
                        .side = event->side,
                        .time_in_force = TL_MIRROR_STATED};
    if (tl_mirror_rest(mirror, event, slot))
        *touched = true;
    return TL_MIRROR_NONE;
}

/* Likewise; a special order need not be shown, nor one that must not trade with another of its
 * account and had no place yet. It has no slot then: TL_NONE. */
static int own_order_if_shown(const tl_mirror *mirror, const tl_event *event, uint32_t *slot)
{
    *slot = find(mirror, event->order_id);
    if (*slot == TL_NONE &&
        ((event->flags & TL_FLAG_SPECIAL) != 0 || event->reason == TL_REASON_SELF_TRADE))
        return TL_MIRROR_NONE;
    return own_order(mirror, event, slot);
}

static int take_off(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot;
    int fault = own_order_if_shown(mirror, event, &slot);
    if (fault != TL_MIRROR_NONE || slot == TL_NONE)
        return fault;
    const tl_order *order = &mirror->shelf.orders[slot];
    bool whole = (event->flags & TL_FLAG_SPECIAL) == 0;
    if (order->price != event->price ||
        (whole ? order->leaves_qty != event->qty : order->leaves_qty > event->qty))
        return TL_MIRROR_NOT_THAT_ORDER;
    *touched = tl_mirror_leave(mirror, event, slot);
    forget(mirror, slot);
    return TL_MIRROR_NONE;
}

/* Rule 4.3: smaller at the same price it keeps its place. */
static int keep_place(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot;
    int fault = own_order_if_shown(mirror, event, &slot);
    if (fault != TL_MIRROR_NONE || slot == TL_NONE)
        return fault;
    const tl_order *order = &mirror->shelf.orders[slot];
    bool part = (event->flags & TL_FLAG_SPECIAL) != 0;
    if (order->price != event->price || event->leaves_qty < 1 ||
        (event->leaves_qty > order->leaves_qty && !part))
        return TL_MIRROR_NOT_THAT_ORDER;
    if (event->leaves_qty >= order->leaves_qty && part)
        return TL_MIRROR_NONE; /* what is not shown of it became less */
    *touched = tl_mirror_shrink(mirror, event, slot, order->leaves_qty - event->leaves_qty);
    return TL_MIRROR_NONE;
}

/* Of an order that an event states anew. */
static int forget_until_stated(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot;
    int fault = own_order_if_shown(mirror, event, &slot);
    if (fault != TL_MIRROR_NONE || slot == TL_NONE)
        return fault;
    *touched = tl_mirror_leave(mirror, event, slot);
    forget(mirror, slot);
    return TL_MIRROR_NONE;
}

/* Rule 9.3: a call has begun, and nobody sees from now on where the order stands. */
static int collected(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    bool known = find(mirror, event->order_id) != TL_NONE;
    return known ? forget_until_stated(mirror, event, touched) : TL_MIRROR_UNKNOWN_ORDER;
}

/* Any other replace leaves its level and meets the book again with what it has left. */
static int move(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    uint32_t slot;
    int fault = own_order(mirror, event, &slot);
    if (fault != TL_MIRROR_NONE)
        return fault;
    if (!tl_is_price(event->price) || event->leaves_qty > event->qty || event->qty > TL_QTY_MAX)
        return TL_MIRROR_NOT_AN_ORDER;
    tl_order *order = &mirror->shelf.orders[slot];
    if (event->price != order->price && event->leaves_qty > 0 &&
        !crosses(mirror, event->instrument, event->side, event->price) &&
        !has_room(mirror, event->instrument, event->price))
        return TL_MIRROR_NO_ROOM;
    *touched = tl_mirror_leave(mirror, event, slot);
    if (event->leaves_qty == 0) {
        forget(mirror, slot);
        return TL_MIRROR_NONE;
    }
    order->price = (uint32_t)event->price;
    order->leaves_qty = event->leaves_qty;
    if (meet_book(mirror, event, slot))
        *touched = true;
    return TL_MIRROR_NONE;
}

/* ── trades ────────────────────────────────────────────────────────────────────────────────── */

static int check_trade(const tl_mirror *mirror, const tl_event *event, uint32_t maker_slot)
{
    if (maker_slot == TL_NONE)
        return TL_MIRROR_UNKNOWN_ORDER;
    const tl_order *maker = &mirror->shelf.orders[maker_slot];
    bool done = (event->flags & TL_FLAG_MAKER_DONE) != 0;
    if (maker->level == TL_NONE || maker->instrument != event->instrument ||
        maker->side == event->side || maker->price != event->price || event->qty < 1 ||
        event->qty > maker->leaves_qty || (done && event->qty != maker->leaves_qty) ||
        (!done && event->qty == maker->leaves_qty && maker->time_in_force != TL_MIRROR_STATED))
        return TL_MIRROR_NOT_THAT_ORDER;
    const tl_book *book = &mirror->shelf.books[event->instrument];
    uint32_t best = book->best[tl_side_index(maker->side)].level;
    bool oldest = tl_level_head(&mirror->shelf, best) == maker_slot;
    if (maker->level != best || !(oldest || mirror->instruments[event->instrument].allocated))
        return TL_MIRROR_NOT_THE_NEXT;
    uint32_t taker_slot = find(mirror, event->order_id);
    if (taker_slot != mirror->taker.slot)
        return mirror->taker.slot == TL_NONE ? TL_MIRROR_NOT_THAT_ORDER : TL_MIRROR_TAKER_WAITS;
    if (taker_slot == TL_NONE)
        return TL_MIRROR_NONE;
    const tl_order *taker = &mirror->shelf.orders[taker_slot];
    bool same = taker->instrument == event->instrument && taker->side == event->side;
    uint64_t sum = (uint64_t)event->leaves_qty + event->qty;
    return same && sum == mirror->taker.leaves_qty ? TL_MIRROR_NONE : TL_MIRROR_NOT_THAT_ORDER;
}

/* What the taker has left rests when nothing that it could trade with is left. */
static bool after_trade(tl_mirror *mirror, const tl_event *event)
{
    uint32_t slot = mirror->taker.slot;
    if (slot == TL_NONE)
        return false;
    tl_order *taker = &mirror->shelf.orders[slot];
    taker->leaves_qty = mirror->taker.leaves_qty = event->leaves_qty;
    if (event->leaves_qty > 0 && crosses(mirror, taker->instrument, taker->side, taker->price))
        return false;
    mirror->taker.slot = TL_NONE;
    if (event->leaves_qty > 0)
        return tl_mirror_rest(mirror, event, slot);
    forget(mirror, slot);
    return false;
}

/* The taker is about to rest, and its price needs a block that is not there. */
static bool taker_has_no_room(const tl_mirror *mirror, const tl_event *event)
{
    if (mirror->taker.slot == TL_NONE || event->leaves_qty == 0)
        return false;
    const tl_order *taker = &mirror->shelf.orders[mirror->taker.slot];
    return !has_room(mirror, taker->instrument, taker->price);
}

/* Nothing is traded by what only makes both orders less: rule 10.5. */
static void add_trade(tl_mirror *mirror, const tl_event *event)
{
    if (event->exec_type != TL_EXEC_TYPE_TRADE)
        return;
    tl_published_trade *row =
        tl_mirror_add_row(mirror, event->instrument, TL_PUBLISHED_TRADES, event);
    row->price = event->price;
    row->qty = event->qty;
    row->side = event->side;
    mirror->instruments[event->instrument].last_trade = *row;
    tl_mirror_count_trade(mirror, event);
}

/* With an order that is not shown: the book that is stays as it is. */
static int trade_unseen(tl_mirror *mirror, const tl_event *event)
{
    if (mirror->taker.slot != TL_NONE)
        return TL_MIRROR_TAKER_WAITS;
    if (!tl_is_price(event->price) || event->qty < 1)
        return TL_MIRROR_NOT_THAT_ORDER;
    add_trade(mirror, event);
    return TL_MIRROR_NONE;
}

static int trade(tl_mirror *mirror, const tl_event *event, bool *touched)
{
    if (event->flags & TL_FLAG_HIDDEN)
        return trade_unseen(mirror, event);
    uint32_t maker = find(mirror, event->contra_order_id);
    int fault = check_trade(mirror, event, maker);
    if (fault != TL_MIRROR_NONE)
        return fault;
    if (taker_has_no_room(mirror, event))
        return TL_MIRROR_NO_ROOM;
    if (event->flags & TL_FLAG_MAKER_DONE) {
        *touched = tl_mirror_leave(mirror, event, maker);
        forget(mirror, maker);
    } else if (event->qty == mirror->shelf.orders[maker].leaves_qty) {
        *touched = tl_mirror_leave(mirror, event, maker); /* until its next part is stated */
    } else {
        *touched = tl_mirror_shrink(mirror, event, maker, event->qty);
    }
    add_trade(mirror, event);
    if (after_trade(mirror, event))
        *touched = true;
    return TL_MIRROR_NONE;
}

/* ── statuses ──────────────────────────────────────────────────────────────────────────────── */

static void add_status(tl_mirror *mirror, const tl_event *event, uint16_t instrument)
{
    tl_published_status *row = tl_mirror_add_row(mirror, instrument, TL_PUBLISHED_STATUS, event);
    row->trading_status = mirror->instruments[instrument].trading_status;
    row->entry_status = mirror->entry_status;
}

static int list(tl_mirror *mirror, const tl_event *event)
{
    if (event->instrument >= mirror->instruments_max ||
        mirror->instruments[event->instrument].trading_status != 0)
        return TL_MIRROR_LISTED_TWICE;
    mirror->instruments[event->instrument].trading_status = TL_TRADING_STATUS_READY_TO_TRADE;
    mirror->instruments_listed++;
    add_status(mirror, event, event->instrument);
    tl_mirror_begin_statistics(mirror, event);
    return TL_MIRROR_NONE;
}

static int set_trading_status(tl_mirror *mirror, const tl_event *event)
{
    if (event->qty < 1 || event->qty > UINT8_MAX)
        return TL_MIRROR_NOT_A_STATUS;
    mirror->instruments[event->instrument].trading_status = (uint8_t)event->qty;
    add_status(mirror, event, event->instrument);
    return TL_MIRROR_NONE;
}

static int set_entry_status(tl_mirror *mirror, const tl_event *event)
{
    if (event->qty < 1 || event->qty > UINT8_MAX)
        return TL_MIRROR_NOT_A_STATUS;
    mirror->entry_status = (uint8_t)event->qty;
    for (uint32_t i = 0; i < mirror->instruments_max; i++) {
        if (mirror->instruments[i].trading_status != 0)
            add_status(mirror, event, (uint16_t)i);
    }
    return TL_MIRROR_NONE;
}

/* ── one event ─────────────────────────────────────────────────────────────────────────────── */

/* Rule 3.4: only these rest. */
static bool may_rest(const tl_event *event)
{
    return event->ord_type == TL_ORD_TYPE_LIMIT &&
           (event->time_in_force == TL_TIME_IN_FORCE_DAY ||
            event->time_in_force == TL_TIME_IN_FORCE_GTC);
}

/* A remainder taken off an order that never was in the book. */
static bool never_rested(const tl_event *event)
{
    return event->reason == TL_REASON_IOC_REMAINDER || event->reason == TL_REASON_FOK_UNFILLED ||
           event->reason == TL_REASON_MARKET_REMAINDER;
}

/* Is it about an order that is in the book, comes into it, or trades with one? */
static bool changes_a_book(const tl_event *event)
{
    switch (event->exec_type) {
    case TL_EXEC_TYPE_NEW:
        return may_rest(event) && (event->flags & TL_FLAG_SPECIAL) == 0;
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_EXPIRED:
        return !never_rested(event);
    default:
        return event->exec_type == TL_EXEC_TYPE_TRADE ||
               event->exec_type == TL_EXEC_TYPE_DECREMENTED ||
               event->exec_type == TL_EXEC_TYPE_REPLACED ||
               event->exec_type == TL_EXEC_TYPE_RESTATED;
    }
}

static bool is_listed(const tl_mirror *mirror, const tl_event *event)
{
    return event->instrument < mirror->instruments_max &&
           mirror->instruments[event->instrument].trading_status != 0;
}

static int change_book(tl_mirror *mirror, const tl_event *event)
{
    bool touched = false;
    int fault;
    if (!is_listed(mirror, event))
        return TL_MIRROR_UNKNOWN_INSTRUMENT;
    if (event->exec_type == TL_EXEC_TYPE_TRADE || event->exec_type == TL_EXEC_TYPE_DECREMENTED)
        fault = trade(mirror, event, &touched);
    else if (mirror->taker.slot != TL_NONE)
        return TL_MIRROR_TAKER_WAITS;
    else if (event->exec_type == TL_EXEC_TYPE_NEW)
        fault = new_order(mirror, event, &touched);
    else if (event->exec_type == TL_EXEC_TYPE_RESTATED)
        fault = (event->qty == 0 ? collected : restate)(mirror, event, &touched);
    else if (event->exec_type != TL_EXEC_TYPE_REPLACED)
        fault = take_off(mirror, event, &touched);
    else if (event->flags & TL_FLAG_PRIORITY_KEPT)
        fault = keep_place(mirror, event, &touched);
    else if (event->flags & TL_FLAG_SPECIAL)
        fault = forget_until_stated(mirror, event, &touched);
    else
        fault = move(mirror, event, &touched);
    if (touched)
        tl_mirror_touch(mirror, event->instrument,
                        tl_mirror_add_row(mirror, event->instrument, TL_PUBLISHED_BBO, event));
    return fault;
}

static int apply_one(tl_mirror *mirror, const tl_event *event)
{
    if (event->seq != mirror->event_seq + 1)
        return TL_MIRROR_GAP;
    if (changes_a_book(event))
        return change_book(mirror, event);
    switch (event->exec_type) {
    case TL_EXEC_TYPE_SECURITY_DEFINITION:
        return list(mirror, event);
    case TL_EXEC_TYPE_SECURITY_STATUS:
        return is_listed(mirror, event) ? set_trading_status(mirror, event)
                                        : TL_MIRROR_UNKNOWN_INSTRUMENT;
    case TL_EXEC_TYPE_ALLOCATION: /* from then on a trade may be any order's of its price */
        if (is_listed(mirror, event))
            mirror->instruments[event->instrument].allocated = true;
        return TL_MIRROR_NONE;
    case TL_EXEC_TYPE_VENUE_STATUS:
        return set_entry_status(mirror, event);
    case TL_EXEC_TYPE_MASS_CANCELED:
        tl_mirror_end_day(mirror, event);
        return TL_MIRROR_NONE;
    default:
        return TL_MIRROR_NONE;
    }
}

void tl_mirror_keep(tl_mirror *mirror, tl_archive *archive)
{
    mirror->archive = archive;
}

static void keep_rows(const tl_mirror *mirror)
{
    for (uint32_t i = 0; i < mirror->rows_count; i++) {
        const tl_row *row = &mirror->rows[i];
        if (tl_archive_put(mirror->archive, row->instrument, row->kind, row->record) != 0)
            return;
    }
}

static size_t apply_all(tl_mirror *mirror, const tl_event *events, size_t count)
{
    mirror->fault = TL_MIRROR_NONE;
    for (size_t i = 0; i < count; i++) {
        const tl_event *event = &events[i];
        uint32_t wanted = event->exec_type == TL_EXEC_TYPE_VENUE_STATUS
                              ? mirror->instruments_listed
                              : TL_ROWS_PER_EVENT;
        if (mirror->rows_count + wanted > mirror->rows_max)
            return i;
        int fault = apply_one(mirror, event);
        if (fault != TL_MIRROR_NONE) {
            mirror->fault = (uint8_t)fault;
            return i;
        }
        if (event->seq == 1)
            mirror->epoch = (uint64_t)event->ts_ns;
        mirror->event_seq = event->seq;
        mirror->ts_ns = event->ts_ns;
    }
    return count;
}

size_t tl_mirror_apply(tl_mirror *mirror, const tl_event *events, size_t count)
{
    tl_mirror_discard(mirror);
    const size_t done = apply_all(mirror, events, count);
    if (mirror->archive != NULL)
        keep_rows(mirror);
    return done;
}
