/* The invariants of the state: what every file of the core relies on in what the others leave. */
#include "touchline/core/invariants.h"

#include <assert.h>

#include "touchline/core/linked.h"
#include "touchline/core/phases.h"

/* Of the state, in orders, positions, instruments …: so much is looked at for each command. */
#define LOOKED_AT_PER_COMMAND 1024u

/* What walking all books has found. */
typedef struct found {
    uint64_t orders;
    uint64_t blocks;
    uint64_t nodes;
    uint64_t open; /* lots of all orders, each side of a position weighted by a number of its own */
    uint64_t specials;
    uint64_t wholes;
    uint64_t trailing;
    uint64_t chain;
    uint64_t collected;
} found;

#define HELD 2u /* none of the flags that say why an order stands apart */

/* One of the books of an instrument. */
typedef struct where {
    const tl_book *book;
    uint32_t instrument;
    bool shown;   /* for all to see */
    uint8_t wait;  /* the side of the orders that stand apart there; 0: they do not */
    uint8_t apart; /* and why: TL_WAITING, TL_COLLECTED, TL_PARKED, HELD */
} where;

/* A number of its own for each of many things: sums weighted so are equal only where each is. */
static uint64_t weight(uint64_t of)
{
    return tl_mix(UINT64_C(0x746F7563686C696E), of) | 1;
}

static uint64_t size_of(const tl_engine *engine)
{
    const tl_pools *pools = engine->shelf.pools;
    const tl_engine_capacities *capacities = &engine->state->capacities;
    return (uint64_t)pools->orders_used + pools->blocks_used +
           (uint64_t)pools->nodes_used * 16 + capacities->instruments_max +
           capacities->accounts_max + engine->positions.counts->positions_used;
}

/* ── pools ─────────────────────────────────────────────────────────────────────────────────── */

/* Rule 1.4: a slot is in the stack of free ones, or an order's, and every slot is one of both. */
static void check_slots(const tl_shelf *shelf)
{
    const tl_pools *pools = shelf->pools;
    uint32_t free = 0;
    assert(pools->orders_used <= pools->orders_max && pools->orders_open <= pools->orders_used);
    for (uint32_t slot = pools->order_free; slot != TL_NONE; slot = shelf->orders[slot].next) {
        assert(slot < pools->orders_used);
        assert(shelf->orders[slot].position == TL_NONE);
        free++;
        assert(free <= pools->orders_used - pools->orders_open);
    }
    assert(free + pools->orders_open == pools->orders_used);
    for (uint32_t slot = 0; slot < pools->orders_used; slot++)
        assert(shelf->orders[slot].generation != 0);
}

/* The free blocks and nodes are empty, and with those in the trees they are all there are. */
static void check_branches(const tl_shelf *shelf, const found *found)
{
    const tl_pools *pools = shelf->pools;
    uint64_t free = 0;
    assert(pools->blocks_used <= pools->price_blocks_max && pools->nodes_used <= pools->nodes_max);
    for (uint32_t i = pools->block_free; i != TL_NONE; i = shelf->blocks[i].parent) {
        assert(i < pools->blocks_used && shelf->blocks[i].live == 0);
        free++;
        assert(free <= pools->blocks_used);
    }
    assert(found->blocks == pools->blocks_live && found->blocks + free == pools->blocks_used);
    free = 0;
    for (uint32_t i = pools->node_free; i != TL_NONE; i = shelf->nodes[i].parent) {
        assert(i < pools->nodes_used && shelf->nodes[i].live == 0);
        free++;
        assert(free <= pools->nodes_used);
        for (uint32_t child = 0; child < TL_NODE_CHILDREN; child++)
            assert(tl_node_children(shelf, i)[child] == TL_NONE);
    }
    assert(found->nodes + free == pools->nodes_used);
}

/* ── the tree ──────────────────────────────────────────────────────────────────────────────── */

