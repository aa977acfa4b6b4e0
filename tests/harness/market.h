/* What the tests of market data share: an engine whose events the market is told of, sessions in
 * three versions that ask, and clients that keep the books they are told of. All that is sent is
 * held against its dictionary. Messages are written with '|' for SOH. */
#ifndef TOUCHLINE_TEST_MARKET_H
#define TOUCHLINE_TEST_MARKET_H

#define _GNU_SOURCE /* memmem */

#include "check.h"
#include "touchline/core/engine.h"
#include "touchline/wire/fix_market.h"
#include "touchline/wire/fix_text.h"

#include <stdarg.h>

#define INSTRUMENTS 3u
#define ORDERS 4096u
#define BLOCKS 256u
#define SLOTS 8192u
#define SESSIONS 3u
#define LEVELS_MAX 4096u
#define BOOKS 12u
#define SENT_BYTES (1u << 22)

typedef struct side { /* as a client knows it */
    tl_level_view levels[LEVELS_MAX];
    uint32_t count;
} side;

typedef struct client { /* of one MDReqID, "0" to "11" */
    side sides[2];
    uint64_t trades, missed, last_trade;
    uint32_t instrument, depth, messages;
    bool subscribed;
} client;

static const char *const symbols[INSTRUMENTS] = {"AAA", "BBB", "CCC"};
static const char *const versions[SESSIONS] = {"FIX.4.4", "FIX.4.2", "FIXT.1.1"};
static tl_event slots[SLOTS];
static tl_event_sink sink = {slots, SLOTS - 1, 0};
static tl_engine *engine;
static tl_fix_names names;
static tl_fix_market *market;
static tl_fix_message message;
static client clients[BOOKS];
static bool ready[SESSIONS];
static bool keeping = true; /* books, as told */
static char sent[SENT_BYTES]; /* since `ask` or `clear` */
static size_t sent_size;
static uint32_t sent_count;
static uint64_t traded[INSTRUMENTS];
static int seq;

static inline const tl_fix_dialect *dialect_of(uint32_t session)
{
    return tl_fix_dialect_find(versions[session], session == 2 ? "9" : "");
}

/* What comes out */

static inline uint64_t number_of(const char *entry, size_t size, const char *tag, bool *there)
{
    uint64_t number = 0;
    const size_t tag_size = strlen(tag);
    *there = false;
    for (size_t i = 0; i + tag_size < size; i++) {
        if (memcmp(entry + i, tag, tag_size) != 0 || (i > 0 && entry[i - 1] != TL_FIX_SOH))
            continue;
        size_t end = i + tag_size;
        while (end < size && entry[end] >= '0' && entry[end] <= '9')
            end++;
        CHECK(tl_fix_read_uint(entry + i + tag_size, end - i - tag_size, &number));
        *there = true;
        return number;
    }
    return 0;
}

static inline uint64_t must(const char *entry, size_t size, const char *tag)
{
    bool there;
    const uint64_t number = number_of(entry, size, tag, &there);
    CHECK(there);
    return number;
}

static inline void apply_level(client *to, char action, const char *entry, size_t size)
{
    side *of = &to->sides[must(entry, size, "269=")];
    const uint64_t position = must(entry, size, "290=");
    const int64_t price = (int64_t)must(entry, size, "270=");
    CHECK(position >= 1 && position <= of->count + (action == '0'));
    tl_level_view *level = &of->levels[position - 1];
    if (action == '0') {
        CHECK(of->count < LEVELS_MAX);
        memmove(level + 1, level, (of->count++ - (position - 1)) * sizeof *level);
    } else {
        CHECK(level->price == price); /* by price or by place: the same level is meant */
    }
    if (action == '2') {
        memmove(level, level + 1, (--of->count - (position - 1)) * sizeof *level);
        return;
    }
    *level = (tl_level_view){.price = price,
                             .qty = must(entry, size, "271="),
                             .orders = (uint32_t)must(entry, size, "346=")};
}

static inline void apply_trade(client *to, bool whole, const char *entry, size_t size)
{
    bool there;
    uint64_t missed = number_of(entry, size, "58=", &there);
    CHECK(must(entry, size, "271=") > 0);
    if (whole)
        return;
    const uint64_t id = must(entry, size, "278=");
    CHECK(id > to->last_trade);
    to->last_trade = id;
    to->trades++;
    to->missed += there ? missed : 0;
}

