/* For how long a ClOrdID is used up, by what is agreed, also after a restart; and what may have
 * been sent before never acts again, whatever is agreed. */
#define _GNU_SOURCE
#include "fix_desk_venue.h"
#include "touchline/wire/fix_orders.h"

static void agree(uint8_t scope, uint64_t mark)
{
    for (uint32_t i = 0; i < SESSIONS; i++) {
        live.parties[i].cl_ord_id_scope = scope;
        CHECK(tl_fix_desk_party(live.desk, &live.parties[i], mark) == 0);
    }
}

/* The desk dies; the next one has the journal and whose store knows of every report. */
static void restart(int version, uint8_t scope)
{
    tl_fix_desk_close(live.desk);
    venue_open(&live, version);
    agree(scope, tl_fix_key(sink.next, 3));
    CHECK(tl_fix_desk_replay(live.desk, journal, journaled, events, sink.next) == 0);
    tl_fix_desk_named(live.desk);
}

static void end_the_day(void)
{
    administer((tl_command){.type = TL_MSG_TYPE_MASS_CANCEL,
                            .instrument = TL_INSTRUMENT_ALL,
                            .account = TL_ACCOUNT_ALL,
                            .time_in_force = TL_TIME_IN_FORCE_DAY,
                            .flags = TL_FLAG_EXPIRE});
    step();
}

/* A sell far away under that ClOrdID: is it taken, or a duplicate? Taken, it is taken off again. */
static void enter(const char *name, bool taken)
{
    char text[256];
    sprintf(text, "D|11=%s|55=XYZ|54=2|40=2|38=7|44=90.00", name);
    in(0, text);
    step();
    if (!taken) {
        sprintf(text, "8|11=%s|37=NONE|39=8|150=8|103=6", name);
        expect(0, text);
        nothing(0);
        return;
    }
    sprintf(text, "8|11=%s|39=0|150=0|38=7", name);
    expect(0, text);
    sprintf(text, "F|11=%s-|41=%s|55=XYZ|54=2|38=7", name, name);
    in(0, text);
    step();
    sprintf(text, "8|11=%s-|41=%s|39=4|38=7", name, name);
    expect(0, text);
}

/* An order good till canceled that was replaced and is open, and a replace of it that was refused;
 * one that was canceled and one that was refused; a cancel that was. */
static void use_names(void)
{
    in(0, "D|11=gtc|55=ABC|54=1|40=2|38=10|44=1.00|59=1");
    in(0, "D|11=over|55=ABC|54=1|40=2|38=10|44=1.00");
    step();
    in(0, "G|11=gtc2|41=gtc|55=ABC|54=1|40=2|38=20|44=1.00");
    in(0, "F|11=cancel|41=over|55=ABC|54=1|38=10");
    step();
    in(0, "G|11=much|41=gtc2|55=ABC|54=1|40=2|38=20|44=99999999.00");
    in(0, "F|11=late|41=over|55=ABC|54=1|38=10");
    in(0, "D|11=wrong|55=ABC|54=1|40=2|38=10|44=99999999.00");
    step();
    expect(0, "8|11=gtc|39=0");
    expect(0, "8|11=over|39=0");
    expect(0, "8|11=gtc2|150=5");
    expect(0, "8|11=cancel|39=4");
    expect(0, "9|11=much|39=~");
    expect(0, "9|11=late|102=0");
    expect(0, "8|11=wrong|39=8|150=8");
    nothing(0);
}

int main(void)
{
    static const char *const used[] = {"over", "cancel", "late", "wrong", "much"};
    for (int version = 0; version < 3; version++)
        for (uint8_t scope = TL_FIX_SCOPE_EVER; scope <= TL_FIX_SCOPE_OPEN; scope++)
            for (int restarts = 0; restarts < 2; restarts++) {
                begin(version);
                agree(scope, 0);
                use_names();
                for (size_t i = 0; i < 2; i++) {
                    if (restarts)
                        restart(version, scope);
                    enter("gtc", false);
                    enter("gtc2", false);
                    enter(used[2 * i], scope == TL_FIX_SCOPE_OPEN);
                    enter(used[2 * i + 1], scope == TL_FIX_SCOPE_OPEN);
                }
                enter("much", scope == TL_FIX_SCOPE_OPEN);
                end_the_day();
                if (restarts)
                    restart(version, scope);
                enter("gtc", false);
                enter("gtc2", false);
                for (size_t i = 0; i < sizeof used / sizeof *used; i++) {
                    enter(used[i], scope != TL_FIX_SCOPE_EVER);
                    enter(used[i], scope == TL_FIX_SCOPE_OPEN); /* now it is of this day */
                }
                in(0, "D|43=Y|122=20270115-08:00:00.000|11=over|55=XYZ|54=2|40=2|38=7|44=90.00");
                step();
                nothing(0);
                in(0, "D|97=Y|11=over|55=XYZ|54=2|40=2|38=7|44=90.00");
                step();
                expect(0, "8|11=over|17=0|39=4");
                nothing(0);
                end();
            }
    free(live.bytes);
    return 0;
}
