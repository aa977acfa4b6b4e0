/* The step: which part of docs/rules.md a command belongs to. */
#include "touchline/core/ahead.h"
#include "touchline/core/commands.h"
#include "touchline/core/invariants.h"

/* Flattened: one function without calls, so that nothing of `s` is ever stored. It saves a sixth of
 * the instructions and keeps the source in small functions. */
__attribute__((flatten)) void tl_engine_step(tl_engine *engine, const tl_command *cmd,
                                             tl_event_sink *sink)
{
    tl_step s = {engine, &engine->shelf, cmd, sink};
#ifdef TOUCHLINE_CHECKED
    const uintptr_t inside = tl_writer_enter(engine);
    const tl_before before = tl_invariants_before(engine, cmd, sink);
#endif
    switch (cmd->type) {
    case TL_MSG_TYPE_NEW_ORDER:
        tl_step_new_order(&s);
        break;
    case TL_MSG_TYPE_CANCEL:
        tl_step_cancel(&s);
        break;
    case TL_MSG_TYPE_REPLACE:
        tl_step_replace(&s);
        break;
    case TL_MSG_TYPE_MASS_CANCEL:
        tl_step_mass_cancel(s);
        break;
    default:
        tl_step_administer(s);
    }
#ifdef TOUCHLINE_CHECKED
    tl_invariants_after(engine, cmd, sink, &before);
    tl_writer_leave(engine, inside);
#endif
}

uint64_t tl_engine_events_bound(const tl_engine *engine)
{
    return (uint64_t)tl_engine_orders_open(engine) + engine->state->chain + TL_CHAIN_ORDER_MAX +
           TL_EVENTS_OWN_MAX;
}

size_t tl_engine_step_batch(tl_engine *engine, const tl_command *cmds, size_t count,
                            tl_event_sink *sink, uint64_t room)
{
    uint64_t first = sink->next;
    const tl_ahead_for pays = tl_ahead_pays(engine);
    const bool look_ahead = pays.books | pays.orders | pays.levels;
    const uintptr_t inside = tl_writer_enter(engine);
    size_t done = 0;
    for (; done < count; done++) {
        if (look_ahead)
            tl_ahead(engine, cmds, done, count, pays);
        if (tl_engine_events_bound(engine) > room - (sink->next - first))
            break;
        tl_engine_step(engine, &cmds[done], sink);
    }
    tl_writer_leave(engine, inside);
    return done;
}
