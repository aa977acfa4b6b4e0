/* The floor under any acceptor: whatever comes on a connection is sent back, as it came.
 *
 *   fix_echo PORT SPIN CPU      prints "ready"; ends when its standard input does
 *   fix_echo awake              keeps every processor from going to sleep, at idle priority
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void place(int cpu)
{
    cpu_set_t set;
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static int send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t put = send(fd, bytes, count, MSG_NOSIGNAL);
        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return -1;
        if (put > 0) {
            bytes += put;
            count -= (size_t)put;
        }
    }
    return 0;
}

static void serve(int fd, int spin)
{
    static char bytes[1 << 16];
    for (;;) {
        const ssize_t got = recv(fd, bytes, sizeof bytes, spin ? MSG_DONTWAIT : 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return;
        if (got > 0 && send_all(fd, bytes, (size_t)got) != 0)
            return;
    }
}

static void *spin_idly(void *cpu)
{
    const struct sched_param none = {0};
    place((int)(intptr_t)cpu);
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) == 0)
        for (;;)
            __builtin_ia32_pause();
    return NULL;
}

static int stay_awake(void)
{
    cpu_set_t allowed;
    pthread_t thread;
    char byte;
    sched_getaffinity(0, sizeof allowed, &allowed);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &allowed))
            pthread_create(&thread, NULL, spin_idly, (void *)(intptr_t)cpu);
    puts("ready");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "awake") == 0)
        return stay_awake();
    if (argc != 4) {
        fprintf(stderr, "usage: fix_echo PORT SPIN CPU | fix_echo awake\n");
        return 2;
    }
    const int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)atoi(argv[1])),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) != 0 || listen(listener, 4) != 0) {
        perror("fix_echo");
        return 5;
    }
    place(atoi(argv[3]));
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct pollfd ready[2] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        char byte;
        if (poll(ready, 2, -1) < 0 || (ready[1].revents && read(0, &byte, 1) <= 0))
            return 0;
        if (!ready[0].revents)
            continue;
        const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            continue;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        serve(fd, atoi(argv[2]));
        close(fd);
    }
}
