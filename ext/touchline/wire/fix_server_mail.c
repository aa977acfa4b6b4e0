/* The mailbox: what other threads hand in for the loop, and what the loop asks and tells them.
 *
 * Nobody waits for the loop, and the loop waits for the lock alone, which is held for copies of a
 * few hundred bytes. Until the loop runs, what is handed in is done at once by who hands it in. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SNAPSHOTS_NS (TL_FIX_SECOND_NS / 50)

int tl_fix_mail_open(tl_fix_server *server)
{
    tl_fix_mailbox *box = &server->mailbox;
    pthread_condattr_t monotonic;
    box->supply = malloc(TL_FIX_SUPPLY_MAX * sizeof *box->supply);
    box->snapshots = calloc(server->sessions_max, sizeof *box->snapshots);
    box->last = &box->first;
    atomic_store(&box->available, true);
    pthread_mutex_init(&box->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&box->asking, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return box->supply == NULL || box->snapshots == NULL ? -ENOMEM : 0;
}

void tl_fix_mail_close(tl_fix_server *server)
{
    tl_fix_mailbox *box = &server->mailbox;
    tl_fix_mail *next;
    if (box->last == NULL)
        return; /* it was never opened */
    for (tl_fix_mail *mail = box->first; mail != NULL; mail = next) {
        next = mail->next;
        tl_mirror_close(mail->books);
        free(mail);
    }
    explicit_bzero(box->questions, sizeof box->questions);
    free(box->supply);
    free(box->snapshots);
    pthread_cond_destroy(&box->asking);
    pthread_mutex_destroy(&box->lock);
}

static int deliver(tl_fix_server *server, tl_fix_mail *mail)
{
    tl_fix_seat *seat = mail->session < server->sessions_max ? &server->seats[mail->session] : NULL;
    int rc = 0;
    switch (mail->kind) {
    case TL_FIX_MAIL_SESSION:
        return tl_fix_seat_agree(server, mail);
    case TL_FIX_MAIL_RESET:
        if (server->relay)
            return -ENOTSUP;
        if (seat == NULL || seat->session == NULL)
            return -ENOENT;
        if (seat->conn != NULL)
            return -EBUSY;
        rc = tl_fix_session_reset(seat->session, mail->next_out, mail->next_in, &server->now);
        seat->resets += rc == 0;
        tl_fix_seat_changed(server, seat);
        return rc;
    case TL_FIX_MAIL_VERDICT:
        tl_fix_newcomer_verdict(server, mail->ticket, mail->flag ? mail->refusal : NULL);
        return 0;
    case TL_FIX_MAIL_NAMES:
        if (server->relay)
            return -ENOTSUP;
        for (uint32_t i = 0; i < mail->count && rc == 0; i++)
            rc = tl_fix_desk_name(server->desk, &((const tl_command *)mail->rest)[i]);
        if (mail->flag && rc == 0) {
            tl_fix_desk_named(server->desk);
            atomic_store(&server->mailbox.wants_names, false);
        }
        return rc;
    case TL_FIX_MAIL_NEWS:
        if (server->relay)
            return -ENOTSUP;
        if (seat == NULL || seat->session == NULL)
            return -ENOENT;
        return tl_fix_desk_news(server->desk, mail->session, (const char *)mail->rest, mail->count,
                                mail->flag, server->now.utc_ns);
    case TL_FIX_MAIL_BOOKS:
        server->books = mail->books;
        mail->books = NULL;
        return 0;
    }
    return -EINVAL;
}

void tl_fix_mail_take(tl_fix_server *server)
{
    tl_fix_mailbox *box = &server->mailbox;
    tl_fix_mail *next;
    if (!atomic_load_explicit(&box->mail, memory_order_acquire))
        return;
    pthread_mutex_lock(&box->lock);
    tl_fix_mail *mail = box->first;
    box->first = NULL;
    box->last = &box->first;
    atomic_store(&box->mail, false);
    pthread_mutex_unlock(&box->lock);
    for (; mail != NULL; mail = next) {
        const int rc = deliver(server, mail);
        if (rc == -ENOMEM && server->failure == 0)
            server->failure = rc;
        next = mail->next;
        free(mail);
    }
}

int tl_fix_mail_post(tl_fix_server *server, tl_fix_mail *mail)
{
    tl_fix_mailbox *box = &server->mailbox;
    pthread_mutex_lock(&box->lock);
    if (!box->running) {
        pthread_mutex_unlock(&box->lock);
        const int rc = deliver(server, mail);
        free(mail);
        return rc;
    }
    *box->last = mail;
    box->last = &mail->next;
    atomic_store_explicit(&box->mail, true, memory_order_release);
    pthread_mutex_unlock(&box->lock);
    tl_bell_wake(&server->bell);
    return 0;
}

