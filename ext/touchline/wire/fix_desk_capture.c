/* Trades for those who ask: counted, then an AQ that says how many, then a report (AE) for each
 * side of a trade that is on an account of the session. With a subscription it goes on from there,
 * so that no trade is left out or comes twice between the two.
 *
 * The history may forget a trade before a slow peer has read what came before it: then the request
 * is ended by an AQ that says so.
 */
#include <stdlib.h>
#include <string.h>

#include "touchline/wire/fix_desk_capture.h"

void tl_fix_capture_close(tl_fix_capture *capture)
{
    free(capture);
}

static char *put_string(char *at, uint32_t tag, const char *text)
{
    return tl_fix_put_text(at, tag, text, strlen(text));
}

/* Symbol(55), which FIX 4.4 wants in each of these; of no instrument in particular, as FIX says. */
static char *put_symbol(const tl_fix_desk *desk, char *at, uint16_t number)
{
    const tl_fix_instrument *instrument = tl_fix_instrument_at(&desk->names, number);
    if (number == TL_INSTRUMENT_ALL)
        return put_string(at, 55, "[N/A]");
    return instrument != NULL
               ? tl_fix_put_text(at, 55, instrument->symbol.text, instrument->symbol.size)
               : tl_fix_put_uint(at, 55, number);
}

int tl_fix_capture_answer(tl_fix_desk *desk, uint32_t session, const tl_fix_capture *capture,
                          int result, const char *text)
{
    const bool more = capture->total > 0 || capture->subscription == '1';
    char *at = tl_fix_desk_begin(desk, &capture->route);
    at = put_symbol(desk, at, capture->criteria.instrument);
    if (text != NULL)
        at = put_string(at, 58, text);
    if (capture->subscription != 0)
        at = tl_fix_put_char(at, 263, capture->subscription);
    at = tl_fix_put_text(at, 568, capture->id, capture->id_size);
    at = tl_fix_put_char(at, 569, capture->type);
    at = tl_fix_put_uint(at, 748, capture->total);
    at = tl_fix_put_uint(at, 749, (uint64_t)result);
    at = tl_fix_put_char(at, 750, result != TL_FIX_CAPTURE_DONE ? '2' : more ? '0' : '1');
    return tl_fix_desk_send(desk, session, "AQ", at, 0);
}

static bool fits(const tl_fix_seated *seated, const tl_fix_criteria *criteria,
                 const tl_fix_trade *trade, uint32_t side)
{
    return (criteria->sides >> side & 1) != 0 &&
           tl_fix_has_account(seated, trade->accounts[side]) &&
           trade->ts_ns >= criteria->from_ns && trade->ts_ns <= criteria->to_ns &&
           (criteria->trade == 0 || criteria->trade == trade->seq) &&
           (criteria->order_id == 0 || criteria->order_id == trade->orders[side]) &&
           (criteria->account == TL_ACCOUNT_ALL || criteria->account == trade->accounts[side]) &&
           (criteria->instrument == TL_INSTRUMENT_ALL ||
            criteria->instrument == trade->instrument) &&
           (criteria->row == TL_FIX_NO_ROW || criteria->row == trade->rows[side]) &&
           !criteria->impossible;
}

/* Reports */

/* NoSides(552), with the members in the order of the version. */
static char *put_side(const tl_fix_desk *desk, const tl_fix_seated *seated,
                      const tl_fix_trade *trade, uint32_t side, char *at)
{
    static const tl_fix_cl_ord_id none = {0};
    const tl_fix_cl_ord_id *name = &none;
    if (trade->rows[side] != TL_FIX_NO_ROW)
        name = tl_fix_order_name(desk->orders, trade->rows[side]);
    at = tl_fix_put_char(at, 552, '1');
    at = tl_fix_put_char(at, 54, side == 0 ? TL_SIDE_BUY : TL_SIDE_SELL);
    if (seated->dialect->version == TL_FIX_50SP2)
        at = tl_fix_put_account(desk, at, trade->accounts[side]);
    at = tl_fix_put_uint(at, 37, trade->orders[side]);
    if (name->size != 0)
        at = tl_fix_put_text(at, 11, name->text, name->size);
    if (seated->dialect->version != TL_FIX_50SP2)
        at = tl_fix_put_account(desk, at, trade->accounts[side]);
    return at;
}

static char *put_date(char *at, uint32_t tag, int64_t ts_ns)
{
    char text[32];
    tl_fix_write_time(text, ts_ns, 0);
    return tl_fix_put_text(at, tag, text, 8);
}

