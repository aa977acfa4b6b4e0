/* Books told: W says how one stands, X what is new in it since it was told last.
 *
 * An item remembers its sides as its session knows them. X is the way from there to the sides as
 * they are: first the levels that are gone, then those that are new or changed, each from the best
 * on, so that MDEntryPositionNo(290) is right for who applies one entry after another. Where a
 * message is full the item remembers the sides in between, and the next one goes on from there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_market_state.h"

#define ENTRY_MAX 320 /* bytes of the longest entry */

typedef struct writer { /* a message's entries as they are written */
    tl_fix_market *market;
    tl_fix_item *item;
    const tl_fix_instrument *names;
    const tl_fix_dialect *dialect;
    uint8_t time_decimals;
    char *at, *end;
    uint32_t count;
} writer;

static writer new_writer(tl_fix_market *market, tl_fix_item *item)
{
    const tl_fix_audience *audience = &market->sessions[item->session];
    return (writer){.market = market,
                    .item = item,
                    .names = tl_fix_instrument_at(market->hooks.names, item->instrument),
                    .dialect = audience->dialect,
                    .time_decimals = audience->time_decimals,
                    .at = market->body + TL_FIX_PREFIX_MAX,
                    .end = market->body + TL_FIX_FIELDS_BYTES};
}

/* Room for one more, and for the trade of a W besides. */
static bool has_room(const writer *to)
{
    return to->end - to->at >= 2 * ENTRY_MAX;
}

/* `action`: MDUpdateAction(279), 0 in a W. Only the first fields of an entry differ by it. */
static void begin_entry(writer *to, char action, char type)
{
    if (action != 0)
        to->at = tl_fix_put_char(to->at, 279, action);
    to->at = tl_fix_put_char(to->at, 269, type);
    to->count++;
}

static void put_symbol(writer *to, char action)
{
    const tl_fix_name *symbol = &to->names->symbol;
    if (action != 0)
        to->at = tl_fix_put_text(to->at, 55, symbol->text, symbol->size);
}

static void end_entry(writer *to, char action)
{
    if (action != 0 && to->dialect->version == TL_FIX_50SP2)
        to->at = tl_fix_put_uint(to->at, 83, ++to->item->rpt_seq);
}

static void put_level(writer *to, char action, unsigned side, const tl_fix_level *level,
                      uint32_t position)
{
    begin_entry(to, action, (char)('0' + side));
    put_symbol(to, action);
    to->at = tl_fix_put_units(to->at, 270, level->price, &to->names->tick);
    if (action != '2') {
        to->at = tl_fix_put_units(to->at, 271, (int64_t)level->qty, &to->names->lot);
        to->at = tl_fix_put_uint(to->at, 346, level->orders);
    }
    to->at = tl_fix_put_uint(to->at, 290, position);
    end_entry(to, action);
}

/* `missed`: how many trades before this one are not told. */
static void put_trade(writer *to, char action, const tl_fix_trade *trade, uint64_t missed)
{
    char time[40], text[64];
    const bool newest = to->dialect->version == TL_FIX_50SP2;
    const size_t size = (size_t)(tl_fix_write_time(time, trade->ts_ns, to->time_decimals) - time);
    const char *of_day = (const char *)memchr(time, '-', size) + 1;
    begin_entry(to, action, '2');
    if (action != 0)
        to->at = tl_fix_put_uint(to->at, 278, trade->seq);
    put_symbol(to, action);
    to->at = tl_fix_put_units(to->at, 270, trade->price, &to->names->tick);
    to->at = tl_fix_put_units(to->at, 271, trade->qty, &to->names->lot);
    to->at = tl_fix_put_text(to->at, 272, time, (size_t)(of_day - 1 - time));
    to->at = tl_fix_put_text(to->at, 273, of_day, (size_t)(time + size - of_day));
    if (newest)
        to->at = tl_fix_put_uint(to->at, 1003, trade->seq);
    if (missed > 0) {
        char *end = tl_fix_write_uint(text, missed);
        memcpy(end, " before it are not told", 23);
        to->at = tl_fix_put_text(to->at, 58, text, (size_t)(end + 23 - text));
    }
    end_entry(to, action);
}

