/* What commands to come will touch, asked of the memory while those before them are done.
 *
 *               a new order                                 a cancel or replace
 *   far         its book and instrument, where its          its order and OrderQty: who takes its
 *               position is looked for                      slot writes both
 *   middle      its position, the node above its price      its level, position and neighbours
 *   near        the block and level of its price            of a replace the same for its new price
 *
 * Hints and nothing else: each stage looks only at what the one before asked for, changes nothing,
 * and may be wrong by the time its command is done. A look costs 20 to 30 instructions, so
 * tl_engine_step_batch has only those looks that pay: for books, for orders, for levels, each while
 * there are more of them than a core's own cache has room for.
 */
#ifndef TOUCHLINE_AHEAD_H
#define TOUCHLINE_AHEAD_H

#include "touchline/core/book.h"
#include "touchline/core/state.h"

/* Commands between asking and doing. */
#define TL_AHEAD_FAR 24u
#define TL_AHEAD_MIDDLE 16u
#define TL_AHEAD_NEAR 8u

/* What there may be of a kind before looking ahead for it pays. */
#define TL_AHEAD_BYTES (UINT64_C(1) << 20)

typedef struct tl_ahead_for {
    bool books; /* and instruments and positions */
    bool orders;
    bool levels;
} tl_ahead_for;

/* Always: a function that only prefetches has no effect that gcc knows of, and calls to it go. */
#define TL_AHEAD_INLINE static inline __attribute__((always_inline))

/* A position stands for four lines: its own, its book, instrument and probe. Blocks count once they
 * have been used: so many have had orders at one time. */
TL_AHEAD_INLINE tl_ahead_for tl_ahead_pays(const tl_engine *engine)
{
    const tl_pools *pools = engine->shelf.pools;
    uint64_t orders = pools->orders_open;
    uint64_t levels = (uint64_t)pools->blocks_used * TL_BLOCK_LEVELS;
    uint64_t positions = engine->positions.counts->positions_used;
    return (tl_ahead_for){.books = positions * 4 * sizeof(tl_position) > TL_AHEAD_BYTES,
                          .orders = orders * sizeof(tl_order) > TL_AHEAD_BYTES,
                          .levels = levels * sizeof(tl_level) > TL_AHEAD_BYTES};
}

/* The order is at home in memory that exists: looking up an address in vain takes as long as a line
 * from memory. */
TL_AHEAD_INLINE void tl_ahead_order(const tl_shelf *shelf, uint32_t slot)
{
    if (slot != TL_NONE)
        __builtin_prefetch(&shelf->orders[slot], 1);
}

TL_AHEAD_INLINE void tl_ahead_level(const tl_shelf *shelf, uint32_t level)
{
    if (level != TL_NONE) {
        __builtin_prefetch(&shelf->levels[level], 1);
        __builtin_prefetch(&shelf->blocks[level / TL_BLOCK_LEVELS], 1);
    }
}

TL_AHEAD_INLINE bool tl_ahead_is_new(const tl_engine *engine, const tl_command *cmd)
{
    return cmd->type == TL_MSG_TYPE_NEW_ORDER &&
           cmd->instrument < engine->risk.counts->instruments_max;
}

/* The open order a command means, as far as its id tells; NULL when there is none. */
TL_AHEAD_INLINE const tl_order *tl_ahead_own(const tl_shelf *shelf, const tl_command *cmd)
{
    uint32_t slot = (uint32_t)cmd->order_id;
    return slot < shelf->pools->orders_used ? &shelf->orders[slot] : NULL;
}

/* The level at a price, as far as the tree reaches it now. */
TL_AHEAD_INLINE void tl_ahead_price(const tl_shelf *shelf, const tl_book *book, int64_t price)
{
    uint32_t number = tl_block_number(book, (uint32_t)price);
    const uint32_t *place = tl_book_block_place(shelf, book, number);
    if (place != NULL && *place != TL_NONE)
        tl_ahead_level(shelf, *place * TL_BLOCK_LEVELS + (uint32_t)price % TL_BLOCK_LEVELS);
}

