/* MarketDataRequest(V): what is asked for, and what of it is not offered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"
#include "touchline/wire/fix_tables.h"

#define BOOKS TL_FIX_KIND_BIT(TL_FIX_ITEM_BOOK)

typedef struct wanted { /* what a request asks for */
    tl_fix_market *market;
    const tl_fix_asker *asker;
    const tl_fix_message *message;
    const tl_fix_field *id;
    bool may_wait, names_wanted;
    bool once, full;
    uint8_t entries;
    uint32_t depth;
    uint16_t instruments[TL_FIX_SYMBOLS_MAX];
    uint32_t count;
} wanted;

typedef enum verdict { GOOD, WAIT, ANSWERED } verdict;

/* Refuse, for what the market's text says. */
static verdict refuse(wanted *of, char reason)
{
    of->market->error = tl_fix_market_reject(of->market, of->asker->session,
                                             tl_fix_value(of->message, of->id), of->id->size,
                                             reason);
    return ANSWERED;
}

static verdict missing(wanted *of, uint32_t tag)
{
    tl_fix_market_missing(of->market, of->asker, of->message, 262, tag);
    return ANSWERED;
}

/* Fields that would change what is asked for, and that nothing here does. */

static char reason_of(uint32_t tag)
{
    switch (tag) {
    case 336:
    case 386:
    case 625:
        return TL_FIX_MD_SESSION_ID;
    case 546:
        return TL_FIX_MD_SCOPE;
    default:
        return TL_FIX_MD_NONE;
    }
}

/* Of the message itself: these are read, or are about entries that are not offered, or say who
 * asks. */
static bool is_known(uint32_t tag)
{
    static const uint16_t known[] = {146, 262, 263, 264, 265, 266, 267, 286, 453, 547};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i] == tag)
            return true;
    return false;
}

/* Of a symbol: these would make it another one, or ask for a part of its book. */
static bool narrows(uint32_t tag)
{
    static const uint16_t narrowing[] = {63, 64, 271, 336, 537, 555, 625, 711, 1500};
    for (size_t i = 0; i < sizeof narrowing / sizeof *narrowing; i++)
        if (narrowing[i] == tag)
            return true;
    return false;
}

static verdict check_fields(wanted *of)
{
    const tl_fix_message *message = of->message;
    for (uint32_t i = 0; i < message->count; i++) {
        const uint32_t tag = message->fields[i].tag;
        const unsigned depth = message->fields[i].depth;
        const uint32_t row = tl_fix_field_row(of->asker->dialect->session, tag);
        const bool framing = (of->asker->dialect->session->fields[row].flags &
                              (TL_FIX_IN_HEADER | TL_FIX_IN_TRAILER)) != 0;
        if (framing || tag >= 5000 || (depth == 0 ? is_known(tag) : !narrows(tag)))
            continue;
        tl_fix_market_say(of->market, "field %u is not offered in a market data request", tag);
        return refuse(of, reason_of(tag));
    }
    if (tl_fix_char_of(message, 266) == 'N') {
        tl_fix_market_say(of->market, "books are offered by price level alone (266=Y)");
        return refuse(of, TL_FIX_MD_AGGREGATED);
    }
    if (tl_fix_char_of(message, 547) == 'Y') {
        tl_fix_market_say(of->market, "every level that is gone is deleted by an entry (547=N)");
        return refuse(of, TL_FIX_MD_IMPLICIT_DELETE);
    }
    return GOOD;
}

/* How: once or on and on, how deep, in full or by what is new. */
static verdict read_manner(wanted *of)
{
    const tl_fix_message *message = of->message;
    const tl_fix_field *depth = tl_fix_find(message, 264);
    uint64_t levels;
    of->once = tl_fix_char_of(message, 263) == '0';
    if (depth == NULL)
        return missing(of, 264);
    if (!tl_fix_read_uint(tl_fix_value(message, depth), depth->size, &levels) ||
        levels >= UINT32_MAX) {
        tl_fix_market_say(of->market, "MarketDepth %.*s is not 0, 1 or a number of levels",
                          TL_FIX_SHOWN(message, depth));
        return refuse(of, TL_FIX_MD_DEPTH);
    }
    of->depth = levels == 0 ? UINT32_MAX : (uint32_t)levels;
    if (of->once)
        return GOOD;
    if (tl_fix_find(message, 265) == NULL)
        return missing(of, 265);
    const char update = tl_fix_char_of(message, 265);
    if (update != '0' && update != '1') {
        tl_fix_market_say(of->market, "MDUpdateType is 0 or 1");
        return refuse(of, TL_FIX_MD_UPDATE_TYPE);
    }
    of->full = update == '0';
    return GOOD;
}

