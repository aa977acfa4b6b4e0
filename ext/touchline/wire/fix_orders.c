/* Orders and requests. fix_orders.h says what is kept. */
#define _GNU_SOURCE
#include "touchline/wire/fix_orders.h"
#include "touchline/wire/fix_orders_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PART_FULL 384u
#define DEPTH_MAX 26u
#define NUMBERS_MAX (1u << 24)
#define EARLIER_MIN 4u

void tl_fix_request_hash(const tl_fix_orders *orders, uint32_t session, const char *cl_ord_id,
                         size_t size, uint64_t hash[2])
{
    tl_fix_keyed_hash(orders->key, session, cl_ord_id, size, hash);
}

/* The table */

static part **directory_place(const tl_fix_orders *orders, uint64_t hash)
{
    return &orders->directory[orders->depth == 0 ? 0 : hash >> (64 - orders->depth)];
}

/* The place of this hash in a part, or the free one where it would be. */
static tl_fix_request *place_in(part *of, const uint64_t hash[2])
{
    uint32_t at = (uint32_t)hash[1] % PART;
    while (of->places[at].state != 0 &&
           (of->places[at].hash[0] != hash[0] || of->places[at].hash[1] != hash[1]))
        at = (at + 1) % PART;
    return &of->places[at];
}

static int directory_double(tl_fix_orders *orders)
{
    const size_t count = (size_t)1 << orders->depth;
    if (orders->depth == DEPTH_MAX)
        return -ENOMEM;
    part **wide = malloc(2 * count * sizeof *wide);
    if (wide == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        wide[2 * i] = wide[2 * i + 1] = orders->directory[i];
    free(orders->directory);
    orders->directory = wide;
    orders->depth++;
    return 0;
}

/* Half of a full part moves to a new one. */
static int part_split(tl_fix_orders *orders, part *full, uint64_t hash)
{
    if (full->depth == orders->depth && directory_double(orders) != 0)
        return -ENOMEM;
    part *halves[2] = {calloc(1, sizeof(part)), calloc(1, sizeof(part))};
    if (halves[0] == NULL || halves[1] == NULL) {
        free(halves[0]);
        free(halves[1]);
        return -ENOMEM;
    }
    const uint32_t depth = full->depth + 1;
    for (uint32_t i = 0; i < PART; i++) {
        const tl_fix_request *moved = &full->places[i];
        if (moved->state == 0)
            continue;
        part *half = halves[moved->hash[0] >> (64 - depth) & 1];
        *place_in(half, moved->hash) = *moved;
        half->count++;
    }
    const uint32_t span = orders->depth - full->depth; /* bits that choose among its places */
    const size_t first = (hash >> (64 - orders->depth)) >> span << span;
    for (size_t i = 0; i < (size_t)1 << span; i++)
        orders->directory[first + i] = halves[i >> (span - 1) & 1];
    halves[0]->depth = halves[1]->depth = depth;
    free(full);
    return 0;
}

tl_fix_request *tl_fix_request_find(const tl_fix_orders *orders, const uint64_t hash[2])
{
    tl_fix_request *found = place_in(*directory_place(orders, hash[0]), hash);
    return found->state != 0 ? found : NULL;
}

bool tl_fix_request_holds(const tl_fix_orders *orders, const tl_fix_request *request,
                          tl_fix_scope scope)
{
    if (scope == TL_FIX_SCOPE_EVER || request->state == TL_FIX_REQUEST_PENDING ||
        (scope == TL_FIX_SCOPE_DAY && request->day == orders->day))
        return true;
    return request->state == TL_FIX_REQUEST_ACCEPTED && request->order != TL_FIX_NO_ROW &&
           tl_fix_order_at(orders, request->order)->leaves_qty != 0;
}

void tl_fix_orders_day_over(tl_fix_orders *orders)
{
    orders->day++;
}

/* The place for a request, free or with an older one of the same ClOrdID; NULL: no memory. */
static tl_fix_request *place_for(tl_fix_orders *orders, const uint64_t hash[2])
{
    for (;;) {
        part *of = *directory_place(orders, hash[0]);
        tl_fix_request *place = place_in(of, hash);
        if (place->state != 0)
            return place;
        if (of->count < PART_FULL) {
            of->count++;
            return place;
        }
        if (part_split(orders, of, hash[0]) != 0)
            return NULL;
    }
}

/* Routes */

int tl_fix_route_keep(tl_fix_orders *orders, const tl_fix_route *route, uint32_t *place)
{
    *place = TL_FIX_NO_ROW;
    if (route->size == 0)
        return 0;
    *place = row_take(&orders->routes);
    if (*place == TL_FIX_NO_ROW)
        return -ENOMEM;
    *(tl_fix_route *)row_at(&orders->routes, *place) = *route;
    return 0;
}

const tl_fix_route *tl_fix_route_at(const tl_fix_orders *orders, uint32_t place)
{
    return place == TL_FIX_NO_ROW ? NULL : row_at(&orders->routes, place);
}

static void route_drop(tl_fix_orders *orders, uint32_t *place)
{
    if (*place != TL_FIX_NO_ROW)
        row_drop(&orders->routes, *place);
    *place = TL_FIX_NO_ROW;
}

/* Orders */

uint32_t tl_fix_order_add(tl_fix_orders *orders)
{
    const uint32_t row = row_add(&orders->orders);
    if (row != TL_FIX_NO_ROW) {
        tl_fix_order *order = tl_fix_order_at(orders, row);
        order->name = order->route = TL_FIX_NO_ROW;
    }
    return row;
}

uint32_t tl_fix_orders_count(const tl_fix_orders *orders)
{
    return orders->orders.count;
}

tl_fix_order *tl_fix_order_at(const tl_fix_orders *orders, uint32_t row)
{
    return row_at(&orders->orders, row);
}

/* Places for slots up to this one and as many again. */
static int slots_widen(tl_fix_orders *orders, uint32_t last)
{
    const uint32_t wanted = 2 * ((last | 1023u) + 1);
    slot *grown = last > 1u << 26 ? NULL
                                  : realloc(orders->of_slot, (size_t)wanted * sizeof *grown);
    if (grown == NULL)
        return -ENOMEM;
    memset(grown + orders->slots, 0, (wanted - orders->slots) * sizeof *grown);
    orders->of_slot = grown;
    orders->slots = wanted;
    return 0;
}

int tl_fix_order_accepted(tl_fix_orders *orders, uint32_t row)
{
    const uint32_t number = TL_ORDER_SLOT(tl_fix_order_at(orders, row)->order_id);
    if (number >= orders->slots && slots_widen(orders, number) != 0)
        return -ENOMEM;
    slot *of = &orders->of_slot[number];
    if (of->last != 0) {
        const bool full = of->count >= EARLIER_MIN && (of->count & (of->count - 1)) == 0;
        if (full || of->count == 0) {
            const size_t room = of->count == 0 ? EARLIER_MIN : 2 * (size_t)of->count;
            uint32_t *grown = realloc(of->earlier, room * sizeof *grown);
            if (grown == NULL)
                return -ENOMEM;
            of->earlier = grown;
        }
        of->earlier[of->count++] = of->last - 1;
    }
    of->last = row + 1;
    return 0;
}

uint32_t tl_fix_order_of(const tl_fix_orders *orders, uint64_t order_id)
{
    const uint32_t number = TL_ORDER_SLOT(order_id);
    if (order_id == 0 || number >= orders->slots || orders->of_slot[number].last == 0)
        return TL_FIX_NO_ROW;
    const slot *of = &orders->of_slot[number];
    if (tl_fix_order_at(orders, of->last - 1)->order_id == order_id)
        return of->last - 1;
    uint32_t low = 0, high = of->count; /* OrderIDs of a slot go up */
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (tl_fix_order_at(orders, of->earlier[middle])->order_id < order_id)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == of->count || tl_fix_order_at(orders, of->earlier[low])->order_id != order_id)
        return TL_FIX_NO_ROW;
    return of->earlier[low];
}

