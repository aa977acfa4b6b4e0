/* Special orders (docs/rules.md section 8): what a request says of them, what a report does.
 *
 * The engine's terms are FIX's, but for three. Limit-if-touched is OrdType J with a Price(44).
 * MaxFloor(111), in FIX 5.0 DisplayQty(1138) too, is the part shown, and 0 hides the order.
 * ExecInst(18) 6 is post-only, with TL_FIX_SLIDE_TAG = Y one that slides, and G all-or-none.
 */
#include <string.h>

#include "touchline/wire/fix_desk_state.h"
#include "touchline/wire/fix_text_room.h"

/* ExecRestatementReason(378); FIX 4.2 has no market's own. */
#define PARTIAL_DECLINE '5'
#define MARKET_OPTION '8'
#define BROKER_OPTION '4'

typedef struct special_terms { /* what a message says, as far as it does */
    const tl_fix_field *stop, *shown, *exec_inst, *slide;
    int64_t stop_price, display_qty;
    uint8_t flags; /* TL_FLAG_POST_ONLY, TL_FLAG_SLIDE */
    bool all_or_none;
} special_terms;

/* ExecInst(18): letters with a space between them. False: one is neither. */
static bool read_exec_inst(const char *value, size_t size, special_terms *terms)
{
    for (size_t i = 0; i < size; i += 2) {
        if (value[i] == '6')
            terms->flags |= TL_FLAG_POST_ONLY;
        else if (value[i] == 'G')
            terms->all_or_none = true;
        else
            return false;
        if (i + 1 < size && value[i + 1] != ' ')
            return false;
    }
    return size != 0;
}

static int read_instructions(tl_fix_desk *desk, const tl_fix_message *message, special_terms *terms)
{
    terms->exec_inst = tl_fix_find(message, 18);
    terms->slide = tl_fix_find(message, TL_FIX_SLIDE_TAG);
    if (terms->exec_inst != NULL &&
        !read_exec_inst(tl_fix_value(message, terms->exec_inst), terms->exec_inst->size, terms))
        return tl_fix_choice_refused(desk, message, 18, "ExecInst", "6G");
    if (terms->slide == NULL || tl_fix_is(message, TL_FIX_SLIDE_TAG, 'N'))
        return -1;
    terms->flags |= TL_FLAG_SLIDE;
    return tl_fix_is(message, TL_FIX_SLIDE_TAG, 'Y')
               ? -1
               : tl_fix_choice_refused(desk, message, TL_FIX_SLIDE_TAG, "PostOnlySlide", "YN");
}

static int read_terms(tl_fix_desk *desk, const tl_fix_message *message,
                      const tl_fix_instrument *instrument, special_terms *terms)
{
    const tl_fix_field *both[2] = {tl_fix_find(message, 111), tl_fix_find(message, 1138)};
    int64_t shown[2] = {0, 0};
    *terms = (special_terms){.stop = tl_fix_find(message, 99),
                             .shown = both[0] != NULL ? both[0] : both[1]};
    int reason =
        tl_fix_read_term(desk, message, terms->stop, &instrument->tick, "StopPx", "tick size",
                         TL_FIX_ORD_OFF_TICK, &terms->stop_price);
    if (reason < 0)
        reason = tl_fix_read_term(desk, message, both[0], &instrument->lot, "MaxFloor", "lot size",
                                  TL_FIX_ORD_QTY, &shown[0]);
    if (reason < 0)
        reason = tl_fix_read_term(desk, message, both[1], &instrument->lot, "DisplayQty",
                                  "lot size", TL_FIX_ORD_QTY, &shown[1]);
    if (reason >= 0)
        return reason;
    if (both[0] != NULL && both[1] != NULL && shown[0] != shown[1])
        return tl_fix_refuse(desk, TL_FIX_ORD_QTY,
                             "MaxFloor(111) and DisplayQty(1138) say different things");
    terms->display_qty = both[0] != NULL ? shown[0] : shown[1];
    return read_instructions(desk, message, terms);
}

