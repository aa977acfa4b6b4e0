/* The desk opened, its sessions, and the journal played into it. */
#include "touchline/wire/ouch_desk_state.h"

#include "touchline/wire/pages.h"

#include <errno.h>
#include <stdlib.h>

int tl_ouch_desk_open(tl_ouch_desk **out, const tl_ouch_desk_config *config,
                      const tl_ouch_desk_hooks *hooks)
{
    *out = NULL;
    if (config->sessions_max == 0 || config->sessions_max > TL_SESSIONS_MAX ||
        config->lane >= TL_TEXT_LANES || config->pending_max == 0 ||
        (config->pending_max & (config->pending_max - 1)) != 0)
        return -EINVAL;
    tl_ouch_desk *desk = calloc(1, sizeof *desk);
    if (desk == NULL)
        return -ENOMEM;
    desk->config = *config;
    desk->hooks = *hooks;
    tl_fix_names_open(&desk->names, config->instruments_max, config->accounts_max);
    desk->stocks = calloc((size_t)config->instruments_max + 1, sizeof *desk->stocks);
    desk->phases = calloc((size_t)config->instruments_max + 1, sizeof *desk->phases);
    desk->seats = calloc(config->sessions_max, sizeof *desk->seats);
    desk->pending = tl_pages_open(config->pending_max * sizeof *desk->pending);
    int rc = tl_ouch_orders_open(&desk->orders, config->orders_max, config->key);
    if (desk->stocks == NULL || desk->phases == NULL || desk->seats == NULL ||
        desk->pending == NULL)
        rc = -ENOMEM;
    if (rc != 0)
        tl_ouch_desk_close(desk);
    else
        *out = desk;
    return rc;
}

void tl_ouch_desk_close(tl_ouch_desk *desk)
{
    if (desk == NULL)
        return;
    for (uint32_t i = 0; desk->seats != NULL && i < desk->config.sessions_max; i++) {
        free(desk->seats[i].firms);
        free(desk->seats[i].disabled);
    }
    tl_fix_names_close(&desk->names);
    tl_ouch_orders_close(&desk->orders);
    free(desk->stocks);
    free(desk->phases);
    free(desk->seats);
    tl_pages_close(desk->pending, desk->config.pending_max * sizeof *desk->pending);
    free(desk);
}

int tl_ouch_desk_session(tl_ouch_desk *desk, uint32_t session, const tl_ouch_firm *firms,
                         uint32_t count)
{
    if (session >= desk->config.sessions_max || count == 0)
        return -EINVAL;
    tl_ouch_seat *seat = &desk->seats[session];
    tl_ouch_firm *kept = malloc(count * sizeof *kept);
    bool *disabled = calloc(count, sizeof *disabled);
    if (kept == NULL || disabled == NULL) {
        free(kept);
        free(disabled);
        return -ENOMEM;
    }
    memcpy(kept, firms, count * sizeof *kept);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < seat->firms_count; j++)
            if (memcmp(kept[i].name, seat->firms[j].name, sizeof kept[i].name) == 0)
                disabled[i] = seat->disabled[j];
    free(seat->firms);
    free(seat->disabled);
    seat->firms = kept;
    seat->disabled = disabled;
    seat->firms_count = count;
    return 0;
}

int tl_ouch_desk_name(tl_ouch_desk *desk, const tl_command *text)
{
    return tl_fix_names_take(&desk->names, text);
}

bool tl_ouch_desk_wants_names(const tl_ouch_desk *desk)
{
    return desk->wants_names;
}

void tl_ouch_desk_named(tl_ouch_desk *desk)
{
    desk->wants_names = false;
}

int tl_ouch_desk_error(const tl_ouch_desk *desk)
{
    return desk->error;
}

uint64_t tl_ouch_desk_count(const tl_ouch_desk *desk, uint32_t session)
{
    return session < desk->config.sessions_max ? desk->seats[session].count : 0;
}

uint32_t tl_ouch_desk_answered(const tl_ouch_desk *desk, uint32_t session)
{
    return session < desk->config.sessions_max ? desk->seats[session].answered : 0;
}

uint32_t tl_ouch_desk_pending(const tl_ouch_desk *desk, uint32_t session)
{
    return session < desk->config.sessions_max ? desk->seats[session].pending : 0;
}

