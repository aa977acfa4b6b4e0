/* Order entry from inside: what its two files share. The loop's thread owns all of it but what is
 * atomic, under `names` while it is awake. */
#ifndef TOUCHLINE_WIRE_ORDERS_STATE_H
#define TOUCHLINE_WIRE_ORDERS_STATE_H

#include "touchline/wire/bell.h"
#include "touchline/wire/wire_orders.h"
#include "touchline/wire/wire_peers.h"

#define TL_WIRE_SECOND_NS INT64_C(1000000000)

typedef struct tl_wire_seat {
    tl_spool spool;      /* fd -1: no such session */
    tl_wire_peer *peer;  /* NULL: it is away */
    bool touched;        /* stands in `touched` */
    bool leaving;        /* its orders are to be taken off */
    bool full;           /* its stream has reached the bound: it ends there, for this session */
    uint8_t cancel_on;
    uint32_t cancel_at;  /* as tl_ouch_desk_leave has it */
    int64_t cancel_ns;   /* not before this time */
    int64_t cancel_grace_ns;
    int64_t message_ns;  /* what a message uses up of a second; 0: nothing */
    int64_t used_ns;     /* up to here the messages that were taken have used time up */
    tl_wire_sample sample;
    _Atomic(uint64_t) next, received;
    atomic_bool on;
} tl_wire_seat;

struct tl_wire_orders {
    tl_wire_orders_config config;
    const tl_bus *bus;
    tl_lane *lane;
    tl_wire_door *door;
    tl_ouch_desk *desk;
    tl_wire_events events;
    tl_wire_peers peers;
    tl_wire_stamps stamps; /* of peers, unless they are off */
    _Atomic(int64_t) stamps_got;
    bool peers_made;
    tl_bell bell;
    tl_wire_seat *seats; /* by session */
    uint32_t *touched;   /* sessions whose stream has grown */
    uint32_t touched_count, leaving_count;
    tl_command staged[TL_LANE_CHUNK]; /* taken, and not in the lane yet */
    uint32_t staged_count;
    uint64_t lane_room; /* that the lane has had, less what was staged since */
    uint64_t ids, ids_end; /* numbers of the lane that are ours to give */
    int64_t now_ns, sent_ns;
    int64_t utc_ns; /* at the beginning of the round */
    int failure;
    const char *fault;
    pthread_mutex_t names;
    bool names_made;
    atomic_bool stop, wants_names;
    _Atomic(uint64_t) rounds, event, passed;
};

/* What was staged goes to the lane. */
void tl_wire_orders_flush(tl_wire_orders *orders);
/* Streams that have grown are counted, and their peers are to be written to. */
void tl_wire_orders_count(tl_wire_orders *orders);

#endif
