/* Orders in a table by their reference numbers: open addressing, half full at most, and what ends
 * leaves no trace. A snapshot lists them, merges the list from runs of one to a run of all, and
 * tells it, a step at a time. */
#include "touchline/wire/glimpse.h"

#include "touchline/wire/itch.h"
#include "touchline/wire/soupbin.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define DIRECTORY_BYTES sizeof(tl_itch_stock_directory_wire)
#define SYSTEM_BYTES sizeof(tl_itch_system_event_wire)
#define ACTION_BYTES sizeof(tl_itch_trading_action_wire)

typedef struct order {
    uint64_t ref; /* 0: free */
    uint32_t shares, price;
    uint16_t locate;
    char side;
} order;

typedef struct stock {
    uint8_t directory[DIRECTORY_BYTES]; /* the message as it came; type 0: none has come */
    uint8_t action[ACTION_BYTES];
} stock;

enum stage { IDLE = 0, STOCKS, COLLECTING, MERGING, ORDERS };

/* A snapshot that is being told.
 *
 *   list:  [ merged … | run: one … | run: other … | … ]     other:  [ merged … | room ]
 *                      left  one     middle  two   right                        at        */
typedef struct telling {
    tl_spool *out;
    enum stage stage;
    uint64_t at;
    uint64_t count, width;
    uint64_t one, middle, two, right;
} telling;

struct tl_glimpse {
    stock *stocks; /* by locate, from 1 */
    order *orders;
    order *list, *other; /* of a snapshot */
    telling telling;
    uint64_t steps;
    uint8_t system[SYSTEM_BYTES]; /* the last system event; type 0: none has come */
    uint64_t mask;
    uint64_t number;
    uint64_t ts_ns;
    uint32_t stocks_max, orders_max, count;
};

int tl_glimpse_open(tl_glimpse **out, uint32_t stocks_max, uint32_t orders_max)
{
    uint64_t places = 16;
    while (places < 2 * (uint64_t)orders_max)
        places *= 2;
    tl_glimpse *glimpse = calloc(1, sizeof *glimpse);
    *out = glimpse;
    if (glimpse == NULL)
        return -ENOMEM;
    glimpse->stocks_max = stocks_max;
    glimpse->orders_max = orders_max;
    glimpse->mask = places - 1;
    glimpse->stocks = calloc((size_t)stocks_max + 1, sizeof *glimpse->stocks);
    glimpse->orders = calloc(places, sizeof *glimpse->orders);
    glimpse->list = calloc((size_t)orders_max + 1, sizeof *glimpse->list);
    glimpse->other = calloc((size_t)orders_max + 1, sizeof *glimpse->other);
    if (glimpse->stocks != NULL && glimpse->orders != NULL && glimpse->list != NULL &&
        glimpse->other != NULL)
        return 0;
    tl_glimpse_close(glimpse);
    *out = NULL;
    return -ENOMEM;
}

void tl_glimpse_close(tl_glimpse *glimpse)
{
    if (glimpse == NULL)
        return;
    free(glimpse->stocks);
    free(glimpse->orders);
    free(glimpse->list);
    free(glimpse->other);
    free(glimpse);
}

uint64_t tl_glimpse_steps(const tl_glimpse *glimpse)
{
    return glimpse->steps;
}

uint64_t tl_glimpse_number(const tl_glimpse *glimpse)
{
    return glimpse->number;
}

/* The table */

