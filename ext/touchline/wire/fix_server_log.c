/* What goes into the message log: messages as they were taken and as they went out, who came and
 * went. Without a log each call is one comparison. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <stdio.h>
#include <string.h>

int tl_fix_log_of_server(tl_fix_server *server)
{
    server->log_due_ns = TL_FIX_NEVER;
    if (server->config.log_directory == NULL)
        return 0;
    return tl_fix_log_open(&server->log, server->config.log_directory, &server->config.log);
}

static void note_due(tl_fix_server *server)
{
    if (server->log_due_ns == TL_FIX_NEVER)
        server->log_due_ns = server->now.mono_ns;
}

void tl_fix_log_in(tl_fix_server *server, uint32_t session, const char *bytes, size_t size)
{
    if (server->log == NULL)
        return;
    tl_fix_log_message(server->log, session, server->now.utc_ns, '<', bytes, size);
    note_due(server);
}

void tl_fix_log_out(tl_fix_server *server, uint32_t session, const struct iovec *pieces,
                    size_t written)
{
    if (server->log == NULL)
        return;
    /* A piece is a message, or the rest of one that a full line had cut and that is logged. */
    for (; written > 0; pieces++) {
        const size_t size = pieces->iov_len;
        if (size >= 2 && memcmp(pieces->iov_base, "8=", 2) == 0)
            tl_fix_log_message(server->log, session, server->now.utc_ns, '>', pieces->iov_base,
                               size);
        written -= size < written ? size : written;
    }
    note_due(server);
}

void tl_fix_log_event(tl_fix_server *server, uint32_t session, const char *what,
                      const tl_fix_conn *conn)
{
    char text[160];
    if (server->log == NULL)
        return;
    snprintf(text, sizeof text, "%s %s port %u", what, conn->address, conn->port);
    tl_fix_log_note(server->log, session, server->now.utc_ns, text);
    note_due(server);
}

void tl_fix_log_words(tl_fix_server *server, uint32_t session, const char *text)
{
    tl_fix_log_note(server->log, session, server->now.utc_ns, text);
    note_due(server);
}

void tl_fix_log_flush(tl_fix_server *server)
{
    if (server->log != NULL && server->now.mono_ns >= server->log_due_ns)
        server->log_due_ns = tl_fix_log_tick(server->log, server->now.mono_ns);
}
