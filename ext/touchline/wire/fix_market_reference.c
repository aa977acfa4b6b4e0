/* What instruments there are: x is answered by y, c by d. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"

#define ENTRY_MAX 512          /* bytes of the longest entry of a list */
#define DEFINITIONS_AT_ONCE 16u
#define LISTS (TL_FIX_KIND_BIT(TL_FIX_ITEM_LIST) | TL_FIX_KIND_BIT(TL_FIX_ITEM_DEFINITIONS))

enum { /* SecurityRequestResult(560) */
    LIST_GOOD = 0,
    LIST_UNSUPPORTED = 1,
    LIST_NONE = 2,
    LIST_NOT_NOW = 4
};

enum { /* SecurityResponseType(323) */
    DEFINITION_GOOD = 1,
    DEFINITION_OF_LIST = 4, /* FIX 4.4 has 1 for it */
    DEFINITION_REFUSED = 5,
    DEFINITION_NONE = 6
};

/* SecurityResponseID(322): not given out before, also not by the venue's last run. */
static uint64_t response(tl_fix_market *market, int64_t utc_ns)
{
    if (market->responses == 0)
        market->responses = (uint64_t)utc_ns;
    return ++market->responses;
}

/* How many instruments have a name among those below `to`. */
static uint32_t count_named(const tl_fix_market *market, uint32_t to)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < to; i++)
        count += tl_fix_instrument_at(market->hooks.names, i) != NULL;
    return count;
}

static char *put_name(char *at, uint32_t tag, const tl_fix_name *name)
{
    return name->size == 0 ? at : tl_fix_put_text(at, tag, name->text, name->size);
}

static char *put_bytes(char *at, const char *text)
{
    const size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
}

/* Text(58): what there is no field for in every version. */
static char *put_sizes(char *at, const tl_fix_instrument *instrument, uint32_t place,
                       uint32_t listed)
{
    char text[192];
    char *end = text;
    if (listed > 0) {
        end = tl_fix_write_uint(end, place);
        end = put_bytes(end, " of ");
        end = tl_fix_write_uint(end, listed);
        end = put_bytes(end, ": ");
    }
    end = put_bytes(end, "tick size ");
    end = tl_fix_write_units(end, 1, &instrument->tick);
    end = put_bytes(end, ", lot size ");
    end = tl_fix_write_units(end, 1, &instrument->lot);
    return tl_fix_put_text(at, 58, text, (size_t)(end - text));
}

/* SecurityList(y) */

static char *put_listed(char *at, const tl_fix_dialect *dialect,
                        const tl_fix_instrument *instrument)
{
    at = put_name(at, 55, &instrument->symbol);
    if (dialect->version == TL_FIX_50SP2)
        at = tl_fix_put_units(at, 969, 1, &instrument->tick);
    if (dialect->version == TL_FIX_44) {
        at = put_name(at, 15, &instrument->currency);
        at = tl_fix_put_units(at, 561, 1, &instrument->lot);
    } else {
        at = tl_fix_put_units(at, 561, 1, &instrument->lot);
        at = put_name(at, 15, &instrument->currency);
    }
    return put_sizes(at, instrument, 0, 0);
}

/* The message around `count` entries that stand behind TL_FIX_PREFIX_MAX bytes of the body. */
static int send_list(tl_fix_market *market, const tl_fix_named *to, int result, uint32_t listed,
                     bool last, uint32_t count, char *end, int64_t utc_ns)
{
    char prefix[TL_FIX_PREFIX_MAX];
    char *at = tl_fix_put_text(prefix, 320, to->id, to->id_size);
    at = tl_fix_put_uint(at, 322, response(market, utc_ns));
    if (result == LIST_GOOD)
        at = tl_fix_put_uint(at, 393, listed);
    at = tl_fix_put_uint(at, 560, (uint64_t)result);
    at = tl_fix_put_char(at, 893, last ? 'Y' : 'N');
    if (count > 0)
        at = tl_fix_put_uint(at, 146, count);
    const size_t size = (size_t)(at - prefix);
    char *from = market->body + TL_FIX_PREFIX_MAX - size;
    memcpy(from, prefix, size);
    return tl_fix_market_send(market, to->session, "y", from, end, false);
}

