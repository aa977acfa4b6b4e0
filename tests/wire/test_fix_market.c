/* Market data: what is told, held against the dictionary and against the engine's own books; and
 * what is refused. Messages are written with '|' for SOH. */
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
#define STEPS 12000

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
static char sent[SENT_BYTES]; /* since `ask` or `clear` */
static size_t sent_size;
static uint32_t sent_count;
static uint64_t traded[INSTRUMENTS];
static int seq;

static const tl_fix_dialect *dialect_of(uint32_t session)
{
    return tl_fix_dialect_find(versions[session], session == 2 ? "9" : "");
}

/* What comes out */

static uint64_t number_of(const char *entry, size_t size, const char *tag, bool *there)
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

static uint64_t must(const char *entry, size_t size, const char *tag)
{
    bool there;
    const uint64_t number = number_of(entry, size, tag, &there);
    CHECK(there);
    return number;
}

static void apply_level(client *to, char action, const char *entry, size_t size)
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

static void apply_trade(client *to, bool whole, const char *entry, size_t size)
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
static void apply(const char *msg_type, const char *body, size_t size)
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
static void check_valid(uint32_t session, const char *msg_type, const char *body, size_t size)
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

static int on_send(void *nothing, uint32_t session, const char *msg_type, const char *body,
                   size_t size, bool passing)
{
    (void)nothing;
    CHECK(size <= TL_FIX_MARKET_BODY);
    CHECK(passing == (strchr("WXfh", msg_type[0]) != NULL));
    check_valid(session, msg_type, body, size);
    if (msg_type[0] == 'W' || msg_type[0] == 'X')
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

static bool on_ready(void *nothing, uint32_t session)
{
    (void)nothing;
    return ready[session];
}

static void clear(void)
{
    sent_size = sent_count = 0;
    sent[0] = 0;
}

/* Until all that is due has been told. */
static void settle(void)
{
    for (uint32_t before = sent_count + 1; before != sent_count;) {
        before = sent_count;
        CHECK(tl_fix_market_write(market, 1000000) == 0);
    }
}

static void check_said(const char *wanted)
{
    if (strstr(sent, wanted) == NULL) {
        fprintf(stderr, "'%s' is not in '%.2000s'\n", wanted, sent);
        abort();
    }
}

/* What goes in */

static tl_fix_asked ask_as(tl_fix_asker asker, bool may_wait, const char *fields)
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

__attribute__((format(printf, 2, 3))) static tl_fix_asked ask(uint32_t session, const char *format,
                                                              ...)
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

static void step(const tl_command *cmd)
{
    sink.next = 0;
    tl_engine_step(engine, cmd, &sink);
    for (uint64_t i = 0; i < sink.next; i++)
        if (slots[i].exec_type == TL_EXEC_TYPE_TRADE)
            traded[slots[i].instrument]++;
    tl_fix_market_events(market, slots, (size_t)sink.next);
}

static void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = field, .key = key};
    strcpy(tl_command_text(&cmd), text);
    CHECK(tl_fix_names_take(&names, &cmd) == 0);
}

static void begin_with(uint32_t orders_max)
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

static void begin(void)
{
    begin_with(ORDERS);
}

static void end(void)
{
    tl_fix_market_close(market);
    tl_fix_names_close(&names);
    tl_engine_close(engine);
}

static void order(uint16_t instrument, uint8_t of_side, int64_t price, int64_t qty)
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

/* The rules */

/* Mostly orders near each other; `spread` ticks wide. */
static tl_command random_command(uint64_t *state, uint64_t spread)
{
    static const uint8_t kinds[8] = {TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_NEW_ORDER, TL_MSG_TYPE_NEW_ORDER,
                                     TL_MSG_TYPE_CANCEL,    TL_MSG_TYPE_REPLACE,
                                     TL_MSG_TYPE_REPLACE,   TL_MSG_TYPE_MASS_CANCEL};
    static const uint8_t times[4] = {TL_TIME_IN_FORCE_DAY, TL_TIME_IN_FORCE_GTC,
                                     TL_TIME_IN_FORCE_IOC, TL_TIME_IN_FORCE_FOK};
    const uint64_t r = random_next(state);
    tl_command cmd = {.type = kinds[r % 8],
                      .instrument = (uint16_t)((r >> 3 & 1023) % INSTRUMENTS),
                      .account = (uint32_t)(r >> 13 & 1),
                      .side = r >> 14 & 1 ? TL_SIDE_BUY : TL_SIDE_SELL,
                      .ord_type = r >> 15 & 15 ? TL_ORD_TYPE_LIMIT : TL_ORD_TYPE_MARKET,
                      .time_in_force = times[r >> 19 & 3],
                      .price = (int64_t)(1000 + (r >> 21 & 4095) % spread),
                      .qty = (int64_t)(1 + (r >> 33 & 15)),
                      .ts_ns = INT64_C(1767225600000000000)};
    if (cmd.ord_type == TL_ORD_TYPE_MARKET)
        cmd.price = 0;
    if (cmd.type == TL_MSG_TYPE_CANCEL || cmd.type == TL_MSG_TYPE_REPLACE)
        cmd.order_id = (1 + (r >> 37 & 15)) << 32 | (r >> 41 & 511);
    if (cmd.type == TL_MSG_TYPE_MASS_CANCEL && r >> 50 & 255)
        cmd.type = TL_MSG_TYPE_NEW_ORDER;
    return cmd;
}

