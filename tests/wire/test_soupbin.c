/* SoupBinTCP: framing, logins, heartbeats, and a stream that survives its connections. */
#include "check.h"
#include "touchline/wire/soupbin.h"

#define SECOND INT64_C(1000000000)
#define PAYLOAD_MAX 100

static const tl_soupbin_config config = {.heartbeat_ns = TL_SOUPBIN_HEARTBEAT_NS,
                                         .silence_ns = TL_SOUPBIN_SILENCE_NS,
                                         .login_ns = TL_SOUPBIN_LOGIN_NS,
                                         .payload_max = PAYLOAD_MAX};
static uint8_t out[4096];
static tl_soupbin_end server, client;
static tl_soupbin_event event;
static const char *fault;

static size_t packet(uint8_t *to, char type, const char *payload, size_t size)
{
    memcpy(tl_soupbin_head(to, type, size), payload, size);
    return TL_SOUPBIN_HEAD + size;
}

/* One packet handed to the server; what it makes of it. */
static tl_soupbin_event_kind give(char type, const char *payload, size_t size, int64_t now_ns)
{
    uint8_t bytes[256];
    const size_t whole = packet(bytes, type, payload, size);
    const size_t used = tl_soupbin_server_take(&server, bytes, whole, now_ns, &event);
    CHECK(used == whole || event.kind == TL_SOUPBIN_EVENT_FAULT);
    return event.kind;
}

#define USER "USER  " "PASSWORD  "

static tl_soupbin_event_kind log_in(const char *session, const char *number)
{
    char request[47];
    snprintf(request, sizeof request, USER "%10s%20s", session, number);
    tl_soupbin_server_open(&server, &config, "S1", 0);
    return give('L', request, 46, 0);
}

static void a_packet_is_found_wherever_the_stream_is_cut(void)
{
    uint8_t bytes[16];
    const size_t whole = packet(bytes, 'U', "abc", 3);
    tl_soupbin_packet found;
    CHECK(whole == 6 && bytes[0] == 0 && bytes[1] == 4);
    for (size_t size = 0; size < whole; size++)
        CHECK(tl_soupbin_find(bytes, size, PAYLOAD_MAX, &found) == TL_SOUPBIN_PART);
    for (size_t size = whole; size < sizeof bytes; size++) {
        CHECK(tl_soupbin_find(bytes, size, PAYLOAD_MAX, &found) == TL_SOUPBIN_WHOLE);
        CHECK(found.size == whole && found.payload_size == 3 && found.type == 'U');
        CHECK(memcmp(found.payload, "abc", 3) == 0);
    }
}

static void a_length_that_can_not_be_is_known_from_its_two_bytes(void)
{
    static const uint8_t none[] = {0, 0}, long_one[] = {0, PAYLOAD_MAX + 2};
    tl_soupbin_packet found;
    CHECK(tl_soupbin_find(none, 2, PAYLOAD_MAX, &found) == TL_SOUPBIN_BROKEN);
    CHECK(tl_soupbin_find(long_one, 2, PAYLOAD_MAX, &found) == TL_SOUPBIN_BROKEN);
    CHECK(tl_soupbin_find(long_one, 2, PAYLOAD_MAX + 1, &found) == TL_SOUPBIN_PART);
}

static void a_login_is_told_session_and_next_number(void)
{
    CHECK(log_in("S1", "3") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(strcmp(event.username, "USER") == 0 && strcmp(event.password, "PASSWORD") == 0);
    CHECK(strcmp(event.session, "S1") == 0 && event.number == 3);
    CHECK(tl_soupbin_server_accept(&server, &event, 5, 0, out) == 33);
    CHECK(memcmp(out, "\0\x1F" "A        S1                   3", 33) == 0);
    CHECK(server.state == TL_SOUPBIN_OPEN && server.next == 3);
}

static void a_blank_session_is_the_current_one(void)
{
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_accept(&server, &event, 0, 0, out) == 33 && server.next == 1);
}

static void number_0_is_what_comes_next(void)
{
    CHECK(log_in("", "0") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_accept(&server, &event, 41, 0, out) == 33 && server.next == 42);
}

