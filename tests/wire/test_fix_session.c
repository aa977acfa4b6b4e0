/* The session: one rule a test, named by the rule. Messages go in and come out as text with '|'. */
#include "touchline/wire/fix_session.h"
#include "touchline/wire/fix_text.h"
#include "check.h"
#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)

static char directory[64];
static tl_fix_store *store;
static tl_fix_session *session;
static tl_fix_message message;
static tl_fix_clock now;
static char received[1 << 20]; /* what the peer was sent, shortened by `shorten` */
static char text[4096];
static char reply[4096];

static void begin(void)
{
    tl_fix_store_config config = {.sessions_max = 4, .segment_bytes = 64u << 20};
    CHECK(tl_fix_store_open(&store, directory, &config) == 0);
    tl_fix_terms terms = {.number = 1,
                          .dialect = tl_fix_dialect_find("FIX.4.4", ""),
                          .comp_id = "BROKER",
                          .venue_comp_id = "VENUE",
                          .heartbeat_max_s = 60,
                          .sending_time_tolerance_s = 120,
                          .time_decimals = 3};
    CHECK(tl_fix_session_open(&session, &terms, store) == 0);
    now = (tl_fix_clock){1800000000 * SECOND, 100 * SECOND};
}

static void end(void)
{
    tl_fix_session_close(session);
    tl_fix_store_close(store);
    folder_remove(directory);
}

/* A whole message around "35=..|34=..|..." with the names and time put in behind 34. */
static void parse(const char *head, const char *tail, int64_t utc_ns)
{
    char body[2048];
    char *at = body;
    at += sprintf(at, "%s49=BROKER|", head);
    char *time = tl_fix_put_time(at, 52, utc_ns, 3);
    at = time;
    at += sprintf(at, "56=VENUE|%s", tail);
    int size = sprintf(text, "8=FIX.4.4|9=%d|%s", (int)(at - body), body);
    for (int i = 0; i < size; i++)
        if (text[i] == '|')
            text[i] = TL_FIX_SOH;
    size += sprintf(text + size, "10=%03u\x01", tl_fix_checksum(text, (size_t)size));
    CHECK(tl_fix_parse(&message, session == NULL ? NULL : tl_fix_session_terms(session)->dialect,
                       text, (size_t)size) == 0);
}

static void make(const char *type, uint64_t number, const char *header, const char *tail)
{
    char head[256];
    snprintf(head, sizeof head, "35=%s|34=%llu|%s", type, (unsigned long long)number, header);
    parse(head, tail, now.utc_ns);
}

static tl_fix_received in(const char *type, uint64_t number, const char *tail)
{
    make(type, number, "", tail);
    return tl_fix_session_receive(session, &message, &now);
}

static tl_fix_received order(uint64_t number)
{
    return in("D", number, "11=A|21=1|55=X|54=1|60=20270115-08:00:00|38=1|40=2|44=1|");
}

/* Everything due, without 8, 9, 49, 52, 56, 122 and 10. */
static const char *out(void)
{
    struct iovec pieces[16];
    size_t size = 0;
    for (int count; (count = tl_fix_session_output(session, pieces, 16, &now)) > 0;) {
        size_t bytes = 0;
        for (int i = 0; i < count; i++) {
            CHECK(size + bytes + pieces[i].iov_len < sizeof received);
            memcpy(received + size + bytes, pieces[i].iov_base, pieces[i].iov_len);
            bytes += pieces[i].iov_len;
        }
        size_t taken = bytes > 700 ? bytes - 77 : bytes; /* sometimes not all is taken */
        size += taken;
        tl_fix_session_wrote(session, taken, &now);
    }
    char *to = received;
    for (size_t at = 0; at < size;) {
        size_t field = at;
        while (received[at] != TL_FIX_SOH)
            at++;
        received[at++] = '|';
        unsigned tag = (unsigned)atoi(received + field);
        if (tag == 8 || tag == 9 || tag == 49 || tag == 52 || tag == 56 || tag == 122)
            continue;
        if (tag == 10) {
            *to++ = ' ';
            continue;
        }
        memmove(to, received + field, at - field);
        to += at - field;
    }
    *to = 0;
    return received;
}

#define EXPECT(expected)                                                                           \
    do {                                                                                           \
        const char *got = out();                                                                   \
        if (strcmp(got, expected) != 0)                                                            \
            fprintf(stderr, "got %.2000s\n", got);                                                 \
        CHECK(strcmp(received, expected) == 0);                                                    \
    } while (0)

static const char *logon(uint64_t number, const char *tail)
{
    make("A", number, "", tail);
    return tl_fix_session_logon(session, &message, &now);
}

