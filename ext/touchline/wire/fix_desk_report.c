/* Events become reports: the one place that knows what each FIX version calls things. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_state.h"
#include "touchline/wire/fix_text_room.h"

static const tl_fix_unit one = {1, 0};

#define AUCTION '4' /* LastLiquidityInd(851), new in FIX 5.0 */

static bool known(const uint64_t reasons[2], int reason)
{
    return reason >= 0 && reason < 128 && (reasons[reason / 64] >> (reason % 64) & 1) != 0;
}

int tl_fix_ord_reason(const tl_fix_dialect *dialect, int reason)
{
    return known(dialect->ord_rej_reasons, reason) ? reason : dialect->other_ord;
}

int tl_fix_cxl_reason(const tl_fix_dialect *dialect, int reason)
{
    return known(dialect->cxl_rej_reasons, reason) ? reason : dialect->other_cxl;
}

char tl_fix_ord_status(const tl_fix_dialect *dialect, const tl_fix_order *order, bool pending)
{
    if (pending && order->changes != 0)
        return order->cancels != 0 ? '6' : 'E';
    if (dialect->version == TL_FIX_42 && order->replaced && order->ord_status == '0')
        return '5';
    return (char)order->ord_status;
}

char *tl_fix_desk_begin(tl_fix_desk *desk, const tl_fix_route *route)
{
    if (route == NULL)
        return desk->body;
    memcpy(desk->body, route->text, route->size);
    return desk->body + route->size;
}

int tl_fix_desk_send(tl_fix_desk *desk, uint32_t session, const char *msg_type, const char *end,
                     uint64_t key)
{
    return desk->hooks.send(desk->hooks.context, session, msg_type, desk->body,
                            (size_t)(end - desk->body), key);
}

/* Fields of an ExecutionReport */

char *tl_fix_put_account(const tl_fix_desk *desk, char *at, uint32_t number)
{
    const tl_fix_name *name = tl_fix_account_at(&desk->names, number);
    return name != NULL ? tl_fix_room_put_text(at, 1, name->text, name->size)
                        : tl_fix_put_uint(at, 1, number);
}

static char *put_order_id(char *at, uint64_t order_id)
{
    return order_id != 0 ? tl_fix_room_put_uint(at, 37, order_id)
                         : tl_fix_put_text(at, 37, "NONE", 4);
}

static char *put_exec_id(char *at, const tl_fix_report *report)
{
    at = tl_fix_put_tag(at, 17);
    if (report->exec_letter != 0)
        *at++ = report->exec_letter;
    at = tl_fix_room_uint(at, report->exec_id);
    if (report->exec_side != 0) {
        *at++ = '-';
        *at++ = (char)('0' + report->exec_side);
    }
    *at++ = TL_FIX_SOH;
    return at;
}

static char *put_string(char *at, uint32_t tag, const char *text)
{
    return tl_fix_put_text(at, tag, text, strlen(text));
}

static char exec_type_in(const tl_fix_report *report)
{
    if (report->exec_type == 'L') /* Triggered is FIX 5.0's */
        return report->dialect->version == TL_FIX_50SP2 ? 'L' : 'D';
    if (report->dialect->version != TL_FIX_42)
        return report->exec_type;
    if (report->exec_type == 'I')
        return tl_fix_ord_status(report->dialect, report->order, report->pending);
    return report->exec_type == 'F' ? (char)report->order->ord_status : report->exec_type;
}

/* AvgPx(6) */
static char *put_average(char *at, const tl_fix_order *order, const tl_fix_unit *tick)
{
    memcpy(at, "6=", 2);
    if (order->cum_qty == 0) {
        memcpy(at + 2, "0\x01", 2);
        return at + 4;
    }
    at = tl_fix_write_average(at + 2, order->notional, order->cum_qty, tick);
    *at++ = TL_FIX_SOH;
    return at;
}

