/* The OUCH desk and an engine: what requests lead to, and that the journal gives it all again. */
#include "check.h"
#include "touchline/core/engine.h"
#include "touchline/wire/ouch.h"
#include "touchline/wire/ouch_desk.h"

#include <errno.h>

#define LANE 3u
#define ORDERS 1024u
#define JOURNAL_MAX 65536u
#define SLOTS 65536u
#define SESSIONS 3u
#define STREAM_MAX 20000u

typedef struct stream { /* a session's messages */
    uint32_t count;
    struct {
        uint8_t size, bytes[TL_OUCH_ANSWER_MAX];
    } messages[STREAM_MAX];
} stream;

static const tl_engine_capacities capacities = {.instruments_max = 8,
                                                .accounts_max = 8,
                                                .orders_max = ORDERS,
                                                .positions_max = 64,
                                                .price_blocks_max = 1024};
static tl_engine *engine;
static tl_command journal[JOURNAL_MAX];
static uint32_t journaled, stepped;
static uint64_t event_end[JOURNAL_MAX];
static tl_event slots[SLOTS];
static tl_event_sink sink;
static tl_ouch_desk *desk;
static stream streams[2][SESSIONS]; /* of the desk at work, of one that replays */
static uint32_t heard[SESSIONS];
static uint64_t counter, applied;
static bool lane_full;
static const char *why;

static int on_send(void *context, uint32_t session, uint64_t number, const uint8_t *message,
                   size_t size)
{
    stream *of = (stream *)context + session;
    CHECK(number == of->count + 1u && of->count < STREAM_MAX && size <= TL_OUCH_ANSWER_MAX);
    of->messages[of->count].size = (uint8_t)size;
    memcpy(of->messages[of->count++].bytes, message, size);
    return 0;
}

static int on_submit(void *context, const tl_command *commands, uint32_t count)
{
    (void)context;
    if (lane_full)
        return -EAGAIN;
    CHECK(count <= TL_OUCH_SUBMIT_MAX && journaled + count <= JOURNAL_MAX);
    memcpy(journal + journaled, commands, count * sizeof *commands);
    journaled += count;
    return 0;
}

static uint64_t on_number(void *context)
{
    (void)context;
    return (uint64_t)LANE << 32 | ++counter;
}

static tl_ouch_desk *open_desk(int which)
{
    static const tl_ouch_firm firms[] = {{"FRMA", 0}, {"FRMB", 1}, {"FRMC", 2}};
    const tl_ouch_desk_config config = {.instruments_max = capacities.instruments_max,
                                        .accounts_max = capacities.accounts_max,
                                        .orders_max = ORDERS,
                                        .sessions_max = SESSIONS,
                                        .lane = LANE,
                                        .pending_max = 64,
                                        .key = 12345};
    const tl_ouch_desk_hooks hooks = {streams[which], on_send, on_submit, on_number};
    tl_ouch_desk *opened;
    CHECK(tl_ouch_desk_open(&opened, &config, &hooks) == 0);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        streams[which][i].count = 0;
        CHECK(tl_ouch_desk_session(opened, i, firms + i, i == 0 ? 2 : 1) == 0);
    }
    return opened;
}

/* The engine does what has been submitted, and the desk hears of it. */
static void step(void)
{
    for (; stepped < journaled; stepped++) {
        tl_command *cmd = &journal[stepped];
        cmd->ts_ns = INT64_C(86400000000000) * 20000 + stepped;
        tl_engine_step(engine, cmd, &sink);
        CHECK(sink.next < SLOTS);
        event_end[stepped] = sink.next;
    }
    CHECK(tl_ouch_desk_events(desk, &slots[applied], (size_t)(sink.next - applied)) == 0);
    applied = sink.next;
}

static void command(tl_command cmd)
{
    journal[journaled++] = cmd;
    step();
}

static void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    memcpy(tl_command_text(&cmd), text, strlen(text));
    CHECK(tl_ouch_desk_name(desk, &cmd) == 0);
    command(cmd);
}

static void list(uint16_t instrument, const char *symbol, const char *lot)
{
    name(TL_TEXT_SYMBOL, instrument, symbol);
    name(TL_TEXT_TICK_SIZE, instrument, "0.01");
    name(TL_TEXT_LOT_SIZE, instrument, lot);
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = instrument});
    tl_ouch_desk_named(desk);
}

