/* The table of clients' ids against plain arrays: events made up to collide, and those of a real
 * engine under a flow of every kind of command. */
#include <errno.h>

#include "check.h"
#include "touchline/core/client_orders.h"

enum { SLOTS_MOST = 128 };

typedef struct rig {
    tl_client_orders table;
    void *memory;
    size_t bytes;
    uint32_t orders_max;
    /* The plain twin: by slot. */
    tl_client_order naive[SLOTS_MOST];
} rig;

static void rig_open(rig *rig, uint32_t orders_max, uint64_t key)
{
    memset(rig, 0, sizeof *rig);
    rig->orders_max = orders_max;
    rig->bytes = tl_client_orders_bytes(orders_max);
    rig->memory = aligned_alloc(64, (rig->bytes + 63) / 64 * 64);
    CHECK(rig->memory != NULL);
    CHECK(tl_client_orders_open(&rig->table, rig->memory, rig->bytes, orders_max, key) == 0);
}

static uint64_t naive_find(const rig *rig, uint64_t cl_ord_id)
{
    for (uint32_t slot = 0; slot < rig->orders_max; slot++)
        if (cl_ord_id != 0 && rig->naive[slot].cl_ord_id == cl_ord_id)
            return rig->naive[slot].order_id;
    return 0;
}

static int naive_put(rig *rig, uint32_t slot, uint64_t cl_ord_id, uint64_t order_id)
{
    uint64_t holder = naive_find(rig, cl_ord_id);
    if (holder != 0 && TL_ORDER_SLOT(holder) != slot)
        return -EEXIST;
    rig->naive[slot] = (tl_client_order){cl_ord_id, cl_ord_id == 0 ? 0 : order_id};
    return 0;
}

static void naive_end(rig *rig, uint64_t order_id)
{
    tl_client_order *order = &rig->naive[TL_ORDER_SLOT(order_id)];
    if (order->order_id == order_id)
        *order = (tl_client_order){0, 0};
}

/* ── events made up ──────────────────────────────────────────────────────────────────────────── */

/* Ids of which many want the same few places, those at the end of the table among them. */
static uint32_t colliding_ids(const tl_client_orders *table, uint64_t *ids, uint32_t count)
{
    uint32_t found = 0;
    for (uint64_t id = 1; found < count; id++) {
        uint32_t home = tl_client_hash(table, id) & table->mask;
        if (((home + 4) & table->mask) < 8)
            ids[found++] = id;
    }
    return found;
}

static void any_event(rig *rig, uint64_t *seed, const uint64_t *ids, uint32_t ids_count)
{
    uint64_t r = random_next(seed);
    uint32_t slot = (uint32_t)(r >> 8) % rig->orders_max;
    uint64_t held = rig->naive[slot].order_id;
    uint64_t id = (r >> 60) == 0 ? 0 : ids[(uint32_t)(r >> 20) % ids_count];
    uint64_t order_id = (r >> 50 & 7) != 0 && held != 0 ? held : (r >> 40 & 1023) << 32 | slot;
    tl_event event = {.order_id = order_id, .cl_ord_id = id, .leaves_qty = (r >> 45 & 3) != 0};
    int wanted = 0;
    switch (r & 7) {
    case 0:
    case 1:
    case 2:
        event.exec_type = TL_EXEC_TYPE_NEW;
        rig->naive[slot] = (tl_client_order){0, 0};
        wanted = naive_put(rig, slot, id, order_id);
        break;
    case 3:
        event.exec_type = TL_EXEC_TYPE_REPLACED;
        if (event.leaves_qty == 0)
            naive_end(rig, order_id);
        else if (id != 0)
            wanted = naive_put(rig, slot, id, order_id);
        break;
    case 4:
        event.exec_type = r & 8 ? TL_EXEC_TYPE_CANCELED : TL_EXEC_TYPE_EXPIRED;
        naive_end(rig, order_id);
        break;
    case 5:
        event.exec_type = TL_EXEC_TYPE_TRADE;
        event.flags = r & 8 ? TL_FLAG_MAKER_DONE : 0;
        event.contra_order_id = rig->naive[(r >> 30) % rig->orders_max].order_id;
        if (event.flags != 0)
            naive_end(rig, event.contra_order_id);
        if (event.leaves_qty == 0)
            naive_end(rig, order_id);
        break;
    default:
        event.exec_type = r & 8 ? TL_EXEC_TYPE_CANCEL_REJECTED : TL_EXEC_TYPE_REJECTED;
    }
    CHECK(tl_client_orders_apply(&rig->table, &event) == wanted);
}

