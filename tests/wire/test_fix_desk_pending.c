/* Pending states are told once, before what is decided, whenever the gateway dies; a session that
 * did not ask for them never hears of one. News is told to whom it is for, once as well. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"

static venue again;

static void ask_for_pending(venue *of, uint64_t mark)
{
    of->parties[0].pending_reports = true;
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_party(of->desk, &of->parties[i], mark) == 0);
}

/* How often a session was told of that ExecType in that ClOrdID's name. */
static uint32_t told(const venue *of, uint32_t session, char exec_type, const char *name)
{
    char type[16], id[32];
    uint32_t count = 0;
    sprintf(type, "150=%c\x01", exec_type);
    sprintf(id, "11=%s\x01", name);
    for (uint32_t i = 0; i < of->said_count; i++) {
        const char *body = of->bytes + of->said[i].at;
        count += of->said[i].session == session && strstr(body, type) != NULL &&
                 strstr(body, id) != NULL;
    }
    return count;
}

/* The gateway dies with these requests under way; the next one has the journal, and what it was
 * told of before is in its store, up to the mark. */
static void come_back(int version, uint64_t mark)
{
    const uint64_t first = 0;
    venue_open(&again, version);
    ask_for_pending(&again, mark);
    CHECK(tl_fix_desk_replay(again.desk, journal, journaled, events + first, sink.next) == 0);
    tl_fix_desk_close(again.desk);
}

static void a_death_between_pending_and_final_tells_each_once(int version)
{
    in(0, "D|11=a|55=ABC|54=1|40=2|38=10|44=10.00");
    expect(0, "8|11=a|150=A|39=A|17=~P|37=NONE|151=10|14=0|41=-|4.2:20=0");
    CHECK(applied == sink.next); /* nothing of it is decided */
    const uint64_t before = tl_fix_key(events[applied - 1].seq, 3);
    step_some(UINT32_MAX);
    come_back(version, before);
    CHECK(told(&again, 0, 'A', "a") == 0 && told(&again, 0, '0', "a") == 1);
    tell();
    expect(0, "8|11=a|150=0|39=0");
    nothing(0);
}

static void a_fill_says_that_a_change_is_pending_also_after_a_death(int version)
{
    in(1, "D|11=m|55=ABC|54=2|40=2|38=4|44=10.00");
    in(0, "G|11=b|41=a|55=ABC|54=1|40=2|38=20|44=10.00");
    expect(0, "8|11=b|41=a|150=E|39=E|38=10|151=10");
    in(0, "F|11=c|41=a|38=1|55=ABC|54=1");
    expect(0, "8|11=c|41=a|150=6|39=6|38=10|151=10");
    const uint64_t before = tl_fix_key(events[applied - 1].seq, 3);
    step_some(UINT32_MAX);
    come_back(version, before);
    CHECK(told(&again, 0, '6', "c") + told(&again, 0, 'E', "b") == 0);
    CHECK(told(&again, 0, '5', "b") == 1 && told(&again, 0, '4', "c") == 1);
    CHECK(told(&again, 0, version == TL_FIX_42 ? '1' : 'F', "a") == 1);
    const char *fill = strstr(again.bytes + again.said[0].at, "39=");
    for (uint32_t i = 0; i < again.said_count; i++)
        if (again.said[i].session == 0 && strstr(again.bytes + again.said[i].at, "32=4\x01") != NULL)
            fill = strstr(again.bytes + again.said[i].at, "39=");
    CHECK(strncmp(fill, "39=6", 4) == 0);
    tell();
    expect(0, "8|11=a|4.4:150=F|4.2:150=1|39=6|32=4|151=6");
    expect(0, "8|11=b|150=5|39=6|38=20|151=16");
    expect(0, "8|11=c|150=4|39=4|151=0");
    nothing(0);
    expect(1, "8|11=m|150=0|39=0");
    expect(1, "8|11=m|39=2");
    nothing(1);
}

static void a_request_that_goes_no_further_is_not_pending(void)
{
    in(0, "F|11=d|41=none|38=1|55=ABC|54=1");
    expect(0, "9|11=d|102=1|39=8");
    lane_full = true;
    CHECK(ask(0, "D|11=e|55=ABC|54=1|40=2|38=10|44=10.00") == TL_FIX_LATER);
    nothing(0);
    lane_full = false;
    in(0, "D|11=e|55=ABC|54=1|40=2|38=10|44=10.00");
    expect(0, "8|11=e|150=A");
    step();
    expect(0, "8|11=e|150=0");
    in(0, "F|11=f|41=e|38=1|55=ABC|54=1");
    expect(0, "8|11=f|150=6|39=6");
    in(0, "H|11=e|55=ABC|54=1");
    expect(0, "8|11=e|17=0|39=6");
    in(0, "F|11=g|41=e|38=1|55=ABC|54=1");
    expect(0, "8|11=g|150=6|39=6");
    step();
    expect(0, "8|11=f|150=4|39=6"); /* the other one is still under way */
    expect(0, "9|11=g|39=4|102=0");
    nothing(0);
}

static void a_halt_is_told_once_to_who_asked(int version)
{
    live.parties[1].permissions &= (uint8_t)~TL_FIX_MAY_NEWS;
    CHECK(tl_fix_desk_party(live.desk, &live.parties[1], 0) == 0);
    administer((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS,
                            .field = TL_TRADING_STATUS_HALTED});
    step();
    expect(0, "B|148=ABC is halted|33=1|61=1|146=1");
    nothing(0);
    nothing(1);
    come_back(version, tl_fix_key(events[applied - 1].seq, 0));
    CHECK(again.said_count == 0);
    come_back(version, tl_fix_key(events[applied - 1].seq, 0) - 1);
    CHECK(again.said_count == SESSIONS && strcmp(again.said[0].type, "B") == 0);
}

static void news_that_can_not_be_said_is_refused(void)
{
    static char much[TL_FIX_NEWS_BYTES + 1];
    memset(much, 'x', sizeof much);
    for (uint32_t i = 1; i < sizeof much; i += 2)
        much[i] = '\n';
    const char *const wrong[] = {"", "a\n", "\na", "a\n\nb", "a\x01" "58=b", "a\tb"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CHECK(tl_fix_desk_news(live.desk, 0, wrong[i], strlen(wrong[i]), false, 1) == -EINVAL);
    CHECK(tl_fix_desk_news(live.desk, 0, much, TL_FIX_NEWS_BYTES + 1, false, 1) == -EINVAL);
    CHECK(tl_fix_desk_news(live.desk, SESSIONS, "a", 1, false, 1) == -ENOENT);
    nothing(0);
    CHECK(tl_fix_desk_news(live.desk, 0, much, TL_FIX_NEWS_BYTES - 1, false, 1) == 0);
    CHECK(live.said[live.said_count - 1].size < 16384);
    expect(0, "B|148=x|33=2047");
}

int main(void)
{
    for (int version = 0; version < 3; version++) {
        begin(version);
        ask_for_pending(&live, 0);
        a_death_between_pending_and_final_tells_each_once(version);
        a_fill_says_that_a_change_is_pending_also_after_a_death(version);
        a_request_that_goes_no_further_is_not_pending();
        a_halt_is_told_once_to_who_asked(version);
        news_that_can_not_be_said_is_refused();
        end();
    }
    free(live.bytes);
    free(again.bytes);
    return 0;
}