/* Tags 38 to 59 */
static char *put_terms(char *at, const tl_fix_report *report, const tl_fix_instrument *instrument,
                       const tl_fix_unit *tick, const tl_fix_unit *lot)
{
    const tl_fix_order *order = report->order;
    at = tl_fix_room_put_units(at, 38, order->order_qty, lot);
    at = tl_fix_put_char(at, 39, tl_fix_ord_status(report->dialect, order, report->pending));
    const char ord_type = tl_fix_ord_type(report->dialect, order);
    if (ord_type != 0)
        at = tl_fix_put_char(at, 40, ord_type);
    if (report->orig != NULL && report->orig->size != 0)
        at = tl_fix_room_put_text(at, 41, report->orig->text, report->orig->size);
    if (order->ord_type == TL_ORD_TYPE_LIMIT ||
        (order->ord_type != TL_ORD_TYPE_MARKET && order->price != 0))
        at = tl_fix_room_put_units(at, 44, order->price, tick);
    at = tl_fix_put_char(at, 54, (char)order->side);
    if (instrument != NULL)
        at = tl_fix_room_put_text(at, 55, instrument->symbol.text, instrument->symbol.size);
    else
        at = tl_fix_put_uint(at, 55, order->instrument);
    if (report->text != NULL)
        at = put_string(at, 58, report->text);
    return tl_fix_put_time_in_force(at, report);
}

char *tl_fix_write_report(tl_fix_desk *desk, const tl_fix_report *report, char *at)
{
    const tl_fix_order *order = report->order;
    const tl_fix_instrument *instrument = tl_fix_instrument_at(&desk->names, order->instrument);
    const tl_fix_unit *tick = instrument != NULL ? &instrument->tick : &one;
    const tl_fix_unit *lot = instrument != NULL ? &instrument->lot : &one;
    const bool old = report->dialect->version == TL_FIX_42;
    at = tl_fix_put_account(desk, at, order->account);
    at = put_average(at, order, tick);
    if (report->cl_ord_id->size != 0) /* of an order that was over long ago it is forgotten */
        at = tl_fix_room_put_text(at, 11, report->cl_ord_id->text, report->cl_ord_id->size);
    at = tl_fix_room_put_units(at, 14, order->cum_qty, lot);
    at = put_exec_id(at, report);
    at = tl_fix_put_instructions(at, order);
    if (old)
        at = tl_fix_put_char(at, 20, report->exec_type == 'I' ? '3' : '0');
    if (report->last_qty != 0) {
        at = tl_fix_room_put_units(at, 31, report->last_px, tick);
        at = tl_fix_room_put_units(at, 32, report->last_qty, lot);
    }
    at = put_order_id(at, order->order_id);
    at = put_terms(at, report, instrument, tick, lot);
    if (report->transact_ns != 0)
        at = tl_fix_put_time(at, 60, report->transact_ns, report->time_decimals);
    at = tl_fix_put_stop(at, order, tick);
    if (report->ord_rej_reason >= 0)
        at = tl_fix_put_uint(
            at, 103, (uint64_t)tl_fix_ord_reason(report->dialect, report->ord_rej_reason));
    if (report->copy && old)
        at = tl_fix_put_entering(desk, report, at);
    at = tl_fix_put_min_qty(at, order, lot);
    at = tl_fix_put_max_floor(at, report, lot);
    at = tl_fix_put_expire_time(at, report);
    const char exec_type = exec_type_in(report);
    at = tl_fix_put_char(at, 150, exec_type);
    at = tl_fix_room_put_units(
        at, 151, report->exec_type == 'A' ? order->order_qty : order->leaves_qty, lot);
    if (exec_type == 'D')
        at = tl_fix_put_restatement(at, report);
    if (report->copy && !old)
        at = tl_fix_put_entering(desk, report, at);
    if (report->mass_id != NULL)
        at = tl_fix_put_text(at, 584, report->mass_id, report->mass_id_size);
    at = tl_fix_put_working(at, report);
    if (report->status_id != NULL && !old)
        at = tl_fix_put_text(at, 790, report->status_id, report->status_id_size);
    if (report->copy && !old)
        at = tl_fix_put_char(at, 797, 'Y');
    const bool newest = report->dialect->version == TL_FIX_50SP2;
    if (report->liquidity != 0 && !old && (report->liquidity != AUCTION || newest))
        at = tl_fix_put_char(at, 851, report->liquidity);
    if (report->mass_id != NULL) {
        at = tl_fix_put_uint(at, 911, report->reports);
        at = tl_fix_put_char(at, 912, report->last ? 'Y' : 'N');
    }
    return tl_fix_put_special(at, report, lot);
}

/* Who is told */

const tl_fix_seated *tl_fix_listener(const tl_fix_desk *desk, uint32_t session, uint64_t key)
{
    if (session >= desk->config.sessions_max)
        return NULL;
    const tl_fix_seated *seated = &desk->sessions[session];
    return seated->dialect != NULL && key > seated->mark ? seated : NULL;
}

