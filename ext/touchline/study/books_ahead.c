/* Lines of the table, orders, levels and their neighbours fetched; see books_ahead.h. */
#include "touchline/study/books_ahead.h"

#include "touchline/core/messages.h"

#define LINE 64u

/* Always inline: gcc knows of no effect of a function that only prefetches, and calls to it go. */
#define AHEAD_INLINE static inline __attribute__((always_inline))

AHEAD_INLINE void fetch_node(const tl_books *books, uint32_t node)
{
    const char *at = (const char *)&books->ladder.nodes[node];
    for (size_t byte = 0; byte < sizeof(tl_ladder_node); byte += LINE)
        __builtin_prefetch(at + byte, 1);
}

/* A level may begin in one line and end in the next. */
AHEAD_INLINE void fetch_level(const tl_books *books, uint32_t level)
{
    const char *at = (const char *)&books->levels[level];
    __builtin_prefetch(at, 1);
    __builtin_prefetch(at + sizeof(tl_book_level) - 1, 1);
}

static const tl_study_book *book_of(const tl_books *books, const tl_market_record *record)
{
    return record->instrument < books->books_room ? &books->books[record->instrument] : NULL;
}

static bool enters(uint8_t type)
{
    return type == TL_RECORD_TYPE_ADD || type == TL_RECORD_TYPE_LEVEL;
}

static void line_stage(tl_hint *hint, const tl_books *books, const tl_market_record *record)
{
    const tl_study_book *book = book_of(books, record);
    *hint = (tl_hint){.hash = tl_ref_hash(books, record->instrument, record->order_ref),
                      .order = TL_AT_NONE,
                      .level = TL_AT_NONE,
                      .node = TL_AT_NONE};
    const tl_ref *ref = &books->refs[hint->hash & books->refs_mask];
    __builtin_prefetch(ref, 1);
    __builtin_prefetch(ref + 3, 1); /* a search from the line's end goes on in the next */
    if (record->type == TL_RECORD_TYPE_REPLACE)
        __builtin_prefetch(&books->refs[tl_ref_hash(books, record->instrument, record->new_ref) &
                                        books->refs_mask], 1);
    if (book == NULL)
        return;
    __builtin_prefetch(book, 1);
    __builtin_prefetch((const char *)book + LINE, 1);
}

/* The first in the line with that hash is nearly always the one. */
static uint32_t likely_order(const tl_books *books, uint32_t hash)
{
    uint64_t at = hash & books->refs_mask;
    for (unsigned i = 0; i < LINE / sizeof(tl_ref); i++, at = (at + 1) & books->refs_mask)
        if (books->refs[at].hash == hash || books->refs[at].order == TL_AT_NONE)
            return books->refs[at].order;
    return TL_AT_NONE;
}

/* Of a price that comes to a side: its best level, and the top of its ladder. */
AHEAD_INLINE void fetch_side(tl_hint *hint, const tl_books *books, const tl_book_side *side)
{
    if (side->best == TL_AT_NONE)
        return;
    hint->level = side->best;
    hint->node = side->root;
    fetch_level(books, side->best);
    fetch_node(books, side->root);
}

static void order_stage(tl_hint *hint, const tl_books *books, const tl_market_record *record)
{
    if (!enters(record->type)) {
        hint->order = likely_order(books, hint->hash);
        if (hint->order < books->orders_used)
            __builtin_prefetch(&books->orders[hint->order], 1);
        return;
    }
    const tl_study_book *book = book_of(books, record);
    const unsigned half = tl_study_side(record->side);
    if (book != NULL && half < 2)
        fetch_side(hint, books, &book->sides[half]);
}

/* The level of an entering price, as far as a node of the ladder says it: a step from its top to
 * the leaf, and in the next stage from there. */
