/* A bit for each instrument that may be in an auction. See auctions.h. */
#include "touchline/runtime/auctions.h"

#include <errno.h>
#include <stdlib.h>

static bool is_auction(uint8_t status)
{
    return status == TL_TRADING_STATUS_OPENING_AUCTION ||
           status == TL_TRADING_STATUS_VOLATILITY_AUCTION ||
           status == TL_TRADING_STATUS_CLOSING_AUCTION;
}

static void set(tl_auctions *auctions, uint32_t instrument)
{
    if (instrument / 64 < auctions->words)
        auctions->maybe[instrument / 64] |= UINT64_C(1) << (instrument % 64);
}

int tl_auctions_open(tl_auctions *auctions, const tl_engine *engine, int64_t every_ns)
{
    const uint32_t instruments_max = tl_engine_get_capacities(engine)->instruments_max;
    *auctions = (tl_auctions){.words = (instruments_max + 63) / 64, .every_ns = every_ns};
    auctions->maybe = calloc(auctions->words, sizeof *auctions->maybe);
    if (auctions->maybe == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i < instruments_max; i++)
        if (is_auction(tl_engine_trading_status(engine, (uint16_t)i)))
            set(auctions, i);
    return 0;
}

void tl_auctions_close(tl_auctions *auctions)
{
    free(auctions->maybe);
    auctions->maybe = NULL;
}

void tl_auctions_note(tl_auctions *auctions, const tl_command *cmd)
{
    if (is_auction(cmd->field))
        set(auctions, cmd->instrument);
}

/* The first instrument from there on that may be in one; past the last one there is none. */
static uint32_t first_from(const tl_auctions *auctions, uint32_t at)
{
    for (uint32_t word = at / 64; word < auctions->words; word++) {
        const uint64_t left = word == at / 64 ? UINT64_MAX << (at % 64) : UINT64_MAX;
        if ((auctions->maybe[word] & left) != 0)
            return word * 64 + (uint32_t)__builtin_ctzll(auctions->maybe[word] & left);
    }
    return auctions->words * 64;
}

bool tl_auctions_next(tl_auctions *auctions, const tl_engine *engine, int64_t now_ns,
                      tl_command *cmd)
{
    for (uint32_t i = first_from(auctions, auctions->at); i < auctions->words * 64;
         i = first_from(auctions, i + 1)) {
        const uint8_t status = tl_engine_trading_status(engine, (uint16_t)i);
        if (is_auction(status)) {
            auctions->at = i + 1;
            *cmd = (tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                                .instrument = (uint16_t)i,
                                .field = status};
            return true;
        }
        auctions->maybe[i / 64] &= ~(UINT64_C(1) << (i % 64));
    }
    auctions->at = 0;
    auctions->next_ns = now_ns + auctions->every_ns;
    return false;
}
