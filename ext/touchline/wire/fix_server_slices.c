/* Resends by the other engine, which serves one at a stretch while everybody waits: it is asked for
 * them a slice at a time, the next one when the last message of the one before has come by and the
 * broker has taken it. A ResendRequest of the broker's is not handed on; a Heartbeat with its
 * number stands in its place, and what it asks for is added to what is asked for already.
 *
 * A slice is asked for with MsgSeqNum(34) = 0: that engine looks at no number of a ResendRequest
 * but to count it when it is the next, which 0 never is. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"
#include "touchline/wire/fix_text.h"

#include <string.h>

#define SLICE_MESSAGES 50u
#define PATIENCE_NS (5 * TL_FIX_SECOND_NS) /* for a slice, when the broker asks again */
#define TIME_BYTES_MAX 40u
#define BEGIN_BYTES_MAX 16u

static bool number_of(const tl_fix_message *message, uint32_t tag, uint64_t *number)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && tl_fix_read_uint(tl_fix_value(message, field), field->size, number);
}

void tl_fix_slices_begin(tl_fix_slices *slices)
{
    slices->begun = false;
    slices->awaited = 0;
    slices->own_at = slices->own_end = 0;
    slices->now = slices->later = (tl_fix_numbers){1, 0};
}

static bool none(const tl_fix_numbers *numbers)
{
    return numbers->from > numbers->to;
}

static void add(tl_fix_slices *slices, uint64_t from, uint64_t to)
{
    if (none(&slices->now) && slices->awaited == 0) {
        slices->now = (tl_fix_numbers){from, to};
        return;
    }
    if (from >= slices->now.from) { /* still to come */
        slices->now.to = to > slices->now.to ? to : slices->now.to;
        return;
    }
    if (none(&slices->later))
        slices->later = (tl_fix_numbers){from, to};
    slices->later.from = from < slices->later.from ? from : slices->later.from;
    slices->later.to = to > slices->later.to ? to : slices->later.to;
}

/* A message around `fields`, which begin behind MsgType(35). */
static void write_own(tl_fix_slices *slices, const char *begin_string, const char *fields,
                      size_t size)
{
    char *at = tl_fix_put_text(slices->own, 8, begin_string, strlen(begin_string));
    at = tl_fix_put_uint(at, 9, size);
    memcpy(at, fields, size);
    at += size;
    const uint8_t sum = tl_fix_checksum(slices->own, (size_t)(at - slices->own));
    const char digits[3] = {(char)('0' + sum / 100), (char)('0' + sum / 10 % 10),
                            (char)('0' + sum % 10)};
    at = tl_fix_put_text(at, 10, digits, sizeof digits);
    slices->own_at = 0;
    slices->own_end = (uint32_t)(at - slices->own);
}

/* A field of the broker's as it stands; false: it is longer than such a field can be. */
static bool copy(char **at, const tl_fix_message *message, uint32_t tag, uint32_t max)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    if (field == NULL)
        return true;
    if (field->size == 0 || field->size > max)
        return false;
    *at = tl_fix_put_text(*at, tag, tl_fix_value(message, field), field->size);
    return true;
}

/* A Heartbeat with the header of the message; false: that is no header of a session's. */
static bool stand_in(tl_fix_seat *seat, const tl_fix_message *message, const char *begin_string)
{
    char fields[sizeof seat->slices.own - 64];
    char *at = tl_fix_put_char(fields, 35, '0');
    if (!copy(&at, message, 34, 20) || !copy(&at, message, 43, 1) ||
        !copy(&at, message, 49, TL_FIX_NAME_MAX) || !copy(&at, message, 52, TIME_BYTES_MAX) ||
        !copy(&at, message, 56, TL_FIX_NAME_MAX) || !copy(&at, message, 122, TIME_BYTES_MAX))
        return false;
    write_own(&seat->slices, begin_string, fields, (size_t)(at - fields));
    return true;
}