/* The order's session; the report goes the order's route. */
int tl_fix_tell(tl_fix_desk *desk, uint32_t row, const tl_event *event, tl_fix_report *report,
                unsigned side)
{
    const tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    const uint64_t key = tl_fix_key(event->seq, side);
    const tl_fix_seated *seated = tl_fix_listener(desk, order->session, key);
    if (seated == NULL && desk->copies == 0)
        return 0;
    report->order = order;
    if (report->cl_ord_id == NULL)
        report->cl_ord_id = tl_fix_order_name(desk->orders, row);
    report->exec_id = event->seq;
    report->exec_side = side;
    report->transact_ns = event->ts_ns;
    int rc = 0;
    if (seated != NULL) {
        char *begin = tl_fix_desk_begin(desk, tl_fix_order_route(desk->orders, row));
        report->dialect = seated->dialect;
        report->time_decimals = seated->time_decimals;
        report->pending = seated->pending_reports;
        if (report->pending)
            tl_fix_pending_adopt(desk->orders, row);
        rc = tl_fix_desk_send(desk, order->session, "8", tl_fix_write_report(desk, report, begin),
                              key);
    }
    return rc != 0 || desk->copies == 0 ? rc : tl_fix_send_copies(desk, report, key);
}

/* Events, one function a kind */

static bool told_already(const tl_fix_seated *seated, const uint64_t hash[2])
{
    for (uint32_t i = 0; i < seated->told_count; i++)
        if (seated->told[i][0] == hash[0] && seated->told[i][1] == hash[1])
            return true;
    return false;
}

/* OrdStatus(39) once this request is answered. */
static char status_then(const tl_fix_order *order, const tl_fix_pending *answered,
                        const tl_fix_seated *seated)
{
    tl_fix_order then = *order;
    if (answered->order != TL_FIX_NO_ROW && then.changes > 0)
        then.changes--;
    if (answered->order != TL_FIX_NO_ROW && answered->msg_type == TL_MSG_TYPE_CANCEL &&
        then.cancels > 0)
        then.cancels--;
    return tl_fix_ord_status(seated->dialect, &then, seated->pending_reports);
}

/* OrderCancelReject(9) */
static char *write_cancel_reject(tl_fix_desk *desk, const tl_event *event, uint32_t row,
                                 const tl_fix_pending *pending, const tl_fix_seated *seated)
{
    const tl_fix_order *order = row == TL_FIX_NO_ROW ? NULL : tl_fix_order_at(desk->orders, row);
    const tl_fix_cl_ord_id *orig = &pending->orig;
    if (orig->size == 0 && order != NULL)
        orig = tl_fix_order_name(desk->orders, row);
    int reason = tl_fix_reason_row(event->reason)->cxl_rej_reason;
    const char *text = "the order is no longer open";
    if (event->reason == TL_REASON_UNKNOWN_ORDER && order != NULL)
        reason = TL_FIX_CXL_TOO_LATE;
    else
        text = tl_fix_refusal_text(desk, event->reason, event->value, event->limit,
                            order == NULL ? NULL
                                          : tl_fix_instrument_at(&desk->names, order->instrument));
    char *at = tl_fix_desk_begin(desk, tl_fix_route_at(desk->orders, pending->route));
    at = tl_fix_put_text(at, 11, pending->name.text, pending->name.size);
    at = put_order_id(at, event->order_id != 0 || order == NULL ? event->order_id
                                                                : order->order_id);
    at = tl_fix_put_char(at, 39, order != NULL ? status_then(order, pending, seated) : '8');
    at = orig->size != 0 ? tl_fix_put_text(at, 41, orig->text, orig->size)
                         : tl_fix_put_text(at, 41, "NONE", 4);
    at = put_string(at, 58, text);
    at = tl_fix_put_time(at, 60, event->ts_ns, seated->time_decimals);
    at = tl_fix_put_uint(at, 102, (uint64_t)tl_fix_cxl_reason(seated->dialect, reason));
    return tl_fix_put_char(at, 434, pending->msg_type == TL_MSG_TYPE_REPLACE ? '2' : '1');
}

