/* The invariants of a command's events: numbered, within their bound, and no lot lost or made. */
#include "touchline/core/invariants.h"

#include <assert.h>

#include "touchline/core/book.h"

/* The events of one command, in the sink. */
typedef struct answer {
    const tl_event_sink *sink;
    uint64_t first;
    uint64_t count;
} answer;

static const tl_event *event_at(const answer *a, uint64_t i)
{
    return &a->sink->slots[(a->first + i) & a->sink->mask];
}

/* Rules 1.1 and 1.2. */
static void check_numbers(const tl_engine *engine, const tl_command *cmd, const answer *a,
                          const tl_before *before)
{
    assert(engine->state->event_seq == before->event_seq + a->count);
    assert(a->count <= before->events_bound);
    assert((a->count == 0) == (cmd->type == TL_MSG_TYPE_TEXT || cmd->type == TL_MSG_TYPE_TERMS));
    for (uint64_t i = 0; i < a->count && i <= a->sink->mask; i++) {
        const tl_event *event = event_at(a, a->count - 1 - i);
        assert(event->seq == engine->state->event_seq - i);
        assert(event->ts_ns == cmd->ts_ns);
    }
}

/* Rule 1.3: a refusal stands alone, and the state is what it was but for the event's number. */
static void check_refusal(const tl_engine *engine, const answer *a, const tl_before *before)
{
    assert(a->count == 1 && event_at(a, 0)->reason != TL_REASON_NONE);
    if (before->hash == 0 || a->first != before->sink_next)
        return;
    engine->state->event_seq--;
    assert(tl_engine_hash(engine) == before->hash);
    engine->state->event_seq++;
}

/* An event that both orders have less by. */
static bool tells_both(const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_TRADE || event->exec_type == TL_EXEC_TYPE_DECREMENTED;
}

static bool is_as_good(const tl_event *taken, int64_t price, int64_t limit)
{
    return taken->side == TL_SIDE_BUY ? price <= limit : price >= limit;
}

/* Section 8: of the command's own order, among those that it moves, what was open was traded, taken
 * off or is open still. */
static void check_conserved_among_specials(const tl_engine *engine, const answer *a)
{
    const tl_event *accepted = event_at(a, 0);
    uint32_t leaves = accepted->leaves_qty;
    for (uint64_t i = 1; i < a->count; i++) {
        const tl_event *event = event_at(a, i);
        bool traded = tells_both(event);
        if (traded && event->contra_order_id == accepted->order_id)
            leaves -= event->qty;
        if (event->order_id != accepted->order_id)
            continue;
        if (event->exec_type == TL_EXEC_TYPE_REPLACED) { /* rule 12.3 */
            assert(event->reason == TL_REASON_LINKED && event->leaves_qty < leaves);
            leaves = event->leaves_qty;
        }
        if (traded || event->exec_type == TL_EXEC_TYPE_CANCELED)
            leaves -= event->qty;
        assert(event->leaves_qty == leaves);
    }
    uint32_t slot = tl_order_find(&engine->shelf, accepted->order_id);
    assert((slot != TL_NONE) == (leaves > 0));
    assert(slot == TL_NONE || tl_order_leaves(&engine->shelf, slot) == leaves);
}

/* Sections 3 and 4: from NEW or REPLACED on, what was open was traded, taken off or rests. */
static void check_conserved(const tl_engine *engine, const answer *a, uint32_t executed)
{
    const tl_event *accepted = event_at(a, 0);
    assert(accepted->qty >= 1 && accepted->leaves_qty + executed == accepted->qty);
    uint32_t leaves = accepted->leaves_qty;
    int64_t last = 0;
    if ((accepted->flags & TL_FLAG_SPECIAL) != 0) {
        check_conserved_among_specials(engine, a);
        return;
    }
    for (uint64_t i = 1; i < a->count; i++) {
        const tl_event *event = event_at(a, i);
        assert(event->order_id == accepted->order_id && event->account == accepted->account);
        assert(event->qty >= 1 && event->qty <= leaves);
        leaves -= event->qty;
        assert(event->leaves_qty == leaves);
        if (event->exec_type != TL_EXEC_TYPE_TRADE) {
            assert(event->exec_type == TL_EXEC_TYPE_CANCELED && i == a->count - 1 && leaves == 0);
            continue;
        }
        assert(event->ord_type == TL_ORD_TYPE_MARKET ||
               is_as_good(accepted, event->price, accepted->price));
        assert(last == 0 || is_as_good(accepted, last, event->price));
        last = event->price;
    }
    uint32_t slot = tl_order_find(&engine->shelf, accepted->order_id);
    assert((slot != TL_NONE) == (leaves > 0));
    assert(slot == TL_NONE || engine->shelf.orders[slot].leaves_qty == leaves);
}

