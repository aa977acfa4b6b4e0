/* fix_peer.h says what a peer is. */
#define _GNU_SOURCE
#include "fix_peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MESSAGE_MAX 320u
#define WAIT_MS 20000
#define SOH '\x01'

int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

__attribute__((format(printf, 2, 3))) static bool fail(fix_peer *peer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (peer->fault[0] == 0)
        vsnprintf(peer->fault, sizeof peer->fault, format, arguments);
    va_end(arguments);
    return false;
}

/* Messages */

static size_t finish(char *out, const char *body)
{
    size_t size = (size_t)sprintf(out, "8=FIX.4.4|9=%zu|%s", strlen(body), body);
    unsigned sum = 0;
    for (size_t i = 0; i < size; i++) {
        if (out[i] == '|')
            out[i] = SOH;
        sum += (unsigned char)out[i];
    }
    return size + (size_t)sprintf(out + size, "10=%03u\x01", sum & 255);
}

static void utc(char *out)
{
    const time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(out, 32, "%Y%m%d-%H:%M:%S.000", &parts);
}

static size_t write_order(const fix_peer *peer, uint32_t number, const char *when, char *out)
{
    const fix_job *job = peer->job;
    char body[MESSAGE_MAX];
    snprintf(body, sizeof body,
             "35=D|34=%u|49=%s|52=%s|56=%s|11=%08u|38=1|40=2|44=%s|54=%u|55=%s|59=0|60=%s|",
             number + 2, peer->comp_id, when, job->venue, number,
             job->cross ? "101.00" : "100.00", /* so they meet each other, not what rests */
             job->cross ? 1 + number % 2 : 1, job->symbol, when);
    return finish(out, body);
}

static bool write_orders(fix_peer *peer)
{
    const size_t orders = peer->job->orders;
    char when[32];
    utc(when);
    peer->out = malloc(orders * MESSAGE_MAX);
    peer->ends = malloc(orders * sizeof *peer->ends);
    peer->accepted = calloc(orders, 1);
    peer->filled = calloc(orders, 1);
    peer->sent_ns = calloc(orders, sizeof *peer->sent_ns);
    peer->took_ns = calloc(orders, sizeof *peer->took_ns);
    peer->in = malloc(PEER_IN_BYTES);
    if (!peer->out || !peer->ends || !peer->accepted || !peer->filled || !peer->sent_ns ||
        !peer->took_ns || !peer->in)
        return fail(peer, "no memory for %zu orders", orders);
    size_t at = 0;
    for (uint32_t n = 0; n < orders; n++)
        peer->ends[n] = at += write_order(peer, n, when, peer->out + at);
    return true;
}

/* Answers */

/* The value of `tag` ("\x0134=") in a message; its size in `size`, NULL: absent. */
static const char *value(const char *message, size_t length, const char *tag, size_t *size)
{
    const size_t width = strlen(tag);
    const char *at = memmem(message, length, tag, width);
    if (at == NULL)
        return NULL;
    at += width;
    const char *end = memchr(at, SOH, (size_t)(message + length - at));
    *size = end ? (size_t)(end - at) : 0;
    return at;
}

static uint64_t number(const char *message, size_t length, const char *tag)
{
    size_t size;
    const char *at = value(message, length, tag, &size);
    return at ? strtoull(at, NULL, 10) : 0;
}

static bool is(const char *message, size_t length, const char *tag, char wanted)
{
    size_t size;
    const char *at = value(message, length, tag, &size);
    return at && size == 1 && *at == wanted;
}

static bool take_report(fix_peer *peer, const char *message, size_t length)
{
    const uint64_t order = number(message, length, "\x01" "11=");
    const uint8_t fills = peer->job->cross ? 1 : 0;
    if (order >= peer->job->orders)
        return fail(peer, "a report on order %llu", (unsigned long long)order);
    if (is(message, length, "\x01" "150=", '0'))
        peer->accepted[order]++;
    else if (is(message, length, "\x01" "150=", 'F') && is(message, length, "\x01" "39=", '2'))
        peer->filled[order]++;
    else
        return fail(peer, "an unexpected report: %.*s", (int)(length < 200 ? length : 200),
                    message);
    if (peer->accepted[order] > 1 || peer->filled[order] > fills)
        return fail(peer, "order %llu was reported twice", (unsigned long long)order);
    if (peer->accepted[order] == 1 && peer->filled[order] == fills) {
        peer->took_ns[order] = (uint32_t)(monotonic_ns() - peer->sent_ns[order]);
        peer->answered++;
    }
    return true;
}

