/* Whether instruments and the venue trade: e is answered by f, g by h. */
#include <errno.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"

#define TRADING_SESSION "1" /* TradingSessionID(336): there is one, the day */

enum { STATUS_UNKNOWN = 20, PRICE_INDICATION = 5 }; /* SecurityTradingStatus(326) */

/* SecurityTradingStatus(326) in the words of the version. A phase that collects orders and that it
 * does not know is price indication; trading at the closing price is trading. */
static uint32_t status_in(const tl_fix_dialect *dialect, uint8_t status)
{
    const bool newest = dialect->version == TL_FIX_50SP2;
    switch (status) {
    case TL_TRADING_STATUS_PRE_OPEN:
    case TL_TRADING_STATUS_OPENING_AUCTION:
        return dialect->version == TL_FIX_42 ? PRICE_INDICATION : status;
    case TL_TRADING_STATUS_VOLATILITY_AUCTION:
    case TL_TRADING_STATUS_CLOSING_AUCTION:
        return PRICE_INDICATION;
    case TL_TRADING_STATUS_CLOSING_PRICE:
        return newest ? status : TL_TRADING_STATUS_READY_TO_TRADE;
    default:
        return status;
    }
}

/* TradingSessionSubID(625), as FIX 5.0 numbers phases; 0: it has none for this. */
static char phase_in(uint8_t status)
{
    switch (status) {
    case TL_TRADING_STATUS_PRE_OPEN:
        return '1';
    case TL_TRADING_STATUS_OPENING_AUCTION:
        return '2';
    case TL_TRADING_STATUS_READY_TO_TRADE:
        return '3';
    case TL_TRADING_STATUS_CLOSING_AUCTION:
        return '4';
    case TL_TRADING_STATUS_CLOSING_PRICE:
        return '5';
    case TL_TRADING_STATUS_VOLATILITY_AUCTION:
        return '9';
    default:
        return 0;
    }
}

static bool is_digits(const tl_fix_message *message, uint32_t tag, uint64_t *number)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && tl_fix_read_uint(tl_fix_value(message, field), field->size, number);
}

/* SecurityStatus(f) */

static int send_status(tl_fix_market *market, const tl_fix_named *to, const char *symbol,
                       size_t symbol_size, uint8_t status, bool update, int64_t utc_ns)
{
    char *at = tl_fix_put_text(market->body, 55, symbol, symbol_size);
    at = tl_fix_put_time(at, 60, utc_ns, to->time_decimals);
    at = tl_fix_put_text(at, 324, to->id, to->id_size);
    at = tl_fix_put_char(at, 325, update ? 'Y' : 'N');
    at = tl_fix_put_uint(at, 326, status_in(to->dialect, status));
    const char phase = to->dialect->version == TL_FIX_42 ? 0 : phase_in(status);
    if (phase != 0) {
        at = tl_fix_put_text(at, 336, TRADING_SESSION, strlen(TRADING_SESSION));
        at = tl_fix_put_char(at, 625, phase);
    }
    return tl_fix_market_send(market, to->session, "f", market->body, at, true);
}

static int tell_status(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    const tl_fix_named to = tl_fix_named_item(market, item);
    const uint8_t status = tl_fix_trading_status(market, item->instrument);
    const tl_fix_name *symbol =
        &tl_fix_instrument_at(market->hooks.names, item->instrument)->symbol;
    item->due = false;
    if (status == item->told)
        return 0;
    item->told = status;
    return send_status(market, &to, symbol->text, symbol->size, status, true, utc_ns);
}

/* What a request says of a subscription: end it, begin one, or neither. False: it was answered. */
static bool subscribe(tl_fix_market *market, const tl_fix_asker *asker,
                      const tl_fix_message *message, tl_fix_item_kind kind, uint32_t tag,
                      tl_fix_asked *asked)
{
    const tl_fix_named to = tl_fix_named_by(asker, message, tag);
    const char how = tl_fix_char_of(message, 263);
    const unsigned kinds = TL_FIX_KIND_BIT(kind);
    const char *fault = NULL;
    *asked = TL_FIX_ASKED_DONE;
    if (how == '2') {
        if (tl_fix_items_end(market, asker->session, kinds, to.id, to.id_size) > 0)
            return false;
        fault = "it names no subscription";
    } else if (how != '0' && how != '1') {
        fault = "SubscriptionRequestType(263) is 0, 1 or 2";
    } else if (tl_fix_item_find(market, asker->session, kinds, to.id, to.id_size) != NULL) {
        fault = "it is in use";
    } else if (how == '1' &&
               market->sessions[asker->session].items_count >= TL_FIX_ITEMS_MAX) {
        fault = "more subscriptions than a session may have";
    }
    if (fault == NULL)
        return true;
    tl_fix_market_say(market, "field %u: %s", tag, fault);
    *asked = tl_fix_market_business(market, asker, message, tag, 0, market->text);
    return false;
}

