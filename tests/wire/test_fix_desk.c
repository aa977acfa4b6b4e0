/* The desk: what is asked becomes of an order what the Order State Change Matrices of FIX 4.4
 * (volume 4, appendix D) say, as far as the engine makes such changes; one row a test, in three
 * versions. What FIX 4.2 calls differently stands beside it. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"

#define BUY "|55=ABC|54=1"
#define SELL "|55=ABC|54=2"

static void buy(const char *name, const char *more)
{
    char request[256];
    snprintf(request, sizeof request, "D|11=%s" BUY "|40=2%s", name, more);
    in(0, request);
}

/* The other side, of whose reports nothing is looked at here. */
static void sell(const char *name, const char *more)
{
    char request[256];
    snprintf(request, sizeof request, "D|11=%s" SELL "|40=2|1=ACC2%s", name, more);
    in(1, request);
}

static void accepted(const char *name)
{
    char expected[128];
    snprintf(expected, sizeof expected, "8|11=%s|150=0|39=0|14=0|6=0|41=-|4.2:20=0|4.4:20=-", name);
    expect(0, expected);
}

/* A.1.a */
static void an_order_trades_in_parts(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    expect(0, "8|11=a|37=4294967296|150=0|39=0|38=100|14=0|151=100|6=0|1=ACC1|55=ABC|54=1|40=2|44="
              "10.00|59=0|32=-|31=-|103=-|58=-");
    sell("m", "|38=30|44=10.00");
    step();
    expect(0, "8|11=a|4.4:150=F|4.2:150=1|39=1|38=100|14=30|151=70|6=10.00|32=30|31=10.00|4.4:851="
              "1");
    sell("n", "|38=70|44=9.00");
    step();
    expect(0, "8|11=a|4.4:150=F|4.2:150=2|39=2|14=100|151=0|6=10.00|32=70|31=10.00");
    nothing(0);
}

static void the_day_is_over(void)
{
    administer((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                            .instrument = TL_INSTRUMENT_ALL,
                            .account = TL_ACCOUNT_ALL,
                            .time_in_force = TL_TIME_IN_FORCE_DAY,
                            .flags = TL_FLAG_EXPIRE});
}

/* A.1.b, A.1.c, F.1: what is left expires, but for good till cancel. */
static void a_day_order_expires(void)
{
    buy("a", "|38=100|44=10.00");
    buy("g", "|38=10|44=9.00|59=1");
    sell("m", "|38=40|44=10.00");
    step();
    accepted("a");
    accepted("g");
    expect(0, "8|11=a|39=1");
    the_day_is_over();
    step();
    expect(0, "8|11=a|150=C|39=C|14=40|151=0|38=100|41=-");
    nothing(0);
    in(0, "H|11=g" BUY);
    expect(0, "8|11=g|4.4:150=I|4.2:150=0|39=0|4.2:20=3|151=10|59=1");
}

/* B.1.a */
static void an_order_that_has_not_traded_is_canceled(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    in(0, "F|11=b|41=a|38=100" BUY);
    nothing(0);
    step();
    expect(0, "8|11=b|41=a|150=4|39=4|38=100|14=0|151=0|58=-");
    nothing(0);
}

/* B.1.b: it trades while the cancel is on its way. */
static void a_fill_overtakes_a_cancel(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    sell("m", "|38=40|44=10.00");
    in(0, "F|11=b|41=a|38=100" BUY);
    step();
    expect(0, "8|11=a|39=1|14=40|151=60");
    expect(0, "8|11=b|41=a|150=4|39=4|14=40|151=0");
    nothing(0);
}

/* B.1.c */
static void a_cancel_comes_too_late(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    sell("m", "|38=100|44=10.00");
    in(0, "F|11=b|41=a|38=100" BUY);
    step();
    expect(0, "8|11=a|39=2|14=100");
    expect(0, "9|11=b|41=a|37=4294967296|39=2|102=0|434=1");
    in(0, "F|11=c|41=a|38=100" BUY); /* and once more, when it is known to be over */
    step();
    expect(0, "9|11=c|41=a|39=2|102=0|434=1");
    nothing(0);
}

