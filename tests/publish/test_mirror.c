/* The mirror under real events of an engine, and under events that somebody has damaged. */
#include "touchline/core/engine.h"
#include "touchline/marketdata/mirror.h"

#include "check.h"

#define INSTRUMENTS 3u
#define ORDERS 512u
#define BLOCKS 64u
#define SLOTS 4096u
#define LEVELS_MAX 1024u
#define STEPS 20000

static tl_event slots[SLOTS];
static tl_event_sink sink = {slots, SLOTS - 1, 0};

static tl_engine *opened_engine(void)
{
    tl_engine_capacities capacities = {INSTRUMENTS, 2, ORDERS, 16, BLOCKS};
    tl_engine *engine;
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    return engine;
}

static tl_mirror *opened_mirror(void)
{
    tl_mirror *mirror;
    CHECK(tl_mirror_open(&mirror, INSTRUMENTS, ORDERS, BLOCKS) == 0);
    return mirror;
}

/* The events of one command, as a batch that begins at slots[0]. */
static size_t step(tl_engine *engine, const tl_command *cmd)
{
    sink.next = 0;
    tl_engine_step(engine, cmd, &sink);
    return (size_t)sink.next;
}

static tl_command setup_command(unsigned i)
{
    tl_command cmd = {.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = (uint16_t)i};
    if (i >= INSTRUMENTS)
        cmd = (tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = i - INSTRUMENTS};
    return cmd;
}

/* A quarter of the orders: icebergs, hidden, post-only that slide, and stops with a limit. */
static void add_terms(tl_command *cmd, uint64_t r)
{
    static const uint8_t flags[4] = {0, 0, TL_FLAG_HIDDEN, TL_FLAG_POST_ONLY | TL_FLAG_SLIDE};
    if (r % 4 != 0 || cmd->type != TL_MSG_TYPE_NEW_ORDER || cmd->ord_type != TL_ORD_TYPE_LIMIT)
        return;
    unsigned kind = r >> 2 & 3;
    cmd->flags = TL_FLAG_SPECIAL | flags[kind];
    if (kind == 0)
        cmd->display_qty = (uint32_t)(1 + (r >> 4 & 3));
    if (kind == 1) {
        cmd->ord_type = TL_ORD_TYPE_STOP_LIMIT;
        cmd->stop_price = (uint32_t)(1000 + (r >> 6 & 127));
    }
}

/* A phase now and then, continuous trading as often as all others. */
static void change_phase(tl_command *cmd, uint64_t r)
{
    static const uint8_t phases[8] = {
        TL_TRADING_STATUS_READY_TO_TRADE,  TL_TRADING_STATUS_PRE_OPEN,
        TL_TRADING_STATUS_OPENING_AUCTION, TL_TRADING_STATUS_VOLATILITY_AUCTION,
        TL_TRADING_STATUS_CLOSING_AUCTION, TL_TRADING_STATUS_CLOSING_PRICE,
        TL_TRADING_STATUS_CLOSED,          TL_TRADING_STATUS_HALTED};
    *cmd = (tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                        .instrument = cmd->instrument,
                        .field = phases[r % 2 ? r >> 1 & 7 : 0],
                        .ts_ns = cmd->ts_ns};
}

