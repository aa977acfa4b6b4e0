/* Requests become commands: one function a MsgType.
 *
 * What the rules of trading say no to is left to the engine, so that every such refusal is an
 * event. Refused here is only what can not be said as a command: names and numbers that mean
 * nothing, terms the venue does not offer, ClOrdIDs used before.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_request.h"
#include "touchline/wire/fix_text_scan.h"

/* ClOrdIDs */

static void hash_of(const request *of, const tl_fix_field *field, uint64_t hash[2])
{
    tl_fix_request_hash(of->desk->orders, of->party->number, tl_fix_value(of->message, field),
                        field->size, hash);
}

/* Known is who has the ClOrdID and keeps it from others. A message that may have been sent before
 * is held against all that ever had it, so that it never acts again.
 *
 * Is the ClOrdID's first request with the engine? "Not available" must not be said of it then: it
 * will be carried out. A message that says it may have been sent before needs no answer but the
 * first one's; any other is told that it is not the one that acts, when none comes in time. */
underway tl_fix_look_up(request *of)
{
    const tl_fix_field *name = tl_fix_find(of->message, 11);
    hash_of(of, name, of->hash);
    of->known = tl_fix_request_find(of->desk->orders, of->hash);
    if (of->known == NULL)
        return GO_ON;
    if (of->known->state != TL_FIX_REQUEST_PENDING) {
        if (!of->message->poss_dup && !of->message->poss_resend &&
            !tl_fix_request_holds(of->desk->orders, of->known, of->party->cl_ord_id_scope))
            of->known = NULL;
        return GO_ON;
    }
    if (of->message->poss_dup)
        return ANSWERED;
    if (of->patience)
        return WAIT;
    if (of->message->poss_resend)
        return ANSWERED;
    char text[192];
    snprintf(text, sizeof text,
             "ClOrdID %.*s is in use: its first request stands and will be answered",
             SHOWN(of->message, name));
    of->desk->error = tl_fix_answer_business(of->desk, of->party, of->message,
                                             TL_FIX_BUSINESS_OTHER, text);
    return ANSWERED;
}

/* A message that says it may have been sent before never acts again. PossDupFlag: the answer was or
 * will be sent as the first delivery's. PossResend: the sender is told as by a status request. */
static bool redelivered(request *of)
{
    if (of->message->poss_dup)
        return true;
    if (!of->message->poss_resend)
        return false;
    if (of->known->order != TL_FIX_NO_ROW)
        of->desk->error = tl_fix_answer_status(of->desk, of->party, of->message, of->known->order,
                                               of->utc_ns);
    return true;
}

int tl_fix_check_name(const request *of, const tl_fix_field *name)
{
    if (name->size <= TL_FIX_CL_ORD_ID_MAX &&
        tl_fix_printable(tl_fix_value(of->message, name), name->size))
        return -1;
    return tl_fix_refuse(of->desk, TL_FIX_ORD_OTHER,
                  "ClOrdID is %u bytes long; allowed are %u, printable", name->size,
                  TL_FIX_CL_ORD_ID_MAX);
}

/* Terms */

/* -1, or why not; `wait`: a name is not known yet that may be in a moment. */
static int read_account(const request *of, uint32_t *account, bool *wait)
{
    const tl_fix_field *field = tl_fix_find(of->message, 1);
    *account = of->party->accounts_count != 0 ? of->party->accounts[0] : UINT32_MAX;
    if (field != NULL)
        *account = tl_fix_account_named(&of->desk->names, tl_fix_value(of->message, field),
                                        field->size);
    for (uint32_t i = 0; i < of->party->accounts_count; i++)
        if (of->party->accounts[i] == *account && *account != UINT32_MAX)
            return -1;
    *wait = *account == UINT32_MAX && of->desk->wants_names && of->patience;
    return tl_fix_refuse(of->desk, TL_FIX_ORD_ACCOUNT, "unknown account '%.*s'",
                  SHOWN(of->message, field));
}

/* The command a NewOrderSingle asks for, with `terms` ahead of it where its `field` says so; their
 * number comes later. -1, or why not. */
