/* Market and reference data: what is answered, what is refused, and how much there may be of it. */
#include "market.h"

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

/* 2,000 instruments: more than one message holds. */
static void a_long_list_comes_in_pieces(void)
{
    const tl_fix_market_config config = {SESSIONS, 2000, 0, 0};
    const tl_fix_market_hooks hooks = {NULL, &names, on_send, on_ready};
    char symbol[16];
    uint32_t listed = 0;
    tl_fix_names_open(&names, 2000, 2);
    CHECK(tl_fix_market_open(&market, &config, &hooks) == 0);
    for (uint32_t i = 0; i < 2000; i++) {
        snprintf(symbol, sizeof symbol, "L%04u", i);
        name(TL_TEXT_SYMBOL, i, symbol);
        name(TL_TEXT_TICK_SIZE, i, "0.00000001");
        name(TL_TEXT_LOT_SIZE, i, "1");
    }
    for (uint32_t session = 0; session < SESSIONS; session += 2) {
        ready[session] = true;
        ask(session, "x|320=q|559=4|");
        settle();
        CHECK(sent_count > 4);
        listed = 0;
        for (const char *at = sent; (at = strstr(at, "|55=L")) != NULL; at++) {
            snprintf(symbol, sizeof symbol, "L%04u", listed++);
            CHECK(memcmp(at + 4, symbol, 5) == 0);
        }
        CHECK(listed == 2000);
        const char *last = strstr(sent, "893=Y");
        CHECK(last != NULL && strstr(last, "35=y") == NULL);
    }
    tl_fix_market_close(market);
    tl_fix_names_close(&names);
}

static void nothing_to_tell_is_told(void)
{
    begin();
    for (uint32_t session = 0; session < SESSIONS; session++) {
        ask(session, "V|262=0|263=0|264=0|267=3|269=0|269=1|269=2|146=1|55=AAA|");
        settle();
        check_said("|268=0|");
    }
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

static void answers_go_back_the_way_their_request_came(void)
{
    begin();
    ask(0, "V|50=DESK|115=CLIENT|262=0|263=1|264=0|265=1|267=1|269=0|146=1|55=AAA|");
    ask(0, "e|50=OTHER|324=s|55=AAA|263=0|");
    check_said("35=f|57=OTHER|55=AAA|");
    settle();
    check_said("35=W|57=DESK|128=CLIENT|55=AAA|");
    clear();
    order(0, TL_SIDE_BUY, 1000, 5);
    settle();
    check_said("35=X|57=DESK|128=CLIENT|262=0|");
    ask(0, "x|50=%040d|320=q|559=0|55=AAA|", 1);
    check_said("|58=SenderSubID(50) is too long to be answered");
    end();
}

/* A request with fields left out, doubled, exchanged and overwritten. */
static void mutate(uint64_t *state, const char *from, char *to, size_t room)
{
    static const char *const spare[] = {"55=AAA", "55=ZZZ", "146=3",  "146=0", "267=2", "269=1",
                                        "269=2",  "263=1",  "263=2",  "264=1", "264=0", "265=0",
                                        "265=1",  "48=AAA", "15=EUR", "336=1", "547=N", "711=0",
                                        "559=4",  "321=3",  "262=7",  "386=0", "1500=x", "5001=y"};
    size_t size = (size_t)(strchr(from, '|') + 1 - from);
    memcpy(to, from, size);
    for (const char *at = from + size; *at != 0;) {
        const char *end = strchr(at, '|') + 1;
        const uint64_t r = random_next(state);
        const unsigned copies = r % 16 == 0 ? 0 : r % 16 == 1 ? 2 : 1;
        for (unsigned i = 0; i < copies && size + 64 < room; i++) {
            memcpy(to + size, at, (size_t)(end - at));
            size += (size_t)(end - at);
        }
        if (r % 16 == 2)
            size += (size_t)sprintf(to + size, "%s|", spare[(r >> 8) % 24]);
        if (r % 16 == 3 && size > 2 && to[size - 2] != '=')
            to[size - 2] = (char)('0' + (r >> 8) % 75);
        at = end;
    }
    to[size] = 0;
}

static void spoilt_requests_do_no_harm(void)
{
    static const char *const requests[] = {
        "V|262=5|263=1|264=0|265=1|267=3|269=0|269=1|269=2|146=2|55=AAA|55=BBB|",
        "V|262=6|263=0|264=5|266=Y|267=1|269=0|146=1|55=CCC|48=CCC|",
        "x|320=q|559=0|55=AAA|", "c|320=q|321=0|55=AAA|15=EUR|", "e|324=s|55=AAA|263=1|",
        "g|335=v|336=1|338=1|263=1|"};
    char fields[2048];
    uint64_t state = 7;
    begin();
    keeping = false; /* sessions share names here */
    for (int i = 0; i < 30000; i++) {
        const uint64_t r = random_next(&state);
        const tl_fix_asker asker = {(uint32_t)(r % SESSIONS), dialect_of((uint32_t)(r % SESSIONS)),
                                    3, true};
        mutate(&state, requests[(r >> 8) % 6], fields, sizeof fields);
        ready[r >> 16 & 1] = (r >> 17 & 7) != 0;
        clear();
        ask_as(asker, (r >> 20 & 1) != 0, fields);
        order((uint16_t)((r >> 24) % INSTRUMENTS), r >> 32 & 1 ? TL_SIDE_BUY : TL_SIDE_SELL,
              (int64_t)(1000 + (r >> 33) % 16), 1);
        if (i % 64 == 63)
            settle();
        if (i % 4096 == 4095)
            tl_fix_market_left(market, (uint32_t)(r % SESSIONS));
        for (uint32_t session = 0; session < SESSIONS; session++)
            CHECK(tl_fix_market_items(market, session) <= TL_FIX_ITEMS_MAX);
    }
    CHECK(tl_fix_market_fault(market) == NULL);
    keeping = true;
    end();
}

int main(void)
{
    answers_go_back_the_way_their_request_came();
    spoilt_requests_do_no_harm();
    requests_are_refused_by_name();
    what_a_session_may_ask_for_is_bounded();
    instruments_are_listed();
    a_list_waits_for_the_one_before();
    a_long_list_comes_in_pieces();
    nothing_to_tell_is_told();
    halts_are_told();
    an_event_that_does_not_fit_ends_market_data_alone();
    without_books_there_is_no_market_data();
    return 0;
}