static bool take_message(fix_peer *peer, const char *message, size_t length)
{
    const uint64_t seq = number(message, length, "\x01" "34=");
    if (seq != peer->next_seq)
        return fail(peer, "MsgSeqNum %llu instead of %llu", (unsigned long long)seq,
                    (unsigned long long)peer->next_seq);
    peer->next_seq++;
    if (is(message, length, "\x01" "35=", '8'))
        return take_report(peer, message, length);
    if (is(message, length, "\x01" "35=", '0') || is(message, length, "\x01" "35=", 'A'))
        return true;
    return fail(peer, "unexpected: %.*s", (int)(length < 200 ? length : 200), message);
}

/* Length of the whole message at `at`, 0: not all of it is here. */
static size_t whole(const char *at, size_t have)
{
    if (have < 20)
        return 0;
    const size_t body = strtoul(at + 12, NULL, 10);
    const char *start = memchr(at + 12, SOH, have - 12);
    if (start == NULL)
        return 0;
    const size_t length = (size_t)(start + 1 - at) + body + 7;
    return length <= have ? length : 0;
}

static bool take_echo(fix_peer *peer)
{
    if (memcmp(peer->in, peer->out + peer->echoed, peer->have) != 0)
        return fail(peer, "what came back is not what was sent");
    peer->echoed += peer->have;
    peer->have = 0;
    const int64_t now = monotonic_ns();
    while (!peer_done(peer) && peer->ends[peer->answered] <= peer->echoed) {
        peer->took_ns[peer->answered] = (uint32_t)(now - peer->sent_ns[peer->answered]);
        peer->accepted[peer->answered++] = 1;
    }
    return true;
}

bool peer_receive(fix_peer *peer)
{
    const ssize_t got =
        recv(peer->fd, peer->in + peer->have, PEER_IN_BYTES - peer->have, MSG_DONTWAIT);
    if (got == 0)
        return fail(peer, "the connection was closed");
    if (got < 0)
        return errno == EAGAIN || errno == EINTR || fail(peer, "recv: %s", strerror(errno));
    peer->have += (size_t)got;
    if (peer->job->echo && peer->next_seq > 0)
        return take_echo(peer);
    size_t at = 0;
    for (size_t length; (length = whole(peer->in + at, peer->have - at)) != 0; at += length)
        if (!take_message(peer, peer->in + at, length))
            return false;
    memmove(peer->in, peer->in + at, peer->have - at);
    peer->have -= at;
    return true;
}

bool peer_send(fix_peer *peer)
{
    const uint32_t orders = peer->job->orders;
    uint32_t most = peer->answered + peer->job->window;
    most = most < orders ? most : orders;
    if (peer->offered < most) {
        const int64_t now = monotonic_ns();
        while (peer->offered < most)
            peer->sent_ns[peer->offered++] = now;
    }
    const size_t end = peer->offered ? peer->ends[peer->offered - 1] : 0;
    if (peer->written == end)
        return true;
    const ssize_t put = send(peer->fd, peer->out + peer->written, end - peer->written,
                             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0)
        return errno == EAGAIN || errno == EINTR || fail(peer, "send: %s", strerror(errno));
    peer->written += (size_t)put;
    return true;
}

/* From nothing to logged on */

static bool connect_to(fix_peer *peer)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)peer->job->port)};
    const int one = 1;
    if (inet_pton(AF_INET, peer->job->host, &at.sin_addr) != 1)
        return fail(peer, "%s is no address", peer->job->host);
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (peer->fd < 0 || connect(peer->fd, (struct sockaddr *)&at, sizeof at) != 0)
        return fail(peer, "connect: %s", strerror(errno));
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return true;
}

static bool log_on(fix_peer *peer)
{
    char body[MESSAGE_MAX], message[MESSAGE_MAX + 64], when[32];
    utc(when);
    snprintf(body, sizeof body, "35=A|34=1|49=%s|52=%s|56=%s|98=0|108=30|141=Y|", peer->comp_id,
             when, peer->job->venue);
    const size_t size = finish(message, body);
    if (send(peer->fd, message, size, MSG_NOSIGNAL) != (ssize_t)size)
        return fail(peer, "send: %s", strerror(errno));
    peer->next_seq = 1;
    while (peer->next_seq == 1) {
        struct pollfd ready = {.fd = peer->fd, .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) <= 0)
            return fail(peer, "no answer to the Logon");
        if (!peer_receive(peer))
            return false;
    }
    return true;
}

bool peer_open(fix_peer *peer, const fix_job *job, const char *comp_id)
{
    memset(peer, 0, sizeof *peer);
    peer->job = job;
    peer->fd = -1;
    snprintf(peer->comp_id, sizeof peer->comp_id, "%s", comp_id);
    if (!write_orders(peer) || !connect_to(peer))
        return false;
    if (!job->echo)
        return log_on(peer);
    peer->next_seq = 1;
    return true;
}

void peer_close(fix_peer *peer)
{
    if (peer->fd >= 0)
        close(peer->fd);
    free(peer->out);
    free(peer->ends);
    free(peer->accepted);
    free(peer->filled);
    free(peer->sent_ns);
    free(peer->took_ns);
    free(peer->in);
}
