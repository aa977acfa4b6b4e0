/* The port for streams: opened and closed, and the loop: epoll or the sockets themselves are
 * looked at, newcomers are taken, and whoever is in the list of the ready is served in turn. */
#define _GNU_SOURCE
#include "touchline/wire/port_tcp_state.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define LISTENER UINT64_MAX
#define ALSO (UINT64_MAX - 1)
#define EPOLL_EVENTS 64
#define ACCEPTS_A_POLL 64
#define BACKLOG 1024
#define DIRECT_MAX 64u
#define POLLS_A_LOOK 32u /* direct reads between two looks at newcomers and blocked writes */
#define POLLS_TO_UNWATCH 64u /* direct ones in a row, before epoll is spared */
#define BUFFER_MAX (1u << 30)

/* Busy polling by epoll itself, since Linux 6.9 (EPIOCSPARAMS of linux/eventpoll.h). */
typedef struct epoll_poll_params {
    uint32_t busy_poll_usecs;
    uint16_t busy_poll_budget;
    uint8_t prefer_busy_poll;
    uint8_t unused;
} epoll_poll_params;
#define SET_EPOLL_PARAMS _IOW(0x8A, 0x01, epoll_poll_params)

static void turn_away(tl_tcp *tcp, int fd)
{
    tcp->refused++;
    close(fd);
}

/* No descriptors are left: give one up to take whoever waits, and send them off. */
static void turn_away_unseen(tl_tcp *tcp)
{
    close(tcp->spare_fd);
    const int fd = accept4(tcp->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        turn_away(tcp, fd);
    tcp->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void accept_some(tl_tcp *tcp)
{
    for (int i = 0; i < ACCEPTS_A_POLL; i++) {
        struct sockaddr_storage at;
        socklen_t size = sizeof at;
        tl_port_address peer;
        tl_tcp_conn *conn;
        memset(&at, 0, sizeof at);
        const int fd = accept4(tcp->listen_fd, (struct sockaddr *)&at, &size,
                               SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE)
                turn_away_unseen(tcp);
            return;
        }
        tl_port_from_sockaddr(&peer, &at);
        if (tcp->unused_count == 0)
            turn_away(tcp, fd);
        else if (tl_tcp_begin(tcp, fd, TL_TCP_OPEN, &peer, &conn) == 0)
            tl_tcp_queue(tcp, conn);
    }
}

/* A connection of our own is there, or not to be had. */
static void learn_outcome(tl_tcp *tcp, tl_tcp_conn *conn)
{
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0)
        conn->error = -error;
    else
        conn->state = TL_TCP_OPEN;
    tl_tcp_queue(tcp, conn);
}

static void told(tl_tcp *tcp, const struct epoll_event *event)
{
    if (event->data.u64 == LISTENER) {
        accept_some(tcp);
        return;
    }
    tl_tcp_conn *conn =
        event->data.u64 == ALSO ? NULL : tl_tcp_find(tcp, (uint32_t)event->data.u64);
    if (conn == NULL)
        return;
    if (conn->state == TL_TCP_CONNECTING)
        learn_outcome(tcp, conn);
    if (event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        conn->readable = true;
        conn->hung_up |= (event->events & ~(uint32_t)(EPOLLIN | EPOLLOUT)) != 0;
        tl_tcp_queue(tcp, conn);
    }
    if (event->events & EPOLLOUT)
        (void)tl_tcp_push(tcp, conn);
}

static int look(tl_tcp *tcp, int timeout_ms)
{
    struct epoll_event events[EPOLL_EVENTS];
    const int count = epoll_wait(tcp->epoll_fd, events, EPOLL_EVENTS, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++)
        told(tcp, &events[i]);
    return count;
}

/* What was put since, of whoever did not flush it. */
static void push_all(tl_tcp *tcp)
{
    for (uint32_t i = 0; i < tcp->dirty_count; i++) {
        tl_tcp_conn *conn = &tcp->conns[tcp->dirty[i]];
        conn->unsent = false;
        if (conn->state == TL_TCP_OPEN)
            (void)tl_tcp_push(tcp, conn);
    }
    tcp->dirty_count = 0;
}

