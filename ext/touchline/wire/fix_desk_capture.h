/* A TradeCaptureReportRequest (AD) under way. Its two files share this; nobody else includes it. */
#ifndef TOUCHLINE_FIX_DESK_CAPTURE_H
#define TOUCHLINE_FIX_DESK_CAPTURE_H

#include "touchline/wire/fix_desk_request.h"

/* TradeRequestResult(749) */
enum {
    TL_FIX_CAPTURE_DONE = 0,
    TL_FIX_CAPTURE_INSTRUMENT = 1,
    TL_FIX_CAPTURE_TYPE = 2,
    TL_FIX_CAPTURE_PARTIES = 3,
    TL_FIX_CAPTURE_TRANSPORT = 4,
    TL_FIX_CAPTURE_DESTINATION = 5,
    TL_FIX_CAPTURE_NOT_SUPPORTED = 8,
    TL_FIX_CAPTURE_OTHER = 99
};

typedef struct tl_fix_criteria { /* what a trade, or a side of it, must be */
    int64_t from_ns, to_ns; /* TransactTime(60), both included */
    uint64_t order_id;      /* 0: any */
    uint64_t trade;         /* number of the event; 0: any */
    uint32_t account;       /* TL_ACCOUNT_ALL: any */
    uint32_t row;           /* of the order that a ClOrdID names; TL_FIX_NO_ROW: any */
    uint16_t instrument;    /* TL_INSTRUMENT_ALL: any */
    uint8_t sides;          /* 1 the buyer's, 2 the seller's, 3 both */
    bool impossible;        /* it names what is not there: nothing fits */
} tl_fix_criteria;

struct tl_fix_capture {
    char id[TL_FIX_ASKED_ID_MAX]; /* TradeRequestID(568) */
    uint32_t id_size;
    tl_fix_route route;
    char type;                 /* TradeRequestType(569) */
    char subscription;         /* SubscriptionRequestType(263): 0 or 1 */
    tl_fix_criteria criteria;
    enum { TL_FIX_COUNTING, TL_FIX_SENDING, TL_FIX_LIVE } state;
    uint64_t at, from, to;     /* trades: the next, and those that were there when it was asked */
    uint32_t side;             /* of trade `at`: 0 or 1 */
    uint32_t total, sent;      /* reports of them */
};

/* TradeCaptureReportRequestAck (AQ). `result`: 749; `text`: NULL, or why not. */
int tl_fix_capture_answer(tl_fix_desk *desk, uint32_t session, const tl_fix_capture *capture,
                          int result, const char *text);

#endif