/* A block below a node; returns how many of its levels have orders. */
static uint32_t check_block(const tl_shelf *shelf, uint32_t index, uint32_t parent, uint32_t number)
{
    const tl_branch *block = &shelf->blocks[index];
    assert(index < shelf->pools->blocks_used);
    assert(block->parent == parent && block->number == number);
    assert(block->live != 0);
    assert(TL_BLOCK_LEVELS == 64 || block->live >> TL_BLOCK_LEVELS == 0);
    return (uint32_t)__builtin_popcountll(block->live);
}

static void check_node(const tl_shelf *shelf, uint32_t index, uint32_t parent, uint32_t number)
{
    const tl_branch *node = &shelf->nodes[index];
    assert(index < shelf->pools->nodes_used);
    assert(node->parent == parent && node->number == number);
    assert(node->live != 0 || parent == TL_NONE);
    for (uint32_t child = 0; child < TL_NODE_CHILDREN; child++) {
        bool live = node->live >> child & 1;
        assert(live == (tl_node_children(shelf, index)[child] != TL_NONE));
    }
}

/* Every node and block of a book's tree, from the root down; returns the number of its levels. */
static uint32_t check_tree(const tl_shelf *shelf, const tl_book *book, found *found)
{
    uint32_t path[TL_TREE_HEIGHT], child[TL_TREE_HEIGHT];
    uint32_t levels = 0;
    if (book->root == TL_NONE)
        return 0;
    uint32_t height = book->shift / TL_CHILD_BITS;
    uint32_t depth = 0;
    assert(book->shift % TL_CHILD_BITS == 0 && height >= 1 && height <= TL_TREE_HEIGHT);
    check_node(shelf, book->root, TL_NONE, book->number);
    found->nodes++;
    path[0] = book->root;
    child[0] = 0;
    for (;;) {
        if (child[depth] == TL_NODE_CHILDREN) {
            if (depth-- == 0)
                return levels;
            continue;
        }
        uint32_t node = path[depth];
        uint32_t number = shelf->nodes[node].number * TL_NODE_CHILDREN + child[depth];
        uint32_t below = tl_node_children(shelf, node)[child[depth]++];
        if (below == TL_NONE)
            continue;
        if (depth + 1 == height) {
            levels += check_block(shelf, below, node, number);
            found->blocks++;
        } else {
            check_node(shelf, below, node, number);
            found->nodes++;
            path[++depth] = below;
            child[depth] = 0;
        }
    }
}

/* ── books ─────────────────────────────────────────────────────────────────────────────────── */

/* Rules 8.1 to 8.7, 9.3: an order's terms, and the place where they have it stand at this price. */
static void check_terms(const tl_engine *engine, uint32_t slot, const where *at,
                        unsigned side_index, uint32_t price, found *found)
{
    const tl_order *order = &engine->shelf.orders[slot];
    const tl_special *terms = &engine->shelf.special[slot];
    bool held = (terms->linked & TL_LINK_HELD) != 0, apart = tl_is_apart(terms);
    found->specials += terms->flags != 0;
    found->wholes += (terms->flags & TL_ALL_OR_NONE) != 0;
    found->trailing += terms->trail != 0;
    assert(tl_order_is_special(order) == (terms->flags != 0));
    found->chain += terms->chain;
    found->collected += (terms->flags & TL_COLLECTED) != 0;
    assert(held ? at->apart == HELD && (terms->flags & (TL_COLLECTED | TL_PARKED)) == 0
                : at->apart == (terms->flags & TL_APART_FLAGS));
    tl_invariants_link(engine, slot);
    assert(apart == (at->wait != 0) && (!apart || order->side == at->wait));
    const tl_place place = tl_place_of(&engine->shelf, slot);
    assert(place.book == at->book && place.side_index == side_index && place.price == price);
    if (terms->flags == 0) {
        assert(at->shown && terms->reserve == 0 && terms->chain == 0);
        return;
    }
    assert((terms->flags & TL_FLAG_SPECIAL) != 0);
    assert(terms->reserve == 0 || order->leaves_qty <= terms->display_qty);
    assert(terms->chain == tl_chain_of(terms, engine->shelf.cold[slot].order_qty));
    assert(terms->chain <= TL_CHAIN_ORDER_MAX);
    assert((terms->expiry != 0) == (tl_order_time_in_force(order) == TL_TIME_IN_FORCE_GTD));
}

