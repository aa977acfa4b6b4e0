/* The loop. A round: sockets, newcomers, mail, events, sessions, clocks, one sync, writes; last,
 * what market data is due then, to be written in the next. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>

#define EPOLL_EVENTS 256
#define READS_A_ROUND 4     /* batches of events */
#define SPIN_NS 30000       /* a request's event is waited for so long without sleeping */
#define LOOKS 64            /* at the event ring, between two looks at the sockets */
#define ROUNDS_A_YIELD 1024 /* to an engine on this processor that nobody asks: it has a heart */
#define SLEEP_MS_MAX 1000
#define BLOCKED_MS 5        /* who is blocked is tried again this often, come what may */
#define LEAVE_NS (2 * TL_FIX_SECOND_NS)

static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void told(tl_fix_server *server, const struct epoll_event *event, tl_fix_conn **fresh,
                 int *count)
{
    tl_fix_conn *conn = event->data.ptr;
    switch (*(const tl_fix_kind *)event->data.ptr) {
    case TL_FIX_KIND_WAKE:
        return;
    case TL_FIX_KIND_LISTENER:
        ((tl_fix_listener *)event->data.ptr)->ready = true;
        return;
    case TL_FIX_KIND_NEWCOMER:
    case TL_FIX_KIND_PARTING:
        fresh[(*count)++] = conn;
        break;
    case TL_FIX_KIND_SEATED:
    case TL_FIX_KIND_INNER:
        break;
    }
    if (event->events & EPOLLOUT)
        conn->writable = true;
    if (event->events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->ending = true;
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        conn->readable = true;
    if (conn->kind < TL_FIX_KIND_SEATED)
        return;
    tl_fix_seat *seat = &server->seats[conn->session];
    if (conn->readable || server->relay)
        tl_fix_seat_queue(server, seat);
    if (event->events & EPOLLOUT)
        tl_fix_seat_touch(server, seat);
}

/* Sockets. First all that epoll says is noted, then newcomers are looked at; only they, and whom
 * they push out, are closed here, and none is in the list twice. */
static void look_at_sockets(tl_fix_server *server, int timeout_ms)
{
    struct epoll_event events[EPOLL_EVENTS];
    tl_fix_conn *fresh[EPOLL_EVENTS];
    int fresh_count = 0;
    const int count = epoll_wait(server->epoll_fd, events, EPOLL_EVENTS, timeout_ms);
    if (timeout_ms != 0 || count > 0)
        tl_fix_read_clocks(server);
    for (int i = 0; i < count; i++)
        told(server, &events[i], fresh, &fresh_count);
    for (int i = 0; i < fresh_count; i++)
        tl_fix_newcomer_serve(server, fresh[i]);
    for (uint32_t i = 0; i < server->listeners_count; i++) {
        if (server->listeners[i].ready && server->stopping_ns == 0)
            tl_fix_newcomers_accept(server, &server->listeners[i]);
        server->listeners[i].ready = false;
    }
    tl_fix_newcomers_ask(server);
    tl_fix_newcomers_expire(server);
}

/* Events that another thread has read in the journal, because the ring went past us. */
static size_t take_supply(tl_fix_server *server)
{
    tl_fix_mailbox *box = &server->mailbox;
    size_t count;
    pthread_mutex_lock(&box->lock);
    count = box->supply_count < TL_FIX_EVENTS_A_READ ? box->supply_count : TL_FIX_EVENTS_A_READ;
    memcpy(server->batch, box->supply, count * sizeof *server->batch);
    box->supply_count -= count;
    memmove(box->supply, box->supply + count, box->supply_count * sizeof *box->supply);
    if (count > 0) {
        server->reader.next = server->batch[count - 1].seq + 1;
        /* Once all is taken the ring may have what follows; if not, we are told again. */
        if (box->supply_count == 0)
            atomic_store(&box->lapped, 0);
    }
    pthread_mutex_unlock(&box->lock);
    return count;
}

static size_t read_events(tl_fix_server *server)
{
    if (atomic_load_explicit(&server->mailbox.lapped, memory_order_relaxed) != 0)
        return take_supply(server);
    const int64_t got =
        tl_event_reader_read(&server->reader, server->batch, TL_FIX_EVENTS_A_READ);
    if (got == -EOVERFLOW) {
        atomic_store(&server->mailbox.lapped, server->reader.next);
        tl_fix_mail_signal(server);
        return 0;
    }
    if (got < 0) {
        server->failure = (int)got;
        return 0;
    }
    return (size_t)got;
}

static void report_events(tl_fix_server *server)
{
    bool any = false;
    if (server->relay)
        return;
    for (int i = 0; i < READS_A_ROUND && server->failure == 0; i++) {
        const size_t count = read_events(server);
        if (count == 0)
            break;
        any = true;
        const int rc = tl_fix_desk_events(server->desk, server->batch, count);
        if (rc != 0 && server->failure == 0)
            server->failure = rc;
        tl_fix_server_tell_market(server, server->batch, count);
        atomic_store_explicit(&server->events, server->batch[count - 1].seq, memory_order_relaxed);
        if (count < TL_FIX_EVENTS_A_READ)
            break;
    }
    if (!any)
        return;
    if (tl_fix_desk_wants_names(server->desk) &&
        !atomic_exchange(&server->mailbox.wants_names, true))
        tl_fix_mail_signal(server);
}

/* Long answers, a slice of each. */
static void go_on_with_answers(tl_fix_server *server)
{
    if (server->relay)
        return;
    const int rc = tl_fix_desk_work(server->desk, server->now.utc_ns);
    server->more_work = rc > 0;
    if (rc < 0 && server->failure == 0)
        server->failure = rc;
}

/* Does the engine still have something of ours, sent so lately that it is worth to wait awake? */
static bool answer_is_near(const tl_fix_server *server)
{
    return !server->relay && tl_lane_journaled(server->lane) != tl_lane_sent(server->lane) &&
           server->now.mono_ns - server->sent_last_ns < SPIN_NS;
}

static int64_t next_deadline(const tl_fix_server *server)
{
    int64_t first =
        server->first_due_ns < server->log_due_ns ? server->first_due_ns : server->log_due_ns;
    if (server->newcomers.oldest != NULL && server->newcomers.oldest->deadline_ns < first)
        first = server->newcomers.oldest->deadline_ns;
    if (server->parting.oldest != NULL && server->parting.oldest->deadline_ns < first)
        first = server->parting.oldest->deadline_ns;
    return first;
}

static int sleep_ms(const tl_fix_server *server)
{
    const int64_t left_ns = next_deadline(server) - server->now.mono_ns;
    if (left_ns <= 0)
        return 0;
    if (server->blocked.count > 0 || server->unasked > 0 || server->stopping_ns != 0)
        return BLOCKED_MS;
    const int64_t ms = left_ns / 1000000 + 1;
    return ms < SLEEP_MS_MAX ? (int)ms : SLEEP_MS_MAX;
}

/* For a microsecond; not awake where the engine needs this processor for what is asked of it. */
static void look_at_the_ring(tl_fix_server *server)
{
    const bool asked = answer_is_near(server);
    const tl_bus_header *header = server->reader.bus->header;
    const uint64_t round = atomic_load_explicit(&server->rounds, memory_order_relaxed);
    if (tl_bus_engine_is_here(header, asked) &&
        (asked || round % ROUNDS_A_YIELD == 0 || tl_bus_engine_is_wanted(header)) &&
        tl_event_reader_look(&server->reader) == 0)
        sched_yield();
    for (int i = 0; asked && i < LOOKS && tl_event_reader_look(&server->reader) == 0; i++)
        relax();
}

/* The ring, then the sockets: not where the engine has answered, for that is told at once; but in
 * the next round, whatever it goes on to say. */
static void look_awake(tl_fix_server *server)
{
    look_at_the_ring(server);
    tl_fix_read_clocks(server);
    server->sockets_wait = !server->sockets_wait && tl_event_reader_look(&server->reader) > 0;
    if (!server->sockets_wait)
        look_at_sockets(server, 0);
}

/* Wait until there is something to do. While an answer of the engine is near, the ring is watched
 * and the sockets are looked at now and then. */
static void wait_for_work(tl_fix_server *server)
{
    if (server->busy.count > 0 || server->dirty.count > 0 || server->more_work ||
        server->books != NULL) {
        look_at_sockets(server, 0);
        return;
    }
    if (atomic_load_explicit(&server->mailbox.lapped, memory_order_relaxed) != 0) {
        look_at_sockets(server, atomic_load(&server->mailbox.supply_count) > 0 ? 0 : BLOCKED_MS);
        return;
    }
    if (server->config.spin || answer_is_near(server)) {
        look_awake(server);
        return;
    }
    const int timeout_ms = sleep_ms(server);
    if (timeout_ms == 0 || (!server->relay && !tl_bell_sleep(&server->bell, &server->reader)) ||
        atomic_load(&server->mailbox.mail)) {
        tl_bell_awake(&server->bell);
        look_at_sockets(server, 0);
        return;
    }
    look_at_sockets(server, timeout_ms);
    tl_bell_awake(&server->bell);
}

static void begin_to_stop(tl_fix_server *server)
{
    server->stopping_ns = server->now.mono_ns;
    for (uint32_t i = 0; i < server->sessions_max; i++) {
        tl_fix_seat *seat = &server->seats[i];
        if (seat->conn == NULL)
            continue;
        if (server->relay) {
            tl_fix_seat_leave(server, seat, false); /* the other engine has said good-bye */
            continue;
        }
        tl_fix_seat_logout(server, seat, "");
    }
}

/* Told to stop: is everybody gone, or time up? */
static bool stopped(tl_fix_server *server)
{
    if (!atomic_load_explicit(&server->mailbox.stop, memory_order_relaxed))
        return false;
    if (server->stopping_ns == 0)
        begin_to_stop(server);
    if (server->now.mono_ns - server->stopping_ns > LEAVE_NS)
        return true;
    for (uint32_t i = 0; i < server->sessions_max; i++)
        if (server->seats[i].conn != NULL)
            return false;
    return true;
}

static void set_running(tl_fix_server *server, bool running)
{
    pthread_mutex_lock(&server->mailbox.lock);
    server->mailbox.running = running;
    pthread_mutex_unlock(&server->mailbox.lock);
}

int tl_fix_server_run(tl_fix_server *server, uint64_t next_event)
{
    sigset_t pipe, before;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE); /* OpenSSL writes without a flag that says so */
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    server->reader.next = next_event;
    atomic_store(&server->events, next_event - 1);
    tl_fix_read_clocks(server);
    set_running(server, true);
    tl_fix_seats_left_before(server);
    while (server->failure == 0 && !stopped(server)) {
        wait_for_work(server);
        tl_fix_mail_take(server);
        report_events(server);
        if (server->books != NULL)
            tl_fix_server_books_follow(server);
        tl_fix_seats_unblock(server);
        tl_fix_seats_serve(server);
        go_on_with_answers(server);
        tl_fix_seats_tick(server);
        tl_fix_seats_write(server);
        tl_fix_server_write_market(server);
        tl_fix_mail_snapshots(server);
        tl_fix_log_flush(server);
        tl_fix_count(&server->rounds);
    }
    set_running(server, false);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return server->failure;
}

void tl_fix_server_status_read(const tl_fix_server *server, tl_fix_server_status *out)
{
    *out = (tl_fix_server_status){
        .rounds = atomic_load_explicit(&server->rounds, memory_order_relaxed),
        .events = atomic_load_explicit(&server->events, memory_order_relaxed),
        .newcomers = atomic_load_explicit(&server->newcomers_now, memory_order_relaxed),
        .accepted = atomic_load_explicit(&server->accepted, memory_order_relaxed),
        .refused = atomic_load_explicit(&server->refused, memory_order_relaxed),
        .evicted = atomic_load_explicit(&server->evicted, memory_order_relaxed),
        .received = atomic_load_explicit(&server->received, memory_order_relaxed),
        .sent = atomic_load_explicit(&server->sent, memory_order_relaxed),
    };
}