/* Those in the list now; who is queued meanwhile waits for the next poll. */
static uint32_t serve_ready(tl_tcp *tcp, tl_tcp_event *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t left = tcp->ready_count; left > 0 && count < max; left--) {
        tl_tcp_conn *conn = &tcp->conns[tcp->ready[tcp->ready_head]];
        tcp->ready_head = tcp->ready_head + 1 == tcp->connections_max ? 0 : tcp->ready_head + 1;
        tcp->ready_count--;
        conn->queued = false;
        conn->served = tcp->polls;
        if (conn->state != TL_TCP_FREE)
            count += tl_tcp_serve(tcp, conn, &out[count]);
    }
    return count;
}

static uint32_t serve_direct(tl_tcp *tcp, tl_tcp_event *out, uint32_t max)
{
    uint32_t count = 0;
    /* From the last: who is closed here has the last put in its place. */
    for (uint32_t i = tcp->active_count; i > 0 && count < max; i--) {
        tl_tcp_conn *conn = &tcp->conns[tcp->active[i - 1]];
        if (conn->state != TL_TCP_OPEN || !conn->announced || conn->served == tcp->polls)
            continue;
        conn->readable = true;
        if (conn->out_begin != conn->out_end)
            (void)tl_tcp_push(tcp, conn);
        count += tl_tcp_serve(tcp, conn, &out[count]);
    }
    return count;
}

/* A socket that epoll watches pays for each packet that comes. Who reads the sockets in every poll
 * does without, until he sleeps or they are many. One that can not be changed is tried again. */
static void watch_all(tl_tcp *tcp, bool watched)
{
    for (uint32_t i = 0; i < tcp->active_count; i++) {
        tl_tcp_conn *conn = &tcp->conns[tcp->active[i]];
        if (conn->state == TL_TCP_OPEN)
            (void)tl_tcp_watch(tcp, conn, watched);
    }
}

int tl_tcp_poll(tl_tcp *tcp, tl_tcp_event *out, uint32_t max, int timeout_ms)
{
    const bool direct =
        timeout_ms == 0 && tcp->active_count > 0 && tcp->active_count <= tcp->direct_max;
    tcp->polls++;
    tcp->direct = direct ? tcp->direct + 1 : 0;
    if (tcp->direct == POLLS_TO_UNWATCH)
        watch_all(tcp, false);
    else if (!direct && tcp->unwatched > 0)
        watch_all(tcp, true);
    push_all(tcp);
    if (tcp->waited) {
        tcp->waited = false;
    } else if (!direct || ++tcp->unlooked >= POLLS_A_LOOK) {
        tcp->unlooked = 0;
        const int rc = look(tcp, tcp->ready_count > 0 ? 0 : timeout_ms);
        if (rc < 0)
            return rc;
    }
    uint32_t count = tcp->ready_count > 0 ? serve_ready(tcp, out, max) : 0;
    if (direct)
        count += serve_direct(tcp, out + count, max - count);
    return (int)count;
}

int tl_tcp_wait(tl_tcp *tcp, int timeout_ms)
{
    if (tcp->unwatched > 0)
        watch_all(tcp, true);
    push_all(tcp);
    const int rc = look(tcp, tcp->ready_count > 0 ? 0 : timeout_ms);
    tcp->direct = 0;
    tcp->waited = rc >= 0;
    return rc < 0 ? rc : 0;
}

int tl_tcp_also(tl_tcp *tcp, int fd)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = ALSO};
    return epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

