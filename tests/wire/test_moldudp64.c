/* MoldUDP64: packets, requests, and a receiver that two bad lines can not confuse. */
#include "moldudp64_packets.h"
#include "touchline/wire/moldudp64_receiver.h"

#define MS INT64_C(1000000)
#define OTHER "SESSION002"

static const tl_moldudp64_receiver_config config = {.window = 64, .message_max = 64,
                                                    .ahead_max = 100000, .request_max = 500,
                                                    .patience_ns = MS, .retry_ns = 5 * MS};
static tl_moldudp64_receiver receiver;
static _Alignas(8) uint8_t memory[64 * (16 + 64)];
static tl_moldudp64_arrival arrival;
static uint8_t packet[2048];

/* ── packets ─────────────────────────────────────────────────────────────────────────────────── */

static void a_packet_has_the_layout_of_the_specification(void)
{
    tl_moldudp64_builder builder;
    tl_moldudp64_begin(&builder, packet, sizeof packet, SESSION, 258);
    memcpy(tl_moldudp64_add(&builder, 2), "ab", 2);
    memcpy(tl_moldudp64_add(&builder, 1), "c", 1);
    CHECK(tl_moldudp64_finish(&builder) == 27);
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\1\2" "\0\2" "\0\2ab" "\0\1c", 27) == 0);
    tl_moldudp64_bare(packet, SESSION, 7, TL_MOLDUDP64_END);
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\0\7" "\xFF\xFF", 20) == 0);
}

static void a_packet_takes_what_fits(void)
{
    tl_moldudp64_builder builder;
    tl_moldudp64_begin(&builder, packet, 30, SESSION, 1);
    CHECK(tl_moldudp64_add(&builder, 9) == NULL);
    CHECK(tl_moldudp64_add(&builder, 8) != NULL);
    CHECK(tl_moldudp64_add(&builder, 0) == NULL);
    CHECK(tl_moldudp64_finish(&builder) == 30);
}

static void a_packet_that_is_not_whole_is_refused_by_name(void)
{
    tl_moldudp64_packet read;
    const size_t size = write_packet(packet, sizeof packet, 1, 3);
    for (size_t cut = 0; cut <= size + 1; cut++) {
        uint8_t *copy = malloc(cut + 1); /* so that a read past the end is seen */
        CHECK(copy != NULL);
        memcpy(copy, packet, cut);
        const tl_moldudp64_fault fault = tl_moldudp64_read(copy, cut, &read);
        CHECK(fault == (cut < 20      ? TL_MOLDUDP64_FAULT_SHORT
                        : cut < size  ? TL_MOLDUDP64_FAULT_CUT
                        : cut == size ? TL_MOLDUDP64_FAULT_NONE
                                      : TL_MOLDUDP64_FAULT_LONG));
        free(copy);
    }
    tl_put_u64(packet + 10, 0);
    CHECK(tl_moldudp64_read(packet, size, &read) == TL_MOLDUDP64_FAULT_NUMBER);
    tl_put_u64(packet + 10, UINT64_MAX - 2);
    CHECK(tl_moldudp64_read(packet, size, &read) == TL_MOLDUDP64_FAULT_NUMBER);
    CHECK(strcmp(tl_moldudp64_fault_text(TL_MOLDUDP64_FAULT_CUT), "it ends within a message") == 0);
}

static void blocks_are_packed_as_many_as_fit(void)
{
    tl_moldudp64_builder builder;
    uint8_t expected[256];
    const size_t size = write_packet(packet, sizeof packet, 1, 20);
    tl_moldudp64_begin(&builder, expected, sizeof expected, SESSION, 1);
    const size_t used = tl_moldudp64_pack(&builder, packet + 20, size - 20);
    CHECK(builder.count > 5 && builder.count < 20 && used == builder.size - 20);
    CHECK(tl_moldudp64_pack(&builder, packet + 20 + used, size - 20 - used) == 0);
    const size_t packed = tl_moldudp64_finish(&builder);
    CHECK(write_packet(packet, sizeof expected, 1, 20) == packed);
    CHECK(memcmp(packet, expected, packed) == 0);
    tl_moldudp64_begin(&builder, expected, sizeof expected, SESSION, 1);
    CHECK(tl_moldudp64_pack(&builder, (const uint8_t *)"\0\5abc", 5) == 0); /* not whole */
}

/* ── requests ────────────────────────────────────────────────────────────────────────────────── */

static size_t source(void *context, uint64_t number, uint8_t *out, size_t room)
{
    uint8_t message[64];
    (void)context;
    const size_t size = say(number, message);
    if (size > room)
        return SIZE_MAX;
    memcpy(out, message, size);
    return size;
}

