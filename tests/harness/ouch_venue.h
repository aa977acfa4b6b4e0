/* What the tests of the OUCH desk share: a desk and an engine, and nothing between them. What the
 * desk submits waits until step(), so a test says in which order things arrive. Every test ends
 * with a desk that has the journal alone and must send the same. */
#ifndef TOUCHLINE_TEST_OUCH_VENUE_H
#define TOUCHLINE_TEST_OUCH_VENUE_H

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
#define TODAY_NS (INT64_C(86400000000000) * 20000) /* midnight; a command a nanosecond follows */

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
static int64_t late_ns; /* how much later it is than the commands' number says */
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
static uint32_t others; /* requests that another lane's command may come into */
static const char *why;

static inline int on_send(void *context, uint32_t session, uint64_t number, const uint8_t *message,
                          size_t size)
{
    stream *of = (stream *)context + session;
    CHECK(number == of->count + 1u && of->count < STREAM_MAX && size <= TL_OUCH_ANSWER_MAX);
    of->messages[of->count].size = (uint8_t)size;
    memcpy(of->messages[of->count++].bytes, message, size);
    return 0;
}

static inline int on_submit(void *context, const tl_command *commands, uint32_t count)
{
    (void)context;
    if (lane_full)
        return -EAGAIN;
    CHECK(count <= TL_OUCH_SUBMIT_MAX && journaled + count + 1 <= JOURNAL_MAX);
    for (uint32_t i = 0; i < count; i++) {
        /* Another lane's, between a request's TEXT and its command. */
        if (i > 0 && ++others % 3 == 0)
            journal[journaled++] = (tl_command){.type = TL_MSG_TYPE_CANCEL,
                                                .order_id = others,
                                                .cl_ord_id = UINT64_C(1) << 32 | others};
        journal[journaled++] = commands[i];
    }
    return 0;
}

static uint64_t on_number(void *context)
{
    (void)context;
    return (uint64_t)LANE << 32 | ++counter;
}

static inline tl_ouch_desk *open_desk(int which)
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
static inline void step(void)
{
    for (; stepped < journaled; stepped++) {
        tl_command *cmd = &journal[stepped];
        cmd->ts_ns = TODAY_NS + stepped + late_ns;
        tl_engine_step(engine, cmd, &sink);
        CHECK(sink.next < SLOTS);
        event_end[stepped] = sink.next;
    }
    CHECK(tl_ouch_desk_events(desk, &slots[applied], (size_t)(sink.next - applied)) == 0);
    applied = sink.next;
}

static inline void command(tl_command cmd)
{
    journal[journaled++] = cmd;
    step();
}

static inline void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    memcpy(tl_command_text(&cmd), text, strlen(text));
    CHECK(tl_ouch_desk_name(desk, &cmd) == 0);
    command(cmd);
}

static inline void list(uint16_t instrument, const char *symbol, const char *lot)
{
    name(TL_TEXT_SYMBOL, instrument, symbol);
    name(TL_TEXT_TICK_SIZE, instrument, "0.01");
    name(TL_TEXT_LOT_SIZE, instrument, lot);
    command((tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = instrument});
    tl_ouch_desk_named(desk);
}

static inline void begin(void)
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
static inline void check_replay(void)
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

static inline void end(void)
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

static inline void must_say(uint32_t session, const char *expected)
{
    const char *text = says(session);
    if (strcmp(text, expected) != 0) {
        fprintf(stderr, "said     %s\nexpected %s\n", text, expected);
        abort();
    }
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────── */

static inline tl_ouch_taken ask(uint32_t session, const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size); /* so that a read past the end is seen */
    CHECK(copy != NULL);
    memcpy(copy, bytes, size);
    tl_ouch_desk_ahead(desk, session, copy, size);
    const tl_ouch_taken taken = tl_ouch_desk_request(desk, session, copy, size, TODAY_NS, &why);
    free(copy);
    CHECK((taken == TL_OUCH_PASSED) == (*why != '\0'));
    return taken;
}

static inline tl_ouch_taken enter(uint32_t session, uint32_t number, char side, uint32_t quantity,
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
    char text[16];
    const int length = snprintf(text, sizeof text, "C%u", number);
    tl_put_text(of.cl_ord_id, 14, text, (size_t)length);
    tl_ouch_enter_put((tl_ouch_enter_wire *)bytes, &of);
    return ask(session, bytes, sizeof bytes);
}

static inline tl_ouch_taken replace(uint32_t session, uint32_t orig, uint32_t number,
                                    uint32_t quantity, uint64_t price)
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

static inline tl_ouch_taken cancel(uint32_t session, uint32_t number, uint32_t quantity)
{
    uint8_t bytes[9];
    const tl_ouch_cancel of = {.type = 'X', .user_ref_num = number, .quantity = quantity};
    tl_ouch_cancel_put((tl_ouch_cancel_wire *)bytes, &of);
    return ask(session, bytes, sizeof bytes);
}

static inline tl_ouch_taken of_firm(uint32_t session, char type, uint32_t number, const char *firm,
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

#endif
