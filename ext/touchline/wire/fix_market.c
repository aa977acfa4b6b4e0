/* The market as a whole: opened, told of events, and whose turn it is to be told. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"

#define EVENTS_AT_ONCE 16384u /* of which the mirror has room for all rows */

int tl_fix_market_open(tl_fix_market **out, const tl_fix_market_config *config,
                       const tl_fix_market_hooks *hooks)
{
    *out = NULL;
    if (config->sessions_max == 0 || config->instruments_max == 0)
        return -EINVAL;
    tl_fix_market *market = calloc(1, sizeof *market);
    if (market == NULL)
        return -ENOMEM;
    market->config = *config;
    market->hooks = *hooks;
    market->body = market->whole + TL_FIX_ROUTE_BYTES;
    market->route = &market->asked;
    market->entry_status = TL_ENTRY_STATUS_OPEN;
    market->instruments = calloc(config->instruments_max, sizeof *market->instruments);
    market->touched = calloc(config->instruments_max, sizeof *market->touched);
    market->sessions = calloc(config->sessions_max, sizeof *market->sessions);
    market->queue = calloc(config->sessions_max, sizeof *market->queue);
    int rc = 0;
    if (market->instruments == NULL || market->touched == NULL || market->sessions == NULL ||
        market->queue == NULL)
        rc = -ENOMEM;
    else if (config->orders_max != 0)
        rc = tl_mirror_open(&market->mirror, config->instruments_max, config->orders_max,
                            config->price_blocks_max);
    if (rc != 0) {
        tl_fix_market_close(market);
        return rc;
    }
    *out = market;
    return 0;
}

void tl_fix_market_close(tl_fix_market *market)
{
    if (market == NULL)
        return;
    for (uint32_t i = 0; market->sessions != NULL && i < market->config.sessions_max; i++)
        tl_fix_market_left(market, i);
    for (uint32_t i = 0; market->instruments != NULL && i < market->config.instruments_max; i++)
        free(market->instruments[i].tape);
    tl_mirror_close(market->mirror);
    free(market->instruments);
    free(market->touched);
    free(market->sessions);
    free(market->queue);
    free(market->looked);
    free(market->now);
    free(market->between);
    free(market);
}

void tl_fix_market_take(tl_fix_market *market, tl_mirror *books)
{
    market->mirror = books;
}

const char *tl_fix_market_fault(const tl_fix_market *market)
{
    const int fault = market->mirror == NULL ? 0 : tl_mirror_fault(market->mirror);
    return fault == 0 ? NULL : tl_mirror_fault_text(fault);
}

int tl_fix_market_error(const tl_fix_market *market)
{
    return market->error;
}

/* Events */

static void touch(tl_fix_market *market, uint16_t instrument)
{
    tl_fix_quoted *quoted = &market->instruments[instrument];
    if (quoted->touched || quoted->items == NULL)
        return;
    quoted->touched = true;
    market->touched[market->touched_count++] = instrument;
}

static void note_trade(tl_fix_tape *tape, const tl_event *event)
{
    tape->trades[tape->count++ % TL_FIX_TRADES_MAX] = (tl_fix_trade){
        .seq = event->seq, .ts_ns = event->ts_ns, .price = event->price, .qty = event->qty};
}

/* The kill switch: every status told depends on it. */
static void note_venue(tl_fix_market *market, const tl_event *event)
{
    market->entry_status = (uint8_t)event->qty;
    for (uint32_t i = 0; i < market->config.sessions_max; i++)
        for (tl_fix_item *item = market->sessions[i].items; item != NULL; item = item->next)
            if (item->kind == TL_FIX_ITEM_STATUS || item->kind == TL_FIX_ITEM_VENUE)
                tl_fix_item_due(market, item);
}

static void note(tl_fix_market *market, const tl_event *event)
{
    if (event->exec_type == TL_EXEC_TYPE_VENUE_STATUS) {
        note_venue(market, event);
        return;
    }
    if (event->instrument >= market->config.instruments_max)
        return;
    tl_fix_quoted *quoted = &market->instruments[event->instrument];
    switch (event->exec_type) {
    case TL_EXEC_TYPE_SECURITY_DEFINITION:
        quoted->trading_status = TL_TRADING_STATUS_READY_TO_TRADE;
        return;
    case TL_EXEC_TYPE_SECURITY_STATUS:
        quoted->trading_status = (uint8_t)event->qty;
        touch(market, event->instrument);
        return;
    case TL_EXEC_TYPE_TRADE:
        if (quoted->tape != NULL)
            note_trade(quoted->tape, event);
        touch(market, event->instrument);
        return;
    case TL_EXEC_TYPE_NEW:
    case TL_EXEC_TYPE_DECREMENTED:
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_REPLACED:
    case TL_EXEC_TYPE_EXPIRED:
    case TL_EXEC_TYPE_RESTATED:
        touch(market, event->instrument);
        return;
    default:
        return;
    }
}

