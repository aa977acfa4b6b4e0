/* A desk and an engine, and nothing between them: what the desk submits waits until step(), so a
 * test says in which order things arrive. Messages go in and come out as text with '|', and each is
 * held against its dictionary both ways. Session 0 and 1 speak the dialect of begin(). */
#ifndef TOUCHLINE_TEST_FIX_DESK_VENUE_H
#define TOUCHLINE_TEST_FIX_DESK_VENUE_H

#include "check.h"
#include "touchline/core/engine.h"
#include "touchline/wire/fix_desk.h"

#include <errno.h>
#include <stdbool.h>

#define SESSIONS 2u
#define JOURNAL_MAX 65536u
#define EVENTS_MAX 65536u
#define SAID_MAX 65536u
#define SAID_BYTES (1u << 25)

typedef struct said {
    uint32_t session, at, size;
    uint64_t key;
    char type[4];
} said;

typedef struct venue {
    tl_fix_desk *desk;
    tl_fix_party parties[SESSIONS];
    said said[SAID_MAX];
    uint32_t said_count, heard[SESSIONS];
    char *bytes;
    uint32_t bytes_used;
} venue;

static venue live;
static tl_engine *engine;
static tl_command journal[JOURNAL_MAX];
static uint32_t journaled, stepped;
static uint64_t event_end[JOURNAL_MAX]; /* events there are after each command */
static tl_event events[EVENTS_MAX];
static tl_event_sink sink;
static uint64_t applied, counter, refusals;
static bool lane_full;
static tl_fix_message message;
static const uint32_t both_accounts[] = {0, 1};
static const char *const version_names[] = {"4.2", "4.4", "5.0"};
static const struct {
    const char *begin_string, *appl_ver_id;
} versions[] = {{"FIX.4.2", ""}, {"FIX.4.4", ""}, {"FIXT.1.1", "9"}};

static inline const tl_fix_dialect *dialect(void)
{
    return live.parties[0].dialect;
}

/* A whole message around `rest`, which begins with 35; '|' are SOH. */
static inline void parse(const char *rest)
{
    static char text[4 * TL_FIX_MESSAGE_MAX];
    const size_t length = strlen(rest);
    int size = sprintf(text, "8=%s|9=%zu|%s", dialect()->begin_string, length, rest);
    for (int i = 0; i < size; i++)
        if (text[i] == '|')
            text[i] = TL_FIX_SOH;
    size += sprintf(text + size, "10=%03u\x01", tl_fix_checksum(text, (size_t)size));
    CHECK(tl_fix_parse(&message, dialect(), text, (size_t)size) == 0);
    const tl_fix_verdict verdict = tl_fix_check(&message, dialect());
    if (verdict.reason != -1 || verdict.business != 0) {
        fprintf(stderr, "%s: tag %u, reason %d: %s\n", rest, verdict.ref_tag, verdict.reason,
                verdict.text);
        abort();
    }
}

static inline int hook_send(void *context, uint32_t session, const char *msg_type, const char *body,
                            size_t size, uint64_t key)
{
    venue *of = context;
    said *one = &of->said[of->said_count++];
    CHECK(of->said_count <= SAID_MAX && of->bytes_used + size + 1 <= SAID_BYTES);
    *one = (said){.session = session, .at = of->bytes_used, .size = (uint32_t)size, .key = key};
    strcpy(one->type, msg_type);
    memcpy(of->bytes + one->at, body, size);
    of->bytes[one->at + size] = 0;
    of->bytes_used += (uint32_t)size + 1;
    return 0;
}

static inline int hook_submit(void *context, const tl_command *commands, uint32_t count)
{
    (void)context;
    if (lane_full)
        return -EAGAIN;
    CHECK(count <= TL_FIX_SUBMIT_MAX && journaled + count <= JOURNAL_MAX);
    memcpy(journal + journaled, commands, count * sizeof *commands);
    journaled += count;
    return 0;
}

static inline uint64_t hook_number(void *context)
{
    (void)context;
    return (uint64_t)TL_LANE_FIX << 32 | ++counter;
}

static inline uint64_t hook_refusal(void *context)
{
    (void)context;
    return ++refusals;
}

static inline uint32_t hook_room(void *context, uint32_t session)
{
    (void)context;
    (void)session;
    return 64;
}

static inline void venue_open(venue *of, int version)
{
    const tl_fix_desk_hooks hooks = {of,          hook_send,    hook_submit,
                                     hook_number, hook_refusal, hook_room};
    const tl_fix_desk_config config = {2, 4, 64, SESSIONS, 0};
    char *bytes = of->bytes != NULL ? of->bytes : malloc(SAID_BYTES);
    memset(of, 0, sizeof *of);
    of->bytes = bytes;
    CHECK(bytes != NULL && tl_fix_desk_open(&of->desk, &config, &hooks) == 0);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        of->parties[i] = (tl_fix_party){
            .number = i,
            .dialect = tl_fix_dialect_find(versions[version].begin_string,
                                           versions[version].appl_ver_id),
            .accounts = both_accounts,
            .accounts_count = 2,
            .time_decimals = 3,
            .permissions = TL_FIX_MAY_ALL & ~TL_FIX_MAY_COPY};
        CHECK(of->parties[i].dialect != NULL);
    }
}

/* Commands beside the desk's: the operators'. */
static inline void administer(tl_command cmd)
{
    journal[journaled++] = cmd;
}

static inline void name(uint8_t kind, uint32_t key, const char *text)
{
    tl_command cmd = {.type = TL_MSG_TYPE_TEXT, .field = kind};
    cmd.key = key;
    memcpy(tl_command_text(&cmd), text, strlen(text));
    administer(cmd);
    CHECK(tl_fix_desk_name(live.desk, &cmd) == 0);
}