uint32_t tl_fix_order_slots(const tl_fix_orders *orders)
{
    return orders->slots;
}

uint32_t tl_fix_order_in_slot(const tl_fix_orders *orders, uint32_t number)
{
    const uint32_t last = orders->of_slot[number].last;
    return last != 0 ? last - 1 : TL_FIX_NO_ROW;
}

int tl_fix_order_call(tl_fix_orders *orders, uint32_t row, const tl_fix_cl_ord_id *name)
{
    tl_fix_order *order = tl_fix_order_at(orders, row);
    if (order->name == TL_FIX_NO_ROW)
        order->name = row_take(&orders->names);
    if (order->name == TL_FIX_NO_ROW)
        return -ENOMEM;
    *(tl_fix_cl_ord_id *)row_at(&orders->names, order->name) = *name;
    return 0;
}

const tl_fix_cl_ord_id *tl_fix_order_name(const tl_fix_orders *orders, uint32_t row)
{
    static const tl_fix_cl_ord_id none = {0};
    const uint32_t name = tl_fix_order_at(orders, row)->name;
    return name == TL_FIX_NO_ROW ? &none : row_at(&orders->names, name);
}

const tl_fix_route *tl_fix_order_route(const tl_fix_orders *orders, uint32_t row)
{
    return tl_fix_route_at(orders, tl_fix_order_at(orders, row)->route);
}

