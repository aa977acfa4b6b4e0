/* The feed: every event as ITCH, in a spool, and out of it by MoldUDP64 on one line or two.
 *
 *   event ring ─► itch_feed ─► spool ─┬─► packets ─► line A
 *                                     └─► packets ─► line B
 *
 * A line that takes no more now is tried again with what it has not taken; one that fails loses
 * packets, which are counted, and its listeners ask for them (wire_recovery.h). Neither holds up
 * the other, nor the engine. One thread runs it; the spool may be read by others.
 */
#ifndef TOUCHLINE_WIRE_FEED_H
#define TOUCHLINE_WIRE_FEED_H

#include "touchline/wire/itch_feed.h"
#include "touchline/wire/port.h"
#include "touchline/wire/spool.h"
#include "touchline/wire/wire_events.h"

#define TL_WIRE_LINES_MAX 2u
#define TL_WIRE_PACKET_MAX 9000u

typedef struct tl_wire_feed_config {
    tl_itch_feed_config itch;
    const char *directory;      /* of the spool's file */
    uint64_t spool_bytes_max;
    char session[10];           /* of MoldUDP64 */
    uint32_t lines;
    tl_port_options line[TL_WIRE_LINES_MAX];
    uint32_t packet_max;        /* bytes of UDP payload */
    bool spin;                  /* never sleep */
} tl_wire_feed_config;

typedef struct tl_wire_feed tl_wire_feed;

typedef struct tl_wire_feed_status {
    uint64_t rounds; /* goes on while the loop goes round */
    uint64_t event;  /* the last one told */
    uint64_t messages, packets, unshown;
    uint64_t lost[TL_WIRE_LINES_MAX]; /* packets that a line did not take */
} tl_wire_feed_status;

/* 0 or -errno, with `fault` for a line. `door` is rung when names or events are wanted. */
int tl_wire_feed_open(tl_wire_feed **out, const tl_wire_feed_config *config, const tl_bus *bus,
                      tl_wire_door *door, tl_port_fault *fault);
void tl_wire_feed_close(tl_wire_feed *feed);

/* A batch of the journal's commands and the events they caused, from the first on; before run. */
int tl_wire_feed_replay(tl_wire_feed *feed, const tl_command *commands, size_t commands_count,
                        const tl_event *events, size_t events_count);
/* The loop, from event `next` on, until it is told to stop. 0 or -errno, and see the fault. */
int tl_wire_feed_run(tl_wire_feed *feed, uint64_t next);

/* From any thread: */
void tl_wire_feed_stop(tl_wire_feed *feed);
/* The journal's commands up to now are wanted, for the names in them; and here they are. */
bool tl_wire_feed_wants_names(const tl_wire_feed *feed);
int tl_wire_feed_names(tl_wire_feed *feed, const tl_command *commands, size_t count);
tl_wire_events *tl_wire_feed_events(tl_wire_feed *feed);
const tl_spool *tl_wire_feed_spool(const tl_wire_feed *feed);
const char *tl_wire_feed_session(const tl_wire_feed *feed); /* 10 characters */
const tl_stock *tl_wire_feed_stock(tl_wire_feed *feed, uint16_t instrument,
                                   tl_stock_fault *fault); /* before run */
const char *tl_wire_feed_fault(const tl_wire_feed *feed);
void tl_wire_feed_status_read(const tl_wire_feed *feed, tl_wire_feed_status *out);

#endif
