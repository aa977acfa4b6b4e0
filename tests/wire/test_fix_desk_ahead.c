/* The desk and what goes ahead of an order (rules 8.9 to 8.12), its times in force (section 9), and
 * what an auction and a self-trade that is prevented make of it. The journal gives it all again. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"

#define BUY "|55=ABC|54=1"
#define SELL "|55=ABC|54=2"
#define LIMIT "|40=2|38=10|44=10.00"

static void ask_for(uint32_t session, const char *name, const char *more)
{
    char request[256];
    snprintf(request, sizeof request, "D|11=%s|1=ACC%u%s", name, session + 1, more);
    in(session, request);
    step();
}

/* So many milliseconds go by, a command each. */
static void wait_ms(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        administer((tl_command){.type = TL_MSG_TYPE_CHECKPOINT});
    administer((tl_command){.type = TL_MSG_TYPE_EXPIRE});
    step();
}

static void phase(uint8_t status)
{
    administer((tl_command){.type = TL_MSG_TYPE_SECURITY_STATUS, .field = status});
    step();
    for (uint32_t i = 0; i < SESSIONS; i++)
        expect(i, "B|61=1");
}

static void self_trade(uint8_t mode)
{
    administer((tl_command){.type = TL_MSG_TYPE_SELF_TRADE, .field = mode});
    step();
}

/* 8.10 */
static void an_order_says_when_it_ends_and_ends_then(void)
{
    ask_for(0, "a", BUY LIMIT "|59=6|126=20270115-08:00:01");
    expect(0, "8|11=a|150=0|59=6|126=20270115-08:00:01.000|432=-");
    ask_for(0, "b", BUY LIMIT "|59=6|126=20270115-08:00:01.000000001");
    expect(0, "8|11=b|150=0|59=6|4.4:126=20270115-08:00:01.000000001");
    ask_for(0, "c", BUY LIMIT "|59=6|432=20270115");
    expect(0, "8|11=c|150=0|59=6|126=20270116-00:00:00.000|432=-");
    in(0, "H|11=c" BUY);
    expect(0, "8|11=c|39=0|59=6|126=20270116-00:00:00.000");
    wait_ms(1000);
    expect(0, "8|11=a|41=-|150=C|39=C|151=0|126=20270115-08:00:01.000");
    expect(0, "8|11=b|41=-|150=C|39=C|151=0");
    nothing(0);
}

static void an_expire_time_that_can_not_be_is_refused(void)
{
    ask_for(0, "a", BUY LIMIT "|59=6");
    expect(0, "j|380=5|58=~(126)");
    ask_for(0, "a", BUY LIMIT "|59=6|126=20270115-07:59:59.999");
    expect(0, "8|11=a|39=8|103=4|126=20270115-07:59:59.999|58=~20270115-07:59:59.999000000 is not "
              "after the order's, 20270115-08:00:0");
    ask_for(0, "b", BUY LIMIT "|59=6|432=20270114");
    expect(0, "8|11=b|39=8|103=4|58=~rule 8.10");
    ask_for(0, "c", BUY LIMIT "|59=6|126=20270116-00:00:00|432=20270115");
    expect(0, "8|11=c|39=8|126=20270116-00:00:00|432=20270115|58=~not both: rule 8.10");
    ask_for(0, "d", BUY LIMIT "|126=20270116-00:00:00");
    expect(0, "8|11=d|39=8|4.4:103=11|58=~rules 8.1 and 8.9");
    ask_for(0, "e", BUY LIMIT "|432=20270116|59=1");
    expect(0, "8|11=e|39=8|4.4:103=11|58=~rules 8.1 and 8.9");
    ask_for(0, "f", BUY LIMIT "|126=19700101-00:00:00");
    expect(0, "8|11=f|39=8|103=4|58=~is past: rule 8.10");
    ask_for(0, "f", BUY LIMIT "|59=6|432=19691231");
    expect(0, "8|11=f|39=8|103=4|58=~ExpireDate(432) 19691231 is past: rule 8.10");
    ask_for(0, "f", BUY LIMIT "|59=6|432=00010101");
    expect(0, "8|11=f|39=8|58=~ExpireDate(432) 00010101 is ");
    ask_for(0, "f", BUY LIMIT "|59=6|126=22620412-00:00:00");
    expect(0, "8|11=f|39=8|58=~later than a time can say: rule 8.10");
    ask_for(0, "f", BUY LIMIT "|59=6|432=16000101");
    expect(0, "8|11=f|39=8|58=~ExpireDate(432) 16000101 is ");
    ask_for(0, "f", BUY LIMIT "|59=6|432=16770101");
    expect(0, "8|11=f|39=8|58=~ExpireDate(432) 16770101 is ");
    ask_for(0, "f", BUY LIMIT "|59=6|432=22620411");
    expect(0, "8|11=f|39=8|58=~later than a time can say: rule 8.10");
    ask_for(0, "f", BUY LIMIT "|59=6|432=22620410");
    expect(0, "8|11=f|150=0|126=22620411-00:00:00.000");
    nothing(0);
}

