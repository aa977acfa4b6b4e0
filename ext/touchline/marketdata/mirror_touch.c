/* The touch after each event, for who keeps it beside the event: the capture. */
#include "touchline/marketdata/mirror_state.h"

static bool is_another(const tl_touch *one, const tl_touch *other)
{
    return one->bid_price != other->bid_price || one->bid_qty != other->bid_qty ||
           one->ask_price != other->ask_price || one->ask_qty != other->ask_qty;
}

static tl_touch touch_of(const tl_mirror *mirror, uint16_t instrument)
{
    tl_published_bbo bbo = {0};
    if (instrument < mirror->instruments_max)
        tl_mirror_touch(mirror, instrument, &bbo);
    return (tl_touch){.bid_price = bbo.bid_price,
                      .ask_price = bbo.ask_price,
                      .bid_qty = bbo.bid_qty,
                      .ask_qty = bbo.ask_qty};
}

size_t tl_mirror_follow(tl_mirror *mirror, const tl_event *events, size_t count, tl_touch *touches)
{
    for (size_t i = 0; i < count; i++) {
        const uint16_t instrument = events[i].instrument;
        const tl_touch before = touch_of(mirror, instrument);
        if (tl_mirror_apply(mirror, &events[i], 1) != 1)
            return i;
        touches[i] = touch_of(mirror, instrument);
        touches[i].changed = is_another(&touches[i], &before);
    }
    tl_mirror_discard(mirror);
    return count;
}