/* Rule 8.10: every order in the heap is open and knows its place, and none is before its parent. */
static void check_expiries(const tl_engine *engine)
{
    const uint32_t count = engine->state->expiries;
    assert(count <= tl_chain_max(engine->state->capacities.orders_max));
    for (uint32_t i = 0; i < count; i++) {
        const tl_expiry *expiry = &engine->expiries[i];
        assert(expiry->slot < engine->shelf.pools->orders_used);
        assert(engine->shelf.orders[expiry->slot].position != TL_NONE);
        assert(engine->shelf.special[expiry->slot].expiry == i + 1);
        assert(i == 0 || engine->expiries[(i - 1) / 2].expire_ns <= expiry->expire_ns);
    }
}

static void check_order(const tl_engine *engine, const tl_order *order, uint32_t slot)
{
    assert(order->leaves_qty >= 1);
    assert(tl_order_leaves(&engine->shelf, slot) <= engine->shelf.cold[slot].order_qty);
    assert(engine->shelf.cold[slot].order_qty <= TL_QTY_MAX);
    assert(order->price <= TL_PRICE_MAX);
    uint8_t time = tl_order_time_in_force(order);
    bool in_call = tl_order_is_special(order) &&
                   (engine->shelf.special[slot].flags & (TL_COLLECTED | TL_PARKED)) != 0;
    assert(time == TL_TIME_IN_FORCE_DAY || time == TL_TIME_IN_FORCE_GTC ||
           time == TL_TIME_IN_FORCE_GTD || (in_call && tl_is_for_auction(time)));
    assert(order->price > 0 || in_call ||
           (tl_order_is_special(order) && tl_is_apart(&engine->shelf.special[slot])));
    assert(order->position < engine->positions.counts->positions_used);
    const tl_position *owner = &engine->positions.entries[order->position];
    assert(owner->instrument == order->instrument);
    assert(owner->account == engine->shelf.cold[slot].owner);
    assert(tl_opened(engine, owner->account) != NULL);
}

/* One queue: linked both ways, every order at home in it, and together what the level says. */
static void check_level(const tl_engine *engine, const where *at, uint8_t side, uint32_t level,
                        found *found)
{
    const tl_shelf *shelf = &engine->shelf;
    uint32_t price = tl_level_price(shelf, at->book, level);
    uint32_t older = TL_NONE;
    uint64_t qty = 0;
    assert(level / TL_BLOCK_LEVELS < shelf->pools->blocks_used && tl_level_live(shelf, level));
    for (uint32_t slot = tl_level_head(shelf, level); slot != TL_NONE;) {
        assert(slot < shelf->pools->orders_used);
        const tl_order *order = &shelf->orders[slot];
        assert(order->prev == older && order->level == level);
        assert(order->instrument == at->instrument && (at->wait != 0 || order->side == side));
        check_order(engine, order, slot);
        check_terms(engine, slot, at, tl_side_index(side), price, found);
        found->orders++;
        assert(found->orders <= shelf->pools->orders_open);
        found->open += weight((uint64_t)order->position << 1 | tl_side_index(order->side)) *
                       tl_order_leaves(shelf, slot);
        qty += order->leaves_qty;
        older = slot;
        slot = order->next;
    }
    assert(tl_level_tail(shelf, level) == older);
    assert(tl_level_qty(shelf, level) == qty);
}