static tl_moldudp64_server server_of(uint64_t per_s, uint64_t burst)
{
    tl_moldudp64_server server = {.source = source, .per_s = per_s, .burst = burst};
    memcpy(server.session, SESSION, 10);
    return server;
}

static void a_request_is_answered_with_what_fits_in_a_packet(void)
{
    tl_moldudp64_server server = server_of(1, 1);
    uint8_t request[20], expected[400];
    size_t size;
    tl_moldudp64_bare(request, SESSION, 3, 1000);
    CHECK(tl_moldudp64_answer(&server, request, 20, 100, 0, packet, 400, &size) == 0);
    CHECK(size <= 400 && size > 330);
    CHECK(write_packet(expected, 400, 3, 98) == size && memcmp(packet, expected, size) == 0);
}

static void a_request_ends_at_the_newest_message(void)
{
    tl_moldudp64_server server = server_of(1, 1);
    uint8_t request[20];
    size_t size;
    tl_moldudp64_bare(request, SESSION, 9, 1000);
    CHECK(tl_moldudp64_answer(&server, request, 20, 10, 0, packet, 400, &size) == 0);
    CHECK(tl_get_u16(packet + 18) == 2);
}

static void a_request_that_can_not_be_answered_is_refused_by_name(void)
{
    tl_moldudp64_server server = server_of(1, 9);
    uint8_t request[20];
    size_t size = 1;
#define ANSWER(session, number, count)                                                             \
    (tl_moldudp64_bare(request, session, number, count),                                           \
     tl_moldudp64_answer(&server, request, 20, 10, 0, packet, 400, &size))
    CHECK(ANSWER(OTHER, 1, 1) == TL_MOLDUDP64_FAULT_SESSION && size == 0);
    CHECK(ANSWER(SESSION, 0, 1) == TL_MOLDUDP64_FAULT_UNKNOWN);
    CHECK(ANSWER(SESSION, 11, 1) == TL_MOLDUDP64_FAULT_UNKNOWN);
    CHECK(ANSWER(SESSION, 1, 0) == TL_MOLDUDP64_FAULT_UNKNOWN);
    CHECK(ANSWER(SESSION, 10, 1) == TL_MOLDUDP64_FAULT_NONE && size > 20);
#undef ANSWER
    CHECK(tl_moldudp64_answer(&server, request, 19, 10, 0, packet, 400, &size) ==
          TL_MOLDUDP64_FAULT_SIZE);
    CHECK(tl_moldudp64_answer(&server, request, 20, 10, 0, packet, 21, &size) ==
          TL_MOLDUDP64_FAULT_UNKNOWN);
}

static void answers_are_bounded_in_number(void)
{
    tl_moldudp64_server server = server_of(10, 3);
    uint8_t request[20];
    size_t size;
    tl_moldudp64_bare(request, SESSION, 1, 1);
    for (int i = 0; i < 5; i++)
        CHECK((tl_moldudp64_answer(&server, request, 20, 9, 5, packet, 400, &size) == 0) ==
              (i < 3));
    CHECK(size == 0);
    CHECK(tl_moldudp64_answer(&server, request, 20, 9, 5 + 100 * MS, packet, 400, &size) == 0);
    CHECK(tl_moldudp64_answer(&server, request, 20, 9, 5 + 100 * MS, packet, 400, &size) ==
          TL_MOLDUDP64_FAULT_RATE);
}

/* ── a receiver ──────────────────────────────────────────────────────────────────────────────── */

static void open_receiver(const char *session, uint64_t next, uint32_t tries_max)
{
    tl_moldudp64_receiver_config with = config;
    with.tries_max = tries_max;
    CHECK(tl_moldudp64_receiver_bytes(&with) == sizeof memory);
    CHECK(tl_moldudp64_receiver_open(&receiver, &with, memory, session, next));
}

static tl_moldudp64_fault bring(uint32_t line, uint64_t first, uint32_t count, int64_t now_ns)
{
    const size_t size = write_packet(packet, sizeof packet, first, count);
    return tl_moldudp64_receive(&receiver, line, packet, size, now_ns);
}

/* The messages that arrive are those from `first` to `last`, and then nothing. */
static void arrive(uint64_t first, uint64_t last, int64_t now_ns)
{
    uint8_t said[64];
    for (uint64_t number = first; number <= last; number++) {
        CHECK(tl_moldudp64_arrived(&receiver, now_ns, &arrival) == TL_MOLDUDP64_MESSAGE);
        CHECK(arrival.number == number && arrival.size == say(number, said));
        CHECK(memcmp(arrival.bytes, said, arrival.size) == 0);
    }
    CHECK(tl_moldudp64_arrived(&receiver, now_ns, &arrival) == TL_MOLDUDP64_NOTHING);
}