static void begin(void)
{
    sink = (tl_event_sink){slots, SLOTS - 1, 0};
    journaled = stepped = 0;
    counter = applied = 0;
    lane_full = false;
    memset(heard, 0, sizeof heard);
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    desk = open_desk(0);
    for (uint32_t i = 0; i < 4; i++)
        command((tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = i});
    list(0, "AAA", "1");
    list(1, "BBB", "100");
}

/* A desk that has only the journal sends the same bytes under the same numbers. */
static void check_replay(void)
{
    tl_ouch_desk *again = open_desk(1);
    uint64_t from = 0;
    for (uint32_t i = 0; i < journaled; i++) {
        CHECK(tl_ouch_desk_replay(again, &journal[i], 1, &slots[from],
                                  (size_t)(event_end[i] - from)) == 0);
        from = event_end[i];
    }
    for (uint32_t session = 0; session < SESSIONS; session++) {
        const stream *one = &streams[0][session], *other = &streams[1][session];
        CHECK(one->count == other->count && tl_ouch_desk_count(again, session) == one->count);
        for (uint32_t i = 0; i < one->count; i++) {
            CHECK(one->messages[i].size == other->messages[i].size);
            CHECK(memcmp(one->messages[i].bytes, other->messages[i].bytes,
                         one->messages[i].size) == 0);
        }
    }
    tl_ouch_desk_close(again);
}

static void end(void)
{
    check_replay();
    tl_ouch_desk_close(desk);
    tl_engine_close(engine);
}

/* What a session was sent since the last look: type, UserRefNum and what matters, a word each. */
static const char *says(uint32_t session)
{
    static char text[4096];
    size_t length = 0;
    const stream *of = &streams[0][session];
    text[0] = '\0';
    for (; heard[session] < of->count; heard[session]++) {
        const uint8_t *m = of->messages[heard[session]].bytes;
        const unsigned number = m[0] == 'S' ? 0 : tl_get_u32(m + 9);
        char *to = text + length;
        const size_t room = sizeof text - length;
        const char *gap = length ? " " : "";
        switch (m[0]) {
        case 'A':
            snprintf(to, room, "%sA%u:%c%ux%llu", gap, number, m[13], tl_get_u32(m + 14),
                     (unsigned long long)tl_get_u64(m + 26));
            break;
        case 'U':
            snprintf(to, room, "%sU%u>%u:%ux%llu%c", gap, number, tl_get_u32(m + 13),
                     tl_get_u32(m + 18), (unsigned long long)tl_get_u64(m + 30), m[51]);
            break;
        case 'C':
            snprintf(to, room, "%sC%u:%u%c", gap, number, tl_get_u32(m + 13), m[17]);
            break;
        case 'E':
            snprintf(to, room, "%sE%u:%ux%llu%c", gap, number, tl_get_u32(m + 13),
                     (unsigned long long)tl_get_u64(m + 17), m[25]);
            break;
        case 'J':
            snprintf(to, room, "%sJ%u:%x", gap, number, tl_get_u16(m + 13));
            break;
        default:
            snprintf(to, room, "%s%c%u", gap, m[0], number);
        }
        length += strlen(to);
    }
    return text;
}

static void must_say(uint32_t session, const char *expected)
{
    const char *text = says(session);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "said     %s\nexpected %s\n", text, expected);
        abort();
    }
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────── */

static tl_ouch_taken ask(uint32_t session, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size); /* so that a read past the end is seen */
    CHECK(copy != NULL);
    memcpy(copy, bytes, size);
    tl_ouch_desk_ahead(desk, session, copy, size);
    const tl_ouch_taken taken = tl_ouch_desk_request(desk, session, copy, size, &why);
    free(copy);
    CHECK((taken == TL_OUCH_PASSED) == (*why != '\0'));
    return taken;
}

static tl_ouch_taken enter(uint32_t session, uint32_t number, char side, uint32_t quantity,
                           const char *symbol, uint64_t price, char tif)
{
    uint8_t bytes[47] = {0};
    tl_ouch_enter of = {.type = 'O',
                        .user_ref_num = number,
                        .side = side,
                        .quantity = quantity,
                        .price = price,
                        .time_in_force = tif,
                        .display = 'Y',
                        .capacity = 'A',
                        .sweep = 'N',
                        .cross_type = 'N'};
    tl_put_text(of.symbol, 8, symbol, strlen(symbol));
    snprintf(of.cl_ord_id, sizeof of.cl_ord_id, "C%u", number);
    tl_put_text(of.cl_ord_id, 14, of.cl_ord_id, strlen(of.cl_ord_id));
    tl_ouch_enter_put((tl_ouch_enter_wire *)bytes, &of);
    return ask(session, bytes, sizeof bytes);
}