int tl_fix_read_special(tl_fix_desk *desk, const tl_fix_message *message,
                        const tl_fix_instrument *instrument, tl_command *cmd, tl_command *ahead)
{
    special_terms terms;
    int reason = read_terms(desk, message, instrument, &terms);
    if (reason < 0)
        reason = tl_fix_read_ahead(desk, message, instrument, ahead);
    if (reason >= 0)
        return reason;
    if (terms.all_or_none)
        ahead->flags = TL_TERMS_FLAG_ALL_OR_NONE;
    if (terms.all_or_none || ahead->min_qty != 0 || ahead->expire_ns != 0)
        cmd->field = TL_MORE_TERMS;
    if (cmd->ord_type == TL_ORD_TYPE_MARKET_IF_TOUCHED && tl_fix_find(message, 44) != NULL)
        cmd->ord_type = TL_ORD_TYPE_LIMIT_IF_TOUCHED;
    cmd->stop_price = (uint32_t)terms.stop_price;
    cmd->display_qty = (uint32_t)terms.display_qty;
    cmd->flags = terms.flags;
    if (terms.shown != NULL && terms.display_qty == 0)
        cmd->flags |= TL_FLAG_HIDDEN;
    const bool plain = cmd->ord_type == TL_ORD_TYPE_MARKET || cmd->ord_type == TL_ORD_TYPE_LIMIT;
    if (!plain || cmd->flags != 0 || cmd->stop_price != 0 || cmd->display_qty != 0 ||
        cmd->field != TL_MORE_NONE)
        cmd->flags |= TL_FLAG_SPECIAL;
    return -1;
}

int tl_fix_unchangeable(tl_fix_desk *desk, const char *name, uint32_t tag)
{
    return tl_fix_refuse(desk, TL_FIX_CXL_OTHER, "%s(%u) can not be changed: rule 8.8", name, tag);
}

int tl_fix_special_same(tl_fix_desk *desk, const tl_fix_message *message,
                        const tl_fix_instrument *instrument, const tl_fix_order *order)
{
    special_terms terms;
    const int reason = read_terms(desk, message, instrument, &terms);
    if (reason >= 0)
        return reason;
    const bool hides = terms.shown != NULL && terms.display_qty == 0;
    if (terms.stop != NULL && terms.stop_price != order->stop_price)
        return tl_fix_unchangeable(desk, "StopPx", 99);
    if (terms.shown != NULL && (terms.display_qty != order->display_qty ||
                                hides != ((order->flags & TL_FLAG_HIDDEN) != 0)))
        return terms.shown->tag == 111 ? tl_fix_unchangeable(desk, "MaxFloor", 111)
                                       : tl_fix_unchangeable(desk, "DisplayQty", 1138);
    if (terms.exec_inst != NULL && (terms.all_or_none != order->all_or_none ||
                                    ((terms.flags ^ order->flags) & TL_FLAG_POST_ONLY) != 0))
        return tl_fix_unchangeable(desk, "ExecInst", 18);
    if (terms.slide != NULL && (terms.flags & TL_FLAG_SLIDE) != (order->flags & TL_FLAG_SLIDE))
        return tl_fix_unchangeable(desk, "PostOnlySlide", TL_FIX_SLIDE_TAG);
    return tl_fix_ahead_same(desk, message, instrument, order);
}

/* What a report says */

bool tl_fix_waits_for_price(const tl_fix_order *order)
{
    switch (order->ord_type) {
    case TL_ORD_TYPE_STOP:
    case TL_ORD_TYPE_STOP_LIMIT:
    case TL_ORD_TYPE_MARKET_IF_TOUCHED:
    case TL_ORD_TYPE_LIMIT_IF_TOUCHED:
        return true;
    default:
        return false;
    }
}

char tl_fix_ord_type(const tl_fix_dialect *dialect, const tl_fix_order *order)
{
    const char said = order->ord_type == TL_ORD_TYPE_LIMIT_IF_TOUCHED
                          ? (char)TL_ORD_TYPE_MARKET_IF_TOUCHED
                          : (char)order->ord_type;
    const bool new_one = said == (char)TL_ORD_TYPE_MARKET_IF_TOUCHED ||
                         said == (char)TL_ORD_TYPE_MARKET_TO_LIMIT;
    return dialect->version == TL_FIX_42 && new_one ? 0 : said;
}

char *tl_fix_put_stop(char *at, const tl_fix_order *order, const tl_fix_unit *tick)
{
    return order->stop_price != 0 ? tl_fix_room_put_units(at, 99, order->stop_price, tick) : at;
}

char *tl_fix_put_max_floor(char *at, const tl_fix_report *report, const tl_fix_unit *lot)
{
    const tl_fix_order *order = report->order;
    const bool hidden = (order->flags & TL_FLAG_HIDDEN) != 0;
    if (report->dialect->version == TL_FIX_50SP2 || (order->display_qty == 0 && !hidden))
        return at;
    return tl_fix_room_put_units(at, 111, order->display_qty, lot);
}

