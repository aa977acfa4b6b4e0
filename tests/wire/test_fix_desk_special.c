/* The desk and special orders: what FIX says of them becomes terms, and what becomes of them is
 * told in the words of each version. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"

#define BUY "|55=ABC|54=1"
#define SELL "|55=ABC|54=2"

static void ask_for(uint32_t session, const char *name, const char *more)
{
    char request[256];
    snprintf(request, sizeof request, "D|11=%s|1=ACC%u%s", name, session + 1, more);
    in(session, request);
    step();
}

/* A trade at 10.00 that nobody looks at: the reference price. */
static void trade_at(const char *price)
{
    char buys[128], sells[128];
    snprintf(buys, sizeof buys, BUY "|40=2|38=1|44=%s", price);
    snprintf(sells, sizeof sells, SELL "|40=2|38=1|44=%s", price);
    static int count;
    char name[32];
    snprintf(name, sizeof name, "t%d", count++);
    ask_for(1, name, buys);
    snprintf(name, sizeof name, "t%d", count++);
    ask_for(1, name, sells);
}

static bool old(void)
{
    return dialect()->version == TL_FIX_42;
}

/* 8.3: accepted, waits, is triggered, trades; each time it says what it is. */
static void a_stop_limit_order_is_triggered(void)
{
    trade_at("10.00");
    ask_for(0, "a", BUY "|40=4|38=10|44=10.50|99=10.20");
    expect(0, "8|11=a|150=0|39=0|40=4|44=10.50|99=10.20|4.4:636=N|4.2:636=-|151=10");
    in(0, "H|11=a" BUY);
    expect(0, "8|11=a|39=0|40=4|99=10.20|4.4:636=N");
    trade_at("10.20");
    expect(0, "8|11=a|41=-|39=0|40=4|99=10.20|4.2:150=D|4.2:378=4|4.4:636=Y|58=~stop price");
    nothing(0);
    ask_for(1, "m", SELL "|40=2|38=4|44=10.40");
    expect(0, "8|11=a|39=1|40=4|32=4|31=10.50|4.4:636=Y");
    in(0, "F|11=c|41=a|38=10" BUY);
    step();
    expect(0, "8|11=c|41=a|150=4|39=4|636=-");
    nothing(0);
}

/* ExecType(150) L is FIX 5.0's; before, it is a restatement that says why. */
static void triggered_is_said_as_the_version_can(void)
{
    trade_at("10.00");
    ask_for(0, "a", SELL "|40=4|38=10|44=9.00|99=9.90");
    expect(0, "8|11=a|150=0");
    trade_at("9.90");
    switch (dialect()->version) {
    case TL_FIX_42:
        expect(0, "8|11=a|150=D|378=4|39=0");
        break;
    case TL_FIX_44:
        expect(0, "8|11=a|150=D|378=8|39=0|636=Y");
        break;
    default:
        expect(0, "8|11=a|150=L|378=-|39=0|636=Y");
    }
    nothing(0);
}

/* 8.3: a stop order that finds nothing ends; nobody asked, and its owner's name for it is there. */
static void what_the_engine_ends_has_its_owners_name(void)
{
    trade_at("10.00");
    ask_for(0, "a", BUY "|40=3|38=10|99=10.20");
    expect(0, "8|11=a|150=0|40=3|44=-|99=10.20");
    trade_at("10.20");
    expect(0, "8|11=a|4.2:150=D|39=0");
    expect(0, "8|11=a|41=-|150=4|39=4|40=3|151=0|58=~market order");
    nothing(0);
}

/* 8.3: J without a price is market-if-touched, with one limit-if-touched. */
static void an_order_to_be_touched(void)
{
    if (old()) /* its dictionary has no J and no K */
        return;
    trade_at("10.00");
    ask_for(0, "a", BUY "|40=J|38=10|99=9.80");
    expect(0, "8|11=a|150=0|40=J|44=-|99=9.80|636=N");
    ask_for(0, "b", BUY "|40=J|38=10|44=9.70|99=9.80");
    expect(0, "8|11=b|150=0|40=J|44=9.70|99=9.80|636=N");
    in(0, "G|11=c|41=b|40=J|38=12|44=9.75" BUY);
    step();
    expect(0, "8|11=c|41=b|150=5|38=12|44=9.75|99=9.80|636=N");
    in(0, "G|11=d|41=c|40=J|38=12" BUY);
    expect(0, "9|11=d|58=~OrdType(40) can not be changed");
    in(0, "G|11=e|41=a|40=J|38=11" BUY);
    step();
    expect(0, "8|11=e|41=a|150=5|38=11|44=-|636=N");
    nothing(0);
}

