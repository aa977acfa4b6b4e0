/* The bare matcher that skeleton.h describes. */
#include "skeleton.h"

#include <stdbool.h>

#include "flow_file.h"

#define NONE UINT32_MAX
#define RUNGS 4 /* of 64 each: 2^24 prices */

typedef struct order {
    uint32_t next; /* younger; of a free slot, the next free one */
    uint32_t prev; /* older */
    uint32_t price;
    uint32_t leaves_qty;
    uint32_t executed_qty;
    uint32_t generation;
    uint32_t account;
    uint16_t instrument;
    uint8_t side;
    uint8_t open;
} order;
_Static_assert(sizeof(order) == 32, "two orders to a cache line");

typedef struct level {
    uint32_t head, tail; /* head NONE: nothing rests here */
} level;

/* rungs[0] has a bit for each price, the others one for each word below them. */
typedef struct book {
    uint32_t best[2]; /* 0 and NONE where nothing rests */
    uint32_t first;   /* price of levels[0] */
    level *levels;
    uint64_t *rungs[RUNGS];
} book;

struct skeleton {
    order *orders;
    book *books;
    uint64_t seq;
    uint32_t order_free;
    uint32_t orders_used;
    uint32_t orders_open;
    uint32_t instruments;
};

skeleton *skeleton_open(const price_range *ranges, uint32_t instruments, uint32_t orders_max)
{
    skeleton *matcher = allocate(sizeof *matcher);
    matcher->orders = allocate((size_t)orders_max * sizeof(order));
    matcher->books = allocate(instruments * sizeof(book));
    matcher->order_free = NONE;
    matcher->instruments = instruments;
    for (uint32_t i = 0; i < instruments; i++) {
        book *one = &matcher->books[i];
        one->best[0] = 0;
        one->best[1] = NONE;
        if (ranges[i].first > ranges[i].last)
            continue;
        one->first = ranges[i].first;
        size_t bits = ranges[i].last - ranges[i].first + 1;
        one->levels = allocate(bits * sizeof(level));
        memset(one->levels, 0xff, bits * sizeof(level));
        for (int rung = 0; rung < RUNGS; rung++) {
            bits = (bits + 63) / 64;
            one->rungs[rung] = allocate(bits * sizeof(uint64_t));
        }
    }
    return matcher;
}

void skeleton_close(skeleton *matcher)
{
    for (uint32_t i = 0; i < matcher->instruments; i++) {
        free(matcher->books[i].levels);
        for (int rung = 0; rung < RUNGS; rung++)
            free(matcher->books[i].rungs[rung]);
    }
    free(matcher->books);
    free(matcher->orders);
    free(matcher);
}

uint32_t skeleton_orders_open(const skeleton *matcher)
{
    return matcher->orders_open;
}

/* ── the ladder ──────────────────────────────────────────────────────────────────────────────── */

static inline void ladder_set(const book *book, uint32_t at)
{
    for (int rung = 0; rung < RUNGS; rung++, at /= 64) {
        uint64_t *word = &book->rungs[rung][at / 64];
        uint64_t before = *word;
        *word = before | UINT64_C(1) << at % 64;
        if (before != 0)
            return;
    }
}

static inline void ladder_clear(const book *book, uint32_t at)
{
    for (int rung = 0; rung < RUNGS; rung++, at /= 64) {
        uint64_t *word = &book->rungs[rung][at / 64];
        *word &= ~(UINT64_C(1) << at % 64);
        if (*word != 0)
            return;
    }
}

static inline uint32_t lowest_at(const book *book, int rung, uint32_t at)
{
    for (; rung >= 0; rung--)
        at = at * 64 + (uint32_t)__builtin_ctzll(book->rungs[rung][at]);
    return at;
}

static inline uint32_t highest_at(const book *book, int rung, uint32_t at)
{
    for (; rung >= 0; rung--)
        at = at * 64 + 63 - (uint32_t)__builtin_clzll(book->rungs[rung][at]);
    return at;
}

/* The nearest set bit above or below, NONE when there is none. */
static inline uint32_t ladder_above(const book *book, uint32_t at)
{
    for (int rung = 0; rung < RUNGS; rung++, at /= 64) {
        uint64_t bits = book->rungs[rung][at / 64] & ~((UINT64_C(2) << at % 64) - 1);
        if (bits != 0)
            return lowest_at(book, rung - 1, at - at % 64 + (uint32_t)__builtin_ctzll(bits));
    }
    return NONE;
}

