/* OrderMassCancelRequest (q): all open orders of the session's accounts, or those of one symbol or
 * side, taken off by the engine in one go, and the OrderMassCancelReport (r) that says how many.
 *
 * It is one MASS_CANCEL an account, all under the number of the one request: each says in `qty`,
 * which the engine does not read, how many they are. So the journal tells when the last is done.
 */
#include <string.h>

#include "touchline/wire/fix_desk_request.h"

/* MassCancelRejectReason(532) */
enum {
    MASS_NOT_SUPPORTED = 0,
    MASS_UNKNOWN_SYMBOL = 1,
    MASS_UNDERLYING = 2,
    MASS_TRADING_SESSION = 6,
    MASS_OTHER = 99
};

static const uint16_t read_or_harmless[] = {11, 54, 55, 58, 60, 107, 354, 355, 526, 530};

uint32_t tl_fix_mass_commands(const tl_command *cmd)
{
    return cmd->qty >= 1 && cmd->qty <= TL_FIX_COMMANDS_MAX ? (uint32_t)cmd->qty : 1;
}

static char *put_string(char *at, uint32_t tag, const char *text)
{
    return tl_fix_put_text(at, tag, text, strlen(text));
}

/* What a report says, in the order of the tags. */
typedef struct mass_report {
    const tl_fix_dialect *dialect;
    const char *id; /* of the report: OrderID(37), MassActionReportID(1369) */
    const char *cl_ord_id, *symbol, *text; /* NULL: none */
    uint32_t cl_ord_id_size, symbol_size;
    char side;            /* 0: both */
    const char *type;     /* MassCancelRequestType(530) */
    uint32_t type_size;
    int reason;           /* MassCancelRejectReason(532); -1: it was carried out */
    uint32_t affected;
    int64_t transact_ns;
    uint8_t time_decimals;
} mass_report;

static char *write_mass_report(const mass_report *report, char *at)
{
    at = tl_fix_put_text(at, 11, report->cl_ord_id, report->cl_ord_id_size);
    at = put_string(at, 37, report->id);
    if (report->side != 0)
        at = tl_fix_put_char(at, 54, report->side);
    if (report->symbol != NULL)
        at = tl_fix_put_text(at, 55, report->symbol, report->symbol_size);
    if (report->text != NULL)
        at = put_string(at, 58, report->text);
    at = tl_fix_put_time(at, 60, report->transact_ns, report->time_decimals);
    at = tl_fix_put_text(at, 530, report->type, report->type_size);
    if (report->reason >= 0) {
        at = tl_fix_put_char(at, 531, '0');
        at = tl_fix_put_uint(at, 532, (uint64_t)report->reason);
    } else {
        at = tl_fix_put_text(at, 531, report->type, report->type_size);
    }
    at = tl_fix_put_uint(at, 533, report->affected);
    if (report->dialect->version == TL_FIX_50SP2)
        at = put_string(at, 1369, report->id);
    return at;
}

/* Refused as it came, in the words of desk->text. */
static tl_fix_taken answer_refused(const request *of, int reason)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_field *name = tl_fix_find(of->message, 11), *type = tl_fix_find(of->message, 530);
    const tl_fix_field *symbol = tl_fix_find(of->message, 55), *side = tl_fix_find(of->message, 54);
    const bool fits = of->message->size < TL_FIX_BODY_BYTES - TL_FIX_TEXT_MAX - 512;
    char id[32];
    snprintf(id, sizeof id, "R%llu",
             (unsigned long long)desk->hooks.refusal(desk->hooks.context));
    const mass_report report = {.dialect = of->party->dialect,
                                .id = id,
                                .cl_ord_id = tl_fix_value(of->message, name),
                                .cl_ord_id_size = fits ? name->size : 0,
                                .symbol = symbol != NULL && fits
                                              ? tl_fix_value(of->message, symbol) : NULL,
                                .symbol_size = (uint32_t)tl_fix_size_of(symbol),
                                .text = desk->text,
                                .side = tl_fix_size_of(side) == 1
                                            ? *tl_fix_value(of->message, side) : 0,
                                .type = tl_fix_value(of->message, type),
                                .type_size = type->size,
                                .reason = reason,
                                .transact_ns = of->utc_ns,
                                .time_decimals = of->party->time_decimals};
    return done(desk, tl_fix_desk_send(desk, of->party->number, "r",
                                       write_mass_report(
                                           &report, tl_fix_desk_begin(desk, &desk->asked)), 0));
}