const tl_stock *tl_ouch_stock(tl_ouch_desk *desk, uint32_t instrument)
{
    if (instrument >= desk->config.instruments_max)
        return NULL;
    tl_stock *stock = &desk->stocks[instrument];
    if (stock->price_scale == 0)
        tl_stock_of(tl_fix_instrument_at(&desk->names, instrument), stock);
    return stock->price_scale == 0 ? NULL : stock;
}

/* What a request says beyond its command: "ClOrdID", a space, its kind, its capacity, and
 * UserRefNum and `extra` as 8 digits to the base of 16 each. */

#define SUFFIX 19u

static void put_hex(char *to, uint32_t value)
{
    for (int i = 7; i >= 0; i--, value >>= 4)
        to[i] = "0123456789abcdef"[value & 15];
}

static bool read_hex(const char *from, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 8; i++) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, from[i]);
        if (digit == NULL || from[i] == '\0')
            return false;
        *value = *value << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

void tl_ouch_write_text(const tl_ouch_desk *desk, const tl_ouch_pending *pending, tl_command *text)
{
    *text = (tl_command){.type = TL_MSG_TYPE_TEXT,
                         .field = TL_TEXT_CL_ORD_ID,
                         .side = tl_text_side(desk->config.lane, pending->session),
                         .flags = (uint8_t)pending->session,
                         .key = (uint32_t)pending->number};
    char *at = tl_command_text(text);
    const size_t size = tl_text_length(pending->cl_ord_id, sizeof pending->cl_ord_id);
    memcpy(at, pending->cl_ord_id, size);
    at[size] = ' ';
    at[size + 1] = pending->kind;
    at[size + 2] = pending->capacity;
    put_hex(at + size + 3, pending->user_ref_num);
    put_hex(at + size + 11, pending->extra);
}

bool tl_ouch_read_text(const tl_ouch_desk *desk, const tl_command *text, tl_ouch_pending *pending)
{
    const char *at = (const char *)text + offsetof(tl_command, order_id);
    const size_t size = strnlen(at, TL_TEXT_BYTES);
    const uint32_t session = tl_text_session(text);
    if (text->type != TL_MSG_TYPE_TEXT || text->field != TL_TEXT_CL_ORD_ID ||
        tl_text_lane(text) != desk->config.lane || session >= desk->config.sessions_max ||
        size < SUFFIX || size > SUFFIX + sizeof pending->cl_ord_id)
        return false;
    const char *suffix = at + size - SUFFIX;
    *pending = (tl_ouch_pending){.number = (uint64_t)desk->config.lane << 32 | text->key,
                                 .session = (uint16_t)session,
                                 .kind = suffix[1],
                                 .capacity = suffix[2]};
    tl_put_text(pending->cl_ord_id, sizeof pending->cl_ord_id, at, size - SUFFIX);
    return strchr("OUCJDEQ", pending->kind) != NULL &&
           read_hex(suffix + 3, &pending->user_ref_num) && read_hex(suffix + 11, &pending->extra);
}

/* Order entry for the firm of a session: disabled, or enabled again. */
static void note_entry(tl_ouch_seat *seat, const tl_ouch_pending *pending)
{
    for (uint32_t i = 0; i < seat->firms_count; i++)
        if (tl_ouch_firm_number(seat->firms[i].name) == pending->extra)
            seat->disabled[i] = pending->kind == TL_OUCH_IS_DISABLE;
}

static tl_ouch_pending *place_of(const tl_ouch_desk *desk, uint64_t number)
{
    return &desk->pending[number & (desk->config.pending_max - 1)];
}

bool tl_ouch_has_place(const tl_ouch_desk *desk, uint64_t number)
{
    return place_of(desk, number)->number == 0;
}

