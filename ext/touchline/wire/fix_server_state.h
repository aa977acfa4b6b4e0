/* Inside the server: what its files share. One thread, the loop's, owns all of it but the mailbox
 * and what is atomic.
 *
 *   fix_server.c            opened and closed; the desk's hooks
 *   fix_server_loop.c       a round of the loop
 *   fix_server_conn.c       a connection: bytes in and out, plain or TLS
 *   fix_server_newcomers.c  before a Logon, and on the way out
 *   fix_server_seats.c      sessions: input to the desk, the store to output
 *   fix_server_market.c     market data: written when all else is
 *   fix_server_books.c      its books, where they come later
 *   fix_server_due.c        heartbeats, orders of who has left, who sends too fast
 *   fix_server_relay.c      sessions of another engine: looked at and handed on
 *   fix_server_relay_store.c  what that engine has sent is on the disk before it goes on
 *   fix_server_pace.c       how much that engine is given at a time
 *   fix_server_slices.c     what it sends again, a slice at a time
 *   fix_server_mail.c       what other threads hand in, and what they are asked
 *   fix_server_log.c        what of all this goes into the message log
 */
#ifndef TOUCHLINE_FIX_SERVER_STATE_H
#define TOUCHLINE_FIX_SERVER_STATE_H

#include "touchline/wire/bell.h"
#include "touchline/wire/fix_server.h"

#include <pthread.h>
#include <stdatomic.h>

#define TL_FIX_SECOND_NS INT64_C(1000000000)
#define TL_FIX_LISTENERS_MAX 8u
#define TL_FIX_MESSAGES_A_ROUND 24u  /* of one session: others wait for so many */
#define TL_FIX_EVENTS_A_READ 512u
#define TL_FIX_INPUT_EXTRA 32768u    /* bytes read at once beyond one message */
#define TL_FIX_TLS_OUT 16384u
#define TL_FIX_ASKED_MAX 64u         /* Logons that the policy is asked about at a time */
#define TL_FIX_SUPPLY_MAX 4096u
#define TL_FIX_FAULT_BYTES 256u
#define TL_FIX_RELAY_BYTES 100u
#define TL_FIX_NEVER INT64_MAX

/* Where an epoll event belongs. */
typedef enum tl_fix_kind {
    TL_FIX_KIND_WAKE,
    TL_FIX_KIND_LISTENER,
    TL_FIX_KIND_NEWCOMER, /* before its Logon */
    TL_FIX_KIND_PARTING,  /* all is said; what still comes is thrown away until the peer ends it */
    TL_FIX_KIND_SEATED,   /* a session's */
    TL_FIX_KIND_INNER     /* a session's, on the side of the other engine */
} tl_fix_kind;

typedef struct tl_fix_listener {
    tl_fix_kind kind;
    int fd;
    bool ready; /* level-triggered, unlike connections */
    tl_tls *tls;
} tl_fix_listener;

typedef struct tl_fix_conn {
    tl_fix_kind kind;
    int fd;
    uint16_t port;
    bool readable, writable; /* as far as epoll has told; edge-triggered */
    bool ending;             /* the peer has said that no more will come, or the line broke */
    bool shaking;            /* TLS: the handshake is not over */
    bool has_logon;          /* a newcomer whose Logon waits for the policy's time or its answer */
    int asked;               /* place among the asked; -1: none */
    uint32_t session;        /* whose Logon it brought, whose connection it is */
    uint32_t logon_size;
    int64_t deadline_ns;
    struct tl_fix_conn *older, *newer; /* newcomers, and those that part */
    tl_tls_link *tls;
    char *in; /* NULL while nothing waits in it */
    uint32_t in_at, in_end, in_room;
    char *out; /* TLS alone: plain bytes that the session counts as written */
    uint32_t out_at, out_end;
    char address[64];
} tl_fix_conn;

typedef struct tl_fix_queue { /* connections by age */
    tl_fix_conn *oldest, *newest;
    uint32_t count;
} tl_fix_queue;

