/* How many messages of ITCH 5.0 a second become records: `bench_itch [MESSAGES]`.
 *
 *   blocks of a mixed flow, in memory ─► tl_itch_decode_blocks ─► records, 64 at a time
 *
 * The mix is that of a full book: adds, deletes, replaces, executions, cancels. The sum over what
 * was read is compared with what was written, so that nothing is left out. */
#include "touchline/wire/itch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BATCH 64

static const char mix[] = "AAAAAAAADDDDDDDUUUEEXAADDCFP";

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* The messages with their lengths; bytes written. `sum`: of all order references. */
static size_t write_flow(uint8_t *bytes, size_t messages, uint64_t *sum)
{
    size_t at = 0;
    uint64_t random = 1;
    for (size_t i = 0; i < messages; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const char type = mix[(random >> 33) % (sizeof mix - 1)];
        const size_t size = tl_itch_sizes[(uint8_t)type];
        memset(bytes + at, ' ', 2 + size);
        tl_put_u16(bytes + at, (uint16_t)size);
        tl_itch_trade_wire *message = (tl_itch_trade_wire *)(bytes + at + 2);
        message->type = type;
        tl_put_u48(message->ts_ns, i);
        tl_put_u64(message->order_ref, random >> 8);
        *sum += random >> 8;
        if (type == 'A' || type == 'F' || type == 'P')
            message->side = i % 2 == 0 ? 'B' : 'S';
        at += 2 + size;
    }
    return at;
}

int main(int count, char **arguments)
{
    const size_t messages = count > 1 ? strtoull(arguments[1], NULL, 10) : 2000000;
    uint8_t *bytes = malloc(messages * (2 + TL_ITCH_BYTES_MAX) + 64);
    if (bytes == NULL)
        return 1;
    uint64_t written = 0, best_ns = UINT64_MAX;
    const size_t size = write_flow(bytes, messages, &written);
    for (int round = 0; round < 5; round++) {
        uint64_t read = 0;
        size_t at = 0, done = 0, used;
        const uint64_t begin = now_ns();
        while (at < size) {
            tl_itch_record records[BATCH];
            tl_itch_fault fault;
            const size_t got =
                tl_itch_decode_blocks(bytes + at, size - at, records, BATCH, &used, &fault);
            if (got == 0)
                return 1;
            for (size_t i = 0; i < got; i++)
                read += records[i].order_ref;
            done += got;
            at += used;
        }
        const uint64_t ns = now_ns() - begin;
        if (read != written || done != messages)
            return 1;
        if (ns < best_ns)
            best_ns = ns;
    }
    printf("{\"messages\": %zu, \"itch_decode_per_s\": %.0f}\n", messages,
           (double)messages * 1e9 / (double)best_ns);
    free(bytes);
    return 0;
}
