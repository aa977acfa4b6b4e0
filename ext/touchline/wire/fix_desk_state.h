/* What the parts of the desk share. Nobody else includes it. */
#ifndef TOUCHLINE_FIX_DESK_STATE_H
#define TOUCHLINE_FIX_DESK_STATE_H

#include "touchline/wire/fix_desk.h"
#include "touchline/wire/fix_names.h"
#include "touchline/wire/fix_orders.h"
#include "touchline/wire/fix_route.h"
#include "touchline/wire/fix_terms.h"
#include "touchline/wire/fix_trades.h"

#define TL_FIX_BODY_BYTES 16384 /* as TL_FIX_BODY_MAX of fix_session.h */

/* OrdRejReason(103), CxlRejReason(102), BusinessRejectReason(380). */
enum {
    TL_FIX_ORD_UNKNOWN_SYMBOL = 1,
    TL_FIX_ORD_TOO_LATE = 4,
    TL_FIX_ORD_UNKNOWN_ORDER = 5,
    TL_FIX_ORD_DUPLICATE = 6,
    TL_FIX_ORD_UNSUPPORTED = 11,
    TL_FIX_ORD_QTY = 13,
    TL_FIX_ORD_ACCOUNT = 15,
    TL_FIX_ORD_OFF_TICK = 18,
    TL_FIX_ORD_OTHER = 99,
    TL_FIX_CXL_TOO_LATE = 0,
    TL_FIX_CXL_UNKNOWN_ORDER = 1,
    TL_FIX_CXL_DUPLICATE = 6,
    TL_FIX_CXL_OTHER = 99,
    TL_FIX_BUSINESS_OTHER = 0,
    TL_FIX_BUSINESS_MSG_TYPE = 3,
    TL_FIX_BUSINESS_UNAVAILABLE = 4,
    TL_FIX_BUSINESS_MISSING = 5,
    TL_FIX_BUSINESS_NOT_AUTHORIZED = 6 /* FIX 4.2 has none above 5 */
};

#define TL_FIX_CAPTURES_MAX 4u    /* requests for trades of a session at a time */
#define TL_FIX_ASKED_ID_MAX 64u   /* bytes of a MassStatusReqID(584), a TradeRequestID(568) */
#define TL_FIX_SLICE_LOOKS 4096u  /* orders or trades looked at in a slice */
#define TL_FIX_SLICE_REPORTS 128u /* messages sent in a slice */
#define TL_FIX_NO_SESSION UINT16_MAX /* whose order it is: of a program, not of a session */

typedef struct tl_fix_mass_status tl_fix_mass_status; /* fix_desk_status.c */
typedef struct tl_fix_capture tl_fix_capture;         /* fix_desk_capture.c */

typedef struct tl_fix_seated { /* a session that is told of events */
    const tl_fix_dialect *dialect; /* NULL: none is */
    uint64_t mark;
    uint32_t *accounts; /* sorted */
    uint32_t accounts_count;
    uint8_t permissions;
    bool pending_reports;
    tl_fix_mass_status *status; /* NULL: none is under way */
    tl_fix_capture *captures[TL_FIX_CAPTURES_MAX];
    uint32_t tasks; /* of these, under way */
    uint64_t (*told)[2]; /* hashes of refused changes it knows of beyond its mark */
    uint32_t told_count;
    uint8_t time_decimals;
} tl_fix_seated;

struct tl_fix_desk {
    tl_fix_desk_config config;
    tl_fix_desk_hooks hooks;
    tl_fix_names names;
    tl_fix_orders *orders;
    tl_fix_seated *sessions;
    tl_fix_trades trades;
    uint16_t *working; /* sessions that have answers under way */
    uint32_t working_count;
    uint16_t *copying; /* sessions that are sent copies */
    uint32_t copies;
    uint64_t auction_left; /* lots that an uncross trades, whose trades are still to come */
    bool wants_names;
    int error;
    tl_fix_route asked; /* of the request at hand */
    /* Replay: the ClOrdID and route whose command comes next on the FIX lane. */
    tl_fix_cl_ord_id named, named_orig;
    tl_fix_route named_route;
    uint64_t named_number;
    tl_command named_terms; /* what goes ahead of an order of that number: rule 8.9 */
    uint32_t named_session;
    char body[TL_FIX_BODY_BYTES];
    char text[TL_FIX_TEXT_MAX];
};

