/* A flow file as touchline.data.flow writes it: resolved commands and what they must produce.
 *
 *   magic, setup count, command count, five capacities, warm-up count, spare | commands
 *   | events, hash, state
 *
 * The file is read whole into one aligned block, which the flow owns. Benchmarks only; any failure
 * ends the program with a message, because there is nothing to measure then.
 */
#ifndef TOUCHLINE_BENCH_FLOW_FILE_H
#define TOUCHLINE_BENCH_FLOW_FILE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "touchline/core/engine.h"

#define FLOW_MAGIC UINT64_C(0x31574F4C464C54) /* "TLFLOW1" */
#define FLOW_HEAD_WORDS 10
#define FLOW_TAIL_WORDS 3

typedef struct flow {
    const char *path;
    tl_command *setup;
    tl_command *commands;
    uint64_t setup_count; /* listings, then warm-up commands, which nobody times */
    uint64_t count;
    tl_engine_capacities capacities;
    uint64_t events;     /* of setup and commands together */
    uint64_t event_hash; /* sum of event_fold over them */
    uint64_t state_hash; /* at the end */
} flow;

_Noreturn static inline void fail(const char *path, const char *what)
{
    fprintf(stderr, "%s: %s\n", path, what);
    exit(1);
}

static inline void *allocate(size_t bytes)
{
    void *block = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    if (block == NULL)
        fail("memory", strerror(ENOMEM));
    memset(block, 0, bytes); /* touch every page now, not while measuring */
    return block;
}

static inline void read_words(FILE *file, const char *path, void *words, size_t bytes)
{
    if (fread(words, 1, bytes, file) != bytes)
        fail(path, "not a whole flow file");
}

static inline flow flow_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail(path, strerror(errno));
    uint64_t head[FLOW_HEAD_WORDS];
    uint64_t tail[FLOW_TAIL_WORDS];
    read_words(file, path, head, sizeof head);
    if (head[0] != FLOW_MAGIC || head[1] > UINT32_MAX || head[2] == 0 || head[2] > UINT32_MAX ||
        head[8] > UINT32_MAX)
        fail(path, "not a flow file");
    uint64_t setup_count = head[1] + head[8];
    size_t bytes = (size_t)(setup_count + head[2]) * sizeof(tl_command);
    tl_command *commands = allocate(bytes);
    read_words(file, path, commands, bytes);
    read_words(file, path, tail, sizeof tail);
    fclose(file);
    return (flow){
        .path = path,
        .setup = commands,
        .commands = commands + setup_count,
        .setup_count = setup_count,
        .count = head[2],
        .capacities = {(uint32_t)head[3], (uint32_t)head[4], (uint32_t)head[5], (uint32_t)head[6],
                   (uint32_t)head[7]},
        .events = tail[0],
        .event_hash = tail[1],
        .state_hash = tail[2],
    };
}

static inline void flow_free(flow *flow)
{
    free(flow->setup);
    flow->setup = NULL;
}

/* One event as a number that depends on each of its bytes; the same as flow.fold in Python. */
static inline uint64_t event_fold(const tl_event *event)
{
    uint64_t words[8];
    uint64_t hash = 0;
    memcpy(words, event, sizeof words);
    for (int i = 0; i < 8; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash;
}

#endif