int64_t tl_tcp_connect(tl_tcp *tcp, const char *to, tl_port_fault *fault)
{
    tl_port_address peer;
    struct sockaddr_storage at;
    tl_tcp_conn *conn;
    if (tl_port_address_read(&peer, to) != 0)
        return tl_port_blame(fault, -EINVAL, "connect %s", to);
    if (tcp->unused_count == 0)
        return tl_port_blame(fault, -ENOBUFS, "connect %s: connections_max %u", to,
                             tcp->connections_max);
    const int fd = socket(peer.family == 6 ? AF_INET6 : AF_INET,
                          SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return tl_port_blame(fault, -errno, "socket");
    const socklen_t size = tl_port_sockaddr(&at, &peer);
    if (connect(fd, (struct sockaddr *)&at, size) != 0 && errno != EINPROGRESS) {
        const int rc = -errno;
        close(fd);
        return tl_port_blame(fault, rc, "connect %s", to);
    }
    const int rc = tl_tcp_begin(tcp, fd, TL_TCP_CONNECTING, &peer, &conn);
    if (rc != 0)
        return tl_port_blame(fault, rc, "connect %s", to);
    return tl_tcp_number(tcp, conn);
}

static int start_listening(tl_tcp *tcp, const char *local, tl_port_fault *fault)
{
    struct sockaddr_storage at;
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = LISTENER};
    if (tl_port_address_read(&tcp->local, local) != 0)
        return tl_port_blame(fault, -EINVAL, "listen %s", local);
    const bool v6 = tcp->local.family == 6;
    tcp->listen_fd =
        socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (tcp->listen_fd < 0)
        return tl_port_blame(fault, -errno, "socket");
    int rc = tl_port_set(tcp->listen_fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (rc == 0 && v6)
        rc = tl_port_set(tcp->listen_fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    const socklen_t size = tl_port_sockaddr(&at, &tcp->local);
    if (rc == 0 && (bind(tcp->listen_fd, (struct sockaddr *)&at, size) != 0 ||
                    listen(tcp->listen_fd, BACKLOG) != 0 ||
                    epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, tcp->listen_fd, &event) != 0))
        rc = -errno;
    if (rc != 0)
        return tl_port_blame(fault, rc, "listen %s", local);
    tl_port_read_local(tcp->listen_fd, &tcp->local);
    return 0;
}

static void *piece(uint8_t *memory, size_t *at, size_t bytes)
{
    void *here = memory == NULL ? NULL : memory + *at;
    *at += (bytes + 63) & ~(size_t)63;
    return here;
}

static size_t lay_out(tl_tcp *tcp, uint8_t *memory)
{
    const size_t n = tcp->connections_max;
    size_t at = 0;
    tcp->conns = piece(memory, &at, n * sizeof *tcp->conns);
    tcp->active = piece(memory, &at, n * sizeof *tcp->active);
    tcp->unused = piece(memory, &at, n * sizeof *tcp->unused);
    tcp->ready = piece(memory, &at, n * sizeof *tcp->ready);
    tcp->dirty = piece(memory, &at, n * sizeof *tcp->dirty);
    for (size_t i = 0; i < n; i++) {
        uint8_t *in = piece(memory, &at, tcp->receive_max);
        uint8_t *out = piece(memory, &at, tcp->send_max);
        if (memory == NULL)
            continue;
        tcp->conns[i].fd = -1;
        tcp->conns[i].in = in;
        tcp->conns[i].out = out;
        tcp->unused[n - 1 - i] = (uint32_t)i;
    }
    tcp->unused_count = tcp->connections_max;
    return at;
}

/* The address space of all buffers; a page of one costs memory once a connection writes there. */
static int allocate(tl_tcp *tcp)
{
    tcp->memory_bytes = lay_out(tcp, NULL);
    tcp->memory = mmap(NULL, tcp->memory_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tcp->memory == MAP_FAILED) {
        tcp->memory = NULL;
        return -ENOMEM;
    }
    lay_out(tcp, tcp->memory);
    return 0;
}

static void wish_epoll(tl_tcp *tcp)
{
    const tl_port_tuning *tuning = &tcp->tuning;
    const uint32_t budget = tuning->busy_poll_budget;
    epoll_poll_params params = {.busy_poll_usecs = tuning->busy_poll_us,
                                .busy_poll_budget = (uint16_t)(budget > 64 ? 64 : budget),
                                .prefer_busy_poll = tuning->prefer_busy_poll};
    if (tuning->busy_poll_us == 0)
        return;
    const int error = ioctl(tcp->epoll_fd, SET_EPOLL_PARAMS, &params) == 0 ? 0 : -errno;
    tl_port_note(&tcp->facts, "epoll_busy_poll_us", tuning->busy_poll_us,
                 error == 0 ? tuning->busy_poll_us : 0, error);
}

static int set_up(tl_tcp *tcp, const tl_tcp_options *options, tl_port_fault *fault)
{
    if (options->connections_max == 0 || options->connections_max > UINT16_MAX)
        return tl_port_blame(fault, -EINVAL, "connections_max %u of 1 to 65535",
                             options->connections_max);
    if (options->receive_max == 0 || options->receive_max > BUFFER_MAX ||
        options->send_max == 0 || options->send_max > BUFFER_MAX)
        return tl_port_blame(fault, -EINVAL, "receive_max %u, send_max %u of 1 to %u",
                             options->receive_max, options->send_max, BUFFER_MAX);
    tcp->connections_max = options->connections_max;
    tcp->receive_max = options->receive_max;
    tcp->send_max = options->send_max;
    tcp->direct_max = options->direct_max < DIRECT_MAX ? options->direct_max : DIRECT_MAX;
    tcp->tuning = options->tuning;
    tcp->stamped = options->tuning.stamps != TL_PORT_UNSTAMPED;
    if (allocate(tcp) != 0)
        return tl_port_blame(fault, -ENOMEM, "buffers of %u connections", tcp->connections_max);
    if (options->interface != NULL) {
        tcp->interface_kept = strdup(options->interface);
        tcp->interface = tcp->interface_kept;
    }
    tcp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tcp->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (tcp->epoll_fd < 0 || tcp->spare_fd < 0)
        return tl_port_blame(fault, -errno, "epoll");
    wish_epoll(tcp);
    return options->local == NULL ? 0 : start_listening(tcp, options->local, fault);
}

int tl_tcp_open(tl_tcp **out, const tl_tcp_options *options, tl_port_fault *fault)
{
    *out = NULL;
    tl_tcp *tcp = calloc(1, sizeof *tcp);
    if (tcp == NULL)
        return tl_port_blame(fault, -ENOMEM, "port");
    tcp->epoll_fd = tcp->listen_fd = tcp->spare_fd = -1;
    const int rc = set_up(tcp, options, fault);
    if (rc != 0)
        tl_tcp_close(tcp);
    else
        *out = tcp;
    return rc;
}

void tl_tcp_close(tl_tcp *tcp)
{
    if (tcp == NULL)
        return;
    for (uint32_t i = 0; i < tcp->active_count; i++)
        close(tcp->conns[tcp->active[i]].fd);
    if (tcp->listen_fd >= 0)
        close(tcp->listen_fd);
    if (tcp->spare_fd >= 0)
        close(tcp->spare_fd);
    if (tcp->epoll_fd >= 0)
        close(tcp->epoll_fd);
    if (tcp->memory != NULL)
        munmap(tcp->memory, tcp->memory_bytes);
    free(tcp->interface_kept);
    free(tcp);
}

tl_port_address tl_tcp_peer(const tl_tcp *tcp, uint32_t number)
{
    const tl_tcp_conn *conn = tl_tcp_find(tcp, number);
    return conn == NULL ? (tl_port_address){0} : conn->peer;
}

int tl_tcp_fd(const tl_tcp *tcp)
{
    return tcp->epoll_fd;
}

const tl_port_address *tl_tcp_local(const tl_tcp *tcp)
{
    return &tcp->local;
}

const tl_port_facts *tl_tcp_what_was_got(const tl_tcp *tcp)
{
    return &tcp->facts;
}

uint32_t tl_tcp_connections(const tl_tcp *tcp)
{
    return tcp->active_count;
}

uint64_t tl_tcp_refused(const tl_tcp *tcp)
{
    return tcp->refused;
}