static int wanted(const request *of, tl_command *cmd, tl_command *terms, bool *wait)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_message *message = of->message;
    const tl_fix_field *symbol = tl_fix_find(message, 55);
    int reason = tl_fix_check_name(of, tl_fix_find(message, 11));
    if (reason >= 0)
        return reason;
    const uint32_t number =
        tl_fix_instrument_named(&desk->names, tl_fix_value(message, symbol), symbol->size);
    if (number == UINT32_MAX) {
        *wait = desk->wants_names && of->patience;
        return tl_fix_refuse(desk, TL_FIX_ORD_UNKNOWN_SYMBOL, "unknown symbol '%.*s'",
                      SHOWN(message, symbol));
    }
    const tl_fix_instrument *instrument = tl_fix_instrument_at(&desk->names, number);
    cmd->type = TL_MSG_TYPE_NEW_ORDER;
    cmd->instrument = (uint16_t)number;
    if ((reason = read_account(of, &cmd->account, wait)) >= 0)
        return reason;
    if (tl_fix_terms_refused(message, instrument, desk->text))
        return TL_FIX_ORD_UNSUPPORTED;
    if ((reason = tl_fix_read_choice(desk, message, 54, "Side", "12", 0, &cmd->side)) >= 0 ||
        (reason = tl_fix_read_choice(desk, message, 40, "OrdType", "1234JK", 0,
                                     &cmd->ord_type)) >= 0 ||
        (reason = tl_fix_read_choice(desk, message, 59, "TimeInForce", "0123467B", '0',
                                     &cmd->time_in_force)) >= 0 ||
        (reason = tl_fix_read_price(desk, message, instrument, &cmd->price)) >= 0 ||
        (reason = tl_fix_read_qty(desk, message, instrument, &cmd->qty)) >= 0)
        return reason;
    cmd->time_in_force = tl_fix_time_meant(cmd->time_in_force);
    const bool plain = cmd->ord_type == TL_ORD_TYPE_MARKET || cmd->ord_type == TL_ORD_TYPE_LIMIT;
    return plain && !tl_fix_says_special(message)
               ? -1
               : tl_fix_read_special(desk, message, instrument, cmd, terms);
}

/* To the engine */

static void keep_name(tl_fix_cl_ord_id *kept, const tl_fix_message *message,
                      const tl_fix_field *field)
{
    kept->size = (uint8_t)(field->size < TL_FIX_CL_ORD_ID_MAX ? field->size
                                                              : TL_FIX_CL_ORD_ID_MAX);
    tl_fix_copy(kept->text, tl_fix_value(message, field), kept->size);
}

/* The OrigClOrdID of a change is kept where it will not be the order's ClOrdID at the answer. */
static bool keeps_orig(const request *of, const tl_fix_field *orig, uint32_t row)
{
    const tl_fix_cl_ord_id *name = tl_fix_order_name(of->desk->orders, row);
    return tl_fix_order_at(of->desk->orders, row)->changes != 0 || name->size != orig->size ||
           memcmp(name->text, tl_fix_value(of->message, orig), name->size) != 0;
}

/* Send names, route and commands together, terms before their order; if that fails, nothing was
 * sent. */
tl_fix_taken tl_fix_submit(const request *of, tl_command *some, uint32_t some_count, uint32_t row)
{
    tl_fix_desk *desk = of->desk;
    if (!of->available)
        return unavailable(of);
    const tl_fix_field *orig = tl_fix_find(of->message, 41);
    tl_fix_pending pending; /* its texts are set as far as their sizes say */
    pending.msg_seq_num = of->message->msg_seq_num;
    pending.hash[0] = of->hash[0];
    pending.hash[1] = of->hash[1];
    pending.order = row;
    pending.session = (uint16_t)of->party->number;
    pending.left = pending.affected = 0;
    pending.orig.size = 0;
    const uint64_t number = desk->hooks.number(desk->hooks.context);
    if (number == 0)
        return unavailable(of);
    for (uint32_t i = 0; i < some_count; i++)
        some[i].cl_ord_id = number;
    keep_name(&pending.name, of->message, tl_fix_find(of->message, 11));
    if (orig != NULL && row != TL_FIX_NO_ROW && keeps_orig(of, orig, row))
        keep_name(&pending.orig, of->message, orig);
    tl_command commands[TL_FIX_SUBMIT_MAX + TL_FIX_COMMANDS_MAX];
    uint32_t count = tl_fix_desk_commands(desk, of->message, &pending, some, commands);
    for (uint32_t i = 1; i < some_count; i++)
        commands[count++] = some[i];
    const int rc = desk->hooks.submit(desk->hooks.context, commands, count);
    if (rc == -EAGAIN)
        return of->patience ? TL_FIX_LATER : unavailable(of);
    if (rc != 0)
        return done(desk, rc);
    const bool terms = some->type == TL_MSG_TYPE_TERMS;
    const int entered =
        tl_fix_desk_enter(desk, some + terms, terms ? some : NULL, &desk->asked, &pending);
    return done(desk, entered != 0 ? entered
                                   : tl_fix_tell_pending(desk, of->party, &pending, of->utc_ns));
}