static void the_first_line_to_bring_a_message_wins(void)
{
    open_receiver(NULL, 0, 0);
    CHECK(bring(0, 5, 3, 0) == TL_MOLDUDP64_FAULT_NONE);
    arrive(5, 7, 0);
    CHECK(bring(1, 5, 3, 0) == TL_MOLDUDP64_FAULT_DUPLICATE);
    arrive(1, 0, 0);
    CHECK(bring(1, 6, 4, 0) == TL_MOLDUDP64_FAULT_NONE);
    arrive(8, 9, 0);
    CHECK(receiver.messages[0] == 3 && receiver.messages[1] == 2);
    CHECK(tl_moldudp64_receiver_due_ns(&receiver) == INT64_MAX);
}

static void the_other_line_fills_a_gap_before_it_is_asked_for(void)
{
    open_receiver(SESSION, 1, 0);
    CHECK(bring(0, 3, 2, 10) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 0, 10);
    CHECK(tl_moldudp64_receiver_due_ns(&receiver) == 10 + MS);
    CHECK(!tl_moldudp64_receiver_due(&receiver, 9 + MS, packet));
    CHECK(bring(1, 1, 2, 11) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 4, 11);
    CHECK(!tl_moldudp64_receiver_due(&receiver, 100 * MS, packet) && receiver.requests == 0);
}

static void a_gap_is_asked_for_and_again_until_it_is_filled(void)
{
    open_receiver(SESSION, 1, 0);
    CHECK(bring(0, 4, 1, 0) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 0, 0);
    CHECK(tl_moldudp64_receiver_due(&receiver, MS, packet));
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\0\1\0\3", 20) == 0);
    CHECK(!tl_moldudp64_receiver_due(&receiver, 6 * MS - 1, packet));
    CHECK(tl_moldudp64_receiver_due(&receiver, 6 * MS, packet));
    CHECK(bring(2, 1, 2, 7 * MS) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 2, 7 * MS);
    CHECK(tl_moldudp64_receiver_due(&receiver, 7 * MS, packet)); /* the rest at once */
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\0\3\0\1", 20) == 0);
    CHECK(bring(2, 3, 1, 8 * MS) == TL_MOLDUDP64_FAULT_NONE);
    arrive(3, 4, 8 * MS);
    CHECK(receiver.requests == 3 && receiver.held == 0);
}

static void a_heartbeat_shows_what_the_last_packets_were(void)
{
    open_receiver(SESSION, 1, 0);
    tl_moldudp64_bare(packet, SESSION, 3, TL_MOLDUDP64_HEARTBEAT);
    CHECK(tl_moldudp64_receive(&receiver, 0, packet, 20, 0) == TL_MOLDUDP64_FAULT_NONE);
    CHECK(tl_moldudp64_receiver_due(&receiver, MS, packet));
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\0\1\0\2", 20) == 0);
}

static void a_gap_that_nobody_fills_is_told_as_lost(void)
{
    open_receiver(SESSION, 1, 2);
    bring(0, 4, 2, 0);
    CHECK(tl_moldudp64_receiver_due(&receiver, MS, packet));
    CHECK(tl_moldudp64_receiver_due(&receiver, 6 * MS, packet));
    const size_t size = write_packet(packet, sizeof packet, 6, 1);
    CHECK(!tl_moldudp64_receiver_due(&receiver, 11 * MS, packet));
    CHECK(tl_moldudp64_arrived(&receiver, 11 * MS, &arrival) == TL_MOLDUDP64_LOST);
    CHECK(arrival.number == 1 && arrival.last == 3 && arrival.bytes == NULL && arrival.size == 0);
    arrive(4, 5, 11 * MS);
    CHECK(tl_moldudp64_receive(&receiver, 0, packet, size, 11 * MS) == TL_MOLDUDP64_FAULT_NONE);
    arrive(6, 6, 11 * MS);
    CHECK(receiver.lost == 3);
}

static void what_does_not_fit_the_window_is_named_and_asked_for_later(void)
{
    open_receiver(SESSION, 1, 0);
    CHECK(bring(0, 60, 8, 0) == TL_MOLDUDP64_FAULT_WINDOW); /* 65 to 67 are too early */
    CHECK(receiver.held == 5);
    for (uint64_t first = 1; first < 60; first += 20) {
        CHECK(bring(1, first, first == 41 ? 19 : 20, 0) == TL_MOLDUDP64_FAULT_NONE);
        arrive(first, first == 41 ? 64 : first + 19, 0);
    }
    CHECK(receiver.expected == 65 && receiver.told == 68);
    CHECK(tl_moldudp64_receiver_due(&receiver, MS, packet));
    CHECK(memcmp(packet, SESSION "\0\0\0\0\0\0\0\x41\0\3", 20) == 0);
}

