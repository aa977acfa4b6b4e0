/* Requests become commands: one function a type. ouch_terms.c says which values are carried out. */
#include "touchline/wire/ouch_desk_state.h"

#include <errno.h>

typedef struct request {
    tl_ouch_desk *desk;
    tl_ouch_seat *seat;
    const tl_ouch_request *asked;
    const char **why;
    int64_t utc_ns;
    tl_ouch_fault fault;
    uint16_t session;
} request;

static tl_ouch_taken pass(const request *of, const char *why)
{
    *of->why = why;
    return TL_OUCH_PASSED;
}

/* To the engine, with what the request says beyond its command; `kind` 0: nothing. `terms` go ahead
 * of it; NULL: none. */
static tl_ouch_taken submit_with(const request *of, tl_ouch_pending *pending, tl_command *cmd,
                                 tl_command *terms)
{
    tl_ouch_desk *desk = of->desk;
    tl_command commands[TL_OUCH_SUBMIT_MAX];
    uint32_t count = 0;
    if (!tl_ouch_has_place(desk, desk->last_number + 1))
        return TL_OUCH_LATER;
    cmd->cl_ord_id = tl_ouch_number(desk);
    if (cmd->cl_ord_id == 0 || !tl_ouch_has_place(desk, cmd->cl_ord_id))
        return TL_OUCH_LATER;
    pending->number = cmd->cl_ord_id;
    pending->session = of->session;
    if (pending->kind != 0)
        tl_ouch_write_text(desk, pending, &commands[count++]);
    if (terms != NULL) {
        terms->cl_ord_id = cmd->cl_ord_id;
        commands[count++] = *terms;
    }
    commands[count++] = *cmd;
    const int rc = desk->hooks.submit(desk->hooks.context, commands, count);
    if (rc == -EAGAIN)
        return TL_OUCH_LATER;
    if (rc != 0) {
        desk->error = rc;
        return TL_OUCH_FAILED;
    }
    desk->spare = 0;
    desk->last_number = cmd->cl_ord_id;
    if (pending->kind != 0)
        tl_ouch_enter_pending(desk, pending, cmd, terms);
    return TL_OUCH_TAKEN;
}

static tl_ouch_taken submit(const request *of, tl_ouch_pending *pending, tl_command *cmd)
{
    return submit_with(of, pending, cmd, NULL);
}

/* An answer of the desk's own: it goes to the engine as an order of no instrument, so that there is
 * an event for it. */
static tl_ouch_taken note(const request *of, char kind, uint32_t user_ref_num, uint32_t extra)
{
    tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                      .instrument = TL_INSTRUMENT_ALL,
                      .account = of->seat->firms[0].account,
                      .side = TL_SIDE_BUY,
                      .ord_type = TL_ORD_TYPE_LIMIT,
                      .time_in_force = TL_TIME_IN_FORCE_IOC};
    tl_ouch_pending pending = {
        .kind = kind, .capacity = '-', .user_ref_num = user_ref_num, .extra = extra};
    memset(pending.cl_ord_id, ' ', sizeof pending.cl_ord_id);
    if (kind == TL_OUCH_IS_REFUSED)
        for (uint32_t i = 0; i < sizeof pending.cl_ord_id; i++) {
            const char letter = of->asked->cl_ord_id[i];
            pending.cl_ord_id[i] = letter >= ' ' && letter <= '~' ? letter : '?';
        }
    return submit(of, &pending, &cmd);
}

static tl_ouch_taken refuse(const request *of, uint16_t code)
{
    return note(of, TL_OUCH_IS_REFUSED, of->asked->user_ref_num, code);
}

/* The firm named, or the first; -1: it is none of the session's. */
static int32_t firm_of(const request *of)
{
    if (of->asked->firm[0] == '\0')
        return 0;
    for (uint32_t i = 0; i < of->seat->firms_count; i++)
        if (memcmp(of->seat->firms[i].name, of->asked->firm, sizeof of->asked->firm) == 0)
            return (int32_t)i;
    return -1;
}

/* Price and quantity in the stock's units; 0, or why not. */
static uint16_t read_terms(const request *of, const tl_stock *stock, tl_command *cmd)
{
    const tl_ouch_request *asked = of->asked;
    cmd->ord_type = TL_ORD_TYPE_LIMIT;
    if (asked->price == TL_OUCH_MARKET_PRICE)
        cmd->ord_type = TL_ORD_TYPE_MARKET;
    else if (asked->price % stock->price_scale != 0 || asked->price > INT64_MAX)
        return TL_OUCH_REJECT_INVALID_PRICE;
    else
        cmd->price = (int64_t)(asked->price / stock->price_scale);
    if (asked->quantity % stock->share_scale != 0)
        return TL_OUCH_REJECT_INVALID_QUANTITY;
    cmd->qty = asked->quantity / stock->share_scale;
    return 0;
}

