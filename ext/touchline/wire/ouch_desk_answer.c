/* Events become answers. What a message says is the event's, the order's or the request's. */
#include "touchline/wire/ouch_desk_state.h"

#include <errno.h>

/* Messages */

static uint64_t since_midnight(const tl_ouch_desk *desk, const tl_event *event)
{
    return tl_since_midnight(event->ts_ns, desk->config.midnight_ns);
}

int tl_ouch_send(tl_ouch_desk *desk, uint32_t session, size_t size)
{
    tl_ouch_seat *seat = &desk->seats[session];
    return desk->hooks.send(desk->hooks.context, session, ++seat->count, desk->message, size);
}

/* A stream begins with the start of the day. */
static int begin(tl_ouch_desk *desk, uint32_t session, const tl_event *event)
{
    if (desk->seats[session].count != 0)
        return 0;
    const tl_ouch_system_event said = {
        .type = 'S', .ts_ns = since_midnight(desk, event), .event_code = 'S'};
    tl_ouch_system_event_put((tl_ouch_system_event_wire *)desk->message, &said);
    return tl_ouch_send(desk, session, sizeof(tl_ouch_system_event_wire));
}

static size_t with_options(tl_ouch_desk *desk, size_t size)
{
    const size_t whole = tl_ouch_answer_size((char)desk->message[0]);
    return whole == size ? size : tl_ouch_put_options(desk->message, size, NULL);
}