static void another_session_or_a_number_not_reached_is_refused(void)
{
    CHECK(log_in("S2", "1") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_accept(&server, &event, 9, 0, out) == 4);
    CHECK(memcmp(out, "\0\2JS", 4) == 0 && server.state == TL_SOUPBIN_CLOSED);
    CHECK(log_in("S1", "7") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_accept(&server, &event, 5, 0, out) == 4);
    CHECK(log_in("S1", "6") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_accept(&server, &event, 5, 0, out) == 33);
}

static void a_wrong_password_is_refused(void)
{
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(tl_soupbin_server_reject(&server, TL_SOUPBIN_NOT_AUTHORIZED, out) == 4);
    CHECK(memcmp(out, "\0\2JA", 4) == 0 && server.state == TL_SOUPBIN_CLOSED);
}

static void a_login_that_is_none_is_a_fault(void)
{
    const char *numbers[] = {"", "x", "-1", "1 2", "18446744073709551616"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        CHECK(log_in("", numbers[i]) == TL_SOUPBIN_EVENT_FAULT);
    CHECK(log_in("", "18446744073709551615") == TL_SOUPBIN_EVENT_LOGIN);
    tl_soupbin_server_open(&server, &config, "S1", 0);
    CHECK(give('L', USER, 16, 0) == TL_SOUPBIN_EVENT_FAULT && event.fault != NULL);
}

static void nothing_comes_before_the_login_and_no_second_one(void)
{
    tl_soupbin_server_open(&server, &config, "S1", 0);
    CHECK(give('+', "hello", 5, 0) == TL_SOUPBIN_EVENT_NOTHING);
    CHECK(give('R', "", 0, 0) == TL_SOUPBIN_EVENT_NOTHING);
    CHECK(give('U', "x", 1, 0) == TL_SOUPBIN_EVENT_FAULT);
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(give('U', "x", 1, 0) == TL_SOUPBIN_EVENT_FAULT);
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    CHECK(give('L', "", 0, 0) == TL_SOUPBIN_EVENT_FAULT);
}

static void a_closed_end_takes_nothing(void)
{
    uint8_t bytes[8];
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    tl_soupbin_server_accept(&server, &event, 0, 0, out);
    CHECK(give('U', "abc", 3, 0) == TL_SOUPBIN_EVENT_UNSEQUENCED && event.message_size == 3);
    CHECK(give('O', "", 0, 0) == TL_SOUPBIN_EVENT_LOGOUT);
    const size_t size = packet(bytes, 'U', "x", 1);
    CHECK(tl_soupbin_server_take(&server, bytes, size, 0, &event) == 0);
    CHECK(event.kind == TL_SOUPBIN_EVENT_NOTHING);
    CHECK(tl_soupbin_due_ns(&server) == INT64_MAX);
}

static void what_only_the_other_side_sends_is_a_fault(void)
{
    const char types[] = "AJSHZ?";
    for (size_t i = 0; types[i] != '\0'; i++) {
        CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
        tl_soupbin_server_accept(&server, &event, 0, 0, out);
        CHECK(give(types[i], "", 0, 0) == TL_SOUPBIN_EVENT_FAULT);
    }
}

static void a_login_must_come_in_time(void)
{
    tl_soupbin_config patient = config;
    patient.silence_ns = INT64_MAX / 2;
    tl_soupbin_server_open(&server, &patient, "S1", 0);
    CHECK(tl_soupbin_due_ns(&server) == TL_SOUPBIN_LOGIN_NS);
    CHECK(tl_soupbin_server_due(&server, TL_SOUPBIN_LOGIN_NS - 1, out, &fault) == 0);
    CHECK(fault == NULL);
    CHECK(tl_soupbin_server_due(&server, TL_SOUPBIN_LOGIN_NS, out, &fault) == 0);
    CHECK(fault != NULL && server.state == TL_SOUPBIN_CLOSED);
}

static void a_heartbeat_goes_out_after_a_second_without_a_packet(void)
{
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    tl_soupbin_server_accept(&server, &event, 0, 0, out);
    CHECK(tl_soupbin_due_ns(&server) == SECOND);
    CHECK(tl_soupbin_server_due(&server, SECOND - 1, out, &fault) == 0 && fault == NULL);
    CHECK(tl_soupbin_server_due(&server, SECOND, out, &fault) == 3);
    CHECK(memcmp(out, "\0\1H", 3) == 0 && tl_soupbin_due_ns(&server) == 2 * SECOND);
    tl_soupbin_server_sequenced(&server, out, 4, 2 * SECOND);
    CHECK(memcmp(out, "\0\5S", 3) == 0 && server.next == 2);
    CHECK(tl_soupbin_server_due(&server, 2 * SECOND, out, &fault) == 0 && fault == NULL);
}

static void a_silent_client_is_lost_after_15_seconds(void)
{
    CHECK(log_in("", "1") == TL_SOUPBIN_EVENT_LOGIN);
    tl_soupbin_server_accept(&server, &event, 0, 0, out);
    tl_soupbin_sent(&server, 15 * SECOND - 1);
    CHECK(tl_soupbin_server_due(&server, 15 * SECOND - 1, out, &fault) == 0 && fault == NULL);
    CHECK(give('R', "", 0, 10 * SECOND) == TL_SOUPBIN_EVENT_NOTHING);
    tl_soupbin_sent(&server, 25 * SECOND - 1);
    CHECK(tl_soupbin_server_due(&server, 25 * SECOND - 1, out, &fault) == 0 && fault == NULL);
    CHECK(tl_soupbin_server_due(&server, 25 * SECOND, out, &fault) == 0 && fault != NULL);
}

static tl_soupbin_event_kind client_given(const char *bytes, size_t size)
{
    tl_soupbin_client_take(&client, (const uint8_t *)bytes, size, 0, &event);
    return event.kind;
}

#define ACCEPTED "\0\x1F" "A        S1                   3"

static void a_client_counts_the_messages_of_the_session(void)
{
    CHECK(tl_soupbin_client_open(&client, &config, "USER", "PASSWORD", "S1", 3, 0, out) == 49);
    CHECK(memcmp(out, "\0\x2F" "L" USER "        S1" "                   3", 49) == 0);
    CHECK(client_given(ACCEPTED, 33) == TL_SOUPBIN_EVENT_ACCEPTED && event.number == 3);
    CHECK(client_given("\0\2Sx", 4) == TL_SOUPBIN_EVENT_SEQUENCED && event.number == 3);
    CHECK(client_given("\0\2Sy", 4) == TL_SOUPBIN_EVENT_SEQUENCED && event.number == 4);
    CHECK(*event.message == 'y' && client.next == 5);
    CHECK(client_given("\0\2Uz", 4) == TL_SOUPBIN_EVENT_UNSEQUENCED && client.next == 5);
    CHECK(client_given("\0\1H", 3) == TL_SOUPBIN_EVENT_NOTHING);
    CHECK(tl_soupbin_client_due(&client, SECOND, out, &fault) == 3 && out[2] == 'R');
    CHECK(client_given("\0\1Z", 3) == TL_SOUPBIN_EVENT_ENDED);
    CHECK(client.state == TL_SOUPBIN_CLOSED);
}

static void a_client_does_not_take_another_stream_for_its_own(void)
{
    tl_soupbin_client_open(&client, &config, "U", "P", "S2", 3, 0, out);
    CHECK(client_given(ACCEPTED, 33) == TL_SOUPBIN_EVENT_FAULT);
    tl_soupbin_client_open(&client, &config, "U", "P", "S1", 4, 0, out);
    CHECK(client_given(ACCEPTED, 33) == TL_SOUPBIN_EVENT_FAULT);
    tl_soupbin_client_open(&client, &config, "U", "P", "", 0, 0, out);
    CHECK(client_given("\0\2Sx", 4) == TL_SOUPBIN_EVENT_FAULT);
    tl_soupbin_client_open(&client, &config, "U", "P", "", 0, 0, out);
    CHECK(client_given("\0\2JA", 4) == TL_SOUPBIN_EVENT_REJECTED && event.reason == 'A');
    CHECK(tl_soupbin_client_open(&client, &config, "TOOLONGNAME", "P", "", 0, 0, out) == 49);
    CHECK(memcmp(out + 3, "TOOLON", 6) == 0);
}

/* ── both ends, over connections that break ──────────────────────────────────────────────────── */

#define MESSAGES 2000u

/* Send what there is from number `next` on, a part of which the other end may get. */
static size_t send_some(uint64_t count, size_t room, uint64_t *random)
{
    size_t size = 0;
    while (server.next <= count && size + 16 < room && random_next(random) % 8 != 0) {
        const uint64_t number = server.next;
        tl_put_u64(tl_soupbin_server_sequenced(&server, out + size, 8, 0), number * 31);
        size += TL_SOUPBIN_HEAD + 8;
    }
    return size;
}

/* Take whole packets of what came; how many bytes they had. */
static size_t receive(const uint8_t *bytes, size_t size, uint64_t *expected)
{
    size_t at = 0;
    for (size_t used = 1; used != 0; at += used) {
        used = tl_soupbin_client_take(&client, bytes + at, size - at, 0, &event);
        CHECK(event.kind != TL_SOUPBIN_EVENT_FAULT);
        if (event.kind != TL_SOUPBIN_EVENT_SEQUENCED)
            continue;
        CHECK(event.number == *expected && event.message_size == 8);
        CHECK(tl_get_u64(event.message) == event.number * 31);
        ++*expected;
    }
    return at;
}

static void connect_again(uint64_t next, uint64_t count)
{
    uint8_t reply[TL_SOUPBIN_REPLY_MAX];
    const size_t size = tl_soupbin_client_open(&client, &config, "U", "P", "S1", next, 0, reply);
    tl_soupbin_server_open(&server, &config, "S1", 0);
    CHECK(tl_soupbin_server_take(&server, reply, size, 0, &event) == size);
    const size_t answer = tl_soupbin_server_accept(&server, &event, count, 0, reply);
    CHECK(tl_soupbin_client_take(&client, reply, answer, 0, &event) == answer);
    CHECK(event.kind == TL_SOUPBIN_EVENT_ACCEPTED);
}

static void every_message_arrives_once_whatever_breaks(uint64_t seed)
{
    uint64_t random = seed, expected = 1, count = 0;
    uint8_t held[2 * sizeof out];
    size_t held_size = 0;
    connect_again(1, 0);
    while (expected <= MESSAGES) {
        if (count < MESSAGES)
            count += random_next(&random) % 4;
        const size_t size = send_some(count, sizeof out, &random);
        const bool breaks = random_next(&random) % 16 == 0;
        const size_t arrives = breaks ? random_next(&random) % (size + 1) : size;
        memcpy(held + held_size, out, arrives);
        held_size += arrives;
        /* What lies in the receive buffer is read in pieces of any size. */
        const size_t readable = breaks ? held_size : random_next(&random) % (held_size + 1);
        const size_t used = receive(held, readable, &expected);
        memmove(held, held + used, held_size - used);
        held_size -= used;
        if (breaks || held_size > sizeof out) {
            held_size = 0;
            connect_again(expected, count);
        }
    }
}

int main(void)
{
    a_packet_is_found_wherever_the_stream_is_cut();
    a_length_that_can_not_be_is_known_from_its_two_bytes();
    a_login_is_told_session_and_next_number();
    a_blank_session_is_the_current_one();
    number_0_is_what_comes_next();
    another_session_or_a_number_not_reached_is_refused();
    a_wrong_password_is_refused();
    a_login_that_is_none_is_a_fault();
    nothing_comes_before_the_login_and_no_second_one();
    a_closed_end_takes_nothing();
    what_only_the_other_side_sends_is_a_fault();
    a_login_must_come_in_time();
    a_heartbeat_goes_out_after_a_second_without_a_packet();
    a_silent_client_is_lost_after_15_seconds();
    a_client_counts_the_messages_of_the_session();
    a_client_does_not_take_another_stream_for_its_own();
    for (uint64_t seed = 1; seed <= 20; seed++)
        every_message_arrives_once_whatever_breaks(seed);
    return 0;
}