/* B.1.d, B.1.e */
static void a_cancel_of_what_is_not_there_is_rejected(void)
{
    in(0, "F|11=b|41=none|38=100" BUY);
    expect(0, "9|11=b|41=none|37=NONE|39=8|102=1|434=1");
    in(0, "G|11=c|41=none|40=2|38=100|44=10.00" BUY);
    expect(0, "9|11=c|41=none|37=NONE|39=8|102=1|434=2");
    nothing(0);
    CHECK(stepped == journaled);
}

/* C.1.a, C.2.a */
static void a_replace_changes_quantity_and_price(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    in(0, "G|11=b|41=a|40=2|38=120|44=10.00" BUY);
    step();
    expect(0, "8|11=b|41=a|150=5|4.4:39=0|4.2:39=5|38=120|14=0|151=120|44=10.00");
    in(0, "G|11=c|41=b|40=2|38=50|44=10.05" BUY);
    step();
    expect(0, "8|11=c|41=b|150=5|4.4:39=0|4.2:39=5|38=50|14=0|151=50|44=10.05");
    in(0, "H|11=a" BUY);
    expect(0, "8|11=a|4.4:39=0|4.2:39=5|38=50");
    nothing(0);
}

/* C.1.b, C.2.b: a fill overtakes the replace; what has traded counts. */
static void a_fill_overtakes_a_replace(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    sell("m", "|38=40|44=10.00");
    in(0, "G|11=b|41=a|40=2|38=60|44=10.00" BUY);
    step();
    expect(0, "8|11=a|39=1|14=40|151=60");
    expect(0, "8|11=b|41=a|150=5|39=1|38=60|14=40|151=20");
    sell("n", "|38=20|44=10.00");
    step();
    expect(0, "8|11=b|39=2|14=60|151=0|38=60");
    nothing(0);
}

/* C.2.c: no more than has traded. */
static void a_replace_down_to_what_has_traded_fills_the_order(void)
{
    buy("a", "|38=100|44=10.00");
    sell("m", "|38=40|44=10.00");
    step();
    accepted("a");
    expect(0, "8|11=a|39=1");
    in(0, "G|11=b|41=a|40=2|38=30|44=10.00" BUY);
    step();
    expect(0, "8|11=b|41=a|150=5|39=2|14=40|151=0");
    in(0, "G|11=c|41=b|40=2|38=90|44=10.00" BUY);
    step();
    expect(0, "9|11=c|41=b|39=2|102=0|434=2");
    nothing(0);
}

/* C.1.c: the order was filled meanwhile. */
static void a_replace_comes_too_late(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    sell("m", "|38=100|44=10.00");
    in(0, "G|11=b|41=a|40=2|38=150|44=10.00" BUY);
    step();
    expect(0, "8|11=a|39=2|14=100");
    expect(0, "9|11=b|41=a|39=2|102=0|434=2");
    nothing(0);
}

/* C.3.a to C.3.c, D: one replace refers to another; each is answered before the next is handled. */
static void replaces_chain(void)
{
    buy("a", "|38=100|44=10.00");
    CHECK(ask(0, "G|11=b|41=a|40=2|38=90|44=10.00" BUY) == TL_FIX_LATER);
    step();
    accepted("a");
    in(0, "G|11=b|41=a|40=2|38=90|44=10.00" BUY);
    CHECK(ask(0, "G|11=c|41=b|40=2|38=80|44=10.00" BUY) == TL_FIX_LATER);
    step();
    expect(0, "8|11=b|41=a|150=5");
    in(0, "G|11=c|41=b|40=2|38=99999999999|44=10.00" BUY);
    step();
    expect(0, "9|11=c|41=b|4.4:39=0|4.2:39=5|434=2");
    in(0, "F|11=d|41=c|38=90" BUY); /* what was refused names nothing */
    expect(0, "9|11=d|41=c|102=1|39=8");
    in(0, "F|11=e|41=a|38=90" BUY); /* any name of the chain will do */
    step();
    expect(0, "8|11=e|41=b|150=4|39=4");
    nothing(0);
}