static tl_ouch_taken replace(uint32_t session, uint32_t orig, uint32_t number, uint32_t quantity,
                             uint64_t price)
{
    uint8_t bytes[40] = {0};
    tl_ouch_replace of = {.type = 'U',
                          .orig_user_ref_num = orig,
                          .user_ref_num = number,
                          .quantity = quantity,
                          .price = price,
                          .time_in_force = '0',
                          .display = 'Y',
                          .sweep = 'N'};
    memset(of.cl_ord_id, ' ', sizeof of.cl_ord_id);
    tl_ouch_replace_put((tl_ouch_replace_wire *)bytes, &of);
    return ask(session, bytes, sizeof bytes);
}

static tl_ouch_taken cancel(uint32_t session, uint32_t number, uint32_t quantity)
{
    uint8_t bytes[9];
    const tl_ouch_cancel of = {.type = 'X', .user_ref_num = number, .quantity = quantity};
    tl_ouch_cancel_put((tl_ouch_cancel_wire *)bytes, &of);
    return ask(session, bytes, sizeof bytes);
}

static tl_ouch_taken of_firm(uint32_t session, char type, uint32_t number, const char *firm,
                             const char *symbol)
{
    uint8_t bytes[19] = {0};
    tl_ouch_mass_cancel of = {.type = type, .user_ref_num = number};
    memcpy(of.firm, firm, 4);
    tl_put_text(of.symbol, 8, symbol, strlen(symbol));
    tl_ouch_mass_cancel_put((tl_ouch_mass_cancel_wire *)bytes, &of);
    if (type != 'C')
        bytes[9] = bytes[10] = 0;
    return ask(session, bytes, type == 'C' ? 19 : 11);
}

/* Taken, and done. */
#define DO(request)                                                                                \
    do {                                                                                           \
        CHECK((request) == TL_OUCH_TAKEN);                                                         \
        step();                                                                                    \
    } while (0)

static void an_order_is_accepted_with_what_was_entered(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    CHECK(streams[0][0].count == 2);
    const uint8_t *m = streams[0][0].messages[1].bytes;
    CHECK(streams[0][0].messages[1].size == 64 && tl_get_u64(m + 1) == journaled - 1u);
    CHECK(memcmp(m + 18, "AAA     ", 8) == 0 && m[34] == '0' && m[35] == 'Y');
    CHECK(tl_get_u64(m + 36) == sink.next && m[44] == 'A' && m[47] == 'L');
    CHECK(memcmp(m + 48, "C1            ", 14) == 0 && tl_get_u16(m + 62) == 0);
    must_say(0, "S0 A1:B100x100000");
    end();
}

static void both_sides_of_a_trade_are_told(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 99900, '3'));
    must_say(0, "S0 A1:B100x100000 E1:30x100000A");
    must_say(1, "S0 A1:S30x99900 E1:30x100000R");
    DO(enter(1, 2, 'S', 90, "AAA", TL_OUCH_MARKET_PRICE, '3'));
    must_say(0, "E1:70x100000A");
    must_say(1, "A2:S90x2147483647 E2:70x100000R C2:20I");
    end();
}