static void check_same(const rig *rig, const uint64_t *ids, uint32_t ids_count)
{
    static uint64_t found[512];
    uint32_t count = 0;
    uint32_t at = 0;
    tl_client_order order;
    CHECK(ids_count <= 512);
    tl_client_orders_find_batch(&rig->table, ids, found, ids_count);
    for (uint32_t i = 0; i < ids_count; i++) {
        CHECK(found[i] == naive_find(rig, ids[i]));
        CHECK(found[i] == tl_client_orders_find(&rig->table, ids[i]));
    }
    for (uint32_t slot = 0; slot < rig->orders_max; slot++) {
        const tl_client_order *wanted = &rig->naive[slot];
        if (wanted->cl_ord_id == 0)
            continue;
        count++;
        CHECK(tl_client_orders_id(&rig->table, wanted->order_id) == wanted->cl_ord_id);
        CHECK(tl_client_orders_id(&rig->table, wanted->order_id + (UINT64_C(1) << 32)) == 0);
        CHECK(tl_client_orders_next(&rig->table, &at, &order));
        CHECK(memcmp(&order, wanted, sizeof order) == 0);
    }
    CHECK(!tl_client_orders_next(&rig->table, &at, &order) && rig->table.count == count);
    CHECK(tl_client_orders_find(&rig->table, 0) == 0);
}

/* When all has ended the memory is as it was at first: nothing is left that slows a search. */
static void end_all(rig *rig)
{
    for (uint32_t slot = 0; slot < rig->orders_max; slot++) {
        tl_event event = {.exec_type = TL_EXEC_TYPE_CANCELED,
                          .order_id = rig->naive[slot].order_id};
        CHECK(tl_client_orders_apply(&rig->table, &event) == 0);
    }
    CHECK(rig->table.count == 0);
    for (uint32_t at = 0; at <= rig->table.mask; at++)
        CHECK(rig->table.places[at].slot == 0);
    free(rig->memory);
}

static void any_events_leave_what_plain_arrays_have(uint32_t orders_max, uint64_t key, bool collide)
{
    static rig rig;
    uint64_t ids[256];
    uint64_t seed = orders_max + key;
    rig_open(&rig, orders_max, key);
    if (collide)
        CHECK(colliding_ids(&rig.table, ids, 256) == 256);
    for (uint64_t i = 0; i < 256 && !collide; i++)
        ids[i] = i % 2 ? i + 1 : UINT64_MAX - i;
    for (int i = 0; i < 500000; i++) {
        any_event(&rig, &seed, ids, 256);
        if (i % 1000 == 0)
            check_same(&rig, ids, 256);
    }
    check_same(&rig, ids, 256);
    end_all(&rig);
}