static void on(void)
{
    begin();
    CHECK(logon(1, "98=0|108=30|") == NULL);
    EXPECT("35=A|34=1|98=0|108=30| ");
}

static void report(const char *body)
{
    size_t size = strlen(body);
    memcpy(reply, body, size);
    for (size_t i = 0; i < size; i++)
        if (reply[i] == '|')
            reply[i] = TL_FIX_SOH;
    CHECK(tl_fix_session_send(session, "8", reply, size, 0, &now) == 0);
}

static uint64_t next_in(void)
{
    return tl_fix_store_marks(store, 1)->next_in;
}

static void a_refused_logon_changes_nothing(void)
{
    begin();
    report("37=1|");
    tl_fix_marks before = *tl_fix_store_marks(store, 1);
    CHECK(strcmp(logon(1, "98=2|108=30|141=Y|"), "EncryptMethod(98) must be 0") == 0);
    CHECK(strcmp(logon(1, "98=0|108=61|141=Y|"),
                 "HeartBtInt(108) must be 1 to 60 seconds") == 0);
    CHECK(logon(7, "98=0|108=30|141=Y|") != NULL); /* 141=Y asks for 34=1 */
    CHECK(logon(1, "98=0|108=30|789=9|") != NULL);
    parse("35=A|34=1|", "98=0|108=30|", now.utc_ns - 121 * SECOND);
    CHECK(strcmp(tl_fix_session_logon(session, &message, &now),
                 "SendingTime accuracy problem") == 0);
    CHECK(memcmp(&before, tl_fix_store_marks(store, 1), sizeof before) == 0);
    EXPECT("");
    CHECK(tl_fix_session_state_of(session) == TL_FIX_AWAY);
    char bytes[512];
    size_t size = tl_fix_write_refusal(bytes, tl_fix_session_terms(session), 1, "no", &now);
    CHECK(size < sizeof bytes && memcmp(bytes, "8=FIX.4.4\x01", 10) == 0);
    CHECK(memcmp(&before, tl_fix_store_marks(store, 1), sizeof before) == 0);
    end();
}

static void a_logon_with_reset_begins_anew(void)
{
    begin();
    report("37=1|");
    CHECK(logon(1, "98=0|108=30|141=Y|") == NULL);
    EXPECT("35=A|34=1|98=0|108=30|141=Y| ");
    CHECK(next_in() == 2);
    end();
}

static void what_was_sent_while_away_is_resent_on_request(void)
{
    begin();
    report("37=1|");
    report("37=2|");
    CHECK(logon(1, "98=0|108=30|") == NULL);
    EXPECT("35=A|34=3|98=0|108=30| ");
    CHECK(in("2", 2, "7=1|16=0|") == TL_FIX_DONE);
    EXPECT("35=8|34=1|43=Y|37=1| 35=8|34=2|43=Y|37=2| 35=4|34=3|43=Y|36=4|123=Y| ");
    CHECK(in("2", 3, "7=2|16=2|") == TL_FIX_DONE);
    EXPECT("35=8|34=2|43=Y|37=2| ");
    CHECK(in("2", 4, "7=100|16=0|") == TL_FIX_DONE); /* beyond what was sent */
    CHECK(in("2", 5, "7=4|16=3|") == TL_FIX_DONE);
    EXPECT("");
    CHECK(in("2", 6, "7=2|16=1|") == TL_FIX_DONE);
    EXPECT("35=3|34=4|45=6|58=Value is incorrect (out of range) for this tag|371=16|372=2|373=5| ");
    CHECK(in("2", 7, "7=0|16=0|") == TL_FIX_DONE);
    EXPECT("35=3|34=5|45=7|58=Value is incorrect (out of range) for this tag|371=7|372=2|373=5| ");
    CHECK(next_in() == 8);
    end();
}

static void next_expected_number_brings_the_rest(void)
{
    begin();
    report("37=1|");
    report("37=2|");
    CHECK(logon(1, "98=0|108=30|789=2|") == NULL);
    /* The Logon's answer comes first, whatever its number: nobody takes anything before it. */
    const char *got = out();
    const char *welcome = strstr(got, "35=A|34=3|98=0|108=30|789=2| ");
    const char *lost = strstr(got, "35=8|34=2|43=Y|37=2| ");
    CHECK(welcome != NULL && lost != NULL && welcome < lost);
    CHECK(strstr(got, "34=1|") == NULL);
    end();
}