static tl_fix_mail *new_mail(size_t rest)
{
    return calloc(1, sizeof(tl_fix_mail) + rest);
}

int tl_fix_server_session(tl_fix_server *server, const tl_fix_terms *terms,
                          const uint32_t *accounts, uint32_t accounts_count, bool enabled,
                          uint64_t mark)
{
    if (terms->number >= server->sessions_max || terms->comp_id[0] == 0 || accounts_count > 65536)
        return -EINVAL;
    tl_fix_mail *mail = new_mail(accounts_count * sizeof *accounts);
    if (mail == NULL)
        return -ENOMEM;
    mail->kind = TL_FIX_MAIL_SESSION;
    mail->terms = *terms;
    mail->session = terms->number;
    mail->count = accounts_count;
    mail->flag = enabled;
    mail->mark = mark;
    if (accounts_count > 0)
        memcpy(mail->rest, accounts, accounts_count * sizeof *accounts);
    return tl_fix_mail_post(server, mail);
}

int tl_fix_server_reset(tl_fix_server *server, uint32_t session, uint64_t next_out,
                        uint64_t next_in)
{
    if (session >= server->sessions_max || next_out == 0 || next_in == 0)
        return -EINVAL;
    tl_fix_mail *mail = new_mail(0);
    if (mail == NULL)
        return -ENOMEM;
    mail->kind = TL_FIX_MAIL_RESET;
    mail->session = session;
    mail->next_out = next_out;
    mail->next_in = next_in;
    return tl_fix_mail_post(server, mail);
}

int tl_fix_server_news(tl_fix_server *server, uint32_t session, const char *text, size_t size,
                       bool urgent)
{
    if (session >= server->sessions_max || size > TL_FIX_NEWS_BYTES)
        return -EINVAL;
    tl_fix_mail *mail = new_mail(size);
    if (mail == NULL)
        return -ENOMEM;
    mail->kind = TL_FIX_MAIL_NEWS;
    mail->session = session;
    mail->count = (uint32_t)size;
    mail->flag = urgent;
    memcpy(mail->rest, text, size);
    return tl_fix_mail_post(server, mail);
}

void tl_fix_server_verdict(tl_fix_server *server, uint64_t ticket, const char *refusal)
{
    tl_fix_mail *mail = new_mail(0);
    if (mail == NULL)
        return; /* the newcomer's deadline answers */
    mail->kind = TL_FIX_MAIL_VERDICT;
    mail->session = UINT32_MAX;
    mail->ticket = ticket;
    mail->flag = refusal != NULL;
    if (refusal != NULL)
        strncpy(mail->refusal, refusal, sizeof mail->refusal - 1);
    tl_fix_mail_post(server, mail);
}

int tl_fix_server_names(tl_fix_server *server, const tl_command *texts, size_t count,
                        bool complete)
{
    if (count > UINT32_MAX / sizeof *texts)
        return -EINVAL;
    tl_fix_mail *mail = new_mail(count * sizeof *texts);
    if (mail == NULL)
        return -ENOMEM;
    mail->kind = TL_FIX_MAIL_NAMES;
    mail->session = UINT32_MAX;
    mail->count = (uint32_t)count;
    mail->flag = complete;
    if (count > 0)
        memcpy(mail->rest, texts, count * sizeof *texts);
    return tl_fix_mail_post(server, mail);
}

bool tl_fix_server_wants_names(const tl_fix_server *server)
{
    return atomic_load(&server->mailbox.wants_names);
}

void tl_fix_server_available(tl_fix_server *server, bool available)
{
    if (atomic_exchange(&server->mailbox.available, available) != available)
        tl_bell_wake(&server->bell);
}

void tl_fix_server_stop(tl_fix_server *server)
{
    atomic_store(&server->mailbox.stop, true);
    tl_bell_wake(&server->bell);
}

void tl_fix_server_wake(tl_fix_server *server)
{
    tl_bell_wake(&server->bell);
}

bool tl_fix_mail_ask(tl_fix_server *server, const tl_fix_question *question)
{
    tl_fix_mailbox *box = &server->mailbox;
    pthread_mutex_lock(&box->lock);
    const bool room = box->questions_count < TL_FIX_ASKED_MAX;
    if (room) {
        const uint32_t at = (box->questions_at + box->questions_count++) % TL_FIX_ASKED_MAX;
        box->questions[at] = *question;
        pthread_cond_signal(&box->asking);
    }
    pthread_mutex_unlock(&box->lock);
    return room;
}

void tl_fix_mail_signal(tl_fix_server *server)
{
    pthread_mutex_lock(&server->mailbox.lock);
    pthread_cond_broadcast(&server->mailbox.asking);
    pthread_mutex_unlock(&server->mailbox.lock);
}

