/* GLIMPSE: the books as they stand after a message of the feed, for who joins it late.
 *
 *   spool of the feed ─► tl_glimpse_follow ─► stocks, states, open orders
 *                                                └─► tl_glimpse_tell ─► a spool of packets
 *
 * A snapshot tells in ITCH: the last system event, R and H of each stock, A of each open
 * order, stock by stock, the best price first and by the queue within a price; last a 'G' with the
 * number of the feed's message that follows. The layout of 'G' is from Nasdaq's "GLIMPSE 5.0": the
 * type, and the number as 20 characters. It is a function of the feed's messages alone.
 *
 * Allocated at open for as many stocks and orders as the venue can have. One thread at a time.
 */
#ifndef TOUCHLINE_GLIMPSE_H
#define TOUCHLINE_GLIMPSE_H

#include "touchline/wire/fields.h"
#include "touchline/wire/spool.h"

#define TL_GLIMPSE_END_FIELDS(F) F(c1, type) F(t20, number)
TL_FIELDS_MESSAGE(glimpse_end, TL_GLIMPSE_END_FIELDS, 21)

typedef struct tl_glimpse tl_glimpse;

/* 0 or -ENOMEM. */
int tl_glimpse_open(tl_glimpse **out, uint32_t stocks_max, uint32_t orders_max);
void tl_glimpse_close(tl_glimpse *glimpse);
/* Take in what `feed` has beyond the last message taken in, at most `most`: 0, or -EBADMSG for a
 * message that can not follow those before it. */
int tl_glimpse_follow(tl_glimpse *glimpse, const tl_spool *feed, uint64_t most);
/* The last message taken in. */
uint64_t tl_glimpse_number(const tl_glimpse *glimpse);
/* Begin a snapshot, as packets of SoupBinTCP, into an empty spool: 0 or its error. Until it is
 * whole nothing more of the feed is taken in. */
int tl_glimpse_tell(tl_glimpse *glimpse, tl_spool *out);
/* Go on with it, so many steps at most, each of which looks at one stock, place or order: 1 when
 * there are more, 0 when it is whole, or the spool's error, and then it is over. What is told so
 * far can be read. */
int tl_glimpse_go_on(tl_glimpse *glimpse, uint32_t most);
/* Steps that were gone, of all snapshots. */
uint64_t tl_glimpse_steps(const tl_glimpse *glimpse);

#endif