void tl_fix_order_over(tl_fix_orders *orders, uint32_t row)
{
    route_drop(orders, &tl_fix_order_at(orders, row)->route);
    uint32_t *place = &orders->over[orders->over_count++ % TL_FIX_OVER_NAMED];
    if (*place != 0) {
        tl_fix_order *oldest = tl_fix_order_at(orders, *place - 1);
        if (oldest->name != TL_FIX_NO_ROW)
            row_drop(&orders->names, oldest->name);
        oldest->name = TL_FIX_NO_ROW;
    }
    *place = row + 1;
}

/* Pending requests */

static uint32_t *number_place(const tl_fix_orders *orders, uint64_t number)
{
    return &orders->of_number[(uint32_t)number & orders->number_mask];
}

/* Numbers follow one another, so a table that spans those that are pending needs no search. */
static int numbers_widen(tl_fix_orders *orders)
{
    const uint32_t mask = 2 * orders->number_mask + 1;
    uint32_t *wide = mask >= NUMBERS_MAX ? NULL : calloc((size_t)mask + 1, sizeof *wide);
    if (wide == NULL)
        return -ENOMEM;
    for (uint32_t i = 0; i <= orders->number_mask; i++) {
        const uint32_t held = orders->of_number[i];
        if (held != 0)
            wide[(uint32_t)tl_fix_pending_at(orders, held - 1)->number & mask] = held;
    }
    free(orders->of_number);
    orders->of_number = wide;
    orders->number_mask = mask;
    return 0;
}

static void queue_in(tl_fix_orders *orders, uint32_t place)
{
    tl_fix_pending *pending = row_at(&orders->pending, place);
    tl_fix_queue *queue = &orders->queues[pending->session];
    pending->before = queue->last;
    pending->after = TL_FIX_NO_ROW;
    if (queue->last != TL_FIX_NO_ROW)
        ((tl_fix_pending *)row_at(&orders->pending, queue->last))->after = place;
    else
        queue->first = place;
    queue->last = place;
    queue->count++;
}

static void queue_out(tl_fix_orders *orders, const tl_fix_pending *pending)
{
    tl_fix_queue *queue = &orders->queues[pending->session];
    if (pending->before != TL_FIX_NO_ROW)
        ((tl_fix_pending *)row_at(&orders->pending, pending->before))->after = pending->after;
    else
        queue->first = pending->after;
    if (pending->after != TL_FIX_NO_ROW)
        ((tl_fix_pending *)row_at(&orders->pending, pending->after))->before = pending->before;
    else
        queue->last = pending->before;
    queue->count--;
}

/* A change of an order is with the engine, or is no more. */
static void count_change(tl_fix_orders *orders, const tl_fix_pending *pending, bool entered)
{
    if (pending->msg_type == TL_MSG_TYPE_NEW_ORDER || pending->order == TL_FIX_NO_ROW)
        return;
    tl_fix_order *order = tl_fix_order_at(orders, pending->order);
    const bool cancels = pending->msg_type == TL_MSG_TYPE_CANCEL;
    if (entered && order->changes < UINT16_MAX)
        order->changes++;
    else if (!entered && order->changes > 0)
        order->changes--;
    if (cancels && entered && order->cancels < INT16_MAX)
        order->cancels++;
    else if (cancels && !entered && order->cancels > 0)
        order->cancels--;
}

static bool is_orphan(const tl_fix_pending *pending)
{
    return pending->order == TL_FIX_NO_ROW && pending->order_id != 0;
}

void tl_fix_pending_adopt(tl_fix_orders *orders, uint32_t row)
{
    const tl_fix_order *order = tl_fix_order_at(orders, row);
    uint32_t place = orders->orphans == 0 ? TL_FIX_NO_ROW : orders->queues[order->session].first;
    while (place != TL_FIX_NO_ROW) {
        tl_fix_pending *pending = row_at(&orders->pending, place);
        if (is_orphan(pending) && pending->order_id == order->order_id) {
            pending->order = row;
            orders->orphans--;
            count_change(orders, pending, true);
        }
        place = pending->after;
    }
}

int tl_fix_request_enter(tl_fix_orders *orders, const tl_fix_pending *pending)
{
    while (*number_place(orders, pending->number) != 0)
        if (numbers_widen(orders) != 0)
            return -ENOMEM;
    tl_fix_request *request = place_for(orders, pending->hash);
    const uint32_t place = request == NULL ? TL_FIX_NO_ROW : row_take(&orders->pending);
    if (place == TL_FIX_NO_ROW)
        return -ENOMEM;
    *request = (tl_fix_request){.hash = {pending->hash[0], pending->hash[1]},
                                .order = pending->order,
                                .msg_type = pending->msg_type,
                                .state = TL_FIX_REQUEST_PENDING};
    *(tl_fix_pending *)row_at(&orders->pending, place) = *pending;
    count_change(orders, pending, true);
    orders->orphans += is_orphan(pending);
    *number_place(orders, pending->number) = place + 1;
    queue_in(orders, place);
    return 0;
}