/* Every client has the engine's book, as deep as it asked for. */
static void reconcile(void)
{
    static tl_level_view views[LEVELS_MAX];
    for (uint32_t i = 0; i < BOOKS; i++) {
        const client *of = &clients[i];
        if (!of->subscribed)
            continue;
        for (unsigned s = 0; s < 2; s++) {
            const uint32_t count =
                tl_engine_depth(engine, (uint16_t)of->instrument,
                                s == 0 ? TL_SIDE_BUY : TL_SIDE_SELL, views, of->depth);
            CHECK(count == of->sides[s].count);
            for (uint32_t j = 0; j < count; j++) {
                CHECK(views[j].price == of->sides[s].levels[j].price);
                CHECK(views[j].qty == of->sides[s].levels[j].qty);
                CHECK(views[j].orders == of->sides[s].levels[j].orders);
            }
        }
    }
}

/* A session each of three versions; depth 1, 5, all; and one in full each time. */
static void subscribe_all(void)
{
    static const uint32_t depths[4] = {1, 5, 0, 5};
    for (uint32_t i = 0; i < BOOKS; i++) {
        const uint32_t depth = depths[i % 4];
        ask(i / 4, "V|262=%u|263=1|264=%u|265=%u|267=3|269=0|269=1|269=2|146=1|55=%s|", i, depth,
            i % 4 != 3, symbols[i % INSTRUMENTS]);
        CHECK(sent_count == 0);
        clients[i].instrument = i % INSTRUMENTS;
        clients[i].depth = depth == 0 ? LEVELS_MAX : depth;
        clients[i].subscribed = true;
    }
}

static void run(uint64_t seed, uint64_t spread)
{
    uint64_t state = seed, before[INSTRUMENTS] = {0};
    begin();
    for (int i = 0; i < 2000; i++) {
        const tl_command cmd = random_command(&state, spread);
        step(&cmd);
    }
    memcpy(before, traded, sizeof before);
    subscribe_all();
    settle();
    reconcile();
    for (int i = 0; i < STEPS; i++) {
        const tl_command cmd = random_command(&state, spread);
        step(&cmd);
        for (uint32_t s = 0; s < SESSIONS; s++) /* one keeps up, one seldom, one hardly ever */
            ready[s] = random_next(&state) % (s == 0 ? 1 : s == 1 ? 20 : 300) == 0;
        CHECK(tl_fix_market_write(market, 1000000) == 0);
        if (i % 500 == 499) {
            ready[0] = ready[1] = ready[2] = true;
            settle();
            reconcile();
        }
    }
    for (uint32_t i = 0; i < BOOKS; i++)
        if (i % 4 != 3)
            CHECK(clients[i].trades + clients[i].missed ==
                  traded[clients[i].instrument] - before[clients[i].instrument]);
    CHECK(clients[0].missed == 0 && clients[0].trades > 0);
    CHECK(clients[8].messages < clients[0].messages);
    end();
}

static void a_client_has_the_engines_book(void)
{
    run(1, 40);
    run(2, 400);
    run(3, 2500);
}

static void what_does_not_fit_a_snapshot_follows(void)
{
    begin();
    for (int64_t i = 0; i < 900; i++) {
        order(0, TL_SIDE_BUY, 1000 - i, 5);
        order(0, TL_SIDE_SELL, 2000 + i, 5);
    }
    clients[0] = (client){.depth = LEVELS_MAX, .subscribed = true};
    ask(0, "V|262=0|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=AAA|");
    settle();
    check_said("35=W|55=AAA|262=0|");
    check_said("35=X|262=0|");
    CHECK(sent_count > 4);
    reconcile();
    clients[1] = (client){.depth = LEVELS_MAX};
    ask(0, "V|262=1|263=0|264=0|267=1|269=0|146=1|55=AAA|");
    settle();
    check_said("35=Y|58=the book of AAA has more levels than a message holds|262=1|281=5|");
    ask(0, "V|262=1|263=0|264=100|267=1|269=0|146=1|55=AAA|");
    settle();
    CHECK(clients[1].sides[0].count == 100 && clients[1].sides[1].count == 0);
    CHECK(tl_fix_market_items(market, 0) == 1);
    end();
}

