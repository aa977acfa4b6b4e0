/* The acceptor: sockets, newcomers, sessions, the engine's lane and event ring, in one loop.
 *
 *   accept ─► newcomer (a small buffer, a deadline) ─► Logon ─► question to the policy ─► session
 *   readable ─► frame ─ parse ─ session ─ desk ─► lane        before the message counts as taken
 *   event ring ─► desk ─► store                               one sync a round, if durable
 *   writable ─► store ─► socket                               one send a session and round
 *
 * One thread runs the loop without the GIL; it sleeps in epoll or spins. Others talk to it through
 * the calls below, which are safe from any thread and never wait for the loop. What comes before a
 * good Logon costs one small buffer and a deadline, and changes nothing of anybody. Each session
 * gets the same share of a round, however much it has sent; a full lane stops the reading, so that
 * TCP slows the senders. See docs/decisions for why it is so.
 *
 * With `relay_to` the sessions are another engine's: newcomers are looked at and asked about as
 * ever, each message is framed, split and looked at for what could harm that engine, and then
 * handed on byte for byte, as is what comes back. There is no store, no desk and no event then.
 */
#ifndef TOUCHLINE_FIX_SERVER_H
#define TOUCHLINE_FIX_SERVER_H

#include "touchline/runtime/bus.h"
#include "touchline/wire/fix_desk.h"
#include "touchline/wire/fix_log.h"
#include "touchline/wire/fix_market.h"
#include "touchline/wire/fix_session.h"
#include "touchline/wire/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct tl_fix_server tl_fix_server;

typedef struct tl_fix_server_config {
    tl_fix_store_config store;
    tl_fix_desk_config desk;
    tl_fix_market_config market; /* orders_max 0: no books yet; sessions_max: ours */
    uint32_t message_max;      /* bytes of one message: 1024 .. TL_FIX_MESSAGE_MAX */
    uint32_t logon_max;        /* bytes of a Logon: at most 8192 */
    uint32_t newcomers_max;    /* connections before their Logon; when more come the oldest go */
    int64_t logon_ns;          /* a newcomer's time for a whole Logon */
    int64_t answer_ns;         /* how long a request waits for the engine before 380 = 4 */
    bool spin;                 /* never sleep */
    const char *log_directory; /* of the message log; NULL: none is kept */
    tl_fix_log_config log;
    const char *relay_to;      /* an abstract unix address: sessions are another engine's, which
                                  listens there. NULL: they are served here */
    uint32_t relay_bytes;      /* of that address */
} tl_fix_server_config;

/* What the policy is asked about a Logon that is whole and well formed. Texts end with 0. */
typedef struct tl_fix_question {
    uint64_t ticket;           /* to be given back with the verdict */
    uint32_t session;
    char address[64];          /* "127.0.0.1", "::1" */
    uint16_t port;
    char username[256];        /* Username(553) */
    char password[256];        /* Password(554), or RawData(96) where there is none */
    char certificate[256];     /* common name of the client's certificate; "" without */
    uint32_t heartbeat_s;
    bool reset;                /* 141 = Y */
    int64_t mono_ns;           /* the loop's clock, which no step of the host's moves */
} tl_fix_question;

/* 0 or -errno. On failure `out` is NULL or holds what tl_fix_server_fault can tell; either way it
 * is to be closed. Files in `store_directory`, which exists: the store's, and `refusals`. */
int tl_fix_server_open(tl_fix_server **out, const char *store_directory,
                       const tl_fix_server_config *config, const tl_bus *bus, tl_lane *lane);
void tl_fix_server_close(tl_fix_server *server);
tl_fix_desk *tl_fix_server_desk(tl_fix_server *server);   /* before the loop runs alone */
tl_fix_store *tl_fix_server_store(tl_fix_server *server); /* likewise */
const char *tl_fix_server_fault(const tl_fix_server *server);

/* A batch of the journal's commands and the events they caused, from the first on. Before the loop
 * runs. 0 or -errno. */
int tl_fix_server_replay(tl_fix_server *server, const tl_command *commands, size_t commands_count,
                         const tl_event *events, size_t events_count);

/* The bus is another than the one commands were sent on before: what they asked may not have
 * reached the journal. Sessions added from now on expect again what was not answered. Before the
 * loop runs. */
void tl_fix_server_bus_lost(tl_fix_server *server);

