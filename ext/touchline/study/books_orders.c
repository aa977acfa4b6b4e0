/* Orders and levels of the books: entered, reduced, ended, linked. Room was made before. */
#include <string.h>

#include "touchline/study/books_state.h"

static tl_study_book *book_of(tl_books *books, const tl_book_level *level)
{
    return &books->books[level->side / 2];
}

/* Before the ladder's neighbour or behind it: the level is linked between its better and worse. */
static void level_link(tl_books *books, uint32_t index, uint32_t beside, bool worse)
{
    tl_book_level *level = &books->levels[index];
    tl_book_side *side = &books->books[level->side / 2].sides[level->side % 2];
    level->better = level->worse = TL_AT_NONE;
    if (beside != TL_LADDER_NONE && worse) {
        level->worse = beside;
        level->better = books->levels[beside].better;
    } else if (beside != TL_LADDER_NONE) {
        level->better = beside;
        level->worse = books->levels[beside].worse;
    }
    if (level->better != TL_AT_NONE)
        books->levels[level->better].worse = index;
    else
        side->best = index;
    if (level->worse != TL_AT_NONE)
        books->levels[level->worse].better = index;
}

static uint32_t level_open(tl_books *books, uint32_t instrument, unsigned half, int64_t price)
{
    uint32_t index = books->level_free;
    if (index != TL_AT_NONE)
        books->level_free = books->levels[index].head;
    else
        index = books->levels_used++;
    tl_book_level *level = &books->levels[index];
    if (books->level_free != TL_AT_NONE) /* the next one's is asked for in time */
        __builtin_prefetch(&books->levels[books->level_free], 1);
    *level = (tl_book_level){.price = price, .head = TL_AT_NONE, .tail = TL_AT_NONE,
                             .side = instrument * 2 + half};
    tl_book_side *side = &books->books[instrument].sides[half];
    uint32_t beside;
    bool worse = tl_ladder_insert(&books->ladder, &side->root, tl_price_key(half, price), index,
                                  &beside);
    level_link(books, index, beside, worse);
    side->levels++;
    books->counts.levels++;
    return index;
}

static void level_close(tl_books *books, uint32_t index)
{
    tl_book_level *level = &books->levels[index];
    unsigned half = level->side % 2;
    tl_book_side *side = &book_of(books, level)->sides[half];
    tl_ladder_remove(&books->ladder, &side->root, tl_price_key(half, level->price));
    if (level->better != TL_AT_NONE)
        books->levels[level->better].worse = level->worse;
    else
        side->best = level->worse;
    if (level->worse != TL_AT_NONE)
        books->levels[level->worse].better = level->better;
    side->levels--;
    books->counts.levels--;
    level->head = books->level_free;
    books->level_free = index;
}

/* The level of a price, TL_AT_NONE when there is none; the best one is asked first. */
static uint32_t level_find(const tl_books *books, uint32_t instrument, unsigned half, int64_t price)
{
    const tl_book_side *side = &books->books[instrument].sides[half];
    if (side->best == TL_AT_NONE || books->levels[side->best].price == price)
        return side->best;
    return tl_ladder_find(&books->ladder, side->root, tl_price_key(half, price));
}

/* A level that is its side's best changes the touch, and so does one that becomes it. */
static void level_touched(tl_books *books, const tl_book_level *level)
{
    if (level->better == TL_AT_NONE)
        book_of(books, level)->touched = 1;
}

static void ref_enter(tl_books *books, const tl_book_order *order, uint32_t index)
{
    const uint64_t at = tl_ref_free(books, order->instrument, order->ref);
    books->refs[at].hash = tl_ref_hash(books, order->instrument, order->ref);
    books->refs[at].order = index;
}