typedef struct tl_fix_numbers { /* both ends included; none when from > to */
    uint64_t from, to;
} tl_fix_numbers;

typedef struct tl_fix_slices { /* of what the other engine sends again */
    uint64_t sent;             /* the highest number that it sent for the first time */
    bool begun;                /* it has answered the Logon */
    tl_fix_numbers now, later; /* still to be asked for */
    uint64_t awaited;          /* the last number of the slice under way; 0: none is */
    int64_t asked_ns;
    uint32_t own_at, own_end;
    char own[512]; /* a message to it that is not the broker's */
} tl_fix_slices;

typedef struct tl_fix_pace { /* of what the other engine is given */
    uint32_t given;   /* messages since it was even */
    uint64_t number;  /* MsgSeqNum(34) of the last that will be answered; 0: none */
    uint64_t name;    /* its ClOrdID(11), hashed; 0: it has none */
    int64_t until_ns; /* how long its answer is waited for */
} tl_fix_pace;

typedef struct tl_fix_seat { /* a configured session */
    bool known;
    tl_fix_session *session; /* NULL with a relay */
    tl_fix_conn *conn;       /* NULL: it is away */
    tl_fix_conn *inner;      /* to the other engine */
    uint32_t cleared;        /* bytes of conn's input that may be handed on */
    uint64_t expected;       /* what the other engine waits for, while it has asked for a gap */
    uint64_t first_held;     /* the lowest number that it keeps until then; 0: there is no gap */
    uint32_t held;           /* how many it keeps */
    uint32_t seen;           /* bytes of inner's input that may be handed on */
    bool synced;             /* its store was since it came */
    int64_t ended_ns;        /* the other engine is gone, and when its last words are not waited
                                for any more; 0: it is there */
    tl_fix_slices slices;
    tl_fix_pace pace;
    tl_fix_party party;
    uint32_t *accounts;
    tl_fix_terms terms; /* as last agreed; taken up when it is away */
    uint64_t resets;
    bool enabled, stale; /* stale: `terms` are newer than the session's */
    bool busy, dirty, blocked;
    bool changed;       /* since other threads were told how it stands */
    bool urgent;        /* dirty with more than market data */
    int64_t blocked_ns; /* since when the desk can not take its next message; 0: it can */
    int64_t logout_ns;  /* when it is logged out at the latest; 0: nobody wants that */
    const char *logout_text;
    int64_t over_ns;    /* since when it is over and not all is written; 0: it is not */
    int64_t cancel_ns;  /* when the orders of its peer, who has left, are taken off; 0: they stay */
    bool canceling;     /* that has begun */
    bool throttled;     /* not read from until its pace allows the next message */
    int64_t pace_ns;
    tl_fix_leaving leaving;
} tl_fix_seat;

typedef struct tl_fix_seats { /* numbers of seats; each at most once, by a flag of its own */
    uint32_t *items;
    uint32_t count;
} tl_fix_seats;

typedef struct tl_fix_mail {
    struct tl_fix_mail *next;
    enum { TL_FIX_MAIL_SESSION, TL_FIX_MAIL_RESET, TL_FIX_MAIL_VERDICT, TL_FIX_MAIL_NAMES,
           TL_FIX_MAIL_NEWS, TL_FIX_MAIL_BOOKS } kind;
    tl_fix_terms terms;
    uint32_t session, count;
    uint64_t ticket, next_out, next_in, mark;
    tl_mirror *books;  /* the mail's until it is delivered */
    bool flag;         /* enabled, refused, complete, urgent */
    char refusal[256];
    union {
        uint32_t accounts[1];
        tl_command texts[1];
        char text[1];
    } rest[];
} tl_fix_mail;

typedef struct tl_fix_snapshot { /* of a session, for other threads */
    bool known;
    tl_fix_session_status status;
    char address[64];
} tl_fix_snapshot;