static int send(writer *to, const char *msg_type)
{
    char prefix[TL_FIX_PREFIX_MAX];
    const tl_fix_item *item = to->item;
    const bool whole = msg_type[0] == 'W';
    char *at = prefix;
    if (whole)
        at = tl_fix_put_text(at, 55, to->names->symbol.text, to->names->symbol.size);
    at = tl_fix_put_text(at, 262, item->id, item->id_size);
    if (whole && to->dialect->version == TL_FIX_50SP2)
        at = tl_fix_put_time(at, 779, tl_mirror_ts_ns(to->market->mirror), to->time_decimals);
    at = tl_fix_put_uint(at, 268, to->count);
    const size_t size = (size_t)(at - prefix);
    char *from = to->market->body + TL_FIX_PREFIX_MAX - size;
    memcpy(from, prefix, size);
    return tl_fix_market_send(to->market, item->session, msg_type, from, to->at, true);
}

/* Sides as they are, and as they are remembered */

static bool grow(void **array, size_t count, size_t width)
{
    void *grown = realloc(*array, count * width);
    if (grown != NULL)
        *array = grown;
    return grown != NULL;
}

/* Room to work with sides of so many levels. */
static bool reserve(tl_fix_market *market, uint32_t levels)
{
    if (levels <= market->looked_room)
        return true;
    const size_t wanted = levels < 64 ? 64 : 2 * (size_t)levels;
    if (!grow((void **)&market->looked, wanted, sizeof *market->looked) ||
        !grow((void **)&market->now, wanted, sizeof *market->now) ||
        !grow((void **)&market->between, 2 * wanted, sizeof *market->between))
        return false;
    market->looked_room = (uint32_t)wanted;
    return true;
}

/* The side as it is, as far as the item looks, into `market->now`; how many levels. */
static uint32_t look(tl_fix_market *market, const tl_fix_item *item, unsigned side)
{
    if ((item->entries & (side == 0 ? TL_FIX_ENTRY_BID : TL_FIX_ENTRY_OFFER)) == 0)
        return 0;
    const uint32_t room = item->depth < market->looked_room ? item->depth : market->looked_room;
    const size_t count =
        tl_mirror_side(market->mirror, item->instrument, side == 0 ? TL_SIDE_BUY : TL_SIDE_SELL,
                       market->looked, room);
    for (size_t i = 0; i < count; i++)
        market->now[i] = (tl_fix_level){.price = (uint32_t)market->looked[i].price,
                                        .qty = market->looked[i].qty,
                                        .orders = market->looked[i].orders};
    return (uint32_t)count;
}

static bool same(const tl_fix_level *one, const tl_fix_level *other)
{
    return one->price == other->price && one->qty == other->qty && one->orders == other->orders;
}

/* Does the first come before the second on this side? */
static bool better(unsigned side, const tl_fix_level *one, const tl_fix_level *other)
{
    return side == 0 ? one->price > other->price : one->price < other->price;
}

/* The session knows the side like this now; false: it would be too much to remember. */
static bool remember(tl_fix_market *market, tl_fix_item *item, unsigned side,
                     const tl_fix_level *levels, uint32_t count)
{
    tl_fix_levels *known = &item->sides[side];
    tl_fix_audience *audience = &market->sessions[item->session];
    if (count > known->room) {
        const uint32_t wanted = count < 8 ? 8 : count + count / 2;
        if (audience->levels - known->room + wanted > TL_FIX_LEVELS_MAX ||
            !grow((void **)&known->at, wanted, sizeof *known->at))
            return false;
        audience->levels += wanted - known->room;
        known->room = wanted;
    }
    if (count > 0)
        memmove(known->at, levels, count * sizeof *levels);
    known->count = count;
    return true;
}

