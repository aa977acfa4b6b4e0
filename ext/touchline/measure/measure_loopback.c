/* A TCP round trip over loopback, blocking or spinning: what an order over FIX pays at the least.
 * measure.h has the contract. */
#define _GNU_SOURCE
#include "touchline/measure/measure.h"
#include "touchline/measure/measure_thread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define MESSAGE_BYTES 64

typedef struct tcp_answerer {
    int fd;
    int32_t cpu;
    int spin;
    _Atomic int stop;
} tcp_answerer;

/* A whole message in: 0, -EPIPE at the end of the stream or of the measurement, or -errno. */
static int take(int fd, char *bytes, int spin, const _Atomic int *stop)
{
    size_t have = 0;
    while (have < MESSAGE_BYTES) {
        const ssize_t got =
            recv(fd, bytes + have, MESSAGE_BYTES - have, spin ? MSG_DONTWAIT : 0);
        if (got > 0)
            have += (size_t)got;
        else if (got == 0 || atomic_load_explicit(stop, memory_order_relaxed))
            return -EPIPE;
        else if (errno == EINTR || (spin && (errno == EAGAIN || errno == EWOULDBLOCK)))
            continue;
        else
            return -errno;
    }
    return 0;
}

static int give(int fd, const char *bytes)
{
    /* One message is on its way at a time: the socket's buffer has room for it. */
    const ssize_t put = send(fd, bytes, MESSAGE_BYTES, MSG_NOSIGNAL);
    if (put < 0)
        return -errno;
    return put == MESSAGE_BYTES ? 0 : -EIO;
}

static void *tcp_answer(void *argument)
{
    tcp_answerer *self = argument;
    char bytes[MESSAGE_BYTES];
    place_self(self->cpu);
    while (take(self->fd, bytes, self->spin, &self->stop) == 0 && give(self->fd, bytes) == 0)
        ;
    /* Whatever ended it, whoever still asks must not wait. */
    shutdown(self->fd, SHUT_RDWR);
    return NULL;
}

/* Two connected ends on a port the system chooses. 0 or -errno; on error nothing stays open. */
static int connect_pair(int ends[2])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = (struct sockaddr *)&at;
    const struct timeval patience = {.tv_sec = 2};
    const int one = 1;
    socklen_t size = sizeof at;
    int rc = 0;
    ends[0] = ends[1] = -1;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0)
        return -errno;
    if (bind(listener, address, size) == 0 && listen(listener, 1) == 0 &&
        getsockname(listener, address, &size) == 0) {
        ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (ends[0] >= 0 && connect(ends[0], address, size) == 0)
            ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    if (ends[1] < 0)
        rc = -errno;
    close(listener);
    for (int i = 0; i < 2 && rc == 0; i++) {
        if (setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0 ||
            setsockopt(ends[i], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0)
            rc = -errno;
    }
    for (int i = 0; i < 2 && rc != 0; i++) {
        if (ends[i] >= 0)
            close(ends[i]);
    }
    return rc;
}

static int64_t tcp_ask(int fd, int spin, uint32_t *out_ns, size_t max, int64_t budget_ns)
{
    const int64_t deadline_ns = monotonic_ns() + budget_ns;
    static const _Atomic int never = 0;
    char bytes[MESSAGE_BYTES] = {0};
    size_t done = 0;
    for (int64_t start_ns = 0; done < max && start_ns < deadline_ns; done++) {
        bytes[0] = (char)done;
        start_ns = monotonic_ns();
        int rc = give(fd, bytes);
        if (rc == 0)
            rc = take(fd, bytes, spin, &never);
        if (rc != 0)
            return rc;
        out_ns[done] = sample(monotonic_ns() - start_ns);
        if (bytes[0] != (char)done)
            return -EIO;
    }
    return (int64_t)done;
}

int64_t tl_measure_loopback(const tl_measure_places *places, int spin, uint32_t *out_ns, size_t max,
                            int64_t budget_ns)
{
    pthread_t thread;
    int ends[2];
    int64_t rc = connect_pair(ends);
    if (rc != 0)
        return rc;
    tcp_answerer answerer = {.fd = ends[1], .cpu = places->far_cpu, .spin = spin};
    rc = -pthread_create(&thread, NULL, tcp_answer, &answerer);
    if (rc == 0) {
        const cpu_set_t before = place_near(places->near_cpu);
        rc = tcp_ask(ends[0], spin, out_ns, max, budget_ns);
        atomic_store_explicit(&answerer.stop, 1, memory_order_relaxed);
        shutdown(ends[0], SHUT_RDWR);
        pthread_join(thread, NULL);
        place_back(&before);
    }
    close(ends[0]);
    close(ends[1]);
    return rc;
}