typedef struct tl_fix_mailbox {
    pthread_mutex_t lock; /* of what follows, but for the atomics */
    pthread_cond_t asking;
    tl_fix_mail *first, **last;
    tl_fix_question questions[TL_FIX_ASKED_MAX];
    uint32_t questions_at, questions_count;
    tl_event *supply; /* TL_FIX_SUPPLY_MAX */
    _Atomic(size_t) supply_count;
    tl_fix_snapshot *snapshots; /* by session */
    bool running;
    atomic_bool mail, wants_names, available, stop;
    _Atomic(uint64_t) lapped;
    atomic_bool snapshots_wanted;
} tl_fix_mailbox;

struct tl_fix_server {
    tl_fix_server_config config;
    const tl_bus *bus;
    tl_lane *lane;
    tl_fix_store *store;
    tl_fix_desk *desk;
    tl_fix_market *market; /* NULL with a relay */
    tl_mirror *books;      /* that came later and are not the market's yet; NULL */
    tl_fix_log *log; /* NULL: none is kept */
    int64_t log_due_ns;
    tl_event_reader reader;
    int epoll_fd, spare_fd;
    tl_fix_kind wake_kind; /* what epoll has for the eventfd */
    tl_bell bell;
    tl_fix_mailbox mailbox;
    tl_fix_clock now;
    tl_fix_listener listeners[TL_FIX_LISTENERS_MAX];
    uint32_t listeners_count;
    tl_fix_queue newcomers, parting;
    uint32_t unasked; /* newcomers that have a Logon and no place among the asked */
    tl_fix_conn *asked[TL_FIX_ASKED_MAX];
    uint64_t tickets[TL_FIX_ASKED_MAX], tickets_given;
    uint32_t sessions_max;
    tl_fix_seat *seats;
    int64_t *due_ns; /* by seat: when to tick it */
    int64_t first_due_ns;
    uint16_t *by_name; /* seats by CompID: open addressing, number + 1 */
    uint32_t by_name_mask, seats_taken;
    tl_fix_seats busy, dirty, blocked, scratch, changed;
    char **buffers; /* input buffers that nobody needs */
    uint32_t buffers_count, input_bytes;
    uint64_t sent_last; /* lane position after our last send, and when */
    int64_t sent_last_ns;
    int64_t stopping_ns; /* 0: not */
    bool relay;
    char relay_to[TL_FIX_RELAY_BYTES]; /* the config's, copied */
    char *relay_store; /* the other engine's, if it is to be durable; NULL: it need not be */
    bool bus_lost;
    bool sockets_wait; /* they were not looked at in this round */
    bool more_work; /* answers of many messages can go on at once */
    int64_t snapshots_ns;
    uint64_t *refusals; /* the mapped page of the counter, and how far it was reserved */
    uint64_t refusal_next, refusal_end;
    int failure; /* -errno that ends the loop */
    char fault[TL_FIX_FAULT_BYTES];
    _Atomic(const char *) market_fault;
    atomic_int books_state; /* enum tl_fix_books */
    _Atomic(uint64_t) rounds, events, accepted, refused, evicted, received, sent, newcomers_now;
    tl_event batch[TL_FIX_EVENTS_A_READ];
    tl_fix_message message;
};