static void a_user_ref_num_acts_once(void)
{
    begin();
    DO(enter(0, 5, 'B', 100, "AAA", 100000, '0'));
    CHECK(enter(0, 5, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    CHECK(enter(0, 4, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    CHECK(enter(1, 0, 'B', 100, "AAA", 100000, '0') == TL_OUCH_PASSED);
    DO(enter(1, 4, 'B', 100, "AAA", 100000, '0')); /* another session's numbers are its own */
    must_say(0, "S0 A5:B100x100000");
    end();
}

static void a_cancel_takes_off_all_or_some(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 100000, '3'));
    says(0);
    CHECK(cancel(0, 1, 100) == TL_OUCH_PASSED); /* no smaller: 30 are executed */
    DO(cancel(0, 1, 80));
    must_say(0, "C1:20U");
    DO(cancel(0, 1, 0));
    must_say(0, "C1:50U");
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    DO(enter(0, 2, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 2, 'S', 60, "AAA", 100000, '3'));
    DO(cancel(0, 2, 50)); /* fewer than are executed */
    must_say(0, "A2:B100x100000 E2:60x100000A C2:40U");
    end();
}

static void a_replacement_goes_on_under_its_number(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(enter(1, 1, 'S', 30, "AAA", 100000, '3'));
    DO(replace(0, 1, 2, 90, 100100));
    must_say(0, "S0 A1:B100x100000 E1:30x100000A U1>2:60x100100L");
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    CHECK(replace(0, 1, 3, 10, 100100) == TL_OUCH_PASSED);
    DO(replace(0, 2, 4, 30, 100100)); /* executed already */
    must_say(0, "U2>4:0x100100D");
    CHECK(cancel(0, 4, 0) == TL_OUCH_PASSED);
    end();
}

static void a_refused_replacement_leaves_the_order(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    DO(replace(0, 1, 2, 100, 100001)); /* off tick: the desk's refusal */
    DO(replace(0, 1, 3, 100, 0));      /* below the lowest price: the engine's */
    must_say(0, "S0 A1:B100x100000 J2:1d J3:1d");
    DO(replace(0, 1, 4, 50, 100000));
    must_say(0, "U1>4:50x100000L");
    end();
}

static void what_names_a_request_under_way_waits(void)
{
    begin();
    CHECK(enter(0, 1, 'B', 100, "AAA", 100000, '0') == TL_OUCH_TAKEN);
    CHECK(cancel(0, 1, 0) == TL_OUCH_LATER && replace(0, 1, 2, 5, 100000) == TL_OUCH_LATER);
    CHECK(tl_ouch_desk_pending(desk, 0) == 1);
    step();
    CHECK(replace(0, 1, 2, 50, 100000) == TL_OUCH_TAKEN);
    CHECK(cancel(0, 1, 0) == TL_OUCH_LATER && cancel(0, 2, 0) == TL_OUCH_LATER);
    step();
    CHECK(cancel(0, 1, 0) == TL_OUCH_PASSED);
    DO(cancel(0, 2, 0));
    must_say(0, "S0 A1:B100x100000 U1>2:50x100000L C2:50U");
    CHECK(tl_ouch_desk_pending(desk, 0) == 0);
    end();
}

static void a_full_lane_and_unanswered_requests_hold_the_next_one(void)
{
    begin();
    lane_full = true;
    CHECK(enter(0, 1, 'B', 100, "AAA", 100000, '0') == TL_OUCH_LATER);
    lane_full = false;
    for (uint32_t i = 1; i <= 64; i++)
        CHECK(enter(0, i, 'B', 1, "AAA", 100000, '0') == TL_OUCH_TAKEN);
    CHECK(enter(0, 65, 'B', 1, "AAA", 100000, '0') == TL_OUCH_LATER);
    step();
    DO(enter(0, 65, 'B', 1, "AAA", 100000, '0'));
    CHECK(streams[0][0].count == 66);
    end();
}

static void what_can_not_be_a_command_is_rejected_and_journaled(void)
{
    begin();
    DO(enter(0, 1, 'B', 100, "CCC", 100000, '0'));
    DO(enter(0, 2, 'B', 100, "AAA", 100001, '0'));
    DO(enter(0, 3, 'B', 150, "BBB", 100000, '0')); /* lots of 100 */
    DO(enter(0, 4, 'T', 100, "AAA", 100000, '0'));
    DO(enter(0, 5, 'B', 100, "AAA", UINT64_MAX / 100 * 100, '0'));
    must_say(0, "S0 J1:17 J2:1d J3:13 J4:9 J5:1d");
    DO(enter(0, 6, 'B', 200, "BBB", 100000, '0'));
    must_say(0, "A6:B200x100000");
    end();
}

static void the_engines_refusals_have_codes(void)
{
    begin();
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                         .instrument = 0,
                         .field = TL_TRADING_STATUS_HALTED});
    DO(enter(0, 1, 'B', 100, "AAA", 100000, '0'));
    command((tl_command){.type = TL_MSG_TYPE_LIMIT,
                         .instrument = 1,
                         .account = 0,
                         .field = TL_LIMIT_ORDER_VALUE_MAX,
                         .price = 1});
    DO(enter(0, 2, 'B', 100, "BBB", 100000, '0'));
    must_say(0, "S0 J1:7 J2:1f");
    end();
}

