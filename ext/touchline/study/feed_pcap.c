/* Packets of pcap and pcapng files, and the messages of MoldUDP64 in them; see feed.h.
 *
 * pcap: a head of 24 bytes, then 16 bytes before each packet. pcapng: blocks, each with its type
 * and its length, twice. Layouts from draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng,
 * MoldUDP64 from Nasdaq's "MoldUDP64 Protocol Specification 1.00": session, number of the first
 * message, how many follow, each with its length before it.
 */
#include <string.h>

#include "touchline/study/feed_state.h"
#include "touchline/wire/fields.h"

#define PCAP_HEAD 24u
#define PACKET_HEAD 16u
#define BLOCK_MIN 12u
#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1u
#define BLOCK_SIMPLE 3u
#define BLOCK_PACKET 6u
#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define MOLD_HEAD 20u
#define MOLD_END UINT16_MAX

static uint32_t number(const tl_feed *feed, const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return feed->pcap.swapped ? __builtin_bswap32(value) : value;
}

/* A frame within the bytes given, and how far they reach to the next. */
typedef struct frame {
    size_t from;
    size_t size;
    size_t whole; /* 0: more bytes are needed */
    uint32_t link;
    bool is_packet;
} frame;

static bool head_read(tl_feed *feed, const uint8_t *bytes, size_t size, frame *found)
{
    if (size < PCAP_HEAD)
        return true;
    uint32_t magic;
    memcpy(&magic, bytes, sizeof magic);
    uint32_t turned = __builtin_bswap32(magic);
    feed->pcap.known = true;
    if (magic == BLOCK_SECTION) {
        feed->pcap.next_generation = true;
        return true;
    }
    bool plain = magic == 0xa1b2c3d4u || magic == 0xa1b23c4du;
    feed->pcap.swapped = turned == 0xa1b2c3d4u || turned == 0xa1b23c4du;
    if (!plain && !feed->pcap.swapped)
        return false;
    feed->pcap.links[0] = number(feed, bytes + 20) & 0xffff;
    feed->pcap.interfaces = 1;
    found->whole = PCAP_HEAD;
    return true;
}

static int packet_find(tl_feed *feed, const uint8_t *bytes, size_t size, frame *found)
{
    if (size < PACKET_HEAD)
        return TL_FEED_NONE_FAULT;
    uint32_t length = number(feed, bytes + 8);
    if (length > TL_FEED_PACKET_MAX)
        return TL_FEED_PACKET_SIZE_FAULT;
    if (size - PACKET_HEAD < length)
        return TL_FEED_NONE_FAULT;
    *found = (frame){PACKET_HEAD, length, PACKET_HEAD + length, feed->pcap.links[0], true};
    return TL_FEED_NONE_FAULT;
}

static int interface_add(tl_feed *feed, const uint8_t *body)
{
    uint16_t link;
    memcpy(&link, body, sizeof link);
    if (feed->pcap.interfaces == TL_FEED_INTERFACES_MAX)
        return TL_FEED_INTERFACE_FAULT;
    feed->pcap.links[feed->pcap.interfaces++] =
        feed->pcap.swapped ? __builtin_bswap16(link) : link;
    return TL_FEED_NONE_FAULT;
}

/* What a block of at least `length` bytes says; its packet, when it has one. */
static int block_read(tl_feed *feed, const uint8_t *bytes, uint32_t type, uint32_t length,
                      frame *found)
{
    size_t body = length - BLOCK_MIN;
    if (type == BLOCK_INTERFACE)
        return body < 8 ? TL_FEED_PACKET_SIZE_FAULT : interface_add(feed, bytes + 8);
    if (type != BLOCK_PACKET && type != BLOCK_SIMPLE)
        return TL_FEED_NONE_FAULT;
    bool simple = type == BLOCK_SIMPLE;
    size_t head = simple ? 4 : 20;
    if (body < head)
        return TL_FEED_PACKET_SIZE_FAULT;
    uint32_t interface = simple ? 0 : number(feed, bytes + 8);
    if (interface >= feed->pcap.interfaces)
        return TL_FEED_INTERFACE_FAULT;
    size_t captured = simple ? body - head : number(feed, bytes + 20);
    if (captured > body - head)
        return TL_FEED_PACKET_SIZE_FAULT;
    found->from = 8 + head;
    found->size = captured;
    found->link = feed->pcap.links[interface];
    found->is_packet = true;
    return TL_FEED_NONE_FAULT;
}

