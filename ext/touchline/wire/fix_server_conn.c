/* A connection: bytes in and out, plain or TLS, never waiting. What epoll told is kept in
 * `readable` and `writable`, which go down when a call would have waited, so that one read serves
 * a message and none is made in vain. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFERS_KEPT 64u

static void note_address(tl_fix_conn *conn)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } peer;
    socklen_t size = sizeof peer;
    memset(&peer, 0, sizeof peer);
    if (getpeername(conn->fd, &peer.any, &size) != 0)
        return;
    if (peer.any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &peer.v4.sin_addr, conn->address, sizeof conn->address);
        conn->port = ntohs(peer.v4.sin_port);
    } else if (peer.any.sa_family == AF_INET6) {
        const struct in6_addr *of = &peer.v6.sin6_addr;
        if (IN6_IS_ADDR_V4MAPPED(of))
            inet_ntop(AF_INET, &of->s6_addr[12], conn->address, sizeof conn->address);
        else
            inet_ntop(AF_INET6, of, conn->address, sizeof conn->address);
        conn->port = ntohs(peer.v6.sin6_port);
    }
}

tl_fix_conn *tl_fix_conn_open(tl_fix_server *server, int fd, tl_tls *tls)
{
    const int yes = 1;
    tl_fix_conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        close(fd);
        return NULL;
    }
    conn->kind = TL_FIX_KIND_NEWCOMER;
    conn->fd = fd;
    conn->asked = -1;
    conn->session = UINT32_MAX;
    conn->writable = true;
    note_address(conn);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    conn->shaking = tls != NULL;
    const int accepted = tls == NULL ? 0 : tl_tls_accept(&conn->tls, tls, fd);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.ptr = conn};
    if (accepted != 0 ||
        epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        tl_fix_conn_close(server, conn);
        return NULL;
    }
    return conn;
}

void tl_fix_conn_give_back(tl_fix_server *server, tl_fix_conn *conn)
{
    if (conn->in == NULL)
        return;
    if (conn->in_room == server->input_bytes && server->buffers_count < BUFFERS_KEPT) {
        server->buffers[server->buffers_count++] = conn->in;
    } else {
        explicit_bzero(conn->in, conn->in_end); /* a Logon's buffer holds a password */
        free(conn->in);
    }
    conn->in = NULL;
    conn->in_at = conn->in_end = conn->in_room = 0;
}

void tl_fix_conn_close(tl_fix_server *server, tl_fix_conn *conn)
{
    tl_fix_conn_give_back(server, conn);
    tl_tls_end(conn->tls);
    close(conn->fd); /* which takes it out of epoll, too */
    free(conn->out);
    free(conn);
}

int64_t tl_fix_conn_read(tl_fix_conn *conn, char *at, size_t room)
{
    int64_t got;
    if (conn->tls != NULL) {
        got = tl_tls_recv(conn->tls, at, room);
        if (got == -EAGAIN) {
            conn->readable = false;
            return 0;
        }
        return got > 0 ? got : -ECONNRESET;
    }
    do
        got = recv(conn->fd, at, room, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        /* Less than there was room for: nothing is left, and what comes next is a new edge. What
         * ends the line was told with an edge that may be this one. */
        if ((size_t)got < room && !conn->ending)
            conn->readable = false;
        return got;
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        conn->readable = false;
        return 0;
    }
    return -ECONNRESET;
}

static int64_t plain_write(tl_fix_conn *conn, const struct iovec *pieces, int count)
{
    struct msghdr message = {.msg_iov = (struct iovec *)pieces, .msg_iovlen = (size_t)count};
    ssize_t put;
    do
        put = sendmsg(conn->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (put < 0 && errno == EINTR);
    if (put >= 0)
        return put;
    if (errno != EAGAIN && errno != EWOULDBLOCK)
        return -ECONNRESET;
    conn->writable = false;
    return 0;
}

int tl_fix_conn_flush(tl_fix_conn *conn)
{
    while (conn->out_at < conn->out_end) {
        const int64_t put =
            tl_tls_send(conn->tls, conn->out + conn->out_at, conn->out_end - conn->out_at);
        if (put == -EAGAIN) {
            conn->writable = false;
            return 0;
        }
        if (put < 0)
            return -ECONNRESET;
        conn->out_at += (uint32_t)put;
    }
    conn->out_at = conn->out_end = 0;
    return 1;
}

int64_t tl_fix_conn_write(tl_fix_conn *conn, const struct iovec *pieces, int count)
{
    if (conn->tls == NULL) {
        size_t due = 0;
        for (int i = 0; i < count; i++)
            due += pieces[i].iov_len;
        const int64_t put = plain_write(conn, pieces, count);
        if (put >= 0 && (size_t)put < due)
            conn->writable = false;
        return put;
    }
    /* TLS wants the very same bytes again after a write that would have waited, and a resend may
     * look different by then: so they are copied, and count as written. */
    int64_t taken = 0;
    const int flushed = tl_fix_conn_flush(conn);
    if (flushed <= 0)
        return flushed;
    if (conn->out == NULL && (conn->out = malloc(TL_FIX_TLS_OUT)) == NULL)
        return -ECONNRESET;
    for (int i = 0; i < count && conn->out_end < TL_FIX_TLS_OUT; i++) {
        const size_t room = TL_FIX_TLS_OUT - conn->out_end;
        const size_t size = pieces[i].iov_len < room ? pieces[i].iov_len : room;
        memcpy(conn->out + conn->out_end, pieces[i].iov_base, size);
        conn->out_end += (uint32_t)size;
        taken += (int64_t)size;
    }
    return tl_fix_conn_flush(conn) < 0 ? -ECONNRESET : taken;
}

bool tl_fix_conn_room(tl_fix_server *server, tl_fix_conn *conn, uint32_t bytes)
{
    if (conn->in != NULL && conn->in_room >= bytes) {
        if (conn->in_at > 0 && conn->in_end == conn->in_room) {
            memmove(conn->in, conn->in + conn->in_at, conn->in_end - conn->in_at);
            conn->in_end -= conn->in_at;
            conn->in_at = 0;
        }
        return conn->in_end < conn->in_room;
    }
    char *fresh = bytes == server->input_bytes && server->buffers_count > 0
                      ? server->buffers[--server->buffers_count]
                      : malloc(bytes);
    if (fresh == NULL)
        return false;
    const uint32_t left = conn->in_end - conn->in_at;
    if (left > 0)
        memcpy(fresh, conn->in + conn->in_at, left);
    tl_fix_conn_give_back(server, conn);
    conn->in = fresh;
    conn->in_room = bytes;
    conn->in_end = left;
    return true;
}

void tl_fix_queue_add(tl_fix_queue *queue, tl_fix_conn *conn)
{
    conn->older = queue->newest;
    conn->newer = NULL;
    *(queue->newest == NULL ? &queue->oldest : &queue->newest->newer) = conn;
    queue->newest = conn;
    queue->count++;
}

void tl_fix_queue_remove(tl_fix_queue *queue, tl_fix_conn *conn)
{
    *(conn->older == NULL ? &queue->oldest : &conn->older->newer) = conn->newer;
    *(conn->newer == NULL ? &queue->newest : &conn->newer->older) = conn->older;
    conn->older = conn->newer = NULL;
    queue->count--;
}
