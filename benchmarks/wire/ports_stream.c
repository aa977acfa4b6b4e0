/* The sender stays at most a window ahead of the reader, so that nothing is lost and the figure is
 * of messages that came. */
#define _GNU_SOURCE
#include "ports_stream.h"
#include "ports_pairs.h"

#include "touchline/wire/port.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#define BATCH 64u
#define WINDOW 1024u
#define MESSAGES 200000u

typedef struct reader {
    tl_port *port;
    _Atomic uint64_t came;
} reader;

static void *read_all(void *argument)
{
    static tl_port_datagram got[BATCH];
    reader *self = argument;
    uint64_t next = 0;
    while (next < MESSAGES) {
        const int n = sure(tl_port_poll(self->port, got, BATCH, 1000), "tl_port_poll");
        for (int i = 0; i < n; i++, next++) {
            sure(got[i].size == MESSAGE_BYTES && memcmp(got[i].bytes, &next, sizeof next) == 0
                     ? 0
                     : -EBADMSG,
                 "stream");
        }
        atomic_store_explicit(&self->came, next, memory_order_release);
    }
    return NULL;
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void send_all(tl_port *port, const reader *reader)
{
    static uint8_t bytes[BATCH][MESSAGE_BYTES];
    tl_port_packet packets[BATCH];
    for (uint64_t sent = 0; sent < MESSAGES;) {
        uint32_t count = 0;
        for (; count < BATCH && sent + count < MESSAGES; count++) {
            const uint64_t number = sent + count;
            memcpy(bytes[count], &number, sizeof number);
            packets[count] = (tl_port_packet){.bytes = bytes[count], .size = MESSAGE_BYTES};
        }
        while (sent + count - atomic_load_explicit(&reader->came, memory_order_acquire) > WINDOW)
            ;
        for (uint32_t done = 0; done < count;) {
            const int n = tl_port_send(port, packets + done, count - done);
            done += (uint32_t)(n == -EAGAIN ? 0 : sure(n, "tl_port_send"));
        }
        sent += count;
    }
}

void stream_play(bool segments, int cpu, stream_result *best)
{
    tl_port_options options = {.local = "127.0.0.1:0",
                               .batch = BATCH,
                               .size_max = MESSAGE_BYTES,
                               .segments = segments,
                               .tuning = {.receive_bytes = 8u << 20}};
    char text[TL_PORT_ADDRESS_BYTES];
    reader reader = {0};
    tl_port *sender;
    sure(tl_port_udp_open(&reader.port, &options, NULL), "tl_port_udp_open");
    options.to = tl_port_address_text(tl_port_local(reader.port), text);
    options.connected = true;
    sure(tl_port_udp_open(&sender, &options, NULL), "tl_port_udp_open");
    const pthread_t thread = start_on(cpu, read_all, &reader);
    const double start = seconds();
    send_all(sender, &reader);
    pthread_join(thread, NULL);
    const double rate = MESSAGES / (seconds() - start);
    if (rate > best->messages_per_s)
        best->messages_per_s = rate;
    tl_port_close(sender);
    tl_port_close(reader.port);
}