/* 8.8: a replace says what the order has, or nothing of it. */
static void a_replace_keeps_what_went_ahead(void)
{
    ask_for(1, "m", SELL "|40=2|38=5|44=10.00");
    ask_for(0, "a", BUY LIMIT "|59=6|126=20270116-00:00:00|110=5");
    expect(0, "8|11=a|150=0|110=5|126=20270116-00:00:00.000");
    expect(0, "8|11=a|39=1|32=5|110=5|126=20270116-00:00:00.000");
    in(0, "G|11=b|41=a" BUY LIMIT "|126=20270117-00:00:00");
    expect(0, "9|11=b|58=~ExpireTime(126) can not be changed: rule 8.8");
    in(0, "G|11=b|41=a" BUY LIMIT "|432=20270116");
    expect(0, "9|11=b|58=~ExpireDate(432) can not be changed: rule 8.8");
    in(0, "G|11=b|41=a" BUY LIMIT "|110=0");
    expect(0, "9|11=b|58=~MinQty(110) can not be changed: rule 8.8");
    in(0, "G|11=b|41=a" BUY LIMIT "|59=1");
    expect(0, "9|11=b|58=~TimeInForce(59) can not be changed");
    in(0, "G|11=b|41=a" BUY "|40=2|38=9|44=10.00|59=6|432=20270115|110=5");
    step();
    expect(0, "8|11=b|41=a|150=5|38=9|110=5|126=20270116-00:00:00.000");
    nothing(0);
}

/* 8.11 */
static void a_minimum_quantity(void)
{
    ask_for(1, "m", SELL "|40=2|38=4|44=10.00");
    ask_for(0, "a", BUY LIMIT "|110=5");
    expect(0, "8|11=a|150=0|110=5");
    expect(0, "8|11=a|150=4|39=4|110=5|58=~rule 8.11");
    ask_for(0, "b", BUY LIMIT "|110=4");
    expect(0, "8|11=b|150=0|110=4");
    expect(0, "8|11=b|39=1|32=4|110=4|151=6");
    ask_for(0, "c", BUY LIMIT "|110=11");
    expect(0, "8|11=c|39=8|110=11|58=~rules 8.1 and 8.9");
    ask_for(0, "d", BUY LIMIT "|110=-1");
    expect(0, "8|11=d|39=8|110=-1|58=~MinQty -1 is negative");
    ask_for(0, "d", BUY LIMIT "|110=4294967296");
    expect(0, "8|11=d|39=8|58=~MinQty 4294967296 is too large");
    ask_for(0, "d", BUY LIMIT "|110=4294967295");
    expect(0, "8|11=d|39=8|58=~rules 8.1 and 8.9");
    ask_for(0, "e", BUY LIMIT "|110=0");
    expect(0, "8|11=e|150=0|110=-");
    nothing(0);
}

/* 8.12: ExecInst is a list. */
static void all_or_none(void)
{
    ask_for(0, "a", BUY LIMIT "|18=G");
    expect(0, "8|11=a|150=0|18=G");
    ask_for(1, "m", SELL LIMIT);
    expect(0, "8|11=a|39=2|32=10|18=G");
    ask_for(0, "b", BUY LIMIT "|18=6 G");
    expect(0, "8|11=b|39=8|18=6 G|58=~rules 8.1 and 8.9");
    ask_for(0, "c", BUY LIMIT "|18=G G");
    expect(0, "8|11=c|150=0|18=G");
    ask_for(0, "d", BUY LIMIT "|18=6 1");
    expect(0, "8|11=d|39=8|18=6 1|58=~ExecInst(18) 6 1 is not supported; allowed: 6, G");
    in(0, "G|11=e|41=c" BUY LIMIT "|18=6");
    expect(0, "9|11=e|58=~ExecInst(18) can not be changed");
    in(0, "G|11=e|41=c" BUY "|40=2|38=9|44=10.00|18=G");
    step();
    expect(0, "8|11=e|150=5|38=9|18=G");
    nothing(0);
}

