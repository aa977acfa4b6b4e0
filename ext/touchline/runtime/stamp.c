/* Which of the host's times to believe. stamp.h says how. */
#include "touchline/runtime/stamp.h"

static bool sane(int64_t host_ns)
{
    return host_ns >= TL_STAMP_EARLIEST_NS && host_ns < TL_STAMP_LATEST_NS;
}

static bool within(int64_t step_ns, int64_t bound_ns)
{
    return step_ns <= bound_ns && step_ns >= -bound_ns;
}

static void take(tl_stamp *s, int64_t from_ns, int64_t host_ns, int64_t steady_ns)
{
    s->base_ns = from_ns - steady_ns;
    s->moved_ns = 0;
    s->off_ns = host_ns - from_ns;
    s->seen_ns = host_ns;
}

void tl_stamp_begin(tl_stamp *s, int64_t step_max_ns, int64_t gap_max_ns, int64_t last_ns,
                    int64_t host_ns, int64_t steady_ns)
{
    *s = (tl_stamp){.step_max_ns = step_max_ns, .last_ns = last_ns};
    /* A stamp before 2020 came from no clock, and says nothing of the time. */
    const bool told = last_ns >= TL_STAMP_EARLIEST_NS;
    const bool behind = told && last_ns - host_ns > step_max_ns;
    const bool ahead = told && host_ns - last_ns > gap_max_ns;
    int64_t from_ns = host_ns;
    if (!sane(host_ns) || behind || ahead) {
        from_ns = told ? last_ns : TL_STAMP_EARLIEST_NS;
        from_ns = from_ns < TL_STAMP_LATEST_NS ? from_ns : TL_STAMP_LATEST_NS;
        s->refusals = 1;
    }
    take(s, from_ns, host_ns, steady_ns);
}

void tl_stamp_look(tl_stamp *s, int64_t host_ns, int64_t steady_ns)
{
    const int64_t moved_ns = host_ns - steady_ns - s->base_ns;
    s->seen_ns = host_ns;
    if (within(moved_ns, s->step_max_ns)) {
        s->moved_ns = moved_ns;
        s->off_ns = 0;
        return;
    }
    /* Small steps that were believed stay, so that time neither jumps nor stands still. */
    const int64_t off_ns = moved_ns - s->moved_ns;
    if (s->off_ns == 0 || !within(off_ns - s->off_ns, s->step_max_ns))
        s->refusals++;
    s->off_ns = off_ns;
}

int64_t tl_stamp_accept(tl_stamp *s, int64_t host_ns, int64_t steady_ns)
{
    if (!sane(host_ns))
        return 0;
    const int64_t step_ns = host_ns - s->last_ns;
    s->last_ns = host_ns;
    take(s, host_ns, host_ns, steady_ns);
    return step_ns;
}