tl_fix_pending *tl_fix_request_pending(const tl_fix_orders *orders, uint64_t number)
{
    const uint32_t held = *number_place(orders, number);
    if (held == 0)
        return NULL;
    tl_fix_pending *pending = row_at(&orders->pending, held - 1);
    return pending->number == number ? pending : NULL;
}

void tl_fix_request_answered(tl_fix_orders *orders, tl_fix_pending *pending, uint32_t row,
                             tl_fix_request_state state)
{
    uint32_t *place = number_place(orders, pending->number);
    tl_fix_request *request = tl_fix_request_find(orders, pending->hash);
    if (request != NULL) {
        request->order = row;
        request->state = (uint8_t)state;
        request->day = orders->day;
    }
    const bool takes_over =
        state == TL_FIX_REQUEST_ACCEPTED || pending->msg_type == TL_MSG_TYPE_NEW_ORDER;
    if (takes_over && row != TL_FIX_NO_ROW) {
        tl_fix_order *order = tl_fix_order_at(orders, row);
        route_drop(orders, &order->route);
        order->route = pending->route;
    } else {
        route_drop(orders, &pending->route);
    }
    count_change(orders, pending, false);
    orders->orphans -= is_orphan(pending);
    queue_out(orders, pending);
    row_drop(&orders->pending, *place - 1);
    *place = 0;
}

const tl_fix_queue *tl_fix_request_queue(const tl_fix_orders *orders, uint32_t session)
{
    return &orders->queues[session];
}

const tl_fix_pending *tl_fix_pending_at(const tl_fix_orders *orders, uint32_t place)
{
    return row_at(&orders->pending, place);
}

/* From nothing, and to it */

int tl_fix_orders_open(tl_fix_orders **out, uint32_t sessions_max, uint32_t orders_max)
{
    tl_fix_orders *orders = calloc(1, sizeof *orders);
    if (orders == NULL)
        return -ENOMEM;
    orders->orders = (rows){.width = sizeof(tl_fix_order), .free = TL_FIX_NO_ROW};
    orders->names = (rows){.width = sizeof(tl_fix_cl_ord_id), .free = TL_FIX_NO_ROW};
    orders->routes = (rows){.width = sizeof(tl_fix_route), .free = TL_FIX_NO_ROW};
    orders->pending = (rows){.width = sizeof(tl_fix_pending), .free = TL_FIX_NO_ROW};
    orders->directory = calloc(1, sizeof *orders->directory);
    orders->of_slot = calloc(orders_max, sizeof *orders->of_slot);
    orders->number_mask = 1023;
    orders->of_number = calloc(1024, sizeof *orders->of_number);
    orders->queues = calloc(sessions_max, sizeof *orders->queues);
    orders->slots = orders_max;
    orders->sessions_max = sessions_max;
    if (orders->directory != NULL)
        orders->directory[0] = calloc(1, sizeof(part));
    int rc = 0;
    if (orders->directory == NULL || orders->directory[0] == NULL || orders->of_slot == NULL ||
        orders->of_number == NULL || orders->queues == NULL)
        rc = -ENOMEM;
    else if (getrandom(orders->key, sizeof orders->key, 0) != sizeof orders->key)
        rc = -EIO;
    for (uint32_t i = 0; rc == 0 && i < sessions_max; i++)
        orders->queues[i].first = orders->queues[i].last = TL_FIX_NO_ROW;
    if (rc != 0) {
        tl_fix_orders_close(orders);
        return rc;
    }
    *out = orders;
    return 0;
}

void tl_fix_orders_close(tl_fix_orders *orders)
{
    if (orders == NULL)
        return;
    const size_t count = orders->directory == NULL ? 0 : (size_t)1 << orders->depth;
    for (size_t i = 0; i < count;) {
        part *of = orders->directory[i];
        i += of == NULL ? 1 : (size_t)1 << (orders->depth - of->depth);
        free(of);
    }
    rows_close(&orders->orders);
    rows_close(&orders->names);
    rows_close(&orders->routes);
    rows_close(&orders->pending);
    free(orders->directory);
    for (uint32_t i = 0; orders->of_slot != NULL && i < orders->slots; i++)
        free(orders->of_slot[i].earlier);
    free(orders->of_slot);
    free(orders->of_number);
    free(orders->queues);
    free(orders);
}