/* A reason with its words, in desk->text. The readers below give -1, or such a reason. */
__attribute__((format(printf, 3, 4))) int tl_fix_refuse(tl_fix_desk *desk, int reason,
                                                        const char *format, ...);
int tl_fix_read_price(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, int64_t *price);
int tl_fix_read_qty(tl_fix_desk *desk, const tl_fix_message *message,
                    const tl_fix_instrument *instrument, int64_t *qty);
int tl_fix_choice_refused(tl_fix_desk *desk, const tl_fix_message *message, uint32_t tag,
                          const char *name, const char *allowed);
/* A price or quantity that is not below 0, `field` NULL: 0. */
int tl_fix_read_term(tl_fix_desk *desk, const tl_fix_message *message, const tl_fix_field *field,
                     const tl_fix_unit *unit, const char *what, const char *size, int reason,
                     int64_t *value);
/* One of the characters in `allowed`; `usual` where the field is not there, 0: it has to be. */
static inline int tl_fix_read_choice(tl_fix_desk *desk, const tl_fix_message *message,
                                     uint32_t tag, const char *name, const char *allowed,
                                     uint8_t usual, uint8_t *chosen)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    *chosen = usual;
    if (field == NULL && usual != 0)
        return -1;
    const char choice = field == NULL || field->size != 1 ? '\0' : *tl_fix_value(message, field);
    for (const char *one = allowed; *one != '\0'; one++)
        if (*one == choice) {
            *chosen = (uint8_t)choice;
            return -1;
        }
    return tl_fix_choice_refused(desk, message, tag, name, allowed);
}

/* The engine's reason: its row, its words, and these with value and bound in the units of the
 * instrument (NULL: as they are), in desk->text. */
const tl_reason_text *tl_fix_reason_row(uint8_t reason);
const char *tl_fix_reason_words(uint8_t reason);
const char *tl_fix_refusal_text(tl_fix_desk *desk, uint8_t reason, int64_t value, int64_t limit,
                                const tl_fix_instrument *instrument);

/* The reason as the version knows it. */
int tl_fix_ord_reason(const tl_fix_dialect *dialect, int reason);
int tl_fix_cxl_reason(const tl_fix_dialect *dialect, int reason);
/* OrdStatus(39): FIX 4.2 still has Replaced(5), for an order that has not traded since. `pending`:
 * for a session that hears of pending states, which go before all others, a cancel's first. */
char tl_fix_ord_status(const tl_fix_dialect *dialect, const tl_fix_order *order, bool pending);

/* Names and route of the request at hand, and `cmd`: what the journal needs to answer it again.
 * How many commands that is. */
uint32_t tl_fix_desk_commands(const tl_fix_desk *desk, const tl_fix_message *message,
                              const tl_fix_pending *pending, const tl_command *cmd,
                              tl_command commands[TL_FIX_SUBMIT_MAX]);
/* A request is about to go to the engine as `cmd`, behind `terms` (NULL: none); a new order gets
 * its row. `pending` has session, MsgSeqNum, names, hash and, of a change, the order's row. 0 or
 * -ENOMEM. */
int tl_fix_desk_enter(tl_fix_desk *desk, const tl_command *cmd, const tl_command *terms,
                      const tl_fix_route *route, tl_fix_pending *pending);

/* What a report says of an order, in the order of the tags. */
typedef struct tl_fix_report {
    const tl_fix_dialect *dialect;
    const tl_fix_order *order;
    const tl_fix_cl_ord_id *cl_ord_id, *orig; /* orig: NULL or size 0: none */
    const char *text; /* NULL: none */
    const char *status_id;                    /* OrdStatusReqID(790); NULL: none */
    uint32_t status_id_size;
    const char *mass_id; /* MassStatusReqID(584); NULL: none */
    uint32_t mass_id_size, reports; /* TotNumReports(911), with mass_id */
    bool last;                      /* LastRptRequested(912), with mass_id */
    bool copy;                      /* of what another session is told */
    bool declined; /* of Restated: a part of its quantity */
    char exec_letter;    /* ExecID(17): this letter; 0: none, ... */
    uint64_t exec_id;    /* ... this number, ... */
    unsigned exec_side;  /* ... and of a trade which side: 1, 2; 0: none */
    bool pending;                   /* for a session that hears of pending states */
    int64_t transact_ns; /* 0: no TransactTime(60) */
    int64_t last_px;     /* ticks; with last_qty */
    uint32_t last_qty;   /* 0: no trade */
    int ord_rej_reason;  /* -1: none */
    char exec_type;      /* ExecType(150) of FIX 4.4; 'I': status */
    char liquidity;      /* LastLiquidityInd(851), 0: none */
    uint8_t time_decimals;
} tl_fix_report;