/* Rule 12.4: an order that ends with another which does. */
static bool ends_with_parent(const tl_event *event)
{
    return event->exec_type == TL_EXEC_TYPE_CANCELED && event->reason == TL_REASON_LINKED;
}

/* Rule 4.6: as many as it says, and of each the whole. */
static void check_mass_cancel(const answer *a, const tl_command *cmd)
{
    bool expire = (cmd->flags & TL_FLAG_EXPIRE) != 0;
    uint64_t others = 0;
    for (uint64_t i = 0; i + 1 < a->count; i++) {
        const tl_event *event = event_at(a, i);
        bool other = ends_with_parent(event);
        assert(other ||
               event->exec_type == (expire ? TL_EXEC_TYPE_EXPIRED : TL_EXEC_TYPE_CANCELED));
        assert(event->qty >= 1 && event->leaves_qty == 0);
        others += other;
    }
    assert(event_at(a, a->count - 1)->exec_type == TL_EXEC_TYPE_MASS_CANCELED);
    assert(event_at(a, a->count - 1)->qty == a->count - 1 - others);
}

/* Rule 9.5: the lots that it says trade, at the one price, before anything else happens. */
static void check_uncross(const answer *a)
{
    int64_t left = 0, price = 0;
    for (uint64_t i = 1; i < a->count; i++) {
        const tl_event *event = event_at(a, i);
        if (event->exec_type == TL_EXEC_TYPE_UNCROSSED) {
            assert(i == 1);
            price = event->price;
            left = event->volume;
            assert((price == 0) == (left == 0));
        } else if (left > 0) {
            assert(event->exec_type == TL_EXEC_TYPE_TRADE && event->price == price);
            left -= event->qty;
        }
    }
    assert(left == 0);
}

/* Orders there are: those there were, those that came, without those that ended. */
static void check_orders(const tl_engine *engine, const answer *a, const tl_before *before)
{
    uint64_t open = before->orders_open;
    for (uint64_t i = 0; i < a->count; i++) {
        const tl_event *event = event_at(a, i);
        bool traded = tells_both(event);
        bool about_order = traded || event->exec_type == TL_EXEC_TYPE_REPLACED ||
                           event->exec_type == TL_EXEC_TYPE_CANCELED ||
                           event->exec_type == TL_EXEC_TYPE_EXPIRED;
        open += event->exec_type == TL_EXEC_TYPE_NEW;
        open -= about_order && event->leaves_qty == 0;
        open -= traded && (event->flags & TL_FLAG_MAKER_DONE) != 0;
    }
    assert(engine->shelf.pools->orders_open == open);
}

/* Rule 8.10: what was past its time comes before the answer itself. */
static void pass_expired(answer *a)
{
    while (a->count > 1 && (event_at(a, 0)->exec_type == TL_EXEC_TYPE_EXPIRED ||
                            ends_with_parent(event_at(a, 0)))) {
        assert(event_at(a, 0)->qty >= 1 && event_at(a, 0)->leaves_qty == 0);
        assert(event_at(a, 0)->cl_ord_id == 0);
        a->first++;
        a->count--;
    }
}

void tl_invariants_answer(const tl_engine *engine, const tl_command *cmd,
                          const tl_event_sink *sink, const tl_before *before)
{
    answer a = {sink, before->sink_next, sink->next - before->sink_next};
    check_numbers(engine, cmd, &a, before);
    if (a.count == 0 || a.count > sink->mask + 1)
        return;
    check_orders(engine, &a, before);
    if (cmd->type != TL_MSG_TYPE_MASS_CANCEL)
        pass_expired(&a);
    switch (event_at(&a, 0)->exec_type) {
    case TL_EXEC_TYPE_REJECTED:
    case TL_EXEC_TYPE_CANCEL_REJECTED:
        check_refusal(engine, &a, before);
        break;
    case TL_EXEC_TYPE_NEW:
        check_conserved(engine, &a, 0);
        break;
    case TL_EXEC_TYPE_REPLACED:
        check_conserved(engine, &a, before->executed);
        break;
    case TL_EXEC_TYPE_SECURITY_STATUS:
        check_uncross(&a);
        break;
    default:
        if (cmd->type == TL_MSG_TYPE_MASS_CANCEL)
            check_mass_cancel(&a, cmd);
        for (uint64_t i = 1; i < a.count && cmd->type != TL_MSG_TYPE_MASS_CANCEL; i++)
            assert(ends_with_parent(event_at(&a, i)));
    }
}
