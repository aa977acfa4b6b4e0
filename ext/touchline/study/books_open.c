/* The books opened, grown, closed, and what they answer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/study/books_state.h"
#include "touchline/study/huge_array.h"

#define FIRST_ROOM 1024u

int tl_books_open(tl_books **opened, uint32_t instruments_max, uint32_t orders_max, uint64_t seed)
{
    if (instruments_max == 0 || instruments_max > TL_BOOKS_INSTRUMENTS_MAX || orders_max == 0 ||
        orders_max > TL_BOOKS_ORDERS_MAX)
        return -EINVAL;
    tl_books *books = calloc(1, sizeof *books);
    if (books == NULL)
        return -ENOMEM;
    books->instruments_max = instruments_max;
    books->orders_max = orders_max;
    books->factor = seed | 1;
    books->order_free = books->level_free = TL_AT_NONE;
    books->refs_mask = 1;
    books->refs = tl_huge_array_grow(NULL, 0, 2 * sizeof *books->refs);
    if (books->refs == NULL) {
        free(books);
        return -ENOMEM;
    }
    memset(books->refs, 0xff, 2 * sizeof *books->refs);
    *opened = books;
    return 0;
}

void tl_books_close(tl_books *books)
{
    if (books == NULL)
        return;
    tl_huge_array_free(books->refs, (books->refs_mask + 1) * sizeof *books->refs);
    tl_huge_array_free(books->orders, books->orders_room * sizeof *books->orders);
    tl_huge_array_free(books->levels, books->levels_room * sizeof *books->levels);
    tl_huge_array_free(books->books, books->books_room * sizeof *books->books);
    tl_huge_array_free(books->ladder.nodes, books->ladder.room * sizeof *books->ladder.nodes);
    free(books);
}

/* Twice the table, so that it stays half empty; what is in it moves by its hash alone. */
static int refs_grow(tl_books *books, uint64_t places)
{
    tl_ref *refs = tl_huge_array_grow(NULL, 0, places * sizeof *refs);
    if (refs == NULL)
        return -ENOMEM;
    memset(refs, 0xff, places * sizeof *refs);
    for (uint64_t i = 0; i <= books->refs_mask; i++) {
        if (books->refs[i].order == TL_AT_NONE)
            continue;
        uint64_t at = books->refs[i].hash & (places - 1);
        while (refs[at].order != TL_AT_NONE)
            at = (at + 1) & (places - 1);
        refs[at] = books->refs[i];
    }
    tl_huge_array_free(books->refs, (books->refs_mask + 1) * sizeof *books->refs);
    books->refs = refs;
    books->refs_mask = places - 1;
    return 0;
}

/* Another size for an array of items that are a bound together: 0, -ENOMEM, 1 at the bound. */
static int array_grow(void **array, uint32_t *room, uint32_t most, size_t item_bytes)
{
    if (*room == most)
        return 1;
    uint32_t wanted = *room == 0 ? FIRST_ROOM : *room * 2;
    if (wanted > most)
        wanted = most;
    void *grown = tl_huge_array_grow(*array, *room * item_bytes, wanted * item_bytes);
    if (grown == NULL)
        return -ENOMEM;
    *array = grown;
    *room = wanted;
    return 0;
}

int tl_books_room(tl_books *books, bool replaces)
{
    if (!replaces && books->order_free == TL_AT_NONE && books->orders_used == books->orders_room) {
        int grown = array_grow((void **)&books->orders, &books->orders_room, books->orders_max,
                               sizeof *books->orders);
        if (grown != 0)
            return grown;
    }
    if (books->level_free == TL_AT_NONE && books->levels_used == books->levels_room) {
        /* One more than orders: the level of an order that is replaced may stay. */
        int grown = array_grow((void **)&books->levels, &books->levels_room,
                               books->orders_max + 1, sizeof *books->levels);
        if (grown != 0)
            return grown;
    }
    if ((uint64_t)books->counts.orders * 2 >= books->refs_mask) {
        int grown = refs_grow(books, (books->refs_mask + 1) * (books->refs_mask < 512 ? 512 : 2));
        if (grown != 0)
            return grown;
    }
    return tl_ladder_reserve(&books->ladder);
}

