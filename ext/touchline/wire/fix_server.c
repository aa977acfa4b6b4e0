/* The server opened and closed, and what the desk asks of it. */
#define _GNU_SOURCE
#include "touchline/wire/fix_server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define REFUSALS_RESERVED 65536u
#define REFUSALS_MAGIC UINT64_C(0x314645525854464c) /* "LFTXREF1" */

void tl_fix_read_clocks(tl_fix_server *server)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    server->now.utc_ns = now.tv_sec * TL_FIX_SECOND_NS + now.tv_nsec;
    clock_gettime(CLOCK_MONOTONIC, &now);
    server->now.mono_ns = now.tv_sec * TL_FIX_SECOND_NS + now.tv_nsec;
}

/* The desk's hooks. */

static int hook_send(void *context, uint32_t session, const char *msg_type, const char *body,
                     size_t size, uint64_t key)
{
    tl_fix_server *server = context;
    if (session >= server->sessions_max || server->seats[session].session == NULL)
        return 0; /* a session of the journal that is not configured here any more */
    tl_fix_seat *seat = &server->seats[session];
    tl_fix_count(&server->sent);
    const int rc =
        tl_fix_session_send(seat->session, msg_type, body, size, key, &server->now);
    if (rc != 0 && server->failure == 0) {
        server->failure = rc;
        snprintf(server->fault, sizeof server->fault, "the store could not be written: %s",
                 tl_fix_store_fault(server->store));
    }
    tl_fix_seat_touch(server, seat);
    return rc;
}

static int hook_submit(void *context, const tl_command *commands, uint32_t count)
{
    tl_fix_server *server = context;
    tl_lane *lane = server->lane;
    size_t sent;
    if (!tl_lane_has_room(lane, count))
        return -EAGAIN;
    const int rc = tl_lane_send(lane, commands, count, 0, &sent);
    if (rc == 0) {
        server->sent_last = tl_lane_sent(lane);
        server->sent_last_ns = server->now.mono_ns;
    }
    /* A venue that stops, or whose bus was replaced, takes nothing: the loop finds out. */
    return rc == 0 ? 0 : -EAGAIN;
}

static uint64_t hook_number(void *context)
{
    tl_fix_server *server = context;
    return tl_lane_ids(server->lane, 1);
}

/* Numbers are reserved in blocks on the disk, so that none is given out again after a crash. */
static uint64_t hook_refusal(void *context)
{
    tl_fix_server *server = context;
    if (server->refusal_next >= server->refusal_end) {
        server->refusal_end = server->refusal_next + REFUSALS_RESERVED;
        server->refusals[1] = server->refusal_end;
        msync(server->refusals, 2 * sizeof *server->refusals, MS_SYNC);
    }
    return ++server->refusal_next;
}

#define WAITING_MAX 512u /* messages not yet on the wire, when none is added that can wait */

static uint32_t hook_room(void *context, uint32_t session)
{
    const tl_fix_server *server = context;
    tl_fix_session_status status;
    if (session >= server->sessions_max || server->seats[session].conn == NULL)
        return 0;
    tl_fix_session_status_read(server->seats[session].session, &status);
    return status.state == TL_FIX_ON && status.unwritten < WAITING_MAX
               ? WAITING_MAX - (uint32_t)status.unwritten
               : 0;
}

/* Opening. */

static int open_refusals(tl_fix_server *server, const char *directory)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/refusals", directory) >= (int)sizeof path)
        return -ENAMETOOLONG;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    const size_t bytes = 2 * sizeof *server->refusals;
    int rc = posix_fallocate(fd, 0, (off_t)bytes) == 0 ? 0 : -ENOSPC;
    if (rc == 0) {
        void *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (map == MAP_FAILED)
            rc = -errno;
        else
            server->refusals = map;
    }
    close(fd);
    if (rc != 0)
        return rc;
    if (server->refusals[0] != 0 && server->refusals[0] != REFUSALS_MAGIC) {
        snprintf(server->fault, sizeof server->fault, "%.200s is no file of this part", path);
        return -EBADMSG;
    }
    server->refusals[0] = REFUSALS_MAGIC;
    server->refusal_next = server->refusal_end = server->refusals[1];
    return 0;
}

