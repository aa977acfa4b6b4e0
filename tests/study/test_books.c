/* The books against a list of orders that is searched from end to end, and one fault after another.
 */
#include "touchline/study/books.h"

#include <errno.h>

#include "check.h"
#include "touchline/core/messages.h"

#define ORDERS 400u
#define INSTRUMENTS 3u

typedef struct plain_order {
    uint64_t ref; /* 0: none */
    uint64_t age;
    int64_t price;
    int64_t qty;
    uint32_t instrument;
    uint8_t side;
} plain_order;

static plain_order plain[ORDERS];
static uint64_t ages;

static plain_order *plain_find(uint32_t instrument, uint64_t ref)
{
    for (unsigned i = 0; i < ORDERS; i++)
        if (plain[i].ref == ref && plain[i].instrument == instrument)
            return &plain[i];
    return NULL;
}

static void plain_add(const tl_market_record *record, uint64_t ref, uint8_t side)
{
    for (unsigned i = 0; i < ORDERS; i++) {
        if (plain[i].ref != 0)
            continue;
        plain[i] = (plain_order){ref, ++ages, record->price, record->qty, record->instrument, side};
        return;
    }
    CHECK(!"room");
}

/* What the record does, in the plainest words; it makes sense. */
static void plain_apply(const tl_market_record *record)
{
    plain_order *order = plain_find(record->instrument, record->order_ref);
    switch (record->type) {
    case TL_RECORD_TYPE_ADD:
        plain_add(record, record->order_ref, record->side);
        return;
    case TL_RECORD_TYPE_EXECUTE:
    case TL_RECORD_TYPE_CANCEL:
        order->qty -= record->qty;
        if (order->qty <= 0)
            order->ref = 0;
        return;
    case TL_RECORD_TYPE_DELETE:
        order->ref = 0;
        return;
    case TL_RECORD_TYPE_REPLACE:
        order->ref = 0;
        plain_add(record, record->new_ref, order->side);
        return;
    default: /* MODIFY */
        if (order->price != record->price || record->qty > order->qty)
            order->age = ++ages;
        order->price = record->price;
        order->qty = record->qty;
    }
}

static bool plain_before(const plain_order *a, const plain_order *b)
{
    if (a->price != b->price)
        return (a->price < b->price) == (a->side == TL_SIDE_SELL);
    return a->age < b->age;
}

static void side_is_the_same(const tl_books *books, uint32_t instrument, uint8_t side)
{
    static tl_resting rows[ORDERS];
    static tl_depth_row levels[ORDERS];
    size_t count = tl_books_orders(books, instrument, side, rows, ORDERS);
    size_t level_count = tl_books_depth(books, instrument, side, levels, ORDERS);
    size_t counted = 0;
    for (unsigned i = 0; i < ORDERS; i++)
        counted += plain[i].ref != 0 && plain[i].instrument == instrument && plain[i].side == side;
    CHECK(count == counted);
    const plain_order *last = NULL;
    size_t level = 0;
    tl_depth_row sum = {0};
    for (size_t i = 0; i < count; i++) {
        const plain_order *order = plain_find(instrument, rows[i].order_ref);
        CHECK(order != NULL && order->side == side && rows[i].side == side);
        CHECK(order->price == rows[i].price && order->qty == rows[i].qty);
        CHECK(last == NULL || plain_before(last, order));
        if (last != NULL && last->price != order->price) {
            CHECK(memcmp(&levels[level++], &sum, sizeof sum) == 0);
            sum = (tl_depth_row){0};
        }
        sum.price = order->price;
        sum.qty += order->qty;
        sum.orders++;
        last = order;
    }
    if (last != NULL)
        CHECK(memcmp(&levels[level++], &sum, sizeof sum) == 0);
    CHECK(level == level_count);
}

static tl_market_record random_record(uint64_t *random, uint64_t *refs)
{
    tl_market_record record = {.instrument = (uint32_t)(random_next(random) % INSTRUMENTS)};
    record.side = random_next(random) % 2 ? TL_SIDE_BUY : TL_SIDE_SELL;
    record.qty = (int64_t)(random_next(random) % 50) + 1;
    const plain_order *order = &plain[random_next(random) % ORDERS];
    unsigned open = 0;
    for (unsigned i = 0; i < ORDERS; i++)
        open += plain[i].ref != 0;
    if (order->ref != 0)
        record.side = order->side;
    record.price = (int64_t)(random_next(random) % 40);
    if (record.side == TL_SIDE_BUY)
        record.price = 1 - record.price;
    if (order->ref == 0 || (open < ORDERS / 2 && random_next(random) % 2)) {
        record.type = TL_RECORD_TYPE_ADD;
        record.order_ref = ++*refs;
        return record;
    }
    static const uint8_t types[] = {'E', 'X', 'D', 'U', 'm', 'D'};
    record.type = types[random_next(random) % sizeof types];
    record.instrument = order->instrument;
    record.order_ref = order->ref;
    record.new_ref = ++*refs;
    if (record.type == 'E' || record.type == 'X')
        record.qty = 1 + (int64_t)(random_next(random) % (uint64_t)order->qty);
    return record;
}

