/* Recorded feeds of Nasdaq's kind as market records: bytes in pieces, records out.
 *
 *   BINARYFILE   messages of ITCH 5.0, each with its length before it
 *   PCAP         packets as tcpdump or Wireshark save them (pcap and pcapng): UDP ─► MoldUDP64 ─►
 *                messages; both lines of a feed may be in one file
 *
 * The caller has the bytes: it gives what it has, and keeps what tl_feed_read did not use for the
 * next call, in which more follows. So a file of any size takes the memory of one piece, which need
 * be no longer than TL_FEED_PIECE_MIN. A message of a type that ITCH 5.0 does not have is OTHER;
 * bytes that can not be what they are to be end the feed at a fault, with their place in the file.
 */
#ifndef TOUCHLINE_FEED_H
#define TOUCHLINE_FEED_H

#include <stdbool.h>

#include "touchline/study/market_record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TL_FEED_PIECE_MIN (1u << 19) /* longer than the longest packet that is taken */
#define TL_FEED_PACKET_MAX (1u << 18)
#define TL_FEED_INTERFACES_MAX 64u /* of a pcapng file */

enum tl_feed_format { TL_FEED_BINARYFILE, TL_FEED_PCAP };

#define TL_FEED_FAULTS(X)                                                                          \
    X(NONE, "")                                                                                    \
    X(TRUNCATED, "the file ends within a message or packet")                                       \
    X(SIZE, "a message is not as long as its type says")                                           \
    X(SIDE, "an order's side is neither B nor S")                                                  \
    X(NOT_PCAP, "it is neither pcap nor pcapng")                                                   \
    X(PACKET_SIZE, "a packet or block is longer than any can be, or shorter than its head")        \
    X(INTERFACE, "a packet's interface is not described, or one too many is")                      \
    X(LINK_TYPE, "the link type is not one that is read: Ethernet, raw IP, Linux cooked, loopback")

#define TL_FEED_FAULT_ENUM(name, text) TL_FEED_##name##_FAULT,
enum tl_feed_fault { TL_FEED_FAULTS(TL_FEED_FAULT_ENUM) };
#undef TL_FEED_FAULT_ENUM

typedef struct tl_feed_counts {
    uint64_t messages;   /* read, OTHER ones included */
    uint64_t unknown;    /* of a type that ITCH 5.0 does not have */
    uint64_t missing;    /* numbers of MoldUDP64 that never came */
    uint64_t gaps;       /* in so many places */
    uint64_t duplicates; /* messages that had come already, as from the other line */
    uint64_t datagrams;  /* of MoldUDP64 */
    uint64_t passed;     /* packets of something else, fragments, cut packets */
    uint64_t sessions;
} tl_feed_counts;

typedef struct tl_feed tl_feed;

/* `base_ns` is added to each message's time since midnight. `port`: the UDP port that is read, 0
 * for any. `skip`: pass over a message at fault, instead of ending there. NULL: no memory. */
tl_feed *tl_feed_open(int format, int64_t base_ns, uint16_t port, bool skip);
void tl_feed_close(tl_feed *feed);

/* Records of the bytes, at most `room`; `*used` says how many bytes will not be wanted again. No
 * record and no byte used: more bytes are needed, or there is a fault. */
size_t tl_feed_read(tl_feed *feed, const uint8_t *bytes, size_t size, tl_market_record *records,
                    size_t room, size_t *used);

/* Copy each message that is read to `to`, too, with its length (u16) before it; a read then also
 * ends when fewer than TL_FEED_COPY_MIN bytes are left there. NULL: no more. */
#define TL_FEED_COPY_MIN 65538u
void tl_feed_copy_to(tl_feed *feed, uint8_t *to, size_t room);
size_t tl_feed_copied(const tl_feed *feed);

/* The number of the next message, where the bytes do not say it: of a BINARYFILE. Those from the
 * one expected to there count as missing when `lost`. */
void tl_feed_number(tl_feed *feed, uint64_t next, bool lost);

/* No more bytes will come, and `left` were not used: a fault, unless there are none. */
void tl_feed_end(tl_feed *feed, size_t left);

/* The fault that ended the feed, TL_FEED_NONE_FAULT for none, and at which byte of the file. */
int tl_feed_fault_now(const tl_feed *feed, uint64_t *offset);
const char *tl_feed_fault_text(int fault);
void tl_feed_counts_now(const tl_feed *feed, tl_feed_counts *counts);

/* How many messages were skipped as faulty, and the place of the first. */
uint64_t tl_feed_skipped(const tl_feed *feed, uint64_t *first);

#ifdef __cplusplus
}
#endif

#endif