/* Of another version: the other engine ends the session by a Logout, whatever else is in it. */
static tl_fix_replaced strange_one(tl_fix_seat *seat, const tl_fix_message *message)
{
    char version[BEGIN_BYTES_MAX + 1] = {0};
    uint64_t number = 0;
    if (!tl_fix_of_another_version(message) || message->fields[0].size > BEGIN_BYTES_MAX ||
        !number_of(message, 34, &number) || number > INT32_MAX)
        return TL_FIX_ASKED_AMISS;
    memcpy(version, tl_fix_value(message, &message->fields[0]), message->fields[0].size);
    return stand_in(seat, message, version) ? TL_FIX_ASKED_REPLACED : TL_FIX_ASKED_AMISS;
}

tl_fix_replaced tl_fix_slices_asked(tl_fix_server *server, tl_fix_seat *seat,
                                 const tl_fix_message *message, bool strange)
{
    tl_fix_slices *slices = &seat->slices;
    uint64_t begin, end;
    if (strange)
        return strange_one(seat, message);
    if (message->type != TL_FIX_RESEND_REQUEST || !number_of(message, 7, &begin) ||
        !number_of(message, 16, &end))
        return TL_FIX_ASKED_NOTHING; /* the other engine rejects what can not be read */
    if (end == 0 || end > slices->sent ||
        (end == 999999 && seat->party.dialect->version == TL_FIX_42))
        end = slices->sent;
    const bool good = tl_fix_check(message, seat->party.dialect).reason < 0;
    if (!good) /* to be rejected by the other engine, unless that may be of another mind */
        return begin > end || end - begin < SLICE_MESSAGES ? TL_FIX_ASKED_NOTHING
                                                          : TL_FIX_ASKED_AMISS;
    if (!stand_in(seat, message, seat->party.dialect->begin_string))
        return TL_FIX_ASKED_AMISS;
    if (slices->awaited != 0 && server->now.mono_ns - slices->asked_ns > PATIENCE_NS)
        slices->awaited = 0;
    if (begin <= end) /* what was not sent yet comes in its turn */
        add(slices, begin == 0 ? 1 : begin, end);
    return TL_FIX_ASKED_REPLACED;
}

void tl_fix_slices_saw(tl_fix_slices *slices, const tl_fix_message *message)
{
    const uint64_t number = message->msg_seq_num;
    uint64_t next = number + 1;
    if (!message->poss_dup && (number > slices->sent || message->type == TL_FIX_LOGON))
        slices->sent = number;
    slices->begun = true;
    if (slices->awaited == 0)
        return;
    if (message->type == TL_FIX_SEQUENCE_RESET)
        number_of(message, 36, &next);
    if (message->type == TL_FIX_REJECT || (message->poss_dup && next > slices->awaited))
        slices->awaited = 0;
}

void tl_fix_slices_go_on(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_slices *slices = &seat->slices;
    if (slices->awaited != 0 || slices->own_at < slices->own_end)
        return;
    if (none(&slices->now)) {
        slices->now = slices->later;
        slices->later = (tl_fix_numbers){1, 0};
    }
    if (none(&slices->now))
        return;
    const uint64_t left = slices->now.to - slices->now.from + 1;
    const uint64_t last = slices->now.from + (left < SLICE_MESSAGES ? left : SLICE_MESSAGES) - 1;
    const tl_fix_terms *terms = &seat->terms;
    char fields[sizeof slices->own - 64];
    char *at = tl_fix_put_char(fields, 35, '2');
    at = tl_fix_put_uint(at, 34, 0);
    at = tl_fix_put_text(at, 49, terms->comp_id, strlen(terms->comp_id));
    at = tl_fix_put_time(at, 52, server->now.utc_ns, 3);
    at = tl_fix_put_text(at, 56, terms->venue_comp_id, strlen(terms->venue_comp_id));
    at = tl_fix_put_uint(at, 7, slices->now.from);
    at = tl_fix_put_uint(at, 16, last);
    write_own(slices, terms->dialect->begin_string, fields, (size_t)(at - fields));
    slices->awaited = last;
    slices->asked_ns = server->now.mono_ns;
    slices->now.from = last + 1;
}
