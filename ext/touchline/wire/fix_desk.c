/* The desk as a whole: opened, told of names and sessions, brought up to the present. */
#include "touchline/wire/fix_desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

int tl_fix_desk_open(tl_fix_desk **out, const tl_fix_desk_config *config,
                     const tl_fix_desk_hooks *hooks)
{
    tl_fix_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return -ENOMEM;
    desk->config = *config;
    desk->hooks = *hooks;
    tl_fix_names_open(&desk->names, config->instruments_max, config->accounts_max);
    desk->sessions = calloc(config->sessions_max, sizeof *desk->sessions);
    desk->copying = calloc(config->sessions_max, sizeof *desk->copying);
    desk->working = calloc(config->sessions_max, sizeof *desk->working);
    int rc =
        desk->sessions == NULL || desk->copying == NULL || desk->working == NULL ? -ENOMEM : 0;
    if (rc == 0)
        rc = tl_fix_orders_open(&desk->orders, config->sessions_max, config->orders_max);
    if (rc == 0)
        rc = tl_fix_trades_open(&desk->trades,
                                config->trades_max != 0 ? config->trades_max : TL_FIX_TRADES_KEPT);
    if (rc != 0) {
        tl_fix_desk_close(desk);
        return rc;
    }
    *out = desk;
    return 0;
}

void tl_fix_desk_close(tl_fix_desk *desk)
{
    if (desk == NULL)
        return;
    for (uint32_t i = 0; desk->sessions != NULL && i < desk->config.sessions_max; i++) {
        tl_fix_desk_left(desk, i);
        free(desk->sessions[i].accounts);
        free(desk->sessions[i].told);
    }
    free(desk->sessions);
    free(desk->copying);
    free(desk->working);
    tl_fix_names_close(&desk->names);
    tl_fix_orders_close(desk->orders);
    tl_fix_trades_close(&desk->trades);
    free(desk);
}

int tl_fix_desk_error(const tl_fix_desk *desk)
{
    return desk->error;
}

static int by_number(const void *one, const void *other)
{
    const uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
    return (a > b) - (a < b);
}

static void list_copying(tl_fix_desk *desk)
{
    desk->copies = 0;
    for (uint32_t i = 0; i < desk->config.sessions_max; i++)
        if (desk->sessions[i].dialect != NULL &&
            (desk->sessions[i].permissions & TL_FIX_MAY_COPY) != 0)
            desk->copying[desk->copies++] = (uint16_t)i;
}

int tl_fix_desk_party(tl_fix_desk *desk, const tl_fix_party *party, uint64_t mark)
{
    if (party->number >= desk->config.sessions_max)
        return -EINVAL;
    tl_fix_seated *seated = &desk->sessions[party->number];
    if (seated->dialect == NULL)
        seated->mark = mark;
    uint32_t *accounts = malloc((party->accounts_count + 1) * sizeof *accounts);
    if (accounts == NULL)
        return -ENOMEM;
    memcpy(accounts, party->accounts, party->accounts_count * sizeof *accounts);
    qsort(accounts, party->accounts_count, sizeof *accounts, by_number);
    free(seated->accounts);
    seated->accounts = accounts;
    seated->accounts_count = party->accounts_count;
    seated->dialect = party->dialect;
    seated->time_decimals = party->time_decimals;
    seated->permissions = party->permissions;
    seated->pending_reports = party->pending_reports;
    list_copying(desk);
    return 0;
}

