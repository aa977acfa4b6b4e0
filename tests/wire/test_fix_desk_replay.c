/* The journal alone gives the same reports, byte for byte: of a random flow of two sessions, with
 * routes and long ClOrdIDs, replayed from its beginning in batches of any size, and told from any
 * mark on. What was answered without an event is in no journal and is left out. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"
#include "touchline/wire/fix_orders.h"

#define ROUNDS 3000u
#define NAMES_MAX 4096u

static venue again;
static uint64_t state;
static char names[SESSIONS][NAMES_MAX][72];
static uint32_t names_count[SESSIONS];

static uint32_t below(uint32_t end)
{
    return (uint32_t)(random_next(&state) % end);
}

/* Some header fields, or none. */
static const char *route(void)
{
    static char text[160];
    static const char *const fields[] = {"50=DESK", "57=FLOOR",      "115=CLIENT",
                                         "128=OTHER", "142=Z\xc3\xbcrich", "143=NYC"};
    char *at = text;
    *at = 0;
    for (uint32_t i = 0; i < 6; i++)
        if (below(4) == 0)
            at += sprintf(at, "|%s%u", fields[i], below(3));
    return text;
}

/* Seldom one that was used before: session 0 may have it again the next day, 1 once it names no
 * open order. */
static const char *new_name(uint32_t session)
{
    char *name = names[session][names_count[session]];
    CHECK(names_count[session] < NAMES_MAX);
    const uint32_t number = names_count[session]++;
    if (number > 0 && below(6) == 0)
        memcpy(name, names[session][below(number)], sizeof names[0][0]);
    else if (below(4) == 0) /* longer than one text, of characters of two bytes */
        sprintf(name, "%04uxxxxxxxxxxxxxxxxxxxxxxxxxxxxx%s\xc3\xa4\xc3\xa4\xc3\xa4rest", number,
                number % 2 == 0 ? "" : "y");
    else
        sprintf(name, "n%u", number);
    return name;
}

/* A recent name, of an order that is open or was. */
static const char *old_name(uint32_t session)
{
    const uint32_t count = names_count[session], back = below(below(8) == 0 ? 400 : 8);
    return count == 0 ? "none" : names[session][back < count ? count - 1 - back : 0];
}

static void enter(uint32_t session)
{
    char request[512];
    const uint32_t type = below(10) == 0 ? 1 : 2;
    char price[32] = "";
    if (type == 2)
        sprintf(price, "|44=%u.%02u", 9u, 97 + below(3));
    snprintf(request, sizeof request, "D%s|11=%s|55=%s|54=%u|40=%u|38=%u|59=%c|1=ACC%u%s", route(),
             new_name(session), below(5) == 0 ? "XYZ" : "ABC", 1 + below(2), type,
             1 + below(60), "00013400"[below(8)], 1 + below(2), price);
    if (ask(session, request) == TL_FIX_LATER)
        names_count[session]--;
}

static void change(uint32_t session)
{
    char request[512];
    const char *orig = old_name(session), *name = new_name(session);
    const uint32_t index = names_count[session];
    if (below(2) == 0)
        snprintf(request, sizeof request, "F%s|11=%s|41=%s|38=1|55=ABC|54=1", route(), name, orig);
    else
        snprintf(request, sizeof request, "G%s|11=%s|41=%s|40=2|38=%u|44=9.%02u|55=ABC|54=1",
                 route(), name, orig, 1 + below(80), 97 + below(3));
    if (ask(session, request) == TL_FIX_LATER)
        names_count[session] = index - 1;
}

static void take_all_off(uint32_t session)
{
    char request[512];
    if (dialect()->version == TL_FIX_42) /* it has no mass cancel */
        return;
    snprintf(request, sizeof request, "q%s|11=%s|530=%s", route(), new_name(session),
             below(2) == 0 ? "7" : "1|55=XYZ");
    if (ask(session, request) == TL_FIX_LATER)
        names_count[session]--;
}

static void take_off(void)
{
    const bool day = below(4) == 0;
    administer((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                            .instrument = TL_INSTRUMENT_ALL,
                            .account = day ? TL_ACCOUNT_ALL : below(2),
                            .time_in_force = day ? TL_TIME_IN_FORCE_DAY : 0,
                            .flags = below(2) == 0 ? TL_FLAG_EXPIRE : 0});
}

static void flow(void)
{
    for (uint32_t i = 0; i < ROUNDS; i++) {
        const uint32_t what = below(100);
        if (what < 55)
            enter(below(SESSIONS));
        else if (what < 97)
            change(below(SESSIONS));
        else if (what < 98)
            take_all_off(below(SESSIONS));
        else
            take_off();
        if (below(3) == 0)
            step_some(1 + below(4));
        if (below(3) == 0)
            tell();
    }
    step();
}

/* How many messages of a type the flow has made. */
static uint32_t said_of(const char *type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < live.said_count; i++)
        count += live.said[i].key != 0 && strcmp(live.said[i].type, type) == 0;
    return count;
}

/* The next report on an event beyond the mark; NULL. */
static const said *next_report(const venue *of, uint32_t *at, uint64_t mark)
{
    while (*at < of->said_count) {
        const said *one = &of->said[(*at)++];
        if (one->key > mark)
            return one;
    }
    return NULL;
}

static void compare(uint64_t mark)
{
    uint32_t at = 0, at_again = 0, count = 0;
    for (;; count++) {
        const said *one = next_report(&live, &at, mark);
        const said *other = next_report(&again, &at_again, 0);
        CHECK((one == NULL) == (other == NULL));
        if (one == NULL)
            break;
        const char *bytes = live.bytes + one->at, *other_bytes = again.bytes + other->at;
        if (one->session == other->session && one->key == other->key &&
            strcmp(one->type, other->type) == 0 && strcmp(bytes, other_bytes) == 0)
            continue;
        fprintf(stderr, "report %u: session %u %s %s\n  again: session %u %s %s\n", count,
                one->session, one->type, bytes, other->session, other->type, other_bytes);
        abort();
    }
    CHECK(count > (mark == 0 ? ROUNDS / 2 : 0));
}

static void replay(int version, uint64_t mark, uint32_t batch_max)
{
    venue_open(&again, version);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_party(again.desk, &again.parties[i], mark) == 0);
    for (uint32_t from = 0; from < journaled;) {
        const uint32_t left = journaled - from, size = 1 + below(batch_max);
        const uint32_t count = size < left ? size : left;
        const uint64_t first = from == 0 ? 0 : event_end[from - 1];
        CHECK(tl_fix_desk_replay(again.desk, journal + from, count, events + first,
                                 event_end[from + count - 1] - first) == 0);
        from += count;
    }
    compare(mark);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_pending(again.desk, i) == 0);
    tl_fix_desk_close(again.desk);
}

int main(void)
{
    for (int version = 0; version < 3; version++) {
        state = 7 + (uint64_t)version;
        names_count[0] = names_count[1] = 0;
        begin(version);
        live.parties[0].cl_ord_id_scope = TL_FIX_SCOPE_DAY;
        live.parties[1].cl_ord_id_scope = TL_FIX_SCOPE_OPEN;
        flow();
        CHECK(said_of("8") > ROUNDS / 2 && said_of("9") > 50);
        CHECK(version == TL_FIX_42 || said_of("r") > 3);
        replay(version, 0, 1);
        replay(version, 0, 40);
        replay(version, 0, JOURNAL_MAX);
        replay(version, tl_fix_key(sink.next / 2, 1), 40);
        end();
    }
    free(live.bytes);
    free(again.bytes);
    return 0;
}