static void a_firm_is_one_of_the_sessions(void)
{
    uint8_t bytes[53];
    begin();
    enter(0, 1, 'B', 1, "AAA", 100000, '0');
    step();
    tl_ouch_enter of = {.type = 'O', .user_ref_num = 2, .side = 'B', .quantity = 7,
                        .symbol = "AAA     ", .price = 100000, .time_in_force = '0',
                        .display = 'Y', .capacity = 'P', .sweep = 'N', .cross_type = 'N',
                        .cl_ord_id = "              "};
    tl_ouch_enter_put((tl_ouch_enter_wire *)bytes, &of);
    CHECK(tl_ouch_put_options(bytes, 45, "FRMB") == 53);
    DO(ask(0, bytes, 53));
    CHECK(slots[sink.next - 1].account == 1);
    const uint8_t *m = streams[0][0].messages[2].bytes;
    CHECK(streams[0][0].messages[2].size == 70 && memcmp(m + 62, "\0\6\5\2FRMB", 8) == 0);
    tl_put_u32(bytes + 1, 3);
    memcpy(bytes + 49, "FRMC", 4);
    DO(ask(0, bytes, 53));
    must_say(0, "S0 A1:B1x100000 A2:B7x100000 J3:c");
    end();
}

static void order_entry_is_disabled_by_firm(void)
{
    begin();
    CHECK(of_firm(0, 'D', 1, "FRMA", "") == TL_OUCH_TAKEN);
    CHECK(enter(0, 2, 'B', 1, "AAA", 100000, '0') == TL_OUCH_TAKEN); /* at once */
    step();
    DO(of_firm(0, 'E', 3, "FRMA", ""));
    DO(enter(0, 4, 'B', 1, "AAA", 100000, '0'));
    CHECK(of_firm(0, 'D', 5, "FRMC", "") == TL_OUCH_PASSED);
    must_say(0, "S0 G1 J2:c K3 A4:B1x100000");
    end();
}

static void a_mass_cancel_is_answered_before_its_orders(void)
{
    begin();
    DO(enter(0, 1, 'B', 1, "AAA", 100000, '0'));
    DO(enter(0, 2, 'B', 100, "BBB", 100000, '0'));
    DO(of_firm(0, 'C', 3, "FRMA", "BBB"));
    must_say(0, "S0 A1:B1x100000 A2:B100x100000 X3 C2:100U");
    DO(of_firm(0, 'C', 4, "FRMA", ""));
    must_say(0, "X4 C1:1U");
    DO(of_firm(0, 'C', 5, "FRMA", ""));
    must_say(0, "X5");
    CHECK(of_firm(0, 'C', 6, "FRMA", "CCC") == TL_OUCH_PASSED);
    end();
}

static void a_query_tells_the_next_number(void)
{
    begin();
    DO(ask(0, (const uint8_t *)"Q", 1));
    DO(enter(0, 17, 'B', 1, "AAA", 100000, '0'));
    DO(ask(0, (const uint8_t *)"Q", 1));
    must_say(0, "S0 Q1 A17:B1x100000 Q18");
    end();
}

static void what_others_do_to_an_order_is_told(void)
{
    begin();
    DO(enter(0, 1, 'B', 10, "AAA", 100000, '0'));
    DO(enter(0, 2, 'B', 10, "AAA", 100000, '0'));
    says(0);
    command((tl_command){.type = TL_MSG_TYPE_CANCEL,
                         .order_id = slots[sink.next - 1].order_id,
                         .cl_ord_id = 9});
    must_say(0, "C2:10S");
    const uint64_t first = slots[sink.next - 3].order_id;
    command((tl_command){.type = TL_MSG_TYPE_REPLACE, .order_id = first, .price = 1001, .qty = 8,
                         .cl_ord_id = 10});
    must_say(0, "C1:2S T1");
    command((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                         .account = TL_ACCOUNT_ALL,
                         .instrument = TL_INSTRUMENT_ALL,
                         .flags = TL_FLAG_EXPIRE});
    must_say(0, "C1:8T");
    end();
}

