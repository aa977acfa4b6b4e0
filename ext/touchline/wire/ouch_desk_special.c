/* Special orders (docs/rules.md section 8) in OUCH: Display N hides, MaxFloor is the part shown,
 * PostOnly P or S (which slides), and what waits or is market-to-limit by an option of our own. */
#include "touchline/wire/ouch_desk_state.h"

static bool is_limited(uint8_t ord_type)
{
    return ord_type == TL_ORD_TYPE_LIMIT || ord_type == TL_ORD_TYPE_STOP_LIMIT ||
           ord_type == TL_ORD_TYPE_LIMIT_IF_TOUCHED;
}

/* MaxFloor and PostOnly, as far as they are there. 0, or why not. */
static uint16_t read_shown(const tl_ouch_request *asked, const tl_stock *stock,
                           tl_ouch_special *terms)
{
    const uint8_t *floor = tl_ouch_option(asked, TL_OUCH_MAX_FLOOR);
    const uint8_t *post_only = tl_ouch_option(asked, TL_OUCH_POST_ONLY);
    const uint32_t shares = floor == NULL ? 0 : tl_get_u32(floor);
    if (shares % stock->share_scale != 0)
        return TL_OUCH_REJECT_INVALID_MAX_FLOOR;
    terms->display_qty = (uint32_t)(shares / stock->share_scale);
    if (asked->display == 'N')
        terms->flags |= TL_FLAG_HIDDEN;
    if (post_only != NULL && (*post_only == 'P' || *post_only == 'S'))
        terms->flags |= TL_FLAG_POST_ONLY;
    if (post_only != NULL && *post_only == 'S')
        terms->flags |= TL_FLAG_SLIDE;
    return 0;
}

/* OrdType with its StopPx, where it is there. 0, or why not. */
static uint16_t read_type(const tl_ouch_request *asked, const tl_stock *stock, bool priced,
                          tl_ouch_special *terms)
{
    const uint8_t *option = tl_ouch_option(asked, TL_OUCH_ORD_TYPE);
    if (option == NULL)
        return 0;
    const uint64_t stop = tl_get_u64(option + 1);
    terms->ord_type = option[0];
    if (stop % stock->price_scale != 0 || stop / stock->price_scale > UINT32_MAX ||
        is_limited(option[0]) != priced)
        return TL_OUCH_REJECT_INVALID_PRICE;
    terms->stop_price = (uint32_t)(stop / stock->price_scale);
    return 0;
}

uint16_t tl_ouch_read_special(const tl_ouch_request *asked, const tl_stock *stock,
                              const tl_ouch_ahead *ahead, tl_command *cmd)
{
    tl_command terms_ahead = {0};
    tl_ouch_special terms = {.ord_type = cmd->ord_type};
    uint16_t code = read_shown(asked, stock, &terms);
    if (code == 0)
        code = read_type(asked, stock, cmd->ord_type == TL_ORD_TYPE_LIMIT, &terms);
    const bool typed = terms.ord_type != cmd->ord_type;
    if (tl_ouch_goes_ahead(ahead, &terms_ahead))
        cmd->field = TL_MORE_TERMS;
    if (code != 0 || (!typed && terms.flags == 0 && terms.display_qty == 0 &&
                      cmd->field == TL_MORE_NONE))
        return code;
    cmd->ord_type = terms.ord_type;
    cmd->stop_price = terms.stop_price;
    cmd->display_qty = terms.display_qty;
    cmd->flags = terms.flags | TL_FLAG_SPECIAL;
    return 0;
}

/* Rule 8.8: a replacement has the order's terms, or says nothing of them. */
uint16_t tl_ouch_check_special(tl_ouch_desk *desk, const tl_ouch_request *asked,
                               const tl_ouch_order *order, bool priced, int64_t utc_ns)
{
    const tl_ouch_special *now = tl_ouch_special_of(&desk->orders, order);
    const tl_stock *stock = tl_ouch_stock(desk, order->instrument);
    tl_ouch_special said = {0};
    const bool limited = is_limited(order->ord_type) || order->price != 0;
    if (priced != limited)
        return TL_OUCH_REJECT_INVALID_PRICE;
    uint16_t code = read_shown(asked, stock, &said);
    if (code == 0)
        code = read_type(asked, stock, priced && order->ord_type != TL_ORD_TYPE_MARKET_TO_LIMIT,
                         &said);
    if (code != 0)
        return code;
    if ((code = tl_ouch_read_ahead(desk, asked, stock, utc_ns, &said.ahead)) != 0)
        return code;
    const bool hides = ((said.flags ^ now->flags) & TL_FLAG_HIDDEN) != 0;
    const bool posts = ((said.flags ^ now->flags) & (TL_FLAG_POST_ONLY | TL_FLAG_SLIDE)) != 0;
    if (hides || (posts && tl_ouch_option(asked, TL_OUCH_POST_ONLY) != NULL) ||
        (said.display_qty != now->display_qty &&
         tl_ouch_option(asked, TL_OUCH_MAX_FLOOR) != NULL) ||
        (said.ord_type != 0 &&
         (said.ord_type != order->ord_type || said.stop_price != now->stop_price)) ||
        !tl_ouch_ahead_same(asked, &said.ahead, &now->ahead))
        return TL_OUCH_REJECT_REPLACE_NOT_ALLOWED;
    return 0;
}