static void memory_that_does_not_do_is_refused(void)
{
    static _Alignas(64) char memory[4096];
    tl_client_orders table;
    size_t bytes = tl_client_orders_bytes(10);
    CHECK(bytes == 32 * 8 + 10 * 16 && bytes <= sizeof memory);
    CHECK(tl_client_orders_bytes(0) == 0 && tl_client_orders_bytes((1u << 26) + 1) == 0);
    CHECK(tl_client_orders_bytes(1u << 26) == (UINT64_C(1) << 27) * 8 + (UINT64_C(1) << 26) * 16);
    CHECK(tl_client_orders_open(&table, memory, bytes - 1, 10, 0) == -EINVAL);
    CHECK(tl_client_orders_open(&table, memory + 8, bytes, 10, 0) == -EINVAL);
    CHECK(tl_client_orders_open(&table, NULL, bytes, 10, 0) == -EINVAL);
    CHECK(tl_client_orders_open(&table, memory, bytes, 0, 0) == -EINVAL);
    CHECK(tl_client_orders_open(&table, memory, bytes, 10, 0) == 0);
    tl_event event = {.exec_type = TL_EXEC_TYPE_NEW, .order_id = 10, .cl_ord_id = 1};
    CHECK(tl_client_orders_apply(&table, &event) == -ERANGE);
    event.exec_type = TL_EXEC_TYPE_CANCELED;
    CHECK(tl_client_orders_apply(&table, &event) == 0);
    CHECK(tl_client_orders_id(&table, UINT64_MAX) == 0 && table.count == 0);
}

/* ── a real engine's events ──────────────────────────────────────────────────────────────────── */

enum { EVENTS = 4096, OPEN_MOST = 1000, ACCOUNTS = 3 };

typedef struct venue {
    tl_engine *engine;
    tl_event_sink sink;
    tl_client_orders table, copy;
    uint64_t ids[OPEN_MOST]; /* by slot, as NEW and REPLACED told them */
} venue;

static void venue_open(venue *venue, void *memory, size_t bytes)
{
    static tl_event slots[EVENTS];
    const tl_engine_capacities capacities = {2, ACCOUNTS, OPEN_MOST, 16, 64};
    CHECK(tl_engine_open(&venue->engine, &capacities) == 0);
    CHECK(tl_engine_sink_slots(venue->engine) <= EVENTS);
    CHECK(tl_client_orders_open(&venue->table, memory, bytes, OPEN_MOST, 99) == 0);
    venue->sink = (tl_event_sink){slots, EVENTS - 1, 0};
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        tl_command list = {.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = (uint16_t)i};
        tl_command account = {.type = TL_MSG_TYPE_ACCOUNT, .account = i};
        tl_engine_step(venue->engine, &list, &venue->sink);
        tl_engine_step(venue->engine, &account, &venue->sink);
    }
}

/* Cancels and replaces name the order as a client does; its OrderID comes from the table. */
static tl_command any_command(const venue *venue, uint64_t *seed, uint64_t cl_ord_id)
{
    uint64_t r = random_next(seed);
    tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                      .cl_ord_id = cl_ord_id,
                      .account = (uint32_t)(r >> 8) % ACCOUNTS,
                      .instrument = r >> 12 & 1,
                      .side = r >> 13 & 1 ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .ord_type = TL_ORD_TYPE_LIMIT,
                      .time_in_force = (uint8_t)"0011134"[(r >> 16) % 7],
                      .price = 95 + (int64_t)(r >> 20) % 11,
                      .qty = (int64_t)(r >> 30) % 40};
    uint64_t meant = venue->ids[(r >> 40) % OPEN_MOST];
    if ((r & 127) == 0) {
        cmd.type = TL_MSG_TYPE_MASS_CANCEL;
        cmd.flags = r & 128 ? TL_FLAG_EXPIRE : 0;
        cmd.time_in_force = 0;
    } else if ((r & 3) == 0 && meant != 0) {
        cmd.type = r & 4 ? TL_MSG_TYPE_CANCEL : TL_MSG_TYPE_REPLACE;
        cmd.order_id = tl_client_orders_find(&venue->table, meant);
        if (cmd.type == TL_MSG_TYPE_REPLACE && (r & 24) == 0)
            cmd.cl_ord_id = 0;
        tl_order_view view;
        if (tl_engine_order(venue->engine, cmd.order_id, &view))
            cmd.account = view.account;
    }
    return cmd;
}