static int apply_cancel_rejected(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_pending *pending = tl_fix_request_pending(desk->orders, event->cl_ord_id);
    if (pending == NULL)
        return 0;
    const uint64_t key = tl_fix_key(event->seq, 0);
    const uint32_t session = pending->session;
    const uint32_t row = pending->order != TL_FIX_NO_ROW
                             ? pending->order
                             : tl_fix_order_of(desk->orders, event->order_id);
    const tl_fix_seated *seated = tl_fix_listener(desk, session, key);
    char *end = NULL;
    if (seated != NULL && !told_already(seated, pending->hash))
        end = write_cancel_reject(desk, event, row, pending, seated);
    tl_fix_request_answered(desk->orders, pending, row, TL_FIX_REQUEST_REFUSED);
    return end == NULL ? 0 : tl_fix_desk_send(desk, session, "9", end, key);
}

static int apply_new(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_pending *pending = tl_fix_request_pending(desk->orders, event->cl_ord_id);
    uint32_t row = TL_FIX_NO_ROW;
    if (pending != NULL && pending->order != TL_FIX_NO_ROW) {
        row = pending->order;
        tl_fix_request_answered(desk->orders, pending, row, TL_FIX_REQUEST_ACCEPTED);
    } else if (pending == NULL && tl_fix_copied(desk, event->account)) {
        row = tl_fix_foreign_order(desk, event);
        if (row == TL_FIX_NO_ROW)
            return -ENOMEM;
    }
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->order_id = event->order_id;
    order->leaves_qty = event->leaves_qty;
    order->price = event->price; /* one that slides has taken another */
    order->waiting = tl_fix_waits_for_price(order);
    order->ord_status = '0';
    const int rc = tl_fix_order_accepted(desk->orders, row);
    tl_fix_report report = {.exec_type = '0', .ord_rej_reason = -1};
    return rc != 0 ? rc : tl_fix_tell(desk, row, event, &report, 0);
}

/* Of a change it leaves the order as it is: REJECTED is then said as CANCEL_REJECTED is. */
static int apply_rejected(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_pending *pending = tl_fix_request_pending(desk->orders, event->cl_ord_id);
    if (pending == NULL)
        return 0;
    if (pending->msg_type == TL_MSG_TYPE_MASS_CANCEL)
        return tl_fix_mass_rejected(desk, event, pending);
    if (pending->msg_type != TL_MSG_TYPE_NEW_ORDER)
        return apply_cancel_rejected(desk, event);
    const uint32_t row = pending->order;
    tl_fix_request_answered(desk->orders, pending, row, TL_FIX_REQUEST_REFUSED);
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->ord_status = '8';
    const tl_fix_instrument *of = tl_fix_instrument_at(&desk->names, order->instrument);
    tl_fix_report report = {.exec_type = '8',
                            .ord_rej_reason = tl_fix_reason_row(event->reason)->ord_rej_reason};
    report.text = tl_fix_refusal_text(desk, event->reason, event->value, event->limit, of);
    const int rc = tl_fix_tell(desk, row, event, &report, 0);
    tl_fix_order_over(desk->orders, row);
    return rc;
}

/* LastLiquidityInd(851): who was there first, who came, or an auction, where nobody is either. */
static char liquidity_of(const tl_fix_desk *desk, const tl_event *event, unsigned side)
{
    if (desk->auction_left != 0)
        return AUCTION;
    return (unsigned)(event->side - '0') == side ? '2' : '1';
}

/* One side of a trade. `side`: 1 the buyer, 2 the seller. */
static int fill(tl_fix_desk *desk, const tl_event *event, uint32_t row, unsigned side)
{
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->cum_qty += event->qty;
    order->leaves_qty -= event->qty;
    order->shown -= event->qty < order->shown ? event->qty : order->shown;
    order->notional += event->price * (int64_t)event->qty;
    order->ord_status = order->leaves_qty != 0 ? '1' : '2';
    tl_fix_report report = {.exec_type = 'F',
                            .ord_rej_reason = -1,
                            .last_px = event->price,
                            .last_qty = event->qty,
                            .liquidity = liquidity_of(desk, event, side)};
    const int rc = tl_fix_tell(desk, row, event, &report, side);
    if (order->leaves_qty == 0)
        tl_fix_order_over(desk->orders, row);
    return rc;
}

static int apply_trade(tl_fix_desk *desk, const tl_event *event)
{
    const bool buys = event->side == TL_SIDE_BUY;
    const uint32_t taker = tl_fix_order_of(desk->orders, event->order_id);
    const uint32_t maker = tl_fix_order_of(desk->orders, event->contra_order_id);
    int rc = tl_fix_trades_add(&desk->trades, event, taker, maker);
    if (rc == 0)
        rc = fill(desk, event, buys ? taker : maker, 1);
    if (rc == 0)
        rc = fill(desk, event, buys ? maker : taker, 2);
    desk->auction_left -= event->qty < desk->auction_left ? event->qty : desk->auction_left;
    return rc;
}

