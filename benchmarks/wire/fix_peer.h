/* One FIX 4.4 session of the load generator: messages made beforehand, answers read and checked. */
#ifndef TOUCHLINE_BENCH_FIX_PEER_H
#define TOUCHLINE_BENCH_FIX_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PEER_IN_BYTES (1u << 18)

typedef struct fix_job {
    const char *host;
    int port;
    const char *venue; /* TargetCompID(56) */
    const char *symbol;
    uint32_t orders;   /* of each session */
    uint32_t window;   /* how many may be unanswered */
    bool cross;        /* every second order trades with the one before */
    bool echo;         /* the other end sends back what it gets */
    bool spin;         /* never sleep in the kernel */
} fix_job;

typedef struct fix_peer {
    const fix_job *job;
    char comp_id[64];
    int fd;
    char *out;          /* every order's message, one after another */
    size_t *ends;       /* order n ends before out[ends[n]] */
    size_t written;     /* bytes of `out` that the kernel has */
    uint32_t offered;   /* orders whose bytes may be written */
    uint32_t answered;  /* orders whose last report has come */
    uint8_t *accepted;  /* by order: reports with 150=0 */
    uint8_t *filled;    /* and with 39=2 */
    int64_t *sent_ns;   /* by order: when its bytes were offered */
    uint32_t *took_ns;  /* by order: until its last report */
    uint64_t next_seq;  /* MsgSeqNum(34) expected */
    uint64_t echoed;    /* bytes that came back as they went */
    char *in;
    size_t have;
    char fault[256];    /* what was wrong first; "" */
} fix_peer;

int64_t monotonic_ns(void);
/* Make the messages, connect, log on. False: see fault. */
bool peer_open(fix_peer *peer, const fix_job *job, const char *comp_id);
void peer_close(fix_peer *peer);
/* Offer as many orders as the window has room for and write what the kernel takes. */
bool peer_send(fix_peer *peer);
/* Read what has come and check it. False at a fault. Does not wait. */
bool peer_receive(fix_peer *peer);
static inline bool peer_done(const fix_peer *peer)
{
    return peer->answered == peer->job->orders;
}

#endif