/* Listen with a bound socket, which the server owns once this returns 0. `tls`: NULL for plain TCP;
 * it stays the caller's and must outlive the server. Before the loop runs. */
int tl_fix_server_listen(tl_fix_server *server, int fd, tl_tls *tls);
/* The loop. 0 when told to stop (peers are logged out first, within `leave_ns`), or -errno: a
 * world that failed (-ESTALE: the bus was replaced; -EOVERFLOW: lapped, and see supply). */
int tl_fix_server_run(tl_fix_server *server, uint64_t next_event);

/* From any thread: */
void tl_fix_server_stop(tl_fix_server *server);
/* Have the loop go round now, which brings what is told of sessions up to date. */
void tl_fix_server_wake(tl_fix_server *server);
/* Add a session, or change what is agreed: taken up at once if it is away, else when it leaves,
 * but accounts and permissions at once. `enabled` false logs it out and keeps it out. `mark`: for a
 * new one, the key of the last event it was told of; TL_FIX_MARK_STORED: what its store says.
 * -EINVAL; of a new session before the loop runs also what store and desk answer. */
#define TL_FIX_MARK_STORED UINT64_MAX
int tl_fix_server_session(tl_fix_server *server, const tl_fix_terms *terms,
                          const uint32_t *accounts, uint32_t accounts_count, bool enabled,
                          uint64_t mark);
int tl_fix_server_reset(tl_fix_server *server, uint32_t session, uint64_t next_out,
                        uint64_t next_in);
/* News(B) for a session, as tl_fix_desk_news has it; in its store once the loop went round. */
int tl_fix_server_news(tl_fix_server *server, uint32_t session, const char *text, size_t size,
                       bool urgent);
/* The next question, within timeout_ns: 1, or 0; 0 also when names are wanted or the loop was
 * lapped, so that one thread can see to all three. */
int tl_fix_server_question(tl_fix_server *server, tl_fix_question *out, int64_t timeout_ns);
/* `refusal` NULL: come in; "": close without a word; else the Text(58) of a Logout. */
void tl_fix_server_verdict(tl_fix_server *server, uint64_t ticket, const char *refusal);
/* Names for the desk, from the journal. `complete`: it has all that are there now. */
int tl_fix_server_names(tl_fix_server *server, const tl_command *texts, size_t count,
                        bool complete);
bool tl_fix_server_wants_names(const tl_fix_server *server);
/* Is the engine there? Requests are answered by 380 = 4 while it is not. */
void tl_fix_server_available(tl_fix_server *server, bool available);
/* The ring went past the loop's cursor: the number of the event it wants; 0: it did not, or takes
 * what it was supplied with. Events from there on are to be supplied, in order, at most 4096 at a
 * time, until the ring has them again: 0, -EAGAIN: not now, -EINVAL: not those. */
uint64_t tl_fix_server_lapped(const tl_fix_server *server);
int tl_fix_server_supply(tl_fix_server *server, const tl_event *events, size_t count);

/* Books for a server opened without any: built by the caller from the first event on, up to none
 * later than status.events. The loop reads the rest in the ring and then gives market data. 0: they
 * are the server's. -EALREADY: it has books. -ENOMEM. */
int tl_fix_server_books(tl_fix_server *server, tl_mirror *books);
typedef enum tl_fix_books {
    TL_FIX_BOOKS_NONE, /* also when the ring had gone past those that came: they are to be built
                          anew */
    TL_FIX_BOOKS_COMING,
    TL_FIX_BOOKS_KEPT
} tl_fix_books;
tl_fix_books tl_fix_server_books_state(const tl_fix_server *server);
/* NULL, or why there is no market data any more: an event did not fit those before it. */
const char *tl_fix_server_market_fault(const tl_fix_server *server);

typedef struct tl_fix_server_status {
    uint64_t rounds; /* goes on while the loop goes round */
    uint64_t events; /* the last event reported on */
    uint64_t newcomers;                  /* here now, before their Logon or on their way out */
    uint64_t accepted, refused, evicted; /* Logons let in, turned away; closed for want of room */
    uint64_t received, sent; /* messages */
} tl_fix_server_status;
void tl_fix_server_status_read(const tl_fix_server *server, tl_fix_server_status *out);
/* 0 or -ENOENT. `address` holds 64 bytes; "" while it is away. */
int tl_fix_server_session_status(const tl_fix_server *server, uint32_t session,
                                 tl_fix_session_status *out, char *address);

#endif