static void random_records_leave_the_orders_a_list_has(void)
{
    tl_books *books;
    CHECK(tl_books_open(&books, INSTRUMENTS, ORDERS, 99) == 0);
    uint64_t random = 5;
    uint64_t refs = 0;
    for (unsigned step = 0; step < 60000; step++) {
        tl_market_record record = random_record(&random, &refs);
        bool full = true;
        for (unsigned i = 0; i < ORDERS && full; i++)
            full = plain[i].ref != 0;
        if (full && record.type == TL_RECORD_TYPE_ADD)
            continue;
        plain_apply(&record);
        tl_books_out out = {0};
        CHECK(tl_books_apply(books, &record, 1, &out) == 0);
        if (step % 16 == 0)
            for (uint32_t i = 0; i < INSTRUMENTS; i++) {
                side_is_the_same(books, i, TL_SIDE_BUY);
                side_is_the_same(books, i, TL_SIDE_SELL);
            }
    }
    tl_books_counts counts;
    tl_books_counts_now(books, &counts);
    for (unsigned i = 0; i < TL_BOOKS_FAULT_COUNT; i++)
        CHECK(counts.faults[i] == 0);
    CHECK(counts.crossed > 0 && counts.locked > 0);
    tl_books_close(books);
}

static uint64_t faults_after(tl_books *books, tl_market_record record, int fault)
{
    tl_books_out out = {0};
    CHECK(tl_books_apply(books, &record, 1, &out) == 0);
    tl_books_counts counts;
    tl_books_counts_now(books, &counts);
    return counts.faults[fault];
}

static void what_makes_no_sense_is_counted_by_name(void)
{
    tl_books *books;
    CHECK(tl_books_open(&books, 2, 3, 0) == 0);
    tl_market_record add = {.type = 'A', .side = '1', .qty = 5, .price = 10, .order_ref = 1};
    tl_market_record wrong = add;
    faults_after(books, add, 0);
    CHECK(faults_after(books, add, TL_BOOKS_ORDER_EXISTS) == 1);
    wrong.type = 'z';
    CHECK(faults_after(books, wrong, TL_BOOKS_UNKNOWN_TYPE) == 1);
    wrong = (tl_market_record){.type = 'A', .instrument = 2, .side = '1', .qty = 1};
    CHECK(faults_after(books, wrong, TL_BOOKS_UNKNOWN_INSTRUMENT) == 1);
    wrong = (tl_market_record){.type = 'D', .order_ref = 77};
    CHECK(faults_after(books, wrong, TL_BOOKS_UNKNOWN_ORDER) == 1);
    wrong = (tl_market_record){.type = 'A', .side = 'B', .qty = 1, .order_ref = 2};
    CHECK(faults_after(books, wrong, TL_BOOKS_INVALID_SIDE) == 1);
    wrong = (tl_market_record){.type = 'X', .order_ref = 1, .qty = -3};
    CHECK(faults_after(books, wrong, TL_BOOKS_INVALID_QTY) == 1);
    wrong = (tl_market_record){.type = 'U', .order_ref = 1, .qty = 3, .price = INT64_MIN};
    CHECK(faults_after(books, wrong, TL_BOOKS_INVALID_PRICE) == 1);
    wrong = (tl_market_record){.type = 'l', .side = '1', .qty = 3, .price = 10};
    CHECK(faults_after(books, wrong, TL_BOOKS_NOT_A_LEVEL) == 1);
    wrong = (tl_market_record){.type = 'E', .order_ref = 1, .qty = 6};
    CHECK(faults_after(books, wrong, TL_BOOKS_EXCESS_QTY) == 1);
    for (add.order_ref = 1; add.order_ref <= 4; add.order_ref++)
        faults_after(books, add, 0);
    CHECK(faults_after(books, add, TL_BOOKS_NO_ROOM) == 2);
    wrong = (tl_market_record){.type = 'U', .order_ref = 1, .new_ref = 9, .qty = 3, .price = 11};
    CHECK(faults_after(books, wrong, TL_BOOKS_NO_ROOM) == 2);
    tl_quote quote;
    tl_books_touch(books, 0, &quote);
    CHECK(quote.bid_price == 11 && quote.bid_qty == 3 && quote.ask_qty == 0);
    CHECK(faults_after(books, (tl_market_record){.type = 'c'}, TL_BOOKS_NO_ROOM) == 2);
    tl_books_touch(books, 0, &quote);
    CHECK(quote.bid_qty == 0 && quote.bid_orders == 0);
    tl_books_close(books);
}

