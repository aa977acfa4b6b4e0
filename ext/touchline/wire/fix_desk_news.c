/* News(B): what an operator tells sessions, and halts told to those who are to hear of them.
 *
 * It is sent and kept as reports are. A halt is an event, so its News has the event's key: after a
 * kill the journal gives what a session was not told of yet, and nothing twice. What an operator
 * says is in no journal; it is said once it is in the store. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "touchline/wire/fix_desk_state.h"

typedef struct news {
    const char *text; /* the Headline(148), and lines below it */
    size_t size;
    int64_t ts_ns;           /* OrigTime(42) */
    const tl_fix_name *name; /* the symbol it is about; NULL: none */
    bool urgent;
} news;

static size_t line_size(const char *at, const char *end)
{
    const char *found = memchr(at, '\n', (size_t)(end - at));
    return (size_t)((found == NULL ? end : found) - at);
}

/* The lines, at least one, as FIX wants it. */
static char *put_lines(char *at, const char *line, const char *end)
{
    uint32_t count = 0;
    for (const char *from = line; from < end; from += line_size(from, end) + 1)
        count++;
    at = tl_fix_put_uint(at, 33, count);
    for (; line < end; line += line_size(line, end) + 1)
        at = tl_fix_put_text(at, 58, line, line_size(line, end));
    return at;
}

static int send(tl_fix_desk *desk, uint32_t session, const news *news, uint64_t key)
{
    const tl_fix_seated *seated = &desk->sessions[session];
    const char *end = news->text + news->size;
    const size_t headline = line_size(news->text, end);
    const char *lines = news->text + headline + 1;
    char *at = put_lines(desk->body, lines < end ? lines : news->text, end);
    at = tl_fix_put_time(at, 42, news->ts_ns, seated->time_decimals);
    at = tl_fix_put_char(at, 61, news->urgent ? '1' : '0');
    if (news->name != NULL) {
        at = tl_fix_put_char(at, 146, '1');
        at = tl_fix_put_text(at, seated->dialect->version == TL_FIX_42 ? 46 : 55,
                             news->name->text, news->name->size);
    }
    at = tl_fix_put_text(at, 148, news->text, headline);
    return tl_fix_desk_send(desk, session, "B", at, key);
}

/* No line is empty, and none has another control character. */
static bool sayable(const char *text, size_t size)
{
    const char *end = text + size;
    if (size == 0 || size > TL_FIX_NEWS_BYTES || text[size - 1] == '\n')
        return false;
    for (const char *line = text; line < end; line += line_size(line, end) + 1)
        if (line_size(line, end) == 0 || !tl_fix_printable(line, line_size(line, end)))
            return false;
    return true;
}

int tl_fix_desk_news(tl_fix_desk *desk, uint32_t session, const char *text, size_t size,
                     bool urgent, int64_t utc_ns)
{
    const news told = {.text = text, .size = size, .ts_ns = utc_ns, .urgent = urgent};
    if (!sayable(text, size))
        return -EINVAL;
    if (session >= desk->config.sessions_max || desk->sessions[session].dialect == NULL)
        return -ENOENT;
    return send(desk, session, &told, 0);
}

static int tell_all(tl_fix_desk *desk, const tl_event *event, const char *text,
                    const tl_fix_name *name)
{
    const uint64_t key = tl_fix_key(event->seq, 0);
    const news told = {.text = text,
                       .size = strlen(text),
                       .ts_ns = event->ts_ns,
                       .name = name,
                       .urgent = true};
    for (uint32_t i = 0; i < desk->config.sessions_max; i++) {
        const tl_fix_seated *seated = tl_fix_listener(desk, i, key);
        if (seated == NULL || (seated->permissions & TL_FIX_MAY_NEWS) == 0)
            continue;
        const int rc = send(desk, i, &told, key);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static const char *phase_words(uint32_t status)
{
    switch (status) {
    case TL_TRADING_STATUS_HALTED:
        return "halted";
    case TL_TRADING_STATUS_CLOSED:
        return "closed";
    case TL_TRADING_STATUS_PRE_OPEN:
        return "in pre-open";
    case TL_TRADING_STATUS_OPENING_AUCTION:
        return "in its opening auction";
    case TL_TRADING_STATUS_VOLATILITY_AUCTION:
        return "in a volatility auction";
    case TL_TRADING_STATUS_CLOSING_AUCTION:
        return "in its closing auction";
    case TL_TRADING_STATUS_CLOSING_PRICE:
        return "trading at the closing price";
    default:
        return "ready to trade";
    }
}

int tl_fix_news_of_status(tl_fix_desk *desk, const tl_event *event)
{
    char text[TL_TEXT_BYTES + 64];
    if (event->exec_type == TL_EXEC_TYPE_VENUE_STATUS)
        return tell_all(desk, event,
                        event->qty == TL_ENTRY_STATUS_BLOCKED ? "the venue takes no orders"
                                                              : "the venue takes orders again",
                        NULL);
    const tl_fix_instrument *instrument = tl_fix_instrument_at(&desk->names, event->instrument);
    if (instrument == NULL || instrument->symbol.size == 0)
        return 0; /* nobody can know it yet */
    snprintf(text, sizeof text, "%.*s is %s", (int)instrument->symbol.size,
             instrument->symbol.text, phase_words(event->qty));
    return tell_all(desk, event, text, &instrument->symbol);
}
