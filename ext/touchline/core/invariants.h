/* What is true of an engine between any two commands, asserted.
 *
 * Always compiled, called by the checked build alone (-DTOUCHLINE_CHECKED=ON): there engine.c asks
 * before and after every command. Events are looked at every time; the state, which costs as much
 * as it is large, after every command while it is small and otherwise as often as keeps the cost of
 * a command bounded. An assertion that fails says which condition and stops the process.
 */
#ifndef TOUCHLINE_INVARIANTS_H
#define TOUCHLINE_INVARIANTS_H

#include "touchline/core/state.h"

/* What a command found. */
typedef struct tl_before {
    uint64_t event_seq;
    uint64_t sink_next;
    uint64_t events_bound;
    uint64_t hash;     /* 0: the state was too large to hash it before every command */
    uint32_t orders_open;
    uint32_t executed; /* of the order a REPLACE means */
} tl_before;

tl_before tl_invariants_before(const tl_engine *engine, const tl_command *cmd,
                               const tl_event_sink *sink);
void tl_invariants_after(tl_engine *engine, const tl_command *cmd, const tl_event_sink *sink,
                         const tl_before *before);

/* The state alone: pools, books, trees, positions, statuses. */
void tl_invariants_hold(const tl_engine *engine);

/* Of these, what is true of an order's links, and of what lanes remember: invariants_links.c. */
void tl_invariants_link(const tl_engine *engine, uint32_t slot);
void tl_invariants_last_linked(const tl_engine *engine);

/* The events of one command alone: numbers, bound, conserved quantities, rules 1.2 to 4.6. */
void tl_invariants_answer(const tl_engine *engine, const tl_command *cmd,
                          const tl_event_sink *sink, const tl_before *before);

#endif
