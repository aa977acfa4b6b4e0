/* Requests about many orders and trades (q, AF, AD) and copies, on a desk with a real engine behind
 * it: what comes of a full venue, a slow peer, a history that forgets, and a replay. */
#include "check.h"
#include "touchline/core/engine.h"
#include "touchline/wire/fix_desk.h"
#include "touchline/wire/fix_trades.h"

#define ORDERS 20000u
#define ACCOUNTS 100u
#define SESSIONS 3u
#define TRADES_MAX 4096u
#define SENT_MAX (1u << 18)
#define DAY_NS (INT64_C(86400) * 1000000000)

typedef struct desk_side { /* a desk and what it sent */
    tl_fix_desk *desk;
    uint32_t session[SENT_MAX];
    char type[SENT_MAX][4];
    char *body[SENT_MAX];
    uint64_t key[SENT_MAX];
    uint32_t sent, room;
} desk_side;

typedef int send_hook(void *, uint32_t, const char *, const char *, size_t, uint64_t);

static desk_side live;
static tl_engine *engine;
static tl_command *journal;
static tl_event *events, *slots;
static uint32_t commands_count, events_count;
static uint64_t numbers, refusals, next_seq[SESSIONS] = {1, 1, 1};
static int64_t now_ns;
static uint32_t accounts[ACCOUNTS];
static tl_fix_message message;
static tl_fix_party parties[SESSIONS];

static void keep(desk_side *side, const char *body, size_t size)
{
    side->body[side->sent] = malloc(size + 2);
    side->body[side->sent][0] = '\x01';
    memcpy(side->body[side->sent] + 1, body, size);
    side->body[side->sent][size + 1] = 0;
}

static int hook_send(void *context, uint32_t session, const char *msg_type, const char *body,
                     size_t size, uint64_t key)
{
    desk_side *side = context;
    CHECK(side->sent < SENT_MAX);
    side->session[side->sent] = session;
    strcpy(side->type[side->sent], msg_type);
    side->key[side->sent] = key;
    keep(side, body, size);
    side->sent++;
    return 0;
}

/* The engine does what it is sent at once; the events are applied by settle(). */
static int hook_submit(void *context, const tl_command *commands, uint32_t count)
{
    (void)context;
    for (uint32_t i = 0; i < count; i++) {
        tl_event_sink sink = {slots, (1u << 17) - 1, 0};
        tl_command *cmd = &journal[commands_count++];
        *cmd = commands[i];
        cmd->seq = commands_count;
        cmd->ts_ns = now_ns;
        tl_engine_step(engine, cmd, &sink);
        memcpy(events + events_count, slots, sink.next * sizeof *events);
        events_count += (uint32_t)sink.next;
    }
    return 0;
}

static uint64_t hook_number(void *context)
{
    (void)context;
    return UINT64_C(1) << 32 | ++numbers;
}

static uint64_t hook_refusal(void *context)
{
    (void)context;
    return ++refusals;
}

static uint32_t hook_room(void *context, uint32_t session)
{
    (void)session;
    return ((desk_side *)context)->room;
}

static void settle(void)
{
    static uint32_t done;
    CHECK(tl_fix_desk_events(live.desk, events + done, events_count - done) == 0);
    done = events_count;
}

static tl_fix_desk *open_desk(send_hook *send, void *context)
{
    const tl_fix_desk_config config = {16, 128, 65536, SESSIONS, TRADES_MAX};
    const tl_fix_desk_hooks hooks = {context,     send,         hook_submit,
                                     hook_number, hook_refusal, hook_room};
    tl_fix_desk *desk;
    CHECK(tl_fix_desk_open(&desk, &config, &hooks) == 0);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_party(desk, &parties[i], 0) == 0);
    return desk;
}

