/* ITCH messages as market records, and a file of them; see feed.h. */
#include <stdlib.h>
#include <string.h>

#include "touchline/core/messages.h"
#include "touchline/study/feed_state.h"
#include "touchline/wire/itch.h"

#define ITCH_PRICE (TL_PRICE_SCALE / 10000)

tl_feed *tl_feed_open(int format, int64_t base_ns, uint16_t port, bool skip)
{
    tl_feed *feed = calloc(1, sizeof *feed);
    if (feed == NULL)
        return NULL;
    feed->format = format;
    feed->base_ns = base_ns;
    feed->port = port;
    feed->skip = skip;
    feed->next_seq = 1;
    return feed;
}

void tl_feed_close(tl_feed *feed)
{
    free(feed);
}

void tl_feed_fail(tl_feed *feed, int fault, size_t at)
{
    feed->fault = fault;
    feed->fault_at = feed->offset + at;
}

static uint8_t side_of(char side)
{
    return side == 'B' ? TL_SIDE_BUY : side == 'S' ? TL_SIDE_SELL : 0;
}

/* The type of record a message becomes; OTHER for those that change no book. */
static uint8_t type_of(uint8_t type)
{
    static const uint8_t types[256] = {
        ['A'] = TL_RECORD_TYPE_ADD,       ['F'] = TL_RECORD_TYPE_ADD,
        ['E'] = TL_RECORD_TYPE_EXECUTE,   ['C'] = TL_RECORD_TYPE_EXECUTE,
        ['X'] = TL_RECORD_TYPE_CANCEL,    ['D'] = TL_RECORD_TYPE_DELETE,
        ['U'] = TL_RECORD_TYPE_REPLACE,   ['P'] = TL_RECORD_TYPE_TRADE,
        ['Q'] = TL_RECORD_TYPE_CROSS,     ['B'] = TL_RECORD_TYPE_BROKEN_TRADE,
        ['R'] = TL_RECORD_TYPE_DIRECTORY, ['H'] = TL_RECORD_TYPE_TRADING_ACTION,
        ['S'] = TL_RECORD_TYPE_SYSTEM,    ['I'] = TL_RECORD_TYPE_IMBALANCE,
    };
    return types[type] == 0 ? TL_RECORD_TYPE_OTHER : types[type];
}

static void symbol_write(const char stock[8], char symbol[TL_RECORD_SYMBOL_BYTES])
{
    size_t length = 8;
    while (length > 0 && stock[length - 1] == ' ')
        length--;
    memcpy(symbol, stock, length);
}

static void record_write(const tl_feed *feed, const tl_itch_record *itch, uint64_t seq,
                         tl_market_record *record)
{
    *record = (tl_market_record){
        .ts_ns = feed->base_ns + (int64_t)itch->ts_ns,
        .seq = seq,
        .order_ref = itch->order_ref,
        .new_ref = itch->new_order_ref | itch->match_number, /* no message has both */
        .price = itch->price * ITCH_PRICE,
        .qty = (int64_t)itch->shares,
        .instrument = itch->locate,
        .type = type_of((uint8_t)itch->type),
        .side = side_of(itch->side),
        .code = (uint8_t)itch->code,
    };
    switch (itch->type) {
    case 'C':
        record->flags = TL_RECORD_FLAG_PRICED;
        if (itch->code == 'N')
            record->flags |= TL_RECORD_FLAG_NOT_PRINTED;
        break;
    case 'P':
        /* Nasdaq says B whatever the order was. */
        record->side = 0;
        record->flags = TL_RECORD_FLAG_HIDDEN;
        break;
    case 'R':
        symbol_write(itch->stock, record->symbol);
        break;
    default:
        if (record->type == TL_RECORD_TYPE_OTHER)
            record->code = (uint8_t)itch->type;
    }
}

/* A message of a type that ITCH 5.0 does not have still counts, and its head is as all have it. */
static void unknown_write(tl_feed *feed, const uint8_t *bytes, size_t size, uint64_t seq,
                          tl_market_record *record)
{
    feed->counts.unknown++;
    *record = (tl_market_record){.seq = seq, .type = TL_RECORD_TYPE_OTHER, .code = bytes[0]};
    if (size < sizeof(tl_itch_delete_wire) - 8)
        return;
    const tl_itch_delete_wire *head = (const tl_itch_delete_wire *)bytes;
    record->ts_ns = feed->base_ns + (int64_t)tl_get_u48(head->ts_ns);
    record->instrument = tl_get_u16(head->locate);
}