/* Let the books follow, a part at a time; an event that can not follow ends them. */
static void mirror_events(tl_fix_market *market, const tl_event *events, size_t count)
{
    while (count > 0 && tl_fix_market_fault(market) == NULL) {
        const size_t some = count < EVENTS_AT_ONCE ? count : EVENTS_AT_ONCE;
        const size_t done = tl_mirror_apply(market->mirror, events, some);
        events += done;
        count -= done;
    }
}

static void end_books(tl_fix_market *market)
{
    for (uint32_t i = 0; i < market->config.sessions_max; i++)
        for (tl_fix_item *item = market->sessions[i].items; item != NULL; item = item->next)
            if (item->kind == TL_FIX_ITEM_BOOK)
                tl_fix_item_due(market, item); /* which says so, and ends it */
}

void tl_fix_market_events(tl_fix_market *market, const tl_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++)
        note(market, &events[i]);
    if (market->mirror != NULL && tl_fix_market_fault(market) == NULL) {
        mirror_events(market, events, count);
        if (tl_fix_market_fault(market) != NULL)
            end_books(market);
    }
    for (uint32_t i = 0; i < market->touched_count; i++) {
        tl_fix_quoted *quoted = &market->instruments[market->touched[i]];
        quoted->touched = false;
        for (tl_fix_item *item = quoted->items; item != NULL; item = item->behind)
            if (!item->due)
                tl_fix_item_due(market, item);
    }
    market->touched_count = 0;
}

/* Whose turn it is */

static int tell(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    int rc;
    market->route = &item->route;
    if (item->kind == TL_FIX_ITEM_BOOK)
        rc = tl_fix_tell_book(market, item);
    else if (item->kind == TL_FIX_ITEM_STATUS || item->kind == TL_FIX_ITEM_VENUE)
        rc = tl_fix_tell_status(market, item, utc_ns);
    else
        rc = tl_fix_tell_reference(market, item, utc_ns);
    market->route = &market->asked; /* the item may have ended */
    return rc;
}

/* Put who was told to the end of the line, so that the next to be told is another one. */
static void rotate(tl_fix_audience *audience)
{
    tl_fix_item *first = audience->items;
    if (first == NULL || first->next == NULL)
        return;
    audience->items = first->next;
    first->next = NULL;
    *audience->last = first;
    audience->last = &first->next;
}

/* A slice for one session; `more`: something is due still. */
static int write_slice(tl_fix_market *market, tl_fix_audience *audience, int64_t utc_ns,
                       bool *more)
{
    int rc = 0;
    uint32_t looks = audience->items_count;
    market->sent = 0;
    while (looks-- > 0 && audience->items != NULL && rc == 0 &&
           market->sent < TL_FIX_MARKET_SLICE) {
        tl_fix_item *item = audience->items;
        rotate(audience);
        if (item->due)
            rc = tell(market, item, utc_ns);
    }
    *more = false;
    for (tl_fix_item *item = audience->items; item != NULL && !*more; item = item->next)
        *more = item->due;
    return rc;
}

int tl_fix_market_write(tl_fix_market *market, int64_t utc_ns)
{
    size_t round = 0;
    int rc = 0;
    for (uint32_t turns = market->queue_count;
         turns > 0 && rc == 0 && round < TL_FIX_MARKET_ROUND; turns--) {
        const uint32_t session = market->queue[market->queue_at];
        tl_fix_audience *audience = &market->sessions[session];
        bool more = audience->items != NULL;
        market->queue_at = (market->queue_at + 1) % market->config.sessions_max;
        market->queue_count--;
        audience->queued = false;
        if (more && market->hooks.ready(market->hooks.context, session)) {
            rc = write_slice(market, audience, utc_ns, &more);
            round += market->sent;
        }
        if (more) {
            audience->queued = true;
            const uint32_t at = market->queue_at + market->queue_count++;
            market->queue[at % market->config.sessions_max] = session;
        }
    }
    return rc;
}

/* Requests */

bool tl_fix_market_serves(tl_fix_msg_type type)
{
    return type == TL_FIX_MARKET_DATA_REQUEST || type == TL_FIX_SECURITY_LIST_REQUEST ||
           type == TL_FIX_SECURITY_DEFINITION_REQUEST ||
           type == TL_FIX_SECURITY_STATUS_REQUEST ||
           type == TL_FIX_TRADING_SESSION_STATUS_REQUEST;
}

/* The field that names a request. */
static uint32_t name_tag(tl_fix_msg_type type)
{
    switch (type) {
    case TL_FIX_MARKET_DATA_REQUEST:
        return 262;
    case TL_FIX_SECURITY_STATUS_REQUEST:
        return 324;
    case TL_FIX_TRADING_SESSION_STATUS_REQUEST:
        return 335;
    default:
        return 320;
    }
}

