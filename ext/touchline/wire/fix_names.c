/* Names by number and numbers by name. fix_names.h says whence. */
#include "touchline/wire/fix_names.h"

#include "touchline/wire/fix_text_scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A name as one word: all of it, if it is short. Names come from the operator: a simple hash will
 * do. */
static uint64_t word_of(const char *text, size_t size)
{
    uint64_t word = 0;
    for (; size > TL_FIX_WORD; text += TL_FIX_WORD, size -= TL_FIX_WORD)
        word = (word ^ tl_fix_short_word(text, TL_FIX_WORD)) * UINT64_C(0x9E3779B97F4A7C15);
    return size == 0 ? word : word ^ tl_fix_short_word(text, size);
}

/* Where to look for it first. */
static inline uint32_t first_place(const tl_fix_index *index, uint64_t word)
{
    return (uint32_t)(word * UINT64_C(0x9E3779B97F4A7C15) >> 32) & index->mask;
}

void tl_fix_names_open(tl_fix_names *names, uint32_t instruments_max, uint32_t accounts_max)
{
    *names = (tl_fix_names){.instruments_max = instruments_max, .accounts_max = accounts_max};
}

void tl_fix_names_close(tl_fix_names *names)
{
    free(names->instruments);
    free(names->accounts);
    free(names->symbols.places);
    free(names->account_names.places);
}

/* The name that the index of a kind means by a number. */
static const tl_fix_name *named(const tl_fix_names *names, uint32_t kind, uint32_t number)
{
    return kind == TL_TEXT_SYMBOL ? &names->instruments[number].symbol : &names->accounts[number];
}

static void put(tl_fix_index *index, const tl_fix_place *place)
{
    uint32_t at = first_place(index, place->word);
    while (index->places[at].size != 0)
        at = (at + 1) & index->mask;
    index->places[at] = *place;
}

/* Room for one more, at most half full. */
static int widen(tl_fix_index *index)
{
    if (index->places != NULL && 2 * (index->count + 1) <= index->mask)
        return 0;
    tl_fix_index wide = {.mask = index->places == NULL ? 63 : 2 * index->mask + 1,
                         .count = index->count};
    wide.places = calloc((size_t)wide.mask + 1, sizeof *wide.places);
    if (wide.places == NULL)
        return -ENOMEM;
    for (uint32_t at = 0; index->places != NULL && at <= index->mask; at++)
        if (index->places[at].size != 0)
            put(&wide, &index->places[at]);
    free(index->places);
    *index = wide;
    return 0;
}

static uint32_t find(const tl_fix_names *names, const tl_fix_index *index, uint32_t kind,
                     const char *text, size_t size)
{
    if (index->places == NULL || size == 0)
        return UINT32_MAX;
    const uint64_t word = word_of(text, size);
    const tl_fix_place *place = &index->places[first_place(index, word)];
    for (; place->size != 0; place = &index->places[(place - index->places + 1) & index->mask])
        if (place->word == word && place->size == size &&
            (size <= TL_FIX_WORD ||
             memcmp(named(names, kind, place->number)->text, text, size) == 0))
            return place->number;
    return UINT32_MAX;
}

/* An array that has a place for `key`, zeros behind what it had. */
static int reach(void **array, uint32_t *count, size_t width, uint32_t key, uint32_t most)
{
    if (key < *count)
        return 0;
    uint64_t wanted = *count < 16 ? 16 : *count;
    while (wanted <= key)
        wanted *= 2;
    if (wanted > most)
        wanted = most;
    char *grown = realloc(*array, wanted * width);
    if (grown == NULL)
        return -ENOMEM;
    memset(grown + *count * width, 0, (wanted - *count) * width);
    *array = grown;
    *count = (uint32_t)wanted;
    return 0;
}