/* The body of an ExecutionReport(8); its end. */
char *tl_fix_write_report(tl_fix_desk *desk, const tl_fix_report *report, char *at);
/* Where a body begins: desk->body, behind what its header has of a route; NULL: none. */
char *tl_fix_desk_begin(tl_fix_desk *desk, const tl_fix_route *route);
/* Send desk->body up to `end`. 0 or -errno. */
int tl_fix_desk_send(tl_fix_desk *desk, uint32_t session, const char *msg_type, const char *end,
                     uint64_t key);
/* An event is applied: orders change, and the sessions concerned are told. 0 or -errno. */
int tl_fix_desk_apply(tl_fix_desk *desk, const tl_event *event);
/* Answers without an event. 0 or -errno. */
int tl_fix_answer_business(tl_fix_desk *desk, const tl_fix_party *party,
                           const tl_fix_message *message, int reason, const char *text);
int tl_fix_answer_order(tl_fix_desk *desk, const tl_fix_party *party, const tl_fix_message *message,
                        int reason, int64_t utc_ns);
int tl_fix_answer_change(tl_fix_desk *desk, const tl_fix_party *party,
                         const tl_fix_message *message, int reason, uint32_t row, int64_t utc_ns);
int tl_fix_answer_status(tl_fix_desk *desk, const tl_fix_party *party,
                         const tl_fix_message *message, uint32_t row, int64_t utc_ns);

/* Say a report to the order's session, by the order's route, and copies to others. `side` of a
 * trade, else 0. 0 or -errno. */
int tl_fix_tell(tl_fix_desk *desk, uint32_t row, const tl_event *event, tl_fix_report *report,
                unsigned side);

/* fix_desk_special.c: the terms of a special order. */
#define TL_FIX_SLIDE_TAG 20018u /* PostOnlySlide, ours: Y or N */
/* Does the message have any of them? */
static inline bool tl_fix_says_special(const tl_fix_message *message)
{
    const uint64_t ahead = UINT64_C(1) << (99 - 64) | UINT64_C(1) << (110 - 64) |
                           UINT64_C(1) << (111 - 64) | UINT64_C(1) << (126 - 64);
    return (message->present[1] & ahead) != 0 || tl_fix_has_low(message, 18) ||
           tl_fix_has_low(message, 432) || tl_fix_find(message, 1138) != NULL ||
           tl_fix_find(message, TL_FIX_SLIDE_TAG) != NULL;
}
/* Those of a new order, whose OrdType has been read, and `terms` that are to go ahead of it, where
 * its `field` then says so. -1, or why not. */
int tl_fix_read_special(tl_fix_desk *desk, const tl_fix_message *message,
                        const tl_fix_instrument *instrument, tl_command *cmd, tl_command *terms);
/* It is not what the order has: rule 8.8. */
int tl_fix_unchangeable(tl_fix_desk *desk, const char *name, uint32_t tag);
/* -1: what a replace says of them is so already; or why not (rule 8.8). */
int tl_fix_special_same(tl_fix_desk *desk, const tl_fix_message *message,
                        const tl_fix_instrument *instrument, const tl_fix_order *order);
/* Is it one that waits, or waited, for its stop price? */
bool tl_fix_waits_for_price(const tl_fix_order *order);
/* OrdType(40); 0: the version has no such type. */
char tl_fix_ord_type(const tl_fix_dialect *dialect, const tl_fix_order *order);
/* Fields of a report: StopPx(99), MaxFloor(111), ExecRestatementReason(378), WorkingIndicator(636),
 * DisplayQty(1138) with what follows. */
char *tl_fix_put_stop(char *at, const tl_fix_order *order, const tl_fix_unit *tick);
char *tl_fix_put_max_floor(char *at, const tl_fix_report *report, const tl_fix_unit *lot);
char *tl_fix_put_restatement(char *at, const tl_fix_report *report);
char *tl_fix_put_working(char *at, const tl_fix_report *report);
char *tl_fix_put_special(char *at, const tl_fix_report *report, const tl_fix_unit *lot);
int tl_fix_apply_triggered(tl_fix_desk *desk, const tl_event *event);
int tl_fix_apply_decremented(tl_fix_desk *desk, const tl_event *event);
int tl_fix_apply_restated(tl_fix_desk *desk, const tl_event *event);