/* Mostly orders near each other, and now and then what an operator does. */
static tl_command random_command(uint64_t *state)
{
    static const uint8_t kinds[8] = {TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_CANCEL,    TL_MSG_TYPE_REPLACE,
                                     TL_MSG_TYPE_REPLACE,   TL_MSG_TYPE_MASS_CANCEL};
    static const uint8_t times[8] = {
        TL_TIME_IN_FORCE_DAY, TL_TIME_IN_FORCE_GTC,     TL_TIME_IN_FORCE_IOC,
        TL_TIME_IN_FORCE_FOK, TL_TIME_IN_FORCE_DAY,     TL_TIME_IN_FORCE_AUCTION,
        TL_TIME_IN_FORCE_DAY, TL_TIME_IN_FORCE_AT_CLOSE};
    uint64_t r = random_next(state);
    tl_command cmd = {.type = kinds[r % 8],
                      .instrument = (uint16_t)(r >> 3 & 3),
                      .account = (uint32_t)(r >> 5 & 1),
                      .side = r >> 6 & 1 ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .ord_type = r >> 7 & 7 ? TL_ORD_TYPE_LIMIT : TL_ORD_TYPE_MARKET,
                      .time_in_force = times[(r >> 10 & 3) | (r >> 60 & 4)],
                      .price = (int64_t)(1000 + (r >> 12 & 127)),
                      .qty = (int64_t)(1 + (r >> 19 & 15)),
                      .ts_ns = (int64_t)(r >> 40)};
    if (cmd.ord_type == TL_ORD_TYPE_MARKET)
        cmd.price = 0;
    if (cmd.type == TL_MSG_TYPE_CANCEL || cmd.type == TL_MSG_TYPE_REPLACE)
        cmd.order_id = (1 + (r >> 24 & 63)) << 32 | (r >> 30 & 127);
    if (cmd.type == TL_MSG_TYPE_MASS_CANCEL && r >> 50 & 15)
        cmd.type = TL_MSG_TYPE_NEW_ORDER;
    add_terms(&cmd, random_next(state));
    const uint64_t turn = random_next(state);
    if (turn % 32 == 0)
        change_phase(&cmd, turn >> 5);
    return cmd;
}

/* Now and then terms come before the order: those of lane 0, which names no request. */
static void step_terms(tl_engine *engine, tl_command *cmd, uint64_t r)
{
    if (cmd->type != TL_MSG_TYPE_NEW_ORDER || (cmd->flags & TL_FLAG_SPECIAL) == 0 || r % 3 != 0)
        return;
    tl_command terms = {.type = TL_MSG_TYPE_TERMS, .ts_ns = cmd->ts_ns};
    if (r >> 2 & 1) {
        cmd->time_in_force = TL_TIME_IN_FORCE_GTD;
        terms.expire_ns = cmd->ts_ns + 1 + (int64_t)(r >> 8 & 0xFFFF);
    } else if (r >> 3 & 1) {
        cmd->flags = TL_FLAG_SPECIAL;
        cmd->display_qty = 0;
        terms.flags = TL_TERMS_FLAG_ALL_OR_NONE;
    } else {
        terms.min_qty = 3;
    }
    cmd->field = TL_MORE_TERMS;
    CHECK(step(engine, &terms) == 0);
}

static void check_side(const tl_engine *engine, uint16_t instrument, uint8_t side,
                       const tl_published_depth *levels, size_t count)
{
    static tl_level_view views[LEVELS_MAX];
    uint32_t wanted = tl_engine_depth(engine, instrument, side, views, LEVELS_MAX);
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        if (levels[i].side != side)
            continue;
        CHECK(seen < wanted);
        CHECK(levels[i].price == views[seen].price);
        CHECK(levels[i].qty == views[seen].qty);
        CHECK(levels[i].orders == views[seen].orders);
        seen++;
    }
    CHECK(seen == wanted);
}

static void check_equal(const tl_engine *engine, const tl_mirror *mirror)
{
    static tl_published_depth levels[LEVELS_MAX];
    for (uint16_t i = 0; i < INSTRUMENTS; i++) {
        tl_mirror_view view;
        CHECK(tl_mirror_look(mirror, i, &view));
        size_t count = tl_mirror_levels(mirror, i, levels, LEVELS_MAX);
        CHECK(count == view.levels);
        CHECK(view.bbo.bid_price == tl_engine_best(engine, i, TL_SIDE_BUY));
        CHECK(view.bbo.ask_price == tl_engine_best(engine, i, TL_SIDE_SELL));
        check_side(engine, i, TL_SIDE_BUY, levels, count);
        check_side(engine, i, TL_SIDE_SELL, levels, count);
    }
    CHECK(!tl_mirror_look(mirror, INSTRUMENTS, &(tl_mirror_view){0}));
}