/* 8.4: an iceberg shows its part, and the next one when that has traded. */
static void an_iceberg_shows_a_part(void)
{
    ask_for(0, "a", SELL "|40=2|38=100|44=10.00|111=30");
    expect(0, "8|11=a|150=0|39=0|38=100|151=100|5.0:1138=30|5.0:111=-");
    ask_for(1, "b", BUY "|40=2|38=20|44=10.00");
    expect(0, "8|11=a|39=1|32=20|151=80|5.0:1138=10");
    ask_for(1, "c", BUY "|40=2|38=10|44=10.00");
    expect(0, "8|11=a|39=1|32=10|151=70|5.0:1138=0");
    expect(0, "8|11=a|150=D|39=1|41=-|4.2:378=4|4.4:378=8|151=70|5.0:1138=30|58=~next part");
    in(0, "G|11=d|41=a|40=2|38=95|44=10.00" SELL);
    step();
    expect(0, "8|11=d|41=a|150=5|38=95|151=65|5.0:1138=30");
    in(0, "G|11=e|41=d|40=2|38=95|44=10.00|111=20" SELL);
    expect(0, "9|11=e|4.4:102=99|58=~MaxFloor(111) can not be changed");
    in(0, "G|11=f|41=d|40=2|38=95|44=10.10|111=30" SELL);
    step();
    expect(0, "8|11=f|41=d|150=5|38=95|44=10.10|5.0:1138=30");
    nothing(0);
}

/* MaxFloor and, in FIX 5.0, DisplayQty: 0 is nothing to be seen. */
static void a_hidden_order_shows_nothing(void)
{
    const bool newest = dialect()->version == TL_FIX_50SP2;
    char more[128];
    snprintf(more, sizeof more, SELL "|40=2|38=10|44=10.00|%s=0", newest ? "1138" : "111");
    ask_for(0, "a", more);
    expect(0, newest ? "8|11=a|150=0|1138=0" : "8|11=a|150=0|111=0");
    in(0, "G|11=b|41=a|40=2|38=9|44=10.00|111=9" SELL);
    expect(0, "9|11=b|58=~can not be changed: rule 8.8");
    in(0, "G|11=b|41=a|40=2|38=9|44=10.00|111=0" SELL);
    step();
    expect(0, newest ? "8|11=b|150=5|1138=0" : "8|11=b|150=5|111=0");
    if (newest) {
        ask_for(0, "c", SELL "|40=2|38=10|44=10.00|1138=5|111=6");
        expect(0, "8|11=c|39=8|58=~MaxFloor(111) and DisplayQty(1138)");
    }
    nothing(0);
}

/* 8.6 */
static void a_post_only_order_does_not_trade(void)
{
    ask_for(1, "m", SELL "|40=2|38=10|44=10.00");
    ask_for(0, "a", BUY "|40=2|38=10|44=10.10|18=6");
    expect(0, "8|11=a|150=8|39=8|18=6|58=~post-only at 10.10 would trade at 10.00");
    ask_for(0, "b", BUY "|40=2|38=10|44=10.10|18=6|20018=Y");
    expect(0, "8|11=b|150=0|39=0|18=6|44=9.99|20018=Y");
    in(0, "H|11=b" BUY);
    expect(0, "8|11=b|39=0|18=6|44=9.99|20018=Y");
    ask_for(0, "c", BUY "|40=2|38=10|44=9.00|18=6|20018=N");
    expect(0, "8|11=c|150=0|18=6|44=9.00|20018=-");
    in(0, "G|11=d|41=c|40=2|38=10|44=9.10|18=6|20018=Y" BUY);
    expect(0, "9|11=d|58=~PostOnlySlide(20018) can not be changed");
    ask_for(0, "e", BUY "|40=2|38=10|44=9.00|20018=Y");
    expect(0, "8|11=e|39=8|4.4:103=11|58=~rules 8.1");
    ask_for(0, "f", BUY "|40=2|38=10|44=9.00|18=6|20018=X");
    expect(0, "8|11=f|39=8|58=~PostOnlySlide(20018) X is not supported");
    ask_for(0, "g", BUY "|40=2|38=10|44=9.00|18=1");
    expect(0, "8|11=g|39=8|58=~ExecInst(18) 1 is not supported; allowed: 6, G");
    ask_for(0, "h", BUY "|40=2|38=10|44=9.00");
    expect(0, "8|11=h|150=0|18=-");
    in(0, "G|11=i|41=h|40=2|38=10|44=9.00|18=6" BUY);
    expect(0, "9|11=i|58=~ExecInst(18) can not be changed");
    nothing(0);
}