static uint64_t place_of(const tl_glimpse *glimpse, uint64_t ref)
{
    return (ref * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & glimpse->mask;
}

/* The place of this order, or the free one where it belongs. */
static uint64_t find(const tl_glimpse *glimpse, uint64_t ref)
{
    uint64_t at = place_of(glimpse, ref);
    while (glimpse->orders[at].ref != 0 && glimpse->orders[at].ref != ref)
        at = (at + 1) & glimpse->mask;
    return at;
}

/* Those behind it that would not be found any more move up. */
static void take_out(tl_glimpse *glimpse, uint64_t at)
{
    uint64_t next = at;
    glimpse->count--;
    for (;;) {
        glimpse->orders[at].ref = 0;
        do {
            next = (next + 1) & glimpse->mask;
            if (glimpse->orders[next].ref == 0)
                return;
        } while (((next - place_of(glimpse, glimpse->orders[next].ref)) & glimpse->mask) <
                 ((next - at) & glimpse->mask));
        glimpse->orders[at] = glimpse->orders[next];
        at = next;
    }
}

static bool put_in(tl_glimpse *glimpse, const order *fresh)
{
    const uint64_t at = find(glimpse, fresh->ref);
    if (fresh->ref == 0 || glimpse->orders[at].ref != 0 || glimpse->count == glimpse->orders_max)
        return false;
    glimpse->orders[at] = *fresh;
    glimpse->count++;
    return true;
}

/* Following */

static bool add(tl_glimpse *glimpse, const tl_itch_record *record)
{
    return put_in(glimpse, &(order){.ref = record->order_ref,
                                    .shares = (uint32_t)record->shares,
                                    .price = record->price,
                                    .locate = record->locate,
                                    .side = record->side});
}

static bool lessen(tl_glimpse *glimpse, const tl_itch_record *record)
{
    const uint64_t at = find(glimpse, record->order_ref);
    order *of = &glimpse->orders[at];
    if (of->ref == 0 || of->shares < record->shares)
        return false;
    of->shares -= (uint32_t)record->shares;
    if (of->shares == 0)
        take_out(glimpse, at);
    return true;
}

static bool end(tl_glimpse *glimpse, const tl_itch_record *record)
{
    const uint64_t at = find(glimpse, record->order_ref);
    if (glimpse->orders[at].ref == 0)
        return false;
    take_out(glimpse, at);
    return true;
}

static bool replace(tl_glimpse *glimpse, const tl_itch_record *record)
{
    const uint64_t at = find(glimpse, record->order_ref);
    order fresh = glimpse->orders[at];
    if (fresh.ref == 0)
        return false;
    take_out(glimpse, at);
    fresh.ref = record->new_order_ref;
    fresh.shares = (uint32_t)record->shares;
    fresh.price = record->price;
    return put_in(glimpse, &fresh);
}

static bool note(tl_glimpse *glimpse, const tl_itch_record *record, const uint8_t *bytes)
{
    if (record->locate == 0 || record->locate > glimpse->stocks_max)
        return false;
    stock *of = &glimpse->stocks[record->locate];
    if (record->type == TL_ITCH_TYPE_STOCK_DIRECTORY)
        memcpy(of->directory, bytes, DIRECTORY_BYTES);
    else
        memcpy(of->action, bytes, ACTION_BYTES);
    return true;
}

static bool take(tl_glimpse *glimpse, const tl_itch_record *record, const uint8_t *bytes)
{
    glimpse->ts_ns = record->ts_ns;
    switch (record->type) {
    case TL_ITCH_TYPE_SYSTEM_EVENT:
        memcpy(glimpse->system, bytes, SYSTEM_BYTES);
        return true;
    case TL_ITCH_TYPE_STOCK_DIRECTORY:
    case TL_ITCH_TYPE_TRADING_ACTION:
        return note(glimpse, record, bytes);
    case TL_ITCH_TYPE_ADD_ORDER:
    case TL_ITCH_TYPE_ADD_ORDER_MPID:
        return add(glimpse, record);
    case TL_ITCH_TYPE_EXECUTED:
    case TL_ITCH_TYPE_EXECUTED_PRICE:
    case TL_ITCH_TYPE_CANCEL:
        return lessen(glimpse, record);
    case TL_ITCH_TYPE_DELETE:
        return end(glimpse, record);
    case TL_ITCH_TYPE_REPLACE:
        return replace(glimpse, record);
    default:
        return true; /* says nothing of what rests */
    }
}

int tl_glimpse_follow(tl_glimpse *glimpse, const tl_spool *feed, uint64_t most)
{
    const uint64_t there = tl_spool_counted(feed);
    assert(glimpse->telling.stage == IDLE);
    while (glimpse->number < there && most-- > 0) {
        size_t size;
        tl_itch_record record;
        const uint8_t *block = tl_spool_message(feed, glimpse->number + 1, &size);
        if (tl_itch_decode(block + 2, size - 2, &record) != TL_ITCH_FAULT_NONE ||
            !take(glimpse, &record, block + 2))
            return -EBADMSG;
        glimpse->number++;
    }
    return 0;
}

/* Telling */

static bool comes_first(const order *a, const order *b)
{
    if (a->locate != b->locate)
        return a->locate < b->locate;
    if (a->side != b->side)
        return a->side < b->side; /* 'B', 'S' */
    if (a->price != b->price)
        return (a->price < b->price) == (a->side == 'S');
    return a->ref < b->ref; /* a reference number tells when the order took its place */
}

static int tell_message(tl_spool *out, const void *message, size_t size)
{
    int error = 0;
    uint8_t *room = tl_spool_room(out, TL_SOUPBIN_HEAD + size, &error);
    if (room == NULL)
        return error;
    memcpy(tl_soupbin_head(room, TL_SOUPBIN_SEQUENCED, size), message, size);
    tl_spool_put(out, TL_SOUPBIN_HEAD + size);
    return 0;
}

static int tell_stock(const tl_glimpse *glimpse, uint64_t locate, tl_spool *out)
{
    const stock *of = &glimpse->stocks[locate];
    int rc = 0;
    if (of->directory[0] != 0)
        rc = tell_message(out, of->directory, DIRECTORY_BYTES);
    if (rc == 0 && of->action[0] != 0)
        rc = tell_message(out, of->action, ACTION_BYTES);
    return rc;
}

static int tell_order(const tl_glimpse *glimpse, const order *of, tl_spool *out)
{
    tl_itch_add_order_wire message;
    const tl_itch_add_order said = {.type = TL_ITCH_TYPE_ADD_ORDER,
                                    .locate = of->locate,
                                    .ts_ns = glimpse->ts_ns,
                                    .order_ref = of->ref,
                                    .side = of->side,
                                    .shares = of->shares,
                                    .price = of->price};
    tl_itch_add_order_put(&message, &said);
    memcpy(message.stock,
           ((const tl_itch_stock_directory_wire *)glimpse->stocks[of->locate].directory)->stock,
           sizeof message.stock);
    return tell_message(out, &message, sizeof message);
}

static int tell_end(const tl_glimpse *glimpse, tl_spool *out)
{
    char digits[21];
    tl_glimpse_end_wire message = {.type = 'G'};
    snprintf(digits, sizeof digits, "%20llu", (unsigned long long)glimpse->number + 1);
    memcpy(message.number, digits, sizeof message.number);
    return tell_message(out, &message, sizeof message);
}

/* The two runs from `from` on. */
static void take_runs(telling *of, uint64_t from)
{
    const uint64_t middle = from + of->width, right = middle + of->width;
    of->at = of->one = from;
    of->middle = of->two = middle < of->count ? middle : of->count;
    of->right = right < of->count ? right : of->count;
}

/* One order more of the list, merged; or the next longer runs. */
static void merge_one(tl_glimpse *glimpse)
{
    telling *of = &glimpse->telling;
    order *list = glimpse->list;
    if (of->width >= of->count) {
        of->stage = ORDERS;
        of->at = 0;
    } else if (of->at == of->count) {
        glimpse->list = glimpse->other;
        glimpse->other = list;
        of->width *= 2;
        take_runs(of, 0);
    } else {
        if (of->at == of->right)
            take_runs(of, of->right);
        const bool first = of->two == of->right || (of->one < of->middle &&
                                                    comes_first(&list[of->one], &list[of->two]));
        glimpse->other[of->at++] = list[first ? of->one++ : of->two++];
    }
}

static void collect_one(tl_glimpse *glimpse)
{
    telling *of = &glimpse->telling;
    if (of->at <= glimpse->mask) {
        const order *next = &glimpse->orders[of->at++];
        if (next->ref != 0)
            glimpse->list[of->count++] = *next;
        return;
    }
    assert(of->count == glimpse->count);
    of->stage = MERGING;
    of->width = 1;
    take_runs(of, 0);
}

static int tell_one(tl_glimpse *glimpse)
{
    telling *of = &glimpse->telling;
    switch (of->stage) {
    case STOCKS:
        if (of->at <= glimpse->stocks_max)
            return tell_stock(glimpse, of->at++, of->out);
        of->stage = COLLECTING;
        of->at = 0;
        return 0;
    case COLLECTING:
        collect_one(glimpse);
        return 0;
    case MERGING:
        merge_one(glimpse);
        return 0;
    case ORDERS:
        if (of->at < of->count)
            return tell_order(glimpse, &glimpse->list[of->at++], of->out);
        of->stage = IDLE;
        return tell_end(glimpse, of->out);
    case IDLE:
        break;
    }
    return 0;
}

int tl_glimpse_tell(tl_glimpse *glimpse, tl_spool *out)
{
    assert(glimpse->telling.stage == IDLE);
    glimpse->telling = (telling){.out = out, .stage = STOCKS, .at = 1};
    const int rc = glimpse->system[0] == 0 ? 0 : tell_message(out, glimpse->system, SYSTEM_BYTES);
    if (rc != 0)
        glimpse->telling.stage = IDLE;
    return rc;
}

int tl_glimpse_go_on(tl_glimpse *glimpse, uint32_t most)
{
    int rc = 0;
    for (uint32_t i = 0; i < most && rc == 0 && glimpse->telling.stage != IDLE; i++) {
        rc = tell_one(glimpse);
        glimpse->steps++;
    }
    if (rc != 0) {
        glimpse->telling.stage = IDLE;
        return rc;
    }
    tl_spool_count(glimpse->telling.out);
    return glimpse->telling.stage != IDLE;
}