static int refuse_list(tl_fix_market *market, const tl_fix_named *to, int result, int64_t utc_ns)
{
    return send_list(market, to, result, 0, true, 0, market->body + TL_FIX_PREFIX_MAX, utc_ns);
}

static int tell_list(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    const tl_fix_named to = tl_fix_named_item(market, item);
    char *at = market->body + TL_FIX_PREFIX_MAX;
    uint32_t count = 0;
    for (; item->from < item->to && market->body + TL_FIX_FIELDS_BYTES - at >= ENTRY_MAX;
         item->from++) {
        const tl_fix_instrument *found = tl_fix_instrument_at(market->hooks.names, item->from);
        if (found == NULL || item->written == item->listed)
            continue;
        at = put_listed(at, to.dialect, found);
        item->written++;
        count++;
    }
    const bool last = item->written == item->listed;
    const int rc = send_list(market, &to, item->listed == 0 ? LIST_NONE : LIST_GOOD, item->listed,
                             last, count, at, utc_ns);
    if (last)
        tl_fix_item_end(market, item);
    return rc;
}

/* A list that is told in pieces; one at a time, so that nobody asks for more than he reads. */
static tl_fix_asked begin_list(tl_fix_market *market, const tl_fix_asker *asker,
                               const tl_fix_named *to, tl_fix_item_kind kind)
{
    tl_fix_item *item = tl_fix_item_add(market, asker, kind, 0, to->id, to->id_size);
    if (item == NULL)
        return tl_fix_asked_of(market, -ENOMEM);
    item->once = true;
    item->to = market->hooks.names->instruments_count;
    item->listed = count_named(market, item->to);
    tl_fix_item_due(market, item);
    return TL_FIX_ASKED_DONE;
}

/* Can a list be begun? */
static bool is_busy(const tl_fix_market *market, const tl_fix_asker *asker)
{
    return tl_fix_item_find(market, asker->session, LISTS, NULL, 0) != NULL ||
           market->sessions[asker->session].items_count >= TL_FIX_ITEMS_MAX;
}

tl_fix_asked tl_fix_market_ask_list(tl_fix_market *market, const tl_fix_asker *asker,
                             const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                             bool names_wanted)
{
    const tl_fix_named to = tl_fix_named_by(asker, message, 320);
    const char type = tl_fix_char_of(message, 559);
    const char subscription = tl_fix_char_of(message, 263);
    if ((type != '0' && type != '4') || (subscription != 0 && subscription != '0'))
        return tl_fix_asked_of(market, refuse_list(market, &to, LIST_UNSUPPORTED, utc_ns));
    if (is_busy(market, asker))
        return may_wait
                   ? TL_FIX_ASKED_LATER
                   : tl_fix_asked_of(market, refuse_list(market, &to, LIST_NOT_NOW, utc_ns));
    if (type == '4')
        return begin_list(market, asker, &to, TL_FIX_ITEM_LIST);
    if (tl_fix_find(message, 55) == NULL)
        return tl_fix_market_missing(market, asker, message, 320, 55);
    const uint32_t number = tl_fix_instrument_asked(market, message);
    if (number == UINT32_MAX)
        return names_wanted
                   ? TL_FIX_ASKED_LATER
                   : tl_fix_asked_of(market, refuse_list(market, &to, LIST_NONE, utc_ns));
    char *end = put_listed(market->body + TL_FIX_PREFIX_MAX, to.dialect,
                           tl_fix_instrument_at(market->hooks.names, number));
    return tl_fix_asked_of(market, send_list(market, &to, LIST_GOOD, 1, true, 1, end, utc_ns));
}

/* SecurityDefinition(d) */

static int send_definition(tl_fix_market *market, const tl_fix_named *to, int type,
                           const tl_fix_instrument *instrument, uint32_t place, uint32_t listed,
                           int64_t utc_ns)
{
    const tl_fix_version version = to->dialect->version;
    const bool refused = instrument == NULL;
    if (type == DEFINITION_OF_LIST && version == TL_FIX_44)
        type = DEFINITION_GOOD;
    char *at = market->body;
    if (!refused) {
        at = put_name(at, 15, &instrument->currency);
        at = put_name(at, 55, &instrument->symbol);
        at = put_sizes(at, instrument, place, listed);
    } else {
        at = tl_fix_put_text(at, 58, market->text, strlen(market->text));
    }
    at = tl_fix_put_text(at, 320, to->id, to->id_size);
    at = tl_fix_put_uint(at, 322, response(market, utc_ns));
    at = tl_fix_put_uint(at, 323, (uint64_t)type);
    if (version == TL_FIX_42)
        at = tl_fix_put_uint(at, 393, refused ? 0 : listed > 0 ? listed : 1);
    if (!refused && version == TL_FIX_44)
        at = tl_fix_put_units(at, 561, 1, &instrument->lot);
    if (!refused && version == TL_FIX_50SP2)
        at = tl_fix_put_units(at, 969, 1, &instrument->tick);
    return tl_fix_market_send(market, to->session, "d", market->body, at, false);
}