static void name(uint8_t field, uint32_t key, const char *text)
{
    tl_command *cmd = &journal[commands_count++];
    *cmd = (tl_command){.type = TL_MSG_TYPE_TEXT, .field = field, .seq = commands_count};
    cmd->key = key;
    strcpy(tl_command_text(cmd), text);
    CHECK(tl_fix_desk_name(live.desk, cmd) == 0);
}

static void set_up(void)
{
    const tl_engine_capacities capacities = {16, 128, 65536, 1024, 4096};
    CHECK(tl_engine_open(&engine, &capacities) == 0);
    journal = calloc(1 << 18, sizeof *journal);
    events = calloc(1 << 19, sizeof *events);
    slots = calloc(1 << 17, sizeof *slots);
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        accounts[i] = i;
    for (uint32_t i = 0; i < SESSIONS; i++)
        parties[i] = (tl_fix_party){.number = i,
                                    .dialect = tl_fix_dialect_find("FIX.4.4", ""),
                                    .accounts = accounts,
                                    .accounts_count = ACCOUNTS,
                                    .time_decimals = 3,
                                    .permissions = i == 2 ? TL_FIX_MAY_COPY
                                                          : TL_FIX_MAY_ALL & ~TL_FIX_MAY_COPY};
    now_ns = 20000 * DAY_NS;
    live.desk = open_desk(hook_send, &live);
    for (uint16_t i = 0; i < 2; i++) {
        tl_command listed = {.type = TL_MSG_TYPE_SECURITY_DEFINITION, .instrument = i};
        hook_submit(NULL, &listed, 1);
    }
    for (uint32_t i = 0; i < ACCOUNTS; i++) {
        tl_command opened = {.type = TL_MSG_TYPE_ACCOUNT, .account = i};
        char text[16];
        hook_submit(NULL, &opened, 1);
        snprintf(text, sizeof text, "A%u", i);
        name(TL_TEXT_ACCOUNT, i, text);
    }
    for (uint32_t i = 0; i < 2; i++) {
        name(TL_TEXT_SYMBOL, i, i == 0 ? "AAA" : "BBB");
        name(TL_TEXT_TICK_SIZE, i, "1");
        name(TL_TEXT_LOT_SIZE, i, "1");
    }
    name(TL_TEXT_SESSION, 0, "ONE");
    settle();
    tl_fix_desk_named(live.desk);
}

/* A message of a session; | stands for SOH. */
static tl_fix_taken ask(uint32_t session, const char *type, const char *fields)
{
    static char bytes[8192], body[8192];
    const int size = snprintf(body, sizeof body,
                              "35=%s|34=%llu|49=S|52=20241004-00:00:00|56=T|%s", type,
                              (unsigned long long)next_seq[session]++, fields);
    int whole = snprintf(bytes, sizeof bytes, "8=FIX.4.4|9=%d|%s10=000|", size, body);
    for (int i = 0; i < whole; i++)
        if (bytes[i] == '|')
            bytes[i] = TL_FIX_SOH;
    CHECK(tl_fix_parse(&message, parties[session].dialect, bytes, (size_t)whole) == 0);
    const tl_fix_verdict verdict = tl_fix_check(&message, parties[session].dialect);
    if (verdict.reason >= 0)
        fprintf(stderr, "%s: %s (%u)\n", body, verdict.text, verdict.ref_tag);
    CHECK(verdict.reason < 0);
    return tl_fix_desk_request(live.desk, &parties[session], &message, now_ns, true, true);
}

static void enter(uint32_t session, uint32_t number, char side, int price, uint32_t account)
{
    char fields[256];
    snprintf(fields, sizeof fields,
             "11=o%u-%u|1=A%u|55=AAA|54=%c|38=1|40=2|44=%d|60=20241004-00:00:00|", session, number,
             account, side, price);
    CHECK(ask(session, "D", fields) == TL_FIX_TAKEN);
    settle();
}

