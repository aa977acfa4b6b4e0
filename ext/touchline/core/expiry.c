/* Orders past their time: rule 8.10 of docs/rules.md.
 *
 *   expiries   a binary heap by time, then slot: the next to go on top
 *   special    by slot: where in the heap an order is, so that one which ends before its time is
 *              taken out of there at once
 *
 * Whoever comes to an instrument with special orders first takes off what is past its time, of the
 * whole venue: so none of it trades, whether anybody asks for EXPIRE or not.
 */
#include "touchline/core/expiry.h"

#include "touchline/core/special.h"

/* ── the heap ──────────────────────────────────────────────────────────────────────────────── */

static bool sooner(const tl_expiry *a, const tl_expiry *b)
{
    return a->expire_ns != b->expire_ns ? a->expire_ns < b->expire_ns : a->slot < b->slot;
}

static void put(const tl_engine *engine, uint32_t at, tl_expiry expiry)
{
    engine->expiries[at] = expiry;
    engine->shelf.special[expiry.slot].expiry = at + 1;
}

/* The place from `at` towards the top where the entry belongs; those it passes move down. */
static uint32_t sift_up(const tl_engine *engine, uint32_t at, const tl_expiry *expiry)
{
    while (at > 0 && sooner(expiry, &engine->expiries[(at - 1) / 2])) {
        put(engine, at, engine->expiries[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return at;
}

static uint32_t sift_down(const tl_engine *engine, uint32_t at, const tl_expiry *expiry)
{
    const uint32_t count = engine->state->expiries;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < count && sooner(&engine->expiries[child + 1], &engine->expiries[child]))
            child++;
        if (child >= count || !sooner(&engine->expiries[child], expiry))
            return at;
        put(engine, at, engine->expiries[child]);
        at = child;
    }
}

void tl_expiry_add(const tl_engine *engine, uint32_t slot, int64_t expire_ns)
{
    assert(!tl_expiries_full(engine));
    const tl_expiry expiry = {.expire_ns = expire_ns, .slot = slot};
    put(engine, sift_up(engine, engine->state->expiries++, &expiry), expiry);
}

void tl_expiry_drop(const tl_engine *engine, uint32_t slot)
{
    uint32_t *place = &engine->shelf.special[slot].expiry;
    uint32_t at = *place - 1;
    assert(at < engine->state->expiries && engine->expiries[at].slot == slot);
    const tl_expiry last = engine->expiries[--engine->state->expiries];
    *place = 0;
    if (last.slot == slot)
        return;
    at = sift_up(engine, at, &last);
    put(engine, sift_down(engine, at, &last), last);
}

/* ── the time has come ─────────────────────────────────────────────────────────────────────── */

uint32_t tl_expire_due(const tl_step *s)
{
    const tl_engine *engine = s->engine;
    const tl_meeting m = {.s = s, .own = TL_NONE};
    uint32_t count = 0;
    while (engine->state->expiries != 0 && engine->expiries[0].expire_ns <= s->cmd->ts_ns) {
        uint32_t slot = engine->expiries[0].slot;
        tl_step_aside(s, slot);
        tl_special_take_off(&m, slot, TL_EXEC_TYPE_EXPIRED, TL_REASON_NONE);
        count++;
    }
    return count;
}