static int tell_definitions(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    const tl_fix_named to = tl_fix_named_item(market, item);
    int rc = 0;
    if (item->listed == 0) {
        tl_fix_market_say(market, "there are no instruments");
        rc = send_definition(market, &to, DEFINITION_NONE, NULL, 0, 0, utc_ns);
    }
    for (uint32_t n = 0; n < DEFINITIONS_AT_ONCE && rc == 0 && item->written < item->listed;
         item->from++) {
        const tl_fix_instrument *found = tl_fix_instrument_at(market->hooks.names, item->from);
        if (found == NULL)
            continue;
        rc = send_definition(market, &to, DEFINITION_OF_LIST, found, ++item->written,
                             item->listed, utc_ns);
        n++;
    }
    if (item->written == item->listed)
        tl_fix_item_end(market, item);
    return rc;
}

static tl_fix_asked refuse_definition(tl_fix_market *market, const tl_fix_named *to, int type,
                                      int64_t utc_ns)
{
    return tl_fix_asked_of(market, send_definition(market, to, type, NULL, 0, 0, utc_ns));
}

tl_fix_asked tl_fix_market_ask_definition(tl_fix_market *market, const tl_fix_asker *asker,
                                   const tl_fix_message *message, int64_t utc_ns, bool may_wait,
                                   bool names_wanted)
{
    const tl_fix_named to = tl_fix_named_by(asker, message, 320);
    const char type = tl_fix_char_of(message, 321);
    const char subscription = tl_fix_char_of(message, 263);
    const bool list = type == '3' || type == '8';
    if ((!list && type != '0' && type != '1' && type != '4') ||
        (subscription != 0 && subscription != '0')) {
        tl_fix_market_say(market, "offered are one instrument by Symbol, and the list of all");
        return refuse_definition(market, &to, DEFINITION_REFUSED, utc_ns);
    }
    if (tl_fix_find(message, 146) != NULL || tl_fix_find(message, 555) != NULL ||
        tl_fix_find(message, 711) != NULL) {
        tl_fix_market_say(market, "instruments made of others are not offered");
        return refuse_definition(market, &to, DEFINITION_REFUSED, utc_ns);
    }
    if (list && is_busy(market, asker) && may_wait)
        return TL_FIX_ASKED_LATER;
    if (list && is_busy(market, asker)) {
        tl_fix_market_say(market, "the list asked for before is not told yet");
        return refuse_definition(market, &to, DEFINITION_REFUSED, utc_ns);
    }
    if (list)
        return begin_list(market, asker, &to, TL_FIX_ITEM_DEFINITIONS);
    if (tl_fix_find(message, 55) == NULL)
        return tl_fix_market_missing(market, asker, message, 320, 55);
    const uint32_t number = tl_fix_instrument_asked(market, message);
    if (number == UINT32_MAX && names_wanted)
        return TL_FIX_ASKED_LATER;
    if (number == UINT32_MAX) {
        tl_fix_market_say(market, "unknown symbol %.*s",
                          TL_FIX_SHOWN(message, tl_fix_find(message, 55)));
        return refuse_definition(market, &to, DEFINITION_NONE, utc_ns);
    }
    return tl_fix_asked_of(market,
                           send_definition(market, &to, DEFINITION_GOOD,
                                           tl_fix_instrument_at(market->hooks.names, number), 0,
                                           0, utc_ns));
}

int tl_fix_tell_reference(tl_fix_market *market, tl_fix_item *item, int64_t utc_ns)
{
    return item->kind == TL_FIX_ITEM_LIST ? tell_list(market, item, utc_ns)
                                          : tell_definitions(market, item, utc_ns);
}