/* Section 9: what each version can say of a time in force and of an auction's trades. */
static void an_auction(void)
{
    const bool newest = dialect()->version == TL_FIX_50SP2;
    ask_for(0, "x", BUY LIMIT "|59=2");
    expect(0, "8|11=x|39=8|59=2|58=~trading phase 17 does not take this: rule 9.2");
    ask_for(1, "p", BUY "|40=2|38=3|44=9.00");
    expect(1, "8|11=p|150=0|59=0");
    phase(TL_TRADING_STATUS_OPENING_AUCTION);
    nothing(1);
    ask_for(0, "a", BUY LIMIT "|59=2");
    expect(0, "8|11=a|150=0|59=2");
    if (newest) {
        ask_for(0, "b", BUY "|40=2|38=1|44=8.00|59=B");
        expect(0, "8|11=b|150=0|59=B");
        in(0, "G|11=c|41=b" BUY "|40=2|38=2|44=8.00|59=B");
        step();
        expect(0, "8|11=c|41=b|150=5|38=2|59=B");
        ask_for(0, "d", BUY "|40=2|38=1|44=8.00|59=A");
        expect(0, "8|11=d|39=8|59=A|58=~TimeInForce(59) A is not supported");
    }
    ask_for(1, "q", SELL "|40=2|38=4|44=9.50");
    expect(1, "8|11=q|150=0");
    phase(TL_TRADING_STATUS_READY_TO_TRADE);
    expect(0, newest ? "8|11=a|150=F|32=4|31=10.00|851=4" : "8|11=a|32=4|31=10.00|851=-");
    expect(1, newest ? "8|11=q|150=F|32=4|31=10.00|851=4" : "8|11=q|32=4|31=10.00|851=-");
    expect(0, "8|11=a|41=-|150=4|39=4|14=4|58=~auction");
    if (newest)
        expect(0, "8|11=c|41=-|150=4|39=4|59=B|58=~auction");
    nothing(0);
    nothing(1); /* its order is where it was: that is no next part */
    ask_for(0, "s", SELL "|40=2|38=3|44=9.00");
    expect(0, "8|11=s|150=0");
    expect(1, "8|11=p|39=2|32=3|31=9.00|4.4:851=1");
    expect(0, "8|11=s|39=2|32=3|4.4:851=2");
    nothing(0);
}

/* 10.5: restated with what is left, and canceled where nothing is. */
static void what_would_trade_with_its_owner_has_less(void)
{
    self_trade(TL_SELF_TRADE_DECREMENT_BOTH);
    ask_for(0, "a", SELL LIMIT);
    expect(0, "8|11=a|150=0");
    ask_for(0, "b", BUY "|40=2|38=4|44=10.00");
    expect(0, "8|11=b|150=0|38=4");
    expect(0, "8|11=b|41=-|150=4|39=4|14=0|151=0|32=-");
    expect(0, "8|11=a|41=-|150=D|378=5|39=0|38=6|14=0|151=6|32=-");
    in(0, "H|11=a" SELL);
    expect(0, "8|11=a|39=0|38=6|151=6");
    nothing(0);
}

/* A desk that has the journal alone answers as the one that was there. */
static void the_journal_gives_it_again(void)
{
    static venue again;
    ask_for(0, "a", BUY LIMIT "|59=6|126=20270116-00:00:00|110=5");
    ask_for(0, "b", BUY "|40=2|38=10|44=9.00|18=G");
    ask_for(0, "c", BUY "|40=2|38=10|44=8.00");
    ask_for(0, "d", BUY LIMIT "|18=6 G");
    venue_open(&again, (int)dialect()->version);
    for (uint32_t i = 0; i < SESSIONS; i++)
        CHECK(tl_fix_desk_party(again.desk, &again.parties[i], 0) == 0);
    for (uint32_t i = 0; i < journaled; i++) {
        const uint64_t first = i == 0 ? 0 : event_end[i - 1];
        CHECK(tl_fix_desk_replay(again.desk, journal + i, 1, events + first,
                                 event_end[i] - first) == 0);
    }
    CHECK(again.said_count == live.said_count && again.said_count == 5);
    for (uint32_t i = 0; i < again.said_count; i++)
        CHECK(strcmp(again.bytes + again.said[i].at, live.bytes + live.said[i].at) == 0);
    tl_fix_desk_close(again.desk);
    free(again.bytes);
    again.bytes = NULL;
    expect(0, "8|11=a|150=0|110=5|126=20270116-00:00:00.000");
    expect(0, "8|11=a|150=4|110=5|126=20270116-00:00:00.000");
    expect(0, "8|11=b|150=0|18=G|110=-|126=-");
    expect(0, "8|11=c|150=0|18=-|110=-|126=-");
    expect(0, "8|11=d|39=8|18=6 G");
    nothing(0);
}

static void run(int version, void (*test)(void))
{
    begin(version);
    test();
    end();
}

int main(void)
{
    void (*tests[])(void) = {an_order_says_when_it_ends_and_ends_then,
                             an_expire_time_that_can_not_be_is_refused,
                             a_replace_keeps_what_went_ahead,
                             a_minimum_quantity,
                             all_or_none,
                             an_auction,
                             what_would_trade_with_its_owner_has_less,
                             the_journal_gives_it_again};
    for (int version = 0; version < 3; version++)
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            run(version, tests[i]);
    return 0;
}