/* Numbers of a topic go on without a gap, and the bytes are those that the header says. */
static void read_messages(tl_mirror *mirror, uint64_t seqs[INSTRUMENTS][TL_PUBLISHED_KINDS])
{
    static const size_t bytes[TL_PUBLISHED_KINDS] = {32, 56, 40, 24, 88};
    tl_mirror_message message;
    while (tl_mirror_next_message(mirror, &message)) {
        tl_published_header header;
        memcpy(&header, message.bytes, sizeof header);
        CHECK(message.count <= TL_PUBLISHED_MESSAGE_MAX);
        CHECK(message.count == sizeof header + header.count * bytes[message.kind]);
        CHECK(header.instrument == message.instrument && header.kind == message.kind);
        uint64_t *seq = &seqs[message.instrument][message.kind];
        CHECK(header.first_seq == *seq + 1 ||
              (message.kind == TL_PUBLISHED_STATISTICS && header.first_seq > *seq));
        *seq = header.first_seq + header.count - 1;
    }
}

static void the_mirror_is_the_book_after_every_command(void)
{
    tl_engine *engine = opened_engine();
    tl_mirror *mirror = opened_mirror();
    uint64_t seqs[INSTRUMENTS][TL_PUBLISHED_KINDS] = {{0}};
    uint64_t state = 7;
    for (unsigned i = 0; i < STEPS; i++) {
        tl_command cmd = i < INSTRUMENTS + 2 ? setup_command(i) : random_command(&state);
        step_terms(engine, &cmd, random_next(&state));
        size_t count = step(engine, &cmd);
        CHECK(tl_mirror_apply(mirror, slots, count) == count);
        read_messages(mirror, seqs);
        if (i >= INSTRUMENTS && i % 16 == 0)
            check_equal(engine, mirror);
    }
    tl_published_header header;
    tl_published_heartbeat beats[INSTRUMENTS];
    CHECK(tl_mirror_heartbeat(mirror, &header, beats, INSTRUMENTS) == INSTRUMENTS);
    for (unsigned i = 0; i < INSTRUMENTS; i++)
        CHECK(memcmp(beats[i].seqs, seqs[i], sizeof beats[i].seqs) == 0);
    CHECK(tl_mirror_event_seq(mirror) == tl_engine_event_seq(engine));
    tl_mirror_close(mirror);
    tl_engine_close(engine);
}

/* One bit of one event after another is turned: the mirror names it or goes on, and stays whole. */
static void damaged_events_leave_the_mirror_whole(void)
{
    tl_engine *engine = opened_engine();
    tl_mirror *mirror = opened_mirror();
    uint64_t state = 11;
    unsigned named = 0;
    for (unsigned i = 0; i < STEPS; i++) {
        tl_command cmd = i < INSTRUMENTS + 2 ? setup_command(i) : random_command(&state);
        size_t count = step(engine, &cmd);
        for (size_t j = 0; j < count; j++) {
            tl_event damaged = slots[j];
            uint64_t bit = random_next(&state) % (sizeof damaged * 8);
            ((uint8_t *)&damaged)[bit / 8] ^= (uint8_t)(1u << bit % 8);
            damaged.seq ^= (uint64_t)(random_next(&state) % 4 == 0);
            bool wrong_seq = damaged.seq != slots[j].seq;
            if (wrong_seq) {
                CHECK(tl_mirror_apply(mirror, &damaged, 1) == 0);
                CHECK(tl_mirror_fault(mirror) == TL_MIRROR_GAP);
                named++;
            }
            CHECK(tl_mirror_apply(mirror, &slots[j], 1) == 1);
        }
    }
    CHECK(named > STEPS / 8);
    check_equal(engine, mirror);
    tl_mirror_close(mirror);
    tl_engine_close(engine);
}