/* Those behind it move up, so that no search ends too early. */
static void ref_drop(tl_books *books, const tl_book_order *order, uint32_t index)
{
    uint64_t hole = tl_ref_place(books, order->instrument, order->ref, index);
    uint64_t mask = books->refs_mask;
    for (uint64_t at = (hole + 1) & mask; books->refs[at].order != TL_AT_NONE;
         at = (at + 1) & mask) {
        uint64_t home = books->refs[at].hash & mask;
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        books->refs[hole] = books->refs[at];
        hole = at;
    }
    books->refs[hole].order = TL_AT_NONE;
}

int tl_order_enter(tl_books *books, const tl_market_record *record, unsigned half)
{
    uint64_t ref = record->type == TL_RECORD_TYPE_REPLACE ? record->new_ref : record->order_ref;
    uint32_t at = level_find(books, record->instrument, half, record->price);
    if (at == TL_AT_NONE)
        at = level_open(books, record->instrument, half, record->price);
    else if (books->levels[at].orders == 0)
        return TL_BOOKS_NOT_A_LEVEL;
    uint32_t index = books->order_free;
    if (index != TL_AT_NONE)
        books->order_free = books->orders[index].level;
    else
        index = books->orders_used++;
    if (books->order_free != TL_AT_NONE)
        __builtin_prefetch(&books->orders[books->order_free], 1);
    tl_book_level *level = &books->levels[at];
    tl_book_order *order = &books->orders[index];
    *order = (tl_book_order){ref, record->qty, at, level->tail, TL_AT_NONE, record->instrument};
    if (level->tail != TL_AT_NONE)
        books->orders[level->tail].next = index;
    else
        level->head = index;
    level->tail = index;
    level->qty += order->qty;
    level->orders++;
    books->books[record->instrument].sides[half].orders++;
    books->counts.orders++;
    ref_enter(books, order, index);
    level_touched(books, level);
    return TL_BOOKS_FAULT_COUNT;
}

void tl_order_reduce(tl_books *books, uint32_t index, int64_t qty)
{
    tl_book_order *order = &books->orders[index];
    tl_book_level *level = &books->levels[order->level];
    assert(qty < order->qty);
    order->qty -= qty;
    level->qty -= qty;
    level_touched(books, level);
}

void tl_order_end(tl_books *books, uint32_t index)
{
    tl_book_order *order = &books->orders[index];
    tl_book_level *level = &books->levels[order->level];
    ref_drop(books, order, index);
    level_touched(books, level);
    if (order->prev != TL_AT_NONE)
        books->orders[order->prev].next = order->next;
    else
        level->head = order->next;
    if (order->next != TL_AT_NONE)
        books->orders[order->next].prev = order->prev;
    else
        level->tail = order->prev;
    level->qty -= order->qty;
    level->orders--;
    book_of(books, level)->sides[level->side % 2].orders--;
    books->counts.orders--;
    if (level->orders == 0)
        level_close(books, order->level);
    order->level = books->order_free;
    books->order_free = index;
}

int tl_level_set(tl_books *books, const tl_market_record *record, unsigned half)
{
    uint32_t at = level_find(books, record->instrument, half, record->price);
    if (at == TL_AT_NONE && record->qty == 0)
        return TL_BOOKS_FAULT_COUNT;
    if (at == TL_AT_NONE)
        at = level_open(books, record->instrument, half, record->price);
    else if (books->levels[at].orders > 0)
        return TL_BOOKS_NOT_A_LEVEL;
    tl_book_level *level = &books->levels[at];
    level_touched(books, level);
    level->qty = record->qty;
    if (record->qty == 0)
        level_close(books, at);
    return TL_BOOKS_FAULT_COUNT;
}

void tl_book_clear(tl_books *books, uint32_t instrument)
{
    for (unsigned half = 0; half < 2; half++) {
        const tl_book_side *side = &books->books[instrument].sides[half];
        while (side->best != TL_AT_NONE) {
            const tl_book_level *level = &books->levels[side->best];
            if (level->orders > 0) {
                tl_order_end(books, level->head);
                continue;
            }
            level_touched(books, level);
            level_close(books, side->best);
        }
    }
}
