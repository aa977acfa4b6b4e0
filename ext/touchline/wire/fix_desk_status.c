/* OrderMassStatusRequest (AF): the open orders of a session, each by a report (8).
 *
 * First the orders are gathered, a slice of the slots each round; then they are reported, each as
 * it stands at that moment, so that TotNumReports(911) is right and no report is older than an
 * event that the session was told of before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_desk_request.h"

struct tl_fix_mass_status {
    char id[TL_FIX_ASKED_ID_MAX]; /* MassStatusReqID(584) */
    uint32_t id_size;
    tl_fix_route route;
    uint32_t account;     /* TL_ACCOUNT_ALL: any */
    uint16_t instrument;  /* TL_INSTRUMENT_ALL: any */
    uint8_t side;         /* 0: any */
    uint32_t slot;        /* the next to be looked at */
    uint32_t *rows;       /* of the orders found */
    uint32_t rows_count, rows_room, sent;
};

static const uint16_t read_or_harmless[] = {1, 54, 55, 107, 584, 585};

void tl_fix_mass_status_close(tl_fix_mass_status *status)
{
    free(status->rows);
    free(status);
}

static bool means(const tl_fix_mass_status *status, uint32_t session, const tl_fix_order *order)
{
    return order->session == session && order->leaves_qty != 0 && order->order_id != 0 &&
           (status->account == TL_ACCOUNT_ALL || status->account == order->account) &&
           (status->instrument == TL_INSTRUMENT_ALL || status->instrument == order->instrument) &&
           (status->side == 0 || status->side == order->side);
}

static int keep(tl_fix_mass_status *status, uint32_t row)
{
    if (status->rows_count == status->rows_room) {
        const uint32_t room = status->rows_room == 0 ? 64 : 2 * status->rows_room;
        uint32_t *grown = realloc(status->rows, room * sizeof *grown);
        if (grown == NULL)
            return -ENOMEM;
        status->rows = grown;
        status->rows_room = room;
    }
    status->rows[status->rows_count++] = row;
    return 0;
}

/* 1 when there are more slots. */
static int gather(tl_fix_desk *desk, uint32_t session, tl_fix_mass_status *status)
{
    const uint32_t slots = tl_fix_order_slots(desk->orders);
    for (uint32_t i = 0; i < TL_FIX_SLICE_LOOKS && status->slot < slots; i++) {
        const uint32_t row = tl_fix_order_in_slot(desk->orders, status->slot++);
        if (row == TL_FIX_NO_ROW || !means(status, session, tl_fix_order_at(desk->orders, row)))
            continue;
        const int rc = keep(status, row);
        if (rc != 0)
            return rc;
    }
    return status->slot < slots;
}

static char *put_string(char *at, uint32_t tag, const char *text)
{
    return tl_fix_put_text(at, tag, text, strlen(text));
}

/* No report to give, and why: desk->text. */
static int answer_none(tl_fix_desk *desk, const tl_fix_party *party, const tl_fix_route *route,
                       const char *id, size_t id_size, int reason, int64_t utc_ns)
{
    char *at = tl_fix_put_char(tl_fix_desk_begin(desk, route), 6, '0');
    at = tl_fix_put_char(at, 14, '0');
    at = tl_fix_put_char(at, 17, '0');
    at = put_string(at, 37, "NONE");
    at = tl_fix_put_char(at, 39, '8');
    at = tl_fix_put_char(at, 54, '7'); /* none in particular */
    at = put_string(at, 55, "[N/A]");
    at = put_string(at, 58, desk->text);
    at = tl_fix_put_time(at, 60, utc_ns, party->time_decimals);
    at = tl_fix_put_uint(at, 103, (uint64_t)tl_fix_ord_reason(party->dialect, reason));
    at = tl_fix_put_char(at, 150, 'I');
    at = tl_fix_put_char(at, 151, '0');
    at = tl_fix_put_text(at, 584, id, id_size);
    at = tl_fix_put_char(at, 911, '0');
    at = tl_fix_put_char(at, 912, 'Y');
    return tl_fix_desk_send(desk, party->number, "8", at, 0);
}

static int report_one(tl_fix_desk *desk, uint32_t session, const tl_fix_mass_status *status,
                      int64_t utc_ns)
{
    const tl_fix_seated *seated = &desk->sessions[session];
    const uint32_t row = status->rows[status->sent];
    const tl_fix_report report = {.dialect = seated->dialect,
                                  .pending = seated->pending_reports,
                                  .order = tl_fix_order_at(desk->orders, row),
                                  .cl_ord_id = tl_fix_order_name(desk->orders, row),
                                  .transact_ns = utc_ns,
                                  .time_decimals = seated->time_decimals,
                                  .ord_rej_reason = -1,
                                  .exec_type = 'I',
                                  .mass_id = status->id,
                                  .mass_id_size = status->id_size,
                                  .reports = status->rows_count,
                                  .last = status->sent + 1 == status->rows_count};
    char *begin = tl_fix_desk_begin(desk, &status->route);
    return tl_fix_desk_send(desk, session, "8", tl_fix_write_report(desk, &report, begin), 0);
}