static tl_ouch_taken ask_enter(const request *of)
{
    const tl_ouch_request *asked = of->asked;
    tl_ouch_desk *desk = of->desk;
    const char *name;
    uint16_t code = of->fault != TL_OUCH_FAULT_NONE ? TL_OUCH_REJECT_OTHER
                                                    : tl_ouch_refused(asked, &name);
    if (code != 0)
        return refuse(of, code);
    const int32_t firm = firm_of(of);
    if (firm < 0 || of->seat->disabled[firm])
        return refuse(of, TL_OUCH_REJECT_FIRM_NOT_AUTHORIZED);
    const uint32_t instrument = tl_fix_instrument_named(
        &desk->names, asked->symbol, tl_text_length(asked->symbol, sizeof asked->symbol));
    const tl_stock *stock = tl_ouch_stock(desk, instrument);
    if (stock == NULL && instrument == UINT32_MAX && desk->wants_names)
        return TL_OUCH_LATER;
    if (stock == NULL)
        return refuse(of, TL_OUCH_REJECT_INVALID_SYMBOL);
    tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                      .instrument = (uint16_t)instrument,
                      .account = of->seat->firms[firm].account,
                      .side = asked->side == 'B' ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .time_in_force = tl_ouch_time_meant(asked)};
    tl_ouch_ahead ahead;
    if ((code = read_terms(of, stock, &cmd)) != 0 ||
        (code = tl_ouch_read_ahead(desk, asked, stock, of->utc_ns, &ahead)) != 0 ||
        (code = tl_ouch_read_special(asked, stock, &ahead, &cmd)) != 0)
        return refuse(of, code);
    tl_command terms = {0};
    const bool goes_ahead = tl_ouch_goes_ahead(&ahead, &terms);
    tl_ouch_pending pending = {
        .kind = TL_OUCH_IS_ENTER,
        .capacity = asked->capacity,
        .user_ref_num = asked->user_ref_num,
        .extra = asked->firm[0] == '\0' ? 0 : tl_ouch_firm_number(asked->firm)};
    memcpy(pending.cl_ord_id, asked->cl_ord_id, sizeof pending.cl_ord_id);
    return submit_with(of, &pending, &cmd, goes_ahead ? &terms : NULL);
}

/* The open order that a request names. NULL: `*taken` says what becomes of the request. */
static tl_ouch_order *order_named(const request *of, uint32_t user_ref_num, tl_ouch_taken *taken)
{
    tl_ouch_order *order = tl_ouch_order_named(&of->desk->orders, of->session, user_ref_num);
    const bool asked_for = user_ref_num > of->seat->answered && user_ref_num <= of->seat->last;
    *taken = TL_OUCH_LATER;
    if (order != NULL && order->changes == 0)
        return order;
    if (order == NULL && !asked_for)
        *taken = pass(of, "it names no open order");
    return NULL;
}

static tl_ouch_taken ask_replace(const request *of)
{
    const tl_ouch_request *asked = of->asked;
    tl_ouch_taken taken;
    const char *name;
    const tl_ouch_order *order = order_named(of, asked->orig_user_ref_num, &taken);
    if (order == NULL)
        return taken;
    uint16_t code = of->fault != TL_OUCH_FAULT_NONE ? TL_OUCH_REJECT_OTHER
                                                    : tl_ouch_refused(asked, &name);
    tl_command cmd = {
        .type = TL_MSG_TYPE_REPLACE, .order_id = order->order_id, .account = order->account};
    if (code == 0 && asked->time_in_force != tl_ouch_time_said(order->time_in_force))
        code = TL_OUCH_REJECT_REPLACE_NOT_ALLOWED;
    if (code == 0)
        code = read_terms(of, tl_ouch_stock(of->desk, order->instrument), &cmd);
    if (code == 0)
        code = tl_ouch_check_special(of->desk, asked, order, cmd.ord_type == TL_ORD_TYPE_LIMIT,
                                     of->utc_ns);
    if (code != 0)
        return refuse(of, code);
    cmd.ord_type = 0;
    tl_ouch_pending pending = {.kind = TL_OUCH_IS_REPLACE,
                               .capacity = order->capacity,
                               .user_ref_num = asked->user_ref_num,
                               .extra = asked->orig_user_ref_num};
    memcpy(pending.cl_ord_id, asked->cl_ord_id, sizeof pending.cl_ord_id);
    return submit(of, &pending, &cmd);
}

