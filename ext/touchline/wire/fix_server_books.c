/* Books for market data that come later: somebody was allowed it while the loop ran without.
 * Another thread builds them from the journal; the loop reads in the ring what happened since, some
 * thousand events a round, and gives them to the market when they are where it is itself: between
 * two batches of events. */
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <stdlib.h>

#define READS_A_ROUND 16

int tl_fix_server_books(tl_fix_server *server, tl_mirror *books)
{
    int none = TL_FIX_BOOKS_NONE;
    if (server->market == NULL)
        return -ENOTSUP;
    tl_fix_mail *mail = calloc(1, sizeof *mail);
    if (mail == NULL)
        return -ENOMEM;
    if (!atomic_compare_exchange_strong(&server->books_state, &none, TL_FIX_BOOKS_COMING)) {
        free(mail);
        return -EALREADY;
    }
    mail->kind = TL_FIX_MAIL_BOOKS;
    mail->session = UINT32_MAX;
    mail->books = books;
    return tl_fix_mail_post(server, mail);
}

tl_fix_books tl_fix_server_books_state(const tl_fix_server *server)
{
    return (tl_fix_books)atomic_load(&server->books_state);
}

static void drop(tl_fix_server *server)
{
    tl_mirror_close(server->books);
    server->books = NULL;
    atomic_store(&server->books_state, TL_FIX_BOOKS_NONE);
}

/* Where an event does not fit those before it, the market says so. */
static void give(tl_fix_server *server)
{
    tl_fix_market_take(server->market, server->books);
    server->books = NULL;
    tl_fix_server_tell_market(server, NULL, 0);
    atomic_store(&server->books_state, TL_FIX_BOOKS_KEPT);
}

void tl_fix_server_books_follow(tl_fix_server *server)
{
    tl_event_reader reader = {.bus = server->bus, .next = tl_mirror_event_seq(server->books) + 1};
    for (int i = 0; i < READS_A_ROUND && reader.next < server->reader.next; i++) {
        const uint64_t left = server->reader.next - reader.next;
        const size_t most = left < TL_FIX_EVENTS_A_READ ? (size_t)left : TL_FIX_EVENTS_A_READ;
        const int64_t got = tl_event_reader_read(&reader, server->batch, most);
        if (got <= 0) {
            drop(server); /* the ring went past them */
            return;
        }
        if (tl_mirror_apply(server->books, server->batch, (size_t)got) < (size_t)got) {
            give(server);
            return;
        }
    }
    if (reader.next == server->reader.next)
        give(server);
    else if (reader.next > server->reader.next)
        drop(server);
}