static int block_find(tl_feed *feed, const uint8_t *bytes, size_t size, frame *found)
{
    if (size < BLOCK_MIN)
        return TL_FEED_NONE_FAULT;
    uint32_t type = number(feed, bytes);
    if (type == BLOCK_SECTION) {
        /* A new section: its byte order, and no interfaces yet. */
        uint32_t magic;
        memcpy(&magic, bytes + 8, sizeof magic);
        feed->pcap.swapped = magic == __builtin_bswap32(BYTE_ORDER_MAGIC);
        if (magic != BYTE_ORDER_MAGIC && !feed->pcap.swapped)
            return TL_FEED_NOT_PCAP_FAULT;
    }
    uint32_t length = number(feed, bytes + 4);
    if (length < BLOCK_MIN || length % 4 != 0 || length > TL_FEED_PACKET_MAX + 64)
        return TL_FEED_PACKET_SIZE_FAULT;
    if (size < length)
        return TL_FEED_NONE_FAULT;
    if (type == BLOCK_SECTION)
        feed->pcap.interfaces = 0;
    found->whole = length;
    return block_read(feed, bytes, type, length, found);
}

/* A datagram of MoldUDP64: which of its messages are new. */
static void datagram_open(tl_feed *feed, const uint8_t *bytes, const frame *found, size_t from,
                          size_t size)
{
    const uint8_t *head = bytes + from;
    if (size < MOLD_HEAD) {
        feed->counts.passed++;
        return;
    }
    feed->counts.datagrams++;
    uint64_t seq = tl_get_u64(head + 10);
    uint16_t count = tl_get_u16(head + 18);
    bool first = feed->counts.sessions == 0;
    if (first || memcmp(feed->session, head, sizeof feed->session) != 0) {
        memcpy(feed->session, head, sizeof feed->session);
        feed->counts.sessions++;
        feed->next_seq = first ? seq : 1;
    }
    if (seq > feed->next_seq) {
        feed->counts.gaps++;
        feed->counts.missing += seq - feed->next_seq;
        feed->next_seq = seq;
    }
    if (count == 0 || count == MOLD_END)
        return;
    feed->waiting = (tl_feed_waiting){from + MOLD_HEAD, from + size, found->whole, seq, count};
}

/* Records of the messages that wait, as long as there is room; their datagram is at `bytes`. A
 * datagram that ends within a message was cut when it was saved: the rest of it counts as missing
 * when the next one comes. */
static size_t datagram_read(tl_feed *feed, const uint8_t *bytes, size_t packet_at,
                            tl_market_record *records, size_t room)
{
    tl_feed_waiting *waiting = &feed->waiting;
    size_t count = 0;
    while (waiting->count > 0 && tl_feed_has_room(feed, count, room)) {
        size_t left = waiting->end - waiting->at;
        size_t length = left < 2 ? 0 : tl_get_u16(bytes + waiting->at);
        if (left < 2 || length > left - 2) {
            feed->counts.passed++;
            waiting->count = 0;
            return count;
        }
        if (waiting->seq < feed->next_seq) {
            feed->counts.duplicates++;
        } else {
            feed->next_seq = waiting->seq + 1;
            if (length > 0)
                count += tl_feed_message(feed, bytes + waiting->at + 2, length,
                                         packet_at + waiting->at, waiting->seq, &records[count]);
            if (feed->fault != TL_FEED_NONE_FAULT)
                return count;
        }
        waiting->at += 2 + length;
        waiting->seq++;
        waiting->count--;
    }
    return count;
}

static int frame_find(tl_feed *feed, const uint8_t *bytes, size_t size, frame *found)
{
    *found = (frame){0};
    if (!feed->pcap.known && !head_read(feed, bytes, size, found))
        return TL_FEED_NOT_PCAP_FAULT;
    if (!feed->pcap.known || found->whole > 0)
        return TL_FEED_NONE_FAULT;
    return feed->pcap.next_generation ? block_find(feed, bytes, size, found)
                                      : packet_find(feed, bytes, size, found);
}

static bool link_is_read(uint32_t link)
{
    return link == 0 || link == 1 || link == 101 || link == 12 || link == 113 || link == 276;
}

size_t tl_feed_read_pcap(tl_feed *feed, const uint8_t *bytes, size_t size,
                         tl_market_record *records, size_t room, size_t *used)
{
    size_t count = 0;
    size_t at = 0;
    while (true) {
        if (feed->waiting.count > 0) {
            count += datagram_read(feed, bytes + at, at, records + count, room - count);
            if (feed->fault != TL_FEED_NONE_FAULT || feed->waiting.count > 0)
                break;
            at += feed->waiting.packet;
        }
        if (!tl_feed_has_room(feed, count, room))
            break;
        frame found;
        int fault = frame_find(feed, bytes + at, size - at, &found);
        if (fault == TL_FEED_NONE_FAULT && found.is_packet && !link_is_read(found.link))
            fault = TL_FEED_LINK_TYPE_FAULT;
        if (fault != TL_FEED_NONE_FAULT)
            tl_feed_fail(feed, fault, at);
        if (fault != TL_FEED_NONE_FAULT || found.whole == 0)
            break;
        size_t from;
        size_t payload;
        if (found.is_packet) {
            if (tl_feed_udp(feed, found.link, bytes + at + found.from, found.size, &from, &payload))
                datagram_open(feed, bytes + at, &found, found.from + from, payload);
            else
                feed->counts.passed++;
        }
        if (feed->waiting.count == 0)
            at += found.whole;
    }
    *used = at;
    return count;
}