/* Answers */

uint8_t *tl_ouch_put_option(uint8_t *at, uint8_t tag, uint8_t size)
{
    at[0] = size + 1;
    at[1] = tag;
    return at + 2;
}

/* What its request said, behind the options of a message that has `size` bytes. */
size_t tl_ouch_put_special(tl_ouch_desk *desk, const tl_ouch_order *order, size_t fixed,
                           size_t size)
{
    const tl_ouch_special *terms = tl_ouch_special_of(&desk->orders, order);
    const tl_stock *stock = tl_ouch_stock(desk, order->instrument);
    uint8_t *at = desk->message + size;
    if (terms->display_qty != 0) {
        at = tl_ouch_put_option(at, TL_OUCH_MAX_FLOOR, 4);
        tl_put_u32(at, (uint32_t)(terms->display_qty * stock->share_scale));
        at += 4;
    }
    if ((terms->flags & TL_FLAG_POST_ONLY) != 0) {
        at = tl_ouch_put_option(at, TL_OUCH_POST_ONLY, 1);
        *at++ = (terms->flags & TL_FLAG_SLIDE) != 0 ? 'S' : 'P';
    }
    if (order->ord_type != TL_ORD_TYPE_MARKET && order->ord_type != TL_ORD_TYPE_LIMIT) {
        at = tl_ouch_put_option(at, TL_OUCH_ORD_TYPE, 9);
        at[0] = order->ord_type;
        tl_put_u64(at + 1, (uint64_t)terms->stop_price * stock->price_scale);
        at += 9;
    }
    at = tl_ouch_put_ahead(at, &terms->ahead, stock);
    tl_put_u16(desk->message + fixed, (uint16_t)(at - desk->message - (ptrdiff_t)fixed - 2));
    return (size_t)(at - desk->message);
}

/* OrderRestated with these options: 0 leaves one out. */
static int tell_restated(tl_ouch_desk *desk, const tl_event *event, const tl_ouch_order *order,
                         char reason, bool placed)
{
    const size_t fixed = sizeof(tl_ouch_restated_wire);
    const tl_stock *stock = tl_ouch_stock(desk, order->instrument);
    const tl_ouch_restated said = {.type = 'R',
                                   .ts_ns = tl_since_midnight(event->ts_ns,
                                                              desk->config.midnight_ns),
                                   .user_ref_num = order->user_ref_num,
                                   .reason = reason};
    tl_ouch_restated_put((tl_ouch_restated_wire *)desk->message, &said);
    uint8_t *at = desk->message + fixed + 2;
    uint32_t shares;
    if (placed) {
        at = tl_ouch_put_option(at, TL_OUCH_SECONDARY_ORDER_REF, 8);
        tl_put_u64(at, event->seq);
        at = tl_ouch_put_option(at + 8, TL_OUCH_DISPLAY_QUANTITY, 4);
        tl_put_u32(at, tl_stock_shares(stock, event->qty, &shares) ? shares : UINT32_MAX);
        at = tl_ouch_put_option(at + 4, TL_OUCH_DISPLAY_PRICE, 8);
        tl_put_u64(at, (uint64_t)event->price * stock->price_scale);
        at += 8;
    }
    tl_put_u16(desk->message + fixed, (uint16_t)(at - desk->message - (ptrdiff_t)fixed - 2));
    return tl_ouch_send(desk, order->session, (size_t)(at - desk->message));
}

int tl_ouch_apply_triggered(tl_ouch_desk *desk, const tl_event *event)
{
    const tl_ouch_order *order = tl_ouch_order_of(&desk->orders, event->order_id);
    return order == NULL ? 0 : tell_restated(desk, event, order, 'T', false);
}

/* Where an order stands is told when it is another price or another part, and when the feed gives
 * it a number that its owner does not know: of all orders that are shown. */
int tl_ouch_apply_restated(tl_ouch_desk *desk, const tl_event *event)
{
    tl_ouch_order *order = tl_ouch_order_of(&desk->orders, event->order_id);
    if (order == NULL)
        return 0;
    tl_ouch_special *terms = tl_ouch_special_of(&desk->orders, order);
    const bool shows = event->qty != 0; /* else it is hidden, or an auction has collected it */
    const bool next_part = terms->placed && shows, priced = order->price != event->price;
    terms->placed = shows;
    order->price = (uint32_t)event->price;
    order->order_ref = event->seq;
    if (next_part || priced)
        return tell_restated(desk, event, order, next_part ? 'R' : 'P', true);
    return shows ? tl_ouch_tell_priority(desk, event, order) : 0;
}