/* Write a message of this type and send it with an empty appendage, or none, as its type has. */
#define SEND(desk, session, event, name, ...)                                                      \
    ({                                                                                             \
        int failed = begin(desk, session, event);                                                  \
        const tl_ouch_##name said = {.ts_ns = since_midnight(desk, event), __VA_ARGS__};           \
        if (failed == 0) {                                                                         \
            tl_ouch_##name##_put((tl_ouch_##name##_wire *)(desk)->message, &said);                 \
            const size_t fixed = sizeof(tl_ouch_##name##_wire);                                    \
            failed = tl_ouch_send(desk, session, with_options(desk, fixed));                       \
        }                                                                                          \
        failed;                                                                                    \
    })

/* No order that a session enters has more than 32 bits hold; one that others have made larger may,
 * and is told as the most that they hold. */
static uint32_t shares_of(tl_ouch_desk *desk, const tl_ouch_order *order, uint32_t lots)
{
    uint32_t shares;
    return tl_stock_shares(tl_ouch_stock(desk, order->instrument), lots, &shares) ? shares
                                                                                  : UINT32_MAX;
}

static uint64_t price_of(tl_ouch_desk *desk, const tl_ouch_order *order, int64_t ticks)
{
    if (ticks == 0)
        return TL_OUCH_MARKET_PRICE;
    return (uint64_t)ticks * tl_ouch_stock(desk, order->instrument)->price_scale;
}

static char side_of(const tl_ouch_order *order)
{
    return order->side == TL_SIDE_BUY ? 'B' : 'S';
}

static char display_of(tl_ouch_desk *desk, const tl_ouch_order *order)
{
    const tl_ouch_special *terms = tl_ouch_special_of(&desk->orders, order);
    return (terms->flags & TL_FLAG_HIDDEN) != 0 ? 'N' : 'Y';
}

static int tell_accepted(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order)
{
    const int rc = begin(desk, order->session, event);
    if (rc != 0)
        return rc;
    tl_ouch_accepted said = {.type = 'A',
                             .ts_ns = since_midnight(desk, event),
                             .user_ref_num = order->user_ref_num,
                             .side = side_of(order),
                             .quantity = shares_of(desk, order, event->qty),
                             .price = price_of(desk, order, order->price),
                             .time_in_force = tl_ouch_time_said(order->time_in_force),
                             .display = display_of(desk, order),
                             .order_ref = order->order_ref,
                             .capacity = order->capacity,
                             .sweep = 'N',
                             .cross_type = tl_ouch_cross_said(order->time_in_force),
                             .order_state = 'L'};
    memcpy(said.symbol, tl_ouch_stock(desk, order->instrument)->symbol, sizeof said.symbol);
    memcpy(said.cl_ord_id, order->cl_ord_id, sizeof said.cl_ord_id);
    tl_ouch_accepted_put((tl_ouch_accepted_wire *)desk->message, &said);
    char firm[4];
    tl_put_u32((uint8_t *)firm, order->firm);
    const size_t fixed = sizeof(tl_ouch_accepted_wire);
    const size_t size =
        tl_ouch_put_options(desk->message, fixed, order->firm == 0 ? NULL : firm);
    return tl_ouch_send(desk, order->session, tl_ouch_put_special(desk, order, fixed, size));
}

static int tell_replaced(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order,
                         uint32_t before)
{
    const int rc = begin(desk, order->session, event);
    if (rc != 0)
        return rc;
    tl_ouch_replaced said = {.type = 'U',
                             .ts_ns = since_midnight(desk, event),
                             .orig_user_ref_num = before,
                             .user_ref_num = order->user_ref_num,
                             .side = side_of(order),
                             .quantity = shares_of(desk, order, event->leaves_qty),
                             .price = price_of(desk, order, order->price),
                             .time_in_force = tl_ouch_time_said(order->time_in_force),
                             .display = display_of(desk, order),
                             .order_ref = order->order_ref,
                             .capacity = order->capacity,
                             .sweep = 'N',
                             .cross_type = tl_ouch_cross_said(order->time_in_force),
                             .order_state = event->leaves_qty != 0 ? 'L' : 'D'};
    memcpy(said.symbol, tl_ouch_stock(desk, order->instrument)->symbol, sizeof said.symbol);
    memcpy(said.cl_ord_id, order->cl_ord_id, sizeof said.cl_ord_id);
    tl_ouch_replaced_put((tl_ouch_replaced_wire *)desk->message, &said);
    const size_t fixed = sizeof(tl_ouch_replaced_wire);
    const size_t size = tl_ouch_put_options(desk->message, fixed, NULL);
    return tl_ouch_send(desk, order->session, tl_ouch_put_special(desk, order, fixed, size));
}

static int tell_canceled(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order,
                         uint32_t lots, char reason)
{
    return SEND(desk, order->session, event, canceled, .type = 'C',
                .user_ref_num = order->user_ref_num, .quantity = shares_of(desk, order, lots),
                .reason = reason);
}

static int tell_rejected(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_pending *pending,
                         uint16_t code)
{
    const int rc = begin(desk, pending->session, event);
    if (rc != 0)
        return rc;
    tl_ouch_rejected said = {.type = 'J',
                             .ts_ns = since_midnight(desk, event),
                             .user_ref_num = pending->user_ref_num,
                             .reason = code};
    memcpy(said.cl_ord_id, pending->cl_ord_id, sizeof said.cl_ord_id);
    tl_ouch_rejected_put((tl_ouch_rejected_wire *)desk->message, &said);
    return tl_ouch_send(desk, pending->session, sizeof(tl_ouch_rejected_wire));
}

/* The answer to a mass cancel, before the orders that it takes off; or to D or E. */
static int tell_firm(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_pending *pending,
                     char type)
{
    const int rc = begin(desk, pending->session, event);
    if (rc != 0)
        return rc;
    tl_ouch_mass_canceled said = {.type = type,
                                  .ts_ns = since_midnight(desk, event),
                                  .user_ref_num = pending->user_ref_num};
    tl_put_u32((uint8_t *)said.firm, pending->extra);
    const tl_stock *stock = tl_ouch_stock(desk, pending->instrument);
    memset(said.symbol, ' ', sizeof said.symbol);
    if (stock != NULL)
        memcpy(said.symbol, stock->symbol, sizeof said.symbol);
    tl_ouch_mass_canceled_put((tl_ouch_mass_canceled_wire *)desk->message, &said);
    size_t size = tl_ouch_put_options(desk->message, tl_ouch_answer_size(type) - 2, NULL);
    if (type == 'X' && pending->side != 0) {
        const uint8_t side[] = {0, 3, 2, TL_OUCH_SIDE, pending->side == TL_SIDE_BUY ? 'B' : 'S'};
        memcpy(desk->message + size - 2, side, sizeof side);
        size += sizeof side - 2;
    }
    return tl_ouch_send(desk, pending->session, size);
}

/* Requests answered */

static tl_ouch_pending *pending_of(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_pending *pending =
        &desk->pending[event->cl_ord_id & (desk->config.pending_max - 1)];
    return pending->number != 0 && pending->number == event->cl_ord_id ? pending : NULL;
}

static void answered(tl_ouch_desk *desk, tl_ouch_pending *pending)
{
    tl_ouch_seat *seat = &desk->seats[pending->session];
    if (pending->user_ref_num > seat->answered)
        seat->answered = pending->user_ref_num;
    if (pending->kind == TL_OUCH_IS_REPLACE) {
        tl_ouch_order *order = tl_ouch_order_of(&desk->orders, pending->order_id);
        if (order != NULL && order->changes != 0)
            order->changes--;
    }
    pending->number = 0;
    seat->pending--;
    desk->pending_count--;
}

/* The engine's reason as a code of OUCH. */
static uint16_t code_of(uint8_t reason)
{
    static const uint16_t codes[] = {
        [TL_REASON_UNKNOWN_SYMBOL] = TL_OUCH_REJECT_INVALID_SYMBOL,
        [TL_REASON_UNKNOWN_ACCOUNT] = TL_OUCH_REJECT_FIRM_NOT_AUTHORIZED,
        [TL_REASON_INVALID_SIDE] = TL_OUCH_REJECT_INVALID_SIDE,
        [TL_REASON_VENUE_KILLED] = TL_OUCH_REJECT_HALTED,
        [TL_REASON_HALTED] = TL_OUCH_REJECT_HALTED,
        [TL_REASON_ACCOUNT_BLOCKED] = TL_OUCH_REJECT_FIRM_NOT_AUTHORIZED,
        [TL_REASON_INVALID_QTY] = TL_OUCH_REJECT_INVALID_QUANTITY,
        [TL_REASON_PRICE_BELOW_MIN] = TL_OUCH_REJECT_INVALID_PRICE,
        [TL_REASON_PRICE_ABOVE_MAX] = TL_OUCH_REJECT_INVALID_PRICE,
        [TL_REASON_ORDER_QTY_MAX] = TL_OUCH_REJECT_SHARES_EXCEED,
        [TL_REASON_ORDER_VALUE_MAX] = TL_OUCH_REJECT_NOTIONAL_EXCEEDED,
        [TL_REASON_PRICE_COLLAR] = TL_OUCH_REJECT_FAT_FINGER,
        [TL_REASON_NO_REFERENCE_PRICE] = TL_OUCH_REJECT_NO_REFERENCE_PRICE,
        [TL_REASON_POSITION_MAX] = TL_OUCH_REJECT_EXPOSURE_EXCEEDED,
        [TL_REASON_ORDERS_FULL] = TL_OUCH_REJECT_PROCESSING_ERROR,
        [TL_REASON_POSITIONS_FULL] = TL_OUCH_REJECT_PROCESSING_ERROR,
        [TL_REASON_LEVELS_FULL] = TL_OUCH_REJECT_PROCESSING_ERROR,
        [TL_REASON_DISPLAY_QTY] = TL_OUCH_REJECT_INVALID_MAX_FLOOR,
        [TL_REASON_CHAIN_FULL] = TL_OUCH_REJECT_PROCESSING_ERROR,
        [TL_REASON_UNKNOWN_ORDER] = TL_OUCH_REJECT_REPLACE_NOT_ALLOWED,
    };
    const uint16_t code = reason < sizeof codes / sizeof *codes ? codes[reason] : 0;
    return code != 0 ? code : TL_OUCH_REJECT_OTHER;
}

/* A new order, a replacement or a mass cancel refused by the engine, or what the desk noted. */
static int apply_rejected(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_pending *pending = pending_of(desk, event);
    if (pending == NULL)
        return 0;
    const tl_ouch_pending asked = *pending;
    answered(desk, pending);
    switch (asked.kind) {
    case TL_OUCH_IS_REFUSED:
        return tell_rejected(desk, event, &asked, (uint16_t)asked.extra);
    case TL_OUCH_IS_DISABLE:
        return tell_firm(desk, event, &asked, 'G');
    case TL_OUCH_IS_ENABLE:
        return tell_firm(desk, event, &asked, 'K');
    case TL_OUCH_IS_QUERY:
        return SEND(desk, asked.session, event, next_number, .type = 'Q',
                    .user_ref_num = asked.extra);
    default:
        return tell_rejected(desk, event, &asked, code_of(event->reason));
    }
}

/* Events */

static int apply_new(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_pending *pending = pending_of(desk, event);
    if (pending == NULL || pending->kind != TL_OUCH_IS_ENTER)
        return 0;
    tl_ouch_order order = {.order_id = event->order_id,
                           .order_ref = event->seq,
                           .price = (uint32_t)event->price,
                           .user_ref_num = pending->user_ref_num,
                           .account = event->account,
                           .leaves_qty = event->leaves_qty,
                           .firm = pending->extra,
                           .session = pending->session,
                           .instrument = event->instrument,
                           .side = event->side,
                           .ord_type = event->ord_type,
                           .time_in_force = event->time_in_force,
                           .capacity = pending->capacity};
    memcpy(order.cl_ord_id, pending->cl_ord_id, sizeof order.cl_ord_id);
    const tl_ouch_special terms = {
        .stop_price = pending->stop_price,
        .display_qty = pending->display_qty,
        .flags = event->flags & (TL_FLAG_POST_ONLY | TL_FLAG_SLIDE | TL_FLAG_HIDDEN),
        .ahead = pending->ahead};
    answered(desk, pending);
    if (tl_ouch_order_add(&desk->orders, &order) == NULL)
        return -ERANGE;
    *tl_ouch_special_of(&desk->orders, &order) = terms;
    return tell_accepted(desk, event, &order);
}

static int fill(tl_ouch_desk *desk, const tl_event *event, uint64_t order_id, char liquidity)
{
    tl_ouch_order *order = tl_ouch_order_of(&desk->orders, order_id);
    if (order == NULL)
        return 0;
    const int rc = SEND(desk, order->session, event, executed, .type = 'E',
                        .user_ref_num = order->user_ref_num,
                        .quantity = shares_of(desk, order, event->qty),
                        .price = price_of(desk, order, event->price), .liquidity = liquidity,
                        .match_number = event->seq);
    order->leaves_qty -= event->qty;
    order->executed_qty += event->qty;
    if (order->leaves_qty == 0)
        tl_ouch_order_end(&desk->orders, order);
    return rc;
}

/* Was the request this lane's own? */
static bool ours(const tl_ouch_desk *desk, const tl_event *event)
{
    return event->cl_ord_id >> 32 == desk->config.lane;
}

static char cancel_reason(const tl_ouch_desk *desk, const tl_event *event)
{
    if (event->exec_type == TL_EXEC_TYPE_EXPIRED)
        return 'T';
    switch (event->reason) {
    case TL_REASON_SELF_TRADE:
        return 'Q';
    case TL_REASON_IOC_REMAINDER:
    case TL_REASON_FOK_UNFILLED:
    case TL_REASON_MIN_QTY:
        return 'I';
    case TL_REASON_MARKET_REMAINDER:
        return 'K';
    case TL_REASON_AUCTION_REMAINDER:
        return 'C';
    default:
        return ours(desk, event) ? 'U' : 'S';
    }
}

/* A mass cancel is answered before the first order that it takes off. */
static int tell_mass_cancel(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_pending *pending = pending_of(desk, event);
    if (pending == NULL || pending->kind != TL_OUCH_IS_MASS_CANCEL || pending->told)
        return 0;
    pending->told = true;
    return tell_firm(desk, event, pending, 'X');
}

static int apply_ended(tl_ouch_desk *desk, const tl_event *event)
{
    int rc = tell_mass_cancel(desk, event);
    tl_ouch_order *order = tl_ouch_order_of(&desk->orders, event->order_id);
    if (rc != 0 || order == NULL)
        return rc;
    rc = tell_canceled(desk, event, order, event->qty, cancel_reason(desk, event));
    tl_ouch_order_end(&desk->orders, order);
    return rc;
}

int tl_ouch_tell_priority(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order)
{
    return SEND(desk, order->session, event, priority, .type = 'T',
                .user_ref_num = order->user_ref_num, .price = price_of(desk, order, order->price),
                .display = display_of(desk, order), .order_ref = order->order_ref);
}

/* Replaced by somebody else, or cut by a cancel of its client: what is gone is canceled, and a new
 * place in the queue told. */
static int tell_restated(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order,
                         uint32_t leaves_before)
{
    int rc = 0;
    if (leaves_before > event->leaves_qty)
        rc = tell_canceled(desk, event, order, leaves_before - event->leaves_qty,
                           ours(desk, event) ? 'U' : 'S');
    if (rc != 0 || event->leaves_qty == 0 || (event->flags & TL_FLAG_PRIORITY_KEPT) != 0)
        return rc;
    return tl_ouch_tell_priority(desk, event, order);
}

static int apply_replaced(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_pending *pending = pending_of(desk, event);
    tl_ouch_order *order = tl_ouch_order_of(&desk->orders, event->order_id);
    if (order == NULL) {
        if (pending != NULL)
            answered(desk, pending);
        return 0;
    }
    const uint32_t before = order->user_ref_num, leaves_before = order->leaves_qty;
    order->price = (uint32_t)event->price;
    order->leaves_qty = event->leaves_qty;
    if ((event->flags & TL_FLAG_PRIORITY_KEPT) == 0)
        order->order_ref = event->seq;
    tl_ouch_special_of(&desk->orders, order)->placed &=
        (event->flags & TL_FLAG_PRIORITY_KEPT) != 0;
    int rc;
    if (pending != NULL && pending->kind == TL_OUCH_IS_REPLACE) {
        memcpy(order->cl_ord_id, pending->cl_ord_id, sizeof order->cl_ord_id);
        if (!tl_ouch_order_rename(&desk->orders, order, pending->user_ref_num))
            return -EEXIST;
        answered(desk, pending);
        rc = tell_replaced(desk, event, order, before);
    } else {
        rc = tell_restated(desk, event, order, leaves_before);
    }
    if (event->leaves_qty == 0)
        tl_ouch_order_end(&desk->orders, order);
    return rc;
}

/* Rule 10.5, of one of the two. */
static int decrement(tl_ouch_desk *desk, const tl_event *event, uint64_t order_id)
{
    tl_ouch_order *order = tl_ouch_order_of(&desk->orders, order_id);
    if (order == NULL)
        return 0;
    const int rc = tell_canceled(desk, event, order, event->qty, cancel_reason(desk, event));
    order->leaves_qty -= event->qty;
    if (order->leaves_qty == 0)
        tl_ouch_order_end(&desk->orders, order);
    return rc;
}

static int apply_mass_canceled(tl_ouch_desk *desk, const tl_event *event)
{
    const int rc = tell_mass_cancel(desk, event);
    tl_ouch_pending *pending = pending_of(desk, event);
    if (pending != NULL)
        answered(desk, pending);
    return rc;
}

static int apply_trade(tl_ouch_desk *desk, const tl_event *event)
{
    const bool crosses = desk->auction_left != 0;
    int rc = fill(desk, event, event->order_id, crosses ? desk->cross : 'R');
    if (rc == 0)
        rc = fill(desk, event, event->contra_order_id, crosses ? desk->cross : 'A');
    desk->auction_left -= event->qty < desk->auction_left ? event->qty : desk->auction_left;
    return rc;
}

/* Trades of the call that ends follow: of the opening, the closing or another cross. */
static void apply_status(tl_ouch_desk *desk, const tl_event *event)
{
    if (event->instrument >= desk->config.instruments_max)
        return;
    switch (desk->phases[event->instrument]) {
    case TL_TRADING_STATUS_PRE_OPEN:
    case TL_TRADING_STATUS_OPENING_AUCTION:
        desk->cross = 'O';
        break;
    case TL_TRADING_STATUS_CLOSING_AUCTION:
        desk->cross = 'C';
        break;
    default:
        desk->cross = 'H';
        break;
    }
    if (event->qty != TL_TRADING_STATUS_HALTED) /* which moves nothing: a call goes on behind it */
        desk->phases[event->instrument] = (uint8_t)event->qty;
}

int tl_ouch_apply(tl_ouch_desk *desk, const tl_event *event)
{
    int rc;
    switch (event->exec_type) {
    case TL_EXEC_TYPE_NEW:
        return apply_new(desk, event);
    case TL_EXEC_TYPE_REJECTED:
    case TL_EXEC_TYPE_CANCEL_REJECTED:
        return apply_rejected(desk, event);
    case TL_EXEC_TYPE_TRADE:
        return apply_trade(desk, event);
    case TL_EXEC_TYPE_SECURITY_STATUS:
        apply_status(desk, event);
        return 0;
    case TL_EXEC_TYPE_UNCROSSED:
        desk->auction_left = (uint64_t)event->volume;
        return 0;
    case TL_EXEC_TYPE_DECREMENTED:
        rc = decrement(desk, event, event->order_id);
        return rc != 0 ? rc : decrement(desk, event, event->contra_order_id);
    case TL_EXEC_TYPE_CANCELED:
    case TL_EXEC_TYPE_EXPIRED:
        return apply_ended(desk, event);
    case TL_EXEC_TYPE_REPLACED:
        return apply_replaced(desk, event);
    case TL_EXEC_TYPE_TRIGGERED:
        return tl_ouch_apply_triggered(desk, event);
    case TL_EXEC_TYPE_RESTATED:
        return tl_ouch_apply_restated(desk, event);
    case TL_EXEC_TYPE_MASS_CANCELED:
        return apply_mass_canceled(desk, event);
    case TL_EXEC_TYPE_SECURITY_DEFINITION:
        desk->wants_names = true;
        return 0;
    default:
        return 0;
    }
}