int tl_fix_server_question(tl_fix_server *server, tl_fix_question *out, int64_t timeout_ns)
{
    tl_fix_mailbox *box = &server->mailbox;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const int64_t ns = until.tv_nsec + timeout_ns % TL_FIX_SECOND_NS;
    until.tv_sec += (time_t)(timeout_ns / TL_FIX_SECOND_NS + ns / TL_FIX_SECOND_NS);
    until.tv_nsec = (long)(ns % TL_FIX_SECOND_NS);
    int rc = 0;
    pthread_mutex_lock(&box->lock);
    while (rc == 0 && box->questions_count == 0 && !atomic_load(&box->wants_names) &&
           (atomic_load(&box->lapped) == 0 || box->supply_count > 0))
        rc = pthread_cond_timedwait(&box->asking, &box->lock, &until);
    const bool found = box->questions_count > 0;
    if (found) {
        tl_fix_question *first = &box->questions[box->questions_at];
        *out = *first;
        explicit_bzero(first, sizeof *first);
        box->questions_at = (box->questions_at + 1) % TL_FIX_ASKED_MAX;
        box->questions_count--;
    }
    pthread_mutex_unlock(&box->lock);
    return found;
}

uint64_t tl_fix_server_lapped(const tl_fix_server *server)
{
    tl_fix_mailbox *box = (tl_fix_mailbox *)&server->mailbox;
    pthread_mutex_lock(&box->lock);
    const uint64_t wanted = box->supply_count > 0 ? 0 : atomic_load(&box->lapped);
    pthread_mutex_unlock(&box->lock);
    return wanted;
}

int tl_fix_server_supply(tl_fix_server *server, const tl_event *events, size_t count)
{
    tl_fix_mailbox *box = &server->mailbox;
    int rc = -EAGAIN;
    if (count == 0 || count > TL_FIX_SUPPLY_MAX)
        return -EINVAL;
    pthread_mutex_lock(&box->lock);
    const uint64_t wanted = atomic_load(&box->lapped);
    if (wanted != 0 && events[0].seq != wanted && box->supply_count == 0)
        rc = -EINVAL;
    else if (wanted != 0 && box->supply_count == 0) {
        memcpy(box->supply, events, count * sizeof *events);
        box->supply_count = count;
        rc = 0;
    }
    pthread_mutex_unlock(&box->lock);
    if (rc == 0)
        tl_bell_wake(&server->bell);
    return rc;
}

static void copy_snapshot(tl_fix_server *server, uint32_t number)
{
    const tl_fix_seat *seat = &server->seats[number];
    tl_fix_snapshot *snapshot = &server->mailbox.snapshots[number];
    if (!seat->known)
        return;
    snapshot->known = true;
    if (seat->session != NULL)
        tl_fix_session_status_read(seat->session, &snapshot->status);
    else
        snapshot->status.state = seat->conn != NULL ? TL_FIX_ON : TL_FIX_AWAY;
    snapshot->status.resets = seat->resets;
    if (server->desk != NULL)
        snapshot->status.pending = tl_fix_desk_pending(server->desk, number);
    if (seat->conn != NULL)
        memcpy(snapshot->address, seat->conn->address, sizeof snapshot->address);
    else
        snapshot->address[0] = 0;
}

void tl_fix_mail_snapshot(tl_fix_server *server, uint32_t number)
{
    pthread_mutex_lock(&server->mailbox.lock);
    copy_snapshot(server, number);
    pthread_mutex_unlock(&server->mailbox.lock);
}

void tl_fix_mail_snapshots(tl_fix_server *server)
{
    tl_fix_mailbox *box = &server->mailbox;
    if (!atomic_load_explicit(&box->snapshots_wanted, memory_order_relaxed) ||
        server->now.mono_ns - server->snapshots_ns < SNAPSHOTS_NS)
        return;
    server->snapshots_ns = server->now.mono_ns;
    atomic_store(&box->snapshots_wanted, false);
    pthread_mutex_lock(&box->lock);
    for (uint32_t i = 0; i < server->changed.count; i++) {
        server->seats[server->changed.items[i]].changed = false;
        copy_snapshot(server, server->changed.items[i]);
    }
    server->changed.count = 0;
    pthread_mutex_unlock(&box->lock);
}

int tl_fix_server_session_status(const tl_fix_server *server, uint32_t session,
                                 tl_fix_session_status *out, char *address)
{
    tl_fix_mailbox *box = (tl_fix_mailbox *)&server->mailbox;
    if (session >= server->sessions_max)
        return -ENOENT;
    atomic_store(&box->snapshots_wanted, true);
    pthread_mutex_lock(&box->lock);
    const tl_fix_snapshot *snapshot = &box->snapshots[session];
    const bool known = snapshot->known;
    if (known) {
        *out = snapshot->status;
        memcpy(address, snapshot->address, sizeof snapshot->address);
    }
    pthread_mutex_unlock(&box->lock);
    return known ? 0 : -ENOENT;
}
