/* Mutated bytes through every decoder of Nasdaq's protocols; what must hold of each answer is
 * checked. The first byte of an input says which decoder it is for; fuzz.h how it is called. */
#include "check.h"
#include "touchline/wire/itch.h"
#include "touchline/wire/moldudp64_receiver.h"
#include "touchline/wire/ouch.h"
#include "touchline/wire/soupbin.h"

#include <stdbool.h>

#define INPUT_MAX 600
#define INPUTS 500000
#define WINDOW 16u
#define MESSAGE_MAX 64u

static void try_itch(const uint8_t *bytes, size_t size)
{
    tl_itch_record records[8];
    tl_itch_fault fault;
    size_t at = 0, used;
    for (size_t got = 1; got != 0; at += used) {
        got = tl_itch_decode_blocks(bytes + at, size - at, records, 8, &used, &fault);
        CHECK(got <= 8 && used <= size - at && (used == 0) == (got == 0));
        for (size_t i = 0; i < got; i++)
            CHECK(tl_itch_sizes[(uint8_t)records[i].type] != 0);
    }
    fault = tl_itch_decode(bytes, size, records);
    CHECK(*tl_itch_fault_text(fault) != '\0');
    CHECK(fault != TL_ITCH_FAULT_NONE || size == tl_itch_sizes[bytes[0]]);
}

typedef size_t taker(tl_soupbin_end *, const uint8_t *, size_t, int64_t, tl_soupbin_event *);

static void try_end(tl_soupbin_end *end, taker *take, const uint8_t *bytes, size_t size)
{
    uint8_t out[TL_SOUPBIN_REPLY_MAX];
    tl_soupbin_event event;
    size_t at = 0;
    for (size_t used = 1; used != 0; at += used) {
        const tl_soupbin_state before = end->state;
        used = take(end, bytes + at, size - at, 0, &event);
        CHECK(used <= size - at && (used == 0 || before != TL_SOUPBIN_CLOSED));
        if (used != 0)
            CHECK(event.message >= bytes && event.message + event.message_size <= bytes + size);
        if (event.kind == TL_SOUPBIN_EVENT_FAULT)
            CHECK(end->state == TL_SOUPBIN_CLOSED && *event.fault != '\0');
        if (event.kind == TL_SOUPBIN_EVENT_LOGIN)
            CHECK(tl_soupbin_server_accept(end, &event, 100, 0, out) <= TL_SOUPBIN_REPLY_MAX);
    }
}

static void try_soupbin(const uint8_t *bytes, size_t size)
{
    static const tl_soupbin_config config = {1000, 15000, 30000, 256};
    uint8_t out[TL_SOUPBIN_REPLY_MAX];
    tl_soupbin_end end;
    tl_soupbin_server_open(&end, &config, "SESSION", 0);
    try_end(&end, tl_soupbin_server_take, bytes, size);
    tl_soupbin_client_open(&end, &config, "USER", "PASSWORD", "", 0, 0, out);
    try_end(&end, tl_soupbin_client_take, bytes, size);
}

/* Packets, each with its length before it, on two lines in turn; messages come in order. */
static void try_moldudp64(const uint8_t *bytes, size_t size)
{
    static const tl_moldudp64_receiver_config config = {WINDOW, MESSAGE_MAX, 1000, 1, 1, 3, 100};
    static _Alignas(8) uint8_t memory[WINDOW * (sizeof(tl_moldudp64_slot) + MESSAGE_MAX)];
    tl_moldudp64_receiver receiver;
    tl_moldudp64_arrival arrival;
    uint8_t request[TL_MOLDUDP64_HEAD];
    CHECK(tl_moldudp64_receiver_open(&receiver, &config, memory, NULL, 0));
    for (int64_t now = 1; size >= 2; now++) {
        size_t length = tl_get_u16(bytes) % 128;
        length = length > size - 2 ? size - 2 : length;
        tl_moldudp64_receive(&receiver, (uint32_t)now % 2, bytes + 2, length, now);
        uint64_t expected = receiver.expected;
        while (tl_moldudp64_arrived(&receiver, now, &arrival) != TL_MOLDUDP64_NOTHING) {
            if (arrival.kind == TL_MOLDUDP64_ENDED)
                continue;
            CHECK(arrival.number == expected && arrival.size <= UINT16_MAX);
            CHECK((arrival.bytes != NULL) == (arrival.kind == TL_MOLDUDP64_MESSAGE));
            expected = arrival.kind == TL_MOLDUDP64_LOST ? arrival.last + 1 : expected + 1;
            CHECK(receiver.expected == expected);
        }
        CHECK(receiver.held <= WINDOW);
        tl_moldudp64_receiver_due(&receiver, now, request);
        bytes += 2 + length;
        size -= 2 + length;
    }
}

static size_t source(void *context, uint64_t number, uint8_t *out, size_t room)
{
    CHECK(context == NULL && number >= 1 && number <= 50);
    if (room < number)
        return SIZE_MAX;
    memset(out, 'm', number);
    return number;
}

