/* What each event is in ITCH. itch_feed.h has the list. */
#include "touchline/wire/itch_feed_state.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS_AT_ONCE 4096u
#define BLOCK_MAX (2u + TL_ITCH_BYTES_MAX)
#define BLOCKS_PER_EVENT 4u /* but for VENUE_STATUS */

static void *of_zeros(size_t count, size_t width)
{
    return calloc(count == 0 ? 1 : count, width);
}

int tl_itch_feed_open(tl_itch_feed **out, const tl_itch_feed_config *config)
{
    *out = NULL;
    tl_itch_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return -ENOMEM;
    feed->config = *config;
    tl_fix_names_open(&feed->names, config->instruments_max, 0);
    int rc = tl_mirror_open(&feed->mirror, config->instruments_max, config->orders_max,
                            config->price_blocks_max);
    if (rc == 0) {
        feed->room = BLOCK_MAX * (EVENTS_AT_ONCE * BLOCKS_PER_EVENT + config->instruments_max);
        feed->listings = of_zeros(config->instruments_max, sizeof *feed->listings);
        feed->orders = of_zeros(config->orders_max, sizeof *feed->orders);
        feed->bytes = of_zeros(feed->room, 1);
        if (feed->listings == NULL || feed->orders == NULL || feed->bytes == NULL)
            rc = -ENOMEM;
    }
    if (rc != 0)
        tl_itch_feed_close(feed);
    else
        *out = feed;
    return rc;
}

void tl_itch_feed_close(tl_itch_feed *feed)
{
    if (feed == NULL)
        return;
    tl_fix_names_close(&feed->names);
    tl_mirror_close(feed->mirror);
    free(feed->listings);
    free(feed->orders);
    free(feed->bytes);
    free(feed);
}

int tl_itch_feed_command(tl_itch_feed *feed, const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_TEXT)
        return tl_fix_names_take(&feed->names, cmd);
    if (cmd->type != TL_MSG_TYPE_SECURITY_DEFINITION ||
        cmd->instrument >= feed->config.instruments_max)
        return 0;
    tl_itch_listing *of = &feed->listings[cmd->instrument];
    if (of->named)
        return 0;
    of->named = true;
    of->fault = (uint8_t)tl_stock_of(tl_fix_instrument_at(&feed->names, cmd->instrument),
                                     &of->stock);
    return 0;
}

/* Events */

/* An order of this event, which has come to its place at this price. */
static tl_itch_shown place(tl_itch_feed *feed, const tl_event *event, uint32_t lots)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    uint32_t price, shares;
    if (!tl_stock_price(stock, event->price, &price) ||
        !tl_stock_shares(stock, lots, &shares)) {
        feed->unshown++;
        return (tl_itch_shown){0};
    }
    return (tl_itch_shown){.ref = event->seq,
                   .price = (uint32_t)event->price,
                   .leaves_qty = lots};
}

/* Would an order of the event's side at this price trade with what rests after the event? */
static bool crosses(const tl_event *event, int64_t price, const tl_touch *touch)
{
    return event->side == TL_SIDE_BUY ? touch->ask_price != 0 && price >= touch->ask_price
                                      : touch->bid_price != 0 && price <= touch->bid_price;
}

/* Rule 3.4: only these rest. */
static bool may_rest(const tl_event *event)
{
    return event->ord_type == TL_ORD_TYPE_LIMIT &&
           (event->time_in_force == TL_TIME_IN_FORCE_DAY ||
            event->time_in_force == TL_TIME_IN_FORCE_GTC);
}

static void tell_new(tl_itch_feed *feed, const tl_event *event, const tl_touch *touch)
{
    tl_itch_shown *order = &feed->orders[TL_ORDER_SLOT(event->order_id)];
    if ((event->flags & TL_FLAG_SPECIAL) != 0)
        *order = (tl_itch_shown){0}; /* until it is stated: rule 8.2 */
    if (!may_rest(event) || (event->flags & TL_FLAG_SPECIAL) != 0)
        return;
    *order = place(feed, event, event->leaves_qty);
    if (order->ref != 0 && !crosses(event, event->price, touch))
        tl_itch_tell_add(feed, event, order);
}

/* Rule 8.2: the order stands there from now on with so many lots shown. An iceberg's next part is
 * an order of its own, as the one before has been executed. */
static void tell_stated(tl_itch_feed *feed, const tl_event *event)
{
    tl_itch_shown *order = &feed->orders[TL_ORDER_SLOT(event->order_id)];
    const tl_itch_shown before = *order;
    const bool shows = event->qty != 0; /* else rule 9.3 */
    *order = shows ? place(feed, event, event->qty) : (tl_itch_shown){0};
    if (before.ref != 0 && before.leaves_qty != 0) {
        if (order->ref != 0)
            tl_itch_tell_replace(feed, event, before.ref, order);
        else
            tl_itch_tell_delete(feed, event, before.ref);
    } else if (order->ref != 0) {
        tl_itch_tell_add(feed, event, order);
    }
}

