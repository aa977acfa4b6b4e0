/* Messages of the ITCH feed, one function each. itch_feed.c says when. */
#include "touchline/wire/itch_feed_state.h"

static uint64_t since_midnight(const tl_itch_feed *feed, int64_t ts_ns)
{
    return tl_since_midnight(ts_ns, feed->config.midnight_ns);
}

/* A message with its header; the caller writes what follows. */
static void *begin(tl_itch_feed *feed, const tl_event *event, char type, uint32_t locate)
{
    const size_t size = tl_itch_sizes[(uint8_t)type];
    uint8_t *at = feed->bytes + feed->size;
    tl_put_u16(at, (uint16_t)size);
    tl_itch_delete_wire *message = (tl_itch_delete_wire *)(at + 2);
    message->type = type;
    tl_put_u16(message->locate, (uint16_t)locate);
    tl_put_u16(message->tracking, 0);
    tl_put_u48(message->ts_ns, since_midnight(feed, event->ts_ns));
    feed->size += 2 + size;
    feed->count++;
    return message;
}

static uint32_t locate_of(const tl_event *event)
{
    return event->instrument + 1u;
}

static char side_of(uint8_t side)
{
    return side == TL_SIDE_BUY ? 'B' : 'S';
}

void tl_itch_tell_system(tl_itch_feed *feed, const tl_event *event)
{
    for (const char *code = "OSQ"; *code != '\0'; code++)
        ((tl_itch_system_event_wire *)begin(feed, event, 'S', 0))->event_code = *code;
}

void tl_itch_tell_state(tl_itch_feed *feed, const tl_event *event, uint32_t instrument)
{
    const tl_itch_listing *of = &feed->listings[instrument];
    tl_itch_trading_action_wire *message = begin(feed, event, 'H', instrument + 1);
    memcpy(message->stock, of->stock.symbol, sizeof message->stock);
    message->trading_state = feed->closed ? 'H' : of->state;
    message->reserved = ' ';
    memset(message->reason, ' ', sizeof message->reason);
}

/* What is not known of a stock is said as ITCH says "not available". */
void tl_itch_tell_stock(tl_itch_feed *feed, const tl_event *event)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    const tl_itch_stock_directory said = {.type = 'R',
                                          .locate = (uint16_t)locate_of(event),
                                          .ts_ns = since_midnight(feed, event->ts_ns),
                                          .market_category = ' ',
                                          .financial_status = ' ',
                                          .round_lot_size = stock->share_scale,
                                          .round_lots_only = 'N',
                                          .issue_classification = 'C',
                                          .issue_sub_type = {'Z', ' '},
                                          .authenticity = 'P',
                                          .short_sale_threshold = ' ',
                                          .ipo_flag = ' ',
                                          .luld_tier = ' ',
                                          .etp_flag = ' ',
                                          .inverse = 'N'};
    tl_itch_stock_directory_wire *message = begin(feed, event, 'R', locate_of(event));
    tl_itch_stock_directory_put(message, &said);
    memcpy(message->stock, stock->symbol, sizeof message->stock);
    tl_itch_tell_state(feed, event, event->instrument);
}

void tl_itch_tell_add(tl_itch_feed *feed, const tl_event *event, const tl_itch_shown *order)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    tl_itch_add_order_wire *message = begin(feed, event, 'A', locate_of(event));
    tl_put_u64(message->order_ref, order->ref);
    message->side = side_of(event->side);
    tl_put_u32(message->shares, order->leaves_qty * stock->share_scale);
    memcpy(message->stock, stock->symbol, sizeof message->stock);
    tl_put_u32(message->price, order->price * stock->price_scale);
}

void tl_itch_tell_delete(tl_itch_feed *feed, const tl_event *event, uint64_t ref)
{
    tl_itch_delete_wire *message = begin(feed, event, 'D', locate_of(event));
    tl_put_u64(message->order_ref, ref);
}

