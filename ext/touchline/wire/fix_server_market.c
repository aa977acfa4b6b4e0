/* Market data and reference data of the server's sessions: which messages are the market's, and
 * what it asks of the sessions. */
#include "touchline/wire/fix_server_state.h"

#include <stdio.h>

static int hook_send(void *context, uint32_t session, const char *msg_type, const char *body,
                     size_t size, bool passing)
{
    tl_fix_server *server = context;
    tl_fix_seat *seat = &server->seats[session];
    tl_fix_count(&server->sent);
    const int rc =
        passing ? tl_fix_session_send_passing(seat->session, msg_type, body, size, &server->now)
                : tl_fix_session_send(seat->session, msg_type, body, size, 0, &server->now);
    if (rc != 0 && server->failure == 0) {
        server->failure = rc;
        snprintf(server->fault, sizeof server->fault, "the store could not be written: %s",
                 tl_fix_store_fault(server->store));
    }
    tl_fix_seat_touch_later(server, seat);
    return rc;
}

static bool hook_ready(void *context, uint32_t session)
{
    const tl_fix_server *server = context;
    const tl_fix_seat *seat = &server->seats[session];
    return seat->conn != NULL && seat->over_ns == 0 && seat->conn->out_at == seat->conn->out_end &&
           tl_fix_session_drained(seat->session);
}

int tl_fix_market_of_server(tl_fix_server *server)
{
    const tl_fix_market_hooks hooks = {.context = server,
                                       .names = tl_fix_desk_names(server->desk),
                                       .send = hook_send,
                                       .ready = hook_ready};
    tl_fix_market_config config = server->config.market;
    config.sessions_max = server->sessions_max;
    if (config.instruments_max < server->config.desk.instruments_max)
        config.instruments_max = server->config.desk.instruments_max;
    if (config.orders_max != 0)
        atomic_store(&server->books_state, TL_FIX_BOOKS_KEPT);
    return tl_fix_market_open(&server->market, &config, &hooks);
}

void tl_fix_server_tell_market(tl_fix_server *server, const tl_event *events, size_t count)
{
    tl_fix_market_events(server->market, events, count);
    const char *fault = tl_fix_market_fault(server->market);
    if (fault != NULL)
        atomic_store_explicit(&server->market_fault, fault, memory_order_release);
}

const char *tl_fix_server_market_fault(const tl_fix_server *server)
{
    return atomic_load_explicit(&server->market_fault, memory_order_acquire);
}

static tl_fix_taken ask_market(tl_fix_server *server, const tl_fix_seat *seat,
                               const tl_fix_message *message, bool patience)
{
    const tl_fix_asker asker = {.session = seat->party.number,
                                .dialect = seat->party.dialect,
                                .time_decimals = seat->party.time_decimals,
                                .may_market_data = (seat->party.permissions &
                                                    TL_FIX_MAY_MARKET_DATA) != 0};
    switch (tl_fix_market_request(server->market, &asker, message, server->now.utc_ns, patience,
                                  tl_fix_desk_wants_names(server->desk))) {
    case TL_FIX_ASKED_LATER:
        return TL_FIX_LATER;
    case TL_FIX_ASKED_FAILED:
        return TL_FIX_FAILED;
    case TL_FIX_ASKED_DONE:
        break;
    }
    return TL_FIX_TAKEN;
}

tl_fix_taken tl_fix_seat_request(tl_fix_server *server, tl_fix_seat *seat,
                                 const tl_fix_message *message, bool patience, int *error)
{
    tl_fix_taken taken;
    if (tl_fix_market_serves(message->type)) {
        taken = ask_market(server, seat, message, patience);
        *error = tl_fix_market_error(server->market);
        return taken;
    }
    const bool available =
        atomic_load_explicit(&server->mailbox.available, memory_order_relaxed);
    taken = tl_fix_desk_request(server->desk, &seat->party, message, server->now.utc_ns, patience,
                                available);
    *error = tl_fix_desk_error(server->desk);
    return taken;
}

void tl_fix_server_write_market(tl_fix_server *server)
{
    if (server->market == NULL || server->failure != 0)
        return;
    const int rc = tl_fix_market_write(server->market, server->now.utc_ns);
    if (rc != 0 && server->failure == 0)
        server->failure = rc;
}
