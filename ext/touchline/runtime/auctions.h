/* Whose auction is to be told of next: a call is told of as often as it is asked (rule 9.1), and
 * the runner asks for each in turn, every so often, by commands of its own. A replay finds them in
 * the journal. The runner's thread alone calls these functions.
 */
#ifndef TOUCHLINE_AUCTIONS_H
#define TOUCHLINE_AUCTIONS_H

#include "touchline/core/engine.h"

#include <stdbool.h>

typedef struct tl_auctions {
    uint64_t *maybe; /* a bit for each instrument that may be in an auction */
    uint32_t words, at; /* the instrument whose turn it is in this round */
    int64_t every_ns; /* 0: nobody is told of */
    int64_t next_ns; /* when a round begins, by the host's clock; past: one is under way */
} tl_auctions;

/* Of an engine that has done all its journal's commands. 0 or -ENOMEM. */
int tl_auctions_open(tl_auctions *auctions, const tl_engine *engine, int64_t every_ns);
void tl_auctions_close(tl_auctions *auctions);

/* This SECURITY_STATUS is about to be done. */
void tl_auctions_note(tl_auctions *auctions, const tl_command *cmd);

/* Is it time to tell? A clock that was set back does not hold it up. */
static inline bool tl_auctions_due(const tl_auctions *auctions, int64_t now_ns)
{
    return auctions->every_ns != 0 && (now_ns >= auctions->next_ns ||
                                       auctions->next_ns - now_ns > auctions->every_ns);
}

/* The command that asks for the next one; false: all have had their turn, until the next round. */
bool tl_auctions_next(tl_auctions *auctions, const tl_engine *engine, int64_t now_ns,
                      tl_command *cmd);

#endif