static int take_name(tl_fix_names *names, uint32_t kind, uint32_t key, const tl_fix_name *name)
{
    tl_fix_index *index = kind == TL_TEXT_SYMBOL ? &names->symbols : &names->account_names;
    tl_fix_name *place =
        kind == TL_TEXT_SYMBOL ? &names->instruments[key].symbol : &names->accounts[key];
    if (place->size != 0 || name->size == 0 ||
        find(names, index, kind, name->text, name->size) != UINT32_MAX)
        return 0;
    const int rc = widen(index);
    if (rc != 0)
        return rc;
    *place = *name;
    put(index, &(tl_fix_place){word_of(name->text, name->size), key, name->size});
    index->count++;
    return 0;
}

static void take_size(tl_fix_instrument *instrument, uint32_t kind, const tl_fix_name *name)
{
    tl_fix_unit unit;
    bool *has = kind == TL_TEXT_TICK_SIZE ? &instrument->has_tick : &instrument->has_lot;
    if (*has || !tl_fix_read_unit(name->text, name->size, &unit))
        return;
    *has = true;
    *(kind == TL_TEXT_TICK_SIZE ? &instrument->tick : &instrument->lot) = unit;
}

static int reach_instrument(tl_fix_names *names, uint32_t key)
{
    const uint32_t before = names->instruments_count;
    void *array = names->instruments;
    const int rc = reach(&array, &names->instruments_count, sizeof *names->instruments, key,
                         names->instruments_max);
    names->instruments = array;
    for (uint32_t i = before; rc == 0 && i < names->instruments_count; i++)
        names->instruments[i].tick = names->instruments[i].lot = (tl_fix_unit){1, 0};
    return rc;
}

int tl_fix_names_take(tl_fix_names *names, const tl_command *text)
{
    tl_fix_name name = {0};
    const char *bytes = (const char *)text + offsetof(tl_command, order_id);
    name.size = (uint8_t)strnlen(bytes, TL_TEXT_BYTES);
    memcpy(name.text, bytes, name.size);
    const uint32_t kind = text->field, key = text->key;
    if (kind == TL_TEXT_SESSION && key < TL_SESSIONS_MAX && names->sessions[key].size == 0)
        names->sessions[key] = name;
    if (kind == TL_TEXT_ACCOUNT && key < names->accounts_max) {
        void *array = names->accounts;
        const int rc = reach(&array, &names->accounts_count, sizeof *names->accounts, key,
                             names->accounts_max);
        names->accounts = array;
        return rc != 0 ? rc : take_name(names, kind, key, &name);
    }
    if (kind < TL_TEXT_SYMBOL || kind > TL_TEXT_CURRENCY || key >= names->instruments_max)
        return 0;
    const int rc = reach_instrument(names, key);
    if (rc != 0)
        return rc;
    tl_fix_instrument *instrument = &names->instruments[key];
    if (kind == TL_TEXT_SYMBOL)
        return take_name(names, kind, key, &name);
    if (kind != TL_TEXT_CURRENCY)
        take_size(instrument, kind, &name);
    else if (instrument->currency.size == 0)
        instrument->currency = name;
    return 0;
}

const tl_fix_instrument *tl_fix_instrument_at(const tl_fix_names *names, uint32_t number)
{
    if (number >= names->instruments_count)
        return NULL;
    const tl_fix_instrument *found = &names->instruments[number];
    return found->symbol.size != 0 && found->has_tick && found->has_lot ? found : NULL;
}

uint32_t tl_fix_instrument_named(const tl_fix_names *names, const char *text, size_t size)
{
    const uint32_t number = find(names, &names->symbols, TL_TEXT_SYMBOL, text, size);
    return number != UINT32_MAX && tl_fix_instrument_at(names, number) != NULL ? number
                                                                               : UINT32_MAX;
}

uint32_t tl_fix_account_named(const tl_fix_names *names, const char *text, size_t size)
{
    return find(names, &names->account_names, TL_TEXT_ACCOUNT, text, size);
}

const tl_fix_name *tl_fix_account_at(const tl_fix_names *names, uint32_t number)
{
    if (number >= names->accounts_count || names->accounts[number].size == 0)
        return NULL;
    return &names->accounts[number];
}

const tl_fix_name *tl_fix_session_at(const tl_fix_names *names, uint32_t number)
{
    return number < TL_SESSIONS_MAX && names->sessions[number].size != 0 ? &names->sessions[number]
                                                                         : NULL;
}