static void try_request(const uint8_t *bytes, size_t size)
{
    tl_moldudp64_server server = {.source = source, .per_s = 1, .burst = 1};
    tl_moldudp64_packet packet;
    uint8_t out[200];
    size_t answer;
    memcpy(server.session, "SESSION001", sizeof server.session);
    const tl_moldudp64_fault fault =
        tl_moldudp64_answer(&server, bytes, size, 50, 0, out, sizeof out, &answer);
    CHECK((fault == TL_MOLDUDP64_FAULT_NONE) == (answer != 0) && answer <= sizeof out);
    if (answer != 0)
        CHECK(tl_moldudp64_read(out, answer, &packet) == TL_MOLDUDP64_FAULT_NONE);
}

static void try_ouch(const uint8_t *bytes, size_t size)
{
    tl_ouch_request request;
    const char *name = NULL;
    const tl_ouch_fault fault = tl_ouch_read(bytes, size, &request);
    CHECK(*tl_ouch_fault_text(fault) != '\0');
    if (fault != TL_OUCH_FAULT_NONE)
        return;
    CHECK(request.options_size <= size);
    const uint16_t code = tl_ouch_refused(&request, &name);
    CHECK(name != NULL && (code == 0) == (*name == '\0'));
    for (uint8_t tag = 0; tag < 40; tag++) {
        const uint8_t *value = tl_ouch_option(&request, tag);
        CHECK(value == NULL || (value > request.options && value < bytes + size));
    }
}

static void try_input(const uint8_t *given, size_t size)
{
    static void (*const decoders[])(const uint8_t *, size_t) = {try_itch, try_soupbin,
                                                                try_moldudp64, try_ouch,
                                                                try_request};
    if (size == 0)
        return;
    uint8_t *bytes = malloc(size); /* so that a read past the end is seen */
    CHECK(bytes != NULL);
    memcpy(bytes, given + 1, size - 1);
    decoders[given[0] % 5](bytes, size - 1);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_input(data, size);
    return 0;
}

#ifndef TOUCHLINE_LIBFUZZER
#include "fuzz.h"

typedef struct seed {
    const char *bytes;
    size_t size;
} seed;

#define LOGIN "\0\x2FLUSER  PASSWORD            " "                   1"
#define MOLD "SESSION001\0\0\0\0\0\0\0"
#define SEED(text) {text, sizeof(text) - 1}

static const seed seeds[] = {
    SEED("\1" LOGIN "\0\4Uabc\0\1R\0\1O"),
    SEED("\1\0\x1F" "A   SESSION" "                   1" "\0\4Sabc\0\1H\0\2Ux\0\1Z"),
    SEED("\2\0\x1A" MOLD "\1\0\2\0\1a\0\1b" "\0\x14" MOLD "\5\0\0"
         "\0\x17" MOLD "\4\0\1\0\1d" "\0\x14" MOLD "\6\xFF\xFF"),
    /* Found by libFuzzer: a loss in a session that follows an end. */
    SEED("\2\0\x14" MOLD "\6\xFF\xFF" "\0\x14" "SESSION002\0\0\0\0\0\0\0\6\xFF\xFF"
         "\0\0\0\0\0\0\0\0\0\0\0\0"),
    SEED("\3O\0\0\0\7B\0\0\0\144AAA     \0\0\0\0\0\1\x86\xA0" "0YPNNORDER-1       "
         "\0\11\5\2FIRM\2\14N"),
    SEED("\3U\0\0\0\1\0\0\0\2\0\0\0\5\0\0\0\0\0\0\0\x64" "0YNX             \0\0"),
    SEED("\3C\0\0\0\11FIRMAAA     \0\3\2\x1BS"),
    SEED("\3X\0\0\0\1\0\0\0\0"), SEED("\4" MOLD "\7\0\12")};
#define SEEDS (sizeof seeds / sizeof *seeds)

/* An input to begin with: one of those, or messages of ITCH. */
static size_t begin(uint8_t *bytes, uint64_t *random)
{
    const size_t which = random_next(random) % (SEEDS + 2);
    if (which < SEEDS) {
        memcpy(bytes, seeds[which].bytes, seeds[which].size);
        return seeds[which].size;
    }
    static const char types[] = "SRHYLVWKJhAFECXDUPQBINO";
    size_t size = 1;
    bytes[0] = 0;
    for (int i = 0; i < 4; i++) {
        const uint8_t type = (uint8_t)types[random_next(random) % (sizeof types - 1)];
        tl_put_u16(bytes + size, tl_itch_sizes[type]);
        memset(bytes + size + 2, 'B', tl_itch_sizes[type]);
        bytes[size + 2] = type;
        size += 2u + tl_itch_sizes[type];
    }
    return size;
}

int main(int count, char **arguments)
{
    return fuzz_main(count, arguments, INPUTS, INPUT_MAX, begin, try_input);
}
#endif
