/* What the parts of the OUCH desk share. Nobody else includes it. */
#ifndef TOUCHLINE_OUCH_DESK_STATE_H
#define TOUCHLINE_OUCH_DESK_STATE_H

#include "touchline/wire/ouch.h"
#include "touchline/wire/ouch_desk.h"
#include "touchline/wire/ouch_orders.h"
#include "touchline/wire/stock.h"

/* What a request is, as the TEXT before its command says it. */
enum {
    TL_OUCH_IS_ENTER = 'O',
    TL_OUCH_IS_REPLACE = 'U',
    TL_OUCH_IS_MASS_CANCEL = 'C',
    TL_OUCH_IS_REFUSED = 'J', /* by the desk; these four go as an order that can not be accepted */
    TL_OUCH_IS_DISABLE = 'D',
    TL_OUCH_IS_ENABLE = 'E',
    TL_OUCH_IS_QUERY = 'Q'
};

/* A request that the engine has not answered. Of a cancel there is none: its order says it all. */
typedef struct tl_ouch_pending {
    uint64_t number; /* cl_ord_id; 0: none */
    uint64_t order_id; /* REPLACE */
    uint32_t user_ref_num;
    uint32_t extra; /* the firm (0: none named); REPLACE: the UserRefNum before; REFUSED: the reject
                       code; QUERY: the next UserRefNum */
    uint32_t account;
    uint32_t stop_price, display_qty; /* ENTER, of a special order, and ... */
    tl_ouch_ahead ahead;              /* ... what goes ahead of it */
    uint16_t session, instrument;
    uint8_t side;
    bool told; /* MASS_CANCEL: its answer has been sent */
    char kind, capacity;
    char cl_ord_id[14];
} tl_ouch_pending;

typedef struct tl_ouch_seat {
    tl_ouch_firm *firms;
    bool *disabled; /* by firm */
    uint32_t firms_count;
    uint32_t last;     /* the highest UserRefNum used */
    uint32_t answered; /* requests up to this one have been answered */
    uint32_t pending;
    uint64_t count; /* messages of its stream */
} tl_ouch_seat;

struct tl_ouch_desk {
    tl_ouch_desk_config config;
    tl_ouch_desk_hooks hooks;
    tl_fix_names names;
    tl_stock *stocks; /* by instrument; price_scale 0: not looked up, or it can not be told */
    tl_ouch_orders orders;
    tl_ouch_seat *seats;
    tl_ouch_pending *pending; /* by the low bits of its number */
    uint32_t pending_count;
    uint64_t last_number; /* of a request of this lane */
    uint64_t spare;       /* a number that was given and that nothing was sent with; 0: none */
    uint8_t *phases;       /* by instrument: its trading status; 0: continuous */
    uint64_t auction_left; /* lots that an uncross trades, whose trades are still to come */
    char cross;            /* and which cross that is, as tl_ouch_cross_said */
    bool wants_names;
    int error;
    tl_ouch_pending named; /* replay: whose command comes next; kind 0: none */
    tl_command named_terms; /* and what goes ahead of it; cl_ord_id 0: nothing */
    uint8_t message[TL_OUCH_ANSWER_MAX];
};

/* What the TEXT of a request says, and back: false: it is none of OUCH. */
void tl_ouch_write_text(const tl_ouch_desk *desk, const tl_ouch_pending *pending, tl_command *text);
bool tl_ouch_read_text(const tl_ouch_desk *desk, const tl_command *text, tl_ouch_pending *pending);
/* Is the place of a request of this number free? */
bool tl_ouch_has_place(const tl_ouch_desk *desk, uint64_t number);
/* A number for a command, the same until one was sent with it; 0: there is none. */
static inline uint64_t tl_ouch_number(tl_ouch_desk *desk)
{
    if (desk->spare == 0)
        desk->spare = desk->hooks.number(desk->hooks.context);
    return desk->spare;
}
/* The request is with the engine as `cmd`, behind `terms` (NULL: none); its place is free. */
void tl_ouch_enter_pending(tl_ouch_desk *desk, tl_ouch_pending *pending, const tl_command *cmd,
                           const tl_command *terms);
/* The stock of an instrument; NULL: OUCH can not tell it. */
const tl_stock *tl_ouch_stock(tl_ouch_desk *desk, uint32_t instrument);
/* Answer an event. 0 or -errno. */
int tl_ouch_apply(tl_ouch_desk *desk, const tl_event *event);

/* The message at hand, begun with the start of the day if it is the stream's first. */
int tl_ouch_send(tl_ouch_desk *desk, uint32_t session, size_t size);
int tl_ouch_tell_priority(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order);

/* ouch_desk_ahead.c: what goes ahead of an order, or why it can not be. */
uint16_t tl_ouch_read_ahead(const tl_ouch_desk *desk, const tl_ouch_request *asked,
                            const tl_stock *stock, int64_t utc_ns, tl_ouch_ahead *ahead);
/* As a command; false: there is nothing. And back. */
bool tl_ouch_goes_ahead(const tl_ouch_ahead *ahead, tl_command *terms);
tl_ouch_ahead tl_ouch_ahead_of(const tl_ouch_desk *desk, const tl_command *terms);
/* Does a replacement say what is so, as far as it says anything? */
bool tl_ouch_ahead_same(const tl_ouch_request *asked, const tl_ouch_ahead *said,
                        const tl_ouch_ahead *now);
uint8_t *tl_ouch_put_ahead(uint8_t *at, const tl_ouch_ahead *ahead, const tl_stock *stock);
/* The engine's TimeInForce, and OUCH's TimeInForce and CrossType. */
uint8_t tl_ouch_time_meant(const tl_ouch_request *asked);
char tl_ouch_time_said(uint8_t time_in_force);
char tl_ouch_cross_said(uint8_t time_in_force);

/* ouch_desk_special.c: terms of special orders into a command, with `ahead` of it, or why not. */
uint16_t tl_ouch_read_special(const tl_ouch_request *asked, const tl_stock *stock,
                              const tl_ouch_ahead *ahead, tl_command *cmd);
/* Length and tag of an option; where its value goes. */
uint8_t *tl_ouch_put_option(uint8_t *at, uint8_t tag, uint8_t size);
/* Does a replacement, `priced` or at the market, keep them? 0, or why not. */
uint16_t tl_ouch_check_special(tl_ouch_desk *desk, const tl_ouch_request *asked,
                               const tl_ouch_order *order, bool priced, int64_t utc_ns);
/* Their options, behind a message of `size` bytes whose appendage begins at `fixed`. */
size_t tl_ouch_put_special(tl_ouch_desk *desk, const tl_ouch_order *order, size_t fixed,
                           size_t size);
int tl_ouch_apply_triggered(tl_ouch_desk *desk, const tl_event *event);
int tl_ouch_apply_restated(tl_ouch_desk *desk, const tl_event *event);

static inline uint32_t tl_ouch_firm_number(const char name[4])
{
    return tl_get_u32((const uint8_t *)name);
}

#endif
