/* TradeCaptureReportRequest (AD): what is asked for, or why it can not be. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_desk_capture.h"

#define DAY_NS (INT64_C(86400) * 1000000000)
#define CUSTOMER_ACCOUNT "24" /* PartyRole(452) */

static const uint16_t read_or_harmless[] = {11,  17,  37,  54,  55,  58,  60,  75,   107,  150,
                                            263, 354, 355, 447, 448, 452, 453, 568,  569,  571,
                                            580, 725, 880, 1003};

/* Fields, one function a criterion: -1, or TradeRequestResult(749) and why in desk->text. */

static int read_type(const request *of, tl_fix_capture *capture)
{
    const tl_fix_message *message = of->message;
    const tl_fix_field *stranger = tl_fix_stranger(
        message, read_or_harmless, sizeof read_or_harmless / sizeof *read_or_harmless);
    if (capture->type != '0' && capture->type != '1')
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_NOT_SUPPORTED,
                      "TradeRequestType(569) %c is not supported; allowed: 0, 1", capture->type);
    if (tl_fix_find(message, 725) != NULL && !tl_fix_is(message, 725, '0'))
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_TRANSPORT,
                      "reports are sent on this connection alone (725)");
    if (tl_fix_find(message, 150) != NULL && !tl_fix_is(message, 150, 'F'))
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_TYPE,
                      "ExecType(150) %.*s is not supported; allowed: F",
                      SHOWN(message, tl_fix_find(message, 150)));
    if (stranger != NULL)
        return tl_fix_refuse(of->desk,
                      stranger->tag == 726 ? TL_FIX_CAPTURE_DESTINATION : TL_FIX_CAPTURE_OTHER,
                      "field %u is not supported here", stranger->tag);
    return -1;
}

static int read_instrument(const request *of, tl_fix_criteria *criteria, bool *wait)
{
    const tl_fix_field *symbol = tl_fix_find(of->message, 55);
    if (symbol == NULL)
        return -1;
    const uint32_t number = tl_fix_instrument_named(
        &of->desk->names, tl_fix_value(of->message, symbol), symbol->size);
    if (number != UINT32_MAX) {
        criteria->instrument = (uint16_t)number;
        return -1;
    }
    *wait = of->desk->wants_names && of->patience;
    return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_INSTRUMENT, "unknown symbol '%.*s'",
                  SHOWN(of->message, symbol));
}

/* One party, an account of the session. */
static int read_parties(const request *of, tl_fix_criteria *criteria)
{
    const tl_fix_field *first, *id = NULL, *role = NULL;
    uint32_t fields;
    if (tl_fix_find(of->message, 453) == NULL || tl_fix_is(of->message, 453, '0'))
        return -1;
    if (!tl_fix_is(of->message, 453, '1') ||
        !tl_fix_group(of->message, of->party->dialect, 453, 0, &first, &fields))
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_PARTIES,
                             "one party, an account, may be given");
    for (uint32_t i = 0; i < fields; i++) {
        id = first[i].tag == 448 ? &first[i] : id;
        role = first[i].tag == 452 ? &first[i] : role;
    }
    if (id == NULL || role == NULL || role->size != strlen(CUSTOMER_ACCOUNT) ||
        memcmp(tl_fix_value(of->message, role), CUSTOMER_ACCOUNT, role->size) != 0)
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_PARTIES,
                      "PartyRole(452) %.*s is not supported; allowed: 24, an account",
                      SHOWN(of->message, role));
    criteria->account =
        tl_fix_account_named(&of->desk->names, tl_fix_value(of->message, id), id->size);
    if (tl_fix_has_account(&of->desk->sessions[of->party->number], criteria->account))
        return -1;
    return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_PARTIES, "unknown account '%.*s'",
                  SHOWN(of->message, id));
}

/* "123-1", as ExecID(17) and TradeReportID(571) are; false: no such trade can be. */
static bool read_exec_id(const char *text, size_t size, tl_fix_criteria *criteria)
{
    uint64_t seq;
    if (size < 3 || text[size - 2] != '-' || (text[size - 1] != '1' && text[size - 1] != '2') ||
        !tl_fix_read_uint(text, size - 2, &seq) || seq == 0 ||
        (criteria->trade != 0 && criteria->trade != seq))
        return false;
    criteria->trade = seq;
    criteria->sides &= (uint8_t)(text[size - 1] - '0');
    return true;
}

