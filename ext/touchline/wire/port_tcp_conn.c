/* One connection: begun and finished, its bytes read, shown and taken, put and pushed out. */
#define _GNU_SOURCE
#include "touchline/wire/port_tcp_state.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

int tl_tcp_watch(tl_tcp *tcp, tl_tcp_conn *conn, bool watched)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                .data.u64 = tl_tcp_number(tcp, conn)};
    if (conn->watched == watched)
        return 0;
    if (epoll_ctl(tcp->epoll_fd, watched ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, conn->fd, &event) != 0)
        return -errno;
    conn->watched = watched;
    tcp->unwatched += watched ? UINT32_MAX : 1;
    return 0;
}

int tl_tcp_begin(tl_tcp *tcp, int fd, uint8_t state, const tl_port_address *peer,
                 tl_tcp_conn **out)
{
    tl_port_facts facts = {0};
    assert(tcp->unused_count > 0);
    const uint32_t slot = tcp->unused[tcp->unused_count - 1];
    tl_tcp_conn *conn = &tcp->conns[slot];
    *conn = (tl_tcp_conn){.fd = fd,
                          .generation = conn->generation == UINT16_MAX ? 1 : conn->generation + 1,
                          .state = state,
                          .queued = conn->queued,
                          .unsent = conn->unsent,
                          .place = tcp->active_count,
                          .served = tcp->polls,
                          .in = conn->in,
                          .out = conn->out,
                          .peer = *peer};
    tcp->unwatched++;
    int rc = tl_port_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (rc == 0)
        rc = tl_tcp_watch(tcp, conn, true);
    if (rc != 0) {
        tcp->unwatched--;
        conn->state = TL_TCP_FREE;
        close(fd);
        return rc;
    }
    tl_port_tune(fd, &tcp->tuning, tcp->interface, true, &facts);
    if (!tcp->facts_known) {
        for (uint32_t i = 0; i < facts.count; i++)
            tl_port_note(&tcp->facts, facts.fact[i].name, facts.fact[i].asked, facts.fact[i].got,
                         facts.fact[i].error);
        tcp->facts_known = true;
    }
    tcp->unused_count--;
    tcp->active[tcp->active_count++] = slot;
    *out = conn;
    return 0;
}

void tl_tcp_finish(tl_tcp *tcp, tl_tcp_conn *conn)
{
    const uint32_t last = tcp->active[--tcp->active_count];
    tcp->active[conn->place] = last;
    tcp->conns[last].place = conn->place;
    tcp->unused[tcp->unused_count++] = (uint32_t)(conn - tcp->conns);
    tcp->unwatched -= !conn->watched;
    close(conn->fd);
    conn->fd = -1;
    conn->state = TL_TCP_FREE;
}

/* Bytes, 0 for the end, or -errno. */
static ssize_t read_some(const tl_tcp *tcp, tl_tcp_conn *conn, uint32_t room, tl_tcp_event *event)
{
    ssize_t size;
    if (!tcp->stamped) {
        size = recv(conn->fd, conn->in + conn->in_end, room, MSG_DONTWAIT);
        return size >= 0 ? size : -errno;
    }
    _Alignas(struct cmsghdr) char control[TL_PORT_CONTROL_BYTES];
    struct iovec bytes = {.iov_base = conn->in + conn->in_end, .iov_len = room};
    struct msghdr message = {.msg_iov = &bytes,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof control};
    size = recvmsg(conn->fd, &message, MSG_DONTWAIT);
    if (size < 0)
        return -errno;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING)
            tl_port_stamp_read(CMSG_DATA(c), &event->rx_ns, &event->stamp);
    }
    return size;
}

static bool tell_closed(tl_tcp *tcp, tl_tcp_conn *conn, int error, tl_tcp_event *event)
{
    *event = (tl_tcp_event){
        .conn = tl_tcp_number(tcp, conn), .kind = TL_TCP_CLOSED, .error = error};
    tl_tcp_finish(tcp, conn);
    return true;
}

/* Whatever is not taken moves to the front once less than half of the buffer is left behind it. */
static uint32_t make_room(const tl_tcp *tcp, tl_tcp_conn *conn)
{
    const uint32_t waits = conn->in_end - conn->in_begin;
    if (waits == 0 || conn->ending) {
        conn->in_begin = conn->in_end = 0;
    } else if (conn->in_end > tcp->receive_max / 2 && conn->in_begin > 0) {
        memmove(conn->in, conn->in + conn->in_begin, waits);
        conn->in_begin = 0;
        conn->in_end = waits;
    }
    return tcp->receive_max - conn->in_end;
}

static bool tell_bytes(tl_tcp *tcp, tl_tcp_conn *conn, tl_tcp_event *event)
{
    const uint32_t room = make_room(tcp, conn);
    conn->full = room == 0;
    if (conn->full)
        return false;
    *event = (tl_tcp_event){.conn = tl_tcp_number(tcp, conn), .kind = TL_TCP_BYTES};
    const ssize_t size = read_some(tcp, conn, room, event);
    if (size > 0) {
        conn->in_end += (uint32_t)size;
        /* Fewer than there was room for: the socket is empty, and epoll tells when it is not. */
        conn->readable = (uint32_t)size == room || conn->hung_up || conn->error != 0;
        if (conn->readable)
            tl_tcp_queue(tcp, conn);
        event->bytes = conn->in + conn->in_begin;
        event->size = conn->in_end - conn->in_begin;
        return !conn->ending;
    }
    if (size == -EINTR) {
        tl_tcp_queue(tcp, conn);
        return false;
    }
    if (size == -EAGAIN && conn->error == 0) {
        conn->readable = conn->hung_up = false;
        return false;
    }
    return tell_closed(tcp, conn, conn->error != 0 ? conn->error : (int)size, event);
}

