/* What time the runner stamps: the host's clock as far as it is believed.
 *
 *   host's clock ─► moved as the steady clock did, give or take step_max ─► stamp
 *              └──► stepped further: stamps go on by the steady clock, and `off_ns` is the alarm
 *
 * A step is measured from the last time that the clock was taken outright (at the start, by
 * tl_stamp_accept), so that many small ones are no way around the bound. Stamps go back in
 * tl_stamp_accept alone. Reads no clock: readings are handed in. Docs: decision 11.
 */
#ifndef TOUCHLINE_STAMP_H
#define TOUCHLINE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TL_STAMP_STEP_MAX_NS INT64_C(60000000000)         /* a minute */
#define TL_STAMP_GAP_MAX_NS INT64_C(31622400000000000)    /* 366 days */
#define TL_STAMP_EARLIEST_NS INT64_C(1577836800000000000) /* 2020: earlier, it was never set */
#define TL_STAMP_LATEST_NS INT64_C(7258118400000000000)   /* 2200 */
#define TL_STAMP_LOOK_NS INT64_C(1000000) /* the clocks are compared once in a millisecond */

typedef struct tl_stamp {
    int64_t step_max_ns;
    int64_t last_ns;   /* stamped last */
    int64_t off_ns;    /* the host's clock is ahead of the stamps by this; 0: it is believed */
    int64_t seen_ns;   /* the host's clock when last compared */
    int64_t base_ns;   /* what time was ahead of the steady clock at the start, or when taken */
    int64_t moved_ns;  /* what it has moved since, by steps small enough to be believed */
    uint64_t refusals; /* steps that were not believed, since the start */
} tl_stamp;

/* At a start: `last_ns` is the journal's newest stamp, 0 for none. The host's clock is believed
 * when it is a time of 2020 to 2199, at most step_max behind that stamp and at most gap_max ahead
 * of it; else stamps go on from that stamp. */
void tl_stamp_begin(tl_stamp *stamp, int64_t step_max_ns, int64_t gap_max_ns, int64_t last_ns,
                    int64_t host_ns, int64_t steady_ns);
/* Compare the clocks. */
void tl_stamp_look(tl_stamp *stamp, int64_t host_ns, int64_t steady_ns);
/* Take the host's clock as it is, also back. By how much the stamps step; 0, and nothing is taken,
 * for a clock outside 2020 to 2199. */
int64_t tl_stamp_accept(tl_stamp *stamp, int64_t host_ns, int64_t steady_ns);

/* Whether the clocks have been compared lately enough for this reading. */
static inline bool tl_stamp_looked(const tl_stamp *stamp, int64_t host_ns)
{
    return (uint64_t)(host_ns - stamp->seen_ns) < (uint64_t)TL_STAMP_LOOK_NS;
}

/* What the next stamp would be, for a reading that has been looked at. */
static inline int64_t tl_stamp_peek(const tl_stamp *stamp, int64_t host_ns)
{
    const int64_t now_ns = host_ns - stamp->off_ns;
    return now_ns > stamp->last_ns ? now_ns : stamp->last_ns;
}

/* And it is. */
static inline int64_t tl_stamp_next(tl_stamp *stamp, int64_t host_ns)
{
    stamp->last_ns = tl_stamp_peek(stamp, host_ns);
    return stamp->last_ns;
}

#ifdef __cplusplus
}
#endif

#endif
