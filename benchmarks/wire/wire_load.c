/* The other side of binary order entry: orders over OUCH, each answer read and checked; or the
 * floor, a program that answers with as many bytes.
 *
 *   wire_load rtt|rate KEY=VALUE...   port user password orders window spin
 *   wire_load echo PORT WAIT CPU      serves until its standard input ends; "ready" when it does
 *                                     WAIT: sleep, spin, or yield: spin, and before an answer yield
 *                                     the processor to another process and get it back
 *
 * rtt: one immediate order at a time, answered by its acceptance and its end. rate: resting orders,
 * as many unanswered as the window says. One line of JSON; exit code 1 when an answer was not what
 * it should be. It shares nothing with what it measures.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LOGIN_BYTES 49u
#define ACCEPTED_BYTES 33u
#define ORDER_BYTES 50u  /* Enter Order without an option, in its packet */
#define ANSWER_BYTES 67u /* Order Accepted, likewise */
#define CANCELED_BYTES 21u
#define ROOM (1u << 20)

static uint8_t in[ROOM], out[ROOM];
static size_t in_size;

static int64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static _Noreturn void fail(const char *why)
{
    printf("{\"verified\": false, \"fault\": \"%s\"}\n", why);
    exit(1);
}

static void put_big(uint8_t *at, uint64_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--, value >>= 8)
        at[i] = (uint8_t)value;
}

static uint64_t get_big(const uint8_t *at, int bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | at[i];
    return value;
}

/* An order to buy 100 AAA; `immediate` ones find nobody. */
static void put_order(uint8_t *at, uint32_t number, bool immediate)
{
    memset(at, ' ', ORDER_BYTES);
    put_big(at, ORDER_BYTES - 2, 2);
    at[2] = 'U';
    at[3] = 'O';
    put_big(at + 4, number, 4);
    at[8] = 'B';
    put_big(at + 9, 100, 4);
    memcpy(at + 13, "AAA     ", 8);
    put_big(at + 21, 990000 + 100 * (number % 64), 8);
    memcpy(at + 29, immediate ? "3YANN" : "0YANN", 5);
    put_big(at + 48, 0, 2);
}

static void send_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        const ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EINTR && errno != EAGAIN)
            fail("the connection broke");
        if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
}

/* More bytes, waiting asleep or awake. */
static void read_more(int fd, bool spin)
{
    const int64_t until = now_ns() + INT64_C(20000000000);
    for (;;) {
        const ssize_t got = recv(fd, in + in_size, ROOM - in_size, spin ? MSG_DONTWAIT : 0);
        if (got > 0) {
            in_size += (size_t)got;
            return;
        }
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            fail("the connection ended");
        if (now_ns() > until)
            fail("no answer came");
    }
}

/* The sequenced messages that have come: calls `take` for each, and moves the rest to the front. */
static void take_messages(void (*take)(const uint8_t *message, size_t size))
{
    size_t at = 0;
    while (in_size - at >= 3 && in_size - at >= 2 + get_big(in + at, 2)) {
        const size_t size = get_big(in + at, 2);
        if (in[at + 2] == 'S')
            take(in + at + 3, size - 1);
        else if (in[at + 2] != 'H')
            fail("a packet of another type");
        at += 2 + size;
    }
    memmove(in, in + at, in_size - at);
    in_size -= at;
}

static uint32_t accepted, ended;

static void take(const uint8_t *message, size_t size)
{
    if (message[0] == 'S' && size == 10)
        return; /* a stream begins with a system event */
    const uint32_t number = (uint32_t)get_big(message + 9, 4);
    if (message[0] == 'A' && size == ANSWER_BYTES - 3 && number == accepted + 1)
        accepted++;
    else if (message[0] == 'C' && number == ended + 1)
        ended++;
    else
        fail("an answer is not what it should be");
}