static void early_messages_wait_for_those_before_them(void)
{
    on();
    for (uint64_t number = 4; number < 6000; number++)
        CHECK(order(number) == TL_FIX_DONE);
    EXPECT("35=2|34=2|7=2|16=0| "); /* once */
    CHECK(order(2) == TL_FIX_APPLICATION);
    CHECK(order(2) == TL_FIX_APPLICATION); /* handed in again */
    tl_fix_session_took(session, &message, 5, &now);
    const char *bytes;
    size_t size;
    CHECK(!tl_fix_session_held(session, &bytes, &size));
    CHECK(order(3) == TL_FIX_APPLICATION);
    tl_fix_session_took(session, &message, 5, &now);
    uint64_t expected = 4;
    while (tl_fix_session_held(session, &bytes, &size)) {
        CHECK(tl_fix_parse(&message, tl_fix_session_terms(session)->dialect, bytes, size) == 0);
        CHECK(message.msg_seq_num == expected);
        CHECK(tl_fix_session_receive(session, &message, &now) == TL_FIX_APPLICATION);
        tl_fix_session_took(session, &message, 5, &now);
        CHECK(next_in() == ++expected);
    }
    CHECK(expected > 1000 && expected < 3000); /* the bound */
    EXPECT("");
    end();
}

static void an_older_gap_is_asked_for_after_the_next_logon(void)
{
    on();
    CHECK(order(5) == TL_FIX_DONE);
    EXPECT("35=2|34=2|7=2|16=0| ");
    CHECK(in("5", 6, "") == TL_FIX_GONE);
    EXPECT("35=5|34=3| ");
    tl_fix_session_left(session, &now);
    CHECK(logon(7, "98=0|108=30|") == NULL);
    EXPECT("35=A|34=4|98=0|108=30| 35=2|34=5|7=2|16=0| ");
    end();
}

static void too_low_a_number_ends_the_session(void)
{
    on();
    CHECK(in("0", 2, "") == TL_FIX_DONE);
    make("0", 1, "43=Y|", "");
    CHECK(tl_fix_session_receive(session, &message, &now) == TL_FIX_DONE);
    EXPECT("35=3|34=2|45=1|58=Required tag missing|371=122|372=0|373=1| ");
    CHECK(in("0", 2, "") == TL_FIX_GONE);
    EXPECT("35=5|34=3|58=MsgSeqNum too low, expecting 3 but received 2| ");
    CHECK(next_in() == 3);
    end();
}

static void a_message_without_a_number_ends_the_session(void)
{
    on();
    parse("35=1|", "112=x|", now.utc_ns);
    CHECK(tl_fix_session_receive(session, &message, &now) == TL_FIX_GONE);
    EXPECT("35=5|34=2|58=MsgSeqNum missing| ");
    CHECK(next_in() == 2);
    end();
}

static tl_fix_received unread(const char *bytes)
{
    size_t size = strlen(bytes);
    for (size_t i = 0; i <= size; i++)
        text[i] = bytes[i] == '|' ? TL_FIX_SOH : bytes[i];
    const tl_fix_dialect *dialect = tl_fix_session_terms(session)->dialect;
    CHECK(tl_fix_parse(&message, dialect, text, size) == -EBADMSG);
    return tl_fix_session_unread(session, &message, &now);
}

static void a_message_of_another_version_ends_the_session(void)
{
    on();
    CHECK(unread("8=FIX.4.2|9=5|34=2|10=000|") == TL_FIX_DONE); /* no message at all */
    CHECK(unread("") == TL_FIX_DONE);
    EXPECT("");
    CHECK(unread("8=FIX.4.2|9=5|35=0|34=2|10=000|") == TL_FIX_GONE);
    EXPECT("35=5|34=2|58=Incorrect BeginString| ");
    CHECK(next_in() == 2);
    CHECK(unread("8=FIX.4.2|9=5|35=0|34=2|10=000|") == TL_FIX_GONE); /* says nothing more */
    EXPECT("");
    end();
}

static void numbers_go_beyond_32_bits(void)
{
    on();
    CHECK(in("4", 2, "36=9223372036854775806|") == TL_FIX_DONE);
    CHECK(next_in() == UINT64_C(9223372036854775806));
    CHECK(in("0", UINT64_C(9223372036854775807), "") == TL_FIX_DONE);
    EXPECT("35=2|34=2|7=9223372036854775806|16=0| ");
    CHECK(in("4", 2, "36=5|") == TL_FIX_DONE);
    EXPECT("35=3|34=3|45=2|58=Value is incorrect (out of range) for this tag|372=4|373=5| ");
    end();
}

static void a_test_request_is_answered_and_rejects_are_not(void)
{
    on();
    CHECK(in("1", 2, "112=HELLO|") == TL_FIX_DONE);
    EXPECT("35=0|34=2|112=HELLO| ");
    CHECK(in("3", 3, "45=1|") == TL_FIX_DONE);
    CHECK(in("j", 4, "45=1|372=8|380=3|") == TL_FIX_DONE);
    CHECK(in("3", 5, "999=1|") == TL_FIX_DONE); /* malformed */
    EXPECT("");
    CHECK(next_in() == 6);
    end();
}

