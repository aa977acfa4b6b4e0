/* What TCP and UDP sockets are asked for in the same way: busy polling, buffers, stamps. */
#define _GNU_SOURCE
#include "touchline/wire/port_state.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define SECOND_NS INT64_C(1000000000)
/* Since Linux 6.2: numbers that begin with the socket's first byte, whenever it is asked. */
#define OPT_ID_TCP (1u << 16)
#define RECEIVED_SOFTWARE (SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
#define SENT_SOFTWARE (SOF_TIMESTAMPING_TX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE)
#define BOTH_HARDWARE                                                                              \
    (SOF_TIMESTAMPING_RX_HARDWARE | SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RAW_HARDWARE)

socklen_t tl_port_sockaddr(struct sockaddr_storage *to, const tl_port_address *from)
{
    if (from->family == 4) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(from->port)};
        memcpy(&v4.sin_addr, from->ip, sizeof v4.sin_addr);
        memcpy(to, &v4, sizeof v4);
        return sizeof v4;
    }
    if (from->family == 6) {
        struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
                                  .sin6_port = htons(from->port),
                                  .sin6_scope_id = from->scope};
        memcpy(&v6.sin6_addr, from->ip, sizeof v6.sin6_addr);
        memcpy(to, &v6, sizeof v6);
        return sizeof v6;
    }
    return 0;
}

void tl_port_from_sockaddr(tl_port_address *to, const struct sockaddr_storage *from)
{
    memset(to, 0, sizeof *to);
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        to->family = 4;
        to->port = ntohs(v4->sin_port);
        memcpy(to->ip, &v4->sin_addr, sizeof v4->sin_addr);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        to->family = 6;
        to->port = ntohs(v6->sin6_port);
        to->scope = v6->sin6_scope_id;
        memcpy(to->ip, &v6->sin6_addr, sizeof v6->sin6_addr);
    }
}

void tl_port_read_local(int fd, tl_port_address *local)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    memset(&at, 0, sizeof at);
    if (getsockname(fd, (struct sockaddr *)&at, &size) == 0)
        tl_port_from_sockaddr(local, &at);
}

int tl_port_set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : -errno;
}

/* What the socket has; `taken` where it can be set but not asked, as SO_BUSY_POLL_BUDGET. */
static int64_t current(int fd, int option, int taken)
{
    int value = 0;
    socklen_t size = sizeof value;
    return getsockopt(fd, SOL_SOCKET, option, &value, &size) == 0 ? value : taken;
}

/* Ask for one value of the socket; what it has afterwards is what was got. */
static void wish(int fd, int option, const char *name, int64_t asked, tl_port_facts *facts)
{
    if (asked == 0)
        return;
    const int value = asked > INT32_MAX ? INT32_MAX : (int)asked;
    const int error = tl_port_set(fd, SOL_SOCKET, option, value);
    tl_port_note(facts, name, asked, current(fd, option, error == 0 ? value : 0), error);
}

/* A buffer's size; the kernel says twice what it gives to the bytes themselves. What the limits of
 * the system refuse, a privileged process forces. */
static void wish_buffer(int fd, int option, int force, const char *name, uint32_t asked,
                        tl_port_facts *facts)
{
    if (asked == 0)
        return;
    const int value = asked > INT32_MAX ? INT32_MAX : (int)asked;
    int error = tl_port_set(fd, SOL_SOCKET, option, value);
    if (current(fd, option, 0) / 2 < value && tl_port_set(fd, SOL_SOCKET, force, value) != 0)
        error = -EPERM;
    tl_port_note(facts, name, asked, current(fd, option, 0) / 2, error);
}

/* A card stamps once it is told to, for everybody who uses it. */
static int stamp_in_card(int fd, const char *interface)
{
    struct hwtstamp_config config = {.tx_type = HWTSTAMP_TX_ON, .rx_filter = HWTSTAMP_FILTER_ALL};
    struct ifreq request = {0};
    if (interface == NULL || strlen(interface) >= sizeof request.ifr_name)
        return -ENODEV;
    strcpy(request.ifr_name, interface);
    request.ifr_data = (char *)&config;
    return ioctl(fd, SIOCSHWTSTAMP, &request) == 0 ? 0 : -errno;
}

