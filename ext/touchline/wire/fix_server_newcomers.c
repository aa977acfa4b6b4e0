/* Newcomers: connections before their Logon, and on their way out.
 *
 * A newcomer costs one small buffer, taken with its first byte, and has one deadline for all of its
 * Logon. When there are too many the oldest goes, so that who is silent keeps nobody out. Only a
 * whole, well-formed Logon for a session that is away is asked about; while the policy thinks
 * nothing more is read. Everything else is closed without a word, and no session notices. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPTS_A_ROUND 64
#define PARTING_NS TL_FIX_SECOND_NS
#define PARTING_BYTES 16384

enum { TAG_SENDER = 49, TAG_TARGET = 56, TAG_RAW_DATA = 96, TAG_HEARTBEAT = 108, TAG_RESET = 141 };
enum { TAG_USERNAME = 553, TAG_PASSWORD = 554 };

static void note_count(tl_fix_server *server)
{
    atomic_store_explicit(&server->newcomers_now, server->newcomers.count + server->parting.count,
                          memory_order_relaxed);
}

/* No place among the asked any more, nor among those who wait for one. */
static void forget_logon(tl_fix_server *server, tl_fix_conn *conn)
{
    if (!conn->has_logon)
        return;
    if (conn->asked >= 0)
        server->asked[conn->asked] = NULL;
    else
        server->unasked--;
    conn->asked = -1;
    conn->has_logon = false;
}

static void dismiss(tl_fix_server *server, tl_fix_conn *conn)
{
    forget_logon(server, conn);
    tl_fix_queue_remove(
        conn->kind == TL_FIX_KIND_PARTING ? &server->parting : &server->newcomers, conn);
    tl_fix_conn_close(server, conn);
    note_count(server);
}

/* Somebody has to go: who is on the way out, else the oldest that is not being asked about. */
static void make_room(tl_fix_server *server)
{
    tl_fix_conn *out = server->parting.oldest;
    if (server->newcomers.count + server->parting.count < server->config.newcomers_max)
        return;
    if (out == NULL)
        for (out = server->newcomers.oldest; out != NULL && out->asked >= 0;)
            out = out->newer;
    if (out == NULL)
        out = server->newcomers.oldest;
    if (out->kind == TL_FIX_KIND_NEWCOMER)
        tl_fix_count(&server->evicted);
    dismiss(server, out);
}

/* No descriptors left: the oldest goes, so that the next round has one; when there is none to go,
 * the one kept in reserve takes the connection in just to close it. */
static void no_descriptors(tl_fix_server *server, const tl_fix_listener *listener)
{
    tl_fix_count(&server->evicted);
    if (server->newcomers.oldest != NULL) {
        dismiss(server, server->newcomers.oldest);
        return;
    }
    close(server->spare_fd);
    const int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        close(fd);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

void tl_fix_newcomers_accept(tl_fix_server *server, const tl_fix_listener *listener)
{
    for (int i = 0; i < ACCEPTS_A_ROUND; i++) {
        const int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                no_descriptors(server, listener);
            return;
        }
        make_room(server);
        tl_fix_conn *conn = tl_fix_conn_open(server, fd, listener->tls);
        if (conn == NULL)
            continue;
        conn->deadline_ns = server->now.mono_ns + server->config.logon_ns;
        tl_fix_queue_add(&server->newcomers, conn);
        note_count(server);
    }
}

static bool same_text(const tl_fix_message *message, uint32_t tag, const char *text)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    return field != NULL && field->size == strlen(text) &&
           memcmp(tl_fix_value(message, field), text, field->size) == 0;
}

/* The newcomer's Logon, parsed, and whose it is; NULL: nobody's. */
static tl_fix_seat *whose(tl_fix_server *server, const tl_fix_conn *conn)
{
    static const char *const versions[] = {"FIX.4.4", "FIX.4.2", "FIXT.1.1"};
    const char *bytes = conn->in + conn->in_at;
    tl_fix_message *message = &server->message;
    for (size_t i = 0; i < sizeof versions / sizeof versions[0]; i++) {
        const tl_fix_dialect *dialect = tl_fix_dialect_find(versions[i], "9");
        if (dialect == NULL || tl_fix_parse(message, dialect, bytes, conn->logon_size) != 0)
            continue;
        const tl_fix_field *sender = tl_fix_find(message, TAG_SENDER);
        if (message->type != TL_FIX_LOGON || message->malformed != UINT32_MAX || sender == NULL)
            return NULL;
        tl_fix_seat *seat =
            tl_fix_seat_named(server, tl_fix_value(message, sender), sender->size);
        if (seat == NULL || !seat->enabled || seat->terms.dialect != dialect ||
            message->msg_seq_num == 0 ||
            !same_text(message, TAG_TARGET, seat->terms.venue_comp_id) ||
            tl_fix_check(message, dialect).reason != -1)
            return NULL;
        return seat;
    }
    return NULL;
}