static inline uint32_t ladder_below(const book *book, uint32_t at)
{
    for (int rung = 0; rung < RUNGS; rung++, at /= 64) {
        uint64_t bits = book->rungs[rung][at / 64] & ((UINT64_C(1) << at % 64) - 1);
        if (bits != 0)
            return highest_at(book, rung - 1, at - at % 64 + 63 - (uint32_t)__builtin_clzll(bits));
    }
    return NONE;
}

/* ── the book ────────────────────────────────────────────────────────────────────────────────── */

static inline void book_append(skeleton *matcher, uint32_t slot)
{
    order *order = &matcher->orders[slot];
    book *book = &matcher->books[order->instrument];
    level *level = &book->levels[order->price - book->first];
    order->next = NONE;
    order->prev = level->tail;
    if (level->tail != NONE) {
        matcher->orders[level->tail].next = slot;
        level->tail = slot;
        return;
    }
    level->head = level->tail = slot;
    ladder_set(book, order->price - book->first);
    if (order->side == TL_SIDE_BUY ? order->price > book->best[0] : order->price < book->best[1])
        book->best[order->side == TL_SIDE_SELL] = order->price;
}

static inline void book_level_closed(book *book, uint32_t at, uint8_t side)
{
    ladder_clear(book, at);
    if (book->best[side == TL_SIDE_SELL] != book->first + at)
        return;
    uint32_t next = side == TL_SIDE_BUY ? ladder_below(book, at) : ladder_above(book, at);
    if (next != NONE)
        book->best[side == TL_SIDE_SELL] = book->first + next;
    else
        book->best[side == TL_SIDE_SELL] = side == TL_SIDE_BUY ? 0 : NONE;
}

static inline void book_remove(skeleton *matcher, const order *order)
{
    book *book = &matcher->books[order->instrument];
    level *level = &book->levels[order->price - book->first];
    if (order->prev != NONE)
        matcher->orders[order->prev].next = order->next;
    else
        level->head = order->next;
    if (order->next != NONE)
        matcher->orders[order->next].prev = order->prev;
    else
        level->tail = order->prev;
    if (level->head == NONE)
        book_level_closed(book, order->price - book->first, order->side);
}

/* ── slots and reports ───────────────────────────────────────────────────────────────────────── */

static inline uint32_t slot_take(skeleton *matcher)
{
    uint32_t slot = matcher->order_free;
    matcher->orders_open++;
    if (slot == NONE) {
        matcher->orders[matcher->orders_used].generation = 1;
        return matcher->orders_used++;
    }
    matcher->order_free = matcher->orders[slot].next;
    return slot;
}

static inline void slot_give_back(skeleton *matcher, uint32_t slot)
{
    order *order = &matcher->orders[slot];
    order->open = 0;
    order->generation++;
    order->next = matcher->order_free;
    matcher->order_free = slot;
    matcher->orders_open--;
}

static inline uint64_t id_of(const skeleton *matcher, uint32_t slot)
{
    return (uint64_t)matcher->orders[slot].generation << 32 | slot;
}

/* Eight plain stores, the stamp last: the record of tl_event, its small fields packed by hand. */
static inline void report(skeleton *matcher, tl_event_sink *sink, const tl_command *cmd,
                          uint64_t order_id, uint64_t other_id, uint64_t price, uint64_t qtys,
                          uint64_t accounts, uint64_t kind)
{
    uint64_t *words = (uint64_t *)&sink->slots[sink->next++ & sink->mask];
    words[1] = (uint64_t)cmd->ts_ns;
    words[2] = order_id;
    words[3] = other_id;
    words[4] = price;
    words[5] = qtys;
    words[6] = accounts;
    words[7] = kind;
    /* Release: the stamp after the body, as the engine's events have it. */
    __atomic_store_n(&words[0], ++matcher->seq, __ATOMIC_RELEASE);
}
_Static_assert(offsetof(tl_event, price) == 32 && offsetof(tl_event, leaves_qty) == 44 &&
                   offsetof(tl_event, contra_account) == 52 && offsetof(tl_event, side) == 61,
               "the words of a report are an event's");

static inline uint64_t pair(uint32_t low, uint32_t high)
{
    return (uint64_t)high << 32 | low;
}

static inline uint64_t kind_word(const order *order, uint8_t exec_type)
{
    return order->instrument | (uint64_t)exec_type << 32 | (uint64_t)order->side << 40;
}

static inline void report_order(skeleton *matcher, tl_event_sink *sink, const tl_command *cmd,
                                uint32_t slot, uint8_t exec_type)
{
    const order *order = &matcher->orders[slot];
    report(matcher, sink, cmd, id_of(matcher, slot), cmd->cl_ord_id, order->price,
           pair(order->leaves_qty + order->executed_qty, order->leaves_qty),
           order->account, kind_word(order, exec_type));
}