static void levels_and_trades_are_told_as_they_come(void)
{
    begin();
    order(0, TL_SIDE_BUY, 1000, 5);
    ask(0, "V|262=3|263=1|264=0|265=1|267=3|269=0|269=1|269=2|146=1|55=AAA|");
    settle();
    check_said("35=W|55=AAA|262=3|268=1|269=0|270=1000|271=5|346=1|290=1|\n");
    clear();
    order(0, TL_SIDE_BUY, 1001, 7);
    order(0, TL_SIDE_BUY, 1000, 1);
    settle();
    check_said("35=X|262=3|268=2|279=0|269=0|55=AAA|270=1001|271=7|346=1|290=1|"
               "279=1|269=0|55=AAA|270=1000|271=6|346=2|290=2|\n");
    clear();
    order(0, TL_SIDE_SELL, 1001, 7);
    settle();
    check_said("|268=2|279=0|269=2|278=");
    check_said("|55=AAA|270=1001|271=7|272=20260101|273=00:00:00.000|"
               "279=2|269=0|55=AAA|270=1001|290=1|\n");
    clear();
    order(1, TL_SIDE_BUY, 1000, 5);
    settle();
    CHECK(sent_count == 0);
    ask(0, "V|262=3|263=2|264=0|267=1|269=0|146=1|55=AAA|");
    CHECK(tl_fix_market_items(market, 0) == 0 && sent_count == 0);
    order(0, TL_SIDE_BUY, 1001, 7);
    settle();
    CHECK(sent_count == 0);
    end();
}

static void what_comes_and_goes_unseen_is_not_told(void)
{
    begin();
    ask(0, "V|262=0|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=AAA|");
    settle();
    check_said("268=0|");
    clear();
    ready[0] = false;
    for (int i = 0; i < 1000; i++) {
        order(0, TL_SIDE_BUY, 1000, 5);
        order(0, TL_SIDE_SELL, 1000, 5);
        settle();
    }
    ready[0] = true;
    settle();
    CHECK(sent_count == 0);
    end();
}