static void copy_message(tl_feed *feed, const uint8_t *bytes, size_t size)
{
    if (feed->copy == NULL)
        return;
    tl_put_u16(feed->copy + feed->copied, (uint16_t)size);
    memcpy(feed->copy + feed->copied + 2, bytes, size);
    feed->copied += 2 + size;
}

bool tl_feed_message(tl_feed *feed, const uint8_t *bytes, size_t size, size_t at, uint64_t seq,
                     tl_market_record *record)
{
    tl_itch_record itch;
    tl_itch_fault fault = tl_itch_decode(bytes, size, &itch);
    feed->counts.messages++;
    if (fault == TL_ITCH_FAULT_NONE) {
        record_write(feed, &itch, seq, record);
        copy_message(feed, bytes, size);
        return true;
    }
    if (fault == TL_ITCH_FAULT_TYPE) {
        unknown_write(feed, bytes, size, seq, record);
        copy_message(feed, bytes, size);
        return true;
    }
    feed->counts.messages--;
    if (!feed->skip) {
        tl_feed_fail(feed, fault == TL_ITCH_FAULT_SIDE ? TL_FEED_SIDE_FAULT : TL_FEED_SIZE_FAULT,
                     at);
    } else if (feed->skipped++ == 0) {
        feed->skipped_first = feed->offset + at;
    }
    return false;
}

/* Up to the end of what is there as a whole. A length of 0 marks the end of a session: nothing. */
static size_t read_messages(tl_feed *feed, const uint8_t *bytes, size_t size,
                            tl_market_record *records, size_t room, size_t *used)
{
    size_t count = 0;
    size_t at = 0;
    while (tl_feed_has_room(feed, count, room) && size - at >= 2) {
        size_t length = tl_get_u16(bytes + at);
        if (length > size - at - 2)
            break;
        if (length > 0) {
            bool made = tl_feed_message(feed, bytes + at + 2, length, at, feed->next_seq,
                                        &records[count]);
            if (feed->fault != TL_FEED_NONE_FAULT)
                break;
            count += made;
            feed->next_seq++;
        }
        at += 2 + length;
    }
    *used = at;
    return count;
}

size_t tl_feed_read(tl_feed *feed, const uint8_t *bytes, size_t size, tl_market_record *records,
                    size_t room, size_t *used)
{
    *used = 0;
    if (feed->fault != TL_FEED_NONE_FAULT)
        return 0;
    size_t count = feed->format == TL_FEED_PCAP
                       ? tl_feed_read_pcap(feed, bytes, size, records, room, used)
                       : read_messages(feed, bytes, size, records, room, used);
    feed->offset += *used;
    return count;
}

void tl_feed_copy_to(tl_feed *feed, uint8_t *to, size_t room)
{
    feed->copy = to;
    feed->copy_room = room;
    feed->copied = 0;
}

size_t tl_feed_copied(const tl_feed *feed)
{
    return feed->copied;
}

void tl_feed_number(tl_feed *feed, uint64_t next, bool lost)
{
    if (lost && next > feed->next_seq) {
        feed->counts.gaps++;
        feed->counts.missing += next - feed->next_seq;
    }
    feed->next_seq = next;
}

void tl_feed_end(tl_feed *feed, size_t left)
{
    if (left > 0 && feed->fault == TL_FEED_NONE_FAULT)
        tl_feed_fail(feed, TL_FEED_TRUNCATED_FAULT, 0);
}

int tl_feed_fault_now(const tl_feed *feed, uint64_t *offset)
{
    *offset = feed->fault_at;
    return feed->fault;
}

const char *tl_feed_fault_text(int fault)
{
#define TEXT(name, text) text,
    static const char *const texts[] = {TL_FEED_FAULTS(TEXT)};
#undef TEXT
    bool known = fault >= 0 && (size_t)fault < sizeof texts / sizeof *texts;
    return known ? texts[fault] : "";
}

void tl_feed_counts_now(const tl_feed *feed, tl_feed_counts *counts)
{
    *counts = feed->counts;
}

uint64_t tl_feed_skipped(const tl_feed *feed, uint64_t *first)
{
    *first = feed->skipped_first;
    return feed->skipped;
}