static int dial(int port)
{
    const struct sockaddr_in place = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    if (connect(fd, (const struct sockaddr *)&place, sizeof place) != 0)
        fail("nobody listens");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void log_in(int fd, const char *user, const char *password)
{
    char login[LOGIN_BYTES + 1];
    snprintf(login, sizeof login, "  L%-6s%-10s%10s%20d", user, password, "", 1);
    put_big((uint8_t *)login, LOGIN_BYTES - 2, 2);
    send_all(fd, (const uint8_t *)login, LOGIN_BYTES);
    while (in_size < ACCEPTED_BYTES)
        read_more(fd, false);
    if (in[2] != 'A')
        fail("the login was refused");
    memmove(in, in + ACCEPTED_BYTES, in_size - ACCEPTED_BYTES);
    in_size -= ACCEPTED_BYTES;
}

static int by_size(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void measure_trips(int fd, uint32_t orders, bool spin)
{
    uint32_t *times = calloc(orders, sizeof *times);
    for (uint32_t i = 0; i < orders; i++) {
        put_order(out, i + 1, true);
        const int64_t begun = now_ns();
        send_all(fd, out, ORDER_BYTES);
        while (ended <= i) {
            read_more(fd, spin);
            take_messages(take);
        }
        times[i] = (uint32_t)(now_ns() - begun);
    }
    qsort(times, orders, sizeof *times, by_size);
    printf("{\"verified\": %s, \"p50\": %.2f, \"p99\": %.2f}\n",
           accepted == orders ? "true" : "false", times[orders / 2] / 1e3,
           times[(uint32_t)(orders * 0.99)] / 1e3);
    free(times);
}

/* As many as the window and the socket take at once. */
static void measure_rate(int fd, uint32_t orders, uint32_t window)
{
    uint32_t written = 0;
    size_t at = 0, size = 0;
    const int64_t begun = now_ns();
    while (accepted < orders) {
        if (at == size) {
            at = size = 0;
            while (written < orders && written - accepted < window &&
                   size + ORDER_BYTES <= ROOM / 4) {
                put_order(out + size, ++written, false);
                size += ORDER_BYTES;
            }
        }
        struct pollfd of = {.fd = fd, .events = (short)(POLLIN | (at < size ? POLLOUT : 0))};
        if (poll(&of, 1, 20000) <= 0)
            fail("no answer came");
        if (of.revents & POLLOUT) {
            const ssize_t sent = send(fd, out + at, size - at, MSG_NOSIGNAL | MSG_DONTWAIT);
            at += sent > 0 ? (size_t)sent : 0;
        }
        if (of.revents & (POLLIN | POLLHUP | POLLERR)) {
            read_more(fd, false);
            take_messages(take);
        }
    }
    const double seconds = (double)(now_ns() - begun) / 1e9;
    printf("{\"verified\": %s, \"orders_per_s\": %.0f}\n", ended == 0 ? "true" : "false",
           orders / seconds);
}

/* The floor */

static int listen_at(int port)
{
    const struct sockaddr_in place = {.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)port),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&place, sizeof place) != 0 || listen(fd, 8) != 0)
        fail("the port is taken");
    return fd;
}

/* What an order would be answered with, with the number that it has. */
static void answer(int fd, const uint8_t *order)
{
    uint8_t reply[ANSWER_BYTES + CANCELED_BYTES];
    memset(reply, ' ', sizeof reply);
    put_big(reply, ANSWER_BYTES - 2, 2);
    memcpy(reply + 2, "SA", 2);
    memcpy(reply + 12, order + 4, 4);
    put_big(reply + ANSWER_BYTES, CANCELED_BYTES - 2, 2);
    memcpy(reply + ANSWER_BYTES + 2, "SC", 2);
    memcpy(reply + ANSWER_BYTES + 12, order + 4, 4);
    send_all(fd, reply, sizeof reply);
}

typedef enum wait_kind { SLEEP, SPIN, YIELD } wait_kind;

static void keep_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        fail("it can not be kept to that processor");
}

/* Another process on this processor, that does nothing but give it back. */
static void begin_yielding(void)
{
    const pid_t child = fork();
    if (child < 0)
        fail("no process could be begun");
    if (child > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;)
        sched_yield();
}

static void serve_one(int fd, wait_kind wait)
{
    static uint8_t bytes[ROOM];
    const int on = 1;
    uint8_t reply[ACCEPTED_BYTES + 1];
    bool logged_in = false;
    size_t size = 0;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    for (;;) {
        const ssize_t got = recv(fd, bytes + size, ROOM - size, wait == SLEEP ? 0 : MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            break;
        if (wait == YIELD)
            sched_yield();
        size += (size_t)got;
        size_t at = 0;
        if (!logged_in && size >= LOGIN_BYTES) {
            snprintf((char *)reply, sizeof reply, "  A%10s%20d", "FLOOR", 1);
            put_big(reply, ACCEPTED_BYTES - 2, 2);
            send_all(fd, reply, ACCEPTED_BYTES);
            logged_in = true;
            at = LOGIN_BYTES;
        }
        for (; logged_in && size - at >= ORDER_BYTES; at += ORDER_BYTES)
            answer(fd, bytes + at);
        memmove(bytes, bytes + at, size - at);
        size -= at;
    }
    close(fd);
}

static int echo(int port, wait_kind wait, int cpu)
{
    const int listener = listen_at(port);
    keep_to(cpu);
    if (wait == YIELD)
        begin_yielding();
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct pollfd of[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        poll(of, 2, -1);
        if (of[1].revents != 0)
            return 0;
        const int fd = accept(listener, NULL, NULL);
        if (fd >= 0)
            serve_one(fd, wait);
    }
}

static const char *option(int argc, char **argv, const char *key, const char *usual)
{
    const size_t width = strlen(key);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], key, width) == 0 && argv[i][width] == '=')
            return argv[i] + width + 1;
    return usual;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "echo") == 0)
        return echo(atoi(argv[2]),
                    strcmp(argv[3], "yield") == 0  ? YIELD
                    : strcmp(argv[3], "spin") == 0 ? SPIN
                                                   : SLEEP,
                    atoi(argv[4]));
    if (argc < 3)
        fail("rtt, rate or echo");
    const uint32_t orders = (uint32_t)atoi(option(argc, argv, "orders", "10000"));
    const uint32_t window = (uint32_t)atoi(option(argc, argv, "window", "4096"));
    const bool spin = atoi(option(argc, argv, "spin", "0")) != 0;
    const int fd = dial(atoi(option(argc, argv, "port", "0")));
    log_in(fd, option(argc, argv, "user", "BENCH"), option(argc, argv, "password", "secret"));
    if (strcmp(argv[1], "rtt") == 0)
        measure_trips(fd, orders, spin);
    else
        measure_rate(fd, orders, window);
    close(fd);
    return 0;
}