static void copy_text(char *out, size_t room, const tl_fix_message *message, uint32_t tag)
{
    const tl_fix_field *field = tl_fix_find(message, tag);
    if (field == NULL || field->size >= room)
        return;
    memcpy(out, tl_fix_value(message, field), field->size);
}

/* Ask about the Logon that has just been parsed; false: later. */
static bool ask(tl_fix_server *server, tl_fix_conn *conn)
{
    const tl_fix_message *message = &server->message;
    tl_fix_question question;
    int place = 0;
    while (place < (int)TL_FIX_ASKED_MAX && server->asked[place] != NULL)
        place++;
    if (place == (int)TL_FIX_ASKED_MAX)
        return false;
    memset(&question, 0, sizeof question);
    question.ticket = ++server->tickets_given * TL_FIX_ASKED_MAX + (uint64_t)place;
    question.session = conn->session;
    question.port = conn->port;
    memcpy(question.address, conn->address, sizeof question.address);
    copy_text(question.username, sizeof question.username, message, TAG_USERNAME);
    copy_text(question.password, sizeof question.password, message,
              tl_fix_find(message, TAG_PASSWORD) != NULL ? TAG_PASSWORD : TAG_RAW_DATA);
    if (conn->tls != NULL)
        tl_tls_client_name(conn->tls, question.certificate, sizeof question.certificate);
    const tl_fix_field *heartbeat = tl_fix_find(message, TAG_HEARTBEAT);
    uint64_t seconds = 0;
    if (heartbeat != NULL)
        tl_fix_read_uint(tl_fix_value(message, heartbeat), heartbeat->size, &seconds);
    question.heartbeat_s = seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
    question.reset = tl_fix_is(message, TAG_RESET, 'Y');
    question.mono_ns = server->now.mono_ns;
    const bool room = tl_fix_mail_ask(server, &question);
    explicit_bzero(&question, sizeof question);
    if (!room)
        return false;
    server->asked[place] = conn;
    server->tickets[place] = server->tickets_given * TL_FIX_ASKED_MAX + (uint64_t)place;
    conn->asked = place;
    return true;
}

/* It has a whole Logon: whose, and may it be asked about? A session whose last connection is just
 * ending may be back before its end is dealt with; then the newcomer waits. */
static void look_at_logon(tl_fix_server *server, tl_fix_conn *conn)
{
    tl_fix_seat *seat = whose(server, conn);
    if (seat == NULL ||
        (seat->conn != NULL && !seat->conn->ending && seat->over_ns == 0)) {
        tl_fix_count(&server->refused);
        dismiss(server, conn);
        return;
    }
    if (!conn->has_logon) {
        conn->has_logon = true;
        conn->session = seat->party.number;
        server->unasked++;
    }
    if (seat->conn == NULL && ask(server, conn))
        server->unasked--;
}

void tl_fix_newcomers_ask(tl_fix_server *server)
{
    tl_fix_conn *newer;
    if (server->unasked == 0)
        return;
    for (tl_fix_conn *conn = server->newcomers.oldest; conn != NULL; conn = newer) {
        newer = conn->newer;
        if (conn->has_logon && conn->asked < 0)
            look_at_logon(server, conn);
    }
}

static void discard(tl_fix_server *server, tl_fix_conn *conn)
{
    char nothing[PARTING_BYTES];
    for (int i = 0; i < 4 && conn->readable; i++) {
        if (tl_fix_conn_read(conn, nothing, sizeof nothing) < 0) {
            dismiss(server, conn);
            return;
        }
    }
    if (conn->readable) /* it talks on and on */
        dismiss(server, conn);
}

/* Bytes of a newcomer: 1 when they hold a whole Logon, 0 when more are needed, -1: it has to go. */
static int gather(tl_fix_server *server, tl_fix_conn *conn)
{
    while (conn->readable) {
        if (!tl_fix_conn_room(server, conn, server->config.logon_max))
            return -1;
        const int64_t got =
            tl_fix_conn_read(conn, conn->in + conn->in_end, conn->in_room - conn->in_end);
        if (got < 0)
            return -1;
        conn->in_end += (uint32_t)got;
        const tl_fix_frame frame =
            tl_fix_find_message(conn->in, conn->in_end, server->config.logon_max);
        if (frame.framing == TL_FIX_FRAME_TOO_LONG || (conn->in_end > 0 && frame.skip > 0))
            return -1;
        if (frame.framing == TL_FIX_FRAME_WHOLE) {
            conn->logon_size = (uint32_t)frame.size;
            return 1;
        }
        if (conn->in_end == conn->in_room)
            return -1;
        if (got == 0)
            break;
    }
    if (conn->in_end == 0)
        tl_fix_conn_give_back(server, conn);
    return 0;
}

