/* What ports share that read and write frames themselves: what came is counted and cut, where a
 * packet may go, and a poll that spins. */
#include "check.h"
#include "touchline/wire/port_frame.h"
#include "touchline/wire/port_state.h"

#include <errno.h>

typedef struct late_port { /* it gives something at its `due`th poll; 0: never */
    tl_port base;
    uint32_t polls, due;
} late_port;

static uint32_t take(tl_port *base, tl_port_datagram *out, uint32_t max)
{
    late_port *port = (late_port *)base;
    CHECK(max == 4);
    if (++port->polls != port->due)
        return 0;
    out[0].size = 7;
    return 1;
}

static void what_came_is_counted_and_cut(void)
{
    late_port port = {0};
    tl_port_datagram got = {.size = 100};
    CHECK(tl_frame_came(&port.base, TL_FRAME_DATAGRAM, 100, &got));
    CHECK(got.size == 100 && got.flags == 0 && port.base.counts.cut == 0);
    CHECK(tl_frame_came(&port.base, TL_FRAME_DATAGRAM, 99, &got));
    CHECK(got.size == 99 && got.flags == TL_PORT_CUT && port.base.counts.cut == 1);
    CHECK(!tl_frame_came(&port.base, TL_FRAME_FOREIGN, 99, &got));
    CHECK(port.base.counts.malformed == 0);
    CHECK(!tl_frame_came(&port.base, TL_FRAME_MALFORMED, 99, &got));
    CHECK(port.base.counts.malformed == 1);
}

static void a_packet_goes_where_it_says_or_where_the_port_does(void)
{
    late_port port = {0};
    const tl_port_address own = {.family = 4, .port = 5}, other = {.family = 4, .port = 6};
    const tl_port_address new_one = {.family = 6};
    const tl_port_address *to;
    tl_port_packet packet = {.bytes = "x", .size = 10};
    CHECK(tl_frame_destination(&port.base, &packet, 10, &to) == -EDESTADDRREQ);
    port.base.to = own;
    CHECK(tl_frame_destination(&port.base, &packet, 10, &to) == 0 && to->port == 5);
    packet.to = &other;
    CHECK(tl_frame_destination(&port.base, &packet, 10, &to) == 0 && to->port == 6);
    CHECK(tl_frame_destination(&port.base, &packet, 9, &to) == -EMSGSIZE);
    packet.to = &new_one;
    CHECK(tl_frame_destination(&port.base, &packet, 10, &to) == -EAFNOSUPPORT);
}

static void a_poll_spins_until_something_came_or_time_is_up(void)
{
    tl_port_datagram out[4];
    late_port at_once = {.due = 2};
    CHECK(tl_frame_spin(&at_once.base, take, out, 4, 0) == 0 && at_once.polls == 1);
    late_port later = {.due = 1000};
    CHECK(tl_frame_spin(&later.base, take, out, 4, -1) == 1 && later.polls == 1000);
    CHECK(out[0].size == 7);
    late_port never = {0};
    const int64_t start_ns = tl_frame_clock_ns();
    CHECK(tl_frame_spin(&never.base, take, out, 4, 20) == 0 && never.polls > 1);
    CHECK(tl_frame_clock_ns() - start_ns >= INT64_C(20000000));
}

int main(void)
{
    what_came_is_counted_and_cut();
    a_packet_goes_where_it_says_or_where_the_port_does();
    a_poll_spins_until_something_came_or_time_is_up();
    return 0;
}