/* The touch, what is behind it, and every level from there outwards; returns their number. */
static uint32_t check_side(const tl_engine *engine, const where *at, uint8_t side, found *found)
{
    const tl_shelf *shelf = &engine->shelf;
    const tl_book *book = at->book;
    unsigned side_index = tl_side_index(side);
    const tl_best *best = &book->best[side_index], *behind = &book->behind[side_index];
    uint32_t levels = 0;
    uint64_t worst = 0;
    assert((best->level == TL_NONE) == (best->key == TL_KEY_NONE));
    for (uint32_t level = best->level; level != TL_NONE;
         level = tl_book_worse_level(shelf, side, level)) {
        uint32_t key = tl_key(side_index, tl_level_price(shelf, book, level));
        assert(levels > 0 ? key > worst : key == best->key);
        if (levels == 1 && behind->level != TL_NOT_KNOWN)
            assert(behind->level == level && behind->key == key);
        check_level(engine, at, side, level, found);
        worst = key;
        levels++;
    }
    if (levels <= 1 && behind->level != TL_NOT_KNOWN)
        assert(behind->level == TL_NONE && behind->key == TL_KEY_NONE);
    return levels;
}

/* Rule 3.6, and a tree that knows exactly the levels that the sides lead to. The tree first: the
 * way from level to level is its. */
static void check_book(const tl_engine *engine, const where *at, found *found)
{
    uint32_t known = check_tree(&engine->shelf, at->book, found);
    uint32_t levels = check_side(engine, at, TL_SIDE_BUY, found);
    levels += check_side(engine, at, TL_SIDE_SELL, found);
    assert(levels == known);
}

/* The better of two keys as a price; 0: neither has any. */
static uint32_t better(const tl_book *book, const tl_book *hidden, unsigned side_index)
{
    uint32_t key = book->best[side_index].key;
    if (hidden->best[side_index].key < key)
        key = hidden->best[side_index].key;
    return key == TL_KEY_NONE ? 0 : tl_key(side_index, key);
}

/* Rules 9.1 and 9.3: orders stand in the book or are collected, as the phase has it; a halt leaves
 * either. */
static void check_phase(const tl_instrument *instrument, const tl_book *unseen, bool in_book)
{
    uint8_t status = instrument->trading_status;
    bool collected = unseen[TL_UNSEEN_CALL_BUY].best[1].level != TL_NONE ||
                     unseen[TL_UNSEEN_CALL_SELL].best[1].level != TL_NONE;
    bool parked = unseen[TL_UNSEEN_PARKED_BUY].best[1].level != TL_NONE ||
                  unseen[TL_UNSEEN_PARKED_SELL].best[1].level != TL_NONE;
    assert(!in_book || (!collected && !tl_phase_is_call(status)));
    assert(!collected || tl_phase_is_call(status) || status == TL_TRADING_STATUS_HALTED);
    assert(!parked || status != TL_TRADING_STATUS_CLOSING_AUCTION);
    assert(instrument->ends_ns == 0 || tl_phase_is_auction(status));
    assert(instrument->ends_ns >= 0);
}