static void who_leaves_has_his_orders_canceled(void)
{
    begin();
    for (uint32_t i = 1; i <= 20; i++)
        DO(enter(0, i, 'B', 1, "AAA", 100000, '0'));
    DO(enter(1, 1, 'B', 1, "AAA", 100000, '0'));
    uint32_t at = 0;
    lane_full = true;
    CHECK(tl_ouch_desk_leave(desk, 0, &at) == -EAGAIN);
    lane_full = false;
    CHECK(tl_ouch_desk_leave(desk, 0, &at) == 0);
    step();
    CHECK(streams[0][0].count == 41 && streams[0][1].count == 2);
    end();
}

static void what_is_no_request_is_passed_over(void)
{
    begin();
    CHECK(ask(0, (const uint8_t *)"Z", 1) == TL_OUCH_PASSED);
    CHECK(ask(0, (const uint8_t *)"O\0\0\0\1", 5) == TL_OUCH_PASSED);
    CHECK(ask(0, (const uint8_t *)"M\0\0\0\1S\0\0\0\1", 10) == TL_OUCH_PASSED);
    CHECK(tl_ouch_desk_count(desk, 0) == 0);
    end();
}

/* ── any flow, any kill ──────────────────────────────────────────────────────────────────────── */

static void random_request(uint64_t *random, uint32_t *next)
{
    const uint32_t session = (uint32_t)(random_next(random) % SESSIONS);
    const uint64_t price = 99000 + 50 * (random_next(random) % 40); /* half of them off tick */
    const uint32_t quantity = 1 + (uint32_t)(random_next(random) % 100);
    const uint32_t some = 1 + (uint32_t)(random_next(random) % (next[session] + 1));
    switch (random_next(random) % 12) {
    case 0:
        cancel(session, some, (uint32_t)(random_next(random) % 3) * 20);
        return;
    case 1:
        replace(session, some, ++next[session], quantity, price);
        return;
    case 2:
        if (random_next(random) % 8 == 0)
            of_firm(session, "CDEE"[random_next(random) % 4], ++next[session],
                    session == 0 ? "FRMA" : session == 1 ? "FRMB" : "FRMC", "");
        return;
    case 3:
        ask(session, (const uint8_t *)"Q", 1);
        return;
    default:
        enter(session, ++next[session], "BS"[random_next(random) % 2], quantity, "AAA", price,
              "003"[random_next(random) % 3]);
    }
}

/* A desk that dies is followed by one that has the journal, and what the lane still holds. */
static void die(void)
{
    step();
    check_replay();
    tl_ouch_desk *next = open_desk(0);
    uint64_t from = 0;
    for (uint32_t i = 0; i < journaled; i++) {
        CHECK(tl_ouch_desk_replay(next, &journal[i], 1, &slots[from],
                                  (size_t)(event_end[i] - from)) == 0);
        from = event_end[i];
    }
    tl_ouch_desk_named(next);
    tl_ouch_desk_close(desk);
    desk = next;
}

static void the_journal_gives_the_same_streams(uint64_t seed)
{
    uint64_t random = seed;
    uint32_t next[SESSIONS] = {0};
    begin();
    for (int i = 0; i < 3000; i++) {
        random_request(&random, next);
        if (random_next(&random) % 3 == 0)
            step();
        if (random_next(&random) % 500 == 0)
            die();
    }
    step();
    CHECK(streams[0][0].count > 500);
    end();
}

int main(void)
{
    an_order_is_accepted_with_what_was_entered();
    both_sides_of_a_trade_are_told();
    a_user_ref_num_acts_once();
    a_cancel_takes_off_all_or_some();
    a_replacement_goes_on_under_its_number();
    a_refused_replacement_leaves_the_order();
    what_names_a_request_under_way_waits();
    a_full_lane_and_unanswered_requests_hold_the_next_one();
    what_can_not_be_a_command_is_rejected_and_journaled();
    the_engines_refusals_have_codes();
    a_firm_is_one_of_the_sessions();
    order_entry_is_disabled_by_firm();
    a_mass_cancel_is_answered_before_its_orders();
    a_query_tells_the_next_number();
    what_others_do_to_an_order_is_told();
    who_leaves_has_his_orders_canceled();
    what_is_no_request_is_passed_over();
    for (uint64_t seed = 1; seed <= 10; seed++)
        the_journal_gives_the_same_streams(seed);
    return 0;
}
