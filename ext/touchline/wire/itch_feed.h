/* The venue's events as ITCH 5.0.
 *
 *   journal's commands ─► names ──┐
 *   journal's commands ─► names ──┐
 *             orders by slot ─────┘
 *
 * The messages, and so their numbers in a stream, are a function of the journal alone: the same
 * again after a restart. An event gives, at once, all that it says:
 *
 *   the first                S: start of messages (O), of system hours (S), of market hours (Q)
 *   SECURITY_DEFINITION      R, and H: trading
 *   SECURITY_STATUS          H: halted (H), trading (T), orders collected (Q)
 *   VENUE_STATUS             H of every stock whose state it changes
 *   NEW                      A, when the order rests; nothing while it trades, or never rests
 *   TRADE                    E of the order that rested; and A of what is left of the other, when
 *                            it comes to rest; P in place of E when the maker is not shown
 *   CANCELED, EXPIRED        D of an order that rested
 *   REPLACED                 X when it keeps its place; U; or D, and A later, when it trades first
 *
 * An order's reference number is the seq of the event that gave it its place in the queue (NEW, or
 * REPLACED), a match number that of the TRADE, a stock's locate its instrument's number plus one.
 * Stocks that ITCH can not tell (stock.h) have no messages. An order whose price or shares 32 bits
 * do not hold is not shown, and is counted.
 *
 * Everything is allocated at open. One thread at a time may call these functions.
 */
#ifndef TOUCHLINE_ITCH_FEED_H
#define TOUCHLINE_ITCH_FEED_H

#include "touchline/core/messages.h"
#include "touchline/wire/itch.h"
#include "touchline/wire/stock.h"

#include <stdbool.h>

typedef struct tl_itch_feed tl_itch_feed;

typedef struct tl_itch_feed_config {
    uint32_t instruments_max, orders_max, price_blocks_max; /* the engine's */
    int64_t midnight_ns; /* a time stamp is counted from this time of a UTC day */
} tl_itch_feed_config;

/* Messages in the order of their numbers: as blocks, a u16 of length before each, which is how
 * MoldUDP64 packs and Nasdaq's files hold them. Valid until the next call. */
typedef struct tl_itch_blocks {
    const uint8_t *bytes;
    size_t size;
    uint64_t first; /* number of the first: there were as many before */
    uint64_t count;
} tl_itch_blocks;

#define TL_ITCH_FEED_STOPS(X)                                                                      \
    X(NONE, "all events have been taken")                                                          \
    X(NAMES, "the journal's commands up to the listing of the next event are wanted")              \
    X(FULL, "there is no more room for messages: read them, and go on")                            \
    X(EVENT, "the next event can not follow those before it")
#define TL_ITCH_FEED_STOP_ENUM(name, text) TL_ITCH_FEED_STOP_##name,
typedef enum tl_itch_feed_stop { TL_ITCH_FEED_STOPS(TL_ITCH_FEED_STOP_ENUM) } tl_itch_feed_stop;
#undef TL_ITCH_FEED_STOP_ENUM

/* 0, -EINVAL for capacities out of the engine's bounds, -ENOMEM. */
int tl_itch_feed_open(tl_itch_feed **feed, const tl_itch_feed_config *config);
void tl_itch_feed_close(tl_itch_feed *feed);

/* A command of the journal, in order; those that do not name or list an instrument change nothing.
 * A stock is called what it was called when it was listed. 0 or -ENOMEM. */
int tl_itch_feed_command(tl_itch_feed *feed, const tl_command *cmd);
/* Let events happen; how many did. Fewer than `count`: *stop says why. */
size_t tl_itch_feed_apply(tl_itch_feed *feed, const tl_event *events, size_t count,
                          tl_itch_blocks *blocks, tl_itch_feed_stop *stop);
/* In words: for EVENT what is wrong with it. */
const char *tl_itch_feed_stop_text(const tl_itch_feed *feed, tl_itch_feed_stop stop);

/* The stock of an instrument that has been listed; why it is not told. */
const tl_stock *tl_itch_feed_stock(const tl_itch_feed *feed, uint16_t instrument,
                                   tl_stock_fault *fault);
/* Orders that were not shown. */
uint64_t tl_itch_feed_unshown(const tl_itch_feed *feed);
/* How many messages there were. */
uint64_t tl_itch_feed_count(const tl_itch_feed *feed);

#endif
