/* Records applied to the books, one after the other; see books.h. What later ones will touch is
 * asked for meanwhile (books_ahead.h). */
#include "touchline/study/books.h"

#include <string.h>

#include "touchline/core/messages.h"
#include "touchline/study/books_ahead.h"
#include "touchline/study/books_state.h"

#define DONE TL_BOOKS_FAULT_COUNT

unsigned tl_study_side(uint8_t side)
{
    return side == TL_SIDE_BUY ? 0 : side == TL_SIDE_SELL ? 1 : 2;
}

static bool is_price(int64_t price)
{
    return price != INT64_MIN && price != INT64_MAX;
}

static bool is_qty(int64_t qty)
{
    return qty > 0 && qty <= TL_BOOKS_QTY_MAX;
}

/* Room for what the record enters: DONE, NO_ROOM, or -ENOMEM. */
static int room_for(tl_books *books, bool replaces)
{
    int made = tl_books_room(books, replaces);
    return made == 0 ? (int)DONE : made < 0 ? made : TL_BOOKS_NO_ROOM;
}

static int add(tl_books *books, const tl_market_record *record)
{
    unsigned half = tl_study_side(record->side);
    if (half == 2)
        return TL_BOOKS_INVALID_SIDE;
    if (!is_qty(record->qty))
        return TL_BOOKS_INVALID_QTY;
    if (!is_price(record->price))
        return TL_BOOKS_INVALID_PRICE;
    int fault = room_for(books, false);
    if (fault != DONE)
        return fault;
    if (tl_order_of(books, record->instrument, record->order_ref) != TL_AT_NONE)
        return TL_BOOKS_ORDER_EXISTS;
    return tl_order_enter(books, record, half);
}

static int take(tl_books *books, const tl_market_record *record)
{
    uint32_t at = tl_order_of(books, record->instrument, record->order_ref);
    if (at == TL_AT_NONE)
        return TL_BOOKS_UNKNOWN_ORDER;
    if (!is_qty(record->qty))
        return TL_BOOKS_INVALID_QTY;
    int64_t left = books->orders[at].qty - record->qty;
    if (left > 0)
        tl_order_reduce(books, at, record->qty);
    else
        tl_order_end(books, at);
    return left < 0 ? (int)TL_BOOKS_EXCESS_QTY : (int)DONE;
}

static int drop(tl_books *books, const tl_market_record *record)
{
    uint32_t at = tl_order_of(books, record->instrument, record->order_ref);
    if (at == TL_AT_NONE)
        return TL_BOOKS_UNKNOWN_ORDER;
    tl_order_end(books, at);
    return DONE;
}

static int replace(tl_books *books, const tl_market_record *record)
{
    uint32_t at = tl_order_of(books, record->instrument, record->order_ref);
    if (at == TL_AT_NONE)
        return TL_BOOKS_UNKNOWN_ORDER;
    if (!is_qty(record->qty))
        return TL_BOOKS_INVALID_QTY;
    if (!is_price(record->price))
        return TL_BOOKS_INVALID_PRICE;
    int fault = room_for(books, true);
    if (fault != DONE)
        return fault;
    if (record->new_ref != record->order_ref &&
        tl_order_of(books, record->instrument, record->new_ref) != TL_AT_NONE)
        return TL_BOOKS_ORDER_EXISTS;
    unsigned half = books->levels[books->orders[at].level].side % 2;
    tl_order_end(books, at);
    return tl_order_enter(books, record, half);
}

/* An order that is not there is entered, and counted: so do those who publish such records. */
static int modify(tl_books *books, const tl_market_record *record)
{
    uint32_t at = tl_order_of(books, record->instrument, record->order_ref);
    if (at == TL_AT_NONE) {
        int fault = add(books, record);
        return fault == DONE ? TL_BOOKS_UNKNOWN_ORDER : fault;
    }
    if (!is_qty(record->qty))
        return TL_BOOKS_INVALID_QTY;
    if (!is_price(record->price))
        return TL_BOOKS_INVALID_PRICE;
    const tl_book_order *order = &books->orders[at];
    const tl_book_level *level = &books->levels[order->level];
    unsigned half = level->side % 2;
    if (level->price == record->price && record->qty <= order->qty) {
        if (record->qty < order->qty)
            tl_order_reduce(books, at, order->qty - record->qty);
        return DONE;
    }
    int fault = room_for(books, true);
    if (fault != DONE)
        return fault;
    tl_order_end(books, at);
    return tl_order_enter(books, record, half);
}

static int set_level(tl_books *books, const tl_market_record *record)
{
    unsigned half = tl_study_side(record->side);
    if (half == 2)
        return TL_BOOKS_INVALID_SIDE;
    if (record->qty != 0 && !is_qty(record->qty))
        return TL_BOOKS_INVALID_QTY;
    if (!is_price(record->price))
        return TL_BOOKS_INVALID_PRICE;
    int fault = room_for(books, false);
    return fault == DONE ? tl_level_set(books, record, half) : fault;
}