/* Entries of a W or X, one after another, as a client would do it. */
static inline void apply(const char *msg_type, const char *body, size_t size)
{
    const bool whole = msg_type[0] == 'W';
    const char *begin = whole ? "\x01" "269=" : "\x01" "279=";
    const char *id = (const char *)memmem(body, size, "\x01" "262=", 5);
    id = id == NULL ? body + 4 : id + 5;
    if (*id < '0' || *id > '9')
        return; /* of a test that looks at what was sent itself */
    client *to = &clients[must(body, size, "262=") % BOOKS];
    const uint64_t count = must(body, size, "268=");
    const char *end = body + size;
    const char *entry = memmem(body, size, begin, 5);
    uint64_t seen = 0;
    to->messages++;
    if (whole)
        to->sides[0].count = to->sides[1].count = 0;
    while (entry != NULL) {
        entry++;
        const char *next = memmem(entry, (size_t)(end - entry), begin, 5);
        const size_t bytes = (size_t)((next == NULL ? end : next + 1) - entry);
        if (must(entry, bytes, "269=") == 2)
            apply_trade(to, whole, entry, bytes);
        else
            apply_level(to, whole ? '0' : entry[4], entry, bytes);
        seen++;
        entry = next;
    }
    CHECK(seen == count);
}

/* What is sent is right by its dictionary. */
static inline void check_valid(uint32_t session, const char *msg_type, const char *body,
                               size_t size)
{
    static char whole[TL_FIX_MARKET_BODY + 512];
    const tl_fix_dialect *dialect = dialect_of(session);
    char head[256];
    const int head_size = snprintf(head, sizeof head,
                                   "35=%s\x01" "34=7\x01" "49=V\x01" "52=20260101-00:00:00\x01"
                                   "56=B\x01", msg_type);
    int at = snprintf(whole, sizeof whole, "8=%s\x01" "9=%zu\x01%s", dialect->begin_string,
                      (size_t)head_size + size, head);
    memcpy(whole + at, body, size);
    at += (int)size;
    at += snprintf(whole + at, sizeof whole - (size_t)at, "10=%03u\x01",
                   tl_fix_checksum(whole, (size_t)at));
    CHECK(tl_fix_parse(&message, dialect, whole, (size_t)at) == 0);
    const tl_fix_verdict verdict = tl_fix_check(&message, dialect);
    if (verdict.reason != -1 || verdict.business != 0) {
        fprintf(stderr, "%s %s: %s (%u) in %.*s\n", dialect->begin_string, msg_type,
                verdict.text, verdict.ref_tag, at, whole);
        abort();
    }
}

static inline int on_send(void *nothing, uint32_t session, const char *msg_type, const char *body,
                          size_t size, bool passing)
{
    (void)nothing;
    CHECK(size <= TL_FIX_MARKET_BODY);
    CHECK(passing == (strchr("WXfh", msg_type[0]) != NULL));
    check_valid(session, msg_type, body, size);
    if (keeping && (msg_type[0] == 'W' || msg_type[0] == 'X'))
        apply(msg_type, body, size);
    if (sent_size + size + 16 < SENT_BYTES) {
        sent_size += (size_t)sprintf(sent + sent_size, "35=%s|", msg_type);
        for (size_t i = 0; i < size; i++)
            sent[sent_size++] = body[i] == TL_FIX_SOH ? '|' : body[i];
        sent[sent_size++] = '\n';
        sent[sent_size] = 0;
    }
    sent_count++;
    return 0;
}

static inline bool on_ready(void *nothing, uint32_t session)
{
    (void)nothing;
    return ready[session];
}

static inline void clear(void)
{
    sent_size = sent_count = 0;
    sent[0] = 0;
}

/* Until all that is due has been told. */
static inline void settle(void)
{
    for (uint32_t before = sent_count + 1; before != sent_count;) {
        before = sent_count;
        CHECK(tl_fix_market_write(market, 1000000) == 0);
    }
}

static inline void check_said(const char *wanted)
{
    if (strstr(sent, wanted) == NULL) {
        fprintf(stderr, "'%s' is not in '%.2000s'\n", wanted, sent);
        abort();
    }
}

/* What goes in */

