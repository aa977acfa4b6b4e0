/* What an order costs between the network and the network, by the time stamps of kernel or card: of
 * each session one request at a time is followed.
 *
 *   request, stamped as it came ─► read ─► … engine … ─► its answer, stamped as it went
 *            └──────── received ─────┘                                │
 *            └──────────────────────── answered ──────────────────────┘
 *
 * Bytes that are read together have the time of their last. It belongs to the loop of order entry,
 * whose calls come in this order; where stamps are off there is none of it.
 */
#ifndef TOUCHLINE_WIRE_STAMPS_H
#define TOUCHLINE_WIRE_STAMPS_H

#include "touchline/wire/latency.h"
#include "touchline/wire/port_tcp.h"

#include <stdbool.h>

enum tl_wire_followed { TL_WIRE_NONE = 0, TL_WIRE_ASKED, TL_WIRE_ANSWERED, TL_WIRE_WRITTEN };

/* The request of a session that is followed. */
typedef struct tl_wire_sample {
    int64_t rx_ns;
    uint32_t number; /* its UserRefNum */
    uint32_t last;   /* the number of its answer's last byte, as the port counts them */
    uint32_t seen;   /* bytes whose stamps have been fetched */
    uint8_t state;   /* enum tl_wire_followed */
} tl_wire_sample;

typedef struct tl_wire_stamps {
    tl_latency received, answered;
} tl_wire_stamps;

/* Bytes that came at `rx_ns` have been read; 0: nobody stamped them. */
void tl_wire_stamps_read(tl_wire_stamps *stamps, int64_t rx_ns);
/* A request among them was handed on. */
void tl_wire_stamps_asked(tl_wire_sample *sample, int64_t rx_ns, uint32_t number);
/* Requests up to this number have been answered into the stream. */
void tl_wire_stamps_answered(tl_wire_sample *sample, uint32_t number);
/* All of the stream has been handed to the connection. */
void tl_wire_stamps_written(tl_wire_sample *sample, tl_tcp *tcp, uint32_t conn);
/* When bytes went is fetched: all of it, or the queue would be full one day. */
void tl_wire_stamps_fetch(tl_wire_stamps *stamps, tl_wire_sample *sample, tl_tcp *tcp,
                          uint32_t conn);

#endif
