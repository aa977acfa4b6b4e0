/* Inside a feed: feed_itch.c makes records of messages, feed_pcap.c finds datagrams in packets. */
#ifndef TOUCHLINE_FEED_STATE_H
#define TOUCHLINE_FEED_STATE_H

#include "touchline/study/feed.h"

/* What a pcap file has said of itself so far. */
typedef struct tl_feed_pcap {
    bool known;   /* the head was read */
    bool next_generation;
    bool swapped; /* numbers are the other way round than this machine's */
    uint32_t interfaces;
    uint32_t links[TL_FEED_INTERFACES_MAX];
} tl_feed_pcap;

/* Messages of a datagram that wait for room, at this place of the bytes given. */
typedef struct tl_feed_waiting {
    size_t at;       /* from the start of the packet */
    size_t end;
    size_t packet;   /* bytes of the whole packet: used when all is read */
    uint64_t seq;    /* of the message at `at` */
    uint16_t count;  /* how many are left; 0: nothing waits */
} tl_feed_waiting;

struct tl_feed {
    int format;
    int64_t base_ns;
    uint16_t port;
    bool skip;
    int fault;
    uint64_t offset;   /* of the first byte given, in the file */
    uint64_t fault_at;
    uint64_t next_seq; /* the message that comes next */
    uint64_t skipped;
    uint64_t skipped_first;
    uint8_t session[10];
    uint8_t *copy; /* where messages are copied to; NULL: nowhere */
    size_t copy_room;
    size_t copied;
    tl_feed_counts counts;
    tl_feed_pcap pcap;
    tl_feed_waiting waiting;
};

/* One message as a record: true, or false when it is at fault and was skipped or ended the feed.
 * `at`: its place in the bytes given. */
bool tl_feed_message(tl_feed *feed, const uint8_t *bytes, size_t size, size_t at, uint64_t seq,
                     tl_market_record *record);

/* May one more message be read? */
static inline bool tl_feed_has_room(const tl_feed *feed, size_t count, size_t room)
{
    return count < room &&
           (feed->copy == NULL || feed->copy_room - feed->copied >= TL_FEED_COPY_MIN);
}

void tl_feed_fail(tl_feed *feed, int fault, size_t at);

size_t tl_feed_read_pcap(tl_feed *feed, const uint8_t *bytes, size_t size,
                         tl_market_record *records, size_t room, size_t *used);

/* The payload of a UDP packet to the feed's port: bytes [*from, *from + *size) of the frame. False
 * when it is something else. */
bool tl_feed_udp(const tl_feed *feed, uint32_t link, const uint8_t *frame, size_t frame_size,
                 size_t *from, size_t *size);

#endif