static void a_trade_has_the_price_and_side_of_the_order_it_took(void)
{
    tl_books *books;
    CHECK(tl_books_open(&books, 1, 8, 3) == 0);
    const tl_market_record records[] = {
        {.type = 'A', .side = '2', .qty = 5, .price = 12, .order_ref = 1},
        {.type = 'E', .qty = 2, .order_ref = 1, .new_ref = 501},
        {.type = 'E', .qty = 1, .order_ref = 1, .price = 11, .flags = TL_RECORD_FLAG_PRICED},
        {.type = 'P', .side = '1', .qty = 9, .price = 10},
        {.type = 'o'},
    };
    tl_quote quotes[5];
    tl_print prints[5];
    tl_books_out out = {.quotes = quotes, .prints = prints, .every = true};
    CHECK(tl_books_apply(books, records, 5, &out) == 0);
    CHECK(out.prints_count == 3 && out.quotes_count == 5);
    CHECK(prints[0].price == 12 && prints[0].side == TL_SIDE_BUY && prints[0].match == 501);
    CHECK(prints[1].price == 11 && prints[2].price == 10 && prints[2].side == TL_SIDE_SELL);
    CHECK(quotes[0].changed && quotes[2].ask_qty == 2 && !quotes[3].changed && !quotes[4].changed);
    tl_books_close(books);
}

/* Any record, sense or not, of many books: more than a core's own cache holds. */
static tl_market_record stray_record(uint64_t *random, uint64_t newest)
{
    static const uint8_t types[] = "AAAAAEXDUUmlcP";
    const uint64_t bits = random_next(random);
    return (tl_market_record){
        .type = types[bits % 14 == 12 && bits >> 60 != 0 ? 0 : bits % 14],
        .side = (uint8_t)('0' + (bits >> 8) % 20 % 3),
        .instrument = (uint32_t)(bits >> 16) % 2100,
        .order_ref = random_next(random) % newest,
        .new_ref = random_next(random) % newest,
        .price = (int64_t)(bits >> 32) % 64,
        .qty = (int64_t)(bits >> 40) % 50,
    };
}

static void books_applied_in_batches_are_those_applied_one_by_one(void)
{
    enum { BATCH = 1000, BATCHES = 300 };
    static tl_market_record records[BATCH];
    static tl_quote quotes[2][BATCH];
    tl_books *books[2];
    uint64_t random = 8;
    for (int i = 0; i < 2; i++)
        CHECK(tl_books_open(&books[i], 2000, 50000, 5) == 0);
    for (uint64_t batch = 0; batch < BATCHES; batch++) {
        for (int i = 0; i < BATCH; i++)
            records[i] = stray_record(&random, 1 + batch * 2000);
        tl_books_out whole = {.quotes = quotes[0], .every = true};
        CHECK(tl_books_apply(books[0], records, BATCH, &whole) == 0);
        tl_books_out each = {.quotes = quotes[1], .every = true};
        for (int i = 0; i < BATCH; i++)
            CHECK(tl_books_apply(books[1], &records[i], 1, &each) == 0);
        CHECK(memcmp(quotes[0], quotes[1], sizeof quotes[0]) == 0);
    }
    tl_books_counts counts[2];
    for (int i = 0; i < 2; i++)
        tl_books_counts_now(books[i], &counts[i]);
    CHECK(memcmp(&counts[0], &counts[1], sizeof counts[0]) == 0);
    CHECK(counts[0].orders > 30000 && counts[0].levels > 20000);
    for (int i = 0; i < 2; i++)
        tl_books_close(books[i]);
}

static void sizes_that_can_not_be_are_refused(void)
{
    tl_books *books;
    CHECK(tl_books_open(&books, 0, 1, 0) == -EINVAL && tl_books_open(&books, 1, 0, 0) == -EINVAL);
    CHECK(tl_books_open(&books, TL_BOOKS_INSTRUMENTS_MAX + 1, 1, 0) == -EINVAL);
    CHECK(tl_books_open(&books, 1, TL_BOOKS_ORDERS_MAX + 1, 0) == -EINVAL);
}

int main(void)
{
    random_records_leave_the_orders_a_list_has();
    what_makes_no_sense_is_counted_by_name();
    a_trade_has_the_price_and_side_of_the_order_it_took();
    books_applied_in_batches_are_those_applied_one_by_one();
    sizes_that_can_not_be_are_refused();
    return 0;
}