/* The order goes on under the ClOrdID of the request answered, if a session's; the one before. */
static int accept_change(tl_fix_desk *desk, const tl_event *event, uint32_t row,
                         tl_fix_cl_ord_id *orig)
{
    tl_fix_pending *pending = tl_fix_request_pending(desk->orders, event->cl_ord_id);
    orig->size = 0;
    if (pending == NULL || pending->msg_type == TL_MSG_TYPE_MASS_CANCEL)
        return 0;
    const tl_fix_cl_ord_id name = pending->name;
    const bool changes = pending->msg_type != TL_MSG_TYPE_NEW_ORDER;
    tl_fix_request_answered(desk->orders, pending, changes ? row : pending->order,
                            TL_FIX_REQUEST_ACCEPTED);
    if (!changes || row == TL_FIX_NO_ROW)
        return 0;
    *orig = *tl_fix_order_name(desk->orders, row);
    return tl_fix_order_call(desk->orders, row, &name);
}

static int apply_ended(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_cl_ord_id orig;
    const uint32_t row = tl_fix_order_of(desk->orders, event->order_id);
    int rc = accept_change(desk, event, row, &orig);
    if (rc != 0 || row == TL_FIX_NO_ROW)
        return rc;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->leaves_qty = 0;
    order->ord_status = event->exec_type;
    tl_fix_report report = {.exec_type = (char)event->exec_type,
                            .ord_rej_reason = -1,
                            .orig = &orig};
    if (event->reason != 0)
        report.text = tl_fix_reason_words(event->reason);
    rc = tl_fix_tell(desk, row, event, &report, 0);
    tl_fix_order_over(desk->orders, row);
    return rc;
}

static int apply_replaced(tl_fix_desk *desk, const tl_event *event)
{
    tl_fix_cl_ord_id orig;
    const uint32_t row = tl_fix_order_of(desk->orders, event->order_id);
    int rc = accept_change(desk, event, row, &orig);
    if (rc != 0 || row == TL_FIX_NO_ROW)
        return rc;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->price = event->price;
    order->order_qty = event->qty;
    order->leaves_qty = event->leaves_qty;
    order->replaced = 1;
    order->placed &= (event->flags & TL_FLAG_PRIORITY_KEPT) != 0;
    order->ord_status = order->leaves_qty == 0 ? '2' : order->cum_qty != 0 ? '1' : '0';
    tl_fix_report report = {.exec_type = '5', .ord_rej_reason = -1, .orig = &orig};
    rc = tl_fix_tell(desk, row, event, &report, 0);
    if (order->leaves_qty == 0)
        tl_fix_order_over(desk->orders, row);
    return rc;
}

int tl_fix_desk_apply(tl_fix_desk *desk, const tl_event *event)
{
    switch (event->exec_type) {
    case TL_EXEC_TYPE_NEW:
        return apply_new(desk, event);
    case TL_EXEC_TYPE_REJECTED:
        return apply_rejected(desk, event);
    case TL_EXEC_TYPE_TRADE:
        return apply_trade(desk, event);
    case TL_EXEC_TYPE_DECREMENTED:
        return tl_fix_apply_decremented(desk, event);
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_EXPIRED:
        return apply_ended(desk, event);
    case TL_EXEC_TYPE_REPLACED:
        return apply_replaced(desk, event);
    case TL_EXEC_TYPE_TRIGGERED:
        return tl_fix_apply_triggered(desk, event);
    case TL_EXEC_TYPE_RESTATED:
        return tl_fix_apply_restated(desk, event);
    case TL_EXEC_TYPE_CANCEL_REJECTED:
        return apply_cancel_rejected(desk, event);
    case TL_EXEC_TYPE_MASS_CANCELED:
        return tl_fix_mass_canceled(desk, event);
    case TL_EXEC_TYPE_UNCROSSED:
        desk->auction_left = (uint64_t)event->volume;
        return 0;
    case TL_EXEC_TYPE_SECURITY_DEFINITION:
    case TL_EXEC_TYPE_ACCOUNT:
        desk->wants_names = true;
        return 0;
    case TL_EXEC_TYPE_SECURITY_STATUS:
    case TL_EXEC_TYPE_VENUE_STATUS:
        return tl_fix_news_of_status(desk, event);
    default:
        return 0;
    }
}
