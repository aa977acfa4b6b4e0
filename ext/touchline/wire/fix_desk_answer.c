/* Answers that report nothing that happened: why a request went no further, how an order stands. */
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

static char *put_field(char *at, uint32_t tag, const tl_fix_message *message, uint32_t from)
{
    const tl_fix_field *field = tl_fix_find(message, from);
    return field == NULL ? at
                         : tl_fix_put_text(at, tag, tl_fix_value(message, field), field->size);
}

static char *put_string(char *at, uint32_t tag, const char *text)
{
    return tl_fix_put_text(at, tag, text, strlen(text));
}

/* What is echoed must fit beside what we say; a message of many kilobytes says less. */
static bool fits(const tl_fix_message *message)
{
    return message->size < TL_FIX_BODY_BYTES - TL_FIX_TEXT_MAX - TL_FIX_ROUTE_BYTES - 512;
}

static char *put_echo(char *at, uint32_t tag, const tl_fix_message *message)
{
    return fits(message) ? put_field(at, tag, message, tag) : at;
}

int tl_fix_answer_business(tl_fix_desk *desk, const tl_fix_party *party,
                           const tl_fix_message *message, int reason, const char *text)
{
    char *at = tl_fix_put_uint(tl_fix_desk_begin(desk, &desk->asked), 45, message->msg_seq_num);
    at = put_string(at, 58, text);
    at = put_field(at, 372, message, 35);
    if (fits(message))
        at = put_field(at, 379, message, 11);
    if (party->dialect->version == TL_FIX_42 && reason > TL_FIX_BUSINESS_MISSING)
        reason = TL_FIX_BUSINESS_OTHER;
    at = tl_fix_put_uint(at, 380, (uint64_t)reason);
    return tl_fix_desk_send(desk, party->number, "j", at, 0);
}

int tl_fix_answer_order(tl_fix_desk *desk, const tl_fix_party *party, const tl_fix_message *message,
                        int reason, int64_t utc_ns)
{
    const bool old = party->dialect->version == TL_FIX_42;
    const bool status = message->type == TL_FIX_ORDER_STATUS_REQUEST;
    char exec_id[32] = "0";
    if (!status)
        snprintf(exec_id, sizeof exec_id, "R%llu",
                 (unsigned long long)desk->hooks.refusal(desk->hooks.context));
    char *at = put_echo(tl_fix_desk_begin(desk, &desk->asked), 1, message);
    at = tl_fix_put_char(at, 6, '0');
    at = put_echo(at, 11, message);
    at = tl_fix_put_char(at, 14, '0');
    at = put_string(at, 17, exec_id);
    at = put_echo(at, 18, message);
    if (old)
        at = tl_fix_put_char(at, 20, status ? '3' : '0');
    at = put_string(at, 37, "NONE");
    at = put_echo(at, 38, message);
    at = tl_fix_put_char(at, 39, '8');
    at = put_echo(at, 40, message);
    at = put_echo(at, 44, message);
    at = put_echo(at, 54, message);
    at = put_echo(at, 55, message);
    at = put_string(at, 58, desk->text);
    at = put_echo(at, 59, message);
    at = tl_fix_put_time(at, 60, utc_ns, party->time_decimals);
    at = put_echo(at, 99, message);
    at = tl_fix_put_uint(at, 103, (uint64_t)tl_fix_ord_reason(party->dialect, reason));
    at = put_echo(at, 110, message);
    at = put_echo(at, 111, message);
    at = put_echo(at, 126, message);
    at = tl_fix_put_char(at, 150, status && !old ? 'I' : '8');
    at = tl_fix_put_char(at, 151, '0');
    at = put_echo(at, 432, message);
    if (!old)
        at = put_echo(at, 790, message);
    at = put_echo(at, 1138, message);
    return tl_fix_desk_send(desk, party->number, "8", at, 0);
}

int tl_fix_answer_change(tl_fix_desk *desk, const tl_fix_party *party,
                         const tl_fix_message *message, int reason, uint32_t row, int64_t utc_ns)
{
    const tl_fix_order *order = row == TL_FIX_NO_ROW ? NULL : tl_fix_order_at(desk->orders, row);
    char *at = put_echo(tl_fix_desk_begin(desk, &desk->asked), 11, message);
    if (order != NULL && order->order_id != 0)
        at = tl_fix_put_uint(at, 37, order->order_id);
    else
        at = put_string(at, 37, "NONE");
    at = tl_fix_put_char(at, 39,
                         order == NULL ? '8'
                                       : tl_fix_ord_status(party->dialect, order,
                                                           party->pending_reports));
    at = put_echo(at, 41, message);
    at = put_string(at, 58, desk->text);
    at = tl_fix_put_time(at, 60, utc_ns, party->time_decimals);
    at = tl_fix_put_uint(at, 102, (uint64_t)tl_fix_cxl_reason(party->dialect, reason));
    at = tl_fix_put_char(at, 434,
                         message->type == TL_FIX_ORDER_CANCEL_REPLACE_REQUEST ? '2' : '1');
    return tl_fix_desk_send(desk, party->number, "9", at, 0);
}

int tl_fix_answer_status(tl_fix_desk *desk, const tl_fix_party *party,
                         const tl_fix_message *message, uint32_t row, int64_t utc_ns)
{
    tl_fix_cl_ord_id asked = {0};
    const tl_fix_field *name = tl_fix_find(message, 11);
    const tl_fix_field *id = fits(message) ? tl_fix_find(message, 790) : NULL;
    if (name != NULL && name->size <= TL_FIX_CL_ORD_ID_MAX) {
        asked.size = (uint8_t)name->size;
        memcpy(asked.text, tl_fix_value(message, name), name->size);
    } else if (name == NULL) {
        asked = *tl_fix_order_name(desk->orders, row); /* it was asked for by its OrderID */
    }
    const tl_fix_report report = {.dialect = party->dialect,
                                  .order = tl_fix_order_at(desk->orders, row),
                                  .cl_ord_id = &asked,
                                  .transact_ns = utc_ns,
                                  .time_decimals = party->time_decimals,
                                  .ord_rej_reason = -1,
                                  .pending = party->pending_reports,
                                  .exec_type = 'I',
                                  .status_id = id == NULL ? NULL : tl_fix_value(message, id),
                                  .status_id_size = (uint32_t)tl_fix_size_of(id)};
    char *begin = tl_fix_desk_begin(desk, &desk->asked);
    return tl_fix_desk_send(desk, party->number, "8", tl_fix_write_report(desk, &report, begin), 0);
}