/* Messages */

/* What an order of this OrdType and TimeInForce can not do without and has not, by its tag; 0:
 * none. */
static uint32_t term_missing(const tl_fix_message *message)
{
    const tl_fix_field *field = tl_fix_find(message, 40);
    const char ord_type = field->size == 1 ? *tl_fix_value(message, field) : 0;
    const bool limit = ord_type == TL_ORD_TYPE_LIMIT || ord_type == TL_ORD_TYPE_STOP_LIMIT;
    if (limit && tl_fix_find(message, 44) == NULL)
        return 44;
    const bool waits = ord_type == TL_ORD_TYPE_STOP || ord_type == TL_ORD_TYPE_STOP_LIMIT ||
                       ord_type == TL_ORD_TYPE_MARKET_IF_TOUCHED;
    if (waits && tl_fix_find(message, 99) == NULL)
        return 99;
    const bool dated = tl_fix_has_low(message, 126) || tl_fix_has_low(message, 432);
    return tl_fix_is(message, 59, TL_TIME_IN_FORCE_GTD) && !dated ? 126 : 0;
}

tl_fix_taken tl_fix_ask_order(request *of)
{
    tl_fix_desk *desk = of->desk;
    bool wait = false;
    tl_command some[2] = {{.type = TL_MSG_TYPE_TERMS}, {0}}, *const cmd = &some[1];
    switch (tl_fix_look_up(of)) {
    case ANSWERED:
        return done(desk, desk->error);
    case WAIT:
        return TL_FIX_LATER;
    case GO_ON:
        break;
    }
    int reason;
    if (of->known != NULL) {
        if (redelivered(of))
            return done(desk, desk->error);
        reason = tl_fix_refuse(desk, TL_FIX_ORD_DUPLICATE, "ClOrdID %.*s was used before",
                        SHOWN(of->message, tl_fix_find(of->message, 11)));
    } else {
        if (tl_fix_find(of->message, 55) == NULL)
            return missing(of, 55);
        if (tl_fix_find(of->message, 38) == NULL)
            return missing(of, 38);
        const uint32_t tag = term_missing(of->message);
        if (tag != 0)
            return missing(of, tag);
        reason = wanted(of, cmd, some, &wait);
    }
    if (reason < 0)
        return cmd->field == TL_MORE_TERMS ? tl_fix_submit(of, some, 2, TL_FIX_NO_ROW)
                                           : tl_fix_submit(of, cmd, 1, TL_FIX_NO_ROW);
    if (wait)
        return TL_FIX_LATER;
    return done(desk, tl_fix_answer_order(desk, of->party, of->message, reason, of->utc_ns));
}