static inline tl_fix_asked ask_as(tl_fix_asker asker, bool may_wait, const char *fields)
{
    static char text[65536];
    const tl_fix_dialect *dialect = dialect_of(asker.session);
    char type[8];
    const char *rest = strchr(fields, '|') + 1;
    snprintf(type, sizeof type, "%.*s", (int)(rest - 1 - fields), fields);
    char body[32768];
    int size = snprintf(body, sizeof body, "35=%s|34=%d|49=B|52=20260101-00:00:00|56=V|%s", type,
                        ++seq, rest);
    for (int i = 0; i < size; i++)
        body[i] = body[i] == '|' ? TL_FIX_SOH : body[i];
    int at = snprintf(text, sizeof text, "8=%s\x01" "9=%d\x01%s", dialect->begin_string, size,
                      body);
    at += snprintf(text + at, sizeof text - (size_t)at, "10=%03u\x01",
                   tl_fix_checksum(text, (size_t)at));
    CHECK(tl_fix_parse(&message, dialect, text, (size_t)at) == 0);
    const tl_fix_verdict verdict = tl_fix_check(&message, dialect);
    if (verdict.reason != -1) { /* the session refuses it before it comes here */
        clear();
        sent_size = (size_t)sprintf(sent, "35=3|373=%d|371=%u|", verdict.reason, verdict.ref_tag);
        return TL_FIX_ASKED_DONE;
    }
    CHECK(tl_fix_market_serves(message.type));
    return tl_fix_market_request(market, &asker, &message, 1000000, may_wait, false);
}

__attribute__((format(printf, 2, 3))) static inline tl_fix_asked ask(uint32_t session,
                                                                     const char *format, ...)
{
    char fields[32768];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fields, sizeof fields, format, arguments);
    va_end(arguments);
    const tl_fix_asker asker = {session, dialect_of(session), 3, true};
    clear();
    return ask_as(asker, false, fields);
}

static inline void step(const tl_command *cmd)
{
    sink.next = 0;
    tl_engine_step(engine, cmd, &sink);
    for (uint64_t i = 0; i < sink.next; i++)
        if (slots[i].exec_type == TL_EXEC_TYPE_TRADE)
            traded[slots[i].instrument]++;
    tl_fix_market_events(market, slots, (size_t)sink.next);
}

static inline void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    strcpy(tl_command_text(&cmd), text);
    CHECK(tl_fix_names_take(&names, &cmd) == 0);
}

static inline void begin_with(uint32_t orders_max)
{
    const tl_engine_capacities capacities = {INSTRUMENTS, 2, ORDERS, 16, BLOCKS};
    const tl_fix_market_config config = {SESSIONS, INSTRUMENTS, orders_max, BLOCKS};
    const tl_fix_market_hooks hooks = {NULL, &names, on_send, on_ready};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    tl_fix_names_open(&names, INSTRUMENTS, 2);
    CHECK(tl_fix_market_open(&market, &config, &hooks) == 0);
    for (uint32_t i = 0; i < INSTRUMENTS; i++) {
        name(TL_TEXT_SYMBOL, i, symbols[i]);
        name(TL_TEXT_TICK_SIZE, i, "1");
        name(TL_TEXT_LOT_SIZE, i, "1");
        const tl_command cmd = {.type = TL_MSG_TYPE_SECURITY_DEFINITION,
                                .instrument = (uint16_t)i};
        step(&cmd);
    }
    name(TL_TEXT_CURRENCY, 0, "EUR");
    for (uint32_t i = 0; i < 2; i++) {
        const tl_command cmd = {.type = TL_MSG_TYPE_ACCOUNT, .account = i};
        step(&cmd);
    }
    memset(clients, 0, sizeof clients);
    memset(traded, 0, sizeof traded);
    for (uint32_t i = 0; i < SESSIONS; i++)
        ready[i] = true;
    clear();
}

static inline void begin(void)
{
    begin_with(ORDERS);
}

static inline void end(void)
{
    tl_fix_market_close(market);
    tl_fix_names_close(&names);
    tl_engine_close(engine);
}

static inline void order(uint16_t instrument, uint8_t of_side, int64_t price, int64_t qty)
{
    const tl_command cmd = {.type = TL_MSG_TYPE_NEW_ORDER,
                            .instrument = instrument,
                            .account = of_side == TL_SIDE_BUY ? 0 : 1,
                            .side = of_side,
                            .ord_type = TL_ORD_TYPE_LIMIT,
                            .time_in_force = TL_TIME_IN_FORCE_DAY,
                            .price = price,
                            .qty = qty,
                            .ts_ns = INT64_C(1767225600000000000)};
    step(&cmd);
}

#endif