static int field_refused(const request *of, const tl_fix_field *field)
{
    const int reason = field->tag == 336 || field->tag == 625 ? MASS_TRADING_SESSION
                       : field->tag >= 305 && field->tag <= 318 ? MASS_UNDERLYING
                                                                : MASS_OTHER;
    return tl_fix_refuse(of->desk, reason, "field %u is not supported in a mass cancel",
                         field->tag);
}

/* The instrument that is meant. -1, or why not. */
static int read_scope(const request *of, tl_command *cmd, bool *wait)
{
    const tl_fix_field *type = tl_fix_find(of->message, 530);
    const tl_fix_field *symbol = tl_fix_find(of->message, 55);
    cmd->instrument = TL_INSTRUMENT_ALL;
    if (tl_fix_is(of->message, 530, '7'))
        return symbol == NULL ? -1
                              : tl_fix_refuse(of->desk, MASS_OTHER,
                                       "MassCancelRequestType(530) 7 has no Symbol(55)");
    if (!tl_fix_is(of->message, 530, '1'))
        return tl_fix_refuse(of->desk, MASS_NOT_SUPPORTED,
                      "MassCancelRequestType(530) %.*s is not supported; allowed: 1, 7",
                      SHOWN(of->message, type));
    if (symbol == NULL)
        return tl_fix_refuse(of->desk, MASS_UNKNOWN_SYMBOL,
                      "MassCancelRequestType(530) 1 needs a Symbol(55)");
    const uint32_t number = tl_fix_instrument_named(
        &of->desk->names, tl_fix_value(of->message, symbol), symbol->size);
    if (number != UINT32_MAX) {
        cmd->instrument = (uint16_t)number;
        return -1;
    }
    *wait = of->desk->wants_names && of->patience;
    return tl_fix_refuse(of->desk, MASS_UNKNOWN_SYMBOL, "unknown symbol '%.*s'",
                  SHOWN(of->message, symbol));
}

/* The command a request asks for, but for its account. -1, or why not. */
static int wanted(const request *of, tl_command *cmd, bool *wait)
{
    const tl_fix_field *side = tl_fix_find(of->message, 54);
    const tl_fix_field *stranger =
        tl_fix_stranger(of->message, read_or_harmless,
                        sizeof read_or_harmless / sizeof *read_or_harmless);
    cmd->type = TL_MSG_TYPE_MASS_CANCEL;
    if (tl_fix_check_name(of, tl_fix_find(of->message, 11)) >= 0)
        return MASS_OTHER;
    const int reason = read_scope(of, cmd, wait);
    if (reason >= 0)
        return reason;
    if (stranger != NULL)
        return field_refused(of, stranger);
    if (side != NULL && !tl_fix_is(of->message, 54, TL_SIDE_BUY) &&
        !tl_fix_is(of->message, 54, TL_SIDE_SELL))
        return tl_fix_refuse(of->desk, MASS_OTHER, "Side(54) %.*s is not supported; allowed: 1, 2",
                      SHOWN(of->message, side));
    cmd->side = side == NULL ? 0 : (uint8_t)*tl_fix_value(of->message, side);
    if (of->party->accounts_count < 1 || of->party->accounts_count > TL_FIX_COMMANDS_MAX)
        return tl_fix_refuse(of->desk, MASS_OTHER,
                             "the session has %u accounts; the most are %u here",
                             of->party->accounts_count, TL_FIX_COMMANDS_MAX);
    return -1;
}

