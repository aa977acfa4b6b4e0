/* What an instrument's trades since the beginning of its day come to.
 *
 * A day begins with the listing, and with the end of the day before it: a mass cancel of all Day
 * orders of the instrument (rule 4.6), whether there were any or not.
 */
#include "touchline/marketdata/mirror_state.h"

static void changed(tl_mirror *mirror, uint16_t instrument, const tl_event *event)
{
    tl_mirrored *mirrored = &mirror->instruments[instrument];
    mirrored->statistics.event_seq = event->seq;
    mirrored->statistics.ts_ns = event->ts_ns;
    mirrored->statistics_seq++;
    mirrored->new_statistics = true;
    tl_mirror_mark(mirror, instrument, event);
}

void tl_mirror_count_trade(tl_mirror *mirror, const tl_event *event)
{
    tl_published_statistics *day = &mirror->instruments[event->instrument].statistics;
    if (day->trades == 0)
        day->open_price = day->high_price = day->low_price = event->price;
    if (event->price > day->high_price)
        day->high_price = event->price;
    if (event->price < day->low_price)
        day->low_price = event->price;
    day->last_price = event->price;
    day->volume += event->qty;
    const uint64_t value = (uint64_t)event->price * event->qty; /* 30 bits times 32 */
    day->turnover += value;
    day->turnover_high += day->turnover < value;
    day->trades++;
    changed(mirror, event->instrument, event);
}

static void begin_day(tl_mirror *mirror, uint16_t instrument, const tl_event *event)
{
    if (mirror->instruments[instrument].trading_status == 0)
        return;
    mirror->instruments[instrument].statistics =
        (tl_published_statistics){.open_ns = event->ts_ns};
    changed(mirror, instrument, event);
}

void tl_mirror_begin_statistics(tl_mirror *mirror, const tl_event *event)
{
    begin_day(mirror, event->instrument, event);
}

void tl_mirror_end_day(tl_mirror *mirror, const tl_event *event)
{
    if (event->time_in_force != TL_TIME_IN_FORCE_DAY || event->account != TL_ACCOUNT_ALL ||
        event->side != 0)
        return;
    if (event->instrument != TL_INSTRUMENT_ALL) {
        if (event->instrument < mirror->instruments_max)
            begin_day(mirror, event->instrument, event);
        return;
    }
    for (uint32_t i = 0; i < mirror->instruments_max; i++)
        begin_day(mirror, (uint16_t)i, event);
}