/* Two changes of one order at once: each reject says what its request named. */
static void two_changes_cross(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    in(0, "G|11=b|41=a|40=2|38=90|44=10.00" BUY);
    in(0, "F|11=c|41=a|38=100" BUY);
    in(0, "F|11=d|41=a|38=100" BUY);
    step();
    expect(0, "8|11=b|41=a|150=5");
    expect(0, "8|11=c|41=b|150=4|39=4");
    expect(0, "9|11=d|41=a|39=4|102=0");
    nothing(0);
}

/* E.1.b */
static void the_venue_cancels(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    administer((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                            .instrument = TL_INSTRUMENT_ALL,
                            .account = TL_ACCOUNT_ALL});
    step();
    expect(0, "8|11=a|41=-|150=4|39=4|14=0|151=0|58=~mass cancel");
    nothing(0);
}

/* G.1, G.2 */
static void what_can_not_trade_at_once_ends(void)
{
    sell("m", "|38=40|44=10.00");
    buy("f", "|38=100|44=10.00|59=4");
    buy("i", "|38=100|44=10.00|59=3");
    in(0, "D|11=k" BUY "|40=1|38=10");
    step();
    accepted("f");
    expect(0, "8|11=f|150=4|39=4|14=0|151=0|41=-");
    accepted("i");
    expect(0, "8|11=i|39=1|14=40|151=60|4.4:851=2");
    expect(0, "8|11=i|150=4|39=4|14=40|151=0|58=~");
    expect(0, "8|11=k|150=0|39=0|40=1|44=-");
    expect(0, "8|11=k|150=4|39=4|14=0|151=0");
    nothing(0);
}

/* A.1.d, E.3: the engine says no, the desk says no. */
static void orders_are_refused(void)
{
    buy("a", "|38=100|44=99999999.00");
    step();
    expect(0, "8|11=a|37=NONE|150=8|39=8|14=0|151=0|38=100|4.4:103=99|4.2:103=0|58=~99999999.00");
    buy("b", "|38=100|44=10.001");
    expect(0, "8|11=b|37=NONE|150=8|39=8|44=10.001|58=~tick size 0.01");
    in(0, "D|11=c|55=NIX|54=1|40=2|38=1|44=1.00");
    expect(0, "8|11=c|39=8|103=1|55=NIX");
    buy("d", "|38=100|44=10.00|1=ACC9");
    expect(0, "8|11=d|39=8|4.4:103=15|4.2:103=0");
    in(0, "D|11=e" BUY "|40=2|38=1");
    expect(0, "j|380=5|379=e|58=~44");
    nothing(0);
}

/* E.2: a request that may have been sent before acts once. */
static void a_request_acts_once(void)
{
    buy("a", "|38=100|44=10.00");
    buy("x", "|38=1|44=99999999.00");
    step();
    accepted("a");
    expect(0, "8|11=x|39=8");
    const uint32_t before = journaled;
    buy("a", "|38=100|44=10.00");
    expect(0, "8|11=a|37=NONE|150=8|39=8|103=6");
    buy("x", "|38=1|44=10.00"); /* what the engine refused is used up */
    expect(0, "8|11=x|39=8|103=6");
    in(0, "D|97=Y|11=a" BUY "|40=2|38=100|44=10.00");
    expect(0, "8|11=a|4.4:150=I|4.2:150=0|39=0|17=0");
    in(0, "D|43=Y|122=20270115-08:00:00.000|11=a" BUY "|40=2|38=100|44=10.00");
    in(0, "F|11=a|41=a|38=100" BUY);
    expect(0, "9|11=a|41=a|4.4:102=6|4.2:102=2|39=0");
    nothing(0);
    CHECK(journaled == before);
}