/* DisplayQty(1138) of a report is what is shown now, or will be when it stands in the book. */
static char *put_shown(char *at, const tl_fix_order *order, const tl_fix_unit *lot)
{
    const bool hidden = (order->flags & TL_FLAG_HIDDEN) != 0;
    if (order->display_qty == 0 && !hidden)
        return at;
    const uint32_t part = order->placed ? order->shown : order->display_qty;
    return tl_fix_room_put_units(at, 1138, part < order->leaves_qty ? part : order->leaves_qty,
                                 lot);
}

char *tl_fix_put_special(char *at, const tl_fix_report *report, const tl_fix_unit *lot)
{
    const tl_fix_order *order = report->order;
    const bool newest = report->dialect->version == TL_FIX_50SP2;
    if (newest)
        at = put_shown(at, order, lot);
    return (order->flags & TL_FLAG_SLIDE) != 0 && !report->copy
               ? tl_fix_put_char(at, TL_FIX_SLIDE_TAG, 'Y')
               : at;
}

char *tl_fix_put_working(char *at, const tl_fix_report *report)
{
    const tl_fix_order *order = report->order;
    if (report->dialect->version == TL_FIX_42 || order->order_id == 0 || order->leaves_qty == 0 ||
        !tl_fix_waits_for_price(order))
        return at;
    return tl_fix_put_char(at, 636, order->waiting ? 'N' : 'Y');
}

char *tl_fix_put_restatement(char *at, const tl_fix_report *report)
{
    const bool old = report->dialect->version == TL_FIX_42;
    if (report->declined)
        return tl_fix_put_char(at, 378, PARTIAL_DECLINE);
    return tl_fix_put_char(at, 378, old ? BROKER_OPTION : MARKET_OPTION);
}

/* Events */

int tl_fix_apply_triggered(tl_fix_desk *desk, const tl_event *event)
{
    const uint32_t row = tl_fix_order_of(desk->orders, event->order_id);
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->waiting = 0;
    tl_fix_report report = {
        .exec_type = 'L', .ord_rej_reason = -1, .text = "its stop price has been met"};
    return tl_fix_tell(desk, row, event, &report, 0);
}

int tl_fix_apply_restated(tl_fix_desk *desk, const tl_event *event)
{
    const uint32_t row = tl_fix_order_of(desk->orders, event->order_id);
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    const bool shows = event->qty != 0; /* else it is hidden, or an auction has collected it */
    const bool next_part = order->placed && shows, priced = order->price != event->price;
    order->placed = shows;
    order->shown = event->qty;
    order->price = event->price;
    if (!next_part && !priced)
        return 0; /* where it stands is no news to whoever placed it */
    tl_fix_report report = {.exec_type = 'D',
                            .ord_rej_reason = -1,
                            .text = next_part ? "the next part is shown"
                                              : "what is left rests at this price"};
    return tl_fix_tell(desk, row, event, &report, 0);
}

/* Rule 10.5, of one side: restated with an OrderQty that is less, or canceled with nothing left. */
static int decrement(tl_fix_desk *desk, const tl_event *event, uint32_t row, unsigned side)
{
    if (row == TL_FIX_NO_ROW)
        return 0;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->order_qty -= event->qty;
    order->leaves_qty -= event->qty;
    order->shown -= event->qty < order->shown ? event->qty : order->shown;
    if (order->leaves_qty == 0)
        order->ord_status = '4';
    tl_fix_report report = {.exec_type = order->leaves_qty != 0 ? 'D' : '4',
                            .declined = true,
                            .ord_rej_reason = -1,
                            .text = tl_fix_reason_words(event->reason)};
    const int rc = tl_fix_tell(desk, row, event, &report, side);
    if (order->leaves_qty == 0)
        tl_fix_order_over(desk->orders, row);
    return rc;
}

int tl_fix_apply_decremented(tl_fix_desk *desk, const tl_event *event)
{
    const bool buys = event->side == TL_SIDE_BUY;
    const uint32_t taker = tl_fix_order_of(desk->orders, event->order_id);
    const uint32_t maker = tl_fix_order_of(desk->orders, event->contra_order_id);
    const int rc = decrement(desk, event, buys ? taker : maker, 1);
    return rc != 0 ? rc : decrement(desk, event, buys ? maker : taker, 2);
}