/* To no shares: a cancel. To fewer: a replacement by less, which keeps its place in the queue. */
static tl_ouch_taken ask_cancel(const request *of)
{
    const tl_ouch_request *asked = of->asked;
    const char *name;
    tl_ouch_taken taken;
    if (of->fault != TL_OUCH_FAULT_NONE || tl_ouch_refused(asked, &name) != 0)
        return pass(of, "it has an option that is not offered");
    const tl_ouch_order *order = order_named(of, asked->user_ref_num, &taken);
    if (order == NULL)
        return taken;
    tl_command cmd = {
        .type = TL_MSG_TYPE_CANCEL, .order_id = order->order_id, .account = order->account};
    tl_ouch_pending pending = {0};
    if (asked->quantity == 0)
        return submit(of, &pending, &cmd);
    const uint32_t scale = tl_ouch_stock(of->desk, order->instrument)->share_scale;
    cmd.type = TL_MSG_TYPE_REPLACE;
    cmd.price = order->price;
    cmd.qty = asked->quantity / scale;
    if (asked->quantity % scale != 0)
        return pass(of, "its quantity is not a whole number of lots");
    if (cmd.qty >= (int64_t)order->leaves_qty + order->executed_qty)
        return pass(of, "it leaves the order no smaller");
    return submit(of, &pending, &cmd);
}

static tl_ouch_taken ask_mass_cancel(const request *of)
{
    const tl_ouch_request *asked = of->asked;
    const int32_t firm = firm_of(of);
    const uint8_t *side = tl_ouch_option(asked, TL_OUCH_SIDE);
    const size_t size = tl_text_length(asked->symbol, sizeof asked->symbol);
    tl_command cmd = {.type = TL_MSG_TYPE_MASS_CANCEL, .instrument = TL_INSTRUMENT_ALL};
    if (firm < 0)
        return pass(of, "it names a firm that is not the session's");
    if (side != NULL && *side != 'B' && *side != 'S')
        return pass(of, "its side is neither B nor S");
    if (side != NULL)
        cmd.side = *side == 'B' ? TL_SIDE_BUY : TL_SIDE_SELL;
    if (size != 0) {
        const uint32_t instrument =
            tl_fix_instrument_named(&of->desk->names, asked->symbol, size);
        if (tl_ouch_stock(of->desk, instrument) == NULL)
            return pass(of, "it names a symbol that is not known");
        cmd.instrument = (uint16_t)instrument;
    }
    cmd.account = of->seat->firms[firm].account;
    tl_ouch_pending pending = {.kind = TL_OUCH_IS_MASS_CANCEL,
                               .capacity = '-',
                               .user_ref_num = asked->user_ref_num,
                               .extra = tl_ouch_firm_number(of->seat->firms[firm].name)};
    memset(pending.cl_ord_id, ' ', sizeof pending.cl_ord_id);
    return submit(of, &pending, &cmd);
}

static tl_ouch_taken ask_entry(const request *of)
{
    const int32_t firm = firm_of(of);
    if (firm < 0)
        return pass(of, "it names a firm that is not the session's");
    return note(of, of->asked->type, of->asked->user_ref_num,
                tl_ouch_firm_number(of->seat->firms[firm].name));
}

/* A request with a number of its own: has the number been used? */
static bool sent_again(const request *of)
{
    switch (of->asked->type) {
    case 'O':
    case 'U':
    case 'C':
    case 'D':
    case 'E':
        return of->asked->user_ref_num <= of->seat->last;
    default:
        return false;
    }
}

static tl_ouch_taken ask(const request *of)
{
    const char *name;
    if (sent_again(of))
        return pass(of, "its UserRefNum is not above the last");
    switch (of->asked->type) {
    case 'O':
        return ask_enter(of);
    case 'U':
        return ask_replace(of);
    case 'X':
        return ask_cancel(of);
    case 'M':
        return pass(of, "the venue knows no sides that could be changed");
    default:
        break;
    }
    if (of->fault != TL_OUCH_FAULT_NONE || tl_ouch_refused(of->asked, &name) != 0)
        return pass(of, "it has an option that is not offered");
    if (of->asked->type == 'C')
        return ask_mass_cancel(of);
    if (of->asked->type == 'Q')
        return note(of, TL_OUCH_IS_QUERY, 0, of->seat->last + 1);
    return ask_entry(of);
}

tl_ouch_taken tl_ouch_desk_request(tl_ouch_desk *desk, uint32_t session, const uint8_t *bytes,
                                   size_t size, int64_t utc_ns, const char **why)
{
    tl_ouch_request asked;
    *why = "";
    desk->error = 0;
    request of = {.desk = desk,
                  .asked = &asked,
                  .why = why,
                  .utc_ns = utc_ns,
                  .session = (uint16_t)session};
    of.fault = tl_ouch_read(bytes, size, &asked);
    if (of.fault != TL_OUCH_FAULT_NONE && of.fault != TL_OUCH_FAULT_OPTION)
        return pass(&of, tl_ouch_fault_text(of.fault));
    if (session >= desk->config.sessions_max || desk->seats[session].firms_count == 0)
        return pass(&of, "the session trades for no firm");
    of.seat = &desk->seats[session];
    return ask(&of);
}

void tl_ouch_desk_ahead(const tl_ouch_desk *desk, uint32_t session, const uint8_t *bytes,
                        size_t size)
{
    if (size < 5 || (bytes[0] != 'X' && bytes[0] != 'U'))
        return;
    tl_ouch_orders_ahead(&desk->orders, session, tl_get_u32(bytes + 1));
}
