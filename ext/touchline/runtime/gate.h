/* The gate: what a lane may send. docs/messages.md has the list.
 *
 * The runner asks it of every command before it is journaled; what may not be said becomes a
 * TRESPASS, which the step refuses. The gate remembers what names numbers have and how far each
 * lane's own numbers have come; recovery gives it the journal's commands, so a restart changes
 * nothing. Allocates at open alone; belongs to the engine thread.
 */
#ifndef TOUCHLINE_GATE_H
#define TOUCHLINE_GATE_H

#include "touchline/core/messages.h"

#define TL_GATE_LANES 8u
#define TL_GATE_KINDS 8u /* of texts, from 0 */

typedef struct tl_gate_config {
    uint32_t instruments_max;
    uint32_t accounts_max;
    uint32_t programs_trade; /* 1: lanes but the operators' may trade, and nothing else */
} tl_gate_config;

typedef struct tl_gate {
    tl_gate_config config;
    uint32_t counters[TL_GATE_LANES]; /* the highest low half of a cl_ord_id of each lane */
    uint32_t keys_max[TL_GATE_KINDS]; /* 0: no name of a number */
    uint32_t keys_used[TL_GATE_KINDS]; /* no key from here on has a name */
    uint64_t *names[TL_GATE_KINDS];   /* hash of the name each number has; 0: none */
    uint64_t overlooked;       /* how many recalled commands no lane could have sent */
    uint64_t overlooked_first; /* the seq of the first of them */
} tl_gate;

/* 0 or -ENOMEM. */
int tl_gate_open(tl_gate *gate, const tl_gate_config *config);
void tl_gate_close(tl_gate *gate);
/* Recovery: take in a command that the journal holds. What no lane could have sent today, as a
 * journal from before the gate may hold it, is counted and passed over. */
void tl_gate_recall(tl_gate *gate, const tl_command *cmd);
/* The reason why `lane` may not send this, or 0. */
uint8_t tl_gate_refusal(tl_gate *gate, uint32_t lane, const tl_command *cmd);
/* Make it a TRESPASS. */
void tl_gate_mark(tl_command *cmd, uint32_t lane, uint8_t reason);
/* Is this a valid TEXT, on its own: field, text, size? Its key is not looked at. */
int tl_text_valid(const tl_command *cmd);

/* An order, cancel or replace with the lane's next number, or its last, passes at once. */
static inline void tl_gate_pass(tl_gate *gate, uint32_t lane, tl_command *cmd)
{
    const int plain = cmd->type == TL_MSG_TYPE_NEW_ORDER || cmd->type == TL_MSG_TYPE_CANCEL ||
                      cmd->type == TL_MSG_TYPE_REPLACE;
    const uint64_t last = (uint64_t)lane << 32 | gate->counters[lane];
    const uint64_t ahead = cmd->cl_ord_id - last;
    if (__builtin_expect(plain && ahead <= 1 && (uint32_t)last != UINT32_MAX, 1)) {
        gate->counters[lane] += (uint32_t)ahead;
        return;
    }
    const uint8_t reason = tl_gate_refusal(gate, lane, cmd);
    if (reason != 0)
        tl_gate_mark(cmd, lane, reason);
}

#endif