static int open_tables(tl_fix_server *server)
{
    const uint32_t sessions = server->sessions_max;
    uint32_t names = 16;
    while (names < sessions * 2)
        names *= 2;
    server->by_name_mask = names - 1;
    server->by_name = calloc(names, sizeof *server->by_name);
    server->seats = calloc(sessions, sizeof *server->seats);
    server->due_ns = malloc(sessions * sizeof *server->due_ns);
    server->buffers = calloc(64, sizeof *server->buffers);
    tl_fix_seats *queues[] = {&server->busy, &server->dirty, &server->blocked, &server->scratch,
                              &server->changed};
    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
        queues[i]->items = calloc(sessions, sizeof *queues[i]->items);
        if (queues[i]->items == NULL)
            return -ENOMEM;
    }
    if (server->by_name == NULL || server->seats == NULL || server->due_ns == NULL ||
        server->buffers == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < sessions; i++)
        server->due_ns[i] = TL_FIX_NEVER;
    server->first_due_ns = TL_FIX_NEVER;
    return 0;
}

static int watch(tl_fix_server *server, int fd, void *place, uint32_t how)
{
    struct epoll_event event = {.events = how, .data.ptr = place};
    return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

static int open_parts(tl_fix_server *server, const char *directory)
{
    const tl_fix_desk_hooks hooks = {.context = server,
                                     .send = hook_send,
                                     .submit = hook_submit,
                                     .number = hook_number,
                                     .refusal = hook_refusal,
                                     .room = hook_room};
    int rc = open_tables(server);
    if (rc == 0)
        rc = tl_fix_mail_open(server);
    if (rc == 0 && server->relay && server->config.store.durable) {
        server->relay_store = strdup(directory);
        rc = server->relay_store == NULL ? -ENOMEM : 0;
    }
    if (rc == 0 && !server->relay)
        rc = tl_fix_store_open(&server->store, directory, &server->config.store);
    if (rc == 0 && !server->relay)
        rc = open_refusals(server, directory);
    if (rc == 0 && !server->relay)
        rc = tl_fix_desk_open(&server->desk, &server->config.desk, &hooks);
    if (rc == 0 && !server->relay)
        rc = tl_fix_market_of_server(server);
    if (rc == 0)
        rc = tl_fix_log_of_server(server);
    if (rc == 0)
        /* Over a relay another thread sends on the lane, and sleeps there. */
        rc = tl_bell_open(&server->bell, server->bus,
                          server->relay ? TL_BELL_READER : server->lane->number);
    if (rc != 0)
        return rc;
    server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (server->epoll_fd < 0 || server->spare_fd < 0)
        return -errno;
    server->wake_kind = TL_FIX_KIND_WAKE;
    return watch(server, server->bell.wake_fd, &server->wake_kind, EPOLLIN | EPOLLET);
}

int tl_fix_server_open(tl_fix_server **out, const char *store_directory,
                       const tl_fix_server_config *config, const tl_bus *bus, tl_lane *lane)
{
    *out = NULL;
    if (config->message_max < 1024 || config->message_max > TL_FIX_MESSAGE_MAX ||
        config->logon_max < 256 || config->logon_max > 8192 || config->newcomers_max == 0 ||
        config->newcomers_max > 65536 || config->store.sessions_max == 0 ||
        config->store.sessions_max > 65535 || config->relay_bytes > TL_FIX_RELAY_BYTES ||
        config->logon_ns <= 0 || config->answer_ns <= 0)
        return -EINVAL;
    tl_fix_server *server = calloc(1, sizeof *server);
    if (server == NULL)
        return -ENOMEM;
    server->config = *config;
    server->bus = bus;
    server->lane = lane;
    server->relay = config->relay_to != NULL;
    if (server->relay)
        memcpy(server->relay_to, config->relay_to, config->relay_bytes);
    server->config.relay_to = server->relay_to;
    server->sessions_max = config->store.sessions_max;
    server->input_bytes = config->message_max + TL_FIX_INPUT_EXTRA;
    server->epoll_fd = server->spare_fd = server->bell.wake_fd = -1;
    server->reader.bus = bus;
    tl_fix_read_clocks(server);
    *out = server; /* also on failure, for its fault: to be closed by the caller */
    return open_parts(server, store_directory);
}

static void close_connections(tl_fix_server *server)
{
    tl_fix_queue *queues[] = {&server->newcomers, &server->parting};
    for (int i = 0; i < 2; i++)
        while (queues[i]->oldest != NULL) {
            tl_fix_conn *conn = queues[i]->oldest;
            tl_fix_queue_remove(queues[i], conn);
            tl_fix_conn_close(server, conn);
        }
    for (uint32_t i = 0; server->seats != NULL && i < server->sessions_max; i++) {
        tl_fix_seat *seat = &server->seats[i];
        if (seat->conn != NULL)
            tl_fix_conn_close(server, seat->conn);
        if (seat->inner != NULL)
            tl_fix_conn_close(server, seat->inner);
        if (seat->session != NULL)
            tl_fix_session_close(seat->session);
        free(seat->accounts);
    }
    for (uint32_t i = 0; i < server->listeners_count; i++)
        close(server->listeners[i].fd);
}

void tl_fix_server_close(tl_fix_server *server)
{
    if (server == NULL)
        return;
    tl_bell_close(&server->bell);
    close_connections(server);
    tl_fix_market_close(server->market);
    tl_mirror_close(server->books);
    if (server->desk != NULL)
        tl_fix_desk_close(server->desk);
    if (server->store != NULL)
        tl_fix_store_close(server->store);
    if (server->log != NULL)
        tl_fix_log_close(server->log);
    tl_fix_mail_close(server);
    if (server->refusals != NULL) {
        server->refusals[1] = server->refusal_next; /* in good order: none is skipped */
        munmap(server->refusals, 2 * sizeof *server->refusals);
    }
    if (server->epoll_fd >= 0)
        close(server->epoll_fd);
    if (server->spare_fd >= 0)
        close(server->spare_fd);
    while (server->buffers_count > 0)
        free(server->buffers[--server->buffers_count]);
    free(server->relay_store);
    free(server->buffers);
    free(server->by_name);
    free(server->seats);
    free(server->due_ns);
    free(server->busy.items);
    free(server->dirty.items);
    free(server->blocked.items);
    free(server->scratch.items);
    free(server->changed.items);
    free(server);
}

tl_fix_desk *tl_fix_server_desk(tl_fix_server *server)
{
    return server->desk;
}

int tl_fix_server_replay(tl_fix_server *server, const tl_command *commands, size_t commands_count,
                         const tl_event *events, size_t events_count)
{
    const int rc =
        tl_fix_desk_replay(server->desk, commands, commands_count, events, events_count);
    if (rc == 0)
        tl_fix_server_tell_market(server, events, events_count);
    return rc;
}

tl_fix_store *tl_fix_server_store(tl_fix_server *server)
{
    return server->store;
}

const char *tl_fix_server_fault(const tl_fix_server *server)
{
    const char *of_store = server->store == NULL ? NULL : tl_fix_store_fault(server->store);
    return server->fault[0] != 0 ? server->fault : of_store != NULL ? of_store : "";
}

void tl_fix_server_bus_lost(tl_fix_server *server)
{
    server->bus_lost = true;
}

int tl_fix_server_listen(tl_fix_server *server, int fd, tl_tls *tls)
{
    if (server->listeners_count == TL_FIX_LISTENERS_MAX)
        return -EMFILE;
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 || listen(fd, SOMAXCONN) != 0)
        return -errno;
    tl_fix_listener *listener = &server->listeners[server->listeners_count];
    *listener = (tl_fix_listener){.kind = TL_FIX_KIND_LISTENER, .fd = fd, .tls = tls};
    const int rc = watch(server, fd, listener, EPOLLIN);
    if (rc == 0)
        server->listeners_count++;
    return rc;
}