static void what_is_too_far_or_of_another_session_changes_nothing(void)
{
    open_receiver(SESSION, 1, 0);
    CHECK(bring(0, 100002, 1, 0) == TL_MOLDUDP64_FAULT_FAR);
    tl_moldudp64_bare(packet, OTHER, 9, TL_MOLDUDP64_HEARTBEAT);
    CHECK(tl_moldudp64_receive(&receiver, 0, packet, 20, 0) == TL_MOLDUDP64_FAULT_SESSION);
    CHECK(tl_moldudp64_receiver_due_ns(&receiver) == INT64_MAX && receiver.told == 0);
    CHECK(receiver.faults[0][TL_MOLDUDP64_FAULT_FAR] == 1);
}

static void a_session_ends_when_all_of_it_has_come(void)
{
    open_receiver(SESSION, 1, 0);
    tl_moldudp64_bare(packet, SESSION, 3, TL_MOLDUDP64_END);
    CHECK(tl_moldudp64_receive(&receiver, 0, packet, 20, 0) == TL_MOLDUDP64_FAULT_NONE);
    CHECK(tl_moldudp64_arrived(&receiver, 0, &arrival) == TL_MOLDUDP64_NOTHING);
    bring(0, 1, 2, 0);
    CHECK(tl_moldudp64_arrived(&receiver, 0, &arrival) == TL_MOLDUDP64_MESSAGE);
    CHECK(tl_moldudp64_arrived(&receiver, 0, &arrival) == TL_MOLDUDP64_MESSAGE);
    CHECK(tl_moldudp64_arrived(&receiver, 0, &arrival) == TL_MOLDUDP64_ENDED);
    CHECK(tl_moldudp64_arrived(&receiver, 0, &arrival) == TL_MOLDUDP64_NOTHING);
}

static void after_an_end_the_next_session_begins(void)
{
    a_session_ends_when_all_of_it_has_come();
    const size_t size = write_packet(packet, sizeof packet, 1, 2);
    memcpy(packet, OTHER, 10);
    CHECK(tl_moldudp64_receive(&receiver, 1, packet, size, 0) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 2, 0);
    CHECK(bring(0, 3, 1, 0) == TL_MOLDUDP64_FAULT_SESSION);
}

/* Packets beyond the end make a gap that is given up; the next session begins before it is told. */
static void a_loss_of_the_session_before_is_forgotten(void)
{
    a_session_ends_when_all_of_it_has_come();
    receiver.config.tries_max = 1;
    bring(0, 8, 2, 0);
    CHECK(tl_moldudp64_receiver_due(&receiver, MS, packet));
    CHECK(!tl_moldudp64_receiver_due(&receiver, 6 * MS, packet) && receiver.lost_to == 7);
    const size_t size = write_packet(packet, sizeof packet, 1, 2);
    memcpy(packet, OTHER, 10);
    CHECK(tl_moldudp64_receive(&receiver, 1, packet, size, 7 * MS) == TL_MOLDUDP64_FAULT_NONE);
    arrive(1, 2, 7 * MS);
    CHECK(receiver.lost == 0);
}

static void a_configuration_that_can_not_be_is_refused(void)
{
    tl_moldudp64_receiver_config with = config;
    with.window = 48;
    CHECK(tl_moldudp64_receiver_bytes(&with) == 0);
    CHECK(!tl_moldudp64_receiver_open(&receiver, &with, memory, NULL, 0));
    with = config;
    with.request_max = 0;
    CHECK(tl_moldudp64_receiver_bytes(&with) == 0);
}

/* ── two lines that lose, double, turn round and cut ─────────────────────────────────────────── */

#define MESSAGES 3000u
#define IN_FLIGHT 64u

typedef struct flying {
    int64_t at_ns; /* when it arrives; 0: none */
    size_t size;
    uint8_t bytes[512];
} flying;

static flying lines[3][IN_FLIGHT];

