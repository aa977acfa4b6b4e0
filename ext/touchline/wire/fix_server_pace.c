/* How much the other engine is given at a time. It works off what it has read of a session while
 * everybody waits, and so does what makes the reports: so a session has a few requests with it, and
 * the next ones when the last of them is answered. They are read later, and TCP slows who sends
 * faster. One answer may stay out: after a moment nobody waits for it any more. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"
#include "touchline/wire/fix_text.h"

#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#define MESSAGES_MAX 4u                /* of a session, handed on and not dealt with */
#define PATIENCE_NS TL_FIX_SECOND_NS   /* for an answer */
#define DUPLICATE_PATIENCE_NS (TL_FIX_SECOND_NS / 100) /* of most duplicates nothing is said */
#define EDGE_PATIENCE_NS (TL_FIX_SECOND_NS / 100)

enum { TAG_CL_ORD_ID = 11, TAG_REF_SEQ_NUM = 45 };

static uint64_t name_of(const tl_fix_message *message)
{
    const tl_fix_field *field = tl_fix_find(message, TAG_CL_ORD_ID);
    uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a; a clash ends a wait too early */
    if (field == NULL)
        return 0;
    for (uint32_t i = 0; i < field->size; i++)
        hash = (hash ^ (unsigned char)tl_fix_value(message, field)[i]) * UINT64_C(1099511628211);
    return hash;
}

void tl_fix_pace_begin(tl_fix_pace *pace)
{
    *pace = (tl_fix_pace){.until_ns = TL_FIX_NEVER};
}

static bool is_answered(const tl_fix_message *message)
{
    switch (message->type) {
    case TL_FIX_HEARTBEAT:
    case TL_FIX_TEST_REQUEST:
    case TL_FIX_RESEND_REQUEST:
    case TL_FIX_REJECT:
    case TL_FIX_SEQUENCE_RESET:
    case TL_FIX_LOGOUT:
    case TL_FIX_LOGON:
    case TL_FIX_BUSINESS_MESSAGE_REJECT:
        return false;
    default:
        return true;
    }
}

void tl_fix_pace_gave(tl_fix_server *server, tl_fix_seat *seat, const tl_fix_message *message)
{
    tl_fix_pace *pace = &seat->pace;
    pace->given++;
    if (!is_answered(message) || seat->expected != 0)
        return;
    pace->name = name_of(message);
    pace->number = message->msg_seq_num;
    pace->until_ns =
        server->now.mono_ns + (message->poss_dup ? DUPLICATE_PATIENCE_NS : PATIENCE_NS);
}

void tl_fix_pace_saw(tl_fix_pace *pace, const tl_fix_message *message)
{
    uint64_t number = 0;
    if (pace->number == 0 || message->poss_dup)
        return;
    const tl_fix_field *about = tl_fix_find(message, TAG_REF_SEQ_NUM);
    if (about != NULL)
        tl_fix_read_uint(tl_fix_value(message, about), about->size, &number);
    /* Behind a gap nothing is answered until that is filled. */
    if (message->type == TL_FIX_RESEND_REQUEST || number == pace->number ||
        (pace->name != 0 && name_of(message) == pace->name))
        tl_fix_pace_begin(pace);
}

bool tl_fix_pace_full(tl_fix_server *server, tl_fix_seat *seat)
{
    tl_fix_pace *pace = &seat->pace;
    int unread = 0;
    if (pace->given < MESSAGES_MAX)
        return false;
    if (pace->number != 0 && server->now.mono_ns < pace->until_ns) {
        tl_fix_seat_due(server, seat, pace->until_ns);
        return true;
    }
    if (seat->cleared > 0) {
        if (seat->inner->writable) /* else an edge tells */
            tl_fix_seat_queue(server, seat); /* once that is handed on */
        return true;
    }
    /* What it has not read yet: an edge of EPOLLOUT tells when it has. */
    if (ioctl(seat->inner->fd, SIOCOUTQ, &unread) == 0 && unread > 0) {
        /* The edge comes a moment before the count is down. */
        tl_fix_seat_due(server, seat, server->now.mono_ns + EDGE_PATIENCE_NS);
        return true;
    }
    tl_fix_pace_begin(pace);
    return false;
}