static void wish_stamps(int fd, uint8_t asked, const char *interface, bool stream,
                        tl_port_facts *facts)
{
    if (asked == TL_PORT_UNSTAMPED)
        return;
    unsigned flags = RECEIVED_SOFTWARE | SENT_SOFTWARE | SOF_TIMESTAMPING_OPT_ID |
                     SOF_TIMESTAMPING_OPT_TSONLY;
    int got = TL_PORT_SOFTWARE;
    int refusal = 0;
    if (asked == TL_PORT_HARDWARE) {
        refusal = stamp_in_card(fd, interface);
        if (refusal == 0) {
            flags |= BOTH_HARDWARE;
            got = TL_PORT_HARDWARE;
        }
    }
    int error = tl_port_set(fd, SOL_SOCKET, SO_TIMESTAMPING,
                            (int)(stream ? flags | OPT_ID_TCP : flags));
    if (error == -EINVAL && stream)
        error = tl_port_set(fd, SOL_SOCKET, SO_TIMESTAMPING, (int)flags);
    if (error != 0)
        got = TL_PORT_UNSTAMPED;
    tl_port_note(facts, "stamps", asked, got, error != 0 ? error : refusal);
}

void tl_port_tune(int fd, const tl_port_tuning *tuning, const char *interface, bool stream,
                  tl_port_facts *facts)
{
    wish(fd, SO_BUSY_POLL, "busy_poll_us", tuning->busy_poll_us, facts);
    wish(fd, SO_PREFER_BUSY_POLL, "prefer_busy_poll", tuning->prefer_busy_poll, facts);
    wish(fd, SO_BUSY_POLL_BUDGET, "busy_poll_budget", tuning->busy_poll_budget, facts);
    wish_buffer(fd, SO_RCVBUF, SO_RCVBUFFORCE, "receive_bytes", tuning->receive_bytes, facts);
    wish_buffer(fd, SO_SNDBUF, SO_SNDBUFFORCE, "send_bytes", tuning->send_bytes, facts);
    wish_stamps(fd, tuning->stamps, interface, stream, facts);
}

void tl_port_stamp_read(const void *body, int64_t *ns, uint16_t *stamp)
{
    struct scm_timestamping times; /* software, one no longer used, hardware */
    memcpy(&times, body, sizeof times);
    for (int i = 2; i >= 0; i -= 2) {
        const struct timespec *at = &times.ts[i];
        if (at->tv_sec == 0 && at->tv_nsec == 0)
            continue;
        *ns = at->tv_sec * SECOND_NS + at->tv_nsec;
        *stamp = i == 2 ? TL_PORT_HARDWARE : TL_PORT_SOFTWARE;
        return;
    }
}

/* One message of the error queue: whether it is the stamp of something sent. */
static bool read_sent(struct msghdr *message, tl_port_sent *sent)
{
    struct sock_extended_err error = {0};
    int64_t ns = 0;
    uint16_t stamp = TL_PORT_UNSTAMPED;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPING)
            tl_port_stamp_read(CMSG_DATA(c), &ns, &stamp);
        else if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
                 (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
            memcpy(&error, CMSG_DATA(c), sizeof error);
    }
    if (stamp == TL_PORT_UNSTAMPED || error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING)
        return false;
    *sent = (tl_port_sent){.number = error.ee_data, .stamp = stamp, .tx_ns = ns};
    return true;
}

int tl_port_read_sent(int fd, tl_port_sent *out, uint32_t max)
{
    uint32_t count = 0;
    while (count < max) {
        _Alignas(struct cmsghdr) char control[TL_PORT_CONTROL_BYTES];
        struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            if (errno == EINTR)
                continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK || count > 0)
                break;
            return -errno;
        }
        count += read_sent(&message, &out[count]);
    }
    return (int)count;
}

int tl_port_wait(int fd, int timeout_ms)
{
    struct pollfd what = {.fd = fd, .events = POLLIN};
    const int got = poll(&what, 1, timeout_ms);
    return got >= 0 ? got : errno == EINTR ? 0 : -errno;
}