void tl_itch_tell_cancel(tl_itch_feed *feed, const tl_event *event, uint64_t ref, uint32_t lots)
{
    tl_itch_cancel_wire *message = begin(feed, event, 'X', locate_of(event));
    tl_put_u64(message->order_ref, ref);
    tl_put_u32(message->shares, lots * tl_itch_stock_of(feed, event)->share_scale);
}

void tl_itch_tell_replace(tl_itch_feed *feed, const tl_event *event, uint64_t ref,
                         const tl_itch_shown *order)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    tl_itch_replace_wire *message = begin(feed, event, 'U', locate_of(event));
    tl_put_u64(message->order_ref, ref);
    tl_put_u64(message->new_order_ref, order->ref);
    tl_put_u32(message->shares, order->leaves_qty * stock->share_scale);
    tl_put_u32(message->price, order->price * stock->price_scale);
}

void tl_itch_tell_executed(tl_itch_feed *feed, const tl_event *event, uint64_t ref)
{
    tl_itch_executed_wire *message = begin(feed, event, 'E', locate_of(event));
    tl_put_u64(message->order_ref, ref);
    tl_put_u32(message->shares, event->qty * tl_itch_stock_of(feed, event)->share_scale);
    tl_put_u64(message->match_number, event->seq);
}

/* A trade with an order that is not shown: of the side that rested, where it can be said. */
void tl_itch_tell_trade(tl_itch_feed *feed, const tl_event *event)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    uint32_t price, shares;
    if (!tl_stock_price(stock, event->price, &price) ||
        !tl_stock_shares(stock, event->qty, &shares))
        return;
    tl_itch_trade_wire *message = begin(feed, event, 'P', locate_of(event));
    tl_put_u64(message->order_ref, 0);
    message->side = event->side == TL_SIDE_BUY ? 'S' : 'B';
    tl_put_u32(message->shares, shares);
    memcpy(message->stock, stock->symbol, sizeof message->stock);
    tl_put_u32(message->price, price);
    tl_put_u64(message->match_number, event->seq);
}

/* NOII: all orders of a call are in it, so that far, near and reference price are one. */
void tl_itch_tell_indicative(tl_itch_feed *feed, const tl_event *event)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    uint32_t price;
    if (!tl_stock_price(stock, event->price, &price))
        return;
    const char towards = event->side == TL_SIDE_BUY    ? 'B'
                         : event->side == TL_SIDE_SELL ? 'S'
                         : event->volume == 0          ? 'O'
                                                       : 'N';
    tl_itch_noii_wire *message = begin(feed, event, 'I', locate_of(event));
    tl_put_u64(message->paired_shares, (uint64_t)event->volume * stock->share_scale);
    tl_put_u64(message->imbalance_shares, event->surplus * stock->share_scale);
    message->imbalance_direction = towards;
    memcpy(message->stock, stock->symbol, sizeof message->stock);
    tl_put_u32(message->far_price, price);
    tl_put_u32(message->near_price, price);
    tl_put_u32(message->reference_price, price);
    message->cross_type = feed->listings[event->instrument].cross;
    message->price_variation = ' ';
}

/* All of an uncross in one; 0 shares where nothing trades. */
void tl_itch_tell_cross(tl_itch_feed *feed, const tl_event *event)
{
    const tl_stock *stock = tl_itch_stock_of(feed, event);
    uint32_t price;
    if (!tl_stock_price(stock, event->price, &price))
        return;
    tl_itch_cross_trade_wire *message = begin(feed, event, 'Q', locate_of(event));
    tl_put_u64(message->shares, (uint64_t)event->volume * stock->share_scale);
    memcpy(message->stock, stock->symbol, sizeof message->stock);
    tl_put_u32(message->price, price);
    tl_put_u64(message->match_number, event->seq);
    message->cross_type = feed->listings[event->instrument].cross;
}
