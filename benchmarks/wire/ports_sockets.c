/* TCP and UDP: bare sockets, and the ports over the same. */
#define _GNU_SOURCE
#include "ports_pairs.h"

#include "touchline/wire/port_tcp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int sure(int rc, const char *what)
{
    if (rc < 0) {
        fprintf(stderr, "bench_ports: %s: %s\n", what, strerror(-rc));
        exit(1);
    }
    return rc;
}

void pin_to(int cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sure(sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : -errno, "processor");
}

pthread_t start_on(int cpu, void *(*function)(void *), void *argument)
{
    pthread_attr_t attributes;
    pthread_t thread;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    pthread_attr_init(&attributes);
    sure(-pthread_attr_setaffinity_np(&attributes, sizeof set, &set), "processor");
    sure(-pthread_create(&thread, &attributes, function, argument), "thread");
    pthread_attr_destroy(&attributes);
    return thread;
}

static int in_errno(int rc)
{
    return rc < 0 ? -errno : rc;
}

static bool stopped(const end *end)
{
    return atomic_load_explicit(end->stop, memory_order_relaxed);
}

static void tcp_bare_open(end ends[2], const veth *veth)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    const int one = 1;
    (void)veth;
    const int listener = sure(in_errno(socket(AF_INET, SOCK_STREAM, 0)), "socket");
    sure(in_errno(bind(listener, (struct sockaddr *)&at, size)), "bind");
    sure(in_errno(listen(listener, 1)), "listen");
    sure(in_errno(getsockname(listener, (struct sockaddr *)&at, &size)), "getsockname");
    ends[0].fd = sure(in_errno(socket(AF_INET, SOCK_STREAM, 0)), "socket");
    sure(in_errno(connect(ends[0].fd, (struct sockaddr *)&at, size)), "connect");
    ends[1].fd = sure(in_errno(accept(listener, NULL, NULL)), "accept");
    close(listener);
    for (int i = 0; i < 2; i++)
        setsockopt(ends[i].fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static void bare_send(end *end, const uint8_t *bytes)
{
    const ssize_t put = send(end->fd, bytes, MESSAGE_BYTES, MSG_NOSIGNAL);
    sure(put == MESSAGE_BYTES ? 0 : -EIO, "send");
}

static bool bare_receive(end *end, uint8_t *bytes, int flags)
{
    uint32_t have = 0;
    while (have < MESSAGE_BYTES) {
        const ssize_t got = recv(end->fd, bytes + have, MESSAGE_BYTES - have, flags);
        if (got > 0)
            have += (uint32_t)got;
        else if (got == 0 || stopped(end))
            return false;
        else if (errno != EAGAIN && errno != EINTR)
            sure(-errno, "recv");
    }
    return true;
}

static bool bare_receive_blocking(end *end, uint8_t *bytes)
{
    return bare_receive(end, bytes, 0);
}

static bool bare_receive_spinning(end *end, uint8_t *bytes)
{
    return bare_receive(end, bytes, MSG_DONTWAIT);
}

static void bare_close(end *end)
{
    close(end->fd);
}

/* The least that a server does, which can not sleep on its connection alone. */
static void tcp_polled_open(end ends[2], const veth *veth)
{
    tcp_bare_open(ends, veth);
    for (int i = 0; i < 2; i++) {
        ends[i].listener = sure(in_errno(socket(AF_INET, SOCK_STREAM, 0)), "socket");
        sure(in_errno(listen(ends[i].listener, 1)), "listen");
    }
}

static bool tcp_polled_receive(end *end, uint8_t *bytes)
{
    struct pollfd both[] = {{.fd = end->fd, .events = POLLIN},
                            {.fd = end->listener, .events = POLLIN}};
    sure(in_errno(poll(both, 2, -1)), "poll");
    return bare_receive(end, bytes, MSG_DONTWAIT);
}

static void tcp_polled_close(end *end)
{
    close(end->listener);
    close(end->fd);
}

static uint32_t await_opened(tl_tcp *tcp)
{
    tl_tcp_event event = {0};
    while (event.kind != TL_TCP_OPENED)
        sure(tl_tcp_poll(tcp, &event, 1, 1000) == 1 ? 0 : -ETIMEDOUT, "connection");
    return event.conn;
}

static void tcp_port_open(end ends[2], const veth *veth)
{
    tl_tcp_options options = {.local = "127.0.0.1:0",
                              .connections_max = 1,
                              .receive_max = 4096,
                              .send_max = 4096,
                              .direct_max = 1};
    char text[TL_PORT_ADDRESS_BYTES];
    tl_tcp *near, *far;
    (void)veth;
    sure(tl_tcp_open(&far, &options, NULL), "tl_tcp_open");
    options.local = NULL;
    sure(tl_tcp_open(&near, &options, NULL), "tl_tcp_open");
    tl_port_address_text(tl_tcp_local(far), text);
    sure(tl_tcp_connect(near, text, NULL) > 0 ? 0 : -ECONNREFUSED, "tl_tcp_connect");
    ends[0].conn = await_opened(near);
    ends[1].conn = await_opened(far);
    ends[0].port = near;
    ends[1].port = far;
}

static void tcp_port_send(end *end, const uint8_t *bytes)
{
    sure(tl_tcp_send(end->port, end->conn, bytes, MESSAGE_BYTES), "tl_tcp_send");
}

static bool tcp_port_receive(end *end, uint8_t *bytes, int timeout_ms)
{
    tl_tcp_event event;
    for (;;) {
        const int n = sure(tl_tcp_poll(end->port, &event, 1, timeout_ms), "tl_tcp_poll");
        if (n == 0 && stopped(end))
            return false;
        if (n == 0)
            continue;
        if (event.kind == TL_TCP_CLOSED)
            return false;
        if (event.size < MESSAGE_BYTES)
            continue;
        memcpy(bytes, event.bytes, MESSAGE_BYTES);
        tl_tcp_took(end->port, end->conn, MESSAGE_BYTES);
        return true;
    }
}

static bool tcp_port_receive_blocking(end *end, uint8_t *bytes)
{
    return tcp_port_receive(end, bytes, -1);
}

static bool tcp_port_receive_spinning(end *end, uint8_t *bytes)
{
    return tcp_port_receive(end, bytes, 0);
}

static void tcp_port_close(end *end)
{
    tl_tcp_close(end->port);
}

static void udp_bare_open(end ends[2], const veth *veth)
{
    static const char *const hosts[] = {VETH_NEAR, VETH_FAR};
    struct sockaddr_in at[2];
    for (int i = 0; i < 2; i++) {
        at[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(5001)};
        inet_pton(AF_INET, hosts[i], &at[i].sin_addr);
        sure(veth_enter(veth, i), "setns");
        ends[i].fd = sure(in_errno(socket(AF_INET, SOCK_DGRAM, 0)), "socket");
        sure(in_errno(bind(ends[i].fd, (struct sockaddr *)&at[i], sizeof at[i])), "bind");
    }
    for (int i = 0; i < 2; i++)
        sure(in_errno(connect(ends[i].fd, (struct sockaddr *)&at[!i], sizeof *at)), "connect");
    sure(veth_leave(veth), "setns");
}

static void udp_open(end ends[2], const veth *veth, uint8_t stamps)
{
    static const char *const at[] = {VETH_NEAR ":5002", VETH_FAR ":5002"};
    for (int i = 0; i < 2; i++) {
        const tl_port_options options = {.local = at[i],
                                         .to = at[!i],
                                         .connected = true,
                                         .batch = 1,
                                         .size_max = MESSAGE_BYTES,
                                         .tuning = {.stamps = stamps}};
        tl_port_fault fault;
        tl_port *port;
        sure(veth_enter(veth, i), "setns");
        sure(tl_port_udp_open(&port, &options, &fault), "tl_port_udp_open");
        ends[i].port = port;
    }
    sure(veth_leave(veth), "setns");
}

static void udp_port_open(end ends[2], const veth *veth)
{
    udp_open(ends, veth, TL_PORT_UNSTAMPED);
}

static void udp_stamped_open(end ends[2], const veth *veth)
{
    udp_open(ends, veth, TL_PORT_SOFTWARE);
}

static void port_send(end *end, const uint8_t *bytes)
{
    const tl_port_packet packet = {.bytes = bytes, .size = MESSAGE_BYTES};
    int rc;
    /* The first has to wait until the other side's card is known. */
    while ((rc = tl_port_send(end->port, &packet, 1)) == -EAGAIN && !stopped(end))
        ;
    sure(rc == 1 ? 0 : rc, "tl_port_send");
}

static void port_send_stamped(end *end, const uint8_t *bytes)
{
    tl_port_sent sent[16];
    port_send(end, bytes);
    sure(tl_port_sent_stamps(end->port, sent, 16), "tl_port_sent_stamps");
}

static bool port_receive(end *end, uint8_t *bytes)
{
    tl_port_datagram got;
    for (;;) {
        if (sure(tl_port_poll(end->port, &got, 1, 0), "tl_port_poll") == 0) {
            if (stopped(end))
                return false;
            continue;
        }
        sure(got.size == MESSAGE_BYTES ? 0 : -EBADMSG, "message");
        memcpy(bytes, got.bytes, MESSAGE_BYTES);
        end->rx_ns = got.rx_ns;
        return true;
    }
}

static void port_close(end *end)
{
    tl_port_close(end->port);
}

static void xdp_port_open(end ends[2], const veth *veth)
{
    static const char *const at[] = {VETH_NEAR ":5003", VETH_FAR ":5003"};
    for (int i = 0; i < 2; i++) {
        const tl_port_xdp_options options = {.common = {.local = at[i],
                                                        .to = at[!i],
                                                        .interface = VETH_NAME,
                                                        .batch = 1,
                                                        .size_max = MESSAGE_BYTES},
                                             .frames = 256,
                                             .mode = TL_PORT_XDP_ANY};
        tl_port_fault fault = {0};
        tl_port *port;
        sure(veth_enter(veth, i), "setns");
        const int rc = tl_port_xdp_open(&port, &options, &fault);
        sure(rc, fault.text);
        ends[i].port = port;
    }
    sure(veth_leave(veth), "setns");
}

const pair TCP_BARE = {
    "tcp_bare", tcp_bare_open, bare_send, bare_receive_blocking, bare_close, false};
const pair TCP_POLLED = {
    "tcp_polled", tcp_polled_open, bare_send, tcp_polled_receive, tcp_polled_close, false};
const pair TCP_PORT = {
    "tcp_port", tcp_port_open, tcp_port_send, tcp_port_receive_blocking, tcp_port_close, false};
const pair TCP_BARE_SPINNING = {
    "tcp_bare_spinning", tcp_bare_open, bare_send, bare_receive_spinning, bare_close, false};
const pair TCP_PORT_SPINNING = {"tcp_port_spinning",       tcp_port_open,  tcp_port_send,
                                tcp_port_receive_spinning, tcp_port_close, false};
const pair UDP_BARE = {
    "udp_bare_spinning", udp_bare_open, bare_send, bare_receive_spinning, bare_close, true};
const pair UDP_PORT = {
    "udp_port_spinning", udp_port_open, port_send, port_receive, port_close, true};
const pair UDP_STAMPED = {
    "udp_port_stamped", udp_stamped_open, port_send_stamped, port_receive, port_close, true};
const pair XDP_PORT = {"xdp_port", xdp_port_open, port_send, port_receive, port_close, true};