/* All books of an instrument, the one to be seen first. */
static void check_books(const tl_engine *engine, uint32_t instrument, found *found)
{
    const tl_book *book = &engine->shelf.books[instrument];
    const tl_book *unseen = &engine->shelf.unseen[(size_t)instrument * TL_UNSEEN_BOOKS];
    const where all[] = {
        {book, instrument, true, 0, 0},
        {&unseen[TL_UNSEEN_HIDDEN], instrument, false, 0, 0},
        {&unseen[TL_UNSEEN_STOP_BUY], instrument, false, TL_SIDE_BUY, TL_WAITING},
        {&unseen[TL_UNSEEN_STOP_SELL], instrument, false, TL_SIDE_SELL, TL_WAITING},
        {&unseen[TL_UNSEEN_TOUCH_BUY], instrument, false, TL_SIDE_BUY, TL_WAITING},
        {&unseen[TL_UNSEEN_TOUCH_SELL], instrument, false, TL_SIDE_SELL, TL_WAITING},
        {&unseen[TL_UNSEEN_ALL_OR_NONE_BUY], instrument, false, 0, 0},
        {&unseen[TL_UNSEEN_ALL_OR_NONE_SELL], instrument, false, 0, 0},
        {&unseen[TL_UNSEEN_CALL_BUY], instrument, false, TL_SIDE_BUY, TL_COLLECTED},
        {&unseen[TL_UNSEEN_CALL_SELL], instrument, false, TL_SIDE_SELL, TL_COLLECTED},
        {&unseen[TL_UNSEEN_PARKED_BUY], instrument, false, TL_SIDE_BUY, TL_PARKED},
        {&unseen[TL_UNSEEN_PARKED_SELL], instrument, false, TL_SIDE_SELL, TL_PARKED},
        {&unseen[TL_UNSEEN_HELD_BUY], instrument, false, TL_SIDE_BUY, HELD},
        {&unseen[TL_UNSEEN_HELD_SELL], instrument, false, TL_SIDE_SELL, HELD},
        {&unseen[TL_UNSEEN_TRAIL_BUY], instrument, false, TL_SIDE_BUY, TL_WAITING},
        {&unseen[TL_UNSEEN_TRAIL_SELL], instrument, false, TL_SIDE_SELL, TL_WAITING},
    };
    uint64_t orders = found->orders, specials = found->specials, wholes = found->wholes;
    uint64_t trailing = found->trailing;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        check_book(engine, &all[i], found);
    uint32_t bid = better(book, &unseen[TL_UNSEEN_HIDDEN], 0);
    uint32_t ask = better(book, &unseen[TL_UNSEEN_HIDDEN], 1);
    assert(bid == 0 || ask == 0 || bid < ask);
    assert(found->orders == orders || tl_listed(engine, instrument) != NULL);
    const tl_instrument *listed = &engine->risk.instruments[instrument];
    assert(found->specials - specials == listed->specials);
    assert(found->wholes - wholes == listed->wholes && listed->wholes <= TL_ALL_OR_NONE_MAX);
    assert(found->trailing - trailing == listed->trailing && listed->trailing <= TL_TRAILING_MAX);
    assert(listed->released != 0 ||
           (unseen[TL_UNSEEN_HELD_BUY].best[1].key != TL_KEY_RELEASED &&
            unseen[TL_UNSEEN_HELD_SELL].best[1].key != TL_KEY_RELEASED));
    tl_instrument gate = *listed;
    tl_gate_set(&gate);
    assert(listed->special == gate.special);
    check_phase(listed, unseen, bid != 0 || ask != 0);
}

/* ── risk ──────────────────────────────────────────────────────────────────────────────────── */

static bool is_status(uint8_t status)
{
#define TL_IS_STATUS(set, name, value) || status == (value)
    return false TL_TRADING_STATUSES(TL_IS_STATUS);
#undef TL_IS_STATUS
}

static void check_instrument(const tl_instrument *instrument)
{
    if (instrument->trading_status == 0)
        return;
    assert(is_status(instrument->trading_status));
    assert(instrument->price_min >= 1 && instrument->price_min <= instrument->price_max);
    assert(instrument->price_max <= TL_PRICE_MAX);
    assert(instrument->qty_max >= 1 && instrument->qty_max <= TL_QTY_MAX);
    assert(instrument->price_collar >= 0);
    assert(instrument->reference_price >= 0 && instrument->reference_price <= TL_PRICE_MAX);
    assert(instrument->limited == (instrument->price_collar != TL_LIMIT_UNSET));
}

static bool is_limited(const tl_position *position)
{
    return position->order_qty_max != TL_LIMIT_UNSET ||
           position->order_value_max != TL_LIMIT_UNSET || position->position_max != TL_LIMIT_UNSET;
}

/* At the end of its numbers a position is no longer what its trades add up to. */
static bool is_exact(const tl_position *position)
{
    return position->net > -(INT64_C(1) << 62) && position->net < INT64_C(1) << 62;
}

/* Every position is in its account's chain, and once. */
static void check_chains(const tl_engine *engine)
{
    const tl_positions *positions = &engine->positions;
    uint32_t chained = 0;
    for (uint32_t account = 0; account < engine->risk.counts->accounts_max; account++) {
        for (uint32_t i = positions->newest[account]; i != 0; i = positions->entries[i - 1].next) {
            assert(i <= positions->counts->positions_used);
            assert(positions->entries[i - 1].account == account);
            chained++;
        }
    }
    assert(chained == positions->counts->positions_used);
}