/* Refuse a change whose other fields speak of another order. -1: they do not. */
static int check_same(const request *of, const tl_fix_order *order)
{
    const tl_fix_instrument *instrument =
        tl_fix_instrument_at(&of->desk->names, order->instrument);
    const tl_fix_name *account = tl_fix_account_at(&of->desk->names, order->account);
    char side[2] = {(char)order->side, 0}, order_id[24];
    snprintf(order_id, sizeof order_id, "%llu", (unsigned long long)order->order_id);
    const struct {
        uint32_t tag;
        const char *name, *value;
        size_t size;
    } fields[] = {{55, "Symbol", instrument == NULL ? "" : instrument->symbol.text,
                   instrument == NULL ? 0 : instrument->symbol.size},
                  {54, "Side", side, 1},
                  {1, "Account", account == NULL ? "" : account->text,
                   account == NULL ? 0 : account->size},
                  {37, "OrderID", order_id, strlen(order_id)}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const tl_fix_field *given = tl_fix_find(of->message, fields[i].tag);
        if (given != NULL &&
            (given->size != fields[i].size ||
             memcmp(tl_fix_value(of->message, given), fields[i].value, given->size) != 0))
            return tl_fix_refuse(of->desk, TL_FIX_CXL_OTHER,
                                 "%s(%u) is not the order's, which is %.*s",
                          fields[i].name, fields[i].tag, (int)fields[i].size, fields[i].value);
    }
    return -1;
}

/* What a change asks for: of a cancel nothing, of a replace price and quantity; everything else
 * must be as it was. */
static int read_change(const request *of, const tl_fix_order *order, tl_command *cmd)
{
    const tl_fix_instrument *instrument =
        tl_fix_instrument_at(&of->desk->names, order->instrument);
    if (instrument == NULL)
        return tl_fix_refuse(of->desk, TL_FIX_CXL_OTHER, "the order's instrument has no name");
    if (tl_fix_terms_refused(of->message, instrument, of->desk->text))
        return TL_FIX_ORD_UNSUPPORTED;
    if (cmd->type == TL_MSG_TYPE_CANCEL)
        return -1;
    const bool priced = tl_fix_find(of->message, 44) != NULL;
    const bool touched = order->ord_type == TL_ORD_TYPE_LIMIT_IF_TOUCHED;
    if (!tl_fix_is(of->message, 40,
                   touched ? (char)TL_ORD_TYPE_MARKET_IF_TOUCHED : (char)order->ord_type) ||
        (touched && !priced))
        return tl_fix_refuse(of->desk, TL_FIX_CXL_OTHER, "OrdType(40) can not be changed");
    if (tl_fix_find(of->message, 59) != NULL &&
        !tl_fix_is(of->message, 59, tl_fix_time_said(order->time_in_force)))
        return tl_fix_refuse(of->desk, TL_FIX_CXL_OTHER, "TimeInForce(59) can not be changed");
    int reason = tl_fix_read_price(of->desk, of->message, instrument, &cmd->price);
    if (reason < 0)
        reason = tl_fix_read_qty(of->desk, of->message, instrument, &cmd->qty);
    return reason >= 0 || !tl_fix_says_special(of->message)
               ? reason
               : tl_fix_special_same(of->desk, of->message, instrument, order);
}

/* An order of the session by its OrderID(37), for requests of FIX 5.0 that name it by nothing else;
 * NO_ROW. */
static uint32_t by_order_id(const request *of)
{
    uint64_t order_id;
    const tl_fix_field *field = tl_fix_find(of->message, 37);
    if (!tl_fix_read_uint(tl_fix_value(of->message, field), field->size, &order_id))
        return TL_FIX_NO_ROW;
    const uint32_t row = tl_fix_order_of(of->desk->orders, order_id);
    if (row == TL_FIX_NO_ROW ||
        tl_fix_order_at(of->desk->orders, row)->session != of->party->number)
        return TL_FIX_NO_ROW;
    return row;
}

/* The order that a change names: its row, NO_ROW: there is none; `wait`: not answered yet. */
static uint32_t named(const request *of, bool *wait)
{
    uint64_t hash[2];
    const tl_fix_field *orig = tl_fix_find(of->message, 41);
    if (orig == NULL)
        return by_order_id(of);
    hash_of(of, orig, hash);
    const tl_fix_request *found = tl_fix_request_find(of->desk->orders, hash);
    *wait = found != NULL && found->state == TL_FIX_REQUEST_PENDING;
    if (found != NULL && found->state == TL_FIX_REQUEST_ACCEPTED)
        return found->order;
    return TL_FIX_NO_ROW;
}