typedef enum told { ALL, SOME, TOO_MUCH } told;

/* Levels that are gone: what is left of the side is what is known from now on. */
static bool tell_gone(writer *to, unsigned side, uint32_t count)
{
    tl_fix_levels *known = &to->item->sides[side];
    const tl_fix_level *now = to->market->now;
    uint32_t kept = 0, j = 0, i = 0;
    for (; i < known->count; i++) {
        while (j < count && better(side, &now[j], &known->at[i]))
            j++;
        if (j < count && now[j].price == known->at[i].price) {
            known->at[kept++] = known->at[i];
            continue;
        }
        if (!has_room(to))
            break;
        put_level(to, '2', side, &known->at[i], kept + 1);
    }
    const bool all = i == known->count;
    for (; i < known->count; i++)
        known->at[kept++] = known->at[i];
    known->count = kept;
    return all;
}

/* Levels that are new or another now. All that is known is there still. */
static told tell_new(writer *to, unsigned side, uint32_t count)
{
    const tl_fix_levels *known = &to->item->sides[side];
    const tl_fix_level *now = to->market->now;
    tl_fix_level *between = to->market->between;
    uint32_t i = 0, j = 0, size = 0;
    for (; j < count; j++) {
        const bool there = i < known->count && known->at[i].price == now[j].price;
        if (!there || !same(&known->at[i], &now[j])) {
            if (!has_room(to))
                break;
            put_level(to, there ? '1' : '0', side, &now[j], j + 1);
        }
        i += there;
        between[size++] = now[j];
    }
    for (; i < known->count; i++)
        between[size++] = known->at[i];
    if (!remember(to->market, to->item, side, between, size))
        return TOO_MUCH;
    return j == count ? ALL : SOME;
}

static told tell_side(writer *to, unsigned side)
{
    const uint32_t count = look(to->market, to->item, side);
    return tell_gone(to, side, count) ? tell_new(to, side, count) : SOME;
}

/* How many trades the tape of the item's instrument has had. */
static uint64_t taped(const tl_fix_market *market, const tl_fix_item *item)
{
    const tl_fix_tape *tape = market->instruments[item->instrument].tape;
    return tape == NULL || (item->entries & TL_FIX_ENTRY_TRADE) == 0 ? 0 : tape->count;
}

static told tell_trades(writer *to)
{
    tl_fix_item *item = to->item;
    const tl_fix_tape *tape = to->market->instruments[item->instrument].tape;
    const uint64_t count = taped(to->market, item);
    uint64_t missed = 0;
    if (count - item->trades > TL_FIX_TRADES_MAX) {
        missed = count - item->trades - TL_FIX_TRADES_MAX;
        item->trades += missed;
    }
    for (; item->trades < count && has_room(to); item->trades++, missed = 0)
        put_trade(to, '0', &tape->trades[item->trades % TL_FIX_TRADES_MAX], missed);
    return item->trades == count ? ALL : SOME;
}

/* Messages */

/* The request that this is an item of is over, and why is said. */
static int end_all(tl_fix_market *market, tl_fix_item *item, char reason)
{
    const tl_fix_item last = *item;
    market->route = &last.route;
    tl_fix_items_end(market, last.session, TL_FIX_KIND_BIT(TL_FIX_ITEM_BOOK), last.id,
                     last.id_size);
    return tl_fix_market_reject(market, last.session, last.id, last.id_size, reason);
}

static int end_too_much(tl_fix_market *market, tl_fix_item *item)
{
    tl_fix_market_say(market, "the books asked for have more than %u price levels",
                      TL_FIX_LEVELS_MAX);
    return end_all(market, item, TL_FIX_MD_BANDWIDTH);
}

static told put_side(writer *to, unsigned side)
{
    tl_fix_market *market = to->market;
    const uint32_t count = look(market, to->item, side);
    uint32_t put = 0;
    for (; put < count && has_room(to); put++)
        put_level(to, 0, side, &market->now[put], put + 1);
    if (!to->item->once && !remember(market, to->item, side, market->now, put))
        return TOO_MUCH;
    return put == count ? ALL : SOME;
}