/* The engine does what waits, all or the first `most` commands that are not names. */
static inline void step_some(uint32_t most)
{
    while (stepped < journaled && most > 0) {
        tl_command *cmd = &journal[stepped];
        cmd->seq = stepped + 1;
        cmd->ts_ns = INT64_C(1800000000000000000) + (int64_t)stepped * 1000000;
        tl_engine_step(engine, cmd, &sink);
        CHECK(sink.next < EVENTS_MAX);
        event_end[stepped++] = sink.next;
        most -= cmd->type != TL_MSG_TYPE_TEXT;
    }
}

static inline void tell(void)
{
    CHECK(tl_fix_desk_events(live.desk, events + applied, sink.next - applied) == 0);
    applied = sink.next;
}

static inline void step(void)
{
    step_some(UINT32_MAX);
    tell();
}

static inline void begin(int version)
{
    const tl_engine_capacities capacities = {2, 4, 64, 8, 64};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    sink = (tl_event_sink){events, EVENTS_MAX - 1, 0};
    journaled = stepped = 0;
    applied = counter = refusals = 0;
    lane_full = false;
    venue_open(&live, version);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_party(live.desk, &live.parties[i], 0) == 0);
    for (uint16_t i = 0; i < 2; i++) {
        administer((tl_command){.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = i});
        name(TL_TEXT_SYMBOL, i, i == 0 ? "ABC" : "XYZ");
        name(TL_TEXT_TICK_SIZE, i, "0.01");
        name(TL_TEXT_LOT_SIZE, i, "1");
        name(TL_TEXT_CURRENCY, i, "EUR");
        administer((tl_command){.type = TL_MSG_TYPE_ACCOUNT, .account = i});
        name(TL_TEXT_ACCOUNT, i, i == 0 ? "ACC1" : "ACC2");
    }
    step();
    tl_fix_desk_named(live.desk);
}

static inline void end(void)
{
    tl_fix_desk_close(live.desk);
    tl_engine_close(engine);
}

/* A request of a session, as "D|11=a|55=ABC|...", with what its type always needs. */
static inline tl_fix_taken ask(uint32_t session, const char *request)
{
    static uint32_t number;
    static char rest[TL_FIX_MESSAGE_MAX];
    const bool sized = *request == 'D' || *request == 'G';
    const size_t type = strcspn(request, "|");
    sprintf(rest, "35=%.*s|34=%u|49=B|56=V|52=20270115-08:00:00.000|%s%s%s|", (int)type, request,
            ++number, request + type + 1, sized ? "|21=1" : "",
            *request == 'H' ? "" : "|60=20270115-08:00:00.000");
    parse(rest);
    return tl_fix_desk_request(live.desk, &live.parties[session], &message,
                               INT64_C(1800000000000000000), true, true);
}

static inline void in(uint32_t session, const char *request)
{
    CHECK(ask(session, request) == TL_FIX_TAKEN);
}

static inline void nothing(uint32_t session)
{
    for (uint32_t i = live.heard[session]; i < live.said_count; i++)
        if (live.said[i].session == session) {
            fprintf(stderr, "session %u was told %s: %s\n", session, live.said[i].type,
                    live.bytes + live.said[i].at);
            abort();
        }
}

/* One field of what is expected: "39=0", "39=-": none, "58=~words"; "4.2:", "4.4:" (5.0 too) and
 * "5.0:" before it restrict it. */
static inline bool as_expected(const char *field, size_t size)
{
    const int version = (int)dialect()->version;
    if (size > 4 && field[1] == '.' && field[3] == ':') {
        const bool old = field[2] == '2';
        const bool mine = field[0] == '5' ? version == TL_FIX_50SP2 : old == (version == TL_FIX_42);
        if (!mine)
            return true;
        field += 4, size -= 4;
    }
    const char *value = memchr(field, '=', size);
    CHECK(value != NULL);
    value++;
    const size_t wanted = size - (size_t)(value - field);
    const tl_fix_field *found = tl_fix_find(&message, (uint32_t)atoi(field));
    if (wanted == 1 && *value == '-')
        return found == NULL;
    if (found == NULL)
        return false;
    if (*value == '~')
        return memmem(tl_fix_value(&message, found), found->size, value + 1, wanted - 1) != NULL;
    return found->size == wanted && memcmp(tl_fix_value(&message, found), value, wanted) == 0;
}

/* The next message to a session, as "8|11=a|150=0|39=0": these fields and any others. */
static inline void expect(uint32_t session, const char *expected)
{
    static char rest[2 * TL_FIX_MESSAGE_MAX];
    const said *next = NULL;
    while (next == NULL && live.heard[session] < live.said_count) {
        const said *one = &live.said[live.heard[session]++];
        next = one->session == session ? one : NULL;
    }
    if (next == NULL) {
        fprintf(stderr, "session %u was not told %s\n", session, expected);
        abort();
    }
    sprintf(rest, "35=%s|34=1|49=V|52=20270115-08:00:00.000|56=B|%s", next->type,
            live.bytes + next->at);
    parse(rest);
    const size_t type = strcspn(expected, "|");
    bool good = strlen(next->type) == type && memcmp(next->type, expected, type) == 0;
    for (const char *at = expected + type; *at == '|' && good;) {
        const size_t size = strcspn(++at, "|");
        good = as_expected(at, size);
        at += size;
    }
    if (good)
        return;
    fprintf(stderr, "%s: session %u was told %s: %s, not %s\n",
            version_names[dialect()->version], session, next->type, live.bytes + next->at,
            expected);
    abort();
}

#endif
