/* The rows that wait, chained per instrument and kind, and the messages made of them. */
#include "touchline/marketdata/mirror_state.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t record_bytes[TL_PUBLISHED_STREAMS] = {
    sizeof(tl_published_trade), sizeof(tl_published_bbo), sizeof(tl_published_depth),
    sizeof(tl_published_status)};

void tl_mirror_mark(tl_mirror *mirror, uint16_t instrument, const tl_event *event)
{
    tl_mirrored *mirrored = &mirror->instruments[instrument];
    mirrored->changed_seq = event->seq;
    if (mirrored->has_rows)
        return;
    mirrored->has_rows = true;
    mirror->with_rows[mirror->with_rows_count++] = instrument;
}

void *tl_mirror_add_row(tl_mirror *mirror, uint16_t instrument, unsigned kind,
                        const tl_event *event)
{
    assert(mirror->rows_count < mirror->rows_max);
    tl_mirrored *mirrored = &mirror->instruments[instrument];
    tl_stream *stream = &mirrored->streams[kind];
    uint32_t index = mirror->rows_count++;
    tl_row *row = &mirror->rows[index];
    tl_mirror_mark(mirror, instrument, event);
    if (stream->count++ == 0)
        stream->first = index;
    else
        mirror->rows[stream->last].next = index;
    stream->last = index;
    row->instrument = instrument;
    row->kind = (uint8_t)kind;
    memset(row->record, 0, sizeof row->record);
    memcpy(row->record, &event->seq, sizeof event->seq);
    memcpy(row->record + sizeof event->seq, &event->ts_ns, sizeof event->ts_ns);
    return row->record;
}

static int by_number(const void *left, const void *right)
{
    return (int)*(const uint16_t *)left - (int)*(const uint16_t *)right;
}

static uint64_t event_of(const tl_row *row)
{
    uint64_t seq;
    memcpy(&seq, row->record, sizeof seq);
    return seq;
}

/* How many of a stream's next rows make a message: as many as fit, and no event's in part. An event
 * makes at most two rows of a kind. */
static uint32_t rows_that_fit(const tl_mirror *mirror, const tl_stream *stream, unsigned kind)
{
    uint32_t room = (TL_PUBLISHED_MESSAGE_MAX - (uint32_t)sizeof(tl_published_header)) /
                    record_bytes[kind];
    if (stream->count <= room)
        return stream->count;
    uint64_t index = stream->first;
    for (uint32_t i = 1; i < room; i++)
        index = mirror->rows[index].next;
    const tl_row *last = &mirror->rows[index];
    return event_of(last) == event_of(&mirror->rows[last->next]) ? room - 1 : room;
}

static size_t write_message(tl_mirror *mirror, uint16_t instrument, unsigned kind)
{
    tl_stream *stream = &mirror->instruments[instrument].streams[kind];
    uint32_t count = rows_that_fit(mirror, stream, kind);
    tl_published_header header = {.epoch = mirror->epoch,
                                  .first_seq = stream->sent + 1,
                                  .event_seq = mirror->event_seq,
                                  .ts_ns = mirror->ts_ns,
                                  .count = count,
                                  .instrument = instrument,
                                  .kind = (uint8_t)kind,
                                  .version = TL_PUBLISHED_VERSION};
    uint8_t *to = mirror->message;
    memcpy(to, &header, sizeof header);
    to += sizeof header;
    for (uint32_t i = 0; i < count; i++, to += record_bytes[kind]) {
        const tl_row *row = &mirror->rows[stream->first];
        memcpy(to, row->record, record_bytes[kind]);
        stream->first = row->next;
    }
    stream->sent += count;
    stream->count -= count;
    return (size_t)(to - mirror->message);
}

static size_t write_statistics(tl_mirror *mirror, uint16_t instrument)
{
    tl_mirrored *mirrored = &mirror->instruments[instrument];
    mirrored->new_statistics = false;
    tl_published_header header = {.epoch = mirror->epoch,
                                  .first_seq = mirrored->statistics_seq,
                                  .event_seq = mirror->event_seq,
                                  .ts_ns = mirror->ts_ns,
                                  .count = 1,
                                  .instrument = instrument,
                                  .kind = TL_PUBLISHED_STATISTICS,
                                  .version = TL_PUBLISHED_VERSION};
    memcpy(mirror->message, &header, sizeof header);
    memcpy(mirror->message + sizeof header, &mirrored->statistics, sizeof mirrored->statistics);
    return sizeof header + sizeof mirrored->statistics;
}

/* Does an instrument have something of this kind to tell? */
static bool tells(const tl_mirrored *mirrored, unsigned kind)
{
    return kind == TL_PUBLISHED_STATISTICS ? mirrored->new_statistics
                                           : mirrored->streams[kind].count != 0;
}

bool tl_mirror_next_message(tl_mirror *mirror, tl_mirror_message *message)
{
    if (!mirror->reading) {
        qsort(mirror->with_rows, mirror->with_rows_count, sizeof(uint16_t), by_number);
        mirror->reading = true;
    }
    for (; mirror->at < mirror->with_rows_count; mirror->at++, mirror->at_kind = 0) {
        uint16_t instrument = mirror->with_rows[mirror->at];
        for (; mirror->at_kind < TL_PUBLISHED_KINDS; mirror->at_kind++) {
            if (!tells(&mirror->instruments[instrument], mirror->at_kind))
                continue;
            *message = (tl_mirror_message){
                .bytes = mirror->message,
                .count = mirror->at_kind == TL_PUBLISHED_STATISTICS
                             ? write_statistics(mirror, instrument)
                             : write_message(mirror, instrument, mirror->at_kind),
                .instrument = instrument,
                .kind = mirror->at_kind};
            return true;
        }
    }
    tl_mirror_discard(mirror);
    return false;
}

void tl_mirror_discard(tl_mirror *mirror)
{
    for (uint32_t i = 0; i < mirror->with_rows_count; i++) {
        tl_mirrored *mirrored = &mirror->instruments[mirror->with_rows[i]];
        mirrored->has_rows = mirrored->new_statistics = false;
        for (unsigned kind = 0; kind < TL_PUBLISHED_STREAMS; kind++) {
            mirrored->streams[kind].sent += mirrored->streams[kind].count;
            mirrored->streams[kind].count = 0;
        }
    }
    mirror->with_rows_count = 0;
    mirror->rows_count = 0;
    mirror->at = 0;
    mirror->at_kind = 0;
    mirror->reading = false;
}
