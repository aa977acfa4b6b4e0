/* What comes due at a seat: heartbeats and ends, the orders of a peer who has left, the next
 * message of one who sends more than is agreed.
 *
 * Orders are taken off when the peer's grace is over and every request he made is answered; what he
 * enters once he is back stays. A peer who sends too fast is not read from, so that TCP slows him.
 */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <stdio.h>

#define OVER_NS (2 * TL_FIX_SECOND_NS)     /* for the last words of a session that is over */
#define AGAIN_NS (TL_FIX_SECOND_NS / 1000) /* until the engine is asked to cancel the next ones */

void tl_fix_seat_due(tl_fix_server *server, const tl_fix_seat *seat, int64_t due_ns)
{
    server->due_ns[seat->party.number] = due_ns;
    if (due_ns < server->first_due_ns)
        server->first_due_ns = due_ns;
}

void tl_fix_seat_over(tl_fix_server *server, tl_fix_seat *seat)
{
    if (seat->over_ns == 0) {
        seat->over_ns = server->now.mono_ns;
        tl_fix_seat_due(server, seat, server->now.mono_ns + OVER_NS);
    }
    tl_fix_seat_touch(server, seat);
}

/* Orders of who has left */

void tl_fix_seat_left(tl_fix_server *server, tl_fix_seat *seat, bool by_logout)
{
    const uint8_t how = by_logout ? TL_FIX_CANCEL_ON_LOGOUT : TL_FIX_CANCEL_ON_DISCONNECT;
    if (server->relay || (seat->terms.cancel_on & how) == 0)
        return;
    seat->cancel_ns = server->now.mono_ns + seat->terms.cancel_grace_s * TL_FIX_SECOND_NS;
    seat->canceling = false;
    tl_fix_seat_due(server, seat, seat->cancel_ns);
}

void tl_fix_seat_back(tl_fix_seat *seat)
{
    if (!seat->canceling)
        seat->cancel_ns = 0; /* in time: his orders stay */
}

void tl_fix_seats_left_before(tl_fix_server *server)
{
    for (uint32_t number = 0; !server->relay && number < server->sessions_max; number++) {
        tl_fix_seat *seat = &server->seats[number];
        if (seat->known && seat->conn == NULL && seat->terms.cancel_on != 0)
            tl_fix_seat_left(server, seat, tl_fix_ended_by_logout(server->store, number));
    }
}

static void say_canceled(tl_fix_server *server, const tl_fix_seat *seat)
{
    char text[64];
    if (server->log == NULL || seat->leaving.sent == 0)
        return;
    snprintf(text, sizeof text, "gone: %u of its orders are canceled", seat->leaving.sent);
    tl_fix_log_words(server, seat->party.number, text);
}

/* A slice of them; when the next is due. */
static int64_t cancel_orders(tl_fix_server *server, tl_fix_seat *seat)
{
    if (seat->cancel_ns == 0)
        return TL_FIX_NEVER;
    if (server->now.mono_ns < seat->cancel_ns)
        return seat->cancel_ns;
    if (!seat->canceling)
        tl_fix_desk_leave(server->desk, seat->party.number, &seat->leaving);
    seat->canceling = true;
    const int rc = tl_fix_desk_left_orders(server->desk, &seat->leaving);
    if (rc == -EAGAIN || rc > 0)
        return server->now.mono_ns + (rc > 0 ? 1 : AGAIN_NS);
    say_canceled(server, seat);
    seat->cancel_ns = 0;
    seat->canceling = false;
    return TL_FIX_NEVER;
}

/* Who sends too fast */

/* The agreed number may come at once, and then one after another at its pace. `pace_ns` is when
 * all that came would have come at that pace. */
uint32_t tl_fix_seat_budget(tl_fix_server *server, tl_fix_seat *seat)
{
    const uint32_t throttle = seat->terms.throttle;
    if (throttle == 0)
        return TL_FIX_MESSAGES_A_ROUND;
    const int64_t one_ns = TL_FIX_SECOND_NS / throttle, now_ns = server->now.mono_ns;
    if (seat->pace_ns < now_ns)
        seat->pace_ns = now_ns;
    const int64_t left = (now_ns + TL_FIX_SECOND_NS - seat->pace_ns) / one_ns;
    if (left > 0)
        return left < TL_FIX_MESSAGES_A_ROUND ? (uint32_t)left : TL_FIX_MESSAGES_A_ROUND;
    const int64_t due_ns = seat->pace_ns - TL_FIX_SECOND_NS + one_ns;
    seat->throttled = true;
    if (due_ns < server->due_ns[seat->party.number])
        tl_fix_seat_due(server, seat, due_ns);
    return 0;
}

void tl_fix_seat_spent(tl_fix_seat *seat, uint32_t messages)
{
    if (seat->terms.throttle != 0)
        seat->pace_ns += messages * (TL_FIX_SECOND_NS / seat->terms.throttle);
}

/* All of it */

static void tick(tl_fix_server *server, tl_fix_seat *seat)
{
    const uint32_t number = seat->party.number;
    if (seat->over_ns != 0) {
        tl_fix_seat_leave(server, seat, true);
        return;
    }
    if (server->relay) { /* what it waited for has not come */
        server->due_ns[number] = TL_FIX_NEVER;
        tl_fix_seat_queue(server, seat);
        return;
    }
    const int64_t orders_ns = cancel_orders(server, seat);
    int64_t due_ns = TL_FIX_NEVER;
    if (seat->conn != NULL && seat->session != NULL) {
        due_ns = tl_fix_session_tick(seat->session, &server->now);
        due_ns = due_ns > server->now.mono_ns ? due_ns : server->now.mono_ns + 1;
    }
    server->due_ns[number] = orders_ns < due_ns ? orders_ns : due_ns;
    if (seat->conn == NULL)
        return;
    if (seat->throttled) {
        seat->throttled = false;
        tl_fix_seat_queue(server, seat);
    }
    if (tl_fix_session_state_of(seat->session) == TL_FIX_OVER)
        tl_fix_seat_over(server, seat);
    tl_fix_seat_touch(server, seat);
}

void tl_fix_seats_tick(tl_fix_server *server)
{
    int64_t first = TL_FIX_NEVER;
    if (server->now.mono_ns < server->first_due_ns)
        return;
    for (uint32_t number = 0; number < server->sessions_max; number++) {
        if (server->due_ns[number] <= server->now.mono_ns)
            tick(server, &server->seats[number]);
        if (server->due_ns[number] < first)
            first = server->due_ns[number];
    }
    server->first_due_ns = first;
}