int tl_fix_mass_status_slice(tl_fix_desk *desk, uint32_t session, int64_t utc_ns, bool *over)
{
    tl_fix_seated *seated = &desk->sessions[session];
    tl_fix_mass_status *status = seated->status;
    const int more = gather(desk, session, status);
    if (more != 0)
        return more;
    if (status->rows_count == 0) {
        const tl_fix_party party = {.number = session,
                                    .dialect = seated->dialect,
                                    .time_decimals = seated->time_decimals};
        *over = true;
        strcpy(desk->text, "no such open order");
        return answer_none(desk, &party, &status->route, status->id, status->id_size,
                           TL_FIX_ORD_UNKNOWN_ORDER, utc_ns);
    }
    uint32_t room = desk->hooks.room(desk->hooks.context, session);
    for (uint32_t i = 0; i < TL_FIX_SLICE_REPORTS && room > 0; i++, room--) {
        const int rc = report_one(desk, session, status, utc_ns);
        if (rc != 0)
            return rc;
        if (++status->sent == status->rows_count) {
            *over = true;
            return 0;
        }
    }
    return room > 0;
}

/* What is asked for. -1, or why not. */
static int read_scope(const request *of, tl_fix_mass_status *status, bool *wait)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_message *message = of->message;
    const tl_fix_field *account = tl_fix_find(message, 1), *symbol = tl_fix_find(message, 55);
    const tl_fix_field *side = tl_fix_find(message, 54);
    const tl_fix_field *stranger = tl_fix_stranger(
        message, read_or_harmless, sizeof read_or_harmless / sizeof *read_or_harmless);
    if (!tl_fix_is(message, 585, '7') && !tl_fix_is(message, 585, '1'))
        return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED,
                      "MassStatusReqType(585) %.*s is not supported; allowed: 1, 7",
                      SHOWN(message, tl_fix_find(message, 585)));
    if ((symbol != NULL) != tl_fix_is(message, 585, '1'))
        return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED,
                      "Symbol(55) is for MassStatusReqType(585) 1, and is needed there");
    if (stranger != NULL)
        return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED, "field %u is not supported here",
                      stranger->tag);
    if (side != NULL && !tl_fix_is(message, 54, '1') && !tl_fix_is(message, 54, '2'))
        return tl_fix_refuse(desk, TL_FIX_ORD_UNSUPPORTED,
                             "Side(54) %.*s is not supported; allowed: 1, 2", SHOWN(message, side));
    status->side = side == NULL ? 0 : (uint8_t)*tl_fix_value(message, side);
    status->instrument = TL_INSTRUMENT_ALL;
    status->account = TL_ACCOUNT_ALL;
    if (symbol != NULL) {
        const uint32_t number =
            tl_fix_instrument_named(&desk->names, tl_fix_value(message, symbol), symbol->size);
        *wait = number == UINT32_MAX && desk->wants_names && of->patience;
        if (number == UINT32_MAX)
            return tl_fix_refuse(desk, TL_FIX_ORD_UNKNOWN_SYMBOL, "unknown symbol '%.*s'",
                          SHOWN(message, symbol));
        status->instrument = (uint16_t)number;
    }
    if (account == NULL)
        return -1;
    status->account =
        tl_fix_account_named(&desk->names, tl_fix_value(message, account), account->size);
    if (tl_fix_has_account(&desk->sessions[of->party->number], status->account))
        return -1;
    return tl_fix_refuse(desk, TL_FIX_ORD_ACCOUNT, "unknown account '%.*s'",
                         SHOWN(message, account));
}

tl_fix_taken tl_fix_ask_mass_status(request *of)
{
    tl_fix_desk *desk = of->desk;
    const tl_fix_field *id = tl_fix_find(of->message, 584);
    tl_fix_seated *seated = &desk->sessions[of->party->number];
    tl_fix_mass_status asked = {0};
    bool wait = false;
    if (id->size > TL_FIX_ASKED_ID_MAX)
        return done(desk, tl_fix_answer_business(desk, of->party, of->message,
                                                 TL_FIX_BUSINESS_OTHER,
                                                 "MassStatusReqID(584) is longer than 64 bytes"));
    /* Requests before this one are answered first, so that their orders are there. */
    if (of->patience &&
        (seated->status != NULL || tl_fix_desk_pending(desk, of->party->number) > 0))
        return TL_FIX_LATER;
    int reason = read_scope(of, &asked, &wait);
    if (wait)
        return TL_FIX_LATER;
    if (reason < 0 && seated->status != NULL)
        reason = tl_fix_refuse(desk, TL_FIX_ORD_OTHER, "a mass status request is being answered");
    if (reason >= 0)
        return done(desk, answer_none(desk, of->party, &desk->asked, tl_fix_value(of->message, id),
                                      id->size, reason, of->utc_ns));
    asked.route = desk->asked;
    asked.id_size = id->size;
    memcpy(asked.id, tl_fix_value(of->message, id), id->size);
    seated->status = malloc(sizeof *seated->status);
    if (seated->status == NULL)
        return done(desk, -ENOMEM);
    *seated->status = asked;
    tl_fix_task_began(desk, of->party->number);
    return TL_FIX_TAKEN;
}
