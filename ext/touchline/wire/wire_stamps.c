/* A request followed from its stamp to its answer's. */
#define _GNU_SOURCE
#include "touchline/wire/wire_stamps.h"

#include <time.h>

#define STAMPS_AT_ONCE 16u
#define SECOND_NS INT64_C(1000000000)

void tl_wire_stamps_read(tl_wire_stamps *stamps, int64_t rx_ns)
{
    struct timespec now;
    if (rx_ns == 0)
        return;
    clock_gettime(CLOCK_REALTIME, &now); /* the stamps' clock */
    tl_latency_add(&stamps->received, now.tv_sec * SECOND_NS + now.tv_nsec - rx_ns);
}

void tl_wire_stamps_asked(tl_wire_sample *sample, int64_t rx_ns, uint32_t number)
{
    if (rx_ns == 0 || sample->state != TL_WIRE_NONE)
        return;
    sample->state = TL_WIRE_ASKED;
    sample->rx_ns = rx_ns;
    sample->number = number;
}

void tl_wire_stamps_answered(tl_wire_sample *sample, uint32_t number)
{
    if (sample->state == TL_WIRE_ASKED && number >= sample->number)
        sample->state = TL_WIRE_ANSWERED;
}

void tl_wire_stamps_written(tl_wire_sample *sample, tl_tcp *tcp, uint32_t conn)
{
    if (sample->state != TL_WIRE_ANSWERED)
        return;
    sample->state = TL_WIRE_WRITTEN;
    sample->last = tl_tcp_bytes_put(tcp, conn) - 1;
}

void tl_wire_stamps_fetch(tl_wire_stamps *stamps, tl_wire_sample *sample, tl_tcp *tcp,
                          uint32_t conn)
{
    tl_port_sent sent[STAMPS_AT_ONCE];
    int count = (int)STAMPS_AT_ONCE;
    while (count == (int)STAMPS_AT_ONCE && sample->seen != tl_tcp_bytes_put(tcp, conn)) {
        count = tl_tcp_sent_stamps(tcp, conn, sent, STAMPS_AT_ONCE);
        for (int i = 0; i < count; i++) {
            sample->seen = sent[i].number + 1;
            /* Numbers of bytes go round, and are near one another. */
            if (sample->state != TL_WIRE_WRITTEN || (int32_t)(sent[i].number - sample->last) < 0)
                continue;
            tl_latency_add(&stamps->answered, sent[i].tx_ns - sample->rx_ns);
            sample->state = TL_WIRE_NONE;
        }
    }
}