static int report_side(tl_fix_desk *desk, uint32_t session, const tl_fix_capture *capture,
                       const tl_fix_trade *trade, uint32_t side)
{
    const tl_fix_seated *seated = &desk->sessions[session];
    const tl_fix_instrument *instrument = tl_fix_instrument_at(&desk->names, trade->instrument);
    static const tl_fix_unit one = {1, 0};
    const bool live = capture->state == TL_FIX_LIVE;
    char id[32], *end = tl_fix_write_uint(id, trade->seq);
    *end++ = '-';
    *end++ = (char)('1' + side);
    char *at = tl_fix_desk_begin(desk, &capture->route);
    at = tl_fix_put_text(at, 17, id, (size_t)(end - id));
    at = tl_fix_put_units(at, 31, trade->price, instrument != NULL ? &instrument->tick : &one);
    at = tl_fix_put_units(at, 32, trade->qty, instrument != NULL ? &instrument->lot : &one);
    at = put_symbol(desk, at, trade->instrument);
    at = tl_fix_put_time(at, 60, trade->ts_ns, seated->time_decimals);
    at = put_date(at, 75, trade->ts_ns);
    at = tl_fix_put_char(at, 150, 'F');
    at = put_side(desk, seated, trade, side, at);
    at = tl_fix_put_text(at, 568, capture->id, capture->id_size);
    at = tl_fix_put_char(at, 570, 'N');
    at = tl_fix_put_text(at, 571, id, (size_t)(end - id));
    if (!live)
        at = tl_fix_put_uint(at, 748, capture->total);
    at = tl_fix_put_uint(at, 880, trade->seq);
    if (!live)
        at = tl_fix_put_char(at, 912, capture->sent + 1 == capture->total ? 'Y' : 'N');
    if (seated->dialect->version == TL_FIX_50SP2)
        at = tl_fix_put_uint(at, 1003, trade->seq);
    return tl_fix_desk_send(desk, session, "AE", at, 0);
}

/* Slices */

/* What was asked about is all counted: say how many. */
static int counted(tl_fix_desk *desk, uint32_t session, tl_fix_capture *capture, bool *over)
{
    capture->at = capture->from;
    capture->state = TL_FIX_SENDING;
    *over = capture->total == 0 && capture->subscription != '1';
    return tl_fix_capture_answer(desk, session, capture, TL_FIX_CAPTURE_DONE, NULL);
}

static int count(tl_fix_desk *desk, uint32_t session, tl_fix_capture *capture, bool *over)
{
    const tl_fix_seated *seated = &desk->sessions[session];
    for (uint32_t i = 0; i < TL_FIX_SLICE_LOOKS && capture->at < capture->to; i++) {
        const tl_fix_trade *trade = tl_fix_trade_at(&desk->trades, capture->at++);
        capture->total += (uint32_t)fits(seated, &capture->criteria, trade, 0) +
                          (uint32_t)fits(seated, &capture->criteria, trade, 1);
    }
    if (capture->at < capture->to)
        return 1;
    const int rc = counted(desk, session, capture, over);
    return rc != 0 ? rc : !*over;
}

/* Trades up to `end`, as far as there is room. 1: it has looked at as many as it may. */
static int send_some(tl_fix_desk *desk, uint32_t session, tl_fix_capture *capture, uint64_t end)
{
    const tl_fix_seated *seated = &desk->sessions[session];
    uint32_t room = capture->at < end ? desk->hooks.room(desk->hooks.context, session) : 0;
    if (room > TL_FIX_SLICE_REPORTS)
        room = TL_FIX_SLICE_REPORTS;
    const bool any_room = room > 0;
    for (uint32_t i = 0; i < TL_FIX_SLICE_LOOKS && capture->at < end; i++) {
        const tl_fix_trade *trade = tl_fix_trade_at(&desk->trades, capture->at);
        for (; capture->side < 2; capture->side++) {
            if (!fits(seated, &capture->criteria, trade, capture->side))
                continue;
            if (room-- == 0)
                return any_room;
            const int rc = report_side(desk, session, capture, trade, capture->side);
            if (rc != 0)
                return rc;
            capture->sent++;
        }
        capture->side = 0;
        capture->at++;
    }
    return capture->at < end;
}

int tl_fix_capture_slice(tl_fix_desk *desk, uint32_t session, tl_fix_capture *capture,
                         int64_t utc_ns, bool *over)
{
    (void)utc_ns;
    if (capture->at < desk->trades.first) {
        *over = true;
        return tl_fix_capture_answer(desk, session, capture, TL_FIX_CAPTURE_OTHER,
                                     "reading was too slow: trades were forgotten before they "
                                     "could be sent, and the request is over");
    }
    if (capture->state == TL_FIX_COUNTING)
        return count(desk, session, capture, over);
    if (capture->state == TL_FIX_LIVE)
        return send_some(desk, session, capture, desk->trades.next);
    const int more = send_some(desk, session, capture, capture->to);
    if (more != 0 || capture->at < capture->to)
        return more;
    *over = capture->subscription != '1';
    capture->state = TL_FIX_LIVE;
    return !*over;
}