static void read_trade(const request *of, tl_fix_criteria *criteria)
{
    static const uint32_t numbers[] = {880, 1003}, exec_ids[] = {17, 571};
    for (int i = 0; i < 2; i++) {
        const tl_fix_field *number = tl_fix_find(of->message, numbers[i]);
        const tl_fix_field *exec_id = tl_fix_find(of->message, exec_ids[i]);
        uint64_t seq;
        if (number != NULL) {
            if (!tl_fix_read_uint(tl_fix_value(of->message, number), number->size, &seq) ||
                seq == 0 || (criteria->trade != 0 && criteria->trade != seq))
                criteria->impossible = true;
            else
                criteria->trade = seq;
        }
        if (exec_id != NULL &&
            !read_exec_id(tl_fix_value(of->message, exec_id), exec_id->size, criteria))
            criteria->impossible = true;
    }
}

/* OrderID(37), ClOrdID(11), Side(54) */
static int read_order(const request *of, tl_fix_criteria *criteria)
{
    const tl_fix_field *order = tl_fix_find(of->message, 37), *name = tl_fix_find(of->message, 11);
    const tl_fix_field *side = tl_fix_find(of->message, 54);
    if (order != NULL &&
        (!tl_fix_read_uint(tl_fix_value(of->message, order), order->size, &criteria->order_id) ||
         criteria->order_id == 0))
        criteria->impossible = true;
    if (name != NULL) {
        uint64_t hash[2];
        tl_fix_request_hash(of->desk->orders, of->party->number, tl_fix_value(of->message, name),
                            name->size, hash);
        const tl_fix_request *found = tl_fix_request_find(of->desk->orders, hash);
        criteria->row = found == NULL ? TL_FIX_NO_ROW : found->order;
        criteria->impossible |= criteria->row == TL_FIX_NO_ROW;
    }
    if (side == NULL)
        return -1;
    if (!tl_fix_is(of->message, 54, TL_SIDE_BUY) && !tl_fix_is(of->message, 54, TL_SIDE_SELL))
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_OTHER,
                      "Side(54) %.*s is not supported; allowed: 1, 2", SHOWN(of->message, side));
    criteria->sides &= tl_fix_is(of->message, 54, TL_SIDE_BUY) ? 1 : 2;
    return -1;
}

/* One entry of NoDates(580): a day, or a moment. */
static bool read_date(const request *of, uint32_t index, int64_t *first_ns, int64_t *last_ns)
{
    const tl_fix_field *first;
    uint32_t fields;
    bool any = false;
    if (!tl_fix_group(of->message, of->party->dialect, 580, index, &first, &fields))
        return false;
    for (uint32_t i = 0; i < fields; i++) {
        const char *text = tl_fix_value(of->message, &first[i]);
        int64_t days;
        if (first[i].tag == 60) { /* it says more than the day beside it */
            if (!tl_fix_read_time(text, first[i].size, first_ns))
                return false;
            *last_ns = *first_ns;
            return true;
        }
        if (first[i].tag != 75)
            continue;
        if (!tl_fix_read_date(text, first[i].size, &days) || days > INT64_MAX / DAY_NS - 1 ||
            days < INT64_MIN / DAY_NS + 1)
            return false;
        *first_ns = days * DAY_NS;
        *last_ns = *first_ns + DAY_NS - 1;
        any = true;
    }
    return any;
}

static int64_t midnight_before(int64_t ts_ns)
{
    return ts_ns - ((ts_ns % DAY_NS) + DAY_NS) % DAY_NS;
}

/* When: without dates, today and later. */
static int read_dates(const request *of, tl_fix_criteria *criteria)
{
    int64_t last_ns;
    criteria->from_ns = midnight_before(of->utc_ns);
    criteria->to_ns = INT64_MAX;
    if (tl_fix_find(of->message, 580) == NULL || tl_fix_is(of->message, 580, '0'))
        return -1;
    const bool two = tl_fix_is(of->message, 580, '2');
    if ((!two && !tl_fix_is(of->message, 580, '1')) ||
        !read_date(of, 0, &criteria->from_ns, &last_ns))
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_OTHER,
                      "NoDates(580) is 1 or 2, each with a TradeDate(75) that can be");
    if (!two) { /* a day, or from a moment on */
        criteria->to_ns = last_ns != criteria->from_ns ? last_ns : INT64_MAX;
        return -1;
    }
    int64_t first_ns;
    if (!read_date(of, 1, &first_ns, &criteria->to_ns) || criteria->to_ns < criteria->from_ns)
        return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_OTHER,
                      "the second of NoDates(580) is no date, or before the first");
    return -1;
}

/* Is all still there that could fit? */
static int check_remembered(const request *of, const tl_fix_criteria *criteria)
{
    char text[32];
    const tl_fix_trades *trades = &of->desk->trades;
    if (criteria->from_ns > trades->forgotten_ns)
        return -1;
    *tl_fix_write_time(text, trades->forgotten_ns, 9) = 0;
    return tl_fix_refuse(of->desk, TL_FIX_CAPTURE_OTHER,
                  "trades up to %s are not kept here any more; ask from a later time on", text);
}