static void note_ids(venue *venue, uint64_t first)
{
    for (uint64_t i = first; i < venue->sink.next; i++) {
        const tl_event *event = &venue->sink.slots[i & venue->sink.mask];
        uint32_t slot = TL_ORDER_SLOT(event->order_id);
        if (event->exec_type == TL_EXEC_TYPE_NEW)
            venue->ids[slot] = event->cl_ord_id;
        else if (event->exec_type == TL_EXEC_TYPE_REPLACED && event->cl_ord_id != 0)
            venue->ids[slot] = event->cl_ord_id;
    }
}

/* The table has the orders that are open, each under the id told last, and nothing else. */
static void check_open(const venue *venue)
{
    static tl_order_view views[OPEN_MOST];
    const tl_orders_filter all = {TL_ACCOUNT_ALL, TL_INSTRUMENT_ALL, 0, 0};
    uint32_t slot = 0;
    uint32_t count = tl_engine_orders_scan(venue->engine, &all, &slot, views, OPEN_MOST);
    CHECK(count == tl_engine_orders_open(venue->engine) && count == venue->table.count);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t id = tl_client_orders_id(&venue->table, views[i].order_id);
        CHECK(id != 0 && id == venue->ids[TL_ORDER_SLOT(views[i].order_id)]);
        CHECK(tl_client_orders_find(&venue->table, id) == views[i].order_id);
    }
}

/* As after a restart: a new table of what the old one lists. */
static void check_copied(venue *venue, void *memory, size_t bytes)
{
    uint32_t at = 0;
    tl_client_order order;
    CHECK(tl_client_orders_open(&venue->copy, memory, bytes, OPEN_MOST, 7) == 0);
    while (tl_client_orders_next(&venue->table, &at, &order)) {
        CHECK(tl_client_orders_put(&venue->copy, &order) == 0);
        order.order_id ^= 1;
        CHECK(tl_client_orders_put(&venue->copy, &order) == -EEXIST);
    }
    CHECK(venue->copy.count == venue->table.count);
    for (at = 0; tl_client_orders_next(&venue->table, &at, &order);)
        CHECK(tl_client_orders_find(&venue->copy, order.cl_ord_id) == order.order_id);
}

static void fills_cancels_expiries_and_replaces_keep_it_right(void)
{
    static venue venue;
    uint64_t seed = 5;
    size_t bytes = (tl_client_orders_bytes(OPEN_MOST) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    void *other = aligned_alloc(64, bytes);
    uint32_t most = 0;
    CHECK(memory != NULL && other != NULL);
    venue_open(&venue, memory, bytes);
    for (uint64_t i = 1; i <= 200000; i++) {
        tl_command cmd = any_command(&venue, &seed, i);
        uint64_t first = venue.sink.next;
        tl_engine_step(venue.engine, &cmd, &venue.sink);
        CHECK(tl_client_orders_follow(&venue.table, &venue.sink, first) == 0);
        note_ids(&venue, first);
        if (venue.table.count > most)
            most = venue.table.count;
        if (i % 97 == 0)
            check_open(&venue);
        if (i % 5000 == 0)
            check_copied(&venue, other, bytes);
    }
    CHECK(most > 50);
    tl_engine_close(venue.engine);
    free(memory);
    free(other);
}

int main(void)
{
    memory_that_does_not_do_is_refused();
    any_events_leave_what_plain_arrays_have(1, 0, false);
    any_events_leave_what_plain_arrays_have(7, 3, true);
    any_events_leave_what_plain_arrays_have(64, 0, true);
    any_events_leave_what_plain_arrays_have(SLOTS_MOST, 12345, false);
    any_events_leave_what_plain_arrays_have(SLOTS_MOST, 0, true);
    fills_cancels_expiries_and_replaces_keep_it_right();
    return 0;
}