static void tell_executions(tl_itch_feed *feed, const tl_event *event, const tl_touch *touch)
{
    tl_itch_shown *maker = &feed->orders[TL_ORDER_SLOT(event->contra_order_id)];
    const bool traded = event->exec_type == TL_EXEC_TYPE_TRADE; /* else only less: rule 10.5 */
    if (maker->ref != 0) {
        maker->leaves_qty -= event->qty;
        if (traded)
            tl_itch_tell_executed(feed, event, maker->ref);
        else if (maker->leaves_qty == 0)
            tl_itch_tell_delete(feed, event, maker->ref);
        else
            tl_itch_tell_cancel(feed, event, maker->ref, event->qty);
    } else if (traded && feed->auction_left == 0) {
        tl_itch_tell_trade(feed, event);
    }
    if (traded)
        feed->auction_left -= event->qty < feed->auction_left ? event->qty : feed->auction_left;
    if (!may_rest(event))
        return;
    tl_itch_shown *taker = &feed->orders[TL_ORDER_SLOT(event->order_id)];
    if (taker->ref == 0)
        return;
    taker->leaves_qty = event->leaves_qty;
    if (event->leaves_qty != 0 && !crosses(event, taker->price, touch))
        tl_itch_tell_add(feed, event, taker);
}

/* A remainder taken off an order that never rested? */
static bool never_rested(const tl_event *event)
{
    return event->reason == TL_REASON_IOC_REMAINDER || event->reason == TL_REASON_FOK_UNFILLED ||
           event->reason == TL_REASON_MARKET_REMAINDER;
}

static void tell_end(tl_itch_feed *feed, const tl_event *event)
{
    if (never_rested(event))
        return;
    const tl_itch_shown *order = &feed->orders[TL_ORDER_SLOT(event->order_id)];
    if (order->ref != 0)
        tl_itch_tell_delete(feed, event, order->ref);
}

static void tell_change(tl_itch_feed *feed, const tl_event *event, const tl_touch *touch)
{
    tl_itch_shown *order = &feed->orders[TL_ORDER_SLOT(event->order_id)];
    const tl_itch_shown before = *order;
    if ((event->flags & TL_FLAG_PRIORITY_KEPT) != 0) {
        if (before.leaves_qty <= event->leaves_qty)
            return; /* of an iceberg what is not shown became less */
        order->leaves_qty = event->leaves_qty;
        if (before.ref != 0)
            tl_itch_tell_cancel(feed, event, before.ref, before.leaves_qty - event->leaves_qty);
        return;
    }
    const bool stated_later = (event->flags & TL_FLAG_SPECIAL) != 0;
    *order = event->leaves_qty != 0 && !stated_later ? place(feed, event, event->leaves_qty)
                                                     : (tl_itch_shown){0};
    const bool rests = order->ref != 0 && !crosses(event, event->price, touch);
    if (before.ref != 0)
        rests ? tl_itch_tell_replace(feed, event, before.ref, order)
              : tl_itch_tell_delete(feed, event, before.ref);
    else if (rests)
        tl_itch_tell_add(feed, event, order);
}

static void tell_venue(tl_itch_feed *feed, const tl_event *event)
{
    const bool closed = event->qty != TL_ENTRY_STATUS_OPEN;
    if (closed == feed->closed)
        return;
    feed->closed = closed;
    for (uint32_t i = 0; i < feed->config.instruments_max; i++) {
        const tl_itch_listing *of = &feed->listings[i];
        if (of->listed && of->fault == TL_STOCK_FAULT_NONE && !of->halted)
            tl_itch_tell_state(feed, event, i);
    }
}

static char cross_of(uint32_t status)
{
    switch (status) {
    case TL_TRADING_STATUS_PRE_OPEN:
    case TL_TRADING_STATUS_OPENING_AUCTION:
        return 'O';
    case TL_TRADING_STATUS_CLOSING_AUCTION:
        return 'C';
    default:
        return 'H';
    }
}

/* Orders that are collected are a period of quotation only. */
static void tell_status(tl_itch_feed *feed, const tl_event *event)
{
    const bool trades = event->qty == TL_TRADING_STATUS_READY_TO_TRADE ||
                        event->qty == TL_TRADING_STATUS_CLOSING_PRICE;
    tl_itch_listing *of = &feed->listings[event->instrument];
    of->halted = event->qty == TL_TRADING_STATUS_HALTED || event->qty == TL_TRADING_STATUS_CLOSED;
    of->state = of->halted ? 'H' : trades ? 'T' : 'Q';
    if (of->state == 'Q')
        of->cross = cross_of(event->qty);
    tl_itch_tell_state(feed, event, event->instrument);
}