/* Damaged in what they say, and believed where that could be: whatever comes of it is bounded. */
static void lies_are_survived(void)
{
    uint64_t state = 13;
    for (unsigned round = 0; round < 40; round++) {
        tl_engine *engine = opened_engine();
        tl_mirror *mirror = opened_mirror();
        for (unsigned i = 0; i < 600; i++) {
            tl_command cmd = i < INSTRUMENTS + 2 ? setup_command(i) : random_command(&state);
            size_t count = step(engine, &cmd);
            for (size_t j = 0; j < count; j++) {
                uint64_t r = random_next(&state);
                if (i > INSTRUMENTS + 2 && r % 8 == 0)
                    ((uint8_t *)&slots[j])[8 + (r >> 3) % 56] ^= (uint8_t)(1u << (r >> 16) % 8);
                slots[j].seq = tl_mirror_event_seq(mirror) + 1;
                if (tl_mirror_apply(mirror, &slots[j], 1) == 0)
                    CHECK(*tl_mirror_fault_text(tl_mirror_fault(mirror)) != '\0');
            }
        }
        tl_mirror_close(mirror);
        tl_engine_close(engine);
    }
}

/* The part shown is gone and the next was never stated: then nothing of it can be taken off. */
static void an_iceberg_between_two_parts_is_in_no_level(void)
{
    tl_engine *engine = opened_engine();
    tl_mirror *mirror = opened_mirror();
    const tl_command cmds[] = {
        {.type = TL_MSG_TYPE_NEW_ORDER, .side = TL_SIDE_SELL, .ord_type = TL_ORD_TYPE_LIMIT,
         .time_in_force = TL_TIME_IN_FORCE_DAY, .price = 1000, .qty = 4, .display_qty = 2,
         .flags = TL_FLAG_SPECIAL},
        {.type = TL_MSG_TYPE_NEW_ORDER, .side = TL_SIDE_BUY, .ord_type = TL_ORD_TYPE_LIMIT,
         .time_in_force = TL_TIME_IN_FORCE_DAY, .price = 1000, .qty = 2},
        {.type = TL_MSG_TYPE_MASS_CANCEL, .account = TL_ACCOUNT_ALL}};
    for (unsigned i = 0; i < INSTRUMENTS + 2; i++) {
        tl_command cmd = setup_command(i);
        CHECK(tl_mirror_apply(mirror, slots, step(engine, &cmd)) == 1);
    }
    CHECK(step(engine, &cmds[0]) == 2 && tl_mirror_apply(mirror, slots, 2) == 2);
    CHECK(step(engine, &cmds[1]) == 3 && slots[2].exec_type == TL_EXEC_TYPE_RESTATED);
    CHECK(tl_mirror_apply(mirror, slots, 2) == 2);
    CHECK(step(engine, &cmds[2]) == 2 && slots[0].exec_type == TL_EXEC_TYPE_CANCELED);
    slots[0].seq = tl_mirror_event_seq(mirror) + 1;
    CHECK(tl_mirror_apply(mirror, slots, 1) == 0);
    CHECK(tl_mirror_fault(mirror) == TL_MIRROR_NOT_THAT_ORDER);
    tl_mirror_close(mirror);
    tl_engine_close(engine);
}

static void sizes_out_of_bounds_are_refused(void)
{
    static const uint32_t wrong[][3] = {{0, 1, 1},       {65536, 1, 1},        {1, 0, 1},
                                        {1, 1u << 27, 1}, {1, 1, (1u << 24) + 1}, {1, 1, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        tl_mirror *mirror;
        CHECK(tl_mirror_open(&mirror, wrong[i][0], wrong[i][1], wrong[i][2]) < 0);
        CHECK(mirror == NULL);
    }
    tl_mirror_close(NULL);
}

int main(void)
{
    the_mirror_is_the_book_after_every_command();
    damaged_events_leave_the_mirror_whole();
    lies_are_survived();
    an_iceberg_between_two_parts_is_in_no_level();
    sizes_out_of_bounds_are_refused();
    return 0;
}