/* A datagram goes off, or not; sometimes twice, late, or cut. */
static void fly(flying *line, const uint8_t *bytes, size_t size, int64_t now_ns, uint64_t *random)
{
    int copies = random_next(random) % 5 == 0 ? 0 : random_next(random) % 9 == 0 ? 2 : 1;
    for (uint32_t i = 0; i < IN_FLIGHT && copies > 0; i++) {
        if (line[i].at_ns != 0)
            continue;
        line[i].at_ns = now_ns + 1 + (int64_t)(random_next(random) % (3 * (uint64_t)MS));
        line[i].size = random_next(random) % 20 == 0 ? random_next(random) % size : size;
        memcpy(line[i].bytes, bytes, line[i].size);
        copies--;
    }
}

static void collect(uint64_t *expected, int64_t now_ns)
{
    uint8_t said[64];
    while (tl_moldudp64_arrived(&receiver, now_ns, &arrival) == TL_MOLDUDP64_MESSAGE) {
        CHECK(arrival.number == *expected && arrival.size == say(*expected, said));
        CHECK(memcmp(arrival.bytes, said, arrival.size) == 0);
        ++*expected;
    }
}

static void land(int64_t now_ns, uint64_t *expected)
{
    for (uint32_t line = 0; line < 3; line++)
        for (uint32_t i = 0; i < IN_FLIGHT; i++) {
            flying *one = &lines[line][i];
            if (one->at_ns == 0 || one->at_ns > now_ns)
                continue;
            one->at_ns = 0;
            tl_moldudp64_receive(&receiver, line, one->bytes, one->size, now_ns);
            collect(expected, now_ns);
        }
}

static void send_next(uint64_t *sent, int64_t now_ns, uint64_t *random)
{
    uint32_t count = (uint32_t)(random_next(random) % 6);
    if (count > MESSAGES - *sent)
        count = (uint32_t)(MESSAGES - *sent);
    const size_t size = write_packet(packet, 512, *sent + 1, count);
    *sent += tl_get_u16(packet + 18);
    if (*sent == MESSAGES && count == 0)
        tl_moldudp64_bare(packet, SESSION, MESSAGES + 1, TL_MOLDUDP64_END);
    fly(lines[0], packet, size, now_ns, random);
    fly(lines[1], packet, size, now_ns, random);
}

static void all_messages_arrive_once_and_in_order(uint64_t seed)
{
    uint64_t random = seed, sent = 0, expected = 1;
    tl_moldudp64_server server = server_of(100000, 100);
    memset(lines, 0, sizeof lines);
    open_receiver(SESSION, 1, 0);
    for (int64_t now_ns = 1; !receiver.ended; now_ns += MS / 10) {
        uint8_t request[20], answer[512];
        size_t size;
        CHECK(now_ns < 100000 * MS);
        if (random_next(&random) % 4 == 0)
            send_next(&sent, now_ns, &random);
        land(now_ns, &expected);
        if (tl_moldudp64_receiver_due(&receiver, now_ns, request) &&
            tl_moldudp64_answer(&server, request, 20, sent, now_ns, answer, sizeof answer,
                                &size) == TL_MOLDUDP64_FAULT_NONE)
            fly(lines[2], answer, size, now_ns, &random);
    }
    CHECK(expected == MESSAGES + 1 && receiver.held == 0);
    CHECK(receiver.messages[0] + receiver.messages[1] + receiver.messages[2] == MESSAGES);
    CHECK(receiver.messages[2] != 0 && receiver.faults[0][TL_MOLDUDP64_FAULT_DUPLICATE] != 0);
    CHECK(receiver.faults[1][TL_MOLDUDP64_FAULT_CUT] != 0);
}

int main(void)
{
    a_packet_has_the_layout_of_the_specification();
    a_packet_takes_what_fits();
    a_packet_that_is_not_whole_is_refused_by_name();
    blocks_are_packed_as_many_as_fit();
    a_request_is_answered_with_what_fits_in_a_packet();
    a_request_ends_at_the_newest_message();
    a_request_that_can_not_be_answered_is_refused_by_name();
    answers_are_bounded_in_number();
    the_first_line_to_bring_a_message_wins();
    the_other_line_fills_a_gap_before_it_is_asked_for();
    a_gap_is_asked_for_and_again_until_it_is_filled();
    a_heartbeat_shows_what_the_last_packets_were();
    a_gap_that_nobody_fills_is_told_as_lost();
    what_does_not_fit_the_window_is_named_and_asked_for_later();
    what_is_too_far_or_of_another_session_changes_nothing();
    a_session_ends_when_all_of_it_has_come();
    after_an_end_the_next_session_begins();
    a_loss_of_the_session_before_is_forgotten();
    a_configuration_that_can_not_be_is_refused();
    for (uint64_t seed = 1; seed <= 30; seed++)
        all_messages_arrive_once_and_in_order(seed);
    return 0;
}