/* The field of a message that was sent, "": it has none. */
static const char *field_of(const desk_side *side, uint32_t at, uint32_t tag)
{
    static char found[4][256];
    static int turn;
    char wanted[16], *value = found[turn = (turn + 1) % 4];
    snprintf(wanted, sizeof wanted, "\x01%u=", tag);
    const char *from = strstr(side->body[at], wanted);
    value[0] = 0;
    if (from != NULL)
        sscanf(from + strlen(wanted), "%255[^\x01]", value);
    return value;
}

static bool is(uint32_t at, uint32_t tag, const char *value)
{
    return strcmp(field_of(&live, at, tag), value) == 0;
}

/* Slices until none can be done at once; how many. */
static uint32_t work(void)
{
    uint32_t slices = 1;
    int rc;
    while ((rc = tl_fix_desk_work(live.desk, now_ns)) > 0)
        slices++;
    CHECK(rc == 0);
    return slices;
}

static void a_mass_status_comes_in_slices(void)
{
    const uint32_t before = live.sent;
    for (uint32_t i = 0; i < ORDERS; i++)
        enter(0, i, '1', 1 + (int)(i % 1000), i % ACCOUNTS);
    const uint32_t entered = live.sent;
    CHECK(entered == before + 2 * ORDERS); /* the session's, and a copy of each */
    live.room = 1000;
    CHECK(ask(0, "AF", "584=m|585=7|") == TL_FIX_TAKEN);
    CHECK(ask(0, "AF", "584=n|585=7|") == TL_FIX_LATER);
    for (uint32_t slices = 0; live.sent < entered + ORDERS; slices++) {
        const uint32_t at = live.sent;
        CHECK(tl_fix_desk_work(live.desk, now_ns) >= 0);
        CHECK(live.sent - at <= 128 && slices < 1000);
    }
    for (uint32_t at = entered; at < live.sent; at++)
        CHECK(live.session[at] == 0 && is(at, 584, "m") && is(at, 911, "20000") &&
              is(at, 912, at + 1 == live.sent ? "Y" : "N") && live.key[at] == 0);
    CHECK(tl_fix_desk_work(live.desk, now_ns) == 0 && live.sent == entered + ORDERS);
}

static void who_does_not_read_is_sent_no_more(void)
{
    const uint32_t before = live.sent;
    live.room = 0;
    CHECK(ask(0, "AF", "584=slow|585=7|1=A7|") == TL_FIX_TAKEN);
    work();
    CHECK(live.sent == before);
    live.room = 3;
    CHECK(tl_fix_desk_work(live.desk, now_ns) == 0); /* no more until there is room again */
    CHECK(live.sent == before + 3 && is(before, 911, "200"));
    tl_fix_desk_left(live.desk, 0);
    live.room = 1000;
    work();
    CHECK(live.sent == before + 3);
}

/* Of a hundred accounts, by as many commands; one report says how many orders. */
static void a_mass_cancel_of_many_accounts_has_one_report(void)
{
    const uint32_t before = live.sent;
    enter(0, ORDERS, '1', 1, 0);
    CHECK(ask(0, "q", "11=mc|530=7|60=20241004-00:00:00|") == TL_FIX_TAKEN);
    CHECK(ask(0, "q", "11=mc|530=7|60=20241004-00:00:00|") == TL_FIX_LATER);
    CHECK(tl_fix_desk_pending(live.desk, 0) == 1);
    settle();
    const uint32_t last = live.sent - 1;
    CHECK(strcmp(live.type[last], "r") == 0 && is(last, 11, "mc") && is(last, 533, "20001") &&
          is(last, 531, "7") && live.key[last] != 0 && live.session[last] == 0);
    CHECK(live.sent == before + 2 + 2 * (ORDERS + 1) + 1);
    CHECK(is(last - 1, 150, "4") && is(last - 1, 797, "Y") && is(last - 1, 448, "ONE"));
    CHECK(tl_fix_desk_pending(live.desk, 0) == 0);
}