tl_fix_taken tl_fix_ask_change(request *of)
{
    tl_fix_desk *desk = of->desk;
    bool wait = false;
    const bool replaces = of->message->type == TL_FIX_ORDER_CANCEL_REPLACE_REQUEST;
    if (replaces && tl_fix_find(of->message, 38) == NULL)
        return missing(of, 38);
    const bool unpriced = tl_fix_is(of->message, 40, TL_ORD_TYPE_STOP) ||
                          tl_fix_is(of->message, 40, TL_ORD_TYPE_MARKET_IF_TOUCHED);
    if (replaces && !unpriced && tl_fix_find(of->message, 44) == NULL)
        return missing(of, 44);
    const uint32_t naming = tl_fix_find(of->message, 41) != NULL ? 41 : 37;
    if (tl_fix_find(of->message, naming) == NULL) /* FIX 5.0 lets both be left out */
        return missing(of, 41);
    const underway how = tl_fix_look_up(of);
    if (how != GO_ON)
        return how == WAIT ? TL_FIX_LATER : done(desk, desk->error);
    if (of->known != NULL && redelivered(of))
        return done(desk, desk->error);
    const uint32_t row = named(of, &wait);
    if (wait)
        return of->patience ? TL_FIX_LATER : unavailable(of);
    const tl_fix_field *name = tl_fix_find(of->message, 11);
    const tl_fix_order *order = row == TL_FIX_NO_ROW ? NULL : tl_fix_order_at(desk->orders, row);
    tl_command cmd = {.type = replaces ? TL_MSG_TYPE_REPLACE : TL_MSG_TYPE_CANCEL};
    int reason;
    if (order == NULL)
        reason = tl_fix_refuse(desk, TL_FIX_CXL_UNKNOWN_ORDER, "%s %.*s names no order",
                        naming == 41 ? "OrigClOrdID" : "OrderID",
                        SHOWN(of->message, tl_fix_find(of->message, naming)));
    else if (of->known != NULL)
        reason = tl_fix_refuse(desk, TL_FIX_CXL_DUPLICATE, "ClOrdID %.*s was used before",
                        SHOWN(of->message, name));
    else if ((reason = tl_fix_check_name(of, name)) < 0 && (reason = check_same(of, order)) < 0)
        reason = read_change(of, order, &cmd);
    if (reason >= 0)
        return done(desk,
                    tl_fix_answer_change(desk, of->party, of->message, reason, row, of->utc_ns));
    cmd.order_id = order->order_id;
    cmd.account = order->account;
    return tl_fix_submit(of, &cmd, 1, row);
}

tl_fix_taken tl_fix_ask_status(request *of)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_field *name = tl_fix_find(of->message, 11);
    uint32_t row = TL_FIX_NO_ROW;
    if (name == NULL && tl_fix_find(of->message, 37) == NULL)
        return missing(of, 11);
    if (name == NULL) {
        row = by_order_id(of);
    } else {
        hash_of(of, name, of->hash);
        const tl_fix_request *found = tl_fix_request_find(desk->orders, of->hash);
        if (found != NULL && found->state == TL_FIX_REQUEST_PENDING)
            return of->patience ? TL_FIX_LATER : unavailable(of);
        row = found != NULL ? found->order : TL_FIX_NO_ROW;
    }
    if (row == TL_FIX_NO_ROW) {
        const int reason =
            tl_fix_refuse(desk, TL_FIX_ORD_UNKNOWN_ORDER, "unknown order %.*s",
                   SHOWN(of->message, name != NULL ? name : tl_fix_find(of->message, 37)));
        return done(desk, tl_fix_answer_order(desk, of->party, of->message, reason, of->utc_ns));
    }
    const tl_fix_instrument *instrument =
        tl_fix_instrument_at(&desk->names, tl_fix_order_at(desk->orders, row)->instrument);
    if (instrument != NULL && tl_fix_terms_refused(of->message, instrument, desk->text))
        return done(desk, tl_fix_answer_business(desk, of->party, of->message,
                                                 TL_FIX_BUSINESS_OTHER, desk->text));
    return done(desk, tl_fix_answer_status(desk, of->party, of->message, row, of->utc_ns));
}