static void steps_of_the_clock_disconnect_nobody(void)
{
    on();
    now.utc_ns += 60 * SECOND;
    CHECK(tl_fix_session_tick(session, &now) == 130 * SECOND);
    EXPECT("");
    now.utc_ns -= 120 * SECOND;
    now.mono_ns += 30 * SECOND;
    CHECK(tl_fix_session_tick(session, &now) == 136 * SECOND);
    EXPECT("35=0|34=2| ");
    now.mono_ns += 6 * SECOND;
    tl_fix_session_tick(session, &now);
    EXPECT("35=1|34=3|112=TEST| ");
    CHECK(in("0", 2, "112=TEST|") == TL_FIX_DONE);
    now.mono_ns += 71 * SECOND;
    tl_fix_session_tick(session, &now);
    CHECK(tl_fix_session_state_of(session) == TL_FIX_ON);
    now.mono_ns += SECOND;
    tl_fix_session_tick(session, &now);
    CHECK(tl_fix_session_state_of(session) == TL_FIX_OVER);
    end();
}

static void wrong_names_and_times_are_rejected_and_end_the_session(void)
{
    on();
    parse("35=0|34=2|", "", now.utc_ns - 121 * SECOND);
    CHECK(tl_fix_session_receive(session, &message, &now) == TL_FIX_DONE);
    EXPECT("35=3|34=2|45=2|58=SendingTime accuracy problem|372=0|373=10| 35=5|34=3| ");
    CHECK(tl_fix_session_state_of(session) == TL_FIX_LEAVING);
    CHECK(in("5", 3, "") == TL_FIX_GONE);
    EXPECT("");
    end();
}

static void five_requests_for_all_cost_two_walks_at_most(void)
{
    on();
    char body[64];
    for (int i = 0; i < 2000; i++) {
        snprintf(body, sizeof body, "37=%d|", i);
        report(body);
    }
    out();
    struct iovec pieces[4];
    CHECK(in("2", 2, "7=1|16=0|") == TL_FIX_DONE);
    CHECK(tl_fix_session_output(session, pieces, 4, &now) == 1);
    CHECK(pieces[0].iov_len <= 65536);
    for (uint64_t number = 3; number < 7; number++)
        CHECK(in("2", number, "7=1|16=0|") == TL_FIX_DONE);
    report("37=new|");
    size_t times = 0;
    const char *got = out();
    for (const char *at = got; (at = strstr(at, "|37=1999| ")) != NULL; at++)
        times++;
    CHECK(times <= 2 && times >= 1);
    const char *last = "35=8|34=2002|37=new| ";
    CHECK(strcmp(got + strlen(got) - strlen(last), last) == 0);
    end();
}

static void cost_of_a_report(long count)
{
    on();
    memset(reply, 'x', 280);
    reply[0] = '1', reply[1] = '1', reply[2] = '=', reply[279] = TL_FIX_SOH;
    struct iovec pieces[64];
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (long i = 0; i < count; i++) {
        now.utc_ns += 1000;
        CHECK(tl_fix_session_send(session, "8", reply, 280, (uint64_t)i, &now) == 0);
        if (i % 32 == 31) {
            size_t bytes = 0;
            int pieces_count = tl_fix_session_output(session, pieces, 64, &now);
            CHECK(pieces_count == 32 || i == 31);
            for (int k = 0; k < pieces_count; k++)
                bytes += pieces[k].iov_len;
            tl_fix_session_wrote(session, bytes, &now);
        }
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.0f ns to send and write out a report of %zu bytes\n",
           ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)count,
           pieces[0].iov_len);
    end();
}

int main(int argc, char **argv)
{
    snprintf(directory, sizeof directory, "/tmp/test_fix_session.%d", (int)getpid());
    a_refused_logon_changes_nothing();
    a_logon_with_reset_begins_anew();
    what_was_sent_while_away_is_resent_on_request();
    next_expected_number_brings_the_rest();
    early_messages_wait_for_those_before_them();
    an_older_gap_is_asked_for_after_the_next_logon();
    too_low_a_number_ends_the_session();
    a_message_without_a_number_ends_the_session();
    a_message_of_another_version_ends_the_session();
    numbers_go_beyond_32_bits();
    a_test_request_is_answered_and_rejects_are_not();
    steps_of_the_clock_disconnect_nobody();
    wrong_names_and_times_are_rejected_and_end_the_session();
    five_requests_for_all_cost_two_walks_at_most();
    cost_of_a_report(argc > 1 ? atol(argv[1]) : 100000);
    return 0;
}
