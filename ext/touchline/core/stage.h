/* Marks at the borders of the step's stages, for benchmarks/core/bench_stages.c alone.
 *
 * TL_STAGE(RISK) says that what follows belongs to risk. It is nothing at all unless the core is
 * compiled with TL_STAGES, as no library that ships is; then it reads the cycle counter and adds
 * the time since the last mark to the stage left.
 *
 *   decode   what is asked, of whom, does it make sense
 *   risk     may this instrument and account do it, within which limits
 *   match    the book, the order's slot, what a trade or rest does to positions
 *   publish  from an event's first byte to its stamp
 */
#ifndef TOUCHLINE_STAGE_H
#define TOUCHLINE_STAGE_H

#ifdef TL_STAGES
#include <stdint.h>

enum { TL_STAGE_DECODE, TL_STAGE_RISK, TL_STAGE_MATCH, TL_STAGE_PUBLISH, TL_STAGE_COUNT };

/* Of one command, cleared before it and read after it; one thread. */
typedef struct tl_stage_clock {
    uint64_t last;                  /* cycles at the last mark */
    unsigned stage;                 /* that it began */
    unsigned marks[TL_STAGE_COUNT]; /* that ended the stage */
    uint64_t taken[TL_STAGE_COUNT]; /* cycles, those of the marks among them */
} tl_stage_clock;

extern tl_stage_clock tl_stages;

/* Fenced on both sides: without the first a stage's memory is waited for in a later one, without
 * the second the next stage is done while the counter is read and seems to take nothing. */
static inline uint64_t tl_stage_now(void)
{
    __builtin_ia32_lfence();
    uint64_t cycles = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return cycles;
}

static inline void tl_stage_mark(unsigned stage)
{
    uint64_t now = tl_stage_now();
    tl_stages.taken[tl_stages.stage] += now - tl_stages.last;
    tl_stages.marks[tl_stages.stage]++;
    tl_stages.last = now;
    tl_stages.stage = stage;
}

#define TL_STAGE(name) tl_stage_mark(TL_STAGE_##name)
#else
#define TL_STAGE(name) ((void)0)
#endif

#endif
