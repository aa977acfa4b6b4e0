/* Recovery: what the feed's listeners missed. Requests of MoldUDP64 are answered out of its spool,
 * and who joins late is sent a snapshot (glimpse.h) over SoupBinTCP.
 *
 *   request, UDP ─► bound of the asker ─► spool ─► a packet
 *   login, TCP ───► door ─► a snapshot, one second old at most ─► its stream
 *
 * It reads the feed's spool and touches nothing else of it, so whatever is asked here does not slow
 * the feed. A snapshot is made a slice a round, so that nobody else waits for it: its readers are
 * sent what there is, and requests are answered between two slices. One thread runs it.
 */
#ifndef TOUCHLINE_WIRE_RECOVERY_H
#define TOUCHLINE_WIRE_RECOVERY_H

#include "touchline/wire/glimpse.h"
#include "touchline/wire/wire_feed.h"
#include "touchline/wire/wire_peers.h"

typedef struct tl_wire_recovery_config {
    const char *request_local;  /* where requests come in; NULL: nowhere */
    const char *glimpse_local;  /* where snapshots are asked for; NULL: nowhere */
    uint32_t requests_per_s;    /* of one address, answered */
    uint32_t packet_max;        /* bytes of UDP payload */
    uint32_t glimpse_max;       /* connections */
    uint32_t stocks_max, orders_max;
    int64_t login_ns;
    int64_t stay_ns;            /* who is sent a snapshot for longer is sent off; 0: nobody */
    const char *directory;      /* of the snapshots' files */
    uint64_t spool_bytes_max;   /* of one snapshot */
} tl_wire_recovery_config;

typedef struct tl_wire_recovery tl_wire_recovery;

#define TL_WIRE_RECOVERY_COUNTS(X)                                                                 \
    X(rounds)    /* goes on while the loop goes round */                                           \
    X(requests)  /* that came */                                                                   \
    X(answered)                                                                                    \
    X(too_fast)  /* not answered: beyond what an address may ask for */                            \
    X(malformed) /* not answered: no request, or of messages that are not there */                 \
    X(snapshots) /* made */                                                                        \
    X(steps)     /* of their making; a bounded number a round */                                   \
    X(logins)    /* accepted */                                                                    \
    X(refused)   /* not accepted, or too late */

typedef struct tl_wire_recovery_status {
#define TL_WIRE_RECOVERY_FIELD(name) uint64_t name;
    TL_WIRE_RECOVERY_COUNTS(TL_WIRE_RECOVERY_FIELD)
#undef TL_WIRE_RECOVERY_FIELD
} tl_wire_recovery_status;

/* 0 or -errno, with `fault` for a socket. The feed must outlive it. */
int tl_wire_recovery_open(tl_wire_recovery **out, const tl_wire_recovery_config *config,
                          const tl_wire_feed *feed, tl_wire_door *door, tl_port_fault *fault);
void tl_wire_recovery_close(tl_wire_recovery *recovery);
/* One round of the loop: above 0 when the next is due at once, or -errno. */
int tl_wire_recovery_round(tl_wire_recovery *recovery);
/* The loop, until it is told to stop: 0 or -errno. */
int tl_wire_recovery_run(tl_wire_recovery *recovery);

/* From any thread: */
void tl_wire_recovery_stop(tl_wire_recovery *recovery);
void tl_wire_recovery_status_read(const tl_wire_recovery *recovery, tl_wire_recovery_status *out);
/* Where it listens; NULL where it does not. */
const tl_port_address *tl_wire_recovery_requests(const tl_wire_recovery *recovery);
const tl_port_address *tl_wire_recovery_glimpse(const tl_wire_recovery *recovery);

#endif