AHEAD_INLINE void find_level(tl_hint *hint, const tl_books *books, const tl_market_record *record,
                       unsigned half)
{
    if (hint->node >= books->ladder.used)
        return;
    bool leaf;
    const uint32_t kid = tl_ladder_near(&books->ladder, hint->node,
                                        tl_price_key(half, record->price), &leaf);
    hint->level = leaf ? kid : TL_AT_NONE;
    hint->node = leaf ? TL_AT_NONE : kid;
    if (!leaf && kid < books->ladder.used)
        fetch_node(books, kid);
    if (leaf && kid < books->levels_used)
        fetch_level(books, kid);
}

static void level_stage(tl_hint *hint, const tl_books *books, const tl_market_record *record)
{
    if (enters(record->type)) {
        const bool best = hint->level < books->levels_used &&
                          books->levels[hint->level].price == record->price;
        if (best)
            hint->node = TL_AT_NONE;
        else
            find_level(hint, books, record, tl_study_side(record->side));
        return;
    }
    if (hint->order >= books->orders_used)
        return;
    const tl_book_order *order = &books->orders[hint->order];
    hint->level = order->level;
    if (order->level < books->levels_used)
        fetch_level(books, order->level);
    if (order->prev < books->orders_used)
        __builtin_prefetch(&books->orders[order->prev], 1);
    if (order->next < books->orders_used)
        __builtin_prefetch(&books->orders[order->next], 1);
}

/* Who stands beside: the last in line at a price that is joined; the levels beside one that goes,
 * and where the ladder has it. */
AHEAD_INLINE void near_stage(tl_hint *hint, const tl_books *books, const tl_market_record *record)
{
    if (enters(record->type) && hint->node != TL_AT_NONE) {
        find_level(hint, books, record, tl_study_side(record->side));
        return;
    }
    if (hint->level >= books->levels_used)
        return;
    const tl_book_level *level = &books->levels[hint->level];
    if (enters(record->type)) {
        if (level->tail < books->orders_used)
            __builtin_prefetch(&books->orders[level->tail], 1);
        return;
    }
    if (level->side / 2 >= books->books_room ||
        (level->orders > 1 && record->type != TL_RECORD_TYPE_REPLACE))
        return;
    const tl_book_side *side = &books->books[level->side / 2].sides[level->side % 2];
    if (side->root < books->ladder.used)
        fetch_node(books, side->root);
    if (level->better < books->levels_used)
        fetch_level(books, level->better);
    if (level->worse < books->levels_used)
        fetch_level(books, level->worse);
}

void tl_ahead_step(tl_ahead *ahead, const tl_books *books, const tl_market_record *records,
                   size_t at, size_t count)
{
    const size_t left = count - at;
    tl_hint *hints = ahead->hints;
    if (left > TL_AHEAD_LINE)
        line_stage(&hints[(at + TL_AHEAD_LINE) % TL_AHEAD_RING], books,
                   &records[at + TL_AHEAD_LINE]);
    if (left > TL_AHEAD_ORDER)
        order_stage(&hints[(at + TL_AHEAD_ORDER) % TL_AHEAD_RING], books,
                    &records[at + TL_AHEAD_ORDER]);
    if (left > TL_AHEAD_LEVEL)
        level_stage(&hints[(at + TL_AHEAD_LEVEL) % TL_AHEAD_RING], books,
                    &records[at + TL_AHEAD_LEVEL]);
    if (left > TL_AHEAD_NEAR)
        near_stage(&hints[(at + TL_AHEAD_NEAR) % TL_AHEAD_RING], books,
                   &records[at + TL_AHEAD_NEAR]);
}

void tl_ahead_begin(tl_ahead *ahead, const tl_books *books, const tl_market_record *records,
                    size_t count)
{
    const size_t first = count < TL_AHEAD_LINE ? count : TL_AHEAD_LINE;
    for (size_t i = 0; i < first; i++)
        line_stage(&ahead->hints[i], books, &records[i]);
    for (size_t i = 0; i < TL_AHEAD_ORDER && i < first; i++)
        order_stage(&ahead->hints[i], books, &records[i]);
}
