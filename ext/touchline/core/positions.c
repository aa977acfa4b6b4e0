/* The table of positions: found by account and instrument, made when first needed. */
#include "touchline/core/positions.h"

#include <string.h>

void tl_position_init(tl_position *position, uint32_t account, uint32_t instrument)
{
    *position = (tl_position){.account = account,
                              .instrument = instrument,
                              .order_qty_max = TL_LIMIT_UNSET,
                              .order_value_max = TL_LIMIT_UNSET,
                              .position_max = TL_LIMIT_UNSET};
}

/* The probe that holds the entry, or the free one where it would go. The table has twice as many
 * probes as positions at least, so there is always a free one. */
static uint32_t *probe_of(const tl_positions *positions, uint32_t account, uint32_t instrument)
{
    uint32_t mask = positions->counts->probe_mask;
    uint32_t at = (uint32_t)(tl_position_probe(positions, account, instrument) - positions->probes);
    while (positions->probes[at] != 0) {
        const tl_position *position = &positions->entries[positions->probes[at] - 1];
        if (position->account == account && position->instrument == instrument)
            break;
        at = (at + 1) & mask;
    }
    return &positions->probes[at];
}

tl_position *tl_position_find(const tl_positions *positions, uint32_t account, uint32_t instrument)
{
    uint32_t found = *probe_of(positions, account, instrument);
    return found == 0 ? NULL : &positions->entries[found - 1];
}

tl_position *tl_position_need(const tl_positions *positions, uint32_t account, uint32_t instrument)
{
    uint32_t *probe = probe_of(positions, account, instrument);
    if (*probe == 0) {
        if (positions->counts->positions_used == positions->counts->positions_max)
            return NULL;
        *probe = ++positions->counts->positions_used;
        tl_position *position = &positions->entries[*probe - 1];
        tl_position_init(position, account, instrument);
        position->next = positions->newest[account];
        positions->newest[account] = *probe;
    }
    return &positions->entries[*probe - 1];
}

void tl_positions_probe_again(const tl_positions *positions)
{
    const tl_position_counts *counts = positions->counts;
    memset(positions->probes, 0, ((size_t)counts->probe_mask + 1) * sizeof *positions->probes);
    for (uint32_t i = 0; i < counts->positions_used; i++) {
        const tl_position *position = &positions->entries[i];
        *probe_of(positions, position->account, position->instrument) = i + 1;
    }
}