/* What the record does to its book; print is to be filled in when it is not NULL. */
static int happen(tl_books *books, const tl_market_record *record)
{
    switch (record->type) {
    case TL_RECORD_TYPE_ADD:
        return add(books, record);
    case TL_RECORD_TYPE_EXECUTE:
    case TL_RECORD_TYPE_CANCEL:
        return take(books, record);
    case TL_RECORD_TYPE_DELETE:
        return drop(books, record);
    case TL_RECORD_TYPE_REPLACE:
        return replace(books, record);
    case TL_RECORD_TYPE_MODIFY:
        return modify(books, record);
    case TL_RECORD_TYPE_LEVEL:
        return set_level(books, record);
    case TL_RECORD_TYPE_CLEAR:
        tl_book_clear(books, record->instrument);
        return DONE;
    case TL_RECORD_TYPE_TRADE:
    case TL_RECORD_TYPE_CROSS:
        return record->qty < 0 ? (int)TL_BOOKS_INVALID_QTY : (int)DONE;
    case TL_RECORD_TYPE_BROKEN_TRADE:
    case TL_RECORD_TYPE_TRADING_ACTION:
    case TL_RECORD_TYPE_DIRECTORY:
    case TL_RECORD_TYPE_SYSTEM:
    case TL_RECORD_TYPE_IMBALANCE:
    case TL_RECORD_TYPE_OTHER:
        return DONE;
    default:
        return TL_BOOKS_UNKNOWN_TYPE;
    }
}

/* The trade a record tells of, before it happens: false when it tells of none. */
static bool print_of(const tl_books *books, const tl_market_record *record, tl_print *print)
{
    unsigned half = tl_study_side(record->side);
    int64_t price = record->price;
    if (record->type == TL_RECORD_TYPE_EXECUTE) {
        bool priced = (record->flags & TL_RECORD_FLAG_PRICED) != 0;
        uint32_t at = tl_order_of(books, record->instrument, record->order_ref);
        if (at == TL_AT_NONE && !priced)
            return false;
        if (at != TL_AT_NONE) {
            const tl_book_level *level = &books->levels[books->orders[at].level];
            half = level->side % 2;
            price = priced ? price : level->price;
        }
    } else if (record->type != TL_RECORD_TYPE_TRADE && record->type != TL_RECORD_TYPE_CROSS) {
        return false;
    }
    if (record->qty <= 0)
        return false;
    static const uint8_t takers[] = {TL_SIDE_SELL, TL_SIDE_BUY, 0};
    *print = (tl_print){
        record->ts_ns,  record->seq,        record->new_ref, record->order_ref, price,
        record->qty,    record->instrument, record->type,    takers[half],      record->code,
        record->flags,
    };
    return true;
}

static void touch_of(const tl_books *books, const tl_study_book *book, tl_book_touch *touch)
{
    for (unsigned half = 0; half < 2; half++) {
        uint32_t best = book->sides[half].best;
        bool none = best == TL_AT_NONE;
        touch->price[half] = none ? 0 : books->levels[best].price;
        touch->qty[half] = none ? 0 : books->levels[best].qty;
        touch->orders[half] = none ? 0 : books->levels[best].orders;
    }
}

/* Look at the touch again; true when it is another one. */
static bool touch_again(tl_books *books, tl_study_book *book)
{
    if (!book->touched)
        return false;
    book->touched = 0;
    tl_book_touch touch;
    touch_of(books, book, &touch);
    if (memcmp(&touch, &book->touch, sizeof touch) == 0)
        return false;
    book->touch = touch;
    uint8_t state = TL_TOUCH_NORMAL;
    if (touch.qty[0] > 0 && touch.qty[1] > 0 && touch.price[0] >= touch.price[1])
        state = touch.price[0] == touch.price[1] ? TL_TOUCH_LOCKED : TL_TOUCH_CROSSED;
    if (state != book->state) {
        books->counts.locked += state == TL_TOUCH_LOCKED;
        books->counts.crossed += state == TL_TOUCH_CROSSED;
    }
    book->state = state;
    return true;
}

static void quote_write(const tl_study_book *book, tl_quote *quote)
{
    quote->bid_price = book->touch.price[0];
    quote->ask_price = book->touch.price[1];
    quote->bid_qty = book->touch.qty[0];
    quote->ask_qty = book->touch.qty[1];
    quote->bid_orders = book->touch.orders[0];
    quote->ask_orders = book->touch.orders[1];
    quote->state = book->state;
}

void tl_books_touch(const tl_books *books, uint32_t instrument, tl_quote *quote)
{
    *quote = (tl_quote){.instrument = instrument};
    if (instrument < books->books_room)
        quote_write(&books->books[instrument], quote);
}

/* One record: done, or counted as a fault; -ENOMEM when nothing was done. */
static int step(tl_books *books, const tl_market_record *record, tl_books_out *out)
{
    int fault = tl_books_instrument_room(books, record->instrument);
    if (fault < 0)
        return fault;
    bool known = fault == 0;
    tl_print print;
    bool printed = known && out->prints != NULL && print_of(books, record, &print);
    fault = known ? happen(books, record) : (int)TL_BOOKS_UNKNOWN_INSTRUMENT;
    if (fault < 0)
        return fault;
    books->counts.records++;
    if (fault != DONE)
        books->counts.faults[fault]++;
    if (printed)
        out->prints[out->prints_count++] = print;
    bool changed = known && touch_again(books, &books->books[record->instrument]);
    if (out->quotes != NULL && (changed || out->every)) {
        tl_quote *quote = &out->quotes[out->quotes_count++];
        *quote = (tl_quote){.ts_ns = record->ts_ns, .seq = record->seq,
                            .instrument = record->instrument, .changed = changed};
        if (known)
            quote_write(&books->books[record->instrument], quote);
    }
    return 0;
}

int tl_books_apply(tl_books *books, const tl_market_record *records, size_t count,
                   tl_books_out *out)
{
    tl_ahead ahead;
    const bool pays = tl_ahead_pays(books);
    if (pays)
        tl_ahead_begin(&ahead, books, records, count);
    for (size_t i = 0; i < count; i++) {
        if (pays)
            tl_ahead_step(&ahead, books, records, i, count);
        int failed = step(books, &records[i], out);
        if (failed != 0)
            return failed;
    }
    return 0;
}