tl_fix_asked tl_fix_market_ask_status(tl_fix_market *market, const tl_fix_asker *asker,
                               const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                               bool names_wanted)
{
    tl_fix_asked asked;
    const tl_fix_named to = tl_fix_named_by(asker, message, 324);
    const tl_fix_field *symbol = tl_fix_find(message, 55);
    if (symbol == NULL)
        return tl_fix_market_missing(market, asker, message, 324, 55);
    const uint32_t number = tl_fix_instrument_asked(market, message);
    if (number == UINT32_MAX ? names_wanted
                             : may_wait && market->instruments[number].trading_status == 0)
        return TL_FIX_ASKED_LATER;
    if (!subscribe(market, asker, message, TL_FIX_ITEM_STATUS, 324, &asked))
        return asked;
    if (number == UINT32_MAX && symbol->size > TL_TEXT_BYTES) {
        tl_fix_market_say(market, "unknown symbol %.*s", TL_FIX_SHOWN(message, symbol));
        return tl_fix_market_business(market, asker, message, 324, 0, market->text);
    }
    const uint8_t status = number == UINT32_MAX
                               ? STATUS_UNKNOWN
                               : tl_fix_trading_status(market, (uint16_t)number);
    if (number != UINT32_MAX && tl_fix_char_of(message, 263) == '1') {
        tl_fix_item *item = tl_fix_item_add(market, asker, TL_FIX_ITEM_STATUS, (uint16_t)number,
                                            to.id, to.id_size);
        if (item == NULL)
            return tl_fix_asked_of(market, -ENOMEM);
        item->told = status;
    }
    return tl_fix_asked_of(market,
                           send_status(market, &to, tl_fix_value(message, symbol), symbol->size,
                                       status, false, utc_ns));
}

/* TradingSessionStatus(h) */

enum { VENUE_HALTED = 1, VENUE_OPEN = 2, VENUE_REFUSED = 6 }; /* TradSesStatus(340) */

static uint8_t venue_status(const tl_fix_market *market)
{
    return market->entry_status == TL_ENTRY_STATUS_BLOCKED ? VENUE_HALTED : VENUE_OPEN;
}

/* `reason`: TradSesStatusRejReason(567), 0: none. */
static int send_venue(tl_fix_market *market, const tl_fix_named *to, uint8_t status, bool update,
                      uint32_t reason)
{
    char *at = tl_fix_put_char(market->body, 325, update ? 'Y' : 'N');
    at = tl_fix_put_text(at, 335, to->id, to->id_size);
    at = tl_fix_put_text(at, 336, TRADING_SESSION, strlen(TRADING_SESSION));
    at = tl_fix_put_uint(at, 340, status);
    if (reason != 0)
        at = tl_fix_put_uint(at, 567, reason);
    return tl_fix_market_send(market, to->session, "h", market->body, at, true);
}

static int tell_venue(tl_fix_market *market, tl_fix_item *item)
{
    const tl_fix_named to = tl_fix_named_item(market, item);
    const uint8_t status = venue_status(market);
    item->due = false;
    if (status == item->told)
        return 0;
    item->told = status;
    return send_venue(market, &to, status, true, 0);
}

static tl_fix_asked refuse_venue(tl_fix_market *market, const tl_fix_asker *asker,
                                 const tl_fix_message *message, uint32_t reason)
{
    const tl_fix_named to = tl_fix_named_by(asker, message, 335);
    if (asker->dialect->version == TL_FIX_42)
        return tl_fix_market_business(market, asker, message, 335, 0,
                                      "there is one trading session, 1, and it is electronic");
    return tl_fix_asked_of(market, send_venue(market, &to, VENUE_REFUSED, false, reason));
}

tl_fix_asked tl_fix_market_ask_venue(tl_fix_market *market, const tl_fix_asker *asker,
                              const tl_fix_message *message)
{
    tl_fix_asked asked;
    uint64_t method = 1;
    const tl_fix_named to = tl_fix_named_by(asker, message, 335);
    if (tl_fix_find(message, 336) != NULL && tl_fix_char_of(message, 336) != TRADING_SESSION[0])
        return refuse_venue(market, asker, message, 1);
    if (tl_fix_find(message, 338) != NULL && (!is_digits(message, 338, &method) || method != 1))
        return refuse_venue(market, asker, message, 99);
    if (!subscribe(market, asker, message, TL_FIX_ITEM_VENUE, 335, &asked))
        return asked;
    if (tl_fix_char_of(message, 263) == '1') {
        tl_fix_item *item =
            tl_fix_item_add(market, asker, TL_FIX_ITEM_VENUE, 0, to.id, to.id_size);
        if (item == NULL)
            return tl_fix_asked_of(market, -ENOMEM);
        item->told = venue_status(market);
    }
    return tl_fix_asked_of(market, send_venue(market, &to, venue_status(market), false, 0));
}

int tl_fix_tell_status(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    return item->kind == TL_FIX_ITEM_STATUS ? tell_status(market, item, utc_ns)
                                            : tell_venue(market, item);
}
