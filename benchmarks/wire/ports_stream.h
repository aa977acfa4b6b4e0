/* Messages one way, over UDP on loopback: a system call for a batch, or one message for a batch
 * that the stack cuts at its end. The best of all rounds. */
#ifndef TOUCHLINE_BENCH_PORTS_STREAM_H
#define TOUCHLINE_BENCH_PORTS_STREAM_H

#include <stdbool.h>

#define STREAMS 2 /* without segments, with */

typedef struct stream_result {
    double messages_per_s;
} stream_result;

/* Each message is compared by a thread on `cpu`; none may be missing. */
void stream_play(bool segments, int cpu, stream_result *best);

#endif