/* 8.6: what is left of a market-to-limit order rests at the price that it took. */
static void a_market_to_limit_order_gets_a_price(void)
{
    if (old())
        return;
    ask_for(1, "m", SELL "|40=2|38=4|44=10.00");
    ask_for(0, "a", BUY "|40=K|38=10");
    expect(0, "8|11=a|150=0|40=K|44=-|151=10");
    expect(0, "8|11=a|150=F|39=1|32=4|31=10.00");
    expect(0, "8|11=a|150=D|378=8|39=1|40=K|44=10.00|151=6|58=~rests at this price");
    in(0, "G|11=b|41=a|40=K|38=10|44=9.90" BUY);
    step();
    expect(0, "8|11=b|41=a|150=5|44=9.90|39=1");
    nothing(0);
}

/* What is missing, beyond what a number holds, or does not go together. */
static void terms_that_can_not_be_are_refused(void)
{
    trade_at("10.00");
    ask_for(0, "a", BUY "|40=3|38=10");
    expect(0, "j|380=5|58=~(99)");
    ask_for(0, "a", BUY "|40=4|38=10|99=10.20");
    expect(0, "j|380=5|58=~(44)");
    ask_for(0, "a", BUY "|40=3|38=10|99=-1");
    expect(0, "8|11=a|39=8|99=-1|58=~StopPx -1 is negative");
    ask_for(0, "a", BUY "|40=3|38=10|99=10.205");
    expect(0, "8|11=a|39=8|58=~StopPx 10.205 is not a multiple of the tick size 0.01");
    ask_for(0, "a", BUY "|40=3|38=10|99=99999999.99");
    expect(0, "8|11=a|39=8|58=~StopPx 99999999.99 is too large");
    ask_for(0, "a", BUY "|40=2|38=10|44=10.00|111=4294967296");
    expect(0, "8|11=a|39=8|111=4294967296|58=~MaxFloor 4294967296 is too large");
    ask_for(0, "a", BUY "|40=2|38=10|44=10.00|99=9.00");
    expect(0, "8|11=a|39=8|150=8|99=9.00|4.4:103=11|58=~rules 8.1");
    ask_for(0, "b", BUY "|40=2|38=1000|44=10.00|111=3");
    expect(0, "8|11=b|39=8|4.4:103=13|58=~display quantity 3 is below 16: rule 8.4");
    ask_for(0, "c", BUY "|40=3|38=10|99=10.20|59=3");
    expect(0, "8|11=c|39=8|58=~rules 8.1");
    ask_for(0, "d", BUY "|40=3|38=10|99=10.20");
    expect(0, "8|11=d|150=0");
    in(0, "G|11=e|41=d|40=3|38=10|99=10.30" BUY);
    expect(0, "9|11=e|39=0|434=2|58=~StopPx(99) can not be changed: rule 8.8");
    in(0, "G|11=e|41=d|40=3|38=9|99=10.20" BUY);
    step();
    expect(0, "8|11=e|150=5|38=9|99=10.20|44=-");
    nothing(0);
}

/* A plain order of an instrument with special ones: nothing is said that was not said before. */
static void plain_orders_are_told_as_ever(void)
{
    ask_for(1, "m", SELL "|40=2|38=100|44=11.00|111=30");
    ask_for(0, "a", BUY "|40=2|38=10|44=10.00");
    expect(0, "8|11=a|150=0|39=0|18=-|99=-|111=-|636=-|1138=-");
    in(0, "G|11=b|41=a|40=2|38=10|44=10.10|99=0" BUY);
    step();
    expect(0, "8|11=b|150=5|44=10.10");
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
    void (*tests[])(void) = {a_stop_limit_order_is_triggered,
                             triggered_is_said_as_the_version_can,
                             what_the_engine_ends_has_its_owners_name,
                             an_order_to_be_touched,
                             an_iceberg_shows_a_part,
                             a_hidden_order_shows_nothing,
                             a_post_only_order_does_not_trade,
                             a_market_to_limit_order_gets_a_price,
                             terms_that_can_not_be_are_refused,
                             plain_orders_are_told_as_ever};
    for (int version = 0; version < 3; version++)
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            run(version, tests[i]);
    return 0;
}