void tl_ouch_enter_pending(tl_ouch_desk *desk, tl_ouch_pending *pending, const tl_command *cmd,
                           const tl_command *terms)
{
    tl_ouch_seat *seat = &desk->seats[pending->session];
    pending->order_id = cmd->order_id;
    pending->account = cmd->account;
    pending->instrument = cmd->instrument;
    pending->side = cmd->side;
    pending->stop_price = pending->display_qty = 0;
    pending->ahead = terms != NULL ? tl_ouch_ahead_of(desk, terms) : (tl_ouch_ahead){0};
    if (cmd->type == TL_MSG_TYPE_NEW_ORDER && (cmd->flags & TL_FLAG_SPECIAL) != 0) {
        pending->stop_price = cmd->stop_price;
        pending->display_qty = cmd->display_qty;
    }
    *place_of(desk, pending->number) = *pending;
    desk->pending_count++;
    seat->pending++;
    if (pending->user_ref_num > seat->last)
        seat->last = pending->user_ref_num;
    /* Where the answer will enter it. */
    tl_ouch_orders_ahead(&desk->orders, pending->session, pending->user_ref_num);
    if (pending->kind == TL_OUCH_IS_REPLACE) {
        tl_ouch_order *order = tl_ouch_order_of(&desk->orders, cmd->order_id);
        if (order != NULL)
            order->changes++;
    }
    if (pending->kind == TL_OUCH_IS_DISABLE || pending->kind == TL_OUCH_IS_ENABLE)
        note_entry(seat, pending);
}

static int replay_command(tl_ouch_desk *desk, const tl_command *cmd)
{
    if (cmd->type == TL_MSG_TYPE_TEXT) {
        tl_ouch_pending said;
        if (tl_ouch_read_text(desk, cmd, &said))
            desk->named = said;
        return tl_fix_names_take(&desk->names, cmd);
    }
    if (cmd->type == TL_MSG_TYPE_TERMS) {
        if (cmd->cl_ord_id == desk->named.number)
            desk->named_terms = *cmd;
        return 0; /* of the command after it, which has the number */
    }
    /* The engine takes a batch of each lane: others' commands may come between the two. */
    if (cmd->cl_ord_id >> 32 != desk->config.lane || (uint32_t)cmd->cl_ord_id == 0)
        return 0;
    const bool asks = cmd->cl_ord_id == desk->named.number;
    desk->named.number = 0;
    desk->last_number = cmd->cl_ord_id;
    if (asks && !tl_ouch_has_place(desk, cmd->cl_ord_id))
        return -ENOBUFS;
    if (asks) {
        const bool ahead = cmd->type == TL_MSG_TYPE_NEW_ORDER &&
                           (cmd->flags & TL_FLAG_SPECIAL) != 0 && cmd->field == TL_MORE_TERMS &&
                           desk->named_terms.cl_ord_id == cmd->cl_ord_id;
        desk->named.number = cmd->cl_ord_id;
        tl_ouch_enter_pending(desk, &desk->named, cmd, ahead ? &desk->named_terms : NULL);
        desk->named.number = 0;
    }
    return 0;
}

int tl_ouch_desk_replay(tl_ouch_desk *desk, const tl_command *commands, size_t commands_count,
                        const tl_event *events, size_t events_count)
{
    for (size_t i = 0; i < commands_count; i++) {
        const int rc = replay_command(desk, &commands[i]);
        if (rc != 0)
            return rc;
    }
    return tl_ouch_desk_events(desk, events, events_count);
}

int tl_ouch_desk_events(tl_ouch_desk *desk, const tl_event *events, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int rc = tl_ouch_apply(desk, &events[i]);
        if (rc != 0)
            return desk->error = rc;
    }
    return 0;
}

/* A peer has left */

int tl_ouch_desk_leave(tl_ouch_desk *desk, uint32_t session, uint32_t *at)
{
    if (session >= desk->config.sessions_max)
        return 0;
    for (uint32_t looked = 0; *at < desk->config.orders_max; ++*at, looked++) {
        const tl_ouch_order *order = &desk->orders.orders[*at];
        if (looked == 4096)
            return 1;
        if (order->order_id == 0 || order->session != session)
            continue;
        const tl_command cmd = {.type = TL_MSG_TYPE_CANCEL,
                                .order_id = order->order_id,
                                .account = order->account,
                                .cl_ord_id = tl_ouch_number(desk)};
        if (cmd.cl_ord_id == 0)
            return -EAGAIN;
        const int rc = desk->hooks.submit(desk->hooks.context, &cmd, 1);
        if (rc != 0)
            return rc;
        desk->spare = 0;
    }
    return 0;
}