void tl_fix_newcomer_serve(tl_fix_server *server, tl_fix_conn *conn)
{
    if (conn->kind == TL_FIX_KIND_PARTING) {
        discard(server, conn);
        return;
    }
    if (conn->shaking) {
        const int rc = tl_tls_handshake(conn->tls);
        if (rc != 0 && rc != -EAGAIN)
            dismiss(server, conn);
        if (rc != 0)
            return;
        conn->shaking = false;
    }
    if (conn->has_logon) {
        if (conn->ending)
            dismiss(server, conn);
        return;
    }
    const int rc = gather(server, conn);
    if (rc < 0)
        dismiss(server, conn);
    else if (rc > 0)
        look_at_logon(server, conn);
}

void tl_fix_newcomers_expire(tl_fix_server *server)
{
    tl_fix_queue *queues[] = {&server->newcomers, &server->parting};
    for (int i = 0; i < 2; i++)
        while (queues[i]->oldest != NULL &&
               queues[i]->oldest->deadline_ns <= server->now.mono_ns)
            dismiss(server, queues[i]->oldest);
}

void tl_fix_conn_part(tl_fix_server *server, tl_fix_conn *conn)
{
    conn->kind = TL_FIX_KIND_PARTING;
    conn->deadline_ns = server->now.mono_ns + PARTING_NS;
    tl_fix_conn_give_back(server, conn);
    tl_tls_end(conn->tls); /* what comes is thrown away as it is */
    conn->tls = NULL;
    conn->shaking = false;
    shutdown(conn->fd, SHUT_WR);
    make_room(server);
    tl_fix_queue_add(&server->parting, conn);
    note_count(server);
    if (conn->readable || conn->ending) {
        conn->readable = true;
        discard(server, conn);
    }
}

/* A Logout that uses no number of the session's, and the way out. */
static void refuse(tl_fix_server *server, tl_fix_conn *conn, tl_fix_seat *seat, const char *text)
{
    char logout[512];
    const tl_fix_marks *marks =
        server->relay ? NULL : tl_fix_store_marks(server->store, seat->party.number);
    const uint64_t number = marks == NULL ? seat->slices.sent + 1 : marks->next_out;
    const size_t size = tl_fix_write_refusal(logout, &seat->terms, number, text, &server->now);
    const struct iovec piece = {logout, size};
    tl_fix_count(&server->refused);
    tl_fix_log_event(server, conn->session, "logon refused:", conn);
    tl_fix_queue_remove(&server->newcomers, conn);
    if (size == 0 || tl_fix_conn_write(conn, &piece, 1) < 0) {
        tl_fix_conn_close(server, conn);
        note_count(server);
        return;
    }
    tl_fix_conn_part(server, conn);
}

/* It is in: a session's connection, of whose input the first `used` bytes are dealt with. */
static void take(tl_fix_server *server, tl_fix_conn *conn, tl_fix_seat *seat, uint32_t used)
{
    tl_fix_count(&server->accepted);
    tl_fix_log_event(server, conn->session, "logon from", conn);
    conn->in_at += used;
    tl_fix_queue_remove(&server->newcomers, conn);
    note_count(server);
    tl_fix_seat_take(server, seat, conn);
}

void tl_fix_newcomer_verdict(tl_fix_server *server, uint64_t ticket, const char *refusal)
{
    const uint32_t place = (uint32_t)(ticket % TL_FIX_ASKED_MAX);
    tl_fix_conn *conn = server->asked[place];
    if (conn == NULL || server->tickets[place] != ticket)
        return; /* it is gone */
    forget_logon(server, conn);
    tl_fix_seat *seat = whose(server, conn);
    if (seat == NULL || seat->conn != NULL || conn->ending ||
        (refusal != NULL && refusal[0] == 0)) {
        tl_fix_count(&server->refused);
        dismiss(server, conn);
        return;
    }
    if (refusal == NULL && server->relay)
        refusal = tl_fix_logon_refusal(&server->message);
    if (refusal == NULL && server->relay) {
        take(server, conn, seat, 0); /* the Logon is handed on with what follows */
        return;
    }
    if (refusal == NULL) {
        if (seat->stale && tl_fix_session_agree(seat->session, &seat->terms) == 0)
            seat->stale = false;
        refusal = tl_fix_session_logon(seat->session, &server->message, &server->now);
    }
    if (refusal != NULL) {
        refuse(server, conn, seat, refusal);
        return;
    }
    tl_fix_log_in(server, conn->session, conn->in + conn->in_at, conn->logon_size);
    take(server, conn, seat, conn->logon_size);
}