TL_AHEAD_INLINE void tl_ahead_far(const tl_engine *engine, const tl_command *cmd,
                                  tl_ahead_for pays)
{
    if (tl_ahead_is_new(engine, cmd)) {
        if (!pays.books)
            return;
        __builtin_prefetch(&engine->shelf.books[cmd->instrument], 1);
        __builtin_prefetch(&engine->risk.instruments[cmd->instrument], 1);
        __builtin_prefetch(tl_position_probe(&engine->positions, cmd->account, cmd->instrument));
    } else if (pays.orders) {
        const tl_order *order = tl_ahead_own(&engine->shelf, cmd);
        if (order != NULL) {
            __builtin_prefetch(order, 1);
            __builtin_prefetch(&engine->shelf.cold[(uint32_t)cmd->order_id], 1);
        }
    }
}

TL_AHEAD_INLINE void tl_ahead_middle_new(const tl_engine *engine, const tl_command *cmd)
{
    const tl_shelf *shelf = &engine->shelf;
    const tl_book *book = &shelf->books[cmd->instrument];
    uint32_t position = *tl_position_probe(&engine->positions, cmd->account, cmd->instrument);
    if (position != 0)
        __builtin_prefetch(&engine->positions.entries[position - 1], 1);
    if (book->root != TL_NONE) {
        uint32_t number = tl_block_number(book, (uint32_t)cmd->price);
        uint32_t slot = tl_child_slot(number >> (book->shift - TL_CHILD_BITS));
        __builtin_prefetch(&shelf->nodes[book->root], 1);
        __builtin_prefetch(&tl_node_children(shelf, book->root)[slot], 1);
    }
}

TL_AHEAD_INLINE void tl_ahead_middle_own(const tl_engine *engine, const tl_command *cmd)
{
    const tl_shelf *shelf = &engine->shelf;
    const tl_order *order = tl_ahead_own(shelf, cmd);
    if (order == NULL || order->position == TL_NONE)
        return;
    __builtin_prefetch(&engine->positions.entries[order->position], 1);
    __builtin_prefetch(&shelf->books[order->instrument], 1);
    tl_ahead_level(shelf, order->level);
    tl_ahead_order(shelf, order->prev);
    tl_ahead_order(shelf, order->next);
}

TL_AHEAD_INLINE void tl_ahead_middle(const tl_engine *engine, const tl_command *cmd,
                                     tl_ahead_for pays)
{
    if (tl_ahead_is_new(engine, cmd)) {
        if (pays.books)
            tl_ahead_middle_new(engine, cmd);
    } else if (pays.orders) {
        tl_ahead_middle_own(engine, cmd);
    }
}

TL_AHEAD_INLINE void tl_ahead_near(const tl_engine *engine, const tl_command *cmd)
{
    const tl_shelf *shelf = &engine->shelf;
    if (tl_ahead_is_new(engine, cmd)) {
        tl_ahead_price(shelf, &shelf->books[cmd->instrument], cmd->price);
    } else if (cmd->type == TL_MSG_TYPE_REPLACE) {
        const tl_order *order = tl_ahead_own(shelf, cmd);
        if (order != NULL && order->position != TL_NONE)
            tl_ahead_price(shelf, &shelf->books[order->instrument], cmd->price);
    }
}

/* Ask for what the commands after number `i` of `count` need. */
TL_AHEAD_INLINE void tl_ahead(const tl_engine *engine, const tl_command *cmds, size_t i,
                              size_t count, tl_ahead_for pays)
{
    if (pays.books | pays.orders) {
        if (count - i > TL_AHEAD_FAR)
            tl_ahead_far(engine, &cmds[i + TL_AHEAD_FAR], pays);
        if (count - i > TL_AHEAD_MIDDLE)
            tl_ahead_middle(engine, &cmds[i + TL_AHEAD_MIDDLE], pays);
    }
    if (pays.levels && count - i > TL_AHEAD_NEAR)
        tl_ahead_near(engine, &cmds[i + TL_AHEAD_NEAR]);
}

#endif
