/* Every field and option of a request: used, harmless, or refused by name. What could change what a
 * request means and is not offered here is refused, so nothing is overlooked.
 *
 *   USED      the desk reads it
 *   HARMLESS  said about an order, and nothing that the venue would do otherwise
 *   ZERO      asks for nothing when its value is 0
 *   NO        asks for nothing when its value is N or a space
 *   LIMIT     asks for nothing when its value is L or a space
 *   ANSWER    an option of answers alone
 *   REFUSED   asks for what is not offered, whatever its value
 */
#include "touchline/wire/ouch.h"

enum { USED, HARMLESS, ZERO, NO, LIMIT, ANSWER, REFUSED };

typedef struct term {
    const char *name;
    uint8_t size, rule;
} term;

static const term terms[32] = {
#define TERM(name, tag, size, rule) [tag] = {#name, size, rule},
    TL_OUCH_OPTIONS(TERM)
#undef TERM
};

/* The code that says most of what is wrong with an option. */
static uint16_t code_of(uint8_t tag)
{
    switch (tag) {
    case TL_OUCH_MIN_QTY:
        return TL_OUCH_REJECT_INVALID_MIN_QUANTITY;
    case TL_OUCH_MAX_FLOOR:
    case TL_OUCH_RANDOM_RESERVES:
        return TL_OUCH_REJECT_INVALID_MAX_FLOOR;
    case TL_OUCH_PRICE_TYPE:
        return TL_OUCH_REJECT_INVALID_PEG_TYPE;
    case TL_OUCH_PEG_OFFSET:
        return TL_OUCH_REJECT_PEGGING_NOT_ALLOWED;
    case TL_OUCH_ROUTE:
        return TL_OUCH_REJECT_ROUTING_NOT_ALLOWED;
    case TL_OUCH_SIDE:
        return TL_OUCH_REJECT_INVALID_SIDE;
    default:
        return TL_OUCH_REJECT_OTHER;
    }
}

/* Options of special orders, in a request that can have them: the desk reads them. */
static bool is_special(const tl_ouch_request *request, uint8_t tag, uint8_t first)
{
    if (request->type != 'O' && request->type != 'U')
        return false;
    return tag == TL_OUCH_MAX_FLOOR || tag == TL_OUCH_MIN_QTY || tag == TL_OUCH_EXPIRE_TIME ||
           (tag == TL_OUCH_HANDLE_INST && first == 'A') ||
           (tag == TL_OUCH_POST_ONLY && (first == 'P' || first == 'S')) ||
           (tag == TL_OUCH_ORD_TYPE && first != 0 && strchr("34JKl", first) != NULL);
}

static bool asks_nothing(const term *of, const uint8_t *value)
{
    switch (of->rule) {
    case USED:
    case HARMLESS:
        return true;
    case ZERO:
        for (uint32_t i = 0; i < of->size; i++)
            if (value[i] != 0)
                return false;
        return true;
    case NO:
        return *value == 'N' || *value == ' ';
    case LIMIT:
        return *value == 'L' || *value == ' ';
    default:
        return false;
    }
}

/* The side is an option of a mass cancel alone: an order's can not be changed. Firm is one of a new
 * order alone. */
static bool misplaced(const tl_ouch_request *request, uint8_t tag)
{
    return tag == TL_OUCH_ORD_TYPE || (tag == TL_OUCH_SIDE && request->type != 'C') ||
           (tag == TL_OUCH_FIRM && request->type != 'O');
}

static uint16_t option_refused(const tl_ouch_request *request, const char **name)
{
    const uint8_t *at = request->options;
    for (size_t left = request->options_size; left != 0;) {
        const term *of = &terms[at[1]];
        *name = of->name;
        if (!is_special(request, at[1], at[2]) &&
            (misplaced(request, at[1]) || !asks_nothing(of, at + 2)))
            return code_of(at[1]);
        left -= 1u + at[0];
        at += 1u + at[0];
    }
    return 0;
}

static bool printable(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return true;
}

/* What a new order and a replacement have in common. */
static uint16_t order_refused(const tl_ouch_request *request, const char **name)
{
    *name = "TimeInForce";
    if (request->time_in_force == '\0' || strchr("036", request->time_in_force) == NULL)
        return TL_OUCH_REJECT_OTHER;
    *name = "Display";
    if (request->display != 'Y' && request->display != 'N')
        return TL_OUCH_REJECT_INVALID_DISPLAY;
    *name = "InterMarketSweepEligibility";
    if (request->sweep != 'N')
        return TL_OUCH_REJECT_ISO_NOT_ALLOWED;
    *name = "ClOrdID";
    if (!printable(request->cl_ord_id, sizeof request->cl_ord_id))
        return TL_OUCH_REJECT_OTHER;
    *name = "Quantity";
    if (request->quantity == 0 || request->quantity > TL_OUCH_QUANTITY_MAX)
        return TL_OUCH_REJECT_INVALID_QUANTITY;
    return 0;
}

static uint16_t enter_refused(const tl_ouch_request *request, const char **name)
{
    *name = "Side";
    if (request->side != 'B' && request->side != 'S')
        return TL_OUCH_REJECT_INVALID_SIDE;
    *name = "Capacity";
    if (request->capacity == '\0' || strchr("APRO", request->capacity) == NULL)
        return TL_OUCH_REJECT_OTHER;
    *name = "CrossType";
    const bool crosses = request->cross_type != '\0' && strchr("OCH", request->cross_type) != NULL;
    if (crosses ? request->time_in_force != '0' : request->cross_type != 'N')
        return TL_OUCH_REJECT_INVALID_CROSS_ORDER;
    return order_refused(request, name);
}

uint16_t tl_ouch_refused(const tl_ouch_request *request, const char **name)
{
    uint16_t code = 0;
    if (request->type == 'O')
        code = enter_refused(request, name);
    else if (request->type == 'U')
        code = order_refused(request, name);
    if (code == 0)
        code = option_refused(request, name);
    if (code == 0)
        *name = "";
    return code;
}
