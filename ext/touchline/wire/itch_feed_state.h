/* What the parts of the ITCH feed share. Nobody else includes it. */
#ifndef TOUCHLINE_ITCH_FEED_STATE_H
#define TOUCHLINE_ITCH_FEED_STATE_H

#include "touchline/marketdata/mirror.h"
#include "touchline/wire/itch_feed.h"

/* An order as it is shown, by its slot. */
typedef struct tl_itch_shown {
    uint64_t ref; /* 0: not shown */
    uint32_t price; /* ticks */
    uint32_t leaves_qty; /* lots */
} tl_itch_shown;

typedef struct tl_itch_listing {
    tl_stock stock;
    uint8_t fault; /* enum tl_stock_fault */
    bool named;    /* its SECURITY_DEFINITION command has been seen */
    bool listed;   /* and its event */
    char state; /* trading_state of an open venue */
    char cross; /* of the call that it is in, or has just been in: cross_type */
    bool halted;
} tl_itch_listing;

struct tl_itch_feed {
    tl_itch_feed_config config;
    tl_fix_names names;
    tl_mirror *mirror;
    tl_itch_listing *listings;
    tl_itch_shown *orders;
    uint8_t *bytes;
    size_t room, size;
    uint64_t count, unshown;
    uint64_t auction_left; /* lots that an uncross trades, whose trades are still to come */
    bool closed; /* the venue's kill switch is on */
};

static inline const tl_stock *tl_itch_stock_of(const tl_itch_feed *feed, const tl_event *event)
{
    return &feed->listings[event->instrument].stock;
}

/* itch_feed_tell.c: an event's messages, behind those that there are. */
void tl_itch_tell_system(tl_itch_feed *feed, const tl_event *event);
void tl_itch_tell_state(tl_itch_feed *feed, const tl_event *event, uint32_t instrument);
void tl_itch_tell_stock(tl_itch_feed *feed, const tl_event *event);
void tl_itch_tell_add(tl_itch_feed *feed, const tl_event *event, const tl_itch_shown *order);
void tl_itch_tell_delete(tl_itch_feed *feed, const tl_event *event, uint64_t ref);
void tl_itch_tell_cancel(tl_itch_feed *feed, const tl_event *event, uint64_t ref, uint32_t lots);
void tl_itch_tell_replace(tl_itch_feed *feed, const tl_event *event, uint64_t ref,
                          const tl_itch_shown *order);
void tl_itch_tell_executed(tl_itch_feed *feed, const tl_event *event, uint64_t ref);
void tl_itch_tell_trade(tl_itch_feed *feed, const tl_event *event);
/* Of an auction: what it would come to, and what it has come to. */
void tl_itch_tell_indicative(tl_itch_feed *feed, const tl_event *event);
void tl_itch_tell_cross(tl_itch_feed *feed, const tl_event *event);

#endif