tl_fix_asked tl_fix_market_request(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                                   bool names_wanted)
{
    const uint32_t tag = name_tag(message->type);
    const tl_fix_field *id = tl_fix_find(message, tag);
    tl_fix_audience *audience = &market->sessions[asker->session];
    audience->dialect = asker->dialect;
    audience->time_decimals = asker->time_decimals;
    names_wanted = names_wanted && may_wait;
    const uint32_t unfit = tl_fix_route_of(&market->asked, message);
    market->route = &market->asked;
    if (unfit != 0) {
        tl_fix_market_say(market, "%s(%u) is too long to be answered: allowed are %u bytes, "
                          "printable, and %u of such fields together", tl_fix_route_name(unfit),
                          unfit, TL_FIX_ROUTE_VALUE_MAX, TL_FIX_ROUTE_BYTES);
        return tl_fix_market_business(market, asker, message, 0, 0, market->text);
    }
    if (id == NULL)
        return tl_fix_market_missing(market, asker, message, tag, tag);
    if (id->size > TL_FIX_REQ_ID_MAX) {
        tl_fix_market_say(market, "field %u is %u bytes long; allowed are %u", tag, id->size,
                          TL_FIX_REQ_ID_MAX);
        return tl_fix_market_business(market, asker, message, 0, 0, market->text);
    }
    switch (message->type) {
    case TL_FIX_MARKET_DATA_REQUEST:
        return tl_fix_market_ask_book(market, asker, message, may_wait, names_wanted);
    case TL_FIX_SECURITY_LIST_REQUEST:
        return tl_fix_market_ask_list(market, asker, message, utc_ns, may_wait, names_wanted);
    case TL_FIX_SECURITY_DEFINITION_REQUEST:
        return tl_fix_market_ask_definition(market, asker, message, utc_ns, may_wait, names_wanted);
    case TL_FIX_SECURITY_STATUS_REQUEST:
        return tl_fix_market_ask_status(market, asker, message, utc_ns, may_wait, names_wanted);
    default:
        return tl_fix_market_ask_venue(market, asker, message);
    }
}

/* Answers */

void tl_fix_market_say(tl_fix_market *market, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(market->text, sizeof market->text, format, arguments);
    va_end(arguments);
    for (char *at = market->text; *at != 0; at++)
        if ((unsigned char)*at < 0x20)
            *at = '?';
}

int tl_fix_market_send(tl_fix_market *market, uint32_t session, const char *msg_type,
                       const char *from, const char *end, bool passing)
{
    const tl_fix_route *route = market->route;
    char *whole = market->whole + (from - market->whole) - route->size;
    memcpy(whole, route->text, route->size);
    const size_t size = (size_t)(end - whole);
    market->sent += size;
    return market->hooks.send(market->hooks.context, session, msg_type, whole, size, passing);
}

tl_fix_asked tl_fix_market_business(tl_fix_market *market, const tl_fix_asker *asker,
                                    const tl_fix_message *message, uint32_t ref, int reason,
                                    const char *text)
{
    const tl_fix_field *type = tl_fix_find(message, 35);
    const tl_fix_field *name = ref == 0 ? NULL : tl_fix_find(message, ref);
    char *at = tl_fix_put_uint(market->body, 45, message->msg_seq_num);
    at = tl_fix_put_text(at, 58, text, strlen(text));
    at = tl_fix_put_text(at, 372, tl_fix_value(message, type), type->size);
    if (name != NULL)
        at = tl_fix_put_text(at, 379, tl_fix_value(message, name), name->size);
    at = tl_fix_put_uint(at, 380, (uint64_t)reason);
    return tl_fix_asked_of(
        market, tl_fix_market_send(market, asker->session, "j", market->body, at, false));
}

tl_fix_asked tl_fix_market_missing(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, uint32_t ref, uint32_t tag)
{
    tl_fix_market_say(market, "Conditionally Required Field Missing (%u)", tag);
    return tl_fix_market_business(market, asker, message, ref == tag ? 0 : ref, 5, market->text);
}

int tl_fix_market_reject(tl_fix_market *market, uint32_t session, const char *id, size_t id_size,
                         char reason)
{
    const bool old = market->sessions[session].dialect->version == TL_FIX_42;
    char *at = tl_fix_put_text(market->body, 58, market->text, strlen(market->text));
    at = tl_fix_put_text(at, 262, id, id_size);
    if (old && reason > TL_FIX_MD_ENTRY_TYPE) /* FIX 4.2 has none beyond that */
        reason = TL_FIX_MD_NONE;
    if (reason != TL_FIX_MD_NONE)
        at = tl_fix_put_char(at, 281, reason);
    return tl_fix_market_send(market, session, "Y", market->body, at, false);
}