/* ── commands ────────────────────────────────────────────────────────────────────────────────── */

static inline void meet_book(skeleton *matcher, tl_event_sink *sink, const tl_command *cmd,
                             uint32_t slot)
{
    order *taker = &matcher->orders[slot];
    book *book = &matcher->books[taker->instrument];
    bool buy = taker->side == TL_SIDE_BUY;
    while (taker->leaves_qty > 0 &&
           (buy ? taker->price >= book->best[1] : taker->price <= book->best[0])) {
        uint32_t price = book->best[buy];
        uint32_t maker_slot = book->levels[price - book->first].head;
        order *maker = &matcher->orders[maker_slot];
        uint32_t qty =
            maker->leaves_qty < taker->leaves_qty ? maker->leaves_qty : taker->leaves_qty;
        taker->leaves_qty -= qty;
        taker->executed_qty += qty;
        maker->leaves_qty -= qty;
        maker->executed_qty += qty;
        report(matcher, sink, cmd, id_of(matcher, slot), id_of(matcher, maker_slot), price,
               pair(qty, taker->leaves_qty), pair(taker->account, maker->account),
               kind_word(taker, TL_EXEC_TYPE_TRADE));
        if (maker->leaves_qty == 0) {
            book_remove(matcher, maker);
            slot_give_back(matcher, maker_slot);
        }
    }
}

static inline void new_order(skeleton *matcher, tl_event_sink *sink, const tl_command *cmd)
{
    uint32_t slot = slot_take(matcher);
    order *order = &matcher->orders[slot];
    order->price = (uint32_t)cmd->price;
    order->leaves_qty = (uint32_t)cmd->qty;
    order->executed_qty = 0;
    order->account = cmd->account;
    order->instrument = cmd->instrument;
    order->side = cmd->side;
    order->open = 1;
    report_order(matcher, sink, cmd, slot, TL_EXEC_TYPE_NEW);
    meet_book(matcher, sink, cmd, slot);
    if (order->leaves_qty > 0 && cmd->time_in_force != TL_TIME_IN_FORCE_IOC) {
        book_append(matcher, slot);
        return;
    }
    if (order->leaves_qty > 0)
        report_order(matcher, sink, cmd, slot, TL_EXEC_TYPE_CANCELED);
    slot_give_back(matcher, slot);
}

static inline void replace(skeleton *matcher, tl_event_sink *sink, const tl_command *cmd,
                           uint32_t slot)
{
    order *order = &matcher->orders[slot];
    uint32_t qty = order->leaves_qty + order->executed_qty;
    uint32_t wanted = (uint32_t)cmd->qty;
    uint32_t leaves_qty = wanted > order->executed_qty ? wanted - order->executed_qty : 0;
    if ((uint32_t)cmd->price == order->price && wanted < qty && leaves_qty > 0) {
        order->leaves_qty = leaves_qty;
        report_order(matcher, sink, cmd, slot, TL_EXEC_TYPE_REPLACED);
        return;
    }
    book_remove(matcher, order);
    order->price = (uint32_t)cmd->price;
    order->leaves_qty = leaves_qty;
    report_order(matcher, sink, cmd, slot, TL_EXEC_TYPE_REPLACED);
    meet_book(matcher, sink, cmd, slot);
    if (order->leaves_qty > 0)
        book_append(matcher, slot);
    else
        slot_give_back(matcher, slot);
}

void skeleton_step(skeleton *matcher, const tl_command *cmd, tl_event_sink *sink)
{
    if (cmd->type == TL_MSG_TYPE_NEW_ORDER) {
        new_order(matcher, sink, cmd);
        return;
    }
    uint32_t slot = (uint32_t)cmd->order_id;
    const order *order = &matcher->orders[slot];
    if (order->generation != cmd->order_id >> 32 || !order->open) {
        report(matcher, sink, cmd, cmd->order_id, cmd->cl_ord_id, 0, 0, cmd->account,
               (uint64_t)TL_EXEC_TYPE_CANCEL_REJECTED << 32);
    } else if (cmd->type == TL_MSG_TYPE_CANCEL) {
        report_order(matcher, sink, cmd, slot, TL_EXEC_TYPE_CANCELED);
        book_remove(matcher, order);
        slot_give_back(matcher, slot);
    } else {
        replace(matcher, sink, cmd, slot);
    }
}
