/* The trades that happened last, for those who ask for them: a bounded history, in order.
 *
 * A trade is 64 bytes. Memory comes in pieces as trades do and is used again from the oldest on;
 * no trade waits for more than one piece. What was forgotten is known by its time, so that nobody
 * takes what is left for all there was.
 */
#ifndef TOUCHLINE_FIX_TRADES_H
#define TOUCHLINE_FIX_TRADES_H

#include "touchline/core/messages.h"

#include <stddef.h>
#include <stdint.h>

#define TL_FIX_TRADES_PIECE 4096u

typedef struct tl_fix_trade { /* of each pair the buyer's first */
    uint64_t seq;        /* of the event */
    int64_t ts_ns;
    int64_t price;       /* ticks */
    uint64_t orders[2];  /* OrderIDs */
    uint32_t accounts[2];
    uint32_t rows[2];    /* of fix_orders.h; TL_FIX_NO_ROW */
    uint32_t qty;        /* lots */
    uint16_t instrument;
    uint8_t _pad[2];
} tl_fix_trade;

typedef struct tl_fix_trades {
    tl_fix_trade **pieces;
    uint32_t pieces_max;
    uint64_t first, next;   /* numbers of the trades that are there, from 0 */
    int64_t forgotten_ns;   /* time of the last trade before `first`; INT64_MIN: there is none */
} tl_fix_trades;

/* Room for `most` trades, at least; two pieces and more. 0 or -ENOMEM. */
int tl_fix_trades_open(tl_fix_trades *trades, uint32_t most);
void tl_fix_trades_close(tl_fix_trades *trades);
/* A TRADE event, with the rows of the taker's and the maker's order. 0 or -ENOMEM. */
int tl_fix_trades_add(tl_fix_trades *trades, const tl_event *event, uint32_t taker, uint32_t maker);

static inline const tl_fix_trade *tl_fix_trade_at(const tl_fix_trades *trades, uint64_t number)
{
    return &trades->pieces[number / TL_FIX_TRADES_PIECE % trades->pieces_max]
                          [number % TL_FIX_TRADES_PIECE];
}

#endif