bool tl_tcp_serve(tl_tcp *tcp, tl_tcp_conn *conn, tl_tcp_event *event)
{
    if (conn->state == TL_TCP_CONNECTING) {
        /* Queued by a wait that ended: it is connected, or never will be. */
        if (conn->error != 0)
            return tell_closed(tcp, conn, conn->error, event);
        return false;
    }
    if (!conn->announced) {
        conn->announced = true;
        if (conn->readable)
            tl_tcp_queue(tcp, conn);
        *event = (tl_tcp_event){.conn = tl_tcp_number(tcp, conn), .kind = TL_TCP_OPENED};
        return true;
    }
    return conn->readable && tell_bytes(tcp, conn, event);
}

/* The end of what is said, once all of it is with the kernel. */
static void shut_when_empty(tl_tcp *tcp, tl_tcp_conn *conn)
{
    if (!conn->ending || conn->shut || conn->out_begin != conn->out_end ||
        conn->state != TL_TCP_OPEN)
        return;
    conn->shut = true;
    shutdown(conn->fd, SHUT_WR);
    conn->readable = true;
    tl_tcp_queue(tcp, conn);
}

int tl_tcp_push(tl_tcp *tcp, tl_tcp_conn *conn)
{
    if (conn->error != 0)
        return conn->error;
    while (conn->out_begin < conn->out_end && conn->state == TL_TCP_OPEN) {
        const ssize_t size = send(conn->fd, conn->out + conn->out_begin,
                                  conn->out_end - conn->out_begin, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (size >= 0) {
            conn->out_begin += (uint32_t)size;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return -EAGAIN;
        } else if (errno != EINTR) {
            /* What came before is still read; then CLOSED has this error. */
            conn->error = -errno;
            conn->out_begin = conn->out_end = 0;
            conn->readable = true;
            tl_tcp_queue(tcp, conn);
            return conn->error;
        }
    }
    if (conn->out_begin < conn->out_end)
        return -EAGAIN;
    conn->out_begin = conn->out_end = 0;
    shut_when_empty(tcp, conn);
    return 0;
}

void tl_tcp_took(tl_tcp *tcp, uint32_t number, uint32_t size)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn == NULL)
        return;
    assert(size <= conn->in_end - conn->in_begin);
    conn->in_begin += size;
    if (conn->full && size > 0) {
        conn->full = false;
        tl_tcp_queue(tcp, conn);
    }
}

uint32_t tl_tcp_waiting(tl_tcp *tcp, uint32_t number, const uint8_t **bytes)
{
    const tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn == NULL || conn->ending)
        return 0;
    *bytes = conn->in + conn->in_begin;
    return conn->in_end - conn->in_begin;
}

uint8_t *tl_tcp_room(tl_tcp *tcp, uint32_t number, uint32_t size)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn == NULL || conn->ending || conn->error != 0)
        return NULL;
    const uint32_t waits = conn->out_end - conn->out_begin;
    if (tcp->send_max - conn->out_end < size) {
        if (tcp->send_max - waits < size)
            return NULL;
        memmove(conn->out, conn->out + conn->out_begin, waits);
        conn->out_begin = 0;
        conn->out_end = waits;
    }
    return conn->out + conn->out_end;
}

void tl_tcp_put(tl_tcp *tcp, uint32_t number, uint32_t size)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn == NULL)
        return;
    assert(size <= tcp->send_max - conn->out_end);
    conn->out_end += size;
    conn->bytes_put += size;
    if (conn->unsent)
        return;
    conn->unsent = true;
    tcp->dirty[tcp->dirty_count++] = (uint32_t)(conn - tcp->conns);
}

int tl_tcp_flush(tl_tcp *tcp, uint32_t number)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    return conn == NULL ? -ENOTCONN : tl_tcp_push(tcp, conn);
}

int tl_tcp_send(tl_tcp *tcp, uint32_t number, const void *bytes, uint32_t size)
{
    uint8_t *room = tl_tcp_room(tcp, number, size);
    if (room == NULL) {
        const tl_tcp_conn *conn = tl_tcp_find(tcp, number);
        return conn == NULL || conn->ending ? -ENOTCONN : conn->error != 0 ? conn->error : -ENOBUFS;
    }
    memcpy(room, bytes, size);
    tl_tcp_put(tcp, number, size);
    return tl_tcp_flush(tcp, number);
}

void tl_tcp_end(tl_tcp *tcp, uint32_t number)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn == NULL || conn->ending)
        return;
    conn->ending = true;
    (void)tl_tcp_push(tcp, conn);
    if (conn->full) {
        conn->full = false;
        tl_tcp_queue(tcp, conn);
    }
}

void tl_tcp_drop(tl_tcp *tcp, uint32_t number)
{
    tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    if (conn != NULL)
        tl_tcp_finish(tcp, conn);
}

uint32_t tl_tcp_bytes_put(const tl_tcp *tcp, uint32_t number)
{
    const tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    return conn == NULL ? 0 : conn->bytes_put;
}

int tl_tcp_sent_stamps(tl_tcp *tcp, uint32_t number, tl_port_sent *out, uint32_t max)
{
    const tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    return conn == NULL ? -ENOTCONN : tl_port_read_sent(conn->fd, out, max);
}
