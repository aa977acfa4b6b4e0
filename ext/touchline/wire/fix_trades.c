/* The history of trades. fix_trades.h says what is kept. */
#include "touchline/wire/fix_trades.h"

#include <errno.h>
#include <stdlib.h>

static_assert(sizeof(tl_fix_trade) == 64, "a trade is one cache line");

int tl_fix_trades_open(tl_fix_trades *trades, uint32_t most)
{
    *trades = (tl_fix_trades){.forgotten_ns = INT64_MIN};
    trades->pieces_max = (most - 1) / TL_FIX_TRADES_PIECE + 2; /* one is always half empty */
    trades->pieces = calloc(trades->pieces_max, sizeof *trades->pieces);
    return trades->pieces == NULL ? -ENOMEM : 0;
}

void tl_fix_trades_close(tl_fix_trades *trades)
{
    for (uint32_t i = 0; trades->pieces != NULL && i < trades->pieces_max; i++)
        free(trades->pieces[i]);
    free(trades->pieces);
    trades->pieces = NULL;
}

/* The piece for the next trade, the oldest one once all are there. */
static int begin_piece(tl_fix_trades *trades)
{
    const uint64_t number = trades->next / TL_FIX_TRADES_PIECE;
    tl_fix_trade **piece = &trades->pieces[number % trades->pieces_max];
    if (*piece == NULL) {
        *piece = malloc(TL_FIX_TRADES_PIECE * sizeof **piece);
        return *piece == NULL ? -ENOMEM : 0;
    }
    trades->forgotten_ns = (*piece)[TL_FIX_TRADES_PIECE - 1].ts_ns;
    trades->first += TL_FIX_TRADES_PIECE;
    return 0;
}

int tl_fix_trades_add(tl_fix_trades *trades, const tl_event *event, uint32_t taker, uint32_t maker)
{
    const int rc = trades->next % TL_FIX_TRADES_PIECE == 0 ? begin_piece(trades) : 0;
    if (rc != 0)
        return rc;
    const int of_taker = event->side == TL_SIDE_BUY ? 0 : 1;
    tl_fix_trade *trade = &trades->pieces[trades->next / TL_FIX_TRADES_PIECE % trades->pieces_max]
                                         [trades->next % TL_FIX_TRADES_PIECE];
    *trade = (tl_fix_trade){.seq = event->seq,
                            .ts_ns = event->ts_ns,
                            .price = event->price,
                            .qty = event->qty,
                            .instrument = event->instrument};
    trade->orders[of_taker] = event->order_id;
    trade->orders[!of_taker] = event->contra_order_id;
    trade->accounts[of_taker] = event->account;
    trade->accounts[!of_taker] = event->contra_account;
    trade->rows[of_taker] = taker;
    trade->rows[!of_taker] = maker;
    trades->next++;
    return 0;
}
