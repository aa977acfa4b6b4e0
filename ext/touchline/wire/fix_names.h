/* What instruments and accounts are called, and what one tick and one lot are worth.
 *
 * Learned from TEXT commands alone, as the journal has them. A name that is given once stays.
 * Memory grows with the numbers that are named; finding a number by its name is one look in a hash
 * table.
 */
#ifndef TOUCHLINE_FIX_NAMES_H
#define TOUCHLINE_FIX_NAMES_H

#include "touchline/core/messages.h"
#include "touchline/wire/fix_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_fix_name {
    uint8_t size; /* 0: none */
    char text[TL_TEXT_BYTES];
} tl_fix_name;

typedef struct tl_fix_instrument {
    tl_fix_name symbol, currency;
    tl_fix_unit tick, lot; /* 1 where the journal does not say */
    bool has_tick, has_lot;
} tl_fix_instrument;

typedef struct tl_fix_place {
    uint64_t word; /* the name, where its size is eight at most; else its hash */
    uint32_t number;
    uint32_t size; /* of the name; 0: the place is free */
} tl_fix_place;

typedef struct tl_fix_index { /* numbers by name */
    tl_fix_place *places;
    uint32_t mask, count;
} tl_fix_index;

typedef struct tl_fix_names {
    tl_fix_instrument *instruments;
    tl_fix_name *accounts;
    tl_fix_name sessions[TL_SESSIONS_MAX];
    uint32_t instruments_count, accounts_count; /* places in these arrays */
    uint32_t instruments_max, accounts_max;
    tl_fix_index symbols, account_names;
} tl_fix_names;

void tl_fix_names_open(tl_fix_names *names, uint32_t instruments_max, uint32_t accounts_max);
void tl_fix_names_close(tl_fix_names *names);
/* 0; -ENOMEM. A text of another kind, or that names what can not be, changes nothing. */
int tl_fix_names_take(tl_fix_names *names, const tl_command *text);
/* NULL: no such instrument with symbol, tick and lot. */
const tl_fix_instrument *tl_fix_instrument_at(const tl_fix_names *names, uint32_t number);
/* UINT32_MAX: there is none of that name (or its sizes are not known yet). */
uint32_t tl_fix_instrument_named(const tl_fix_names *names, const char *text, size_t size);
uint32_t tl_fix_account_named(const tl_fix_names *names, const char *text, size_t size);
/* NULL: it has no name. */
const tl_fix_name *tl_fix_session_at(const tl_fix_names *names, uint32_t number);
const tl_fix_name *tl_fix_account_at(const tl_fix_names *names, uint32_t number);

#endif