/* An event that the mirror has found possible. */
static void tell(tl_itch_feed *feed, const tl_event *event, const tl_touch *touch)
{
    if (event->seq == 1)
        tl_itch_tell_system(feed, event);
    if (event->exec_type == TL_EXEC_TYPE_VENUE_STATUS) {
        tell_venue(feed, event);
        return;
    }
    if (event->instrument >= feed->config.instruments_max)
        return;
    tl_itch_listing *of = &feed->listings[event->instrument];
    if (event->exec_type == TL_EXEC_TYPE_SECURITY_DEFINITION) {
        of->listed = true;
        of->state = 'T';
    }
    if (!of->listed || of->fault != TL_STOCK_FAULT_NONE)
        return;
    switch (event->exec_type) {
    case TL_EXEC_TYPE_SECURITY_DEFINITION:
        tl_itch_tell_stock(feed, event);
        break;
    case TL_EXEC_TYPE_SECURITY_STATUS:
        tell_status(feed, event);
        break;
    case TL_EXEC_TYPE_INDICATIVE:
        tl_itch_tell_indicative(feed, event);
        break;
    case TL_EXEC_TYPE_UNCROSSED:
        feed->auction_left = (uint64_t)event->volume;
        tl_itch_tell_cross(feed, event);
        break;
    case TL_EXEC_TYPE_NEW:
        tell_new(feed, event, touch);
        break;
    case TL_EXEC_TYPE_RESTATED:
        tell_stated(feed, event);
        break;
    case TL_EXEC_TYPE_TRADE:
    case TL_EXEC_TYPE_DECREMENTED:
        tell_executions(feed, event, touch);
        break;
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_EXPIRED:
        tell_end(feed, event);
        break;
    case TL_EXEC_TYPE_REPLACED:
        tell_change(feed, event, touch);
    }
}

/* Is the name of what this event lists not known yet? */
static bool wants_names(const tl_itch_feed *feed, const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_SECURITY_DEFINITION &&
           event->instrument < feed->config.instruments_max &&
           !feed->listings[event->instrument].named;
}

static bool has_room(const tl_itch_feed *feed, const tl_event *event)
{
    const size_t most = event->exec_type == TL_EXEC_TYPE_VENUE_STATUS
                            ? feed->config.instruments_max + BLOCKS_PER_EVENT
                            : BLOCKS_PER_EVENT;
    return feed->room - feed->size >= most * BLOCK_MAX;
}

size_t tl_itch_feed_apply(tl_itch_feed *feed, const tl_event *events, size_t count,
                          tl_itch_blocks *blocks, tl_itch_feed_stop *stop)
{
    const uint64_t before = feed->count;
    size_t done = 0;
    feed->size = 0;
    *stop = TL_ITCH_FEED_STOP_NONE;
    for (; done < count && *stop == TL_ITCH_FEED_STOP_NONE; done++) {
        const tl_event *event = &events[done];
        tl_touch touch;
        if (wants_names(feed, event))
            *stop = TL_ITCH_FEED_STOP_NAMES;
        else if (!has_room(feed, event))
            *stop = TL_ITCH_FEED_STOP_FULL;
        else if (tl_mirror_follow(feed->mirror, event, 1, &touch) != 1)
            *stop = TL_ITCH_FEED_STOP_EVENT;
        else
            tell(feed, event, &touch);
    }
    if (*stop != TL_ITCH_FEED_STOP_NONE)
        done--;
    *blocks = (tl_itch_blocks){.bytes = feed->bytes,
                               .size = feed->size,
                               .first = before + 1,
                               .count = feed->count - before};
    return done;
}

#define STOP_TEXT(name, text) text,
const char *tl_itch_feed_stop_text(const tl_itch_feed *feed, tl_itch_feed_stop stop)
{
    static const char *const texts[] = {TL_ITCH_FEED_STOPS(STOP_TEXT)};
    if (stop == TL_ITCH_FEED_STOP_EVENT)
        return tl_mirror_fault_text(tl_mirror_fault(feed->mirror));
    return (size_t)stop < sizeof texts / sizeof *texts ? texts[stop] : "unknown";
}

const tl_stock *tl_itch_feed_stock(const tl_itch_feed *feed, uint16_t instrument,
                                   tl_stock_fault *fault)
{
    if (instrument >= feed->config.instruments_max || !feed->listings[instrument].listed)
        return NULL;
    *fault = (tl_stock_fault)feed->listings[instrument].fault;
    return &feed->listings[instrument].stock;
}

uint64_t tl_itch_feed_unshown(const tl_itch_feed *feed)
{
    return feed->unshown;
}

uint64_t tl_itch_feed_count(const tl_itch_feed *feed)
{
    return feed->count;
}