/* fix_desk_ahead.c: ExpireTime(126), ExpireDate(432) and MinQty(110) of a message, in a TERMS; -1,
 * or why not. The same of a replace: -1 where they are the order's. */
int tl_fix_read_ahead(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, tl_command *terms);
int tl_fix_ahead_same(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, const tl_fix_order *order);
/* What TimeInForce(59) means, and how it is said; a report leaves out what its version lacks. */
uint8_t tl_fix_time_meant(uint8_t said);
char tl_fix_time_said(uint8_t time_in_force);
char *tl_fix_put_time_in_force(char *at, const tl_fix_report *report);
/* Fields of a report: ExecInst(18), MinQty(110), ExpireTime(126). */
char *tl_fix_put_instructions(char *at, const tl_fix_order *order);
char *tl_fix_put_min_qty(char *at, const tl_fix_order *order, const tl_fix_unit *lot);
char *tl_fix_put_expire_time(char *at, const tl_fix_report *report);

/* fix_desk_mass.c: a mass cancel of a session has come to an end, or is refused by the engine. */
int tl_fix_mass_canceled(tl_fix_desk *desk, const tl_event *event);
int tl_fix_mass_rejected(tl_fix_desk *desk, const tl_event *event, tl_fix_pending *pending);
/* How many commands the request is that this one belongs to. */
uint32_t tl_fix_mass_commands(const tl_command *cmd);

/* fix_desk_copy.c: has the session this account? */
bool tl_fix_has_account(const tl_fix_seated *seated, uint32_t account);
/* Does anybody want copies of this account's reports? */
bool tl_fix_copied(const tl_fix_desk *desk, uint32_t account);
/* Send copies of a report to all who are to have one. 0 or -errno. */
int tl_fix_send_copies(tl_fix_desk *desk, const tl_fix_report *report, uint64_t key);
/* An order that no session entered, for those who are sent copies: its row, NO_ROW. */
uint32_t tl_fix_foreign_order(tl_fix_desk *desk, const tl_event *event);
/* Who entered an order, for a copy: the name of its session. */
char *tl_fix_put_entering(const tl_fix_desk *desk, const tl_fix_report *report, char *at);
/* Account(1), or its number where it has no name. */
char *tl_fix_put_account(const tl_fix_desk *desk, char *at, uint32_t number);

/* fix_desk_pending.c: the request is with the engine now. 0 or -errno. */
int tl_fix_tell_pending(tl_fix_desk *desk, const tl_fix_party *party,
                        const tl_fix_pending *pending, int64_t utc_ns);

/* fix_desk_news.c: an instrument is halted or trades again, or the venue. 0 or -errno. */
int tl_fix_news_of_status(tl_fix_desk *desk, const tl_event *event);

/* One more answer of the session is under way, or one less. */
void tl_fix_task_began(tl_fix_desk *desk, uint32_t session);
void tl_fix_task_over(tl_fix_desk *desk, uint32_t session);
/* A slice of an answer under way. `over`: it is done, and gone. 1: more can be done at once. */
int tl_fix_mass_status_slice(tl_fix_desk *desk, uint32_t session, int64_t utc_ns, bool *over);
int tl_fix_capture_slice(tl_fix_desk *desk, uint32_t session, tl_fix_capture *capture,
                         int64_t utc_ns, bool *over);
void tl_fix_mass_status_close(tl_fix_mass_status *status);
void tl_fix_capture_close(tl_fix_capture *capture);

/* The session, if it is to be told of a report with this key; NULL. */
const tl_fix_seated *tl_fix_listener(const tl_fix_desk *desk, uint32_t session, uint64_t key);

/* How many bytes of a field's value a text of ours repeats: whole characters, at most `most`. */
static inline int tl_fix_shown(const tl_fix_message *message, const tl_fix_field *field,
                               size_t most)
{
    if (field == NULL)
        return 0;
    return (int)tl_fix_whole_characters(tl_fix_value(message, field), field->size, most);
}

static inline size_t tl_fix_size_of(const tl_fix_field *field)
{
    return field == NULL ? 0 : field->size;
}

#endif