tl_fix_taken tl_fix_ask_mass_cancel(request *of)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_field *name = tl_fix_find(of->message, 11);
    tl_command some[TL_FIX_COMMANDS_MAX];
    tl_command cmd = {0};
    bool wait = false;
    int reason;
    const underway how = tl_fix_look_up(of);
    if (how != GO_ON)
        return how == WAIT ? TL_FIX_LATER : done(desk, desk->error);
    if (of->known != NULL && of->message->poss_dup)
        return TL_FIX_TAKEN; /* its report was or will be sent as the first delivery's */
    if (of->known != NULL)
        reason = tl_fix_refuse(desk, MASS_OTHER, "ClOrdID %.*s was used before",
                        SHOWN(of->message, name));
    else
        reason = wanted(of, &cmd, &wait);
    if (wait)
        return TL_FIX_LATER;
    if (reason >= 0)
        return answer_refused(of, reason);
    const uint32_t count = of->party->accounts_count;
    for (uint32_t i = 0; i < count; i++) {
        some[i] = cmd;
        some[i].account = of->party->accounts[i];
        some[i].qty = count;
    }
    return tl_fix_submit(of, some, count, TL_FIX_NO_ROW);
}

/* The last of its commands is done: `reason` as in mass_report. */
static int finish(tl_fix_desk *desk, const tl_event *event, tl_fix_pending *pending, int reason,
                  const char *text)
{
    const uint64_t key = tl_fix_key(event->seq, 0);
    const uint32_t session = pending->session;
    const tl_fix_seated *seated = tl_fix_listener(desk, session, key);
    const tl_fix_instrument *instrument =
        event->instrument == TL_INSTRUMENT_ALL
            ? NULL : tl_fix_instrument_at(&desk->names, event->instrument);
    char *end = NULL, id[32];
    *tl_fix_write_uint(id, event->seq) = 0;
    if (seated != NULL) {
        const mass_report report = {
            .dialect = seated->dialect,
            .id = id,
            .cl_ord_id = pending->name.text,
            .cl_ord_id_size = pending->name.size,
            .symbol = instrument == NULL ? NULL : instrument->symbol.text,
            .symbol_size = instrument == NULL ? 0 : instrument->symbol.size,
            .text = text,
            .side = (char)event->side,
            .type = event->instrument == TL_INSTRUMENT_ALL ? "7" : "1",
            .type_size = 1,
            .reason = reason,
            .affected = pending->affected,
            .transact_ns = event->ts_ns,
            .time_decimals = seated->time_decimals};
        end = write_mass_report(
            &report, tl_fix_desk_begin(desk, tl_fix_route_at(desk->orders, pending->route)));
    }
    tl_fix_request_answered(desk->orders, pending, TL_FIX_NO_ROW,
                            reason < 0 ? TL_FIX_REQUEST_ACCEPTED : TL_FIX_REQUEST_REFUSED);
    return end == NULL ? 0 : tl_fix_desk_send(desk, session, "r", end, key);
}

/* The operator takes off the day orders of all: that is the end of the day. */
static bool ends_the_day(const tl_event *event)
{
    return event->instrument == TL_INSTRUMENT_ALL && event->account == TL_ACCOUNT_ALL &&
           event->side == 0 && event->time_in_force == TL_TIME_IN_FORCE_DAY &&
           event->cl_ord_id >> 32 == TL_LANE_ADMIN;
}

int tl_fix_mass_canceled(tl_fix_desk *desk, const tl_event *event)
{
    if (ends_the_day(event))
        tl_fix_orders_day_over(desk->orders);
    tl_fix_pending *pending = tl_fix_request_pending(desk->orders, event->cl_ord_id);
    if (pending == NULL || pending->msg_type != TL_MSG_TYPE_MASS_CANCEL)
        return 0;
    pending->affected += event->qty;
    if (--pending->left > 0)
        return 0;
    return finish(desk, event, pending, -1, NULL);
}

int tl_fix_mass_rejected(tl_fix_desk *desk, const tl_event *event, tl_fix_pending *pending)
{
    if (--pending->left > 0)
        return 0;
    if (pending->affected > 0) /* some of its accounts are done */
        return finish(desk, event, pending, -1, NULL);
    return finish(desk, event, pending, MASS_OTHER,
                  tl_fix_refusal_text(desk, event->reason, event->value, event->limit, NULL));
}