static verdict read_entries(wanted *of)
{
    const tl_fix_message *message = of->message;
    const tl_fix_field *first;
    uint32_t fields;
    bool there = tl_fix_group(message, of->asker->dialect, 267, 0, &first, &fields);
    if (!there)
        return missing(of, 269);
    for (; there; there = tl_fix_group_next(message, &first, &fields)) {
        const char type = first->size == 1 ? *tl_fix_value(message, first) : 0;
        if (type < '0' || type > '2') {
            tl_fix_market_say(of->market,
                              "MDEntryType %.*s is not offered; 0, 1 and 2 are",
                              TL_FIX_SHOWN(message, first));
            return refuse(of, TL_FIX_MD_ENTRY_TYPE);
        }
        of->entries |= (uint8_t)(1u << (type - '0'));
    }
    return GOOD;
}

static bool is_text(const tl_fix_message *message, const tl_fix_field *field,
                    const tl_fix_name *name)
{
    return field->size == name->size &&
           memcmp(tl_fix_value(message, field), name->text, name->size) == 0;
}

/* One entry of the symbols. */
static verdict read_symbol(wanted *of, const tl_fix_field *first, uint32_t fields)
{
    tl_fix_market *market = of->market;
    const tl_fix_message *message = of->message;
    tl_mirror_view view;
    const uint32_t number = tl_fix_instrument_named(
        market->hooks.names, tl_fix_value(message, first), first->size);
    if (number == UINT32_MAX || !tl_mirror_look(market->mirror, (uint16_t)number, &view)) {
        if (number == UINT32_MAX ? of->names_wanted : of->may_wait)
            return WAIT;
        tl_fix_market_say(market, "unknown symbol %.*s", TL_FIX_SHOWN(message, first));
        return refuse(of, TL_FIX_MD_UNKNOWN_SYMBOL);
    }
    const tl_fix_instrument *names = tl_fix_instrument_at(market->hooks.names, number);
    for (uint32_t i = 1; i < fields; i++) {
        const bool other_id = first[i].tag == 48 && !is_text(message, &first[i], &names->symbol);
        const bool other_money = first[i].tag == 15 && names->currency.size != 0 &&
                                 !is_text(message, &first[i], &names->currency);
        if (!other_id && !other_money)
            continue;
        tl_fix_market_say(market, "field %u is not that of symbol %.*s", first[i].tag,
                          TL_FIX_SHOWN(message, first));
        return refuse(of, TL_FIX_MD_UNKNOWN_SYMBOL);
    }
    for (uint32_t i = 0; i < of->count; i++)
        if (of->instruments[i] == number) {
            tl_fix_market_say(market, "symbol %.*s is there twice", TL_FIX_SHOWN(message, first));
            return refuse(of, TL_FIX_MD_NONE);
        }
    of->instruments[of->count++] = (uint16_t)number;
    return GOOD;
}

static verdict read_symbols(wanted *of)
{
    const tl_fix_field *first;
    uint32_t fields;
    verdict verdict = GOOD;
    bool there = tl_fix_group(of->message, of->asker->dialect, 146, 0, &first, &fields);
    if (!there)
        return missing(of, 55);
    for (; there && verdict == GOOD;
         there = tl_fix_group_next(of->message, &first, &fields)) {
        if (first->tag != 55)
            return missing(of, 55);
        if (of->count == TL_FIX_SYMBOLS_MAX) {
            tl_fix_market_say(of->market, "more than %u symbols in a request",
                              TL_FIX_SYMBOLS_MAX);
            return refuse(of, TL_FIX_MD_BANDWIDTH);
        }
        verdict = read_symbol(of, first, fields);
    }
    return verdict;
}