/* Each is found where it is looked for; what is open rests in the books, to the lot; what one has
 * bought another has sold. */
static void check_positions(const tl_engine *engine, uint64_t open)
{
    const tl_positions *positions = &engine->positions;
    uint64_t net = 0;
    bool exact = true;
    assert(positions->counts->positions_used <= positions->counts->positions_max);
    for (uint32_t i = 0; i < positions->counts->positions_used; i++) {
        const tl_position *position = &positions->entries[i];
        assert(tl_position_find(positions, position->account, position->instrument) == position);
        assert(position->next <= i);
        assert(tl_listed(engine, position->instrument) != NULL);
        assert(tl_opened(engine, position->account) != NULL);
        assert(position->order_qty_max >= 0 && position->order_value_max >= 0);
        assert(position->position_max >= 0 && position->limited == is_limited(position));
        for (unsigned side = 0; side < 2; side++) {
            assert(position->open[side] >= 0);
            open -= weight((uint64_t)i << 1 | side) * (uint64_t)position->open[side];
        }
        net += weight(position->instrument) * (uint64_t)position->net;
        exact &= is_exact(position);
    }
    assert(open == 0);
    assert(net == 0 || !exact);
}

/* ── all of it ─────────────────────────────────────────────────────────────────────────────── */

static bool is_entry_status(uint8_t status)
{
    return status == TL_ENTRY_STATUS_OPEN || status == TL_ENTRY_STATUS_BLOCKED;
}

void tl_invariants_hold(const tl_engine *engine)
{
    found found = {0};
    check_slots(&engine->shelf);
    for (uint32_t i = 0; i < engine->risk.counts->instruments_max; i++) {
        check_instrument(&engine->risk.instruments[i]);
        check_books(engine, i, &found);
    }
    assert(found.orders == engine->shelf.pools->orders_open);
    assert(found.chain == tl_chain_taken(engine->state));
    assert(found.collected == engine->state->collected);
    check_branches(&engine->shelf, &found);
    check_positions(engine, found.open);
    check_chains(engine);
    check_expiries(engine);
    tl_invariants_last_linked(engine);
    assert(is_entry_status(engine->risk.counts->venue_status));
    for (uint32_t i = 0; i < engine->risk.counts->accounts_max; i++) {
        const tl_account *account = &engine->risk.accounts[i];
        assert(account->entry_status == 0 || is_entry_status(account->entry_status));
        assert(account->self_trade <= TL_SELF_TRADE_CANCEL_SMALLER);
        assert(account->group <= TL_GROUP_MAX);
        assert(account->entry_status != 0 || (account->self_trade | account->group) == 0);
    }
}

static uint32_t executed_qty(const tl_shelf *shelf, uint32_t slot)
{
    return shelf->cold[slot].order_qty - tl_order_leaves(shelf, slot);
}

tl_before tl_invariants_before(const tl_engine *engine, const tl_command *cmd,
                               const tl_event_sink *sink)
{
    uint32_t slot = tl_order_find(&engine->shelf, cmd->order_id);
    bool small = size_of(engine) <= LOOKED_AT_PER_COMMAND;
    return (tl_before){
        .event_seq = engine->state->event_seq,
        .sink_next = sink->next,
        .events_bound = tl_engine_events_bound(engine),
        .hash = small ? tl_engine_hash(engine) : 0,
        .orders_open = engine->shelf.pools->orders_open,
        .executed = slot == TL_NONE ? 0 : executed_qty(&engine->shelf, slot)};
}

void tl_invariants_after(tl_engine *engine, const tl_command *cmd, const tl_event_sink *sink,
                         const tl_before *before)
{
    tl_invariants_answer(engine, cmd, sink, before);
    engine->looked_at += LOOKED_AT_PER_COMMAND;
    if (engine->looked_at < size_of(engine))
        return;
    engine->looked_at = 0;
    tl_invariants_hold(engine);
}
