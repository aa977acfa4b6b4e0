/* What this venue's encoders write, for a foreign program to read: packets of MoldUDP64 that hold
 * ITCH, and both directions of a SoupBinTCP session that holds OUCH.
 *
 * To the standard output, for each: who sends it ('M', 'C'lient or 'S'erver), u16 how long, bytes.
 */
#include "touchline/wire/itch.h"
#include "touchline/wire/moldudp64.h"
#include "touchline/wire/ouch.h"
#include "touchline/wire/soupbin.h"

#include <stdio.h>

static void say(char who, const uint8_t *bytes, size_t size)
{
    uint8_t length[2];
    tl_put_u16(length, (uint16_t)size);
    putchar(who);
    fwrite(length, 1, 2, stdout);
    fwrite(bytes, 1, size, stdout);
}

static void say_market_data(void)
{
    uint8_t bytes[TL_MOLDUDP64_PAYLOAD];
    tl_moldudp64_builder builder;
    const tl_itch_system_event event = {.type = 'S', .event_code = 'O'};
    const tl_itch_add_order add = {.type = 'A',
                                   .locate = 1,
                                   .ts_ns = 34200000000000,
                                   .order_ref = 258,
                                   .side = 'B',
                                   .shares = 100,
                                   .stock = "AAA     ",
                                   .price = 100100};
    tl_moldudp64_begin(&builder, bytes, sizeof bytes, "SESSION001", 7);
    tl_itch_system_event_put(
        (tl_itch_system_event_wire *)tl_moldudp64_add(&builder, tl_itch_sizes['S']), &event);
    tl_itch_add_order_put((tl_itch_add_order_wire *)tl_moldudp64_add(&builder, tl_itch_sizes['A']),
                          &add);
    say('M', bytes, tl_moldudp64_finish(&builder));
    tl_moldudp64_bare(bytes, "SESSION001", 9, TL_MOLDUDP64_HEARTBEAT);
    say('M', bytes, TL_MOLDUDP64_HEAD);
    tl_moldudp64_bare(bytes, "SESSION001", 9, TL_MOLDUDP64_END);
    say('M', bytes, TL_MOLDUDP64_HEAD);
}

static void say_session(void)
{
    static const tl_soupbin_config config = {1000, 15000, 30000, TL_OUCH_REQUEST_MAX};
    uint8_t bytes[256], *at;
    tl_soupbin_end client, server;
    tl_soupbin_event event;
    size_t size = tl_soupbin_client_open(&client, &config, "USER1", "SECRET", "", 1, 0, bytes);
    say('C', bytes, size);
    tl_soupbin_server_open(&server, &config, "DAY1", 0);
    tl_soupbin_server_take(&server, bytes, size, 0, &event);
    size = tl_soupbin_server_accept(&server, &event, 0, 0, bytes);
    say('S', bytes, size);
    const tl_ouch_cancel cancel = {.type = 'X', .user_ref_num = 3, .quantity = 50};
    at = tl_soupbin_head(bytes, TL_SOUPBIN_UNSEQUENCED, sizeof(tl_ouch_cancel_wire));
    tl_ouch_cancel_put((tl_ouch_cancel_wire *)at, &cancel);
    say('C', bytes, TL_SOUPBIN_HEAD + sizeof(tl_ouch_cancel_wire));
    const tl_ouch_canceled canceled = {
        .type = 'C', .ts_ns = 5, .user_ref_num = 3, .quantity = 50, .reason = 'U'};
    at = tl_soupbin_server_sequenced(&server, bytes, sizeof(tl_ouch_canceled_wire), 0);
    tl_ouch_canceled_put((tl_ouch_canceled_wire *)at, &canceled);
    say('S', bytes, TL_SOUPBIN_HEAD + sizeof(tl_ouch_canceled_wire));
    tl_soupbin_head(bytes, TL_SOUPBIN_SERVER_HEARTBEAT, 0);
    say('S', bytes, TL_SOUPBIN_HEAD);
    tl_soupbin_head(bytes, TL_SOUPBIN_LOGOUT_REQUEST, 0);
    say('C', bytes, TL_SOUPBIN_HEAD);
}

int main(void)
{
    say_market_data();
    say_session();
    return 0;
}