/* What a full lane turned away has done nothing. */
static void a_full_lane_takes_nothing(void)
{
    lane_full = true;
    CHECK(ask(0, "D|11=a" BUY "|40=2|38=100|44=10.00") == TL_FIX_LATER);
    lane_full = false;
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    nothing(0);
}

/* A change that the engine did not take as one leaves the order. */
static void a_refused_change_leaves_the_order(void)
{
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    in(0, "G|11=b|41=a|40=2|38=90|44=10.00" BUY);
    const tl_event refused = {.seq = sink.next + 1,
                              .ts_ns = 1,
                              .cl_ord_id = (uint64_t)TL_LANE_FIX << 32 | counter,
                              .exec_type = TL_EXEC_TYPE_REJECTED,
                              .reason = TL_REASON_INVALID_MSG_TYPE};
    CHECK(tl_fix_desk_events(live.desk, &refused, 1) == 0);
    expect(0, "9|11=b|41=a|37=4294967296|39=0|434=2|4.4:102=99|4.2:102=2");
    in(0, "H|11=a" BUY);
    expect(0, "8|11=a|39=0|151=100|38=100");
    nothing(0);
}

/* Names of another order than the one that is to be changed. */
static void a_change_that_contradicts_itself_is_rejected(void)
{
    const char *wrong[] = {"F|11=b|41=a|38=1|55=XYZ|54=1",
                           "F|11=b|41=a|38=1|55=ABC|54=2",
                           "F|11=b|41=a|38=1|37=99" BUY,
                           "F|11=b|41=a|38=1|48=XYZ|22=8" BUY,
                           "G|11=b|41=a|40=2|38=1|44=1.00|48=XYZ|22=8" BUY,
                           "G|11=b|41=a|40=1|38=1|44=1.00" BUY,
                           "G|11=b|41=a|40=2|38=1|44=1.00|59=1" BUY};
    buy("a", "|38=100|44=10.00");
    step();
    accepted("a");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        in(0, wrong[i]);
        expect(0, "9|11=b|41=a|39=0|4.4:102=99|4.2:102=2");
    }
    in(0, "H|11=a|48=XYZ|22=8" BUY);
    expect(0, "j|380=0|58=~SecurityID(48) XYZ");
    in(0, "F|11=b|41=a|38=100|48=ABC|22=8" BUY);
    step();
    expect(0, "8|11=b|150=4");
    nothing(0);
}

/* Fields that mean nothing here pass; those that would mean something do not. */
static void fields_that_mean_something_are_refused(void)
{
    const struct {
        int from;
        const char *field, *words;
    } fields[] = {{TL_FIX_42, "18=1", "ExecInst(18) 1"},
                  {TL_FIX_42, "210=5", "MaxShow(210)"},
                  {TL_FIX_42, "15=JPY", "Currency(15) JPY"},
                  {TL_FIX_42, "48=XYZ|22=8", "SecurityID(48) XYZ"},
                  {TL_FIX_44, "775=1", "BookingType(775) 1"},
                  {TL_FIX_44, "854=1", "QtyType(854) 1"},
                  {TL_FIX_50SP2, "1082=5", "SecondaryDisplayQty(1082)"},
                  {TL_FIX_50SP2, "2362=SMP", "SelfMatchPreventionID(2362)"},
                  {TL_FIX_50SP2, "41109=Y", "41109"}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if ((int)dialect()->version < fields[i].from)
            continue;
        char more[128], expected[128];
        snprintf(more, sizeof more, "|38=1|44=1.00|%s", fields[i].field);
        buy("a", more);
        snprintf(expected, sizeof expected, "8|11=a|39=8|4.4:103=11|4.2:103=0|58=~%s",
                 fields[i].words);
        expect(0, expected);
    }
    if (dialect()->version != TL_FIX_42) {
        buy("a", "|38=1|44=1.00|775=0|75=20270115|117=Q|23=I");
        step();
        accepted("a");
    }
    nothing(0);
}