static inline void tl_fix_count(_Atomic(uint64_t) *counter)
{
    /* Relaxed: one writer, and it orders nothing. */
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

void tl_fix_read_clocks(tl_fix_server *server);

/* Connections. */
tl_fix_conn *tl_fix_conn_open(tl_fix_server *server, int fd, tl_tls *tls);
void tl_fix_conn_close(tl_fix_server *server, tl_fix_conn *conn);
/* Read what there is room for: bytes, 0 when nothing is there now, -ECONNRESET at the end. */
int64_t tl_fix_conn_read(tl_fix_conn *conn, char *at, size_t room);
/* Write: bytes taken, fewer when the line is full, -ECONNRESET. */
int64_t tl_fix_conn_write(tl_fix_conn *conn, const struct iovec *pieces, int count);
/* Write what TLS has yet to take: 1 when nothing is left, 0, -ECONNRESET. */
int tl_fix_conn_flush(tl_fix_conn *conn);
/* Room for input at the end of what waits: a buffer of the pool, or of `bytes` for a newcomer. */
bool tl_fix_conn_room(tl_fix_server *server, tl_fix_conn *conn, uint32_t bytes);
void tl_fix_conn_give_back(tl_fix_server *server, tl_fix_conn *conn);
void tl_fix_queue_add(tl_fix_queue *queue, tl_fix_conn *conn);
void tl_fix_queue_remove(tl_fix_queue *queue, tl_fix_conn *conn);

/* Newcomers. */
void tl_fix_newcomers_accept(tl_fix_server *server, const tl_fix_listener *listener);
void tl_fix_newcomer_serve(tl_fix_server *server, tl_fix_conn *conn);
void tl_fix_newcomers_ask(tl_fix_server *server);
void tl_fix_newcomers_expire(tl_fix_server *server);
void tl_fix_newcomer_verdict(tl_fix_server *server, uint64_t ticket, const char *refusal);
/* All was said: no more is written, and what comes is thrown away for a moment. */
void tl_fix_conn_part(tl_fix_server *server, tl_fix_conn *conn);

/* Seats. */
tl_fix_seat *tl_fix_seat_named(tl_fix_server *server, const char *name, size_t size);
int tl_fix_seat_agree(tl_fix_server *server, const tl_fix_mail *mail);
void tl_fix_seat_take(tl_fix_server *server, tl_fix_seat *seat, tl_fix_conn *conn);
void tl_fix_seat_queue(tl_fix_server *server, tl_fix_seat *seat);
void tl_fix_seat_touch(tl_fix_server *server, tl_fix_seat *seat);
/* For what can wait until everybody else is written to. */
void tl_fix_seat_touch_later(tl_fix_server *server, tl_fix_seat *seat);
/* It stands otherwise than other threads were told. */
void tl_fix_seat_changed(tl_fix_server *server, tl_fix_seat *seat);
void tl_fix_seats_unblock(tl_fix_server *server);
void tl_fix_seats_serve(tl_fix_server *server);
void tl_fix_seats_write(tl_fix_server *server);
void tl_fix_seat_leave(tl_fix_server *server, tl_fix_seat *seat, bool at_once);

/* What comes due at a seat. */
void tl_fix_seat_due(tl_fix_server *server, const tl_fix_seat *seat, int64_t due_ns);
/* The connection has to go, once what is due is written; nothing more is read from it. */
void tl_fix_seat_over(tl_fix_server *server, tl_fix_seat *seat);
void tl_fix_seats_tick(tl_fix_server *server);
/* Log it out, once what it asked for is answered, or soon. `text` stays. */
void tl_fix_seat_logout(tl_fix_server *server, tl_fix_seat *seat, const char *text);
/* False: not yet, and nothing more is read from it. */
bool tl_fix_seat_logged_out(tl_fix_server *server, tl_fix_seat *seat);
/* Its peer has left, and what is agreed may end his orders; he is here again. */
void tl_fix_seat_left(tl_fix_server *server, tl_fix_seat *seat, bool by_logout);
void tl_fix_seat_back(tl_fix_seat *seat);
/* The same of those who were away, or left unseen, before the loop ran. */
void tl_fix_seats_left_before(tl_fix_server *server);
/* How many messages may be taken in this round; how many were. */
uint32_t tl_fix_seat_budget(tl_fix_server *server, tl_fix_seat *seat);
void tl_fix_seat_spent(tl_fix_seat *seat, uint32_t messages);

/* The relay. */
bool tl_fix_relay_take(tl_fix_server *server, tl_fix_seat *seat);
/* A share of a round; false: it is over, both connections have to go. */
bool tl_fix_relay_serve(tl_fix_server *server, tl_fix_seat *seat);
/* What the other engine has sent is on the disk, if it has to be; false: the server fails. */
bool tl_fix_relay_sync(tl_fix_server *server, tl_fix_seat *seat);
/* The next whole message of what was read, behind the first `from` bytes of it: its size, or 0:
 * there is none yet, or one of these. Garbage before it is skipped, but not behind other bytes. */
#define TL_FIX_NEXT_OVER (-1)    /* nothing of the stream can be read from here on */
#define TL_FIX_NEXT_GARBAGE (-2) /* once the bytes before it are gone */
int64_t tl_fix_next_message(const tl_fix_server *server, tl_fix_conn *conn, uint32_t from);

/* The relay's pace. */
void tl_fix_pace_begin(tl_fix_pace *pace);
/* Has the other engine as much of this session's as it is given at a time? Once it has not, the
 * seat is served. */
bool tl_fix_pace_full(tl_fix_server *server, tl_fix_seat *seat);
/* A message of the broker's is handed on. */
void tl_fix_pace_gave(tl_fix_server *server, tl_fix_seat *seat, const tl_fix_message *message);
/* A message of the other engine's. */
void tl_fix_pace_saw(tl_fix_pace *pace, const tl_fix_message *message);

/* Market data. */
int tl_fix_market_of_server(tl_fix_server *server);
void tl_fix_server_tell_market(tl_fix_server *server, const tl_event *events, size_t count);
/* Books that came have a share of a round: what they lack is read, up to where the loop is. */
void tl_fix_server_books_follow(tl_fix_server *server);
/* An application message of a session: the market's or the desk's. */
tl_fix_taken tl_fix_seat_request(tl_fix_server *server, tl_fix_seat *seat,
                                 const tl_fix_message *message, bool patience, int *error);
/* What is due, for who has had all else. */
void tl_fix_server_write_market(tl_fix_server *server);

/* The relay's resends. */
void tl_fix_slices_begin(tl_fix_slices *slices);
typedef enum tl_fix_slices_verdict {
    TL_FIX_SLICES_NOTHING,  /* to be handed on like any message */
    TL_FIX_SLICES_REPLACED, /* noted; what goes on in its place is in `own` */
    TL_FIX_SLICES_AMISS     /* the session has to go */
} tl_fix_slices_verdict;
/* A message of the broker's, before it is handed on; `own` is free. `strange`: tl_fix_parse would
 * not have it. */
tl_fix_slices_verdict tl_fix_slices_asked(tl_fix_server *server, tl_fix_seat *seat,
                                 const tl_fix_message *message, bool strange);
/* A message of the other engine's. */
void tl_fix_slices_saw(tl_fix_slices *slices, const tl_fix_message *message);
/* Ask for the next slice, in `own`, if it is time. */
void tl_fix_slices_go_on(tl_fix_server *server, tl_fix_seat *seat);

/* The mailbox. */
int tl_fix_mail_open(tl_fix_server *server);
void tl_fix_mail_close(tl_fix_server *server);
void tl_fix_mail_take(tl_fix_server *server);
/* Hand it in; it is the mailbox's from here on. */
int tl_fix_mail_post(tl_fix_server *server, tl_fix_mail *mail);
/* Put a question; false: there is no room. */
bool tl_fix_mail_ask(tl_fix_server *server, const tl_fix_question *question);
void tl_fix_mail_snapshots(tl_fix_server *server);
void tl_fix_mail_snapshot(tl_fix_server *server, uint32_t number);
/* Somebody should look: names are wanted, or events. */
void tl_fix_mail_signal(tl_fix_server *server);

/* The message log, where one is kept. */
int tl_fix_log_of_server(tl_fix_server *server);
void tl_fix_log_in(tl_fix_server *server, uint32_t session, const char *bytes, size_t size);
void tl_fix_log_out(tl_fix_server *server, uint32_t session, const struct iovec *pieces,
                    size_t written);
void tl_fix_log_event(tl_fix_server *server, uint32_t session, const char *what,
                      const tl_fix_conn *conn);
void tl_fix_log_words(tl_fix_server *server, uint32_t session, const char *text);
void tl_fix_log_flush(tl_fix_server *server);

#endif