int tl_fix_desk_told(tl_fix_desk *desk, uint32_t session, const char *cl_ord_id, size_t size)
{
    if (session >= desk->config.sessions_max || size > TL_FIX_CL_ORD_ID_MAX)
        return -EINVAL;
    tl_fix_seated *seated = &desk->sessions[session];
    uint64_t(*grown)[2] = realloc(seated->told, (seated->told_count + 1) * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    seated->told = grown;
    tl_fix_request_hash(desk->orders, session, cl_ord_id, size, grown[seated->told_count++]);
    return 0;
}

int tl_fix_desk_name(tl_fix_desk *desk, const tl_command *text)
{
    return text->type == TL_MSG_TYPE_TEXT ? tl_fix_names_take(&desk->names, text) : 0;
}

bool tl_fix_desk_wants_names(const tl_fix_desk *desk)
{
    return desk->wants_names;
}

void tl_fix_desk_named(tl_fix_desk *desk)
{
    desk->wants_names = false;
}

const tl_fix_names *tl_fix_desk_names(const tl_fix_desk *desk)
{
    return &desk->names;
}

uint32_t tl_fix_desk_pending(const tl_fix_desk *desk, uint32_t session)
{
    return session < desk->config.sessions_max
               ? tl_fix_request_queue(desk->orders, session)->count
               : 0;
}

uint64_t tl_fix_desk_unanswered(const tl_fix_desk *desk, uint32_t session)
{
    if (tl_fix_desk_pending(desk, session) == 0)
        return UINT64_MAX;
    uint32_t at = tl_fix_request_queue(desk->orders, session)->first;
    for (; at != TL_FIX_NO_ROW; at = tl_fix_pending_at(desk->orders, at)->after)
        if (tl_fix_pending_at(desk->orders, at)->msg_seq_num != 0) /* not of the journal's past */
            return tl_fix_pending_at(desk->orders, at)->msg_seq_num;
    return UINT64_MAX;
}

/* The journal's past */

/* More of a ClOrdID, which has room for what a request may say. */
static void append(tl_fix_cl_ord_id *name, const char *bytes, size_t size)
{
    if (name->size + size > TL_FIX_CL_ORD_ID_MAX)
        return;
    memcpy(name->text + name->size, bytes, size);
    name->size = (uint8_t)(name->size + size);
}

static void take_text(tl_fix_desk *desk, const tl_command *text)
{
    const char *bytes = (const char *)text + offsetof(tl_command, order_id);
    const size_t size = strnlen(bytes, TL_TEXT_BYTES);
    if (!TL_TEXT_OF_REQUEST(text->field) || tl_text_lane(text) != TL_LANE_FIX)
        return;
    const uint64_t number = (uint64_t)TL_LANE_FIX << 32 | text->key;
    if (text->field == TL_TEXT_CL_ORD_ID) {
        desk->named.size = desk->named_orig.size = desk->named_route.size = 0;
        append(&desk->named, bytes, size);
        desk->named_number = number;
        desk->named_session = tl_text_session(text);
    } else if (number == desk->named_number) {
        if (text->flags == 11)
            append(&desk->named, bytes, size);
        else if (text->flags == 41)
            append(&desk->named_orig, bytes, size);
        else
            tl_fix_route_add(&desk->named_route, text->flags, bytes, size);
    }
}

/* The row of an order as a request asked for it. `terms`: what went ahead of it, NULL. */
static uint32_t asked_for(tl_fix_desk *desk, uint32_t session, const tl_command *cmd,
                          const tl_command *terms, const tl_fix_cl_ord_id *name)
{
    const uint32_t row = tl_fix_order_add(desk->orders);
    if (row == TL_FIX_NO_ROW || tl_fix_order_call(desk->orders, row, name) != 0)
        return TL_FIX_NO_ROW;
    tl_fix_order *order = tl_fix_order_at(desk->orders, row);
    order->price = cmd->price;
    order->order_qty = cmd->qty;
    order->account = cmd->account;
    order->session = (uint16_t)session;
    order->instrument = cmd->instrument;
    order->side = cmd->side;
    order->ord_type = cmd->ord_type;
    order->time_in_force = cmd->time_in_force;
    order->ord_status = 'A';
    if ((cmd->flags & TL_FLAG_SPECIAL) != 0) {
        order->stop_price = cmd->stop_price;
        order->display_qty = cmd->display_qty;
        order->flags = cmd->flags;
    }
    if (terms != NULL) {
        order->min_qty = terms->min_qty;
        order->expire_ns = terms->expire_ns;
        order->all_or_none = (terms->flags & TL_TERMS_FLAG_ALL_OR_NONE) != 0;
    }
    return row;
}

int tl_fix_desk_enter(tl_fix_desk *desk, const tl_command *cmd, const tl_command *terms,
                      const tl_fix_route *route, tl_fix_pending *pending)
{
    pending->number = cmd->cl_ord_id;
    pending->msg_type = cmd->type;
    if (cmd->type == TL_MSG_TYPE_MASS_CANCEL)
        pending->left = tl_fix_mass_commands(cmd);
    if (cmd->type == TL_MSG_TYPE_NEW_ORDER) {
        pending->order = asked_for(desk, pending->session, cmd, terms, &pending->name);
        if (pending->order == TL_FIX_NO_ROW)
            return -ENOMEM;
    }
    const int rc = tl_fix_route_keep(desk->orders, route, &pending->route);
    return rc != 0 ? rc : tl_fix_request_enter(desk->orders, pending);
}

static int replay_command(tl_fix_desk *desk, const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_TEXT) {
        take_text(desk, cmd);
        return tl_fix_names_take(&desk->names, cmd);
    }
    if (cmd->type == TL_MSG_TYPE_TERMS && cmd->cl_ord_id == desk->named_number)
        desk->named_terms = *cmd;
    const bool asks = cmd->type == TL_MSG_TYPE_NEW_ORDER || cmd->type == TL_MSG_TYPE_CANCEL ||
                      cmd->type == TL_MSG_TYPE_REPLACE || cmd->type == TL_MSG_TYPE_MASS_CANCEL;
    if (!asks || cmd->cl_ord_id != desk->named_number || desk->named_number == 0 ||
        desk->named_session >= desk->config.sessions_max)
        return 0;
    tl_fix_pending pending = {.order = TL_FIX_NO_ROW,
                              .session = (uint16_t)desk->named_session,
                              .name = desk->named,
                              .orig = desk->named_orig};
    desk->named_number = 0;
    if (tl_fix_request_pending(desk->orders, cmd->cl_ord_id) != NULL)
        return 0; /* a number that comes twice is no lane's */
    tl_fix_request_hash(desk->orders, pending.session, pending.name.text, pending.name.size,
                        pending.hash);
    if (cmd->type == TL_MSG_TYPE_CANCEL || cmd->type == TL_MSG_TYPE_REPLACE)
        pending.order = tl_fix_order_of(desk->orders, pending.order_id = cmd->order_id);
    const bool ahead = (cmd->flags & TL_FLAG_SPECIAL) != 0 && cmd->field == TL_MORE_TERMS &&
                       desk->named_terms.cl_ord_id == cmd->cl_ord_id;
    return tl_fix_desk_enter(desk, cmd, ahead ? &desk->named_terms : NULL, &desk->named_route,
                             &pending);
}

int tl_fix_desk_replay(tl_fix_desk *desk, const tl_command *commands, size_t commands_count,
                       const tl_event *events, size_t events_count)
{
    for (size_t i = 0; i < commands_count; i++) {
        const int rc = replay_command(desk, &commands[i]);
        if (rc != 0)
            return rc;
    }
    return tl_fix_desk_events(desk, events, events_count);
}

int tl_fix_desk_events(tl_fix_desk *desk, const tl_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int rc = tl_fix_desk_apply(desk, &events[i]);
        if (rc != 0)
            return desk->error = rc;
    }
    return 0;
}
