/* Items: what sessions have asked to be told, by session and by instrument. */
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"

static void link_to_instrument(tl_fix_market *market, tl_fix_item *item)
{
    tl_fix_quoted *quoted = &market->instruments[item->instrument];
    item->behind = quoted->items;
    if (quoted->items != NULL)
        quoted->items->before = item;
    quoted->items = item;
}

static bool is_of_instrument(const tl_fix_item *item)
{
    return item->kind == TL_FIX_ITEM_BOOK || item->kind == TL_FIX_ITEM_STATUS;
}

tl_fix_item *tl_fix_item_add(tl_fix_market *market, const tl_fix_asker *asker,
                             tl_fix_item_kind kind, uint16_t instrument, const char *id,
                             size_t id_size)
{
    tl_fix_audience *audience = &market->sessions[asker->session];
    tl_fix_item *item = calloc(1, sizeof *item);
    if (item == NULL)
        return NULL;
    item->kind = kind;
    item->session = asker->session;
    item->instrument = instrument;
    item->id_size = (uint8_t)id_size;
    memcpy(item->id, id, id_size);
    item->route = market->asked;
    if (audience->items == NULL)
        audience->last = &audience->items;
    *audience->last = item;
    audience->last = &item->next;
    audience->items_count++;
    if (is_of_instrument(item))
        link_to_instrument(market, item);
    return item;
}

static void forget(tl_fix_market *market, tl_fix_item *item)
{
    tl_fix_audience *audience = &market->sessions[item->session];
    if (is_of_instrument(item)) {
        if (item->before != NULL)
            item->before->behind = item->behind;
        else
            market->instruments[item->instrument].items = item->behind;
        if (item->behind != NULL)
            item->behind->before = item->before;
    }
    audience->levels -= item->sides[0].room + item->sides[1].room;
    audience->items_count--;
    free(item->sides[0].at);
    free(item->sides[1].at);
    free(item);
}

void tl_fix_item_end(tl_fix_market *market, tl_fix_item *item)
{
    tl_fix_audience *audience = &market->sessions[item->session];
    tl_fix_item **at = &audience->items;
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    if (item->next == NULL)
        audience->last = at;
    forget(market, item);
}

static bool is_named(const tl_fix_item *item, unsigned kinds, const char *id, size_t id_size)
{
    return (TL_FIX_KIND_BIT(item->kind) & kinds) != 0 &&
           (id == NULL || (item->id_size == id_size && memcmp(item->id, id, id_size) == 0));
}

tl_fix_item *tl_fix_item_find(const tl_fix_market *market, uint32_t session, unsigned kinds,
                              const char *id, size_t id_size)
{
    tl_fix_item *item = market->sessions[session].items;
    while (item != NULL && !is_named(item, kinds, id, id_size))
        item = item->next;
    return item;
}

uint32_t tl_fix_items_end(tl_fix_market *market, uint32_t session, unsigned kinds, const char *id,
                          size_t id_size)
{
    tl_fix_audience *audience = &market->sessions[session];
    tl_fix_item **at = &audience->items;
    uint32_t ended = 0;
    while (*at != NULL) {
        tl_fix_item *item = *at;
        if (is_named(item, kinds, id, id_size)) {
            *at = item->next;
            forget(market, item);
            ended++;
        } else {
            at = &item->next;
        }
    }
    audience->last = at;
    return ended;
}

void tl_fix_item_due(tl_fix_market *market, tl_fix_item *item)
{
    tl_fix_audience *audience = &market->sessions[item->session];
    item->due = true;
    if (audience->queued)
        return;
    audience->queued = true;
    const uint32_t at = market->queue_at + market->queue_count++;
    market->queue[at % market->config.sessions_max] = item->session;
}

void tl_fix_market_left(tl_fix_market *market, uint32_t session)
{
    if (session >= market->config.sessions_max)
        return;
    const unsigned all = ~0u;
    tl_fix_items_end(market, session, all, NULL, 0);
}

uint32_t tl_fix_market_items(const tl_fix_market *market, uint32_t session)
{
    return session < market->config.sessions_max ? market->sessions[session].items_count : 0;
}

/* Requests as they name themselves and an instrument. */

tl_fix_named tl_fix_named_by(const tl_fix_asker *asker, const tl_fix_message *message, uint32_t tag)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return (tl_fix_named){tl_fix_value(message, field), field->size, asker->session, asker->dialect,
                   asker->time_decimals};
}

tl_fix_named tl_fix_named_item(const tl_fix_market *market, const tl_fix_item *item)
{
    const tl_fix_audience *audience = &market->sessions[item->session];
    return (tl_fix_named){item->id, item->id_size, item->session, audience->dialect,
                   audience->time_decimals};
}

char tl_fix_char_of(const tl_fix_message *message, uint32_t tag)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && field->size == 1 ? *tl_fix_value(message, field) : 0;
}

uint32_t tl_fix_instrument_asked(const tl_fix_market *market, const tl_fix_message *message)
{
    const tl_fix_field *symbol = tl_fix_find(message, 55);
    const tl_fix_field *id = tl_fix_find(message, 48);
    if (symbol == NULL)
        return UINT32_MAX;
    const char *text = tl_fix_value(message, symbol);
    if (id != NULL && (id->size != symbol->size ||
                       memcmp(tl_fix_value(message, id), text, id->size) != 0))
        return UINT32_MAX;
    const uint32_t number = tl_fix_instrument_named(market->hooks.names, text, symbol->size);
    return number < market->config.instruments_max ? number : UINT32_MAX;
}