static int read_criteria(const request *of, tl_fix_capture *capture, bool *wait)
{
    tl_fix_criteria *criteria = &capture->criteria;
    int reason = read_type(of, capture);
    if (reason < 0)
        reason = read_instrument(of, criteria, wait);
    if (reason < 0)
        reason = read_parties(of, criteria);
    if (reason < 0)
        reason = read_order(of, criteria);
    if (reason < 0)
        reason = read_dates(of, criteria);
    read_trade(of, criteria);
    return reason < 0 ? check_remembered(of, criteria) : reason;
}

/* Its place among those of the session; NULL: there is none of that id. */
static tl_fix_capture **place_of(tl_fix_seated *seated, const tl_fix_capture *asked)
{
    for (uint32_t i = 0; i < TL_FIX_CAPTURES_MAX; i++) {
        const tl_fix_capture *had = seated->captures[i];
        if (had != NULL && had->id_size == asked->id_size &&
            memcmp(had->id, asked->id, had->id_size) == 0)
            return &seated->captures[i];
    }
    return NULL;
}

static int end_subscription(const request *of, const tl_fix_capture *asked)
{
    tl_fix_desk *desk = of->desk;
    tl_fix_capture **had = place_of(&desk->sessions[of->party->number], asked);
    if (had == NULL)
        return tl_fix_capture_answer(desk, of->party->number, asked, TL_FIX_CAPTURE_OTHER,
                                     "there is no request of this TradeRequestID(568)");
    tl_fix_capture_close(*had);
    *had = NULL;
    tl_fix_task_over(desk, of->party->number);
    return tl_fix_capture_answer(desk, of->party->number, asked, TL_FIX_CAPTURE_DONE, NULL);
}

/* -1 when it is under way; else why not. */
static int begin(const request *of, const tl_fix_capture *asked)
{
    tl_fix_desk *desk = of->desk;
    tl_fix_seated *seated = &desk->sessions[of->party->number];
    uint32_t free_at = 0;
    if (place_of(seated, asked) != NULL)
        return tl_fix_refuse(desk, TL_FIX_CAPTURE_OTHER,
                      "a request of this TradeRequestID(568) is under way");
    while (free_at < TL_FIX_CAPTURES_MAX && seated->captures[free_at] != NULL)
        free_at++;
    if (free_at == TL_FIX_CAPTURES_MAX)
        return tl_fix_refuse(desk, TL_FIX_CAPTURE_OTHER,
                             "%u requests are under way, and not more may be", TL_FIX_CAPTURES_MAX);
    tl_fix_capture *capture = malloc(sizeof *capture);
    if (capture == NULL)
        return tl_fix_refuse(desk, TL_FIX_CAPTURE_OTHER, "there is no memory for it");
    *capture = *asked;
    capture->at = capture->from = desk->trades.first;
    capture->to = desk->trades.next;
    seated->captures[free_at] = capture;
    tl_fix_task_began(desk, of->party->number);
    return -1;
}

tl_fix_taken tl_fix_ask_capture(request *of)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_message *message = of->message;
    const tl_fix_field *id = tl_fix_find(message, 568), *how = tl_fix_find(message, 263);
    tl_fix_capture asked = {.criteria = {.account = TL_ACCOUNT_ALL,
                                         .instrument = TL_INSTRUMENT_ALL,
                                         .row = TL_FIX_NO_ROW,
                                         .sides = 3}};
    bool wait = false;
    if (id->size > TL_FIX_ASKED_ID_MAX)
        return done(desk, tl_fix_answer_business(desk, of->party, message, TL_FIX_BUSINESS_OTHER,
                                                 "TradeRequestID(568) is longer than 64 bytes"));
    asked.route = desk->asked;
    asked.id_size = id->size;
    memcpy(asked.id, tl_fix_value(message, id), id->size);
    asked.type = *tl_fix_value(message, tl_fix_find(message, 569));
    asked.subscription = how == NULL ? '0' : *tl_fix_value(message, how);
    if (asked.subscription == '2')
        return done(desk, end_subscription(of, &asked));
    /* Requests before this one are answered first, so that their trades are there. */
    if (of->patience && tl_fix_desk_pending(desk, of->party->number) > 0)
        return TL_FIX_LATER;
    int reason = read_criteria(of, &asked, &wait);
    if (wait)
        return TL_FIX_LATER;
    if (reason < 0)
        reason = begin(of, &asked);
    if (reason < 0)
        return TL_FIX_TAKEN;
    return done(desk, tl_fix_capture_answer(desk, of->party->number, &asked, reason, desk->text));
}