/* What is repeated of a request is cut between characters. */
static void texts_end_between_characters(void)
{
    char request[256], expected[256];
    const char *umlauts =
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"
        "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4";
    snprintf(request, sizeof request, "D|11=a|55=x%s%s%s%s|54=1|40=2|38=1|44=1.00", umlauts,
             umlauts, umlauts, umlauts);
    in(0, request);
    snprintf(expected, sizeof expected, "8|11=a|39=8|58=unknown symbol 'x%s%s%s\xc3\xa4'", umlauts,
             umlauts, umlauts);
    expect(0, expected);
}

/* FIX 5.0 lets an order be named by its OrderID alone: while it is open, and long after. */
static void an_order_is_found_by_its_order_id(void)
{
    if (dialect()->version != TL_FIX_50SP2)
        return;
    buy("a", "|38=10|44=10.00");
    step();
    accepted("a");
    in(0, "H|37=4294967296" BUY);
    expect(0, "8|11=a|39=0|150=I");
    in(1, "F|11=z|37=4294967296|38=10" BUY); /* another session's order */
    expect(1, "9|11=z|37=NONE|102=1|39=8");
    sell("m", "|38=10|44=10.00");
    step();
    expect(0, "8|11=a|39=2");
    for (int i = 0; i < 20; i++) { /* its place is taken by others */
        char name[16];
        snprintf(name, sizeof name, "i%d", i);
        buy(name, "|38=10|44=10.00|59=3");
        step();
        accepted(name);
        expect(0, "8|150=4");
    }
    in(0, "F|11=b|37=4294967296|38=10" BUY);
    step();
    expect(0, "9|11=b|37=4294967296|39=2|102=0|41=a");
    in(0, "F|11=c|38=10" BUY);
    expect(0, "j|380=5|58=~41");
    nothing(0);
}

/* ClOrdIDs of 64 bytes, of characters of several; the rest is as refused as ever. */
static void a_clordid_has_64_bytes(void)
{
#define TWELVE "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
#define LONG "x" TWELVE TWELVE TWELVE TWELVE TWELVE "yz"
    buy(LONG "1", "|38=100|44=10.00");
    buy(LONG "2", "|38=100|44=10.00");
    step();
    accepted(LONG "1");
    accepted(LONG "2");
    in(0, "G|11=" LONG "3|41=" LONG "1|40=2|38=90|44=10.00" BUY);
    step();
    expect(0, "8|11=" LONG "3|41=" LONG "1|150=5");
    buy(LONG "34", "|38=1|44=1.00");
    expect(0, "8|11=" LONG "34|39=8|58=~65 bytes long; allowed are 64");
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
    static void (*const tests[])(void) = {
        an_order_trades_in_parts, a_day_order_expires, an_order_that_has_not_traded_is_canceled,
        a_fill_overtakes_a_cancel, a_cancel_comes_too_late,
        a_cancel_of_what_is_not_there_is_rejected, a_replace_changes_quantity_and_price,
        a_fill_overtakes_a_replace, a_replace_down_to_what_has_traded_fills_the_order,
        a_replace_comes_too_late, replaces_chain, two_changes_cross, the_venue_cancels,
        what_can_not_trade_at_once_ends, orders_are_refused, a_request_acts_once,
        a_full_lane_takes_nothing, a_refused_change_leaves_the_order,
        a_change_that_contradicts_itself_is_rejected, fields_that_mean_something_are_refused,
        texts_end_between_characters, an_order_is_found_by_its_order_id, a_clordid_has_64_bytes};
    for (int version = 0; version < 3; version++)
        for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
            run(version, tests[i]);
    free(live.bytes);
    return 0;
}