static void requests_are_refused_by_name(void)
{
    begin();
    static const struct {
        const char *fields, *answer;
    } cases[] = {
        {"V|262=a|263=0|264=0|267=1|269=0|146=1|55=ZZZ|", "Y|58=unknown symbol ZZZ|262=a|281=0|"},
        {"V|262=a|263=0|264=-1|267=1|269=0|146=1|55=AAA|", "262=a|281=5|"},
        {"V|262=a|263=0|264=99999999999|267=1|269=0|146=1|55=AAA|", "262=a|281=5|"},
        {"V|262=a|263=1|264=0|265=7|267=1|269=0|146=1|55=AAA|", "35=3|373=5|371=265|"},
        {"V|262=a|263=1|264=0|267=1|269=0|146=1|55=AAA|", "35=j|45="},
        {"V|262=a|263=9|264=0|267=1|269=0|146=1|55=AAA|", "35=3|373=5|371=263|"},
        {"V|262=a|263=0|264=0|266=N|267=1|269=0|146=1|55=AAA|", "262=a|281=7|"},
        {"V|262=a|263=0|264=0|267=1|269=4|146=1|55=AAA|", "262=a|281=8|"},
        {"V|262=a|263=0|264=0|267=1|269=0|146=1|55=AAA|48=X|", "262=a|281=0|"},
        {"V|262=a|263=0|264=0|267=1|269=0|146=1|55=AAA|48=AAA|22=8|", ""},
        {"V|262=a|263=0|264=0|267=1|269=0|146=2|55=BBB|55=BBB|", "BBB is there twice|262=a|\n"},
        {"V|262=a|263=0|264=0|547=Y|267=1|269=0|146=1|55=AAA|", "262=a|281=C|"},
        {"V|262=a|263=0|264=0|546=1|267=1|269=0|146=1|55=AAA|", "262=a|281=A|"},
        {"V|262=a|263=0|264=0|386=1|336=1|267=1|269=0|146=1|55=AAA|", "262=a|281=9|"},
        {"V|262=a|263=0|264=0|812=1|267=1|269=0|146=1|55=AAA|", "field 812 is not offered"},
        {"V|262=b|263=2|264=0|267=1|269=0|146=1|55=AAA|", "b names no subscription|262=b|\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK(ask(0, "%s", cases[i].fields) == TL_FIX_ASKED_DONE);
        check_said(cases[i].answer);
        settle();
        CHECK(tl_fix_market_items(market, 0) == 0);
    }
    ask(0, "V|262=%0100d|263=0|264=0|267=1|269=0|146=1|55=AAA|", 1);
    check_said("58=field 262 is 100 bytes long; allowed are 64|372=V|380=0|");
    ask(0, "V|262=a|263=1|264=0|265=1|267=1|269=0|146=1|55=AAA|");
    ask(0, "V|262=a|263=0|264=0|267=1|269=0|146=1|55=BBB|");
    check_said("58=MDReqID a is in use|262=a|281=1|");
    clear();
    const tl_fix_asker barred = {1, dialect_of(1), 3, false};
    ask_as(barred, false, "V|262=a|263=0|264=0|267=1|269=0|146=1|55=AAA|");
    check_said("Y|58=the session may not have market data|262=a|281=3|");
    end();
}

static void what_a_session_may_ask_for_is_bounded(void)
{
    char fields[4096];
    begin();
    ready[0] = ready[1] = false;
    for (uint32_t i = 0; i < TL_FIX_ITEMS_MAX; i++) {
        ask(0, "V|262=%u|263=1|264=1|265=1|267=1|269=0|146=1|55=AAA|", i % BOOKS + i * BOOKS);
        CHECK(sent_count == 0);
    }
    CHECK(tl_fix_market_items(market, 0) == TL_FIX_ITEMS_MAX);
    ask(0, "V|262=x|263=1|264=1|265=1|267=1|269=0|146=1|55=AAA|");
    check_said("58=more than 256 subscriptions of a session|262=x|281=2|");
    ask(0, "e|324=x|55=AAA|263=1|");
    check_said("35=j|");
    ask(0, "e|324=x|55=AAA|263=0|");
    check_said("35=f|55=AAA|");
    ask(0, "g|335=x|263=1|");
    check_said("35=j|");
    size_t at = (size_t)sprintf(fields, "V|262=x|263=0|264=1|267=1|269=0|146=65|");
    for (int i = 0; i < 65; i++)
        at += (size_t)sprintf(fields + at, "55=%s|", symbols[i % 3]);
    ask(1, "%s", fields);
    check_said("is there twice|262=x|\n"); /* 64 that differ there are not, here */
    /* What is asked for once makes room when it is told: it waits, unless it has waited. */
    for (uint32_t i = 0; i < TL_FIX_ITEMS_MAX; i++)
        ask(1, "V|262=s%u|263=0|264=1|267=1|269=0|146=1|55=AAA|", i);
    const tl_fix_asker asker = {1, dialect_of(1), 3, true};
    CHECK(ask_as(asker, true, "V|262=s|263=0|264=1|267=1|269=0|146=1|55=AAA|") ==
          TL_FIX_ASKED_LATER);
    CHECK(ask_as(asker, false, "V|262=s|263=0|264=1|267=1|269=0|146=1|55=AAA|") ==
          TL_FIX_ASKED_DONE);
    check_said("262=s|281=2|");
    tl_fix_market_left(market, 0);
    tl_fix_market_left(market, 1);
    CHECK(tl_fix_market_items(market, 0) == 0 && tl_fix_market_items(market, 1) == 0);
    ready[0] = ready[1] = true;
    clear();
    order(0, TL_SIDE_BUY, 1000, 5);
    settle();
    CHECK(sent_count == 0);
    end();
}

static void instruments_are_listed(void)
{
    begin();
    ask(0, "x|320=q|559=4|");
    settle();
    check_said("|393=3|560=0|893=Y|146=3|55=AAA|15=EUR|561=1|58=tick size 1, lot size 1|55=BBB|");
    ask(2, "x|320=q|559=0|55=CCC|");
    check_said("|393=1|560=0|893=Y|146=1|55=CCC|969=1|561=1|58=");
    ask(0, "x|320=q|559=0|55=ZZZ|");
    check_said("|560=2|893=Y|\n");
    ask(0, "x|320=q|559=2|460=5|");
    check_said("|560=1|");
    ask(0, "x|320=q|559=4|263=1|");
    check_said("|560=1|");
    ask(0, "x|320=q|559=0|");
    check_said("35=j|");
    for (uint32_t session = 0; session < SESSIONS; session++) {
        ask(session, "c|320=q|321=3|");
        settle();
        CHECK(sent_count == INSTRUMENTS);
        check_said("|55=CCC|58=3 of 3: tick size 1, lot size 1|320=q|");
        ask(session, "c|320=q|321=0|55=BBB|");
        check_said("35=d|55=BBB|58=tick size 1, lot size 1|320=q|322=");
        ask(session, "c|320=q|321=0|55=ZZZ|");
        check_said("|323=6|");
        ask(session, "c|320=q|321=2|");
        check_said("|323=5|");
    }
    end();
}

static void a_list_waits_for_the_one_before(void)
{
    begin();
    ready[0] = false;
    const tl_fix_asker asker = {0, dialect_of(0), 3, true};
    ask(0, "x|320=q|559=4|");
    CHECK(ask_as(asker, true, "x|320=r|559=4|") == TL_FIX_ASKED_LATER);
    CHECK(sent_count == 0);
    CHECK(ask_as(asker, false, "x|320=r|559=4|") == TL_FIX_ASKED_DONE);
    check_said("320=r|");
    check_said("|560=4|");
    ready[0] = true;
    settle();
    check_said("320=q|");
    end();
}

static void halts_are_told(void)
{
    begin();
    ask(0, "e|324=s|55=AAA|263=1|");
    check_said("35=f|55=AAA|60=19700101-00:00:00.001|324=s|325=N|326=17|");
    ask(0, "g|335=v|263=1|");
    check_said("35=h|325=N|335=v|336=1|340=2|");
    ask(0, "e|324=s|55=BBB|263=0|");
    check_said("35=j|");
    clear();
    tl_command halt = {.type = TL_MSG_TYPE_SECURITY_STATUS,
                       .instrument = 0,
                       .field = TL_TRADING_STATUS_HALTED};
    step(&halt);
    settle();
    check_said("35=f|55=AAA|60=19700101-00:00:00.001|324=s|325=Y|326=2|");
    clear();
    tl_command kill = {.type = TL_MSG_TYPE_VENUE_STATUS, .field = TL_ENTRY_STATUS_BLOCKED};
    step(&kill);
    settle();
    check_said("|324=s|325=Y|326=18|");
    check_said("35=h|325=Y|335=v|336=1|340=1|");
    ask(1, "g|335=v|263=0|");
    check_said("|340=1|");
    ask(0, "e|324=s|55=AAA|263=2|");
    ask(0, "g|335=v|263=2|");
    CHECK(sent_count == 0 && tl_fix_market_items(market, 0) == 0);
    ask(0, "e|324=s|55=AAA|263=2|");
    check_said("35=j|");
    ask(0, "e|324=s|55=ZZZ|263=0|");
    check_said("|326=20|");
    ask(0, "g|335=v|336=2|263=0|");
    check_said("|340=6|567=1|");
    ask(1, "g|335=v|336=2|263=0|");
    check_said("35=j|");
    end();
}

static void an_event_that_does_not_fit_ends_market_data_alone(void)
{
    begin();
    ask(0, "V|262=0|263=1|264=0|265=1|267=2|269=0|269=1|146=1|55=AAA|");
    ask(0, "e|324=s|55=AAA|263=1|");
    settle();
    const tl_event later = {.seq = 1000000, .exec_type = TL_EXEC_TYPE_NEW};
    CHECK(tl_fix_market_fault(market) == NULL);
    tl_fix_market_events(market, &later, 1);
    CHECK(tl_fix_market_fault(market) != NULL);
    clear();
    settle();
    check_said("35=Y|58=there is no market data any more|262=0|\n");
    CHECK(tl_fix_market_items(market, 0) == 1);
    ask(0, "V|262=0|263=0|264=0|267=1|269=0|146=1|55=AAA|");
    check_said("|380=4|");
    ask(0, "e|324=t|55=AAA|263=0|");
    check_said("|326=17|");
    end();
}

static void without_books_there_is_no_market_data(void)
{
    begin_with(0);
    ask(0, "V|262=0|263=0|264=0|267=1|269=0|146=1|55=AAA|");
    check_said("35=j|45=");
    check_said("|372=V|379=0|380=4|");
    ask(0, "x|320=q|559=0|55=AAA|");
    check_said("35=y|");
    end();
}

int main(void)
{
    a_client_has_the_engines_book();
    what_does_not_fit_a_snapshot_follows();
    levels_and_trades_are_told_as_they_come();
    what_comes_and_goes_unseen_is_not_told();
    requests_are_refused_by_name();
    what_a_session_may_ask_for_is_bounded();
    instruments_are_listed();
    a_list_waits_for_the_one_before();
    halts_are_told();
    an_event_that_does_not_fit_ends_market_data_alone();
    without_books_there_is_no_market_data();
    return 0;
}