int tl_books_instrument_room(tl_books *books, uint32_t instrument)
{
    if (instrument < books->books_room)
        return 0;
    if (instrument >= books->instruments_max)
        return 1;
    uint32_t before = books->books_room;
    uint32_t room = before == 0 ? 64 : before;
    while (room <= instrument)
        room *= 2;
    if (room > books->instruments_max)
        room = books->instruments_max;
    tl_study_book *grown =
        tl_huge_array_grow(books->books, before * sizeof *grown, room * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    memset(&grown[before], 0, (room - before) * sizeof *grown);
    for (uint32_t i = before; i < room; i++)
        for (unsigned half = 0; half < 2; half++)
            grown[i].sides[half].best = grown[i].sides[half].root = TL_AT_NONE;
    books->books = grown;
    books->books_room = room;
    return 0;
}

void tl_books_counts_now(const tl_books *books, tl_books_counts *counts)
{
    *counts = books->counts;
}

const char *tl_books_fault_text(int fault)
{
#define TEXT(name, text) text,
    static const char *const texts[] = {TL_BOOKS_FAULTS(TEXT)};
#undef TEXT
    return fault >= 0 && fault < TL_BOOKS_FAULT_COUNT ? texts[fault] : "";
}

const char *tl_books_fault_name(int fault)
{
#define NAME(name, text) #name,
    static const char *const names[] = {TL_BOOKS_FAULTS(NAME)};
#undef NAME
    return fault >= 0 && fault < TL_BOOKS_FAULT_COUNT ? names[fault] : "";
}

/* The side of an instrument, NULL when there is none. */
static const tl_book_side *side_of(const tl_books *books, uint32_t instrument, uint8_t side)
{
    unsigned half = tl_study_side(side);
    if (half == 2 || instrument >= books->books_room)
        return NULL;
    return &books->books[instrument].sides[half];
}

void tl_books_side(const tl_books *books, uint32_t instrument, uint8_t side, size_t *levels,
                   size_t *orders)
{
    const tl_book_side *of = side_of(books, instrument, side);
    *levels = of == NULL ? 0 : of->levels;
    *orders = of == NULL ? 0 : of->orders;
}

size_t tl_books_depth(const tl_books *books, uint32_t instrument, uint8_t side, tl_depth_row *rows,
                      size_t room)
{
    const tl_book_side *of = side_of(books, instrument, side);
    size_t count = 0;
    uint32_t at = of == NULL ? TL_AT_NONE : of->best;
    for (; at != TL_AT_NONE && count < room; at = books->levels[at].worse) {
        const tl_book_level *level = &books->levels[at];
        rows[count++] = (tl_depth_row){level->price, level->qty, level->orders, 0};
    }
    return count;
}

static tl_resting resting_of(const tl_books *books, const tl_book_order *order)
{
    static const uint8_t sides[] = {'1', '2'};
    const tl_book_level *level = &books->levels[order->level];
    return (tl_resting){.order_ref = order->ref, .price = level->price, .qty = order->qty,
                        .instrument = order->instrument, .side = sides[level->side % 2]};
}

size_t tl_books_orders(const tl_books *books, uint32_t instrument, uint8_t side, tl_resting *rows,
                       size_t room)
{
    const tl_book_side *of = side_of(books, instrument, side);
    size_t count = 0;
    uint32_t at = of == NULL ? TL_AT_NONE : of->best;
    for (; at != TL_AT_NONE && count < room; at = books->levels[at].worse) {
        uint32_t order = books->levels[at].head;
        for (; order != TL_AT_NONE && count < room; order = books->orders[order].next)
            rows[count++] = resting_of(books, &books->orders[order]);
    }
    return count;
}

bool tl_books_order(const tl_books *books, uint32_t instrument, uint64_t order_ref,
                    tl_resting *resting)
{
    uint32_t at = tl_order_of(books, instrument, order_ref);
    if (at == TL_AT_NONE)
        return false;
    *resting = resting_of(books, &books->orders[at]);
    return true;
}