static void trade(uint32_t number)
{
    now_ns += 1000000;
    enter(0, 100000 + number, '1', 10, 1);
    enter(1, 100000 + number, '2', 10, 2);
}

static void trades_are_forgotten_by_name(void)
{
    for (uint32_t i = 0; i < 4000; i++)
        trade(i);
    uint32_t before = live.sent;
    live.room = 1000;
    CHECK(ask(0, "AD", "568=all|569=1|54=1|") == TL_FIX_TAKEN);
    work();
    CHECK(live.sent == before + 4001 && is(before, 748, "4000") && is(before, 750, "0"));
    CHECK(is(before + 1, 31, "10") && is(before + 4000, 912, "Y"));
    for (uint32_t i = 4000; i < 10000; i++)
        trade(i);
    before = live.sent;
    CHECK(ask(0, "AD", "568=all|569=1|54=1|") == TL_FIX_TAKEN);
    CHECK(live.sent == before + 1 && is(before, 749, "99") && is(before, 750, "2"));
    /* 4096 are gone, the last of them 4.096 s after the first instant of the day */
    CHECK(strstr(field_of(&live, before, 58), "20241004-00:00:04.096000000") != NULL);
    CHECK(ask(0, "AD", "568=all|569=1|54=1|580=1|75=20241004|60=20241004-00:00:04.097|") ==
          TL_FIX_TAKEN);
    work();
    CHECK(is(before + 1, 748, "5904") && live.sent == before + 2 + 5904);
}

static void a_subscription_that_falls_behind_is_ended(void)
{
    live.room = 1000;
    CHECK(ask(1, "AD", "568=s|569=0|263=1|580=1|75=20241005|") == TL_FIX_TAKEN);
    work();
    const uint32_t before = live.sent;
    CHECK(is(before - 1, 748, "0") && is(before - 1, 750, "0"));
    now_ns = 20001 * DAY_NS;
    trade(10000);
    work();
    CHECK(live.sent == before + 10 && is(before + 9, 568, "s") && live.session[before + 9] == 1);
    live.room = 0;
    for (uint32_t i = 10001; i < 4 * TL_FIX_TRADES_PIECE + 1; i++)
        trade(i);
    work();
    const uint32_t last = live.sent - 1;
    CHECK(strcmp(live.type[last], "AQ") == 0 && is(last, 568, "s") && is(last, 749, "99"));
    trade(90000);
    work();
    CHECK(strcmp(live.type[live.sent - 1], "8") == 0);
}

/* The next report of the live desk, which a replay must give. */
static int hook_send_again(void *context, uint32_t session, const char *msg_type, const char *body,
                           size_t size, uint64_t key)
{
    uint32_t *at = context;
    while (live.key[*at] == 0)
        ++*at;
    CHECK(*at < live.sent && live.key[*at] == key && live.session[*at] == session);
    CHECK(strcmp(live.type[*at], msg_type) == 0 && strlen(live.body[*at]) == size + 1 &&
          memcmp(live.body[*at] + 1, body, size) == 0);
    ++*at;
    return 0;
}

/* The journal gives the same reports again, byte for byte. */
static void a_replay_gives_the_same(void)
{
    uint32_t at = 0;
    tl_fix_desk *again = open_desk(hook_send_again, &at);
    CHECK(tl_fix_desk_replay(again, journal, commands_count, events, events_count) == 0);
    while (at < live.sent && live.key[at] == 0)
        at++;
    CHECK(at == live.sent);
    tl_fix_desk_close(again);
}

int main(void)
{
    set_up();
    a_mass_status_comes_in_slices();
    who_does_not_read_is_sent_no_more();
    a_mass_cancel_of_many_accounts_has_one_report();
    trades_are_forgotten_by_name();
    a_subscription_that_falls_behind_is_ended();
    a_replay_gives_the_same();
    tl_fix_desk_close(live.desk);
    tl_engine_close(engine);
    return 0;
}