static void put_last_trade(writer *to, const tl_mirror_view *view)
{
    const tl_published_trade *last = &view->last_trade;
    if ((to->item->entries & TL_FIX_ENTRY_TRADE) == 0 || last->event_seq == 0)
        return;
    const tl_fix_trade trade = {
        .seq = last->event_seq, .ts_ns = last->ts_ns, .price = last->price, .qty = last->qty};
    put_trade(to, 0, &trade, 0);
}

/* W. What has no room follows in X, where that was asked for. */
static int tell_whole(tl_fix_market *market, tl_fix_item *item, const tl_mirror_view *view)
{
    writer to = new_writer(market, item);
    const told bids = put_side(&to, 0), offers = put_side(&to, 1);
    const bool all = bids == ALL && offers == ALL;
    if (bids == TOO_MUCH || offers == TOO_MUCH)
        return end_too_much(market, item);
    if (!all && (item->once || item->full)) {
        tl_fix_market_say(market, "the book of %.*s has more levels than a message holds",
                          to.names->symbol.size, to.names->symbol.text);
        return end_all(market, item, TL_FIX_MD_DEPTH);
    }
    put_last_trade(&to, view);
    item->trades = taped(market, item);
    item->begun = true;
    item->due = !all;
    if (all)
        item->levels_seq = view->seqs[TL_PUBLISHED_DEPTH];
    const int rc = send(&to, "W");
    if (item->once)
        tl_fix_item_end(market, item);
    return rc;
}

/* X, if there is anything new. */
static int tell_changes(tl_fix_market *market, tl_fix_item *item, const tl_mirror_view *view)
{
    writer to = new_writer(market, item);
    told how = tell_trades(&to);
    for (unsigned side = 0; side < 2 && how == ALL; side++)
        how = tell_side(&to, side);
    if (how == TOO_MUCH)
        return end_too_much(market, item);
    item->due = how != ALL;
    if (how == ALL)
        item->levels_seq = view->seqs[TL_PUBLISHED_DEPTH];
    return to.count == 0 ? 0 : send(&to, "X");
}

/* Is a side another than the one that was told? */
static bool is_another(tl_fix_market *market, const tl_fix_item *item, unsigned side)
{
    const tl_fix_levels *known = &item->sides[side];
    const uint32_t count = look(market, item, side);
    bool equal = count == known->count;
    for (uint32_t i = 0; i < count && equal; i++)
        equal = same(&known->at[i], &market->now[i]);
    return !equal;
}

int tl_fix_tell_book(tl_fix_market *market, tl_fix_item *item)
{
    tl_mirror_view view;
    if (tl_fix_market_fault(market) != NULL) {
        tl_fix_market_say(market, "there is no market data any more");
        return end_all(market, item, TL_FIX_MD_NONE);
    }
    if (!tl_mirror_look(market->mirror, item->instrument, &view))
        return 0; /* not reached: it was listed when it was asked for, and stays so */
    if (item->begun && view.seqs[TL_PUBLISHED_DEPTH] == item->levels_seq &&
        taped(market, item) == item->trades) {
        item->due = false;
        return 0;
    }
    const size_t deepest = view.levels < item->depth ? view.levels : item->depth;
    const uint32_t told = item->sides[0].count > item->sides[1].count ? item->sides[0].count
                                                                      : item->sides[1].count;
    if (!reserve(market, deepest > told ? (uint32_t)deepest : told))
        return end_too_much(market, item);
    if (item->begun && !item->full)
        return tell_changes(market, item, &view);
    if (item->begun && taped(market, item) == item->trades && !is_another(market, item, 0) &&
        !is_another(market, item, 1)) {
        item->levels_seq = view.seqs[TL_PUBLISHED_DEPTH];
        item->due = false;
        return 0;
    }
    return tell_whole(market, item, &view);
}