/* Is there room for what is asked? What is asked for once makes room when it is told. */
static verdict check_room(wanted *of)
{
    const tl_fix_audience *audience = &of->market->sessions[of->asker->session];
    if (audience->items_count + of->count <= TL_FIX_ITEMS_MAX)
        return GOOD;
    bool passing = false;
    for (const tl_fix_item *item = audience->items; item != NULL && !passing; item = item->next)
        passing = item->once;
    if (passing && of->may_wait)
        return WAIT;
    tl_fix_market_say(of->market, "more than %u subscriptions of a session", TL_FIX_ITEMS_MAX);
    return refuse(of, TL_FIX_MD_BANDWIDTH);
}

static bool add_book(const wanted *of, uint16_t instrument)
{
    tl_fix_market *market = of->market;
    tl_fix_quoted *quoted = &market->instruments[instrument];
    if ((of->entries & TL_FIX_ENTRY_TRADE) != 0 && quoted->tape == NULL &&
        (quoted->tape = calloc(1, sizeof *quoted->tape)) == NULL)
        return false;
    tl_fix_item *item =
        tl_fix_item_add(market, of->asker, TL_FIX_ITEM_BOOK, instrument,
                        tl_fix_value(of->message, of->id), of->id->size);
    if (item == NULL)
        return false;
    item->once = of->once;
    item->full = of->full;
    item->entries = of->entries;
    item->depth = of->depth;
    tl_fix_item_due(market, item);
    return true;
}

static verdict unsubscribe(wanted *of)
{
    if (tl_fix_items_end(of->market, of->asker->session, BOOKS,
                         tl_fix_value(of->message, of->id), of->id->size) > 0)
        return ANSWERED;
    tl_fix_market_say(of->market, "MDReqID %.*s names no subscription",
                      TL_FIX_SHOWN(of->message, of->id));
    return refuse(of, TL_FIX_MD_NONE);
}

static verdict judge(wanted *of)
{
    tl_fix_market *market = of->market;
    if (!of->asker->may_market_data) {
        tl_fix_market_say(market, "the session may not have market data");
        return refuse(of, TL_FIX_MD_PERMISSIONS);
    }
    if (tl_fix_char_of(of->message, 263) == '2')
        return unsubscribe(of);
    if (market->mirror == NULL || tl_fix_market_fault(market) != NULL) {
        tl_fix_market_business(market, of->asker, of->message, 262, 4,
                               "Application not available");
        return ANSWERED;
    }
    if (tl_fix_item_find(market, of->asker->session, BOOKS, tl_fix_value(of->message, of->id),
                         of->id->size) != NULL) {
        tl_fix_market_say(market, "MDReqID %.*s is in use", TL_FIX_SHOWN(of->message, of->id));
        return refuse(of, TL_FIX_MD_DUPLICATE_ID);
    }
    verdict verdict = check_fields(of);
    verdict = verdict == GOOD ? read_manner(of) : verdict;
    verdict = verdict == GOOD ? read_entries(of) : verdict;
    verdict = verdict == GOOD ? read_symbols(of) : verdict;
    return verdict == GOOD ? check_room(of) : verdict;
}

tl_fix_asked tl_fix_market_ask_book(tl_fix_market *market, const tl_fix_asker *asker,
                             const tl_fix_message *message, bool may_wait, bool names_wanted)
{
    wanted of = {.market = market,
                 .asker = asker,
                 .message = message,
                 .id = tl_fix_find(message, 262),
                 .may_wait = may_wait,
                 .names_wanted = names_wanted};
    market->error = 0;
    switch (judge(&of)) {
    case WAIT:
        return TL_FIX_ASKED_LATER;
    case ANSWERED:
        return tl_fix_asked_of(market, market->error);
    case GOOD:
        break;
    }
    for (uint32_t i = 0; i < of.count; i++)
        if (!add_book(&of, of.instruments[i]))
            return tl_fix_asked_of(market, -ENOMEM);
    return TL_FIX_ASKED_DONE;
}
